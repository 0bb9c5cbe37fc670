/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet of an established flow costs: TSC cycles of the path cache alone, or of the slow way for the same packets, ports and generator
 * excluded. Packets lie in recycled buffers and were written just before, as a port leaves them; flows come in random order. The first
 * router translates sources.
 *
 *	path_bench [--quick] [ROW ...]		rows by number, from 0; without: all
 *
 * A row is one line of JSON, cycles a packet. A burst that took INTERRUPTED times the median of its repeat was not ours alone: somebody else
 * had the processor meanwhile. Those are left out, and their share told.
 *
 * In rows with `flap` a link of a router that no flow meets goes down, and up again, every millisecond of work. No packet may take the slow
 * way for it: otherwise the program fails. Their repeats alternate with ones without.
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
#include <time.h>

enum { CUT = 64, REPEATS = 15, SIZE = 64, STEP = 7919 /* flows of a burst differ */, SYN = 2, ACK = 16, INTERRUPTED = 16, GUESTS = 1000 };

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
	struct path_ingress guests[GUESTS]; /* flows take turns */
	uint32_t n_guests;
	struct version versions[GUESTS];
	struct version elsewhere[2]; /* a link, and its router, that no flow meets */
	uint64_t next_flap, worked;  /* TSC cycles; 0: never */
	uint64_t half;               /* of a millisecond */
	uint64_t *cycles;            /* of each burst of a repeat */
	uint32_t n_bursts, left_out;
};

struct row {
	bool tcp;
	uint32_t flows;
	unsigned routers, rules;
	bool off;
	uint32_t guests;
	bool flap;
};

struct figures {
	double min, median;
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
	b->j.guest = &b->guests[i % b->n_guests];
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
	struct path_ingress right = {.slot = JOURNEY_RIGHT, .version = &b->j.ports[JOURNEY_RIGHT].version};
	struct path_burst burst;
	void *to[CUT];
	uint64_t from;
	unsigned i;

	for (i = 0; i < CUT; i++)
		write_packet(b, b->burst[i], flows[i], back, ACK);
	from = rte_rdtsc_precise();
	path_prepare(b->j.paths.caches[0], &burst, back ? &right : &b->guests[flows[0] % b->n_guests], b->burst, CUT, b->j.tw.w.env.now);
	for (i = 0; i < CUT; i++)
		i += path_run(b->j.paths.caches[0], &burst, i, to);
	return rte_rdtsc_precise() - from;
}

/* => cycles of one burst that every router looks at. */
static uint64_t
slow(struct bench *b, const uint32_t *flows, bool back)
{
	static const uint8_t nothing[SIZE];
	struct pkt *p[CUT], *sent;
	uint64_t from;
	unsigned n = 0;

	for (unsigned i = 0; i < CUT; i++) {
		p[i] = test_pkt(&b->j.tw.t, nothing, SIZE);
		write_packet(b, p[i], flows[i], back, ACK);
	}
	from = rte_rdtsc_precise();
	journey_burst(&b->j, back ? JOURNEY_RIGHT : JOURNEY_LEFT, p, CUT);
	from = rte_rdtsc_precise() - from;
	for (; (sent = test_sent(&b->j.tw, NULL)); n++)
		test_pkt_free(&b->j.tw.t, sent);
	if (n != CUT) {
		fprintf(stderr, "path_bench: of %d packets on the slow way %u arrived\n", CUT, n);
		exit(1);
	}
	return from;
}

static void
flap(struct bench *b)
{
	if (!b->next_flap || b->worked < b->next_flap)
		return;
	b->next_flap = b->worked + b->half; /* down, or up */
	for (unsigned i = 0; i < RTE_DIM(b->elsewhere); i++)
		version_bump(&b->j.tw.t.epoch, &b->elsewhere[i]);
}

static void
measure(struct bench *b, const uint32_t *flows, bool back)
{
	uint64_t cycles = b->j.cached ? fast(b, flows, back) : slow(b, flows, back);

	b->cycles[b->n_bursts++] = cycles;
	b->worked += cycles;
	flap(b);
}

