/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ruleset.h"

#include "filters/classifier.h"
#include "filters/ruleset_build.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(offsetof(struct ruleset_rule, matches) == 64, "the header is one cache line");

static int (*const steps[])(struct build *b, enum rules_table t) = {
	build_chains, build_order, build_extensions, build_lives};

int
build_refuse(struct build *b, enum rules_table t, const char *chain, uint32_t rule,
	const char *format, ...)
{
	char number[24] = "", text[512];
	va_list args;

	if (rule)
		snprintf(number, sizeof(number), " rule %u", rule);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(b->why, b->why_size, "%s %s%s: %s", rules_table_name(t), chain, number, text);
	return -EINVAL;
}

int
build_no_memory(struct build *b)
{
	snprintf(b->why, b->why_size, "out of memory");
	return -ENOMEM;
}

static int
build_all(struct build *b)
{
	enum rules_table t;
	size_t i;
	int err;

	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		for (t = 0; t < TABLE_COUNT; t++) {
			if (!b->ruleset->tables[t].present)
				continue;
			err = steps[i](b, t);
			if (err < 0)
				return err;
		}
	build_needs(b->ruleset);
	return 0;
}

struct ruleset *
ruleset_new(struct rules *rules, const struct router *router, struct filters_live *live,
	const struct ruleset *before, char *why, size_t why_size)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	struct build b = {rs, router, live, before, why, why_size, false};
	int err = 0;

	if (rs) {
		rs->rules = rules;
		rs->serial = before ? before->serial + 1 : 1;
		for (uint8_t t = 0; t < TABLE_COUNT; t++)
			rs->tables[t].present = rules->tables[t].present;
		err = build_all(&b);
	} else {
		err = build_no_memory(&b);
	}
	if (err == 0)
		return rs;
	if (rs)
		rs->rules = NULL;
	ruleset_free(rs);
	errno = -err;
	return NULL;
}

void
rule_free(struct ruleset_rule *rule)
{
	struct ruleset_match *m;

	if (rule->live)
		rule_live_put(rule->live, rule);
	if (rule->target.prepared)
		rule->target.ops->release(rule->target.prepared);
	for (m = (struct ruleset_match *)rule->matches + rule->n_matches; m != rule->matches;) {
		m--;
		if (m->prepared)
			m->ops->release(m->prepared);
	}
	free(rule->own);
}

static void
chain_free(struct ruleset_chain *c)
{
	uint32_t i;

	classifier_free(atomic_load_explicit(&c->classifier, memory_order_acquire));
	for (i = c->n_rules; i > 0; i--)
		rule_free(&c->rules[i - 1]);
	if (c->live)
		rule_live_put(c->live, NULL);
	free(c->matches);
	free(c->rules);
	free(c);
}

void
ruleset_free(struct ruleset *r)
{
	struct ruleset_table *t;
	uint32_t i;

	if (!r)
		return;
	if (r->edit) {
		ruleset_edit_undo(r);
		return;
	}
	for (t = r->tables + TABLE_COUNT; t != r->tables;) {
		t--;
		for (i = t->n_chains; i > 0; i--)
			chain_free(t->chains[i - 1]);
		free(t->chains);
	}
	rules_free(r->rules);
	free(r);
}

void
live_count(struct rule_live *live, const struct rules_count *c)
{
	switch (c->how) {
	case COUNT_SET:
		live->packets = c->packets;
		live->bytes = c->bytes;
		break;
	case COUNT_SUBTRACT:
		live->packets -= RTE_MIN(live->packets, c->packets);
		live->bytes -= RTE_MIN(live->bytes, c->bytes);
		break;
	}
}

static void
rule_start(const struct ruleset_rule *rule, uint64_t now)
{
	const struct ruleset_match *m;

	rule->live->started = true;
	for (m = rule->matches; m != rule->matches + rule->n_matches; m++)
		if (m->ops->start)
			m->ops->start(m->state, m->options, now);
	if (rule->target.ops && rule->target.ops->start)
		rule->target.ops->start(rule->target.state, rule->target.options, now);
}

