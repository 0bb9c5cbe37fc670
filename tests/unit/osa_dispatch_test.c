/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet path of an adapter's port: from its network to sharers, between them, and out. */
#include "drivers/osa/adapter.h"
#include "routing/arp.h"
#include "routing/neigh.h"
#include "tests/unit/support/adapters.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <stdlib.h>

static struct test_adapter t;

static const struct mac_addr port_mac = {{2, 0, 0, 0, 0, 0x99}}, peer_mac = {{2, 0, 0, 0, 0, 0x11}};
static const struct mac_addr everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

enum { NOBODY = -1, NETWORK = -2 };

static int
setup(void **state)
{
	(void)state;
	test_adapter_init(&t, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return (int)test_adapter_fini(&t);
}

static uint64_t
drops(enum drop_reason why)
{
	return t.a->stack_live.drops.n[why];
}

static struct pkt *
make_frame(struct mac_addr dst, struct mac_addr src, uint16_t type, const void *data, size_t len)
{
	uint8_t buf[2048];
	struct ether_header eth = {.ether_type = htons(type)};
	struct pkt *p;

	memcpy(eth.ether_dhost, &dst, ETH_ALEN);
	memcpy(eth.ether_shost, &src, ETH_ALEN);
	memcpy(buf, &eth, sizeof(eth));
	memcpy(buf + sizeof(eth), data, len);
	p = test_pkt(&t.tw.t, buf, sizeof(eth) + len);
	p->l2_len = ETH_HLEN;
	return p;
}

static struct pkt *
udp_frame(struct mac_addr dst, struct mac_addr src, const char *from, const char *to)
{
	uint8_t buf[256];
	struct test_ip ip = {.src = from, .dst = to, .ttl = 1};

	return make_frame(dst, src, ETHERTYPE_IP, buf, test_udp(buf, &ip, 1000, 2000, 20));
}

static struct pkt *
arp_frame(struct mac_addr dst, struct mac_addr src, bool request, const char *sender, const char *target)
{
	struct ether_arp a = {.arp_hln = ETH_ALEN, .arp_pln = 4};
	struct ip_addr from = test_addr(sender), to = test_addr(target);

	a.arp_hrd = htons(ARPHRD_ETHER);
	a.arp_pro = htons(ETHERTYPE_IP);
	a.arp_op = htons(request ? ARPOP_REQUEST : ARPOP_REPLY);
	memcpy(a.arp_sha, &src, ETH_ALEN);
	memcpy(a.arp_spa, &from.v4, 4);
	memcpy(a.arp_tpa, &to.v4, 4);
	return make_frame(dst, src, ETHERTYPE_ARP, &a, sizeof(a));
}

/* The packet comes from the network; the one port that it is to go to sends it. */
static void
from_network(struct pkt *p)
{
	struct attach to;

	if (adapter_receive(&t.tw.w, t.a, p, &to)) {
		assert_int_equal(to.kind, ATTACH_PORT);
		t.tw.w.send(&t.tw.w, to.a, p);
	}
	test_walker_run(&t.tw);
}

static int
place_of(uint32_t port)
{
	return port == NETWORK_PORT ? NETWORK : (int)port - FIRST_SHARER_PORT;
}

/* The next packet that left, and where; NULL: none. */
static struct pkt *
next(int *where)
{
	uint32_t port;
	struct pkt *p = test_sent(&t.tw, &port);

	*where = p ? place_of(port) : NOBODY;
	return p;
}

/* Who got the only packet that left. */
static int
got(void)
{
	int where, other;
	struct pkt *p = next(&where);

	if (p)
		test_pkt_free(&t.tw.t, p);
	p = next(&other);
	assert_null(p);
	return where;
}

/* Everybody who got one, a bit each; bit 7 for the network. */
static unsigned
all_who_got(void)
{
	unsigned set = 0;
	struct pkt *p;
	int where;

	while ((p = next(&where))) {
		unsigned bit = where == NETWORK ? 1u << 7 : 1u << where;

		assert_false(set & bit);
		set |= bit;
		test_pkt_free(&t.tw.t, p);
	}
	return set;
}

static void
no_noise(void)
{
	struct pkt *p;
	int where;

	test_walker_run(&t.tw);
	while ((p = next(&where)))
		test_pkt_free(&t.tw.t, p);
}

static void
add(int i, const char *addr, enum osa_entry kind)
{
	assert_int_equal(test_add(&t, i, addr, kind, NULL), 0);
	no_noise();
}

static int
arrives(const char *to)
{
	from_network(udp_frame(port_mac, peer_mac, "203.0.113.7", to));
	return got();
}

static void
send_ip(int i, const char *from, const char *to)
{
	uint8_t buf[256];
	struct test_ip ip = {.src = from, .dst = to};
	struct pkt *p = test_pkt(&t.tw.t, buf, test_udp(buf, &ip, 1000, 2000, 20));

	adapter_send(&t.tw.w, t.a, (uint16_t)i, p);
	test_walker_run(&t.tw);
}

/* fig-4-08-osa-dispatch: all expectations of the topology. */
static void
figure_4_8(void **state)
{
	(void)state;
	add(P, "192.0.2.2", OSA_NORMAL);
	add(S, "192.0.2.3", OSA_NORMAL);
	add(G, "192.0.2.4", OSA_NORMAL);
	test_role(&t, P, OSA_PRIMARY_ROUTER, NULL);
	test_role(&t, S, OSA_SECONDARY_ROUTER, NULL);
	assert_int_equal(arrives("192.0.2.4"), G);
	assert_int_equal(arrives("10.1.1.2"), P);
	test_online(&t, P, false);
	assert_int_equal(arrives("10.1.1.2"), S);
	assert_int_equal(arrives("192.0.2.4"), G);
	test_online(&t, S, false);
	assert_int_equal(arrives("10.1.1.2"), NOBODY);
	assert_int_equal(drops(DROP_OSA_NO_ENTRY), 1);
	test_online(&t, P, true);
	no_noise();
	assert_int_equal(arrives("10.1.1.2"), P);
	test_role(&t, P, OSA_NO_ROUTER, NULL);
	test_role(&t, S, OSA_NO_ROUTER, NULL);
	assert_int_equal(arrives("10.1.1.2"), NOBODY);
	assert_int_equal(drops(DROP_OSA_NO_ENTRY), 2);
	assert_int_equal(arrives("192.0.2.4"), G);
}

static void
the_ip_header_leaves_as_it_came(void **state)
{
	uint8_t before[128], *after;
	struct pkt *p;
	int where;

	(void)state;
	test_role(&t, P, OSA_PRIMARY_ROUTER, NULL);
	p = udp_frame(port_mac, peer_mac, "203.0.113.7", "10.1.1.2"); /* TTL 1 */
	memcpy(before, (uint8_t *)pkt_data(p) + ETH_HLEN, pkt_len(p) - ETH_HLEN);
	from_network(p);
	p = next(&where);
	assert_int_equal(where, P);
	assert_int_equal(p->l2_len, 0);
	after = pkt_data(p);
	assert_memory_equal(after, before, pkt_len(p));
	test_pkt_free(&t.tw.t, p);
}

static void
remembers_what_nobody_had(void **state)
{
	struct discard list[DISCARDS_KEPT + 1];
	char text[ADDR_TEXT];

	(void)state;
	arrives("10.1.1.2");
	arrives("10.1.1.2");
	t.tw.w.env.now += TEST_SECOND;
	arrives("10.1.1.3");
	assert_int_equal(adapter_discards(t.a, list, DISCARDS_KEPT), 2);
	assert_string_equal(ip_text(&list[0].to, text), "10.1.1.3");
	assert_string_equal(ip_text(&list[1].to, text), "10.1.1.2");
	assert_string_equal(ip_text(&list[1].from, text), "203.0.113.7");
	assert_int_equal(list[1].packets, 2);
	assert_int_equal(list[1].why, DROP_OSA_NO_ENTRY);
	for (int i = 0; i < 3 * DISCARDS_KEPT; i++) {
		t.tw.w.env.now += TEST_SECOND;
		snprintf(text, sizeof(text), "10.2.0.%d", i);
		arrives(text);
	}
	assert_int_equal(adapter_discards(t.a, list, DISCARDS_KEPT + 1), DISCARDS_KEPT);
	assert_string_equal(ip_text(&list[0].to, text), "10.2.0.191");
}

/* => the ARP packet that was sent to the network. */
static struct arp_message
arp_sent(struct mac_addr *to)
{
	struct arp_message m = {0};
	struct ether_header eth;
	struct pkt *p;
	int where;

	p = next(&where);
	assert_non_null(p);
	assert_int_equal(where, NETWORK);
	memcpy(&eth, pkt_data(p), sizeof(eth));
	assert_int_equal(ntohs(eth.ether_type), ETHERTYPE_ARP);
	memcpy(to, eth.ether_dhost, sizeof(*to));
	rte_pktmbuf_adj(pkt_mbuf(p), ETH_HLEN);
	assert_int_equal(arp_read(p, &m), DROP_NONE);
	test_pkt_free(&t.tw.t, p);
	return m;
}

static void
the_port_answers_arp(void **state)
{
	static const char *const registered[] = {"192.0.2.4", "192.0.2.5", "198.51.100.1"};
	struct arp_message m;
	struct mac_addr to;

	(void)state;
	add(G, registered[0], OSA_NORMAL);
	add(P, registered[1], OSA_RXIP);
	add(P, registered[2], OSA_VIPA);
	for (int i = 0; i < 3; i++) {
		from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", registered[i]));
		m = arp_sent(&to);
		assert_false(m.request);
		assert_true(mac_equal(&to, &peer_mac));
		assert_true(mac_equal(&m.sender_mac, &port_mac)); /* OSA-13: one for all */
		assert_true(ip_equal(&m.sender, &(struct ip_addr){.v4 = test_addr(registered[i]).v4, .family = AF_INET}));
		assert_int_equal(got(), NOBODY); /* and no sharer sees any of it */
	}
	from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", "192.0.2.77"));
	assert_int_equal(got(), NOBODY);
	test_online(&t, G, false);
	from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", registered[0]));
	assert_int_equal(got(), NOBODY);
}

static void
announcements(void **state)
{
	static const struct {
		enum osa_entry kind;
		bool probed, announced;
	} rows[] = {{OSA_NORMAL, true, true}, {OSA_VIPA, false, false}, {OSA_RXIP, false, true}};
	struct arp_message m;
	struct mac_addr to;

	(void)state;
	t.tunables.value[TUNE_OSA_PROBE_TIME] = 100;
	test_adapter_set(&t);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(test_add(&t, P, "192.0.2.4", rows[i].kind, NULL), 0);
		test_walker_run(&t.tw);
		if (rows[i].probed) {
			m = arp_sent(&to);
			assert_true(m.request && m.sender.v4 == 0);
			assert_int_equal(got(), NOBODY);
			from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", "192.0.2.4"));
			assert_int_equal(got(), NOBODY); /* not yet */
			assert_int_equal(arrives("192.0.2.4"), P);
			test_walker_pass(&t.tw, 100 * TEST_MS);
		}
		if (rows[i].announced) {
			m = arp_sent(&to);
			assert_true(m.request && ip_equal(&m.sender, &m.target));
			assert_true(mac_equal(&to, &everyone) && mac_equal(&m.sender_mac, &port_mac));
		}
		test_walker_pass(&t.tw, TEST_SECOND);
		assert_int_equal(got(), NOBODY);
		test_del(&t, P, "192.0.2.4", rows[i].kind);
	}
}

