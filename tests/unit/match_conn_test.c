/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state, conntrack, connmark and connbytes, asked about packets that the real tracker has seen. */
#include "filters/extensions.h"
#include "filters/helper.h"

#include "tests/unit/support/extensions.h"
#include "tests/unit/support/flows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/xt_connbytes.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_helper.h>
#include <linux/netfilter/xt_state.h>
#include <netinet/ip_icmp.h>

enum { SYN = 2, ACK = 16 };
enum { UNTRACKED = 1 << 6 }; /* of xt_state.h; it has another bit in xt_conntrack.h */
enum { ALL_STATES = 0x1ff };

#define ADDR(a, b, c, d) RTE_BE32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

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
done(struct pkt *p)
{
	env_pkt_free(&f.env.env, p);
}

/* Tracked and confirmed; the caller's. */
static struct pkt *
tracked(const void *data, size_t len)
{
	struct pkt *p = test_arrive(&f, data, len);

	assert_true(test_track(&f, p));
	return p;
}

static struct pkt *
udp(const struct test_ip *ip, uint16_t sport, uint16_t dport, size_t len)
{
	uint8_t buf[2000];

	return tracked(buf, test_udp(buf, ip, sport, dport, len));
}

static struct pkt *
icmp(const struct test_ip *ip, uint8_t type)
{
	uint8_t buf[200];

	return tracked(buf, test_icmp(buf, ip, type, 0, 7, 1, 8));
}

