/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/chains.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv4/ipt_TTL.h>
#include <stdio.h>
#include <stdlib.h>

const char *const chain_kind_names[CHAIN_KINDS] = {
	"services", "blocklist", "kube", "mixed", "guests", "wide", "odd"};

enum { STATE_EST = 1 << 1 | 1 << 2, STATE_NEW = 1 << 3, USER_CHAINS = 3 };

struct maker {
	uint64_t *random;
	struct rules *rules;
	uint32_t n, i; /* rules in all; the present one */
};

uint64_t
chain_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t
below(uint64_t *random, uint32_t n)
{
	return (uint32_t)((chain_random(random) >> 32) * n >> 32);
}

static bool
one_in(struct maker *m, uint32_t n)
{
	return below(m->random, n) == 0;
}

static void
add(struct maker *m, struct rules_rule *r, const char *name, uint8_t revision, const void *options,
	size_t size)
{
	uint8_t room[512] = {0};
	const struct test_ext e = {name, revision, room, (uint16_t)XT_ALIGN(size)};

	memcpy(room, options, size);
	test_rule_match(m->rules, r, &e);
}

static void
set_addr(struct ip_addr *addr, struct ip_addr *mask, uint32_t host, uint32_t mask_host)
{
	*addr = ip4(htonl(host & mask_host));
	*mask = ip4(htonl(mask_host));
}

static uint32_t
prefix_mask(uint32_t len)
{
	return len ? ~0u << (32 - len) : 0;
}

static void
add_ports(struct maker *m, struct rules_rule *r, uint16_t first, uint16_t last)
{
	const struct xt_tcp tcp = {.spts = {0, 65535}, .dpts = {first, last}};
	const struct xt_udp udp = {.spts = {0, 65535}, .dpts = {first, last}};

	if (r->proto == IPPROTO_TCP)
		add(m, r, "tcp", 0, &tcp, sizeof(tcp));
	else
		add(m, r, "udp", 0, &udp, sizeof(udp));
}

static void
add_ctstate(struct maker *m, struct rules_rule *r, uint16_t states)
{
	const struct xt_conntrack_mtinfo3 ct = {
		.match_flags = XT_CONNTRACK_STATE, .state_mask = states};

	add(m, r, "conntrack", 3, &ct, sizeof(ct));
}

static void
make_service(struct maker *m, struct rules_rule *r)
{
	uint32_t hosts = m->n / 10 + 1;

	r->action = ACTION_ACCEPT;
	if (m->i == 0) {
		add_ctstate(m, r, STATE_EST);
		return;
	}
	set_addr(&r->dst, &r->dst_mask, 0xc0a80000u + m->i % hosts, ~0u);
	r->proto = one_in(m, 3) ? IPPROTO_UDP : IPPROTO_TCP;
	add_ports(m, r, (uint16_t)(20 + m->i / hosts * 37), (uint16_t)(20 + m->i / hosts * 37));
	add_ctstate(m, r, STATE_NEW);
}

static void
make_block(struct maker *m, struct rules_rule *r)
{
	set_addr(&r->src, &r->src_mask, (uint32_t)chain_random(m->random), ~0u);
	r->action = ACTION_DROP;
}

static void
make_kube(struct maker *m, struct rules_rule *r)
{
	const struct xt_comment_info text = {.comment = "default/some-service cluster IP"};
	uint16_t port = one_in(m, 3) ? 443 : 80;

	set_addr(&r->dst, &r->dst_mask, 0x0a600000u + below(m->random, 1 << 16), ~0u);
	r->proto = IPPROTO_TCP;
	add(m, r, "comment", 0, &text, sizeof(text));
	add_ports(m, r, port, port);
	r->action = ACTION_ACCEPT;
}

