/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/edit.h"

#include "filters/iptables/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	uint32_t kinds; /* 0: any */
	int error;
	const char *words;
} words[] = {
	{COMMAND_NEW, EEXIST, "Chain already exists"},
	{COMMAND_INSERT, E2BIG, "Index of insertion too big"},
	{COMMAND_REPLACE, E2BIG, "Index of replacement too big"},
	{COMMAND_DELETE_AT, E2BIG, "Index of deletion too big"},
	{COMMAND_ZERO_AT, E2BIG, "Index of counter too big"},
	{COMMAND_DELETE | COMMAND_CHECK, ENOENT,
		"Bad rule (does a matching rule exist in that chain?)"},
	{COMMAND_POLICY, ENOENT, "Bad built-in chain name"},
	{COMMAND_POLICY, EINVAL, "Bad policy name"},
	{0, ENOMEM, "Memory allocation problem"},
	{0, ENOENT, "No chain/target/match by that name"},
};

const char *
ipt_edit_words(uint32_t kinds, int error)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i].error == error && (!words[i].kinds || (words[i].kinds & kinds)))
			return words[i].words;
	return strerror(error);
}

struct rules_count
ipt_edit_count(uint64_t packets, uint64_t bytes)
{
	return (struct rules_count){.how = COUNT_SET, .packets = packets, .bytes = bytes};
}

/* ---- from a command line ---- */

static const struct {
	uint32_t command;
	enum rules_edit_kind edit;
	bool rules;
	const char *verb; /* what -v says of chains */
} kinds[] = {
	{COMMAND_INSERT, EDIT_INSERT, true, NULL},
	{COMMAND_DELETE, EDIT_DELETE, true, NULL},
	{COMMAND_DELETE_AT, EDIT_DELETE_AT, false, NULL},
	{COMMAND_REPLACE, EDIT_REPLACE, true, NULL},
	{COMMAND_APPEND, EDIT_APPEND, true, NULL},
	{COMMAND_FLUSH, EDIT_FLUSH, false, "Flushing"},
	{COMMAND_ZERO, EDIT_ZERO, false, "Zeroing"},
	{COMMAND_ZERO_AT, EDIT_ZERO_AT, false, NULL},
	{COMMAND_NEW, EDIT_NEW, false, NULL},
	{COMMAND_REMOVE, EDIT_REMOVE, false, "Deleting"},
	{COMMAND_POLICY, EDIT_POLICY, false, NULL},
	{COMMAND_RENAME, EDIT_RENAME, false, NULL},
	{COMMAND_CHECK, EDIT_CHECK, true, NULL},
};

static size_t
kind_of(const struct ipt_command *c)
{
	size_t i = 0;

	while (!(c->kinds & kinds[i].command))
		i++;
	return i;
}

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

