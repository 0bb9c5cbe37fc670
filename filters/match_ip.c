/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matches on the IPv4 header and on what the router makes of its addresses. */
#include "filters/extensions.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter_ipv4/ipt_ttl.h>

/* Revision 0 of tos, which the kernel has forgotten and libxtables still writes. */
struct tos_info_0 {
	uint8_t tos, invert;
};

static bool
within(uint32_t addr, uint32_t min, uint32_t max)
{
	return ntohl(addr) >= ntohl(min) && ntohl(addr) <= ntohl(max);
}

static bool
iprange_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_iprange_mtinfo *o = options;
	const struct iphdr *ip = pkt_ip4(c->p);

	(void)state;
	if (o->flags & IPRANGE_SRC &&
		within(ip->saddr, o->src_min.ip, o->src_max.ip) == !!(o->flags & IPRANGE_SRC_INV))
		return false;
	return !(o->flags & IPRANGE_DST) ||
	       within(ip->daddr, o->dst_min.ip, o->dst_max.ip) != !!(o->flags & IPRANGE_DST_INV);
}

/* A super-packet is one packet of its whole length. */
static bool
length_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_length_info *o = options;
	uint32_t len = pkt_len(c->p);

	(void)state;
	record_guard(c->p->recorder, GUARD_LENGTH);
	return (len >= o->min && len <= o->max) != !!o->invert;
}

static bool
ttl_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct ipt_ttl_info *o = options;
	uint8_t ttl = pkt_ip4(c->p)->ttl;

	(void)state;
	record_guard(c->p->recorder, GUARD_TTL);
	switch (o->mode) {
	case IPT_TTL_EQ:
		return ttl == o->ttl;
	case IPT_TTL_NE:
		return ttl != o->ttl;
	case IPT_TTL_LT:
		return ttl < o->ttl;
	default:
		return ttl > o->ttl;
	}
}

static int
ttl_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct ipt_ttl_info *o = options;

	(void)prepared;
	return o->mode > IPT_TTL_GT ? ext_refuse(c, "unknown comparison %u", o->mode) : 0;
}

static bool
tos_match_0(struct filter_ctx *c, const void *options, void *state)
{
	const struct tos_info_0 *o = options;

	(void)state;
	return (pkt_ip4(c->p)->tos == o->tos) != !!o->invert;
}

static bool
tos_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_tos_match_info *o = options;

	(void)state;
	return ((pkt_ip4(c->p)->tos & o->tos_mask) == o->tos_value) != !!o->invert;
}

static bool
dscp_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_dscp_info *o = options;

	(void)state;
	return (pkt_ip4(c->p)->tos >> XT_DSCP_SHIFT == o->dscp) != !!o->invert;
}

static int
dscp_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_dscp_info *o = options;

	(void)prepared;
	return o->dscp > XT_DSCP_MAX
		       ? ext_refuse(c, "DSCP %u is more than %d", o->dscp, XT_DSCP_MAX)
		       : 0;
}

/* The interface that has the local or broadcast address is `dev`. */
static bool
is_of_iface(const struct router *r, const struct ip_addr *a, const struct iface *dev)
{
	const struct route_key key = {.dst = *a};
	struct route_result found;

	return fib_lookup(r->fib, &key, &found) == 0 && found.hop && found.hop->oif == dev->slot;
}

/*
 * As inet_dev_addr_type() (net/ipv4/fib_frontend.c), one XT_ADDRTYPE_ bit; `dev` NULL: any
 * interface. It asks the local table only, and takes a route that refuses for none: so the kernel
 * never finds an IPv4 address to be ANYCAST, BLACKHOLE, UNREACHABLE or PROHIBIT.
 */
static uint16_t
type_of(const struct filter_ctx *c, const struct iface *dev, uint32_t addr)
{
	struct ip_addr a = ip4(addr);
	enum route_type type;

	if (addr == INADDR_ANY || addr == INADDR_BROADCAST)
		return XT_ADDRTYPE_BROADCAST;
	if (ip4_is_multicast(addr))
		return XT_ADDRTYPE_MULTICAST;
	record_read(c->p->recorder, &c->router->live->version);
	type = fib_addr_type(c->router->fib, &a);
	if (type == ROUTE_UNICAST || (dev && !is_of_iface(c->router, &a, dev)))
		return XT_ADDRTYPE_UNICAST;
	return type == ROUTE_LOCAL ? XT_ADDRTYPE_LOCAL : XT_ADDRTYPE_BROADCAST;
}

