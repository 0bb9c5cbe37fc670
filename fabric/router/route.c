/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a packet goes: the checks and the lookup of Linux' ip_route_input and ip_route_output (net/ipv4/route.c). */
#include "fabric/base/log.h"
#include "fabric/router/stages.h"
#include "routing/icmp.h"

#include <errno.h>
#include <netinet/ip_icmp.h>

/* Lines about martians: at most ten in five seconds, as Linux' net_ratelimit(). */
static const uint64_t LOG_WINDOW_NS = 5000000000;
enum { LOG_LINES = 10 };

static uint32_t
flow_hash(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint32_t h = ip->saddr * 0x9e3779b1u ^ ip->daddr * 0x85ebca77u ^ p->proto;

	/* fragments of one datagram stay together: only the first has ports */
	if (p->proto != IPPROTO_ICMP && p->l4_len && !(p->flags & PKT_FRAGMENT))
		h ^= ((uint32_t)p->sport << 16 | p->dport) * 0xc2b2ae3du;
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 12;
}

static struct route_key
key_of(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);

	return (struct route_key){
			.dst = ip4(ip->daddr),
			.src = ip4(ip->saddr),
			.mark = p->mark,
			.tos = ip->tos & IPTOS_TOS_MASK,
			.iif = p->in ? p->in->slot : 0,
			.hash = flow_hash(p),
	};
}

/* Guests must not be able to fill the log. */
static bool
may_log(struct walker *w)
{
	if (w->env.now - w->log_since >= LOG_WINDOW_NS) {
		w->log_since = w->env.now;
		w->log_lines = 0;
	}
	return w->log_lines++ < LOG_LINES;
}

static enum verdict
martian(struct walker *w, struct step *s, enum drop_reason why)
{
	const struct iphdr *ip = pkt_ip4(s->p);
	struct ip_addr src = ip4(ip->saddr), dst = ip4(ip->daddr);
	char from[ADDR_TEXT], to[ADDR_TEXT];

	if (s->p->in->log_martians && may_log(w))
		log_line(LOG_NOTICE, "router", "%s: %s: from %s to %s by %s", s->p->router->name,
				drop_name(why), ip_text(&src, from), ip_text(&dst, to), s->p->in->name);
	return drop(s, why);
}

/* A next hop of the route back leaves by the interface the packet came in by. */
static bool
leads_back(const struct route *r, uint16_t slot)
{
	for (size_t i = 0; i < r->n_hops; i++) {
		if (r->hops[i].oif == slot)
			return true;
	}
	return false;
}

/* fib_validate_source(): => DROP_NONE, or why the source cannot be. */
static enum drop_reason
check_source(const struct pkt *p, const struct route_key *key)
{
	const struct router *r = p->router;
	struct route_key back = {
			.dst = key->src, .src = key->dst, .mark = 0, .tos = key->tos, .hash = key->hash};
	struct route_result res;
	int rc;

	if (key->src.v4 == 0)
		return DROP_NONE;
	if (fib_addr_type(r->fib, &key->src) == ROUTE_LOCAL)
		return DROP_MARTIAN_SOURCE;
	if (p->in->rp_filter == 0)
		return DROP_NONE;
	rc = fib_lookup(r->fib, &back, &res);
	if (rc < 0)
		return DROP_RP_FILTER;
	if (res.route->type != ROUTE_UNICAST)
		return DROP_RP_FILTER;
	if (p->in->rp_filter == 1 && !leads_back(res.route, p->in->slot))
		return DROP_RP_FILTER;
	return DROP_NONE;
}

/* Sources and destinations that no lookup may save (RFC 1812 5.3.7). */
static enum drop_reason
check_addresses(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);

	if (ip4_is_multicast(ip->saddr) || ip->saddr == INADDR_BROADCAST)
		return DROP_MARTIAN_SOURCE;
	if (ip->daddr == INADDR_BROADCAST || (ip->saddr == 0 && ip->daddr == 0))
		return DROP_NONE;
	if (ip4_is_zeronet(ip->saddr))
		return DROP_MARTIAN_SOURCE;
	if (ip4_is_zeronet(ip->daddr))
		return DROP_MARTIAN_DESTINATION;
	if (ip4_is_loopback(ip->daddr))
		return DROP_MARTIAN_DESTINATION;
	if (ip4_is_loopback(ip->saddr))
		return DROP_MARTIAN_SOURCE;
	return DROP_NONE;
}

struct refusal {
	enum drop_reason why;
	int code; /* of ICMP destination unreachable; -1: silent */
};

