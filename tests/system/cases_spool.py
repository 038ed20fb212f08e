# SPDX-License-Identifier: ISC
"""FORWARD_SPOOL: strangers' letters that cannot be forwarded at once are kept; nobody is bounced (RULES P7, F6)."""
import contextlib
import os
import re
import subprocess

import machine
import peers
import variant
import world
from cases_forward import suffix
from mail import Client, forward, letter
from stage import expect, need

HELLO = "hello@" + peers.HOME
LATER, NEVER = "451 4.2.1 not now", "550 5.1.1 gone"
RATE = "421-4.7.28 Gmail has detected an unusual rate\r\n421 4.7.28 of email"


@contextlib.contextmanager
def spool(w, data="", files=None):
    """An appliance with the symbol, and a disk of its own; data None: without one."""
    need(os.path.exists(variant.rootfs("spool")), "the variant was not built")
    w.end()
    where = None if data is None else machine.Box.store(data or "spool%d" % machine.Box.count)
    with machine.Box({**w.files, **(files or {})}, w.keys, where, rootfs=variant.rootfs("spool")) as box:
        yield box


def fresh():
    return letter("ann@stranger.example")


def kept(box, text, deadline=0):
    """The letter is put off and gets 250; within the deadline 451 is an answer, too."""
    at = box.mark()
    got = forward(text) if not deadline else world.until("a letter that is kept", deadline, lambda: (
        lambda x: x if x[0] == 250 else None)(forward(text)))
    expect(got, 250, "queued as")
    box.wait(r"check\.mx: ev=letter .*code=250 .*spooled=4\d\d", 5, after=at)


def copies(f, mark):
    return len([x for x in f.letters if mark.encode() in x["data"]])


def away_and_back(w):
    """The exchanger is away: 250 and no copy; it is back: one copy, octet for octet, and the signature is good."""
    with spool(w) as box:
        mark, text = fresh()
        text = w.stranger.sign(text)
        w.names.route("192.0.2.99")
        try:
            kept(box, text)
            need(mark not in str(w.standin.letters()), "it was delivered")
        finally:
            w.names.route(world.MX)
        got = w.standin.wait(mark, deadline=60)
        suffix(got, text.replace(b"\r\n", b"\n"))
        for judge, verdict in peers.judge(got).items():
            need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
        box.wait(r"queue\.mx: ev=sent .*code=250", 10)
        need(len([x for x in w.standin.letters() if mark.encode() in x]) == 1, "more than one copy")


def the_first_word_stands(w):
    """What the destination says at once is what the sender hears: 250 and 5xx as without the symbol."""
    with spool(w) as box, w.fake(replies={".": [NEVER, "250 2.0.0 OK here"]}) as f:
        expect(forward(fresh()[1]), 550, "5.1.1")
        expect(forward(fresh()[1]), 250, "OK here")
        need(len(f.letters) == 1 and not [x for x in box.lines if "queue.mx: ev=queued" in x], "something was kept")


def refused_later(w):
    """Then postmaster gets a notice, one for both letters, the log an alarm for each, and their sender nothing."""
    with spool(w) as box, w.fake(replies={"RCPT": [LATER, NEVER]}) as f:
        first, text = fresh()
        kept(box, text)
        box.wait(r"queue\.mx: ev=alarm .*code=550 .*gone", 30)
        got = f.wait("Lost: ")
        need(got["sender"] == "" and got["rcpts"] == [peers.TO], "to %r from %r" % (got["rcpts"], got["sender"]))
        need(first.encode() in got["data"] and b"stranger.example=ann@" in got["data"], "it does not say which letter")
        at = box.mark()
        f.replies["RCPT"] = [LATER, NEVER]
        second, text = fresh()
        kept(box, text)
        box.wait(r"queue\.mx: ev=alarm .*code=550 .*gone", 30, after=at)
        last, text = fresh()
        expect(forward(text), 250)      # behind whatever would have come
        f.wait(last)
        need(len(f.letters) == 2 and copies(f, second) == 0, "%d letters" % len(f.letters))
        need(not [x for x in w.standin.letters("stranger") if first.encode() in x or second.encode() in x], "a bounce")
        need(not [x for x in box.lines if "to=stranger.example" in x], "something was on its way to the sender")


def each_process_dies(w):
    """With the letter in the journal; it arrives once."""
    with spool(w) as box:
        for name in ("front.mx", "check.mx", "holder.srs", "dns", "out.mx", "queue.mx", "queue"):
            with w.fake(replies={"MAIL": LATER}) as f:
                mark, text = fresh()
                kept(box, text, 30)
                old = box.kill(name)
                world.until("a new " + name, 10, lambda n=name, o=old: box.pids().get(n, o) != o)
                f.replies = {}
                f.wait(mark, 60)
                last, text = fresh()
                world.until("a letter after it", 30, lambda t=text: forward(t)[0] == 250)
                f.wait(last)
                need(copies(f, mark) == 1, "%s died: %d copies" % (name, copies(f, mark)))
        need(not [x for x in box.lines if "ev=bug" in x], "one died by itself")


