/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_data.h"
#include "filters/sets_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_jhash.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUCKET_STEP = 2,       /* slots by which a bucket grows and shrinks */
	BUCKET_SLOTS_MAX = 64,
	BUCKET_HEADER = 32,    /* of the kernel's bucket, for "Size in memory" */
	REGION_BITS = 10,
};

/* Where an element is or would be. */
struct place {
	uint32_t key;
	struct set_bucket *b; /* NULL: none yet */
	int at;               /* slot of the element; -1: it is not there */
	int spare;            /* first slot that is free or expired, before `at`; -1 */
	unsigned same_net;    /* elements of the same address and prefix length */
};

uint32_t
set_table_regions(uint8_t bits)
{
	return bits <= REGION_BITS ? 1 : 1u << (bits - REGION_BITS);
}

struct set_region *
set_table_region(struct set_table *t, uint32_t key)
{
	return &t->regions[key >> REGION_BITS];
}

struct set_table *
set_table_new(uint8_t bits)
{
	struct set_table *t;
	uint32_t regions = set_table_regions(bits);

	t = calloc(1, sizeof(*t) + (sizeof(t->buckets[0]) << bits));
	if (!t)
		return NULL;
	t->regions = calloc(regions, sizeof(*t->regions));
	if (!t->regions) {
		free(t);
		return NULL;
	}
	for (uint32_t i = 0; i < regions; i++)
		t->regions[i].soonest = UINT64_MAX;
	t->bits = bits;
	return t;
}

void
set_table_free(struct set_table *t, bool comments)
{
	for (uint32_t key = 0; key < 1u << t->bits; key++) {
		struct set_bucket *b = t->buckets[key];

		for (unsigned i = 0; comments && b && i < b->pos; i++)
			if (b->used >> i & 1)
				free(b->slots[i].x.comment);
		free(b);
	}
	free(t->regions);
	free(t);
}

/* The bytes that the kernel hashes for each type. */
static uint32_t
hash_key(const struct set_params *p, uint8_t bits, const struct set_elem *e)
{
	uint32_t words[2] = {e->ip, 0}, n = p->type == SET_HASH_IP ? 1 : 2;
	uint8_t *rest = (uint8_t *)&words[1];

	if (p->type == SET_HASH_IP_PORT) {
		rest[0] = (uint8_t)(e->port >> 8);
		rest[1] = (uint8_t)e->port;
		rest[2] = e->proto;
	} else if (p->type == SET_HASH_NET) {
		rest[3] = e->cidr;
	} else if (p->type == SET_HASH_NET_IFACE) {
		rest[1] = e->cidr;
		rest[3] = 1;
	}
	return rte_jhash_32b(words, n, p->initval) & ((1u << bits) - 1);
}

/* A stored wildcard equals every name that begins with it. */
static bool
elem_equal(enum set_type type, const struct set_elem *stored, const struct set_elem *e,
	unsigned *same_net)
{
	if (stored->ip != e->ip)
		return false;
	if (type == SET_HASH_IP_PORT)
		return stored->port == e->port && stored->proto == e->proto;
	if (stored->cidr != e->cidr)
		return false;
	if (type != SET_HASH_NET_IFACE)
		return true;
	(*same_net)++;
	return stored->wildcard ? strncmp(stored->iface, e->iface, strlen(stored->iface)) == 0 :
				  strcmp(stored->iface, e->iface) == 0;
}

static struct place
hash_find(const struct set_data *d, const struct set_elem *e, uint64_t now)
{
	struct place p = {.key = hash_key(&d->params, d->table->bits, e), .at = -1, .spare = -1};

	p.b = d->table->buckets[p.key];
	for (int i = 0; p.b && i < p.b->pos; i++) {
		bool used = p.b->used >> i & 1;

		if (used && elem_equal(d->params.type, &p.b->slots[i].e, e, &p.same_net)) {
			p.at = i;
			return p;
		}
		if (p.spare < 0 && (!used || set_expired(d, &p.b->slots[i].x, now)))
			p.spare = i;
	}
	return p;
}

