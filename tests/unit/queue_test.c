/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that wait for a program. First the queue by itself, with a walker that keeps what is
 *emitted; then a program with the client library, in a thread of its own, and the engine:
 *
 *	g0 ── iucv1 r1 iucv2 ── g1
 */
#include "fabric/engine/queue.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/control/wire.h"
#include "fabric/engine/engine.h"
#include "fabric/engine/placement.h"
#include "fabric/engine/publish.h"
#include "fabric/router/stages.h"
#include "filters/live.h"
#include "filters/ruleset.h"
#include "tests/unit/support/ports.h"
#include "tests/unit/support/routers.h"
#include "tests/unit/support/walkers.h"

/* The library is for programs outside: no floor of ours has it, and it is tested as they build it.
 */
#include "filters/queue_client/rookery_queue.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/eventfd.h>

enum { WAIT_MS = 30000, PACKETS = 300, STAGE = 4 };

static struct test_walker tw;
static struct test_router t;
static struct ruleset rules;
static struct queues *all;
static struct queue *q;
static int notify;

static struct env *
env(void)
{
	return &tw.w.env;
}

static int
setup(void **state)
{
	(void)state;
	test_walker_init(&tw, 1);
	test_router_init(&t);
	rules = (struct ruleset){.serial = 1};
	t.r.rules = &rules;
	all = queues_new();
	notify = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q = queue_open(all, &t.live, 5, QUEUE_DATA_MAX, notify);
	return all && q ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	if (q)
		queue_close(q, env());
	queues_free(all);
	close(notify);
	test_router_fini(&t, &tw.t);
	return (int)test_walker_fini(&tw);
}

static const struct test_ip there = {.src = "10.0.0.5", .dst = "172.16.0.1"};

static struct pkt *
placed(struct pkt *p, enum hook hook)
{
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &t.r;
	p->in = hook == HOOK_OUTPUT ? NULL : &t.ifaces[TEST_ETH0];
	p->out = &t.ifaces[TEST_IUCV0];
	p->hook = (uint8_t)hook;
	p->stage = STAGE;
	return p;
}

static struct pkt *
udp(size_t len)
{
	uint8_t b[4096];

	return placed(test_pkt(&tw.t, b, test_udp(b, &there, 1, 2, len)), HOOK_FORWARD);
}

static void
take(struct pkt *p)
{
	assert_int_equal(queue_take(all, env(), p, 5), DROP_NONE);
}

static bool
notified(void)
{
	eventfd_t n;

	return eventfd_read(notify, &n) == 0;
}

static void
decide(uint64_t id, enum queue_verdict_kind kind)
{
	assert_int_equal(
		queue_decide(q, env(), &(struct queue_verdict){.id = id, .kind = kind}), 0);
}

/* What goes on, now the caller's. */
static struct pkt *
resumed(void)
{
	enum pkt_origin origin;
	struct pkt *p = test_next(&tw.t, &origin);

	if (p)
		assert_int_equal(origin, ORIGIN_RESUME);
	return p;
}

static void
expect_resumed(uint8_t stage)
{
	struct pkt *p = resumed();

	assert_non_null(p);
	assert_ptr_equal(p->router, t.live.now);
	assert_int_equal(p->hook, HOOK_FORWARD);
	assert_int_equal(p->stage, stage);
	test_pkt_free(&tw.t, p);
}

static void
expect_drops(enum drop_reason why, uint64_t n)
{
	assert_int_equal(t.live.drops.n[why], n);
	assert_int_equal(test_drops(&t), n);
	assert_null(resumed());
}

static void
pass(uint64_t ns)
{
	env()->now += ns;
	timers_run(env()->timers, env(), 1000);
}

static void
nobody_listens(void **state)
{
	struct router_live other = {.now = NULL};
	struct pkt *p = udp(10);
	struct queue *q2;

	(void)state;
	assert_int_equal(queue_take(all, env(), p, 6), DROP_QUEUE_NOBODY);
	assert_int_equal(queue_take(all, env(), p, 5 + 64), DROP_QUEUE_NOBODY);
	q2 = queue_open(all, &other, 6, 0, notify);
	assert_int_equal(queue_take(all, env(), p, 6), DROP_QUEUE_NOBODY);
	assert_ptr_equal(p->router, &t.r);
	queue_close(q2, env());
	test_pkt_free(&tw.t, p);
	errno = 0;
	assert_null(queue_open(all, &t.live, 5, 0, notify));
	assert_int_equal(errno, EBUSY);
}

