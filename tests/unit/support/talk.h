/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random conversations between guests on the left, 10.200.0.0/15, and servers on the right, 99.0.0.1 to .3: TCP with what goes wrong on
 * the way, UDP, and protocols that nobody follows. What the right end sees of the left is learned from what comes out, so that translations
 * are answered. One talk is put to several rows of routers: it makes bytes, not packets.
 */
#ifndef TESTS_UNIT_SUPPORT_TALK_H
#define TESTS_UNIT_SUPPORT_TALK_H

#include "fabric/base/pkt.h"
#include "tests/unit/support/flows.h"

#include <netinet/in.h>

enum { TALK_FLOWS = 80, TALK_LENGTH_MAX = 4000 };

/* A conversation as its ends see it. */
struct talk_flow {
	uint8_t proto; /* 0: not begun */
	char client[16], server[16];
	uint16_t sport, dport;
	unsigned step;               /* of TCP: 0 nothing yet, 1 SYN sent, 2 answered, 3 open, 4 closing */
	uint32_t seq[2], arrived[2]; /* what an end sends next; up to where the other has it */
	uint32_t edge[2];            /* of the window that an end has opened, where it is small */
	struct test_segment last[2];
	bool stamps, known, scaled, bare; /* bare: UDP without a checksum */
	struct in_addr seen_src, seen_dst;
	uint16_t seen_sport, seen_dport;
};

struct talk {
	uint64_t seed;
	unsigned n;
	bool calm; /* little goes wrong */
	struct talk_flow flows[TALK_FLOWS];
	uint8_t option[12]; /* of the segment made last */
};

/* A packet as an end sends it. */
struct talk_wire {
	bool right;            /* it comes from the right */
	bool partial, vouched; /* PKT_CSUM_PARTIAL, PKT_CSUM_VALID */
	bool stray;            /* its frame is for somebody else */
	uint16_t gso;
	size_t len;
	uint8_t buf[TALK_LENGTH_MAX + 100];
};

/* A number below `n`. */
uint32_t talk_pick(struct talk *t, uint32_t n);
/* Forgets all flows; from now on there are `n`, at most TALK_FLOWS. The seed goes on. */
void talk_restart(struct talk *t, unsigned n);
/* The next packet of any flow. => false: its end does not know the other yet. */
bool talk_say(struct talk *t, struct talk_wire *w);
/* A packet has come out, on the right or not. */
void talk_learn(struct talk *t, const struct pkt *p, bool right);
/* Whatever has not come out is lost, and sent again. */
void talk_lost(struct talk *t);

#endif
