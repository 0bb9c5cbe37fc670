/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/build.h"

#include "fabric/engine/build_nat.h"
#include "fabric/engine/osa.h"
#include "fabric/engine/rules.h"
#include "filters/helper.h"
#include "nat/balance.h"
#include "routing/neigh.h"

#include <errno.h>
#include <stdlib.h>

static const enum iface_kind iface_kinds[] = {
		[CFG_IUCV] = IFACE_IUCV,
		[CFG_CTC] = IFACE_CTC,
		[CFG_OSA] = IFACE_OSA,
		[CFG_LAN] = IFACE_LAN,
		[CFG_DUMMY] = IFACE_DUMMY,
};

static const enum route_type route_types[] = {
		[CFG_ROUTE_UNICAST] = ROUTE_UNICAST,
		[CFG_ROUTE_DISCARD] = ROUTE_DISCARD,
		[CFG_ROUTE_UNREACHABLE] = ROUTE_UNREACHABLE,
		[CFG_ROUTE_PROHIBIT] = ROUTE_PROHIBIT,
};

static void
iface_free(struct iface *i)
{
	if (!i)
		return;
	free(i->addrs);
	free(i);
}

void
router_free(struct router *r)
{
	if (!r)
		return;
	fib_free(r->fib);
	balance_free(r->balance);
	free(r->proxied);
	for (size_t i = 0; r->ifaces && i < r->n_ifaces; i++)
		iface_free(r->ifaces[i]);
	free(r->ifaces);
	free(r);
}

static struct ip_addr
sourcevipa_of(const struct cfg_iface *i)
{
	const struct cfg_iface *vipa = i->sourcevipa[0] ? config_iface(i->node, i->sourcevipa) : NULL;

	return vipa && vipa->n_addresses ? vipa->addresses[0].addr : (struct ip_addr){0};
}

/* => `to`, or NULL and it is freed. */
static struct iface *
with_addresses(struct iface *to, const struct ip_prefix *addresses, size_t n, const struct ip_addr *peer)
{
	if (!to)
		return NULL;
	to->addrs = calloc(n + 1, sizeof(*to->addrs));
	if (!to->addrs) {
		free(to);
		return NULL;
	}
	for (size_t a = 0; a < n; a++) {
		to->addrs[a].prefix = addresses[a];
		if (peer && peer->family == addresses[a].addr.family)
			to->addrs[a].peer = *peer;
	}
	to->n_addrs = n;
	return to;
}

static struct iface *
build_iface(const struct change *c, const struct cfg_iface *i, const struct placed_iface *pi)
{
	struct iface *to = calloc(1, sizeof(*to));

	if (!to)
		return NULL;
	*to = (struct iface){
			.slot = pi->slot,
			.kind = iface_kinds[i->kind],
			.up = i->up,
			.point_to_point = i->kind == CFG_IUCV || i->kind == CFG_CTC,
			.log_martians = i->log_martians,
			.proxy_arp = i->proxy_arp,
			.hidden = i->hidden,
			.assisted = i->kind == CFG_OSA && !config_iface_frames(c->config, i),
			.rp_filter = i->rp_filter,
			.mac = i->kind == CFG_OSA ? osa_iface_mac(c->config, i) : i->mac,
			.mtu = i->mtu,
			.sourcevipa = sourcevipa_of(i),
			.attach = i->kind == CFG_DUMMY ? (struct attach){0} : attach_of(c, i, pi),
			.control_port = pi->port,
			.live = pi->live,
	};
	memcpy(to->name, i->name, sizeof(to->name));
	return with_addresses(to, i->addresses, i->n_addresses, &i->peer);
}

static struct iface *
build_loopback(struct iface_live *live)
{
	struct ip_prefix address = {ip4(htonl(INADDR_LOOPBACK)), 8};
	struct iface *lo = calloc(1, sizeof(*lo));

	if (lo)
		*lo = (struct iface){.name = "lo", .slot = 1, .kind = IFACE_LOOPBACK, .up = true, .mtu = 65535, .live = live};
	return with_addresses(lo, &address, 1, NULL);
}

static uint16_t
slot_of(const struct change *c, const struct cfg_node *n, const char *name)
{
	const struct cfg_iface *i = config_iface(n, name);

	return i ? placed_iface(c->place, i)->slot : strcmp(name, "lo") == 0 ? 1 : 0;
}

static int
add_route(const struct change *c, const struct cfg_node *n, const struct cfg_route *from, struct route **routes,
		size_t *count)
{
	struct route *to = realloc(*routes, (*count + 1) * sizeof(*to));

	if (!to)
		return -ENOMEM;
	*routes = to;
	to += *count;
	*to = (struct route){
			.to = from->to,
			.type = route_types[from->type],
			.table = from->table,
			.metric = from->metric,
			.mtu = from->mtu,
			.src = from->src,
			.n_hops = from->n_hops,
			.hops = calloc(from->n_hops + 1, sizeof(*to->hops)),
	};
	if (!to->hops)
		return -ENOMEM;
	(*count)++;
	for (size_t h = 0; h < from->n_hops; h++)
		to->hops[h] = (struct nexthop){from->hops[h].via, slot_of(c, n, from->hops[h].dev), from->hops[h].weight};
	return 0;
}

