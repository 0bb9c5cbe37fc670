/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path cache against its own absence: the same flows, rules and events go through two rows of routers, one with and one without
 * it. Every packet that comes out, every counter, rule and connection must be the same.
 *
 *	PATH_TEST_PACKETS=N: of each kind of journey, instead of a few ten thousand
 *	PATH_TEST_EXPIRY=1: connections end on the way, too. Then which translation a later one gets may hang on when the record of one
 *	that has ended went, which the cache may put off; so only seeds that are known tell of a fault.
 */
#include "fabric/engine/path_private.h"

#include "tests/unit/support/journey.h"
#include "tests/unit/support/talk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_DSCP.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ipt_TTL.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIGHT_RULESETS = 5 /* those of which every packet may have a path */, ROUND = 5000 /* packets through one topology */ };

/* Options as rules have them: padded. */
#define OPTIONS(type, name, ...)                                                                   \
	static const union {                                                                       \
		struct type options;                                                               \
		uint8_t padded[XT_ALIGN(sizeof(struct type))];                                     \
	} name = {.options = {__VA_ARGS__}}

OPTIONS(xt_conntrack_mtinfo3, established, .match_flags = XT_CONNTRACK_STATE,
	.state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) | XT_CONNTRACK_STATE_BIT(IP_CT_RELATED));
OPTIONS(xt_conntrack_mtinfo3, invalid, .match_flags = XT_CONNTRACK_STATE, .state_mask = XT_CONNTRACK_STATE_INVALID);
OPTIONS(xt_mark_tginfo2, set_mark, .mark = 7, .mask = ~0u);
OPTIONS(xt_mark_mtinfo1, is_marked, .mark = 7, .mask = ~0u);
OPTIONS(xt_connmark_tginfo1, save_mark, .ctmask = ~0u, .nfmask = ~0u, .mode = XT_CONNMARK_SAVE);
OPTIONS(xt_length_info, is_short, .min = 0, .max = 100);
/* struct ipt_ttl_info: its header and that of the target shut each other out */
struct ttl_info {
	uint8_t mode, ttl;
};
OPTIONS(ttl_info, is_near, .mode = 3, .ttl = 60); /* above */
OPTIONS(ipt_TTL_info, one_more, .mode = IPT_TTL_INC, .ttl = 1);
OPTIONS(xt_DSCP_info, set_dscp, .dscp = 10);
OPTIONS(xt_rateinfo, one_a_second, .avg = XT_LIMIT_SCALE, .burst = 5);
OPTIONS(xt_tcp, is_syn, .spts = {0, 65535}, .dpts = {0, 65535}, .flg_mask = 0x17, .flg_cmp = 2);
OPTIONS(xt_tcp, is_pushed, .spts = {0, 65535}, .dpts = {0, 65535}, .flg_mask = 8, .flg_cmp = 8);

OPTIONS(xt_ct_target_info_v1, in_zone, .zone = 5);
OPTIONS(xt_ct_target_info_v1, notrack, .flags = XT_CT_NOTRACK);

enum {
	ESTABLISHED, INVALID, SET_MARK, IS_MARKED, SAVE_MARK, IS_SHORT, IS_NEAR, ONE_MORE, SET_DSCP, LIMIT, IS_SYN, IS_PUSHED, SNAT, DNAT,
	IN_ZONE, NOTRACK, EXTS
};

