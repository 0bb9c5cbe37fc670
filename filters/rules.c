/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/rules.h"

#include "fabric/base/huge.h"
#include "filters/rules_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_MIN = 4096, CHUNK_MAX = 2 << 20, ALIGNMENT = 16 };

struct chunk {
	struct chunk *next;
	size_t size, used; /* of data */
	_Alignas(ALIGNMENT) uint8_t data[];
};

struct rules_memory {
	struct chunk *chunks; /* the first is the one that is being filled */
	size_t total;
};

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_RAW] = "raw",
	[TABLE_MANGLE] = "mangle",
	[TABLE_NAT] = "nat",
	[TABLE_FILTER] = "filter",
	[TABLE_SECURITY] = "security",
};

static const char *const hook_names[RULES_HOOKS] = {
	[RULES_PREROUTING] = "PREROUTING",
	[RULES_INPUT] = "INPUT",
	[RULES_FORWARD] = "FORWARD",
	[RULES_OUTPUT] = "OUTPUT",
	[RULES_POSTROUTING] = "POSTROUTING",
};

enum {
	LOCAL_HOOKS = 1 << RULES_INPUT | 1 << RULES_FORWARD | 1 << RULES_OUTPUT,
	ALL_HOOKS = (1 << RULES_HOOKS) - 1,
};

static const uint8_t table_hooks[TABLE_COUNT] = {
	[TABLE_RAW] = 1 << RULES_PREROUTING | 1 << RULES_OUTPUT,
	[TABLE_MANGLE] = ALL_HOOKS,
	[TABLE_NAT] = ALL_HOOKS & ~(1 << RULES_FORWARD),
	[TABLE_FILTER] = LOCAL_HOOKS,
	[TABLE_SECURITY] = LOCAL_HOOKS,
};

struct rules *
rules_new(void)
{
	struct rules *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->memory = calloc(1, sizeof(*r->memory));
	if (!r->memory) {
		free(r);
		return NULL;
	}
	return r;
}

void
rules_free(struct rules *r)
{
	struct chunk *c, *next;

	if (!r)
		return;
	for (c = r->memory->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(r->memory);
	free(r);
}

/* Chunks grow with the arena, so that many small trees cost little and a large one few calls. */
static size_t
chunk_size(const struct rules_memory *m, size_t need)
{
	size_t size = m->total;

	if (size < CHUNK_MIN)
		size = CHUNK_MIN;
	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	return size < need ? need : size;
}

static struct chunk *
chunk_new(struct rules_memory *m, size_t need)
{
	size_t size = chunk_size(m, need);
	struct chunk *c = huge_alloc(sizeof(*c) + size);

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c) + size);
	c->size = size;
	m->total += size;
	/* One that a single block fills stays behind the one with room left. */
	if (m->chunks && need == size) {
		c->next = m->chunks->next;
		m->chunks->next = c;
	} else {
		c->next = m->chunks;
		m->chunks = c;
	}
	return c;
}

void *
rules_alloc(struct rules *r, size_t size)
{
	struct chunk *c = r->memory->chunks;
	void *at;

	if (size > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!c || c->size - c->used < size)
		c = chunk_new(r->memory, size);
	if (!c)
		return NULL;
	at = c->data + c->used;
	c->used += size;
	return at;
}

enum rules_table
rules_table_of(const char *name)
{
	enum rules_table t;

	for (t = 0; t < TABLE_COUNT; t++)
		if (strcmp(table_names[t], name) == 0)
			break;
	return t;
}

const char *
rules_table_name(enum rules_table t)
{
	return table_names[t];
}

const char *
rules_hook_name(enum rules_hook h)
{
	return hook_names[h];
}

bool
rules_table_hooks(enum rules_table t, enum rules_hook h)
{
	return table_hooks[t] >> h & 1;
}

