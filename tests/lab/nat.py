#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Address translation with real programs (figures 11-7 and 11-8 of the source, and section 11.2.12).

  pc .2 ──┬── LAN private ── .1 ┌──────┐ .84 ── LAN office 9.12.6.0/24 ──┬── server .75
  pc2 .3 ─┘  192.168.10.0/24    │ gate │                                 └── .1 isp .1 ── LAN distant 203.0.113.0/24,
  web .2 ──── LAN dmz ───── .1  └──────┘                                              MTU 1400 ── far .9
             192.168.1.0/24
Nobody outside knows a way to the private networks.
"""
import re
import sys
import lab
from lab import ROOT, check, check_equal, wait_for

RULES = ROOT / "tests" / "rules" / "single"
GATE, SERVER, FAR = "9.12.6.84", "9.12.6.75", "203.0.113.9"

# Says who asks, by TCP (80, 8080) and UDP (53).
WHO = """
    run: |
      exec python3 -c '
      import http.server, socketserver, threading
      class Page(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200)
              self.end_headers()
              self.wfile.write(f"{self.client_address[0]} {self.server.server_address[1]}".encode())
          def do_POST(self):
              body = self.rfile.read(int(self.headers["Content-Length"]))
              self.send_response(200)
              self.end_headers()
              self.wfile.write(f"{len(body)}".encode())
      class Datagram(socketserver.BaseRequestHandler):
          def handle(self):
              self.request[1].sendto(self.client_address[0].encode(), self.client_address)
      socketserver.ThreadingTCPServer.allow_reuse_address = True
      for port in (80, 8080):
          threading.Thread(target=socketserver.ThreadingTCPServer(("", port), Page).serve_forever).start()
      socketserver.UDPServer(("", 53), Datagram).serve_forever()'
"""
CONFIGURATION = f"""
fabric: nat
lans:
  private: {{mtu: 1500}}
  dmz: {{mtu: 1500}}
  office: {{mtu: 1500}}
  distant: {{mtu: 1400}}
routers:
  gate:
    forward: true
    control: true
    interfaces:
      eth0: {{lan: office, address: {GATE}/24}}
      eth1: {{lan: private, address: 192.168.10.1/24}}
      eth2: {{lan: dmz, address: 192.168.1.1/24}}
    routes:
      - {{to: default, via: 9.12.6.1}}
  isp:
    forward: true
    interfaces:
      eth0: {{lan: office, address: 9.12.6.1/24}}
      eth1: {{lan: distant, address: 203.0.113.1/24}}
guests:
  pc:
    interfaces:
      eth0: {{lan: private, address: 192.168.10.2/24}}
    routes:
      - {{to: default, via: 192.168.10.1}}
  pc2:
    interfaces:
      eth0: {{lan: private, address: 192.168.10.3/24}}
    routes:
      - {{to: default, via: 192.168.10.1}}
  web:
    interfaces:
      eth0: {{lan: dmz, address: 192.168.1.2/24}}
    routes:
      - {{to: default, via: 192.168.1.1}}{WHO}
  server:
    interfaces:
      eth0: {{lan: office, address: {SERVER}/24}}
    routes:
      - {{to: 203.0.113.0/24, via: 9.12.6.1}}{WHO}
  far:
    interfaces:
      eth0: {{lan: distant, address: {FAR}/24}}
    routes:
      - {{to: default, via: 203.0.113.1}}{WHO}
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect((sys.argv[1], int(sys.argv[2])))
try:
    s.send(b"who?")
    print(s.recv(99).decode())
except ConnectionRefusedError:
    print("refused")
except socket.timeout:
    print("silence")
"""
UPLOAD = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], bytes(300000), timeout=15).read().decode())"
PROXY = """
import http.server, socketserver
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"proxy for " + self.headers["Host"].encode() + b" asked by " + self.client_address[0].encode())
socketserver.ThreadingTCPServer(("", 3128), Page).serve_forever()
"""


def shell(colony, script, ok=True, router="gate"):
    """Runs a script in a router's shell, as a user would type it."""
    return colony.command("exec", router, "--", "/bin/sh", "-c", script, ok=ok, timeout=60)


def fresh(colony, rules):
    shell(colony, f"iptables -t nat -F; conntrack -F >/dev/null 2>&1; {rules}")


def fetch(colony, guest, url):
    """=> the page, or '' """
    try:
        return colony.agent(guest).call("get", url=url, timeout=3)["body"]
    except lab.Failure:
        return ""


def ask(colony, guest, address, port=53):
    return colony.agent(guest).run(sys.executable, "-c", ASK, address, str(port))[1].strip()


def up(suite, colony):
    with suite.test("without translation packets get out, but never back"):
        wait_for(lambda: fetch(colony, "server", f"http://{FAR}/"), "the page of far", 20)
        wait_for(lambda: fetch(colony, "pc", "http://192.168.1.2/") == "192.168.10.2 80", "the page of web", 20)
        wait_for(lambda: fetch(colony, "server", f"http://{SERVER}/"), "the page of server", 20)
        check_equal(fetch(colony, "pc", f"http://{SERVER}/"), "", "page")
        check_equal(colony.ping("pc", SERVER, wait=1)[0], 0, "answers")


