/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The routes that come with an interface's addresses (as Linux net/ipv4/fib_frontend.c,
 * fib_add_ifaddr).
 */
#include "routing/fib.h"

#include <errno.h>
#include <stdlib.h>

struct growing {
	struct route **routes;
	size_t *n;
	const struct iface *iface;
	const struct iface_addr *addr;
};

static int
add_route(struct growing *g, enum route_type type, uint32_t table, struct ip_addr to, unsigned len)
{
	struct route *all = realloc(*g->routes, (*g->n + 1) * sizeof(*all));
	struct nexthop *hop;
	struct ip_prefix prefix = {.addr = to, .len = (uint8_t)len};

	if (!all)
		return -ENOMEM;
	*g->routes = all;
	hop = malloc(sizeof(*hop));
	if (!hop)
		return -ENOMEM;
	*hop = (struct nexthop){.oif = g->iface->slot, .weight = 1};
	all[(*g->n)++] = (struct route){
		.to = prefix_network(&prefix),
		.type = type,
		.table = table,
		.src = g->addr->prefix.addr,
		.hops = hop,
		.n_hops = 1,
	};
	return 0;
}

/* An address in the network of an earlier one brings no network of its own. */
static bool
is_secondary(const struct iface *i, const struct iface_addr *a)
{
	const struct iface_addr *b;

	for (b = i->addrs; b < a; b++)
		if (b->prefix.len == a->prefix.len && !ip_is_set(&b->peer) &&
			b->prefix.addr.family == a->prefix.addr.family &&
			prefix_contains(&b->prefix, &a->prefix.addr))
			return true;
	return false;
}

static int
add_network(struct growing *g)
{
	const struct iface *i = g->iface;
	const struct ip_prefix *p = &g->addr->prefix;
	bool loopback = i->kind == IFACE_LOOPBACK;
	int err;

	if (p->len == ip_bits(&p->addr) || is_secondary(i, g->addr))
		return 0;
	err = loopback ? add_route(g, ROUTE_LOCAL, TABLE_LOCAL, p->addr, p->len)
		       : add_route(g, ROUTE_UNICAST, TABLE_MAIN, p->addr, p->len);
	if (err || p->addr.family != AF_INET || p->len >= 31 || i->point_to_point)
		return err;
	return add_route(g, ROUTE_BROADCAST, TABLE_LOCAL, ip4(prefix4_broadcast(p)), 32);
}

static int
add_address(struct growing *g)
{
	const struct iface_addr *a = g->addr;
	unsigned host = ip_bits(&a->prefix.addr);
	int err = add_route(g, ROUTE_LOCAL, TABLE_LOCAL, a->prefix.addr, host);

	if (err || !g->iface->up)
		return err;
	if (ip_is_set(&a->peer))
		return add_route(g, ROUTE_UNICAST, TABLE_MAIN, a->peer, host);
	return add_network(g);
}

int
routes_of_iface(const struct iface *i, struct route **routes, size_t *n)
{
	struct growing g = {.routes = routes, .n = n, .iface = i};
	size_t k;
	int err;

	for (k = 0; k < i->n_addrs; k++) {
		g.addr = &i->addrs[k];
		err = add_address(&g);
		if (err)
			return err;
	}
	return 0;
}

void
routes_free(struct route *routes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(routes[i].hops);
	free(routes);
}
