/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled form against the straight way. With CLASSIFIER_PACKETS=10000000 in the environment
 * (and the release build) the agreement test runs as long as that takes; TEST_SEED repeats a run.
 */
#include "filters/classifier_tree.h"

#include "filters/conntrack.h"
#include "filters/live.h"
#include "tests/unit/support/chains.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct test_env env;
static struct test_router t;
static struct filters_live *live;
static uint64_t random_state;
static uint32_t tracked; /* a connection that packets are said to be of */

/* Shadows struct classifier as far as the tests plant faults. */
static struct classifier_tree *
tree_of(const struct ruleset_chain *c)
{
	return *(struct classifier_tree **)atomic_load(&c->classifier);
}

static uint32_t
below(uint32_t n)
{
	return (uint32_t)(chain_random(&random_state) % n);
}

static struct pkt *
parsed(const uint8_t *bytes, size_t len)
{
	struct pkt *p = test_pkt(&env, bytes, len);

	if (pkt_parse(p) == DROP_NONE)
		return p;
	test_pkt_free(&env, p);
	return NULL;
}

static void
make_connection(void)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2"};
	enum drop_reason why;
	uint8_t buf[256];
	struct pkt *p = parsed(buf, test_udp(buf, &ip, 1, 2, 4));

	p->router = &t.r;
	assert_int_equal(conntrack_input(&env.env, &t.r, p, RULES_PREROUTING, &why), FILTER_ACCEPT);
	assert_int_equal(conntrack_confirm(&env.env, &t.r, p, &why), FILTER_ACCEPT);
	tracked = p->ct;
	assert_true(tracked);
	conntrack_untrack(&env.env, p);
	test_pkt_free(&env, p);
}

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	live = filters_live_new();
	t.live.filters = live;
	live->conntrack = conntrack_new(&t.live, 1);
	make_connection();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	filters_live_end(live, &env.env);
	filters_live_free(live);
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

static struct ruleset *
build(struct rules *rules, const struct ruleset *before)
{
	char why[256] = "";
	struct ruleset *rs = ruleset_new(rules, &t.r, live, before, why, sizeof(why));

	assert_string_equal(why, "");
	ruleset_begin(rs, env.env.now);
	return rs;
}

static struct ruleset_chain *
forward(const struct ruleset *rs)
{
	return (struct ruleset_chain *)(uintptr_t)rs->tables[TABLE_MANGLE].entry[RULES_FORWARD];
}

static void
compile(struct ruleset *rs)
{
	struct ruleset_table *tab = &rs->tables[TABLE_MANGLE];
	uint32_t i;

	for (i = 0; i < tab->n_chains; i++) {
		struct classifier *c = classifier_new(tab->chains[i], NULL);

		assert_true(c || errno == E2BIG);
		if (c)
			classifier_publish(tab->chains[i], c);
	}
}

static struct filter_ctx
context(struct pkt *p, const struct ruleset *rs, uint32_t way)
{
	return test_filter_ctx(&env, &t, p, rs, TABLE_MANGLE, RULES_FORWARD,
		(uint16_t)(way % TEST_IFACES), (uint16_t)(way / 8 % TEST_IFACES));
}

/* One that some rule is about, in some state; NULL: it came out unreadable. */
static struct pkt *
some_packet(const struct rules_chain *c)
{
	static const uint8_t states[] = {
		CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_ESTABLISHED + CT_REPLY};
	const struct rules_rule *r = &c->rules[below(c->n_rules)];
	uint8_t buf[CHAIN_PACKET_MAX];
	uint32_t kind = below(6);
	size_t len = below(3) ? chain_packet_near(&random_state, r, buf)
			      : chain_packet(&random_state, r, buf);
	struct pkt *p = parsed(buf, len);

	if (p && kind < RTE_DIM(states)) {
		p->ct = tracked;
		p->ct_info = states[kind];
	} else if (p && kind == RTE_DIM(states)) {
		p->ct_info = CT_UNTRACKED;
	}
	return p;
}

static void
drop_packet(struct pkt *p)
{
	p->ct = 0;
	test_pkt_free(&env, p);
}

/* ---- the next rule, against a look at each ---- */

