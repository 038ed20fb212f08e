# SPDX-License-Identifier: ISC
"""What TLS a submitted letter's destination must have: MTA-STS from a web server, DANE from a signed zone over TLS."""
import contextlib
import glob
import hashlib
import http.server
import os
import ssl
import threading

import machine
import peers
import variant
import world
from mail import forward, letter, submit
from stage import expect, need

APP = "app@" + peers.HOME


# --- a letter and what became of it ---

def send(w, box, domain):
    """A letter to `domain`: (mark, the line of its first delivery)."""
    mark, text = letter(APP)
    at = box.mark()
    expect(submit(text, w.account, rcpt="ann@" + domain), 250)
    return mark, box.wait(r"out\.sub: ev=deliver to=%s " % domain.replace(".", r"\."), 40, after=at)


def passed(w, box, domain, policy, tls=True):
    """Postfix took it, under this policy."""
    mark, line = send(w, box, domain)
    need("policy=%s " % policy in line and "code=250" in line, line)
    need((b"using TLSv1.2" in w.standin.wait(mark, "stranger")) == tls, "TLS is not %r" % tls)


def deferred(w, box, domain, f, sessions=True):
    """Put off for want of TLS, and `f` heard no more than the way to TLS; not `sessions`: it was not connected to."""
    before = f.sessions
    _, line = send(w, box, domain)
    need("code=451" in line and "enhanced=4.7.5" in line, line)
    need(not f.letters, "delivered")
    need(not [x for x in f.clear if x.split(" ")[0] not in ("EHLO", "STARTTLS", "QUIT")], "in clear text: %r" % f.clear)
    need((f.sessions > before) == sessions, "%d connections" % (f.sessions - before))
    return line


# --- MTA-STS ---

class Web:
    """https://mta-sts.DOMAIN for every domain in `policy`: (status, type, text); `cert` is what it shows."""

    def __init__(self, address=world.FAKE, cert="web"):
        web = self
        self.policy, self.asked = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers["Host"]
                web.asked.append((host, self.path))
                status, kind, text = web.policy[host]
                self.send_response(status)
                self.send_header("Location" if status == 301 else "Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 443), Handler)
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        base = world.root + "/srv/ca/" + cert
        ctx.load_cert_chain(base + ".pem", base + ".key")
        # the handshake belongs to the thread of the connection
        self.server.socket = ctx.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def domain(self, w, domain, mx, mode="enforce", allowed=None, status=200, kind="text/plain"):
        """A domain with the exchanger `mx` and a policy that allows `allowed`."""
        text = "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: 86400\r\n" % (mode, allowed or mx)
        self.policy["mta-sts." + domain] = status, kind, text.encode()
        w.names.add("%s MX 10 %s." % (domain, mx))
        w.names.add('_mta-sts.%s TXT "v=STSv1; id=1"' % domain)
        w.names.add("mta-sts.%s A %s" % (domain, world.FAKE))


def certs():
    for ca, name in (("ca", "web"), ("unknown", "web-stray")):
        peers.make_cert(ca, name, ["*.sts.example"] + ["mta-sts.%s.sts.example" % x for x in (
            "right", "test", "none", "mx", "stray", "name", "clear", "gone", "moved", "html", "web",
        "verified", "strict")],
                        ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))


def sts_enforced(w):
    """The exchanger is in the policy and its certificate is right: verified. The policy holds after its server is gone."""
    certs()
    box = w.appliance()
    with Web() as web:
        web.domain(w, "right.sts.example", "mx.stranger.example")
        passed(w, box, "right.sts.example", "sts")
        need(web.asked == [("mta-sts.right.sts.example", "/.well-known/mta-sts.txt")], "asked: %r" % web.asked)
        box.wait(r"fetch: ev=sts domain=right\.sts\.example mode=enforce ", 5)
    w.names.drop("_mta-sts.right.sts.example")
    pid = box.kill("fetch")
    world.until("a new fetch", 10, lambda: box.pids().get("fetch", pid) != pid)
    world.until("end of kept connections", 10, lambda: not w.names.kept(""))
    passed(w, box, "right.sts.example", "sts")


def sts_downgrades(w):
    """Enforced: another exchanger, an unknown authority, another name, no STARTTLS, a refused one. Nothing is sent."""
    box = w.appliance()
    mx = "mx.other.example"
    with Web() as web:
        web.domain(w, "mx.sts.example", mx, allowed="mx.elsewhere.example")
        for name in ("stray", "name", "clear", "gone"):
            web.domain(w, name + ".sts.example", mx)
        for name, how in (("mx", {"cert": "other"}), ("stray", {"cert": "other-stray"}), ("name", {"cert": "name"}),
                          ("clear", {"starttls": None}), ("gone", {"starttls": "454 4.7.0 no"})):
            with w.fake(**how) as f:
                line = deferred(w, box, name + ".sts.example", f, sessions=name != "mx")
                need("policy=sts " in line, line)


