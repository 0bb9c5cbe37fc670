/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address translation of one router, to the letter of nf_nat (net/netfilter/nf_nat_core.c,
 * nf_nat_proto.c, nf_nat_masquerade.c). All calls are under the slow-way lock.
 *
 * A connection gets a binding for its destination at PREROUTING or OUTPUT and one for its source at
 * POSTROUTING or INPUT, each by the target of a rule (nat_setup()) or, when no rule says anything,
 * to what it is (nat_bind_null()): even that may have to move a port that another connection has. A
 * binding is nothing but the connection's reply tuple, moved before it is confirmed; every later
 * packet is made to look as the tuples say. So bindings live and end with their connections, and
 * nothing but the tuples has to be kept.
 *
 * Beside the table (state.h) are an index of connections by source, for destinations whose ports
 * are nearly used up maps of them, and gauges of what each address has.
 */
#ifndef NAT_NAT_H
#define NAT_NAT_H

#include "filters/conntrack.h"

#include <linux/netfilter/nf_nat.h>

enum nat_manip { NAT_SRC, NAT_DST };

/* What a rule allows. */
struct nat_range {
	uint32_t flags;                         /* NF_NAT_RANGE_* of linux/netfilter/nf_nat.h */
	uint32_t min_addr, max_addr;            /* network byte order; with NF_NAT_RANGE_MAP_IPS */
	uint16_t min_port, max_port, base_port; /* host byte order; ICMP: echo ids; with
						   NF_NAT_RANGE_PROTO_SPECIFIED, _PROTO_OFFSET */
};

static inline enum nat_manip
nat_manip_of(uint8_t hook)
{
	return hook == RULES_POSTROUTING || hook == RULES_INPUT ? NAT_SRC : NAT_DST;
}

static inline bool
nat_is_bound(const struct conn *c, enum nat_manip manip)
{
	return c->status & (manip == NAT_SRC ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE);
}

/*
 * Binds one side of a connection that is not confirmed; a confirmed one stays as it is
 * (nf_nat_setup_info()). => FILTER_ACCEPT, or FILTER_DROP: DROP_NAT_PORTS when no port or id of the
 * range is free for the source, DROP_NAT_QUOTA when the guest has its share, DROP_NO_BUFFER.
 */
enum filter_verdict nat_setup(struct env *env, struct conntrack *ct, struct conn *c,
	const struct nat_range *range, enum nat_manip manip, enum drop_reason *why);
enum filter_verdict nat_bind_null(struct env *env, struct conntrack *ct, struct conn *c,
	enum nat_manip manip, enum drop_reason *why);

/* For the log, at most every five seconds: a packet was dropped for `why`, DROP_NAT_PORTS or
 * DROP_NAT_QUOTA; other reasons are not its business. */
void nat_warn(struct env *env, const struct pkt *p, enum drop_reason why);

/* Makes a packet of connection `c` look as its tuples say on this side; an ICMP error about it, and
 * what it quotes, too.
 * => DROP_NONE, or why it cannot pass. */
enum drop_reason nat_translate(struct pkt *p, const struct conn *c, enum nat_manip manip);

/* ---- masquerading ---- */

/* As nat_setup() with the address of `out` that reaches `nexthop`. => also DROP_NAT_ADDRESS. */
enum filter_verdict nat_masquerade(struct env *env, const struct router *r, struct conn *c,
	const struct nat_range *range, const struct iface *out, const struct ip_addr *nexthop,
	enum drop_reason *why);
/* The interface that it was masqueraded for is down or gone, or its address has left it. */
bool nat_is_stale(const struct router *r, const struct conn *c);
/* Ends stale connections, some at each call, after the router's configuration has changed. To be
 * called with packets. */
void nat_sweep(struct env *env, const struct router *r);

/* There are connections whose packets are changed: they are to be tracked whatever the rules say
 * now. */
bool nat_in_use(const struct conntrack *ct);

/* ---- gauges ---- */

enum nat_side {
	NAT_NOBODY,
	NAT_OUTSIDE, /* an outside address, and a protocol */
	NAT_GUEST,   /* an inside address */
};

/* Mappings (connections whose source is translated) of one address. */
struct nat_gauge {
	enum nat_side side;
	uint32_t address; /* network byte order */
	uint8_t proto;    /* NAT_OUTSIDE */
	uint32_t mappings;
	uint32_t most; /* NAT_OUTSIDE: ports (or ids) there are, by the widest rule */
	uint64_t refused; /* connections, for want of a port or by the quota */
	double growth;    /* mappings a second, over the last ten seconds or so */
};

/* Copies gauges from *cursor (0: the first) on and moves it. => how many; less than `max`: that was
 * the last. */
size_t nat_gauges(struct conntrack *ct, uint64_t now, uint32_t *cursor, struct nat_gauge *out,
	size_t max);

struct nat_stats {
	uint32_t translated; /* connections whose packets are changed */
	uint32_t sources;    /* connections in the index by source */
	uint32_t maps;       /* of ports */
	uint64_t exhausted;  /* connections refused: no port */
	size_t memory;       /* bytes */
};
void nat_stats(const struct conntrack *ct, struct nat_stats *s);

#endif
