/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the floors below the engine may ask of their surroundings: the time, packets, timers, a place for the
 * packets they make. The engine has one for each worker; tests make their own. All calls are under the slow-way lock.
 */
#ifndef FABRIC_BASE_ENV_H
#define FABRIC_BASE_ENV_H

#include "fabric/base/pkt.h"
#include "fabric/base/timer.h"
#include "fabric/base/recorder.h"

struct env;

/* Where a packet that was made, or waited, starts on its way. */
enum pkt_origin {
	ORIGIN_OUTPUT, /* IP packet made by p->router: through OUTPUT; p->out may be NULL, then it is routed first */
	ORIGIN_EGRESS, /* IP packet that waited for its neighbour: p->out, p->dst_mac, p->ether_type are set */
	ORIGIN_FRAME,  /* frame that starts with its Ethernet header, to leave by p->out of p->router (ARP) */
	ORIGIN_RESUME, /* stolen by a stage: goes on at p->hook, p->stage + 1 */
	ORIGIN_INGRESS,/* arrives at p->in of p->router: an Ethernet frame when p->l2_len is set, else an IP packet */
};

struct env_ops {
	/* A packet of `len` contiguous bytes (at most 1920) of unset data, PKT_HEADROOM before, descriptor reset; NULL: no buffer. */
	struct pkt *(*pkt_new)(struct env *env, uint32_t len);
	/* A deep copy, descriptor included; NULL: no buffer. */
	struct pkt *(*pkt_copy)(struct env *env, const struct pkt *p);
	void (*pkt_free)(struct env *env, struct pkt *p);
	/* Takes a packet and starts it later in this burst, never nested. Full: drops it by name. */
	void (*emit)(struct env *env, struct pkt *p, enum pkt_origin origin);
	/* Connection tracking's references (filters/conntrack.h): `made` because of `cause`; held by a copy; dropped. NULL: nothing is tracked. */
	void (*attach)(struct env *env, struct pkt *made, const struct pkt *cause);
	void (*hold)(struct env *env, struct pkt *copy);
	void (*untrack)(struct env *env, struct pkt *p);
	/* A line about a packet for the fabric's log (LOG, TRACE); `level` as syslog's. NULL: nobody reads it. */
	void (*log)(struct env *env, const struct pkt *p, int level, const char *line);
	/* A copy of the packet's first `len` bytes for the capture file of a group (NFLOG), with the prefix. NULL: none. */
	void (*nflog)(struct env *env, const struct pkt *p, uint16_t group, const char *prefix, uint32_t len);
	/* Takes a packet for a program's verdict (NFQUEUE): DROP_NONE; or says why not, and leaves it. NULL: nobody listens. */
	enum drop_reason (*queue)(struct env *env, struct pkt *p, uint16_t number);
};

struct env {
	uint64_t now; /* ns, CLOCK_MONOTONIC, read once a burst */
	const struct env_ops *ops;
	struct timers *timers;
	struct epoch *epoch;
	struct drops drops; /* of the worker: what no router can be charged with */
	uint64_t random;    /* state of env_random() */
};

static inline struct pkt *
env_pkt_new(struct env *env, uint32_t len)
{
	return env->ops->pkt_new(env, len);
}

static inline struct pkt *
env_pkt_copy(struct env *env, const struct pkt *p)
{
	struct pkt *copy = env->ops->pkt_copy(env, p);

	if (copy && copy->ct)
		env->ops->hold(env, copy);
	return copy;
}

static inline void
env_emit(struct env *env, struct pkt *p, enum pkt_origin origin)
{
	env->ops->emit(env, p, origin);
}

/* Packet `made` (an ICMP error, a reset) belongs to the connection of the one that caused it; or is tracked, whatever rules say, if that one was not. */
static inline void
env_attach(struct env *env, struct pkt *made, const struct pkt *cause)
{
	if (cause->ct || cause->ct_info)
		env->ops->attach(env, made, cause);
}

/* Leaves connection tracking: before it is freed, and when it leaves its router. */
static inline void
env_untrack(struct env *env, struct pkt *p)
{
	if (p->ct)
		env->ops->untrack(env, p);
}

/* All that a router's filters know of a packet ends: it leaves the router, or becomes its own answer. */
static inline void
env_forget(struct env *env, struct pkt *p)
{
	env_untrack(env, p);
	p->ct_info = p->ct_zone_dir = 0;
	p->ct_zone = p->ct_helper = 0;
	p->flags &= (uint16_t)~PKT_TRACE;
}

static inline void
env_pkt_free(struct env *env, struct pkt *p)
{
	env_untrack(env, p);
	env->ops->pkt_free(env, p);
}

/* Ends a packet and counts it in `drops` (of the router, or env->drops). Super-packets count their segments. */
static inline void
pkt_drop(struct env *env, struct drops *drops, struct pkt *p, enum drop_reason why)
{
	drops->n[why] += pkt_segments(p);
	env_pkt_free(env, p);
}

/* Not for secrets: xorshift64*. */
static inline uint32_t
env_random(struct env *env)
{
	uint64_t x = env->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	env->random = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dULL) >> 32);
}

#endif
