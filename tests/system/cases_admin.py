# SPDX-License-Identifier: ISC
"""What is typed at the console: letters that the far side puts off are listed, held, tried, removed."""
import re

import machine
import peers
from mail import letter, submit
from stage import expect, need

ME = "hello@" + peers.HOME      # has a mailbox, which is told of what is removed
LATER = "451 4.3.0 later \x1b[2J\x07"


def number(w, text):
    """Submits it; the letter's number, as the client was told, in hexadecimal."""
    got = expect(submit(text, w.account, sender=ME, rcpt=peers.TO, timeout=60), 250)
    return int(re.search(r"queued as ([0-9a-f]{12})", got[1]).group(1), 16)


def put_off(w, box, n):
    """So many letters that wait: [(mark, number)]."""
    out = []
    for _ in range(n):
        mark, text = letter(ME)
        out.append((mark, number(w, text)))
        box.wait(r"queue: ev=deferred letter=%d " % out[-1][1], 60)
    return out


def typed(box, line, pattern, deadline=20):
    """Types it; what is printed from then on must match."""
    after = box.mark()
    box.type(line + "\n")
    return box.wait(pattern, deadline, after)


def listed(box, line):
    """The lines of a list, from its heading to its last one."""
    after = box.mark()
    typed(box, line, r"^  \d+ letters? in the queue$")
    text = [x for x in box.lines[after:] if x.startswith("  ")]
    return text[:1 + [i for i, x in enumerate(text) if x.endswith(" in the queue")][0]]


def deed(box, line, did, how="done"):
    typed(box, line, r"queue: ev=admin did=%s how=%s$" % (did, how))


def commands(w, box, again):
    """All of them; `again` switches the machine off and on."""
    with w.fake(replies={"MAIL": LATER}) as f:
        (first, a), (third, c) = put_off(w, box, 2)
        rows = listed(box, "list")
        need(re.match(r"^ +%d +\d+[smh]\S* +\d+K? +1 +\d+m  %s > %s$" % (a, re.escape(ME), re.escape(peers.TO)), rows[1]),
             "the row is not as it should be: %r" % rows)
        need(re.match(r" {11}451 4\.3\.0 .*later", rows[2]) and "\x1b" not in rows[2] and "\x07" not in rows[2],
             "the reply: %r" % rows[2])
        need(rows[-1] == "  2 letters in the queue", rows[-1])
        need(len(listed(box, "l nobody")) == 1, "letters of nobody")
        need(len(listed(box, "l " + w.account[0])) == len(listed(box, "l " + peers.TO.split("@")[1])) == len(rows),
             "the account's letters, or those to the domain, are not all")
        deed(box, "h %d" % a, "hold letter=%d" % a)
        deed(box, "hold %d" % c, "hold letter=%d" % c)
        typed(box, "s %012x" % a, r"^  to %s, held, tries 1$" % re.escape(peers.TO))
        deed(box, "t %d" % a, "retry letter=%d" % a, "not_now")
        deed(box, "hold 4711", "hold letter=4711", "unknown")
        again()
        typed(box, "s %d" % a, r"^  to .*, held, ")
        (second, b), (fourth, d) = put_off(w, box, 2)
        f.replies = {}
        deed(box, "t %d" % b, "retry letter=%d" % b)
        f.wait(second, 60)
        # One that is not answered with y stays.
        typed(box, "v %d" % c, r"^  End it, and tell the sender\? y$")
        typed(box, "l", r"^  It stays\.$")
        typed(box, "v %d" % c, r"^  End it, and tell the sender\? y$")
        deed(box, "y", "remove letter=%d" % c)
        box.wait(r"queue: ev=failed letter=%d .*removed by" % c, 20)
        report = f.wait(third, 60)
        need(not report["sender"] and b"multipart/report" in report["data"] and b"removed by" in report["data"],
             "the sender was not told: %r" % report)
        deed(box, "f", "flush")
        f.wait(fourth, 60)
        need(not [x for x in f.letters if first.encode() in x["data"]], "a held letter was flushed")
        deed(box, "r %d" % a, "release letter=%d" % a)
        deed(box, "t %d" % a, "retry letter=%d" % a)
        f.wait(first, 60)
        need(not [x for x in f.letters if third.encode() in x["data"] and x["sender"]], "a removed letter was sent")


def in_a_container(w):
    """Standard input of the container is the console. A queue that died knows what is held."""
    with w.other(w.keys, machine.Box.store("admin"), typing=True) as box:
        w.publish(box)

        def again():
            after = box.mark()
            box.kill("queue")
            box.wait(r"init: ev=died proc=queue", 10, after)
            typed_until_there(box)
        commands(w, box, again)


def typed_until_there(box):
    """The queue is away for a moment: what is asked meanwhile is answered so."""
    for _ in range(100):
        if "in the queue" in typed(box, "l", r"letters? in the queue$|try again|does not answer"):
            return
    need(False, "the queue did not come back")


def rubbish(w):
    """Nothing that is typed ends anything but its line."""
    with w.other(typing=True) as box:
        for octets in (b"\xff\xfe\x00\n", b"a" * 5000 + b"\n", b"\x1b[A\x1b[B\n", b"l " + b"x" * 250 + b"\n", b"y\ny\n",
                       b"s 99999999999999999999999\n", b"\x15\x7f\x08\n"):
            box.type(octets)
        typed(box, "?", r"^  f  flush ")
        need(not [x for x in box.lines if re.search(r"ev=(died|accuse)", x)], "a process ended")


CASES = [in_a_container, rubbish]
