# SPDX-License-Identifier: ISC
"""RULES F4: behind what is put before it a forwarded letter is what came in, octet for octet, and a DKIM signature that
verified before does so afterwards. Behind all but spool, whose notices are no
forwarded letters: it looks at the letters of all parts before it, too."""
import os

import cases_verify
import fake
import peers
import world
from mail import MARK, forward, letter, sent
from stage import expect, need

LETTERS = 30
DKIMPY = """
import glob, dkim
for name in sorted(glob.glob("/srv/verify/*")):
    try:
        print("pass" if dkim.verify(open(name, "rb").read()) else "fail")
    except Exception:
        print("fail")
"""


def put(folder, letters):
    os.makedirs(peers.path(folder[1:]))
    for i, text in enumerate(letters):
        with open(peers.path(folder[1:], "%05d" % i), "wb") as f:
            f.write(text)


def verdicts(folder, letters):
    """{judge: a verdict for each letter}."""
    put(folder, letters)
    scripts = {"dkimpy": ("python3", "-c", DKIMPY), "Mail::DKIM": ("perl", "-e", cases_verify.MAIL_DKIM)}
    out = {k: cases_verify.said(world.inside(a, b, c.replace("/srv/verify", folder), input=b"")) for k, (a, b, c) in scripts.items()}
    out["OpenDKIM"] = [cases_verify.opendkim(peers.path(folder[1:], "%05d" % i)) for i in range(len(letters))]
    return out


def still_verify(name, pairs):
    """Of pairs of a letter as it was sent and as it arrived: how many signatures each judge found good in both."""
    before = verdicts("/srv/%s.before" % name, [a for a, _ in pairs])
    after = verdicts("/srv/%s.after" % name, [b for _, b in pairs])
    for judge, said in before.items():
        need(len(said) == len(after[judge]) == len(pairs), judge + " did not judge all")
        broken = [i for i, good in enumerate(said) if good and not after[judge][i]]
        need(not broken, "%s: the signature of %r does not verify any more" % (judge, [pairs[i][0][:200] for i in broken[:1]]))
    return {judge: sum(x is True for x in said) for judge, said in before.items()}


def odd_letters(w):
    """Signed by dkimpy in both canonical forms, header and body of blanks, folds and dots; some bent before."""
    w.appliance()
    world.inside("rm", "-rf", "/srv/verify")
    made = cases_verify.said(world.inside("python3", "-c", cases_verify.MAKE, "20261127", str(LETTERS), "3", input=b""))
    pairs, whole = [], 0
    with w.fake() as f:
        for i in range(LETTERS):
            with open(peers.path("srv/verify/%03d" % i), "rb") as made_one:
                text = made_one.read()
            told = forward(text, timeout=200)
            if told[0] == 550 and " 5.6." in " " + told[1]:     # RULES S4, F12: odd, and said so
                continue
            whole += made[i]
            expect(told, 250)
            got = f.letters[-1]["data"]
            need(len(f.letters) == len(pairs) + 1 and got.endswith(text), "octets changed: %r" % text)
            pairs.append((text, got))
    good = still_verify("odd", pairs)
    need(good["dkimpy"] == whole >= 8, "%r of %d" % (good, whole))
    need(min(good.values()) >= 1, "a judge finds next to none good: %r" % good)


def nothing_was_changed(w):
    """Every letter of the run that was forwarded and has a mark: in boxes, and at destinations that behave as told."""
    w.appliance()
    for canon in (("simple", "simple"), ("simple", "relaxed"), ("relaxed", "simple"), ("relaxed", "relaxed")):
        mark, text = letter("ann@stranger.example")
        expect(forward(w.stranger.sign(text, canon), rcpt="both@" + peers.HOME, timeout=200), 250)
        for box in ("gmail", "stranger"):
            w.standin.wait(mark, box)
    boxes = [peers.crlf(x) for box in ("gmail", "stranger") for x in w.standin.letters(box)]
    pairs, seen = [], 0
    for got in fake.arrived + boxes:
        mark = MARK.search(got)
        if not mark or b"X-Forwarded-To: " not in got[:mark.start()] or mark.group(1) not in sent:
            continue
        # The shortest: loops are tried by sending what arrived.
        original = min((x for x in sent[mark.group(1)] if got.endswith(x)), key=len, default=None)
        need(original, "octets changed: %r" % got)
        need(got[:-len(original)].endswith(b"\r\n"), "the prepended header does not end with a line")
        seen += 1
        if b"DKIM-Signature:" in original:
            pairs.append((original, got))
    need(seen >= 8, "only %d letters were looked at" % seen)
    print("# %d letters, %d with signatures, good: %r" % (seen, len(pairs), still_verify("all", pairs)), flush=True)


CASES = [odd_letters, nothing_was_changed]
