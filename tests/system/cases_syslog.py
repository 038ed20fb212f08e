# SPDX-License-Identifier: ISC
"""The log at a syslog server: rsyslog takes it apart, and what it found is compared with the console."""
import contextlib
import os
import re
import signal
import socket
import ssl
import threading

import machine
import peers
import variant
import world
from mail import Client, forward, letter
from stage import expect, need

CONF = """module(load="imudp")
module(load="imtcp")
template(name="row" type="string" string="%protocol-version% %pri% %timereported:::date-rfc3339% %hostname% %app-name% %procid% %msgid% %structured-data% %msg:::drop-last-lf%\\n")
input(type="imudp" address="{0}" port="514")
input(type="imtcp" address="{0}" port="601")
*.* action(type="omfile" file="/srv/syslog/rows" template="row" asyncWriting="off" flushOnTXEnd="on")
"""
NAMES = r"(init|log|dns|holder\.\w+|keygen|auth|net|clock|out\.\w+|queue(?:\.mx)?|check\.\w+|front\.\w+|fetch|admin|selfcheck|health)"
ROW = re.compile(r"1 (\d+) 2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:\+00:00|Z) (\S+) " + NAMES + r" - (\S+) - (?: ?)(.*)")
LISTENING = r"ev=listening port=25"


class Rsyslog:
    def __init__(self):
        os.makedirs(peers.path("srv/syslog"), exist_ok=True)
        peers.put("srv/syslog/conf", CONF.format(world.FAKE))
        with open(peers.path("srv/syslog/rows"), "wb"):
            pass
        self.process = world.start("rsyslogd", "-n", "-i", "NONE", "-f", "/srv/syslog/conf", log="srv/syslog/log")
        world.until("rsyslog", 10, lambda: world.connects(world.FAKE, 601))

    @staticmethod
    def rows():
        with open(peers.path("srv/syslog/rows"), "rb") as f:
            return f.read().decode("ascii").split("\n")[:-1]

    def wait(self, name, pattern, deadline=60):
        def probe():
            return [x for x in map(ROW.fullmatch, self.rows()) if x and x[3] == name and re.search(pattern, x[5])]
        return world.until("%s: %s at the syslog server" % (name, pattern), deadline, probe)

    def close(self):
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def server():
    s = Rsyslog()
    try:
        yield s
    finally:
        s.close()


@contextlib.contextmanager
def box(w, name):
    w.end()
    b = machine.Box(w.files, machine.Box.store("keys-" + name), machine.Box.store(name), rootfs=variant.rootfs(name))
    try:
        yield b.start().ready()
    finally:
        b.cut()


def compare(s, b, host=peers.APPLIANCE):
    """Each line of the console since the first one there is one row, in the same order for each process; all rows are good."""
    rows = [ROW.fullmatch(x) for x in s.rows()]
    need(None not in rows, "rsyslog read %r" % [x for x in s.rows() if not ROW.fullmatch(x)][:3])
    need({x[2] for x in rows} == {host}, "hosts: %r" % {x[2] for x in rows})
    got, said = {}, {}
    for x in rows:
        need(x[4] == (re.match(r"ev=(\S+)", x[5]) or ["", "-"])[1][:32], "MSGID of %r" % x[0])
        need(16 <= int(x[1]) < 24, "PRI of %r" % x[0])
        got.setdefault(x[3], []).append(x[5])
    for x in b.lines:
        name, _, text = x.partition(": ")
        if re.fullmatch(NAMES, name):
            said.setdefault(name, []).append(text)
    need({"init", "front.mx", "front.sub", "queue"} <= set(got), "only these wrote: %r" % sorted(got))
    for name, lines in got.items():
        n = len(lines)
        all_lines = said.get(name, [])
        places = [i for i in range(len(all_lines) - n + 1) if all_lines[i:i + n] == lines]
        need(places, "%s: %r is not in order on the console: %r" % (name, lines[:4], all_lines[:6]))
        need(name == "init" or places[0] == 0, "%s: not from the first line on" % name)


def something(s):
    """Of a client, with octets that are not text, and what looks like a message."""
    c = Client()
    c.raw(b"\xff\x00<9>1 - forged\r\n")
    c.reply()
    c.close()
    expect(forward(letter("ann@stranger.example")[1]), (250, 451))
    s.wait("front.mx", r"ev=disconnect")


def udp(w):
    with server() as s, box(w, "health") as b:
        s.wait("front.mx", LISTENING)
        something(s)
        s.wait("health", "ev=health state=ok")
        compare(s, b)


def tcp(w):
    """The server comes late, hangs and goes: letters pass all the time, and no line is lost."""
    with box(w, "gate") as b:
        b.wait(r"log: ev=syslog state=down why=", 30)
        with server() as s:
            s.wait("front.mx", LISTENING)
            s.wait("log", "ev=syslog state=down")
            s.wait("init", "ready")
            something(s)
            s.process.send_signal(signal.SIGSTOP)
            for _ in range(5):
                expect(forward(letter("ann@stranger.example")[1]), (250, 451))
            s.process.send_signal(signal.SIGCONT)
            b.kill("dns")
            s.wait("init", "ev=died proc=dns signal=9")
            compare(s, b)
            mark = b.mark()
        expect(forward(letter("ann@stranger.example")[1]), (250, 451))
        b.wait(r"log: ev=syslog state=down", 30, mark)


class Door(threading.Thread):
    """TLS before the server's port for TCP, by OpenSSL."""

    def __init__(self, cert):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(peers.path("srv/ca/%s.pem" % cert), peers.path("srv/ca/%s.key" % cert))
        self.listener = socket.create_server((world.FAKE, 6514))
        self.passed = self.refused = 0
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            with self.context.wrap_socket(conn, server_side=True) as t, socket.create_connection((world.FAKE, 601)) as to:
                while True:
                    data = t.recv(65536)
                    if not data:
                        return
                    self.passed += len(data)
                    to.sendall(data)
        except OSError:
            self.refused += 1

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def tls(w):
    """A server with another name, or of an unknown authority, gets nothing; the right one all from the first line on."""
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    peers.make_cert("ca", "log", ["log.example"], ec)
    peers.make_cert("unknown", "log-stray", ["log.example"], ec)
    with server() as s:
        door = Door("name")
        with box(w, "spool") as b:
            b.wait(r"log: ev=syslog state=down why=\"certificate is for another name\"", 60)
            need(not door.passed, "another got %d octets" % door.passed)
            door.close()
            door = Door("log-stray")
            world.until("a try there", 60, lambda: door.refused)
            need(not door.passed and not s.rows(), "a stranger got %d octets" % door.passed)
            door.close()
            door = Door("log")
            b.wait(r"log: ev=syslog state=up", 90)
            s.wait("front.mx", LISTENING)
            something(s)
            compare(s, b, "second.example.org")
        door.close()


CASES = [udp, tcp, tls]
