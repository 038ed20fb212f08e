# SPDX-License-Identifier: ISC
"""A DHCP server for one machine: it always gets the appliance's address, our name server and our route."""
import socket
import struct
import threading

import world

COOKIE = bytes((99, 130, 83, 99))
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


class Dhcp:
    def __init__(self, lease=3600):
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
                   3: ip(world.DNS), 6: ip(world.DNS)}
        return head + b"".join(bytes((k, len(v))) + v for k, v in options.items()) + b"\xff"
