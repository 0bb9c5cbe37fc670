/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child that outlives the keeper for a moment, whatever ends it: it kills the engine if that is
 * still there and removes the run directory. It sleeps in read() on a pipe whose other end only the
 * keeper holds.
 */
#ifndef FABRIC_KEEPER_SWEEPER_H
#define FABRIC_KEEPER_SWEEPER_H

#include "fabric/keeper/run_dir.h"

#include <sys/types.h>

struct sweeper {
	pid_t pid;
	int pipe;
};

/* To be started before namespaces are entered. => 0, or -errno with `why`. */
int sweeper_start(struct sweeper *s, const struct run_dir *d, struct fault *why);
/* Tells which process the engine is now; 0: none. */
void sweeper_watch(const struct sweeper *s, pid_t engine);
/* Has it sweep now, and waits for that. */
void sweeper_end(struct sweeper *s);

#endif
