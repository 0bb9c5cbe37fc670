/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/netfilter/xt_string.h>
#include <linux/netfilter/xt_u32.h>
#include <stdio.h>

static struct test_env env;
static struct test_router t;

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct test_ip plain = {.src = "10.0.0.2", .dst = "10.1.0.2"};

/* A packet of protocol 99 with this payload, 20 bytes after its start. */
static struct pkt *
raw(const void *payload, size_t len, const size_t *sizes, size_t n)
{
	uint8_t buf[300];

	return ext_pkt(&env, &t, buf, test_ip4(buf, &plain, 99, payload, len), sizes, n);
}

#define READ(n)                                                                                    \
	{                                                                                          \
		n, XT_U32_AND                                                                      \
	} /* the first: there is nothing yet to operate on */
#define AND(n)                                                                                     \
	{                                                                                          \
		n, XT_U32_AND                                                                      \
	}
#define LEFT(n)                                                                                    \
	{                                                                                          \
		n, XT_U32_LEFTSH                                                                   \
	}
#define RIGHT(n)                                                                                   \
	{                                                                                          \
		n, XT_U32_RIGHTSH                                                                  \
	}
#define AT(n)                                                                                      \
	{                                                                                          \
		n, XT_U32_AT                                                                       \
	}

/* In a packet of 20 + 12 bytes whose payload is 00 00 00 18 0a 0b 0c 0d ff ff ff ff. */
static void
u32_words(void **state)
{
	static const uint8_t payload[12] = {0, 0, 0, 0x18, 10, 11, 12, 13, 255, 255, 255, 255};
	static const struct {
		const char *what;
		struct xt_u32_location_element l[4];
		uint8_t n;
		uint32_t min, max;
		bool holds;
	} rows[] = {
		{"0>>28=4", {READ(0), RIGHT(28)}, 2, 4, 4, true},
		{"0>>28=5", {READ(0), RIGHT(28)}, 2, 5, 5, false},
		{"6&0xff=99", {READ(6), AND(0xff)}, 2, 99, 99, true},
		{"0&0x0f000000>>24=5", {READ(0), AND(0x0f000000), RIGHT(24)}, 3, 5, 5, true},
		{"22=0x00180a0b", {READ(22)}, 1, 0x00180a0b, 0x00180a0b, true},
		{"24<<16=0x0c0d0000", {READ(24), LEFT(16)}, 2, 0x0c0d0000, 0x0c0d0000, true},
		{"24<<31>>31=1", {READ(24), LEFT(31), RIGHT(31)}, 3, 1, 1, true},
		{"value one below", {READ(24)}, 1, 0x0a0b0c0e, ~0u, false},
		{"value at min", {READ(24)}, 1, 0x0a0b0c0d, ~0u, true},
		{"value at max", {READ(24)}, 1, 0, 0x0a0b0c0d, true},
		{"value one above", {READ(24)}, 1, 0, 0x0a0b0c0c, false},
		{"last word", {READ(28)}, 1, 0, ~0u, true},
		{"one past", {READ(29)}, 1, 0, ~0u, false},
		{"far past", {READ(~0u)}, 1, 0, ~0u, false},
		{"wraps", {READ(~0u - 3)}, 1, 0, ~0u, false},
		{"20@0: 24", {READ(20), AT(0)}, 2, 0x0a0b0c0d, 0x0a0b0c0d, true},
		{"20@4: 28", {READ(20), AT(4)}, 2, ~0u, ~0u, true},
		{"20@5: past", {READ(20), AT(5)}, 2, 0, ~0u, false},
		{"20@0xffffffff wraps", {READ(20), AT(~0u)}, 2, 0, ~0u, false},
		{"28@0: past", {READ(28), AT(0)}, 2, 0, ~0u, false},
		{"20@0&15@2: bases add up, 24 + 13 + 2", {READ(20), AT(0), AND(15), AT(2)}, 4, 0,
			~0u, false},
		{"20@0&1@3: 24 + 1 + 3", {READ(20), AT(0), AND(1), AT(3)}, 4, ~0u, ~0u, true},
		{"28@: base wraps", {READ(20), AT(4), AT(0)}, 3, 0, ~0u, false},
	};
	const size_t sizes[] = {20, 1, 2, 3, 1, 1};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		size_t row = i / 2;
		struct pkt *p = raw(payload, sizeof(payload), sizes, i & 1 ? COUNT(sizes) : 0);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
		struct xt_u32 o = {.ntests = 1};

		memcpy(o.tests[0].location, rows[row].l, sizeof(rows[row].l));
		o.tests[0].nnums = rows[row].n;
		o.tests[0].value[0] = (struct xt_u32_value_element){rows[row].min, rows[row].max};
		o.tests[0].nvalues = 1;
		if (ext_ask(&c, "u32", 0, &o, sizeof(o)) != (rows[row].holds ? YES : NO))
			fail_msg("%s", rows[row].what);
		o.invert = 1; /* so beyond the packet is a match */
		if (ext_ask(&c, "u32", 0, &o, sizeof(o)) != (rows[row].holds ? NO : YES))
			fail_msg("not %s", rows[row].what);
		test_pkt_free(&env, p);
	}
}

