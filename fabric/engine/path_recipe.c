/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recipes: what flows have in common that met the same things. One is found again by all it consists of; it goes with its last path. A recipe that
 * depends on something that changed is dead: no packet follows it any more, and as soon as somebody sweeps it refers to nothing.
 */
#include "fabric/engine/path_private.h"

static uint64_t
mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t w;

	for (; len >= sizeof(w); len -= sizeof(w), at += sizeof(w)) {
		memcpy(&w, at, sizeof(w));
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	for (w = 0; len > 0; len--)
		w = w << 8 | *at++;
	h = (h ^ w) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

static uint64_t
hash_of(const struct recipe *r, const struct recorder *rec)
{
	uint64_t h = (uintptr_t)r->port ^ (uint64_t)r->l2_in << 48 ^ (uint64_t)r->l2_out << 56;

	h = mix(h, r->frame_in, r->l2_in);
	h = mix(h, r->frame_out, r->l2_out);
	h = mix(h, rec->reads, rec->n_reads * sizeof(rec->reads[0]));
	return mix(h, rec->credits, rec->n_credits * sizeof(rec->credits[0]));
}

static bool
is_same(const struct path_cache *c, uint32_t i, const struct recipe *r, uint64_t hash)
{
	const struct recipe *have = &c->recipes[i];
	const struct recipe_more *more = &c->recipes_more[i];
	const struct recorder *rec = &c->recorder;

	return more->hash == hash && !have->dead && have->port == r->port && have->l2_in == r->l2_in && have->l2_out == r->l2_out &&
	       more->n_reads == rec->n_reads && more->n_credits == rec->n_credits &&
	       memcmp(have->frame_in, r->frame_in, r->l2_in) == 0 && memcmp(have->frame_out, r->frame_out, r->l2_out) == 0 &&
	       memcmp(more->reads, rec->reads, rec->n_reads * sizeof(rec->reads[0])) == 0 &&
	       memcmp(more->credits, rec->credits, rec->n_credits * sizeof(rec->credits[0])) == 0;
}

static uint32_t
recipe_new(struct path_cache *c, const struct recipe *r, uint64_t hash)
{
	uint32_t i = pool_take(&c->recipe_pool, &c->recipes_more[c->recipe_pool.vacant].next);
	struct recipe_more *more = &c->recipes_more[i];
	uint32_t *chain = &c->recipe_index[hash % RECIPES_MAX];

	if (!i)
		return 0;
	c->recipes[i] = *r;
	more->hash = hash;
	more->paths = 0;
	more->n_reads = c->recorder.n_reads;
	more->n_credits = c->recorder.n_credits;
	memcpy(more->reads, c->recorder.reads, more->n_reads * sizeof(more->reads[0]));
	memcpy(more->credits, c->recorder.credits, more->n_credits * sizeof(more->credits[0]));
	more->next = *chain;
	*chain = i;
	return i;
}

uint32_t
recipe_get(struct path_cache *c, const struct path_egress *to, const uint8_t *frame, uint8_t l2_out)
{
	struct recipe r = {.port = to->port, .l2_in = c->l2, .l2_out = l2_out};
	uint64_t hash;
	uint32_t i;

	memcpy(r.frame_in, c->frame, c->l2);
	memcpy(r.frame_out, frame, l2_out);
	hash = hash_of(&r, &c->recorder);
	for (i = c->recipe_index[hash % RECIPES_MAX]; i; i = c->recipes_more[i].next) {
		if (is_same(c, i, &r, hash))
			break;
	}
	if (!i)
		i = recipe_new(c, &r, hash);
	if (i)
		c->recipes_more[i].paths++;
	return i;
}

static void
leave_index(struct path_cache *c, uint32_t recipe)
{
	uint32_t *at = &c->recipe_index[c->recipes_more[recipe].hash % RECIPES_MAX];

	while (*at && *at != recipe)
		at = &c->recipes_more[*at].next;
	if (*at)
		*at = c->recipes_more[recipe].next;
}

void
recipe_put(struct path_cache *c, uint32_t recipe)
{
	struct recipe_more *more = &c->recipes_more[recipe];

	if (--more->paths > 0)
		return;
	recipe_credit(c, recipe);
	leave_index(c, recipe);
	more->n_reads = more->n_credits = 0;
	c->recipes[recipe].dead = true;
	pool_give(&c->recipe_pool, recipe, &more->next);
}

static bool
is_current(const struct recipe_more *more)
{
	for (uint32_t i = 0; i < more->n_reads; i++) {
		if (atomic_load_explicit(&more->reads[i].object->n, memory_order_acquire) != more->reads[i].seen)
			return false;
	}
	return true;
}

bool
recipe_renew(struct path_cache *c, uint32_t recipe, uint64_t epoch)
{
	struct recipe *r = &c->recipes[recipe];

	if (r->dead)
		return false;
	if (is_current(&c->recipes_more[recipe]))
		r->epoch = epoch;
	else
		r->dead = true;
	return !r->dead;
}

void
recipe_credit(struct path_cache *c, uint32_t recipe)
{
	struct recipe *r = &c->recipes[recipe];
	const struct recipe_more *more = &c->recipes_more[recipe];

	if (r->packets == 0)
		return;
	for (uint32_t i = 0; i < more->n_credits; i++) {
		const struct credit *to = &more->credits[i];

		*to->packets += to->segments ? r->segments : r->packets;
		*to->bytes += r->bytes + to->extra * r->packets;
	}
	r->packets = r->bytes = r->segments = 0;
}

void
recipe_sweep(struct path_cache *c, uint32_t recipe)
{
	struct recipe *r = &c->recipes[recipe];
	struct recipe_more *more = &c->recipes_more[recipe];

	recipe_credit(c, recipe);
	if (more->n_reads == 0 || (!r->dead && is_current(more)))
		return;
	r->dead = true;
	more->n_reads = more->n_credits = 0;
}