static uint64_t
slot_size(const struct set_data *d)
{
	const struct set_params *p = &d->params;
	uint64_t n = set_kind(p->type)->elem_size;

	if (p->counters || p->comment || p->timeout != SET_NO_TIMEOUT)
		n = (n + 7) / 8 * 8;
	return n + (p->counters ? 16u : 0) + (p->timeout != SET_NO_TIMEOUT ? 8u : 0) +
		(p->comment ? 8u : 0);
}

static uint64_t
bucket_memory(const struct set_data *d, unsigned slots)
{
	return BUCKET_HEADER + slots * slot_size(d);
}

static struct set_bucket *
bucket_new(unsigned slots)
{
	struct set_bucket *b = calloc(1, sizeof(*b) + slots * sizeof(b->slots[0]));

	if (b)
		b->size = (uint8_t)slots;
	return b;
}

/* A copy of the used slots, packed, in `slots`. => NULL: no memory. */
static struct set_bucket *
bucket_packed(const struct set_bucket *old, unsigned slots)
{
	struct set_bucket *b = bucket_new(slots);

	for (unsigned i = 0; b && i < old->pos; i++)
		if (old->used >> i & 1) {
			b->slots[b->pos] = old->slots[i];
			b->used |= 1ull << b->pos++;
		}
	return b;
}

/* => 0 or -ENOMEM. Slots keep their places. */
static int
bucket_grow(struct set_data *d, struct place *p, struct sets_log *log)
{
	struct set_bucket *b, *old = p->b;

	b = bucket_new((old ? old->size : 0u) + BUCKET_STEP);
	if (!b || !sets_log_reserve(log, 1)) {
		free(b);
		return -ENOMEM;
	}
	if (old) {
		b->used = old->used;
		b->pos = old->pos;
		memcpy(b->slots, old->slots, old->size * sizeof(b->slots[0]));
	}
	sets_log_bucket(log, d, p->key, old);
	d->table->memory += bucket_memory(d, BUCKET_STEP);
	d->table->buckets[p->key] = b;
	p->b = b;
	return 0;
}

/* After slots were emptied; without memory it stays as it is. */
static void
bucket_shrink(struct set_data *d, uint32_t key, unsigned empty, struct sets_log *log)
{
	struct set_bucket *old = d->table->buckets[key], *b = NULL;
	bool gone = empty >= old->size || (old->pos == 0 && empty == 0);
	uint64_t less;

	if (!gone && empty < BUCKET_STEP)
		return;
	if (!gone)
		b = bucket_packed(old, old->size - BUCKET_STEP);
	if ((!gone && !b) || !sets_log_reserve(log, 1)) {
		free(b);
		return;
	}
	less = bucket_memory(d, gone ? old->size : BUCKET_STEP);
	sets_log_bucket(log, d, key, old);
	d->table->memory -= less;
	d->table->buckets[key] = b;
}

static unsigned
bucket_empty(const struct set_bucket *b)
{
	return b->pos - (unsigned)__builtin_popcountll(b->used);
}

static void
count(struct set_data *d, uint32_t key, const struct set_slot *s, int by)
{
	struct set_region *r = set_table_region(d->table, key);

	d->table->n += (uint32_t)by;
	r->n += (uint32_t)by;
	set_nets_count(d, s->e.cidr, by);
	d->comments += by > 0 ? set_comment_size(s->x.comment) : -set_comment_size(s->x.comment);
	if (by > 0 && s->x.expires != 0 && s->x.expires < r->soonest)
		r->soonest = s->x.expires;
}

/* => 0 or -ENOMEM. */
static int
slot_clear(struct set_data *d, uint32_t key, unsigned i, struct sets_log *log)
{
	struct set_bucket *b = d->table->buckets[key];

	if (!sets_log_clear(log, d, key, (uint8_t)i, b->pos, &b->slots[i]))
		return -ENOMEM;
	count(d, key, &b->slots[i], -1);
	if (!log)
		free(b->slots[i].x.comment);
	b->slots[i].x.comment = NULL;
	b->used &= ~(1ull << i);
	if (i + 1u == b->pos)
		b->pos--;
	return 0;
}

