#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The primary router of a shared adapter ends under load, by command and by the death of its stack: the secondary gets the rest, each packet goes to
one of them, and those that are lost are counted.

  net 192.0.2.1 ── ext ── [ o1 ] ┬ p .2  primary router     both namespaces, which throw away what they get
                                 └ s .3  secondary router

net sends numbered UDP packets to 10.9.9.9, which nobody has; p notes the numbers that its stack has seen.
"""
import os
import signal
import sys

import lab
from lab import Lab, check, check_equal, wait_for

SECONDS, PAUSE = 3, 0.0002

CONFIG = """fabric: fail
lans: {{ext: {{}}}}
osa: {{o1: {{network: ext}}}}
guests:
  net:
    interfaces: {{eth0: {{lan: ext, address: 192.0.2.1/24}}}}
    routes: [{{to: 10.9.0.0/16, via: 192.0.2.3}}]
  p:
    forward: true
    interfaces: {{eth0: {{osa: o1, address: 192.0.2.2/24, router: primary}}}}
    routes: [{{to: 10.9.0.0/16, discard: true}}]
    run: exec python3 {note} {numbers}
  s:
    forward: true
    interfaces: {{eth0: {{osa: o1, address: 192.0.2.3/24, router: secondary}}}}
    routes: [{{to: 10.9.0.0/16, discard: true}}]
"""

NOTE = """import os, socket, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
while True:
    data = sock.recv(2048)
    if data[16:20] == bytes([10, 9, 9, 9]):
        os.write(out, data[28:32])
"""

SEND = """import socket, struct, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("10.9.9.9", 9))
end, n = time.monotonic() + float(sys.argv[1]), 0
print("ready", flush=True)
while time.monotonic() < end:
    sock.send(struct.pack("!I", n) + bytes(28))
    n += 1
    time.sleep(float(sys.argv[2]))
print(n, flush=True)
"""


class Load:
    def __init__(self, net, seconds):
        self.net = net
        self.before = self.counts()
        self.process = net.spawn("exec", "net", "--", sys.executable, "-c", SEND, str(seconds), str(PAUSE), text=True)
        check_equal(self.process.stdout.readline().strip(), "ready", "what the sender says")

    def counts(self):
        """{where: packets}, the dead ones too."""
        found = {g["name"]: g["rx_packets"] for g in self.net.show("guests") if g["name"] != "net"}
        found["thrown away"] = self.net.show("osa")[0]["no_entry"]
        return found

    def so_far(self):
        now = self.counts()
        return {k: now[k] - self.before[k] for k in now}

    def end(self):
        """=> (packets sent, where they went)"""
        sent = int(self.process.communicate(timeout=30)[0].strip())
        try:
            return sent, wait_for(lambda: self.so_far() if sum(self.so_far().values()) >= sent else None, "all packets are counted", 3)
        except lab.Failure:
            return sent, self.so_far()


def noted(numbers):
    """How many packets a program of p has seen."""
    return len(numbers.read_bytes()) // 4


def flap(suite, net):
    with suite.test("primary off and on by command, under load: each packet goes to exactly one, none is lost"):
        load = Load(net, SECONDS)
        wait_for(lambda: load.so_far()["p"] > 100, "the primary router gets packets")
        for state in ("offline", "online", "offline", "online"):
            net.command("osa", "o1", state, "p")
        sent, went = load.end()
        suite.measured("by command: packets sent", sent, "")
        check(went["s"] > 0 and went["p"] > 0, f"not both got packets: {went}")
        check_equal(sum(went.values()), sent, f"packets delivered and counted ({went})")
        check_equal(went["thrown away"], 0, "packets thrown away")


def death(suite, net, numbers):
    with suite.test("the primary's stack is killed under load: the secondary takes over, lost is only what the dead stack had got"):
        seen_before = noted(numbers)
        load = Load(net, SECONDS)
        wait_for(lambda: load.so_far()["p"] > 200, "the primary router gets packets")
        pid = next(g["pid"] for g in net.status()["guests"] if g["name"] == "p")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: net.show("osa")[0]["primary"] == "(p/eth0)", "p is not active")
        sent, went = load.end()
        check_equal(sum(went.values()), sent, f"packets delivered and counted ({went})")
        check(went["s"] > 50, f"the secondary router got few: {went}")
        check_equal(went["thrown away"], 0, "packets thrown away")
        suite.measured("killed: packets sent", sent, "")
        suite.measured("killed: got by the dead stack and by no program", went["p"] - (noted(numbers) - seen_before), "packets")
        suite.measured("killed: lost elsewhere", sent - sum(went.values()), "packets")


def body(suite):
    directory = lab.work_directory()
    note, numbers = directory / "note.py", directory / "numbers"
    note.write_text(NOTE)
    net = suite.lab(Lab(CONFIG.format(note=note, numbers=numbers)))
    net.exec("net", "ping", "-c", "1", "192.0.2.3")
    flap(suite, net)
    death(suite, net, numbers)


lab.main(__file__, body)
