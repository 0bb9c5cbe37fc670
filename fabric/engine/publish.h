/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a configuration to what workers see: place, open ports, build, then publish all of it in one step, or nothing.
 *
 *   placement_new()   slots for everything, live objects for what is new           placement.c
 *   change_ports()    a port for each guest interface, device, control interface   ports.c
 *   change_build()    routers, LANs, where ports lead: the next struct fabric      build.c
 *   commit            under the slow lock: link ports, swap, retire                publish.c
 *
 * Until the commit nothing that a worker sees has changed, so a failure in any step just frees what was made.
 */
#ifndef FABRIC_ENGINE_PUBLISH_H
#define FABRIC_ENGINE_PUBLISH_H

#include "fabric/control/bundle.h"
#include "fabric/engine/engine.h"
#include "fabric/engine/placement.h"

/* Descriptors that the keeper has offered since the last change, by port name. */
struct offers {
	struct offer {
		char name[40];
		int fd;
	} *list;
	size_t n, size;
};

/* Takes the descriptor. => 0 or -ENOMEM (then it is closed). */
int offers_add(struct offers *o, const char *name, int fd);
/* => the descriptor, the caller's from now on, or -1. */
int offers_take(struct offers *o, const char *name);
/* Closes what was not taken and empties the list. */
void offers_clear(struct offers *o);

struct change {
	struct engine *engine;
	const struct config *config;
	struct placement *place;
	const struct placement *old;
	struct fabric *next;
	struct engine_port **opened; /* with their slots, not linked yet */
	size_t n_opened, size_opened;
	const struct bundle *bundle; /* rules of every router; NULL: they stay */
	char *why;
	size_t why_size;
};

/* Opens what is missing, by offers or by devargs; fills in the ports of the placement. => 0 or -errno with `why`. */
int change_ports(struct change *c, struct offers *offers);
/* => 0 or -errno with c->why. */
int change_build(struct change *c);
/* Frees a generation; routers that `keep` (NULL: nothing) shares stay. */
void fabric_free(struct fabric *f, const struct fabric *keep);

/*
 * Makes `config` (taken on success) the published configuration with number `serial`. `bundle` has the rules of its routers; NULL: each router
 * keeps those that it has. `offers` is emptied either way.
 * => 0; or -errno with a sentence in `why`, and nothing has changed.
 */
int publish(struct engine *e, struct config *config, const struct bundle *bundle, uint64_t serial, struct offers *offers, char *why,
		size_t size);
/* The generation without anything, at the start. */
int publish_empty(struct engine *e);
/* The workers have stopped: takes everything down. */
void publish_nothing(struct engine *e);

/* The guest behind a port ("GUEST/INTERFACE") has set its interface up or down. */
void publish_guest_state(struct engine *e, const char *port, bool up);

/* Both ends of an interface's link are up; an adapter has a network. */
bool link_is_up(struct engine *e, const struct placement *place, const struct cfg_iface *i);
/* Works out which links of routers are up, and bumps versions. Under the slow lock, by the control thread. */
void carriers_update(struct engine *e, const struct placement *place);
/*
 * Tells guests whether their links are up. Not under the slow lock: the kernel takes its own for all network devices, which someone
 * who removes a namespace may hold for tens of milliseconds.
 */
void carriers_tell(struct engine *e, const struct placement *place);

#endif
