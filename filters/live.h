/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the filters of a router keep across rulesets and generations: connections, sets, and the tables that rules name. Lists are changed by
 * the control thread only; what they hold, and the lists as packets see them, under the slow-way lock.
 */
#ifndef FILTERS_LIVE_H
#define FILTERS_LIVE_H

#include "fabric/base/env.h"
#include "routing/router.h"

#include <sys/queue.h>

struct conntrack;
struct set_list;
struct named_list;
struct follower;

LIST_HEAD(followers, follower);

struct filters_live {
	struct conntrack *conntrack; /* NULL until a ruleset needs it */
	struct set_list *sets;       /* sets.h */
	char *sets_text;             /* the configuration that the sets were made from; NULL: none */
	struct followers followers;  /* of the engine: who follows its connections (conntrack -E) */
	struct named_list *named;    /* tables of hashlimit and recent, by kind and name (named.h) */
};

struct filters_live *filters_live_new(void); /* NULL: ENOMEM */
/* The router is unlinked: its connections go, and with them every timer. Under the slow-way lock. */
void filters_live_end(struct filters_live *l, struct env *env);
/* After a grace period, and after every ruleset of the router. */
void filters_live_free(struct filters_live *l);

#endif
