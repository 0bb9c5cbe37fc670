/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths by key. A bucket of eight is one cache line: signatures and indices; the key lies in the path, so that a hit touches two lines and its recipe's. A full
 * bucket gives up its path that was idle longest. All memory is reserved for the capacity and comes as it is touched.
 */
#include "fabric/engine/path_private.h"

#include <errno.h>
#include <rte_common.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { TEND = 4 /* paths looked at whenever one is installed */ };

static const uint64_t IDLE = 60000000000; /* ns: then a path is given up if somebody comes by */

static void *
reserve(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_HUGEPAGE);
	return at;
}

static void
release(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

static void
cache_free(struct path_cache *c)
{
	size_t n = (size_t)c->path_pool.capacity, r = RECIPES_MAX;

	release(c->buckets, (c->bucket_mask + 1ul) * sizeof(*c->buckets));
	release(c->paths, n * sizeof(*c->paths));
	release(c->more, n * sizeof(*c->more));
	release(c->recipes, r * sizeof(*c->recipes));
	release(c->recipes_more, r * sizeof(*c->recipes_more));
	release(c->recipe_index, r * sizeof(*c->recipe_index));
	free(c);
}

static struct path_cache *
cache_new(struct paths *all, unsigned id, uint32_t capacity)
{
	struct path_cache *c = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*c), RTE_CACHE_LINE_SIZE));
	size_t n = capacity, r = RECIPES_MAX;

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->all = all;
	c->id = id;
	rte_spinlock_init(&c->lock);
	c->path_pool = (struct path_pool){.end = 1, .capacity = capacity};
	c->recipe_pool = (struct path_pool){.end = 1, .capacity = RECIPES_MAX};
	c->bucket_mask = RTE_MAX(capacity / (BUCKET_PATHS / 2), 1u) - 1;
	c->hand = 1;
	c->buckets = reserve((c->bucket_mask + 1ul) * sizeof(*c->buckets));
	c->paths = reserve(n * sizeof(*c->paths));
	c->more = reserve(n * sizeof(*c->more));
	c->recipes = reserve(r * sizeof(*c->recipes));
	c->recipes_more = reserve(r * sizeof(*c->recipes_more));
	c->recipe_index = reserve(r * sizeof(*c->recipe_index));
	if (getrandom(c->seed, sizeof(c->seed), GRND_NONBLOCK) < 0)
		c->seed[0] = (uintptr_t)c->paths;
	if (c->buckets && c->paths && c->more && c->recipes && c->recipes_more && c->recipe_index)
		return c;
	cache_free(c);
	return NULL;
}

int
paths_init(struct paths *paths, struct env *env, unsigned caches, uint32_t capacity)
{
	*paths = (struct paths){.epoch = env->epoch};
	paths->seam.env = env;
	path_conns_init(paths);
	capacity = RTE_MIN(rte_align32pow2(RTE_MAX(capacity, 64u)), (uint32_t)PATHS_MAX);
	paths->window_pool = (struct path_pool){.end = 1, .capacity = capacity * caches};
	paths->windows = reserve(paths->window_pool.capacity * sizeof(*paths->windows));
	paths->windows_more = reserve(paths->window_pool.capacity * sizeof(*paths->windows_more));
	for (unsigned i = 0; i < caches; i++) {
		paths->caches[i] = cache_new(paths, i, capacity);
		if (!paths->caches[i])
			break;
		paths->n_caches++;
	}
	if (paths->windows && paths->windows_more && paths->n_caches == caches)
		return 0;
	paths_fini(paths);
	return -ENOMEM;
}

void
paths_fini(struct paths *paths)
{
	for (unsigned i = 0; i < paths->n_caches; i++)
		cache_free(paths->caches[i]);
	paths->n_caches = 0;
	release(paths->windows, paths->window_pool.capacity * sizeof(*paths->windows));
	release(paths->windows_more, paths->window_pool.capacity * sizeof(*paths->windows_more));
}

void
path_lock(struct path_cache *c)
{
	rte_spinlock_lock(&c->lock);
}

void
path_unlock(struct path_cache *c)
{
	rte_spinlock_unlock(&c->lock);
}

/* ---- one cache ---- */

uint32_t
path_find(const struct path_cache *c, const struct path_lookup *l)
{
	const struct path_bucket *b = path_bucket(c, l->hash);

	for (unsigned i = 0; i < BUCKET_PATHS; i++) {
		const struct path *p = &c->paths[b->path[i]];

		if (b->path[i] && b->sign[i] == path_sign(l->hash) && p->addresses == l->addresses && p->rest == l->rest)
			return b->path[i];
	}
	return 0;
}

static void
evict(struct path_cache *c, uint32_t path)
{
	path_end(c, path);
	c->stats.evicted++;
}

static bool
is_older(const struct path *a, const struct path *b)
{
	return (int32_t)(a->last - b->last) < 0;
}

