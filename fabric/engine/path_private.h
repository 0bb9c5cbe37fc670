/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to path*.c: what lies in a cache. Indices count from 1; 0 is none. */
#ifndef FABRIC_ENGINE_PATH_PRIVATE_H
#define FABRIC_ENGINE_PATH_PRIVATE_H

#include "fabric/engine/path.h"

#include <net/ethernet.h>

enum {
	BUCKET_PATHS = 8,
	RECIPES_MAX = 16384,
	LAST_SHIFT = 20,  /* path.last: about milliseconds */
	UNTIL_SHIFT = 27, /* path.until: eighths of a second */
	KEY_SLOT_SHIFT = 32, KEY_PROTO_SHIFT = 48, KEY_TOS_SHIFT = 56,
};

/*
 * After so long a packet of the flow goes the slow way again and renews the path: what only the slow way refreshes (neighbours in use, learned MAC
 * addresses) is never older than this.
 */
static const uint64_t PATH_LIFE = 10000000000;

enum path_flags {
	PATH_EXACT_TTL = 1,    /* ttl_least is the only one */
	PATH_EXACT_LENGTH = 2, /* length is the only one */
	PATH_TRANSLATES = 4,
	PATH_JUDGES_SUM = 8,   /* a layer 4 checksum that nobody vouches for is looked at */
	PATH_REPLY = 16,       /* of its window: packets of the reply direction */
	PATH_SUSPENDED = 32,   /* the slow way is ahead of its window */
};

/* All that a packet of an established flow needs beside its recipe: one cache line. */
struct path {
	uint64_t addresses, rest; /* the key */
	uint32_t recipe;
	uint32_t src, dst; /* afterwards, network byte order */
	uint16_t sport, dport;
	uint16_t l4_delta, ip_delta; /* to add to the complements of the checksums */
	uint16_t length; /* of an IP packet, or a segment: the most */
	uint8_t ttl_least, ttl_less;
	uint8_t tos;   /* afterwards */
	uint8_t flags; /* enum path_flags */
	uint16_t until;
	uint32_t window;
	uint64_t bytes; /* of IP packets; since they were credited */
	uint32_t packets;
	uint32_t last;
};
static_assert(sizeof(struct path) == 64, "one cache line");

struct path_conn {
	struct conntrack *table;
	uint64_t timeout;
	uint32_t index;
	uint32_t next, prev; /* references: other paths of the connection; 0 none */
	uint8_t dir;
};

struct path_more {
	uint32_t bucket; /* of a free path: the next one */
	uint32_t n_conns;
	struct path_conn conns[RECORD_CONNS];
};

/* A reference to connection `k` of a path: cache, path, k. */
enum { REF_CONN_BITS = 3, REF_CACHE_BITS = 4, REF_CACHE_SHIFT = 28, PATHS_MAX = 1 << (REF_CACHE_SHIFT - REF_CONN_BITS) };
static_assert(1 << REF_CONN_BITS == RECORD_CONNS && 1 << REF_CACHE_BITS == PATH_CACHES, "references fit");

struct path_bucket {
	uint16_t sign[BUCKET_PATHS];
	uint32_t path[BUCKET_PATHS];
	uint32_t unused[4];
} __attribute__((aligned(64)));

struct recipe {
	uint64_t epoch; /* at which all it depends on was as recorded */
	uint64_t packets, bytes, segments; /* since they were credited */
	void *port;
	bool dead;
	uint8_t l2_in, l2_out; /* bytes of the frame's header; 0: none */
	uint8_t frame_in[sizeof(struct ether_header)], frame_out[sizeof(struct ether_header)];
} __attribute__((aligned(64)));

struct recipe_more {
	uint64_t hash; /* of all that follows and of the recipe's port and frames */
	uint32_t paths;
	uint32_t next; /* in its chain of the index; of a free one: the next free */
	uint32_t n_reads, n_credits;
	struct recorded_read reads[RECORD_READS];
	struct credit credits[RECORD_CREDITS];
};

