/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk of a packet through routers:
 *
 *	port 10 ── eth0 ┌───┐ iucv0 ── port 12, or ── iucv0 ┌───┐ eth0 ── port 20
 *	port 11 ── eth1 │ a │                               │ b │
 *	                └───┘                               └───┘
 */
#include "fabric/router/way.h"

#include "fabric/base/pkt_chain.h"
#include "tests/unit/support/routers.h"
#include "tests/unit/support/walkers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <limits.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

enum { A_ETH0 = 10, A_ETH1, A_IUCV0, B_ETH0 = 20 };
enum { A, B };
enum { FRAME_SHIFT = 2 }; /* as ports do it: IP headers lie on a 4-byte boundary */

static struct test_walker tw;
static struct test_router a, b;

struct test_route {
	const char *to;
	enum route_type type;
	const char *via; /* NULL: on link */
	uint16_t oif;    /* 0: the type has no next hop */
};

static void
set_routes(struct test_router *t, const struct test_route *rows, size_t n)
{
	struct route *routes = NULL;
	size_t count = 0;

	fib_free(t->r.fib);
	for (uint16_t i = 1; i < TEST_IFACES; i++)
		assert_int_equal(routes_of_iface(&t->ifaces[i], &routes, &count), 0);
	routes = realloc(routes, (count + n) * sizeof(*routes));
	for (size_t i = 0; i < n; i++, count++) {
		routes[count] = (struct route){
			.to = test_prefix(rows[i].to), .type = rows[i].type, .table = TABLE_MAIN};
		routes[count].n_hops = rows[i].oif != 0;
		routes[count].hops = calloc(1, sizeof(struct nexthop));
		routes[count].hops[0] = (struct nexthop){.oif = rows[i].oif, .weight = 1};
		if (rows[i].via)
			routes[count].hops[0].via = test_addr(rows[i].via);
	}
	assert_int_equal(fib_new(routes, count, NULL, 0, t->slots, TEST_IFACES, &t->r.fib), 0);
	routes_free(routes, count);
}

static const struct test_route a_routes[] = {
	{"172.16.0.0/16", ROUTE_UNICAST, "192.168.1.2", TEST_IUCV0},
	{"8.8.8.0/24", ROUTE_UNICAST, "10.0.0.254", TEST_ETH0},
	{"203.0.113.0/24", ROUTE_DISCARD, NULL, 0},
	{"203.0.114.0/24", ROUTE_UNREACHABLE, NULL, 0},
	{"203.0.115.0/24", ROUTE_PROHIBIT, NULL, 0},
	{"198.51.100.0/24", ROUTE_UNICAST, NULL, TEST_DUMMY0},
};

static int
setup(void **state)
{
	(void)state;
	test_walker_init(&tw, 1);
	test_router_init(&a);
	set_routes(&a, a_routes, RTE_DIM(a_routes));
	a.ifaces[TEST_ETH0].attach = (struct attach){ATTACH_PORT, A_ETH0, 0};
	a.ifaces[TEST_ETH1].attach = (struct attach){ATTACH_PORT, A_ETH1, 0};
	a.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_PORT, A_IUCV0, 0};
	tw.routers[A] = &a.r;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_router_fini(&a, &tw.t);
	return (int)test_walker_fini(&tw);
}

/* The second router, 192.168.1.2, with 172.16.0.1/16 on its LAN; a's iucv0 leads to it. */
static int
setup_two(void **state)
{
	static const struct test_route back[] = {
		{"default", ROUTE_UNICAST, "192.168.1.1", TEST_IUCV0}};

	setup(state);
	test_router_init(&b);
	b.r.slot = B;
	b.addrs[TEST_ETH0][0].prefix = test_prefix("172.16.0.1/16");
	b.ifaces[TEST_ETH0].n_addrs = 1;
	b.ifaces[TEST_ETH1].n_addrs = b.ifaces[TEST_DUMMY0].n_addrs = 0;
	b.addrs[TEST_IUCV0][0] =
		(struct iface_addr){test_prefix("192.168.1.2"), test_addr("192.168.1.1")};
	set_routes(&b, back, RTE_DIM(back));
	b.ifaces[TEST_ETH0].attach = (struct attach){ATTACH_PORT, B_ETH0, 0};
	b.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_ROUTER, A, TEST_IUCV0};
	a.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_ROUTER, B, TEST_IUCV0};
	tw.routers[B] = &b.r;
	return 0;
}

static int
teardown_two(void **state)
{
	test_router_fini(&b, &tw.t);
	return teardown(state);
}

/* Gives the packet to an interface of a router, and runs what comes of it. */
static void
arrive(struct test_router *t, uint16_t slot, struct pkt *p)
{
	p->router = &t->r;
	p->in = &t->ifaces[slot];
	p->l2_len = p->in->kind == IFACE_LAN ? ETH_HLEN : 0;
	router_receive(&tw.w, p);
	test_walker_run(&tw);
}

