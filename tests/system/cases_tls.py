# SPDX-License-Identifier: ISC
"""TLS on the listening side, seen by OpenSSL."""
import csv
import re
import subprocess
import sys

import machine
import peers
import world
from stage import need

AT25 = ("-connect", world.APPLIANCE + ":25", "-starttls", "smtp")
AT465 = ("-connect", world.APPLIANCE + ":465")


# What OpenSSL reads to be a client without extended master secret.
BARE = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = -ExtendedMasterSecret\n"


def handshake(*words, typed=b"QUIT\r\n", conf=None):
    env = dict(world.CLEAN, OPENSSL_CONF=conf) if conf else world.CLEAN
    done = subprocess.run(["chroot", world.root, "openssl", "s_client", "-bind", world.CLIENT] + list(words),
                          env=env, input=typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, check=False)
    return done.stdout.decode(errors="replace")


def accepted(*words):
    text = handshake(*words)
    return "Cipher is (NONE)" not in text and "Cipher is" in text, text


def groups_and_suites(w):
    w.appliance()
    for at in (AT25, AT465):
        for groups, used in (("X25519:P-256", "X25519"), ("P-256", "prime256v1")):
            good, text = accepted(*at, "-groups", groups)
            need(good and "TLSv1.2" in text and re.search("Server Temp Key: .*" + used, text),
                 "%s with %s: %s" % (at[1], groups, text[-300:]))
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            good, text = accepted(*at, "-cipher", suite)
            need(good and suite in text, "%s: %s" % (suite, text[-300:]))


def old_and_weak_is_refused(w):
    w.appliance()
    for words in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                  ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"),
                  ("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-SHA:AES128-SHA"),
                  ("-tls1_3",)):
        for at in (AT25, AT465):
            good, text = accepted(*at, *words)
            need(not good, "%r was accepted: %s" % (words, text[-200:]))


def session_is_resumed(w):
    """OpenSSL keeps a session of each port and comes back with it; each lane knows its own only."""
    w.appliance()
    for at in (AT25, AT465):
        kept = "/tmp/session" + at[1][-3:]
        need("New, TLSv1.2" in handshake(*at, "-sess_out", kept), "no new session at " + at[1])
        text = handshake(*at, "-sess_in", kept)
        need("Reused, TLSv1.2" in text, "%s: %s" % (at[1], text[-300:]))
    need("New, TLSv1.2" in handshake(*AT465, "-sess_in", "/tmp/session:25"), "a session of another lane")


def extended_master_secret(w):
    """RFC 7627: with everybody who has it, also in a resumed session; who has not is served, and not resumed."""
    w.appliance()
    peers.put("srv/ca/bare.conf", BARE)
    for at in (AT25, AT465):
        kept = "/tmp/extended" + at[1][-3:]
        text = handshake(*at, "-sess_out", kept)
        need("New, TLSv1.2" in text and "Extended master secret: yes" in text, "%s: %s" % (at[1], text[-900:]))
        text = handshake(*at, "-sess_in", kept)
        need("Reused, TLSv1.2" in text and "Extended master secret: yes" in text, "%s: %s" % (at[1], text[-900:]))
        text = handshake(*at, "-sess_in", kept, conf="/srv/ca/bare.conf")
        need("Reused" not in text and "handshake failure" in text, "%s: %s" % (at[1], text[-900:]))
        for session in ("-sess_out", "-sess_in"):
            text = handshake(*at, session, kept + ".bare", conf="/srv/ca/bare.conf")
            need("New, TLSv1.2" in text and "Extended master secret: no" in text, "%s: %s" % (at[1], text[-900:]))


def renegotiation_is_refused(w):
    w.appliance()
    text = handshake(*AT465, "-tls1_2", typed=b"R\nNOOP\r\n")
    need("RENEGOTIATING" in text, "the client did not ask: " + text[-200:])
    need("no renegotiation" in text or "handshake failure" in text or "SSL routines" in text, text[-300:])


