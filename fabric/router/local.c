/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets for the router itself: reassembled, then answered (ICMP), or handed to the control namespace. */
#include "fabric/router/stages.h"
#include "routing/icmp.h"
#include "routing/reasm.h"
#include "routing/tcp_reset.h"

#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

enum verdict
input_reassemble(struct walker *w, struct step *s)
{
	const struct router *r = s->p->router;
	struct pkt *whole;

	if (!(s->p->flags & PKT_FRAGMENT))
		return VERDICT_ACCEPT;
	whole = reasm_input(r->live->reasm, &w->env, REASM_LOCAL, s->p);
	if (!whole)
		return VERDICT_STOLEN;
	whole->router = r;
	whole->hook = HOOK_INPUT;
	whole->stage = 0;
	s->p = whole;
	return VERDICT_ACCEPT;
}

/* The control namespace sees the packet on the interface that it came in by. */
static bool
punt(struct walker *w, struct pkt *p)
{
	uint32_t port = p->router->control && p->in ? p->in->control_port : 0;

	if (port == 0)
		return false;
	p->l2_len = 0;
	env_forget(&w->env, p);
	w->send(w, port, p);
	return true;
}

/* As udp_rcv() judges a datagram before it looks for a socket, and trims it. => false: not worth an answer. */
static bool
udp_is_whole(struct pkt *p)
{
	const struct udphdr *udp = pkt_l4(p);
	uint32_t len, payload = pkt_len(p) - p->l3_len;

	if (!p->l4_len)
		return false;
	len = ntohs(udp->len);
	if (len < sizeof(*udp) || len > payload)
		return false;
	rte_pktmbuf_trim(pkt_mbuf(p), (uint16_t)(payload - len));
	return pkt_l4_checksum_ok(p);
}

/* Nobody here takes it: say so as a host does (RFC 1122 3.2.2.1, 4.2.3.6), but never to a broadcast. */
static enum verdict
refuse(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	const struct iphdr *ip = pkt_ip4(p);
	struct ip_addr dst = ip4(ip->daddr);

	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP)
		env_forget(&w->env, p); /* their answers are packets of the connection, not errors about it */
	if (p->flags & (PKT_BROADCAST | PKT_MULTICAST) || fib_addr_type(p->router->fib, &dst) != ROUTE_LOCAL)
		return drop(s, DROP_BROADCAST);
	if (p->proto == IPPROTO_TCP)
		tcp_reset(&w->env, p->router, p);
	else if (p->proto == IPPROTO_UDP && udp_is_whole(p))
		icmp_error(&w->env, p->router, p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else if (p->proto != IPPROTO_ICMP && p->proto != IPPROTO_UDP && p->proto != IPPROTO_IGMP)
		icmp_error(&w->env, p->router, p, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	return drop(s, DROP_NO_LISTENER);
}

enum verdict
input_deliver(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;

	if (p->proto == IPPROTO_ICMP) {
		env_forget(&w->env, p); /* it may become its own answer, a new packet to the filters */
		p->mark = 0;
		if (icmp_input(&w->env, p->router, p) == ICMP_TAKEN)
			return VERDICT_STOLEN;
		if (w->listen && w->listen(w, p)) {
			env_pkt_free(&w->env, p);
			return VERDICT_STOLEN;
		}
	}
	if (punt(w, p))
		return VERDICT_STOLEN;
	return refuse(w, s);
}
