/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the hooks meet address translation: nf_nat_inet_fn() and its IPv4 callers. */
#include "nat/nat.h"
#include "filters/live.h"
#include "filters/ruleset.h"
#include "nat/balance.h"
#include "nat/hairpin.h"

#include "fabric/router/stages.h"

/* Without a table or a balanced service nothing is bound; what is bound is translated all the same.
 */
static bool
binds(const struct router *r)
{
	return r->balance || (r->rules && r->rules->tables[TABLE_NAT].present);
}

/* An ICMP error belongs to a connection that has its bindings, or never gets any. */
static bool
may_begin(const struct pkt *p)
{
	return p->ct_info == CT_NEW ||
	       (p->ct_info % CT_REPLY == CT_RELATED && p->proto != IPPROTO_ICMP);
}

/* What comes in here for an address of the router's own meets the rules for what comes from outside,
 * too. */
static enum verdict
ask_from_outside(struct walker *w, struct step *s, const struct conn *c, bool *queued)
{
	const struct iface *outer, *in = s->p->in;
	struct pkt *p = s->p;
	enum verdict v;

	outer = p->hook == HOOK_PREROUTING ? nat_hairpin_outer(p->router, p) : NULL;
	if (!outer || nat_is_bound(c, NAT_DST))
		return VERDICT_ACCEPT;
	p->in = outer;
	v = filter_nat_table(w, s, queued);
	if (v != VERDICT_STOLEN)
		p->in = in;
	return v;
}

/* Where no rule has said anything: a balanced service, or a hairpin. */
static enum filter_verdict
bind_otherwise(struct walker *w, struct step *s, struct conn *c, enum nat_manip manip)
{
	static const struct nat_range any_port = {0};
	const struct pkt *p = s->p;

	if (manip == NAT_DST)
		return balance_bind(&w->env, p->router, p, c, &s->why);
	if (p->hook == HOOK_POSTROUTING && nat_hairpin_applies(p->router, p, c))
		return nat_masquerade(&w->env, p->router, c, &any_port, p->out, &p->nexthop, &s->why);
	return FILTER_CONTINUE;
}

/* The first packet: a rule says what the connection is bound to, or it stays what it is. What a rule gives to a program is bound by
 * no hook, and left as it is here, also when there is no program. */
static enum verdict
bind_first(struct walker *w, struct step *s, struct conn *c, enum nat_manip manip, bool *queued)
{
	const struct router *r = s->p->router;
	enum verdict v = filter_nat_table(w, s, queued);
	enum filter_verdict bound;

	if (v == VERDICT_ACCEPT && !*queued)
		v = ask_from_outside(w, s, c, queued);
	if (v != VERDICT_ACCEPT || *queued || nat_is_bound(c, manip))
		return v;
	bound = bind_otherwise(w, s, c, manip);
	if (bound != FILTER_DROP && !nat_is_bound(c, manip))
		bound = nat_bind_null(&w->env, r->live->filters->conntrack, c, manip, &s->why);
	return bound == FILTER_DROP ? VERDICT_DROP : VERDICT_ACCEPT;
}

/* Masqueraded for another interface than it now leaves by: as in Linux its next packet begins anew.
 */
static bool
has_moved(const struct pkt *p, const struct conn *c)
{
	return c->masq_slot && p->hook == HOOK_POSTROUTING && ct_dir(p) == CT_DIR_ORIGINAL &&
	       p->out && p->out->slot != c->masq_slot;
}

static enum verdict
translate(struct walker *w, struct step *s, struct conn *c)
{
	struct pkt *p = s->p;
	enum nat_manip manip = nat_manip_of(p->hook);
	enum verdict v = VERDICT_ACCEPT;
	bool queued = false;

	if (!binds(p->router) && !(c->status & (CT_SRC_NAT | CT_DST_NAT)))
		return VERDICT_ACCEPT; /* Linux has no hook here then, so redirects pass too */
	if (may_begin(p) && !nat_is_bound(c, manip) && binds(p->router)) {
		v = bind_first(w, s, c, manip, &queued);
	} else if (has_moved(p, c) && p->ct_info % CT_REPLY != CT_RELATED) {
		conntrack_delete(&w->env, p->router->live->filters->conntrack, c);
		return drop(s, DROP_NAT_MOVED);
	}
	if (v != VERDICT_ACCEPT || queued)
		return v;
	s->why = nat_translate(p, c, manip);
	return s->why == DROP_NONE ? VERDICT_ACCEPT : VERDICT_DROP;
}

/* The connection of the packet; one whose outside address or worker is gone ends here, and the packet
 * is tracked anew. => NULL: none. */
static struct conn *
living(struct walker *w, struct step *s, enum filter_verdict *v)
{
	struct pkt *p = s->p;
	const struct router *r = p->router;
	struct conn *c = conntrack_of(r, p);

	*v = FILTER_ACCEPT;
	if (!c || (p->hook != HOOK_PREROUTING && p->hook != HOOK_OUTPUT))
		return c;
	nat_sweep(&w->env, r);
	if (!nat_is_stale(r, c) && !(c->worker && balance_is_dead(r->live->filters->conntrack, c)))
		return c;
	conntrack_delete(&w->env, r->live->filters->conntrack, c);
	env_untrack(&w->env, p);
	*v = conntrack_input(&w->env, r, p, p->hook, &s->why);
	return conntrack_of(r, p);
}

/* What is made here and has got another destination is routed anew. */
enum verdict
filter_nat(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	enum filter_verdict tracked;
	struct conn *c = living(w, s, &tracked);
	uint32_t dst = pkt_ip4(p)->daddr;
	enum verdict v;

	if (!c)
		return tracked == FILTER_DROP ? VERDICT_DROP : VERDICT_ACCEPT;
	v = translate(w, s, c);
	if (v == VERDICT_DROP)
		nat_warn(&w->env, p, s->why);
	s->moved = p->hook == HOOK_PREROUTING && pkt_ip4(p)->daddr != dst;
	if (v != VERDICT_ACCEPT || p->hook != HOOK_OUTPUT || pkt_ip4(p)->daddr == dst)
		return v;
	p->flags &= (uint16_t)~PKT_BROADCAST;
	return route_anew(w, s);
}
