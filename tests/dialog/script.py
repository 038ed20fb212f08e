# SPDX-License-Identifier: ISC
"""Runs one dialog script; README.md tells its words."""
import hashlib
import re
import socket
import ssl
import struct
import time

TIMEOUT = 20


class Failed(Exception):
    pass


class Busy(Failed):
    """TLS did not come about: the one thing that depends on the speed of this machine."""


def unescape(text):
    return re.sub(rb"\\(x..|.)", lambda m: {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}.get(
        m.group(1)) or bytes.fromhex(m.group(1)[1:].decode()), text.encode())


class Client:
    def __init__(self, port, implicit, source="127.0.0.1"):
        self.s = socket.create_connection(("127.0.0.1", port), TIMEOUT, (source, 0))
        self.buf, self.reply = b"", b""
        if implicit:
            self.secure()

    def secure(self, before=None):
        """before: a client whose session is to be resumed."""
        ctx = self.ctx = before.ctx if before else ssl.create_default_context()
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        try:
            self.s = ctx.wrap_socket(self.s, session=before.s.session if before else None)
        except (ssl.SSLError, ConnectionError) as e:
            raise Busy("TLS: %s" % e)

    def send(self, data):
        try:
            self.s.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass  # what the far side says before it closes is what counts

    def line(self):
        while b"\r\n" not in self.buf:
            try:
                got = self.s.recv(4096)
            except (ConnectionError, ssl.SSLError):
                got = b""
            except socket.timeout:
                raise Failed("no reply in time")
            if not got:
                raise EOFError
            self.buf += got
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def read_reply(self):
        self.reply = b""
        while True:
            line = self.line()
            self.reply += line + b"\n"
            if line[3:4] != b"-":
                return line

    def expect(self, start):
        try:
            line = self.read_reply()
        except EOFError:
            raise Failed("closed instead of %s" % start)
        if not line.startswith(start.encode()):
            raise Failed("%r instead of %s" % (line, start))

    def silent(self, seconds):
        self.s.settimeout(seconds)
        try:
            got = self.buf or self.s.recv(1)
            raise Failed("%r instead of silence" % got)
        except socket.timeout:
            pass
        finally:
            self.s.settimeout(TIMEOUT)

    def eof(self):
        try:
            raise Failed("%r instead of the end" % self.line())
        except EOFError:
            pass


