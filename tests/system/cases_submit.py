# SPDX-License-Identifier: ISC
"""Ports 465 and 587: accounts, signatures, refusals."""
import base64
import hashlib
import os
import re

import machine
import peers
import world
from cases_policy import over_tls
from mail import Client, letter, stuffed, submit
from stage import expect, need

APP = "app@" + peers.HOME


def signed_and_verified(w):
    """Over 465 and 587, PLAIN and LOGIN: Date and Message-ID added, Bcc removed, three judges agree."""
    w.appliance()
    for port in (465, 587):
        mark, text = letter(APP, to=peers.TO, extra=b"X-Keep: this\r\nBcc: hidden@secret.example\r\n")
        expect(submit(text, w.account, port=port, rcpt=peers.TO), 250)
        got = w.standin.wait(mark)
        need(b"hidden@secret.example" not in got, "Bcc is still there")
        need(b"X-Keep: this" in got, "a field was lost")
        need(got.endswith(text.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n")), "the body changed")
        need(b"d=%s;" % peers.HOME.encode() in got, "no signature of ours")
        for judge, verdict in peers.judge(got).items():
            need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))


def ed25519(w):
    """Configured to sign with Ed25519, on the key disk of one that signs with RSA, and back: each finds its own key."""
    w.appliance()
    w.end()
    rsa = w.publish(w.appliance())
    with over_tls(w) as (box, _):
        box.wait(r"holder\.dkim: ev=unused key=rsa ")
        need("k=ed25519; p=" in w.publish(box), "the record is not Ed25519's")
        mark, text = letter(APP, to=peers.TO)
        expect(submit(text, w.account, rcpt=peers.TO), 250)
        got = w.standin.wait(mark)
        need(b"a=ed25519-sha256;" in got, "the signature is not Ed25519's")
        verdict = peers.judge(got)["dkimpy"]
        need(verdict.startswith("pass"), "dkimpy says: " + verdict)
    box = w.appliance()
    box.wait(r"holder\.dkim: ev=unused key=ed25519 ")
    need(w.publish(box) == rsa, "the RSA key is another one")


def age(path):
    """The keys in this file have signed since 1970 (keys/README.md)."""
    with open(path, "rb") as f:
        file = f.read()
    head, content = file[:16], bytearray(file[48:])
    at = 0
    while at < len(content):
        content[at + 5:at + 13] = (1).to_bytes(8, "big")
        at += 15 + int.from_bytes(content[at + 13:at + 15], "big")
    with open(path, "wb") as f:
        f.write(head + hashlib.blake2b(head + content, digest_size=32).digest() + content)


def rotation(w):
    """The time of a key is over: the next one signs when its record is there, without a restart, and not before."""
    keys = machine.Box.store("rotation")
    for copy in "ab":
        os.makedirs(os.path.join(keys, copy))
    second = r"ev=publish name=%s-2\._domainkey\.%s " % (peers.SELECTOR, peers.HOME)
    with w.other(keys, w.data) as box:
        line = box.wait(r"keygen: " + second)
        record = line.split('value="', 1)[1].split('"')[0]
        first = w.publish(box)
        need(record != first, "one key under two selectors")
    for copy in "ab":
        age(os.path.join(keys, copy, "dkim", peers.HOME))
    with w.other(keys, w.data) as box:
        need(w.publish(box) == first, "another key signs, and its record is nowhere")
        mark, text = letter(APP, to=peers.TO)
        expect(submit(text, w.account, rcpt=peers.TO), 250)
        need(b"s=%s;" % peers.SELECTOR.encode() in w.standin.wait(mark), "another selector")
        peers.publish(w.names, "%s-2._domainkey.%s" % (peers.SELECTOR, peers.HOME), record)
        box.wait(r"keygen: ev=rotated name=%s-2\." % peers.SELECTOR, 60)
        box.wait(r"keygen: ev=withdraw name=%s\._domainkey\." % peers.SELECTOR)
        need(record in box.wait(r"holder\.dkim: " + second, 120), "another key than the one that was shown")
        mark, text = letter(APP, to=peers.TO)
        expect(submit(text, w.account, rcpt=peers.TO), 250)
        got = w.standin.wait(mark)
        need(b"s=%s-2;" % peers.SELECTOR.encode() in got, "the old selector")
        for judge, verdict in peers.judge(got).items():
            need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))