/* An error from 10.1.0.2 about the UDP packet that `here` has sent. */
static struct pkt *
port_unreachable(void)
{
	uint8_t inner[100], buf[200];
	size_t len = test_udp(inner, &here, 1000, 2000, 8);
	uint8_t rest[8] = {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH};
	uint8_t payload[100];
	uint32_t sum = 0;

	memcpy(payload, rest, sizeof(rest));
	memcpy(payload + sizeof(rest), inner, len);
	for (size_t i = 0; i < sizeof(rest) + len; i += 2)
		sum += (uint32_t)payload[i] << 8 | payload[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	payload[2] = (uint8_t)(sum >> 8);
	payload[3] = (uint8_t)sum;
	return tracked(buf, test_ip4(buf, &there, IPPROTO_ICMP, payload, sizeof(rest) + len));
}

static struct filter_ctx
ctx(struct pkt *p)
{
	return ext_ctx(&f.env, &f.router, p, RULES_FORWARD);
}

static enum ext_answer
ask_state(struct pkt *p, uint32_t mask)
{
	const struct xt_state_info o = {.statemask = mask};
	struct filter_ctx c = ctx(p);

	return ext_ask(&c, "state", 0, &o, sizeof(o));
}

static enum ext_answer
ask_v2(struct filter_ctx *c, const struct xt_conntrack_mtinfo3 *o)
{
	struct xt_conntrack_mtinfo2 old;

	memcpy(&old, o, sizeof(old));
	old.origsrc_port = htons(o->origsrc_port);
	old.origdst_port = htons(o->origdst_port);
	old.replsrc_port = htons(o->replsrc_port);
	old.repldst_port = htons(o->repldst_port);
	return ext_ask(c, "conntrack", 2, &old, sizeof(old));
}

static enum ext_answer
ask_v1(struct filter_ctx *c, const struct xt_conntrack_mtinfo3 *o)
{
	struct xt_conntrack_mtinfo1 old;

	memcpy(&old, o, offsetof(struct xt_conntrack_mtinfo1, state_mask));
	old.origsrc_port = htons(o->origsrc_port);
	old.origdst_port = htons(o->origdst_port);
	old.replsrc_port = htons(o->replsrc_port);
	old.repldst_port = htons(o->repldst_port);
	old.state_mask = (uint8_t)o->state_mask;
	old.status_mask = (uint8_t)o->status_mask;
	return ext_ask(c, "conntrack", 1, &old, sizeof(old));
}

static bool
single_ports(const struct xt_conntrack_mtinfo3 *o)
{
	return o->origsrc_port == o->origsrc_port_high && o->origdst_port == o->origdst_port_high &&
	       o->replsrc_port == o->replsrc_port_high && o->repldst_port == o->repldst_port_high;
}

/* Every revision that can say it must say the same. */
static enum ext_answer
ask_conntrack(struct pkt *p, const struct xt_conntrack_mtinfo3 *o)
{
	struct filter_ctx c = ctx(p);
	enum ext_answer answer = ext_ask(&c, "conntrack", 3, o, sizeof(*o));

	if (!single_ports(o))
		return answer;
	assert_int_equal(ask_v2(&c, o), answer);
	if (o->state_mask < 256 && o->status_mask < 256)
		assert_int_equal(ask_v1(&c, o), answer);
	return answer;
}

static enum ext_answer
ask_ctstate(struct pkt *p, uint16_t mask, bool invert)
{
	const struct xt_conntrack_mtinfo3 o = {
		.match_flags = XT_CONNTRACK_STATE,
		.invert_flags = invert ? XT_CONNTRACK_STATE : 0,
		.state_mask = mask,
	};

	return ask_conntrack(p, &o);
}

/* The packet is in this state and in no other. Takes it. */
static void
expect_state(struct pkt *p, uint32_t bit)
{
	uint32_t ct_bit = bit == UNTRACKED ? XT_CONNTRACK_STATE_UNTRACKED : bit;
	const uint32_t bits[] = {1, 2, 4, 8, UNTRACKED};

	for (size_t i = 0; i < RTE_DIM(bits); i++)
		assert_int_equal(ask_state(p, bits[i]), bits[i] == bit ? YES : NO);
	for (uint16_t b = 1; b < ALL_STATES; b = (uint16_t)(b << 1)) {
		assert_int_equal(ask_ctstate(p, b, false), b == ct_bit ? YES : NO);
		assert_int_equal(ask_ctstate(p, b, true), b == ct_bit ? NO : YES);
	}
	assert_int_equal(ask_state(p, bit | XT_CONNTRACK_STATE_INVALID), YES);
	assert_int_equal(ask_ctstate(p, ALL_STATES, false), YES);
	assert_int_equal(ask_ctstate(p, ALL_STATES, true), NO);
	assert_int_equal(ask_ctstate(p, 0, false), NO);
	assert_int_equal(ask_ctstate(p, 0, true), YES);
	done(p);
}

enum { INVALID = 1, ESTABLISHED = 2, RELATED = 4, NEW = 8 };

static void
states(void **state)
{
	uint8_t buf[100];
	struct pkt *p;

	(void)state;
	expect_state(udp(&here, 1000, 2000, 8), NEW);
	expect_state(udp(&here, 1000, 2000, 8), NEW); /* no answer yet */
	expect_state(port_unreachable(), RELATED);
	expect_state(udp(&there, 2000, 1000, 8), ESTABLISHED);
	expect_state(udp(&here, 1000, 2000, 8), ESTABLISHED);
	expect_state(icmp(&there, ICMP_ECHOREPLY), INVALID); /* to no question */
	expect_state(icmp(&here, ICMP_ECHO), NEW);
	expect_state(icmp(&there, ICMP_ECHOREPLY), ESTABLISHED);
	p = test_arrive(&f, buf, test_udp(buf, &here, 5, 6, 8));
	p->ct_info = CT_UNTRACKED;
	assert_true(test_track(&f, p));
	expect_state(p, UNTRACKED);
}

static void
an_expected_connection_is_related(void **state)
{
	struct conntrack *ct = f.filters.conntrack;
	struct ct_expected data = {.timeout = 10 * TEST_SECOND,
		.tuple = {.dst = test_addr("10.0.0.2"),
			.dport = htons(4000),
			.proto = IPPROTO_UDP}};

	(void)state;
	done(udp(&here, 1000, 2000, 8));
	assert_int_equal(conntrack_expect(&f.env.env, ct,
				 test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1000, "10.1.0.2", 2000),
				 &data),
		0);
	expect_state(udp(&there, 20, 4000, 8), RELATED);
	expect_state(udp(&here, 4000, 20, 8), ESTABLISHED);
	expect_state(udp(&there, 20, 4000, 8), ESTABLISHED);
}

