#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Path MTU discovery through translation: a link of 1400 bytes lies in the middle, so neither end knows of it.

  pc 10.0.0.25 ──── LAN local ─┐
                               rtr .84 ── LAN ext 9.12.6.0/24 ── .75 edge ══ iucv, MTU 1400 ══ isp .1 ── LAN inet ── .80 client
  web 192.168.1.2 ─ LAN dmz ───┘                                                                   203.0.113.0/24
"""
import hashlib
import re
import sys

import lab
import packets
import programs
from lab import Lab, check, check_equal, wait_for
from packets import Packet
from programs import page

GATE, EDGE, CLIENT, PC, WEB, SMALL = "9.12.6.84", "9.12.6.75", "203.0.113.80", "10.0.0.25", "192.168.1.2", 1400
SIZE = 3000000

# Takes what is PUT (and says how much it was), gives a page of as many bytes as asked for by its path.
SERVER = """
import hashlib, http.server
class Page(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer((self.client_address[0] + " " + hashlib.sha256(body).hexdigest()).encode())
    def do_GET(self):
        self.answer(hashlib.shake_128(b"rookery").digest(int(self.path[1:])))
server = http.server.ThreadingHTTPServer(("", 80), Page)
print("listening", flush=True)
server.serve_forever()
"""
# Sends with DF until the kernel has learned the path's MTU, then says what it learned, and that this much passes.
SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.connect((sys.argv[1], int(sys.argv[2])))
said, deadline = 0, time.monotonic() + 10
while not said and time.monotonic() < deadline:
    try:
        s.send(bytes(1472))
        time.sleep(0.05)
    except OSError as error:
        said = error.errno
s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
mtu = s.getsockopt(socket.IPPROTO_IP, 14)
print(said, mtu, s.send(bytes(mtu - 28)))
"""
# Answers each question with as much as the kernel lets it send with DF.
ANSWERER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.bind(("", 7))
print("listening", flush=True)
while True:
    who = s.recvfrom(99)[1]
    for size in (1472, 1372):
        try:
            s.sendto(bytes(size), who)
            break
        except OSError:
            pass
"""
# Asks until an answer comes, and says its size.
ASKER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
s.connect((sys.argv[1], 7))
for _ in range(50):
    s.send(b"?")
    try:
        print(len(s.recv(9999)))
        break
    except socket.timeout:
        pass
"""
CONFIGURATION = f"""
fabric: pmtu
lans:
  inet:  {{}}
  ext:   {{}}
  dmz:   {{}}
  local: {{}}
routers:
  rtr:
    forward: true
    interfaces:
      eth0: {{lan: ext, address: {GATE}/24}}
      eth1: {{lan: dmz, address: 192.168.1.1/24}}
      eth2: {{lan: local, address: 10.0.0.1/16}}
    routes:
      - {{to: default, via: {EDGE}}}
    rules: |
      *nat
      -A PREROUTING -p tcp -d {GATE} --dport 80 -j DNAT --to-destination {WEB}
      -A PREROUTING -p udp -d {GATE} --dport 7 -j DNAT --to-destination {WEB}
      -A POSTROUTING -s 10.0.0.0/16 -o eth0 -j SNAT --to-source {GATE}
      COMMIT
  edge:
    forward: true
    interfaces:
      eth0: {{lan: ext, address: {EDGE}/24}}
      iucv0: {{iucv: isp, address: 192.0.2.1, mtu: {SMALL}}}
    routes:
      - {{to: default, via: 192.0.2.2}}
  isp:
    forward: true
    interfaces:
      eth0: {{lan: inet, address: 203.0.113.1/24}}
      iucv0: {{iucv: edge, address: 192.0.2.2, mtu: {SMALL}}}
    routes:
      - {{to: 9.12.6.0/24, via: 192.0.2.1}}
guests:
  client:
    interfaces: {{eth0: {{lan: inet, address: {CLIENT}/24}}}}
    routes: [{{to: default, via: 203.0.113.1}}]
  pc:
    interfaces: {{eth0: {{lan: local, address: {PC}/16}}}}
    routes: [{{to: default, via: 10.0.0.1}}]
  web:
    interfaces: {{eth0: {{lan: dmz, address: {WEB}/24}}}}
    routes: [{{to: default, via: 192.168.1.1}}]
"""


def start(net, node, program):
    server = programs.Program(net, node, sys.executable, "-c", program)
    wait_for(lambda: server.check_runs() and "listening" in server.said(), f"a server in {node}", 20)


def forget(net, node, target):
    """The kernel of a guest knows nothing of a smaller MTU."""
    net.agent(node).run("ip", "route", "flush", "cache")
    check("mtu" not in net.agent(node).run("ip", "route", "get", target)[1], f"{node} still knows an MTU to {target}")


def learned(net, node, target):
    found = re.search(r"mtu (\d+)", net.agent(node).run("ip", "route", "get", target)[1])
    return int(found[1]) if found else None


def check_told(net, node, mark, source, target):
    """Fragmentation needed came to a node, about a packet with its own inside addresses, and its kernel took it."""
    seen = [Packet(p["data"]) for p in net.agent(node).seen(mark) if not p["out"] and p["proto"] == packets.ETH_IP]
    told = [p for p in seen if p.icmp == (packets.UNREACHABLE, packets.FRAG_NEEDED)]
    check(told, f"no fragmentation needed came to {node}")
    for error in told:
        check_equal((error.src, error.dst, error.mtu), (EDGE, source, SMALL), "sender, receiver and MTU")
        check_equal((error.quoted.src, error.quoted.dst), (source, target), "addresses of the packet it quotes")
        check(error.quoted.length > SMALL, f"it quotes a packet of {error.quoted.length} bytes")
    check_equal(learned(net, node, target), SMALL, f"MTU that {node} learned")


def transfers(suite, net):
    right = hashlib.sha256(hashlib.shake_128(b"rookery").digest(SIZE)).hexdigest()
    with suite.test(f"SNAT: {SIZE} bytes of TCP go out"):
        forget(net, "pc", CLIENT)
        file = lab.work_directory() / "upload"
        file.write_bytes(hashlib.shake_128(b"rookery").digest(SIZE))
        file.chmod(0o644)
        since = net.agent("pc").mark()
        check_equal(page(net, "pc", f"http://{CLIENT}/upload", "-T", str(file)), f"{GATE} {right}", "who sent, and the sum")
        check_told(net, "pc", since, PC, CLIENT)
    with suite.test(f"DNAT: {SIZE} bytes of TCP come from the server inside"):
        forget(net, "web", CLIENT)
        file = lab.work_directory() / "download"
        since = net.agent("web").mark()
        page(net, "client", f"http://{GATE}/{SIZE}", "-o", str(file))
        check_equal(hashlib.sha256(file.read_bytes()).hexdigest(), right, "sum")
        check_told(net, "web", since, WEB, CLIENT)


def datagrams(suite, net):
    with suite.test("SNAT: a sender of UDP with DF is told EMSGSIZE and the MTU, and that much passes"):
        forget(net, "pc", CLIENT)
        net.agent("client").call("listen", port=7)
        since = net.agent("pc").mark()
        text = net.agent("pc").run(sys.executable, "-c", SENDER, CLIENT, "7")[1].split()
        check_equal(text, ["90", str(SMALL), str(SMALL - 28)], "errno, MTU, bytes sent then")
        check_told(net, "pc", since, PC, CLIENT)
        wait_for(lambda: SMALL - 28 in net.agent("client").call("received", port=7)["sizes"], "the datagram in client")
    with suite.test("DNAT: a server inside that answers with large datagrams is told, and then answers with less"):
        forget(net, "web", CLIENT)
        start(net, "web", ANSWERER)
        since = net.agent("web").mark()
        check_equal(net.agent("client").run(sys.executable, "-c", ASKER, GATE)[1].strip(), str(SMALL - 28), "bytes of the answer")
        check_told(net, "web", since, WEB, CLIENT)


def tracepath(suite, net):
    with suite.test("tracepath from pc finds the small link"):
        programs.need("tracepath")
        forget(net, "pc", CLIENT)
        status, text = net.agent("pc").run("tracepath", "-n", CLIENT, timeout=30)
        check(status == 0 and re.search(rf"pmtu {SMALL}\b", text.splitlines()[-1]), f"ended with {status}: {text}")


def body(suite):
    programs.need("curl")
    with suite.started(Lab(CONFIGURATION, "pmtu")) as net:
        for node in ("client", "web"):
            start(net, node, SERVER)
        net.wait_ping("pc", CLIENT)
        transfers(suite, net)
        datagrams(suite, net)
        tracepath(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
