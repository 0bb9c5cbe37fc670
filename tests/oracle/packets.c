/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets: some fit a rule of the ruleset, its constants one off now and then; some go on with a flow that began before: TCP's handshake, data and end,
 * right and slightly wrong, answers, errors about it; some are fragments; a few are malformed.
 */
#include "tests/oracle/generate.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The kernel keeps incomplete datagrams from one ruleset to the next, so ids must not meet again while its namespace lives. */
enum { FLOWS = 24, WAITING = 12, QUOTE = 160, OPTIONS_MAX = 40, ID_RANGES = 100 };

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

/* All that build() needs. */
struct draft {
	uint8_t iface, proto, ttl, tos, flags;
	uint8_t from, to; /* of its frame */
	uint32_t src, dst, seq, ack;
	uint16_t sport, dport, id, frag_off, window;
	uint8_t type, code;
	uint32_t rest; /* of an ICMP header, network byte order */
	uint8_t ip_options[OPTIONS_MAX], tcp_options[OPTIONS_MAX];
	uint8_t n_ip_options, n_tcp_options;
	uint16_t payload;
	const char *word;
	const uint8_t *quote; /* payload of an ICMP error */
	bool bad_sum, no_sum;
};

struct end {
	uint8_t iface;
	uint32_t addr;
	uint16_t port;
	uint32_t seq;      /* next to send */
	uint32_t got;      /* next expected of the other */
	bool scaled;
};

struct flow {
	uint8_t proto, step;
	struct end end[2];
	uint16_t id, seq;          /* of an echo */
	uint8_t sent[2][QUOTE];    /* last packet of each end */
	uint16_t sent_len[2];
};

struct packets {
	struct rnd r;
	const struct ruleset_text *rs;
	struct flow flows[FLOWS];
	unsigned n_flows, last; /* the youngest flow */
	struct frame waiting[WAITING];
	unsigned n_waiting;
	uint16_t id;
	uint16_t aims[RULES_MAX]; /* rules that can be hit and were not yet */
	unsigned n_aims;
	struct hint follow; /* what the last flow was begun for */
	unsigned n_follow;  /* packets of it to come at once */
};

struct packets *
packets_new(uint64_t seed, const struct ruleset_text *rs)
{
	struct packets *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->r.state = seed ^ 0x5bd1e995u;
	g->rs = rs;
	g->id = (uint16_t)(rs->serial % ID_RANGES * (65536 / ID_RANGES));
	return g;
}

void
packets_free(struct packets *g)
{
	free(g);
}

void
packets_aim(struct packets *g, const bool hit[RULES_MAX])
{
	bool reachable[RULES_MAX];
	unsigned i;

	ruleset_reachable(g->rs, reachable);
	g->n_aims = 0;
	for (i = 0; i < g->rs->n_rules; i++)
		if (reachable[i] && !hit[i])
			g->aims[g->n_aims++] = (uint16_t)i;
}

/* ---- building ---- */

static uint16_t
l4_sum(const struct draft *d, const uint8_t *l4, size_t len)
{
	uint64_t sum = d->proto == IPPROTO_ICMP ? 0 : csum_pseudo4(d->src, d->dst, d->proto, (uint16_t)len);

	return (uint16_t)~csum_fold(csum_add(sum, l4, len));
}

static size_t
build_tcp(const struct draft *d, uint8_t *l4)
{
	struct tcphdr *h = (struct tcphdr *)l4;

	memset(h, 0, sizeof(*h));
	h->source = htons(d->sport);
	h->dest = htons(d->dport);
	h->seq = htonl(d->seq);
	h->ack_seq = htonl(d->ack);
	h->doff = (5 + d->n_tcp_options / 4) & 15;
	l4[13] = d->flags;
	h->window = htons(d->window);
	memcpy(h + 1, d->tcp_options, d->n_tcp_options);
	return sizeof(*h) + d->n_tcp_options;
}

static size_t
build_l4_header(const struct draft *d, uint8_t *l4)
{
	switch (d->proto) {
	case IPPROTO_TCP:
		return build_tcp(d, l4);
	case IPPROTO_UDP:
		*(struct udphdr *)l4 = (struct udphdr){.source = htons(d->sport), .dest = htons(d->dport), .len = htons(8 + d->payload)};
		return 8;
	case IPPROTO_ICMP:
		*(struct icmphdr *)l4 = (struct icmphdr){.type = d->type, .code = d->code, .un.gateway = d->rest};
		return 8;
	default:
		return 0;
	}
}

static void
fill(const struct draft *d, uint8_t *to)
{
	size_t len = d->word ? strlen(d->word) : 0, i;

	for (i = 0; i < d->payload; i++)
		to[i] = (uint8_t)(i * 7 + d->id);
	if (d->quote)
		memcpy(to, d->quote, d->payload);
	else if (d->word && len <= d->payload)
		memcpy(to + (d->payload - len) / 2, d->word, len);
}

