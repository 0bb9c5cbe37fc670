/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/icmp.h"

#include "fabric/base/pkt_chain.h"
#include "routing/icmp_limit.h"
#include "routing/ip4_make.h"

#include <netinet/ip_icmp.h>

enum {
	ERROR_MAX = 576,           /* RFC 1812 4.3.2.3 */
	PRECEDENCE_CONTROL = 0xc0, /* RFC 1812 4.3.2.5: internetwork control */
	TOS_BITS = 0x1e,
};

static const uint32_t NO_ADDRESS = 0xc0000008; /* 192.0.0.8, RFC 7600: of a router that has none */

/* What an error is going to look like. */
struct plan {
	uint32_t src, dst; /* network byte order */
	uint32_t room;     /* for IP header, ICMP header and quotation */
	bool loops;        /* it stays in this router */
};

/* Those that the kernel counts as errors (icmp_pointers[], net/ipv4/icmp.c): the named ones and whatever is not assigned, for that may be one. */
static bool
is_icmp_error(uint8_t type)
{
	static const uint32_t queries = 1u << ICMP_ECHOREPLY | 1u << ICMP_ECHO | 1u << ICMP_TIMESTAMP | 1u << ICMP_TIMESTAMPREPLY |
					1u << ICMP_INFO_REQUEST | 1u << ICMP_INFO_REPLY | 1u << ICMP_ADDRESS | 1u << ICMP_ADDRESSREPLY;

	return type > NR_ICMP_TYPES || !(queries >> type & 1);
}

static bool
is_about_error(const struct pkt *p)
{
	uint8_t type;

	if (p->proto != IPPROTO_ICMP)
		return false;
	return pkt_chain_read(p, p->l3_len, &type, 1) < 1 || is_icmp_error(type);
}

static bool
is_broadcast(const struct router *r, uint32_t addr)
{
	struct ip_addr a = ip4(addr);

	return addr == INADDR_BROADCAST || ip4_is_multicast(addr) ||
	       fib_addr_type(r->fib, &a) == ROUTE_BROADCAST;
}

static bool
is_single_host(const struct router *r, const struct pkt *p, uint32_t src)
{
	if (src == 0 || (src & htonl(0xf0000000)) == htonl(0xf0000000) ||
		is_broadcast(r, src))
		return false;
	return !ip4_is_loopback(src) || !p->in || p->in->kind == IFACE_LOOPBACK;
}

/* RFC 1812 4.3.2.7 */
static bool
may_answer(const struct router *r, const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);

	if (p->family != AF_INET || p->flags & (PKT_BROADCAST | PKT_MULTICAST | PKT_LATER_FRAGMENT))
		return false;
	return !is_about_error(p) && !is_broadcast(r, ip->daddr) && is_single_host(r, p, ip->saddr);
}

/* Chooses the source by the way back. => false: there is no way back. */
static bool
make_plan(const struct router *r, const struct pkt *p, struct plan *plan)
{
	const struct iphdr *ip = pkt_ip4(p);
	struct ip_addr to = ip4(ip->saddr), local = ip4(ip->daddr), src;
	struct route_key key = {.dst = to, .tos = ip->tos & TOS_BITS};
	struct route_result back;
	const struct iface *out;
	uint32_t mtu;

	if (fib_addr_type(r->fib, &local) == ROUTE_LOCAL)
		key.src = local;
	if (fib_lookup(r->fib, &key, &back) < 0 || !back.hop)
		return false;
	out = router_iface(r, back.hop->oif);
	if (!out)
		return false;
	plan->loops = back.route->type == ROUTE_LOCAL || out->kind == IFACE_LOOPBACK;
	src = ip_is_set(&key.src) ? key.src
	      : plan->loops       ? to
				  : router_source(r, out, &back.nexthop, &back.route->src);
	mtu = back.route->mtu ? back.route->mtu : out->mtu;
	plan->src = src.family == AF_INET ? src.v4 : htonl(NO_ADDRESS);
	plan->dst = to.v4;
	plan->room =
		plan->loops || mtu == 0 ? (uint32_t)ERROR_MAX : RTE_MIN(mtu, (uint32_t)ERROR_MAX);
	return plan->room > 2 * sizeof(struct iphdr) + sizeof(struct icmphdr);
}

static bool
within_limits(struct env *env, const struct router *r, const struct pkt *p, const struct plan *plan,
	uint8_t type, uint8_t code)
{
	struct icmp_limit *l = r->live->icmp;
	bool looped = p->in && p->in->kind == IFACE_LOOPBACK;

	if (!l || !icmp_limit_applies(type, code))
		return true;
	if (!looped && !icmp_limit_any(l, &r->tunables, env->now))
		return false;
	if (!plan->loops && !icmp_limit_destination(l, &r->tunables, env->now, plan->dst))
		return false;
	if (!looped)
		icmp_limit_sent(l, env);
	return true;
}

static uint32_t
mtu_field(uint8_t type, uint8_t code, uint32_t mtu)
{
	if (type != ICMP_DEST_UNREACH || code != ICMP_FRAG_NEEDED)
		return 0;
	return RTE_MIN(mtu, 65535u);
}

static struct pkt *
make_error(struct env *env, const struct router *r, const struct pkt *p, const struct plan *plan,
	const struct icmphdr *h)
{
	const uint32_t headers = sizeof(struct iphdr) + sizeof(*h);
	uint32_t quoted = RTE_MIN(pkt_len(p), plan->room - headers);
	struct pkt *e = env_pkt_new(env, headers + quoted);
	struct icmphdr *icmp;

	if (!e)
		return NULL;
	ip4_make(r, pkt_data(e), (uint16_t)(headers + quoted),
		&(struct ip4_make){
			.src = plan->src,
			.dst = plan->dst,
			.tos = (pkt_ip4(p)->tos & TOS_BITS) | PRECEDENCE_CONTROL,
			.ttl = (uint8_t)tune(&r->tunables, TUNE_IP_DEFAULT_TTL),
			.proto = IPPROTO_ICMP,
		});
	icmp = (struct icmphdr *)((uint8_t *)pkt_data(e) + sizeof(struct iphdr));
	*icmp = *h;
	pkt_chain_read(p, 0, icmp + 1, quoted);
	icmp->checksum = (uint16_t)~csum_fold(csum_add(0, icmp, sizeof(*h) + quoted));
	e->flags = PKT_CSUM_VALID | PKT_LOCAL;
	e->router = r;
	pkt_parse(e);
	return e;
}

void
icmp_error(struct env *env, const struct router *r, const struct pkt *p, uint8_t type, uint8_t code,
	uint32_t mtu)
{
	struct icmphdr h = {.type = type, .code = code};
	struct plan plan;
	struct pkt *e;

	if (!may_answer(r, p) || !make_plan(r, p, &plan))
		return;
	if (!within_limits(env, r, p, &plan, type, code)) {
		r->live->drops.n[DROP_ICMP_RATE]++;
		return;
	}
	h.un.frag.mtu = htons((uint16_t)mtu_field(type, code, mtu));
	e = make_error(env, r, p, &plan, &h);
	if (!e) {
		r->live->drops.n[DROP_NO_BUFFER]++;
		return;
	}
	env_attach(env, e, p);
	env_emit(env, e, ORIGIN_OUTPUT);
}
