/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/icmp.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <limits.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>

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

static struct pkt *
parsed(const uint8_t *buf, size_t len)
{
	struct pkt *p = test_pkt(&env, buf, len);

	p->router = &t.r;
	p->in = &t.ifaces[TEST_ETH0];
	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

/* Sends an error about the packet, which is then freed. => the error, or NULL. */
static struct pkt *
error_about(struct pkt *p, uint8_t type, uint8_t code, uint32_t mtu)
{
	enum pkt_origin origin;
	struct pkt *e;

	icmp_error(&env.env, &t.r, p, type, code, mtu);
	test_pkt_free(&env, p);
	e = test_next(&env, &origin);
	if (e) {
		assert_int_equal(origin, ORIGIN_OUTPUT);
		assert_ptr_equal(e->router, &t.r);
		assert_null(e->in);
		e->flags &= (uint16_t)~PKT_CSUM_VALID;
		assert_true(pkt_l4_checksum_ok(e));
		assert_int_equal(pkt_parse(e), DROP_NONE);
	}
	return e;
}

static struct pkt *
udp(const char *src, const char *dst, size_t len)
{
	uint8_t buf[3000];

	return parsed(buf,
		test_udp(buf, &(struct test_ip){.src = src, .dst = dst, .tos = 0x2e}, 1, 2, len));
}

static void
what_an_error_says(void **state)
{
	struct pkt *p = udp("10.0.0.2", "8.8.8.8", 2000), *e;
	uint8_t quoted[600];
	const struct icmphdr *h;

	(void)state;
	pkt_chain_read(p, 0, quoted, sizeof(quoted));
	e = error_about(p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1400);
	assert_non_null(e);
	h = pkt_l4(e);
	assert_int_equal(pkt_len(e), 576);
	assert_int_equal(pkt_ip4(e)->saddr, inet_addr("10.0.0.1"));
	assert_int_equal(pkt_ip4(e)->daddr, inet_addr("10.0.0.2"));
	assert_int_equal(pkt_ip4(e)->tos, 0xce);
	assert_int_equal(pkt_ip4(e)->ttl, 64);
	assert_int_equal(pkt_ip4(e)->frag_off, 0);
	assert_int_equal(h->type, ICMP_DEST_UNREACH);
	assert_int_equal(h->code, ICMP_FRAG_NEEDED);
	assert_int_equal(ntohs(h->un.frag.mtu), 1400);
	assert_memory_equal(h + 1, quoted, 548);
	test_pkt_free(&env, e);
}

static void
sources(void **state)
{
	static const struct {
		const char *src, *dst, *from;
	} rows[] = {
		{"10.0.0.2", "8.8.8.8", "10.0.0.1"}, {"10.0.9.2", "8.8.8.8", "10.0.9.1"},
		{"10.0.0.2", "192.0.2.1", "192.0.2.1"}, /* to an address here: from it */
		{"172.16.5.5", "8.8.8.8", "192.168.1.1"}, {"9.9.9.9", "8.8.8.8", "10.0.0.1"},
		{"10.1.0.1", "8.8.8.8", "10.1.0.1"}, /* made here */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkt *e =
			error_about(udp(rows[i].src, rows[i].dst, 8), ICMP_TIME_EXCEEDED, 0, 0);

		assert_non_null(e);
		assert_int_equal(pkt_ip4(e)->saddr, inet_addr(rows[i].from));
		assert_int_equal(pkt_ip4(e)->daddr, inet_addr(rows[i].src));
		test_pkt_free(&env, e);
	}
	for (i = 1; i < TEST_IFACES; i++)
		t.ifaces[i].n_addrs = 0;
	{
		struct pkt *e =
			error_about(udp("10.0.0.2", "8.8.8.8", 8), ICMP_TIME_EXCEEDED, 0, 0);

		assert_int_equal(pkt_ip4(e)->saddr, inet_addr("10.0.0.1")); /* the route says */
		test_pkt_free(&env, e);
	}
	{
		struct pkt *e = error_about(udp("9.9.9.9", "8.8.8.8", 8), ICMP_TIME_EXCEEDED, 0, 0);

		assert_int_equal(pkt_ip4(e)->saddr, inet_addr("192.0.0.8"));
		test_pkt_free(&env, e);
	}
}

static void
no_answer(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t flags;
	} rows[] = {
		{"10.0.0.2", "8.8.8.8", PKT_BROADCAST},
		{"10.0.0.2", "8.8.8.8", PKT_MULTICAST},
		{"10.0.0.2", "10.1.0.255", 0},
		{"10.0.0.2", "255.255.255.255", 0},
		{"10.0.0.2", "224.0.0.5", 0},
		{"0.0.0.0", "8.8.8.8", 0},
		{"127.0.0.1", "8.8.8.8", 0},
		{"224.0.0.1", "8.8.8.8", 0},
		{"255.255.255.255", "8.8.8.8", 0},
		{"240.0.0.1", "8.8.8.8", 0},
		{"10.0.0.255", "8.8.8.8", 0},
	};
	struct test_ip ip = {.src = "10.0.0.2", .dst = "8.8.8.8"};
	static const uint8_t errors[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 19, 200};
	uint8_t buf[128];
	struct pkt *p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = udp(rows[i].src, rows[i].dst, 8);
		p->flags |= rows[i].flags;
		assert_null(error_about(p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0));
	}
	for (i = 0; i < sizeof(errors); i++)
		assert_null(error_about(parsed(buf, test_icmp(buf, &ip, errors[i], 0, 0, 0, 28)),
			ICMP_TIME_EXCEEDED, 0, 0));
	assert_null(error_about(
		parsed(buf, test_ip4(buf, &ip, IPPROTO_ICMP, "", 0)), ICMP_TIME_EXCEEDED, 0, 0));
	ip.frag_off = 5;
	assert_null(
		error_about(parsed(buf, test_udp(buf, &ip, 1, 2, 8)), ICMP_TIME_EXCEEDED, 0, 0));
	ip.frag_off = IP_MF; /* the first one counts */
	p = error_about(parsed(buf, test_udp(buf, &ip, 1, 2, 8)), ICMP_TIME_EXCEEDED, 0, 0);
	assert_non_null(p);
	test_pkt_free(&env, p);
	ip.frag_off = 0;
	p = error_about(
		parsed(buf, test_icmp(buf, &ip, ICMP_ECHO, 0, 0, 0, 28)), ICMP_TIME_EXCEEDED, 0, 0);
	assert_non_null(p);
	test_pkt_free(&env, p);
	t.lives[TEST_ETH0].carrier = false; /* no way back */
	assert_null(error_about(udp("10.0.0.2", "8.8.8.8", 8), ICMP_TIME_EXCEEDED, 0, 0));
	assert_int_equal(test_drops(&t), 0);
}

