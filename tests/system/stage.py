# SPDX-License-Identifier: ISC
"""What the cases play on: peers, an account, an alias map, and one appliance that is kept while it serves well."""
import contextlib
import os
import subprocess

import fake
import machine
import peers
import world

ALIASES = """# the alias map of the system tests
hello@{home} {to}
also@{home} {to}
other@{home} second@{route}
both@{home} {to}, ann@stranger.example
strict@{home} ann@strict.sts.example
verified@{home} ann@verified.sts.example
closed@{home} REJECT 5.1.6 Has moved to example.net
"""


# What `make user` is told of each account.
ACCOUNTS = {"app1": [], "scram": ["--scram"], "gone": ["--expires", "2020-12-31"], "few": ["--quota", "1"]}


class Failed(Exception):
    pass


def need(truth, why):
    if not truth:
        raise Failed(why)


def expect(got, code, text=""):
    """A reply (code, text) must have this code (or one of several) and hold this text."""
    codes = code if isinstance(code, tuple) else (code,)
    need(got[0] in codes and text in got[1],
         "the reply is %d %s, not %s %s" % (got[0], got[1], "/".join(map(str, codes)), text))
    return got


class Stage:
    def __init__(self):
        peers.certificates()
        self.names = peers.Names()
        self.standin = peers.Standin()
        self.stranger = peers.Stranger(self.names)
        self.account, self.files = self.lists()
        self.keys, self.data = machine.Box.store("keys"), machine.Box.store("data")
        self.box = self.dot = None
        self.failed = 0     # starts without success, one after the other

    @staticmethod
    def tool(name, *words):
        done = subprocess.run([os.path.join(world.OUT, "host", name)] + list(words), text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise Failed("%s: %s" % (name, done.stderr.strip()))
        return done.stdout

    def lists(self):
        """An account app1 with a fresh token, others for cases_accounts.py, their map, the alias map, the test anchors."""
        home = peers.path("srv/lists")
        os.makedirs(home)
        with open(home + "/virtual", "w", encoding="ascii") as f:
            f.write(ALIASES.format(home=peers.HOME, to=peers.TO, route=peers.ROUTE))
        said = {name: self.tool("tinpost-user", "--file", home + "/users", *more, name, "@" + peers.HOME).split()[-1]
                for name, more in ACCOUNTS.items()}
        self.tool("tinpost-users", home + "/users", home + "/users.cdb")
        self.tool("tinpost-virtual", "--domains", world.config.get("SMTPD_DOMAINS", peers.HOME),
                  "--forward-to", peers.TO, home + "/virtual", home + "/virtual.cdb")
        files = {x: peers.anchors().encode() for x in (machine.ANCHORS, machine.PUBLIC)}
        for name, path in ((machine.USERS, "/users.cdb"), (machine.VIRTUAL, "/virtual.cdb")):
            with open(home + path, "rb") as f:
                files[name] = f.read()
        self.tokens = said
        return ("app1", said["app1"]), files

    def appliance(self):
        """The running appliance with keys and data; started when there is none, or when it ended."""
        if self.box and self.box.process.poll() is None:
            return self.box
        need(self.failed < 3, "the appliance did not start three times")
        box = self.box = machine.Box(self.files, self.keys, self.data)
        try:
            box.start().ready()
            self.publish(box)
        except world.Late:
            self.failed += 1
            raise
        self.failed = 0
        return box

    def publish(self, box, deadline=120):
        """Waits for the DKIM record on the console and publishes it."""
        line = box.wait(r"ev=publish name=%s\._domainkey\.%s " % (peers.SELECTOR, peers.HOME), deadline)
        record = line.split('value="', 1)[1].rstrip('"')
        peers.publish(self.names, "%s._domainkey.%s" % (peers.SELECTOR, peers.HOME), record)
        return record

    def end(self):
        if self.box:
            self.box.cut()
            self.box = None

    @contextlib.contextmanager
    def fake(self, **attributes):
        """The pinned route leads to a destination that behaves as told."""
        f = fake.Fake()
        for k, v in attributes.items():
            setattr(f, k, v)
        self.names.route(world.FAKE)
        try:
            yield f
        finally:
            f.hold.set()
            self.names.route(world.MX)
            f.close()

    @contextlib.contextmanager
    def other(self, keys=None, data=None, typing=False):
        """Another appliance beside the usual one, which is ended: both have the same address."""
        self.end()
        box = machine.Box(self.files, keys, data, typing)
        try:
            yield box.start().ready()
        finally:
            box.cut()