/* => 0 or -ENOMEM; `x` is copied. */
static int
ext_copy(const struct set_ext *x, struct set_ext *copy)
{
	*copy = *x;
	if (!x->comment)
		return 0;
	copy->comment = strdup(x->comment);
	return copy->comment ? 0 : -ENOMEM;
}

static int
slot_fill(struct set_data *d, const struct place *p, unsigned i, const struct set_slot *slot,
	struct sets_log *log)
{
	struct set_slot copy = *slot;

	if (!sets_log_reserve(log, 1) || ext_copy(&slot->x, &copy.x) < 0)
		return -ENOMEM;
	sets_log_fill(log, d, p->key, (uint8_t)i, p->b->pos);
	p->b->slots[i] = copy;
	p->b->used |= 1ull << i;
	if (i >= p->b->pos)
		p->b->pos = (uint8_t)(i + 1);
	count(d, p->key, &copy, 1);
	return 0;
}

/* New extensions, and nomatch, for an element that is there. */
static int
slot_replace(struct set_data *d, const struct place *p, const struct set_slot *slot,
	struct sets_log *log)
{
	struct set_slot *s = &p->b->slots[p->at];
	struct set_ext copy;

	if (ext_copy(&slot->x, &copy) < 0)
		return -ENOMEM;
	if (!sets_log_replace(log, d, p->key, (uint8_t)p->at, s)) {
		free(copy.comment);
		return -ENOMEM;
	}
	count(d, p->key, s, -1);
	if (!log)
		free(s->x.comment);
	s->x = copy;
	s->e.nomatch = slot->e.nomatch;
	count(d, p->key, s, 1);
	return 0;
}

/* Takes the expired out of a bucket; notes in `soonest` when the next one expires. */
static int
bucket_collect(struct set_data *d, uint32_t key, uint64_t now, uint64_t *soonest, struct sets_log *log)
{
	struct set_bucket *b = d->table->buckets[key];
	uint8_t pos = b->pos;
	bool any = false;

	for (unsigned i = 0; i < pos; i++) {
		const struct set_ext *x = &b->slots[i].x;

		if (!(b->used >> i & 1))
			continue;
		if (!set_expired(d, x, now)) {
			if (x->expires != 0 && x->expires < *soonest)
				*soonest = x->expires;
			continue;
		}
		if (slot_clear(d, key, i, log) < 0)
			return -ENOMEM;
		b->pos = pos; /* the kernel's collector leaves it */
		any = true;
	}
	if (any)
		bucket_shrink(d, key, bucket_empty(b), log);
	return 0;
}

static int
region_collect(struct set_data *d, uint32_t region, uint64_t now, struct sets_log *log)
{
	struct set_table *t = d->table;
	uint32_t first = region << REGION_BITS, n = 1u << REGION_BITS, size = 1u << t->bits;
	uint64_t soonest = UINT64_MAX;

	if (d->params.timeout == SET_NO_TIMEOUT || t->regions[region].soonest >= now)
		return 0;
	for (uint32_t key = first; key < first + n && key < size; key++)
		if (t->buckets[key] && bucket_collect(d, key, now, &soonest, log) < 0)
			return -ENOMEM;
	t->regions[region].soonest = soonest;
	return 0;
}

/* => 1: full, 0: not, or -ENOMEM. Only when its region has its share are the elements of all counted. */
static int
hash_full(struct set_data *d, uint32_t key, uint64_t now, struct sets_log *log)
{
	struct set_table *t = d->table;

	if (set_table_region(t, key)->n < d->params.maxelem / set_table_regions(t->bits))
		return 0;
	if (region_collect(d, key >> REGION_BITS, now, log) < 0)
		return -ENOMEM;
	return t->n >= d->params.maxelem;
}

/*
 * A full bucket grows. Networks with many interfaces share a bucket whatever the size of the table, so theirs may
 * grow longer. => 0, SET_ERR_FULL, SET_ERR_RESIZE, -ENOMEM.
 */
