/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Masquerading (nf_nat_masquerade.c): the outside address is that of the interface, and a
 * connection does not outlive it. The kernel is told of interfaces that go down and addresses that
 * leave, and sweeps the table then. Here each packet asks about its own connection, which is the
 * same for whoever uses it, and the others are swept bit by bit once the configuration has changed.
 */
#include "filters/live.h"
#include "nat/state.h"
#include "routing/source.h"

enum { SWEEP_EACH = 64 /* connections for a packet */ };

static bool
has_address(const struct iface *i, uint32_t address)
{
	size_t k;

	for (k = 0; k < i->n_addrs; k++)
		if (i->addrs[k].prefix.addr.family == AF_INET &&
			i->addrs[k].prefix.addr.v4 == address)
			return true;
	return false;
}

/* Addresses of the loopback are of no use elsewhere: then, as inet_select_addr() has it, the first
 * of any interface. */
static struct ip_addr
outside_address(const struct router *r, const struct iface *out, const struct ip_addr *nexthop)
{
	size_t i;

	if (out->kind != IFACE_LOOPBACK)
		return router_link_source(r, out, nexthop);
	for (i = 0; i < r->n_ifaces; i++) {
		const struct iface *other = r->ifaces[i];

		if (other && other->up && other->kind != IFACE_LOOPBACK && other->n_addrs > 0)
			return router_link_source(r, other, nexthop);
	}
	return (struct ip_addr){.family = AF_UNSPEC};
}

enum filter_verdict
nat_masquerade(struct env *env, const struct router *r, struct conn *c,
	const struct nat_range *range, const struct iface *out, const struct ip_addr *nexthop,
	enum drop_reason *why)
{
	struct conntrack *ct = r->live->filters->conntrack;
	struct nat_range mine = *range;
	struct ip_addr address;
	enum filter_verdict v;

	/* it has no address yet (DHCP): nothing to be hidden */
	if (c->tuple[CT_DIR_ORIGINAL].src.v4 == 0)
		return FILTER_ACCEPT;
	address = outside_address(r, out, nexthop);
	if (address.family != AF_INET) {
		*why = DROP_NAT_ADDRESS;
		return FILTER_DROP;
	}
	mine.flags |= NF_NAT_RANGE_MAP_IPS;
	mine.min_addr = mine.max_addr = address.v4;
	v = nat_setup(env, ct, c, &mine, NAT_SRC, why);
	if (v == FILTER_ACCEPT && !c->masq_slot && !(c->status & CT_CONFIRMED)) {
		c->masq_slot = out->slot;
		c->masq_own = has_address(out, address.v4);
		nat_of(ct)->masqueraded++;
	}
	return v;
}

/* An unnumbered link borrows its address: then it is enough that the router has it. */
static bool
router_has_address(const struct router *r, uint32_t address)
{
	size_t i;

	for (i = 0; i < r->n_ifaces; i++)
		if (r->ifaces[i] && r->ifaces[i]->up && has_address(r->ifaces[i], address))
			return true;
	return false;
}

bool
nat_is_stale(const struct router *r, const struct conn *c)
{
	uint32_t address = c->tuple[CT_DIR_REPLY].dst.v4;
	const struct iface *out;

	if (!c->masq_slot)
		return false;
	out = router_iface(r, c->masq_slot);
	if (!out || !out->up)
		return true;
	return !(c->masq_own ? has_address(out, address) : router_has_address(r, address));
}

struct sweep {
	struct env *env;
	const struct router *r;
};

static void
end_stale(void *arg, uint32_t index, struct conn *c)
{
	const struct sweep *s = arg;

	(void)index;
	if (nat_is_stale(s->r, c))
		conntrack_delete(s->env, s->r->live->filters->conntrack, c);
}

void
nat_sweep(struct env *env, const struct router *r)
{
	struct conntrack *ct = r->live->filters->conntrack;
	struct nat *nat = nat_of(ct);
	struct sweep s = {env, r};
	uint32_t version = atomic_load_explicit(&r->live->version.n, memory_order_relaxed);

	if (!nat || nat->masqueraded == 0)
		return;
	if (nat->seen != version) {
		nat->seen = version;
		nat->cursor = 1;
	}
	if (nat->cursor && !conntrack_walk(ct, env->now, &nat->cursor, SWEEP_EACH, end_stale, &s))
		nat->cursor = 0;
}
