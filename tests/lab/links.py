#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Point-to-point links: cut and restored, of different sizes, and never with a broadcast on them (IUCV-1, 4..10).

  g1 10.1.1.2 ── iucv0 (9000 on both ends) ──┐
  g2 10.1.2.2 ── iucv1 (8188) ───────────────┤ rtr ── up 10.9.0.1 ── .2 far ── iucv0 10.2.1.1 ── .2 g4
  g3 10.1.3.2 ── ctc0  (1492) ───────────────┘
"""
import os
import re
import signal

import lab
import packets
from lab import Lab, check, check_equal, wait_for
from packets import Packet

CONFIG = """
fabric: links
routers:
  rtr:
    forward: true
    interfaces:
      iucv0: {iucv: g1, address: 10.1.1.1, mtu: 9000}
      iucv1: {iucv: g2, address: 10.1.2.1, mtu: 8188}
      ctc0:  {ctc: g3, address: 10.1.3.1, mtu: 1492}
      up:    {iucv: far, address: 10.9.0.1, mtu: 8188}
    routes:
      - {to: default, via: 10.9.0.2}
  far:
    forward: true
    interfaces:
      up:    {iucv: rtr, address: 10.9.0.2, mtu: 8188}
      iucv0: {iucv: g4, address: 10.2.1.1, mtu: 8188}
    routes:
      - {to: default, via: 10.9.0.1}
guests:
  g1: {interfaces: {iucv0: {iucv: rtr, address: 10.1.1.2, mtu: 9000}}}
  g2: {interfaces: {iucv0: {iucv: rtr, address: 10.1.2.2, mtu: 8188}}}
  g3: {interfaces: {ctc0: {ctc: rtr, address: 10.1.3.2, mtu: 1492}}}
  g4: {interfaces: {iucv0: {iucv: far, address: 10.2.1.2, mtu: 8188}}}
