# SPDX-License-Identifier: ISC
"""What e2fsprogs say of the data disk."""
import re
import subprocess


def tool(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)


def mend(image):
    """What a mount does after a power cut; false: the file system was not as its own journal promises."""
    return tool("e2fsck", "-fp", image).returncode in (0, 1)


def extents(image):
    """[(segment, offset, offset on the disk, octets)] of the journal, on a file system that is in order."""
    out = []
    for seg in re.findall(r"/seg\.(\d{4})/", tool("debugfs", "-R", "ls -p /", image).stdout):
        said = tool("debugfs", "-R", "stat /seg." + seg, image).stdout
        size = int(re.search(r"Size: (\d+)", said).group(1))
        for first, last, at in re.findall(r"\((\d+)(?:-(\d+))?\):(\d+)", said.split("EXTENTS:", 1)[1]):
            n, off = int(last or first) - int(first) + 1, int(first) * 4096
            out.append((int(seg), off, int(at) * 4096, min(n * 4096, size - off)))
    return out


def lines(where):
    return "".join("%d %d %d %d\n" % x for x in where)
