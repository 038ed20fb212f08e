# SPDX-License-Identifier: ISC
"""Keys of a machine: its own ones, in two copies."""
import os
import re

import machine
import peers
import world
from cases_tls import AT25, handshake
from stage import need

SECRETS = {"tls/key", "srs/key", "dkim/" + peers.HOME}


def secrets(folder):
    """{name: octets} of one copy."""
    out = {}
    for name in SECRETS:
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


def two_machines(w):
    """One image, two machines: no secret in common."""
    w.end()
    seen = []
    for name in ("keys-one", "keys-two"):
        keys = machine.Box.store(name)
        with machine.Box(w.files, keys) as box:
            complete(box)
            who, kept = identity(box), secrets(keys + "/a")
            need(set(kept) == SECRETS and kept == secrets(keys + "/b"), "kept: %r" % sorted(kept))
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


CASES = [two_machines, half_written]
