/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state, conntrack, connmark, connbytes: what connection tracking knows of a packet
 * (net/netfilter/xt_state.c, xt_conntrack.c, xt_connmark.c, xt_connbytes.c).
 */
#include "filters/conntrack.h"
#include "filters/extensions.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_connbytes.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

static bool
state_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_state_info *o = options;

	(void)state;
	return o->statemask & conntrack_state_bit(c->p);
}

/* One side of a tuple against address and mask, network byte order. */
static bool
ct_address_is(
	const struct ip_addr *a, const union nf_inet_addr *want, const union nf_inet_addr *mask)
{
	unsigned words = a->family == AF_INET6 ? 4 : 1;

	for (unsigned i = 0; i < words; i++)
		if ((a->w[i] ^ want->all[i]) & mask->all[i])
			return false;
	return true;
}

static bool
ct_addresses_are(const struct conn *conn, const struct xt_conntrack_mtinfo3 *o)
{
	const struct ct_tuple *t = conn->tuple;
	const struct {
		uint16_t flag;
		const struct ip_addr *addr;
		const union nf_inet_addr *want, *mask;
	} rows[] = {
		{XT_CONNTRACK_ORIGSRC, &t[CT_DIR_ORIGINAL].src, &o->origsrc_addr, &o->origsrc_mask},
		{XT_CONNTRACK_ORIGDST, &t[CT_DIR_ORIGINAL].dst, &o->origdst_addr, &o->origdst_mask},
		{XT_CONNTRACK_REPLSRC, &t[CT_DIR_REPLY].src, &o->replsrc_addr, &o->replsrc_mask},
		{XT_CONNTRACK_REPLDST, &t[CT_DIR_REPLY].dst, &o->repldst_addr, &o->repldst_mask},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (o->match_flags & rows[i].flag &&
			ct_address_is(rows[i].addr, rows[i].want, rows[i].mask) ==
				!!(o->invert_flags & rows[i].flag))
			return false;
	return true;
}

/* Host byte order; what of ICMP takes the place of a port is in host order already. */
static uint16_t
ct_port(const struct ct_tuple *t, bool dst)
{
	if (!dst)
		return ntohs(t->sport);
	return t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6 ? t->dport : ntohs(t->dport);
}

/* `o` in the form of revision 3. */
static bool
ct_ports_are(const struct conn *conn, const struct xt_conntrack_mtinfo3 *o)
{
	const struct ct_tuple *orig = &conn->tuple[CT_DIR_ORIGINAL];
	const struct ct_tuple *repl = &conn->tuple[CT_DIR_REPLY];
	const struct {
		uint16_t flag, port, low, high;
	} rows[] = {
		{XT_CONNTRACK_ORIGSRC_PORT, ct_port(orig, false), o->origsrc_port,
			o->origsrc_port_high},
		{XT_CONNTRACK_ORIGDST_PORT, ct_port(orig, true), o->origdst_port,
			o->origdst_port_high},
		{XT_CONNTRACK_REPLSRC_PORT, ct_port(repl, false), o->replsrc_port,
			o->replsrc_port_high},
		{XT_CONNTRACK_REPLDST_PORT, ct_port(repl, true), o->repldst_port,
			o->repldst_port_high},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (o->match_flags & rows[i].flag &&
			(rows[i].port >= rows[i].low && rows[i].port <= rows[i].high) ==
				!!(o->invert_flags & rows[i].flag))
			return false;
	return true;
}

/* With the bits of xt_conntrack.h, which are not all those of xt_state.h. */
static uint32_t
ct_state_bits(const struct pkt *p, const struct conn *conn)
{
	uint32_t bits = conntrack_state_bit(p);

	if (!conn)
		return bits == XT_STATE_UNTRACKED ? XT_CONNTRACK_STATE_UNTRACKED : bits;
	if (conn->status & CT_SRC_NAT)
		bits |= XT_CONNTRACK_STATE_SNAT;
	if (conn->status & CT_DST_NAT)
		bits |= XT_CONNTRACK_STATE_DNAT;
	return bits;
}

static bool
ct_expires_in(struct filter_ctx *c, const struct conn *conn, const struct xt_conntrack_mtinfo3 *o)
{
	uint64_t now = c->env->now;
	uint64_t left = conn->expires > now ? (conn->expires - now) / 1000000000 : 0;

	record_refuse(c->p->recorder, "a rule asks when its connection expires");
	return left >= o->expires_min && left <= o->expires_max;
}

static bool
ct_match_conn(struct filter_ctx *c, const struct conn *conn, const struct xt_conntrack_mtinfo3 *o)
{
	uint16_t flags = o->match_flags, invert = o->invert_flags;

	if (flags & XT_CONNTRACK_DIRECTION &&
		(ct_dir(c->p) == CT_DIR_ORIGINAL) == !!(invert & XT_CONNTRACK_DIRECTION))
		return false;
	if (!ct_addresses_are(conn, o))
		return false;
	if (flags & XT_CONNTRACK_PROTO &&
		(conn->proto == o->l4proto) == !!(invert & XT_CONNTRACK_PROTO))
		return false;
	if (!ct_ports_are(conn, o))
		return false;
	if (flags & XT_CONNTRACK_STATUS &&
		!!(conn->status & o->status_mask) == !!(invert & XT_CONNTRACK_STATUS))
		return false;
	return !(flags & XT_CONNTRACK_EXPIRES) ||
		ct_expires_in(c, conn, o) != !!(invert & XT_CONNTRACK_EXPIRES);
}

static bool
ct_match(struct filter_ctx *c, const struct xt_conntrack_mtinfo3 *o)
{
	struct conn *conn = conntrack_of(c->router, c->p);

	if (o->match_flags & XT_CONNTRACK_STATE &&
		!!(ct_state_bits(c->p, conn) & o->state_mask) ==
			!!(o->invert_flags & XT_CONNTRACK_STATE))
		return false;
	if (!conn)
		return o->match_flags & XT_CONNTRACK_STATE;
	return ct_match_conn(c, conn, o);
}

static bool
conntrack_match_v3(struct filter_ctx *c, const void *options, void *state)
{
	(void)state;
	return ct_match(c, options);
}

/* Revisions 1 and 2 begin as 3 does; their ports are single ones in network byte order. */
static void
conntrack_widen(struct xt_conntrack_mtinfo3 *o)
{
	o->origsrc_port = o->origsrc_port_high = ntohs(o->origsrc_port);
	o->origdst_port = o->origdst_port_high = ntohs(o->origdst_port);
	o->replsrc_port = o->replsrc_port_high = ntohs(o->replsrc_port);
	o->repldst_port = o->repldst_port_high = ntohs(o->repldst_port);
}

static bool
conntrack_match_v2(struct filter_ctx *c, const void *options, void *state)
{
	struct xt_conntrack_mtinfo3 o = {0};

	(void)state;
	memcpy(&o, options, sizeof(struct xt_conntrack_mtinfo2));
	conntrack_widen(&o);
	return ct_match(c, &o);
}

static bool
conntrack_match_v1(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_conntrack_mtinfo1 *old = options;
	struct xt_conntrack_mtinfo3 o = {0};

	(void)state;
	memcpy(&o, old, offsetof(struct xt_conntrack_mtinfo1, state_mask));
	o.state_mask = old->state_mask;
	o.status_mask = old->status_mask;
	conntrack_widen(&o);
	return ct_match(c, &o);
}

/* In raw, behind -j CT, a packet has what the kernel calls a template: a connection without a mark. */
static bool
is_template(const struct filter_ctx *c)
{
	return c->table == TABLE_RAW && c->p->ct_zone_dir != 0;
}

static bool
connmark_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_connmark_mtinfo1 *o = options;
	struct conn *conn = conntrack_of(c->router, c->p);

	(void)state;
	if (!conn)
		return is_template(c) && (o->mark == 0) != !!o->invert;
	return ((conn->mark & o->mask) == o->mark) != !!o->invert;
}

static int
connbytes_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_connbytes_info *o = options;

	(void)prepared;
	if (o->what > XT_CONNBYTES_AVGPKT)
		return ext_refuse(c, "unknown --connbytes-mode %u", o->what);
	if (o->direction > XT_CONNBYTES_DIR_BOTH)
		return ext_refuse(c, "unknown --connbytes-dir %u", o->direction);
	return 0;
}

