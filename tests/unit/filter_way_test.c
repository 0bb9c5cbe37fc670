/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules on the way of packets through routers:
 *
 *	port 10 ── eth0 ┌───┐ iucv0 ── port 12, or ── iucv0 ┌───┐ eth0 ── port 20
 *	port 11 ── eth1 │ a │                               │ b │
 *	                └───┘                               └───┘
 *
 * All of them point to point, so that nobody asks for neighbours. a traces what its rules in raw
 *say.
 */
#include "fabric/router/way.h"

#include "filters/extensions.h"
#include "routing/reasm.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/rulesets.h"
#include "tests/unit/support/walkers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

enum { A_ETH0 = 10, A_ETH1, A_IUCV0, B_ETH0 = 20 };
enum { A, B };
enum { SYN = 2, ACK = 16 };

struct side {
	struct test_router t;
	struct filters_live filters;
};

static struct test_walker tw;
static struct side a, b;
static struct env_ops ops;
static char trace[4000]; /* "table:CHAIN " for each chain met, in order */
static enum drop_reason queue_says;
static struct pkt *queued;

enum {
	TRACE,
	MARK_7,
	STATE_NEW,
	STATE_RELATED,
	STATE_ESTABLISHED,
	STATE_UNTRACKED,
	REJECT,
	RESET,
	NOTRACK,
	ZONE_5,
	QUEUE,
	QUEUE_BYPASS,
	IS_MARKED,
	SHORT_TCP,
	EXTS
};

/* Options as rules have them: padded. */
#define OPTIONS(type, name, ...)                                                                   \
	static const union {                                                                       \
		struct type options;                                                               \
		uint8_t padded[XT_ALIGN(sizeof(struct type))];                                     \
	} name = {.options = {__VA_ARGS__}}

OPTIONS(xt_mark_tginfo2, mark_7, .mark = 7, .mask = ~0u);
OPTIONS(xt_mark_mtinfo1, is_marked, .mark = 7, .mask = ~0u);
OPTIONS(xt_state_info, state_new, .statemask = XT_STATE_BIT(CT_NEW));
OPTIONS(xt_state_info, state_related, .statemask = XT_STATE_BIT(CT_RELATED));
OPTIONS(xt_state_info, state_established, .statemask = XT_STATE_BIT(CT_ESTABLISHED));
OPTIONS(xt_state_info, state_untracked, .statemask = XT_STATE_UNTRACKED);
OPTIONS(ipt_reject_info, port_unreachable, .with = IPT_ICMP_PORT_UNREACHABLE);
OPTIONS(ipt_reject_info, tcp_reset, .with = IPT_TCP_RESET);
OPTIONS(xt_ct_target_info_v1, notrack, .flags = XT_CT_NOTRACK);
OPTIONS(xt_ct_target_info_v1, zone_5, .zone = 5);
OPTIONS(xt_NFQ_info, queue_3, .queuenum = 3);
OPTIONS(xt_NFQ_info_v3, queue_3_bypass, .queuenum = 3, .queues_total = 1, .flags = NFQ_FLAG_BYPASS);
OPTIONS(xt_tcp, ports_of_tcp, .spts = {0, 65535}, .dpts = {0, 65535});

static const struct test_ext exts[EXTS] = {
	[TRACE] = {"TRACE", 0, NULL, 0},
	[MARK_7] = {"MARK", 2, &mark_7, sizeof(mark_7)},
	[STATE_NEW] = {"state", 0, &state_new, sizeof(state_new)},
	[STATE_RELATED] = {"state", 0, &state_related, sizeof(state_related)},
	[STATE_ESTABLISHED] = {"state", 0, &state_established, sizeof(state_established)},
	[STATE_UNTRACKED] = {"state", 0, &state_untracked, sizeof(state_untracked)},
	[REJECT] = {"REJECT", 0, &port_unreachable, sizeof(port_unreachable)},
	[RESET] = {"REJECT", 0, &tcp_reset, sizeof(tcp_reset)},
	[NOTRACK] = {"CT", 2, &notrack, sizeof(notrack)},
	[ZONE_5] = {"CT", 2, &zone_5, sizeof(zone_5)},
	[QUEUE] = {"NFQUEUE", 0, &queue_3, sizeof(queue_3)},
	[QUEUE_BYPASS] = {"NFQUEUE", 3, &queue_3_bypass, sizeof(queue_3_bypass)},
	[IS_MARKED] = {"mark", 1, &is_marked, sizeof(is_marked)},
	[SHORT_TCP] = {"tcp", 0, &ports_of_tcp, sizeof(ports_of_tcp)},
};

/* "TRACE: raw:PREROUTING:rule:2 IN=..." */
static void
log_trace(struct env *env, const struct pkt *p, int level, const char *line)
{
	char table[32], chain[32], name[70];
	size_t n = strlen(trace), len;

	(void)env;
	(void)p;
	(void)level;
	if (sscanf(line, "TRACE: %31[^:]:%31[^:]:", table, chain) != 2)
		return;
	len = (size_t)snprintf(name, sizeof(name), "%s:%s ", table, chain);
	if (n < len || strcmp(trace + n - len, name) != 0)
		snprintf(trace + n, sizeof(trace) - n, "%s", name);
}

