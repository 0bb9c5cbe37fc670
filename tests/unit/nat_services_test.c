/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a router does of its own in address translation: hairpins, balanced services and their
 * checks, addresses that it answers for.
 *
 *	inside 10.1.0.0/24 ── eth1 .1 ┌───┐ .1 eth0 ── outside 10.0.0.0/24 and everything else
 *	                              └───┘ dummy0 192.0.2.1
 *
 * The interfaces are point to point, so nobody asks for neighbours, but in the tests of ARP.
 */
#include "filters/conntrack_table.h"
#include "filters/iptables/iptables.h"
#include "nat/balance.h"
#include "nat/proxied.h"
#include "routing/neigh.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/routers.h"
#include "tests/unit/support/walkers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>

enum { OUTSIDE, INSIDE };
enum { SYN = 2, RST = 4, ACK = 16 };

/* What came out. */
struct seen {
	int side; /* -1: nothing */
	uint8_t proto, flags;
	char src[16], dst[16];
	uint16_t sport, dport; /* ICMP: id and sequence of an echo */
	uint32_t seq;
};

static struct test_walker tw;
static struct test_router t;
static struct filters_live filters;
static struct env_ops ops;
static struct ruleset *rules;

static void
unload(void)
{
	t.r.rules = NULL;
	if (rules)
		ruleset_free(rules);
	rules = NULL;
}

static void
load(const char *text)
{
	char why[512] = "", table[2048];
	struct rules *r;

	unload();
	snprintf(table, sizeof(table),
		"*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT "
		"[0:0]\n:POSTROUTING ACCEPT [0:0]\n%sCOMMIT\n",
		text);
	r = iptables_read(table, strlen(table), "rules", why, sizeof(why));
	if (!r)
		fail_msg("%s", why);
	rules = ruleset_new(r, &t.r, &filters, NULL, why, sizeof(why));
	if (!rules)
		fail_msg("%s", why);
	ruleset_begin(rules, tw.t.env.now);
	t.r.rules = rules;
}

static int
setup(void **state)
{
	static const uint16_t slots[] = {TEST_ETH0, TEST_ETH1};
	int i;

	(void)state;
	test_walker_init(&tw, 1);
	test_router_init(&t);
	for (i = 0; i < 2; i++) {
		t.ifaces[slots[i]].kind = IFACE_IUCV;
		t.ifaces[slots[i]].point_to_point = true;
		t.ifaces[slots[i]].attach = (struct attach){ATTACH_PORT, (uint32_t)i, 0};
	}
	tw.routers[1] = &t.r;
	t.r.slot = 1;
	t.live.now = &t.r;
	ops = *tw.w.env.ops;
	ops.attach = conntrack_attach;
	ops.hold = conntrack_hold;
	ops.untrack = conntrack_untrack;
	tw.w.env.ops = &ops;
	t.live.filters = &filters;
	filters = (struct filters_live){.conntrack = conntrack_new(&t.live, 1)};
	return filters.conntrack ? 0 : -1;
}

static int
teardown(void **state)
{
	struct pkt *p;

	(void)state;
	while ((p = test_sent(&tw, NULL)))
		env_pkt_free(&tw.w.env, p);
	unload();
	conntrack_free(filters.conntrack, &tw.w.env);
	test_router_fini(&t, &tw.t);
	return (int)test_walker_fini(&tw);
}

static void
look(const struct pkt *p, struct seen *s)
{
	const struct iphdr *ip = pkt_ip4(p);
	const struct tcphdr *tcp = (const void *)((const uint8_t *)ip + ip->ihl * 4);
	const struct icmphdr *icmp = (const void *)tcp;

	inet_ntop(AF_INET, &ip->saddr, s->src, sizeof(s->src));
	inet_ntop(AF_INET, &ip->daddr, s->dst, sizeof(s->dst));
	s->proto = ip->protocol;
	s->sport = ntohs(s->proto == IPPROTO_ICMP ? icmp->un.echo.id : tcp->source);
	s->dport = ntohs(s->proto == IPPROTO_ICMP ? icmp->un.echo.sequence : tcp->dest);
	if (s->proto == IPPROTO_ICMP)
		s->flags = icmp->type;
	if (s->proto != IPPROTO_TCP)
		return;
	s->flags = ((const uint8_t *)tcp)[13];
	s->seq = ntohl(tcp->seq);
}

