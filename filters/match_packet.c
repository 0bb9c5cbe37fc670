/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matches on what is known of a packet beside its bytes: where it comes from, its mark, how many
 * came before it.
 */
#include "filters/extensions.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_statistic.h>
#include <netinet/ip_icmp.h>

/* A link without MAC addresses never matches, not even inverted (xt_mac.c). */
static bool
mac_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_mac_info *o = options;
	const struct pkt *p = c->p;
	const uint8_t *frame;

	(void)state;
	if (!(p->flags & PKT_HAS_L2) || p->l2_len < 2 * ETH_ALEN)
		return false;
	frame = (const uint8_t *)pkt_data(p) - p->l2_len;
	return (memcmp(frame + ETH_ALEN, o->srcaddr, ETH_ALEN) == 0) != !!o->invert;
}

/* The mark is what earlier rules made of the packet, and they have said what they read. */
static bool
mark_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_mark_mtinfo1 *o = options;

	(void)state;
	return ((c->p->mark & o->mask) == o->mark) != !!o->invert;
}

/* ICMP that a stack sends by itself; a control namespace's own sends requests only. */
static bool
is_stack_icmp(const struct filter_ctx *c)
{
	uint8_t buf;
	const uint8_t *type;

	if (!(c->p->flags & PKT_LOCAL) || c->p->proto != IPPROTO_ICMP || !c->l4)
		return false;
	type = filter_bytes(c, c->p->l3_len, 1, &buf);
	return type && *type != ICMP_ECHO && *type != ICMP_TIMESTAMP && *type != ICMP_ADDRESS;
}

/*
 * The sockets of the control namespace are not known here, so what it sends counts as sent without
 * one, as in the kernel what has no skb->sk (REJECT's resets, forwarded packets). The stack's own
 * ICMP has a socket that no file, so no user, belongs to.
 */
static bool
owner_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_owner_match_info *o = options;

	(void)state;
	if (!is_stack_icmp(c))
		return o->match == o->invert;
	if (o->match & o->invert & XT_OWNER_SOCKET)
		return false;
	return ((o->match ^ o->invert) & (XT_OWNER_UID | XT_OWNER_GID)) == 0;
}

static int
owner_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_owner_match_info *o = options;

	(void)prepared;
	if (o->match & ~XT_OWNER_MASK)
		return ext_refuse(c, "unknown options 0x%x", o->match);
	if (o->match & XT_OWNER_UID && o->uid_max < o->uid_min)
		return ext_refuse(c, "users %u to %u are no range", o->uid_min, o->uid_max);
	if (o->match & XT_OWNER_GID && o->gid_max < o->gid_min)
		return ext_refuse(c, "groups %u to %u are no range", o->gid_min, o->gid_max);
	return 0;
}

static bool
comment_match(struct filter_ctx *c, const void *options, void *state)
{
	(void)c;
	(void)options;
	(void)state;
	return true;
}

struct statistic_state {
	uint32_t count; /* packets since the last that matched */
};

/*
 * `every` is one less than what the user said; the packet numbered `packet`, from 0, is the first
 * to match.
 */
static void
statistic_start(void *state, const void *options, uint64_t now)
{
	const struct xt_statistic_info *o = options;
	struct statistic_state *s = state;

	(void)now;
	if (o->mode == XT_STATISTIC_MODE_NTH)
		s->count = o->u.nth.every - o->u.nth.packet;
}

static bool
statistic_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_statistic_info *o = options;
	struct statistic_state *s = state;
	bool hit;

	if (o->mode == XT_STATISTIC_MODE_RANDOM) {
		hit = (env_random(c->env) & 0x7fffffff) < o->u.random.probability;
	} else {
		s->count = s->count == o->u.nth.every ? 0 : s->count + 1;
		hit = s->count == 0;
	}
	return hit != !!(o->flags & XT_STATISTIC_INVERT);
}

static int
statistic_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_statistic_info *o = options;

	(void)prepared;
	if (o->mode > XT_STATISTIC_MODE_MAX)
		return ext_refuse(c, "unknown mode %u", o->mode);
	if (o->flags & ~XT_STATISTIC_MASK)
		return ext_refuse(c, "unknown flags 0x%x", o->flags);
	if (o->mode == XT_STATISTIC_MODE_NTH && o->u.nth.packet > o->u.nth.every)
		return ext_refuse(c, "packet %u of every %u", o->u.nth.packet, o->u.nth.every + 1);
	return 0;
}

const struct match_ops match_packet[] = {
	{
		.name = "mac",
		.size = XT_ALIGN(sizeof(struct xt_mac_info)),
		.reads = READS_GUARD,
		.hooks = 1 << RULES_PREROUTING | 1 << RULES_INPUT | 1 << RULES_FORWARD,
		.match = mac_match,
	},
	{
		.name = "mark",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_mark_mtinfo1)),
		.reads = READS_KEY,
		.match = mark_match,
	},
	{
		.name = "owner",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_owner_match_info)),
		.reads = READS_KEY,
		.hooks = 1 << RULES_OUTPUT | 1 << RULES_POSTROUTING,
		.check = owner_check,
		.match = owner_match,
	},
	{
		.name = "comment",
		.size = XT_ALIGN(sizeof(struct xt_comment_info)),
		.reads = READS_KEY,
		.match = comment_match,
	},
	{
		.name = "statistic",
		.size = XT_ALIGN(sizeof(struct xt_statistic_info)),
		.reads = READS_NEVER,
		.state_size = sizeof(struct statistic_state),
		.check = statistic_check,
		.start = statistic_start,
		.match = statistic_match,
	},
	{0},
};
