/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the edits share: memory, lookup, refusal. Private to edit*.c and draft.c. */
#ifndef FABRIC_CLI_DRAFT_H
#define FABRIC_CLI_DRAFT_H

#include "fabric/cli/edit.h"

/* Puts the sentence into e->why. => err */
int edit_refuse(struct edit *e, int err, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
/* => -ENOMEM */
int edit_no_memory(struct edit *e);

/* A new zeroed place at the end of `*array`, which moves. NULL: no memory. */
void *edit_append(struct edit *e, void *array, size_t *n, size_t size);
/* Takes place `at` out of `array`. */
void edit_drop(void *array, size_t *n, size_t at, size_t size);

/* NULL: no such node or interface; the two with an edit then name the nearest in e->why. */
struct cfg_node *edit_named(const struct config *c, const char *name);
struct cfg_iface *edit_iface_of(const struct cfg_node *n, const char *name);
struct cfg_node *edit_node(struct edit *e, const char *name);
struct cfg_iface *edit_iface(struct edit *e, const char *node, const char *name);

/* Before interfaces come or go: links that are one of several between two nodes name their far end. */
void edit_name_far_ends(struct config *c);
/* After that: owners and far ends are right again. */
void edit_relink(struct config *c);

/* A route of one next hop, table main, metric 0. => 0 or -ENOMEM */
int edit_hop_route(struct edit *e, struct cfg_node *n, const struct ip_prefix *to,
		const struct ip_addr *via, const char *dev);

#endif
