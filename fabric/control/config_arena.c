/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_tree.h"

#include <stdlib.h>
#include <string.h>

struct cfg_block {
	struct cfg_block *next;
	_Alignas(16) char bytes[];
};

struct cfg_slot {
	const void *key;
	void *value; /* NULL: free */
	uint64_t hash;
	size_t len;
};

enum { BLOCK_FIRST = 4096, BLOCK_MAX = 1 << 20, INDEX_FIRST = 8 };

static void *
out_of_memory(struct cfg_arena *a)
{
	if (a->escape)
		longjmp(*a->escape, 1);
	return NULL;
}

static bool
arena_grow(struct cfg_arena *a, size_t need)
{
	size_t size = a->blocks ? BLOCK_MAX : BLOCK_FIRST;
	struct cfg_block *b;

	if (size < need)
		size = need;
	b = calloc(1, sizeof(*b) + size);
	if (!b)
		return false;
	b->next = a->blocks;
	a->blocks = b;
	a->next = b->bytes;
	a->left = size;
	return true;
}

void *
cfg_alloc(struct cfg_arena *a, size_t size)
{
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (size > a->left && !arena_grow(a, size))
		return out_of_memory(a);
	p = a->next;
	a->next += size;
	a->left -= size;
	return p;
}

char *
cfg_copy(struct cfg_arena *a, const char *text, size_t len)
{
	char *p = cfg_alloc(a, len + 1);

	if (p && len)
		memcpy(p, text, len);
	return p;
}

void
cfg_arena_fini(struct cfg_arena *a)
{
	while (a->blocks) {
		struct cfg_block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	*a = (struct cfg_arena){0};
}

/* FNV-1a, its high half folded in because the low bits choose the slot. */
static uint64_t
hash_bytes(const void *key, size_t len)
{
	const uint8_t *p = key;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

/* => the slot of the key, or the free one where it belongs. There is always a free one. */
static struct cfg_slot *
index_slot(const struct cfg_index *x, const void *key, size_t len, uint64_t hash)
{
	size_t i = hash & (x->size - 1);

	while (x->slots[i].value) {
		const struct cfg_slot *s = &x->slots[i];

		if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			break;
		i = (i + 1) & (x->size - 1);
	}
	return &x->slots[i];
}

void *
cfg_index_find(const struct cfg_index *x, const void *key, size_t len)
{
	return x->size ? index_slot(x, key, len, hash_bytes(key, len))->value : NULL;
}

static bool
index_grow(struct cfg_index *x)
{
	struct cfg_index old = *x;

	x->size = old.size ? old.size * 4 : INDEX_FIRST;
	x->slots = cfg_alloc(x->arena, x->size * sizeof(*x->slots));
	if (!x->slots) {
		*x = old;
		return false;
	}
	for (size_t i = 0; i < old.size; i++) {
		const struct cfg_slot *s = &old.slots[i];

		if (s->value)
			*index_slot(x, s->key, s->len, s->hash) = *s;
	}
	return true;
}

void *
cfg_index_add(struct cfg_index *x, const void *key, size_t len, void *value)
{
	uint64_t hash = hash_bytes(key, len);
	struct cfg_slot *s;

	if (x->n * 2 >= x->size && !index_grow(x))
		return NULL;
	s = index_slot(x, key, len, hash);
	if (s->value)
		return s->value;
	*s = (struct cfg_slot){
		.key = cfg_copy(x->arena, key, len), .value = value, .hash = hash, .len = len};
	if (!s->key)
		s->value = NULL;
	else
		x->n++;
	return NULL;
}
