/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Route tables of one router with the policy rules that choose among them. Immutable: built whole, published with
 * the generation. Link state is not in it: a lookup skips next hops whose interface is not usable, so a route survives
 * its link (IUCV-7), and traffic takes the next best route meanwhile (RES, VIPA-18).
 */
#ifndef ROUTING_FIB_H
#define ROUTING_FIB_H

#include "routing/iface.h"

enum route_type {
	ROUTE_UNICAST,
	ROUTE_LOCAL,       /* an address of this router */
	ROUTE_BROADCAST,   /* a broadcast address of a network here */
	ROUTE_DISCARD,     /* silent: Linux blackhole */
	ROUTE_UNREACHABLE, /* answered with ICMP host unreachable */
	ROUTE_PROHIBIT,    /* answered with ICMP communication administratively prohibited */
};

enum { TABLE_DEFAULT = 253, TABLE_MAIN = 254, TABLE_LOCAL = 255 };

struct nexthop {
	struct ip_addr via; /* AF_UNSPEC: the destination itself is on link */
	uint16_t oif;       /* interface slot */
	uint16_t weight;    /* 1..256 */
};

struct route {
	struct ip_prefix to; /* host bits clear */
	enum route_type type;
	uint32_t table;
	uint32_t metric;
	uint8_t tos;        /* 0: any; routes of one prefix with the packet's tos win over any, as in Linux */
	uint32_t mtu;       /* 0: that of the interface */
	struct ip_addr src; /* preferred source, or AF_UNSPEC */
	struct nexthop *hops; /* one or more for UNICAST, LOCAL, BROADCAST; none else */
	size_t n_hops;
};

/* A policy rule: if all of it matches, look in `table`. */
struct route_rule {
	uint32_t priority;
	struct ip_prefix from, to; /* AF_UNSPEC: any */
	uint16_t iif;              /* 0: any */
	uint8_t tos;
	uint32_t mark, mask;
	uint32_t table;
};

struct route_key {
	struct ip_addr dst, src; /* src may be AF_UNSPEC: not chosen yet */
	uint32_t mark;
	uint8_t tos;
	uint16_t iif;  /* interface slot it came by; 0: made here */
	uint32_t hash; /* of the flow: chooses among the next hops of a multipath route */
};

struct route_result {
	const struct route *route;
	const struct nexthop *hop;  /* NULL for types without */
	struct ip_addr nexthop;     /* whose neighbour to ask for: the gateway, or the destination */
};

struct fib;

/*
 * Builds from copies of what is given. Rules 0 (local), 32766 (main), 32767 (default) are always there.
 * `ifaces` is the router's table by slot; it must outlive the fib. => 0 or -ENOMEM.
 */
int fib_new(const struct route *routes, size_t n_routes, const struct route_rule *rules, size_t n_rules,
		struct iface *const *ifaces, size_t n_ifaces, struct fib **out);
void fib_free(struct fib *f);

/*
 * Longest prefix, then tos, then lowest metric, in the table of the first rule that has a match.
 * => 0; -ENETUNREACH: no route; -ENETDOWN: there are routes, and every one has its link down.
 * The types DISCARD, UNREACHABLE and PROHIBIT are results (0), not errors. Runs in time of the number of distinct
 * prefix lengths at most.
 */
int fib_lookup(const struct fib *f, const struct route_key *key, struct route_result *out);

/* What kind the address is, by the local table only: ROUTE_LOCAL, ROUTE_BROADCAST, else ROUTE_UNICAST. */
enum route_type fib_addr_type(const struct fib *f, const struct ip_addr *a);

/* All routes, in the order of a listing: table, prefix, metric. */
const struct route *fib_routes(const struct fib *f, size_t *n);
const struct route_rule *fib_rules(const struct fib *f, size_t *n);

/*
 * The routes that an interface brings along, as in Linux: LOCAL for each address (table 255, the interface itself),
 * BROADCAST for the network's broadcast addresses (not on point-to-point, not for /31, /32), a UNICAST route for the network
 * or for the peer (table 254, metric 0, src the address). Appends to the growing array. An interface that is down brings the
 * LOCAL ones only. => 0 or -ENOMEM. Arrays and next hops are freed with routes_free().
 */
int routes_of_iface(const struct iface *i, struct route **routes, size_t *n);
void routes_free(struct route *routes, size_t n);

#endif
