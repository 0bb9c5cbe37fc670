/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random rulesets. A user chain has the hooks from which it may be called; it is called from chains with the same hooks or fewer, and only by chains before it, so there
 * are no loops and no rule stands where its match or target is refused.
 */
#include "tests/oracle/generate.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct address addresses[ADDRESSES] = {
	{"10.0.0.2", 0}, {"10.0.0.5", 0}, {"10.0.0.77", 0}, {"10.0.8.9", 0}, {"10.0.15.200", 0},
	{"192.0.2.2", 1}, {"198.51.100.7", 1}, {"198.51.100.8", 1}, {"172.16.5.5", 1}, {"8.8.8.8", 1},
	{"10.1.0.2", 2}, {"10.1.7.7", 2}, {"203.0.113.9", 2},
	{"10.0.0.1", -1}, {"192.0.2.1", -1}, {"10.1.0.1", -1},
	{"10.66.1.1", -2}, {"10.67.1.1", -2}, {"10.68.1.1", -2}, {"200.1.2.3", -2},
};

static const char *const words[] = {"GET /", "USER", "rookery", "aab", "\\xff", "abcabd"};

uint32_t
address_value(unsigned i)
{
	return inet_addr(addresses[i].text);
}

int8_t
address_home(uint32_t a)
{
	unsigned i;

	for (i = 0; i < ADDRESSES; i++)
		if (address_value(i) == a)
			return addresses[i].home;
	return -2;
}

enum { T_RAW = 1, T_MANGLE = 2, T_FILTER = 4, T_SECURITY = 8, T_ALL = 15 };
enum { H_PRE = 1, H_IN = 2, H_FWD = 4, H_OUT = 8, H_POST = 16, H_ALL = 31 };
enum { PORTS_PROTO = 255, TABLES = 4, CHAINS_MAX = 12 };

static const char *const table_names[TABLES] = {"raw", "mangle", "filter", "security"};
static const char *const hook_names[5] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
static const uint8_t table_hooks[TABLES] = {H_PRE | H_OUT, H_ALL, H_IN | H_FWD | H_OUT, H_IN | H_FWD | H_OUT};

struct chain {
	char name[32];
	uint8_t hooks;
	bool user, used;
	uint8_t order;
	int16_t caller; /* index of the first rule that calls it; -1: none */
};

struct gen {
	struct rnd r;
	struct ruleset_text *rs;
	uint64_t serial;
	unsigned table;
	struct chain chains[CHAINS_MAX];
	unsigned n_chains, chain;
	struct rule *rule;
	uint8_t proto;    /* of the rule; 0: any */
	uint8_t hooks;
	struct hint way;  /* what the rules that call the chain leave of the packets */
	bool terminal;    /* target ends the chain for what matches */
	unsigned n_sets;
	char set_names[SETS][32];
	uint8_t set_types[SETS];
	uint32_t set_address[SETS]; /* of a member */
	uint16_t set_port[SETS];
};

static void
say(struct gen *g, const char *format, ...)
{
	char *text = g->rule->text;
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, RULE_TEXT - len, format, args);
	va_end(args);
	assert(strlen(text) < RULE_TEXT - 1);
}

/* "! " in a quarter of the cases. */
static bool
invert(struct gen *g)
{
	bool yes = chance(&g->r, 25);

	if (yes)
		say(g, " !");
	return yes;
}

static uint16_t
port(struct gen *g)
{
	return PICK(&g->r, g->rs->pool.ports);
}

/* " --option port" or a range. */
static void
port_option(struct gen *g, const char *option, uint16_t *hint)
{
	uint16_t a = port(g), b;
	bool not = invert(g);

	switch (rnd(&g->r, 5)) {
	case 0:
		b = (uint16_t)(a > 65000 ? 65535 : a + rnd(&g->r, 40));
		say(g, " %s %u:%u", option, a, b);
		break;
	case 1:
		say(g, chance(&g->r, 50) ? " %s %u:" : " %s :%u", option, a);
		break;
	default:
		say(g, " %s %u", option, a);
	}
	if (!not)
		*hint = a;
}

void
hint_add(struct hint *to, const struct hint *from)
{
	to->iface = to->iface >= 0 ? to->iface : from->iface;
	to->out = to->out >= 0 ? to->out : from->out;
	to->src = to->src ? to->src : from->src;
	to->dst = to->dst ? to->dst : from->dst;
	to->proto = to->proto ? to->proto : from->proto;
	to->sport = to->sport ? to->sport : from->sport;
	to->dport = to->dport ? to->dport : from->dport;
	to->ttl = to->ttl ? to->ttl : from->ttl;
	to->length = to->length ? to->length : from->length;
	to->word = to->word ? to->word : from->word;
	if (!to->has_tos) {
		to->has_tos = from->has_tos;
		to->tos = from->tos;
	}
	if (!to->icmp && from->icmp) {
		to->icmp = true;
		to->icmp_type = from->icmp_type;
		to->icmp_code = from->icmp_code;
	}
	if (!to->flags_mask) {
		to->flags_mask = from->flags_mask;
		to->flags = from->flags;
	}
	to->local |= from->local;
	to->made_here |= from->made_here;
}

/* Rules that only packets of the router itself meet: answers to pings, errors, resets. */
static bool
is_output(const struct gen *g)
{
	return g->hooks == H_OUT || g->way.made_here;
}

static bool
is_input(const struct gen *g)
{
	return g->hooks == H_IN || g->way.local;
}

/* ---- matches ---- */

static void
m_tcp(struct gen *g)
{
	static const char *const flags[] = {"SYN,RST,ACK SYN", "ALL NONE", "FIN,SYN FIN,SYN", "ACK ACK", "SYN,ACK SYN,ACK",
		"RST RST", "PSH,ACK PSH", "ALL SYN,ACK", "URG URG"};
	static const uint8_t values[][2] = {
		{0x16, 2}, {0x3f, 0}, {3, 3}, {0x10, 0x10}, {0x12, 0x12}, {4, 4}, {0x18, 8}, {0x3f, 0x12}, {0x20, 0x20}};
	struct hint *h = &g->rule->hint;
	unsigned i;

	if (chance(&g->r, 30))
		port_option(g, "--sport", &h->sport);
	if (chance(&g->r, 50))
		port_option(g, "--dport", &h->dport);
	if (chance(&g->r, 30)) {
		i = is_output(g) && chance(&g->r, 90) ? 5 : rnd(&g->r, sizeof(flags) / sizeof(*flags));
		if (!invert(g)) {
			h->flags_mask = values[i][0];
			h->flags = values[i][1];
		}
		say(g, " --tcp-flags %s", flags[i]);
	}
	if (chance(&g->r, is_output(g) ? 1 : 12)) {
		static const uint8_t options[] = {1, 2, 3, 4, 8, 30};

		i = PICK(&g->r, options);
		if (!invert(g))
			h->tcp_option = (uint8_t)i;
		say(g, " --tcp-option %u", i);
	}
}

