#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP between a worker and an office host through two routers: ours, beside the kernel's own, beside the stock tap driver.

  ours     worker ── iucv (TUN) ── v9 ══ in memory ══ v4 ── office LAN (TAP) ── host
  kernel   worker ── veth ── v9 (forwards) ── veth ── v4 (forwards) ── veth ── host       default offloads
  tap      worker ── tap ── dpdk-testpmd, io mode: no routing at all ── tap ── host

  tcp.py [--pairs N] [--seconds S] [--output FILE] [--no-tap]

All with MTU 1500, iperf3 pinned the same way (server on the first processor, client on the last), 1 and 4 streams, in pairs ours, kernel,
kernel, ours, ... so that drift of the machine meets both. Reported: medians, their ratio, the spread of the ratio over the pairs, and the
processors busy in the whole machine meanwhile. Everything happens in namespaces of its own, which end with this program.
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

ROOT = Path(__file__).resolve().parents[2]
ROOKERY = str(ROOT / "build" / "release" / "rookery")
STREAMS = (1, 4)

CONFIG = """fabric: bench
lans: {office: {type: ethernet}}
osa: {osa0: {network: office}}
routers:
  v4:
    forward: true
    interfaces:
      eth0:  {osa: osa0, address: 9.12.6.80/24, router: primary}
      iucv0: {iucv: v9, address: 192.168.1.1, mtu: 1500}
    routes: [{to: 10.0.0.0/16, via: 192.168.1.2}]
  v9:
    forward: true
    interfaces:
      iucv0: {iucv: v4, address: 192.168.1.2, mtu: 1500}
      iucv1: {iucv: worker, address: 10.0.0.1, mtu: 1500}
    routes: [{to: default, via: 192.168.1.1}]
guests:
  host:
    interfaces: {eth0: {lan: office, address: 9.12.6.75/24}}
    routes: [{to: default, via: 9.12.6.80}]
  worker:
    interfaces: {iucv0: {iucv: v9, address: 10.0.0.2, mtu: 1500}}
"""


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ip(*words):
    run("ip", *words)


def in_namespace(name, *argv):
    return ["ip", "netns", "exec", name, *argv]


class Ours:
    name = "rookery"

    def __init__(self, directory):
        file = directory / "bench.yaml"
        file.write_text(CONFIG)
        with open(directory / "lab.log", "w") as log:  # not a pipe: what stays in the background may hold it open
            subprocess.run([ROOKERY, "lab", str(file), "-d"], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=30)

    def inside(self, node, *argv):
        return [ROOKERY, "-f", "bench", "exec", node, "--", *argv]

    def close(self):
        run(ROOKERY, "lab", "stop", "bench")


class Kernel:
    name = "kernel"
    nodes = ("worker", "v9", "v4", "host")
    links = (("worker", "10.0.0.2/24", "v9", "10.0.0.1/24"), ("v9", "192.168.1.2/24", "v4", "192.168.1.1/24"),
             ("v4", "9.12.6.80/24", "host", "9.12.6.75/24"))
    routes = (("worker", "default", "10.0.0.1"), ("v9", "default", "192.168.1.1"), ("v4", "10.0.0.0/16", "192.168.1.2"),
              ("host", "default", "9.12.6.80"))

    def __init__(self, _):
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
        for node in ("v9", "v4"):
            run(*in_namespace("k-" + node, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))

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


def interleaved(bench, ours, peer, streams, pairs):
    """A B B A A B ... => results of each, in step"""
    results = {ours: [], peer: []}
    for pair in range(pairs):
        for system in (ours, peer) if pair % 2 == 0 else (peer, ours):
            result = bench.once(system, streams)
            results[system].append(result)
            print(f"  {streams} stream{'s' if streams > 1 else ''}, pair {pair + 1}: {system.name:8} {result['mbit']:8.0f} Mbit/s, "
                  f"{result['cpu']:.2f} processors, {result['retransmits']} retransmits", flush=True)
    return results[ours], results[peer]