static bool
only_answers(const struct ruleset_match *m)
{
	return strcmp(m->ops->name, "limit") != 0 && strcmp(m->ops->name, "statistic") != 0;
}

/* The rule matches, or has to be asked. */
static bool
must_be_asked(const struct ruleset_rule *r, struct filter_ctx *c)
{
	uint8_t i;

	if (!rule_header_matches(r, c))
		return false;
	for (i = 0; i < r->n_matches; i++) {
		const struct ruleset_match *m = &r->matches[i];

		if (!only_answers(m))
			return true;
		c->malformed = false;
		if (!m->ops->match(c, m->options, m->state))
			return c->malformed;
	}
	return true;
}

static void
check_all_from(const struct ruleset_chain *c, struct filter_ctx *ctx)
{
	const struct classifier *compiled = atomic_load(&c->classifier);
	uint32_t first = c->n_rules, from = c->n_rules + 1, step;
	struct classifier_key key;

	classifier_key(&key, ctx);
	while (from-- > 0) {
		uint32_t i;

		if (from < c->n_rules && must_be_asked(&c->rules[from], ctx))
			first = from;
		step = below(64);
		if (step && c->n_rules > 500 && first != from)
			continue;
		i = classifier_next(compiled, &key, from);
		assert_in_range(i, from, first);
	}
}

/* As the interpreter does it, forwards. */
static uint32_t
check_walk(const struct ruleset_chain *c, struct filter_ctx *ctx)
{
	const struct classifier *compiled = atomic_load(&c->classifier);
	uint32_t i = 0, asked = 0, looked = 0;
	struct classifier_key key;

	classifier_key(&key, ctx);
	for (i = classifier_next(compiled, &key, 0); i < c->n_rules;
		i = classifier_next(compiled, &key, i + 1)) {
		for (; looked < i; looked++)
			assert_false(must_be_asked(&c->rules[looked], ctx));
		asked++;
		looked = i + 1;
	}
	assert_int_equal(i, c->n_rules);
	for (; looked < c->n_rules; looked++)
		assert_false(must_be_asked(&c->rules[looked], ctx));
	return asked;
}

static void
check_chain(const struct ruleset *rs, unsigned packets)
{
	const struct ruleset_chain *c = forward(rs);
	unsigned i;

	assert_non_null(atomic_load(&c->classifier));
	for (i = 0; i < packets; i++) {
		struct pkt *p = some_packet(chain_forward(rs->rules));
		struct filter_ctx ctx;

		if (!p)
			continue;
		ctx = context(p, rs, below(64));
		check_all_from(c, &ctx);
		check_walk(c, &ctx);
		drop_packet(p);
	}
}

static void
finds_what_a_scan_finds(void **state)
{
	static const uint32_t sizes[] = {24, 25, 40, 64, 150, 400, 1500};
	int kind;
	size_t i;

	(void)state;
	for (kind = 0; kind < CHAIN_KINDS; kind++)
		for (i = 0; i < RTE_DIM(sizes); i++) {
			struct ruleset *rs = build(
				chain_make(&random_state, (enum chain_kind)kind, sizes[i]), NULL);

			compile(rs);
			check_chain(rs, 4000 / sizes[i] + 10);
			ruleset_free(rs);
		}
}

/* ---- the interpreter with and without ---- */

static bool
counters_agree(const struct ruleset *a, const struct ruleset *b)
{
	const struct ruleset_table *x = &a->tables[TABLE_MANGLE], *y = &b->tables[TABLE_MANGLE];
	uint32_t i, j;

	for (i = 0; i < x->n_chains; i++) {
		const struct ruleset_chain *c = x->chains[i], *d = y->chains[i];

		if (c->live &&
			(c->live->packets != d->live->packets || c->live->bytes != d->live->bytes))
			return false;
		for (j = 0; j < c->n_rules; j++)
			if (c->rules[j].live->packets != d->rules[j].live->packets ||
				c->rules[j].live->bytes != d->rules[j].live->bytes)
				return false;
	}
	return true;
}

struct outcome {
	enum filter_verdict verdict;
	enum drop_reason why;
	bool malformed;
	uint32_t mark;
	uint8_t ttl;
};