static void
set_l4_sum(const struct draft *d, uint8_t *l4, size_t len)
{
	size_t at = d->proto == IPPROTO_TCP ? 16 : d->proto == IPPROTO_UDP ? 6 : 2;
	uint16_t sum;

	if (d->proto != IPPROTO_TCP && d->proto != IPPROTO_UDP && d->proto != IPPROTO_ICMP)
		return;
	if (d->no_sum && d->proto == IPPROTO_UDP)
		return;
	sum = l4_sum(d, l4, len);
	if (sum == 0 && d->proto == IPPROTO_UDP)
		sum = 0xffff;
	if (d->bad_sum)
		sum ^= 0x0100;
	memcpy(l4 + at, &sum, 2);
}

static void
build(const struct draft *d, struct frame *f)
{
	struct iphdr *ip = (struct iphdr *)f->data;
	size_t head = sizeof(*ip) + d->n_ip_options, l4_head, len;
	uint8_t *l4 = f->data + head;

	l4_head = build_l4_header(d, l4);
	fill(d, l4 + l4_head);
	len = head + l4_head + d->payload;
	set_l4_sum(d, l4, l4_head + d->payload);
	memset(ip, 0, sizeof(*ip));
	memcpy(ip + 1, d->ip_options, d->n_ip_options);
	ip->version = 4;
	ip->ihl = (head / 4) & 15;
	ip->tos = d->tos;
	ip->tot_len = htons((uint16_t)len);
	ip->id = htons(d->id);
	ip->frag_off = htons(d->frag_off);
	ip->ttl = d->ttl;
	ip->protocol = d->proto;
	ip->saddr = d->src;
	ip->daddr = d->dst;
	ip->check = ip4_checksum(ip);
	f->iface = d->iface;
	f->from = d->from;
	f->to = d->to;
	f->len = (uint16_t)len;
}

/* ---- drawing ---- */

static uint32_t
any_address(struct packets *g)
{
	return address_value(rnd(&g->r, ADDRESSES));
}

/* Of hosts behind an interface; `home` -1: the router's own. */
static uint32_t
address_at(struct packets *g, int home)
{
	unsigned i, start = rnd(&g->r, ADDRESSES);

	for (i = 0; i < ADDRESSES; i++)
		if (addresses[(start + i) % ADDRESSES].home == home)
			return address_value((start + i) % ADDRESSES);
	return 0;
}

static uint16_t
any_port(struct packets *g)
{
	uint16_t p = PICK(&g->r, g->rs->pool.ports);

	if (chance(&g->r, 20))
		p += chance(&g->r, 50) ? 1 : -1;
	return p;
}

static const char *
any_word(struct packets *g)
{
	static const char *const words[] = {"GET /", "USER", "rookery", "aab", "abcabd", "get /", "\xff\x00" "a"};

	return chance(&g->r, 30) ? PICK(&g->r, words) : NULL;
}

static void
start_draft(struct packets *g, struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->ttl = chance(&g->r, 10) ? PICK(&g->r, ((uint8_t[]){1, 2, 3, 255})) :
		chance(&g->r, 30) ? (uint8_t)(PICK(&g->r, g->rs->pool.ttl) + rnd(&g->r, 3) - 1) : 64;
	d->tos = chance(&g->r, 30) ? PICK(&g->r, g->rs->pool.tos) : 0;
	d->id = ++g->id;
	d->from = (uint8_t)rnd(&g->r, 3);
	d->to = chance(&g->r, 92) ? TO_ROUTER : PICK(&g->r, ((const uint8_t[]){TO_BROADCAST, TO_BROADCAST, TO_MULTICAST, TO_OTHER}));
	d->frag_off = chance(&g->r, 50) ? IP_DF : 0;
	d->window = chance(&g->r, 80) ? 29200 : (uint16_t)rnd(&g->r, 3000);
	d->payload = chance(&g->r, 60) ? (uint16_t)rnd(&g->r, 40) : (uint16_t)rnd(&g->r, 1300);
	d->word = any_word(g);
}

/* No operation, router alert, stream id, and one that nobody knows. */
static void
set_ip_options(struct packets *g, struct draft *d)
{
	static const uint8_t some[][8] = {{1, 1, 1, 0}, {0x94, 4, 0, 0}, {0x88, 4, 0, 1}, {1, 1, 1, 1, 1, 1, 1, 0}, {0x5e, 8, 1, 2, 3, 4, 5, 6}};
	unsigned i = rnd(&g->r, sizeof(some) / sizeof(*some));

	memcpy(d->ip_options, some[i], 8);
	d->n_ip_options = i < 3 && chance(&g->r, 50) ? 4 : 8;
}

