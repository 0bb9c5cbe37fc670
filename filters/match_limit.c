/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit: a token bucket for each rule (net/netfilter/xt_limit.c). The kernel counts credits per jiffy;
 * its constants make 32,000 credits a second at HZ 250 and at HZ 1000. Here they come by the nanosecond.
 */
#include "filters/extensions.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_limit.h>

enum { CREDITS_PER_SECOND = 32000, NS_PER_CREDIT = 1000000000 / CREDITS_PER_SECOND };

struct limit_state {
	uint64_t since; /* credits were given up to here; 0: no packet yet, the bucket is full */
	uint32_t credit;
};

/* Credits of `user` ten-thousandths of a second, with the kernel's roundings. */
static uint32_t
limit_credits(uint32_t user)
{
	if (user > UINT32_MAX / CREDITS_PER_SECOND)
		return user / XT_LIMIT_SCALE * CREDITS_PER_SECOND;
	return user * CREDITS_PER_SECOND / XT_LIMIT_SCALE;
}

static int
limit_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_rateinfo *o = options;

	(void)prepared;
	if (o->burst == 0 || limit_credits(o->avg * o->burst) < limit_credits(o->avg))
		return ext_refuse(c, "Overflow, try lower: %u/%u", o->avg, o->burst);
	return 0;
}

static void
limit_refill(struct limit_state *s, uint32_t cap, uint64_t now)
{
	uint64_t gain = (now - s->since) / NS_PER_CREDIT;

	if (s->since == 0 || gain >= cap - s->credit) {
		s->credit = cap;
		s->since = now;
	} else {
		s->credit += (uint32_t)gain;
		s->since += gain * NS_PER_CREDIT;
	}
}

static bool
limit_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_rateinfo *o = options;
	struct limit_state *s = state;
	uint32_t cost = limit_credits(o->avg);

	limit_refill(s, limit_credits(o->avg * o->burst), c->env->now);
	if (s->credit < cost)
		return false;
	s->credit -= cost;
	return true;
}

const struct match_ops match_limit[] = {
	{
		.name = "limit",
		.size = XT_ALIGN(sizeof(struct xt_rateinfo)),
		.reads = READS_NEVER,
		.state_size = sizeof(struct limit_state),
		.check = limit_check,
		.match = limit_match,
	},
	{0},
};
