/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a connection is bound to: the address, then the port (get_unique_tuple() of nf_nat_core.c).
 * The kernel gives up after a bounded search at random places; here any port that is free is still
 * found (ports.c), and if none is the connection is refused by name at once, not when it is
 * confirmed.
 */
#include "nat/state.h"

#include <netinet/in.h>

enum {
	ATTEMPTS = 128, /* of the first window; each next one is half as large */
	ATTEMPTS_LEAST = 16,
	ATTEMPTS_HARD = 32, /* the last ones of a window may take the port of a TCP connection in
			       TIME_WAIT */
	RANDOM_ALL = NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY,
};

bool
nat_has_ports(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_ICMP:
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		return true;
	}
	return false;
}

/* ICMP has one id for both directions. */
static uint16_t *
port_of(struct ct_tuple *t, enum nat_manip manip)
{
	return manip == NAT_SRC || t->proto == IPPROTO_ICMP ? &t->sport : &t->dport;
}

static bool
port_in_range(const struct ct_tuple *t, const struct nat_range *range, enum nat_manip manip)
{
	uint16_t port = ntohs(*port_of((struct ct_tuple *)t, manip));

	if (!nat_has_ports(t->proto) && t->proto != IPPROTO_GRE)
		return true;
	return port >= range->min_port && port <= range->max_port;
}

bool
nat_in_range(const struct ct_tuple *t, const struct nat_range *range)
{
	uint32_t src = ntohl(t->src.v4);

	if (range->flags & NF_NAT_RANGE_MAP_IPS &&
		(src < ntohl(range->min_addr) || src > ntohl(range->max_addr)))
		return false;
	return !(range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) || port_in_range(t, range, NAT_SRC);
}

bool
nat_is_taken(const struct nat_choice *k, const struct ct_tuple *t)
{
	struct ct_tuple reply;
	enum ct_dir dir;

	return conntrack_invert(t, &reply) && conntrack_holder(k->env, k->ct, k->c, &reply, &dir);
}

/*
 * The tuple as it is, is it taken? Not by a connection without translation that is this one begun
 * from the other end, where the protocol allows that: confirming makes one of both.
 */
static bool
is_taken_unchanged(const struct nat_choice *k)
{
	const struct conn *other;
	struct ct_tuple reply;
	enum ct_dir dir;

	if (!nat_is_taken(k, &k->now))
		return false;
	if (!conntrack_may_clash(k->now.proto) || !conntrack_invert(&k->now, &reply))
		return true;
	other = conntrack_met(k->env, k->ct, k->c, &k->now, &dir);
	if (!other)
		other = conntrack_met(k->env, k->ct, k->c, &reply, &dir);
	if (!other)
		return false;
	return other->status & (CT_SRC_NAT | CT_DST_NAT | CT_SEQ_ADJUST) ||
	       !conntrack_tuple_equal(&other->tuple[CT_DIR_ORIGINAL], &k->c->tuple[CT_DIR_REPLY]) ||
	       !conntrack_tuple_equal(&other->tuple[CT_DIR_REPLY], &k->c->tuple[CT_DIR_ORIGINAL]);
}

/* Nothing of the old connection can be mistaken for one of the new. */
static bool
may_take_over(const struct conn *old, const struct conn *c)
{
	return old->tcp.state >= TCP_CT_TIME_WAIT && old->status & CT_SRC_NAT &&
	       !(old->status & (CT_FIXED_TIMEOUT | CT_DYING)) &&
	       (int32_t)(c->tcp.seen[0].end - old->tcp.seen[0].end) > 0;
}

/* As nf_nat_used_tuple_harder(). */
static bool
is_taken_hard(const struct nat_choice *k, const struct ct_tuple *t, unsigned attempts)
{
	struct conn *old;
	struct ct_tuple reply;
	enum ct_dir dir;

	if (!conntrack_invert(t, &reply))
		return false;
	old = conntrack_holder(k->env, k->ct, k->c, &reply, &dir);
	if (!old)
		return false;
	if (attempts > ATTEMPTS_HARD || t->proto != IPPROTO_TCP ||
		k->c->tcp.state != TCP_CT_SYN_SENT || dir == CT_DIR_ORIGINAL ||
		!may_take_over(old, k->c))
		return true;
	conntrack_delete(k->env, k->ct, old);
	return false;
}

