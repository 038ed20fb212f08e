# SPDX-License-Identifier: ISC
"""Addresses, routes, name servers and time from networks that others serve: dnsmasq for DHCP and router advertisements."""
import os
import re
import socket
import subprocess

import machine
import peers
import variant
import world
from mail import forward, letter
from stage import expect, need

SIX, ROUTER6 = "2001:db8:5::/64", "2001:db8:5::1"
SECOND = "192.0.2.11"     # what another server would give


class Dnsmasq:
    """DHCP and router advertisements on the bridge; `log` is what it says."""

    count = 0

    def __init__(self, *words, address=world.APPLIANCE, last=None):
        Dnsmasq.count += 1
        self.log = "srv/dnsmasq%d.log" % Dnsmasq.count
        leases = "/srv/dnsmasq%d.leases" % Dnsmasq.count
        self.process = world.start(
            "/usr/sbin/dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--group=root", "--port=0",
            "--interface=br0", "--log-dhcp", "--log-facility=-", "--dhcp-leasefile=" + leases, "--no-ping",
            "--dhcp-authoritative", "--dhcp-range=%s,%s,255.255.255.0,2m" % (address, last or address),
            "--dhcp-option=option:router,192.0.2.1", "--dhcp-option=option:dns-server,%s" % world.DNS, *words, log=self.log)

    def text(self):
        with open(peers.path(self.log), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait(self, pattern, deadline=30, times=1):
        world.until("dnsmasq: " + pattern, deadline, lambda: len(re.findall(pattern, self.text())) >= times)

    def leased(self, b):
        """Waits until the machine has its address: how much was said until then. (The link may go and come while it starts.)"""
        b.wait(r"net: .*ev=address ", 30)
        return len(self.text())

    def renewed(self, since):
        said = self.text()[since:]
        need("DHCPDISCOVER" not in said, "it looked for a server again: " + said)

    def close(self):
        self.process.kill()
        self.process.wait(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def box(w, name="network"):
    w.end()
    need(os.path.exists(variant.rootfs(name)), "the variant was not built")
    return machine.Box(w.files, rootfs=variant.rootfs(name))


def inside(b, *words):
    return subprocess.run(["nsenter", "--target", str(b.init), "--net"] + list(words), check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def passes_letters(w):
    mark, text = letter("ann@stranger.example")
    expect(forward(text, timeout=60), 250)
    w.standin.wait(mark)


def address_from_others(w):
    """A lease with MTU and odd names; it is renewed at T1, and what was not asked for changes nothing."""
    with Dnsmasq("--dhcp-option-force=option:mtu,1400", "--dhcp-option-force=option:T1,3", "--dhcp-option-force=option:T2,60",
                 "--dhcp-option-force=option:domain-name,$(reboot)", "--dhcp-option-force=252,http://192.0.2.53/wpad",
                 "--dhcp-option-force=option:static-route,198.51.100.1,192.0.2.66") as d, box(w) as b:
        since = d.leased(b)
        line = b.wait(r"net: .*ev=address ", 1)
        need("address=%s/24 gateway=192.0.2.1 dns=%s" % (world.APPLIANCE, world.DNS) in line, line)
        need("mtu 1400" in inside(b, "ip", "link", "show", "eth0"), "the MTU is not the server's")
        routes = inside(b, "ip", "route")
        need("198.51.100" not in routes and "default via 192.0.2.1" in routes, routes)
        d.wait(r"DHCPACK\(br0\) " + re.escape(world.APPLIANCE), 30, times=2)
        d.renewed(since)
        passes_letters(w)


def server_is_late(w):
    """Nobody answers at first: the machine serves all the same, and has its address when there is a server."""
    with box(w) as b:
        need(not [x for x in b.lines if "ev=address" in x], "an address from nobody")
        with Dnsmasq():
            b.wait(r"net: .*ev=address ", 60)
            passes_letters(w)


def server_says_no(w):
    """The link goes and returns to a network where the address belongs to nobody: it is given up for the new one."""
    with Dnsmasq() as d, box(w) as b:
        b.wait(r"net: .*ev=address address=%s/" % re.escape(world.APPLIANCE), 30)
        d.close()
        with Dnsmasq(address=SECOND) as other:
            mark = b.mark()
            world.sh("ip", "link", "set", b.name, "down")
            b.wait(r"net: .*ev=link state=down", 10, mark)
            world.sh("ip", "link", "set", b.name, "up")
            b.wait(r"net: .*ev=link state=up", 10, mark)
            other.wait(r"DHCPNAK\(br0\) " + re.escape(world.APPLIANCE))
            b.wait(r"net: .*ev=lease_lost", 10, mark)
            b.wait(r"net: .*ev=address address=%s/" % re.escape(SECOND), 30, mark)
            need(world.APPLIANCE + "/" not in inside(b, "ip", "-4", "addr", "show", "eth0"), "the old address stayed")


def link_returns(w):
    """The same network again: one request, no search."""
    with Dnsmasq() as d, box(w) as b:
        since = d.leased(b)
        mark = b.mark()
        world.sh("ip", "link", "set", b.name, "down")
        b.wait(r"net: .*ev=link state=down", 10, mark)
        world.sh("ip", "link", "set", b.name, "up")
        b.wait(r"net: .*ev=address ", 10, mark)
        d.renewed(since)
        passes_letters(w)


def card_is_pulled(w):
    """The interface vanishes and another one comes in its place."""
    with Dnsmasq(last=SECOND), box(w) as b:
        b.wait(r"net: .*ev=address ", 30)
        mark = b.mark()
        world.unplug(b.name)
        b.wait(r"net: .*ev=missing interface=eth0", 10, mark)
        world.veth(b.name, b.init)     # another card: another lease
        b.wait(r"net: .*ev=address ", 30, mark)


def liar(sock, data, lie):
    """An answer to this request with these octets for options."""
    ip = socket.inet_aton
    head = b"\x02" + data[1:4] + data[4:8] + data[8:12] + b"\0" * 4 + ip(SECOND) + ip(world.MX)
    head += data[24:28] + data[28:44] + b"\0" * 192 + bytes((99, 130, 83, 99))
    sock.sendto(head + lie, ("255.255.255.255", 68))


def server_lies(w):
    """Answers that are malformed, each at once for each request; then an honest server. Logged, and nothing else."""
    good = b"\x35\x01\x02\x36\x04" + socket.inet_aton(world.MX) + b"\x01\x04\xff\xff\xff\0\x33\x04\0\0\x0e\x10"
    lies = (good + b"\x06\x08\xc0", good + good + b"\xff", good.replace(b"\x01\x04\xff", b"\x01\x05\xff") + b"\xff",
            good + b"\x0f\xff" + b"a" * 20, b"\x34\x01\x03\x35\x01\x02\xff", good + b"\x1a\x09\xff")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"br0")
    sock.bind(("", 67))
    sock.settimeout(30)
    try:
        with box(w) as b:
            for _ in range(2):
                data = sock.recv(2048)
                for lie in lies:
                    liar(sock, data, lie)
            b.wait(r"net: .*ev=ignored why=malformed_dhcp", 10)
            need(not [x for x in b.lines if "ev=address" in x], "a lie was believed")
            sock.close()
            with Dnsmasq():
                b.wait(r"net: .*ev=address address=%s/" % re.escape(world.APPLIANCE), 60)
            need(len([x for x in b.lines if "malformed_dhcp" in x]) == 1, "each lie has a line of the log")
    finally:
        sock.close()


def six_from_a_router(w):
    """SLAAC, the default route and a name server by router advertisement; when its time is over it is forgotten."""
    with open("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "w", encoding="ascii") as f:
        f.write("0")
    try:
        world.sh("ip", "-6", "addr", "replace", ROUTER6 + "/64", "dev", "br0", "nodad")
        with Dnsmasq("--enable-ra", "--dhcp-range=2001:db8:5::,ra-only,64,10m", "--ra-param=br0,4,600",
                     "--dhcp-option=option6:dns-server,[%s]" % ROUTER6), box(w) as b:
            b.wait(r"net: .*ev=router dns=%s" % re.escape(ROUTER6), 30)
            world.until("an address of the prefix", 20, lambda: "2001:db8:5:" in inside(b, "ip", "-6", "addr", "show", "eth0"))
            need("default" in inside(b, "ip", "-6", "route"), "no default route")
            b.wait(r"net: .*ev=address address=%s/" % re.escape(world.APPLIANCE), 30)
            passes_letters(w)
    finally:
        with open("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "w", encoding="ascii") as f:
            f.write("1")


def several_addresses(w):
    """Static, of both families, each family with its route."""
    with box(w, "addresses") as b:
        b.wait(r"net: .*ev=address address=2001:db8:7::10/64 gateway=192.0.2.1,2001:db8:7::1", 30)
        addresses = inside(b, "ip", "addr", "show", "eth0")
        for a in ("192.0.2.10/24", "192.0.2.12/24", "2001:db8:7::10/64"):
            need(a in addresses, "%s is missing: %s" % (a, addresses))
        need("default via 192.0.2.1" in inside(b, "ip", "route"), "no route")
        need("default via 2001:db8:7::1" in inside(b, "ip", "-6", "route"), "no route for IPv6")
        passes_letters(w)


CASES = [address_from_others, server_is_late, server_says_no, link_returns, card_is_pulled, server_lies,
         six_from_a_router, several_addresses]
