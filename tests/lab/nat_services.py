#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a router does of its own in address translation: gauges, quota, hairpins, ARP for addresses that no interface has, balanced services.

  pc .2 ──┐
  web .3 ─┼── LAN inside ── .1 ┌──────┐ .84 ── LAN office 9.12.6.0/24 ── client .75
  two .4 ─┘  192.168.1.0/24    │ gate │
                               └──────┘ dummy0 198.51.100.1
Nobody outside knows a way to the inside, nor that 9.12.6.90 is gate's.
"""
import re
import sys
import lab
from lab import check, check_equal, wait_for

GATE, CLIENT, EXTRA, VIPA = "9.12.6.84", "9.12.6.75", "9.12.6.90", "198.51.100.1"

# Says who answers, and who asked.
WHO = """
    run: |
      exec python3 -c '
      import http.server, socketserver
      class Page(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200)
              self.end_headers()
              self.wfile.write(f"NAME {self.client_address[0]}".encode())
      socketserver.ThreadingTCPServer.allow_reuse_address = True
      socketserver.ThreadingTCPServer(("", 80), Page).serve_forever()'
"""
CONFIGURATION = f"""
fabric: services
lans:
  inside: {{}}
  office: {{}}
routers:
  gate:
    forward: true
    control: true
    interfaces:
      eth0: {{lan: office, address: {GATE}/24}}
      eth1: {{lan: inside, address: 192.168.1.1/24}}
      dummy0: {{vipa: {VIPA}}}
    routes:
      - {{to: default, via: {CLIENT}}}
guests:
  pc:
    interfaces:
      eth0: {{lan: inside, address: 192.168.1.2/24}}
    routes:
      - {{to: default, via: 192.168.1.1}}
  web:
    interfaces:
      eth0: {{lan: inside, address: 192.168.1.3/24}}
    routes:
      - {{to: default, via: 192.168.1.1}}{WHO.replace("NAME", "web")}
  two:
    interfaces:
      eth0: {{lan: inside, address: 192.168.1.4/24}}
    routes:
      - {{to: default, via: 192.168.1.1}}{WHO.replace("NAME", "two")}
  client:
    interfaces:
      eth0: {{lan: office, address: {CLIENT}/24}}
    routes:
      - {{to: {VIPA}, via: {GATE}}}{WHO.replace("NAME", "client")}
