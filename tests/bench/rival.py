# SPDX-License-Identifier: ISC
"""Postfix with OpenDKIM, in namespaces of their own and on the appliance's address."""
import os
import shutil
import signal
import socket
import subprocess

import peers
import world

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = "srv/bench"
START = """
cd /srv/bench && read go
opendkim -f -x /srv/bench/opendkim.conf &
postsrsd -f 10001 -r 10002 -d example.org -s /srv/bench/srs.secret -u nobody -l 127.0.0.1 &
while ! [ -S /srv/bench/opendkim.sock ]; do sleep 0.1; done
exec /usr/lib/postfix/sbin/master -i -c /srv/bench
"""


def prepare(account):
    """Configuration, keys and the account; once."""
    peers.openssl("genrsa", "-traditional", "-out", "/srv/ca/dkim.key", "2048")
    for name in ("main.cf", "master.cf", "opendkim.conf"):
        with open(os.path.join(HERE, "postfix", name), encoding="ascii") as f:
            peers.put(BASE + "/" + name, f.read())
    peers.put(BASE + "/tls_policy", "%s secure match=hostname\n" % peers.ROUTE)
    peers.put(BASE + "/srs.secret", os.urandom(18).hex() + "\n")
    peers.put(BASE + "/virtual", "@example.org %s\n" % peers.TO)
    peers.put(BASE + "/sasl/smtpd.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n"
              "sasldb_path: /srv/bench/sasldb2\n")
    shutil.move(peers.path("srv/ca/dkim.key"), peers.path(BASE, "dkim.key"))
    os.chown(peers.path(BASE, "dkim.key"), 102, 104)
    os.chmod(peers.path(BASE, "dkim.key"), 0o600)
    os.makedirs(peers.path(BASE, "data"))
    os.chown(peers.path(BASE, "data"), 101, 102)
    os.chmod(peers.path(BASE), 0o755)
    os.chown(peers.path(BASE), 102, 104)
    done = world.inside("saslpasswd2", "-c", "-p", "-f", "/srv/bench/sasldb2", "-u", "mail.example.org", account[0],
                        input=account[1].encode())
    if done.returncode:
        raise RuntimeError("saslpasswd2: %r" % done.stdout)
    os.chmod(peers.path(BASE, "sasldb2"), 0o644)


def spool():
    """A fresh queue directory on the benchmark's disk."""
    top = peers.path("srv/disk/postfix")
    shutil.rmtree(top, ignore_errors=True)
    for name in peers.Standin.QUEUES:
        path = os.path.join(top, name)
        os.makedirs(path)
        if name != "pid":
            os.chown(path, 101, 103 if name in ("maildrop", "public") else 102)
            os.chmod(path, {"maildrop": 0o730, "public": 0o710}.get(name, 0o700))


def greeted():
    try:
        with socket.create_connection((world.APPLIANCE, 587), 1) as s:
            s.settimeout(5)
            return s.recv(64).startswith(b"220 ")
    except OSError:
        return False


class Rival:
    name = "postfix"
    signer = "opendkim"

    def __init__(self):
        spool()
        for leftover in ("opendkim.sock", "data/master.lock"):
            if os.path.exists(peers.path(BASE, leftover)):
                os.unlink(peers.path(BASE, leftover))
        log = open(peers.path(BASE, "log"), "ab")
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--mount", "--net", "--uts", "--ipc", "--fork", "--kill-child",
             "--mount-proc=" + world.root + "/proc", "chroot", world.root, "/bin/sh", "-c", START],
            stdin=subprocess.PIPE, stdout=log, stderr=log, env=world.CLEAN)
        world.until("namespace", 5, self.find)
        world.veth("rival", self.init)
        for words in (("link", "set", "lo", "up"), ("addr", "add", world.APPLIANCE + "/24", "dev", "eth0"),
                      ("link", "set", "eth0", "up")):
            world.sh("nsenter", "-t", str(self.init), "-n", "ip", *words)
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()
        try:
            world.until("Postfix", 20, greeted)
        except world.Late:
            self.stop()
            raise world.Late("Postfix did not start: " + self.said())

    @staticmethod
    def said():
        out = ""
        for name in ("log", "mail.log"):
            if os.path.exists(peers.path(BASE, name)):
                with open(peers.path(BASE, name), encoding="ascii", errors="replace") as f:
                    out += "".join(f.readlines()[-20:])
        return out

    def find(self):
        with open("/proc/{0}/task/{0}/children".format(self.process.pid), encoding="ascii") as f:
            kids = f.read().split()
        self.init = int(kids[0]) if kids else 0
        return self.init

    def stop(self):
        os.kill(self.init, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        world.unplug("rival")
