/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/fib_rules.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOT_LOOPBACK = 1 };

static const struct route_rule always[] = {
	{.priority = 0, .table = TABLE_LOCAL},
	{.priority = 32766, .table = TABLE_MAIN},
	{.priority = 32767, .table = TABLE_DEFAULT},
};

enum { N_ALWAYS = sizeof(always) / sizeof(always[0]) };

static void
insert_rule(struct rule_set *s, const struct route_rule *r)
{
	size_t i = s->n++;

	for (; i > 0 && s->rules[i - 1].priority > r->priority; i--)
		s->rules[i] = s->rules[i - 1];
	s->rules[i] = *r;
}

static bool
matches_anything(const struct route_rule *r)
{
	return !ip_is_set(&r->from.addr) && !ip_is_set(&r->to.addr) && r->iif == 0 && r->tos == 0 &&
	       r->mask == 0;
}

int
rule_set_init(struct rule_set *s, const struct route_rule *rules, size_t n)
{
	size_t i;

	*s = (struct rule_set){0};
	s->rules = calloc(n + N_ALWAYS, sizeof(*s->rules));
	s->at = calloc(n + N_ALWAYS, sizeof(*s->at));
	if (!s->rules || !s->at)
		return -ENOMEM;
	for (i = 0; i < N_ALWAYS; i++)
		insert_rule(s, &always[i]);
	for (i = 0; i < n; i++)
		insert_rule(s, &rules[i]);
	for (i = 0; i < s->n; i++)
		s->at[i].any = matches_anything(&s->rules[i]);
	return 0;
}

void
rule_set_fini(struct rule_set *s)
{
	free(s->at);
	free(s->rules);
}

static bool
within(const struct ip_prefix *p, const struct ip_addr *a)
{
	return !ip_is_set(&p->addr) || (p->addr.family == a->family && prefix_contains(p, a));
}

bool
rule_matches(const struct route_rule *r, const struct route_key *key)
{
	uint16_t iif = key->iif ? key->iif : SLOT_LOOPBACK;

	return within(&r->from, &key->src) && within(&r->to, &key->dst) &&
	       (r->iif == 0 || r->iif == iif) &&
	       (r->tos == 0 || ((r->tos ^ key->tos) & 0xfc) == 0) &&
	       ((r->mark ^ key->mark) & r->mask) == 0;
}
