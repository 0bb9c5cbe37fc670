/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/retire.h"

#include "fabric/engine/capture.h"
#include "fabric/engine/osa.h"
#include "fabric/engine/queue.h"
#include "fabric/engine/events.h"
#include "fabric/engine/rules.h"
#include "fabric/lan/lan.h"
#include "filters/live.h"
#include "routing/icmp.h"
#include "routing/neigh.h"
#include "routing/reasm.h"

#include <errno.h>
#include <stdlib.h>

static void
note_ports(const struct placement *p, uint8_t *used)
{
	for (size_t o = 0; o < p->config->n_osas; o++)
		used[p->osas[o].port] = 1;
	for (size_t n = 0; n < p->config->n_nodes; n++) {
		for (size_t i = 0; i < p->config->nodes[n].n_ifaces; i++)
			used[p->nodes[n].ifaces[i].port] = 1;
	}
}

int
retire_find_ports(struct engine *e, const struct placement *next, struct retired *r)
{
	uint8_t *used = calloc(1, e->ports_end);

	r->ports = calloc(e->ports_end, sizeof(struct engine_port *));
	if (!used || !r->ports) {
		free(used);
		free(r->ports);
		return -ENOMEM;
	}
	note_ports(next, used);
	for (uint32_t slot = 1; slot < e->ports_end; slot++) {
		if (e->ports[slot] && !used[slot])
			r->ports[r->n_ports++] = e->ports[slot];
	}
	free(used);
	return 0;
}

static bool
node_stays(const struct placement *next, const struct cfg_node *n, const struct placed_node *was)
{
	const struct placed_node *now = placed_node(next, n->name);

	return now && now->live == was->live;
}

static bool
iface_stays(const struct placement *next, const struct cfg_iface *i, const struct placed_iface *was)
{
	const struct placed_iface *now = placed_before(next, i);

	return now && now->live == was->live;
}

static void
unlink_iface(struct env *env, struct iface_live *live)
{
	version_bump(env->epoch, &live->version);
	capture_end_all(&live->captures);
	if (live->neigh)
		neigh_table_free(live->neigh, env);
	live->neigh = NULL;
}

static void
unlink_router(struct env *env, struct queues *queues, struct router_live *live)
{
	queue_router_gone(queues, env, live);
	live->now = NULL;
	version_bump(env->epoch, &live->version);
	reasm_free(live->reasm, env);
	live->reasm = NULL;
	followers_end(live);
	filters_live_end(live->filters, env);
}

static void
unlink_routers(struct env *env, struct queues *queues, const struct placement *old, const struct placement *next)
{
	for (size_t n = 0; n < old->config->n_routers; n++) {
		const struct cfg_node *node = &old->config->nodes[n];
		const struct placed_node *was = &old->nodes[n];
		bool stays = node_stays(next, node, was);

		for (size_t i = 0; i < node->n_ifaces; i++) {
			if (!stays || !iface_stays(next, &node->ifaces[i], &was->ifaces[i]))
				unlink_iface(env, was->ifaces[i].live);
		}
		if (!stays)
			unlink_router(env, queues, was->live);
	}
}

/* The interface `was` of the generation before is on a LAN of the same name in `next`. */
static bool
same_lan(const struct placement *next, const struct cfg_iface *was, const struct cfg_lan *lan)
{
	const struct cfg_node *n = config_node(next->config, was->node->name);
	const struct cfg_iface *i = n ? config_iface(n, was->name) : NULL;
	const struct cfg_lan *now = i ? lan_of_iface(next->config, i) : NULL;

	return now && strcmp(now->name, lan->name) == 0;
}

static void
forget_member(struct epoch *epoch, struct lan_live *lan, uint32_t member)
{
	lan_forget(lan, member);
	version_bump(epoch, lan_version(lan));
}