/* The next packet that left. */
static struct seen
next(void)
{
	struct seen s = {.side = -1};
	uint32_t port;
	struct pkt *p = test_sent(&tw, &port);

	if (!p)
		return s;
	s.side = (int)port;
	look(p, &s);
	env_pkt_free(&tw.w.env, p);
	return s;
}

static void
inject(int side, const void *data, size_t len)
{
	struct pkt *p = test_pkt(&tw.t, data, len);

	p->router = &t.r;
	p->in = &t.ifaces[side == INSIDE ? TEST_ETH1 : TEST_ETH0];
	router_receive(&tw.w, p);
	test_walker_run(&tw);
}

static struct seen
udp(int side, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	uint8_t buf[128];

	inject(side, buf,
		test_udp(buf, &(struct test_ip){.src = src, .dst = dst}, sport, dport, 8));
	return next();
}

static struct seen
segment(int side, const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags)
{
	uint8_t buf[128];
	const struct test_segment s = {.flags = flags, .seq = 100, .ack = 5, .win = 1000};

	inject(side, buf,
		test_segment(buf, &(struct test_ip){.src = src, .dst = dst}, sport, dport, &s));
	return next();
}

#define EXPECT(s, where, from, from_port, to, to_port)                                             \
	do {                                                                                       \
		assert_int_equal((s).side, where);                                                 \
		assert_string_equal((s).src, from);                                                \
		assert_int_equal((s).sport, from_port);                                            \
		assert_string_equal((s).dst, to);                                                  \
		assert_int_equal((s).dport, to_port);                                              \
	} while (0)

/* ---- hairpins ---- */

static const char forwarded[] =
	"-A PREROUTING -i eth0 -d 10.0.0.1 -p udp --dport 80 -j DNAT --to-destination 10.1.0.3:8080\n"
	"-A PREROUTING -i eth0 -d 192.0.2.1 -p udp --dport 80 -j DNAT --to-destination 10.1.0.3:8080\n";

/* The server's answer, where it comes out. */
static struct seen
answer(const struct seen *asked)
{
	return udp(INSIDE, asked->dst, asked->dport, asked->src, asked->sport);
}

static void
test_hairpin(void **state)
{
	static const struct {
		const char *guest, *outside;
	} rows[] = {
		{"10.1.0.2", "10.0.0.1"},  /* in the server's own subnet */
		{"10.1.0.2", "192.0.2.1"}, /* by a virtual address */
		{"10.1.0.3", "10.0.0.1"},  /* the server itself */
	};
	struct seen s;
	size_t i;

	(void)state;
	load(forwarded);
	t.r.hairpin = true;
	for (i = 0; i < 3; i++) {
		s = udp(INSIDE, rows[i].guest, 1111, rows[i].outside, 80);
		EXPECT(s, INSIDE, "10.1.0.1", s.sport, "10.1.0.3", 8080);
		s = answer(&s);
		EXPECT(s, INSIDE, rows[i].outside, 80, rows[i].guest, 1111);
	}
	s = udp(OUTSIDE, "10.0.0.9", 1111, "10.0.0.1", 80);
	EXPECT(s, INSIDE, "10.0.0.9", 1111, "10.1.0.3", 8080);
}

