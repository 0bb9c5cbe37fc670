/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/neigh.h"

#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <limits.h>
#include <net/if_arp.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>

static struct test_env env;
static struct test_router t;
static const struct mac_addr peer = {{2, 0, 0, 0, 1, 7}}, other = {{2, 0, 0, 0, 1, 8}}, nobody;
static const struct mac_addr everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const struct mac_addr own = {{2, 0, 0, 0, 0, TEST_ETH0}};

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

static struct neigh_table *
table(void)
{
	return t.lives[TEST_ETH0].neigh;
}

static struct pkt *
packet(const char *src, const char *nexthop, uint16_t id)
{
	struct test_ip ip = {.src = src, .dst = "8.8.8.8", .id = id};
	uint8_t buf[100];
	struct pkt *p = test_pkt(&env, buf, test_udp(buf, &ip, 1, 2, 8));

	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &t.r;
	p->in = &t.ifaces[TEST_ETH1];
	p->out = &t.ifaces[TEST_ETH0];
	p->nexthop = test_addr(nexthop);
	return p;
}

/* Sends a packet on. A packet that is ready is freed. */
static enum neigh_answer
resolve(const char *nexthop, uint16_t id, struct mac_addr *mac)
{
	struct pkt *p = packet("10.1.0.9", nexthop, id);
	enum neigh_answer a = neigh_resolve(table(), &env.env, &t.ifaces[TEST_ETH0], p, mac);

	if (a == NEIGH_READY)
		test_pkt_free(&env, p);
	return a;
}

struct arp_wire {
	uint16_t hrd, pro;
	uint8_t hln, pln;
	uint16_t op;
	struct mac_addr sha;
	uint32_t sip;
	struct mac_addr tha;
	uint32_t tip;
} __attribute__((packed));

static struct arp_wire
wire(uint16_t op, struct mac_addr sha, const char *sip, struct mac_addr tha, const char *tip)
{
	return (struct arp_wire){
		htons(1), htons(0x0800), 6, 4, htons(op), sha, inet_addr(sip), tha, inet_addr(tip)};
}

static void
hear_flags(const struct arp_wire *w, uint16_t flags)
{
	struct pkt *p = test_pkt(&env, w, sizeof(*w));

	p->flags = PKT_HAS_L2 | flags;
	arp_input(&env.env, &t.r, &t.ifaces[TEST_ETH0], p);
}

static void
hear(uint16_t op, struct mac_addr sha, const char *sip, struct mac_addr tha, const char *tip)
{
	struct arp_wire w = wire(op, sha, sip, tha, tip);

	hear_flags(&w, op == ARPOP_REQUEST ? PKT_BROADCAST : 0);
}

/* The next thing emitted is this ARP frame. */
static void
said(uint16_t op, struct mac_addr to, const char *sip, struct mac_addr tha, const char *tip)
{
	enum pkt_origin origin;
	struct pkt *p = test_next(&env, &origin);
	struct arp_wire w = wire(op, own, sip, tha, tip), got;
	uint8_t eth[14];

	assert_non_null(p);
	assert_int_equal(origin, ORIGIN_FRAME);
	assert_ptr_equal(p->out, &t.ifaces[TEST_ETH0]);
	assert_ptr_equal(p->router, &t.r);
	assert_int_equal(pkt_len(p), 42);
	pkt_chain_read(p, 0, eth, 14);
	assert_memory_equal(eth, &to, 6);
	assert_memory_equal(eth + 6, &own, 6);
	assert_memory_equal(eth + 12, "\x08\x06", 2);
	pkt_chain_read(p, 14, &got, sizeof(got));
	assert_memory_equal(&got, &w, sizeof(w));
	test_pkt_free(&env, p);
}

static void
silence(void)
{
	assert_null(test_next(&env, NULL));
}