static int
build_fib(const struct change *c, const struct cfg_node *n, struct router *r)
{
	struct route_rule *rules = calloc(n->n_rules + 1, sizeof(*rules));
	struct route *routes = NULL;
	size_t count = 0;
	int rc = rules ? 0 : -ENOMEM;

	for (size_t i = 0; i < r->n_ifaces && rc == 0; i++)
		rc = r->ifaces[i] ? routes_of_iface(r->ifaces[i], &routes, &count) : 0;
	for (size_t i = 0; i < n->n_routes && rc == 0; i++)
		rc = add_route(c, n, &n->routes[i], &routes, &count);
	for (size_t i = 0; i < n->n_rules && rc == 0; i++) {
		const struct cfg_rule *from = &n->rules[i];

		rules[i] = (struct route_rule){from->priority, from->from, from->to, slot_of(c, n, from->iif), from->tos,
				from->mark, from->mask, from->table};
	}
	if (rc == 0)
		rc = fib_new(routes, count, rules, n->n_rules, r->ifaces, r->n_ifaces, &r->fib);
	routes_free(routes, count);
	free(rules);
	return rc;
}

static void
set_tunables(struct tunables *t, const struct cfg_tunable *from, size_t n)
{
	enum tunable_id id;

	for (size_t i = 0; i < n; i++) {
		if (tunable_find(from[i].name, &id))
			t->value[id] = from[i].value;
	}
}

static_assert((int)CFG_HELPER_PORTS <= (int)ROUTER_HELPER_PORTS, "all of them are taken over");

static void
set_helpers(struct router *r, const struct cfg_node *n)
{
	for (size_t i = 0; i < n->n_helpers && r->n_helpers < ROUTER_HELPERS; i++) {
		const struct cfg_helper *from = &n->helpers[i];
		struct router_helper *h = &r->helpers[r->n_helpers++];

		h->number = helper_find(from->name, 0);
		h->translate = from->translate;
		h->n_ports = (uint8_t)from->n_ports;
		memcpy(h->ports, from->ports, sizeof(from->ports));
	}
}

static struct router *
build_frame(const struct change *c, const struct cfg_node *n, const struct placed_node *pn)
{
	struct router *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct router){.slot = pn->slot, .forward = n->forward, .control = n->control, .hidden = n->hidden, .live = pn->live, .n_ifaces = 2};
	memcpy(r->name, n->name, sizeof(r->name));
	for (size_t i = 0; i < n->n_ifaces; i++) {
		if (pn->ifaces[i].slot >= r->n_ifaces)
			r->n_ifaces = pn->ifaces[i].slot + 1u;
	}
	r->ifaces = calloc(r->n_ifaces, sizeof(struct iface *));
	if (!r->ifaces) {
		free(r);
		return NULL;
	}
	tunables_init(&r->tunables);
	set_tunables(&r->tunables, c->config->tunables, c->config->n_tunables);
	set_tunables(&r->tunables, n->tunables, n->n_tunables);
	set_helpers(r, n);
	return r;
}

static int
build_ifaces(const struct change *c, const struct cfg_node *n, const struct placed_node *pn, struct router *r)
{
	r->ifaces[1] = build_loopback(pn->lo);
	if (!r->ifaces[1])
		return -ENOMEM;
	for (size_t i = 0; i < n->n_ifaces; i++) {
		struct iface *f = build_iface(c, &n->ifaces[i], &pn->ifaces[i]);

		if (!f)
			return -ENOMEM;
		r->ifaces[f->slot] = f;
		if (f->kind < IFACE_OSA || f->assisted || f->live->neigh)
			continue;
		f->live->neigh = neigh_table_new(pn->live, f->slot);
		if (!f->live->neigh)
			return -ENOMEM;
	}
	return 0;
}

static bool
same_iface(const struct iface *x, const struct iface *y)
{
	if (!x || !y)
		return x == y;
	return x->attach.kind == y->attach.kind && x->attach.a == y->attach.a && x->attach.b == y->attach.b &&
	       x->control_port == y->control_port && x->live == y->live && x->assisted == y->assisted && mac_equal(&x->mac, &y->mac);
}

/* Nothing that a router is made of has changed. */
static bool
unchanged(const struct change *c, const struct cfg_node *n, const struct router *r, const struct router *old)
{
	const struct cfg_node *was = c->old ? config_node(c->old->config, n->name) : NULL;

	if (!was || !old || old->rules != r->rules || old->n_ifaces != r->n_ifaces || !config_node_equal(was, n))
		return false;
	if (memcmp(&old->tunables, &r->tunables, sizeof(r->tunables)) != 0)
		return false;
	for (size_t i = 0; i < r->n_ifaces; i++) {
		if (!same_iface(old->ifaces[i], r->ifaces[i]))
			return false;
	}
	return true;
}

/* The router of the generation before; NULL: this one is new. */
static struct router *
router_before(const struct change *c, const struct router *r)
{
	const struct fabric *now = atomic_load(&c->engine->fabric);
	struct router *old = r->slot < now->n_routers ? now->routers[r->slot] : NULL;

	return old && old->live == r->live ? old : NULL;
}

int
build_router(struct change *c, const struct cfg_node *n, struct placed_node *pn)
{
	struct router *r = build_frame(c, n, pn), *old;
	int rc;

	if (!r)
		return -ENOMEM;
	old = router_before(c, r);
	rc = build_ifaces(c, n, pn, r);
	if (rc == 0)
		rc = build_nat(n, r);
	if (rc == 0)
		rc = change_rules(c, n, pn, r, old);
	if (rc == 0)
		rc = build_proxied(n, r);
	if (rc == 0 && unchanged(c, n, r, old)) {
		router_free(r);
		c->next->routers[pn->slot] = old;
		return 0;
	}
	if (rc == 0)
		rc = build_fib(c, n, r);
	if (rc < 0) {
		release_rules(r, old);
		router_free(r);
		r = NULL;
	}
	c->next->routers[pn->slot] = r;
	return rc;
}
