/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy rules of one fib, in the order of their priority. Private to the fib. */
#ifndef ROUTING_FIB_RULES_H
#define ROUTING_FIB_RULES_H

#include "routing/fib.h"

struct fib_table;

struct rule_set {
	struct route_rule *rules; /* with those that are always there */
	struct rule_index {
		const struct fib_table *fib_table; /* NULL: its table has no routes */
		bool any;                          /* it matches everything */
	} * at;
	size_t n;
};

/* Copies, adds the rules 0, 32766 and 32767, sorts; of equal priorities the first given comes
 * first. => 0 or -ENOMEM; either way rule_set_fini() is due. */
int rule_set_init(struct rule_set *s, const struct route_rule *rules, size_t n);
void rule_set_fini(struct rule_set *s);
/* A packet made here (iif 0) counts as come by the loopback interface, as in Linux. */
bool rule_matches(const struct route_rule *r, const struct route_key *key);

#endif
