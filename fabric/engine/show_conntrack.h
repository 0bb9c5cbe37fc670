/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_ENGINE_SHOW_CONNTRACK_H
#define FABRIC_ENGINE_SHOW_CONNTRACK_H

#include "fabric/engine/engine.h"

#include <jansson.h>

/*
 * Connections of a router (fabric/control/proto.h, "conntrack"): a page of them, their number, or the end of some or all. A page is
 * found under the slow lock and bounded, so a long table never holds up packets.
 */
json_t *show_conntrack(struct engine *e, const json_t *request);

#endif
