/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the keeper says to the engine: descriptors it lacks, then a configuration to apply
 * (fabric/control/proto.h). In order: offer_start(), any number of offer_guest() and
 * offer_osadevs(), offer_finish(), engine_apply(), and offer_mark_guest() when that went well.
 */
#ifndef FABRIC_KEEPER_OFFER_H
#define FABRIC_KEEPER_OFFER_H

#include "fabric/keeper/keeper.h"

/* Descriptors on their way, a frame's worth at a time. */
struct offer {
	struct keeper *k;
	json_t *names;
	int fds[WIRE_FDS_MAX];
	size_t n;
	int rc;
};

void offer_start(struct offer *o, struct keeper *k);
/* The ports that `node` asks for and the engine has not. */
void offer_guest(struct offer *o, const struct nsguest *g, const struct cfg_node *node);
void offer_osadevs(struct offer *o, const struct osadev *v, size_t n);
/* To be called in any case. => 0, or -errno with `why`. */
int offer_finish(struct offer *o, struct fault *why);

/* Waits for the answer. No bundle: routers keep their rules. => 0, or -errno with `why`: then the
 * engine does what it did before, or is gone. */
int engine_apply(struct keeper *k, const struct config *to, const struct bundle *bundle,
	const char *origin, uint64_t serial, struct fault *why);
/* Notes what the engine has: the ports that `node` asks for, and no more; none when it is NULL. */
void offer_mark_guest(struct nsguest *g, const struct cfg_node *node);
/* Has the engine, whatever it has, run what the keeper runs. => 0, or -errno with `why`. */
int offer_restore(struct keeper *k, struct fault *why);

#endif