static void
m_udp(struct gen *g)
{
	if (chance(&g->r, 40))
		port_option(g, "--sport", &g->rule->hint.sport);
	if (chance(&g->r, 60))
		port_option(g, "--dport", &g->rule->hint.dport);
}

static void
m_icmp(struct gen *g)
{
	static const struct {
		const char *text;
		uint8_t type, code;
	} types[] = {{"8", 8, 0}, {"echo-reply", 0, 0}, {"3", 3, 1}, {"3/3", 3, 3}, {"3/4", 3, 4}, {"11/0", 11, 0}, {"any", 8, 0},
		{"5", 5, 1}, {"13", 13, 0}, {"8/1", 8, 1}, {"4", 4, 0}, {"12", 12, 0}};
	static const uint8_t sent[] = {1, 1, 3, 5};
	unsigned i = is_output(g) && chance(&g->r, 90) ? PICK(&g->r, sent) : rnd(&g->r, sizeof(types) / sizeof(*types));

	if (!invert(g)) {
		g->rule->hint.icmp = true;
		g->rule->hint.icmp_type = types[i].type;
		g->rule->hint.icmp_code = types[i].code;
	}
	say(g, " --icmp-type %s", types[i].text);
}

static void
m_multiport(struct gen *g)
{
	static const char *const kinds[] = {"--sports", "--dports", "--ports"};
	unsigned kind = rnd(&g->r, 3), n = rnd_between(&g->r, 1, 5), i;
	uint16_t first = 0, p, span;
	bool not = invert(g);

	say(g, " %s ", kinds[kind]);
	for (i = 0; i < n; i++) {
		p = port(g);
		first = i ? first : p;
		span = (uint16_t)rnd_between(&g->r, 1, 100);
		if (chance(&g->r, 30) && p < 65000)
			say(g, "%s%u:%u", i ? "," : "", p, p + span);
		else
			say(g, "%s%u", i ? "," : "", p);
	}
	if (!not && kind == 0)
		g->rule->hint.sport = first;
	else if (!not)
		g->rule->hint.dport = first;
}

static void
m_tcpmss(struct gen *g)
{
	uint16_t mss = PICK(&g->r, g->rs->pool.mss);

	if (!invert(g)) {
		g->rule->hint.mss = mss;
		g->rule->hint.flags_mask = 0x16;
		g->rule->hint.flags = 2;
	}
	if (chance(&g->r, 50))
		say(g, " --mss %u", mss);
	else
		say(g, " --mss %u:%u", mss, mss + 20);
}

static unsigned
any_address(struct gen *g)
{
	return rnd(&g->r, ADDRESSES);
}

/* One that packets have there, mostly. */
static unsigned
likely_address(struct gen *g, bool src)
{
	bool own = src ? is_output(g) : is_input(g);
	unsigned a, tries = chance(&g->r, 10) ? 0 : 50;

	do
		a = any_address(g);
	while (tries-- > 0 && (own ? addresses[a].home != -1 : addresses[a].home < 0));
	return a;
}

static void
range_option(struct gen *g, const char *option, bool src, uint32_t *hint)
{
	uint32_t a = address_value(likely_address(g, src)), lo = ntohl(a) - rnd(&g->r, 3), hi = ntohl(a) + rnd(&g->r, 40);
	struct in_addr from = {htonl(lo)}, to = {htonl(hi)};
	bool not = invert(g);

	say(g, " %s %s", option, inet_ntoa(from));
	say(g, "-%s", inet_ntoa(to));
	if (!not)
		*hint = a;
}

static void
m_iprange(struct gen *g)
{
	unsigned which = rnd_between(&g->r, 1, 3);

	if (which & 1)
		range_option(g, "--src-range", true, &g->rule->hint.src);
	if (which & 2)
		range_option(g, "--dst-range", false, &g->rule->hint.dst);
}

static void
m_length(struct gen *g)
{
	uint16_t n = is_output(g) && g->proto == IPPROTO_TCP ? 40 : PICK(&g->r, g->rs->pool.lengths);

	if (!invert(g))
		g->rule->hint.length = n;
	switch (rnd(&g->r, 4)) {
	case 0:
		say(g, " --length %u:", n);
		break;
	case 1:
		say(g, " --length :%u", n);
		break;
	case 2:
		say(g, " --length %u:%u", n, n + 60);
		break;
	default:
		say(g, " --length %u", n);
	}
}

static void
m_ttl(struct gen *g)
{
	uint8_t ttl = is_output(g) ? (uint8_t)(63 + rnd(&g->r, 3)) : PICK(&g->r, g->rs->pool.ttl);

	switch (rnd(&g->r, 3)) {
	case 0:
		if (!invert(g))
			g->rule->hint.ttl = ttl;
		say(g, " --ttl-eq %u", ttl);
		break;
	case 1:
		say(g, " --ttl-gt %u", ttl);
		g->rule->hint.ttl = (uint8_t)(ttl + 2);
		break;
	default:
		say(g, " --ttl-lt %u", ttl);
		g->rule->hint.ttl = (uint8_t)(ttl > 3 ? ttl - 1 : 2);
	}
}

static void
m_tos(struct gen *g)
{
	uint8_t tos = PICK(&g->r, g->rs->pool.tos);

	if (!invert(g)) {
		g->rule->hint.tos = tos;
		g->rule->hint.has_tos = true;
	}
	if (chance(&g->r, 50))
		say(g, " --tos 0x%02x/0x%02x", tos, PICK(&g->r, ((uint8_t[]){0xff, 0x3f, 0xfc, 0x1e})));
	else
		say(g, " --tos 0x%02x", tos);
}

static void
m_dscp(struct gen *g)
{
	uint8_t tos = PICK(&g->r, g->rs->pool.tos);

	if (!invert(g)) {
		g->rule->hint.tos = tos;
		g->rule->hint.has_tos = true;
	}
	say(g, " --dscp 0x%02x", tos >> 2);
}

