#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# builds: release asan
"""Changes under load: guests come and go, a link is cut and restored, and nobody else loses a packet.

  w0 .. w9  10.1.n.2 ── iucv ── .1 r1 10.8.0.1 ── iucv ── .2 r2 10.2.0.1 ── iucv ── .2 sink
  x1, x2, ...  (added and removed while the others send)

Each worker sends UDP with sequence numbers to sink, together at half of what was measured to pass. What does not arrive is
split: our own drop counters (must be 0), the kernel's queues at both ends (reported), and the rest (must be 0).
"""
import json
import os
import subprocess

import lab
from lab import Failure, Lab, SANITIZED, check, check_equal, wait_for

WORKERS = 10
ROUNDS = int(os.environ.get("ROUNDS", "20" if SANITIZED else "100"))
FLOOD = str(lab.ROOT / "build" / "flood")
PORT = 5000
SINK = "10.2.0.2"

CONFIG = "fabric: live\nrouters:\n  r1:\n    forward: true\n    interfaces:\n" + "".join(
    f"      w{n}: {{iucv: w{n}, address: 10.1.{n}.1, mtu: 1500}}\n" for n in range(WORKERS)) + """\
      r2: {iucv: r2, address: 10.8.0.1, mtu: 1500}
    routes: [{to: default, via: 10.8.0.2}]
  r2:
    forward: true
    interfaces:
      r1:   {iucv: r1, address: 10.8.0.2, mtu: 1500}
      sink: {iucv: sink, address: 10.2.0.1, mtu: 1500}
    routes: [{to: 10.0.0.0/8, via: 10.8.0.1}]
guests:
  sink: {interfaces: {iucv0: {iucv: r2, address: 10.2.0.2, mtu: 1500}}}
""" + "".join(f"  w{n}: {{interfaces: {{iucv0: {{iucv: r1, address: 10.1.{n}.2, mtu: 1500}}}}}}\n" for n in range(WORKERS))


def flood(net, node, *arguments):
    return net.spawn("exec", node, "--", FLOOD, *map(str, arguments), stdin=subprocess.PIPE, text=True)


def collect(process):
    """Ends it, and gives its lines of JSON."""
    text, errors = process.communicate(timeout=30 * lab.SCALE)
    check(process.returncode == 0, f"flood ended with {process.returncode}: {errors.strip()}")
    return [json.loads(line) for line in text.splitlines()]


def kernel_drops(net, node):
    """What the kernel of a guest dropped on its link: {"tx": packets, "rx": packets}."""
    for line in net.agent(node).run("cat", "/proc/net/dev")[1].splitlines():
        if line.strip().startswith("iucv0:"):
            fields = line.split(":")[1].split()
            return {"rx": int(fields[2]) + int(fields[3]), "tx": int(fields[10]) + int(fields[11])}
    raise Failure(f"{node} has no iucv0")


def udp_errors(net, node):
    """Datagrams that the kernel had no room for in sockets of a guest."""
    names, values = [l.split() for l in net.agent(node).run("cat", "/proc/net/snmp")[1].splitlines() if l.startswith("Udp:")]
    return int(dict(zip(names, values))["RcvbufErrors"])


class Load:
    """Flows from workers to sink, and the account of them afterwards."""

    def __init__(self, net, workers, rate, seconds=0):
        self.net, self.workers = net, list(workers)
        self.before = {w: kernel_drops(net, f"w{w}") for w in self.workers}
        self.sink_before, self.socket_before = kernel_drops(net, "sink"), udp_errors(net, "sink")
        self.drops_before = net.drops()
        self.receiver = flood(net, "sink", "receive", PORT)
        check("ready" in self.receiver.stdout.readline(), "the receiver does not start")
        self.senders = {w: flood(net, f"w{w}", "send", SINK, PORT, w, rate, seconds) for w in self.workers}

    def end(self):
        """=> the account: sent, received, ours, kernel, unexplained, and losses of each flow"""
        sent = {}
        for worker, process in self.senders.items():
            sent[worker] = collect(process)[0]["sent"]
        self.wait_quiet()
        lines = collect(self.receiver)
        received = {l["flow"]: l["received"] for l in lines if "flow" in l}
        tx = {w: kernel_drops(self.net, f"w{w}")["tx"] - self.before[w]["tx"] for w in self.workers}
        rx = kernel_drops(self.net, "sink")["rx"] - self.sink_before["rx"] + udp_errors(self.net, "sink") - self.socket_before
        lost = {w: sent[w] - received.get(w, 0) for w in self.workers}
        return {"sent": sum(sent.values()), "received": sum(received.values()), "lost": lost, "tx": tx, "rx": rx,
                "duplicate": sum(l.get("duplicate", 0) for l in lines),
                "drops": {k: n - self.drops_before.get(k, 0) for k, n in self.net.drops().items() if n > self.drops_before.get(k, 0)}}

    def wait_quiet(self):
        """What is on its way arrives: the sink's counter stands still."""
        seen = []

        def still():
            seen.append(next(g["tx_packets"] + g["rx_packets"] for g in self.net.show("guests") if g["name"] == "sink"))
            return len(seen) > 3 and seen[-1] == seen[-4]
        wait_for(still, "the sink is quiet", 10)


def tell(suite, what, account):
    suite.measured(f"{what}: sent / received / dropped by us / TUN queues of the senders / queues of the receiver",
                   f"{account['sent']} / {account['received']} / {sum(account['drops'].values())} / {sum(account['tx'].values())} / "
                   f"{account['rx']}", "packets")


