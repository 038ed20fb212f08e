# SPDX-License-Identifier: ISC
"""Certificates from an authority: Debian's Pebble."""
import base64
import contextlib
import json
import os
import re
import sys

import machine
import mail
import peers
import variant
import world
from cases_tls import AT25, AT465, handshake
from stage import expect, need

AUTHORITY = "acme.example"
ALIAS = "imap.home.example"


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


def prepared(w, kind="acme"):
    """The root file system of a variant; its names lead to the authority and to the appliance."""
    w.end()
    need(os.path.exists(variant.rootfs(kind)), "the variant was not built")
    w.names.add("%s A %s" % (AUTHORITY, world.DNS))
    w.names.add("%s A %s" % (ALIAS, world.APPLIANCE))
    return variant.rootfs(kind)


@contextlib.contextmanager
def appliance(w, keys, kind="acme", **files):
    with machine.Box(dict(w.files, **files), machine.Box.store(keys), None, rootfs=prepared(w, kind)) as box:
        try:
            yield box
        except Exception:
            print(box.text(), Pebble.log()[-3000:], sep="\n", file=sys.stderr)
            raise


def shown(at, *words):
    """What a port presents: the certificates, end entity first, as OpenSSL prints them."""
    text = handshake(*at, "-showcerts", *words)
    out = []
    for pem in re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S):
        out.append(world.inside("openssl", "x509", "-noout", "-text", input=pem.encode()).stdout.decode())
    return out


def number(text):
    return re.search(r"Serial Number:\s+(\S+)", text)[1]


def public(text):
    return re.search(r"pub:\s+([\s0-9a-f:]+)", text)[1]


def in_use(length=1, kind="prime256v1"):
    """Both ports present a chain of the authority for such a key, with so many certificates above ours."""
    for at in (AT25, AT465):
        certs = world.until("the certificate in use", 20, lambda: [x for x in [shown(at)] if "Pebble" in x[0]])[0]
        need(len(certs) == 1 + length, "%d certificates" % len(certs))
        need(kind in certs[0], certs[0])
        for name in (peers.APPLIANCE, ALIAS):
            need(shown(at, "-servername", name) == certs, "another chain for " + name)
            need("DNS:" + name in certs[0], certs[0])


def closed(port=80):
    need(not world.connects(world.APPLIANCE, port), "port %d is open" % port)


def by_port_443(w):
    """The proof is a certificate (RFC 8737); port 443 is open for it and at no other time, and nobody asks for port 80.
    The key is RSA (KEYS_TLS_RSA), made beside everything else."""
    with Pebble(httpPort=81), appliance(w, "keys-acme5", kind="alpn") as box:
        box.wait(r"acme: ev=door open=443", 30)
        box.wait(r"acme: ev=certificate issuer=.*Pebble", 30)
        in_use(kind="Public-Key: (2048 bit)")
        closed(443)
        closed()


def a_renewal_ends_no_connection(w):
    """What was said over the old certificate goes on over it; who comes later sees the new one, for the same key."""
    account, token = w.account
    keys = machine.Box.store("keys-acme6")
    with Pebble(certificateValidityPeriod=20), appliance(w, "keys-acme6") as box:
        box.wait(r"acme: ev=certificate issuer=.*Pebble", 30)
        in_use()
        old = shown(AT465)[0]
        with mail.Client(465, tls=True) as early, mail.Client(25) as stranger:
            early.hello()
            expect(early.login(account, token), 235)
            stranger.hello()
            expect(stranger.starttls(), 220)
            stranger.hello()
            at = box.mark()
            for copy in "ab":      # or it would renew on another day
                os.unlink("%s/%s/acme/key" % (keys, copy))
            box.kill("acme")
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 20, after=at)
            at = box.mark()
            box.wait(r"acme: ev=certificate issuer=.*Pebble", 60, after=at)
            for port in (AT465, AT25):
                new = world.until("the new certificate", 20, lambda p=port: [x for x in shown(p)[:1] if number(x) != number(old)])[0]
                need(public(new) == public(old), "another key")
            expect(early.cmd("NOOP"), 250)
            mark, text = mail.letter("ann@stranger.example")
            expect(stranger.send("ann@stranger.example", "hello@" + peers.HOME, text), 250)
            w.standin.wait(mark)


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


CASES = [first_certificate, by_port_443, a_renewal_ends_no_connection, refused_nonces_and_a_long_chain, external_account]
