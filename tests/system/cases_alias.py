# SPDX-License-Identifier: ISC
"""Aliases with several destinations, one of them at another provider, and aliases that refuse."""
import peers
import world
from mail import Client, forward, letter, stuffed
from stage import expect, need

BOTH = "both@" + peers.HOME
NOT_NOW, NEVER = "451 4.2.1 not now", "550 5.1.1 no such user"


def strangers_copies(w, mark):
    return len([x for x in w.standin.letters("stranger") if mark.encode() in x])


def both_arrive(w):
    """Each destination gets the same octets, and does not see the other."""
    w.appliance()
    mark, text = letter("ann@stranger.example")
    with w.fake() as f:
        expect(forward(text, rcpt=BOTH), 250)
        got = f.wait(mark)["data"], w.standin.wait(mark, box="stranger").replace(b"\n", b"\r\n")
    for one, mine, other in zip(got, (peers.TO, "ann@stranger.example"), ("ann@stranger.example", peers.TO)):
        head = one[:len(one) - len(text)]
        need(one.endswith(text), "octets changed")
        need(b"X-Forwarded-To: %s\r\n" % mine.encode() in head, "not forwarded to " + mine)
        need(b"To: %s\r\n" % other.encode() not in head, "%s can see %s" % (mine, other))


def some_never_take_it(w):
    """One refuses for good: 250, and postmaster is told once, by a letter that passes as this host's."""
    w.appliance()
    mark, text = letter("ann@stranger.example")
    with w.fake(replies={"RCPT": [NEVER]}) as f:
        expect(forward(text, rcpt=BOTH), 250)
        w.standin.wait(mark, box="stranger")
        got = f.wait("refused by some")
        need(got["sender"] == "" and got["rcpts"] == [peers.TO], "to %r from %r" % (got["rcpts"], got["sender"]))
        need(("%s: 550 5.1.1 " % peers.TO).encode() in got["data"], "it does not say who refused")
        need(len(f.letters) == 1, "not one letter")


def comes_again(w):
    """One puts it off: the next try reaches that one alone."""
    w.appliance()
    mark, text = letter("ann@stranger.example")
    with w.fake(replies={".": [NOT_NOW]}) as f:
        expect(forward(text, rcpt=BOTH), 451, "4.2.1")
        w.standin.wait(mark, box="stranger")
        expect(forward(text, rcpt=BOTH), 250)
        f.wait(mark)
        need(len(f.letters) == 1, "not one letter")
    need(strangers_copies(w, mark) == 1, "it was delivered twice")


def client_left(w):
    """The client goes while the letter is held; the letter is not delivered again, after a restart of all neither."""
    box = w.appliance()
    mark, text = letter("ann@stranger.example")
    with w.fake() as f:
        f.hold.clear()
        with Client() as c:
            c.hello()
            expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
            expect(c.cmd("RCPT TO:<hello@%s>" % peers.HOME), 250)
            expect(c.cmd("DATA"), 354)
            c.raw(stuffed(text))
            world.until("the letter", 15, lambda: f.held)
        f.hold.set()
        f.wait(mark)
        box.wait(r"ev=letter id=\d+ from=ann@stranger.example .* code=250")
        expect(forward(text), 250)
        box.stop()
        w.end()
        w.appliance()
        expect(forward(text), 250)
        need(len(f.letters) == 1, "it was delivered %d times" % len(f.letters))


def closed(w):
    w.appliance()
    with Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
        expect(c.cmd("RCPT TO:<closed@%s>" % peers.HOME), 550, "5.1.6 Has moved to example.net")
        expect(c.cmd("RCPT TO:<postmaster@%s>" % peers.HOME), 250)


CASES = [both_arrive, some_never_take_it, comes_again, client_left, closed]