static int
hash_grow(struct set_data *d, struct place *p, struct sets_log *log)
{
	bool ifaces = d->params.type == SET_HASH_NET_IFACE, longer;
	int err;

	if (p->b && ifaces && d->params.bucketsize >= BUCKET_SLOTS_MAX)
		return SET_ERR_FULL;
	longer = ifaces && d->params.bucketsize <= p->same_net;
	if (p->b && !longer && p->b->size >= d->params.bucketsize)
		return SET_ERR_RESIZE;
	err = bucket_grow(d, p, log);
	if (!err && longer)
		d->params.bucketsize += BUCKET_STEP;
	return err;
}

/* A slot for a new element. => 0, SET_ERR_FULL, SET_ERR_RESIZE, -ENOMEM. */
static int
hash_make_room(struct set_data *d, struct place *p, bool full, unsigned *slot, struct sets_log *log)
{
	bool force = full && d->params.forceadd;

	if (!p->b && full)
		return SET_ERR_FULL;
	if (p->b && (p->spare >= 0 || force)) {
		*slot = p->spare >= 0 ? (unsigned)p->spare : 0;
		return p->b->used >> *slot & 1 ? slot_clear(d, p->key, *slot, log) : 0;
	}
	if (full)
		return SET_ERR_FULL;
	*slot = p->b ? p->b->pos : 0;
	if (p->b && *slot < p->b->size)
		return 0;
	return hash_grow(d, p, log);
}

static int
hash_insert(struct set_data *d, const struct set_slot *slot, bool exist, uint64_t now,
	struct sets_log *log)
{
	uint32_t key = hash_key(&d->params, d->table->bits, &slot->e);
	int full = hash_full(d, key, now, log), err;
	struct place p = hash_find(d, &slot->e, now);
	unsigned i = 0;

	if (full < 0)
		return full;
	if (p.at >= 0) {
		if (!exist && !set_expired(d, &p.b->slots[p.at].x, now))
			return SET_ERR_EXIST;
		return slot_replace(d, &p, slot, log);
	}
	err = hash_make_room(d, &p, full, &i, log);
	return err ? err : slot_fill(d, &p, i, slot, log);
}

/* Moves one element as it is. => 0, SET_ERR_RESIZE: its bucket is too full, -ENOMEM. */
static int
table_move(const struct set_params *params, struct set_table *t, const struct set_slot *slot)
{
	uint32_t key = hash_key(params, t->bits, &slot->e);
	struct set_bucket *b = t->buckets[key], *more;
	struct set_region *r = set_table_region(t, key);

	if (!b || b->pos >= b->size) {
		if (b && b->size >= params->bucketsize)
			return SET_ERR_RESIZE;
		more = bucket_new((b ? b->size : 0u) + BUCKET_STEP);
		if (!more)
			return -ENOMEM;
		if (b) {
			more->used = b->used;
			more->pos = b->pos;
			memcpy(more->slots, b->slots, b->size * sizeof(b->slots[0]));
		}
		free(b);
		t->buckets[key] = b = more;
	}
	b->slots[b->pos] = *slot;
	b->used |= 1ull << b->pos++;
	t->n++;
	r->n++;
	if (slot->x.expires != 0 && slot->x.expires < r->soonest)
		r->soonest = slot->x.expires;
	return 0;
}

static int
table_move_all(const struct set_params *params, const struct set_table *from, struct set_table *to)
{
	for (uint32_t key = 0; key < 1u << from->bits; key++) {
		const struct set_bucket *b = from->buckets[key];

		for (unsigned i = 0; b && i < b->pos; i++) {
			int err = b->used >> i & 1 ? table_move(params, to, &b->slots[i]) : 0;

			if (err)
				return err;
		}
	}
	return 0;
}

static uint64_t
table_memory(const struct set_data *d, const struct set_table *t)
{
	uint64_t blocks = 0;

	for (uint32_t key = 0; key < 1u << t->bits; key++)
		if (t->buckets[key])
			blocks += t->buckets[key]->size / BUCKET_STEP;
	return blocks * bucket_memory(d, BUCKET_STEP);
}

