# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways, translations and refusals of a topology file, proved with packets of TCP.

Each proof sends one SYN, known again by its sequence number wherever it comes by and however it is translated; the answer is
known by its acknowledgement number. Nobody need listen: a reset is an answer, too.
"""
import contextlib
import socket
import struct

import lab
import packets
from packets import Packet

PORT = 80
SYN, RST, ACK = 2, 4, 16


class Sight:
    """The packets that one node receives from its neighbour on the way."""

    def __init__(self, prover, before, node):
        self.name = node
        if node in prover.routers:
            self.capture = lab.Capture(prover.lab, f"{node}:{prover.topo.entry(before, node).name}", "tcp")
        else:
            self.capture, self.agent = None, prover.lab.agent(node)
            self.mark = self.agent.mark()

    def packets(self):
        if self.capture:
            return [Packet(data) for data in list(self.capture.packets)]
        return [Packet(p["data"]) for p in self.agent.seen(self.mark) if not p["out"] and p["proto"] == packets.ETH_IP]

    def syn(self, number):
        """The SYN with this sequence number, seen once, or None."""
        found = [p for p in self.packets() if segment(p) and segment(p)[2] == number and segment(p)[4] & (SYN | ACK) == SYN]
        lab.check(len(found) <= 1, f"{self.name} sees the packet {len(found)} times")
        return found[0] if found else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.capture:
            self.capture.close()


def segment(p):
    """=> (source port, destination port, sequence, acknowledgement, flags) of TCP, or None"""
    if not p.valid or p.proto != packets.TCP or p.offset or len(p.payload) < 20:
        return None
    return (*struct.unpack_from("!HHII", p.payload), p.payload[13])


def send(prover, node, target, port=PORT):
    """=> (sequence number, function that gives the answers so far)"""
    agent = prover.lab.agent(node)
    prover.echo_id += 1
    number, mark = 0x40000000 + prover.echo_id, agent.mark()
    agent.call("syn", dst=target, dport=port, sport=prover.echo_id, seq=number)

    def answers():
        seen = [Packet(p["data"]) for p in agent.seen(mark) if not p["out"] and p["proto"] == packets.ETH_IP]
        return [p for p in seen if segment(p) and segment(p)[3] == number + 1 and segment(p)[4] & ACK]
    return number, answers


def prove_way(prover, node, target, names):
    """The SYN comes by all the nodes, its TTL one less at each, and the answer comes back."""
    with contextlib.ExitStack() as stack:
        sights = [stack.enter_context(Sight(prover, *pair)) for pair in zip(names, names[1:])]
        number, answers = send(prover, node, target)
        for sight in sights:
            lab.wait_for(lambda s=sight: s.syn(number), f"the packet at {sight.name}")
        ttls = [sight.syn(number).ttl for sight in sights]
        lab.check_equal(ttls, list(range(64, 64 - len(sights), -1)), f"TTLs at {names[1:]}")
        answer = lab.wait_for(answers, f"the answer of {target}")[0]
        lab.check_equal(answer.src, target, "who answered")


def prove_translation(prover, words):
    """SRC TARGET[:PORT/tcp] sees ADDRESS, or reaches NODE as ADDRESS[:PORT] [from ADDRESS]"""
    node, (target, _, port) = words[0], words[1].removesuffix("/tcp").partition(":")
    value = lambda key: words[words.index(key) + 1] if key in words else None
    (end,) = [value("reaches")] if "reaches" in words else prover.topo.owner(target)
    with Sight(prover, None, end) as sight:
        number, answers = send(prover, node, target, int(port or PORT))
        arrived = lab.wait_for(lambda: sight.syn(number), f"the packet at {end}")
        answer = lab.wait_for(answers, f"the answer of {target}")[0]
    lab.check(checksum_right(arrived), "its checksum is wrong on arrival")
    seen = value("sees") or value("from")
    lab.check(not seen or arrived.src == seen, f"{end} sees {arrived.src}, expected {seen}")
    address, _, to_port = (value("as") or target).partition(":")
    lab.check_equal((arrived.dst, segment(arrived)[1]), (address, int(to_port or port or PORT)), f"where it arrives at {end}")
    lab.check_equal((answer.src, segment(answer)[0]), (target, int(port or PORT)), f"who answers {node}")


def checksum_right(p):
    body = p.data[p.header:p.length]
    pseudo = socket.inet_aton(p.src) + socket.inet_aton(p.dst) + struct.pack("!BBH", 0, packets.TCP, len(body))
    return packets.checksum(pseudo + body) == 0


def prove_refusal(prover, words):
    """SRC TARGET at NODE REASON: the packet ends there, under that name, and nobody answers."""
    node, target, _, end, reason = words
    before = prover.lab.drops()
    _, answers = send(prover, node, target)
    lab.wait_for(lambda: prover.lab.dropped(reason, end, before) == 1, f"{reason} at {end}")
    lab.check(not answers(), f"{target} answers {node}")