static void
in_use_on_the_lan(void **state)
{
	struct refusal last;

	(void)state;
	t.tunables.value[TUNE_OSA_PROBE_TIME] = 100;
	test_adapter_set(&t);
	assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL), 0);
	no_noise();
	from_network(arp_frame(port_mac, peer_mac, false, "192.0.2.4", "0.0.0.0"));
	assert_int_equal(test_owner(&t, "192.0.2.4"), -1);
	assert_int_equal(t.sharers[P]->n_wanted, 0);
	assert_int_equal(adapter_refusals(t.a, &last, 1), 1);
	assert_int_equal(last.answer.code, 0xe00a);
	assert_string_equal(last.answer.holder, "02:00:00:00:00:11");
	test_walker_pass(&t.tw, TEST_SECOND);
	assert_int_equal(got(), NOBODY);
	/* a takeover does not ask, and once announced nobody's claim counts */
	add(P, "192.0.2.4", OSA_RXIP);
	from_network(arp_frame(everyone, peer_mac, true, "192.0.2.4", "192.0.2.4"));
	assert_int_equal(test_owner(&t, "192.0.2.4"), P);
}

static void
the_network_comes_back(void **state)
{
	struct arp_message m;
	struct mac_addr to;

	(void)state;
	adapter_network(t.a, &t.tw.w.env, false);
	assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL), 0);
	assert_int_equal(test_add(&t, P, "198.51.100.1", OSA_VIPA, NULL), 0);
	test_walker_run(&t.tw);
	assert_int_equal(got(), NOBODY);
	assert_int_equal(arrives("192.0.2.4"), NOBODY);
	send_ip(P, "192.0.2.4", "192.0.2.1");
	assert_int_equal(got(), NOBODY);
	assert_int_equal(drops(DROP_OSA_NO_NETWORK), 2);
	adapter_network(t.a, &t.tw.w.env, true);
	test_walker_run(&t.tw);
	m = arp_sent(&to);
	assert_true(ip_equal(&m.sender, &m.target));
	assert_int_equal(got(), NOBODY);
	assert_int_equal(arrives("192.0.2.4"), P);
}

