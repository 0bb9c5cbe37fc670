/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets that change the mark of a packet or its connection, or a field of the IPv4 header. */
#include "fabric/base/csum.h"
#include "filters/conntrack.h"
#include "filters/extensions.h"
#include "filters/live.h"

#include <arpa/inet.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_DSCP.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter_ipv4/ipt_TTL.h>

enum { SHIFT_MAX = 31, ECN_BITS = 3 };

/* Revision 0 of TOS, which the kernel has forgotten and libxtables still writes. */
struct tos_target_info_0 {
	uint8_t tos;
};

static enum filter_verdict
mark_run(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_mark_tginfo2 *o = options;

	(void)state;
	c->p->mark = (c->p->mark & ~o->mask) ^ o->mark;
	return FILTER_CONTINUE;
}

static uint32_t
shifted(const struct xt_connmark_tginfo2 *o, uint32_t mark)
{
	return o->shift_dir == D_SHIFT_RIGHT ? mark >> o->shift_bits : mark << o->shift_bits;
}

/* --set-mark shifts what results, the others shift what they carry over, as the kernel does. */
static void
connmark_apply(struct filter_ctx *c, struct conn *conn, const struct xt_connmark_tginfo2 *o)
{
	struct pkt *p = c->p;
	uint32_t mark;

	if (o->mode == XT_CONNMARK_RESTORE) {
		p->mark = (p->mark & ~o->nfmask) ^ shifted(o, conn->mark & o->ctmask);
		return;
	}
	if (o->mode == XT_CONNMARK_SET)
		mark = shifted(o, (conn->mark & ~o->ctmask) ^ o->ctmark);
	else
		mark = (conn->mark & ~o->ctmask) ^ shifted(o, p->mark & o->nfmask);
	if (mark != conn->mark)
		conntrack_set_mark(c->router->live->filters->conntrack, conn, mark);
}

/* A mark that changes with each packet (--xor-mark) leaves no path that holds: it ends them. */
static enum filter_verdict
connmark_run(struct filter_ctx *c, const void *options, void *state)
{
	struct conn *conn = conntrack_of(c->router, c->p);

	(void)state;
	if (conn)
		connmark_apply(c, conn, options);
	return FILTER_CONTINUE;
}

static int
connmark_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_connmark_tginfo2 *o = options;

	(void)prepared;
	if (o->mode > XT_CONNMARK_RESTORE)
		return ext_refuse(c, "unknown mode %u", o->mode);
	if (o->shift_bits > SHIFT_MAX)
		return ext_refuse(c, "shift by %u bits", o->shift_bits);
	return 0;
}

static struct xt_connmark_tginfo2
connmark_of_1(const struct xt_connmark_tginfo1 *o)
{
	return (struct xt_connmark_tginfo2){
		.ctmark = o->ctmark, .ctmask = o->ctmask, .nfmask = o->nfmask, .mode = o->mode};
}

static enum filter_verdict
connmark_run_1(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_connmark_tginfo2 same = connmark_of_1(options);

	return connmark_run(c, &same, state);
}

static int
connmark_check_1(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_connmark_tginfo2 same = connmark_of_1(options);

	return connmark_check(c, &same, prepared);
}

static uint8_t
moved_ttl(const struct ipt_TTL_info *o, uint8_t ttl)
{
	switch (o->mode) {
	case IPT_TTL_SET:
		return o->ttl;
	case IPT_TTL_INC:
		return (uint8_t)RTE_MIN(ttl + o->ttl, UINT8_MAX);
	default:
		return (uint8_t)RTE_MAX(ttl - o->ttl, 0);
	}
}

/* A packet whose time to live this ends is not dropped here: whoever forwards it next does that. */
static enum filter_verdict
ttl_run(struct filter_ctx *c, const void *options, void *state)
{
	struct iphdr *ip = pkt_ip4(c->p);
	uint8_t ttl = moved_ttl(options, ip->ttl);

	(void)state;
	record_guard(c->p->recorder, GUARD_TTL);
	if (ttl != ip->ttl) {
		ip->check = csum_replace2(
			ip->check, htons((uint16_t)(ip->ttl << 8)), htons((uint16_t)(ttl << 8)));
		ip->ttl = ttl;
	}
	return FILTER_CONTINUE;
}

