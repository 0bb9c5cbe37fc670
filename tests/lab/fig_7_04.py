#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Figure 7-4: a standby with the same definitions and addresses takes over, and never both are active.

  net 192.0.2.1 ── ext ─┬─ [ oprod ] prod .2 ── iucv ── g1  10.1.1.2
                        └─ [ ostby ] stby .2 ── iucv ── g1b 10.1.1.2
"""
import lab
import topo
from lab import check, check_equal, one_sentence, wait_for

ADDRESS, BEHIND = "192.0.2.2", "10.1.1.2"


def mac_of(net, osa):
    return net.show("osa", osa)[0]["mac"]


def neighbour(net):
    """What net believes the MAC address of 192.0.2.2 to be."""
    words = net.agent("net").run("ip", "neigh", "show", ADDRESS)[1].split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else None


def state(net, osa):
    return {r["address"]: r["state"] for r in net.show("oat", osa)}.get(ADDRESS)


def announcements(net, since, mac):
    """Gratuitous ARP for 192.0.2.2 from that MAC address, as net saw it."""
    target = bytes([192, 0, 2, 2])
    return [s for s in net.agent("net").seen(since) if s["proto"] == 0x0806 and not s["out"]
            and s["data"][14:18] == target and s["data"][24:28] == target and s["data"][8:14].hex(":") == mac]


def both_started(suite, net):
    with suite.test("both started: the second refuses, and names who has the address"):
        one_sentence(net.command("osa", "ostby", "online", "stby", ok=False),
                     r"192.0.2.2: IP address already in use on LAN \(0xe00a\), held by prod/eth0")
        check(net.ping("net", BEHIND)[0] == 1, "prod was disturbed")
        check_equal(neighbour(net), mac_of(net, "oprod"), "MAC address of 192.0.2.2")


def take_over(suite, net):
    """prod ends, stby starts: net learns its MAC address unasked."""
    with suite.test("prod goes, stby comes: announced to the LAN, and the ping goes on within a second"):
        mark = net.agent("net").mark()
        net.command("osa", "oprod", "offline", "prod")
        net.command("osa", "ostby", "online", "stby")
        wait_for(lambda: neighbour(net) == mac_of(net, "ostby"), "net knows the new MAC address", 1)
        check(announcements(net, mark, mac_of(net, "ostby")), "no gratuitous ARP was seen")
        check(net.ping("net", BEHIND)[0] == 1, "no answer from behind stby")
    with suite.test("the ping was answered by the guest behind stby"):
        before = {g["name"]: g["rx_packets"] for g in net.show("guests")}
        net.wait_ping("net", BEHIND)
        after = {g["name"]: g["rx_packets"] for g in net.show("guests")}
        check(after["g1b"] > before["g1b"] and after["g1"] == before["g1"], f"guests before {before} and after {after}")
    with suite.test("prod back while stby is active: refused"):
        one_sentence(net.command("osa", "oprod", "online", "prod", ok=False), r"0xe00a\), held by stby/eth0")


def by_force(suite, net):
    """With ipato an active address is taken over, as qeth's three steps do: enable, address, activate."""
    with suite.test("ipato: prod takes the address over while stby still has it"):
        net.command("qethconf", "ipa", "add", "192.0.2.0/24", "prod:eth0")
        mark = net.agent("net").mark()
        net.command("osa", "oprod", "online", "prod")
        wait_for(lambda: state(net, "oprod") == "registered", "192.0.2.2 registered with oprod")
        wait_for(lambda: announcements(net, mark, mac_of(net, "oprod")), "gratuitous ARP")
        wait_for(lambda: neighbour(net) == mac_of(net, "oprod"), "net knows the MAC address of oprod", 2)
        check(net.ping("net", BEHIND)[0] == 1, "no answer from behind prod")


def body(suite):
    net = topo.prove(suite, "fig-7-04-takeover.topo", "fig-7-04.yaml")
    both_started(suite, net)
    take_over(suite, net)
    by_force(suite, net)


lab.main(__file__, body)
