/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/statistics.h"

#include "tests/oracle/differences.h"

#include <stdio.h>
#include <string.h>

unsigned
statistics_note(struct statistics *s, const struct difference *d, unsigned number)
{
	unsigned i;

	for (i = 0; i < s->n_sorts; i++)
		if (strcmp(s->sorts[i].sort, d->sort) == 0)
			return s->sorts[i].n++;
	if (i == SORTS)
		return 1;
	strcpy(s->sorts[i].sort, d->sort);
	s->sorts[i].n = 1;
	s->sorts[i].first = number;
	s->n_sorts++;
	return 0;
}

static const struct count *
count_of(const struct counts *counts, const struct rule *r, int number)
{
	unsigned i;

	for (i = 0; i < counts->n; i++)
		if (counts->c[i].rule == number && strcmp(counts->c[i].chain, r->chain) == 0 && strcmp(counts->c[i].table, r->table) == 0)
			return &counts->c[i];
	return NULL;
}

/* The counting rule before a rule says how many packets came to it. */
static void
measure_rule(struct statistics *s, const struct kase *c, unsigned at, bool reachable, bool verbose)
{
	const struct rule *r = &c->rs.rules[at];
	const struct count *hits, *before;
	uint64_t reached = 0;
	unsigned k;
	int n = 1;

	for (k = 0; k < at; k++)
		n += strcmp(c->rs.rules[k].table, r->table) == 0 && strcmp(c->rs.rules[k].chain, r->chain) == 0;
	hits = count_of(&c->counts, r, n);
	if (!hits || r->counter)
		return;
	before = at > 0 && c->rs.rules[at - 1].counter ? count_of(&c->counts, r, n - 1) : NULL;
	reached = before ? before->packets : 0;
	s->rules++;
	s->reachable += reachable;
	s->hit += reachable && hits->packets > 0;
	s->stray += !reachable && hits->packets > 0;
	if (verbose && reachable && !hits->packets)
		printf("not hit: %u %s %s%s\n", s->current, r->table, r->text, before && !reached ? " (nothing came)" : "");
	if (!reachable && hits->packets && !c->rs.nat) /* translated packets take other ways */
		printf("hit all the same: ruleset %u: %s %s\n", s->current, r->table, r->text);
	for (k = 0; k < r->n_exts; k++) {
		s->ext[r->exts[k]].rules += reachable;
		s->ext[r->exts[k]].hit += reachable && hits->packets > 0;
		s->ext[r->exts[k]].yes += hits->packets;
		s->ext[r->exts[k]].no += reached > hits->packets ? reached - hits->packets : 0;
	}
}

void
statistics_rules(struct statistics *s, const struct kase *c, bool verbose)
{
	bool reachable[RULES_MAX];
	unsigned i;

	ruleset_reachable(&c->rs, reachable);
	for (i = 0; i < c->rs.n_rules; i++)
		measure_rule(s, c, i, reachable[i], verbose);
}

static void
count_known(struct statistics *s)
{
	static uint64_t before[EXTS_MAX];
	unsigned i;

	for (i = 0; known_differences[i].name; i++) {
		s->known[i] += difference_seen(i) - before[i];
		before[i] = difference_seen(i);
	}
	s->n_known = i;
}

static void
count_draws(struct statistics *s)
{
	s->draws.bound += nat_draws.bound;
	s->draws.moved += nat_draws.moved;
	s->draws.told += nat_draws.told;
	s->draws.back += nat_draws.back;
	s->draws.unseen += nat_draws.unseen;
	memset(&nat_draws, 0, sizeof(nat_draws));
}

void
statistics_process(struct statistics *s)
{
	count_known(s);
	count_draws(s);
}

void
statistics_progress(const struct statistics *s, uint64_t since)
{
	double seconds = (double)(oracle_now() - since) / 1e9;

	printf("oracle: %llu rulesets, %llu packets, %llu both refused, %.0f s, %.0f rulesets/s, %llu differ, %llu crashed\n", (unsigned long long)s->rulesets,
		(unsigned long long)s->packets, (unsigned long long)s->refused, seconds, (double)s->rulesets / seconds, (unsigned long long)s->differ,
		(unsigned long long)s->crashed);
	fflush(stdout);
}

/* It is worth a line that it was never true, or never false. */
static bool
is_expected(unsigned i)
{
	return ext_allowed(i) && (rulesets_have_nat() || !ext_translates(i));
}

void
statistics_print(const struct statistics *s, bool verbose)
{
	unsigned i;

	printf("rules: %llu, of which %llu can be reached and %llu were hit (%.1f %%); hit all the same: %llu\n", (unsigned long long)s->rules,
		(unsigned long long)s->reachable, (unsigned long long)s->hit,
		s->reachable ? 100.0 * (double)s->hit / (double)s->reachable : 0, (unsigned long long)s->stray);
	for (i = 0; i < ext_count(); i++)
		if (verbose || (s->rulesets > 100 && is_expected(i) && (!s->ext[i].yes || !s->ext[i].no)))
			printf("  %-10s in %llu rules, %llu hit, true %llu, false %llu\n", ext_name(i), (unsigned long long)s->ext[i].rules,
				(unsigned long long)s->ext[i].hit, (unsigned long long)s->ext[i].yes, (unsigned long long)s->ext[i].no);
	if (rulesets_have_nat())
		printf("bindings: %llu, of which %llu moved a port; %llu draws told, %llu of these begun further back, %llu not seen\n",
			(unsigned long long)s->draws.bound, (unsigned long long)s->draws.moved, (unsigned long long)s->draws.told,
			(unsigned long long)s->draws.back, (unsigned long long)s->draws.unseen);
	for (i = 0; i < s->n_known; i++)
		printf("  known difference %s: %llu times\n", known_differences[i].name, (unsigned long long)s->known[i]);
	for (i = 0; i < s->n_sorts; i++)
		printf("  %6u x %s (first: ruleset %u)\n", s->sorts[i].n, s->sorts[i].sort, s->sorts[i].first);
}
