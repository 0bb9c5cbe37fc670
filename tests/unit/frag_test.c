/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/reasm.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <limits.h>
#include <netinet/udp.h>
#include <stdlib.h>

static struct test_env env;
static struct test_router t;
static const struct test_ip plain = {.src = "10.0.0.2", .dst = "10.1.0.2", .id = 77};

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
udp(const struct test_ip *ip, size_t len)
{
	uint8_t *buf = malloc(66000);
	struct pkt *p;

	assert_non_null(buf);
	p = test_pkt(&env, buf, test_udp(buf, ip, 1, 2, len));
	free(buf);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->out = &t.ifaces[TEST_ETH1];
	p->mark = 9;
	return p;
}

struct want {
	uint16_t len, offset, flags; /* bytes, bytes, IP_MF | IP_DF */
};

static void
check(struct pkt *p, uint32_t mtu, const struct want *want, size_t n)
{
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
	struct pkt *f;
	size_t i;

	assert_int_equal(frag_output(&env.env, &t.r, p, mtu, &out), DROP_NONE);
	for (i = 0; i < n; i++) {
		f = STAILQ_FIRST(&out);
		assert_non_null(f);
		STAILQ_REMOVE_HEAD(&out, queue);
		assert_int_equal(pkt_len(f), want[i].len);
		assert_int_equal(ntohs(pkt_ip4(f)->frag_off), want[i].offset / 8 | want[i].flags);
		assert_int_equal(ntohs(pkt_ip4(f)->id), 77);
		assert_int_equal(f->mark, 9);
		assert_ptr_equal(f->out, &t.ifaces[TEST_ETH1]);
		assert_int_equal(f->family, AF_INET);
		assert_int_equal(pkt_parse(f), DROP_NONE);
		test_pkt_free(&env, f);
	}
	assert_true(STAILQ_EMPTY(&out));
}

static void
sizes(void **state)
{
	(void)state;
	check(udp(&plain, 2992), 1500,
		(struct want[]){{1500, 0, IP_MF}, {1500, 1480, IP_MF}, {60, 2960, 0}}, 3);
	check(udp(&plain, 2952), 1500, (struct want[]){{1500, 0, IP_MF}, {1500, 1480, 0}}, 2);
	check(udp(&plain, 2956), 1503,
		(struct want[]){{1500, 0, IP_MF}, {1500, 1480, IP_MF}, {24, 2960, 0}}, 3);
	check(udp(&plain, 2954), 1503, (struct want[]){{1500, 0, IP_MF}, {1502, 1480, 0}},
		2); /* the last may fill the rest */
	check(udp(&plain, 10), 28, (struct want[]){{28, 0, IP_MF}, {28, 8, IP_MF}, {22, 16, 0}}, 3);
	check(udp(&plain, 8), 1500, (struct want[]){{36, 0, 0}}, 1);
}

static void
fragments_of_fragments(void **state)
{
	struct test_ip ip = plain;

	(void)state;
	ip.frag_off = 10 | IP_MF;
	check(udp(&ip, 1592), 820, (struct want[]){{820, 80, IP_MF}, {820, 880, IP_MF}}, 2);
	ip.frag_off = 10;
	check(udp(&ip, 1592), 820, (struct want[]){{820, 80, IP_MF}, {820, 880, 0}}, 2);
}

static void
largest_of_what_was_reassembled(void **state)
{
	struct test_ip ip = plain;
	struct pkt *p;

	(void)state;
	ip.frag_off = IP_DF;
	p = udp(&ip, 1592);
	p->frag_max = 820;
	check(p, 1500, (struct want[]){{820, 0, IP_MF | IP_DF}, {820, 800, IP_DF}}, 2);
	p = udp(&plain, 1592);
	p->frag_max = 1500;
	check(p, 820, (struct want[]){{820, 0, IP_MF}, {820, 800, 0}}, 2);
}

