/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/router.h"

#include "routing/source.h"

#include <errno.h>

static const struct ip_addr no_address = {.family = AF_UNSPEC};

const struct iface *
router_iface_named(const struct router *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n_ifaces; i++)
		if (r->ifaces[i] && strcmp(r->ifaces[i]->name, name) == 0)
			return r->ifaces[i];
	return NULL;
}

static bool
reaches(const struct iface_addr *a, const struct ip_addr *nexthop)
{
	if (ip_is_set(&a->peer))
		return ip_equal(&a->peer, nexthop);
	return prefix_contains(&a->prefix, nexthop);
}

/*
 * The first address of `family` on `i` that reaches `nexthop`, or, with `nexthop` NULL, simply
 * the first.
 */
static const struct ip_addr *
iface_address(const struct iface *i, uint16_t family, const struct ip_addr *nexthop)
{
	size_t k;

	for (k = 0; k < i->n_addrs; k++) {
		const struct iface_addr *a = &i->addrs[k];

		if (a->prefix.addr.family == family && (!nexthop || reaches(a, nexthop)))
			return &a->prefix.addr;
	}
	return NULL;
}

/* The first address of any interface but loopback; of dummies only, or of others only. */
static const struct ip_addr *
router_address(const struct router *r, uint16_t family, bool dummies)
{
	const struct ip_addr *a;
	size_t i;

	for (i = 0; i < r->n_ifaces; i++) {
		const struct iface *f = r->ifaces[i];

		if (!f || !f->up || f->kind == IFACE_LOOPBACK ||
			(f->kind == IFACE_DUMMY) != dummies)
			continue;
		a = iface_address(f, family, NULL);
		if (a)
			return a;
	}
	return NULL;
}

struct ip_addr
router_link_source(const struct router *r, const struct iface *out, const struct ip_addr *nexthop)
{
	uint16_t family = nexthop->family;
	const struct ip_addr *a = iface_address(out, family, nexthop);

	if (!a)
		a = iface_address(out, family, NULL);
	if (!a)
		a = router_address(r, family, true);
	if (!a)
		a = router_address(r, family, false);
	return a ? *a : no_address;
}

struct ip_addr
router_source(const struct router *r, const struct iface *out, const struct ip_addr *nexthop,
	const struct ip_addr *preferred)
{
	if (out->sourcevipa.family == nexthop->family)
		return out->sourcevipa;
	if (preferred && preferred->family == nexthop->family)
		return *preferred;
	return router_link_source(r, out, nexthop);
}

bool
router_answers_for(const struct router *r, const struct ip_addr *a)
{
	size_t low = 0, high = r->n_proxied;
	uint32_t addr = ntohl(a->v4);

	if (a->family != AF_INET)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->proxied[middle].last < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n_proxied && r->proxied[low].first <= addr;
}

int
router_source_for(const struct router *r, const struct ip_addr *to, struct ip_addr *from)
{
	struct route_key key = {.dst = *to, .src = *from};
	struct route_result res;
	const struct iface *out;

	if (fib_lookup(r->fib, &key, &res) < 0)
		return -ENETUNREACH;
	if (ip_is_set(from))
		return 0;
	if (res.route->type == ROUTE_LOCAL) {
		*from = *to;
		return 0;
	}
	out = res.hop ? router_iface(r, res.hop->oif) : NULL;
	if (!out)
		return -ENETUNREACH;
	*from = router_source(r, out, &res.nexthop, &res.route->src);
	return ip_is_set(from) ? 0 : -EADDRNOTAVAIL;
}