static void
inside_the_port_without_a_lan(void **state)
{
	(void)state;
	add(P, "192.0.2.2", OSA_NORMAL);
	add(G, "192.0.2.4", OSA_NORMAL);
	adapter_network(t.a, &t.tw.w.env, false);
	send_ip(P, "192.0.2.2", "192.0.2.4");
	assert_int_equal(got(), G);
	send_ip(G, "192.0.2.4", "192.0.2.2");
	assert_int_equal(got(), P);
}

/* The next hop decides where a packet goes: by the router on the same port, though its destination is on the port as well. */
static void
the_next_hop_decides(void **state)
{
	struct sharer_route *routes = calloc(2, sizeof(*routes));

	(void)state;
	add(P, "192.0.2.2", OSA_NORMAL);
	add(G, "192.0.2.4", OSA_NORMAL);
	add(S, "198.51.100.1", OSA_VIPA);
	send_ip(G, "192.0.2.4", "198.51.100.1");
	assert_int_equal(got(), S);
	routes[0] = (struct sharer_route){.to = test_prefix("192.0.2.4/24")};
	routes[1] = (struct sharer_route){.to = test_prefix("default"), .via = test_addr("192.0.2.2")};
	t.sharers[G]->set.routes = routes;
	t.sharers[G]->set.n_routes = 2;
	send_ip(G, "192.0.2.4", "198.51.100.1");
	assert_int_equal(got(), P);
	send_ip(G, "192.0.2.4", "192.0.2.255"); /* the broadcast address of its network */
	assert_int_equal(all_who_got(), 1 << P | 1 << S | 1 << 7);
}

