/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter_ipv4/ipt_ttl.h>

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

static struct pkt *
udp(const struct test_ip *ip, size_t payload)
{
	static const size_t sizes[] = {28, 1, 3};
	uint8_t buf[3000];

	return ext_pkt(&env, &t, buf, test_udp(buf, ip, 1, 2, payload), sizes, 3);
}

static enum ext_answer
ask_ip(const struct test_ip *ip, size_t payload, const char *name, uint8_t revision,
	const void *options, size_t size, uint16_t guards)
{
	struct pkt *p = udp(ip, payload);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
	struct recorder r;
	enum ext_answer a = ext_ask_recorded(&c, name, revision, options, size, &r);

	assert_int_equal(r.guards, guards);
	assert_false(r.refused);
	test_pkt_free(&env, p);
	return a;
}

static void
ip_ranges(void **state)
{
	static const struct {
		uint8_t flags;
		const char *src, *dst;
		enum ext_answer answer;
	} rows[] = {
		/* from 10.0.0.250 to 10.0.1.5, and from 10.1.0.1 to 10.1.0.1 */
		{IPRANGE_SRC, "10.0.0.250", "9.9.9.9", YES},
		{IPRANGE_SRC, "10.0.1.5", "9.9.9.9", YES},
		{IPRANGE_SRC, "10.0.1.0", "9.9.9.9", YES},
		{IPRANGE_SRC, "10.0.0.249", "9.9.9.9", NO},
		{IPRANGE_SRC, "10.0.1.6", "9.9.9.9", NO},
		{IPRANGE_SRC | IPRANGE_SRC_INV, "10.0.1.6", "9.9.9.9", YES},
		{IPRANGE_SRC | IPRANGE_SRC_INV, "10.0.1.5", "9.9.9.9", NO},
		{IPRANGE_SRC | IPRANGE_DST_INV, "10.0.1.5", "9.9.9.9", YES},
		{IPRANGE_DST, "9.9.9.9", "10.1.0.1", YES},
		{IPRANGE_DST, "9.9.9.9", "10.1.0.0", NO},
		{IPRANGE_DST, "9.9.9.9", "10.1.0.2", NO},
		{IPRANGE_DST | IPRANGE_DST_INV, "9.9.9.9", "10.1.0.2", YES},
		{IPRANGE_SRC | IPRANGE_DST, "10.0.1.5", "10.1.0.1", YES},
		{IPRANGE_SRC | IPRANGE_DST, "10.0.1.6", "10.1.0.1", NO},
		{IPRANGE_SRC | IPRANGE_DST, "10.0.1.5", "10.1.0.2", NO},
		{IPRANGE_SRC | IPRANGE_DST | IPRANGE_SRC_INV | IPRANGE_DST_INV, "10.0.1.5",
			"10.1.0.2", NO},
		{0, "9.9.9.9", "9.9.9.9", YES},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct xt_iprange_mtinfo o = {.src_min.ip = inet_addr("10.0.0.250"),
			.src_max.ip = inet_addr("10.0.1.5"),
			.dst_min.ip = inet_addr("10.1.0.1"),
			.dst_max.ip = inet_addr("10.1.0.1"),
			.flags = rows[i].flags};
		const struct test_ip ip = {.src = rows[i].src, .dst = rows[i].dst};

		if (ask_ip(&ip, 4, "iprange", 1, &o, sizeof(o), 0) != rows[i].answer)
			fail_msg("row %zu", i);
	}
}

static void
lengths(void **state)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2"};
	const struct xt_length_info o = {100, 101, 0}, other = {100, 101, 1}, none = {101, 100, 0};

	(void)state;
	for (size_t len = 98; len < 104; len++) {
		bool in = len == 100 || len == 101;

		assert_int_equal(ask_ip(&ip, len - 28, "length", 0, &o, sizeof(o), GUARD_LENGTH),
			in ? YES : NO);
		assert_int_equal(
			ask_ip(&ip, len - 28, "length", 0, &other, sizeof(other), GUARD_LENGTH),
			in ? NO : YES);
		assert_int_equal(
			ask_ip(&ip, len - 28, "length", 0, &none, sizeof(none), GUARD_LENGTH), NO);
	}
}

