/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/lan/mac_table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/*
 * Open addressing with linear probing, at most half full. An entry is never taken out alone: an aged one is overwritten
 * in place by its own address, or dropped when the table is rebuilt because it has filled up. A flood of invented addresses costs
 * little: a full table is not rebuilt before an entry can have aged, and the seed keeps probe sequences short.
 */
struct lan_live {
	struct lan_mac *slots;
	size_t size, used, limit; /* size is a power of two */
	uint64_t ageing;
	uint64_t full_until; /* ns, CLOCK_MONOTONIC: nothing ages before, 0: not known to be full */
	uint64_t seed;
	struct version version; /* where addresses are, and which members there are */
};

static bool
is_empty(const struct lan_mac *e)
{
	return e->seen == 0;
}

static size_t
hash(const struct lan_live *l, const struct mac_addr *m)
{
	uint64_t h = 0;

	memcpy(&h, m->b, sizeof(m->b));
	h = (h ^ l->seed) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ h >> 32 ^ l->seed >> 17) * 0xd6e8feb86659fd93ULL;
	return (size_t)(h >> 32);
}

struct lan_live *
lan_live_new(size_t limit, uint64_t ageing)
{
	struct lan_live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct lan_live){.size = 16, .limit = limit, .ageing = ageing};
	l->slots = calloc(l->size, sizeof(*l->slots));
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) < 0)
		l->seed = (uintptr_t)l->slots;
	if (!l->slots) {
		free(l);
		errno = ENOMEM;
		return NULL;
	}
	return l;
}

void
lan_live_free(struct lan_live *l)
{
	if (!l)
		return;
	free(l->slots);
	free(l);
}

struct version *
lan_version(struct lan_live *l)
{
	return &l->version;
}

void
lan_live_tune(struct lan_live *l, size_t limit, uint64_t ageing)
{
	l->limit = limit;
	l->ageing = ageing;
	l->full_until = 0;
}

static struct lan_mac *
find(const struct lan_live *l, const struct mac_addr *mac)
{
	size_t i = hash(l, mac) & (l->size - 1);

	while (!is_empty(&l->slots[i]) && !mac_equal(&l->slots[i].mac, mac))
		i = (i + 1) & (l->size - 1);
	return &l->slots[i];
}

/* Moves every entry seen since `oldest` and not of member `gone` to a table of `size`. */
static int
rebuild(struct lan_live *l, size_t size, uint64_t oldest, uint32_t gone)
{
	struct lan_live next = *l;

	next.slots = calloc(size, sizeof(*next.slots));
	if (!next.slots)
		return -ENOMEM;
	next.size = size;
	next.used = 0;
	next.full_until = UINT64_MAX;
	for (size_t i = 0; i < l->size; i++) {
		const struct lan_mac *e = &l->slots[i];

		if (is_empty(e) || e->seen < oldest || e->member == gone)
			continue;
		*find(&next, &e->mac) = *e;
		next.used++;
		next.full_until = RTE_MIN(next.full_until, e->seen + l->ageing);
	}
	if (next.used < l->limit)
		next.full_until = 0;
	free(l->slots);
	*l = next;
	return 0;
}

static uint64_t
horizon(const struct lan_live *l, uint64_t now)
{
	return now > l->ageing ? now - l->ageing : 0;
}

/* => false: there is no room for one more. */
static bool
make_room(struct lan_live *l, uint64_t now)
{
	bool full = l->used >= l->limit;

	if (!full && (l->used + 1) * 2 <= l->size)
		return true;
	if (full && now <= l->full_until)
		return false;
	return rebuild(l, full ? l->size : l->size * 2, horizon(l, now), UINT32_MAX) == 0 && l->used < l->limit;
}

bool
mac_table_learn(struct lan_live *l, const struct mac_addr *mac, uint32_t member, uint64_t now)
{
	struct lan_mac *e = find(l, mac);
	bool moved;

	if (is_empty(e)) {
		if (!make_room(l, now))
			return false;
		e = find(l, mac);
		l->used++;
		e->mac = *mac;
		e->member = member;
	}
	moved = e->member != member;
	e->member = member;
	e->seen = now;
	return moved;
}

bool
mac_table_find(const struct lan_live *l, const struct mac_addr *mac, uint64_t now, uint32_t *member)
{
	const struct lan_mac *e = find(l, mac);

	if (is_empty(e) || e->seen < horizon(l, now))
		return false;
	*member = e->member;
	return true;
}

void
lan_forget(struct lan_live *l, uint32_t member)
{
	/* Without memory the entries stay and age: frames to a hole are dropped by name until then. */
	(void)rebuild(l, l->size, 0, member);
}

size_t
lan_macs(const struct lan_live *l, struct lan_mac *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < l->size; i++) {
		if (is_empty(&l->slots[i]))
			continue;
		if (n < max)
			out[n] = l->slots[i];
		n++;
	}
	return n;
}
