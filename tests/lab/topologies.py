#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expectation of the figures that have no script of their own: each tests/topologies/*.topo below becomes a configuration.

  .topo ── topo_yaml.py ──> configuration ──> lab ── topo.py, topo_flow.py: packets that prove each line

The lines after a file's name here are proved, too: what the file's rules are there to keep out.
"""
import lab
import topo
import topo_yaml
from lab import Lab, ROOT

FILES = {
    "fig-3-02-nfs-isolation": (),
    "fig-3-12-vm-and-linux": (),
    "fig-4-01-vipa-dummy": (),
    "fig-4-02-single-fw": (),
    "fig-4-03-dmz": (
        "refuse inet 10.0.0.2 at fw policy",  # nothing from outside to inside
        "refuse dmz 10.0.0.2 at fw policy",   # nor from the DMZ
        "refuse dmz 192.0.2.1 at fw policy"),
    "fig-4-04-more-subnets": (),
    "fig-4-05-two-layer": (
        "refuse a1 10.2.1.2 at fw1 rule",
        "refuse b2 10.1.2.2 at fw1 rule"),
    "fig-4-07-routing-domains": (
        "add route ba 198.51.100.64/26 via 192.0.2.2 dev eth1",  # by A's staff: it must not make C the way to B
        "refuse ha 198.51.100.74 at bc rule"),
    "fig-11-07-internet-access": (),
    "fig-11-08-port-forwarding": (
        "nat-expect pc 203.0.113.80 sees 9.12.6.84",
        "expect pc 192.168.1.2 path pc,rtr,web"),
    "fig-13-07-monitoring": (),
    "fig-16-03-point-to-point": (),
    "fig-16-04-guest-lan": (),
}


def body(suite):
    for name, more in FILES.items():
        topology = topo.Topology(ROOT / "tests" / "topologies" / f"{name}.topo")
        with suite.started(Lab(topo_yaml.configuration(topology), "".join(name.split("-")[1:3]))) as net:
            topo.prove_lines(suite, topo.Prover(topology, net, None), name, more)


if __name__ == "__main__":
    lab.main(__file__, body)