static struct pkt *
udp_between(const char *src, const char *dst, size_t len)
{
	uint8_t buf[3000];

	return test_pkt(&tw.t, buf,
		test_udp(buf, &(struct test_ip){.src = src, .dst = dst}, 1000, 2000, len));
}

/* ---- the table and the loop ---- */

static void
stages_are_in_order(void **state)
{
	(void)state;
	for (int h = 0; h < HOOK_COUNT; h++) {
		const struct stage *s = router_way.hooks[h];

		assert_non_null(s[0].name);
		for (; s->name; s++) {
			assert_non_null(s->run);
			if (s[1].name)
				assert_true(s->priority < s[1].priority);
			else
				assert_int_equal(s->priority, PRIORITY_LAST);
		}
	}
}

static char trail[64];
static int repeats;
static struct pkt *stolen;

static void
note(const char *what)
{
	size_t n = strlen(trail);

	snprintf(trail + n, sizeof(trail) - n, "%s ", what);
}

static enum verdict
stage_accept(struct walker *w, struct step *s)
{
	(void)w;
	(void)s;
	note("accept");
	return VERDICT_ACCEPT;
}

static enum verdict
stage_repeat(struct walker *w, struct step *s)
{
	(void)w;
	(void)s;
	note("repeat");
	return ++repeats < 3 ? VERDICT_REPEAT : VERDICT_ACCEPT;
}

static enum verdict
stage_go(struct walker *w, struct step *s)
{
	(void)w;
	note("go");
	s->p->hook = HOOK_FORWARD;
	return VERDICT_GO;
}

static enum verdict
stage_steal(struct walker *w, struct step *s)
{
	(void)w;
	note("steal");
	stolen = s->p;
	return VERDICT_STOLEN;
}

static enum verdict
stage_drop(struct walker *w, struct step *s)
{
	(void)w;
	note("drop");
	s->why = DROP_NO_ROUTE;
	return VERDICT_DROP;
}

static const struct way own_way = {{
	[HOOK_PREROUTING] =
		(const struct stage[]){
			{"accept", PRIORITY_FIRST, READS_KEY, stage_accept},
			{"repeat", PRIORITY_RAW, READS_KEY, stage_repeat},
			{"go", PRIORITY_LAST, READS_KEY, stage_go},
			{0},
		},
	[HOOK_FORWARD] =
		(const struct stage[]){
			{"steal", PRIORITY_FIRST, READS_NEVER, stage_steal},
			{"accept", PRIORITY_FILTER, READS_KEY, stage_accept},
			{"drop", PRIORITY_LAST, READS_KEY, stage_drop},
			{0},
		},
}};

static void
verdicts_and_resuming(void **state)
{
	struct pkt *p = udp_between("10.0.0.2", "10.1.0.2", 8);
	struct recorder recorder = {0};

	(void)state;
	trail[0] = '\0';
	repeats = 0;
	stolen = NULL;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &a.r;
	p->in = &a.ifaces[TEST_ETH0];
	p->recorder = &recorder;
	router_walk(&tw.w, &own_way, p);
	assert_string_equal(trail, "accept repeat repeat repeat go steal ");
	assert_ptr_equal(stolen, p);
	assert_true(recorder.refused);
	assert_string_equal(recorder.because, "steal");
	assert_int_equal(test_drops(&a), 0);
	p->recorder = NULL;
	p->stage++; /* as ORIGIN_RESUME does */
	router_walk(&tw.w, &own_way, p);
	assert_string_equal(trail, "accept repeat repeat repeat go steal accept drop ");
	assert_int_equal(a.live.drops.n[DROP_NO_ROUTE], 1);
	assert_int_equal(a.lives[TEST_ETH0].count.rx_drops, 1);
	assert_int_equal(test_drops(&a), 1);
}

/* ---- from router to router ---- */

static struct pkt *
frame(const struct iface *to, const uint8_t *src, uint16_t type, const void *data, size_t len,
	bool everyone)
{
	uint8_t buf[3100];
	struct ether_header *eth = (struct ether_header *)(buf + FRAME_SHIFT);
	struct pkt *p;

	memcpy(eth->ether_dhost, &to->mac, ETH_ALEN);
	if (everyone)
		memset(eth->ether_dhost, 0xff, ETH_ALEN);
	memcpy(eth->ether_shost, src, ETH_ALEN);
	eth->ether_type = htons(type);
	memcpy(eth + 1, data, len);
	p = test_pkt(&tw.t, buf, FRAME_SHIFT + ETH_HLEN + len);
	rte_pktmbuf_adj(pkt_mbuf(p), FRAME_SHIFT);
	return p;
}

static const uint8_t host_mac[ETH_ALEN] = {2, 0, 0, 0, 9, 9};

