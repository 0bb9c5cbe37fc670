/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random rulesets. A user chain has the hooks from which it may be called; it is called from chains with the same hooks or
 * fewer, and only by chains before it, so there are no loops and no rule stands where its match or target is refused.
 */
#include "tests/oracle/rules_draft.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { BLIND_SHARE = 25, OUTPUT_SHARE = 15 /* of 100 */ };

static unsigned slow_share = 2; /* of 100 rulesets */
static bool with_nat;

void
rulesets_slow(unsigned percent)
{
	slow_share = percent;
}

void
rulesets_nat(void)
{
	with_nat = true;
}

bool
rulesets_have_nat(void)
{
	return with_nat;
}

static void
write_proto(struct gen *g)
{
	static const uint8_t others[] = {99, 99, 253};

	if (!g->proto && chance(&g->r, g->way.proto || gen_output(g) ? 3 : 15)) {
		if (chance(&g->r, 40)) {
			gen_say(g, " ! -p %s", PICK(&g->r, ((const char *const[]){"tcp", "udp", "icmp"})));
			return;
		}
		g->proto = chance(&g->r, 70) ? PICK(&g->r, ((const uint8_t[]){6, 17, 1})) : PICK(&g->r, others);
	}
	if (g->proto)
		gen_say(g, " -p %u", g->proto);
	g->rule->hint.proto = g->rule->proto = g->proto;
	gen_never(g, g->proto && g->hooks == H_OUT && g->proto != IPPROTO_TCP && g->proto != IPPROTO_ICMP);
}

/* No packet of these hooks has exactly this address there. */
static bool
is_nowhere(const struct gen *g, bool src, unsigned a)
{
	int8_t home = addresses[a].home;

	if (src)
		return g->hooks == H_FWD && home == -1;
	if (home == -2)
		return !(g->hooks & H_PRE);
	return home == -1 ? g->hooks == H_FWD : g->hooks == H_IN;
}

static void
write_address(struct gen *g, const char *option, bool src, uint32_t *hint)
{
	unsigned a = gen_likely_address(g, src);
	bool not = gen_not(g);

	if (!not)
		*hint = address_value(a);
	gen_say(g, " %s %s", option, addresses[a].text);
	if (chance(&g->r, 60))
		gen_say(g, "/%u", PICK(&g->r, ((unsigned[]){1, 4, 8, 8, 16, 24, 31})));
	else if (chance(&g->r, 10))
		gen_say(g, "/%s", PICK(&g->r, ((const char *const[]){"255.0.255.0", "0.0.0.255"})));
	else
		gen_never(g, !not && is_nowhere(g, src, a));
}

static void
write_iface(struct gen *g, const char *option, bool in)
{
	unsigned i = rnd(&g->r, 3);
	bool not = gen_not(g);

	if (chance(&g->r, 8)) {
		unsigned name = rnd(&g->r, 4);

		gen_say(g, " %s %s", option, ((const char *const[]){"t+", "lo", "tt0", "eth+"})[name]);
		g->rule->narrow = true;
		g->rule->impossible |= name == 0 ? not && g->hooks == H_FWD : name == 1 ? !not && g->hooks == H_FWD : !not;
		return;
	}
	gen_say(g, " %s t%u", option, i);
	if (not)
		g->rule->narrow = true;
	else if (in)
		g->rule->hint.iface = (int8_t)i;
	else
		g->rule->hint.out = (int8_t)i;
}

static void
write_header(struct gen *g)
{
	struct hint *h = &g->rule->hint;

	const struct hint *way = &g->way;

	if (chance(&g->r, way->src ? 3 : 15))
		write_address(g, "-s", true, &h->src);
	if (chance(&g->r, way->dst ? 3 : 15))
		write_address(g, "-d", false, &h->dst);
	if (!(g->hooks & (H_OUT | H_POST)) && chance(&g->r, way->iface >= 0 ? 3 : 20))
		write_iface(g, "-i", true);
	if (!(g->hooks & (H_PRE | H_IN)) && chance(&g->r, way->out >= 0 || way->dst || h->dst ? 3 : 20))
		write_iface(g, "-o", false);
	write_proto(g);
	if (g->proto != IPPROTO_TCP && chance(&g->r, 1)) {
		h->later_fragment = !gen_not(g);
		gen_never(g, h->later_fragment && g->hooks == H_OUT);
		gen_say(g, " -f");
	}
}

