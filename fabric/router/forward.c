/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding, as Linux ip_forward() (net/ipv4/ip_forward.c) orders it: TTL, MTU, TTL decrement, then the FORWARD hook. */
#include "fabric/base/csum.h"
#include "fabric/router/stages.h"
#include "routing/icmp.h"

#include <netinet/ip_icmp.h>

enum verdict
forward_ttl(struct walker *w, struct step *s)
{
	if (pkt_ip4(s->p)->ttl > 1)
		return VERDICT_ACCEPT;
	icmp_error(&w->env, s->p->router, s->p, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
	return drop(s, DROP_TTL);
}

static bool
exceeds(const struct pkt *p)
{
	if (!(pkt_ip4(p)->frag_off & htons(IP_DF)))
		return false;
	if (p->flags & PKT_REASSEMBLED)
		return p->frag_max > p->mtu;
	return pkt_segment_len(p) > p->mtu;
}

static void
decrement_ttl(struct iphdr *ip)
{
	ip->check = csum_replace2(ip->check, htons((uint16_t)(ip->ttl << 8)), htons((uint16_t)((ip->ttl - 1) << 8)));
	ip->ttl--;
}

enum verdict
forward_mtu(struct walker *w, struct step *s)
{
	record_most(s->p->recorder, s->p->mtu);
	if (exceeds(s->p)) {
		icmp_error(&w->env, s->p->router, s->p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, s->p->mtu);
		return drop(s, DROP_MTU);
	}
	decrement_ttl(pkt_ip4(s->p));
	return VERDICT_ACCEPT;
}

enum verdict
to_postrouting(struct walker *w, struct step *s)
{
	(void)w;
	return go(s->p, HOOK_POSTROUTING);
}
