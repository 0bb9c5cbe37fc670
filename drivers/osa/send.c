/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sharer sends: to other sharers inside the port, which need no LAN for it (OSA-30), or out of the network side.
 *
 * In QDIO, layer 3, the next hop decides, as it does in the header that qeth gives the adapter: registered by another sharer, it stays
 * inside; else its neighbour on the network is asked for. Where stacks speak Ethernet the frame's destination decides.
 */
#include "drivers/osa/inside.h"
#include "routing/neigh.h"

#include <netinet/if_ether.h>

bool
adapter_isolates(const struct adapter *a, uint16_t x, uint16_t y)
{
	return a->sharers[x]->set.isolation != OSA_SHARED || a->sharers[y]->set.isolation != OSA_SHARED;
}

static bool
is_unspecified(const struct ip_addr *a)
{
	return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

/* A stack that does not forward sends only from what it has; or from nothing yet (DHCP, ARP probes), or link-locally. */
static bool
may_send_from(const struct adapter *a, const struct sharer *s, const struct ip_addr *from)
{
	if (s->set.router || is_unspecified(from) || sharer_owns(s, from))
		return true;
	if (from->family == AF_INET6 && from->v6[0] == 0xfe && (from->v6[1] & 0xc0) == 0x80)
		return true;
	return oat_lookup(a->oat, from) == s->slot;
}

static void
out_of_the_port(struct walker *w, struct adapter *a, struct pkt *p, bool frame)
{
	if (!a->network_up) {
		adapter_drop(w, a, p, DROP_OSA_NO_NETWORK);
		return;
	}
	p->router = &a->stack;
	p->in = NULL;
	p->out = &a->port;
	record_read(p->recorder, &a->version);
	if (frame)
		egress_frame(w, p);
	else
		egress_resolved(w, p);
}

/* Inside the port; between isolated sharers only by way of a switch that sends it back, or not at all. */
static void
to_neighbour(struct walker *w, struct adapter *a, struct sharer *s, uint16_t other, const struct heading *h, struct pkt *p)
{
	const struct sharer *o = a->sharers[other];
	bool dropped = s->set.isolation == OSA_DROP || o->set.isolation == OSA_DROP;

	if (!sharer_is_active(a, other)) {
		adapter_discard(a, &w->env, &h->to, &h->from, s->slot, DROP_OSA_OWNER_DOWN);
		adapter_drop(w, a, p, DROP_OSA_OWNER_DOWN);
	} else if (dropped && adapter_isolates(a, s->slot, other)) {
		adapter_drop(w, a, p, DROP_OSA_ISOLATED);
	} else if (adapter_isolates(a, s->slot, other)) {
		p->dst_mac = a->port.mac;
		out_of_the_port(w, a, p, p->l2_len != 0);
	} else {
		adapter_hand_over(w, a, other, p);
	}
}

/* To every other sharer and to the network. */
static void
send_group(struct walker *w, struct adapter *a, struct sharer *s, const struct heading *h, struct pkt *p)
{
	record_refuse(p->recorder, "it is for every sharer of an adapter");
	p->recorder = NULL;
	adapter_copy_to_all(w, a, s->slot, h, p);
	if (p->l2_len == 0)
		egress_group_mac(p, h->to.v4, &p->dst_mac);
	out_of_the_port(w, a, p, p->l2_len != 0);
}

static void
resolve(struct walker *w, struct adapter *a, struct pkt *p)
{
	if (p->nexthop.family != AF_INET || !a->network_up) {
		adapter_drop(w, a, p, a->network_up ? DROP_IPV6 : DROP_OSA_NO_NETWORK);
		return;
	}
	p->router = &a->stack;
	p->in = NULL;
	p->out = &a->port;
	p->family = AF_INET;
	if (neigh_resolve(a->port_live.neigh, &w->env, &a->port, p, &p->dst_mac) == NEIGH_READY)
		out_of_the_port(w, a, p, false);
}

static void
send_packet(struct walker *w, struct adapter *a, struct sharer *s, struct pkt *p)
{
	bool broadcast = p->router && p->flags & PKT_BROADCAST;
	struct heading h;
	enum drop_reason why = heading_read(p, 0, 0, &h);
	uint16_t other;

	if (why == DROP_NONE && !may_send_from(a, s, &h.from))
		why = DROP_OSA_SOURCE;
	if (why != DROP_NONE) {
		adapter_drop(w, a, p, why);
		return;
	}
	if (s->set.target.kind == ATTACH_PORT) { /* a guest's: its descriptor says nothing yet */
		p->nexthop = sharer_nexthop(s, &h.to);
		broadcast = sharer_is_broadcast(s, &h.to);
	}
	p->flags &= (uint16_t)~(PKT_BROADCAST | PKT_MULTICAST);
	if (h.group || broadcast) {
		p->flags |= ip4_is_multicast(h.to.v4) && h.to.family == AF_INET ? PKT_MULTICAST : PKT_BROADCAST;
		send_group(w, a, s, &h, p);
		return;
	}
	other = p->nexthop.family == AF_INET ? oat_lookup4(a->oat, p->nexthop.v4) : oat_lookup(a->oat, &p->nexthop);
	if (other != SHARER_NONE && other != s->slot)
		to_neighbour(w, a, s, other, &h, p);
	else
		resolve(w, a, p);
}

/* The other sharers have the port's MAC address too: they cannot answer one another, so the port does. */
static void
answer_arp(struct walker *w, struct adapter *a, struct sharer *s, struct pkt *p)
{
	struct {
		struct ether_header eth;
		struct ether_arp arp;
	} f;
	uint8_t asked[4];

	memcpy(&f, pkt_data(p), sizeof(f));
	memcpy(asked, f.arp.arp_tpa, sizeof(asked));
	memcpy(f.eth.ether_dhost, f.eth.ether_shost, ETH_ALEN);
	memcpy(f.eth.ether_shost, &a->port.mac, ETH_ALEN);
	f.arp.arp_op = htons(ARPOP_REPLY);
	memcpy(f.arp.arp_tha, f.arp.arp_sha, ETH_ALEN);
	memcpy(f.arp.arp_tpa, f.arp.arp_spa, sizeof(asked));
	memcpy(f.arp.arp_sha, &a->port.mac, ETH_ALEN);
	memcpy(f.arp.arp_spa, asked, sizeof(asked));
	memcpy(pkt_data(p), &f, sizeof(f));
	adapter_hand_over(w, a, s->slot, p);
}

/* OSE: frames to the port's own MAC address are for another sharer, or for the router. */
static void
send_inside(struct walker *w, struct adapter *a, struct sharer *s, const struct heading *h, struct pkt *p)
{
	enum drop_reason why;
	uint16_t other = adapter_owner(a, &h->to, &why);

	if (other == SHARER_NONE || other == s->slot) {
		adapter_discard(a, &w->env, &h->to, &h->from, s->slot, why);
		adapter_drop(w, a, p, why);
	} else {
		to_neighbour(w, a, s, other, h, p);
	}
}

static void
send_frame(struct walker *w, struct adapter *a, struct sharer *s, const struct mac_addr *dst, const struct heading *h, struct pkt *p)
{
	struct ip_addr key = oat_mac(dst);
	uint16_t other;

	if (!adapter_by_mac(a)) {
		other = h->arp && h->request ? oat_lookup(a->oat, &h->to) : SHARER_NONE;
		if (other != SHARER_NONE && other != s->slot && sharer_is_active(a, other))
			answer_arp(w, a, s, p);
		else if (mac_equal(dst, &a->port.mac))
			send_inside(w, a, s, h, p);
		else if (mac_is_multicast(dst) && !h->arp)
			send_group(w, a, s, h, p);
		else
			out_of_the_port(w, a, p, true);
		return;
	}
	other = oat_lookup(a->macs, &key);
	if (mac_is_multicast(dst))
		send_group(w, a, s, h, p);
	else if (other != SHARER_NONE && other != s->slot)
		to_neighbour(w, a, s, other, h, p);
	else
		out_of_the_port(w, a, p, true);
}

static void
check_and_send_frame(struct walker *w, struct adapter *a, struct sharer *s, struct pkt *p)
{
	const struct mac_addr *own = adapter_by_mac(a) ? &s->set.mac : &a->port.mac;
	struct ether_header eth;
	struct mac_addr dst;
	struct heading h;
	enum drop_reason why = DROP_TRUNCATED;

	if (pkt_head_len(p) >= sizeof(eth)) {
		memcpy(&eth, pkt_data(p), sizeof(eth));
		memcpy(&dst, eth.ether_dhost, sizeof(dst));
		why = heading_read(p, sizeof(eth), eth.ether_type, &h);
		if (why == DROP_NONE && (memcmp(eth.ether_shost, own, ETH_ALEN) != 0 || !may_send_from(a, s, &h.from)))
			why = DROP_OSA_SOURCE;
	}
	if (why != DROP_NONE)
		adapter_drop(w, a, p, why);
	else
		send_frame(w, a, s, &dst, &h, p);
}

void
adapter_send(struct walker *w, struct adapter *a, uint16_t slot, struct pkt *p)
{
	struct sharer *s = slot < a->n_sharers ? a->sharers[slot] : NULL;

	if (!s || !sharer_is_active(a, slot)) {
		adapter_drop(w, a, p, DROP_IFACE_DOWN);
		return;
	}
	if (a->set.mode == OSA_DEDICATED)
		out_of_the_port(w, a, p, true);
	else if (adapter_assists(a))
		send_packet(w, a, s, p);
	else
		check_and_send_frame(w, a, s, p);
}
