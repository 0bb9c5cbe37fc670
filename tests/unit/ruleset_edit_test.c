/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits of a ruleset that is in force, beside a naive twin: a tree on which each edit is carried out, and a ruleset built from
 * that tree anew. Whatever the edit, both are refused with the same words, or are the same.
 */
#include "filters/classifier.h"
#include "filters/live.h"
#include "tests/unit/support/rulesets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_state.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 60, EDITS = 80, WHY = 512 };

#define NAT "*nat\n:a -\n:b -\n:c -\n"

static struct test_env env;
static struct test_router t;
static struct filters_live *live;

static const union {
	struct xt_rateinfo o;
	uint8_t room[XT_ALIGN(sizeof(struct xt_rateinfo))];
} limit = {.o = {.avg = 1000, .burst = 5}};
static const union {
	struct xt_state_info o;
	uint8_t room[XT_ALIGN(sizeof(struct xt_state_info))];
} established = {.o = {.statemask = 8}};
static const union {
	struct nf_nat_ipv4_multi_range_compat o;
	uint8_t room[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
} range = {.o = {.rangesize = 1}};
static const struct test_ext exts[] = {
	{"limit", 0, &limit, sizeof(limit)},
	{"state", 0, &established, sizeof(established)},
	{"MASQUERADE", 0, &range, sizeof(range)}, /* POSTROUTING of nat only */
};

static int
setup(void **unused)
{
	(void)unused;
	test_env_init(&env, 1);
	test_router_init(&t);
	live = filters_live_new();
	return live ? 0 : -1;
}

static int
teardown(void **unused)
{
	(void)unused;
	filters_live_free(live);
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

static uint32_t
below(uint32_t n)
{
	return env_random(&env.env) % n;
}

static struct rules *
copy(const struct rules *r)
{
	char why[WHY];
	size_t len;
	uint8_t *bytes = rules_encode(r, &len);
	struct rules *c = rules_decode(bytes, len, why, sizeof(why));

	assert_non_null(c);
	free(bytes);
	return c;
}

/* ---- edits at random ---- */

static const char *const chain_names[] = {"PREROUTING", "OUTPUT", "INPUT", "FORWARD", "POSTROUTING", "a", "b", "c", "d", "e"};

static void
random_name(char *to)
{
	strcpy(to, chain_names[below(sizeof(chain_names) / sizeof(*chain_names))]);
}

static struct rules_rule
random_rule(struct rules *memory)
{
	static const uint8_t actions[] = {ACTION_NONE, ACTION_ACCEPT, ACTION_RETURN, ACTION_QUEUE};
	struct rules_rule rule = test_rule();

	rule.src = ip4(htonl(0x0a000000 | below(6)));
	rule.src_mask = ip4(htonl(below(4) ? 0xffffffff : 0));
	rule.src.v4 &= rule.src_mask.v4;
	rule.action = actions[below(4)];
	rule.count = (struct rules_count){.how = COUNT_SET, .packets = below(1000), .bytes = below(100000)};
	if (below(5) == 0)
		test_rule_match(memory, &rule, &exts[0]);
	if (below(8) == 0)
		test_rule_match(memory, &rule, &exts[1]);
	if (below(12) == 0)
		test_rule_target(memory, &rule, &exts[2]);
	return rule;
}

static struct rules_edit
random_edit(struct rules *memory, enum rules_table table)
{
	static const uint8_t kinds[] = {EDIT_APPEND, EDIT_APPEND, EDIT_APPEND, EDIT_INSERT, EDIT_INSERT, EDIT_INSERT, EDIT_REPLACE, EDIT_DELETE,
		EDIT_DELETE, EDIT_DELETE_AT, EDIT_DELETE_AT, EDIT_FLUSH, EDIT_POLICY, EDIT_NEW, EDIT_REMOVE, EDIT_RENAME};
	struct rules_edit e = {.kind = kinds[below(sizeof(kinds))], .table = (uint8_t)table};
	const uint32_t n = e.kind == EDIT_REPLACE || below(3) ? 1 : 1 + below(4);

	if (e.kind == EDIT_INSERT || e.kind == EDIT_REPLACE || e.kind == EDIT_DELETE_AT)
		e.number = 1 + below(6);
	random_name(e.chain);
	random_name(e.name);
	if ((e.kind == EDIT_FLUSH || e.kind == EDIT_REMOVE) && below(6) == 0)
		e.chain[0] = '\0';
	e.policy = below(5) ? ACTION_ACCEPT : ACTION_DROP;
	e.count = (struct rules_count){.how = COUNT_SET, .packets = below(1000), .bytes = below(1000)};
	if (e.kind > EDIT_DELETE)
		return e;
	if (below(4) == 0)
		random_name(e.jump);
	e.is_goto = e.jump[0] && below(3) == 0;
	e.rules = rules_alloc(memory, n * sizeof(*e.rules));
	for (e.n_rules = 0; e.n_rules < n; e.n_rules++) {
		e.rules[e.n_rules] = random_rule(memory);
		if (e.jump[0])
			e.rules[e.n_rules].action = ACTION_NONE;
	}
	return e;
}

/* ---- the same? ---- */

static void
same_chain(const struct ruleset_chain *c, const struct ruleset_chain *twin)
{
	assert_string_equal(c->name, twin->name);
	assert_int_equal(c->hook, twin->hook);
	assert_int_equal(c->hooks, twin->hooks);
	assert_int_equal(c->policy, twin->policy);
	assert_int_equal(c->n_rules, twin->n_rules);
	assert_int_equal(c->n_jumps, twin->n_jumps);
	assert_int_equal(c->n_needing, twin->n_needing);
	assert_null(c->from);
	if (c->live)
		assert_int_equal(c->live->packets, twin->live->packets);
	for (uint32_t i = 0; i < c->n_rules; i++) {
		const struct ruleset_rule *a = &c->rules[i], *b = &twin->rules[i];

		assert_memory_equal(a, b, offsetof(struct ruleset_rule, live));
		assert_int_equal(a->to, b->to);
		assert_int_equal(a->live->packets, b->live->packets);
		assert_int_equal(a->live->bytes, b->live->bytes);
		assert_true(a->live->started);
		assert_int_equal(a->live->state_size, b->live->state_size);
		assert_ptr_equal(a->target.ops, b->target.ops);
		for (uint8_t m = 0; m < a->n_matches; m++)
			assert_ptr_equal(a->matches[m].ops, b->matches[m].ops);
	}
}

static void
same_bytes(const struct ruleset *r, const struct ruleset *twin)
{
	size_t len, len_twin;
	uint8_t *a = ruleset_encode(r, &len), *b = ruleset_encode(twin, &len_twin);

	assert_int_equal(len, len_twin);
	assert_memory_equal(a, b, len);
	free(a);
	free(b);
}

static void
same(const struct ruleset *r, const struct ruleset *twin)
{
	assert_int_equal(r->needs, twin->needs);
	for (int i = 0; i < TABLE_COUNT; i++) {
		const struct ruleset_table *a = &r->tables[i], *b = &twin->tables[i];

		assert_int_equal(a->present, b->present);
		assert_int_equal(a->depth, b->depth);
		assert_int_equal(a->n_chains, b->n_chains);
		for (uint32_t c = 0; c < a->n_chains; c++) {
			same_chain(a->chains[c], b->chains[c]);
			if (a->chains[c]->hook >= 0)
				assert_ptr_equal(a->entry[a->chains[c]->hook], a->chains[c]);
		}
	}
	same_bytes(r, twin);
}

/* ---- beside each other ---- */

static struct ruleset *
built(struct rules *tree, const struct ruleset *before, char *why)
{
	struct ruleset *r = ruleset_new(tree, &t.r, live, before, why, WHY);

	if (!r)
		rules_free(tree);
	else
		ruleset_begin(r, env.env.now);
	return r;
}

/* On a tree of its own: what the edit brings is copied there. */
static int
applied(struct rules *tree, const struct rules_edit *edit)
{
	struct rules_editor editor = {0};
	struct rules_edit got;
	char why[WHY];
	size_t len;
	uint8_t *bytes = rules_edit_encode(edit, &len);
	int err;

	assert_non_null(bytes);
	assert_int_equal(rules_edit_decode(bytes, len, tree, &got, why, sizeof(why)), 0);
	free(bytes);
	assert_int_equal(rules_editor_open(&editor, tree, got.table), 0);
	err = rules_edit_apply(&editor, &got);
	rules_editor_close(&editor);
	return err;
}

/* As the engine does it. => what is in force then; *err -errno, why "" when iptables has words for it */
static struct ruleset *
edited(struct ruleset *now, const struct rules_edit *edit, char *why, int *err)
{
	struct rules_editor editor = {0};
	struct rules_change change;
	struct ruleset *next;
	struct rules *tree;

	assert_int_equal(rules_editor_open(&editor, now->rules, edit->table), 0);
	*err = rules_edit_plan(&editor, edit, &change);
	rules_editor_close(&editor);
	if (*err < 0)
		return now;
	errno = ESTALE;
	next = change.kind == CHANGE_MORE ? NULL : ruleset_edit(now, edit, &change, &t.r, live, why, WHY);
	*err = next ? 0 : -errno;
	if (next)
		ruleset_begin(next, env.env.now);
	if (*err == -ESTALE) {
		same_bytes(now, now); /* so the tree has present counters */
		tree = copy(now->rules);
		rules_keep_loaded(tree);
		*err = applied(tree, edit);
		next = *err == 0 ? built(tree, now, why) : NULL;
		if (*err < 0)
			rules_free(tree);
		else if (!next)
			*err = -EINVAL;
	}
	if (next)
		ruleset_retire(now, next);
	return next ? next : now;
}

struct pair {
	struct ruleset *now;
	struct rules *twin;
};

static void
step(struct pair *p, const struct rules_edit *edit)
{
	struct rules *tree = copy(p->twin);
	char why[WHY] = "", why_twin[WHY] = "";
	struct ruleset *fresh = NULL;
	int err, err_twin;

	err_twin = applied(tree, edit);
	if (err_twin == 0) {
		fresh = built(copy(tree), NULL, why_twin);
		err_twin = fresh ? 0 : -EINVAL;
	}
	p->now = edited(p->now, edit, why, &err);
	if (err != err_twin || strcmp(why, why_twin) != 0)
		fail_msg("edit %u of %s: %s %s; as a whole: %s %s", edit->kind, edit->chain, strerror(-err), why, strerror(-err_twin), why_twin);
	if (err == 0) {
		rules_free(p->twin);
		p->twin = copy(tree);
	}
	rules_free(tree);
	if (!fresh)
		fresh = built(copy(p->twin), NULL, why_twin);
	same(p->now, fresh);
	ruleset_free(fresh);
}

static void
edits_are_as_if_all_was_built_anew(void **unused)
{
	unsigned done[EDIT_KINDS] = {0};

	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const char *text = round & 1 ? "*filter\n:a -\n:b -\n:c -\n*nat" : NAT;
		struct pair p = {.twin = test_rules(text, NULL)};
		char why[WHY];

		p.now = built(copy(p.twin), NULL, why);
		for (unsigned i = 0; i < EDITS; i++) {
			struct rules *memory = rules_new();
			const struct rules_edit e = random_edit(memory, round & 1 ? TABLE_FILTER : TABLE_NAT);
			const uint64_t serial = p.now->serial;

			step(&p, &e);
			done[e.kind] += p.now->serial != serial;
			rules_free(memory);
		}
		rules_free(p.twin);
		ruleset_free(p.now);
	}
	for (int kind = 0; kind < EDIT_KINDS; kind++)
		if (kind != EDIT_CHECK && kind != EDIT_ZERO && kind != EDIT_ZERO_AT && !done[kind])
			fail_msg("no edit of kind %d was done", kind);
}

/* ---- what is shared ---- */

static struct ruleset *
edited_well(struct ruleset *now, const struct rules_edit *edit)
{
	char why[WHY] = "";
	int err;

	now = edited(now, edit, why, &err);
	if (err < 0)
		fail_msg("%s %s", strerror(-err), why);
	return now;
}

static struct ruleset *
long_chain(uint32_t n)
{
	struct rules *r = test_rules("*filter\n:other -\n-A INPUT -j other", NULL);
	struct rules_rule rule = test_rule();
	char why[WHY];

	rule.src_mask = ip4(0xffffffff);
	for (uint32_t i = 0; i < n; i++) {
		rule.src = ip4(htonl(0x0a000000 | i));
		assert_int_equal(rules_rule_insert(r, r->tables[TABLE_FILTER].chains[1], i, &rule), 0);
	}
	return built(r, NULL, why);
}

static void
what_does_not_change_is_shared(void **unused)
{
	struct rules_rule rule = test_rule();
	struct rules_edit edit = {.kind = EDIT_APPEND, .table = TABLE_FILTER, .chain = "FORWARD", .rules = &rule, .n_rules = 1};
	struct ruleset *r = long_chain(1000);
	const struct ruleset_chain *input = r->tables[TABLE_FILTER].chains[0];
	const struct ruleset_rule *rules;
	const struct rule_live *last = r->tables[TABLE_FILTER].chains[1]->rules[999].live;

	(void)unused;
	r = edited_well(r, &edit); /* into a larger vector */
	rules = r->tables[TABLE_FILTER].chains[1]->rules;
	for (int i = 0; i < 100; i++)
		r = edited_well(r, &edit);
	assert_ptr_equal(r->tables[TABLE_FILTER].chains[1]->rules, rules);
	assert_ptr_equal(r->tables[TABLE_FILTER].chains[0], input);
	edit.kind = EDIT_INSERT;
	edit.number = 1;
	r = edited_well(r, &edit);
	assert_ptr_not_equal(r->tables[TABLE_FILTER].chains[1]->rules, rules);
	assert_ptr_equal(r->tables[TABLE_FILTER].chains[1]->rules[1000].live, last);
	assert_int_equal(last->refs, 1);
	ruleset_free(r);
}

static struct pkt *
packet_from(uint32_t host)
{
	char text[ADDR_TEXT];
	const struct ip_addr src = ip4(htonl(0x0a000000 | host));
	struct test_ip ip = {.src = ip_text(&src, text), .dst = "10.1.0.2"};
	uint8_t buf[256];
	struct pkt *p = test_pkt(&env, buf, test_udp(buf, &ip, 1, 2, 10));

	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

/* Every rule that matches is found, in order; and most others are not looked at. */
static void
compiled_finds(const struct ruleset *r, uint32_t host)
{
	const struct ruleset_chain *c = r->tables[TABLE_FILTER].chains[1];
	struct pkt *p = packet_from(host);
	struct filter_ctx ctx = test_filter_ctx(&env, &t, p, r, TABLE_FILTER, RULES_FORWARD, TEST_ETH0, TEST_ETH1);
	struct classifier_key key;
	uint32_t at, seen = 0, next = 0;

	classifier_key(&key, &ctx);
	for (at = 0; at <= c->n_rules; at++) {
		if (at == next && at < c->n_rules) {
			next = classifier_next(atomic_load(&c->classifier), &key, at + 1);
			seen++;
		} else if (at < c->n_rules) {
			assert_false(rule_header_matches(&c->rules[at], &ctx));
		}
	}
	assert_true(seen <= 1 + 64 + 3);
	test_pkt_free(&env, p);
}

/* `kinds`: of the edits, at rules `from` and some behind it. */
static void
follow(const uint8_t *kinds, uint32_t n_kinds, uint32_t from)
{
	struct rules_rule rule = test_rule();
	struct rules_edit edit = {.table = TABLE_FILTER, .chain = "FORWARD", .rules = &rule};
	struct ruleset *r = long_chain(600);
	struct ruleset_chain *c = r->tables[TABLE_FILTER].chains[1];

	classifier_publish(c, classifier_new(c, NULL));
	rule.src_mask = ip4(0xffffffff);
	for (int i = 0; i < 40; i++) {
		edit.kind = kinds[below(n_kinds)];
		edit.n_rules = edit.kind != EDIT_DELETE_AT;
		edit.number = from + below(10);
		rule.src = ip4(htonl(0x0a000000 | below(700)));
		r = edited_well(r, &edit);
		c = r->tables[TABLE_FILTER].chains[1];
		assert_non_null(atomic_load(&c->classifier));
		for (uint32_t host = 0; host < 700; host += 1 + below(60))
			compiled_finds(r, host);
	}
	ruleset_free(r);
}

static void
compiled_chains_follow(void **unused)
{
	(void)unused;
	follow((const uint8_t[]){EDIT_INSERT, EDIT_REPLACE, EDIT_DELETE_AT}, 3, 280);
	follow((const uint8_t[]){EDIT_INSERT, EDIT_REPLACE, EDIT_DELETE_AT}, 3, 1);
	follow((const uint8_t[]){EDIT_APPEND}, 1, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(edits_are_as_if_all_was_built_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_change_is_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(compiled_chains_follow, setup, teardown),
	};

	return cmocka_run_group_tests_name("ruleset_edit", tests, NULL, NULL);
}