static void
make_mixed(struct maker *m, struct rules_rule *r)
{
	static const uint16_t ports[] = {22, 25, 53, 80, 110, 143, 443, 993, 3306, 5432, 8080};
	static const uint8_t lens[] = {8, 16, 20, 24, 24, 28, 32, 32};
	uint16_t port = ports[below(m->random, RTE_DIM(ports))];

	r->action = one_in(m, 3) ? ACTION_DROP : ACTION_ACCEPT;
	if (!one_in(m, 3))
		set_addr(&r->src, &r->src_mask, 0x0a000000u + below(m->random, 1 << 22),
			prefix_mask(lens[one_in(m, 20) ? 0 : below(m->random, 7) + 1]));
	if (!one_in(m, 3) || r->src_mask.v4 == 0)
		set_addr(&r->dst, &r->dst_mask, 0xac100000u + below(m->random, 1 << 20),
			prefix_mask(lens[one_in(m, 20) ? 0 : below(m->random, 7) + 1]));
	if (one_in(m, 8))
		strcpy(r->in, one_in(m, 2) ? "eth0" : "eth+");
	if (one_in(m, 4))
		return;
	r->proto = one_in(m, 3) ? IPPROTO_UDP : IPPROTO_TCP;
	if (one_in(m, 6))
		add_ports(m, r, 1024, 65535);
	else if (one_in(m, 6))
		port = (uint16_t)below(m->random, 65536), add_ports(m, r, port, port);
	else if (!one_in(m, 5))
		add_ports(m, r, port, port);
	if (one_in(m, 2))
		add_ctstate(m, r, STATE_NEW);
}

static void
make_guest(struct maker *m, struct rules_rule *r)
{
	snprintf(m->i % 2 ? r->in : r->out, sizeof(r->in), m->i % 64 ? "guest%u" : "guest%u+",
		m->i / 2);
	set_addr(&r->src, &r->src_mask, 0x0a000000u + m->i / 2, ~0u);
	r->flags = m->i % 2 ? RULE_NOT_SRC : 0;
	r->action = ACTION_DROP;
}

static void
make_wide(struct maker *m, struct rules_rule *r)
{
	uint32_t a = (uint32_t)chain_random(m->random), b = (uint32_t)chain_random(m->random);
	const struct xt_iprange_mtinfo range = {
		.src_min.ip = htonl(RTE_MIN(a, b)),
		.src_max.ip = htonl(RTE_MAX(a, b)),
		.dst_min.ip = htonl(RTE_MIN(a, ~b)),
		.dst_max.ip = htonl(RTE_MAX(a, ~b)),
		.flags = IPRANGE_SRC | IPRANGE_DST,
	};
	uint16_t p = (uint16_t)below(m->random, 65536), q = (uint16_t)below(m->random, 65536);

	add(m, r, "iprange", 1, &range, sizeof(range));
	r->proto = one_in(m, 2) ? IPPROTO_UDP : IPPROTO_TCP;
	add_ports(m, r, RTE_MIN(p, q), RTE_MAX(p, q));
	r->action = ACTION_DROP;
}

/* ---- odd ---- */

static uint32_t
odd_mask(struct maker *m)
{
	switch (below(m->random, 6)) {
	case 0:
		return 0xff00ff0fu;
	case 1:
		return 0xfffffff5u;
	case 2:
		return ~0u;
	}
	return prefix_mask(below(m->random, 33));
}

static uint32_t
odd_addr(struct maker *m)
{
	static const uint32_t edges[] = {0, 0xffffffffu, 0xfffffffeu, 0x7fffffffu, 0x80000000u};

	return one_in(m, 12) ? edges[below(m->random, RTE_DIM(edges))]
			     : 0x0a000000u + below(m->random, 20);
}

static uint16_t
odd_port(struct maker *m)
{
	static const uint16_t edges[] = {0, 65535, 65534, 1};

	return one_in(m, 8) ? edges[below(m->random, RTE_DIM(edges))]
			    : (uint16_t)(1000 + below(m->random, 12));
}

