/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/fib.h"
#include "routing/source.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 8, ROUTES = 120, RULES = 5 };

static struct iface ifaces[SLOTS];
static struct iface_live lives[SLOTS];
static struct iface *slots[SLOTS];

static void
make_ifaces(void)
{
	uint16_t i;

	for (i = 1; i < SLOTS; i++) {
		ifaces[i] =
			(struct iface){.slot = i, .kind = IFACE_LAN, .up = true, .live = &lives[i]};
		lives[i].carrier = true;
		slots[i] = &ifaces[i];
	}
}

struct row {
	const char *to;
	uint16_t oif;
	const char *via;
	uint32_t metric;
	enum route_type type;
	uint8_t tos;
	uint32_t table;
};

static struct fib *
make_fib(const struct row *rows, size_t n, const struct route_rule *rules, size_t n_rules)
{
	struct route routes[16] = {0};
	struct nexthop hops[16] = {0};
	struct fib *f;
	size_t i;

	make_ifaces();
	for (i = 0; i < n; i++) {
		routes[i] = (struct route){.to = test_prefix(rows[i].to),
			.type = rows[i].type,
			.metric = rows[i].metric,
			.tos = rows[i].tos,
			.table = rows[i].table ? rows[i].table : TABLE_MAIN};
		hops[i] = (struct nexthop){.oif = rows[i].oif, .weight = 1};
		if (rows[i].via)
			hops[i].via = test_addr(rows[i].via);
		routes[i].hops = &hops[i];
		routes[i].n_hops = rows[i].type <= ROUTE_BROADCAST;
	}
	assert_int_equal(fib_new(routes, n, rules, n_rules, slots, SLOTS, &f), 0);
	return f;
}

/* => slot of the way out, or -errno, or -1000 - type for routes without one. */
static int
lookup(const struct fib *f, const char *dst, uint8_t tos)
{
	struct route_key key = {.dst = test_addr(dst), .tos = tos};
	struct route_result r;
	int err = fib_lookup(f, &key, &r);

	if (err)
		return err;
	return r.hop ? r.hop->oif : -1000 - (int)r.route->type;
}

static void
longest_tos_metric(void **state)
{
	static const struct row rows[] = {
		{"default", 1, "10.0.0.9", 0, ROUTE_UNICAST, 0, 0},
		{"10.0.0.0/8", 2, NULL, 20, ROUTE_UNICAST, 0, 0},
		{"10.0.0.0/8", 3, NULL, 10, ROUTE_UNICAST, 0, 0},
		{"10.0.0.0/8", 4, NULL, 30, ROUTE_UNICAST, 0x10, 0},
		{"10.1.0.0/16", 0, NULL, 0, ROUTE_DISCARD, 0, 0},
		{"10.1.1.0/24", 5, NULL, 0, ROUTE_UNICAST, 0, 0},
		{"10.2.0.0/16", 0, NULL, 0, ROUTE_UNREACHABLE, 0, 0},
		{"10.3.0.0/16", 0, NULL, 0, ROUTE_PROHIBIT, 0, 0},
		{"10.9.9.9/32", 6, NULL, 0, ROUTE_LOCAL, 0, TABLE_LOCAL},
		{"10.9.9.255/32", 6, NULL, 0, ROUTE_BROADCAST, 0, TABLE_LOCAL},
	};
	struct fib *f = make_fib(rows, 10, NULL, 0);
	struct ip_addr a;

	(void)state;
	assert_int_equal(lookup(f, "8.8.8.8", 0), 1);
	assert_int_equal(lookup(f, "10.200.0.1", 0), 3);
	assert_int_equal(lookup(f, "10.200.0.1", 0x10), 4);
	assert_int_equal(lookup(f, "10.200.0.1", 0x12), 4); /* ECN bits say nothing */
	assert_int_equal(lookup(f, "10.1.2.3", 0), -1000 - ROUTE_DISCARD);
	assert_int_equal(lookup(f, "10.1.1.3", 0), 5);
	assert_int_equal(lookup(f, "10.2.1.3", 0), -1000 - ROUTE_UNREACHABLE);
	assert_int_equal(lookup(f, "10.3.1.3", 0), -1000 - ROUTE_PROHIBIT);
	lives[3].carrier = false;
	assert_int_equal(lookup(f, "10.200.0.1", 0), 2);
	lives[2].carrier = false;
	assert_int_equal(lookup(f, "10.200.0.1", 0), 1);
	lives[1].carrier = false;
	assert_int_equal(lookup(f, "10.200.0.1", 0), -ENETDOWN);
	assert_int_equal(lookup(f, "2001:db8::1", 0), -ENETUNREACH);
	lives[6].carrier = false; /* an address stays one */
	assert_int_equal(lookup(f, "10.9.9.9", 0), 6);
	a = test_addr("10.9.9.9");
	assert_int_equal(fib_addr_type(f, &a), ROUTE_LOCAL);
	a = test_addr("10.9.9.255");
	assert_int_equal(fib_addr_type(f, &a), ROUTE_BROADCAST);
	a = test_addr("10.9.9.8");
	assert_int_equal(fib_addr_type(f, &a), ROUTE_UNICAST);
	fib_free(f);
}

