/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of its ports an outside address has given away, and how many of them a guest holds.
 *
 * A mapping is a connection whose source is translated. It counts for two gauges: that of its
 * outside address and protocol, and that of its inside address, which the quota looks at. A gauge
 * is there while it counts anything. The connection keeps the places of both, so that its end costs
 * no search.
 *
 * Growth is measured when somebody counts up or looks, at most once a second: the mean over the
 * last ten seconds or so, older ones fading. Nothing ticks. How many different ports the mappings
 * of an address share (one may serve several destinations) is not kept: who wants to know looks
 * through the connections.
 *
 * The gauges lie in an array, addressed by index from 1, chained by hash. There are as many buckets
 * from the start as a router ever needs; those that are not touched take no memory.
 */
#include "nat/state.h"

#include <stdlib.h>

enum { BUCKETS = 65536, FIRST = 64 };

static const uint64_t SECOND = 1000000000, MEMORY = 10; /* s: what the mean of growth reaches back */

void
gauges_fini(struct gauges *g)
{
	free(g->at);
	free(g->buckets);
}

static uint32_t *
bucket_of(const struct gauges *g, const struct conntrack *ct, const struct gauge *key)
{
	const struct ct_tuple t = {.src = ip4(key->address), .proto = key->proto};

	return &g->buckets[conntrack_hash(ct, &t, (uint16_t)key->side) % BUCKETS];
}

/* => its index; 0: there is none. */
static uint32_t
find(const struct gauges *g, const uint32_t *bucket, const struct gauge *key)
{
	uint32_t i = *bucket;

	while (i && (g->at[i].address != key->address || g->at[i].proto != key->proto ||
			    g->at[i].side != key->side))
		i = g->at[i].next;
	return i;
}

static bool
make_room(struct gauges *g)
{
	uint32_t size = g->size ? g->size * 2 : FIRST;
	struct gauge *more;

	if (!g->buckets)
		g->buckets = calloc(BUCKETS, sizeof(*g->buckets));
	if (!g->buckets)
		return false;
	if (g->vacant || g->used < g->size)
		return true;
	more = realloc(g->at, size * sizeof(*more));
	if (!more)
		return false;
	g->at = more;
	g->size = size;
	if (g->used == 0)
		g->used = 1;
	return true;
}

/* => its index; 0: no memory. */
static uint32_t
get(struct gauges *g, const struct conntrack *ct, const struct gauge *key, uint64_t now)
{
	uint32_t *bucket, i;

	if (!make_room(g))
		return 0;
	bucket = bucket_of(g, ct, key);
	i = find(g, bucket, key);
	if (i)
		return i;
	i = g->vacant ? g->vacant : g->used++;
	if (g->vacant)
		g->vacant = g->at[i].next;
	g->at[i] = *key;
	g->at[i].next = *bucket;
	g->at[i].seen_at = now;
	*bucket = i;
	return i;
}

static void
put(struct gauges *g, const struct conntrack *ct, uint32_t i)
{
	uint32_t *at;

	if (--g->at[i].mappings > 0)
		return;
	at = bucket_of(g, ct, &g->at[i]);
	while (*at != i)
		at = &g->at[*at].next;
	*at = g->at[i].next;
	g->at[i].side = NAT_NOBODY;
	g->at[i].next = g->vacant;
	g->vacant = i;
}

static void
measure_growth(struct gauge *g, uint64_t now)
{
	double passed = (double)(now - g->seen_at) / (double)SECOND, grown;

	if (now < g->seen_at + SECOND)
		return;
	grown = ((double)g->mappings - g->seen) / passed;
	g->growth += (grown - g->growth) * passed / (passed + (double)MEMORY);
	g->seen_at = now;
	g->seen = g->mappings;
}

/* One more; `last` is tried first: many follow each other for the same. => its index. */
static uint32_t
count_up(struct gauges *g, const struct nat_choice *k, const struct gauge *key, uint32_t last)
{
	const struct gauge *l = last ? &g->at[last] : NULL;
	uint32_t i = last;

	if (!l || l->address != key->address || l->proto != key->proto || l->side != key->side)
		i = get(g, k->ct, key, k->env->now);
	if (!i)
		return 0;
	measure_growth(&g->at[i], k->env->now);
	g->at[i].mappings++;
	g->at[i].most = RTE_MAX(g->at[i].most, key->most);
	return i;
}

void
gauges_add(const struct nat_choice *k, const struct ct_tuple *to)
{
	const struct gauge outside = {.side = NAT_OUTSIDE,
		.address = to->src.v4,
		.proto = to->proto,
		.most = nat_ports_of_range(k, to)};
	const struct gauge guest = {
		.side = NAT_GUEST, .address = k->c->tuple[CT_DIR_ORIGINAL].src.v4};
	struct gauges *g = &k->nat->gauges;

	k->c->outside = g->last_outside = count_up(g, k, &outside, g->last_outside);
	k->c->guest = g->last_guest = count_up(g, k, &guest, g->last_guest);
}

void
gauges_remove(struct gauges *g, const struct conntrack *ct, const struct conn *c)
{
	if (c->outside)
		put(g, ct, c->outside);
	if (c->guest)
		put(g, ct, c->guest);
}

static struct gauge *
look(const struct nat_choice *k, const struct gauge *key)
{
	struct gauges *g = &k->nat->gauges;
	uint32_t i = g->buckets ? find(g, bucket_of(g, k->ct, key), key) : 0;

	return i ? &g->at[i] : NULL;
}

bool
gauges_within_quota(const struct nat_choice *k, uint32_t quota)
{
	const struct gauge guest = {
		.side = NAT_GUEST, .address = k->c->tuple[CT_DIR_ORIGINAL].src.v4};
	struct gauge *g = quota ? look(k, &guest) : NULL;

	if (!g || g->mappings < quota)
		return true;
	g->refused++;
	return false;
}

void
gauges_refused(const struct nat_choice *k, const struct ct_tuple *wanted)
{
	const struct gauge outside = {
		.side = NAT_OUTSIDE, .address = wanted->src.v4, .proto = wanted->proto};
	struct gauge *g = look(k, &outside);

	if (g)
		g->refused++;
}

static void
describe(struct gauge *from, uint64_t now, struct nat_gauge *to)
{
	measure_growth(from, now);
	*to = (struct nat_gauge){
		.side = from->side,
		.address = from->address,
		.proto = from->proto,
		.mappings = from->mappings,
		.most = from->most,
		.refused = from->refused,
		.growth = from->growth,
	};
}

size_t
nat_gauges(struct conntrack *ct, uint64_t now, uint32_t *cursor, struct nat_gauge *out, size_t max)
{
	struct nat *nat = nat_of(ct);
	size_t n = 0;

	if (*cursor == 0)
		*cursor = 1;
	for (; nat && *cursor < nat->gauges.used && n < max; (*cursor)++)
		if (nat->gauges.at[*cursor].side != NAT_NOBODY)
			describe(&nat->gauges.at[*cursor], now, &out[n++]);
	return n;
}
