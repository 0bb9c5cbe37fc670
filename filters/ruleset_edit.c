/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One edit of a ruleset that is in force, at the price of the edit.
 *
 * The next ruleset is a shell: it has the chains of the one before, but for the chain that changes. That one gets an heir, which
 * has the same rules (headers, counters, what extensions prepared) but for those that go, and those that come. Rules that
 * go or come at the end change nothing in the vector of headers but its length, so both have the same one, with room to
 * grow; otherwise the headers are copied, and nothing that they point to.
 *
 * Who owns what: until ruleset_retire() the ruleset before owns all but the new rules and the heir itself. So an edit that
 * is refused, or cannot be published, gives back just these (ruleset_edit_undo()), and packets may be in the ruleset before as long as
 * they like. When they have left it, what was replaced is freed, the tree follows, and the rest is the heir's.
 *
 * A rule that came with an edit has memory of its own, which holds its matches and options; its twin in the tree points
 * there, too. So rules that come and go leave nothing behind in the arena of the tree.
 */
#include "filters/classifier.h"
#include "filters/ruleset_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct ruleset_edit {
	struct ruleset *before;
	uint8_t table, policy;
	struct rules_change change;
	struct rules_count count; /* of the policy */
	struct rules_rule rules[]; /* the new ones, for the tree */
};

enum { ALIGNMENT = 16 };