static unsigned
errors_sent(unsigned n, const char *src, uint8_t type, uint8_t code)
{
	unsigned sent = 0, i;

	for (i = 0; i < n; i++) {
		struct pkt *e = error_about(udp(src, "8.8.8.8", 8), type, code, 0);

		if (e) {
			sent++;
			test_pkt_free(&env, e);
		}
	}
	return sent;
}

static void
limit_of_a_destination(void **state)
{
	(void)state;
	assert_int_equal(errors_sent(10, "10.0.0.2", ICMP_TIME_EXCEEDED, 0), 6);
	assert_int_equal(t.live.drops.n[DROP_ICMP_RATE], 4);
	assert_int_equal(errors_sent(10, "10.0.0.3", ICMP_DEST_UNREACH, ICMP_HOST_UNREACH), 6);
	assert_int_equal(errors_sent(30, "10.0.0.2", ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED),
		30); /* never limited */
	test_pass(&env, 999 * TEST_MS);
	assert_int_equal(errors_sent(2, "10.0.0.2", ICMP_TIME_EXCEEDED, 0), 0);
	test_pass(&env, TEST_MS);
	assert_int_equal(errors_sent(2, "10.0.0.2", ICMP_TIME_EXCEEDED, 0), 1);
	test_pass(&env, 100 * TEST_SECOND);
	assert_int_equal(errors_sent(10, "10.0.0.2", ICMP_TIME_EXCEEDED, 0), 6);
	t.r.tunables.value[TUNE_ICMP_RATELIMIT] = 0;
	test_pass(&env, TEST_SECOND);
	assert_in_range(errors_sent(20, "10.0.0.2", ICMP_TIME_EXCEEDED, 0), 20, 20);
}

