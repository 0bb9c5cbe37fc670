/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ruleset_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

/* Depth first through the chains of a table, with a stack of its own: chains may be nested by the
 * thousand. */
struct search {
	struct build *b;
	enum rules_table table;
	struct ruleset_table *tab;
	struct visit {
		uint32_t chain, rule; /* the next to look at */
	} * stack;
	uint32_t n_stack;
	uint32_t *depth; /* of each chain: the most jumps below it */
	uint32_t *order; /* chains, the ones that are jumped to before those that jump */
	uint32_t n_order;
	uint32_t *hooks; /* of each chain */
	uint8_t *marks; /* enum mark of each chain */
};

static int
refuse_loop(struct search *s, uint32_t to)
{
	const struct visit *top = &s->stack[s->n_stack - 1];
	const char *name = s->tab->chains[to]->name;
	char text[256];
	size_t len = 0;
	uint32_t i;

	for (i = 0; s->stack[i].chain != to; i++)
		;
	for (; i < s->n_stack && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s -> ",
			s->tab->chains[s->stack[i].chain]->name);
	return build_refuse(s->b, s->table, s->tab->chains[top->chain]->name, top->rule,
		"a jump to %s makes a loop of chains: %s%s", name,
		len < sizeof(text) ? text : "... -> ", name);
}

static void
open_chain(struct search *s, uint32_t chain)
{
	s->marks[chain] = MARK_OPEN;
	s->stack[s->n_stack++] = (struct visit){chain, 0};
}

static void
note_depth(struct search *s, uint32_t from, const struct ruleset_rule *rule)
{
	uint32_t depth = s->depth[rule->to] + (rule->action == ACTION_JUMP);

	if (depth > s->depth[from])
		s->depth[from] = depth;
}

/* One step from the chain on top of the stack: into a chain that it jumps to, or out of it. */
static int
step(struct search *s)
{
	struct visit *top = &s->stack[s->n_stack - 1];
	const struct ruleset_chain *c = s->tab->chains[top->chain];
	const struct ruleset_rule *rule;
	uint32_t to;

	while (c->n_jumps && top->rule < c->n_rules) {
		rule = &c->rules[top->rule++];
		to = rule->to;
		if (!to)
			continue;
		if (s->marks[to] == MARK_OPEN)
			return refuse_loop(s, to);
		if (s->marks[to] == MARK_NEW) {
			top->rule--; /* once more, when its depth is known */
			open_chain(s, to);
			return 0;
		}
		note_depth(s, top->chain, rule);
	}
	if (s->depth[top->chain] > RULESET_DEPTH_MAX)
		return build_refuse(s->b, s->table, c->name, 0, "jumps more than %d chains deep",
			RULESET_DEPTH_MAX);
	s->marks[top->chain] = MARK_DONE;
	s->order[s->n_order++] = top->chain;
	s->n_stack--;
	return 0;
}

static int
search_all(struct search *s)
{
	uint32_t i;
	int err;

	for (i = 0; i < s->tab->n_chains; i++) {
		if (s->marks[i] == MARK_NEW)
			open_chain(s, i);
		while (s->n_stack > 0) {
			err = step(s);
			if (err < 0)
				return err;
		}
		if (s->depth[i] > s->tab->depth)
			s->tab->depth = s->depth[i];
	}
	return 0;
}

/* Who jumps comes first: by then all that reaches it is known. */
static void
spread_hooks(struct search *s)
{
	uint32_t i, j;

	for (i = 0; i < s->tab->n_chains; i++)
		s->hooks[i] = s->tab->chains[i]->hook >= 0 ? 1u << s->tab->chains[i]->hook : 0;
	for (i = s->n_order; i > 0; i--) {
		const struct ruleset_chain *c = s->tab->chains[s->order[i - 1]];

		for (j = 0; c->n_jumps && j < c->n_rules; j++)
			if (c->rules[j].to)
				s->hooks[c->rules[j].to] |= s->hooks[s->order[i - 1]];
	}
}

static int
settle_hooks(struct search *s)
{
	uint32_t i;

	for (i = 0; i < s->tab->n_chains; i++)
		if (!s->b->edited)
			s->tab->chains[i]->hooks = s->hooks[i];
		else if (s->tab->chains[i]->hooks != s->hooks[i])
			return -ESTALE;
	return 0;
}

int
build_order(struct build *b, enum rules_table t)
{
	struct search s = {.b = b, .table = t, .tab = &b->ruleset->tables[t]};
	size_t n = s.tab->n_chains + (size_t)1;
	int err;

	s.stack = calloc(n, sizeof(*s.stack));
	s.depth = calloc(n, sizeof(*s.depth));
	s.order = calloc(n, sizeof(*s.order));
	s.hooks = calloc(n, sizeof(*s.hooks));
	s.marks = calloc(n, sizeof(*s.marks));
	s.tab->depth = 0;
	if (s.stack && s.depth && s.order && s.hooks && s.marks)
		err = search_all(&s);
	else
		err = build_no_memory(b);
	if (err == 0) {
		spread_hooks(&s);
		err = settle_hooks(&s);
	}
	free(s.stack);
	free(s.depth);
	free(s.order);
	free(s.hooks);
	free(s.marks);
	return err;
}