static void
odd_range(struct maker *m, uint16_t range[2])
{
	range[0] = odd_port(m);
	range[1] = one_in(m, 2) ? range[0] : odd_port(m);
	if (one_in(m, 3)) {
		range[0] = 0;
		range[1] = 65535;
	}
}

static void
odd_header(struct maker *m, struct rules_rule *r)
{
	static const char *const names[] = {
		"eth0", "eth1", "eth+", "e+", "eth01", "iucv0", "eth", "eth0+"};
	static const uint16_t protos[] = {
		0, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_SCTP};

	if (one_in(m, 2))
		set_addr(&r->src, &r->src_mask, odd_addr(m), odd_mask(m));
	if (one_in(m, 2))
		set_addr(&r->dst, &r->dst_mask, odd_addr(m), odd_mask(m));
	if (one_in(m, 4))
		strcpy(r->in, names[below(m->random, RTE_DIM(names))]);
	if (one_in(m, 4))
		strcpy(r->out, names[below(m->random, RTE_DIM(names))]);
	r->proto = protos[below(m->random, RTE_DIM(protos))];
	r->flags |= one_in(m, 10) ? RULE_FRAGMENT : 0;
	r->flags |= one_in(m, 10) ? RULE_NOT_FRAGMENT : 0;
	r->flags |= one_in(m, 6) ? RULE_NOT_SRC : 0;
	r->flags |= one_in(m, 6) ? RULE_NOT_DST : 0;
	r->flags |= one_in(m, 8) ? RULE_NOT_IN : 0;
	r->flags |= one_in(m, 8) ? RULE_NOT_OUT : 0;
}

static void
odd_l4(struct maker *m, struct rules_rule *r)
{
	struct xt_tcp tcp = {.invflags = one_in(m, 3) ? (uint8_t)below(m->random, 4) : 0};
	struct xt_udp udp = {.invflags = one_in(m, 3) ? (uint8_t)below(m->random, 4) : 0};
	const struct ipt_icmp icmp = {
		.type = (uint8_t)(one_in(m, 4) ? 255 : below(m->random, 3) * 4),
		.code = {0, (uint8_t)(one_in(m, 2) ? 255 : 0)},
		.invflags = one_in(m, 4)};

	odd_range(m, tcp.spts);
	odd_range(m, tcp.dpts);
	odd_range(m, udp.spts);
	odd_range(m, udp.dpts);
	if (one_in(m, 6)) {
		tcp.flg_mask = 0x12;
		tcp.flg_cmp = 0x02;
	}
	tcp.option = one_in(m, 8) ? 2 : 0;
	if (r->proto == IPPROTO_TCP)
		add(m, r, "tcp", 0, &tcp, sizeof(tcp));
	else if (r->proto == IPPROTO_UDP)
		add(m, r, "udp", 0, &udp, sizeof(udp));
	else if (r->proto == IPPROTO_ICMP)
		add(m, r, "icmp", 0, &icmp, sizeof(icmp));
}

static void
odd_multiport(struct maker *m, struct rules_rule *r)
{
	struct xt_multiport_v1 o = {.flags = (uint8_t)below(m->random, 3), .invert = one_in(m, 4)};

	if (r->proto != IPPROTO_TCP && r->proto != IPPROTO_UDP && r->proto != IPPROTO_SCTP)
		return;
	for (o.count = 0; o.count < 13 && !one_in(m, 6); o.count++) {
		o.ports[o.count] = odd_port(m);
		if (!one_in(m, 4))
			continue;
		o.pflags[o.count] = 1;
		o.ports[o.count + 1] = (uint16_t)(o.ports[o.count] + below(m->random, 3));
		o.count++;
	}
	add(m, r, "multiport", 1, &o, sizeof(o));
}

