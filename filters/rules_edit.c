/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits, each in two steps: what it comes to in the table as it is, and doing it; the table at the end has both. */
#include "filters/rules_edit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_AFTER = 4 }; /* lookups: a single edit makes about two */

enum rule_action
rules_verdict(const char *name)
{
	static const struct {
		const char *name;
		enum rule_action action;
	} verdicts[] = {
		{"", ACTION_NONE},
		{"ACCEPT", ACTION_ACCEPT},
		{"DROP", ACTION_DROP},
		{"QUEUE", ACTION_QUEUE},
		{"RETURN", ACTION_RETURN},
	};

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++)
		if (strcmp(verdicts[i].name, name) == 0)
			return verdicts[i].action;
	return ACTION_COUNT;
}

bool
rules_chain_name_fits(const char *name)
{
	if (!name[0] || strlen(name) > RULES_CHAIN_NAME_MAX)
		return false;
	for (const char *at = name; *at; at++)
		if (iscntrl((unsigned char)*at) || isspace((unsigned char)*at) || *at == '"')
			return false;
	return true;
}

/* ---- chains by name ---- */

/* Chains went or changed their names. */
static void
index_drop(struct rules_editor *e)
{
	rules_index_fini(&e->index);
	memset(&e->index, 0, sizeof(e->index));
	e->indexed = e->room = 0;
}

int
rules_editor_open(struct rules_editor *e, struct rules *r, enum rules_table table)
{
	if (e->r == r && e->tab == &r->tables[table])
		return 0;
	rules_editor_close(e);
	e->r = r;
	e->tab = rules_table(r, table);
	return e->tab ? 0 : -ENOMEM;
}

void
rules_editor_close(struct rules_editor *e)
{
	index_drop(e);
	memset(e, 0, sizeof(*e));
}

/* Chains are added at the end, so the index only has to catch up. */
static bool
index_ready(struct rules_editor *e)
{
	const uint32_t n = e->tab->n_chains;

	if (n > e->room) {
		index_drop(e);
		if (rules_index_init(&e->index, n * 2) < 0)
			return false;
		e->room = n * 2;
	}
	for (; e->indexed < n; e->indexed++)
		rules_index_add(&e->index, e->tab->chains[e->indexed]->name, e->indexed);
	return true;
}

uint32_t
rules_editor_find(struct rules_editor *e, const char *name)
{
	if (e->asked++ >= INDEX_AFTER && index_ready(e))
		return rules_index_find(&e->index, name);
	for (uint32_t i = 0; i < e->tab->n_chains; i++)
		if (strcmp(e->tab->chains[i]->name, name) == 0)
			return i;
	return RULES_INDEX_NONE;
}

struct rules_chain *
rules_editor_chain(struct rules_editor *e, const char *name)
{
	const uint32_t at = rules_editor_find(e, name);

	return at == RULES_INDEX_NONE ? NULL : e->tab->chains[at];
}

/* ---- what an edit comes to ---- */

static struct rules_chain *
chain_of(const struct rules_editor *e, const struct rules_change *c)
{
	return e->tab->chains[c->chain];
}

/* A chain before a target, a target before nothing. */
static int
plan_jump(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	const struct rules_chain *to;

	if (!edit->jump[0])
		return 0;
	to = rules_editor_chain(e, edit->jump);
	if (!to)
		return edit->is_goto || edit->rules[0].action != ACTION_TARGET ? -ESRCH : 0;
	c->jump = edit->is_goto ? ACTION_GOTO : ACTION_JUMP;
	return to->hook >= 0 ? -EINVAL : 0;
}

static uint32_t
rule_find(const struct rules_chain *chain, const struct rules_rule *rule)
{
	uint32_t i = 0;

	while (i < chain->n_rules && !rules_rule_equal(&chain->rules[i], rule))
		i++;
	return i;
}

static int
plan_append(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	c->at = chain_of(e, c)->n_rules;
	c->added = edit->n_rules;
	return 0;
}

static int
plan_insert(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	c->at = edit->number - 1;
	c->added = edit->n_rules;
	return c->at > chain_of(e, c)->n_rules ? -E2BIG : 0;
}

static int
plan_delete_at(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	c->at = edit->number - 1;
	c->removed = 1;
	return c->at >= chain_of(e, c)->n_rules ? -E2BIG : 0;
}

static int
plan_replace(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	c->added = 1;
	return plan_delete_at(e, edit, c);
}

static int
plan_check(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	for (uint32_t i = 0; i < edit->n_rules; i++) {
		const struct rules_rule rule = rules_edit_rule(edit, c, i);

		c->at = rule_find(chain_of(e, c), &rule);
		if (c->at == chain_of(e, c)->n_rules)
			return -ENOENT;
	}
	return 0;
}

/* Of several rules each is looked for when those before it are gone. */
static int
plan_delete(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	if (edit->n_rules > 1) {
		c->kind = CHANGE_MORE;
		return 0;
	}
	c->removed = 1;
	return plan_check(e, edit, c);
}