/* It is the master's helper that counts; a name may go on behind the helper's. */
static void
a_helper_is_the_masters(void **state)
{
	static const struct {
		const char *name;
		int invert;
		bool ftp; /* the master has this helper, or none */
		enum ext_answer answer;
	} rows[] = {
		{"ftp", 0, true, YES},
		{"ftp-2121", 0, true, YES},
		{"ft", 0, true, NO},
		{"tftp", 0, true, NO},
		{"", 0, true, YES},
		{"ftp", 1, true, NO},
		{"irc", 1, true, YES},
		{"ftp", 0, false, NO},
		{"", 0, false, NO},
		{"", 1, false, YES},
	};
	struct conn *master;
	struct pkt *own, *data;

	(void)state;
	an_expected_connection_is_related(state);
	master = test_conn(&f, IPPROTO_UDP, "10.0.0.2", 1000, "10.1.0.2", 2000);
	own = udp(&here, 1000, 2000, 8);
	data = udp(&there, 20, 4000, 8);
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		_Alignas(8) uint8_t options[XT_ALIGN(sizeof(struct xt_helper_info))] = {0};
		struct xt_helper_info *o = (void *)options;
		struct filter_ctx of_data = ext_ctx(&f.env, &f.router, data, RULES_FORWARD),
				  of_own = ext_ctx(&f.env, &f.router, own, RULES_FORWARD);

		strcpy(o->name, rows[i].name);
		o->invert = rows[i].invert;
		master->helper = rows[i].ftp ? helper_find("ftp", 0) : 0;
		assert_int_equal(
			ext_ask(&of_data, "helper", 0, options, sizeof(options)), rows[i].answer);
		assert_int_equal(ext_ask(&of_own, "helper", 0, options, sizeof(options)),
			rows[i].invert ? YES : NO);
	}
	master->helper = 0;
	done(own);
	done(data);
}

/* ---- conntrack: what the connection is ---- */

/* Translated both ways, as the nat table will do it, so that no two of its ends are alike. */
static struct pkt *
begin_translated(void)
{
	const struct test_segment syn = {.flags = SYN, .seq = 100, .win = 8192};
	enum drop_reason why;
	uint8_t buf[100];
	struct pkt *p = test_arrive(&f, buf, test_segment(buf, &here, 1000, 80, &syn));
	struct conn *c;

	conntrack_input(&f.env.env, &f.router.r, p, RULES_PREROUTING, &why);
	c = conntrack_of(&f.router.r, p);
	assert_non_null(c);
	c->tuple[CT_DIR_REPLY].src = test_addr("10.1.0.99");
	c->tuple[CT_DIR_REPLY].sport = htons(8080);
	c->tuple[CT_DIR_REPLY].dst = test_addr("192.0.2.1");
	c->tuple[CT_DIR_REPLY].dport = htons(4000);
	c->status |= CT_SRC_NAT;
	assert_int_equal(conntrack_confirm(&f.env.env, &f.router.r, p, &why), FILTER_ACCEPT);
	return p;
}

static struct pkt *
answer_translated(void)
{
	const struct test_ip back = {.src = "10.1.0.99", .dst = "192.0.2.1"};
	const struct test_segment s = {.flags = SYN | ACK, .seq = 500, .ack = 101, .win = 8192};
	uint8_t buf[100];

	return tracked(buf, test_segment(buf, &back, 8080, 4000, &s));
}

#define PORT(name, low, high) .name##_port = low, .name##_port_high = high

