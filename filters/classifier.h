/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled form of one chain: which rule is the next that a packet can match, found without
 * looking at those in between. A candidate is then judged in full by the interpreter, so the
 * compiled form may be too generous, never too strict: it must never skip a rule that matches, or
 * one whose extensions do more than answer (limits, lists, condemning a malformed packet). All
 * state, limits and payload stay with the interpreter; counters stay exact.
 *
 * It is made in the background, from the rules of a chain, and points to none of them: the chain of
 * the next ruleset goes on with it as far as both begin and end with the same rules, and what was
 * changed in between is looked at rule by rule until that chain has been compiled, too.
 */
#ifndef FILTERS_CLASSIFIER_H
#define FILTERS_CLASSIFIER_H

#include "filters/ruleset.h"

enum {
	CLASSIFIER_MIN_RULES = 24, /* below, the straight way is as fast (tests/bench/filter_bench.c) */
	CLASSIFIER_MAX_RULES = 1 << 20,
	CLASSIFIER_VISITS = 12, /* lists of rules that one packet may have to look at */
};

/* What rules are told apart by. Addresses in host byte order; ICMP: type << 8 | code as source
 * port; state: number of the bit that `-m state` compares. */
enum classifier_dim {
	DIM_SRC,
	DIM_DST,
	DIM_SPORT,
	DIM_DPORT,
	DIM_PROTO,
	DIM_STATE,
	DIM_IN,
	DIM_OUT,
	DIM_FRAGMENT,
	DIM_COUNT
};

struct classifier;
struct classifier_entry;
struct classifier_tree;

/* One packet at one hook; to be made anew when a target may have changed the packet. It remembers
 * where the packet's rules are. */
struct classifier_key {
	const struct filter_ctx *ctx;
	uint32_t value[DIM_COUNT];
	bool cut_short;    /* a match on layer 4 could find the packet malformed */
	uint8_t forbidden; /* enum entry_flags */
	/* private */
	const struct classifier_tree *tree; /* where `at` points to; NULL: nowhere yet */
	uint32_t from;
	uint32_t n;
	const struct classifier_entry *at[CLASSIFIER_VISITS];
};

void classifier_key(struct classifier_key *key, const struct filter_ctx *ctx);

/* It has enough rules, and is not compiled, or too much of it has changed since. */
bool classifier_wanted(const struct ruleset_chain *chain);
/*
 * Compiles. Any thread, no lock: the chain does not change. Tens of milliseconds for 10,000 rules;
 * memory is at most 1 KB a rule. `cancel` (or NULL) ends it within milliseconds. => NULL with
 * ENOMEM, ECANCELED, or E2BIG: too few or too many rules.
 */
struct classifier *classifier_new(const struct ruleset_chain *chain, const atomic_bool *cancel);
/* Packets go by `c` from now on; it is freed with the chain. One thread at a time; packets may be
 * on their way through the chain. */
void classifier_publish(struct ruleset_chain *chain, struct classifier *c);
/*
 * `to` is the chain that replaces `from`, and has its rule_lives already: it goes on with the
 * compiled form of `from` where the rules are the same. Control thread, before `to` is published.
 * Without memory nothing happens.
 */
void classifier_inherit(struct ruleset_chain *to, const struct ruleset_chain *from);
/* The same when it is known what they share: the first `head` rules and the last `tail`. */
void classifier_follow(struct ruleset_chain *to, const struct ruleset_chain *from, uint32_t head, uint32_t tail);
/* And those that it took the place of. NULL: nothing. */
void classifier_free(struct classifier *c);

/* The first rule at or behind `from` that may match; chain->n_rules: none. Reads what it depends on
 * into the packet's recorder. */
uint32_t classifier_next(const struct classifier *c, struct classifier_key *key, uint32_t from);
size_t classifier_memory(const struct classifier *c); /* bytes */
/* Rules that have to be looked at one by one. */
uint32_t classifier_changed(const struct classifier *c);

#endif