static void
asks_for_neighbours(void **state)
{
	struct ether_header eth;
	struct arp_message m;
	struct mac_addr to;
	struct pkt *p;
	int where;

	(void)state;
	add(G, "192.0.2.4", OSA_NORMAL);
	send_ip(G, "192.0.2.4", "192.0.2.1");
	m = arp_sent(&to);
	assert_true(m.request && m.sender.v4 == test_addr("192.0.2.4").v4 && m.target.v4 == test_addr("192.0.2.1").v4);
	assert_int_equal(got(), NOBODY);
	from_network(arp_frame(port_mac, peer_mac, false, "192.0.2.1", "192.0.2.4"));
	p = next(&where);
	assert_int_equal(where, NETWORK);
	memcpy(&eth, pkt_data(p), sizeof(eth));
	assert_memory_equal(eth.ether_dhost, &peer_mac, ETH_ALEN);
	assert_memory_equal(eth.ether_shost, &port_mac, ETH_ALEN);
	test_pkt_free(&t.tw.t, p);
	send_ip(G, "192.0.2.4", "192.0.2.1"); /* known now */
	assert_int_equal(got(), NETWORK);
	send_ip(G, "192.0.2.4", "192.0.2.9"); /* and nobody answers: no ICMP either */
	no_noise();
	test_walker_pass(&t.tw, 10 * TEST_SECOND);
	no_noise();
	assert_int_equal(drops(DROP_NEIGH_FAILED), 1);
}