static void
what_the_program_gets(void **state)
{
	static const size_t cut[] = {30, 1};
	struct queue_packet out;
	uint8_t b[2048];
	size_t len = test_udp(b, &there, 1, 2, 1000);
	struct pkt *p = placed(test_chain(&tw.t, b, len, cut, 2), HOOK_FORWARD);

	(void)state;
	assert_false(queue_next(q, &out));
	assert_false(notified());
	p->mark = 7;
	take(p);
	take(placed(test_pkt(&tw.t, b, len), HOOK_OUTPUT));
	assert_true(notified());
	assert_true(queue_next(q, &out));
	assert_int_equal(out.id, 1);
	assert_int_equal(out.len, len);
	assert_int_equal(out.caplen, len);
	assert_memory_equal(out.data, b, len);
	assert_int_equal(out.mark, 7);
	assert_int_equal(out.hook, RULES_FORWARD);
	assert_string_equal(out.in, "eth0");
	assert_string_equal(out.out, "iucv0");
	assert_int_equal(out.gso_size, 0);
	assert_true(queue_next(q, &out));
	assert_int_equal(out.id, 2);
	assert_int_equal(out.hook, RULES_OUTPUT);
	assert_string_equal(out.in, "");
	assert_false(queue_next(q, &out));
	assert_false(notified());
	take(udp(10));
	assert_true(notified());
}

static void
as_much_as_was_asked_for(void **state)
{
	struct queue_packet out;

	(void)state;
	queue_close(q, env());
	q = queue_open(all, &t.live, 5, 20, notify);
	take(udp(100));
	assert_true(queue_next(q, &out));
	assert_int_equal(out.caplen, 20);
	assert_int_equal(out.len, 128);
}

static void
verdicts(void **state)
{
	struct queue *q6 = queue_open(all, &t.live, 6, 0, notify);
	struct queue_packet out;
	struct pkt *p;

	(void)state;
	for (int i = 0; i < 6; i++)
		take(udp(10));
	decide(3, QUEUE_ACCEPT); /* in the order of the program */
	expect_resumed(STAGE);
	decide(1, QUEUE_REPEAT);
	expect_resumed(STAGE - 1);
	decide(2, QUEUE_DROP);
	expect_drops(DROP_QUEUE_VERDICT, 1);
	assert_int_equal(queue_decide(q, env(), &(struct queue_verdict){.id = 2}), -ENOENT);
	assert_int_equal(queue_decide(q, env(), &(struct queue_verdict){.id = 99}), -ENOENT);
	assert_int_equal(
		queue_decide(q, env(),
			&(struct queue_verdict){.id = 4, .set_mark = true, .mark = 0xffffffff}),
		0);
	p = resumed();
	assert_int_equal(p->mark, 0xffffffff);
	assert_ptr_equal(p->in, &t.ifaces[TEST_ETH0]);
	assert_ptr_equal(p->out, &t.ifaces[TEST_IUCV0]);
	test_pkt_free(&tw.t, p);
	assert_int_equal(
		queue_decide(q, env(),
			&(struct queue_verdict){.id = 5, .kind = QUEUE_OTHER, .number = 6}),
		0);
	assert_true(queue_next(q6, &out));
	assert_int_equal(queue_decide(q6, env(), &(struct queue_verdict){.id = out.id}), 0);
	expect_resumed(STAGE);
	assert_int_equal(
		queue_decide(q, env(),
			&(struct queue_verdict){.id = 6, .kind = QUEUE_OTHER, .number = 7}),
		0);
	assert_int_equal(t.live.drops.n[DROP_QUEUE_NOBODY], 1);
	assert_int_equal(test_drops(&t), 2);
	assert_false(queue_next(q, &out));
	queue_close(q6, env());
}

static void
no_more_than_allowed(void **state)
{
	struct pkt *p;

	(void)state;
	t.r.tunables.value[TUNE_QUEUE_MAX] = 3;
	for (int i = 0; i < 3; i++)
		take(udp(10));
	p = udp(10);
	assert_int_equal(queue_take(all, env(), p, 5), DROP_QUEUE_FULL);
	decide(2, QUEUE_ACCEPT);
	expect_resumed(STAGE);
	take(p);
	assert_int_equal(test_drops(&t), 0);
}

static void
no_longer_than_allowed(void **state)
{
	struct queue_packet out;

	(void)state;
	t.r.tunables.value[TUNE_QUEUE_TIME] = 100;
	take(udp(10));
	take(udp(10));
	pass(60 * TEST_MS);
	take(udp(10));
	assert_true(queue_next(q, &out));
	pass(39 * TEST_MS);
	expect_drops(DROP_QUEUE_TIMEOUT, 0);
	pass(1 * TEST_MS);
	expect_drops(DROP_QUEUE_TIMEOUT, 2);
	assert_true(queue_next(q, &out));
	assert_int_equal(out.id, 3);
	decide(3, QUEUE_ACCEPT);
	expect_resumed(STAGE);
	assert_int_equal(timers_next(env()->timers), UINT64_MAX);
}