static struct outcome
run(const struct ruleset *rs, struct pkt *p, uint32_t way)
{
	struct filter_ctx ctx = context(p, rs, way);
	struct iphdr *ip = pkt_ip4(p), was = *ip;
	struct outcome o = {0};

	p->mark = 0;
	o.verdict = ruleset_run(rs, &ctx);
	o.why = o.verdict == FILTER_DROP ? ctx.why : DROP_NONE;
	o.malformed = ctx.malformed;
	o.mark = p->mark;
	o.ttl = pkt_ip4(p)->ttl;
	*pkt_ip4(p) = was;
	return o;
}

/* => packets until both differ, or all of them. */
static uint32_t
packets_until_differ(const struct ruleset *a, const struct ruleset *b, uint32_t packets)
{
	uint32_t i;

	for (i = 0; i < packets; i++) {
		struct pkt *p = some_packet(chain_forward(a->rules));
		uint32_t way = below(64);
		struct outcome x, y;

		if (!p)
			continue;
		x = run(a, p, way);
		y = run(b, p, way);
		drop_packet(p);
		if (x.verdict != y.verdict || x.why != y.why || x.mark != y.mark ||
			x.ttl != y.ttl || x.malformed != y.malformed)
			return i;
	}
	return counters_agree(a, b) ? packets : packets - 1;
}

/* The same rules twice. */
static void
twins(enum chain_kind kind, uint32_t n, struct ruleset **compiled, struct ruleset **straight)
{
	uint64_t again = random_state;

	*compiled = build(chain_make(&random_state, kind, n), NULL);
	*straight = build(chain_make(&again, kind, n), NULL);
	compile(*compiled);
}

static void
agrees_with_the_interpreter(void **state)
{
	const char *wanted = getenv("CLASSIFIER_PACKETS");
	uint64_t packets = wanted ? strtoull(wanted, NULL, 10) : 40000, done = 0;
	uint32_t rulesets = 0;

	(void)state;
	for (; done < packets; rulesets++) {
		enum chain_kind kind = below(3) ? CHAIN_ODD : (enum chain_kind)below(CHAIN_KINDS);
		uint32_t n = 24 + below(below(10) ? 80 : 600), each = 2000;
		struct ruleset *compiled, *straight;

		twins(kind, n, &compiled, &straight);
		assert_int_equal(packets_until_differ(compiled, straight, each), each);
		done += each;
		ruleset_free(compiled);
		ruleset_free(straight);
	}
	printf("%llu packets x rulesets, %u rulesets\n", (unsigned long long)done, rulesets);
}

/* ---- faults that are planted must be found ---- */

static void
skip_a_rule(struct classifier_tree *tree, uint32_t hot)
{
	uint32_t i, n = tree->n_entries;

	for (i = 0; i < n; i++)
		if (tree->entries[i].index == hot)
			tree->entries[i].states = 0;
}

static void
one_rule_off(struct classifier_tree *tree, uint32_t hot)
{
	uint32_t i, n = tree->n_entries;

	for (i = 0; i < n; i++)
		if (tree->entries[i].index == hot)
			tree->entries[i].index++;
}

static void
wrong_dimension(struct classifier_tree *tree, uint32_t hot)
{
	(void)hot;
	tree->nodes[0].dim = tree->nodes[0].dim == DIM_SRC ? DIM_DST : DIM_SRC;
}

static void
interval_too_late(struct classifier_tree *tree, uint32_t hot)
{
	struct classifier_node *n = &tree->nodes[0];
	uint32_t *keys = n->levels > 1 ? tree->keys + (size_t)n->level[n->levels - 1] * TREE_FAN
				       : n->top,
		 i;

	(void)hot;
	for (i = 1; i < TREE_FAN && keys[i] < UINT32_MAX - 1; i++)
		keys[i]++;
}

static void
port_too_narrow(struct classifier_tree *tree, uint32_t hot)
{
	uint32_t i, n = tree->n_entries;

	(void)hot;
	for (i = 0; i < n; i++)
		if (tree->entries[i].dport_span)
			tree->entries[i].dport_span--;
}

static void
no_fragments(struct classifier_tree *tree, uint32_t hot)
{
	uint32_t i, n = tree->n_entries;

	(void)hot;
	for (i = 0; i < n; i++)
		tree->entries[i].flags |=
			ENTRY_WHOLE; /* also of those for packets that are cut short */
}

