/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that come and go. */
#include "fabric/cli/draft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINK_MTU = 1492, DUMMY_MTU = 1500 };

static bool
touches(const struct ip_prefix *p, const struct ip_prefix *net)
{
	return p->addr.family == AF_INET && p->len > 0 &&
			(prefix_contains(net, &p->addr) || prefix_contains(p, &net->addr));
}

bool
edit_pair_is_free(const struct config *c, uint32_t network_be)
{
	const struct ip_prefix net = {.addr = ip4(network_be), .len = 24};

	for (size_t i = 0; i < c->n_nodes; i++) {
		const struct cfg_node *n = &c->nodes[i];

		for (size_t k = 0; k < n->n_ifaces; k++) {
			const struct cfg_iface *f = &n->ifaces[k];
			const struct ip_prefix peer = {.addr = f->peer, .len = 32};

			for (size_t a = 0; a < f->n_addresses; a++) {
				const struct ip_prefix host = {.addr = f->addresses[a].addr, .len = 32};

				if (touches(&host, &net))
					return false;
			}
			if (touches(&peer, &net))
				return false;
		}
	}
	return true;
}

/* => 0 with addresses for both ends. */
static int
choose_pair(struct edit *e, const struct edit_guest *g, struct ip_prefix *guest, struct ip_addr *router)
{
	*guest = g->address;
	*router = g->peer;
	if (ip_is_set(&g->address.addr)) {
		uint32_t host = ntohl(g->address.addr.v4) & 3;

		if (!ip_is_set(router) && g->address.addr.family == AF_INET)
			*router = ip4(g->address.addr.v4 ^ htonl(host == 1 || host == 2 ? 3 : 1));
		return ip_is_set(router) ? 0 : edit_refuse(e, -EINVAL, "an IPv6 address needs --peer as well");
	}
	if (ip_is_set(router))
		return edit_refuse(e, -EINVAL, "--peer needs --address as well");
	for (uint32_t net = 0x0a000000; net < 0x0b000000; net += 256) {
		if (!edit_pair_is_free(e->c, htonl(net)))
			continue;
		*router = ip4(htonl(net + 1));
		*guest = (struct ip_prefix){.addr = ip4(htonl(net + 2)), .len = 32};
		return 0;
	}
	return edit_refuse(e, -ENOSPC, "no address pair of 10.0.0.0/8 is free; give --address");
}

static int
add_address(struct edit *e, struct cfg_iface *f, const struct ip_prefix *p)
{
	struct ip_prefix *at = edit_append(e, &f->addresses, &f->n_addresses, sizeof(*at));

	if (!at)
		return -ENOMEM;
	*at = *p;
	return 0;
}

static struct cfg_iface *
add_iface(struct edit *e, struct cfg_node *n, enum cfg_iface_kind kind, const char *name,
		const char *target, uint32_t mtu)
{
	struct cfg_iface *f = edit_append(e, &n->ifaces, &n->n_ifaces, sizeof(*f));

	if (!f)
		return NULL;
	f->kind = kind;
	f->mtu = mtu;
	f->up = true;
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->target, sizeof(f->target), "%s", target);
	return f;
}

/* iucv0, iucv1, ...: the first that the node does not use. */
static void
free_iface_name(const struct cfg_node *n, enum cfg_iface_kind kind, char *name)
{
	for (unsigned i = 0;; i++) {
		snprintf(name, IFACE_NAME, "%s%u", kind == CFG_CTC ? "ctc" : "iucv", i);
		if (!edit_iface_of(n, name))
			return;
	}
}

/* The new link takes the MTU of the router's last link of this kind. */
static uint32_t
link_mtu(const struct cfg_node *router, enum cfg_iface_kind kind)
{
	for (size_t i = router->n_ifaces; i-- > 0;) {
		if (router->ifaces[i].kind == kind)
			return router->ifaces[i].mtu;
	}
	return LINK_MTU;
}