/* Types that few packets have are mostly inverted. */
static void
type_option(struct gen *g, const char *option, const char *type)
{
	if (chance(&g->r, strstr(type, "LOCAL") || strstr(type, "UNICAST") ? 15 : 80))
		say(g, " !");
	say(g, " %s %s", option, type);
}

static void
m_addrtype(struct gen *g)
{
	static const char *const types[] = {"LOCAL", "UNICAST", "LOCAL,BROADCAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "MULTICAST", "UNSPEC",
		"BROADCAST", "UNICAST,LOCAL"};
	unsigned which = rnd_between(&g->r, 1, 3);

	if (which & 1)
		type_option(g, "--src-type", chance(&g->r, 20) ? PICK(&g->r, types) : is_output(g) ? "LOCAL" : "UNICAST");
	if (which & 2)
		type_option(g, "--dst-type", chance(&g->r, 20) ? PICK(&g->r, types) : is_input(g) ? "LOCAL" : "UNICAST");
	if (chance(&g->r, 20) && !(g->hooks & (H_OUT | H_POST)))
		say(g, " --limit-iface-in");
	else if (chance(&g->r, 20) && !(g->hooks & (H_PRE | H_IN)))
		say(g, " --limit-iface-out");
}

static void
m_pkttype(struct gen *g)
{
	static const char *const types[] = {"unicast", "unicast", "broadcast", "multicast"};

	const char *type = PICK(&g->r, types);

	if (chance(&g->r, type[0] == 'u' ? 20 : 80))
		say(g, " !");
	say(g, " --pkt-type %s", type);
}

static void
m_mac(struct gen *g)
{
	invert(g);
	say(g, " --mac-source 02:00:00:00:00:%02x", rnd(&g->r, 3));
}

static void
print_mark(struct gen *g, uint32_t mark)
{
	if (chance(&g->r, 40)) {
		uint32_t mask = PICK(&g->r, ((uint32_t[]){0xff, 0xf, 0xffff0000, 0x80000001}));

		say(g, "0x%x/0x%x", mark & mask, mask);
	} else {
		say(g, "0x%x", mark);
	}
}

static void
mark_value(struct gen *g)
{
	print_mark(g, chance(&g->r, 20) ? 0 : PICK(&g->r, g->rs->pool.marks));
}

static void
m_mark(struct gen *g)
{
	uint32_t mark = chance(&g->r, 50) ? 0 : PICK(&g->r, g->rs->pool.marks);

	/* few packets have a mark */
	if (chance(&g->r, mark ? 60 : 20))
		say(g, " !");
	say(g, " --mark ");
	print_mark(g, mark);
}

static void
m_owner(struct gen *g)
{
	g->rule->hint.made_here = true;
	if (chance(&g->r, 80)) /* there are no sockets */
		say(g, " !");
	say(g, PICK(&g->r, ((const char *const[]){" --uid-owner 0", " --uid-owner 1-1000", " --gid-owner 0"})));
}

static void
m_comment(struct gen *g)
{
	say(g, " --comment \"rule %u\"", rnd(&g->r, 1000));
}

static void
m_u32(struct gen *g)
{
	uint16_t p = port(g);

	switch (rnd(&g->r, 6)) {
	case 0:
		invert(g);
		say(g, " --u32 \"6&0xFF=%u\"", g->proto ? g->proto : PICK(&g->r, ((uint8_t[]){1, 6, 17})));
		break;
	case 1:
		say(g, " --u32 \"4&0x1FFF=0 && 0>>22&0x3C@0&0xFFFF=%u\"", p);
		g->rule->hint.dport = p;
		break;
	case 2:
		say(g, " --u32 \"0&0xFFFF=0x%x:0x%x\"", PICK(&g->r, g->rs->pool.lengths), 1500);
		break;
	case 3:
		say(g, " --u32 \"8>>24=1:%u\"", PICK(&g->r, g->rs->pool.ttl));
		break;
	case 4:
		say(g, " --u32 \"16=0x%x,0x%x:0x%x\"", ntohl(address_value(0)), 0xc0000200, 0xc63364ff);
		break;
	default:
		say(g, " --u32 \"0>>22&0x3C@12>>26&60@0=0:0xFFFFFFFF\"");
	}
}

static void
m_string(struct gen *g)
{
	const char *word = PICK(&g->r, words);
	unsigned from = rnd(&g->r, 3) ? 0 : rnd(&g->r, 60);

	invert(g);
	if (word[0] == '\\') {
		say(g, " --hex-string \"|ff00|a\"");
		word = NULL;
	} else {
		say(g, " --string \"%s\"", word);
	}
	g->rule->hint.word = word;
	say(g, " --algo %s", chance(&g->r, 50) ? "bm" : "kmp");
	if (from)
		say(g, " --from %u", from);
	if (chance(&g->r, 30))
		say(g, " --to %u", from + 30 + rnd(&g->r, 200));
	if (chance(&g->r, 30))
		say(g, " --icase");
}

/* Never near the moment of the run. */
static void
m_time(struct gen *g)
{
	switch (rnd(&g->r, 8)) {
	case 2:
	case 3:
	case 4:
		say(g, " --datestart 2001-02-03T04:05:06 --datestop 2037-01-01T00:00:00");
		break;
	case 1:
		say(g, " --datestart 2001-02-03T04:05:06 --datestop 2002-01-01T00:00:00");
		break;
	case 0:
		say(g, " --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun");
		break;
	default:
		if (chance(&g->r, 10))
			say(g, " !");
		say(g, " --monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30");
	}
}

static void
m_statistic(struct gen *g)
{
	unsigned every = rnd_between(&g->r, 1, 5);

	if (chance(&g->r, 20)) {
		unsigned p = rnd(&g->r, 2);

		say(g, " --mode random");
		if (chance(&g->r, p ? 20 : 80))
			say(g, " !");
		say(g, " --probability %u", p);
		return;
	}
	say(g, " --mode nth");
	invert(g);
	say(g, " --every %u --packet %u", every, rnd(&g->r, every));
}

static void
m_limit(struct gen *g)
{
	say(g, " --limit %u/hour --limit-burst %u", rnd_between(&g->r, 1, 3), rnd_between(&g->r, 1, 12));
}

