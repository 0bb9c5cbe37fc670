/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records and their hash.
 *
 * Records lie in one array whose addresses are reserved at once for the largest table that can be
 * configured, and backed by memory as they come into use: at most nf_conntrack_max of them. So an
 * index and a pointer to a record stay good while the record is in use. When the last connection of
 * a table that was large is gone its memory goes back too.
 *
 * The hash is keyed and grows by linear hashing: each connection that enters splits a bucket or two
 * until there are two for every connection, so nobody ever waits for a rehash. A connection is
 * chained twice, by each direction's tuple and zone, newest first.
 *
 * What costs is records that are not in the cache. So a link of a chain has, beside index and
 * direction, a few bits of the hash and whether it is the last one: most searches in vain end without
 * a look at any record. And since buckets are split in their order, what the next splits will move is
 * fetched some connections ahead.
 */
#include "filters/conntrack_table.h"

#include <rte_common.h>
#include <sys/mman.h>

enum {
	FIRST_RECORDS = 256,
	FIRST_BUCKETS = 1024,
	SPLITS_EACH = 2,
	GIVE_BACK_RECORDS = 4096,
	AHEAD = 8, /* splits */
	LINK_BITS = 26,
	TAG_BITS = 5,
};

static const uint32_t LINK = (1u << LINK_BITS) - 1, TAG = ((1u << TAG_BITS) - 1) << LINK_BITS, LAST = 1u << 31;

static_assert(sizeof(struct conn) == 320, "a connection is five cache lines");
static_assert(LINK_BITS + TAG_BITS + 1 == 32, "a link fills its word");

static const size_t PAGE = 4096, LARGE = 16 << 20;

static size_t
pages(size_t bytes)
{
	return RTE_ALIGN_CEIL(bytes, PAGE);
}

static uint32_t
records_max(void)
{
	return (uint32_t)tunable_row(TUNE_CT_MAX)->max + 1;
}

static size_t
buckets_max(void)
{
	return (size_t)records_max() * 2;
}