static const struct {
	struct xt_conntrack_mtinfo3 o;
	enum ext_answer original, reply; /* for a packet of this direction */
} fields[] = {
	{{.match_flags = XT_CONNTRACK_PROTO, .l4proto = IPPROTO_TCP}, YES, YES},
	{{.match_flags = XT_CONNTRACK_PROTO, .l4proto = IPPROTO_UDP}, NO, NO},
	{{.match_flags = XT_CONNTRACK_ORIGSRC,
		 .origsrc_addr.ip = ADDR(10, 0, 0, 2),
		 .origsrc_mask.ip = ~0u},
		YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGSRC,
		 .origsrc_addr.ip = ADDR(10, 0, 0, 3),
		 .origsrc_mask.ip = ~0u},
		NO, NO},
	{{.match_flags = XT_CONNTRACK_ORIGSRC,
		 .origsrc_addr.ip = ADDR(10, 0, 0, 0),
		 .origsrc_mask.ip = ADDR(255, 255, 255, 0)},
		YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGSRC}, YES, YES}, /* 0.0.0.0/0 */
	{{.match_flags = XT_CONNTRACK_ORIGDST,
		 .origdst_addr.ip = ADDR(10, 1, 0, 2),
		 .origdst_mask.ip = ~0u},
		YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGDST,
		 .origdst_addr.ip = ADDR(10, 1, 0, 99),
		 .origdst_mask.ip = ~0u},
		NO, NO},
	{{.match_flags = XT_CONNTRACK_REPLSRC,
		 .replsrc_addr.ip = ADDR(10, 1, 0, 99),
		 .replsrc_mask.ip = ~0u},
		YES, YES},
	{{.match_flags = XT_CONNTRACK_REPLSRC,
		 .replsrc_addr.ip = ADDR(10, 1, 0, 2),
		 .replsrc_mask.ip = ~0u},
		NO, NO},
	{{.match_flags = XT_CONNTRACK_REPLDST,
		 .repldst_addr.ip = ADDR(192, 0, 2, 1),
		 .repldst_mask.ip = ~0u},
		YES, YES},
	{{.match_flags = XT_CONNTRACK_REPLDST,
		 .repldst_addr.ip = ADDR(10, 0, 0, 2),
		 .repldst_mask.ip = ~0u},
		NO, NO},
	{{.match_flags = XT_CONNTRACK_ORIGSRC_PORT, PORT(origsrc, 1000, 1000)}, YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGSRC_PORT, PORT(origsrc, 1001, 2000)}, NO, NO},
	{{.match_flags = XT_CONNTRACK_ORIGSRC_PORT, PORT(origsrc, 900, 1000)}, YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGDST_PORT, PORT(origdst, 80, 80)}, YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGDST_PORT, PORT(origdst, 80, 8080)}, YES, YES},
	{{.match_flags = XT_CONNTRACK_ORIGDST_PORT, PORT(origdst, 81, 8080)}, NO, NO},
	{{.match_flags = XT_CONNTRACK_REPLSRC_PORT, PORT(replsrc, 8080, 8080)}, YES, YES},
	{{.match_flags = XT_CONNTRACK_REPLSRC_PORT, PORT(replsrc, 0, 8079)}, NO, NO},
	{{.match_flags = XT_CONNTRACK_REPLDST_PORT, PORT(repldst, 4000, 4000)}, YES, YES},
	{{.match_flags = XT_CONNTRACK_REPLDST_PORT, PORT(repldst, 4001, 65535)}, NO, NO},
	{{.match_flags = XT_CONNTRACK_STATUS, .status_mask = CT_SEEN_REPLY}, NO, YES},
	{{.match_flags = XT_CONNTRACK_STATUS, .status_mask = CT_CONFIRMED | CT_ASSURED}, YES, YES},
	{{.match_flags = XT_CONNTRACK_STATUS, .status_mask = CT_EXPECTED}, NO, NO},
	{{.match_flags = XT_CONNTRACK_STATUS, .status_mask = 0}, NO, NO}, /* --ctstatus NONE */
	{{.match_flags = XT_CONNTRACK_STATE, .state_mask = XT_CONNTRACK_STATE_SNAT}, YES, YES},
	{{.match_flags = XT_CONNTRACK_STATE, .state_mask = XT_CONNTRACK_STATE_DNAT}, NO, NO},
	{{.match_flags = XT_CONNTRACK_STATE, .state_mask = XT_CONNTRACK_STATE_UNTRACKED}, NO, NO},
	{{.match_flags = XT_CONNTRACK_DIRECTION}, YES, NO},
	{{.match_flags = XT_CONNTRACK_EXPIRES, .expires_min = 120, .expires_max = 120}, YES, NO},
	{{.match_flags = XT_CONNTRACK_EXPIRES, .expires_min = 60, .expires_max = 119}, NO, YES},
	{{.match_flags = XT_CONNTRACK_EXPIRES, .expires_min = 0, .expires_max = ~0u}, YES, YES},
};

