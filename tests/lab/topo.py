# SPDX-License-Identifier: GPL-2.0-or-later
"""Topology files (tests/topologies/*.topo) against a lab that runs.

A file says who is linked to whom, the routes of each node, and what is to be expected of a packet from a node to an address:
the way it takes and that the answer comes back, or how it fails. prove() starts the matching configuration, looks whether
it is that topology, and proves each `expect` with packets: the way by probes of TTL 1, 2, ... mapped back to nodes; a missing
answer by seeing the request arrive; a discard and a loop by the drop counter of the node where it must happen.

Where rules stand in the way of pings, packets of TCP are used instead, seen at every node that they pass (topo_flow.py).

Lines after the first `expect` are done live, through rookery commands; what they say of adapters topo_osa.py knows.
"""
import ipaddress
import re

import packets
import topo_flow
import topo_yaml
from lab import Capture, Failure, Lab, ROOT, SCALE, check, check_equal, wait_for
from packets import Packet
from topo_osa import AdapterProver, Adapters


class Iface:
    def __init__(self, node, name, address, lan=None, peer=None, kind="lan", mtu=None):
        self.node, self.name, self.address, self.lan, self.peer = node, name, address, lan, peer
        self.kind, self.mtu = kind, mtu


class Topology:
    def __init__(self, path):
        self.nodes, self.lans, self.ifaces, self.vipas = {}, {}, {}, {}
        self.routes, self.sources, self.rules, self.script = {}, {}, {}, []
        self.mtus, self.down, self.withdrawn = {}, set(), {}
        self.adapters = Adapters()
        live = False
        for number, line in enumerate(open(path), 1):
            words = line.split("#")[0].rstrip().rstrip("~").split()
            if not words:
                continue
            live = live or words[0] in ("expect", "nat-expect", "osa-expect")
            if live:
                self.script.append((number, words))
            else:
                self.apply(words)

    def apply(self, words):
        kind, rest = words[0], words[1:]
        if kind == "add":
            self.apply(rest)
        elif kind == "node":
            self.nodes[rest[0]] = {"role": rest[1], "forward": "forward" in rest[2:]}
        elif kind == "lan":
            self.lans[rest[0]], self.mtus[rest[0]] = ipaddress.ip_network(rest[1]), int(rest[3])
        elif kind == "port":
            node, name = rest[0].split(":")
            self.ifaces[node, name] = Iface(node, name, rest[2], lan=rest[1])
        elif kind == "ptp":
            ends = [tuple(rest[1].split(":")), tuple(rest[3].split(":"))]
            for end, address, peer in ((ends[0], rest[2], ends[1]), (ends[1], rest[4], ends[0])):
                self.ifaces[end] = Iface(*end, address, peer=peer, kind=rest[0], mtu=int(rest[6]))
        elif kind == "vipa":
            node, name = rest[0].split(":")
            self.vipas.setdefault(node, []).append((name, rest[1]))
        elif kind == "srcvipa":
            self.sources[rest[0]] = rest[1]
        elif kind == "route":
            self.routes.setdefault(rest[0], []).append(self.route(rest[1:]))
        elif kind == "rule":
            self.rules.setdefault(rest[0], []).append(" ".join(rest[1:]))
        elif kind in ("down", "up"):
            {"down": self.down.add, "up": self.down.discard}[kind](tuple(rest[0].split(":")))
        elif kind == "withdraw":
            route = self.named_route(rest)
            self.routes[rest[0]].remove(route)
            self.withdrawn[tuple(rest)] = route
        elif kind == "restore":
            self.routes[rest[0]].append(self.withdrawn.pop(tuple(rest)))
        elif not self.adapters.apply(words) and kind != "topo":
            raise Failure(f"statement {kind} is not known here")

    @staticmethod
    def route(words):
        value = lambda key: words[words.index(key) + 1] if key in words else None
        prefix = "0.0.0.0/0" if words[0] == "default" else words[0]
        return {"to": ipaddress.ip_network(prefix), "via": value("via"), "dev": value("dev"),
                "discard": "discard" in words, "metric": int(value("metric") or 0)}

    def named_route(self, words):
        """NODE PREFIX dev IF => the one route that is meant"""
        wanted = self.route(words[1:])
        found = [r for r in self.routes[words[0]] if (r["to"], r["dev"]) == (wanted["to"], wanted["dev"])]
        check_equal(len(found), 1, f"routes that are called {' '.join(words)}")
        return found[0]

    def works(self, iface):
        return (iface.node, iface.name) not in self.down and iface.peer not in self.down

    def filters(self):
        """Whether rules other than nat stand in some router."""
        return any("-t nat" not in rule for rules in self.rules.values() for rule in rules)

    def entry(self, before, node):
        """The interface of a node by which packets of its neighbour come in."""
        return next(i for i in self.ifaces.values() if i.node == node and self.works(i)
                    and (i.peer[0] == before if i.peer else any(o.lan == i.lan and o.node == before for o in self.ifaces.values())))

    def addresses(self, node):
        return {i.address for i in self.ifaces.values() if i.node == node} | {a for _, a in self.vipas.get(node, [])}

    def owner(self, address):
        """The nodes that have the address."""
        return {n for n in self.nodes if address in self.addresses(n)}

    def table(self, node):
        for iface in self.ifaces.values():
            if iface.node == node and self.works(iface):
                net = self.lans[iface.lan] if iface.lan else ipaddress.ip_network(self.ifaces[iface.peer].address)
                yield {"to": net, "via": None, "dev": iface.name, "discard": False, "metric": 0}
        yield from (r for r in self.routes.get(node, []) if not r["dev"] or self.works(self.ifaces[node, r["dev"]]))

    def walk(self, node, target):
        """=> (fate, nodes on the way), by the tables of the file alone."""
        way = [node]
        for _ in range(64):
            if target in self.addresses(node):
                return "ok", way
            if len(way) > 1 and not self.nodes[node]["forward"]:
                return "noforward", way
            fits = [r for r in self.table(node) if ipaddress.ip_address(target) in r["to"]]
            if not fits:
                return "noroute", way
            best = min(fits, key=lambda r: (-r["to"].prefixlen, r["metric"]))
            if best["discard"]:
                return "discard", way
            iface = self.ifaces[node, best["dev"]]
            if iface.peer:
                node = iface.peer[0]
            else:
                hop = best["via"] or target
                there = [i.node for i in self.ifaces.values() if i.lan == iface.lan and i.address == hop and self.works(i)]
                if not there:
                    return "noneigh", way
                node = there[0]
            way.append(node)
        return "loop", way


