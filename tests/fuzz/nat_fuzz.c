/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors through address translation. An input is
 *
 *	how u8, cut u8, type u8, code u8, then bytes
 *
 * Half of the inputs are a quote of any bytes, rewritten and rewritten back: what comes out is what
 * went in, and the ICMP checksum is right in between. The others are an error about a packet of a
 * translated connection, its quote cut short and changed in places (pairs of offset and value), as it
 * comes back to the router: if it passes, nothing of it has changed but what translation changes.
 */
#include "fabric/base/csum.h"
#include "filters/conntrack_table.h"
#include "fabric/base/pkt_chain.h"
#include "nat/state.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/rulesets.h"
#include "tests/unit/support/walkers.h"

#include <arpa/inet.h>
#include <linux/netfilter/x_tables.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>

enum {
	THROUGH = 1,  /* the router; else the rewriting alone */
	TO_DST = 2,   /* the quote's destination is changed */
	CHAINED = 4,  /* several segments */
	KIND = 56,    /* protocol of the connection */
	KIND_SHIFT = 3,
	OUTER = 28,   /* IP and ICMP headers */
	MOST = 600,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static uint16_t
word(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Both forms of zero are one sum. */
static bool
same_sum(const uint8_t *a, const uint8_t *b)
{
	uint16_t x = word(a), y = word(b);

	return x == y || ((x == 0 || x == 0xffff) && (y == 0 || y == 0xffff));
}

/* An error of `quoted` bytes behind its headers, with right checksums. => its length. */
static size_t
make_error(uint8_t *buf, const char *src, const char *dst, const uint8_t *quote, size_t quoted,
	uint8_t type, uint8_t code)
{
	struct iphdr *ip = (struct iphdr *)buf;
	size_t len = OUTER + quoted;
	uint16_t sum;

	*ip = (struct iphdr){.version = 4,
		.ihl = 5,
		.ttl = 60,
		.protocol = IPPROTO_ICMP,
		.tot_len = htons((uint16_t)len),
		.saddr = inet_addr(src),
		.daddr = inet_addr(dst)};
	test_fix_ip(buf);
	memset(buf + 20, 0, 8);
	buf[20] = type;
	buf[21] = code;
	memcpy(buf + OUTER, quote, quoted);
	sum = (uint16_t)~csum_fold(csum_add(0, buf + 20, len - 20));
	memcpy(buf + 22, &sum, 2);
	return len;
}

static struct pkt *
packet(struct test_env *env, const uint8_t *buf, size_t len, bool chained)
{
	const size_t cuts[] = {OUTER, len > OUTER + 3 ? 3 : len - OUTER, len > OUTER + 3 ? len - OUTER - 3 : 0};
	size_t n = cuts[2] ? 3 : cuts[1] ? 2 : 1;

	return chained ? test_chain(env, buf, len, cuts, n) : test_pkt(env, buf, len);
}

static bool
icmp_sum_holds(const struct pkt *p)
{
	return csum_fold(pkt_chain_sum(p, p->l3_len, pkt_len(p) - p->l3_len, 0)) == 0xffff;
}

/* ---- the rewriting alone ---- */

/* Where layer 4 begins in the quote; 0: it has none that is looked at. */
static size_t
l4_of(const uint8_t *quote, size_t len)
{
	size_t at = len >= 20 ? (quote[0] & 15) * 4u : 0;

	return at >= 20 && at + 8 <= len ? at : 0;
}

/* What one side of the quote is now. */
static struct ct_tuple
side_of(const uint8_t *quote, size_t len, enum nat_manip manip)
{
	size_t at = l4_of(quote, len);
	const uint8_t *l4 = quote + at;
	struct ct_tuple t = {.src = {.family = AF_INET}, .dst = {.family = AF_INET}};

	if (len < 20)
		return t;
	memcpy(manip == NAT_SRC ? &t.src.v4 : &t.dst.v4, quote + (manip == NAT_SRC ? 12 : 16), 4);
	if (!at)
		return t;
	t.sport = quote[9] == IPPROTO_ICMP ? word(l4 + 4) : word(l4);
	t.dport = quote[9] == IPPROTO_GRE ? word(l4 + 6) : word(l4 + 2);
	return t;
}

/* Checksums may come back in their other form of zero; SCTP's is made anew. */
static void
compare_quotes(const uint8_t *was, const uint8_t *is, size_t len)
{
	size_t l4 = l4_of(was, len), sum = 0, i;

	if (l4 && was[9] == IPPROTO_TCP && l4 + 18 <= len)
		sum = l4 + 16;
	if (l4 && (was[9] == IPPROTO_UDP || was[9] == IPPROTO_UDPLITE))
		sum = l4 + 6;
	if (l4 && was[9] == IPPROTO_ICMP)
		sum = l4 + 2;
	for (i = 0; i < len; i++) {
		if (i == 10 || (sum && i == sum)) {
			must(same_sum(was + i, is + i));
			i++;
		} else if (!(l4 && was[9] == IPPROTO_SCTP && i >= l4 + 8 && i < l4 + 12)) {
			must(was[i] == is[i]);
		}
	}
}

/* What the checksums of the quote cover of what may change, as a sum: it stays the same. */
struct residues {
	uint16_t ip, l4;
};

static uint16_t
residue(uint64_t sum)
{
	uint16_t r = csum_fold(sum);

	return r == 0xffff ? 0 : r;
}

static struct residues
residues_of(const uint8_t *quote, size_t len)
{
	size_t at = l4_of(quote, len);
	const uint8_t *l4 = quote + at;
	uint64_t addresses = csum_add(0, quote + 12, len >= 20 ? 8 : 0);
	struct residues r = {.ip = residue(csum_add(0, quote, len >= 20 ? 20 : 0))};

	if (!at)
		return r;
	if (quote[9] == IPPROTO_ICMP)
		r.l4 = residue(csum_add(0, l4, 8));
	else if (quote[9] == IPPROTO_TCP && at + 20 <= len)
		r.l4 = residue(csum_add(addresses, l4, 20));
	else if ((quote[9] == IPPROTO_UDP && word(l4 + 6) != 0) || quote[9] == IPPROTO_UDPLITE)
		r.l4 = residue(csum_add(addresses, l4, 8));
	return r;
}

static void
check_between(const struct pkt *p, const uint8_t *quote, size_t len)
{
	struct residues before = residues_of(quote, len), now;
	uint8_t is[MOST];
	bool short_l4 = !l4_of(quote, len);

	must(pkt_chain_read(p, OUTER, is, sizeof(is)) == len);
	now = residues_of(is, len);
	must(before.ip == now.ip && before.l4 == now.l4);
	must(!short_l4 || (quote[9] != IPPROTO_TCP && quote[9] != IPPROTO_UDP &&
				  quote[9] != IPPROTO_UDPLITE && quote[9] != IPPROTO_SCTP &&
				  quote[9] != IPPROTO_ICMP && quote[9] != IPPROTO_GRE));
}

static void
there_and_back(struct test_env *env, uint8_t how, const uint8_t *quote, size_t len)
{
	enum nat_manip manip = how & TO_DST ? NAT_DST : NAT_SRC;
	const struct ct_tuple other = {.src = ip4(htonl(0x0a000005)),
		.dst = ip4(htonl(0xc6336407)),
		.sport = htons(4711),
		.dport = htons(815)};
	struct ct_tuple before;
	uint8_t buf[OUTER + MOST], after[OUTER + MOST];
	size_t total = make_error(buf, "10.0.9.9", "10.0.0.5", quote, len, ICMP_DEST_UNREACH, 1);
	struct pkt *p = packet(env, buf, total, how & CHAINED);

	must(pkt_parse(p) == DROP_NONE);
	before = side_of(quote, len, manip);
	if (nat_rewrite_quote(p, &other, manip)) {
		must(icmp_sum_holds(p));
		check_between(p, quote, len);
		must(nat_rewrite_quote(p, &before, manip));
		must(icmp_sum_holds(p));
		must(pkt_chain_read(p, 0, after, sizeof(after)) == total);
		compare_quotes(buf + OUTER, after + OUTER, len);
	} else {
		must(pkt_chain_read(p, 0, after, sizeof(after)) == total);
		must(memcmp(buf, after, total) == 0);
	}
	test_pkt_free(env, p);
}

/* ---- through the router ---- */

struct world {
	struct test_walker tw;
	struct test_router t;
	struct filters_live filters;
	struct env_ops ops;
};

static const union {
	struct nf_nat_ipv4_multi_range_compat to;
	uint8_t aligned[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
} snat = {.to = {.rangesize = 1,
		  .range = {{.flags = NF_NAT_RANGE_MAP_IPS,
			  .min_ip = RTE_BE32(0x0a000005),
			  .max_ip = RTE_BE32(0x0a000005)}}}};

static void
world_init(struct world *w)
{
	static const uint16_t slots[] = {TEST_ETH0, TEST_ETH1};
	const struct test_ext exts[] = {{"SNAT", 0, &snat, sizeof(snat)}};
	int i;

	memset(w, 0, sizeof(*w));
	test_walker_init(&w->tw, 1);
	test_router_init(&w->t);
	for (i = 0; i < 2; i++) {
		w->t.ifaces[slots[i]].kind = IFACE_IUCV;
		w->t.ifaces[slots[i]].point_to_point = true;
		w->t.ifaces[slots[i]].attach = (struct attach){ATTACH_PORT, (uint32_t)i, 0};
	}
	w->tw.routers[1] = &w->t.r;
	w->t.r.slot = 1;
	w->t.live.now = &w->t.r;
	w->ops = *w->tw.w.env.ops;
	w->ops.attach = conntrack_attach;
	w->ops.hold = conntrack_hold;
	w->ops.untrack = conntrack_untrack;
	w->tw.w.env.ops = &w->ops;
	w->t.live.filters = &w->filters;
	w->filters.conntrack = conntrack_new(&w->t.live, 1);
	w->t.r.rules = test_ruleset(&w->tw.t, &w->t, &w->filters, NULL,
		"*nat\n-A POSTROUTING -o eth0 -j @0\n", exts);
}

static void
world_fini(struct world *w)
{
	ruleset_free((struct ruleset *)(uintptr_t)w->t.r.rules);
	w->t.r.rules = NULL;
	conntrack_free(w->filters.conntrack, &w->tw.w.env);
	test_router_fini(&w->t, &w->tw.t);
	must(test_walker_fini(&w->tw) == 0);
}

/* => length of what came out by `port`, 0: nothing. */
static size_t
send_through(struct world *w, struct pkt *p, uint16_t in, uint32_t port, uint8_t *out)
{
	uint32_t from;
	size_t len = 0;

	p->router = &w->t.r;
	p->in = &w->t.ifaces[in];
	router_receive(&w->tw.w, p);
	test_walker_run(&w->tw);
	while ((p = test_sent(&w->tw, &from))) {
		if (from == port && pkt_len(p) <= MOST)
			len = pkt_chain_read(p, 0, out, MOST);
		env_pkt_free(&w->tw.w.env, p);
	}
	return len;
}

static size_t
first_packet(uint8_t kind, uint8_t *buf)
{
	const struct test_ip ip = {.src = "10.1.0.2", .dst = "8.8.8.8"};
	const struct test_segment syn = {.flags = 2, .seq = 7, .win = 100, .len = 4};
	uint8_t l4[40] = {0x10, 0x00, 0x12, 0x34, 0, 0, 0, 0, 1, 2, 3, 4};

	switch (kind) {
	case 0:
	case 1:
		return test_segment(buf, &ip, 1000, 80, &syn);
	case 2:
		return test_icmp(buf, &ip, ICMP_ECHO, 0, 5, 1, 24);
	case 3:
		return test_ip4(buf, &ip, IPPROTO_GRE, l4, 16);
	case 4:
		return test_ip4(buf, &ip, 99, l4, 16);
	default:
		return test_udp(buf, &ip, 1000, 53, 32);
	}
}

static void
about_a_connection(const uint8_t *data, size_t size)
{
	struct world w;
	uint8_t sent[MOST], quote[MOST] = {0}, error[OUTER + MOST], got[MOST];
	size_t len, quoted, total, i;

	world_init(&w);
	len = first_packet((data[0] & KIND) >> KIND_SHIFT, sent);
	len = send_through(&w, test_pkt(&w.tw.t, sent, len), TEST_ETH1, 0, quote);
	must(len > 0);
	quoted = RTE_MIN(len, (size_t)data[1]);
	for (i = 4; i + 1 < size; i += 2)
		if (data[i] < quoted)
			quote[data[i]] = data[i + 1];
	total = make_error(error, "10.0.9.9", "10.0.0.5", quote, quoted, data[2], data[3]);
	len = send_through(&w, packet(&w.tw.t, error, total, data[0] & CHAINED), TEST_ETH0, 1, got);
	if (len > 0) {
		must(len == total && memcmp(got + 16, "\x0a\x01\x00\x02", 4) == 0);
		must(memcmp(got + 20, error + 20, 2) == 0);
		must(csum_fold(csum_add(0, got + 20, len - 20)) == 0xffff);
		must(csum_fold(csum_add(0, got, 20)) == 0xffff);
		if (quoted >= 20)
			must(memcmp(got + OUTER + 12, "\x0a\x01\x00\x02", 4) == 0 || got[20] == ICMP_ECHOREPLY);
	}
	test_conntrack_check(w.filters.conntrack, 0);
	world_fini(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct test_env env;

	if (size < 4 || size > MOST)
		return 0;
	if (data[0] & THROUGH) {
		about_a_connection(data, size);
		return 0;
	}
	test_env_init(&env, 1);
	there_and_back(&env, data[0], data + 4, size - 4);
	must(test_env_fini(&env) == 0);
	return 0;
}
