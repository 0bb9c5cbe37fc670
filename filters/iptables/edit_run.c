/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands one by one; the table at the end says in which order those of one command line go. */
#include "filters/iptables/edit.h"
#include "filters/iptables/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int
ext_copy(struct rules *r, struct rules_ext *to, const struct rules_ext *from)
{
	*to = *from;
	if (!from->size)
		return 0;
	to->data = rules_alloc(r, from->size);
	if (!to->data)
		return -ENOMEM;
	memcpy(to->data, from->data, from->size);
	return 0;
}

/* A chain before a target, a target before nothing. */
static int
action_make(struct ipt_edit *e, struct rules_rule *rule)
{
	const struct ipt_command *c = e->c;
	const struct rules_chain *chain = ipt_edit_chain(e, c->jump);

	if (chain) {
		if (c->target.name[0])
			fprintf(stderr, "Warning: using chain %s, not extension\n", c->jump);
		if (chain->hook >= 0)
			return -EINVAL;
		rule->action = c->is_goto ? ACTION_GOTO : ACTION_JUMP;
		snprintf(rule->chain, sizeof(rule->chain), "%s", c->jump);
		return 0;
	}
	if (c->is_goto)
		xtables_error(PARAMETER_PROBLEM, "goto '%s' is not a chain", c->jump);
	if (c->target.name[0]) {
		rule->action = ACTION_TARGET;
		return ext_copy(e->r, &rule->target, &c->target);
	}
	rule->action = (uint8_t)ipt_edit_verdict(c->jump);
	if (rule->action == ACTION_COUNT)
		xt_find_target(c->jump, XTF_LOAD_MUST_SUCCEED);
	return rule->action == ACTION_COUNT ? -ENOENT : 0;
}

