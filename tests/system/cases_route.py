# SPDX-License-Identifier: ISC
"""The pinned route when the destination, its certificate or the name server misbehaves: 451, never clear text."""
import peers
import world
from mail import forward, letter, submit
from stage import expect, need

CLEAR_WORDS = {"EHLO", "HELO", "STARTTLS", "QUIT"}


def only_polite_words(f):
    words = {x.split(" ")[0].upper() for x in f.clear}
    need(words <= CLEAR_WORDS, "said in clear text: %r" % (words - CLEAR_WORDS))
    need(not f.letters, "a letter was delivered")


def broken_tls(w):
    """Wrong name, unknown authority, out of date, no STARTTLS, STARTTLS refused."""
    w.appliance()
    for broken in ({"cert": "name"}, {"cert": "stray"}, {"cert": "old"}, {"starttls": None},
                   {"starttls": "454 4.7.0 not now"}, {"starttls": "502 5.5.1 never"}):
        _, text = letter("ann@stranger.example")
        with w.fake(**broken) as f:
            got = forward(text)
            need(got[0] == 451, "%r: %d %s" % (broken, *got))
            need(f.sessions, "%r: nobody came" % broken)
            only_polite_words(f)


def accounts_do_not_fall_back_either(w):
    """Submission to the pinned route: accepted, kept, and nothing is said in clear text."""
    w.appliance()
    with w.fake(starttls=None) as f:
        _, text = letter("app@" + peers.HOME)
        expect(submit(text, w.account, rcpt=peers.TO), 250)
        world.until("an attempt", 15, lambda: f.sessions)
        world.until("its end", 15, lambda: "QUIT" in f.clear or len(f.clear) >= 1)
        only_polite_words(f)


def injected_answers_are_discarded(w):
    """Octets behind the reply to STARTTLS, in the clear, are not taken for answers of the protected session."""
    w.appliance()
    _, text = letter("ann@stranger.example")
    with w.fake(injected=b"250-fake\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 done\r\n") as f:
        got = forward(text)
        need(got[0] == 451 or f.letters, "250 was said without a delivery")


def exchanger_down(w):
    w.appliance()
    w.names.route("192.0.2.99")
    try:
        _, text = letter("ann@stranger.example")
        expect(forward(text), 451)
    finally:
        w.names.route("192.0.2.25")


def foreign_exchanger_is_not_taken(w):
    """The MX record names a host outside the pinned list: no connection, 451."""
    w.appliance()
    w.names.drop(peers.ROUTE)
    w.names.add("%s MX 1 mx.other.example." % peers.ROUTE)
    try:
        with w.fake() as f:
            _, text = letter("ann@stranger.example")
            expect(forward(text), 451)
            need(not f.sessions, "it was contacted")
    finally:
        w.names.drop(peers.ROUTE)
        w.names.add("%s MX 5 %s." % (peers.ROUTE, peers.GMAIL))
        w.names.add("%s MX 10 alt1.%s." % (peers.ROUTE, peers.GMAIL))


def name_server_silent(w):
    w.appliance()
    w.names.silent()
    try:
        _, text = letter("ann@stranger.example")
        expect(forward(text, timeout=60), 451)
    finally:
        w.names.speak()
    mark, text = letter("ann@stranger.example")
    expect(forward(text), 250)
    w.standin.wait(mark)


VERDICTS = (
    ({"RCPT": "452 4.2.2 the mailbox is full"}, 451, "4.2.2"),
    ({"RCPT": "550-5.1.1 no such user\r\n550 5.1.1 go away"}, 550, "5.1.1"),
    ({"MAIL": "421 4.7.0 try later"}, 451, "4.7.0"),
    ({"DATA": "554 5.7.1 no"}, 554, "5.7.1"),
    ({".": "421-4.3.0 a system\r\n421 4.3.0 problem"}, 451, "4.3.0"),
    ({".": "550-5.7.26 This mail has been blocked\r\n550 5.7.26 because"}, 550, "5.7.26"),
    ({".": "552 5.2.2 over quota"}, 552, "5.2.2"),
    ({".": "4nonsense"}, 451, ""),
    ({".": "250 2.0.0 OK"}, 250, "2.0.0"),
    ({".": "999 what"}, 451, ""),
    ({"EHLO": "550 5.7.1 not you"}, (451, 550), ""),
)


def verdicts_pass_through(w):
    w.appliance()
    for replies, code, text in VERDICTS:
        mark, octets = letter("ann@stranger.example")
        with w.fake(replies=replies) as f:
            got = forward(octets)
            codes = code if isinstance(code, tuple) else (code,)
            need(got[0] in codes and text in got[1] and "\n" not in got[1], "%r: %d %s" % (replies, *got))
            need(bool(f.letters) == (got[0] == 250), "%r: delivered is not what was answered" % replies)
    with w.fake(banner="554 5.7.1 no service"):
        expect(forward(letter("ann@stranger.example")[1]), (451, 554))


def cut_connections(w):
    w.appliance()
    for verb in ("EHLO", "MAIL", "RCPT", "DATA", "."):
        with w.fake(drop_at=verb) as f:
            expect(forward(letter("ann@stranger.example")[1]), 451)
            need(not f.letters, "delivered at a cut at " + verb)


CASES = [broken_tls, accounts_do_not_fall_back_either, injected_answers_are_discarded, exchanger_down,
         foreign_exchanger_is_not_taken, name_server_silent, verdicts_pass_through, cut_connections]