/* What LANs have learned of members that have left or moved. */
static void
forget_members(struct epoch *epoch, const struct placement *old, const struct placement *next)
{
	for (size_t n = 0; n < old->config->n_nodes; n++) {
		const struct cfg_node *node = &old->config->nodes[n];

		for (size_t i = 0; i < node->n_ifaces; i++) {
			const struct cfg_lan *lan = lan_of_iface(old->config, &node->ifaces[i]);
			const struct placed_lan *pl = lan ? placed_lan(next, lan->name) : NULL;
			const struct placed_iface *now = placed_before(next, &node->ifaces[i]);

			if (pl && (!now || !same_lan(next, &node->ifaces[i], lan) ||
						  now->member != old->nodes[n].ifaces[i].member))
				forget_member(epoch, pl->live, old->nodes[n].ifaces[i].member);
		}
	}
}

/* The same of adapters' network sides. */
static void
forget_networks(struct epoch *epoch, const struct placement *old, const struct placement *next)
{
	for (size_t i = 0; i < old->config->n_osas; i++) {
		const struct cfg_lan *lan = lan_of_osa(old->config, &old->config->osas[i]);
		const struct placed_lan *pl = lan ? placed_lan(next, lan->name) : NULL;
		const struct placed_osa *now = placed_osa(next, old->config->osas[i].name);
		const struct cfg_osa *o = pl && now ? config_osa(next->config, old->config->osas[i].name) : NULL;
		const struct cfg_lan *there = o ? lan_of_osa(next->config, o) : NULL;

		if (pl && (!there || strcmp(there->name, lan->name) != 0 || now->member != old->osas[i].member))
			forget_member(epoch, pl->live, old->osas[i].member);
	}
}

void
retire_unlink(struct engine *e, struct retired *r)
{
	for (size_t i = 0; i < r->n_ports; i++)
		engine_port_unlink(e, r->ports[i]);
	if (!r->place)
		return;
	forget_members(&e->epoch, r->place, e->placement);
	forget_networks(&e->epoch, r->place, e->placement);
	unlink_routers(&e->control.walker.env, e->queues, r->place, e->placement);
	paths_sweep(&e->paths);
}

static void
free_router(struct placed_node *was)
{
	icmp_limit_free(was->live->icmp);
	filters_live_free(was->live->filters);
	free(was->live);
	free(was->lo);
}

static void
free_sharers(const struct placement *old, const struct placement *next)
{
	for (size_t n = 0; n < old->config->n_nodes; n++) {
		const struct cfg_node *node = &old->config->nodes[n];

		for (size_t i = 0; i < node->n_ifaces; i++) {
			const struct placed_iface *now = placed_before(next, &node->ifaces[i]);

			if (!now || now->sharer != old->nodes[n].ifaces[i].sharer)
				sharer_free(old->nodes[n].ifaces[i].sharer);
		}
	}
}

static void
free_live(const struct placement *old, const struct placement *next)
{
	for (size_t n = 0; n < old->config->n_routers; n++) {
		const struct cfg_node *node = &old->config->nodes[n];
		bool stays = node_stays(next, node, &old->nodes[n]);

		for (size_t i = 0; i < node->n_ifaces; i++) {
			if (!stays || !iface_stays(next, &node->ifaces[i], &old->nodes[n].ifaces[i]))
				free(old->nodes[n].ifaces[i].live);
		}
		if (!stays)
			free_router(&old->nodes[n]);
	}
	free_sharers(old, next);
	adapters_free(old, next);
	for (size_t l = 0; l < old->config->n_lans; l++) {
		const struct placed_lan *now = placed_lan(next, old->config->lans[l].name);

		if (!now || now->live != old->lans[l].live)
			lan_live_free(old->lans[l].live);
	}
}

void
retire_free(struct engine *e, struct retired *r)
{
	engine_synchronize(e);
	for (size_t i = 0; i < r->n_ports; i++)
		engine_port_free(r->ports[i]);
	free(r->ports);
	forget_rules(e, r->fabric, atomic_load(&e->fabric));
	fabric_free(r->fabric, atomic_load(&e->fabric)); /* rulesets let go of what is in the live parts of their routers */
	if (r->place)
		free_live(r->place, e->placement);
	placement_free(r->place, false);
	config_free(r->config);
}