def outwards(suite, colony):
    for name, rules in (
            ("SNAT", f"iptables -t nat -A POSTROUTING -s 192.168.10.0/24 -o eth0 -j SNAT --to-source {GATE}"),
            ("MASQUERADE", "iptables -t nat -A POSTROUTING -s 192.168.10.0/24 -o eth0 -j MASQUERADE")):
        with suite.test(f"{name}: pages, UDP and ping from the private LAN (figure 11-7)"):
            fresh(colony, rules)
            for guest in ("pc", "pc2"):
                check_equal(fetch(colony, guest, f"http://{SERVER}/"), f"{GATE} 80", f"{guest}: who asks")
                check_equal(ask(colony, guest, SERVER), GATE, f"{guest}: who asks by UDP")
                check_equal(colony.ping(guest, SERVER, count=3)[0], 3, f"{guest}: answers")
            check_equal(fetch(colony, "pc", "http://192.168.1.2/"), "192.168.10.2 80", "who asks in the DMZ")
            listed = shell(colony, "conntrack -L -p tcp").stdout
            check(re.search(rf"src=192.168.10.2 dst={SERVER} sport=\d+ dport=80 src={SERVER} dst={GATE} sport=80", listed), listed)
        with suite.test(f"{name}: fragments"):
            answers, output = colony.ping("pc", SERVER, "-s", "4000", count=3)
            check_equal(answers, 3, output)
        with suite.test(f"{name}: ICMP errors: traceroute, port unreachable, path MTU discovery over 1400 bytes"):
            status, output = colony.agent("pc").run("traceroute", "-n", "-w", "2", "-q", "1", FAR, timeout=30)
            check_equal(re.findall(r"(?m)^ *\d+ +([\d.]+)", output), ["192.168.10.1", "9.12.6.1", FAR], f"hops ({status})")
            wait_for(lambda: ask(colony, "pc", FAR, 4711) == "refused", "a port nobody listens on: far limits its errors")
            output = colony.ping("pc", FAR, "-M", "do", "-s", "1472")[1]
            check(re.search(r"mtu ?= ?1400", output), output)
            colony.agent("pc").run("ip", "route", "flush", "cache")
            check_equal(colony.agent("pc").run(sys.executable, "-c", UPLOAD, f"http://{FAR}/")[1].strip(), "300000", "bytes that came")


def inwards(suite, colony):
    with suite.test("DNAT: a web server in the DMZ (figure 11-8), and to another port"):
        fresh(colony, (RULES / "24-port-forward.rules").read_text() + "\niptables -t nat -A PREROUTING -p tcp -d 9.12.6.84 "
              "--dport 8000 -j DNAT --to-destination 192.168.1.2:8080\n")
        check_equal(fetch(colony, "server", f"http://{GATE}/"), f"{SERVER} 80", "who asks")
        check_equal(fetch(colony, "far", f"http://{GATE}:8000/"), f"{FAR} 8080", "who asks")
        check_equal(fetch(colony, "server", f"http://{GATE}:81/"), "", "port 81")
        check(ask(colony, "server", GATE, 80) in ("refused", "silence"), "UDP is forwarded, too")
        check_equal(colony.ping("server", GATE)[0], 1, "answers of the router itself")
        counted = shell(colony, "iptables -t nat -L PREROUTING -v -x -n").stdout
        check(re.search(r"(?m)^ *1 +\d+ DNAT .*dpt:80 to:192.168.1.2:80", counted), f"not one packet for one connection: {counted}")
    with suite.test("DNAT and SNAT together: a guest of the private LAN by the outside address"):
        shell(colony, "iptables -t nat -A POSTROUTING -o eth2 -j MASQUERADE")
        check_equal(fetch(colony, "pc", f"http://{GATE}/"), "192.168.1.1 80", "who asks")


def redirect(suite, colony):
    with suite.test("REDIRECT: a transparent proxy on the router"):
        fresh(colony, "iptables -t nat -A PREROUTING -i eth1 -p tcp --dport 80 -j REDIRECT --to-port 3128")
        colony.spawn("exec", "gate", "--", sys.executable, "-c", PROXY)
        page = wait_for(lambda: fetch(colony, "pc", f"http://{SERVER}/"), "the proxy's page")
        check_equal(page, f"proxy for {SERVER} asked by 192.168.10.2", "page")


def local(suite, colony):
    with suite.test("DNAT in OUTPUT: the router's own packets take another way"):
        fresh(colony, f"iptables -t nat -A OUTPUT -p tcp -d {FAR} --dport 80 -j DNAT --to-destination 192.168.1.2:8080")
        program = f"import urllib.request as u; print(u.urlopen('http://{FAR}/', timeout=3).read().decode())"
        got = colony.command("exec", "gate", "--", sys.executable, "-c", program, timeout=30).stdout.strip()
        check_equal(got.split()[-1:], ["8080"], f"page ({got})")