/* True when the router has no way for it. */
static bool
nowhere(uint32_t dst)
{
	static const struct {
		uint32_t net, mask;
	} ways[] = {{0x00000000, 0x80000000}, {0xc0000200, 0xffffff00}, {0xc6336400, 0xffffff00}, {0xac100000, 0xfff00000}, {0xcb007100, 0xffffff00}};
	uint32_t a = ntohl(dst);
	unsigned i;

	if (a >> 16 >= 0x0a42 && a >> 16 <= 0x0a44)
		return true;
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if ((a & ways[i].mask) == ways[i].net)
			return false;
	return true;
}

/* Asks for an impossible destination as nobody has before, in this process. */
void
frame_freshen(struct frame *f)
{
	static uint32_t stranger;
	struct iphdr *ip = (struct iphdr *)f->data;
	uint32_t was, net;
	size_t at;

	if (f->len < 20 || ip->ihl < 5 || !nowhere(ip->daddr))
		return;
	net = ntohl(ip->saddr) >> 24;
	if (net == 0 || net == 127 || net >= 224)
		return;
	was = ip->saddr;
	ip->saddr = htonl(0xac180000 + (stranger++ & 0x3ffff));
	ip->check = csum_replace4(ip->check, was, ip->saddr);
	at = ip->ihl * 4u + (ip->protocol == IPPROTO_TCP ? 16 : 6);
	if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) && !(ip->frag_off & htons(0x1fff)) && at + 2 <= f->len) {
		uint16_t sum;

		memcpy(&sum, f->data + at, 2);
		if (sum || ip->protocol == IPPROTO_TCP)
			sum = csum_replace4(sum, was, ip->saddr);
		memcpy(f->data + at, &sum, 2);
	}
}

static void
add_tcp_option(struct draft *d, const void *bytes, uint8_t len)
{
	if (d->n_tcp_options + len > OPTIONS_MAX)
		return;
	memcpy(d->tcp_options + d->n_tcp_options, bytes, len);
	d->n_tcp_options += len;
}

static void
pad_tcp_options(struct draft *d)
{
	while (d->n_tcp_options % 4)
		d->tcp_options[d->n_tcp_options++] = 1;
}

static void
add_mss(struct draft *d, uint16_t mss)
{
	uint8_t option[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};

	add_tcp_option(d, option, 4);
}

static void
syn_options(struct packets *g, struct draft *d)
{
	if (chance(&g->r, 75))
		add_mss(d, chance(&g->r, 70) ? PICK(&g->r, g->rs->pool.mss) + (uint16_t)rnd(&g->r, 3) - 1 : 1460);
	if (chance(&g->r, 40))
		add_tcp_option(d, (uint8_t[]){4, 2}, 2);
	if (chance(&g->r, 40))
		add_tcp_option(d, (uint8_t[]){3, 3, (uint8_t)rnd(&g->r, 16)}, 3);
	if (chance(&g->r, 15))
		add_tcp_option(d, (uint8_t[]){8, 10, 0, 0, 0, 1, 0, 0, 0, 0}, 10);
	if (chance(&g->r, 4))
		add_tcp_option(d, (uint8_t[]){30, 0}, 2);
	pad_tcp_options(d);
}

static void
data_options(struct packets *g, struct draft *d)
{
	if (chance(&g->r, 20))
		add_tcp_option(d, (uint8_t[]){8, 10, 0, 0, 0, 1, 0, 0, 0, 0}, 10);
	if (chance(&g->r, 8)) {
		uint8_t sack[10] = {5, 10};
		uint32_t left = htonl(d->ack + rnd(&g->r, 3000)), right = htonl(ntohl(left) + rnd(&g->r, 2000));

		memcpy(sack + 2, &left, 4);
		memcpy(sack + 6, &right, 4);
		add_tcp_option(d, sack, 10);
	}
	pad_tcp_options(d);
}

/* ---- packets that fit a rule ---- */

static void
fit_addresses(struct packets *g, struct draft *d, const struct hint *h)
{
	d->iface = h->iface >= 0 ? (uint8_t)h->iface : (uint8_t)rnd(&g->r, IFACES);
	d->src = h->src ? h->src : address_at(g, d->iface);
	if (h->iface < 0 && h->src && address_home(h->src) >= 0 && chance(&g->r, 90))
		d->iface = (uint8_t)address_home(h->src);
	if (h->dst)
		d->dst = h->dst;
	else if (h->local || h->made_here || (h->out < 0 && chance(&g->r, 15)))
		d->dst = address_at(g, -1);
	else if (h->out >= 0)
		d->dst = address_at(g, h->out);
	else
		d->dst = chance(&g->r, 90) ? address_at(g, (d->iface + 1 + (int)rnd(&g->r, 2)) % IFACES) : any_address(g);
	if (chance(&g->r, 5))
		d->src = htonl(ntohl(d->src) + (chance(&g->r, 50) ? 1 : (uint32_t)-1));
	if (chance(&g->r, 5))
		d->dst = htonl(ntohl(d->dst) + (chance(&g->r, 50) ? 1 : (uint32_t)-1));
}

