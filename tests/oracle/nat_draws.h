/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The freedom that address translation has, and the only one: the random number with which a search for a free port begins
 * (get_unique_tuple() and nf_nat_l4proto_unique_tuple() in net/netfilter/nf_nat_core.c). Everything else is compared to the
 * byte: addresses of ranges, ports that are kept, ports of an earlier connection of the same source, searches that begin at
 * a base port or at the first port, what is taken, what is refused, and every packet and connection that follows.
 *
 * The kernel has its packet first. When ours then comes to a search whose start is drawn, it is told such a number that, if it
 * has the same window and knows the same ports for taken, it ends at the kernel's port. Any other window, any other idea of
 * what is taken, and any search where the kernel had none, lead elsewhere. So the mapping of one side is the mapping of the other,
 * and that it holds for the connection's life, in both directions, in quotes and in fragments, is seen by each later packet.
 *
 * Ours is told nothing when the kernel's port follows from the rules: it then draws for itself, and would be seen to.
 *
 * What the kernel drew is seen in its connection, so of a packet that is dropped after its destination was drawn nothing is known:
 * rulesets that draw destinations have no rules that see ports elsewhere (ruleset_text.blind).
 * A search may take the port of a closed TCP connection only within its last 32 steps: ranges that can run out are no wider than
 * that (nat_rules.c), so that it does not matter where it begins.
 */
#ifndef TESTS_ORACLE_NAT_DRAWS_H
#define TESTS_ORACLE_NAT_DRAWS_H

#include <stdint.h>

struct nat_draws {
	uint64_t bound;  /* bindings with our target or without */
	uint64_t moved;  /* whose port is another one */
	uint64_t told;   /* of these by a number from the kernel's port */
	uint64_t back;   /* and begun where ports before it are taken */
	uint64_t unseen; /* the kernel has no such connection */
};
extern struct nat_draws nat_draws;

#endif
