/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP as nf_conntrack sees it: sequences of segments, each with the state that a rule sees, the
 * state of the connection, its timeout and whether it is assured afterwards.
 */
#include "tests/unit/support/flows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { F = 1, S = 2, R = 4, P = 8, A = 16, U = 32, STEPS_MAX = 16 };
enum { INVALID = 1, EST = 2, NEW = 8 };
enum { NONE = -1 }; /* no connection */

struct step {
	char dir; /* '>' or '<' */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t win, len;
	uint8_t state; /* conntrack_state_bit() */
	int8_t tcp;    /* enum ct_tcp_state */
	uint32_t left; /* s */
	bool assured;
};

struct sequence {
	const char *name;
	int tunable; /* set to 1, or to 0 if that is not its default; TUNABLE_COUNT: none */
	struct step steps[STEPS_MAX];
};

/* clang-format off */
#define HANDSHAKE \
	{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false}, \
	{'<', S | A, 500, 101, 8192, 0, EST, TCP_CT_SYN_RECV, 60, false}, \
	{'>', A, 101, 501, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true}

static const struct sequence sequences[] = {
	{"open, data, close", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', P | A, 101, 501, 8192, 10, EST, TCP_CT_ESTABLISHED, 300, true},
		{'<', A, 501, 111, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'>', F | A, 111, 501, 8192, 0, EST, TCP_CT_FIN_WAIT, 120, true},
		{'<', A, 501, 112, 8192, 0, EST, TCP_CT_CLOSE_WAIT, 60, true},
		{'<', F | A, 501, 112, 8192, 0, EST, TCP_CT_LAST_ACK, 30, true},
		{'>', A, 112, 502, 8192, 0, EST, TCP_CT_TIME_WAIT, 120, true},
		{'>', S, 9000, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
	}},
	{"closed by the other end, both at once", TUNABLE_COUNT, {
		HANDSHAKE,
		{'<', F | A, 501, 101, 8192, 0, EST, TCP_CT_FIN_WAIT, 120, true},
		{'>', F | A, 101, 501, 8192, 0, EST, TCP_CT_LAST_ACK, 30, true},
		{'>', A, 102, 502, 8192, 0, EST, TCP_CT_TIME_WAIT, 120, true},
		{'<', A, 502, 102, 8192, 0, EST, TCP_CT_TIME_WAIT, 120, true},
		{'<', S, 70000, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
	}},
	{"refused", TUNABLE_COUNT, {
		{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
		{'<', R | A, 0, 101, 0, 0, EST, NONE, 0, false},
	}},
	{"SYN repeated, also with another number", TUNABLE_COUNT, {
		{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
		{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
		{'>', S, 40000, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
		{'<', S | A, 500, 40001, 8192, 0, EST, TCP_CT_SYN_RECV, 60, false},
	}},
	{"reset at the number that is expected", TUNABLE_COUNT, {
		HANDSHAKE,
		{'<', R, 501, 0, 0, 0, EST, TCP_CT_CLOSE, 10, true},
	}},
	{"reset within the window, but not there: a challenge may follow", TUNABLE_COUNT, {
		HANDSHAKE,
		{'<', R, 600, 0, 0, 0, EST, TCP_CT_ESTABLISHED, 10, true},
		{'>', A, 101, 501, 8192, 0, EST, TCP_CT_ESTABLISHED, 300, true},
	}},
	{"reset of the past", TUNABLE_COUNT, {
		HANDSHAKE,
		{'<', P | A, 501, 101, 8192, 100, EST, TCP_CT_ESTABLISHED, 300, true},
		{'>', A, 101, 601, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'<', R, 550, 0, 0, 0, INVALID, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"the same, ignore_invalid_rst", TUNE_CT_TCP_IGNORE_INVALID_RST, {
		HANDSHAKE,
		{'<', P | A, 501, 101, 8192, 100, EST, TCP_CT_ESTABLISHED, 300, true},
		{'>', A, 101, 601, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'<', R, 550, 0, 0, 0, EST, TCP_CT_ESTABLISHED, 10, true},
	}},
	{"reset by whoever sent an ignored SYN itself", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', S, 70000, 0, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'>', R, 90000, 70001, 0, 0, INVALID, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"reset that answers an ignored SYN", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', S, 70000, 0, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'<', R | A, 0, 70001, 0, 0, EST, TCP_CT_CLOSE, 10, true},
	}},
	{"an ignored SYN is answered: it was we who were wrong", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', S, 70000, 0, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'<', S | A, 90000, 70001, 8192, 0, EST, TCP_CT_SYN_RECV, 60, true},
		{'>', A, 70001, 90001, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"data past the window", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', P | A, 101 + 8193, 501, 8192, 10, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'>', P | A, 101 + 20000, 501, 8192, 10, INVALID, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"the same, be_liberal", TUNE_CT_TCP_BE_LIBERAL, {
		HANDSHAKE,
		{'>', P | A, 101 + 20000, 501, 8192, 10, EST, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"an acknowledgement of what was not sent", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', A, 101, 502, 8192, 0, INVALID, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"old data once more", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', A, 101u - 9000, 501, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"FIN out of the window, from both ends: the connection will not stay for days", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', F | A, 101 + 20000, 501, 8192, 0, INVALID, TCP_CT_ESTABLISHED, 432000, true},
		{'<', F | A, 501 + 20000, 101, 8192, 0, INVALID, TCP_CT_ESTABLISHED, 300, true},
	}},
	{"picked up in its middle", TUNABLE_COUNT, {
		{'>', A, 1000, 2000, 8192, 0, NEW, TCP_CT_ESTABLISHED, 300, false},
		{'>', P | A, 1000, 2000, 8192, 10, NEW, TCP_CT_ESTABLISHED, 300, false},
		{'<', A, 2000, 1010, 8192, 0, EST, TCP_CT_ESTABLISHED, 300, false},
		{'>', A, 1010, 2000, 8192, 0, EST, TCP_CT_ESTABLISHED, 300, true},
	}},
	{"not picked up", TUNE_CT_TCP_LOOSE, {
		{'>', A, 1000, 2000, 8192, 0, INVALID, NONE, 0, false},
		{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
	}},
	{"nothing begins with these", TUNABLE_COUNT, {
		{'>', S | A, 1000, 2000, 8192, 0, INVALID, NONE, 0, false},
		{'>', F | A, 1000, 2000, 8192, 0, INVALID, NONE, 0, false},
		{'>', R, 1000, 0, 8192, 0, INVALID, NONE, 0, false},
		{'>', S | F, 1000, 0, 8192, 0, INVALID, NONE, 0, false},
		{'>', 0, 1000, 0, 8192, 0, INVALID, NONE, 0, false},
		{'>', F | P | U, 1000, 0, 8192, 0, INVALID, NONE, 0, false},
		{'>', S | R, 1000, 0, 8192, 0, INVALID, NONE, 0, false},
	}},
	{"simultaneous open", TUNABLE_COUNT, {
		{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
		{'<', S, 500, 0, 8192, 0, EST, TCP_CT_SYN_SENT2, 120, false},
		{'>', S | A, 100, 501, 8192, 0, EST, TCP_CT_SYN_RECV, 60, false},
		{'<', S | A, 500, 101, 8192, 0, EST, TCP_CT_SYN_RECV, 60, false},
		{'<', A, 501, 101, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"the same ACK again and again", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', A, 101, 501, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'>', A, 101, 501, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
		{'>', A, 101, 501, 8192, 0, EST, TCP_CT_ESTABLISHED, 300, true},
		{'<', A, 501, 101, 8192, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"a window of 0", TUNABLE_COUNT, {
		HANDSHAKE,
		{'<', A, 501, 101, 0, 0, EST, TCP_CT_ESTABLISHED, 300, true},
		{'<', A, 501, 101, 100, 0, EST, TCP_CT_ESTABLISHED, 432000, true},
	}},
	{"a challenge is no ACK of the last FIN", TUNABLE_COUNT, {
		HANDSHAKE,
		{'>', F | A, 101, 501, 8192, 0, EST, TCP_CT_FIN_WAIT, 120, true},
		{'<', F | A, 501, 101, 8192, 0, EST, TCP_CT_LAST_ACK, 30, true},
		{'>', S, 70000, 0, 8192, 0, EST, TCP_CT_LAST_ACK, 30, true},
		{'<', A, 502, 102, 8192, 0, EST, TCP_CT_LAST_ACK, 30, true},
		{'<', A, 502, 102, 8192, 0, EST, TCP_CT_TIME_WAIT, 120, true},
	}},
	{"ACK to a SYN: a half-open connection, and its reset", TUNABLE_COUNT, {
		{'>', S, 100, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
		{'<', A, 7000, 3000, 8192, 0, EST, TCP_CT_SYN_SENT, 120, false},
		{'>', R, 3000, 0, 8192, 0, EST, TCP_CT_CLOSE, 10, false},
		{'>', S, 200, 0, 8192, 0, NEW, TCP_CT_SYN_SENT, 120, false},
	}},
};
/* clang-format on */

static const struct test_ip here = {.src = "10.0.0.2", .dst = "10.1.0.2"},
			    there = {.src = "10.1.0.2", .dst = "10.0.0.2"};

static uint32_t
send_step(struct test_flows *f, const struct step *s)
{
	struct test_segment segment = {
		.flags = s->flags, .seq = s->seq, .ack = s->ack, .win = s->win, .len = s->len};
	uint8_t buf[2048];
	bool out = s->dir == '>';
	size_t len =
		test_segment(buf, out ? &here : &there, out ? 1000 : 80, out ? 80 : 1000, &segment);

	return test_pass_through(f, buf, len);
}

static void
check_step(struct test_flows *f, const char *name, unsigned i, const struct step *s)
{
	uint32_t state = send_step(f, s);
	struct conn *c = test_conn(f, IPPROTO_TCP, "10.0.0.2", 1000, "10.1.0.2", 80);
	int tcp = c ? c->tcp.state : NONE;
	uint64_t left = c ? (c->expires - f->env.env.now) / TEST_SECOND : 0;
	bool assured = c && c->status & CT_ASSURED;

	if (state == s->state && tcp == s->tcp && left == s->left && assured == s->assured)
		return;
	fail_msg("%s, segment %u: state %u, tcp %d, %llu s, assured %d", name, i, state, tcp,
		(unsigned long long)left, assured);
}

static void
run_sequence(const struct sequence *q)
{
	struct test_flows f;
	unsigned i;

	test_flows_init(&f, 1);
	if (q->tunable != TUNABLE_COUNT)
		f.router.r.tunables.value[q->tunable] = !f.router.r.tunables.value[q->tunable];
	for (i = 0; i < STEPS_MAX && q->steps[i].dir; i++) {
		check_step(&f, q->name, i, &q->steps[i]);
		test_conntrack_check(f.filters.conntrack, 0);
	}
	assert_int_equal(test_flows_fini(&f), 0);
}

static void
test_sequences(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(sequences); i++)
		run_sequence(&sequences[i]);
}

/* A repeated SYN does not put the end off. */
static void
test_syn_does_not_refresh(void **state)
{
	const struct step syn = {'>', S, 100, 0, 8192, 0, NEW, 0, 0, false};
	struct test_flows f;
	uint64_t end;

	(void)state;
	test_flows_init(&f, 1);
	send_step(&f, &syn);
	end = f.env.env.now + 120 * TEST_SECOND;
	test_pass(&f.env, 50 * TEST_SECOND);
	send_step(&f, &syn);
	assert_int_equal(
		test_conn(&f, IPPROTO_TCP, "10.0.0.2", 1000, "10.1.0.2", 80)->expires, end);
	test_pass(&f.env, 71 * TEST_SECOND);
	assert_null(test_conn(&f, IPPROTO_TCP, "10.0.0.2", 1000, "10.1.0.2", 80));
	assert_int_equal(test_flows_fini(&f), 0);
}

static uint32_t
send_options(struct test_flows *f, bool out, const struct test_segment *s)
{
	uint8_t buf[2048];
	size_t len = test_segment(buf, out ? &here : &there, out ? 1000 : 80, out ? 80 : 1000, s);

	return test_pass_through(f, buf, len);
}

/* Scaled windows count from the SYN on, and only if both ends have said so (RFC 7323, 2.2). */
static void
test_window_scale(void **state)
{
	static const uint8_t scale7[] = {1, 3, 3, 7}, scale15[] = {1, 3, 3, 15},
			     bad[] = {3, 200, 0, 0};
	const struct {
		const uint8_t *mine, *yours;
		uint8_t expected; /* state of data 500,000 bytes ahead */
	} rows[] = {{scale7, scale7, EST}, {scale7, NULL, INVALID}, {NULL, scale7, INVALID},
		{scale15, scale15, EST}, {bad, scale7, INVALID}};
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		struct test_segment syn = {S, 100, 0, 8192, 0, rows[i].mine, rows[i].mine ? 4 : 0};
		struct test_segment answer = {
			S | A, 500, 101, 8192, 0, rows[i].yours, rows[i].yours ? 4 : 0};
		struct test_segment ack = {A, 101, 501, 8192, 0, NULL, 0},
				    back = {A, 501, 101, 8192, 0, NULL, 0};
		struct test_segment far = {A, 101 + 500000, 501, 8192, 100, NULL, 0};
		struct test_flows f;

		test_flows_init(&f, 1);
		assert_int_equal(send_options(&f, true, &syn), NEW);
		assert_int_equal(send_options(&f, false, &answer), EST);
		assert_int_equal(send_options(&f, true, &ack), EST);
		assert_int_equal(send_options(&f, false, &back), EST);
		assert_int_equal(send_options(&f, true, &far), rows[i].expected);
		assert_int_equal(test_flows_fini(&f), 0);
	}
}

/* What is acknowledged selectively must have been sent too. */
static void
test_sack(void **state)
{
	static const uint8_t permitted[] = {1, 1, 4, 2};
	static const uint8_t sent[] = {1, 1, 5, 10, 0, 0, 0, 200, 0, 0, 0, 201},
			     unsent[] = {1, 1, 5, 10, 0, 0, 0, 200, 0, 0, 1, 200};
	const struct test_segment open[] = {
		{S, 100, 0, 8192, 0, permitted, 4},
		{S | A, 500, 101, 8192, 0, permitted, 4},
		{A, 101, 501, 8192, 0, NULL, 0},
	};
	const struct test_segment data = {A, 101, 501, 8192, 100, NULL, 0};
	const struct test_segment good = {A, 501, 101, 8192, 0, sent, 12},
				  bad = {A, 501, 101, 8192, 0, unsent, 12};
	struct test_flows f;
	size_t i;

	(void)state;
	test_flows_init(&f, 1);
	for (i = 0; i < 3; i++)
		send_options(&f, i != 1, &open[i]);
	assert_int_equal(send_options(&f, true, &data), EST);
	assert_int_equal(send_options(&f, false, &bad), INVALID);
	assert_int_equal(send_options(&f, false, &good), EST);
	assert_int_equal(test_flows_fini(&f), 0);
}

static void
test_malformed(void **state)
{
	const struct test_segment syn = {.flags = S, .seq = 1, .win = 100, .len = 0};
	struct test_flows f;
	uint8_t buf[256];
	size_t len;

	(void)state;
	test_flows_init(&f, 1);
	len = test_segment(buf, &here, 1000, 80, &syn);
	buf[len - 3] ^= 1;
	assert_int_equal(test_pass_through(&f, buf, len), INVALID);
	f.router.r.tunables.value[TUNE_CT_CHECKSUM] = 0;
	assert_int_equal(test_pass_through(&f, buf, len), NEW);
	len = test_segment(buf, &here, 1001, 80, &syn);
	buf[32] = 0x40; /* header of 16 bytes */
	assert_int_equal(test_pass_through(&f, buf, len), INVALID);
	buf[3] = 24; /* and cut short: ports, and nothing after */
	test_fix_ip(buf);
	assert_int_equal(test_pass_through(&f, buf, 24), INVALID);
	test_conntrack_check(f.filters.conntrack, 0);
	assert_int_equal(test_flows_fini(&f), 0);
}

/* A super-packet is one segment, whatever its length. */
static void
test_super_packet(void **state)
{
	static const uint8_t scale[] = {1, 3, 3, 7};
	const struct test_segment open[] = {
		{S, 100, 0, 65535, 0, scale, 4},
		{S | A, 500, 101, 65535, 0, scale, 4},
		{A, 101, 501, 65535, 0, NULL, 0},
		{A, 501, 101, 65535, 0, NULL, 0},
	};
	const struct test_segment super = {A, 101, 501, 65535, 60000, NULL, 0};
	static uint8_t buf[65536];
	struct test_flows f;
	struct pkt *p;
	size_t i, len;

	(void)state;
	test_flows_init(&f, 1);
	for (i = 0; i < 4; i++)
		send_options(&f, i % 2 == 0, &open[i]);
	len = test_segment(buf, &here, 1000, 80, &super);
	p = test_pkt(&f.env, buf, len);
	p->router = &f.router.r;
	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = 1400;
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 16;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_true(test_track(&f, p));
	assert_int_equal(conntrack_state_bit(p), EST);
	assert_int_equal(conntrack_of(&f.router.r, p)->tcp.seen[0].end, 101 + 60000);
	assert_int_equal(conntrack_of(&f.router.r, p)->count[0].packets, 3);
	env_pkt_free(&f.env.env, p);
	assert_int_equal(test_flows_fini(&f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_syn_does_not_refresh),
		cmocka_unit_test(test_window_scale),
		cmocka_unit_test(test_sack),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_super_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