static int
compare_cycles(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* => cycles a packet. */
static double
repeat(struct bench *b, uint32_t packets)
{
	uint64_t sum = 0;
	uint32_t flows[CUT], group = b->n / b->n_guests, kept = 0;

	for (b->n_bursts = 0; b->n_bursts < packets / CUT;) {
		uint32_t first = pick(b, group), guest = pick(b, b->n_guests);

		for (unsigned i = 0; i < CUT; i++)
			flows[i] = guest + b->n_guests * (uint32_t)((first + (uint64_t)i * STEP) % group);
		measure(b, flows, false);
		if (!b->tcp)
			continue;
		/* every other packet an ACK without data */
		for (unsigned i = 0; i < CUT; i++)
			b->flows[flows[i]].sent += SIZE - 40;
		measure(b, flows, true);
	}
	qsort(b->cycles, b->n_bursts, sizeof(*b->cycles), compare_cycles);
	while (kept < b->n_bursts && b->cycles[kept] <= INTERRUPTED * b->cycles[b->n_bursts / 2])
		sum += b->cycles[kept++];
	b->left_out += b->n_bursts - kept;
	return (double)sum / (kept * (double)CUT);
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

static struct figures
figures(double *cycles)
{
	qsort(cycles, REPEATS, sizeof(*cycles), compare);
	return (struct figures){cycles[0], cycles[REPEATS / 2]};
}

/* The clock's word: rte_get_tsc_hz() knows nothing without EAL. => TSC cycles of half a millisecond */
static uint64_t
half_millisecond(void)
{
	struct timespec began, now;
	uint64_t from = rte_rdtsc(), ns;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = (uint64_t)(now.tv_sec - began.tv_sec) * 1000000000 + (uint64_t)now.tv_nsec - (uint64_t)began.tv_nsec;
	} while (ns < 20000000);
	return (rte_rdtsc() - from) * 500000 / ns;
}

static struct bench *
bench_new(const struct row *row, uint32_t packets)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->n = row->flows;
	b->tcp = row->tcp;
	b->random = 12345;
	b->half = half_millisecond();
	b->flows = calloc(row->flows, sizeof(*b->flows));
	b->cycles = calloc(packets / CUT + 1, sizeof(*b->cycles));
	b->n_guests = RTE_MAX(row->guests, 1u);
	for (uint32_t i = 0; i < b->n_guests; i++)
		b->guests[i] = (struct path_ingress){.slot = (uint16_t)(JOURNEY_PORTS + i), .version = &b->versions[i]};
	journey_init(&b->j, row->routers, false, 1, row->off ? 0 : RTE_MAX(row->flows * 4, 4096u));
	set_rules(b, row);
	for (unsigned i = 0; i < CUT; i++)
		b->burst[i] = test_pkt(&b->j.tw.t, (uint8_t[SIZE]){0}, SIZE);
	establish(b);
	return b;
}

static void
bench_free(struct bench *b)
{
	for (unsigned i = 0; i < CUT; i++)
		test_pkt_free(&b->j.tw.t, b->burst[i]);
	journey_fini(&b->j);
	free(b->cycles);
	free(b->flows);
	free(b);
}

static void
print_row(const struct bench *b, const struct row *row, struct figures f, uint32_t bursts)
{
	printf("{\"name\": \"established.%scycles routers=%u rules=%u flows=%u", row->tcp ? "tcp." : "", row->routers, row->rules, row->flows);
	if (row->guests)
		printf(" guests=%u", row->guests);
	printf("%s%s\", \"min\": %.1f, \"median\": %.1f, \"repeats\": %d, \"interrupted\": %.5f", row->flap ? " flap=1ms" : "",
			row->off ? " cache=off" : "", f.min, f.median, REPEATS, (double)b->left_out / bursts);
}

