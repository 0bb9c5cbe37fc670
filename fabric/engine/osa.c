/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared adapters in a change of the configuration.
 *
 * Adapters and sharers are live objects: they lie beside the generations, and each placement points to them. A change makes what
 * it needs beforehand (change_adapters()), so that under the slow lock nothing can fail (adopt_adapters()): who has left gives up its
 * slot, its roles and its addresses; then the adapters take their new settings, sharers join, roles are asked for. Last, and again
 * whenever a link or a guest goes up or down, adapters_update() has every stack register what it has.
 *
 * A role or an address that the port refuses is no error of the change: it is logged and shown, the holder is not disturbed.
 */
#include "fabric/engine/osa.h"

#include "fabric/base/log.h"
#include "fabric/engine/osa_addresses.h"

#include <errno.h>
#include <stdlib.h>

static const struct cfg_sharer defaults;

static const struct cfg_sharer *
sharer_config(const struct cfg_iface *i)
{
	return i->sharer ? i->sharer : &defaults;
}

/* Calls `f` for each interface on an adapter. */
static void
for_each_sharer(struct engine *e, const struct placement *p,
		void (*f)(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi))
{
	const struct config *c = p->config;

	for (size_t n = 0; n < c->n_nodes; n++) {
		for (size_t i = 0; i < c->nodes[n].n_ifaces; i++) {
			if (c->nodes[n].ifaces[i].kind == CFG_OSA)
				f(e, p, &c->nodes[n].ifaces[i], &p->nodes[n].ifaces[i]);
		}
	}
}

struct mac_addr
osa_iface_mac(const struct config *c, const struct cfg_iface *i)
{
	const struct cfg_osa *o = config_osa(c, i->target);

	return o->mode == OSA_QDIO && o->layer == 2 ? i->mac : config_osa_mac(c, o);
}

static int
copy_own(struct sharer_settings *to, const struct cfg_node *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->n_ifaces; i++)
		count += n->ifaces[i].n_addresses;
	to->own = calloc(count + 1, sizeof(*to->own));
	for (size_t i = 0; to->own && i < n->n_ifaces; i++) {
		for (size_t a = 0; a < n->ifaces[i].n_addresses; a++)
			to->own[to->n_own++] = n->ifaces[i].addresses[a].addr;
	}
	return to->own ? 0 : -ENOMEM;
}

/* A guest's own networks, then its routes by this interface. */
static int
copy_routes(struct sharer_settings *to, const struct cfg_iface *i)
{
	const struct cfg_node *n = i->node;

	to->routes = calloc(i->n_addresses + n->n_routes + 1, sizeof(*to->routes));
	if (!to->routes)
		return -ENOMEM;
	for (size_t a = 0; a < i->n_addresses; a++)
		to->routes[to->n_routes++].to = i->addresses[a];
	for (size_t r = 0; r < n->n_routes; r++) {
		const struct cfg_route *from = &n->routes[r];

		if (from->type == CFG_ROUTE_UNICAST && from->n_hops && strcmp(from->hops[0].dev, i->name) == 0)
			to->routes[to->n_routes++] = (struct sharer_route){from->to, from->hops[0].via};
	}
	return 0;
}

static int
copy_takeover(struct sharer_settings *to, const struct cfg_sharer *from)
{
	to->takeover = (struct takeover){.enabled = from->takeover, .invert4 = from->invert4, .invert6 = from->invert6};
	to->takeover.list = calloc(from->n_takeover_list + 1, sizeof(*to->takeover.list));
	if (!to->takeover.list)
		return -ENOMEM;
	if (from->n_takeover_list)
		memcpy(to->takeover.list, from->takeover_list, from->n_takeover_list * sizeof(*to->takeover.list));
	to->takeover.n = from->n_takeover_list;
	return 0;
}

static int
make_sharing(struct change *c, const struct cfg_iface *i, struct placed_iface *pi)
{
	const struct cfg_sharer *from = sharer_config(i);
	struct sharer_settings *to = calloc(1, sizeof(*to));
	int rc;

	pi->sharing = to;
	if (!to)
		return -ENOMEM;
	to->mac = osa_iface_mac(c->config, i);
	to->router = i->node->kind == CFG_ROUTER || i->node->forward;
	to->echo_filter = from->echo_filter;
	to->promiscuous = from->promiscuous;
	if (i->node->kind == CFG_ROUTER)
		to->target = (struct attach){ATTACH_ROUTER, placed_node(c->place, i->node->name)->slot, pi->slot};
	else
		to->target = (struct attach){ATTACH_PORT, pi->port, 0};
	rc = copy_own(to, i->node);
	if (rc == 0 && i->node->kind != CFG_ROUTER)
		rc = copy_routes(to, i);
	return rc == 0 ? copy_takeover(to, from) : rc;
}

/* The arrays of a live adapter may move, so that no packet may be on its way there. */
static int
reserve(struct change *c, struct placed_osa *o)
{
	int rc;

	slow_lock(&c->engine->control);
	rc = o->sharers_end ? adapter_reserve(o->adapter, (uint16_t)(o->sharers_end - 1)) : 0;
	slow_unlock(&c->engine->control);
	return rc;
}

