/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of exactly sized heap blocks, so that ASan sees every byte beyond, and an env that makes them. No EAL. */
#ifndef TESTS_UNIT_SUPPORT_HEAP_H
#define TESTS_UNIT_SUPPORT_HEAP_H

#include "fabric/base/env.h"

struct heap_env {
	struct env env;
	struct epoch epoch;
	unsigned live;  /* packets, and segments, that were made and not freed */
	unsigned limit; /* of `live`; more are refused. UINT_MAX at first */
};

void heap_env_init(struct heap_env *h);
/* A packet of these bytes in segments of `piece` bytes (0: one segment), descriptor reset. */
struct pkt *heap_packet(struct heap_env *h, const void *bytes, uint32_t len, uint32_t piece);

#endif