/* => a chain that this one may call; NULL: none. */
static struct chain *
callee(struct gen *g)
{
	const struct chain *from = &g->chains[g->chain];
	unsigned start = rnd(&g->r, g->n_chains), i;

	for (i = 0; i < g->n_chains; i++) {
		struct chain *c = &g->chains[(start + i) % g->n_chains];

		if (c->user && (!from->user || c->order > from->order) && !(g->hooks & ~c->hooks))
			return c;
	}
	return NULL;
}

/* The kernel wants to see in the rule that only SYN segments come to TCPMSS. */
static void
only_syn(struct gen *g)
{
	gen_say(g, " -m tcp --tcp-flags SYN SYN");
	g->rule->hint.flags_mask |= 2;
	g->rule->hint.flags |= 2;
}

static void
write_target(struct gen *g)
{
	struct chain *to = g->jump;
	uint32_t what = rnd(&g->r, 100);
	int t = -1;

	if (to) {
		to->caller = to->used ? to->caller : (int16_t)g->rs->n_rules;
		to->used = true;
		g->terminal = chance(&g->r, 15);
		strcpy(g->rule->to, to->name);
		gen_say(g, " %s %s", g->terminal ? "-g" : "-j", to->name);
		return;
	}
	if (what < 64)
		t = gen_target(g);
	if (t >= 0) {
		/* a target that wants a protocol which the rule does not name gives way */
		if (targets[t].proto && targets[t].proto != g->proto)
			return;
		g->rule->exts[g->rule->n_exts++] = (uint16_t)(N_MATCHES + t);
		if (targets[t].write == t_tcpmss)
			only_syn(g);
		gen_say(g, " -j %s", targets[t].name);
		targets[t].write(g);
		return;
	}
	if (what < 79)
		return;
	g->terminal = true;
	g->rule->returns = what >= 94 && what < 99;
	gen_say(g, " -j %s", what < 90 || (what < 94 && g->table == TABLE_OF_NAT) ? "ACCEPT" : what < 94 ? "DROP" :
		what < 99 ? "RETURN" : "QUEUE");
}

static struct rule *
gen_rule(struct gen *g)
{
	struct rule *r = &g->rs->rules[g->rs->n_rules];

	if (g->rs->n_rules == RULES_MAX)
		return NULL;
	memset(r, 0, sizeof(*r));
	strcpy(r->table, table_names[g->table]);
	strcpy(r->chain, g->chains[g->chain].name);
	r->hint.iface = r->hint.out = -1;
	r->caller = g->chains[g->chain].caller;
	r->hint.local = g->hooks == H_IN;
	r->hint.made_here = g->hooks && !(g->hooks & ~H_OUT);
	g->rule = r;
	g->proto = 0;
	g->terminal = false;
	gen_say(g, "-A %s", r->chain);
	return r;
}

static void
write_matches(struct gen *g, const int *chosen, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		gen_say(g, " -m %s", matches[chosen[i]].name);
		g->always = false;
		matches[chosen[i]].write(g);
		g->rule->narrow |= !g->always;
		g->rule->exts[g->rule->n_exts++] = (uint16_t)chosen[i];
	}
}

/* Matches first, as they say which protocol the rule must name before them. */
static unsigned
choose_matches(struct gen *g, int *chosen)
{
	unsigned n = PICK(&g->r, ((unsigned[]){0, 1, 1, 1, 1, 1, 2, 2, 3})), i, k;

	/* a chain that hardly anything comes to shows little */
	if (g->jump && n && chance(&g->r, 85))
		n = chance(&g->r, 50);

	for (i = 0; i < n; i++) {
		chosen[i] = gen_match(g);
		for (k = 0; k < i; k++)
			if (chosen[k] == chosen[i])
				return i;
		if (chosen[i] < 0)
			return i;
		gen_require_proto(g, &matches[chosen[i]]);
	}
	return n;
}