static void
m_hashlimit(struct gen *g)
{
	static const char *const modes[] = {"srcip", "dstip", "srcip,dstip", "srcip,dstport", "dstip,srcport,dstport", "srcport"};
	const char *mode = PICK(&g->r, modes);

	if (strstr(mode, "port") && g->proto != IPPROTO_TCP && g->proto != IPPROTO_UDP && chance(&g->r, 50))
		mode = "srcip";
	if (chance(&g->r, 85))
		say(g, " --hashlimit-mode %s", mode);
	say(g, " --hashlimit-name h%llx_%u --hashlimit-htable-expire 3600000", (unsigned long long)(g->serial & 0xffffff),
		g->rs->n_rules);
	if (chance(&g->r, 20))
		say(g, " --hashlimit-srcmask %u", PICK(&g->r, ((unsigned[]){8, 24, 31})));
	if (chance(&g->r, 20))
		say(g, " --hashlimit-%s %u/day --hashlimit-burst %u", chance(&g->r, 50) ? "upto" : "above", rnd_between(&g->r, 4, 6),
			rnd_between(&g->r, 1, 8));
	else
		say(g, " --hashlimit-%s %u/hour --hashlimit-burst %u", chance(&g->r, 50) ? "upto" : "above", rnd_between(&g->r, 1, 2),
			rnd_between(&g->r, 1, 10));
}

static void
m_recent(struct gen *g)
{
	static const char *const acts[] = {"--set", "--rcheck", "--update", "--remove"};
	unsigned act = PICK(&g->r, ((unsigned[]){0, 0, 0, 1, 2, 3}));

	if (chance(&g->r, act ? 35 : 5))
		say(g, " !");
	say(g, " %s --name r%llx_%u", acts[act], (unsigned long long)(g->serial & 0xffffff), rnd(&g->r, 2));
	if (act == 1 || act == 2) {
		if (chance(&g->r, 50))
			say(g, " --seconds 3600");
		if (chance(&g->r, 50))
			say(g, " --hitcount %u", rnd_between(&g->r, 1, 3));
		if (chance(&g->r, 15))
			say(g, " --rttl");
	}
	/* rules that share a table must have the same mask */
	say(g, chance(&g->r, 70) ? " --rsource" : " --rdest");
}