def swaks_through_each_port(w):
    """A client that others wrote: port 25 with STARTTLS, 587 with STARTTLS and AUTH, 465."""
    w.appliance()
    user, password = w.account
    login = ("--auth", "PLAIN", "--auth-user", user, "--auth-password", password, "--from", APP, "--to", peers.TO)
    stranger = ("--from", "ann@stranger.example", "--to", "hello@" + peers.HOME)
    for port, words in (("25", ("-tls",) + stranger), ("587", ("-tls",) + login), ("465", ("-tlsc",) + login)):
        mark = "swaks-%s-%d" % (port, os.getpid())
        done = world.inside("swaks", "--server", world.APPLIANCE, "--port", port, "--ehlo", "client.stranger.example",
                            "--local-interface", world.CLIENT, "--header", "Subject: " + mark, *words)
        need(done.returncode == 0, "port %s: %s" % (port, done.stdout.decode(errors="replace")[-300:]))
        w.standin.wait(mark)


def missing_fields_are_added(w):
    w.appliance()
    mark, _ = letter(APP)
    text = b"From: app@%s\r\nTo: x@gmail.com\r\nSubject: bare %s\r\n\r\nbody\r\n" % (
        peers.HOME.encode(), mark.encode())
    expect(submit(text, w.account, rcpt=peers.TO), 250)
    got = w.standin.wait(mark)
    need(re.search(rb"^Date: \w{3}, \d+ \w{3} \d{4} ", got, re.M), "no Date was added")
    need(re.search(rb"^Message-ID: <[^>]+@[^>]+>", got, re.M | re.I), "no Message-ID was added")
    verdict = peers.judge(got)["dkimpy"]
    need(verdict.startswith("pass"), "dkimpy says: " + verdict)


def long_lists_of_addresses(w):
    """S6: To: may be longer than other fields; its signature is made over all of it. (The far side takes 100 KiB,
    OpenDKIM 64.)"""
    w.appliance()
    for n in (100, 300, 1500):
        to = b",\r\n ".join(b'"Somebody with a name, number %d" <r%d@recipient.example>' % (i, i) for i in range(n))
        mark, _ = letter(APP)
        text = b"From: %s\r\nTo: %s\r\nSubject: many %s\r\n\r\nbody\r\n" % (APP.encode(), to, mark.encode())
        expect(submit(text, w.account, rcpt=peers.TO), 250)
        got = w.standin.wait(mark)
        need(b"number %d" % (n - 1) in got, "an address was lost")
        for judge, verdict in peers.judge(got).items():
            if judge == "OpenDKIM" and len(to) > 65000:
                continue
            need(verdict.startswith("pass"), "%d addresses: %s says: %s" % (n, judge, verdict))


def auth_login(w):
    w.appliance()
    user, password = w.account
    with Client(465, tls=True) as c:
        need("AUTH PLAIN LOGIN" in c.hello()[1], "AUTH is not offered under TLS")
        expect(c.cmd("AUTH LOGIN"), 334)
        expect(c.cmd(base64.b64encode(user.encode()).decode()), 334)
        expect(c.cmd(base64.b64encode(password.encode()).decode()), 235)
        expect(c.cmd("AUTH LOGIN"), 503)
    with Client(465, tls=True) as c:
        c.hello()
        expect(c.cmd("AUTH PLAIN"), 334)
        expect(c.cmd("*"), 501)
        expect(c.cmd("AUTH PLAIN !!!!"), 501)


def auth_needs_tls(w):
    box = w.appliance()
    with Client(587) as c:
        need("AUTH" not in c.hello()[1], "AUTH is offered before TLS")
        expect(c.login(*w.account), (530, 538))
        expect(c.cmd("MAIL FROM:<%s>" % APP), 530)
    with Client(465, tls=True) as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<%s>" % APP), 530)
    blob = base64.b64encode(("\0%s\0%s" % w.account).encode()).decode()
    console = "\n".join(box.lines)
    need(w.account[1] not in console and blob not in console, "the password is in the log")


