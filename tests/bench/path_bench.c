/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet of an established flow costs: TSC cycles of the path cache alone, ports and generator excluded. Packets lie in recycled
 * buffers and were written just before, as a port leaves them; flows come in random order.
 *
 *	path_bench [--quick]
 *
 * The first router translates sources.
 */
#include "tests/unit/support/journey.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

enum { CUT = 64, REPEATS = 9, SIZE = 64, STEP = 7919 /* flows of a burst differ */, SYN = 2, ACK = 16 };

struct flow {
	uint32_t right_src;
	uint16_t right_sport;
	uint32_t sent; /* TCP: bytes of the client */
};

struct bench {
	struct journey j;
	struct flow *flows;
	uint32_t n;
	bool tcp;
	uint64_t random;
	struct pkt *burst[CUT];
};

struct row {
	bool tcp;
	uint32_t flows;
	unsigned routers, rules;
};

static uint32_t
pick(struct bench *b, uint32_t n)
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return (uint32_t)((b->random * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

static uint32_t
client(uint32_t i)
{
	return htonl(0x0ac80000 + (i >> 3));
}

static uint16_t
client_port(uint32_t i)
{
	return htons((uint16_t)(2000 + (i & 7) * 1000));
}

static void
write_tcp(uint8_t *l4, const struct flow *f, bool back, uint8_t flags)
{
	struct tcphdr *tcp = (struct tcphdr *)l4;
	uint32_t syn = flags & SYN ? 0 : 1;

	tcp->seq = htonl(back ? 7000 + syn : 1000 + syn + f->sent);
	tcp->ack_seq = htonl(back ? 1001 + f->sent : flags == SYN ? 0 : 7001);
	tcp->doff = 5;
	l4[13] = flags;
	tcp->window = htons(60000);
}

/* A packet of 64 bytes whose sender vouches for the sum, as devices do. */
static void
write_packet(struct bench *b, struct pkt *p, uint32_t i, bool back, uint8_t flags)
{
	const struct flow *f = &b->flows[i];
	uint8_t *at = pkt_data(p), *l4 = at + 20;
	struct iphdr *ip = (struct iphdr *)at;

	memset(at, 0, SIZE);
	*ip = (struct iphdr){.version = 4,
			.ihl = 5,
			.tot_len = htons(SIZE),
			.ttl = 64,
			.protocol = b->tcp ? IPPROTO_TCP : IPPROTO_UDP,
			.saddr = back ? htonl(0x63000001) : client(i),
			.daddr = back ? f->right_src : htonl(0x63000001)};
	ip->check = ip4_checksum(ip);
	((struct udphdr *)l4)->source = back ? htons(80) : client_port(i);
	((struct udphdr *)l4)->dest = back ? f->right_sport : htons(80);
	if (b->tcp)
		write_tcp(l4, f, back, flags);
	else
		((struct udphdr *)l4)->len = htons(SIZE - 20);
	p->flags = PKT_CSUM_VALID;
	p->l2_len = 0;
}

/* Through the whole way, whatever that is; what the right end sees is kept. */
static void
send_one(struct bench *b, uint32_t i, bool back, uint8_t flags)
{
	static const uint8_t nothing[SIZE];
	struct pkt *p = test_pkt(&b->j.tw.t, nothing, SIZE);

	write_packet(b, p, i, back, flags);
	journey_burst(&b->j, back ? JOURNEY_RIGHT : JOURNEY_LEFT, &p, 1);
	p = test_sent(&b->j.tw, NULL);
	if (!p) {
		fprintf(stderr, "path_bench: a packet of flow %u was lost\n", i);
		exit(1);
	}
	if (!back) {
		b->flows[i].right_src = pkt_ip4(p)->saddr;
		memcpy(&b->flows[i].right_sport, (uint8_t *)pkt_ip4(p) + 20, 2);
	}
	test_pkt_free(&b->j.tw.t, p);
}

static void
establish(struct bench *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		send_one(b, i, false, SYN);
		send_one(b, i, true, SYN | ACK);
		if (b->tcp)
			send_one(b, i, false, ACK);
	}
	test_walker_pass(&b->j.tw, 3000ull << 20);
	for (uint32_t i = 0; i < b->n; i++) {
		send_one(b, i, false, ACK);
		if (b->tcp)
			send_one(b, i, true, ACK);
	}
}

/* => cycles of one burst through the cache. A path that had to give way to another is a miss. */
static uint64_t
fast(struct bench *b, const uint32_t *flows, bool back)
{
	struct path_ingress in = {.slot = back ? JOURNEY_RIGHT : JOURNEY_LEFT, .version = &b->j.ports[back ? JOURNEY_RIGHT : JOURNEY_LEFT].version};
	struct path_burst burst;
	void *to[CUT];
	uint64_t from;
	unsigned i;

	for (i = 0; i < CUT; i++)
		write_packet(b, b->burst[i], flows[i], back, ACK);
	from = rte_rdtsc_precise();
	path_prepare(b->j.paths.caches[0], &burst, &in, b->burst, CUT, b->j.tw.w.env.now);
	for (i = 0; i < CUT; i++)
		i += path_run(b->j.paths.caches[0], &burst, i, to);
	from = rte_rdtsc_precise() - from;
	return from;
}

/* => cycles a packet. */
static double
repeat(struct bench *b, uint32_t packets)
{
	uint64_t cycles = 0;
	uint32_t flows[CUT], done = 0;

	for (; done < packets; done += CUT) {
		uint32_t first = pick(b, b->n);

		for (unsigned i = 0; i < CUT; i++)
			flows[i] = (uint32_t)((first + (uint64_t)i * STEP) % b->n);
		cycles += fast(b, flows, false);
		if (!b->tcp)
			continue;
		/* every other packet an ACK without data */
		for (unsigned i = 0; i < CUT; i++)
			b->flows[flows[i]].sent += SIZE - 40;
		cycles += fast(b, flows, true);
		done += CUT;
	}
	return (double)cycles / done;
}

static char *
ruleset(unsigned n, bool nat)
{
	size_t size = 200 + n * 80ul, len;
	char *text = malloc(size);

	len = (size_t)snprintf(text, size, "%s*filter\n:FORWARD DROP\n-A FORWARD -m @0 -j ACCEPT\n", nat ? "*nat\n-A POSTROUTING -s 10.0.0.0/8 -j @1\n" : "");
	for (unsigned i = 0; i + 2 < n; i++)
		len += (size_t)snprintf(text + len, size - len, "-A FORWARD -s 172.%u.%u.0/24 -j DROP\n", i >> 8 & 255, i & 255);
	snprintf(text + len, size - len, "-A FORWARD -j ACCEPT\n");
	return text;
}

static void
set_rules(struct bench *b, const struct row *row)
{
	static const union {
		struct xt_conntrack_mtinfo3 options;
		uint8_t padded[XT_ALIGN(sizeof(struct xt_conntrack_mtinfo3))];
	} established = {.options = {.match_flags = XT_CONNTRACK_STATE, .state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED)}};
	static union {
		struct nf_nat_ipv4_multi_range_compat options;
		uint8_t padded[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
	} snat;
	const struct test_ext exts[] = {{"conntrack", 3, &established, sizeof(established)}, {"SNAT", 0, &snat, sizeof(snat)}};

	snat.options = (struct nf_nat_ipv4_multi_range_compat){.rangesize = 1,
			.range = {{.flags = NF_NAT_RANGE_MAP_IPS, .min_ip = htonl(0x2c000001), .max_ip = htonl(0x2c0000ff)}}};
	for (unsigned i = 0; i < row->routers; i++) {
		char *text = ruleset(row->rules, i == 0);

		journey_rules(&b->j, i, text, exts);
		b->j.sides[i].t.r.tunables.value[TUNE_CT_MAX] = 1 << 24;
		free(text);
	}
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
run(const struct row *row, uint32_t packets)
{
	struct bench *b = calloc(1, sizeof(*b));
	double cycles[REPEATS];
	struct path_stats before, s;

	b->n = row->flows;
	b->tcp = row->tcp;
	b->random = 12345;
	b->flows = calloc(row->flows, sizeof(*b->flows));
	journey_init(&b->j, row->routers, false, 1, RTE_MAX(row->flows * 4, 4096u));
	set_rules(b, row);
	for (unsigned i = 0; i < CUT; i++)
		b->burst[i] = test_pkt(&b->j.tw.t, (uint8_t[SIZE]){0}, SIZE);
	establish(b);
	paths_stats(&b->j.paths, &before);
	for (unsigned i = 0; i < REPEATS; i++)
		cycles[i] = repeat(b, packets);
	qsort(cycles, REPEATS, sizeof(*cycles), compare);
	paths_stats(&b->j.paths, &s);
	printf("established.%s flows=%u routers=%u rules=%u min %.1f median %.1f cycles, %.2f %% by paths, %zu bytes a flow\n",
			row->tcp ? "tcp" : "udp", row->flows, row->routers, row->rules, cycles[0], cycles[REPEATS / 2],
			100.0 * (double)(s.hits - before.hits) / (double)(s.hits + s.misses - before.hits - before.misses),
			s.memory / row->flows);
	fflush(stdout);
	for (unsigned i = 0; i < CUT; i++)
		test_pkt_free(&b->j.tw.t, b->burst[i]);
	journey_fini(&b->j);
	free(b->flows);
	free(b);
}

int
main(int argc, char **argv)
{
	static const struct row rows[] = {
			{false, 1, 1, 10},
			{false, 10000, 1, 10},
			{false, 10000, 1, 1000},
			{false, 10000, 1, 10000},
			{false, 10000, 4, 1000},
			{true, 10000, 1, 10},
			{true, 10000, 4, 1000},
			{false, 100000, 4, 1000},
			{false, 1000000, 1, 10},
			{false, 1000000, 4, 1000},
	};
	bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		if (!quick || rows[i].flows <= 10000)
			run(&rows[i], quick ? 64 * 500 : 64 * 5000);
	}
	return 0;
}