static bool
types_match(
	const struct filter_ctx *c, const struct iface *dev, const struct xt_addrtype_info_v1 *o)
{
	const struct iphdr *ip = pkt_ip4(c->p);

	if (o->source && !(type_of(c, dev, ip->saddr) & o->source) ==
				 !(o->flags & XT_ADDRTYPE_INVERT_SOURCE))
		return false;
	return !o->dest ||
	       !(type_of(c, dev, ip->daddr) & o->dest) != !(o->flags & XT_ADDRTYPE_INVERT_DEST);
}

static bool
addrtype_match_0(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_addrtype_info *o = options;
	const struct xt_addrtype_info_v1 same = {
		.source = o->source,
		.dest = o->dest,
		.flags = (o->invert_source ? XT_ADDRTYPE_INVERT_SOURCE : 0) |
			 (o->invert_dest ? XT_ADDRTYPE_INVERT_DEST : 0),
	};

	(void)state;
	return types_match(c, NULL, &same);
}

static bool
addrtype_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_addrtype_info_v1 *o = options;
	const struct iface *dev = NULL;

	(void)state;
	if (o->flags & XT_ADDRTYPE_LIMIT_IFACE_IN)
		dev = c->in;
	else if (o->flags & XT_ADDRTYPE_LIMIT_IFACE_OUT)
		dev = c->out;
	return types_match(c, dev, o);
}

static int
addrtype_check(const struct ext_check *c, const void *options, void **prepared)
{
	const uint32_t first = 1 << RULES_PREROUTING | 1 << RULES_INPUT;
	const uint32_t last = 1 << RULES_POSTROUTING | 1 << RULES_OUTPUT;
	const struct xt_addrtype_info_v1 *o = options;
	bool in = o->flags & XT_ADDRTYPE_LIMIT_IFACE_IN,
	     out = o->flags & XT_ADDRTYPE_LIMIT_IFACE_OUT;

	(void)prepared;
	if (in && out)
		return ext_refuse(c, "--limit-iface-in and --limit-iface-out exclude each other");
	if (out && c->hooks & first)
		return ext_refuse(c, "--limit-iface-out is not possible in PREROUTING and INPUT");
	if (in && c->hooks & last)
		return ext_refuse(c, "--limit-iface-in is not possible in POSTROUTING and OUTPUT");
	return 0;
}

/* What is on its way out has no type yet, be it a broadcast: only arriving makes it one. */
static int
packet_type(const struct filter_ctx *c)
{
	if (c->hook == RULES_OUTPUT || c->hook == RULES_POSTROUTING)
		return PACKET_HOST;
	if (c->p->flags & PKT_BROADCAST)
		return PACKET_BROADCAST;
	return c->p->flags & PKT_MULTICAST ? PACKET_MULTICAST : PACKET_HOST;
}

static bool
pkttype_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_pkttype_info *o = options;

	(void)state;
	return (packet_type(c) == o->pkttype) != !!o->invert;
}

const struct match_ops match_ip[] = {
	{
		.name = "iprange",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_iprange_mtinfo)),
		.reads = READS_KEY,
		.match = iprange_match,
	},
	{
		.name = "length",
		.size = XT_ALIGN(sizeof(struct xt_length_info)),
		.reads = READS_GUARD,
		.match = length_match,
	},
	{
		.name = "ttl",
		.size = XT_ALIGN(sizeof(struct ipt_ttl_info)),
		.reads = READS_GUARD,
		.check = ttl_check,
		.match = ttl_match,
	},
	{
		.name = "tos",
		.size = XT_ALIGN(sizeof(struct tos_info_0)),
		.reads = READS_GUARD,
		.match = tos_match_0,
	},
	{
		.name = "tos",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_tos_match_info)),
		.reads = READS_GUARD,
		.match = tos_match,
	},
	{
		.name = "dscp",
		.size = XT_ALIGN(sizeof(struct xt_dscp_info)),
		.reads = READS_GUARD,
		.check = dscp_check,
		.match = dscp_match,
	},
	{
		.name = "addrtype",
		.size = XT_ALIGN(sizeof(struct xt_addrtype_info)),
		.reads = READS_STATE,
		.match = addrtype_match_0,
	},
	{
		.name = "addrtype",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_addrtype_info_v1)),
		.reads = READS_STATE,
		.check = addrtype_check,
		.match = addrtype_match,
	},
	{
		.name = "pkttype",
		.size = XT_ALIGN(sizeof(struct xt_pkttype_info)),
		.reads = READS_GUARD,
		.match = pkttype_match,
	},
	{0},
};
