/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets: some fit a rule of the ruleset, its constants one off now and then; some go on with a flow that began before: TCP's handshake, data and end,
 * right and slightly wrong, answers, errors about it; some are fragments; a few are malformed.
 */
#include "tests/oracle/packets_draft.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <stdlib.h>

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

void
packets_next(struct packets *g, struct frame *f)
{
	struct draft d;
	struct iphdr *ip = (struct iphdr *)f->data;

	g->sent = NULL;
	if (chance(&g->r, 70) && packets_waiting(g, f))
		return;
	if (g->n_follow && g->follow.related && chance(&g->r, 70)) {
		flow_error(g, &d, f);
		g->n_follow--;
	} else if (g->n_flows && chance(&g->r, g->n_follow ? 90 : g->n_aims ? 25 : 45))
		flow_go_on(g, &d, f);
	else if (g->n_flows && chance(&g->r, 10))
		flow_error(g, &d, f);
	else
		packets_fit(g, &d, f);
	if (chance(&g->r, 4) && f->len > 60 && g->n_waiting == 0 && !(ntohs(ip->frag_off) & 0x3fff)) {
		packets_cut(g, f);
		g->sent = NULL;
		if (packets_waiting(g, f))
			return;
	}
	if (chance(&g->r, 3)) {
		packets_malform(g, f);
		g->sent = NULL;
	}
}