int
change_adapters(struct change *c)
{
	const struct config *config = c->config;
	int rc = 0;

	c->next->n_adapters = c->place->osas_end;
	c->next->adapters = calloc(c->next->n_adapters + 1, sizeof(struct adapter *));
	if (!c->next->adapters)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_osas && rc == 0; i++) {
		c->next->adapters[c->place->osas[i].slot] = c->place->osas[i].adapter;
		rc = reserve(c, &c->place->osas[i]);
	}
	for (size_t n = 0; n < config->n_nodes; n++) {
		for (size_t i = 0; i < config->nodes[n].n_ifaces && rc == 0; i++) {
			if (config->nodes[n].ifaces[i].kind == CFG_OSA)
				rc = make_sharing(c, &config->nodes[n].ifaces[i], &c->place->nodes[n].ifaces[i]);
		}
	}
	return rc;
}

/* Who is not in the next placement, or on another adapter there. */
static void
leave(struct engine *e, const struct placement *old, const struct cfg_iface *i, struct placed_iface *was)
{
	const struct cfg_node *n = config_node(e->config, i->node->name);
	const struct cfg_iface *same = n ? config_iface(n, i->name) : NULL;
	const struct placed_iface *now = placed_before(e->placement, i);

	(void)old;
	if (!was->sharer->adapter)
		return;
	if (!now || now->sharer != was->sharer || now->member != was->sharer->slot || strcmp(same->target, i->target) != 0)
		adapter_leave(was->sharer->adapter, &e->control.walker.env, was->sharer);
}

static struct attach
network_of(const struct placement *p, const struct cfg_osa *o, const struct placed_osa *po)
{
	const struct cfg_lan *lan = lan_of_osa(p->config, o);

	if (lan)
		return (struct attach){ATTACH_LAN, placed_lan(p, lan->name)->slot, po->member};
	return (struct attach){po->port ? ATTACH_PORT : ATTACH_NONE, po->port, 0};
}

static void
tell_network(struct engine *e, const struct cfg_osa *o, const struct placed_osa *po)
{
	adapter_network(po->adapter, &e->control.walker.env, !o->down && !po->device_down && !po->unplugged);
}

enum { PORT_MTU = 65535 }; /* the stacks keep to that of their interfaces */

static void
adopt_adapter(struct engine *e, const struct placement *p, const struct cfg_osa *o, const struct placed_osa *po)
{
	struct adapter_settings set;
	struct attach network = network_of(p, o, po);

	memset(&set, 0, sizeof(set)); /* it is compared as a whole */
	set.mode = o->mode;
	set.layer = o->mode == OSA_QDIO && o->layer == 2 ? 2 : 3;
	set.profile = o->profile;
	set.multicast_router = o->multicast_router;
	set.always_up = o->always_up;
	set.secondaries = o->secondaries ? o->secondaries : 1;
	set.mac = config_osa_mac(p->config, o);
	set.mtu = PORT_MTU;
	adapter_set(po->adapter, &e->control.walker.env, &set, &e->tunables);
	adapter_connect(po->adapter, &e->control.walker.env, &network);
	tell_network(e, o, po);
}

static void
join(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	struct adapter *a = placed_osa(p, i->target)->adapter;
	struct env *env = &e->control.walker.env;
	bool changed = sharer_set(pi->sharer, pi->sharing);

	free(pi->sharing);
	pi->sharing = NULL;
	if (!pi->sharer->adapter)
		adapter_join(a, env, pi->sharer, (uint16_t)pi->member);
	else if (changed)
		adapter_update(a, env, pi->sharer);
}

/* What a sharer gives up is free for the others. */
static void
give_up_roles(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	(void)p;
	for (int k = 0; k < OSA_PROTOCOLS; k++) {
		if (pi->sharer->role[k] != sharer_config(i)->role[k])
			adapter_role(pi->sharer->adapter, &e->control.walker.env, pi->sharer, (enum osa_protocol)k, OSA_NO_ROUTER, NULL);
	}
}

static void
take_roles(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	struct osa_answer answer;
	char why[160];

	(void)p;
	for (int k = 0; k < OSA_PROTOCOLS; k++) {
		enum osa_role role = sharer_config(i)->role[k];

		if (adapter_role(pi->sharer->adapter, &e->control.walker.env, pi->sharer, (enum osa_protocol)k, role, &answer) < 0)
			log_line(LOG_WARNING, "osa", "%s: %s is not %s: %s", i->target, pi->sharer->name, osa_role_word(role),
					osa_answer_text(&answer, why, sizeof(why)));
	}
}

static void
isolate(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	enum osa_isolation isolation = sharer_config(i)->isolation;
	uint16_t code = adapter_isolate(pi->sharer->adapter, &e->control.walker.env, pi->sharer, isolation);

	(void)p;
	if (pi->sharer->set.isolation != isolation)
		log_line(LOG_WARNING, "osa", "%s: %s is not isolated: %s (0x%02x)", i->target, pi->sharer->name, osa_access_word(code),
				code);
}

