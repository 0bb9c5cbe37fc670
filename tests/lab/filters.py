#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packet filter as its users meet it: scripts in a router's shell, live changes, rules of a configuration.

                      LAN office 9.12.6.0/24
  client .75 ─┬─ admin .133 ─────┬─── .80 vmlinux4 .1 ── 192.168.1 ── .2 vmlinux9 ┬─ tux0mstr (192.168.2.1)
                                                                                  └─ tux00000 (192.168.2.2)
"""
import os
import re
from pathlib import Path

import lab
from lab import ROOT, check, check_equal, wait_for

RULES = ROOT / "tests" / "rules"
ROUTER = "vmlinux4"

ADMIN = """
  admin:                        # the host that may do everything
    interfaces:
      eth0: {lan: office, address: 9.12.6.133/24}
    routes:
      - {to: 192.168.2.0/24, via: 9.12.6.80}
"""


def configuration():
    text = (ROOT / "configs" / "two-layer.yaml").read_text()
    return text + ADMIN


def shell(colony, script, ok=True):
    """Runs a script in the router's shell, as a user would type it."""
    return colony.command("exec", ROUTER, "--", "/bin/sh", "-c", script, ok=ok, timeout=60)


def save(colony):
    text = shell(colony, "iptables-save").stdout
    return [line for line in text.splitlines() if not line.startswith("#")]


def page_loads(colony, guest, address="192.168.2.1"):
    try:
        return colony.agent(guest).call("get", url=f"http://{address}/", timeout=3)["status"] == 200
    except lab.Failure:
        return False


def pings(colony, guest, target="192.168.2.1"):
    return colony.ping(guest, target, count=1, wait=1)[0] == 1


def wait_up(colony):
    wait_for(lambda: page_loads(colony, "client"), "the page before any rule", 20)
    check(pings(colony, "client"), "client cannot ping before any rule")


def clear(colony):
    shell(colony, "iptables -F; iptables -X; iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT")


def scripts(suite, colony):
    for name in ("sec-11-2-4-session.rules", "ex-11-14-filters.rules", "ex-11-16-isp-filters.rules"):
        with suite.test(f"{name} runs unmodified, and figure 11-4 behaves as the book shows"):
            wait_up(colony)
            shell(colony, (RULES / name).read_text())
            check(not pings(colony, "client"), "client can ping through the filter")
            check(page_loads(colony, "client"), "the page does not load through the filter")
            check(pings(colony, "admin"), "admin cannot ping through the filter")
            check(not pings(colony, "client", "9.12.6.80"), "client can ping the router")
            check(pings(colony, "admin", "9.12.6.80"), "admin cannot ping the router")
            check(not pings(colony, "tux0mstr", "9.12.6.75"), "a worker can begin something outwards")
            if name == "ex-11-14-filters.rules":
                down = (RULES / "ex-11-17-filters-down.rules").read_text()
                shell(colony, down)
                check(pings(colony, "client"), "client cannot ping after the removal")
                check(not [line for line in save(colony) if line.startswith("-")], "rules are left after the removal")
            clear(colony)
    with suite.test("sec-11-2-4-session-as-printed.rules: the misprinted rule is refused, the others stand"):
        result = shell(colony, (RULES / "sec-11-2-4-session-as-printed.rules").read_text(), ok=False)
        check("unknown protocol" in result.stderr, f"the misprint is not named: {result.stderr!r}")
        check_equal(sum(line.startswith("-A httpallow") for line in save(colony)), 4, "rules of httpallow")
        clear(colony)


def single(suite, colony):
    rows = [line.split("\t") for line in (RULES / "single" / "INDEX.tsv").read_text().splitlines()[1:]]
    for row in rows:
        name, expected = row[0], row[2]
        if expected == "template":
            continue
        text = (RULES / "single" / name).read_text()
        with suite.test(f"rules/single/{name}: {expected}"):
            shell(colony, "iptables -F; iptables -X; iptables -t nat -F; iptables -N httpallow 2>/dev/null; "
                          + ("iptables -X httpallow; " if name.startswith("01-") else "") + "true")
            result = shell(colony, text, ok=False)
            check_equal("ok" if result.returncode == 0 else "refuse", expected, f"fate ({result.stderr.strip()!r})")
    shell(colony, "iptables -t nat -F")
    clear(colony)