/* The host `ip` on the LAN of `t` answers ARP, unasked if need be. */
static void
arp_answer(struct test_router *t, uint16_t slot, const char *ip, const char *to)
{
	uint32_t sender = inet_addr(ip), target = inet_addr(to);
	uint8_t arp[28] = {0, ARPHRD_ETHER, 8, 0, 6, 4, 0, ARPOP_REPLY};

	memcpy(arp + 8, host_mac, 6);
	memcpy(arp + 14, &sender, 4);
	memcpy(arp + 18, &t->ifaces[slot].mac, 6);
	memcpy(arp + 24, &target, 4);
	arrive(t, slot, frame(&t->ifaces[slot], host_mac, ETHERTYPE_ARP, arp, sizeof(arp), false));
}

static bool
recorded(const struct recorder *r, const struct version *v)
{
	for (uint16_t i = 0; i < r->n_reads; i++) {
		if (r->reads[i].object == v)
			return true;
	}
	return false;
}

static void
through_two_routers(void **state)
{
	struct recorder recorder = {.most = 70000};
	uint8_t buf[100];
	uint32_t port;
	size_t len =
		test_udp(buf, &(struct test_ip){.src = "10.0.0.2", .dst = "172.16.5.5"}, 1, 2, 8);
	struct pkt *p;

	(void)state;
	arrive(&a, TEST_ETH0, frame(&a.ifaces[TEST_ETH0], host_mac, ETHERTYPE_IP, buf, len, false));
	p = test_sent(&tw, &port); /* b asks who has 172.16.5.5 */
	assert_int_equal(port, B_ETH0);
	assert_int_equal(pkt_len(p), ETH_HLEN + 28);
	test_pkt_free(&tw.t, p);
	arp_answer(&b, TEST_ETH0, "172.16.5.5", "172.16.0.1");
	p = test_sent(&tw, &port); /* what waited */
	assert_int_equal(port, B_ETH0);
	test_pkt_free(&tw.t, p);

	p = frame(&a.ifaces[TEST_ETH0], host_mac, ETHERTYPE_IP, buf, len, false);
	p->recorder = &recorder;
	arrive(&a, TEST_ETH0, p);
	p = test_sent(&tw, &port);
	assert_int_equal(port, B_ETH0);
	assert_memory_equal(pkt_data(p), host_mac, ETH_ALEN);
	rte_pktmbuf_adj(pkt_mbuf(p), ETH_HLEN);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(pkt_ip4(p)->ttl, 62);
	test_pkt_free(&tw.t, p);
	assert_false(recorder.refused);
	assert_int_equal(recorder.guards, 0);
	assert_int_equal(recorder.most, 1492);
	assert_int_equal(recorder.n_credits, 4);
	assert_true(recorded(&recorder, &a.live.version) && recorded(&recorder, &b.live.version));
	assert_true(recorded(&recorder, &a.lives[TEST_ETH0].version));
	assert_true(recorded(&recorder, &a.lives[TEST_IUCV0].version));
	assert_true(recorded(&recorder, &b.lives[TEST_ETH0].version));
	assert_int_equal(test_drops(&a) + test_drops(&b), 0);
	assert_int_equal(a.lives[TEST_IUCV0].count.tx_packets, 2);
	assert_int_equal(b.lives[TEST_IUCV0].count.rx_packets, 2);
	assert_int_equal(b.lives[TEST_ETH0].count.tx_packets, 3); /* with the question */
	assert_int_equal(b.lives[TEST_ETH0].count.tx_bytes, 2 * len + 28);
}

/* Each router sends it to the other: it dies of its age, and its sender hears of that once. */
static void
a_loop_ends(void **state)
{
	static const struct test_route there[] = {
		{"172.20.0.0/16", ROUTE_UNICAST, "192.168.1.2", TEST_IUCV0}};
	uint8_t buf[100];
	size_t len = test_udp(buf,
		&(struct test_ip){.src = "10.0.0.2", .dst = "172.20.0.1", .ttl = 255}, 1, 2, 8);
	struct pkt *p;

	(void)state;
	set_routes(&a, there, 1);
	arrive(&a, TEST_ETH0, frame(&a.ifaces[TEST_ETH0], host_mac, ETHERTYPE_IP, buf, len, false));
	assert_int_equal(a.lives[TEST_IUCV0].count.tx_packets, 127);
	assert_int_equal(b.live.drops.n[DROP_TTL] + a.live.drops.n[DROP_TTL], 1);
	p = test_sent(&tw, NULL); /* a asks for 10.0.0.2: there is one error to deliver */
	assert_non_null(p);
	test_pkt_free(&tw.t, p);
	assert_null(test_sent(&tw, NULL));
}

static void
hops_are_bounded(void **state)
{
	struct pkt *p = udp_between("192.168.1.1", "192.168.1.2", 8);

	(void)state;
	p->router = &a.r;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->hops = 255;
	env_emit(&tw.w.env, p, ORIGIN_OUTPUT);
	test_walker_run(&tw);
	assert_int_equal(a.live.drops.n[DROP_LOOP], 1);
	assert_int_equal(test_drops(&a) + test_drops(&b), 1);
}

