/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/flows.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { INVALID = 1, EST = 2, REL = 4, NEW = 8, UNTRACKED = 64, DROPPED = 0 };
enum { SYN = 2, RST = 4, ACK = 16 };

static const struct test_ip here = {.src = "10.0.0.2", .dst = "10.1.0.2"},
			    there = {.src = "10.1.0.2", .dst = "10.0.0.2"};

static struct test_flows f;

static int
setup(void **state)
{
	(void)state;
	test_flows_init(&f, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_conntrack_check(f.filters.conntrack, 0);
	return (int)test_flows_fini(&f);
}

static void
tune_to(enum tunable_id id, int64_t value)
{
	f.router.r.tunables.value[id] = value;
}

static uint32_t
udp(const struct test_ip *ip, uint16_t sport, uint16_t dport)
{
	uint8_t buf[256];

	return test_pass_through(&f, buf, test_udp(buf, ip, sport, dport, 10));
}

static uint32_t
tcp(const struct test_ip *ip, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq,
	uint32_t ack)
{
	const struct test_segment s = {.flags = flags, .seq = seq, .ack = ack, .win = 8192};
	uint8_t buf[256];

	return test_pass_through(&f, buf, test_segment(buf, ip, sport, dport, &s));
}

static void
open_tcp(const char *src, uint16_t sport)
{
	const struct test_ip out = {.src = src, .dst = "10.1.0.2"},
			     back = {.src = "10.1.0.2", .dst = src};

	tcp(&out, sport, 80, SYN, 100, 0);
	tcp(&back, 80, sport, SYN | ACK, 500, 101);
	assert_int_equal(tcp(&out, sport, 80, ACK, 101, 501), EST);
}

static uint64_t
seconds_left(const struct conn *c)
{
	return (c->expires - f.env.env.now) / TEST_SECOND;
}

static uint32_t
count(void)
{
	struct conntrack_stats s;

	conntrack_stats(f.filters.conntrack, &s);
	return s.count;
}

static void
test_udp_states(void **state)
{
	struct conn *c;

	(void)state;
	assert_int_equal(udp(&here, 1000, 53), NEW);
	assert_int_equal(udp(&here, 1000, 53), NEW);
	c = test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1000, "10.1.0.2", 53);
	assert_int_equal(seconds_left(c), 30);
	assert_int_equal(udp(&there, 53, 1000), EST);
	assert_int_equal(seconds_left(c), 30);
	assert_int_equal(udp(&here, 1000, 53), EST);
	assert_int_equal(c->status & CT_ASSURED, 0);
	test_pass(&f.env, 2 * TEST_SECOND + TEST_MS);
	assert_int_equal(udp(&there, 53, 1000), EST);
	assert_int_equal(c->status & CT_ASSURED, CT_ASSURED);
	assert_int_equal(seconds_left(c), 120);
	assert_int_equal(c->count[0].packets, 3);
	assert_int_equal(c->count[1].bytes, 2 * 38);
}

static void
test_udp_malformed(void **state)
{
	uint8_t buf[256];
	size_t len = test_udp(buf, &here, 1000, 53, 10);

	(void)state;
	buf[26]++; /* checksum */
	assert_int_equal(test_pass_through(&f, buf, len), INVALID);
	buf[26] = buf[27] = 0; /* none */
	assert_int_equal(test_pass_through(&f, buf, len), NEW);
	buf[25] = 60; /* longer than the packet */
	assert_int_equal(test_pass_through(&f, buf, len), INVALID);
	buf[25] = 7;
	assert_int_equal(test_pass_through(&f, buf, len), INVALID);
	assert_int_equal(count(), 1);
}

static uint32_t
icmp(const struct test_ip *ip, uint8_t type, uint16_t id)
{
	uint8_t buf[256];

	return test_pass_through(&f, buf, test_icmp(buf, ip, type, 0, id, 1, 8));
}

static void
test_icmp_questions(void **state)
{
	static const struct {
		uint8_t type, answer;
		uint32_t state;
	} rows[] = {
		{8, 0, NEW},
		{13, 14, NEW},
		{15, 16, NEW},
		{17, 18, NEW},
		{0, 8, INVALID},
		{14, 13, INVALID},
		{9, 9, INVALID},
		{10, 10, INVALID},
		{19, 19, INVALID},
		{40, 40, INVALID},
	};
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		uint16_t id = (uint16_t)(100 + i);

		assert_int_equal(icmp(&here, rows[i].type, id), rows[i].state);
		if (rows[i].state != NEW)
			continue;
		assert_int_equal(icmp(&there, rows[i].answer, id), EST);
		assert_int_equal(icmp(&there, rows[i].answer, (uint16_t)(id + 1000)), INVALID);
		assert_int_equal(icmp(&here, rows[i].type, id), EST);
	}
	assert_int_equal(count(), 4);
	test_pass(&f.env, 31 * TEST_SECOND);
	assert_int_equal(count(), 0);
}

