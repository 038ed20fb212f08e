# SPDX-License-Identifier: ISC
"""Processes die in the middle of letters; devices are missing or full; the power goes; many at once."""
import os
import random
import subprocess
import threading
import time

import machine
import peers
import world
from mail import Client, forward, letter, submit
from stage import Failed, expect, need

APP = "app@" + peers.HOME
TEMPORARY = (451, 421, 0)   # 0: the connection was cut


class Background(threading.Thread):
    """A call in the background; get() is its result, within a deadline."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.result = call, None
        self.start()

    def run(self):
        try:
            self.result = self.call()
        except OSError as e:
            self.result = (0, str(e))

    def get(self, deadline, what):
        self.join(deadline)
        if self.result is None:
            raise Failed("%s hangs" % what)
        return self.result


def works_again(w, name, deadline=20):
    """Both lanes accept and deliver before the deadline."""
    end = time.monotonic() + deadline
    for what, send in (("forwarding", forward), ("submission", lambda t: submit(t, w.account, rcpt=peers.TO))):
        while True:
            mark, text = letter(APP if what == "submission" else "ann@stranger.example")
            try:
                got = send(text)
            except OSError as e:
                got = (0, str(e))
            if got[0] == 250:
                break
            need(got[0] in TEMPORARY + (454, 530), "after %s died %s says %d %s" % (name, what, *got))
            need(time.monotonic() < end, "after %s died %s does not come back: %d %s" % (name, what, *got))
            time.sleep(0.1)
        w.standin.wait(mark)


def one_dies(w, box, name):
    """A letter is held at the destination in each lane, one more is half sent; then `name` is killed."""
    with w.fake() as f:
        f.hold.clear()
        fmark, ftext = letter("ann@stranger.example")
        smark, stext = letter(APP)
        fwd = Background(lambda: forward(ftext, timeout=60))
        world.until("the forwarded letter at the destination", 15, lambda: f.held >= 1)
        sub = Background(lambda: submit(stext, w.account, rcpt=peers.TO, timeout=60))
        world.until("the submitted letter at the destination", 15, lambda: f.held >= 2)
        half = Client()
        half.hello()
        half.cmd("MAIL FROM:<bob@stranger.example>")
        half.cmd("RCPT TO:<hello@%s>" % peers.HOME)
        half.cmd("DATA")
        half.raw(b"From: ann@stranger.example\r\nSubject: half\r\n")
        old = box.kill(name)
        world.until("a new " + name, 10, lambda: box.pids().get(name, old) != old)
        f.hold.set()
        got = fwd.get(30, "the forwarded letter, %s killed," % name)
        need(got[0] in (250,) + TEMPORARY, "%s killed: the forwarded letter got %d %s" % (name, *got))
        if got[0] == 250:
            need([x for x in f.letters if fmark.encode() in x["data"]], "250 for a letter that never arrived")
        got = sub.get(30, "the submitted letter, %s killed," % name)
        need(got[0] in (250,) + TEMPORARY, "%s killed: the submitted letter got %d %s" % (name, *got))
        if got[0] == 250:
            f.wait(smark, 60)
        half.sock.settimeout(20)
        half.raw(b"\r\nbody\r\n.\r\n")
        got = half.reply()
        need(got[0] in (250, 451, 421, 0, 554), "%s killed: the half-sent letter got %d %s" % (name, *got))
        half.close()
    works_again(w, name)


def victims(box):
    return sorted(set(box.pids()) - {"init"})


def kill_each_process(w):
    """Nothing hangs, nothing answered 250 is lost, the others go on."""
    box = w.appliance()
    names = victims(box)
    need(len(names) >= 12, "only these run: %r" % names)
    said = []
    for name in names:
        try:
            one_dies(w, box, name)
        except (Failed, world.Late, OSError) as e:
            said.append("%s: %s" % (name, e))
            w.end()
            box = w.appliance()
    need(not said, "; ".join(said))


def many_letters_at_once(w):
    """Both lanes, 24 clients, 5 letters each: temporary refusals are retried, each arrives."""
    w.appliance()
    marks, problems = [], []

    def client(n):
        for _ in range(5):
            mark, text = letter(APP if n % 2 else "ann@stranger.example", body=b"x" * 70 + b"\r\n" + b"y" * 60 * n)
            text += b"\r\n"
            end = time.monotonic() + 60
            while True:
                try:
                    got = submit(text, w.account, rcpt=peers.TO) if n % 2 else forward(text)
                except OSError as e:
                    got = (0, str(e))
                if got[0] == 250:
                    marks.append(mark)
                    break
                if got[0] not in (0, 421, 451, 452, 454) or time.monotonic() > end:
                    problems.append(got)
                    break
                time.sleep(0.2)
    with w.fake() as f:
        crowd = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(24)]
        for t in crowd:
            t.start()
        for t in crowd:
            t.join(120)
        need(not problems, "refused: %r" % problems[:3])
        need(len(marks) == 120, "only %d letters were accepted" % len(marks))
        world.until("all letters", 60, lambda: not f.missing(marks))


def poisoned_letter(w):
    """A letter that was inside at a crash gets 451, at the second 554, and is not shown to anybody a third time."""
    box = w.appliance()
    _, text = letter("ann@stranger.example")
    _, other = letter("ann@stranger.example")
    with w.fake() as f:
        for code in (451, 554):
            f.hold.clear()
            held = f.held
            sent = Background(lambda: forward(text, timeout=60))
            world.until("the letter at the destination", 15, lambda: f.held > held)
            old = box.kill("check.mx")
            expect(sent.get(20, "the client"), code)
            f.hold.set()
            world.until("a new check.mx", 10, lambda: box.pids().get("check.mx", old) != old)
        world.until("another letter", 20, lambda: forward(other)[0] == 250)
        held = f.held
        expect(forward(text), 554, "5.6.0")
        need(f.held == held, "it was shown again")


def random_deaths(w):
    """Letters flow in both lanes while processes are killed, one every fifth of a second."""
    box = w.appliance()
    marks, problems, stop = [], [], threading.Event()

    def client(n):
        while not stop.is_set():
            mark, text = letter(APP if n % 2 else "ann@stranger.example")
            try:
                got = submit(text, w.account, rcpt=peers.TO) if n % 2 else forward(text)
            except OSError as e:
                got = (0, str(e))
            if got[0] == 250:
                marks.append(mark)
            elif got[0] not in TEMPORARY + (452, 454, 530, 554):
                problems.append(got)
    with w.fake() as f:
        crowd = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(8)]
        for t in crowd:
            t.start()
        dice = random.Random(7)
        deaths = 0
        for _ in range(40):
            running = victims(box)
            try:
                box.kill(dice.choice(running))
                deaths += 1
            except (KeyError, IndexError, ProcessLookupError):
                pass
            stop.wait(0.2)
        stop.set()
        for t in crowd:
            t.join(60)
            need(not t.is_alive(), "a client hangs")
        need(not problems, "strange answers: %r" % problems[:3])
        need(len(marks) > 20 and deaths > 20, "%d letters, %d deaths: too few" % (len(marks), deaths))
        print("# %d letters were answered 250 while %d processes died" % (len(marks), deaths), flush=True)
        try:
            world.until("all letters", 60, lambda: not f.missing(marks))
        except world.Late as e:
            raise Failed("lost, of %d answered 250: %r" % (len(marks), sorted(f.missing(marks)))) from e
    works_again(w, "many", 30)


def restart_keeps_keys_and_letters(w):
    """Accepted, not delivered, every process killed at once; the next start delivers it, with the same keys."""
    w.end()
    with w.other(w.keys, w.data) as box:
        first = w.publish(box)
        with w.fake(replies={"MAIL": "451 4.3.0 later"}):
            mark, text = letter(APP)
            expect(submit(text, w.account, rcpt=peers.TO), 250)
        box.cut()
    with w.other(w.keys, w.data) as box:
        need(w.publish(box) == first, "another DKIM key")
        w.standin.wait(mark, deadline=30)


def without_data(w):
    """Forwarding goes on, submission says 451, the console says why."""
    with w.other(w.keys, None) as box:
        mark, text = letter("ann@stranger.example")
        expect(forward(text), 250)
        w.standin.wait(mark)
        expect(submit(letter(APP)[1], w.account, rcpt=peers.TO), 451)
        box.wait(r"data", 5)


def without_keys(w):
    with w.other(None, w.data) as box:
        mark, text = letter("ann@stranger.example")
        expect(forward(text), 250)
        w.standin.wait(mark)
        expect(submit(letter(APP)[1], w.account, rcpt=peers.TO), 451)
        box.wait(r"ephemeral", 5)


def full_data(w):
    """A data device without room: submission is refused for now, forwarding goes on."""
    small = machine.Box.store("small")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "small", small], check=True)
    with open(small + "/filler", "wb") as f:
        f.write(b"\0" * 200 * 1024)
    try:
        with w.other(w.keys, small):
            mark, text = letter("ann@stranger.example")
            expect(forward(text), 250)
            w.standin.wait(mark)
            got = submit(letter(APP)[1], w.account, rcpt=peers.TO)
            need(got[0] in (451, 452), "submission says %d %s" % got)
            need(os.path.getsize(small + "/filler") == 200 * 1024, "a foreign file was touched")
    finally:
        subprocess.run(["umount", "-l", small], check=False)


def orderly_stop(w):
    """SIGTERM to init: 421 to clients, everything ends by itself, the letter that was accepted is still there."""
    box = w.appliance()
    with w.fake(replies={"MAIL": "451 4.3.0 later"}):
        mark, text = letter(APP)
        expect(submit(text, w.account, rcpt=peers.TO), 250)
        box.stop()
        box.wait(r"init: .*ev=halt", 5)
    w.end()
    w.appliance()
    w.standin.wait(mark, deadline=30)


CASES = [kill_each_process, many_letters_at_once, poisoned_letter, random_deaths,
         orderly_stop, restart_keeps_keys_and_letters, without_data,
         without_keys, full_data]
