/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walker for tests, over the env of packets.h: what leaves by a port is kept, with the port's
 * slot in p->out_slot; what is emitted waits until the test runs it.
 */
#ifndef TESTS_UNIT_SUPPORT_WALKERS_H
#define TESTS_UNIT_SUPPORT_WALKERS_H

#include "fabric/router/way.h"
#include "tests/unit/support/packets.h"

enum { TEST_ROUTERS = 4, TEST_LANS = 2 };

struct test_walker {
	struct walker w; /* first: a struct walker * is a test_walker * here */
	struct test_env t;
	struct fabric fabric;
	struct router *routers[TEST_ROUTERS];
	struct lan *lans[TEST_LANS];
	struct pkt_queue sent;
};

void test_walker_init(struct test_walker *tw, uint64_t seed);
/* Frees what was sent or emitted and not taken. => segments that nobody freed. */
unsigned test_walker_fini(struct test_walker *tw);
/* Starts what was emitted until nothing is left. */
void test_walker_run(struct test_walker *tw);
/* Lets time pass, and runs what its timers emit. */
void test_walker_pass(struct test_walker *tw, uint64_t ns);
/* The oldest packet that left, now the caller's; NULL: none. */
struct pkt *test_sent(struct test_walker *tw, uint32_t *port);

#endif
