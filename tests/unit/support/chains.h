/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long chains at random, of the kinds that people have, and packets drawn from their constants. */
#ifndef TESTS_UNIT_SUPPORT_CHAINS_H
#define TESTS_UNIT_SUPPORT_CHAINS_H

#include "tests/unit/support/rulesets.h"

enum chain_kind {
	CHAIN_SERVICES,  /* an ISP's: established first, then host, protocol, port, new */
	CHAIN_BLOCKLIST, /* single sources dropped */
	CHAIN_KUBE,      /* single destinations and ports, each to a chain of its own */
	CHAIN_MIXED,     /* any combination of prefixes, ports, protocols and interfaces */
	CHAIN_GUESTS,    /* an interface for each guest */
	CHAIN_WIDE,      /* wide ranges that overlap */
	CHAIN_ODD,       /* inversions, masks with holes, fragments, limits, jumps, targets: few
			    constants, so much matches */
	CHAIN_KINDS,
};

extern const char *const chain_kind_names[CHAIN_KINDS];

enum { CHAIN_PACKET_MAX = 128 };

uint64_t chain_random(uint64_t *state);
/* In the mangle table, FORWARD, policy DROP. ODD has user chains, too. The caller's, to
 * rules_free() or ruleset_new(). */
struct rules *chain_make(uint64_t *random, enum chain_kind kind, uint32_t n);
/* FORWARD of such rules. */
const struct rules_chain *chain_forward(const struct rules *rules);

/* A packet that a rule is about as far as its header and ports go. => its length. */
size_t chain_packet(uint64_t *random, const struct rules_rule *rule, uint8_t *buf);
/* The same with a field that may be one off, or anything; a fragment or cut short now and then. */
size_t chain_packet_near(uint64_t *random, const struct rules_rule *rule, uint8_t *buf);

#endif
