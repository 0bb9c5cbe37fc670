#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ARP flux: a stack with two ports on one LAN answers ARP for all of its addresses on both, each with that port's MAC address. With shared ports the
table of the one lacks the address of the other, and without a primary router the packet is thrown away.

  net 192.0.2.1 ── ext ─┬─ [ o1 ] ─┬─ h .10 (eth0)   r .20 (eth0)
                        └─ [ o2 ] ─┴─ h .11 (eth1)   r .21 (eth1)     h a namespace, r a router

Who answers ARP is seen at net; then an echo request goes to each MAC address that answered. It works when all are answered.
"""
import itertools

import lab
import packets
from lab import Failure, Lab, check, check_equal, one_sentence, wait_for
from packets import Packet

NET, NET_MAC = "192.0.2.1", "02:00:00:00:00:01"
EVERYONE = "ff:ff:ff:ff:ff:ff"

CONFIG = """fabric: flux
lans: {{ext: {{}}}}
osa:
  o1: {{network: ext, mode: {mode}{table1}}}
  o2: {{network: ext, mode: {mode}{table2}}}
routers:
  r:
    hidden: {all}
    interfaces:
      eth0: {{osa: o1, address: 192.0.2.20/24, hidden: {device}{router_role}}}
      eth1: {{osa: o2, address: 192.0.2.21/24, hidden: {device}{router_role}}}
guests:
  net: {{interfaces: {{eth0: {{lan: ext, address: 192.0.2.1/24, mac: "02:00:00:00:00:01"}}}}}}
  h:
    hidden: {all}
    interfaces:
      eth0: {{osa: o1, address: 192.0.2.10/24, hidden: {device}{guest_role}}}
      eth1: {{osa: o2, address: 192.0.2.11/24, hidden: {device}{guest_role}}}
"""
ADDRESSES = {"h": {"192.0.2.10": "o1", "192.0.2.11": "o2"}, "r": {"192.0.2.20": "o1", "192.0.2.21": "o2"}}


def config(mode, everywhere, device, primary=None):
    word = lambda value: "true" if value else "false"
    table = lambda end: f", table: [{{address: 192.0.2.1{end}, owner: h}}, {{address: 192.0.2.2{end}, owner: r}}]" if mode == "ose" else ""
    role = lambda node: ", router: primary" if primary == node else ""
    return CONFIG.format(mode=mode, table1=table(0), table2=table(1), all=word(everywhere), device=word(device),
                         guest_role=role("h"), router_role=role("r"))


class Flux:
    def __init__(self, net):
        self.net, self.agent = net, net.agent("net")
        self.macs = {r["osa"]: r["mac"] for r in net.show("osa")}
        self.ident = 0x2000

    def answers(self, address, expected):
        """MAC addresses that answer ARP for it; waits until `expected` of them have."""
        mark = self.agent.mark()
        self.agent.send("eth0", packets.arp(1, NET_MAC, NET, "00:00:00:00:00:00", address), mac=EVERYONE, proto=packets.ETH_ARP)
        target = bytes(int(b) for b in address.split("."))

        def replies():
            seen = [s["data"] for s in self.agent.seen(mark) if s["proto"] == packets.ETH_ARP and not s["out"]]
            return {d[8:14].hex(":") for d in seen if d[6:8] == b"\0\2" and d[14:18] == target}
        wait_for(lambda: len(replies()) >= expected, f"{expected} answers to ARP for {address}", 3)
        return replies()

    def echo(self, mac, address):
        self.ident += 1
        mark = self.agent.mark()
        self.agent.send("eth0", packets.ip(NET, address, packets.echo(self.ident), proto=packets.ICMP), mac=mac)
        return mark, self.ident

    def replied(self, mark, ident):
        return any(p.valid and p.icmp and p.icmp[0] == packets.ECHO_REPLY and p.echo_id[0] == ident
                   for p in (Packet(s["data"]) for s in self.agent.seen(mark) if not s["out"]))

    def thrown(self):
        return {r["osa"]: r["no_entry"] for r in self.net.show("osa")}

    def works(self, node, expected):
        """`expected`: ports that answer for each address. => (all echo requests were answered, packets thrown away by each port)"""
        asked, before = [], self.thrown()
        for address in ADDRESSES[node]:
            for mac in self.answers(address, expected):
                asked.append(self.echo(mac, address))

        def settled():
            answered = sum(self.replied(*one) for one in asked)
            lost = {o: n - before[o] for o, n in self.thrown().items()}
            return (answered, lost) if answered + sum(lost.values()) >= len(asked) else None
        answered, lost = wait_for(settled, f"{len(asked)} echo requests are answered or thrown away", 5)
        return answered == len(asked), lost


def combinations(suite, net, flux, node):
    """Every combination of the two switches and of primaries on both ports; only 1/1 and primaries cure."""
    for everywhere, device, primary in itertools.product((False, True), repeat=3):
        cured = (everywhere and device) or primary
        name = f"{node}: hidden all {everywhere:d}, device {device:d}, {'primary on both ports' if primary else 'no primary'}"
        with suite.test(f"{name}: {'works' if cured else 'broken'}"):
            net.file.write_text(config("ose", everywhere, device, node if primary else None).replace("fabric: flux", f"fabric: {net.name}"))
            net.command("apply", str(net.file))
            works, lost = flux.works(node, 1 if everywhere and device else 2)
            check_equal(works, cured, "all echo requests answered")
            check(cured or all(lost.values()), f"thrown away by each port: {lost}")


def body(suite):
    net = suite.lab(Lab(config("ose", False, False), "flux"))
    flux = Flux(net)
    with suite.test("OSE: ARP for an address is answered by both ports, with their own MAC addresses"):
        for node in ADDRESSES:
            for address in ADDRESSES[node]:
                check_equal(flux.answers(address, 2), set(flux.macs.values()), f"who answers for {address}")
    for node in ADDRESSES:
        combinations(suite, net, flux, node)
    with suite.test("OSE: a role is static, a live change of it is refused"):
        one_sentence(net.command("osa", "o1", "role", "h", "primary", ok=False), "roles on adapter o1 are static")
    suite.end(net)
    net = suite.lab(Lab(config("qdio", False, False), "qdio"))
    flux = Flux(net)
    with suite.test("QDIO layer 3: each address is answered by the port that has it, and by no other; nothing is lost"):
        for node in ADDRESSES:
            for address, osa in ADDRESSES[node].items():
                check_equal(flux.answers(address, 1), {flux.macs[osa]}, f"who answers for {address}")
            check_equal(flux.works(node, 1)[0], True, "all echo requests answered")


lab.main(__file__, body)