/* ---- every way to be dropped ---- */

enum change {
	NOTHING,
	NO_FORWARD,
	DOWN,
	STRICT,
	NO_CARRIER_ETH1,
	BAD_IP_SUM,
	BAD_L4_SUM,
	IHL_4,
	VERSION_7,
	VERSION_6,
	CUT,
	BAD_GSO
};

struct drop_row {
	const char *reason;
	const char *src, *dst;
	uint8_t proto;
	size_t len;
	enum change change;
	int type, code; /* of the ICMP message that answers; type -1: silence, -2: a TCP reset */
	uint16_t frag_off;
	uint8_t ttl, icmp;
	const char *options;
};

#define PEER "192.168.1.2"
#define SELF "192.168.1.1"
#define UDP IPPROTO_UDP
#define SILENT .type = -1

static const struct drop_row drop_rows[] = {
	{"truncated", PEER, SELF, UDP, 8, CUT, SILENT},
	{"ip-version", PEER, SELF, UDP, 8, VERSION_7, SILENT},
	{"ip-header", PEER, SELF, UDP, 8, IHL_4, SILENT},
	{"ip-checksum", PEER, SELF, UDP, 8, BAD_IP_SUM, SILENT},
	{"ip-option", PEER, "8.8.8.8", UDP, 8, SILENT,
		.options = "\x83\x07\x04\x0a\x00\x00\x02\x00"},
	{"ipv6", PEER, SELF, UDP, 60, VERSION_6, SILENT},
	{"offload", PEER, "8.8.8.8", UDP, 8, BAD_GSO, SILENT},
	{"interface-down", PEER, "8.8.8.8", UDP, 8, DOWN, SILENT},
	{"martian-source", "224.0.0.1", "8.8.8.8", UDP, 8, SILENT},
	{"martian-source", "255.255.255.255", "8.8.8.8", UDP, 8, SILENT},
	{"martian-source", "127.0.0.1", "8.8.8.8", UDP, 8, SILENT},
	{"martian-source", "0.0.0.0", "8.8.8.8", UDP, 8, SILENT},
	{"martian-source", "10.0.0.1", "8.8.8.8", UDP, 8, SILENT},
	{"martian-source", "10.0.0.1", SELF, UDP, 8, SILENT},
	{"martian-destination", PEER, "127.0.0.1", UDP, 8, SILENT},
	{"martian-destination", PEER, "0.0.0.0", UDP, 8, SILENT},
	{"rp-filter", "8.8.8.8", "10.1.0.2", UDP, 8, STRICT, SILENT},
	{"rp-filter", "8.8.8.8", SELF, UDP, 8, STRICT, SILENT},
	{"rp-filter", "203.0.113.9", "10.1.0.2", UDP, 8, STRICT, SILENT},
	{"forwarding-off", PEER, "8.8.8.8", UDP, 8, NO_FORWARD, SILENT},
	{"forwarding-off", PEER, "100.64.0.1", UDP, 8, NO_FORWARD, SILENT},
	{"forwarding-off", PEER, "203.0.114.1", UDP, 8, NO_FORWARD, SILENT},
	{"no-route", PEER, "100.64.0.1", UDP, 8, .type = ICMP_DEST_UNREACH,
		.code = ICMP_NET_UNREACH},
	{"route-discard", PEER, "203.0.113.1", UDP, 8, SILENT},
	{"route-unreachable", PEER, "203.0.114.1", UDP, 8, .type = ICMP_DEST_UNREACH,
		.code = ICMP_HOST_UNREACH},
	{"route-unreachable", "172.16.0.9", "203.0.114.1", UDP, 8, STRICT,
		.type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH},
	{"route-prohibit", PEER, "203.0.115.1", UDP, 8, .type = ICMP_DEST_UNREACH,
		.code = ICMP_PKT_FILTERED},
	{"link-down", PEER, "10.1.0.2", UDP, 8, NO_CARRIER_ETH1, .type = ICMP_DEST_UNREACH,
		.code = ICMP_HOST_UNREACH},
	{"ttl-exceeded", PEER, "8.8.8.8", UDP, 8, .ttl = 1, .type = ICMP_TIME_EXCEEDED,
		.code = ICMP_EXC_TTL},
	{"ttl-exceeded", PEER, "8.8.8.8", IPPROTO_ICMP, 8, .icmp = ICMP_DEST_UNREACH, .ttl = 1,
		SILENT},
	{"mtu", PEER, "10.1.0.2", UDP, 1400, .frag_off = IP_DF, .type = ICMP_DEST_UNREACH,
		.code = ICMP_FRAG_NEEDED},
	{"broadcast", PEER, "10.0.0.255", UDP, 8, SILENT},
	{"link-broadcast", PEER, "255.255.255.255", UDP, 8, SILENT},
	{"link-broadcast", PEER, "224.0.0.5", UDP, 8, SILENT},
	{"dummy", PEER, "198.51.100.1", UDP, 8, SILENT},
	{"no-listener", PEER, SELF, UDP, 8, .type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH},
	{"no-listener", PEER, SELF, UDP, 8, BAD_L4_SUM, SILENT},
	{"no-listener", PEER, SELF, IPPROTO_TCP, 8, .type = -2},
	{"no-listener", PEER, SELF, IPPROTO_TCP, 8, BAD_L4_SUM, SILENT},
	{"no-listener", PEER, SELF, 99, 8, .type = ICMP_DEST_UNREACH, .code = ICMP_PROT_UNREACH},
	{"no-listener", PEER, SELF, IPPROTO_ICMP, 8, .icmp = ICMP_ECHOREPLY, SILENT},
	{"icmp-malformed", PEER, SELF, IPPROTO_ICMP, 8, BAD_L4_SUM, .icmp = ICMP_ECHO, SILENT},
	{"icmp-ignored", PEER, SELF, IPPROTO_ICMP, 8, .icmp = ICMP_REDIRECT, SILENT},
	{"fragment", PEER, SELF, UDP, 5, .frag_off = IP_MF, SILENT},
};

