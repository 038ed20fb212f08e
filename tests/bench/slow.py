# SPDX-License-Identifier: ISC
"""Clients that keep a server waiting: an octet every few seconds, again from the start when they are turned out."""
import itertools
import socket
import ssl
import threading
import time

import mail
import world

ADDRESSES = 10         # that they come from
PACE = 2.5             # s between two octets


def in_clear(_account, source):
    """Says commands in clear text."""
    return mail.Client(587, source=source), itertools.cycle(b"NOOP\r\n")


def in_tls(_account, source):
    """Says commands through TLS."""
    return mail.Client(465, tls=True, source=source), itertools.cycle(b"NOOP\r\n")


def in_data(account, source):
    """Logged in; sends the text of a letter."""
    c = mail.Client(465, tls=True, source=source)
    c.hello()
    c.login(*account)
    for line in ("MAIL FROM:<app@example.org>", "RCPT TO:<r1999999@sink.example>", "DATA"):
        got = c.cmd(line)
    if got[0] != 354:
        raise OSError("no 354")
    return c, itertools.cycle(b"Subject: slow\r\n")


KINDS = (in_data, in_clear, in_data, in_tls)


class Crowd:
    """`least` and `most` of them were connected at a time, once all had been; `connections` they made."""

    def __init__(self, count, account):
        self.account, self.over = account, threading.Event()
        self.here = [False] * count
        self.connections, self.least, self.most = 0, count, 0
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(count)]
        self.threads.append(threading.Thread(target=self.watch, daemon=True))
        self.addresses = ["192.0.2.%d" % (101 + i) for i in range(ADDRESSES)]

    def start(self):
        for address in self.addresses:
            world.sh("ip", "addr", "add", address + "/24", "dev", "br0")
        for t in self.threads:
            t.start()
        world.until("the crowd", 60, lambda: all(self.here))

    def watch(self):
        while not all(self.here):
            time.sleep(0.1)
        while not self.over.wait(0.2):
            n = sum(self.here)
            self.least, self.most = min(self.least, n), max(self.most, n)

    def client(self, i):
        while not self.over.is_set():
            try:
                c, octets = KINDS[i % len(KINDS)](self.account, self.addresses[i % ADDRESSES])
            except (OSError, ValueError):
                time.sleep(PACE)
                continue
            self.connections += 1
            self.here[i] = True
            self.dribble(c, octets)
            self.here[i] = False
            c.close()

    def dribble(self, c, octets):
        """Until it is turned out."""
        c.sock.settimeout(PACE)
        while not self.over.is_set():
            try:
                c.sock.sendall(bytes((next(octets),)))
                if not c.sock.recv(4096):
                    return
            except (socket.timeout, ssl.SSLWantReadError):
                continue
            except OSError:
                return

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join(10)