def wrong_passwords(w):
    w.appliance()
    for user, password in ((w.account[0], "wrong"), ("nobody", w.account[1]), (w.account[0], "")):
        with Client(465, tls=True) as c:
            c.hello()
            expect(c.login(user, password), (535, 501), "")
    mark, text = letter(APP)
    expect(submit(text, w.account, rcpt=peers.TO), 250)
    w.standin.wait(mark)


def foreign_senders_are_refused(w):
    """Envelope sender, From: and Sender: must belong to the account; a letter must be well formed."""
    w.appliance()
    _, text = letter(APP)
    expect(submit(text, w.account, sender="x@elsewhere.example"), (550, 553))
    lines = text.split(b"\r\n", 1)[1]
    for head in (b"From: boss@elsewhere.example\r\n", b"From: a@%s\r\nSender: b@elsewhere.example\r\n",
                 b"From: a@%s\r\nFrom: b@elsewhere.example\r\n", b"From: a@%s, b@elsewhere.example\r\n",
                 b"From: \"a@%s\" <b@elsewhere.example>\r\n", b"", b"From: a@%s\r\nSubject: one\r\n",
                 b"From: a@%s\r\nno colon here\r\n", b"From: a@%s\r\nX-Bad : name\r\n"):
        head = head.replace(b"%s", peers.HOME.encode())
        got = submit(head + lines, w.account)
        need(500 <= got[0] < 560, "%r: %d %s" % (head, *got))


def receipts_have_no_sender(w):
    """`<>` with an author of the account's is signed and delivered; when it fails, nobody is told."""
    box = w.appliance()
    mark, text = letter(APP, to=peers.TO)
    expect(submit(text, w.account, sender="", rcpt=peers.TO), 250)
    got = w.standin.wait(mark)
    need(re.search(rb"^Return-Path: <>", got, re.M), "the sender is not <>")
    for judge, verdict in peers.judge(got).items():
        need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
    mark, text = letter(APP)
    other, told = letter("hello@" + peers.HOME)
    at = box.mark()
    with w.fake(replies={"RCPT": ["550 5.1.1 no"] * 2}) as f:
        expect(submit(text, w.account, sender="", rcpt="ann@other.example"), 250)
        box.wait(r"queue: ev=failed .*to=ann@other\.example", 15, after=at)
        expect(submit(told, w.account, sender="hello@" + peers.HOME, rcpt="bob@other.example"), 250)
        world.until("the other one's report", 20, lambda: [x for x in list(f.letters) if other.encode() in x["data"]])
        need(not any(mark.encode() in x["data"] for x in f.letters), "a report about <>")


def own_domain_through_the_alias_map(w):
    w.appliance()
    mark, text = letter(APP)
    expect(submit(text, w.account, rcpt="hello@" + peers.HOME), 250)
    got = w.standin.wait(mark).decode()
    need("Delivered-To: " + peers.TO in got or "X-Original-To: " + peers.TO in got, "it did not reach the alias")
    with Client(465, tls=True) as c:
        c.hello()
        c.login(*w.account)
        expect(c.cmd("MAIL FROM:<%s>" % APP), 250)
        expect(c.cmd("RCPT TO:<nobody.here@%s>" % peers.HOME), 550, "5.1.1")


def many_recipients_and_places(w):
    """One letter to the pinned route and to a domain elsewhere: each recipient gets it once, those of one domain
    together."""
    w.appliance()
    mark, text = letter(APP)
    with w.fake() as f:
        expect(submit(text, w.account, rcpt=[peers.TO, "second@" + peers.ROUTE, "ann@other.example"]), 250)
        world.until("two deliveries", 20, lambda: len(f.letters) == 2)
        rcpts = sorted(r for x in f.letters for r in x["rcpts"])
        need(rcpts == sorted([peers.TO, "second@" + peers.ROUTE, "ann@other.example"]), "recipients: %r" % rcpts)
        need(len({x["data"].split(b"\r\nReceived", 1)[-1] for x in f.letters}) == 1, "the copies differ")
        need(all(mark.encode() in x["data"] for x in f.letters), "another letter")


