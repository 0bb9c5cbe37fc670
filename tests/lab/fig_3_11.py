#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Figure 3-11: two routers, each with an adapter of its own, and each guest linked to both. Every single failure leaves a way, the network side
of either adapter included.

           core
       c1 /    \\ c2
         n1     n2
    l1   │       │  l2
     [ osaa ] [ osab ]
         ra ──── rb
          │ \\  / │
         g1  ──  g2
"""
import lab
import topo
from lab import check, wait_for

# for each adapter that fails: what routing would withdraw, and with which next hop and metric it comes back
WITHDRAWN = {
    "osaa": [("n1", "198.51.100.0/24", "eth1", "192.0.2.130", "10"), ("core", "198.51.100.0/24", "eth0", "192.0.2.2", "10")],
    "osab": [("n2", "198.51.100.0/24", "eth1", "192.0.2.194", "10"), ("core", "198.51.100.0/24", "eth1", "192.0.2.66", "20")],
}
GATEWAY = {"osaa": "192.0.2.65", "osab": "192.0.2.1"}  # what the guests still reach outside


def reached(net, gateway):
    for guest, vipa in (("g1", "198.51.100.1"), ("g2", "198.51.100.2")):
        net.wait_ping("core", vipa, 5)
        net.wait_ping(guest, gateway, 5)


def each_adapter(suite, net):
    for osa, routes in WITHDRAWN.items():
        with suite.test(f"the network side of {osa} goes down: both guests and core reach each other by the other, and again when it is back"):
            net.command("osa", osa, "unplug")
            for node, prefix, dev, _, _ in routes:
                net.command("remove", "route", node, prefix, "dev", dev)
            reached(net, GATEWAY[osa])
            check(wait_for(lambda: not net.show("osa", osa)[0]["up"], f"{osa} down"), "it is up")
            net.command("osa", osa, "plug")
            for node, prefix, dev, via, metric in routes:
                net.command("add", "route", node, prefix, "via", via, "dev", dev, "metric", metric)
            reached(net, "192.0.2.1")


def body(suite):
    net = topo.prove(suite, "fig-3-11-dual-router.topo", "fig-3-11.yaml")
    each_adapter(suite, net)


lab.main(__file__, body)
