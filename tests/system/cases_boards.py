# SPDX-License-Identifier: ISC
"""Every board, and every disk controller and network card that QEMU emulates: one letter through each lane."""
import cases_disk
import cases_qemu
import machine


def direct(board):
    def case(w):
        w.end()
        with machine.Qemu(w.files, board) as q:
            w.publish(q, 300)
            cases_qemu.both_lanes(w)
    case.__name__ = "qemu_x86_64_" + board
    return case


def vm(controller, card, uefi=False):
    def case(w):
        cases_disk.boot(w, controller=controller, card=card, uefi=uefi)
    case.__name__ = "vm_x86_64_%s_%s_%s" % ("uefi" if uefi else "bios", controller.replace("-", "_"), card.split("-")[0])
    return case


CASES = [direct("microvm"), direct("q35"), vm("virtio-blk", "virtio-net-pci")]
