/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/rules_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
rules_index_init(struct rules_index *x, uint32_t n)
{
	uint64_t size = 8;

	while (size < (uint64_t)n * 2)
		size *= 2;
	x->slots = calloc(size, sizeof(*x->slots));
	x->mask = (uint32_t)(size - 1);
	return x->slots ? 0 : -ENOMEM;
}

void
rules_index_fini(struct rules_index *x)
{
	free(x->slots);
	x->slots = NULL;
}

/* The slot of a name, or the free one where it belongs. FNV-1a, its bits stirred once more. */
static uint32_t
slot_of(const struct rules_index *x, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;
	uint32_t slot;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
	slot = (uint32_t)(hash ^ hash >> 32) & x->mask;
	while (x->slots[slot].name && strcmp(x->slots[slot].name, name) != 0)
		slot = (slot + 1) & x->mask;
	return slot;
}

uint32_t
rules_index_add(struct rules_index *x, const char *name, uint32_t at)
{
	uint32_t slot = slot_of(x, name);

	if (x->slots[slot].name)
		return x->slots[slot].at;
	x->slots[slot].name = name;
	x->slots[slot].at = at;
	return RULES_INDEX_NONE;
}

uint32_t
rules_index_find(const struct rules_index *x, const char *name)
{
	uint32_t slot = slot_of(x, name);

	return x->slots[slot].name ? x->slots[slot].at : RULES_INDEX_NONE;
}