/* The next thing emitted is the packet with this id, to this address. */
static void
sent(uint16_t id, struct mac_addr to)
{
	enum pkt_origin origin;
	struct pkt *p = test_next(&env, &origin);

	assert_non_null(p);
	assert_int_equal(origin, ORIGIN_EGRESS);
	assert_int_equal(ntohs(pkt_ip4(p)->id), id);
	assert_true(mac_equal(&p->dst_mac, &to));
	assert_int_equal(p->ether_type, htons(0x0800));
	assert_ptr_equal(p->in, &t.ifaces[TEST_ETH1]);
	assert_ptr_equal(p->out, &t.ifaces[TEST_ETH0]);
	test_pkt_free(&env, p);
}

static enum neigh_state
state_of(const char *addr)
{
	struct neigh_info list[8];
	struct ip_addr a = test_addr(addr);
	size_t n = neigh_list(table(), list, 8), i;

	for (i = 0; i < n && i < 8; i++)
		if (ip_equal(&list[i].addr, &a))
			return list[i].state;
	return NEIGH_NONE;
}

static uint32_t
version_of(const char *addr)
{
	struct ip_addr a = test_addr(addr);
	struct version *v = neigh_version(table(), &a);

	return v ? v->n : 0;
}

static void
resolution(void **state)
{
	struct mac_addr mac;
	uint32_t before;

	(void)state;
	assert_int_equal(resolve("10.0.0.7", 1, &mac), NEIGH_PARKED);
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.7");
	assert_int_equal(resolve("10.0.0.7", 2, &mac), NEIGH_PARKED);
	silence();
	assert_int_equal(state_of("10.0.0.7"), NEIGH_INCOMPLETE);
	before = version_of("10.0.0.7");
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1");
	sent(1, peer);
	sent(2, peer);
	silence();
	assert_int_equal(state_of("10.0.0.7"), NEIGH_REACHABLE);
	assert_true(version_of("10.0.0.7") > before);
	assert_true(timers_next(&env.timers) == UINT64_MAX);
	assert_int_equal(resolve("10.0.0.7", 3, &mac), NEIGH_READY);
	assert_true(mac_equal(&mac, &peer));
	assert_true(timers_next(&env.timers) == UINT64_MAX);
	assert_int_equal(test_drops(&t), 0);
}

static void
nobody_answers(void **state)
{
	struct mac_addr mac;
	enum pkt_origin origin;
	struct pkt *p;

	(void)state;
	assert_int_equal(resolve("10.0.0.7", 1, &mac), NEIGH_PARKED);
	assert_int_equal(resolve("10.0.0.7", 2, &mac), NEIGH_PARKED);
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.7");
	test_pass(&env, 1000 * TEST_MS);
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.7");
	test_pass(&env, 1999 * TEST_MS);
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.7");
	silence();
	test_pass(&env, TEST_MS);
	p = test_next(&env, &origin);
	assert_non_null(p);
	assert_int_equal(origin, ORIGIN_OUTPUT);
	assert_int_equal(ntohs(p->sport), ICMP_DEST_UNREACH << 8 | ICMP_HOST_UNREACH);
	assert_int_equal(pkt_ip4(p)->daddr, inet_addr("10.1.0.9"));
	test_pkt_free(&env, p);
	test_pkt_free(&env, test_next(&env, NULL));
	silence();
	assert_int_equal(t.live.drops.n[DROP_NEIGH_FAILED], 2);
	assert_int_equal(test_drops(&t), 2);
	assert_int_equal(state_of("10.0.0.7"), NEIGH_FAILED);
	assert_true(timers_next(&env.timers) == UINT64_MAX);
	assert_int_equal(resolve("10.0.0.7", 3, &mac), NEIGH_PARKED); /* and again */
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.7");
}

static void
learn(const char *addr)
{
	struct mac_addr mac;

	assert_int_equal(resolve(addr, 1, &mac), NEIGH_PARKED);
	test_pkt_free(&env, test_next(&env, NULL));
	hear(ARPOP_REPLY, peer, addr, own, "10.0.0.1");
	test_pkt_free(&env, test_next(&env, NULL));
	silence();
}

