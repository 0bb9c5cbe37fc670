/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_ENGINE_SHOW_H
#define FABRIC_ENGINE_SHOW_H

#include "fabric/engine/serve.h"

struct listing {
	struct engine *engine;
	const char *node; /* only this one; NULL: all */
	bool all;         /* also what is zero */
	json_t *records;  /* an array to append to */
};

/* True when the listing is about `node` of the configuration. */
bool listing_wants(const struct listing *l, const char *node);
/* The next router that it is about, from *at (0: the first) on; NULL: no more. */
const struct router *listing_router(const struct listing *l, size_t *at);
/* Appends a record; takes it. */
void listing_add(struct listing *l, json_t *record);

void show_interfaces(struct listing *l);
void show_routes(struct listing *l);
void show_neighbours(struct listing *l);
void show_links(struct listing *l);
void show_guests(struct listing *l);
void show_drops(struct listing *l);
void show_lans(struct listing *l);
void show_macs(struct listing *l);
void show_tunables(struct listing *l);
void show_nat(struct listing *l);
void show_balance(struct listing *l);
void show_memory(struct listing *l);
void show_osas(struct listing *l);
void show_oat(struct listing *l);
void show_oat_drops(struct listing *l);

/* Resident memory of this process, bytes. */
size_t show_resident(void);

#endif
