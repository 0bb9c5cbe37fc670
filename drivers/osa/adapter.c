/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An OSA port: its life and its sharers.
 *
 * A port has one network side, which is a LAN of the fabric or a device, and sharers: the stacks of routers and guests. What belongs
 * to configuration is in `set` and in each sharer's; what happens is the address table, the roles and who of their holders is active.
 *
 * The port has a place of its own on the network, and for that a router's parts: one interface without address, with a neighbour
 * table. Nothing is ever routed there. It resolves the neighbours of IP packets that leave, so that these wait, are announced to and
 * time out as everywhere else; its ARP is that of assist.c. p->router is this one's while a packet is on its way out.
 *
 * Under the slow-way lock, all of it. Whoever keeps a path has `version` in it: bumped by every change of table, roles, sharers and
 * network. A port that goes is ended first (adapter_end()), and freed after a grace period.
 */
#include "drivers/osa/inside.h"
#include "fabric/base/log.h"
#include "routing/neigh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PORT = 2 }; /* slot of the one interface; 1 would be lo */

static void
no_roles(struct adapter *a)
{
	for (int p = 0; p < OSA_PROTOCOLS; p++)
		a->primary[p] = a->elected[p] = SHARER_NONE;
}

static void
make_stack(struct adapter *a)
{
	a->stack = (struct router){
			.slot = ROUTER_NO_SLOT,
			.ifaces = a->ports,
			.n_ifaces = PORT + 1,
			.live = &a->stack_live,
	};
	tunables_init(&a->stack.tunables);
	a->stack_live.now = &a->stack;
	a->port = (struct iface){.slot = PORT, .kind = IFACE_OSA, .up = true, .live = &a->port_live};
	snprintf(a->stack.name, sizeof(a->stack.name), "%.8s", a->name);
	snprintf(a->port.name, sizeof(a->port.name), "%s", a->name);
	a->ports[PORT] = &a->port;
}

struct adapter *
adapter_new(const char *name)
{
	struct adapter *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->set = (struct adapter_settings){.layer = 3, .secondaries = 1};
	a->network_up = a->port_live.carrier = true;
	a->probe_timer.fire = setip_on_timer;
	no_roles(a);
	make_stack(a);
	a->oat = oat_new();
	a->macs = oat_new();
	a->port_live.neigh = neigh_table_new(&a->stack_live, PORT);
	if (!a->oat || !a->macs || !a->port_live.neigh) {
		adapter_free(a);
		errno = ENOMEM;
		return NULL;
	}
	neigh_table_set_ops(a->port_live.neigh, &assist_neigh_ops);
	return a;
}

void
adapter_end(struct adapter *a, struct env *env)
{
	timer_cancel(env->timers, &a->probe_timer);
	neigh_flush(a->port_live.neigh, env);
	a->stack_live.now = NULL;
	adapter_changed(a, env);
}

void
adapter_free(struct adapter *a)
{
	if (!a)
		return;
	neigh_table_free(a->port_live.neigh, NULL); /* empty: needs no surroundings */
	oat_free(a->oat);
	oat_free(a->macs);
	free(a->sharers);
	free(a->targets);
	free(a);
}

void
adapter_set(struct adapter *a, struct env *env, const struct adapter_settings *set, const struct tunables *t)
{
	bool same = memcmp(&a->set, set, sizeof(*set)) == 0, moved = !mac_equal(&a->set.mac, &set->mac);

	a->stack.tunables = *t;
	if (same)
		return;
	a->set = *set;
	a->port.mac = set->mac;
	a->port.mtu = set->mtu;
	adapter_elect(a);
	adapter_changed(a, env);
	if (moved)
		setip_announce_all(a, env);
}

void
adapter_connect(struct adapter *a, struct env *env, const struct attach *to)
{
	const struct attach *was = &a->port.attach;

	if (was->kind == to->kind && was->a == to->a && was->b == to->b)
		return;
	a->port.attach = *to;
	neigh_flush(a->port_live.neigh, env);
	adapter_changed(a, env);
	setip_announce_all(a, env);
}

void
adapter_network(struct adapter *a, struct env *env, bool up)
{
	if (a->network_up == up)
		return;
	log_line(LOG_NOTICE, "osa", "%s: the network is %s", a->name, up ? "up" : "down");
	a->network_up = a->port_live.carrier = up;
	version_bump(env->epoch, &a->port_live.version);
	adapter_changed(a, env);
	if (up)
		setip_announce_all(a, env);
	else
		neigh_flush(a->port_live.neigh, env);
}

