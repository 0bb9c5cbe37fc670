/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

enum { TIMERS = 200 };

struct probe {
	struct timer timer;
	unsigned fired;
	uint64_t at;
};

static void
on_fire(struct timer *t, struct env *env)
{
	struct probe *p = (struct probe *)t;

	p->fired++;
	p->at = env->now;
}

static void
nothing_armed_nothing_due(void **state)
{
	struct timers ts;
	struct timer t = {.fire = on_fire};

	(void)state;
	timers_init(&ts);
	assert_true(timers_next(&ts) == UINT64_MAX);
	timer_cancel(&ts, &t);
	assert_false(timer_armed(&t));
	timers_fini(&ts);
}

static void
budget(void **state)
{
	struct probe p[5] = {0};
	struct timers ts;
	struct env env = {.now = 10};
	size_t i;

	(void)state;
	timers_init(&ts);
	for (i = 0; i < 5; i++) {
		p[i].timer.fire = on_fire;
		assert_int_equal(timer_arm(&ts, &p[i].timer, 10 - i), 0);
	}
	assert_int_equal(timers_run(&ts, &env, 2), 2);
	assert_int_equal(p[4].fired + p[3].fired, 2);
	assert_int_equal(timers_run(&ts, &env, 9), 3);
	timers_fini(&ts);
}

/* The naive twin is an array that is searched for the earliest. */
static void
agrees_with_naive(void **state)
{
	struct env env = {.random = test_seed(), .now = 1};
	struct probe *p = calloc(TIMERS, sizeof(*p));
	uint64_t when[TIMERS] = {0};
	struct timers ts;
	unsigned round, i;

	(void)state;
	assert_non_null(p);
	timers_init(&ts);
	for (i = 0; i < TIMERS; i++)
		p[i].timer.fire = on_fire;
	for (round = 0; round < 20000; round++) {
		uint64_t first = UINT64_MAX;

		i = env_random(&env) % TIMERS;
		if (env_random(&env) % 3) {
			when[i] = env.now + 1 + env_random(&env) % 1000;
			assert_int_equal(timer_arm(&ts, &p[i].timer, when[i]), 0);
		} else {
			when[i] = 0;
			timer_cancel(&ts, &p[i].timer);
		}
		for (i = 0; i < TIMERS; i++)
			if (when[i] && when[i] < first)
				first = when[i];
		assert_true(timers_next(&ts) == first);
		env.now += env_random(&env) % 8;
		timers_run(&ts, &env, UINT32_MAX);
		for (i = 0; i < TIMERS; i++) {
			bool due = when[i] && when[i] <= env.now;

			assert_int_equal(p[i].fired, due);
			p[i].fired = 0;
			if (due)
				when[i] = 0;
			assert_int_equal(timer_armed(&p[i].timer), when[i] != 0);
		}
	}
	for (i = 0; i < TIMERS; i++)
		timer_cancel(&ts, &p[i].timer);
	timers_fini(&ts);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_armed_nothing_due),
		cmocka_unit_test(budget),
		cmocka_unit_test(agrees_with_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
