#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# builds: release asan
"""What rules tell to programs and people: NFQUEUE, NFLOG, LOG, conntrack -E, and counters that are read and zeroed.

  client 10.0.1.2 ── gate ── 10.0.2.2 server: an echo server
                      │
                queue-example, which drops what has ten x in a row
"""
import json
import os
import re
import signal
import struct
import subprocess
import tempfile

import lab
from lab import BIN, check, check_equal, wait_for

EXAMPLE = str(BIN / "queue-example")
FLOOD = str(lab.ROOT / "build" / "flood")
WAITING_MAX = 8
SERVER, PORT = "10.0.2.2", 9
SMALL, BIG = 5, 20  # bytes of payload: the program lets the small ones pass
RATE, SECONDS = (2000, 4) if lab.SANITIZED else (20000, 4)

CONFIG = f"""
fabric: queue
routers:
  gate:
    forward: true
    control: true
    tunables: {{nfqueue_max: {WAITING_MAX}, nfqueue_time: 120000}}
    interfaces:
      iucv0: {{iucv: client, address: 10.0.1.1}}
      iucv1: {{iucv: server, address: 10.0.2.1}}
guests:
  client: {{interfaces: {{iucv0: {{iucv: gate, address: 10.0.1.2, peer: 10.0.1.1}}}}}}
  server:
    interfaces: {{iucv0: {{iucv: gate, address: 10.0.2.2, peer: 10.0.2.1}}}}
    run: |
      exec python3 -c '
      import socketserver
      class Echo(socketserver.BaseRequestHandler):
          def handle(self):
              while data := self.request.recv(1000):
                  self.request.sendall(data)
      socketserver.ThreadingTCPServer.allow_reuse_address = True
      socketserver.ThreadingTCPServer(("", 7), Echo).serve_forever()'
"""

TALK = """
import socket
with socket.create_connection(("10.0.2.2", 7), timeout=10) as s:
    s.sendall(b"hello")
    print(s.recv(100).decode(), s.getsockname()[1])
"""


def iptables(net, *arguments, ok=True):
    return net.command("iptables", "-r", "gate", *arguments, ok=ok)


def only_rule(net, *arguments):
    iptables(net, "-F", "FORWARD")
    iptables(net, "-A", "FORWARD", "-p", "udp", "--dport", str(PORT), *arguments)


def send(net, size, count=1):
    for _ in range(count):
        net.agent("client").call("udp", dst=SERVER, port=PORT, size=size)


# What becomes of a connection, and how long it then lives. CLOSE_WAIT it is only if the server's FIN is not its answer to the client's.
STATES = [("SYN_SENT", 120), ("SYN_RECV", 60), ("ESTABLISHED", 432000), ("FIN_WAIT", 120), ("LAST_ACK", 30), ("TIME_WAIT", 120),
          ("TIME_WAIT", 120)]


class Arrivals:
    """Sizes of the datagrams that the server has received."""

    def __init__(self, net):
        self.net, self.sizes = net, []
        net.agent("server").call("listen", port=PORT)

    def take(self):
        self.sizes += self.net.agent("server").call("received", port=PORT)["sizes"]
        return self.sizes

    def expect(self, *sizes):
        """These, and in this order, have come since the last call."""
        wait_for(lambda: len(self.take()) >= len(sizes), f"{len(sizes)} datagrams at the server")
        check_equal(self.sizes, list(sizes), "datagrams at the server")
        self.sizes = []


class Program:
    """queue-example on queue 3 of gate."""

    def __init__(self, net):
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([EXAMPLE, net.name, "gate", "3", "x" * 10], stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=subprocess.PIPE, env=lab.environment(), text=True)
        net.spawned.append(self.process)

    def lines(self):
        """What it says of each packet so far."""
        self.out.seek(0)
        return self.out.read().splitlines()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


def start_program(net, arrivals):
    """It is there once it gets a packet; until then each is dropped."""
    program = Program(net)
    before = net.drops()
    sent = 0
    while not program.lines():
        send(net, SMALL)
        sent += 1
        wait_for(lambda: program.lines() or net.dropped("queue-nobody", "gate", before) == sent, "the packet's fate")
    arrivals.expect(SMALL)
    return program


