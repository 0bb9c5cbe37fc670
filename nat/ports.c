/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports towards destinations where nearly all are used: a map has a bit for each port of one
 * outside address to one destination.
 *
 * A map is made when the search at random places has failed, and only speeds up: a set bit is a
 * port that was seen taken, and is cleared when a connection that has it ends; a clear bit says
 * nothing, and is looked up. So what it costs to fill one is paid once, by looking up ports that
 * turn out to be taken. The map that was asked for longest ago makes way for another.
 */
#include "nat/state.h"

#include <netinet/in.h>
#include <rte_common.h>
#include <stdlib.h>

enum { MAPS_MAX = 64, WORD = 64 };

static struct ct_tuple
key_of(const struct ct_tuple *t)
{
	struct ct_tuple key = *t;

	key.sport = 0;
	return key;
}

static struct port_map *
find(const struct port_maps *maps, const struct ct_tuple *key, uint32_t hash, const struct conn *c)
{
	uint32_t i;

	for (i = 0; i < maps->n; i++) {
		struct port_map *m = maps->at[i];

		if (m->hash == hash && m->zone == c->zone && m->zone_dir == c->zone_dir &&
			conntrack_tuple_equal(&m->key, key))
			return m;
	}
	return NULL;
}

/* Room for one more. => NULL: no memory. */
static struct port_map *
make_room(struct port_maps *maps)
{
	struct port_map *oldest;
	uint32_t i;

	if (!maps->at)
		maps->at = calloc(MAPS_MAX, sizeof(*maps->at));
	if (!maps->at)
		return NULL;
	if (maps->n < MAPS_MAX) {
		oldest = malloc(sizeof(*oldest));
		if (oldest)
			maps->at[maps->n++] = oldest;
		return oldest;
	}
	oldest = maps->at[0];
	for (i = 1; i < maps->n; i++)
		if (maps->at[i]->asked < oldest->asked)
			oldest = maps->at[i];
	return oldest;
}

static struct port_map *
get(const struct nat_choice *k, const struct ct_tuple *t)
{
	struct port_maps *maps = &k->nat->maps;
	struct ct_tuple key = key_of(t);
	uint32_t hash = conntrack_hash(k->ct, &key, 0);
	struct port_map *m = find(maps, &key, hash, k->c);

	if (!m) {
		m = make_room(maps);
		if (!m)
			return NULL;
		*m = (struct port_map){
			.key = key, .hash = hash, .zone = k->c->zone, .zone_dir = k->c->zone_dir};
	}
	m->asked = ++maps->clock;
	return m;
}

/* The first clear bit from `from` on, below `end`; `end`: none. */
static uint32_t
next_clear(const struct port_map *m, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t clear = ~m->busy[from / WORD] >> from % WORD;

		if (clear)
			return RTE_MIN(from + (uint32_t)__builtin_ctzll(clear), end);
		from += WORD - from % WORD;
	}
	return end;
}

static bool
find_between(const struct nat_choice *k, struct port_map *m, struct ct_tuple *t, uint32_t from,
	uint32_t end)
{
	for (from = next_clear(m, from, end); from < end; from = next_clear(m, from + 1, end)) {
		t->sport = htons((uint16_t)from);
		if (!nat_is_taken(k, t))
			return true;
		m->busy[from / WORD] |= 1ull << from % WORD;
	}
	return false;
}

bool
ports_find(const struct nat_choice *k, struct ct_tuple *t, uint32_t min, uint32_t size)
{
	struct port_map *m = get(k, t);
	uint32_t start = min + env_random(k->env) % size;

	return m && (find_between(k, m, t, start, min + size) || find_between(k, m, t, min, start));
}

void
ports_release(struct port_maps *maps, const struct conntrack *ct, const struct conn *c)
{
	struct ct_tuple sent, key;
	struct port_map *m;
	int dir;

	for (dir = 0; dir < 2; dir++) {
		if (!conntrack_invert(&c->tuple[dir], &sent))
			continue;
		key = key_of(&sent);
		m = find(maps, &key, conntrack_hash(ct, &key, 0), c);
		if (m)
			m->busy[ntohs(sent.sport) / WORD] &= ~(1ull << ntohs(sent.sport) % WORD);
	}
}

void
ports_fini(struct port_maps *maps)
{
	while (maps->n > 0)
		free(maps->at[--maps->n]);
	free(maps->at);
}