static void
fit_l4(struct packets *g, struct draft *d, const struct hint *h)
{
	d->proto = h->proto ? h->proto : PICK(&g->r, ((const uint8_t[]){6, 6, 17, 17, 1, 1, 99}));
	d->sport = h->sport && !chance(&g->r, 15) ? h->sport : any_port(g);
	d->dport = h->dport && !chance(&g->r, 15) ? h->dport : any_port(g);
	d->seq = (uint32_t)rnd64(&g->r);
	d->flags = chance(&g->r, 60) ? SYN : (uint8_t)(rnd64(&g->r) & 0x3f);
	if (h->flags_mask && chance(&g->r, 90))
		d->flags = (uint8_t)((rnd64(&g->r) & 0x3f & ~h->flags_mask) | h->flags);
	d->ack = d->flags & ACK ? (uint32_t)rnd64(&g->r) : 0;
	d->type = h->icmp ? h->icmp_type : PICK(&g->r, ((const uint8_t[]){8, 8, 8, 0, 13, 3, 17}));
	d->code = h->icmp ? h->icmp_code : 0;
	if (chance(&g->r, 5))
		d->code++;
	d->rest = htonl((uint32_t)any_port(g) << 16 | rnd(&g->r, 4));
	if (d->proto != IPPROTO_TCP)
		return;
	if (h->mss)
		add_mss(d, h->mss + (uint16_t)(chance(&g->r, 20) ? rnd(&g->r, 3) - 1 : 0));
	else if (h->tcp_option == 2)
		add_mss(d, 1000);
	else if (h->tcp_option)
		add_tcp_option(d, (uint8_t[]){h->tcp_option, 4, 0, 0}, h->tcp_option == 1 ? 1 : h->tcp_option == 4 ? 2 : 4);
	else if (d->flags & SYN)
		syn_options(g, d);
	pad_tcp_options(d);
}

/* An ICMP message of the router: a ping's answer, or an error that the packet causes. */
static void
cause_icmp(struct packets *g, struct draft *d, const struct hint *h)
{
	uint8_t type = h->icmp_type;

	d->proto = IPPROTO_ICMP;
	d->type = 8;
	d->code = 0;
	if (h->icmp ? h->icmp_type == 0 : chance(&g->r, 40))
		return;
	if (!h->icmp)
		type = PICK(&g->r, ((const uint8_t[]){14, 11, 11, 3}));
	if (type == 14) {
		d->type = 13;
		d->payload = 12;
	} else if (type == 11) {
		d->ttl = 1;
		d->proto = PICK(&g->r, ((const uint8_t[]){1, 6, 17, 99}));
		d->dst = address_at(g, (d->iface + 1) % IFACES);
	} else if (type == 3) {
		d->proto = h->icmp_code == 2 ? 99 : IPPROTO_UDP;
	}
}

/* A packet that makes the router itself send has what the rule wants turned round. */
static void
turn_round(struct packets *g, struct draft *d, const struct hint *h)
{
	uint16_t sport = d->sport;

	if (!h->made_here || chance(&g->r, 15))
		return;
	if (h->dst)
		d->src = h->dst;
	else if (h->out >= 0)
		d->src = address_at(g, h->out);
	else if (address_home(d->src) < 0)
		d->src = address_at(g, (int)rnd(&g->r, IFACES));
	d->dst = h->src && address_home(h->src) == -1 ? h->src : address_at(g, -1);
	if (address_home(d->src) >= 0)
		d->iface = (uint8_t)address_home(d->src);
	d->sport = d->dport;
	d->dport = sport;
	if (d->proto != IPPROTO_TCP)
		cause_icmp(g, d, h);
	else /* a reset has ACK when what it answers has not */
		d->flags = h->flags_mask & ACK ? (h->flags & ACK ? SYN : ACK) : chance(&g->r, 50) ? SYN : ACK;
}

static size_t
headers(const struct draft *d)
{
	size_t l4 = d->proto == IPPROTO_TCP ? 20u + d->n_tcp_options : d->proto == IPPROTO_UDP || d->proto == IPPROTO_ICMP ? 8 : 0;

	return 20 + d->n_ip_options + l4;
}

