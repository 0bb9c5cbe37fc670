/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpmss.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>

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

/* Asks about layer 4 bytes in an IPv4 packet; `frag_off` as in the header, host byte order. */
static enum ext_answer
ask(uint8_t proto, const void *l4, size_t len, uint16_t frag_off, const char *name,
	uint8_t revision, const void *options, size_t size)
{
	static const uint8_t nops[4] = {1, 1, 1, 1};
	enum ext_answer first = NO;

	/* with and without IP options, whole and cut after layer 3 and the shortest of headers */
	for (unsigned i = 0; i < 4; i++) {
		const struct test_ip ip = {.src = "10.0.0.2",
			.dst = "10.1.0.2",
			.frag_off = frag_off,
			.options = nops,
			.options_len = i & 1 ? 4 : 0};
		const size_t sizes[] = {20 + ip.options_len + (i & 2 ? RTE_MIN(len, 8u) : len), 1};
		uint8_t buf[200];
		size_t all = test_ip4(buf, &ip, proto, l4, len);
		struct pkt *p = ext_pkt(&env, &t, buf, all, sizes, 2);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
		enum ext_answer a = ext_ask(&c, name, revision, options, size);

		if (i > 0)
			assert_int_equal(a, first);
		first = a;
		test_pkt_free(&env, p);
	}
	return first;
}

