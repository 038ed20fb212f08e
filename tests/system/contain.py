# SPDX-License-Identifier: ISC
"""contain.py ROOT KEYS DATA READY GO: become init of a container.

Runs as PID 1 of new namespaces. Makes a read-only root from the folder ROOT with a few devices, binds the
folders KEYS and DATA over /keys and /data unless they are `-`, says so on the descriptor READY, waits for
the network on GO, and executes /init with the console on standard output.
"""
import os
import subprocess
import sys


def mount(*words):
    subprocess.run(["mount"] + list(words), check=True)


def main():
    root, keys, data, ready, go = sys.argv[1:]
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    for inside in ("keys/a", "keys/b", "data", "dev", "proc", "sys", "empty"):
        os.makedirs(os.path.join(root, inside), exist_ok=True)
    mount("-o", "remount,bind,ro", root)
    for folder, inside in ((keys, "keys"), (data, "data")):
        if folder != "-":
            mount("--bind", folder, os.path.join(root, inside))
    dev = os.path.join(root, "dev")
    mount("-t", "tmpfs", "-o", "mode=755", "dev", dev)
    for name in ("null", "zero", "full", "random", "urandom"):
        open(os.path.join(dev, name), "wb").close()
        mount("--bind", "/dev/" + name, os.path.join(dev, name))
    mount("-t", "proc", "proc", os.path.join(root, "proc"))
    os.write(int(ready), b"r")
    os.close(int(ready))
    if os.read(int(go), 1) != b"g":
        sys.exit("contain: nobody to start for")
    os.close(int(go))
    os.chroot(root)
    os.chdir("/")
    os.execve("/init", ["/init"], {"container": "tinpost", "PATH": "/bin"})


main()
