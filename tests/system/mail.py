# SPDX-License-Identifier: ISC
"""Letters and the clients that send them."""
import base64
import itertools
import os
import re
import socket
import ssl
import time

import world

counter = itertools.count(1)
sent = {}   # mark -> the octets of each letter with this mark that was sent, for cases_passage.py
MARK = re.compile(rb"^Message-ID: <(m\d+\.\d+\.[0-9a-f]{8})@", re.M | re.I)


def letter(sender, to="hello@example.org", subject="a letter", body=None, extra=b""):
    """(mark, octets): a well-formed letter with a Message-ID that no other letter of this run has."""
    mark = "m%d.%d.%s" % (next(counter), os.getpid(), os.urandom(4).hex())
    if body is None:
        body = b"Hello,\r\n\r\n..two dots and a tab\there  \r\n.\ttabbed dot\r\nlong " + b"x" * 900 + b"\r\n-- \r\nann\r\n"
    head = ("From: Ann <%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n" % (
        sender, to, subject, time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()), mark,
        sender.split("@")[1])).encode()
    return mark, head + extra + b"\r\n" + body


def stuffed(text):
    """As DATA sends it: dots doubled, ended by the dot."""
    mark = MARK.search(text)
    if mark:
        sent.setdefault(mark.group(1), set()).add(text)
    out = text.replace(b"\r\n.", b"\r\n..")
    return (b"." if out.startswith(b".") else b"") + out + b".\r\n"


class Client:
    """An SMTP client that shows every reply and can send any octets at all."""

    def __init__(self, port=25, tls=False, address=None, timeout=30, source=world.CLIENT, banner=True):
        self.sock = socket.create_connection((address or world.APPLIANCE, port), timeout, (source, 0))
        self.buf = b""
        if tls:
            self.wrap()
        self.banner = self.reply() if banner else None

    def wrap(self, **more):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        for k, v in more.items():
            setattr(ctx, k, v)
        self.buf = b""
        self.sock = ctx.wrap_socket(self.sock, server_hostname="mail.example.org")

    def reply(self):
        """(code, text) of one whole reply; (0, '') when the connection ended."""
        lines = []
        while True:
            while b"\r\n" not in self.buf:
                try:
                    data = self.sock.recv(65536)
                except (ConnectionError, ssl.SSLError):
                    data = b""
                if not data:
                    return 0, ""
                self.buf += data
            line, self.buf = self.buf.split(b"\r\n", 1)
            lines.append(line.decode("latin-1"))
            if lines[-1][3:4] != "-":
                return int(lines[-1][:3]), "\n".join(x[4:] for x in lines)

    def raw(self, octets):
        try:
            self.sock.sendall(octets)
        except (ConnectionError, ssl.SSLError):
            pass

    def cmd(self, line):
        self.raw(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def hello(self):
        return self.cmd("EHLO client.stranger.example")

    def starttls(self):
        got = self.cmd("STARTTLS")
        if got[0] == 220:
            self.wrap()
        return got

    def login(self, user, password):
        blob = base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()
        return self.cmd("AUTH PLAIN " + blob)

    def send(self, sender, rcpts, text, size=True):
        """One transaction; the first reply that says no, or the final one. `text` is CRLF octets."""
        got = self.cmd("MAIL FROM:<%s>%s" % (sender, " SIZE=%d" % len(text) if size else ""))
        for rcpt in [rcpts] if isinstance(rcpts, str) else rcpts:
            got = self.cmd("RCPT TO:<%s>" % rcpt) if got[0] == 250 else got
        got = self.cmd("DATA") if got[0] == 250 else got
        if got[0] == 354:
            self.raw(stuffed(text))
            got = self.reply()
        return got

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def forward(text, sender="ann@stranger.example", rcpt="hello@example.org", tls=False, **more):
    """One letter to port 25: the final reply."""
    with Client(**more) as c:
        c.hello()
        if tls:
            c.starttls()
            c.hello()
        return c.send(sender, rcpt, text)


def submit(text, account, sender="app@example.org", rcpt="someone@gmail.com", port=465, **more):
    """One letter through the submission lane: the final reply."""
    with Client(port, tls=port == 465, **more) as c:
        c.hello()
        if port == 587:
            c.starttls()
            c.hello()
        got = c.login(*account)
        return c.send(sender, rcpt, text) if got[0] == 235 else got