static void
stale_delay_probe(void **state)
{
	struct mac_addr mac;

	(void)state;
	learn("10.0.0.7");
	test_pass(&env, 31 * TEST_SECOND);
	silence();
	assert_int_equal(resolve("10.0.0.7", 1, &mac), NEIGH_READY);
	assert_int_equal(state_of("10.0.0.7"), NEIGH_DELAY);
	test_pass(&env, 5 * TEST_SECOND);
	assert_int_equal(state_of("10.0.0.7"), NEIGH_PROBE);
	said(ARPOP_REQUEST, peer, "10.0.0.1", peer, "10.0.0.7");
	assert_int_equal(resolve("10.0.0.7", 1, &mac), NEIGH_READY);
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1");
	assert_int_equal(state_of("10.0.0.7"), NEIGH_REACHABLE);
	assert_true(timers_next(&env.timers) == UINT64_MAX);
	test_pass(&env, 31 * TEST_SECOND);
	assert_int_equal(resolve("10.0.0.7", 1, &mac), NEIGH_READY);
	test_pass(&env, 5 * TEST_SECOND);
	said(ARPOP_REQUEST, peer, "10.0.0.1", peer, "10.0.0.7");
	test_pass(&env, 3 * TEST_SECOND);
	said(ARPOP_REQUEST, peer, "10.0.0.1", peer, "10.0.0.7");
	said(ARPOP_REQUEST, peer, "10.0.0.1", peer, "10.0.0.7");
	silence();
	assert_int_equal(state_of("10.0.0.7"), NEIGH_FAILED);
	assert_int_equal(test_drops(&t), 0);
}

/* Whoever keeps a path does not ask again: the end of the confirmation must reach it. */
static void
recorded_neighbours_end(void **state)
{
	struct recorder rec = {0};
	struct mac_addr mac;
	struct pkt *p;

	(void)state;
	learn("10.0.0.7");
	test_pass(&env, 10 * TEST_SECOND);
	p = packet("10.1.0.9", "10.0.0.7", 1);
	p->recorder = &rec;
	assert_int_equal(neigh_resolve(table(), &env.env, p->out, p, &mac), NEIGH_READY);
	assert_int_equal(rec.n_reads, 1);
	assert_int_equal(rec.reads[0].seen, rec.reads[0].object->n);
	assert_false(rec.refused);
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1"); /* confirmed meanwhile */
	test_pass(&env, 29 * TEST_SECOND);
	assert_int_equal(rec.reads[0].seen, rec.reads[0].object->n);
	test_pass(&env, 2 * TEST_SECOND);
	assert_true(rec.reads[0].seen != rec.reads[0].object->n);
	assert_int_equal(state_of("10.0.0.7"), NEIGH_STALE);
	assert_true(timers_next(&env.timers) == UINT64_MAX);
	test_pkt_free(&env, p);

	rec = (struct recorder){0};
	p = packet("10.1.0.9", "10.0.0.99", 1);
	p->recorder = &rec;
	assert_int_equal(neigh_resolve(table(), &env.env, p->out, p, &mac), NEIGH_PARKED);
	assert_true(rec.refused);
	assert_null(p->recorder);
}

static void
who_asks(void **state)
{
	struct mac_addr mac;
	struct pkt *p = packet("10.0.9.1", "10.0.0.7", 1); /* made here: its source asks */

	(void)state;
	assert_int_equal(neigh_resolve(table(), &env.env, p->out, p, &mac), NEIGH_PARKED);
	said(ARPOP_REQUEST, everyone, "10.0.9.1", nobody, "10.0.0.7");
	assert_int_equal(resolve("10.0.9.7", 1, &mac), NEIGH_PARKED);
	said(ARPOP_REQUEST, everyone, "10.0.9.1", nobody, "10.0.9.7");
	t.ifaces[TEST_ETH0].sourcevipa = test_addr("192.0.2.1"); /* no business of the link's */
	assert_int_equal(resolve("10.0.0.8", 1, &mac), NEIGH_PARKED);
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.8");
}

