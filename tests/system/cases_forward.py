# SPDX-License-Identifier: ISC
"""Port 25: the forward lane and the return lane."""
import re

import peers
import world
from mail import Client, forward, letter, stuffed
from stage import expect, need

HELLO = "hello@" + peers.HOME
PREPENDED = ("Received", "X-Forwarded-To", "Delivered-To", "Return-Path", "X-Original-To")
SRS = r"SRS0=[A-Za-z0-9+/]{12}=[A-Z2-7]{2}=stranger\.example=ann@" + re.escape(peers.HOME) + "$"


def suffix(arrived, sent):
    """What stands before the original letter; the rest must be the original, octet for octet."""
    need(arrived.endswith(sent), "the letter that arrived does not end with the one that was sent")
    front = arrived[:len(arrived) - len(sent)]
    need(front.endswith(b"\n"), "the prepended header does not end with a line")
    for line in front.decode().splitlines():
        need(line[:1] in " \t" or line.split(":")[0] in PREPENDED, "a strange field was prepended: " + line)
    return front.decode()


def field(head, name):
    found = re.findall(r"^%s: (.*)$" % name, head, re.M)
    need(found, "no field " + name)
    return found[0]


def sender_of(head):
    return field(head, "Return-Path").strip("<>")


def arrives_signed_and_unchanged(w):
    """Three judges still accept the author's signature, the strictest kind; TLS was verified; SRS rewrote."""
    w.appliance()
    mark, text = letter("ann@stranger.example")
    text = w.stranger.sign(text)
    expect(forward(text, tls=True), 250)
    got = w.standin.wait(mark)
    head = suffix(got, text.replace(b"\r\n", b"\n"))
    need(re.match(SRS, sender_of(head)), "the envelope sender is " + sender_of(head))
    need("using TLSv1.2" in head, "the stand-in saw no TLS 1.2")
    need(re.search(r"with ESMTPS \(TLS1\.2 ECDHE-ECDSA-", head), "our Received field does not tell the TLS: " + head)
    for judge, verdict in peers.judge(got).items():
        need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))


def body_is_byte_exact(w):
    """Raw octets at the destination: dots, trailing space, eight bits, no body at all."""
    w.appliance()
    bodies = [b".\r\n..\r\n...x\r\n", b"trailing \t \r\n\r\n\r\n\r\n", b"\xc3\xa4\xff\x80 raw eight bit\r\n", b"",
              b"x" * 998 + b"\r\n" + b".", b".\r\n" * 3000]
    with w.fake() as f:
        for body in bodies:
            mark, text = letter("ann@stranger.example", body=body)
            text += b"" if text.endswith(b"\r\n") else b"\r\n"
            expect(forward(text), 250)
            got = f.wait(mark)
            suffix(got["data"].replace(b"\r\n", b"\n"), text.replace(b"\r\n", b"\n"))
            need(got["data"].endswith(text), "octets changed: %r" % body[:30])
            need(got["rcpts"] == [peers.TO] and got["tls"], "wrong envelope: %r" % got["rcpts"])


def large_letter(w):
    w.appliance()
    mark, text = letter("ann@stranger.example", body=(b"0123456789" * 7 + b"\r\n") * 40000)
    with w.fake() as f:
        expect(forward(text), 250)
        need(f.wait(mark)["data"].endswith(text), "octets changed")


