/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to nat/: workers of balanced services as they are. */
#ifndef NAT_BALANCE_LIVE_H
#define NAT_BALANCE_LIVE_H

#include "nat/balance.h"

enum { BALANCE_LIVE_MAX = 4096 };

/* What tells one worker from another, over changes of the configuration. */
struct balance_key {
	uint32_t service, worker;
	uint16_t service_port, worker_port;
	uint8_t protocol;
};

struct balance_live {
	struct balance_key key;
	uint16_t id;      /* its place in struct balance_lives; c->worker */
	bool configured;  /* false: it only waits for its connections to end */
	bool up;
	uint32_t connections;
	uint64_t total, since;
	struct conntrack *ct;
	/* the check */
	struct timer timer;
	uint8_t kind;         /* enum balance_check */
	uint16_t check_port;
	uint16_t fail, rise;
	uint64_t interval;
	bool asked;           /* and no answer yet */
	uint16_t streak;      /* results in a row that speak against what is thought of it */
	uint16_t seq;         /* of the last question: ICMP */
	uint16_t port;        /* of the last question: TCP, our end */
};

struct balance_lives {
	struct balance_live **at; /* [0] is not used; NULL where vacant; NULL until the first */
	uint16_t used;
	uint32_t cursor; /* of the sweep for connections of dead workers; 0: none goes on */
	struct timer sweep;
	struct conntrack *ct;
};

/* => NULL: no memory. Of the router's connections. */
struct balance_lives *balance_lives_get(struct conntrack *ct);
/* The same, if there are any. */
struct balance_lives *balance_lives(const struct conntrack *ct);
void balance_lives_fini(struct balance_lives *l, struct env *env);
/* A connection to a worker has ended. */
void balance_forget(struct balance_lives *l, const struct conn *c);

/* ---- balance_check.c ---- */

/* Begins, or goes on with, the check that is configured; or ends it. */
void balance_check_start(struct env *env, struct balance_live *w);
void balance_check_stop(struct env *env, struct balance_live *w);
/* Connections of workers that are down end, some at a time. */
void balance_sweep_start(struct env *env, struct balance_lives *l);

#endif
