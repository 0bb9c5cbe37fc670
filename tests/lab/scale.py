#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# builds: release
"""Many guests: how long a fabric takes to start and stop, and what it costs while nothing happens.

                     ┌── r1 ──┬─ g1x1 .. g1x10
  core 10.255.r.1 ───┼── r2 ──┼─ ...                200 namespaces with a program each on 20 routers,
                     └── rN ──┴─ gNx10              or 10,000 simulated guests on 100 routers

Times and costs are reported against their goals; only gross bounds decide, since machines differ.
"""
import glob
import os
import time

import lab
from lab import Lab, check, check_equal, wait_for

IDLE_SECONDS = 5
PROGRAM = "sleep 1000000"
BOUND = 60 * lab.SCALE


def configuration(routers, guests, simulated, program=None):
    """YAML of a core router, routers behind it, and guests behind each of them."""
    out = ["fabric: scale", "routers:", "  core:", "    forward: true", "    interfaces:"]
    out += [f"      r{r}: {{iucv: r{r}, address: 10.255.{r}.1, mtu: 8188}}" for r in range(1, routers + 1)]
    out += ["    routes:"] + [f"      - {{to: 10.{r}.0.0/16, via: 10.255.{r}.2}}" for r in range(1, routers + 1)]
    for r in range(1, routers + 1):
        out += [f"  r{r}:", "    forward: true", "    interfaces:", f"      core: {{iucv: core, address: 10.255.{r}.2, mtu: 8188}}"]
        out += [f"      g{g}: {{iucv: g{r}x{g}, address: 10.{r}.{g}.1, mtu: 8188}}" for g in range(1, guests + 1)]
        out += [f"    routes: [{{to: default, via: 10.255.{r}.1}}, {{to: 10.{r}.0.0/16, discard: true}}]"]
    out.append("guests:")
    for r in range(1, routers + 1):
        for g in range(1, guests + 1):
            extra = ", simulated: true" if simulated and (r, g) != (1, 1) else ""
            extra += f", run: {program}" if program else ""
            out.append(f"  g{r}x{g}: {{interfaces: {{iucv0: {{iucv: r{r}, address: 10.{r}.{g}.2, mtu: 8188}}}}{extra}}}")
    return "\n".join(out) + "\n"


def run_time(pids):
    """Seconds that all threads of the processes have run, from the scheduler: finer than ticks."""
    total = 0
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(path) as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass
    return total / 1e9


def idle_share(net, seconds):
    """Percent of a core that keeper and engine use while nobody sends."""
    pids = net.daemons()
    before, began = run_time(pids), time.monotonic()
    deadline = began + seconds
    while time.monotonic() < deadline:  # the length of a measurement, not a wait for something
        time.sleep(max(deadline - time.monotonic(), 0))
    return 100 * (run_time(pids) - before) / (time.monotonic() - began)


def quiet(net):
    """What starting stirred up has passed: the engine's run time stands still for a while."""
    def still():
        before = run_time(net.daemons())
        time.sleep(0.5)
        return run_time(net.daemons()) - before < 0.02
    wait_for(still, "the fabric is idle", 20)


def programs(net):
    listed, ours = lab.processes(), net.guest_processes()
    return sum(1 for pid in ours if listed.get(pid) == PROGRAM)


def small_fabric(suite):
    """Memory of a fabric with next to nothing in it: what the links are not to blame for."""
    with suite.started(Lab(configuration(1, 1, False), "small")) as net:
        return lab.memory_bytes(net.daemons())


def measure(suite, title, text, links, far, goal_start, goal_stop, base):
    net = Lab(text, "scale")
    suite.labs.append(net)
    with suite.test(f"{title}: starts"):
        took = net.start(timeout=BOUND)
        suite.measured(f"{title}: start (goal {goal_start} s)", round(took, 2), "s")
        check(took < BOUND, f"took {took:.1f} s")
        check_equal(sum(1 for link in net.show("links") if link["up"]), links, "links up")
    with suite.test(f"{title}: every program runs"):
        wait_for(lambda: programs(net) == text.count(PROGRAM), f"{text.count(PROGRAM)} programs", 20)
    with suite.test(f"{title}: first and last reach each other"):
        for target in far:
            net.wait_ping("g1x1", target)
    with suite.test(f"{title}: idle"):
        net.agents.pop("g1x1").close()
        quiet(net)
        share = idle_share(net, IDLE_SECONDS)
        suite.measured(f"{title}: idle (goal 1 %)", round(share, 3), "% of a core")
        check(share < 20, f"{share:.1f} % of a core while idle")
        memory = lab.memory_bytes(net.daemons())
        suite.measured(f"{title}: memory of all our processes (one router and guest: {base / 2**20:.1f})", round(memory / 2**20, 1), "MB")
        suite.measured(f"{title}: memory a link, above that", round((memory - base) / links), "bytes")
        for row in net.show("memory"):
            suite.measured(f"{title}: show memory: {row['what']}", f"{row['bytes']} bytes, {row.get('count', 0)}", "of them")
    with suite.test(f"{title}: a change takes no longer than in a small fabric"):
        began = time.monotonic()
        net.command("add", "route", "core", "172.20.0.0/16", "discard")
        took = time.monotonic() - began
        suite.measured(f"{title}: one route added", round(took * 1000), "ms")
        check(took < 10 * lab.SCALE, f"took {took:.1f} s")
    with suite.test(f"{title}: stops and leaves nothing"):
        took = net.stop(timeout=BOUND)
        suite.labs.remove(net)
        suite.measured(f"{title}: stop (goal {goal_stop} s)", round(took, 2), "s")
        check(took < BOUND, f"took {took:.1f} s")


def body(suite):
    guests = int(os.environ.get("GUESTS", "10"))
    base = small_fabric(suite)
    measure(suite, f"{20 * guests} namespace guests on 20 routers", configuration(20, guests, False, PROGRAM), 20 + 20 * guests,
            ["10.1.2.2", f"10.20.{guests}.2"], 5, 10, base)
    measure(suite, "10,000 simulated guests on 100 routers", configuration(100, 100, True), 100 + 100 * 100, ["10.1.2.2", "10.100.100.2", "10.50.50.2"],
            5, 10, base)


if __name__ == "__main__":
    lab.main(__file__, body)
