/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What address translation costs: TSC cycles of a packet through the stages of a router that have to
 * do with connections (tracking, nat, filter, confirmation), without routing and ports.
 *
 *	nat_bench [SESSIONS]
 *
 * "new": the first packet of a UDP connection that SNAT binds, after ten rules of the filter.
 * "established": a packet of one of SESSIONS connections, drawn at random, so that nothing of it is
 * in a cache when there are many; "answer": one the other way.
 */
#include "fabric/router/stages.h"
#include "filters/conntrack.h"
#include "filters/live.h"
#include "nat/nat.h"
#include "tests/unit/support/rulesets.h"
#include "tests/unit/support/walkers.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <rte_byteorder.h>
#include <netinet/udp.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

enum { SESSIONS = 1000000, CUT = 32, PORTS = 60000, FIRST_PORT = 2000, MEASURED = 1 << 16 };

static const char rules_text[] =
	"*nat\n-A POSTROUTING -s 10.0.0.0/8 -j @0\n*filter\n"
	"-A FORWARD -s 172.16.0.0/24 -j DROP\n-A FORWARD -s 172.16.1.0/24 -j DROP\n"
	"-A FORWARD -s 172.16.2.0/24 -j DROP\n-A FORWARD -s 172.16.3.0/24 -j DROP\n"
	"-A FORWARD -s 172.16.4.0/24 -j DROP\n-A FORWARD -s 172.16.5.0/24 -j DROP\n"
	"-A FORWARD -s 172.16.6.0/24 -j DROP\n-A FORWARD -s 172.16.7.0/24 -j DROP\n"
	"-A FORWARD -s 172.16.8.0/24 -j DROP\n-A FORWARD -s 10.0.0.0/8 -j ACCEPT\n";

