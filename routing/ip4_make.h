/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers of packets that a router makes itself. */
#ifndef ROUTING_IP4_MAKE_H
#define ROUTING_IP4_MAKE_H

#include "fabric/base/csum.h"
#include "fabric/base/pkt.h"
#include "routing/router.h"

struct ip4_make {
	uint32_t src, dst; /* network byte order */
	uint8_t tos, ttl, proto;
	bool df;
};

/*
 * Writes an IPv4 header without options for a packet of `total` bytes, with the router's next id.
 */
static inline void
ip4_make(const struct router *r, struct iphdr *ip, uint16_t total, const struct ip4_make *m)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = m->tos,
		.tot_len = htons(total),
		.id = htons(r->live->ip_id++),
		.frag_off = m->df ? htons(IP_DF) : 0,
		.ttl = m->ttl,
		.protocol = m->proto,
		.saddr = m->src,
		.daddr = m->dst,
	};
	ip->check = ip4_checksum(ip);
}

#endif
