/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listings of what routers have: interfaces, routes, neighbours. */
#include "fabric/engine/show.h"

#include "drivers/osa/adapter.h"
#include "routing/neigh.h"

#include <stdlib.h>

static const char *const kind_names[] = {
		[IFACE_LOOPBACK] = "loopback",
		[IFACE_DUMMY] = "dummy",
		[IFACE_IUCV] = "iucv",
		[IFACE_CTC] = "ctc",
		[IFACE_OSA] = "osa",
		[IFACE_LAN] = "lan",
};

static const char *const type_names[] = {
		[ROUTE_UNICAST] = "unicast",
		[ROUTE_LOCAL] = "local",
		[ROUTE_BROADCAST] = "broadcast",
		[ROUTE_DISCARD] = "discard",
		[ROUTE_UNREACHABLE] = "unreachable",
		[ROUTE_PROHIBIT] = "prohibit",
};

bool
listing_wants(const struct listing *l, const char *node)
{
	return !l->node || strcasecmp(l->node, node) == 0;
}

void
listing_add(struct listing *l, json_t *record)
{
	json_array_append_new(l->records, record);
}

const struct router *
listing_router(const struct listing *l, size_t *at)
{
	const struct fabric *f = atomic_load(&l->engine->fabric);

	while (*at < f->n_routers) {
		const struct router *r = f->routers[(*at)++];

		if (r && listing_wants(l, r->name))
			return r;
	}
	return NULL;
}

static void
set_text(json_t *record, const char *key, const char *text)
{
	json_object_set_new(record, key, json_string(text));
}

static void
add_count(json_t *record, const struct counters *c)
{
	json_object_set_new(record, "rx_packets", json_integer((json_int_t)c->rx_packets));
	json_object_set_new(record, "rx_bytes", json_integer((json_int_t)c->rx_bytes));
	json_object_set_new(record, "rx_drops", json_integer((json_int_t)c->rx_drops));
	json_object_set_new(record, "tx_packets", json_integer((json_int_t)c->tx_packets));
	json_object_set_new(record, "tx_bytes", json_integer((json_int_t)c->tx_bytes));
	json_object_set_new(record, "tx_drops", json_integer((json_int_t)c->tx_drops));
}

static json_t *
iface_record(const struct router *r, const struct iface *i)
{
	json_t *addresses = json_array(), *record;
	char text[PREFIX_TEXT];

	for (size_t a = 0; a < i->n_addrs; a++)
		json_array_append_new(addresses, json_string(prefix_text(&i->addrs[a].prefix, text)));
	record = json_pack("{s:s, s:s, s:i, s:s, s:b, s:b, s:I, s:o}", "node", r->name, "name", i->name, "ifindex", i->slot,
			"kind", kind_names[i->kind], "up", i->up, "carrier", iface_usable(i), "mtu", (json_int_t)i->mtu,
			"addresses", addresses);
	if (i->kind >= IFACE_OSA)
		set_text(record, "mac", mac_text(&i->mac, text));
	if (i->n_addrs && ip_is_set(&i->addrs[0].peer))
		set_text(record, "peer", ip_text(&i->addrs[0].peer, text));
	add_count(record, &i->live->count);
	return record;
}

static void
add_target(struct listing *l, const struct router *r, const struct iface *i, json_t *record)
{
	const struct cfg_node *n = config_node(l->engine->config, r->name);
	const struct cfg_iface *ci = n ? config_iface(n, i->name) : NULL;

	if (ci && ci->target[0])
		set_text(record, "target", ci->target);
}

void
show_interfaces(struct listing *l)
{
	const struct router *r;
	size_t at = 0;

	while ((r = listing_router(l, &at))) {
		for (size_t i = 0; i < r->n_ifaces; i++) {
			json_t *record;

			if (!r->ifaces[i])
				continue;
			record = iface_record(r, r->ifaces[i]);
			add_target(l, r, r->ifaces[i], record);
			listing_add(l, record);
		}
	}
}

static json_t *
route_record(const struct router *r, const struct route *route, const struct nexthop *hop)
{
	char text[PREFIX_TEXT];
	const struct iface *out = hop ? router_iface(r, hop->oif) : NULL;
	json_t *record = json_pack("{s:s, s:I, s:s, s:s, s:I, s:b}", "node", r->name, "table", (json_int_t)route->table, "to",
			route->to.len == 0 && route->to.addr.family == AF_INET ? "default" : prefix_text(&route->to, text),
			"type", type_names[route->type], "metric", (json_int_t)route->metric, "linkdown",
			out && !iface_usable(out));

	if (hop && ip_is_set(&hop->via))
		set_text(record, "via", ip_text(&hop->via, text));
	if (out)
		set_text(record, "dev", out->name);
	if (ip_is_set(&route->src))
		set_text(record, "src", ip_text(&route->src, text));
	if (route->n_hops > 1)
		json_object_set_new(record, "weight", json_integer(hop->weight));
	if (route->mtu)
		json_object_set_new(record, "mtu", json_integer(route->mtu));
	return record;
}

void
show_routes(struct listing *l)
{
	const struct router *r;
	size_t at = 0;

	while ((r = listing_router(l, &at))) {
		size_t n;
		const struct route *routes = fib_routes(r->fib, &n);

		for (size_t i = 0; i < n; i++) {
			if (routes[i].n_hops == 0)
				listing_add(l, route_record(r, &routes[i], NULL));
			for (size_t h = 0; h < routes[i].n_hops; h++)
				listing_add(l, route_record(r, &routes[i], &routes[i].hops[h]));
		}
	}
}

static void
add_neighbour(struct listing *l, const struct router *r, const struct iface *i, const struct neigh_info *n)
{
	char addr[ADDR_TEXT], mac[MAC_TEXT];
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:i, s:f}", "node", r->name, "dev", i->name, "address",
			ip_text(&n->addr, addr), "state", neigh_state_name(n->state), "queued", (int)n->queued, "age",
			(double)(clock_now() - n->updated) / 1e9);

	if (n->state != NEIGH_INCOMPLETE && n->state != NEIGH_FAILED)
		set_text(record, "mac", mac_text(&n->mac, mac));
	listing_add(l, record);
}

static void
neighbours_of(struct listing *l, const struct router *r, const struct iface *i)
{
	struct worker *control = &l->engine->control;
	struct neigh_info *list;
	size_t n, room;

	slow_lock(control);
	room = neigh_list(i->live->neigh, NULL, 0);
	list = calloc(room + 1, sizeof(*list));
	n = list ? neigh_list(i->live->neigh, list, room) : 0;
	slow_unlock(control);
	for (size_t k = 0; k < n && k < room; k++)
		add_neighbour(l, r, i, &list[k]);
	free(list);
}

/* A port that does ARP for those who share it knows their neighbours. */
static void
show_port_neighbours(struct listing *l)
{
	const struct fabric *f = atomic_load(&l->engine->fabric);

	for (size_t i = 0; i < f->n_adapters; i++) {
		const struct adapter *a = f->adapters[i];

		if (a && a->port_live.neigh && listing_wants(l, a->name))
			neighbours_of(l, &a->stack, &a->port);
	}
}

void
show_neighbours(struct listing *l)
{
	const struct router *r;
	size_t at = 0;

	while ((r = listing_router(l, &at))) {
		for (size_t i = 0; i < r->n_ifaces; i++) {
			if (r->ifaces[i] && r->ifaces[i]->live->neigh)
				neighbours_of(l, r, r->ifaces[i]);
		}
	}
	show_port_neighbours(l);
}
