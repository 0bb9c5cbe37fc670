/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/reasm.h"

#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

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

struct part {
	unsigned from, to; /* bytes of the datagram's payload */
	uint8_t tos;
	bool df;
	uint16_t id;
	const char *src;
};

/*
 * A fragment of a datagram whose payload bytes are 7 times their place, with a UDP header's
 * length at its start.
 */
static struct pkt *
fragment(const struct part *part, unsigned total)
{
	struct test_ip ip = {.src = part->src ? part->src : "10.0.0.2",
		.dst = "10.0.0.1",
		.id = part->id,
		.tos = part->tos};
	uint8_t *buf = malloc(66000);
	struct pkt *p;
	size_t len;
	unsigned i;

	assert_non_null(buf);
	ip.frag_off = (uint16_t)(part->from / 8 | (part->to < total ? IP_MF : 0) |
				 (part->df ? IP_DF : 0));
	for (i = part->from; i < part->to; i++)
		buf[20 + i - part->from] = (uint8_t)(i * 7);
	len = test_ip4(buf, &ip, IPPROTO_UDP, buf + 20, part->to - part->from);
	p = test_pkt(&env, buf, len);
	free(buf);
	p->in = &t.ifaces[TEST_ETH0];
	p->router = &t.r;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

static struct pkt *
feed(const struct part *part, unsigned total)
{
	return reasm_input(t.live.reasm, &env.env, REASM_LOCAL, fragment(part, total));
}

static struct pkt *
feed_range(unsigned from, unsigned to, unsigned total)
{
	return feed(&(struct part){.from = from, .to = to}, total);
}

static void
check_whole(struct pkt *p, unsigned total)
{
	uint8_t *got = malloc(66000);
	unsigned i;

	assert_non_null(p);
	assert_non_null(got);
	assert_int_equal(pkt_len(p), total + 20);
	assert_int_equal(p->flags & (PKT_REASSEMBLED | PKT_FRAGMENT), PKT_REASSEMBLED);
	assert_int_equal(ntohs(pkt_ip4(p)->tot_len), total + 20);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_ptr_equal(p->in, &t.ifaces[TEST_ETH0]);
	assert_int_equal(pkt_chain_read(p, 20, got, 66000), total);
	for (i = 0; i < total; i++)
		if (got[i] != (uint8_t)(i * 7))
			fail_msg("byte %u of %u", i, total);
	free(got);
	test_pkt_free(&env, p);
}

static void
check_empty(void)
{
	size_t datagrams, bytes;

	reasm_usage(t.live.reasm, &datagrams, &bytes);
	assert_int_equal(datagrams, 0);
	assert_int_equal(bytes, 0);
	assert_true(timers_next(&env.timers) == UINT64_MAX);
}

static void
in_any_order(void **state)
{
	static const unsigned orders[][3] = {
		{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}};
	static const unsigned at[] = {0, 1480, 2960, 4000};
	size_t i, j;

	(void)state;
	for (i = 0; i < 6; i++) {
		struct pkt *p = NULL;

		for (j = 0; j < 3; j++) {
			assert_null(p);
			p = feed_range(at[orders[i][j]], at[orders[i][j] + 1], 4000);
		}
		assert_int_equal(p->frag_max, 1500);
		check_whole(p, 4000);
		check_empty();
	}
	assert_int_equal(test_drops(&t), 0);
}

/* Shuffled cuts of datagrams of all sizes, with duplicates, from several senders at once. */
static void
random_datagrams(void **state)
{
	unsigned round, i, n;

	(void)state;
	env.env.random = test_seed();
	for (round = 0; round < 300; round++) {
		unsigned total = 9 + env_random(&env.env) % (round % 10 ? 4000 : 65506);
		struct part parts[64], tmp;
		struct pkt *p = NULL, *got;

		for (n = 0; n < 63 && (n == 0 || parts[n - 1].to < total); n++) {
			unsigned from = n ? parts[n - 1].to : 0,
				 step = 8 * (1 + env_random(&env.env) % (total / 32 + 1));

			parts[n] = (struct part){
				.from = from, .to = n == 62 ? total : RTE_MIN(from + step, total)};
		}
		for (i = n; i > 1; i--) {
			unsigned k = env_random(&env.env) % i;

			tmp = parts[i - 1];
			parts[i - 1] = parts[k];
			parts[k] = tmp;
		}
		for (i = 0; i < n; i++) {
			uint64_t before = t.live.drops.n[DROP_REASM_DUPLICATE];

			if (i > 0 && env_random(&env.env) % 4 == 0) {
				assert_null(feed(&parts[env_random(&env.env) % i], total));
				assert_int_equal(t.live.drops.n[DROP_REASM_DUPLICATE], before + 1);
			}
			got = feed(&parts[i], total);
			assert_true((got != NULL) == (i == n - 1) || n == 1);
			p = got ? got : p;
		}
		if (n > 1)
			check_whole(p, total);
		else if (p)
			test_pkt_free(&env, p);
		t.live.drops.n[DROP_FRAGMENT] = 0;
		check_empty();
	}
	assert_int_equal(test_drops(&t), t.live.drops.n[DROP_REASM_DUPLICATE]);
}

static void
overlap_kills(void **state)
{
	(void)state;
	assert_null(feed_range(0, 800, 2400));
	assert_null(feed_range(792, 1600, 2400));
	assert_int_equal(t.live.drops.n[DROP_REASM_OVERLAP], 2);
	assert_null(feed_range(0, 1600, 2400)); /* what comes of it later goes too */
	assert_null(feed_range(1600, 2400, 2400));
	assert_int_equal(t.live.drops.n[DROP_REASM_OVERLAP], 4);
	test_pass(&env, 31 * TEST_SECOND);
	check_empty();
	assert_null(test_next(&env, NULL));
	assert_null(feed_range(0, 1600, 2400));
	check_whole(feed_range(1600, 2400, 2400), 2400);
	assert_int_equal(test_drops(&t), 4);
}

/* As Linux: within one gapless piece it is a duplicate, across a gap an overlap. */
static void
duplicates(void **state)
{
	(void)state;
	assert_null(feed_range(0, 800, 4000));
	assert_null(feed_range(800, 1600, 4000));
	assert_null(feed_range(2400, 3200, 4000));
	assert_null(feed_range(0, 800, 4000));
	assert_null(feed_range(400, 1200, 4000));
	assert_null(feed_range(2400, 3200, 4000));
	assert_int_equal(t.live.drops.n[DROP_REASM_DUPLICATE], 3);
	assert_int_equal(test_drops(&t), 3);
	assert_null(feed_range(800, 3200, 4000));
	assert_int_equal(t.live.drops.n[DROP_REASM_OVERLAP], 4);
}

static void
malformed(void **state)
{
	(void)state;
	assert_null(feed_range(0, 804, 4000)); /* more follow, but no multiple of 8 */
	assert_int_equal(t.live.drops.n[DROP_FRAGMENT], 1);
	assert_null(feed_range(800, 800, 4000)); /* empty */
	assert_int_equal(t.live.drops.n[DROP_FRAGMENT], 2);
	check_empty();
	assert_null(feed_range(800, 1600, 1600)); /* two ends */
	assert_null(feed_range(1600, 2400, 2400));
	assert_int_equal(t.live.drops.n[DROP_FRAGMENT], 4);
	check_empty();
	assert_null(feed_range(800, 1600, 1600)); /* beyond the end */
	assert_null(feed_range(1600, 2400, 4000));
	assert_int_equal(t.live.drops.n[DROP_FRAGMENT], 6);
	assert_null(feed_range(1600, 2400, 4000)); /* ends before what is there */
	assert_null(feed_range(800, 1600, 1600));
	assert_int_equal(t.live.drops.n[DROP_FRAGMENT], 8);
	check_empty();
	assert_null(feed_range(65520, 65528, 65528)); /* the ping of death */
	assert_int_equal(t.live.drops.n[DROP_REASM_SIZE], 1);
	assert_int_equal(test_drops(&t), 9);
}

static struct pkt *
feed_with_options(unsigned from, unsigned to, unsigned total)
{
	uint8_t o[40], buf[2100], data[2000] = {0};
	struct test_ip ip = {.src = "10.0.0.2", .dst = "10.0.0.1", .options = o, .options_len = 40};
	struct pkt *p;

	memset(o, 1, sizeof(o));
	ip.frag_off = (uint16_t)(from / 8 | (to < total ? IP_MF : 0));
	p = test_pkt(&env, buf, test_ip4(buf, &ip, IPPROTO_UDP, data, to - from));
	assert_int_equal(pkt_parse(p), DROP_NONE);
	return reasm_input(t.live.reasm, &env.env, REASM_LOCAL, p);
}

static void
too_large_with_its_header(void **state)
{
	(void)state;
	assert_null(feed_with_options(0, 8, 65504));
	assert_null(feed_range(8, 32768, 65504));
	assert_null(feed_range(32768, 65504, 65504));
	assert_int_equal(t.live.drops.n[DROP_REASM_SIZE], 3);
	check_empty();
}

static void
ecn(void **state)
{
	static const struct {
		uint8_t a, b, c;
		int result; /* -1: dropped */
	} rows[] = {
		{0, 0, 0, 0},
		{2, 2, 2, 2},
		{1, 2, 1, 1},
		{2, 3, 2, 3},
		{3, 3, 3, 3},
		{1, 1, 3, 3},
		{0, 3, 0, -1},
		{0, 2, 0, -1},
		{1, 0, 1, -1},
		{3, 2, 0, -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkt *p;
		uint64_t before = t.live.drops.n[DROP_FRAGMENT];

		assert_null(
			feed(&(struct part){.from = 0, .to = 80, .tos = 0x40 | rows[i].a}, 240));
		assert_null(
			feed(&(struct part){.from = 80, .to = 160, .tos = 0x40 | rows[i].b}, 240));
		p = feed(&(struct part){.from = 160, .to = 240, .tos = 0x40 | rows[i].c}, 240);
		if (rows[i].result < 0) {
			assert_null(p);
			assert_int_equal(t.live.drops.n[DROP_FRAGMENT], before + 3);
			continue;
		}
		assert_int_equal(pkt_ip4(p)->tos, 0x40 | rows[i].result);
		check_whole(p, 240);
	}
}

static void
df_of_the_largest(void **state)
{
	struct pkt *p;

	(void)state;
	assert_null(feed(&(struct part){.from = 0, .to = 800, .df = true}, 1000));
	p = feed(&(struct part){.from = 800, .to = 1000}, 1000);
	assert_int_equal(pkt_ip4(p)->frag_off, htons(IP_DF));
	assert_int_equal(p->frag_max, 820);
	check_whole(p, 1000);
	assert_null(feed(&(struct part){.from = 0, .to = 800}, 1000));
	p = feed(&(struct part){.from = 800, .to = 1000, .df = true}, 1000);
	assert_int_equal(pkt_ip4(p)->frag_off, 0);
	check_whole(p, 1000);
}

static void
header_in_pieces(void **state)
{
	struct pkt *p;

	(void)state;
	assert_null(feed_range(8, 64, 64));
	p = feed_range(0, 8, 64);
	assert_true(pkt_head_len(p) >= 80);
	check_whole(p, 64);
	assert_null(feed_range(8, 64, 64));
	env.allocs_left = 0;
	assert_null(feed_range(0, 8, 64));
	env.allocs_left = UINT_MAX;
	assert_int_equal(t.live.drops.n[DROP_NO_BUFFER], 1);
	check_empty();
}

static void
users_do_not_mix(void **state)
{
	struct part a = {.from = 0, .to = 8}, b = {.from = 8, .to = 16};

	(void)state;
	assert_null(reasm_input(t.live.reasm, &env.env, REASM_LOCAL, fragment(&a, 16)));
	assert_null(reasm_input(t.live.reasm, &env.env, REASM_CONNTRACK_IN, fragment(&b, 16)));
	assert_null(reasm_input(t.live.reasm, &env.env, REASM_CONNTRACK_OUT, fragment(&a, 16)));
	check_whole(reasm_input(t.live.reasm, &env.env, REASM_LOCAL, fragment(&b, 16)), 16);
	reasm_free(t.live.reasm, &env.env);
	t.live.reasm = reasm_new(&t.live);
	assert_int_equal(t.live.drops.n[DROP_IFACE_GONE], 2);
	check_empty();
}

static void
timeout(void **state)
{
	struct part a = {.from = 0, .to = 80}, b = {.from = 80, .to = 160};
	enum pkt_origin origin;
	struct pkt *p;

	(void)state;
	assert_null(feed(&a, 240));
	assert_null(reasm_input(t.live.reasm, &env.env, REASM_CONNTRACK_IN, fragment(&a, 240)));
	a.id = b.id = 5;
	assert_null(feed(&b, 240)); /* not the first */
	test_pass(&env, 29 * TEST_SECOND);
	assert_int_equal(test_drops(&t), 0);
	test_pass(&env, 2 * TEST_SECOND);
	assert_int_equal(t.live.drops.n[DROP_REASM_TIMEOUT], 3);
	p = test_next(&env, &origin);
	assert_non_null(p);
	assert_int_equal(origin, ORIGIN_OUTPUT);
	assert_int_equal(ntohs(p->sport), ICMP_TIME_EXCEEDED << 8 | ICMP_EXC_FRAGTIME);
	test_pkt_free(&env, p);
	assert_null(test_next(&env, NULL));
	check_empty();
}

static void
oldest_makes_room(void **state)
{
	size_t datagrams, bytes;
	uint16_t id;

	(void)state;
	for (id = 0; id < 200; id++)
		feed(&(struct part){.from = 0, .to = 32000, .id = id}, 40000);
	reasm_usage(t.live.reasm, &datagrams, &bytes);
	assert_true(bytes <= (size_t)tune(&t.r.tunables, TUNE_IPFRAG_HIGH_THRESH));
	assert_true(datagrams > 100 && datagrams < 200);
	assert_int_equal(t.live.drops.n[DROP_REASM_MEMORY], 200 - datagrams);
	assert_null(feed(&(struct part){.from = 32000, .to = 40000, .id = 0}, 40000));
	check_whole(feed(&(struct part){.from = 32000, .to = 40000, .id = 199}, 40000), 40000);
	t.r.tunables.value[TUNE_IPFRAG_HIGH_THRESH] = 1000; /* not even one */
	assert_null(feed(&(struct part){.from = 0, .to = 32000, .id = 500}, 40000));
	check_empty();
	assert_int_equal(
		t.live.drops.n[DROP_REASM_MEMORY], 203 - 2); /* all but the two that became whole */
}

static void
too_far_behind(void **state)
{
	uint16_t i;

	(void)state;
	t.r.tunables.value[TUNE_IPFRAG_MAX_DIST] = 4;
	assert_null(feed(&(struct part){.from = 0, .to = 80}, 160));
	for (i = 1; i <= 3; i++)
		assert_null(feed(&(struct part){.from = 0, .to = 80, .id = i}, 160));
	assert_null(feed(&(struct part){.from = 0, .to = 80, .id = 9, .src = "10.0.0.9"},
		160)); /* another source */
	check_whole(feed(&(struct part){.from = 80, .to = 160}, 160), 160);
	assert_null(feed(&(struct part){.from = 0, .to = 80}, 160));
	for (i = 4; i <= 8; i++)
		assert_null(feed(&(struct part){.from = 0, .to = 80, .id = i}, 160));
	assert_null(feed(&(struct part){.from = 80, .to = 160}, 160));
	assert_int_equal(t.live.drops.n[DROP_REASM_TIMEOUT], 1);
	check_whole(feed(&(struct part){.from = 0, .to = 80}, 160), 160);
	t.r.tunables.value[TUNE_IPFRAG_MAX_DIST] = 0;
	assert_null(feed(&(struct part){.from = 0, .to = 80}, 160));
	for (i = 10; i <= 30; i++)
		assert_null(feed(&(struct part){.from = 0, .to = 80, .id = i}, 160));
	check_whole(feed(&(struct part){.from = 80, .to = 160}, 160), 160);
}

static void
router_is_gone(void **state)
{
	struct pkt *p = fragment(&(struct part){.from = 0, .to = 80}, 160);

	(void)state;
	assert_null(feed(&(struct part){.from = 0, .to = 80}, 160));
	t.live.now = NULL;
	assert_null(reasm_input(t.live.reasm, &env.env, REASM_LOCAL, p));
	assert_int_equal(t.live.drops.n[DROP_IFACE_GONE], 1);
	test_pass(&env, 31 * TEST_SECOND); /* nobody there to complain */
	assert_null(test_next(&env, NULL));
	assert_int_equal(t.live.drops.n[DROP_REASM_TIMEOUT], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_any_order, setup, teardown),
		cmocka_unit_test_setup_teardown(random_datagrams, setup, teardown),
		cmocka_unit_test_setup_teardown(overlap_kills, setup, teardown),
		cmocka_unit_test_setup_teardown(duplicates, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(too_large_with_its_header, setup, teardown),
		cmocka_unit_test_setup_teardown(ecn, setup, teardown),
		cmocka_unit_test_setup_teardown(df_of_the_largest, setup, teardown),
		cmocka_unit_test_setup_teardown(header_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(users_do_not_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(oldest_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(too_far_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(router_is_gone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