static void
sources_are_checked(void **state)
{
	static const struct {
		const char *from;
		bool router, passes;
	} rows[] = {
		{"192.0.2.4", false, true},
		{"192.0.2.2", false, false}, /* another sharer's */
		{"10.9.9.9", false, false},
		{"10.0.0.7", false, true}, /* of its stack, not registered */
		{"0.0.0.0", false, true},
		{"10.9.9.9", true, true},
	};
	uint64_t refused = 0;

	(void)state;
	add(P, "192.0.2.2", OSA_NORMAL);
	add(G, "192.0.2.4", OSA_NORMAL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_sharer_router(&t, G, rows[i].router);
		t.sharers[G]->set.own = calloc(1, sizeof(struct ip_addr));
		t.sharers[G]->set.own[0] = test_addr("10.0.0.7");
		t.sharers[G]->set.n_own = 1;
		send_ip(G, rows[i].from, "192.0.2.2");
		assert_int_equal(got(), rows[i].passes ? P : NOBODY);
		refused += !rows[i].passes;
		assert_int_equal(drops(DROP_OSA_SOURCE), refused);
	}
}

static void
isolation(void **state)
{
	static const struct {
		enum osa_isolation p, g;
		int reaches;
	} rows[] = {
		{OSA_SHARED, OSA_SHARED, G},
		{OSA_SHARED, OSA_DROP, NOBODY},
		{OSA_DROP, OSA_SHARED, NOBODY},
		{OSA_FORWARD, OSA_SHARED, NETWORK},
		{OSA_SHARED, OSA_FORWARD, NETWORK},
		{OSA_FORWARD, OSA_DROP, NOBODY},
	};

	(void)state;
	add(P, "192.0.2.2", OSA_NORMAL);
	add(G, "192.0.2.4", OSA_NORMAL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t.sharers[P]->set.isolation = rows[i].p;
		t.sharers[G]->set.isolation = rows[i].g;
		send_ip(P, "192.0.2.2", "192.0.2.4");
		assert_int_equal(got(), rows[i].reaches);
		assert_int_equal(arrives("192.0.2.4"), G); /* from outside as ever */
	}
	assert_int_equal(drops(DROP_OSA_ISOLATED), 3);
}

static void
groups(void **state)
{
	struct mac_addr multicast = {{1, 0, 0x5e, 0, 0, 9}};
	struct ip_addr group = test_addr("224.0.0.9");

	(void)state;
	add(P, "192.0.2.2", OSA_NORMAL);
	from_network(udp_frame(everyone, peer_mac, "192.0.2.1", "255.255.255.255"));
	assert_int_equal(all_who_got(), 1 << P | 1 << S | 1 << G);
	from_network(udp_frame(multicast, peer_mac, "192.0.2.1", "224.0.0.9"));
	assert_int_equal(all_who_got(), 1 << P | 1 << S | 1 << G);
	test_online(&t, S, false);
	sharer_join(t.sharers[G], &group, NULL);
	from_network(udp_frame(multicast, peer_mac, "192.0.2.1", "224.0.0.9"));
	assert_int_equal(all_who_got(), 1 << P | 1 << G);
	from_network(udp_frame(multicast, peer_mac, "192.0.2.1", "224.0.0.10"));
	assert_int_equal(all_who_got(), 1 << P);
	from_network(udp_frame(multicast, peer_mac, "192.0.2.1", "224.0.0.1"));
	assert_int_equal(all_who_got(), 1 << P | 1 << G);
	send_ip(P, "192.0.2.2", "224.0.0.9");
	assert_int_equal(all_who_got(), 1 << G | 1 << 7);
	send_ip(P, "192.0.2.2", "255.255.255.255");
	assert_int_equal(all_who_got(), 1 << G | 1 << 7);
}

static void
set_mode(enum osa_mode mode, uint8_t layer)
{
	t.set.mode = mode;
	t.set.layer = layer;
	test_adapter_set(&t);
	for (int i = 0; i < TEST_SHARERS; i++) {
		test_online(&t, i, false);
		test_online(&t, i, true);
	}
}

static void
enter_static(int i, const char *text)
{
	struct ip_addr addr = test_addr(text);
	struct osa_answer answer;

	assert_int_equal(adapter_static(t.a, &t.tw.w.env, t.sharers[i], &addr, &answer), 0);
}

static void
send_frame(int i, struct pkt *p)
{
	adapter_send(&t.tw.w, t.a, (uint16_t)i, p);
	test_walker_run(&t.tw);
}

