/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <stdio.h>
#include <string.h>

/*
 * Routes of a node against its interfaces: is the next hop on link, by which interface. A router
 * may have ten thousand links and as many routes, so addresses and networks are looked up by hash,
 * the networks once for each prefix length in use.
 */
struct onlink {
	struct cfg_reader *r;
	const struct cfg_node *node;
	struct cfg_index own;      /* struct ip_addr to interface */
	struct cfg_index far;      /* addresses of far ends of links to interface here */
	struct cfg_index networks; /* struct ip_prefix, zero filled, to interface */
	bool lens[2][129];         /* prefix lengths in use, of IPv4 and IPv6 */
	struct cfg_index routes;   /* struct route_key to route */
};

struct route_key {
	struct ip_prefix to;
	uint32_t table, metric;
};

static void
fill_prefix(struct ip_prefix *out, const struct ip_addr *a, unsigned len)
{
	struct ip_prefix p = {.addr = *a, .len = (uint8_t)len};

	p = prefix_network(&p);
	memset(out, 0, sizeof(*out));
	out->addr = p.addr;
	out->len = p.len;
}

static void
learn_iface(struct onlink *o, struct cfg_iface *i)
{
	struct ip_prefix p;

	for (size_t n = 0; n < i->n_addresses; n++) {
		const struct ip_addr *a = &i->addresses[n].addr;

		cfg_index_add(&o->own, a, sizeof(*a), i);
		if (i->kind == CFG_DUMMY || i->addresses[n].len == ip_bits(a))
			continue;
		fill_prefix(&p, a, i->addresses[n].len);
		cfg_index_add(&o->networks, &p, sizeof(p), i);
		o->lens[a->family == AF_INET6][p.len] = true;
	}
	for (size_t n = 0; i->far && n < i->far->n_addresses; n++)
		cfg_index_add(&o->far, &i->far->addresses[n].addr, sizeof(struct ip_addr), i);
}

static const struct cfg_iface *
reach(const struct onlink *o, const struct ip_addr *via)
{
	const struct cfg_iface *i = cfg_index_find(&o->far, via, sizeof(*via));
	struct ip_prefix p;

	for (unsigned len = ip_bits(via); !i && len > 0; len--) {
		if (!o->lens[via->family == AF_INET6][len])
			continue;
		fill_prefix(&p, via, len);
		i = cfg_index_find(&o->networks, &p, sizeof(p));
	}
	return i;
}

static bool
is_on(const struct cfg_iface *i, const struct ip_addr *via)
{
	for (size_t n = 0; i->kind != CFG_DUMMY && n < i->n_addresses; n++) {
		if (i->addresses[n].len < ip_bits(via) && prefix_contains(&i->addresses[n], via))
			return true;
	}
	for (size_t n = 0; i->far && n < i->far->n_addresses; n++) {
		if (ip_equal(&i->far->addresses[n].addr, via))
			return true;
	}
	return cfg_is_link_local(via);
}

static const char *
iface_name(const void *list, size_t i)
{
	return ((const struct cfg_iface *)list)[i].name;
}

static void
no_interface(struct onlink *o, struct cfg_mark at, const char *name)
{
	char hint[CFG_HINT];

	cfg_hint(o->r, name, iface_name, o->node->ifaces, o->node->n_ifaces, hint);
	cfg_error(o->r, at, "%s has no interface '%s'%s", o->node->name, name,
		hint[0] ? hint : ", expected one of its interfaces");
}

/* The next hop names its interface. */
static void
check_named(struct onlink *o, const struct cfg_nexthop *h)
{
	const struct cfg_iface *i = config_iface(o->node, h->dev);
	char via[ADDR_TEXT], near[ADDR_TEXT + 32] = "one of its networks";

	if (!i) {
		no_interface(o, h->at, h->dev);
		return;
	}
	if (!ip_is_set(&h->via) || is_on(i, &h->via))
		return;
	if (i->far && ip_is_set(&i->peer))
		snprintf(near, sizeof(near), "its far end %s", ip_text(&i->peer, via));
	cfg_error(o->r, h->at, "next hop %s is not on %s of %s, expected %s", ip_text(&h->via, via),
		i->name, o->node->name, near);
}

static void
check_hop(struct onlink *o, const struct cfg_route *route, struct cfg_nexthop *h)
{
	const struct cfg_iface *i;
	char via[ADDR_TEXT];

	if (ip_is_set(&h->via) && h->via.family != route->to.addr.family) {
		cfg_error(o->r, h->at,
			"next hop %s is not of the family of the destination, expected one of the same",
			ip_text(&h->via, via));
		return;
	}
	if (ip_is_set(&h->via) && cfg_index_find(&o->own, &h->via, sizeof(h->via))) {
		cfg_error(o->r, h->at,
			"next hop %s is an address of %s itself, expected one of a neighbour",
			ip_text(&h->via, via), o->node->name);
		return;
	}
	if (h->dev[0]) {
		check_named(o, h);
		return;
	}
	i = reach(o, &h->via);
	if (i)
		memcpy(h->dev, i->name, sizeof(h->dev));
	else
		cfg_error(o->r, h->at, "next hop %s is on no interface of %s, expected %s",
			ip_text(&h->via, via), o->node->name,
			cfg_is_link_local(&h->via) ? "'dev' with a link-local address"
					       : "an address on one of its networks");
}

