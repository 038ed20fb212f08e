# SPDX-License-Identifier: ISC
"""What a system costs while it works: processor time, memory, octets and flushes of its disk. A system is all
processes of one PID namespace."""
import fcntl
import glob
import os
import re
import subprocess
import sys
import threading
import time

import peers
import world

TICKS = os.sysconf("SC_CLK_TCK")
DISK_MB = 768
# struct sock, inode, file and dentry of one socket, as slabinfo has them for Linux 6.x on x86-64
TCP_OBJECTS, OTHER_OBJECTS = 2368 + 832 + 192 + 192, 1088 + 832 + 192 + 192


def processes(init):
    """Process ids on this side of all that live in the namespace of `init`."""
    mine = os.readlink("/proc/%d/ns/pid" % init)
    out = []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            if os.readlink(path + "/ns/pid") == mine:
                out.append(int(path[6:]))
        except OSError:
            pass
    return out


def text(path):
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def cpu(init):
    """Seconds of processor time of all, those that ended and were waited for included; and by name."""
    total, names = 0.0, {}
    for pid in processes(init):
        head, _, rest = text("/proc/%d/stat" % pid).rpartition(") ")
        f = rest.split()
        if len(f) < 15:
            continue
        own = sum(map(int, f[11:15])) / TICKS
        name = text("/proc/%d/cmdline" % pid).split("\0")[0].split("/")[-1] or head.split("(")[-1]
        names[name] = names.get(name, 0.0) + own
        total += own
    return total, names


class Memory:
    """Octets that all processes of the namespace hold now: `pss`, `shmem` (memfds, mapped by nobody), `sockets`; `by`: PSS by
    name; `descriptors`: open ones."""

    def __init__(self, init):
        self.by, self.descriptors, shmem = {}, 0, {}
        for pid in processes(init):
            m = re.search(r"^Pss:\s+(\d+) kB", text("/proc/%d/smaps_rollup" % pid), re.M)
            name = text("/proc/%d/cmdline" % pid).split("\0")[0].split("/")[-1]
            self.by[name] = self.by.get(name, 0) + (int(m.group(1)) * 1024 if m else 0)
            for fd in glob.glob("/proc/%d/fd/*" % pid):
                self.descriptors += 1
                try:
                    if os.readlink(fd).startswith("/memfd:"):
                        st = os.stat(fd)
                        shmem[st.st_ino] = st.st_blocks * 512
                except OSError:
                    pass
        self.pss, self.shmem, self.sockets = sum(self.by.values()), sum(shmem.values()), sockets(init)
        self.total = self.pss + self.shmem + self.sockets


def sockets(init):
    """Octets of kernel memory in the sockets of the namespace's network: what waits in them and is reserved for them, and the
    objects that a socket is. Not: what TIME_WAIT remembers of ended connections."""
    out = subprocess.run(["nsenter", "-t", str(init), "-n", "ss", "-tuxnmHO", "exclude", "time-wait"], stdout=subprocess.PIPE,
                         text=True, stdin=subprocess.DEVNULL, check=False).stdout
    total = 0
    for line in out.splitlines():
        total += TCP_OBJECTS if line.startswith("tcp") else OTHER_OBJECTS
        m = re.search(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+),o(\d+),bl(\d+)", line)
        if m:
            # TCP counts octets on their way in w, and once more in t when the network has them.
            read, sent, ahead, waits, options, backlog = map(int, m.groups())
            total += read + max(sent, waits) + ahead + options + backlog
    return total


class Peak(threading.Thread):
    """The highest memory seen while it runs, looked at twice a second."""

    def __init__(self, init):
        super().__init__(daemon=True)
        self.init, self.most, self.over = init, Memory(init), threading.Event()
        self.start()

    def look(self):
        now = Memory(self.init)
        if now.total > self.most.total:
            self.most = now

    def run(self):
        while not self.over.wait(0.5):
            self.look()

    def end(self):
        self.over.set()
        self.join()
        self.look()
        return self.most


class Disk:
    """One ext4 of its own for both systems, on a loop device: what is written to it is theirs alone. Without the right
    to make one it is a folder, and nothing is counted."""

    def __init__(self):
        self.path = peers.path("srv/disk")
        self.device = None
        os.makedirs(self.path)
        folder = os.path.join(os.environ.get("BENCH_OUT", world.OUT), "disk")
        os.makedirs(folder, exist_ok=True)
        image = os.path.join(folder, "image")
        self.lock = open(folder + "/lock", "w", encoding="ascii")    # held as long as this process lives
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit("bench: another one has its disk in " + folder)
        if os.getuid() or not self.loop(image):
            world.sh("mount", "--bind", folder, self.path)

    def loop(self, image):
        if not os.path.exists(image) or os.stat(image).st_blocks < DISK_MB * 2048:
            world.sh("dd", "if=/dev/zero", "of=" + image, "bs=1M", "count=%d" % DISK_MB, "conv=fsync",
                     stderr=subprocess.DEVNULL)
        world.sh("mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", image)
        done = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", image], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            return False
        self.device = done.stdout.strip()
        try:
            world.sh("mount", "-o", "noatime", self.device, self.path)
        finally:
            world.sh("losetup", "-d", self.device)    # it goes away with the last mount
        return True

    def count(self):
        """(octets written, flushes) so far, after everything has been written that waits."""
        if not self.device:
            return 0, 0
        world.sh("sync", "-f", self.path)
        for line in text("/proc/diskstats").split("\n"):
            f = line.split()
            if f and f[2] == os.path.basename(self.device):
                return int(f[9]) * 512, int(f[18]) if len(f) > 18 else 0
        return 0, 0


class Reading:
    """From here to end(): a dictionary of what it cost."""

    def __init__(self, init, disk):
        self.init, self.disk = init, disk
        self.octets, self.flushes = disk.count()
        self.cpu, self.names = cpu(init)
        self.peak = Peak(init)
        self.began = time.monotonic()

    def end(self):
        peak = self.peak.end()
        used, names = cpu(self.init)
        octets, flushes = self.disk.count()
        return {"cpu": used - self.cpu, "peak": peak.total, "sockets": peak.sockets, "octets": octets - self.octets, "flushes": flushes - self.flushes,
                "names": {k: v - self.names.get(k, 0) for k, v in names.items() if v - self.names.get(k, 0) > 0.005}}
