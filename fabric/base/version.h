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
 * only when it has moved. Connections change too often for that; they know their paths and end them (filters/conntrack.h).
 */
#ifndef FABRIC_BASE_VERSION_H
#define FABRIC_BASE_VERSION_H

#include <stdatomic.h>
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

#endif
