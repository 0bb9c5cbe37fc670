/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ruleset_build.h"

#include "filters/rules_index.h"

#include <errno.h>
#include <stdlib.h>

/*
 * How much of a packet's interface name counts, as iptables' masks say it: with the NUL, so that
 * eth1 is not eth10; before a '+' only what stands there.
 */
static uint8_t
name_len(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return 0;
	return (uint8_t)(name[len - 1] == '+' ? len - 1 : len + 1);
}

static void
set_header(struct ruleset_rule *to, const struct rules_rule *from)
{
	to->src = from->src.v4 & from->src_mask.v4;
	to->src_mask = from->src_mask.v4;
	to->dst = from->dst.v4 & from->dst_mask.v4;
	to->dst_mask = from->dst_mask.v4;
	to->proto = from->proto;
	to->flags = from->flags;
	to->action = from->action;
	to->in_len = name_len(from->in);
	to->out_len = name_len(from->out);
	memcpy(to->in, from->in, to->in_len);
	memcpy(to->out, from->out, to->out_len);
	if (from->proto == 0)
		to->flags &=
			(uint8_t)~RULE_NOT_PROTO; /* the kernel looks at it only if there is one */
}

static int
check_header(struct build *b, enum rules_table t, const char *chain, uint32_t number,
	const struct rules_rule *rule)
{
	if (rule->src.family != AF_INET || rule->src_mask.family != AF_INET ||
		rule->dst.family != AF_INET || rule->dst_mask.family != AF_INET)
		return build_refuse(b, t, chain, number, "addresses must be IPv4");
	if (rule->action >= ACTION_COUNT)
		return build_refuse(b, t, chain, number, "unknown action %u", rule->action);
	if (rule->n_matches > RULES_MATCHES_MAX)
		return build_refuse(b, t, chain, number, "%u matches, at most %u are supported",
			rule->n_matches, RULES_MATCHES_MAX);
	return 0;
}

int
build_header(struct build *b, enum rules_table t, const char *chain, uint32_t number, const struct rules_rule *rule, struct ruleset_rule *to)
{
	int err = check_header(b, t, chain, number, rule);

	if (err == 0)
		set_header(to, rule);
	return err;
}

static int
resolve(struct build *b, enum rules_table t, const struct rules_index *names, uint32_t chain,
	uint32_t number)
{
	struct ruleset_table *tab = &b->ruleset->tables[t];
	const struct rules_rule *rule = &b->ruleset->rules->tables[t].chains[chain]->rules[number];
	uint32_t to;

	if (rule->action != ACTION_JUMP && rule->action != ACTION_GOTO)
		return 0;
	to = rules_index_find(names, rule->chain);
	if (to == RULES_INDEX_NONE)
		return build_refuse(
			b, t, tab->chains[chain]->name, number + 1, "no chain %s", rule->chain);
	if (tab->chains[to]->hook >= 0)
		return build_refuse(b, t, tab->chains[chain]->name, number + 1,
			"no rule may jump to %s, which is built in", rule->chain);
	tab->chains[chain]->rules[number].to = to;
	tab->chains[chain]->n_jumps++;
	return 0;
}

static int
chain_resolve(struct build *b, enum rules_table t, const struct rules_index *names, uint32_t chain)
{
	uint32_t i;
	int err;

	for (i = 0; i < b->ruleset->tables[t].chains[chain]->n_rules; i++) {
		err = resolve(b, t, names, chain, i);
		if (err < 0)
			return err;
	}
	return 0;
}

/* Room for the rules of a chain and for all their matches. */
static int
chain_room(struct ruleset_chain *c, const struct rules_chain *tree)
{
	size_t n_matches = 0;
	uint32_t i;

	for (i = 0; i < tree->n_rules; i++)
		n_matches += tree->rules[i].n_matches;
	c->rules = aligned_alloc(64, (tree->n_rules + (size_t)!tree->n_rules) * sizeof(*c->rules));
	c->matches = calloc(n_matches + 1, sizeof(*c->matches));
	if (!c->rules || !c->matches)
		return -ENOMEM;
	memset(c->rules, 0, tree->n_rules * sizeof(*c->rules));
	c->size_rules = tree->n_rules;
	return 0;
}

static int
chain_fill(struct build *b, enum rules_table t, struct ruleset_chain *c,
	const struct rules_chain *tree)
{
	struct ruleset_match *matches;
	uint32_t i;
	int err;

	if (chain_room(c, tree) < 0)
		return build_no_memory(b);
	matches = c->matches;
	for (i = 0; i < tree->n_rules; i++) {
		err = build_header(b, t, c->name, i + 1, &tree->rules[i], &c->rules[i]);
		if (err < 0)
			return err;
		c->rules[i].matches = matches;
		c->rules[i].n_matches = (uint8_t)tree->rules[i].n_matches;
		matches += tree->rules[i].n_matches;
		c->n_rules = i + 1;
	}
	return 0;
}

static int
chain_init(struct build *b, enum rules_table t, struct ruleset_chain *c,
	const struct rules_chain *tree)
{
	memcpy(c->name, tree->name, sizeof(c->name));
	c->hook = tree->hook;
	c->policy = tree->policy;
	if (c->hook < 0)
		return chain_fill(b, t, c, tree);
	if (c->hook >= RULES_HOOKS || !rules_table_hooks(t, (enum rules_hook)c->hook) ||
		b->ruleset->tables[t].entry[c->hook])
		return build_refuse(b, t, c->name, 0, "no such built-in chain");
	if (c->policy != ACTION_ACCEPT && c->policy != ACTION_DROP)
		return build_refuse(b, t, c->name, 0, "the policy must be ACCEPT or DROP");
	c->hooks = 1u << c->hook;
	b->ruleset->tables[t].entry[c->hook] = c;
	return chain_fill(b, t, c, tree);
}

static int
check_built_in(struct build *b, enum rules_table t)
{
	uint8_t h;

	for (h = 0; h < RULES_HOOKS; h++)
		if (rules_table_hooks(t, h) && !b->ruleset->tables[t].entry[h])
			return build_refuse(
				b, t, rules_hook_name(h), 0, "the built-in chain is missing");
	return 0;
}

static int
chains_init(struct build *b, enum rules_table t, struct rules_index *names)
{
	const struct rules_tab *tree = &b->ruleset->rules->tables[t];
	struct ruleset_table *tab = &b->ruleset->tables[t];
	uint32_t i;
	int err;

	for (i = 0; i < tree->n_chains; i++) {
		tab->chains[i] = calloc(1, sizeof(**tab->chains));
		if (!tab->chains[i])
			return build_no_memory(b);
		tab->n_chains = i + 1;
		err = chain_init(b, t, tab->chains[i], tree->chains[i]);
		if (err < 0)
			return err;
		if (rules_index_add(names, tab->chains[i]->name, i) != RULES_INDEX_NONE)
			return build_refuse(
				b, t, tab->chains[i]->name, 0, "there are two of that name");
	}
	err = check_built_in(b, t);
	for (i = 0; i < tab->n_chains && err == 0; i++)
		err = chain_resolve(b, t, names, i);
	return err;
}

int
build_chains(struct build *b, enum rules_table t)
{
	uint32_t n = b->ruleset->rules->tables[t].n_chains;
	struct ruleset_table *tab = &b->ruleset->tables[t];
	struct rules_index names;
	int err;

	tab->chains = calloc(n + (size_t)!n, sizeof(*tab->chains));
	if (!tab->chains || rules_index_init(&names, n) < 0)
		return build_no_memory(b);
	err = chains_init(b, t, &names);
	rules_index_fini(&names);
	return err;
}