static uint32_t
rotate(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

/*
 * Bob Jenkins' lookup3 (public domain) over the four words of an address, of which IPv4 uses one,
 * as the kernel's jhash2(): so a client gets the same outside address from the same rule here and
 * there.
 */
static uint32_t
address_hash(uint32_t address, uint32_t seed)
{
	uint32_t a = 0xdeadbeef + 16 + seed, b = a, c = a;

	a += address;
	a = (a - c) ^ rotate(c, 4);
	c += b;
	b = (b - a) ^ rotate(a, 6);
	a += c;
	c = (c - b) ^ rotate(b, 8);
	b += a;
	a = (a - c) ^ rotate(c, 16);
	c += b;
	b = (b - a) ^ rotate(a, 19);
	a += c;
	c = (c - b) ^ rotate(b, 4);
	b += a;
	c = (c ^ b) - rotate(b, 14);
	a = (a ^ c) - rotate(c, 11);
	b = (b ^ a) - rotate(a, 25);
	c = (c ^ b) - rotate(b, 16);
	a = (a ^ c) - rotate(c, 4);
	b = (b ^ a) - rotate(a, 14);
	return (c ^ b) - rotate(b, 24);
}

/* One address of the range, by the hash of source and destination; --persistent: of the source
 * alone. */
static void
choose_address(const struct nat_choice *k, struct ct_tuple *t)
{
	const struct nat_range *range = k->range;
	struct ip_addr *address = k->manip == NAT_SRC ? &t->src : &t->dst;
	uint32_t min = ntohl(range->min_addr), seed;

	if (!(range->flags & NF_NAT_RANGE_MAP_IPS))
		return;
	if (range->min_addr == range->max_addr) {
		address->v4 = range->min_addr;
		return;
	}
	seed = range->flags & NF_NAT_RANGE_PERSISTENT ? 0 : t->dst.v4 ^ k->c->zone;
	address->v4 = htonl(min + (uint32_t)((uint64_t)address_hash(t->src.v4, seed) *
						     (ntohl(range->max_addr) - min + 1) >>
					     32));
}

struct window {
	uint32_t min, size;
};

/* => size 0: the port stays. */
static struct window
port_window(const struct nat_choice *k, uint16_t port, uint8_t proto)
{
	const struct nat_range *range = k->range;
	uint32_t low, high;

	if (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) {
		low = RTE_MIN(range->min_port, range->max_port);
		high = RTE_MAX(range->min_port, range->max_port);
		return (struct window){low, high - low + 1};
	}
	if (proto == IPPROTO_ICMP)
		return (struct window){0, 65536};
	if (k->manip == NAT_DST)
		return (struct window){0, 0};
	if (port < 512)
		return (struct window){1, 511};
	return port < 1024 ? (struct window){600, 1024 - 600} : (struct window){1024, 65536 - 1024};
}

uint32_t
nat_ports_of_range(const struct nat_choice *k, const struct ct_tuple *t)
{
	return nat_has_ports(t->proto) ? port_window(k, 1024, t->proto).size : 0;
}

static uint16_t
first_offset(const struct nat_choice *k, uint16_t port)
{
	uint32_t flags = k->range->flags;

	if (flags & NF_NAT_RANGE_PROTO_OFFSET)
		return (uint16_t)(port - k->range->base_port);
	if (flags & RANDOM_ALL || k->manip == NAT_SRC)
		return (uint16_t)env_random(k->env);
	return 0;
}

/* => false: nothing free was met; *t then has the port that was tried last. */
static bool
search(const struct nat_choice *k, struct ct_tuple *t, struct window w)
{
	uint16_t *port = port_of(t, k->manip), off = first_offset(k, ntohs(*port));
	unsigned attempts = RTE_MIN(w.size, (uint32_t)ATTEMPTS), i;

	for (;;) {
		for (i = 0; i < attempts; i++, off++) {
			*port = htons((uint16_t)(w.min + off % w.size));
			if (!is_taken_hard(k, t, attempts - i))
				return true;
		}
		if (attempts >= w.size || attempts < ATTEMPTS_LEAST)
			return false;
		attempts /= 2;
		off = (uint16_t)env_random(k->env);
	}
}

/* A destination that clashes may pass: the binding of the source, which follows, can still tell
 * both apart. */
static bool
choose_port(const struct nat_choice *k, struct ct_tuple *t)
{
	struct window w = {0, 0};

	if (nat_has_ports(t->proto))
		w = port_window(k, ntohs(*port_of(t, k->manip)), t->proto);
	if (w.size == 0)
		return true;
	if (search(k, t, w) || k->manip == NAT_DST)
		return true;
	return w.size > ATTEMPTS && ports_find(k, t, w.min, w.size);
}

/* The port as it is. => true: *good says what becomes of it. */
static bool
keep_port(const struct nat_choice *k, const struct ct_tuple *t, bool *good)
{
	const struct nat_range *range = k->range;
	bool single = range->min_port == range->max_port;

	*good = true;
	if (!(range->flags & NF_NAT_RANGE_PROTO_SPECIFIED))
		return !nat_is_taken(k, t);
	if (range->flags & NF_NAT_RANGE_PROTO_OFFSET || !port_in_range(t, range, k->manip))
		return false;
	if (!nat_is_taken(k, t))
		return true;
	*good = k->manip == NAT_DST || !nat_has_ports(t->proto);
	return single;
}

/* Then nobody has to be asked who has the port. */
static bool
is_address_only(const struct nat_choice *k)
{
	return k->manip == NAT_DST && !(k->range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) &&
	       k->now.proto != IPPROTO_ICMP;
}

bool
nat_choose(const struct nat_choice *k, struct ct_tuple *to)
{
	bool random = k->range->flags & RANDOM_ALL, good;

	if (k->manip == NAT_SRC && !random) {
		if (nat_in_range(&k->now, k->range)) {
			*to = k->now;
			if (!is_taken_unchanged(k))
				return true;
		} else if (sources_find(&k->nat->sources, k, to) && !nat_is_taken(k, to)) {
			return true;
		}
	}
	*to = k->now;
	choose_address(k, to);
	if (is_address_only(k))
		return true;
	if (!random && keep_port(k, to, &good))
		return good;
	return choose_port(k, to);
}
