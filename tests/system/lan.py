# SPDX-License-Identifier: ISC
"""What a network gives a machine: an address by DHCP, the time by SNTP."""
import socket
import struct
import threading
import time

import world

COOKIE = bytes((99, 130, 83, 99))
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


class Dhcp:
    """For one machine: it always gets the appliance's address, our name server, our route, and `ntp` for the time."""

    def __init__(self, lease=3600, ntp=world.DNS):
        self.ntp = ntp
        self.lease, self.seen = lease, []     # message types that clients sent
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"br0")
        self.sock.bind(("", 67))
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def options(data):
        out, at = {}, 240
        while at + 1 < len(data) and data[at] != 255:
            if data[at] == 0:
                at += 1
                continue
            out[data[at]] = data[at + 2:at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
        return out

    def serve(self):
        while True:
            data, _ = self.sock.recvfrom(2048)
            if len(data) < 240 or data[0] != 1 or data[236:240] != COOKIE:
                continue
            kind = self.options(data).get(53, b"\0")[0]
            self.seen.append(kind)
            if kind in (DISCOVER, REQUEST):
                self.sock.sendto(self.answer(data, OFFER if kind == DISCOVER else ACK), ("255.255.255.255", 68))

    def answer(self, data, kind):
        ip = socket.inet_aton
        head = b"\x02" + data[1:4] + data[4:8] + data[8:12] + b"\0" * 4 + ip(world.APPLIANCE) + ip(world.DNS)
        head += data[24:28] + data[28:44] + b"\0" * 192 + COOKIE
        options = {53: bytes((kind,)), 54: ip(world.DNS), 51: struct.pack(">I", self.lease), 1: ip("255.255.255.0"),
                   3: ip(world.DNS), 6: ip(world.DNS), 42: ip(self.ntp)}
        return head + b"".join(bytes((k, len(v))) + v for k, v in options.items()) + b"\xff"


class Ntp:
    """Tells the host's time to whoever asks."""

    def __init__(self, address=world.DNS):
        self.asked, self.silent = 0, False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 123))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, peer = self.sock.recvfrom(512)
            if self.silent or len(data) < 48 or data[0] & 7 != 3:
                continue
            self.asked += 1
            now = time.time() + 2208988800     # RFC 5905: seconds since 1900
            stamp = struct.pack(">II", int(now), int(now % 1 * 2**32))
            head = bytes((0o44, 2, 6, 0xec)) + b"\0\0\1\0" * 2 + socket.inet_aton(world.DNS)
            self.sock.sendto(head + stamp + data[40:48] + stamp + stamp, peer)