static void
the_program_ends(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		take(udp(10));
	queue_close(q, env());
	expect_drops(DROP_QUEUE_NOBODY, 3);
	q = NULL;
	assert_int_equal(timers_next(env()->timers), UINT64_MAX);
}

static void
rules_change_meanwhile(void **state)
{
	struct ruleset next = {.serial = 2};
	struct router r = t.r;

	(void)state;
	take(udp(10));
	take(udp(10));
	t.live.now = &r; /* another generation, the same rules */
	decide(1, QUEUE_ACCEPT);
	expect_resumed(STAGE);
	r.rules = &next;
	decide(2, QUEUE_ACCEPT);
	expect_drops(DROP_RULES_CHANGED, 1);
	t.r.rules = NULL;
	t.live.now = &t.r;
	take(udp(10));
	t.live.now = &r;
	decide(3, QUEUE_ACCEPT);
	expect_drops(DROP_RULES_CHANGED, 2);
	t.live.now = &t.r;
}

static void
interfaces_go_meanwhile(void **state)
{
	struct iface *slots[TEST_IFACES], other = t.ifaces[TEST_IUCV0];
	struct iface_live live = {.carrier = true};
	struct router r = t.r;

	(void)state;
	memcpy(slots, t.slots, sizeof(slots));
	r.ifaces = slots;
	take(udp(10));
	take(udp(10));
	take(udp(10));
	slots[TEST_ETH0] = NULL;
	t.live.now = &r;
	decide(1, QUEUE_ACCEPT);
	expect_drops(DROP_IFACE_GONE, 1);
	slots[TEST_ETH0] = t.slots[TEST_ETH0];
	other.live = &live; /* another one in its slot */
	slots[TEST_IUCV0] = &other;
	decide(2, QUEUE_ACCEPT);
	expect_drops(DROP_IFACE_GONE, 2);
	slots[TEST_IUCV0] = t.slots[TEST_IUCV0];
	decide(3, QUEUE_ACCEPT);
	expect_resumed(STAGE);
	t.live.now = &t.r;
}

static void
the_router_goes(void **state)
{
	struct queue_packet out;

	(void)state;
	take(udp(10));
	take(udp(10));
	assert_true(notified());
	assert_false(queue_ended(q));
	queue_router_gone(all, env(), &t.live);
	expect_drops(DROP_IFACE_GONE, 2);
	assert_true(queue_ended(q));
	assert_true(notified());
	assert_false(queue_next(q, &out));
	assert_int_equal(queue_decide(q, env(), &(struct queue_verdict){.id = 1}), -ENOENT);
}

/* ---- new bytes ---- */

static struct pkt *
replaced(struct pkt *p, const void *data, size_t len)
{
	static uint64_t id;
	struct queue_packet out;

	take(p);
	while (queue_next(q, &out))
		id = out.id;
	assert_int_equal(
		queue_decide(q, env(), &(struct queue_verdict){.id = id, .data = data, .len = len}),
		0);
	return resumed();
}

static void
spoil_checksums(uint8_t *b, size_t l4_check)
{
	b[10] ^= 0x55;
	b[l4_check] ^= 0x55;
}