static union {
	struct nf_nat_ipv4_multi_range_compat mr;
	uint8_t padded[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
} snat, dnat;
static struct test_ext exts[EXTS] = {
	[ESTABLISHED] = {"conntrack", 3, &established, sizeof(established)},
	[INVALID] = {"conntrack", 3, &invalid, sizeof(invalid)},
	[SET_MARK] = {"MARK", 2, &set_mark, sizeof(set_mark)},
	[IS_MARKED] = {"mark", 1, &is_marked, sizeof(is_marked)},
	[SAVE_MARK] = {"CONNMARK", 1, &save_mark, sizeof(save_mark)},
	[IS_SHORT] = {"length", 0, &is_short, sizeof(is_short)},
	[IS_NEAR] = {"ttl", 0, &is_near, sizeof(is_near)},
	[ONE_MORE] = {"TTL", 0, &one_more, sizeof(one_more)},
	[SET_DSCP] = {"DSCP", 0, &set_dscp, sizeof(set_dscp)},
	[LIMIT] = {"limit", 0, &one_a_second, sizeof(one_a_second)},
	[IS_SYN] = {"tcp", 0, &is_syn, sizeof(is_syn)},
	[IS_PUSHED] = {"tcp", 0, &is_pushed, sizeof(is_pushed)},
	[SNAT] = {"SNAT", 0, &snat, sizeof(snat)},
	[DNAT] = {"DNAT", 0, &dnat, sizeof(dnat)},
	[IN_ZONE] = {"CT", 1, &in_zone, sizeof(in_zone)},
	[NOTRACK] = {"CT", 1, &notrack, sizeof(notrack)},
};

/* One of them for each router, the first ones more often; the numbers are those of `exts`. */
static const char *const rulesets[] = {
	"*filter\n:FORWARD DROP\n-A FORWARD -m @0 -j ACCEPT\n-A FORWARD -m @1 -j DROP\n-A FORWARD -i eth0 -j ACCEPT",
	"*filter\n:FORWARD ACCEPT\n-A FORWARD -p tcp -m @10\n-A FORWARD -p udp -j u\n:u -\n-A u -m @0\n-A u -j ACCEPT",
	"*nat\n-A POSTROUTING -s 10.0.0.0/8 -j @12\n*filter\n:FORWARD DROP\n-A FORWARD -m @0 -j ACCEPT\n-A FORWARD -i eth0 -j ACCEPT",
	"*nat\n-A PREROUTING -d 99.0.0.1 -p tcp -j @13\n",
	NULL,
	"*mangle\n-A PREROUTING -j @2\n-A FORWARD -m @3\n-A POSTROUTING -j @4\n*filter\n-A FORWARD -m @1 -j DROP",
	"*mangle\n-A FORWARD -m @5\n-A FORWARD -p udp -m @6\n-A POSTROUTING -p tcp -j @8",
	"*mangle\n-A PREROUTING -p udp -j @7\n*filter\n-A FORWARD -p tcp -m @0 -j ACCEPT",
	"*filter\n-A FORWARD -p udp -m @9\n-A FORWARD -p tcp -m @11\n-A FORWARD -m @0",
	"*raw\n-A PREROUTING -p tcp -j @14\n-A PREROUTING -p udp -j @15\n*filter\n-A FORWARD -m @0 -j ACCEPT\n-A FORWARD -m @1 -j DROP",
};

static struct talk talk;
static struct journey with, without;
static struct journey_shape shape;
static uint8_t gateway; /* last byte of its MAC address */
static unsigned silent; /* times that it does not answer */

static uint32_t
pick(uint32_t n)
{
	return talk_pick(&talk, n);
}

static const char *
any_rules(void)
{
	return rulesets[pick(pick(talk.calm ? 40 : 4) ? LIGHT_RULESETS : sizeof(rulesets) / sizeof(*rulesets))];
}

static struct pkt *
packet(struct journey *j, const struct talk_wire *w)
{
	/* behind two bytes, so that the IP header is aligned, as ports see to it */
	uint8_t frame[sizeof(w->buf) + 16] = {0, 0, 2, 0, 0, 0, 0, w->stray ? 99 : TEST_ETH0, 2, 10, 0, 0, 0, 254, 8, 0};
	bool framed = j->shape.frames && !w->right;
	struct pkt *p;

	memcpy(frame + 16, w->buf, w->len);
	p = test_pkt(&j->tw.t, framed ? frame : w->buf, framed ? w->len + 16 : w->len);
	if (framed)
		rte_pktmbuf_adj(pkt_mbuf(p), 2);
	p->l2_len = framed ? 14 : 0;
	if (w->partial) {
		p->flags |= PKT_CSUM_PARTIAL;
		p->csum_start = 20;
		p->csum_offset = w->buf[9] == IPPROTO_TCP ? 16 : 6;
	} else if (w->vouched) {
		p->flags |= PKT_CSUM_VALID;
	}
	if (w->gso) {
		p->gso_type = PKT_GSO_TCP4;
		p->gso_size = w->gso;
	}
	return p;
}

/* Both rows say the same, byte by byte. */
static void
compare_sent(void)
{
	for (;;) {
		uint32_t a_port = 0, b_port = 0;
		struct pkt *a = test_sent(&with.tw, &a_port), *b = test_sent(&without.tw, &b_port);
		const uint16_t told = PKT_CSUM_PARTIAL | PKT_CSUM_VALID;

		assert_int_equal(a != NULL, b != NULL);
		if (!a)
			break;
		assert_int_equal(a_port, b_port);
		assert_int_equal(pkt_len(a), pkt_len(b));
		assert_int_equal(pkt_head_len(a), pkt_head_len(b));
		assert_memory_equal(pkt_data(a), pkt_data(b), pkt_head_len(a));
		assert_int_equal(a->flags & told, b->flags & told);
		assert_int_equal(a->l2_len, b->l2_len);
		assert_int_equal(a->gso_size, b->gso_size);
		assert_true(a->ct == 0 && a->recorder == NULL);
		if (a_port != JOURNEY_LAN)
			talk_learn(&talk, a, a_port == JOURNEY_RIGHT);
		test_pkt_free(&with.tw.t, a);
		test_pkt_free(&without.tw.t, b);
	}
	talk_lost(&talk);
}

/* A frame behind two bytes, so that what it carries is aligned. */
static void
receive(uint32_t port, const uint8_t *data, size_t len)
{
	struct journey *rows[] = {&with, &without};

	for (unsigned i = 0; i < 2; i++) {
		struct pkt *p = test_pkt(&rows[i]->tw.t, data, len);

		rte_pktmbuf_adj(pkt_mbuf(p), 2);
		p->l2_len = 14;
		journey_burst(rows[i], port, &p, 1);
	}
}

/* The gateway answers, so that nobody waits; at times another machine has taken its place, or it says nothing for a while. */
static void
answer_arp(void)
{
	uint8_t reply[] = {0, 0, 2, 0, 0, 0, 0, TEST_ETH0, 2, 10, 0, 0, 0, 254, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 10, 0, 0, 0, 254, 10, 0, 0,
			254, 2, 0, 0, 0, 0, TEST_ETH0, 10, 0, 0, 1};

	if (pick(100) == 0)
		gateway ^= 1;
	if (pick(100) == 0)
		silent = pick(20);
	if (silent) {
		silent--;
		return;
	}
	reply[13] = reply[29] = gateway;
	receive(JOURNEY_LEFT, reply, sizeof(reply));
}

/* On the LAN somebody takes the address of a router's interface, until that one sends again. */
static void
move_mac(unsigned which)
{
	const uint8_t frame[] = {0, 0, 2, 0, 0, 0, 0, 77, 2, 0, 0, 0, 0, which ? TEST_ETH0 : TEST_IUCV0, 0x88, 0xb5, 0, 0};

	receive(JOURNEY_LAN, frame, sizeof(frame));
}

static void
forget_member(unsigned which)
{
	struct journey *rows[] = {&with, &without};

	for (unsigned i = 0; i < 2; i++) {
		lan_forget(rows[i]->lan.live, which);
		version_bump(&rows[i]->tw.t.epoch, lan_version(rows[i]->lan.live));
	}
}

static void
burst(void)
{
	struct pkt *a[PATH_BURST], *b[PATH_BURST];
	uint32_t port = 0;
	unsigned n = 0, want = 1 + pick(32), tries = 0;
	static struct talk_wire w;

	while (n < want && tries++ < 4 * want) {
		uint32_t from;

		if (!talk_say(&talk, &w))
			continue;
		from = w.right ? JOURNEY_RIGHT : JOURNEY_LEFT;
		if (n > 0 && from != port) { /* a burst is of one port */
			journey_burst(&with, port, a, n);
			journey_burst(&without, port, b, n);
			compare_sent();
			n = 0;
		}
		port = from;
		a[n] = packet(&with, &w);
		b[n++] = packet(&without, &w);
	}
	if (n) {
		journey_burst(&with, port, a, n);
		journey_burst(&without, port, b, n);
	}
	compare_sent();
}

static void
pass(uint64_t ms)
{
	test_walker_pass(&with.tw, ms << 20);
	test_walker_pass(&without.tw, ms << 20);
}

/* The same of both rows: records may lie elsewhere. */
static void
delete_one(unsigned at, uint32_t which)
{
	struct conntrack *ct = without.sides[at].filters.conntrack, *other = with.sides[at].filters.conntrack;
	uint32_t i = ct->used > 1 ? 1 + which % (ct->used - 1) : 0;
	struct conn *c = conn_at(ct, i), *twin;
	enum ct_dir dir;

	if (!i || !c->refs || !ct_confirmed(c) || c->status & CT_DYING || conn_expired(ct, c, without.tw.w.env.now))
		return;
	twin = conntrack_find(other, with.tw.w.env.now, &c->tuple[CT_DIR_REPLY], c->zone, &dir);
	assert_non_null(twin);
	conntrack_delete(&with.tw.w.env, other, twin);
	conntrack_delete(&without.tw.w.env, ct, c);
}

static void
exchange_rules(unsigned at)
{
	const char *text = any_rules();

	journey_rules(&with, at, text, exts);
	journey_rules(&without, at, text, exts);
}

static void
flap(unsigned at)
{
	journey_carrier(&with, at, false);
	journey_carrier(&without, at, false);
	burst();
	journey_carrier(&with, at, true);
	journey_carrier(&without, at, true);
}

static void
capture_for_a_while(unsigned at)
{
	uint16_t iface = pick(2) ? TEST_ETH0 : TEST_IUCV0;

	journey_capture(&with, at, iface, true);
	journey_capture(&without, at, iface, true);
	burst();
	journey_capture(&with, at, iface, false);
	journey_capture(&without, at, iface, false);
}

/* Timeouts of connections come first: they are so short that some end on the way. */
static void
tune_one(unsigned at)
{
	static const struct {
		enum tunable_id id;
		int64_t least, most;
	} rows[] = {
			{TUNE_CT_UDP, 9, 20}, {TUNE_CT_UDP_STREAM, 9, 40}, {TUNE_CT_TCP_ESTABLISHED, 9, 60}, {TUNE_CT_TCP_UNACK, 9, 40},
			{TUNE_CT_TCP_RETRANS, 9, 40}, {TUNE_CT_TCP_MAX_RETRANS, 1, 3}, {TUNE_CT_TCP_BE_LIBERAL, 0, 1},
			{TUNE_CT_CHECKSUM, 0, 1}, {TUNE_CT_ACCT, 0, 1}, {TUNE_CT_TRACKING, 0, 1}, {TUNE_ARP_REACHABLE_TIME, 500, 10000},
			{TUNE_CT_TCP_LOOSE, 0, 1},
	};
	static const unsigned timeouts = 5;
	unsigned skip = getenv("PATH_TEST_EXPIRY") ? 0 : timeouts, i = skip + pick((uint32_t)(sizeof(rows) / sizeof(*rows)) - skip);
	int64_t value = rows[i].least + pick((uint32_t)(rows[i].most - rows[i].least + 1));

	journey_tune(&with, at, rows[i].id, value);
	journey_tune(&without, at, rows[i].id, value);
}

static void
happen(void)
{
	unsigned at = pick(shape.routers), which = pick(1u << 30);

	switch (pick(talk.calm ? 1000 : 200)) {
	case 0:
	case 13:
		exchange_rules(at);
		break;
	case 2:
		flap(at);
		break;
	case 3:
		delete_one(at, which);
		break;
	case 4:
		pass(pick(20000));
		break;
	case 5 ... 7:
		pass(pick(2500));
		break;
	case 8 ... 10:
		journey_compare(&with, &without);
		break;
	case 11:
		capture_for_a_while(at);
		break;
	case 12:
		tune_one(at);
		break;
	case 14:
		paths_credit(&with.paths);
		break;
	case 15:
		if (which % 4 == 0)
			paths_flush(&with.paths);
		break;
	case 16:
		if (with.shape.lan)
			move_mac(which % 2);
		break;
	case 17:
		if (with.shape.lan)
			forget_member(which % 2);
		break;
	default:
		pass(pick(4) ? 1 : pick(50));
	}
	if (shape.frames)
		answer_arp();
	compare_sent();
}

static unsigned long
packets_wanted(void)
{
	const char *text = getenv("PATH_TEST_PACKETS");

	return text ? strtoul(text, NULL, 10) : 60000;
}

static void
begin_round(bool frames, bool lan)
{
	static const uint32_t mtus[] = {1492, 1492, 1492, 1492, 1492, 1492, 1400, 1000, 576};

	shape = (struct journey_shape){.routers = (lan ? 2 : 1) + pick(lan ? 3 : 4), .frames = frames, .lan = lan};
	for (unsigned i = 0; i < shape.routers; i++)
		shape.mtu[i] = mtus[pick(sizeof(mtus) / sizeof(*mtus))];
	talk.calm = pick(7);
	talk_restart(&talk, pick(4) ? 24 : TALK_FLOWS);
	journey_build(&with, &shape, 1 + pick(2), pick(4) ? 4096 : 64);
	journey_build(&without, &shape, 0, 0);
	gateway = 254;
	silent = 0;
	for (unsigned i = 0; i < shape.routers; i++) {
		exchange_rules(i);
		for (unsigned k = pick(3) ? 0 : pick(5); k > 0; k--)
			tune_one(i);
	}
}

/* Adds to what all rounds have counted. */
static void
end_round(struct path_stats *sum)
{
	struct path_stats s;

	journey_compare(&with, &without);
	paths_stats(&with.paths, &s);
	sum->hits += s.hits;
	sum->misses += s.misses;
	sum->installed += s.installed;
	sum->evicted += s.evicted;
	assert_int_equal(journey_fini(&with), 0);
	assert_int_equal(journey_fini(&without), 0);
}

static void
random_journeys(bool frames, bool lan)
{
	struct path_stats sum = {0}, s;
	unsigned rounds = 0;

	for (talk.seed = test_seed() | 1; sum.hits + sum.misses < packets_wanted(); rounds++) {
		begin_round(frames, lan);
		do {
			burst();
			happen();
			paths_stats(&with.paths, &s);
		} while (s.hits + s.misses < ROUND);
		end_round(&sum);
	}
	printf("  %u topologies, %llu packets: %.1f %% hits, %llu paths, %llu of them evicted\n", rounds,
			(unsigned long long)(sum.hits + sum.misses), 100.0 * (double)sum.hits / (double)(sum.hits + sum.misses),
			(unsigned long long)sum.installed, (unsigned long long)sum.evicted);
}

static void
journeys_of_packets(void **state)
{
	(void)state;
	random_journeys(false, false);
}

static void
journeys_of_frames(void **state)
{
	(void)state;
	random_journeys(true, false);
}

static void
journeys_over_a_lan(void **state)
{
	(void)state;
	random_journeys(true, true);
}

static int
setup(void **state)
{
	(void)state;
	snat.mr = (struct nf_nat_ipv4_multi_range_compat){.rangesize = 1,
			.range = {{.flags = NF_NAT_RANGE_MAP_IPS, .min_ip = inet_addr("44.0.0.1"), .max_ip = inet_addr("44.0.0.1")}}};
	dnat.mr = (struct nf_nat_ipv4_multi_range_compat){.rangesize = 1,
			.range = {{.flags = NF_NAT_RANGE_MAP_IPS, .min_ip = inet_addr("55.0.0.1"), .max_ip = inet_addr("55.0.0.1")}}};
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(journeys_of_packets),
			cmocka_unit_test(journeys_of_frames),
			cmocka_unit_test(journeys_over_a_lan),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
