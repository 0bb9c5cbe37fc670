/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REJECT. The packets and answers of the table are those of a Linux 6.18 router with the addresses
 * of the test router, its IP ids set to 0: packets as they were in FORWARD or INPUT, and what the
 * kernel sent back.
 */
#include "filters/extensions.h"

#include "fabric/base/csum.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <stdlib.h>

static struct test_env env;
static struct env_ops ops;
static struct test_router t;
static const struct pkt *made, *cause;

static void
attach(struct env *e, struct pkt *m, const struct pkt *c)
{
	(void)e;
	made = m;
	cause = c;
	m->ct = 0;
}

static void
untrack(struct env *e, struct pkt *p)
{
	(void)e;
	p->ct = 0;
}

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	ops = *env.env.ops;
	ops.attach = attach;
	ops.untrack = untrack;
	env.env.ops = &ops;
	test_router_init(&t);
	made = cause = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

static size_t
unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;
	unsigned b;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &b), 1);
		out[i] = (uint8_t)b;
	}
	return n;
}

static struct pkt *
packet(const uint8_t *b, size_t len)
{
	struct pkt *p = test_pkt(&env, b, len);

	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &t.r;
	p->in = &t.ifaces[TEST_ETH0];
	return p;
}

static enum filter_verdict
reject(struct pkt *p, enum ipt_reject_with with)
{
	_Alignas(8) struct ipt_reject_info info = {.with = with};
	struct filter_ctx c = {.env = &env.env,
		.router = &t.r,
		.p = p,
		.in = p->in,
		.hook = RULES_FORWARD,
		.table = TABLE_FILTER};
	enum filter_verdict v = target_find("REJECT", 0)->run(&c, &info, NULL);

	assert_int_equal(c.why, DROP_REJECT);
	return v;
}

