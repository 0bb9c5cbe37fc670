#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real device behind a shared adapter: a veth pair with its default offloads, the kernel's own stack on the other side, three routers on ours. Once
through a packet socket of the keeper, once through DPDK's af_xdp driver where the kernel lets it.

  outside 10.50.0.1 ── out0 ═ veth ═ dev0 ── [ osa0 ] ┬ r1 .2 primary ── iucv ── g1 10.51.0.2, a web server
                                                      ├ r2 .3
                                                      └ r3 .4

The script runs in network and mount namespaces of its own: the devices that it gives away are ones it has made.
"""
import glob
import os
import subprocess
import sys

import lab
from lab import Failure, Lab, Skip, check, check_equal, wait_for

BYTES = 3_000_000
ROUTERS = {"r1": "10.50.0.2", "r2": "10.50.0.3", "r3": "10.50.0.4"}

CONFIG = """fabric: device
osa: {{osa0: {{{device}}}}}
routers:
  r1:
    forward: true
    interfaces:
      eth0: {{osa: osa0, address: 10.50.0.2/24, mtu: 1500, router: primary}}
      iucv0: {{iucv: g1, address: 10.51.0.1, mtu: 1500}}
  r2: {{interfaces: {{eth0: {{osa: osa0, address: 10.50.0.3/24, mtu: 1500}}}}}}
  r3: {{interfaces: {{eth0: {{osa: osa0, address: 10.50.0.4/24, mtu: 1500}}}}}}
guests:
  g1:
    interfaces: {{iucv0: {{iucv: r1, address: 10.51.0.2, mtu: 1500}}}}
    run: cd {directory} && exec python3 -m http.server 80
