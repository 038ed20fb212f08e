# SPDX-License-Identifier: ISC
"""The image that ships, in QEMU under TCG with 48 MiB; the test's anchors and lists ride in a second archive."""
import email.utils
import itertools
import os
import random
import re
import subprocess
import time

import cases_acme
import cases_admin
import cases_keys
import lan
import machine
import peers
import variant
import world
from mail import forward, letter, submit
from stage import expect, need

APP = "app@" + peers.HOME


def both_lanes(w, signed=True):
    mark, text = letter("ann@stranger.example")
    expect(forward(text, tls=True, timeout=60), 250)
    got = w.standin.wait(mark)
    need(got.endswith(text.replace(b"\r\n", b"\n")), "the forwarded letter changed")
    mark, text = letter(APP)
    expect(submit(text, w.account, rcpt=peers.TO, timeout=60), 250)
    got = w.standin.wait(mark, deadline=40)
    if signed:
        for judge, verdict in peers.judge(got).items():
            need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))


def end_to_end(w):
    """Both lanes on microvm; power cut after a 250; the same key and the letter after the next start."""
    w.end()
    with machine.Qemu(w.files, "microvm") as q:
        first = w.publish(q, 240)
        both_lanes(w)
        with w.fake(replies={"MAIL": "451 4.3.0 later"}):
            mark, text = letter(APP)
            expect(submit(text, w.account, rcpt=peers.TO, timeout=60), 250)
            q.cut()
        q.again()
        need(w.publish(q, 60) == first, "another DKIM key after a restart")
        w.standin.wait(mark, deadline=60)


def pc_and_power_key(w):
    """q35 with PCI devices; the power key ends it in order."""
    w.end()
    with machine.Qemu(w.files, "q35") as q:
        w.publish(q, 240)
        both_lanes(w)
        q.stop()
        q.wait(r"init: .*ev=halt", 5)


def ctrl_alt_del(w):
    w.end()
    with machine.Qemu(w.files, "q35", disks=False) as q:
        q.qmp("send-key", keys=[{"type": "qcode", "data": k} for k in ("ctrl", "alt", "delete")])
        q.process.wait(30)
        q.wait(r"init: .*ev=halt", 5)


def broken_devices(w):
    """Disks full of something else: forwarding works, submission says 451, not one octet of them is changed."""
    w.end()
    with machine.Qemu(w.files, "microvm", start=False) as q:
        octets = random.Random(1).randbytes(8 << 20)
        for disk in q.disks:
            with open(disk, "r+b") as f:
                f.write(octets)
        q.start().ready()
        mark, text = letter("ann@stranger.example")
        expect(forward(text, timeout=60), 250)
        w.standin.wait(mark)
        expect(submit(letter(APP)[1], w.account, rcpt=peers.TO, timeout=60), 451)
        q.wait(r"label=tinpost-data .*missing=yes", 5)
        q.cut()
        for disk in q.disks:
            with open(disk, "rb") as f:
                need(f.read(len(octets)) == octets, os.path.basename(disk) + " was written")


def restored_keys(w):
    """A key disk made of the secrets of another machine, as restore-keys makes it: this machine is that one."""
    w.end()
    keys = machine.Box.store("qemu-keys")
    with machine.Box(w.files, keys, None) as box:
        cases_keys.complete(box)
        was = cases_keys.identity(box)
    with machine.Qemu(w.files, "microvm", start=False) as q:
        subprocess.run([world.TOP + "/rootfs/disks", "keys", q.disks[0], keys], check=True, env=dict(os.environ, SOURCE_DATE_EPOCH="1"))
        q.start().ready()
        need(cases_keys.identity(q) == was, "another machine")
        need(not re.search("ev=(newsecret|keyfile|ephemeral)", q.text()), "secrets were made, or mended")


