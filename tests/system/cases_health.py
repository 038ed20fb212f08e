# SPDX-License-Identifier: ISC
"""The health check in a container: what a process that hangs does to the heartbeat, and what a missing disk does not."""
import contextlib
import signal

import machine
import variant
from stage import need

OK = r"health: ev=health state=ok journal=%s"
STARVES = r"init: ev=unhealthy watchdog=starves"


@contextlib.contextmanager
def often(w, keys, data):
    """Looks at itself every five seconds."""
    w.end()
    box = machine.Box(w.files, keys, data, rootfs=variant.rootfs("health"))
    try:
        yield box.start().ready()
    finally:
        box.cut()


def each_that_hangs(w):
    """One after the other is stopped and goes on: it is named, the heartbeat ends, and comes back."""
    with often(w, machine.Box.store("keys-health"), machine.Box.store("health")) as box:
        box.wait(OK % "kept", 60)
        for name in ("front.mx", "front.sub", "dns", "queue"):
            mark = box.mark()
            pid = box.kill(name, signal.SIGSTOP)
            try:
                box.wait(r"health: ev=health state=failed part=%s why=" % name.replace(".", r"\."), 120, mark)
                box.wait(STARVES, 60, mark)
            finally:
                box.kill(name, signal.SIGCONT)
            box.wait(OK % "kept", 120, mark)
            box.wait(r"init: ev=unhealthy watchdog=fed", 30, mark)
            need(box.pids()[name] == pid, name + " was started anew")
            others = [x for x in box.lines[mark:] if "state=failed" in x and "part=%s " % name not in x]
            need(not others, "others were accused: %r" % others)
        need(not [x for x in box.lines if "connect id=" in x], "the log is full of the dialogues")


def without_disk(w):
    """No keys and no data: that is no illness."""
    with often(w, None, None) as box:
        box.wait(OK % "none", 60)
        need(not [x for x in box.lines if "ev=unhealthy" in x], "it says that it is ill")


CASES = [each_that_hangs, without_disk]
