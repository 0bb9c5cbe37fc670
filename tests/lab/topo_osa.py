# SPDX-License-Identifier: GPL-2.0-or-later
"""Adapters in topology files (topo.py): who has which address, who is router, and where a packet that arrives goes.

  osa O shared            oat O ADDRESS NODE      primary O NODE      secondary O NODE
  osa-expect O ADDRESS to NODE|discard            osa-inactive O NODE, osa-active O NODE, osa-noprimary O, osa-nosecondary O

A packet is put onto the adapter's network with the port's MAC address and any destination; where it went, the counters of
everybody who shares the adapter say, or those of the adapter itself.
"""
from lab import check, check_equal, wait_for
import packets

COPIES = 3
ROLES = ("primary", "secondary")


class Adapters:
    """What the file says, kept up to date by the lines that are done live."""

    def __init__(self):
        self.osas = {}

    def apply(self, words):
        """=> False when it is no statement about adapters."""
        kind, rest = words[0], words[1:]
        if kind == "osa":
            self.osas[rest[0]] = {"oat": {}, "primary": None, "secondary": None, "inactive": set()}
        elif kind == "oat":
            self.osas[rest[0]]["oat"][rest[1]] = rest[2]
        elif kind in ROLES:
            self.osas[rest[0]][kind] = rest[1]
        elif kind in ("osa-noprimary", "osa-nosecondary"):
            self.osas[rest[0]][kind[len("osa-no"):]] = None
        elif kind == "osa-inactive":
            self.osas[rest[0]]["inactive"].add(rest[1])
        elif kind == "osa-active":
            self.osas[rest[0]]["inactive"].discard(rest[1])
        else:
            return False
        return True

    def dispatch(self, name, address):
        """=> the node that gets it, or "discard", by the file alone."""
        osa = self.osas[name]
        ways = [osa["oat"].get(address), osa["primary"], osa["secondary"]]
        return next((n for n in ways if n and n not in osa["inactive"]), "discard")


class Port:
    """An adapter of a running lab."""

    def __init__(self, lab, name, sender):
        self.lab, self.name, self.sender = lab, name, sender
        self.mac = self.guests = None

    def record(self):
        return self.lab.show("osa", self.name)[0]

    def table(self):
        """{address: (node, state)} of what is in the table or wanted."""
        return {r["address"]: (r["owner"].split("/")[0], r["state"]) for r in self.lab.show("oat", self.name)}

    def received(self):
        """{node: packets} of all who share it; a guest's other interfaces count too."""
        found = {r["node"]: r["rx_packets"] for r in self.lab.show("interfaces") if r.get("target") == self.name}
        if self.guests is None:
            self.guests = {owner for owner, _ in self.table().values()} - set(found)
        if self.guests:
            found.update({r["name"]: r["rx_packets"] for r in self.lab.show("guests") if r["name"] in self.guests})
        return found

    def thrown_away(self, address):
        return sum(r["packets"] for r in self.lab.show("oat", self.name, "--drops") if r["address"] == address)

    def send(self, address, copies=COPIES, **options):
        node, iface, source = self.sender
        packet = packets.udp_packet(source, address, **options)
        self.mac = self.mac or self.record()["mac"]
        self.lab.agent(node).send(iface, *[packet] * copies, mac=self.mac)

    def where(self, address, copies=COPIES):
        """Sends packets. => the nodes that got them, with their number; "discard" is one too."""
        before, lost = self.received(), self.thrown_away(address)
        self.send(address, copies)

        def arrived():
            now = self.received()
            found = {n: now[n] - before.get(n, 0) for n in now if now[n] > before.get(n, 0)}
            thrown = self.thrown_away(address) - lost
            if thrown:
                found["discard"] = thrown
            return found if sum(found.values()) >= copies else None
        return wait_for(arrived, f"{copies} packets to {address} arrive or are counted as thrown away")

    def expect(self, address, node):
        check_equal(self.where(address), {node: COPIES}, f"where packets for {address} went")


class AdapterProver:
    def __init__(self, adapters, lab, senders):
        self.adapters, self.lab = adapters, lab
        self.ports = {name: Port(lab, name, senders.get(name)) for name in adapters.osas}

    def compare(self):
        for name, osa in self.adapters.osas.items():
            port = self.ports[name]
            table = port.table()
            for address, node in osa["oat"].items():
                check(table.get(address, ("",))[0].lower() == node.lower(), f"{address} is not {node}'s on {name}: {table}")
            record = port.record()
            for role in ROLES:
                shown = record.get(role)
                shown = shown[0] if isinstance(shown, list) else shown
                check_equal(shown.split("/")[0] if shown else None, osa[role], f"{role} router of {name}")

    def expect(self, words):
        name, address, node = words[0], words[1], words[3]
        check_equal(self.adapters.dispatch(name, address), node, "what the file itself makes of it")
        self.ports[name].expect(address, node)

    def live(self, words):
        """Does what the line says, through commands. => False when it is no such line."""
        kind, name = words[0], words[1]
        if kind in ("osa-inactive", "osa-active"):
            self.lab.command("osa", name, "offline" if kind == "osa-inactive" else "online", words[2])
        elif kind in ("osa-noprimary", "osa-nosecondary"):
            holder = self.adapters.osas[name][kind[len("osa-no"):]]
            if holder:
                self.lab.command("osa", name, "role", holder, "no_router")
        else:
            return False
        return self.adapters.apply(words)