static void
ip6(void **state)
{
	static const struct row rows[] = {
		{"::/0", 1, NULL, 0, ROUTE_UNICAST, 0, 0},
		{"2001:db8::/32", 2, NULL, 0, ROUTE_UNICAST, 0, 0},
		{"2001:db8::/64", 3, NULL, 0, ROUTE_UNICAST, 0, 0},
		{"2001:db8::7/128", 4, NULL, 0, ROUTE_UNICAST, 0, 0},
	};
	struct fib *f = make_fib(rows, 4, NULL, 0);

	(void)state;
	assert_int_equal(lookup(f, "2001::1", 0), 1);
	assert_int_equal(lookup(f, "2001:db8:1::1", 0), 2);
	assert_int_equal(lookup(f, "2001:db8::1", 0), 3);
	assert_int_equal(lookup(f, "2001:db8::7", 0), 4);
	assert_int_equal(lookup(f, "10.0.0.1", 0), -ENETUNREACH);
	fib_free(f);
}

static void
rules(void **state)
{
	static const struct row rows[] = {
		{"default", 1, NULL, 0, ROUTE_UNICAST, 0, 0},
		{"default", 2, NULL, 0, ROUTE_UNICAST, 0, 100},
		{"10.0.0.0/8", 3, NULL, 0, ROUTE_UNICAST, 0, 101},
		{"9.9.9.9/32", 4, NULL, 0, ROUTE_LOCAL, 0, TABLE_LOCAL},
	};
	const struct route_rule given[] = {
		{.priority = 100, .from = test_prefix("192.168.0.0/16"), .table = 100},
		{.priority = 90, .mark = 5, .mask = 7, .table = 101},
		{.priority = 110, .iif = 3, .table = 100},
		{.priority = 120, .iif = 1, .tos = 0x10, .table = 100},
	};
	static const struct {
		const char *dst, *src;
		uint32_t mark;
		uint16_t iif;
		uint8_t tos;
		int out;
	} want[] = {
		{"8.8.8.8", NULL, 0, 0, 0, 1},
		{"8.8.8.8", "192.168.1.1", 0, 0, 0, 2},
		{"8.8.8.8", "192.169.1.1", 0, 0, 0, 1},
		{"10.8.8.8", "192.168.1.1", 0xd, 0, 0, 3},
		{"8.8.8.8", "192.168.1.1", 5, 0, 0, 2}, /* the table of the mark has no route */
		{"8.8.8.8", NULL, 5, 3, 0, 2},
		{"8.8.8.8", NULL, 0, 2, 0, 1},
		{"8.8.8.8", NULL, 0, 0, 0x10, 2}, /* what is made here came by lo */
		{"8.8.8.8", NULL, 0, 2, 0x10, 1},
		{"9.9.9.9", "192.168.1.1", 5, 3, 0, 4},
	};
	struct fib *f = make_fib(rows, 4, given, 4);
	const struct route_rule *all;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct route_key key = {.dst = test_addr(want[i].dst),
			.mark = want[i].mark,
			.iif = want[i].iif,
			.tos = want[i].tos};
		struct route_result r;

		if (want[i].src)
			key.src = test_addr(want[i].src);
		assert_int_equal(fib_lookup(f, &key, &r), 0);
		assert_int_equal(r.hop->oif, want[i].out);
	}
	all = fib_rules(f, &n);
	assert_int_equal(n, 7);
	for (i = 1; i < n; i++)
		assert_true(all[i - 1].priority <= all[i].priority);
	fib_free(f);
}