static void
each_field_and_its_inversion(void **state)
{
	struct pkt *original = begin_translated(), *reply;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(fields); i++) {
		struct xt_conntrack_mtinfo3 o = fields[i].o;

		assert_int_equal(ask_conntrack(original, &o), fields[i].original);
		o.invert_flags = o.match_flags;
		assert_int_equal(ask_conntrack(original, &o), fields[i].original == YES ? NO : YES);
	}
	reply = answer_translated(); /* SYN_RECV: 60 s */
	for (size_t i = 0; i < RTE_DIM(fields); i++) {
		struct xt_conntrack_mtinfo3 o = fields[i].o;

		assert_int_equal(ask_conntrack(reply, &o), fields[i].reply);
		o.invert_flags = o.match_flags;
		assert_int_equal(ask_conntrack(reply, &o), fields[i].reply == YES ? NO : YES);
	}
	done(original);
	done(reply);
}

static void
all_fields_must_hold(void **state)
{
	struct xt_conntrack_mtinfo3 o = {
		.match_flags = XT_CONNTRACK_STATE | XT_CONNTRACK_PROTO | XT_CONNTRACK_ORIGSRC |
			       XT_CONNTRACK_ORIGDST_PORT | XT_CONNTRACK_DIRECTION |
			       XT_CONNTRACK_STATUS,
		.state_mask = XT_CONNTRACK_STATE_BIT(CT_NEW),
		.l4proto = IPPROTO_TCP,
		.origsrc_addr.ip = ADDR(10, 0, 0, 2),
		.origsrc_mask.ip = ~0u,
		PORT(origdst, 80, 80),
		.status_mask = CT_CONFIRMED,
	};
	struct pkt *p = begin_translated();

	(void)state;
	assert_int_equal(ask_conntrack(p, &o), YES);
	for (uint16_t flag = 1; flag <= XT_CONNTRACK_DIRECTION; flag = (uint16_t)(flag << 1)) {
		o.invert_flags = flag; /* of a field that is not asked for: no matter */
		assert_int_equal(ask_conntrack(p, &o), o.match_flags & flag ? NO : YES);
	}
	o.match_flags = 0;
	assert_int_equal(ask_conntrack(p, &o), YES);
	done(p);
}

/* The state alone then decides, whatever else the rule asks (conntrack_mt(), xt_conntrack.c). */
static void
without_a_connection(void **state)
{
	struct xt_conntrack_mtinfo3 o = {
		.match_flags = XT_CONNTRACK_PROTO, .l4proto = IPPROTO_ICMP};
	struct pkt *p = icmp(&there, ICMP_ECHOREPLY);

	(void)state;
	assert_int_equal(ask_conntrack(p, &o), NO);
	o.invert_flags = XT_CONNTRACK_PROTO;
	assert_int_equal(ask_conntrack(p, &o), NO);
	o.match_flags |= XT_CONNTRACK_STATE;
	o.state_mask = XT_CONNTRACK_STATE_INVALID;
	assert_int_equal(ask_conntrack(p, &o), YES);
	o.invert_flags |= XT_CONNTRACK_STATE;
	assert_int_equal(ask_conntrack(p, &o), NO);
	done(p);
}

/* --ctexpire counts whole seconds, rounded down; before confirmation the time does not run. */
static void
seconds_until_it_expires(void **state)
{
	struct xt_conntrack_mtinfo3 o = {.match_flags = XT_CONNTRACK_EXPIRES};
	enum drop_reason why;
	uint8_t buf[100];
	struct pkt *p = udp(&here, 1000, 2000, 8);

	(void)state;
	f.env.env.now += 10 * TEST_SECOND + TEST_SECOND / 2;
	o.expires_min = o.expires_max = 19;
	assert_int_equal(ask_conntrack(p, &o), YES);
	o.expires_min = o.expires_max = 20;
	assert_int_equal(ask_conntrack(p, &o), NO);
	f.env.env.now += 30 * TEST_SECOND;
	o.expires_min = o.expires_max = 0;
	assert_int_equal(ask_conntrack(p, &o), YES);
	f.env.env.now -= 40 * TEST_SECOND;
	done(p);
	p = test_arrive(&f, buf, test_udp(buf, &here, 1, 2, 8));
	conntrack_input(&f.env.env, &f.router.r, p, RULES_PREROUTING, &why);
	assert_int_equal(ask_conntrack(p, &o), YES);
	done(p);
}

