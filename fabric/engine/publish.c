/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/publish.h"

#include "fabric/base/log.h"
#include "fabric/engine/build_nat.h"
#include "fabric/engine/osa.h"
#include "fabric/engine/retire.h"
#include "fabric/engine/rules.h"
#include "fabric/lan/lan.h"
#include "routing/neigh.h"

#include <errno.h>
#include <stdlib.h>

static void
undo_neighbours(const struct change *c)
{
	for (size_t n = 0; n < c->config->n_routers; n++) {
		for (size_t i = 0; i < c->config->nodes[n].n_ifaces; i++) {
			const struct placed_iface *pi = &c->place->nodes[n].ifaces[i];

			if (pi->fresh && pi->live && pi->live->neigh)
				neigh_table_free(pi->live->neigh, &c->engine->control.walker.env);
		}
	}
}

static void
change_undo(struct change *c)
{
	struct engine *e = c->engine;

	slow_lock(&e->control);
	for (size_t i = 0; i < c->n_opened; i++) {
		if (e->ports[c->opened[i]->slot] == c->opened[i])
			engine_port_unlink(e, c->opened[i]);
	}
	slow_unlock(&e->control);
	engine_synchronize(e);
	for (size_t i = 0; i < c->n_opened; i++)
		engine_port_free(c->opened[i]);
	if (c->place)
		undo_neighbours(c);
	fabric_free(c->next, atomic_load(&e->fabric));
	placement_drop_sets(c->place);
	placement_free(c->place, true);
	free(c->opened);
}

static int
link_ports(struct change *c)
{
	struct engine *e = c->engine;
	int rc = 0;

	slow_lock(&e->control);
	for (size_t i = 0; i < c->n_opened && rc == 0; i++)
		rc = engine_port_link(e, c->opened[i]);
	slow_unlock(&e->control);
	if (rc < 0)
		snprintf(c->why, c->why_size, "the kernel refuses to watch one more port: %s", strerror(-rc));
	return rc;
}

/* Neighbours hold as long as the interface stays where it is, under the MAC address that they know. */
static void
adopt_neighbours(struct engine *e, const struct router *was, const struct router *r)
{
	for (uint16_t f = 2; f < r->n_ifaces; f++) {
		const struct iface *to = r->ifaces[f], *from = router_iface(was, f);

		if (!to || !to->live->neigh || !from || from->live != to->live)
			continue;
		if (from->attach.kind != to->attach.kind || from->attach.a != to->attach.a || from->attach.b != to->attach.b ||
				!mac_equal(&from->mac, &to->mac))
			neigh_flush(to->live->neigh, &e->control.walker.env);
	}
}

static void
adopt_routers(struct engine *e, const struct fabric *now, const struct fabric *next)
{
	for (size_t i = 0; i < next->n_routers; i++) {
		struct router *r = next->routers[i];
		const struct router *was = r ? r->live->now : NULL;

		if (!r || (i < now->n_routers && now->routers[i] == r))
			continue;
		/* what has passed has got the timeouts of its time */
		if (was && memcmp(&was->tunables, &r->tunables, sizeof(r->tunables)) != 0)
			paths_flush(&e->paths);
		r->live->now = r;
		version_bump(&e->epoch, &r->live->version);
		if (was)
			adopt_neighbours(e, was, r);
	}
}

static bool
same_members(const struct lan *a, const struct lan *b)
{
	return a->n_members == b->n_members && memcmp(a->members, b->members, a->n_members * sizeof(*a->members)) == 0;
}

/* Whom a LAN or a port leads to. Of LANs that come or go nobody has read anything. */
static void
adopt_places(struct engine *e, const struct fabric *now, const struct fabric *next)
{
	for (size_t i = 0; i < now->n_lans && i < next->n_lans; i++) {
		if (now->lans[i] && next->lans[i] && now->lans[i]->live == next->lans[i]->live &&
				!same_members(now->lans[i], next->lans[i]))
			version_bump(&e->epoch, lan_version(next->lans[i]->live));
	}
	for (size_t i = 0; i < now->n_ports && i < next->n_ports; i++) {
		if (e->ports[i] && memcmp(&now->ports[i], &next->ports[i], sizeof(now->ports[i])) != 0)
			version_bump(&e->epoch, &e->ports[i]->version);
	}
}

static void
adopt_tunables(struct engine *e, const struct config *c, const struct placement *place)
{
	enum tunable_id id;

	tunables_init(&e->tunables);
	for (size_t i = 0; i < c->n_tunables; i++) {
		if (tunable_find(c->tunables[i].name, &id))
			e->tunables.value[id] = c->tunables[i].value;
	}
	engine_use_paths(e, tune(&e->tunables, TUNE_PATH_CACHE));
	for (size_t i = 0; i < c->n_lans; i++)
		lan_live_tune(place->lans[i].live, (size_t)tune(&e->tunables, TUNE_MAC_TABLE),
				tune_ns(&e->tunables, TUNE_MAC_AGEING_TIME));
}