/* An ICMP error for `to` that quotes what was sent. */
static uint32_t
error_about(const char *from, const char *to, const uint8_t *sent, size_t len)
{
	const struct test_ip ip = {.src = from, .dst = to};
	uint8_t buf[512], payload[512] = {3, 1};
	uint16_t sum;

	memcpy(payload + 8, sent, len);
	sum = (uint16_t)~csum_fold(csum_add(0, payload, len + 8));
	memcpy(payload + 2, &sum, 2);
	return test_pass_through(&f, buf, test_ip4(buf, &ip, IPPROTO_ICMP, payload, len + 8));
}

static void
test_icmp_errors(void **state)
{
	uint8_t sent[256], back[256];
	size_t len = test_udp(sent, &here, 1000, 53, 10),
	       answer = test_udp(back, &there, 53, 1000, 10);

	(void)state;
	assert_int_equal(error_about("10.9.9.9", "10.0.0.2", sent, len), INVALID);
	assert_int_equal(udp(&here, 1000, 53), NEW);
	assert_int_equal(error_about("10.9.9.9", "10.0.0.2", sent, len), REL);
	assert_int_equal(error_about("10.1.0.2", "10.0.0.2", sent, 28), REL);
	assert_int_equal(
		error_about("10.9.9.9", "10.0.0.2", sent, 23), INVALID); /* ports cut off */
	assert_int_equal(
		error_about("10.9.9.9", "10.0.0.3", sent, len), INVALID); /* for somebody else */
	assert_int_equal(
		error_about("10.9.9.9", "10.1.0.2", back, answer), REL); /* the other direction */
	sent[6] = 0x20;
	sent[7] = 1; /* about a later fragment */
	assert_int_equal(error_about("10.9.9.9", "10.0.0.2", sent, len), INVALID);
	assert_int_equal(count(), 1);
	assert_int_equal(
		test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1000, "10.1.0.2", 53)->count[0].packets, 1);
}

static void
test_other_protocols(void **state)
{
	static const struct {
		uint8_t proto;
		uint64_t left, both;
	} rows[] = {{IPPROTO_GRE, 30, 180}, {IPPROTO_ESP, 600, 600}, {89, 600, 600},
		{IPPROTO_DCCP, 600, 600}};
	uint8_t buf[256], payload[24] = {0};
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		struct conn *c;

		assert_int_equal(test_pass_through(
					 &f, buf, test_ip4(buf, &here, rows[i].proto, payload, 24)),
			NEW);
		c = test_conn(&f, rows[i].proto, "10.0.0.2", 0, "10.1.0.2", 0);
		assert_int_equal(seconds_left(c), rows[i].left);
		assert_int_equal(test_pass_through(&f, buf,
					 test_ip4(buf, &there, rows[i].proto, payload, 24)),
			EST);
		assert_int_equal(test_pass_through(
					 &f, buf, test_ip4(buf, &here, rows[i].proto, payload, 24)),
			EST);
		assert_int_equal(seconds_left(c), rows[i].both);
	}
}

static struct pkt *
udp_in_zone(const struct test_ip *ip, uint16_t zone, uint8_t dirs)
{
	uint8_t buf[256];
	struct pkt *p = test_arrive(
		&f, buf, test_udp(buf, ip, ip == &here ? 1000 : 53, ip == &here ? 53 : 1000, 10));

	p->ct_zone = zone;
	p->ct_zone_dir = dirs;
	return p;
}

static uint32_t
track_in_zone(const struct test_ip *ip, uint16_t zone, uint8_t dirs)
{
	struct pkt *p = udp_in_zone(ip, zone, dirs);
	uint32_t bit;

	assert_true(test_track(&f, p));
	bit = conntrack_state_bit(p);
	env_pkt_free(&f.env.env, p);
	return bit;
}