static uint64_t
connbytes_value(const struct conn *conn, const struct xt_connbytes_info *o)
{
	uint64_t packets = 0, bytes = 0;

	if (o->direction != XT_CONNBYTES_DIR_REPLY) {
		packets += conn->count[CT_DIR_ORIGINAL].packets;
		bytes += conn->count[CT_DIR_ORIGINAL].bytes;
	}
	if (o->direction != XT_CONNBYTES_DIR_ORIGINAL) {
		packets += conn->count[CT_DIR_REPLY].packets;
		bytes += conn->count[CT_DIR_REPLY].bytes;
	}
	if (o->what == XT_CONNBYTES_PKTS)
		return packets;
	if (o->what == XT_CONNBYTES_BYTES)
		return bytes;
	return packets ? bytes / packets : 0;
}

/* Inverted: libxtables swaps the bounds. */
static bool
connbytes_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_connbytes_info *o = options;
	const struct conn *conn = conntrack_of(c->router, c->p);
	uint64_t value;

	(void)state;
	if (!conn)
		return false;
	value = connbytes_value(conn, o);
	if (o->count.to >= o->count.from)
		return value >= o->count.from && value <= o->count.to;
	return value < o->count.to || value > o->count.from;
}

#define CONNTRACK(number) \
	{ \
		.name = "conntrack", .revision = number, \
		.size = XT_ALIGN(sizeof(struct xt_conntrack_mtinfo##number)), \
		.reads = READS_STATE, .needs = NEEDS_CONNTRACK, .match = conntrack_match_v##number, \
	}

const struct match_ops match_conn[] = {
	{
		.name = "state",
		.size = XT_ALIGN(sizeof(struct xt_state_info)),
		.reads = READS_STATE,
		.needs = NEEDS_CONNTRACK,
		.match = state_match,
	},
	CONNTRACK(1),
	CONNTRACK(2),
	CONNTRACK(3),
	{
		.name = "connmark",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_connmark_mtinfo1)),
		.reads = READS_STATE,
		.needs = NEEDS_CONNTRACK,
		.match = connmark_match,
	},
	{
		.name = "connbytes",
		.size = XT_ALIGN(sizeof(struct xt_connbytes_info)),
		.reads = READS_NEVER,
		.needs = NEEDS_CONNTRACK,
		.check = connbytes_check,
		.match = connbytes_match,
	},
	{0},
};
