# SPDX-License-Identifier: ISC
"""Every board, and every disk controller and network card that QEMU emulates: one letter through each lane."""
import contextlib
import re
import struct

import boards
import cases_disk
import cases_qemu
import machine
from mail import Client, forward, letter, submit
from stage import expect, need


def named(name, case):
    case.__name__ = name.replace("-", "_")
    return case


def direct(name, make):
    def case(w):
        w.end()
        with make(w.files) as q:
            w.publish(q, 600)
            cases_qemu.both_lanes(w)
    return named(name, case)


def largest(w, clients=27):
    """A letter of the largest size on each lane, beside `clients` that keep a TLS connection open there."""
    with contextlib.ExitStack() as crowd:
        for port in (25, 465):
            for n in range(clients):
                c = crowd.enter_context(Client(port, tls=port == 465, timeout=120))
                said = c.hello()
                need(said[0] == 250 and (port == 465 or c.starttls()[0] == 220), "client %d of port %d: %s" % (n, port, said))
        size = int(re.search(r"SIZE (\d+)", said[1]).group(1))
        for sender, send in (("ann@stranger.example", lambda text: forward(text, tls=True, timeout=240)),
                             (cases_qemu.APP, lambda text: submit(text, w.account, timeout=240))):
            mark, text = letter(sender, body=(b"z" * 76 + b"\r\n") * ((size - 600) // 78))
            text = text[:-2] + b"z" * (size - len(text)) + b"\r\n"
            expect(send(text), 250)
            body = text.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n")
            need(w.standin.wait(mark, deadline=240).endswith(body), "the largest letter from %s changed" % sender)


def qemu_aarch64(w):
    """64 MiB: a letter through each lane, then the largest; there is a watchdog; the power key ends it in order."""
    w.end()
    with boards.Aarch64(w.files, more=["-device", "i6300esb"]) as q:
        q.wait(r"init: ev=watchdog ", 5)
        w.publish(q, 600)
        cases_qemu.both_lanes(w)
        largest(w)
        q.stop(60)
        q.wait(r"init: .*ev=halt", 5)


def vm(controller, card, uefi=False):
    def case(w):
        cases_disk.boot(w, controller=controller, card=card, uefi=uefi)
    return named("vm_x86_64_%s_%s_%s" % ("uefi" if uefi else "bios", controller, card.split("-")[0]), case)


def vm_aarch64(controller):
    def case(w):
        cases_disk.boot(w, machine=boards.VmAarch64, controller=controller)
    return named("vm_aarch64_" + controller, case)


def once(letter):
    """Both sectors of SYSLINUX's record: start this the next time alone. Two magic numbers, a sum, and one tagged value."""
    text = (b"\x01\x01" + letter).ljust(500, b"\0")
    total = sum(struct.unpack("<125I", text))
    return struct.pack("<II500sI", 0x5A2D2FA5, 0xA3041767 - total & 0xFFFFFFFF, text, 0xDD28BF64) * 2


def slots(w):
    """What an update writes, whole sectors of layout v1, is what SYSLINUX starts: once, and by default."""
    w.end()
    with boards.Vm(w.files, start=False) as q:
        q.write(boards.PLACES["SLOT_B"][0], q.read("SLOT_A"))
        q.write(boards.PLACES["ONCE"][0], once(b"b"))
        q.start().ready()
        q.wait(r"init: ev=start .* slot=b ", 5)
        need(q.read("ONCE") != once(b"b"), "the record still says: once b")
        q.again()
        q.wait(r"init: ev=start .* slot=a ", 5)
        q.cut()
        menu = q.read("SYSLINUX_CFG")
        need(menu.startswith(b"default a\n"), "syslinux.cfg begins with %r" % menu[:20])
        q.write(boards.PLACES["SYSLINUX_CFG"][0], menu[:512].replace(b"default a\n", b"default b\n"))
        q.write(boards.PLACES["SLOT_A"][0], bytes(boards.PLACES["SLOT_A"][1]))
        q.again()
        q.wait(r"init: ev=start .* slot=b ", 5)


def slots_under_uefi(w):
    """The same for systemd-boot: by default."""
    w.end()
    with boards.Vm(w.files, uefi=True, start=False) as q:
        q.write(boards.PLACES["SLOT_B"][0], q.read("SLOT_A"))
        q.write(boards.PLACES["SLOT_A"][0], bytes(boards.PLACES["SLOT_A"][1]))
        menu = q.read("LOADER_CONF")
        need(menu.startswith(b"default [at]*.conf\n"), "loader.conf begins with %r" % menu[:20])
        q.write(boards.PLACES["LOADER_CONF"][0], menu[:512].replace(b"[at]", b"[bt]"))
        q.start().ready()
        q.wait(r"init: ev=start .* slot=b ", 5)


CASES = [direct("qemu_x86_64_microvm", lambda files: machine.Qemu(files, "microvm")),
         direct("qemu_x86_64_q35", lambda files: machine.Qemu(files, "q35")),
         vm("virtio-blk", "virtio-net-pci"), vm("virtio-scsi", "e1000"), vm("ahci", "e1000e"), vm("nvme", "vmxnet3"),
         vm("pvscsi", "virtio-net-pci"),
         vm("virtio-blk", "virtio-net-pci", True), vm("ahci", "e1000e", True), vm("nvme", "vmxnet3", True),
         slots, slots_under_uefi,
         qemu_aarch64, vm_aarch64("virtio-blk"), vm_aarch64("virtio-scsi"), vm_aarch64("nvme")]