static void
state_list(struct gen *g, const char *option, bool more)
{
	static const char *const states[] = {"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "SNAT", "DNAT"};
	unsigned n = rnd_between(&g->r, 1, 2), i, mask = 0;

	for (i = 0; i < n; i++)
		mask |= 1u << (is_output(g) && chance(&g->r, 60) ? rnd_between(&g->r, 1, 2) :
				      chance(&g->r, 70) ? rnd(&g->r, 2) : rnd(&g->r, more ? 7 : 5));
	if (chance(&g->r, mask & (is_output(g) ? 6 : 15) ? 25 : 80))
		say(g, " !");
	say(g, " %s", option);
	for (i = 0, n = 0; i < 7; i++)
		if (mask & 1u << i)
			say(g, "%s%s", n++ ? "," : " ", states[i]);
}

static void
m_state(struct gen *g)
{
	state_list(g, "--state", false);
}

static void
ct_address(struct gen *g, const char *option, bool src, uint32_t *hint)
{
	unsigned a = likely_address(g, src);

	if (!invert(g) && hint)
		*hint = address_value(a);
	say(g, " %s %s", option, addresses[a].text);
	if (chance(&g->r, 40))
		say(g, "/%u", PICK(&g->r, ((unsigned[]){8, 16, 24, 30})));
}

static void
ct_port(struct gen *g, const char *option, uint16_t *hint)
{
	uint16_t p = port(g);

	if (!invert(g) && hint)
		*hint = p;
	say(g, " %s %u", option, p);
	if (chance(&g->r, 30) && p < 65000)
		say(g, ":%u", p + 50);
}

static void
m_conntrack(struct gen *g)
{
	static const char *const status[] = {"EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED", "SEEN_REPLY,ASSURED", "NONE", "ASSURED,CONFIRMED"};
	struct hint *h = &g->rule->hint;
	unsigned i;

	switch (rnd(&g->r, 12)) {
	case 0:
		invert(g);
		say(g, " --ctproto %u", g->proto ? g->proto : PICK(&g->r, ((uint8_t[]){1, 6, 17})));
		break;
	case 1:
		ct_address(g, "--ctorigsrc", true, &h->src);
		break;
	case 2:
		ct_address(g, "--ctorigdst", false, &h->dst);
		break;
	case 3:
		ct_address(g, "--ctreplsrc", false, &h->dst);
		break;
	case 4:
		ct_address(g, "--ctrepldst", true, &h->src);
		break;
	case 5:
		i = rnd(&g->r, sizeof(status) / sizeof(*status));
		if (chance(&g->r, i == 0 || i == 5 ? 80 : 25))
			say(g, " !");
		say(g, " --ctstatus %s", status[i]);
		break;
	case 6:
		invert(g);
		say(g, " --ctexpire %s", PICK(&g->r, ((const char *const[]){"0:25", "20:60", "100:130", "200:500000", "5:28"})));
		break;
	case 7:
		say(g, " --ctdir %s", chance(&g->r, 50) ? "ORIGINAL" : "REPLY");
		break;
	case 8:
		ct_port(g, chance(&g->r, 50) ? "--ctorigsrcport" : "--ctrepldstport", &h->sport);
		break;
	case 9:
		ct_port(g, chance(&g->r, 50) ? "--ctorigdstport" : "--ctreplsrcport", &h->dport);
		break;
	default:
		state_list(g, "--ctstate", true);
		if (chance(&g->r, 20))
			say(g, " --ctdir %s", chance(&g->r, 50) ? "ORIGINAL" : "REPLY");
	}
}

static void
m_connmark(struct gen *g)
{
	m_mark(g);
}

static void
m_connbytes(struct gen *g)
{
	unsigned from = PICK(&g->r, ((unsigned[]){0, 1, 2, 5, 100, 300}));

	invert(g);
	say(g, " --connbytes %u", from);
	if (chance(&g->r, 60))
		say(g, ":%u", from + 10 * rnd(&g->r, 50));
	else
		say(g, ":");
	say(g, " --connbytes-dir %s", PICK(&g->r, ((const char *const[]){"original", "reply", "both"})));
	say(g, " --connbytes-mode %s", PICK(&g->r, ((const char *const[]){"packets", "bytes", "avgpkt"})));
}

static void
m_connlimit(struct gen *g)
{
	say(g, " --connlimit-%s %u", chance(&g->r, 50) ? "above" : "upto", rnd(&g->r, 6));
	if (chance(&g->r, 60))
		say(g, " --connlimit-mask %u", PICK(&g->r, ((unsigned[]){0, 8, 24, 32})));
	say(g, " --connlimit-%s", chance(&g->r, 60) ? "saddr" : "daddr");
}

enum { SET_IP, SET_NET, SET_IPPORT, SET_NETIFACE, SET_PORT, SET_TYPES };

static void
set_member(struct gen *g, unsigned type, char *buf, size_t size)
{
	unsigned which = any_address(g);
	const char *a = addresses[which].text;
	uint16_t p = port(g);
	unsigned len = PICK(&g->r, ((unsigned[]){8, 16, 24, 29, 32}));

	switch (type) {
	case SET_IP:
		snprintf(buf, size, "%s", a);
		break;
	case SET_NET:
		snprintf(buf, size, "%s/%u%s", a, len, chance(&g->r, 20) ? " nomatch" : "");
		break;
	case SET_IPPORT:
		snprintf(buf, size, "%s,%s:%u", a, chance(&g->r, 50) ? "tcp" : "udp", p);
		break;
	case SET_NETIFACE:
		snprintf(buf, size, "%s/%u,t%u%s", a, len, rnd(&g->r, 3), chance(&g->r, 15) ? " nomatch" : "");
		break;
	default:
		snprintf(buf, size, "%u", p);
	}
	g->set_address[g->n_sets] = address_value(which);
	g->set_port[g->n_sets] = p;
}

static void
make_set(struct gen *g)
{
	static const char *const types[SET_TYPES] = {"hash:ip", "hash:net", "hash:ip,port", "hash:net,iface", "bitmap:port"};
	unsigned type = rnd(&g->r, SET_TYPES), n = rnd_between(&g->r, 1, 8), i;
	char *name = g->set_names[g->n_sets], *to = g->rs->sets, member[96];
	bool timeout = chance(&g->r, 25), counters = chance(&g->r, 25);

	snprintf(name, 32, "s%llx_%u", (unsigned long long)(g->serial & 0xffffff), g->n_sets);
	g->set_types[g->n_sets] = (uint8_t)type;
	to += strlen(to);
	to += sprintf(to, "create %s %s%s%s%s\n", name, types[type], type == SET_PORT ? " range 0-65535" : "",
		timeout ? " timeout 3600" : "", counters ? " counters" : "");
	for (i = 0; i < n; i++) {
		set_member(g, type, member, sizeof(member));
		to += sprintf(to, "add %s %s -exist\n", name, member);
	}
	g->n_sets++;
}

/* => index of a set, perhaps a new one. */
static unsigned
any_set(struct gen *g)
{
	if (g->n_sets == 0 || (g->n_sets < SETS && chance(&g->r, 40)))
		make_set(g);
	return rnd(&g->r, g->n_sets);
}

static void
set_sides(struct gen *g, unsigned set, bool not)
{
	unsigned type = g->set_types[set];
	bool two = type == SET_IPPORT || type == SET_NETIFACE, first = chance(&g->r, 50), second = chance(&g->r, 50);
	struct hint *h = &g->rule->hint;

	say(g, " %s%s%s", first ? "src" : "dst", two ? "," : "", two ? (second ? "src" : "dst") : "");
	if (not)
		return;
	if (type != SET_PORT)
		*(first ? &h->src : &h->dst) = g->set_address[set];
	if (type == SET_PORT || type == SET_IPPORT)
		*((two ? second : first) ? &h->sport : &h->dport) = g->set_port[set];
}

static void
m_set(struct gen *g)
{
	unsigned set = any_set(g);
	bool not = invert(g);

	say(g, " --match-set %s", g->set_names[set]);
	set_sides(g, set, not);
	if (chance(&g->r, 10))
		say(g, " --return-nomatch");
}

/* ---- targets ---- */

static void
t_nothing(struct gen *g)
{
	(void)g;
}

static void
t_reject(struct gen *g)
{
	static const char *const with[] = {"icmp-net-unreachable", "icmp-host-unreachable", "icmp-port-unreachable", "icmp-proto-unreachable",
		"icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited"};

	g->terminal = true;
	if (g->proto == IPPROTO_TCP && chance(&g->r, 50))
		say(g, " --reject-with tcp-reset");
	else if (chance(&g->r, 80))
		say(g, " --reject-with %s", PICK(&g->r, with));
}

static void
t_log(struct gen *g)
{
	say(g, " --log-prefix \"x%u \" --log-level %u", rnd(&g->r, 100), rnd(&g->r, 8));
	if (chance(&g->r, 30))
		say(g, " --log-tcp-options --log-ip-options --log-tcp-sequence");
}

static void
t_nflog(struct gen *g)
{
	say(g, " --nflog-group %u --nflog-prefix \"n%u\"", rnd_between(&g->r, 1, 9), rnd(&g->r, 100));
}

static void
t_mark(struct gen *g)
{
	static const char *const how[] = {"--set-mark", "--set-xmark"};

	switch (rnd(&g->r, 5)) {
	case 0:
		say(g, " --%s-mark 0x%x", PICK(&g->r, ((const char *const[]){"and", "or", "xor"})), PICK(&g->r, g->rs->pool.marks));
		break;
	default:
		say(g, " %s ", PICK(&g->r, how));
		mark_value(g);
	}
}

static void
t_connmark(struct gen *g)
{
	switch (rnd(&g->r, 5)) {
	case 0:
		say(g, " --save-mark");
		if (chance(&g->r, 40))
			say(g, " --nfmask 0x%x --ctmask 0x%x", PICK(&g->r, ((unsigned[]){0xff, 0xffff, 0xf0})), PICK(&g->r, ((unsigned[]){0xff, 0xf})));
		break;
	case 1:
		if (g->hooks && strcmp(table_names[g->table], "mangle") == 0) {
			say(g, " --restore-mark");
			if (chance(&g->r, 40))
				say(g, " --nfmask 0x%x --ctmask 0x%x", 0xffu, 0xf0fu);
			break;
		}
		/* fall through */
	case 2:
		say(g, " --set-xmark ");
		mark_value(g);
		break;
	case 3:
		say(g, " --%s-mark 0x%x", PICK(&g->r, ((const char *const[]){"and", "or", "xor"})), PICK(&g->r, g->rs->pool.marks));
		break;
	default:
		say(g, " --set-mark ");
		mark_value(g);
	}
}

static void
t_tcpmss(struct gen *g)
{
	if (!(g->hooks & (H_PRE | H_IN)) && chance(&g->r, 50))
		say(g, " --clamp-mss-to-pmtu");
	else
		say(g, " --set-mss %u", PICK(&g->r, g->rs->pool.mss));
}

static void
t_ttl(struct gen *g)
{
	switch (rnd(&g->r, 3)) {
	case 0:
		say(g, " --ttl-set %u", rnd_between(&g->r, 1, 255));
		break;
	case 1:
		say(g, " --ttl-inc %u", PICK(&g->r, ((unsigned[]){1, 5, 250})));
		break;
	default:
		say(g, " --ttl-dec %u", PICK(&g->r, ((unsigned[]){1, 5, 64})));
	}
}

static void
t_tos(struct gen *g)
{
	uint8_t tos = PICK(&g->r, g->rs->pool.tos);

	switch (rnd(&g->r, 4)) {
	case 0:
		say(g, " --set-tos 0x%02x/0x%02x", tos, PICK(&g->r, ((uint8_t[]){0xff, 0x3f, 0xfc})));
		break;
	case 1:
		say(g, " --%s-tos 0x%02x", PICK(&g->r, ((const char *const[]){"and", "or", "xor"})), tos);
		break;
	default:
		say(g, " --set-tos 0x%02x", tos);
	}
}

static void
t_dscp(struct gen *g)
{
	say(g, " --set-dscp 0x%02x", PICK(&g->r, g->rs->pool.tos) >> 2);
}

static void
t_ct(struct gen *g)
{
	switch (rnd(&g->r, 4)) {
	case 0:
		say(g, " --notrack");
		break;
	case 1:
		say(g, " --zone-orig %u", rnd_between(&g->r, 1, 2));
		break;
	case 2:
		say(g, " --zone-reply %u", rnd_between(&g->r, 1, 2));
		break;
	default:
		say(g, " --zone %u", rnd_between(&g->r, 1, 3));
	}
}

static void
t_nfqueue(struct gen *g)
{
	g->terminal = true;
	if (chance(&g->r, 50))
		say(g, " --queue-num %u", rnd(&g->r, 9));
	else
		say(g, " --queue-balance 1:%u", rnd_between(&g->r, 2, 5));
	if (chance(&g->r, 60))
		say(g, " --queue-bypass");
}

static void
t_set(struct gen *g)
{
	unsigned set = any_set(g);
	bool add = chance(&g->r, 65);

	/* a member of hash:net,iface names an interface that every packet here has only in some hooks */
	say(g, " --%s-set %s", add ? "add" : "del", g->set_names[set]);
	set_sides(g, set, true);
	if (add && chance(&g->r, 30))
		say(g, " --exist");
}

struct ext {
	const char *name;
	void (*write)(struct gen *g);
	uint8_t weight, tables, hooks;
	uint8_t proto; /* must be in the rule; 0: any; PORTS_PROTO: TCP or UDP */
};

static const struct ext matches[] = {
	{"tcp", m_tcp, 12, T_ALL, H_ALL, IPPROTO_TCP},
	{"udp", m_udp, 8, T_ALL, H_ALL, IPPROTO_UDP},
	{"icmp", m_icmp, 8, T_ALL, H_ALL, IPPROTO_ICMP},
	{"multiport", m_multiport, 6, T_ALL, H_ALL, PORTS_PROTO},
	{"tcpmss", m_tcpmss, 3, T_ALL, H_ALL, IPPROTO_TCP},
	{"iprange", m_iprange, 4, T_ALL, H_ALL, 0},
	{"length", m_length, 4, T_ALL, H_ALL, 0},
	{"ttl", m_ttl, 4, T_ALL, H_ALL, 0},
	{"tos", m_tos, 4, T_ALL, H_ALL, 0},
	{"dscp", m_dscp, 4, T_ALL, H_ALL, 0},
	{"addrtype", m_addrtype, 4, T_ALL, H_ALL, 0},
	{"pkttype", m_pkttype, 3, T_ALL, H_ALL, 0},
	{"mac", m_mac, 1, T_ALL, H_PRE | H_IN | H_FWD, 0},
	{"mark", m_mark, 6, T_ALL, H_ALL, 0},
	{"owner", m_owner, 2, T_ALL, H_OUT | H_POST, 0},
	{"comment", m_comment, 3, T_ALL, H_ALL, 0},
	{"u32", m_u32, 3, T_ALL, H_ALL, 0},
	{"string", m_string, 3, T_ALL, H_ALL, 0},
	{"time", m_time, 3, T_ALL, H_ALL, 0},
	{"statistic", m_statistic, 3, T_ALL, H_ALL, 0},
	{"limit", m_limit, 4, T_ALL, H_ALL, 0},
	{"hashlimit", m_hashlimit, 4, T_ALL, H_ALL, 0},
	{"recent", m_recent, 4, T_ALL, H_ALL, 0},
	{"state", m_state, 6, T_MANGLE | T_FILTER | T_SECURITY, H_ALL, 0},
	{"conntrack", m_conntrack, 12, T_MANGLE | T_FILTER | T_SECURITY, H_ALL, 0},
	{"connmark", m_connmark, 4, T_ALL, H_ALL, 0},
	{"connbytes", m_connbytes, 4, T_MANGLE | T_FILTER | T_SECURITY, H_ALL, 0},
	{"connlimit", m_connlimit, 60, T_ALL, H_ALL, 0},
	{"set", m_set, 5, T_ALL, H_ALL, 0},
};

static const struct ext targets[] = {
	{"REJECT", t_reject, 8, T_FILTER, H_IN | H_FWD | H_OUT, 0},
	{"LOG", t_log, 3, T_ALL, H_ALL, 0},
	{"NFLOG", t_nflog, 2, T_ALL, H_ALL, 0},
	{"TRACE", t_nothing, 1, T_RAW, H_ALL, 0},
	{"MARK", t_mark, 8, T_ALL, H_ALL, 0},
	{"CONNMARK", t_connmark, 8, T_MANGLE | T_FILTER, H_ALL, 0},
	{"TCPMSS", t_tcpmss, 6, T_MANGLE | T_FILTER, H_ALL, IPPROTO_TCP},
	{"TTL", t_ttl, 5, T_MANGLE, H_ALL, 0},
	{"TOS", t_tos, 5, T_MANGLE, H_ALL, 0},
	{"DSCP", t_dscp, 5, T_MANGLE, H_ALL, 0},
	{"CT", t_ct, 6, T_RAW, H_ALL, 0},
	{"NFQUEUE", t_nfqueue, 2, T_ALL, H_ALL, 0},
	{"SET", t_set, 4, T_ALL, H_ALL, 0},
};

enum { N_MATCHES = sizeof(matches) / sizeof(*matches), N_TARGETS = sizeof(targets) / sizeof(*targets) };

static bool refused[N_MATCHES + N_TARGETS];
static unsigned slow_share = 2; /* of 100 rulesets */

void
rulesets_slow(unsigned percent)
{
	slow_share = percent;
}

unsigned
ext_count(void)
{
	return N_MATCHES + N_TARGETS;
}

const char *
ext_name(unsigned i)
{
	return i < N_MATCHES ? matches[i].name : targets[i - N_MATCHES].name;
}

void
ext_allow(unsigned i, bool allowed)
{
	refused[i] = !allowed;
}

static bool
fits(const struct gen *g, const struct ext *e, bool is_refused)
{
	uint8_t proto;

	/* who asks a rule twice in a tick counts twice (__nf_conncount_add() in net/netfilter/nf_conncount.c) */
	if (is_refused || (e->write == m_connlimit && (!g->rs->slow || g->chains[g->chain].user)) || !(e->tables & 1u << g->table) || (g->hooks & ~e->hooks))
		return false;
	if (is_output(g) && g->n_chains > 1 && (e->write == m_udp || e->write == m_tcpmss || e->write == t_tcpmss))
		return false;
	proto = g->proto ? g->proto : g->way.proto;
	if (!e->proto || !proto || e->proto == proto)
		return true;
	return e->proto == PORTS_PROTO && (proto == IPPROTO_TCP || proto == IPPROTO_UDP);
}

/* => index in the list by weight, among those that fit; -1: none. */
static int
draw(struct gen *g, const struct ext *list, unsigned n, const bool *no)
{
	unsigned sum = 0, i;

	for (i = 0; i < n; i++)
		sum += fits(g, &list[i], no[i]) ? list[i].weight : 0;
	if (sum == 0)
		return -1;
	sum = rnd(&g->r, sum);
	for (i = 0; i < n; i++) {
		if (!fits(g, &list[i], no[i]))
			continue;
		if (sum < list[i].weight)
			return (int)i;
		sum -= list[i].weight;
	}
	return -1;
}

static void
require_proto(struct gen *g, const struct ext *e)
{
	if (g->proto || !e->proto)
		return;
	if (g->way.proto)
		g->proto = g->way.proto;
	else
		g->proto = e->proto != PORTS_PROTO ? e->proto : is_output(g) || chance(&g->r, 60) ? IPPROTO_TCP : IPPROTO_UDP;
}

static void
write_proto(struct gen *g)
{
	static const uint8_t others[] = {99, 99, 253};

	if (!g->proto && chance(&g->r, g->way.proto || is_output(g) ? 3 : 15)) {
		if (chance(&g->r, 40)) {
			say(g, " ! -p %s", PICK(&g->r, ((const char *const[]){"tcp", "udp", "icmp"})));
			return;
		}
		g->proto = chance(&g->r, 70) ? PICK(&g->r, ((const uint8_t[]){6, 17, 1})) : PICK(&g->r, others);
	}
	if (g->proto)
		say(g, " -p %u", g->proto);
	g->rule->hint.proto = g->rule->proto = g->proto;
}

static void
write_address(struct gen *g, const char *option, bool src, uint32_t *hint)
{
	unsigned a = likely_address(g, src);

	if (!invert(g))
		*hint = address_value(a);
	say(g, " %s %s", option, addresses[a].text);
	if (chance(&g->r, 60))
		say(g, "/%u", PICK(&g->r, ((unsigned[]){1, 4, 8, 8, 16, 24, 31})));
	else if (chance(&g->r, 10))
		say(g, "/%s", PICK(&g->r, ((const char *const[]){"255.0.255.0", "0.0.0.255"})));
}

static void
write_iface(struct gen *g, const char *option, bool in)
{
	unsigned i = rnd(&g->r, 3);
	bool not = invert(g);

	if (chance(&g->r, 8)) {
		unsigned name = rnd(&g->r, 4);

		say(g, " %s %s", option, ((const char *const[]){"t+", "lo", "tt0", "eth+"})[name]);
		g->rule->impossible |= (name == 0) == not;
		return;
	}
	say(g, " %s t%u", option, i);
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
		h->later_fragment = !invert(g);
		say(g, " -f");
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
	say(g, " -m tcp --tcp-flags SYN SYN");
	g->rule->hint.flags_mask |= 2;
	g->rule->hint.flags |= 2;
}

static void
write_target(struct gen *g)
{
	struct chain *to;
	uint32_t what = rnd(&g->r, 100);
	int t = -1;

	if (what < 20 && (to = callee(g))) {
		to->caller = to->used ? to->caller : (int16_t)g->rs->n_rules;
		to->used = true;
		g->terminal = chance(&g->r, 15);
		strcpy(g->rule->to, to->name);
		say(g, " %s %s", g->terminal ? "-g" : "-j", to->name);
		return;
	}
	if (what < 70)
		t = draw(g, targets, N_TARGETS, refused + N_MATCHES);
	if (t >= 0) {
		/* a target that wants a protocol which the rule does not name gives way */
		if (targets[t].proto && targets[t].proto != g->proto)
			return;
		g->rule->exts[g->rule->n_exts++] = (uint16_t)(N_MATCHES + t);
		if (targets[t].write == t_tcpmss)
			only_syn(g);
		say(g, " -j %s", targets[t].name);
		targets[t].write(g);
		return;
	}
	if (what < 75)
		return;
	g->terminal = true;
	g->rule->returns = what >= 94 && what < 99;
	say(g, " -j %s", what < 88 ? "ACCEPT" : what < 94 ? "DROP" : what < 99 ? "RETURN" : "QUEUE");
}

static struct rule *
new_rule(struct gen *g)
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
	say(g, "-A %s", r->chain);
	return r;
}