def changes(suite, colony):
    with suite.test("a rule that goes leaves what runs alone"):
        fresh(colony, f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {GATE}")
        colony.agent("pc").call("echo", dst=SERVER, id=77, seq=1)
        wait_for(lambda: "id=77" in shell(colony, "conntrack -L -p icmp").stdout, "a connection")
        mark = colony.agent("pc").mark()
        shell(colony, "iptables -t nat -F")
        colony.agent("pc").call("echo", dst=SERVER, id=77, seq=2)
        wait_for(lambda: colony.agent("pc").seen(mark, lambda p: not p["out"] and p["data"][9] == 1 and p["data"][20] == 0), "the answer")
    with suite.test("MASQUERADE: the address changes, and the next packet has the new one"):
        fresh(colony, "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
        check_equal(ask(colony, "pc", SERVER), GATE, "who asks")
        colony.command("set", "interface", "gate", "eth0", "address", "9.12.6.85/24", ok=False)
        if "9.12.6.85" not in colony.command("show", "config").stdout:
            file = lab.work_directory() / "moved.yaml"
            file.write_text(colony.command("show", "config").stdout.replace(f"{GATE}/24", "9.12.6.85/24"))
            colony.command("apply", str(file))
        check_equal(ask(colony, "pc", SERVER), "9.12.6.85", "who asks")
        wait_for(lambda: colony.ping("pc", SERVER, wait=1)[0] == 1
                 and f"dst={GATE}" not in shell(colony, "conntrack -L").stdout, "old entries are forgotten")


def single(suite, colony):
    rows = [line.split("\t") for line in (RULES / "INDEX.tsv").read_text().splitlines()[1:]]
    for name, expected in ((row[0], row[2]) for row in rows):
        text = (RULES / name).read_text()
        if expected == "template" or "-t nat" not in text:
            continue
        with suite.test(f"rules/single/{name}: {expected}"):
            fresh(colony, "true")
            result = shell(colony, text, ok=False)
            check_equal("ok" if result.returncode == 0 else "refuse", expected, f"fate ({result.stderr.strip()!r})")
            rules = [line for line in shell(colony, "iptables-save -t nat").stdout.splitlines() if line.startswith("-A")]
            check_equal(len(rules), int(expected == "ok"), "rules")
            target = re.search(r"-j (\w+)", text)[1]
            check(expected != "ok" or f"-j {target}" in rules[0], f"{rules}")
    for wrong in ("-A PREROUTING -j SNAT --to-source 1.2.3.4", "-A POSTROUTING -j DNAT --to-destination 1.2.3.4", "-A INPUT -j MASQUERADE",
                  "-A POSTROUTING -j REDIRECT", "-A POSTROUTING -j SNAT --to-source 1.2.3.4:5"):
        with suite.test(f"iptables -t nat {wrong} is refused"):
            check(shell(colony, f"iptables -t nat {wrong}", ok=False).returncode != 0, "it is accepted")
    with suite.test("and outside of the nat table"):
        check(shell(colony, "iptables -A FORWARD -j DNAT --to-destination 1.2.3.4", ok=False).returncode != 0, "it is accepted")


def lost_ping(suite):
    """Section 11.2.12: a worker's ping to vmlinux4 gets no answer, as there is no way back to 10.0.0.2."""
    colony = lab.Lab((ROOT / "configs" / "two-layer.yaml").read_text(), name="lost")
    with suite.started(colony):
        with suite.test("SNAT on the second router cures the lost ping of figure 11-4"):
            wait_for(lambda: fetch(colony, "client", "http://192.168.2.1/"), "the page", 20)
            check_equal(colony.ping("tux0mstr", "9.12.6.80", wait=1)[0], 0, "answers before")
            shell(colony, "iptables -t nat -A POSTROUTING -s 10.0.0.0/16 -o iucv0 -j SNAT --to-source 192.168.1.2", router="vmlinux9")
            check_equal(colony.ping("tux0mstr", "9.12.6.80", count=3)[0], 3, "answers")
            check(fetch(colony, "client", "http://192.168.2.1/"), "the page does not load any more")
            shell(colony, "iptables -t nat -F; conntrack -F", router="vmlinux9")
        with suite.test("SNAT on the worker, as the source has it, does too"):
            rule = (RULES / "22-snat-vipa.rules").read_text().split()
            status, output = colony.agent("tux0mstr").run(*rule)
            if status != 0:
                raise lab.Skip(f"the guest's own iptables: {output.strip()}")
            check_equal(colony.ping("tux0mstr", "9.12.6.80", count=3)[0], 3, "answers")


def body(suite):
    colony = lab.Lab(CONFIGURATION, name="nat")
    with suite.started(colony):
        for part in (up, outwards, inwards, redirect, local, single, changes):
            part(suite, colony)
    lost_ping(suite)


lab.main(__file__, body)