static void
full_queue(void **state)
{
	struct mac_addr mac;
	uint16_t id;

	(void)state;
	t.r.tunables.value[TUNE_ARP_QUEUE] = 3;
	for (id = 1; id <= 5; id++)
		assert_int_equal(resolve("10.0.0.7", id, &mac), NEIGH_PARKED);
	assert_int_equal(t.live.drops.n[DROP_NEIGH_QUEUE], 2);
	test_pkt_free(&env, test_next(&env, NULL));
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1");
	for (id = 3; id <= 5; id++)
		sent(id, peer);
	silence();
}

static void
full_table(void **state)
{
	struct mac_addr mac;
	struct neigh_info list[4];
	uint32_t seen;
	struct version *v;
	struct ip_addr a = test_addr("10.0.0.2");

	(void)state;
	t.r.tunables.value[TUNE_ARP_TABLE] = 2;
	learn("10.0.0.2");
	v = neigh_version(table(), &a);
	seen = v->n;
	assert_int_equal(resolve("10.0.0.3", 1, &mac), NEIGH_PARKED);
	assert_int_equal(resolve("10.0.0.4", 1, &mac), NEIGH_PARKED); /* 2 was idle: it goes */
	assert_true(v->n != seen);
	assert_int_equal(state_of("10.0.0.2"), NEIGH_NONE);
	assert_int_equal(
		resolve("10.0.0.5", 1, &mac), NEIGH_DROPPED); /* both others are being asked for */
	assert_int_equal(t.live.drops.n[DROP_NEIGH_TABLE], 1);
	assert_int_equal(neigh_list(table(), list, 1), 2);
	while (STAILQ_FIRST(&env.emitted))
		test_pkt_free(&env, test_next(&env, NULL));
	hear(ARPOP_REQUEST, peer, "10.0.0.9", nobody,
		"10.0.0.1"); /* nor can who asks be learned, nor answered */
	silence();
	assert_int_equal(t.live.drops.n[DROP_NEIGH_TABLE], 2);
}

static void
many_neighbours(void **state)
{
	char addr[32];
	unsigned i, round;

	(void)state;
	t.r.tunables.value[TUNE_ARP_TABLE] = 300;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 600; i++) {
			snprintf(addr, sizeof(addr), "10.0.%u.%u", 20 + i / 200, 1 + i % 200);
			hear(ARPOP_REQUEST, peer, addr, nobody, "10.0.0.1");
			said(ARPOP_REPLY, peer, "10.0.0.1", peer, addr);
			env.env.now++;
		}
		assert_int_equal(neigh_list(table(), NULL, 0), 300);
		test_pass(&env, 120 * TEST_SECOND);
	}
	hear(ARPOP_REQUEST, peer, "10.0.0.77", nobody, "10.0.0.1"); /* all are too old */
	assert_int_equal(neigh_list(table(), NULL, 0), 1);
	assert_int_equal(test_drops(&t), 0);
}

static void
flush_and_removal(void **state)
{
	struct mac_addr mac;

	(void)state;
	assert_int_equal(resolve("10.0.0.7", 1, &mac), NEIGH_PARKED);
	neigh_flush(table(), &env.env);
	assert_int_equal(t.live.drops.n[DROP_IFACE_GONE], 1);
	assert_int_equal(neigh_list(table(), NULL, 0), 0);
	assert_true(timers_next(&env.timers) == UINT64_MAX);
	assert_int_equal(resolve("10.0.0.7", 2, &mac), NEIGH_PARKED);
	t.slots[TEST_ETH1] = NULL; /* where it came from is gone when the answer comes */
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1");
	assert_int_equal(t.live.drops.n[DROP_IFACE_GONE], 2);
	assert_int_equal(resolve("10.0.0.8", 3, &mac), NEIGH_PARKED);
	t.live.now = NULL; /* the router itself */
	test_pass(&env, 10 * TEST_SECOND);
	assert_int_equal(t.live.drops.n[DROP_IFACE_GONE], 3);
	t.live.now = &t.r;
	assert_int_equal(resolve("10.0.0.9", 4, &mac), NEIGH_PARKED);
	neigh_table_free(table(), &env.env);
	t.lives[TEST_ETH0].neigh = NULL;
	assert_int_equal(t.live.drops.n[DROP_IFACE_GONE], 4);
	assert_int_equal(test_drops(&t), 4);
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.1"); /* no ARP here */
	assert_int_equal(t.live.drops.n[DROP_ARP_IGNORED], 1);
}