/* Of ICMP the id stands for the source port, type and code for the destination's. */
static void
icmp_in_place_of_ports(void **state)
{
	struct xt_conntrack_mtinfo3 o = {
		.match_flags = XT_CONNTRACK_ORIGSRC_PORT | XT_CONNTRACK_ORIGDST_PORT,
		PORT(origsrc, 7, 7),
		PORT(origdst, ICMP_ECHO << 8, ICMP_ECHO << 8),
	};
	struct pkt *p = icmp(&here, ICMP_ECHO);

	(void)state;
	assert_int_equal(ask_conntrack(p, &o), YES);
	o.match_flags = XT_CONNTRACK_REPLDST_PORT;
	assert_int_equal(ask_conntrack(p, &o), YES); /* echo reply: type 0 */
	o.repldst_port = o.repldst_port_high = ICMP_ECHO << 8;
	assert_int_equal(ask_conntrack(p, &o), NO);
	done(p);
}

/* ---- connmark, connbytes ---- */

static void
marks(void **state)
{
	static const struct {
		uint32_t mark, mask;
		enum ext_answer answer;
	} rows[] = {
		{0x1234, ~0u, YES}, {0x1235, ~0u, NO}, {0x0034, 0x00ff, YES}, {0x0030, 0x00ff, NO},
		{0, 0xff0000, YES},
		{0x10000, 0x0000, NO}, /* bits outside of the mask are never there */
	};
	struct pkt *p = udp(&here, 1, 2, 8), *invalid = icmp(&there, ICMP_ECHOREPLY);

	(void)state;
	conntrack_set_mark(f.filters.conntrack, conntrack_of(&f.router.r, p), 0x1234);
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct xt_connmark_mtinfo1 o = {.mark = rows[i].mark, .mask = rows[i].mask};
		struct filter_ctx c = ctx(p), none = ctx(invalid);

		assert_int_equal(ext_ask(&c, "connmark", 1, &o, sizeof(o)), rows[i].answer);
		assert_int_equal(ext_ask(&none, "connmark", 1, &o, sizeof(o)), NO);
		o.invert = 1;
		assert_int_equal(ext_ask(&c, "connmark", 1, &o, sizeof(o)),
			rows[i].answer == YES ? NO : YES);
		assert_int_equal(ext_ask(&none, "connmark", 1, &o, sizeof(o)), NO);
	}
	done(p);
	done(invalid);
}

enum { PKTS = XT_CONNBYTES_PKTS, BYTES = XT_CONNBYTES_BYTES, AVG = XT_CONNBYTES_AVGPKT };
enum {
	ORIG = XT_CONNBYTES_DIR_ORIGINAL,
	REPL = XT_CONNBYTES_DIR_REPLY,
	BOTH = XT_CONNBYTES_DIR_BOTH
};

static enum ext_answer
ask_connbytes(struct pkt *p, uint8_t what, uint8_t direction, uint64_t from, uint64_t to)
{
	const struct xt_connbytes_info o = {
		.count = {from, to}, .what = what, .direction = direction};
	struct filter_ctx c = ctx(p);

	return ext_ask(&c, "connbytes", 0, &o, sizeof(o));
}

