/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connlimit as it stands in a rule of FORWARD: each packet is tracked, asked about, and confirmed
 * if the test lets it pass.
 */
#include "filters/extensions.h"

#include "tests/unit/support/extensions.h"
#include "tests/unit/support/flows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/xt_connlimit.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum pass { PASS, STOP };

#define ADDR(a, b, c, d) RTE_BE32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static const char server[] = "10.1.0.2";

static struct test_flows f;
static struct xt_connlimit_info rule;
static void *memory; /* of the rule */

static int
setup(void **state)
{
	(void)state;
	test_flows_init(&f, 1);
	rule = (struct xt_connlimit_info){.mask.ip = ~0u, .limit = 2};
	memory = calloc(1, match_find("connlimit", 1)->state_size);
	return 0;
}

static void
forget_everything(void)
{
	match_find("connlimit", 1)->stop(memory);
}

static int
teardown(void **state)
{
	(void)state;
	forget_everything();
	free(memory);
	test_conntrack_check(f.filters.conntrack, 0);
	return (int)test_flows_fini(&f);
}

static enum ext_answer
ask(struct pkt *p)
{
	struct filter_ctx c = ext_ctx(&f.env, &f.router, p, RULES_FORWARD);
	bool yes = match_find("connlimit", 1)->match(&c, &rule, memory);

	assert_true(!yes || !c.malformed);
	return c.malformed ? CONDEMNED : yes ? YES : NO;
}

/* Takes the packet. */
static enum ext_answer
meet(struct pkt *p, enum pass pass)
{
	enum drop_reason why;
	enum ext_answer answer;

	assert_int_equal(
		conntrack_input(&f.env.env, &f.router.r, p, RULES_PREROUTING, &why), FILTER_ACCEPT);
	answer = ask(p);
	if (pass == PASS)
		assert_int_equal(
			conntrack_confirm(&f.env.env, &f.router.r, p, &why), FILTER_ACCEPT);
	env_pkt_free(&f.env.env, p);
	return answer;
}

static enum ext_answer
udp_to(const char *src, uint16_t sport, const char *dst, enum pass pass)
{
	const struct test_ip ip = {.src = src, .dst = dst};
	uint8_t buf[100];

	return meet(test_arrive(&f, buf, test_udp(buf, &ip, sport, 53, 8)), pass);
}

static enum ext_answer
udp(const char *src, uint16_t sport)
{
	return udp_to(src, sport, server, PASS);
}

static enum ext_answer
tcp(const char *src, uint16_t sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct test_segment s = {.flags = flags, .seq = seq, .ack = ack, .win = 8192};
	const struct test_ip ip = {.src = src, .dst = server};
	uint8_t buf[100];

	return meet(test_arrive(&f, buf, test_segment(buf, &ip, sport, 80, &s)), PASS);
}

/* From the server; the rule, which stands for one direction, does not see it. */
static void
tcp_back(const char *to, uint16_t dport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct test_segment s = {.flags = flags, .seq = seq, .ack = ack, .win = 8192};
	const struct test_ip ip = {.src = server, .dst = to};
	uint8_t buf[100];

	test_pass_through(&f, buf, test_segment(buf, &ip, 80, dport, &s));
}

static enum ext_answer
open_tcp(const char *src, uint16_t sport)
{
	enum ext_answer answer = tcp(src, sport, SYN, 100, 0);

	tcp_back(src, sport, SYN | ACK, 500, 101);
	tcp(src, sport, ACK, 101, 501);
	return answer;
}

static void
above_and_upto(void **state)
{
	(void)state;
	assert_int_equal(udp("10.0.0.2", 1), NO);
	assert_int_equal(udp("10.0.0.2", 2), NO);
	assert_int_equal(udp("10.0.0.2", 3), YES);
	assert_int_equal(udp("10.0.0.2", 4), YES);
	assert_int_equal(udp("10.0.0.3", 1), NO); /* each address for itself */
	rule.flags = XT_CONNLIMIT_INVERT;
	assert_int_equal(udp("10.0.0.2", 5), NO);
	assert_int_equal(udp("10.0.0.3", 2), YES);
	assert_int_equal(udp("10.0.0.3", 3), NO);
}