/* The packet has the bytes `want`, whose checksums are right. */
static void
expect_bytes(struct pkt *p, const uint8_t *want, size_t len)
{
	uint8_t got[4096];

	assert_non_null(p);
	assert_int_equal(pkt_len(p), len);
	assert_int_equal(pkt_chain_read(p, 0, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
	assert_int_equal(p->hook, HOOK_FORWARD);
	assert_int_equal(p->stage, STAGE);
	assert_ptr_equal(p->in, &t.ifaces[TEST_ETH0]);
	assert_int_equal(p->mark, 9);
	test_pkt_free(&tw.t, p);
}

static struct pkt *
marked(struct pkt *p)
{
	p->mark = 9;
	return p;
}

static void
new_bytes_are_a_packet(void **state)
{
	static const size_t sizes[] = {0, 1, 500, 1900, 3000};
	uint8_t want[4096], b[4096];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		size_t len = test_udp(want, &there, 1024, 53, sizes[i]);

		memcpy(b, want, len);
		spoil_checksums(b, 26);
		expect_bytes(replaced(marked(udp(100)), b, len), want, len);
		len = test_tcp(want, &there, 1024, 53, sizes[i]);
		memcpy(b, want, len);
		spoil_checksums(b, 36);
		expect_bytes(replaced(marked(udp(100)), b, len), want, len);
		len = test_icmp(want, &there, 8, 0, 1, 2, sizes[i]);
		memcpy(b, want, len);
		spoil_checksums(b, 22);
		expect_bytes(replaced(marked(udp(100)), b, len), want, len);
	}
	assert_int_equal(test_drops(&t), 0);
}

static void
a_checksum_may_be_left_out(void **state)
{
	uint8_t b[256];
	size_t len = test_udp(b, &there, 1024, 53, 20);

	(void)state;
	b[26] = b[27] = 0;
	expect_bytes(replaced(marked(udp(100)), b, len), b, len);
}

/* Its connection and the header of its frame go over. */
static void
new_bytes_keep_what_the_packet_is(void **state)
{
	static const uint8_t frame[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0x99, 8, 0};
	struct pkt *p = udp(10);
	uint8_t b[256];
	size_t len = test_udp(b, &there, 1024, 53, 20);

	(void)state;
	memcpy((uint8_t *)pkt_data(p) - sizeof(frame), frame, sizeof(frame));
	p->l2_len = sizeof(frame);
	p->flags |= PKT_HAS_L2;
	p->ct = 77;
	p = replaced(p, b, len);
	assert_non_null(p);
	assert_int_equal(p->ct, 77);
	assert_true(p->flags & PKT_HAS_L2);
	assert_memory_equal((uint8_t *)pkt_data(p) - sizeof(frame), frame, sizeof(frame));
	assert_int_equal(p->dport, htons(53));
	p->ct = 0;
	test_pkt_free(&tw.t, p);
}

static void
new_bytes_that_are_none(void **state)
{
	uint8_t b[256], six[40] = {[0] = 0x60, [6] = 59 /* nothing follows */};
	size_t len = test_udp(b, &there, 1024, 53, 20);

	(void)state;
	for (size_t n = 1; n < len; n++)
		assert_null(replaced(udp(10), b, n));
	assert_int_equal(t.live.drops.n[DROP_TRUNCATED], len - 1);
	assert_null(replaced(udp(10), six, sizeof(six)));
	assert_int_equal(t.live.drops.n[DROP_IPV6], 1);
	b[0] = 0x44;
	assert_null(replaced(udp(10), b, len));
	assert_int_equal(t.live.drops.n[DROP_IP_HEADER], 1);
	tw.t.allocs_left = 1;
	b[0] = 0x45;
	assert_null(replaced(udp(10), b, 0));
	tw.t.allocs_left = 0;
	assert_null(replaced(udp(10), b, len));
	assert_int_equal(t.live.drops.n[DROP_NO_BUFFER], 1);
}

static struct pkt *
super_packet(size_t payload)
{
	uint8_t b[4096];
	size_t len = test_tcp(b, &there, 1, 2, payload);
	struct pkt *p = test_pkt(&tw.t, b, len);

	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = offsetof(struct tcphdr, check);
	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = 500;
	return placed(p, HOOK_FORWARD);
}

static void
super_packets(void **state)
{
	struct queue_packet out;
	uint8_t b[4096];
	struct pkt *p;

	(void)state;
	take(super_packet(2000));
	assert_true(queue_next(q, &out));
	assert_int_equal(out.gso_size, 500);
	decide(out.id, QUEUE_DROP);
	assert_int_equal(t.live.drops.n[DROP_QUEUE_VERDICT], 4);
	p = replaced(super_packet(2000), b, test_tcp(b, &there, 3, 4, 1500)); /* still one */
	assert_non_null(p);
	assert_int_equal(p->gso_size, 500);
	assert_true(p->flags & PKT_CSUM_PARTIAL);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(pkt_segments(p), 3);
	p->gso_type = PKT_GSO_NONE;
	pkt_checksum_complete(p);
	p->flags = 0;
	assert_true(pkt_l4_checksum_ok(p));
	test_pkt_free(&tw.t, p);
	p = replaced(super_packet(2000), b, test_tcp(b, &there, 3, 4, 500)); /* a segment */
	assert_non_null(p);
	assert_false(pkt_is_gso(p));
	p->flags = 0;
	assert_true(pkt_l4_checksum_ok(p));
	test_pkt_free(&tw.t, p);
}

/* What the device was to finish is finished for the program. */
static void
unfinished_checksums(void **state)
{
	uint8_t want[256], b[256];
	size_t len = test_udp(want, &there, 1, 2, 33);
	const struct iphdr *ip = (const struct iphdr *)want;
	uint16_t sum =
		csum_fold(csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_UDP, (uint16_t)(len - 20)));
	struct queue_packet out;
	struct pkt *p;

	(void)state;
	memcpy(b, want, len);
	memcpy(b + 26, &sum, 2);
	p = test_pkt(&tw.t, b, len);
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = offsetof(struct udphdr, check);
	take(placed(p, HOOK_FORWARD));
	assert_true(queue_next(q, &out));
	assert_memory_equal(out.data, want, len);
}

