#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a router does with each kind of packet: a table of packet sent, answer or silence, and the exact counter.

  a 10.1.0.2 ── 1500 ── .1 ┐                     ┌ 10.8.0.1 ── 1492 ── .2 r2 ── 1500 ── 10.2.0.1 ── .2 b
  s 10.3.0.2 ── strict ─ .1 ┤         r1          ├ 10.4.0.1 ── .2 r3 (does not forward)
  l 10.6.0.2 ── loose ── .1 ┘                     ├ eth0 192.0.2.1  ── lan0 ── .10 c, .20 d, .30 q
                                                  └ eth1 198.18.1.1 ── lan1 ── .10 f        lan2 ── e alone
  r1 discards 203.0.113.0/26, finds .64/26 unreachable, prohibits .128/26, and has no default route.
"""
import struct
from typing import NamedTuple, Optional

import lab
import packets
from lab import Lab, check, check_equal, wait_for
from packets import (FRAG_NEEDED, HOST, ICMP, NET, PORT, PROHIBITED, PROTOCOL, TIME_EXCEEDED, UDP, UNREACHABLE, Packet, echo,
                     icmp, ip, udp, udp_packet)

R1_MAC, C_MAC = "02:00:00:00:01:01", "02:00:00:00:0c:0c"
CONFIG = f"""
fabric: ip
lans:
  lan0: {{type: ethernet}}
  lan1: {{type: ethernet}}
  lan2: {{type: ethernet}}
routers:
  r1:
    forward: true
    tunables: {{icmp_ratelimit: 0, icmp_msgs_per_sec: 1000000, icmp_msgs_burst: 1000000, arp_retrans_time: 100,
               arp_queue: 4, ipfrag_time: 500}}
    interfaces:
      a:    {{iucv: a, address: 10.1.0.1, mtu: 1500}}
      s:    {{iucv: s, address: 10.3.0.1, mtu: 1500, rp_filter: strict}}
      l:    {{iucv: l, address: 10.6.0.1, mtu: 1500, rp_filter: loose}}
      r2:   {{iucv: r2, address: 10.8.0.1, mtu: 1492}}
      r3:   {{iucv: r3, address: 10.4.0.1, mtu: 1500}}
      eth0: {{lan: lan0, address: 192.0.2.1/24, mac: "{R1_MAC}"}}
      eth1: {{lan: lan1, address: 198.18.1.1/24, mac: "02:00:00:00:01:02"}}
    routes:
      - {{to: 10.2.0.0/24, via: 10.8.0.2}}
      - {{to: 10.5.0.0/24, via: 10.4.0.2}}
      - {{to: 203.0.113.0/26, discard: true}}
      - {{to: 203.0.113.64/26, unreachable: true}}
      - {{to: 203.0.113.128/26, prohibit: true}}
  r2:
    forward: true
    interfaces:
      r1: {{iucv: r1, address: 10.8.0.2, mtu: 1492}}
      b:  {{iucv: b, address: 10.2.0.1, mtu: 1500}}
    routes:
      - {{to: default, via: 10.8.0.1}}
  r3:
    interfaces:
      r1: {{iucv: r1, address: 10.4.0.2, mtu: 1500}}
    routes:
      - {{to: default, via: 10.4.0.1}}
guests:
  a: {{interfaces: {{iucv0: {{iucv: r1, address: 10.1.0.2, mtu: 1500}}}}}}
  b: {{interfaces: {{iucv0: {{iucv: r2, address: 10.2.0.2, mtu: 1500}}}}}}
  s: {{interfaces: {{iucv0: {{iucv: r1, address: 10.3.0.2, mtu: 1500}}}}}}
  l: {{interfaces: {{iucv0: {{iucv: r1, address: 10.6.0.2, mtu: 1500}}}}}}
  c: {{interfaces: {{eth0: {{lan: lan0, address: 192.0.2.10/24, mac: "{C_MAC}"}}}}, routes: [{{to: default, via: 192.0.2.1}}]}}
  d: {{interfaces: {{eth0: {{lan: lan0, address: 192.0.2.20/24}}}}, routes: [{{to: default, via: 192.0.2.1}}]}}
  q: {{interfaces: {{eth0: {{lan: lan0, address: 192.0.2.30/24}}}}, routes: [{{to: default, via: 192.0.2.1}}]}}
  f: {{interfaces: {{eth0: {{lan: lan1, address: 198.18.1.10/24}}}}, routes: [{{to: default, via: 198.18.1.1}}]}}
  e: {{interfaces: {{eth0: {{lan: lan2, address: 198.18.2.10/24}}}}}}
