/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses rules translate to or from: those for which somebody has to answer outside, and no
 * interface does. By the control thread.
 */
#ifndef NAT_PROXIED_H
#define NAT_PROXIED_H

#include "filters/ruleset.h"

struct addr_ranges {
	struct addr_range *at; /* to free() */
	size_t n;
};

/* => 0 or -ENOMEM. */
int addr_ranges_add(struct addr_ranges *r, uint32_t first, uint32_t last);
/* Ascending, and what overlaps or touches becomes one. */
void addr_ranges_sort(struct addr_ranges *r);

/*
 * Adds the addresses of the nat table's rules that packets can reach: of SNAT what it translates to,
 * of DNAT, REDIRECT and NETMAP the destination that the rule is about. A destination that `router`
 * has an address in itself is a network, and left out, as is "anywhere".
 * => 0 or -ENOMEM.
 */
int nat_addresses(const struct ruleset *rules, const struct router *router, struct addr_ranges *to);

#endif