struct window_more {
	rte_spinlock_t lock; /* of its window, where several workers follow it */
	uint32_t paths;      /* of a free one: the next free */
	uint32_t n_conns;
};


struct path_cache {
	rte_spinlock_t lock;
	struct paths *all;
	unsigned id;
	uint64_t seed[2];
	struct path_bucket *buckets;
	uint32_t bucket_mask;
	struct path *paths;
	struct path_more *more;
	struct recipe *recipes;
	struct recipe_more *recipes_more;
	uint32_t *recipe_index; /* by hash; RECIPES_MAX chains */
	struct path_pool path_pool, recipe_pool;
	uint32_t hand; /* path to look at next for one that nobody needs */
	struct path_stats stats;
	/* the packet on its way with the recorder */
	struct recorder recorder;
	const struct pkt *recorded;
	const struct path_ingress *ingress;
	struct path_lookup lookup;
	uint8_t l2, ttl, frame[sizeof(struct ether_header)];
	uint16_t ip_id;
	uint32_t len;
};

static inline uint16_t
path_until(uint64_t ns)
{
	return (uint16_t)(ns >> UNTIL_SHIFT);
}

static inline struct path_bucket *
path_bucket(const struct path_cache *c, uint64_t hash)
{
	return &c->buckets[hash >> 32 & c->bucket_mask];
}

static inline uint16_t
path_sign(uint64_t hash)
{
	return (uint16_t)(hash >> 16);
}

/* ---- path_table.c ---- */

/* => 0: there is no room, and nobody to make it. */
uint32_t path_take(struct path_cache *c, uint64_t hash);
/* Of the key, or 0. */
uint32_t path_find(const struct path_cache *c, const struct path_lookup *l);
/* Credits its connections and gives it back. */
void path_end(struct path_cache *c, uint32_t path);
/* Looks at a few paths for ones that nobody needs any more. */
void path_tend(struct path_cache *c, uint64_t now);
void path_end_all(struct path_cache *c);

static inline uint32_t
pool_take(struct path_pool *p, uint32_t *next_free)
{
	uint32_t i = p->vacant;

	if (i)
		p->vacant = *next_free;
	else if (p->end < p->capacity)
		i = p->end++;
	p->used += i != 0;
	return i;
}

static inline void
pool_give(struct path_pool *p, uint32_t i, uint32_t *next_free)
{
	*next_free = p->vacant;
	p->vacant = i;
	p->used--;
}

/* ---- path_recipe.c ---- */

/* What the recorder of `c` holds, for packets that leave by `to` with the frame's header `frame` of l2_out bytes. One more path refers to it. =>
 * 0: no room. */
uint32_t recipe_get(struct path_cache *c, const struct path_egress *to, const uint8_t *frame, uint8_t l2_out);
void recipe_put(struct path_cache *c, uint32_t recipe);
/* The epoch has moved: is it as good as before? */
bool recipe_renew(struct path_cache *c, uint32_t recipe, uint64_t epoch);
void recipe_credit(struct path_cache *c, uint32_t recipe);
/* Credits it; if something has changed it refers to nothing from now on. */
void recipe_sweep(struct path_cache *c, uint32_t recipe);

/* ---- path_conn.c ---- */

void path_conns_init(struct paths *paths);
/* The path, complete but for them, gets the connections that the recorder noted. => false: their windows differ, or there is no room. */
bool path_conns_link(struct path_cache *c, uint32_t path);
void path_conns_unlink(struct path_cache *c, uint32_t path);
/* Its connections get what it has counted. */
void path_conns_credit(struct path_cache *c, uint32_t path);
/* True when the path has the connections that the recorder noted; then it is renewed: their window is its own again. */
bool path_conns_renew(struct path_cache *c, uint32_t path);
/* ns, CLOCK_MONOTONIC, of its youngest packet; `now`: within days of it. */
uint64_t path_last(const struct path *p, uint64_t now);

#endif
