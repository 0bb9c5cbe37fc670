/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference of two configurations as sentences: "add guest tux1", "change router vmlinux4:
 * ...". */
#ifndef FABRIC_KEEPER_DIFF_H
#define FABRIC_KEEPER_DIFF_H

#include "fabric/control/config.h"

#include <jansson.h>

/* => array of texts, empty when nothing would change; or NULL: out of memory. */
json_t *diff_actions(const struct config *from, const struct config *to);

#endif