static const struct refusal refusals[] = {
		[ROUTE_DISCARD] = {DROP_ROUTE_DISCARD, -1},
		[ROUTE_UNREACHABLE] = {DROP_ROUTE_UNREACHABLE, ICMP_HOST_UNREACH},
		[ROUTE_PROHIBIT] = {DROP_ROUTE_PROHIBIT, ICMP_PKT_FILTERED},
};

static enum verdict
refuse(struct walker *w, struct step *s, struct refusal how)
{
	if (how.code >= 0)
		icmp_error(&w->env, s->p->router, s->p, ICMP_DEST_UNREACH, (uint8_t)how.code, 0);
	return drop(s, how.why);
}

/* A lookup that found nothing, or a route that says no. Whether the source can be is not asked then, as in Linux. */
static enum verdict
refuse_lookup(struct walker *w, struct step *s, int rc, const struct route_result *res)
{
	if (!s->p->router->forward)
		return drop(s, DROP_FORWARDING_OFF);
	if (rc == 0)
		return refuse(w, s, refusals[res->route->type]);
	if (rc == -ENETDOWN)
		return refuse(w, s, (struct refusal){DROP_LINK_DOWN, ICMP_HOST_UNREACH});
	return refuse(w, s, (struct refusal){DROP_NO_ROUTE, ICMP_NET_UNREACH});
}

static void
note_route(struct pkt *p)
{
	record_read(p->recorder, &p->router->live->version);
	if (p->in)
		record_read(p->recorder, &p->in->live->version);
	if (p->out)
		record_read(p->recorder, &p->out->live->version);
}

static void
take_route(struct pkt *p, const struct route_result *res)
{
	p->out = router_iface(p->router, res->hop->oif);
	p->nexthop = res->nexthop;
	p->mtu = res->route->mtu && res->route->mtu < p->out->mtu ? res->route->mtu : p->out->mtu;
	note_route(p);
}

static enum verdict
route_unicast(struct step *s, const struct route_result *res)
{
	struct pkt *p = s->p;

	if (!p->router->forward)
		return drop(s, DROP_FORWARDING_OFF);
	if (p->flags & (PKT_BROADCAST | PKT_MULTICAST))
		return drop(s, DROP_BROADCAST);
	take_route(p, res);
	return go(p, HOOK_FORWARD);
}

/* What goes round by the loopback interface keeps the route it left with, unless it has got another destination on the way. */
enum verdict
route_input(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	struct route_key key = key_of(p);
	struct route_result res;
	enum drop_reason why;
	bool everyone;
	int rc;

	if (p->in->kind == IFACE_LOOPBACK && !s->moved)
		return go(p, HOOK_INPUT);
	s->moved = false;
	why = check_addresses(p);
	if (why != DROP_NONE)
		return martian(w, s, why);
	if (p->in->point_to_point && (key.dst.v4 == INADDR_BROADCAST || ip4_is_multicast(key.dst.v4)))
		return drop(s, DROP_LINK_BROADCAST);
	if (ip4_is_multicast(key.dst.v4))
		return drop(s, DROP_MULTICAST);
	everyone = key.dst.v4 == INADDR_BROADCAST || key.dst.v4 == 0;
	rc = everyone ? 0 : fib_lookup(p->router->fib, &key, &res);
	if (rc < 0 || (!everyone && res.route->type >= ROUTE_DISCARD))
		return refuse_lookup(w, s, rc, &res);
	why = check_source(p, &key);
	if (why != DROP_NONE)
		return martian(w, s, why);
	if (everyone || res.route->type != ROUTE_UNICAST)
		return go(p, HOOK_INPUT);
	return route_unicast(s, &res);
}

enum verdict
route_output(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	struct route_key key = key_of(p);
	struct route_result res;

	(void)w;
	if (p->out)
		return VERDICT_ACCEPT;
	switch (fib_lookup(p->router->fib, &key, &res)) {
	case 0:
		break;
	case -ENETDOWN:
		return drop(s, DROP_LINK_DOWN);
	default:
		return drop(s, DROP_NO_ROUTE);
	}
	if (res.route->type == ROUTE_LOCAL) {
		p->out = router_iface(p->router, 1);
		p->nexthop = key.dst;
		p->mtu = p->out->mtu;
		return VERDICT_ACCEPT;
	}
	if (res.route->type == ROUTE_BROADCAST) {
		p->flags |= PKT_BROADCAST;
	} else if (res.route->type != ROUTE_UNICAST) {
		return drop(s, refusals[res.route->type].why);
	}
	take_route(p, &res);
	return VERDICT_ACCEPT;
}
