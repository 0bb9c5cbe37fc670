#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What rules cost: cycles of a new connection and of a refused packet, and how long rules take to load; what address translation costs.

Cycles (filter_bench): TSC cycles a packet, lowest tenth and median, connection tracking on, each packet a tuple never seen before.
Translation (nat_bench): the same of a new connection, of an established one and of answers, with few and with a million sessions; memory of one.
Loading: 10,000 rules by iptables-restore into a running fabric, then single `iptables -A` onto them.
The figures are added to build/bench.json.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import results

ROOT = results.ROOT
BENCH = ROOT / "build" / "release" / "tests" / "bench" / "filter_bench"
NAT_BENCH = BENCH.with_name("nat_bench")
ROOKERY = str(ROOT / "build" / "release" / "rookery")
FABRIC = f"bench{os.getpid()}"
CONFIG = f"""
fabric: {FABRIC}
routers: {{gate: {{forward: true, interfaces: {{iucv0: {{iucv: a, address: 10.9.0.1}}}}}}}}
guests: {{a: {{simulated: true, interfaces: {{iucv0: {{iucv: gate, address: 10.9.0.2, peer: 10.9.0.1}}}}}}}}
"""
# of a row of filter_bench, behind kind and number of rules
COLUMNS = {"new-connection": (16, 17), "refused-packet": (18, 19)}
# what they may cost at so many rules; of a new connection without translation
GOALS = {"new-connection": {10: 2000, 10000: 4000}, "refused-packet": {10000: 500}}


def cycles(packets):
    rows = []
    process = subprocess.Popen([str(BENCH), str(packets)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        print(line, end="", flush=True)
        words = line.split()
        if len(words) != 20 or not words[1].isdigit() or int(words[1]) not in (10, 1000, 10000):
            continue
        for name, (low, median) in COLUMNS.items():
            rules = int(words[1])
            rows.append(results.row(f"{name}.cycles rules={rules} ruleset={words[0]}", int(words[median]), "TSC cycles", goal=GOALS[name].get(rules),
                                    min=int(words[low]), repeats=packets))
    if process.wait() != 0:
        sys.exit(f"filters.py: {BENCH} ended with {process.returncode}")
    return rows


def translation(sessions):
    """Rows of nat_bench: what, sessions, lowest tenth, median; the last one has bytes instead."""
    rows = []
    for line in subprocess.run([str(NAT_BENCH), str(sessions)], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        print(line)
        words = line.split()
        if words[0] == "bytes-a-session":
            rows.append({"name": f"nat.{words[0]}", "unit": "bytes", "value": int(words[2])})
        elif len(words) == 4 and words[1].isdigit():
            rows.append({"name": f"nat.{words[0]}.{words[1]}-sessions", "unit": "TSC cycles", "min": int(words[2]), "median": int(words[3]),
                         "value": int(words[3])})
    return rows


def rookery(*arguments, stdin=None):
    began = time.monotonic()
    subprocess.run([ROOKERY, "-f", FABRIC, *arguments], check=True, stdin=stdin, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def rules(path):
    with open(path, "w") as f:
        f.write("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n")
        for i in range(10000):
            f.write(f"-A FORWARD -s 10.{i % 200}.{i // 200}.0/24 -p tcp -m state --state NEW -m tcp --dport {1000 + i % 5000} -j ACCEPT\n")
        f.write("COMMIT\n")


def engine_memory():
    """Bytes of the engine that are resident."""
    out = subprocess.run([ROOKERY, "-f", FABRIC, "show", "memory", "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout
    reply = json.loads(out)
    return next(line["bytes"] for line in (reply if isinstance(reply, list) else reply["records"]) if line["what"] == "resident")


def loading(appends):
    with tempfile.TemporaryDirectory() as directory:
        config, text = Path(directory) / "bench.yaml", Path(directory) / "rules"
        config.write_text(CONFIG)
        rules(text)
        subprocess.run([ROOKERY, "lab", str(config), "-d"], check=True, stdout=subprocess.DEVNULL)
        try:
            before = engine_memory()
            with open(text) as f:
                load = rookery("iptables-restore", stdin=f)
            after = engine_memory()
            took = [rookery("iptables", "-A", "FORWARD", "-p", "udp", "--dport", str(i + 1), "-j", "DROP") for i in range(appends)]
        finally:
            rookery("lab", "stop")
    print(f"10,000 rules restored in {load:.2f} s; {appends} single -A onto them in {sum(took):.1f} s, {sum(took) / appends * 1000:.1f} ms each")
    return [results.row("rules.restore rules=10000", round(load, 3), "s", goal=1),
            results.row(f"rules.append count={appends} rules=10000", round(sum(took), 2), "s", goal=20 * appends / 1000, repeats=appends,
                        min=round(min(took), 4), median=round(statistics.median(took), 4)),
            results.row("memory.rule rules=10000", round((after - before) / 10000), "bytes a rule")]


def main():
    parser = argparse.ArgumentParser(description="cycles of rules, and loading them")
    parser.add_argument("--quick", action="store_true", help="fewer packets, fewer single rules")
    parser.add_argument("--output", default=str(results.OUTPUT))
    options = parser.parse_args()
    rows = loading(100 if options.quick else 1000) + cycles(512 if options.quick else 4096)
    rows += translation(100000 if options.quick else 1000000)
    print()
    results.show(rows)
    results.merge(options.output, rows, "rules.", "memory.rule", "nat.", *COLUMNS)


main()
