/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/router/way.h"

#include "fabric/router/stages.h"

/*
 *  arrives ─> PREROUTING ─> route ──┬─> INPUT ─> deliver: ICMP, or the control namespace
 *                                   └─> FORWARD ──────────┐
 *  made here ─> route ─> OUTPUT ──────────────────────────┴─> POSTROUTING ─> egress ─> the next router, LAN, port
 *
 * A table that the router's ruleset does not have costs its stage two loads. "nat" is also where what was translated is translated again.
 */
static const struct stage prerouting[] = {
		{"defragment", PRIORITY_DEFRAG, READS_STATE, filter_defragment},
		{"raw", PRIORITY_RAW, READS_STATE, filter_raw},
		{"conntrack", PRIORITY_CONNTRACK, READS_STATE, filter_track},
		{"mangle", PRIORITY_MANGLE, READS_STATE, filter_mangle},
		{"nat", PRIORITY_NAT_DST, READS_STATE, filter_nat},
		{"route", PRIORITY_LAST, READS_STATE, route_input},
		{0},
};

static const struct stage input[] = {
		{"reassemble", PRIORITY_FIRST, READS_NEVER, input_reassemble},
		{"mangle", PRIORITY_MANGLE, READS_STATE, filter_mangle},
		{"filter", PRIORITY_FILTER, READS_STATE, filter_filter},
		{"security", PRIORITY_SECURITY, READS_STATE, filter_security},
		{"nat", PRIORITY_NAT_SRC, READS_STATE, filter_nat},
		{"helper", PRIORITY_HELPER, READS_STATE, filter_help},
		{"confirm", PRIORITY_CONFIRM, READS_STATE, filter_confirm},
		{"deliver", PRIORITY_LAST, READS_NEVER, input_deliver},
		{0},
};

static const struct stage forward[] = {
		{"ttl", PRIORITY_FIRST, READS_GUARD, forward_ttl},
		{"mtu", PRIORITY_FIRST + 1, READS_GUARD, forward_mtu},
		{"mangle", PRIORITY_MANGLE, READS_STATE, filter_mangle},
		{"filter", PRIORITY_FILTER, READS_STATE, filter_filter},
		{"security", PRIORITY_SECURITY, READS_STATE, filter_security},
		{"onward", PRIORITY_LAST, READS_KEY, to_postrouting},
		{0},
};

static const struct stage output[] = {
		{"route", PRIORITY_FIRST, READS_STATE, route_output},
		{"defragment", PRIORITY_DEFRAG, READS_STATE, filter_defragment},
		{"raw", PRIORITY_RAW, READS_STATE, filter_raw},
		{"conntrack", PRIORITY_CONNTRACK, READS_STATE, filter_track},
		{"mangle", PRIORITY_MANGLE, READS_STATE, filter_mangle},
		{"nat", PRIORITY_NAT_DST, READS_STATE, filter_nat},
		{"filter", PRIORITY_FILTER, READS_STATE, filter_filter},
		{"security", PRIORITY_SECURITY, READS_STATE, filter_security},
		{"onward", PRIORITY_LAST, READS_KEY, to_postrouting},
		{0},
};

static const struct stage postrouting[] = {
		{"mangle", PRIORITY_MANGLE, READS_STATE, filter_mangle},
		{"nat", PRIORITY_NAT_SRC, READS_STATE, filter_nat},
		{"helper", PRIORITY_HELPER, READS_STATE, filter_help},
		{"confirm", PRIORITY_CONFIRM, READS_STATE, filter_confirm},
		{"egress", PRIORITY_LAST, READS_STATE, egress},
		{0},
};

const struct way router_way = {{
		[HOOK_PREROUTING] = prerouting,
		[HOOK_INPUT] = input,
		[HOOK_FORWARD] = forward,
		[HOOK_OUTPUT] = output,
		[HOOK_POSTROUTING] = postrouting,
}};

void
router_drop(struct walker *w, struct pkt *p, enum drop_reason why)
{
	if (w->lost)
		w->lost(w, p, why);
	if (p->in)
		p->in->live->count.rx_drops += pkt_segments(p);
	else if (p->out)
		p->out->live->count.tx_drops += pkt_segments(p);
	pkt_drop(&w->env, p->router ? &p->router->live->drops : &w->env.drops, p, why);
}

static void
note_stage(struct pkt *p, const struct stage *stage)
{
	if (p->recorder && stage->reads == READS_NEVER)
		record_refuse(p->recorder, stage->name);
}

void
router_walk(struct walker *w, const struct way *way, struct pkt *p)
{
	struct step s = {.p = p};

	for (;;) {
		const struct stage *stage = &way->hooks[s.p->hook][s.p->stage];

		note_stage(s.p, stage);
		switch (stage->run(w, &s)) {
		case VERDICT_ACCEPT:
			s.p->stage++;
			break;
		case VERDICT_REPEAT:
			break;
		case VERDICT_GO:
			s.p->stage = 0;
			break;
		case VERDICT_STOLEN:
			return;
		case VERDICT_DROP:
			router_drop(w, s.p, s.why);
			return;
		}
	}
}
