/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes, interface settings and tunables. */
#include "fabric/cli/draft.h"

#include "fabric/base/tunable.h"
#include "fabric/cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
same_place(const struct cfg_route *a, const struct edit_route *r)
{
	return prefix_equal(&a->to, &r->to) && a->table == r->table;
}

/* => the node, or NULL with the edit's error. */
static struct cfg_node *
node_for_route(struct edit *e, const char *node, const struct ip_prefix *to)
{
	struct ip_prefix network = prefix_network(to);
	char given[PREFIX_TEXT], meant[PREFIX_TEXT];

	if (prefix_equal(to, &network))
		return edit_node(e, node);
	edit_refuse(e, -EINVAL, "%s has host bits set, expected %s", prefix_text(to, given), prefix_text(&network, meant));
	return NULL;
}

int
edit_add_route(struct edit *e, const char *node, const struct edit_route *r)
{
	struct cfg_node *n = node_for_route(e, node, &r->to);
	char text[PREFIX_TEXT];

	if (!n)
		return -ENOENT;
	if (r->type == CFG_ROUTE_UNICAST && !ip_is_set(&r->via) && !r->dev)
		return edit_refuse(e, -EINVAL, "a route needs 'via ADDRESS', 'dev INTERFACE' or 'discard'");
	if (r->dev && !edit_iface(e, node, r->dev))
		return -ENOENT;
	for (size_t i = 0; i < n->n_routes; i++) {
		if (same_place(&n->routes[i], r) && n->routes[i].metric == r->metric)
			return edit_refuse(e, -EEXIST, "%s has a route to %s with metric %u already", n->name,
					prefix_text(&n->routes[i].to, text), r->metric);
	}
	if (edit_hop_route(e, n, &r->to, &r->via, r->dev ? r->dev : "") < 0)
		return edit_no_memory(e);
	n->routes[n->n_routes - 1].type = r->type;
	n->routes[n->n_routes - 1].metric = r->metric;
	n->routes[n->n_routes - 1].table = r->table;
	n->routes[n->n_routes - 1].src = r->src;
	if (r->type != CFG_ROUTE_UNICAST)
		n->routes[n->n_routes - 1].n_hops = 0;
	return 0;
}

static bool
route_matches(const struct cfg_route *a, const struct edit_route *r)
{
	bool hop = !ip_is_set(&r->via) && !r->dev;

	if (!same_place(a, r) || (r->metric_given && a->metric != r->metric))
		return false;
	if (r->type != CFG_ROUTE_UNICAST)
		return a->type == r->type;
	for (size_t i = 0; i < a->n_hops && !hop; i++) {
		hop = (!ip_is_set(&r->via) || ip_equal(&a->hops[i].via, &r->via)) &&
				(!r->dev || strcmp(a->hops[i].dev, r->dev) == 0);
	}
	return hop;
}

int
edit_remove_route(struct edit *e, const char *node, const struct edit_route *r)
{
	struct cfg_node *n = node_for_route(e, node, &r->to);
	char text[PREFIX_TEXT];
	size_t found = 0, at = 0;

	if (!n)
		return -ENOENT;
	for (size_t i = 0; i < n->n_routes; i++) {
		if (route_matches(&n->routes[i], r)) {
			at = i;
			found++;
		}
	}
	if (found == 0)
		return edit_refuse(e, -ENOENT, "%s has no such route to %s in its configuration", n->name,
				prefix_text(&r->to, text));
	if (found > 1)
		return edit_refuse(e, -EINVAL, "%s has %zu routes to %s; say which: via, dev or metric", n->name,
				found, prefix_text(&r->to, text));
	edit_drop(n->routes, &n->n_routes, at, sizeof(*n->routes));
	return 0;
}

int
edit_set_up(struct edit *e, const char *node, const char *iface, bool up)
{
	struct cfg_iface *f = edit_iface(e, node, iface);

	if (!f)
		return -ENOENT;
	if (f->kind == CFG_OSA)
		return edit_set_online(e, f, up);
	f->up = up;
	return 0;
}

int
edit_set_mtu(struct edit *e, const char *node, const char *iface, uint32_t mtu)
{
	struct cfg_iface *f = edit_iface(e, node, iface);

	if (!f)
		return -ENOENT;
	f->mtu = mtu;
	return 0;
}

static int
check_tunable(struct edit *e, const char *name, int64_t value)
{
	const struct tunable *row = tunable_find(name, NULL);
	const char *names[TUNABLE_COUNT], *near;

	if (row && value >= row->min && value <= row->max)
		return 0;
	if (row)
		return edit_refuse(e, -ERANGE, "%s: %lld is not within %lld to %lld %s", name, (long long)value,
				(long long)row->min, (long long)row->max, row->unit);
	for (int i = 0; i < TUNABLE_COUNT; i++)
		names[i] = tunable_row(i)->name;
	near = nearest(name, names, TUNABLE_COUNT);
	return edit_refuse(e, -ENOENT, "there is no tunable '%s'%s%s%s", name, near ? "; did you mean '" : "",
			near ? near : "", near ? "'?" : "");
}

int
edit_set_tunable(struct edit *e, const char *node, const char *name, int64_t value)
{
	struct cfg_node *n = node ? edit_node(e, node) : NULL;
	struct cfg_tunable **list = n ? &n->tunables : &e->c->tunables, *t;
	size_t *count = n ? &n->n_tunables : &e->c->n_tunables;
	int err = check_tunable(e, name, value);

	if (node && !n)
		return -ENOENT;
	if (err < 0)
		return err;
	if (n && n->kind != CFG_ROUTER)
		return edit_refuse(e, -EINVAL, "%s is a guest; only routers have tunables", n->name);
	for (size_t i = 0; i < *count; i++) {
		if (strcmp((*list)[i].name, name) == 0) {
			(*list)[i].value = value;
			return 0;
		}
	}
	t = edit_append(e, list, count, sizeof(*t));
	if (!t)
		return edit_no_memory(e);
	t->name = (char *)tunable_find(name, NULL)->name;
	t->value = value;
	return 0;
}
