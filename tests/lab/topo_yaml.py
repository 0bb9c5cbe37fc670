# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration from a topology file: its routers in the engine, hosts and gateways as guests.

What is not in the file may be added as simulated guests: {name} that are hosts of the topology, but have no program in them.
"""
import re


def configuration(topo, simulated=(), extra=""):
    """=> YAML; `extra` is put before the routers, such as tunables."""
    out = ["fabric: topo"] + [extra] * bool(extra)
    if topo.lans:
        out += ["lans:"] + [f"  {name}: {{mtu: {topo.mtus[name]}}}" for name in topo.lans]
    by_node = {}
    for iface in topo.ifaces.values():
        by_node.setdefault(iface.node, []).append(iface)
    for section, roles in (("routers", ("router",)), ("guests", ("host", "gw"))):
        names = [n for n in topo.nodes if topo.nodes[n]["role"] in roles]
        out += [f"{section}:"] * bool(names)
        for name in names:
            out += node(topo, name, by_node[name])
            out += ["    simulated: true"] * (name in simulated)
    return "\n".join(out) + "\n"


def node(topo, name, ifaces):
    out = [f"  {name}:"] + ["    forward: true"] * topo.nodes[name]["forward"] + ["    interfaces:"]
    source = next((vipa for vipa, address in topo.vipas.get(name, []) if address == topo.sources.get(name)), None)
    out += [interface(topo, iface, source) for iface in ifaces]
    out += [f"      {vipa}: {{vipa: {address}}}" for vipa, address in topo.vipas.get(name, [])]
    far_ends = {f"{topo.ifaces[i.peer].address}/32" for i in ifaces if i.peer}
    routes = [route(r) for r in topo.routes.get(name, []) if str(r["to"]) not in far_ends]
    out += ["    routes:"] + [f"      - {{{r}}}" for r in routes] if routes else ["    routes: []"]
    if topo.rules.get(name):
        out += ["    rules: |"] + ["      " + line for line in restore(topo.rules[name])]
    return out


def interface(topo, iface, source):
    if iface.peer:
        words = f"{iface.kind}: {'/'.join(iface.peer)}, address: {iface.address}, mtu: {iface.mtu}"
    else:
        words = f"lan: {iface.lan}, address: {iface.address}/{topo.lans[iface.lan].prefixlen}"
    return f"      {iface.name}: {{{words}{f', sourcevipa: {source}' if source else ''}}}"


def route(r):
    words = [f"to: {'default' if r['to'].prefixlen == 0 else r['to']}"]
    words += [f"{key}: {r[key]}" for key in ("via", "dev") if r[key]]
    words += ["discard: true"] * r["discard"] + [f"metric: {r['metric']}"] * bool(r["metric"])
    return ", ".join(words)


def restore(rules):
    """Arguments of iptables, a rule each => lines as iptables-save prints them."""
    tables = {}
    for rule in rules:
        table = re.match(r"-t (\w+) ", rule)
        words = rule[table.end():] if table else rule
        policy = re.fullmatch(r"-P (\w+) (\w+)", words)
        tables.setdefault(table[1] if table else "filter", []).append(f":{policy[1]} {policy[2]} [0:0]" if policy else words)
    return [line for table, lines in tables.items() for line in (f"*{table}", *lines, "COMMIT")]
