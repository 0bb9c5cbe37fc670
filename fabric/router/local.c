/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets for the router itself: reassembled, then answered (ICMP), or handed to the control namespace. */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/router/stages.h"
#include "nat/balance.h"
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

/* As __udp4_lib_rcv() judges UDP-Lite (RFC 3828): the length is how much the checksum covers, 0 all of it. */
static bool
udplite_is_whole(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint32_t payload = pkt_len(p) - p->l3_len, covered;
	struct udphdr buf;
	const struct udphdr *udp = rte_pktmbuf_read(pkt_mbuf(p), p->l3_len, sizeof(buf), &buf);

	if (!udp || udp->check == 0)
		return false;
	covered = udp->len ? ntohs(udp->len) : payload;
	if (covered < sizeof(*udp) || covered > payload)
		return false;
	return csum_fold(pkt_chain_sum(p, p->l3_len, covered,
		       csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_UDPLITE, (uint16_t)payload))) == 0xffff;
}

static bool
has_port_answer(uint8_t proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE;
}

/* Nobody here takes it: say so as a host does (RFC 1122 3.2.2.1, 4.2.3.6), but never to a broadcast. */
static enum verdict
refuse(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	const struct iphdr *ip = pkt_ip4(p);
	struct ip_addr dst = ip4(ip->daddr);

	if (p->proto == IPPROTO_TCP || has_port_answer(p->proto))
		env_forget(&w->env, p); /* their answers are packets of the connection, not errors about it */
	if (p->flags & (PKT_BROADCAST | PKT_MULTICAST) || fib_addr_type(p->router->fib, &dst) != ROUTE_LOCAL)
		return drop(s, DROP_BROADCAST);
	if (p->proto == IPPROTO_TCP)
		tcp_reset(&w->env, p->router, p);
	else if (p->proto == IPPROTO_UDP ? udp_is_whole(p) : p->proto == IPPROTO_UDPLITE && udplite_is_whole(p))
		icmp_error(&w->env, p->router, p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else if (!has_port_answer(p->proto) && p->proto != IPPROTO_ICMP && p->proto != IPPROTO_IGMP)
		icmp_error(&w->env, p->router, p, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	return drop(s, DROP_NO_LISTENER);
}

/* Somebody of the router's own, that is. */
static bool
somebody_listens(struct walker *w, const struct pkt *p)
{
	if (p->proto == IPPROTO_ICMP && w->listen && w->listen(w, p))
		return true;
	return balance_heard(&w->env, p->router, p);
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
	}
	if (somebody_listens(w, p)) {
		env_pkt_free(&w->env, p);
		return VERDICT_STOLEN;
	}
	if (punt(w, p))
		return VERDICT_STOLEN;
	return refuse(w, s);
}