static struct rules_chain *
chain_append(struct rules *r, struct rules_tab *t, const char *name, int8_t hook)
{
	struct rules_chain *c = rules_alloc(r, sizeof(*c));

	if (!c)
		return NULL;
	if (t->n_chains == t->size_chains) {
		uint32_t size = t->size_chains * 2 + 8;
		struct rules_chain **grown = rules_alloc(r, size * sizeof(*grown));

		if (!grown)
			return NULL;
		if (t->n_chains)
			memcpy(grown, t->chains, t->n_chains * sizeof(*grown));
		t->chains = grown;
		t->size_chains = size;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->hook = hook;
	c->policy = hook < 0 ? ACTION_NONE : ACTION_ACCEPT;
	t->chains[t->n_chains++] = c;
	return c;
}

struct rules_tab *
rules_table(struct rules *r, enum rules_table t)
{
	struct rules_tab *tab = &r->tables[t];
	int8_t h;

	if (tab->present)
		return tab;
	tab->n_chains = 0;
	for (h = 0; h < RULES_HOOKS; h++)
		if (rules_table_hooks(t, (enum rules_hook)h) &&
			!chain_append(r, tab, hook_names[h], h))
			return NULL;
	tab->present = true;
	return tab;
}

struct rules_chain *
rules_chain(const struct rules_tab *t, const char *name)
{
	uint32_t i;

	for (i = 0; i < t->n_chains; i++)
		if (strcmp(t->chains[i]->name, name) == 0)
			return t->chains[i];
	return NULL;
}

struct rules_chain *
rules_chain_add(struct rules *r, struct rules_tab *t, const char *name)
{
	return chain_append(r, t, name, -1);
}

void
rules_chain_remove(struct rules_tab *t, struct rules_chain *c)
{
	uint32_t i;

	for (i = 0; i < t->n_chains; i++)
		if (t->chains[i] == c)
			break;
	if (i == t->n_chains)
		return;
	t->n_chains--;
	memmove(&t->chains[i], &t->chains[i + 1], (t->n_chains - i) * sizeof(*t->chains));
}

int
rules_reserve(struct rules *r, struct rules_chain *c, uint32_t n)
{
	uint32_t size = c->size_rules + c->size_rules / 2 + 4;
	struct rules_rule *grown;

	if (c->size_rules - c->n_rules >= n)
		return 0;
	if (size < c->size_rules || UINT32_MAX - c->n_rules < n)
		return -ENOMEM;
	if (size < c->n_rules + n)
		size = c->n_rules + n;
	grown = rules_alloc(r, size * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (c->n_rules)
		memcpy(grown, c->rules, c->n_rules * sizeof(*grown));
	c->rules = grown;
	c->size_rules = size;
	return 0;
}

void
rules_shift(struct rules_chain *c, uint32_t at, uint32_t removed, uint32_t added)
{
	const uint32_t behind = c->n_rules - at - removed;

	if (removed != added && behind)
		memmove(&c->rules[at + added], &c->rules[at + removed], behind * sizeof(*c->rules));
	c->n_rules = at + added + behind;
}

int
rules_rule_insert(
	struct rules *r, struct rules_chain *c, uint32_t at, const struct rules_rule *rule)
{
	const struct rules_rule copy = *rule; /* it may be one of this very vector */

	if (rules_reserve(r, c, 1) < 0)
		return -ENOMEM;
	rules_shift(c, at, 0, 1);
	c->rules[at] = copy;
	return 0;
}

void
rules_rule_delete(struct rules_chain *c, uint32_t at)
{
	rules_shift(c, at, 1, 0);
}

uint32_t *
rules_references(const struct rules_tab *t)
{
	uint32_t *counts = calloc(t->n_chains + (size_t)1, sizeof(*counts));
	struct rules_index names;

	if (!counts || rules_index_init(&names, t->n_chains) < 0) {
		free(counts);
		return NULL;
	}
	for (uint32_t i = 0; i < t->n_chains; i++)
		rules_index_add(&names, t->chains[i]->name, i);
	for (uint32_t i = 0; i < t->n_chains; i++)
		for (uint32_t k = 0; k < t->chains[i]->n_rules; k++) {
			const struct rules_rule *r = &t->chains[i]->rules[k];
			uint32_t to = RULES_INDEX_NONE;

			if (r->action == ACTION_JUMP || r->action == ACTION_GOTO)
				to = rules_index_find(&names, r->chain);
			if (to != RULES_INDEX_NONE)
				counts[to]++;
		}
	rules_index_fini(&names);
	return counts;
}

static void
keep_one(struct rules_count *c, bool numbers)
{
	if (!numbers)
		c->packets = c->bytes = 0;
	c->how = COUNT_KEEP;
}

/* `numbers`: they stay. */
static void
keep(struct rules *r, bool numbers)
{
	for (unsigned t = 0; t < TABLE_COUNT; t++)
		for (uint32_t i = 0; i < r->tables[t].n_chains; i++) {
			struct rules_chain *c = r->tables[t].chains[i];

			keep_one(&c->count, numbers);
			for (uint32_t k = 0; k < c->n_rules; k++)
				keep_one(&c->rules[k].count, numbers);
		}
}

void
rules_keep_counts(struct rules *r)
{
	keep(r, false);
}

void
rules_keep_loaded(struct rules *r)
{
	keep(r, true);
}

static bool
ext_equal(const struct rules_ext *a, const struct rules_ext *b)
{
	return a->revision == b->revision && a->size == b->size && strcmp(a->name, b->name) == 0 &&
	       (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static bool
action_equal(const struct rules_rule *a, const struct rules_rule *b)
{
	if (a->action != b->action)
		return false;
	switch (a->action) {
	case ACTION_JUMP:
	case ACTION_GOTO:
		return strcmp(a->chain, b->chain) == 0;
	case ACTION_TARGET:
		return ext_equal(&a->target, &b->target);
	default:
		return true;
	}
}

bool
rules_rule_equal(const struct rules_rule *a, const struct rules_rule *b)
{
	uint16_t i;

	if (!ip_equal(&a->src, &b->src) || !ip_equal(&a->src_mask, &b->src_mask) ||
		!ip_equal(&a->dst, &b->dst) || !ip_equal(&a->dst_mask, &b->dst_mask))
		return false;
	if (a->proto != b->proto || a->flags != b->flags || a->n_matches != b->n_matches)
		return false;
	if (strcmp(a->in, b->in) != 0 || strcmp(a->out, b->out) != 0)
		return false;
	for (i = 0; i < a->n_matches; i++)
		if (!ext_equal(&a->matches[i], &b->matches[i]))
			return false;
	return action_equal(a, b);
}
