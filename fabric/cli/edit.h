/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of a configuration in memory, for the live commands. A changed configuration is only good for
 * config_text(): it is read and checked again by whoever applies it, so an edit checks no more than what
 * it needs to be well-defined itself.
 *
 * Each change => 0, or -errno with a sentence in e->why; then the configuration may be half changed and is
 * to be thrown away.
 */
#ifndef FABRIC_CLI_EDIT_H
#define FABRIC_CLI_EDIT_H

#include "fabric/control/config.h"

struct edit {
	struct config *c;          /* borrowed; used by nobody else from edit_begin() to config_free() */
	struct edit_block *blocks; /* memory that the changed configuration points to */
	char why[256];
};

void edit_begin(struct edit *e, struct config *c);
/* Frees what the changes took. The configuration is then good for config_free() only. */
void edit_end(struct edit *e);

/* A guest to add, with one interface: a link to a router or a place on a LAN. */
struct edit_guest {
	const char *name;
	const char *router; /* link to it, or NULL */
	const char *lan;    /* LAN to join, or NULL */
	enum cfg_iface_kind kind; /* of the link: CFG_IUCV or CFG_CTC */
	bool simulated;
	struct ip_prefix address; /* of the guest; family AF_UNSPEC: chosen (links only) */
	struct ip_addr peer;      /* link: the router's address; LAN: the gateway. AF_UNSPEC: chosen, or none */
	struct ip_prefix vipa;    /* AF_UNSPEC: none */
	const char *const *run;
	size_t n_run;
};

/*
 * Adds the guest and, on a link, its default route and the router's end: an interface with the first unused name of its kind
 * (iucv0, iucv1, ...) and a host route to the VIPA through the guest. No interface there is is renamed.
 *
 * Addresses that are not given: the pair is 10.X.Y.1 for the router and 10.X.Y.2 for the guest, with the
 * lowest X.Y such that no address, peer or route of the fabric but a default route touches 10.X.Y.0/24.
 * With the guest's address alone, the router's is the other one of its /30 (or, for the outer two
 * addresses of the /30, of its /31).
 */
int edit_add_guest(struct edit *e, const struct edit_guest *g);
/*
 * Removes the guest, the far ends of its links, and the routes of others that led through these
 * interfaces or to its addresses as next hop.
 */
int edit_remove_guest(struct edit *e, const char *name);

struct edit_route {
	struct ip_prefix to;
	enum cfg_route_type type;
	struct ip_addr via;   /* AF_UNSPEC: none */
	const char *dev;      /* NULL: none */
	struct ip_addr src;   /* AF_UNSPEC: none */
	bool metric_given;    /* removal: only a route with this metric */
	uint32_t metric, table;
};

/* On a router or a guest. The same destination, table and metric twice is refused. */
int edit_add_route(struct edit *e, const char *node, const struct edit_route *r);
/* Exactly one route must match. What is not given (type unicast, via, dev, metric) matches all. */
int edit_remove_route(struct edit *e, const char *node, const struct edit_route *r);

int edit_set_up(struct edit *e, const char *node, const char *iface, bool up);
int edit_set_mtu(struct edit *e, const char *node, const char *iface, uint32_t mtu);
/* Of the fabric when `node` is NULL, else of that router. */
int edit_set_tunable(struct edit *e, const char *node, const char *name, int64_t value);

/* Adapters: see rookery.yaml(5). NULL: e->why says what is not there. `iface` NULL: its only one on this adapter. */
struct cfg_osa *edit_osa(struct edit *e, const char *name);
struct cfg_iface *edit_sharer(struct edit *e, const char *osa, const char *node, const char *iface);
/* For both protocols when `only` is NULL. Refused where roles are static (OSE). */
int edit_set_role(struct edit *e, struct cfg_iface *f, const enum osa_protocol *only, enum osa_role role);
/* Sets the interface up or down; refused by the name of whoever has its address or its role of primary router. */
int edit_set_online(struct edit *e, struct cfg_iface *f, bool online);
int edit_set_isolation(struct edit *e, struct cfg_iface *f, enum osa_isolation isolation);
/* The network side of the adapter, unplugged or plugged. */
int edit_set_network(struct edit *e, const char *osa, bool up);
/* In mode ose an entry of the static table, whatever the kind; else one of the stack's. The same VIPA or rxip twice is refused. */
int edit_oat_add(struct edit *e, struct cfg_iface *f, const struct ip_addr *addr, enum osa_entry kind);
/* One entry; of any kind when `kind` is NULL. */
int edit_oat_del(struct edit *e, struct cfg_iface *f, const struct ip_addr *addr, const enum osa_entry *kind);
/* Replaces the static table; `entries` must outlive the edit. */
int edit_set_table(struct edit *e, const char *osa, const struct cfg_oat_static *entries, size_t n);
int edit_ipato_add(struct edit *e, struct cfg_iface *f, const struct ip_prefix *prefix);
int edit_ipato_del(struct edit *e, struct cfg_iface *f, const struct ip_prefix *prefix);
/* Turns the list of a protocol into those that are not taken over, and back. */
int edit_ipato_invert(struct edit *e, struct cfg_iface *f, enum osa_protocol protocol);

/* Whether a new guest's /24 is untouched by all that the configuration says. */
bool edit_pair_is_free(const struct config *c, uint32_t network_be);

#endif