/* 65535 bytes in 40 segments count as what they are. */
static void
length_of_a_super_packet(void **state)
{
	static uint8_t buf[65535];
	const struct xt_length_info whole = {65535, 65535, 0}, segment = {0, 65534, 0};
	size_t sizes[40], len;
	struct filter_ctx c;
	struct pkt *p;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		sizes[i] = 1637;
	len = test_tcp(buf, &(struct test_ip){.src = "10.0.0.2", .dst = "10.1.0.2"}, 1, 2, 65495);
	p = test_chain(&env, buf, len, sizes, COUNT(sizes));
	p->flags = PKT_CSUM_PARTIAL;
	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = 1460;
	p->csum_start = 20;
	p->csum_offset = 16;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	c = ext_ctx(&env, &t, p, RULES_FORWARD);
	assert_int_equal(ext_ask(&c, "length", 0, &whole, sizeof(whole)), YES);
	assert_int_equal(ext_ask(&c, "length", 0, &segment, sizeof(segment)), NO);
	test_pkt_free(&env, p);
}

static void
ttls(void **state)
{
	(void)state;
	for (uint8_t ttl = 62; ttl < 67; ttl++)
		for (uint8_t mode = IPT_TTL_EQ; mode <= IPT_TTL_GT; mode++) {
			const struct test_ip ip = {
				.src = "10.0.0.2", .dst = "10.1.0.2", .ttl = ttl};
			const struct ipt_ttl_info o = {mode, 64};
			const bool want[] = {ttl == 64, ttl != 64, ttl<64, ttl> 64};

			assert_int_equal(ask_ip(&ip, 4, "ttl", 0, &o, sizeof(o), GUARD_TTL),
				want[mode] ? YES : NO);
		}
}

static void
types_of_service(void **state)
{
	(void)state;
	for (unsigned tos = 0; tos < 256; tos++) {
		const struct test_ip ip = {
			.src = "10.0.0.2", .dst = "10.1.0.2", .tos = (uint8_t)tos};
		const uint8_t old[2] = {0x10, 0}, old_not[2] = {0x10, 1};
		const struct xt_tos_match_info o = {0x3c, 0x10, 0}, other = {0x3c, 0x10, 1};
		const struct xt_dscp_info ef = {46, 0}, not_ef = {46, 1};
		bool holds = (tos & 0x3c) == 0x10;

#define ASK(name, revision, o) ask_ip(&ip, 4, name, revision, &(o), sizeof(o), 0)
		assert_int_equal(ASK("tos", 0, old), tos == 0x10 ? YES : NO);
		assert_int_equal(ASK("tos", 0, old_not), tos == 0x10 ? NO : YES);
		assert_int_equal(ASK("tos", 1, o), holds ? YES : NO);
		assert_int_equal(ASK("tos", 1, other), holds ? NO : YES);
		assert_int_equal(ASK("dscp", 0, ef), tos >> 2 == 46 ? YES : NO);
		assert_int_equal(ASK("dscp", 0, not_ef), tos >> 2 == 46 ? NO : YES);
#undef ASK
	}
}

/*
 * As the kernel answers for the addresses of support/routers.h, in by eth0; its ANYCAST,
 * UNREACHABLE and so on never come: routes are not asked.
 */
