# SPDX-License-Identifier: ISC
"""One front process on a stage: init, check, auth and holder.tls are played here.

The wire formats are those of init/ctl.h and smtpd/msg/*.h; names and numbers of processes and
channels are read from init/topology.def.
"""
import array
import ctypes
import ctypes.util
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

CTL_START, CTL_CHAN, CTL_STOP, CTL_READY, CTL_WORKED, CTL_ACCUSE = range(1, 7)
PORTS = {"mx": [25], "sub": [465, 587, 25]}


def topology():
    text = open("init/topology.def").read()
    rows = lambda name: re.findall(r"^%s\((\w+),\s*(\w+|\"[^\"]*\")" % name, text, re.M)
    procs = {r[0]: i for i, r in enumerate(rows("PROC"))}
    chans = {r: i for i, r in enumerate(rows("CHAN"))}
    return procs, chans


class Signer:
    """ECDSA by the OpenSSL library that Python uses itself; a process would not answer in 50 ms."""

    def __init__(self, key_pem):
        c = self.c = ctypes.CDLL(ctypes.util.find_library("crypto"))
        for f in ("BIO_new_mem_buf", "PEM_read_bio_PrivateKey", "EVP_MD_CTX_new", "EVP_sha256",
                  "EVP_sha384", "EVP_sha512"):
            getattr(c, f).restype = ctypes.c_void_p
        bio = c.BIO_new_mem_buf(key_pem, len(key_pem))
        self.key = c.PEM_read_bio_PrivateKey(ctypes.c_void_p(bio), None, None, None)

    def sign(self, hash_id, data):
        c = self.c
        ctx = ctypes.c_void_p(c.EVP_MD_CTX_new())
        md = ctypes.c_void_p({4: c.EVP_sha256, 5: c.EVP_sha384, 6: c.EVP_sha512}[hash_id]())
        sig, n = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
        c.EVP_DigestSignInit(ctx, None, md, None, ctypes.c_void_p(self.key))
        ok = c.EVP_DigestSign(ctx, sig, ctypes.byref(n), data, ctypes.c_size_t(len(data)))
        c.EVP_MD_CTX_free(ctx)
        return sig.raw[:n.value] if ok == 1 else b""


