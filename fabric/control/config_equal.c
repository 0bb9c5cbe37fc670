/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <string.h>
#include <strings.h>

static bool
same_far(const struct cfg_iface *a, const struct cfg_iface *b)
{
	if (!a->far || !b->far)
		return a->far == b->far;
	return strcmp(a->far->node->name, b->far->node->name) == 0 &&
	       strcmp(a->far->name, b->far->name) == 0;
}

static bool
same_addresses(const struct cfg_iface *a, const struct cfg_iface *b)
{
	if (a->n_addresses != b->n_addresses)
		return false;
	for (size_t i = 0; i < a->n_addresses; i++) {
		if (!prefix_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	}
	return true;
}

static bool
same_entries(const struct cfg_sharer *a, const struct cfg_sharer *b)
{
	if (a->n_entries != b->n_entries || a->n_takeover_list != b->n_takeover_list)
		return false;
	for (size_t i = 0; i < a->n_entries; i++) {
		if (a->entries[i].kind != b->entries[i].kind || !ip_equal(&a->entries[i].addr, &b->entries[i].addr))
			return false;
	}
	for (size_t i = 0; i < a->n_takeover_list; i++) {
		if (!prefix_equal(&a->takeover_list[i], &b->takeover_list[i]))
			return false;
	}
	return true;
}

bool
config_sharer_equal(const struct cfg_iface *x, const struct cfg_iface *y)
{
	const struct cfg_sharer *a = cfg_sharer_of(x), *b = cfg_sharer_of(y);

	return memcmp(a->role, b->role, sizeof(a->role)) == 0 && a->policy == b->policy && a->links == b->links &&
	       a->echo_filter == b->echo_filter && a->promiscuous == b->promiscuous && a->isolation == b->isolation &&
	       a->takeover == b->takeover && a->invert4 == b->invert4 && a->invert6 == b->invert6 &&
	       a->device_given == b->device_given && a->device == b->device && same_entries(a, b);
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool
same_table(const struct cfg_osa *a, const struct cfg_osa *b)
{
	if (a->n_table != b->n_table)
		return false;
	for (size_t i = 0; i < a->n_table; i++) {
		const struct cfg_oat_static *x = &a->table[i], *y = &b->table[i];

		if (!ip_equal(&x->addr, &y->addr) || strcasecmp(x->node, y->node) != 0 || strcmp(x->iface, y->iface) != 0)
			return false;
	}
	return true;
}

bool
config_osa_equal(const struct cfg_osa *a, const struct cfg_osa *b)
{
	return strcmp(a->name, b->name) == 0 && a->side == b->side && same_text(a->network, b->network) && a->mode == b->mode &&
	       cfg_osa_assists(a) == cfg_osa_assists(b) && a->profile == b->profile && a->multicast_router == b->multicast_router &&
	       a->always_up == b->always_up && a->down == b->down && (a->secondaries ? a->secondaries : 1) ==
	       (b->secondaries ? b->secondaries : 1) && mac_equal(&a->mac, &b->mac) && same_text(a->card, b->card) &&
	       same_text(a->machine, b->machine) && same_text(a->type, b->type) && strcmp(a->slot, b->slot) == 0 &&
	       a->slot_port == b->slot_port && same_table(a, b);
}

static bool
same_iface(const struct cfg_iface *a, const struct cfg_iface *b)
{
	bool link = a->kind == CFG_IUCV || a->kind == CFG_CTC;

	return strcmp(a->name, b->name) == 0 && a->kind == b->kind &&
	       (link || strcmp(a->target, b->target) == 0) && same_addresses(a, b) &&
	       ip_equal(&a->peer, &b->peer) && a->mtu == b->mtu && mac_equal(&a->mac, &b->mac) &&
	       a->up == b->up && a->rp_filter == b->rp_filter &&
	       a->log_martians == b->log_martians && a->proxy_arp == b->proxy_arp && a->hidden == b->hidden && a->frames == b->frames &&
	       config_sharer_equal(a, b) &&
	       strcmp(a->sourcevipa, b->sourcevipa) == 0 && same_far(a, b);
}

static bool
same_hop(const struct cfg_nexthop *a, const struct cfg_nexthop *b)
{
	return ip_equal(&a->via, &b->via) && strcmp(a->dev, b->dev) == 0 && a->weight == b->weight;
}

static bool
same_route(const struct cfg_route *a, const struct cfg_route *b)
{
	if (!prefix_equal(&a->to, &b->to) || a->type != b->type || a->n_hops != b->n_hops ||
		a->metric != b->metric || a->table != b->table || a->mtu != b->mtu ||
		!ip_equal(&a->src, &b->src))
		return false;
	for (size_t i = 0; i < a->n_hops; i++) {
		if (!same_hop(&a->hops[i], &b->hops[i]))
			return false;
	}
	return true;
}

static bool
same_rule(const struct cfg_rule *a, const struct cfg_rule *b)
{
	return a->priority == b->priority && prefix_equal(&a->from, &b->from) &&
	       prefix_equal(&a->to, &b->to) && strcmp(a->iif, b->iif) == 0 && a->mark == b->mark &&
	       a->mask == b->mask && a->tos == b->tos && a->table == b->table;
}

static bool
same_tunable(const struct cfg_tunable *a, const struct cfg_tunable *b)
{
	return a->value == b->value && strcmp(a->name, b->name) == 0;
}

static bool
same_helper(const struct cfg_helper *a, const struct cfg_helper *b)
{
	return strcmp(a->name, b->name) == 0 && a->translate == b->translate &&
	       a->n_ports == b->n_ports &&
	       memcmp(a->ports, b->ports, a->n_ports * sizeof(a->ports[0])) == 0;
}

#define SAME_ALL(list, count, same) \
	static bool same_##list(const struct cfg_node *a, const struct cfg_node *b) \
	{ \
		if (a->count != b->count) \
			return false; \
		for (size_t i = 0; i < a->count; i++) { \
			if (!same(&a->list[i], &b->list[i])) \
				return false; \
		} \
		return true; \
	}
SAME_ALL(ifaces, n_ifaces, same_iface)
SAME_ALL(routes, n_routes, same_route)
SAME_ALL(rules, n_rules, same_rule)
SAME_ALL(tunables, n_tunables, same_tunable)
SAME_ALL(helpers, n_helpers, same_helper)
SAME_ALL(management, n_management, prefix_equal)
#undef SAME_ALL

bool
config_node_equal(const struct cfg_node *a, const struct cfg_node *b)
{
	return strcmp(a->name, b->name) == 0 && a->kind == b->kind && a->forward == b->forward &&
	       a->control == b->control && a->hidden == b->hidden && same_ifaces(a, b) && same_routes(a, b) &&
	       same_rules(a, b) && same_tunables(a, b) && same_management(a, b) &&
	       same_helpers(a, b) && config_nat_equal(a, b);
}