static int
matches_make(struct ipt_edit *e, struct rules_rule *rule)
{
	rule->n_matches = e->c->n_matches;
	if (!rule->n_matches)
		return 0;
	rule->matches = rules_alloc(e->r, rule->n_matches * sizeof(*rule->matches));
	if (!rule->matches)
		return -ENOMEM;
	for (uint16_t i = 0; i < rule->n_matches; i++)
		if (ext_copy(e->r, &rule->matches[i], &e->c->matches[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* All but the addresses. */
static int
rule_make(struct ipt_edit *e, struct rules_rule *rule)
{
	const struct ipt_command *c = e->c;
	int err;

	memset(rule, 0, sizeof(*rule));
	memcpy(rule->in, c->in, sizeof(rule->in));
	memcpy(rule->out, c->out, sizeof(rule->out));
	rule->proto = c->protocol;
	rule->flags = c->inverted;
	if ((c->options & OPTION_FRAGMENT) && !(c->inverted & RULE_NOT_FRAGMENT))
		rule->flags |= RULE_FRAGMENT;
	rule->count = ipt_edit_count(c->packets, c->bytes);
	err = action_make(e, rule);
	return err < 0 ? err : matches_make(e, rule);
}

static int
rule_append(struct ipt_edit *e, struct rules_chain *chain, const struct rules_rule *rule)
{
	return rules_rule_insert(e->r, chain, chain->n_rules, rule);
}

static int
rule_insert(struct ipt_edit *e, struct rules_chain *chain, const struct rules_rule *rule)
{
	if (e->c->number - 1 > chain->n_rules)
		return -E2BIG;
	return rules_rule_insert(e->r, chain, e->c->number - 1, rule);
}

static int
rule_replace(struct ipt_edit *e, struct rules_chain *chain, const struct rules_rule *rule)
{
	if (e->c->number > chain->n_rules)
		return -E2BIG;
	chain->rules[e->c->number - 1] = *rule;
	return 0;
}

static int
rule_check(struct ipt_edit *e, struct rules_chain *chain, const struct rules_rule *rule)
{
	(void)e;
	for (uint32_t i = 0; i < chain->n_rules; i++)
		if (rules_rule_equal(&chain->rules[i], rule))
			return (int)i;
	return -ENOENT;
}

static int
rule_delete(struct ipt_edit *e, struct rules_chain *chain, const struct rules_rule *rule)
{
	const int at = rule_check(e, chain, rule);

	if (at < 0)
		return at;
	rules_rule_delete(chain, (uint32_t)at);
	return 0;
}

/* One rule for each pair of addresses. */
static int
rules_each(struct ipt_edit *e,
	int (*act)(struct ipt_edit *, struct rules_chain *, const struct rules_rule *))
{
	const struct ipt_command *c = e->c;
	struct rules_chain *chain = ipt_edit_chain(e, c->chain);
	struct rules_rule rule;
	int err = rule_make(e, &rule);

	if (err < 0)
		return err;
	for (unsigned i = 0; i < c->n_src; i++)
		for (unsigned k = 0; k < c->n_dst; k++) {
			rule.src = ip4(c->src[i].s_addr);
			rule.src_mask = ip4(c->src_mask[i].s_addr);
			rule.dst = ip4(c->dst[k].s_addr);
			rule.dst_mask = ip4(c->dst_mask[k].s_addr);
			if (c->options & OPTION_VERBOSE)
				print_rule(&rule);
			err = chain ? act(e, chain, &rule) : -ENOENT;
			if (err < 0)
				return err;
		}
	return 0;
}

static int
run_append(struct ipt_edit *e)
{
	return rules_each(e, rule_append);
}

static int
run_insert(struct ipt_edit *e)
{
	return rules_each(e, rule_insert);
}

static int
run_replace(struct ipt_edit *e)
{
	return rules_each(e, rule_replace);
}

static int
run_delete(struct ipt_edit *e)
{
	return rules_each(e, rule_delete);
}

static int
run_check(struct ipt_edit *e)
{
	return rules_each(e, rule_check);
}

static int
run_delete_at(struct ipt_edit *e)
{
	struct rules_chain *chain = ipt_edit_chain(e, e->c->chain);

	if (!chain)
		return -ENOENT;
	if (e->c->number > chain->n_rules)
		return -E2BIG;
	rules_rule_delete(chain, e->c->number - 1);
	return 0;
}

/* What counted since it was read is not lost. */
static void
count_zero(struct rules_count *count)
{
	if (count->how == COUNT_KEEP)
		count->how = COUNT_SUBTRACT;
	else if (count->how == COUNT_SET)
		*count = ipt_edit_count(0, 0);
}

static void
chain_zero(struct rules_chain *c)
{
	count_zero(&c->count);
	for (uint32_t i = 0; i < c->n_rules; i++)
		count_zero(&c->rules[i].count);
}

/* `what`: for -v */
static int
chains_each(struct ipt_edit *e, void (*act)(struct rules_chain *), const char *what)
{
	struct rules_chain **order = chains_in_order(e->tab);
	bool found = false;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->tab->n_chains; i++) {
		if (e->c->chain && strcmp(e->c->chain, order[i]->name) != 0)
			continue;
		found = true;
		if (e->c->options & OPTION_VERBOSE)
			printf("%s chain `%s'\n", what, order[i]->name);
		act(order[i]);
	}
	free(order);
	return found ? 0 : -ENOENT;
}

static int
run_flush(struct ipt_edit *e)
{
	return chains_each(e, ipt_edit_flush, "Flushing");
}

static int
run_zero(struct ipt_edit *e)
{
	return chains_each(e, chain_zero, "Zeroing");
}

static int
run_zero_at(struct ipt_edit *e)
{
	struct rules_chain *chain = ipt_edit_chain(e, e->c->chain);

	if (!chain)
		return -ENOENT;
	if (e->c->number > chain->n_rules)
		return -E2BIG;
	count_zero(&chain->rules[e->c->number - 1].count);
	return 0;
}

static int
run_new(struct ipt_edit *e)
{
	return ipt_edit_new(e, e->c->chain);
}

static int
chain_remove(struct ipt_edit *e, struct rules_chain *chain)
{
	uint32_t *references = chain_references(e->tab);
	uint32_t at = 0, n;

	if (!references)
		return -ENOMEM;
	while (e->tab->chains[at] != chain)
		at++;
	n = references[at];
	free(references);
	if (e->c->options & OPTION_VERBOSE)
		printf("Deleting chain `%s'\n", chain->name);
	if (chain->hook >= 0)
		return -EINVAL;
	if (n)
		return -EMLINK;
	if (chain->n_rules)
		return -ENOTEMPTY;
	rules_chain_remove(e->tab, chain);
	ipt_edit_reindex(e);
	return 0;
}

/* -X without a name: a chain that cannot go is the answer for all. */
static int
chains_remove(struct ipt_edit *e)
{
	const uint32_t n = e->tab->n_chains;
	struct rules_chain **order = chains_in_order(e->tab);
	int err = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const int one = order[i]->hook < 0 ? chain_remove(e, order[i]) : 0;

		if (one < 0)
			err = one;
	}
	free(order);
	return err;
}

static int
run_remove(struct ipt_edit *e)
{
	struct rules_chain *chain;

	if (!e->c->chain)
		return chains_remove(e);
	chain = ipt_edit_chain(e, e->c->chain);
	return chain ? chain_remove(e, chain) : -ENOENT;
}

static int
run_policy(struct ipt_edit *e)
{
	return ipt_edit_policy(
		ipt_edit_chain(e, e->c->chain), e->c->policy, e->c->packets, e->c->bytes);
}

static void
references_rename(struct rules_chain *chain, const char *old, const char *name)
{
	for (uint32_t i = 0; i < chain->n_rules; i++) {
		struct rules_rule *r = &chain->rules[i];

		if ((r->action == ACTION_JUMP || r->action == ACTION_GOTO) &&
			strcmp(r->chain, old) == 0)
			snprintf(r->chain, sizeof(r->chain), "%s", name);
	}
}

static int
run_rename(struct ipt_edit *e)
{
	struct rules_chain *chain = ipt_edit_chain(e, e->c->chain);
	const char *name = e->c->new_name;

	if (ipt_edit_chain(e, name) || ipt_edit_verdict(name) != ACTION_COUNT)
		return -EEXIST;
	if (!chain || chain->hook >= 0)
		return -ENOENT;
	if (!ipt_edit_name_fits(name))
		return -EINVAL;
	for (uint32_t i = 0; i < e->tab->n_chains; i++)
		references_rename(e->tab->chains[i], e->c->chain, name);
	snprintf(chain->name, sizeof(chain->name), "%s", name);
	ipt_edit_reindex(e);
	return 0;
}

static int
run_list(struct ipt_edit *e)
{
	const struct list_style style = {
		.verbose = e->c->options & OPTION_VERBOSE,
		.numeric = e->c->options & OPTION_NUMERIC,
		.exact = e->c->options & OPTION_EXACT,
		.numbers = e->c->options & OPTION_NUMBERS,
	};

	return print_list(e->tab, e->c->chain, e->c->number, &style);
}

static int
run_list_rules(struct ipt_edit *e)
{
	return print_rules(e->tab, e->c->chain, e->c->number, e->c->options & OPTION_VERBOSE);
}

/* In this order: what -L -Z shows is what it takes away. */
static const struct {
	uint32_t kind;
	int (*run)(struct ipt_edit *e);
	bool changes;
} runs[] = {
	{COMMAND_INSERT, run_insert, true},
	{COMMAND_DELETE, run_delete, true},
	{COMMAND_DELETE_AT, run_delete_at, true},
	{COMMAND_REPLACE, run_replace, true},
	{COMMAND_APPEND, run_append, true},
	{COMMAND_LIST, run_list, false},
	{COMMAND_LIST_RULES, run_list_rules, false},
	{COMMAND_FLUSH, run_flush, true},
	{COMMAND_ZERO, run_zero, true},
	{COMMAND_ZERO_AT, run_zero_at, true},
	{COMMAND_NEW, run_new, true},
	{COMMAND_REMOVE, run_remove, true},
	{COMMAND_POLICY, run_policy, true},
	{COMMAND_RENAME, run_rename, true},
	{COMMAND_CHECK, run_check, false},
};

int
ipt_edit_run(struct ipt_edit *e, const struct ipt_command *c, bool *changed)
{
	int err = 0;

	e->c = c;
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs) && err >= 0; i++) {
		if (!(c->kinds & runs[i].kind))
			continue;
		err = runs[i].run(e);
		*changed |= runs[i].changes;
	}
	return err < 0 ? err : 0;
}
