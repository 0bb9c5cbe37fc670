/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run has seen, of all its processes: it lies in memory that they share. */
#ifndef TESTS_ORACLE_STATISTICS_H
#define TESTS_ORACLE_STATISTICS_H

#include "tests/oracle/compare.h"
#include "tests/oracle/nat_draws.h"

enum { SORTS = 400 };

struct statistics {
	uint64_t rulesets, packets, rules, reachable, hit, stray, refused;
	uint64_t differ, crashed;
	unsigned current; /* ruleset */
	struct {
		uint64_t rules, hit, yes, no;
	} ext[EXTS_MAX];
	bool kernel_refuses[EXTS_MAX], we_refuse[EXTS_MAX];
	char why[EXTS_MAX][600];
	struct {
		char sort[240];
		unsigned n, first;
	} sorts[SORTS];
	unsigned n_sorts, n_known;
	uint64_t known[EXTS_MAX];
	struct nat_draws draws;
};

/* => how often differences of this sort came before. */
unsigned statistics_note(struct statistics *s, const struct difference *d, unsigned number);
/* Of a case that both sides agree about: what its rules saw. */
void statistics_rules(struct statistics *s, const struct kase *c, bool verbose);
/* What this process counts for itself, since the last call. */
void statistics_process(struct statistics *s);
/* `since`: ns, as oracle_now(). */
void statistics_progress(const struct statistics *s, uint64_t since);
void statistics_print(const struct statistics *s, bool verbose);

#endif
