/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours of one interface: addresses to MAC addresses, learned by ARP (RFC 826, and its states as in
 * Linux net/core/neighbour.c). IPv6 neighbours will share the table.
 */
#ifndef ROUTING_NEIGH_H
#define ROUTING_NEIGH_H

#include "fabric/base/env.h"
#include "routing/router.h"

enum neigh_state { NEIGH_NONE, NEIGH_INCOMPLETE, NEIGH_REACHABLE, NEIGH_STALE, NEIGH_DELAY, NEIGH_PROBE, NEIGH_FAILED, NEIGH_PERMANENT };

enum neigh_answer {
	NEIGH_READY,  /* *mac is set; the packet is still the caller's */
	NEIGH_PARKED, /* taken: it will be emitted (ORIGIN_EGRESS), or dropped by name with ICMP host unreachable to its source */
	NEIGH_DROPPED,/* taken and dropped by name */
};

struct neigh_table;

/* What differs between a router's neighbours and those of an adapter's port. */
struct neigh_ops {
	/* Asks for `addr` by `out`: the station at `known`, or, with NULL, everyone. `about`: the packet that waits, or NULL. */
	void (*ask)(struct env *env, const struct router *r, const struct iface *out, const struct ip_addr *addr,
			const struct mac_addr *known, const struct pkt *about);
	/* Nobody has answered: `p`, still the caller's, will be dropped. */
	void (*unreachable)(struct env *env, const struct pkt *p);
};

/* For interface `slot` of the router behind `live`. => NULL with errno ENOMEM. */
struct neigh_table *neigh_table_new(struct router_live *live, uint16_t slot);
/* Before it is used; without, those of a router: ARP with its addresses, ICMP host unreachable. */
void neigh_table_set_ops(struct neigh_table *t, const struct neigh_ops *ops);
/* Drops what waits, as interface-gone. */
void neigh_table_free(struct neigh_table *t, struct env *env);
/* The interface lost its carrier or address: forget everything, drop what waits. */
void neigh_flush(struct neigh_table *t, struct env *env);

/*
 * The MAC address of next hop `p->nexthop` on `out` for packet `p`, asking if need be. `p->router`, `p->in`, `p->out` are set. When it is ready,
 * the entry's version is noted in `p->recorder`; a packet that waits refuses its recorder.
 */
enum neigh_answer neigh_resolve(struct neigh_table *t, struct env *env, const struct iface *out, struct pkt *p,
		struct mac_addr *mac);

/*
 * Takes an ARP packet that came in by `in`; the data starts at the ARP header, the Ethernet header lies before it. Answers
 * requests for addresses of this router (also r->proxied; with proxy_arp what it has a route to by another interface), learns
 * from answers and from requests to us, updates on gratuitous ARP as Linux does (only what is known already).
 */
void arp_input(struct env *env, const struct router *r, const struct iface *in, struct pkt *p);

/* Tells everybody on `out` that `address` (network byte order) is here (RFC 5944 4.6: a request for itself). Emitted as ORIGIN_FRAME. */
void arp_announce(struct env *env, const struct router *r, const struct iface *out, uint32_t address);

struct neigh_info {
	struct ip_addr addr;
	struct mac_addr mac;
	enum neigh_state state;
	unsigned queued;
	uint64_t updated; /* ns, CLOCK_MONOTONIC; REACHABLE: when it was last confirmed. After arp_reachable_time it counts as stale. */
};

/* Copies up to `max` entries. => number there are. */
size_t neigh_list(const struct neigh_table *t, struct neigh_info *out, size_t max);
const char *neigh_state_name(enum neigh_state s);
/* Version of the entry for `addr`, to depend on; NULL when there is none. Valid until the table is freed: entries that go leave
 * their version behind in the table's own. */
struct version *neigh_version(struct neigh_table *t, const struct ip_addr *addr);

#endif