static void
write_matches(struct gen *g, const int *chosen, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		say(g, " -m %s", matches[chosen[i]].name);
		matches[chosen[i]].write(g);
		g->rule->exts[g->rule->n_exts++] = (uint16_t)chosen[i];
	}
}

/* Matches first, as they say which protocol the rule must name before them. */
static unsigned
choose_matches(struct gen *g, int *chosen)
{
	unsigned n = PICK(&g->r, ((unsigned[]){0, 1, 1, 1, 1, 1, 2, 2, 3})), i, k;

	for (i = 0; i < n; i++) {
		chosen[i] = draw(g, matches, N_MATCHES, refused);
		for (k = 0; k < i; k++)
			if (chosen[k] == chosen[i])
				return i;
		if (chosen[i] < 0)
			return i;
		require_proto(g, &matches[chosen[i]]);
	}
	return n;
}

static void
write_rule(struct gen *g, bool measured)
{
	int chosen[RULE_EXTS];
	unsigned n;

	if (measured) {
		if (!new_rule(g))
			return;
		g->rule->counter = true;
		g->rs->n_rules++;
	}
	if (!new_rule(g))
		return;
	n = choose_matches(g, chosen);
	if (!g->proto && chance(&g->r, 20))
		g->proto = g->way.proto ? g->way.proto : is_output(g) ? PICK(&g->r, ((const uint8_t[]){6, 1, 1})) : PICK(&g->r, ((const uint8_t[]){6, 6, 17, 1}));
	write_header(g);
	write_matches(g, chosen, n);
	g->rule->narrow |= n > 0 || strstr(g->rule->text, " -s ") || strstr(g->rule->text, " -d ") || strstr(g->rule->text, " -f") ||
		strstr(g->rule->text, "! -p");
	write_target(g);
	g->rule->ends = g->terminal;
	/* what ends the chain for every packet would hide the rest */
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
	for (t = 0; t < TABLES && !plain; t++)
		if (chance(&g.r, PICK(&g.r, ((unsigned[]){0, 60, 100})) + (t == 2 ? 60 : 0)))
			make_table(&g, t, measured);
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
	new_rule(&g);
	require_proto(&g, e);
	write_proto(&g);
	if (e->write == t_tcpmss)
		only_syn(&g);
	say(&g, i < N_MATCHES ? " -m %s" : " -j %s", e->name);
	e->write(&g);
	rs->n_rules = 1;
}

