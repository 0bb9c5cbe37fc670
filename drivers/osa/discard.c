/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a port remembers of what it could not do: the last addresses that nobody had, the last registrations that it refused. */
#include "drivers/osa/inside.h"

#include <stdio.h>
#include <stdlib.h>

/* The row of the same destination, or the oldest. */
static struct discard *
discard_row(struct adapter *a, const struct ip_addr *to, uint16_t sharer)
{
	struct discard *oldest = &a->discards[0];

	for (unsigned i = 0; i < a->n_discards; i++) {
		struct discard *d = &a->discards[i];

		if (ip_equal(&d->to, to) && d->sharer == sharer)
			return d;
		if (d->last < oldest->last)
			oldest = d;
	}
	if (a->n_discards < DISCARDS_KEPT)
		oldest = &a->discards[a->n_discards++];
	*oldest = (struct discard){.to = *to, .sharer = sharer};
	return oldest;
}

void
adapter_discard(struct adapter *a, struct env *env, const struct ip_addr *to, const struct ip_addr *from, uint16_t sharer,
		enum drop_reason why)
{
	struct discard *d = discard_row(a, to, sharer);

	d->from = *from;
	d->why = (uint16_t)why;
	d->packets++;
	d->last = env->now;
}

static struct refusal *
refusal_row(struct adapter *a, const struct ip_addr *addr, const char *sharer)
{
	struct refusal *oldest = &a->refusals[0];

	for (unsigned i = 0; i < a->n_refusals; i++) {
		struct refusal *r = &a->refusals[i];

		if (ip_equal(&r->addr, addr) && strcmp(r->sharer, sharer) == 0)
			return r;
		if (r->last < oldest->last)
			oldest = r;
	}
	return a->n_refusals < REFUSALS_KEPT ? &a->refusals[a->n_refusals++] : oldest;
}

void
adapter_refuse(struct adapter *a, struct env *env, const struct ip_addr *addr, const struct sharer *s, const struct osa_answer *answer)
{
	struct refusal *r = refusal_row(a, addr, s->name);

	*r = (struct refusal){.addr = *addr, .answer = *answer, .last = env->now};
	memcpy(r->sharer, s->name, sizeof(r->sharer));
}

static int
newer_discard(const void *x, const void *y)
{
	const struct discard *a = x, *b = y;

	return (a->last < b->last) - (a->last > b->last);
}

size_t
adapter_discards(const struct adapter *a, struct discard *out, size_t max)
{
	struct discard sorted[DISCARDS_KEPT];
	size_t n = a->n_discards;

	memcpy(sorted, a->discards, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), newer_discard);
	memcpy(out, sorted, (n < max ? n : max) * sizeof(*sorted));
	return n < max ? n : max;
}

static int
newer_refusal(const void *x, const void *y)
{
	const struct refusal *a = x, *b = y;

	return (a->last < b->last) - (a->last > b->last);
}

size_t
adapter_refusals(const struct adapter *a, struct refusal *out, size_t max)
{
	struct refusal sorted[REFUSALS_KEPT];
	size_t n = a->n_refusals;

	memcpy(sorted, a->refusals, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), newer_refusal);
	memcpy(out, sorted, (n < max ? n : max) * sizeof(*sorted));
	return n < max ? n : max;
}
