/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matches of what a packet has in it. */
#include "tests/oracle/rules_draft.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const char *const words[] = {"GET /", "USER", "rookery", "aab", "\\xff", "abcabd"};

void
m_tcp(struct gen *g)
{
	static const char *const flags[] = {"SYN,RST,ACK SYN", "ALL NONE", "FIN,SYN FIN,SYN", "ACK ACK", "SYN,ACK SYN,ACK",
		"RST RST", "PSH,ACK PSH", "ALL SYN,ACK", "URG URG"};
	static const uint8_t values[][2] = {
		{0x16, 2}, {0x3f, 0}, {3, 3}, {0x10, 0x10}, {0x12, 0x12}, {4, 4}, {0x18, 8}, {0x3f, 0x12}, {0x20, 0x20}};
	struct hint *h = &g->rule->hint;
	unsigned i;
	bool not;

	if (chance(&g->r, 30))
		gen_port_option(g, "--sport", &h->sport);
	if (chance(&g->r, 50))
		gen_port_option(g, "--dport", &h->dport);
	if (chance(&g->r, 30)) {
		i = gen_output(g) && chance(&g->r, 90) ? 5 : rnd(&g->r, sizeof(flags) / sizeof(*flags));
		not = gen_not(g);
		if (!not) {
			h->flags_mask = values[i][0];
			h->flags = values[i][1];
		}
		/* resets are all that it sends itself */
		gen_never(g, g->hooks == H_OUT && (i == 5 ? not : i != 3 && !not));
		gen_say(g, " --tcp-flags %s", flags[i]);
	}
	if (chance(&g->r, gen_output(g) ? 1 : 12)) {
		static const uint8_t options[] = {1, 2, 3, 4, 8, 30};

		i = PICK(&g->r, options);
		not = gen_not(g);
		if (!not)
			h->tcp_option = (uint8_t)i;
		gen_never(g, g->hooks == H_OUT && !not);
		gen_say(g, " --tcp-option %u", i);
	}
}

void
m_udp(struct gen *g)
{
	if (chance(&g->r, 40))
		gen_port_option(g, "--sport", &g->rule->hint.sport);
	if (chance(&g->r, 60))
		gen_port_option(g, "--dport", &g->rule->hint.dport);
}

void
m_icmp(struct gen *g)
{
	static const struct {
		const char *text;
		uint8_t type, code;
	} types[] = {{"8", 8, 0}, {"echo-reply", 0, 0}, {"3", 3, 1}, {"3/3", 3, 3}, {"3/4", 3, 4}, {"11/0", 11, 0}, {"any", 8, 0},
		{"5", 5, 1}, {"13", 13, 0}, {"8/1", 8, 1}, {"4", 4, 0}, {"12", 12, 0}};
	static const uint8_t sent[] = {1, 1, 3, 5};
	unsigned i = gen_output(g) && chance(&g->r, 90) ? PICK(&g->r, sent) : rnd(&g->r, sizeof(types) / sizeof(*types));

	if (!gen_not(g)) {
		g->rule->hint.icmp = true;
		g->rule->hint.icmp_type = types[i].type;
		g->rule->hint.icmp_code = types[i].code;
		gen_never(g, g->hooks == H_OUT && i != 6 && types[i].type != 0 && types[i].type != 3 && types[i].type != 11 && types[i].type != 12);
	}
	gen_say(g, " --icmp-type %s", types[i].text);
}

void
m_multiport(struct gen *g)
{
	static const char *const kinds[] = {"--sports", "--dports", "--ports"};
	unsigned kind = rnd(&g->r, 3), n = rnd_between(&g->r, 1, 5), i;
	uint16_t first = 0, p, span;
	bool not = gen_not(g);

	gen_say(g, " %s ", kinds[kind]);
	for (i = 0; i < n; i++) {
		p = gen_port(g);
		first = i ? first : p;
		span = (uint16_t)rnd_between(&g->r, 1, 100);
		if (chance(&g->r, 30) && p < 65000)
			gen_say(g, "%s%u:%u", i ? "," : "", p, p + span);
		else
			gen_say(g, "%s%u", i ? "," : "", p);
	}
	if (!not && kind == 0)
		g->rule->hint.sport = first;
	else if (!not)
		g->rule->hint.dport = first;
}

void
m_tcpmss(struct gen *g)
{
	uint16_t mss = PICK(&g->r, g->rs->pool.mss);

	if (!gen_not(g)) {
		g->rule->hint.mss = mss;
		g->rule->hint.flags_mask = 0x16;
		g->rule->hint.flags = 2;
	}
	if (chance(&g->r, 50))
		gen_say(g, " --mss %u", mss);
	else
		gen_say(g, " --mss %u:%u", mss, mss + 20);
}

