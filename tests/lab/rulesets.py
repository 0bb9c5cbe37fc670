#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rulesets of real packages, and of every option there is, between ours and the kernel's iptables, both ways.

                    router r
  a ruleset ──> iptables-restore ──> iptables-save ──> iptables-{legacy,nft}-restore, -save     the same text?
  a ruleset ──> iptables-{legacy,nft}-restore, -save ──> iptables-restore of r, iptables-save     the same text?

The rulesets are tests/golden/iptables/real/*.v4, options.v4 and options.legacy.v4. A NAME.ipset beside NAME.v4 has the
sets that it uses. Those of *.nat.v4 are of the nat table. *.legacy.v4 is compared with iptables-legacy only.
"""
import difflib
import os
import re
import shutil
import subprocess
import lab
from lab import ROOT, Failure, Skip, check

GOLDEN = ROOT / "tests" / "golden" / "iptables"
VARIANTS = ("legacy", "nft")
BUILTIN = {"raw": "PREROUTING OUTPUT", "mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING", "filter": "INPUT FORWARD OUTPUT",
           "security": "INPUT FORWARD OUTPUT"}
ROUTER = "r"
# Helpers that real rulesets assign and we do not have: refused by name; the rest of such a ruleset is compared without them.
NOT_EVALUATED = re.compile(r"^-A .* -j CT .*--helper (?!t?ftp\b)", re.M)
CONFIGURATION = """
fabric: rulesets
lans:
  office: {mtu: 1500}
routers:
  r:
    interfaces:
      eth0: {lan: office, address: 192.0.2.1/24}
"""


def program(name):
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def needed():
    """The system's tools, without which there is nothing to compare with."""
    missing = [f"iptables-{v}{tool}" for v in VARIANTS for tool in ("-save", "-restore") if not program(f"iptables-{v}{tool}")]
    missing += [name for name in ("ipset", "unshare") if not program(name)]
    if missing:
        raise Skip(f"not installed: {' '.join(missing)}")
    if kernel("true", "").returncode != 0:
        raise Skip("no network namespace can be made here")


def kernel(script, text):
    """Runs a script in a network namespace of its own, which ends with it."""
    options = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
    env = dict(os.environ, XTABLES_LOCKFILE=str(lab.work_directory() / "xtables.lock"),
               PATH=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return subprocess.run(["unshare", *options, "/bin/sh", "-c", script], input=text, text=True, env=env, timeout=60 * lab.SCALE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def through_kernel(variant, text, sets):
    """=> what the system's iptables saves after it restored the text"""
    load = f"ipset restore -file {sets} && " if sets else ""
    result = kernel(f"{load}iptables-{variant}-restore && iptables-{variant}-save", text)
    check(result.returncode == 0, f"iptables-{variant}-restore: {refusal(result.stderr, text)}")
    return result.stdout


def through_ours(colony, text, sets):
    """=> what our iptables saves after it restored the text over an empty ruleset"""
    clear(colony)
    if sets:
        colony.command("ipset", "-r", ROUTER, "restore", "-file", str(sets))
    result = colony.command("iptables-restore", "-r", ROUTER, stdin=None, input=text, ok=False)
    check(result.returncode == 0, f"our iptables-restore: {refusal(result.stderr, text)}")
    return colony.command("iptables-save", "-r", ROUTER).stdout


def clear(colony):
    empty = "".join(f"*{table}\n" + "".join(f":{chain} ACCEPT\n" for chain in chains.split()) + "COMMIT\n"
                    for table, chains in BUILTIN.items())
    colony.command("iptables-restore", "-r", ROUTER, stdin=None, input=empty)
    colony.command("ipset", "-r", ROUTER, "destroy")


def refusal(words, text):
    """What was said, and the line that it was said about."""
    found = re.search(r"line:? (\d+)", words)
    lines = text.splitlines()
    at = int(found[1]) - 1 if found else -1
    return words.strip() + (f" | {lines[at]}" if 0 <= at < len(lines) else "")


def tables(text):
    """{table: its lines}, without comments and counters, and without tables that have nothing in them."""
    found, lines = {}, []
    for line in text.splitlines():
        if line.startswith("*"):
            lines = found.setdefault(line[1:], [])
        elif line and not line.startswith("#") and line != "COMMIT":
            lines.append(re.sub(r"^(:.*) \[\d+:\d+\]$|^\[\d+:\d+\] ", r"\1", line))
    return {table: lines for table, lines in found.items() if any(not re.fullmatch(r":[A-Z]+ ACCEPT", line) for line in lines)}


def same(got, expected, what):
    """Each table is the same, line by line, in whatever order the tables come; else every line that differs is told."""
    got, expected = tables(got), tables(expected)
    told = []
    for table in sorted(set(got) | set(expected)):
        for line in difflib.unified_diff(expected.get(table, []), got.get(table, []), lineterm="", n=0):
            if not line.startswith(("---", "+++", "@@")):
                told.append(f"{table}: {line}")
    check(not told, f"{what} (- expected, + got): | " + " | ".join(told))


def refused(colony, text):
    """A rule that we do not evaluate is refused, with its name."""
    clear(colony)
    result = colony.command("iptables-restore", "-r", ROUTER, stdin=None, input=text, ok=False)
    check(result.returncode != 0 and "helper" in result.stderr, f"not refused by name: {result.stderr!r}")


def compare(suite, colony, path):
    text = path.read_text()
    sets = path.with_suffix(".ipset") if path.with_suffix(".ipset").exists() else None
    variants = ("legacy",) if path.name.endswith(".legacy.v4") else VARIANTS
    saved = None
    if NOT_EVALUATED.search(text):
        with suite.test(f"{path.stem}: what is not evaluated here is refused, by name"):
            refused(colony, text)
        text = "\n".join(line for line in text.splitlines() if not NOT_EVALUATED.search(line)) + "\n"
    with suite.test(f"{path.stem}: iptables-save of ours, loaded again into ours, is the same text"):
        saved = through_ours(colony, text, sets)
        same(through_ours(colony, saved, sets), saved, "loaded again")
    for variant in variants:
        with suite.test(f"{path.stem}: ours, through iptables-{variant}, is the same text"):
            if saved is None:
                raise Failure("ours does not load it")
            same(through_kernel(variant, saved, sets), saved, f"saved by iptables-{variant}")
        with suite.test(f"{path.stem}: iptables-{variant}'s, through ours, is the same text"):
            theirs = through_kernel(variant, text, sets)
            same(through_ours(colony, theirs, sets), theirs, "saved by ours")
            same(saved or "", theirs, "ours beside theirs")


def body(suite):
    needed()
    colony = lab.Lab(CONFIGURATION, name="rulesets")
    suite.lab(colony)
    for path in [*sorted((GOLDEN / "real").glob("*.v4")), *GOLDEN.glob("*.v4")]:
        if not path.name.endswith(".nat.v4"):
            compare(suite, colony, path)


lab.main(__file__, body)