static int
connect_router(struct edit *e, struct cfg_node *guest, const struct edit_guest *g)
{
	struct cfg_node *router = edit_named(e->c, g->router);
	struct ip_prefix ours, theirs, everywhere = {0};
	struct cfg_iface *near, *far;
	char name[IFACE_NAME];
	uint32_t mtu = link_mtu(router, g->kind);
	int err = choose_pair(e, g, &ours, &theirs.addr);

	if (err < 0)
		return err;
	theirs.len = (uint8_t)ip_bits(&theirs.addr);
	free_iface_name(guest, g->kind, name);
	near = add_iface(e, guest, g->kind, name, router->name, mtu);
	free_iface_name(router, g->kind, name);
	far = add_iface(e, router, g->kind, name, guest->name, mtu);
	if (!near || !far || add_address(e, near, &ours) < 0 || add_address(e, far, &theirs) < 0)
		return edit_no_memory(e);
	near->peer = theirs.addr;
	far->peer = ours.addr;
	everywhere.addr.family = theirs.addr.family;
	if (edit_hop_route(e, guest, &everywhere, &theirs.addr, near->name) < 0)
		return edit_no_memory(e);
	if (ip_is_set(&g->vipa.addr) && edit_hop_route(e, router, &g->vipa, &ours.addr, name) < 0)
		return edit_no_memory(e);
	return 0;
}

static int
join_lan(struct edit *e, struct cfg_node *guest, const struct cfg_lan *lan, const struct edit_guest *g)
{
	static const struct ip_prefix everywhere = {.addr = {.family = AF_INET}};
	struct cfg_iface *f;

	if (!ip_is_set(&g->address.addr))
		return edit_refuse(e, -EINVAL, "a guest on a LAN needs --address ADDRESS/LENGTH");
	f = add_iface(e, guest, CFG_LAN, "eth0", lan->name, lan->mtu);
	if (!f || add_address(e, f, &g->address) < 0)
		return edit_no_memory(e);
	if (ip_is_set(&g->peer) && edit_hop_route(e, guest, &everywhere, &g->peer, "eth0") < 0)
		return edit_no_memory(e);
	return 0;
}

static int
add_vipa(struct edit *e, struct cfg_node *guest, const struct ip_prefix *vipa)
{
	struct cfg_iface *dummy;

	if (!ip_is_set(&vipa->addr))
		return 0;
	dummy = add_iface(e, guest, CFG_DUMMY, "dummy0", "", DUMMY_MTU);
	return dummy && add_address(e, dummy, vipa) == 0 ? 0 : -ENOMEM;
}

/* The lines are only printed, so the configuration may point to the caller's. */
static int
add_programs(struct edit *e, struct cfg_node *guest, const struct edit_guest *g)
{
	for (size_t i = 0; i < g->n_run; i++) {
		char **line = edit_append(e, &guest->run, &guest->n_run, sizeof(*line));

		if (!line)
			return -ENOMEM;
		*line = (char *)g->run[i];
	}
	return 0;
}

static int
check_new_guest(struct edit *e, const struct edit_guest *g)
{
	const struct cfg_node *twin = edit_named(e->c, g->name), *router;

	if (twin)
		return edit_refuse(e, -EEXIST, "there is a node '%s' already", twin->name);
	if (strlen(g->name) >= NODE_NAME)
		return edit_refuse(e, -EINVAL, "'%s' is no name for a guest: it has more than 8 characters", g->name);
	if (!g->router == !g->lan)
		return edit_refuse(e, -EINVAL, "a guest needs either --to ROUTER or --lan LAN");
	if (g->lan && !config_lan(e->c, g->lan))
		return edit_refuse(e, -ENOENT, "there is no LAN '%s'", g->lan);
	if (g->simulated && g->n_run > 0)
		return edit_refuse(e, -EINVAL, "a simulated guest runs no programs");
	if (!g->router)
		return 0;
	router = edit_node(e, g->router);
	if (!router)
		return -ENOENT;
	if (router->kind != CFG_ROUTER)
		return edit_refuse(e, -EINVAL, "%s is a guest, not a router", router->name);
	return 0;
}