"""
A, B, C, S, L, R1 = "10.1.0.2", "10.2.0.2", "192.0.2.10", "10.3.0.2", "10.6.0.2", "10.1.0.1"
BROADCAST = "ff:ff:ff:ff:ff:ff"
ANY = "any"


class Row(NamedTuple):
    """A packet (or several) and what must come of it."""
    name: str
    guest: str
    packets: list
    answer: object = None            # (ICMP type, code), ANY, or None: silence
    counter: Optional[str] = None
    node: str = "r1"
    count: int = 1
    who: Optional[str] = None        # source of the answer
    mtu: Optional[int] = None
    mac: Optional[str] = None        # on a LAN: destination
    proto: int = packets.ETH_IP
    frame: bool = False              # the packets are whole frames
    at_least: bool = False           # a guest's kernel sends of these too


def frame(dst, kind, body=b"\0" * 46, src=C_MAC):
    mac = lambda text: bytes.fromhex(text.replace(":", ""))
    return mac(dst) + mac(src) + struct.pack("!H", kind) + body


def fragments(src, dst, *pieces, ident, proto=UDP):
    """Fragments (offset, more, body)."""
    return [ip(src, dst, body, proto=proto, ident=ident, mf=more, offset=offset) for offset, more, body in pieces]


def error_message(src, dst, **options):
    return ip(src, dst, icmp(UNREACHABLE, HOST, body=udp_packet(dst, src)[:28]), proto=ICMP, **options)


ROUTING = [
    Row("TTL 1: time exceeded from the first router", "a", [udp_packet(A, B, ttl=1)], (TIME_EXCEEDED, 0), "ttl-exceeded", who=R1),
    Row("TTL 2: time exceeded from the second router", "a", [udp_packet(A, B, ttl=2)], (TIME_EXCEEDED, 0), "ttl-exceeded", "r2",
        who="10.8.0.2"),
    Row("no route: network unreachable", "a", [udp_packet(A, "198.51.100.1")], (UNREACHABLE, NET), "no-route", who=R1),
    Row("discard route: silence", "a", [udp_packet(A, "203.0.113.1")], None, "route-discard"),
    Row("unreachable route: host unreachable", "a", [udp_packet(A, "203.0.113.65")], (UNREACHABLE, HOST), "route-unreachable", who=R1),
    Row("prohibit route: administratively prohibited", "a", [udp_packet(A, "203.0.113.129")], (UNREACHABLE, PROHIBITED),
        "route-prohibit", who=R1),
    Row("too big with DF: fragmentation needed, 1492", "a", [udp_packet(A, B, size=1472, df=True)], (UNREACHABLE, FRAG_NEEDED), "mtu",
        who=R1, mtu=1492),
    Row("a router that does not forward: silence", "a", [udp_packet(A, "10.5.0.1")], None, "forwarding-off", "r3"),
    Row("no answer to ARP: host unreachable", "a", [udp_packet(A, "192.0.2.99")], (UNREACHABLE, HOST), "neighbour-failed", who=R1),
]

MARTIANS = [Row(f"source {src}: silence", "a", [udp_packet(src, B)], None, "martian-source")
            for src in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", R1)] + [
    Row("destination 127.0.0.1: silence", "a", [udp_packet(A, "127.0.0.1")], None, "martian-destination"),
    Row("strict reverse path: a source from elsewhere", "s", [udp_packet("10.2.0.9", B)], None, "rp-filter"),
    Row("strict reverse path: a source of no route", "s", [udp_packet("198.51.100.7", B)], None, "rp-filter"),
    Row("loose reverse path: a source of no route", "l", [udp_packet("198.51.100.7", B)], None, "rp-filter"),
]

MALFORMED = [
    Row("wrong header checksum", "a", [udp_packet(A, B, csum=0x1234)], None, "ip-checksum"),
    Row("version 5", "a", [udp_packet(A, B, version=5)], None, "ip-version"),
    Row("header of 16 bytes", "a", [udp_packet(A, B, ihl=4)], None, "ip-header"),
    Row("total length below the header's", "a", [udp_packet(A, B, length=19)], None, "ip-header"),
    Row("shorter than its total length", "a", [udp_packet(A, B, length=100)], None, "truncated"),
    Row("12 bytes of a header", "a", [udp_packet(A, B)[:12]], None, "truncated"),
    Row("header longer than the packet", "a", [udp_packet(A, B, ihl=15)[:40]], ANY, "truncated"),
    Row("loose source route", "a", [udp_packet(A, B, options=b"\x83\x07\x04\x0a\x02\x00\x02")], ANY, "ip-option"),
    Row("an option longer than the header", "a", [udp_packet(A, B, options=b"\x07\x27\x04\x00")], ANY, "ip-option"),
    Row("IPv6", "a", [b"\x60\0\0\0\0\0\x3b\x40" + bytes(15) + b"\1" + bytes(15) + b"\2"], None, "ipv6", proto=0x86dd, at_least=True),
    Row("more fragments, length no multiple of 8", "a", fragments(A, R1, (0, True, b"x" * 17), ident=901), None, "fragment"),
]

LOCAL = [
    Row("UDP to a closed port: port unreachable", "a", [udp_packet(A, R1)], (UNREACHABLE, PORT), "no-listener", who=R1),
    Row("unknown protocol: protocol unreachable", "a", [ip(A, R1, b"x" * 20, proto=253)], (UNREACHABLE, PROTOCOL), "no-listener", who=R1),
    Row("echo with a wrong ICMP checksum", "a", [ip(A, R1, icmp(8, 0, csum=0x4711), proto=ICMP)], None, "icmp-malformed"),
    Row("ICMP of 4 bytes", "a", [ip(A, R1, b"\x08\0\xf7\xff", proto=ICMP)], None, "icmp-malformed"),
    Row("ICMP that asks for nothing", "a", [ip(A, R1, icmp(42, 0), proto=ICMP)], None, "icmp-ignored"),
    Row("overlapping fragments", "a", fragments(A, R1, (0, True, b"x" * 24), (16, True, b"y" * 24), ident=902), None,
        "reassembly-overlap", at_least=True),
    Row("fragments of more than 65535 bytes", "a", fragments(A, R1, (65528, False, b"x" * 32), ident=903), None, "reassembly-size"),
    Row("the rest does not come: time exceeded, code 1", "a", fragments(A, R1, (0, True, b"x" * 64), ident=904), (TIME_EXCEEDED, 1),
        "reassembly-timeout", who=R1),
    Row("the first does not come: silence", "a", fragments(A, R1, (64, False, b"x" * 64), ident=905), None, "reassembly-timeout"),
]

NO_ERRORS_ABOUT = [
    Row("an ICMP error whose TTL ends: silence", "a", [error_message(A, B, ttl=1)], None, "ttl-exceeded"),
    Row("a later fragment whose TTL ends: silence", "a", [ip(A, B, b"x" * 64, offset=64, ttl=1)], None, "ttl-exceeded"),
    Row("an ICMP error without a route: silence", "a", [error_message(A, "198.51.100.1")], None, "no-route"),
    Row("a packet that came as link broadcast: silence", "c", [udp_packet(C, "198.51.100.1")], None, None, mac=BROADCAST),
]

LAN = [
    Row("255.255.255.255 on a LAN", "c", [udp_packet(C, "255.255.255.255")], None, "broadcast", mac=BROADCAST),
    Row("the broadcast address of a LAN", "c", [udp_packet(C, "192.0.2.255")], None, "broadcast", mac=BROADCAST),
    Row("multicast on a LAN", "c", [udp_packet(C, "224.0.0.5")], None, "multicast", mac="01:00:5e:00:00:05"),
    Row("a frame for another station", "c", [frame("02:99:99:99:99:99", 0x0800, udp_packet(C, B))], None, "not-for-us", frame=True),
    Row("a frame of an unknown protocol", "c", [frame(BROADCAST, 0x88b5)], None, "ether-type", frame=True),
    Row("a frame that a bridge keeps", "c", [frame("01:80:c2:00:00:0e", 0x88cc)], None, "lan-filter", node="-", frame=True),
    Row("a LAN with nobody else", "e", [frame(BROADCAST, 0x88b5)], None, "lan-no-member", node="-", frame=True, at_least=True),
    Row("ARP for another, from a stranger", "c",
        [frame(BROADCAST, 0x0806, packets.arp(1, C_MAC, "192.0.2.55", "00:00:00:00:00:00", "192.0.2.77"))],
        None, "arp-ignored", frame=True),
    Row("ARP of the wrong size", "c", [frame(BROADCAST, 0x0806, packets.arp(1, C_MAC, C, "00:00:00:00:00:00",
                                                                            "192.0.2.1", hlen=5))], None, "arp-malformed", frame=True),
]


def iface_of(guest):
    return "eth0" if guest in "cdqfe" else "iucv0"


def answers(agent, mark):
    """ICMP errors that came in since the mark, whole and with right checksums."""
    found = []
    for seen in agent.seen(mark):
        p = Packet(seen["data"])
        if seen["out"] or seen["proto"] != packets.ETH_IP or not p.icmp or p.icmp[0] not in (3, 4, 5, 11, 12):
            continue
        check_equal(packets.checksum(p.data[:p.header]), 0, f"IP checksum of {packets.describe(p.data)}")
        check_equal(packets.checksum(p.data[p.header:p.length]), 0, f"ICMP checksum of {packets.describe(p.data)}")
        check(p.length <= 576, f"an ICMP error of {p.length} bytes")
        found.append(p)
    return found


def settle(net, guest):
    """What the router had to say to the guest before is there once this is answered."""
    target = {"a": R1, "s": "10.3.0.1", "l": "10.6.0.1", "f": "198.18.1.1"}.get(guest, "192.0.2.1")
    if guest != "e":
        net.wait_ping(guest, target, 5)


def judge(net, row):
    agent = net.agent(row.guest)
    before, mark = net.drops(), agent.mark()
    agent.send(iface_of(row.guest), *row.packets, mac=row.mac, proto=row.proto, frame=row.frame)
    if row.counter:
        counted = lambda: net.dropped(row.counter, row.node, before)
        wait_for(lambda: counted() >= row.count, f"{row.counter} of {row.node}: {row.count}")
    if row.answer not in (None, ANY):
        told = wait_for(lambda: answers(agent, mark), "an ICMP answer")[0]
        check_equal(told.icmp, row.answer, "ICMP type and code")
        check(row.who is None or told.src == row.who, f"answer from {told.src}, expected {row.who}")
        check(row.mtu is None or told.mtu == row.mtu, f"MTU {told.mtu}, expected {row.mtu}")
        sent = Packet(row.packets[0])
        check_equal((told.quoted.src, told.quoted.dst, told.quoted.ident), (sent.src, sent.dst, sent.ident), "packet quoted")
    settle(net, row.guest)
    if row.counter and not row.at_least:
        check_equal(net.dropped(row.counter, row.node, before), row.count, f"{row.counter} of {row.node}")
    if row.answer is None:
        got = [packets.describe(p.data) for p in answers(agent, mark)]
        check(not got, f"expected silence, got {got}")


def table(suite, net, title, rows):
    for row in rows:
        with suite.test(f"{title}: {row.name}"):
            judge(net, row)


def arrivals(net, guest, mark, match):
    return [p for p in (Packet(s["data"]) for s in net.agent(guest).seen(mark) if not s["out"] and s["proto"] == packets.ETH_IP)
            if p.valid and match(p)]


def forwarding(suite, net):
    with suite.test("forwarding: a packet arrives as it was but for TTL and checksum"):
        mark = net.agent("b").mark()
        sent = udp_packet(A, B, size=333, ttl=77, ident=0x1234, tos=0x28)
        net.agent("a").send("iucv0", sent)
        got = wait_for(lambda: arrivals(net, "b", mark, lambda p: p.ident == 0x1234), "the packet in b")[0]
        check_equal(got.ttl, 75, "TTL")
        check_equal(packets.checksum(got.data[:20]), 0, "checksum")
        same = lambda data: data[:8] + data[9:10] + data[12:]
        check_equal(same(got.data), same(sent), "the rest")
    with suite.test("forwarding: too big without DF arrives in fragments of at most 1492 bytes"):
        mark = net.agent("b").mark()
        net.agent("b").call("listen", port=5000)
        net.agent("a").send("iucv0", udp_packet(A, B, dport=5000, size=1472, ident=0x2345))
        wait_for(lambda: net.agent("b").call("received", port=5000)["sizes"] == [1472], "the datagram in b")
        got = arrivals(net, "b", mark, lambda p: p.ident == 0x2345)
        check_equal([(p.offset, p.mf, p.length) for p in got], [(0, True, 1492), (1472, False, 28)], "fragments")
    with suite.test("forwarding: a fragment that is too big is cut again, its offset kept"):
        mark = net.agent("b").mark()
        net.agent("a").send("iucv0", ip(A, B, b"x" * 1480, ident=0x3456, mf=True, offset=1480))
        got = wait_for(lambda: (lambda f: f if len(f) == 2 else None)(arrivals(net, "b", mark, lambda p: p.ident == 0x3456)), "two fragments")
        check_equal([(p.offset, p.mf, p.length) for p in got], [(1480, True, 1492), (2952, True, 28)], "fragments")
    with suite.test("forwarding: loose reverse path lets by a source that is reached another way"):
        mark = net.agent("b").mark()
        net.agent("l").send("iucv0", udp_packet(S, B, ident=0x4567))
        wait_for(lambda: arrivals(net, "b", mark, lambda p: p.ident == 0x4567), "the packet in b")


def local(suite, net):
    with suite.test("local: echo of each address, answered from it, with its data"):
        agent = net.agent("a")
        for number, target in enumerate((R1, "10.8.0.1", "192.0.2.1", "10.8.0.2", "10.4.0.2")):
            mark = agent.mark()
            agent.send("iucv0", ip(A, target, echo(ident=0x600 + number, body=bytes(range(200))), proto=ICMP))
            got = wait_for(lambda: arrivals(net, "a", mark, lambda p: p.icmp == (0, 0) and p.echo_id[0] == 0x600 + number), target)[0]
            check_equal((got.src, got.payload[8:got.length - 20]), (target, bytes(range(200))), f"answer of {target}")
    with suite.test("local: TTL 1 is enough for a packet to the router itself"):
        agent = net.agent("a")
        mark = agent.mark()
        agent.send("iucv0", ip(A, R1, echo(ident=0x700), proto=ICMP, ttl=1))
        wait_for(lambda: arrivals(net, "a", mark, lambda p: p.icmp == (0, 0) and p.echo_id[0] == 0x700), "echo reply")
    with suite.test("local: fragments in any order are put together and answered"):
        agent, message = net.agent("a"), echo(ident=0x701, body=bytes(range(256)) * 8)
        pieces = [(0, True, message[:800]), (800, True, message[800:1600]), (1600, False, message[1600:])]
        mark = agent.mark()
        agent.send("iucv0", *[fragments(A, R1, p, ident=906, proto=ICMP)[0] for p in (pieces[2], pieces[0], pieces[1])])
        wait_for(lambda: [p for p in arrivals(net, "a", mark, lambda p: p.icmp == (0, 0)) if p.echo_id[0] == 0x701], "echo reply")
    with suite.test("local: timestamp request is answered"):
        agent = net.agent("a")
        mark = agent.mark()
        agent.send("iucv0", ip(A, R1, icmp(13, 0, struct.pack("!HH", 0x702, 1), bytes(12)), proto=ICMP))
        wait_for(lambda: arrivals(net, "a", mark, lambda p: p.icmp == (14, 0)), "timestamp reply")
    with suite.test("local: TCP to a router where nothing listens is counted"):
        before = net.drops()
        syn = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 1000, 0, 0)
        net.agent("a").send("iucv0", ip(A, R1, syn[:16] + struct.pack("!H", tcp_checksum(A, R1, syn)) + syn[18:], proto=6))
        wait_for(lambda: net.dropped("no-listener", "r1", before) == 1, "no-listener")
    with suite.test("local: echo to the broadcast address of a LAN is not answered"):
        agent, before = net.agent("c"), net.drops()
        mark = agent.mark()
        agent.send("eth0", ip(C, "192.0.2.255", echo(ident=0x703), proto=ICMP), mac=BROADCAST)
        wait_for(lambda: net.dropped("icmp-ignored", "r1", before) + net.dropped("broadcast", "r1", before) == 1, "a counter of r1")
        settle(net, "c")
        check(not arrivals(net, "c", mark, lambda p: p.icmp == (0, 0) and p.echo_id[0] == 0x703 and p.src == "192.0.2.1"), "an answer")


def tcp_checksum(src, dst, segment):
    import socket
    return packets.checksum(socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(segment)) + segment)


def neighbours(suite, net):
    with suite.test("ARP: a request for the router's address is answered with its MAC address"):
        agent = net.agent("c")
        mark = agent.mark()
        agent.send("eth0", frame(BROADCAST, 0x0806, packets.arp(1, C_MAC, C, "00:00:00:00:00:00", "192.0.2.1")), frame=True)
        got = wait_for(lambda: [s for s in agent.seen(mark) if s["proto"] == packets.ETH_ARP and not s["out"]
                                and s["data"][6:8] == b"\0\2"], "ARP answer")[0]
        check_equal(got["data"][8:14].hex(":"), R1_MAC, "MAC address")
    with suite.test("ARP: packets wait for the answer, then leave in order"):
        net.agent("d")
        mark = net.agent("d").mark()
        check(not any(n["address"] == "192.0.2.20" for n in net.show("neighbours", "r1")), "d is known already")
        net.agent("a").send("iucv0", *[udp_packet(A, "192.0.2.20", ident=0x800 + i) for i in range(4)])
        got = wait_for(lambda: (lambda f: f if len(f) >= 4 else None)(arrivals(net, "d", mark, lambda p: p.ident & 0xff00 == 0x800)),
                       "4 packets in d")
        check_equal([p.ident - 0x800 for p in got], [0, 1, 2, 3], "order")
        wait_for(lambda: [n for n in net.show("neighbours", "r1") if n["address"] == "192.0.2.20" and n.get("mac")], "d among the neighbours")
    with suite.test("ARP: the queue is bounded, the oldest leave, the rest fails: each by its name"):
        agent, before = net.agent("a"), net.drops()
        mark = agent.mark()
        agent.send("iucv0", *[udp_packet(A, "192.0.2.98", ident=0x900 + i) for i in range(10)])
        wait_for(lambda: net.dropped("neighbour-failed", "r1", before) == 4, "neighbour-failed: 4")
        check_equal(net.dropped("neighbour-queue", "r1", before), 6, "neighbour-queue")
        told = wait_for(lambda: answers(agent, mark), "host unreachable")
        check_equal(told[0].icmp, (UNREACHABLE, HOST), "ICMP")
    with suite.test("ARP: an unsolicited answer teaches nothing new"):
        net.agent("c").send("eth0", frame(BROADCAST, 0x0806, packets.arp(2, "02:00:00:00:0c:0d", "192.0.2.66", "02:00:00:00:0c:0d", "192.0.2.66")),
                            frame=True)
        settle(net, "c")
        check(not any(n["address"] == "192.0.2.66" for n in net.show("neighbours", "r1")), "192.0.2.66 was learned")


def rates(suite, net):
    with suite.test("rate: ICMP errors of a router to one destination are limited, and the missing ones counted"):
        agent, before = net.agent("a"), net.drops()
        mark = agent.mark()
        agent.send("iucv0", *[udp_packet(A, B, ttl=2, ident=0xa00 + i) for i in range(100)])
        wait_for(lambda: net.dropped("ttl-exceeded", "r2", before) == 100, "ttl-exceeded at r2: 100")
        settle(net, "a")
        told = len(answers(agent, mark))
        limited = net.dropped("icmp-rate", "r2", before)
        check(1 <= told < 50, f"{told} answers to 100 packets")
        check_equal(told + limited, 100, f"answers ({told}) and icmp-rate ({limited})")


def down(suite, net):
    with suite.test("down: a frame to an interface that is down is counted as interface-down"):
        net.wait_ping("f", "198.18.1.1")
        net.command("set", "interface", "r1", "eth1", "down")
        before = net.drops()
        net.agent("f").send("eth0", udp_packet("198.18.1.10", B), mac="02:00:00:00:01:02")
        wait_for(lambda: net.dropped("interface-down", "r1", before) >= 1, "interface-down at r1")
        net.command("set", "interface", "r1", "eth1", "up")
        net.wait_ping("f", "198.18.1.1")


def body(suite):
    net = suite.lab(Lab(CONFIG, "ip"))
    for guest, target in (("a", B), ("s", B), ("l", B), ("c", B), ("f", B)):
        net.wait_ping(guest, target)
    neighbours(suite, net)
    forwarding(suite, net)
    table(suite, net, "routing", ROUTING)
    table(suite, net, "martian", MARTIANS)
    table(suite, net, "malformed", MALFORMED)
    table(suite, net, "local", LOCAL)
    table(suite, net, "no error about", NO_ERRORS_ABOUT)
    table(suite, net, "LAN", LAN)
    local(suite, net)
    rates(suite, net)
    down(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
