/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/edit.h"

#include "filters/iptables/print.h"

#include <ctype.h>
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

void
ipt_edit_keep(struct rules *r)
{
	for (unsigned t = 0; t < TABLE_COUNT; t++)
		for (uint32_t i = 0; i < r->tables[t].n_chains; i++) {
			struct rules_chain *c = r->tables[t].chains[i];

			c->count.how = COUNT_KEEP;
			for (uint32_t k = 0; k < c->n_rules; k++)
				c->rules[k].count.how = COUNT_KEEP;
		}
}

int
ipt_edit_begin(struct ipt_edit *e, struct rules *r, enum rules_table table)
{
	memset(e, 0, sizeof(*e));
	e->r = r;
	e->tab = rules_table(r, table);
	return e->tab ? 0 : -ENOMEM;
}

/* Chains went or changed their names. */
void
ipt_edit_reindex(struct ipt_edit *e)
{
	rules_index_fini(&e->index);
	memset(&e->index, 0, sizeof(e->index));
	e->indexed = e->room = 0;
}

void
ipt_edit_end(struct ipt_edit *e)
{
	ipt_edit_reindex(e);
	memset(e, 0, sizeof(*e));
}

/* Chains are added at the end, so the index only has to catch up. */
static bool
index_ready(struct ipt_edit *e)
{
	const uint32_t n = e->tab->n_chains;

	if (n > e->room) {
		ipt_edit_reindex(e);
		if (rules_index_init(&e->index, n * 2) < 0)
			return false;
		e->room = n * 2;
	}
	for (; e->indexed < n; e->indexed++)
		rules_index_add(&e->index, e->tab->chains[e->indexed]->name, e->indexed);
	return true;
}

struct rules_chain *
ipt_edit_chain(struct ipt_edit *e, const char *name)
{
	uint32_t at;

	if (!index_ready(e))
		return rules_chain(e->tab, name);
	at = rules_index_find(&e->index, name);
	return at == RULES_INDEX_NONE ? NULL : e->tab->chains[at];
}

struct rules_count
ipt_edit_count(uint64_t packets, uint64_t bytes)
{
	return (struct rules_count){.how = COUNT_SET, .packets = packets, .bytes = bytes};
}

enum rule_action
ipt_edit_verdict(const char *name)
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

void
ipt_edit_flush(struct rules_chain *c)
{
	c->n_rules = 0;
}

int
ipt_edit_clear(struct ipt_edit *e, bool tell)
{
	struct rules_chain **order = chains_in_order(e->tab);
	uint32_t n = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->tab->n_chains; i++) {
		if (tell)
			printf("Flushing chain `%s'\n", order[i]->name);
		ipt_edit_flush(order[i]);
	}
	for (uint32_t i = 0; i < e->tab->n_chains; i++)
		if (order[i]->hook >= 0)
			e->tab->chains[n++] = order[i];
		else if (tell)
			printf("Deleting chain `%s'\n", order[i]->name);
	e->tab->n_chains = n;
	ipt_edit_reindex(e);
	free(order);
	return 0;
}

bool
ipt_edit_name_fits(const char *name)
{
	if (!name[0] || strlen(name) >= XT_EXTENSION_MAXNAMELEN)
		return false;
	for (const char *at = name; *at; at++)
		if (iscntrl((unsigned char)*at) || isspace((unsigned char)*at) || *at == '"')
			return false;
	return true;
}

int
ipt_edit_new(struct ipt_edit *e, const char *name)
{
	if (!ipt_edit_name_fits(name))
		return -EINVAL;
	if (ipt_edit_chain(e, name) || ipt_edit_verdict(name) != ACTION_COUNT)
		return -EEXIST;
	return rules_chain_add(e->r, e->tab, name) ? 0 : -ENOMEM;
}

int
ipt_edit_policy(struct rules_chain *c, const char *policy, uint64_t packets, uint64_t bytes)
{
	const enum rule_action action = ipt_edit_verdict(policy);

	if (!c || c->hook < 0)
		return -ENOENT;
	if (action != ACTION_ACCEPT && action != ACTION_DROP)
		return -EINVAL;
	c->policy = (uint8_t)action;
	c->count = ipt_edit_count(packets, bytes);
	return 0;
}
