/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat/proxied.h"

#include "nat/nat.h"

#include <errno.h>
#include <stdlib.h>

enum { STEP = 16 };

int
addr_ranges_add(struct addr_ranges *r, uint32_t first, uint32_t last)
{
	struct addr_range *more;

	if (r->n % STEP == 0) {
		more = realloc(r->at, (r->n + STEP) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		r->at = more;
	}
	r->at[r->n++] = (struct addr_range){first, last};
	return 0;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct addr_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void
addr_ranges_sort(struct addr_ranges *r)
{
	size_t i, n = 0;

	if (r->n == 0)
		return;
	qsort(r->at, r->n, sizeof(*r->at), compare_ranges);
	for (i = 1; i < r->n; i++) {
		if ((uint64_t)r->at[n].last + 1 < r->at[i].first)
			r->at[++n] = r->at[i];
		else
			r->at[n].last = RTE_MAX(r->at[n].last, r->at[i].last);
	}
	r->n = n + 1;
}

static bool
has_address_within(const struct router *r, uint32_t first, uint32_t last)
{
	size_t i, k;

	for (i = 0; i < r->n_ifaces; i++)
		for (k = 0; r->ifaces[i] && k < r->ifaces[i]->n_addrs; k++) {
			const struct ip_addr *a = &r->ifaces[i]->addrs[k].prefix.addr;

			if (a->family == AF_INET && ntohl(a->v4) >= first && ntohl(a->v4) <= last)
				return true;
		}
	return false;
}

/* The destination that a rule is about. */
static int
add_destination(const struct ruleset_rule *rule, const struct router *r, struct addr_ranges *to)
{
	uint32_t mask = ntohl(rule->dst_mask), first = ntohl(rule->dst), last = first | ~mask;

	if (mask == 0 || (~mask & (~mask + 1)) != 0 || rule->flags & RULE_NOT_DST ||
		has_address_within(r, first, last))
		return 0;
	return addr_ranges_add(to, first, last);
}

static int
add_rule(const struct ruleset_rule *rule, uint32_t hooks, const struct router *r,
	struct addr_ranges *to)
{
	const struct nat_range *range = rule->target.prepared;
	const char *name = rule->target.ops->name;
	bool source = hooks & (1 << RULES_POSTROUTING | 1 << RULES_INPUT);

	if (strcmp(name, "SNAT") == 0 || (strcmp(name, "NETMAP") == 0 && source))
		return range->flags & NF_NAT_RANGE_MAP_IPS
			       ? addr_ranges_add(to, ntohl(range->min_addr), ntohl(range->max_addr))
			       : 0;
	if (strcmp(name, "DNAT") == 0 || strcmp(name, "REDIRECT") == 0 || strcmp(name, "NETMAP") == 0)
		return add_destination(rule, r, to);
	return 0;
}

int
nat_addresses(const struct ruleset *rules, const struct router *router, struct addr_ranges *to)
{
	const struct ruleset_table *table = &rules->tables[TABLE_NAT];
	uint32_t c, i;
	int rc = 0;

	for (c = 0; table->present && c < table->n_chains; c++) {
		const struct ruleset_chain *chain = table->chains[c];

		for (i = 0; chain->hooks && i < chain->n_rules && rc == 0; i++)
			if (chain->rules[i].action == ACTION_TARGET)
				rc = add_rule(&chain->rules[i], chain->hooks, router, to);
	}
	return rc;
}
