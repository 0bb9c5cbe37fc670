#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two recommended set-ups, primary router on a shared port and a dedicated port, pass the same traffic test; so does layer 2, and a packet
passes the port as it came.

  client 192.0.2.1 ── office ── [ osa0 ] ── rtr .2 ┬ iucv ── w1 10.1.1.2
                                  other .9         └ iucv ── w2 10.1.2.2
"""
import lab
import packets
from lab import Lab, ROOT, check, check_equal, wait_for

TARGETS = ("10.1.1.2", "10.1.2.2", "192.0.2.2")


def traffic(net):
    for target in TARGETS:
        net.wait_ping("client", target, 5)
        net.wait_ping("other", target, 5)
    net.wait_ping("w1", "192.0.2.1", 5)
    net.wait_ping("w2", "192.0.2.9", 5)


def same_header(net):
    """One packet with TTL 1, options, and a DF bit: what leaves client is what rtr takes in."""
    sent = packets.ip("192.0.2.1", "10.1.1.2", packets.udp("192.0.2.1", "10.1.1.2"), ttl=1, tos=0x28, df=True, options=b"\x94\x04\0\0")
    mac = next(r["mac"] for r in net.show("interfaces") if (r["node"], r["name"]) == ("rtr", "eth0"))
    with lab.Capture(net, "rtr:eth0", "udp") as capture:
        net.agent("client").send("eth0", sent, mac=mac)
        got = wait_for(lambda: [p for p in list(capture.packets) if p[:len(sent)] == sent], "the packet as it was sent")
    check_equal(len(got), 1, "copies")


def one(suite, name, text):
    with suite.test(f"{name}: everybody reaches everybody"):
        net = suite.lab(Lab(text, name))
        traffic(net)
    with suite.test(f"{name}: the IP header passes the port as it came, TTL 1 included, and the port itself answers nothing"):
        same_header(net)
        check_equal(net.dropped("ttl-exceeded", "rtr"), 1, "ttl-exceeded at rtr")
    with suite.test(f"{name}: nothing was thrown away"):
        check_equal({d["reason"] for d in net.show("drops", "osa0")} - {"arp-ignored", "multicast", "broadcast", "ipv6"}, set(), "drops of osa0")
    suite.end(net)


def body(suite):
    for name in ("osa-primary", "osa-dedicated"):
        one(suite, name, (ROOT / "configs" / f"{name}.yaml").read_text())
    one(suite, "layer-2", (ROOT / "configs" / "osa-primary.yaml").read_text().replace("{network: office}", "{network: office, layer: 2}"))


lab.main(__file__, body)