static void
side_forgotten(struct classifier_tree *tree, uint32_t hot)
{
	(void)hot;
	tree->nodes[0].side = TREE_EMPTY;
}

static void
cut_short_ignored(struct classifier_tree *tree, uint32_t hot)
{
	(void)hot;
	tree->headers = tree->root;
}

static void
state_ignored(struct classifier_tree *tree, uint32_t hot)
{
	(void)hot;
	tree->uses_state = false;
}

/* The rule that most packets came to. */
static uint32_t
hottest(const struct ruleset *rs)
{
	const struct ruleset_chain *c = forward(rs);
	uint32_t i, hot = 0;

	for (i = 0; i < c->n_rules; i++)
		if (c->rules[i].live->packets > c->rules[hot].live->packets)
			hot = i;
	return hot;
}

static const struct fault {
	const char *name;
	enum chain_kind kind;
	void (*plant)(struct classifier_tree *tree, uint32_t hot);
} faults[] = {
	{"a rule is skipped", CHAIN_ODD, skip_a_rule},
	{"a rule is one off", CHAIN_ODD, one_rule_off},
	{"a node looks at another dimension", CHAIN_SERVICES, wrong_dimension},
	{"intervals begin one too late", CHAIN_SERVICES, interval_too_late},
	{"port ranges end one too early", CHAIN_ODD, port_too_narrow},
	{"later fragments are forgotten", CHAIN_ODD, no_fragments},
	{"the side of a node is forgotten", CHAIN_MIXED, side_forgotten},
	{"packets cut short are taken for whole", CHAIN_ODD, cut_short_ignored},
	{"the state of a connection is not looked at", CHAIN_ODD, state_ignored},
};

static bool
fault_found(const struct fault *f)
{
	struct ruleset *compiled, *straight;
	uint32_t found, tries;

	for (tries = 0; tries < 20; tries++) {
		twins(f->kind, 200, &compiled, &straight);
		packets_until_differ(compiled, straight, 500);
		if (tree_of(forward(compiled))->n_nodes > 0)
			f->plant(tree_of(forward(compiled)), hottest(straight));
		found = packets_until_differ(compiled, straight, 2000);
		ruleset_free(compiled);
		ruleset_free(straight);
		if (found < 2000)
			return true;
	}
	return false;
}

static void
planted_faults_are_found(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(faults); i++) {
		if (!fault_found(&faults[i]))
			fail_msg("not found: %s", faults[i].name);
	}
}

/* ---- what a chain takes over from the one before ---- */

static void
copy_rules(struct rules *to, struct rules_chain *chain, const struct rules_chain *from,
	uint32_t begin, uint32_t end)
{
	struct rules_rule r;
	uint32_t i, k;

	for (; begin < end; begin++) {
		const struct rules_rule *old = &from->rules[begin];

		r = *old;
		r.matches = NULL;
		r.n_matches = 0;
		for (i = 0; i < old->n_matches; i++) {
			const struct rules_ext *e = &old->matches[i];
			const struct test_ext ext = {e->name, e->revision, e->data, e->size};

			test_rule_match(to, &r, &ext);
		}
		k = chain->n_rules;
		assert_int_equal(rules_rule_insert(to, chain, k, &r), 0);
	}
}

/* Without [at, at + gone), with `fresh` rules of another chain there. */
static struct ruleset *
edit(const struct ruleset *before, uint32_t at, uint32_t gone, uint32_t fresh, enum chain_kind kind)
{
	const struct rules_chain *was = chain_forward(before->rules);
	struct rules *other = chain_make(&random_state, kind, fresh + 1), *rules = rules_new();
	struct rules_tab *tab = rules_table(rules, TABLE_MANGLE);
	struct rules_chain *c = rules_chain(tab, "FORWARD");
	struct ruleset *rs;

	copy_rules(rules, c, was, 0, at);
	copy_rules(rules, c, chain_forward(other), 1, fresh + 1);
	copy_rules(rules, c, was, at + gone, was->n_rules);
	rules_free(other);
	rs = build(rules, before);
	if (!atomic_load(&forward(rs)->classifier))
		classifier_inherit(forward(rs), forward(before));
	return rs;
}

