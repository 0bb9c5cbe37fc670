/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which matches and targets there are, how often each is drawn, and where it may stand. */
#include "tests/oracle/rules_draft.h"

#include <netinet/in.h>

const struct ext matches[N_MATCHES] = {
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
	{"mac", m_mac, 2, T_ALL, H_PRE | H_IN | H_FWD, 0},
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
	{"state", m_state, 6, T_MANGLE | T_FILTER | T_SECURITY | T_NAT, H_ALL, 0},
	{"conntrack", m_conntrack, 12, T_MANGLE | T_FILTER | T_SECURITY | T_NAT, H_ALL, 0},
	{"connmark", m_connmark, 4, T_ALL, H_ALL, 0},
	{"connbytes", m_connbytes, 4, T_MANGLE | T_FILTER | T_SECURITY | T_NAT, H_ALL, 0},
	{"connlimit", m_connlimit, 60, T_ALL, H_ALL, 0},
	{"set", m_set, 5, T_ALL, H_ALL, 0},
};

const struct ext targets[N_TARGETS] = {
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
	{"SNAT", t_snat, 40, T_NAT, H_POST | H_IN, 0},
	{"DNAT", t_dnat, 50, T_NAT, H_PRE | H_OUT, 0},
	{"MASQUERADE", t_masquerade, 25, T_NAT, H_POST, 0},
	{"REDIRECT", t_redirect, 15, T_NAT, H_PRE | H_OUT, 0},
	{"NETMAP", t_netmap, 12, T_NAT, H_PRE | H_IN | H_OUT | H_POST, 0},
};

static bool refused[N_MATCHES + N_TARGETS];

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

bool
ext_translates(unsigned i)
{
	return i >= N_MATCHES && targets[i - N_MATCHES].tables == T_NAT;
}

void
ext_allow(unsigned i, bool allowed)
{
	refused[i] = !allowed;
}

bool
ext_allowed(unsigned i)
{
	return !refused[i];
}

static bool
fits(const struct gen *g, const struct ext *e, bool is_refused)
{
	uint8_t proto;

	/* who asks a rule twice in a tick counts twice (__nf_conncount_add() in net/netfilter/nf_conncount.c) */
	if (is_refused || (e->write == m_connlimit && (!g->rs->slow || g->chains[g->chain].user)) || !(e->tables & 1u << g->table) || (g->hooks & ~e->hooks))
		return false;
	if (gen_output(g) && g->n_chains > 1 && (e->write == m_udp || e->write == m_tcpmss || e->write == t_tcpmss))
		return false;
	/* where connections are not known yet, one in four rulesets asks for one */
	if (e->write == m_connmark && g->table == 0 && g->rs->serial % 4)
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

int
gen_match(struct gen *g)
{
	return draw(g, matches, N_MATCHES, refused);
}

int
gen_target(struct gen *g)
{
	return draw(g, targets, N_TARGETS, refused + N_MATCHES);
}

void
gen_require_proto(struct gen *g, const struct ext *e)
{
	if (g->proto || !e->proto)
		return;
	if (g->way.proto)
		g->proto = g->way.proto;
	else
		g->proto = e->proto != PORTS_PROTO ? e->proto : gen_output(g) || chance(&g->r, 60) ? IPPROTO_TCP : IPPROTO_UDP;
}
