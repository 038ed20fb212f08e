# SPDX-License-Identifier: ISC
"""Certificates from an authority: Debian's Pebble."""
import base64
import contextlib
import json
import os
import re
import sys

import machine
import peers
import variant
import world
from cases_tls import AT25, AT465, handshake
from stage import need

AUTHORITY = "acme.example"


class Pebble:
    """The authority on 192.0.2.53; words of the environment make it odd."""

    CONF = {"listenAddress": world.DNS + ":14000", "managementListenAddress": world.DNS + ":15000",
            "certificate": "/srv/ca/acme.pem", "privateKey": "/srv/ca/acme.key", "httpPort": 80, "tlsPort": 443}

    def __init__(self, *words, **conf):
        if not os.path.exists(peers.path("srv/ca/acme.pem")):
            peers.make_cert("ca", "acme", [AUTHORITY], ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))
        peers.put("srv/pebble/conf", json.dumps({"pebble": dict(self.CONF, **conf)}))
        self.process = world.start("env", "PEBBLE_VA_NOSLEEP=1", *words, "pebble", "-config", "/srv/pebble/conf",
                                   "-dnsserver", world.DNS + ":53", log="srv/pebble/log")
        world.until("pebble", 20, lambda: world.connects(world.DNS, 14000))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)

    @staticmethod
    def log():
        with open(peers.path("srv/pebble/log"), encoding="utf-8", errors="replace") as f:
            return f.read()


@contextlib.contextmanager
def appliance(w, keys, **files):
    w.end()
    need(os.path.exists(variant.rootfs("acme")), "the variant was not built")
    w.names.add("%s A %s" % (AUTHORITY, world.DNS))
    with machine.Box(dict(w.files, **files), machine.Box.store(keys) if keys else None, None, rootfs=variant.rootfs("acme")) as box:
        try:
            yield box
        except Exception:
            print(box.text(), Pebble.log()[-3000:], sep="\n", file=sys.stderr)
            raise


def shown(at):
    """What a port presents: the certificates, end entity first, as OpenSSL prints them."""
    text = handshake(*at, "-showcerts")
    out = []
    for pem in re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S):
        out.append(world.inside("openssl", "x509", "-noout", "-text", input=pem.encode()).stdout.decode())
    return out


def in_use(length=1):
    """Both ports present a chain of the authority with so many certificates above ours."""
    for at in (AT25, AT465):
        certs = world.until("the certificate in use", 20, lambda: [x for x in [shown(at)] if "Pebble" in x[0]])[0]
        need(len(certs) == 1 + length, "%d certificates" % len(certs))
        need("DNS:" + peers.APPLIANCE in certs[0] and "prime256v1" in certs[0], certs[0])


def closed():
    need(not world.connects(world.APPLIANCE, 80), "port 80 is open")


def first_certificate(w):
    with Pebble(), appliance(w, "keys-acme1") as box:
        box.wait(r"acme: ev=certificate issuer=.*Pebble", 30)
        in_use()
        closed()


def refused_nonces_and_a_long_chain(w):
    """Half of all nonces are refused, the chain has three certificates above ours; a restart of acme, of the holder or of
    the machine orders nothing again."""
    with Pebble("PEBBLE_WFE_NONCEREJECT=50", "PEBBLE_CHAIN_LENGTH=3"):
        with appliance(w, "keys-acme2") as box:
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 40)
            in_use(3)
            for name in ("acme", "holder.tls"):
                at, old = box.mark(), box.kill(name)
                world.until("a new " + name, 10, lambda: box.pids().get(name, old) != old)
                if name == "acme":
                    box.wait(r"acme: ev=certificate issuer=.*Pebble", 10, after=at)
            in_use(3)
            closed()
        orders = Pebble.log().count("POST /order-plz")
        with appliance(w, "keys-acme2") as box:
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 10)
            in_use(3)
            need(Pebble.log().count("POST /order-plz") == orders, "another order after a restart")


def external_account(w):
    """The authority wants an account that it knows otherwise; without one it refuses."""
    key = os.urandom(32)
    keys = {"kid-1": base64.urlsafe_b64encode(key).decode().rstrip("=")}
    with Pebble(externalAccountBindingRequired=True, externalAccountMACKeys=keys):
        with appliance(w, "keys-acme3") as box:
            line = box.wait(r"acme: ev=problem at=account ", 20)
            need("type=externalAccountRequired" in line, line)
        with appliance(w, "keys-acme4", **{"etc/tinpost/binding": b"kid-1\0" + key}) as box:
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 30)


CASES = [first_certificate, refused_nonces_and_a_long_chain, external_account]