def make_certificate(dir):
    key, crt = os.path.join(dir, "key.pem"), os.path.join(dir, "crt.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", crt, "-days", "2", "-subj", "/CN=mail.example.org"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    der = subprocess.run(["openssl", "x509", "-in", crt, "-outform", "DER"], check=True,
                         stdout=subprocess.PIPE).stdout
    return Signer(open(key, "rb").read()), der


class Letter:
    def __init__(self, text, head):
        self.text, self.head, self.rcpts = text, {}, []
        while head:
            tag = head[:1]
            n = len(head) if tag == b"H" else struct.unpack(">H", head[1:3])[0]
            value = head[1:] if tag == b"H" else head[3:3 + n]
            head = head[1 + n:] if tag == b"H" else head[3 + n:]
            if tag == b"R":
                self.rcpts.append(value)
            else:
                self.head[tag.decode()] = value


class Stage:
    def __init__(self, binary, build_id, lane, signer, der, certificate=True):
        procs, chans = topology()
        self.me = procs["FRONT_" + lane.upper()]
        self.lane, self.signer, self.der, self.certificate = lane, signer, der, certificate
        self.chan_ids = {"check": chans["FRONT_" + lane.upper(), "CHECK_" + lane.upper()],
                         "holder": chans["FRONT_" + lane.upper(), "HOLDER_TLS"]}
        if lane == "sub":
            self.chan_ids["auth"] = chans["FRONT_SUB", "AUTH"]
        self.answers = {"rcpt": (250, (2, 1, 5), "Ok", 2, 1), "letter": (250, (2, 0, 0), "Delivered", 0, 0)}
        self.offer, self.auth, self.held, self.hold, self.network, self.peers = 0, "yes", [], False, "no", []
        self.letters, self.asked, self.unheard, self.logins, self.log, self.accused = [], [], [], [], b"", []
        self.generation, self.ends, self.lock = 0, {}, threading.RLock()
        self.listeners = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS[lane]]
        self.port = dict(zip(PORTS[lane], (s.getsockname()[1] for s in self.listeners)))
        self.start(binary, build_id)

    def start(self, binary, build_id):
        ctl, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        log, log_far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ctl, self.logs = ctl, log
        fds = [far.fileno(), log_far.fileno()]

        def child():
            a, b = os.dup(fds[0]), os.dup(fds[1])
            os.dup2(a, 3)
            os.dup2(b, 2)
            os.closerange(4, 256)

        self.process = subprocess.Popen([binary], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        close_fds=False, preexec_fn=child)
        far.close()
        log_far.close()
        start = struct.pack("IIII32s32s", CTL_START, self.me, 0, len(self.listeners), build_id, b"")
        ctl.sendmsg([start], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                               array.array("i", [s.fileno() for s in self.listeners]))])
        for name in self.chan_ids:
            self.wire(name)
        self.running = True
        threading.Thread(target=self.play, daemon=True).start()

    def wire(self, name):
        """New ends for a channel, as after a restart of the peer."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with self.lock:
            old, self.ends[name] = self.ends.get(name), near
            self.generation += 1
        if old:
            old.close()
        self.ctl.sendmsg([struct.pack("III", CTL_CHAN, self.chan_ids[name], self.generation)],
                         [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [far.fileno()]))])
        far.close()

    def cut(self, name):
        with self.lock:
            self.ends[name].close()
            del self.ends[name]

    def stop(self):
        self.ctl.send(struct.pack("II", CTL_STOP, 0))

    def end(self):
        self.running = False
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for s in self.listeners + [self.ctl]:
            s.close()

    def wait_log(self, text, seconds=10):
        until = time.time() + seconds
        while time.time() < until:
            if re.search(text, self.log.decode("latin1")):
                return True
            if self.process.poll() is not None and until > time.time() + 1:
                until = time.time() + 1
            time.sleep(0.01)
        return False

    # ---- the peers ----

    def play(self):
        while self.running:
            with self.lock:
                ends = dict(self.ends)
            by_socket = {s: n for n, s in ends.items()}
            try:
                ready = select.select(list(by_socket) + [self.ctl, self.logs], [], [], 0.05)[0]
                for s in ready:
                    self.hear(s, by_socket.get(s))
            except (OSError, ValueError):
                continue  # an end was closed meanwhile

    def hear(self, s, name):
        data, anc, _, _ = s.recvmsg(20000, 1024)
        fds = array.array("i")
        for _, _, d in anc:
            fds.frombytes(d)
        if s is self.logs:
            self.log += data + b"\n"
            if not data:
                self.logs = self.ctl
        elif s is self.ctl:
            if data[:4] == struct.pack("I", CTL_ACCUSE):
                self.accused.append(struct.unpack("I", data[4:8])[0])
            elif not data:
                self.running = False
        elif data:
            getattr(self, "on_" + name)(s, data, list(fds))

    def on_holder(self, s, data, fds):
        type, _, id = struct.unpack("HHI", data[:8])
        if type == 1:
            product = struct.pack(">H", len(self.der)) + self.der
            result = 0 if self.certificate else 1
        else:
            product, result = self.signer.sign(data[9], data[16:]), 0
        s.send(struct.pack("HHIB7x", type, 0, id, result) + (b"" if result else product))

    def on_auth(self, s, data, fds):
        type, _, id = struct.unpack("HHI", data[:8])
        if type == 2:  # AUTH_NETWORK
            self.peers.append(data[8:24])
            if self.network != "never":
                s.send(struct.pack("HHIB7x", type, 0, id, self.network == "yes") +
                       b"grant-of-networks" * (self.network == "yes"))
            return
        if type == 4:  # AUTH_OFFER
            s.send(struct.pack("HHIBB6x", type, 0, id, 1, self.offer))
            return
        if type in (5, 6):  # AUTH_SCRAM_FIRST, AUTH_SCRAM_FINAL
            self.scram(s, type, id, data)
            return
        n = struct.unpack("H", data[24:26])[0]
        self.logins.append((data[32:32 + n], data[32 + n:]))
        if self.auth == "never":
            return
        result = {"no": 0, "yes": 1, "later": 2}[self.auth]
        s.send(struct.pack("HHIB7x", type, 0, id, result) + (b"grant-of-" + data[32:32 + n]) * (result == 1))

    def scram(self, s, type, id, data):
        """The messages that front carries; what they are worth is auth's business."""
        first = struct.unpack("H", data[24:26])[0]
        self.logins.append((data[32:32 + first], data[32 + first:]))
        result = {"no": 0, "yes": 1, "later": 2}[self.auth]
        tail, server, account = b"server-first", 0, 0
        if type == 6:
            tail, server, account = b"v=signedapp1grant-of-app1", 8, 4
        s.send(struct.pack("HHIBBBB4x", type, 0, id, result, 0, server, account) + tail * (result == 1))

    def on_check(self, s, data, fds):
        type, _, id = struct.unpack("HHI", data[:8])
        if type == 1:
            a, b, c = struct.unpack("HHH", data[8:14])
            self.asked.append((data[16:16 + a], data[16 + a:16 + a + b], data[16 + a + b:]))
            self.answer(s, type, id, self.answers["rcpt"])
            return
        if type == 4:
            self.unheard.append(struct.unpack("Q", data[8:16])[0])
            s.send(struct.pack("HHI", type, 0, id))
            return
        size = struct.unpack("Q", data[8:16])[0]
        text, head = os.pread(fds[0], size + 1, 0), os.pread(fds[1], 1 << 20, 0)
        os.lseek(fds[0], self.hold != "idle", os.SEEK_SET)  # memfd_mark(): somebody is at work on it
        for fd in fds:
            os.close(fd)
        self.letters.append(Letter(text, head))
        self.letters[-1].sha256 = data[16:48]
        if self.hold:
            self.held.append((s, type, id))
        else:
            self.answer(s, type, id, self.answers["letter"])

    def answer(self, s, type, id, a):
        code, enhanced, text, flags, route = a
        s.send(struct.pack("HHIH3BBHQ", type, 0, id, code, *enhanced, flags, 0, route) + text.encode())

    def release(self):
        for s, type, id in self.held:
            self.answer(s, type, id, self.answers["letter"])
        self.held = []
