/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet descriptor: what is known of a packet, found once and read by every stage.
 *
 * It lies in the private area of the packet's first mbuf, right behind struct rte_mbuf. The data of the mbuf
 * starts at the layer that is being handled: the Ethernet header on a LAN, the IP header in a router (the
 * Ethernet header it came with then lies before it while PKT_HAS_L2 is set). Super-packets are chains; all headers
 * up to and including layer 4 are contiguous in the first segment once pkt_parse() has accepted it.
 *
 * A packet has one owner at a time. Passing it to a function that "takes" it ends the caller's right to it.
 */
#ifndef FABRIC_BASE_PKT_H
#define FABRIC_BASE_PKT_H

#include "fabric/base/addr.h"
#include "fabric/base/drop.h"
#include "fabric/base/recorder.h"

#include <rte_mbuf.h>

#include <netinet/ip.h>
#include <sys/queue.h>

struct router;
struct iface;

enum {
	PKT_HEADROOM = 128,   /* free bytes before the data of a new packet */
	PKT_CONTIGUOUS = 256, /* this much, or all, of a packet from a port is in its first segment */
};

enum pkt_flags {
	PKT_HAS_L2 = 1 << 0,      /* the Ethernet header it came with lies before the data */
	PKT_BROADCAST = 1 << 1,   /* came or goes as link-layer broadcast */
	PKT_MULTICAST = 1 << 2,   /* the same, multicast */
	PKT_CSUM_PARTIAL = 1 << 3,/* layer 4 checksum holds the pseudo-header sum only; csum_start, csum_offset tell */
	PKT_CSUM_VALID = 1 << 4,  /* the port vouches for the layer 4 checksum */
	PKT_FRAGMENT = 1 << 5,    /* first, middle or last fragment */
	PKT_LATER_FRAGMENT = 1 << 6, /* not the first: no layer 4 header */
	PKT_OPTIONS = 1 << 7,     /* IPv4 options (or IPv6 extension headers) present */
	PKT_LOCAL = 1 << 8,       /* made by this router or its control namespace */
	PKT_REASSEMBLED = 1 << 9, /* frag_max holds the largest fragment */
	PKT_TRACE = 1 << 10,      /* -j TRACE: rules that it meets are logged */
	PKT_NO_SOCKET = 1 << 11,  /* with PKT_LOCAL: made by a rule, not by the stack (skb->sk NULL) */
};

enum pkt_gso { PKT_GSO_NONE = 0, PKT_GSO_TCP4 = 1, PKT_GSO_UDP = 3, PKT_GSO_TCP6 = 4, PKT_GSO_UDP_L4 = 5 }; /* as virtio */

struct pkt {
	STAILQ_ENTRY(pkt) queue; /* of its owner */

	/* where it is; pointers are of the present generation, and stale once the slow-way lock was let go */
	const struct router *router;
	const struct iface *in, *out; /* NULL: made here; not routed yet */
	struct recorder *recorder;    /* or NULL */

	/* parsed; valid while `family` is set */
	uint16_t family;   /* AF_INET, AF_INET6, 0: not parsed */
	uint16_t flags;    /* enum pkt_flags */
	uint16_t l3_len;   /* IP header with options: offset of layer 4 */
	uint16_t l4_len;   /* layer 4 header; 0 when there is none to read */
	uint8_t proto;     /* layer 4 protocol */
	uint8_t l2_len;    /* of the frame's header: at the front of the data on a LAN, before it in a router */
	uint8_t hook, stage; /* of the hook table: where a stolen packet goes on */
	uint8_t origin;      /* enum pkt_origin, while it waits in a worker's queue */
	uint16_t sport, dport; /* TCP, UDP, ...: network byte order. ICMP: type << 8 | code, and the echo id */

	/* offload, as the port gave it; offsets count from the IP header */
	uint8_t gso_type; /* enum pkt_gso */
	bool gso_ecn;
	uint16_t gso_size; /* payload of a segment */
	uint16_t csum_start, csum_offset;