static void
ose_does_no_arp(void **state)
{
	struct pkt *p;
	int where;

	(void)state;
	set_mode(OSA_OSE, 3);
	enter_static(P, "192.0.2.2");
	enter_static(G, "192.0.2.4");
	assert_int_equal(arrives("192.0.2.4"), G);
	assert_int_equal(arrives("10.1.1.2"), NOBODY);
	assert_int_equal(drops(DROP_OSA_NO_ENTRY), 1);
	from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", "192.0.2.4"));
	assert_int_equal(all_who_got(), 1 << P | 1 << S | 1 << G); /* whoever likes to answers */
	from_network(arp_frame(port_mac, peer_mac, false, "192.0.2.1", "192.0.2.4"));
	assert_int_equal(got(), G); /* who has asked */
	send_frame(G, arp_frame(everyone, port_mac, true, "192.0.2.4", "192.0.2.1"));
	assert_int_equal(got(), NETWORK);
	send_frame(G, arp_frame(everyone, port_mac, true, "192.0.2.4", "192.0.2.2"));
	p = next(&where); /* a neighbour on the port has the same MAC address: the port says so */
	assert_int_equal(where, G);
	assert_memory_equal((uint8_t *)pkt_data(p) + ETH_ALEN, &port_mac, ETH_ALEN);
	test_pkt_free(&t.tw.t, p);
	send_frame(G, udp_frame(port_mac, port_mac, "192.0.2.4", "192.0.2.2"));
	assert_int_equal(got(), P);
	send_frame(G, udp_frame(peer_mac, port_mac, "192.0.2.4", "10.1.1.2"));
	assert_int_equal(got(), NETWORK);
	send_frame(G, udp_frame(peer_mac, port_mac, "10.9.9.9", "10.1.1.2"));
	send_frame(G, udp_frame(peer_mac, peer_mac, "192.0.2.4", "10.1.1.2"));
	send_frame(G, arp_frame(everyone, port_mac, true, "192.0.2.2", "192.0.2.1"));
	assert_int_equal(got(), NOBODY);
	assert_int_equal(drops(DROP_OSA_SOURCE), 3);
}

/* OPEN-1: it does not fall to the primary. */
static void
a_static_owner_that_is_down(void **state)
{
	(void)state;
	set_mode(OSA_OSE, 3);
	enter_static(G, "192.0.2.4");
	test_role(&t, P, OSA_PRIMARY_ROUTER, NULL);
	test_online(&t, G, false);
	assert_int_equal(arrives("192.0.2.4"), NOBODY);
	assert_int_equal(drops(DROP_OSA_OWNER_DOWN), 1);
	assert_int_equal(arrives("10.1.1.2"), P);
	set_mode(OSA_QDIO, 3);
	adapter_clear_static(t.a, &t.tw.w.env);
	add(G, "192.0.2.4", OSA_NORMAL);
	test_online(&t, G, false);
	assert_int_equal(arrives("192.0.2.4"), P); /* in QDIO the registration is gone */
}

static void
layer_2(void **state)
{
	struct mac_addr g = {{2, 0, 0, 0, 1, G}}, p = {{2, 0, 0, 0, 1, P}};

	(void)state;
	set_mode(OSA_QDIO, 2);
	test_sharer_router(&t, G, true);
	test_sharer_router(&t, P, true);
	from_network(udp_frame(g, peer_mac, "203.0.113.7", "10.1.1.2"));
	assert_int_equal(got(), G);
	from_network(udp_frame(port_mac, peer_mac, "203.0.113.7", "10.1.1.2"));
	assert_int_equal(got(), NOBODY);
	assert_int_equal(drops(DROP_NOT_FOR_US), 1);
	from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", "192.0.2.4"));
	assert_int_equal(all_who_got(), 1 << P | 1 << S | 1 << G);
	send_frame(G, udp_frame(p, g, "192.0.2.4", "192.0.2.2"));
	assert_int_equal(got(), P);
	send_frame(G, udp_frame(peer_mac, g, "192.0.2.4", "192.0.2.2"));
	assert_int_equal(got(), NETWORK);
	send_frame(G, arp_frame(everyone, g, true, "192.0.2.4", "192.0.2.2"));
	assert_int_equal(all_who_got(), 1 << P | 1 << S | 1 << 7);
	send_frame(G, udp_frame(peer_mac, p, "192.0.2.4", "192.0.2.2"));
	assert_int_equal(got(), NOBODY);
	assert_int_equal(drops(DROP_OSA_SOURCE), 1);
}

