/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The linker puts these functions before nat_setup() and nat_bind_null() (--wrap, Makefile). */
#include "tests/oracle/nat_draws.h"

#include "nat/nat.h"
#include "tests/oracle/kernel_find.h"
#include "tests/oracle/nat_faults.h"

#include <netinet/in.h>

enum { DRAWN = NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY, BACK_MOST = 8, WALK = 1u << 30, PLACES = 1 << 16 };

enum filter_verdict __real_nat_setup(struct env *env, struct conntrack *ct, struct conn *c, const struct nat_range *range,
	enum nat_manip manip, enum drop_reason *why);
enum filter_verdict __wrap_nat_setup(struct env *env, struct conntrack *ct, struct conn *c, const struct nat_range *range,
	enum nat_manip manip, enum drop_reason *why);
enum filter_verdict __real_nat_bind_null(struct env *env, struct conntrack *ct, struct conn *c, enum nat_manip manip,
	enum drop_reason *why);
enum filter_verdict __wrap_nat_bind_null(struct env *env, struct conntrack *ct, struct conn *c, enum nat_manip manip,
	enum drop_reason *why);

struct nat_draws nat_draws;

/* When a source was bound, by the place of its connection in our table: the kernel looks at the latest first (nf_nat_bysource). */
static struct {
	uint64_t of[PLACES], last;
} bound;

struct search {
	struct conntrack *ct;
	const struct conn *c;
	const struct nat_range *range;
	enum nat_manip manip;
	uint64_t now;
	struct ct_tuple was, is; /* of packets that leave: before, and as the kernel's do */
	uint32_t min, size;      /* the window */
};

static uint16_t
port_of(const struct ct_tuple *t, enum nat_manip manip)
{
	return ntohs(manip == NAT_SRC || t->proto == IPPROTO_ICMP ? t->sport : t->dport);
}

static bool
has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE || proto == IPPROTO_SCTP || proto == IPPROTO_ICMP;
}

/* The number *x for which env_random() has these lowest 16 bits. */
static void
tell(struct env *env, uint16_t low)
{
	const uint64_t factor = 0x2545f4914f6cdd1dULL;
	uint64_t inverse = factor, x, y = (env->random & ~0xffff00000000ULL) | (uint64_t)low << 32;
	int i;

	for (i = 0; i < 6; i++)
		inverse *= 2 - factor * inverse;
	x = y * inverse;
	x ^= x >> 27 ^ x >> 54;
	x ^= x << 25 ^ x << 50;
	x ^= x >> 12 ^ x >> 24 ^ x >> 36 ^ x >> 48 ^ x >> 60;
	env->random = x;
}

/* Where the kernel looks for a port. => false: nowhere. */
static bool
find_window(struct search *s)
{
	uint16_t port = port_of(&s->was, s->manip);

	if (s->range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) {
		s->min = s->range->min_port;
		s->size = s->range->max_port - s->range->min_port + 1u;
	} else if (s->was.proto == IPPROTO_ICMP) {
		s->min = 0;
		s->size = 65536;
	} else if (s->manip == NAT_DST) {
		return false;
	} else {
		s->min = port < 512 ? 1 : port < 1024 ? 600 : 1024;
		s->size = port < 512 ? 511 : port < 1024 ? 424 : 64512;
	}
	return port_of(&s->is, s->manip) >= s->min && port_of(&s->is, s->manip) - s->min < s->size;
}

struct latest {
	const struct search *s;
	uint64_t bound;
	struct ct_tuple sent;
};

static bool
is_in_range(const struct ct_tuple *t, const struct nat_range *r)
{
	uint32_t src = ntohl(t->src.v4);

	if (r->flags & NF_NAT_RANGE_MAP_IPS && (src < ntohl(r->min_addr) || src > ntohl(r->max_addr)))
		return false;
	return !(r->flags & NF_NAT_RANGE_PROTO_SPECIFIED) || (ntohs(t->sport) >= r->min_port && ntohs(t->sport) <= r->max_port);
}

static uint16_t
original_zone(const struct conn *c)
{
	return c->zone_dir & 1 << CT_DIR_ORIGINAL ? c->zone : 0;
}

static void
look(void *arg, uint32_t index, struct conn *c)
{
	struct latest *l = arg;
	const struct ct_tuple *a = &c->tuple[CT_DIR_ORIGINAL], *b = &l->s->c->tuple[CT_DIR_ORIGINAL];
	struct ct_tuple sent;

	if (a->proto != b->proto || a->sport != b->sport || a->src.v4 != b->src.v4 || original_zone(c) != original_zone(l->s->c) ||
		!(c->status & CT_SRC_NAT_DONE) || bound.of[index % PLACES] < l->bound || !conntrack_invert(&c->tuple[CT_DIR_REPLY], &sent) ||
		!is_in_range(&sent, l->s->range))
		return;
	l->bound = bound.of[index % PLACES];
	l->sent = sent;
}

