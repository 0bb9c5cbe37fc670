/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any list of rules and any packets: the compiled form of the chain must not skip a rule that a
 *scan finds. An input is
 *
 *	rules u8, then so many rules of 24 bytes (struct input_rule), then packets: how u8, up to 48
 *bytes
 *
 * The list is repeated until it is long enough to be compiled.
 */
#include "filters/classifier.h"

#include "filters/conntrack.h"
#include "tests/unit/support/rulesets.h"

#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <stdlib.h>

enum { RULES_MOST = 96, PACKET_BYTES = 48 };

/* Each byte chooses; small numbers so that rules and packets meet. */
struct input_rule {
	uint8_t flags, proto, src, src_mask, dst, dst_mask, in, out;
	uint8_t matches[3];
	uint8_t how[3];
	uint8_t ports[8];
	uint8_t states, rest;
};

struct cursor {
	const uint8_t *at;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"", "eth0", "eth1", "eth+", "e+", "iucv0", "eth", "eth01"};
static const uint8_t protos[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_SCTP, 255};

static bool
take(struct cursor *c, void *to, size_t n)
{
	if (c->left < n)
		return false;
	memcpy(to, c->at, n);
	c->at += n;
	c->left -= n;
	return true;
}

/* Mostly 10.0.0.x, and the ends of the range. */
static uint32_t
address(uint8_t b)
{
	return b & 0x80 ? htonl(b & 1 ? 0xffffff00u | b : b & 0x0f)
			: htonl(0x0a000000u | (b & 0x1f));
}

static uint32_t
mask(uint8_t b)
{
	if (b & 0x80)
		return htonl(0xffffff00u | b);
	return b & 0x40 ? UINT32_MAX : ip4_mask(b % 33);
}

static uint16_t
port(uint8_t b)
{
	return b & 0x80 ? (uint16_t)(65535 - (b & 3)) : b;
}

static void
add(struct rules *rules, struct rules_rule *r, const char *name, uint8_t revision,
	const void *options, size_t size)
{
	uint8_t room[512] = {0};
	const struct test_ext e = {name, revision, room, (uint16_t)XT_ALIGN(size)};

	memcpy(room, options, size);
	test_rule_match(rules, r, &e);
}

static void
add_l4(struct rules *rules, struct rules_rule *r, const struct input_rule *in, uint8_t how)
{
	const struct xt_tcp tcp = {.spts = {port(in->ports[0]), port(in->ports[1])},
		.dpts = {port(in->ports[2]), port(in->ports[3])},
		.invflags = how & 0xf,
		.option = how & 0x80 ? 2 : 0};
	const struct xt_udp udp = {.spts = {port(in->ports[0]), port(in->ports[1])},
		.dpts = {port(in->ports[2]), port(in->ports[3])},
		.invflags = how & 3};
	const struct ipt_icmp icmp = {
		.type = in->ports[0], .code = {in->ports[1], in->ports[2]}, .invflags = how & 1};

	if (r->proto == IPPROTO_TCP)
		add(rules, r, "tcp", 0, &tcp, sizeof(tcp));
	else if (r->proto == IPPROTO_UDP)
		add(rules, r, "udp", 0, &udp, sizeof(udp));
	else if (r->proto == IPPROTO_ICMP)
		add(rules, r, "icmp", 0, &icmp, sizeof(icmp));
}

static void
add_multiport(struct rules *rules, struct rules_rule *r, const struct input_rule *in, uint8_t how)
{
	struct xt_multiport_v1 o = {
		.flags = how % 3, .count = (uint8_t)(how >> 4 & 7), .invert = how >> 7};
	int i;

	if (r->proto != IPPROTO_TCP && r->proto != IPPROTO_UDP && r->proto != IPPROTO_SCTP)
		return;
	for (i = 0; i < o.count; i++)
		o.ports[i] = port(in->ports[i]);
	if (o.count > 1 && how & 8)
		o.pflags[o.count - 2] = 1;
	add(rules, r, "multiport", 1, &o, sizeof(o));
}

static void
add_iprange(struct rules *rules, struct rules_rule *r, const struct input_rule *in, uint8_t how)
{
	const struct xt_iprange_mtinfo o = {
		.src_min.ip = address(in->ports[4]),
		.src_max.ip = address(in->ports[5]),
		.dst_min.ip = address(in->ports[6]),
		.dst_max.ip = address(in->ports[7]),
		.flags = how & 15,
	};

	add(rules, r, "iprange", 1, &o, sizeof(o));
}

static void
add_state(struct rules *rules, struct rules_rule *r, const struct input_rule *in, uint8_t how)
{
	const struct xt_conntrack_mtinfo3 o = {.match_flags = XT_CONNTRACK_STATE,
		.invert_flags = how & 1 ? XT_CONNTRACK_STATE : 0,
		.state_mask = (uint16_t)(in->states | (how & 2 ? 0x100 : 0))};

	add(rules, r, "conntrack", 3, &o, sizeof(o));
}

