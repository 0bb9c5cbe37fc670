# SPDX-License-Identifier: GPL-2.0-or-later
"""Building packets byte by byte, wrong ones too, and reading those that came back."""
import socket
import struct

ICMP, TCP, UDP = 1, 6, 17
ETH_IP, ETH_ARP = 0x0800, 0x0806
UNREACHABLE, TIME_EXCEEDED, ECHO, ECHO_REPLY = 3, 11, 8, 0
NET, HOST, PROTOCOL, PORT, FRAG_NEEDED, PROHIBITED = 0, 1, 2, 3, 4, 13


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(src, dst, payload, proto=UDP, ttl=64, ident=0x4242, df=False, mf=False, offset=0, tos=0, options=b"", **wrong):
    """An IPv4 packet. `wrong`: version, ihl (words), length (total), csum: put in as they are."""
    options += bytes(-len(options) % 4)
    words = wrong.get("ihl", 5 + len(options) // 4)
    length = wrong.get("length", 20 + len(options) + len(payload))
    fragment = (0x4000 if df else 0) | (0x2000 if mf else 0) | offset // 8
    head = struct.pack("!BBHHHBBH4s4s", wrong.get("version", 4) << 4 | words, tos, length, ident, fragment, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    value = wrong.get("csum", checksum(head))
    return head[:10] + struct.pack("!H", value) + head[12:] + payload


def icmp(kind, code, rest=b"\0\0\0\0", body=b"", csum=None):
    message = struct.pack("!BBH", kind, code, 0) + rest + body
    return message[:2] + struct.pack("!H", checksum(message) if csum is None else csum) + message[4:]


def echo(ident=7, seq=1, body=b"rookery-rookery-rookery-rookery!"):
    return icmp(ECHO, 0, struct.pack("!HH", ident, seq), body)


def udp(src, dst, sport=40000, dport=33434, body=b"rookery"):
    head = struct.pack("!HHHH", sport, dport, 8 + len(body), 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, UDP, 8 + len(body))
    return head[:6] + struct.pack("!H", checksum(pseudo + head + body) or 0xffff) + body


def udp_packet(src, dst, dport=33434, size=7, **options):
    return ip(src, dst, udp(src, dst, dport=dport, body=b"r" * size), **options)


def arp(op, sha, spa, tha, tpa, hlen=6):
    mac = lambda text: bytes.fromhex(text.replace(":", ""))
    return struct.pack("!HHBBH", 1, ETH_IP, hlen, 4, op) + mac(sha) + socket.inet_aton(spa) + mac(tha) + socket.inet_aton(tpa)


class Packet:
    """What was read of an IPv4 packet; .valid is False when it is none."""

    def __init__(self, data):
        self.data, self.valid = data, False
        if len(data) < 20 or data[0] >> 4 != 4:
            return
        self.header = (data[0] & 15) * 4
        self.length, self.ident, fragment = struct.unpack_from("!HHH", data, 2)
        self.df, self.mf, self.offset = bool(fragment & 0x4000), bool(fragment & 0x2000), (fragment & 0x1fff) * 8
        self.ttl, self.proto = data[8], data[9]
        self.src, self.dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        self.payload = data[self.header:]
        self.valid = True

    @property
    def icmp(self):
        """(type, code) of an ICMP message, or None."""
        if not self.valid or self.proto != ICMP or self.offset or len(self.payload) < 8:
            return None
        return self.payload[0], self.payload[1]

    @property
    def mtu(self):
        return struct.unpack_from("!H", self.payload, 6)[0]

    @property
    def echo_id(self):
        return struct.unpack_from("!HH", self.payload, 4)

    @property
    def quoted(self):
        """The packet that an ICMP error is about."""
        return Packet(self.payload[8:])


def describe(data):
    p = Packet(data)
    if not p.valid:
        return f"{len(data)} bytes, no IPv4: {data[:24].hex()}"
    text = f"{p.src} > {p.dst} proto {p.proto} ttl {p.ttl} len {p.length}"
    if p.df:
        text += " DF"
    if p.mf or p.offset:
        text += f" fragment {p.offset}{'+' if p.mf else ''}"
    if p.icmp:
        text += f" icmp {p.icmp[0]}/{p.icmp[1]}"
        if p.icmp[0] in (UNREACHABLE, TIME_EXCEEDED) and p.quoted.valid:
            text += f" about [{p.quoted.src} > {p.quoted.dst} proto {p.quoted.proto}]"
    return text


def describe_seen(seen):
    way = "out" if seen["out"] else "in "
    if seen["proto"] == ETH_ARP:
        return f"{seen['iface']} {way} ARP {seen['data'][:28].hex()}"
    return f"{seen['iface']} {way} {describe(seen['data'])}"
