# SPDX-License-Identifier: ISC
"""Updates over the network, by the tool that `make update` calls, of the disk that ships, started by the firmware of a PC."""
import contextlib
import os
import socket
import ssl
import subprocess
import sys

import boards
import machine
import newc
import variant
import world
from stage import need

HOME = variant.folder("update")
PORT, EPOCH, TRIAL, NEWER = 8465, 2, 40, b"2099.12.31-2359"
MANIFEST, CHUNK = 8352, 65536


class Disk(boards.Vm):
    """Starts again when it is told to."""

    def __init__(self, w, **more):
        super().__init__(w.files, home=HOME + "/images", start=False, **more)

    def command(self):
        return [x for x in super().command() if x != "-no-reboot"]


def builds():
    """(version, build id) of the variant."""
    with open(HOME + "/gen/build.h", encoding="ascii") as f:
        words = dict(x.split(" ", 2)[1:] for x in f.read().splitlines() if x.startswith("#define BUILD_"))
    return words["BUILD_VERSION"].strip('"'), words["BUILD_ID"].strip('"')


def newer(w, **files):
    """The path of a root file system like the variant's with a higher version, and with these programs."""
    old = builds()[0].encode()
    programs = {name: octets.replace(old, NEWER) for name, _, octets in newc.entries(newc.archive(variant.rootfs("update")))
                if name in ("init", "bin/update")}
    need(all(NEWER in x for x in programs.values()), "no version in the programs")
    with open(variant.rootfs("update"), "rb") as f:
        out = f.read()
    out += b"\0" * newc.pad(len(out)) + newc.pack({**w.files, **programs, **{"bin/" + k: v for k, v in files.items()}})
    path = os.path.join(world.root, "tmp", "new.rootfs")
    with open(path, "wb") as f:
        f.write(out)
    return path


def sign(rootfs, board="vm-x86_64", epoch=EPOCH, key=HOME + "/private"):
    return [HOME + "/host/tinpost-update", "sign", key, board, NEWER.decode(), builds()[1], str(epoch),
            HOME + "/images/bzImage", rootfs]


