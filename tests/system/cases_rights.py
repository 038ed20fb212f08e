# SPDX-License-Identifier: ISC
"""What each process is left with, as /proc says it, beside the rows of init/topology.def."""
import os
import re

import machine
import world
from stage import Failed, need

UID_BASE, NET_ADMIN = 100, 12
ROW = re.compile(r'^PROC\((\w+)\s*,\s*"([\w.]+)",\s*(\w+),\s*(\w+),\s*([^,]+),\s*([^,]+),\s*(\d+),\s*(\w+)\)', re.M)
FILES = {"auth": {"users.cdb", "route", "ipv6_route"}, "check.mx": {"virtual.cdb", "seen"}, "check.sub": {"virtual.cdb"},
         "out.mx": {"anchors.pem", "public.pem"}, "out.sub": {"anchors.pem", "public.pem"}, "fetch": {"public.pem", "sts.cache"}, "dns": {"public.pem"},
         "clock": {"clock"}, "log": {"pipe", "public.pem"}, "admin": {"pipe"}, "queue": {"data", "eventfd"}}


def number(text):
    """Sums of products of numbers and CONFIG_ symbols; nothing is spooled here."""
    total = 0
    for part in text.split("+"):
        product = 1
        for word in part.split("*"):
            word = word.strip()
            product *= int(world.config[word[7:]] if word.startswith("CONFIG_") else word.replace("SPOOL_ACTIVE", "0"))
        total += product
    return total


def rows():
    """{process name: what its row says}."""
    with open(world.TOP + "/init/topology.def", encoding="ascii") as f:
        text = f.read()
    found = ROW.findall(text)
    need(len(found) == len(re.findall(r"^PROC\(", text, re.M)), "%d rows could be read" % len(found))
    uids = {row[0]: UID_BASE + i for i, row in enumerate(found)}
    uids.update(KEYGEN=uids["HOLDER_DKIM"], KEYGEN_TLS=uids["HOLDER_TLS"])
    return {name: {"uid": uids[ident], "bin": "bin/" + program.lower(), "root": root, "as": number(memory) << 20,
                   "nofile": number(nofile), "nice": int(nice), "flags": flags}
            for ident, name, program, root, memory, nofile, nice, flags in found}


def read(pid, name):
    with open("/proc/%d/%s" % (pid, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def ids_and_capabilities(row, pid):
    said = dict(re.findall(r"^(\w+):[ \t]*(.*)$", read(pid, "status"), re.M))
    caps = "%016x" % (1 << NET_ADMIN if row["flags"] == "CAP_NET_ADMIN" else 0)   # a container has no clock
    want = {"Uid": [str(row["uid"])] * 4, "Gid": [str(row["uid"])] * 4, "Groups": [],
            "NoNewPrivs": ["1"], "Seccomp": ["2"]}
    want.update((x, [caps]) for x in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
    for key, words in want.items():
        need(said[key].split() == words, "%s is %s, not %s" % (key, said[key], " ".join(words)))


def limits(row, pid, box):
    size = os.path.getsize(os.path.join(box.dir, "root", row["bin"]))
    got = re.findall(r"^Max (core file size|open files|address space) +(\w+) +(\w+)", read(pid, "limits"), re.M)
    for what, want in (("core file size", 0), ("open files", row["nofile"]), ("address space", row["as"] + size)):
        need((what, str(want), str(want)) in got, "%s: not %d in %r" % (what, want, got))
    nice = int(read(pid, "stat").rsplit(")", 1)[1].split()[16])
    need(nice == row["nice"], "nice %d" % nice)


def root_folder(row, pid, box):
    want = {"EMPTY": box.dir + "/root/empty", "KEYS": box.keys, "DATA": box.data}[row["root"]]
    for link in ("root", "cwd"):
        need(os.path.samestat(os.stat("/proc/%d/%s" % (pid, link)), os.stat(want)), "%s is not %s" % (link, want))
    need(row["root"] != "EMPTY" or not os.listdir("/proc/%d/root" % pid), "its root is not empty")


def kind(target, box):
    """One word for an open descriptor."""
    if target.startswith(box.dir + "/root/data"):
        return "data"
    found = re.match(r"(?:anon_inode:\[)?(socket|pipe|/memfd|eventfd|/dev/null\Z)", target)
    return found.group(1).lstrip("/") if found else os.path.basename(target)


def descriptors(name, pid, box):
    folder = "/proc/%d/fd/" % pid
    have = {kind(os.readlink(folder + n), box) for n in os.listdir(folder)}
    want = FILES.get(name, set())
    need(have - {"socket", "memfd", "dev/null"} == want, "open: %r" % have)


def mappings(pid):
    for line in read(pid, "maps").splitlines():
        rights = line.split()[1]
        need(not ("w" in rights and "x" in rights), "mapped: " + line)


def one(name, row, pid, box):
    try:
        ids_and_capabilities(row, pid)
        limits(row, pid, box)
        root_folder(row, pid, box)
        descriptors(name, pid, box)
        mappings(pid)
    except (Failed, OSError) as e:
        raise Failed("%s: %s" % (name, e)) from e


def every_process(w):
    """User, groups, capabilities, filter, limits, root, descriptors, mappings; exactly the processes of the rows."""
    box = w.appliance()
    table, pids = rows(), box.pids()
    pids.pop("init")
    pids.pop("keygen", None)
    idle = {"keygen", "keygen.tls", "queue.mx", "update"} | (set() if world.config.get("KEYS_ACME") == "y" else {"acme", "holder.acme"})
    need(set(pids) == set(table) - idle, "these run: %r" % sorted(pids))
    world.until("end of kept connections", 10, lambda: not w.names.kept(""))
    for name, pid in pids.items():
        one(name, table[name], pid, box)
    uids = [row["uid"] for name, row in table.items() if not name.startswith("keygen")]
    need(len(set(uids)) == len(uids), "two share a user")


def key_maker(w):
    """keygen on a device without keys, as the user of holder.dkim."""
    w.end()
    box = machine.Box(w.files, machine.Box.store("rights"), None)
    try:
        box.start()

        def sealed():
            pid = box.pids().get("keygen")
            return pid if pid and re.search(r"^Seccomp:\t2", read(pid, "status"), re.M) else None
        pid = world.until("keygen", 30, sealed)
        one("keygen", rows()["keygen"], pid, box)
    finally:
        box.cut()


CASES = [every_process, key_maker]
