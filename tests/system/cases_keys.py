# SPDX-License-Identifier: ISC
"""Keys of a machine: its own ones, in two copies, and back from a backup."""
import base64
import os
import re
import shutil
import subprocess

import machine
import mail
import peers
import variant
import world
from cases_acme import Pebble, prepared
from cases_forward import sender_of
from cases_tls import AT25, handshake
from stage import expect, need

SECRETS = {"tls/key", "srs/key", "dkim/" + peers.HOME}
ALL = SECRETS | {"account/key", "tlsrsa/key", "ed25519/" + peers.HOME}


def secrets(folder, names=SECRETS):
    """{name: octets} of one copy."""
    out = {}
    for name in names:
        try:
            with open(os.path.join(folder, name), "rb") as f:
                out[name] = f.read()
        except OSError:
            pass
    return out


def identity(box):
    """The record of the key that signs, and the public key that port 25 shows."""
    line = box.wait(r"holder\.dkim: ev=publish name=%s\._domainkey\.%s " % (peers.SELECTOR, peers.HOME), 120)
    pem = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", handshake(*AT25), re.S)[0]
    return line.split('value="')[1].rstrip('"'), world.inside("openssl", "x509", "-noout", "-pubkey", input=pem.encode()).stdout


def complete(box):
    """keygen's last step at a first start: the next key is there, too."""
    return box.wait(r"keygen: ev=publish name=%s-2\._domainkey\." % peers.SELECTOR, 120)