def paths(suite, colony):
    with suite.test("iptables is ours by every path in the router's shell, and the system's in a guest's"):
        for program in ("iptables", "/sbin/iptables", "/usr/sbin/iptables", "/usr/sbin/iptables-save"):
            check("rookery" in shell(colony, f"{program} --version").stdout.lower(), f"{program} is not ours")
        for directory in ("/usr/sbin", "/usr/bin"):
            inside = shell(colony, f"cd {directory}; for f in *; do [ -e $f ] && echo $f; done").stdout.split()
            lost = {f.name for f in Path(directory).iterdir() if f.exists()} - set(inside)
            check(not lost, f"of {directory}, inside there is not: {sorted(lost)[:9]} ({len(lost)} in all)")
    with suite.test("and from outside as rookery iptables -r ROUTER"):
        colony.command("iptables", "-r", ROUTER, "-A", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP")
        check("-A INPUT -p tcp -m tcp --dport 9 -j DROP" in save(colony), "the rule is not there")
        colony.command("iptables", "-r", ROUTER, "-D", "INPUT", "1")


def codes(suite, colony):
    for arguments, status, words in (
            ("-A INPUT -j NOSUCH", 2, "NOSUCH"), ("-A nochain -j DROP", 1, "No chain/target/match by that name"),
            ("-N INPUT", 1, "Chain already exists"), ("-X INPUT", 1, ""), ("-P INPUT REJECT", 1, "Bad policy name"),
            ("-D INPUT 7", 1, "Index of deletion too big"), ("-A INPUT -o eth0", 2, "Can't use -o with INPUT"),
            ("-t foo -L", 3, "foo"), ("-A INPUT -m physdev --physdev-in x", 2, "physdev")):
        with suite.test(f"iptables {arguments}: exit code {status}"):
            result = shell(colony, f"iptables {arguments}", ok=False)
            check_equal(result.returncode, status, f"code ({result.stderr.strip()!r})")
            check(words in result.stderr, f"{words!r} is missing in {result.stderr!r}")


def counters(suite, colony):
    with suite.test("-L -v -x counts packets and bytes; a live change keeps the counts of the rules that stay"):
        clear(colony)
        shell(colony, "iptables -A FORWARD -p icmp --icmp-type echo-request -d 192.168.2.1 -m comment --comment pings")
        before = re.search(r"\n\s*(\d+)\s+(\d+)\s.*pings", shell(colony, "iptables -L FORWARD -v -x -n").stdout)
        check_equal(before and before.groups(), ("0", "0"), "counters at first")
        check_equal(colony.ping("client", "192.168.2.1", count=3)[0], 3, "answers")
        shell(colony, "iptables -A FORWARD -p udp --dport 7 -j ACCEPT; iptables -I FORWARD -p udp --dport 8 -j ACCEPT")
        colony.command("add", "route", ROUTER, "203.0.113.0/24", "via", "192.168.1.2")
        after = re.search(r"\n\s*(\d+)\s+(\d+)\s.*pings", shell(colony, "iptables -L FORWARD -v -x -n").stdout)
        check_equal(after and after.groups(), ("3", str(3 * 84)), "counters after 3 pings and three changes")
        colony.command("remove", "route", ROUTER, "203.0.113.0/24")
        shell(colony, "iptables -Z FORWARD")
        zero = re.search(r"\n\s*(\d+)\s+(\d+)\s.*pings", shell(colony, "iptables -L FORWARD -v -x -n").stdout)
        check_equal(zero and zero.groups(), ("0", "0"), "counters after -Z")
        clear(colony)


def restore(suite, colony):
    good = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -p tcp -j ACCEPT\nCOMMIT\n"
    bad = good.replace("COMMIT", "-A FORWARD -p tcp -m tcp --dport 99999999 -j ACCEPT\nCOMMIT")
    with suite.test("iptables-restore replaces a table whole"):
        shell(colony, f"iptables-restore <<'EOF'\n{good}EOF\n")
        check(":FORWARD DROP" in "\n".join(save(colony)), "the policy is not there")
        check(not pings(colony, "client") and page_loads(colony, "client"), "the policy does not work")
    with suite.test("and not at all when a line is wrong"):
        was = save(colony)
        result = shell(colony, f"iptables-restore <<'EOF'\n{bad}EOF\n", ok=False)
        check(result.returncode != 0 and result.stderr, "the wrong line is accepted")
        check_equal([re.sub(r" \[.*", "", line) for line in save(colony)], [re.sub(r" \[.*", "", line) for line in was], "rules")
        clear(colony)


def tracking(suite, colony):
    with suite.test("conntrack -L lists, -D deletes, -F empties, as conntrack-tools prints"):
        clear(colony)
        shell(colony, "iptables -A FORWARD -m state --state NEW,ESTABLISHED,RELATED -j ACCEPT")
        check(page_loads(colony, "client"), "the page does not load")
        text = wait_for(lambda: shell(colony, "conntrack -L -p tcp --dport 80").stdout, "a connection")
        check(re.match(r"tcp +6 \d+ [A-Z_]+ src=9\.12\.6\.75 dst=192\.168\.2\.1 sport=\d+ dport=80 src=192\.168\.2\.1 "
                       r"dst=9\.12\.6\.75 sport=80 dport=\d+ \[ASSURED\] mark=0 use=1$", text.splitlines()[0]), text)
        shell(colony, "conntrack -D -p tcp --dport 80")
        check("dport=80 src" not in shell(colony, "conntrack -L").stdout, "the connection is still there")
        shell(colony, "conntrack -F")
        clear(colony)


def configured(suite, colony):
    with suite.test("what `show config` prints has the rules inline, and `check` accepts it"):
        shell(colony, "iptables -A FORWARD -p tcp --dport 4711 -m comment --comment 'a \"word\"' -j DROP")
        text = colony.command("show", "config").stdout
        check("--dport 4711" in text, "the rule is not in the configuration")
        file = lab.work_directory() / "with-rules.yaml"
        file.write_text(text)
        lab.run_rookery("check", str(file))
        was = save(colony)
        result = colony.command("apply", str(file))
        check_equal([re.sub(r" \[.*", "", line) for line in save(colony)], [re.sub(r" \[.*", "", line) for line in was],
                    f"rules after applying it ({result.stdout})")
    with suite.test("an apply with a wrong rule changes nothing"):
        file.write_text(text.replace("--dport 4711", "--dport 4712").replace("-j DROP", "-j NOSUCH", 1))
        was = save(colony)
        result = colony.command("apply", str(file), ok=False)
        check(result.returncode != 0 and "NOSUCH" in result.stderr, f"{result.stderr!r}")
        check_equal(save(colony)[:4], was[:4], "rules")
    with suite.test("the engine is killed: the rules are in force again with the next one"):
        engine = colony.engine_pid()
        os.kill(engine, 9)
        wait_for(lambda: colony.engine_pid() not in (0, engine) and save(colony), "a new engine with rules", 20)
        check(any("--dport 4711" in line for line in save(colony)), "the rule is lost")
        clear(colony)


def sets(suite, colony):
    with suite.test("ipset: a set, a rule that uses it, an element added while it is in use"):
        shell(colony, "ipset create blocked hash:ip && iptables -I FORWARD -m set --match-set blocked src -j DROP")
        wait_for(lambda: pings(colony, "client"), "client's ping")
        shell(colony, "ipset add blocked 9.12.6.75")
        check(not pings(colony, "client") and pings(colony, "admin"), "the set does not work")
        check("add blocked 9.12.6.75" in shell(colony, "ipset save").stdout, "ipset save does not show it")
        check(shell(colony, "ipset destroy blocked", ok=False).returncode != 0, "a set in use is destroyed")
        shell(colony, "ipset del blocked 9.12.6.75; iptables -D FORWARD 1; ipset destroy blocked")
        check(pings(colony, "client"), "client cannot ping after that")


def body(suite):
    colony = lab.Lab(configuration(), name="filters")
    suite.lab(colony)
    for part in (scripts, single, paths, codes, counters, restore, tracking, configured, sets):
        part(suite, colony)


lab.main(__file__, body)
