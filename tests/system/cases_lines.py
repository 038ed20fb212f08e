# SPDX-License-Identifier: ISC
"""Octets that try to become commands: smuggling, injection, broken lines, endless errors."""
import threading

import peers
import world
from mail import Client, forward, letter
from stage import expect, need

HELLO = ("hello@" + peers.HOME).encode()

# An end of data that is none. Each stands behind a complete line; only CRLF.CRLF may end the letter.
BEFORE = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\r\0\n")
BEHIND = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n")
FALSE_ENDS = [a + b"." + z for a in BEFORE for z in BEHIND if b"\r\n.\r\n" not in a + b"." + z]


def smuggling(w):
    """Every false end is refused at the true end, nothing behind it is read as a command, nothing is delivered."""
    w.appliance()
    with w.fake() as f:
        for end in FALSE_ENDS:
            mark, text = letter("ann@stranger.example")
            inner = b"MAIL FROM:<evil@stranger.example>\r\nRCPT TO:<" + HELLO + b">\r\nDATA\r\n" + text
            with Client() as c:
                c.hello()
                c.cmd("MAIL FROM:<ann@stranger.example>")
                c.cmd("RCPT TO:<" + HELLO.decode() + ">")
                expect(c.cmd("DATA"), 354)
                c.raw(text + b"last line" + end + inner.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                got = c.reply()
                need(got[0] in (550, 554), "%r: %d %s" % (end, *got))
                got = c.cmd("NOOP")
                need(got[0] == 250, "%r: after it %d %s" % (end, *got))
        need(not f.letters, "something was delivered: %r" % [x["data"][-60:] for x in f.letters])


def bad_octets(w):
    """NUL, bare CR, bare LF anywhere in a letter."""
    w.appliance()
    with w.fake() as f:
        for bad in (b"a\0b", b"a\rb", b"a\nb", b"\n", b"\r", b"\0", b"x\n.y", b"\r\r\n"):
            for where in (0, 1):
                parts = letter("ann@stranger.example")[1].split(b"\r\n\r\n", 1)
                parts[where] += b"\r\nX: " + bad + (b"" if where == 0 else b"\r\n")
                got = forward(b"\r\n\r\n".join(parts))
                need(got[0] in (550, 554), "%r: %d %s" % (bad, *got))
        need(not f.letters, "something was delivered")


def starttls_injection(w):
    """What came in clear text behind STARTTLS is not executed under TLS."""
    w.appliance()
    for port in (25, 587):
        with Client(port) as c:
            c.hello()
            c.raw(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@stranger.example>\r\nRSET\r\n")
            expect(c.reply(), 220)
            try:
                c.wrap()
            except OSError:
                continue       # the handshake met the injected octets: refused, too
            got = c.cmd("NOOP")
            need(got[0] in (250, 530), "the first reply under TLS is %d %s" % got)
            got = c.cmd("RCPT TO:<x@y.example>")
            need(got[0] in (503, 530), "RCPT under TLS: %d %s" % got)


def starttls_rules(w):
    w.appliance()
    with Client() as c:
        need("STARTTLS" in c.hello()[1], "STARTTLS is not offered")
        expect(c.cmd("STARTTLS now"), 501)
        expect(c.starttls(), 220)
        need("STARTTLS" not in c.hello()[1], "STARTTLS is offered under TLS")
        expect(c.cmd("STARTTLS"), 503)


def grammar(w):
    w.appliance()
    with Client() as c:
        need(" ESMTP" in c.banner[1] and c.banner[1].startswith(peers.APPLIANCE), "banner: " + c.banner[1])
        text = c.hello()[1]
        for word in ("PIPELINING", "SIZE ", "8BITMIME", "ENHANCEDSTATUSCODES"):
            need(word in text, "not offered: " + word)
        for word in ("CHUNKING", "BINARYMIME", "VRFY", "XCLIENT"):
            need(word not in text, "offered: " + word)
        expect(c.cmd("RCPT TO:<x@y.example>"), 503)
        expect(c.cmd("DATA"), 503)
        expect(c.cmd("MAIL FROM:ann@stranger.example"), 501)
        expect(c.cmd("MAIL FROM:<ann@stranger.example> SIZE=99999999999"), (501, 552))
        expect(c.cmd("MAIL FROM:<ann@stranger.example> FOO=1"), 555)
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
        expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 503)
        expect(c.cmd("RSET"), 250)
        expect(c.cmd("NONSENSE"), 500)


def long_lines_and_many_errors(w):
    w.appliance()
    with Client() as c:
        c.hello()
        got = c.cmd("NOOP " + "x" * 100000)
        need(got[0] in (500, 421, 0), "%d %s" % got)
    with Client() as c:
        c.hello()
        codes = []
        while len(codes) < 200 and (not codes or codes[-1] not in (421, 0)):
            codes.append(c.cmd("NONSENSE")[0])
        need(421 in codes and len(codes) < 60, "errors have no end: %r" % codes[-3:])
    expect(forward(letter("ann@stranger.example")[1]), 250)


def too_many_clients(w):
    """One more than a client may have gets 421; when they are gone there is room again."""
    w.appliance()
    most = int(world.config.get("SMTPD_CLIENT_SESSIONS", "28"))
    crowd = [Client(banner=False) for _ in range(most)]
    need([c.reply()[0] for c in crowd] == [220] * most, "not all %d got in" % most)
    with Client() as late:
        expect(late.banner, 421, "4.7.0")
    for c in crowd:
        c.close()
    world.until("room", 10, lambda: forward(letter("ann@stranger.example")[1])[0] == 250)


def memory_is_one_budget(w):
    """Letters in flight may not take more than half of LETTER_MEMORY in this lane; afterwards there is room again."""
    w.appliance()
    size = int(world.config.get("SMTPD_MAX_SIZE", "4194304"))
    half = int(world.config.get("LETTER_MEMORY", "8388608")) // 2
    text = letter("ann@stranger.example", body=(b"y" * 70 + b"\r\n") * (size * 8 // 10 // 72))[1]
    with Client() as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<a@stranger.example> SIZE=%d" % (size + 1)), 552, "5.3.4")
    with w.fake() as f:
        f.hold.clear()
        first = []
        crowd = [threading.Thread(target=lambda: first.append(forward(text, timeout=60))) for _ in range(half // len(text))]
        for t in crowd:
            t.start()
        world.until("the letters at the destination", 30, lambda: f.held >= len(crowd))
        expect(forward(text), 452, "4.3.1")
        f.hold.set()
        for t in crowd:
            t.join(60)
        need([x[0] for x in first] == [250] * len(crowd), "the first ones: %r" % first)
        expect(forward(text), 250)
    with Client() as c:    # more than was announced, without SIZE=
        c.hello()
        expect(c.send("ann@stranger.example", HELLO.decode(), text + text[-size // 2:], size=False), 552)
        expect(c.cmd("NOOP"), 250)


CASES = [too_many_clients, memory_is_one_budget, smuggling, bad_octets, starttls_injection, starttls_rules, grammar, long_lines_and_many_errors]