def address_and_time_from_the_network(w):
    """The same sources with DHCP and SNTP; the machine's clock battery says 2020. At the next start it says so again, and
    nobody tells the time: it is later than it was."""
    w.end()
    need(os.path.exists(variant.rootfs("network")), "the variant was not built")
    dhcp, ntp, given = lan.Dhcp(ntp=world.FAKE), lan.Ntp(), lan.Ntp(world.FAKE)
    with machine.Qemu(w.files, "q35", rootfs=variant.rootfs("network"), more=["-rtc", "base=2020-02-02T02:02:02"]) as q:
        line = q.wait(r"net: .*ev=address ", 20)
        need("address=%s/24 gateway=%s dns=%s" % (world.APPLIANCE, world.DNS, world.DNS) in line, line)
        kinds = [k for k, _ in itertools.groupby(dhcp.seen)]    # where all is slow one is sent twice
        need(kinds[:2] == [lan.DISCOVER, lan.REQUEST], "messages: %r" % dhcp.seen)
        line = q.wait(r"clock: .*ev=time .*set=step", 30)
        mark, text = letter("ann@stranger.example")
        expect(forward(text, timeout=60), 250)
        got = w.standin.wait(mark).decode()
        stamp = re.search(r"by %s with ESMTP\s+id [^;]*;\s+(.*)" % re.escape(peers.APPLIANCE), got).group(1)
        off = abs(email.utils.parsedate_to_datetime(stamp).timestamp() - time.time())
        need(off < 30 and ntp.asked, "the clock is %.0f s wrong" % off)
        q.wait(r"clock: .*ev=time .*servers=2", 30)
        need(given.asked, "the server that DHCP named was not asked")
        q.wait(r"clock: .*ev=state state=build", 5)
        q.wait(r"clock: .*ev=state state=ntp", 5)
        ntp.silent = given.silent = True
        q.stop()
        q.again()
        q.wait(r"clock: .*ev=state state=saved", 30)
        mark, text = letter("ann@stranger.example")
        expect(forward(text, timeout=60), 250)
        got = w.standin.wait(mark).decode()
        stamp = re.search(r"by %s with ESMTP\s+id [^;]*;\s+(.*)" % re.escape(peers.APPLIANCE), got).group(1)
        off = abs(email.utils.parsedate_to_datetime(stamp).timestamp() - time.time())
        need(off < 600, "the saved time is %.0f s wrong" % off)


def boot_time(w):
    """Kernel start to the 220 banner on the guest's clock, which the instruction counter drives."""
    w.end()
    q = machine.Qemu(w.files, "microvm", icount=True)
    try:
        q.start()
        line = q.wait(r"front\.mx: .*ev=listening.*port=25\b", 120)
        t = float(re.search(r"\bt=(\d+\.\d+)", line).group(1))
        print("# kernel start to banner: %.3f s on the guest's clock" % t, flush=True)
        need(t <= 0.5, "%.3f s is more than 0.5 s" % t)
    finally:
        q.__exit__()


def certificate_time(w):
    """A machine without keys, from power-on to the port that shows a certificate of the authority's; nothing is asserted of the time."""
    rootfs = cases_acme.prepared(w)
    with cases_acme.Pebble():
        began = time.monotonic()
        with machine.Qemu(w.files, "microvm", rootfs=rootfs) as q:
            q.wait(r"acme: ev=certificate issuer=.*Pebble", 240)
            got = time.monotonic() - began
            cases_acme.in_use()
            print("# power-on to a certificate: %.1f s, in use on both ports: %.1f s" % (got, time.monotonic() - began), flush=True)


def queue_commands(w):
    """The serial line of the machine; the power is cut in between."""
    w.end()
    with machine.Qemu(w.files, "microvm", typing=True) as q:
        w.publish(q, 240)

        def again():
            q.again()
            w.publish(q, 60)
        cases_admin.commands(w, q, again)


CASES = [boot_time, certificate_time, end_to_end, restored_keys, queue_commands, pc_and_power_key, ctrl_alt_del, broken_devices,
         address_and_time_from_the_network]