static void
promiscuous_where_granted(void **state)
{
	struct mac_addr g = {{2, 0, 0, 0, 1, G}};

	(void)state;
	t.sharers[S]->set.promiscuous = true;
	set_mode(OSA_QDIO, 2);
	from_network(udp_frame(g, peer_mac, "203.0.113.7", "10.1.1.2"));
	assert_int_equal(all_who_got(), 1 << G | 1 << S);
	from_network(udp_frame(peer_mac, peer_mac, "203.0.113.7", "10.1.1.2"));
	assert_int_equal(all_who_got(), 1 << S);
	set_mode(OSA_OSE, 3);
	enter_static(G, "192.0.2.4");
	from_network(udp_frame(port_mac, peer_mac, "203.0.113.7", "192.0.2.4"));
	assert_int_equal(all_who_got(), 1 << G | 1 << S);
	test_online(&t, S, false);
	from_network(udp_frame(port_mac, peer_mac, "203.0.113.7", "192.0.2.4"));
	assert_int_equal(all_who_got(), 1 << G);
	adapter_clear_static(t.a, &t.tw.w.env);
	set_mode(OSA_QDIO, 3); /* no frames, nothing to listen to */
	add(G, "192.0.2.4", OSA_NORMAL);
	assert_int_equal(arrives("192.0.2.4"), G);
}

static void
dedicated(void **state)
{
	(void)state;
	adapter_leave(t.a, &t.tw.w.env, t.sharers[P]);
	adapter_leave(t.a, &t.tw.w.env, t.sharers[S]);
	set_mode(OSA_DEDICATED, 3);
	assert_int_equal(arrives("10.1.1.2"), G);
	from_network(arp_frame(everyone, peer_mac, true, "192.0.2.1", "192.0.2.4"));
	assert_int_equal(got(), G);
	send_frame(G, udp_frame(peer_mac, port_mac, "10.9.9.9", "10.1.1.2"));
	assert_int_equal(got(), NETWORK);
	test_online(&t, G, false);
	assert_int_equal(arrives("10.1.1.2"), NOBODY);
	assert_int_equal(drops(DROP_OSA_OWNER_DOWN), 1);
}

static void
what_is_noted_for_a_path(void **state)
{
	struct recorder r = {0};
	struct pkt *p = udp_frame(port_mac, peer_mac, "203.0.113.7", "192.0.2.4");
	uint32_t seen;

	(void)state;
	add(G, "192.0.2.4", OSA_NORMAL);
	p->recorder = &r;
	from_network(p);
	assert_int_equal(got(), G);
	assert_false(r.refused);
	assert_int_equal(r.n_reads, 1);
	assert_ptr_equal(r.reads[0].object, &t.a->version);
	seen = t.a->version.n;
	assert_int_equal(r.reads[0].seen, seen);
	test_add(&t, P, "192.0.2.5", OSA_NORMAL, NULL);
	assert_int_not_equal(t.a->version.n, seen);
	seen = t.a->version.n;
	test_role(&t, P, OSA_PRIMARY_ROUTER, NULL);
	assert_int_not_equal(t.a->version.n, seen);
	seen = t.a->version.n;
	adapter_network(t.a, &t.tw.w.env, false);
	assert_int_not_equal(t.a->version.n, seen);
	no_noise();
}

