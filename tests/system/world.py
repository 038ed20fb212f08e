# SPDX-License-Identifier: ISC
"""The world around the appliance: namespaces of its own, one network, the peers' private root.

enter() starts the calling script again inside new network, mount and process namespaces; all that
lives there vanishes when the script ends, however it ends. Listening sockets on 127.0.0.1 that
the user shall reach are made before, outside, and relayed to the appliance.
"""
import ctypes
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.abspath(os.environ.get("TINPOST_OUT") or os.environ.get("O") or
                      os.path.join(TOP, "out/demo" if os.path.isdir(TOP + "/out/demo") else "out"))

DNS, MX, MX2, FAKE, CLIENT, INSIDE = ("192.0.2.%d" % n for n in (53, 25, 26, 27, 77, 88))
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/root"}

def find_config():
    for path in (os.environ.get("KCONFIG_CONFIG"), os.path.join(OUT, ".config"), os.path.join(TOP, ".config")):
        if path and os.path.exists(path):
            return os.path.abspath(path)
    return os.devnull


def configuration(path):
    """The symbols of the build under test, without CONFIG_."""
    with open(path, encoding="ascii") as f:
        return {k: v.strip('"') for k, v in re.findall(r"^CONFIG_(\w+)=(.*)$", f.read(), re.M)}


config_path = find_config()
config = configuration(config_path)
static = "INIT_NET_STATIC" in config
APPLIANCE = config["INIT_ADDRESS"].split("/")[0] if static else "192.0.2.10"
name_servers = [DNS] + [x for x in config.get("INIT_NAMESERVERS", "").split() if static and x != DNS]
root = ""         # the peers' private root, mounted and ready after enter()
host_ports = {}   # appliance port -> port on the host's 127.0.0.1


class Late(Exception):
    """Something did not happen before its deadline."""


def sh(*words, **more):
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, **more)


def until(what, deadline, probe):
    """The first true value of probe(); Late after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise Late("%s: not within %g s" % (what, deadline))
        time.sleep(0.02)


def enter(ports=()):
    """Return inside the namespaces, with the network up and the peers' root mounted."""
    global root
    if "TINPOST_WORLD" not in os.environ:
        root = subprocess.run([TOP + "/tests/peers/root"], check=True, stdout=subprocess.PIPE,
                              text=True).stdout.strip()
        listeners = []
        for port in ports:
            s = socket.create_server(("127.0.0.1", 0))
            s.set_inheritable(True)
            listeners.append("%d:%d" % (port, s.detach()))
        env = dict(os.environ, TINPOST_WORLD=" ".join(listeners), TINPOST_PEERS=root)
        user = [] if os.getuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
        cmd = ["unshare"] + user + ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                                    "/usr/bin/python3", "-B"] + sys.argv
        os.execvpe("unshare", cmd, env)
    root = os.environ["TINPOST_PEERS"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for pair in os.environ["TINPOST_WORLD"].split():
        port, fd = map(int, pair.split(":"))
        s = socket.socket(fileno=fd)
        host_ports[port] = s.getsockname()[1]
        threading.Thread(target=relay, args=(s, port), daemon=True).start()
    network()
    mounts()


def network():
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
    for address in (DNS, MX, MX2, FAKE, CLIENT, INSIDE):
        sh("ip", "addr", "add", address + "/24", "dev", "br0")
    if static:    # the network that .config describes: its route and its name servers are ours
        prefix = config["INIT_ADDRESS"].split("/")[1]
        for address in set([config.get("INIT_GATEWAY", "")] + name_servers) - {"", DNS}:
            sh("ip", "addr", "add", address + "/" + prefix, "dev", "br0")
    with open("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "w", encoding="ascii") as f:
        f.write("1")
    sh("ip", "link", "set", "br0", "up")


def mounts():
    for d in ("run", "tmp", "srv", "var/spool/postfix"):
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "tinpost", os.path.join(root, d))
    os.chmod(root + "/tmp", 0o1777)
    sh("mount", "--rbind", "/dev", root + "/dev")
    sh("mount", "-t", "proc", "proc", root + "/proc")


def tap(name):
    """A tap on the network, for a virtual machine."""
    sh("ip", "tuntap", "add", name, "mode", "tap")
    sh("ip", "link", "set", name, "master", "br0", "up")


def veth(name, pid):
    """eth0 of the namespace in which `pid` lives, plugged into the network."""
    sh("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    sh("ip", "link", "set", name, "master", "br0", "up")


def unplug(name):
    subprocess.run(["ip", "link", "del", name], check=False, stderr=subprocess.DEVNULL)


def inside(*words, **more):
    """Run a program of the private root to its end; the completed process."""
    return subprocess.run(["chroot", root] + list(words), env=CLEAN, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False, **more)


def start(*words, log):
    """Start a program of the private root in the foreground of its own; the process."""
    with open(os.path.join(root, log), "ab") as f:
        return subprocess.Popen(["chroot", root] + list(words), env=CLEAN, stdin=subprocess.DEVNULL,
                                stdout=f, stderr=f, preexec_fn=die_with_parent)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def connects(address, port):
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def relay(listener, port):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=pump, args=(client, port), daemon=True).start()


def pump(client, port):
    try:
        server = socket.create_connection((APPLIANCE, port), timeout=10, source_address=(CLIENT, 0))
    except OSError:
        client.close()
        return
    server.settimeout(None)
    other = {client: server, server: client}
    while other:
        for s in select.select(list(other), [], [])[0]:
            try:
                data = s.recv(65536)
                (server if s is client else client).sendall(data)
            except OSError:
                data = b""
            if not data:
                other.pop(s)
                try:
                    (server if s is client else client).shutdown(socket.SHUT_WR)
                except OSError:
                    other.clear()
    client.close()
    server.close()