static size_t
build(uint8_t *buf, const struct drop_row *r)
{
	struct test_ip ip = {.src = r->src, .dst = r->dst, .ttl = r->ttl, .frag_off = r->frag_off};
	uint8_t payload[64] = {0};

	ip.options = (const uint8_t *)r->options;
	ip.options_len = r->options ? 8 : 0;
	switch (r->proto) {
	case IPPROTO_UDP:
		return test_udp(buf, &ip, 1000, 2000, r->len);
	case IPPROTO_TCP:
		return test_tcp(buf, &ip, 1000, 2000, r->len);
	case IPPROTO_ICMP:
		return test_icmp(buf, &ip, r->icmp, 0, 1, 1, r->len);
	}
	return test_ip4(buf, &ip, r->proto, payload, r->len);
}

/* Makes a fault in the packet or in the router. => the length now. */
static size_t
spoil(uint8_t *buf, size_t len, enum change change)
{
	struct iface *in = &a.ifaces[TEST_IUCV0];

	switch (change) {
	case NO_FORWARD:
		a.r.forward = false;
		break;
	case DOWN:
		in->up = false;
		break;
	case STRICT:
		in->rp_filter = 1;
		break;
	case NO_CARRIER_ETH1:
		a.lives[TEST_ETH1].carrier = false;
		break;
	case BAD_IP_SUM:
		buf[10] ^= 1;
		break;
	case BAD_L4_SUM:
		buf[len - 1] ^= 1;
		break;
	case IHL_4:
		buf[0] = 0x44;
		break;
	case VERSION_7:
		buf[0] = 0x75;
		break;
	case VERSION_6:
		memset(buf, 0, 40);
		buf[0] = 0x60;
		buf[5] = (uint8_t)(len - 40);
		buf[6] = IPPROTO_NONE;
		break;
	case CUT:
		return len - 1;
	default:
		break;
	}
	return len;
}

static void
expect_answer(const struct drop_row *r)
{
	uint32_t port;
	struct pkt *p = test_sent(&tw, &port);
	const struct icmphdr *icmp;

	if (r->type == -1) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_null(test_sent(&tw, NULL));
	assert_int_equal(port, A_IUCV0);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(pkt_ip4(p)->daddr, inet_addr(r->src));
	if (r->type == -2) {
		assert_int_equal(p->proto, IPPROTO_TCP);
		assert_true(((const struct tcphdr *)pkt_l4(p))->rst);
	} else {
		assert_int_equal(p->proto, IPPROTO_ICMP);
		icmp = pkt_l4(p);
		assert_int_equal(icmp->type, r->type);
		assert_int_equal(icmp->code, r->code);
		assert_int_equal(ntohs(icmp->un.frag.mtu), r->code == ICMP_FRAG_NEEDED ? 1400 : 0);
	}
	test_pkt_free(&tw.t, p);
}

/* Exactly one packet was dropped, for this reason. */
static void
expect_drop(const struct test_router *t, const char *reason)
{
	uint64_t all = 0;

	for (int r = 0; r < DROP_COUNT; r++) {
		uint64_t n = t->live.drops.n[r] + tw.w.env.drops.n[r];

		if (n && strcmp(drop_name((enum drop_reason)r), reason) != 0)
			fail_msg("dropped as %s, expected %s", drop_name((enum drop_reason)r),
				reason);
		all += n;
	}
	if (all != 1)
		fail_msg("%llu packets dropped, expected one as %s", (unsigned long long)all,
			reason);
}

