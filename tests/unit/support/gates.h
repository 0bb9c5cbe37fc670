/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A router between two sides, ours and the kernel's, so that what both make of the same packets can be compared byte by byte:
 *
 *	inside 10.1.0.0/24 ── eth1 .1 ┌───┐ .1 eth0 ── outside 10.0.0.0/24, 10.0.9.0/24 and everything else
 *	                              └───┘
 *
 * Both interfaces are point to point, so nobody asks for neighbours.
 */
#ifndef TESTS_UNIT_SUPPORT_GATES_H
#define TESTS_UNIT_SUPPORT_GATES_H

#include "filters/live.h"
#include "tests/unit/support/routers.h"
#include "tests/unit/support/walkers.h"

struct rules;
struct ruleset;

enum { OUTSIDE, INSIDE, SIDES };
enum { GATE_FRAMES = 8, GATE_FRAME = 4096 };

/* IP packets that came out. */
struct gate_frames {
	unsigned n;
	struct {
		int side;
		size_t len;
		_Alignas(8) uint8_t data[GATE_FRAME];
	} f[GATE_FRAMES];
};

struct gate {
	struct test_walker tw;
	struct test_router t;
	struct filters_live filters;
	struct env_ops ops;
	struct ruleset *rules;
};

int gate_init(struct gate *g);
/* => 0, or what was left over. */
int gate_fini(struct gate *g);
/* Takes the rules; what is wrong with them ends the program. */
void gate_load(struct gate *g, struct rules *rules);
void gate_unload(struct gate *g);
/* What has left since the last time. */
void gate_sent(struct gate *g, struct gate_frames *out);
/* A packet in segments of these sizes, the last takes the rest. */
void gate_inject(struct gate *g, int side, const void *data, size_t len, const size_t *sizes,
	size_t n, struct gate_frames *out);

struct kernel_gate {
	int tun[SIDES];
};

/* => false: no such thing here. The calling process is in the network namespace of it from now on. */
bool kernel_gate_open(struct kernel_gate *k);
/* Loads it and forgets all connections. */
void kernel_gate_load(struct kernel_gate *k, const char *text);
void kernel_gate_inject(struct kernel_gate *k, int side, const void *data, size_t len, struct gate_frames *out);

#endif