/* Twice as many buckets, or more if that is not enough. => 0, SET_ERR_FULL, -ENOMEM. */
static int
hash_resize(struct set_data *d, uint64_t now, struct sets_log *log)
{
	struct set_table *t = NULL;
	int err = SET_ERR_RESIZE;

	for (uint32_t r = 0; r < set_table_regions(d->table->bits); r++)
		if (region_collect(d, r, now, log) < 0)
			return -ENOMEM;
	for (unsigned bits = d->table->bits + 1u; err == SET_ERR_RESIZE; bits++) {
		if (bits > SET_BITS_MAX)
			return SET_ERR_FULL;
		t = set_table_new((uint8_t)bits);
		if (!t || !sets_log_reserve(log, 1)) {
			if (t)
				set_table_free(t, false);
			return -ENOMEM;
		}
		err = table_move_all(&d->params, d->table, t);
		if (err)
			set_table_free(t, false);
	}
	if (err)
		return err;
	t->memory = table_memory(d, t);
	sets_log_table(log, d, d->table);
	d->table = t;
	return 0;
}

int
set_hash_add(struct set_data *d, const struct set_elem *e, const struct set_ext *x, bool exist,
	uint64_t now, struct sets_log *log)
{
	struct set_slot slot = {.e = *e, .x = *x};
	int err;

	while ((err = hash_insert(d, &slot, exist, now, log)) == SET_ERR_RESIZE) {
		if (!log)
			return SET_ERR_FULL;
		err = hash_resize(d, now, log);
		if (err)
			return err;
	}
	return err;
}

int
set_hash_del(struct set_data *d, const struct set_elem *e, uint64_t now, struct sets_log *log)
{
	struct place p = hash_find(d, e, now);
	int err;

	if (p.at < 0 || set_expired(d, &p.b->slots[p.at].x, now))
		return SET_ERR_EXIST;
	err = slot_clear(d, p.key, (unsigned)p.at, log);
	if (err)
		return err;
	bucket_shrink(d, p.key, bucket_empty(p.b), log);
	return 0;
}

/* Looks for exactly this element. => 1, 0, -1 (nomatch). */
static int
hash_test_one(struct set_data *d, const struct set_elem *e, const struct set_query *q,
	unsigned *same_net)
{
	struct set_bucket *b = d->table->buckets[hash_key(&d->params, d->table->bits, e)];

	for (unsigned i = 0; b && i < b->pos; i++) {
		struct set_slot *s = &b->slots[i];

		if (!(b->used >> i & 1) || !elem_equal(d->params.type, &s->e, e, same_net))
			continue;
		if (set_ext_matches(d, &s->x, q))
			return s->e.nomatch ? -1 : 1;
		*same_net = 0;
	}
	return 0;
}

/*
 * An address is looked for in every prefix length there is, the longest first. With interfaces the first
 * network that holds the address decides, also when it is there with other interfaces only.
 */
static int
hash_test_nets(struct set_data *d, const struct set_elem *e, const struct set_query *q)
{
	unsigned same_net = 0;

	for (uint64_t left = d->lengths; left && !same_net;) {
		unsigned len = 63u - (unsigned)__builtin_clzll(left);
		struct set_elem net = *e;
		int found;

		left &= ~(1ull << len);
		net.cidr = (uint8_t)len;
		net.ip &= len ? htonl(UINT32_MAX << (32 - len)) : 0;
		found = hash_test_one(d, &net, q, &same_net);
		if (found)
			return found;
	}
	return 0;
}

int
set_hash_test(struct set_data *d, const struct set_elem *e, const struct set_query *q)
{
	unsigned same_net = 0;

	if (set_kind(d->params.type)->nets && e->cidr == 32)
		return hash_test_nets(d, e, q);
	return hash_test_one(d, e, q, &same_net);
}

void
set_hash_walk(const struct set_data *d, uint64_t now, set_visit visit, void *arg)
{
	for (uint32_t key = 0; key < 1u << d->table->bits; key++) {
		const struct set_bucket *b = d->table->buckets[key];

		for (unsigned i = 0; b && i < b->pos; i++)
			if (b->used >> i & 1 && !set_expired(d, &b->slots[i].x, now))
				visit(arg, &b->slots[i].e, &b->slots[i].x);
	}
}