def drops_by(net, reason, number, since):
    wait_for(lambda: net.dropped(reason, "gate", since) >= number, f"{number} packets dropped as {reason}")
    check_equal(net.dropped(reason, "gate", since), number, f"packets dropped as {reason}")


def no_other_drops(net, since, *reasons):
    now = net.drops()
    others = {k: n - since.get(k, 0) for k, n in now.items() if n > since.get(k, 0) and k[1] not in reasons}
    check(not others, f"other drops: {others}")


def nobody(suite, net, arrivals):
    with suite.test("NFQUEUE and no program: dropped as queue-nobody"):
        only_rule(net, "-j", "NFQUEUE", "--queue-num", "3")
        before = net.drops()
        send(net, SMALL, 3)
        drops_by(net, "queue-nobody", 3, before)
        no_other_drops(net, before, "queue-nobody")
        check_equal(arrivals.take(), [], "datagrams at the server")
    with suite.test("the same of -j QUEUE, which is number 0"):
        only_rule(net, "-j", "QUEUE")
        before = net.drops()
        send(net, SMALL)
        drops_by(net, "queue-nobody", 1, before)
    with suite.test("--queue-bypass and no program: it passes"):
        only_rule(net, "-j", "NFQUEUE", "--queue-num", "3", "--queue-bypass")
        before = net.drops()
        send(net, SMALL, 3)
        arrivals.expect(SMALL, SMALL, SMALL)
        no_other_drops(net, before)


def decides(suite, net, arrivals):
    only_rule(net, "-j", "NFQUEUE", "--queue-num", "3")
    program = start_program(net, arrivals)
    with suite.test("the example lets pass what has not its word, in order, and drops what has"):
        before = net.drops()
        for size in (SMALL, BIG, SMALL + 1, BIG, SMALL + 2):
            send(net, size)
        arrivals.expect(SMALL, SMALL + 1, SMALL + 2)
        drops_by(net, "queue-verdict", 2, before)
        no_other_drops(net, before, "queue-verdict")
        check_equal(program.lines()[2], f"FORWARD iucv0 -> iucv1, {28 + BIG} bytes: drop", "a line of the program")
        check_equal(program.lines()[5], f"FORWARD iucv0 -> iucv1, {28 + SMALL + 2} bytes: accept", "a line of the program")
    with suite.test("a second program on the same number is refused in one sentence"):
        other = Program(net)
        check_equal(other.process.wait(10 * lab.SCALE), 1, "its status")
        text = other.process.stderr.read().strip()
        check("queue 3 of gate has a program already" in text and "\n" not in text, text)
    return program


def waits(suite, net, arrivals, program):
    with suite.test("the program does not answer: its packets wait, what exceeds nfqueue_max is dropped, other traffic goes on"):
        before = net.drops()
        program.stop()
        send(net, SMALL, WAITING_MAX + 4)
        drops_by(net, "queue-full", 4, before)
        check_equal(net.ping("client", SERVER, count=2)[0], 2, "answers to ping")
        check_equal(arrivals.take(), [], "datagrams at the server")
        program.go_on()
        arrivals.expect(*[SMALL] * WAITING_MAX)
        no_other_drops(net, before, "queue-full")
    with suite.test("rules change while packets wait: they are dropped as rules-changed, later ones pass"):
        before = net.drops()
        program.stop()
        send(net, SMALL, 3)
        send(net, BIG)
        iptables(net, "-A", "FORWARD", "-p", "tcp", "--dport", "4711", "-j", "DROP")
        program.go_on()
        drops_by(net, "rules-changed", 3, before)
        drops_by(net, "queue-verdict", 1, before)
        send(net, SMALL + 1)
        arrivals.expect(SMALL + 1)
        no_other_drops(net, before, "rules-changed", "queue-verdict")
    with suite.test("the program is killed while packets wait: they are dropped as queue-nobody, other traffic goes on"):
        before = net.drops()
        program.stop()
        send(net, SMALL, 3)
        check_equal(net.ping("client", SERVER)[0], 1, "answers to ping")
        program.kill()
        drops_by(net, "queue-nobody", 3, before)
        check_equal(net.ping("client", SERVER)[0], 1, "answers to ping")
        no_other_drops(net, before, "queue-nobody")
        check_equal(arrivals.take(), [], "datagrams at the server")
    with suite.test("the next program on that number serves it"):
        start_program(net, arrivals).kill()
    iptables(net, "-F")


