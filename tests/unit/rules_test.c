/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/rules.h"

#include "tests/unit/support/rulesets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADER = 16 }; /* of a blob */

static const struct test_ext exts[] = {
	{"comment", 0, "a remark of some length", 24},
	{"mark", 1, "12345678901234567890", 20},
	{"MARK", 2, "abcdefghijkl", 12},
	{"TRACE", 0, NULL, 0},
};

static const char *const text =
	"*raw\n"
	":PREROUTING DROP [7:900]\n"
	"-A PREROUTING -s 10.0.0.0/8 ! -d 10.1.2.3/255.0.255.0 -i eth+ -p tcp -j @3\n"
	"-A OUTPUT ! -f -c 5 500 -j ACCEPT\n"
	"*filter\n"
	":FORWARD DROP\n"
	":one -\n"
	":two -\n"
	"-A FORWARD ! -i eth0 ! -o iucv0 ! -p udp -m @0 -m @1 -j one\n"
	"-A FORWARD ! -s 1.2.3.4 -f -z 2 90 -j @2\n"
	"-A one -g two\n"
	"-A two -j RETURN\n"
	"-A two -j QUEUE\n"
	"-A two -j DROP\n"
	"-A two\n";

static void
equal_counts(const struct rules_count *a, const struct rules_count *b)
{
	assert_int_equal(a->how, b->how);
	assert_int_equal(a->packets, b->packets);
	assert_int_equal(a->bytes, b->bytes);
}

static void
equal_chains(const struct rules_chain *a, const struct rules_chain *b)
{
	uint32_t i;

	assert_string_equal(a->name, b->name);
	assert_int_equal(a->hook, b->hook);
	assert_int_equal(a->policy, b->policy);
	assert_int_equal(a->n_rules, b->n_rules);
	equal_counts(&a->count, &b->count);
	for (i = 0; i < a->n_rules; i++) {
		assert_true(rules_rule_equal(&a->rules[i], &b->rules[i]));
		equal_counts(&a->rules[i].count, &b->rules[i].count);
	}
}

static void
equal_trees(const struct rules *a, const struct rules *b)
{
	uint32_t t, i;

	for (t = 0; t < TABLE_COUNT; t++) {
		assert_int_equal(a->tables[t].present, b->tables[t].present);
		assert_int_equal(a->tables[t].n_chains, b->tables[t].n_chains);
		for (i = 0; i < a->tables[t].n_chains; i++)
			equal_chains(a->tables[t].chains[i], b->tables[t].chains[i]);
	}
}

static void
tables(void **state)
{
	(void)state;
	assert_int_equal(rules_table_of("nat"), TABLE_NAT);
	assert_int_equal(rules_table_of("Filter"), TABLE_COUNT);
	assert_string_equal(rules_table_name(TABLE_SECURITY), "security");
	assert_string_equal(rules_hook_name(RULES_POSTROUTING), "POSTROUTING");
	for (uint8_t h = 0; h < RULES_HOOKS; h++) {
		bool local = h >= RULES_INPUT && h <= RULES_OUTPUT;

		assert_true(rules_table_hooks(TABLE_MANGLE, h));
		assert_int_equal(rules_table_hooks(TABLE_FILTER, h), local);
		assert_int_equal(rules_table_hooks(TABLE_SECURITY, h), local);
		assert_int_equal(rules_table_hooks(TABLE_NAT, h), h != RULES_FORWARD);
		assert_int_equal(rules_table_hooks(TABLE_RAW, h),
			h == RULES_PREROUTING || h == RULES_OUTPUT);
	}
}

static void
built_in_chains(void **state)
{
	struct rules *r = rules_new();
	struct rules_tab *t = rules_table(r, TABLE_FILTER);
	static const char *const names[] = {"INPUT", "FORWARD", "OUTPUT"};

	(void)state;
	assert_int_equal(t->n_chains, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_string_equal(t->chains[i]->name, names[i]);
		assert_int_equal(t->chains[i]->policy, ACTION_ACCEPT);
	}
	assert_ptr_equal(rules_table(r, TABLE_FILTER), t);
	assert_int_equal(t->n_chains, 3);
	assert_false(r->tables[TABLE_NAT].present);
	rules_free(r);
}

static void
user_chains(void **state)
{
	struct rules *r = rules_new();
	struct rules_tab *t = rules_table(r, TABLE_RAW);
	char name[RULES_NAME];
	uint32_t i;

	(void)state;
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "chain%u", i);
		assert_int_equal(rules_chain_add(r, t, name)->hook, -1);
	}
	assert_string_equal(rules_chain(t, "chain57")->name, "chain57");
	rules_chain_remove(t, rules_chain(t, "chain57"));
	assert_null(rules_chain(t, "chain57"));
	assert_int_equal(t->n_chains, 2 + 99);
	assert_string_equal(t->chains[2 + 57]->name, "chain58");
	rules_free(r);
}

