/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stage reads, and versions of what it read.
 *
 * A path is what an established flow does across all routers, kept as one entry. It may only be kept if every
 * stage the packet met says what its answer depends on. Each stage declares the most it may ever read
 * (enum reads); on the way it tells the packet's recorder the objects it did read. An object whose change can
 * change an answer has a struct version; whoever changes it calls version_bump() in the same critical section.
 *
 * One epoch counts all bumps of the fabric: a holder of versions compares the epoch first and the versions
 * only when it has moved.
 */
#ifndef FABRIC_BASE_VERSION_H
#define FABRIC_BASE_VERSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reads {
	READS_NEVER = 0, /* clock, payload, randomness, buckets, counts: no path. The default of anything new. */
	READS_KEY,       /* the flow key only */
	READS_GUARD,     /* and fields of the packet outside the key, each noted as a guard */
	READS_STATE,     /* and objects with a version, each noted */
};

struct version {
	_Atomic uint32_t n;
};

struct epoch {
	_Atomic uint64_t n;
};

static inline void
version_bump(struct epoch *e, struct version *v)
{
	atomic_fetch_add_explicit(&v->n, 1, memory_order_release);
	atomic_fetch_add_explicit(&e->n, 1, memory_order_release);
}

enum guard { GUARD_TTL = 1, GUARD_LENGTH = 2, GUARD_TOS = 4, GUARD_TCP_FLAGS = 8, GUARD_MAC = 16, GUARD_OPTIONS = 32 };

enum { RECORD_MAX = 64 };

/* Rides along with one packet; NULL in the descriptor when nobody records. */
struct recorder {
	struct {
		struct version *object;
		uint32_t seen;
	} reads[RECORD_MAX];
	uint16_t n;
	uint16_t guards;   /* enum guard */
	bool refused;      /* no path, and why */
	const char *because;
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
		r->guards |= (uint16_t)g;
}

static inline void
record_read(struct recorder *r, struct version *object)
{
	if (!r)
		return;
	if (r->n == RECORD_MAX) {
		record_refuse(r, "it depends on too many objects");
		return;
	}
	r->reads[r->n].object = object;
	r->reads[r->n].seen = atomic_load_explicit(&object->n, memory_order_acquire);
	r->n++;
}

#endif