class Script:
    def __init__(self, text, stage_for):
        self.lines = text.split("\n")
        self.stage_for, self.stage, self.clients, self.c = stage_for, None, {}, None
        self.said = ""  # printed with the name of a script that passed

    def run(self):
        for n, line in enumerate(self.lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            try:
                self.act(word, rest)
            except Failed as e:
                raise type(e)("line %d: %s: %s" % (n, line, e))

    def close(self):
        for c in self.clients.values():
            c.s.close()
        if self.stage:
            self.stage.end()

    def act(self, word, rest):
        words = {">": lambda: self.c.send(unescape(rest) + b"\r\n"), ">>": lambda: self.c.send(unescape(rest)),
                 "<": lambda: self.c.expect(rest), "eof": lambda: self.c.eof()}
        if word in words:
            words[word]()
        else:
            getattr(self, "do_" + word)(*rest.split(" ") if rest else [])

    def need(self, ok, why):
        if not ok:
            raise Failed(why)

    def do_lane(self, lane, *options):
        self.stage = self.stage_for(lane, "nocert" not in options)
        port = {"mx": 25, "sub": 587}[lane]
        self.need(self.stage.wait_log("ev=listening port=%d " % port), "not listening: %s" % self.stage.log)

    def do_connect(self, port, name="A", source="127.0.0.1"):
        self.c = self.clients[name] = Client(self.stage.port[int(port)], port == "465", source)

    def do_use(self, name):
        self.c = self.clients[name]

    def do_starttls(self, before=None):
        self.c.secure(self.clients[before] if before else None)

    def do_resumed(self, how):
        self.need(self.c.s.session_reused == (how == "yes"), "session_reused is %s" % self.c.s.session_reused)

    def do_refused(self):
        """The client's handshake must fail."""
        try:
            self.c.secure()
        except Busy:
            return
        raise Failed("TLS came about")

    def do_has(self, *words):
        text = " ".join(words)
        self.need(text.encode() in self.c.reply, "reply is %r" % self.c.reply)

    def do_lacks(self, *words):
        text = " ".join(words)
        self.need(text.encode() not in self.c.reply, "reply is %r" % self.c.reply)

    def do_repeat(self, n, *words):
        self.c.send((unescape(" ".join(words)) + b"\r\n") * int(n))

    def do_fill(self, n, octet="x"):
        self.c.send(octet.encode() * int(n))

    def do_replies(self, n, *words):
        for _ in range(int(n)):
            self.c.expect(" ".join(words))

    def do_silent(self):
        self.c.silent(0.3)

    def do_close(self):
        self.c.s.close()

    def do_reset(self):
        self.c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.c.s.close()

    def do_unheard(self, *numbers):
        self.wait(lambda: self.stage.unheard == [int(x) for x in numbers], "unheard are %r" % self.stage.unheard)

    def do_half(self):
        self.c.s.shutdown(socket.SHUT_WR)

    def do_answer(self, what, code, enhanced, *words):
        flags, route = (2, 1) if what == "rcpt" else (0, 0)
        words = list(words)
        if words and words[-1].startswith("route="):
            route = int(words.pop()[6:])
        if words and words[-1] == "crashed":
            flags = words.pop() and 1
        e = tuple(int(x) for x in enhanced.split("."))
        self.stage.answers[what] = (int(code), e, " ".join(words), flags, route)

    def do_auth(self, how):
        self.stage.auth = how

    def do_offer(self, what):
        """What auth answers from its next wiring on."""
        self.stage.offer = int(what)

    def do_network(self, how):
        self.stage.network = how

    def do_hold(self, how="work"):
        self.stage.hold = how

    def do_inside(self, n):
        self.wait(lambda: len(self.stage.letters) == int(n), "%d letters" % len(self.stage.letters))

    def do_release(self):
        self.stage.hold = False
        self.stage.release()

    def do_cut(self, name):
        self.stage.cut(name)

    def do_wire(self, name):
        self.stage.held = []
        self.stage.wire(name)

    def wait(self, ok, why):
        until = time.time() + TIMEOUT
        while not ok():
            self.need(time.time() < until, why)
            time.sleep(0.01)

    def do_letters(self, n):
        self.need(len(self.stage.letters) == int(n), "%d letters" % len(self.stage.letters))

    def do_text(self, *words):
        want, got = unescape(" ".join(words)), self.stage.letters[-1].text
        self.need(want == got, "text is %r" % got)
        digest = hashlib.sha256(got).digest() if self.stage.lane == "mx" else bytes(32)
        self.need(self.stage.letters[-1].sha256 == digest, "the text's SHA-256 is wrong")

    def do_textsize(self, n):
        self.need(len(self.stage.letters[-1].text) == int(n), "%d octets" % len(self.stage.letters[-1].text))

    def do_head(self, tag, *words):
        got = self.stage.letters[-1].head.get(tag)
        want = None if words == ("absent",) else " ".join(words).encode()
        self.need(got == want or (want and want.endswith(b"*") and got and got.startswith(want[:-1])),
                  "%s is %r" % (tag, got))

    def do_rcpts(self, *want):
        got = b" ".join(self.stage.letters[-1].rcpts).decode()
        self.need(got == " ".join(want), "recipients are %s" % got)

    def do_asked(self, sender, rcpt, grant=""):
        want = tuple(x.encode() for x in (sender.strip("<>"), rcpt, grant))
        self.need(self.stage.asked[-1] == want, "asked %r" % (self.stage.asked[-1],))

    def do_login(self, user, password):
        self.need(self.stage.logins[-1] == (user.encode(), password.encode()), "%r" % self.stage.logins)

    def do_log(self, how, *words):
        text = " ".join(words)
        if how == "has":
            self.need(self.stage.wait_log(re.escape(text)), "log is %s" % self.stage.log.decode())
        else:
            self.need(text.encode() not in self.stage.log, "log is %s" % self.stage.log.decode())

    def do_crowd(self, n, source="127.0.0.1"):
        first = int(source.split(".")[3])
        self.crowd = [Client(self.stage.port[25], False, "127.0.0.%d" % (first + i // 8)) for i in range(int(n))]
        for c in self.crowd:
            c.expect("220")

    def do_same(self, n, source):
        self.crowd = [Client(self.stage.port[25], False, source) for _ in range(int(n))]
        for c in self.crowd:
            c.expect("220")

    def do_wrong(self, n, source, *words):
        """Clients at source say one error each and leave, until one is told so instead of a greeting: not before n."""
        for i in range(2 * int(n)):
            c = Client(self.stage.port[25], False, source)
            got = c.read_reply().decode()
            if not got.startswith("220"):
                break
            c.send(b"FROB\r\n")
            c.expect("500")
            c.s.close()
        self.need(i >= int(n) and got.startswith(" ".join(words)), "after %d: %s" % (i, got))

    def do_disperse(self):
        for c in self.crowd:
            c.s.close()

    def do_memory(self, n, limit):
        """So many more idle TLS connections raise the process's memory (PSS) by at most KiB each, also where others were
        before them."""
        def pss():
            text = open("/proc/%d/smaps_rollup" % self.stage.process.pid).read()
            return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))

        def idle():
            c = Client(self.stage.port[25], False)
            self.crowd.append(c)
            for say, want in ((b"EHLO a", "220"), (b"STARTTLS", "250 "), (b"", "220")):
                c.expect(want)
                c.send(say + b"\r\n" if say else b"")
            c.secure()
            c.send(b"EHLO a\r\n")
            c.expect("250 ")

        self.crowd = []
        for _ in range(2):  # the first ones touch what all share
            idle()
        first, before = self.crowd, pss()
        each, gone = [], self.stage.log.count(b"ev=disconnect")
        for _ in range(2):
            self.crowd = []
            for _ in range(int(n)):
                idle()
            each.append((pss() - before) / int(n))
            self.do_disperse()
            gone += int(n)
            self.wait(lambda: self.stage.log.count(b"ev=disconnect") >= gone, "the connections do not end")
        self.crowd = first
        self.said = "%.1f KiB for an idle TLS connection, %.1f in a used slot" % tuple(each)
        self.need(max(each) <= float(limit), self.said)

    def do_certificate(self):
        self.stage.certificate = True

    def do_stop(self):
        self.stage.stop()
        self.need(self.stage.wait_log("ev=stopping"), "no sign of stopping")

    def do_exit(self, code):
        self.wait(lambda: self.stage.process.poll() is not None, "still runs")
        self.need(self.stage.process.returncode == int(code), "exit %d" % self.stage.process.returncode)

    def do_alive(self):
        self.need(self.stage.process.poll() is None, "exit %s" % self.stage.process.returncode)
