/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/compile.h"

#include "filters/classifier.h"
#include "filters/live.h"
#include "tests/unit/support/chains.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

enum { LONG_MS = 60000 };

static struct test_env env;
static struct test_router t;
static struct filters_live *live;
static uint64_t random_state = 1;

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	live = filters_live_new();
	t.live.filters = live;
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
build(enum chain_kind kind, uint32_t n)
{
	struct rules *rules = chain_make(&random_state, kind, n);
	char why[256] = "";
	struct ruleset *rs = ruleset_new(rules, &t.r, live, NULL, why, sizeof(why));

	assert_string_equal(why, "");
	ruleset_begin(rs, env.env.now);
	return rs;
}

static const struct ruleset_chain *
forward(const struct ruleset *rs)
{
	return rs->tables[TABLE_MANGLE].entry[RULES_FORWARD];
}

static void
long_chains_are_compiled(void **state)
{
	struct compiler *c = compile_new();
	struct ruleset *a = build(CHAIN_MIXED, 300), *b = build(CHAIN_SERVICES, 100),
		       *small = build(CHAIN_KUBE, 4);

	(void)state;
	assert_int_equal(compile_ruleset(c, small), 0);
	assert_true(compile_wait(c, 0));
	assert_int_equal(compile_ruleset(c, a), 0);
	assert_int_equal(compile_ruleset(c, b), 0);
	assert_int_equal(compile_ruleset(c, a), 0);
	assert_false(compile_wait(c, 0));
	assert_true(compile_wait(c, LONG_MS));
	assert_non_null(atomic_load(&forward(a)->classifier));
	assert_non_null(atomic_load(&forward(b)->classifier));
	assert_null(atomic_load(&forward(small)->classifier));
	compile_forget(c, a);
	compile_forget(c, b);
	compile_forget(c, small);
	compile_free(c);
	ruleset_free(a);
	ruleset_free(b);
	ruleset_free(small);
}

/* At any moment: while it waits, while it is compiled, afterwards. */
static void
forgotten_rulesets_can_be_freed(void **state)
{
	struct compiler *c = compile_new();
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++) {
		struct ruleset *rs = build(CHAIN_WIDE, 1000);

		assert_int_equal(compile_ruleset(c, rs), 0);
		usleep(i * 40000);
		compile_forget(c, rs);
		ruleset_free(rs);
	}
	assert_true(compile_wait(c, 0));
	compile_free(c);
}

static void
can_be_ended_at_work(void **state)
{
	struct compiler *c = compile_new();
	struct ruleset *rs = build(CHAIN_WIDE, 2000);

	(void)state;
	assert_int_equal(compile_ruleset(c, rs), 0);
	usleep(230000);
	compile_free(c);
	compile_free(NULL);
	ruleset_free(rs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(long_chains_are_compiled, setup, teardown),
		cmocka_unit_test_setup_teardown(forgotten_rulesets_can_be_freed, setup, teardown),
		cmocka_unit_test_setup_teardown(can_be_ended_at_work, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