static unsigned
errors_to_many(unsigned n)
{
	unsigned i, sent = 0;
	char src[32];

	for (i = 0; i < n; i++) {
		snprintf(src, sizeof(src), "9.1.%u.%u", i / 250, 1 + i % 250);
		sent += errors_sent(1, src, ICMP_TIME_EXCEEDED, 0);
	}
	return sent;
}

/* An error takes 0 to 2 credits, 1 in the mean. */
static void
limit_of_the_router(void **state)
{
	unsigned sent;

	(void)state;
	sent = errors_to_many(2000);
	assert_in_range(sent, 30, 90);
	assert_int_equal(t.live.drops.n[DROP_ICMP_RATE], 2000 - sent);
	test_pass(&env, 19 * TEST_MS);
	assert_int_equal(errors_to_many(10), 0);
	test_pass(&env, 1 * TEST_MS);
	assert_in_range(errors_to_many(200), 8, 45);
	test_pass(&env, 10 * TEST_SECOND);
	t.r.tunables.value[TUNE_ICMP_MSGS_PER_SEC] = 0;
	t.live.drops.n[DROP_ICMP_RATE] = 0;
	errors_to_many(100);
	test_pass(&env, 10 * TEST_SECOND);
	assert_int_equal(errors_to_many(100), 0);
}

static void
no_buffer(void **state)
{
	(void)state;
	env.allocs_left = 0;
	assert_null(error_about(udp("10.0.0.2", "8.8.8.8", 8), ICMP_TIME_EXCEEDED, 0, 0));
	assert_int_equal(t.live.drops.n[DROP_NO_BUFFER], 1);
	assert_null(icmp_echo_new(
		&env.env, &t.r, test_addr("10.0.0.1"), test_addr("10.0.0.2"), 64, 1, 1, 56, false));
	env.allocs_left = 1;
	assert_null(icmp_echo_new(&env.env, &t.r, test_addr("10.0.0.1"), test_addr("10.0.0.2"), 64,
		1, 1, 5600, false));
}

static void
echo(void **state)
{
	static const uint8_t o[] = {7, 7, 4, 0, 0, 0, 0, 0};
	struct test_ip ip = {.src = "10.0.0.2",
		.dst = "192.0.2.1",
		.tos = 0x13,
		.ttl = 3,
		.frag_off = IP_DF,
		.id = 99};
	const size_t sizes[] = {60, 100};
	uint8_t buf[2000];
	enum pkt_origin origin;
	unsigned round;

	(void)state;
	for (round = 0; round < 2; round++) {
		size_t len = test_icmp(buf, &ip, ICMP_ECHO, 0, 5, 6, 1000);
		struct pkt *p = test_chain(&env, buf, len, sizes, 2), *q;
		const struct icmphdr *h;
		uint8_t payload[1000];

		p->in = &t.ifaces[TEST_ETH0];
		p->mark = 4;
		assert_int_equal(pkt_parse(p), DROP_NONE);
		assert_int_equal(icmp_input(&env.env, &t.r, p), ICMP_TAKEN);
		q = test_next(&env, &origin);
		assert_non_null(q);
		assert_int_equal(origin, ORIGIN_OUTPUT);
		assert_int_equal(pkt_parse(q), DROP_NONE);
		assert_int_equal(pkt_len(q), 1028);
		assert_int_equal(pkt_ip4(q)->saddr, inet_addr("192.0.2.1"));
		assert_int_equal(pkt_ip4(q)->daddr, inet_addr("10.0.0.2"));
		assert_int_equal(pkt_ip4(q)->ttl, 255);
		assert_int_equal(pkt_ip4(q)->tos, 0x13);
		assert_int_equal(pkt_ip4(q)->frag_off, 0);
		h = pkt_l4(q);
		assert_int_equal(h->type, ICMP_ECHOREPLY);
		assert_int_equal(h->un.echo.id, htons(5));
		q->flags = 0;
		assert_true(pkt_l4_checksum_ok(q));
		assert_int_equal(pkt_chain_read(q, 28, payload, 1000), 1000);
		assert_memory_equal(payload, buf + len - 1000, 1000);
		assert_int_equal(q->mark, 0);
		test_pkt_free(&env, q);
		ip.options = o; /* and once with options, which the answer has not */
		ip.options_len = sizeof(o);
	}
}