/* A user chain that no rule names is only in the way of who reads. */
static bool
mentioned(const struct ruleset_text *rs, const uint8_t *keep, const char *table, const char *line)
{
	char chain[32], policy[8], word[40];
	unsigned i;

	if (sscanf(line, ":%31s %7s", chain, policy) != 2 || policy[0] != '-')
		return true;
	for (i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rules[i];

		if ((keep && !keep[i]) || strcmp(r->table, table) != 0)
			continue;
		snprintf(word, sizeof(word), " %s", chain);
		if (strcmp(r->chain, chain) == 0 || strstr(r->text, word))
			return true;
	}
	return false;
}

void
ruleset_hits(const struct ruleset_text *rs, const struct counts *c, bool hit[RULES_MAX])
{
	const struct rule *r;
	unsigned i, k;
	int n;

	for (i = 0; i < rs->n_rules; i++) {
		r = &rs->rules[i];
		for (n = 1, k = 0; k < i; k++)
			n += strcmp(rs->rules[k].table, r->table) == 0 && strcmp(rs->rules[k].chain, r->chain) == 0;
		hit[i] = false;
		for (k = 0; k < c->n && !hit[i]; k++)
			hit[i] = c->c[k].rule == n && c->c[k].packets && strcmp(c->c[k].chain, r->chain) == 0 && strcmp(c->c[k].table, r->table) == 0;
	}
}