static void
every_drop(void **state)
{
	uint8_t buf[3000];

	for (size_t i = 0; i < RTE_DIM(drop_rows); i++) {
		const struct drop_row *r = &drop_rows[i];
		struct pkt *p;

		print_message("%zu: %s from %s to %s\n", i, r->reason, r->src, r->dst);
		setup(state);
		p = test_pkt(&tw.t, buf, spoil(buf, build(buf, r), r->change));
		if (r->change == BAD_GSO) {
			p->gso_type = PKT_GSO_TCP4;
			p->gso_size = 100;
		}
		arrive(&a, TEST_IUCV0, p);
		expect_drop(&a, r->reason);
		expect_answer(r);
		assert_int_equal(teardown(state), 0);
	}
}

struct frame_row {
	const char *reason;
	uint16_t type;
	const char *dst; /* of UDP, or NULL: ARP */
	bool everyone, other, strict;
	size_t len;      /* of the frame; 0: all */
	const char *src; /* NULL: a host of the LAN */
};

static const struct frame_row frame_rows[] = {
	{"truncated", ETHERTYPE_IP, "8.8.8.8", .len = 13},
	{"truncated", ETHERTYPE_IP, "8.8.8.8", .len = 14},
	{"truncated", ETHERTYPE_IP, "8.8.8.8", .len = 33},
	{"not-for-us", ETHERTYPE_IP, "8.8.8.8", .other = true},
	{"ether-type", 0x88cc, "8.8.8.8", .len = 0},
	{"broadcast", ETHERTYPE_IP, "10.1.0.2", .everyone = true},
	{"broadcast", ETHERTYPE_IP, "10.0.0.1", .everyone = true}, /* no ICMP about it */
	{"broadcast", ETHERTYPE_IP, "10.0.0.255", .everyone = true},
	{"broadcast", ETHERTYPE_IP, "255.255.255.255", .everyone = true},
	{"multicast", ETHERTYPE_IP, "224.0.0.5", .everyone = true},
	{"martian-source", ETHERTYPE_IP, "255.255.255.255", .everyone = true, .src = "192.168.1.1"},
	{"rp-filter", ETHERTYPE_IP, "255.255.255.255", .everyone = true, .strict = true,
		.src = "172.16.0.9"},
	{"arp-malformed", ETHERTYPE_ARP, NULL, .len = 30},
	{"arp-ignored", ETHERTYPE_ARP, NULL, .len = 0},
};

static void
every_drop_of_a_frame(void **state)
{
	static const uint8_t request[28] = {0, ARPHRD_ETHER, 8, 0, 6, 4, 0, ARPOP_REQUEST, 2, 0, 0,
		0, 9, 9, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 77};
	uint8_t buf[200];

	for (size_t i = 0; i < RTE_DIM(frame_rows); i++) {
		const struct frame_row *r = &frame_rows[i];
		size_t len = 28;
		struct pkt *p;

		setup(state);
		if (r->dst)
			len = test_udp(buf,
				&(struct test_ip){
					.src = r->src ? r->src : "10.0.0.2", .dst = r->dst},
				1, 2, 8);
		else
			memcpy(buf, request, len);
		a.ifaces[TEST_ETH0].rp_filter = r->strict;
		p = frame(&a.ifaces[r->other ? TEST_ETH1 : TEST_ETH0], host_mac, r->type, buf, len,
			r->everyone);
		if (r->len)
			pkt_chain_trim(p, (uint32_t)r->len);
		arrive(&a, TEST_ETH0, p);
		expect_drop(&a, r->reason);
		assert_null(test_sent(&tw, NULL));
		assert_int_equal(teardown(state), 0);
	}
}

/* ---- what a router sends itself ---- */

static void
emit_local(struct pkt *p, const struct iface *out)
{
	p->router = &a.r;
	p->out = out;
	p->nexthop = test_addr(PEER);
	p->mtu = out ? out->mtu : 0;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	env_emit(&tw.w.env, p, ORIGIN_OUTPUT);
	test_walker_run(&tw);
}

static void
no_broadcast_into_a_link(void **state)
{
	(void)state;
	emit_local(udp_between(SELF, "255.255.255.255", 8), &a.ifaces[TEST_IUCV0]);
	expect_drop(&a, "link-broadcast");
}

static void
own_packets_keep_df(void **state)
{
	uint8_t buf[2000];
	size_t len = test_udp(
		buf, &(struct test_ip){.src = SELF, .dst = PEER, .frag_off = IP_DF}, 1, 2, 1500);

	(void)state;
	emit_local(test_pkt(&tw.t, buf, len), NULL);
	expect_drop(&a, "mtu");
	assert_null(test_sent(&tw, NULL));
}

