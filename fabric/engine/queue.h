/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that wait for a program's verdict (-j NFQUEUE, -j QUEUE;
 * net/netfilter/nfnetlink_queue.c).
 *
 * A program binds one number of one router, through engine.sock. From then on packets sent to that
 * number are parked here; the control thread hands them to the program, oldest first, as fast as it
 * reads, and continues or drops them as it says. How many wait is bounded by nfqueue_max, how long
 * by nfqueue_time, both of the router.
 */
#ifndef FABRIC_ENGINE_QUEUE_H
#define FABRIC_ENGINE_QUEUE_H

#include "fabric/base/env.h"
#include "routing/router.h"

#include <jansson.h>

struct engine;
struct queues; /* all of one engine */
struct queue;  /* one program's */

enum { QUEUE_DATA_MAX = 65535 };

struct queues *queues_new(void);      /* => NULL: ENOMEM */
void queues_free(struct queues *all); /* every queue is closed; may be NULL */

/*
 * All from here on under the slow lock.
 *
 * The program gets the first `copy` bytes of each packet. `notify` is an eventfd, written to when a
 * packet comes and none was left to hand on.
 * => NULL with errno: EBUSY (another program has that number), ENOMEM.
 */
struct queue *queue_open(
	struct queues *all, struct router_live *live, uint16_t number, uint32_t copy, int notify);
/* What waits is dropped as queue-nobody, as in the kernel. */
void queue_close(struct queue *q, struct env *env);
/* The router goes: while live->now still is what it was. What waits is dropped as interface-gone;
 * its queues have ended. */
void queue_router_gone(struct queues *all, struct env *env, const struct router_live *live);

/*
 * For env_ops.queue. Takes a parsed packet at p->hook and p->stage of p->router: DROP_NONE.
 * Otherwise it stays the caller's: DROP_QUEUE_NOBODY (the rule may say bypass), DROP_QUEUE_FULL,
 * DROP_NO_BUFFER. An unfinished checksum is completed, unless it is a super-packet.
 */
enum drop_reason queue_take(struct queues *all, struct env *env, struct pkt *p, uint16_t number);

struct queue_packet {
	uint64_t id, when; /* ns since 1970 */
	uint32_t len, caplen, mark;
	uint16_t gso_size; /* of a super-packet, whose layer 4 checksum is unfinished; 0: none */
	uint8_t hook;
	char in[16], out[16]; /* "" where it has none */
	const uint8_t *data;  /* caplen bytes, until the next call */
};

/* The oldest packet that the program has not got yet. => false: none. */
bool queue_next(struct queue *q, struct queue_packet *out);

enum queue_verdict_kind {
	QUEUE_ACCEPT, /* on with the next table */
	QUEUE_DROP,
	QUEUE_REPEAT, /* through the same table again */
	QUEUE_OTHER,  /* to another number */
};

struct queue_verdict {
	uint64_t id;
	enum queue_verdict_kind kind;
	uint16_t number; /* QUEUE_OTHER */
	bool set_mark;
	uint32_t mark;
	const void *data; /* the packet is these bytes from now on; NULL: unchanged */
	size_t len;
};

/*
 * Continues or drops. The packet is started by env_emit(), in the order of the verdicts. Rules that
 * changed while it waited, a router or interface that went, new bytes that are no packet: it is
 * dropped by name. Checksums of new bytes are made here, lengths must be right. In OUTPUT it is
 * routed again when its addresses, TOS or mark have changed. => 0, or -ENOENT: no such packet (any
 * more).
 */
int queue_decide(struct queue *q, struct env *env, const struct queue_verdict *v);

/* Its router has gone: nothing will come any more. */
bool queue_ended(const struct queue *q);

/*
 * For the control thread, which holds no lock (queue_serve.c).
 *
 * {"op":"queue","number":N,"copy":BYTES?} for router `r` (NULL: there is none): => the answer; *q
 * is set when it is ok.
 */
json_t *queue_bind(struct engine *e, struct queues *all, const struct router *r, const json_t *msg,
	struct queue **q);
/* The next packet as a message; NULL: none waits. */
json_t *queue_message(struct queue *q, struct engine *e);
/* {"op":"verdict",...}. => NULL, or what is wrong with it. */
json_t *queue_verdict(struct queue *q, struct engine *e, const json_t *msg);
/* The program has gone. */
void queue_unbind(struct queue *q, struct engine *e);

#endif
