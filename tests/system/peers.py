# SPDX-License-Identifier: ISC
"""The peers: a test CA, the name server (Unbound), the stand-in for Gmail (Postfix), the DKIM judges."""
import glob
import json
import os
import signal
import socket
import subprocess

import world


def of(symbol, usual):
    return world.config.get(symbol) or usual


APPLIANCE = of("SMTPD_HOSTNAME", "mail.example.org")
HOME = of("SMTPD_DOMAINS", "example.org").split()[0]     # the appliance's mail domain
TO = of("FORWARD_TO", "someone@gmail.com")               # where everything is forwarded
ROUTE = TO.split("@")[1]
GMAIL = [x for x in of("FORWARD_MX", "gmail-smtp-in.l.google.com").split() if x[0] != "*"][0]
ADDRESS = world.APPLIANCE
SELECTOR = of("KEYS_DKIM_SELECTOR", "tinpost")
STRANGER = "stranger.example"   # a foreign domain: sends letters, gets bounces

ZONE = """
%(ROUTE)s MX 5 %(GMAIL)s.
%(ROUTE)s MX 10 alt1.%(GMAIL)s.
%(GMAIL)s A 192.0.2.25
alt1.%(GMAIL)s A 192.0.2.25
%(HOME)s MX 10 %(APPLIANCE)s.
%(HOME)s TXT "v=spf1 a:%(APPLIANCE)s -all"
%(APPLIANCE)s A %(ADDRESS)s
%(APPLIANCE)s TXT "v=spf1 a -all"
stranger.example MX 10 mx.stranger.example.
stranger.example TXT "v=spf1 ip4:192.0.2.77 -all"
mx.stranger.example A 192.0.2.26
other.example MX 10 mx.other.example.
mx.other.example A 192.0.2.27
time.example A 192.0.2.53
""" % globals()


def path(*parts):
    return os.path.join(world.root, *parts)


def put(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "w", encoding="ascii") as f:
        f.write(text)


# --- certificates ---

def openssl(*words):
    done = world.inside("openssl", *words)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (words[0], done.stdout.decode(errors="replace")))


def make_ca(name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/srv/ca/%s.key" % name,
            "-out", "/srv/ca/%s.pem" % name, "-days", "30", "-subj", "/CN=tinpost test CA %s" % name)


def make_cert(ca, name, hosts, key=("-newkey", "rsa:2048")):
    put("srv/ca/%s.ext" % name, "subjectAltName=%s\n" % ",".join("DNS:" + h for h in hosts))
    base = "/srv/ca/" + name
    openssl("req", *key, "-nodes", "-keyout", base + ".key", "-out", base + ".csr", "-subj", "/CN=" + hosts[0])
    openssl("x509", "-req", "-in", base + ".csr", "-CA", "/srv/ca/%s.pem" % ca, "-CAkey",
            "/srv/ca/%s.key" % ca, "-CAcreateserial", "-days", "20", "-extfile", base + ".ext",
            "-out", base + ".pem")


def certificates():
    """good: the stand-in's; name: right CA, wrong name; stray: right name, unknown CA."""
    os.makedirs(path("srv/ca"), exist_ok=True)
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    make_ca("ca")
    make_ca("unknown")
    make_cert("ca", "good", [GMAIL, "*." + GMAIL, "mx.stranger.example"])
    make_cert("ca", "good-ec", [GMAIL, "*." + GMAIL], ec)
    make_cert("ca", "name", ["mx.stranger.example"], ec)
    make_cert("unknown", "stray", [GMAIL, "*." + GMAIL], ec)
    make_cert("ca", "other", ["mx.other.example"], ec)
    make_cert("unknown", "other-stray", ["mx.other.example"], ec)
    openssl("x509", "-in", "/srv/ca/good-ec.csr", "-req", "-CA", "/srv/ca/ca.pem", "-CAkey", "/srv/ca/ca.key",
            "-CAcreateserial", "-days", "-1", "-extfile", "/srv/ca/good-ec.ext", "-out", "/srv/ca/old.pem")
    os.link(path("srv/ca/good-ec.key"), path("srv/ca/old.key"))


def anchors():
    with open(path("srv/ca/ca.pem"), encoding="ascii") as f:
        return f.read()


# --- names ---