static int
matches_make(const struct ipt_command *c, struct rules *memory, struct rules_rule *rule)
{
	rule->n_matches = c->n_matches;
	if (!rule->n_matches)
		return 0;
	rule->matches = rules_alloc(memory, rule->n_matches * sizeof(*rule->matches));
	if (!rule->matches)
		return -ENOMEM;
	for (uint16_t i = 0; i < rule->n_matches; i++)
		if (ext_copy(memory, &rule->matches[i], &c->matches[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* What is no verdict and cannot be a chain's name is a target or nothing. */
static int
action_make(const struct ipt_command *c, struct rules *memory, struct rules_edit *edit, struct rules_rule *rule)
{
	const enum rule_action verdict = rules_verdict(c->jump);

	edit->is_goto = c->is_goto;
	rule->action = (uint8_t)(verdict == ACTION_COUNT ? ACTION_NONE : verdict);
	if (verdict == ACTION_COUNT && rules_chain_name_fits(c->jump))
		memcpy(edit->jump, c->jump, strlen(c->jump) + 1);
	else if (verdict == ACTION_COUNT && !c->target.name[0])
		return -ESRCH;
	if (c->is_goto && verdict != ACTION_COUNT)
		return -ESRCH;
	if (!c->target.name[0])
		return 0;
	rule->action = ACTION_TARGET;
	return ext_copy(memory, &rule->target, &c->target);
}

/* All but the addresses. */
static int
rule_make(const struct ipt_command *c, struct rules *memory, struct rules_edit *edit, struct rules_rule *rule)
{
	int err;

	memset(rule, 0, sizeof(*rule));
	memcpy(rule->in, c->in, sizeof(rule->in));
	memcpy(rule->out, c->out, sizeof(rule->out));
	rule->proto = c->protocol;
	rule->flags = c->inverted;
	if ((c->options & OPTION_FRAGMENT) && !(c->inverted & RULE_NOT_FRAGMENT))
		rule->flags |= RULE_FRAGMENT;
	rule->count = ipt_edit_count(c->packets, c->bytes);
	err = action_make(c, memory, edit, rule);
	return err < 0 ? err : matches_make(c, memory, rule);
}

/* One rule for each pair of addresses; each is inserted before those that were before it. */
static int
rules_make(const struct ipt_command *c, struct rules *memory, struct rules_edit *edit)
{
	const uint32_t n = c->n_src * c->n_dst;
	struct rules_rule rule;
	int err = rule_make(c, memory, edit, &rule);

	if (err < 0)
		return err;
	edit->rules = rules_alloc(memory, n * sizeof(*edit->rules));
	if (!edit->rules)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const unsigned s = i / c->n_dst, d = i % c->n_dst;

		rule.src = ip4(c->src[s].s_addr);
		rule.src_mask = ip4(c->src_mask[s].s_addr);
		rule.dst = ip4(c->dst[d].s_addr);
		rule.dst_mask = ip4(c->dst_mask[d].s_addr);
		edit->rules[edit->kind == EDIT_INSERT ? n - 1 - i : i] = rule;
	}
	edit->n_rules = n;
	return 0;
}

int
ipt_edit_make(const struct ipt_command *c, enum rules_table table, struct rules *memory, struct rules_edit *edit)
{
	const size_t kind = kind_of(c);

	*edit = (struct rules_edit){
		.kind = (uint8_t)kinds[kind].edit, .table = (uint8_t)table, .number = c->number};
	if (c->chain && !rules_chain_name_fits(c->chain))
		return edit->kind == EDIT_NEW ? -EINVAL : -ENOENT;
	if (c->chain)
		memcpy(edit->chain, c->chain, strlen(c->chain) + 1);
	if (edit->kind == EDIT_RENAME && !rules_chain_name_fits(c->new_name))
		return -EINVAL;
	if (edit->kind == EDIT_RENAME)
		memcpy(edit->name, c->new_name, strlen(c->new_name) + 1);
	if (edit->kind == EDIT_POLICY) {
		edit->policy = (uint8_t)rules_verdict(c->policy);
		edit->count = ipt_edit_count(c->packets, c->bytes);
	}
	return kinds[kind].rules ? rules_make(c, memory, edit) : 0;
}

static uint32_t
counts_of(const struct rules_chain *c, uint32_t number, struct rules_count *to)
{
	uint32_t n = 0;

	if (number) {
		to[n++] = c->rules[number - 1].count;
		return n;
	}
	if (c->hook >= 0)
		to[n++] = c->count;
	for (uint32_t i = 0; i < c->n_rules; i++)
		to[n++] = c->rules[i].count;
	return n;
}

int
ipt_edit_shown(const struct rules_tab *tab, struct rules *memory, struct rules_edit *edit)
{
	const uint32_t number = edit->kind == EDIT_ZERO_AT ? edit->number : 0;
	size_t most = 0;

	for (uint32_t i = 0; i < tab->n_chains; i++)
		most += tab->chains[i]->n_rules + (size_t)1;
	edit->shown = rules_alloc(memory, most * sizeof(*edit->shown));
	if (!edit->shown)
		return -ENOMEM;
	for (uint32_t i = 0; i < tab->n_chains; i++) {
		const struct rules_chain *c = tab->chains[i];

		if ((!edit->chain[0] || strcmp(edit->chain, c->name) == 0) && number <= c->n_rules)
			edit->n_shown += counts_of(c, number, &edit->shown[edit->n_shown]);
	}
	return 0;
}

/* ---- what is said ---- */

bool
ipt_edit_tells_all(const struct ipt_command *c)
{
	return (c->kinds & ~IPT_LISTS) && kinds[kind_of(c)].verb && (c->options & OPTION_VERBOSE) && !c->chain;
}

static int
tell_all(const struct rules_tab *tab, const char *verb, bool built_in)
{
	struct rules_chain **order = chains_in_order(tab);

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < tab->n_chains; i++)
		if (built_in || order[i]->hook < 0)
			printf("%s chain `%s'\n", verb, order[i]->name);
	free(order);
	return 0;
}

static void
tell_rules(const struct rules_edit *edit, const struct rules_change *change)
{
	for (uint32_t i = 0; i < edit->n_rules; i++) {
		const struct rules_rule rule =
			rules_edit_rule(edit, change, edit->kind == EDIT_INSERT ? edit->n_rules - 1 - i : i);

		print_rule(&rule);
	}
}

static int
tell_verbose(const struct ipt_command *c, const struct rules_edit *edit, const struct rules_change *change,
	const struct rules_tab *tab, int err)
{
	const size_t kind = kind_of(c);

	if (kinds[kind].rules && (err == 0 || err == -ENOENT || err == -E2BIG))
		tell_rules(edit, change);
	if (!kinds[kind].verb)
		return err;
	if (!c->chain)
		return tell_all(tab, kinds[kind].verb, edit->kind != EDIT_REMOVE) < 0 ? -ENOMEM : err;
	if (err == 0 || (edit->kind == EDIT_REMOVE && err != -ENOENT))
		printf("%s chain `%s'\n", kinds[kind].verb, c->chain);
	return err;
}

int
ipt_edit_tell(const struct ipt_command *c, const struct rules_edit *edit, const struct rules_change *change,
	const struct rules_tab *tab, int err)
{
	if (change->jump && c->target.name[0])
		fprintf(stderr, "Warning: using chain %s, not extension\n", c->jump);
	if (err == -ESRCH && c->is_goto)
		xtables_error(PARAMETER_PROBLEM, "goto '%s' is not a chain", c->jump);
	if (err == -ESRCH) {
		xt_find_target(c->jump, XTF_LOAD_MUST_SUCCEED);
		return -ENOENT;
	}
	return c->options & OPTION_VERBOSE ? tell_verbose(c, edit, change, tab, err) : err;
}

int
ipt_list(const struct rules_tab *tab, const struct ipt_command *c)
{
	const struct list_style style = {
		.verbose = c->options & OPTION_VERBOSE,
		.numeric = c->options & OPTION_NUMERIC,
		.exact = c->options & OPTION_EXACT,
		.numbers = c->options & OPTION_NUMBERS,
	};
	int err = 0;

	if (c->kinds & COMMAND_LIST)
		err = print_list(tab, c->chain, c->number, &style);
	if (err == 0 && (c->kinds & COMMAND_LIST_RULES))
		err = print_rules(tab, c->chain, c->number, style.verbose);
	return err;
}

int
ipt_edit_clear(struct rules_editor *e, bool tell)
{
	int err = 0;

	if (tell)
		err = tell_all(e->tab, "Flushing", true);
	if (tell && err == 0)
		err = tell_all(e->tab, "Deleting", false);
	if (err == 0)
		err = rules_edit_apply(e, &(struct rules_edit){.kind = EDIT_FLUSH});
	return err < 0 ? err : rules_edit_apply(e, &(struct rules_edit){.kind = EDIT_REMOVE});
}