static void
multipath(void **state)
{
	struct nexthop hops[3] = {{.oif = 1, .weight = 1, .via = test_addr("10.0.0.1")},
		{.oif = 2, .weight = 2, .via = test_addr("10.0.0.2")},
		{.oif = 3, .weight = 1, .via = test_addr("10.0.0.3")}};
	struct route route = {
		.to = test_prefix("default"), .table = TABLE_MAIN, .hops = hops, .n_hops = 3};
	struct route_key key = {.dst = test_addr("9.9.9.9")};
	unsigned count[4] = {0}, i;
	struct route_result r;
	struct fib *f;

	(void)state;
	make_ifaces();
	assert_int_equal(fib_new(&route, 1, NULL, 0, slots, SLOTS, &f), 0);
	for (i = 0; i < 400; i++) {
		key.hash = (uint32_t)((1ULL << 32) / 400 * i);
		assert_int_equal(fib_lookup(f, &key, &r), 0);
		count[r.hop->oif]++;
		assert_true(ip_equal(&r.nexthop, &r.hop->via));
	}
	assert_in_range(count[1], 99, 101);
	assert_in_range(count[2], 199, 201);
	lives[2].carrier = false;
	memset(count, 0, sizeof(count));
	for (i = 0; i < 400; i++) {
		key.hash = (uint32_t)((1ULL << 32) / 400 * i);
		assert_int_equal(fib_lookup(f, &key, &r), 0);
		count[r.hop->oif]++;
	}
	assert_int_equal(count[2], 0);
	assert_in_range(count[1], 199, 201);
	lives[1].carrier = lives[3].carrier = false;
	assert_int_equal(fib_lookup(f, &key, &r), -ENETDOWN);
	fib_free(f);
}

static struct ip_addr
random_addr(struct env *e, bool v6)
{
	struct ip_addr a = {.family = v6 ? AF_INET6 : AF_INET};
	unsigned i;

	/* few bits, so that prefixes nest */
	for (i = 0; i < (v6 ? 16u : 4u); i++)
		a.v6[i] = (uint8_t)(env_random(e) & 0x81);
	return a;
}

static struct ip_prefix
random_prefix(struct env *e)
{
	struct ip_prefix p = {.addr = random_addr(e, env_random(e) % 4 == 0)};

	p.len = (uint8_t)(env_random(e) % (ip_bits(&p.addr) + 1));
	return prefix_network(&p);
}

static bool
naive_within(const struct ip_prefix *p, const struct ip_addr *a)
{
	return !ip_is_set(&p->addr) || (p->addr.family == a->family && prefix_contains(p, a));
}

static bool
naive_usable(const struct route *r)
{
	size_t i;

	if (r->type != ROUTE_UNICAST)
		return true;
	for (i = 0; i < r->n_hops; i++)
		if (iface_usable(slots[r->hops[i].oif]))
			return true;
	return false;
}

static bool
naive_better(const struct route *a, const struct route *b)
{
	if (!b || a->to.len != b->to.len)
		return !b || a->to.len > b->to.len;
	if (a->tos != b->tos)
		return a->tos > b->tos;
	return a->metric < b->metric;
}

static int
naive_lookup(const struct route *routes, const struct route_rule *rows, size_t n_rules,
	const struct route_key *k, const struct route **out)
{
	int answer = -ENETUNREACH;
	size_t i, j;

	for (i = 0; i < n_rules; i++) {
		const struct route_rule *u = &rows[i];
		const struct route *best = NULL;

		if (!naive_within(&u->from, &k->src) || !naive_within(&u->to, &k->dst) ||
			(u->iif && u->iif != (k->iif ? k->iif : 1)) ||
			(u->tos && (u->tos & 0xfc) != (k->tos & 0xfc)) ||
			(k->mark & u->mask) != (u->mark & u->mask))
			continue;
		for (j = 0; j < ROUTES; j++) {
			const struct route *r = &routes[j];

			if (r->table != u->table || !naive_within(&r->to, &k->dst) ||
				(r->tos && (r->tos & 0xfc) != (k->tos & 0xfc)))
				continue;
			if (!naive_usable(r))
				answer = -ENETDOWN;
			else if (naive_better(r, best))
				best = r;
		}
		if (best) {
			*out = best;
			return 0;
		}
	}
	return answer;
}