static void *
reserve(size_t bytes)
{
	void *at = mmap(
		NULL, pages(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Large tables get large pages, if there are any to be had. */
static bool
open_up(void *at, size_t bytes)
{
	if (mprotect(at, pages(bytes), PROT_READ | PROT_WRITE) < 0)
		return false;
	if (bytes >= LARGE)
		madvise(at, pages(bytes), MADV_HUGEPAGE);
	return true;
}

static void
empty_hash(struct conntrack *ct)
{
	ct->n_buckets = FIRST_BUCKETS;
	ct->bucket_mask = 2 * FIRST_BUCKETS - 1;
}

int
ct_table_init(struct conntrack *ct)
{
	ct->conns = reserve(records_max() * sizeof(*ct->conns));
	ct->buckets = reserve(buckets_max() * sizeof(*ct->buckets));
	ct->capacity = FIRST_RECORDS;
	ct->bucket_capacity = FIRST_BUCKETS;
	ct->used = 1;
	empty_hash(ct);
	if (ct->conns && ct->buckets && open_up(ct->conns, ct->capacity * sizeof(*ct->conns)) &&
		open_up(ct->buckets, ct->bucket_capacity * sizeof(*ct->buckets)))
		return 0;
	ct_table_fini(ct);
	return -ENOMEM;
}

void
ct_table_fini(struct conntrack *ct)
{
	if (ct->conns)
		munmap(ct->conns, pages(records_max() * sizeof(*ct->conns)));
	if (ct->buckets)
		munmap(ct->buckets, pages(buckets_max() * sizeof(*ct->buckets)));
	ct->conns = NULL;
	ct->buckets = NULL;
}

/* ---- hash ---- */

bool
ct_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b)
{
	if (a->src.v4 != b->src.v4 || a->dst.v4 != b->dst.v4 || a->sport != b->sport ||
		a->dport != b->dport || a->proto != b->proto || a->src.family != b->src.family)
		return false;
	return a->src.family == AF_INET ||
	       (ip_equal(&a->src, &b->src) && ip_equal(&a->dst, &b->dst));
}

static uint32_t
bucket_number(const struct conntrack *ct, uint32_t hash)
{
	uint32_t b = hash & ct->bucket_mask;

	return b < ct->n_buckets ? b : hash & ct->bucket_mask >> 1;
}

static uint32_t *
bucket_of(const struct conntrack *ct, uint32_t hash)
{
	return &ct->buckets[bucket_number(ct, hash)];
}

static struct conn *
linked_conn(const struct conntrack *ct, uint32_t link)
{
	return conn_at(ct, (link & LINK) >> 1);
}

static uint32_t *
link_behind(const struct conntrack *ct, uint32_t link)
{
	return &linked_conn(ct, link)->next[link & 1];
}

/* The bits of the hash that choose the bucket are the low ones. */
static uint32_t
tag_of(uint32_t hash)
{
	return hash >> (32 - TAG_BITS) << LINK_BITS;
}

uint32_t
ct_chain_near(const struct conntrack *ct, uint32_t hash, uint32_t buckets)
{
	return ct->buckets[(bucket_number(ct, hash) + buckets) % ct->n_buckets] & LINK;
}

uint32_t
ct_chain_next(const struct conntrack *ct, uint32_t link)
{
	return *link_behind(ct, link) & LINK;
}

/* Nothing is ever put behind a link, so one that was the last stays so; one that has become the last
 * by a removal is just not known for it. */
static void
chain_push(struct conntrack *ct, uint32_t *bucket, struct conn *c, enum ct_dir dir)
{
	c->next[dir] = *bucket;
	*bucket = ct_link(conn_index(ct, c), dir) | tag_of(c->hash[dir]) | (*bucket ? 0 : LAST);
}

static void
chain_remove(struct conntrack *ct, struct conn *c, enum ct_dir dir)
{
	uint32_t link = ct_link(conn_index(ct, c), dir);
	uint32_t *at = bucket_of(ct, c->hash[dir]);

	while (*at && (*at & LINK) != link)
		at = link_behind(ct, *at);
	if (*at)
		*at = c->next[dir];
}

static bool
more_buckets(struct conntrack *ct)
{
	if (ct->n_buckets < ct->bucket_capacity)
		return true;
	if (ct->bucket_capacity >= buckets_max() / 2 ||
		!open_up(ct->buckets, (size_t)ct->bucket_capacity * 2 * sizeof(*ct->buckets)))
		return false;
	ct->bucket_capacity *= 2;
	return true;
}

/* The bucket that will be split `splits` from now. */
static uint32_t
bucket_ahead(const struct conntrack *ct, uint32_t splits)
{
	return ct->buckets[(ct->n_buckets + splits) & ct->bucket_mask >> 1];
}

static void
fetch_ahead(const struct conntrack *ct)
{
	uint32_t far = bucket_ahead(ct, AHEAD), near = bucket_ahead(ct, AHEAD / 2);

	if (far)
		__builtin_prefetch(linked_conn(ct, far));
	if (near && !(near & LAST) && *link_behind(ct, near))
		__builtin_prefetch(linked_conn(ct, *link_behind(ct, near)));
}

/* Half of what lies in a bucket moves into a new one at the end. */
static void
split_bucket(struct conntrack *ct)
{
	uint32_t from, link, next;

	if (!more_buckets(ct))
		return;
	if (ct->n_buckets > ct->bucket_mask)
		ct->bucket_mask = ct->bucket_mask << 1 | 1;
	from = ct->n_buckets & ct->bucket_mask >> 1;
	link = ct->buckets[from];
	ct->buckets[from] = 0;
	ct->n_buckets++;
	fetch_ahead(ct);
	for (; link; link = next) {
		struct conn *c = linked_conn(ct, link);
		enum ct_dir dir = link & 1;

		next = c->next[dir];
		chain_push(ct, bucket_of(ct, c->hash[dir]), c, dir);
	}
}

void
ct_insert(struct conntrack *ct, struct conn *c, bool reply_only)
{
	int i;

	ct->n_absent = 0;
	for (i = 0; i < SPLITS_EACH && ct->n_buckets / 2 < ct->count; i++)
		split_bucket(ct);
	if (!reply_only)
		chain_push(ct, bucket_of(ct, c->hash[0]), c, CT_DIR_ORIGINAL);
	chain_push(ct, bucket_of(ct, c->hash[1]), c, CT_DIR_REPLY);
	ct->linked++;
}

/* It is the one, most probably: have all of it come at once. */
static inline bool
fetch(const struct conn *c)
{
	size_t at;

	for (at = 64; at < sizeof(*c); at += 64)
		__builtin_prefetch((const char *)c + at);
	return true;
}

/* One chain. *stale: an expired one that is to be ended, then look again. */
static uint32_t
search(struct conntrack *ct, uint64_t now, const struct ct_tuple *t, uint32_t hash,
	uint16_t zone, uint8_t zone_dir, struct conn **stale)
{
	uint32_t link = *bucket_of(ct, hash), tag = tag_of(hash);

	for (; link; link = link & LAST ? 0 : *link_behind(ct, link)) {
		struct conn *c = linked_conn(ct, link);
		enum ct_dir dir = link & 1;

		if ((link & TAG) != tag || c->hash[dir] != hash)
			continue;
		if (conn_expired(ct, c, now)) {
			if (stale) {
				*stale = c;
				return 0;
			}
		} else if (fetch(c) && ct_tuple_equal(t, &c->tuple[dir]) &&
			   ct_zone_of(c->zone, c->zone_dir, dir) ==
				   ct_zone_of(zone, zone_dir, dir)) {
			return link & LINK;
		}
	}
	return 0;
}

static uint32_t
lookup_hash(struct conntrack *ct, struct env *env, uint64_t now, const struct ct_tuple *t,
	uint32_t hash, uint16_t zone, uint8_t zone_dir)
{
	for (;;) {
		struct conn *stale = NULL;
		uint32_t link = search(ct, now, t, hash, zone, zone_dir, env ? &stale : NULL);

		if (!stale)
			return link;
		conn_kill(env, ct, stale);
	}
}

static void
note_absent(struct conntrack *ct, const struct ct_tuple *t, uint32_t hash, uint16_t zone)
{
	struct ct_absent *a = &ct->absent[ct->n_absent++ % ABSENT_MAX];

	a->tuple = *t;
	a->hash = hash;
	a->zone = zone;
}

const struct ct_absent *
ct_absent_find(const struct conntrack *ct, const struct ct_tuple *t, uint16_t zone)
{
	uint32_t i, n = RTE_MIN(ct->n_absent, (uint32_t)ABSENT_MAX);

	for (i = 0; i < n; i++)
		if (ct->absent[i].zone == zone && ct_tuple_equal(&ct->absent[i].tuple, t))
			return &ct->absent[i];
	return NULL;
}

uint32_t
ct_lookup(struct conntrack *ct, struct env *env, uint64_t now, const struct ct_tuple *t,
	uint16_t zone, uint8_t zone_dir)
{
	uint16_t original = ct_zone_of(zone, zone_dir, CT_DIR_ORIGINAL);
	uint16_t reply = ct_zone_of(zone, zone_dir, CT_DIR_REPLY);
	uint32_t hash = ct_hash(ct, t, original);
	uint32_t link = lookup_hash(ct, env, now, t, hash, zone, zone_dir);

	if (link)
		return link;
	if (original != reply)
		return lookup_hash(ct, env, now, t, ct_hash(ct, t, reply), zone, zone_dir);
	if (env)
		note_absent(ct, t, hash, original);
	return 0;
}

uint32_t
ct_lookup_answer(struct conntrack *ct, struct env *env, const struct ct_tuple *t, uint16_t zone, uint8_t zone_dir)
{
	uint32_t hash = ct_hash(ct, t, ct_zone_of(zone, zone_dir, CT_DIR_REPLY));

	return lookup_hash(ct, env, env->now, t, hash, zone, zone_dir);
}

uint32_t
ct_lookup_clash(struct conntrack *ct, const struct conn *c, enum ct_dir dir)
{
	return search(ct, 0, &c->tuple[dir], c->hash[dir], c->zone, c->zone_dir, NULL);
}

/* ---- records ---- */

static bool
more_records(struct conntrack *ct)
{
	uint32_t capacity = RTE_MIN(ct->capacity * 2, records_max());

	if (capacity == ct->capacity || !open_up(ct->conns, capacity * sizeof(*ct->conns)))
		return false;
	ct->capacity = capacity;
	return true;
}

static struct conn *
take_record(struct conntrack *ct)
{
	struct conn *c;

	if (ct->vacant) {
		c = conn_at(ct, ct->vacant);
		ct->vacant = c->next[0];
		fetch(conn_at(ct, ct->vacant));
		__builtin_prefetch(conn_at(ct, ct->vacant));
		return c;
	}
	if (ct->used == ct->capacity && !more_records(ct))
		return NULL;
	c = conn_at(ct, ct->used++);
	return c;
}

struct conn *
conn_new(struct conntrack *ct, uint32_t max)
{
	struct conn *c = ct->count < max ? take_record(ct) : NULL;

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->id = ct->next_id++ * 2654435761u ^ (uint32_t)ct->key[0];
	c->refs = 1;
	ct->count++;
	return c;
}

/* Nothing is left of what may have been much. */
static void
give_back(struct conntrack *ct)
{
	if (ct->used <= GIVE_BACK_RECORDS)
		return;
	madvise(ct->conns, pages(ct->capacity * sizeof(*ct->conns)), MADV_DONTNEED);
	madvise(ct->buckets, pages(ct->bucket_capacity * sizeof(*ct->buckets)), MADV_DONTNEED);
	ct->used = 1;
	ct->vacant = 0;
	empty_hash(ct);
}

/* => index of its master, which has lost a reference; 0: none. */
static uint32_t
record_free(struct conntrack *ct, struct conn *c)
{
	uint32_t master = c->master;

	if (ct->nat)
		ct->nat->forget(ct->nat, ct, c);
	if (c->in_slot)
		ct->per_iface[c->in_slot]--;
	ct->n_help -= c->help != NULL;
	free(c->help);
	c->help = NULL;
	c->status = 0;
	c->next[0] = ct->vacant;
	ct->vacant = conn_index(ct, c);
	ct->count--;
	return master;
}

void
conn_put(struct conntrack *ct, struct conn *c)
{
	uint32_t master;

	while (--c->refs == 0) {
		master = record_free(ct, c);
		if (!master)
			break;
		c = conn_at(ct, master);
	}
	if (ct->count == 0)
		give_back(ct);
}

void
conn_changed(struct conntrack *ct, struct conn *c)
{
	c->version++;
	if (c->paths)
		ct->paths->changed(ct->paths, ct, c);
}

void
ct_tell(struct conntrack *ct, enum ct_event e, const struct conn *c)
{
	if (ct->listener)
		ct->listener(ct->listener_arg, e, c);
}

void
conn_kill(struct env *env, struct conntrack *ct, struct conn *c)
{
	if (!ct_confirmed(c) || c->status & CT_DYING)
		return;
	conn_touch(ct, c);
	c->status |= CT_DYING;
	if (!(c->status & CT_NAT_CLASH))
		chain_remove(ct, c, CT_DIR_ORIGINAL);
	chain_remove(ct, c, CT_DIR_REPLY);
	ct->linked--;
	wheel_remove(ct, c);
	if (c->expecting)
		ct_expect_forget(env, c);
	conn_changed(ct, c);
	ct_tell(ct, CT_EVENT_DESTROY, c);
	conn_put(ct, c);
	if (ct->linked == 0)
		wheel_idle(ct, env);
}