static void
odd_state(struct maker *m, struct rules_rule *r)
{
	const struct xt_state_info state = {.statemask = below(m->random, 128)};
	uint32_t mask = one_in(m, 4) ? below(m->random, 512) : below(m->random, 16);
	uint16_t invert = one_in(m, 3) ? XT_CONNTRACK_STATE : 0;
	const struct xt_conntrack_mtinfo1 ct1 = {.match_flags = XT_CONNTRACK_STATE,
		.invert_flags = (uint8_t)invert,
		.state_mask = (uint8_t)mask};
	const struct xt_conntrack_mtinfo2 ct2 = {.match_flags = XT_CONNTRACK_STATE,
		.invert_flags = invert,
		.state_mask = (uint16_t)mask};
	const struct xt_conntrack_mtinfo3 ct3 = {.match_flags = XT_CONNTRACK_STATE,
		.invert_flags = invert,
		.state_mask = (uint16_t)mask};

	switch (below(m->random, 4)) {
	case 0:
		add(m, r, "conntrack", 1, &ct1, sizeof(ct1));
		break;
	case 1:
		add(m, r, "conntrack", 2, &ct2, sizeof(ct2));
		break;
	case 2:
		add(m, r, "conntrack", 3, &ct3, sizeof(ct3));
		break;
	default:
		add(m, r, "state", 0, &state, sizeof(state));
	}
}

static void
odd_iprange(struct maker *m, struct rules_rule *r)
{
	struct xt_iprange_mtinfo o = {.flags = (uint8_t)below(m->random, 16)};

	o.src_min.ip = htonl(odd_addr(m));
	o.src_max.ip = htonl(odd_addr(m));
	o.dst_min.ip = htonl(odd_addr(m));
	o.dst_max.ip = htonl(odd_addr(m));
	add(m, r, "iprange", 1, &o, sizeof(o));
}

static void
odd_other(struct maker *m, struct rules_rule *r)
{
	const struct xt_rateinfo limit = {.avg = 10000, .burst = 5};
	const struct xt_statistic_info nth = {
		.mode = XT_STATISTIC_MODE_NTH, .u.nth = {.every = 1, .packet = 0}};
	const struct xt_mark_mtinfo1 mark = {
		.mark = below(m->random, 2), .mask = 1, .invert = one_in(m, 2)};
	const struct xt_length_info length = {
		.min = 0, .max = (uint16_t)(40 + below(m->random, 20))};
	const struct xt_comment_info text = {.comment = "words"};

	switch (below(m->random, 6)) {
	case 0:
		add(m, r, "limit", 0, &limit, sizeof(limit));
		break;
	case 1:
		add(m, r, "statistic", 0, &nth, sizeof(nth));
		break;
	case 2:
		add(m, r, "mark", 1, &mark, sizeof(mark));
		break;
	case 3:
		add(m, r, "length", 0, &length, sizeof(length));
		break;
	default:
		add(m, r, "comment", 0, &text, sizeof(text));
	}
}

static void
odd_action(struct maker *m, struct rules_rule *r, int chain)
{
	const struct xt_mark_tginfo2 mark = {.mark = below(m->random, 2), .mask = 1};
	const struct ipt_TTL_info ttl = {.mode = IPT_TTL_DEC, .ttl = 1};
	uint8_t room[2][16] = {0};
	const struct test_ext exts[] = {{"MARK", 2, room[0], XT_ALIGN(sizeof(mark))},
		{"TTL", 0, room[1], XT_ALIGN(sizeof(ttl))}};
	static const uint8_t actions[] = {
		ACTION_NONE, ACTION_NONE, ACTION_NONE, ACTION_ACCEPT, ACTION_DROP, ACTION_RETURN};

	memcpy(room[0], &mark, sizeof(mark));
	memcpy(room[1], &ttl, sizeof(ttl));
	r->action = actions[below(m->random, RTE_DIM(actions))];
	if (one_in(m, 4))
		test_rule_target(m->rules, r, &exts[below(m->random, 2)]);
	else if (chain + 1 < USER_CHAINS && one_in(m, 4)) {
		r->action = one_in(m, 4) ? ACTION_GOTO : ACTION_JUMP;
		snprintf(r->chain, sizeof(r->chain), "user%d", chain + 1);
	}
}