static enum drop_reason
take_for_program(struct env *env, struct pkt *p, uint16_t number)
{
	(void)env;
	assert_int_equal(number, 3);
	if (queue_says == DROP_NONE)
		queued = p;
	return queue_says;
}

static void
side_init(struct side *s, size_t slot)
{
	test_router_init(&s->t);
	s->t.r.slot = (uint16_t)slot;
	s->t.ifaces[TEST_ETH0].kind = s->t.ifaces[TEST_ETH1].kind = IFACE_CTC;
	s->t.live.filters = &s->filters;
	s->filters = (struct filters_live){0};
	s->filters.conntrack = conntrack_new(&s->t.live, 1);
	assert_non_null(s->filters.conntrack);
	tw.routers[slot] = &s->t.r;
}

static int
setup(void **state)
{
	(void)state;
	test_walker_init(&tw, 1);
	ops = *tw.w.env.ops;
	ops.attach = conntrack_attach;
	ops.hold = conntrack_hold;
	ops.untrack = conntrack_untrack;
	ops.log = log_trace;
	ops.queue = take_for_program;
	tw.w.env.ops = &ops;
	trace[0] = '\0';
	queue_says = DROP_QUEUE_NOBODY;
	queued = NULL;
	side_init(&a, A);
	a.t.ifaces[TEST_ETH0].attach = (struct attach){ATTACH_PORT, A_ETH0, 0};
	a.t.ifaces[TEST_ETH1].attach = (struct attach){ATTACH_PORT, A_ETH1, 0};
	a.t.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_PORT, A_IUCV0, 0};
	return 0;
}

static void
side_fini(struct side *s)
{
	test_conntrack_check(s->filters.conntrack, 0);
	conntrack_flush(&tw.w.env, s->filters.conntrack);
	assert_int_equal(s->filters.conntrack->count, 0);
	if (s->t.r.rules)
		ruleset_free((struct ruleset *)(uintptr_t)s->t.r.rules);
	conntrack_free(s->filters.conntrack, &tw.w.env);
	test_router_fini(&s->t, &tw.t);
}

/* What left was freed before: packets hold nothing of a router then. */
static int
teardown(void **state)
{
	(void)state;
	assert_null(test_sent(&tw, NULL));
	side_fini(&a);
	return (int)test_walker_fini(&tw);
}

/* Takes the routes, with one more: a default route by iucv0 in this table. */
static void
set_fib(struct side *s, struct route *routes, size_t n, uint32_t table, const char *via,
	const struct route_rule *rule)
{
	struct nexthop *hop = calloc(1, sizeof(*hop));

	routes = realloc(routes, (n + 1) * sizeof(*routes));
	*hop = (struct nexthop){.via = test_addr(via), .oif = TEST_IUCV0, .weight = 1};
	routes[n++] = (struct route){.to = test_prefix("default"),
		.type = ROUTE_UNICAST,
		.table = table,
		.hops = hop,
		.n_hops = 1};
	assert_int_equal(
		fib_new(routes, n, rule, rule != NULL, s->t.slots, TEST_IFACES, &s->t.r.fib), 0);
	routes_free(routes, n);
}

/* The second router, 192.168.1.2, with 172.16.0.1/16 on eth0. */
static int
setup_two(void **state)
{
	struct route *routes = NULL;
	size_t n = 0;

	setup(state);
	side_init(&b, B);
	b.t.addrs[TEST_ETH0][0].prefix = test_prefix("172.16.0.1/16");
	b.t.ifaces[TEST_ETH0].n_addrs = 1;
	b.t.addrs[TEST_IUCV0][0] =
		(struct iface_addr){test_prefix("192.168.1.2"), test_addr("192.168.1.1")};
	b.t.ifaces[TEST_ETH0].attach = (struct attach){ATTACH_PORT, B_ETH0, 0};
	b.t.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_ROUTER, A, TEST_IUCV0};
	a.t.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_ROUTER, B, TEST_IUCV0};
	fib_free(b.t.r.fib);
	assert_int_equal(routes_of_iface(&b.t.ifaces[TEST_ETH0], &routes, &n), 0);
	assert_int_equal(routes_of_iface(&b.t.ifaces[TEST_IUCV0], &routes, &n), 0);
	set_fib(&b, routes, n, TABLE_MAIN, "192.168.1.1", NULL);
	return 0;
}

static int
teardown_two(void **state)
{
	side_fini(&b);
	return teardown(state);
}

/* These rules instead of those before. */
static void
rules(struct side *s, const char *text)
{
	struct ruleset *was = (struct ruleset *)(uintptr_t)s->t.r.rules;

	s->t.r.rules = test_ruleset(&tw.t, &s->t, &s->filters, NULL, text, exts);
	if (was)
		ruleset_free(was);
}

