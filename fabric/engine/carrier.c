/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Link state. A link is up when both ends are: a router's interface as configured, a guest's as configured and as the guest has
 * set it. It is known without any packet (IDL-4), changes on both ends at once, and leaves routes alone (IUCV-4..7).
 */
#include "fabric/engine/publish.h"

#include "drivers/osa/adapter.h"
#include "fabric/base/log.h"
#include "routing/neigh.h"

static bool
end_is_up(struct engine *e, const struct placement *place, const struct cfg_iface *i)
{
	const struct engine_port *ep;

	if (!i->up)
		return false;
	if (i->node->kind == CFG_ROUTER)
		return true;
	ep = e->ports[placed_iface(place, i)->port];
	return ep && ep->guest_up;
}

bool
link_is_up(struct engine *e, const struct placement *place, const struct cfg_iface *i)
{
	if (!i->up)
		return false;
	if (i->kind == CFG_OSA)
		return adapter_carrier(placed_osa(place, i->target)->adapter);
	return i->kind == CFG_LAN || (i->far && end_is_up(e, place, i->far));
}

/* Routes that lead by other interfaces may win or lose by this one: the answers of the whole router may change. */
static void
router_carrier(struct engine *e, const struct cfg_iface *i, struct router_live *router, struct iface_live *live, bool up)
{
	if (live->carrier == up && live->carrier_since)
		return;
	if (live->carrier_since)
		log_line(LOG_NOTICE, "link", "%s:%s is %s", i->node->name, i->name, up ? "up" : "down");
	live->carrier = up;
	live->carrier_since = e->control.walker.env.now;
	version_bump(&e->epoch, &live->version);
	version_bump(&e->epoch, &router->version);
	if (!up && live->neigh)
		neigh_flush(live->neigh, &e->control.walker.env);
}

static void
guest_carrier(const struct cfg_iface *i, struct engine_port *ep, bool up)
{
	if (!ep || ep->carrier == up || !ep->port->ops->set_carrier)
		return;
	if (ep->port->ops->set_carrier(ep->port, up) < 0)
		log_line(LOG_WARNING, "link", "%s/%s: its carrier could not be set", i->node->name, i->name);
	ep->carrier = up;
}

void
carriers_update(struct engine *e, const struct placement *place)
{
	const struct config *c = place->config;

	for (size_t n = 0; n < c->n_routers; n++) {
		for (size_t i = 0; i < c->nodes[n].n_ifaces; i++) {
			const struct cfg_iface *iface = &c->nodes[n].ifaces[i];

			if (iface->kind != CFG_DUMMY)
				router_carrier(e, iface, place->nodes[n].live, place->nodes[n].ifaces[i].live,
						link_is_up(e, place, iface));
		}
	}
}

void
carriers_tell(struct engine *e, const struct placement *place)
{
	const struct config *c = place->config;

	for (size_t n = c->n_routers; n < c->n_nodes; n++) {
		for (size_t i = 0; i < c->nodes[n].n_ifaces; i++) {
			const struct cfg_iface *iface = &c->nodes[n].ifaces[i];

			if (iface->kind != CFG_DUMMY)
				guest_carrier(iface, e->ports[place->nodes[n].ifaces[i].port], link_is_up(e, place, iface));
		}
	}
}
