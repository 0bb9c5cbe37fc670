/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection balancing: new connections to an address and port are spread over workers, each of which
 * may be watched. What is configured is in the router and immutable; what happens (who is up, how
 * many connections a worker has) lives as long as the router's connections. All under the slow-way
 * lock unless it says otherwise.
 */
#ifndef NAT_BALANCE_H
#define NAT_BALANCE_H

#include "nat/nat.h"

enum balance_method {
	BALANCE_HASH,  /* a client keeps its worker as long as that is up */
	BALANCE_LEAST, /* the worker with the fewest connections */
};

enum balance_check {
	BALANCE_CHECK_NONE,
	BALANCE_CHECK_PING, /* ICMP echo */
	BALANCE_CHECK_TCP,  /* a connection is answered, and reset at once */
};

struct balance_worker {
	uint32_t address; /* network byte order */
	uint16_t port;    /* host byte order, as all ports here */
	uint16_t live;    /* its live part, by balance_adopt(); 0: none */
};

struct balance_service {
	uint32_t address;
	uint16_t port;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t method;   /* enum balance_method */
	struct balance_worker *workers;
	size_t n_workers; /* one or more */
	struct {
		uint8_t kind;      /* enum balance_check */
		uint16_t port;     /* 0: the worker's */
		uint64_t interval; /* ns; an answer is waited for as long */
		uint16_t fail, rise; /* so many in a row */
	} check;
};

/* Of a router, in its configuration; free() of `workers` of each, `services`, and itself. */
struct balance {
	struct balance_service *services;
	size_t n;
};

void balance_free(struct balance *b); /* NULL is fine */

/*
 * The router is being published: its workers that were there before go on, new ones are up until
 * their check says otherwise, those that are gone get no more connections. `r->balance` may be NULL.
 * => 0 or -ENOMEM; then some workers are not used.
 */
int balance_adopt(struct env *env, const struct router *r);

/*
 * Binds the destination of a first packet's connection if it is for a balanced service. As
 * nat_setup(); DROP_NAT_WORKERS when nobody is up. FILTER_CONTINUE: it is not.
 */
enum filter_verdict balance_bind(struct env *env, const struct router *r, const struct pkt *p,
	struct conn *c, enum drop_reason *why);

/* The connection is balanced, and its worker was found dead: it is to end. */
bool balance_is_dead(const struct conntrack *ct, const struct conn *c);

/*
 * A packet for router `r` that nobody else takes, an echo reply or a TCP segment: => true: a check
 * waited for it, and has answered what there is to answer. It stays the caller's.
 */
bool balance_heard(struct env *env, const struct router *r, const struct pkt *p);

/* One worker, for people. */
struct balance_state {
	const struct balance_service *service;
	const struct balance_worker *worker;
	bool up, checked;
	uint32_t connections; /* that are there */
	uint64_t total;       /* that ever were */
	uint64_t since;       /* ns, CLOCK_MONOTONIC: when it went up or down; 0: never */
};

void balance_look(const struct router *r, const struct balance_service *s,
	const struct balance_worker *w, struct balance_state *out);

#endif