static uint64_t
count(const struct side *s, enum rules_table table, const char *chain, uint32_t rule)
{
	return test_packets(s->t.r.rules, table, chain, rule);
}

static void
arrive(struct side *s, uint16_t slot, const void *data, size_t len)
{
	struct pkt *p = test_pkt(&tw.t, data, len);

	p->router = &s->t.r;
	p->in = &s->t.ifaces[slot];
	router_receive(&tw.w, p);
	test_walker_run(&tw);
}

/* From the control namespace of a. */
static void
send_locally(const void *data, size_t len)
{
	router_control_input(&tw.w, &a.t.r, test_pkt(&tw.t, data, len));
	test_walker_run(&tw);
}

struct talk {
	const char *src, *dst;
};

static const struct talk forward = {"10.0.0.2", "10.1.0.2"}, backward = {"10.1.0.2", "10.0.0.2"},
			 to_a = {"10.0.0.2", "10.0.0.1"}, from_a = {"10.0.0.1", "10.0.0.2"},
			 to_itself = {"10.0.0.1", "10.1.0.1"}, to_b = {"10.0.0.2", "172.16.0.9"};

static size_t
udp(uint8_t *buf, struct talk t)
{
	return test_udp(buf, &(struct test_ip){.src = t.src, .dst = t.dst}, 1000, 2000, 8);
}

static void
udp_arrives(struct side *s, uint16_t slot, struct talk t)
{
	uint8_t buf[100];

	arrive(s, slot, buf, udp(buf, t));
}

static void
udp_is_sent(struct talk t)
{
	uint8_t buf[100];

	send_locally(buf, udp(buf, t));
}

static struct pkt *
expect_sent(uint32_t port)
{
	uint32_t where = 0;
	struct pkt *p = test_sent(&tw, &where);

	assert_non_null(p);
	assert_int_equal(where, port);
	/* nothing that a's filters knew goes with it */
	assert_true(p->ct == 0 && p->ct_info == 0 && p->ct_zone == 0 && p->ct_zone_dir == 0);
	assert_true(p->ct_helper == 0 && !(p->flags & PKT_TRACE));
	return p;
}

static void
expect_udp(uint32_t port)
{
	struct pkt *p = expect_sent(port);

	assert_int_equal(pkt_ip4(p)->protocol, IPPROTO_UDP);
	test_pkt_free(&tw.t, p);
}

static void
expect_icmp(uint32_t port, uint8_t type, uint8_t code)
{
	struct pkt *p = expect_sent(port);
	const struct icmphdr *icmp = (const void *)((const uint8_t *)pkt_data(p) + 20);

	assert_int_equal(pkt_ip4(p)->protocol, IPPROTO_ICMP);
	assert_int_equal(icmp->type, type);
	assert_int_equal(icmp->code, code);
	test_pkt_free(&tw.t, p);
}

/* One packet was dropped since the last call, for this reason; no other was. */
static void
expect_drop(struct side *s, enum drop_reason why)
{
	assert_int_equal(s->t.live.drops.n[why], 1);
	assert_int_equal(test_drops(&s->t), 1);
	s->t.live.drops.n[why] = 0;
	assert_null(test_sent(&tw, NULL));
}

static uint32_t
connections(const struct side *s)
{
	test_conntrack_check(s->filters.conntrack, 0);
	return s->filters.conntrack->count;
}

static const char *
traced(void)
{
	static char was[sizeof(trace)];

	memcpy(was, trace, sizeof(was));
	trace[0] = '\0';
	return was;
}

/* ---- which tables, in which order ---- */

#define ALL_TABLES                                                                                 \
	"*mangle\n-A PREROUTING\n-A INPUT\n-A FORWARD\n-A OUTPUT\n-A POSTROUTING\n"                \
	"*nat\n-A PREROUTING\n-A INPUT\n-A OUTPUT\n-A POSTROUTING\n"                               \
	"*filter\n-A INPUT\n-A FORWARD\n-A OUTPUT\n"                                               \
	"*security\n-A INPUT\n-A FORWARD\n-A OUTPUT\n"
#define TRACED "*raw\n-A PREROUTING -j @0\n-A PREROUTING\n-A OUTPUT -j @0\n-A OUTPUT\n" ALL_TABLES

static void
forwarded(void **state)
{
	(void)state;
	rules(&a, TRACED);
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	assert_string_equal(traced(),
		"raw:PREROUTING mangle:PREROUTING nat:PREROUTING mangle:FORWARD filter:FORWARD "
		"security:FORWARD mangle:POSTROUTING nat:POSTROUTING ");
	udp_arrives(&a, TEST_ETH0, forward); /* nat saw the first packet and sees no other */
	expect_udp(A_ETH1);
	assert_string_equal(traced(),
		"raw:PREROUTING mangle:PREROUTING mangle:FORWARD filter:FORWARD "
		"security:FORWARD mangle:POSTROUTING ");
	assert_int_equal(connections(&a), 1);
}