/* Also where the rule has no -i, and the packet comes from where the server is. */
static void
test_no_hairpin(void **state)
{
	struct seen s;

	(void)state;
	load(forwarded);
	s = udp(INSIDE, "10.1.0.2", 1111, "10.0.0.1", 80);
	assert_int_equal(s.flags, ICMP_DEST_UNREACH);
	assert_int_equal(t.live.drops.n[DROP_NO_LISTENER], 1);
	load("-A PREROUTING -d 10.0.0.1 -p udp -j DNAT --to-destination 10.1.0.3\n");
	s = udp(INSIDE, "10.1.0.2", 1112, "10.0.0.1", 80);
	EXPECT(s, INSIDE, "10.1.0.2", 1112, "10.1.0.3", 80);
	t.r.hairpin = true;
	s = udp(INSIDE, "10.1.0.2", 1113, "10.0.0.1", 80);
	EXPECT(s, INSIDE, "10.1.0.1", 1113, "10.1.0.3", 80);
}

/* What goes elsewhere is not from outside, whatever rules for that say. */
static void
test_hairpin_leaves_others_alone(void **state)
{
	struct seen s;

	(void)state;
	load("-A PREROUTING -i eth0 -j DNAT --to-destination 10.1.0.3\n");
	t.r.hairpin = true;
	s = udp(INSIDE, "10.1.0.2", 1111, "8.8.8.8", 80);
	EXPECT(s, OUTSIDE, "10.1.0.2", 1111, "8.8.8.8", 80);
	s = udp(OUTSIDE, "8.8.8.8", 1111, "10.0.0.77", 80);
	EXPECT(s, INSIDE, "8.8.8.8", 1111, "10.1.0.3", 80);
	load("");
	s = udp(INSIDE, "10.1.0.2", 1114, "10.1.0.3", 80);
	EXPECT(s, INSIDE, "10.1.0.2", 1114, "10.1.0.3", 80);
}

/* ---- balanced services ---- */

enum { WORKERS = 3 };

static struct balance_worker workers[WORKERS];
static struct balance_service service;
static struct balance balance = {&service, 1};

static void
balance_with(uint8_t protocol, uint8_t method, uint8_t check, size_t n)
{
	size_t i;

	for (i = 0; i < WORKERS; i++)
		workers[i] = (struct balance_worker){
			htonl(0x0a010003 + (uint32_t)i), (uint16_t)(8000 + i), 0};
	service = (struct balance_service){
		.address = test_addr("10.0.0.1").v4,
		.port = 80,
		.protocol = protocol,
		.method = method,
		.workers = workers,
		.n_workers = n,
		.check = {.kind = check, .interval = TEST_SECOND, .fail = 2, .rise = 2},
	};
	t.r.balance = &balance;
	assert_int_equal(balance_adopt(&tw.w.env, &t.r), 0);
	test_walker_run(&tw);
}

static struct balance_state
worker(size_t i)
{
	struct balance_state s;

	balance_look(&t.r, &service, &workers[i], &s);
	return s;
}

/* Which worker a client's new connection gets. => -1: none. */
static int
chosen(const char *client, uint16_t port)
{
	struct seen s = service.protocol == IPPROTO_UDP
				? udp(OUTSIDE, client, port, "10.0.0.1", 80)
				: segment(OUTSIDE, client, port, "10.0.0.1", 80, SYN);

	if (s.side < 0)
		return -1;
	EXPECT(s, INSIDE, client, port, s.dst, s.dport);
	assert_int_equal(ntohl(test_addr(s.dst).v4) - 0x0a010003, s.dport - 8000);
	return s.dport - 8000;
}

