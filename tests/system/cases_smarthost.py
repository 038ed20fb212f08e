# SPDX-License-Identifier: ISC
"""Letters by way of a provider's server: Postfix with SASL on port 587; and the warning that a letter is late."""
import contextlib
import os
import re

import fake
import machine
import peers
import variant
import world
from mail import Client, letter, stuffed, submit
from stage import expect, need

APP = "hello@" + peers.HOME     # has a mailbox: reports arrive
HOST = "relay.example"
USER = "customer"
DOOR = """%s:587 inet n - n - - smtpd
 -o smtpd_sasl_auth_enable=yes
 -o smtpd_tls_auth_only=yes
 -o smtpd_tls_chain_files=/srv/ca/relay.key,/srv/ca/relay.pem
 -o smtpd_recipient_restrictions=check_recipient_access,regexp:/srv/postfix/late,permit_sasl_authenticated,reject
""" % world.MX2
SASL = """pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: /srv/postfix/sasl/db
mech_list: PLAIN
"""


def make(w):
    """The door for customers, once: certificate, password, service."""
    if hasattr(w, "customer"):
        return
    w.customer = os.urandom(12).hex()
    for name, ca, host in (("relay", "ca", HOST), ("relay-stray", "unknown", HOST), ("relay-name", "ca", "x.example")):
        peers.make_cert(ca, name, [host])
    peers.put("srv/postfix/sasl/smtpd.conf", SASL)
    peers.put("srv/postfix/late", "/^late.@/ 450 4.2.1 come again\n")
    made = world.inside("saslpasswd2", "-p", "-c", "-u", peers.GMAIL, "-f", "/srv/postfix/sasl/db", USER,
                        input=w.customer.encode())
    need(made.returncode == 0, made.stdout.decode())
    os.chown(peers.path("srv/postfix/sasl/db"), 101, 102)
    with open(peers.path("srv/postfix/main.cf"), "a", encoding="ascii") as f:
        f.write("cyrus_sasl_config_path = /srv/postfix/sasl\nsmtpd_sasl_local_domain = $myhostname\n")
    with open(peers.path("srv/postfix/master.cf"), "a", encoding="ascii") as f:
        f.write(DOOR)
    w.standin.stop()
    w.standin.start()
    world.until("the customers' door", 20, lambda: world.connects(world.MX2, 587))


@contextlib.contextmanager
def customer(w, password=None, address=world.MX2):
    """An appliance whose submitted letters go to HOST, which is at this address; with a journal of its own."""
    need(os.path.exists(variant.rootfs("smarthost")), "the variant was not built")
    make(w)
    w.names.drop(HOST)
    w.names.add("%s A %s" % (HOST, address))
    w.end()
    words = ("\0%s\0%s" % (USER, password or w.customer)).encode()
    box = machine.Box({**w.files, machine.SMARTHOST: words}, w.keys, machine.Box.store("smart%d" % machine.Box.count),
                      rootfs=variant.rootfs("smarthost"))
    with box:
        w.publish(box)
        name = "%s-ed25519._domainkey.%s" % (peers.SELECTOR, peers.HOME)
        line = box.wait(r"holder\.dkim: ev=publish name=%s " % re.escape(name))
        peers.publish(w.names, name, line.split('value="', 1)[1].rstrip('"'))
        yield box


def heard(mark):
    with open(peers.path("srv/postfix/mail.log"), encoding="utf-8", errors="replace") as f:
        return [x for x in f if mark in x]


def logs_in(w):
    """A letter for anybody goes to the provider, over TLS, logged in; Postfix tells as whom."""
    with customer(w) as box:
        mark, text = letter(APP)
        expect(submit(text, w.account, sender=APP, rcpt="ann@stranger.example"), 250)
        line = box.wait(r"out\.sub: ev=deliver to=stranger\.example ", 30)
        need("policy=smarthost " in line and "mx=%s " % HOST in line and "code=250" in line, line)
        got = w.standin.wait(mark, "stranger")
        need(b"using TLSv1.2" in got, "not over TLS")
        need(heard("sasl_method=PLAIN, sasl_username=%s" % USER), "not logged in")
        need(len(re.findall(rb"^DKIM-Signature: ", got, re.M)) == 2 and b"a=ed25519-sha256;" in got and
             b"a=rsa-sha256;" in got, "not two signatures")
        verdict = peers.judge(got)["dkimpy"]    # it knows both
        need(verdict.split() == ["pass", peers.HOME, peers.HOME], "dkimpy says: " + verdict)
        need(not [x for x in box.lines if w.customer in x], "the password is in the log")


