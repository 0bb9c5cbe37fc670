/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine as a child: found, started, ended. What is said to it is in offer.c. */
#ifndef FABRIC_KEEPER_ENGINE_CHILD_H
#define FABRIC_KEEPER_ENGINE_CHILD_H

#include "fabric/base/log.h"
#include "fabric/control/wire.h"
#include "fabric/keeper/fault.h"
#include "fabric/keeper/run_dir.h"

struct engine_child {
	char path[RUN_PATH];
	pid_t pid; /* 0: none */
	struct wire wire;
	int listener;         /* engine.sock: outlives engines */
	int64_t starts_ms[5]; /* of the latest starts after a crash */
};

/*
 * Looks for the program: `given`, else $ROOKERY_ENGINE, else beside this program, else in the
 * places of an installation around it. => 0, or -errno with `why`.
 */
int engine_child_find(struct engine_child *e, const char *given, struct fault *why);
/* => 0, or -errno with `why`. */
int engine_child_start(
	struct engine_child *e, const struct run_dir *d, enum log_level level, struct fault *why);
/* Closes its socket, waits at most `timeout_ms` for it, then kills it. */
void engine_child_end(struct engine_child *e, int timeout_ms);
/* Its end was seen: forgets it. */
void engine_child_gone(struct engine_child *e);
/* Counts a start after a crash. => false when it was the sixth within a minute. */
bool engine_child_may_restart(struct engine_child *e, int64_t now_ms);

#endif