static void
test_zones(void **state)
{
	struct pkt *p;

	(void)state;
	assert_int_equal(track_in_zone(&here, 0, 0), NEW);
	assert_int_equal(track_in_zone(&here, 5, 3), NEW);
	assert_int_equal(track_in_zone(&there, 5, 3), EST);
	assert_int_equal(track_in_zone(&here, 0, 0), NEW); /* the default zone has seen no answer */
	assert_int_equal(track_in_zone(&there, 6, 3), NEW);
	assert_int_equal(count(), 3);
	conntrack_flush(&f.env.env, f.filters.conntrack);
	/* The zone counts for requests only: answers come without one. */
	assert_int_equal(track_in_zone(&here, 7, 1), NEW);
	assert_int_equal(track_in_zone(&there, 0, 0), EST);
	assert_int_equal(track_in_zone(&here, 7, 1), EST);
	assert_int_equal(count(), 1);
	conntrack_flush(&f.env.env, f.filters.conntrack);
	/* And for replies only. */
	assert_int_equal(track_in_zone(&here, 8, 2), NEW);
	assert_int_equal(track_in_zone(&there, 8, 3), EST);
	/* Elsewhere it is another connection, whose answer would be the request of the first. */
	p = udp_in_zone(&there, 0, 0);
	assert_false(test_track(&f, p));
	assert_int_equal(f.why, DROP_CT_CLASH);
	env_pkt_free(&f.env.env, p);
}

static void
test_left_alone(void **state)
{
	struct pkt *p = udp_in_zone(&here, 0, 0);
	uint32_t first;

	(void)state;
	p->ct_info = CT_UNTRACKED;
	assert_true(test_track(&f, p));
	assert_int_equal(conntrack_state_bit(p), UNTRACKED);
	assert_int_equal(count(), 0);
	p->ct_info = 0;
	assert_true(test_track(&f, p));
	first = p->ct;
	assert_true(test_track(&f, p)); /* by way of lo: tracked already */
	assert_int_equal(p->ct, first);
	assert_ptr_equal(conntrack_of(&f.router.r, p), conn_at(f.filters.conntrack, first));
	env_pkt_free(&f.env.env, p);
}

/* The kernel tracks errors and resets about what is not tracked (nf_conntrack_attach()). */
static void
test_made_of_untracked(void **state)
{
	struct pkt *p = udp_in_zone(&here, 0, 0), *made = udp_in_zone(&there, 0, 0);

	(void)state;
	p->ct_info = CT_UNTRACKED;
	env_attach(&f.env.env, made, p);
	assert_int_equal(made->ct, 0);
	assert_int_equal(made->ct_info, CT_RELATED);
	assert_int_equal(conntrack_input(&f.env.env, &f.router.r, made, RULES_OUTPUT, &f.why), FILTER_ACCEPT);
	assert_int_not_equal(made->ct, 0);
	assert_int_equal(conntrack_state_bit(made), NEW);
	env_pkt_free(&f.env.env, p);
	env_pkt_free(&f.env.env, made);
	assert_int_equal(count(), 0);
}

/* What CT says holds for one tracking: an invalid packet that comes back by lo is tracked anew. */
static void
test_zone_of_invalid(void **state)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2"};
	uint8_t buf[100];
	struct pkt *p = test_arrive(&f, buf, test_icmp(buf, &ip, 0, 0, 1, 1, 8));

	(void)state;
	p->ct_zone = 1;
	p->ct_zone_dir = 3;
	assert_int_equal(conntrack_input(&f.env.env, &f.router.r, p, RULES_OUTPUT, &f.why), FILTER_ACCEPT);
	assert_int_equal(conntrack_state_bit(p), INVALID);
	assert_int_equal(p->ct_zone, 0);
	assert_int_equal(p->ct_zone_dir, 0);
	env_pkt_free(&f.env.env, p);
}

static void
test_references(void **state)
{
	struct conntrack *ct = f.filters.conntrack;
	struct pkt *p = udp_in_zone(&here, 0, 0), *copy, *made;
	struct conn *c;

	(void)state;
	assert_int_equal(conntrack_input(&f.env.env, &f.router.r, p, RULES_PREROUTING, &f.why),
		FILTER_ACCEPT);
	c = conntrack_of(&f.router.r, p);
	assert_int_equal(c->refs, 1);
	copy = env_pkt_copy(&f.env.env, p);
	made = udp_in_zone(&there, 0, 0);
	env_attach(&f.env.env, made, p);
	assert_int_equal(c->refs, 3);
	assert_int_equal(conntrack_state_bit(made), REL);
	assert_int_equal(ct_dir(made), CT_DIR_REPLY);
	test_conntrack_check(ct, 3);
	/* What was made does not confirm it; the copy does, once. */
	assert_int_equal(conntrack_confirm(&f.env.env, &f.router.r, made, &f.why), FILTER_ACCEPT);
	assert_int_equal(c->status & CT_CONFIRMED, 0);
	assert_int_equal(conntrack_confirm(&f.env.env, &f.router.r, copy, &f.why), FILTER_ACCEPT);
	assert_int_equal(conntrack_confirm(&f.env.env, &f.router.r, p, &f.why), FILTER_ACCEPT);
	assert_int_equal(c->refs, 4);
	conntrack_delete(&f.env.env, ct, c);
	assert_int_equal(count(), 1);
	env_pkt_free(&f.env.env, p);
	env_pkt_free(&f.env.env, made);
	assert_int_equal(count(), 1);
	env_pkt_free(&f.env.env, copy);
	assert_int_equal(count(), 0);
	/* One that nobody confirms is gone with its packet. */
	p = udp_in_zone(&here, 0, 0);
	conntrack_input(&f.env.env, &f.router.r, p, RULES_PREROUTING, &f.why);
	assert_int_equal(count(), 1);
	env_pkt_free(&f.env.env, p);
	assert_int_equal(count(), 0);
}

