/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What neigh.c and arp.c share. Private to routing. */
#ifndef ROUTING_NEIGH_TABLE_H
#define ROUTING_NEIGH_TABLE_H

#include "routing/neigh.h"

struct neigh {
	struct neigh *next; /* in its bucket, or in the list of free ones */
	struct neigh_table *table;
	struct ip_addr addr;
	struct mac_addr mac;
	enum neigh_state state;
	unsigned probes;    /* sent in this state */
	uint64_t confirmed; /* when it last proved to be there, ns */
	uint64_t updated;   /* when state or address last changed */
	uint64_t used;      /* when it was last asked for */
	struct timer timer; /* armed in INCOMPLETE, DELAY, PROBE; in REACHABLE when a path was
			       recorded */
	struct pkt_queue waiting;
	unsigned queued;
	struct version version; /* outlives the entry */
};

struct neigh_table {
	const struct neigh_ops *ops;
	struct router_live *live;
	uint16_t slot;
	uint32_t seed;
	uint32_t mask;
	struct neigh **buckets;
	struct neigh *free;
	size_t n;
	bool conflict_logged;
};

/* A new state, with its version; a timer that it does not need ends. */
void neigh_set_state(struct neigh *n, struct env *env, enum neigh_state state);
void neigh_on_timer(struct timer *timer, struct env *env);

struct neigh *neigh_find(const struct neigh_table *t, const struct ip_addr *addr);
/* The entry, made when there is none. => NULL: the table is full, or no memory. */
struct neigh *neigh_get(struct neigh_table *t, struct env *env, const struct tunables *tunables,
	const struct ip_addr *addr);
/* REACHABLE that was not confirmed for too long is STALE; nothing has to happen for that. */
enum neigh_state neigh_state_now(const struct neigh *n, const struct tunables *t, uint64_t now);
/*
 * The neighbour said where it is. `confirmed`: in answer to us, so that it is reachable. A known
 * other address is replaced only with `replace`. What waits is sent.
 */
void neigh_learn(
	struct neigh *n, struct env *env, const struct mac_addr *mac, bool confirmed, bool replace);

extern const struct neigh_ops neigh_ops_of_router;
/* Its `ask`. */
void arp_ask(struct env *env, const struct router *r, const struct iface *out,
	const struct ip_addr *addr, const struct mac_addr *known, const struct pkt *about);

#endif
