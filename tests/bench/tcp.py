#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP between two guests through three firewalls: our paths, beside the kernel's own routers, beside our slow way, beside the stock tap driver.

  ours     worker ── iucv (TUN) ── r1 ══ in memory ══ r2 ══ in memory ══ r3 ── iucv (TUN) ── host
  kernel   worker ── veth ── r1 (forwards) ── veth ── r2 ── veth ── r3 ── veth ── host         default offloads
  tap      worker ── tap ── dpdk-testpmd, io mode: no routing at all ── tap ── host

  tcp.py [--pairs N] [--seconds S] [--output FILE] [--no-tap] [--quick]

Each router, ours and the kernel's (iptables), has the same stateful rules: 10, or 1,000, with the rule that accepts what is established
first, as people write it, or last. Ours runs with `path_cache` 1 and 0. All with MTU 1500, iperf3 pinned the same way (server on the
first processor, client on the last), 1 and 4 streams, the congestion control that the kernel gives a new namespace, in turns ours, kernel, off,
off, kernel, ours, ... so that drift of the machine meets all. Reported: medians, their ratio, the spread of the ratio over the turns, and
the processors busy in the whole machine meanwhile. Everything happens in namespaces of its own, which end with this program.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import results

ROOT = Path(__file__).resolve().parents[2]
ROOKERY = str(ROOT / "build" / "release" / "rookery")
STREAMS = (1, 4)

GOAL = 1.0  # times the kernel
# title, rules of each router, where the rule for established connections stands
FIREWALLS = (("rules=10", 10, "first"), ("rules=1000", 1000, "first"), ("rules=1000 established=last", 1000, "last"))
ROUTERS = ("r1", "r2", "r3")

CONFIG = """fabric: bench
routers:
  r1:
    forward: true
    rules: firewall.v4
    interfaces:
      worker: {iucv: worker, address: 10.0.0.1, peer: 10.0.0.2, mtu: 1500}
      r2: {iucv: r2, address: 192.168.1.1, peer: 192.168.1.2, mtu: 1500}
    routes: [{to: default, via: 192.168.1.2}]
  r2:
    forward: true
    rules: firewall.v4
    interfaces:
      r1: {iucv: r1, address: 192.168.1.2, peer: 192.168.1.1, mtu: 1500}
      r3: {iucv: r3, address: 192.168.2.1, peer: 192.168.2.2, mtu: 1500}
    routes: [{to: 10.0.0.0/24, via: 192.168.1.1}, {to: default, via: 192.168.2.2}]
  r3:
    forward: true
    rules: firewall.v4
    interfaces:
      r2: {iucv: r2, address: 192.168.2.2, peer: 192.168.2.1, mtu: 1500}
      host: {iucv: host, address: 9.12.6.80, peer: 9.12.6.75, mtu: 1500}
    routes: [{to: 10.0.0.0/24, via: 192.168.2.1}]
guests:
  host:
    interfaces: {iucv0: {iucv: r3, address: 9.12.6.75, peer: 9.12.6.80, mtu: 1500}}
    routes: [{to: default, via: 9.12.6.80}]
  worker:
    interfaces: {iucv0: {iucv: r1, address: 10.0.0.2, peer: 10.0.0.1, mtu: 1500}}
    routes: [{to: default, via: 10.0.0.1}]
"""


def firewall(count, established):
    """Text for iptables-restore with so many rules, all about the state of connections."""
    known = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    rules = [f"-A FORWARD -s 172.{i >> 8}.{i & 255}.0/24 -p tcp -m conntrack --ctstate NEW -m tcp --dport {1000 + i} -j DROP" for i in range(count - 2)]
    rules = [known] + rules if established == "first" else rules + [known]
    rules.append("-A FORWARD -p tcp -m conntrack --ctstate NEW -m tcp --dport 5201 -j ACCEPT")
    return "\n".join(["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]", *rules, "COMMIT"]) + "\n"


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ip(*words):
    run("ip", *words)


