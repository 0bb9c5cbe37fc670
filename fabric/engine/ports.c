/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports that a configuration asks for. */
#include "fabric/engine/osa.h"
#include "fabric/engine/publish.h"

#include <errno.h>
#include <stdlib.h>

enum { DEVICE_MTU = 1500 };

static int
fail(struct change *c, int rc, const char *name, const char *what)
{
	snprintf(c->why, c->why_size, "%s: %s", name, what);
	return rc;
}

static uint32_t
free_slot(struct change *c)
{
	struct engine *e = c->engine;
	uint32_t slot = c->n_opened ? c->opened[c->n_opened - 1]->slot + 1 : 1;

	while (slot < PORTS_MAX && e->ports[slot])
		slot++;
	return slot;
}

static int
room_for_one(struct change *c)
{
	size_t size = c->size_opened ? c->size_opened * 2 : 64;
	struct engine_port **list;

	if (c->n_opened < c->size_opened)
		return 0;
	list = realloc(c->opened, size * sizeof(struct engine_port *));
	if (!list)
		return -ENOMEM;
	c->opened = list;
	c->size_opened = size;
	return 0;
}

/* Takes the port, NULL with errno being one that did not open. => 0 and its slot, or -errno with `why`. */
static int
opened(struct change *c, struct port *port, const char *name, uint32_t *slot)
{
	struct engine_port *ep;

	if (!port)
		return fail(c, errno ? -errno : -ENOMEM, name, strerror(errno));
	*slot = free_slot(c);
	ep = *slot < PORTS_MAX && room_for_one(c) == 0 ? engine_port_new(port) : NULL;
	if (!ep) {
		port->ops->close(port);
		*slot = 0;
		return fail(c, -ENOMEM, name, "no room for one more port");
	}
	ep->slot = *slot;
	c->opened[c->n_opened++] = ep;
	return 0;
}

static void
add_addresses(struct sim_guest *g, const struct cfg_iface *i)
{
	for (size_t a = 0; a < i->n_addresses && g->n_addrs < RTE_DIM(g->addrs); a++)
		g->addrs[g->n_addrs++] = i->addresses[a].addr;
}

static int
open_simulated(struct change *c, const struct cfg_iface *i, const char *name, uint32_t *slot)
{
	struct sim_guest g = {.frames = config_iface_frames(c->config, i), .mac = i->mac, .mtu = i->mtu};

	if (i->kind == CFG_OSA)
		g.mac = osa_iface_mac(c->config, i);
	snprintf(g.name, sizeof(g.name), "%s", name);
	add_addresses(&g, i);
	for (size_t d = 0; d < i->node->n_ifaces; d++) {
		if (i->node->ifaces[d].kind == CFG_DUMMY)
			add_addresses(&g, &i->node->ifaces[d]);
	}
	return opened(c, sim_port_new(&g), name, slot);
}

static int
simulated_port(struct change *c, const struct cfg_iface *i, struct placed_iface *pi)
{
	const struct cfg_node *was = c->old ? config_node(c->old->config, i->node->name) : NULL;
	char name[40];

	if (pi->port && was && config_node_equal(was, i->node) &&
			c->engine->ports[pi->port]->port->frames == config_iface_frames(c->config, i))
		return 0;
	snprintf(name, sizeof(name), "%s/%s", i->node->name, i->name);
	return open_simulated(c, i, name, &pi->port);
}

/* A TUN or TAP that the keeper has made; kept when no new one is offered. */
static int
offered_port(struct change *c, struct offers *offers, const struct cfg_iface *i, bool frames, struct placed_iface *pi)
{
	char name[40];
	int fd;

	snprintf(name, sizeof(name), "%s/%s", i->node->name, i->name);
	fd = offers_take(offers, name);
	if (fd >= 0)
		return opened(c, tun_port_new(name, fd, frames, i->mtu, &c->engine->pools), name, &pi->port);
	if (pi->port)
		return 0;
	return fail(c, -ENOENT, name, "it needs a namespace, and the keeper has offered no descriptor for it");
}

static int
iface_port(struct change *c, struct offers *offers, const struct cfg_iface *i, struct placed_iface *pi)
{
	switch (i->node->kind) {
	case CFG_GUEST_SIMULATED:
		return simulated_port(c, i, pi);
	case CFG_GUEST_NETNS:
		return offered_port(c, offers, i, config_iface_frames(c->config, i), pi);
	case CFG_ROUTER:
		if (i->node->control)
			return offered_port(c, offers, i, false, pi);
		pi->port = 0;
		return 0;
	}
	return -EINVAL;
}

static int
device_port(struct change *c, const struct cfg_osa *o, struct placed_osa *po)
{
	char why[200] = "";
	struct port *port = ethdev_port_new(o->name, o->network, DEVICE_MTU, &c->engine->pools, why, sizeof(why));

	if (!port)
		return fail(c, -EINVAL, o->name, why);
	return opened(c, port, o->name, &po->port);
}

static int
osa_port(struct change *c, struct offers *offers, const struct cfg_osa *o, struct placed_osa *po)
{
	const struct cfg_osa *was = c->old ? config_osa(c->old->config, o->name) : NULL;
	int fd;

	if (o->side == CFG_OSA_NETWORK) {
		po->port = 0;
		return 0;
	}
	fd = o->side == CFG_OSA_DEVICE ? offers_take(offers, o->name) : -1;
	if (fd >= 0)
		return opened(c, packet_port_new(o->name, fd, DEVICE_MTU, &c->engine->pools), o->name, &po->port);
	if (po->port && was && was->side == o->side && strcmp(was->network, o->network) == 0)
		return 0;
	if (o->side == CFG_OSA_DEVARGS)
		return device_port(c, o, po);
	return fail(c, -ENOENT, o->name, "it is a device of the host, and the keeper has offered no descriptor for it");
}

int
change_ports(struct change *c, struct offers *offers)
{
	const struct config *config = c->config;
	int rc = 0;

	for (size_t o = 0; o < config->n_osas && rc == 0; o++)
		rc = osa_port(c, offers, &config->osas[o], &c->place->osas[o]);
	for (size_t n = 0; n < config->n_nodes; n++) {
		const struct cfg_node *node = &config->nodes[n];

		for (size_t i = 0; i < node->n_ifaces && rc == 0; i++) {
			if (node->ifaces[i].kind != CFG_DUMMY)
				rc = iface_port(c, offers, &node->ifaces[i], &c->place->nodes[n].ifaces[i]);
		}
	}
	return rc;
}
