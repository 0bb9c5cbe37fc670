/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A router: a virtual IP stack. struct router is its configuration in one generation, immutable. struct router_live is
 * what lives on across generations: reassembly, rate limits, drop counters. Under the slow-way lock, `live->now` is
 * the router of the published generation; a packet that was parked finds its router again through it.
 */
#ifndef ROUTING_ROUTER_H
#define ROUTING_ROUTER_H

#include "fabric/base/drop.h"
#include "fabric/base/tunable.h"
#include "routing/fib.h"
#include "routing/iface.h"

struct reasm;
struct icmp_limit;
struct filters_live;
struct ruleset;

enum { ROUTER_NO_SLOT = UINT32_MAX }; /* of a stack that is no router of the fabric: an adapter's port */

struct router_live {
	const struct router *now; /* NULL once removed */
	struct drops drops;
	struct reasm *reasm;
	struct icmp_limit *icmp;
	struct filters_live *filters;
	uint16_t ip_id;         /* of packets it makes */
	struct version version; /* bumped when a generation changes the router, its rules included, or one of its links goes up or down */
};

/* An application helper by port (filters/helper.h). */
enum { ROUTER_HELPERS = 8, ROUTER_HELPER_PORTS = 8 };

struct router_helper {
	uint16_t number; /* helper_find() */
	bool translate;  /* it also rewrites what it reads; with connections that got it by a rule, too */
	uint8_t n_ports;
	uint16_t ports[ROUTER_HELPER_PORTS]; /* of servers, host byte order: their connections get it */
};

/* IPv4, host byte order, both ends included. */
struct addr_range {
	uint32_t first, last;
};

struct balance;

struct router {
	char name[9];
	uint32_t slot;  /* in the generation; stable while the router exists */
	bool forward;
	bool control;   /* local packets that nothing here takes go to the control namespace */
	bool hairpin;   /* nat/hairpin.h */
	bool hidden;    /* addresses of interfaces that are hidden too are answered for by ARP on their own interface only */
	struct iface **ifaces; /* by slot; [0] is NULL, holes are NULL; [1] is lo */
	size_t n_ifaces;       /* size of that array */
	struct fib *fib;
	struct tunables tunables;
	const struct ruleset *rules; /* NULL: none */
	struct router_helper helpers[ROUTER_HELPERS];
	uint8_t n_helpers;
	/*
	 * Addresses that are no interface's and that it answers for, as those it translates to: in ARP on the LANs that they lie in. An adapter
	 * that is shared will have to register them in its address table as well. Ascending, apart.
	 */
	struct addr_range *proxied;
	size_t n_proxied;
	struct balance *balance; /* services that are spread over workers (nat/balance.h); NULL: none */
	struct router_live *live;
};

static inline const struct iface *
router_iface(const struct router *r, uint16_t slot)
{
	return slot < r->n_ifaces ? r->ifaces[slot] : NULL;
}

const struct iface *router_iface_named(const struct router *r, const char *name);

/* One of r->proxied. */
bool router_answers_for(const struct router *r, const struct ip_addr *a);
/* The source of a packet that is made here for `to`: *from if it is set, else as the route has it. => 0, -ENETUNREACH, -EADDRNOTAVAIL. */
int router_source_for(const struct router *r, const struct ip_addr *to, struct ip_addr *from);

/*
 * The address a packet made here takes when it leaves by `out` for `nexthop`: the interface's sourcevipa; else the route's
 * preferred source (AF_UNSPEC or `preferred`); else the first address of `out` whose network or peer holds `nexthop`; else the
 * first address of `out`; else the first address of a dummy interface, else of any other (as inet_select_addr does for
 * unnumbered links). => AF_UNSPEC when the router has no address of the family.
 */
struct ip_addr router_source(const struct router *r, const struct iface *out, const struct ip_addr *nexthop,
		const struct ip_addr *preferred);

#endif