static void
make_odd_in(struct maker *m, struct rules_rule *r, int chain)
{
	int i;

	odd_header(m, r);
	for (i = 0; i < 3; i++)
		switch (below(m->random, 9)) {
		case 0:
		case 1:
			odd_l4(m, r);
			break;
		case 2:
			odd_multiport(m, r);
			break;
		case 3:
			odd_state(m, r);
			break;
		case 4:
			odd_iprange(m, r);
			break;
		case 5:
			odd_other(m, r);
			break;
		}
	odd_action(m, r, chain);
}

static void
make_odd(struct maker *m, struct rules_rule *r)
{
	make_odd_in(m, r, -1);
}

static void
fill(struct maker *m, struct rules_chain *c, uint32_t n, int user,
	void (*make)(struct maker *, struct rules_rule *))
{
	for (m->i = 0, m->n = n; m->i < n; m->i++) {
		struct rules_rule r = test_rule();

		if (user >= 0)
			make_odd_in(m, &r, user);
		else
			make(m, &r);
		if (rules_rule_insert(m->rules, c, c->n_rules, &r) < 0)
			abort();
	}
}

struct rules *
chain_make(uint64_t *random, enum chain_kind kind, uint32_t n)
{
	static void (*const makers[CHAIN_KINDS])(struct maker *, struct rules_rule *) = {
		make_service, make_block, make_kube, make_mixed, make_guest, make_wide, make_odd};
	struct maker m = {.random = random, .rules = rules_new()};
	struct rules_tab *tab = m.rules ? rules_table(m.rules, TABLE_MANGLE) : NULL;
	struct rules_chain *c, *user[USER_CHAINS];
	char name[RULES_NAME];
	int i;

	if (!tab)
		abort();
	for (i = 0; i < USER_CHAINS && kind == CHAIN_ODD; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		user[i] = rules_chain_add(m.rules, tab, name);
		fill(&m, user[i], n / 3 + 1, i, NULL);
	}
	c = rules_chain(tab, "FORWARD");
	c->policy = ACTION_DROP;
	fill(&m, c, n, -1, makers[kind]);
	return m.rules;
}

const struct rules_chain *
chain_forward(const struct rules *rules)
{
	return rules_chain(&rules->tables[TABLE_MANGLE], "FORWARD");
}

/* ---- packets ---- */

struct draft {
	uint32_t src, dst; /* host byte order */
	uint16_t sport, dport, frag_off;
	uint8_t proto, flags;
	uint16_t cut; /* bytes of layer 4 that are there; 0: all */
};

static uint16_t
within(uint64_t *random, const uint16_t range[2])
{
	return (uint16_t)(range[0] +
			  (range[1] > range[0] ? below(random, range[1] - range[0] + 1u) : 0));
}

static void
draft_match(uint64_t *random, struct draft *d, const struct rules_ext *e)
{
	const struct xt_tcp *tcp = (const struct xt_tcp *)e->data; /* xt_udp begins as it does */
	const struct xt_multiport_v1 *multi = (const struct xt_multiport_v1 *)e->data;
	const struct xt_iprange_mtinfo *range = (const struct xt_iprange_mtinfo *)e->data;
	const struct ipt_icmp *icmp = (const struct ipt_icmp *)e->data;

	if (strcmp(e->name, "tcp") == 0 || strcmp(e->name, "udp") == 0) {
		d->sport = within(random, tcp->spts);
		d->dport = within(random, tcp->dpts);
	} else if (strcmp(e->name, "multiport") == 0 && multi->count) {
		*(multi->flags == XT_MULTIPORT_SOURCE ? &d->sport : &d->dport) =
			multi->ports[below(random, multi->count)];
	} else if (strcmp(e->name, "icmp") == 0) {
		d->sport = (uint16_t)(icmp->type << 8 | icmp->code[0]);
	} else if (strcmp(e->name, "iprange") == 0) {
		d->src = range->flags & IPRANGE_SRC ? ntohl(range->src_max.ip) : d->src;
		d->dst = range->flags & IPRANGE_DST ? ntohl(range->dst_min.ip) : d->dst;
	}
}

