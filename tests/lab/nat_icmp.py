#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ping and traceroute through translation, both ways, and what the errors quote (configs/fig-11-08.yaml).

  pc 10.0.0.25 ──── LAN local ─┐
                               rtr .84 ── LAN ext 9.12.6.0/24 ── .75 isp .1 ── LAN inet 203.0.113.0/24 ── .80 client
  web 192.168.1.2 ─ LAN dmz ───┘
"""
import re
import struct

import lab
import packets
import programs
from lab import Lab, check, check_equal, wait_for
from packets import Packet
from programs import shell

GATE, ISP, ISP_OUTSIDE, CLIENT, PC, WEB = "9.12.6.84", "9.12.6.75", "203.0.113.1", "203.0.113.80", "10.0.0.25", "192.168.1.2"
PROBES = "-p udp --dport 33434:33534"  # where traceroute sends its datagrams
FORWARD_ALL = "".join(f"iptables -t nat -A PREROUTING -d {GATE} {what} -j DNAT --to-destination {WEB};"
                      for what in ("-p icmp", PROBES))


def received(net, node, mark):
    return [Packet(p["data"]) for p in net.agent(node).seen(mark) if not p["out"] and p["proto"] == packets.ETH_IP]


def sent(net, node, mark):
    return [Packet(p["data"]) for p in net.agent(node).seen(mark) if p["out"] and p["proto"] == packets.ETH_IP]


def ports(p):
    return struct.unpack_from("!HH", p.payload)


def errors(net, node, mark, kind):
    return [p for p in received(net, node, mark) if p.icmp and p.icmp[0] == kind]


def check_quotes(net, node, mark, told):
    """Each error quotes a packet as this node sent it, and its sums are right."""
    check(told, f"no errors came to {node}")
    out = {(p.src, p.dst, p.proto, p.ident, ports(p) if p.proto != packets.ICMP else p.echo_id): p for p in sent(net, node, mark)}
    for error in told:
        quoted = error.quoted
        key = (quoted.src, quoted.dst, quoted.proto, quoted.ident, ports(quoted) if quoted.proto != packets.ICMP else quoted.echo_id)
        check(key in out, f"{packets.describe(error.data)} quotes {key}, which {node} never sent")
        check_equal(packets.checksum(error.payload[:error.length - error.header]), 0, "sum of the ICMP message")
        check_equal(packets.checksum(quoted.data[:quoted.header]), 0, "sum of the quoted header")


def hops(net, node, target, *options):
    """=> addresses that answered, by traceroute(8)"""
    status, text = net.agent(node).run("traceroute", "-n", "-q", "1", "-w", "3", *options, target, timeout=40)
    check(status == 0, f"traceroute {' '.join(options)} ended with {status}: {text}")
    return re.findall(r"(?m)^ *\d+ +([\d.*]+)", text)


def pings(suite, net):
    for size, what in (("56", "small"), ("4000", "in fragments")):
        with suite.test(f"ping through SNAT, {what}"):
            since = net.agent("client").mark()
            answers, text = net.ping("pc", CLIENT, "-s", size, count=5)
            check_equal(answers, 5, f"answers ({text})")
            asked = {p.src for p in received(net, "client", since) if p.proto == packets.ICMP}
            check_equal(asked, {GATE}, "who asks")
    with suite.test("ping of an outside address that is the router's own: by DNAT web answers, seen as that address"):
        since = net.agent("web").mark()
        answers, text = net.ping("client", GATE, "-s", "1000", count=5)
        check_equal(answers, 5, f"answers ({text})")
        check_equal(set(re.findall(r"bytes from ([\d.]+)", text)), {GATE}, "who answers")
        asked = [p for p in received(net, "web", since) if p.icmp == (packets.ECHO, 0)]
        check_equal({(p.src, p.dst) for p in asked}, {(CLIENT, WEB)}, "requests at web")
        check_equal(len(asked), 5, "requests at web")


def outwards(suite, net):
    for name, options in (("UDP", ()), ("ICMP", ("-I",)), ("TCP", ("-T", "-p", "80"))):
        with suite.test(f"traceroute through SNAT by {name}: each hop, and each error quotes what pc sent"):
            since = net.agent("pc").mark()
            check_equal(hops(net, "pc", CLIENT, *options), ["10.0.0.1", ISP, CLIENT], "hops")
            told = wait_for(lambda: errors(net, "pc", since, packets.TIME_EXCEEDED), "time exceeded")
            check_quotes(net, "pc", since, told)
            check_equal({e.src for e in told}, {"10.0.0.1", ISP}, "who tells")
            check(all(e.quoted.src == PC and e.quoted.dst == CLIENT for e in told), "an inner address is wrong")
    with suite.test("port unreachable comes through SNAT to the program that sent"):
        since = wait_for(lambda: unreachable(net, "pc", CLIENT, 4711), "client tells (it limits its errors)")
        told = errors(net, "pc", since, packets.UNREACHABLE)
        check_quotes(net, "pc", since, told)
        check_equal((told[0].src, told[0].dst, told[0].icmp), (CLIENT, PC, (packets.UNREACHABLE, packets.PORT)), "error")


def inwards(suite, net):
    for name, options in (("UDP", ()), ("ICMP", ("-I",))):
        with suite.test(f"traceroute through DNAT by {name}: nothing of the inside shows, and each error quotes what client sent"):
            since = net.agent("client").mark()
            found = hops(net, "client", GATE, *options)
            check_equal((found[0], set(found[1:])), (ISP_OUTSIDE, {GATE}), "hops")
            told = wait_for(lambda: errors(net, "client", since, packets.TIME_EXCEEDED)
                            + errors(net, "client", since, packets.UNREACHABLE), "errors")
            check_quotes(net, "client", since, told)
            check_equal({e.src for e in told}, {ISP_OUTSIDE, GATE}, "who tells")
            check(all(e.quoted.dst == GATE for e in told), "an inner address is wrong")
    with suite.test("port unreachable of web comes to client as if of the outside address"):
        since = wait_for(lambda: unreachable(net, "client", GATE, 33500), "web tells (it limits its errors)")
        told = errors(net, "client", since, packets.UNREACHABLE)
        check_quotes(net, "client", since, told)
        check_equal((told[0].src, ports(told[0].quoted)[1]), (GATE, 33500), "who tells, about which port")
        inner = [p for p in sent(net, "web", 0) if p.icmp == (packets.UNREACHABLE, packets.PORT)]
        check_equal((inner[-1].src, inner[-1].quoted.dst), (WEB, WEB), "the error as web sent it")


def unreachable(net, node, target, port):
    """Sends to a port that nobody listens on until an error comes. => the mark before"""
    since = net.agent(node).mark()
    net.agent(node).call("udp", dst=target, port=port, size=40)
    wait_for(lambda: errors(net, node, since, packets.UNREACHABLE), "the error", 0.5)
    return since


def body(suite):
    programs.need("ping", "traceroute")
    with suite.started(Lab.of("fig-11-08.yaml")) as net:
        net.wait_ping("pc", CLIENT)
        shell(net, "rtr", FORWARD_ALL)
        pings(suite, net)
        outwards(suite, net)
        inwards(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