class Names:
    """Unbound with static data on 192.0.2.53. Names without a record do not exist."""

    CONF = """server:
%s access-control: 0.0.0.0/0 allow
 username: ""
 chroot: ""
 directory: "/srv/names"
 pidfile: ""
 do-daemonize: no
 do-ip6: no
 use-syslog: no
 module-config: "iterator"
 local-zone: "." static
 local-data: ". SOA ns. root. 1 1 1 1 0"
%sremote-control:
 control-enable: yes
 control-interface: /run/names.ctl
 control-use-cert: no
"""

    def __init__(self):
        rows = "".join(" local-data: '%s'\n" % self.record(x) for x in ZONE.split("\n") if x)
        listen = "".join(" interface: %s\n" % x for x in world.name_servers)
        put("srv/names/conf", self.CONF % (listen, rows))
        self.process = world.start("unbound", "-d", "-c", "/srv/names/conf", log="srv/names/log")
        world.until("name server", 10, lambda: b"ok" == self.control("status")[:2] or
                    b"is running" in self.control("status"))

    @staticmethod
    def record(line, ttl=0):
        name, kind, data = line.split(" ", 2)
        return "%s. %d IN %s %s" % (name, ttl, kind, data)

    @staticmethod
    def control(*words):
        return world.inside("unbound-control", "-c", "/srv/names/conf", *words).stdout

    def add(self, line, ttl=0):
        got = self.control("local_data", self.record(line, ttl))
        if got.strip() != b"ok":
            raise RuntimeError("name server: %r" % got)

    def add_all(self, lines, ttl=0):
        rows = "".join(self.record(x, ttl) + "\n" for x in lines)
        world.inside("unbound-control", "-c", "/srv/names/conf", "local_datas", input=rows.encode())

    def drop(self, name):
        self.control("local_data_remove", name + ".")

    def route(self, address):
        """The pinned route's exchangers are at this address from now on: what the appliance keeps to others (OUT_KEEP) is
        waited for."""
        for name in (GMAIL, "alt1." + GMAIL):
            self.drop(name)
            self.add("%s A %s" % (name, address))
        try:
            world.until("end of kept connections", 10, lambda: not self.kept(address))
        except world.Late:
            pass    # one that hangs is the case's own business

    @staticmethod
    def kept(address):
        """Connections from the appliance to port 25 of other hosts than this one."""
        def pair(x):
            host, port = x.split(":")
            return socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [x.split() for x in f.readlines()[1:]]
        return [x for x in rows if x[3] == "01" and pair(x[2])[0] == world.APPLIANCE and pair(x[1])[1] == 25 and
                pair(x[1])[0] != address]

    def silent(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def speak(self):
        os.kill(self.process.pid, signal.SIGCONT)


def publish(names, name, text):
    """A TXT record of any length, cut into strings of 255 octets."""
    cut = " ".join('"%s"' % text[i:i + 255] for i in range(0, len(text), 255))
    names.drop(name)
    names.add("%s TXT %s" % (name, cut))


# --- the stand-in for Gmail ---

class Standin:
    """Debian's Postfix: requires TLS, keeps every letter for the route and stranger.example in a Maildir."""

    MAIN = """compatibility_level = 3.6
message_drop_headers =
queue_directory = /var/spool/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /srv/postfix/data
mail_owner = postfix
setgid_group = postdrop
myhostname = %s
mydestination =
inet_interfaces = %s, %s
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = /srv/postfix/mail.log
maillog_file_prefixes = /srv
virtual_mailbox_domains = %s, stranger.example, regexp:/srv/postfix/more
virtual_mailbox_base = /srv/mail
virtual_mailbox_maps = texthash:/srv/postfix/boxes, regexp:/srv/postfix/more
virtual_uid_maps = static:104
virtual_gid_maps = static:106
virtual_mailbox_limit = 0
message_size_limit = 52428800
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = /srv/ca/good.key, /srv/ca/good.pem
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_client_connection_count_limit = 0
"""
    MASTER = """smtp inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
"""
    QUEUES = "active bounce corrupt defer deferred flush hold incoming private maildrop public saved trace pid".split()

    def __init__(self):
        put("srv/postfix/main.cf", self.MAIN % (GMAIL, world.MX, world.MX2, ROUTE))
        put("srv/postfix/master.cf", self.MASTER)
        put("srv/postfix/boxes", "@%s gmail/\n@stranger.example stranger/\n" % ROUTE)
        put("srv/postfix/more", r"/[.@](dane|sts)\.example$/ stranger/" + "\n")
        for d in ["srv/postfix/data"] + ["var/spool/postfix/" + q for q in self.QUEUES]:
            os.makedirs(path(d), exist_ok=True)
            if not d.endswith("/pid"):
                os.chown(path(d), 101, 102 if "maildrop" not in d and "public" not in d else 103)
        os.chmod(path("var/spool/postfix/maildrop"), 0o730)
        os.chmod(path("var/spool/postfix/public"), 0o710)
        os.makedirs(path("srv/mail"))
        os.chown(path("srv/mail"), 104, 106)
        self.start()

    def start(self):
        self.process = world.start("/usr/lib/postfix/sbin/master", "-d", "-s", "-c", "/srv/postfix",
                                   log="srv/postfix/log")
        world.until("stand-in", 20, lambda: world.connects(world.MX, 25))

    def letters(self, box="gmail"):
        """Every letter in a box: bytes as stored, lines ended by LF."""
        out = []
        for name in sorted(glob.glob(path("srv/mail", box, "new/*")), key=lambda x: os.stat(x).st_mtime_ns):
            with open(name, "rb") as f:
                out.append(f.read())
        return out

    def wait(self, mark, box="gmail", deadline=20):
        """The first letter that holds `mark`."""
        mark = mark.encode()
        return world.until("letter %s in box %s" % (mark.decode(), box), deadline,
                           lambda: [x for x in self.letters(box) if mark in x])[0]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


# --- judges ---

DKIMPY = """
import sys, dkim
letter = sys.stdin.buffer.read()
n = len([h for h in dkim.DKIM(letter).headers if h[0].lower() == b"dkim-signature"])
verdict, domains = "none" if not n else "fail", []
for i in range(n):
    d = dkim.DKIM(letter)
    try:
        if d.verify(i):
            verdict = "pass"
            domains.append(d.domain.decode())
    except dkim.DKIMException as e:
        domains.append(str(e))
print(verdict, " ".join(domains))
"""
MAIL_DKIM = """
use Mail::DKIM::Verifier;
my $d = Mail::DKIM::Verifier->new();
while (<STDIN>) { chomp; s/\\015$//; $d->PRINT("$_\\015\\012"); }
$d->CLOSE;
print $d->result, " ", join(",", map { $_->domain } $d->signatures), " ", $d->result_detail, "\\n";
"""


def crlf(letter):
    return letter.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def judge(letter):
    """What the judges say of a letter's DKIM signatures: {judge: first line of its verdict}."""
    letter = crlf(letter)
    out = {}
    out["dkimpy"] = world.inside("python3", "-c", DKIMPY, input=letter).stdout
    out["Mail::DKIM"] = world.inside("perl", "-e", MAIL_DKIM, input=letter).stdout
    done = world.inside("opendkim-testmsg", input=letter)
    out["OpenDKIM"] = b"fail " + done.stdout if done.returncode else b"pass"
    return {k: (v.decode(errors="replace").strip().split("\n") or [""])[-1] for k, v in out.items()}


SIGN = """
import sys, json, dkim
q = json.load(sys.stdin)
m = q["letter"].encode("latin-1")
s = dkim.sign(m, q["selector"].encode(), q["domain"].encode(), open("/srv/ca/stranger.key","rb").read(),
              canonicalize=tuple(x.encode() for x in q["canon"]))
sys.stdout.buffer.write(s + m)
"""


class Stranger:
    """A foreign domain with a DKIM key of its own."""

    def __init__(self, names):
        openssl("genrsa", "-traditional", "-out", "/srv/ca/stranger.key", "2048")
        openssl("rsa", "-in", "/srv/ca/stranger.key", "-pubout", "-outform", "PEM", "-out", "/srv/ca/stranger.pub")
        with open(path("srv/ca/stranger.pub"), encoding="ascii") as f:
            key = "".join(x.strip() for x in f if "-----" not in x)
        self.record = "v=DKIM1; k=rsa; p=" + key
        publish(names, "s1._domainkey." + STRANGER, self.record)

    @staticmethod
    def sign(letter, canon=("simple", "simple")):
        ask = {"letter": letter.decode("latin-1"), "selector": "s1", "domain": STRANGER, "canon": canon}
        done = subprocess.run(["chroot", world.root, "python3", "-c", SIGN], env=world.CLEAN, check=True,
                              input=json.dumps(ask).encode(), stdout=subprocess.PIPE)
        return done.stdout
