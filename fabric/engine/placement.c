/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/placement.h"

#include "drivers/osa/adapter.h"
#include "fabric/base/tunable.h"
#include "fabric/lan/lan.h"
#include "filters/live.h"
#include "routing/icmp.h"
#include "routing/reasm.h"

#include <errno.h>
#include <stdlib.h>

/* Slots in use; free ones are given out lowest first. */
struct slots {
	uint8_t *used;
	uint32_t size, next;
};

static int
slots_use(struct slots *s, uint32_t slot)
{
	if (slot == UINT32_MAX)
		return -ENOMEM;
	if (slot >= s->size) {
		uint32_t size = (slot + 64) * 2;
		uint8_t *used = realloc(s->used, size);

		if (!used)
			return -ENOMEM;
		memset(used + s->size, 0, size - s->size);
		s->used = used;
		s->size = size;
	}
	s->used[slot] = 1;
	return 0;
}

static uint32_t
slots_take(struct slots *s)
{
	while (s->next < s->size && s->used[s->next])
		s->next++;
	return slots_use(s, s->next) < 0 ? UINT32_MAX : s->next;
}

struct placed_node *
placed_node(const struct placement *p, const char *name)
{
	struct cfg_node *n = p ? config_node(p->config, name) : NULL;

	return n ? &p->nodes[n - p->config->nodes] : NULL;
}

struct placed_iface *
placed_iface(const struct placement *p, const struct cfg_iface *i)
{
	return &p->nodes[i->node - p->config->nodes].ifaces[i - i->node->ifaces];
}

struct placed_lan *
placed_lan(const struct placement *p, const char *name)
{
	struct cfg_lan *l = p ? config_lan(p->config, name) : NULL;

	return l ? &p->lans[l - p->config->lans] : NULL;
}

struct placed_osa *
placed_osa(const struct placement *p, const char *name)
{
	struct cfg_osa *o = p ? config_osa(p->config, name) : NULL;

	return o ? &p->osas[o - p->config->osas] : NULL;
}

struct placed_iface *
placed_before(const struct placement *old, const struct cfg_iface *i)
{
	struct cfg_node *n = old ? config_node(old->config, i->node->name) : NULL;
	struct cfg_iface *same = n && n->kind == i->node->kind ? config_iface(n, i->name) : NULL;

	return same && same->kind == i->kind ? placed_iface(old, same) : NULL;
}

const struct cfg_lan *
lan_of_iface(const struct config *c, const struct cfg_iface *i)
{
	return i->kind == CFG_LAN ? config_lan(c, i->target) : NULL;
}

const struct cfg_lan *
lan_of_osa(const struct config *c, const struct cfg_osa *o)
{
	return o->side == CFG_OSA_NETWORK ? config_lan(c, o->network) : NULL;
}

static struct sharer *
new_sharer(const struct cfg_iface *i)
{
	char name[NODE_NAME + IFACE_NAME];

	snprintf(name, sizeof(name), "%s/%s", i->node->name, i->name);
	return sharer_new(name);
}

static int
place_ifaces(const struct cfg_node *n, struct placed_node *to, const struct placement *old)
{
	struct slots slots = {.next = 2};
	int rc = 0;

	to->ifaces = calloc(n->n_ifaces + 1, sizeof(*to->ifaces));
	if (!to->ifaces)
		return -ENOMEM;
	for (size_t i = 0; i < n->n_ifaces && rc == 0; i++) {
		struct placed_iface *before = placed_before(old, &n->ifaces[i]);

		to->ifaces[i].fresh = !before;
		if (!before)
			continue;
		to->ifaces[i] = *before;
		to->ifaces[i].fresh = false;
		rc = slots_use(&slots, before->slot);
	}
	for (size_t i = 0; i < n->n_ifaces && rc == 0; i++) {
		struct placed_iface *p = &to->ifaces[i];
		uint32_t slot;

		if (!p->fresh)
			continue;
		slot = slots_take(&slots);
		p->slot = (uint16_t)slot;
		p->live = n->kind == CFG_ROUTER ? calloc(1, sizeof(*p->live)) : NULL;
		p->sharer = n->ifaces[i].kind == CFG_OSA ? new_sharer(&n->ifaces[i]) : NULL;
		if (slot > UINT16_MAX || (n->kind == CFG_ROUTER && !p->live) || (n->ifaces[i].kind == CFG_OSA && !p->sharer))
			rc = -ENOMEM;
	}
	free(slots.used);
	return rc;
}

static void
router_live_free(struct router_live *live)
{
	if (!live)
		return;
	icmp_limit_free(live->icmp);
	filters_live_free(live->filters);
	free(live);
}

static struct router_live *
router_live_new(void)
{
	struct router_live *live = calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	live->icmp = icmp_limit_new();
	live->reasm = reasm_new(live);
	live->filters = filters_live_new();
	if (live->icmp && live->reasm && live->filters)
		return live;
	reasm_free(live->reasm, NULL); /* empty: needs no surroundings */
	router_live_free(live);
	return NULL;
}

