/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A case through both routers, and where they differ. */
#ifndef TESTS_ORACLE_COMPARE_H
#define TESTS_ORACLE_COMPARE_H

#include "tests/oracle/generate.h"

enum { PACKETS_MAX = 2000 };

enum difference_kind { DIFFER_NOT, DIFFER_LOAD, DIFFER_OUTPUT, DIFFER_COUNT, DIFFER_CONN };

struct difference {
	enum difference_kind kind;
	char sort[240];    /* what differs, in few words: differences of one cause mostly have one */
	char text[4000];
	unsigned packet;   /* DIFFER_OUTPUT */
};

struct kase {
	struct ruleset_text rs;
	uint8_t keep_rule[RULES_MAX];
	struct frame packets[PACKETS_MAX];
	uint8_t keep_packet[PACKETS_MAX];
	unsigned n_packets;
	bool without_bm; /* --algo bm becomes kmp */
	struct counts counts; /* of the kernel, at the end */
};

/* Packets that `g` makes are kept in the case, n of them; NULL: those of the case again. => false: they differ. */
bool kase_run(struct kase *c, struct packets *g, unsigned n, struct difference *d);
/* The same, but that the difference is not one that stays (tests/oracle/differences.h). */
bool kase_differs(struct kase *c, struct packets *g, unsigned n, struct difference *d);
/* Leaves rules and packets out for as long as there is a difference of this kind. */
void kase_minimise(struct kase *c, struct difference *d);
void kase_print(const struct kase *c, FILE *to);

/* Of what came of `in`. */
bool outputs_equal(const struct frame *in, struct frames *a, struct frames *b);

/* Counters and connections of both sides. => false, with *d. */
bool kase_ends_equal(struct kase *c, struct difference *d);

#endif