def whole_session_in_one_write(w):
    w.appliance()
    mark, text = letter("ann@stranger.example")
    with Client() as c:
        c.hello()
        c.raw(b"MAIL FROM:<ann@stranger.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % HELLO.encode())
        for code in (250, 250, 354):
            expect(c.reply(), code)
        c.raw(stuffed(text) + b"NOOP\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n")
        for code in (250, 250, 250, 250, 221):
            expect(c.reply(), code)
    w.standin.wait(mark)


def helo_and_tags_and_postmaster(w):
    """HELO without extensions; user+tag; postmaster without a domain; equal routes merge into one letter."""
    w.appliance()
    mark, text = letter("ann@stranger.example")
    with w.fake() as f, Client() as c:
        expect(c.cmd("HELO old.example"), 250)
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
        for rcpt in ("hello+tag@" + peers.HOME.upper(), "postmaster", "also@" + peers.HOME, "Abuse@" + peers.HOME):
            expect(c.cmd("RCPT TO:<%s>" % rcpt), 250)
        expect(c.cmd("DATA"), 354)
        c.raw(stuffed(text))
        expect(c.reply(), 250)
        need(f.wait(mark)["rcpts"] == [peers.TO], "not one recipient")
        need(len(f.letters) == 1, "not one letter")


def refusals(w):
    """Unknown recipient, relaying in every disguise, a second destination."""
    w.appliance()
    with Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
        expect(c.cmd("RCPT TO:<nobody.here@%s>" % peers.HOME), 550, "5.1.1")
        for rcpt in ("x@elsewhere.example", peers.TO, "hello@sub." + peers.HOME, "hello@%s.evil.example" % peers.HOME):
            expect(c.cmd("RCPT TO:<%s>" % rcpt), 550, "5.7.1")
        for rcpt in ('"x@elsewhere.example"@' + peers.HOME, "x%elsewhere.example@" + peers.HOME,
                     "elsewhere.example!x@" + peers.HOME):
            expect(c.cmd("RCPT TO:<%s>" % rcpt), 550, "5.1.1")
    with Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
        expect(c.cmd("RCPT TO:<@elsewhere.example:x@elsewhere.example>"), 550, "5.7.1")
        expect(c.cmd("RCPT TO:<%s>" % HELLO), 250)
        expect(c.cmd("RCPT TO:<other@%s>" % peers.HOME), 452, "4.5.3")


def no_auth_on_25(w):
    w.appliance()
    with Client() as c:
        need("AUTH" not in c.hello()[1], "AUTH is offered in clear text")
        expect(c.starttls(), 220)
        need("AUTH" not in c.hello()[1], "AUTH is offered under TLS")
        expect(c.cmd("AUTH PLAIN AGEAYg=="), (500, 502, 503))
        for verb in ("VRFY hello", "EXPN hello", "BDAT 5 LAST", "TURN", "XCLIENT NAME=x", "ETRN x"):
            expect(c.cmd(verb), (500, 502))
            c.hello()


def bounce_finds_its_way_back(w):
    """The stand-in bounces to the rewritten sender: the author's exchanger gets it, sent by <>."""
    w.appliance()
    mark, text = letter("ann@stranger.example")
    expect(forward(text), 250)
    got = w.standin.wait(mark).decode()
    srs = sender_of(got)
    mark, text = letter("mailer-daemon@" + peers.GMAIL, to=srs)
    expect(forward(text, sender="", rcpt=srs, source=world.MX), 250)
    got = w.standin.wait(mark, box="stranger").decode()
    need(field(got, "Return-Path") == "<>", "the sender is not <>")
    need(field(got, "X-Original-To") == "ann@stranger.example", "it went to " + field(got, "X-Original-To"))
    suffix(got.encode(), text.replace(b"\r\n", b"\n"))


def forged_srs_is_refused(w):
    w.appliance()
    mark, text = letter("ann@stranger.example")
    expect(forward(text), 250)
    good = sender_of(w.standin.wait(mark).decode())
    local = good.split("@")[0].split("=")
    flip = "A" if local[1][0] != "A" else "B"
    forged = ["=".join(x) + "@" + peers.HOME for x in (
        [local[0], flip + local[1][1:]] + local[2:], local[:4] + ["bob"], local[:3] + ["victim.example"] + local[4:],
        local[:2] + ["AA"] + local[3:], [local[0], local[1][:4]] + local[2:], [local[0], ""] + local[2:])]
    for rcpt in forged:
        with Client() as c:
            c.hello()
            expect(c.cmd("MAIL FROM:<>"), 250)
            expect(c.cmd("RCPT TO:<%s>" % rcpt), (550, 501))
    with Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<spam@stranger.example>"), 250)
        expect(c.cmd("RCPT TO:<%s>" % good), 550)


def malformed_letters_are_refused(w):
    """RULES S4, S6, F12: by name and for ever; nothing of them reaches the destination, and nothing dies."""
    box = w.appliance()
    good = letter("ann@stranger.example")[1]
    ann = b"From: Ann <ann@stranger.example>\r\n"
    many = b"X-A: b\r\n" * int(world.config.get("SMTPD_MAX_FIELDS", "5000"))
    bad = ((b"", "5.6.0 From:"), (ann + ann, "5.6.0 From:"), (b"From: \r\n", "5.6.0 From:"), (b"From: <>\r\n", "5.6.0"),
           (b"From: ann@stranger.example <ann@stranger.example\r\n", "5.6.0"), (b"From: " + b"(" * 30000 + b"\r\n", "5.6.0"),
           (b"From: ann@stranger.example, bob@stranger.example\r\n", "5.6.0"),
           (b"From: ann@stranger.example, bob@other.example\r\n", "5.6.0"), (b"From ann@stranger.example\r\n" + ann, "5.6.0"), (ann + b"Subject: again\r\n", "5.6.0 Subject: "),
           (ann + b"X-B: \xc3\xa4\r\n", "5.6.7 X-B: "), (ann + b"X-B: " + b"x" * 33000 + b"\r\n", "5.3.4 X-B: "),
           (ann + many, "5.3.4"))
    pids = box.pids()
    with w.fake() as f:
        for fields, text in bad:
            expect(forward(good.replace(ann, fields)), (550, 552), text)
        expect(forward(good), 250)
        need(len(f.letters) == 1, "one of them was sent on")
    need(box.pids() == pids, "a process died")


def smtputf8_is_not_converted(w):
    """A letter that needs SMTPUTF8, and a next hop that does not offer it (RULES F12)."""
    w.appliance()
    text = letter("ann@stranger.example", subject="sch\xf6n")[1]
    with w.fake() as f, Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<ann@stranger.example> SMTPUTF8 BODY=8BITMIME"), 250)
        expect(c.cmd("RCPT TO:<%s>" % HELLO), 250)
        expect(c.cmd("DATA"), 354)
        c.raw(stuffed(text))
        expect(c.reply(), 550, "5.6.7")
        need(not f.letters, "it was sent on")


def loops_stop(w):
    w.appliance()
    _, text = letter("ann@stranger.example", extra=b"Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n" * 50)
    expect(forward(text), 554, "5.4.6")
    mark, text = letter("ann@stranger.example")
    with w.fake() as f:
        expect(forward(text), 250)
        got = f.wait(mark)["data"]
        expect(forward(got), 554, "5.4.6")


CASES = [arrives_signed_and_unchanged, body_is_byte_exact, large_letter, whole_session_in_one_write,
         helo_and_tags_and_postmaster, refusals, no_auth_on_25, bounce_finds_its_way_back, forged_srs_is_refused,
         malformed_letters_are_refused, smtputf8_is_not_converted, loops_stop]