def elsewhere_is_opportunistic(w):
    """Other destinations: any certificate will do, and clear text where TLS is not offered."""
    w.appliance()
    for broken, tls in (({"cert": "stray"}, True), ({"starttls": None}, False), ({"starttls": "454 4.7.0 no"}, False)):
        mark, text = letter(APP)
        with w.fake(**broken) as f:
            expect(submit(text, w.account, rcpt="ann@other.example"), 250)
            need(f.wait(mark)["tls"] == tls, "%r: TLS is not %r" % (broken, tls))


def answer_too_big_for_udp(w):
    """A domain with forty exchangers: the name server cuts its answer, the rest comes over TCP."""
    w.appliance()
    for n in range(40):
        w.names.add("big.example MX 10 mail-exchanger-number-%d-with-a-long-name.big.example." % n)
        w.names.add("mail-exchanger-number-%d-with-a-long-name.big.example A %s" % (n, world.FAKE))
    mark, text = letter(APP)
    with w.fake() as f:
        expect(submit(text, w.account, rcpt="ann@big.example"), 250)
        f.wait(mark)


def networks(w):
    """A client of SMTPD_MYNETWORKS submits on 587 without logging in, signed as ever, but not as anybody and not on 25."""
    w.appliance()
    mark, text = letter(APP, to=peers.TO)
    with Client(587, source=world.INSIDE) as c:
        c.hello()
        expect(c.send(APP, peers.TO, text), 250)
        expect(c.send(APP, peers.TO, letter("boss@elsewhere.example")[1]), 550)
        expect(c.send("boss@elsewhere.example", peers.TO, text), 550)
    for judge, verdict in peers.judge(w.standin.wait(mark)).items():
        need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
    with Client(587) as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<%s>" % APP), 530)
    with Client(25, source=world.INSIDE) as c:
        c.hello()
        expect(c.send(APP, peers.TO, text), 550)


def utf8(w):
    """A header in UTF-8 needs SMTPUTF8 all the way, is signed as it is, and stays as it is; elsewhere it is 5.6.7."""
    box = w.appliance()
    mark, text = letter(APP, to=peers.TO)
    text = text.replace(b"From: Ann", "From: J\u00f6rg M\u00fcller".encode()).replace(
        b"Subject: ", "Subject: Gr\u00fc\u00dfe \u4f8b ".encode())
    with Client(465, tls=True) as c:
        c.hello()
        c.login(*w.account)
        expect(c.send(APP, peers.TO, text), 550, "5.6.7")
        for rcpt in (peers.TO, "ann@other.example"):
            at = box.mark()
            expect(c.cmd("MAIL FROM:<%s> SMTPUTF8 BODY=8BITMIME" % APP), 250)
            expect(c.cmd("RCPT TO:<%s>" % rcpt), 250)
            expect(c.cmd("DATA"), 354)
            if rcpt == peers.TO:
                c.raw(stuffed(text))
                expect(c.reply(), 250)
                got = w.standin.wait(mark)
                need("Subject: Gr\u00fc\u00dfe \u4f8b ".encode() in got and b"with UTF8SMTPSA" in got, "it changed")
                for judge, verdict in peers.judge(got).items():
                    need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
                continue
            with w.fake() as f:
                c.raw(stuffed(text))
                expect(c.reply(), 250)
                box.wait(r"out\.sub: ev=deliver to=other\.example .*enhanced=5\.6\.7", 15, after=at)
                need(not f.letters, "delivered")


def refused_for_good(w):
    """The destination's 5xx ends a recipient; the console tells which and why."""
    box = w.appliance()
    at = box.mark()
    _, text = letter(APP)
    with w.fake(replies={"RCPT": "550 5.1.1 nobody here"}) as f:
        expect(submit(text, w.account, rcpt="ann@other.example"), 250)
        line = box.wait(r"queue: ev=failed .*to=ann@other\.example", 15, after=at)
        need("550" in line and "nobody here" in line, "the reply is not told: " + line)
        need(not f.letters, "delivered")


CASES = [signed_and_verified, ed25519, rotation, long_lists_of_addresses, networks, utf8, swaks_through_each_port, missing_fields_are_added,
         auth_login, auth_needs_tls, wrong_passwords, foreign_senders_are_refused, receipts_have_no_sender,
         own_domain_through_the_alias_map, many_recipients_and_places, elsewhere_is_opportunistic, answer_too_big_for_udp,
         refused_for_good]
