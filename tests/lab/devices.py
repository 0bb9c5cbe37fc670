#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# builds: asan
"""Adapters on devices: of the host (AF_PACKET), and of DPDK (pcap, memif, null, ring).

  outside 10.50.0.1 ── veth ── [dev0: adapter osa0] r1 ── iucv ── g1 10.51.0.2, a web server      a namespace of this script's own

  pcap file ── [net_pcap0] r1                  what comes from a file is answered into a file
  left ── [net_memif0] ══ shared memory ══ [net_memif0] ── right      two fabrics

The script runs in network and mount namespaces of its own: the device that it gives away is one it has made.
"""
import os
import struct
import subprocess
import sys

import lab
from lab import Lab, Skip, check, check_equal, wait_for

BYTES = 3_000_000

HOST = """fabric: dev
osa: {{osa0: {{device: dev0}}}}
routers:
  r1:
    forward: true
    interfaces:
      eth0: {{osa: osa0, address: 10.50.0.2/24, mtu: 1500, router: primary}}
      iucv0: {{iucv: g1, address: 10.51.0.1, peer: 10.51.0.2, mtu: 1500}}
guests:
  g1:
    interfaces: {{iucv0: {{iucv: r1, address: 10.51.0.2, peer: 10.51.0.1, mtu: 1500}}}}
    run: cd {directory} && exec python3 -m http.server 80
"""

DEVICES = """fabric: dpdk
osa:
  osa0: {{devargs: "net_pcap0,rx_pcap={directory}/in.pcap,tx_pcap={directory}/out.pcap", mode: dedicated}}
  osa1: {{devargs: "net_null0,no-rx=1", mode: dedicated}}
  osa2: {{devargs: "net_ring0", mode: dedicated}}
routers:
  r1:
    forward: true
    interfaces:
      eth0: {{osa: osa0, address: 10.9.0.1/24}}
      eth1: {{osa: osa1, address: 10.8.0.1/24}}
      eth2: {{osa: osa2, address: 10.7.0.1/24}}
"""

MEMIF = """fabric: {name}
osa: {{osa0: {{devargs: "net_memif0,role={role},socket={directory}/memif.sock,socket-abstract=no"}}}}
routers:
  {name}:
    forward: true
    interfaces: {{eth0: {{osa: osa0, address: {address}/24}}}}
"""


def own_namespaces():
    """Starts this script again where the device may be given away."""
    if os.environ.get("ROOKERY_DEVICES_INSIDE"):
        return
    wrap = ["unshare", "--net", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        raise Skip("a device of the host needs root")
    os.environ["ROOKERY_DEVICES_INSIDE"] = "1"
    os.execvp("unshare", wrap + [sys.executable, __file__])


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20)


class Outside:
    """A network namespace at the other end of a veth."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self.enter = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]
        mine = os.stat("/proc/self/ns/net").st_ino
        wait_for(lambda: os.stat(f"/proc/{self.process.pid}/ns/net").st_ino != mine, "a namespace for the outside")
        ip("link", "add", "dev0", "type", "veth", "peer", "out0", "netns", str(self.process.pid))
        ip("link", "set", "dev0", "up")
        for words in (["address", "add", "10.50.0.1/24", "dev", "out0"], ["link", "set", "out0", "up"],
                      ["route", "add", "10.51.0.0/16", "via", "10.50.0.2"]):
            subprocess.run([*self.enter, "ip", *words], check=True, timeout=20)

    def run(self, *argv, timeout=30):
        return subprocess.run([*self.enter, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout)

    def close(self):
        self.process.communicate(timeout=10)


def fetch(outside):
    code = ("import sys, urllib.request as u; d = u.urlopen(sys.argv[1], timeout=10).read(); "
            "print(len(d), d == bytes(i * 7 % 251 for i in range(len(d))))")
    return outside.run(sys.executable, "-c", code, "http://10.51.0.2/page").stdout.decode().strip()


def host_device(suite):
    outside = Outside()
    directory = lab.work_directory()
    (directory / "page").write_bytes(bytes(i * 7 % 251 for i in range(BYTES)))
    net = suite.lab(Lab(HOST.format(directory=directory)))
    with suite.test("a device of the host: ping from outside through the adapter to a guest"):
        wait_for(lambda: outside.run("ping", "-c", "1", "-W", "1", "10.51.0.2").returncode == 0, "an answer")
    with suite.test("a device of the host: a page of 3 MB arrives whole, by super-packets"):
        wait_for(lambda: fetch(outside) == f"{BYTES} True", "the page")
    with suite.test("a device of the host: nothing was dropped but what has a reason"):
        bad = {d["reason"] for d in net.show("drops")} - {"not-for-us", "ipv6", "ether-type", "multicast", "broadcast", "arp-ignored"}
        check(not bad, f"dropped: {bad}")
    suite.end(net)
    outside.close()


def frame_asking_for(target):
    sender = bytes([2, 0, 0, 0, 0, 1])
    return (b"\xff" * 6 + sender + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + sender + bytes([10, 9, 0, 5]) + b"\0" * 6 +
            bytes(target))


def dpdk_devices(suite):
    directory = lab.work_directory()
    frame = frame_asking_for([10, 9, 0, 1])
    (directory / "in.pcap").write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) +
                                        struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    net = suite.lab(Lab(DEVICES.format(directory=directory)))
    with suite.test("pcap: what a file asks is answered into a file"):
        wait_for(lambda: any(n["address"] == "10.9.0.5" for n in net.show("neighbours")), "the asker among the neighbours")
    with suite.test("null and ring: devices that answer nothing lose nothing silently"):
        check_equal(net.command("ping", "-c", "1", "-W", "1", "r1", "10.8.0.5", ok=False).returncode, 1, "status of ping")
        check_equal(net.command("ping", "-c", "1", "-W", "1", "r1", "10.7.0.5", ok=False).returncode, 1, "status of ping")
        wait_for(lambda: net.dropped("neighbour-failed", "r1") == 2, "two packets that found no neighbour")
    suite.end(net)
    with suite.test("pcap: the answer is in the file"):
        text = subprocess.run(["tcpdump", "-n", "-r", str(directory / "out.pcap")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=20).stdout.decode()
        check("Reply 10.9.0.1 is-at" in text, f"no reply in {text!r}")


def memif(suite):
    directory = lab.work_directory()
    with suite.test("memif: two fabrics joined by shared memory"):
        left = suite.lab(Lab(MEMIF.format(name="left", role="server", directory=directory, address="10.6.0.1")))
        os.chmod(directory, 0o755)
        right = suite.lab(Lab(MEMIF.format(name="right", role="client", directory=directory, address="10.6.0.2")))
        wait_for(lambda: left.command("ping", "-c", "1", "-W", "1", "left", "10.6.0.2", ok=False).returncode == 0, "an answer", 15)
        suite.end(right)
        suite.end(left)


def body(suite):
    host_device(suite)
    dpdk_devices(suite)
    memif(suite)


try:
    own_namespaces()
except Skip as why:
    print(f"skip devices: {why}")
    sys.exit(0)
if __name__ == "__main__":
    lab.main(__file__, body)
