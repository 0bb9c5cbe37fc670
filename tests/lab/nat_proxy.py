#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A transparent proxy on the router, by REDIRECT: privoxy, which goes by the Host header (configs/fig-11-07.yaml).

  pc 10.0.0.25 ── LAN local ── .0.1 rtr .84 ── LAN ext ── isp ── LAN inet ── .80 server
                               privoxy, port 3128
"""
import re
import sys

import lab
import programs
from lab import Lab, check, check_equal, wait_for
from programs import curl, fresh, page

GATE, OUTSIDE, NOBODY, PC = "9.12.6.84", "203.0.113.80", "198.51.100.7", "10.0.0.25"
SNAT = f"iptables -t nat -A POSTROUTING -s 10.0.0.0/16 -o eth0 -j SNAT --to-source {GATE}"
REDIRECT = "iptables -t nat -A PREROUTING -i eth1 -p tcp --dport 80 -j REDIRECT --to-port 3128"
ORIGINAL = """
import socket
server = socket.create_server(("", 3129))
print("listening", flush=True)
while True:
    connection = server.accept()[0]
    try:
        answer = connection.getsockopt(socket.IPPROTO_IP, 80, 16).hex()
    except OSError:
        answer = "error"
    connection.sendall(answer.encode())
    connection.close()
"""
CONNECT = "import socket; print(socket.create_connection(('%s', 81), 5).recv(99).decode())"


def privoxy(net):
    place = lab.work_directory() / "privoxy"
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    (place / "block.action").write_text("{ +block{closed here} }\n/closed\n")
    (place / "config").write_text(f"confdir {place}\nlogdir {place}\ntempldir /etc/privoxy/templates\nactionsfile block.action\n"
                                  "listen-address :3128\naccept-intercepted-requests 1\ndebug 1\n")
    proxy = programs.Program(net, "rtr", "privoxy", "--no-daemon", str(place / "config"))
    about = ("-H", "Host: p.p", "http://10.0.0.1:3128/")  # by this name it tells about itself
    wait_for(lambda: proxy.check_runs() and "Privoxy" in curl(net, "pc", *about)[1], "privoxy listens", 20)
    return proxy


def through(suite, net, proxy):
    with suite.test("a page comes by the proxy: the server sees the router, and privoxy has asked for it"):
        check_equal(page(net, "pc", f"http://{OUTSIDE}/first"), f"you are {GATE}", "page")
        check(f"{OUTSIDE}/first" in proxy.said(), f"privoxy did not: {proxy.said()[-300:]}")
    with suite.test("what the proxy blocks does not come"):
        status, text = curl(net, "pc", "-o", "/dev/null", "-w", "%{http_code}", f"http://{OUTSIDE}/closed")
        check_equal((status, text), (0, "403"), "status of curl, of the page")
    with suite.test("the proxy goes by the Host header, not by the address that was asked"):
        check_equal(page(net, "pc", f"http://{NOBODY}/", "-H", "Host: server"), f"you are {GATE}", "page")
    with suite.test("other ports pass beside it"):
        before = proxy.said()
        check_equal(curl(net, "pc", f"http://{OUTSIDE}:8080/")[0], 7, "curl (7: server refuses)")
        check_equal(proxy.said(), before, "what privoxy says")


def original(suite, net):
    with suite.test("where a redirected connection was to go, a program on the router cannot ask (SO_ORIGINAL_DST fails)"):
        fresh(net, "rtr", "iptables -t nat -A PREROUTING -i eth1 -p tcp --dport 81 -j REDIRECT --to-port 3129")
        program = programs.Program(net, "rtr", sys.executable, "-c", ORIGINAL)
        wait_for(lambda: program.check_runs() and "listening" in program.said(), "the program listens")
        check_equal(net.agent("pc").run(sys.executable, "-c", CONNECT % OUTSIDE)[1].strip(), "error", "what the program got")
    with suite.test("rookery conntrack tells it"):
        listed = net.command("conntrack", "-r", "rtr", "-L", "-p", "tcp").stdout
        check(re.search(rf"src={PC} dst={OUTSIDE} sport=\d+ dport=81 src=10.0.0.1 dst={PC} sport=3129", listed), listed)


def body(suite):
    programs.need("curl", "privoxy")
    with suite.started(Lab.of("fig-11-07.yaml")) as net:
        wait_for(lambda: page(net, "pc", f"http://{OUTSIDE}/"), "the page without a proxy", 20)
        proxy = privoxy(net)
        fresh(net, "rtr", f"{SNAT}; {REDIRECT}")
        through(suite, net, proxy)
        original(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
