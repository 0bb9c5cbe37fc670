/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char why[300];

static int
run(struct set_list *l, const char *text, uint64_t now)
{
	why[0] = '\0';
	return sets_run(l, text, strlen(text), now, why, sizeof(why));
}

static void
assert_save(const struct set_list *l, const char *want, uint64_t now)
{
	char *text = sets_save(l, NULL, now);

	assert_string_equal(text, want);
	free(text);
}

/* What ipset 7.17 on Linux 6.18 prints, order included. */
static void
golden(void **state)
{
	static const char commands[] =
		"create h2 hash:ip initval 0x1\nadd h2 1.2.3.4\nadd h2 10.0.0.0/30\n"
		"add h2 10.1.0.0-10.1.0.3\nadd h2 1.2.3\n"
		"create h hash:net initval 0x2\nadd h 10.0.0.5-10.0.0.20\nadd h 1.2.4.0/24 nomatch\n"
		"create p bitmap:port range 0-1023\nadd p 80\nadd p udp:domain\n";
	static const char saved[] =
		"create h2 hash:ip family inet hashsize 1024 maxelem 65536 bucketsize 12 initval "
		"0x00000001\nadd h2 10.0.0.3\nadd h2 10.1.0.2\nadd h2 10.0.0.1\nadd h2 10.1.0.0\n"
		"add h2 1.2.3.4\nadd h2 1.2.0.3\nadd h2 10.1.0.3\nadd h2 10.0.0.0\nadd h2 10.0.0.2\n"
		"add h2 10.1.0.1\n"
		"create h hash:net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval "
		"0x00000002\nadd h 10.0.0.20\nadd h 10.0.0.5\nadd h 10.0.0.8/29\nadd h 10.0.0.16/30\n"
		"add h 1.2.4.0/24 nomatch\nadd h 10.0.0.6/31\n"
		"create p bitmap:port range 0-1023\nadd p 53\nadd p 80\n";
	struct set_list *l = sets_new();
	char *list;

	(void)state;
	assert_int_equal(run(l, commands, 1), 0);
	assert_save(l, saved, 1);
	list = sets_list(l, "h", 1);
	assert_string_equal(list,
		"Name: h\nType: hash:net\nRevision: 7\nHeader: family inet hashsize 1024 maxelem 65536 "
		"bucketsize 12 initval 0x00000002\nSize in memory: 744\nReferences: 0\n"
		"Number of entries: 6\nMembers:\n10.0.0.20\n10.0.0.5\n10.0.0.8/29\n10.0.0.16/30\n"
		"1.2.4.0/24 nomatch\n10.0.0.6/31\n");
	free(list);
	sets_free(l);
}

static void
refusals(void **state)
{
	static const struct {
		const char *line, *words;
	} rows[] = {
		{"create a hash:ip", "Set cannot be created: set with the same name already exists"},
		{"add a 1.1.1.1", "Element cannot be added to the set: it's already added"},
		{"del a 1.1.1.2", "Element cannot be deleted from the set: it's not added"},
		{"add a 0.0.0.0", "Null-valued element, cannot be stored in a hash type of set"},
		{"add a 2.2.2.0/24", "Hash is full, cannot add more elements"},
		{"add a 1.1.1.3 timeout 5",
			"Timeout cannot be used: set was created without timeout support"},
		{"add a 1.1.1.3,80",
			"Syntax error: Elem separator in 1.1.1.3,80, but settype hash:ip supports none."},
		{"add b 1.1.1.1", "The set with the given name does not exist"},
		{"destroy a", "Set cannot be destroyed: it is in use by a kernel component"},
		{"rename a b", "Set cannot be renamed: it is in use by another system"},
		{"swap a b", "Sets cannot be swapped: the second set does not exist"},
		{"create b hash:ip family inet6", "family inet6 is not supported"},
		{"create b hash:ip skbinfo", "skbinfo is not supported"},
		{"create b bitmap:port", "Mandatory option `range' is missing"},
		{"nonsense", "No command specified: unknown argument nonsense"},
	};
	struct set_list *l = sets_new();
	struct set *s;
	char want[300], text[200], *before;

	(void)state;
	assert_int_equal(run(l, "create a hash:ip maxelem 4 initval 1\nadd a 1.1.1.1", 1), 0);
	s = set_get(l, "a");
	assert_non_null(s);
	before = sets_list(l, NULL, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *after;

		snprintf(text, sizeof(text), "flush a\nadd a 1.1.1.1\n%s\n", rows[i].line);
		snprintf(want, sizeof(want), "line 3: %s", rows[i].words);
		assert_int_equal(run(l, text, 1), -EINVAL);
		assert_string_equal(why, want);
		after = sets_list(l, NULL, 1);
		assert_string_equal(before, after);
		free(after);
	}
	free(before);
	set_put(s);
	sets_free(l);
}

static void
timeouts(void **state)
{
	struct set_list *l = sets_new();
	uint64_t now = 7 * TEST_SECOND;

	(void)state;
	assert_int_equal(run(l, "create a hash:ip initval 1 timeout 10\nadd a 1.1.1.1\n"
				"add a 1.1.1.2 timeout 0\nadd a 1.1.1.3 timeout 3", now), 0);
	now += 3 * TEST_SECOND;
	assert_int_equal(run(l, "test a 1.1.1.3", now), 0);
	assert_int_equal(run(l, "test a 1.1.1.3", now + 1), -EINVAL);
	assert_int_equal(run(l, "add a 1.1.1.3 timeout 1", now + 1), 0);
	assert_int_equal(run(l, "test a 1.1.1.2", now * 1000), 0);
	assert_int_equal(run(l, "test a 1.1.1.1", now * 1000), -EINVAL);
	sets_free(l);
}

enum { ADDRESSES = 600 };

/* Random adds, deletions and refused runs, against one bool for each address. */
static void
twin(void **state)
{
	static bool in[ADDRESSES];
	struct set_list *l = sets_new();
	struct test_env t;
	char text[400];

	(void)state;
	test_env_init(&t, test_seed());
	assert_int_equal(run(l, "create a hash:ip hashsize 64 bucketsize 2", 1), 0);
	for (unsigned i = 0; i < 8000; i++) {
		unsigned n = env_random(&t.env) % ADDRESSES, m = env_random(&t.env) % ADDRESSES;
		unsigned what = env_random(&t.env) % 16;

		if (what == 0) { /* all of it is undone */
			snprintf(text, sizeof(text),
				"-exist add a 10.0.%u.%u\n-exist del a 10.0.%u.%u\nadd a 10.9.0.0/23\n"
				"flush a\nadd a 10.0.%u.%u\ndestroy a\nadd a 1.1.1.1\n",
				n / 250, n % 250, m / 250, m % 250, m / 250, m % 250);
			assert_int_equal(run(l, text, 1), -EINVAL);
		} else {
			snprintf(text, sizeof(text), "%s a 10.0.%u.%u", what < 8 ? "add" : "del", n / 250,
				n % 250);
			assert_int_equal(run(l, text, 1) == 0, in[n] != (what < 8));
			in[n] = what < 8;
		}
		snprintf(text, sizeof(text), "test a 10.0.%u.%u", m / 250, m % 250);
		assert_int_equal(run(l, text, 1) == 0, in[m]);
	}
	sets_free(l);
	test_env_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(refusals),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