static void
u32_tests_and_values(void **state)
{
	struct xt_u32 o = {0};
	struct pkt *p = raw("\1\2\3\4", 4, NULL, 0);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);

	(void)state;
	assert_int_equal(ext_ask(&c, "u32", 0, &o, sizeof(o)), YES);
	o.ntests = 2;
	o.tests[0] = (struct xt_u32_test){.location = {READ(20)}, .nnums = 1, .nvalues = 3};
	o.tests[0].value[2] = (struct xt_u32_value_element){0x01020304, 0x01020304};
	o.tests[1] =
		(struct xt_u32_test){.location = {READ(0), RIGHT(28)}, .nnums = 2, .nvalues = 1};
	o.tests[1].value[0] = (struct xt_u32_value_element){4, 4};
	assert_int_equal(ext_ask(&c, "u32", 0, &o, sizeof(o)), YES);
	o.tests[0].nvalues = 2;
	assert_int_equal(ext_ask(&c, "u32", 0, &o, sizeof(o)), NO);
	o.tests[0].nvalues = 3;
	o.tests[1].value[0].min = 5;
	assert_int_equal(ext_ask(&c, "u32", 0, &o, sizeof(o)), NO);
	o.tests[1].nvalues = 0;
	assert_int_equal(ext_ask(&c, "u32", 0, &o, sizeof(o)), NO);
	test_pkt_free(&env, p);
}

static struct xt_string_info
look_for(const char *text, uint16_t from, uint16_t to, uint8_t flags)
{
	struct xt_string_info o = {.from_offset = from,
		.to_offset = to,
		.algo = "kmp",
		.patlen = (uint8_t)strlen(text),
		.u.v1.flags = flags};

	memcpy(o.pattern, text, o.patlen);
	return o;
}

/* The payload is "abcABC", at 20 to 25. */
static void
string_places(void **state)
{
	enum { CASE = XT_STRING_FLAG_IGNORECASE };
	static const struct {
		const char *text;
		uint16_t from, to;
		uint8_t flags;
		bool holds;
	} rows[] = {
		{"abc", 0, 65535, 0, true}, {"abc", 20, 23, 0, true}, {"abc", 20, 22, 0, false},
		{"abc", 21, 65535, 0, false}, {"abc", 21, 65535, CASE, true},
		{"ABC", 23, 26, 0, true}, {"ABC", 23, 25, 0, false}, {"ABC", 24, 65535, 0, false},
		{"aBc", 0, 65535, 0, false}, {"aBc", 0, 65535, CASE, true},
		{"abcABC", 0, 65535, 0, true}, {"abcABCd", 0, 65535, 0, false},
		{"C", 25, 26, 0, true}, {"C", 26, 65535, 0, false}, {"C", 65535, 65535, 0, false},
		{"a", 20, 20, 0, false},
		{"E", 0, 1, 0, true}, /* the IP header is searched too: 0x45 */
	};
	static const size_t sizes[] = {20, 1, 2, 0, 1, 1};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		size_t row = i / 2;
		struct pkt *p = raw("abcABC", 6, sizes, i & 1 ? COUNT(sizes) : 0);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
		struct xt_string_info o =
			look_for(rows[row].text, rows[row].from, rows[row].to, rows[row].flags);

		if (ext_ask(&c, "string", 1, &o, sizeof(o)) != (rows[row].holds ? YES : NO))
			fail_msg("row %zu", row);
		o.u.v1.flags |= XT_STRING_FLAG_INVERT;
		strcpy(o.algo, "bm");
		if (ext_ask(&c, "string", 1, &o, sizeof(o)) != (rows[row].holds ? NO : YES))
			fail_msg("not row %zu", row);
		test_pkt_free(&env, p);
	}
}