/* Every length of every kind of frame, from both sides: ASan looks on. */
static void
frames_that_end_early(void **state)
{
	static const uint16_t types[] = {ETHERTYPE_IP, ETHERTYPE_ARP, ETHERTYPE_IPV6, 0x88a8};
	static const uint8_t firsts[] = {0x45, 0x60, 0x00};

	(void)state;
	for (int mode = 0; mode < 4; mode++) {
		set_mode(mode == 3 ? OSA_QDIO : (enum osa_mode)mode, mode == 3 ? 2 : 3);
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]) * sizeof(firsts); k++) {
			for (size_t len = 0; len < 64; len++) {
				uint8_t buf[64] = {firsts[k % sizeof(firsts)]};
				struct pkt *p = make_frame(k & 1 ? everyone : port_mac, port_mac, types[k / sizeof(firsts)], buf, len);

				from_network(p);
				p = make_frame(k & 1 ? everyone : port_mac, port_mac, types[k / sizeof(firsts)], buf, len);
				if (mode == OSA_QDIO) {
					rte_pktmbuf_adj(pkt_mbuf(p), ETH_HLEN);
					p->l2_len = 0;
				}
				send_frame(G, p);
				no_noise();
			}
		}
		for (size_t len = 0; len < ETH_HLEN; len++) {
			struct pkt *p = test_pkt(&t.tw.t, &port_mac, len < 6 ? len : 6);

			p->l2_len = ETH_HLEN;
			from_network(p);
			no_noise();
		}
	}
}

/* Registered -> owner; else the active primary; else the active secondary; else nobody: by a walk over plain lists. */
struct naive {
	uint16_t owner[64];
	bool active[TEST_SHARERS];
	int primary, secondary;
};

static int
naive_owner(const struct naive *n, unsigned addr)
{
	if (n->owner[addr] != SHARER_NONE)
		return n->owner[addr];
	if (n->primary >= 0 && n->active[n->primary])
		return n->primary;
	return n->secondary >= 0 && n->active[n->secondary] ? n->secondary : NOBODY;
}

static void
change_role(struct naive *n, int i, enum osa_role role)
{
	if (test_role(&t, i, role, NULL) < 0)
		return;
	n->primary = n->primary == i ? -1 : n->primary;
	n->secondary = n->secondary == i ? -1 : n->secondary;
	if (role == OSA_PRIMARY_ROUTER)
		n->primary = i;
	if (role == OSA_SECONDARY_ROUTER)
		n->secondary = i;
}

static void
change_activity(struct naive *n, int i)
{
	n->active[i] = !n->active[i];
	test_online(&t, i, n->active[i]);
	for (unsigned a = 0; a < 64; a++) {
		char text[24];
		int owner;

		snprintf(text, sizeof(text), "192.0.2.%u", a + 1);
		owner = test_owner(&t, text);
		if (!n->active[i] && n->owner[a] == i)
			assert_int_equal(owner, -1);
		n->owner[a] = owner < 0 ? SHARER_NONE : (uint16_t)owner;
	}
}

static void
against_a_naive_twin(void **state)
{
	struct naive n = {.primary = -1, .secondary = -1, .active = {true, true, true}};
	char text[24];

	(void)state;
	srand48((long)test_seed());
	memset(n.owner, 0xff, sizeof(n.owner));
	for (int step = 0; step < 20000; step++) {
		int i = (int)(lrand48() % TEST_SHARERS);
		unsigned a = (unsigned)(lrand48() % 64);

		snprintf(text, sizeof(text), "192.0.2.%u", a + 1);
		switch (lrand48() % 16) {
		case 0:
			if (test_add(&t, i, text, OSA_NORMAL, NULL) == 0 && n.active[i])
				n.owner[a] = (uint16_t)i;
			break;
		case 1:
			if (test_del(&t, i, text, OSA_NORMAL) == 0 && test_owner(&t, text) < 0)
				n.owner[a] = SHARER_NONE;
			break;
		case 2:
			change_role(&n, i, (enum osa_role)(lrand48() % 3));
			break;
		case 3:
			change_activity(&n, i);
			break;
		default:
			no_noise();
			assert_int_equal(arrives(text), naive_owner(&n, a));
		}
		no_noise();
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(figure_4_8),
		TEST(the_ip_header_leaves_as_it_came),
		TEST(remembers_what_nobody_had),
		TEST(the_port_answers_arp),
		TEST(announcements),
		TEST(in_use_on_the_lan),
		TEST(the_network_comes_back),
		TEST(inside_the_port_without_a_lan),
		TEST(the_next_hop_decides),
		TEST(asks_for_neighbours),
		TEST(sources_are_checked),
		TEST(isolation),
		TEST(groups),
		TEST(ose_does_no_arp),
		TEST(a_static_owner_that_is_down),
		TEST(layer_2),
		TEST(promiscuous_where_granted),
		TEST(dedicated),
		TEST(what_is_noted_for_a_path),
		TEST(frames_that_end_early),
		TEST(against_a_naive_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
