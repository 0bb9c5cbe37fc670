/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of the neighbours of one interface: a hash table with chains.
 *
 * A table holds at most arp_table entries. When it is full, entries that nobody used for
 * arp_gc_stale_time go, then any that is not being resolved, the longest unused first. An entry
 * that goes is bumped and kept in a list of free ones: whoever holds its version may compare it
 * as long as the table lives.
 */
#include "routing/neigh_table.h"

#include <errno.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 16 };

static uint32_t
bucket_of(const struct neigh_table *t, const struct ip_addr *a)
{
	uint32_t h = t->seed;
	unsigned i;

	for (i = 0; i < 4; i++) {
		h = (h ^ a->w[i]) * 0x9e3779b1u;
		h ^= h >> 15;
	}
	return h & t->mask;
}

struct neigh_table *
neigh_table_new(struct router_live *live, uint16_t slot)
{
	struct neigh_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ops = &neigh_ops_of_router;
	t->live = live;
	t->slot = slot;
	t->mask = BUCKETS_MIN - 1;
	t->seed = (uint32_t)((uintptr_t)t >> 4) * 0x85ebca6bu;
	t->buckets = calloc(BUCKETS_MIN, sizeof(struct neigh *));
	if (!t->buckets) {
		free(t);
		errno = ENOMEM;
		return NULL;
	}
	return t;
}

void
neigh_table_set_ops(struct neigh_table *t, const struct neigh_ops *ops)
{
	t->ops = ops;
}

static void
drop_waiting(struct neigh *n, struct env *env, enum drop_reason why)
{
	struct pkt *p;

	while ((p = STAILQ_FIRST(&n->waiting))) {
		STAILQ_REMOVE_HEAD(&n->waiting, queue);
		pkt_drop(env, &n->table->live->drops, p, why);
	}
	n->queued = 0;
}

/* Takes an entry out of its bucket `*at` and keeps it for its version. */
static void
forget(struct neigh **at, struct env *env, enum drop_reason why)
{
	struct neigh *n = *at;
	struct neigh_table *t = n->table;

	drop_waiting(n, env, why);
	neigh_set_state(n, env, NEIGH_NONE);
	*at = n->next;
	n->next = t->free;
	t->free = n;
	t->n--;
}

void
neigh_flush(struct neigh_table *t, struct env *env)
{
	uint32_t i;

	for (i = 0; i <= t->mask; i++)
		while (t->buckets[i])
			forget(&t->buckets[i], env, DROP_IFACE_GONE);
}

void
neigh_table_free(struct neigh_table *t, struct env *env)
{
	struct neigh *n;

	if (!t)
		return;
	neigh_flush(t, env);
	while ((n = t->free)) {
		t->free = n->next;
		free(n);
	}
	free(t->buckets);
	free(t);
}

struct neigh *
neigh_find(const struct neigh_table *t, const struct ip_addr *addr)
{
	struct neigh *n = t->buckets[bucket_of(t, addr)];

	while (n && !ip_equal(&n->addr, addr))
		n = n->next;
	return n;
}

static bool
is_resolving(const struct neigh *n)
{
	return n->state == NEIGH_INCOMPLETE || n->state == NEIGH_DELAY || n->state == NEIGH_PROBE ||
	       n->state == NEIGH_PERMANENT;
}

/* Forgets what was not used since `before`. When nothing was that old, the longest unused. */
static void
collect(struct neigh_table *t, struct env *env, uint64_t before)
{
	struct neigh **at, **oldest = NULL;
	size_t had = t->n;
	uint32_t i;

	for (i = 0; i <= t->mask; i++) {
		for (at = &t->buckets[i]; *at;) {
			if (!is_resolving(*at) && (*at)->used < before) {
				forget(at, env, DROP_IFACE_GONE);
				continue;
			}
			at = &(*at)->next;
		}
	}
	if (t->n < had)
		return;
	for (i = 0; i <= t->mask; i++)
		for (at = &t->buckets[i]; *at; at = &(*at)->next)
			if (!is_resolving(*at) && (!oldest || (*at)->used < (*oldest)->used))
				oldest = at;
	if (oldest)
		forget(oldest, env, DROP_IFACE_GONE);
}

/* Doubles the buckets; that there is no memory for it only makes it slower. */
static void
grow(struct neigh_table *t)
{
	uint32_t i, had = t->mask + 1;
	struct neigh **old = t->buckets, **more = calloc((size_t)had * 2, sizeof(*more));
	struct neigh *n;

	if (!more)
		return;
	t->buckets = more;
	t->mask = had * 2 - 1;
	for (i = 0; i < had; i++) {
		while ((n = old[i])) {
			struct neigh **at = &more[bucket_of(t, &n->addr)];

			old[i] = n->next;
			n->next = *at;
			*at = n;
		}
	}
	free(old);
}

static struct neigh *
take_free(struct neigh_table *t)
{
	struct neigh *n = t->free;

	if (n)
		t->free = n->next;
	else
		n = calloc(1, sizeof(*n));
	return n;
}

static struct neigh *
add(struct neigh_table *t, struct env *env, const struct ip_addr *addr)
{
	struct neigh *n = take_free(t), **at;

	if (!n)
		return NULL;
	if (t->n > t->mask)
		grow(t);
	n->table = t;
	n->addr = *addr;
	n->timer.fire = neigh_on_timer;
	n->confirmed = n->probes = n->queued = 0;
	n->updated = n->used = env->now;
	STAILQ_INIT(&n->waiting);
	at = &t->buckets[bucket_of(t, addr)];
	n->next = *at;
	*at = n;
	t->n++;
	return n;
}

struct neigh *
neigh_get(struct neigh_table *t, struct env *env, const struct tunables *tunables,
	const struct ip_addr *addr)
{
	struct neigh *n = neigh_find(t, addr);
	uint64_t stale = tune_ns(tunables, TUNE_ARP_GC_STALE_TIME);

	if (n)
		return n;
	if (t->n >= (size_t)tune(tunables, TUNE_ARP_TABLE))
		collect(t, env, env->now > stale ? env->now - stale : 0);
	if (t->n >= (size_t)tune(tunables, TUNE_ARP_TABLE))
		return NULL;
	return add(t, env, addr);
}

size_t
neigh_list(const struct neigh_table *t, struct neigh_info *out, size_t max)
{
	const struct neigh *n;
	size_t i = 0;
	uint32_t b;

	for (b = 0; b <= t->mask; b++) {
		for (n = t->buckets[b]; n; n = n->next) {
			if (i++ >= max)
				continue;
			out[i - 1] = (struct neigh_info){
				.addr = n->addr,
				.mac = n->mac,
				.state = n->state,
				.queued = n->queued,
				.updated = n->state == NEIGH_REACHABLE ? n->confirmed : n->updated,
			};
		}
	}
	return i;
}

struct version *
neigh_version(struct neigh_table *t, const struct ip_addr *addr)
{
	struct neigh *n = neigh_find(t, addr);

	return n ? &n->version : NULL;
}