static enum icmp_answer
input(const struct test_ip *ip, uint8_t type, size_t len, bool broken)
{
	uint8_t buf[200];
	size_t all = test_icmp(buf, ip, type, 0, 5, 6, len);
	struct pkt *p;
	enum icmp_answer a;

	if (broken)
		buf[22] ^= 1;
	p = parsed(buf, all);
	a = icmp_input(&env.env, &t.r, p);
	if (a == ICMP_LISTEN)
		test_pkt_free(&env, p);
	return a;
}

static void
other_input(void **state)
{
	static const struct {
		const char *dst;
		uint8_t type;
		size_t len;
		bool broken;
		enum drop_reason why; /* DROP_NONE: someone may listen */
	} rows[] = {
		{"10.0.0.1", ICMP_ECHO, 56, true, DROP_ICMP_MALFORMED},
		{"10.0.0.255", ICMP_ECHO, 56, false, DROP_ICMP_IGNORED},
		{"224.0.0.1", ICMP_ECHO, 56, false, DROP_ICMP_IGNORED},
		{"10.0.0.255", ICMP_TIMESTAMP, 56, false, DROP_ICMP_IGNORED},
		{"10.0.0.1", ICMP_TIMESTAMP, 3, false, DROP_ICMP_MALFORMED},
		{"10.0.0.1", ICMP_REDIRECT, 56, false, DROP_ICMP_IGNORED},
		{"10.0.0.1", ICMP_ADDRESS, 56, false, DROP_ICMP_IGNORED},
		{"10.0.0.1", 42, 56, false, DROP_ICMP_IGNORED},
		{"10.0.0.1", ICMP_ECHOREPLY, 56, false, DROP_NONE},
		{"10.0.0.255", ICMP_ECHOREPLY, 56, false, DROP_ICMP_IGNORED},
		{"10.0.0.1", ICMP_TIMESTAMPREPLY, 12, false, DROP_NONE},
		{"10.0.0.1", ICMP_DEST_UNREACH, 0, false, DROP_ICMP_MALFORMED},
		{"10.0.0.1", ICMP_DEST_UNREACH, 56, false,
			DROP_ICMP_MALFORMED}, /* quotes a header of 0 bytes */
		{"10.0.0.255", ICMP_TIME_EXCEEDED, 56, false, DROP_ICMP_IGNORED},
	};
	uint8_t buf[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_ip ip = {.src = "10.0.0.2", .dst = rows[i].dst};
		uint64_t before = t.live.drops.n[rows[i].why];

		assert_int_equal(input(&ip, rows[i].type, rows[i].len, rows[i].broken),
			rows[i].why ? ICMP_TAKEN : ICMP_LISTEN);
		if (rows[i].why)
			assert_int_equal(t.live.drops.n[rows[i].why], before + 1);
	}
	i = test_ip4(buf, &(struct test_ip){.src = "10.0.0.2", .dst = "10.0.0.1"}, IPPROTO_ICMP,
		"1234567", 7);
	assert_int_equal(icmp_input(&env.env, &t.r, parsed(buf, i)), ICMP_TAKEN);
	t.r.tunables.value[TUNE_ICMP_ECHO_IGNORE_ALL] = 1;
	assert_int_equal(
		input(&(struct test_ip){.src = "10.0.0.2", .dst = "10.0.0.1"}, ICMP_ECHO, 8, false),
		ICMP_TAKEN);
	assert_int_equal(t.live.drops.n[DROP_ICMP_MALFORMED], 5);
	assert_int_equal(t.live.drops.n[DROP_ICMP_IGNORED], 9);
	assert_int_equal(test_drops(&t), 14);
	assert_null(test_next(&env, NULL));
}

