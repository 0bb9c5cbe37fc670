#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Established flows: cycles a packet by the path cache, beside the same packets the slow way, beside rte_hash's bulk lookup alone.

  paths.py [--quick] [--output FILE]

TSC cycles on one processor, medians; path_bench.c says what is in them. The figures are added to build/bench.json.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import results

PROGRAMS = results.ROOT / "build" / "release" / "tests" / "bench"
UDP, TCP = "established.cycles ", "established.tcp.cycles "
GOALS = {UDP + "routers=1 rules=10 flows=10000": 60, UDP + "routers=4 rules=1000 flows=10000": 60,
         UDP + "routers=1 rules=10 flows=1000000": 100, UDP + "routers=4 rules=1000 flows=1000000": 100,
         TCP + "routers=1 rules=10 flows=10000": 90, TCP + "routers=4 rules=1000 flows=10000": 90}
# name, dearer, cheaper: what more routers or rules may add
RATIOS = (("established.ratio 4-routers/1-router flows=10000", "routers=4 rules=1000 flows=10000", "routers=1 rules=10 flows=10000"),
          ("established.ratio 4-routers/1-router flows=1000000", "routers=4 rules=1000 flows=1000000", "routers=1 rules=10 flows=1000000"),
          ("established.ratio 10000-rules/10-rules flows=10000", "routers=1 rules=10000 flows=10000", "routers=1 rules=10 flows=10000"))


def lines_of(*argv):
    """Rows of a program as it prints them, pinned to the last processor."""
    last = str(max(os.sched_getaffinity(0)))
    process = subprocess.Popen(["taskset", "-c", last, *map(str, argv)], stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    for line in process.stdout:
        found = json.loads(line)
        print(f"  {time.monotonic() - began:5.0f} s  {found['name']}: {found['median']:g} (min {found['min']:g})", flush=True)
        yield found
    if process.wait() != 0:
        sys.exit(f"paths.py: {argv[0].name} ended with {process.returncode}")


def of_flaps(found):
    """What links that go down and up elsewhere add; path_bench has made sure that no packet went the slow way."""
    extra = round(found["median"] - found["without"], 1)
    return results.row(found["name"] + " extra", extra, "TSC cycles", repeats=found["repeats"], flaps=found["flaps"], recipes=found["recipes"])


def with_peers(measured):
    """Rows of path_bench; the peer of one with the cache on is the same with it off."""
    off = {f["name"].removesuffix(" cache=off"): f["median"] for f in measured if f["name"].endswith(" cache=off")}
    rows = []
    for found in measured:
        name = found["name"]
        unit = "" if name.startswith("machine.") else "TSC cycles"
        more = {k: found[k] for k in ("repeats", "min", "median", "interrupted", "by_paths", "memory") if k in found}
        peer = off.get(name)
        rows.append(results.row(name, found["median"], unit, peer, GOALS.get(name), **more, **({"peer_name": "cache off"} if peer else {})))
        if "without" in found:
            rows.append(of_flaps(found))
            rows.append(results.row(name + " by paths", found["by_paths"], "% of packets", goal=100, at_least=True))
        if "memory" in found and found.get("by_paths") and name.startswith(UDP + "routers=4") and "guests" not in name:
            rows.append(results.row("memory.flow " + name.split(" ", 1)[1], found["memory"], "bytes a flow in the cache"))
    return rows


def ratios(measured):
    """From the least of each: neighbours of this machine change medians by more than what is looked for."""
    of = {f["name"]: f for f in measured}
    for name, dear, cheap in RATIOS:
        if UDP + dear in of and UDP + cheap in of:
            a, b = of[UDP + dear], of[UDP + cheap]
            yield results.row(name, round(a["min"] / b["min"], 3), "of the minima", goal=1.05, repeats=a["repeats"], median=round(a["median"] / b["median"], 3))


def main():
    parser = argparse.ArgumentParser(description="cycles of established flows")
    parser.add_argument("--quick", action="store_true", help="fewer packets, at most 10,000 flows")
    parser.add_argument("--output", default=str(results.OUTPUT))
    options = parser.parse_args()
    measured = list(lines_of(PROGRAMS / "path_bench", *(["--quick"] if options.quick else [])))
    twins = list(lines_of(PROGRAMS / "hash_bench", 10000, *([] if options.quick else [1000000])))
    rows = with_peers(measured) + list(ratios(measured)) + with_peers(twins)
    print()
    results.show(rows)
    results.merge(options.output, rows, "established.", "machine.", "rte_hash.", "memory.flow")


main()
