/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LAN: a multipoint segment of Ethernet frames among interfaces of routers, guests and devices, switched by learned MAC
 * addresses (IEEE 802.1D without spanning tree: inside a fabric there is one segment, and no loop). struct lan is
 * configuration, immutable; struct lan_live is the address table, under the slow-way lock.
 */
#ifndef FABRIC_LAN_LAN_H
#define FABRIC_LAN_LAN_H

#include "fabric/router/fabric.h"

struct lan_live;

struct lan {
	char name[16];
	uint32_t slot, mtu;
	struct attach *members; /* ATTACH_ROUTER, ATTACH_PORT, or an adapter's network side; ATTACH_NONE: a hole. Slots are stable. */
	size_t n_members;
	struct lan_live *live;
};

/* `limit` entries at most; addresses silent for `ageing` ns are forgotten when looked for. => NULL with errno ENOMEM. */
struct lan_live *lan_live_new(size_t limit, uint64_t ageing);
void lan_live_free(struct lan_live *l);
/* To be bumped when members change, or what was learned is forgotten. */
struct version *lan_version(struct lan_live *l);
/* New bounds. Entries beyond a smaller limit stay until they age. */
void lan_live_tune(struct lan_live *l, size_t limit, uint64_t ageing);

/* Takes a frame that member `from` sends: p->l2_len is set, the data starts at the Ethernet header. */
void lan_input(struct walker *w, const struct lan *lan, uint32_t from, struct pkt *p);
/* A member has gone: what was learned from it is forgotten. */
void lan_forget(struct lan_live *l, uint32_t member);

struct lan_mac {
	struct mac_addr mac;
	uint32_t member;
	uint64_t seen; /* ns, CLOCK_MONOTONIC */
};

/* Copies up to `max` learned addresses. => number there are. */
size_t lan_macs(const struct lan_live *l, struct lan_mac *out, size_t max);

#endif
