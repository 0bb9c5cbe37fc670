/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/extensions.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/xt_limit.h>

static const struct match_ops *const ops = &match_limit[0];

/* -m limit --limit N/second: avg is the time between two packets, in ten-thousandths of a second. */
static void
bursts(void **state)
{
	static const struct {
		uint32_t avg, burst;
		unsigned at_once, later_ms, then;
	} rows[] = {
		{10000, 5, 5, 999, 0},          /* 1/second */
		{10000, 5, 5, 1000, 1},
		{3333, 7, 7, 1000, 3},          /* 3/second, burst 7 */
		{12000000, 5, 5, 1199999, 0},   /* 3/hour */
		{12000000, 5, 5, 1200000, 1},
		{1, 100, 106, 1, 11},           /* 10,000/second: a packet costs 3.2 credits, cut to 3 */
		{864000000, 1, 1, 86400000, 1}, /* 1/day */
		{10000, 5, 5, 3600000, 5},      /* never above the burst */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xt_rateinfo o = {.avg = rows[i].avg, .burst = rows[i].burst};
		_Alignas(16) uint8_t memory[32] = {0};
		struct env env = {.now = 77777777777};
		struct filter_ctx c = {.env = &env};
		unsigned passed = 0;

		for (unsigned n = 0; n < 200; n++)
			passed += ops->match(&c, &o, memory);
		assert_int_equal(passed, rows[i].at_once);
		env.now += rows[i].later_ms * TEST_MS;
		for (passed = 0; ops->match(&c, &o, memory);)
			passed++;
		assert_int_equal(passed, rows[i].then);
	}
}

/* Against real numbers: credits = seconds * 32000, cost = avg * 3.2. */
static void
twin(void **state)
{
	struct test_env t;
	struct xt_rateinfo o = {.avg = 500, .burst = 9}; /* 20/second */
	_Alignas(16) uint8_t memory[32] = {0};
	struct filter_ctx c = {.env = &t.env};
	double credit = 9 * 1600.0;

	(void)state;
	test_env_init(&t, test_seed());
	t.env.now = 1;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t ns = (uint64_t)(env_random(&t.env) % 3200) * 31250;
		bool want;

		t.env.now += ns;
		credit = credit + (double)ns * 32e-6 > 14400 ? 14400 : credit + (double)ns * 32e-6;
		want = credit >= 1600;
		credit -= want ? 1600 : 0;
		assert_int_equal(ops->match(&c, &o, memory), want);
	}
	test_env_fini(&t);
}

static void
refusals(void **state)
{
	char why[80];
	struct ext_check c = {.why = why, .why_size = sizeof(why)};
	struct xt_rateinfo none = {.avg = 10000}, much = {.avg = 864000000, .burst = 5};

	(void)state;
	assert_int_equal(ops->check(&c, &none, NULL), -EINVAL);
	assert_int_equal(ops->check(&c, &much, NULL), -EINVAL);
	assert_string_equal(why, "Overflow, try lower: 864000000/5");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts),
		cmocka_unit_test(twin),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
