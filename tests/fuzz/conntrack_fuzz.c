/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequences of packets against connection tracking, in so few addresses and ports that they meet.
 * An input is settings u8, and a sequence of
 *
 *	how u8, ends u8, then by protocol
 *	TCP	flags u8, seq i8, ack i8, window u8, length u8 (low 3 bits: words of options behind)
 *	others	length u8, that many bytes of layer 4
 *
 * `how`: protocol, what becomes of the packet, whether time passes. Sequence numbers are relative
 * to what the connection has seen, so that random bytes stay near the window. After each packet all
 * that must hold is checked.
 */
#include "fabric/base/csum.h"
#include "tests/unit/support/flows.h"

#include <netinet/tcp.h>
#include <stdlib.h>

enum {
	KIND = 7,
	HOLD = 8,
	RELEASE = 16,
	LATER = 32,
	IN_ZONE = 64,
	BAD_SUM = 128,
	HELD = 4,
	L4_MAX = 127
};

enum settings {
	MANAGED = 1, /* one host is for management, with a reserve */
	CEILING = 2,
	LIBERAL = 4,
	STRICT = 8, /* no pick up */
	COUNTED = 16,
	ROOMY = 32,
	LISTENED = 64,
	FLUSHED = 128, /* at the end */
};

static const uint8_t protos[KIND + 1] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
	IPPROTO_ICMP, IPPROTO_SCTP, IPPROTO_GRE, IPPROTO_UDPLITE};

struct cursor {
	const uint8_t *at;
	size_t left;
};

