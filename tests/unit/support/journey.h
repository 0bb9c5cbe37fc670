/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A journey through routers in a row, with or without the path cache:
 *
 *	port 10 ── eth0 r0 iucv0 ── eth0 r1 iucv0 ── ... ── eth0 rN iucv0 ── port 20
 *	10.0.0.0/8, 44.0.0.0/8                                               everything else
 *
 * Packets enter as port_ops.rx gives them. Port 10 may speak Ethernet: then 10.0.0.254 is the way to 10.0.0.0/8.
 */
#ifndef TESTS_UNIT_SUPPORT_JOURNEY_H
#define TESTS_UNIT_SUPPORT_JOURNEY_H

#include "fabric/engine/path.h"
#include "filters/live.h"
#include "tests/unit/support/rulesets.h"
#include "tests/unit/support/walkers.h"

enum { JOURNEY_LEFT = 10, JOURNEY_RIGHT = 20, JOURNEY_PORTS };

struct journey_side {
	struct test_router t;
	struct filters_live filters;
};

struct journey_port {
	struct version version;
	struct counters count;
};

struct journey {
	struct test_walker tw; /* first: a struct walker * is a journey * here */
	struct env_ops ops;
	struct journey_side *sides;
	unsigned n;
	bool cached, frames;
	struct paths paths;
	struct journey_port ports[JOURNEY_PORTS];
	const struct path_ingress *guest; /* packets of port 10 come from this one of many; NULL: there is one */
};

/* `paths`: capacity of a cache; 0: none. `caches`: 2: the ports belong to different workers. */
void journey_init(struct journey *j, unsigned routers, bool frames, unsigned caches, uint32_t paths);
/* Of the worker that receives from `port`. */
struct path_cache *journey_cache(const struct journey *j, uint32_t port);
/* => segments and connections that nobody freed. */
unsigned journey_fini(struct journey *j);
/* Rules of router `i` instead of those before, as a generation exchanges them; NULL: none. */
void journey_rules(struct journey *j, unsigned i, const char *text, const struct test_ext *exts);
/* The link behind router `i` goes down or up. */
void journey_carrier(struct journey *j, unsigned i, bool up);
/* Takes a burst that `port` has received. What leaves is to be had by test_sent(). */
void journey_burst(struct journey *j, uint32_t port, struct pkt **p, unsigned n);
/* Aborts with a sentence if counters, rules or connections differ; `a` is credited. */
void journey_compare(struct journey *a, struct journey *b);

#endif