static void
rule_vectors(void **state)
{
	struct rules *r = rules_new();
	struct rules_chain *c = rules_table(r, TABLE_FILTER)->chains[0];
	struct rules_rule rule = test_rule();
	uint32_t i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		rule.proto = (uint16_t)i;
		assert_int_equal(rules_rule_insert(r, c, c->n_rules, &rule), 0);
	}
	rule.proto = 0xffff;
	assert_int_equal(rules_rule_insert(r, c, 0, &rule), 0);
	assert_int_equal(rules_rule_insert(r, c, 5001, &rule), 0);
	assert_int_equal(c->n_rules, 10002);
	assert_int_equal(c->rules[0].proto, 0xffff);
	assert_int_equal(c->rules[5000].proto, 4999);
	assert_int_equal(c->rules[5001].proto, 0xffff);
	assert_int_equal(c->rules[10001].proto, 9999);
	assert_int_equal(rules_rule_insert(r, c, 1, &c->rules[10001]), 0);
	assert_int_equal(c->rules[1].proto, 9999);
	while (c->n_rules > 1)
		rules_rule_delete(c, c->n_rules / 2);
	assert_int_equal(c->rules[0].proto, 0xffff);
	rules_free(r);
}

static void
equality(void **state)
{
	static const char *const different[] = {"-A INPUT -s 10.0.0.1", "-A INPUT -s 10.0.0.0/24",
		"-A INPUT ! -s 10.0.0.1", "-A INPUT -d 10.0.0.1", "-A INPUT -d 10.0.0.0/24",
		"-A INPUT -i eth0", "-A INPUT -i eth0+", "-A INPUT -o eth0", "-A INPUT -p tcp",
		"-A INPUT -f", "-A INPUT ! -f", "-A INPUT -m @0", "-A INPUT -m @1",
		"-A INPUT -m @0 -m @1", "-A INPUT -m @1 -m @0", "-A INPUT -j DROP",
		"-A INPUT -j one", "-A INPUT -j two", "-A INPUT -g one", "-A INPUT -j @2",
		"-A INPUT -j @3", "-A INPUT"};
	enum { N = sizeof(different) / sizeof(*different) };
	struct rules *a, *b;
	char lines[256];

	(void)state;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++) {
			snprintf(lines, sizeof(lines), "*filter\n%s", different[i]);
			a = test_rules(lines, exts);
			snprintf(lines, sizeof(lines), "*filter\n%s -c 1 2", different[j]);
			b = test_rules(lines, exts);
			assert_int_equal(
				rules_rule_equal(&a->tables[TABLE_FILTER].chains[0]->rules[0],
					&b->tables[TABLE_FILTER].chains[0]->rules[0]),
				i == j);
			rules_free(a);
			rules_free(b);
		}
}

static struct rules *
decode(const uint8_t *bytes, size_t len, char *why, size_t size)
{
	uint8_t *exact = malloc(len + !len);
	struct rules *r;

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	why[0] = '\0';
	r = rules_decode(exact, len, why, size);
	free(exact);
	return r;
}

static void
there_and_back(void **state)
{
	struct rules *a = test_rules(text, exts), *b;
	uint8_t *bytes, *again;
	size_t len, len_again;
	char why[256];

	(void)state;
	bytes = rules_encode(a, &len);
	assert_non_null(bytes);
	b = decode(bytes, len, why, sizeof(why));
	assert_non_null(b);
	equal_trees(a, b);
	assert_int_equal(
		(uintptr_t)b->tables[TABLE_FILTER].chains[1]->rules[0].matches[1].data % 8, 0);
	again = rules_encode(b, &len_again);
	assert_int_equal(len, len_again);
	assert_memory_equal(bytes, again, len);
	free(bytes);
	free(again);
	rules_free(a);
	rules_free(b);
}

static void
no_tables(void **state)
{
	struct rules *r = rules_new();
	char why[256];
	size_t len;
	uint8_t *bytes = rules_encode(r, &len);

	(void)state;
	rules_free(r);
	assert_int_equal(len, HEADER);
	r = decode(bytes, len, why, sizeof(why));
	assert_non_null(r);
	rules_free(r);
	free(bytes);
}

static void
ipv6(void **state)
{
	struct rules *a = rules_new(), *b;
	struct rules_rule rule = test_rule();
	char why[256];
	uint8_t *bytes;
	size_t len;

	(void)state;
	rule.src = test_addr("2001:db8::1");
	rule.src_mask = test_addr("ffff:ffff::");
	rule.dst = rule.dst_mask = test_addr("::");
	assert_int_equal(
		rules_rule_insert(a, rules_table(a, TABLE_FILTER)->chains[2], 0, &rule), 0);
	bytes = rules_encode(a, &len);
	b = decode(bytes, len, why, sizeof(why));
	assert_non_null(b);
	equal_trees(a, b);
	free(bytes);
	rules_free(a);
	rules_free(b);
}

