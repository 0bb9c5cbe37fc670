/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the dispatch of an adapter's port costs: from the frame that arrives to the sharer that it is for, with the Ethernet header taken
 * off. TSC cycles a packet, the lowest tenth and the median of many bursts of 64 in one run, the sizes taken in turn. Packet data is in
 * the cache, as that of packets that just came; each burst's destinations are drawn anew from all that are registered.
 *
 *	osa_bench [BURSTS]
 */
#include "drivers/osa/adapter.h"
#include "tests/unit/support/walkers.h"

#include <net/ethernet.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

enum { BURST = 64, BURSTS = 20000 };

static const struct {
	unsigned addresses, sharers;
} sizes[] = {{10, 2}, {240, 60}, {2048, 500}};

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static const struct mac_addr port_mac = {{2, 0, 0, 0, 0, 0x99}};

struct bench {
	struct test_walker tw;
	struct adapter *adapters[SIZES];
	struct pkt *burst[BURST];
	uint64_t *cycles[SIZES];
	volatile uint32_t sink;
};

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint32_t
address(unsigned i)
{
	return htonl(0x0a000001u + i * 3);
}

static void
add_sharer(struct bench *b, struct adapter *a, unsigned slot)
{
	struct sharer_settings set = {.target = {ATTACH_PORT, 100 + slot, 0}};
	char name[24];
	struct sharer *s;

	snprintf(name, sizeof(name), "g%u/eth0", slot);
	s = sharer_new(name);
	if (!s || adapter_reserve(a, (uint16_t)slot) < 0)
		abort();
	sharer_set(s, &set);
	adapter_join(a, &b->tw.w.env, s, (uint16_t)slot);
	sharer_online(s, &b->tw.w.env, true);
}

static struct adapter *
make(struct bench *b, unsigned addresses, unsigned sharers)
{
	struct adapter_settings set = {.layer = 3, .secondaries = 1, .mac = port_mac, .mtu = 65535};
	struct adapter *a = adapter_new("osa0");
	struct tunables tunables;

	if (!a)
		abort();
	tunables_init(&tunables);
	adapter_set(a, &b->tw.w.env, &set, &tunables);
	adapter_network(a, &b->tw.w.env, false); /* nothing is announced */
	for (unsigned s = 0; s < sharers; s++)
		add_sharer(b, a, s);
	for (unsigned i = 0; i < addresses; i++) {
		struct ip_addr addr = ip4(address(i));

		if (sharer_add(a->sharers[i % sharers], &b->tw.w.env, &addr, OSA_NORMAL, NULL) < 0)
			abort();
	}
	a->network_up = true;
	return a;
}

static void
make_packets(struct bench *b)
{
	struct test_ip ip = {.src = "203.0.113.7", .dst = "10.0.0.1"};
	struct ether_header eth = {.ether_type = htons(ETHERTYPE_IP)};
	uint8_t buf[128];

	memcpy(eth.ether_dhost, &port_mac, ETH_ALEN);
	memcpy(buf, &eth, sizeof(eth));
	for (int i = 0; i < BURST; i++) {
		size_t len = test_udp(buf + sizeof(eth), &ip, 1000, 2000, 36);

		b->burst[i] = test_pkt(&b->tw.t, buf, sizeof(eth) + len);
		b->burst[i]->l2_len = ETH_HLEN;
	}
}

static void
prepare(struct bench *b, unsigned addresses)
{
	for (int i = 0; i < BURST; i++) {
		struct pkt *p = b->burst[i];
		uint32_t dst = address(env_random(&b->tw.w.env) % addresses);

		if (p->l2_len == 0)
			rte_pktmbuf_prepend(pkt_mbuf(p), ETH_HLEN);
		p->l2_len = ETH_HLEN;
		memcpy((uint8_t *)pkt_data(p) + ETH_HLEN + offsetof(struct iphdr, daddr), &dst, sizeof(dst));
	}
}

static uint64_t
measure(struct bench *b, struct adapter *a)
{
	uint64_t start = rte_rdtsc_precise();

	for (int i = 0; i < BURST; i++) {
		struct attach to;

		if (!adapter_receive(&b->tw.w, a, b->burst[i], &to))
			abort();
		b->sink += to.a;
	}
	return (rte_rdtsc_precise() - start) / BURST;
}

int
main(int argc, char **argv)
{
	unsigned bursts = argc > 1 ? (unsigned)atoi(argv[1]) : BURSTS;
	static struct bench b;

	test_walker_init(&b.tw, 1);
	make_packets(&b);
	for (unsigned s = 0; s < SIZES; s++) {
		b.adapters[s] = make(&b, sizes[s].addresses, sizes[s].sharers);
		b.cycles[s] = calloc(bursts, sizeof(uint64_t));
	}
	for (unsigned i = 0; i < bursts * SIZES; i++) {
		unsigned s = i / 100 % SIZES, round = i / (100 * SIZES) * 100 + i % 100;

		prepare(&b, sizes[s].addresses);
		if (round < bursts)
			b.cycles[s][round] = measure(&b, b.adapters[s]);
	}
	printf("addresses sharers lowest-tenth median\n");
	for (unsigned s = 0; s < SIZES; s++) {
		qsort(b.cycles[s], bursts, sizeof(uint64_t), compare);
		printf("%9u %7u %12lu %6lu\n", sizes[s].addresses, sizes[s].sharers, b.cycles[s][bursts / 10], b.cycles[s][bursts / 2]);
	}
	return 0;
}