static void
fit_rest(struct packets *g, struct draft *d, const struct hint *h)
{
	if (h->ttl && chance(&g->r, 85))
		d->ttl = h->ttl;
	if (h->has_tos && chance(&g->r, 85))
		d->tos = h->tos;
	if (h->word && chance(&g->r, 85)) {
		d->word = h->word;
		d->payload = (uint16_t)rnd_between(&g->r, 10, 200);
	}
	if (h->length && chance(&g->r, 85)) {
		uint16_t want = h->length + (uint16_t)(chance(&g->r, 20) ? rnd(&g->r, 3) - 1 : 0);

		d->payload = want > headers(d) ? (uint16_t)(want - headers(d)) : 0;
	}
	if (h->later_fragment && chance(&g->r, 90))
		d->frag_off = (uint16_t)rnd_between(&g->r, 1, 100);
}

static void
spoil(struct packets *g, struct draft *d)
{
	if (chance(&g->r, 3))
		d->bad_sum = true;
	if (chance(&g->r, 2))
		d->no_sum = true;
	if (chance(&g->r, 3))
		set_ip_options(g, d);
	if (chance(&g->r, 2))
		d->flags = (uint8_t)(rnd64(&g->r) & 0x3f);
	if (chance(&g->r, 1))
		d->src = PICK(&g->r, ((const uint32_t[]){0, 0xffffffff, 0x0100007f, 0x010000e0, 0x0100000a, 0xff00000a}));
	if (chance(&g->r, 1))
		d->dst = PICK(&g->r, ((const uint32_t[]){0, 0x0100007f, 0x010000f0, 0x0200007f}));
}

static struct flow *
new_flow(struct packets *g, const struct draft *d)
{
	unsigned at = g->n_flows < FLOWS ? g->n_flows++ : rnd(&g->r, FLOWS);
	struct flow *f = &g->flows[at];
	int8_t home = address_home(d->dst);

	g->last = at;
	memset(f, 0, sizeof(*f));
	f->proto = d->proto;
	f->end[0] = (struct end){.iface = d->iface, .addr = d->src, .port = d->sport, .seq = d->seq + 1};
	f->end[1] = (struct end){.iface = home >= 0 ? (uint8_t)home : 1, .addr = d->dst, .port = d->dport, .seq = (uint32_t)rnd64(&g->r)};
	f->end[1].got = d->seq + 1;
	f->id = (uint16_t)(ntohl(d->rest) >> 16);
	f->seq = (uint16_t)ntohl(d->rest);
	return f;
}

static void
remember(struct flow *f, unsigned from, const struct frame *frame)
{
	f->sent_len[from] = frame->len < QUOTE ? frame->len : QUOTE;
	memcpy(f->sent[from], frame->data, f->sent_len[from]);
}

/* `begun`: a flow may be met in its middle. */
static bool
starts_flow(const struct draft *d, bool begun)
{
	uint32_t net = ntohl(d->src) >> 24;

	if (d->bad_sum || d->frag_off & 0x1fff || nowhere(d->dst) || nowhere(d->src) || net % 127 == 0 || net >> 4 == 14)
		return false;
	if (d->proto == IPPROTO_TCP)
		return d->flags & SYN || (begun && d->flags == ACK);
	return d->proto == IPPROTO_UDP || (d->proto == IPPROTO_ICMP && d->type == 8) || d->proto == 99;
}

/* Of a rule and those that call its chain. */
static struct hint
whole_hint(const struct packets *g, const struct rule *r)
{
	struct hint h;

	for (h = r->hint; r->caller >= 0; hint_add(&h, &r->hint))
		r = &g->rs->rules[r->caller];
	return h;
}

/* And of a rule that sets a mark; `flag`: where a rule says whether it does. */
static void
add_setter(struct packets *g, struct hint *h, size_t flag)
{
	unsigned start = rnd(&g->r, g->rs->n_rules), i;
	struct hint more;

	for (i = 0; i < 2 * g->rs->n_rules; i++) {
		const struct rule *r = &g->rs->rules[(start + i) % g->rs->n_rules];

		if (!*((const char *)r + flag) || (i < g->rs->n_rules && h->mark && r->mark != h->mark))
			continue;
		more = whole_hint(g, r);
		more.made_here = h->made_here;
		more.local = h->local;
		hint_add(h, &more);
		return;
	}
}

/* What a rule with REJECT answers to whom the rule wants it. */
static void
add_reject(struct packets *g, struct hint *h)
{
	unsigned start = rnd(&g->r, g->rs->n_rules), i;
	uint32_t to = h->dst;
	int8_t out = h->out;

	for (i = 0; i < g->rs->n_rules; i++) {
		const struct rule *r = &g->rs->rules[(start + i) % g->rs->n_rules];

		if (!r->rejects || r->hint.made_here)
			continue;
		*h = whole_hint(g, r);
		h->src = to ? to : h->src;
		h->iface = h->iface >= 0 || to ? h->iface : out;
		return;
	}
}