static void
test_balance_hash(void **state)
{
	unsigned got[WORKERS] = {0};
	char client[32];
	struct seen s;
	int i, first;

	(void)state;
	balance_with(IPPROTO_UDP, BALANCE_HASH, BALANCE_CHECK_NONE, WORKERS);
	for (i = 0; i < 90; i++) {
		snprintf(client, sizeof(client), "10.0.0.%d", 100 + i);
		first = chosen(client, 1000);
		assert_int_equal(chosen(client, 1001), first);
		got[first]++;
	}
	for (i = 0; i < WORKERS; i++) {
		assert_in_range(got[i], 15, 45);
		assert_int_equal(worker((size_t)i).connections, got[i] * 2);
	}
	i = chosen("10.0.0.100", 1000);
	s = udp(INSIDE, worker((size_t)i).worker->address == htonl(0x0a010003) ? "10.1.0.3"
			: i == 1					   ? "10.1.0.4"
									   : "10.1.0.5",
		(uint16_t)(8000 + i), "10.0.0.100", 1000);
	EXPECT(s, OUTSIDE, "10.0.0.1", 80, "10.0.0.100", 1000);
	conntrack_flush(&tw.w.env, filters.conntrack);
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(worker((size_t)i).connections, 0);
	s = udp(OUTSIDE, "10.0.0.100", 1000, "10.0.0.1", 81);
	assert_int_equal(s.flags, ICMP_DEST_UNREACH);
}

static void
test_balance_least(void **state)
{
	int i;

	(void)state;
	balance_with(IPPROTO_TCP, BALANCE_LEAST, BALANCE_CHECK_NONE, WORKERS);
	for (i = 0; i < 9; i++)
		assert_int_equal(chosen("10.0.0.100", (uint16_t)(1000 + i)), i % 3);
	/* one that is added gets what comes until it has as many as the others */
	balance_with(IPPROTO_TCP, BALANCE_LEAST, BALANCE_CHECK_NONE, 2);
	for (i = 0; i < 4; i++)
		assert_in_range(chosen("10.0.0.100", (uint16_t)(2000 + i)), 0, 1);
	assert_int_equal(worker(0).connections, 5);
	balance_with(IPPROTO_TCP, BALANCE_LEAST, BALANCE_CHECK_NONE, 3);
	assert_int_equal(worker(2).connections, 3);
	assert_int_equal(chosen("10.0.0.100", 3000), 2);
	assert_int_equal(chosen("10.0.0.100", 3001), 2);
}

/* A rule of the nat table goes before. */
static void
test_balance_after_rules(void **state)
{
	struct seen s;

	(void)state;
	load("-A PREROUTING -s 10.0.0.200 -p udp -j DNAT --to-destination 10.1.0.99\n");
	balance_with(IPPROTO_UDP, BALANCE_HASH, BALANCE_CHECK_NONE, WORKERS);
	s = udp(OUTSIDE, "10.0.0.200", 5, "10.0.0.1", 80);
	EXPECT(s, INSIDE, "10.0.0.200", 5, "10.1.0.99", 80);
	assert_true(chosen("10.0.0.201", 5) >= 0);
}

/* The questions of one round: answers those of the workers in `alive`, one bit each. */
static unsigned
answer_pings(unsigned alive)
{
	unsigned asked = 0;
	struct seen s;

	while ((s = next()).side >= 0) {
		uint8_t buf[128];
		unsigned i = ntohl(test_addr(s.dst).v4) - 0x0a010003;

		assert_int_equal(s.proto, IPPROTO_ICMP);
		assert_int_equal(s.flags, ICMP_ECHO);
		assert_string_equal(s.src, "10.1.0.1");
		asked |= 1u << i;
		if (alive & 1u << i)
			inject(INSIDE, buf,
				test_icmp(buf, &(struct test_ip){.src = s.dst, .dst = s.src},
					ICMP_ECHOREPLY, 0, s.sport, s.dport, 8));
	}
	return asked;
}

static unsigned
ping_round(unsigned alive)
{
	unsigned asked = answer_pings(alive);

	test_walker_pass(&tw, TEST_SECOND);
	return asked;
}

