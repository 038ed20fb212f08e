# SPDX-License-Identifier: ISC
"""A second root file system from the same sources: address by DHCP, time by SNTP, everything else as in .config."""
import os
import re
import subprocess

import world

DIR = os.path.join(world.OUT, "variant")
ROOTFS = os.path.join(DIR, "images/rootfs.cpio")
CHANGES = {"INIT_NET_STATIC": "n", "INIT_NET_DHCP": "y", "INIT_ADDRESS": '""', "INIT_GATEWAY": '""',
           "INIT_NAMESERVERS": '""', "INIT_NTP_SERVERS": '"time.example"'}


def build():
    """Before the namespaces: packages come from the cache that the build under test has filled."""
    with open(world.config_path, encoding="ascii") as f:
        lines = [x for x in f if not re.match(r"(# )?CONFIG_(%s)\b" % "|".join(CHANGES), x)]
    lines += ["CONFIG_%s=%s\n" % x if x[1] != "n" else "# CONFIG_%s is not set\n" % x[0] for x in CHANGES.items()]
    os.makedirs(DIR, exist_ok=True)
    text = "".join(lines)
    if not os.path.exists(DIR + "/.config") or open(DIR + "/.config", encoding="ascii").read() != text:
        with open(DIR + "/.config", "w", encoding="ascii") as f:
            f.write(text)
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "O", "SITE", "CACHE")}
    cache = os.environ.get("CACHE_DIR") or os.environ.get("CACHE")
    words = ["make", "-s", "-C", world.TOP, "O=" + DIR, "KCONFIG_CONFIG=%s/.config" % DIR, ROOTFS]
    done = subprocess.run(words + (["CACHE=" + cache] if cache else []), env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return ""
    if os.path.exists(ROOTFS):
        os.unlink(ROOTFS)      # an old one must not pass for this one
    return done.stdout
