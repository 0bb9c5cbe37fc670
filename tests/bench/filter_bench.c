/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet costs that no path is kept for: the compiled form of a chain by itself, the
 *interpreter with and without it, and both with connection tracking. Cycles are TSC cycles a
 *packet; each packet has a tuple never seen before, drawn from rules spread evenly over the list.
 *
 *	filter_bench [PACKETS]
 *
 * "hit": a packet that a rule is about. "miss": the same with another port and source, so that no
 *rule, or only a wide one, is.
 */
#include "filters/classifier.h"
#include "filters/conntrack.h"
#include "filters/live.h"
#include "tests/unit/support/chains.h"

#include <arpa/inet.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PACKETS = 4096, ROUNDS = 7, CUT = 32 };

struct bytes {
	uint8_t at[CHAIN_PACKET_MAX];
	size_t len;
};

struct bench {
	struct test_env env;
	struct test_router t;
	struct filters_live *live;
	uint64_t random;
	uint32_t n_packets;
	struct bytes *hit, *miss;
	struct pkt *burst[CUT]; /* recycled: their data is in the cache, as that of packets that
				   just came is */
	uint64_t *cycles;
};

struct figures {
	uint64_t low, median;
};

static int
compare_cycles(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What is measured, for one packet. */
typedef void (*measured)(
	struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p);

static struct filter_ctx
context(struct bench *b, const struct ruleset *rs, struct pkt *p)
{
	return test_filter_ctx(
		&b->env, &b->t, p, rs, TABLE_MANGLE, RULES_FORWARD, TEST_ETH0, TEST_ETH1);
}

static void
run_next(struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p)
{
	struct filter_ctx ctx = context(b, rs, p);
	struct classifier_key key;
	volatile uint32_t i;

	classifier_key(&key, &ctx);
	i = classifier_next(atomic_load_explicit(&c->classifier, memory_order_acquire), &key, 0);
	(void)i;
}

static void
run_rules(struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p)
{
	struct filter_ctx ctx = context(b, rs, p);

	(void)c;
	ruleset_run(rs, &ctx);
}

/* What a router does with the first packet of a connection. */
static void
run_tracked(struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p)
{
	struct filter_ctx ctx = context(b, rs, p);
	enum drop_reason why;

	(void)c;
	conntrack_input(&b->env.env, &b->t.r, p, RULES_PREROUTING, &why);
	if (ruleset_run(rs, &ctx) == FILTER_ACCEPT)
		conntrack_confirm(&b->env.env, &b->t.r, p, &why);
	env_untrack(&b->env.env, p);
}

static void
run_tracking(
	struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p)
{
	enum drop_reason why;

	(void)rs;
	(void)c;
	conntrack_input(&b->env.env, &b->t.r, p, RULES_PREROUTING, &why);
	env_untrack(&b->env.env, p);
}

static void
refill(struct bench *b, const struct bytes *from)
{
	uint32_t i;

	for (i = 0; i < CUT; i++) {
		struct pkt *p = b->burst[i];

		memcpy(pkt_data(p), from[i].at, from[i].len);
		pkt_mbuf(p)->data_len = (uint16_t)from[i].len;
		pkt_mbuf(p)->pkt_len = (uint32_t)from[i].len;
		pkt_reset(p);
		if (pkt_parse(p) != DROP_NONE)
			abort();
		p->router = &b->t.r;
	}
}

static struct figures
measure(struct bench *b, const struct bytes *packets, const struct ruleset *rs,
	const struct ruleset_chain *c, measured run)
{
	struct figures best = {UINT64_MAX, UINT64_MAX};
	uint32_t i, k, n = b->n_packets / CUT;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < n; i++) {
			uint64_t start;

			refill(b, packets + i * CUT);
			start = rte_rdtsc_precise();
			for (k = 0; k < CUT; k++)
				run(b, rs, c, b->burst[k]);
			b->cycles[i] = (rte_rdtsc_precise() - start) / CUT;
		}
		conntrack_flush(&b->env.env, b->live->conntrack);
		qsort(b->cycles, n, sizeof(*b->cycles), compare_cycles);
		best.low = RTE_MIN(best.low, b->cycles[n / 10]);
		best.median = RTE_MIN(best.median, b->cycles[n / 2]);
	}
	return best;
}

static void
make_packet(struct bench *b, const struct rules_rule *rule, bool miss, struct bytes *to)
{
	uint32_t src = (uint32_t)chain_random(&b->random);

	to->len = chain_packet(&b->random, rule, to->at);
	if (miss) {
		memcpy(to->at + 12, &src, 4);
		to->at[22] = 2;
		to->at[23] = (uint8_t)src;
	}
	to->at[20] = (uint8_t)chain_random(&b->random);
	test_fix_ip(to->at);
}

