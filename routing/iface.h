/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces of a router. struct iface is configuration: immutable, part of a generation, shared by the generations
 * in which it did not change. struct iface_live is what happens: counters, link state, neighbours; it lives as
 * long as the interface does, across generations, and is touched under the slow-way lock only.
 */
#ifndef ROUTING_IFACE_H
#define ROUTING_IFACE_H

#include "fabric/base/addr.h"
#include "fabric/base/version.h"

struct neigh_table;
struct capture;
struct env;

enum iface_kind { IFACE_LOOPBACK, IFACE_DUMMY, IFACE_IUCV, IFACE_CTC, IFACE_OSA, IFACE_LAN };

/* Where the far side of an interface is. Read by the floors above routing only. */
enum attach_kind {
	ATTACH_NONE,   /* loopback, dummy, or a link whose far end is not there */
	ATTACH_ROUTER, /* the far end is interface `b` of router slot `a`, in memory */
	ATTACH_PORT,   /* port slot `a` */
	ATTACH_LAN,    /* member `b` of LAN slot `a` */
	ATTACH_ADAPTER,/* adapter slot `a`: its sharer slot `b`, or, seen from the network, ADAPTER_NETWORK */
	ATTACH_CONTROL,/* of a port: the control namespace's copy of interface `b` of router slot `a` */
};

struct attach {
	enum attach_kind kind;
	uint32_t a, b;
};

struct iface_addr {
	struct ip_prefix prefix; /* the address itself, host bits set, and the length of its network */
	struct ip_addr peer;     /* of a point-to-point link, or AF_UNSPEC */
};

struct counters {
	uint64_t rx_packets, rx_bytes, rx_drops; /* packets as on the wire: a super-packet counts its segments */
	uint64_t tx_packets, tx_bytes, tx_drops;
};

struct iface_live {
	struct counters count;
	bool carrier;              /* the far end is there and up */
	uint64_t carrier_since;    /* ns, CLOCK_MONOTONIC */
	uint64_t wakeups;          /* deliveries that found the far guest's port idle */
	struct neigh_table *neigh; /* NULL without ARP */
	struct capture *captures;  /* of the engine; NULL: nobody looks */
	struct version version;    /* link state */
};

struct iface {
	char name[16];
	uint16_t slot; /* in its router, from 1; also the ifindex that users see; stable while the interface exists */
	enum iface_kind kind;
	bool up;             /* as configured */
	bool point_to_point; /* no ARP, no broadcast, no multicast */
	bool log_martians, proxy_arp;
	bool hidden;       /* with the router's */
	bool assisted;     /* of an adapter that does its ARP: IP packets come and go */
	uint8_t rp_filter; /* 0 off, 1 strict, 2 loose */
	struct mac_addr mac;
	uint32_t mtu;
	struct iface_addr *addrs;
	size_t n_addrs;
	struct ip_addr sourcevipa; /* AF_UNSPEC: none */
	struct attach attach;
	uint32_t control_port; /* slot of its port in the router's control namespace; 0: none */
	struct iface_live *live;
};

/* A packet may leave by it: configured up and its far end is there. Loopback and dummies always. */
static inline bool
iface_usable(const struct iface *i)
{
	return i->up && (i->kind <= IFACE_DUMMY || i->live->carrier);
}

#endif
