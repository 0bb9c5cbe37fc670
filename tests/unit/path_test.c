/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path cache against its own absence: the same flows, rules and events go through two rows of routers, one with and one without
 * it. Every packet that comes out, every counter, rule and connection must be the same.
 *
 *	PATH_TEST_PACKETS=N: of each random journey, instead of a few thousand
 */
#include "fabric/engine/path_private.h"

#include "fabric/base/csum.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/journey.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_DSCP.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ipt_TTL.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIGHT_RULESETS = 4 /* those of which every packet may have a path */ };
enum { SYN = 2, RST = 4, PSH = 8, ACK = 16, FIN = 1, ECE = 64, FLOWS = 24, PATHS = 4096, LENGTH_MAX = 4000 };

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

enum { ESTABLISHED, INVALID, SET_MARK, IS_MARKED, SAVE_MARK, IS_SHORT, IS_NEAR, ONE_MORE, SET_DSCP, LIMIT, IS_SYN, IS_PUSHED, SNAT, DNAT, EXTS };

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
};

static uint64_t seed;

static uint32_t
pick(uint32_t n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

static const char *
any_rules(void)
{
	return rulesets[pick(pick(4) ? LIGHT_RULESETS : sizeof(rulesets) / sizeof(*rulesets))];
}

/* A conversation as its ends see it. What the right end sees is learned from what comes out. */
struct flow {
	uint8_t proto;
	char client[16], server[16];
	uint16_t sport, dport;
	unsigned step; /* of TCP: 0 nothing yet, 1 SYN sent, 2 answered, 3 open, 4 closing */
	uint32_t seq[2], arrived[2]; /* what an end sends next; up to where the other has it */
	bool stamps, known;
	struct in_addr seen_src, seen_dst;
	uint16_t seen_sport, seen_dport;
};

static struct flow flows[FLOWS];
static struct journey with, without;
static unsigned routers;

static void
flow_begin(struct flow *f, unsigned i)
{
	memset(f, 0, sizeof(*f));
	f->proto = pick(3) ? IPPROTO_TCP : IPPROTO_UDP;
	snprintf(f->client, sizeof(f->client), "10.200.%u.%u", pick(2), 2 + i);
	snprintf(f->server, sizeof(f->server), "99.0.0.%u", 1 + pick(3));
	f->sport = (uint16_t)(1024 + pick(60000));
	f->dport = (uint16_t)(80 + pick(3));
	f->arrived[0] = f->seq[0] = pick(1u << 31) * 2;
	f->arrived[1] = f->seq[1] = pick(1u << 31) * 2;
	f->stamps = pick(2);
}

static const uint8_t stamp[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, sack[] = {1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 0, 99},
		     scale[] = {1, 3, 3, 7};

struct wire {
	uint32_t port;
	uint8_t buf[LENGTH_MAX + 100];
	size_t len;
	bool partial, vouched;
	uint16_t gso;
};

static struct test_segment
next_segment(struct flow *f, unsigned from)
{
	struct test_segment s = {.seq = f->seq[from], .ack = f->seq[!from], .win = (uint16_t)(200 + pick(300)), .flags = ACK};

	s.len = (uint16_t)(pick(3) ? pick(1300) : 0);
	s.flags |= pick(2) ? PSH : 0;
	if (f->stamps) {
		s.options = pick(20) ? stamp : sack;
		s.options_len = sizeof(stamp);
	}
	switch (pick(60)) {
	case 0:
		s.seq -= pick(3000); /* again */
		break;
	case 1:
		s.seq += pick(1u << 20); /* what came before is lost, or it is none of them */
		break;
	case 2:
		s.ack -= pick(100000);
		break;
	case 3:
		s.ack += pick(3000);
		break;
	case 4:
		s.win = 0;
		break;
	case 5:
		s.flags |= ECE;
		break;
	case 6:
		s.flags |= pick(8) ? 0 : pick(2) ? FIN : RST;
		break;
	default:
		f->seq[from] += s.len;
	}
	if (s.flags & (FIN | RST))
		f->step = 4;
	return s;
}

static struct test_segment
segment(struct flow *f, unsigned from)
{
	if (f->step >= 3)
		return next_segment(f, from);
	f->step++;
	if (f->step == 1)
		return (struct test_segment){.flags = SYN, .seq = f->seq[0]++, .win = 5000, .options = scale, .options_len = 4};
	if (f->step == 2)
		return (struct test_segment){
				.flags = SYN | ACK, .seq = f->seq[1]++, .ack = f->seq[0], .win = 5000, .options = scale, .options_len = 4};
	return (struct test_segment){.flags = ACK, .seq = f->seq[0], .ack = f->seq[1], .win = 300};
}

/* An odd one now and then: another TTL, TOS, a fragment, a wrong sum, one to be cut. */
static void
spoil(struct wire *w)
{
	struct iphdr *ip = (struct iphdr *)w->buf;

	switch (pick(80)) {
	case 0:
		ip->ttl = (uint8_t)(1 + pick(6));
		break;
	case 1:
		ip->tos = (uint8_t)pick(256);
		break;
	case 2:
		ip->frag_off = htons(IP_MF);
		break;
	case 3:
		w->buf[w->len - 1] ^= 1;
		return;
	case 4:
		ip->check ^= 0x100;
		return;
	case 5:
		ip->frag_off = htons(IP_DF);
		break;
	default:
		return;
	}
	test_fix_ip(w->buf);
}

static void
offload(struct wire *w, const struct flow *f)
{
	struct iphdr *ip = (struct iphdr *)w->buf;
	uint16_t l4 = (uint16_t)(w->len - sizeof(*ip)), sum;
	size_t at = sizeof(*ip) + (f->proto == IPPROTO_TCP ? 16 : 6);

	w->vouched = pick(4) == 0;
	w->partial = !w->vouched && pick(3) == 0;
	if (!w->partial)
		return;
	sum = (uint16_t)csum_fold(csum_pseudo4(ip->saddr, ip->daddr, f->proto, l4));
	memcpy(w->buf + at, &sum, 2);
	if (f->proto == IPPROTO_TCP && w->len > 600)
		w->gso = 500;
}

/* => false: this end does not know the other yet. */
static bool
say(struct flow *f, unsigned i, struct wire *w)
{
	unsigned from = f->proto == IPPROTO_TCP && f->step < 3 ? f->step == 1 : pick(2);
	char src[16], dst[16];
	struct test_ip ip = {.src = f->client, .dst = f->server, .id = (uint16_t)(i + 1)};
	uint16_t sport = f->sport, dport = f->dport;

	memset(w, 0, offsetof(struct wire, buf));
	w->partial = w->vouched = false;
	w->gso = 0;
	if (from && !f->known) {
		if (f->proto == IPPROTO_TCP)
			f->step = 0;
		return false;
	}
	if (from) {
		snprintf(src, sizeof(src), "%s", inet_ntoa(f->seen_dst));
		snprintf(dst, sizeof(dst), "%s", inet_ntoa(f->seen_src));
		ip.src = src;
		ip.dst = dst;
		sport = ntohs(f->seen_dport);
		dport = ntohs(f->seen_sport);
	}
	w->port = from ? JOURNEY_RIGHT : JOURNEY_LEFT;
	if (f->proto == IPPROTO_TCP) {
		struct test_segment s = segment(f, from);

		w->len = test_segment(w->buf, &ip, sport, dport, &s);
	} else {
		w->len = test_udp(w->buf, &ip, sport, dport, pick(1300));
	}
	offload(w, f);
	spoil(w);
	return true;
}

static struct pkt *
packet(struct journey *j, const struct wire *w)
{
	/* behind two bytes, so that the IP header is aligned, as ports see to it */
	uint8_t frame[sizeof(w->buf) + 16] = {0, 0, 2, 0, 0, 0, 0, TEST_ETH0, 2, 10, 0, 0, 0, 254, 8, 0};
	bool framed = j->frames && w->port == JOURNEY_LEFT;
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

static void
note_arrival(struct flow *f, const struct iphdr *ip, unsigned from)
{
	const struct tcphdr *tcp = (const struct tcphdr *)(ip + 1);
	uint32_t end = ntohl(tcp->seq) + ntohs(ip->tot_len) - 20u - tcp->doff * 4u + tcp->syn + tcp->fin;

	if ((int32_t)(end - f->arrived[from]) > 0 && (int32_t)(end - f->arrived[from]) < 100000)
		f->arrived[from] = end;
}

static void
learn(const struct pkt *p, uint32_t port)
{
	const uint8_t *frame = pkt_data(p);
	const struct iphdr *ip = (const struct iphdr *)(frame + p->l2_len);
	struct flow *f;
	unsigned id;

	if (pkt_head_len(p) < p->l2_len + 28u || (p->l2_len && frame[13] != 0))
		return;
	id = ntohs(ip->id);
	if (id == 0 || id > FLOWS || ip->protocol != flows[id - 1].proto || ip->ihl != 5 || ip->frag_off & htons(IP_OFFMASK))
		return;
	f = &flows[id - 1];
	if (f->proto == IPPROTO_TCP)
		note_arrival(f, ip, port == JOURNEY_LEFT);
	if (port != JOURNEY_RIGHT)
		return;
	f->known = true;
	f->seen_src.s_addr = ip->saddr;
	f->seen_dst.s_addr = ip->daddr;
	memcpy(&f->seen_sport, (const uint8_t *)ip + 20, 2);
	memcpy(&f->seen_dport, (const uint8_t *)ip + 22, 2);
}

/* Both rows say the same, byte by byte. => packets that came out. */
static unsigned
compare_sent(void)
{
	unsigned n = 0;

	for (;; n++) {
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
		learn(a, a_port);
		test_pkt_free(&with.tw.t, a);
		test_pkt_free(&without.tw.t, b);
	}
	/* what got lost is sent again */
	for (unsigned i = 0; i < FLOWS; i++)
		memcpy(flows[i].seq, flows[i].arrived, sizeof(flows[i].seq));
	return n;
}

/* The gateway answers, so that nobody waits. */
static void
answer_arp(struct journey *j)
{
	static const uint8_t reply[] = {0, 0, 2, 0, 0, 0, 0, TEST_ETH0, 2, 10, 0, 0, 0, 254, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 10, 0, 0, 0, 254, 10, 0, 0,
			254, 2, 0, 0, 0, 0, TEST_ETH0, 10, 0, 0, 1};
	struct pkt *p = test_pkt(&j->tw.t, reply, sizeof(reply));

	rte_pktmbuf_adj(pkt_mbuf(p), 2);
	p->l2_len = 14;
	journey_burst(j, JOURNEY_LEFT, &p, 1);
}

static void
burst(void)
{
	struct pkt *a[PATH_BURST], *b[PATH_BURST];
	uint32_t port = 0;
	unsigned n = 0, want = 1 + pick(32), tries = 0;
	static struct wire w;

	while (n < want && tries++ < 4 * want) {
		unsigned i = pick(FLOWS);

		if (flows[i].proto == 0 || (flows[i].step == 4 && pick(10) == 0) || pick(2000) == 0)
			flow_begin(&flows[i], i);
		if (!say(&flows[i], i, &w))
			continue;
		if (n > 0 && w.port != port) { /* a burst is of one port */
			journey_burst(&with, port, a, n);
			journey_burst(&without, port, b, n);
			compare_sent();
			n = 0;
		}
		port = w.port;
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
happen(void)
{
	unsigned at = pick(routers), which = pick(1u << 30);
	const char *text = any_rules();

	switch (pick(200)) {
	case 0:
		journey_rules(&with, at, text, exts);
		journey_rules(&without, at, text, exts);
		break;
	case 1:
		journey_carrier(&with, at, false);
		journey_carrier(&without, at, false);
		burst();
		journey_carrier(&with, at, true);
		journey_carrier(&without, at, true);
		break;
	case 2:
		delete_one(at, which);
		break;
	case 3:
		pass(pick(20000));
		break;
	case 4:
		journey_compare(&with, &without);
		break;
	default:
		pass(pick(4) ? 1 : pick(50));
	}
	if (with.frames) {
		answer_arp(&with);
		answer_arp(&without);
	}
	compare_sent();
}

static unsigned long
packets_wanted(void)
{
	const char *text = getenv("PATH_TEST_PACKETS");

	return text ? strtoul(text, NULL, 10) : 6000;
}

static void
random_journey(bool frames)
{
	struct path_stats s;
	unsigned long n;

	seed = test_seed() | 1;
	for (unsigned round = 0; round < 4; round++) {
		routers = 1 + pick(4);
		memset(flows, 0, sizeof(flows));
		journey_init(&with, routers, frames, 1 + pick(2), PATHS);
		journey_init(&without, routers, frames, 0, 0);
		for (unsigned i = 0; i < routers; i++) {
			const char *text = any_rules();

			journey_rules(&with, i, text, exts);
			journey_rules(&without, i, text, exts);
		}
		do {
			burst();
			happen();
			paths_stats(&with.paths, &s);
			n = s.hits + s.misses;
		} while (n < packets_wanted());
		journey_compare(&with, &without);
		printf("  %u routers, %lu packets: %.1f %% hits, %u paths, %u recipes, %llu installed\n", routers, n,
				100.0 * (double)s.hits / (double)n, s.paths, s.recipes, (unsigned long long)s.installed);
		assert_int_equal(journey_fini(&with), 0);
		assert_int_equal(journey_fini(&without), 0);
	}
}

static void
random_journeys(void **state)
{
	(void)state;
	random_journey(false);
}

static void
random_journeys_of_frames(void **state)
{
	(void)state;
	random_journey(true);
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
			cmocka_unit_test(random_journeys),
			cmocka_unit_test(random_journeys_of_frames),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
