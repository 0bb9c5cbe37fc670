/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address table of a port.
 *
 * Entries lie side by side in one array, in no order. What a packet asks is in an index beside it: buckets of eight, each one cache
 * line with the tags and the sharers themselves, so that a packet touches one line and no entry, and compares eight tags without a
 * branch that depends on where its own lies. A bucket that is full passes on to the next; it counts what has passed, so that who
 * finds nothing stops where nothing did. An index is never more than half full.
 *
 * An index finds by a tag of 32 bits. For IPv4 the tag is a permutation of the address: equal tags are equal addresses. For
 * everything else (IPv6, MAC addresses) the entry is compared too. So there are two indexes of one code.
 */
#include "drivers/osa/oat.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BUCKET = 8, BUCKETS_MIN = 8 };

struct bucket {
	uint32_t tag[BUCKET];
	uint16_t sharer[BUCKET];
	uint16_t passed; /* entries that belong here or before, and lie further on */
	uint8_t used;    /* a bit a place */
} __attribute__((aligned(64)));
static_assert(sizeof(struct bucket) == 64, "a cache line");

struct index {
	struct bucket *buckets;
	uint32_t *ids; /* by place: of the entry */
	uint32_t mask; /* of buckets */
	size_t n;
};

/* A place in an index: bucket and place in it. */
enum { NO_PLACE = 0xffffffff };

struct oat {
	struct index exact, other; /* IPv4; everything else */
	struct oat_entry *entries;
	size_t n, size;
};

static inline uint32_t
tag4(uint32_t addr)
{
	addr *= 0x9e3779b1u;
	addr ^= addr >> 16;
	addr *= 0x85ebca6bu;
	return addr ^ (addr >> 13);
}

static uint32_t
tag_of(const struct ip_addr *a)
{
	uint32_t h = a->family;

	if (a->family == AF_INET)
		return tag4(a->v4);
	for (unsigned i = 0; i < 4; i++)
		h = tag4(h ^ a->w[i]);
	return h;
}

static struct index *
index_of(struct oat *t, const struct ip_addr *a)
{
	return a->family == AF_INET ? &t->exact : &t->other;
}

static int
index_init(struct index *x, uint32_t buckets)
{
	*x = (struct index){.buckets = aligned_alloc(64, buckets * sizeof(*x->buckets)), .mask = buckets - 1};
	x->ids = calloc((size_t)buckets * BUCKET, sizeof(*x->ids));
	if (x->buckets && x->ids) {
		memset(x->buckets, 0, buckets * sizeof(*x->buckets));
		return 0;
	}
	free(x->buckets);
	free(x->ids);
	*x = (struct index){0};
	return -ENOMEM;
}

static void
put(struct index *x, uint32_t tag, uint32_t id, uint16_t sharer)
{
	uint32_t i = tag & x->mask, k;

	while (x->buckets[i].used == 0xff) {
		x->buckets[i].passed++;
		i = (i + 1) & x->mask;
	}
	k = (uint32_t)__builtin_ctz(~(uint32_t)x->buckets[i].used);
	x->buckets[i].tag[k] = tag;
	x->buckets[i].sharer[k] = sharer;
	x->buckets[i].used |= (uint8_t)(1u << k);
	x->ids[i * BUCKET + k] = id;
	x->n++;
}

/* Room for one more. */
static int
index_grow(struct index *x)
{
	struct index next;

	if ((x->n + 1) * 2 <= (size_t)(x->mask + 1) * BUCKET)
		return 0;
	if (index_init(&next, (x->mask + 1) * 2) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i <= x->mask; i++) {
		for (uint32_t k = 0; k < BUCKET; k++) {
			if (x->buckets[i].used & 1u << k)
				put(&next, x->buckets[i].tag[k], x->ids[i * BUCKET + k], x->buckets[i].sharer[k]);
		}
	}
	free(x->buckets);
	free(x->ids);
	*x = next;
	return 0;
}

/* The places of a bucket with this tag, a bit each. */
static inline unsigned
matches(const struct bucket *b, uint32_t tag)
{
#ifdef __SSE2__
	__m128i wanted = _mm_set1_epi32((int)tag);
	__m128i low = _mm_cmpeq_epi32(wanted, _mm_load_si128((const __m128i *)(const void *)&b->tag[0]));
	__m128i high = _mm_cmpeq_epi32(wanted, _mm_load_si128((const __m128i *)(const void *)&b->tag[4]));
	__m128i both = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());

	return (unsigned)_mm_movemask_epi8(both) & b->used;
#else
	unsigned found = 0;

	for (unsigned k = 0; k < BUCKET; k++)
		found |= (unsigned)(b->tag[k] == tag) << k;
	return found & b->used;
