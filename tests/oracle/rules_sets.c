/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets, and the match and the target that name one. */
#include "tests/oracle/rules_draft.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { SET_IP, SET_NET, SET_IPPORT, SET_NETIFACE, SET_PORT, SET_TYPES };

static void
set_member(struct gen *g, unsigned type, char *buf, size_t size)
{
	unsigned which = gen_any_address(g);
	const char *a = addresses[which].text;
	uint16_t p = gen_port(g);
	unsigned len = PICK(&g->r, ((unsigned[]){8, 16, 24, 29, 32}));

	switch (type) {
	case SET_IP:
		snprintf(buf, size, "%s", a);
		break;
	case SET_NET:
		snprintf(buf, size, "%s/%u%s", a, len, chance(&g->r, 20) ? " nomatch" : "");
		break;
	case SET_IPPORT:
		snprintf(buf, size, "%s,%s:%u", a, g->set_proto[g->n_sets] == IPPROTO_TCP ? "tcp" : "udp", p);
		break;
	case SET_NETIFACE:
		snprintf(buf, size, "%s/%u,t%u%s", a, len, addresses[which].home >= 0 && chance(&g->r, 70) ? (unsigned)addresses[which].home : rnd(&g->r, 3), chance(&g->r, 15) ? " nomatch" : "");
		break;
	default:
		snprintf(buf, size, "%u", p);
	}
	if (addresses[which].home == -1)
		g->set_own[g->n_sets] = address_value(which);
	else if (addresses[which].home >= 0)
		g->set_away[g->n_sets] = address_value(which);
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
	g->set_proto[g->n_sets] = chance(&g->r, 60) ? IPPROTO_TCP : IPPROTO_UDP;
	g->set_own[g->n_sets] = g->set_away[g->n_sets] = 0;
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
gen_set(struct gen *g)
{
	if (g->n_sets == 0 || (g->n_sets < SETS && chance(&g->r, 40)))
		make_set(g);
	return rnd(&g->r, g->n_sets);
}

static void
gen_set_sides(struct gen *g, unsigned set, bool not)
{
	unsigned type = g->set_types[set];
	bool two = type == SET_IPPORT || type == SET_NETIFACE, first = chance(&g->r, 50), second = chance(&g->r, 50);
	struct hint *h = &g->rule->hint;

	gen_say(g, " %s%s%s", first ? "src" : "dst", two ? "," : "", two ? (second ? "src" : "dst") : "");
	if (not)
		return;
	if (type != SET_PORT)
		*(first ? &h->src : &h->dst) = (first ? gen_output(g) : gen_input(g)) ? g->set_own[set] : g->set_away[set];
	if (type == SET_IPPORT && !h->proto)
		h->proto = g->set_proto[set];
	if (type == SET_PORT || type == SET_IPPORT)
		*((two ? second : first) ? &h->sport : &h->dport) = g->set_port[set];
}

void
m_set(struct gen *g)
{
	unsigned set = gen_set(g);
	bool not = gen_not(g);

	gen_say(g, " --match-set %s", g->set_names[set]);
	gen_set_sides(g, set, not);
	if (chance(&g->r, 10))
		gen_say(g, " --return-nomatch");
}

void
t_set(struct gen *g)
{
	unsigned set = gen_set(g);
	bool add = chance(&g->r, 65);

	/* a member of hash:net,iface names an interface that every packet here has only in some hooks */
	gen_say(g, " --%s-set %s", add ? "add" : "del", g->set_names[set]);
	gen_set_sides(g, set, true);
	if (add && chance(&g->r, 30))
		gen_say(g, " --exist");
}