static void
range_option(struct gen *g, const char *option, bool src, uint32_t *hint)
{
	uint32_t a = address_value(gen_likely_address(g, src)), lo = ntohl(a) - rnd(&g->r, 3), hi = ntohl(a) + rnd(&g->r, 40);
	struct in_addr from = {htonl(lo)}, to = {htonl(hi)};
	bool not = gen_not(g);

	gen_say(g, " %s %s", option, inet_ntoa(from));
	gen_say(g, "-%s", inet_ntoa(to));
	if (!not)
		*hint = chance(&g->r, 50) ? a : chance(&g->r, 50) ? htonl(lo) : htonl(hi);
}

void
m_iprange(struct gen *g)
{
	unsigned which = rnd_between(&g->r, 1, 3);

	if (which & 1)
		range_option(g, "--src-range", true, &g->rule->hint.src);
	if (which & 2)
		range_option(g, "--dst-range", false, &g->rule->hint.dst);
}

void
m_length(struct gen *g)
{
	uint16_t n = gen_output(g) && g->proto == IPPROTO_TCP ? 40 : PICK(&g->r, g->rs->pool.lengths);

	if (!gen_not(g))
		g->rule->hint.length = n;
	switch (rnd(&g->r, 4)) {
	case 0:
		gen_say(g, " --length %u:", n);
		break;
	case 1:
		gen_say(g, " --length :%u", n);
		break;
	case 2:
		gen_say(g, " --length %u:%u", n, n + 60);
		break;
	default:
		gen_say(g, " --length %u", n);
	}
}

void
m_ttl(struct gen *g)
{
	unsigned how = rnd(&g->r, 3);
	uint8_t ttl = gen_output(g) ? (uint8_t)(chance(&g->r, 80) ? 64u - (how == 1) + (how == 2) : 63 + rnd(&g->r, 3)) : PICK(&g->r, g->rs->pool.ttl);

	switch (how) {
	case 0:
		if (!gen_not(g))
			g->rule->hint.ttl = ttl;
		gen_say(g, " --ttl-eq %u", ttl);
		break;
	case 1:
		gen_say(g, " --ttl-gt %u", ttl);
		g->rule->hint.ttl = (uint8_t)(ttl + 2);
		break;
	default:
		gen_say(g, " --ttl-lt %u", ttl);
		g->rule->hint.ttl = (uint8_t)(ttl > 3 ? ttl - 1 : 2);
	}
}

void
m_tos(struct gen *g)
{
	uint8_t tos = g->rule->hint.has_tos ? g->rule->hint.tos : PICK(&g->r, g->rs->pool.tos);

	if (!gen_not(g)) {
		g->rule->hint.tos = tos;
		g->rule->hint.has_tos = true;
	}
	if (chance(&g->r, 50))
		gen_say(g, " --tos 0x%02x/0x%02x", tos, PICK(&g->r, ((uint8_t[]){0xff, 0x3f, 0xfc, 0x1e})));
	else
		gen_say(g, " --tos 0x%02x", tos);
}

void
m_dscp(struct gen *g)
{
	uint8_t tos = g->rule->hint.has_tos ? g->rule->hint.tos : PICK(&g->r, g->rs->pool.tos);

	if (!gen_not(g)) {
		g->rule->hint.tos = tos;
		g->rule->hint.has_tos = true;
	}
	gen_say(g, " --dscp 0x%02x", tos >> 2);
}

/* Types that few packets have are mostly inverted. */
static void
type_option(struct gen *g, const char *option, const char *type, uint32_t *hint)
{
	static const struct {
		const char *type, *address, *other;
	} hints[] = {{"LOCAL", "10.0.0.1", NULL}, {"UNICAST", NULL, "10.0.0.1"}, {"BLACKHOLE", "10.66.1.1", NULL}, {"UNREACHABLE", "10.67.1.1", NULL},
		{"PROHIBIT", "10.68.1.1", NULL}, {"LOCAL,BROADCAST", "10.0.0.1", NULL}};
	bool not = chance(&g->r, strstr(type, "LOCAL") || strstr(type, "UNICAST") ? 15 : 80);
	const char *address;
	unsigned i;

	if (not)
		gen_say(g, " !");
	for (i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
		address = not ? hints[i].other : hints[i].address;
		if (strcmp(hints[i].type, type) == 0 && address && !*hint)
			*hint = inet_addr(address);
	}
	/* nothing here goes to many; from there it comes to the first hook */
	gen_never(g, !not && (option[2] == 'd' || !(g->hooks & H_PRE)) && (strcmp(type, "MULTICAST") == 0 || strcmp(type, "BROADCAST") == 0));
	gen_say(g, " %s %s", option, type);
}

