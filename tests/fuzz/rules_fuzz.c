/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules from a stranger: decoded, built, met by packets, replaced by the same rules, and encoded.
 * An input is a byte and a blob of rules; with bit 0 of that byte set its header is made right, so
 * that what lies behind it is reached.
 */
#include "filters/conntrack.h"
#include "filters/live.h"
#include "tests/unit/support/rulesets.h"

#include <limits.h>
#include <linux/netfilter/x_tables.h>
#include <stdlib.h>

enum { FIX_HEADER = 1, HEADER = 16, LENGTH_AT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t header[LENGTH_AT] = {'R', 'K', 'R', 'L', 1, 0};

static struct rules *
decode(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len + !len);
	struct rules *r;
	char why[128] = "";

	if (!exact)
		abort();
	memcpy(exact, bytes, len);
	r = rules_decode(exact, len, why, sizeof(why));
	if (!r && !why[0])
		abort();
	free(exact);
	return r;
}

static struct rules *
decode_input(uint8_t how, const uint8_t *data, size_t size)
{
	uint8_t *fixed = malloc(size + HEADER);
	uint64_t len = size;
	struct rules *r;

	if (!fixed)
		abort();
	memcpy(fixed, data, size);
	if (how & FIX_HEADER && size >= HEADER) {
		memcpy(fixed, header, 6);
		memcpy(fixed + LENGTH_AT, &len, sizeof(len));
	}
	r = decode(fixed, size);
	free(fixed);
	return r;
}

/* What was decoded encodes to something that decodes to the same. => a copy of `r`. */
static struct rules *
copy_of(const struct rules *r)
{
	size_t len, len_again;
	uint8_t *bytes = rules_encode(r, &len), *again;
	struct rules *copy = bytes ? decode(bytes, len) : NULL;

	again = copy ? rules_encode(copy, &len_again) : NULL;
	if (!again || len != len_again || memcmp(bytes, again, len) != 0)
		abort();
	free(bytes);
	free(again);
	return copy;
}

static void
meet(struct test_env *env, struct test_router *t, const struct ruleset *rs, struct pkt *p,
	uint8_t table, uint8_t hook)
{
	struct filter_ctx c = test_filter_ctx(env, t, p, rs, table, hook,
		hook == RULES_OUTPUT || hook == RULES_POSTROUTING ? 0 : TEST_ETH0,
		hook == RULES_PREROUTING || hook == RULES_INPUT ? 0 : TEST_ETH1);

	p->in = c.in;
	p->out = c.out;
	switch (ruleset_run(rs, &c)) {
	case FILTER_CONTINUE:
	case FILTER_RETURN:
		abort();
	case FILTER_STOLEN:
		return;
	default:
		env_pkt_free(&env->env, p);
	}
}

static void
meet_all(struct test_env *env, struct test_router *t, const struct ruleset *rs)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2"};
	const struct test_ip later = {.src = "10.0.0.2", .dst = "10.1.0.2", .frag_off = 1};
	uint8_t packet[4][256];
	size_t len[4] = {test_udp(packet[0], &ip, 1000, 53, 40),
		test_tcp(packet[1], &ip, 1000, 80, 0), test_icmp(packet[2], &ip, 8, 0, 1, 1, 8),
		test_tcp(packet[3], &later, 1, 2, 8)};

	for (uint8_t table = 0; table < TABLE_COUNT; table++)
		for (uint8_t hook = 0; hook < RULES_HOOKS; hook++)
			for (unsigned i = 0; i < 4; i++) {
				struct pkt *p = test_pkt(env, packet[i], len[i]);

				p->router = &t->r;
				if (pkt_parse(p) != DROP_NONE)
					abort();
				meet(env, t, rs, p, table, hook);
			}
}

static void
same_lives(const struct ruleset *a, const struct ruleset *b)
{
	uint32_t t, i, j;

	for (t = 0; t < TABLE_COUNT; t++)
		for (i = 0; i < a->tables[t].n_chains; i++)
			for (j = 0; j < a->tables[t].chains[i]->n_rules; j++)
				if (a->tables[t].chains[i]->rules[j].live !=
					b->tables[t].chains[i]->rules[j].live)
					abort();
}

static void
check_encoded(const struct ruleset *rs)
{
	size_t len;
	uint8_t *bytes = ruleset_encode(rs, &len);
	struct rules *r = bytes ? decode(bytes, len) : NULL;

	if (!r)
		abort();
	rules_free(copy_of(r));
	rules_free(r);
	free(bytes);
}

/* Takes `rules`. */
static struct ruleset *
build(struct test_env *env, struct test_router *t, struct rules *rules,
	const struct ruleset *before)
{
	struct filters_live *live = t->live.filters;
	char why[512] = "";
	struct ruleset *rs = ruleset_new(rules, &t->r, live, before, why, sizeof(why));

	if (!rs) {
		if (!why[0])
			abort();
		rules_free(rules);
		return NULL;
	}
	if (rs->needs & NEEDS_CONNTRACK && !live->conntrack)
		live->conntrack = conntrack_new(&t->live, 1);
	ruleset_begin(rs, env->env.now);
	t->r.rules = rs;
	return rs;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rules *rules = size ? decode_input(data[0], data + 1, size - 1) : NULL, *copy;
	struct ruleset *rs, *next;
	struct test_router t;
	struct test_env env;

	if (!rules)
		return 0;
	copy = copy_of(rules);
	test_env_init(&env, 1);
	test_router_init(&t);
	t.r.tunables.value[TUNE_CT_MAX] = 64;
	t.live.filters = filters_live_new();
	rs = build(&env, &t, rules, NULL);
	next = build(&env, &t, copy, rs);
	if (!rs != !next)
		abort();
	if (rs) {
		same_lives(rs, next);
		meet_all(&env, &t, next);
		ruleset_free(rs);
		check_encoded(next);
	}
	filters_live_end(t.live.filters, &env.env);
	ruleset_free(next);
	filters_live_free(t.live.filters);
	test_router_fini(&t, &env);
	if (test_env_fini(&env) != 0)
		abort();
	return 0;
}
