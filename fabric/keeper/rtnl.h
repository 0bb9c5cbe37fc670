/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnetlink requests, each acknowledged by the kernel before the call returns. They act on the
 * network namespace that the caller was in at rtnl_open(). All => 0 or -errno, as the kernel says
 * it. Only IPv4 for now. Source of the message layouts: rtnetlink(7), linux/rtnetlink.h.
 */
#ifndef FABRIC_KEEPER_RTNL_H
#define FABRIC_KEEPER_RTNL_H

#include "fabric/base/addr.h"
#include "fabric/control/config.h"

struct mnl_socket;

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
};

int rtnl_open(struct rtnl *r);
void rtnl_close(struct rtnl *r);

/* What to set on a link; zero or NULL leaves a thing as it is. */
struct rtnl_link {
	const char *rename;
	const struct mac_addr *mac;
	uint32_t mtu, txqueuelen;
	int up; /* 1 up, -1 down, 0 as it is */
};

int rtnl_link_set(struct rtnl *r, unsigned ifindex, const struct rtnl_link *l);
/* True when the link is there and set up. */
bool rtnl_link_is_up(unsigned ifindex);

struct rtnl_address {
	unsigned ifindex;
	struct ip_prefix local;
	struct ip_addr peer;  /* of a point-to-point link, or AF_UNSPEC */
	bool no_prefix_route; /* the caller adds the route to the prefix or peer itself */
};

int rtnl_address_add(
	struct rtnl *r, const struct rtnl_address *a); /* one that is there is no error */
int rtnl_address_delete(struct rtnl *r, const struct rtnl_address *a);

enum { RTNL_HOPS_MAX = 64 };

struct rtnl_hop {
	struct ip_addr via; /* AF_UNSPEC: on link */
	unsigned ifindex;
	uint16_t weight; /* 1..256 */
	bool onlink;     /* `via` is a neighbour although no route of the interface says so */
};

struct rtnl_route {
	struct ip_prefix to;
	enum cfg_route_type type;
	uint32_t table, metric, mtu;
	struct ip_addr src;
	bool link_scope; /* the route that an address brings along */
	struct rtnl_hop hops[RTNL_HOPS_MAX];
	size_t n_hops;
};

enum rtnl_how { RTNL_CREATE, RTNL_REPLACE };

int rtnl_route_add(struct rtnl *r, const struct rtnl_route *route, enum rtnl_how how);
/* The route of this destination, table, metric, type and source, whatever its next hops are. */
int rtnl_route_delete(struct rtnl *r, const struct rtnl_route *route);

#endif