static int
plan_flush(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	if (!edit->chain[0])
		c->kind = CHANGE_MORE;
	else
		c->removed = chain_of(e, c)->n_rules;
	return 0;
}

static int
plan_zero_at(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	c->at = edit->number - 1;
	return c->at >= chain_of(e, c)->n_rules ? -E2BIG : 0;
}

static int
plan_new(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	(void)c;
	if (!rules_chain_name_fits(edit->chain))
		return -EINVAL;
	if (rules_editor_chain(e, edit->chain) || rules_verdict(edit->chain) != ACTION_COUNT)
		return -EEXIST;
	return 0;
}

static int
plan_policy(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	if (chain_of(e, c)->hook < 0)
		return -ENOENT;
	return edit->policy == ACTION_ACCEPT || edit->policy == ACTION_DROP ? 0 : -EINVAL;
}

static int
plan_rename(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	if (rules_editor_chain(e, edit->name) || rules_verdict(edit->name) != ACTION_COUNT)
		return -EEXIST;
	c->chain = rules_editor_find(e, edit->chain);
	if (c->chain == RULES_INDEX_NONE || chain_of(e, c)->hook >= 0)
		return -ENOENT;
	return rules_chain_name_fits(edit->name) ? 0 : -EINVAL;
}

struct rules_rule
rules_edit_rule(const struct rules_edit *edit, const struct rules_change *c, uint32_t i)
{
	struct rules_rule rule = edit->rules[i];

	if (!c->jump)
		return rule;
	rule.action = c->jump;
	memset(&rule.target, 0, sizeof(rule.target));
	memcpy(rule.chain, edit->jump, sizeof(rule.chain));
	return rule;
}

/* ---- doing it ---- */

static int
run_rules(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	struct rules_chain *chain = chain_of(e, c);
	int err = rules_reserve(e->r, chain, c->added);

	if (err < 0)
		return err;
	rules_shift(chain, c->at, c->removed, c->added);
	for (uint32_t i = 0; i < c->added; i++)
		chain->rules[c->at + i] = rules_edit_rule(edit, c, i);
	return 0;
}

static int
run_delete(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	struct rules_chain *chain = chain_of(e, c);
	const size_t size = chain->n_rules * sizeof(*chain->rules);
	struct rules_chain before = *chain;
	int err = 0;

	before.rules = malloc(size + 1);
	if (!before.rules)
		return -ENOMEM;
	if (size)
		memcpy(before.rules, chain->rules, size);
	for (uint32_t i = 0; i < edit->n_rules && err == 0; i++) {
		const struct rules_rule rule = rules_edit_rule(edit, c, i);
		const uint32_t at = rule_find(chain, &rule);

		if (at < chain->n_rules)
			rules_rule_delete(chain, at);
		else
			err = -ENOENT;
	}
	if (err < 0 && size)
		memcpy(chain->rules, before.rules, size);
	if (err < 0)
		chain->n_rules = before.n_rules;
	free(before.rules);
	return err;
}

static int
run_flush(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	(void)edit;
	(void)c;
	for (uint32_t i = 0; i < e->tab->n_chains; i++)
		e->tab->chains[i]->n_rules = 0;
	return 0;
}

/* What counted since it was read is not lost. */
static void
count_zero(struct rules_count *count)
{
	if (count->how == COUNT_KEEP)
		count->how = COUNT_SUBTRACT;
	else if (count->how == COUNT_SET)
		*count = (struct rules_count){.how = COUNT_SET};
}

static int
run_zero(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	if (edit->kind == EDIT_ZERO_AT) {
		count_zero(&chain_of(e, c)->rules[c->at].count);
		return 0;
	}
	for (uint32_t i = 0; i < e->tab->n_chains; i++) {
		struct rules_chain *chain = e->tab->chains[i];

		if (edit->chain[0] && i != c->chain)
			continue;
		count_zero(&chain->count);
		for (uint32_t k = 0; k < chain->n_rules; k++)
			count_zero(&chain->rules[k].count);
	}
	return 0;
}

static int
run_new(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	(void)c;
	return rules_chain_add(e->r, e->tab, edit->chain) ? 0 : -ENOMEM;
}

static int
run_policy(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	chain_of(e, c)->policy = edit->policy;
	chain_of(e, c)->count = edit->count;
	return 0;
}

static int
chain_removable(const struct rules_chain *chain, uint32_t references)
{
	if (chain->hook >= 0)
		return -EINVAL;
	if (references)
		return -EMLINK;
	return chain->n_rules ? -ENOTEMPTY : 0;
}

