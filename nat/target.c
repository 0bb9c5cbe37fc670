/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SNAT, DNAT, MASQUERADE, REDIRECT, NETMAP (xt_nat.c, xt_MASQUERADE.c, nf_nat_redirect.c,
 * xt_NETMAP.c). All options become one struct nat_range when the rule is judged.
 */
#include "filters/extensions.h"
#include "filters/live.h"
#include "nat/nat.h"

#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <stdlib.h>

enum {
	SOURCE_HOOKS = 1 << RULES_POSTROUTING | 1 << RULES_INPUT,
	DESTINATION_HOOKS = 1 << RULES_PREROUTING | 1 << RULES_OUTPUT,
};

static int
prepare(const struct nat_range *range, void **prepared)
{
	struct nat_range *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *range;
	*prepared = copy;
	return 0;
}

static struct nat_range
range_of(const struct nf_nat_ipv4_range *from)
{
	return (struct nat_range){
		.flags = from->flags,
		.min_addr = from->min_ip,
		.max_addr = from->max_ip,
		.min_port = ntohs(from->min.all),
		.max_port = ntohs(from->max.all),
	};
}

static int
check_order(const struct ext_check *c, const struct nat_range *range)
{
	if (range->flags & NF_NAT_RANGE_MAP_IPS && ntohl(range->min_addr) > ntohl(range->max_addr))
		return ext_refuse(c, "the first address is above the last one");
	return 0;
}

static int
check_compat(const struct ext_check *c, const struct nf_nat_ipv4_multi_range_compat *mr,
	struct nat_range *range)
{
	if (mr->rangesize != 1)
		return ext_refuse(c, "multiple ranges no longer supported");
	*range = range_of(&mr->range[0]);
	return 0;
}

static int
check_v0(const struct ext_check *c, const void *options, void **prepared)
{
	struct nat_range range;
	int rc = check_compat(c, options, &range);

	if (rc == 0)
		rc = check_order(c, &range);
	return rc < 0 ? rc : prepare(&range, prepared);
}

static int
check_v1(const struct ext_check *c, const void *options, void **prepared)
{
	const struct nf_nat_range *o = options;
	const struct nat_range range = {
		.flags = o->flags & ~(uint32_t)NF_NAT_RANGE_PROTO_OFFSET,
		.min_addr = o->min_addr.ip,
		.max_addr = o->max_addr.ip,
		.min_port = ntohs(o->min_proto.all),
		.max_port = ntohs(o->max_proto.all),
	};
	int rc = check_order(c, &range);

	return rc < 0 ? rc : prepare(&range, prepared);
}

static int
check_v2(const struct ext_check *c, const void *options, void **prepared)
{
	const struct nf_nat_range2 *o = options;
	const struct nat_range range = {
		.flags = o->flags,
		.min_addr = o->min_addr.ip,
		.max_addr = o->max_addr.ip,
		.min_port = ntohs(o->min_proto.all),
		.max_port = ntohs(o->max_proto.all),
		.base_port = ntohs(o->base_proto.all),
	};
	int rc = check_order(c, &range);

	return rc < 0 ? rc : prepare(&range, prepared);
}

/* MASQUERADE and REDIRECT find the address themselves. */
static int
check_no_address(const struct ext_check *c, const void *options, void **prepared)
{
	struct nat_range range;
	int rc = check_compat(c, options, &range);

	if (rc == 0 && range.flags & NF_NAT_RANGE_MAP_IPS)
		rc = ext_refuse(c, "an address does not belong here");
	return rc < 0 ? rc : prepare(&range, prepared);
}

static int
check_netmap(const struct ext_check *c, const void *options, void **prepared)
{
	struct nat_range range;
	int rc = check_compat(c, options, &range);

	if (rc == 0 && !(range.flags & NF_NAT_RANGE_MAP_IPS))
		rc = ext_refuse(c, "the network is missing");
	return rc < 0 ? rc : prepare(&range, prepared);
}

static enum filter_verdict
setup(struct filter_ctx *c, const struct nat_range *range, enum nat_manip manip)
{
	struct conn *conn = conntrack_of(c->router, c->p);

	if (!conn)
		return FILTER_CONTINUE;
	return nat_setup(c->env, c->router->live->filters->conntrack, conn, range, manip, &c->why);
}