static struct pkt *
unconfirmed(const void *data, size_t len)
{
	struct pkt *p = test_arrive(&f, data, len);

	assert_int_equal(conntrack_input(&f.env.env, &f.router.r, p, RULES_PREROUTING, &f.why),
		FILTER_ACCEPT);
	return p;
}

static enum filter_verdict
confirm(struct pkt *p)
{
	return conntrack_confirm(&f.env.env, &f.router.r, p, &f.why);
}

static void
test_clash(void **state)
{
	const struct test_segment syn = {.flags = SYN, .seq = 1, .win = 100};
	uint8_t buf[256];
	struct pkt *a, *b, *c;
	size_t len = test_udp(buf, &here, 1000, 53, 10);

	(void)state;
	a = unconfirmed(buf, len);
	b = unconfirmed(buf, len);
	c = unconfirmed(buf,
		test_udp(buf, &there, 53, 1000, 10)); /* the same flow, begun from the other end */
	assert_int_equal(count(), 3);
	assert_int_equal(confirm(a), FILTER_ACCEPT);
	assert_int_equal(confirm(b), FILTER_ACCEPT);
	assert_int_equal(confirm(c), FILTER_ACCEPT);
	assert_int_equal(b->ct, a->ct);
	assert_int_equal(c->ct, a->ct);
	assert_int_equal(count(), 1);
	test_conntrack_check(f.filters.conntrack, 3);
	env_pkt_free(&f.env.env, a);
	env_pkt_free(&f.env.env, b);
	env_pkt_free(&f.env.env, c);

	len = test_segment(buf, &here, 1000, 80, &syn);
	a = unconfirmed(buf, len);
	b = unconfirmed(buf, len);
	assert_int_equal(confirm(a), FILTER_ACCEPT);
	assert_int_equal(confirm(b), FILTER_DROP);
	assert_int_equal(f.why, DROP_CT_CLASH);
	env_pkt_free(&f.env.env, a);
	env_pkt_free(&f.env.env, b);
	assert_int_equal(count(), 2);
}

static void
count_visit(void *arg, uint32_t index, struct conn *c)
{
	(void)index;
	(void)c;
	++*(uint32_t *)arg;
}

/* Address translation gave the second another reply: it lives for its replies, and only for a
 * second. */
static void
test_clash_by_request(void **state)
{
	uint8_t buf[256];
	size_t len = test_udp(buf, &here, 1000, 53, 10);
	struct pkt *a = unconfirmed(buf, len), *b = unconfirmed(buf, len);
	struct conn *c = conntrack_of(&f.router.r, b);
	uint32_t cursor = 0, seen = 0;

	(void)state;
	c->tuple[CT_DIR_REPLY].dport = htons(1001);
	assert_int_equal(confirm(a), FILTER_ACCEPT);
	assert_int_equal(confirm(b), FILTER_ACCEPT);
	assert_int_not_equal(a->ct, b->ct);
	assert_int_equal(
		c->status & (CT_NAT_CLASH | CT_FIXED_TIMEOUT), CT_NAT_CLASH | CT_FIXED_TIMEOUT);
	assert_int_equal(udp(&there, 53, 1001), EST);
	assert_int_equal(udp(&here, 1000, 53), NEW);
	test_conntrack_check(f.filters.conntrack, 2);
	while (conntrack_walk(f.filters.conntrack, f.env.env.now, &cursor, 10, count_visit, &seen))
		continue;
	assert_int_equal(seen, 1); /* as conntrack -L, which does not show it */
	env_pkt_free(&f.env.env, a);
	env_pkt_free(&f.env.env, b);
	test_pass(&f.env, 4 * TEST_SECOND);
	assert_int_equal(count(), 1);
}