static void
answers_pass_without_nat(void **state)
{
	uint8_t buf[100];
	size_t len;

	(void)state;
	rules(&a, TRACED);
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	traced();
	len = test_udp(
		buf, &(struct test_ip){.src = backward.src, .dst = backward.dst}, 2000, 1000, 8);
	arrive(&a, TEST_ETH1, buf, len);
	expect_udp(A_ETH0);
	assert_string_equal(traced(),
		"raw:PREROUTING mangle:PREROUTING mangle:FORWARD filter:FORWARD security:FORWARD "
		"mangle:POSTROUTING ");
	assert_int_equal(connections(&a), 1);
}

/* And the error that tells of it, which is no new connection. */
static void
for_the_router(void **state)
{
	(void)state;
	rules(&a, TRACED);
	udp_arrives(&a, TEST_ETH0, to_a);
	expect_icmp(A_ETH0, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH);
	assert_string_equal(traced(),
		"raw:PREROUTING mangle:PREROUTING nat:PREROUTING mangle:INPUT filter:INPUT "
		"security:INPUT nat:INPUT raw:OUTPUT mangle:OUTPUT filter:OUTPUT security:OUTPUT "
		"mangle:POSTROUTING ");
	expect_drop(&a, DROP_NO_LISTENER);
	assert_int_equal(connections(&a), 1);
}

static void
from_the_router(void **state)
{
	(void)state;
	rules(&a, TRACED);
	udp_is_sent(from_a);
	expect_udp(A_ETH0);
	assert_string_equal(traced(),
		"raw:OUTPUT mangle:OUTPUT nat:OUTPUT filter:OUTPUT security:OUTPUT "
		"mangle:POSTROUTING nat:POSTROUTING ");
	assert_int_equal(connections(&a), 1);
}

static void
from_the_router_to_itself(void **state)
{
	static const char way[] =
		"raw:OUTPUT mangle:OUTPUT nat:OUTPUT filter:OUTPUT security:OUTPUT "
		"mangle:POSTROUTING nat:POSTROUTING raw:PREROUTING "
		"mangle:PREROUTING mangle:INPUT filter:INPUT security:INPUT "
		"raw:OUTPUT ";

	(void)state;
	rules(&a, TRACED);
	udp_is_sent(to_itself);
	assert_memory_equal(traced(), way, strlen(way));
	assert_int_equal(
		a.t.live.drops.n[DROP_NO_LISTENER], 2); /* with the error, that nobody awaits */
	assert_int_equal(connections(&a), 1);
}

/* Without a rule that needs it nothing is tracked. */
static void
without_tracking(void **state)
{
	(void)state;
	rules(&a, "*filter\n-A FORWARD\n");
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 1), 1);
	assert_int_equal(connections(&a), 0);
	a.t.r.tunables.value[TUNE_CT_TRACKING] = 1;
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	assert_int_equal(connections(&a), 1);
}

/* ---- fragments ---- */

static size_t
fragment_of(uint8_t *buf, struct talk t, const uint8_t *whole, uint16_t at, uint16_t len, bool more)
{
	const struct test_ip ip = {.src = t.src,
		.dst = t.dst,
		.id = 77,
		.frag_off = (uint16_t)(at / 8 | (more ? IP_MF : 0))};

	return test_ip4(buf, &ip, IPPROTO_UDP, whole + 20 + at, len);
}

/* 1000 bytes of UDP in two pieces, handed to `deliver`. */
static void
in_two_pieces(struct talk t, bool locally)
{
	uint8_t whole[1200], buf[1200];
	size_t len, udp_len;

	udp_len = test_udp(whole, &(struct test_ip){.src = t.src, .dst = t.dst}, 1000, 2000, 992) -
		  20;
	for (int i = 0; i < 2; i++) {
		len = fragment_of(
			buf, t, whole, i ? 504 : 0, (uint16_t)(i ? udp_len - 504 : 504), i == 0);
		if (locally)
			send_locally(buf, len);
		else
			arrive(&a, TEST_ETH0, buf, len);
	}
}

static void
fragments_are_seen_without_tracking(void **state)
{
	(void)state;
	rules(&a, "*filter\n-A FORWARD -f\n-A FORWARD -p udp\n-A OUTPUT -f\n");
	in_two_pieces(forward, false);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 1), 1);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 2), 2);
	expect_udp(A_ETH1);
	expect_udp(A_ETH1);
	in_two_pieces(from_a, true);
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 1), 1);
	expect_udp(A_ETH0);
	expect_udp(A_ETH0);
}

