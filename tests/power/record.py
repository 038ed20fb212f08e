# SPDX-License-Identifier: ISC
"""The shipped image in QEMU, its journal's disk under blklogwrites, while letters come and go."""
import hashlib
import os
import re
import shutil
import threading

import ext4
import machine
import peers
import world
from mail import Client, letter, stuffed

APP = "app@" + peers.HOME
CLIENTS = 4


class Logged(machine.Qemu):
    """Writes and flushes of the data disk go to `log`, too; `base` is the disk as it was before."""

    def __init__(self, files, home):
        super().__init__(files, "microvm", start=False)
        self.data, self.base, self.log = self.disks.pop(), home + "/base.img", home + "/log"
        shutil.copyfile(self.data, self.base)
        open(self.log, "wb").close()
        self.more = ["-blockdev", "driver=file,node-name=dataf,filename=" + self.data,
                     "-blockdev", "driver=file,node-name=logf,filename=" + self.log,
                     "-blockdev", "driver=blklogwrites,node-name=data,file=dataf,log=logf,log-sector-size=512",
                     "-device", "virtio-blk-device,drive=data"]

    def length(self):
        return os.stat(self.log).st_size


class Noting(list):
    """The fake destination's letters: what comes is noted before its 250 leaves."""

    def __init__(self, note):
        super().__init__()
        self.note = note

    def append(self, x):
        self.note(x)
        super().append(x)


def digest(text):
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class Events:
    def __init__(self, q):
        self.q, self.lines, self.lock = q, [], threading.Lock()
        self.marks = {}      # Message-ID's mark -> digest

    def note(self, what, text_digest):
        with self.lock:
            self.lines.append("%s %s %d\n" % (what, text_digest, self.q.length()))

    def delivered(self, got):
        mark = re.search(rb"Message-ID: <([^@]+)@", got["data"]).group(1).decode()
        self.note("delivered", self.marks[mark])

    def write(self, path):
        with open(path, "w", encoding="ascii") as f:
            f.write("".join(self.lines))


def send(events, account, count, body):
    """One client: `count` letters on one connection; a letter that is not answered 250 may be anywhere."""
    with Client(465, tls=True, timeout=120) as c:
        c.hello()
        c.login(*account)
        for i in range(count):
            mark, text = letter(APP, body=body(i))
            events.marks[mark] = digest(text)
            got = (250, "")
            for line in ("MAIL FROM:<%s>" % APP, "RCPT TO:<%s>" % peers.TO, "DATA"):
                got = c.cmd(line) if got[0] == 250 else got
            if got[0] != 354:
                continue
            events.note("sent", digest(text))
            c.raw(stuffed(text))
            if c.reply()[0] == 250:
                events.note("accepted", digest(text))


def crowd(events, account, count):
    """`count` letters of CLIENTS clients at a time, of some 100 octets to some 10 KiB."""
    def body(i):
        return b"x" * 70 + b"\r\n" + (b"line of letter %d\r\n" % i) * (1 << i % 10)

    crew = [threading.Thread(target=send, args=(events, account, count // CLIENTS, body)) for _ in range(CLIENTS)]
    for x in crew:
        x.start()
    for x in crew:
        x.join()


def complete(q, scratch, count):
    """The journal's segments as they lie once all of them are there."""
    def probe():
        shutil.copyfile(q.data, scratch)
        ext4.mend(scratch)
        got = ext4.extents(scratch)
        return got if len({x[0] for x in got}) == count else None
    return world.until("all segments", 60, probe)


def record(w, home, letters):
    """(length of the log from which the segments lie still, extents); files base.img, log, events, extents in home."""
    w.end()
    with Logged(w.files, home) as q:
        q.start().ready()
        w.publish(q, 240)
        events = Events(q)
        with w.fake(letters=Noting(events.delivered), replies={"MAIL": ["451 4.3.0 later"] * (letters // 8)}) as f:
            crowd(events, w.account, CLIENTS)
            where = complete(q, home + "/scratch.img", int(world.config["SMTPD_QUEUE_SEGMENTS"]))
            still = q.length()
            crowd(events, w.account, letters - CLIENTS)
            world.until("deliveries", 60, lambda: len(f.letters) >= letters - letters // 8)
            f.replies["MAIL"] = "451 4.3.0 later"    # the last ones wait
            crowd(events, w.account, CLIENTS)
        q.cut()
        after = complete(q, home + "/scratch.img", int(world.config["SMTPD_QUEUE_SEGMENTS"]))
    events.write(home + "/events")
    with open(home + "/extents", "w", encoding="ascii") as out:
        out.write(ext4.lines(where))
    return still, where == after
