# SPDX-License-Identifier: ISC
"""Port 25: the sender holds the line while the destination decides (RULES P1 to P8), and the log tells how it went."""
import re

import peers
import world
from mail import Client, forward, letter, stuffed
from stage import expect, need

HELLO = "hello@" + peers.HOME


def told(box, mark, at):
    """The one line about the letter, as key and value."""
    line = box.wait(r"check\.mx: ev=letter ", 5, after=at)
    need(sum(" ev=letter " in x and "check.mx" in x for x in box.lines[at:]) == 1, "more than one line about " + mark)
    return {k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}


def one_line_explains(w):
    """Verdicts, the route's TLS policy, what the destination said, and how long it took, whatever the end is."""
    box = w.appliance()
    with w.fake() as f:
        for said, code, enhanced in (("250 2.0.0 OK 1795 a1-2b.42 - gsmtp", "250", "2.0.0"),
                                     ("550-5.7.26 Unauthenticated email is\r\n550 5.7.26 not accepted", "550", "5.7.26"),
                                     ("421 4.7.0 Try again later", "451", "4.7.0")):
            f.replies = {".": said}
            at = box.mark()
            mark, text = letter("ann@stranger.example")
            expect(forward(w.stranger.sign(text)), int(code))
            got = told(box, mark, at)
            want = {"code": code, "enhanced": enhanced, "to": peers.TO, "client": world.CLIENT, "spf": "pass",
                    "dkim": "pass", "signer": peers.STRANGER, "dmarc": "none", "from": peers.STRANGER, "tls": "pinned"}
            for k, v in want.items():
                need(got.get(k) == v, "%s is %s, not %s: %r" % (k, got.get(k), v, got))
            need(got["mx"].endswith(peers.GMAIL), "the host is " + got["mx"])
            need(said.split()[-1] in got["reply"], "the reply is not there: " + got["reply"])
            need(int(got["judged"]) + int(got["out"]) <= int(got["ms"]) + 1, "the times do not add up: %r" % got)
    at = box.mark()
    mark, text = letter("ann@stranger.example")
    expect(forward(text, sender="ann@no-such-domain.example"), 550)
    got = told(box, mark, at)
    need(got["code"] == "550" and got["spf"] == "none" and "mx" not in got, "not sent on: %r" % got)


def who_leaves_cancels_nothing(w):
    """The client goes away after its dot: the destination gets the letter, once, and is not cut off."""
    box = w.appliance()
    mark, text = letter("ann@stranger.example")
    with w.fake() as f:
        f.hold.clear()
        with Client() as c:
            c.hello()
            expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
            expect(c.cmd("RCPT TO:<%s>" % HELLO), 250)
            expect(c.cmd("DATA"), 354)
            at = box.mark()
            c.raw(stuffed(text))
            world.until("the letter at the destination", 15, lambda: f.held)
        f.hold.set()
        f.wait(mark)
        need(told(box, mark, at)["code"] == "250", "the delivery did not end well")
        need(len(f.letters) == 1, "%d letters" % len(f.letters))


CASES = [one_line_explains, who_leaves_cancels_nothing]