static size_t
aligned(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* ---- rules that come ---- */

/* Copies its options to *at, which moves on. */
static void
ext_move(struct rules_ext *e, uint8_t **at)
{
	if (!e->size)
		return;
	memcpy(*at, e->data, e->size);
	e->data = *at;
	*at += aligned(e->size);
}

/* Gives a rule memory of its own: what *rule points to is there from now on, with room for the matches of *to. */
static int
rule_own(struct rules_rule *rule, struct ruleset_rule *to)
{
	const size_t matches = aligned(rule->n_matches * sizeof(*to->matches)), exts = aligned(rule->n_matches * sizeof(*rule->matches));
	size_t size = matches + exts + aligned(rule->target.size);
	struct rules_ext *own;
	uint8_t *at;

	for (uint16_t i = 0; i < rule->n_matches; i++)
		size += aligned(rule->matches[i].size);
	at = calloc(1, size + ALIGNMENT);
	if (!at)
		return -ENOMEM;
	to->own = at;
	to->matches = (struct ruleset_match *)at;
	own = (struct rules_ext *)(at + matches);
	at += matches + exts;
	if (rule->n_matches)
		memcpy(own, rule->matches, rule->n_matches * sizeof(*own));
	rule->matches = own;
	for (uint16_t i = 0; i < rule->n_matches; i++)
		ext_move(&own[i], &at);
	ext_move(&rule->target, &at);
	return 0;
}

static uint32_t
chain_index(const struct ruleset_table *t, const char *name)
{
	uint32_t i = 0;

	while (i < t->n_chains && strcmp(t->chains[i]->name, name) != 0)
		i++;
	return i;
}

/* The header of new rule `i`, and to where it jumps. */
static int
rule_head(struct build *b, const struct rules_edit *edit, struct ruleset_chain *c, uint32_t i)
{
	struct ruleset_edit *e = b->ruleset->edit;
	struct ruleset_rule *to = &c->rules[c->at + i];
	struct rules_rule *rule = &e->rules[i];

	memset(to, 0, sizeof(*to));
	c->added = i + 1;
	*rule = rules_edit_rule(edit, &e->change, i);
	if (rule_own(rule, to) < 0)
		return build_no_memory(b);
	to->n_matches = (uint8_t)rule->n_matches;
	if (e->change.jump)
		to->to = chain_index(&b->ruleset->tables[e->table], rule->chain);
	c->n_jumps += to->to != 0;
	return build_header(b, e->table, c->name, c->at + i + 1, rule, to);
}

/* Its extensions and its life. */
static int
rule_body(struct build *b, struct ruleset_chain *c, uint32_t i)
{
	struct ruleset_edit *e = b->ruleset->edit;
	struct ruleset_rule *to = &c->rules[c->at + i];
	int err = build_rule(b, e->table, c, c->at + i + 1, &e->rules[i], to);

	if (err < 0)
		return err;
	c->n_needing += (to->needs & NEEDS_CONNTRACK) != 0;
	return build_live(to, NULL, e->rules[i].count.how) < 0 ? build_no_memory(b) : 0;
}

/* ---- the chain that changes ---- */

/* Rules are only taken from the end, or put there where there is room; and the room is not far too large. */
static bool
fits_in_place(const struct ruleset_chain *from, const struct rules_change *change, uint32_t n)
{
	if (change->at + change->removed != from->n_rules || (change->removed && change->added))
		return false;
	return n <= from->size_rules && (n >= from->size_rules / 4 || !change->removed);
}

static int
heir_rules(struct ruleset_chain *c, const struct ruleset_chain *from, const struct rules_change *change)
{
	const uint32_t size = c->n_rules + c->n_rules / 8 + 8, behind = from->n_rules - change->at - change->removed;

	if (fits_in_place(from, change, c->n_rules))
		return 0;
	if (size < c->n_rules)
		return -ENOMEM;
	c->rules = aligned_alloc(_Alignof(struct ruleset_rule), size * sizeof(*c->rules));
	if (!c->rules)
		return -ENOMEM;
	c->size_rules = size;
	if (change->at)
		memcpy(c->rules, from->rules, change->at * sizeof(*c->rules));
	if (behind)
		memcpy(c->rules + change->at + change->added, from->rules + change->at + change->removed, behind * sizeof(*c->rules));
	return 0;
}

/* => the heir, its new rules not there yet (`added` is 0), or NULL */
static struct ruleset_chain *
heir_new(struct ruleset_chain *from, const struct rules_change *change)
{
	struct ruleset_chain *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	memcpy(c, from, sizeof(*c));
	atomic_init(&c->classifier, NULL);
	c->from = from;
	c->at = change->at;
	c->removed = change->removed;
	c->added = 0;
	c->n_rules = from->n_rules - change->removed + change->added;
	if (heir_rules(c, from, change) < 0) {
		free(c);
		return NULL;
	}
	for (uint32_t i = 0; i < change->removed; i++) {
		c->n_jumps -= from->rules[change->at + i].to != 0;
		c->n_needing -= (from->rules[change->at + i].needs & NEEDS_CONNTRACK) != 0;
	}
	return c;
}

static bool
jumps_changed(const struct ruleset_chain *c)
{
	uint32_t i;

	for (i = 0; i < c->removed; i++)
		if (c->from->rules[c->at + i].to)
			return true;
	return c->added && c->rules[c->at].to;
}

static int
change_rules(struct build *b, const struct rules_edit *edit)
{
	struct ruleset_edit *e = b->ruleset->edit;
	struct ruleset_table *t = &b->ruleset->tables[e->table];
	struct ruleset_chain *from = t->chains[e->change.chain], *c;
	int err = 0;

	if (rules_reserve(b->ruleset->rules, b->ruleset->rules->tables[e->table].chains[e->change.chain], e->change.added) < 0)
		return build_no_memory(b);
	c = heir_new(from, &e->change);
	if (!c)
		return build_no_memory(b);
	t->chains[e->change.chain] = c;
	if (c->hook >= 0)
		t->entry[c->hook] = c;
	for (uint32_t i = 0; i < e->change.added && err == 0; i++)
		err = rule_head(b, edit, c, i);
	if (err == 0 && jumps_changed(c))
		err = build_order(b, e->table);
	for (uint32_t i = 0; i < e->change.added && err == 0; i++)
		err = rule_body(b, c, i);
	if (err == 0)
		classifier_follow(c, from, c->at, from->n_rules - c->at - c->removed);
	return err;
}

/* Nothing of its rules changes. */
static int
change_policy(struct build *b, const struct rules_edit *edit)
{
	struct ruleset_edit *e = b->ruleset->edit;
	int err;

	e->change.at = b->ruleset->tables[e->table].chains[e->change.chain]->n_rules;
	e->policy = edit->policy;
	e->count = edit->count;
	err = change_rules(b, edit);
	if (err == 0)
		b->ruleset->tables[e->table].chains[e->change.chain]->policy = edit->policy;
	return err;
}

static int
change_chain(struct build *b, const struct rules_edit *edit)
{
	struct rules *tree = b->ruleset->rules;
	struct ruleset_table *t = &b->ruleset->tables[b->ruleset->edit->table];
	struct ruleset_chain *c = calloc(1, sizeof(*c));

	if (!c || !rules_chain_add(tree, &tree->tables[edit->table], edit->chain)) {
		free(c);
		return build_no_memory(b);
	}
	memcpy(c->name, edit->chain, sizeof(c->name));
	c->hook = -1;
	t->chains[t->n_chains++] = c;
	return 0;
}

/* ---- the ruleset ---- */

static void
shell_free(struct ruleset *r)
{
	for (unsigned t = 0; t < TABLE_COUNT; t++)
		free(r->tables[t].chains);
	free(r->edit);
	free(r);
}

/* The same chains, in vectors with room for one more. */
static struct ruleset *
shell_new(const struct ruleset *before, struct ruleset_edit *e)
{
	struct ruleset *r = malloc(sizeof(*r));
	bool failed = false;

	if (!r)
		return NULL;
	memcpy(r, before, sizeof(*r));
	r->serial++;
	r->edit = e;
	for (unsigned t = 0; t < TABLE_COUNT; t++) {
		const struct ruleset_table *from = &before->tables[t];

		r->tables[t].chains = from->present ? calloc(from->n_chains + (size_t)1, sizeof(*from->chains)) : NULL;
		failed |= from->present && !r->tables[t].chains;
		if (r->tables[t].chains)
			memcpy(r->tables[t].chains, from->chains, from->n_chains * sizeof(*from->chains));
	}
	if (!failed)
		return r;
	r->edit = NULL;
	shell_free(r);
	return NULL;
}

static int (*const changes[])(struct build *b, const struct rules_edit *edit) = {
	[CHANGE_RULES] = change_rules,
	[CHANGE_POLICY] = change_policy,
	[CHANGE_CHAIN] = change_chain,
};

static struct ruleset_edit *
edit_new(struct ruleset *before, const struct rules_edit *edit, const struct rules_change *change)
{
	struct ruleset_edit *e = calloc(1, sizeof(*e) + change->added * sizeof(*e->rules));

	if (!e)
		return NULL;
	e->before = before;
	e->table = edit->table;
	e->change = *change;
	return e;
}

struct ruleset *
ruleset_edit(struct ruleset *before, const struct rules_edit *edit, const struct rules_change *change, const struct router *router,
	struct filters_live *live, char *why, size_t why_size)
{
	struct ruleset_edit *e = edit_new(before, edit, change);
	struct ruleset *r = e ? shell_new(before, e) : NULL;
	struct build b = {r, router, live, before, why, why_size, true};
	int err;

	if (!r) {
		free(e);
		errno = -build_no_memory(&b);
		return NULL;
	}
	err = changes[change->kind](&b, edit);
	if (err == 0) {
		build_needs(r);
		return r;
	}
	ruleset_free(r);
	errno = -err;
	return NULL;
}

void
ruleset_edit_undo(struct ruleset *r)
{
	const struct ruleset_edit *e = r->edit;
	struct ruleset_table *t = &r->tables[e->table];
	struct rules_tab *tree = &r->rules->tables[e->table];
	struct ruleset_chain *c = e->change.kind == CHANGE_CHAIN ? NULL : t->chains[e->change.chain];

	if (!c && t->n_chains > e->before->tables[e->table].n_chains) {
		free(t->chains[t->n_chains - 1]);
		tree->n_chains--;
	}
	if (c && c->from) {
		for (uint32_t i = c->added; i > 0; i--)
			rule_free(&c->rules[c->at + i - 1]);
		if (c->rules != c->from->rules)
			free(c->rules);
		classifier_free(atomic_load_explicit(&c->classifier, memory_order_acquire));
		free(c);
	}
	shell_free(r);
}

void
ruleset_edit_begin(struct ruleset *r, uint64_t now)
{
	const struct ruleset_edit *e = r->edit;
	struct ruleset_chain *c = e->change.kind == CHANGE_CHAIN ? NULL : r->tables[e->table].chains[e->change.chain];

	if (e->change.kind == CHANGE_POLICY)
		live_count(c->live, &e->count);
	for (uint32_t i = 0; c && i < c->added; i++)
		rule_begin(&c->rules[c->at + i], &e->rules[i].count, now);
}

/* ---- when the ruleset before is in nobody's way any more ---- */

static void
heir_settle(struct ruleset_chain *c)
{
	struct ruleset_chain *from = c->from;

	for (uint32_t i = 0; i < c->removed; i++)
		rule_free(&from->rules[c->at + i]);
	if (c->rules != from->rules)
		free(from->rules);
	classifier_free(atomic_load_explicit(&from->classifier, memory_order_acquire));
	free(from);
	c->from = NULL;
}

static void
tree_follow(const struct ruleset_edit *e, struct rules_chain *tree)
{
	const struct rules_change *change = &e->change;

	if (change->kind == CHANGE_POLICY) {
		tree->policy = e->policy;
		return;
	}
	rules_shift(tree, change->at, change->removed, change->added);
	for (uint32_t i = 0; i < change->added; i++)
		tree->rules[change->at + i] = e->rules[i];
}

static void
take_over(struct ruleset *r)
{
	struct ruleset_edit *e = r->edit;

	if (e->change.kind != CHANGE_CHAIN) {
		heir_settle(r->tables[e->table].chains[e->change.chain]);
		tree_follow(e, r->rules->tables[e->table].chains[e->change.chain]);
	}
	r->edit = NULL;
	shell_free(e->before);
	free(e);
}

void
ruleset_retire(struct ruleset *was, struct ruleset *now)
{
	if (now && now->edit && now->edit->before == was)
		take_over(now);
	else
		ruleset_free(was);
}