void
m_addrtype(struct gen *g)
{
	static const char *const types[] = {"LOCAL", "UNICAST", "LOCAL,BROADCAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "MULTICAST", "UNSPEC",
		"BROADCAST", "UNICAST,LOCAL"};
	unsigned which = rnd_between(&g->r, 1, 3);

	if (which & 1)
		type_option(g, "--src-type", chance(&g->r, 20) ? PICK(&g->r, types) : gen_output(g) ? "LOCAL" : "UNICAST", &g->rule->hint.src);
	if (which & 2)
		type_option(g, "--dst-type", chance(&g->r, 20) ? PICK(&g->r, types) : gen_input(g) ? "LOCAL" : "UNICAST", &g->rule->hint.dst);
	if (chance(&g->r, 20) && !(g->hooks & (H_OUT | H_POST)))
		gen_say(g, " --limit-iface-in");
	else if (chance(&g->r, 20) && !(g->hooks & (H_PRE | H_IN)))
		gen_say(g, " --limit-iface-out");
}

void
m_pkttype(struct gen *g)
{
	static const char *const types[] = {"unicast", "unicast", "broadcast", "multicast"};

	unsigned i = rnd(&g->r, sizeof(types) / sizeof(*types));
	bool unicast = i < 2, not = chance(&g->r, unicast ? 10 : 50), arrives = g->hooks & (H_PRE | H_IN);

	if (not)
		gen_say(g, " !");
	gen_say(g, " --pkt-type %s", types[i]);
	/* what came to many is not forwarded */
	gen_never(g, not == unicast && !arrives);
	g->always = not != unicast && !arrives;
	if (not != unicast)
		return;
	if (g->rule->hint.iface < 0)
		g->rule->hint.iface = LAN;
	g->rule->hint.to = types[i][0] == 'm' ? TO_MULTICAST : TO_BROADCAST;
}

void
m_mac(struct gen *g)
{
	struct hint *h = &g->rule->hint;
	uint8_t from = (uint8_t)rnd(&g->r, 3);

	if (!gen_not(g))
		h->mac = from + 1;
	gen_say(g, " --mac-source 02:00:00:00:00:%02x", from);
	/* without an Ethernet header neither is true */
	gen_never(g, h->iface >= 0 && h->iface != LAN);
	h->iface = LAN;
}

void
m_u32(struct gen *g)
{
	uint16_t p = gen_port(g);

	switch (rnd(&g->r, 6)) {
	case 0:
		gen_not(g);
		gen_say(g, " --u32 \"6&0xFF=%u\"", g->proto ? g->proto : gen_output(g) ? IPPROTO_ICMP : PICK(&g->r, ((uint8_t[]){1, 6, 17})));
		break;
	case 1:
		gen_say(g, " --u32 \"4&0x1FFF=0 && 0>>22&0x3C@0&0xFFFF=%u\"", p);
		g->rule->hint.dport = p;
		break;
	case 2:
		gen_say(g, " --u32 \"0&0xFFFF=0x%x:0x%x\"", PICK(&g->r, g->rs->pool.lengths), 1500);
		break;
	case 3:
		gen_say(g, " --u32 \"8>>24=1:%u\"", PICK(&g->r, g->rs->pool.ttl));
		break;
	case 4:
		g->rule->hint.dst = gen_input(g) ? inet_addr("192.0.2.1") : address_value(chance(&g->r, 50) ? 0 : 5);
		gen_say(g, " --u32 \"16=0x%x,0x%x:0x%x\"", ntohl(address_value(0)), 0xc0000200, 0xc63364ff);
		break;
	default:
		gen_say(g, " --u32 \"0>>22&0x3C@12>>26&60@0=0:0xFFFFFFFF\"");
	}
}

void
m_string(struct gen *g)
{
	const char *word = PICK(&g->r, words);
	unsigned from = rnd(&g->r, 3) ? 0 : rnd(&g->r, 60);

	gen_not(g);
	if (word[0] == '\\') {
		gen_say(g, " --hex-string \"|ff00|a\"");
		word = NULL;
	} else {
		gen_say(g, " --string \"%s\"", word);
	}
	g->rule->hint.word = word;
	gen_say(g, " --algo %s", chance(&g->r, 50) ? "bm" : "kmp");
	if (from)
		gen_say(g, " --from %u", from);
	if (chance(&g->r, 30))
		gen_say(g, " --to %u", from + 30 + rnd(&g->r, 200));
	if (chance(&g->r, 30))
		gen_say(g, " --icase");
}
