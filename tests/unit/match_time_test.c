/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/match_time.h"

#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <time.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct xt_time_info always = {.date_stop = UINT32_MAX,
	.daytime_stop = XT_TIME_MAX_DAYTIME,
	.monthdays_match = XT_TIME_ALL_MONTHDAYS,
	.weekdays_match = XT_TIME_ALL_WEEKDAYS};

static int64_t
stamp(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static void
dates(void **state)
{
	struct xt_time_info o = always;

	(void)state;
	assert_true(time_holds(&o, 0));
	assert_true(time_holds(&o, UINT32_MAX));
	assert_false(time_holds(&o, UINT32_MAX + 1LL));
	assert_false(time_holds(&o, -1));
	o.date_start = (uint32_t)stamp("2026-02-01 00:00:00");
	o.date_stop = (uint32_t)stamp("2026-02-28 12:00:00");
	assert_false(time_holds(&o, stamp("2026-01-31 23:59:59")));
	assert_true(time_holds(&o, stamp("2026-02-01 00:00:00")));
	assert_true(time_holds(&o, stamp("2026-02-28 12:00:00")));
	assert_false(time_holds(&o, stamp("2026-02-28 12:00:01")));
}

static void
hours(void **state)
{
	static const struct {
		uint32_t start, stop;
		const char *at;
		bool holds;
	} rows[] = {
		{9 * HOUR, 17 * HOUR, "08:59:59", false},
		{9 * HOUR, 17 * HOUR, "09:00:00", true},
		{9 * HOUR, 17 * HOUR, "17:00:00", true},
		{9 * HOUR, 17 * HOUR, "17:00:01", false},
		{23 * HOUR, 1 * HOUR, "22:59:59", false},
		{23 * HOUR, 1 * HOUR, "23:00:00", true},
		{23 * HOUR, 1 * HOUR, "00:00:00", true},
		{23 * HOUR, 1 * HOUR, "01:00:00", true},
		{23 * HOUR, 1 * HOUR, "01:00:01", false},
		/* the kernel takes equal ends for a time that runs past midnight: always */
		{9 * HOUR, 9 * HOUR, "09:00:00", true},
		{9 * HOUR, 9 * HOUR, "09:00:01", true},
		{9 * HOUR, 9 * HOUR, "00:00:00", true},
		{0, XT_TIME_MAX_DAYTIME, "23:59:59", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xt_time_info o = always;
		char text[32];

		o.daytime_start = rows[i].start;
		o.daytime_stop = rows[i].stop;
		snprintf(text, sizeof(text), "2026-08-05 %s", rows[i].at);
		if (time_holds(&o, stamp(text)) != rows[i].holds)
			fail_msg("row %zu", i);
	}
}

/*
 * "Monday 23:00 to 01:00": with --contiguous two hours from Monday to Tuesday, without it two
 * pieces of Monday.
 */
static void
past_midnight(void **state)
{
	static const struct {
		const char *at;
		bool contiguous, pieces;
	} rows[] = {
		{"2026-08-03 00:30:00", false, true}, /* a Monday */
		{"2026-08-03 22:59:59", false, false},
		{"2026-08-03 23:30:00", true, true},
		{"2026-08-04 00:30:00", true, false},
		{"2026-08-04 01:00:00", true, false},
		{"2026-08-04 01:00:01", false, false},
		{"2026-08-04 23:30:00", false, false},
	};
	struct xt_time_info o = always;

	(void)state;
	o.daytime_start = 23 * HOUR;
	o.daytime_stop = 1 * HOUR;
	o.weekdays_match = 1 << 1;
	for (size_t i = 0; i < COUNT(rows); i++) {
		o.flags = XT_TIME_CONTIGUOUS;
		assert_int_equal(time_holds(&o, stamp(rows[i].at)), rows[i].contiguous);
		o.flags = 0;
		assert_int_equal(time_holds(&o, stamp(rows[i].at)), rows[i].pieces);
	}
	o.flags = XT_TIME_CONTIGUOUS; /* the day before the 1st is of the month before */
	o.weekdays_match = XT_TIME_ALL_WEEKDAYS;
	o.monthdays_match = 1u << 31;
	assert_true(time_holds(&o, stamp("2026-09-01 00:30:00")));
	assert_false(time_holds(&o, stamp("2026-09-01 23:30:00")));
	o.daytime_start = o.daytime_stop; /* a day that begins anew only the second after */
	assert_true(time_holds(&o, stamp("2026-09-01 01:00:00")));
	assert_false(time_holds(&o, stamp("2026-09-01 01:00:01")));
}

/* Every day until 2106 against the C library. */
static void
calendar(void **state)
{
	(void)state;
	for (int64_t s = HOUR; s < UINT32_MAX; s += DAY) {
		time_t time = s;
		struct tm tm;

		gmtime_r(&time, &tm);
		for (unsigned other = 0; other < 2; other++) {
			struct xt_time_info o = always;

			o.weekdays_match = (uint8_t)(1u << (tm.tm_wday ? tm.tm_wday : 7));
			o.monthdays_match = 1u << tm.tm_mday;
			if (other) {
				o.weekdays_match = (uint8_t)~o.weekdays_match;
				assert_false(time_holds(&o, s));
				o.weekdays_match = XT_TIME_ALL_WEEKDAYS;
				o.monthdays_match = ~o.monthdays_match;
			}
			assert_int_equal(time_holds(&o, s), !other);
		}
	}
}

/* Whatever the clock says now, and in whatever zone the kernel is. */
static void
by_the_clock(void **state)
{
	static const struct {
		int32_t from, to;
		uint8_t flags;
		enum ext_answer answer;
	} rows[] = {
		{-60, 60, 0, YES},
		{-120, -60, 0, NO},
		{60, 120, 0, NO},
		{-DAY, DAY, XT_TIME_LOCAL_TZ, YES},
		{-3 * DAY, -2 * DAY, XT_TIME_LOCAL_TZ, NO},
	};
	static struct test_env env;
	static struct test_router t;
	uint8_t buf[100];
	struct filter_ctx c;
	struct pkt *p;

	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	p = ext_pkt(&env, &t, buf,
		test_udp(buf, &(struct test_ip){.src = "10.0.0.2", .dst = "10.1.0.2"}, 1, 2, 0),
		NULL, 0);
	c = ext_ctx(&env, &t, p, RULES_FORWARD);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xt_time_info o = always;
		int64_t now = time(NULL);

		o.date_start = (uint32_t)(now + rows[i].from);
		o.date_stop = (uint32_t)(now + rows[i].to);
		o.flags = rows[i].flags;
		assert_int_equal(ext_ask(&c, "time", 0, &o, sizeof(o)), rows[i].answer);
	}
	test_pkt_free(&env, p);
	test_router_fini(&t, &env);
	assert_int_equal(test_env_fini(&env), 0);
}

static void
refusals(void **state)
{
	struct xt_time_info o = always;

	(void)state;
#define REFUSAL() ext_match_refusal("time", 0, &o, sizeof(o), NULL, 0)
	assert_string_equal(REFUSAL(), "");
	o.daytime_stop = XT_TIME_MAX_DAYTIME + 1;
	assert_string_equal(REFUSAL(), "a time of day after 23:59:59");
	o = always;
	o.daytime_start = XT_TIME_MAX_DAYTIME + 1;
	assert_string_equal(REFUSAL(), "a time of day after 23:59:59");
	o = always;
	o.flags = 4;
	assert_string_equal(REFUSAL(), "unknown flags 0x4");
	o.flags = XT_TIME_CONTIGUOUS;
	assert_string_equal(REFUSAL(), "--contiguous needs a time that runs past midnight");
	o.daytime_start = o.daytime_stop;
	assert_string_equal(REFUSAL(), "");
#undef REFUSAL
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(hours),
		cmocka_unit_test(past_midnight),
		cmocka_unit_test(calendar),
		cmocka_unit_test(by_the_clock),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
