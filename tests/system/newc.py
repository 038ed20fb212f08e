# SPDX-License-Identifier: ISC
"""cpio archives of the kind the kernel unpacks (newc): enough to read the shipped one and to make a second."""
import os
import stat
import subprocess


def pad(n):
    return -n % 4


def archive(path):
    """What a packed archive holds."""
    return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout


def entries(data):
    """(name, mode, octets) of every entry of an archive."""
    at = 0
    while data[at:at + 6] == b"070701":
        field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = field[1], field[6], field[11]
        name = data[at + 110:at + 109 + length].decode()
        at += 110 + length
        at += pad(at)
        if name == "TRAILER!!!":
            return
        yield name.lstrip("./"), mode, data[at:at + size]
        at += size
        at += pad(at)


def unpack(data, into):
    """Folders, files and links below `into`; device nodes are left out: an ordinary user cannot make them."""
    for name, mode, octets in entries(data):
        path = os.path.join(into, name)
        if stat.S_ISDIR(mode):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode & 0o7777)
        elif stat.S_ISLNK(mode):
            os.symlink(octets.decode(), path)
        elif stat.S_ISREG(mode):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(octets)
            os.chmod(path, mode & 0o7777)


def pack(files):
    """An archive of regular files {name: octets}, readable for all, programs executable; put behind another it wins."""
    out = b""
    for i, (name, octets) in enumerate(list(files.items()) + [("TRAILER!!!", b"")]):
        mode = 0o100555 if name == "init" or name.startswith("bin/") else 0o100444
        field = [i + 1, mode if octets else 0, 0, 0, 1, 0, len(octets), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % x for x in field) + name.encode() + b"\0"
        out += b"\0" * pad(len(out))
        out += octets
        out += b"\0" * pad(len(out))
    return out