def record(name, unit, mine, peers, peer_name, **more):
    """One line of bench.json; `peers` in step with `mine`, so that the spread of their ratio can be told."""
    value, peer = statistics.median(mine), statistics.median(peers)
    ratios = sorted(m / p for m, p in zip(mine, peers) if p)
    return {"name": name, "value": round(value, 2), "unit": unit, "peer": round(peer, 2), "peer_name": peer_name,
            "ratio": round(value / peer, 3) if peer else None, "ratio_min": round(ratios[0], 3) if ratios else None,
            "ratio_max": round(ratios[-1], 3) if ratios else None, "repeats": len(mine), "min": round(min(mine), 2),
            "max": round(max(mine), 2), "median": round(value, 2), **more}


def records(streams, ours, peers, peer_name, goal):
    of = lambda results, key: [r[key] for r in results]
    name = f"tcp.{streams}-stream{'s' if streams > 1 else ''}.beside-{peer_name}"
    per_gbit = lambda results: [r["cpu"] / r["mbit"] * 1000 for r in results]
    return [record(name, "Mbit/s", of(ours, "mbit"), of(peers, "mbit"), peer_name, goal=goal),
            record(name + ".processors", "processors busy in the machine", of(ours, "cpu"), of(peers, "cpu"), peer_name),
            record(name + ".processor-time", "processor seconds a Gbit", per_gbit(ours), per_gbit(peers), peer_name)]


def show(rows):
    print(f"\n{'':42} {'ours':>9} {'peer':>9} {'ratio':>7} {'spread':>15}")
    for row in rows:
        goal = f"   goal {row['goal']}" if row.get("goal") else ""
        print(f"{row['name']:42} {row['value']:9.2f} {row['peer']:9.2f} {row['ratio'] or 0:7.2f} "
              f"{row['ratio_min'] or 0:7.2f}..{row['ratio_max'] or 0:<6.2f}{goal}")


def measure(options, directory):
    rows = []
    with contextlib.ExitStack() as stack:
        def opened(kind):
            system = kind(directory)
            stack.callback(system.close)
            return system
        ours, kernel = opened(Ours), opened(Kernel)
        bench = Bench([ours, kernel], options.seconds)
        stack.callback(bench.close)
        kept = {}
        for streams in STREAMS:
            mine, theirs = interleaved(bench, ours, kernel, streams, options.pairs)
            kept[streams] = mine
            rows += records(streams, mine, theirs, "kernel", 0.6)
        if not options.tap:
            return rows
        # testpmd polls: it would take a processor from the others, so it runs after them.
        tap = opened(Tap)
        alone = Bench([tap], options.seconds)
        stack.callback(alone.close)
        for streams in STREAMS:
            theirs = []
            for number in range(min(options.pairs, 3)):
                theirs.append(alone.once(tap, streams))
                print(f"  {streams} streams, {number + 1}: tap {theirs[-1]['mbit']:8.0f} Mbit/s, {theirs[-1]['cpu']:.2f} processors", flush=True)
            rows += records(streams, kept[streams], theirs, "tap", 5)
    return rows


def private(arguments):
    """Starts this program again in mount and network namespaces of its own, so that nothing of the host is touched."""
    wrap = ["unshare", "--mount", "--net", "--propagation", "private"]
    if os.geteuid() != 0:
        wrap += ["--user", "--map-root-user"]
    os.execvp("unshare", wrap + [sys.executable, __file__, "--inside", *arguments])


def main():
    parser = argparse.ArgumentParser(description="TCP through two routers: ours beside the kernel's beside the tap driver")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--output", default=str(ROOT / "build" / "bench.json"))
    parser.add_argument("--no-tap", dest="tap", action="store_false")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for program in ("iperf3", "taskset", "ip", "unshare"):
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
    show(rows)
    Path(options.output).parent.mkdir(exist_ok=True)
    Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\nwritten to {options.output}")


if __name__ == "__main__":
    main()
