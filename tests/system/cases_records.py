# SPDX-License-Identifier: ISC
"""What a zone must hold: printed by `probe records`, read by programs that others wrote."""
import base64
import contextlib
import os
import re
import subprocess
import tempfile

import machine
import peers
import variant
import world
from mail import forward, letter, submit
from stage import expect, need

LINE = re.compile(r"^(\S+)\. 3600 IN ([A-Z]+) (.*)$", re.M)
TOP = ". 3600 IN SOA ns. root. 1 3600 600 86400 300\n. 3600 IN NS ns.\nns. 3600 IN A %s\n" % world.DNS


def probe(*words):
    return subprocess.run([world.OUT + "/host/probe"] + list(words), stdin=subprocess.DEVNULL, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def printed(w):
    """[(name, type, rdata)] with the key that the console shows."""
    line = w.appliance().wait(r"ev=publish name=%s\._domainkey\.%s " % (peers.SELECTOR, peers.HOME), 120)
    peers.put("srv/lists/console", "boot\r\nholder.dkim: ev=publish name=x._domainkey.foreign.example type=TXT value=x\r\n"
              + line + "\r\n")
    return probe("records", "--dkim", peers.path("srv/lists/console"))


def asked(name, kind):
    """What the name server says, in master-file form."""
    said = world.inside("drill", "@" + world.DNS, name + ".", kind).stdout.decode()
    return {" ".join(x.split()[4:]) for x in said.split("\n") if x.startswith(name + ".\t")}


@contextlib.contextmanager
def published(w, rows):
    """The name server has these rows, and nothing else under their names."""
    names = dict.fromkeys(name for name, _, _ in rows)
    try:
        for name in names:
            w.names.drop(name)
        for row in rows:
            w.names.add(" ".join(row))
        yield names
    finally:
        for name in names:
            w.names.drop(name)
        w.names.add_all(x for x in peers.ZONE.split("\n") if x and x.split()[0] in names)
        w.names.add_all(" ".join(x) for x in rows if "_domainkey" in x[0])


def zone_is_read_by_others(w):
    """ldns reads the whole output as a zone; Unbound takes each line and gives it back; SPF then says pass for us alone."""
    text = printed(w)
    rows = LINE.findall(text)
    keys = [x for x in rows if "_domainkey" in x[0]]
    need({"A", "PTR", "MX", "TXT", "CAA"} == {kind for _, kind, _ in rows}, "kinds: %r" % rows)
    need(len(keys) == 1 and '" "' in keys[0][2], "the DKIM record: %r" % rows)
    read = world.inside("ldns-read-zone", "-c", "/dev/stdin", input=(TOP + text).encode()).stdout.decode()
    need(len(re.findall(r"\tIN\t", read)) == 3 + len(rows), "ldns read %r" % read)
    with published(w, rows):
        for name, kind, data in rows:
            need(" ".join(data.split()) in asked(name, kind), "%s %s is %r, not %s" % (name, kind, asked(name, kind), data))
        kinds = dict.fromkeys((name, kind) for name, kind, _ in rows if kind != "CAA")
        peers.put("srv/lists/zone", "".join("%s %s %s\n" % (name, kind, x) for name, kind in kinds for x in asked(name, kind)))
        zone = peers.path("srv/lists/zone")
        for sender in ("app@" + peers.HOME, ""):
            for address, verdict in ((peers.ADDRESS, "pass"), (world.MX, "fail")):
                got = probe("spf", "--ip", address, "--helo", peers.APPLIANCE, "--from", sender, "--zone", zone)
                need(got.split()[0] == verdict, "SPF of %r from %s: %s" % (sender, address, got))
        got = probe("dmarc", "--zone", zone, "--from", peers.HOME, "--spf", "pass:" + peers.HOME)
        need(got.startswith("pass"), "DMARC: " + got)


def of_a_key_that_is_there(w):
    """With KEYS_DKIM_FILE no console is needed: the record holds the key that OpenSSL finds in the file."""
    with tempfile.TemporaryDirectory() as d:
        pem, kept = d + "/key.pem", d + "/key"
        subprocess.run(["openssl", "genrsa", "-out", pem, "3072"], check=True, stderr=subprocess.DEVNULL)
        subprocess.run([world.TOP + "/rootfs/dkim-key", pem, kept], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", pem, "-pubout", "-outform", "DER"], check=True,
                                stdout=subprocess.PIPE).stdout
        text = ["".join(re.findall('"([^"]*)"', x)) for n, _, x in LINE.findall(probe("records", "--key", kept))
                if n == "%s._domainkey.%s" % (peers.SELECTOR, peers.HOME)]
    need(text == ["v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()], repr(text))


def check(box):
    """Types it: ({(check, name): verdict}, [(name, type, value)] to be published)."""
    at = box.mark()
    box.type("check\n")
    box.wait(r"selfcheck: ev=records ", 60, at)
    box.wait(r"^  Records: ", 10, at)
    lines = [x for x in box.lines[at:] if "selfcheck: " in x]
    rows = [re.search(r"ev=record check=(\S+) name=(\S+) verdict=(\S+) seen=", x) for x in lines]
    say = [re.search(r'ev=publish name=(\S+) type=(\S+) value="?([^"]*)', x) for x in lines]
    return {x.groups()[:2]: x[3] for x in rows if x}, [x.groups() for x in say if x]


def each_record_is_checked(w):
    """All right; then each of them wrong in turn: that one is told, with what to publish, and no other."""
    rows = LINE.findall(printed(w))
    host, home = peers.APPLIANCE, peers.HOME
    with published(w, rows), w.other(w.keys, w.data, typing=True) as box:
        got, paste = check(box)
        need(not paste and set(got.values()) == {"ok", "none"}, "all is right: %r %r" % (got, paste))
        need({x for x, v in got.items() if v == "none"} <= {("AAAA", host), ("PTR6", host), ("MTA-STS", home)}, repr(got))
        wrong = {("A", host): "A 192.0.2.99", ("MX", home): "MX 10 mx.other.example.", ("SPF", host): 'TXT "v=spf1 -all"',
                 ("SPF", home): 'TXT "v=spf1 ip4:192.0.2.99 -all"', ("DKIM", home): 'TXT "v=DKIM1; p="',
                 ("DMARC", home): 'TXT "v=DMARC1; p=perhaps"', ("TLSRPT", home): 'TXT "v=TLSRPTv1"',
                 ("CAA", host): '0 issue "other.example"', ("PTR", host): "PTR mx.other.example."}
        for (what, domain), data in wrong.items():
            kind = what if what in ("A", "MX", "CAA", "PTR") else "TXT"
            name = [n for n, k, x in rows if k == kind and (what != "SPF" or "v=spf1" in x and n == domain)
                    and (what in ("A", "MX", "CAA", "PTR", "SPF") or {"DKIM": "v=DKIM1", "DMARC": "v=DMARC1",
                                                                      "TLSRPT": "v=TLSRPTv1"}[what] in x)][0]
            right = [x for x in rows if x[0] == name]
            w.names.drop(name)
            for x in right:
                w.names.add(" ".join(x) if x[1] != kind else "%s %s" % (name, data if data.startswith(kind) else "CAA " + data))
            now, paste = check(box)
            others = {k: v for k, v in now.items() if v != got[k] and k != (what, domain)}
            need(now[what, domain] == "wrong", "%s: %r" % (what, now))
            need(not others or what == "A" and set(others) == {("SPF", host), ("SPF", home)}, "besides %s: %r" % (what, others))
            need((name, kind) in [x[:2] for x in paste], "%s: to be published: %r" % (what, paste))
            w.names.drop(name)
            for x in right:
                w.names.add(" ".join(x))
        now, paste = check(box)
        need(now == got and not paste, "all is right again: %r %r" % (now, paste))


def port_25_is_closed(w):
    """Nobody listens at the destination; a name server that is silent makes nothing wrong."""
    with w.other(w.keys, w.data, typing=True) as box:
        w.names.route(world.DNS)
        try:
            need(check(box)[0]["port25", peers.ROUTE] == "wrong", "port 25")
        finally:
            w.names.route(world.MX)
        need(check(box)[0]["port25", peers.ROUTE] == "ok", "port 25 again")


def gate(w):
    """With CHECK_GATE: what is wrong stops letters on both lanes, what is put right lets them in, and a death changes nothing."""
    rows = LINE.findall(printed(w))
    name = "_dmarc." + peers.HOME
    ways = ((forward, "ann@stranger.example"), (lambda x: submit(x, w.account, rcpt=peers.TO), "app@" + peers.HOME))
    w.end()
    need(os.path.exists(variant.rootfs("gate")), "the variant was not built")

    def dmarc(data):
        w.names.drop(name)
        w.names.add("%s TXT %s" % (name, data))

    def shut(box, at=0):
        box.wait(r"selfcheck: ev=gate state=shut", 60, at)
        for send, author in ways:
            expect(send(letter(author)[1]), 451, "4.3.5")
    right = [x for n, _, x in rows if n == name][0]
    with published(w, rows):
        dmarc('"v=DMARC1; p=perhaps"')
        with machine.Box(w.files, w.keys, w.data, True, rootfs=variant.rootfs("gate")) as box:
            shut(box)
            dmarc(right)
            check(box)
            box.wait(r"selfcheck: ev=gate state=open", 5)
            pid = box.kill("selfcheck")
            for send, author in ways:
                mark, text = letter(author)
                expect(send(text), 250)
                w.standin.wait(mark)
            world.until("a new selfcheck", 10, lambda: box.pids().get("selfcheck", pid) != pid)
            at = box.mark()
            dmarc('"v=DMARC1; p=perhaps"')
            check(box)
            shut(box, at)


CASES = [zone_is_read_by_others, of_a_key_that_is_there, each_record_is_checked, port_25_is_closed, gate]