class Prover:
    def __init__(self, topology, lab, full_text, senders=None):
        self.topo, self.lab, self.full_text = topology, lab, full_text
        self.adapters = AdapterProver(topology.adapters, lab, senders or {})
        self.routers = {r["node"] for r in lab.show("routes")}
        self.echo_id = 0x1100

    # -- is it that topology?

    def compare(self):
        """Every node has the addresses and the routes of the file."""
        shown, routes = self.lab.show("interfaces"), self.lab.show("routes")
        for node in self.topo.nodes:
            if node in self.routers:
                self.compare_router(node, shown, routes)
            else:
                self.compare_guest(node)
        self.adapters.compare()

    def compare_router(self, node, shown, routes):
        have = {a.split("/")[0] for r in shown if r["node"] == node for a in r["addresses"]}
        check(self.topo.addresses(node) <= have, f"{node} has {sorted(have)}, not {self.topo.addresses(node)}")
        for route in self.topo.routes.get(node, []):
            found = [r for r in routes if r["node"] == node and r["to"] in (str(route["to"]), route_name(route["to"]))]
            check(found, f"{node} has no route to {route['to']}")
            if route["discard"]:
                check(any(r["type"] == "discard" for r in found), f"{node}: {route['to']} is not discarded: {found}")
            elif route["via"]:
                check(any(r.get("via") == route["via"] for r in found), f"{node}: {route['to']} not via {route['via']}: {found}")

    def compare_guest(self, node):
        status, text = self.lab.agent(node).run("ip", "-4", "-o", "address", "show")
        check_equal(status, 0, f"ip address in {node}")
        have = set(re.findall(r"inet ([0-9.]+)", text))
        check(self.topo.addresses(node) <= have, f"{node} has {sorted(have)}, not {self.topo.addresses(node)}")

    # -- expectations

    def expect(self, words):
        node, target, rest = words[0], words[1], words[2:]
        source = None
        if rest[0] == "src":
            source, rest = rest[1], rest[2:]
        fate, way = self.topo.walk(node, target)
        {"path": self.expect_path, "fail": self.expect_failure}[rest[0]](node, target, source, rest[1], fate, way)

    def expect_path(self, node, target, source, names, fate, way):
        names = names.split(",")
        check((fate, way) == ("ok", names), f"the file contradicts itself: {fate} {way}")
        if self.topo.filters():
            topo_flow.prove_way(self, node, target, names)
            return
        if node in self.routers:
            hops = self.trace_from_router(node, target)
        else:
            hops = self.trace_from_guest(node, target, source)
        for position, (address, expected) in enumerate(zip(hops, names[1:]), 1):
            owners = self.topo.owner(address) if address else set()
            check(expected in owners, f"hop {position} is {address} ({', '.join(owners) or 'nobody'}), expected {expected}; hops {hops}")
        check_equal(len(hops), len(names) - 1, f"hops to {target} ({hops})")

    def trace_from_router(self, node, target):
        """Addresses that answer, hop by hop, from the text of `rookery traceroute`."""
        text = self.lab.command("traceroute", node, target, timeout=60).stdout
        hops = []
        for line in text.splitlines():
            found = re.match(r"\s*(\d+)[\s:]+(.*)", line)
            if found and int(found[1]) == len(hops) + 1:
                address = re.search(r"\d+\.\d+\.\d+\.\d+", found[2])
                hops.append(address[0] if address else None)
        check(hops and hops[-1] == target, f"traceroute from {node} did not reach {target}: {text!r}")
        return hops

    def trace_from_guest(self, node, target, source):
        hops = []
        for ttl in range(1, 33):
            answer = self.probe(node, target, ttl, source)
            hops.append(answer.src)
            if answer.icmp[0] == packets.ECHO_REPLY:
                check_equal(answer.src, target, "who answered")
                return hops
        raise Failure(f"{target} does not answer; hops {hops}")

    def send_echo(self, node, target, ttl=64):
        """=> (mark before, id of the echo)"""
        agent = self.lab.agent(node)
        self.echo_id = (self.echo_id + 1) & 0xffff
        mark = agent.mark()
        agent.call("echo", dst=target, ttl=ttl, id=self.echo_id, seq=1)
        return mark, self.echo_id

    def probe(self, node, target, ttl, source):
        """Sends echo requests of one TTL until one is answered. => the answer"""
        agent = self.lab.agent(node)

        def answered():
            mark, ident = self.send_echo(node, target, ttl)
            answers = lambda: self.answers_to(agent, mark, ident)
            try:
                first = wait_for(answers, "an answer", 1.0 / SCALE + 0.5)[0]
            except Failure:
                return None
            if source:
                sent = [Packet(s["data"]) for s in agent.seen(mark) if s["out"] and s["proto"] == packets.ETH_IP]
                sources = {p.src for p in sent if p.icmp and p.icmp[0] == packets.ECHO and p.dst == target}
                check_equal(sources, {source}, f"source of packets from {node}")
            return first
        return wait_for(answered, f"{node} to {target}, TTL {ttl}: an answer", 8)

    @staticmethod
    def answers_to(agent, mark, ident):
        found = []
        for seen in agent.seen(mark):
            p = Packet(seen["data"])
            if seen["out"] or seen["proto"] != packets.ETH_IP or not p.icmp:
                continue
            if p.icmp[0] == packets.ECHO_REPLY and p.echo_id[0] == ident:
                found.append(p)
            elif p.icmp[0] in (packets.TIME_EXCEEDED, packets.UNREACHABLE) and p.quoted.valid and p.quoted.icmp \
                    and p.quoted.echo_id[0] == ident:
                found.append(p)
        return found

    def expect_failure(self, node, target, source, how, fate, way):
        check(fate == ("ok" if how == "noreturn" else how), f"the file contradicts itself: {fate} {way}")
        getattr(self, "fail_" + how)(node, target, source, way)

    def fail_discard(self, node, target, source, way):
        """Silence, and the discard route of the last node counts exactly what was sent."""
        before = self.lab.drops()
        mark, ident = self.send_echo(node, target)
        wait_for(lambda: self.lab.dropped("route-discard", way[-1], before) == 1, f"route-discard at {way[-1]}")
        check(not self.answers_to(self.lab.agent(node), mark, ident), f"an answer from {target}, expected silence")

    def fail_loop(self, node, target, source, way):
        """The TTL ends at one of the nodes that pass it to and fro, and that node says so."""
        round_about = set(way[-2:])
        before = self.lab.drops()
        mark, ident = self.send_echo(node, target)
        wait_for(lambda: sum(self.lab.dropped("ttl-exceeded", n, before) for n in round_about) == 1,
                 f"ttl-exceeded at one of {round_about}")
        told = wait_for(lambda: self.answers_to(self.lab.agent(node), mark, ident), "time exceeded")[0]
        check_equal(told.icmp, (packets.TIME_EXCEEDED, 0), "answer")
        check(self.topo.owner(told.src) & round_about, f"time exceeded from {told.src}, expected one of {round_about}")

    def fail_noroute(self, node, target, source, way):
        """Network unreachable from the last node (and its counter, where it is a router of ours)."""
        if way == [node]:
            try:
                self.send_echo(node, target)
            except Failure as failure:
                check("ENETUNREACH" in str(failure), f"{node} says {failure}")
                return
            raise Failure(f"{node} sends to {target}, expected that it knows no way")
        before = self.lab.drops()
        mark, ident = self.send_echo(node, target)
        told = wait_for(lambda: self.answers_to(self.lab.agent(node), mark, ident), "network unreachable")[0]
        check_equal(told.icmp, (packets.UNREACHABLE, packets.NET), "answer")
        check(way[-1] in self.topo.owner(told.src), f"told by {told.src}, expected {way[-1]}")
        if way[-1] in self.routers:
            check_equal(self.lab.dropped("no-route", way[-1], before), 1, f"no-route at {way[-1]}")

    def fail_noneigh(self, node, target, source, way):
        """Host unreachable from the last node, whose neighbour does not answer (and its counter, where it is a router of ours)."""
        before = self.lab.drops()

        def told():
            """The first packets still go to the MAC address that the router knows."""
            mark, ident = self.send_echo(node, target)
            try:
                return wait_for(lambda: self.answers_to(self.lab.agent(node), mark, ident), "an answer", 1.0 / SCALE)[0]
            except Failure:
                return None
        answer = wait_for(told, f"host unreachable from {way[-1]}", 20)
        check_equal(answer.icmp, (packets.UNREACHABLE, packets.HOST), "answer")
        check(way[-1] in self.topo.owner(answer.src), f"told by {answer.src}, expected {way[-1]}")
        if way[-1] in self.routers:
            check(self.lab.dropped("neighbour-failed", way[-1], before) >= 1, f"neighbour-failed at {way[-1]} was not counted")

    def fail_noreturn(self, node, target, source, way):
        """The request arrives at its destination; no answer arrives here."""
        end = way[-1]
        entry = self.topo.entry(way[-2], end)
        request = lambda p, ident: p.icmp and p.icmp[0] == packets.ECHO and p.dst == target and p.echo_id[0] == ident
        if end in self.routers:
            with Capture(self.lab, f"{end}:{entry.name}", "icmp") as capture:
                mark, ident = self.send_echo(node, target)
                arrived = wait_for(lambda: [p for p in map(Packet, list(capture.packets)) if request(p, ident)],
                                   f"the request at {end}:{entry.name}")
        else:
            there = self.lab.agent(end)
            since = there.mark()
            mark, ident = self.send_echo(node, target)
            arrived = wait_for(lambda: [p for p in (Packet(s["data"]) for s in there.seen(since) if not s["out"])
                                        if p.valid and request(p, ident)], f"the request in {end}")
        if source:
            check_equal(arrived[0].src, source, "source of the request")
        # The node in the middle still answers: what would have come back by now is here.
        self.settle(node, way[1])
        check(not [a for a in self.answers_to(self.lab.agent(node), mark, ident) if a.icmp[0] == packets.ECHO_REPLY],
              f"an answer came from {target}, expected none")

    def settle(self, node, neighbour):
        for address in sorted(self.topo.addresses(neighbour)):
            if self.lab.ping(node, address, wait=1)[0]:
                return
        raise Failure(f"{node} does not reach its neighbour {neighbour}")

    # -- live lines

    def live(self, words):
        node, rest = words[1].split(":")[0], words[2:]
        if words[0] == "add" and words[1] == "rule" or words[0] == "rule":
            self.lab.command("iptables", "-r", *words[words.index("rule") + 1:])
        elif words[0] == "add":
            self.lab.command("add", *words[1:])
        elif words[0] in ("down", "up"):
            self.set_interface(*words[1].split(":"), words[0])
        elif words[0] == "withdraw":
            self.lab.command("remove", "route", node, *rest)
        elif words[0] == "restore":
            route = self.topo.withdrawn[tuple(words[1:])]
            self.lab.command("add", "route", node, rest[0], "via", route["via"], "dev", route["dev"], "metric", str(route["metric"]))
        elif self.adapters.live(words):
            return
        self.topo.apply(words)
        if words[0] == "srcvipa":
            self.apply_source(words[1], words[2])

    def set_interface(self, node, name, state):
        """The external interface of a router is lost by its adapter's network side."""
        shown = [r for r in self.lab.show("interfaces") if (r["node"], r["name"]) == (node, name)]
        if shown and shown[0]["kind"] == "osa":
            self.lab.command("osa", shown[0]["target"], "plug" if state == "up" else "unplug")
        else:
            self.lab.command("set", "interface", node, name, state)

    def apply_source(self, node, vipa):
        """Applies the configuration as it stands in configs/ (or follows from the file), where the node takes its VIPA as source."""
        file = self.lab.file.with_suffix(".live.yaml")
        text = self.full_text or topo_yaml.configuration(self.topo)
        file.write_text(re.sub(r"(?m)^fabric:.*$", f"fabric: {self.lab.name}", text))
        self.lab.command("apply", str(file))
        check(vipa in self.topo.addresses(node), f"{vipa} is no VIPA of {node}")

    def line(self, words):
        """One line of a file's script."""
        special = {"expect": self.expect, "nat-expect": lambda rest: topo_flow.prove_translation(self, rest),
                   "refuse": lambda rest: topo_flow.prove_refusal(self, rest), "osa-expect": self.adapters.expect}
        if words[0] in special:
            special[words[0]](words[1:])
        else:
            self.live(words)


