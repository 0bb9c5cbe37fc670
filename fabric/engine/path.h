/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path cache: what an established flow does from the port it enters to the port it leaves, however many routers it crosses, kept as one
 * entry, so that its next packet costs one lookup.
 *
 * A packet that may have a path is walked with a recorder (fabric/base/recorder.h); at the port where it leaves path_record() keeps
 *	- a path: the flow's key, how its headers change, what guards it, its connections, what it counts for them;
 *	- a recipe, shared by all flows that met the same things: the objects they depend on, the counters they add to, the port.
 * So the cost of a change is that of the recipes, not of the flows: the epoch of the fabric moved on, each recipe compares the versions
 * of what it has read once, and is good again or dead. A connection knows its paths and ends them itself, for it alone.
 *
 * Counters of interfaces and rules are credited from recipes, connections from paths: when they are read, and when they end.
 *
 * Each worker has a cache of its own. Whoever reads or changes one holds
 *	- the owner, taking packets past the slow way: its `lock`;
 *	- the owner under the slow lock: nothing more;
 *	- anybody else: the slow lock, then its `lock`.
 * Functions take the lock they need unless they say otherwise.
 *
 * What can be taken: UDP, and TCP segments with ACK and perhaps PSH, IPv4 without options or fragments, on an established connection where
 * there is one. TCP windows are followed, in one record for all the connections of a journey that saw the same (struct conn_tcp), and for both
 * directions, which may be different workers': it has a lock of its own where there are several.
 */
#ifndef FABRIC_ENGINE_PATH_H
#define FABRIC_ENGINE_PATH_H

#include "fabric/base/env.h"
#include "filters/conntrack.h"

#include <rte_spinlock.h>

enum { PATH_BURST = 64, PATH_CACHES = 16 };

struct path_cache;

/* Private. Records of one kind: used ones, then free ones in a list, then untouched memory. */
struct path_pool {
	uint32_t end; /* one above the highest ever used */
	uint32_t vacant, capacity, used;
};

/* The caches of all workers, the TCP windows that they follow together, and the seam to the connections of all routers. */
struct paths {
	struct conntrack_paths seam; /* first: conntrack_paths_set(ct, &paths->seam) */
	struct epoch *epoch;
	struct path_cache *caches[PATH_CACHES];
	unsigned n_caches;
	/* private */
	struct conn_tcp *windows;
	struct window_more *windows_more;
	struct path_pool window_pool;
};

/* `env`: for timers of connections; `capacity`: paths of one cache, rounded up to a power of two. => 0 or -ENOMEM. */
int paths_init(struct paths *paths, struct env *env, unsigned caches, uint32_t capacity);
/* No packet moves any more, and connections are gone or not asked. */
void paths_fini(struct paths *paths);
/* Rules, interfaces and ports get what paths have counted for them. Under the slow lock. */
void paths_credit(struct paths *paths);
/*
 * Credits all recipes, and ends those whose objects have changed: before anything is freed that was bumped. Under the slow lock.
 */
void paths_sweep(struct paths *paths);
/* Ends all paths: the cache was switched off. Under the slow lock. */
void paths_flush(struct paths *paths);

struct path_stats {
	uint64_t hits, misses; /* packets; a miss may never be able to have a path */
	uint64_t installed, evicted, refused; /* paths; refused: recorded, but there is no room */
	uint32_t paths, recipes, windows; /* now */
	uint32_t capacity;
	size_t memory; /* bytes in use */
};
/* The sum of all caches. Under the slow lock. */
void paths_stats(const struct paths *paths, struct path_stats *s);

/* Where packets enter: of a port. */
struct path_ingress {
	uint16_t slot;           /* of the port; 0: no path from here */
	struct version *version; /* what the port is attached to */
};

/* Where a path leads. */
struct path_egress {
	void *port;              /* for the caller of path_run() */
	struct version *version; /* whether packets may leave by it, and unseen */
	uint64_t *packets, *bytes; /* as on the wire */
};

/* A burst of packets from one port, and what was found out about them. */
struct path_burst {
	const struct path_ingress *in;
	struct pkt **p;
	unsigned n;
	uint64_t now; /* ns, CLOCK_MONOTONIC */
	struct path_lookup {
		uint64_t addresses, rest; /* the key: source and destination, ports and others */
		uint64_t hash;            /* 0: no path can be for this packet */
		uint32_t path;            /* perhaps; 0: none */
	} at[PATH_BURST];
};

/* Looks for paths of `n` packets, at most PATH_BURST, as port_ops.rx gave them. */
void path_prepare(struct path_cache *c, struct path_burst *b, const struct path_ingress *in, struct pkt **p, unsigned n, uint64_t now);
/*
 * From packet `from` on, takes those for which a path holds, in order, up to the first for which none does: they are as the port in out[]
 * is to send them. => how many. The caller holds what the opening says.
 */
unsigned path_run(struct path_cache *c, struct path_burst *b, unsigned from, void **out);
/*
 * For packet `i` of the burst, which goes the slow way: => the recorder that is to ride along, in p->recorder; NULL: no path can be kept. Under the slow lock.
 */
struct recorder *path_begin(struct path_cache *c, const struct path_burst *b, unsigned i);
/* The packet with a recorder leaves by `to`, complete with its frame's header of p->l2_len. Keeps the path if it can. Under the slow lock. */
void path_record(struct pkt *p, const struct env *env, const struct path_egress *to);

/* Locks of the fast way, for the owner. */
void path_lock(struct path_cache *c);
void path_unlock(struct path_cache *c);

#endif