struct bench {
	struct test_walker tw;
	struct test_router t;
	struct filters_live filters;
	struct env_ops ops;
	struct pkt *burst[CUT];
	struct ct_tuple *answers; /* of each session: what its answer looks like */
	uint32_t sessions;
	uint64_t random;
	uint64_t *cycles;
	size_t n_cycles;
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

static struct figures
figures_of(struct bench *b)
{
	qsort(b->cycles, b->n_cycles, sizeof(*b->cycles), compare_cycles);
	return (struct figures){b->cycles[b->n_cycles / 10], b->cycles[b->n_cycles / 2]};
}

static void
print(struct bench *b, const char *what)
{
	struct figures f;

	if (b->n_cycles == 0)
		return;
	f = figures_of(b);
	printf("%-24s %9u %7lu %7lu\n", what, b->sessions, (unsigned long)f.low,
		(unsigned long)f.median);
	fflush(stdout);
	b->n_cycles = 0;
}

static uint64_t
next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

/* The inside end of session `i`; sixteen servers, so that ports are shared. */
static struct test_ip
ends_of(uint32_t i, char src[16], char dst[16])
{
	uint32_t client = i / PORTS;

	snprintf(src, 16, "10.1.%u.%u", client / 250 % 250, client % 250 + 1);
	snprintf(dst, 16, "198.18.0.%u", client % 250 + 1);
	return (struct test_ip){.src = src, .dst = dst};
}

static void
refill(struct bench *b, struct pkt *p, const uint8_t *bytes, size_t len, bool answer)
{
	memcpy(pkt_data(p), bytes, len);
	pkt_mbuf(p)->data_len = (uint16_t)len;
	pkt_mbuf(p)->pkt_len = (uint32_t)len;
	pkt_reset(p);
	if (pkt_parse(p) != DROP_NONE)
		abort();
	p->flags |= PKT_CSUM_VALID;
	p->router = &b->t.r;
	p->in = &b->t.ifaces[answer ? TEST_ETH0 : TEST_ETH1];
}

static void
refill_new(struct bench *b, struct pkt *p, uint32_t session)
{
	char src[16], dst[16];
	uint8_t bytes[128];
	struct test_ip ip = ends_of(session, src, dst);
	size_t len = test_udp(bytes, &ip, (uint16_t)(FIRST_PORT + session % PORTS), 53, 32);

	refill(b, p, bytes, len, false);
}

static void
refill_answer(struct bench *b, struct pkt *p, uint32_t session)
{
	const struct ct_tuple *t = &b->answers[session];
	char src[16], dst[16];
	uint8_t bytes[128];
	struct test_ip ip = {.src = src, .dst = dst};

	inet_ntop(AF_INET, &t->src.v4, src, sizeof(src));
	inet_ntop(AF_INET, &t->dst.v4, dst, sizeof(dst));
	refill(b, p, bytes, test_udp(bytes, &ip, ntohs(t->sport), ntohs(t->dport), 32), true);
}

static void
stage(struct bench *b, struct pkt *p, uint8_t hook, enum verdict (*run)(struct walker *, struct step *))
{
	struct step s = {.p = p};

	p->hook = hook;
	if (run(&b->tw.w, &s) != VERDICT_ACCEPT)
		abort();
}

static void
pass(struct bench *b, struct pkt *p, bool answer)
{
	stage(b, p, HOOK_PREROUTING, filter_track);
	stage(b, p, HOOK_PREROUTING, filter_nat);
	p->out = &b->t.ifaces[answer ? TEST_ETH1 : TEST_ETH0];
	stage(b, p, HOOK_FORWARD, filter_filter);
	stage(b, p, HOOK_POSTROUTING, filter_nat);
	stage(b, p, HOOK_POSTROUTING, filter_confirm);
}

static void
burst(struct bench *b, bool answer, bool measured)
{
	uint64_t start = rte_rdtsc_precise();
	int i;

	for (i = 0; i < CUT; i++)
		pass(b, b->burst[i], answer);
	if (measured)
		b->cycles[b->n_cycles++] = (rte_rdtsc_precise() - start) / CUT;
}

/* What the answer to a packet looks like that has passed. */
static void
note_answer(struct bench *b, const struct pkt *p, uint32_t session)
{
	const struct conn *c = conntrack_of(&b->t.r, p);

	b->answers[session] = c->tuple[CT_DIR_REPLY];
}

static void
release(struct bench *b)
{
	int i;

	for (i = 0; i < CUT; i++)
		env_untrack(&b->tw.w.env, b->burst[i]);
}

/* Sessions from `first` to `end`; the last ones are measured. */
static void
open_sessions(struct bench *b, uint32_t first, uint32_t end)
{
	uint32_t i;
	int k;

	for (i = first; i + CUT <= end; i += CUT) {
		for (k = 0; k < CUT; k++)
			refill_new(b, b->burst[k], i + (uint32_t)k);
		burst(b, false, end - i <= MEASURED || i + MEASURED >= end);
		for (k = 0; k < CUT; k++)
			note_answer(b, b->burst[k], i + (uint32_t)k);
		release(b);
		b->sessions = i + CUT;
	}
}

static void
established(struct bench *b, bool answer)
{
	uint32_t i;
	int k;

	for (i = 0; i < MEASURED; i += CUT) {
		for (k = 0; k < CUT; k++) {
			uint32_t session = (uint32_t)(next_random(b) % b->sessions);

			if (answer)
				refill_answer(b, b->burst[k], session);
			else
				refill_new(b, b->burst[k], session);
		}
		burst(b, answer, true);
		release(b);
	}
}

static void
bench_init(struct bench *b, uint32_t sessions)
{
	static const union {
		struct nf_nat_ipv4_multi_range_compat to;
		uint8_t aligned[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
	} snat = {.to = {.rangesize = 1,
			  .range = {{.flags = NF_NAT_RANGE_MAP_IPS,
				  .min_ip = RTE_BE32(0x0a000005),
				  .max_ip = RTE_BE32(0x0a000005)}}}};
	const struct test_ext exts[] = {{"SNAT", 0, &snat, sizeof(snat)}};
	int i;

	test_walker_init(&b->tw, 1);
	test_router_init(&b->t);
	b->tw.routers[1] = &b->t.r;
	b->t.live.now = &b->t.r;
	b->ops = *b->tw.w.env.ops;
	b->ops.untrack = conntrack_untrack;
	b->tw.w.env.ops = &b->ops;
	b->t.live.filters = &b->filters;
	b->filters.conntrack = conntrack_new(&b->t.live, 1);
	b->t.r.tunables.value[TUNE_CT_MAX] = 1 << 24;
	b->t.r.rules = test_ruleset(&b->tw.t, &b->t, &b->filters, NULL, rules_text, exts);
	b->answers = malloc(sessions * sizeof(*b->answers));
	b->cycles = malloc((sessions + MEASURED) / CUT * sizeof(*b->cycles));
	b->random = 88172645463325252;
	for (i = 0; i < CUT; i++)
		b->burst[i] = test_pkt(&b->tw.t, (uint8_t[128]){0}, 128);
}

static void
print_memory(const struct bench *b)
{
	struct conntrack_stats ct;
	struct nat_stats nat;

	conntrack_stats(b->filters.conntrack, &ct);
	nat_stats(b->filters.conntrack, &nat);
	printf("%-24s %9u %7zu\n", "bytes-a-session", b->sessions,
		(ct.memory + nat.memory) / b->sessions);
}

static void
bench_fini(struct bench *b)
{
	int i;

	for (i = 0; i < CUT; i++)
		test_pkt_free(&b->tw.t, b->burst[i]);
	ruleset_free((struct ruleset *)(uintptr_t)b->t.r.rules);
	conntrack_free(b->filters.conntrack, &b->tw.w.env);
	test_router_fini(&b->t, &b->tw.t);
	free(b->answers);
	free(b->cycles);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	uint32_t sessions = argc > 1 ? (uint32_t)atoi(argv[1]) : SESSIONS, few = RTE_MIN(sessions, 10000u) / CUT * CUT;

	sessions = sessions / CUT * CUT;
	bench_init(&b, sessions);
	printf("%-24s %9s %7s %7s\n", "TSC cycles a packet", "sessions", "lowest", "median");
	open_sessions(&b, 0, few);
	print(&b, "new");
	established(&b, false);
	print(&b, "established");
	established(&b, true);
	print(&b, "answer");
	open_sessions(&b, few, sessions);
	print(&b, "new");
	established(&b, false);
	print(&b, "established");
	established(&b, true);
	print(&b, "answer");
	print_memory(&b);
	bench_fini(&b);
	return test_walker_fini(&b.tw) != 0;
}