static void
options(void **state)
{
	static const uint8_t o[] = {7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0},
			     later[] = {1, 1, 1, 1, 1, 1, 1, 148, 4, 0, 0, 0};
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
	struct test_ip ip = plain;
	struct pkt *f;
	unsigned n = 0;

	(void)state;
	ip.options = o;
	ip.options_len = sizeof(o);
	assert_int_equal(frag_output(&env.env, &t.r, udp(&ip, 1000), 500, &out), DROP_NONE);
	while ((f = STAILQ_FIRST(&out))) {
		STAILQ_REMOVE_HEAD(&out, queue);
		assert_int_equal(f->l3_len, 32);
		assert_memory_equal((uint8_t *)pkt_data(f) + 20, n++ ? later : o, sizeof(o));
		test_pkt_free(&env, f);
	}
	assert_int_equal(n, 3);
}

static void
partial_checksum_is_completed_first(void **state)
{
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
	struct pkt *p = udp(&plain, 1000), *f;
	uint16_t want = ((struct udphdr *)pkt_l4(p))->check;
	const struct iphdr *ip = pkt_ip4(p);

	(void)state;
	((struct udphdr *)pkt_l4(p))->check =
		csum_fold(csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_UDP, 1008));
	p->flags |= PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 6;
	assert_int_equal(frag_output(&env.env, &t.r, p, 500, &out), DROP_NONE);
	assert_int_equal(((struct udphdr *)pkt_l4(STAILQ_FIRST(&out)))->check, want);
	while ((f = STAILQ_FIRST(&out))) {
		STAILQ_REMOVE_HEAD(&out, queue);
		assert_int_equal(f->flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID), 0);
		test_pkt_free(&env, f);
	}
}

static void
impossible(void **state)
{
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);

	(void)state;
	assert_int_equal(frag_output(&env.env, &t.r, udp(&plain, 1000), 27, &out), DROP_MTU);
	assert_int_equal(t.live.drops.n[DROP_MTU], 1);
	env.allocs_left = 2;
	assert_int_equal(frag_output(&env.env, &t.r, udp(&plain, 1000), 500, &out), DROP_NO_BUFFER);
	env.allocs_left = 1; /* of the two that one fragment takes */
	assert_int_equal(
		frag_output(&env.env, &t.r, udp(&plain, 9000), 4000, &out), DROP_NO_BUFFER);
	assert_int_equal(t.live.drops.n[DROP_NO_BUFFER], 2);
	assert_true(STAILQ_EMPTY(&out));
}

/* What is cut and put together again is what it was. */
static void
round_trip(void **state)
{
	unsigned round;

	(void)state;
	env.env.random = test_seed();
	for (round = 0; round < 200; round++) {
		size_t len = 600 + env_random(&env.env) % (round % 8 ? 5000 : 60000);
		uint32_t mtu = 400 + env_random(&env.env) % 9000, whole = (uint32_t)len + 28;
		struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
		struct pkt *p = udp(&plain, len), *f, *got = NULL;
		uint8_t *before = malloc(whole), *after = malloc(whole);

		assert_true(before && after);
		pkt_chain_read(p, 0, before, whole);
		if (whole <= mtu) {
			got = p;
		} else {
			assert_int_equal(frag_output(&env.env, &t.r, p, mtu, &out), DROP_NONE);
			while ((f = STAILQ_FIRST(&out))) {
				STAILQ_REMOVE_HEAD(&out, queue);
				assert_true(pkt_len(f) <= mtu);
				assert_null(got);
				got = reasm_input(t.live.reasm, &env.env, REASM_LOCAL, f);
			}
		}
		assert_non_null(got);
		assert_int_equal(pkt_len(got), whole);
		assert_true(pkt_l4_checksum_ok(got));
		pkt_chain_read(got, 0, after, whole);
		assert_memory_equal(before, after, whole);
		test_pkt_free(&env, got);
		free(before);
		free(after);
	}
	assert_int_equal(test_drops(&t), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(fragments_of_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(largest_of_what_was_reassembled, setup, teardown),
		cmocka_unit_test_setup_teardown(options, setup, teardown),
		cmocka_unit_test_setup_teardown(
			partial_checksum_is_completed_first, setup, teardown),
		cmocka_unit_test_setup_teardown(impossible, setup, teardown),
		cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
