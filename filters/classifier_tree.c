/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/classifier_tree.h"

#include "filters/conntrack.h"

#include <assert.h>
#include <rte_prefetch.h>
#include <stdlib.h>

void
tree_get(struct classifier_tree *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void
tree_put(struct classifier_tree *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(t->names[0].begin);
	free(t->names[1].begin);
	free(t->nodes);
	free(t->keys);
	free(t->kids);
	free(t->entries);
	free(t);
}

typedef uint32_t quad __attribute__((vector_size(16), may_alias));

/* Number of keys of a line that are not above `v`: without a branch. What compares true is all
 * ones, which is -1. */
static inline uint32_t
line_count(const uint32_t *line, uint32_t v)
{
	const quad *keys = __builtin_assume_aligned(line, 64);
	const quad value = {v, v, v, v};
	quad n = (quad)(keys[0] <= value) + (quad)(keys[1] <= value) + (quad)(keys[2] <= value) +
		 (quad)(keys[3] <= value);

	static_assert(TREE_FAN == 16, "four at a time, four times");
	return -(n[0] + n[1] + n[2] + n[3]);
}

static inline uint32_t
node_child(const struct classifier_tree *t, const struct classifier_node *n, uint32_t v)
{
	uint32_t at = line_count(n->top, v) - 1, i;

	for (i = 1; i < n->levels; i++) {
		const uint32_t *line = t->keys + (size_t)(n->level[i] + at) * TREE_FAN;

		at *= TREE_FAN;
		if (i + 1 == n->levels)
			rte_prefetch0(&t->kids[n->kids + at]);
		at += line_count(line, v) - 1;
	}
	return t->kids[n->kids + at];
}

static uint32_t
name_value(const struct names *n, const struct iface *i)
{
	return n->n > 1 ? names_find(n, i ? name_number_of(i->name) : 0) : 0;
}

/* What only some trees look at. */
static void
key_complete(const struct classifier_tree *t, struct classifier_key *key)
{
	const struct filter_ctx *c = key->ctx;

	key->value[DIM_IN] = name_value(&t->names[0], c->in);
	key->value[DIM_OUT] = name_value(&t->names[1], c->out);
	key->value[DIM_STATE] = 0;
	if (!t->uses_state)
		return;
	key->value[DIM_STATE] = (uint32_t)__builtin_ctz(conntrack_state_bit(c->p));
}

static void
locate(const struct classifier_tree *t, struct classifier_key *key)
{
	uint32_t stack[CLASSIFIER_VISITS], n = 0, ref;

	if (key->tree != t)
		key_complete(t, key);
	key->tree = t;
	key->n = 0;
	stack[n++] = key->cut_short ? t->headers : t->root;
	while (n > 0) {
		for (ref = stack[--n]; !(ref & TREE_LEAF);) {
			const struct classifier_node *node = &t->nodes[ref];

			rte_prefetch0(node->top);
			if (node->side != TREE_EMPTY)
				stack[n++] = node->side;
			ref = node_child(t, node, key->value[node->dim]);
		}
		if (ref != TREE_EMPTY)
			key->at[key->n++] = &t->entries[ref & ~TREE_LEAF];
	}
}

static inline bool
entry_fits(const struct classifier_entry *e, const struct classifier_key *k, uint8_t state)
{
	bool addrs = (k->value[DIM_SRC] - e->src <= e->src_span) &
		     (k->value[DIM_DST] - e->dst <= e->dst_span);
	bool ports = ((uint16_t)(k->value[DIM_SPORT] - e->sport) <= e->sport_span) &
		     ((uint16_t)(k->value[DIM_DPORT] - e->dport) <= e->dport_span);
	bool rest = ((uint8_t)(k->value[DIM_PROTO] - e->proto) <= e->proto_span) &
		    ((e->states & state) != 0) & !(e->flags & k->forbidden);

	return addrs & ports & rest;
}

/* The first of a list that fits and is in [from, limit). => its index, or `limit`; *at is where to
 * go on, NULL: nowhere. */
static inline uint32_t
list_next(const struct classifier_entry **at, const struct classifier_key *k, uint32_t from,
	uint32_t limit)
{
	const uint8_t state = (uint8_t)(1u << k->value[DIM_STATE]);
	const struct classifier_entry *e = *at;

	for (;; e++) {
		if (e->index >= limit || (e->index >= from && entry_fits(e, k, state))) {
			*at = e;
			return RTE_MIN(e->index, limit);
		}
		if (e->flags & ENTRY_LAST)
			break;
	}
	*at = NULL;
	return limit;
}

uint32_t
tree_next(const struct classifier_tree *t, struct classifier_key *key, uint32_t from)
{
	uint32_t best = t->n_rules, i;

	if (key->tree != t || from < key->from)
		locate(t, key);
	key->from = from;
	for (i = 0; i < key->n; i++)
		if (key->at[i])
			best = list_next(&key->at[i], key, from, best);
	return best;
}
