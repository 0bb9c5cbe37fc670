# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside a guest for lab.py: one JSON request a line on standard input, one answer a line on standard output.

From the first mark on it keeps the last packets that the guest's interfaces saw, both ways; it sends what it is told to, well-formed or not.
It ends when its input ends.
"""
import collections
import contextlib
import errno
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import urllib.request

KEEP, SNAP = 20000, 4096
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SIOCGIFFLAGS = 0x8913
IFF_UP, IFF_RUNNING = 0x1, 0x40
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE = 10, 0, 2, 3

packets = collections.deque(maxlen=KEEP)
lock = threading.Lock()
total = 0
held = {}  # sockets that stay open, by port or name


def take(sock, most):
    """Keeps up to `most` packets that wait in the socket."""
    global total
    with lock, contextlib.suppress(BlockingIOError):
        for _ in range(most):
            data, address = sock.recvfrom(65600, socket.MSG_DONTWAIT)
            packets.append((total, address[0], address[2] == PACKET_OUTGOING, address[1], len(data), data[:SNAP]))
            total += 1


def sniff(sock):
    while True:
        select.select([sock], [], [])
        take(sock, 64)


def hello(_):
    return {}


def start_sniffing():
    """Only in a guest whose packets somebody asks for: each packet costs its guest the time of this program."""
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    held["sniffer"] = sniffer
    threading.Thread(target=sniff, args=(sniffer,), daemon=True).start()


def mark(_):
    if "sniffer" not in held:
        start_sniffing()
    take(held["sniffer"], KEEP)
    return {"n": total}


def seen(request):
    """All that the interfaces saw up to now."""
    if "sniffer" in held:
        take(held["sniffer"], KEEP)
    with lock:
        chosen = [p for p in packets if p[0] >= request["since"]]
    return {"packets": [{"n": n, "iface": iface, "out": out, "proto": proto, "len": length, "hex": data.hex()}
                        for n, iface, out, proto, length, data in chosen]}


def send(request):
    frame = request["frame"]
    mac = request["mac"]
    kind = socket.SOCK_DGRAM if mac else socket.SOCK_RAW
    with socket.socket(socket.AF_PACKET, kind, 0) as sock:
        where = (request["iface"], request["proto"])
        if mac:
            where += (0, 0, bytes.fromhex(mac.replace(":", "")))
        for text in request["packets"]:
            sock.sendto(bytes.fromhex(text), where)
    return {"sent": len(request["packets"]), "frame": frame}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total_sum = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total_sum >> 16:
        total_sum = (total_sum & 0xffff) + (total_sum >> 16)
    return ~total_sum & 0xffff


def echo(request):
    """An ICMP echo request whose source the kernel chooses, unless told."""
    body = struct.pack("!BBHHH", 8, 0, 0, request["id"], request["seq"]) + bytes(request.get("size", 32))
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, request.get("ttl", 64))
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                        IP_PMTUDISC_PROBE if request.get("df") else IP_PMTUDISC_DONT)
        if request.get("src"):
            sock.bind((request["src"], 0))
        sock.sendto(body, (request["dst"], 0))
    return {}


def udp(request):
    """One UDP datagram; DF without regard to what the kernel knows of the path."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                        IP_PMTUDISC_PROBE if request.get("df") else IP_PMTUDISC_DONT)
        if request.get("src"):
            sock.bind((request["src"], request.get("sport", 0)))
        sock.sendto(b"x" * request["size"], (request["dst"], request["port"]))
    return {}


def syn(request):
    """The first segment of a TCP connection that this kernel knows nothing of."""
    address = source(request)["address"]
    head = struct.pack("!HHIIBBHHH", request["sport"], request["dport"], request["seq"], 0, 5 << 4, 2, 65535, 0, 0)
    pseudo = socket.inet_aton(address) + socket.inet_aton(request["dst"]) + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(head))
    head = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
        sock.sendto(head, (request["dst"], 0))
    return {}


def listen(request):
    """Holds a UDP port open, so that what comes there is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind(("0.0.0.0", request["port"]))
    held[request["port"]] = sock
    return {}


def received(request):
    """Sizes of the datagrams that came to a held port since the last call."""
    sizes = []
    held[request["port"]].setblocking(False)
    while True:
        try:
            sizes.append(len(held[request["port"]].recv(65536)))
        except BlockingIOError:
            return {"sizes": sizes}


def get(request):
    with urllib.request.urlopen(request["url"], timeout=request.get("timeout", 10)) as page:
        body = page.read()
        return {"status": page.status, "length": len(body), "body": body[:4000].decode(errors="replace")}


def resolve(request):
    return {"address": socket.gethostbyname(request["name"])}


def source(request):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((request["dst"], 9))
        return {"address": sock.getsockname()[0]}


def flags(request):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        reply = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sH14x", request["iface"].encode(), 0))
    value = struct.unpack_from("H", reply, 16)[0]
    return {"up": bool(value & IFF_UP), "running": bool(value & IFF_RUNNING)}


def hardware(request):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        reply = fcntl.ioctl(sock, 0x8927, struct.pack("16s24x", request["iface"].encode()))
    return {"mac": reply[18:24].hex(":")}


def run(request):
    try:
        result = subprocess.run(request["argv"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.STDOUT, timeout=request["timeout"])
    except subprocess.TimeoutExpired as late:
        return {"status": 124, "output": (late.stdout or b"").decode(errors="replace")}
    return {"status": result.returncode, "output": result.stdout}


OPS = {f.__name__: f for f in (hello, mark, seen, send, echo, udp, syn, listen, received, get, resolve, source, flags,
                               hardware, run)}


def answer(line):
    request = json.loads(line)
    try:
        return OPS[request["op"]](request)
    except OSError as error:
        name = errno.errorcode.get(error.errno, "") if error.errno else ""
        return {"error": f"{name} {error}".strip()}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
