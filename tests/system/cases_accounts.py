# SPDX-License-Identifier: ISC
"""Log-ins: SCRAM-SHA-256 with other people's clients, accounts that end and that have little to send."""
import base64
import hashlib
import hmac
import os
import subprocess

import machine
import peers
import variant
import world
from mail import Client, letter, submit
from stage import expect, need

APP = "app@" + peers.HOME


def sha(key, text):
    return hmac.digest(key, text, "sha256")


def scram(c, user, password, spoil=b""):
    """The client's side of RFC 5802 by Python's own functions; the last reply, and whether the server proved itself."""
    b64 = lambda octets: base64.b64encode(octets).decode()
    first = b"n=%s,r=%s" % (user.encode(), base64.b64encode(os.urandom(18)))
    code, text = c.cmd("AUTH SCRAM-SHA-256 " + b64(b"n,," + first))
    if code != 334:
        return (code, text), False
    server = base64.b64decode(text)
    said = dict(x.split(b"=", 1) for x in server.split(b","))
    need(said[b"r"].startswith(first.split(b"r=")[1]), "the nonce is not ours and more")
    final = b"c=biws,r=" + said[b"r"]
    whole = b",".join((first, server, final))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said[b"s"]), int(said[b"i"]))
    key = sha(salted, b"Client Key")
    signed = sha(hashlib.sha256(key).digest(), whole)
    proof = bytes(a ^ b for a, b in zip(key, signed))
    code, text = c.cmd(b64(final + spoil + b",p=" + base64.b64encode(proof)))
    if code != 334:
        return (code, text), False
    good = base64.b64decode(text) == b"v=" + base64.b64encode(sha(sha(salted, b"Server Key"), whole))
    return c.cmd(""), good


def scram_python(w):
    """Both sides prove themselves, the letter goes out; a wrong password, an altered message and no keys are one reply."""
    w.appliance()
    with Client(465, tls=True) as c:
        need("AUTH PLAIN LOGIN SCRAM-SHA-256" in c.hello()[1], "SCRAM is not offered")
        reply, good = scram(c, "scram", w.tokens["scram"])
        expect(reply, 235)
        need(good, "the server did not prove that it knows the keys")
        mark, text = letter(APP, to=peers.TO)
        expect(c.send(APP, peers.TO, text), 250)
        w.standin.wait(mark)
    replies = set()
    for user, password, spoil in (("scram", "wrong", b""), ("scram", w.tokens["scram"], b",x=y"), ("nobody", "wrong", b""),
                                  ("app1", w.tokens["app1"], b"")):
        with Client(465, tls=True) as c:
            c.hello()
            replies.add(scram(c, user, password, spoil)[0])
    need(len(replies) == 1 and replies.pop()[0] == 535, "replies differ: %r" % replies)


def scram_gsasl(w):
    """GNU SASL's client, over STARTTLS; with a wrong password it fails."""
    w.appliance()
    for password, well in ((w.tokens["scram"], True), ("wrong", False)):
        done = world.inside("gsasl", "--smtp", "--mechanism=SCRAM-SHA-256", "--authentication-id=scram",
                            "--password=" + password, "--no-cb", "--x509-ca-file=",
                            "--connect=%s:587" % world.APPLIANCE, input=b"")
        said = done.stdout.decode(errors="replace")
        need((done.returncode == 0) == well, "password %s: %d: %s" % (well, done.returncode, said[-300:]))
        need(("235 2.7.0" in said) == well and ("535 5.7.8" in said) != well, "it said: " + said[-300:])


def plain_with_scram_keys(w):
    w.appliance()
    mark, text = letter(APP, to=peers.TO)
    expect(submit(text, ("scram", w.tokens["scram"]), rcpt=peers.TO), 250)
    w.standin.wait(mark)


def an_account_ends(w):
    """Its right password is worth what a wrong one is; only the log tells."""
    box = w.appliance()
    with Client(465, tls=True) as c:
        c.hello()
        expect(c.login("gone", w.tokens["gone"]), 535, "5.7.8")
    box.wait(r"auth: ev=login result=no .*user=gone why=expired")


def a_quota_of_its_own(w):
    w.appliance()
    few = ("few", w.tokens["few"])
    mark, text = letter(APP, to=peers.TO)
    expect(submit(text, few, rcpt=peers.TO), 250)
    w.standin.wait(mark)
    expect(submit(letter(APP)[1], few, rcpt=peers.TO), 452, "4.7.1")
    expect(submit(letter(APP)[1], w.account, rcpt=peers.TO), 250)


def nobody_is_locked_out(w):
    """An address that failed too often is told to wait, also by an auth that was killed meanwhile; the right token is
    taken from there all the same."""
    box = w.appliance()
    said = []
    while "454" not in said:
        need(len(said) < 25, "not told to wait: %r" % said)
        with Client(465, tls=True) as c:
            c.hello()
            for _ in range(6):
                said.append(str(c.login("app1", "wrong")[0]))
    need(said.index("454") == 10, "told to wait after %r" % said)
    at = box.mark()
    box.kill("auth")
    with Client(465, tls=True) as c:
        c.hello()
        world.until("the next auth", 20, lambda: expect(c.login("app1", "wrong"), 454) and any(
            "auth: ev=login result=later" in x for x in box.lines[at:]))
        expect(c.login(*w.account), 235)
    w.end()     # its failures go with it