/* A dead worker gets no connections, and those that it had begin anew; the others' go on. */
static void
test_check_ping(void **state)
{
	int dead, other, i;

	(void)state;
	balance_with(IPPROTO_UDP, BALANCE_HASH, BALANCE_CHECK_PING, WORKERS);
	test_walker_pass(&tw, 1);
	assert_int_equal(ping_round(7), 7);
	assert_int_equal(ping_round(7), 7);
	answer_pings(7);
	dead = chosen("10.0.0.100", 1000);
	for (i = 0; (other = chosen("10.0.0.150", (uint16_t)(2000 + i))) == dead; i++)
		;
	assert_true(other != dead);
	ping_round(0);
	assert_int_equal(ping_round(7u & ~(1u << dead)), 7);
	assert_true(worker((size_t)dead).up);
	ping_round(7u & ~(1u << dead));
	assert_false(worker((size_t)dead).up);
	assert_true(worker((size_t)other).up);
	test_walker_pass(&tw, TEST_SECOND / 100);
	assert_int_equal(worker((size_t)dead).connections, 0);
	answer_pings(7u & ~(1u << dead));
	assert_int_not_equal(chosen("10.0.0.100", 1000), dead);
	answer_pings(7u & ~(1u << dead));
	ping_round(7);
	ping_round(7);
	ping_round(7);
	assert_true(worker((size_t)dead).up);
}

static void
forget_sent(void)
{
	while (next().side >= 0)
		;
}

static void
answer_syn(const struct seen *asked, bool alive)
{
	struct seen s = segment(INSIDE, asked->dst, asked->dport, asked->src, asked->sport,
		alive ? SYN | ACK : RST | ACK);

	assert_int_equal(s.side, alive ? INSIDE : -1);
	assert_true(!alive || s.flags == RST);
}

static void
answer_syns(unsigned alive, unsigned refuses)
{
	struct seen asked[2 * WORKERS];
	unsigned n = 0, i;

	while ((asked[n] = next()).side >= 0)
		if (asked[n].flags != RST)
			assert_int_equal(asked[n++].flags, SYN);
	for (i = 0; i < n; i++) {
		unsigned bit = 1u << (asked[i].dport - 8000);

		if ((alive | refuses) & bit)
			answer_syn(&asked[i], alive & bit);
	}
	test_walker_pass(&tw, TEST_SECOND);
}

static void
test_check_tcp(void **state)
{
	uint16_t port;

	(void)state;
	balance_with(IPPROTO_TCP, BALANCE_LEAST, BALANCE_CHECK_TCP, WORKERS);
	test_walker_pass(&tw, 1);
	answer_syns(7, 0);
	answer_syns(7, 0);
	answer_syns(3, 4);
	assert_true(worker(2).up);
	answer_syns(3, 4);
	assert_false(worker(2).up);
	answer_syns(1, 0);
	answer_syns(1, 0);
	answer_syns(1, 0);
	assert_false(worker(1).up);
	answer_syns(1, 0);
	forget_sent();
	for (port = 5000; port < 5005; port++)
		assert_int_equal(chosen("10.0.0.100", port), 0);
	answer_syns(0, 7);
	answer_syns(0, 7);
	forget_sent();
	assert_int_equal(chosen("10.0.0.100", 6000), -1);
	assert_int_equal(t.live.drops.n[DROP_NAT_WORKERS], 1);
}

/* Nobody asks any more when the configuration does not. */
static void
test_check_ends(void **state)
{
	(void)state;
	balance_with(IPPROTO_UDP, BALANCE_HASH, BALANCE_CHECK_PING, WORKERS);
	test_walker_pass(&tw, 1);
	ping_round(0);
	ping_round(0);
	ping_round(0);
	assert_false(worker(0).up);
	answer_pings(0);
	balance_with(IPPROTO_UDP, BALANCE_HASH, BALANCE_CHECK_NONE, WORKERS);
	assert_true(worker(0).up);
	test_walker_pass(&tw, 10 * TEST_SECOND);
	assert_int_equal(next().side, -1);
	t.r.balance = NULL;
	assert_int_equal(balance_adopt(&tw.w.env, &t.r), 0);
	conntrack_flush(&tw.w.env, filters.conntrack);
	assert_int_equal(timers_next(tw.w.env.timers), UINT64_MAX);
}

