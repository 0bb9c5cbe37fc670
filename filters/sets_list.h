/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sets of a router, behind sets.h. A struct set is a name and a place that rules refer to; `swap`
 * exchanges what is in two places, and their names stay: a rule always means the set of the name it gave.
 */
#ifndef FILTERS_SETS_LIST_H
#define FILTERS_SETS_LIST_H

#include "fabric/base/version.h"
#include "filters/sets_data.h"

enum { SETS_MAX = 65535 };

struct set {
	struct set_list *list;
	uint32_t index; /* in the list */
	uint32_t refs;  /* rules */
	char name[SET_NAME];
	struct set_data *data;
	struct version version;
};

struct set_list {
	struct set **sets; /* holes are NULL */
	uint32_t n;        /* size in use */
	uint64_t random;   /* for initval */
};

struct set *set_list_find(const struct set_list *l, const char *name);
/* Into the first hole. => false: no memory. `s` is in no list. */
bool set_list_insert(struct set_list *l, struct set *s);
void set_list_remove(struct set_list *l, struct set *s);
void set_free(struct set *s);

#endif