def in_namespace(name, *argv):
    return ["ip", "netns", "exec", name, *argv]


class Ours:
    name = "rookery"

    def __init__(self, directory):
        self.cached = True
        file = directory / "bench.yaml"
        file.write_text(CONFIG)
        with open(directory / "lab.log", "w") as log:  # not a pipe: what stays in the background may hold it open
            subprocess.run([ROOKERY, "lab", str(file), "-d"], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=30)

    def inside(self, node, *argv):
        return [ROOKERY, "-f", "bench", "exec", node, "--", *argv]

    def prepare(self, cached=True):
        if cached != self.cached:
            run(ROOKERY, "-f", "bench", "set", "tunable", "path_cache", "1" if cached else "0")
        self.cached = cached

    def close(self):
        run(ROOKERY, "lab", "stop", "bench")


class Off:
    """The same fabric, every packet through every rule."""
    name = "off"

    def __init__(self, ours):
        self.ours, self.inside = ours, ours.inside

    def prepare(self):
        self.ours.prepare(False)


class Kernel:
    name = "kernel"
    nodes = ("worker", *ROUTERS, "host")
    links = (("worker", "10.0.0.2/24", "r1", "10.0.0.1/24"), ("r1", "192.168.1.1/24", "r2", "192.168.1.2/24"),
             ("r2", "192.168.2.1/24", "r3", "192.168.2.2/24"), ("r3", "9.12.6.80/24", "host", "9.12.6.75/24"))
    routes = (("worker", "default", "10.0.0.1"), ("r1", "default", "192.168.1.2"), ("r2", "10.0.0.0/24", "192.168.1.1"),
              ("r2", "default", "192.168.2.2"), ("r3", "10.0.0.0/24", "192.168.2.1"), ("host", "default", "9.12.6.80"))

    def __init__(self, directory):
        for node in self.nodes:
            ip("netns", "add", "k-" + node)
            ip("-n", "k-" + node, "link", "set", "lo", "up")
        for a, a_address, b, b_address in self.links:
            ip("link", "add", "to-" + b, "netns", "k-" + a, "type", "veth", "peer", "to-" + a, "netns", "k-" + b)
            for node, device, address in ((a, "to-" + b, a_address), (b, "to-" + a, b_address)):
                ip("-n", "k-" + node, "address", "add", address, "dev", device)
                ip("-n", "k-" + node, "link", "set", device, "up")
        for node, prefix, via in self.routes:
            ip("-n", "k-" + node, "route", "add", prefix, "via", via)
        for node in ROUTERS:
            run(*in_namespace("k-" + node, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))
            run(*in_namespace("k-" + node, "iptables-restore", str(directory / "firewall.v4")))

    def prepare(self):
        pass

    def inside(self, node, *argv):
        return in_namespace("k-" + node, *argv)

    def close(self):
        for node in self.nodes:
            ip("netns", "delete", "k-" + node)


