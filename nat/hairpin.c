/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat/hairpin.h"

static const struct iface *
holder(const struct router *r, const struct ip_addr *a)
{
	size_t i, k;

	for (i = 0; i < r->n_ifaces; i++)
		for (k = 0; r->ifaces[i] && k < r->ifaces[i]->n_addrs; k++)
			if (ip_equal(&r->ifaces[i]->addrs[k].prefix.addr, a))
				return r->ifaces[i];
	return NULL;
}

static const struct iface *
way_to(const struct router *r, const struct ip_addr *dst, const struct pkt *p)
{
	const struct route_key key = {.dst = *dst, .mark = p->mark, .tos = pkt_ip4(p)->tos};
	struct route_result found;

	if (fib_lookup(r->fib, &key, &found) < 0 || !found.hop)
		return NULL;
	return router_iface(r, found.hop->oif);
}

/* A virtual address comes in by the way to the rest of the world. */
static const struct iface *
outer_of(const struct router *r, const struct ip_addr *dst, const struct pkt *p)
{
	const struct iface *i = holder(r, dst);
	const struct ip_addr anywhere = ip4(INADDR_ANY);

	if (i && i->kind > IFACE_DUMMY)
		return i;
	return i ? way_to(r, &anywhere, p) : way_to(r, dst, p);
}

const struct iface *
nat_hairpin_outer(const struct router *r, const struct pkt *p)
{
	struct ip_addr dst = ip4(pkt_ip4(p)->daddr);
	const struct iface *outer;

	if (!r->hairpin || !p->in || p->in->kind <= IFACE_DUMMY ||
		(fib_addr_type(r->fib, &dst) != ROUTE_LOCAL && !router_answers_for(r, &dst)))
		return NULL;
	outer = outer_of(r, &dst, p);
	return outer == p->in ? NULL : outer;
}

bool
nat_hairpin_applies(const struct router *r, const struct pkt *p, const struct conn *c)
{
	if (!r->hairpin || !p->in || !p->out || !(c->status & CT_DST_NAT))
		return false;
	return p->in == p->out || way_to(r, &c->tuple[CT_DIR_ORIGINAL].src, p) == p->out;
}