/* The sharer of a line of the static table. */
static struct sharer *
owner_of(const struct placement *p, const struct cfg_osa *o, const struct cfg_oat_static *line)
{
	const struct cfg_node *n = config_node(p->config, line->node);

	for (size_t i = 0; n && i < n->n_ifaces; i++) {
		const struct cfg_iface *f = &n->ifaces[i];

		if (f->kind == CFG_OSA && strcmp(f->target, o->name) == 0 && (!line->iface[0] || strcmp(line->iface, f->name) == 0))
			return placed_iface(p, f)->sharer;
	}
	return NULL;
}

static void
load_table(struct engine *e, const struct placement *p, const struct cfg_osa *o, struct adapter *a)
{
	struct osa_answer answer;
	char addr[ADDR_TEXT], why[160];

	adapter_clear_static(a, &e->control.walker.env);
	for (size_t i = 0; o->mode == OSA_OSE && i < o->n_table; i++) {
		struct sharer *s = owner_of(p, o, &o->table[i]);

		if (s && adapter_static(a, &e->control.walker.env, s, &o->table[i].addr, &answer) != OSA_SUCCESS &&
				answer.code != OSA_LAN_OFFLINE)
			log_line(LOG_WARNING, "osa", "%s: %s: static entry of %s: %s", o->name, ip_text(&o->table[i].addr, addr), s->name,
					osa_answer_text(&answer, why, sizeof(why)));
	}
}

void
adopt_adapters(struct engine *e, const struct placement *old)
{
	struct placement *p = e->placement;
	const struct config *c = p->config;

	if (old)
		for_each_sharer(e, old, leave);
	for (size_t i = 0; i < c->n_osas; i++)
		adopt_adapter(e, p, &c->osas[i], &p->osas[i]);
	for_each_sharer(e, p, join);
	for_each_sharer(e, p, give_up_roles);
	for_each_sharer(e, p, take_roles);
	for_each_sharer(e, p, isolate);
	for (size_t i = 0; i < c->n_osas; i++)
		load_table(e, p, &c->osas[i], p->osas[i].adapter);
}

static bool
stack_is_up(const struct engine *e, const struct cfg_iface *i, const struct placed_iface *pi)
{
	const struct engine_port *ep = i->node->kind == CFG_ROUTER ? NULL : e->ports[pi->port];

	return i->up && (i->node->kind == CFG_ROUTER || (ep && ep->guest_up));
}

static void
take_down(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	(void)p;
	if (!stack_is_up(e, i, pi))
		sharer_online(pi->sharer, &e->control.walker.env, false);
}

static void
bring_up(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	(void)p;
	if (stack_is_up(e, i, pi))
		sharer_online(pi->sharer, &e->control.walker.env, true);
}

static void
release(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	struct asked *list;
	size_t n;

	if (osa_addresses(e, p, i, &list, &n) == 0)
		sharer_release(pi->sharer, &e->control.walker.env, list, n);
	free(list);
}

static void
ask(struct engine *e, const struct placement *p, const struct cfg_iface *i, struct placed_iface *pi)
{
	struct asked *list;
	size_t n;

	if (osa_addresses(e, p, i, &list, &n) == 0) {
		sharer_ask(pi->sharer, &e->control.walker.env, list, n);
		sharer_retry(pi->sharer, &e->control.walker.env);
	} else {
		log_line(LOG_ERROR, "osa", "%s: no memory for the addresses of %s", i->target, pi->sharer->name);
		free(list);
	}
}

void
adapters_update(struct engine *e, const struct placement *place)
{
	for_each_sharer(e, place, take_down);
	for_each_sharer(e, place, release); /* before anyone comes up: it would register what it does not want any more */
	for_each_sharer(e, place, bring_up);
	for_each_sharer(e, place, ask);
}

void
osa_network_changed(struct engine *e, const struct cfg_osa *o, const struct placed_osa *po)
{
	tell_network(e, o, po);
	carriers_update(e, e->placement);
	adapters_update(e, e->placement);
}

static bool
adapter_stays(const struct placement *next, const struct cfg_osa *o, const struct placed_osa *was)
{
	const struct placed_osa *now = placed_osa(next, o->name);

	return now && now->adapter == was->adapter;
}

void
adapters_end(struct engine *e, const struct placement *old, const struct placement *next)
{
	for (size_t i = 0; old && i < old->config->n_osas; i++) {
		if (!adapter_stays(next, &old->config->osas[i], &old->osas[i]))
			adapter_end(old->osas[i].adapter, &e->control.walker.env);
	}
}

void
adapters_free(const struct placement *old, const struct placement *next)
{
	for (size_t i = 0; i < old->config->n_osas; i++) {
		if (!adapter_stays(next, &old->config->osas[i], &old->osas[i]))
			adapter_free(old->osas[i].adapter);
	}
}