static uint32_t
syn_from(uint32_t source, uint16_t sport)
{
	char text[16];
	const struct test_ip ip = {.src = text, .dst = "10.1.0.2"};

	snprintf(text, sizeof(text), "11.%u.%u.%u", source >> 16 & 255, source >> 8 & 255,
		source & 255);
	return tcp(&ip, sport, 80, SYN, source, 0);
}

static void
test_full(void **state)
{
	struct conntrack_stats s;
	uint32_t i;

	(void)state;
	tune_to(TUNE_CT_MAX, 64);
	for (i = 0; i < 32; i++)
		open_tcp("10.0.0.2", (uint16_t)(2000 + i));
	for (i = 0; i < 1000; i++) {
		syn_from(i, 1);
		assert_true(count() <= 64);
	}
	conntrack_stats(f.filters.conntrack, &s);
	assert_true(s.early_drop > 0);
	test_conntrack_check(f.filters.conntrack, 0);
	for (i = 0; i < 32; i++)
		assert_non_null(test_conn(
			&f, IPPROTO_TCP, "10.0.0.2", (uint16_t)(2000 + i), "10.1.0.2", 80));
	for (i = 32; i < 200; i++) {
		const struct test_ip out = {.src = "10.0.0.3", .dst = "10.1.0.2"},
				     back = {.src = "10.1.0.2", .dst = "10.0.0.3"};

		tcp(&out, (uint16_t)i, 80, SYN, 100, 0);
		tcp(&back, 80, (uint16_t)i, SYN | ACK, 500, 101);
		tcp(&out, (uint16_t)i, 80, ACK, 101, 501);
	}
	/* Now there is nothing that may go. */
	assert_int_equal(syn_from(5000, 1), DROPPED);
	assert_int_equal(f.why, DROP_CT_FULL);
	assert_int_equal(count(), 64);
}

static void
test_reserve(void **state)
{
	const struct ip_prefix management = test_prefix("10.0.0.99/32");
	const struct test_ip out = {.src = "10.0.0.99", .dst = "10.1.0.2"},
			     back = {.src = "10.1.0.2", .dst = "10.0.0.99"};
	uint32_t i;

	(void)state;
	assert_int_equal(conntrack_set_management(f.filters.conntrack, &management, 1), 0);
	tune_to(TUNE_CT_MAX, 64);
	tune_to(TUNE_CT_RESERVE, 8);
	for (i = 0; i < 3000; i++)
		open_tcp("10.0.0.2", (uint16_t)(2000 + i % 56));
	assert_int_equal(count(), 56);
	assert_int_equal(syn_from(1, 1), DROPPED);
	/* A login goes through all the same, slowly, in a flood of others. */
	assert_int_equal(tcp(&out, 1, 22, SYN, 100, 0), NEW);
	for (i = 0; i < 1000; i++)
		syn_from(i, 1);
	assert_int_equal(tcp(&back, 22, 1, SYN | ACK, 500, 101), EST);
	for (i = 0; i < 1000; i++)
		syn_from(i, 2);
	assert_int_equal(tcp(&out, 1, 22, ACK, 101, 501), EST);
	/* And if somebody sends in its name: the oldest that got nowhere makes room. */
	for (i = 0; i < 1000; i++)
		assert_int_equal(tcp(&out, (uint16_t)(1000 + i), 22, SYN, 100, 0), NEW);
	assert_int_equal(count(), 64);
	assert_non_null(test_conn(&f, IPPROTO_TCP, "10.0.0.99", 1, "10.1.0.2", 22));
	for (i = 0; i < 56; i++)
		assert_non_null(test_conn(
			&f, IPPROTO_TCP, "10.0.0.2", (uint16_t)(2000 + i), "10.1.0.2", 80));
	assert_int_equal(conntrack_set_management(f.filters.conntrack, NULL, 0), 0);
}

static void
test_ceiling(void **state)
{
	uint8_t buf[256];
	struct pkt *p;
	uint32_t i;

	(void)state;
	tune_to(TUNE_CT_MAX_GUEST, 10);
	for (i = 0; i < 10; i++)
		assert_int_equal(syn_from(i, 1), NEW);
	assert_int_equal(syn_from(10, 1), DROPPED);
	assert_int_equal(f.why, DROP_CT_GUEST);
	assert_int_equal(syn_from(3, 1), NEW); /* one of the ten */
	p = test_arrive(&f, buf, test_udp(buf, &here, 1, 2, 3));
	p->in = &f.router.ifaces[TEST_ETH1]; /* another guest */
	assert_true(test_track(&f, p));
	env_pkt_free(&f.env.env, p);
	test_pass(&f.env, 125 * TEST_SECOND);
	assert_int_equal(syn_from(10, 1), NEW);
}

