/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the adapter share. Private to drivers/osa. */
#ifndef DRIVERS_OSA_INSIDE_H
#define DRIVERS_OSA_INSIDE_H

#include "drivers/osa/adapter.h"
#include "fabric/router/way.h"

#include <net/ethernet.h>

/* adapter.c */
static inline void
adapter_changed(struct adapter *a, struct env *env)
{
	version_bump(env->epoch, &a->version);
}

static inline bool
adapter_assists(const struct adapter *a)
{
	return a->set.mode == OSA_QDIO && a->set.layer == 3;
}

static inline bool
adapter_by_mac(const struct adapter *a)
{
	return a->set.mode == OSA_QDIO && a->set.layer == 2;
}

static inline bool
sharer_is_active(const struct adapter *a, uint16_t slot)
{
	return a->targets[slot].kind != ATTACH_NONE;
}

static inline enum osa_protocol
protocol_of(const struct ip_addr *addr)
{
	return addr->family == AF_INET6 ? OSA_IPV6 : OSA_IPV4;
}

/* role.c: who gets what is not registered, after any change of roles or activity; and the roles of one that leaves. */
void adapter_elect(struct adapter *a);
void role_end(struct adapter *a, struct sharer *s);

/* assist.c: the port's ARP. */
extern const struct neigh_ops assist_neigh_ops;
/* Takes an ARP packet from the network, its data at the ARP header. */
void assist_input(struct walker *w, struct adapter *a, struct pkt *p);
/* Unsolicited ARP for an address of the table; a probe, which names no sender, or an announcement. */
void assist_probe(struct adapter *a, struct env *env, const struct ip_addr *addr);
void assist_announce(struct adapter *a, struct env *env, const struct ip_addr *addr);
/* setip.c: an entry is new on the LAN: probed, and announced later; or announced at once. */
void setip_announce(struct adapter *a, struct env *env, struct oat_entry *e);
/* Every entry anew: the network has come up. */
void setip_announce_all(struct adapter *a, struct env *env);
/* Somebody on the LAN has an address that is being probed. */
void setip_withdraw(struct adapter *a, struct env *env, const struct ip_addr *addr, const struct mac_addr *who);
void setip_on_timer(struct timer *t, struct env *env);
/* Registrations of one that goes offline end; with `all` static ones too. */
void setip_end(struct adapter *a, struct env *env, uint16_t slot, bool all);

/* discard.c */
void adapter_discard(struct adapter *a, struct env *env, const struct ip_addr *to, const struct ip_addr *from, uint16_t sharer,
		enum drop_reason why);
void adapter_refuse(struct adapter *a, struct env *env, const struct ip_addr *addr, const struct sharer *s, const struct osa_answer *answer);

/* dispatch.c, for both directions */
struct heading {
	struct ip_addr to, from; /* of the IP header, or of an ARP packet: target and sender */
	bool arp, group;         /* group: broadcast or multicast, by link or by address */
	bool request;            /* of ARP */
};

/* Reads what dispatch asks of the packet at offset `at` with this EtherType (0: by the IP version). => DROP_NONE or the reason. */
enum drop_reason heading_read(const struct pkt *p, uint32_t at, uint16_t ether_type, struct heading *h);
void adapter_drop(struct walker *w, struct adapter *a, struct pkt *p, enum drop_reason why);
/* Takes a packet to a sharer: into its router by the queue, or out of its port. It is made what its stack expects. */
void adapter_hand_over(struct walker *w, struct adapter *a, uint16_t slot, struct pkt *p);
/* Copies to every active sharer but `except` that hears it; the packet stays the caller's. */
void adapter_copy_to_all(struct walker *w, struct adapter *a, uint16_t except, const struct heading *h, struct pkt *p);
/* send.c: one of two sharers is isolated from the others. */
bool adapter_isolates(const struct adapter *a, uint16_t x, uint16_t y);
/* The owner of a destination that arrives at the port, or the router; SHARER_NONE: `why` nobody gets it. */
uint16_t adapter_owner(struct adapter *a, const struct ip_addr *to, enum drop_reason *why);

#endif