/* What the kernel takes for the same letter, found by trying all of them. */
static void
string_letters(void **state)
{
	static const struct {
		uint8_t pattern, other;
	} rows[] = {{'a', 'A'}, {'Z', 'z'}, {0xe4, 0xc4}, {0xdf, 0xbf}, {0xff, 0xff}, {0xf7, 0xf7},
		{0xd7, 0xd7}, {'@', '@'}, {'{', '{'}, {0, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned b = 0; b < 256; b++) {
			const uint8_t byte = (uint8_t)b;
			struct pkt *p = raw(&byte, 1, NULL, 0);
			struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
			struct xt_string_info o = look_for("", 20, 21, XT_STRING_FLAG_IGNORECASE);

			o.pattern[0] = (char)rows[i].pattern;
			o.patlen = 1;
			if (ext_ask(&c, "string", 1, &o, sizeof(o)) !=
				(b == rows[i].pattern || b == rows[i].other ? YES : NO))
				fail_msg("0x%02x in 0x%02x", rows[i].pattern, b);
			test_pkt_free(&env, p);
		}
}

static bool
naive(const uint8_t *bytes, size_t len, const struct xt_string_info *o)
{
	for (size_t at = o->from_offset; at + o->patlen <= len && at + o->patlen <= o->to_offset;
		at++)
		if (memcmp(bytes + at, o->pattern, o->patlen) == 0)
			return true;
	return false;
}

/* Few letters, so that strings repeat themselves; any cuts. */
static void
string_against_a_naive_search(void **state)
{
	unsigned found = 0;

	(void)state;
	env.env.random = test_seed();
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t payload[60], buf[100];
		size_t sizes[6] = {20}, len = env_random(&env.env) % sizeof(payload), all;
		struct xt_string_info o = {.algo = "kmp"};
		struct filter_ctx c;
		struct pkt *p;

		for (size_t k = 0; k < len; k++)
			payload[k] = 'a' + (env_random(&env.env) % 4 == 0);
		for (size_t k = 1; k < COUNT(sizes); k++)
			sizes[k] = env_random(&env.env) % 9;
		o.patlen = (uint8_t)(1 + env_random(&env.env) % 9);
		for (size_t k = 0; k < o.patlen; k++)
			o.pattern[k] = 'a' + (env_random(&env.env) % 4 == 0);
		o.from_offset = (uint16_t)(15 + env_random(&env.env) % 40);
		o.to_offset = (uint16_t)(o.from_offset + env_random(&env.env) % 60);
		all = test_ip4(buf, &plain, 99, payload, len);
		p = ext_pkt(&env, &t, buf, all, sizes, COUNT(sizes));
		c = ext_ctx(&env, &t, p, RULES_FORWARD);
		found += naive(buf, all, &o);
		if (ext_ask(&c, "string", 1, &o, sizeof(o)) != (naive(buf, all, &o) ? YES : NO))
			fail_msg("round %u", i);
		test_pkt_free(&env, p);
	}
	assert_in_range(found, 3000, 17000);
}