def blocks(data):
    """(type, body) of each block of a pcapng file, whole ones only; checks both lengths of each."""
    at = 0
    while len(data) - at >= 12:
        kind, length = struct.unpack_from("<II", data, at)
        check(length % 4 == 0 and length >= 12, f"block of {length} bytes at {at}")
        if at + length > len(data):
            return
        check_equal(struct.unpack_from("<I", data, at + length - 4)[0], length, f"second length of the block at {at}")
        yield kind, data[at + 8:at + length - 4]
        at += length


def options(data):
    found = {}
    while len(data) >= 4:
        code, length = struct.unpack_from("<HH", data)
        found[code] = data[4:4 + length]
        data = data[4 + (length + 3) // 4 * 4:]
    return found


def pcapng(file):
    """Packets of the file: interface's name and description, bytes, length on the wire, comment."""
    interfaces, packets = [], []
    for kind, body in blocks(file.read_bytes()):
        if kind == 0x0a0d0d0a:
            check_equal(struct.unpack_from("<IHH", body), (0x1a2b3c4d, 1, 0), "magic and version")
            interfaces = []
        elif kind == 1:
            has = options(body[8:])
            interfaces.append((has[2].decode(), has[3].decode()))
        elif kind == 6:
            source, _, _, caught, length = struct.unpack_from("<IIIII", body)
            has = options(body[20 + (caught + 3) // 4 * 4:])
            packets.append((*interfaces[source], body[20:20 + caught], length, has.get(1, b"").decode()))
    return packets


def nflog(suite, net, arrivals):
    file = net.run_directory / "nflog.pcapng"
    with suite.test("NFLOG writes packets, whole or their beginning, with prefix and group"):
        only_rule(net, "-j", "NFLOG", "--nflog-group", "5", "--nflog-prefix", "here it is")
        iptables(net, "-I", "FORWARD", "-p", "udp", "-m", "length", "--length", f"{28 + BIG}", "-j", "NFLOG", "--nflog-size", "30")
        send(net, SMALL, 3)
        send(net, BIG)
        arrivals.expect(SMALL, SMALL, SMALL, BIG)
        packets = wait_for(lambda: file.exists() and len(pcapng(file)) >= 5 and pcapng(file), "five packets in the file")
        check_equal([(p[0], p[1], len(p[2]), p[3], p[4]) for p in packets],
                    [("gate:iucv0", "NFLOG group 5", 28 + SMALL, 28 + SMALL, "here it is")] * 3
                    + [("gate:iucv0", "NFLOG group 0", 30, 28 + BIG, ""),
                       ("gate:iucv0", "NFLOG group 5", 28 + BIG, 28 + BIG, "here it is")], "packets in the file")
        for packet in packets:
            check_equal(packet[2][12:20], bytes([10, 0, 1, 2, 10, 0, 2, 2]), "addresses")
    with suite.test("tcpdump reads the file"):
        read = subprocess.run(["tcpdump", "-n", "-r", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=20)
        check_equal(read.returncode, 0, f"tcpdump: {read.stderr!r}")
        check_equal(len(re.findall(rf"10\.0\.1\.2\.\d+ > 10\.0\.2\.2\.{PORT}: UDP, length {SMALL}\b", read.stdout)), 3, read.stdout)
    iptables(net, "-F")


def log(suite, net, arrivals):
    with suite.test("LOG writes a line of the kernel's form into the fabric's log, and the packet goes on"):
        only_rule(net, "-j", "LOG", "--log-prefix", "seen here: ", "--log-level", "warning")
        send(net, SMALL)
        arrivals.expect(SMALL)
        file = net.run_directory / "log"
        line = wait_for(lambda: next((l for l in file.read_text(errors="replace").splitlines() if "seen here: " in l), None), "the line")
        check(re.search(r"gate: seen here: IN=iucv0 OUT=iucv1 (MAC=\S* )?SRC=10\.0\.1\.2 DST=10\.0\.2\.2 LEN=33 TOS=0x00 PREC=0x00 TTL=63 "
                        r"ID=\d+ (DF )?PROTO=UDP SPT=\d+ DPT=9 LEN=13", line), f"the line is {line!r}")
    iptables(net, "-F")


def events(suite, net):
    with suite.test("conntrack -E shows NEW, UPDATE and DESTROY of a TCP connection"):
        iptables(net, "-A", "FORWARD", "-m", "state", "--state", "INVALID", "-j", "DROP")
        out = lab.work_directory() / "events"
        with open(out, "wb") as file:
            follower = net.spawn("conntrack", "-r", "gate", "-E", "-p", "tcp", stdout=file)

            def heard():
                net.agent("client").run("python3", "-c", TALK)
                return "[NEW]" in out.read_text()
            wait_for(heard, "a first event", 20)
            status, text = net.agent("client").run("python3", "-c", TALK)
            check_equal((status, text.split()[0]), (0, "hello"), "the connection")
            port = text.split()[1]
            wait_for(lambda: "TIME_WAIT" in of_port(out, port) and of_port(out, port), "the connection's end")
            net.command("conntrack", "-r", "gate", "-D", "-p", "tcp", "--sport", port)
            text = wait_for(lambda: "[DESTROY]" in of_port(out, port) and of_port(out, port), "its DESTROY")
            lab.end_process(follower)
        words = re.findall(r"\[(NEW|UPDATE|DESTROY)\]", text)
        check_equal((words[0], words[-1], set(words[1:-1])), ("NEW", "DESTROY", {"UPDATE"}), f"events:\n{text}")
        shown = [(state, int(seconds)) for seconds, state in re.findall(r"tcp +6 (\d+) ([A-Z_]+) src=", text) if state != "CLOSE_WAIT"]
        for (state, seconds), (want, timeout) in zip(shown, STATES):
            check(state == want and timeout - 2 <= seconds <= timeout, f"{state} with {seconds} s, expected {want} with {timeout}:\n{text}")
        check_equal(len(shown), len(STATES), f"events:\n{text}")
        check("mark=" not in text and "use=" not in text, f"more than the kernel tells:\n{text}")
        check("[UNREPLIED]" in text.splitlines()[0] and "[ASSURED]" in text.splitlines()[2], f"flags:\n{text}")
    iptables(net, "-F")


def of_port(file, port):
    return "".join(line + "\n" for line in file.read_text().splitlines() if f" sport={port} dport=7 " in line)


def counted(text):
    return int(re.search(r"\n\s*(\d+)\s+\d+\s.*dpt:5000", text)[1])


def kernel_drops(net):
    line = next(l for l in net.agent("client").run("cat", "/proc/net/dev")[1].splitlines() if l.strip().startswith("iucv0:"))
    fields = line.split(":")[1].split()
    return int(fields[10]) + int(fields[11])


def zeroing(suite, net):
    if not os.access(FLOOD, os.X_OK):
        raise lab.Skip("build/flood is not built (make test builds it)")
    with suite.test("-L -Z under traffic: what all the listings show together is what was sent"):
        iptables(net, "-A", "FORWARD", "-p", "udp", "--dport", "5000")
        before = kernel_drops(net)
        flood = net.spawn("exec", "client", "--", FLOOD, "send", SERVER, "5000", "1", str(RATE), str(SECONDS), text=True)
        total = rounds = 0
        while flood.poll() is None:
            total += counted(iptables(net, "-L", "FORWARD", "-v", "-x", "-n", "-Z").stdout)
            rounds += 1
        sent = json.loads(flood.stdout.readline())["sent"] - (kernel_drops(net) - before)

        def complete():
            nonlocal total
            total += counted(iptables(net, "-L", "FORWARD", "-v", "-x", "-n", "-Z").stdout)
            return total >= sent
        wait_for(complete, "all packets are counted")
        check_equal(total, sent, f"packets counted in {rounds} listings")
        check(rounds >= 5, f"only {rounds} listings while it went on")
        check_equal(counted(iptables(net, "-L", "FORWARD", "-v", "-x", "-n").stdout), 0, "the counter afterwards")
        suite.measured("packets counted in listings that zero", f"{total} in {rounds}", "")
    iptables(net, "-F")


def body(suite):
    net = suite.lab(lab.Lab(CONFIG, name="queue"))
    net.wait_ping("client", SERVER)
    arrivals = Arrivals(net)
    nobody(suite, net, arrivals)
    program = decides(suite, net, arrivals)
    waits(suite, net, arrivals, program)
    nflog(suite, net, arrivals)
    log(suite, net, arrivals)
    events(suite, net)
    zeroing(suite, net)


lab.main(__file__, body)
