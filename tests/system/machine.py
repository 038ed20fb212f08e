# SPDX-License-Identifier: ISC
"""The appliance, started in one of two ways with one interface: under init in namespaces, or in QEMU."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import newc
import world

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = os.path.join(world.OUT, "images")
# files of the root file system that a test replaces
ANCHORS, PUBLIC, USERS, VIRTUAL, SMARTHOST = ("etc/tinpost/" + x for x in (
    "anchors.pem", "public.pem", "users.cdb", "virtual.cdb", "smarthost"))
READY = r"\binit: (ev=)?ready\b"


class Machine:
    """Console lines come in `lines`; wait() finds one, ever after, with a deadline."""

    def __init__(self, files=None):
        self.files = files or {}   # path in the root file system -> octets, in place of the shipped ones
        self.lines = []
        self.process = None
        self.echo = False
        self.at_once = True        # `with` starts it

    def listen(self, stream):
        def run():
            part = b""
            while True:
                data = stream.read1(65536)
                if not data:
                    return
                part += data
                *whole, part = part.split(b"\n")
                for x in whole:
                    self.lines.append(x.decode(errors="replace").rstrip("\r"))
                    if self.echo:
                        print("    . " + self.lines[-1], flush=True)
        threading.Thread(target=run, daemon=True).start()

    def mark(self):
        return len(self.lines)

    def type(self, text):
        """At the console of a machine that was made with typing=True."""
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.process.stdin.flush()

    def wait(self, pattern, deadline=30, after=0):
        """The first console line from number `after` on that matches."""
        def probe():
            if self.process.poll() is not None and self.ended is None:
                self.ended = time.monotonic()
            for x in self.lines[after:]:
                if re.search(pattern, x):
                    return x
            if self.ended and time.monotonic() - self.ended > 1:
                raise world.Late("the machine ended; no line matches %r" % pattern)
            return None
        self.ended = None
        return world.until("console line %r" % pattern, deadline, probe)

    def ready(self, deadline=30):
        self.wait(READY, deadline)
        self.wait(r"front\.mx: .*ev=listening.*port=25\b", deadline)
        return self

    def text(self):
        return "\n".join(self.lines[-60:])

    def cut(self):
        """As if the power went."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def __enter__(self):
        return self.start().ready() if self.at_once else self

    def __exit__(self, *_):
        self.cut()


class Box(Machine):
    """init as PID 1 of a container: the tree of the shipped root file system, folders for keys and data."""

    count = 0

    def __init__(self, files=None, keys=None, data=None, typing=False, rootfs=IMAGES + "/rootfs.cpio.zst"):
        super().__init__(files)
        self.typing = typing
        Box.count += 1
        self.name = "box%d" % Box.count
        self.dir = os.path.join(world.root, "tmp", self.name)
        self.keys, self.data = keys, data     # folders on this side, or None: no such device
        os.makedirs(self.dir + "/root")
        newc.unpack(newc.archive(rootfs), self.dir + "/root")
        for name, octets in self.files.items():
            path = os.path.join(self.dir, "root", name)
            if os.path.exists(path):
                os.unlink(path)
            with open(path, "wb") as f:
                f.write(octets)

    @staticmethod
    def store(name):
        """A folder for keys or data that outlives a Box."""
        path = os.path.join(world.root, "tmp", "store-" + name)
        for copy in ("a", "b"):    # the two copies of the keys; the journal has no use for them
            os.makedirs(os.path.join(path, copy) if name.startswith("keys") else path, exist_ok=True)
        return path

    def start(self):
        ready, go = os.pipe(), os.pipe()
        cmd = ["unshare", "--pid", "--mount", "--net", "--uts", "--ipc", "--fork", "--kill-child",
               "/usr/bin/python3", "-B", HERE + "/contain.py", self.dir + "/root", self.keys or "-",
               self.data or "-", str(ready[1]), str(go[0])]
        stdin = subprocess.PIPE if self.typing else subprocess.DEVNULL
        self.process = subprocess.Popen(cmd, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=(ready[1], go[0]))
        os.close(ready[1])
        os.close(go[0])
        self.listen(self.process.stdout)
        if os.read(ready[0], 1) != b"r":
            raise world.Late("container did not start: " + self.text())
        os.close(ready[0])
        with open("/proc/{0}/task/{0}/children".format(self.process.pid), encoding="ascii") as f:
            self.init = int(f.read().split()[0])
        world.veth(self.name, self.init)
        os.write(go[1], b"g")
        os.close(go[1])
        return self

    def pids(self):
        """{process name: pid}, names as in topology.def."""
        out = {}
        mine = os.readlink("/proc/%d/ns/pid" % self.init)
        for path in glob.glob("/proc/[0-9]*"):
            try:
                if os.readlink(path + "/ns/pid") == mine:
                    with open(path + "/cmdline", "rb") as f:
                        out[f.read().split(b"\0")[0].decode().split("/")[-1]] = int(path[6:])
            except OSError:
                pass
        return out

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pids()[name]
        os.kill(pid, sig)
        return pid

    def stop(self, deadline=15):
        """Orderly: SIGTERM to init; the process must end by itself."""
        os.kill(self.init, signal.SIGTERM)
        self.process.wait(deadline)

    def cut(self):
        super().cut()
        world.unplug(self.name)
        shutil.rmtree(self.dir, ignore_errors=True)