static bool
is_selective(const struct hint *h)
{
	return h->src || h->dst || h->sport || h->dport || h->icmp || h->ttl || h->has_tos || h->length || h->mss || h->flags_mask || h->tcp_option ||
		h->word || h->marked || h->connmarked || h->related || h->reply;
}

static void
write_rule(struct gen *g, bool measured)
{
	int chosen[RULE_EXTS];
	unsigned n;

	if (measured) {
		if (!gen_rule(g))
			return;
		g->rule->counter = true;
		g->rs->n_rules++;
	}
	if (!gen_rule(g))
		return;
	g->jump = chance(&g->r, 20) ? callee(g) : NULL;
	n = choose_matches(g, chosen);
	if (!g->proto && chance(&g->r, 20))
		g->proto = g->way.proto ? g->way.proto : gen_output(g) ? PICK(&g->r, ((const uint8_t[]){6, 1, 1})) : PICK(&g->r, ((const uint8_t[]){6, 6, 17, 1}));
	write_header(g);
	write_matches(g, chosen, n);
	g->rule->narrow |= strstr(g->rule->text, " -s ") || strstr(g->rule->text, " -d ") || strstr(g->rule->text, " -f") ||
		strstr(g->rule->text, "! -p");
	write_target(g);
	g->rule->ends = g->terminal;
	/* what ends the chain for every packet, or nearly, would hide the rest */
	if (g->terminal && !*g->rule->to && g->table != TABLE_OF_NAT && !is_selective(&g->rule->hint) && chance(&g->r, 70))
		return;
	if (g->terminal && !*g->rule->to && !g->rule->narrow && !g->proto && g->rule->hint.iface < 0 && g->rule->hint.out < 0 && chance(&g->r, 90))
		return;
	g->rs->n_rules++;
}

static void
declare(struct gen *g, const struct chain *c)
{
	char *to = g->rs->policies + strlen(g->rs->policies);

	if (c->user)
		sprintf(to, "%s :%s - [0:0]\n", table_names[g->table], c->name);
	else
		sprintf(to, "%s :%s %s [0:0]\n", table_names[g->table], c->name,
			chance(&g->r, g->table == 2 ? 5 : 0) ? "DROP" : "ACCEPT");
}

static void
make_chains(struct gen *g)
{
	unsigned h, n = rnd(&g->r, 5), i;
	struct chain *c;

	g->n_chains = 0;
	for (h = 0; h < 5; h++) {
		if (!(table_hooks[g->table] & 1u << h))
			continue;
		c = &g->chains[g->n_chains++];
		*c = (struct chain){.hooks = (uint8_t)(1u << h), .used = true, .caller = -1};
		strcpy(c->name, hook_names[h]);
		declare(g, c);
	}
	for (i = 0; i < n; i++) {
		c = &g->chains[g->n_chains++];
		*c = (struct chain){.user = true, .order = (uint8_t)i, .caller = -1};
		/* half of them for one hook, so that what only is allowed there gets its turn */
		c->hooks = chance(&g->r, 50) ? table_hooks[g->table] : (uint8_t)(1u << PICK(&g->r, ((unsigned[]){0, 1, 2, 2, 2, 3, 4})));
		snprintf(c->name, sizeof(c->name), "%c%u", "abcdefgh"[rnd(&g->r, 8)], i);
		declare(g, c);
	}
}

/* What the first rule that calls a chain, and those before it, let come. */
static void
find_way(struct gen *g, const struct chain *c)
{
	int caller = c->caller;

	g->way = (struct hint){.iface = -1, .out = -1};
	for (; caller >= 0; caller = g->rs->rules[caller].caller)
		hint_add(&g->way, &g->rs->rules[caller].hint);
}

