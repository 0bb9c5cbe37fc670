#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Three ways to share an adapter with a production system that is primary router already.

  a  two ports of a card      net0 ── [ port0 ] ── zos      net1 ── [ port1 ] ── zvm
  b  one port                 net ── [ port0 ] ┬ zos ── ctc ┐
                                               └ zvm ───────┘
  c  all through the other    net ── [ port0 ] ── zos ── ctc ── zvm ── g1
"""
import lab
import topo
from lab import check, check_equal, one_sentence, wait_for
from topo_osa import Port

FAR_END = "10.0.0.2"  # zos's end of the CTC link


def link_hook(suite, net):
    """zvm registers the far end of its link, while the link is up and zvm asks for it."""
    port = Port(net, "port0", ("net", "eth0", "192.0.2.1"))
    text = net.file.read_text()
    hooked = text.replace("192.0.2.20/24, router: primary}", "192.0.2.20/24, oat: {links: true}}").replace(", oat: {register: stack}", "")
    check(hooked != text, "the configuration has no such interface")
    with suite.test("osa-sharing-b: without a primary router the far end of the link is unknown: a warning says so before, the counter after"):
        net.file.write_text(hooked.replace(", oat: {links: true}", ""))
        warned = net.command("apply", str(net.file)).stderr
        check(FAR_END in warned and "would be thrown away by adapter port0" in warned, f"no warning in {warned!r}")
        port.expect(FAR_END, "discard")
    with suite.test("osa-sharing-b: the link hook registers it"):
        net.file.write_text(hooked)
        net.command("apply", str(net.file))
        port.expect(FAR_END, "zvm")
    with suite.test("osa-sharing-b: and takes it out when the link goes down"):
        net.command("set", "interface", "zos", "ctc0", "down")
        wait_for(lambda: FAR_END not in port.table(), f"{FAR_END} gone from the table")
        port.expect(FAR_END, "discard")
        net.command("set", "interface", "zos", "ctc0", "up")
        wait_for(lambda: port.table().get(FAR_END, ("",))[0] == "zvm", f"{FAR_END} in the table again")


def body(suite):
    net = topo.prove(suite, "osa-sharing-a-second-port.topo", "osa-sharing-a.yaml",
                     {"port0": ("net0", "eth0", "192.0.2.1"), "port1": ("net1", "eth0", "192.0.2.1")})
    with suite.test("osa-sharing-a: one port of a card twice is refused"):
        net.file.write_text(net.file.read_text().replace("slot: card0, port: 1}", "slot: card0, port: 0}"))
        one_sentence(net.command("apply", str(net.file), ok=False), "adapter port1 is port 0 of card card0, which port0 is already")
    suite.end(net)
    net = topo.prove(suite, "osa-sharing-b-qdio.topo", "osa-sharing-b.yaml", {"port0": ("net", "eth0", "192.0.2.1")})
    with suite.test("osa-sharing-b: z/OS registers its whole stack, and never a far end"):
        table = {a for a, (node, _) in Port(net, "port0", None).table().items() if node == "zos"}
        check_equal(table, {"192.0.2.10", "198.51.100.10", FAR_END}, "addresses of zos")
    link_hook(suite, net)
    suite.end(net)
    topo.prove(suite, "osa-sharing-c-through-zos.topo", "osa-sharing-c.yaml")


lab.main(__file__, body)