/* A packet made here is routed again when what it is routed by has changed. */
static void
routed_again(void **state)
{
	static const struct test_ip elsewhere = {.src = "10.0.0.1", .dst = "10.1.0.9"},
				    nowhere = {.src = "10.0.0.1", .dst = "240.0.0.1"};
	uint8_t b[256];
	size_t len = test_udp(b, &there, 1, 2, 10);
	struct pkt *p = replaced(placed(test_pkt(&tw.t, b, len), HOOK_OUTPUT), b, len);

	(void)state;
	assert_ptr_equal(p->out, &t.ifaces[TEST_IUCV0]);
	test_pkt_free(&tw.t, p);
	p = test_pkt(&tw.t, b, len);
	p = replaced(placed(p, HOOK_OUTPUT), b, test_udp(b, &elsewhere, 1, 2, 10));
	assert_ptr_equal(p->out, &t.ifaces[TEST_ETH1]);
	test_pkt_free(&tw.t, p);
	p = test_pkt(&tw.t, b, len);
	test_udp(b, &nowhere, 1, 2, 10);
	fib_free(t.r.fib);
	assert_int_equal(fib_new(NULL, 0, NULL, 0, t.slots, TEST_IFACES, &t.r.fib), 0);
	assert_null(replaced(placed(p, HOOK_OUTPUT), b, len));
	assert_int_equal(t.live.drops.n[DROP_NO_ROUTE], 1);
}

/* ---- what a rule says ---- */

static enum drop_reason
queue_op(struct env *en, struct pkt *p, uint16_t number)
{
	return queue_take(all, en, p, number);
}

/* "-A FORWARD -j NFQUEUE --queue-num 5", with bypass or not, or "-j QUEUE". */
static struct ruleset *
forward_rule(enum rule_action action, uint16_t flags, struct filters_live *live)
{
	struct rules *r = rules_new();
	struct rules_rule rule = {.action = (uint8_t)action};
	struct xt_NFQ_info_v3 info = {.queuenum = 5, .queues_total = 1, .flags = flags};
	struct rules_chain *chain;
	struct ruleset *made;
	char why[256] = "";

	assert_non_null(r);
	rule.src = rule.src_mask = rule.dst = rule.dst_mask = ip4(0);
	if (action == ACTION_TARGET) {
		snprintf(rule.target.name, sizeof(rule.target.name), "NFQUEUE");
		rule.target.revision = 3;
		rule.target.size = XT_ALIGN(sizeof(info));
		rule.target.data = rules_alloc(r, rule.target.size);
		assert_non_null(rule.target.data);
		memcpy(rule.target.data, &info, sizeof(info));
	}
	assert_non_null(rules_table(r, TABLE_FILTER));
	chain = rules_chain(&r->tables[TABLE_FILTER], "FORWARD");
	assert_int_equal(rules_rule_insert(r, chain, 0, &rule), 0);
	made = ruleset_new(r, &t.r, live, NULL, why, sizeof(why));
	if (!made)
		fail_msg("%s", why);
	return made;
}

static const struct {
	enum rule_action action;
	uint16_t flags;
	bool listens, full;
	enum verdict verdict;
	enum drop_reason why;
} by_rule[] = {
	{ACTION_TARGET, 0, true, false, VERDICT_STOLEN, DROP_NONE},
	{ACTION_TARGET, 0, true, true, VERDICT_DROP, DROP_QUEUE_FULL},
	{ACTION_TARGET, 0, false, false, VERDICT_DROP, DROP_QUEUE_NOBODY},
	{ACTION_TARGET, NFQ_FLAG_BYPASS, true, false, VERDICT_STOLEN, DROP_NONE},
	{ACTION_TARGET, NFQ_FLAG_BYPASS, true, true, VERDICT_DROP, DROP_QUEUE_FULL},
	{ACTION_TARGET, NFQ_FLAG_BYPASS, false, false, VERDICT_ACCEPT, DROP_NONE},
	{ACTION_QUEUE, 0, true, false, VERDICT_DROP, DROP_QUEUE_NOBODY}, /* number 0 */
};