static void
make_table(struct gen *g, unsigned table, bool measured)
{
	unsigned i, n, max;

	g->table = table;
	make_chains(g);
	for (g->chain = 0; g->chain < g->n_chains; g->chain++) {
		struct chain *c = &g->chains[g->chain];

		if (!c->used)
			continue;
		g->hooks = c->hooks & table_hooks[table];
		if (table == TABLE_OF_NAT && g->hooks == H_OUT && !chance(&g->r, OUTPUT_SHARE))
			continue; /* connections that begin here are rare */
		find_way(g, c);
		max = chance(&g->r, 4) ? 40 : 6;
		n = rnd(&g->r, max);
		for (i = 0; i < n; i++)
			write_rule(g, measured);
	}
}

static void
make_pool(struct gen *g)
{
	static const uint16_t ports[] = {20, 21, 22, 53, 80, 443, 511, 1023, 1024, 5000, 8080, 32768, 65535};
	struct pool *p = &g->rs->pool;
	unsigned i;

	for (i = 0; i < PORTS; i++)
		p->ports[i] = chance(&g->r, 70) ? PICK(&g->r, ports) : (uint16_t)rnd_between(&g->r, 1, 65535);
	for (i = 0; i < 3; i++)
		p->lengths[i] = (uint16_t)rnd_between(&g->r, 28, chance(&g->r, 70) ? 200 : 1500);
	for (i = 0; i < 2; i++)
		p->mss[i] = PICK(&g->r, ((uint16_t[]){536, 1200, 1360, 1400, 1460, 8960}));
	for (i = 0; i < MARKS; i++)
		p->marks[i] = chance(&g->r, 50) ? rnd_between(&g->r, 1, 15) : (uint32_t)rnd64(&g->r);
	for (i = 0; i < 3; i++)
		p->tos[i] = PICK(&g->r, ((uint8_t[]){0x10, 0x08, 0x04, 0x02, 0xb8, 0x28, 0x01, 0x03, 0}));
	for (i = 0; i < 3; i++)
		p->ttl[i] = PICK(&g->r, ((uint8_t[]){2, 3, 64, 63, 128, 255, 5, 32}));
}

void
ruleset_generate(struct ruleset_text *rs, uint64_t seed, uint64_t serial, bool measured, bool plain)
{
	struct gen g = {.r = {seed}, .rs = rs, .serial = serial};
	unsigned t;

	memset(rs, 0, sizeof(*rs));
	rs->serial = serial;
	make_pool(&g);
	rs->slow = chance(&g.r, slow_share);
	rs->nat = with_nat && !plain;
	rs->blind = rs->nat && chance(&g.r, BLIND_SHARE);
	if (rs->nat)
		make_table(&g, TABLE_OF_NAT, measured);
	for (t = 0; t < TABLE_OF_NAT && !plain; t++)
		if (chance(&g.r, PICK(&g.r, ((unsigned[]){0, 60, 100})) + (t == 2 ? 60 : 0)))
			make_table(&g, t, measured);
	if (rs->blind)
		ruleset_make_blind(rs);
	ruleset_rule_out(rs);
}

void
ext_sample(unsigned i, struct ruleset_text *rs)
{
	const struct ext *e = i < N_MATCHES ? &matches[i] : &targets[i - N_MATCHES];
	struct gen g = {.r = {42}, .rs = rs, .serial = 0xffff0000 + i, .n_chains = 1, .way = {.iface = -1, .out = -1}};
	unsigned t = 0, h = 0;

	memset(rs, 0, sizeof(*rs));
	make_pool(&g);
	while (!(e->tables & 1u << t))
		t++;
	while (!(e->hooks & table_hooks[t] & 1u << h))
		h++;
	g.table = t;
	g.hooks = (uint8_t)(1u << h);
	g.chains[0].hooks = g.hooks;
	strcpy(g.chains[0].name, hook_names[h]);
	declare(&g, &g.chains[0]);
	gen_rule(&g);
	gen_require_proto(&g, e);
	write_proto(&g);
	if (e->write == t_tcpmss)
		only_syn(&g);
	gen_say(&g, i < N_MATCHES ? " -m %s" : " -j %s", e->name);
	e->write(&g);
	rs->n_rules = 1;
}
