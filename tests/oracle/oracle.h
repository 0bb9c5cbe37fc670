/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle: one router as a Linux kernel namespace with real iptables, and as ours. Both get the same rules and the same packets; what comes out,
 * what does not, rule counters and connections must agree (docs/architecture.md).
 *
 * A case is a text of rules (iptables-save format), a text of sets (ipset save format), and packets. Everything is made from a seed.
 */
#ifndef TESTS_ORACLE_ORACLE_H
#define TESTS_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/virtio_net.h>

enum {
	IFACES = 3,         /* t0 inside, t1 outside, t2 dmz */
	LAN = 2,            /* the one with Ethernet frames; the others are point-to-point */
	FRAME_MAX = 2048,
	FRAMES_MAX = 64,    /* that one packet may cause */
	RULES_LINES = 4096,
	COUNTS_MAX = 4096,
	CONNS_MAX = 8192,
};

/* Whom an Ethernet frame names as its destination. */
enum frame_to { TO_ROUTER, TO_BROADCAST, TO_MULTICAST, TO_OTHER };

/* An IP packet; one that comes in by LAN has a header before it that frame_ether() makes. */
struct frame {
	uint8_t iface; /* 0 .. IFACES-1 */
	uint8_t from;  /* last byte of the MAC address 02:00:00:00:00:xx that sends it */
	uint8_t to;    /* enum frame_to */
	uint16_t len;
	_Alignas(8) uint8_t data[FRAME_MAX];
};

struct frames {
	unsigned n;
	struct frame f[FRAMES_MAX];
};

/* One rule's or one policy's counters. */
struct count {
	char table[12], chain[32];
	int rule; /* from 1; 0: the policy */
	uint64_t packets, bytes;
};

struct counts {
	unsigned n;
	struct count c[COUNTS_MAX];
};

struct conn_half {
	uint32_t src, dst;     /* network byte order */
	uint16_t sport, dport; /* host byte order; ICMP: id, type << 8 | code */
	uint64_t packets, bytes;
};

struct conn_row {
	uint8_t proto;
	struct conn_half half[2];
	char state[16]; /* TCP's name, else "" */
	bool seen_reply, assured;
	uint32_t mark;
	uint16_t zone; /* with its directions above: 1 orig only, 2 reply only */
	uint8_t zone_dir;
	int64_t timeout; /* s */
};

struct conns {
	unsigned n;
	struct conn_row c[CONNS_MAX];
};

enum { ETHER_LEN = 14 };

void frame_ether(const struct frame *f, uint8_t header[ETHER_LEN]);

/* One of the two routers. */
struct side {
	const char *name;
	/* Loads rules and sets; everything kept of before is gone. => 0, or -1 with why. */
	int (*load)(const char *rules, const char *sets, char *why, size_t size);
	/* => false: not a packet that this device takes. */
	bool (*inject)(const struct frame *in, struct frames *out);
	int (*counts)(struct counts *c);
	int (*conns)(struct conns *c);
};

extern const struct side kernel_side, our_side;

/* A packet as a device with offload has it: the virtio-net header says what is left to do. */
enum { SUPER_MAX = 65535, SUPERS_MAX = 8 };

struct super {
	uint8_t iface;
	struct virtio_net_hdr_v1 offload;
	uint32_t len;
	uint8_t data[SUPER_MAX];
};

/* => packets in out[SUPERS_MAX]; -1: the device does not take it. The kernel's side must be open with offload. */
int kernel_super(const struct super *in, struct super *out);
int our_super(const struct super *in, struct super *out);

enum kernel_variant { KERNEL_LEGACY, KERNEL_NFT };

/* A namespace with the router in it, into which this process goes. => false, with a message on stderr. */
bool kernel_open(enum kernel_variant variant);
/* The same with devices that take and give checksums and super-packets; kernel_side.inject() is not for them. */
bool kernel_open_offload(enum kernel_variant variant);
bool our_open(uint64_t seed);
void our_close(void);

/* Both sort so that the same things are in the same place. */
void counts_sort(struct counts *c);
void conns_sort(struct conns *c);

uint64_t oracle_now(void); /* ns, CLOCK_MONOTONIC */

#endif