static void
print_paths(struct bench *b, const struct row *row, const struct path_stats *before)
{
	struct path_stats s;
	uint64_t missed;

	paths_stats(&b->j.paths, &s);
	missed = s.misses - before->misses;
	printf(", \"by_paths\": %.4f, \"recipes\": %u, \"memory\": %zu", 100 - 100.0 * (double)missed / (double)(s.hits - before->hits + missed),
			s.recipes, s.memory / row->flows);
	if (row->flap && missed) {
		fprintf(stderr, "path_bench: for links that they do not meet %lu packets took the slow way\n", missed);
		exit(1);
	}
}

static void
run(const struct row *row, uint32_t packets)
{
	struct bench *b = bench_new(row, packets);
	double cycles[REPEATS], calm[REPEATS];
	struct path_stats before;
	struct figures f;

	paths_stats(&b->j.paths, &before);
	for (unsigned i = 0; i < REPEATS; i++) {
		b->next_flap = 0;
		if (row->flap) {
			calm[i] = repeat(b, packets);
			b->next_flap = b->worked + 1;
		}
		cycles[i] = repeat(b, packets);
	}
	f = figures(cycles);
	print_row(b, row, f, b->n_bursts * REPEATS * (row->flap ? 2 : 1));
	if (row->flap)
		printf(", \"without\": %.1f, \"flaps\": %u", figures(calm).median, b->elsewhere[0].n / 2);
	if (!row->off)
		print_paths(b, row, &before);
	printf("}\n");
	fflush(stdout);
	bench_free(b);
}

/* A chain of additions takes a core cycle each; the best of many short ones was not interrupted. => core cycles a TSC cycle */
static double
core_ratio(void)
{
	enum { ADDS = 64, LOOPS = 2000 };
	uint64_t best = UINT64_MAX, x = 1;

	for (unsigned i = 0; i < 500; i++) {
		uint64_t from = rte_rdtsc_precise();

		for (unsigned k = 0; k < LOOPS; k++)
			__asm__ volatile(".rept 64\n\tadd %0, %0\n\t.endr" : "+r"(x));
		best = RTE_MIN(best, rte_rdtsc_precise() - from);
	}
	return (double)ADDS * LOOPS / (double)best;
}

int
main(int argc, char **argv)
{
	static const struct row rows[] = {
			{false, 1, 1, .rules = 10},
			{false, 10000, 1, .rules = 10},
			{false, 10000, 1, .rules = 1000},
			{false, 10000, 1, .rules = 10000},
			{false, 10000, 4, .rules = 1000},
			{true, 10000, 1, .rules = 10},
			{true, 10000, 4, .rules = 1000},
			{false, 10000, 1, .rules = 10, .off = true},
			{false, 10000, 4, .rules = 1000, .off = true},
			{true, 10000, 1, .rules = 10, .off = true},
			{true, 10000, 4, .rules = 1000, .off = true},
			{false, 100000, 4, .rules = 1000},
			{false, 100000, 4, .rules = 1000, .guests = 1, .flap = true},
			{false, 100000, 4, .rules = 1000, .guests = GUESTS, .flap = true},
			{true, 100000, 4, .rules = 1000},
			{false, 1000000, 1, .rules = 10},
			{false, 1000000, 4, .rules = 1000},
			{false, 1000000, 4, .rules = 1000, .off = true},
	};
	int first = 1 + (argc > 1 && strcmp(argv[1], "--quick") == 0);
	bool quick = first > 1;

	printf("{\"name\": \"machine.core-cycles-a-tsc-cycle\", \"min\": %.3f, \"median\": %.3f, \"repeats\": 500}\n", core_ratio(), core_ratio());
	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		bool asked = argc <= first;

		for (int k = first; k < argc; k++)
			asked = asked || (unsigned)atoi(argv[k]) == i;
		if (asked && (!quick || rows[i].flows <= 10000))
			run(&rows[i], CUT * (rows[i].off ? 100 : 1000) * (quick ? 1 : 4) * (rows[i].flap ? 4 : 1));
	}
	return 0;
}
