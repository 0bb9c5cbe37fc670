#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# builds: release asan
"""The community system: 2,000 guests with a public address each, translated one to one by 20 routers.

                                     ┌── r1 ──┬─ g1x1 .. g1x100      10.101.1.g  is  198.18.1.g  outside
  inet ── world ── isp ── t1 ── front┼── r2 ──┼─ ..
                                 │   └── r20 ─┴─ g20x1 .. g20x100    10.120.1.g  is  198.18.20.g
                                dns       │
                                        back: from router to router

tests/topologies/community-system.topo shows three routers with three guests each; they are real programs' guests here too. The
other 1,991 are simulated. ICMP is off, but for the one error that connections cannot do without (fragmentation needed).
"""
import socket
import struct
import time

import lab
import packets
import topo
import topo_flow
import topo_yaml
from lab import Lab, ROOT, check, check_equal, wait_for
from packets import Packet

FILE = "community-system.topo"
ROUTERS, GUESTS = 20, 100
ECHO = 7  # what a simulated guest listens on
NEEDED = "-p icmp --icmp-type fragmentation-needed -j ACCEPT"
OUTSIDE, BOUND = "203.0.113.80", 60 * lab.SCALE


def system():
    """=> (the topology at its full size, the guests that are simulated)"""
    whole = topo.Topology(ROOT / "tests" / "topologies" / FILE)
    named = set(whole.nodes)
    for r in range(1, ROUTERS + 1):
        if f"r{r}" not in named:
            add_router(whole, r)
        for other in range(1, ROUTERS + 1):
            add_route(whole, f"r{r} 10.{100 + other}.0.0/16 via 10.255.0.1 dev back", other != r)
        for g in range(1, GUESTS + 1):
            if f"g{r}x{g}" not in named:
                add_guest(whole, r, g)
    for r in range(1, ROUTERS + 1):  # before the rules that drop all ICMP
        whole.rules[f"r{r}"] = [f"-A INPUT {NEEDED}", f"-A FORWARD {NEEDED}", *whole.rules[f"r{r}"]]
    return whole, set(whole.nodes) - named - {f"r{r}" for r in range(1, ROUTERS + 1)}


def add(whole, *lines):
    for line in lines:
        whole.apply(line.split())


def add_route(whole, words, wanted=True):
    node, prefix = words.split()[:2]
    if wanted and not any(str(r["to"]) == prefix for r in whole.routes.get(node, [])):
        add(whole, "route " + words)


def add_router(whole, r):
    add(whole, f"node r{r} router forward",
        f"ptp iucv front:r{r} 10.0.0.1 r{r}:iucv0 10.0.{r}.2 mtu 8188",
        f"ptp iucv back:r{r} 10.255.0.1 r{r}:back 10.255.{r}.2 mtu 8188",
        f"route front 198.18.{r}.0/24 via 10.0.{r}.2 dev r{r}",
        f"route front 10.{100 + r}.0.0/16 via 10.0.{r}.2 dev r{r}",
        f"route back 10.{100 + r}.0.0/16 via 10.255.{r}.2 dev r{r}",
        f"route r{r} default via 10.0.0.1 dev iucv0",
        f"rule r{r} -A INPUT -p icmp -j DROP",
        f"rule r{r} -A FORWARD -p icmp -j DROP",
        f"rule r{r} -A FORWARD -s 10.{100 + r}.1.0/24 -d 10.{100 + r}.1.0/24 -j DROP")


def add_guest(whole, r, g):
    inside, outside = f"10.{100 + r}.1.{g}", f"198.18.{r}.{g}"
    add(whole, f"node g{r}x{g} host",
        f"ptp iucv r{r}:g{g} 10.{100 + r}.0.1 g{r}x{g}:iucv0 {inside} mtu 8188",
        f"route g{r}x{g} default via 10.{100 + r}.0.1 dev iucv0",
        f"rule r{r} -t nat -A PREROUTING -d {outside} -j DNAT --to-destination {inside}",
        f"rule r{r} -t nat -A POSTROUTING -s {inside} -o iucv0 -j SNAT --to-source {outside}")


