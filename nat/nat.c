/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/live.h"
#include "nat/state.h"

#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LOG_WARNING_LEVEL = 4,
	SRC_OR_DST = CT_SRC_NAT | CT_DST_NAT,
	BOTH_DONE = CT_SRC_NAT_DONE | CT_DST_NAT_DONE
};

static const uint64_t WARN_EACH = 5000000000; /* ns */

static enum drop_reason follow(struct env *env, struct conntrack *ct, struct conn *c,
	const struct conn *master, const struct ct_expected *e);

static void
forget(struct conntrack_nat *base, struct conntrack *ct, struct conn *c)
{
	struct nat *nat = (struct nat *)base;

	if (nat->maps.n > 0)
		ports_release(&nat->maps, ct, c);
	gauges_remove(&nat->gauges, ct, c);
	if (c->worker)
		balance_forget(&nat->balance, c);
	if (c->masq_slot)
		nat->masqueraded--;
	if (c->status & SRC_OR_DST)
		nat->translated--;
	if (c->status & CT_SRC_NAT_DONE)
		sources_remove(&nat->sources, ct, c);
}

static void
release(struct conntrack_nat *base, struct env *env)
{
	struct nat *nat = (struct nat *)base;

	balance_lives_fini(&nat->balance, env);
	gauges_fini(&nat->gauges);
	ports_fini(&nat->maps);
	sources_fini(&nat->sources);
	free(nat);
}

/* => NULL: no memory. */
static struct nat *
nat_get(struct conntrack *ct)
{
	struct nat *nat = nat_of(ct);

	if (nat)
		return nat;
	nat = calloc(1, sizeof(*nat));
	if (!nat)
		return NULL;
	if (sources_init(&nat->sources) < 0) {
		free(nat);
		return NULL;
	}
	nat->base = (struct conntrack_nat){.follow = follow, .forget = forget, .free = release};
	conntrack_nat_set(ct, &nat->base);
	return nat;
}

struct balance_lives *
balance_lives_get(struct conntrack *ct)
{
	struct nat *nat = nat_get(ct);

	return nat ? &nat->balance : NULL;
}

struct balance_lives *
balance_lives(const struct conntrack *ct)
{
	struct nat *nat = nat_of(ct);

	return nat ? &nat->balance : NULL;
}

static enum filter_verdict
refuse(enum drop_reason reason, enum drop_reason *why)
{
	*why = reason;
	return FILTER_DROP;
}

static void
bind_to(const struct nat_choice *k, const struct ct_tuple *to)
{
	struct conn *c = k->c;
	struct ct_tuple reply;

	if (!conntrack_tuple_equal(to, &k->now) && conntrack_invert(to, &reply)) {
		conntrack_alter_reply(c, &reply);
		k->nat->translated += !(c->status & SRC_OR_DST);
		c->status |= k->manip == NAT_SRC ? CT_SRC_NAT : CT_DST_NAT;
	}
	c->status |= k->manip == NAT_SRC ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE;
	if (k->manip != NAT_SRC)
		return;
	sources_add(&k->nat->sources, k->ct, c);
	if (c->status & CT_SRC_NAT)
		gauges_add(k, to);
}

/* A rule that leaves the address as it is takes nothing from anybody. */
static bool
within_quota(const struct nat_choice *k)
{
	const struct router *r = conntrack_router(k->ct);
	const struct nat_range *range = k->range;

	if (k->manip != NAT_SRC || !r || tune(&r->tunables, TUNE_NAT_QUOTA) == 0 ||
		(range->min_addr == k->now.src.v4 && range->max_addr == range->min_addr))
		return true;
	return gauges_within_quota(k, (uint32_t)tune(&r->tunables, TUNE_NAT_QUOTA));
}

static void
note_refusal(const struct nat_choice *k, uint32_t outside)
{
	struct nat_refusal *last = &k->nat->refused;

	*last = (struct nat_refusal){
		.outside = outside,
		.guest = k->c->tuple[CT_DIR_ORIGINAL].src.v4,
		.destination = k->now.dst.v4,
		.proto = k->now.proto,
		.n = last->n + 1,
	};
}

enum filter_verdict
nat_setup(struct env *env, struct conntrack *ct, struct conn *c, const struct nat_range *range,
	enum nat_manip manip, enum drop_reason *why)
{
	struct nat_choice k = {.env = env, .ct = ct, .c = c, .range = range, .manip = manip};
	struct ct_tuple to;

	if (c->status & CT_CONFIRMED || nat_is_bound(c, manip))
		return FILTER_ACCEPT;
	k.nat = nat_get(ct);
	if (!k.nat)
		return refuse(DROP_NO_BUFFER, why);
	if (!conntrack_invert(&c->tuple[CT_DIR_REPLY], &k.now))
		return refuse(DROP_CT_INVALID, why);
	if (manip == NAT_DST || !(c->status & CT_DST_NAT_DONE))
		sources_hash(&k.nat->sources, ct, c);
	if (!within_quota(&k)) {
		note_refusal(&k, 0);
		return refuse(DROP_NAT_QUOTA, why);
	}
	if (!nat_choose(&k, &to)) {
		k.nat->exhausted++;
		gauges_refused(&k, &to);
		note_refusal(&k, to.src.v4);
		return refuse(DROP_NAT_PORTS, why);
	}
	bind_to(&k, &to);
	return FILTER_ACCEPT;
}

enum filter_verdict
nat_bind_null(struct env *env, struct conntrack *ct, struct conn *c, enum nat_manip manip,
	enum drop_reason *why)
{
	const struct ct_tuple *reply = &c->tuple[CT_DIR_REPLY];
	uint32_t address = manip == NAT_SRC ? reply->dst.v4 : reply->src.v4;
	const struct nat_range same = {
		.flags = NF_NAT_RANGE_MAP_IPS, .min_addr = address, .max_addr = address};

