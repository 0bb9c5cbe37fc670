/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the generation before had and the published one has not, in the two steps of its end. */
#ifndef FABRIC_ENGINE_RETIRE_H
#define FABRIC_ENGINE_RETIRE_H

#include "fabric/engine/publish.h"

struct retired {
	struct fabric *fabric;
	struct placement *place; /* NULL: there was none */
	struct config *config;
	struct engine_port **ports;
	size_t n_ports;
};

/* Finds the linked ports that `next` does not use. => 0 or -ENOMEM. */
int retire_find_ports(struct engine *e, const struct placement *next, struct retired *r);
/* Under the slow lock, e->placement being the next one (or NULL): unlinks; packets that wait there are dropped by name. */
void retire_unlink(struct engine *e, struct retired *r);
/* Waits for the grace period and frees. */
void retire_free(struct engine *e, struct retired *r);

#endif
