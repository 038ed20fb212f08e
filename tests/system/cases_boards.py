# SPDX-License-Identifier: ISC
"""Every board, and every disk controller and network card that QEMU emulates: one letter through each lane."""
import struct

import boards
import cases_disk
import cases_qemu
import machine
from stage import need


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


def vm(controller, card, uefi=False):
    def case(w):
        cases_disk.boot(w, controller=controller, card=card, uefi=uefi)
    return named("vm_x86_64_%s_%s_%s" % ("uefi" if uefi else "bios", controller, card.split("-")[0]), case)


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
        need(menu.startswith(b"default a.conf\n"), "loader.conf begins with %r" % menu[:20])
        q.write(boards.PLACES["LOADER_CONF"][0], menu[:512].replace(b"default a.", b"default b."))
        q.start().ready()
        q.wait(r"init: ev=start .* slot=b ", 5)


CASES = [direct("qemu_x86_64_microvm", lambda files: machine.Qemu(files, "microvm")),
         direct("qemu_x86_64_q35", lambda files: machine.Qemu(files, "q35")),
         vm("virtio-blk", "virtio-net-pci"), vm("virtio-scsi", "e1000"), vm("ahci", "e1000e"), vm("nvme", "vmxnet3"),
         vm("pvscsi", "virtio-net-pci"),
         vm("virtio-blk", "virtio-net-pci", True), vm("ahci", "e1000e", True), vm("nvme", "vmxnet3", True), slots, slots_under_uefi]
