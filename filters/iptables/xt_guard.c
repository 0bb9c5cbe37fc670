/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libxtables takes and should not: arguments on which it crashes, and options that it writes
 * in a way that reads differently.
 */
#include "filters/iptables/xt_private.h"

#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_time.h>
#include <stddef.h>
#include <stdlib.h>

/* libxtables cuts a prefix of LOG that is too long; the tool of old refused it, and so do we. */
static void
log_prefix_check(const char *arg, size_t size)
{
	if (strlen(arg) >= size)
		xtables_error(
			PARAMETER_PROBLEM, "Maximum prefix length %zu for --log-prefix", size - 1);
}

/*
 * Bytes a second are kept as 2^32 over their sixteenth. Outside these bounds that divides by zero,
 * or is written as another rate.
 */
static void
hashlimit_rate_check(const char *arg, size_t size)
{
	const char *unit = strstr(arg, "b/s");
	uint64_t bytes = (uint64_t)atoll(arg), factor = 1;

	(void)size;
	if (!unit || unit == arg || bytes == 0)
		return;
	if (unit[-1] == 'k')
		factor = 1 << 10;
	else if (unit[-1] == 'm')
		factor = 1 << 20;
	if (__builtin_mul_overflow(bytes, factor, &bytes) || bytes / 16 >= UINT32_MAX)
		xtables_error(PARAMETER_PROBLEM, "Rate too high \"%s\"", arg);
	if (bytes < 16)
		xtables_error(PARAMETER_PROBLEM, "Rate too low \"%s\" (16b/s at least)", arg);
}

/* libxtables writes it without quotes. */
static void
bare_check(const char *arg, size_t size)
{
	(void)size;
	if (!arg[0] || strcmp(arg, "!") == 0 || strpbrk(arg, " \t\""))
		xtables_error(PARAMETER_PROBLEM, "Bad name `%s'", arg);
}

static const struct {
	const char *extension, *option;
	void (*check)(const char *arg, size_t size); /* `size`: of where the argument is kept */
} guards[] = {
	{"LOG", "log-prefix", log_prefix_check},
	{"hashlimit", "hashlimit-upto", hashlimit_rate_check},
	{"hashlimit", "hashlimit-above", hashlimit_rate_check},
	{"hashlimit", "hashlimit-name", bare_check},
	{"recent", "name", bare_check},
	{"string", "algo", bare_check},
	{"CT", "helper", bare_check},
	{"CT", "timeout", bare_check},
};

void
xt_guard(const char *extension, const struct xt_option_entry *options, unsigned id, const char *arg)
{
	const struct xt_option_entry *o = options;

	while (o && o->name && o->id != id)
		o++;
	if (!o || !o->name || !arg)
		return;
	for (size_t i = 0; i < sizeof(guards) / sizeof(*guards); i++)
		if (strcmp(guards[i].extension, extension) == 0 &&
			strcmp(guards[i].option, o->name) == 0)
			guards[i].check(arg, o->size);
}

/* Bytes, or bits of them, that depend on how the same was said. */
static const struct {
	const char *name;
	uint8_t revision, keep;
	size_t from, size;
} meaningless[] = {
	/* of a mask as wide as IPv6's */
	{"recent", 1, 0, offsetof(struct xt_recent_mtinfo_v1, mask) + sizeof(struct in_addr),
		sizeof(union nf_inet_addr) - sizeof(struct in_addr)},
	/* no month has a day 0 */
	{"time", 0, 0xfe, offsetof(struct xt_time_info, monthdays_match), 1},
};

/* An empty list of days cannot be written. */
static void
time_settle(void *options)
{
	const struct xt_time_info *o = options;

	if (!o->monthdays_match || !o->weekdays_match)
		xtables_error(PARAMETER_PROBLEM, "time: no day is left");
}

/* A shift by nothing has no direction. */
static void
connmark_settle(void *options)
{
	struct xt_connmark_tginfo2 *o = options;

	if (!o->shift_bits)
		o->shift_dir = 0;
}

static const struct {
	const char *name;
	uint8_t revision;
	void (*settle)(void *options);
} settlers[] = {
	{"time", 0, time_settle},
	{"CONNMARK", 2, connmark_settle},
};

static bool
is_of(const struct rules_ext *e, const char *name, uint8_t revision)
{
	return e->revision == revision && strcmp(e->name, name) == 0;
}

void
xt_guard_options(struct rules_ext *e)
{
	for (size_t i = 0; i < sizeof(meaningless) / sizeof(*meaningless); i++)
		if (is_of(e, meaningless[i].name, meaningless[i].revision))
			for (size_t k = 0; k < meaningless[i].size; k++)
				e->data[meaningless[i].from + k] &= meaningless[i].keep;
	for (size_t i = 0; i < sizeof(settlers) / sizeof(*settlers); i++)
		if (is_of(e, settlers[i].name, settlers[i].revision))
			settlers[i].settle(e->data);
}
