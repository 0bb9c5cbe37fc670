/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -m time. It asks the wall clock, which may step: env->now is of no use. As the kernel does it
 * takes the second of the last tick (CLOCK_REALTIME_COARSE), and for --kerneltz the zone that the
 * kernel was told, at each packet.
 */
#include "filters/match_time.h"

#include "filters/extensions.h"

#include <linux/netfilter/x_tables.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MINUTE = 60, DAY = 24 * 60 * 60, DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };

/* 1 Monday .. 7 Sunday; 1970 began with a Thursday. */
static unsigned
weekday_of(int64_t days)
{
	return (unsigned)((days + 3) % 7) + 1;
}

/*
 * 1..31, of the Gregorian calendar. Years are counted from March, so that the leap day is a year's
 * last; an era is the 400 years after which the calendar repeats.
 */
static unsigned
day_of_month(int64_t days)
{
	unsigned day = (unsigned)((days + DAYS_TO_1970) % DAYS_PER_ERA);
	unsigned year = (day - day / 1460 + day / 36524 - day / (DAYS_PER_ERA - 1)) / 365;
	unsigned month;

	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	return day - (153 * month + 2) / 5 + 1;
}

bool
time_holds(const struct xt_time_info *o, int64_t seconds)
{
	uint32_t of_day;
	bool early, late;
	int64_t days;

	if (seconds < 0 || seconds < o->date_start || seconds > o->date_stop)
		return false;
	of_day = (uint32_t)(seconds % DAY);
	early = of_day < o->daytime_start;
	late = of_day > o->daytime_stop;
	days = seconds / DAY;
	if (o->daytime_start < o->daytime_stop) {
		if (early || late)
			return false;
	} else {
		if (early && late)
			return false;
		/* what runs past midnight belongs to the day on which it began */
		if (o->flags & XT_TIME_CONTIGUOUS && !late && days > 0)
			days--;
	}
	return o->weekdays_match & 1u << weekday_of(days) &&
	       o->monthdays_match & 1u << day_of_month(days);
}

/* Seconds to add for the kernel's time zone. The C library's gettimeofday() no longer tells it. */
static int64_t
kernel_zone(void)
{
	struct timezone zone = {0};

	syscall(SYS_gettimeofday, NULL, &zone);
	return -(int64_t)zone.tz_minuteswest * MINUTE;
}

static bool
time_match_now(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_time_info *o = options;
	struct timespec now;

	(void)c;
	(void)state;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return time_holds(o, now.tv_sec + (o->flags & XT_TIME_LOCAL_TZ ? kernel_zone() : 0));
}

static int
time_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_time_info *o = options;

	(void)prepared;
	if (o->daytime_start > XT_TIME_MAX_DAYTIME || o->daytime_stop > XT_TIME_MAX_DAYTIME)
		return ext_refuse(c, "a time of day after 23:59:59");
	if (o->flags & ~XT_TIME_ALL_FLAGS)
		return ext_refuse(c, "unknown flags 0x%x", o->flags);
	if (o->flags & XT_TIME_CONTIGUOUS && o->daytime_start < o->daytime_stop)
		return ext_refuse(c, "--contiguous needs a time that runs past midnight");
	return 0;
}

const struct match_ops match_time[] = {
	{
		.name = "time",
		.size = XT_ALIGN(sizeof(struct xt_time_info)),
		.reads = READS_NEVER,
		.check = time_check,
		.match = time_match_now,
	},
	{0},
};