def tool(*words):
    return subprocess.run([world.OUT + "/host/tinpost-keys"] + list(words), stdin=subprocess.DEVNULL, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def two_machines(w):
    """One image, two machines: no secret in common, and none leaves where no backup was asked for."""
    w.end()
    seen = []
    for name in ("keys-one", "keys-two"):
        keys = machine.Box.store(name)
        with machine.Box(w.files, keys) as box:
            complete(box)
            who, kept = identity(box), secrets(keys + "/a")
            need(set(kept) == SECRETS and kept == secrets(keys + "/b"), "kept: %r" % sorted(kept))
            need(not any("ev=backup" in x for x in box.lines), "a backup that nobody asked for")
        seen.append(list(who) + [kept[x] for x in sorted(kept)])
    need(all(a != b for a, b in zip(*seen)), "the machines share a secret")


def half_written(w):
    """One copy torn: mended from the other. Both: said, left as they are, and nothing is made in their place."""
    w.end()
    keys = machine.Box.store("keys-torn")
    with machine.Box(w.files, keys) as box:
        complete(box)
        was, kept = identity(box), secrets(keys + "/a")
    torn = {name: octets[:len(octets) // 2] for name, octets in kept.items()}
    for copies in ("a", "ab"):
        for copy in copies:
            for name, octets in torn.items():
                with open(os.path.join(keys, copy, name), "wb") as f:
                    f.write(octets)
        with machine.Box(w.files, keys) as box:
            if copies == "a":
                need(identity(box) == was, "another machine")
                for name in torn:
                    box.wait(r"ev=keyfile copy=a/%s mended=yes" % name.split("/")[0], 30)
                need(secrets(keys + "/a") == kept, "not mended")
            else:
                box.wait(r"holder\.dkim: ev=nokey ", 30)
                for kind in ("tls", "srs"):
                    box.wait(r"ev=ephemeral secret=%s" % kind, 30)
                need(secrets(keys + "/a") == torn and secrets(keys + "/b") == torn, "written over")


def refused(words, why):
    """The tool says in one line which file and why, and leaves nothing behind."""
    done = tool("open", *words)
    need(done.returncode == 1 and re.search("^%s: .*%s" % (re.escape(words[-2]), why), done.stdout, re.M), "%s: %s" % (why, done.stdout))
    need(not os.path.exists(words[-1]), "something was written: " + why)


def is_sealed(text, lost):
    """No part of a secret stands in the text, as it is or in base64, whatever stands before it; a modulus is no secret."""
    public = b"".join(base64.b64decode(x) for x in re.findall(rb"v=DKIM1; k=rsa; p=([\w+/=]+)", text))
    for octets in lost.values():
        for at in range(48, len(octets) - 24, 24):
            part = octets[at:at + 24]
            if part[3:21] in public:
                continue
            need(part not in text, "a secret in clear")
            for shift in range(3):
                need(base64.b64encode(part[shift:shift + 21])[:28] not in text, "a secret in base64")
            need(part.hex().encode() not in text.lower(), "a secret in hexadecimal")


def bounced(rcpt):
    with mail.Client(25) as c:
        c.hello()
        expect(c.cmd("MAIL FROM:<>"), 250)
        return c.cmd("RCPT TO:<%s>" % rcpt)


def of_image(private, text, out):
    """What lies on the key disk that is made of a backup, as a folder."""
    done = tool("open", private, text, out)
    need(done.returncode == 0, done.stdout)
    subprocess.run([world.TOP + "/rootfs/disks", "keys", out + ".img", out], check=True, env=dict(os.environ, SOURCE_DATE_EPOCH="1"))
    for copy, start in (("a", 1), ("b", 6)):
        os.makedirs(out + ".disk/" + copy)
        subprocess.run(["debugfs", "-R", "rdump / %s.disk/%s" % (out, copy), "%s.img?offset=%d" % (out, start << 20)], check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return out + ".disk"


def odd_backups(private, text, out):
    """Nothing is written, but for what --partial takes of one that is cut."""
    with open(text, "rb") as f:
        octets = f.read()
    odd, middle = out + ".text", octets.index(b" text=") + 60
    tool("make", out + ".private", out + ".public")
    refused((out + ".private", text, out), "sealed to another key")
    refused((private, private, out), "no backup in it")
    for changed, why in ((octets[:middle], "cut or altered"), (octets[:-20480], r"secret (\d+) of \1 is missing"),
                         (octets[:middle] + bytes((octets[middle] ^ 3,)) + octets[middle + 1:], "altered"),
                         (octets.replace(b" v=1 ", b" v=2 "), "another version"), (b"", "no backup in it")):
        with open(odd, "wb") as f:
            f.write(changed)
        refused((private, odd, out), why)
    with open(odd, "wb") as f:
        f.write(octets[:-20480])
    need(tool("open", "--partial", private, odd, out).returncode == 0 and "tls/key" in secrets(out + "/a"), "nothing was left")
    done = tool("open", odd, text, out + "-key")
    need(done.returncode == 1 and "not the private key" in done.stdout and not os.path.exists(out + "-key"), done.stdout)


def comes_back(w):
    """The key disk is lost: the machine with keys from the backup is the same one, and what is no whole backup is refused."""
    rootfs, private, out = prepared(w, "backup"), variant.folder("backup") + "/private", os.path.join(world.root, "tmp", "restored")
    keys, data = machine.Box.store("keys-lost"), machine.Box.store("lost")
    kept, console = data + "/keys.backup", out + ".console"

    def whole():
        shutil.rmtree(out, ignore_errors=True)
        return tool("open", private, kept, out).returncode == 0 and secrets(out + "/a", ALL) == secrets(keys + "/a", ALL)
    with Pebble():
        with machine.Box(w.files, keys, data, rootfs=rootfs) as box:
            complete(box)
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 60)
            was = identity(box)
            mark, text = mail.letter("ann@stranger.example")
            expect(mail.forward(text), 250)
            srs = sender_of(w.standin.wait(mark).decode())
            world.until("the whole backup", 60, whole)
            with open(console, "w", encoding="utf-8") as f:
                f.write("\n".join(box.lines))
        lost = secrets(keys + "/a", ALL)
        need(secrets(out + "/a", ALL) == lost and secrets(out + "/b", ALL) == lost, "other secrets than those that were lost")
        need(all(os.stat(os.path.join(out, "a", x)).st_mode & 0o777 == 0o600 for x in lost), "others may read them")
        need(os.stat(kept).st_mode & 0o777 == 0o600 and os.stat(private).st_mode & 0o777 == 0o600, "others may read it")
        for path in (kept, console):
            with open(path, "rb") as f:
                is_sealed(f.read(), lost)
        with machine.Box(w.files, machine.Box.store("keys-empty"), data, rootfs=rootfs) as box:
            box.wait("ev=backup kept=/data/keys.lost", 30)
            need(identity(box) != was, "the same keys out of nothing")
            expect(bounced(srs), 550)
        accounts = Pebble.log().count("accounts in memory")
        need(accounts, Pebble.log())
        with machine.Box(w.files, of_image(private, console, out + "-console"), data, rootfs=rootfs) as box:
            need(identity(box) == was, "another machine")
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 60)
            need(Pebble.log().count("accounts in memory") == accounts, "another account")
            expect(bounced(srs), 250)
            need(not any("ev=newsecret" in x or "ev=keyfile" in x for x in box.lines), box.text())
    odd_backups(private, data + "/keys.lost", out + "-odd")


CASES = [two_machines, half_written, comes_back]