/* Whole to the rules, and cut again as they came: none is larger. */
static void
fragments_are_joined_with_tracking(void **state)
{
	(void)state;
	rules(&a, "*raw\n-A PREROUTING -f\n-A PREROUTING\n-A OUTPUT\n*filter\n-A FORWARD -f\n-A "
		  "FORWARD -m "
		  "@2\n-A OUTPUT -m @2");
	in_two_pieces(forward, false);
	assert_int_equal(count(&a, TABLE_RAW, "PREROUTING", 1), 0);
	assert_int_equal(count(&a, TABLE_RAW, "PREROUTING", 2), 1);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 1), 0);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 2), 1);
	for (int i = 0; i < 2; i++) {
		struct pkt *p = expect_sent(A_ETH1);

		assert_true(pkt_len(p) <= 524);
		test_pkt_free(&tw.t, p);
	}
	in_two_pieces(from_a, true);
	assert_int_equal(count(&a, TABLE_RAW, "OUTPUT", 1), 1);
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 1), 1);
	expect_udp(A_ETH0);
	expect_udp(A_ETH0);
	assert_int_equal(connections(&a), 2);
}

/* Cut on its way out: the pieces hold no connection. */
static void
cut_behind_the_rules(void **state)
{
	uint8_t buf[1600];
	size_t len = test_udp(
		buf, &(struct test_ip){.src = forward.src, .dst = forward.dst}, 1, 2, 1440);

	(void)state;
	rules(&a, "*filter\n-A FORWARD -m @2 -j ACCEPT\n-A FORWARD -j DROP\n");
	arrive(&a, TEST_ETH0, buf, len);
	expect_udp(A_ETH1);
	expect_udp(A_ETH1);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 1), 1);
	assert_int_equal(connections(&a), 1);
}

/* ---- mangle OUTPUT routes anew ---- */

/* What bears mark 7 goes by iucv0. */
static void
route_by_mark(void)
{
	const struct route_rule rule = {.priority = 100, .mark = 7, .mask = ~0u, .table = 100};
	struct route *routes = NULL;
	size_t n = 0;

	fib_free(a.t.r.fib);
	for (uint16_t i = 1; i < TEST_IFACES; i++)
		assert_int_equal(routes_of_iface(&a.t.ifaces[i], &routes, &n), 0);
	set_fib(&a, routes, n, 100, "192.168.1.2", &rule);
}

static void
a_mark_routes_anew(void **state)
{
	(void)state;
	route_by_mark();
	rules(&a, "*mangle\n-A OUTPUT -j @1\n*filter\n-A OUTPUT -o iucv0\n-A OUTPUT -o eth0\n");
	udp_is_sent(from_a);
	expect_udp(A_IUCV0);
	/* for all of the hook a packet has the interface that it came with (struct nf_hook_state) */
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 1), 0);
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 2), 1);
	/* only there: not in raw, nor where a packet has found its way */
	rules(&a, "*raw\n-A OUTPUT -j @1\n*mangle\n-A OUTPUT\n-A POSTROUTING -j @1\n-A FORWARD -j "
		  "@1\n");
	udp_is_sent(from_a);
	expect_udp(A_ETH0);
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	rules(&a, "*mangle\n-A PREROUTING -j @1\n");
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_IUCV0);
}

static void
routed_anew_before_a_program_gets_it(void **state)
{
	(void)state;
	route_by_mark();
	rules(&a, "*mangle\n-A OUTPUT -j @1\n-A OUTPUT -j @10\n");
	queue_says = DROP_NONE;
	udp_is_sent(from_a);
	assert_non_null(queued);
	assert_ptr_equal(queued->out, &a.t.ifaces[TEST_IUCV0]);
	env_emit(&tw.w.env, queued, ORIGIN_RESUME);
	test_walker_run(&tw);
	expect_udp(A_IUCV0);
}

/* ---- when a connection begins ---- */

static void
what_is_dropped_leaves_no_connection(void **state)
{
	static const struct {
		const char *rules;
		bool local;
	} rows[] = {
		{"*filter\n-A FORWARD -m @2 -j DROP\n", false},
		{"*mangle\n-A POSTROUTING -m @2 -j DROP\n", false},
		{"*nat\n-A PREROUTING -j ACCEPT\n*mangle\n-A PREROUTING -j DROP\n", false},
		{"*filter\n-A OUTPUT -m @2 -j DROP\n", true},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		rules(&a, rows[i].rules);
		if (rows[i].local)
			udp_is_sent(from_a);
		else
			udp_arrives(&a, TEST_ETH0, forward);
		expect_drop(&a, DROP_RULE);
		assert_int_equal(connections(&a), 0);
	}
	rules(&a, "*filter\n-A INPUT -m @2 -j DROP\n");
	udp_arrives(&a, TEST_ETH0, to_a);
	expect_drop(&a, DROP_RULE);
	assert_int_equal(connections(&a), 0);
	rules(&a, "*filter\n-A FORWARD -m @2 -j ACCEPT\n");
	a.t.ifaces[TEST_ETH1].attach = (struct attach){0}; /* lost behind the rules: too late */
	udp_arrives(&a, TEST_ETH0, forward);
	expect_drop(&a, DROP_LINK_DOWN);
	assert_int_equal(connections(&a), 1);
}