#endif
}

/* What `place` held is gone. */
static void
take_out(struct index *x, uint32_t place)
{
	struct bucket *b = &x->buckets[place / BUCKET];

	for (uint32_t i = b->tag[place % BUCKET] & x->mask; i != place / BUCKET; i = (i + 1) & x->mask)
		x->buckets[i].passed--;
	b->used &= (uint8_t)~(1u << place % BUCKET);
	x->n--;
}

struct oat *
oat_new(void)
{
	struct oat *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (index_init(&t->exact, BUCKETS_MIN) == 0 && index_init(&t->other, BUCKETS_MIN) == 0)
		return t;
	oat_free(t);
	errno = ENOMEM;
	return NULL;
}

void
oat_free(struct oat *t)
{
	if (!t)
		return;
	free(t->exact.buckets);
	free(t->exact.ids);
	free(t->other.buckets);
	free(t->other.ids);
	free(t->entries);
	free(t);
}

uint16_t
oat_lookup4(const struct oat *t, uint32_t addr)
{
	const struct index *x = &t->exact;
	uint32_t tag = tag4(addr);
	const struct bucket *b = &x->buckets[tag & x->mask];
	unsigned found = matches(b, tag);

	for (uint32_t i = 1; !found && b->passed && i <= x->mask; i++) {
		b = &x->buckets[(tag + i) & x->mask];
		found = matches(b, tag);
	}
	return found ? b->sharer[__builtin_ctz(found)] : SHARER_NONE;
}

static uint32_t
find_place(const struct oat *t, const struct index *x, const struct ip_addr *addr)
{
	uint32_t tag = tag_of(addr);

	for (uint32_t i = 0; i <= x->mask; i++) {
		uint32_t at = (tag + i) & x->mask;

		for (unsigned found = matches(&x->buckets[at], tag); found; found &= found - 1) {
			uint32_t place = at * BUCKET + (uint32_t)__builtin_ctz(found);

			if (ip_equal(&t->entries[x->ids[place]].addr, addr))
				return place;
		}
		if (x->buckets[at].passed == 0)
			break;
	}
	return NO_PLACE;
}

uint16_t
oat_lookup(const struct oat *t, const struct ip_addr *addr)
{
	const struct oat_entry *e = oat_find(t, addr);

	return e ? e->sharer : SHARER_NONE;
}

struct oat_entry *
oat_find(const struct oat *t, const struct ip_addr *addr)
{
	const struct index *x = addr->family == AF_INET ? &t->exact : &t->other;
	uint32_t place = find_place(t, x, addr);

	return place == NO_PLACE ? NULL : &t->entries[x->ids[place]];
}

static int
entries_grow(struct oat *t)
{
	size_t size = t->size ? t->size * 2 : BUCKET;
	struct oat_entry *more;

	if (t->n < t->size)
		return 0;
	more = realloc(t->entries, size * sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->entries = more;
	t->size = size;
	return 0;
}

int
oat_add(struct oat *t, const struct oat_entry *e)
{
	struct index *x = index_of(t, &e->addr);

	if (oat_find(t, &e->addr))
		return -EEXIST;
	if (index_grow(x) < 0 || entries_grow(t) < 0)
		return -ENOMEM;
	put(x, tag_of(&e->addr), (uint32_t)t->n, e->sharer);
	t->entries[t->n++] = *e;
	return 0;
}

void
oat_move(struct oat *t, struct oat_entry *e, uint16_t sharer, uint8_t flags)
{
	struct index *x = index_of(t, &e->addr);
	uint32_t place = find_place(t, x, &e->addr);

	e->sharer = sharer;
	e->flags = flags;
	x->buckets[place / BUCKET].sharer[place % BUCKET] = sharer;
}

int
oat_del(struct oat *t, const struct ip_addr *addr)
{
	struct index *x = index_of(t, addr);
	uint32_t place = find_place(t, x, addr), id;
	const struct oat_entry *last;

	if (place == NO_PLACE)
		return -ENOENT;
	id = x->ids[place];
	take_out(x, place);
	last = &t->entries[--t->n];
	if (id == t->n)
		return 0;
	x = index_of(t, &last->addr);
	x->ids[find_place(t, x, &last->addr)] = id;
	t->entries[id] = *last;
	return 0;
}

size_t
oat_count(const struct oat *t)
{
	return t->n;
}

size_t
oat_count_of(const struct oat *t, uint16_t sharer)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->entries[i].sharer == sharer;
	return n;
}

struct oat_entry *
oat_entries(const struct oat *t, size_t *n)
{
	*n = t->n;
	return t->entries;
}
