# SPDX-License-Identifier: ISC
"""A destination that behaves as told: for verdicts, broken TLS, silence and letters held at the final dot."""
import socket
import ssl
import threading
import time

import world
from mail import MARK


arrived = []    # the octets of every letter that any of them took


class Fake:
    """Listens on `port` of `address`. What it answers are attributes; what came is in `letters`
    (dicts: sender, rcpts, data as sent with dots removed, tls) and `clear` (commands before TLS)."""

    def __init__(self, address=world.FAKE, port=25):
        self.banner = "220 gmail-smtp-in.l.google.com ESMTP fake"
        self.cert = "good-ec"
        self.starttls = "220 2.0.0 ready"   # None: not offered
        self.injected = b""                 # sent in the clear right behind the reply to STARTTLS
        self.replies = {}                   # verb (MAIL RCPT DATA . EHLO) -> reply, or a list used up one by one
        self.hold = threading.Event()       # cleared: the final reply waits
        self.hold.set()
        self.drop_at = None                 # verb at which the connection is cut without a word
        self.letters, self.clear, self.sessions, self.held = [], [], 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server((address, port), backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self.session, args=(conn,), daemon=True).start()

    def session(self, conn):
        try:
            conn.settimeout(60)
            Session(self, conn).run()
        except (OSError, EOFError, ssl.SSLError):
            pass
        finally:
            conn.close()

    def reply(self, verb, usual):
        with self.lock:
            said = self.replies.get(verb, usual)
            if isinstance(said, list):
                said = said.pop(0) if said else usual
        return said

    def wait(self, mark, deadline=15):
        mark = mark.encode()
        return world.until("letter %s at the fake" % mark.decode(), deadline,
                           lambda: [x for x in list(self.letters) if mark in x["data"]])[0]


    def missing(self, marks):
        """Those of the marks that came with no letter."""
        return set(marks) - {m.decode() for x in list(self.letters) for m in MARK.findall(x["data"])}


class Session:
    def __init__(self, fake, conn):
        self.fake, self.conn, self.buf, self.tls = fake, conn, b"", False
        self.sender, self.rcpts = None, []

    def line(self):
        while b"\n" not in self.buf:
            data = self.conn.recv(65536)
            if not data:
                raise EOFError
            self.buf += data
        line, self.buf = self.buf.split(b"\n", 1)
        return line.rstrip(b"\r")

    def say(self, text):
        self.conn.sendall(text.encode() + b"\r\n")

    def run(self):
        self.say(self.fake.banner)
        while True:
            line = self.line().decode("latin-1")
            if not self.tls:
                self.fake.clear.append(line)
            verb = line.split(" ")[0].upper()
            if verb == self.fake.drop_at:
                return
            if verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            self.command(verb, line)

    def command(self, verb, line):
        fake = self.fake
        if verb in ("EHLO", "HELO"):
            words = ["fake", "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"]
            words += ["STARTTLS"] if fake.starttls and not self.tls else []
            usual = "\r\n".join("250%s%s" % (" " if w == words[-1] else "-", w) for w in words)
            self.say(fake.reply("EHLO", usual))
        elif verb == "STARTTLS" and fake.starttls:
            self.conn.sendall(fake.starttls.encode() + b"\r\n" + fake.injected)
            if fake.starttls[0] == "2":
                self.upgrade()
        elif verb == "MAIL":
            said = fake.reply("MAIL", "250 2.1.0 ok")
            self.sender, self.rcpts = line[line.index("<") + 1:line.index(">")] if said[0] == "2" else None, []
            self.say(said)
        elif verb == "RCPT":
            said = "503 5.5.1 no sender" if self.sender is None else fake.reply("RCPT", "250 2.1.5 ok")
            if said[0] == "2":
                self.rcpts.append(line[line.index("<") + 1:line.index(">")])
            self.say(said)
        elif verb == "DATA":
            if not self.rcpts:
                self.say("503 5.5.1 no recipients")
                return
            said = fake.reply("DATA", "354 go on")
            self.say(said)
            if said[0] == "3":
                self.data()
        elif verb == "RSET":
            self.say("250 2.0.0 ok")
        else:
            self.say("502 5.5.1 what?")

    def upgrade(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        base = world.root + "/srv/ca/" + self.fake.cert
        ctx.load_cert_chain(base + ".pem", base + ".key")
        self.buf = b""
        self.conn = ctx.wrap_socket(self.conn, server_side=True)
        self.tls = True

    def data(self):
        out = b""
        while not (out.startswith(b".\r\n") or b"\r\n.\r\n" in out):
            if self.buf:
                out, self.buf = out + self.buf, b""
                continue
            got = self.conn.recv(65536)
            if not got:
                raise EOFError
            out += got
        end = 0 if out.startswith(b".\r\n") else out.index(b"\r\n.\r\n") + 2
        self.buf = out[end + 3:]
        text = out[:end].replace(b"\r\n..", b"\r\n.")
        with self.fake.lock:
            self.fake.held += 1
        self.fake.hold.wait(60)
        said = self.fake.reply(".", "250 2.0.0 OK fake 1795367087 - gsmtp")
        if self.fake.drop_at == ".":
            raise EOFError
        if said[0] == "2":
            arrived.append(text)
            self.fake.letters.append({"sender": self.sender, "rcpts": self.rcpts, "data": text,
                                      "tls": self.tls, "at": time.time()})
        self.say(said)