static struct hint
any_hint(struct packets *g)
{
	static const struct hint nothing = {.iface = -1, .out = -1};
	const struct rule *r;
	struct hint h;

	if (g->rs->n_rules == 0 || chance(&g->r, 15))
		return nothing;
	r = &g->rs->rules[g->n_aims && chance(&g->r, 85) ? g->aims[rnd(&g->r, g->n_aims)] : rnd(&g->r, g->rs->n_rules)];
	h = whole_hint(g, r);
	if (h.made_here && chance(&g->r, 30))
		add_reject(g, &h);
	if (h.marked)
		add_setter(g, &h, offsetof(struct rule, sets_mark));
	if (h.connmarked)
		add_setter(g, &h, offsetof(struct rule, sets_connmark));
	return h;
}

/* The flow goes the other way: the rule's packet is the answer. */
static void
turn_flow(struct draft *d)
{
	uint32_t address = d->src;
	uint16_t port = d->sport;

	if (address_home(d->dst) < 0)
		return;
	d->iface = (uint8_t)address_home(d->dst);
	d->src = d->dst;
	d->dst = address;
	d->sport = d->dport;
	d->dport = port;
}

static void
fitting(struct packets *g, struct draft *d, struct frame *f)
{
	const struct hint hint = any_hint(g), *h = &hint;
	struct flow *flow;

	start_draft(g, d);
	fit_addresses(g, d, h);
	fit_l4(g, d, h);
	turn_round(g, d, h);
	fit_rest(g, d, h);
	d->from = h->mac && chance(&g->r, 90) ? h->mac - 1 : d->from;
	d->to = h->to && chance(&g->r, 90) ? h->to : d->to;
	if (h->answered && h->local && !h->proto && d->proto != IPPROTO_TCP)
		cause_icmp(g, d, &(const struct hint){.icmp = true});
	if ((h->answered || h->reply) && d->proto == IPPROTO_TCP) {
		d->flags = h->local ? ACK : SYN;
		d->ack = h->local ? (uint32_t)rnd64(&g->r) : 0;
	}
	if (h->reply && !h->made_here && chance(&g->r, 90))
		turn_flow(d);
	spoil(g, d);
	build(d, f);
	if (!starts_flow(d, h->answered && h->local))
		return;
	flow = new_flow(g, d);
	remember(flow, 0, f);
	flow->end[0].got = d->ack;
	if (h->answered && address_home(d->dst) == -1)
		flow->step = 2; /* its reset is an answer too */
	g->follow = *h;
	g->n_follow = h->answered || h->reply || h->related || h->connmarked || chance(&g->r, 15) ? 4 : 0;
}

/* ---- packets of a flow ---- */

static unsigned
pick_flags(struct packets *g, struct flow *f, unsigned from)
{
	if (chance(&g->r, 10))
		return PICK(&g->r, ((const uint8_t[]){SYN, SYN | ACK, RST, RST | ACK, ACK, FIN | ACK, FIN, 0, PSH | ACK, SYN | FIN, URG | ACK, ACK | FIN | PSH}));
	switch (f->step) {
	case 0:
		return from == 1 ? SYN | ACK : SYN;
	case 1:
		return ACK;
	default:
		return chance(&g->r, 20) ? FIN | ACK : chance(&g->r, 6) ? RST | ACK : chance(&g->r, 50) ? PSH | ACK : ACK;
	}
}

static void
perturb(struct packets *g, uint32_t *seq)
{
	*seq += PICK(&g->r, ((const uint32_t[]){1, -1u, 1000, -1000u, 70000, -70000u, 29201, 0x40000000, -1400u, 66000}));
}

static void
tcp_next(struct packets *g, struct flow *f, unsigned from, struct draft *d)
{
	struct end *me = &f->end[from], *peer = &f->end[!from];

	d->flags = (uint8_t)pick_flags(g, f, from);
	d->seq = me->seq;
	d->ack = d->flags & ACK ? me->got : 0;
	if (d->flags & SYN) {
		d->seq = from == 0 ? me->seq - 1 : me->seq;
		d->payload = chance(&g->r, 95) ? 0 : d->payload;
		syn_options(g, d);
	} else {
		data_options(g, d);
	}
	if (!(d->flags & PSH) && chance(&g->r, 80))
		d->payload = 0;
	if (chance(&g->r, 8))
		perturb(g, &d->seq);
	else if (chance(&g->r, 8))
		perturb(g, &d->ack);
	else if (!chance(&g->r, 8)) { /* else it is as if it had been lost */
		if (from == 1 && d->flags & SYN && f->step == 0) {
			me->seq++;
			f->step = 1;
		} else if (from == 0 && f->step == 1) {
			f->step = 2;
		}
		me->seq += d->payload + (d->flags & FIN ? 1 : 0);
		peer->got = me->seq;
	}
}

