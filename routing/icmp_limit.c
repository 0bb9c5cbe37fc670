/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of ICMP errors, as Linux (net/ipv4/icmp.c, net/ipv4/inetpeer.c) sets them.
 *
 * Two kinds of buckets. The one of the router holds credits: it is filled at most every 20 ms,
 * with icmp_msgs_per_sec, up to icmp_msgs_burst, and an error takes 0, 1 or 2 of them by chance,
 * so that nobody can learn from the limit whether another was answered (SAD DNS). The bucket of a
 * destination holds time: it gains what passes, at most six times icmp_ratelimit, and an error
 * takes icmp_ratelimit.
 *
 * Destinations are remembered in a table of fixed size, in sets of four; in a full set the one
 * that was asked for longest ago makes way. A destination that is not in the table has a full
 * bucket. So forgetting errs on the side of sending, and the router's own bucket bounds that.
 */
#include "routing/icmp_limit.h"

#include "routing/icmp.h"

#include <netinet/ip_icmp.h>
#include <stdlib.h>

enum { SETS = 256, WAYS = 4, BURST = 6 };

static const uint64_t MS = 1000000, SECOND = 1000000000;

struct destination {
	uint32_t dst;          /* network byte order; 0: free */
	uint64_t tokens, last; /* ns */
};

struct icmp_limit {
	int64_t credit;
	uint64_t filled; /* when, ns; 0: never */
	struct destination at[SETS][WAYS];
};

struct icmp_limit *
icmp_limit_new(void)
{
	return calloc(1, sizeof(struct icmp_limit));
}

void
icmp_limit_free(struct icmp_limit *l)
{
	free(l);
}

bool
icmp_limit_applies(uint8_t type, uint8_t code)
{
	switch (type) {
	case ICMP_DEST_UNREACH:
		return code != ICMP_FRAG_NEEDED;
	case ICMP_SOURCE_QUENCH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return true;
	}
	return false;
}

bool
icmp_limit_any(struct icmp_limit *l, const struct tunables *t, uint64_t now)
{
	uint64_t passed = l->filled ? RTE_MIN(now - l->filled, SECOND) : SECOND;
	int64_t more;

	if (l->credit > 0)
		return true;
	if (passed < 20 * MS)
		return false;
	more = tune(t, TUNE_ICMP_MSGS_PER_SEC) * (int64_t)(passed / MS) / 1000;
	if (more == 0)
		return false;
	l->filled = now;
	l->credit = RTE_MIN(l->credit + more, tune(t, TUNE_ICMP_MSGS_BURST));
	return l->credit > 0;
}

void
icmp_limit_sent(struct icmp_limit *l, struct env *env)
{
	l->credit -= env_random(env) % 3;
}

static struct destination *
find_destination(struct icmp_limit *l, uint32_t dst)
{
	struct destination *set = l->at[(dst * 0x9e3779b1u) >> 24], *oldest = set;
	unsigned i;

	for (i = 0; i < WAYS; i++) {
		if (set[i].dst == dst)
			return &set[i];
		if (set[i].last < oldest->last)
			oldest = &set[i];
	}
	*oldest = (struct destination){.dst = dst};
	return oldest;
}

bool
icmp_limit_destination(struct icmp_limit *l, const struct tunables *t, uint64_t now, uint32_t dst)
{
	uint64_t cost = tune_ns(t, TUNE_ICMP_RATELIMIT);
	struct destination *d = find_destination(l, dst);

	d->tokens = d->last ? RTE_MIN(d->tokens + (now - d->last), BURST * cost) : BURST * cost;
	d->last = now;
	if (d->tokens < cost)
		return false;
	d->tokens -= cost;
	return true;
}
