/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/lan/lan.h"

#include "fabric/lan/mac_table.h"
#include "tests/unit/support/walkers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <net/ethernet.h>
#include <stdlib.h>

/* Members 0 to 2 are ports 100 to 102, 3 is a hole, 4 is port 104. */
enum { MEMBERS = 5, HOLE = 3, FIRST_PORT = 100 };
static const uint64_t AGEING = 300000000000;

static struct test_walker tw;
static struct attach members[MEMBERS];
static struct lan lan;

static int
setup(void **state)
{
	(void)state;
	test_walker_init(&tw, 1);
	for (uint32_t i = 0; i < MEMBERS; i++)
		members[i] =
			(struct attach){i == HOLE ? ATTACH_NONE : ATTACH_PORT, FIRST_PORT + i, 0};
	lan = (struct lan){.name = "office",
		.members = members,
		.n_members = MEMBERS,
		.live = lan_live_new(4096, AGEING)};
	return lan.live ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	lan_live_free(lan.live);
	return (int)test_walker_fini(&tw);
}

static struct mac_addr
mac(uint32_t n)
{
	return (struct mac_addr){
		{2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static const struct mac_addr everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static void
frame(uint32_t from, struct mac_addr src, struct mac_addr dst, size_t len)
{
	uint8_t buf[64] = {0};
	struct pkt *p;

	memcpy(buf, &dst, ETH_ALEN);
	memcpy(buf + ETH_ALEN, &src, ETH_ALEN);
	p = test_pkt(&tw.t, buf, len);
	p->l2_len = ETH_HLEN;
	lan_input(&tw.w, &lan, from, p);
}

/* The members that got it, one bit each; everything that was sent is taken. */
static unsigned
got(void)
{
	unsigned set = 0;
	uint32_t port;
	struct pkt *p;

	while ((p = test_sent(&tw, &port))) {
		assert_int_equal(set & 1u << (port - FIRST_PORT), 0);
		set |= 1u << (port - FIRST_PORT);
		test_pkt_free(&tw.t, p);
	}
	return set;
}

static uint64_t
drops(enum drop_reason why)
{
	uint64_t n = tw.w.env.drops.n[why], all = 0;

	for (int r = 0; r < DROP_COUNT; r++)
		all += tw.w.env.drops.n[r];
	assert_int_equal(n, all);
	return n;
}

static void
learns_and_floods(void **state)
{
	(void)state;
	frame(0, mac(10), mac(11), 60);
	assert_int_equal(got(), 1 << 1 | 1 << 2 | 1 << 4);
	frame(1, mac(11), mac(10), 60);
	assert_int_equal(got(), 1 << 0);
	frame(0, mac(10), mac(11), 60);
	assert_int_equal(got(), 1 << 1);
	frame(2, mac(12), everyone, 60);
	assert_int_equal(got(), 1 << 0 | 1 << 1 | 1 << 4);
	frame(4, mac(10), mac(12), 60); /* the guest has moved */
	assert_int_equal(got(), 1 << 2);
	frame(2, mac(12), mac(10), 60);
	assert_int_equal(got(), 1 << 4);
	assert_int_equal(drops(DROP_NONE), 0);
}

static void
filters(void **state)
{
	(void)state;
	frame(0, mac(10), mac(11), 60);
	got();
	frame(0, mac(12), mac(10), 60); /* lives where it comes from */
	assert_int_equal(drops(DROP_LAN_FILTER), 1);
	frame(0, everyone, mac(11), 60);
	assert_int_equal(drops(DROP_LAN_FILTER), 2);
	frame(0, mac(10), (struct mac_addr){{1, 0x80, 0xc2, 0, 0, 0x0e}}, 60);
	assert_int_equal(drops(DROP_LAN_FILTER), 3);
	assert_int_equal(got(), 0);
	frame(0, mac(10), (struct mac_addr){{1, 0x80, 0xc2, 0, 0, 0x10}}, 60);
	assert_int_equal(got(), 1 << 1 | 1 << 2 | 1 << 4);
}

static void
short_frame(void **state)
{
	(void)state;
	frame(0, mac(10), mac(11), ETH_HLEN - 1);
	assert_int_equal(drops(DROP_TRUNCATED), 1);
}

static void
into_a_hole(void **state)
{
	(void)state;
	mac_table_learn(lan.live, &(struct mac_addr){{2, 9, 9, 9, 9, 9}}, HOLE, tw.w.env.now);
	frame(0, mac(10), (struct mac_addr){{2, 9, 9, 9, 9, 9}}, 60);
	assert_int_equal(drops(DROP_LAN_NO_MEMBER), 1);
}

/* A LAN that has become smaller: what was learned of a member beyond its end is not believed. */
static void
beyond_the_end(void **state)
{
	struct mac_addr gone = mac(77);

	(void)state;
	mac_table_learn(lan.live, &gone, 4000000, tw.w.env.now);
	frame(0, mac(10), gone, 60);
	assert_int_equal(got(), 1 << 1 | 1 << 2 | 1 << 4);
}

static void
alone(void **state)
{
	(void)state;
	lan.n_members = 1;
	frame(0, mac(10), everyone, 60);
	assert_int_equal(drops(DROP_LAN_NO_MEMBER), 1);
}

/* A flood that runs out of buffers reaches one member, and counts each copy that it could not make.
 */
static void
flood_without_buffers(void **state)
{
	(void)state;
	tw.t.allocs_left = 0;
	frame(0, mac(10), everyone, 60);
	assert_int_equal(got(), 1 << 4);
	assert_int_equal(drops(DROP_NO_BUFFER), 2);
}

/* Routers get a flooded frame by the queue, with their interface. */
static void
to_routers(void **state)
{
	struct iface eth = {.name = "eth0", .slot = 2};
	struct iface *slots[] = {NULL, NULL, &eth};
	struct router r = {.name = "r", .slot = 1, .ifaces = slots, .n_ifaces = 3};
	enum pkt_origin origin;
	struct pkt *p;

	(void)state;
	tw.routers[1] = &r;
	members[2] = (struct attach){ATTACH_ROUTER, 1, 2};
	frame(0, mac(10), everyone, 60);
	p = test_next(&tw.t, &origin);
	assert_int_equal(origin, ORIGIN_INGRESS);
	assert_ptr_equal(p->router, &r);
	assert_ptr_equal(p->in, &eth);
	assert_int_equal(p->l2_len, ETH_HLEN);
	test_pkt_free(&tw.t, p);
	assert_int_equal(got(), 1 << 1 | 1 << 4);
}

static void
ages(void **state)
{
	uint64_t then = tw.w.env.now;
	uint32_t member = 99;
	struct mac_addr m = mac(10);

	(void)state;
	mac_table_learn(lan.live, &m, 1, then);
	assert_true(mac_table_find(lan.live, &m, then + AGEING, &member));
	assert_int_equal(member, 1);
	assert_false(mac_table_find(lan.live, &m, then + AGEING + 1, &member));
	mac_table_learn(lan.live, &m, 2, then + AGEING + 1);
	assert_true(mac_table_find(lan.live, &m, then + 2 * AGEING, &member));
	assert_int_equal(member, 2);
}

static void
full(void **state)
{
	struct lan_live *l = lan_live_new(100, AGEING);
	uint64_t now = 1000;
	uint32_t member;
	struct mac_addr m;

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		m = mac(i);
		mac_table_learn(l, &m, i, now + i);
	}
	assert_int_equal(lan_macs(l, NULL, 0), 100);
	m = mac(99);
	assert_true(mac_table_find(l, &m, now + 200, &member));
	m = mac(100);
	assert_false(mac_table_find(l, &m, now + 200, &member));
	mac_table_learn(l, &m, 1, now + AGEING); /* the first has not aged */
	assert_false(mac_table_find(l, &m, now + AGEING, &member));
	mac_table_learn(l, &m, 1, now + AGEING + 51); /* fifty have */
	assert_true(mac_table_find(l, &m, now + AGEING + 51, &member));
	assert_int_equal(lan_macs(l, NULL, 0), 50);
	lan_forget(l, 99);
	m = mac(99);
	assert_false(mac_table_find(l, &m, now + 200, &member));
	assert_int_equal(lan_macs(l, NULL, 0), 49);
	lan_live_tune(l, 49, AGEING);
	mac_table_learn(l, &m, 1, now + AGEING + 60); /* ten more have aged since */
	assert_true(mac_table_find(l, &m, now + AGEING + 60, &member));
	lan_live_free(l);
}

/* ---- beside a naive twin ---- */

enum { TWIN = 600, STEPS = 20000, LIMIT = 256 };

struct twin {
	uint64_t seen[TWIN];
	uint32_t member[TWIN];
};

static size_t
twin_count(const struct twin *t, uint64_t oldest)
{
	size_t n = 0;

	for (int i = 0; i < TWIN; i++)
		n += t->seen[i] != 0 && t->seen[i] >= oldest;
	return n;
}

/*
 * What the table must know: with fewer than LIMIT addresses alive everything is learned. When it
 * may be full, the twin takes over whether it was.
 */
static void
twin_learn(struct twin *t, struct lan_live *l, uint32_t i, uint32_t member, uint64_t now)
{
	uint64_t oldest = now > AGEING ? now - AGEING : 1;
	bool known = t->seen[i] >= oldest, room = twin_count(t, oldest) < LIMIT;
	struct mac_addr m = mac(i);
	uint32_t at;

	mac_table_learn(l, &m, member, now);
	if (mac_table_find(l, &m, now, &at)) {
		assert_int_equal(at, member);
		t->seen[i] = now;
		t->member[i] = member;
	} else {
		assert_false(known || room);
	}
}

static void
twin_check(const struct twin *t, const struct lan_live *l, uint32_t i, uint64_t now)
{
	uint64_t oldest = now > AGEING ? now - AGEING : 1;
	struct mac_addr m = mac(i);
	uint32_t member;

	if (mac_table_find(l, &m, now, &member)) {
		assert_true(t->seen[i] >= oldest);
		assert_int_equal(member, t->member[i]);
	} else {
		assert_true(t->seen[i] < oldest);
	}
}

static void
table_and_twin(void **state)
{
	struct env random = {.random = test_seed()};
	struct lan_live *l = lan_live_new(LIMIT, AGEING);
	struct twin *t = calloc(1, sizeof(*t));
	uint64_t now = 1;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		uint32_t i = env_random(&random) % TWIN, member = env_random(&random) % 20;

		now += env_random(&random) % (AGEING / 150);
		if (env_random(&random) % 500 == 0) {
			lan_forget(l, member);
			for (int k = 0; k < TWIN; k++)
				t->seen[k] = t->member[k] == member ? 0 : t->seen[k];
		}
		twin_learn(t, l, i, member, now);
		twin_check(t, l, env_random(&random) % TWIN, now);
	}
	free(t);
	lan_live_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(learns_and_floods, setup, teardown),
		cmocka_unit_test_setup_teardown(filters, setup, teardown),
		cmocka_unit_test_setup_teardown(short_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(into_a_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(beyond_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(alone, setup, teardown),
		cmocka_unit_test_setup_teardown(flood_without_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(to_routers, setup, teardown),
		cmocka_unit_test_setup_teardown(ages, setup, teardown),
		cmocka_unit_test(full),
		cmocka_unit_test(table_and_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
