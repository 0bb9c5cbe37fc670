/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that make diff_actions(). */
#ifndef FABRIC_KEEPER_DIFF_SAY_H
#define FABRIC_KEEPER_DIFF_SAY_H

#include "fabric/keeper/diff.h"

struct diff {
	json_t *actions;
	const struct cfg_node *from, *to; /* the node at hand */
};

/* One sentence. */
void diff_say(struct diff *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "router" or "guest". */
const char *diff_node_word(const struct cfg_node *n);

/* Adapters that are added, removed or changed. */
void diff_osas(struct diff *d, const struct config *from, const struct config *to);
/* What an interface asks of its adapter now. */
void diff_sharer(struct diff *d, const struct cfg_iface *was, const struct cfg_iface *is);

#endif
