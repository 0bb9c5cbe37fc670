/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the configuration says of a sharer, and what it answers from that: which addresses its stack has, and its way on the LAN. */
#include "drivers/osa/sharer.h"

#include <stdlib.h>

void
sharer_settings_fini(struct sharer_settings *set)
{
	free(set->takeover.list);
	free(set->own);
	free(set->routes);
}

static int
by_address(const void *x, const void *y)
{
	return ip_order(x, y);
}

/* Longest prefix first. */
static int
by_length(const void *x, const void *y)
{
	const struct sharer_route *a = x, *b = y;

	return (int)b->to.len - (int)a->to.len;
}

static void
sort(struct sharer_settings *set)
{
	if (set->n_own)
		qsort(set->own, set->n_own, sizeof(*set->own), by_address);
	if (set->n_routes)
		qsort(set->routes, set->n_routes, sizeof(*set->routes), by_length);
}

static bool
same_list(const void *x, size_t n, const void *y, size_t m, size_t each)
{
	return n == m && (n == 0 || memcmp(x, y, n * each) == 0);
}

static bool
same_settings(const struct sharer_settings *x, const struct sharer_settings *y)
{
	return x->target.kind == y->target.kind && x->target.a == y->target.a && x->target.b == y->target.b &&
	       mac_equal(&x->mac, &y->mac) && x->router == y->router && x->echo_filter == y->echo_filter &&
	       x->promiscuous == y->promiscuous && x->takeover.enabled == y->takeover.enabled &&
	       x->takeover.invert4 == y->takeover.invert4 && x->takeover.invert6 == y->takeover.invert6 &&
	       same_list(x->takeover.list, x->takeover.n, y->takeover.list, y->takeover.n, sizeof(*x->takeover.list)) &&
	       same_list(x->own, x->n_own, y->own, y->n_own, sizeof(*x->own)) &&
	       same_list(x->routes, x->n_routes, y->routes, y->n_routes, sizeof(*x->routes));
}

bool
sharer_set(struct sharer *s, struct sharer_settings *set)
{
	bool same;

	sort(set);
	same = same_settings(&s->set, set);
	set->isolation = s->set.isolation;
	sharer_settings_fini(&s->set);
	s->set = *set;
	*set = (struct sharer_settings){0};
	return !same;
}

bool
sharer_owns(const struct sharer *s, const struct ip_addr *addr)
{
	return s->set.n_own && bsearch(addr, s->set.own, s->set.n_own, sizeof(*addr), by_address);
}

struct ip_addr
sharer_nexthop(const struct sharer *s, const struct ip_addr *dst)
{
	for (size_t i = 0; i < s->set.n_routes; i++) {
		const struct sharer_route *r = &s->set.routes[i];

		if (r->to.addr.family == dst->family && prefix_contains(&r->to, dst))
			return ip_is_set(&r->via) ? r->via : *dst;
	}
	return *dst;
}

bool
sharer_is_broadcast(const struct sharer *s, const struct ip_addr *dst)
{
	for (size_t i = 0; dst->family == AF_INET && i < s->set.n_routes; i++) {
		const struct sharer_route *r = &s->set.routes[i];

		if (!ip_is_set(&r->via) && r->to.addr.family == AF_INET && r->to.len <= 30 && prefix4_broadcast(&r->to) == dst->v4)
			return true;
	}
	return false;
}
