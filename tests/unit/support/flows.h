/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of connection tracking: a router with a table, TCP segments with every field, and a
 * check of all that must hold between packets.
 */
#ifndef TESTS_UNIT_SUPPORT_FLOWS_H
#define TESTS_UNIT_SUPPORT_FLOWS_H

#include "filters/conntrack_table.h"
#include "tests/unit/support/routers.h"

struct test_flows {
	struct test_env env;
	struct test_router router;
	struct filters_live filters;
	enum drop_reason why; /* of the packet that was dropped last */
};

void test_flows_init(struct test_flows *f, uint64_t seed);
/* => segments and connections that nobody freed. */
unsigned test_flows_fini(struct test_flows *f);

struct test_segment {
	uint8_t flags; /* as on the wire: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32 */
	uint32_t seq, ack;
	uint16_t win, len;
	const uint8_t *options;
	size_t options_len;
};

/* A TCP packet with right checksums. => its length. */
size_t test_segment(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport,
	const struct test_segment *s);

/* The same with the `s->len` bytes of a text; without it they are zeros. */
size_t test_segment_saying(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport,
	const struct test_segment *s, const void *text);

/* The packet, parsed, as come in by eth0; the caller's. */
struct pkt *test_arrive(struct test_flows *f, const void *data, size_t len);
/* Through PREROUTING's tracking and, unless it is dropped, confirmed. => false: dropped, f->why
 * says why. */
bool test_track(struct test_flows *f, struct pkt *p);
/* The same, and freed. => its state as conntrack_state_bit(), 0: dropped. */
uint32_t test_pass_through(struct test_flows *f, const void *data, size_t len);
/* The connection of these ends in the default zone; NULL: none. */
struct conn *test_conn(struct test_flows *f, uint8_t proto, const char *src, uint16_t sport,
	const char *dst, uint16_t dport);

/* Aborts with a sentence when counts, chains, wheel or references of the table contradict each
 * other. `held`: references of packets. */
void test_conntrack_check(const struct conntrack *ct, uint32_t held);

#endif
