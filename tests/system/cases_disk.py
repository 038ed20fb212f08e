# SPDX-License-Identifier: ISC
"""The disk image that ships, started by the firmware of a PC."""
import boards
import cases_qemu
from stage import need


def shown(rows, lines):
    """Whether the lines stand on the screen: one pattern for each letter, and another for each other letter."""
    letters = [x for x in lines if 10 < len(x) <= len(rows[0])][-4:]
    for line in letters:
        for row in rows:
            glyph = {}
            if all(glyph.setdefault(c, cell) == cell for c, cell in zip(line, row)) and len(set(glyph.values())) == len(glyph):
                return True
    return False


def boot(w, machine=boards.Vm, **how):
    """Both lanes; the journal took the whole disk, once; the table on the disk is as it was; keys outlive the power cut."""
    w.end()
    with machine(w.files, start=False, **how) as q:
        table = q.table()
        q.start().ready()
        first = w.publish(q, 300)
        q.wait(r"init: ev=grow path=/data mib=%d\b" % (512 - boards.PLACES["DATA"][0] // boards.MIB), 5)
        cases_qemu.both_lanes(w)
        lines = list(q.lines)
        need(shown(q.screen(), lines), "the screen does not show the log")
        q.again()
        need(w.publish(q, 60) == first, "another DKIM key after a restart")
        need(not [x for x in q.lines if "ev=grow" in x], "it grew again")
        need(q.table() == table, "the partition table was written")


def bios(w):
    boot(w)


CASES = [bios]