static int
ttl_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct ipt_TTL_info *o = options;

	(void)prepared;
	if (o->mode > IPT_TTL_MAXMODE)
		return ext_refuse(c, "unknown mode %u", o->mode);
	if (o->mode != IPT_TTL_SET && o->ttl == 0)
		return ext_refuse(c, "a change by 0");
	return 0;
}

/* Keeps the bits of `keep`, and inverts those of `flip` after that. */
static enum filter_verdict
change_tos(struct filter_ctx *c, uint8_t keep, uint8_t flip)
{
	struct iphdr *ip = pkt_ip4(c->p);
	uint8_t tos = (ip->tos & keep) ^ flip;

	if (tos != ip->tos) {
		ip->check = csum_replace2(ip->check, htons(ip->tos), htons(tos));
		ip->tos = tos;
	}
	return FILTER_CONTINUE;
}

static enum filter_verdict
tos_run_0(struct filter_ctx *c, const void *options, void *state)
{
	const struct tos_target_info_0 *o = options;

	(void)state;
	return change_tos(c, IPTOS_PREC_MASK, o->tos);
}

/* The five values that RFC 1349 knows; so the precedence is never touched. */
static int
tos_check_0(const struct ext_check *c, const void *options, void **prepared)
{
	const struct tos_target_info_0 *o = options;

	(void)prepared;
	switch (o->tos) {
	case 0:
	case IPTOS_LOWDELAY:
	case IPTOS_THROUGHPUT:
	case IPTOS_RELIABILITY:
	case IPTOS_MINCOST:
		return 0;
	}
	return ext_refuse(c, "unknown type of service 0x%02x", o->tos);
}

static enum filter_verdict
tos_run(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_tos_target_info *o = options;

	(void)state;
	return change_tos(c, (uint8_t)~o->tos_mask, o->tos_value);
}

static enum filter_verdict
dscp_run(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_DSCP_info *o = options;

	(void)state;
	return change_tos(c, ECN_BITS, (uint8_t)(o->dscp << XT_DSCP_SHIFT));
}

static int
dscp_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_DSCP_info *o = options;

	(void)prepared;
	return o->dscp > XT_DSCP_MAX
		       ? ext_refuse(c, "DSCP %u is more than %d", o->dscp, XT_DSCP_MAX)
		       : 0;
}

const struct target_ops target_alter[] = {
	{
		.name = "MARK",
		.revision = 2,
		.size = XT_ALIGN(sizeof(struct xt_mark_tginfo2)),
		.reads = READS_KEY,
		.run = mark_run,
	},
	{
		.name = "CONNMARK",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_connmark_tginfo1)),
		.reads = READS_STATE,
		.needs = NEEDS_CONNTRACK,
		.check = connmark_check_1,
		.run = connmark_run_1,
	},
	{
		.name = "CONNMARK",
		.revision = 2,
		.size = XT_ALIGN(sizeof(struct xt_connmark_tginfo2)),
		.reads = READS_STATE,
		.needs = NEEDS_CONNTRACK,
		.check = connmark_check,
		.run = connmark_run,
	},
	{
		.name = "TTL",
		.size = XT_ALIGN(sizeof(struct ipt_TTL_info)),
		.reads = READS_GUARD,
		.tables = 1 << TABLE_MANGLE,
		.check = ttl_check,
		.run = ttl_run,
	},
	{
		.name = "TOS",
		.size = XT_ALIGN(sizeof(struct tos_target_info_0)),
		.reads = READS_GUARD,
		.tables = 1 << TABLE_MANGLE,
		.check = tos_check_0,
		.run = tos_run_0,
	},
	{
		.name = "TOS",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_tos_target_info)),
		.reads = READS_GUARD,
		.tables = 1 << TABLE_MANGLE,
		.run = tos_run,
	},
	{
		.name = "DSCP",
		.size = XT_ALIGN(sizeof(struct xt_DSCP_info)),
		.reads = READS_GUARD,
		.tables = 1 << TABLE_MANGLE,
		.check = dscp_check,
		.run = dscp_run,
	},
	{0},
};