static void
port_ranges(void **state)
{
	static const struct {
		uint16_t spts[2], dpts[2];
		uint8_t inv;
		uint16_t sport, dport;
		enum ext_answer answer;
	} rows[] = {
		{{0, 65535}, {80, 80}, 0, 1, 80, YES},
		{{0, 65535}, {80, 80}, 0, 80, 79, NO},
		{{0, 65535}, {80, 80}, 0, 80, 81, NO},
		{{0, 65535}, {80, 80}, 2, 1, 80, NO},
		{{0, 65535}, {80, 80}, 2, 1, 81, YES},
		{{20, 21}, {0, 65535}, 0, 19, 20, NO},
		{{20, 21}, {0, 65535}, 0, 20, 9, YES},
		{{20, 21}, {0, 65535}, 0, 21, 9, YES},
		{{20, 21}, {0, 65535}, 0, 22, 9, NO},
		{{20, 21}, {0, 65535}, 1, 21, 9, NO},
		{{20, 21}, {0, 65535}, 1, 22, 9, YES},
		{{1024, 65535}, {0, 1023}, 0, 65535, 0, YES},
		{{1024, 65535}, {0, 1023}, 0, 1023, 0, NO},
		{{1024, 65535}, {0, 1023}, 0, 1024, 1024, NO},
		{{1024, 65535}, {0, 1023}, 3, 1023, 1024, YES},
		{{5, 4}, {0, 65535}, 0, 5, 5, NO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct xt_udp udp = {.spts = {rows[i].spts[0], rows[i].spts[1]},
			.dpts = {rows[i].dpts[0], rows[i].dpts[1]},
			.invflags = rows[i].inv};
		const struct xt_tcp tcp = {.spts = {rows[i].spts[0], rows[i].spts[1]},
			.dpts = {rows[i].dpts[0], rows[i].dpts[1]},
			.invflags = rows[i].inv};
		uint8_t l4[20] = {(uint8_t)(rows[i].sport >> 8), (uint8_t)rows[i].sport,
			(uint8_t)(rows[i].dport >> 8), (uint8_t)rows[i].dport, [12] = 0x50};

		if (ask(17, l4, 8, 0, "udp", 0, &udp, sizeof(udp)) != rows[i].answer ||
			ask(6, l4, 20, 0, "tcp", 0, &tcp, sizeof(tcp)) != rows[i].answer)
			fail_msg("row %zu", i);
	}
}

/* Every set of flags against --syn and others, by the words of the manual. */
static void
tcp_flags(void **state)
{
	static const struct {
		uint8_t mask, cmp, inv;
	} rules[] = {{0x17, 0x02, 0}, {0x17, 0x02, XT_TCP_INV_FLAGS}, {0x06, 0x02, 0}, {0x3f, 0, 0},
		{0x3f, 0x3f, 0}, {0x01, 0x01, XT_TCP_INV_FLAGS}, {0, 0, 0}, {0, 1, 0}};
	uint8_t l4[20] = {[12] = 0x50};

	(void)state;
	for (size_t r = 0; r < COUNT(rules); r++)
		for (unsigned flags = 0; flags < 256; flags++) {
			const struct xt_tcp o = {.spts = {0, 65535},
				.dpts = {0, 65535},
				.flg_mask = rules[r].mask,
				.flg_cmp = rules[r].cmp,
				.invflags = rules[r].inv};
			bool holds = (flags & rules[r].mask) == rules[r].cmp;
			enum ext_answer want = holds != (rules[r].inv != 0) ? YES : NO;

			l4[13] = (uint8_t)flags;
			if (ask(6, l4, 20, 0, "tcp", 0, &o, sizeof(o)) != want)
				fail_msg("rule %zu, flags 0x%02x", r, flags);
		}
}

struct option_row {
	const char *what;
	uint8_t doff;
	uint8_t o[12];
	size_t len;
	enum ext_answer has, has_not;
};

/* --tcp-option 2 and its inversion; what the kernel here says was looked up by trying. */
static void
tcp_option(void **state)
{
	static const struct option_row rows[] = {
		{"none", 5, {0}, 0, NO, YES},
		{"at once", 6, {2, 4, 5, 0xb4}, 4, YES, NO},
		{"after no-operations", 7, {1, 1, 1, 2, 4, 5, 0xb4, 0}, 8, YES, NO},
		{"after another", 7, {3, 3, 7, 1, 2, 4, 5, 0xb4}, 8, YES, NO},
		{"inside another", 6, {5, 4, 2, 4}, 4, NO, YES},
		{"past the end of the list", 7, {0, 2, 4, 5, 0, 0, 0, 0}, 8, YES, NO},
		{"after a length of 0", 7, {7, 0, 2, 4, 1, 1, 1, 1}, 8, YES, NO},
		{"behind one too long", 6, {7, 0x28, 2, 4}, 4, NO, YES},
		{"last byte", 6, {1, 1, 1, 2}, 4, YES, NO},
		{"another, last byte", 6, {1, 1, 1, 3}, 4, NO, YES},
		{"header of 16", 4, {2, 4, 5, 0xb4}, 4, CONDEMNED, CONDEMNED},
		{"header of 0", 0, {2, 4, 5, 0xb4}, 4, CONDEMNED, CONDEMNED},
		{"cut off by one", 7, {1, 1, 1, 1, 1, 1, 1}, 7, CONDEMNED, CONDEMNED},
		{"cut off whole", 6, {0}, 0, CONDEMNED, CONDEMNED},
		{"data, not options", 5, {2, 4, 5, 0xb4}, 4, NO, YES},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xt_tcp o = {.spts = {0, 65535}, .dpts = {0, 65535}, .option = 2};
		uint8_t l4[32] = {[12] = (uint8_t)(rows[i].doff << 4)};

		memcpy(l4 + 20, rows[i].o, rows[i].len);
		if (ask(6, l4, 20 + rows[i].len, 0, "tcp", 0, &o, sizeof(o)) != rows[i].has)
			fail_msg("%s", rows[i].what);
		o.invflags = XT_TCP_INV_OPTION;
		if (ask(6, l4, 20 + rows[i].len, 0, "tcp", 0, &o, sizeof(o)) != rows[i].has_not)
			fail_msg("not: %s", rows[i].what);
	}
}

static void
tcpmss(void **state)
{
	static const struct {
		const char *what;
		uint8_t doff;
		uint8_t o[12];
		size_t len;
		uint16_t min, max;
		enum ext_answer has, has_not;
	} rows[] = {
		{"1460 of 1460", 6, {2, 4, 5, 0xb4}, 4, 1460, 1460, YES, NO},
		{"1460 of 1461", 6, {2, 4, 5, 0xb4}, 4, 1461, 2000, NO, YES},
		{"1460 of 1459", 6, {2, 4, 5, 0xb4}, 4, 0, 1459, NO, YES},
		{"odd place", 7, {1, 2, 4, 5, 0xb4, 0, 0, 0}, 8, 1460, 1460, YES, NO},
		{"none", 5, {0}, 0, 0, 65535, NO, YES},
		{"wrong length", 6, {2, 3, 5, 0xb4}, 4, 0, 65535, NO, YES},
		{"cut off in the list", 6, {1, 2, 4, 5}, 4, 0, 65535, NO, YES},
		{"last byte", 6, {1, 1, 1, 2}, 4, 0, 65535, NO, YES},
		{"after a length of 0", 7, {7, 0, 2, 4, 1, 1, 1, 1}, 8, 257, 257, YES, NO},
		{"second counts not", 7, {2, 4, 0, 1, 2, 4, 0, 2}, 8, 2, 2, NO, YES},
		{"header of 16", 4, {2, 4, 5, 0xb4}, 4, 0, 65535, CONDEMNED, CONDEMNED},
		{"cut off by one", 7, {1, 1, 1, 1, 1, 1, 1}, 7, 0, 65535, CONDEMNED, CONDEMNED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xt_tcpmss_match_info o = {.mss_min = rows[i].min, .mss_max = rows[i].max};
		uint8_t l4[32] = {[12] = (uint8_t)(rows[i].doff << 4)};

		memcpy(l4 + 20, rows[i].o, rows[i].len);
		if (ask(6, l4, 20 + rows[i].len, 0, "tcpmss", 0, &o, sizeof(o)) != rows[i].has)
			fail_msg("%s", rows[i].what);
		o.invert = 1;
		if (ask(6, l4, 20 + rows[i].len, 0, "tcpmss", 0, &o, sizeof(o)) != rows[i].has_not)
			fail_msg("not: %s", rows[i].what);
	}
}

static void
icmp_types(void **state)
{
	static const struct {
		struct ipt_icmp o;
		uint8_t type, code;
		enum ext_answer answer;
	} rows[] = {
		{{8, {0, 255}, 0}, 8, 0, YES},
		{{8, {0, 255}, 0}, 8, 255, YES},
		{{8, {0, 255}, 0}, 0, 0, NO},
		{{8, {0, 255}, 1}, 8, 0, NO},
		{{8, {0, 255}, 1}, 0, 0, YES},
		{{3, {4, 4}, 0}, 3, 4, YES},
		{{3, {4, 4}, 0}, 3, 3, NO},
		{{3, {4, 4}, 0}, 3, 5, NO},
		{{3, {4, 4}, 0}, 4, 4, NO},
		{{3, {4, 4}, 1}, 3, 5, YES},
		{{255, {0, 255}, 0}, 77, 7, YES},
		{{255, {3, 3}, 0}, 77, 7, YES}, /* any type is any code too */
		{{255, {0, 255}, 1}, 77, 7, NO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const uint8_t l4[8] = {rows[i].type, rows[i].code};

		if (ask(1, l4, 8, 0, "icmp", 0, &rows[i].o, sizeof(rows[i].o)) != rows[i].answer)
			fail_msg("row %zu", i);
	}
}

static void
multiport(void **state)
{
	/* 22, 100:200, 80 */
	struct xt_multiport_v1 o = {.count = 4, .ports = {22, 100, 200, 80}, .pflags = {0, 1}};
	static const struct {
		uint8_t flags;
		uint16_t sport, dport;
		bool holds;
	} rows[] = {
		{XT_MULTIPORT_SOURCE, 22, 1, true},
		{XT_MULTIPORT_SOURCE, 1, 22, false},
		{XT_MULTIPORT_SOURCE, 99, 1, false},
		{XT_MULTIPORT_SOURCE, 100, 1, true},
		{XT_MULTIPORT_SOURCE, 200, 1, true},
		{XT_MULTIPORT_SOURCE, 201, 1, false},
		{XT_MULTIPORT_DESTINATION, 22, 1, false},
		{XT_MULTIPORT_DESTINATION, 1, 80, true},
		{XT_MULTIPORT_DESTINATION, 1, 81, false},
		{XT_MULTIPORT_DESTINATION, 1, 150, true},
		{XT_MULTIPORT_EITHER, 1, 22, true},
		{XT_MULTIPORT_EITHER, 22, 1, true},
		{XT_MULTIPORT_EITHER, 1, 1, false},
		{XT_MULTIPORT_EITHER, 21, 23, false},
	};
	static const uint8_t protos[] = {6, 17, 33, 132, 136};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t k = 0; k < COUNT(protos); k++) {
			const uint8_t l4[4] = {(uint8_t)(rows[i].sport >> 8),
				(uint8_t)rows[i].sport, (uint8_t)(rows[i].dport >> 8),
				(uint8_t)rows[i].dport};

			o.flags = rows[i].flags;
			o.invert = 0;
			if (ask(protos[k], l4, 4, 0, "multiport", 1, &o, sizeof(o)) !=
				(rows[i].holds ? YES : NO))
				fail_msg("row %zu", i);
			o.invert = 1;
			if (ask(protos[k], l4, 4, 0, "multiport", 1, &o, sizeof(o)) !=
				(rows[i].holds ? NO : YES))
				fail_msg("not row %zu", i);
		}
}

/* Options that every packet of the protocol satisfies, and the same inverted where that can be. */
static const struct xt_tcp any_tcp = {.spts = {0, 65535}, .dpts = {0, 65535}},
			   not_tcp = {.spts = {0, 65535},
				   .dpts = {0, 65535},
				   .invflags = XT_TCP_INV_DSTPT};
static const struct xt_udp any_udp = {.spts = {0, 65535}, .dpts = {0, 65535}},
			   not_udp = {.spts = {0, 65535},
				   .dpts = {0, 65535},
				   .invflags = XT_UDP_INV_SRCPT};
static const struct ipt_icmp any_icmp = {255, {0, 255}, 0}, not_icmp = {255, {0, 255}, 1};
static const struct xt_multiport_v1 any_ports = {.flags = XT_MULTIPORT_EITHER,
					    .count = 2,
					    .ports = {0, 65535},
					    .pflags = {1}},
				    not_ports = {.flags = XT_MULTIPORT_EITHER, .invert = 1};
static const struct xt_tcpmss_match_info any_mss = {0, 65535, 0}, not_mss = {0, 65535, 1};

struct cut_row {
	const char *name;
	uint8_t revision, proto;
	const void *options;
	size_t size;
	size_t need;   /* shortest layer 4 that is not condemned */
	bool negative; /* what it says of a whole one is no */
};

#define CUT(name, revision, proto, options, need, negative)                                        \
	{                                                                                          \
		name, revision, proto, &options, sizeof(options), need, negative                   \
	}

static const struct cut_row cuts[] = {
	CUT("tcp", 0, 6, any_tcp, 20, false),
	CUT("tcp", 0, 6, not_tcp, 20, true),
	CUT("udp", 0, 17, any_udp, 8, false),
	CUT("udp", 0, 17, not_udp, 8, true),
	CUT("icmp", 0, 1, any_icmp, 8, false),
	CUT("icmp", 0, 1, not_icmp, 8, true),
	CUT("multiport", 1, 6, any_ports, 4, false),
	CUT("multiport", 1, 6, not_ports, 4, false),
	CUT("tcpmss", 0, 6, any_mss, 20, true),
	CUT("tcpmss", 0, 6, not_mss, 20, false),
};

static void
truncated_headers(void **state)
{
	const uint8_t l4[24] = {[12] = 0x50};

	(void)state;
	for (size_t i = 0; i < COUNT(cuts); i++)
		for (size_t len = 0; len <= sizeof(l4); len++) {
			const struct cut_row *r = &cuts[i];
			enum ext_answer want = len < r->need ? CONDEMNED : r->negative ? NO : YES;

			if (ask(r->proto, l4, len, 0, r->name, r->revision, r->options, r->size) !=
				want)
				fail_msg("row %zu, %zu bytes", i, len);
		}
}

/* First fragments are like whole packets; later ones match nothing, not even inverted. */
static void
fragments(void **state)
{
	const uint8_t l4[24] = {[12] = 0x50};

	(void)state;
	for (size_t i = 0; i < COUNT(cuts); i++) {
		const struct cut_row *r = &cuts[i];
		bool mss = strcmp(r->name, "tcpmss") == 0;
		enum ext_answer whole = r->negative ? NO : YES;

		assert_int_equal(
			ask(r->proto, l4, 24, IP_MF, r->name, r->revision, r->options, r->size),
			whole);
		for (uint16_t off = 1; off < 0x2000; off = (uint16_t)(off * 2 + 1)) {
			enum ext_answer want = mss ? whole : NO;

			if (off == 1 && strcmp(r->name, "tcp") == 0)
				want = CONDEMNED;
			if (ask(r->proto, l4, 24, off, r->name, r->revision, r->options, r->size) !=
				want)
				fail_msg("row %zu, offset %u", i, off);
		}
		/* tcpmss wants a header of a later fragment too */
		assert_int_equal(ask(r->proto, l4, 8, 2, r->name, r->revision, r->options, r->size),
			mss ? CONDEMNED : NO);
	}
}

static void
what_a_path_depends_on(void **state)
{
	static const struct {
		struct xt_tcp o;
		enum ext_answer answer;
		uint16_t guards;
		bool refused;
	} rows[] = {
		{{{0, 65535}, {0, 65535}, 0, 0, 0, 0}, YES, 0, false},
		{{{0, 65535}, {0, 65535}, 0, 0x17, 0x10, 0}, YES, 0, false}, /* of a path they are known */
		{{{0, 65535}, {0, 65535}, 0, 0x17, 0x02, 0}, NO, 0, false},
		{{{0, 65535}, {0, 65535}, 0, 0x3f, 0x18, 0}, NO, GUARD_TCP_FLAGS, false},
		{{{0, 65535}, {9, 9}, 2, 0x17, 0x10, 0}, NO, 0, false}, /* the port decided */
		{{{0, 65535}, {0, 65535}, 2, 0, 0, 0}, NO, 0, true},
	};
	uint8_t buf[100];
	size_t len =
		test_tcp(buf, &(struct test_ip){.src = "10.0.0.2", .dst = "10.1.0.2"}, 1, 2, 0);
	struct pkt *p = ext_pkt(&env, &t, buf, len, NULL, 0);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
	struct recorder r;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(ext_ask_recorded(&c, "tcp", 0, &rows[i].o, sizeof(rows[i].o), &r),
			rows[i].answer);
		assert_int_equal(r.guards, rows[i].guards);
		assert_int_equal(r.refused, rows[i].refused);
		assert_int_equal(r.n_reads, 0);
	}
	test_pkt_free(&env, p);
}

static void
refusals(void **state)
{
	struct xt_multiport_v1 ports = {.count = 1};
	struct rules_rule rule = {0};
	const struct xt_tcp tcp = {.invflags = 0x10}, tcp_fine = {.invflags = 0x0f};
	const struct xt_udp udp = {.invflags = 4};
	const struct ipt_icmp icmp = {.invflags = 2};

	(void)state;
	assert_string_equal(
		ext_match_refusal("tcp", 0, &tcp, sizeof(tcp), NULL, 0), "unknown inversions 0x10");
	assert_string_equal(ext_match_refusal("tcp", 0, &tcp_fine, sizeof(tcp), NULL, 0), "");
	assert_string_equal(
		ext_match_refusal("udp", 0, &udp, sizeof(udp), NULL, 0), "unknown inversions 0x4");
	assert_string_equal(ext_match_refusal("icmp", 0, &icmp, sizeof(icmp), NULL, 0),
		"unknown inversions 0x2");
#define PORTS() ext_match_refusal("multiport", 1, &ports, sizeof(ports), &rule, 0)
	assert_string_equal(PORTS(), "needs -p tcp, udp, udplite, sctp or dccp");
	rule.proto = IPPROTO_UDP;
	assert_string_equal(PORTS(), "");
	rule.flags = RULE_NOT_PROTO;
	assert_string_equal(PORTS(), "needs -p tcp, udp, udplite, sctp or dccp");
	rule.flags = 0;
	ports.flags = 3;
	assert_string_equal(PORTS(), "unknown kind of ports 3");
	ports.flags = 0;
	ports.count = 16;
	assert_string_equal(PORTS(), "16 ports, at most 15 are possible");
	ports.count = 15;
	assert_string_equal(PORTS(), "");
	ports.pflags[14] = 1;
	assert_string_equal(PORTS(), "the last range of ports has no end");
	ports.pflags[13] = 1;
	assert_string_equal(PORTS(), "");
#undef PORTS
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(port_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(tcp_flags, setup, teardown),
		cmocka_unit_test_setup_teardown(tcp_option, setup, teardown),
		cmocka_unit_test_setup_teardown(tcpmss, setup, teardown),
		cmocka_unit_test_setup_teardown(icmp_types, setup, teardown),
		cmocka_unit_test_setup_teardown(multiport, setup, teardown),
		cmocka_unit_test_setup_teardown(truncated_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_path_depends_on, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
