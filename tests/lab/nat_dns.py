#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names through translation: dnsmasq outside and in the DMZ, asked by UDP and by TCP (configs/fig-11-08.yaml).

  pc 10.0.0.25 ──── LAN local ─┐
                               rtr .84 ── LAN ext 9.12.6.0/24 ── isp ── LAN inet 203.0.113.0/24 ── .80 client: dnsmasq
  web 192.168.1.2 ─ LAN dmz ───┘
  dnsmasq
"""
import re
import sys

import lab
import programs
from lab import Lab, check, check_equal, wait_for
from programs import fresh

GATE, CLIENT, PC, WEB = "9.12.6.84", "203.0.113.80", "10.0.0.25", "192.168.1.2"
RULES = (f"iptables -t nat -A POSTROUTING -s 10.0.0.0/16 -o eth0 -j SNAT --to-source {GATE};"
         + "".join(f"iptables -t nat -A PREROUTING -p {p} -d {GATE} --dport 53 -j DNAT --to-destination {WEB};" for p in ("udp", "tcp")))
ADDRESSES = [f"192.0.2.{n}" for n in range(1, 101)]  # 100 in one answer do not fit a datagram of UDP

# A resolver: SERVER NAME; asks by UDP, and by TCP when the answer is truncated. Says how often by each, and the addresses.
RESOLVER = """
import random, socket, struct, sys
server, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
def question(number):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack("!2H", 1, 1)
def skip(data, at):
    while data[at]:
        if data[at] & 0xc0:
            return at + 2
        at += data[at] + 1
    return at + 1
def read(data, number):
    got, flags, _, count = struct.unpack_from("!4H", data)
    assert got == number and flags & 0x8000, "no answer to this question"
    at, found = skip(data, 12) + 4, []
    for _ in range(count):
        at = skip(data, at)
        kind, _, _, length = struct.unpack_from("!2HIH", data, at)
        found += [socket.inet_ntoa(data[at + 10:at + 14])] * (kind == 1)
        at += 10 + length
    return flags & 0x200, found
def by_udp(number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((server, 53))
        s.send(question(number))
        return read(s.recv(4096), number)
def by_tcp(number):
    with socket.create_connection((server, 53), 5) as s, s.makefile("rb") as answer:
        text = question(number)
        s.sendall(struct.pack("!H", len(text)) + text)
        return read(answer.read(struct.unpack("!H", answer.read(2))[0]), number)
udp = tcp = 0
for _ in range(times):
    number = random.randrange(65536)
    truncated, found = by_udp(number)
    udp += 1
    if truncated:
        truncated, found = by_tcp(number)
        tcp += 1
print(udp, tcp, " ".join(sorted(found)))
"""


class Names(programs.Program):
    """dnsmasq with a few names of its own and no other server to ask; it logs who asks for what."""

    def __init__(self, net, node, address):
        hosts = lab.work_directory() / f"{net.name}-{node}-hosts"
        hosts.write_text("".join(f"{a} large.example\n" for a in ADDRESSES))
        hosts.chmod(0o644)
        super().__init__(net, node, "dnsmasq", "--user=root", "--group=", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                         "--no-hosts", f"--addn-hosts={hosts}", f"--host-record={node}.example,{address}", "--log-facility=-",
                         "--log-queries=extra", "--pid-file=")
        wait_for(lambda: self.check_runs() and "started" in self.said(), f"dnsmasq in {node}")

    def askers(self, name):
        return re.findall(rf" ([0-9.]+)/\d+ query\[A\] {re.escape(name)} ", self.said())


def resolve(net, node, server, name, times=1):
    """=> (questions by UDP, by TCP, addresses)"""
    status, text = net.agent(node).run(sys.executable, "-c", RESOLVER, server, name, str(times), timeout=40)
    check(status == 0, f"the resolver in {node} ended with {status}: {text.strip()[-300:]}")
    udp, tcp, *addresses = text.split()
    return int(udp), int(tcp), addresses


def asked(suite, net, what, way):
    asker, server, names, name, address, seen_as = way
    with suite.test(f"{what}: a name by UDP"):
        check_equal(resolve(net, asker, server, name), (1, 0, [address]), "questions by UDP, by TCP, answer")
        check_equal(names.askers(name), [seen_as], "who asked, by the server's log")
    with suite.test(f"{what}: 100 questions, each from a port of its own"):
        check_equal(resolve(net, asker, server, name, 100), (100, 0, [address]), "questions by UDP, by TCP, answer")
        check_equal(set(names.askers(name)), {seen_as}, "who asked, by the server's log")
    with suite.test(f"{what}: an answer too long for UDP comes by TCP"):
        udp, tcp, addresses = resolve(net, asker, server, "large.example")
        check_equal((udp, tcp, set(addresses)), (1, 1, set(ADDRESSES)), "questions by UDP, by TCP, answers")
        check_equal(names.askers("large.example"), [seen_as] * 2, "who asked, by the server's log")


def body(suite):
    programs.need("dnsmasq")
    with suite.started(Lab.of("fig-11-08.yaml")) as net:
        fresh(net, "rtr", RULES)
        outside, inside = Names(net, "client", CLIENT), Names(net, "web", WEB)
        net.wait_ping("pc", CLIENT)
        asked(suite, net, "SNAT", ("pc", CLIENT, outside, "client.example", CLIENT, GATE))
        asked(suite, net, "DNAT", ("client", GATE, inside, "web.example", WEB, CLIENT))


if __name__ == "__main__":
    lab.main(__file__, body)
