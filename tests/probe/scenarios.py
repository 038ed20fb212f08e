#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""scenarios.py DIR: SPF scenarios of others, run through `probe spf`; one line for each file.

A file is a list of lines: `a: name address, ...`, likewise aaaa, mx (addresses), ptr (an address, then names), spf and
exp set records, in the place of those that the name had of this kind; `domain:` (HELO), `sender:` and `ip:` stand until
they are set again; `expect: result [explanation]` is one test. A name with `_dns_error.` in it fails to resolve.
"""
import ipaddress
import os
import re
import subprocess
import sys
import tempfile

PROBE = os.path.join(os.environ["TINPOST_OUT"], "host", "probe")

# A scenario about the limit of ten names ten that it does not give, and stands on look-ups without an answer not being
# counted (RFC 7208 4.6.4 has at most two). They get an address here that no client has.
NAMED = re.compile(r"\ba:(t\d+\.org)\b")


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


class Scenarios:
    def __init__(self):
        self.zone, self.now = {}, {"domain": "", "sender": "", "ip": "127.0.0.1"}
        self.ran, self.bad = 0, []

    def record(self, kind, value):
        name, _, rest = value.partition(" ")
        rest = rest.strip()
        items = [item.strip() for item in rest.split(",")]
        if kind in ("spf", "exp"):
            self.zone[name, "TXT"] = ["TXT " + quoted(rest)]
            for host in NAMED.findall(rest):
                self.zone[host, "A"] = ["A 203.0.113.1"]
        elif kind == "ptr":
            self.zone[ipaddress.ip_address(name).reverse_pointer, "PTR"] = ["PTR " + item for item in items]
        elif kind == "mx":
            hosts = ["mx%d.%s" % (i, name) for i in range(len(items))]
            self.zone[name, "MX"] = ["MX %d %s" % (i + 1, host) for i, host in enumerate(hosts)]
            for host, item in zip(hosts, items):
                self.record("aaaa" if ":" in item else "a", "%s %s" % (host, item))
        else:
            self.zone[name, kind.upper()] = ["%s %s" % (kind.upper(), item) for item in items]

    def text(self):
        names = set(re.findall(r"[\w.]*_dns_error\.[\w.]+", " ".join(sum(self.zone.values(), []) + list(self.now.values()))))
        lines = ["%s %s" % (name, record) for (name, _), records in self.zone.items() for record in records if len(name) < 254]
        return "\n".join(lines + [name + " SERVFAIL" for name in sorted(names)]) + "\n"

    def expect(self, line):
        self.ran += 1
        with tempfile.NamedTemporaryFile("w") as zone:
            zone.write(self.text())
            zone.flush()
            got = subprocess.run([PROBE, "spf", "--ip", self.now["ip"], "--helo", self.now["domain"], "--from",
                                  self.now["sender"], "--zone", zone.name], capture_output=True, text=True)
        result, _, explanation = line.partition(" ")
        said, _, rest = got.stdout.strip().partition(" ")
        if got.returncode or said != result or (explanation and rest != explanation):
            self.bad.append("%s, not %s: %s %s" % (got.stdout.strip(), line, self.now, got.stderr.strip()))

    def run(self, lines):
        for line in lines:
            kind, _, value = line.strip().lstrip("- ").partition(":")
            value = value.strip()
            if kind in ("a", "aaaa", "mx", "ptr", "spf", "exp"):
                self.record(kind, value)
            elif kind in self.now:
                self.now[kind] = value
            elif kind == "expect":
                self.expect(value)


def main():
    for file in sorted(os.listdir(sys.argv[1])):
        if not file.endswith(".yml"):
            continue
        s = Scenarios()
        with open(os.path.join(sys.argv[1], file)) as lines:
            s.run(lines)
        name = "probe-spf-scenarios-" + file[:-4]
        print("ok %s: %d" % (name, s.ran) if s.ran and not s.bad else "not ok %s: %d of %d" % (name, len(s.bad), s.ran))
        for bad in s.bad:
            print("  " + bad)


if __name__ == "__main__":
    main()
