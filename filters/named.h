/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables that rules share by a name: those of hashlimit and recent. A table lives while a rule refers to it; the next ruleset's rules of the same name get the same one.
 * The list is the control thread's; what a table holds is under the slow-way lock.
 */
#ifndef FILTERS_NAMED_H
#define FILTERS_NAMED_H

#include <sys/queue.h>

enum named_kind { NAMED_HASHLIMIT, NAMED_RECENT };

struct named {
	LIST_ENTRY(named) link;
	enum named_kind kind;
	char name[256];
	unsigned refs;
	void (*free)(struct named *n); /* frees the table that this is the first member of */
};

LIST_HEAD(named_list, named);

/* => the table with one more reference, or NULL: none of that kind and name. */
struct named *named_get(struct named_list *l, enum named_kind kind, const char *name);
/* A new one with one reference; kind, name and free are set. */
void named_add(struct named_list *l, struct named *n);
void named_put(struct named *n); /* frees it with the last one */

#endif
