/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a stack asks its adapter to register without being told by hand: OSA-17 to OSA-22. */
#include "fabric/engine/osa_addresses.h"

#include <errno.h>
#include <stdlib.h>

struct list {
	struct asked *a;
	size_t n, size;
	int rc;
};

static void
add(struct list *l, const struct ip_addr *addr, enum osa_entry kind)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 8;
		struct asked *more = realloc(l->a, size * sizeof(*more));

		if (!more) {
			l->rc = -ENOMEM;
			return;
		}
		l->a = more;
		l->size = size;
	}
	l->a[l->n++] = (struct asked){*addr, kind};
}

/* What a namespace really has, where somebody changed it there. */
static void
add_own(struct list *l, const struct placement *place, const struct cfg_iface *i)
{
	const struct sharer *s = i->kind == CFG_OSA ? placed_iface(place, i)->sharer : NULL;

	for (size_t a = 0; s && s->seen_known && a < s->n_seen; a++)
		add(l, &s->seen[a], OSA_NORMAL);
	if (s && s->seen_known)
		return;
	for (size_t a = 0; a < i->n_addresses; a++)
		add(l, &i->addresses[a].addr, i->kind == CFG_DUMMY ? OSA_VIPA : OSA_NORMAL);
}

static void
add_far_end(struct list *l, const struct cfg_iface *i)
{
	if (ip_is_set(&i->peer))
		add(l, &i->peer, OSA_NORMAL);
	for (size_t a = 0; !ip_is_set(&i->peer) && a < i->far->n_addresses; a++)
		add(l, &i->far->addresses[a].addr, OSA_NORMAL);
}

static void
add_of_node(struct list *l, struct engine *e, const struct placement *place, const struct cfg_iface *osa, bool stack, bool links)
{
	const struct cfg_node *n = osa->node;

	for (size_t i = 0; i < n->n_ifaces; i++) {
		const struct cfg_iface *f = &n->ifaces[i];

		if (stack && f != osa && f->up)
			add_own(l, place, f);
		if (links && f->far && link_is_up(e, place, f))
			add_far_end(l, f);
	}
}

int
osa_addresses(struct engine *e, const struct placement *place, const struct cfg_iface *i, struct asked **list, size_t *n)
{
	static const struct cfg_sharer defaults;
	const struct cfg_sharer *s = i->sharer ? i->sharer : &defaults;
	const struct cfg_osa *o = config_osa(place->config, i->target);
	struct list l = {0};

	if (o && o->mode == OSA_QDIO) {
		if (s->policy != OSA_NO_ADDRESS)
			add_own(&l, place, i);
		add_of_node(&l, e, place, i, s->policy == OSA_FULL_STACK, s->links);
		for (size_t k = 0; k < s->n_entries; k++)
			add(&l, &s->entries[k].addr, s->entries[k].kind);
	}
	*list = l.a;
	*n = l.n;
	return l.rc;
}