static void
answers(void **state)
{
	(void)state;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.1");
	said(ARPOP_REPLY, peer, "10.0.0.1", peer, "10.0.0.7");
	assert_int_equal(state_of("10.0.0.7"), NEIGH_STALE);
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody,
		"192.0.2.1"); /* every address of the router */
	said(ARPOP_REPLY, peer, "192.0.2.1", peer, "10.0.0.7");
	hear(ARPOP_REQUEST, peer, "0.0.0.0", nobody, "10.0.0.1"); /* address probe, RFC 5227 */
	said(ARPOP_REPLY, peer, "10.0.0.1", peer, "0.0.0.0");
	assert_int_equal(neigh_list(table(), NULL, 0), 1);
	hear(ARPOP_REQUEST, other, "10.0.0.7", nobody, "10.0.0.1"); /* it has moved */
	said(ARPOP_REPLY, other, "10.0.0.1", other, "10.0.0.7");
	silence();
	assert_int_equal(test_drops(&t), 0);
	env.allocs_left = 0;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.1");
	assert_int_equal(t.live.drops.n[DROP_NO_BUFFER], 1);
}

/* OSA-28: of the four combinations only both switches keep an address to its own interface. */
static void
hidden(void **state)
{
	struct mac_addr mac;

	(void)state;
	for (int all = 0; all <= 1; all++) {
		for (int device = 0; device <= 1; device++) {
			t.r.hidden = all;
			t.ifaces[TEST_ETH1].hidden = device;
			hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.1.0.1");
			if (all && device)
				silence();
			else
				said(ARPOP_REPLY, peer, "10.1.0.1", peer, "10.0.0.7");
			hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.1");
			said(ARPOP_REPLY, peer, "10.0.0.1", peer, "10.0.0.7");
		}
	}
	/* nor is it named to those who are asked on another interface */
	assert_int_equal(neigh_resolve(table(), &env.env, &t.ifaces[TEST_ETH0], packet("10.1.0.1", "10.0.0.9", 1), &mac), NEIGH_PARKED);
	said(ARPOP_REQUEST, everyone, "10.0.0.1", nobody, "10.0.0.9");
}

static void
proxy(void **state)
{
	(void)state;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.1.0.7");
	silence();
	assert_int_equal(t.live.drops.n[DROP_ARP_IGNORED], 1);
	t.ifaces[TEST_ETH0].proxy_arp = true;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.1.0.7");
	said(ARPOP_REPLY, peer, "10.1.0.7", peer, "10.0.0.7");
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.9"); /* on this side */
	hear(ARPOP_REQUEST, peer, "0.0.0.0", nobody, "10.1.0.7");  /* a probe is not for proxies */
	silence();
	t.r.forward = false;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.1.0.7");
	silence();
}

/* Addresses that no interface has, where they would be on link. */
static void
proxied(void **state)
{
	struct addr_range ranges[] = {{0x0a000040, 0x0a000043}, {0x0a010009, 0x0a010009}};

	(void)state;
	t.r.proxied = ranges;
	t.r.n_proxied = 2;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.64");
	said(ARPOP_REPLY, peer, "10.0.0.64", peer, "10.0.0.7");
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.68");
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.1.0.9"); /* of the other LAN */
	silence();
	hear(ARPOP_REPLY, peer, "10.0.0.65", own, "10.0.0.1"); /* somebody else claims it */
	assert_int_equal(neigh_list(table(), NULL, 0), 1);
	arp_announce(&env.env, &t.r, &t.ifaces[TEST_ETH0], inet_addr("10.0.0.64"));
	said(ARPOP_REQUEST, everyone, "10.0.0.64", nobody, "10.0.0.64");
	t.r.n_proxied = 0;
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.64");
	silence();
}

