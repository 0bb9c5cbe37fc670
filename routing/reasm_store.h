/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The incomplete datagrams of one router: what reasm.c and reasm_store.c share. Private to
 * routing.
 */
#ifndef ROUTING_REASM_STORE_H
#define ROUTING_REASM_STORE_H

#include "routing/reasm.h"

enum { REASM_BUCKETS = 256 };

struct reasm_key {
	uint32_t src, dst; /* network byte order */
	uint16_t id;
	uint8_t proto, user;
};

struct source {
	struct source *next;
	uint32_t src;
	uint32_t counter; /* of its fragments */
	uint32_t users;   /* datagrams */
};

struct datagram {
	struct datagram *next; /* in its bucket */
	TAILQ_ENTRY(datagram) age;
	struct reasm *reasm;
	struct reasm_key key;
	struct timer timer;
	struct pkt_queue fragments;
	struct pkt *last; /* of them, NULL: none */
	struct source *source;
	uint32_t counter;   /* of the source, at the last fragment */
	uint32_t len, have; /* payload: the end as far as known, what is there */
	uint32_t memory;
	uint16_t largest, largest_df; /* fragments, with their headers */
	uint8_t ecn;                  /* bit n: a fragment had ECN field n */
	bool end_known, dead;
};

struct reasm {
	struct router_live *live;
	uint32_t seed;
	size_t n, memory;
	TAILQ_HEAD(, datagram) ages; /* the oldest first */
	struct datagram *buckets[REASM_BUCKETS];
	struct source *sources[REASM_BUCKETS];
};

/*
 * The datagram that `p` belongs to, made when there is none, and room for `p`: the oldest ones go
 * for it. => NULL: there is no room, or no memory.
 */
struct datagram *datagram_get(struct reasm *r, struct env *env, const struct tunables *t,
	enum reasm_user user, const struct pkt *p);
/* Counts the memory of a fragment that was put into the list. */
void datagram_charge(struct datagram *d, const struct pkt *p);
/* Takes the first fragment out of it; NULL: there is none. */
struct pkt *datagram_pop(struct datagram *d);
/* Drops all fragments; what is known of the datagram is forgotten, but its time goes on. */
void datagram_empty(struct datagram *d, struct env *env, enum drop_reason why);
/* The same, and the datagram is gone. */
void datagram_end(struct datagram *d, struct env *env, enum drop_reason why);
/* In reasm.c: its time is over. */
void datagram_on_timeout(struct timer *timer, struct env *env);

#endif
