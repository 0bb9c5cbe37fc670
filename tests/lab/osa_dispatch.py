#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Figure 4-8: where a packet goes that arrives at a shared adapter, and each way out when it goes nowhere, live.

  net 192.0.2.1 ── ext ── [ o1 ] ┬ p .2  primary router
                                 ├ s .3  secondary router
                                 └ g .4  guest, in a namespace
"""
import lab
import topo
from lab import check, check_equal
from topo_osa import Port

SENDER = ("net", "eth0", "192.0.2.1")
STRAY = "10.1.1.2"


def cures(suite, net, port):
    """Each makes the packet arrive at once, and its end makes it vanish again."""
    with suite.test("nobody has it: counted by name, with the address and the sender"):
        before = net.dropped("osa-no-entry")
        port.expect(STRAY, "discard")
        check_equal(net.dropped("osa-no-entry") - before, 3, "osa-no-entry")
        last = net.show("oat", "o1", "--drops")[0]
        check_equal((last["address"], last["sender"], last["from"], last["reason"]), (STRAY, "192.0.2.1", "network", "osa-no-entry"),
                    "the last one thrown away")
        text = net.command("show", "oat", "--drops").stdout
        check(STRAY in text and "osa-no-entry" in text, f"not in {text!r}")
    with suite.test("cured by a primary router, until it is none"):
        net.command("osa", "o1", "role", "s", "primary")
        port.expect(STRAY, "s")
        net.command("osa", "o1", "role", "s", "none")
        port.expect(STRAY, "discard")
    with suite.test("cured by a registration, until it is taken back"):
        net.command("oat", "add", "o1", "g", STRAY)
        check(port.table()[STRAY][0] == "g", f"table: {port.table()}")
        port.expect(STRAY, "g")
        net.command("oat", "del", "o1", "g", STRAY)
        port.expect(STRAY, "discard")
    with suite.test("cured by a proxy entry in qethconf's words"):
        net.command("qethconf", "parp", "add", "0a010102", "p:eth0")
        check_equal(net.command("qethconf", "list_all").stdout, f"parp add {STRAY} p:eth0\n", "list_all")
        port.expect(STRAY, "p")
        net.command("qethconf", "parp", "del", STRAY, "p:eth0")
        check_equal(net.command("qethconf", "parp", "list").stdout, "", "list")
        port.expect(STRAY, "discard")


def body(suite):
    net = topo.prove(suite, "fig-4-08-osa-dispatch.topo", "fig-4-08.yaml", {"o1": SENDER})
    net.command("osa", "o1", "online", "s")
    cures(suite, net, Port(net, "o1", SENDER))


lab.main(__file__, body)