static void
own_packets_are_fragmented(void **state)
{
	unsigned n = 0;
	uint32_t all = 0;
	struct pkt *p;

	(void)state;
	emit_local(udp_between(SELF, PEER, 2500), NULL);
	for (; (p = test_sent(&tw, NULL)); n++) {
		assert_true(pkt_len(p) <= 1492);
		all += pkt_len(p) - 20;
		test_pkt_free(&tw.t, p);
	}
	assert_int_equal(n, 2);
	assert_int_equal(all, 2508);
	assert_int_equal(test_drops(&a), 0);
	assert_int_equal(a.lives[TEST_IUCV0].count.tx_packets, 2);
}

static void
without_buffers(void **state)
{
	struct pkt *p = udp_between(SELF, PEER, 2500);

	(void)state;
	tw.t.allocs_left = 1;
	emit_local(p, NULL);
	expect_drop(&a, "no-buffer");
}

static void
gone_while_it_waited(void **state)
{
	struct pkt *p = udp_between(SELF, PEER, 8);

	(void)state;
	p->router = &a.r;
	env_emit(&tw.w.env, p, ORIGIN_FRAME);
	test_walker_run(&tw);
	expect_drop(&a, "interface-gone");
}

/* The neighbour answers after the link went down: the packet counts as dropped, not as sent. */
static void
down_while_it_waited(void **state)
{
	struct pkt *p = udp_between("10.0.0.1", "10.0.0.9", 8);

	(void)state;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &a.r;
	p->out = &a.ifaces[TEST_ETH0];
	a.lives[TEST_ETH0].carrier = false;
	env_emit(&tw.w.env, p, ORIGIN_EGRESS);
	test_walker_run(&tw);
	expect_drop(&a, "link-down");
	assert_int_equal(a.lives[TEST_ETH0].count.tx_packets, 0);
	assert_int_equal(a.lives[TEST_ETH0].count.tx_drops, 1);
}

static void
no_neighbour(void **state)
{
	uint32_t port;
	struct pkt *p;
	unsigned asked = 0;

	(void)state;
	arrive(&a, TEST_IUCV0, udp_between(PEER, "8.8.8.8", 8));
	test_walker_pass(&tw, 10 * TEST_SECOND);
	while ((p = test_sent(&tw, &port)) && port == A_ETH0) {
		asked++;
		test_pkt_free(&tw.t, p);
	}
	assert_int_equal(asked, 3);
	assert_non_null(p); /* ICMP host unreachable to the sender */
	assert_int_equal(port, A_IUCV0);
	assert_int_equal(((const uint8_t *)pkt_data(p))[20], ICMP_DEST_UNREACH);
	assert_int_equal(((const uint8_t *)pkt_data(p))[21], ICMP_HOST_UNREACH);
	test_pkt_free(&tw.t, p);
	expect_drop(&a, "neighbour-failed");
}

static void
errors_are_limited(void **state)
{
	unsigned answers = 0;
	struct pkt *p;

	(void)state;
	for (int i = 0; i < 200; i++)
		arrive(&a, TEST_IUCV0, udp_between(PEER, "203.0.114.1", 8));
	for (; (p = test_sent(&tw, NULL)); answers++)
		test_pkt_free(&tw.t, p);
	assert_in_range(answers, 1, 10);
	assert_int_equal(a.live.drops.n[DROP_ROUTE_UNREACHABLE], 200);
	assert_int_equal(a.live.drops.n[DROP_ICMP_RATE], 200 - answers);
}

/* ---- super-packets ---- */

static struct pkt *
super_packet(const char *dst, size_t payload, uint16_t gso_size, uint16_t frag_off)
{
	static uint8_t buf[65535];
	struct test_ip ip = {.src = PEER, .dst = dst, .frag_off = frag_off};
	size_t len = test_tcp(buf, &ip, 1000, 2000, payload), parts[] = {1000, 30000, 30000};
	struct pkt *p = test_chain(&tw.t, buf, len, parts, RTE_DIM(parts));

	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = gso_size;
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = sizeof(struct iphdr);
	p->csum_offset = offsetof(struct tcphdr, check);
	return p;
}

/* More segments than there are drop reasons: none of them may count as a drop. */
static void
super_packet_is_cut(void **state)
{
	unsigned n = 0;
	uint32_t bytes = 0, port;
	struct pkt *p;

	(void)state;
	arrive(&a, TEST_IUCV0, super_packet("10.1.0.2", 60000, 500, 0)); /* fits: stays whole */
	arp_answer(&a, TEST_ETH1, "10.1.0.2", "10.1.0.1");
	test_pkt_free(&tw.t, test_sent(&tw, NULL)); /* the question */
	p = test_sent(&tw, &port);
	assert_int_equal(port, A_ETH1);
	assert_int_equal(pkt_len(p), ETH_HLEN + 40 + 60000);
	assert_int_equal(a.lives[TEST_IUCV0].count.rx_packets, 120);
	assert_int_equal(a.lives[TEST_ETH1].count.tx_packets, 120 + 1);
	test_pkt_free(&tw.t, p);

	a.ifaces[TEST_ETH1].mtu = 500;
	arrive(&a, TEST_IUCV0, super_packet("10.1.0.2", 60000, 470, 0));
	for (; (p = test_sent(&tw, NULL)); n++) {
		assert_true(pkt_len(p) <= ETH_HLEN + 500);
		bytes += pkt_len(p);
		test_pkt_free(&tw.t, p);
	}
	assert_int_equal(n, 2 * 128 - 1); /* 127 segments of 510 bytes, each in two fragments; the
					     last has 310 payload */
	assert_int_equal(bytes, 60000 + 128 * 20 + n * (ETH_HLEN + 20));
	assert_int_equal(test_drops(&a), 0);
	for (int r = 0; r < DROP_COUNT; r++)
		assert_int_equal(tw.w.env.drops.n[r], 0);
}

