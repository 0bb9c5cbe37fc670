/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boxes of a chain (classifier_boxes.h) as a tree. A node cuts one dimension into intervals and
 * leads to one child for each. What would have to be in too many of the children, as it leaves that
 * dimension open, is in a tree beside them, so a packet's rules are those of one child and of the
 * side: a few short lists in all, each in the order of the rules.
 */
#ifndef FILTERS_CLASSIFIER_TREE_H
#define FILTERS_CLASSIFIER_TREE_H

#include "filters/classifier_boxes.h"

enum {
	TREE_FAN = 16,   /* keys of one cache line; so many are compared at a time */
	TREE_LEVELS = 6, /* 16^6 intervals are more than boxes can have */
	TREE_LEAF =
		1u
		<< 31, /* bit of a reference: the rest is an index of entries, else one of nodes */
};

#define TREE_EMPTY UINT32_MAX /* reference to no rules at all */

enum entry_flags {
	ENTRY_LAST = 1 << 0,
	ENTRY_WHOLE = 1 << 1 /* no later fragments */,
	ENTRY_FRAGMENT = 1 << 2 /* only those */
};

/* A box once more, to be compared with a packet; interfaces are left out. A span is the distance
 * from the first to the last. */
struct classifier_entry {
	uint32_t src, src_span, dst, dst_span;
	uint16_t sport, sport_span, dport, dport_span;
	uint8_t proto, proto_span;
	uint8_t states; /* bit per value of DIM_STATE */
	uint8_t flags;  /* enum entry_flags */
	uint32_t index; /* of the rule */
};

/*
 * Where intervals begin, in levels: the last has all of them, those above each 16th of the one
 * below. Padded with UINT32_MAX, which no value reaches. The first level is here, so that it comes
 * from memory together with the rest of the node.
 */
struct classifier_node {
	_Alignas(64) uint32_t side; /* reference, or TREE_EMPTY */
	uint32_t kids; /* index of the references to the children; a multiple of 16 if there is more
			  than one level */
	uint32_t level[TREE_LEVELS]; /* where it begins, in lines of keys; [0] is not used */
	uint8_t levels, dim;
	_Alignas(64) uint32_t top[TREE_FAN];
};

struct classifier_tree {
	atomic_uint refs;
	uint32_t n_rules;
	uint32_t root;    /* reference */
	uint32_t headers; /* of the tree for packets with key->cut_short: rules by their headers
			     alone */
	bool uses_state;
	struct names names[2];
	struct classifier_node *nodes;
	uint32_t *keys; /* lines of 16 */
	uint32_t *kids;
	struct classifier_entry *entries;
	uint32_t n_nodes, n_entries;
	size_t memory; /* bytes */
};

/* => NULL with ENOMEM, ECANCELED or E2BIG. */
struct classifier_tree *tree_new(const struct ruleset_chain *chain, const atomic_bool *cancel);
void tree_get(struct classifier_tree *t);
void tree_put(struct classifier_tree *t);
/* The first rule at or behind `from` that may match; t->n_rules: none. */
uint32_t tree_next(const struct classifier_tree *t, struct classifier_key *key, uint32_t from);

#endif
