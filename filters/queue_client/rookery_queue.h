/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For programs that decide about packets of a Rookery router: what libnetfilter_queue is for the
 * kernel's NFQUEUE.
 *
 * A rule of the router:
 *	-A FORWARD -p udp --dport 53 -j NFQUEUE --queue-num 5 --queue-bypass
 * The program, built with cc program.c rookery_queue.c -ljansson:
 *	q = rookery_queue_open("my-fabric", "r1", 5, why, sizeof(why));
 *	while (rookery_queue_next(q, &p, -1) > 0)
 *		rookery_queue_verdict(q, p.id, ROOKERY_ACCEPT);
 *
 * A packet waits in the engine until its verdict comes, at most nfqueue_time (2 s); at most
 * nfqueue_max (1024) wait. One program has a number of a router at a time; when it ends, what waits
 * is dropped. Verdicts may come in any order. A packet whose router's rules have changed meanwhile
 * is dropped whatever the verdict.
 *
 * The library keeps no state but in struct rookery_queue, which one thread uses at a time.
 */
#ifndef ROOKERY_QUEUE_H
#define ROOKERY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rookery_queue;

enum rookery_verdict {
	ROOKERY_ACCEPT, /* on with the next table */
	ROOKERY_DROP,
	ROOKERY_REPEAT, /* through the rules of the same table again: mark it, or it comes back */
	ROOKERY_QUEUE,  /* to the queue `number` of the same router */
};

struct rookery_packet {
	uint64_t id;
	uint64_t time_ns;     /* when it was queued, since 1970 */
	char hook[16];        /* "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING" */
	char in[16], out[16]; /* interfaces; "" where it has none */
	uint32_t mark;
	size_t len; /* of the packet */
	const uint8_t *data; /* from the IP header on; until the next rookery_queue_next() */
	size_t data_len;     /* less than len when the queue was opened for less */
	/* Of a super-packet, whose layer 4 checksum is unfinished: payload of its segments. 0: none. */
	unsigned gso_size;
};

/* What to do with a packet. */
struct rookery_answer {
	uint64_t id;
	enum rookery_verdict verdict;
	uint16_t number; /* ROOKERY_QUEUE */
	bool set_mark;
	uint32_t mark;
	/* The packet is these bytes from now on; NULL: unchanged. The engine makes its checksums;
	 * the lengths in its headers must be right. */
	const void *data;
	size_t data_len; /* at most 65535 */
};

/*
 * Binds `number` of `router`. `fabric` is its name, or the path of its engine.sock when it has a
 * '/' in it.
 * => NULL with errno, and a sentence in `why` (which may be NULL).
 */
struct rookery_queue *rookery_queue_open(
	const char *fabric, const char *router, uint16_t number, char *why, size_t why_size);
/* The same, with only the first `copy` bytes of each packet (0: none). */
struct rookery_queue *rookery_queue_open_copy(const char *fabric, const char *router,
	uint16_t number, uint32_t copy, char *why, size_t why_size);
void rookery_queue_close(struct rookery_queue *q);

/* Readable when there is a packet, or part of one, or the end. */
int rookery_queue_fd(const struct rookery_queue *q);
/*
 * Waits for the next packet, at most `timeout_ms` (-1: as long as it takes; 0: only looks). => 1
 * with *p; 0: none came; -EPIPE: the engine or the router has gone; -EPROTO: what came makes no
 * sense, or the engine refused a verdict; -errno.
 */
int rookery_queue_next(struct rookery_queue *q, struct rookery_packet *p, int timeout_ms);
/* => 0 or -errno. A packet that is not waiting any more is no error. */
int rookery_queue_verdict(struct rookery_queue *q, uint64_t id, enum rookery_verdict verdict);
int rookery_queue_answer(struct rookery_queue *q, const struct rookery_answer *a);

#endif