/* The connection of a rejected packet lives as long as the error about it. */
static void
errors_are_related(void **state)
{
	uint8_t buf[100];
	size_t len;

	(void)state;
	rules(&a, "*filter\n:OUTPUT DROP\n-A FORWARD -j @6\n-A OUTPUT -m @3 -j ACCEPT\n");
	udp_arrives(&a, TEST_ETH0, forward);
	expect_icmp(A_ETH0, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH);
	expect_drop(&a, DROP_REJECT);
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 1), 1);
	assert_int_equal(connections(&a), 0);

	rules(&a, "*filter\n:OUTPUT DROP\n-A FORWARD -p tcp -j @7\n-A OUTPUT -p tcp -m @3 -j "
		  "ACCEPT\n");
	len = test_segment(buf, &(struct test_ip){.src = forward.src, .dst = forward.dst}, 1, 80,
		&(struct test_segment){.flags = SYN, .seq = 5, .win = 100});
	arrive(&a, TEST_ETH0, buf, len);
	test_pkt_free(&tw.t, expect_sent(A_ETH0));
	expect_drop(&a, DROP_REJECT);
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 1), 1);
	assert_int_equal(connections(&a), 0);

	len = test_udp(
		buf, &(struct test_ip){.src = forward.src, .dst = forward.dst, .ttl = 1}, 1, 2, 8);
	rules(&a, "*filter\n:OUTPUT DROP\n-A OUTPUT -p icmp -m @3 -j ACCEPT\n");
	arrive(&a, TEST_ETH0, buf, len);
	expect_icmp(A_ETH0, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL);
	expect_drop(&a, DROP_TTL);
	assert_int_equal(connections(&a), 0);
}

/* About one that lives: it holds what it held before. */
static void
errors_about_an_established_connection(void **state)
{
	(void)state;
	rules(&a, "*filter\n-A OUTPUT -m @3\n-A FORWARD -m @2\n");
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	rules(&a, "*filter\n:OUTPUT DROP\n-A OUTPUT -m @3 -j ACCEPT\n-A FORWARD -j @6\n");
	for (int i = 0; i < 3; i++) {
		udp_arrives(&a, TEST_ETH0, forward);
		expect_icmp(A_ETH0, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH);
		expect_drop(&a, DROP_REJECT);
		assert_int_equal(connections(&a), 1);
		test_walker_pass(
			&tw, 2 * TEST_SECOND); /* so that the limit of errors is not reached */
	}
}

/* An error that a rule drops, or that finds no buffer, lets go of it too. */
static void
errors_that_do_not_leave(void **state)
{
	(void)state;
	rules(&a, "*filter\n-A FORWARD -j @6\n-A OUTPUT -m @3 -j DROP\n");
	udp_arrives(&a, TEST_ETH0, forward);
	assert_int_equal(a.t.live.drops.n[DROP_REJECT], 1);
	assert_int_equal(a.t.live.drops.n[DROP_RULE], 1);
	assert_int_equal(connections(&a), 0);
	tw.t.allocs_left = 0;
	udp_arrives(&a, TEST_ETH0, forward);
	tw.t.allocs_left = UINT32_MAX;
	assert_int_equal(a.t.live.drops.n[DROP_REJECT], 2);
	assert_int_equal(connections(&a), 0);
}

static void
pings_are_answered_as_established(void **state)
{
	uint8_t buf[100];
	size_t len = test_icmp(
		buf, &(struct test_ip){.src = to_a.src, .dst = to_a.dst}, ICMP_ECHO, 0, 5, 1, 8);

	(void)state;
	rules(&a, "*mangle\n-A PREROUTING -j @1\n-A OUTPUT -m @12\n*filter\n:OUTPUT DROP\n-A "
		  "OUTPUT -m @4 -j ACCEPT\n");
	arrive(&a, TEST_ETH0, buf, len);
	expect_icmp(A_ETH0, ICMP_ECHOREPLY, 0);
	assert_int_equal(count(&a, TABLE_FILTER, "OUTPUT", 1), 1);
	assert_int_equal(
		count(&a, TABLE_MANGLE, "OUTPUT", 1), 0); /* the mark was of the question */
	assert_int_equal(connections(&a), 1);
}

/* ---- from router to router, and round by lo ---- */