def sts_without_force(w):
    """Testing and none ask for nothing; a policy that cannot be had, neither: redirected, of another type, stray server."""
    box = w.appliance()
    mx = "mx.other.example"

    def opportunistic(name):
        with w.fake(cert="other-stray") as f:
            mark, line = send(w, box, name + ".sts.example")
            need("policy=opportunistic " in line and "code=250" in line, line)
            need(f.wait(mark)["tls"], "no TLS")
    with Web() as web:
        web.domain(w, "test.sts.example", mx, mode="testing")
        web.domain(w, "none.sts.example", mx, mode="none")
        web.domain(w, "moved.sts.example", mx, status=301, kind="https://mta-sts.none.sts.example/")
        web.domain(w, "html.sts.example", mx, kind="text/html")
        for name in ("test", "none", "moved", "html"):
            opportunistic(name)
        need(len(web.asked) == 4, "asked: %r" % web.asked)
    with Web(cert="web-stray") as web:
        web.domain(w, "web.sts.example", mx)
        opportunistic("web")
        need(not web.asked, "asked a server without a right certificate")
        box.wait(r"fetch: ev=sts domain=web\.sts\.example failed=", 5)


def sts_for_forwards(w):
    """Where an alias leads, a policy counts as for submitted letters; what goes back to a sender asks for none."""
    box = w.appliance()
    with Web() as web:
        web.domain(w, "verified.sts.example", "mx.stranger.example")
        web.domain(w, "strict.sts.example", "mx.other.example", allowed="mx.elsewhere.example")
        mark, text = letter("ann@stranger.example")
        expect(forward(text, rcpt="verified@" + peers.HOME), 250)
        w.standin.wait(mark, box="stranger")
        box.wait(r"out\.mx: ev=deliver to=verified\.sts\.example .*policy=sts ", 5)
        with w.fake(cert="other") as f:
            expect(forward(letter("ann@stranger.example")[1], rcpt="strict@" + peers.HOME), 451, "MTA-STS")
            need(not f.sessions, "it was connected to")
        web.domain(w, "back.sts.example", "mx.other.example", allowed="mx.elsewhere.example")
        mark, text = letter("ann@back.sts.example")
        with w.fake() as f:
            expect(forward(text, sender="ann@back.sts.example"), 250)
            returns = f.wait(mark)["sender"]
        with w.fake(cert="other") as f:
            mark, text = letter("mailer-daemon@stranger.example")
            expect(forward(text, sender="", rcpt=returns), 250)
            need(f.wait(mark)["rcpts"] == ["ann@back.sts.example"], "not to the sender")
        need([h for h, _ in web.asked] == ["mta-sts.verified.sts.example", "mta-sts.strict.sts.example"], "asked: %r" % web.asked)


# --- DANE, in a signed zone that an unbound validates and serves over TLS ---

SIGNED = "dane.example"


def digest(cert, whole=False):
    """SHA-256 of a certificate, or of its public key."""
    words = ("x509", "-in", "/srv/ca/%s.pem" % cert) + (("-outform", "DER") if whole else ("-noout", "-pubkey"))
    out = world.inside("openssl", *words).stdout
    return hashlib.sha256(out if whole else world.inside("openssl", "pkey", "-pubin", "-outform", "DER", input=out)
                          .stdout).hexdigest()


