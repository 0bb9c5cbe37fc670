/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An env for tests of the lower floors: no EAL, a clock that stands still until told, what is
 * emitted in a list. Every segment of a packet is an exactly sized malloc block behind its
 * headroom, so that ASan sees whoever reads or writes past its end.
 */
#ifndef TESTS_UNIT_SUPPORT_PACKETS_H
#define TESTS_UNIT_SUPPORT_PACKETS_H

#include "fabric/base/env.h"

struct test_env {
	struct env env;
	struct timers timers;
	struct epoch epoch;
	struct pkt_queue emitted;
	unsigned segments;    /* that are not freed yet */
	unsigned allocs_left; /* before pkt_new() fails; UINT_MAX: never */
};

void test_env_init(struct test_env *t, uint64_t seed);
/* Frees what was emitted and not taken. => segments that nobody freed. */
unsigned test_env_fini(struct test_env *t);
/* Seed from TEST_SEED or the clock; printed. */
uint64_t test_seed(void);

/* A packet with these bytes. */
struct pkt *test_pkt(struct test_env *t, const void *data, size_t len);
/* The same in segments of these sizes; the last takes the rest. */
struct pkt *test_chain(
	struct test_env *t, const void *data, size_t len, const size_t *sizes, size_t n);
/* The oldest emitted packet, now the caller's, and where it was to start; NULL: none. */
struct pkt *test_next(struct test_env *t, enum pkt_origin *origin);
/* Lets time pass, timer by timer. */
void test_pass(struct test_env *t, uint64_t ns);
void test_pkt_free(struct test_env *t, struct pkt *p);

struct test_ip {
	const char *src, *dst;
	uint8_t tos, ttl;      /* ttl 0: 64 */
	uint16_t id, frag_off; /* host byte order; frag_off with its flags */
	const uint8_t *options;
	size_t options_len; /* multiple of 4 */
};

/*
 * Each writes an IPv4 packet with right checksums to `buf` (large enough). Payload bytes count
 * up. => its length.
 */
size_t test_ip4(
	uint8_t *buf, const struct test_ip *ip, uint8_t proto, const void *payload, size_t len);
size_t test_udp(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport, size_t len);
size_t test_tcp(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport, size_t len);
size_t test_icmp(uint8_t *buf, const struct test_ip *ip, uint8_t type, uint8_t code, uint16_t id,
	uint16_t seq, size_t len);
/* Sets the header checksum of a packet that was changed by hand. */
void test_fix_ip(uint8_t *packet);

static const uint64_t TEST_MS = 1000000, TEST_SECOND = 1000000000;

#endif
