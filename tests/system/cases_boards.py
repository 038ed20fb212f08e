# SPDX-License-Identifier: ISC
"""Every board, and every disk controller and network card that QEMU emulates: one letter through each lane."""
import cases_disk
import cases_qemu
import machine


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


def vm(controller, card):
    def case(w):
        cases_disk.boot(w, controller=controller, card=card)
    return named("vm_x86_64_bios_%s_%s" % (controller, card.split("-")[0]), case)


CASES = [direct("qemu_x86_64_microvm", lambda files: machine.Qemu(files, "microvm")),
         direct("qemu_x86_64_q35", lambda files: machine.Qemu(files, "q35")),
         vm("virtio-blk", "virtio-net-pci")]