static int
make_live(struct placed_node *n)
{
	n->live = router_live_new();
	n->lo = calloc(1, sizeof(*n->lo));
	return n->live && n->lo ? 0 : -ENOMEM;
}

static int
place_nodes(struct placement *p, const struct placement *old)
{
	const struct config *c = p->config;
	struct slots slots = {0};
	int rc = 0;

	for (size_t i = 0; i < c->n_nodes && rc == 0; i++) {
		struct placed_node *before = placed_node(old, c->nodes[i].name);

		if (before && old->config->nodes[before - old->nodes].kind != c->nodes[i].kind)
			before = NULL;
		p->nodes[i].fresh = !before;
		if (before && c->nodes[i].kind == CFG_ROUTER) {
			p->nodes[i] = *before;
			p->nodes[i].fresh = false;
			p->nodes[i].ifaces = NULL;
			rc = slots_use(&slots, before->slot);
		}
		if (rc == 0)
			rc = place_ifaces(&c->nodes[i], &p->nodes[i], old);
	}
	/* a removed router's slot is not given out in the same change: packets in flight may still name it */
	for (size_t i = 0; old && i < old->config->n_routers && rc == 0; i++)
		rc = slots_use(&slots, old->nodes[i].slot);
	for (size_t i = 0; i < c->n_routers && rc == 0; i++) {
		if (p->nodes[i].fresh) {
			p->nodes[i].slot = slots_take(&slots);
			rc = p->nodes[i].slot == UINT32_MAX ? -ENOMEM : make_live(&p->nodes[i]);
		}
		p->routers_end = p->nodes[i].slot >= p->routers_end ? p->nodes[i].slot + 1 : p->routers_end;
	}
	free(slots.used);
	return rc;
}

/* The interface was on the same LAN, or adapter, in the placement before. */
static bool
was_there(const struct placement *old, const struct cfg_iface *i, const struct placed_iface *pi)
{
	struct cfg_node *n = old ? config_node(old->config, i->node->name) : NULL;
	struct cfg_iface *same = n ? config_iface(n, i->name) : NULL;

	return !pi->fresh && same && same->kind == i->kind && strcmp(same->target, i->target) == 0;
}

/* Slots for the interfaces of one kind on one LAN or adapter: who stays keeps its own. `end`: one above the highest. */
static int
place_members(struct placement *p, const struct placement *old, enum cfg_iface_kind kind, const char *target, struct slots *slots,
		uint32_t *end)
{
	const struct config *c = p->config;
	int rc = 0;

	for (int fresh = 0; fresh <= 1; fresh++) {
		for (size_t n = 0; n < c->n_nodes; n++) {
			for (size_t i = 0; i < c->nodes[n].n_ifaces && rc == 0; i++) {
				const struct cfg_iface *f = &c->nodes[n].ifaces[i];
				struct placed_iface *pi = &p->nodes[n].ifaces[i];
				bool kept;

				if (f->kind != kind || strcmp(f->target, target) != 0)
					continue;
				kept = was_there(old, f, pi);
				if (kept == (bool)fresh)
					continue;
				if (!kept)
					pi->member = slots_take(slots);
				rc = slots_use(slots, pi->member);
				if (rc == 0 && pi->member >= *end)
					*end = pi->member + 1;
			}
		}
	}
	return rc;
}

/* The network sides of adapters are members of a LAN too; those that stay have been given their slots before. */
static int
place_networks(struct placement *p, const struct placement *old, const struct cfg_lan *lan, struct slots *slots, bool fresh)
{
	const struct config *c = p->config;
	int rc = 0;

	for (size_t i = 0; i < c->n_osas && rc == 0; i++) {
		const struct cfg_osa *o = &c->osas[i], *was = old ? config_osa(old->config, o->name) : NULL;
		bool kept = was && was->side == CFG_OSA_NETWORK && strcmp(was->network, lan->name) == 0;

		if (lan_of_osa(c, o) != lan || kept == fresh)
			continue;
		p->osas[i].member = kept ? placed_osa(old, o->name)->member : slots_take(slots);
		rc = slots_use(slots, p->osas[i].member);
	}
	return rc;
}

static int
place_on_lan(struct placement *p, const struct placement *old, const struct cfg_lan *lan, struct placed_lan *to)
{
	struct slots slots = {0};
	int rc = place_networks(p, old, lan, &slots, false);

	if (rc == 0)
		rc = place_members(p, old, CFG_LAN, lan->name, &slots, &to->members_end);
	if (rc == 0)
		rc = place_networks(p, old, lan, &slots, true);
	for (size_t i = 0; i < p->config->n_osas; i++) {
		if (lan_of_osa(p->config, &p->config->osas[i]) == lan && p->osas[i].member >= to->members_end)
			to->members_end = p->osas[i].member + 1;
	}
	free(slots.used);
	return rc;
}