static void
super_packet_with_df(void **state)
{
	struct pkt *p;

	(void)state;
	arrive(&a, TEST_IUCV0, super_packet("10.1.0.2", 14600, 1460, IP_DF));
	p = test_sent(&tw, NULL);
	assert_non_null(p);
	assert_int_equal(((const uint8_t *)pkt_data(p))[21], ICMP_FRAG_NEEDED);
	test_pkt_free(&tw.t, p);
	assert_int_equal(a.live.drops.n[DROP_MTU], 10);
	assert_int_equal(test_drops(&a), 10);
	assert_int_equal(a.lives[TEST_IUCV0].count.rx_drops, 10);
}

/* ---- for this router ---- */

static void
ping_in_fragments(void **state)
{
	static const uint8_t icmp[] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	struct test_ip ip = {.src = PEER, .dst = SELF, .id = 7, .frag_off = IP_MF};
	uint8_t buf[100];
	struct pkt *p;

	(void)state;
	arrive(&a, TEST_IUCV0, test_pkt(&tw.t, buf, test_ip4(buf, &ip, IPPROTO_ICMP, icmp, 8)));
	assert_null(test_sent(&tw, NULL));
	ip.frag_off = 1;
	arrive(&a, TEST_IUCV0, test_pkt(&tw.t, buf, test_ip4(buf, &ip, IPPROTO_ICMP, icmp + 8, 8)));
	p = test_sent(&tw, NULL);
	assert_non_null(p);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(pkt_len(p), 36);
	assert_int_equal(((const struct icmphdr *)pkt_l4(p))->type, ICMP_ECHOREPLY);
	assert_int_equal(pkt_ip4(p)->ttl, 255);
	test_pkt_free(&tw.t, p);
	assert_int_equal(test_drops(&a), 0);
}

/* A packet to an own address goes round by lo. */
static void
to_itself(void **state)
{
	uint8_t buf[100];
	struct test_ip ip = {.src = SELF, .dst = "192.0.2.1"};

	(void)state;
	emit_local(test_pkt(&tw.t, buf, test_icmp(buf, &ip, ICMP_ECHO, 0, 1, 1, 8)), NULL);
	assert_null(test_sent(&tw, NULL));
	assert_int_equal(a.lives[TEST_LO].count.rx_packets, 2); /* request and reply */
	expect_drop(&a, "no-listener");                         /* nobody waits for the reply */
}

static void
the_control_namespace_gets_the_rest(void **state)
{
	uint32_t port;
	struct pkt *p;

	(void)state;
	a.r.control = true;
	a.ifaces[TEST_IUCV0].control_port = 77;
	arrive(&a, TEST_IUCV0, udp_between(PEER, SELF, 8));
	p = test_sent(&tw, &port);
	assert_int_equal(port, 77);
	test_pkt_free(&tw.t, p);
	router_control_input(&tw.w, &a.r, udp_between(SELF, PEER, 8));
	p = test_sent(&tw, &port);
	assert_int_equal(port, A_IUCV0);
	assert_int_equal(pkt_ip4(p)->ttl, 64);
	test_pkt_free(&tw.t, p);
	assert_int_equal(test_drops(&a), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_are_in_order),
		cmocka_unit_test_setup_teardown(verdicts_and_resuming, setup, teardown),
		cmocka_unit_test_setup_teardown(through_two_routers, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(a_loop_ends, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(hops_are_bounded, setup_two, teardown_two),
		cmocka_unit_test(every_drop),
		cmocka_unit_test(every_drop_of_a_frame),
		cmocka_unit_test_setup_teardown(no_broadcast_into_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(own_packets_keep_df, setup, teardown),
		cmocka_unit_test_setup_teardown(own_packets_are_fragmented, setup, teardown),
		cmocka_unit_test_setup_teardown(without_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_while_it_waited, setup, teardown),
		cmocka_unit_test_setup_teardown(down_while_it_waited, setup, teardown),
		cmocka_unit_test_setup_teardown(no_neighbour, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(super_packet_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(super_packet_with_df, setup, teardown),
		cmocka_unit_test_setup_teardown(ping_in_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(to_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_control_namespace_gets_the_rest, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