/* An error that this router made comes in by the loopback: it is a good one. */
static void
errors_are_listened_to(void **state)
{
	uint8_t inner[64], buf[256];
	struct test_ip ip = {.src = "10.0.0.1", .dst = "8.8.8.8"},
		       back = {.src = "10.0.0.254", .dst = "10.0.0.1"};
	size_t len = test_udp(inner, &ip, 1, 2, 8), all;
	struct pkt *p;

	(void)state;
	all = test_icmp(buf, &back, ICMP_DEST_UNREACH, 0, 0, 0, len);
	memcpy(buf + 28, inner, len);
	((struct icmphdr *)(buf + 20))->checksum = 0;
	((struct icmphdr *)(buf + 20))->checksum =
		(uint16_t)~csum_fold(csum_add(0, buf + 20, all - 20));
	p = parsed(buf, all);
	assert_int_equal(icmp_input(&env.env, &t.r, p), ICMP_LISTEN);
	test_pkt_free(&env, p);
}

static void
timestamp(void **state)
{
	struct test_ip ip = {.src = "10.0.0.2", .dst = "10.0.0.1"};
	struct pkt *q;
	uint32_t words[5];

	(void)state;
	assert_int_equal(input(&ip, ICMP_TIMESTAMP, 12, false), ICMP_TAKEN);
	q = test_next(&env, NULL);
	assert_non_null(q);
	assert_int_equal(pkt_len(q), 40);
	q->flags = 0;
	assert_true(pkt_l4_checksum_ok(q));
	pkt_chain_read(q, 20, words, 20);
	assert_int_equal(((uint8_t *)words)[0], ICMP_TIMESTAMPREPLY);
	assert_int_equal(words[2], htonl(0x00010203));
	assert_true(ntohl(words[3]) < 86400000);
	assert_int_equal(words[3], words[4]);
	test_pkt_free(&env, q);
	env.allocs_left = 0;
	assert_int_equal(input(&ip, ICMP_TIMESTAMP, 12, false), ICMP_TAKEN);
	assert_int_equal(t.live.drops.n[DROP_NO_BUFFER], 1);
}

static void
echo_requests(void **state)
{
	static const uint16_t sizes[] = {0, 1, 56, 1892, 1893, 5000, 65507};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct pkt *p = icmp_echo_new(&env.env, &t.r, test_addr("10.0.0.1"),
			test_addr("10.0.0.2"), 9, 3, 4, sizes[i], i % 2);

		assert_non_null(p);
		assert_int_equal(pkt_len(p), sizes[i] + 28);
		p->flags = 0;
		assert_int_equal(pkt_parse(p), DROP_NONE);
		assert_true(pkt_l4_checksum_ok(p));
		assert_int_equal(pkt_ip4(p)->ttl, 9);
		assert_int_equal(pkt_ip4(p)->frag_off, i % 2 ? htons(IP_DF) : 0);
		assert_int_equal(ntohs(p->dport), 3);
		test_pkt_free(&env, p);
	}
	assert_null(icmp_echo_new(&env.env, &t.r, test_addr("10.0.0.1"), test_addr("10.0.0.2"), 9,
		3, 4, 65508, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_an_error_says, setup, teardown),
		cmocka_unit_test_setup_teardown(sources, setup, teardown),
		cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(limit_of_a_destination, setup, teardown),
		cmocka_unit_test_setup_teardown(limit_of_the_router, setup, teardown),
		cmocka_unit_test_setup_teardown(no_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(echo, setup, teardown),
		cmocka_unit_test_setup_teardown(other_input, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_listened_to, setup, teardown),
		cmocka_unit_test_setup_teardown(timestamp, setup, teardown),
		cmocka_unit_test_setup_teardown(echo_requests, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