def tool(*words):
    """What a scanner says, also in the test's own output."""
    done = subprocess.run(["chroot", world.root] + list(words), env=dict(world.CLEAN, TERM="dumb"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False)
    text = done.stdout.decode(errors="replace")
    print("".join("# " + x + "\n" for x in text.split("\n") if x.strip()), end="", file=sys.stderr, flush=True)
    return text


SUITES = {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"}


def scanned(suites):
    """TLS 1.2 alone, these suites and no other, no renegotiation."""
    for at in ([world.APPLIANCE + ":465"], ["--starttls-smtp", world.APPLIANCE + ":25"]):
        text = tool("sslscan", "--no-colour", *at)
        spoken = dict(re.findall(r"^((?:SSL|TLS)v[0-9.]+) +(enabled|disabled)$", text, re.M))
        need(spoken == {x: "enabled" if x == "TLSv1.2" else "disabled" for x in
                        ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")}, spoken)
        found = re.findall(r"^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)", text, re.M)
        need(len(found) == 3 and set(found) == {("TLSv1.2", x) for x in suites}, found)
        for line in ("Server supports TLS Fallback SCSV", "Session renegotiation not supported",
                     "TLSv1.2 not vulnerable to heartbleed"):
            need(line in text, "not said: " + line)


def sslscan(w):
    w.appliance()
    scanned(SUITES)


def own_certificate(w):
    """KEYS_TLS_FILE: the chain is verified by whoever has its root, for each of its names, with P-256 and with RSA."""
    for kind, key in (("ECDSA", ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")), ("RSA", ("-newkey", "rsa:3072"))):
        peers.make_cert("ca", "own", [peers.APPLIANCE, "*.own.example"], key)
        with open(peers.path("srv/ca/own.pem"), "a", encoding="ascii") as f:
            f.write(peers.anchors())
        subprocess.run([world.TOP + "/rootfs/tls-cert", f.name, peers.path("srv/ca/own.key"), peers.APPLIANCE + " a.own.example",
                        peers.path("srv/ca/own.tls")], check=True)
        with open(peers.path("srv/ca/own.tls"), "rb") as f:
            files = dict(w.files, **{"etc/tinpost/tls": f.read()})
        w.end()
        with machine.Box(files):
            for at in (AT25, AT465):
                for host in (peers.APPLIANCE, "a.own.example"):
                    text = handshake(*at, "-CAfile", "/srv/ca/ca.pem", "-servername", host, "-verify_hostname", host, "-showcerts")
                    need("Verify return code: 0 (ok)" in text and "Verified peername" in text, text[-900:])
                    need(text.count("BEGIN CERTIFICATE") == 2 and "ECDHE-%s-" % kind in text, text[-900:])
                for number in ("256", "384", "512"):
                    good, text = accepted(*at, "-sigalgs", "%s+SHA%s" % (kind, number))
                    need(good and "Peer signing digest: SHA" + number in text, text[-900:])
            scanned({x.replace("ECDSA", kind) for x in SUITES})


def testssl(w):
    """testssl.sh finds fault with the certificate alone: self-signed, for ten years, and asked for by address here."""
    w.appliance()
    tool("testssl", "--warnings", "batch", "--color", "0", "--nodns", "min", "-p", "-s", "-R", "-S", "--csvfile",
         "/srv/testssl.csv", world.APPLIANCE + ":465")
    with open(peers.path("srv/testssl.csv"), encoding="utf-8", newline="") as f:
        rows = {x["id"]: (x["severity"], x["finding"]) for x in csv.DictReader(f)}
    for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT",
                 "cipherlist_LOW", "cipherlist_3DES_IDEA", "cipherlist_AVERAGE", "cipherlist_STRONG"):
        need(rows[name][1] == ("offered" if name in ("TLS1_2", "cipherlist_STRONG") else "not offered"), (name, rows[name]))
    need("extended master secret" in rows["TLS_extensions"][1] and rows["sessionresumption_ID"][1] == "supported" and
         "not vulnerable" in rows["secure_client_renego"][1], rows)
    faults = {k for k, v in rows.items() if v[0] not in ("OK", "INFO", "DEBUG")} - {"engine_problem"}
    need(faults == {"cert_trust", "cert_chain_of_trust", "cert_validityPeriod", "cert_revocation"},
         {k: rows[k] for k in faults})


def certificate_is_ours(w):
    """P-256, self-signed, for our name; one key for ports 25 and 465; the same after a restart of the holder."""
    box = w.appliance()
    seen = set()
    for at in (AT25, AT465):
        text = handshake(*at)
        need("-----BEGIN CERTIFICATE-----" in text, text[-300:])
        pem = text[text.index("-----BEGIN"):text.index("-----END CERTIFICATE-----") + 26]
        peers.put("srv/ca/seen.pem", pem)
        seen.add(pem)
        shown = world.inside("openssl", "x509", "-in", "/srv/ca/seen.pem", "-noout", "-text").stdout.decode()
        need("DNS:" + peers.APPLIANCE in shown and "prime256v1" in shown, shown)
        checked = world.inside("openssl", "verify", "-CAfile", "/srv/ca/seen.pem", "-verify_hostname",
                               peers.APPLIANCE, "/srv/ca/seen.pem").stdout.decode()
        need("OK" in checked, checked)
    need(len(seen) == 1, "two certificates")
    old = box.kill("holder.tls")
    world.until("a new holder.tls", 10, lambda: box.pids().get("holder.tls", old) != old)

    def again():
        text = handshake(*AT465)
        return "-----BEGIN CERT" in text and text[text.index("-----BEGIN"):text.index("-----END CERT") + 26]
    need(world.until("a handshake", 15, again) in seen, "another certificate after a restart")


CASES = [session_is_resumed, own_certificate, extended_master_secret, sslscan, testssl, groups_and_suites, old_and_weak_is_refused, renegotiation_is_refused, certificate_is_ours]