/* Million sources: memory stays, the old connection too. */
static void
test_flood(void **state)
{
	enum { MAX = 1 << 15, SOURCES = 1000000 };
	const struct test_segment syn = {.flags = SYN, .seq = 1, .win = 100};
	struct conntrack_stats s;
	uint8_t buf[256];
	size_t memory = 0;
	struct pkt *p;
	uint32_t i;

	(void)state;
	tune_to(TUNE_CT_MAX, MAX);
	tune_to(TUNE_CT_CHECKSUM, 0);
	open_tcp("10.0.0.2", 2000);
	p = test_arrive(&f, buf, test_segment(buf, &here, 1000, 80, &syn));
	for (i = 0; i < SOURCES; i++) {
		pkt_ip4(p)->saddr = htonl(0x0b000000 + i);
		test_track(&f, p);
		env_untrack(&f.env.env, p);
		if (i == SOURCES / 4) {
			conntrack_stats(f.filters.conntrack, &s);
			memory = s.memory;
		}
	}
	env_pkt_free(&f.env.env, p);
	conntrack_stats(f.filters.conntrack, &s);
	assert_true(s.count <= MAX);
	assert_int_equal(s.memory, memory);
	assert_true(s.memory < MAX * (sizeof(struct conn) + 16) + 65536);
	assert_int_equal(tcp(&here, 2000, 80, ACK, 101, 501), EST);
	test_conntrack_check(f.filters.conntrack, 0);
	test_pass(&f.env, 200 * TEST_SECOND);
	assert_int_equal(count(), 1);
	conntrack_flush(&f.env.env, f.filters.conntrack);
	conntrack_stats(f.filters.conntrack, &s);
	assert_true(s.memory < 65536); /* given back */
	assert_int_equal(udp(&here, 1, 2), NEW);
}

/* => how often a timer went off until `ns` have passed. */
static unsigned
wakeups(uint64_t ns)
{
	uint64_t end = f.env.env.now + ns, next;
	unsigned n = 0;

	while ((next = timers_next(&f.env.timers)) <= end) {
		f.env.env.now = next;
		n += timers_run(&f.env.timers, &f.env.env, 1);
	}
	f.env.env.now = end;
	return n;
}

static void
test_expiry(void **state)
{
	uint32_t i;

	(void)state;
	assert_int_equal(timers_next(&f.env.timers), UINT64_MAX);
	for (i = 0; i < 1000; i++)
		open_tcp("10.0.0.2", (uint16_t)(2000 + i));
	assert_true(wakeups(400000 * TEST_SECOND) <= 20);
	assert_int_equal(count(), 1000);
	assert_true(wakeups(32003 * TEST_SECOND) <= 20);
	assert_int_equal(count(), 0);
	assert_int_equal(timers_next(&f.env.timers), UINT64_MAX);
	/* Kept alive by its packets, looked at now and then. */
	for (i = 0; i < 1000; i++) {
		udp(&here, 1000, 53);
		assert_true(wakeups(10 * TEST_SECOND) <= 2);
	}
	assert_int_equal(count(), 1);
	wakeups(32 * TEST_SECOND);
	assert_int_equal(count(), 0);
	/* What has expired is not found, and does not stand in the way, also before it is swept
	 * away. */
	udp(&here, 1000, 53);
	f.env.env.now += 100 * TEST_SECOND;
	assert_null(test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1000, "10.1.0.2", 53));
	assert_int_equal(udp(&here, 1000, 53), NEW);
	assert_int_equal(count(), 1);
}