/* The latest mapping of the same source that the range allows is what the kernel has. */
static bool
is_earlier_mapping(const struct search *s)
{
	struct latest l = {.s = s};
	uint32_t cursor = 0;

	while (conntrack_walk(s->ct, s->now, &cursor, WALK, look, &l))
		;
	return l.sent.proto && l.sent.src.v4 == s->is.src.v4 && l.sent.sport == s->is.sport;
}

/* The kernel's port follows from the rules: nothing was drawn. */
static bool
follows(const struct search *s, struct env *env)
{
	enum ct_dir dir;
	struct ct_tuple reply;

	if (s->range->flags & DRAWN)
		return false;
	if (port_of(&s->was, s->manip) == port_of(&s->is, s->manip))
		return !conntrack_invert(&s->is, &reply) || !conntrack_holder(env, s->ct, s->c, &reply, &dir);
	return is_earlier_mapping(s);
}

/* Ports before the kernel's that others have. Those of TCP may be taken over, which depends on where the search began. */
static uint32_t
steps_back(const struct search *s, uint32_t offset)
{
	struct ct_tuple other = s->is, reply, found[2];
	uint32_t back;

	if (s->manip != NAT_SRC || s->was.proto == IPPROTO_TCP || s->c->zone)
		return 0;
	for (back = 0; back < BACK_MOST && back + 1 < s->size; back++) {
		offset = (offset + s->size - 1) % s->size;
		other.sport = htons((uint16_t)(s->min + offset));
		if (!conntrack_invert(&other, &reply) || !kernel_find(&reply, s->c, found))
			break;
	}
	return back;
}

/* Any number that has the right remainder: a window of another size ends elsewhere. */
static void
tell_offset(struct env *env, const struct search *s, uint32_t offset)
{
	uint32_t choices = s->size > 65536 - BACK_MOST - offset ? 1 : (65536 - BACK_MOST - offset) / s->size;

	tell(env, (uint16_t)(offset + env_random(env) % choices * s->size));
}

static void
steer(struct env *env, struct conntrack *ct, const struct conn *c, const struct nat_range *range, enum nat_manip manip)
{
	struct search s = {.ct = ct, .c = c, .range = range, .manip = manip, .now = env->now};
	struct ct_tuple found[2];
	uint32_t offset, back;

	if (c->status & CT_CONFIRMED || nat_is_bound(c, manip))
		return;
	nat_draws.bound++;
	if (manip == NAT_SRC)
		bound.of[conntrack_index(ct, c) % PLACES] = ++bound.last;
	if (!has_ports(c->proto) || range->flags & NF_NAT_RANGE_PROTO_OFFSET || (manip == NAT_DST && !(range->flags & DRAWN)))
		return;
	if (!kernel_began(&c->tuple[CT_DIR_ORIGINAL], found) || !conntrack_invert(&c->tuple[CT_DIR_REPLY], &s.was) || !conntrack_invert(&found[CT_DIR_REPLY], &s.is)) {
		nat_draws.unseen++;
		return;
	}
	nat_draws.moved += port_of(&s.was, manip) != port_of(&s.is, manip);
	if (!find_window(&s) || follows(&s, env))
		return;
	offset = port_of(&s.is, manip) - s.min;
	back = steps_back(&s, offset);
	tell_offset(env, &s, (offset + s.size - back) % s.size);
	nat_draws.told++;
	nat_draws.back += back > 0;
}

enum filter_verdict
__wrap_nat_setup(struct env *env, struct conntrack *ct, struct conn *c, const struct nat_range *range, enum nat_manip manip,
	enum drop_reason *why)
{
	struct nat_range faulty = *range;

	steer(env, ct, c, range, manip);
	nat_fault_range(&faulty);
	return __real_nat_setup(env, ct, c, &faulty, manip, why);
}

enum filter_verdict
__wrap_nat_bind_null(struct env *env, struct conntrack *ct, struct conn *c, enum nat_manip manip, enum drop_reason *why)
{
	const struct ct_tuple *reply = &c->tuple[CT_DIR_REPLY];
	uint32_t address = manip == NAT_SRC ? reply->dst.v4 : reply->src.v4;
	const struct nat_range same = {.flags = NF_NAT_RANGE_MAP_IPS, .min_addr = address, .max_addr = address};

	if (nat_fault_is(NAT_FAULT_NO_NULL))
		return FILTER_ACCEPT;
	steer(env, ct, c, &same, manip);
	return __real_nat_bind_null(env, ct, c, manip, why);
}