static void
address_types(void **state)
{
	static const struct {
		const char *a;
		uint16_t type, on_eth0;
	} rows[] = {
		{"0.0.0.0", XT_ADDRTYPE_BROADCAST, XT_ADDRTYPE_BROADCAST},
		{"0.0.0.1", XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST},
		{"255.255.255.255", XT_ADDRTYPE_BROADCAST, XT_ADDRTYPE_BROADCAST},
		{"224.0.0.1", XT_ADDRTYPE_MULTICAST, XT_ADDRTYPE_MULTICAST},
		{"239.255.255.255", XT_ADDRTYPE_MULTICAST, XT_ADDRTYPE_MULTICAST},
		{"240.0.0.1", XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST},
		{"10.0.0.1", XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_LOCAL},
		{"10.0.9.1", XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_LOCAL},
		{"10.1.0.1", XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_UNICAST},
		{"127.0.0.1", XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_UNICAST},
		{"192.0.2.1", XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_UNICAST},
		{"192.168.1.1", XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_UNICAST},
		{"192.168.1.2", XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST},
		{"10.0.0.255", XT_ADDRTYPE_BROADCAST, XT_ADDRTYPE_BROADCAST},
		{"10.1.0.255", XT_ADDRTYPE_BROADCAST, XT_ADDRTYPE_UNICAST},
		{"10.0.0.2", XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST},
		{"8.8.8.8", XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (uint16_t bit = 1; bit <= XT_ADDRTYPE_XRESOLVE; bit = (uint16_t)(bit << 1)) {
			struct pkt *p =
				udp(&(struct test_ip){.src = rows[i].a, .dst = rows[i].a}, 4);
			struct filter_ctx c = ext_ctx(&env, &t, p, RULES_PREROUTING);
			const struct {
				struct xt_addrtype_info_v1 o;
				uint16_t type;
				bool invert;
			} asks[] = {
				{{.source = bit}, rows[i].type, false},
				{{.dest = bit}, rows[i].type, false},
				{{.source = bit, .flags = XT_ADDRTYPE_INVERT_SOURCE}, rows[i].type,
					true},
				{{.dest = bit, .flags = XT_ADDRTYPE_INVERT_DEST}, rows[i].type,
					true},
				{{.source = bit, .flags = XT_ADDRTYPE_LIMIT_IFACE_IN},
					rows[i].on_eth0, false},
				{{.dest = bit,
					 .flags = XT_ADDRTYPE_LIMIT_IFACE_IN |
						  XT_ADDRTYPE_INVERT_DEST},
					rows[i].on_eth0, true},
			};

			for (size_t k = 0; k < COUNT(asks); k++)
				if (ext_ask(&c, "addrtype", 1, &asks[k].o, sizeof(asks[k].o)) !=
					((asks[k].type == bit) != asks[k].invert ? YES : NO))
					fail_msg("%s, type 0x%x, way %zu", rows[i].a, bit, k);
			test_pkt_free(&env, p);
		}
}

static void
address_types_of_both_ends(void **state)
{
	static const struct {
		uint16_t source, dest;
		uint32_t flags;
		enum ext_answer answer;
	} rows[] = {
		{0, 0, 0, YES},
		{XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_LOCAL, 0, YES},
		{XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_LOCAL, 0, NO},
		{XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST, 0, NO},
		{XT_ADDRTYPE_UNICAST | XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_BROADCAST | XT_ADDRTYPE_LOCAL,
			0, YES},
		{XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_UNICAST, 3, YES},
		{XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_LOCAL, 3, NO},
		{XT_ADDRTYPE_UNICAST, XT_ADDRTYPE_UNICAST, 2, YES},
	};
	struct pkt *p = udp(&(struct test_ip){.src = "10.0.0.2", .dst = "10.1.0.1"}, 4);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
	struct xt_addrtype_info_v1 out = {
		.dest = XT_ADDRTYPE_LOCAL, .flags = XT_ADDRTYPE_LIMIT_IFACE_OUT};
	struct recorder r;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct xt_addrtype_info_v1 o = {rows[i].source, rows[i].dest, rows[i].flags};
		const struct xt_addrtype_info old = {
			rows[i].source, rows[i].dest, rows[i].flags & 1, rows[i].flags & 2};

		if (ext_ask(&c, "addrtype", 1, &o, sizeof(o)) != rows[i].answer ||
			ext_ask(&c, "addrtype", 0, &old, sizeof(old)) != rows[i].answer)
			fail_msg("row %zu", i);
	}
	/*
	 * out by eth1, whose address it is; the answer holds while the router's configuration does
	 */
	assert_int_equal(ext_ask_recorded(&c, "addrtype", 1, &out, sizeof(out), &r), YES);
	assert_int_equal(r.n_reads, 1);
	assert_ptr_equal(r.reads[0].object, &t.live.version);
	test_pkt_free(&env, p);
}

static void
packet_types(void **state)
{
	static const struct {
		uint16_t flags;
		enum rules_hook hook;
		int type;
	} rows[] = {
		{0, RULES_PREROUTING, PACKET_HOST},
		{PKT_BROADCAST, RULES_PREROUTING, PACKET_BROADCAST},
		{PKT_MULTICAST, RULES_INPUT, PACKET_MULTICAST},
		{PKT_BROADCAST, RULES_INPUT, PACKET_BROADCAST},
		{0, RULES_FORWARD, PACKET_HOST},
		{PKT_LOCAL | PKT_BROADCAST, RULES_OUTPUT, PACKET_HOST},
		{PKT_LOCAL | PKT_BROADCAST, RULES_POSTROUTING, PACKET_HOST},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pkt *p = udp(&(struct test_ip){.src = "10.0.0.2", .dst = "10.0.0.255"}, 4);
		struct filter_ctx c = ext_ctx(&env, &t, p, rows[i].hook);

		p->flags |= rows[i].flags;
		for (int type = PACKET_HOST; type <= PACKET_LOOPBACK; type++) {
			const struct xt_pkttype_info o = {type, 0}, other = {type, 1};

			if (ext_ask(&c, "pkttype", 0, &o, sizeof(o)) !=
					(type == rows[i].type ? YES : NO) ||
				ext_ask(&c, "pkttype", 0, &other, sizeof(other)) !=
					(type == rows[i].type ? NO : YES))
				fail_msg("row %zu, type %d", i, type);
		}
		test_pkt_free(&env, p);
	}
}

static void
refusals(void **state)
{
	static const struct {
		uint32_t flags, hooks;
		const char *why;
	} rows[] = {
		{0xc, 0, "--limit-iface-in and --limit-iface-out exclude each other"},
		{8, 1 << RULES_PREROUTING,
			"--limit-iface-out is not possible in PREROUTING and INPUT"},
		{8, 1 << RULES_INPUT | 1 << RULES_FORWARD,
			"--limit-iface-out is not possible in PREROUTING and INPUT"},
		{8, 1 << RULES_FORWARD | 1 << RULES_OUTPUT | 1 << RULES_POSTROUTING, ""},
		{4, 1 << RULES_OUTPUT,
			"--limit-iface-in is not possible in POSTROUTING and OUTPUT"},
		{4, 1 << RULES_POSTROUTING,
			"--limit-iface-in is not possible in POSTROUTING and OUTPUT"},
		{4, 1 << RULES_FORWARD | 1 << RULES_INPUT | 1 << RULES_PREROUTING, ""},
		{4, 0, ""},
		{3, 0x1f, ""},
	};
	const struct ipt_ttl_info ttl = {4, 1};
	struct xt_dscp_info dscp = {64, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct xt_addrtype_info_v1 o = {1, 1, rows[i].flags};

		assert_string_equal(
			ext_match_refusal("addrtype", 1, &o, sizeof(o), NULL, rows[i].hooks),
			rows[i].why);
	}
	assert_string_equal(
		ext_match_refusal("ttl", 0, &ttl, sizeof(ttl), NULL, 0), "unknown comparison 4");
	assert_string_equal(ext_match_refusal("dscp", 0, &dscp, sizeof(dscp), NULL, 0),
		"DSCP 64 is more than 63");
	dscp.dscp = 63;
	assert_string_equal(ext_match_refusal("dscp", 0, &dscp, sizeof(dscp), NULL, 0), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ip_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(length_of_a_super_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(ttls, setup, teardown),
		cmocka_unit_test_setup_teardown(types_of_service, setup, teardown),
		cmocka_unit_test_setup_teardown(address_types, setup, teardown),
		cmocka_unit_test_setup_teardown(address_types_of_both_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(packet_types, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
