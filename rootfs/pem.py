# SPDX-License-Identifier: ISC
"""What the scripts share that read a private key of the site. OpenSSL reads the file and checks the key."""
import subprocess
import sys

SIZES = (2048, 3072, 4096)  # of RSA
P256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"


def fault(symbol, path, why):
    sys.exit("%s: %s: %s" % (symbol, path, why))


def read(symbol, path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        return fault(symbol, path, e.strerror)


def openssl(*words, **more):
    """What it says, or nothing when it fails."""
    done = subprocess.run(("openssl",) + words, capture_output=True, check=False, **(more or {"stdin": subprocess.DEVNULL}))
    return done.stdout if done.returncode == 0 else b""


def opened(path, *words):
    return openssl(*words, "-in", path, "-passin", "pass:")


def numbers(der):
    """The INTEGERs of RSAPrivateKey (RFC 8017 A.1.2)."""
    at = 2 + (der[1] & 127 if der[1] & 128 else 0)
    while at < len(der):
        n, at = der[at + 1], at + 2
        if n & 128:
            n, at = int.from_bytes(der[at:at + (n & 127)], "big"), at + (n & 127)
        yield int.from_bytes(der[at:at + n], "big")
        at += n


def rsa(symbol, path, der):
    """p, q, dp, dq, iq and the modulus, big-endian, without lengths."""
    version, n, e, _, p, q, dp, dq, iq = list(numbers(der))[:9]
    if n.bit_length() not in SIZES:
        fault(symbol, path, "%d bits; a key of RSA must have 2048, 3072 or 4096" % n.bit_length())
    if version or e != 65537 or {p.bit_length(), q.bit_length()} != {n.bit_length() // 2}:
        fault(symbol, path, "not two primes of equal size with the exponent 65537")
    if b"RSA key ok" not in opened(path, "rsa", "-check", "-noout"):
        fault(symbol, path, "its numbers do not belong together")
    half = n.bit_length() // 16
    return b"".join(x.to_bytes(half, "big") for x in (p, q, dp, dq, iq)) + n.to_bytes(2 * half, "big")


def ec(symbol, path, der):
    """The scalar, 32 octets: privateKey of ECPrivateKey (RFC 5915 3)."""
    if P256 not in der:
        fault(symbol, path, "a key on another curve than P-256")
    if b"valid" not in opened(path, "pkey", "-check", "-noout"):
        fault(symbol, path, "its numbers do not belong together")
    at = der.index(b"\x02\x01\x01\x04\x20") + 5
    return der[at:at + 32]


def key(symbol, path, curves=False):
    """The octets of the private key in this file, as holder keeps them; P-256 too where curves are wanted."""
    text = read(symbol, path)
    if b"ENCRYPTED" in text:
        fault(symbol, path, "the key has a password; `openssl pkey` takes it off")
    if b"PRIVATE KEY-----" not in text:
        fault(symbol, path, "no private key in PEM")
    der = opened(path, "rsa", "-traditional", "-outform", "DER")
    if der:
        return rsa(symbol, path, der)
    der = curves and opened(path, "ec", "-outform", "DER")
    if der:
        return ec(symbol, path, der)
    return fault(symbol, path, "another kind of private key than " + ("P-256 and RSA" if curves else "RSA")
                 if opened(path, "pkey", "-outform", "DER") else "a PEM file that is no key")
