# SPDX-License-Identifier: ISC
"""What a zone must hold: printed by `probe records`, read by programs that others wrote."""
import re
import subprocess

import peers
import world
from stage import need

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


def zone_is_read_by_others(w):
    """ldns reads the whole output as a zone; Unbound takes each line and gives it back; SPF then says pass for us alone."""
    text = printed(w)
    rows = LINE.findall(text)
    need({"A", "PTR", "MX", "TXT", "CAA"} == {kind for _, kind, _ in rows}, "kinds: %r" % rows)
    need(len([x for x in rows if "_domainkey" in x[0]]) == 1 and '" "' in [x for x in rows if "_domainkey" in x[0]][0][2],
         "the DKIM record: %r" % rows)
    read = world.inside("ldns-read-zone", "-c", "/dev/stdin", input=(TOP + text).encode()).stdout.decode()
    need(len(re.findall(r"\tIN\t", read)) == 3 + len(rows), "ldns read %r" % read)
    names = dict.fromkeys(name for name, _, _ in rows)
    kept = [x for x in peers.ZONE.split("\n") if x and x.split()[0] in names]
    try:
        for name in names:
            w.names.drop(name)
        for row in rows:
            w.names.add(" ".join(row))
        for name, kind, data in rows:
            need(" ".join(data.split()) in asked(name, kind), "%s %s is %r, not %s" % (name, kind, asked(name, kind), data))
        peers.put("srv/lists/zone", "".join(" ".join([name, kind, x]) + "\n" for name, kind in
                                            dict.fromkeys((n, k) for n, k, _ in rows if k != "CAA")
                                            for x in asked(name, kind)))
        zone = peers.path("srv/lists/zone")
        for sender in ("app@" + peers.HOME, ""):
            for address, verdict in ((peers.ADDRESS, "pass"), (world.MX, "fail")):
                got = probe("spf", "--ip", address, "--helo", peers.APPLIANCE, "--from", sender, "--zone", zone)
                need(got.split()[0] == verdict, "SPF of %r from %s: %s" % (sender, address, got))
        got = probe("dmarc", "--zone", zone, "--from", peers.HOME, "--spf", "pass:" + peers.HOME)
        need(got.startswith("pass"), "DMARC: " + got)
    finally:
        for name in names:
            w.names.drop(name)
        w.names.add_all(kept)
        w.publish(w.box)


CASES = [zone_is_read_by_others]