static void
what_a_rule_says(void **state)
{
	struct filters_live *live = filters_live_new();
	const struct env_ops *was = env()->ops;
	struct env_ops ops = *was;

	(void)state;
	assert_non_null(live);
	t.live.filters = live;
	ops.queue = queue_op;
	env()->ops = &ops;
	for (size_t i = 0; i < RTE_DIM(by_rule); i++) {
		struct ruleset *rs = forward_rule(by_rule[i].action, by_rule[i].flags, live);
		struct step s = {.p = udp(10)};

		t.r.rules = rs;
		t.r.tunables.value[TUNE_QUEUE_MAX] = by_rule[i].full ? 0 : 100;
		if (!by_rule[i].listens) {
			queue_close(q, env());
			q = NULL;
		} else if (!q) {
			q = queue_open(all, &t.live, 5, 0, notify);
		}
		assert_int_equal(filter_filter(&tw.w, &s), by_rule[i].verdict);
		if (by_rule[i].verdict == VERDICT_DROP)
			assert_int_equal(s.why, by_rule[i].why);
		if (by_rule[i].verdict != VERDICT_STOLEN)
			test_pkt_free(&tw.t, s.p);
		t.r.rules = &rules;
		ruleset_free(rs);
	}
	queue_close(q, env());
	q = NULL;
	env()->ops = was;
	t.live.filters = NULL;
	filters_live_end(live, env());
	filters_live_free(live);
}

/* ---- against a naive twin ---- */

struct twin {
	uint64_t id, expires;
};

static void
random_life(void **state)
{
	static struct twin twins[64];
	uint64_t seed = test_seed(), last = 0, lost = 0;
	unsigned n = 0;

	(void)state;
	env()->random = seed | 1;
	t.r.tunables.value[TUNE_QUEUE_MAX] = 50;
	for (int i = 0; i < 20000; i++) {
		uint32_t what = env_random(env()) % 4, at;

		if (what < 2) {
			struct pkt *p = udp(1);
			enum drop_reason why = queue_take(all, env(), p, 5);

			assert_int_equal(why, n == 50 ? DROP_QUEUE_FULL : DROP_NONE);
			if (why == DROP_NONE)
				twins[n++] = (struct twin){++last, env()->now + 2000 * TEST_MS};
			else
				test_pkt_free(&tw.t, p);
		} else if (what == 2 && n) {
			at = env_random(env()) % n;
			decide(twins[at].id, QUEUE_ACCEPT);
			expect_resumed(STAGE);
			memmove(&twins[at], &twins[at + 1], (--n - at) * sizeof(twins[0]));
		} else {
			pass(env_random(env()) % 200 * TEST_MS);
			for (at = 0; at < n && twins[at].expires <= env()->now; at++)
				lost++;
			n -= at;
			memmove(&twins[0], &twins[at], n * sizeof(twins[0]));
			assert_int_equal(t.live.drops.n[DROP_QUEUE_TIMEOUT], lost);
		}
	}
	assert_true(lost > 0);
}

/* ---- a program and the engine ---- */

static struct engine e;
static char socket_at[64];

static const char fabric_text[] =
	"fabric: test\n"
	"routers:\n"
	"  r1:\n"
	"    forward: true\n"
	"    interfaces:\n"
	"      iucv1: {iucv: g0, address: 10.0.0.1}\n"
	"      iucv2: {iucv: g1, address: 10.1.0.1}\n"
	"guests:\n"
	"  g0: {simulated: true, interfaces: {iucv0: {iucv: r1, address: 10.0.0.2}}}\n"
	"  g1: {simulated: true, interfaces: {iucv0: {iucv: r1, address: 10.1.0.2}}}\n";

static int
setup_engine(void **state)
{
	struct offers none = {0};
	struct cfg_errors errors;
	struct config *c;
	char why[256];

	(void)state;
	if (!ports_eal() || engine_init(&e, 1, 4096) < 0 || engine_start(&e) < 0)
		return -1;
	if (config_read(fabric_text, strlen(fabric_text), "test", &c, &errors) < 0)
		return -1;
	cfg_errors_free(&errors);
	all = queues_new();
	snprintf(socket_at, sizeof(socket_at), "/tmp/queue-test-%d.sock", (int)getpid());
	return all ? publish(&e, c, NULL, 1, &none, why, sizeof(why)) : -1;
}

static int
teardown_engine(void **state)
{
	unsigned left;

	(void)state;
	queues_free(all);
	unlink(socket_at);
	for (unsigned i = 0; i < e.n_workers; i++)
		worker_stop(&e.workers[i]);
	publish_nothing(&e);
	left = ports_in_use(&e.pools);
	for (unsigned i = 0; i < e.n_workers; i++)
		left -= e.workers[i].queued;
	publish_empty(&e);
	engine_fini(&e);
	return (int)left;
}