static void
flow_l4(struct packets *g, struct flow *f, unsigned from, struct draft *d)
{
	switch (f->proto) {
	case IPPROTO_TCP:
		tcp_next(g, f, from, d);
		break;
	case IPPROTO_ICMP:
		d->type = from == 0 ? 8 : 0;
		d->rest = htonl((uint32_t)f->id << 16 | f->seq);
		if (from == 0 && chance(&g->r, 50))
			f->seq++;
		break;
	default:
		break;
	}
}

/* => which end of the flow sends: the one whose turn it seems to be, mostly. */
static unsigned
turn(struct packets *g, const struct flow *f)
{
	if (f->proto == IPPROTO_TCP && f->step == 0)
		return chance(&g->r, 75);
	if (f->proto == IPPROTO_TCP && f->step == 1)
		return chance(&g->r, 25);
	return chance(&g->r, 50);
}

static void
go_on(struct packets *g, struct draft *d, struct frame *out)
{
	struct flow *f = &g->flows[chance(&g->r, 60) && g->n_flows > 4 ? g->n_flows - 1 - rnd(&g->r, 4) : rnd(&g->r, g->n_flows)];
	bool follow = g->n_follow > 0 && g->last < g->n_flows;
	unsigned from;

	if (follow) {
		f = &g->flows[g->last];
		g->n_follow--;
	}
	from = turn(g, f);

	if (address_home(f->end[1].addr) == -1)
		from = 0; /* the router answers by itself */
	start_draft(g, d);
	d->iface = f->end[from].iface;
	d->proto = f->proto;
	d->src = f->end[from].addr;
	d->dst = f->end[!from].addr;
	d->sport = f->end[from].port;
	d->dport = f->end[!from].port;
	flow_l4(g, f, from, d);
	if (follow && f->proto != IPPROTO_TCP)
		fit_rest(g, d, &g->follow);
	if (chance(&g->r, 20))
		spoil(g, d);
	build(d, out);
	remember(f, from, out);
}

static void
error_about(struct packets *g, struct draft *d, struct frame *out)
{
	static const uint8_t types[][2] = {{3, 1}, {3, 3}, {3, 4}, {11, 0}, {11, 1}, {12, 0}, {4, 0}, {5, 1}, {3, 13}, {3, 2}, {3, 0}};
	struct flow *f = &g->flows[g->n_follow && g->last < g->n_flows ? g->last : rnd(&g->r, g->n_flows)];
	unsigned from = f->sent_len[1] && chance(&g->r, 50), i = rnd(&g->r, sizeof(types) / sizeof(*types));
	uint8_t quote[QUOTE];

	if (!f->sent_len[from])
		from = !from;
	start_draft(g, d);
	memcpy(quote, f->sent[from], sizeof(quote));
	if (chance(&g->r, 10))
		quote[rnd(&g->r, 28)] ^= (uint8_t)(1u << rnd(&g->r, 8));
	d->iface = f->end[!from].iface;
	d->proto = IPPROTO_ICMP;
	d->src = chance(&g->r, 50) ? f->end[!from].addr : address_at(g, d->iface);
	d->dst = chance(&g->r, 95) ? f->end[from].addr : any_address(g);
	d->type = types[i][0];
	d->code = types[i][1];
	d->rest = d->type == 3 && d->code == 4 ? htonl(1000) : 0;
	d->quote = quote;
	d->payload = f->sent_len[from];
	if (chance(&g->r, 40) && d->payload > 28)
		d->payload = (uint16_t)rnd_between(&g->r, chance(&g->r, 80) ? 28 : 0, d->payload);
	if (chance(&g->r, 3))
		d->bad_sum = true;
	build(d, out);
}

/* ---- fragments ---- */

