#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a whole fabric costs: start, idle, waking up, memory, guests that come and go under load, idle links beside busy ones.

  fabric.py [--quick] [--output FILE]

The fabrics are those of the labs scale.py (a core router, 20 or 50 behind it, guests behind each) and live_change.py (ten workers that send to
one sink through two routers). Run time is the scheduler's, of all our processes. The figures are added to build/bench.json.
"""
import argparse
import re
import shutil
import statistics
import sys
import time

import results

sys.path.insert(0, str(results.ROOT / "tests" / "lab"))

import lab  # noqa: E402
import live_change  # noqa: E402
import scale  # noqa: E402

IDLE_SECONDS = 5
RATE, LOAD_SECONDS, IDLE_LINKS = 1000, 3, 1000


def tell(text):
    print(f"  {time.monotonic() - BEGAN:5.0f} s  {text}", flush=True)


def start(text, name):
    """=> the lab, and the seconds that it took to start"""
    net = lab.Lab(text, name)
    try:
        return net, net.start(timeout=240)
    except BaseException:
        lab.abandon(net)
        raise


def base_memory():
    """Memory of a fabric with next to nothing in it: what links are not to blame for."""
    net, _ = start(scale.configuration(1, 1, False), "small")
    memory = lab.memory_bytes(net.daemons())
    net.stop()
    return memory


def round_trips(net, target, count):
    """Milliseconds; the fabric sleeps before each."""
    out = net.agent("g1x1").run("ping", "-n", "-i", "0.02", "-c", str(count), target, timeout=60)[1]
    return sorted(float(t) for t in re.findall(r"time=([0-9.]+) ms", out))


def percentile(values, share):
    return values[min(int(len(values) * share), len(values) - 1)]


def wake_up(net, title, count):
    """A guest pings its router, which answers from the engine: the fabric wakes, then the guest. Beside the same guest's own loopback."""
    net.wait_ping("g1x1", "10.1.1.1")
    net.agent("g1x1").run("ip", "link", "set", "lo", "up")
    ours, own = round_trips(net, "10.1.1.1", count), round_trips(net, "127.0.0.1", count)
    micros = lambda ms: round(ms * 1000)
    more = {"repeats": len(ours), "min": micros(ours[0])}
    return [results.row(f"wake-up {title} median", micros(statistics.median(ours)), "us, there and back", micros(statistics.median(own)), 100,
                        peer_name="the guest's own loopback", **more),
            results.row(f"wake-up {title} p99", micros(percentile(ours, 0.99)), "us, there and back", micros(percentile(own, 0.99)),
                        peer_name="the guest's own loopback", **more)]


def idle(title, text, links, base, pings):
    net, took = start(text, "scale")
    tell(f"{title}: started in {took:.1f} s")
    try:
        rows = [results.row(f"start {title}", round(took, 2), "s")]
        rows += wake_up(net, title, pings)
        for agent in net.agents.values():
            agent.close()
        net.agents.clear()
        scale.quiet(net)
        rows.append(results.row(f"idle {title}", round(scale.idle_share(net, IDLE_SECONDS), 3), "% of a core", goal=0.5))
        memory = (lab.memory_bytes(net.daemons()) - base) / links
        rows.append(results.row(f"memory.link {title}", round(memory), "bytes a link, ports too", goal=4096))
    finally:
        net.stop(timeout=240)
    return rows


def with_idle_links(count):
    """The fabric of live_change.py, and simulated guests at r1 that do nothing."""
    names = [(f"i{n}", f"10.{100 + n // 200}.{n % 200}") for n in range(count)]
    interfaces = "".join(f"      {name}: {{iucv: {name}, address: {net}.1, mtu: 1500}}\n" for name, net in names)
    guests = "".join(f"  {name}: {{simulated: true, interfaces: {{iucv0: {{iucv: r1, address: {net}.2, mtu: 1500}}}}}}\n" for name, net in names)
    return live_change.CONFIG.replace("      r2: {iucv: r2,", interfaces + "      r2: {iucv: r2,", 1) + guests


def busy(net):
    """=> microseconds of the engine a packet, of ten links at a fixed rate, and the packets"""
    load = live_change.Load(net, range(live_change.WORKERS), RATE)
    before = scale.run_time([net.engine_pid()])
    time.sleep(LOAD_SECONDS)  # the length of a measurement
    used = scale.run_time([net.engine_pid()]) - before
    account = load.end()
    return used * 1e6 / (account["sent"] * 1.0), account


def idle_beside_busy(repeats):
    found = {0: [], IDLE_LINKS: []}
    nets = {count: start(with_idle_links(count), f"busy{count}")[0] for count in found}
    try:
        for turn in range(repeats):
            for count in sorted(found, reverse=bool(turn % 2)):
                found[count].append(busy(nets[count])[0])
                tell(f"10 busy links and {count} idle: {found[count][-1]:.2f} us of the engine a packet")
    finally:
        for net in nets.values():
            net.stop()
    alone, beside = (statistics.median(found[count]) for count in sorted(found))
    return [results.row(f"busy-links 10 beside {IDLE_LINKS} idle", round(beside, 3), "us of a core a packet", round(alone, 3), round(1.05 * alone, 3),
                        peer_name="10 busy alone", repeats=repeats, min=round(min(found[IDLE_LINKS]), 3))]


def come_and_go(rounds):
    """Guests are added and removed while ten others send; their commands start a program each, which is most of the time."""
    net, _ = start(live_change.CONFIG, "live")
    took = {"add": [], "remove": []}

    def timed(what, *words):
        began = time.monotonic()
        net.command(what, "guest", *words)
        took[what].append((time.monotonic() - began) * 1000)

    try:
        load = live_change.Load(net, range(live_change.WORKERS), RATE)
        for n in range(rounds):
            timed("add", f"x{n}", "--to", "r1", "--address", f"10.3.{n}.2", "--peer", f"10.3.{n}.1", "--simulated")
            timed("remove", f"x{n}")
        account = load.end()
    finally:
        net.stop()
    unexplained = max(sum(account["lost"].values()) - sum(account["tx"].values()) - account["rx"], sum(account["drops"].values()))
    tell(f"{rounds} guests came and went, {account['sent']} packets of others")
    rows = [results.row(f"guest-under-load {what}, command included", round(statistics.median(ms), 1), "ms", goal=1, repeats=rounds,
                        min=round(min(ms), 1), max=round(max(ms), 1)) for what, ms in took.items()]
    return rows + [results.row("guest-under-load packets of others lost by us", max(unexplained, 0), "packets", goal=0, repeats=rounds)]


def main():
    parser = argparse.ArgumentParser(description="what a whole fabric costs")
    parser.add_argument("--quick", action="store_true", help="fewer guests")
    parser.add_argument("--output", default=str(results.OUTPUT))
    options = parser.parse_args()
    try:
        base = base_memory()
        routers, guests = (20, 50) if options.quick else (50, 200)  # a guest's number is a byte of its address
        rows = idle(f"{routers * guests} simulated guests on {routers} routers", scale.configuration(routers, guests, True),
                    routers + routers * guests, base, 100 if options.quick else 500)
        rows += come_and_go(5 if options.quick else 30)
        if not options.quick:
            rows += idle("1000 TUN guests on 20 routers", scale.configuration(20, 50, False), 1020, base, 500)
            rows += idle_beside_busy(4)
    finally:
        shutil.rmtree(lab.work_directory(), ignore_errors=True)
    print()
    results.show(rows)
    results.merge(options.output, rows, "start ", "idle ", "wake-up ", "memory.link ", "guest-under-load ", "busy-links ")


BEGAN = time.monotonic()
main()