def route_name(prefix):
    return "default" if prefix.prefixlen == 0 else str(prefix)


def without_source(text, node):
    """The YAML text without the `sourcevipa` of one node."""
    lines, inside, depth, found = [], False, 0, False
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if inside and line.strip() and indent <= depth:
            inside = False
        if re.match(rf"\s*{re.escape(node)}:", line, re.I):
            inside, depth = True, indent
        if inside and "sourcevipa" in line:
            line, found = re.sub(r",? *sourcevipa: *\w+", "", line), True
        lines.append(line)
    check(found, f"{node} has no sourcevipa in the configuration")
    return "\n".join(lines) + "\n"


def prove(suite, topo_file, config, senders=None):
    """All of one topology, a test a line. `senders`: for an adapter (node, interface, address) on its network. => the lab, which runs on"""
    topology = Topology(ROOT / "tests" / "topologies" / topo_file)
    full_text = text = (ROOT / "configs" / config).read_text()
    for _, words in topology.script:
        if words[0] == "srcvipa":  # done live, later
            text = without_source(text, words[1])
    lab = suite.lab(Lab(text, topo_file.replace("fig-", "").replace("-", "")))
    prover = Prover(topology, lab, full_text, senders)
    with suite.test("is the topology of the file"):
        prover.compare()
    prove_lines(suite, prover, topo_file)
    return lab


def prove_lines(suite, prover, topo_file, more=()):
    """The script of the file, and then more lines of the same language."""
    script = [(f":{number}", words) for number, words in prover.topo.script] + [(" and", line.split()) for line in more]
    for place, words in script:
        with suite.test(f"{topo_file}{place} {' '.join(words)}"):
            prover.line(words)
