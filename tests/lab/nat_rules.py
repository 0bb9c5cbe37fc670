#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The source's single commands of translation do what they say (tests/rules/single; nat.py has how they are read and saved).

  inner 192.168.10.1 ── LAN inside ─┐
  pc 10.0.0.25 ──────── LAN local ──┤ gate .84 ── LAN outer 9.12.6.0/24 ── .75 far
  web 192.168.1.2 ───── LAN dmz ────┘
"""
import lab
import packets
import programs
import topo
import topo_flow
import topo_yaml
from lab import Lab, ROOT, check_equal, wait_for
from packets import Packet
from programs import fresh, page

SINGLE = ROOT / "tests" / "rules" / "single"
TOPOLOGY = """
node far host
node gate router forward
node inner host
node pc host
node web host
lan outer 9.12.6.0/24 mtu 1500
lan inside 192.168.10.0/24 mtu 1500
lan local 10.0.0.0/16 mtu 1500
lan dmz 192.168.1.0/24 mtu 1500
port far:eth0 outer 9.12.6.75
port gate:eth0 outer 9.12.6.84
port gate:eth1 inside 192.168.10.254
port gate:eth2 local 10.0.0.1
port gate:eth3 dmz 192.168.1.1
port inner:eth0 inside 192.168.10.1
port pc:eth0 local 10.0.0.25
port web:eth0 dmz 192.168.1.2
route gate default via 9.12.6.75 dev eth0
route far 172.168.2.0/24 via 9.12.6.84 dev eth0
route far 198.51.100.0/24 via 9.12.6.84 dev eth0
route far 192.168.10.0/24 via 9.12.6.84 dev eth0
route inner default via 192.168.10.254 dev eth0
route pc default via 10.0.0.1 dev eth0
route web default via 192.168.1.1 dev eth0
"""
CASES = {  # in the language of nat-expect
    "16-snat-address": ("inner 9.12.6.75 sees 172.168.2.1", "pc 9.12.6.75 sees 172.168.2.1", "pc 192.168.1.2 sees 10.0.0.25"),
    "18-masquerade": ("inner 9.12.6.75 sees 9.12.6.84", "pc 9.12.6.75 sees 9.12.6.84", "pc 192.168.1.2 sees 10.0.0.25"),
    "19-dnat-address": (
        "far 9.12.6.84:80/tcp reaches inner as 192.168.10.1:80 from 9.12.6.75",
        "far 198.51.100.7:81/tcp reaches inner as 192.168.10.1:81 from 9.12.6.75",
        "far 172.168.2.9:25/tcp reaches inner as 192.168.10.1:25 from 9.12.6.75",
        "pc 192.168.1.2:80/tcp reaches web as 192.168.1.2:80 from 10.0.0.25"),
    "20-dnat-port": (
        "far 9.12.6.84:80/tcp reaches inner as 192.168.10.1:8080 from 9.12.6.75",
        "far 198.51.100.7:80/tcp reaches inner as 192.168.10.1:8080 from 9.12.6.75",
        "far 192.168.10.1:81/tcp reaches inner as 192.168.10.1:81 from 9.12.6.75"),
    "23-snat-lan": ("pc 9.12.6.75 sees 9.12.6.84", "inner 9.12.6.75 sees 192.168.10.1"),
    "24-port-forward": (
        "far 9.12.6.84:80/tcp reaches web as 192.168.1.2:80 from 9.12.6.75",
        "far 192.168.10.1:80/tcp reaches inner as 192.168.10.1:80 from 9.12.6.75"),
}
FIRST, LAST, FLOWS, SOMEWHERE = 1, 1023, 1060, "192.0.2.9"  # far drops what is for SOMEWHERE: no answer ends a flow


def command(name):
    return (SINGLE / f"{name}.rules").read_text()


def port_range(suite, net):
    with suite.test(f"17-snat-ports: {FLOWS} flows get ports {FIRST} to {LAST}, one each; one more is refused by name"):
        fresh(net, "gate", command("17-snat-ports"))
        pc, far, before = net.agent("pc"), net.agent("far"), net.drops()
        mark = far.mark()

        def arrived():
            """{sequence number: (source, port)} of the flows that came to far"""
            seen = [Packet(p["data"]) for p in far.seen(mark) if not p["out"] and p["proto"] == packets.ETH_IP]
            return {topo_flow.segment(p)[2]: (p.src, topo_flow.segment(p)[0]) for p in seen if p.dst == SOMEWHERE and topo_flow.segment(p)}

        def every_port():
            """What was lost or refused is sent again, as any client would."""
            there = arrived()
            for number in (n for n in range(1, FLOWS + 1) if n not in there):
                pc.call("syn", dst=SOMEWHERE, dport=80, sport=20000 + number, seq=number)
            return len(there) >= LAST and net.dropped("nat-ports", "gate", before) >= FLOWS - LAST
        wait_for(every_port, f"{LAST} flows", 20, interval=0.5)
        flows = list(arrived().values())
        check_equal({source for source, _ in flows}, {"172.168.2.1"}, "source addresses")
        check_equal(sorted(port for _, port in flows), list(range(FIRST, LAST + 1)), "source ports")
    with suite.test("17-snat-ports: the same ports serve another destination, and UDP is not translated"):
        mark = far.mark()
        pc.call("syn", dst="192.0.2.10", dport=80, sport=30000, seq=5)
        pc.call("udp", dst="192.0.2.10", port=80, size=10)
        two = lambda: {(p.proto, p.src) for p in (Packet(s["data"]) for s in far.seen(mark)) if p.valid and p.dst == "192.0.2.10"}
        wait_for(lambda: two() == {(packets.TCP, "172.168.2.1"), (packets.UDP, "10.0.0.25")}, "both at far")


def redirect(suite, net):
    with suite.test("21-redirect: what comes in by eth0 for port 80 of whoever arrives at port 3128 of the router"):
        directory = lab.work_directory() / "pages"
        directory.mkdir(exist_ok=True)
        (directory / "page").write_text("of the router\n")
        fresh(net, "gate", command("21-redirect"))
        server = programs.WebServer(net, "gate", 3128, directory)
        for address in ("9.12.6.84", "198.51.100.7", "192.168.10.1"):
            check_equal(page(net, "far", f"http://{address}/page"), "of the router", f"page of {address}")
        check_equal(server.askers("/page"), ["9.12.6.75"] * 3, "who asked, by the server's log")
        topo_flow.prove_translation(net.prover, "pc 192.168.1.2:80/tcp reaches web as 192.168.1.2:80 from 10.0.0.25".split())


def body(suite):
    programs.need("curl")
    file = lab.work_directory() / "rules.topo"
    file.write_text(TOPOLOGY)
    topology = topo.Topology(file)
    text = topo_yaml.configuration(topology).replace("  gate:\n", "  gate:\n    control: true\n")
    with suite.started(Lab(text, "rules")) as net:
        net.prover = topo.Prover(topology, net, None)
        net.wait_ping("pc", "9.12.6.84")
        for name, expectations in CASES.items():
            with suite.test(f"{name}: {expectations[0]}" + f", and {len(expectations) - 1} more" * (len(expectations) > 1)):
                fresh(net, "gate", command(name))
                for line in expectations:
                    topo_flow.prove_translation(net.prover, line.split())
        redirect(suite, net)
        port_range(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
