/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_ENGINE_OSA_ADDRESSES_H
#define FABRIC_ENGINE_OSA_ADDRESSES_H

#include "fabric/engine/osa.h"

/*
 * Which addresses an interface on an adapter asks for by itself now: by policy, entries, links that are up. => 0 or -ENOMEM. The
 * list is to be freed either way.
 */
int osa_addresses(struct engine *e, const struct placement *place, const struct cfg_iface *i, struct asked **list, size_t *n);

#endif