static int
place_lans(struct placement *p, const struct placement *old)
{
	const struct config *c = p->config;
	struct slots slots = {0};
	int rc = 0;

	for (size_t i = 0; i < c->n_lans && rc == 0; i++) {
		struct placed_lan *before = placed_lan(old, c->lans[i].name);

		p->lans[i].fresh = !before;
		if (before) {
			p->lans[i].slot = before->slot;
			p->lans[i].live = before->live;
			rc = slots_use(&slots, before->slot);
		}
	}
	for (size_t i = 0; i < c->n_lans && rc == 0; i++) {
		struct placed_lan *l = &p->lans[i];

		if (l->fresh) {
			l->slot = slots_take(&slots);
			l->live = lan_live_new((size_t)tunable_row(TUNE_MAC_TABLE)->fallback,
					(uint64_t)tunable_row(TUNE_MAC_AGEING_TIME)->fallback * 1000000u);
			rc = l->live && l->slot != UINT32_MAX ? 0 : -ENOMEM;
		}
		if (rc == 0)
			rc = place_on_lan(p, old, &c->lans[i], l);
		p->lans_end = l->slot >= p->lans_end ? l->slot + 1 : p->lans_end;
	}
	free(slots.used);
	return rc;
}

static int
place_sharers(struct placement *p, const struct placement *old, const struct cfg_osa *o, struct placed_osa *to)
{
	struct slots slots = {0};
	int rc = place_members(p, old, CFG_OSA, o->name, &slots, &to->sharers_end);

	free(slots.used);
	return rc == 0 && to->sharers_end >= SHARER_NONE ? -ENOSPC : rc;
}

static int
place_osas(struct placement *p, const struct placement *old)
{
	const struct config *c = p->config;
	struct slots slots = {0};
	int rc = 0;

	for (size_t i = 0; i < c->n_osas && rc == 0; i++) {
		const struct placed_osa *before = placed_osa(old, c->osas[i].name);

		p->osas[i].fresh = !before;
		if (!before)
			continue;
		p->osas[i] = *before;
		p->osas[i].fresh = false;
		p->osas[i].sharers_end = 0;
		rc = slots_use(&slots, before->slot);
	}
	for (size_t i = 0; i < c->n_osas && rc == 0; i++) {
		struct placed_osa *o = &p->osas[i];

		if (o->fresh) {
			o->slot = slots_take(&slots);
			o->adapter = adapter_new(c->osas[i].name);
			rc = o->adapter && o->slot != UINT32_MAX ? 0 : -ENOMEM;
		}
		if (rc == 0)
			rc = place_sharers(p, old, &c->osas[i], o);
		p->osas_end = o->slot >= p->osas_end ? o->slot + 1 : p->osas_end;
	}
	free(slots.used);
	return rc;
}

struct placement *
placement_new(const struct config *next, const struct placement *old)
{
	struct placement *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		return NULL;
	p->config = next;
	p->nodes = calloc(next->n_nodes + 1, sizeof(*p->nodes));
	p->lans = calloc(next->n_lans + 1, sizeof(*p->lans));
	p->osas = calloc(next->n_osas + 1, sizeof(*p->osas));
	if (p->nodes && p->lans && p->osas)
		rc = place_nodes(p, old);
	if (rc == 0)
		rc = place_osas(p, old);
	if (rc == 0)
		rc = place_lans(p, old);
	if (rc == 0)
		return p;
	placement_free(p, true);
	errno = -rc;
	return NULL;
}

static void
sharing_free(struct sharer_settings *set)
{
	if (!set)
		return;
	sharer_settings_fini(set);
	free(set);
}

static void
node_free(struct placed_node *n, size_t n_ifaces, bool unpublished)
{
	for (size_t i = 0; n->ifaces && i < n_ifaces; i++) {
		if (unpublished)
			sharing_free(n->ifaces[i].sharing);
		if (!unpublished || !n->ifaces[i].fresh)
			continue;
		free(n->ifaces[i].live);
		sharer_free(n->ifaces[i].sharer);
	}
	if (unpublished && n->fresh) {
		if (n->live)
			reasm_free(n->live->reasm, NULL); /* empty: needs no surroundings */
		router_live_free(n->live);
		free(n->lo);
	}
	free(n->ifaces);
}

void
placement_free(struct placement *p, bool unpublished)
{
	if (!p)
		return;
	for (size_t i = 0; p->nodes && i < p->config->n_nodes; i++)
		node_free(&p->nodes[i], p->config->nodes[i].n_ifaces, unpublished);
	for (size_t i = 0; p->lans && i < p->config->n_lans; i++) {
		if (unpublished && p->lans[i].fresh)
			lan_live_free(p->lans[i].live);
	}
	for (size_t i = 0; p->osas && i < p->config->n_osas; i++) {
		if (unpublished && p->osas[i].fresh)
			adapter_free(p->osas[i].adapter);
	}
	free(p->nodes);
	free(p->lans);
	free(p->osas);
	free(p);
}