/* Three packets of 128 bytes one way, two of 1028 and 529 back. */
static void
bytes_and_packets(void **state)
{
	static const struct {
		uint8_t what, direction;
		uint64_t value;
	} rows[] = {
		{PKTS, ORIG, 3},
		{PKTS, REPL, 2},
		{PKTS, BOTH, 5},
		{BYTES, ORIG, 384},
		{BYTES, REPL, 1557},
		{BYTES, BOTH, 1941},
		{AVG, ORIG, 128},
		{AVG, REPL, 778},
		{AVG, BOTH, 388},
	};
	struct pkt *p;

	(void)state;
	done(udp(&here, 1, 2, 100));
	done(udp(&there, 2, 1, 1000));
	done(udp(&here, 1, 2, 100));
	done(udp(&there, 2, 1, 501));
	p = udp(&here, 1, 2, 100); /* it is counted before it is judged */
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const uint64_t v = rows[i].value;
		const uint8_t w = rows[i].what, d = rows[i].direction;

		assert_int_equal(ask_connbytes(p, w, d, v, v), YES);
		assert_int_equal(ask_connbytes(p, w, d, v, UINT64_MAX), YES);
		assert_int_equal(ask_connbytes(p, w, d, 0, v), YES);
		assert_int_equal(ask_connbytes(p, w, d, v + 1, UINT64_MAX), NO);
		assert_int_equal(ask_connbytes(p, w, d, 0, v - 1), NO);
		/* "! --connbytes v:v+1" comes with its bounds swapped */
		assert_int_equal(ask_connbytes(p, w, d, v + 1, v), NO);
		assert_int_equal(ask_connbytes(p, w, d, v, v - 1), NO);
		assert_int_equal(ask_connbytes(p, w, d, v + 2, v + 1), YES);
		assert_int_equal(ask_connbytes(p, w, d, v - 1, v - 2), YES);
	}
	done(p);
}

static void
no_packets_no_average(void **state)
{
	struct pkt *p = udp(&here, 1, 2, 100), *invalid = icmp(&there, ICMP_ECHOREPLY);

	(void)state;
	assert_int_equal(ask_connbytes(p, AVG, REPL, 0, 0), YES);
	assert_int_equal(ask_connbytes(p, AVG, REPL, 1, UINT64_MAX), NO);
	assert_int_equal(ask_connbytes(invalid, PKTS, BOTH, 0, UINT64_MAX), NO);
	assert_int_equal(ask_connbytes(invalid, PKTS, BOTH, 10, 5), NO);
	done(p);
	done(invalid);
}

static void
connbytes_refuses(void **state)
{
	struct xt_connbytes_info o = {.what = AVG, .direction = BOTH};

	(void)state;
	assert_string_equal(ext_match_refusal("connbytes", 0, &o, sizeof(o), NULL, 0), "");
	o.what = AVG + 1;
	assert_string_equal(ext_match_refusal("connbytes", 0, &o, sizeof(o), NULL, 0),
		"unknown --connbytes-mode 3");
	o.what = PKTS;
	o.direction = BOTH + 1;
	assert_string_equal(ext_match_refusal("connbytes", 0, &o, sizeof(o), NULL, 0),
		"unknown --connbytes-dir 3");
}

/* ---- what a path would depend on ---- */

static void
paths_end_with_the_connection_alone(void **state)
{
	const struct xt_state_info s = {.statemask = NEW};
	const struct xt_connmark_mtinfo1 m = {.mask = 1};
	struct xt_conntrack_mtinfo3 o = {.match_flags = XT_CONNTRACK_DIRECTION};
	struct pkt *p = udp(&here, 1, 2, 8);
	struct filter_ctx c = ctx(p);
	struct recorder r;

	(void)state;
	ext_ask_recorded(&c, "state", 0, &s, sizeof(s), &r);
	assert_true(!r.refused && r.n_reads == 0);
	ext_ask_recorded(&c, "connmark", 1, &m, sizeof(m), &r);
	assert_true(!r.refused && r.n_reads == 0);
	ext_ask_recorded(&c, "conntrack", 3, &o, sizeof(o), &r);
	assert_true(!r.refused && r.n_reads == 0);
	o.match_flags = XT_CONNTRACK_EXPIRES;
	ext_ask_recorded(&c, "conntrack", 3, &o, sizeof(o), &r);
	assert_true(r.refused);
	assert_int_equal(match_find("connbytes", 0)->reads, READS_NEVER);
	done(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(states),
		TEST(an_expected_connection_is_related),
		TEST(a_helper_is_the_masters),
		TEST(each_field_and_its_inversion),
		TEST(all_fields_must_hold),
		TEST(without_a_connection),
		TEST(seconds_until_it_expires),
		TEST(icmp_in_place_of_ports),
		TEST(marks),
		TEST(bytes_and_packets),
		TEST(no_packets_no_average),
		TEST(connbytes_refuses),
		TEST(paths_end_with_the_connection_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