static void
check_double_hops(struct onlink *o, const struct cfg_route *route)
{
	struct cfg_index seen = {.arena = &o->r->scratch};
	struct cfg_nexthop key;

	for (size_t n = 0; n < route->n_hops && route->n_hops > 1; n++) {
		struct cfg_nexthop *h = &route->hops[n];

		memset(&key, 0, sizeof(key));
		key.via = h->via;
		snprintf(key.dev, sizeof(key.dev), "%s", h->dev);
		if (cfg_index_add(&seen, &key, sizeof(key), h))
			cfg_error(o->r, h->at,
				"a next hop is in the route twice, expected it once with a weight");
	}
}

static void
check_double_route(struct onlink *o, struct cfg_route *route)
{
	struct route_key key;
	const struct cfg_route *first;
	char text[PREFIX_TEXT];

	memset(&key, 0, sizeof(key));
	key.to.addr = route->to.addr;
	key.to.len = route->to.len;
	key.table = route->table;
	key.metric = route->metric;
	first = cfg_index_add(&o->routes, &key, sizeof(key), route);
	if (first)
		cfg_error(o->r, route->at,
			"route to %s with metric %u is here twice, first at %u:%u, expected another metric",
			prefix_text(&route->to, text), route->metric, first->at.line,
			first->at.column);
}

static void
check_source(struct onlink *o, const struct cfg_src *s, const struct cfg_route *route)
{
	char text[ADDR_TEXT];

	if (!ip_is_set(&route->src))
		return;
	if (route->src.family != route->to.addr.family)
		cfg_error(o->r, cfg_place(s->map, "src"),
			"src %s is not of the family of the destination, expected one of the same",
			ip_text(&route->src, text));
	else if (!cfg_index_find(&o->own, &route->src, sizeof(route->src)))
		cfg_error(o->r, cfg_place(s->map, "src"),
			"src %s is no address of %s, expected one of its own",
			ip_text(&route->src, text), o->node->name);
}

static void
check_node_routes(struct onlink *o, const struct cfg_src_node *src)
{
	for (size_t n = 0; n < o->node->n_routes; n++) {
		struct cfg_route *route = &o->node->routes[n];

		if (src->routes[n].bad)
			continue;
		for (size_t h = 0; h < route->n_hops; h++)
			check_hop(o, route, &route->hops[h]);
		check_double_hops(o, route);
		check_source(o, &src->routes[n], route);
		check_double_route(o, route);
	}
}

static void
check_node_rules(struct onlink *o, const struct cfg_src_node *src)
{
	for (size_t n = 0; n < o->node->n_rules; n++) {
		const struct cfg_rule *rule = &o->node->rules[n];

		if (!src->rules[n].bad && rule->iif[0] && strcmp(rule->iif, "lo") != 0 &&
			!config_iface(o->node, rule->iif))
			no_interface(o, cfg_place(src->rules[n].map, "iif"), rule->iif);
	}
}

const struct cfg_iface *
cfg_default_link(const struct cfg_node *n)
{
	const struct cfg_iface *link = NULL;

	for (size_t i = 0; n->kind != CFG_ROUTER && i < n->n_ifaces; i++) {
		if (!cfg_is_link(&n->ifaces[i]))
			continue;
		if (link)
			return NULL;
		link = &n->ifaces[i];
	}
	return link;
}

static void
add_default(struct cfg_reader *r, struct cfg_node *n)
{
	const struct cfg_iface *link = cfg_default_link(n);
	struct cfg_route *route;

	if (!link)
		return;
	route = cfg_alloc(r->keep, sizeof(*route));
	route->to.addr.family = link->peer.family == AF_INET6 ? AF_INET6 : AF_INET;
	route->table = 254;
	route->hops = cfg_alloc(r->keep, sizeof(*route->hops));
	route->hops->via = link->peer;
	route->hops->weight = 1;
	memcpy(route->hops->dev, link->name, sizeof(link->name));
	route->n_hops = 1;
	n->routes = route;
	n->n_routes = 1;
}

static void
check_node(struct cfg_reader *r, struct cfg_node *n, const struct cfg_src_node *src)
{
	struct onlink o = {.r = r,
		.node = n,
		.own.arena = &r->scratch,
		.far.arena = &r->scratch,
		.networks.arena = &r->scratch,
		.routes.arena = &r->scratch};

	for (size_t i = 0; i < n->n_ifaces; i++)
		learn_iface(&o, &n->ifaces[i]);
	check_node_routes(&o, src);
	check_node_rules(&o, src);
}

void
cfg_check_routes(struct cfg_reader *r)
{
	for (size_t i = 0; i < r->c->n_nodes; i++) {
		struct cfg_node *n = &r->c->nodes[i];

		/* an interface in error would make errors of good routes */
		if (!r->src[i].bad_ifaces && (n->n_routes || n->n_rules))
			check_node(r, n, &r->src[i]);
		if (!r->src[i].routes_given)
			add_default(r, n);
	}
}