static void
the_next_router_knows_nothing(void **state)
{
	struct ct_tuple t = {.src = test_addr(to_b.src),
		.dst = test_addr(to_b.dst),
		.sport = htons(1000),
		.dport = htons(2000),
		.proto = IPPROTO_UDP};
	enum ct_dir dir;

	(void)state;
	rules(&a, "*raw\n-A PREROUTING -j @0\n-A PREROUTING -j @9\n*mangle\n-A FORWARD -j "
		  "@1\n*filter\n-A FORWARD -m @2\n");
	rules(&b, "*mangle\n-A PREROUTING -m @12\n*security\n-A FORWARD -m @2\n");
	udp_arrives(&a, TEST_ETH0, to_b);
	expect_udp(B_ETH0);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 1), 1);
	assert_int_equal(count(&b, TABLE_MANGLE, "PREROUTING", 1), 0);
	assert_int_equal(count(&b, TABLE_SECURITY, "FORWARD", 1), 1);
	assert_null(strstr(traced(), "security"));
	assert_non_null(conntrack_find(a.filters.conntrack, tw.w.env.now, &t, 5, &dir));
	assert_null(conntrack_find(a.filters.conntrack, tw.w.env.now, &t, 0, &dir));
	assert_non_null(conntrack_find(b.filters.conntrack, tw.w.env.now, &t, 0, &dir));
	assert_int_equal(connections(&a), 1);
	assert_int_equal(connections(&b), 1);
}

static void
untracked_there_is_new_here(void **state)
{
	(void)state;
	rules(&a, "*raw\n-A PREROUTING -j @8\n*filter\n-A FORWARD -m @5\n-A FORWARD -m @2\n");
	rules(&b, "*filter\n-A FORWARD -m @5\n-A FORWARD -m @2\n");
	udp_arrives(&a, TEST_ETH0, to_b);
	expect_udp(B_ETH0);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 1), 1);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 2), 0);
	assert_int_equal(count(&b, TABLE_FILTER, "FORWARD", 1), 0);
	assert_int_equal(count(&b, TABLE_FILTER, "FORWARD", 2), 1);
	assert_int_equal(connections(&a), 0);
	assert_int_equal(connections(&b), 1);
}

/* Also when a does not track at all. */
static void
a_router_without_rules_before(void **state)
{
	(void)state;
	rules(&b, "*filter\n-A FORWARD -m @2\n-A FORWARD -j @6\n");
	udp_arrives(&a, TEST_ETH0, to_b);
	expect_icmp(A_ETH0, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH);
	expect_drop(&b, DROP_REJECT);
	assert_int_equal(count(&b, TABLE_FILTER, "FORWARD", 1), 1);
	assert_int_equal(connections(&a), 0);
	assert_int_equal(connections(&b), 0);
}

static void
lo_keeps_what_is_known(void **state)
{
	(void)state;
	rules(&a,
		"*raw\n-A OUTPUT -p udp -j @0\n-A OUTPUT -p udp -j @9\n-A PREROUTING -i lo -p udp\n"
		"*mangle\n-A OUTPUT -p udp -j @1\n-A INPUT -p udp -m @12\n*filter\n-A INPUT -p udp "
		"-m @2\n");
	udp_is_sent(to_itself);
	assert_int_equal(count(&a, TABLE_RAW, "PREROUTING", 1), 1);
	assert_int_equal(count(&a, TABLE_MANGLE, "INPUT", 1), 1);
	assert_int_equal(count(&a, TABLE_FILTER, "INPUT", 1), 1);
	assert_non_null(strstr(traced(), "filter:INPUT"));
	assert_int_equal(connections(&a), 1);
}

static void
lo_keeps_untracked(void **state)
{
	(void)state;
	rules(&a, "*raw\n-A OUTPUT -j @8\n*filter\n-A INPUT -p udp -m @5\n-A INPUT -m @2\n");
	udp_is_sent(to_itself);
	assert_int_equal(count(&a, TABLE_FILTER, "INPUT", 1), 1);
	assert_int_equal(count(&a, TABLE_FILTER, "INPUT", 2), 0);
	assert_int_equal(connections(&a), 0);
}

/* ---- every way that filters drop ---- */

static void
dropped_by_rules(void **state)
{
	static const struct {
		const char *rules;
		enum drop_reason why;
	} rows[] = {
		{"*filter\n-A FORWARD -j DROP\n", DROP_RULE},
		{"*raw\n-A PREROUTING -j DROP\n", DROP_RULE},
		{"*security\n-A FORWARD -j DROP\n", DROP_RULE},
		{"*filter\n:FORWARD DROP\n", DROP_POLICY},
		{"*mangle\n:POSTROUTING DROP\n", DROP_POLICY},
		{"*filter\n-A FORWARD -j @10\n", DROP_QUEUE_NOBODY},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		rules(&a, rows[i].rules);
		udp_arrives(&a, TEST_ETH0, forward);
		expect_drop(&a, rows[i].why);
	}
	queue_says = DROP_QUEUE_FULL;
	udp_arrives(&a, TEST_ETH0, forward);
	expect_drop(&a, DROP_QUEUE_FULL);
	ops.queue = NULL;
	udp_arrives(&a, TEST_ETH0, forward);
	expect_drop(&a, DROP_QUEUE_NOBODY);
}