static const struct {
	const char *name;
	enum ipt_reject_with with;
	const char *packet, *answer; /* answer "": silence */
} kernel[] = {
	{"icmp-net-unreachable", IPT_ICMP_NET_UNREACHABLE,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a0000050300b33200000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"icmp-host-unreachable", IPT_ICMP_HOST_UNREACHABLE,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a0000050301b33100000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"icmp-proto-unreachable", IPT_ICMP_PROT_UNREACHABLE,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a0000050302b33000000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"icmp-port-unreachable", IPT_ICMP_PORT_UNREACHABLE,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a0000050303b32f00000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"icmp-net-prohibited", IPT_ICMP_NET_PROHIBITED,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a0000050309b32900000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"icmp-host-prohibited", IPT_ICMP_HOST_PROHIBITED,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a000005030ab32800000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"icmp-admin-prohibited", IPT_ICMP_ADMIN_PROHIBITED,
		"452e001f000700003f11c5830a000005ac10000100010002000b855c616263",
		"45ce003b00000000400165ef0a0000010a000005030db32500000000452e001f000700003f11c583"
		"0a000005ac10000100010002000b855c616263"},
	{"rst from nobody to nobody", IPT_TCP_RESET,
		"450000288a7b000004062c5600000000000000001f901f8f10cb1e57d5a03b3350127210bead0000", ""},
	{"rst with a checksum of 0", IPT_TCP_RESET,
		"4501004597160000ff0609910a0100020a010707fa99138806e47fa20000000050297210"
		"7f440000161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da",
		"450000280000400040061fc60a0107070a0100021388fa990000000006e47fc050140000ffff0000"},
	{"rst syn", IPT_TCP_RESET,
		"45000028000700003f06c5b30a000005ac10000104010050000003e8000007d050021000d9c30000",
		"4500002800004000400684baac1000010a0000050050040100000000000003e950140000f1800000"},
	{"rst ack", IPT_TCP_RESET,
		"4500002d000700003f06c5ae0a000005ac10000104010050000003e8000007d05010100095de0000"
		"68656c6c6f",
		"4500002800004000400684baac1000010a00000500500401000007d00000000050040000eda90000"},
	{"rst data noack", IPT_TCP_RESET,
		"4500002d000700003f06c5ae0a000005ac10000104010050000003e8000007d05009100095e50000"
		"68656c6c6f",
		"4500002800004000400684baac1000010a0000050050040100000000000003ee50140000f17b0000"},
	{"rst of rst", IPT_TCP_RESET,
		"45000028000700003f06c5b30a000005ac10000104010050000003e8000007d050041000d9c10000",
		""},
	{"rst badcsum", IPT_TCP_RESET,
		"45000028000700003f06c5b30a000005ac10000104010050000003e8000007d050021000d9c20000",
		""},
	{"rst first frag", IPT_TCP_RESET,
		"4500002c000720003f06a5af0a000005ac10000104010050000003e8000007d050021000e8ce0000"
		"78787878",
		"4500002800004000400684baac1000010a0000050050040100000000000003ed50140000f17c0000"},
	{"rst later frag", IPT_TCP_RESET,
		"45000028000700053f06c5ae0a000005ac10000104010050000003e8000007d050021000d9c30000",
		""},
	{"rst doff15", IPT_TCP_RESET,
		"45000028000700003f06c5b30a000005ac10000104010050000003e8000007d0f002100039c30000",
		"4500002800004000400684baac1000010a0000050050040100000000000003c150140000f1a80000"},
	{"rst doff3", IPT_TCP_RESET,
		"45000028000700003f06c5b30a000005ac10000104010050000003e8000007d030021000f9c30000",
		"4500002800004000400684baac1000010a0000050050040100000000000003f150140000f1780000"},
	{"udp bad", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700003f11c5b10a000005ac10000100010002000b855d616263", ""},
	{"udp zero", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700003f11c5b10a000005ac10000100010002000b0000616263",
		"45c0003b00000000400165fd0a0000010a0000050303388c000000004500001f000700003f11c5b1"
		"0a000005ac10000100010002000b0000616263"},
	{"udp first frag", IPT_ICMP_PORT_UNREACHABLE,
		"45000024000720003f11a5ac0a000005ac10000100010002001067d37878787878787878",
		"45c0004000000000400165f80a0000010a0000050303b3340000000045000024000720003f11a5ac"
		"0a000005ac10000100010002001067d37878787878787878"},
	{"udp later", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700033f11c5ae0a000005ac10000100010002000b855c616263", ""},
	{"udp ulen short", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700003f11c5b10a000005ac100001000100020009855e616263",
		"45c0003b00000000400165fd0a0000010a0000050303b32f000000004500001f000700003f11c5b1"
		"0a000005ac100001000100020009855e616263"},
	{"udp short header", IPT_ICMP_PORT_UNREACHABLE,
		"45000018000700003f11c5b80a000005ac10000100010002", ""},
	{"proto 253", IPT_ICMP_PORT_UNREACHABLE,
		"4500001a000700003ffdc4ca0a000005ac100001616263646566", ""},
	{"proto 253 sum0", IPT_ICMP_PORT_UNREACHABLE,
		"45000018000700003ffdc4cc0a000005ac1000011234edcb",
		"45c0003400000000400166040a0000010a0000050303fcfc0000000045000018000700003ffdc4cc"
		"0a000005ac1000011234edcb"},
	{"gre", IPT_ICMP_PORT_UNREACHABLE, "4500001a000700003f2fc5980a000005ac100001616263646566",
		"45c0003600000000400166020a0000010a0000050303d2cf000000004500001a000700003f2fc598"
		"0a000005ac100001616263646566"},
	{"proto 253 empty", IPT_ICMP_PORT_UNREACHABLE, "45000014000700003ffdc4d00a000005ac100001",
		"45c0003000000000400166080a0000010a0000050303fcfc0000000045000014000700003ffdc4d0"
		"0a000005ac100001"},
	{"proto 253 zeros", IPT_ICMP_PORT_UNREACHABLE,
		"4500001c000700003ffdc4c80a000005ac1000010000000000000000",
		"45c0003800000000400166000a0000010a0000050303fcfc000000004500001c000700003ffdc4c8"
		"0a000005ac1000010000000000000000"},
	{"echo", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700003f01c5c10a000005ac100001080005830001000278797a",
		"45c0003b00000000400165fd0a0000010a0000050303fcfc000000004500001f000700003f01c5c1"
		"0a000005ac100001080005830001000278797a"},
	{"icmp unreach", IPT_ICMP_PORT_UNREACHABLE,
		"4500003b000700003f01c5a50a000005ac1000010301b331000000004500001f000700004011c4b1"
		"ac1000010a00000500010002000b855c616263",
		""},
	{"icmp bad", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700003f01c5c10a000005ac100001080005820001000278797a", ""},
	{"sctp", IPT_ICMP_PORT_UNREACHABLE,
		"45000026000700003f84c5370a000005ac100001616263646566616263646566616263646566",
		"45c0004200000000400165f60a0000010a00000503037e750000000045000026000700003f84c537"
		"0a000005ac100001616263646566616263646566616263646566"},
	{"icmp type 40", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f000700003f01c5c10a000005ac1000012800e5820001000278797a", ""},
	{"to the router itself", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f00070000401166c20a0000050a00000100010002000b276d616263",
		"45c0003b00000000400165fd0a0000010a0000050303111f000000004500001f00070000401166c2"
		"0a0000050a00000100010002000b276d616263"},
	{"udp bcast", IPT_ICMP_PORT_UNREACHABLE,
		"4500001f00070000401165c40a0000050a0000ff00010002000b266f616263", ""},
	{"rst self", IPT_TCP_RESET,
		"4500002800070000400666c40a0000050a00000104010050000003e8000007d0500210007bd40000",
		"4500002800004000400626cb0a0000010a0000050050040100000000000003e95014000093910000"},
};

static void
compare(const char *name, struct pkt *answer, const char *hex)
{
	uint8_t want[256];
	size_t len = unhex(hex, want);
	uint8_t *got;

	if (!answer || len == 0) {
		if (answer || len)
			fail_msg("%s: %s", name, answer ? "an answer" : "no answer");
		return;
	}
	got = pkt_data(answer);
	if (answer->proto == IPPROTO_ICMP) {
		got[4] = got[5] = 0;
		test_fix_ip(got);
	}
	if (pkt_len(answer) != len || memcmp(got, want, len) != 0)
		fail_msg("%s: another answer", name);
	assert_ptr_equal(answer->router, &t.r);
	assert_null(answer->out);
}

static void
answers_as_the_kernel_does(void **state)
{
	uint8_t b[256];

	(void)state;
	t.r.tunables.value[TUNE_ICMP_RATELIMIT] = 0;
	for (size_t i = 0; i < RTE_DIM(kernel); i++) {
		struct pkt *p = packet(b, unhex(kernel[i].packet, b)), *answer;
		enum pkt_origin origin;

		assert_int_equal(reject(p, kernel[i].with), FILTER_DROP);
		answer = test_next(&env, &origin);
		compare(kernel[i].name, answer, kernel[i].answer);
		if (answer) {
			assert_int_equal(origin, ORIGIN_OUTPUT);
			test_pkt_free(&env, answer);
		}
		assert_null(test_next(&env, NULL));
		test_pkt_free(&env, p);
		env.env.now += TEST_SECOND;
	}
}

static void
chained_segments(void **state)
{
	static const size_t cut[] = {41, 3};
	uint8_t b[256];
	struct pkt *p, *answer;
	size_t len;

	(void)state;
	len = test_tcp(b, &(struct test_ip){.src = "10.0.0.5", .dst = "172.16.0.1"}, 1, 2, 50);
	p = test_chain(&env, b, len, cut, 2);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->in = &t.ifaces[TEST_ETH0];
	reject(p, IPT_TCP_RESET);
	answer = test_next(&env, NULL);
	assert_non_null(answer);
	test_pkt_free(&env, answer);
	reject(p, IPT_ICMP_PORT_UNREACHABLE);
	answer = test_next(&env, NULL);
	assert_non_null(answer);
	assert_int_equal(pkt_len(answer), 28 + len);
	test_pkt_free(&env, answer);
	test_pkt_free(&env, p);
}

/* What is made belongs to the connection of what was refused. */
static void
the_connection_is_handed_on(void **state)
{
	static const enum ipt_reject_with how[] = {IPT_TCP_RESET, IPT_ICMP_PORT_UNREACHABLE};
	uint8_t b[256];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(how); i++) {
		struct pkt *p = packet(
			b, test_tcp(b, &(struct test_ip){.src = "10.0.0.5", .dst = "172.16.0.1"}, 1,
				   2, 4));
		struct pkt *answer;

		p->ct = 7;
		reject(p, how[i]);
		answer = test_next(&env, NULL);
		assert_non_null(answer);
		assert_ptr_equal(made, answer);
		assert_ptr_equal(cause, p);
		test_pkt_free(&env, answer);
		p->ct = 0;
		test_pkt_free(&env, p);
		made = cause = NULL;
	}
}

/* As icmp_send() is limited; resets are not. */
static void
errors_are_limited(void **state)
{
	unsigned errors = 0, resets = 0;
	struct pkt *answer, *p;
	uint8_t b[256];

	(void)state;
	p = packet(
		b, test_tcp(b, &(struct test_ip){.src = "10.0.0.5", .dst = "172.16.0.1"}, 1, 2, 4));
	for (unsigned i = 0; i < 100; i++) {
		reject(p, IPT_ICMP_HOST_UNREACHABLE);
		while ((answer = test_next(&env, NULL))) {
			errors++;
			test_pkt_free(&env, answer);
		}
		reject(p, IPT_TCP_RESET);
		while ((answer = test_next(&env, NULL))) {
			resets++;
			test_pkt_free(&env, answer);
		}
	}
	assert_int_equal(errors, 6);
	assert_int_equal(t.live.drops.n[DROP_ICMP_RATE], 94);
	assert_int_equal(resets, 100);
	test_pkt_free(&env, p);
}

static void
link_broadcasts_are_not_answered(void **state)
{
	struct pkt *p;
	uint8_t b[256];

	(void)state;
	p = packet(
		b, test_udp(b, &(struct test_ip){.src = "10.0.0.5", .dst = "172.16.0.1"}, 1, 2, 4));
	p->flags |= PKT_BROADCAST;
	reject(p, IPT_ICMP_PORT_UNREACHABLE);
	assert_null(test_next(&env, NULL));
	test_pkt_free(&env, p);
}

static void
no_buffer(void **state)
{
	struct pkt *p;
	uint8_t b[256];

	(void)state;
	p = packet(
		b, test_tcp(b, &(struct test_ip){.src = "10.0.0.5", .dst = "172.16.0.1"}, 1, 2, 4));
	env.allocs_left = 0;
	assert_int_equal(reject(p, IPT_TCP_RESET), FILTER_DROP);
	assert_int_equal(reject(p, IPT_ICMP_PORT_UNREACHABLE), FILTER_DROP);
	assert_null(test_next(&env, NULL));
	test_pkt_free(&env, p);
}

static const struct {
	unsigned with;
	uint16_t proto;
	uint8_t flags;
	const char *why; /* NULL: fine */
} checks[] = {
	{IPT_ICMP_PORT_UNREACHABLE, 0, 0, NULL},
	{IPT_ICMP_ADMIN_PROHIBITED, IPPROTO_UDP, 0, NULL},
	{IPT_TCP_RESET, IPPROTO_TCP, 0, NULL},
	{IPT_TCP_RESET, 0, 0, "TCP_RESET invalid for non-tcp"},
	{IPT_TCP_RESET, IPPROTO_UDP, 0, "TCP_RESET invalid for non-tcp"},
	{IPT_TCP_RESET, IPPROTO_TCP, RULE_NOT_PROTO, "TCP_RESET invalid for non-tcp"},
	{IPT_ICMP_ECHOREPLY, 0, 0, "ECHOREPLY no longer supported"},
	{IPT_ICMP_ADMIN_PROHIBITED + 1, 0, 0, "unknown reject type 9"},
};

static void
options(void **state)
{
	const struct target_ops *o = target_find("REJECT", 0);

	(void)state;
	assert_int_equal(o->size, 8);
	assert_int_equal(o->tables, 1 << TABLE_FILTER);
	assert_int_equal(o->hooks, 1 << RULES_INPUT | 1 << RULES_FORWARD | 1 << RULES_OUTPUT);
	for (size_t i = 0; i < RTE_DIM(checks); i++) {
		struct rules_rule rule = {.proto = checks[i].proto, .flags = checks[i].flags};
		_Alignas(8) unsigned info[2] = {checks[i].with};
		char why[128] = "";
		struct ext_check c = {.rule = &rule, .why = why, .why_size = sizeof(why)};
		void *prepared = NULL;

		assert_int_equal(o->check(&c, info, &prepared), checks[i].why ? -EINVAL : 0);
		assert_string_equal(why, checks[i].why ? checks[i].why : "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_as_the_kernel_does, setup, teardown),
		cmocka_unit_test_setup_teardown(chained_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(the_connection_is_handed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(link_broadcasts_are_not_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(no_buffer, setup, teardown),
		cmocka_unit_test(options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
