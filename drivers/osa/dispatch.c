/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What arrives at a port: whose it is, by the table, by the roles, or everybody's; and how it is taken there. */
#include "drivers/osa/inside.h"

#include <netinet/if_ether.h>
#include <netinet/ip6.h>

static enum drop_reason
read_arp(const uint8_t *b, uint32_t len, struct heading *h)
{
	struct ether_arp arp;

	if (len < sizeof(arp))
		return DROP_ARP_MALFORMED;
	memcpy(&arp, b, sizeof(arp));
	if (arp.arp_pro != htons(ETHERTYPE_IP) || arp.arp_hln != ETH_ALEN || arp.arp_pln != 4)
		return DROP_ARP_MALFORMED;
	h->to = h->from = (struct ip_addr){.family = AF_INET};
	memcpy(&h->to.v4, arp.arp_tpa, 4);
	memcpy(&h->from.v4, arp.arp_spa, 4);
	h->request = arp.arp_op == htons(ARPOP_REQUEST);
	h->arp = true;
	return DROP_NONE;
}

static enum drop_reason
read_ip6(const uint8_t *b, uint32_t len, struct heading *h)
{
	if (len < sizeof(struct ip6_hdr))
		return DROP_TRUNCATED;
	h->to = h->from = (struct ip_addr){.family = AF_INET6};
	memcpy(h->to.v6, b + offsetof(struct ip6_hdr, ip6_dst), 16);
	memcpy(h->from.v6, b + offsetof(struct ip6_hdr, ip6_src), 16);
	h->group |= h->to.v6[0] == 0xff;
	return DROP_NONE;
}

enum drop_reason
heading_read(const struct pkt *p, uint32_t at, uint16_t ether_type, struct heading *h)
{
	const uint8_t *b = (const uint8_t *)pkt_data(p) + at;
	uint32_t len = pkt_head_len(p) > at ? pkt_head_len(p) - at : 0;
	struct iphdr ip;

	*h = (struct heading){0};
	if (ether_type == htons(ETHERTYPE_ARP))
		return read_arp(b, len, h);
	if (len < sizeof(ip))
		return DROP_TRUNCATED;
	if (ether_type && ether_type != htons(b[0] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP))
		return DROP_ETHER_TYPE;
	if (b[0] >> 4 == 6)
		return read_ip6(b, len, h);
	if (b[0] >> 4 != 4)
		return DROP_IP_VERSION;
	memcpy(&ip, b, sizeof(ip));
	h->to = ip4(ip.daddr);
	h->from = ip4(ip.saddr);
	h->group = ip4_is_multicast(ip.daddr) || ip.daddr == INADDR_BROADCAST;
	return DROP_NONE;
}

void
adapter_drop(struct walker *w, struct adapter *a, struct pkt *p, enum drop_reason why)
{
	if (w->lost && p->router && p->l2_len == 0)
		w->lost(w, p, why);
	pkt_drop(&w->env, &a->stack_live.drops, p, why);
}

static const struct attach *
to_sharer(struct adapter *a, uint16_t slot, struct pkt *p)
{
	record_read(p->recorder, &a->version);
	return &a->targets[slot];
}

void
adapter_hand_over(struct walker *w, struct adapter *a, uint16_t slot, struct pkt *p)
{
	const struct attach *to = to_sharer(a, slot, p);
	const struct router *r;

	if (to->kind == ATTACH_PORT) {
		w->send(w, to->a, p);
		return;
	}
	r = w->fabric->routers[to->a];
	p->router = r;
	p->in = r->ifaces[to->b];
	env_emit(&w->env, p, ORIGIN_INGRESS);
}

static bool
wants_copy(const struct adapter *a, uint16_t slot, const struct heading *h)
{
	if (!a->sharers[slot] || !sharer_is_active(a, slot))
		return false;
	return h->arp || !h->group || h->to.family == AF_UNSPEC || h->to.v4 == INADDR_BROADCAST || sharer_hears(a->sharers[slot], &h->to);
}

void
adapter_copy_to_all(struct walker *w, struct adapter *a, uint16_t except, const struct heading *h, struct pkt *p)
{
	for (uint16_t i = 0; i < a->n_sharers; i++) {
		struct pkt *copy;

		if (i == except || !wants_copy(a, i, h) || (except != SHARER_NONE && adapter_isolates(a, except, i)))
			continue;
		copy = env_pkt_copy(&w->env, p);
		if (copy)
			adapter_hand_over(w, a, i, copy);
		else
			a->stack_live.drops.n[DROP_NO_BUFFER]++;
	}
}

uint16_t
adapter_owner(struct adapter *a, const struct ip_addr *to, enum drop_reason *why)
{
	uint16_t owner = to->family == AF_INET ? oat_lookup4(a->oat, to->v4) : oat_lookup(a->oat, to);

	*why = DROP_OSA_NO_ENTRY;
	if (owner == SHARER_NONE)
		return a->elected[protocol_of(to)];
	if (sharer_is_active(a, owner))
		return owner;
	*why = DROP_OSA_OWNER_DOWN; /* OPEN-1: a static entry does not fall to the router */
	return SHARER_NONE;
}

