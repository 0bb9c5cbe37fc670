/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared adapters: from their configuration to the live objects of drivers/osa, and what they are told of links and guests. */
#ifndef FABRIC_ENGINE_OSA_H
#define FABRIC_ENGINE_OSA_H

#include "drivers/osa/adapter.h"
#include "fabric/control/wire.h"
#include "fabric/engine/publish.h"

/* Puts the adapters into c->next, and makes what adopt_adapters() needs, so that it cannot fail. => 0 or -errno with c->why. */
int change_adapters(struct change *c);
/* Under the slow lock, e->placement being the next one: sharers leave and join, roles and static tables change. */
void adopt_adapters(struct engine *e, const struct placement *old);
/* Under the slow lock: stacks that have come up or gone down, and the addresses that policies and links ask for. */
void adapters_update(struct engine *e, const struct placement *place);
/* Under the slow lock: adapters that are gone. Then, after a grace period, adapters_free(). */
void adapters_end(struct engine *e, const struct placement *old, const struct placement *next);
void adapters_free(const struct placement *old, const struct placement *next);

/* The MAC address that a router's interface on an adapter has. */
struct mac_addr osa_iface_mac(const struct config *c, const struct cfg_iface *i);
/* Under the slow lock: whether an adapter has a network now, for itself, its sharers and the links. */
void osa_network_changed(struct engine *e, const struct cfg_osa *o, const struct placed_osa *po);
/* The carrier of the device of adapter `name` has changed. */
void publish_osa_carrier(struct engine *e, const char *name, bool up);
/* The addresses that the guest behind a port ("GUEST/INTERFACE") really has. Takes the list. */
void publish_guest_addresses(struct engine *e, const char *port, struct ip_addr *list, size_t n);

/* {"op":"osa",...}: proto.h. */
json_t *osa_request(struct engine *e, const json_t *request);

#endif
