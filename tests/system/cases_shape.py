# SPDX-License-Identifier: ISC
"""How fast letters go to Gmail, and what is done when it says that it was too fast (RULES F9, Q5, S11 to S13)."""
import contextlib

import machine
import peers
import world
from cases_policy import over_tls
from mail import Client, forward, letter
from stage import expect, need

HELLO = "hello@" + peers.HOME
RATE = "421-4.7.28 Gmail has detected an unusual rate\r\n421 4.7.28 of email"
REPUTED = "550-5.7.1 This message is likely suspicious due to the very low reputation of\r\n550 5.7.1 the sending IP address"


def data():
    return machine.Box.store("shape")


@contextlib.contextmanager
def fresh(w, **fake):
    """An appliance that has sent nothing yet, and whose queue has nothing left; nobody else is to find it stopped."""
    with w.other(w.keys, data()) as box, w.fake(**fake) as f:
        yield box, f


def said(box, what):
    return [x for x in box.lines if what in x]


def send(c, code, text=""):
    return expect(c.send("ann@stranger.example", HELLO, letter("ann@stranger.example")[1]), code, text)


def refused_at_rcpt(w):
    with Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
        expect(c.cmd("RCPT TO:<%s>" % HELLO), 451, "4.4.5")


def a_burst_waits(w):
    """More letters than a burst: the last ones wait their turn while the sender holds the line, and all arrive."""
    with fresh(w) as (box, f):
        with Client() as c:
            c.hello()
            most = int(world.config.get("FORWARD_BURST", "30"))
            for _ in range(most):
                send(c, 250)
            need(not said(box, "waited="), "one within the burst waited")
            for _ in range(4):
                send(c, 250)
        need(len(f.letters) == most + 4, "%d arrived" % len(f.letters))
        box.wait(r"out\.mx: ev=deliver .* code=250 .*waited=\d+", 5)


def beyond_the_budget(w):
    """A wait that would be too long is 451 at once, and the destination hears nothing of it."""
    with over_tls(w, data()) as (box, _), w.fake() as f, Client() as c:
        c.hello()
        for _ in range(2):
            send(c, 250)
        before = f.sessions
        send(c, 451, "4.4.5")
        need(f.sessions == before and len(f.letters) == 2, "it was sent on")
        box.wait(r"out\.mx: ev=deliver .*code=451 .*too many letters wait", 5)


def told_to_stop(w):
    """4.7.28: no further connection, whichever process dies in between, and RCPT says so."""
    with fresh(w, replies={".": [RATE]}) as (box, f):
        expect(forward(letter("ann@stranger.example")[1]), 451, "4.7.28")
        box.wait(r"out\.mx: ev=paused domain=%s .*remedy=\"Email sender guidelines\"" % peers.ROUTE, 5)
        refused_at_rcpt(w)
        old = box.kill("out.mx")
        world.until("a new out.mx", 10, lambda: box.pids().get("out.mx", old) != old)
        refused_at_rcpt(w)
        # Without the one that refuses at RCPT the letter goes further, and not to the destination either.
        old = box.kill("check.mx")
        world.until("a new check.mx", 10, lambda: box.pids().get("check.mx", old) != old)
        got = world.until("an answer of its own", 20, lambda: (
            lambda x: x if "4.4.5" in x[1] else None)(forward(letter("ann@stranger.example")[1])))
        need(got[0] == 451, "%d %s" % got)
        refused_at_rcpt(w)
        need(f.sessions <= 2 and not f.letters, "%d connections" % f.sessions)    # one may be the self-check's


def verdicts(w):
    """Too fast and full: 451; what is final goes to the sender as it is; nothing of that stops the route."""
    replies = (("450 4.2.1 receiving email too quickly", 451, "4.2.1"), ("452 4.2.2 out of storage space", 451, "4.2.2"),
            ("421 5.7.32 not aligned", 451, ""), ("550 5.2.1 at a rate that prevents", 550, "5.2.1"),
            ("552 5.2.2 full and inactive", 552, "5.2.2"), ("550 5.7.26 unauthenticated", 550, "5.7.26"))
    with fresh(w) as (box, f):
        for reply, code, text in replies:
            f.replies = {"RCPT": reply}
            expect(forward(letter("ann@stranger.example")[1], rcpt="other@" + peers.HOME), code, text)
        f.replies = {}
        expect(forward(letter("ann@stranger.example")[1]), 250)
        need(not said(box, "ev=paused") and not said(box, "ev=alarm"), "the route was paused")


def refused_for_reputation(w):
    """Passed on unchanged each time; after several in a row the route is paused, and the console says what to do."""
    with fresh(w, replies={".": REPUTED}) as (box, f):
        for _ in range(int(world.config.get("FORWARD_REFUSALS", "5"))):
            need(not said(box, "ev=alarm"), "an alarm too early")
            expect(forward(letter("ann@stranger.example")[1]), 550, "5.7.1")
        box.wait(r"out\.mx: ev=alarm domain=%s .*remedy=\"Why has Gmail blocked my messages\?\"" % peers.ROUTE, 5)
        before = f.sessions
        refused_at_rcpt(w)
        need(f.sessions == before, "another connection")


CASES = [a_burst_waits, beyond_the_budget, told_to_stop, verdicts, refused_for_reputation]