/* ---- addresses that it answers for ---- */

static void
test_addresses_of_rules(void **state)
{
	static const struct {
		const char *rules;
		uint32_t first, last; /* 0: none */
	} rows[] = {
		{"-A POSTROUTING -j SNAT --to-source 10.0.0.5\n", 0x0a000005, 0x0a000005},
		{"-A POSTROUTING -j SNAT --to-source 10.0.0.5-10.0.0.9\n", 0x0a000005, 0x0a000009},
		{"-A POSTROUTING -j SNAT --to-source 10.0.0.5-10.0.0.9\n"
		 "-A POSTROUTING -j SNAT --to-source 10.0.0.10\n",
			0x0a000005, 0x0a00000a},
		{"-A PREROUTING -d 10.0.0.7 -j DNAT --to-destination 10.1.0.2\n", 0x0a000007,
			0x0a000007},
		{"-A PREROUTING -d 10.0.0.8/29 -j NETMAP --to 10.1.0.8/29\n", 0x0a000008, 0x0a00000f},
		{"-A POSTROUTING -s 10.1.0.8/29 -j NETMAP --to 10.0.0.8/29\n", 0x0a000008,
			0x0a00000f},
		{"-A PREROUTING -d 10.0.0.0/24 -j DNAT --to-destination 10.1.0.2\n", 0, 0},
		{"-A PREROUTING -d 10.0.0.1 -j DNAT --to-destination 10.1.0.2\n", 0, 0},
		{"-A PREROUTING ! -d 10.0.0.7 -j DNAT --to-destination 10.1.0.2\n", 0, 0},
		{"-A PREROUTING -j DNAT --to-destination 10.1.0.2\n", 0, 0},
		{"-A POSTROUTING -j MASQUERADE\n", 0, 0},
		{"-N lost\n-A lost -j SNAT --to-source 10.0.0.5\n", 0, 0},
		{"", 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		struct addr_ranges ranges = {0};

		load(rows[i].rules);
		assert_int_equal(nat_addresses(rules, &t.r, &ranges), 0);
		addr_ranges_sort(&ranges);
		assert_int_equal(ranges.n, rows[i].first != 0);
		if (ranges.n) {
			assert_int_equal(ranges.at[0].first, rows[i].first);
			assert_int_equal(ranges.at[0].last, rows[i].last);
		}
		free(ranges.at);
	}
}

static void
test_answers_for(void **state)
{
	static struct addr_range some[] = {{10, 12}, {20, 20}, {0xfffffff0, 0xffffffff}};
	static const uint32_t in[] = {10, 11, 12, 20, 0xfffffff0, 0xffffffff};
	static const uint32_t out[] = {0, 9, 13, 19, 21, 0xffffffef};
	struct ip_addr a;
	size_t i;

	(void)state;
	t.r.proxied = some;
	t.r.n_proxied = 3;
	for (i = 0; i < RTE_DIM(in); i++) {
		a = ip4(htonl(in[i]));
		assert_true(router_answers_for(&t.r, &a));
		a = ip4(htonl(out[i]));
		assert_false(router_answers_for(&t.r, &a));
	}
	t.r.proxied = NULL;
	t.r.n_proxied = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hairpin),
		TEST(test_no_hairpin),
		TEST(test_hairpin_leaves_others_alone),
		TEST(test_balance_hash),
		TEST(test_balance_least),
		TEST(test_balance_after_rules),
		TEST(test_check_ping),
		TEST(test_check_tcp),
		TEST(test_check_ends),
		TEST(test_addresses_of_rules),
		TEST(test_answers_for),
	};

	return cmocka_run_group_tests_name("nat_services", tests, NULL, NULL);
}