static struct mac_addr
mac_now(const char *addr)
{
	struct mac_addr mac = {{0}};

	assert_int_equal(resolve(addr, 1, &mac), NEIGH_READY);
	return mac;
}

static void
updates(void **state)
{
	struct mac_addr m;

	(void)state;
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1"); /* nobody had asked */
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.7");
	assert_int_equal(neigh_list(table(), NULL, 0), 0);
	assert_int_equal(t.live.drops.n[DROP_ARP_IGNORED], 2);
	learn("10.0.0.7");
	hear(ARPOP_REPLY, other, "10.0.0.7", own, "10.0.0.1"); /* the first answer counts */
	m = mac_now("10.0.0.7");
	assert_true(mac_equal(&m, &peer));
	hear(ARPOP_REQUEST, other, "10.0.0.7", nobody,
		"10.0.0.7"); /* but an announcement does at once */
	m = mac_now("10.0.0.7");
	assert_true(mac_equal(&m, &other));
	assert_int_equal(state_of("10.0.0.7"), NEIGH_DELAY);
	test_pass(&env, 1001 * TEST_MS);
	hear(ARPOP_REPLY, peer, "10.0.0.7", own, "10.0.0.1");
	m = mac_now("10.0.0.7");
	assert_true(mac_equal(&m, &peer));
	assert_int_equal(state_of("10.0.0.7"), NEIGH_REACHABLE);
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.99"); /* seen, the same */
	assert_int_equal(state_of("10.0.0.7"), NEIGH_REACHABLE);
	assert_int_equal(t.live.drops.n[DROP_ARP_IGNORED], 2);
}

static void
refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{1, 2}, {3, 1}, {4, 5}, {5, 6}, {7, 3}, {7, 0}, {8, 3}};
	struct arp_wire good = wire(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.1"), w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		w = good;
		((uint8_t *)&w)[bad[i].at] = bad[i].value;
		hear_flags(&w, PKT_BROADCAST);
		assert_int_equal(t.live.drops.n[DROP_ARP_MALFORMED], i + 1);
	}
	arp_input(&env.env, &t.r, &t.ifaces[TEST_ETH0], test_pkt(&env, &good, sizeof(good) - 1));
	assert_int_equal(t.live.drops.n[DROP_ARP_MALFORMED], i + 1);
	hear(ARPOP_REQUEST, own, "10.0.0.7", nobody, "10.0.0.1"); /* our own voice */
	hear(ARPOP_REQUEST, peer, "224.0.0.7", nobody, "10.0.0.1");
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "127.0.0.1");
	hear(ARPOP_REQUEST, peer, "10.0.0.7", nobody, "10.0.0.9");
	hear(ARPOP_REQUEST, peer, "10.0.0.1", nobody, "10.0.0.1"); /* someone has our address */
	hear(ARPOP_REPLY, peer, "10.0.0.1", own, "10.0.0.1");
	assert_int_equal(t.live.drops.n[DROP_ARP_IGNORED], 6);
	silence();
	assert_int_equal(neigh_list(table(), NULL, 0), 0);
	w = good;
	w.hrd = htons(ARPHRD_IEEE802);
	hear_flags(&w, PKT_BROADCAST);
	said(ARPOP_REPLY, peer, "10.0.0.1", peer, "10.0.0.7");
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(neigh_state_name(NEIGH_REACHABLE), "reachable");
	assert_string_equal(neigh_state_name(NEIGH_PERMANENT), "permanent");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(resolution, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(stale_delay_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(recorded_neighbours_end, setup, teardown),
		cmocka_unit_test_setup_teardown(who_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(full_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(full_table, setup, teardown),
		cmocka_unit_test_setup_teardown(many_neighbours, setup, teardown),
		cmocka_unit_test_setup_teardown(flush_and_removal, setup, teardown),
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(proxy, setup, teardown),
		cmocka_unit_test_setup_teardown(proxied, setup, teardown),
		cmocka_unit_test_setup_teardown(updates, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
