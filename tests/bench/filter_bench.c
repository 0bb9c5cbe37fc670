/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet costs that no path is kept for: the compiled form of a chain by itself, the interpreter with and without it, and both with connection
 * tracking. Cycles are TSC cycles a packet; each packet has a tuple never seen before, drawn from rules spread evenly over the list.
 *
 *	filter_bench [PACKETS]
 *
 * "hit": a packet that a rule is about. "miss": the same with another port and source, so that no rule, or only a wide one, is.
 */
#include "filters/classifier.h"
#include "filters/conntrack.h"
#include "filters/live.h"
#include "tests/unit/support/chains.h"

#include <arpa/inet.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

enum { PACKETS = 4096, ROUNDS = 5 };

struct bench {
	struct test_env env;
	struct test_router t;
	struct filters_live *live;
	uint64_t random;
	uint32_t n_packets;
	struct pkt **hit, **miss;
	uint64_t *cycles;
};

struct figures {
	uint64_t min, median;
};

static int
compare_cycles(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One run over all packets. */
typedef void (*measured)(struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p);

static struct filter_ctx
context(struct bench *b, const struct ruleset *rs, struct pkt *p)
{
	return test_filter_ctx(&b->env, &b->t, p, rs, TABLE_MANGLE, RULES_FORWARD, TEST_ETH0, TEST_ETH1);
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
run_tracking(struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p)
{
	enum drop_reason why;

	(void)rs;
	(void)c;
	conntrack_input(&b->env.env, &b->t.r, p, RULES_PREROUTING, &why);
	env_untrack(&b->env.env, p);
}

static struct figures
measure(struct bench *b, struct pkt **packets, const struct ruleset *rs, const struct ruleset_chain *c, measured run)
{
	struct figures best = {UINT64_MAX, UINT64_MAX};
	uint32_t i;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < b->n_packets; i++) {
			uint64_t start;

			if (i + 8 < b->n_packets) {
				rte_prefetch0(packets[i + 8]);
				rte_prefetch0(pkt_mbuf(packets[i + 8]));
				rte_prefetch0(pkt_data(packets[i + 4]));
			}
			start = rte_rdtsc_precise();
			run(b, rs, c, packets[i]);
			b->cycles[i] = rte_rdtsc_precise() - start;
		}
		conntrack_flush(&b->env.env, b->live->conntrack);
		qsort(b->cycles, b->n_packets, sizeof(*b->cycles), compare_cycles);
		best.min = RTE_MIN(best.min, b->cycles[b->n_packets / 100]);
		best.median = RTE_MIN(best.median, b->cycles[b->n_packets / 2]);
	}
	return best;
}

static void
run_nothing(struct bench *b, const struct ruleset *rs, const struct ruleset_chain *c, struct pkt *p)
{
	(void)b;
	(void)rs;
	(void)c;
	(void)p;
}

static struct pkt *
packet(struct bench *b, const struct rules_rule *rule, bool miss)
{
	uint8_t buf[CHAIN_PACKET_MAX];
	size_t len = chain_packet(&b->random, rule, buf);
	struct pkt *p;

	if (miss) {
		uint32_t src = (uint32_t)chain_random(&b->random);

		memcpy(buf + 12, &src, 4);
		buf[22] = 2;
		buf[23] = (uint8_t)src;
	}
	buf[20] = (uint8_t)chain_random(&b->random);
	test_fix_ip(buf);
	p = test_pkt(&b->env, buf, len);
	if (pkt_parse(p) != DROP_NONE)
		abort();
	return p;
}

static void
make_packets(struct bench *b, const struct rules *rules)
{
	const struct rules_chain *c = chain_forward(rules);
	uint32_t i;

	for (i = 0; i < b->n_packets; i++) {
		uint32_t rule = (uint32_t)((uint64_t)i * 2654435761u % c->n_rules);

		b->hit[i] = packet(b, &c->rules[rule], false);
		b->miss[i] = packet(b, &c->rules[rule], true);
	}
}

static void
free_packets(struct bench *b)
{
	uint32_t i;

	for (i = 0; i < b->n_packets; i++) {
		test_pkt_free(&b->env, b->hit[i]);
		test_pkt_free(&b->env, b->miss[i]);
	}
}

static void
print_run(struct bench *b, struct pkt **packets, const struct ruleset *rs, const struct ruleset_chain *c, measured run)
{
	struct figures f = measure(b, packets, rs, c, run);

	printf(" %6lu %6lu", (unsigned long)f.min, (unsigned long)f.median);
}

static void
bench_chain(struct bench *b, enum chain_kind kind, uint32_t n)
{
	struct rules *rules = chain_make(&b->random, kind, n);
	uint64_t hz = rte_get_tsc_hz(), start;
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
	start = rte_rdtsc();
	compiled = classifier_new(c, NULL);
	start = rte_rdtsc() - start;
	if (compiled) {
		classifier_publish(c, compiled);
		printf("  %7.1f %6zu", (double)start * 1e3 / (double)hz, classifier_memory(compiled) >> 10);
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
	free_packets(b);
	ruleset_free(rs);
}

static void
bench_init(struct bench *b, uint32_t packets)
{
	test_env_init(&b->env, 1);
	test_router_init(&b->t);
	b->live = filters_live_new(&b->t.live);
	b->t.live.filters = b->live;
	b->live->conntrack = conntrack_new(&b->t.live, 1);
	b->random = test_seed();
	b->n_packets = packets;
	b->hit = calloc(packets, sizeof(struct pkt *));
	b->miss = calloc(packets, sizeof(struct pkt *));
	b->cycles = calloc(packets, sizeof(*b->cycles));
	if (!b->live->conntrack || !b->hit || !b->miss || !b->cycles)
		abort();
}

static void
print_head(struct bench *b)
{
	struct rules *rules = chain_make(&b->random, CHAIN_BLOCKLIST, 16);
	struct figures nothing, tracking;

	make_packets(b, rules);
	nothing = measure(b, b->hit, NULL, NULL, run_nothing);
	tracking = measure(b, b->miss, NULL, NULL, run_tracking);
	free_packets(b);
	rules_free(rules);
	printf("cycles: 1st percentile and median; taking the time alone: %lu %lu, connection tracking alone (refused): %lu %lu\n",
		(unsigned long)nothing.min, (unsigned long)nothing.median, (unsigned long)tracking.min,
		(unsigned long)tracking.median);
	printf("%17s %27s  %7s %6s %27s %27s %27s\n", "", "straight, hit and miss", "ms", "KB", "classifier, hit and miss",
		"compiled, hit and miss", "with tracking");
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
	filters_live_end(b.live, &b.env.env);
	filters_live_free(b.live);
	test_router_fini(&b.t, &b.env);
	free(b.hit);
	free(b.miss);
	free(b.cycles);
	return test_env_fini(&b.env) != 0;
}