static void
announce(struct engine *e, const struct fabric *was, const struct fabric *next)
{
	for (size_t i = 0; i < next->n_routers; i++) {
		const struct router *r = next->routers[i], *before = i < was->n_routers ? was->routers[i] : NULL;

		if (r && r != before)
			announce_proxied(e, before && before->live == r->live ? before : NULL, r);
	}
}

/* What waits in the workers' queues goes on in the next generation. */
static void
adopt_queues(struct engine *e, const struct fabric *next)
{
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_follow(&e->workers[i], next);
	worker_follow(&e->control, next);
}

static void
commit(struct change *c, struct config *config, struct retired *r)
{
	struct engine *e = c->engine;

	slow_lock(&e->control);
	r->fabric = atomic_load(&e->fabric);
	r->place = e->placement;
	r->config = e->config;
	atomic_store_explicit(&e->fabric, c->next, memory_order_release);
	e->control.walker.fabric = c->next;
	e->placement = c->place;
	e->config = config;
	adopt_tunables(e, config, c->place);
	adopt_routers(e, r->fabric, c->next);
	adopt_places(e, r->fabric, c->next);
	adopt_rules(e, r->fabric, c->next, c->place);
	adopt_adapters(e, r->place);
	adapters_end(e, r->place, c->place);
	adopt_queues(e, c->next);
	retire_unlink(e, r);
	carriers_update(e, c->place);
	adapters_update(e, c->place);
	for (size_t i = 0; i < c->n_opened; i++)
		engine_port_start(c->opened[i]);
	announce(e, r->fabric, c->next);
	worker_run_queue(&e->control);
	slow_unlock(&e->control);
	worker_flush(&e->control);
	carriers_tell(e, c->place);
	compile_rules(e, c->next);
}

static void
settle(struct placement *p)
{
	const struct config *c = p->config;

	for (size_t n = 0; n < c->n_nodes; n++) {
		p->nodes[n].fresh = false;
		for (size_t i = 0; i < c->nodes[n].n_ifaces; i++)
			p->nodes[n].ifaces[i].fresh = false;
	}
	for (size_t l = 0; l < c->n_lans; l++)
		p->lans[l].fresh = false;
	for (size_t o = 0; o < c->n_osas; o++)
		p->osas[o].fresh = false;
}

int
publish(struct engine *e, struct config *config, const struct bundle *bundle, uint64_t serial, struct offers *offers, char *why,
		size_t size)
{
	struct change c = {.engine = e, .config = config, .bundle = bundle, .old = e->placement, .why = why, .why_size = size};
	struct retired r = {0};
	int rc;

	snprintf(why, size, "out of memory");
	c.place = placement_new(config, e->placement);
	rc = c.place ? change_ports(&c, offers) : -errno;
	offers_clear(offers);
	if (rc == 0)
		rc = change_build(&c);
	if (rc == 0)
		rc = link_ports(&c);
	if (rc == 0)
		rc = retire_find_ports(e, c.place, &r);
	if (rc < 0) {
		change_undo(&c);
		return rc;
	}
	c.next->serial = serial;
	settle(c.place);
	commit(&c, config, &r);
	free(c.opened);
	retire_free(e, &r);
	placement_drop_sets(e->placement);
	log_line(LOG_INFO, "engine", "configuration %llu: %zu routers, %zu guests", (unsigned long long)serial,
			config->n_routers, config->n_nodes - config->n_routers);
	return 0;
}

int
publish_empty(struct engine *e)
{
	struct fabric *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	atomic_store(&e->fabric, f);
	return 0;
}

void
publish_nothing(struct engine *e)
{
	struct retired r = {.fabric = atomic_load(&e->fabric), .place = e->placement, .config = e->config};

	for (uint32_t slot = 1; slot < e->ports_end; slot++) {
		struct engine_port *ep = e->ports[slot];

		if (!ep)
			continue;
		engine_port_unlink(e, ep);
		engine_port_free(ep);
	}
	atomic_store(&e->fabric, NULL);
	e->placement = NULL;
	e->config = NULL;
	e->control.walker.env.now = clock_now();
	paths_flush(&e->paths);
	adapters_end(e, r.place, NULL);
	retire_unlink(e, &r);
	retire_free(e, &r);
}

static void
guest_state(struct engine *e, struct engine_port *ep, bool up)
{
	ep->guest_up = up;
	version_bump(&e->epoch, &ep->version);
}

void
publish_guest_state(struct engine *e, const char *port, bool up)
{
	slow_lock(&e->control);
	for (uint32_t slot = 1; slot < e->ports_end; slot++) {
		if (e->ports[slot] && strcmp(e->ports[slot]->port->name, port) == 0)
			guest_state(e, e->ports[slot], up);
	}
	if (e->placement) {
		carriers_update(e, e->placement);
		adapters_update(e, e->placement);
		worker_run_queue(&e->control);
	}
	slow_unlock(&e->control);
	worker_flush(&e->control);
	if (e->placement)
		carriers_tell(e, e->placement);
}
