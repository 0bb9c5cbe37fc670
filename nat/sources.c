/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections by the source that they began with (the kernel's nat_bysource): the next connection
 * of the same source, wherever it goes, gets the same mapping if it can. A bucket is split with
 * each connection that enters, so nobody waits for a rehash.
 */
#include "nat/state.h"

#include <errno.h>
#include <rte_common.h>
#include <stdlib.h>

enum {
	FIRST = 256,
	SPLITS_EACH = 2,
	AHEAD = 8, /* splits: so far ahead are fetched the records that they will move */
	LOOKS = 256, /* a source that goes everywhere from one port has a long chain; the kernel
			walks all of it */
};

int
sources_init(struct sources *s)
{
	s->buckets = calloc(FIRST, sizeof(*s->buckets));
	if (!s->buckets)
		return -ENOMEM;
	s->n = s->capacity = FIRST;
	s->mask = 2 * FIRST - 1;
	return 0;
}

void
sources_fini(struct sources *s)
{
	free(s->buckets);
}

static uint32_t *
bucket_of(const struct sources *s, uint32_t hash)
{
	uint32_t b = hash & s->mask;

	return &s->buckets[b < s->n ? b : hash & s->mask >> 1];
}

/* A zone counts when it is that of both directions. */
void
sources_hash(const struct sources *s, const struct conntrack *ct, struct conn *c)
{
	const struct ct_tuple *t = &c->tuple[CT_DIR_ORIGINAL];
	const struct ct_tuple source = {.src = t->src,
		.dst = {.family = t->src.family},
		.sport = t->sport,
		.proto = t->proto};

	c->source_hash = conntrack_hash(ct, &source, c->zone_dir == 3 ? c->zone : 0);
	__builtin_prefetch(bucket_of(s, c->source_hash));
}

static void
push(const struct sources *s, const struct conntrack *ct, struct conn *c)
{
	uint32_t *bucket = bucket_of(s, c->source_hash), index = conntrack_index(ct, c);

	c->source_next = *bucket;
	c->source_prev = 0;
	if (*bucket)
		conntrack_at(ct, *bucket)->source_prev = index;
	*bucket = index;
}

static bool
more_buckets(struct sources *s)
{
	uint32_t *more;

	if (s->n < s->capacity)
		return true;
	more = realloc(s->buckets, (size_t)s->capacity * 2 * sizeof(*more));
	if (!more)
		return false;
	s->buckets = more;
	s->capacity *= 2;
	return true;
}

static uint32_t
last_of(const struct conntrack *ct, uint32_t i)
{
	while (i && conntrack_at(ct, i)->source_next)
		i = conntrack_at(ct, i)->source_next;
	return i;
}

static void
fetch_ahead(const struct sources *s, const struct conntrack *ct)
{
	uint32_t i = s->buckets[(s->n + AHEAD) & s->mask >> 1];

	if (i)
		__builtin_prefetch(&conntrack_at(ct, i)->source_hash);
}

/* Half of what lies in a bucket moves into a new one at the end; without memory chains grow longer. The oldest moves first, so that the
 * latest stays in front: sources_find() takes the first that fits. */
static void
split(struct sources *s, const struct conntrack *ct)
{
	uint32_t from, i, before;

	if (!more_buckets(s))
		return;
	if (s->n > s->mask)
		s->mask = s->mask << 1 | 1;
	from = s->n & s->mask >> 1;
	i = last_of(ct, s->buckets[from]);
	s->buckets[from] = s->buckets[s->n++] = 0;
	fetch_ahead(s, ct);
	for (; i; i = before) {
		struct conn *c = conntrack_at(ct, i);

		before = c->source_prev;
		push(s, ct, c);
	}
}

void
sources_add(struct sources *s, const struct conntrack *ct, struct conn *c)
{
	int i;

	for (i = 0; i < SPLITS_EACH && s->n / 2 < s->linked; i++)
		split(s, ct);
	push(s, ct, c);
	s->linked++;
}

void
sources_remove(struct sources *s, const struct conntrack *ct, struct conn *c)
{
	if (c->source_next)
		conntrack_at(ct, c->source_next)->source_prev = c->source_prev;
	if (c->source_prev)
		conntrack_at(ct, c->source_prev)->source_next = c->source_next;
	else
		*bucket_of(s, c->source_hash) = c->source_next;
	s->linked--;
}

static uint16_t
original_zone(const struct conn *c)
{
	return c->zone_dir & 1 << CT_DIR_ORIGINAL ? c->zone : 0;
}

static bool
same_source(const struct conn *c, const struct nat_choice *k)
{
	const struct ct_tuple *a = &c->tuple[CT_DIR_ORIGINAL], *b = &k->now;

	return a->proto == b->proto && a->sport == b->sport && ip_equal(&a->src, &b->src) &&
	       original_zone(c) == original_zone(k->c);
}

bool
sources_find(const struct sources *s, const struct nat_choice *k, struct ct_tuple *to)
{
	uint32_t hash = k->c->source_hash, i = *bucket_of(s, hash);
	int looks;

	for (looks = 0; i && looks < LOOKS; looks++) {
		const struct conn *c = conntrack_at(k->ct, i);

		i = c->source_next;
		if (c->source_hash != hash || !same_source(c, k) ||
			!conntrack_invert(&c->tuple[CT_DIR_REPLY], to))
			continue;
		to->dst = k->now.dst;
		to->dport = k->now.dport;
		if (nat_in_range(to, k->range))
			return true;
	}
	return false;
}
