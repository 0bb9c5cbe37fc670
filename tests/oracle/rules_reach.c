/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rules have counted, and which could. */
#include "tests/oracle/rules_draft.h"

#include <string.h>

void
hint_add(struct hint *to, const struct hint *from)
{
	to->iface = to->iface >= 0 ? to->iface : from->iface;
	to->out = to->out >= 0 ? to->out : from->out;
	to->src = to->src ? to->src : from->src;
	to->dst = to->dst ? to->dst : from->dst;
	to->proto = to->proto ? to->proto : from->proto;
	to->sport = to->sport ? to->sport : from->sport;
	to->dport = to->dport ? to->dport : from->dport;
	to->ttl = to->ttl ? to->ttl : from->ttl;
	to->length = to->length ? to->length : from->length;
	to->word = to->word ? to->word : from->word;
	if (!to->has_tos) {
		to->has_tos = from->has_tos;
		to->tos = from->tos;
	}
	if (!to->icmp && from->icmp) {
		to->icmp = true;
		to->icmp_type = from->icmp_type;
		to->icmp_code = from->icmp_code;
	}
	if (!to->flags_mask) {
		to->flags_mask = from->flags_mask;
		to->flags = from->flags;
	}
	to->local |= from->local;
	to->mac = to->mac ? to->mac : from->mac;
	to->to = to->to ? to->to : from->to;
	to->made_here |= from->made_here;
	to->answered |= from->answered;
	to->reply |= from->reply;
	to->related |= from->related;
	to->mark = to->mark ? to->mark : from->mark;
	to->marked |= from->marked;
	to->connmarked |= from->connmarked;
}

void
ruleset_hits(const struct ruleset_text *rs, const struct counts *c, bool hit[RULES_MAX])
{
	const struct rule *r;
	unsigned i, k;
	int n;

	for (i = 0; i < rs->n_rules; i++) {
		r = &rs->rules[i];
		for (n = 1, k = 0; k < i; k++)
			n += strcmp(rs->rules[k].table, r->table) == 0 && strcmp(rs->rules[k].chain, r->chain) == 0;
		hit[i] = false;
		for (k = 0; k < c->n && !hit[i]; k++)
			hit[i] = c->c[k].rule == n && c->c[k].packets && strcmp(c->c[k].chain, r->chain) == 0 && strcmp(c->c[k].table, r->table) == 0;
	}
}

/* What all packets on a way to a chain have in common; 0 and -1: anything. */
struct way {
	uint8_t proto;
	int8_t iface, out;
};

/* => false: no packet has both. */
static bool
narrow_way(struct way *w, const struct rule *r, bool *all)
{
	const struct hint *h = &r->hint;

	*all = !r->narrow && (!r->proto || r->proto == w->proto) && (h->iface < 0 || h->iface == w->iface) && (h->out < 0 || h->out == w->out);
	if ((r->proto && w->proto && r->proto != w->proto) || (h->iface >= 0 && w->iface >= 0 && h->iface != w->iface) ||
		(h->out >= 0 && w->out >= 0 && h->out != w->out))
		return false;
	w->proto = r->proto ? r->proto : w->proto;
	w->iface = h->iface >= 0 ? h->iface : w->iface;
	w->out = h->out >= 0 ? h->out : w->out;
	return !r->impossible;
}

/* => true: nothing that comes this way returns. */
static bool
walk_chain(const struct ruleset_text *rs, const char *table, const char *chain, struct way way, bool reachable[RULES_MAX])
{
	bool returns = false; /* what a rule before matches goes back */
	unsigned i;

	for (i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rules[i];
		struct way there = way;
		bool all, stays;

		if (strcmp(r->table, table) != 0 || strcmp(r->chain, chain) != 0 || !narrow_way(&there, r, &all))
			continue;
		reachable[i] = true;
		stays = *r->to && walk_chain(rs, table, r->to, there, reachable);
		returns |= r->returns || (r->ends && *r->to && !stays);
		if (all && (r->ends || stays))
			return !returns;
	}
	return false;
}

void
ruleset_reachable(const struct ruleset_text *rs, bool reachable[RULES_MAX])
{
	unsigned t, h;

	memset(reachable, 0, RULES_MAX * sizeof(*reachable));
	for (t = 0; t < TABLES; t++)
		for (h = 0; h < 5; h++)
			walk_chain(rs, table_names[t], hook_names[h], (struct way){.iface = -1, .out = -1}, reachable);
}

/* What the router sends has no mark until a rule of OUTPUT, or of a chain that is perhaps called there, sets one. */
static bool
marked_before(const struct ruleset_text *rs, unsigned at)
{
	unsigned i;

	for (i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rules[i];
		bool base = strchr("PIFO", r->chain[0]) && r->chain[1] >= 'A';

		if (r->sets_mark && (base ? strcmp(r->chain, "OUTPUT") == 0 && i < at : i < at || strcmp(r->table, rs->rules[at].table) == 0))
			return true;
	}
	return false;
}

void
ruleset_rule_out(struct ruleset_text *rs)
{
	static const char *const tracking[] = {"state", "conntrack", "connmark", "CONNMARK", "connbytes", "connlimit", "CT"};
	bool tracks = rs->nat, marks = false, connmarks = false;
	uint8_t recents = 0;
	unsigned i, k, n;

	for (i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rules[i];

		for (k = 0; k < r->n_exts; k++)
			for (n = 0; n < sizeof(tracking) / sizeof(*tracking); n++)
				tracks |= strcmp(ext_name(r->exts[k]), tracking[n]) == 0;
		marks |= r->sets_mark;
		connmarks |= r->sets_connmark;
		recents |= r->recent_adds;
	}
	for (i = 0; i < rs->n_rules; i++) {
		struct rule *r = &rs->rules[i];

		r->impossible |= r->hint.marked && strcmp(r->chain, "OUTPUT") == 0 && !marked_before(rs, i);
		r->impossible |= (r->hint.later_fragment && tracks) || (r->hint.marked && !marks) || (r->hint.connmarked && !connmarks) ||
			(r->recent_asks & ~recents);
	}
}
