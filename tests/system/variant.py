# SPDX-License-Identifier: ISC
"""Further root file systems from the same sources; everything that a variant does not name is as in .config."""
import os
import re
import subprocess

import world

ACME = {"KEYS_TLS_SELFSIGNED": "n", "KEYS_ACME": "y", "KEYS_ACME_DIRECTORY": '"https://acme.example:14000/dir"',
        "KEYS_TLS_NAMES": '"imap.home.example"'}
VARIANTS = {
    # address by DHCP, time by SNTP
    "network": {"INIT_NET_STATIC": "n", "INIT_NET_DHCP": "y", "INIT_ADDRESS": '""', "INIT_GATEWAY": '""',
                "INIT_NAMESERVERS": '""', "INIT_NTP_SERVERS": '"time.example"'},
    # more than one address
    "addresses": {"INIT_ADDRESS": '"192.0.2.10/24 192.0.2.12/24 2001:db8:7::10/64"',
             "INIT_GATEWAY": '"192.0.2.1 2001:db8:7::1"'},
    # names over TLS; the server asked first has another name than this. Letters are signed with Ed25519; the
    # forward lane bears little.
    "dot": {"KEYS_DKIM_RSA": "n", "KEYS_DKIM_ED25519": "y", "FORWARD_BURST": "2", "FORWARD_MINUTE": "1", "FORWARD_WAIT": "1",
            "DNS_TLS_SERVERS": '"%s@8853#other.example %s#dot.example"' % (world.DNS, world.DNS)},
    # all letters by way of a provider; tried again at once, and soon late; random letter case in the names that are asked,
    # two signatures. Forwarded letters tell how they were judged; a list of clients is asked. CRAM-MD5 is offered
    "smarthost": {"SMARTHOST_HOST": '"relay.example"', "KEYS_DKIM_SECOND": "y", "SMTPD_QUEUE_RETRY": "1",
                  "SMTPD_QUEUE_RETRY_MAX": "1", "SMTPD_QUEUE_WARN": "2", "DNS_0X20": "y", "FORWARD_AUTHRES": "y",
                  "FORWARD_DNSBL": '"list.example"', "AUTH_LEGACY_CRAM_MD5": "y"},
    # strangers' letters that cannot be forwarded at once are kept, and tried again at once; few of them in an hour. Another
    # name and a further domain, to forward to the usual one. Logs by TLS
    "spool": {"FORWARD_SPOOL": "y", "SMTPD_QUEUE_RETRY": "1", "SMTPD_QUEUE_RETRY_MAX": "1",
              "FORWARD_SENDER_LETTERS": "25", "FORWARD_RCPT_LETTERS": "28", "SMTPD_HOSTNAME": '"second.example.org"',
              "SMTPD_DOMAINS": '"%s loop.example"' % world.config.get("SMTPD_DOMAINS", "example.org").split()[0],
              "FORWARD_SRS_DOMAIN": '"loop.example"', "INIT_SYSLOG": "y",
              "INIT_SYSLOG_SERVER": '"tls:%s#log.example"' % world.FAKE},
    # looks at itself as often as it can. Logs to a syslog server by UDP
    "health": {"INIT_HEALTH_INTERVAL": "5", "INIT_SYSLOG": "y", "INIT_SYSLOG_SERVER": '"udp:%s"' % world.FAKE},
    # takes letters while nothing is wrong with its records. Logs by TCP
    "gate": {"CHECK_GATE": "y", "INIT_SYSLOG": "y", "INIT_SYSLOG_SERVER": '"tcp:%s"' % world.FAKE},
    # a certificate for two names from the authority of cases_acme.py, which looks at port 80, or at 443
    "acme": ACME,
    "alpn": dict(ACME, KEYS_ACME_HTTP01="n", KEYS_ACME_TLSALPN01="y", KEYS_TLS_P256="n", KEYS_TLS_RSA="y"),
    # keys are sealed to an operator's; every kind that there is
    "backup": dict(ACME, KEYS_BACKUP_PUBKEY='"%s"' % os.path.relpath(world.OUT + "/variant/backup/public", world.TOP),
                   KEYS_DKIM_SECOND="y", KEYS_TLS_P256="n", KEYS_TLS_RSA="y"),
    # a disk that takes updates; a trial is short
    "update": {"BOARD_QEMU_X86_64": "n", "BOARD_VM_X86_64": "y", "INIT_DISK_WAIT": "5", "UPDATE_EPOCH": "2", "UPDATE_TRIAL": "40",
               "UPDATE_PUBKEY": '"%s"' % os.path.relpath(world.OUT + "/variant/update/public", world.TOP)},
}
# What it takes beside a root file system.
MORE = {"update": ["images/tinpost-vm-x86_64.img", "host/tinpost-update"]}
# The host's program that makes its pair of keys.
PAIRS = {"backup": "tinpost-keys", "update": "tinpost-update"}


def folder(name):
    return os.path.join(world.OUT, "variant", name)


def rootfs(name):
    return folder(name) + "/images/rootfs.cpio.zst"


def board(name):
    """The images of a board, beside those under test; says what went wrong."""
    if world.config.get("BOARD_NAME") == name:
        return ""       # it is the build under test
    top = os.path.dirname(world.OUT) if os.path.basename(world.OUT) == "demo" else world.OUT
    return make("O=" + top, "BOARD=" + name, "board-images")


def make(*words):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "O", "SITE", "CACHE", "KCONFIG_CONFIG")}
    cache = os.environ.get("CACHE_DIR") or os.environ.get("CACHE")
    done = subprocess.run(["make", "-s", "-C", world.TOP] + list(words) + (["CACHE=" + cache] if cache else []), env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout if done.returncode else ""


def build(name):
    """Before the namespaces: packages come from the cache that the build under test has filled. Says what went wrong."""
    changes, where = VARIANTS[name], folder(name)
    with open(world.config_path, encoding="ascii") as f:
        lines = [x for x in f if not re.match(r"(# )?CONFIG_(%s)\b" % "|".join(changes), x)]
    lines += ["CONFIG_%s=%s\n" % x if x[1] != "n" else "# CONFIG_%s is not set\n" % x[0] for x in changes.items()]
    os.makedirs(where, exist_ok=True)
    if name in PAIRS and not os.path.exists(where + "/public"):
        subprocess.run([world.OUT + "/host/" + PAIRS[name], "make", where + "/private", where + "/public"], check=True)
    text = "".join(lines)
    if not os.path.exists(where + "/.config") or open(where + "/.config", encoding="ascii").read() != text:
        with open(where + "/.config", "w", encoding="ascii") as f:
            f.write(text)
    problem = make("O=" + where, "KCONFIG_CONFIG=%s/.config" % where, rootfs(name),
                   *[where + "/" + x for x in ["host/tinpost-user", "host/tinpost-users"] + MORE.get(name, [])])
    if problem and os.path.exists(rootfs(name)):
        os.unlink(rootfs(name))      # an old one must not pass for this one
    return problem