/* Frames that are another's, or nobody's. */
static void
copy_to_listeners(struct walker *w, struct adapter *a, uint16_t owner, struct pkt *p)
{
	record_refuse(p->recorder, "somebody listens to all of an adapter");
	for (uint16_t i = 0; i < a->n_sharers; i++) {
		const struct sharer *s = a->sharers[i];
		struct pkt *copy = NULL;

		if (!s || i == owner || !s->set.promiscuous || !sharer_is_active(a, i))
			continue;
		copy = env_pkt_copy(&w->env, p);
		if (copy)
			adapter_hand_over(w, a, i, copy);
		else
			a->stack_live.drops.n[DROP_NO_BUFFER]++;
	}
}

static bool
deliver(struct walker *w, struct adapter *a, const struct heading *h, struct pkt *p, struct attach *to)
{
	enum drop_reason why;
	uint16_t owner = adapter_owner(a, &h->to, &why);

	if (a->n_listeners && p->l2_len)
		copy_to_listeners(w, a, owner, p);
	if (owner == SHARER_NONE) {
		adapter_discard(a, &w->env, &h->to, &h->from, SHARER_NONE, why);
		adapter_drop(w, a, p, why);
		return false;
	}
	*to = *to_sharer(a, owner, p);
	return true;
}

static bool
to_everyone(struct walker *w, struct adapter *a, const struct heading *h, struct pkt *p)
{
	record_refuse(p->recorder, "it is for every sharer of an adapter");
	p->recorder = NULL;
	adapter_copy_to_all(w, a, SHARER_NONE, h, p);
	env_pkt_free(&w->env, p);
	return false;
}

static void
note_cast(struct pkt *p, const struct mac_addr *dst)
{
	static const struct mac_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	p->flags &= (uint16_t)~(PKT_BROADCAST | PKT_MULTICAST);
	if (mac_is_multicast(dst))
		p->flags |= mac_equal(dst, &broadcast) ? PKT_BROADCAST : PKT_MULTICAST;
}

/* QDIO, layer 3: the sharers get IP packets, the port keeps the ARP. */
static bool
receive_assisted(struct walker *w, struct adapter *a, struct pkt *p, uint16_t type, struct attach *to)
{
	struct heading h;
	enum drop_reason why;

	rte_pktmbuf_adj(pkt_mbuf(p), sizeof(struct ether_header));
	p->l2_len = 0;
	if (type == htons(ETHERTYPE_ARP)) {
		assist_input(w, a, p);
		return false;
	}
	why = heading_read(p, 0, type, &h);
	if (why != DROP_NONE) {
		adapter_drop(w, a, p, why);
		return false;
	}
	h.group |= (p->flags & (PKT_BROADCAST | PKT_MULTICAST)) != 0;
	return h.group ? to_everyone(w, a, &h, p) : deliver(w, a, &h, p, to);
}

/* OSE: whole frames, by the address in them; ARP too, so that an answer finds who has asked. */
static bool
receive_frame(struct walker *w, struct adapter *a, struct pkt *p, uint16_t type, struct attach *to)
{
	struct heading h;
	enum drop_reason why = heading_read(p, sizeof(struct ether_header), type, &h);

	if (why != DROP_NONE) {
		adapter_drop(w, a, p, why);
		return false;
	}
	if (h.group || p->flags & (PKT_BROADCAST | PKT_MULTICAST))
		return to_everyone(w, a, &h, p);
	return deliver(w, a, &h, p, to);
}

static bool
receive_by_mac(struct walker *w, struct adapter *a, struct pkt *p, const struct mac_addr *dst, struct attach *to)
{
	struct heading h = {.arp = true};
	struct ip_addr key = oat_mac(dst);
	uint16_t owner;

	if (p->flags & (PKT_BROADCAST | PKT_MULTICAST))
		return to_everyone(w, a, &h, p);
	owner = oat_lookup(a->macs, &key);
	if (a->n_listeners)
		copy_to_listeners(w, a, owner, p);
	if (owner == SHARER_NONE) {
		adapter_drop(w, a, p, DROP_NOT_FOR_US);
		return false;
	}
	*to = *to_sharer(a, owner, p);
	return true;
}

static bool
receive_dedicated(struct walker *w, struct adapter *a, struct pkt *p, struct attach *to)
{
	for (uint16_t i = 0; i < a->n_sharers; i++) {
		if (a->sharers[i] && sharer_is_active(a, i)) {
			*to = *to_sharer(a, i, p);
			return true;
		}
	}
	adapter_drop(w, a, p, DROP_OSA_OWNER_DOWN);
	return false;
}

bool
adapter_receive(struct walker *w, struct adapter *a, struct pkt *p, struct attach *to)
{
	struct ether_header eth;
	struct mac_addr dst;

	if (pkt_head_len(p) < sizeof(eth) || !a->network_up) {
		adapter_drop(w, a, p, a->network_up ? DROP_TRUNCATED : DROP_OSA_NO_NETWORK);
		return false;
	}
	memcpy(&eth, pkt_data(p), sizeof(eth));
	memcpy(&dst, eth.ether_dhost, sizeof(dst));
	note_cast(p, &dst);
	if (a->set.mode == OSA_DEDICATED)
		return receive_dedicated(w, a, p, to);
	if (adapter_by_mac(a))
		return receive_by_mac(w, a, p, &dst, to);
	if (!mac_is_multicast(&dst) && !mac_equal(&dst, &a->port.mac)) {
		adapter_drop(w, a, p, DROP_NOT_FOR_US);
		return false;
	}
	return adapter_assists(a) ? receive_assisted(w, a, p, eth.ether_type, to) : receive_frame(w, a, p, eth.ether_type, to);
}
