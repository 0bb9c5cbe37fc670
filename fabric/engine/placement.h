/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where each object of a configuration lies in the engine: the slots of nodes, interfaces, LAN members and ports. One placement
 * belongs to one published configuration, its arrays in the order of the configuration's. An object that is in two
 * successive configurations keeps its slots. Control thread only.
 */
#ifndef FABRIC_ENGINE_PLACEMENT_H
#define FABRIC_ENGINE_PLACEMENT_H

#include "fabric/control/config.h"
#include "routing/router.h"

struct adapter;
struct set_list;
struct sharer;
struct sharer_settings;

struct placed_iface {
	uint16_t slot;            /* of a router's interface, from 2; 1 is lo */
	uint32_t port;            /* of a guest: its port; of a router: its port in the control namespace; 0 none */
	uint32_t member;          /* of a LAN; of an adapter: the sharer's slot */
	struct sharer *sharer;    /* CFG_OSA */
	struct sharer_settings *sharing; /* of this change, until it is published */
	struct iface_live *live;  /* of a router's interface */
	bool fresh;               /* not in the placement before: live belongs to this change until it is published */
};

struct placed_node {
	uint32_t slot; /* of a router */
	struct placed_iface *ifaces;
	struct router_live *live;
	struct iface_live *lo;
	struct set_list *sets; /* of this change, until it is published; then those before, until they are freed */
	char *sets_text;
	bool fresh;
};

struct placed_lan {
	uint32_t slot;
	uint32_t members_end;
	struct lan_live *live;
	bool fresh;
};

struct placed_osa {
	uint32_t slot;
	uint32_t port;   /* 0: on a LAN */
	uint32_t member; /* of that LAN */
	uint32_t sharers_end;
	struct adapter *adapter;
	bool device_down; /* its device has no carrier */
	bool unplugged;   /* by command */
	bool fresh;
};

struct placement {
	const struct config *config;
	struct placed_node *nodes;
	struct placed_lan *lans;
	struct placed_osa *osas;
	uint32_t routers_end, lans_end, osas_end; /* one above the highest slot in use */
};

/* Places `next`, keeping what `old` (NULL: nothing) has. Live objects are made for what is new. => NULL with errno. */
struct placement *placement_new(const struct config *next, const struct placement *old);
/* Frees the arrays; live objects that are `fresh` too when `unpublished`. */
void placement_free(struct placement *p, bool unpublished);

/* The place of a node, an interface, ... ; NULL: not in this placement. */
struct placed_node *placed_node(const struct placement *p, const char *name);
struct placed_iface *placed_iface(const struct placement *p, const struct cfg_iface *i);
struct placed_lan *placed_lan(const struct placement *p, const char *name);
struct placed_osa *placed_osa(const struct placement *p, const char *name);
/* The place in `old` of what is called the same. */
struct placed_iface *placed_before(const struct placement *old, const struct cfg_iface *i);

/* The LAN that an interface is on, the network side of an adapter is on; NULL: none. */
const struct cfg_lan *lan_of_iface(const struct config *c, const struct cfg_iface *i);
const struct cfg_lan *lan_of_osa(const struct config *c, const struct cfg_osa *o);

#endif