def dies_past_the_dot(w):
    """The destination has the letter and says nothing yet: a new queue.mx learns the end of it from out.mx."""
    with spool(w) as box, w.fake(replies={"MAIL": [LATER]}) as f:
        f.hold.clear()
        mark, text = fresh()
        kept(box, text)
        world.until("the letter at the destination", 30, lambda: f.held)
        old = box.kill("queue.mx")
        world.until("a new queue.mx", 10, lambda: box.pids().get("queue.mx", old) != old)
        at = box.mark()
        f.hold.set()
        box.wait(r"queue\.mx: ev=sent ", 30, after=at)
        need(copies(f, mark) == 1 and f.held == 1, "it was sent twice")


def restart(w):
    """The power goes with a letter in the journal: the next start delivers it."""
    with w.fake(replies={"MAIL": LATER}) as f:
        mark, text = fresh()
        with spool(w, "spool") as box:
            kept(box, text)
        f.replies = {}
        with spool(w, "spool") as box:
            f.wait(mark, 60)
            box.wait(r"queue\.mx: ev=sent ", 10)
            need(copies(f, mark) == 1, "%d copies" % copies(f, mark))


def without_data(w):
    """No disk: 451 with the destination's words, as without the symbol."""
    with spool(w, None) as box, w.fake(replies={"MAIL": [LATER]}):
        expect(forward(fresh()[1]), 451, "not now")
        expect(forward(fresh()[1]), 250)
        box.wait(r"queue\.mx: ev=nodata", 5)


def told_to_stop(w):
    """Gmail's 4.7.28 holds for spooled letters, too: no connection; RCPT does not say no while the journal takes them."""
    with spool(w) as box, w.fake(replies={".": RATE}) as f:
        kept(box, fresh()[1])
        box.wait(r"out\.mx: ev=paused domain=%s " % peers.ROUTE, 5)
        kept(box, fresh()[1])
        box.wait(r"queue\.mx: ev=deferred .*told us to send nothing", 30)
        need(f.held == 1, "it saw %d letters" % f.held)
        with Client() as c:
            c.hello()
            expect(c.cmd("MAIL FROM:<ann@stranger.example>"), 250)
            expect(c.cmd("RCPT TO:<%s>" % HELLO), 250)


def apart(w):
    """The two queues share neither user nor folder nor segments."""
    with spool(w, "apart") as box:
        pids, where = box.pids(), machine.Box.store("apart")
        one, two = (os.stat("/proc/%d/root" % pids[x]) for x in ("queue", "queue.mx"))
        need(os.path.samestat(two, os.stat(where + "/mx")) and os.path.samestat(one, os.stat(where)), "the folders")
        need(one.st_uid != two.st_uid and two.st_mode & 0o777 == 0o700, "their owners")
        with w.fake(replies={"MAIL": [LATER]}) as f:
            mark, text = fresh()
            kept(box, text)
            f.wait(mark, 30)
        need(os.path.exists(where + "/mx/seg.0000"), "no segment")


def takes(code, sender, rcpt=HELLO):
    """What the client hears at RCPT, or, where that is 250, at the end."""
    with Client() as c:
        c.hello()
        expect(c.send(sender, rcpt, letter(sender)[1]), code)


def rates(w):
    """RULES F7: so many letters of one sender, and for one address, in an hour; then 450 at RCPT. Others do not notice."""
    ann, bob, also = "ann@stranger.example", "bob@stranger.example", "also@" + peers.HOME
    with spool(w), w.fake() as f:
        for _ in range(25):
            takes(250, ann)
        takes(450, ann)
        takes(450, ann, also)
        for _ in range(3):
            takes(250, bob)
        takes(450, bob)
        takes(250, bob, also)
        need(len(f.letters) == 29, "%d letters" % len(f.letters))


def map_of(w, home, row):
    """The alias map of the domain, with this row."""
    name = peers.path("srv/lists/" + home)
    peers.put("srv/lists/" + home, row + "\n")
    w.tool("tinpost-virtual", "--domains", home, "--forward-to", peers.TO, name, name + ".cdb")
    with open(name + ".cdb", "rb") as f:
        return {machine.VIRTUAL: f.read()}


def two_in_a_circle(w):
    """Two appliances that forward to each other: the letter goes round once, and its sender hears 554."""
    second = "192.0.2.11"
    rows = ["loop.example MX 10 second.example.org.", "second.example.org A " + second]
    w.names.add_all(rows)
    try:
        with spool(w, files=map_of(w, "loop.example", "box@loop.example %s" % HELLO)) as two:
            for words in (("del", world.APPLIANCE + "/24"), ("add", second + "/24")):
                subprocess.run(["nsenter", "-t", str(two.init), "-n", "ip", "addr", *words, "dev", "eth0"], check=True)
            one = machine.Box({**w.files, **map_of(w, peers.HOME, HELLO + " box@loop.example")}, w.keys,
                              machine.Box.store("circle"))
            with one:
                expect(forward(fresh()[1]), 554, "5.4.6")
                refused = r"check\.mx: ev=letter .*code=554"
                first = one.lines.index(one.wait(refused, 5))
                one.wait(refused, 5, after=first + 1)      # the console may be later than the sender's answer
                two.wait(refused, 5)
                seen = [len([x for x in box.lines if re.search(refused, x)]) for box in (one, two)]
                need(seen == [2, 1], "letters: %r" % seen)
                need(not [x for x in two.lines if "queue.mx: ev=queued" in x], "it was kept")
    finally:
        for row in rows:
            w.names.drop(row.split()[0])


CASES = [away_and_back, the_first_word_stands, refused_later, each_process_dies, dies_past_the_dot, restart, without_data,
         told_to_stop, apart, rates, two_in_a_circle]
