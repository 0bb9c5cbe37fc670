/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets of the nat table. Ranges of ports are at most NARROW_MOST wide, so that a few hundred packets exhaust them and any
 * port of them may be taken over from a closed connection (nat_draws.c), or so wide that nothing exhausts them.
 */
#include "tests/oracle/rules_draft.h"

#include <netinet/in.h>
#include <string.h>

enum { NARROW_MOST = 24, HARD_ONLY = 32 /* ATTEMPTS_HARD of nf_nat_core.c */ };
_Static_assert(NARROW_MOST <= HARD_ONLY, "see nat_draws.c");

static bool
may_have_ports(const struct gen *g)
{
	return g->proto == IPPROTO_TCP || g->proto == IPPROTO_UDP || g->proto == IPPROTO_SCTP;
}

/* "first-last", "first" or nothing. => first; 0: nothing. */
static uint16_t
port_range(struct gen *g, const char *before, unsigned percent)
{
	static const uint16_t firsts[] = {1, 490, 600, 1000, 1024, 5000, 40000, 65500};
	uint16_t first = PICK(&g->r, firsts);

	if (!may_have_ports(g) || !chance(&g->r, percent))
		return 0;
	if (chance(&g->r, 25))
		first = gen_port(g);
	gen_say(g, "%s%u", before, first);
	if (chance(&g->r, 15))
		return first;
	if (chance(&g->r, 80))
		gen_say(g, "-%u", first > 65500 ? 65535 : first + rnd(&g->r, NARROW_MOST));
	else
		gen_say(g, "-%u", first > 60000 ? 65535 : first + rnd_between(&g->r, 1000, 5000));
	return first;
}

static void
random_source(struct gen *g)
{
	if (chance(&g->r, 25))
		gen_say(g, chance(&g->r, 50) ? " --random" : " --random-fully");
}

/* See ruleset_text.blind. */
static void
random_destination(struct gen *g)
{
	if (g->rs->blind && chance(&g->r, 40))
		gen_say(g, " --random");
}

void
t_snat(struct gen *g)
{
	static const char *const to[] = {"192.0.2.1", "192.0.2.100", "192.0.2.100", "192.0.2.100-192.0.2.103", "192.0.2.20-192.0.2.90",
		"198.51.100.7", "203.0.113.50-203.0.113.60", "10.0.0.1", "10.1.0.1", "10.1.200.1", "10.0.0.5"};
	bool address;

	g->terminal = true;
	gen_say(g, " --to-source ");
	address = !may_have_ports(g) || chance(&g->r, 92);
	if (address)
		gen_say(g, "%s", PICK(&g->r, to));
	port_range(g, ":", address ? 60 : 100);
	random_source(g);
	if (chance(&g->r, 20))
		gen_say(g, " --persistent");
}

void
t_dnat(struct gen *g)
{
	static const char *const to[] = {"10.0.0.5", "10.0.0.77", "10.1.0.2", "10.1.7.7", "10.1.0.2-10.1.0.9", "10.0.8.9-10.0.8.40",
		"198.51.100.8", "198.51.100.7-198.51.100.8", "10.0.0.1", "192.0.2.1", "10.0.0.2-10.0.0.3", "203.0.113.9"};
	uint16_t first;
	bool address;

	g->terminal = true;
	gen_say(g, " --to-destination ");
	address = !may_have_ports(g) || chance(&g->r, 92);
	if (address)
		gen_say(g, "%s", PICK(&g->r, to));
	first = port_range(g, ":", address ? 60 : 100);
	if (first && !strchr(strrchr(g->rule->text, ':'), '-'))
		first = 0; /* a base belongs to a range only */
	if (first && chance(&g->r, 35))
		gen_say(g, "/%u", g->rule->hint.dport ? g->rule->hint.dport : gen_port(g));
	random_destination(g);
	if (chance(&g->r, 20))
		gen_say(g, " --persistent");
}

void
t_masquerade(struct gen *g)
{
	g->terminal = true;
	port_range(g, " --to-ports ", 50);
	random_source(g);
}

void
t_redirect(struct gen *g)
{
	g->terminal = true;
	if (port_range(g, " --to-ports ", 70))
		random_destination(g);
}

void
t_netmap(struct gen *g)
{
	static const char *const nets[] = {"203.0.113.0/24", "198.51.100.0/28", "10.1.7.0/24", "10.0.8.0/21", "192.0.2.128/25", "10.1.0.2"};

	g->terminal = true;
	gen_say(g, " --to %s", PICK(&g->r, nets));
}

/* Of a packet. */
static bool
sees_ports(const char *text)
{
	static const char *const who[] = {"sport", "dport", " --ports", "srcport", "dstport", " --u32 ", " -m hashlimit ", "-set "};
	unsigned i;

	for (i = 0; i < sizeof(who) / sizeof(*who); i++)
		if (strstr(text, who[i]))
			return true;
	return false;
}

/* Where destinations are drawn. */
static bool
is_before_draw(const struct rule *r)
{
	return strcmp(r->table, "raw") == 0 ||
		(strcmp(r->table, "nat") == 0 && (strcmp(r->chain, "PREROUTING") == 0 || strcmp(r->chain, "OUTPUT") == 0));
}

void
ruleset_make_blind(struct ruleset_text *rs)
{
	static const struct hint anything = {.iface = -1, .out = -1};
	unsigned i;

	for (i = 0; i < rs->n_rules; i++) {
		struct rule *r = &rs->rules[i];

		if (is_before_draw(r) || !sees_ports(r->text))
			continue;
		stpcpy(stpcpy(r->text, "-A "), r->chain);
		r->hint = anything;
		r->n_exts = 0;
		r->narrow = r->ends = r->returns = r->impossible = false;
		r->sets_mark = r->sets_connmark = r->rejects = false;
		r->mark = 0;
		r->recent_adds = r->recent_asks = 0;
		r->proto = 0;
		r->to[0] = 0;
	}
}