static void
none_at_all(void **state)
{
	(void)state;
	rule.limit = 0;
	assert_int_equal(udp("10.0.0.2", 1), YES);
}

static void
a_connection_counts_once(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(udp("10.0.0.2", 1), NO);
	assert_int_equal(open_tcp("10.0.0.2", 2), NO);
	for (int i = 0; i < 20; i++)
		assert_int_equal(tcp("10.0.0.2", 2, ACK, 101, 501), NO);
	assert_int_equal(udp("10.0.0.2", 3), YES);
	assert_int_equal(udp("10.0.0.2", 1), YES); /* the rule judges packets, not connections */
}

/* What the rule refuses never comes into the table, and is not counted again. */
static void
refused_ones_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(udp("10.0.0.2", 1), NO);
	assert_int_equal(udp("10.0.0.2", 2), NO);
	for (uint16_t port = 10; port < 50; port++)
		assert_int_equal(udp_to("10.0.0.2", port, server, STOP), YES);
	conntrack_delete(&f.env.env, f.filters.conntrack,
		test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1, server, 53));
	assert_int_equal(udp("10.0.0.2", 60), NO);
	assert_int_equal(udp("10.0.0.2", 61), YES);
}

/* 300 that have expired go 65 with each new one, as a kernel of 6.18 was seen to do it. */
static void
many_go_in_turns(void **state)
{
	static const enum ext_answer answers[] = {YES, YES, YES, YES, NO, YES, YES};

	(void)state;
	rule.limit = 5;
	for (uint16_t port = 1; port <= 300; port++)
		udp("10.0.0.2", port);
	f.env.env.now += 40 * TEST_SECOND;
	for (uint16_t i = 0; i < RTE_DIM(answers); i++)
		assert_int_equal(udp("10.0.0.2", (uint16_t)(1000 + i)), answers[i]);
}

static void
masks(void **state)
{
	(void)state;
	rule.mask.ip = ADDR(255, 255, 255, 0);
	assert_int_equal(udp("10.0.0.2", 1), NO);
	assert_int_equal(udp("10.0.0.200", 1), NO);
	assert_int_equal(udp("10.0.0.77", 1), YES);
	assert_int_equal(udp("10.0.1.77", 1), NO);
	forget_everything();
	rule.mask.ip = 0;
	assert_int_equal(udp("10.0.0.3", 1), NO);
	assert_int_equal(udp("172.16.0.1", 1), NO);
	assert_int_equal(udp("192.168.1.2", 1), YES);
}

static void
by_destination(void **state)
{
	(void)state;
	rule.flags = XT_CONNLIMIT_DADDR;
	assert_int_equal(udp_to("10.0.0.2", 1, "10.1.0.2", PASS), NO);
	assert_int_equal(udp_to("10.0.0.3", 1, "10.1.0.2", PASS), NO);
	assert_int_equal(udp_to("10.0.0.4", 1, "10.1.0.2", PASS), YES);
	assert_int_equal(udp_to("10.0.0.4", 1, "10.1.0.3", PASS), NO);
	rule.mask.ip = ADDR(255, 255, 0, 0);
	forget_everything();
	assert_int_equal(udp_to("10.0.0.5", 1, "10.1.0.2", PASS), NO);
	assert_int_equal(udp_to("10.0.0.5", 2, "10.1.7.2", PASS), NO);
	assert_int_equal(udp_to("10.0.0.5", 3, "10.1.8.2", PASS), YES);
	rule.flags |= XT_CONNLIMIT_INVERT;
	assert_int_equal(udp_to("10.0.0.5", 4, "10.1.9.2", PASS), NO);
	assert_int_equal(udp_to("10.0.0.5", 5, "10.2.9.2", PASS), YES);
}