def start(suite, whole, simulated):
    """=> the fabric, with its figures told"""
    net = Lab(topo_yaml.configuration(whole, simulated), "colony")
    suite.labs.append(net)
    with suite.test("2,003 guests and 22 routers start"):
        took = net.start(timeout=BOUND)
        suite.measured("start", round(took, 2), "s")
        check(took < BOUND, f"took {took:.1f} s")
        check_equal(sum(1 for link in net.show("links") if link["up"]), ROUTERS * GUESTS + 2 * ROUTERS + 1, "links up")
        suite.measured("memory of all our processes", round(lab.memory_bytes(net.daemons()) / 2**20, 1), "MB")
    return net


def everyone(suite, net):
    """From outside: a connection to each of the 2,000 public addresses, answered from there; what is lost on the way is sent again."""
    with suite.test("each of 2,000 public addresses answers from outside"):
        agent, began = net.agent("inet"), time.monotonic()
        for r in range(1, ROUTERS + 1):
            mark, wanted = agent.mark(), {f"198.18.{r}.{g}" for g in range(1, GUESTS + 1)}

            def answered():
                missing = wanted - {p.src for p in answers(agent, mark) if p.src in wanted}
                for address in missing:
                    agent.call("syn", dst=address, dport=ECHO, sport=20000 + r, seq=sequence(address))
                return not missing
            wait_for(answered, f"answers of all behind r{r}")
        suite.measured("2,000 new connections asked for and answered", round(time.monotonic() - began, 2), "s")


def answers(agent, mark):
    """Segments that acknowledge the SYN to the address that they come from."""
    seen = [Packet(p["data"]) for p in agent.seen(mark) if not p["out"] and p["proto"] == packets.ETH_IP]
    return [p for p in seen if topo_flow.segment(p) and topo_flow.segment(p)[3] == sequence(p.src) + 1]


def sequence(address):
    return struct.unpack("!I", socket.inet_aton(address))[0] & 0x7fffffff


def hidden(suite, net, prover):
    with suite.test("ICMP is off: pings of outside, of a guest and to the router end at r1"):
        before = net.drops()
        check_equal(net.ping("inet", "198.18.1.1", wait=1)[0], 0, "answers")
        check_equal(net.ping("g1x1", OUTSIDE, wait=1)[0], 0, "answers")
        check_equal(net.ping("dns", "10.0.1.2", wait=1)[0], 0, "answers of the router itself")
        check_equal(net.dropped("rule", "r1", before), 3, "dropped by rules of r1")
    with suite.test("guests of one router are isolated from each other"):
        topo_flow.prove_refusal(prover, "g1x1 10.101.1.2 at r1 rule".split())
        topo_flow.prove_refusal(prover, "g1x2 10.101.1.100 at r1 rule".split())
    with suite.test("private addresses never leave"):
        topo_flow.prove_refusal(prover, f"dns {OUTSIDE} at front rule".split())


def too_big(suite, net):
    with suite.test("fragmentation needed comes through, translated: 8188 bytes inside, 1500 on the T1"):
        agent = net.agent("g1x1")
        mark, body = agent.mark(), 4000
        agent.call("udp", dst=OUTSIDE, port=9999, size=body, df=True)

        def told():
            seen = [Packet(p["data"]) for p in agent.seen(mark) if not p["out"] and p["proto"] == packets.ETH_IP]
            return [p for p in seen if p.icmp == (packets.UNREACHABLE, packets.FRAG_NEEDED)]
        error = wait_for(told, "the error")[0]
        check_equal((error.src, error.dst, error.mtu), ("10.0.0.1", "10.101.1.1", 1500), "sender, receiver and MTU")
        check_equal((error.quoted.src, error.quoted.dst), ("10.101.1.1", OUTSIDE), "addresses of the packet it quotes")
        check_equal(struct.unpack_from("!H", error.quoted.payload, 2)[0], 9999, "port it quotes")


def body(suite):
    whole, simulated = system()
    net = start(suite, whole, simulated)
    prover = topo.Prover(whole, net, None)
    topo.prove_lines(suite, prover, FILE)
    everyone(suite, net)
    hidden(suite, net, prover)
    too_big(suite, net)
    with suite.test("every router has its 200 rules of nat"):
        for r in (1, 7, 20):
            rules = net.command("iptables-save", "-r", f"r{r}", "-t", "nat").stdout
            check_equal(rules.count("-j DNAT") + rules.count("-j SNAT"), 2 * GUESTS, f"rules of r{r}")


if __name__ == "__main__":
    lab.main(__file__, body)