/* The program: lets pass what ends in an even byte; sends every tenth packet of those to port 8. */
static void *
program(void *arg)
{
	struct rookery_packet p;
	struct rookery_queue *rq;
	uint8_t b[2048];
	char why[256];
	int *rc = arg;

	rq = rookery_queue_open(socket_at, "r1", 5, why, sizeof(why));
	if (!rq)
		return NULL;
	while ((*rc = rookery_queue_next(rq, &p, WAIT_MS)) > 0) {
		bool even = p.data_len && p.data[p.data_len - 1] % 2 == 0;

		memcpy(b, p.data, p.data_len);
		b[23] = 8;
		if (strcmp(p.hook, "PREROUTING") != 0 || strcmp(p.in, "iucv1") != 0 ||
			p.data_len != p.len)
			break;
		if (even && p.id % 10 == 0)
			rookery_queue_answer(
				rq, &(struct rookery_answer){
					    .id = p.id, .data = b, .data_len = p.data_len});
		else
			rookery_queue_verdict(rq, p.id, even ? ROOKERY_ACCEPT : ROOKERY_DROP);
	}
	rookery_queue_close(rq);
	return rq;
}

static const struct router *
r1(void)
{
	return placed_node(e.placement, "r1")->live->now;
}

/* Packets that came from g0, at the beginning of PREROUTING: the way goes on with its first stage.
 */
static void
inject(unsigned n)
{
	static const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2"};
	struct env *en = &e.control.walker.env;
	uint8_t b[256];

	slow_lock(&e.control);
	for (unsigned i = 0; i < n; i++) {
		size_t len = test_udp(b, &ip, 1000, 9, i % 2 + 1);
		struct pkt *p = env_pkt_new(en, (uint32_t)len);

		assert_non_null(p);
		memcpy(pkt_data(p), b, len);
		assert_int_equal(pkt_parse(p), DROP_NONE);
		p->router = r1();
		p->in = router_iface_named(r1(), "iucv1");
		p->hook = HOOK_PREROUTING;
		p->stage = UINT8_MAX;
		assert_int_equal(queue_take(all, en, p, 5), DROP_NONE);
	}
	slow_unlock(&e.control);
}

static void
send_packets(struct wire *w, struct queue *queue)
{
	json_t *msg;

	while ((msg = queue_message(queue, &e))) {
		assert_int_equal(wire_send(w, msg, NULL, 0), 0);
		json_decref(msg);
	}
}

/* What client.c does for a program, until `verdicts` have come. */
static void
serve_program(struct wire *w, struct queue *queue, unsigned n)
{
	struct pollfd fds[] = {
		{.fd = w->fd, .events = POLLIN}, {.fd = e.control.wake_fd, .events = POLLIN}};
	eventfd_t count;
	json_t *msg;

	while (n) {
		assert_true(poll(fds, 2, WAIT_MS) > 0);
		if (fds[1].revents) {
			eventfd_read(e.control.wake_fd, &count);
			send_packets(w, queue);
		}
		if (fds[0].revents) {
			assert_int_equal(wire_wait(w, &msg, NULL, NULL, WAIT_MS), 0);
			assert_null(queue_verdict(queue, &e, msg));
			json_decref(msg);
			n--;
		}
	}
}

static struct queue *
accept_program(struct wire *w, int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	struct queue *queue;
	json_t *msg, *answer;

	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
	wire_init(w, wire_accept(listener));
	assert_int_equal(wire_wait(w, &msg, NULL, NULL, WAIT_MS), 0);
	assert_string_equal(json_string_value(json_object_get(msg, "op")), "queue");
	assert_string_equal(json_string_value(json_object_get(msg, "node")), "r1");
	answer = queue_bind(&e, all, r1(), msg, &queue);
	assert_non_null(queue);
	assert_int_equal(wire_send(w, answer, NULL, 0), 0);
	json_decref(answer);
	json_decref(msg);
	return queue;
}

/* Deliveries to g1, once everything that was accepted is there. */
static void
expect_delivered(uint64_t n)
{
	uint32_t port = placed_node(e.placement, "g1")->ifaces[0].port;
	uint64_t sent;

	slow_lock(&e.control);
	sent = e.ports[port]->count.tx_packets;
	slow_unlock(&e.control);
	assert_int_equal(sent, n);
}

