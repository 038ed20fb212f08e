# SPDX-License-Identifier: ISC
"""QEMU: a machine that does not serve is reset, by its watchdog or by init; one without disk and network card is not."""
import struct

import machine
import variant
import world
from stage import need

DEVICE = ["-device", "i6300esb"]


def hangs():
    """An ELF program for x86-64 that waits for signals, for ever."""
    code = b"\xb8\x22\x00\x00\x00\x0f\x05\xeb\xf7"     # mov eax, SYS_pause; syscall; jmp back
    at = 0x400000
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, at + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, 120 + len(code), 120 + len(code), 0x1000) + code


def ill(w, more):
    """A machine whose front ends hang."""
    w.end()
    return machine.Qemu(dict(w.files, **{"bin/front": hangs()}), "q35", rootfs=variant.rootfs("health"), more=more, start=False)


def ends_by_itself(q):
    world.until("the reset", 240, lambda: q.process.poll() is not None)
    need(q.process.returncode == 0, "QEMU ended with %d" % q.process.returncode)


def front_that_hangs(w):
    """The watchdog resets the machine; nobody else does."""
    with ill(w, DEVICE) as q:
        q.start()
        q.wait(r"init: ev=watchdog timeout=", 90)
        q.wait(r"health: ev=health state=failed part=front\.mx why=\"no answer\"", 120)
        q.wait(r"init: ev=unhealthy watchdog=starves", 120)
        ends_by_itself(q)
        need(not [x for x in q.lines if "ev=stop" in x], "init stopped it")


def without_watchdog(w):
    """Then init starts it anew, in order."""
    with ill(w, []) as q:
        q.start()
        q.wait(r"init: ev=stop why=health", 180)
        q.wait(r"init: ev=halt how=reboot", 60)
        ends_by_itself(q)


class Bare(machine.Qemu):
    def common(self, card):
        words = super().common(card)
        for what in ("-netdev", "-device"):
            at = words.index(what)
            del words[at:at + 2]
        return words


def bare(w):
    """Without disks and without a network card the console says so, and the watchdog is fed."""
    w.end()
    with Bare(w.files, "q35", disks=False, rootfs=variant.rootfs("health"), more=DEVICE, start=False) as q:
        q.start()
        q.wait(r"init: ev=volume label=tinpost-data missing=yes", 90)
        q.wait(r"net: ev=missing interface=eth0", 90)
        q.wait(r"health: ev=health state=ok journal=none", 120)
        need(not [x for x in q.lines if "watchdog=starves" in x], "it starves")


CASES = [front_that_hangs, without_watchdog, bare]
