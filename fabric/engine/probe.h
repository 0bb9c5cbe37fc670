/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes: echo requests that a router sends for `rookery ping` and `traceroute`, each waiting for its answer. Under the slow lock;
 * the control thread starts them and collects those that are done.
 */
#ifndef FABRIC_ENGINE_PROBE_H
#define FABRIC_ENGINE_PROBE_H

#include "fabric/engine/engine.h"

enum probe_end { PROBE_WAITS, PROBE_ECHO, PROBE_TIME_EXCEEDED, PROBE_UNREACHABLE, PROBE_TIMEOUT, PROBE_DROP };

struct probe {
	TAILQ_ENTRY(probe) entry;
	struct timer timer;
	struct engine *engine;
	struct router_live *live; /* the router that sent it */
	void *owner;              /* the caller's */
	uint16_t id, seq;
	uint64_t sent;            /* ns, CLOCK_MONOTONIC */
	enum probe_end end;
	/* with the end */
	struct ip_addr from;
	uint8_t code, ttl;
	uint16_t mtu;
	uint32_t size; /* of the answer's ICMP payload */
	uint64_t rtt;  /* ns */
	enum drop_reason why;
};

struct probe_request {
	const struct router *router;
	struct ip_addr to, from; /* from AF_UNSPEC: chosen by the route */
	uint8_t ttl;
	uint16_t size, seq;
	bool df;
	uint64_t timeout; /* ns */
	void *owner;
};

/* Sends. => NULL with errno ENOMEM, ENETUNREACH (no route) or EADDRNOTAVAIL (no source address). */
struct probe *probe_start(struct engine *e, const struct probe_request *r);
void probe_free(struct probe *p);
/* Takes one that is done off the list; NULL: none. */
struct probe *probe_done(struct engine *e);
/* The owner has gone: its probes end without a word. */
void probe_cancel(struct engine *e, const void *owner);

/* struct walker's `listen` and `lost`. */
bool probe_answer(struct walker *w, const struct pkt *p);
void probe_lost(struct walker *w, const struct pkt *p, enum drop_reason why);

#endif