	/* routing */
	uint16_t in_slot, out_slot; /* of a parked packet: interface slots, 0 none */
	uint16_t frag_max;          /* largest fragment of what was reassembled, with its header; 0 none */
	uint16_t hops;              /* routers crossed inside the fabric */
	uint32_t mtu;               /* of the way out: of the route, or of the interface */
	uint32_t mark;

	/* connection tracking of the router it is in (filters/conntrack.h); cleared when it leaves */
	uint32_t ct;         /* index of its connection, which it holds a reference to; 0: none */
	uint8_t ct_info;     /* enum ct_info */
	uint8_t ct_zone_dir; /* of the CT target: where the zone counts */
	uint16_t ct_zone;
	uint16_t ct_helper;  /* of the CT target; 0: none */

	struct ip_addr nexthop;
	struct mac_addr dst_mac;    /* for the frame, once the neighbour is known */
	uint16_t ether_type;        /* network byte order, of the frame to make */
};

STAILQ_HEAD(pkt_queue, pkt);

static inline struct rte_mbuf *
pkt_mbuf(const struct pkt *p)
{
	return (struct rte_mbuf *)((uintptr_t)p - sizeof(struct rte_mbuf));
}

static inline struct pkt *
pkt_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static inline uint32_t
pkt_len(const struct pkt *p)
{
	return pkt_mbuf(p)->pkt_len;
}

/* Bytes from the start of the data that are contiguous. */
static inline uint32_t
pkt_head_len(const struct pkt *p)
{
	return pkt_mbuf(p)->data_len;
}

static inline void *
pkt_data(const struct pkt *p)
{
	return rte_pktmbuf_mtod(pkt_mbuf(p), void *);
}

/* The IPv4 header of a parsed packet. */
static inline struct iphdr *
pkt_ip4(const struct pkt *p)
{
	return pkt_data(p);
}

/* The layer 4 header; only where l4_len > 0. */
static inline void *
pkt_l4(const struct pkt *p)
{
	return (uint8_t *)pkt_data(p) + p->l3_len;
}

static inline bool
pkt_is_gso(const struct pkt *p)
{
	return p->gso_type != PKT_GSO_NONE;
}

/* Size of the largest IP packet that leaves when this one is cut to its segment size; its length if it is none. */
static inline uint32_t
pkt_segment_len(const struct pkt *p)
{
	return pkt_is_gso(p) ? (uint32_t)p->l3_len + p->l4_len + p->gso_size : pkt_len(p);
}

/* Number of packets on the wire that this one stands for: interface counters count these. */
static inline uint32_t
pkt_segments(const struct pkt *p)
{
	uint32_t headers = (uint32_t)p->l3_len + p->l4_len;

	if (!pkt_is_gso(p) || p->gso_size == 0 || pkt_len(p) <= headers)
		return 1;
	return (pkt_len(p) - headers + p->gso_size - 1) / p->gso_size;
}

/* Sets every field to nothing, keeps offload fields out too. The data is not touched. */
void pkt_reset(struct pkt *p);

/*
 * Parses from the IP header on: version, lengths, header checksum (IPv4), options, fragment fields, layer 4 header
 * where it is whole. Trims link-layer padding. Checks offload fields against the headers. Layer 4 checksums are not
 * checked. => DROP_NONE and every parsed field set, or the reason; then the fields are not to be read.
 * A TCP or UDP header that does not fit is no error here: l4_len is 0.
 */
enum drop_reason pkt_parse(struct pkt *p);

/*
 * True when the layer 4 checksum of a parsed, whole packet holds, or is partial or vouched for. ICMP, TCP, UDP.
 * Other protocols: true.
 */
bool pkt_l4_checksum_ok(const struct pkt *p);
/* Completes a partial checksum in place (contiguous header, chained payload). Not for super-packets. */
void pkt_checksum_complete(struct pkt *p);

#endif