"""
BALANCE = "[{address: 9.12.6.84, port: 8000, method: least, workers: [192.168.1.3:80, 192.168.1.4:80], " \
          "check: {tcp: true, interval: 1, fail: 2, rise: 1}}]"


def shell(colony, script):
    return colony.command("exec", "gate", "--", "/bin/sh", "-c", script, timeout=60)


def fetch(colony, guest, url):
    """=> the page, or '' """
    try:
        return colony.agent(guest).call("get", url=url, timeout=3)["body"]
    except lab.Failure:
        return ""


def configure(colony, **keys):
    """Sets keys of the router; None: removes."""
    text = colony.command("show", "config").stdout
    for key, value in keys.items():
        text = re.sub(rf"(?m)^    {key}:.*\n(      - .*\n)*", "", text)
        if value is not None:
            text = text.replace("    forward: true\n", f"    forward: true\n    {key}: {value}\n", 1)
    file = lab.work_directory() / "services.yaml"
    file.write_text(text)
    colony.command("apply", str(file))


def gauges(colony, side):
    return {(r["address"], r.get("protocol")): r for r in colony.show("nat") if r["side"] == side}


def gauged(suite, colony):
    with suite.test("show nat: ports of an outside address, mappings of a guest"):
        wait_for(lambda: fetch(colony, "pc", "http://192.168.1.3/"), "the page of web", 20)
        shell(colony, f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {GATE}")
        wait_for(lambda: fetch(colony, "pc", f"http://{CLIENT}/") == f"client {GATE}", "the page of client", 20)
        outside, guest = gauges(colony, "outside")[GATE, "tcp"], gauges(colony, "guest")["192.168.1.2", None]
        check(1 <= outside["ports"] <= outside["mappings"] and outside["of"] == 64512, f"{outside}")
        check(guest["mappings"] >= 1 and "of" not in guest, f"{guest}")
        check(re.search(rf"(?m)^gate +outside +{GATE} +tcp +\d+ +\d+ +64512", colony.command("show", "nat").stdout), "text")
    with suite.test("a quota: who has its share is refused by name, others are not"):
        shell(colony, "conntrack -F")
        colony.command("set", "tunable", "gate", "nat_quota", "3")
        refused = colony.dropped("nat-quota", "gate")
        pages = [fetch(colony, "pc", f"http://{CLIENT}/") for _ in range(4)]
        check_equal(pages, [f"client {GATE}"] * 3 + [""], "pages")
        check(colony.dropped("nat-quota", "gate") > refused, "no drop of that name")
        check_equal(gauges(colony, "guest")["192.168.1.2", None]["of"], 3, "quota shown")
        check_equal(fetch(colony, "web", f"http://{CLIENT}/"), f"client {GATE}", "the other guest's page")
        log = (colony.run_directory / "log").read_text()
        check("192.168.1.2 has all the translated connections that nat_quota allows" in log, "the log does not tell")
        colony.command("set", "tunable", "gate", "nat_quota", "0")


def hairpin(suite, colony):
    rules = "".join(f"iptables -t nat -A PREROUTING -i eth0 -d {a} -p tcp --dport 80 -j DNAT --to-destination 192.168.1.3;" for a in (GATE, VIPA))
    shell(colony, "iptables -t nat -F; conntrack -F; " + rules)
    with suite.test("without hairpin an inside guest does not reach an inside server by its outside address"):
        check_equal(fetch(colony, "client", f"http://{GATE}/"), f"web {CLIENT}", "from outside")
        check_equal(fetch(colony, "pc", f"http://{GATE}/"), "", "page")
    configure(colony, hairpin="true")
    for name, guest, address in (("of the same subnet", "pc", GATE), ("by a virtual address", "pc", VIPA), ("itself", "web", GATE)):
        with suite.test(f"hairpin: an inside server, {name}"):
            check_equal(fetch(colony, guest, f"http://{address}/"), "web 192.168.1.1", "page")
            check_equal(fetch(colony, "client", f"http://{address}/"), f"web {CLIENT}", "from outside")


def answered(suite, colony):
    shell(colony, f"iptables -t nat -F; conntrack -F; iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {EXTRA}")
    with suite.test("an address that no interface has: nobody answers for it"):
        check_equal(fetch(colony, "pc", f"http://{CLIENT}/"), "", "page")
    with suite.test("nat_addresses: arp answers for what the rules translate to, and says so at once"):
        mark = colony.agent("client").mark()
        configure(colony, nat_addresses="arp")
        wait_for(lambda: colony.agent("client").run("ip", "neigh", "flush", "all")[0] == 0, "forgetting")
        wait_for(lambda: fetch(colony, "pc", f"http://{CLIENT}/") == f"client {EXTRA}", "the page")
        shell(colony, "iptables -t nat -A PREROUTING -d 9.12.6.91 -p tcp -j DNAT --to-destination 192.168.1.3")
        check_equal(fetch(colony, "client", "http://9.12.6.91/"), f"web {CLIENT}", "page by a rule that came later")
        said = wait_for(lambda: colony.agent("client").seen(mark, lambda p: p["proto"] == 0x806 and p["data"][14:18] == p["data"][24:28]),
                        "gratuitous ARP")
        check_equal(sorted({".".join(map(str, p["data"][14:18])) for p in said}), [EXTRA, "9.12.6.91"], "announced")
    with suite.test("when the rule goes nobody answers any more"):
        shell(colony, "iptables -t nat -F; conntrack -F")
        colony.agent("client").run("ip", "neigh", "flush", "all")
        check_equal(colony.ping("client", EXTRA, wait=2)[0], 0, "answers")
    with suite.test("nat_addresses with a list answers for exactly these"):
        configure(colony, nat_addresses=f"[{EXTRA}]")
        status, output = colony.agent("client").run("sh", "-c", f"ping -c 1 -W 1 {EXTRA}; ip neigh show {EXTRA}")
        check("lladdr" in output, f"{output} ({status})")
        status, output = colony.agent("client").run("sh", "-c", "ping -c 1 -W 1 9.12.6.91; ip neigh show 9.12.6.91")
        check("lladdr" not in output, output)


def pages(colony, n):
    return [fetch(colony, "client", f"http://{GATE}:8000/").split(" ")[0] for _ in range(n)]


def balanced(suite, colony):
    workers = lambda: {r["worker"]: r for r in colony.show("balance")}
    with suite.test("a balanced service: both workers answer"):
        configure(colony, balance=BALANCE)
        wait_for(lambda: set(pages(colony, 4)) == {"web", "two"}, "pages of both workers")
        rows = workers()
        check_equal(set(rows), {"192.168.1.3:80", "192.168.1.4:80"}, "workers")
        check(all(r["up"] and r["total"] >= 1 and r["check"] == "tcp" for r in rows.values()), f"{rows}")
    with suite.test("a dead worker is taken out, and comes back"):
        colony.command("set", "interface", "two", "eth0", "down")
        wait_for(lambda: not workers()["192.168.1.4:80"]["up"], "worker two is down", 15)
        check_equal(pages(colony, 6), ["web"] * 6, "pages")
        log = (colony.run_directory / "log").read_text()
        check("worker 192.168.1.4:80 of 9.12.6.84:8000 (tcp) does not answer" in log, "the log does not tell")
        colony.command("set", "interface", "two", "eth0", "up")
        wait_for(lambda: workers()["192.168.1.4:80"]["up"], "worker two is up", 15)
        wait_for(lambda: "two" in pages(colony, 2), "a page of worker two")
    with suite.test("hairpin: an inside guest uses the balanced service"):
        check(fetch(colony, "pc", f"http://{GATE}:8000/").endswith(" 192.168.1.1"), "no page, or not by the router's address")
    with suite.test("the service goes with its configuration"):
        configure(colony, balance=None)
        check_equal(colony.show("balance"), [], "services")
        check_equal(fetch(colony, "client", f"http://{GATE}:8000/"), "", "page")


def body(suite):
    colony = lab.Lab(CONFIGURATION, name="services")
    with suite.started(colony):
        for part in (gauged, hairpin, answered, balanced):
            part(suite, colony)


lab.main(__file__, body)