"""
ADDRESS = {"g1": "10.1.1.2", "g2": "10.1.2.2", "g3": "10.1.3.2", "g4": "10.2.1.2"}


def default_routes(net, guest):
    return net.agent(guest).run("ip", "route", "show", "default")[1].strip()


def link_state(net, node, iface):
    return next(r for r in net.show("interfaces", node) if r["name"] == iface)


def counting(net, source, target):
    """A ping that goes on beside what happens: its process; finish_counting() gives (sent, received)."""
    return net.spawn("exec", source, "--", "ping", "-n", "-q", "-i", "0.01", "-W", "2", ADDRESS[target], text=True)


def finish_counting(process):
    for pid in lab.children_of(process.pid):  # the program inside, whose summary we want
        os.kill(pid, signal.SIGINT)
    text, errors = process.communicate(timeout=10)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    check(found, f"ping said {text!r} {errors!r}")
    return int(found[1]), int(found[2])


def guest_link(suite, net):
    """The link of one worker, cut at the router."""
    with suite.test("every guest reaches every other at the start"):
        for a in ADDRESS:
            for b in ADDRESS:
                if a != b:
                    net.wait_ping(a, ADDRESS[b])
    with suite.test("a link set down at the router is without carrier in the guest at once"):
        check(net.agent("g1").carrier("iucv0"), "no carrier before")
        net.command("set", "interface", "rtr", "iucv0", "down")
        wait_for(lambda: not net.agent("g1").carrier("iucv0"), "no carrier in g1", 2)
        check("NO-CARRIER" in net.agent("g1").run("ip", "link", "show", "iucv0")[1], "ip link does not say NO-CARRIER")
        check_equal(link_state(net, "rtr", "iucv0")["up"], False, "up of rtr:iucv0")
    with suite.test("while it is down its route stays in the guest, and other links are as they were"):
        check("10.1.1.1" in default_routes(net, "g1"), f"default route of g1: {default_routes(net, 'g1')!r}")
        for guest, iface in (("g2", "iucv0"), ("g3", "ctc0"), ("g4", "iucv0")):
            check(net.agent(guest).carrier(iface), f"{guest} lost its carrier")
        check_equal(net.ping("g2", ADDRESS["g4"], count=3)[0], 3, "answers from g4 to g2")
        check_equal(net.ping("g2", ADDRESS["g1"], wait=1)[0], 0, "answers from g1")
        check(any(l["kind"] == "iucv" and not l["up"] for l in net.show("links")), "no link is shown as down")
    with suite.test("set up again, it is back by itself, with no command in the guest"):
        net.command("set", "interface", "rtr", "iucv0", "up")
        wait_for(lambda: net.agent("g1").carrier("iucv0"), "carrier in g1", 2)
        net.wait_ping("g1", ADDRESS["g4"], 3)
    with suite.test("a guest that sets its own end down is seen at the router, and comes back"):
        net.agent("g2").run("ip", "link", "set", "iucv0", "down")
        wait_for(lambda: not link_state(net, "rtr", "iucv1")["carrier"], "no carrier at rtr:iucv1", 3)
        net.agent("g2").run("ip", "link", "set", "iucv0", "up")
        wait_for(lambda: link_state(net, "rtr", "iucv1")["carrier"], "carrier at rtr:iucv1", 3)
        net.agent("g2").run("ip", "route", "replace", "default", "via", "10.1.2.1", "dev", "iucv0", "onlink")
        net.wait_ping("g2", ADDRESS["g4"], 3)


def router_link(suite, net):
    """The link between the two routers, in memory."""
    with suite.test("a link between routers set down is down on both ends, routes over it stay and say so"):
        net.command("set", "interface", "far", "up", "down")
        wait_for(lambda: not link_state(net, "rtr", "up")["carrier"], "no carrier at rtr:up", 2)
        kept = [r for r in net.show("routes", "rtr") if r["to"] in ("default", "0.0.0.0/0")]
        check_equal([r["linkdown"] for r in kept], [True], f"linkdown of the default route of rtr ({kept})")
        check_equal(net.ping("g1", ADDRESS["g2"], count=2)[0], 2, "answers of g2 to g1")
    with suite.test("packets for it are dropped as link-down, and answered"):
        before, agent = net.drops(), net.agent("g1")
        mark = agent.mark()
        agent.call("echo", dst=ADDRESS["g4"], id=0x501, seq=1)
        wait_for(lambda: net.dropped("link-down", "rtr", before) == 1, "link-down at rtr")
        told = wait_for(lambda: [p for p in (Packet(s["data"]) for s in agent.seen(mark) if not s["out"]) if p.icmp], "ICMP")
        check_equal(told[0].icmp[0], packets.UNREACHABLE, "ICMP type")
    with suite.test("set up again, traffic goes on without a command about routes"):
        net.command("set", "interface", "far", "up", "up")
        net.wait_ping("g1", ADDRESS["g4"], 3)


def undisturbed(suite, net):
    with suite.test("cutting one link 50 times loses no packet of the others"):
        others = [counting(net, "g2", "g4"), counting(net, "g3", "g4")]
        for _ in range(50):
            net.command("set", "interface", "rtr", "iucv0", "down")
            net.command("set", "interface", "rtr", "iucv0", "up")
        for sent, received in [finish_counting(process) for process in others]:
            check(sent > 20, f"only {sent} packets were sent")
            check(sent - received <= 1, f"{sent} sent, {received} received")  # the last may be on its way at the signal
        net.wait_ping("g1", ADDRESS["g4"], 3)


def sizes(suite, net):
    with suite.test("8188 bytes pass whole over a link of MTU 8188, with DF"):
        since = net.agent("g2").mark()
        answers, output = net.ping("g1", ADDRESS["g2"], "-s", str(8188 - 28), "-M", "do")
        check_equal(answers, 1, f"answers ({output})")
        came = [p for p in (Packet(s["data"]) for s in net.agent("g2").seen(since) if not s["out"]) if p.icmp]
        check_equal((came[0].length, came[0].mf, came[0].df), (8188, False, True), "what arrived (length, MF, DF)")
    with suite.test("8189 bytes with DF are answered: fragmentation needed, 8188"):
        before, agent = net.drops(), net.agent("g1")
        mark = agent.mark()
        agent.call("udp", dst=ADDRESS["g2"], port=33434, size=8189 - 28, df=True)
        told = wait_for(lambda: [p for p in (Packet(s["data"]) for s in agent.seen(mark) if not s["out"]) if p.icmp], "ICMP")[0]
        check_equal((told.icmp, told.mtu), ((packets.UNREACHABLE, packets.FRAG_NEEDED), 8188), "ICMP and MTU")
        check_equal(told.src, "10.1.1.1", "who told")
        check_equal(net.dropped("mtu", "rtr", before), 1, "mtu at rtr")
    with suite.test("without DF the same packet arrives in fragments"):
        net.agent("g2").call("listen", port=5000)
        since = net.agent("g2").mark()
        source = net.agent("g1")
        source.run("ip", "route", "flush", "cache")
        body = packets.udp(ADDRESS["g1"], ADDRESS["g2"], dport=5000, body=b"f" * (8189 - 28))
        source.send("iucv0", packets.ip(ADDRESS["g1"], ADDRESS["g2"], body))
        wait_for(lambda: net.agent("g2").call("received", port=5000)["sizes"] == [8189 - 28], "the datagram in g2")
        came = [p for p in (Packet(s["data"]) for s in net.agent("g2").seen(since) if not s["out"]) if p.proto == packets.UDP]
        check_equal([p.length for p in came], [20 + 8168, 20 + 1], "lengths of the fragments")
    with suite.test("the MTU is changed live"):
        net.command("set", "interface", "rtr", "iucv1", "mtu", "4000")
        check_equal(link_state(net, "rtr", "iucv1")["mtu"], 4000, "mtu shown")
        agent = net.agent("g1")
        agent.run("ip", "route", "flush", "cache")
        mark = agent.mark()
        agent.call("udp", dst=ADDRESS["g2"], port=33434, size=4001 - 28, df=True)
        told = wait_for(lambda: [p for p in (Packet(s["data"]) for s in agent.seen(mark) if not s["out"]) if p.icmp], "ICMP")[0]
        check_equal((told.icmp, told.mtu), ((packets.UNREACHABLE, packets.FRAG_NEEDED), 4000), "ICMP and MTU")


def broadcasts(suite, net):
    source = ADDRESS["g3"]
    for target in ("255.255.255.255", "224.0.0.5"):
        with suite.test(f"a packet to {target} on a link is counted, and delivered to nobody"):
            before = net.drops()
            marks = {g: net.agent(g).mark() for g in ("g1", "g2", "g4")}
            net.agent("g3").send("ctc0", packets.udp_packet(source, target))
            wait_for(lambda: net.dropped("link-broadcast", "rtr", before) == 1, "link-broadcast at rtr")
            for guest, mark in marks.items():
                came = [s for s in net.agent(guest).seen(mark) if not s["out"] and Packet(s["data"]).valid
                        and Packet(s["data"]).dst == target]
                check(not came, f"it reached {guest}")
    with suite.test("a guest on a link is idle when nobody talks to it"):
        mark = net.agent("g4").mark()
        net.ping("g1", ADDRESS["g2"], count=5)
        came = [packets.describe_seen(s) for s in net.agent("g4").seen(mark) if not s["out"]]
        check(not came, f"g4 saw {came}")


def body(suite):
    net = suite.lab(Lab(CONFIG, "links"))
    for part in (guest_link, router_link, undisturbed, sizes, broadcasts):
        part(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
