#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# builds: release
"""A SYN flood of a million sources against a router that tracks connections.

  flooder 9.9.0.2 ──┐                                        worker 10.0.0.2: an echo server
  friend  9.9.1.2 ──┼── gate: conntrack, 16384 entries ──────┘
  admin   9.9.2.2 ──┘        management: 9.9.2.2

The table stays within its ceiling, the memory too; friend's connection goes on; admin, for whom a reserve is kept, gets in anew.
"""
import json
import os
import re
import subprocess

import lab
from lab import check, check_equal, wait_for

FLOOD = str(lab.ROOT / "build" / "flood")
CEILING = 16384
SOURCES = 1000000

CONFIG = f"""
fabric: synflood
routers:
  gate:
    forward: true
    control: true
    tunables: {{nf_conntrack_max: {CEILING}, nf_conntrack_reserve: 64}}
    management: 9.9.2.2/32
    interfaces:
      iucv0: {{iucv: flooder, address: 9.9.0.1}}
      iucv1: {{iucv: friend, address: 9.9.1.1}}
      iucv2: {{iucv: admin, address: 9.9.2.1}}
      iucv3: {{iucv: worker, address: 10.0.0.1}}
    routes:
      - {{to: 10.64.0.0/10, discard: true}}   # nobody answers for the flood's sources
    rules: |
      *filter
      :INPUT ACCEPT [0:0]
      :FORWARD DROP [0:0]
      :OUTPUT ACCEPT [0:0]
      -A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT
      -A FORWARD -p tcp -m state --state NEW -m tcp --dport 7 -j ACCEPT
      COMMIT
guests:
  flooder: {{interfaces: {{iucv0: {{iucv: gate, address: 9.9.0.2, peer: 9.9.0.1}}}}}}
  friend:  {{interfaces: {{iucv0: {{iucv: gate, address: 9.9.1.2, peer: 9.9.1.1}}}}}}
  admin:   {{interfaces: {{iucv0: {{iucv: gate, address: 9.9.2.2, peer: 9.9.2.1}}}}}}
  worker:
    interfaces: {{iucv0: {{iucv: gate, address: 10.0.0.2, peer: 10.0.0.1}}}}
    run: |
      exec python3 -c '
      import socketserver
      class Echo(socketserver.BaseRequestHandler):
          def handle(self):
              while True:
                  data = self.request.recv(1000)
                  if not data:
                      return
                  self.request.sendall(data)
      socketserver.ThreadingTCPServer.allow_reuse_address = True
      socketserver.ThreadingTCPServer(("", 7), Echo).serve_forever()'
"""

# Says "ok" for each line that it is given and gets back from the echo server, over one connection.
CLIENT = """
import socket, sys
s = socket.create_connection(("10.0.0.2", 7), timeout=5)
s.settimeout(5)
for line in sys.stdin:
    s.sendall(line.encode())
    got = b""
    while len(got) < len(line):
        got += s.recv(100)
    print("ok", flush=True)
"""


class Talk:
    """A connection from a guest to the echo server."""

    def __init__(self, net, guest):
        self.process = net.spawn("exec", guest, "python3", "-c", CLIENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip() == "ok"

    def end(self):
        self.process.stdin.close()
        lab.end_process(self.process)


def count(net):
    return int(net.command("conntrack", "-r", "gate", "-C").stdout)


def statistics(net):
    text = net.command("conntrack", "-r", "gate", "-S").stdout
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", text)}


def body(suite):
    if not os.access(FLOOD, os.X_OK):
        raise lab.Skip("build/flood is not built (make test builds it)")
    net = suite.lab(lab.Lab(CONFIG, name="synflood"))
    friend = None
    with suite.test("friend has a connection before the flood"):
        wait_for(lambda: net.ping("friend", "10.0.0.2", wait=1)[0] == 0 and count(net) >= 0, "the router")
        friend = wait_for(lambda: Talk(net, "friend"), "a connection")
        check(friend.say("hello"), "no echo")
    before = lab.memory_bytes([net.engine_pid()])
    with suite.test(f"a flood of {SOURCES} sources: the table keeps its ceiling, friend's connection goes on, admin gets in"):
        flood = net.spawn("exec", "flooder", FLOOD, "syn", "10.0.0.2", "7", str(SOURCES), stdout=subprocess.PIPE, text=True)
        most, rounds = 0, 0
        while flood.poll() is None:
            most = max(most, count(net))
            check(friend.say(f"round {rounds}"), f"friend's connection broke in round {rounds}")
            admin = Talk(net, "admin")
            check(admin.say("login"), f"admin does not get in, round {rounds}")
            admin.end()
            rounds += 1
        sent = json.loads(flood.stdout.read())
        check_equal(sent["sent"], SOURCES, "SYNs sent")
        check(rounds >= 2, f"only {rounds} rounds while it went on")
        check(most <= CEILING, f"{most} connections, the ceiling is {CEILING}")
        found = statistics(net)
        check(found["early_drop"] > 0, f"nothing was dropped early: {found}")
        suite.measured("rounds of friend and admin during the flood", rounds, "")
        suite.measured("most connections", most, f"of {CEILING}")
    with suite.test("the engine's memory has not grown past the table's share"):
        grown = lab.memory_bytes([net.engine_pid()]) - before
        suite.measured("engine's memory grew by", round(grown / 1048576, 1), "MB")
        check(grown < 32 << 20, f"it grew by {grown >> 20} MB")
    with suite.test("afterwards friend's connection is still there, and a new one is made"):
        check(friend.say("bye"), "friend's connection broke")
        friend.end()
        late = Talk(net, "friend")
        check(late.say("again"), "no new connection")
        late.end()


lab.main(__file__, body)