static void
test_expectations(void **state)
{
	struct conntrack *ct = f.filters.conntrack;
	struct ct_expected e = {.timeout = 10 * TEST_SECOND};
	struct ct_tuple *t = &e.tuple;
	struct conn *master, *c;

	(void)state;
	open_tcp("10.0.0.2", 2000);
	master = test_conn(&f, IPPROTO_TCP, "10.0.0.2", 2000, "10.1.0.2", 80);
	conntrack_set_mark(ct, master, 42);
	t->dst = test_addr("10.0.0.2");
	t->dport = htons(3000);
	t->proto = IPPROTO_TCP;
	assert_int_equal(conntrack_expect(&f.env.env, ct, master, &e), 0);
	assert_int_equal(conntrack_expect(&f.env.env, ct, master, &e), 0);
	t->src = test_addr("10.1.0.2");
	assert_int_equal(conntrack_expect(&f.env.env, ct, master, &e), -EBUSY);
	test_conntrack_check(ct, 0);
	assert_int_equal(tcp(&there, 20, 3000, SYN, 1, 0), REL);
	c = test_conn(&f, IPPROTO_TCP, "10.1.0.2", 20, "10.0.0.2", 3000);
	assert_int_equal(c->mark, 42);
	assert_int_equal(c->master, conn_index(ct, master));
	assert_int_equal(tcp(&there, 20, 3000, SYN, 1, 0), REL);
	assert_int_equal(tcp(&there, 21, 3000, SYN, 1, 0), NEW); /* it was for one */
	/* In time only, and with its master. */
	assert_int_equal(conntrack_expect(&f.env.env, ct, master, &e), 0);
	test_pass(&f.env, 11 * TEST_SECOND);
	assert_int_equal(tcp(&there, 22, 3000, SYN, 1, 0), NEW);
	assert_int_equal(conntrack_expect(&f.env.env, ct, master, &e), 0);
	tune_to(TUNE_CT_EXPECT_MAX, 1);
	t->dport++;
	assert_int_equal(conntrack_expect(&f.env.env, ct, master, &e), -ENOSPC);
	conntrack_delete(&f.env.env, ct, master);
	test_conntrack_check(ct, 0);
	assert_int_equal(tcp(&there, 23, 3000, SYN, 1, 0), NEW);
}

static void
test_print(void **state)
{
	static const char *const expected[] = {
		"tcp      6 119 SYN_SENT src=10.0.0.2 dst=10.1.0.2 sport=1000 dport=80 [UNREPLIED] "
		"src=10.1.0.2 dst=10.0.0.2 sport=80 dport=1000 mark=0 use=1",
		"tcp      6 431999 ESTABLISHED src=10.0.0.2 dst=10.1.0.2 sport=2000 dport=80 "
		"src=10.1.0.2 dst=10.0.0.2 sport=80 dport=2000 [ASSURED] mark=7 use=1",
		"udp      17 29 src=10.0.0.2 dst=10.1.0.2 sport=1000 dport=53 packets=1 bytes=38 "
		"[UNREPLIED] "
		"src=10.1.0.2 dst=10.0.0.2 sport=53 dport=1000 packets=0 bytes=0 mark=0 use=1",
		"icmp     1 29 src=10.0.0.2 dst=10.1.0.2 type=8 code=0 id=44 packets=1 bytes=36 "
		"[UNREPLIED] "
		"src=10.1.0.2 dst=10.0.0.2 type=0 code=0 id=44 packets=0 bytes=0 mark=0 use=1",
		"unknown  89 599 src=10.0.0.2 dst=10.1.0.2 packets=1 bytes=24 [UNREPLIED] "
		"src=10.1.0.2 dst=10.0.0.2 packets=0 bytes=0 mark=0 use=1",
	};
	const struct conn *conns[5];
	uint8_t buf[256], payload[4] = {0};
	char line[512], small[10];
	size_t i;

	(void)state;
	tcp(&here, 1000, 80, SYN, 1, 0);
	open_tcp("10.0.0.2", 2000);
	tune_to(TUNE_CT_ACCT, 1);
	udp(&here, 1000, 53);
	icmp(&here, 8, 44);
	test_pass_through(&f, buf, test_ip4(buf, &here, 89, payload, 4));
	conns[0] = test_conn(&f, IPPROTO_TCP, "10.0.0.2", 1000, "10.1.0.2", 80);
	conns[1] = test_conn(&f, IPPROTO_TCP, "10.0.0.2", 2000, "10.1.0.2", 80);
	conntrack_set_mark(
		f.filters.conntrack, test_conn(&f, IPPROTO_TCP, "10.0.0.2", 2000, "10.1.0.2", 80), 7);
	conns[2] = test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1000, "10.1.0.2", 53);
	conns[3] = test_conn(&f, IPPROTO_ICMP, "10.0.0.2", 44, "10.1.0.2", 8 << 8);
	conns[4] = test_conn(&f, 89, "10.0.0.2", 0, "10.1.0.2", 0);
	for (i = 0; i < 5; i++) {
		int len = conntrack_print(conns[i], f.env.env.now + TEST_MS, line, sizeof(line));

		assert_string_equal(line, expected[i]);
		assert_int_equal(len, strlen(line));
		assert_int_equal(
			conntrack_print(conns[i], f.env.env.now, small, sizeof(small)) > 50, 1);
		assert_int_equal(strlen(small), sizeof(small) - 1);
	}
}