static void
set_fragment(struct frame *f, uint16_t offset, bool more, uint16_t len, bool df)
{
	struct iphdr *ip = (struct iphdr *)f->data;

	ip->frag_off = htons((uint16_t)(offset / 8 | (more ? IP_MF : 0) | (df ? IP_DF : 0)));
	ip->tot_len = htons((uint16_t)(ip->ihl * 4 + len));
	f->len = (uint16_t)(ip->ihl * 4 + len);
	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

static void
wait_with(struct packets *g, const struct frame *f)
{
	if (g->n_waiting < WAITING)
		g->waiting[g->n_waiting++] = *f;
}

/* Cuts it, and lets the pieces wait; now and then one is there twice, overlaps, or is missing. */
static void
cut(struct packets *g, const struct frame *whole)
{
	const struct iphdr *ip = (const struct iphdr *)whole->data;
	uint16_t head = (uint16_t)(ip->ihl * 4), len = (uint16_t)(whole->len - head), step = (uint16_t)(8 * rnd_between(&g->r, 2, 100)), at;
	bool df = chance(&g->r, 10), uneven = chance(&g->r, 30);
	struct frame f;

	for (at = 0; at < len; at = (uint16_t)(at + step)) {
		uint16_t part;
		bool more;

		if (uneven)
			step = (uint16_t)(8 * rnd_between(&g->r, 2, 100));
		part = len - at < step ? (uint16_t)(len - at) : step;
		more = at + part < len;

		f.iface = whole->iface;
		f.from = whole->from;
		f.to = whole->to;
		memcpy(f.data, whole->data, head);
		memcpy(f.data + head, whole->data + head + at, part);
		if (chance(&g->r, 2) && more && at + part + 8 <= len) {
			memcpy(f.data + head, whole->data + head + at, part + 8u);
			part = (uint16_t)(part + 8);
			more = at + part < len;
		}
		set_fragment(&f, at, more, part, df);
		if (!chance(&g->r, 2))
			wait_with(g, &f);
		if (chance(&g->r, 3))
			wait_with(g, &f);
	}
}

static bool
take_waiting(struct packets *g, struct frame *f)
{
	unsigned i;

	if (g->n_waiting == 0)
		return false;
	i = chance(&g->r, 75) ? 0 : rnd(&g->r, g->n_waiting);
	*f = g->waiting[i];
	memmove(&g->waiting[i], &g->waiting[i + 1], (g->n_waiting - i - 1) * sizeof(*f));
	g->n_waiting--;
	return true;
}

/* ---- malformed ---- */

static void
malform(struct packets *g, struct frame *f)
{
	struct iphdr *ip = (struct iphdr *)f->data;
	uint32_t dst = ip->daddr;
	bool fix = true;

	switch (rnd(&g->r, 9)) {
	case 0: /* cut short, and honest about it */
		f->len = (uint16_t)rnd_between(&g->r, 20, f->len < 60 ? f->len : 60);
		ip->tot_len = htons(f->len);
		break;
	case 1: /* cut short */
		f->len = (uint16_t)rnd_between(&g->r, 1, f->len);
		break;
	case 2: /* options of no meaning at best */
		ip->ihl = rnd(&g->r, 5) & 15;
		break;
	case 3:
		ip->check ^= 0x0101;
		fix = false;
		break;
	case 4: /* link-layer padding */
		memset(f->data + f->len, 0, 20);
		f->len = (uint16_t)(f->len + 20);
		break;
	case 5:
		ip->tot_len = htons((uint16_t)rnd(&g->r, 100));
		break;
	case 6: /* data offset of TCP, length of UDP */
		if (f->len > 33)
			f->data[ip->ihl * 4 + (ip->protocol == IPPROTO_TCP ? 12 : 5)] = (uint8_t)rnd64(&g->r);
		break;
	case 7:
		ip->frag_off = htons((uint16_t)rnd64(&g->r));
		break;
	default: /* one bit anywhere but in version and header length, and not in options */
		f->data[rnd_between(&g->r, 1, ip->ihl > 5 ? 19 : f->len - 1)] ^= (uint8_t)(1u << rnd(&g->r, 8));
		fix = chance(&g->r, 60);
	}
	if (ip->protocol == IPPROTO_PIM) /* taken by the kernel's multicast routing */
		ip->protocol = IPPROTO_TCP;
	/* the kernel's device is multicast, ours cannot be; and see frame_freshen() */
	if (nowhere(ip->daddr) || ntohl(ip->daddr) >> 28 == 14)
		ip->daddr = dst;
	if (fix && f->len >= 20 && ip->ihl >= 5 && ip->ihl * 4 <= f->len) {
		ip->check = 0;
		ip->check = ip4_checksum(ip);
	}
}

void
packets_next(struct packets *g, struct frame *f)
{
	struct draft d;
	struct iphdr *ip = (struct iphdr *)f->data;

	if (chance(&g->r, 70) && take_waiting(g, f))
		return;
	if (g->n_follow && g->follow.related && chance(&g->r, 70)) {
		error_about(g, &d, f);
		g->n_follow--;
	} else if (g->n_flows && chance(&g->r, g->n_follow ? 90 : g->n_aims ? 25 : 45))
		go_on(g, &d, f);
	else if (g->n_flows && chance(&g->r, 10))
		error_about(g, &d, f);
	else
		fitting(g, &d, f);
	if (chance(&g->r, 4) && f->len > 60 && g->n_waiting == 0 && !(ntohs(ip->frag_off) & 0x3fff)) {
		cut(g, f);
		if (take_waiting(g, f))
			return;
	}
	if (chance(&g->r, 3))
		malform(g, f);
}