def lists_are_imported(w):
    """make users-import: a list, rows of a query by way of psql, and nothing at all where one line is wrong."""
    site = peers.path("srv/site")
    os.makedirs(site)

    def put(name, text):
        with open(site + "/" + name, "w", encoding="ascii") as f:
            f.write(text)

    def make(name, *more):
        done = subprocess.run(["make", "-s", "-C", world.TOP, "O=" + world.OUT, "KCONFIG_CONFIG=" + world.config_path,
                               "SITE=" + site, "users-import", "FILE=%s/%s" % (site, name), "PSQL=%s/psql" % site]
                              + list(more), env={"HOME": os.environ["HOME"]}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    put("list", "app1@%s: userPassword\n\nbob:x:1000:1000::/:\n" % peers.HOME)
    code, said = make("list")
    need(code and "list:3: bob has no sender" in said and not os.path.exists(site + "/users"), said)
    code, said = make("list", "SENDER=@" + peers.HOME)
    need(not code, said)
    tokens = dict(x.split("\t") for x in said.split("\n") if "\t" in x)
    need(set(tokens) == {"app1@" + peers.HOME, "bob"}, "tokens are shown of %r" % sorted(tokens))
    code, said = make("list", "SENDER=@" + peers.HOME)
    need(code and "list:1: there is an account" in said, said)
    put("ask.sql", "select name, rolpassword, sender from accounts;\n")
    put("psql", "#!/bin/sh\ntest \"$1 $4 $5 $6 $7\" = \"-XqAt -v ON_ERROR_STOP=1 -f %s/ask.sql\" || exit 9\n"
        "printf 'carl\\t{PLAIN}open sesame now\\t@%s\\n'\n" % (site, peers.HOME))
    os.chmod(site + "/psql", 0o755)
    code, said = make("ask.sql", "SCRAM=y")
    need(not code and "open sesame" not in said, said)
    put("psql", "#!/bin/sh\nprintf 'dora\\tx\\t@%s\\n'\nexit 3\n" % peers.HOME)
    code, said = make("ask.sql")
    need(code, "a query that failed halfway was imported")
    with open(site + "/users", encoding="ascii") as f:
        lines = f.read().splitlines()
    need([x.split()[0] for x in lines] == ["app1@" + peers.HOME, "bob", "carl"], "users: %r" % lines)
    need(lines[2].split()[1].startswith("SCRAM-SHA-256$4096:"), lines[2])
    files = dict(w.files)
    w.tool("tinpost-users", site + "/users", site + "/users.cdb")
    with open(site + "/users.cdb", "rb") as f:
        files[machine.USERS] = f.read()
    w.end()
    box = machine.Box(files, w.keys, None)
    try:
        box.start().ready()
        for user, password in (("bob", tokens["bob"]), ("carl", "open sesame now")):
            with Client(465, tls=True) as c:
                c.hello()
                expect(c.login(user, password), 235)
            with Client(465, tls=True) as c:
                c.hello()
                expect(scram(c, user, password)[0], 235 if user == "carl" else 535)
    finally:
        box.cut()


def cram_md5(w):
    """Where AUTH_LEGACY_CRAM_MD5 is built, an account of its own logs in by it; no other does, and elsewhere nobody."""
    w.appliance()
    with Client(465, tls=True) as c:
        need("CRAM-MD5" not in c.hello()[1], "CRAM-MD5 is offered")
        expect(c.cmd("AUTH CRAM-MD5"), 504)
    w.end()
    home, tools = peers.path("srv/legacy"), variant.folder("smarthost") + "/host/"
    os.makedirs(home)
    tokens = {}
    for name, more in (("old", ["--cram-md5"]), ("new", [])):
        tokens[name] = w.tool(tools + "tinpost-user", "--file", home + "/users", *more, name, "@" + peers.HOME).split()[-1]
    w.tool(tools + "tinpost-users", home + "/users", home + "/users.cdb")
    with open(home + "/users.cdb", "rb") as f:
        files = dict(w.files, **{machine.USERS: f.read()})

    def cram(c, user, password):
        code, text = c.cmd("AUTH CRAM-MD5")
        need(code == 334, "no challenge: %d %s" % (code, text))
        digest = hmac.new(password.encode(), base64.b64decode(text), "md5").hexdigest()
        return c.cmd(base64.b64encode(("%s %s" % (user, digest)).encode()).decode())
    with machine.Box(files, w.keys, machine.Box.store("legacy"), rootfs=variant.rootfs("smarthost")):
        for user, password, code in (("old", tokens["old"], 235), ("old", "wrong", 535), ("new", tokens["new"], 535),
                                     ("nobody", "wrong", 535)):
            with Client(465, tls=True) as c:
                need("AUTH PLAIN LOGIN CRAM-MD5" in c.hello()[1], "CRAM-MD5 is not offered")
                expect(cram(c, user, password), code)
        with Client(465, tls=True) as c:
            c.hello()
            expect(c.cmd("AUTH CRAM-MD5 b2xkIGFiYw=="), 501)
            expect(c.cmd("AUTH CRAM-MD5"), 334)
            expect(c.cmd("b2xkIGFiYw=="), 501)
            expect(c.login("old", tokens["old"]), 235)


CASES = [cram_md5, scram_python, scram_gsasl, plain_with_scram_keys, an_account_ends, a_quota_of_its_own, nobody_is_locked_out,
         lists_are_imported]