static void
count_event(void *arg, enum ct_event e, const struct conn *c)
{
	(void)c;
	((uint32_t *)arg)[e]++;
}

static void
test_walk_and_events(void **state)
{
	struct conntrack *ct = f.filters.conntrack;
	uint32_t cursor = 0, seen = 0, rounds = 0, i, events[3] = {0};
	struct conn *c;

	(void)state;
	conntrack_listen(ct, count_event, events);
	for (i = 0; i < 100; i++)
		syn_from(i, 1);
	assert_int_equal(events[CT_EVENT_NEW], 100);
	do
		rounds++;
	while (conntrack_walk(ct, f.env.env.now, &cursor, 7, count_visit, &seen));
	assert_int_equal(seen, 100);
	assert_true(rounds >= 15);
	open_tcp("10.0.0.2", 2000); /* reply and state; assured and state */
	assert_int_equal(events[CT_EVENT_UPDATE], 2);
	c = test_conn(&f, IPPROTO_TCP, "10.0.0.2", 2000, "10.1.0.2", 80);
	i = c->version;
	conntrack_set_mark(ct, c, 1);
	assert_int_equal(c->version, i + 1);
	assert_int_equal(tcp(&here, 2000, 80, ACK, 101, 501), EST);
	assert_int_equal(c->version, i + 1); /* nothing that a rule can see */
	conntrack_delete(&f.env.env, ct, c);
	assert_int_equal(events[CT_EVENT_DESTROY], 1);
	conntrack_flush(&f.env.env, ct);
	assert_int_equal(events[CT_EVENT_DESTROY], 101);
	conntrack_listen(ct, NULL, NULL);
}

/* Anything at all, with packets held across it; what must hold is looked at all the time. */
static void
test_random(void **state)
{
	enum { HELD = 8, ROUNDS = 30000 };
	struct pkt *held[HELD] = {NULL};
	uint64_t seed = test_seed();
	uint32_t i, n_held;
	uint8_t buf[256];

	(void)state;
	f.env.env.random = seed;
	tune_to(TUNE_CT_MAX, 200);
	for (i = 0; i < ROUNDS; i++) {
		uint32_t x = env_random(&f.env.env), slot = x % HELD, k;
		const struct test_ip *ip = x & 256 ? &here : &there;
		const struct test_segment s = {.flags = (uint8_t)(x >> 9 & 0x17),
			.seq = x >> 20 & 3,
			.ack = x >> 22 & 3,
			.win = 100};
		uint16_t a = (uint16_t)(1000 + (x >> 14 & 15)), b = (uint16_t)(80 + (x >> 24 & 7));

		if (held[slot]) {
			if (x >> 28)
				conntrack_confirm(&f.env.env, &f.router.r, held[slot], &f.why);
			env_pkt_free(&f.env.env, held[slot]);
		}
		held[slot] = test_arrive(&f, buf,
			x >> 27 & 1 ? test_segment(buf, ip, a, b, &s) : test_udp(buf, ip, a, b, 4));
		conntrack_input(&f.env.env, &f.router.r, held[slot], RULES_PREROUTING, &f.why);
		if (x % 7 == 0)
			test_pass(&f.env, (x >> 8 & 15) * TEST_SECOND);
		if (x % 1999 == 0)
			conntrack_flush(&f.env.env, f.filters.conntrack);
		for (n_held = k = 0; k < HELD; k++)
			n_held += held[k] && held[k]->ct;
		if (x % 5 == 0)
			test_conntrack_check(f.filters.conntrack, n_held);
	}
	for (i = 0; i < HELD; i++)
		if (held[i])
			env_pkt_free(&f.env.env, held[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_udp_states),
		TEST(test_udp_malformed),
		TEST(test_icmp_questions),
		TEST(test_icmp_errors),
		TEST(test_other_protocols),
		TEST(test_zones),
		TEST(test_left_alone),
		TEST(test_made_of_untracked),
		TEST(test_zone_of_invalid),
		TEST(test_references),
		TEST(test_clash),
		TEST(test_clash_by_request),
		TEST(test_full),
		TEST(test_reserve),
		TEST(test_ceiling),
		TEST(test_flood),
		TEST(test_expiry),
		TEST(test_expectations),
		TEST(test_print),
		TEST(test_walk_and_events),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