static void
cut_and_flipped(void **state)
{
	struct rules *r = test_rules(text, exts);
	size_t len, i;
	uint8_t *bytes = rules_encode(r, &len), bit;
	char why[256];

	(void)state;
	rules_free(r);
	for (i = 0; i < len; i++) {
		errno = 0;
		assert_null(decode(bytes, i, why, sizeof(why)));
		assert_int_equal(errno, EINVAL);
		assert_true(why[0] != '\0');
		for (bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1 << bit);
			r = decode(bytes, len, why, sizeof(why));
			assert_true(r || why[0]);
			rules_free(r);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	free(bytes);
}

/* Breaks a tree in one way. */
struct fault {
	void (*break_it)(struct rules *r, struct rules_chain *forward, struct rules_chain *one);
	const char *why;
};

#define FAULT(name, ...)                                                                           \
	static void name(struct rules *r, struct rules_chain *forward, struct rules_chain *one)    \
	{                                                                                          \
		(void)r;                                                                           \
		(void)forward;                                                                     \
		(void)one;                                                                         \
		__VA_ARGS__;                                                                       \
	}

FAULT(action, one->rules[0].action = ACTION_COUNT)
FAULT(missing, strcpy(one->rules[0].chain, "three"))
FAULT(nameless, one->rules[0].chain[0] = '\0')
FAULT(blank, strcpy(one->name, "o e"))
FAULT(newline, strcpy(forward->rules[0].in, "eth\n"))
FAULT(twin, strcpy(one->name, "two"))
FAULT(hook, one->hook = RULES_INPUT)
FAULT(disguise, strcpy(forward->name, "OUTPUT"))
FAULT(foreign, forward->hook = RULES_PREROUTING)
FAULT(policy, forward->policy = ACTION_RETURN)
FAULT(family, forward->rules[0].src.family = AF_INET; forward->rules[0].flags = 0x80)
FAULT(both_ways, forward->rules[1].flags |= RULE_NOT_FRAGMENT)
FAULT(counting, forward->rules[0].count.how = COUNT_SUBTRACT + 1)
FAULT(size, forward->rules[0].matches[0].size = RULES_EXT_MAX + 1;
	forward->rules[0].matches[0].data = rules_alloc(r, RULES_EXT_MAX + 1))
FAULT(many, forward->rules[0].n_matches = RULES_MATCHES_MAX + 1;
	forward->rules[0].matches = rules_alloc(
		r, (RULES_MATCHES_MAX + 1) * sizeof(struct rules_ext)))
FAULT(gone, rules_chain_remove(&r->tables[TABLE_FILTER], forward))

static const struct fault faults[] = {
	{action, "unknown action 8"},
	{missing, "chain one, rule 1: no chain three"},
	{nameless, "a name is empty"},
	{blank, "byte 0x20 in a name"},
	{newline, "byte 0x0a in a name"},
	{twin, "two chains of the name two"},
	{hook, "chain one: hook 1, -1 expected"},
	{disguise, "chain OUTPUT: FORWARD expected"},
	{foreign, "chain FORWARD: hook 0, 2 expected"},
	{policy, "chain FORWARD: policy 4"},
	{family, "unknown flags 0x80"},
	{both_ways, "both -f and ! -f"},
	{counting, "unknown way 3 to count"},
	{size, "options of 8193 bytes, at most 8192 expected"},
	{many, "65 matches, at most 64 expected"},
	{gone, "chain OUTPUT: hook 3, 2 expected"},
};

static void
refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct rules *r = test_rules(text, exts);
		struct rules_tab *t = &r->tables[TABLE_FILTER];
		char why[256];
		uint8_t *bytes;
		size_t len;

		faults[i].break_it(r, t->chains[1], rules_chain(t, "one"));
		bytes = rules_encode(r, &len);
		assert_null(decode(bytes, len, why, sizeof(why)));
		assert_int_equal(errno, EINVAL);
		assert_string_equal(strstr(why, ": ") + 2, faults[i].why);
		free(bytes);
		rules_free(r);
	}
}

static void
headers(void **state)
{
	struct rules *r = test_rules(text, exts);
	size_t len;
	uint8_t *bytes = rules_encode(r, &len);
	static const struct {
		size_t at;
		uint8_t value;
		const char *why;
	} rows[] = {
		{0, 'x', "these are no rules"},
		{4, 2, "format 1 expected"},
		{6, TABLE_COUNT + 1, "not as long"},
		{6, 1, "bytes too many"},
		{6, 3, "cut short"},
		{8, 0, "cut short"},
		{9, 0xff, "not as long as it says"},
		{HEADER, TABLE_COUNT, "unknown table 5"},
		{HEADER, TABLE_FILTER, "hook 0, 1 expected"},
		{HEADER + 4, 0xff, "chains in"},
	};
	char why[256];

	(void)state;
	rules_free(r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t was = bytes[rows[i].at];

		if (rows[i].at == 6 && rows[i].value > TABLE_COUNT)
			bytes[9] ^= 0x80;
		bytes[rows[i].at] = rows[i].value;
		assert_null(decode(bytes, len, why, sizeof(why)));
		assert_non_null(strstr(why, rows[i].why));
		bytes[rows[i].at] = was;
		if (rows[i].at == 6 && rows[i].value > TABLE_COUNT)
			bytes[9] ^= 0x80;
	}
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(built_in_chains),
		cmocka_unit_test(user_chains),
		cmocka_unit_test(rule_vectors),
		cmocka_unit_test(equality),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(no_tables),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(cut_and_flipped),
		cmocka_unit_test(refusals),
		cmocka_unit_test(headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