class Qemu(Machine):
    """The images that ship, in QEMU under TCG. `files` travel in a second archive behind the shipped initrd."""

    count = 0

    def __init__(self, files=None, board="microvm", disks=True, memory=48, icount=False, terminal=False,
                 echo=False, start=True, rootfs=None, more=(), typing=False, images=IMAGES):
        super().__init__(files)
        Qemu.count += 1
        self.name = "tap%d" % Qemu.count
        self.dir = os.path.join(world.root, "tmp", self.name)
        self.board, self.memory, self.icount, self.terminal = board, memory, icount, terminal
        self.at_once, self.typing = start, typing
        self.echo = echo           # console lines are printed as they come
        os.makedirs(self.dir)
        world.tap(self.name)
        self.disks = []
        for name in ("keys.img", "data.img") if disks else ():
            shutil.copyfile(os.path.join(images, name), self.dir + "/" + name)
            self.disks.append(self.dir + "/" + name)
        self.more = list(more)     # further words for QEMU
        self.images = images
        with open(rootfs or images + "/rootfs.cpio.zst", "rb") as f:
            initrd = f.read()
        if self.files:
            initrd += b"\0" * newc.pad(len(initrd)) + newc.pack(self.files)
        with open(self.dir + "/initrd", "wb") as f:
            f.write(initrd)

    def words(self):
        """The kernel's command line. A microvm has no clock to measure the processor's counter with but one
        that a busy host starves, and then hangs: it is told the rate. Instructions need no measuring."""
        out = "console=ttyS0 quiet reboot=t panic=-1"
        if self.board == "microvm" and not self.icount:
            with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
                rates = [float(x) for x in re.findall(r"^cpu MHz\s*: ([\d.]+)", f.read(), re.M)]
            out += " tsc_early_khz=%d" % (1000 * max(rates, default=2000.0))
        return out

    def program(self):
        return ["qemu-system-x86_64", "-M", self.board, "-kernel", self.images + "/bzImage"]

    def common(self, card):
        """What every machine has, however it is started."""
        return ["-accel", "tcg", "-m", str(self.memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-netdev", "tap,id=net,script=no,downscript=no,ifname=" + self.name,
                "-device", card + ",netdev=net,mac=52:54:00:12:34:56",
                "-qmp", "unix:%s/qmp,server=on,wait=off" % self.dir, "-serial", "chardev:con"] + self.console()

    def command(self):
        bus = "device" if self.board == "microvm" else "pci"
        cmd = self.program() + self.common("virtio-net-" + bus) + [
            "-initrd", self.dir + "/initrd", "-append", self.words(), "-device", "virtio-rng-" + bus]
        for i, disk in enumerate(self.disks):
            cmd += ["-drive", "id=d%d,file=%s,format=raw,if=none" % (i, disk),
                    "-device", "virtio-blk-%s,drive=d%d" % (bus, i)]
        if self.icount:
            cmd += ["-icount", "shift=1,sleep=off"]
        return cmd + self.more

    def console(self):
        log = self.dir + "/console"
        if self.terminal:
            return ["-chardev", "stdio,id=con,mux=on,signal=off,logfile=" + log, "-mon", "chardev=con"]
        if self.typing:
            return ["-chardev", "stdio,id=con,signal=off,logfile=" + log]
        return ["-chardev", "file,id=con,path=" + log]

    def start(self):
        open(self.dir + "/console", "wb").close()
        stdin = subprocess.PIPE if self.typing else None if self.terminal else subprocess.DEVNULL
        self.process = subprocess.Popen(self.command(), stdin=stdin,
                                        stdout=subprocess.DEVNULL if self.typing else None,
                                        preexec_fn=world.die_with_parent)
        self.listen(Tail(self.dir + "/console", self.process))
        return self

    def ready(self, deadline=90):
        return super().ready(deadline)

    def qmp(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.dir + "/qmp")
            f = s.makefile("rw")
            f.readline()
            for ask in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                f.write(json.dumps(ask) + "\n")
                f.flush()
                answer = json.loads(f.readline())
                while "event" in answer:
                    answer = json.loads(f.readline())
        return answer

    def stop(self, deadline=30):
        self.qmp("system_powerdown")
        self.process.wait(deadline)

    def again(self):
        """The same machine, the same disks, switched on once more."""
        self.cut()
        self.lines = []
        return self.start().ready()

    def __exit__(self, *_):
        self.cut()
        world.unplug(self.name)
        shutil.rmtree(self.dir, ignore_errors=True)


class Tail:
    """Reads a file that grows, until its writer has ended."""

    def __init__(self, path, process):
        self.f, self.process = open(path, "rb"), process

    def read1(self, n):
        while True:
            ended = self.process.poll() is not None
            data = self.f.read(n)
            if data or ended:
                return data
            time.sleep(0.01)