	return nat_setup(env, ct, c, &same, manip, why);
}

/* As nf_nat_follow_master(): from where its master's packets go to, to where they come from. */
static enum drop_reason
follow(struct env *env, struct conntrack *ct, struct conn *c, const struct conn *master,
	const struct ct_expected *e)
{
	const struct ct_tuple *back = &master->tuple[!e->dir];
	struct nat_range range = {.flags = NF_NAT_RANGE_MAP_IPS};
	enum drop_reason why = DROP_NONE;

	range.min_addr = range.max_addr = back->dst.v4;
	if (nat_setup(env, ct, c, &range, NAT_SRC, &why) == FILTER_DROP)
		return why;
	range.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	range.min_addr = range.max_addr = back->src.v4;
	range.min_port = range.max_port = ntohs(e->port);
	nat_setup(env, ct, c, &range, NAT_DST, &why);
	return why;
}

/* Has this side of the packet's direction been changed? */
static bool
is_translated(const struct conn *c, enum ct_dir dir, enum nat_manip manip)
{
	bool source = (manip == NAT_SRC) == (dir == CT_DIR_ORIGINAL);

	return c->status & (source ? CT_SRC_NAT : CT_DST_NAT);
}

/* As nf_nat_icmp_reply_translation(): what is quoted went the other way, so its other end is the
 * one to change. */
static enum drop_reason
translate_error(struct pkt *p, const struct conn *c, enum nat_manip manip)
{
	const struct ct_tuple *other =
		&c->tuple[ct_dir(p) == CT_DIR_ORIGINAL ? CT_DIR_REPLY : CT_DIR_ORIGINAL];
	const uint8_t *icmp = p->l4_len ? pkt_l4(p) : NULL;

	if (!icmp || !pkt_l4_checksum_ok(p))
		return DROP_ICMP_MALFORMED;
	/* a redirect is about the way to an address, which means nothing on the other side */
	if (icmp[0] == ICMP_REDIRECT &&
		((c->status & BOTH_DONE) != BOTH_DONE || c->status & SRC_OR_DST))
		return DROP_CT_INVALID;
	if (!is_translated(c, ct_dir(p), manip))
		return DROP_NONE;
	if (!nat_rewrite_quote(p, other, manip == NAT_SRC ? NAT_DST : NAT_SRC))
		return DROP_ICMP_MALFORMED;
	nat_rewrite_address(p, manip == NAT_SRC ? other->dst.v4 : other->src.v4, manip);
	return DROP_NONE;
}

enum drop_reason
nat_translate(struct pkt *p, const struct conn *c, enum nat_manip manip)
{
	struct ct_tuple to;

	if (p->ct_info % CT_REPLY == CT_RELATED && p->proto == IPPROTO_ICMP)
		return translate_error(p, c, manip);
	if (!is_translated(c, ct_dir(p), manip))
		return DROP_NONE;
	if (!conntrack_invert(
		    &c->tuple[ct_dir(p) == CT_DIR_ORIGINAL ? CT_DIR_REPLY : CT_DIR_ORIGINAL], &to))
		return DROP_CT_INVALID;
	return nat_rewrite(p, &to, manip) ? DROP_NONE : DROP_CT_INVALID;
}

static void
describe(const struct nat_refusal *r, enum drop_reason why, char *buf, size_t size)
{
	const struct ip_addr outside = ip4(r->outside), to = ip4(r->destination),
			     guest = ip4(r->guest);
	char a[ADDR_TEXT], b[ADDR_TEXT], proto[16];

	snprintf(proto, sizeof(proto), "protocol %u", r->proto);
	if (r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP)
		snprintf(proto, sizeof(proto), r->proto == IPPROTO_TCP ? "tcp" : "udp");
	if (why == DROP_NAT_PORTS)
		snprintf(buf, size, "nat: %s has no free port left for %s to %s; connections refused: %llu",
			ip_text(&outside, a), proto, ip_text(&to, b), (unsigned long long)r->n);
	else
		snprintf(buf, size, "nat: %s has all the translated connections that nat_quota allows; connections refused: %llu",
			ip_text(&guest, a), (unsigned long long)r->n);
}

void
nat_warn(struct env *env, const struct pkt *p, enum drop_reason why)
{
	struct nat *nat = nat_of(p->router->live->filters->conntrack);
	char line[256];

	if (why != DROP_NAT_PORTS && why != DROP_NAT_QUOTA)
		return;
	if (!nat || !env->ops->log || (nat->warned && env->now - nat->warned < WARN_EACH))
		return;
	describe(&nat->refused, why, line, sizeof(line));
	nat->warned = env->now;
	nat->refused.n = 0;
	env->ops->log(env, p, LOG_WARNING_LEVEL, line);
}

bool
nat_in_use(const struct conntrack *ct)
{
	const struct nat *nat = nat_of(ct);

	return nat && nat->translated > 0;
}

void
nat_stats(const struct conntrack *ct, struct nat_stats *s)
{
	const struct nat *nat = nat_of(ct);

	memset(s, 0, sizeof(*s));
	if (!nat)
		return;
	s->sources = nat->sources.linked;
	s->maps = nat->maps.n;
	s->translated = nat->translated;
	s->exhausted = nat->exhausted;
	s->memory = sizeof(*nat) + nat->gauges.size * sizeof(*nat->gauges.at) + nat->sources.capacity * sizeof(*nat->sources.buckets) +
		    nat->maps.n * (sizeof(struct port_map) + sizeof(struct port_map *));
}
