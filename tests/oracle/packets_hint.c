/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a packet must have for a rule. */
#include "tests/oracle/packets_draft.h"

#include <stddef.h>

/* Of a rule and those that call its chain. */
static struct hint
whole_hint(const struct packets *g, const struct rule *r)
{
	struct hint h;

	for (h = r->hint; r->caller >= 0; hint_add(&h, &r->hint))
		r = &g->rs->rules[r->caller];
	return h;
}

/* And of a rule that sets a mark; `flag`: where a rule says whether it does. */
static void
add_setter(struct packets *g, struct hint *h, size_t flag)
{
	unsigned start = rnd(&g->r, g->rs->n_rules), i;
	struct hint more;

	for (i = 0; i < 2 * g->rs->n_rules; i++) {
		const struct rule *r = &g->rs->rules[(start + i) % g->rs->n_rules];

		if (!*((const char *)r + flag) || (i < g->rs->n_rules && h->mark && r->mark != h->mark))
			continue;
		more = whole_hint(g, r);
		more.made_here = h->made_here;
		more.local = h->local;
		hint_add(h, &more);
		return;
	}
}

/* What a rule with REJECT answers to whom the rule wants it. */
static void
add_reject(struct packets *g, struct hint *h)
{
	unsigned start = rnd(&g->r, g->rs->n_rules), i;
	uint32_t to = h->dst;
	int8_t out = h->out;

	for (i = 0; i < g->rs->n_rules; i++) {
		const struct rule *r = &g->rs->rules[(start + i) % g->rs->n_rules];

		if (!r->rejects || r->hint.made_here)
			continue;
		*h = whole_hint(g, r);
		h->src = to ? to : h->src;
		h->iface = h->iface >= 0 || to ? h->iface : out;
		return;
	}
}

struct hint
packets_hint(struct packets *g)
{
	static const struct hint nothing = {.iface = -1, .out = -1};
	const struct rule *r;
	struct hint h;

	if (g->rs->n_rules == 0 || chance(&g->r, 15))
		return nothing;
	r = &g->rs->rules[g->n_aims && chance(&g->r, 85) ? g->aims[rnd(&g->r, g->n_aims)] : rnd(&g->r, g->rs->n_rules)];
	h = whole_hint(g, r);
	if (h.made_here && chance(&g->r, 30))
		add_reject(g, &h);
	if (h.marked)
		add_setter(g, &h, offsetof(struct rule, sets_mark));
	if (h.connmarked)
		add_setter(g, &h, offsetof(struct rule, sets_connmark));
	return h;
}
