/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_osa.h"

#include <string.h>
#include <strings.h>

bool
cfg_takes_over(const struct cfg_sharer *s, const struct ip_addr *a)
{
	bool listed = false;

	if (!s || !s->takeover)
		return false;
	for (size_t n = 0; n < s->n_takeover_list && !listed; n++)
		listed = s->takeover_list[n].addr.family == a->family && prefix_contains(&s->takeover_list[n], a);
	return listed != (a->family == AF_INET6 ? s->invert6 : s->invert4);
}

struct visitor {
	const struct cfg_iface *iface;
	void (*visit)(void *arg, const struct cfg_registration *what);
	void *arg;
};

static void
visit_addresses(const struct visitor *v, const struct cfg_iface *from)
{
	for (size_t n = 0; n < from->n_addresses; n++) {
		const struct ip_addr *a = &from->addresses[n].addr;

		v->visit(v->arg, &(struct cfg_registration){.addr = *a,
				.kind = from->kind == CFG_DUMMY ? OSA_VIPA : OSA_NORMAL,
				.takeover = from->kind != CFG_DUMMY && cfg_takes_over(v->iface->sharer, a),
				.own = from == v->iface});
	}
}

static void
visit_qdio(const struct visitor *v)
{
	static const struct cfg_sharer defaults;
	const struct cfg_sharer *s = v->iface->sharer ? v->iface->sharer : &defaults;
	const struct cfg_node *node = v->iface->node;

	if (s->policy != OSA_NO_ADDRESS)
		visit_addresses(v, v->iface);
	for (size_t n = 0; s->policy == OSA_FULL_STACK && n < node->n_ifaces; n++) {
		if (&node->ifaces[n] != v->iface)
			visit_addresses(v, &node->ifaces[n]);
	}
	for (size_t n = 0; n < s->n_entries; n++) {
		const struct cfg_oat_entry *e = &s->entries[n];
		bool takes = e->kind == OSA_RXIP || (e->kind == OSA_NORMAL && cfg_takes_over(s, &e->addr));

		v->visit(v->arg, &(struct cfg_registration){.addr = e->addr, .kind = e->kind, .takeover = takes});
	}
}

static bool
is_owner(const struct cfg_oat_static *e, const struct cfg_iface *i)
{
	return strcasecmp(e->node, i->node->name) == 0 && (!e->iface[0] || strcmp(e->iface, i->name) == 0);
}

void
cfg_registrations(const struct config *c, const struct cfg_iface *i,
	void (*visit)(void *arg, const struct cfg_registration *what), void *arg)
{
	const struct cfg_osa *o = i->kind == CFG_OSA ? config_osa(c, i->target) : NULL;
	struct visitor v = {.iface = i, .visit = visit, .arg = arg};

	if (o && o->mode == OSA_QDIO)
		visit_qdio(&v);
	for (size_t n = 0; o && o->mode == OSA_OSE && n < o->n_table; n++) {
		if (is_owner(&o->table[n], i))
			visit(arg, &(struct cfg_registration){.addr = o->table[n].addr});
	}
}