"""

FETCH = ("import sys, urllib.request as u; d = u.urlopen(sys.argv[1], timeout=10).read(); "
         "print(len(d), d == bytes(i * 7 % 251 for i in range(len(d))))")


def own_namespaces():
    """Starts this script again where the device may be given away."""
    if os.environ.get("ROOKERY_DEVICES_INSIDE"):
        return
    if os.geteuid() != 0:
        raise Skip("a device of the host needs root")
    os.environ["ROOKERY_DEVICES_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__])


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20)


class Outside:
    """A network namespace at the other end of a veth, with the kernel's own stack."""

    def __init__(self, device):
        self.process = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self.enter = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]
        mine = os.stat("/proc/self/ns/net").st_ino
        wait_for(lambda: os.stat(f"/proc/{self.process.pid}/ns/net").st_ino != mine, "a namespace for the outside")
        ip("link", "add", device, "type", "veth", "peer", "out0", "netns", str(self.process.pid))
        ip("link", "set", device, "up")
        for words in (["address", "add", "10.50.0.1/24", "dev", "out0"], ["link", "set", "out0", "up"],
                      ["route", "add", "10.51.0.0/16", "via", "10.50.0.2"]):
            self.ip(*words)

    def ip(self, *words):
        return subprocess.run([*self.enter, "ip", *words], check=True, timeout=20, stdout=subprocess.PIPE).stdout.decode()

    def run(self, *argv, timeout=30):
        return subprocess.run([*self.enter, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout)

    def reaches(self, address):
        return self.run("ping", "-n", "-c", "1", "-W", "1", address).returncode == 0

    def fetch(self):
        return self.run(sys.executable, "-c", FETCH, "http://10.51.0.2/page").stdout.decode().strip()

    def close(self):
        self.process.communicate(timeout=10)


def three_routers(suite, net, outside, what):
    with suite.test(f"{what}: the kernel's host reaches all three routers, by one MAC address"):
        for address in ROUTERS.values():
            wait_for(lambda: outside.reaches(address), f"an answer from {address}")
        mac = net.show("osa")[0]["mac"]
        neighbours = outside.ip("neigh", "show")
        check_equal(neighbours.count(mac), len(ROUTERS), f"neighbours with {mac} in {neighbours!r}")
    with suite.test(f"{what}: behind the primary router a page of 3 MB arrives whole"):
        wait_for(lambda: outside.fetch() == f"{BYTES} True", "the page")
    with suite.test(f"{what}: the routers reach each other inside the port, and the host"):
        for node, target in (("r2", ROUTERS["r3"]), ("r3", ROUTERS["r1"]), ("r3", "10.50.0.1")):
            check_equal(net.command("ping", "-c", "1", "-W", "1", node, target).returncode, 0, f"ping from {node} to {target}")
    with suite.test(f"{what}: what nobody has goes to the primary, and without one it is counted"):
        net.command("osa", "osa0", "role", "r1", "none")
        before = net.dropped("osa-no-entry")
        check(not outside.reaches("10.51.0.2"), "an answer without a primary router")
        check_equal(net.dropped("osa-no-entry") - before, 1, "osa-no-entry")
        net.command("osa", "osa0", "role", "r1", "primary")
        check(outside.reaches("10.51.0.2"), "no answer with a primary router")


def cable(suite, net, outside):
    def carriers():
        return {r["node"]: r["carrier"] for r in net.show("interfaces") if r["kind"] == "osa"}
    with suite.test("packet socket: the cable pulled outside is seen by all three, and so is its return"):
        outside.ip("link", "set", "out0", "down")
        wait_for(lambda: not any(carriers().values()) and not net.show("osa")[0]["up"], "nobody has a carrier")
        outside.ip("link", "set", "out0", "up")
        wait_for(lambda: all(carriers().values()) and net.show("osa")[0]["up"], "all have a carrier")
        wait_for(lambda: outside.reaches(ROUTERS["r3"]), "an answer from r3")


def packet_socket(suite, directory):
    outside = Outside("dev0")
    net = suite.lab(Lab(CONFIG.format(device="device: dev0", directory=directory)))
    three_routers(suite, net, outside, "packet socket")
    cable(suite, net, outside)
    with suite.test("packet socket: nothing was dropped but what has a reason"):
        allowed = {"not-for-us", "ipv6", "ether-type", "multicast", "broadcast", "arp-ignored", "osa-no-entry", "osa-no-network", "lan-filter"}
        bad = {d["reason"]: d["packets"] for d in net.show("drops") if d["reason"] not in allowed}
        check(not bad, f"dropped: {bad}")
    suite.end(net)
    outside.close()


def started(suite, text):
    """A fabric on a driver that may not be here, or that the kernel may refuse: then that is the reason to skip."""
    net = Lab(text)
    suite.labs.append(net)
    try:
        net.start()
    except Failure as why:
        suite.labs.remove(net)
        lab.abandon(net)
        raise Skip(f"af_xdp is refused here: {why}") from None
    return net


def af_xdp(suite, directory):
    outside = Outside("dev1")
    net = None
    with suite.test("af_xdp: the device is opened"):
        if not glob.glob("/usr/lib/*/dpdk/pmds-*/librte_net_af_xdp.so*"):
            raise Skip("DPDK's af_xdp driver is not installed")
        net = started(suite, CONFIG.format(device='devargs: "net_af_xdp0,iface=dev1"', directory=directory))
    if net:
        # This driver tells nothing of offloads: a checksum that the kernel leaves unfinished on a veth would arrive so.
        outside.run("ethtool", "-K", "out0", "tx", "off")
        three_routers(suite, net, outside, "af_xdp")
        suite.end(net)
    outside.close()


def body(suite):
    directory = lab.work_directory()
    (directory / "page").write_bytes(bytes(i * 7 % 251 for i in range(BYTES)))
    packet_socket(suite, directory)
    af_xdp(suite, directory)


try:
    own_namespaces()
except Skip as why:
    print(f"skip osa_device: {why}")
    sys.exit(0)
if __name__ == "__main__":
    lab.main(__file__, body)