static void
random_tables(struct env *e, struct route *routes, struct nexthop *hops, struct route_rule *given)
{
	static const uint32_t tables[] = {TABLE_MAIN, TABLE_LOCAL, TABLE_DEFAULT, 7, 8};
	size_t i;

	for (i = 0; i < ROUTES; i++) {
		routes[i] = (struct route){.to = random_prefix(e),
			.type = (enum route_type)(env_random(e) % 6),
			.table = tables[env_random(e) % 5],
			.metric = env_random(e) % 3,
			.tos = (uint8_t)(env_random(e) % 3 * 4),
			.hops = &hops[i * 2]};
		routes[i].n_hops = routes[i].type <= ROUTE_BROADCAST ? 1 + env_random(e) % 2 : 0;
		hops[i * 2] = (struct nexthop){
			.oif = (uint16_t)(1 + env_random(e) % (SLOTS - 1)), .weight = 1};
		hops[i * 2 + 1] = (struct nexthop){
			.oif = (uint16_t)(1 + env_random(e) % (SLOTS - 1)), .weight = 3};
	}
	for (i = 0; i < RULES; i++) {
		given[i] = (struct route_rule){.priority = env_random(e) % 40000,
			.table = tables[env_random(e) % 5],
			.iif = (uint16_t)(env_random(e) % 3),
			.mark = env_random(e) % 4,
			.mask = env_random(e) % 4};
		if (env_random(e) % 2)
			given[i].from = random_prefix(e);
		if (env_random(e) % 2)
			given[i].to = random_prefix(e);
	}
}

static void
agrees_with_naive(void **state)
{
	struct env e = {.random = test_seed()};
	struct route routes[ROUTES];
	struct nexthop hops[ROUTES * 2];
	struct route_rule given[RULES];
	unsigned round, i;

	(void)state;
	make_ifaces();
	for (round = 0; round < 60; round++) {
		const struct route_rule *all;
		struct fib *f;
		size_t n;

		random_tables(&e, routes, hops, given);
		assert_int_equal(
			fib_new(routes, ROUTES, given, round % 2 ? RULES : 0, slots, SLOTS, &f), 0);
		all = fib_rules(f, &n);
		for (i = 0; i < 500; i++) {
			bool v6 = env_random(&e) % 4 == 0;
			struct route_key k = {.dst = random_addr(&e, v6),
				.src = random_addr(&e, v6),
				.mark = env_random(&e) % 4,
				.tos = (uint8_t)(env_random(&e) % 12),
				.iif = (uint16_t)(env_random(&e) % 3),
				.hash = env_random(&e)};
			const struct route *want = NULL;
			struct route_result got;
			int a, b;

			lives[1 + env_random(&e) % (SLOTS - 1)].carrier = env_random(&e) % 3 != 0;
			a = naive_lookup(routes, all, n, &k, &want);
			b = fib_lookup(f, &k, &got);
			assert_int_equal(a, b);
			if (a)
				continue;
			assert_true(prefix_equal(&want->to, &got.route->to));
			assert_int_equal(want->table, got.route->table);
			assert_int_equal(want->type, got.route->type);
			assert_int_equal(want->metric, got.route->metric);
			assert_int_equal(want->tos, got.route->tos);
		}
		fib_free(f);
	}
}

static void
describe(const struct route *r, char *buf, size_t size)
{
	static const char *const types[] = {
		"unicast", "local", "broadcast", "discard", "unreachable", "prohibit"};
	char to[PREFIX_TEXT], src[ADDR_TEXT] = "-";

	if (ip_is_set(&r->src))
		ip_text(&r->src, src);
	snprintf(buf, size, "%u %s %s dev %u src %s", r->table, types[r->type],
		prefix_text((struct ip_prefix *)&r->to, to), r->n_hops ? r->hops[0].oif : 0, src);
}

static void
routes_of_interfaces(void **state)
{
	static const char *const want[] = {
		"254 unicast 0.0.0.0/0 dev 2 src -",
		"254 unicast 10.0.0.0/24 dev 2 src 10.0.0.1",
		"254 unicast 10.0.9.0/24 dev 2 src 10.0.9.1",
		"254 unicast 10.1.0.0/24 dev 3 src 10.1.0.1",
		"254 unicast 172.16.0.0/16 dev 4 src -",
		"254 unicast 192.168.1.2/32 dev 4 src 192.168.1.1",
		"255 local 10.0.0.1/32 dev 2 src 10.0.0.1",
		"255 broadcast 10.0.0.255/32 dev 2 src 10.0.0.1",
		"255 local 10.0.9.1/32 dev 2 src 10.0.9.1",
		"255 broadcast 10.0.9.255/32 dev 2 src 10.0.9.1",
		"255 local 10.1.0.1/32 dev 3 src 10.1.0.1",
		"255 broadcast 10.1.0.255/32 dev 3 src 10.1.0.1",
		"255 local 127.0.0.0/8 dev 1 src 127.0.0.1",
		"255 local 127.0.0.1/32 dev 1 src 127.0.0.1",
		"255 broadcast 127.255.255.255/32 dev 1 src 127.0.0.1",
		"255 local 192.0.2.1/32 dev 5 src 192.0.2.1",
		"255 local 192.168.1.1/32 dev 4 src 192.168.1.1",
	};
	struct test_env env;
	struct test_router t;
	const struct route *all;
	char line[160];
	size_t i, n;

	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	all = fib_routes(t.r.fib, &n);
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < n; i++) {
		describe(&all[i], line, sizeof(line));
		assert_string_equal(line, want[i]);
	}
	test_router_fini(&t, &env);
	assert_int_equal(test_env_fini(&env), 0);
}

