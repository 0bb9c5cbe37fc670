/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Out of a router. A link between two routers is not a queue: the packet is simply in the next router (VERDICT_GO). What is
 * too big is cut here, behind POSTROUTING as in Linux (ip_finish_output); the pieces go through the walker's queue.
 */
#include "drivers/osa/adapter.h"
#include "fabric/base/segment.h"
#include "fabric/lan/lan.h"
#include "fabric/router/stages.h"
#include "routing/icmp.h"
#include "routing/neigh.h"
#include "routing/reasm.h"

#include <net/ethernet.h>
#include <netinet/ip_icmp.h>

enum { HOPS_MAX = 255 };

static void
count_tx(const struct pkt *p)
{
	struct counters *c = &p->out->live->count;

	c->tx_packets += pkt_segments(p);
	c->tx_bytes += pkt_len(p);
	record_credit(p->recorder, &c->tx_packets, &c->tx_bytes, 0, true);
}

/* Takes a frame to what the interface, which can be used, is attached to. */
static void
send_frame(struct walker *w, struct pkt *p)
{
	const struct iface *out = p->out;

	p->l2_len = sizeof(struct ether_header);
	tap(w, out, p, true, true);
	if (out->attach.kind == ATTACH_LAN)
		lan_input(w, w->fabric->lans[out->attach.a], out->attach.b, p);
	else if (out->attach.kind == ATTACH_ADAPTER)
		adapter_send(w, w->fabric->adapters[out->attach.a], (uint16_t)out->attach.b, p);
	else if (out->attach.kind == ATTACH_PORT)
		w->send(w, out->attach.a, p);
	else
		router_drop(w, p, DROP_LINK_DOWN);
}

static enum verdict
leave_frame(struct walker *w, struct pkt *p)
{
	struct ether_header *eth = (struct ether_header *)rte_pktmbuf_prepend(pkt_mbuf(p), sizeof(*eth));

	if (!eth) {
		router_drop(w, p, DROP_NO_BUFFER);
		return VERDICT_STOLEN;
	}
	memcpy(eth->ether_dhost, &p->dst_mac, ETH_ALEN);
	memcpy(eth->ether_shost, &p->out->mac, ETH_ALEN);
	eth->ether_type = htons(ETHERTYPE_IP);
	p->flags &= (uint16_t)~PKT_HAS_L2;
	send_frame(w, p);
	return VERDICT_STOLEN;
}

/* => false: it cannot leave by p->out, and is gone. */
static bool
may_leave(struct walker *w, struct pkt *p)
{
	if (p->out && iface_usable(p->out))
		return true;
	router_drop(w, p, !p->out ? DROP_IFACE_GONE : p->out->up ? DROP_LINK_DOWN : DROP_IFACE_DOWN);
	return false;
}

void
egress_frame(struct walker *w, struct pkt *p)
{
	struct counters *c;

	if (!may_leave(w, p))
		return;
	c = &p->out->live->count;
	c->tx_packets++;
	c->tx_bytes += pkt_len(p) - sizeof(struct ether_header);
	record_credit(p->recorder, &c->tx_packets, &c->tx_bytes, 0, false);
	send_frame(w, p);
}

/* ff:.. for broadcasts, 01:00:5e:.. for multicasts (RFC 1112 6.4). */
bool
egress_group_mac(const struct pkt *p, uint32_t dst, struct mac_addr *mac)
{
	const uint8_t *b = (const uint8_t *)&dst;

	if (p->flags & PKT_BROADCAST || dst == INADDR_BROADCAST)
		memset(mac, 0xff, sizeof(*mac));
	else if (ip4_is_multicast(dst))
		*mac = (struct mac_addr){{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}};
	else
		return false;
	return true;
}

/* To an adapter that finds the neighbour itself. */
static enum verdict
leave_by_assist(struct walker *w, struct pkt *p)
{
	const struct iface *out = p->out;

	count_tx(p);
	p->l2_len = 0;
	if (out->live->captures && w->capture)
		w->capture(w, out->live->captures, p, false, true);
	if (out->attach.kind == ATTACH_ADAPTER)
		adapter_send(w, w->fabric->adapters[out->attach.a], (uint16_t)out->attach.b, p);
	else
		router_drop(w, p, DROP_LINK_DOWN);
	return VERDICT_STOLEN;
}

static enum verdict
leave_by_lan(struct walker *w, struct pkt *p)
{
	if (p->out->assisted)
		return leave_by_assist(w, p);
	if (!egress_group_mac(p, pkt_ip4(p)->daddr, &p->dst_mac) &&
			neigh_resolve(p->out->live->neigh, &w->env, p->out, p, &p->dst_mac) != NEIGH_READY)
		return VERDICT_STOLEN;
	count_tx(p);
	return leave_frame(w, p);
}

void
egress_resolved(struct walker *w, struct pkt *p)
{
	if (!may_leave(w, p))
		return;
	count_tx(p);
	leave_frame(w, p);
}

/* The mark, its connection and what else filters know stay with a packet that comes back by lo. */
static void
enter(struct walker *w, struct pkt *p, const struct router *r, const struct iface *in)
{
	struct counters *c = &in->live->count;

	c->rx_packets += pkt_segments(p);
	c->rx_bytes += pkt_len(p);
	record_credit(p->recorder, &c->rx_packets, &c->rx_bytes, 0, true);
	p->router = r;
	p->in = in;
	p->out = NULL;
	p->flags &= (uint16_t) ~(PKT_HAS_L2 | PKT_LOCAL | PKT_NO_SOCKET | PKT_BROADCAST | PKT_MULTICAST | PKT_REASSEMBLED);
	p->frag_max = 0;
	p->l2_len = 0;
	tap(w, in, p, false, false);
}

