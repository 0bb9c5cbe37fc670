/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recorder rides along with one packet from the port where it enters to the port where it leaves, and keeps what the journey
 * depends on and what it counts, so that the next packet of the flow need not make it (fabric/engine/path.h). Whoever cannot say
 * what its answer depends on refuses. All functions take NULL: nobody records.
 *
 * What may stand behind a path: addresses, ports, protocol and TOS are the key of the flow and free to read. TCP packets on a
 * path have ACK and perhaps PSH set, no other flag; no packet on a path has IP options or is a fragment.
 */
#ifndef FABRIC_BASE_RECORDER_H
#define FABRIC_BASE_RECORDER_H

#include "fabric/base/version.h"

#include <stdbool.h>
#include <stddef.h>

struct conntrack;

enum guard {
	GUARD_TTL = 1,       /* the TTL itself, not only that it suffices */
	GUARD_LENGTH = 2,    /* the length of the packet, not only that it fits */
	GUARD_TCP_FLAGS = 4, /* flags other than SYN, ACK, FIN and RST */
};

enum { RECORD_READS = 128, RECORD_CREDITS = 96, RECORD_CONNS = 8 };

/* What every packet of the flow adds to. */
struct credit {
	uint64_t *packets, *bytes;
	uint16_t extra;    /* bytes beyond the IP packet, each time */
	uint16_t segments; /* 1: a super-packet counts as what it is cut to */
	uint32_t unused;   /* 0: credits are compared as bytes */
};

struct recorded_read {
	struct version *object;
	uint64_t seen;
};

struct recorded_conn {
	struct conntrack *table;
	uint32_t index, version;
	uint8_t dir;
	bool judges_sum;  /* it looks at layer 4 checksums that nobody vouches for */
	uint64_t timeout; /* ns that this packet has given it */
};

struct recorder {
	bool refused;
	uint8_t guards;      /* enum guard */
	uint16_t n_reads, n_credits, n_conns;
	uint32_t most;       /* longest IP packet, or segment of one, that goes this way whole */
	uint64_t until;      /* ns, CLOCK_MONOTONIC: then it has to be asked again */
	uint64_t pause;      /* ns: the longest between two packets after which it need not be asked again */
	const char *because; /* it was refused */
	struct recorded_read reads[RECORD_READS];
	struct credit credits[RECORD_CREDITS];
	struct recorded_conn conns[RECORD_CONNS];
};

static inline void
record_refuse(struct recorder *r, const char *because)
{
	if (r && !r->refused) {
		r->refused = true;
		r->because = because;
	}
}

static inline void
record_guard(struct recorder *r, enum guard g)
{
	if (r)
		r->guards |= (uint8_t)g;
}

/* Longer ones are cut or refused. */
static inline void
record_most(struct recorder *r, uint32_t most)
{
	if (r && most < r->most)
		r->most = most;
}

static inline void
record_until(struct recorder *r, uint64_t ns)
{
	if (r && ns < r->until)
		r->until = ns;
}

static inline void
record_pause(struct recorder *r, uint64_t ns)
{
	if (r && ns < r->pause)
		r->pause = ns;
}

static inline void
record_read(struct recorder *r, struct version *object)
{
	if (!r)
		return;
	if (r->n_reads == RECORD_READS) {
		record_refuse(r, "it depends on too many objects");
		return;
	}
	r->reads[r->n_reads++] = (struct recorded_read){object, atomic_load_explicit(&object->n, memory_order_acquire)};
}

static inline void
record_credit(struct recorder *r, uint64_t *packets, uint64_t *bytes, uint16_t extra, bool segments)
{
	if (!r)
		return;
	if (r->n_credits == RECORD_CREDITS) {
		record_refuse(r, "it is counted in too many places");
		return;
	}
	r->credits[r->n_credits++] = (struct credit){packets, bytes, extra, segments, 0};
}

static inline void
record_conn(struct recorder *r, struct recorded_conn conn)
{
	if (!r)
		return;
	if (r->n_conns == RECORD_CONNS) {
		record_refuse(r, "it crosses too many routers that track it");
		return;
	}
	r->conns[r->n_conns++] = conn;
}

#endif
