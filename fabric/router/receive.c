/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways into a router: a frame, an IP packet, the control namespace, the walker's own queue. */
#include "fabric/lan/lan.h"
#include "fabric/router/stages.h"
#include "routing/neigh.h"

#include <net/ethernet.h>

static void
count_rx(const struct pkt *p, uint32_t bytes)
{
	struct counters *c = &p->in->live->count;

	c->rx_packets += pkt_segments(p);
	c->rx_bytes += bytes;
	record_credit(p->recorder, &c->rx_packets, &c->rx_bytes, 0, true);
}

static void
to_prerouting(struct walker *w, struct pkt *p)
{
	p->hook = HOOK_PREROUTING;
	p->stage = 0;
	p->out = NULL;
	router_walk(w, &router_way, p);
}

static void
receive_ip(struct walker *w, struct pkt *p)
{
	enum drop_reason why = pkt_parse(p);

	count_rx(p, pkt_len(p));
	if (why == DROP_NONE && p->family != AF_INET)
		why = DROP_IPV6;
	if (why != DROP_NONE)
		router_drop(w, p, why);
	else
		to_prerouting(w, p);
}

/* => DROP_NONE when the frame is for this interface; flags of the descriptor say how. */
static enum drop_reason
frame_is_for(struct pkt *p, const struct mac_addr *dst)
{
	static const struct mac_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	if (mac_equal(dst, &broadcast))
		p->flags |= PKT_BROADCAST;
	else if (mac_is_multicast(dst))
		p->flags |= PKT_MULTICAST;
	else if (!mac_equal(dst, &p->in->mac))
		return DROP_NOT_FOR_US;
	return DROP_NONE;
}

static void
receive_frame(struct walker *w, struct pkt *p)
{
	const struct ether_header *eth = pkt_data(p);
	enum drop_reason why;
	uint16_t type;

	if (pkt_head_len(p) < sizeof(*eth)) {
		router_drop(w, p, DROP_TRUNCATED);
		return;
	}
	tap(w, p->in, p, true, false);
	why = frame_is_for(p, (const struct mac_addr *)eth->ether_dhost);
	if (why != DROP_NONE) {
		router_drop(w, p, why);
		return;
	}
	type = eth->ether_type;
	rte_pktmbuf_adj(pkt_mbuf(p), sizeof(*eth));
	p->flags |= PKT_HAS_L2;
	if (type == htons(ETHERTYPE_ARP)) {
		count_rx(p, pkt_len(p));
		arp_input(&w->env, p->router, p->in, p);
	} else if (type == htons(ETHERTYPE_IP) || type == htons(ETHERTYPE_IPV6)) {
		receive_ip(w, p);
	} else {
		router_drop(w, p, DROP_ETHER_TYPE);
	}
}

void
router_receive(struct walker *w, struct pkt *p)
{
	/* it may have been through another router: nothing of that holds here */
	p->flags &= PKT_CSUM_PARTIAL | PKT_CSUM_VALID | (p->l2_len ? 0 : PKT_BROADCAST | PKT_MULTICAST);
	p->family = 0;
	p->out = NULL;
	p->hops = p->frag_max = 0;
	p->mark = 0;
	if (!p->in->up) {
		router_drop(w, p, DROP_IFACE_DOWN);
		return;
	}
	if (p->l2_len) {
		receive_frame(w, p);
		return;
	}
	tap(w, p->in, p, false, false);
	receive_ip(w, p);
}

void
router_control_input(struct walker *w, const struct router *r, struct pkt *p)
{
	enum drop_reason why = pkt_parse(p);

	p->router = r;
	p->in = p->out = NULL;
	if (why == DROP_NONE && p->family != AF_INET)
		why = DROP_IPV6;
	if (why != DROP_NONE) {
		router_drop(w, p, why);
		return;
	}
	p->flags |= PKT_LOCAL;
	p->hook = HOOK_OUTPUT;
	p->stage = 0;
	router_walk(w, &router_way, p);
}

static void
start_egress(struct walker *w, struct pkt *p)
{
	p->in = NULL; /* it may have gone while the packet waited */
	if (p->out)
		egress_resolved(w, p);
	else
		router_drop(w, p, DROP_IFACE_GONE);
}

void
router_start(struct walker *w, struct pkt *p)
{
	switch ((enum pkt_origin)p->origin) {
	case ORIGIN_OUTPUT:
		p->flags |= PKT_LOCAL;
		p->in = NULL;
		p->hook = HOOK_OUTPUT;
		p->stage = 0;
		router_walk(w, &router_way, p);
		break;
	case ORIGIN_EGRESS:
		start_egress(w, p);
		break;
	case ORIGIN_FRAME:
		egress_frame(w, p);
		break;
	case ORIGIN_RESUME:
		p->stage++;
		router_walk(w, &router_way, p);
		break;
	case ORIGIN_INGRESS:
		router_receive(w, p);
		break;
	}
}