int
edit_add_guest(struct edit *e, const struct edit_guest *g)
{
	struct cfg_node *guest;
	int err = check_new_guest(e, g);

	if (err < 0)
		return err;
	edit_name_far_ends(e->c);
	guest = edit_append(e, &e->c->nodes, &e->c->n_nodes, sizeof(*guest));
	if (!guest)
		return edit_no_memory(e);
	snprintf(guest->name, sizeof(guest->name), "%s", g->name);
	guest->kind = g->simulated ? CFG_GUEST_SIMULATED : CFG_GUEST_NETNS;
	err = g->router ? connect_router(e, guest, g) : join_lan(e, guest, config_lan(e->c, g->lan), g);
	if (err < 0)
		return err;
	if (add_vipa(e, guest, &g->vipa) < 0 || add_programs(e, guest, g) < 0)
		return edit_no_memory(e);
	edit_relink(e->c);
	return 0;
}

/* True when the address is one of the node's. */
static bool
owns_address(const struct cfg_node *n, const struct ip_addr *a)
{
	for (size_t i = 0; i < n->n_ifaces; i++) {
		for (size_t k = 0; k < n->ifaces[i].n_addresses; k++) {
			if (ip_equal(&n->ifaces[i].addresses[k].addr, a))
				return true;
		}
	}
	return false;
}

/* Next hops that are the guest or lead to it go; and so does a route that has none left. */
static void
forget_routes(struct cfg_node *n, const char *dev, const struct cfg_node *guest)
{
	for (size_t i = n->n_routes; i-- > 0;) {
		struct cfg_route *r = &n->routes[i];

		if (r->type != CFG_ROUTE_UNICAST)
			continue;
		for (size_t k = r->n_hops; k-- > 0;) {
			bool through = dev && strcmp(r->hops[k].dev, dev) == 0;

			if (through || (ip_is_set(&r->hops[k].via) && owns_address(guest, &r->hops[k].via)))
				edit_drop(r->hops, &r->n_hops, k, sizeof(*r->hops));
		}
		if (r->n_hops == 0)
			edit_drop(n->routes, &n->n_routes, i, sizeof(*r));
	}
}

static void
forget_rules(struct cfg_node *n, const char *dev)
{
	for (size_t i = n->n_rules; i-- > 0;) {
		if (strcmp(n->rules[i].iif, dev) == 0)
			edit_drop(n->rules, &n->n_rules, i, sizeof(*n->rules));
	}
}

static void
forget_guest(struct cfg_node *n, const struct cfg_node *guest)
{
	forget_routes(n, NULL, guest);
	for (size_t i = n->n_ifaces; i-- > 0;) {
		struct cfg_iface *f = &n->ifaces[i];
		char name[IFACE_NAME];

		if ((f->kind != CFG_IUCV && f->kind != CFG_CTC) || strcasecmp(f->target, guest->name) != 0)
			continue;
		memcpy(name, f->name, sizeof(name));
		forget_routes(n, name, guest);
		forget_rules(n, name);
		edit_drop(n->ifaces, &n->n_ifaces, i, sizeof(*f));
	}
}

/* Its addresses in static tables go with it. */
static void
forget_entries(struct config *c, const struct cfg_node *guest)
{
	for (size_t n = 0; n < c->n_osas; n++) {
		struct cfg_osa *o = &c->osas[n];

		for (size_t i = o->n_table; i-- > 0;) {
			if (strcasecmp(o->table[i].node, guest->name) == 0)
				edit_drop(o->table, &o->n_table, i, sizeof(*o->table));
		}
	}
}

int
edit_remove_guest(struct edit *e, const char *name)
{
	struct config *c = e->c;
	struct cfg_node *guest = edit_node(e, name);
	size_t at;

	if (!guest)
		return -ENOENT;
	if (guest->kind == CFG_ROUTER)
		return edit_refuse(e, -EINVAL, "%s is a router; only guests are removed this way", guest->name);
	edit_name_far_ends(c);
	at = (size_t)(guest - c->nodes);
	for (size_t i = 0; i < c->n_nodes; i++) {
		if (i != at)
			forget_guest(&c->nodes[i], guest);
	}
	forget_entries(c, guest);
	edit_drop(c->nodes, &c->n_nodes, at, sizeof(*guest));
	edit_relink(c);
	return 0;
}
