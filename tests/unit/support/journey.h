/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A journey through routers in a row, with or without the path cache:
 *
 *	port 10 ── eth0 r0 iucv0 ── eth0 r1 iucv0 ── ... ── eth0 rN iucv0 ── port 20
 *	10.0.0.0/8, 44.0.0.0/8                                               everything else
 *
 * Packets enter as port_ops.rx gives them. Port 10 may speak Ethernet: then 10.0.0.254 is the way to 10.0.0.0/8. Between r0 and r1
 * may lie a LAN, with port 15 as its third member: 192.168.7.1 and .2, who ask each other by ARP.
 */
#ifndef TESTS_UNIT_SUPPORT_JOURNEY_H
#define TESTS_UNIT_SUPPORT_JOURNEY_H

#include "fabric/engine/path.h"
#include "fabric/lan/lan.h"
#include "filters/live.h"
#include "tests/unit/support/rulesets.h"
#include "tests/unit/support/walkers.h"

enum { JOURNEY_LEFT = 10, JOURNEY_LAN = 15, JOURNEY_RIGHT = 20, JOURNEY_PORTS };

struct journey_shape {
	unsigned routers;
	bool frames;                /* port 10 speaks Ethernet */
	bool lan;                   /* between r0 and r1, if there are two */
	uint32_t mtu[TEST_ROUTERS]; /* of iucv0 of each router; 0: 1492 */
};

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
	struct journey_shape shape;
	struct journey_side *sides;
	bool cached;
	struct paths paths;
	struct journey_port ports[JOURNEY_PORTS];
	const struct path_ingress *guest; /* packets of port 10 come from this one of many; NULL: there is one */
	struct attach members[3];
	struct lan lan;
	struct counters captured; /* what captures have seen: out and in */
};

/* `paths`: capacity of a cache; 0: none. `caches`: 2: the ports belong to different workers. */
void journey_build(struct journey *j, const struct journey_shape *shape, unsigned caches, uint32_t paths);
/* The same, of the plainest shape. */
void journey_init(struct journey *j, unsigned routers, bool frames, unsigned caches, uint32_t paths);
/* Of the worker that receives from `port`. */
struct path_cache *journey_cache(const struct journey *j, uint32_t port);
/* => segments and connections that nobody freed. */
unsigned journey_fini(struct journey *j);

/* ---- what happens, to router `i` ---- */

/* Rules instead of those before, as a generation exchanges them; NULL: none. */
void journey_rules(struct journey *j, unsigned i, const char *text, const struct test_ext *exts);
/* The link behind it goes down or up. */
void journey_carrier(struct journey *j, unsigned i, bool up);
/* A tunable gets another value, as a generation brings it. */
void journey_tune(struct journey *j, unsigned i, enum tunable_id id, int64_t value);
/* Somebody begins to capture at an interface, or ends it. */
void journey_capture(struct journey *j, unsigned i, uint16_t iface, bool begin);

/* Takes a burst that `port` has received. What leaves is to be had by test_sent(). */
void journey_burst(struct journey *j, uint32_t port, struct pkt **p, unsigned n);
/* Aborts with a sentence if counters, rules or connections differ; `a` is credited. */
void journey_compare(struct journey *a, struct journey *b);

#endif
