# SPDX-License-Identifier: ISC
"""The machines of the boards. Where one boots from a disk, the test's files ride behind the root file system in its slot."""
import os
import re
import sys

import machine
import world

sys.path.insert(0, os.path.join(world.TOP, "rootfs"))
import layout  # noqa: E402

PLACES = layout.places()
MIB = 1 << 20
# The controllers that QEMU has for the disk `d`.
CONTROLLERS = {
    "virtio-blk": ["-device", "virtio-blk-pci,drive=d"],
    "virtio-scsi": ["-device", "virtio-scsi-pci,id=s", "-device", "scsi-hd,bus=s.0,drive=d"],
    "pvscsi": ["-device", "pvscsi,id=s", "-device", "scsi-hd,bus=s.0,drive=d"],
    "ahci": ["-device", "ide-hd,bus=ide.0,drive=d"],
    "nvme": ["-device", "nvme,serial=1,drive=d"],
}


def images(board):
    return machine.IMAGES if world.config.get("BOARD_NAME") == board else os.path.join(world.OUT, "boards", board, "images")


class Vm(machine.Qemu):
    """vm-x86_64 on a disk of `mib` MiB."""

    BOARD = "vm-x86_64"
    MACHINE = ["qemu-system-x86_64", "-M", "q35", "-vga", "std"]
    FIRMWARE = "/usr/share/ovmf/OVMF.fd"

    def __init__(self, files=None, controller="virtio-blk", card="virtio-net-pci", uefi=False, mib=512, memory=128, home=None, **more):
        super().__init__(files, "q35", disks=False, memory=memory, images=home or images(self.BOARD), **more)
        self.controller, self.card, self.uefi = controller, card, uefi
        self.disk = self.dir + "/disk"
        world.sh("cp", "--sparse=always", "%s/tinpost-%s.img" % (self.images, self.BOARD), self.disk)
        with open(self.disk, "r+b") as f:
            f.truncate(mib * MIB)
            f.seek(PLACES["SLOT_A"][0] + PLACES["ROOTFS"][0])
            with open(self.dir + "/initrd", "rb") as initrd:
                f.write(initrd.read())

    def command(self):
        return (self.MACHINE + ["-device", "virtio-rng-pci",
                 "-drive", "id=d,file=%s,format=raw,if=none" % self.disk] + self.common(self.card + ",romfile=") +
                (["-bios", self.FIRMWARE] if self.uefi else []) + CONTROLLERS[self.controller] + self.more)

    def ready(self, deadline=180):
        return super().ready(deadline)

    def write(self, at, octets):
        with open(self.disk, "r+b") as f:
            f.seek(at)
            f.write(octets)

    def read(self, place):
        at, size = PLACES[place]
        with open(self.disk, "rb") as f:
            f.seek(at)
            return f.read(size)

    def table(self):
        """The sector of the partition table."""
        with open(self.disk, "rb") as f:
            return f.read(512)

    def screen(self):
        """The picture on the screen as rows of cells, each a hashable pattern; 80 columns of text or more."""
        path = self.dir + "/picture"
        self.qmp("screendump", filename=path)
        with open(path, "rb") as f:
            head, width, height, body = re.match(rb"(P6)\s+(\d+)\s+(\d+)\s+255\s(.*)", f.read(), re.S).groups()
        width, height = int(width), int(height)
        lit = bytes(1 if any(body[i:i + 3]) else 0 for i in range(0, width * height * 3, 3))
        cell = 9 if width == 720 else 8
        return [[b"".join(lit[(y + k) * width + x:(y + k) * width + x + 8] for k in range(16)) for x in range(0, width - cell + 1, cell)]
                for y in range(0, height - 15, 16)]


class Direct(machine.Qemu):
    """qemu-x86_64 as `make run` shows it."""

    def __init__(self, files=None, **more):
        super().__init__(files, "q35", **more)


class Aarch64(machine.Qemu):
    """qemu-aarch64: kernel and root file system directly."""

    BOARD = "qemu-aarch64"

    def __init__(self, files=None, memory=64, **more):
        super().__init__(files, "virt", memory=memory, images=images(self.BOARD), **more)

    def program(self):
        return ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-kernel", self.images + "/Image.gz"]

    def common(self, card):
        return super().common(card + ",romfile=")

    def words(self):
        return "console=ttyAMA0 quiet panic=-1"

    def ready(self, deadline=180):
        return super().ready(deadline)


class VmAarch64(Vm):
    """vm-aarch64: UEFI and its screen."""

    BOARD = "vm-aarch64"
    MACHINE = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-device", "ramfb"]
    FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"

    def __init__(self, files=None, **more):
        super().__init__(files, uefi=True, **more)


def machine_of(board):
    return {x.BOARD: x for x in (Vm, Aarch64, VmAarch64)}.get(board, Direct)
