# SPDX-License-Identifier: ISC
"""Port 25: letters of strangers are judged by SPF, DKIM and DMARC; what goes on is as it came."""
import contextlib
import os
import re

import machine
import peers
import variant
import world
from cases_forward import sender_of, suffix
from mail import forward, letter
from stage import expect, need

ANN = "ann@" + peers.STRANGER
EVE = "eve@other.example"
MARK = b"Authentication-Results: %s; dmarc=pass\r\n"


@contextlib.contextmanager
def record(w, name, text):
    w.names.add("%s %s" % (name, text))
    try:
        yield
    finally:
        w.names.drop(name)


def dmarc(w, policy):
    """What the owner of stranger.example asks for."""
    return record(w, "_dmarc." + peers.STRANGER, 'TXT "v=DMARC1; p=%s"' % policy)


def judged(box, *words, at=0):
    """The line about one letter."""
    line = box.wait(r"check\.mx: ev=letter ", 5, after=at)
    for word in words:
        need(" %s " % word in line + " ", "not %s: %s" % (word, line))


def arrives(w, text, **more):
    """The destination gets what was sent; the header before it."""
    mark = re.search(rb"Message-ID: <(.*)@", text)[1].decode()
    expect(forward(text, **more), 250)
    return suffix(w.standin.wait(mark), text.replace(b"\r\n", b"\n"))


def forged_is_refused(w):
    """p=reject: neither an aligned sender nor a signature; with either of them the letter arrives."""
    box = w.appliance()
    with dmarc(w, "reject"):
        at = box.mark()
        expect(forward(letter(ANN)[1], sender=EVE), 550, "5.7.1 Neither SPF nor DKIM vouches for stranger.example")
        judged(box, "spf=none", "dkim=none", "dmarc=fail", "from=stranger.example", "policy=reject", at=at)
        at = box.mark()
        expect(forward(letter(ANN)[1], source=world.MX2), 550, "5.7.1")     # SPF: another machine's letter
        judged(box, "spf=fail", "dmarc=fail", at=at)
        text = w.stranger.sign(letter(ANN)[1])
        at = box.mark()
        expect(forward(text.replace(b"Subject: ", b"Subject: Re: ", 1), sender=EVE), 550, "5.7.1")
        judged(box, "dkim=fail", "dmarc=fail", at=at)
        at = box.mark()
        arrives(w, text, sender=EVE)
        judged(box, "spf=none", "dkim=pass", "signer=stranger.example", "dmarc=pass", at=at)
        at = box.mark()
        arrives(w, letter(ANN)[1])
        judged(box, "spf=pass", "dkim=none", "dmarc=pass", at=at)
        large = letter(ANN, body=(b"0123456789" * 7 + b"\r\n") * 40000)[1]
        arrives(w, w.stranger.sign(large, ("relaxed", "relaxed")), sender=EVE)


def others_are_noted(w):
    """p=none, p=quarantine, no record, SPF's fail alone: forwarded, and the log says what it was."""
    box = w.appliance()
    for policy in ("none", "quarantine"):
        with dmarc(w, policy):
            at = box.mark()
            arrives(w, letter(ANN)[1], sender=EVE)
            judged(box, "dmarc=fail", "policy=" + policy, at=at)
    at = box.mark()
    arrives(w, letter(ANN)[1], source=world.MX2)
    judged(box, "spf=fail", "dmarc=none", at=at)


def senders_that_take_no_mail(w):
    w.appliance()
    expect(forward(letter(ANN)[1], sender="ann@no-such-domain.example"), 550, "5.7.27")
    with record(w, "null.example", "MX 0 ."):
        expect(forward(letter(ANN)[1], sender="ann@null.example"), 550, "5.7.27")
    with record(w, "hostless.example", 'TXT "exists, and has neither exchanger nor address"'):
        expect(forward(letter(ANN)[1], sender="ann@hostless.example"), 550, "5.7.27")
    with record(w, "hostless.example", "A 192.0.2.27"):
        arrives(w, letter(ANN)[1], sender="ann@hostless.example")


def our_own_domain(w):
    """Nobody else's machine writes as one of us; with p=reject not in From: either."""
    w.appliance()
    me = "boss@" + peers.HOME
    expect(forward(letter(me)[1], sender=me), 550, "5.7.23")
    with record(w, "_dmarc." + peers.HOME, 'TXT "v=DMARC1; p=reject"'):
        expect(forward(letter(me)[1]), 550, "5.7.1")


def returns_are_not_refused(w):
    """A bounce to a verified return address, from a host without SPF, whose domain asks for rejection."""
    box = w.appliance()
    mark, text = letter(ANN)
    expect(forward(text), 250)
    srs = sender_of(w.standin.wait(mark).decode())
    mark, text = letter("mailer-daemon@" + peers.ROUTE, to=srs)
    with record(w, "_dmarc." + peers.ROUTE, 'TXT "v=DMARC1; p=reject"'):
        at = box.mark()
        expect(forward(text, sender="", rcpt=srs, source=world.MX), 250)
        judged(box, "dmarc=fail", "policy=reject", at=at)
        w.standin.wait(mark, box="stranger")
        expect(forward(text, sender="", source=world.MX), 550, "5.7.1")    # to an alias it is a letter like others


def names_are_silent(w):
    """For now, and never for ever; a dns that is killed in between changes nothing."""
    box = w.appliance()
    w.names.silent()
    try:
        expect(forward(letter(ANN)[1], timeout=60), 451, "4.4.3")
    finally:
        w.names.speak()
    old = box.kill("dns")
    world.until("a new dns", 10, lambda: box.pids().get("dns", old) != old)
    with dmarc(w, "reject"):
        expect(forward(letter(ANN)[1], sender=EVE), 550, "5.7.1")
        arrives(w, letter(ANN)[1])


def results_are_told(w):
    """Built with FORWARD_AUTHRES and FORWARD_DNSBL: the field stands before the letter, and nobody else writes it."""
    need(os.path.exists(variant.rootfs("smarthost")), "the variant was not built")
    w.end()
    with machine.Box(w.files, w.keys, machine.Box.store("authres"), rootfs=variant.rootfs("smarthost")) as box:
        mark, text = letter(ANN)
        text = w.stranger.sign(text)
        expect(forward(text), 250)
        got, sent = w.standin.wait(mark), text.replace(b"\r\n", b"\n")
        need(got.endswith(sent), "octets changed")
        need(got[:-len(sent)].decode().endswith(
            "Authentication-Results: %s;\n\tspf=pass smtp.mailfrom=stranger.example;\n"
            "\tspf=none smtp.helo=client.stranger.example;\n\tdkim=pass header.d=stranger.example header.s=s1;\n"
            "\tdmarc=none header.from=stranger.example\n" % peers.APPLIANCE), "the field is not there: %r" % got[:900])
        for judge, verdict in peers.judge(got).items():
            need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
        expect(forward(letter(ANN, extra=MARK % peers.APPLIANCE.upper().encode())[1]), 550, "5.7.1")
        expect(forward(letter(ANN, extra=MARK % b"mx.elsewhere.example")[1]), 250)
        with record(w, "77.2.0.192.list.example", "A 127.0.0.2"):
            expect(forward(letter(ANN)[1]), 550, "5.7.1 The client is listed by list.example")
        expect(forward(letter(ANN)[1]), 250)


CASES = [forged_is_refused, others_are_noted, senders_that_take_no_mail, our_own_domain, returns_are_not_refused,
         names_are_silent, results_are_told]