/* At the end of a super-packet, over the seam of its last two segments. */
static void
string_in_a_super_packet(void **state)
{
	static uint8_t buf[65535];
	struct xt_string_info o = look_for("needle", 0, 65535, 0);
	size_t sizes[40], len;
	struct filter_ctx c;
	struct pkt *p;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		sizes[i] = 1638;
	len = test_udp(buf, &plain, 1, 2, 65500);
	memcpy(buf + 39 * 1638 - 3, "needle", 6);
	p = ext_pkt(&env, &t, buf, len, sizes, COUNT(sizes));
	c = ext_ctx(&env, &t, p, RULES_FORWARD);
	assert_int_equal(ext_ask(&c, "string", 1, &o, sizeof(o)), YES);
	o.from_offset = 39 * 1638 - 3;
	o.to_offset = (uint16_t)(o.from_offset + 6);
	assert_int_equal(ext_ask(&c, "string", 1, &o, sizeof(o)), YES);
	o.to_offset--;
	assert_int_equal(ext_ask(&c, "string", 1, &o, sizeof(o)), NO);
	test_pkt_free(&env, p);
}

static void
u32_refusals(void **state)
{
	struct xt_u32 o = {.ntests = 12};

	(void)state;
#define REFUSAL() ext_match_refusal("u32", 0, &o, sizeof(o), NULL, 0)
	assert_string_equal(REFUSAL(), "more than 11 tests");
	o.ntests = 11;
	assert_string_equal(REFUSAL(), "");
	o.tests[10].nnums = 12;
	assert_string_equal(REFUSAL(), "more than 11 operations or values in a test");
	o.tests[10].nnums = 11;
	o.tests[10].nvalues = 12;
	assert_string_equal(REFUSAL(), "more than 11 operations or values in a test");
	o.tests[10].nvalues = 11;
	assert_string_equal(REFUSAL(), "");
	o.tests[10].location[10] = (struct xt_u32_location_element)LEFT(32);
	assert_string_equal(REFUSAL(), "shift by 32 bits");
	o.tests[10].location[10] = (struct xt_u32_location_element)RIGHT(32);
	assert_string_equal(REFUSAL(), "shift by 32 bits");
	o.tests[10].location[10] = (struct xt_u32_location_element)RIGHT(31);
	assert_string_equal(REFUSAL(), "");
	o.tests[10].location[10].nextop = 4;
	assert_string_equal(REFUSAL(), "unknown operation 4");
#undef REFUSAL
}

static void
string_refusals(void **state)
{
	struct xt_string_info o = look_for("x", 5, 4, 0);

	(void)state;
#define REFUSAL() ext_match_refusal("string", 1, &o, sizeof(o), NULL, 0)
	assert_string_equal(REFUSAL(), "--from 5 is after --to 4");
	o = look_for("x", 4, 4, 4);
	assert_string_equal(REFUSAL(), "unknown flags 0x4");
	o = look_for("", 0, 9, 0);
	assert_string_equal(REFUSAL(), "a string of 0 bytes, 1 to 128 are possible");
	o.patlen = 129;
	assert_string_equal(REFUSAL(), "a string of 129 bytes, 1 to 128 are possible");
	o.patlen = 128;
	assert_string_equal(REFUSAL(), "");
	strcpy(o.algo, "fsm");
	assert_string_equal(REFUSAL(), "unknown algorithm 'fsm', there are bm and kmp");
	memset(o.algo, 'b', sizeof(o.algo));
	assert_string_equal(
		REFUSAL(), "unknown algorithm 'bbbbbbbbbbbbbbbb', there are bm and kmp");
	strcpy(o.algo, "");
	assert_string_equal(REFUSAL(), "unknown algorithm '', there are bm and kmp");
#undef REFUSAL
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(u32_words, setup, teardown),
		cmocka_unit_test_setup_teardown(u32_tests_and_values, setup, teardown),
		cmocka_unit_test_setup_teardown(string_places, setup, teardown),
		cmocka_unit_test_setup_teardown(string_letters, setup, teardown),
		cmocka_unit_test_setup_teardown(string_against_a_naive_search, setup, teardown),
		cmocka_unit_test_setup_teardown(string_in_a_super_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(u32_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(string_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