struct held {
	struct pkt *p[HELD];
	unsigned next;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t
take(struct cursor *c)
{
	if (c->left == 0)
		return 0;
	c->left--;
	return *c->at++;
}

static size_t
take_bytes(struct cursor *c, uint8_t *to, size_t n)
{
	size_t i;

	n = RTE_MIN(n, c->left);
	for (i = 0; i < n; i++)
		to[i] = take(c);
	return n;
}

static const char *const hosts[] = {"10.0.0.2", "10.1.0.2", "10.0.0.3", "10.1.0.3"};
static const uint16_t ports[] = {1000, 80};

/*
 * Where it is on its way: bit 0 which direction, bits 1 and 2 other hosts, bit 3 another port. Bits
 * 4 and 5 are of the zone, bit 6 has it expect another connection, bit 7 sets its mark and has it
 * cause a packet.
 */
static void
ends_of(uint8_t ends, struct test_ip *ip, uint16_t *sport, uint16_t *dport)
{
	unsigned back = ends & 1;

	*ip = (struct test_ip){
		.src = hosts[back + (ends & 2)], .dst = hosts[!back + (ends >> 1 & 2)]};
	*sport = (uint16_t)(ports[back] + (ends >> 3 & 1));
	*dport = (uint16_t)(ports[!back] + (ends >> 3 & 1));
}

static size_t
make_tcp(struct test_flows *f, struct cursor *c, uint8_t ends, uint8_t *buf)
{
	static const uint16_t windows[] = {0, 1, 100, 1000, 8192, 65535, 30000, 2};
	struct test_segment s = {.flags = take(c) & 0x3f};
	int8_t seq = (int8_t)take(c), ack = (int8_t)take(c);
	uint8_t win = take(c), len = take(c), options[28];
	uint16_t sport, dport;
	struct test_ip ip;
	struct conn *conn;
	unsigned dir;

	ends_of(ends, &ip, &sport, &dport);
	conn = test_conn(f, IPPROTO_TCP, ip.src, sport, ip.dst, dport);
	dir = conn && conn->tuple[0].sport != htons(sport);
	s.seq = (conn ? conn->tcp.seen[dir].end : 1000) + (uint32_t)(seq * (win & 128 ? 1000 : 1));
	s.ack = (conn ? conn->tcp.seen[!dir].end : 1000) + (uint32_t)(ack * (win & 64 ? 1000 : 1));
	s.win = windows[win & 7];
	s.len = len >> 3;
	s.options = options;
	s.options_len = take_bytes(c, options, (len & 7) * 4u) & ~3u;
	return test_segment(buf, &ip, sport, dport, &s);
}

/* Makes right what random bytes never would. */
static void
fix_layer4(uint8_t proto, uint8_t *l4, size_t len, uint8_t ends)
{
	uint16_t sport, dport, sum = 0, be[2];
	struct test_ip unused;

	ends_of(ends, &unused, &sport, &dport);
	be[0] = htons(sport);
	be[1] = htons(dport);
	if (len < 8)
		return;
	if (proto == IPPROTO_ICMP) {
		memcpy(l4 + 2, &sum, 2);
		sum = (uint16_t)~csum_fold(csum_add(0, l4, len));
		memcpy(l4 + 2, &sum, 2);
	} else if (proto != IPPROTO_GRE) {
		memcpy(l4, be, 4);
	}
	if (proto == IPPROTO_UDP) {
		be[0] = htons((uint16_t)len);
		memcpy(l4 + 4, be, 2);
		memcpy(l4 + 6, &sum, 2);
	}
}

static size_t
make_other(struct cursor *c, uint8_t proto, uint8_t ends, uint8_t *buf)
{
	uint8_t l4[L4_MAX];
	size_t len = take_bytes(c, l4, take(c) & L4_MAX);
	uint16_t sport, dport;
	struct test_ip ip;

	ends_of(ends, &ip, &sport, &dport);
	fix_layer4(proto, l4, len, ends);
	return test_ip4(buf, &ip, proto, l4, len);
}

static void
release(struct test_flows *f, struct held *h, unsigned slot, bool confirm)
{
	struct pkt *p = h->p[slot];

	h->p[slot] = NULL;
	if (!p)
		return;
	if (confirm)
		conntrack_confirm(&f->env.env, &f->router.r, p, &f->why);
	env_pkt_free(&f->env.env, p);
}

static void
expect(struct test_flows *f, const struct pkt *p)
{
	struct conn *c = conntrack_of(&f->router.r, p);
	struct ct_expected e = {.timeout = 5 * TEST_SECOND};

	if (!c || c->proto != IPPROTO_TCP)
		return;
	e.tuple = c->tuple[CT_DIR_REPLY];
	e.tuple.sport = 0;
	e.tuple.src.family = AF_UNSPEC;
	e.tuple.dport = htons(1001);
	conntrack_expect(&f->env.env, f->filters.conntrack, c, &e);
}

/* What filters and ports do with a packet of a connection. */
static void
use(struct test_flows *f, struct pkt *p, uint8_t mark)
{
	struct conn *c = conntrack_of(&f->router.r, p);
	struct pkt *copy = env_pkt_copy(&f->env.env, p), *made = env_pkt_new(&f->env.env, 1);

	if (c)
		conntrack_set_mark(f->filters.conntrack, c, mark);
	made->router = p->router;
	env_attach(&f->env.env, made, p);
	if (conntrack_state_bit(made) == 0 || conntrack_state_bit(copy) != conntrack_state_bit(p))
		abort();
	env_pkt_free(&f->env.env, copy);
	env_pkt_free(&f->env.env, made);
}

static void
send_packet(struct test_flows *f, struct held *h, uint8_t how, uint8_t ends, const uint8_t *buf,
	size_t len)
{
	struct pkt *p = test_pkt(&f->env, buf, len);
	unsigned slot = h->next++ % HELD;

	p->router = &f->router.r;
	p->in = &f->router.ifaces[TEST_ETH0];
	if (pkt_parse(p) != DROP_NONE) {
		test_pkt_free(&f->env, p);
		return;
	}
	if (!(how & BAD_SUM))
		p->flags |= PKT_CSUM_VALID;
	if (how & IN_ZONE) {
		p->ct_zone = 3;
		p->ct_zone_dir = ends >> 4 & 3;
	}
	if (conntrack_input(&f->env.env, &f->router.r, p, RULES_PREROUTING, &f->why) ==
			FILTER_ACCEPT &&
		ends & 64)
		expect(f, p);
	if (ends & 128)
		use(f, p, how);
	release(f, h, slot, how & RELEASE);
	h->p[slot] = p;
	if (!(how & HOLD))
		release(f, h, slot, true);
}

static uint32_t
held_references(const struct held *h)
{
	uint32_t i, n = 0;

	for (i = 0; i < HELD; i++)
		n += h->p[i] && h->p[i]->ct;
	return n;
}

static void
print_visit(void *arg, uint32_t index, struct conn *c)
{
	char line[512];

	(void)index;
	conntrack_print(c, *(const uint64_t *)arg, line, sizeof(line));
}

static void
count_event(void *arg, enum ct_event e, const struct conn *c)
{
	(void)e;
	(void)c;
	++*(uint32_t *)arg;
}

static void
set(struct test_flows *f, uint8_t settings, uint32_t *events)
{
	const struct ip_prefix management = test_prefix("10.0.0.3/32");
	int64_t *value = f->router.r.tunables.value;

	value[TUNE_CT_MAX] = settings & ROOMY ? 40 : 16;
	value[TUNE_CT_RESERVE] = 4;
	value[TUNE_CT_MAX_GUEST] = settings & CEILING ? 6 : 0;
	value[TUNE_CT_EXPECT_MAX] = 3;
	value[TUNE_CT_TCP_BE_LIBERAL] = !!(settings & LIBERAL);
	value[TUNE_CT_TCP_IGNORE_INVALID_RST] = !!(settings & LIBERAL);
	value[TUNE_CT_TCP_LOOSE] = !(settings & STRICT);
	value[TUNE_CT_ACCT] = !!(settings & COUNTED);
	if (settings & MANAGED &&
		conntrack_set_management(f->filters.conntrack, &management, 1) < 0)
		abort();
	if (settings & LISTENED)
		conntrack_listen(f->filters.conntrack, count_event, events);
}

static void
finish(struct test_flows *f, uint8_t settings)
{
	struct conntrack_stats stats;

	conntrack_stats(f->filters.conntrack, &stats);
	if (stats.count > stats.max)
		abort();
	if (!(settings & FLUSHED))
		return;
	conntrack_flush(&f->env.env, f->filters.conntrack);
	test_conntrack_check(f->filters.conntrack, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, size};
	struct held h = {.next = 0};
	struct test_flows f;
	uint32_t cursor = 0, events = 0, i;
	uint8_t buf[512], settings = take(&c);

	test_flows_init(&f, 1);
	set(&f, settings, &events);
	while (c.left > 2) {
		uint8_t how = take(&c), ends = take(&c), proto = protos[how & KIND];
		size_t len = proto == IPPROTO_TCP ? make_tcp(&f, &c, ends, buf)
						  : make_other(&c, proto, ends, buf);

		send_packet(&f, &h, how, ends, buf, len);
		if (how & LATER)
			test_pass(&f.env, (uint64_t)1 << (ends & 31) << 4);
		test_conntrack_check(f.filters.conntrack, held_references(&h));
	}
	conntrack_walk(
		f.filters.conntrack, f.env.env.now, &cursor, 100, print_visit, &f.env.env.now);
	for (i = 0; i < HELD; i++)
		release(&f, &h, i, false);
	finish(&f, settings);
	if (test_flows_fini(&f) != 0)
		abort();
	return 0;
}