/* => its place in the bucket, which is free now. */
static unsigned
make_place(struct path_cache *c, struct path_bucket *b)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < BUCKET_PATHS; i++) {
		if (!b->path[i])
			return i;
		if (is_older(&c->paths[b->path[i]], &c->paths[b->path[oldest]]))
			oldest = i;
	}
	evict(c, b->path[oldest]);
	return oldest;
}

/* Of a few that the hand comes by, the one idle longest. */
static void
make_room(struct path_cache *c)
{
	uint32_t oldest = 0;

	for (unsigned i = 0; i < 2 * TEND; i++) {
		c->hand = c->hand + 1 < c->path_pool.end ? c->hand + 1 : 1;
		if (c->paths[c->hand].recipe && (!oldest || is_older(&c->paths[c->hand], &c->paths[oldest])))
			oldest = c->hand;
	}
	if (oldest)
		evict(c, oldest);
}

uint32_t
path_take(struct path_cache *c, uint64_t hash)
{
	struct path_bucket *b = path_bucket(c, hash);
	uint32_t path;
	unsigned at;

	if (!c->path_pool.vacant && c->path_pool.end == c->path_pool.capacity)
		make_room(c);
	at = make_place(c, b);
	path = pool_take(&c->path_pool, &c->more[c->path_pool.vacant].bucket);
	if (!path)
		return 0;
	memset(&c->paths[path], 0, sizeof(c->paths[path]));
	c->more[path].n_conns = 0;
	c->more[path].bucket = (uint32_t)(b - c->buckets);
	b->sign[at] = path_sign(hash);
	b->path[at] = path;
	return path;
}

void
path_end(struct path_cache *c, uint32_t path)
{
	struct path *p = &c->paths[path];
	struct path_bucket *b = &c->buckets[c->more[path].bucket];

	path_conns_credit(c, path);
	path_conns_unlink(c, path);
	if (p->recipe)
		recipe_put(c, p->recipe);
	p->recipe = 0;
	for (unsigned i = 0; i < BUCKET_PATHS; i++) {
		if (b->path[i] == path)
			b->path[i] = 0;
	}
	pool_give(&c->path_pool, path, &c->more[path].bucket);
}

static bool
is_needed(const struct path_cache *c, const struct path *p, uint32_t now)
{
	return !c->recipes[p->recipe].dead && now - p->last < (uint32_t)(IDLE >> LAST_SHIFT);
}

void
path_tend(struct path_cache *c, uint64_t now)
{
	for (unsigned i = 0; i < TEND; i++) {
		c->hand = c->hand + 1 < c->path_pool.end ? c->hand + 1 : 1;
		if (c->paths[c->hand].recipe && !is_needed(c, &c->paths[c->hand], (uint32_t)(now >> LAST_SHIFT)))
			evict(c, c->hand);
	}
}

void
path_end_all(struct path_cache *c)
{
	for (uint32_t i = 1; i < c->path_pool.end; i++) {
		if (c->paths[i].recipe)
			path_end(c, i);
	}
}

/* ---- all of them ---- */

static void
each_recipe(struct paths *paths, void (*call)(struct path_cache *c, uint32_t recipe))
{
	for (unsigned k = 0; k < paths->n_caches; k++) {
		struct path_cache *c = paths->caches[k];

		path_lock(c);
		for (uint32_t i = 1; i < c->recipe_pool.end; i++)
			call(c, i);
		path_unlock(c);
	}
}

void
paths_credit(struct paths *paths)
{
	each_recipe(paths, recipe_credit);
}

void
paths_sweep(struct paths *paths)
{
	each_recipe(paths, recipe_sweep);
}

void
paths_flush(struct paths *paths)
{
	for (unsigned k = 0; k < paths->n_caches; k++) {
		path_lock(paths->caches[k]);
		path_end_all(paths->caches[k]);
		path_unlock(paths->caches[k]);
	}
}

void
paths_stats(const struct paths *paths, struct path_stats *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned k = 0; k < paths->n_caches; k++) {
		const struct path_cache *c = paths->caches[k];

		s->hits += c->stats.hits;
		s->misses += c->stats.misses;
		s->installed += c->stats.installed;
		s->evicted += c->stats.evicted;
		s->refused += c->stats.refused;
		s->paths += c->path_pool.used;
		s->recipes += c->recipe_pool.used;
		s->capacity += c->path_pool.capacity;
		s->memory += sizeof(*c) + (c->bucket_mask + 1ul) * sizeof(*c->buckets) +
			     c->path_pool.end * (sizeof(*c->paths) + sizeof(*c->more)) +
			     c->recipe_pool.end * (sizeof(*c->recipes) + sizeof(*c->recipes_more));
	}
	s->windows = paths->window_pool.used;
	s->memory += paths->window_pool.end * (sizeof(*paths->windows) + sizeof(*paths->windows_more));
}