static void
what_expires_is_forgotten(void **state)
{
	(void)state;
	assert_int_equal(udp("10.0.0.2", 1), NO);
	f.env.env.now += 20 * TEST_SECOND;
	assert_int_equal(udp("10.0.0.2", 2), NO);
	f.env.env.now += 9 * TEST_SECOND;
	assert_int_equal(udp("10.0.0.2", 3), YES);
	f.env.env.now += 2 * TEST_SECOND; /* the first one's 30 s are over */
	assert_int_equal(udp("10.0.0.2", 4), YES);
	f.env.env.now += 20 * TEST_SECOND; /* left: 3 and 4 */
	assert_int_equal(udp("10.0.0.2", 5), YES);
	f.env.env.now += 100 * TEST_SECOND;
	assert_int_equal(udp("10.0.0.2", 6), NO);
}

/* A closed one goes when another connection is counted or a packet of an assured one comes; as a kernel of 6.18 did. */
static void
closed_tcp_does_not_count(void **state)
{
	const char *client = "10.0.0.2";

	(void)state;
	assert_int_equal(open_tcp(client, 1), NO);
	assert_int_equal(open_tcp(client, 2), NO);
	assert_int_equal(tcp(client, 3, SYN, 100, 0), YES);
	tcp_back(client, 3, RST | ACK, 0, 101); /* CLOSE */
	assert_int_equal(tcp(client, 4, SYN, 100, 0), YES);
	tcp_back(client, 4, RST | ACK, 0, 101);
	assert_int_equal(tcp(client, 1, FIN | ACK, 101, 501), NO);
	assert_int_equal(tcp(client, 2, ACK, 101, 501), NO);
	assert_int_equal(tcp(client, 5, SYN, 100, 0), YES); /* half closed ones live */
	tcp_back(client, 5, RST | ACK, 0, 101);
	tcp_back(client, 1, FIN | ACK, 501, 102);
	assert_int_equal(tcp(client, 1, ACK, 102, 502), NO); /* TIME_WAIT */
	assert_int_equal(tcp(client, 2, ACK, 101, 501), NO);
	assert_int_equal(tcp(client, 6, SYN, 100, 0), NO);
	assert_int_equal(tcp(client, 7, SYN, 100, 0), YES);
}

/* A packet of a closed connection, and nothing else is left to count: dropped, as the kernel takes 0 for a lack of memory. */
static void
nothing_left_is_dropped(void **state)
{
	(void)state;
	rule.limit = 0;
	assert_int_equal(open_tcp("10.0.0.2", 1), YES);
	tcp_back("10.0.0.2", 1, RST, 501, 0);
	assert_int_equal(tcp("10.0.0.2", 1, ACK, 101, 501), CONDEMNED);
	rule.limit = 1;
	assert_int_equal(tcp("10.0.0.2", 1, ACK, 101, 501), CONDEMNED);
	assert_int_equal(tcp("10.0.0.2", 2, SYN, 100, 0), NO);
	assert_int_equal(tcp("10.0.0.2", 1, ACK, 101, 501), NO);
}

/* Before connection tracking has seen it, a packet goes by its own tuple; of an assured connection it is not counted. */
static void
before_tracking(void **state)
{
	const struct test_segment s = {.flags = ACK, .seq = 101, .ack = 501, .win = 8192};
	const struct test_ip ip = {.src = "10.0.0.2", .dst = server};
	uint8_t buf[100];
	struct pkt *p;

	(void)state;
	rule.limit = 1;
	open_tcp("10.0.0.2", 1);
	for (uint16_t port = 1; port <= 2; port++) {
		p = test_arrive(&f, buf, test_segment(buf, &ip, port, 80, &s));
		assert_int_equal(ask(p), port == 1 ? NO : YES);
		env_pkt_free(&f.env.env, p);
	}
}

/* A rule that is new learns of the first connection of an address, and of such as are not assured. */
static void
connections_before_the_rule(void **state)
{
	(void)state;
	for (uint16_t port = 1; port <= 3; port++)
		open_tcp("10.0.0.2", port);
	forget_everything();
	assert_int_equal(tcp("10.0.0.2", 1, ACK, 101, 501), NO);
	assert_int_equal(tcp("10.0.0.2", 2, ACK, 101, 501), NO);
	assert_int_equal(tcp("10.0.0.2", 1, ACK, 101, 501), NO);
	assert_int_equal(tcp("10.0.0.2", 3, ACK, 101, 501), NO);
	assert_int_equal(udp("10.0.0.2", 1), NO);
	assert_int_equal(udp("10.0.0.2", 2), YES);
}