static void
change_often(enum chain_kind kind)
{
	struct ruleset *rs = build(chain_make(&random_state, kind, 200), NULL), *next;
	unsigned i;

	compile(rs);
	for (i = 0; i < 60; i++) {
		uint32_t n = forward(rs)->n_rules, at = below(4) ? n - below(3) : below(n + 1);
		uint32_t gone = below(3) ? 0 : RTE_MIN(below(4), n - at);

		next = edit(rs, i % 3 == 1 ? 0 : at, i % 3 == 1 ? i % 2 : gone, below(3), kind);
		ruleset_free(rs);
		rs = next;
		if (!atomic_load(&forward(rs)->classifier))
			compile(rs);
		check_chain(rs, 10);
		if (i % 20 == 19)
			compile(rs); /* in the place of what was inherited */
	}
	ruleset_free(rs);
}

static void
goes_on_with_what_did_not_change(void **state)
{
	(void)state;
	change_often(CHAIN_SERVICES);
	change_often(CHAIN_MIXED);
	change_often(CHAIN_BLOCKLIST);
}

static void
appended_rules_keep_the_compiled_form(void **state)
{
	struct ruleset *rs = build(chain_make(&random_state, CHAIN_BLOCKLIST, 500), NULL), *next;
	uint32_t i;

	(void)state;
	compile(rs);
	assert_false(classifier_wanted(forward(rs)));
	for (i = 0; i < 65; i++) {
		next = edit(rs, forward(rs)->n_rules, 0, 1, CHAIN_BLOCKLIST);
		ruleset_free(rs);
		rs = next;
		assert_non_null(atomic_load(&forward(rs)->classifier));
		assert_int_equal(classifier_changed(atomic_load(&forward(rs)->classifier)), i + 1);
	}
	assert_true(classifier_wanted(forward(rs)));
	/* one at the front leaves the rest as it is */
	compile(rs);
	next = edit(rs, 0, 0, 1, CHAIN_BLOCKLIST);
	ruleset_free(rs);
	assert_int_equal(classifier_changed(atomic_load(&forward(next)->classifier)), 1);
	ruleset_free(next);
}

/* ---- bounds ---- */

static void
memory_is_bounded(void **state)
{
	int kind;

	(void)state;
	for (kind = 0; kind < CHAIN_KINDS; kind++) {
		struct ruleset *rs =
			build(chain_make(&random_state, (enum chain_kind)kind, 3000), NULL);

		compile(rs);
		assert_in_range(classifier_memory(atomic_load(&forward(rs)->classifier)), 1,
			3000 * 1024 + (1 << 17));
		ruleset_free(rs);
	}
}

static void
short_chains_are_not_compiled(void **state)
{
	struct ruleset *rs =
		build(chain_make(&random_state, CHAIN_MIXED, CLASSIFIER_MIN_RULES - 1), NULL);

	(void)state;
	assert_false(classifier_wanted(forward(rs)));
	assert_null(classifier_new(forward(rs), NULL));
	assert_int_equal(errno, E2BIG);
	ruleset_free(rs);
}

static void *
cancel_soon(void *arg)
{
	const struct timespec wait = {.tv_nsec = 3000000};

	nanosleep(&wait, NULL);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void
can_be_cancelled(void **state)
{
	struct ruleset *rs = build(chain_make(&random_state, CHAIN_WIDE, 3000), NULL);
	atomic_bool cancel = true;
	struct classifier *c;
	pthread_t thread;

	(void)state;
	assert_null(classifier_new(forward(rs), &cancel));
	assert_int_equal(errno, ECANCELED);
	cancel = false;
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
	c = classifier_new(forward(rs), &cancel);
	assert_true(c || errno == ECANCELED);
	classifier_free(c);
	pthread_join(thread, NULL);
	ruleset_free(rs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_what_a_scan_finds, setup, teardown),
		cmocka_unit_test_setup_teardown(agrees_with_the_interpreter, setup, teardown),
		cmocka_unit_test_setup_teardown(planted_faults_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(goes_on_with_what_did_not_change, setup, teardown),
		cmocka_unit_test_setup_teardown(
			appended_rules_keep_the_compiled_form, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(short_chains_are_not_compiled, setup, teardown),
		cmocka_unit_test_setup_teardown(can_be_cancelled, setup, teardown),
	};

	random_state = test_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
