/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection events for those who follow them (conntrack -E). A follower has a buffer of its own, filled under the slow lock and emptied by the
 * control thread; who reads too slowly loses events, is told how many, and holds up nobody.
 */
#ifndef FABRIC_ENGINE_EVENTS_H
#define FABRIC_ENGINE_EVENTS_H

#include "fabric/base/env.h"
#include "routing/router.h"

#include <sys/queue.h>

enum { EVENTS_BUFFER = 256 << 10 };

struct follower {
	LIST_ENTRY(follower) link;
	struct router_live *router; /* NULL: it is gone */
	char *text;                 /* lines "[NEW] ...", each with its NUL */
	size_t used;
	uint64_t lost;
	int wake_fd;                /* eventfd of the control thread */
	bool expect;                /* hears of expectations, not of connections */
};

/* => NULL with ENOMEM. */
struct follower *follower_new(struct router_live *router, int wake_fd, bool expect);
/* Hears from now on: its router tracks connections. Under the slow lock. */
void follower_join(struct follower *f);
/* Under the slow lock. */
void follower_leave(struct follower *f);
void follower_free(struct follower *f);
/* A router goes: its followers hear no more. Under the slow lock. */
void followers_end(struct router_live *router);
/* Exchanges the buffer for *spare (of EVENTS_BUFFER bytes). => bytes of text in *spare; *lost since the last time. Under the slow lock. */
size_t follower_take(struct follower *f, char **spare, uint64_t *lost);

#endif