static void
zones_are_apart(void **state)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = server};
	uint8_t buf[100];
	size_t len = test_udp(buf, &ip, 1, 53, 8);

	(void)state;
	rule.limit = 1;
	for (uint16_t zone = 0; zone < 3; zone++) {
		struct pkt *p = test_arrive(&f, buf, len);

		p->ct_zone = zone;
		p->ct_zone_dir = zone ? 3 : 0;
		assert_int_equal(meet(p, PASS), NO);
	}
	assert_int_equal(udp("10.0.0.2", 2), YES);
}

static void
untracked_and_invalid(void **state)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = server};
	uint8_t buf[100];
	struct pkt *p;

	(void)state;
	rule.limit = 1;
	assert_int_equal(udp("10.0.0.2", 1), NO);
	p = test_arrive(&f, buf, test_udp(buf, &ip, 2, 53, 8));
	p->ct_info = CT_UNTRACKED;
	assert_int_equal(meet(p, PASS), YES); /* by its tuple, like any other */
	p = test_arrive(&f, buf, test_icmp(buf, &ip, 0, 0, 1, 1, 8)); /* a reply to no question */
	assert_int_equal(meet(p, PASS), YES);
	p = test_arrive(&f, buf, test_ip4(buf, &ip, IPPROTO_UDP, "", 1));
	assert_int_equal(meet(p, PASS), CONDEMNED); /* no ports, no tuple */
	rule.limit = 2;
	assert_int_equal(udp("10.0.0.2", 9), NO); /* nothing of all that is left */
}

/* Against a count that only knows how many connections of an address are in the table. For a packet
 * of one of them more may be counted than live, never fewer. */
static void
naive_twin(void **state)
{
	uint64_t seed = test_seed();
	struct env random = {.random = seed};

	(void)state;
	rule.limit = 6;
	for (int i = 0; i < 20000; i++) {
		uint32_t host = env_random(&random) % 4;
		uint16_t sport = (uint16_t)(1 + env_random(&random) % 12);
		uint32_t alive = 0;
		enum ext_answer answer;
		bool known;
		char src[20];

		snprintf(src, sizeof(src), "10.0.0.%u", 2 + host);
		f.env.env.now += env_random(&random) % (8 * TEST_SECOND);
		known = test_conn(&f, IPPROTO_UDP, src, sport, server, 53);
		for (uint16_t port = 1; port <= 12; port++)
			alive += test_conn(&f, IPPROTO_UDP, src, port, server, 53) != NULL;
		answer = udp(src, sport);
		assert_true(answer == YES || alive + !known <= rule.limit);
		assert_true(answer == NO || alive + !known > rule.limit || known);
	}
}

/* More connections than it may remember: those that are gone make room. */
static void
memory_is_bounded(void **state)
{
	char src[20];

	(void)state;
	f.router.r.tunables.value[TUNE_CT_MAX] = 512;
	for (uint32_t i = 0; i < 20000; i++) {
		snprintf(src, sizeof(src), "10.%u.%u.9", 2 + i / 250, i % 250);
		assert_int_equal(udp_to(src, 1, server, STOP), NO);
	}
	assert_int_equal(udp("10.0.0.2", 1), NO);
	assert_int_equal(udp("10.0.0.2", 2), NO);
	assert_int_equal(udp("10.0.0.2", 3), YES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(above_and_upto),
		TEST(none_at_all),
		TEST(a_connection_counts_once),
		TEST(refused_ones_do_not_count),
		TEST(many_go_in_turns),
		TEST(masks),
		TEST(by_destination),
		TEST(what_expires_is_forgotten),
		TEST(closed_tcp_does_not_count),
		TEST(nothing_left_is_dropped),
		TEST(before_tracking),
		TEST(connections_before_the_rule),
		TEST(zones_are_apart),
		TEST(untracked_and_invalid),
		TEST(naive_twin),
		TEST(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