static void
a_program_decides(void **state)
{
	struct queue *queue;
	pthread_t thread;
	struct wire w;
	void *opened;
	int listener = wire_listen(socket_at), rc = 1;

	(void)state;
	assert_true(listener >= 0);
	assert_int_equal(pthread_create(&thread, NULL, program, &rc), 0);
	queue = accept_program(&w, listener);
	inject(PACKETS);
	serve_program(&w, queue, PACKETS);
	expect_delivered(PACKETS / 2);
	assert_int_equal(r1()->live->drops.n[DROP_QUEUE_VERDICT], PACKETS / 2);
	wire_fini(&w);
	assert_int_equal(pthread_join(thread, &opened), 0);
	assert_non_null(opened);
	assert_int_equal(rc, -EPIPE);
	queue_unbind(queue, &e);
	close(listener);
}

static const struct {
	const char *request, *error;
} requests[] = {
	{"{'op':'queue','node':'r1'}", "the number of a queue is 0 to 65535"},
	{"{'op':'queue','node':'r1','number':65536}", "the number of a queue is 0 to 65535"},
	{"{'op':'queue','node':'r1','number':-1}", "the number of a queue is 0 to 65535"},
	{"{'op':'queue','node':'r1','number':1,'copy':-1}", "copy is a number of bytes"},
	{"{'op':'queue','node':'r1','number':5}", "queue 5 of r1 has a program already"},
};

static const struct {
	const char *verdict, *error;
} wrong[] = {
	{"{'op':'verdict','verdict':'accept'}", "a verdict without the id of a packet"},
	{"{'op':'verdict','id':1}", "a verdict is accept, drop, repeat or queue"},
	{"{'op':'verdict','id':1,'verdict':'pass'}", "a verdict is accept, drop, repeat or queue"},
	{"{'op':'verdict','id':1,'verdict':'queue'}", "the number of a queue is 0 to 65535"},
	{"{'op':'verdict','id':1,'verdict':'accept','mark':4294967296}",
		"a mark is a number of 32 bits"},
	{"{'op':'verdict','id':1,'verdict':'accept','data':'x'}",
		"data is a packet in base64, of at most 65535 bytes"},
	{"{'op':'verdict','id':1,'verdict':'accept','data':''}",
		"data is a packet in base64, of at most 65535 bytes"},
	{"{'op':'verdict','id':1,'verdict':'accept','data':7}",
		"data is a packet in base64, of at most 65535 bytes"},
};

/* A message written with ' for ". */
static json_t *
message(const char *text)
{
	char b[256];
	json_t *msg;

	snprintf(b, sizeof(b), "%s", text);
	for (char *c = b; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	msg = json_loads(b, 0, NULL);
	assert_non_null(msg);
	return msg;
}

static void
expect_error(json_t *answer, const char *error)
{
	assert_non_null(answer);
	assert_string_equal(json_string_value(json_object_get(answer, "error")), error);
	json_decref(answer);
}

static void
nonsense_is_refused(void **state)
{
	json_t *msg = message("{'op':'queue','node':'r1','number':5}"), *answer;
	struct queue *queue, *other;

	(void)state;
	answer = queue_bind(&e, all, r1(), msg, &queue);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	expect_error(queue_bind(&e, all, NULL, msg, &other), "there is no such router");
	json_decref(msg);
	for (size_t i = 0; i < RTE_DIM(requests); i++) {
		msg = message(requests[i].request);
		expect_error(queue_bind(&e, all, r1(), msg, &other), requests[i].error);
		assert_null(other);
		json_decref(msg);
	}
	for (size_t i = 0; i < RTE_DIM(wrong); i++) {
		msg = message(wrong[i].verdict);
		expect_error(queue_verdict(queue, &e, msg), wrong[i].error);
		json_decref(msg);
	}
	msg = message("{'op':'verdict','id':1,'verdict':'accept'}"); /* too late is not wrong */
	assert_null(queue_verdict(queue, &e, msg));
	json_decref(msg);
	queue_unbind(queue, &e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_program_gets, setup, teardown),
		cmocka_unit_test_setup_teardown(as_much_as_was_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_than_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(no_longer_than_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_program_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(rules_change_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(interfaces_go_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(the_router_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(new_bytes_are_a_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(a_checksum_may_be_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(new_bytes_keep_what_the_packet_is, setup, teardown),
		cmocka_unit_test_setup_teardown(new_bytes_that_are_none, setup, teardown),
		cmocka_unit_test_setup_teardown(super_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(unfinished_checksums, setup, teardown),
		cmocka_unit_test_setup_teardown(routed_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_rule_says, setup, teardown),
		cmocka_unit_test_setup_teardown(random_life, setup, teardown),
		cmocka_unit_test_setup_teardown(a_program_decides, setup_engine, teardown_engine),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, setup_engine, teardown_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
