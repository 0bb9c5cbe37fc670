/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/live.h"

#include "filters/conntrack.h"
#include "filters/named.h"
#include "filters/sets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct filters_live *
filters_live_new(void)
{
	struct filters_live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->named = calloc(1, sizeof(*l->named));
	l->sets = sets_new();
	if (!l->named || !l->sets) {
		filters_live_free(l);
		return NULL;
	}
	return l;
}

void
filters_live_end(struct filters_live *l, struct env *env)
{
	if (l->conntrack)
		conntrack_free(l->conntrack, env);
	l->conntrack = NULL;
}

void
filters_live_free(struct filters_live *l)
{
	if (!l)
		return;
	assert(!l->conntrack && (!l->named || LIST_EMPTY(l->named)));
	if (l->sets)
		sets_free(l->sets);
	free(l->named);
	free(l->sets_text);
	free(l);
}

struct named *
named_get(struct named_list *l, enum named_kind kind, const char *name)
{
	struct named *n;

	LIST_FOREACH(n, l, link)
		if (n->kind == kind && strcmp(n->name, name) == 0) {
			n->refs++;
			return n;
		}
	return NULL;
}

void
named_add(struct named_list *l, struct named *n)
{
	n->refs = 1;
	LIST_INSERT_HEAD(l, n, link);
}

void
named_put(struct named *n)
{
	if (--n->refs > 0)
		return;
	LIST_REMOVE(n, link);
	n->free(n);
}