static void
draft_rule(uint64_t *random, struct draft *d, const struct rules_rule *r)
{
	uint32_t any = (uint32_t)chain_random(random);
	uint16_t i;

	*d = (struct draft){.flags = 2, .sport = (uint16_t)any, .dport = (uint16_t)(any >> 16)};
	d->src = ntohl(r->src.v4) | ((0x0a000000u + (any & 0xf)) & ~ntohl(r->src_mask.v4));
	d->dst = ntohl(r->dst.v4) | ((0x0a000000u + (any >> 4 & 0xf)) & ~ntohl(r->dst_mask.v4));
	d->proto = (uint8_t)r->proto;
	if (r->proto == 0)
		d->proto = any & 0x100 ? IPPROTO_TCP : IPPROTO_UDP;
	for (i = 0; i < r->n_matches; i++)
		draft_match(random, d, &r->matches[i]);
	if (r->flags & RULE_FRAGMENT)
		d->frag_off = 10;
}

static size_t
draft_write(const struct draft *d, uint8_t *buf)
{
	static const uint8_t sizes[256] = {
		[IPPROTO_TCP] = 20, [IPPROTO_UDP] = 8, [IPPROTO_ICMP] = 8};
	size_t l4 = d->cut ? d->cut - 1u : sizes[d->proto] ? sizes[d->proto] : 12u;
	uint8_t head[20] = {(uint8_t)(d->sport >> 8), (uint8_t)d->sport, (uint8_t)(d->dport >> 8),
		(uint8_t)d->dport, [12] = 5 << 4, [13] = d->flags};
	struct iphdr ip = {.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = d->proto,
		.saddr = htonl(d->src),
		.daddr = htonl(d->dst)};

	if (d->proto == IPPROTO_UDP)
		head[5] = 8;
	ip.tot_len = htons((uint16_t)(sizeof(ip) + l4));
	ip.frag_off = htons(d->frag_off);
	ip.check = (uint16_t)~csum_fold(csum_add(0, &ip, sizeof(ip)));
	memcpy(buf, &ip, sizeof(ip));
	memcpy(buf + sizeof(ip), head, l4);
	return sizeof(ip) + l4;
}

size_t
chain_packet(uint64_t *random, const struct rules_rule *rule, uint8_t *buf)
{
	struct draft d;

	draft_rule(random, &d, rule);
	return draft_write(&d, buf);
}

static void
draft_shift(uint64_t *random, struct draft *d)
{
	uint32_t by = below(random, 2) ? 1 : ~0u;

	switch (below(random, 12)) {
	case 0:
		d->src += by;
		break;
	case 1:
		d->dst += by;
		break;
	case 2:
		d->sport += (uint16_t)by;
		break;
	case 3:
		d->dport += (uint16_t)by;
		break;
	case 4:
		d->proto = (uint8_t)(below(random, 3) ? IPPROTO_TCP : below(random, 256));
		break;
	case 5:
		d->frag_off = (uint16_t)(below(random, 3) ? 1 + below(random, 3) : 0x2000);
		break;
	case 6:
		d->src = (uint32_t)chain_random(random);
		break;
	case 7:
		d->cut = (uint16_t)(1 + below(random, 20));
		break;
	case 8:
		d->flags = (uint8_t)below(random, 64);
		break;
	}
}

size_t
chain_packet_near(uint64_t *random, const struct rules_rule *rule, uint8_t *buf)
{
	struct draft d;

	draft_rule(random, &d, rule);
	draft_shift(random, &d);
	return draft_write(&d, buf);
}