def wrong_password(w):
    """The letter waits, the log says why, and nothing was said of it."""
    with customer(w, "wrong") as box:
        mark, text = letter(APP)
        expect(submit(text, w.account, sender=APP, rcpt="ann@stranger.example"), 250)
        box.wait(r"out\.sub: ev=smarthost effect=.*refuses our log-in", 30)
        line = box.wait(r"queue: ev=deferred .*to=ann@stranger\.example", 10)
        need("code=451" in line and "refuses our log-in" in line and "authentication failed" in line, line)
        need(not [x for x in w.standin.letters("stranger") if mark.encode() in x], "delivered")


def unproven(w):
    """A server that cannot prove to be the provider hears no password and no letter."""
    with customer(w, address=world.FAKE) as box:
        for cert in ("relay-stray", "relay-name"):
            f = fake.Fake(port=587)
            f.cert = cert
            try:
                at = box.mark()
                expect(submit(letter(APP)[1], w.account, sender=APP, rcpt="ann@stranger.example"), 250)
                line = box.wait(r"out\.sub: ev=deliver to=stranger\.example ", 30, after=at)
                need("code=451" in line and "enhanced=4.7.5" in line, line)
                words = {x.split(" ")[0] for x in f.clear}
                need(f.sessions and words <= {"EHLO", "STARTTLS", "QUIT"} and not f.letters, "it heard %r" % words)
            finally:
                f.close()


def send(w, rcpt, words):
    mark, text = letter(APP)
    with Client(465, tls=True) as c:
        c.hello()
        expect(c.login(*w.account), 235)
        expect(c.cmd("MAIL FROM:<%s>" % APP), 250)
        expect(c.cmd("RCPT TO:<%s>%s" % (rcpt, words)), 250)
        expect(c.cmd("DATA"), 354)
        c.raw(stuffed(text))
        expect(c.reply(), 250)
    return mark


def late(w):
    """A letter that is put off for longer than SMTPD_QUEUE_WARN is told of once, where NOTIFY does not say otherwise."""
    def told(mark):
        return [x for x in w.standin.letters() if b"Action: delayed" in x and mark.encode() in x]
    with customer(w) as box:
        quiet = [send(w, "late%d@stranger.example" % i, " NOTIFY=" + x) for i, x in enumerate(("NEVER", "FAILURE"))]
        asked = send(w, "late2@stranger.example", " NOTIFY=DELAY")
        mark = send(w, "late3@stranger.example", "")
        for x, rcpt in ((asked, b"late2"), (mark, b"late3")):
            got = world.until("a warning", 60, lambda: told(x))[0]
            for field in (b"Final-Recipient: rfc822; %s@stranger.example" % rcpt, b"Status: 4.2.1", b"Will-Retry-Until: ",
                          b"Diagnostic-Code: x-tinpost; host relay.example said: ", b"come again", b"Auto-Submitted: auto-replied"):
                need(field in got, "%r is not in %r" % (field, got))
            for judge, verdict in peers.judge(got).items():
                need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
        for i in (0, 1, 2, 3, 3):      # tried on, and nothing more is said
            box.wait(r"queue: ev=deferred .*to=late%d@stranger\.example" % i, 30, after=box.mark())
        for x, n in ((quiet[0], 0), (quiet[1], 0), (asked, 1), (mark, 1)):
            need(len(told(x)) == n, "told %d times, not %d" % (len(told(x)), n))


CASES = [logs_in, wrong_password, unproven, late]
