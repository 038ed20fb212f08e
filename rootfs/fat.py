# SPDX-License-Identifier: ISC
"""A FAT16 file system in which every file lies where it is told to, in one piece: EFI firmware, SYSLINUX and U-Boot read it."""
import struct

SECTOR, CLUSTER = 512, 4096
TABLES, ROOT = 2, 512                    # copies of the table; entries of the root folder
DATA = 65536                             # where the first cluster begins
NONE, LAST = 0, 0xFFFF


def short(name):
    """The eleven octets of a name that needs no long one, or None."""
    stem, _, ext = name.partition(".")
    fits = len(stem) <= 8 and len(ext) <= 3 and "." not in ext and name == name.lower()
    return (stem.ljust(8) + ext.ljust(3)).upper().encode() if fits else None


def entry(name, folder, cluster, size, alias):
    """A row of a folder; before it, where it takes that, the rows of the long name."""
    raw = short(name) or alias
    row = struct.pack("<11sBBBHHHHHHHI", raw, 0x10 if folder else 0x20, 0x18 if short(name) else 0, 0, 0, 0x21, 0x21, 0, 0, 0x21,
                      cluster, size)
    if short(name):
        return row
    check = 0
    for c in raw:
        check = ((check >> 1) | (check << 7)) + c & 0xFF
    text = name.encode("utf-16-le") + b"\0\0"
    text += b"\xff" * (-len(text) % 26)
    if len(name) % 13 == 0:
        text = text[:-26]
    parts = [text[i:i + 26] for i in range(0, len(text), 26)]
    rows = [struct.pack("<B10sBBB12sH4s", i + 1 | (0x40 if i + 1 == len(parts) else 0), p[:10], 0x0F, 0, check, p[10:22], 0, p[22:])
            for i, p in enumerate(parts)]
    return b"".join(reversed(rows)) + row


class Fat:
    """octets(): the file system. Offsets are in octets from its beginning."""

    def __init__(self, size, label):
        self.disk, self.label = bytearray(size), label
        self.count = (size - DATA) // CLUSTER
        self.table = [0xFFF8, LAST] + [NONE] * self.count
        self.root = self.tree = {}       # name -> (cluster, size) or a folder: (cluster, {...})
        self.sectors = -(-2 * len(self.table) // SECTOR)

    def claim(self, at, size):
        """The clusters there become one chain; its first."""
        first, n = 2 + (at - DATA) // CLUSTER, -(-size // CLUSTER)
        if (at - DATA) % CLUSTER or at < DATA or any(self.table[first:first + n]) or first + n > len(self.table):
            raise ValueError("%d octets at %d: not free" % (size, at))
        self.table[first:first + n] = list(range(first + 1, first + n)) + [LAST]
        return first

    def place(self, path, at, octets, size=None):
        """A file of `size` octets, zeros behind what is given."""
        *folders, name = path.split("/")
        where = self.root
        for f in folders:
            where = where[f][1]
        if len(octets) > (size or len(octets)):
            raise ValueError("%s: %d octets, %d fit" % (path, len(octets), size))
        where[name] = (self.claim(at, size or len(octets)), size or len(octets))
        self.disk[at:at + len(octets)] = octets

    def folder(self, path, at):
        *folders, name = path.split("/")
        where = self.root
        for f in folders:
            where = where[f][1]
        where[name] = (self.claim(at, CLUSTER), {})

    def rows(self, folder):
        out = b""
        for n, (name, (cluster, what)) in enumerate(folder.items()):
            alias = ("%.5s~%d" % (name.split(".")[0].split("+")[0].upper(), n + 1)).ljust(8).encode() + name.split(".")[-1][:3].upper().ljust(3).encode()
            out += entry(name, isinstance(what, dict), cluster, 0 if isinstance(what, dict) else what, alias)
        return out

    def listing(self, folder, own, parent):
        """What the clusters of a folder hold."""
        dots = b"".join(struct.pack("<11sBBBHHHHHHHI", d.ljust(11), 0x10, 0, 0, 0, 0x21, 0x21, 0, 0, 0x21, c, 0)
                        for d, c in ((b".", own), (b"..", parent)))
        return dots + self.rows(folder)

    def write_folders(self, folder, own, parent):
        for name, (cluster, what) in folder.items():
            if isinstance(what, dict):
                self.write_folders(what, cluster, own)
        if own:
            rows = self.listing(folder, own, parent)
            at = DATA + (own - 2) * CLUSTER
            self.disk[at:at + len(rows)] = rows

    def octets(self, start):
        """start: the sector of the disk at which the partition begins."""
        total = len(self.disk) // SECTOR
        reserved = DATA // SECTOR - TABLES * self.sectors - ROOT * 32 // SECTOR
        self.write_folders(self.root, 0, 0)
        boot = struct.pack("<3s8sHBHBHHBHHHIIBBBI11s8s", b"\xeb\x3c\x90", b"tinpost ", SECTOR, CLUSTER // SECTOR, reserved, TABLES,
                           ROOT, 0, 0xF8, self.sectors, 63, 255, start, total, 0x80, 0, 0x29, 0x74696E70, self.label, b"FAT16   ")
        self.disk[:len(boot)] = boot
        self.disk[510:512] = b"\x55\xaa"
        table = struct.pack("<%dH" % len(self.table), *self.table).ljust(self.sectors * SECTOR, b"\0")
        for i in range(TABLES):
            at = (reserved + i * self.sectors) * SECTOR
            self.disk[at:at + len(table)] = table
        at = DATA - ROOT * 32
        rows = struct.pack("<11sB20x", self.label, 8) + self.rows(self.root)
        self.disk[at:at + len(rows)] = rows
        return bytes(self.disk)