static enum filter_verdict
setup_address(
	struct filter_ctx *c, const struct nat_range *range, enum nat_manip manip, uint32_t address)
{
	struct nat_range one = *range;

	one.flags |= NF_NAT_RANGE_MAP_IPS;
	one.min_addr = one.max_addr = address;
	return setup(c, &one, manip);
}

static enum filter_verdict
run_snat(struct filter_ctx *c, const void *options, void *state)
{
	(void)state;
	return setup(c, options, NAT_SRC);
}

static enum filter_verdict
run_dnat(struct filter_ctx *c, const void *options, void *state)
{
	(void)state;
	return setup(c, options, NAT_DST);
}

static enum filter_verdict
run_masquerade(struct filter_ctx *c, const void *options, void *state)
{
	struct conn *conn = conntrack_of(c->router, c->p);

	(void)state;
	if (!conn || !c->out)
		return FILTER_CONTINUE;
	return nat_masquerade(c->env, c->router, conn, options, c->out, &c->p->nexthop, &c->why);
}

/* 0: it has none. */
static uint32_t
first_address(const struct iface *i)
{
	size_t k;

	for (k = 0; i && k < i->n_addrs; k++)
		if (i->addrs[k].prefix.addr.family == AF_INET)
			return i->addrs[k].prefix.addr.v4;
	return 0;
}

static enum filter_verdict
run_redirect(struct filter_ctx *c, const void *options, void *state)
{
	uint32_t address = c->hook == RULES_OUTPUT ? htonl(INADDR_LOOPBACK) : first_address(c->in);

	(void)state;
	if (address == 0) {
		c->why = DROP_NAT_ADDRESS;
		return FILTER_DROP;
	}
	return setup_address(c, options, NAT_DST, address);
}

/* The host's part of the address stays. */
static enum filter_verdict
run_netmap(struct filter_ctx *c, const void *options, void *state)
{
	const struct nat_range *o = options;
	enum nat_manip manip = nat_manip_of(c->hook);
	uint32_t mask = ~(o->min_addr ^ o->max_addr);
	uint32_t was = manip == NAT_SRC ? pkt_ip4(c->p)->saddr : pkt_ip4(c->p)->daddr;

	(void)state;
	return setup_address(c, o, manip, (was & ~mask) | (o->min_addr & mask));
}

#define NAT_TARGET(target, number, options, where, judge, act)                                     \
	{                                                                                          \
		.name = target, .revision = number, .size = XT_ALIGN(sizeof(options)),             \
		.reads = READS_STATE, .needs = NEEDS_CONNTRACK, .tables = 1 << TABLE_NAT,          \
		.hooks = where, .check = judge, .release = free, .run = act,                       \
	}

const struct target_ops target_nat[] = {
	NAT_TARGET(
		"SNAT", 0, struct nf_nat_ipv4_multi_range_compat, SOURCE_HOOKS, check_v0, run_snat),
	NAT_TARGET("SNAT", 1, struct nf_nat_range, SOURCE_HOOKS, check_v1, run_snat),
	NAT_TARGET("SNAT", 2, struct nf_nat_range2, SOURCE_HOOKS, check_v2, run_snat),
	NAT_TARGET("DNAT", 0, struct nf_nat_ipv4_multi_range_compat, DESTINATION_HOOKS, check_v0,
		run_dnat),
	NAT_TARGET("DNAT", 1, struct nf_nat_range, DESTINATION_HOOKS, check_v1, run_dnat),
	NAT_TARGET("DNAT", 2, struct nf_nat_range2, DESTINATION_HOOKS, check_v2, run_dnat),
	NAT_TARGET("MASQUERADE", 0, struct nf_nat_ipv4_multi_range_compat, 1 << RULES_POSTROUTING,
		check_no_address, run_masquerade),
	NAT_TARGET("REDIRECT", 0, struct nf_nat_ipv4_multi_range_compat, DESTINATION_HOOKS,
		check_no_address, run_redirect),
	NAT_TARGET("NETMAP", 0, struct nf_nat_ipv4_multi_range_compat,
		SOURCE_HOOKS | DESTINATION_HOOKS, check_netmap, run_netmap),
	{0},
};
