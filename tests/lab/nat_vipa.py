#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 11.2.12 of the source: source translation on the worker itself cures the lost ping of figure 11-4.

                  LAN lab 9.12.6.0/24
  client .75 ────────┬──────── .80 vmlinux4 .1 ── 192.168.1 ── .2 vmlinux9 ┬─ 10.0.0.1 ── .2 tux0mstr (192.168.2.1)
                                                                          └─ 10.0.1.1 ── .2 tux00000 (192.168.2.2)

Here the worker is a router of the engine, with its programs in its control namespace: the translation is ours (tests/lab/nat.py has
it with the kernel's). vmlinux4 has no route to 10.0.0.0/16 all the time.
"""
import lab
import programs
import topo
import topo_yaml
from lab import Capture, Lab, ROOT, check, check_equal, wait_for
from packets import ICMP, Packet
from programs import page, shell

WORKER, LINK, VIPA, TARGET, CLIENT = "tux0mstr", "10.0.0.2", "192.168.2.1", "9.12.6.80", "9.12.6.75"
RULE = (ROOT / "tests" / "rules" / "single" / "22-snat-vipa.rules").read_text()


def configuration():
    topology = topo.Topology(ROOT / "tests" / "topologies" / "fig-11-04-lab.topo")
    topology.nodes[WORKER]["role"] = "router"
    return topo_yaml.configuration(topology).replace(f"  {WORKER}:\n", f"  {WORKER}:\n    control: true\n")


def askers(capture):
    """Sources of the pings that came to vmlinux4."""
    return {p.src for p in map(Packet, list(capture.packets)) if p.valid and p.proto == ICMP and p.dst == TARGET}


def pings(suite, net):
    with suite.test("the ping is lost: vmlinux4 knows no way back to the link's address"):
        with Capture(net, "vmlinux4:iucv0", "icmp") as capture:
            check_equal(net.ping(WORKER, TARGET, wait=1)[0], 0, "answers")
            wait_for(lambda: askers(capture), "the request at vmlinux4")
            check_equal(askers(capture), {LINK}, "who asks")
    with suite.test("SNAT on the worker to its VIPA cures it"):
        shell(net, WORKER, RULE)
        with Capture(net, "vmlinux4:iucv0", "icmp") as capture:
            answers, text = net.ping(WORKER, TARGET, count=3)
            check_equal(answers, 3, f"answers ({text})")
            check_equal(askers(capture), {VIPA}, "who asks")
        check(not [r for r in net.show("routes", "vmlinux4") if r["to"].startswith("10.")], "vmlinux4 has a route to 10.0.0.0/16")
    with suite.test("fragments of 4000 bytes, too"):
        answers, text = net.ping(WORKER, TARGET, "-s", "4000", count=3)
        check_equal(answers, 3, f"answers ({text})")


def sessions(suite, net):
    directory = lab.work_directory() / "pages"
    directory.mkdir(exist_ok=True)
    (directory / "page").write_text("a page\n")
    with suite.test("TCP from the worker: the client sees the VIPA"):
        server = programs.WebServer(net, "client", 8080, directory)
        check_equal(page(net, WORKER, f"http://{CLIENT}:8080/page"), "a page", "page")
        check_equal(server.askers("/page"), [VIPA], "who asked, by the server's log")
    with suite.test("sessions from outside to the VIPA go on as before"):
        server = programs.WebServer(net, WORKER, 8080, directory)
        check_equal(page(net, "client", f"http://{VIPA}:8080/page"), "a page", "page")
        check_equal(server.askers("/page"), [CLIENT], "who asked, by the server's log")
        check_equal(net.ping("client", VIPA, count=3)[0], 3, "answers to pings")
    with suite.test("the other worker is reached by the VIPA, too"):
        mark = net.agent("tux00000").mark()
        check_equal(net.ping(WORKER, "192.168.2.2", count=3)[0], 3, "answers")
        came = {Packet(p["data"]).src for p in net.agent("tux00000").seen(mark) if not p["out"] and p["data"][9] == ICMP}
        check_equal(came, {VIPA}, "who asked")


def body(suite):
    programs.need("curl")
    with suite.started(Lab(configuration(), "vipa")) as net:
        net.wait_ping("client", VIPA)
        pings(suite, net)
        sessions(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