void
rule_begin(struct ruleset_rule *rule, const struct rules_count *count, uint64_t now)
{
	if (rule->begin & RULE_BEGIN_START) {
		rule_start(rule, now);
		rule->live->packets = count->packets;
		rule->live->bytes = count->bytes;
	}
	if (rule->begin & RULE_BEGIN_COUNT)
		live_count(rule->live, count);
	rule->begin = 0;
}

static void
chain_begin(struct ruleset_chain *c, const struct rules_chain *tree, uint64_t now)
{
	uint32_t i;

	if (c->live)
		live_count(c->live, &tree->count);
	for (i = 0; i < c->n_rules; i++)
		rule_begin(&c->rules[i], &tree->rules[i].count, now);
}

void
ruleset_begin(struct ruleset *r, uint64_t now)
{
	uint8_t t;
	uint32_t i;

	if (r->edit) {
		ruleset_edit_begin(r, now);
		return;
	}
	for (t = 0; t < TABLE_COUNT; t++)
		for (i = 0; i < r->tables[t].n_chains; i++)
			chain_begin(r->tables[t].chains[i], r->rules->tables[t].chains[i], now);
}

/* Counters of the edit's chains in turn: each is zeroed, or loses what was shown of it. => how many there are */
static uint32_t
zero_chain(const struct ruleset_chain *c, const struct rules_count *shown)
{
	static const struct rules_count zero = {.how = COUNT_SET};
	uint32_t n = 0, i;

	if (c->live)
		live_count(c->live, shown ? &shown[n++] : &zero);
	for (i = 0; i < c->n_rules; i++)
		live_count(c->rules[i].live, shown ? &shown[n++] : &zero);
	return n;
}

static uint32_t
counts_of(const struct ruleset_table *t, const struct rules_edit *edit, const struct rules_change *change)
{
	uint32_t n = 0, i;

	if (edit->kind == EDIT_ZERO_AT)
		return 1;
	for (i = 0; i < t->n_chains; i++)
		if (!edit->chain[0] || i == change->chain)
			n += t->chains[i]->n_rules + (t->chains[i]->live != NULL);
	return n;
}

int
ruleset_zero(const struct ruleset *r, const struct rules_edit *edit, const struct rules_change *change)
{
	const struct ruleset_table *t = &r->tables[edit->table];
	const struct rules_count *shown = edit->n_shown ? edit->shown : NULL;
	static const struct rules_count zero = {.how = COUNT_SET};
	uint32_t i;

	if (shown && edit->n_shown != counts_of(t, edit, change))
		return -EINVAL;
	if (edit->kind == EDIT_ZERO_AT) {
		live_count(t->chains[change->chain]->rules[change->at].live, shown ? shown : &zero);
		return 0;
	}
	for (i = 0; i < t->n_chains; i++)
		if (!edit->chain[0] || i == change->chain) {
			uint32_t n = zero_chain(t->chains[i], shown);

			shown = shown ? shown + n : NULL;
		}
	return 0;
}

static void
count_set(struct rules_count *c, const struct rule_live *live)
{
	*c = (struct rules_count){COUNT_SET, live->packets, live->bytes};
}

/* The tree's own counters have served once the ruleset began. */
uint8_t *
ruleset_encode(const struct ruleset *r, size_t *len)
{
	uint8_t t;
	uint32_t i, j;

	for (t = 0; t < TABLE_COUNT; t++)
		for (i = 0; i < r->tables[t].n_chains; i++) {
			const struct ruleset_chain *c = r->tables[t].chains[i];
			struct rules_chain *tree = r->rules->tables[t].chains[i];

			if (c->live)
				count_set(&tree->count, c->live);
			for (j = 0; j < c->n_rules; j++)
				count_set(&tree->rules[j].count, c->rules[j].live);
		}
	return rules_encode(r->rules, len);
}