class Dot:
    """Unbound on port 853, and with the same certificate on 8853; validates a zone that another one has, and asks the usual
    name server for all else."""

    COMMON = """server:
 access-control: 0.0.0.0/0 allow
 username: ""
 chroot: ""
 directory: "/srv/dot"
 pidfile: ""
 do-daemonize: no
 do-ip6: no
 use-syslog: no
"""
    ZONE = COMMON + """ interface: %(at)s@8053
 port: 8053
auth-zone:
 name: dane.example
 zonefile: /srv/dot/zone.signed
 for-downstream: yes
 for-upstream: no
"""
    CONF = COMMON + """ interface: %(at)s@853
 interface: %(at)s@8853
 tls-port: 853
 additional-tls-port: 8853
 tls-service-key: /srv/ca/dot.key
 tls-service-pem: /srv/ca/dot.pem
 module-config: "validator iterator"
 trust-anchor-file: /srv/dot/anchor
stub-zone:
 name: dane.example
 stub-addr: %(at)s@8053
forward-zone:
 name: "."
 forward-addr: %(at)s
"""
    # name of domain and exchanger, where it is, its TLSA record
    HOSTS = (("right", world.MX2, "3 1 1 {good}"), ("cert", world.MX2, "3 0 1 {whole}"),
             ("wrong", world.FAKE, "3 1 1 {good}"), ("clear", world.FAKE, "3 1 1 {other}"),
             ("bogus", world.FAKE, "3 1 1 {other}"), ("chain", world.FAKE, "2 0 1 {ca}"),
             ("chain-name", world.FAKE, "2 0 1 {ca}"), ("odd", world.FAKE, "0 0 1 {ca}"), ("without", world.FAKE, ""))

    def __init__(self):
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        peers.make_cert("ca", "dot", ["dot.example"], ec)
        peers.make_cert("unknown", "chain", ["mx.chain." + SIGNED], ec)
        with open(peers.path("srv/ca/chain.pem"), "a", encoding="ascii") as f, \
                open(peers.path("srv/ca/unknown.pem"), encoding="ascii") as ca:
            f.write(ca.read())      # RFC 7672 3.1.2: the anchor is sent too
        self.sign()
        for name, text in (("zone.conf", self.ZONE), ("conf", self.CONF)):
            peers.put("srv/dot/" + name, text % {"at": world.DNS})
        self.zone = world.start("unbound", "-d", "-c", "/srv/dot/zone.conf", log="srv/dot/zone.log")
        world.until("the signed zone", 10, lambda: world.connects(world.DNS, 8053))
        self.start()

    def sign(self):
        sums = {"good": digest("good"), "whole": digest("good", True), "other": digest("other"), "ca": digest("unknown", True)}
        rows = ["$ORIGIN %s." % SIGNED, "$TTL 300", "@ SOA ns root 1 3600 600 86400 60", "@ NS ns", "ns A " + world.DNS]
        for name, address, record in self.HOSTS:
            rows += ["%s MX 10 mx.%s" % (name, name), "mx.%s A %s" % (name, address)]
            rows += ["_25._tcp.mx.%s TLSA %s" % (name, record.format(**sums))] if record else []
        peers.put("srv/dot/zone", "\n".join(rows) + "\n")
        tool("cd /srv/dot && ldns-signzone zone $(ldns-keygen -a ECDSAP256SHA256 -k %s)" % SIGNED)
        anchor = glob.glob(peers.path("srv/dot/K*.key"))[0]
        os.link(anchor, peers.path("srv/dot/anchor"))
        with open(peers.path("srv/dot/zone.signed"), encoding="ascii") as f:
            signed = f.read().split("\n")
        for i, row in enumerate(signed):     # after the signature: nobody can tell any more what it was
            if row.startswith("_25._tcp.mx.bogus.") and "\tTLSA\t" in row:
                signed[i] = row[:-4] + ("0000" if row[-4:] != "0000" else "1111")
        peers.put("srv/dot/zone.signed", "\n".join(signed))

    def start(self):
        self.process = world.start("unbound", "-d", "-c", "/srv/dot/conf", log="srv/dot/log")
        world.until("names over TLS", 10, lambda: world.connects(world.DNS, 853))

    def stop(self):
        self.process.kill()
        self.process.wait(10)


def tool(line):
    done = world.inside("sh", "-c", line)
    need(done.returncode == 0, "%s: %s" % (line, done.stdout.decode(errors="replace")))


@contextlib.contextmanager
def over_tls(w, data=None):
    """The appliance that asks over TLS, and the resolver."""
    w.end()
    need(os.path.exists(variant.rootfs("dot")), "the variant was not built")
    if not w.dot:
        w.dot = Dot()
    with machine.Box(w.files, w.keys, data or machine.Box.store("dot"), rootfs=variant.rootfs("dot")) as box:
        w.publish(box)
        yield box, w.dot


def dane(w):
    """A record that is right: verified, though nobody asks the certificate's authority or, for its own key, its name."""
    with over_tls(w) as (box, _):
        for name in ("right", "cert"):
            passed(w, box, "%s.%s" % (name, SIGNED), "dane")
        for name, how, policy in (("chain", {"cert": "chain"}, "dane"), ("odd", {"cert": "other-stray"}, "dane-unverified"),
                                  ("without", {"starttls": None}, "opportunistic")):
            with w.fake(**how) as f:
                mark, line = send(w, box, "%s.%s" % (name, SIGNED))
                need("policy=%s " % policy in line and "code=250" in line, line)
                need(f.wait(mark)["tls"] == (name != "without"), "TLS: " + name)


def dane_downgrades(w):
    """Another key, another name, no STARTTLS, a record that was tampered with: nothing is sent."""
    with over_tls(w) as (box, _):
        for name, how in (("wrong", {"cert": "other"}), ("chain-name", {"cert": "chain"}), ("clear", {"starttls": None}),
                          ("odd", {"starttls": None}), ("bogus", {"cert": "other"})):
            with w.fake(**how) as f:
                line = deferred(w, box, "%s.%s" % (name, SIGNED), f, sessions=name != "bogus")
                need(name == "bogus" or "policy=dane" in line, line)
                need(name != "bogus" or "TLSA lookup failed" in line, line)


def names_over_tls(w):
    """A server whose certificate has another name is not asked; with no server mail waits, though 192.0.2.53 knows."""
    with over_tls(w) as (box, dot):
        with w.fake() as f:
            mark, line = send(w, box, "other.example")
            need("policy=opportunistic " in line and "code=250" in line, line)
            f.wait(mark)
        box.wait(r"dns: ev=nodot server=%s .*why=.*name" % world.DNS, 5)
        at = box.mark()
        dot.stop()
        w.names.add("later.example MX 10 mx.other.example.")
        with w.fake() as f:
            _, line = send(w, box, "later.example")
            need("code=451" in line and not f.sessions, line)
        box.wait(r"dns: ev=nodot server=%s " % world.DNS, 5, after=at)
        dot.start()


CASES = [sts_enforced, sts_downgrades, sts_without_force, sts_for_forwards, dane, dane_downgrades, names_over_tls]
