/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address table of one port (OAT): which sharer has registered which address. A plain table: who may register what, roles
 * and ARP are adapter.h's. A port in layer 2 has a second one, of MAC addresses: family AF_PACKET (oat_mac()). Under the slow-way lock.
 */
#ifndef DRIVERS_OSA_OAT_H
#define DRIVERS_OSA_OAT_H

#include "fabric/base/addr.h"
#include "fabric/control/osa.h"

enum { SHARER_NONE = 0xffff };

/* SETIP's flags (Linux qeth_core_mpc.h). */
enum oat_flags {
	OAT_VIPA = 0x01,     /* no gratuitous ARP */
	OAT_TAKEOVER = 0x02, /* was registered with takeover: do not fail on others' ARP */
	OAT_STATIC = 0x10,   /* ours: from the static table; stays when its owner goes */
	OAT_TENTATIVE = 0x20,/* ours: the LAN is being asked whether somebody else has it */
};

struct oat_entry {
	struct ip_addr addr;
	uint16_t sharer;
	uint8_t flags;   /* enum oat_flags */
	uint8_t probes;  /* ARP probes sent, while tentative */
	uint64_t since;  /* ns, CLOCK_MONOTONIC: registered */
};

struct oat;

/* A MAC address as a key. */
static inline struct ip_addr
oat_mac(const struct mac_addr *m)
{
	struct ip_addr a = {.family = AF_PACKET};

	memcpy(a.w, m, sizeof(*m));
	return a;
}

struct oat *oat_new(void); /* NULL with errno */
void oat_free(struct oat *t);
/* => the sharer that has the address, or SHARER_NONE. The packet path's question: addresses in network byte order. */
uint16_t oat_lookup4(const struct oat *t, uint32_t addr);
uint16_t oat_lookup(const struct oat *t, const struct ip_addr *addr); /* of any family; scope 0 */
/* NULL: not registered. The pointer holds until the table next changes. */
struct oat_entry *oat_find(const struct oat *t, const struct ip_addr *addr);
/* => 0; -EEXIST: somebody has it; -ENOMEM. */
int oat_add(struct oat *t, const struct oat_entry *e);
/* Another sharer takes it. */
void oat_move(struct oat *t, struct oat_entry *e, uint16_t sharer, uint8_t flags);
/* => 0 or -ENOENT. */
int oat_del(struct oat *t, const struct ip_addr *addr);
size_t oat_count(const struct oat *t);
size_t oat_count_of(const struct oat *t, uint16_t sharer);
/* All entries, in no order; holds until the table next changes. */
struct oat_entry *oat_entries(const struct oat *t, size_t *n);

#endif
