#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two-layer colony as a user meets it: pages, pings, TTLs, traceroute, names, and an end without leftovers.

                  LAN office 9.12.6.0/24
  client .75 ────────┬──────── .80 vmlinux4 .1 ── 192.168.1 ── .2 vmlinux9 ┬─ 10.0.0.1 ── .2 tux0mstr (192.168.2.1)
                                                                          └─ 10.0.1.1 ── .2 tux00000 (192.168.2.2)
"""
import os
import re
import select
import subprocess
from pathlib import Path

import lab
from lab import check, check_equal, wait_for

WAY = ["9.12.6.80", "192.168.1.2"]  # what the two routers answer with


def page(colony, address):
    agent = colony.agent("client")
    return wait_for(lambda: agent.call("get", url=f"http://{address}/", timeout=5), f"http://{address}/", 15)


def reply_ttl(colony, node, target):
    colony.wait_ping(node, target)
    found = re.search(r"ttl=(\d+)", colony.ping(node, target)[1])
    return int(found[1]) if found else None


def web(suite, colony):
    for name, address in (("tux0mstr", "192.168.2.1"), ("tux00000", "192.168.2.2")):
        with suite.test(f"a web page of {name} loads in client"):
            got = page(colony, address)
            check_equal(got["status"], 200, "status")
            check(name in got["body"], f"the page is not that of {name}: {got['body']!r}")


def way_back(suite, colony):
    with suite.test("ping of 9.12.6.80 from tux0mstr fails without a way back"):
        before = colony.agent("client").mark()
        answers, output = colony.ping("tux0mstr", "9.12.6.80", count=2, wait=1)
        check_equal(answers, 0, f"answers ({output})")
        # vmlinux4 has answered, by its default route: the reply is seen where it is lost.
        lost = [p for p in colony.agent("client").seen(before) if p["data"][16:20] == bytes([10, 0, 0, 2])]
        check(lost, "no reply on its way to 10.0.0.2 seen in client")
    with suite.test("the route 10.0.0.0/16, added live, mends it"):
        colony.command("add", "route", "vmlinux4", "10.0.0.0/16", "via", "192.168.1.2")
        check_equal(colony.ping("tux0mstr", "9.12.6.80", count=3)[0], 3, "answers")
        check(any(r["to"] == "10.0.0.0/16" and r["via"] == "192.168.1.2" for r in colony.show("routes", "vmlinux4")),
              "the route is not shown")
    with suite.test("and fails again once it is removed"):
        colony.command("remove", "route", "vmlinux4", "10.0.0.0/16")
        check_equal(colony.ping("tux0mstr", "9.12.6.80", wait=1)[0], 0, "answers")
        colony.command("add", "route", "vmlinux4", "10.0.0.0/16", "via", "192.168.1.2")
        colony.wait_ping("tux0mstr", "9.12.6.80")


def lifetimes(suite, colony):
    for node, target, expected, why in (
            ("tux0mstr", "10.0.0.1", 255, "next to it: nothing between"),
            ("tux0mstr", "9.12.6.80", 254, "one router between"),
            ("client", "9.12.6.80", 255, "next to it"),
            ("client", "192.168.2.1", 62, "a Linux guest, two routers between"),
            ("tux0mstr", "192.168.2.2", 63, "a Linux guest, one router between")):
        with suite.test(f"TTL of the answer of {target} to {node} is {expected}: {why}"):
            check_equal(reply_ttl(colony, node, target), expected, "TTL")
    with suite.test("TTL of what arrives fell by 2 through both routers"):
        worker = colony.agent("tux0mstr")
        since = worker.mark()
        colony.agent("client").call("echo", dst="192.168.2.1", ttl=64, id=0x77, seq=1)
        got = wait_for(lambda: [p["data"][8] for p in worker.seen(since) if not p["out"] and p["data"][9:10] == b"\1"
                                and p["data"][20] == 8], "the request in tux0mstr")
        check_equal(got[0], 62, "TTL")


def traceroutes(suite, colony):
    with suite.test("traceroute in client names both routers"):
        status, text = colony.agent("client").run("traceroute", "-n", "-q", "1", "-w", "2", "192.168.2.1")
        check_equal(status, 0, f"status ({text})")
        hops = re.findall(r"(?m)^\s*\d+\s+(\S+)", text)
        check_equal(hops, WAY + ["192.168.2.1"], "hops")
    with suite.test("traceroute from a router"):
        text = colony.command("traceroute", "vmlinux4", "192.168.2.2").stdout
        check("192.168.1.2" in text and "192.168.2.2" in text, f"hops are missing: {text!r}")
    with suite.test("ping from a router"):
        text = colony.command("ping", "-c", "2", "vmlinux4", "192.168.2.1").stdout
        check(re.search(r"2 (packets )?received|2/2|, 0% (packet )?loss", text) or text.count("ttl") >= 2, text)
    with suite.test("ping from a router to nobody ends with a failure"):
        result = colony.command("ping", "-c", "1", "-W", "1", "vmlinux9", "10.0.0.99", ok=False)
        check(result.returncode == 1, f"status {result.returncode}: {result.stdout}{result.stderr}")


def big_packets(suite, colony):
    # client knows a way back to the workers' VIPAs only.
    for node, source, target in (("client", "9.12.6.75", "192.168.2.1"), ("tux0mstr", "192.168.2.1", "9.12.6.75"),
                                 ("tux0mstr", "10.0.0.2", "9.12.6.80")):
        with suite.test(f"ping -s 65000 from {node} ({source}) to {target} and back"):
            answers, output = colony.ping(node, target, "-s", "65000", "-I", source, count=3)
            check_equal(answers, 3, f"answers ({output})")
    with suite.test("rookery ping -s 65000 from vmlinux4 to tux00000"):
        colony.command("ping", "-c", "1", "-s", "65000", "vmlinux4", "192.168.2.2")


def names(suite, colony):
    with suite.test("guests find each other by name"):
        for node, name, addresses in (("client", "tux0mstr", ("192.168.2.1", "10.0.0.2")),
                                      ("tux00000", "client", ("9.12.6.75",)),
                                      ("client", "vmlinux4", ("9.12.6.80", "192.168.1.1"))):
            got = colony.agent(node).call("resolve", name=name)["address"]
            check(got in addresses, f"{name} in {node} is {got}, expected one of {addresses}")


def shown(suite, colony):
    with suite.test("what `show config` prints, `check` accepts"):
        text = colony.command("show", "config").stdout
        file = lab.work_directory() / "shown.yaml"
        file.write_text(text)
        lab.run_rookery("check", str(file))
        check("10.0.0.0/16" in text, "the live route is not in the configuration shown")
    with suite.test("applying the shown configuration changes nothing"):
        file = lab.work_directory() / "shown.yaml"
        result = colony.command("apply", str(file), "--dry-run")
        for verb in ("add", "remove", "change", "replace"):
            check(not re.search(rf"(?m)^\W*{verb}\b", result.stdout), f"actions: {result.stdout}")
    with suite.test("every listing prints as text and as JSON"):
        for what in ("interfaces", "routes", "neighbours", "links", "guests", "drops", "lans", "macs", "tunables", "memory", "nat", "balance"):
            colony.command("show", what)
            check(isinstance(colony.show(what), list), f"show {what} --json is no list of records")
        check_equal(len({r["node"] for r in colony.show("interfaces", "vmlinux9")}), 1, "nodes of `show interfaces vmlinux9`")
    with suite.test("the list of labs has it"):
        check(colony.name in lab.run_rookery("lab", "list").stdout, "not listed")
        check(colony.name in lab.run_rookery("lab", "list", "--json").stdout, "not listed as JSON")
    with suite.test("interface counters count"):
        before = {r["name"]: r for r in colony.show("interfaces", "vmlinux9")}
        colony.ping("client", "192.168.2.1", count=5)
        after = {r["name"]: r for r in colony.show("interfaces", "vmlinux9")}
        for name in ("iucv0", "iucv1"):
            for field in ("rx_packets", "tx_packets"):
                check_equal(after[name][field] - before[name][field], 5, f"{name} {field}")
    with suite.test("an idle guest is not woken by traffic to another"):
        before = {r["name"]: r for r in colony.show("guests")}
        colony.ping("client", "192.168.2.1", count=5)
        after = {r["name"]: r for r in colony.show("guests")}
        check_equal(after["tux00000"]["tx_packets"], before["tux00000"]["tx_packets"], "tx_packets of tux00000")
        check_equal(after["tux00000"]["rx_packets"], before["tux00000"]["rx_packets"], "rx_packets of tux00000")
        check_equal(after["tux00000"]["wakeups"], before["tux00000"]["wakeups"], "wakeups of tux00000")


def snapshot():
    """What a lab could leave on the host, beside its processes and its run directory (Lab.stop() looks for those)."""
    with open("/proc/self/mounts") as f:
        mounts = {line.split()[1] for line in f if "rookery" in line or "netns" in line}
    with open("/proc/net/dev") as f:
        devices = {line.split(":")[0].strip() for line in f if ":" in line}
    return {"mounts": mounts, "devices": devices, "namespaces": lab.named_namespaces(),
            "pages in /tmp": {str(f.parent) for f in Path("/tmp").glob("*/index.html")}}


def detached(suite):
    with suite.test("lab -d lets go of the caller's output: a pipe that reads it ends"):
        other = lab.Lab.of("two-layer.yaml")
        process = subprocess.Popen([lab.ROOKERY, "lab", str(other.file), "-d"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=lab.environment("lab"))
        try:
            other.running = process.wait(30 * lab.SCALE) == 0
            ended = select.select([process.stdout], [], [], 0)[0] and drain(process.stdout)
            check(ended, "rookery-keeper or rookeryd holds it open")
        finally:
            process.stdout.close()
            other.stop()


def drain(stream):
    """Reads what is there. => True when the other side is closed"""
    os.set_blocking(stream.fileno(), False)
    while True:
        try:
            if not os.read(stream.fileno(), 65536):
                return True
        except BlockingIOError:
            return False


def leftovers(suite, colony, before):
    with suite.test("lab stop leaves nothing: processes, sockets, run directory, namespaces, mounts, devices, files"):
        colony.stop()
        suite.labs.remove(colony)
        with open("/proc/net/unix") as f:
            sockets = [line.split()[-1] for line in f if colony.name in line]
        check(not sockets, f"sockets left: {sockets}")
        now = snapshot()
        for what in before:
            check(not now[what] - before[what], f"{what} left: {sorted(now[what] - before[what])}")


def body(suite):
    before = snapshot()
    colony = suite.lab(lab.Lab.of("two-layer.yaml"))
    for part in (web, way_back, lifetimes, traceroutes, big_packets, names, shown):
        part(suite, colony)
    leftovers(suite, colony, before)
    detached(suite)


if __name__ == "__main__":
    lab.main(__file__, body)
