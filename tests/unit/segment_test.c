/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TCP segmenter against a deliberately naive twin that works on one flat array. */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/base/segment.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct shape {
	unsigned l2, options, tcp_options; /* bytes: Ethernet, IPv4 options, TCP options */
	uint32_t payload, piece;
	uint16_t gso;
	bool ip6, partial;
	uint8_t flags; /* TCP */
};

static void
put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static unsigned
get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void
put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* RFC 1071 by the letter: big-endian words, one at a time. */
static unsigned
naive_sum(unsigned sum, const uint8_t *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i & 1 ? b[i] : (unsigned)b[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static unsigned
naive_pseudo(const uint8_t *ip, bool ip6, uint32_t len)
{
	return naive_sum(6 + len, ip6 ? ip + 8 : ip + 12, ip6 ? 32 : 8);
}

static uint32_t
ip_header(const struct shape *s)
{
	return s->ip6 ? 40 : 20 + s->options;
}

static void
finish_headers(const struct shape *s, uint8_t *d, uint32_t len, bool partial)
{
	uint8_t *ip = d + s->l2, *tcp = ip + ip_header(s);
	uint32_t l3 = ip_header(s), l4 = len - s->l2 - l3;
	unsigned sum;

	if (s->ip6) {
		put16(ip + 4, l4);
	} else {
		put16(ip + 2, l3 + l4);
		put16(ip + 10, 0);
		put16(ip + 10, ~naive_sum(0, ip, l3) & 0xffff);
	}
	put16(tcp + 16, 0);
	sum = naive_pseudo(ip, s->ip6, l4);
	put16(tcp + 16, partial ? sum : ~naive_sum(sum, tcp, l4) & 0xffff);
}

/* A super-packet as bytes. => its length. */
static uint32_t
build(const struct shape *s, uint8_t *d)
{
	uint32_t l3 = ip_header(s), headers = s->l2 + l3 + 20 + s->tcp_options;
	uint8_t *ip = d + s->l2, *tcp = ip + l3;

	for (uint32_t i = 0; i < headers + s->payload; i++)
		d[i] = (uint8_t)rand();
	ip[0] = (uint8_t)(s->ip6 ? 0x60 : 0x40 | l3 / 4);
	if (!s->ip6)
		put16(ip + 6, 0x4000);
	ip[s->ip6 ? 6 : 9] = 6;
	tcp[12] = (uint8_t)((20 + s->tcp_options) / 4 << 4);
	tcp[13] = s->flags;
	finish_headers(s, d, headers + s->payload, true);
	return headers + s->payload;
}

static struct pkt *
super_packet(struct test_env *h, const struct shape *s, const uint8_t *d, uint32_t len)
{
	uint32_t headers = len - s->payload, rest = s->payload, at = headers;
	struct pkt *p = test_pkt(h, d, headers);

	while (rest) {
		uint32_t take = rest < s->piece ? rest : s->piece;

		pkt_chain_append(p, test_pkt(h, d + at, take));
		at += take;
		rest -= take;
	}
	p->l2_len = (uint8_t)s->l2;
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = (uint16_t)ip_header(s);
	p->csum_offset = 16;
	p->gso_type = s->ip6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
	p->gso_size = s->gso;
	p->mark = 77;
	return p;
}

/* The bytes of segment `i` of a super-packet. => its length. */
static uint32_t
naive_segment(const struct shape *s, const uint8_t *d, unsigned i, uint8_t *out)
{
	uint32_t l3 = ip_header(s), headers = s->l2 + l3 + 20 + s->tcp_options, from = i * s->gso;
	uint32_t take = s->payload - from < s->gso ? s->payload - from : s->gso;
	uint8_t *ip = out + s->l2, *tcp = ip + l3;

	memcpy(out, d, headers);
	memcpy(out + headers, d + headers + from, take);
	if (!s->ip6)
		put16(ip + 4, (get16(ip + 4) + i) & 0xffff);
	put32(tcp + 4, get32(tcp + 4) + from);
	if (i > 0)
		tcp[13] &= 0x7f; /* CWR */
	if (from + take < s->payload)
		tcp[13] &= 0xf6; /* FIN, PSH */
	finish_headers(s, out, headers + take, s->partial);
	return headers + take;
}

static void
check(const struct shape *s)
{
	static uint8_t d[70000], want[70000], have[70000];
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
	struct test_env h;
	uint32_t len = build(s, d);
	unsigned n, i = 0, expect = s->payload ? (s->payload + s->gso - 1) / s->gso : 1;
	struct pkt *p;

	test_env_init(&h, 1);
	n = pkt_segment(&h.env, super_packet(&h, s, d, len), s->l2, s->partial, &out);
	assert_int_equal(n, expect);
	while ((p = STAILQ_FIRST(&out))) {
		uint32_t want_len = naive_segment(s, d, i++, want);

		STAILQ_REMOVE_HEAD(&out, queue);
		assert_int_equal(pkt_len(p), want_len);
		assert_int_equal(pkt_chain_read(p, 0, have, want_len), want_len);
		assert_memory_equal(have, want, want_len);
		assert_int_equal(p->mark, 77);
		assert_int_equal(p->gso_type, PKT_GSO_NONE);
		assert_int_equal(!!(p->flags & PKT_CSUM_PARTIAL), s->partial);
		env_pkt_free(&h.env, p);
	}
	assert_int_equal(i, n);
	assert_int_equal(test_env_fini(&h), 0);
}

enum { ALL_FLAGS = 0xd9 }; /* CWR, ECE, ACK, PSH, FIN */

static void
test_shapes(void **state)
{
	static const struct shape rows[] = {
		{.payload = 4000, .gso = 1460, .piece = 4000, .flags = ALL_FLAGS},
		{.payload = 4000, .gso = 1460, .piece = 333, .flags = 0x10, .partial = true},
		{.payload = 4380, .gso = 1460, .piece = 1460, .flags = ALL_FLAGS},
		{.payload = 1460, .gso = 1460, .piece = 999, .flags = ALL_FLAGS},
		{.payload = 1, .gso = 1460, .piece = 1, .flags = ALL_FLAGS},
		{.payload = 0, .gso = 1460, .piece = 1, .flags = ALL_FLAGS},
		{.payload = 65495, .gso = 536, .piece = 32768, .flags = ALL_FLAGS},
		{.payload = 65000, .gso = 9176, .piece = 32768, .flags = ALL_FLAGS},
		{.payload = 60000, .gso = 57284, .piece = 1920, .flags = ALL_FLAGS},
		{.payload = 9999, .gso = 1447, .piece = 777, .tcp_options = 12, .flags = ALL_FLAGS, .l2 = 14},
		{.payload = 9999, .gso = 1447, .piece = 777, .tcp_options = 40, .options = 40, .flags = 0x18},
		{.payload = 9999, .gso = 1440, .piece = 2048, .ip6 = true, .flags = ALL_FLAGS},
		{.payload = 9999, .gso = 4001, .piece = 2048, .ip6 = true, .l2 = 14, .tcp_options = 12, .flags = ALL_FLAGS},
		{.payload = 9999, .gso = 1440, .piece = 2048, .ip6 = true, .flags = ALL_FLAGS, .partial = true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void
test_random_shapes(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 500; i++) {
		struct shape s = {
			.l2 = rand() & 1 ? 14 : 0,
			.tcp_options = 4u * (unsigned)(rand() % 11),
			.payload = (uint32_t)(rand() % 65000),
			.piece = 1 + (uint32_t)(rand() % 5000),
			.ip6 = rand() & 1,
			.partial = rand() & 1,
			.flags = (uint8_t)rand(),
		};

		s.gso = (uint16_t)(s.payload / 64 + 1 + (unsigned)(rand() % 4000));
		s.options = s.ip6 ? 0 : 4u * (unsigned)(rand() % 11);
		check(&s);
	}
}

/* What came before the data of a routed packet comes before each segment. */
static void
test_keeps_l2_before(void **state)
{
	static const struct shape s = {.payload = 3000, .gso = 1460, .piece = 3000, .l2 = 14, .flags = 0x10};
	static uint8_t d[4000];
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
	struct test_env h;
	struct pkt *p;

	(void)state;
	test_env_init(&h, 1);
	p = super_packet(&h, &s, d, build(&s, d));
	p->flags |= PKT_HAS_L2;
	rte_pktmbuf_adj(pkt_mbuf(p), 14);
	assert_int_equal(pkt_segment(&h.env, p, 0, false, &out), 3);
	while ((p = STAILQ_FIRST(&out))) {
		STAILQ_REMOVE_HEAD(&out, queue);
		assert_memory_equal((uint8_t *)pkt_data(p) - 14, d, 14);
		env_pkt_free(&h.env, p);
	}
	assert_int_equal(test_env_fini(&h), 0);
}

/* Without buffers nothing is sent, nothing leaks, and the reason is named. */
static void
test_no_buffer(void **state)
{
	static const struct shape s = {.payload = 8000, .gso = 3000, .piece = 2000, .flags = 0x10};
	static uint8_t d[9000];

	(void)state;
	for (unsigned spare = 0; spare < 5; spare++) {
		struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
		struct test_env h;
		struct pkt *p;

		test_env_init(&h, 1);
		p = super_packet(&h, &s, d, build(&s, d));
		h.allocs_left = spare;
		assert_int_equal(pkt_segment(&h.env, p, 0, false, &out), 0);
		assert_true(STAILQ_EMPTY(&out));
		assert_int_equal(test_env_fini(&h), 0);
		assert_int_equal(h.env.drops.n[DROP_NO_BUFFER], 3); /* segments */
	}
}

static void
break_version(struct pkt *p)
{
	*(uint8_t *)pkt_data(p) = 0x65;
}

static void
break_ihl(struct pkt *p)
{
	*(uint8_t *)pkt_data(p) = 0x46;
}

static void
break_doff(struct pkt *p)
{
	((uint8_t *)pkt_data(p))[32] = 0x40;
}

static void
break_doff_long(struct pkt *p)
{
	((uint8_t *)pkt_data(p))[32] = 0xf0;
}

static void
break_start(struct pkt *p)
{
	p->csum_start = 30000;
}

static void
break_start_short(struct pkt *p)
{
	p->csum_start = 16;
}

static void
break_offset(struct pkt *p)
{
	p->csum_offset = 6;
}

static void
break_partial(struct pkt *p)
{
	p->flags = 0;
}

static void
break_type(struct pkt *p)
{
	p->gso_type = PKT_GSO_UDP_L4;
}

static void
break_size(struct pkt *p)
{
	p->gso_size = 0;
}

static void
break_sum_of_sizes(struct pkt *p)
{
	p->gso_size = 65535;
}


static void
test_impossible(void **state)
{
	static void (*const breaks[])(struct pkt *) = {break_version, break_ihl, break_doff, break_doff_long, break_start,
			break_start_short, break_offset, break_partial, break_type, break_size, break_sum_of_sizes};
	static const struct shape s = {.payload = 3000, .gso = 1460, .piece = 3000, .flags = 0x10};
	static uint8_t d[4000];

	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
		struct test_env h;
		struct pkt *p;

		test_env_init(&h, 1);
		p = super_packet(&h, &s, d, build(&s, d));
		breaks[i](p);
		assert_int_equal(pkt_segment(&h.env, p, 0, false, &out), 0);
		assert_true(h.env.drops.n[DROP_OFFLOAD] > 0);
		assert_int_equal(test_env_fini(&h), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_random_shapes),
		cmocka_unit_test(test_keeps_l2_before),
		cmocka_unit_test(test_no_buffer),
		cmocka_unit_test(test_impossible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
