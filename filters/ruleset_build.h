/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of ruleset_new(), in this order, each for one table. => 0, or -EINVAL, -ENOMEM with the
 * sentence written. */
#ifndef FILTERS_RULESET_BUILD_H
#define FILTERS_RULESET_BUILD_H

#include "filters/ruleset.h"

/* What ruleset_begin() has to do for a rule. */
enum rule_begin { RULE_BEGIN_START = 1 << 0, RULE_BEGIN_COUNT = 1 << 1 };

struct build {
	struct ruleset *ruleset;
	const struct router *router;
	struct filters_live *live;
	const struct ruleset *before; /* or NULL */
	char *why;
	size_t why_size;
	bool edited; /* chains are shared: nothing may be written to them */
};

/* Chains and the headers of their rules; jumps are resolved. */
int build_chains(struct build *b, enum rules_table t);
/* No loops; how deep jumps go; from which hooks each chain is reached. => also -ESTALE: it is edited, and they are others now. */
int build_order(struct build *b, enum rules_table t);
/* Matches and targets are judged and prepared. */
int build_extensions(struct build *b, enum rules_table t);
/* Counters, state and compiled chains: those of the ruleset before where a rule is the same. */
int build_lives(struct build *b, enum rules_table t);

/* The parts of these steps for one rule, `number` from 1, into *to, which is zeroed and has its matches. */
int build_header(struct build *b, enum rules_table t, const char *chain, uint32_t number, const struct rules_rule *rule, struct ruleset_rule *to);
int build_rule(struct build *b, enum rules_table t, const struct ruleset_chain *chain, uint32_t number, const struct rules_rule *rule,
	struct ruleset_rule *to);
/* `live`: of the same rule before, or NULL: a new one. => 0 or -ENOMEM */
int build_live(struct ruleset_rule *to, struct rule_live *live, uint8_t how);
/* What all rules together need. */
void build_needs(struct ruleset *r);

/* What ruleset_begin() does for one rule and its counters. */
void rule_begin(struct ruleset_rule *rule, const struct rules_count *count, uint64_t now);
void live_count(struct rule_live *live, const struct rules_count *c);
/* What a rule holds, not the rule. */
void rule_free(struct ruleset_rule *rule);

/* Of ruleset_edit.c, for r->edit. */
void ruleset_edit_begin(struct ruleset *r, uint64_t now);
void ruleset_edit_undo(struct ruleset *r);
/* Drops a reference; the last one ends the state of the rule's extensions. `rule` NULL: of a
 * policy. */
void rule_live_put(struct rule_live *live, const struct ruleset_rule *rule);

/* "filter FORWARD rule 3: ..."; `rule` 0: of the chain. => -EINVAL. */
int build_refuse(struct build *b, enum rules_table t, const char *chain, uint32_t rule,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
/* => -ENOMEM. */
int build_no_memory(struct build *b);

/* `state` takes as much of a rule_live. */
static inline uint32_t
state_room(uint16_t state_size)
{
	return (state_size + 15u) & ~15u;
}

#endif
