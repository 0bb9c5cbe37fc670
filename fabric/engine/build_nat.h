/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address translation's own keys of a router, from configuration to what packets see. Control thread. */
#ifndef FABRIC_ENGINE_BUILD_NAT_H
#define FABRIC_ENGINE_BUILD_NAT_H

#include "fabric/engine/engine.h"

/* Sets r->hairpin and r->balance. => 0 or -ENOMEM. */
int build_nat(const struct cfg_node *n, struct router *r);
/* Sets r->proxied, by the configuration and r->rules; the interfaces are there. => 0 or -ENOMEM. */
int build_proxied(const struct cfg_node *n, struct router *r);
/*
 * The router is published: tells its LANs of addresses that it answers for from now on, and did not in generation `was` (NULL: it is new), the
 * first ones if there are many. Under the slow lock; worker_run_queue() follows.
 */
void announce_proxied(struct engine *e, const struct router *was, const struct router *r);

#endif