static void
iface_that_is_down(void **state)
{
	struct iface_addr addrs[2] = {
		{.prefix = test_prefix("10.0.0.1/24")}, {.prefix = test_prefix("10.0.0.2/24")}};
	struct iface i = {.slot = 3, .kind = IFACE_LAN, .addrs = addrs, .n_addrs = 2};
	struct route *routes = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(routes_of_iface(&i, &routes, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(routes[1].type, ROUTE_LOCAL);
	i.up = true; /* the second address is a secondary one */
	assert_int_equal(routes_of_iface(&i, &routes, &n), 0);
	assert_int_equal(n, 2 + 4);
	routes_free(routes, n);
}

static void
source_addresses(void **state)
{
	static const struct {
		unsigned out;
		const char *nexthop, *preferred, *vipa, *want;
	} rows[] = {
		{TEST_ETH0, "10.0.0.7", NULL, NULL, "10.0.0.1"},
		{TEST_ETH0, "10.0.9.7", NULL, NULL, "10.0.9.1"},
		{TEST_ETH0, "99.0.0.1", NULL, NULL, "10.0.0.1"},
		{TEST_ETH0, "10.0.9.7", "192.0.2.1", NULL, "192.0.2.1"},
		{TEST_ETH0, "10.0.9.7", "10.0.0.1", "192.0.2.1", "192.0.2.1"},
		{TEST_IUCV0, "192.168.1.2", NULL, NULL, "192.168.1.1"},
		{TEST_LO, "127.0.0.9", NULL, NULL, "127.0.0.1"},
	};
	struct test_env env;
	struct test_router t;
	struct ip_addr src, hop, pref;
	size_t i;

	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hop = test_addr(rows[i].nexthop);
		pref = rows[i].preferred ? test_addr(rows[i].preferred) : (struct ip_addr){0};
		t.ifaces[rows[i].out].sourcevipa =
			rows[i].vipa ? test_addr(rows[i].vipa) : (struct ip_addr){0};
		src = router_source(&t.r, &t.ifaces[rows[i].out], &hop, &pref);
		pref = test_addr(rows[i].want);
		assert_true(ip_equal(&src, &pref));
	}
	hop = test_addr("192.168.1.2"); /* unnumbered: a dummy's address first */
	t.ifaces[TEST_IUCV0].n_addrs = 0;
	src = router_source(&t.r, &t.ifaces[TEST_IUCV0], &hop, NULL);
	assert_int_equal(src.v4, test_addr("192.0.2.1").v4);
	t.ifaces[TEST_DUMMY0].n_addrs = 0;
	src = router_source(&t.r, &t.ifaces[TEST_IUCV0], &hop, NULL);
	assert_int_equal(src.v4, test_addr("10.0.0.1").v4);
	hop = test_addr("2001:db8::1");
	src = router_source(&t.r, &t.ifaces[TEST_IUCV0], &hop, NULL);
	assert_false(ip_is_set(&src));
	assert_ptr_equal(router_iface_named(&t.r, "eth1"), &t.ifaces[TEST_ETH1]);
	assert_null(router_iface_named(&t.r, "eth2"));
	test_router_fini(&t, &env);
	assert_int_equal(test_env_fini(&env), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_tos_metric),
		cmocka_unit_test(ip6),
		cmocka_unit_test(rules),
		cmocka_unit_test(multipath),
		cmocka_unit_test(agrees_with_naive),
		cmocka_unit_test(routes_of_interfaces),
		cmocka_unit_test(iface_that_is_down),
		cmocka_unit_test(source_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
