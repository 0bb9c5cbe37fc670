/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the hooks meet the filters: defragmentation, connection tracking, the tables of the router's ruleset. */
#include "filters/conntrack.h"
#include "filters/helper.h"
#include "filters/live.h"
#include "filters/ruleset.h"
#include "nat/nat.h"

#include "fabric/router/stages.h"
#include "routing/reasm.h"

static_assert(HOOK_PREROUTING == (int)RULES_PREROUTING && HOOK_POSTROUTING == (int)RULES_POSTROUTING,
		"rules count hooks as the way does");

/*
 * As in Linux a router tracks connections only if a rule needs it, or the configuration says so; and, other than there, while there are
 * translated ones: a rule that goes leaves what runs alone.
 */
static bool
tracks(const struct router *r, struct recorder *recorder)
{
	if (!r->live->filters || !r->live->filters->conntrack)
		return false;
	if ((r->rules && r->rules->needs & NEEDS_CONNTRACK) || r->balance || tune(&r->tunables, TUNE_CT_TRACKING))
		return true;
	if (!nat_in_use(r->live->filters->conntrack))
		return false;
	record_refuse(recorder, "its router tracks only until the last translation has ended");
	return true;
}

enum verdict
filter_defragment(struct walker *w, struct step *s)
{
	struct pkt *p = s->p, *whole;
	const struct router *r = p->router;
	uint8_t hook = p->hook, stage = p->stage;

	if (!(p->flags & PKT_FRAGMENT) || p->ct || !tracks(r, p->recorder))
		return VERDICT_ACCEPT;
	whole = reasm_input(r->live->reasm, &w->env, hook == HOOK_OUTPUT ? REASM_CONNTRACK_OUT : REASM_CONNTRACK_IN, p);
	if (!whole)
		return VERDICT_STOLEN;
	whole->router = r;
	whole->hook = hook;
	whole->stage = stage;
	s->p = whole;
	return VERDICT_ACCEPT;
}

enum verdict
filter_track(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;

	if (!tracks(p->router, p->recorder))
		return VERDICT_ACCEPT;
	if (conntrack_input(&w->env, p->router, p, p->hook, &s->why) == FILTER_DROP)
		return VERDICT_DROP;
	if (p->recorder)
		conntrack_record(&w->env, p->router, p, p->recorder);
	return VERDICT_ACCEPT;
}

enum verdict
filter_help(struct walker *w, struct step *s)
{
	if (!s->p->ct)
		return VERDICT_ACCEPT;
	s->why = helper_packet(&w->env, s->p->router, s->p);
	return s->why == DROP_NONE ? VERDICT_ACCEPT : VERDICT_DROP;
}

enum verdict
filter_confirm(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;

	if (!p->ct)
		return VERDICT_ACCEPT;
	return conntrack_confirm(&w->env, p->router, p, &s->why) == FILTER_DROP ? VERDICT_DROP : VERDICT_ACCEPT;
}

/* NFQUEUE: a program decides, and the packet goes on behind this table. */
static enum verdict
queue(struct walker *w, struct step *s, const struct filter_ctx *ctx)
{
	enum drop_reason why = w->env.ops->queue ? w->env.ops->queue(&w->env, s->p, (uint16_t)ctx->queue) : DROP_QUEUE_NOBODY;

	if (why == DROP_NONE)
		return VERDICT_STOLEN;
	if (why == DROP_QUEUE_NOBODY && ctx->queue_flags & FILTER_QUEUE_BYPASS)
		return VERDICT_ACCEPT;
	return drop(s, why);
}

/* As nf_hook_state, which is filled in once for all tables of a hook. */
static const struct iface *
out_seen(const struct step *s)
{
	if (s->p->hook == HOOK_PREROUTING || s->p->hook == HOOK_INPUT)
		return NULL;
	return s->p->hook == HOOK_OUTPUT && s->was_out ? s->was_out : s->p->out;
}

/* What a table says of a packet. ACCEPT when the router has no such table at this hook. */
static enum filter_verdict
judge(struct walker *w, struct step *s, enum rules_table table, struct filter_ctx *ctx)
{
	struct pkt *p = s->p;
	const struct ruleset *rules = p->router->rules;

	if (!rules || !rules->tables[table].entry[p->hook])
		return FILTER_ACCEPT;
	*ctx = (struct filter_ctx){
			.env = &w->env,
			.router = p->router,
			.p = p,
			.in = p->hook == HOOK_OUTPUT ? NULL : p->in,
			.out = out_seen(s),
			.rules = rules,
			.hook = p->hook,
			.table = (uint8_t)table,
			.l4 = !(p->flags & PKT_LATER_FRAGMENT),
			.why = DROP_RULE,
	};
	return ruleset_run(rules, ctx);
}

static enum verdict
carry_out(struct walker *w, struct step *s, enum filter_verdict v, const struct filter_ctx *ctx)
{
	switch (v) {
	case FILTER_DROP:
		return drop(s, ctx->why);
	case FILTER_QUEUE:
		return queue(w, s, ctx);
	case FILTER_STOLEN:
		return VERDICT_STOLEN;
	default:
		return VERDICT_ACCEPT;
	}
}

static enum verdict
filter_table(struct walker *w, struct step *s, enum rules_table table)
{
	struct filter_ctx ctx;
	enum filter_verdict v = judge(w, s, table, &ctx);

	return carry_out(w, s, v, &ctx);
}

enum verdict
filter_nat_table(struct walker *w, struct step *s, bool *queued)
{
	struct filter_ctx ctx;
	enum filter_verdict v = judge(w, s, TABLE_NAT, &ctx);

	*queued = v == FILTER_QUEUE;
	return carry_out(w, s, v, &ctx);
}

enum verdict
route_anew(struct walker *w, struct step *s)
{
	if (!s->was_out)
		s->was_out = s->p->out;
	s->p->out = NULL;
	return route_output(w, s);
}

enum verdict
filter_raw(struct walker *w, struct step *s)
{
	return filter_table(w, s, TABLE_RAW);
}

/* What the route of a packet made here was chosen by (ipt_mangle_out(), net/ipv4/netfilter/iptable_mangle.c). */
struct routed_by {
	uint32_t src, dst, mark;
	uint8_t tos;
};

static struct routed_by
routed_by(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);

	return (struct routed_by){ip->saddr, ip->daddr, p->mark, ip->tos};
}

static bool
same_route(struct routed_by a, struct routed_by b)
{
	return a.src == b.src && a.dst == b.dst && a.mark == b.mark && a.tos == b.tos;
}

/* Also what goes to a program is routed anew first. */
enum verdict
filter_mangle(struct walker *w, struct step *s)
{
	struct routed_by before = routed_by(s->p);
	struct filter_ctx ctx;
	enum filter_verdict v = judge(w, s, TABLE_MANGLE, &ctx);
	enum verdict routed = VERDICT_ACCEPT;

	if (v != FILTER_DROP && v != FILTER_STOLEN && s->p->hook == HOOK_OUTPUT && !same_route(before, routed_by(s->p)))
		routed = route_anew(w, s);
	return routed == VERDICT_ACCEPT ? carry_out(w, s, v, &ctx) : routed;
}

enum verdict
filter_filter(struct walker *w, struct step *s)
{
	return filter_table(w, s, TABLE_FILTER);
}

enum verdict
filter_security(struct walker *w, struct step *s)
{
	return filter_table(w, s, TABLE_SECURITY);
}
