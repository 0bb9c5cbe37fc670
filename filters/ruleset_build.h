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
};

/* Chains and the headers of their rules; jumps are resolved. */
int build_chains(struct build *b, enum rules_table t);
/* No loops; how deep jumps go; from which hooks each chain is reached. */
int build_order(struct build *b, enum rules_table t);
/* Matches and targets are judged and prepared. */
int build_extensions(struct build *b, enum rules_table t);
/* Counters, state and compiled chains: those of the ruleset before where a rule is the same. */
int build_lives(struct build *b, enum rules_table t);

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