def send(q, rootfs):
    """What `make update` runs."""
    return subprocess.Popen([world.TOP + "/rootfs/update", world.APPLIANCE, str(PORT), q.dir + "/known", str(TRIAL)] +
                            sign(rootfs), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(process, code):
    out = process.communicate(timeout=240)[0]
    print("# " + out.strip().rsplit("\n", 1)[-1], file=sys.stderr, flush=True)
    need(process.returncode == code, "exit status %d: %s" % (process.returncode, out))
    return out


@contextlib.contextmanager
def connection():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    def probe():
        with contextlib.suppress(ssl.SSLError):     # a busy machine may fail a handshake
            return tls.wrap_socket(socket.create_connection((world.APPLIANCE, PORT), timeout=60))
        return None
    with world.until("a handshake", 60, probe) as s, s.makefile("rb") as f:
        yield s, f


def stream(f, command):
    """What answers this machine's challenge, and its hello."""
    hello = f.readline().split()
    need(hello[:2] == [b"hello", b"1"], "not a hello: %r" % hello)
    return subprocess.run(command, input=bytes.fromhex(hello[2].decode()), stdout=subprocess.PIPE, check=True).stdout, hello


def refused(octets, why, altered=lambda x: x):
    """A manifest gets this answer, before anything else is sent."""
    with connection() as (s, f):
        made, _ = stream(f, octets)
        s.sendall(altered(made)[:MANIFEST])
        got = f.readline().decode()
        need(got.startswith("no ") and why in got, "not refused for %s: %r" % (why, got))


def serves(q, after=0, deadline=120):
    """The `220` that a client reads."""
    q.wait(r"front\.mx: .*ev=listening.*port=25\b", deadline, after)

    def probe():
        with contextlib.suppress(OSError), socket.create_connection((world.APPLIANCE, 25), timeout=5) as s:
            return s.recv(4) == b"220 "
        return False
    world.until("220", deadline, probe)


def sectors(q, *places):
    return [q.read(x)[:512] for x in places]


def a_to_b_to_a(w, uefi=False):
    """A new version is tried once and kept, by one sector; then the next one goes to the slot of the first."""
    w.end()
    with Disk(w, uefi=uefi) as q:
        q.start().ready()
        q.wait(r"update: ev=usual slot=a ", 10)
        starts = q.read("STARTS")
        for old, new in ("ab", "ba"):
            mark = q.mark()
            out = said(send(q, newer(w)), 0)
            need("kept: version %s" % NEWER.decode() in out and ("slot " + new) in out, "it said: " + out)
            q.wait(r"init: ev=start version=%s .* slot=%s trial=yes" % (NEWER.decode(), new), 5, mark)
            q.wait(r"update: ev=kept slot=%s version=%s" % (new, NEWER.decode()), 5, mark)
            serves(q, mark)
            q.again()
            q.wait(r"init: ev=start version=%s .* slot=%s trial=-" % (NEWER.decode(), new), 5)
            q.wait(r"update: ev=usual slot=%s " % new, 30)
        need(q.read("STARTS") == starts, "the ready sectors were written")
        usual = sectors(q, "SYSLINUX_CFG", "LOADER_CONF")
        need(usual == [starts[:512], starts[5 * 512:6 * 512]], "not all boot loaders know that it is slot a")


def under_uefi(w):
    a_to_b_to_a(w, True)


def refusals(w):
    """What is no good is told so before a sector is written; what breaks off or goes bad on its way leaves the old system alone."""
    w.end()
    path = newer(w)
    other = os.path.join(world.root, "tmp", "other")
    w.tool("tinpost-update", "make", other, other + ".pub")
    with Disk(w) as q:
        q.start().ready()
        q.wait(r"update: ev=usual slot=a ", 10)
        before = q.read("FAT")
        refused(sign(path, key=other), "signed")
        refused(sign(path), "signed", lambda x: x[:5000] + bytes((x[5000] ^ 1,)) + x[5001:])
        refused(sign(path, board="vm-aarch64"), "board")
        refused(sign(path, epoch=EPOCH - 1), "epoch")
        with connection() as (_, f):
            recorded, _ = stream(f, sign(path))
        refused(sign(path), "challenge", lambda _: recorded)
        need(q.read("FAT") == before, "something was written for a manifest that was refused")
        for name, cut, answer in (("cut", MANIFEST + 3 * CHUNK + 99, b""), ("bent", None, b"no a chunk")):
            mark = q.mark()
            with connection() as (s, f):
                made, _ = stream(f, sign(path))
                s.sendall(made[:MANIFEST])
                need(f.readline() == b"go\n", "not taken")
                # A second one while this one is under way.
                refused(sign(path), "under way")
                s.sendall(made[MANIFEST:cut] if cut else made[MANIFEST:MANIFEST + CHUNK] + bytes(CHUNK))
                if answer:
                    need(f.readline().startswith(answer), "a chunk that was altered was taken")
            q.wait(r"update: ev=refused why=.*%s" % (name if cut else "chunk"), 30, mark)
        old = q.read("FAT")
        for place in ("ONCE", "SYSLINUX_CFG", "LOADER_CONF", "LOADER_ENTRIES", "STARTS", "SLOT_A"):
            at, size = boards.PLACES[place]
            at -= boards.PLACES["FAT"][0]
            need(old[at:at + size] == before[at:at + size], place + " was written")
        q.again()
        q.wait(r"init: ev=start .* slot=a trial=-", 5)


def never_well(w):
    """A new version whose front end does not run: nothing is taken on trial, its time passes, the old one is there again."""
    w.end()
    with Disk(w) as q:
        q.start().ready()
        q.wait(r"update: ev=usual slot=a ", 10)
        before = sectors(q, "SYSLINUX_CFG", "LOADER_CONF")
        mark, sender = q.mark(), send(q, newer(w, front=b"no program"))
        q.wait(r"init: ev=start .* slot=b trial=yes", 120, mark)
        q.wait(r"update: ev=trial slot=b ", 60, mark)
        trial = q.mark()
        need(sectors(q, "SYSLINUX_CFG", "LOADER_CONF") == before, "the usual slot was changed")
        world.until("the port", 60, lambda: world.connects(world.APPLIANCE, PORT))
        refused(sign(newer(w)), "on trial")
        q.wait(r"init: ev=stop why=update", TRIAL + 60, trial)
        q.wait(r"init: ev=start .* slot=a trial=-", 60, trial)
        need("was not well" in said(sender, 1), "the sender was not told")
        serves(q, trial)


CASES = [a_to_b_to_a, refusals, never_well, under_uefi]