/* Then the packet is through this table, whatever rules follow. */
static void
bypassed_programs(void **state)
{
	(void)state;
	rules(&a, "*filter\n-A FORWARD -j @11\n-A FORWARD -j DROP\n*security\n-A FORWARD\n");
	udp_arrives(&a, TEST_ETH0, forward);
	expect_udp(A_ETH1);
	assert_int_equal(count(&a, TABLE_FILTER, "FORWARD", 2), 0);
	assert_int_equal(count(&a, TABLE_SECURITY, "FORWARD", 1), 1);
	queue_says = DROP_QUEUE_FULL;
	udp_arrives(&a, TEST_ETH0, forward);
	expect_drop(&a, DROP_QUEUE_FULL);
}

static void
malformed_for_a_match(void **state)
{
	uint8_t buf[100];
	size_t len = test_ip4(buf, &(struct test_ip){.src = forward.src, .dst = forward.dst},
		IPPROTO_TCP, "abcd", 4);

	(void)state;
	rules(&a, "*filter\n-A FORWARD -p tcp -m @13 -j ACCEPT\n-A FORWARD -j ACCEPT\n");
	arrive(&a, TEST_ETH0, buf, len);
	expect_drop(&a, DROP_RULE_MALFORMED);
}

static void
udp_from_port(uint16_t sport)
{
	uint8_t buf[100];

	arrive(&a, TEST_ETH0, buf,
		test_udp(buf, &(struct test_ip){.src = forward.src, .dst = forward.dst}, sport, 9,
			8));
}

/* Both connections of UDP have been answered, so that neither makes room. */
static void
answer_to_port(uint16_t dport)
{
	uint8_t buf[100];

	for (int i = 0; i < 2; i++) {
		arrive(&a, TEST_ETH1, buf,
			test_udp(buf, &(struct test_ip){.src = backward.src, .dst = backward.dst},
				9, dport, 8));
		expect_udp(A_ETH0);
		test_walker_pass(&tw, 3 * TEST_SECOND);
		udp_from_port(dport);
		expect_udp(A_ETH1);
	}
}

static void
too_many_connections(void **state)
{
	(void)state;
	rules(&a, "*filter\n-A FORWARD -m @2\n");
	for (uint16_t port = 1; port <= 2; port++) {
		udp_from_port(port);
		expect_udp(A_ETH1);
		answer_to_port(port);
	}
	a.t.r.tunables.value[TUNE_CT_MAX] = 2;
	a.t.r.tunables.value[TUNE_CT_RESERVE] = 0;
	udp_from_port(3);
	expect_drop(&a, DROP_CT_FULL);
	a.t.r.tunables.value[TUNE_CT_MAX] = 100;
	a.t.r.tunables.value[TUNE_CT_MAX_GUEST] = 2;
	udp_from_port(4);
	expect_drop(&a, DROP_CT_GUEST);
	assert_int_equal(connections(&a), 2);
}

/* The first packet of a TCP connection waits for a program, and its sender tries again. */
static void
another_was_first(void **state)
{
	uint8_t buf[100];
	size_t len = test_segment(buf, &(struct test_ip){.src = forward.src, .dst = forward.dst}, 1,
		80, &(struct test_segment){.flags = SYN, .seq = 5, .win = 100});

	(void)state;
	rules(&a, "*filter\n-A FORWARD -m @2 -j @10\n");
	queue_says = DROP_NONE;
	arrive(&a, TEST_ETH0, buf, len);
	rules(&a, "*filter\n-A FORWARD -m @2\n");
	arrive(&a, TEST_ETH0, buf, len);
	test_pkt_free(&tw.t, expect_sent(A_ETH1));
	env_emit(&tw.w.env, queued, ORIGIN_RESUME);
	test_walker_run(&tw);
	expect_drop(&a, DROP_CT_CLASH);
	assert_int_equal(connections(&a), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_TWO(name) cmocka_unit_test_setup_teardown(name, setup_two, teardown_two)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forwarded),
		TEST(answers_pass_without_nat),
		TEST(for_the_router),
		TEST(from_the_router),
		TEST(from_the_router_to_itself),
		TEST(without_tracking),
		TEST(fragments_are_seen_without_tracking),
		TEST(fragments_are_joined_with_tracking),
		TEST(cut_behind_the_rules),
		TEST(a_mark_routes_anew),
		TEST(routed_anew_before_a_program_gets_it),
		TEST(what_is_dropped_leaves_no_connection),
		TEST(errors_are_related),
		TEST(errors_about_an_established_connection),
		TEST(errors_that_do_not_leave),
		TEST(pings_are_answered_as_established),
		TEST_TWO(the_next_router_knows_nothing),
		TEST_TWO(untracked_there_is_new_here),
		TEST_TWO(a_router_without_rules_before),
		TEST(lo_keeps_what_is_known),
		TEST(lo_keeps_untracked),
		TEST(dropped_by_rules),
		TEST(bypassed_programs),
		TEST(malformed_for_a_match),
		TEST(too_many_connections),
		TEST(another_was_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
