#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The web through translation, with curl and a web server: configs/fig-11-07.yaml outwards, configs/fig-11-08.yaml inwards.

  pc 10.0.0.25 ── LAN local ── rtr .84 ── LAN ext 9.12.6.0/24 ── .75 isp ── LAN inet 203.0.113.0/24 ── .80 server / client
  web 192.168.1.2 ── LAN dmz ──┘ (figure 11-8)
"""
import hashlib

import lab
import programs
from lab import Lab, check, check_equal, wait_for
from programs import curl, fresh, page, shell

GATE, OUTSIDE, PC, WEB = "9.12.6.84", "203.0.113.80", "10.0.0.25", "192.168.1.2"
SIZE = 2000000
MASQUERADE = "iptables -t nat -A POSTROUTING -s 10.0.0.0/16 -o eth0 -j MASQUERADE"


def files():
    """A directory to serve. => (it, the sum of its large file)"""
    directory = lab.work_directory() / "pages"
    directory.mkdir(exist_ok=True)
    data = hashlib.shake_128(b"rookery").digest(SIZE)
    (directory / "large").write_bytes(data)
    (directory / "small").write_text("small\n")
    return directory, hashlib.sha256(data).hexdigest()


def fetched_sum(net, node, url):
    file = lab.work_directory() / f"{net.name}-fetched"
    page(net, node, url, "-o", str(file))
    data = file.read_bytes()
    file.unlink()
    return hashlib.sha256(data).hexdigest()


def outwards(suite, net, how, server, right):
    with suite.test(f"{how}: a page, and the server sees the outside address (figure 11-7)"):
        check_equal(page(net, "pc", f"http://{OUTSIDE}/"), f"you are {GATE}", "page")
    with suite.test(f"{how}: {SIZE} bytes arrive as they were sent"):
        check_equal(fetched_sum(net, "pc", f"http://{OUTSIDE}:8080/large"), right, "sum")
        check_equal(server.askers("/large")[-1], GATE, "who asked, by the server's log")
    with suite.test(f"{how}: 20 connections at once, as a browser makes them"):
        before = len(server.askers("/small"))
        urls = [word for _ in range(20) for word in ("-o", "/dev/null", f"http://{OUTSIDE}:8080/small")]
        status, text = curl(net, "pc", "-Z", "--parallel-immediate", "--parallel-max", "20", *urls)
        check_equal(status, 0, f"curl -Z ({text})")
        check_equal(server.askers("/small")[before:], [GATE] * 20, "who asked, by the server's log")


def private_lan(suite, directory, right):
    with suite.started(Lab.of("fig-11-07.yaml")) as net:
        server = programs.WebServer(net, "server", 8080, directory)
        wait_for(lambda: curl(net, "server", f"http://{OUTSIDE}/")[0] == 0, "the page in server itself", 20)
        outwards(suite, net, "SNAT", server, right)
        with suite.test("without translation packets get out, but never back"):
            fresh(net, "rtr", "true")
            since = net.agent("server").mark()
            status, _ = curl(net, "pc", "--connect-timeout", "1", f"http://{OUTSIDE}/")
            check_equal(status, 28, "curl (28: it waited in vain)")
            check(net.agent("server").seen(since, lambda p: p["data"][12:16] == bytes([10, 0, 0, 25])), "nothing came to server")
        fresh(net, "rtr", MASQUERADE)
        outwards(suite, net, "MASQUERADE", server, right)


def forwarded(suite, net, server, right):
    with suite.test("DNAT: the web server in the DMZ by the router's address (figure 11-8)"):
        check_equal(page(net, "client", f"http://{GATE}/"), f"web, port 80: you are {OUTSIDE}", "page")
    with suite.test("DNAT to another port"):
        check_equal(page(net, "client", f"http://{GATE}:8000/"), f"web, port 8080: you are {OUTSIDE}", "page")
    with suite.test(f"DNAT: {SIZE} bytes arrive as they were sent, and the server sees the client's own address"):
        shell(net, "rtr", f"iptables -t nat -A PREROUTING -p tcp -d {GATE} --dport 8001 -j DNAT --to-destination {WEB}:8090")
        check_equal(fetched_sum(net, "client", f"http://{GATE}:8001/large"), right, "sum")
        check_equal(server.askers("/large"), [OUTSIDE], "who asked, by the server's log")
    with suite.test("other ports stay with the router, and so does UDP"):
        check_equal(curl(net, "client", f"http://{GATE}:81/")[0], 7, "curl to port 81 (7: refused)")
        since = net.agent("web").mark()
        net.agent("client").call("udp", dst=GATE, port=80, size=10)
        net.wait_ping("client", GATE)
        check(not net.agent("web").seen(since, lambda p: p["data"][9] == 17), "UDP port 80 was forwarded, too")


def inside(suite, net, directory):
    with suite.test("from the local LAN to the DMZ nothing is translated"):
        check_equal(page(net, "pc", f"http://{WEB}/"), f"web, port 80: you are {PC}", "page")
    with suite.test("the PCs keep their way out by SNAT"):
        server = programs.WebServer(net, "client", 8080, directory)
        check_equal(page(net, "pc", f"http://{OUTSIDE}:8080/small"), "small", "page")
        check_equal(server.askers("/small"), [GATE], "who asked, by the server's log")
    with suite.test("the DMZ starts nothing inwards"):
        programs.WebServer(net, "pc", 8080, directory)
        check_equal(page(net, "pc", f"http://{PC}:8080/small"), "small", "page in pc itself")
        before = net.drops()
        check_equal(curl(net, "web", "--connect-timeout", "1", f"http://{PC}:8080/small")[0], 28, "curl (28: it waited in vain)")
        check(net.dropped("rule", "rtr", before) >= 1, "no rule of rtr dropped it")


def dmz(suite, directory, right):
    with suite.started(Lab.of("fig-11-08.yaml")) as net:
        server = programs.WebServer(net, "web", 8090, directory)
        wait_for(lambda: curl(net, "web", f"http://{WEB}/")[0] == 0, "the page in web itself", 20)
        forwarded(suite, net, server, right)
        inside(suite, net, directory)


def body(suite):
    programs.need("curl")
    directory, right = files()
    private_lan(suite, directory, right)
    dmz(suite, directory, right)


if __name__ == "__main__":
    lab.main(__file__, body)
