/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes of a node, as its namespace takes them.
 *
 * Two sources make the list: the routes of the configuration, and, for an interface with
 * `sourcevipa`, the route that its address brings along, which then has to carry the VIPA as source
 * and so is ours instead of the kernel's. Routes are the same when destination, table and metric
 * are. A change deletes what is gone, replaces what differs, and adds the rest; one that is there
 * stays, and one whose interface is down (the guest may have done that) is left out, as Linux
 * itself forgets it.
 */
#include "fabric/keeper/netns.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

typedef int route_visit(struct rtnl_route *route, void *arg);

/* True when `via` is on a network of the interface, so that the kernel finds it without being told.
 */
static bool
is_neighbour(const struct cfg_iface *iface, const struct ip_addr *via)
{
	if (ip_equal(&iface->peer, via))
		return true;
	for (size_t i = 0; i < iface->n_addresses; i++)
		if (iface->addresses[i].addr.family == via->family &&
			prefix_contains(&iface->addresses[i], via))
			return true;
	return false;
}

static void
add_hop(const struct cfg_node *node, const struct cfg_nexthop *hop, struct rtnl_route *out)
{
	const struct cfg_iface *iface = config_iface(node, hop->dev);
	struct ip_addr vipa;

	if (iface == NULL || !iface->up || out->n_hops == RTNL_HOPS_MAX)
		return;
	vipa = ns_source_vipa(node, iface);
	if (!ip_is_set(&out->src) && out->n_hops == 0)
		out->src = vipa;
	out->hops[out->n_hops++] = (struct rtnl_hop){
		.via = hop->via,
		.ifindex = if_nametoindex(hop->dev),
		.weight = hop->weight,
		.onlink = ip_is_set(&hop->via) && !is_neighbour(iface, &hop->via),
	};
}

/* => false when there is nothing to tell the kernel now. */
static bool
route_from_config(
	const struct cfg_node *node, const struct cfg_route *route, struct rtnl_route *out)
{
	memset(out, 0, sizeof(*out));
	if (route->to.addr.family != AF_INET)
		return false;
	out->to = route->to;
	out->type = route->type;
	out->table = route->table;
	out->metric = route->metric;
	out->mtu = route->mtu;
	out->src = route->src;
	for (size_t i = 0; i < route->n_hops; i++)
		add_hop(node, &route->hops[i], out);
	return route->type != CFG_ROUTE_UNICAST || out->n_hops > 0;
}

static bool
route_of_address(const struct cfg_node *node, const struct cfg_iface *iface, size_t i,
	struct rtnl_route *out)
{
	struct rtnl_address a = ns_address(node, iface, i, if_nametoindex(iface->name));
	struct ip_prefix host = {.addr = a.peer, .len = 32};

	memset(out, 0, sizeof(*out));
	if (!a.no_prefix_route || !iface->up || a.local.addr.family != AF_INET ||
		(a.local.len == 32 && !ip_is_set(&a.peer)))
		return false;
	out->to = ip_is_set(&a.peer) ? host : prefix_network(&a.local);
	out->type = CFG_ROUTE_UNICAST;
	out->table = 254;
	out->src = ns_source_vipa(node, iface);
	out->link_scope = true;
	out->hops[out->n_hops++] = (struct rtnl_hop){.ifindex = a.ifindex, .weight = 1};
	return true;
}

/* Calls `visit` for each route until one answers other than 0. => that answer, or 0. */
static int
each_route(const struct cfg_node *node, route_visit *visit, void *arg)
{
	struct rtnl_route route;
	int rc = 0;

	for (size_t i = 0; node != NULL && rc == 0 && i < node->n_ifaces; i++)
		for (size_t j = 0; rc == 0 && j < node->ifaces[i].n_addresses; j++)
			if (route_of_address(node, &node->ifaces[i], j, &route))
				rc = visit(&route, arg);
	for (size_t i = 0; node != NULL && rc == 0 && i < node->n_routes; i++)
		if (route_from_config(node, &node->routes[i], &route))
			rc = visit(&route, arg);
	return rc;
}

enum likeness { ROUTE_ABSENT, ROUTE_DIFFERS, ROUTE_SAME };

struct search {
	const struct rtnl_route *wanted;
	enum likeness found;
};

static int
compare(struct rtnl_route *route, void *arg)
{
	struct search *s = arg;

	if (route->table != s->wanted->table || route->metric != s->wanted->metric ||
		!prefix_equal(&route->to, &s->wanted->to))
		return 0;
	s->found = memcmp(route, s->wanted, sizeof(*route)) == 0 ? ROUTE_SAME : ROUTE_DIFFERS;
	return 1;
}

static enum likeness
look_for(const struct cfg_node *node, const struct rtnl_route *wanted)
{
	struct search s = {.wanted = wanted, .found = ROUTE_ABSENT};

	each_route(node, compare, &s);
	return s.found;
}

struct change {
	struct rtnl *rtnl;
	const struct cfg_node *other;
	struct fault *why;
};

static int
route_fault(const struct rtnl_route *route, const char *verb, int rc, struct fault *why)
{
	char text[PREFIX_TEXT];

	return fault_set(why, rc, "cannot %s route %s: %s", verb, prefix_text(&route->to, text),
		strerror(-rc));
}

static int
delete_if_gone(struct rtnl_route *route, void *arg)
{
	struct change *c = arg;
	int rc;

	if (look_for(c->other, route) != ROUTE_ABSENT)
		return 0;
	rc = rtnl_route_delete(c->rtnl, route);
	return rc == 0 || rc == -ESRCH ? 0 : route_fault(route, "delete", rc, c->why);
}

/* Someone in there may have set an interface down or removed it: then the route waits for a better
 * time. */
static bool
has_live_hops(const struct rtnl_route *route)
{
	for (size_t i = 0; i < route->n_hops; i++)
		if (!rtnl_link_is_up(route->hops[i].ifindex))
			return false;
	return true;
}

static int
add_or_replace(struct rtnl_route *route, void *arg)
{
	struct change *c = arg;
	enum likeness before = look_for(c->other, route);
	int rc = rtnl_route_add(
		c->rtnl, route, before == ROUTE_DIFFERS ? RTNL_REPLACE : RTNL_CREATE);

	if (rc == 0 || rc == -EEXIST || before == ROUTE_SAME || !has_live_hops(route))
		return 0;
	return route_fault(route, "add", rc, c->why);
}

int
ns_routes_drop(
	struct rtnl *r, const struct cfg_node *from, const struct cfg_node *to, struct fault *why)
{
	struct change c = {.rtnl = r, .other = to, .why = why};

	return each_route(from, delete_if_gone, &c);
}

int
ns_routes_put(
	struct rtnl *r, const struct cfg_node *from, const struct cfg_node *to, struct fault *why)
{
	struct change c = {.rtnl = r, .other = from, .why = why};

	return each_route(to, add_or_replace, &c);
}
