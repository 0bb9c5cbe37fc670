/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address table of a port.
 *
 * Entries lie side by side in one array, in no order. What a packet asks is in an index beside it: open addressing with linear
 * probing, never more than half full. A slot of the index has the sharer itself, so that a packet touches one cache line of it and no entry.
 *
 * An index finds by a tag of 32 bits. For IPv4 the tag is a permutation of the address: equal tags are equal addresses. For
 * everything else (IPv6, MAC addresses) the entry is compared too. So there are two indexes of one code.
 */
#include "drivers/osa/oat.h"

#include <errno.h>
#include <stdlib.h>

enum { INDEX_MIN = 64 };

struct slot {
	uint32_t tag;
	uint32_t id; /* of the entry, from 1; 0: free */
	uint16_t sharer;
};

struct index {
	struct slot *slots;
	uint32_t mask;
	size_t n;
};

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
index_init(struct index *x, uint32_t size)
{
	*x = (struct index){.slots = calloc(size, sizeof(*x->slots)), .mask = size - 1};
	return x->slots ? 0 : -ENOMEM;
}

static void
put(struct index *x, struct slot s)
{
	uint32_t i = s.tag & x->mask;

	while (x->slots[i].id)
		i = (i + 1) & x->mask;
	x->slots[i] = s;
	x->n++;
}

/* Room for one more. */
static int
index_grow(struct index *x)
{
	struct index next;

	if ((x->n + 1) * 2 <= x->mask)
		return 0;
	if (index_init(&next, (x->mask + 1) * 2) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i <= x->mask; i++) {
		if (x->slots[i].id)
			put(&next, x->slots[i]);
	}
	free(x->slots);
	*x = next;
	return 0;
}

/* The slot of entry `id` with this tag, which is there. */
static uint32_t
slot_of(const struct index *x, uint32_t tag, uint32_t id)
{
	uint32_t i = tag & x->mask;

	while (x->slots[i].id != id)
		i = (i + 1) & x->mask;
	return i;
}

/* Whatever was pushed on by the slot that becomes free moves back. */
static void
take_out(struct index *x, uint32_t hole)
{
	for (uint32_t i = (hole + 1) & x->mask; x->slots[i].id; i = (i + 1) & x->mask) {
		uint32_t home = x->slots[i].tag & x->mask;

		if (((i - home) & x->mask) < ((i - hole) & x->mask))
			continue;
		x->slots[hole] = x->slots[i];
		hole = i;
	}
	x->slots[hole].id = 0;
	x->n--;
}

struct oat *
oat_new(void)
{
	struct oat *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (index_init(&t->exact, INDEX_MIN) == 0 && index_init(&t->other, INDEX_MIN) == 0)
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
	free(t->exact.slots);
	free(t->other.slots);
	free(t->entries);
	free(t);
}

uint16_t
oat_lookup4(const struct oat *t, uint32_t addr)
{
	const struct index *x = &t->exact;
	uint32_t tag = tag4(addr), i = tag & x->mask;

	while (x->slots[i].id && x->slots[i].tag != tag)
		i = (i + 1) & x->mask;
	return x->slots[i].id ? x->slots[i].sharer : SHARER_NONE;
}

/* => its slot, or a free one. */
static uint32_t
find_slot(const struct oat *t, const struct index *x, const struct ip_addr *addr)
{
	uint32_t tag = tag_of(addr), i = tag & x->mask;

	while (x->slots[i].id && (x->slots[i].tag != tag || !ip_equal(&t->entries[x->slots[i].id - 1].addr, addr)))
		i = (i + 1) & x->mask;
	return i;
}

uint16_t
oat_lookup(const struct oat *t, const struct ip_addr *addr)
{
	const struct index *x = index_of((struct oat *)t, addr);
	uint32_t i = find_slot(t, x, addr);

	return x->slots[i].id ? x->slots[i].sharer : SHARER_NONE;
}

struct oat_entry *
oat_find(const struct oat *t, const struct ip_addr *addr)
{
	const struct index *x = index_of((struct oat *)t, addr);
	uint32_t i = find_slot(t, x, addr);

	return x->slots[i].id ? &t->entries[x->slots[i].id - 1] : NULL;
}

static int
entries_grow(struct oat *t)
{
	size_t size = t->size ? t->size * 2 : INDEX_MIN;
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
	t->entries[t->n++] = *e;
	put(x, (struct slot){tag_of(&e->addr), (uint32_t)t->n, e->sharer});
	return 0;
}

void
oat_move(struct oat *t, struct oat_entry *e, uint16_t sharer, uint8_t flags)
{
	struct index *x = index_of(t, &e->addr);

	e->sharer = sharer;
	e->flags = flags;
	x->slots[find_slot(t, x, &e->addr)].sharer = sharer;
}

int
oat_del(struct oat *t, const struct ip_addr *addr)
{
	struct oat_entry *e = oat_find(t, addr), *last;
	struct index *x = index_of(t, addr);

	if (!e)
		return -ENOENT;
	last = &t->entries[t->n - 1];
	take_out(x, find_slot(t, x, addr));
	if (e != last) {
		x = index_of(t, &last->addr);
		x->slots[slot_of(x, tag_of(&last->addr), (uint32_t)t->n)].id = (uint32_t)(e - t->entries) + 1;
		*e = *last;
	}
	t->n--;
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