static enum verdict
leave_by_link(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	const struct attach *to = &p->out->attach;
	const struct router *r = w->fabric->routers[to->a];

	if (++p->hops > HOPS_MAX)
		return drop(s, DROP_LOOP);
	count_tx(p);
	p->mark = 0;
	enter(w, p, r, r->ifaces[to->b]);
	return go(p, HOOK_PREROUTING);
}

static enum verdict
leave_by_port(struct walker *w, struct pkt *p)
{
	count_tx(p);
	p->l2_len = 0;
	w->send(w, p->out->attach.a, p);
	return VERDICT_STOLEN;
}

/* What the router sends to itself comes in again by lo. */
static enum verdict
loop_back(struct walker *w, struct pkt *p)
{
	count_tx(p);
	enter(w, p, p->router, p->out);
	p->flags |= PKT_CSUM_VALID;
	p->ct_zone = p->ct_zone_dir = p->ct_helper = 0; /* its connection goes along, what CT said does not */
	return go(p, HOOK_PREROUTING);
}

static enum verdict
leave_by_point_to_point(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;
	uint32_t dst = pkt_ip4(p)->daddr;

	if (p->flags & PKT_BROADCAST || dst == INADDR_BROADCAST || ip4_is_multicast(dst))
		return drop(s, DROP_LINK_BROADCAST);
	tap(w, p->out, p, false, true);
	if (p->out->attach.kind == ATTACH_ROUTER)
		return leave_by_link(w, s);
	if (p->out->attach.kind == ATTACH_PORT)
		return leave_by_port(w, p);
	return drop(s, DROP_LINK_DOWN);
}

static enum verdict
leave(struct walker *w, struct step *s)
{
	if (s->p->out->kind != IFACE_LOOPBACK)
		env_forget(&w->env, s->p);
	switch (s->p->out->kind) {
	case IFACE_LOOPBACK:
		return loop_back(w, s->p);
	case IFACE_DUMMY:
		return drop(s, DROP_DUMMY);
	case IFACE_IUCV:
	case IFACE_CTC:
		return leave_by_point_to_point(w, s);
	case IFACE_OSA:
	case IFACE_LAN:
		return leave_by_lan(w, s->p);
	}
	return drop(s, DROP_IFACE_GONE);
}

/* Pieces leave one by one; each may meet another router, so each is walked from the queue. */
static void
leave_later(struct walker *w, struct pkt_queue *pieces, const struct pkt *whole)
{
	struct pkt *p;

	while ((p = STAILQ_FIRST(pieces))) {
		STAILQ_REMOVE_HEAD(pieces, queue);
		p->router = whole->router;
		p->in = whole->in;
		p->out = whole->out;
		p->nexthop = whole->nexthop;
		p->mtu = whole->mtu;
		p->mark = whole->mark;
		p->hops = whole->hops;
		p->hook = HOOK_POSTROUTING;
		p->stage = whole->stage - 1; /* resumed at the same stage: egress */
		env_emit(&w->env, p, ORIGIN_RESUME);
	}
}

/* ip_finish_output_gso(): the segments are cut, each is fragmented if it must be. */
static enum verdict
cut_super_packet(struct walker *w, struct pkt *p)
{
	struct pkt_queue pieces = STAILQ_HEAD_INITIALIZER(pieces);
	struct pkt whole;

	env_forget(&w->env, p);
	whole = *p;
	pkt_segment(&w->env, p, 0, true, &pieces);
	leave_later(w, &pieces, &whole);
	return VERDICT_STOLEN;
}

/* ip_fragment(): what was reassembled from fragments that fit may be cut again, whatever its DF says. */
static bool
may_fragment(const struct pkt *p)
{
	return !(pkt_ip4(p)->frag_off & htons(IP_DF)) || (p->flags & PKT_REASSEMBLED && p->frag_max <= p->mtu);
}

/* A packet of this router's own needs no ICMP: the drop tells whoever sent it. */
static enum verdict
refuse_to_fragment(struct walker *w, struct step *s)
{
	const struct pkt *p = s->p;

	if (!(p->flags & PKT_LOCAL))
		icmp_error(&w->env, p->router, p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, p->mtu);
	return drop(s, DROP_MTU);
}

static enum verdict
fragment(struct walker *w, struct pkt *p)
{
	struct pkt_queue pieces = STAILQ_HEAD_INITIALIZER(pieces);
	struct pkt whole;

	env_forget(&w->env, p);
	whole = *p;
	frag_output(&w->env, whole.router, p, whole.mtu, &pieces);
	leave_later(w, &pieces, &whole);
	return VERDICT_STOLEN;
}

static bool
must_fragment(const struct pkt *p)
{
	return pkt_len(p) > p->mtu || (p->flags & PKT_REASSEMBLED && p->frag_max && pkt_len(p) > p->frag_max);
}

enum verdict
egress(struct walker *w, struct step *s)
{
	struct pkt *p = s->p;

	if (!iface_usable(p->out))
		return drop(s, p->out->up ? DROP_LINK_DOWN : DROP_IFACE_DOWN);
	record_read(p->recorder, &p->out->live->version);
	if (pkt_is_gso(p))
		return pkt_segment_len(p) > p->mtu ? cut_super_packet(w, p) : leave(w, s);
	if (must_fragment(p) && p->out->kind > IFACE_DUMMY)
		return may_fragment(p) ? fragment(w, p) : refuse_to_fragment(w, s);
	return leave(w, s);
}
