/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The next generation: LANs, and where each port leads. Routers: build_router.c. */
#include "fabric/engine/build.h"

#include "fabric/engine/osa.h"
#include "fabric/engine/rules.h"
#include "fabric/lan/lan.h"

#include <errno.h>
#include <stdlib.h>

static void
lan_free(struct lan *l)
{
	if (!l)
		return;
	free(l->members);
	free(l);
}

void
fabric_free(struct fabric *f, const struct fabric *keep)
{
	if (!f)
		return;
	for (size_t i = 0; f->routers && i < f->n_routers; i++) {
		const struct router *kept = keep && i < keep->n_routers ? keep->routers[i] : NULL;

		if (!f->routers[i] || f->routers[i] == kept)
			continue;
		release_rules(f->routers[i], kept);
		router_free(f->routers[i]);
	}
	for (size_t i = 0; f->lans && i < f->n_lans; i++)
		lan_free(f->lans[i]);
	free(f->routers);
	free(f->lans);
	free(f->adapters);
	free(f->ports);
	free(f);
}

struct attach
attach_of(const struct change *c, const struct cfg_iface *i, const struct placed_iface *pi)
{
	const struct cfg_lan *lan = lan_of_iface(c->config, i);

	if (lan)
		return (struct attach){ATTACH_LAN, placed_lan(c->place, lan->name)->slot, pi->member};
	if (i->kind == CFG_OSA)
		return (struct attach){ATTACH_ADAPTER, placed_osa(c->place, i->target)->slot, pi->member};
	if (i->far && i->far->node->kind == CFG_ROUTER)
		return (struct attach){ATTACH_ROUTER, placed_node(c->place, i->far->node->name)->slot,
				placed_iface(c->place, i->far)->slot};
	if (i->far)
		return (struct attach){ATTACH_PORT, placed_iface(c->place, i->far)->port, 0};
	return (struct attach){ATTACH_NONE, 0, 0};
}

static struct attach
member_of(const struct change *c, const struct cfg_iface *i, const struct placed_iface *pi)
{
	if (i->node->kind != CFG_ROUTER)
		return (struct attach){ATTACH_PORT, pi->port, 0};
	return (struct attach){ATTACH_ROUTER, placed_node(c->place, i->node->name)->slot, pi->slot};
}

static int
build_lan(struct change *c, const struct cfg_lan *from, const struct placed_lan *pl)
{
	struct lan *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = (struct lan){.slot = pl->slot, .mtu = from->mtu, .n_members = pl->members_end, .live = pl->live};
	memcpy(l->name, from->name, sizeof(l->name));
	l->members = calloc(l->n_members + 1, sizeof(*l->members));
	c->next->lans[pl->slot] = l;
	return l->members ? 0 : -ENOMEM;
}

static void
set_port(struct change *c, uint32_t port, struct attach to)
{
	if (port)
		c->next->ports[port] = to;
}

/* Each interface says where the packets of the ports behind it go. */
static void
attach_ports(struct change *c, const struct cfg_node *n, const struct cfg_iface *i)
{
	const struct placed_iface *pi = placed_iface(c->place, i);
	const struct cfg_lan *lan = lan_of_iface(c->config, i);
	struct attach self = {ATTACH_ROUTER, placed_node(c->place, n->name)->slot, pi->slot};

	if (lan)
		c->next->lans[placed_lan(c->place, lan->name)->slot]->members[pi->member] = member_of(c, i, pi);
	if (n->kind != CFG_ROUTER) {
		set_port(c, pi->port, attach_of(c, i, pi));
		return;
	}
	set_port(c, pi->port, (struct attach){ATTACH_CONTROL, self.a, self.b});
}

/* The network side of an adapter: what comes from there is the adapter's. */
static void
attach_network(struct change *c, const struct cfg_osa *o, const struct placed_osa *po)
{
	const struct cfg_lan *lan = lan_of_osa(c->config, o);
	struct attach self = {ATTACH_ADAPTER, po->slot, ADAPTER_NETWORK};

	if (lan)
		c->next->lans[placed_lan(c->place, lan->name)->slot]->members[po->member] = self;
	else
		set_port(c, po->port, self);
}

static size_t
ports_end(const struct change *c)
{
	size_t end = c->engine->ports_end;

	for (size_t i = 0; i < c->n_opened; i++) {
		if (c->opened[i]->slot >= end)
			end = c->opened[i]->slot + 1;
	}
	return end;
}

static int
build_tables(struct change *c)
{
	struct fabric *f = c->next;

	f->n_routers = c->place->routers_end;
	f->n_lans = c->place->lans_end;
	f->n_ports = ports_end(c);
	f->routers = calloc(f->n_routers + 1, sizeof(struct router *));
	f->lans = calloc(f->n_lans + 1, sizeof(struct lan *));
	f->ports = calloc(f->n_ports + 1, sizeof(*f->ports));
	return f->routers && f->lans && f->ports ? 0 : -ENOMEM;
}

int
change_build(struct change *c)
{
	const struct config *config = c->config;
	int rc;

	c->next = calloc(1, sizeof(*c->next));
	if (!c->next)
		return -ENOMEM;
	rc = build_tables(c);
	for (size_t i = 0; i < config->n_lans && rc == 0; i++)
		rc = build_lan(c, &config->lans[i], &c->place->lans[i]);
	if (rc == 0)
		rc = change_adapters(c);
	for (size_t i = 0; i < config->n_osas && rc == 0; i++)
		attach_network(c, &config->osas[i], &c->place->osas[i]);
	for (size_t i = 0; i < config->n_routers && rc == 0; i++)
		rc = build_router(c, &config->nodes[i], &c->place->nodes[i]);
	for (size_t n = 0; n < config->n_nodes && rc == 0; n++) {
		for (size_t i = 0; i < config->nodes[n].n_ifaces; i++) {
			if (config->nodes[n].ifaces[i].kind != CFG_DUMMY)
				attach_ports(c, &config->nodes[n], &config->nodes[n].ifaces[i]);
		}
	}
	return rc;
}
