/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_ENGINE_BUILD_H
#define FABRIC_ENGINE_BUILD_H

#include "fabric/engine/publish.h"

/* Where the far side of an interface is, in the slots of c->place. */
struct attach attach_of(const struct change *c, const struct cfg_iface *i, const struct placed_iface *pi);
/* Puts the router of `n` into c->next: a new one, or that of the generation before if nothing of it has changed. => 0 or -errno with c->why. */
int build_router(struct change *c, const struct cfg_node *n, struct placed_node *pn);
void router_free(struct router *r);

#endif