static void *
grown(void *old, size_t n, size_t size, size_t each)
{
	char *more = realloc(old, size * each);

	if (more)
		memset(more + n * each, 0, (size - n) * each);
	return more;
}

int
adapter_reserve(struct adapter *a, uint16_t slot)
{
	size_t size = a->size_sharers ? a->size_sharers : 4, n = a->size_sharers;
	void *p;

	while (size <= slot)
		size *= 2;
	if (slot < n)
		return 0;
	if (!(p = grown(a->sharers, n, size, sizeof(*a->sharers))))
		return -ENOMEM;
	a->sharers = p;
	if (!(p = grown(a->targets, n, size, sizeof(*a->targets))))
		return -ENOMEM;
	a->targets = p;
	a->size_sharers = size;
	return 0;
}

void
adapter_join(struct adapter *a, struct env *env, struct sharer *s, uint16_t slot)
{
	s->adapter = a;
	s->slot = slot;
	s->active = false;
	memset(s->role, 0, sizeof(s->role));
	a->sharers[slot] = s;
	a->targets[slot] = (struct attach){0};
	if (slot >= a->n_sharers)
		a->n_sharers = slot + 1u;
	adapter_changed(a, env);
}

void
adapter_leave(struct adapter *a, struct env *env, struct sharer *s)
{
	sharer_online(s, env, false);
	setip_end(a, env, s->slot, true);
	role_end(a, s);
	a->sharers[s->slot] = NULL;
	while (a->n_sharers && !a->sharers[a->n_sharers - 1])
		a->n_sharers--;
	s->adapter = NULL;
	adapter_elect(a);
	adapter_changed(a, env);
}

static void
register_mac(struct adapter *a, struct sharer *s)
{
	struct oat_entry e = {.addr = oat_mac(&s->set.mac), .sharer = s->slot};
	char mac[MAC_TEXT];

	if (adapter_by_mac(a) && oat_add(a->macs, &e) < 0)
		log_line(LOG_WARNING, "osa", "%s: %s: the MAC address %s is registered already", a->name, s->name,
				mac_text(&s->set.mac, mac));
}

static void
forget_macs(struct adapter *a, uint16_t slot)
{
	size_t n;
	struct oat_entry *list = oat_entries(a->macs, &n);

	for (size_t i = n; i-- > 0;) {
		struct ip_addr addr = list[i].addr;

		if (list[i].sharer == slot)
			oat_del(a->macs, &addr);
	}
}

static void
count_listeners(struct adapter *a)
{
	a->n_listeners = 0;
	for (uint16_t i = 0; i < a->n_sharers; i++)
		a->n_listeners += a->sharers[i] && a->sharers[i]->active && a->sharers[i]->set.promiscuous;
}

void
adapter_activity(struct adapter *a, struct env *env, struct sharer *s, bool active)
{
	s->active = active;
	a->targets[s->slot] = active ? s->set.target : (struct attach){0};
	if (active) {
		register_mac(a, s);
	} else {
		forget_macs(a, s->slot);
		setip_end(a, env, s->slot, false);
	}
	count_listeners(a);
	adapter_elect(a);
	adapter_changed(a, env);
}

void
adapter_update(struct adapter *a, struct env *env, struct sharer *s)
{
	if (!s->active)
		return;
	a->targets[s->slot] = s->set.target;
	forget_macs(a, s->slot);
	register_mac(a, s);
	count_listeners(a);
	adapter_changed(a, env);
}

/* Why a port does not isolate at all, or not in this way; OSA_ACCESS_SUCCESS: it does. */
static uint16_t
isolation_refused(const struct adapter *a, enum osa_isolation isolation)
{
	if (isolation == OSA_SHARED)
		return OSA_ACCESS_SUCCESS;
	if (a->set.mode == OSA_DEDICATED)
		return OSA_ACCESS_NOT_SHARED;
	if (a->set.mode != OSA_QDIO)
		return OSA_ACCESS_NOT_SUPPORTED;
	return isolation == OSA_FORWARD && a->port.attach.kind == ATTACH_LAN ? OSA_ACCESS_NO_RELAY : OSA_ACCESS_SUCCESS;
}

uint16_t
adapter_isolate(struct adapter *a, struct env *env, struct sharer *s, enum osa_isolation isolation)
{
	uint16_t why = isolation_refused(a, isolation);

	if (why != OSA_ACCESS_SUCCESS)
		return why;
	if (s->set.isolation == isolation)
		return isolation == OSA_SHARED ? OSA_ACCESS_NOT_ISOLATED : OSA_ACCESS_ISOLATED;
	s->set.isolation = isolation;
	adapter_changed(a, env);
	return OSA_ACCESS_SUCCESS;
}
