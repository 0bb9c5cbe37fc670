#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Roles and addresses at a shared adapter: what is refused and in which words, what follows a guest by itself, and its network.

  net 192.0.2.1 ── ext ── [ o1 ] ┬ p .2  primary router
                                 ├ s .3  secondary router
                                 └ g .4  guest, in a namespace
"""
import os
import signal

import lab
from lab import Lab, check, check_equal, one_sentence, wait_for
from topo_osa import Port

SENDER = ("net", "eth0", "192.0.2.1")
STRAY = "10.1.1.2"


def refusals(suite, net, port):
    with suite.test("a second primary is refused with code, word and holder, and the first is not disturbed"):
        line = one_sentence(net.command("osa", "o1", "role", "s", "primary default entry", ok=False),
                            r"Primary already defined \(0xe010\), held by p/eth0")
        check("another port" in line, f"no way out is named: {line!r}")
        port.expect(STRAY, "p")
    with suite.test("so is a second secondary"):
        one_sentence(net.command("osa", "o1", "role", "g", "secondary", ok=False),
                     r"Secondary already defined \(0xe011\), held by s/eth0")
    with suite.test("and what is no role of an OSA"):
        for word in ("primary_connector", "multicast_router", "first"):
            one_sentence(net.command("osa", "o1", "role", "g", word, ok=False), r"Invalid SETRTG indicator \(0xe012\)")
    with suite.test("an address of somebody else is refused with its holder"):
        one_sentence(net.command("oat", "add", "o1", "g", "192.0.2.2", ok=False), r"Address already registered \(0xe005\), held by p/eth0")
        port.expect("192.0.2.2", "p")
    with suite.test("an address that somebody on the LAN has is found by asking, and told"):
        net.command("oat", "add", "o1", "g", "192.0.2.1", ok=False)
        answer = wait_for(lambda: [r for r in net.show("oat") if r["address"] == "192.0.2.1" and r.get("code") == 0xe00a], "0xe00a")[0]
        check("already in use on LAN (0xe00a)" in answer["answer"], f"answer {answer}")
        net.command("oat", "del", "o1", "g", "192.0.2.1", ok=False)
    with suite.test("a guest that is no router sends with its own addresses only"):
        before = net.dropped("osa-source")
        net.exec("g", "ip", "address", "add", "192.0.2.99/32", "dev", "lo")
        net.exec("g", "ping", "-c", "1", "-W", "1", "-I", "192.0.2.99", "192.0.2.1", ok=False)
        check_equal(net.dropped("osa-source") - before, 1, "osa-source")


def inside(suite, net, port):
    with suite.test("an address that a guest gives itself is in the table at once, and out again"):
        net.exec("g", "ip", "address", "add", "192.0.2.44/24", "dev", "eth0")
        wait_for(lambda: "192.0.2.44" in port.table(), "192.0.2.44 in the table")
        port.expect("192.0.2.44", "g")
        net.exec("g", "ip", "address", "del", "192.0.2.44/24", "dev", "eth0")
        wait_for(lambda: "192.0.2.44" not in port.table(), "192.0.2.44 gone from the table")
    with suite.test("no ARP in QDIO layer 3: the port answers, the guest sees none"):
        agent, mark = net.agent("g"), net.agent("g").mark()
        net.exec("net", "ip", "neigh", "flush", "all")
        check(net.ping("net", "192.0.2.4")[0] == 1, "no answer from g")
        check(net.ping("net", "192.0.2.2")[0] == 1, "no answer from p")
        check(not [s for s in agent.seen(mark) if s["proto"] == 0x0806], "g saw ARP")
        neighbours = net.exec("net", "ip", "neigh").stdout
        check_equal(neighbours.count(port.record()["mac"]), 2, f"MACs of the port among {neighbours!r}")
    with suite.test("its network unplugged, all who share it see it, and again when it is back"):
        net.command("osa", "o1", "unplug")
        check_equal(port.record()["up"], False, "state of o1")
        wait_for(lambda: not net.agent("g").carrier("eth0"), "g has no carrier", 2)
        check(all(r["carrier"] is False for r in net.show("interfaces") if r["kind"] == "osa"), "a router has a carrier")
        net.command("osa", "o1", "plug")
        wait_for(lambda: net.ping("net", "192.0.2.4")[0] == 1, "an answer from g")


def crash(suite, net, port):
    with suite.test("the engine killed: roles and table are what they were"):
        net.command("qethconf", "vipa", "add", "198.51.100.1", "p:eth0")
        stable = lambda: {a: owner for a, (owner, state) in port.table().items() if state == "registered"}
        wait_for(lambda: len(stable()) == 4, "four addresses registered")
        before, engine = (stable(), port.record()["primary"]), net.engine_pid()
        os.kill(engine, signal.SIGKILL)
        wait_for(lambda: net.engine_pid() not in (0, engine), "another engine")
        wait_for(lambda: (stable(), port.record()["primary"]) == before, f"the same table and primary router as before: {before}")
        net.wait_ping("net", "192.0.2.4")


def without_network(suite):
    """`carrier: always`: the port goes on without its network."""
    text = (lab.ROOT / "configs" / "fig-4-08.yaml").read_text().replace("{network: ext}", "{network: ext, carrier: always, state: down}")
    net = suite.lab(Lab(text, "alone"))
    with suite.test("without a network those on the port reach each other inside, and nothing leaves"):
        agent, mark = net.agent("net"), net.agent("net").mark()
        check(net.ping("g", "192.0.2.2")[0] == 1, "no answer from p")
        check_equal(net.command("ping", "-c", "1", "s", "192.0.2.4").returncode, 0, "ping from s to g")
        check_equal(net.ping("g", "192.0.2.1", wait=1)[0], 0, "answers from net")
        check(net.dropped("osa-no-network") >= 1, "nothing was counted as osa-no-network")
        check(not [p for p in agent.seen(mark) if not p["out"]], "something left by the network side")


def body(suite):
    net = suite.lab(Lab.of("fig-4-08.yaml"))
    port = Port(net, "o1", SENDER)
    refusals(suite, net, port)
    inside(suite, net, port)
    crash(suite, net, port)
    suite.end(net)
    without_network(suite)


lab.main(__file__, body)
