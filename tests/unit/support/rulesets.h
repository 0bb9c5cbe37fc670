/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for tests, from a text close to that of iptables-save, without libxtables:
 *
 *	*filter                        table; it ends at the next one
 *	:FORWARD DROP [3:400]          policy (the counters may be left out: kept); ":NAME -" is a
 *chain of the user -A FORWARD ! -s 10.0.0.0/8 -d 10.1.0.1 -i eth+ -o eth1 -p tcp -f -c 5 600 -m @0
 *-j user
 *
 * "-m @N" and "-j @N" take the N-th of an array of extensions; -g; -p by name or number; "-c P B"
 *sets counters, "-z P B" subtracts; a mask may be dotted. What cannot be read ends the program.
 */
#ifndef TESTS_UNIT_SUPPORT_RULESETS_H
#define TESTS_UNIT_SUPPORT_RULESETS_H

#include "filters/ruleset.h"
#include "tests/unit/support/routers.h"

struct test_ext {
	const char *name;
	uint8_t revision;
	const void *options;
	uint16_t size;
};

/* The caller's, to rules_free() or ruleset_new(). Options are copied. */
struct rules *test_rules(const char *text, const struct test_ext *exts);
/* A rule that matches everything and only counts. */
struct rules_rule test_rule(void);
/* Puts an extension at the end of a rule's matches. */
void test_rule_match(struct rules *r, struct rules_rule *rule, const struct test_ext *ext);
void test_rule_target(struct rules *r, struct rules_rule *rule, const struct test_ext *ext);

/* Built and begun, from a text; a refusal ends the program. `live`, `before` may be NULL. */
struct ruleset *test_ruleset(struct test_env *env, struct test_router *t, struct filters_live *live,
	const struct ruleset *before, const char *text, const struct test_ext *exts);
/* The sentence with which it is refused, in a buffer of its own (the next call overwrites it); ""
 * when it is not. */
const char *test_refusal(struct test_router *t, struct filters_live *live, const char *text,
	const struct test_ext *exts);

/* The context of a parsed packet; `in`, `out`: interface slots, 0 none. */
struct filter_ctx test_filter_ctx(struct test_env *env, struct test_router *t, struct pkt *p,
	const struct ruleset *rules, enum rules_table table, enum rules_hook hook, uint16_t in,
	uint16_t out);

/* Packets counted by a rule (from 1), or by a policy (0). */
uint64_t test_packets(
	const struct ruleset *r, enum rules_table table, const char *chain, uint32_t rule);

#endif
