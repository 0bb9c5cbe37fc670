/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration in the course of being changed.
 *
 * What config_read() has made is one piece of memory that nothing can be taken from or added to. While it
 * is changed, an array that grows is therefore copied to memory of the edit, which lives until edit_end();
 * one that shrinks does so in place. Pointers between nodes and interfaces, and the indexes that the
 * configuration keeps for lookup by name, go stale with that: lookups here walk the arrays, and
 * edit_relink() sets the pointers again before the text is printed.
 */
#include "fabric/cli/draft.h"

#include "fabric/cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct edit_block {
	struct edit_block *next;
	_Alignas(16) char bytes[];
};

int
edit_refuse(struct edit *e, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->why, sizeof(e->why), format, ap);
	va_end(ap);
	return err;
}

int
edit_no_memory(struct edit *e)
{
	return edit_refuse(e, -ENOMEM, "out of memory");
}

void
edit_begin(struct edit *e, struct config *c)
{
	*e = (struct edit){.c = c};
}

void
edit_end(struct edit *e)
{
	while (e->blocks) {
		struct edit_block *b = e->blocks;

		e->blocks = b->next;
		free(b);
	}
}

static void *
allocate(struct edit *e, size_t size)
{
	struct edit_block *b = calloc(1, sizeof(*b) + size);

	if (!b)
		return NULL;
	b->next = e->blocks;
	e->blocks = b;
	return b->bytes;
}

/*
 * A new zeroed place at the end of an array. The array moves: the one there was is the configuration's own
 * and stays with it. NULL: no memory.
 */
void *
edit_append(struct edit *e, void *array, size_t *n, size_t size)
{
	char **base = array, *grown = allocate(e, (*n + 1) * size);

	if (!grown)
		return NULL;
	if (*n > 0)
		memcpy(grown, *base, *n * size);
	*base = grown;
	return grown + (*n)++ * size;
}

void
edit_drop(void *array, size_t *n, size_t at, size_t size)
{
	char *base = array;

	(*n)--;
	memmove(base + at * size, base + (at + 1) * size, (*n - at) * size);
}

/* config_node() knows the nodes that were read, not those that have moved since. */
struct cfg_node *
edit_named(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_nodes; i++) {
		if (strcasecmp(c->nodes[i].name, name) == 0)
			return &c->nodes[i];
	}
	return NULL;
}

struct cfg_iface *
edit_iface_of(const struct cfg_node *n, const char *name)
{
	for (size_t i = 0; i < n->n_ifaces; i++) {
		if (strcmp(n->ifaces[i].name, name) == 0)
			return &n->ifaces[i];
	}
	return NULL;
}

/*
 * Arrays move when they grow, and with them the pointers between nodes and interfaces go stale; the two
 * ends of a link find each other again by name, or as the only two between their nodes.
 */
static struct cfg_iface *
find_far(const struct config *c, const struct cfg_node *n, const struct cfg_iface *i)
{
	struct cfg_node *other = edit_named(c, i->target);

	for (size_t k = 0; other && k < other->n_ifaces; k++) {
		struct cfg_iface *f = &other->ifaces[k];
		bool named = !i->far_name[0] || strcmp(i->far_name, f->name) == 0;
		bool names_us = !f->far_name[0] || strcmp(f->far_name, i->name) == 0;

		if (f->kind == i->kind && f != i && named && names_us && strcasecmp(f->target, n->name) == 0)
			return f;
	}
	return NULL;
}

void
edit_relink(struct config *c)
{
	for (size_t i = 0; i < c->n_nodes; i++) {
		struct cfg_node *n = &c->nodes[i];

		n->by_name = NULL;
		for (size_t k = 0; k < n->n_ifaces; k++) {
			struct cfg_iface *f = &n->ifaces[k];

			f->node = n;
			f->far = f->kind == CFG_IUCV || f->kind == CFG_CTC ? find_far(c, n, f) : NULL;
		}
	}
}

/* Before anything moves, every link end is told the name of the other, so that edit_relink() cannot err. */
void
edit_name_far_ends(struct config *c)
{
	for (size_t i = 0; i < c->n_nodes; i++) {
		for (size_t k = 0; k < c->nodes[i].n_ifaces; k++) {
			struct cfg_iface *f = &c->nodes[i].ifaces[k];
			size_t same = 0;

			for (size_t m = 0; f->far && m < c->nodes[i].n_ifaces; m++)
				same += strcasecmp(c->nodes[i].ifaces[m].target, f->target) == 0 &&
						c->nodes[i].ifaces[m].kind == f->kind;
			if (same > 1)
				memcpy(f->far_name, f->far->name, sizeof(f->far_name));
		}
	}
}

struct cfg_node *
edit_node(struct edit *e, const char *name)
{
	const struct config *c = e->c;
	struct cfg_node *node = edit_named(c, name);
	const char *names[256], *near;
	size_t n = 0;

	if (node)
		return node;
	for (; n < c->n_nodes && n < 256; n++)
		names[n] = c->nodes[n].name;
	near = nearest(name, names, n);
	edit_refuse(e, -ENOENT, "there is no node '%s' in fabric '%s'%s%s%s", name, c->fabric,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return NULL;
}

struct cfg_iface *
edit_iface(struct edit *e, const char *node, const char *name)
{
	struct cfg_node *n = edit_node(e, node);
	struct cfg_iface *iface = n ? edit_iface_of(n, name) : NULL;
	const char *names[256], *near;
	size_t count = 0;

	if (!n || iface)
		return iface;
	for (; count < n->n_ifaces && count < 256; count++)
		names[count] = n->ifaces[count].name;
	near = nearest(name, names, count);
	edit_refuse(e, -ENOENT, "%s has no interface '%s'%s%s%s", n->name, name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return NULL;
}

int
edit_hop_route(struct edit *e, struct cfg_node *n, const struct ip_prefix *to, const struct ip_addr *via,
		const char *dev)
{
	struct cfg_nexthop *hop = allocate(e, sizeof(*hop));
	struct cfg_route *r = hop ? edit_append(e, &n->routes, &n->n_routes, sizeof(*r)) : NULL;

	if (!r)
		return -ENOMEM;
	*r = (struct cfg_route){.to = prefix_network(to), .hops = hop, .n_hops = 1, .table = 254};
	hop->via = *via;
	hop->weight = 1;
	snprintf(hop->dev, sizeof(hop->dev), "%s", dev);
	return 0;
}
