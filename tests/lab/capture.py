#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures: of the link between two routers, which exists in memory only, of an interface, of a guest's.

  client ── office ── vmlinux4 ══ iucv ══ vmlinux9 ── tux0mstr, tux00000
                               here
"""
import os
import re
import signal
import subprocess

import lab
from lab import Capture, Lab, ROOKERY, check, check_equal, wait_for
from packets import Packet


def traffic(net, count=3):
    check_equal(net.ping("client", "192.168.2.1", count=count)[0], count, "answers")


def tcpdump(*arguments, data=None):
    return subprocess.run(["tcpdump", "-n", *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)


def to_file(net, where, *filter_words):
    """Captures while there is traffic, ended with Ctrl-C. => what tcpdump reads from the file"""
    file = lab.work_directory() / "captured.pcap"
    if file.exists():
        file.unlink()
    process = net.spawn("capture", where, "-w", str(file), *filter_words)
    wait_for(lambda: file.exists() and file.stat().st_size >= 24, "the file has its header")
    traffic(net)
    wait_for(lambda: file.stat().st_size > 24 + 4 * 80, "packets in the file")
    process.send_signal(signal.SIGINT)
    check_equal(process.wait(10), 0, "status of capture")
    read = tcpdump("-r", str(file))
    check_equal(read.returncode, 0, f"tcpdump: {read.stderr!r}")
    return read.stdout.decode()


def body(suite):
    net = suite.lab(Lab.of("two-layer.yaml"))
    net.wait_ping("client", "192.168.2.1")
    links = net.show("links")
    between = next(l for l in links if {l["a"], l["b"]} == {"vmlinux4", "vmlinux9"})
    with suite.test("a file of the in-memory link opens in tcpdump and shows both ways"):
        text = to_file(net, between["name"])
        for line in ("9.12.6.75 > 192.168.2.1: ICMP echo request", "192.168.2.1 > 9.12.6.75: ICMP echo reply"):
            check(text.count(line) >= 2, f"{line!r} is not there twice:\n{text}")
    with suite.test("a router's interface, by ROUTER:INTERFACE"):
        check("ICMP echo request" in to_file(net, "vmlinux9:iucv1", "icmp"), "no echo request")
    with suite.test("a router's interface on the LAN"):
        check("ICMP echo request" in to_file(net, "vmlinux4:eth0", "icmp"), "no echo request")
    with suite.test("a guest's interface"):
        check("ICMP echo request" in to_file(net, "tux0mstr:iucv0"), "no echo request")
    with suite.test("a filter lets through what it says and nothing else"):
        with Capture(net, between["name"], "icmp[icmptype] = icmp-echoreply and dst host 9.12.6.75") as capture:
            traffic(net)
            wait_for(lambda: len(capture.packets) >= 3, "3 packets")
        check_equal({Packet(p).icmp for p in capture.packets}, {(0, 0)}, "ICMP types captured")
        check_equal(len(capture.packets), 3, "packets")
    with suite.test("times and lengths are those of the packets"):
        with Capture(net, between["name"], "icmp") as capture:
            net.ping("client", "192.168.2.1", "-s", "1000")
            wait_for(lambda: len(capture.packets) >= 2, "2 packets")
        check_equal([len(p) for p in capture.packets], [1028, 1028], "lengths")
        check_equal([Packet(p).ttl for p in capture.packets], [63, 63], "TTL between the routers")
    with suite.test("a pipe into tcpdump works"):
        environment = lab.environment("capture")
        first = subprocess.Popen([ROOKERY, "-f", net.name, "capture", between["name"], "-w", "-", "-c", "2", "icmp"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        second = subprocess.Popen(["tcpdump", "-n", "-l", "-r", "-"], stdin=first.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first.stdout.close()
        try:
            wait_for(lambda: net.ping("client", "192.168.2.1")[0] and first.poll() is not None, "-c 2 ends the capture")
            text = second.communicate(timeout=10)[0].decode()
        finally:
            for process in (first, second):
                lab.end_process(process)
        check_equal(text.count("ICMP echo"), 2, f"packets in {text!r}")
    with suite.test("without -w it prints lines to read"):
        process = net.spawn("capture", between["name"], "-c", "2", "icmp", text=True)
        wait_for(lambda: net.ping("client", "192.168.2.1")[0] and process.poll() is not None, "-c 2 ends the capture")
        text = process.stdout.read()
        check(re.search(r"9\.12\.6\.75.*192\.168\.2\.1", text), f"it printed {text!r}")
    with suite.test("a wrong filter and an unknown place are refused in a sentence"):
        lab.one_sentence(net.command("capture", between["name"], "icmp and and", ok=False), "filter|syntax")
        lab.one_sentence(net.command("capture", "vmlinux4:iucv7", ok=False), "iucv7")
        lab.one_sentence(net.command("capture", "nobody:eth0", ok=False), "nobody")
    with suite.test("a file that cannot be written is refused in a sentence"):
        lab.one_sentence(net.command("capture", between["name"], "-w", "/nowhere/x.pcap", "-c", "1", ok=False), "/nowhere/x.pcap")
    with suite.test("a capture that is killed leaves the fabric as it was"):
        process = net.spawn("capture", between["name"], "-w", os.devnull)
        traffic(net)
        process.kill()
        process.wait()
        traffic(net)


if __name__ == "__main__":
    lab.main(__file__, body)