/* What all packets on a way to a chain have in common; 0 and -1: anything. */
struct way {
	uint8_t proto;
	int8_t iface, out;
};

/* => false: no packet has both. */
static bool
narrow_way(struct way *w, const struct rule *r, bool *all)
{
	const struct hint *h = &r->hint;

	*all = !r->narrow && (!r->proto || r->proto == w->proto) && (h->iface < 0 || h->iface == w->iface) && (h->out < 0 || h->out == w->out);
	if ((r->proto && w->proto && r->proto != w->proto) || (h->iface >= 0 && w->iface >= 0 && h->iface != w->iface) ||
		(h->out >= 0 && w->out >= 0 && h->out != w->out))
		return false;
	w->proto = r->proto ? r->proto : w->proto;
	w->iface = h->iface >= 0 ? h->iface : w->iface;
	w->out = h->out >= 0 ? h->out : w->out;
	return !r->impossible;
}

/* => true: nothing that comes this way returns. */
static bool
walk_chain(const struct ruleset_text *rs, const char *table, const char *chain, struct way way, bool reachable[RULES_MAX])
{
	unsigned i;

	for (i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rules[i];
		struct way there = way;
		bool all, stays;

		if (strcmp(r->table, table) != 0 || strcmp(r->chain, chain) != 0 || !narrow_way(&there, r, &all))
			continue;
		reachable[i] = true;
		stays = *r->to && walk_chain(rs, table, r->to, there, reachable);
		if (all && (r->ends || stays))
			return *r->to ? stays : !r->returns;
	}
	return false;
}

void
ruleset_reachable(const struct ruleset_text *rs, bool reachable[RULES_MAX])
{
	unsigned t, h;

	memset(reachable, 0, RULES_MAX * sizeof(*reachable));
	for (t = 0; t < TABLES; t++)
		for (h = 0; h < 5; h++)
			walk_chain(rs, table_names[t], hook_names[h], (struct way){.iface = -1, .out = -1}, reachable);
}

char *
ruleset_print(const struct ruleset_text *rs, const uint8_t *keep)
{
	char *text = NULL, table[12], rest[96];
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned t, i;

	for (t = 0; t < TABLES; t++) {
		const char *line = rs->policies;
		bool any = false;

		for (; *line; line = strchr(line, '\n') + 1) {
			if (sscanf(line, "%11s %95[^\n]", table, rest) != 2 || strcmp(table, table_names[t]) != 0)
				continue;
			if (!any)
				fprintf(f, "*%s\n", table);
			any = true;
			if (mentioned(rs, keep, table, rest))
				fprintf(f, "%s\n", rest);
		}
		for (i = 0; i < rs->n_rules; i++)
			if (strcmp(rs->rules[i].table, table_names[t]) == 0 && (!keep || keep[i]))
				fprintf(f, "%s\n", rs->rules[i].text);
		if (any)
			fprintf(f, "COMMIT\n");
	}
	fclose(f);
	return text;
}