/* A chain that cannot go is the answer for all; of several the last by name. */
static int
all_removable(const struct rules_tab *t, const uint32_t *references)
{
	const char *last = "";
	int err = 0;

	for (uint32_t i = 0; i < t->n_chains; i++) {
		const int one = t->chains[i]->hook < 0 ? chain_removable(t->chains[i], references[i]) : 0;

		if (one < 0 && strcmp(t->chains[i]->name, last) >= 0) {
			err = one;
			last = t->chains[i]->name;
		}
	}
	return err;
}

/* `one`: its index, or RULES_INDEX_NONE: all of the user's. */
static void
chains_remove(struct rules_tab *t, uint32_t one)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_chains; i++)
		if (one == RULES_INDEX_NONE ? t->chains[i]->hook >= 0 : i != one)
			t->chains[n++] = t->chains[i];
	t->n_chains = n;
}

static int
run_remove(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	uint32_t *references = rules_references(e->tab);
	const bool all = !edit->chain[0];
	int err;

	if (!references)
		return -ENOMEM;
	err = all ? all_removable(e->tab, references) : chain_removable(chain_of(e, c), references[c->chain]);
	free(references);
	if (err < 0)
		return err;
	chains_remove(e->tab, all ? RULES_INDEX_NONE : c->chain);
	index_drop(e);
	return 0;
}

static int
run_rename(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	for (uint32_t i = 0; i < e->tab->n_chains; i++)
		for (uint32_t k = 0; k < e->tab->chains[i]->n_rules; k++) {
			struct rules_rule *rule = &e->tab->chains[i]->rules[k];

			if ((rule->action == ACTION_JUMP || rule->action == ACTION_GOTO) &&
				strcmp(rule->chain, edit->chain) == 0)
				memcpy(rule->chain, edit->name, sizeof(rule->chain));
		}
	memcpy(chain_of(e, c)->name, edit->name, sizeof(edit->name));
	index_drop(e);
	return 0;
}

/* ---- kinds ---- */

enum chain_use { CHAIN_OWN, CHAIN_ONE, CHAIN_OR_ALL }; /* CHAIN_OWN: plan() looks at the name itself */

static const struct {
	enum rules_change_kind change;
	enum chain_use chain;
	int (*plan)(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c);
	int (*run)(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c); /* when not run_rules() */
} kinds[EDIT_KINDS] = {
	[EDIT_APPEND] = {CHANGE_RULES, CHAIN_ONE, plan_append, NULL},
	[EDIT_INSERT] = {CHANGE_RULES, CHAIN_ONE, plan_insert, NULL},
	[EDIT_REPLACE] = {CHANGE_RULES, CHAIN_ONE, plan_replace, NULL},
	[EDIT_DELETE] = {CHANGE_RULES, CHAIN_ONE, plan_delete, run_delete},
	[EDIT_DELETE_AT] = {CHANGE_RULES, CHAIN_ONE, plan_delete_at, NULL},
	[EDIT_CHECK] = {CHANGE_NOTHING, CHAIN_ONE, plan_check, NULL},
	[EDIT_FLUSH] = {CHANGE_RULES, CHAIN_OR_ALL, plan_flush, run_flush},
	[EDIT_ZERO] = {CHANGE_COUNTS, CHAIN_OR_ALL, NULL, run_zero},
	[EDIT_ZERO_AT] = {CHANGE_COUNTS, CHAIN_ONE, plan_zero_at, run_zero},
	[EDIT_NEW] = {CHANGE_CHAIN, CHAIN_OWN, plan_new, run_new},
	[EDIT_REMOVE] = {CHANGE_MORE, CHAIN_OR_ALL, NULL, run_remove},
	[EDIT_POLICY] = {CHANGE_POLICY, CHAIN_ONE, plan_policy, run_policy},
	[EDIT_RENAME] = {CHANGE_MORE, CHAIN_OWN, plan_rename, run_rename},
};

int
rules_edit_plan(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *c)
{
	const enum chain_use use = kinds[edit->kind].chain;
	int err;

	*c = (struct rules_change){.kind = (uint8_t)kinds[edit->kind].change, .chain = RULES_INDEX_NONE};
	err = plan_jump(e, edit, c);
	if (err < 0)
		return err;
	if (use == CHAIN_ONE || (use == CHAIN_OR_ALL && edit->chain[0])) {
		c->chain = rules_editor_find(e, edit->chain);
		if (c->chain == RULES_INDEX_NONE)
			return -ENOENT;
	}
	return kinds[edit->kind].plan ? kinds[edit->kind].plan(e, edit, c) : 0;
}

int
rules_edit_run(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *c)
{
	if (c->kind == CHANGE_NOTHING)
		return 0;
	return c->kind == CHANGE_RULES ? run_rules(e, edit, c) : kinds[edit->kind].run(e, edit, c);
}

int
rules_edit_apply(struct rules_editor *e, const struct rules_edit *edit)
{
	struct rules_change c;
	int err = rules_edit_plan(e, edit, &c);

	return err < 0 ? err : rules_edit_run(e, edit, &c);
}
