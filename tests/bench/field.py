# SPDX-License-Identifier: ISC
"""What the cases share: the outside world, the generator, the sink, the appliance in a container."""
import os
import re
import select
import shutil
import subprocess

import machine
import peers
import stage as system
import world

OUT = os.environ.get("BENCH_OUT", world.OUT)
HANG = "192.0.2.28"
HANGS = 100            # of so many destinations d0.bench.example ... d999 one takes the connection and says nothing
WARM, WARM_FIRST = 100, 2000000
TIME = 240             # for one round of one system, s

PLAIN = ["--port", "587"]
LOGIN = PLAIN + ["--tls", "start", "--user", "", "--password", ""]
STRANGER = ["--port", "25", "--sender", "ann@stranger.example", "--rcpt", "hello@example.org"]


class Sink:
    def __init__(self, tls):
        words = ["--cert", world.root + "/srv/ca/bench.pem", "--key", world.root + "/srv/ca/bench.key"] if tls else []
        self.p = subprocess.Popen([OUT + "/tools/sink"] + words + ["--hang", HANG, "--listen", world.FAKE],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  preexec_fn=world.die_with_parent)
        self.line(5)

    def line(self, deadline):
        if not select.select([self.p.stdout], [], [], deadline)[0]:
            return None
        f = self.p.stdout.readline().split()
        return {f[i]: int(f[i + 1]) for i in range(0, len(f), 2)}

    def ask(self, command, deadline=5):
        self.p.stdin.write(command + "\n")
        self.p.stdin.flush()
        return self.line(deadline)

    def close(self):
        self.p.kill()
        self.p.wait()


class Ours:
    name = "tinpost"

    def __init__(self, w, disk, fresh):
        # The journal's segments are written with zeros once in their life: it is kept, unless letters stay in it.
        data = os.path.join(disk.path, "tinpost")
        if fresh:
            shutil.rmtree(data, ignore_errors=True)
        os.makedirs(data, exist_ok=True)
        self.box = machine.Box(w["files"], w["keys"], data)
        self.box.start().ready()
        self.box.wait(r"ev=publish name=", 120)
        self.signer = re.search(r"code=(\S+)", self.box.wait(r"holder\.dkim: ev=signer code=")).group(1)
        self.init = self.box.init

    def said(self):
        return "   " + "\n   ".join(self.box.lines[-12:])

    def stop(self):
        if os.environ.get("V"):
            print(self.said(), flush=True)
        try:
            self.box.stop()
        except subprocess.TimeoutExpired:
            pass
        self.box.cut()


def login(w, words):
    """The words of the generator with the account's name and password filled in."""
    words = list(words)
    for name, value in zip(("--user", "--password"), w["account"]):
        if name in words:
            words[words.index(name) + 1] = value
    return words


def generator(words, letters, first):
    return [OUT + "/tools/load", "--to", world.APPLIANCE, "--from", world.CLIENT, "--letters", str(letters), "--first",
            str(first)] + words


def figures(text):
    f = text.split()
    return {f[i]: float(f[i + 1]) for i in range(0, len(f), 2)}


def load(words, letters, first):
    return figures(subprocess.run(generator(words, letters, first), stdout=subprocess.PIPE, text=True, check=True,
                                  timeout=TIME).stdout)


def warm_up(system, sink, words):
    """Letters that are not counted; what the sink says before those that are."""
    sink.ask("reset")
    load(words, WARM, WARM_FIRST)
    need(sink.ask("wait %d" % WARM, 60), system, "the letters of the warm-up did not arrive")
    return sink.ask("reset")


def need(truth, system, why):
    if not truth:
        raise RuntimeError("%s: %s" % (system.name, why))


def stage():
    """The outside world: names, certificates, the account, keys that outlive a round."""
    peers.certificates()
    peers.make_cert("ca", "bench", ["mail.example.org", "sink.example", peers.GMAIL, "*." + peers.GMAIL],
                    ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))
    names = peers.Names()
    rows = []
    for k in range(1000):
        host = "hang" if k % HANGS == 7 else "mx"
        rows += ["d%d.bench.example MX 10 %s%d.bench.example." % (k, host, k),
                 "%s%d.bench.example A %s" % (host, k, HANG if host == "hang" else world.FAKE)]
    names.add_all(rows, 300)
    names.route(world.FAKE)
    for line in ("sink.example MX 10 mx.sink.example.", "mx.sink.example A " + world.FAKE):
        names.add(line, 300)
    world.sh("ip", "addr", "add", HANG + "/24", "dev", "br0")
    account, files = system.Stage.lists(system.Stage)
    return {"account": account, "files": files, "keys": machine.Box.store("keys"), "names": names}
