/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An OSA port: one network side, shared by the stacks of routers and guests. It lives as long as its name is in the
 * configuration, across generations; everything here is under the slow-way lock.
 *
 * Dispatch (OSA-11), by the destination address alone: registered -> that sharer; else the active primary router; else the
 * active secondary; else dropped as osa-no-entry. The IP header leaves as it came (OSA-12), and the port sends no ICMP (PRI-8).
 */
#ifndef DRIVERS_OSA_ADAPTER_H
#define DRIVERS_OSA_ADAPTER_H

#include "drivers/osa/sharer.h"
#include "fabric/router/fabric.h"
#include "routing/router.h"

enum {
	DISCARDS_KEPT = 64,    /* last addresses that nobody had */
	REFUSALS_KEPT = 64,    /* last registrations that were refused */
	SECONDARIES_MAX = 8,
	ADAPTER_NETWORK = 0xffffffff, /* in ATTACH_ADAPTER's `b`: the network side, not a sharer */
};

/* A destination that the port knew no owner of. */
struct discard {
	struct ip_addr to, from;
	uint16_t sharer;   /* who sent it inside the port; SHARER_NONE: it came from the network */
	uint16_t why;      /* enum drop_reason */
	uint64_t packets, last; /* ns, CLOCK_MONOTONIC */
};

/* A registration that the port refused. */
struct refusal {
	struct ip_addr addr;
	char sharer[OSA_HOLDER];
	struct osa_answer answer;
	uint64_t last; /* ns, CLOCK_MONOTONIC */
};

struct adapter_settings {
	enum osa_mode mode;
	uint8_t layer; /* 3: by addresses; 2: by MAC addresses */
	enum osa_profile profile;
	bool multicast_router; /* advertises that it takes that role */
	bool always_up;        /* sharers keep their carrier without a network */
	unsigned secondaries;  /* routers of that role at most, 1..SECONDARIES_MAX */
	struct mac_addr mac;
	uint32_t mtu;
};

struct adapter {
	char name[16];
	struct adapter_settings set;
	struct version version; /* table, roles, sharers, network side */
	struct oat *oat, *macs;  /* addresses; in layer 2 the sharers' MAC addresses */
	struct sharer **sharers; /* by slot; NULL: a hole */
	struct attach *targets;  /* by slot: where an active sharer's packets go; ATTACH_NONE: it is not active */
	size_t n_sharers, size_sharers;
	uint16_t primary[OSA_PROTOCOLS]; /* SHARER_NONE: nobody */
	uint16_t secondaries[OSA_PROTOCOLS][SECONDARIES_MAX]; /* in the order of their coming */
	unsigned n_secondaries[OSA_PROTOCOLS];
	uint16_t elected[OSA_PROTOCOLS]; /* who gets what is not registered: an active one of these, or SHARER_NONE */
	bool network_up;
	unsigned n_listeners; /* active sharers that are granted every frame */
	struct discard discards[DISCARDS_KEPT];
	unsigned n_discards;
	struct refusal refusals[REFUSALS_KEPT];
	unsigned n_refusals;
	uint64_t setips; /* SETIP commands received */
	struct timer probe_timer; /* armed while entries are tentative */
	/* the port's own place on the network: one interface, no address, no route; for ARP and for what waits for neighbours */
	struct router stack;
	struct router_live stack_live;
	struct iface port, *ports[3];
	struct iface_live port_live;
};

/* => NULL with errno. */
struct adapter *adapter_new(const char *name);
/* Unlinks: what waits for neighbours is dropped, timers end. No sharer is left. Afterwards only adapter_free(). */
void adapter_end(struct adapter *a, struct env *env);
/* Frees, after adapter_end() and a grace period; also one that was never used. */
void adapter_free(struct adapter *a);
/* Settings of the configuration, and tunables for the port's ARP. */
void adapter_set(struct adapter *a, struct env *env, const struct adapter_settings *set, const struct tunables *t);
/* Where the network is: ATTACH_LAN, ATTACH_PORT, or ATTACH_NONE. */
void adapter_connect(struct adapter *a, struct env *env, const struct attach *to);
/* The network side has gone down, or come up: STOPLAN or STARTLAN for all. */
void adapter_network(struct adapter *a, struct env *env, bool up);
/* Sharers see a carrier. */
static inline bool
adapter_carrier(const struct adapter *a)
{
	return a->network_up || a->set.always_up;
}

/* Room for a sharer at `slot`, so that adapter_join() cannot fail. => 0 or -ENOMEM. */
int adapter_reserve(struct adapter *a, uint16_t slot);
/* `slot` is free and reserved. */
void adapter_join(struct adapter *a, struct env *env, struct sharer *s, uint16_t slot);
/* Its registrations and roles end, static entries too; what it wants stays wanted. */
void adapter_leave(struct adapter *a, struct env *env, struct sharer *s);

/*
 * SETRTG. On success s->role says it, and a role that it had before ends. => 0; -EBUSY with 0xe010 or 0xe011 and the holder, nothing
 * is changed; -EINVAL with 0xe012: not a role of this kind of port, and the sharer has none now.
 */
int adapter_role(struct adapter *a, struct env *env, struct sharer *s, enum osa_protocol protocol, enum osa_role role,
		struct osa_answer *answer);

/* SETIP and DELIP as the port answers them, once, for sharer.c. `flags`: enum oat_flags. => enum osa_code. */
uint16_t adapter_setip(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr, uint8_t flags,
		struct osa_answer *answer);
uint16_t adapter_delip(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr);
/* Entries of the static table (OSE): owned by `s` whether it is active or not. The same codes. */
uint16_t adapter_static(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr, struct osa_answer *answer);

/* Without those: before they are loaded anew. */
void adapter_clear_static(struct adapter *a, struct env *env);

/* The sharer's stack has come up or gone down: for sharer.c. Registrations end with it, static entries and roles do not. */
void adapter_activity(struct adapter *a, struct env *env, struct sharer *s, bool active);
/* What sharer_set() has changed of an attached sharer: target, MAC address. */
void adapter_update(struct adapter *a, struct env *env, struct sharer *s);

/* A change of isolation. => enum osa_access_code. */
uint16_t adapter_isolate(struct adapter *a, struct env *env, struct sharer *s, enum osa_isolation isolation);

/* ---- the packet path ---- */

/*
 * Takes what comes from the network: a frame, p->l2_len set. => true: it is to go to *to (ATTACH_ROUTER or ATTACH_PORT), prepared
 * for it, and still the caller's; false: it is taken (dropped by name, answered, or copied to several).
 */
bool adapter_receive(struct walker *w, struct adapter *a, struct pkt *p, struct attach *to);
/*
 * Takes what sharer `slot` sends: an IP packet (of a guest: p->router is NULL, the next hop is found here), or a frame with p->l2_len
 * set where its stack does ARP itself. It leaves by the network, or goes to other sharers inside the port.
 */
void adapter_send(struct walker *w, struct adapter *a, uint16_t slot, struct pkt *p);

/* Copies up to `max` of the last discards (refusals), newest first. => number. */
size_t adapter_discards(const struct adapter *a, struct discard *out, size_t max);
size_t adapter_refusals(const struct adapter *a, struct refusal *out, size_t max);

#endif