def judge(account, spared=(), forgiven=()):
    """No packet of a flow outside `spared` was lost by us. `forgiven`: reasons that packets of the spared flows may have."""
    ours = {k: n for k, n in account["drops"].items() if k[1] not in forgiven}
    check(not ours, f"our drop counters went up: {ours}")
    check_equal(account["duplicate"], 0, "duplicates")
    others = [w for w in account["lost"] if w not in spared]
    unexplained = sum(account["lost"][w] - account["tx"][w] for w in others) - account["rx"]
    check(unexplained <= 0, f"{unexplained} packets are lost without a trace: lost {account['lost']}, kernel tx {account['tx']}, "
          f"kernel rx {account['rx']}")


def capacity(suite, net):
    """Packets a second that arrive when all workers send as fast as they can."""
    load = Load(net, range(WORKERS), 0, 2)
    account = load.end()
    rate = account["received"] / 2
    suite.measured("capacity", round(rate), "packets/s")
    return rate


def nothing_changes(suite, net, rate):
    """What the load alone loses: to compare with."""
    account = Load(net, range(WORKERS), rate, 3).end()
    tell(suite, "nothing changes", account)
    judge(account)


def guests_come_and_go(suite, net, rate):
    net.command("add", "guest", "x0", "--to", "r1", "--address", "10.3.0.2", "--peer", "10.3.0.1")
    load = Load(net, range(WORKERS), rate)
    longest = 0.0
    for n in range(1, ROUNDS + 1):
        began = lab.time.monotonic()
        net.command("add", "guest", f"x{n}", "--to", "r1", "--address", f"10.3.{n}.2", "--peer", f"10.3.{n}.1")
        net.command("remove", "guest", f"x{n - 1}")
        longest = max(longest, lab.time.monotonic() - began)
    account = load.end()
    tell(suite, f"{ROUNDS} guests added, {ROUNDS} removed", account)
    suite.measured("longest add and remove, commands included", round(longest * 1000), "ms")
    judge(account)
    check_equal({g["name"] for g in net.show("guests")}, {"sink", f"x{ROUNDS}"} | {f"w{n}" for n in range(WORKERS)}, "guests")
    net.wait_ping(f"x{ROUNDS}", SINK)
    net.command("remove", "guest", f"x{ROUNDS}")


def link_cut(suite, net, rate):
    load = Load(net, range(WORKERS), rate)
    for _ in range(ROUNDS):
        net.command("set", "interface", "r1", "w9", "down")
        net.command("set", "interface", "r1", "w9", "up")
    account = load.end()
    tell(suite, f"a link cut and restored {ROUNDS} times", account)
    judge(account, spared=(9,), forgiven=("link-down", "interface-down", "interface-gone", "port-error", "port-full"))
    check(account["sent"] > 0 and account["lost"][0] < account["sent"], "nothing arrived")
    net.wait_ping("w9", SINK)


def refused(suite, net):
    """Changes that cannot be are refused whole, and nothing changes."""
    before = net.command("show", "config").stdout
    for arguments, words in ((("add", "guest", "w0", "--to", "r1"), ("w0",)),
                             (("remove", "guest", "nobody"), ("nobody",)),
                             (("add", "guest", "y", "--to", "r9"), ("r9",))):
        lab.one_sentence(net.command(*arguments, ok=False), *words)
    check_equal(net.command("show", "config").stdout, before, "configuration")


def simulated(suite, net):
    net.command("add", "guest", "sim1", "--to", "r1", "--address", "10.4.0.2", "--peer", "10.4.0.1", "--simulated")
    net.wait_ping("w0", "10.4.0.2")
    net.command("remove", "guest", "sim1")


def with_program(suite, net):
    net.command("add", "guest", "web", "--to", "r1", "--address", "10.5.0.2", "--peer", "10.5.0.1", "--vipa", "10.5.9.9",
                "--run", "python3 -m http.server 80")
    agent = net.agent("w0")
    wait_for(lambda: agent.call("get", url="http://10.5.9.9/", timeout=3), "a page of the new guest", 15)
    net.command("remove", "guest", "web")
    check_equal(net.ping("w0", "10.5.0.2", wait=1)[0], 0, "answers of the removed guest")


def body(suite):
    if not os.path.exists(FLOOD):
        raise lab.Skip("build/flood is not built (make test builds it)")
    net = suite.lab(Lab(CONFIG, "live"))
    for n in range(WORKERS):
        net.wait_ping(f"w{n}", SINK)
    rate = 0
    with suite.test("capacity is measured"):
        rate = max(int(capacity(suite, net) / 2 / WORKERS), 1)
    with suite.test("half load, nothing changes: no packet lost by us"):
        nothing_changes(suite, net, rate)
    with suite.test(f"{ROUNDS} guests come and {ROUNDS} go at half load: no packet of others lost by us"):
        guests_come_and_go(suite, net, rate)
    with suite.test(f"one link cut and restored {ROUNDS} times at half load: no packet of others lost by us"):
        link_cut(suite, net, rate)
    for name, test in (("impossible changes are refused in a sentence", refused), ("a simulated guest comes and goes", simulated),
                       ("a guest with VIPA and program comes and goes", with_program)):
        with suite.test(name):
            test(suite, net)


if __name__ == "__main__":
    lab.main(__file__, body)