static void
make_packets(struct bench *b, const struct rules *rules)
{
	const struct rules_chain *c = chain_forward(rules);
	uint32_t i;

	for (i = 0; i < b->n_packets; i++) {
		uint32_t rule = (uint32_t)((uint64_t)i * 2654435761u % c->n_rules);

		make_packet(b, &c->rules[rule], false, &b->hit[i]);
		make_packet(b, &c->rules[rule], true, &b->miss[i]);
	}
}

static void
print_run(struct bench *b, const struct bytes *packets, const struct ruleset *rs,
	const struct ruleset_chain *c, measured run)
{
	struct figures f = measure(b, packets, rs, c, run);

	printf(" %6lu %6lu", (unsigned long)f.low, (unsigned long)f.median);
}

static double
ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static void
bench_chain(struct bench *b, enum chain_kind kind, uint32_t n)
{
	struct rules *rules = chain_make(&b->random, kind, n);
	struct timespec start;
	struct ruleset_chain *c;
	struct classifier *compiled;
	struct ruleset *rs;
	char why[256];

	rs = ruleset_new(rules, &b->t.r, b->live, NULL, why, sizeof(why));
	if (!rs)
		exit((fprintf(stderr, "%s\n", why), 1));
	ruleset_begin(rs, b->env.env.now);
	c = (struct ruleset_chain *)rs->tables[TABLE_MANGLE].entry[RULES_FORWARD];
	make_packets(b, rules);
	printf("%-10s %6u", chain_kind_names[kind], n);
	print_run(b, b->hit, rs, c, run_rules);
	print_run(b, b->miss, rs, c, run_rules);
	clock_gettime(CLOCK_MONOTONIC, &start);
	compiled = classifier_new(c, NULL);
	if (compiled) {
		classifier_publish(c, compiled);
		printf("  %7.1f %6zu", ms_since(&start), classifier_memory(compiled) >> 10);
		print_run(b, b->hit, rs, c, run_next);
		print_run(b, b->miss, rs, c, run_next);
	} else {
		printf("  %7s %6s %6s %6s %6s %6s", "-", "-", "-", "-", "-", "-");
	}
	print_run(b, b->hit, rs, c, run_rules);
	print_run(b, b->miss, rs, c, run_rules);
	print_run(b, b->hit, rs, c, run_tracked);
	print_run(b, b->miss, rs, c, run_tracked);
	printf("\n");
	fflush(stdout);
	ruleset_free(rs);
}

static void
bench_init(struct bench *b, uint32_t packets)
{
	int i;

	test_env_init(&b->env, 1);
	test_router_init(&b->t);
	b->live = filters_live_new();
	b->t.live.filters = b->live;
	b->live->conntrack = conntrack_new(&b->t.live, 1);
	b->random = test_seed();
	b->n_packets = packets;
	b->hit = calloc(packets, sizeof(*b->hit));
	b->miss = calloc(packets, sizeof(*b->miss));
	b->cycles = calloc(packets, sizeof(*b->cycles));
	if (!b->live->conntrack || !b->hit || !b->miss || !b->cycles)
		abort();
	for (i = 0; i < CUT; i++)
		b->burst[i] = test_pkt(&b->env, (uint8_t[CHAIN_PACKET_MAX]){0}, CHAIN_PACKET_MAX);
}

static void
print_head(struct bench *b)
{
	struct rules *rules = chain_make(&b->random, CHAIN_BLOCKLIST, 16);
	struct figures tracking;

	make_packets(b, rules);
	tracking = measure(b, b->miss, NULL, NULL, run_tracking);
	rules_free(rules);
	printf("cycles a packet: lowest tenth and median; connection tracking alone, of a packet "
	       "that is refused: %lu %lu\n",
		(unsigned long)tracking.low, (unsigned long)tracking.median);
	printf("%17s %27s  %7s %6s %27s %27s %27s\n", "", "straight, hit and miss", "ms", "KB",
		"classifier, hit and miss", "compiled, hit and miss", "with tracking");
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {10, 16, 24, 32, 100, 1000, 10000};
	struct bench b = {0};
	int kind;
	size_t i;

	bench_init(&b, argc > 1 ? (uint32_t)atoi(argv[1]) : PACKETS);
	print_head(&b);
	for (kind = 0; kind < CHAIN_KINDS; kind++)
		for (i = 0; i < RTE_DIM(sizes); i++)
			bench_chain(&b, (enum chain_kind)kind, sizes[i]);
	for (i = 0; i < CUT; i++)
		test_pkt_free(&b.env, b.burst[i]);
	filters_live_end(b.live, &b.env.env);
	filters_live_free(b.live);
	test_router_fini(&b.t, &b.env);
	free(b.hit);
	free(b.miss);
	free(b.cycles);
	return test_env_fini(&b.env) != 0;
}
