# SPDX-License-Identifier: ISC
"""The DKIM signatures of strangers: probe and three judges say the same of letters signed and bent in many ways."""
import glob
import os
import subprocess

import peers
import world
from stage import need

LETTERS = 60
# One signature each, by dkimpy. The bending leaves some of them whole, as the canonical form allows it, and breaks others.
MAKE = """
import os, random, sys, dkim
R = random.Random(int(sys.argv[1]))
WORDS = [b"word", b"a@b", b":", b"\\xc3\\xa4"][:int(sys.argv[3])]
key = open("/srv/ca/stranger.key", "rb").read()
def gap():
    return R.choice([b" ", b"  ", b"\\t", b"\\r\\n ", b" \\r\\n\\t", b" \\t "])
def letter():
    fields = [(b"From", b" Ann <ann@stranger.example>"), (b"Date", b" Sat, 07 Nov 2026 10:00:00 +0000")]
    for name in R.sample([b"To", R.choice([b"Subject", b"subject"]), b"Comments", b"X-Foo", b"X-Foo", b"x-foo"], R.randrange(7)):
        words = [R.choice(WORDS) for _ in range(R.randrange(1, 5))]
        fields.append((name, b"".join(gap() + w for w in words) + R.choice([b"", b" ", b"\\t "])))
    R.shuffle(fields)
    lines = [R.choice([b"line", b"", b" ", b"a  b", b"\\tx ", b".", b"z" * 70]) for _ in range(R.randrange(9))]
    return b"".join(n + b":" + v + b"\\r\\n" for n, v in fields) + b"\\r\\n" + b"".join(x + b"\\r\\n" for x in lines)
def bend(m):
    head, empty, body = m.partition(b"\\r\\n\\r\\n")
    at = R.randrange(len(body)) if body else 0
    return R.choice([
        lambda: m, lambda: m,
        lambda: head + empty + body[:at] + (b"#" if body[at:at + 1].isalpha() else body[at:at + 1]) + body[at + 1:],
        lambda: m.replace(b"  ", b" ", 1), lambda: m + b"\\r\\n", lambda: m + b"more\\r\\n",
        lambda: m.replace(b"To:", b"to:  ", 1), lambda: b"Subject: new\\r\\n" + m,
        lambda: head + b"\\r\\nX-Foo: tail" + empty + body, lambda: head.replace(b"\\r\\n ", b" ", 1) + empty + body,
        lambda: m.replace(b"h=", b"h=x-none : ", 1), lambda: m.replace(b"; t=", b"; n=x; t=", 1),
        lambda: m.replace(b"Ann ", b"Anna ", 1),
    ])()
os.makedirs("/srv/verify")
for i in range(int(sys.argv[2])):
    m = letter()
    d = dkim.DKIM(m)
    names = [b"from"] + R.sample([b"to", b"subject", b"date", b"x-foo", b"subject", b"from", b"nobody"], R.randrange(6))
    s = d.sign(b"s1", b"stranger.example", key, include_headers=names, length=R.random() < .2,
               canonicalize=(R.choice([b"simple", b"relaxed"]), R.choice([b"simple", b"relaxed"])),
               identity=R.choice([None, b"x@sub.stranger.example"]))
    m = bend(s + m)
    with open("/srv/verify/%03d" % i, "wb") as f:
        f.write(m)
    try:
        print("pass" if dkim.verify(m) else "fail")
    except dkim.DKIMException:
        print("fail")
"""
MAIL_DKIM = """
use Mail::DKIM::Verifier;
foreach my $name (sort glob("/srv/verify/*")) {
    open(my $f, "<:raw", $name) or die;
    my $d = Mail::DKIM::Verifier->new();
    while (<$f>) { $d->PRINT($_); }
    $d->CLOSE;
    print $d->result, "\\n";
}
"""


def said(done):
    need(not done.returncode, "a judge failed: " + done.stdout.decode(errors="replace"))
    return [x == "pass" for x in done.stdout.decode().split()]


def probe(zone, name):
    done = subprocess.run([os.path.join(world.OUT, "host", "probe"), "dkim-verify", "--zone", zone, name], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.stdout.startswith(b"pass ")


def opendkim(name):
    """None: it judges no letter in which a field stands twice that may stand once."""
    with open(name, "rb") as f:
        done = world.inside("opendkim-testmsg", input=f.read())
    return None if b"Syntax error" in done.stdout else not done.returncode


def judges_agree(w):
    verdicts = {"dkimpy": said(world.inside("python3", "-c", MAKE, "1", str(LETTERS), "4", input=b""))}
    zone = peers.path("srv/verify.zone")
    with open(zone, "w", encoding="ascii") as f:
        f.write('s1._domainkey.%s TXT "%s"\n' % (peers.STRANGER, w.stranger.record))
    letters = sorted(glob.glob(peers.path("srv/verify/*")))
    ours = [probe(zone, x) for x in letters]
    verdicts["Mail::DKIM"] = said(world.inside("perl", "-e", MAIL_DKIM, input=b""))
    verdicts["OpenDKIM"] = [opendkim(x) for x in letters]
    need(all(len(x) == LETTERS for x in [ours] + list(verdicts.values())), "letters are missing")
    need(15 < sum(ours) < LETTERS - 15, "%d of %d letters pass" % (sum(ours), len(ours)))
    for judge, theirs in verdicts.items():
        wrong = [i for i in range(LETTERS) if theirs[i] is not None and theirs[i] != ours[i]]
        need(theirs.count(None) < LETTERS / 3, "%s judged nothing" % judge)
        need(not wrong, "%s disagrees about %s" % (judge, wrong))


CASES = [judges_agree]