class Tap:
    """testpmd passes frames from one tap device to the other: what the stock driver alone costs."""
    name = "tap"

    def __init__(self, directory):
        self.log = open(directory / "testpmd.log", "w+")
        self.process = subprocess.Popen(
            ["dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--file-prefix", "rookery-bench", "--vdev", "net_tap0,iface=tapw",
             "--vdev", "net_tap1,iface=taph", "--", "--forward-mode=io", "--total-num-mbufs=16384", "--auto-start"],
            stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while not all(os.path.exists(f"/sys/class/net/{d}") or d in Path("/proc/net/dev").read_text() for d in ("tapw", "taph")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("dpdk-testpmd does not start: " + (directory / "testpmd.log").read_text()[-500:])
            time.sleep(0.1)
        while "Press enter" not in (directory / "testpmd.log").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        for node, device, address in (("worker", "tapw", "10.0.0.2/24"), ("host", "taph", "10.0.0.1/24")):
            ip("netns", "add", "t-" + node)
            ip("link", "set", device, "netns", "t-" + node)
            ip("-n", "t-" + node, "address", "add", address, "dev", device)
            ip("-n", "t-" + node, "link", "set", device, "up")

    def inside(self, node, *argv):
        return in_namespace("t-" + node, *argv)

    def prepare(self):
        pass

    def close(self):
        for node in ("worker", "host"):
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "delete", "t-" + node)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def busy_seconds():
    """Processor time of the whole machine so far."""
    fields = [int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, systems, seconds):
        self.systems, self.seconds = systems, seconds
        last = str(max(os.sched_getaffinity(0)))
        self.first, self.last = str(min(os.sched_getaffinity(0))), last
        self.servers = [subprocess.Popen(s.inside("worker", "taskset", "-c", self.first, "iperf3", "-s"), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) for s in systems]
        for system in systems:
            self.wait_ready(system)

    def client(self, system, streams, seconds):
        result = subprocess.run(system.inside("host", "taskset", "-c", self.last, "iperf3", "-c", "10.0.0.2", "-P", str(streams), "-t",
                                              str(seconds), "-J", "--connect-timeout", "3000"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds + 30)
        try:
            return json.loads(result.stdout)
        except ValueError:
            return {"error": (result.stderr or result.stdout).decode(errors="replace").strip()}

    def wait_ready(self, system):
        deadline = time.monotonic() + 20
        while True:
            answer = self.client(system, 1, 1)
            if "error" not in answer:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{system.name}: {answer['error']}")
            time.sleep(0.2)

    def once(self, system, streams):
        """=> {"mbit": Mbit/s, "cpu": processors busy, "retransmits": N}"""
        system.prepare()
        before, began = busy_seconds(), time.monotonic()
        answer = self.client(system, streams, self.seconds)
        busy, took = busy_seconds() - before, time.monotonic() - began
        if "error" in answer:
            raise RuntimeError(f"{system.name}: {answer['error']}")
        end = answer["end"]
        return {"mbit": end["sum_received"]["bits_per_second"] / 1e6, "cpu": busy / took,
                "retransmits": end["sum_sent"].get("retransmits", 0)}

    def close(self):
        for server in self.servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def interleaved(bench, systems, title, streams, turns):
    """A B C C B A A B C ... => results of each, in step"""
    found = {system: [] for system in systems}
    for turn in range(turns):
        for system in systems if turn % 2 == 0 else systems[::-1]:
            result = bench.once(system, streams)
            found[system].append(result)
            print(f"  {title} streams={streams}, turn {turn + 1}: {system.name:8} {result['mbit']:8.0f} Mbit/s, "
                  f"{result['cpu']:.2f} processors, {result['retransmits']} retransmits", flush=True)
    return list(found.values())


def record(name, unit, mine, peers, peer_name, **more):
    """One line of bench.json; `peers` in step with `mine`, so that the spread of their ratio can be told."""
    value, peer = statistics.median(mine), statistics.median(peers)
    ratios = sorted(m / p for m, p in zip(mine, peers) if p)
    return {"name": name, "value": round(value, 2), "unit": unit, "peer": round(peer, 2), "peer_name": peer_name,
            "ratio": round(value / peer, 3) if peer else None, "ratio_min": round(ratios[0], 3) if ratios else None,
            "ratio_max": round(ratios[-1], 3) if ratios else None, "repeats": len(mine), "min": round(min(mine), 2),
            "max": round(max(mine), 2), "median": round(value, 2), **more}


def records(title, streams, ours, peers, peer_name, goal=None):
    of = lambda found, key: [r[key] for r in found]
    name = f"tcp {title} streams={streams} beside={peer_name}"
    per_gbit = lambda found: [r["cpu"] / r["mbit"] * 1000 for r in found]
    speed = record(name, "Mbit/s", of(ours, "mbit"), of(peers, "mbit"), peer_name)
    if goal:
        speed.update(goal=round(goal * speed["peer"]), goal_is="at least", reached=speed["value"] >= goal * speed["peer"])
    return [speed, record(name + " processors", "processors busy", of(ours, "cpu"), of(peers, "cpu"), peer_name),
            record(name + " processor-time", "processor s a Gbit", per_gbit(ours), per_gbit(peers), peer_name)]


def behind_firewall(options, directory, title, count, established):
    """=> rows, and what ours did for each number of streams"""
    rows, kept = [], {}
    (directory / "firewall.v4").write_text(firewall(count, established))
    title = f"routers=3 {title}"
    with contextlib.ExitStack() as stack:
        systems = []
        for kind in (Ours, Kernel):
            systems.append(kind(directory))
            stack.callback(systems[-1].close)
        ours, kernel = systems
        bench = Bench(systems, options.seconds)
        stack.callback(bench.close)
        for streams in STREAMS:
            mine, theirs, off = interleaved(bench, [ours, kernel, Off(ours)], title, streams, options.pairs)
            kept[streams] = mine
            rows += records(title, streams, mine, theirs, "kernel", GOAL) + records(title, streams, mine, off, "cache-off")
    return rows, kept


def behind_tap(options, directory, kept):
    """testpmd polls: it would take a processor from the others, so it runs after them."""
    rows = []
    with contextlib.ExitStack() as stack:
        tap = Tap(directory)
        stack.callback(tap.close)
        alone = Bench([tap], options.seconds)
        stack.callback(alone.close)
        for streams in STREAMS:
            theirs = []
            for number in range(min(options.pairs, 3)):
                theirs.append(alone.once(tap, streams))
                print(f"  streams={streams}, {number + 1}: tap {theirs[-1]['mbit']:8.0f} Mbit/s, {theirs[-1]['cpu']:.2f} processors", flush=True)
            rows += records("routers=3 rules=10", streams, kept[streams], theirs, "tap")
    return rows


def measure(options, directory):
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    print(f"congestion control {control}; kernel's rules by {run('iptables', '-V').stdout.strip()}", flush=True)
    rows, kept = [], {}
    for firewall_row in FIREWALLS[:1] if options.quick else FIREWALLS:
        found, mine = behind_firewall(options, directory, *firewall_row)
        rows += found
        kept = kept or mine
    if options.tap:
        rows += behind_tap(options, directory, kept)
    return [{**row, "congestion_control": control} for row in rows]


def private(arguments):
    """Starts this program again in mount and network namespaces of its own, so that nothing of the host is touched."""
    wrap = ["unshare", "--mount", "--net", "--propagation", "private"]
    if os.geteuid() != 0:
        wrap += ["--user", "--map-root-user"]
    os.execvp("unshare", wrap + [sys.executable, __file__, "--inside", *arguments])


def main():
    parser = argparse.ArgumentParser(description="TCP through three firewalls: ours beside the kernel's beside the tap driver")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="ten rules only, one second each")
    parser.add_argument("--output", default=str(results.OUTPUT))
    parser.add_argument("--no-tap", dest="tap", action="store_false")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.seconds, options.tap = 1, 1, False
    for program in ("iperf3", "taskset", "ip", "iptables-restore", "unshare"):
        if not shutil.which(program):
            sys.exit(f"tcp.py: {program} is not installed (scripts/install-deps --bench)")
    if options.tap and not shutil.which("dpdk-testpmd"):
        print("tcp.py: dpdk-testpmd is not installed (Debian: dpdk-dev); measuring without it")
        options.tap = False
    if not options.inside:
        private(sys.argv[1:] + ([] if options.tap else ["--no-tap"]))
    run("mount", "-t", "tmpfs", "none", "/run")
    ip("link", "set", "lo", "up")
    directory = Path("/run/bench")
    directory.mkdir()
    rows = measure(options, directory)
    print()
    results.show(rows)
    results.merge(options.output, rows, "tcp")
    print(f"\nwritten to {options.output}")


if __name__ == "__main__":
    main()