static void
add_rule(struct rules *rules, struct rules_chain *c, const struct input_rule *in)
{
	static void (*const adders[])(struct rules *, struct rules_rule *,
		const struct input_rule *,
		uint8_t) = {add_l4, add_multiport, add_iprange, add_state};
	struct rules_rule r = test_rule();
	int i;

	r.src_mask = ip4(mask(in->src_mask));
	r.dst_mask = ip4(mask(in->dst_mask));
	r.src = ip4(address(in->src) & r.src_mask.v4);
	r.dst = ip4(address(in->dst) & r.dst_mask.v4);
	r.flags = in->flags;
	r.proto = protos[in->proto % RTE_DIM(protos)];
	if (in->matches[0] & 3)
		r.flags &= (uint8_t)~RULE_NOT_PROTO;
	strcpy(r.in, names[in->in % 32 < RTE_DIM(names) ? in->in % 32 : 0]);
	strcpy(r.out, names[in->out % 32 < RTE_DIM(names) ? in->out % 32 : 0]);
	for (i = 0; i < 3; i++)
		if (in->matches[i] & 3 && !(r.flags & RULE_NOT_PROTO))
			adders[in->matches[i] >> 2 & 3](rules, &r, in, in->how[i]);
	r.action = ACTION_ACCEPT;
	if (rules_rule_insert(rules, c, c->n_rules, &r) < 0)
		abort();
}

static struct rules *
read_rules(struct cursor *c)
{
	struct rules *rules = rules_new();
	struct rules_tab *tab = rules_table(rules, TABLE_FILTER);
	struct rules_chain *chain = rules_chain(tab, "FORWARD");
	struct input_rule in[RULES_MOST];
	uint8_t n = 0;
	uint32_t i, got;

	take(c, &n, 1);
	n = (uint8_t)(n % RULES_MOST + 1);
	for (got = 0; got < n && take(c, &in[got], sizeof(in[0])); got++)
		;
	for (i = 0; got > 0 && (i < got || i < CLASSIFIER_MIN_RULES + 8); i++)
		add_rule(rules, chain, &in[i % got]);
	return rules;
}

static bool
rule_holds(const struct ruleset_rule *r, struct filter_ctx *c)
{
	uint8_t i;

	if (!rule_header_matches(r, c))
		return false;
	for (i = 0; i < r->n_matches; i++) {
		c->malformed = false;
		if (!r->matches[i].ops->match(c, r->matches[i].options, r->matches[i].state))
			return c->malformed;
	}
	return true;
}

static void
check(const struct ruleset_chain *chain, const struct classifier *compiled, struct filter_ctx *ctx)
{
	uint32_t first = chain->n_rules, from = first, i;
	struct classifier_key key;

	classifier_key(&key, ctx);
	while (from-- > 0) {
		if (rule_holds(&chain->rules[from], ctx))
			first = from;
		i = classifier_next(compiled, &key, from);
		if (i < from || i > first)
			abort();
	}
}

static void
run_packets(struct cursor *c, struct test_env *env, struct test_router *t, const struct ruleset *rs,
	const struct classifier *compiled)
{
	uint8_t how, bytes[PACKET_BYTES];

	while (take(c, &how, 1) && c->left > 0) {
		size_t len = RTE_MIN(c->left, sizeof(bytes));
		struct filter_ctx ctx;
		struct pkt *p;

		take(c, bytes, len);
		if (len >= 20 && how & 1) { /* as the rules have them */
			uint32_t src = address(bytes[12]), dst = address(bytes[16]);

			bytes[0] = 0x45;
			bytes[2] = 0;
			bytes[3] = (uint8_t)len;
			bytes[6] &= 0x20;
			bytes[7] &= 3;
			bytes[9] = protos[bytes[9] % RTE_DIM(protos)];
			memcpy(bytes + 12, &src, 4);
			memcpy(bytes + 16, &dst, 4);
			test_fix_ip(bytes);
		}
		p = test_pkt(env, bytes, len);
		if (pkt_parse(p) == DROP_NONE && p->family == AF_INET) {
			p->ct_info = how & 2 ? CT_UNTRACKED : 0;
			ctx = test_filter_ctx(env, t, p, rs, TABLE_FILTER, RULES_FORWARD,
				how >> 2 & 3, how >> 4 & 3);
			check(rs->tables[TABLE_FILTER].entry[RULES_FORWARD], compiled, &ctx);
		}
		test_pkt_free(env, p);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, size};
	struct rules *rules = read_rules(&c);
	struct classifier *compiled;
	struct test_router t;
	struct test_env env;
	struct ruleset *rs;
	char why[256];

	test_env_init(&env, 1);
	test_router_init(&t);
	rs = ruleset_new(rules, &t.r, NULL, NULL, why, sizeof(why));
	if (rs) {
		compiled = classifier_new(rs->tables[TABLE_FILTER].entry[RULES_FORWARD], NULL);
		if (compiled)
			run_packets(&c, &env, &t, rs, compiled);
		classifier_free(compiled);
		ruleset_free(rs);
	} else {
		rules_free(rules);
	}
	test_router_fini(&t, &env);
	return test_env_fini(&env) != 0;
}
