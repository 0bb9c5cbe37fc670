/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset as packets meet it: the rules of one router, judged, resolved and immutable, part of a generation. What a rule counts and remembers
 * (struct rule_live) is shared with the same rule of the ruleset before, so a swap loses no count and no token. After a single edit (ruleset_edit()) it shares all that did not change.
 *
 * "The same rule" is an equal rule of the chain of the same name of the same table; of several equal ones the first goes with the first.
 * Building is the control thread's, while packets flow through the ruleset before. rule_lives are counted by reference there only.
 */
#ifndef FILTERS_RULESET_H
#define FILTERS_RULESET_H

#include "filters/extension.h"
#include "filters/rules_edit.h"

struct classifier;

enum { RULESET_DEPTH_MAX = 1024 };

struct rule_live {
	uint64_t packets, bytes; /* under the slow-way lock */
	uint32_t refs;           /* control thread */
	uint32_t state_size;
	bool started;            /* start() was called for its state */
	_Alignas(16) uint8_t state[]; /* of the rule's matches, in order, then of its target, each aligned to 16 */
};

struct ruleset_match {
	const struct match_ops *ops;
	const void *options; /* prepared ones or those of the rule */
	void *prepared;
	void *state;         /* in the rule_live */
};

struct ruleset_chain;

/* The first cache line is the header: a rule that does not match costs no more than that one. */
struct ruleset_rule {
	_Alignas(64) uint32_t src; /* addresses and masks in network byte order; masked already */
	uint32_t src_mask, dst, dst_mask;
	uint16_t proto;
	uint8_t flags;   /* enum rule_flags */
	uint8_t action;  /* enum rule_action */
	uint8_t in_len, out_len; /* bytes of the interface names that count: 0 any, with the NUL unless it is a prefix */
	uint8_t n_matches;
	uint8_t begin;   /* private: what ruleset_begin() has to do */
	uint64_t in[2], out[2];  /* the names, zeroed behind in_len and out_len */
	struct rule_live *live;
	/* the second one */
	const struct ruleset_match *matches;
	uint32_t to;     /* ACTION_JUMP, ACTION_GOTO: index of the chain; else 0, which no rule may jump to */
	uint8_t needs;   /* enum ext_needs */
	void *own;       /* private: memory of a rule that came with an edit, its matches and options */
	struct {
		const struct target_ops *ops;
		const void *options;
		void *prepared, *state;
	} target;                          /* ACTION_TARGET */
};

struct ruleset_chain {
	char name[RULES_NAME];
	int8_t hook;    /* -1: of the user */
	uint8_t policy; /* ACTION_ACCEPT or ACTION_DROP; built-in */
	uint32_t n_rules;
	uint32_t size_rules; /* room for rules */
	uint32_t n_jumps, n_needing; /* how many of them jump; how many need connections */
	struct ruleset_rule *rules;
	struct ruleset_match *matches; /* of its rules, but for those with memory of their own */
	struct rule_live *live; /* counters of the policy; NULL: of the user */
	struct classifier *_Atomic classifier; /* the compiled form, or NULL: straight through (classifier.h); stored by the compiler's thread, freed with the chain */
	uint32_t hooks; /* reached from; bit per enum rules_hook */
	/* private: until ruleset_retire() it has the rules of `from`, in which `added` have taken the place of [at, at + removed) */
	struct ruleset_chain *from;
	uint32_t at, removed, added;
};

struct ruleset_table {
	bool present;
	uint32_t n_chains;
	struct ruleset_chain **chains; /* in the order of the tree */
	const struct ruleset_chain *entry[RULES_HOOKS]; /* NULL: no such hook */
	uint32_t depth; /* the longest way of jumps, at most RULESET_DEPTH_MAX */
};

struct ruleset {
	struct ruleset_table tables[TABLE_COUNT];
	uint32_t needs; /* enum ext_needs of all rules; the nat table with a rule needs conntrack too */
	uint64_t serial; /* of the ruleset; grows with every change of the router's rules */
	struct rules *rules; /* what it was built from: ext options point there */
	struct ruleset_edit *edit; /* private: what it shares with the ruleset before and did not take over yet */
};

/*
 * Judges and builds. Takes `rules` when it succeeds. `before` (may be NULL) lends its rule_lives. => NULL with a sentence in `why` that names table,
 * chain and rule number ("filter FORWARD rule 3: match physdev is not supported"): unknown extensions or revisions, sizes, a jump to a missing chain (or to a
 * built-in one), loops (FLT-19), tables and hooks where an extension must not be, policies, what check() refuses.
 */
struct ruleset *ruleset_new(struct rules *rules, const struct router *router, struct filters_live *live, const struct ruleset *before,
		char *why, size_t why_size);
/*
 * `before`, which is in force, with one edit that rules_edit_plan() has found good in its tree (CHANGE_RULES, CHANGE_POLICY, CHANGE_CHAIN). Shares
 * every chain but the one that changes, and of that one every rule that stays: it costs as much as the edit, and a copy of the chain's headers
 * unless rules go or come at its end. The tree follows with ruleset_retire(); until then `before` stays as it is. => NULL with errno and, but for
 * ESTALE, a sentence as of ruleset_new(); ESTALE: chains are reached from other hooks now, so their rules have to be judged again: ruleset_new().
 */
struct ruleset *ruleset_edit(struct ruleset *before, const struct rules_edit *edit, const struct rules_change *change, const struct router *router,
		struct filters_live *live, char *why, size_t why_size);
/* After a grace period; one of ruleset_edit(): before it was published. */
void ruleset_free(struct ruleset *r);
/* After a grace period: frees `was`, which `now` (or NULL) took the place of; what they share becomes that of `now`. */
void ruleset_retire(struct ruleset *was, struct ruleset *now);
/* Counters of the rules with COUNT_SET and COUNT_SUBTRACT take effect: at the publication, under the slow-way lock. New rules start their state. */
void ruleset_begin(struct ruleset *r, uint64_t now);
/* Zeroes what an edit of kind CHANGE_COUNTS is about, or takes away what it was shown. Under the slow-way lock. => 0; -EINVAL: it was shown something else. */
int ruleset_zero(const struct ruleset *r, const struct rules_edit *edit, const struct rules_change *change);
/* The rules with present counters (how: COUNT_SET), flat, to free(). Under the slow-way lock. => NULL: ENOMEM. */
uint8_t *ruleset_encode(const struct ruleset *r, size_t *len);

/*
 * Takes a packet through one table at one hook (ctx->table, ctx->hook and the other inputs are set). Counts, runs targets. => ACCEPT, DROP (ctx->why set),
 * QUEUE, STOLEN; never CONTINUE or RETURN. A table without that hook, or not present: ACCEPT. No recursion: jumps go on a stack of the depth found at build.
 * With PKT_TRACE set it logs TRACE lines (semantics.md 6.14) through env->ops->log.
 */
enum filter_verdict ruleset_run(const struct ruleset *r, struct filter_ctx *ctx);

/* True when the part of a rule that needs no extension matches: addresses, interfaces, protocol, -f. */
bool rule_header_matches(const struct ruleset_rule *rule, const struct filter_ctx *c);

#endif
