/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_MAIN = 254, TABLE_LOCAL = 255 };

/* A route as its map says it. */
struct route_text {
	const struct cfg_yaml *to, *via, *nexthops;
	char dev[IFACE_NAME];
	uint32_t metric, table, mtu;
	struct ip_addr src;
	bool types[CFG_ROUTE_PROHIBIT + 1];
};

#define FIELD(type, name, reader, min, max) {#name, reader, offsetof(struct type, name), min, max, NULL}
static const struct cfg_key route_keys[] = {
	FIELD(route_text, to, cfg_read_later, 0, 0),
	FIELD(route_text, via, cfg_read_later, 0, 0),
	FIELD(route_text, dev, cfg_read_iface_name, 0, 0),
	FIELD(route_text, nexthops, cfg_read_later, 0, 0),
	FIELD(route_text, metric, cfg_read_u32, 0, UINT32_MAX),
	FIELD(route_text, table, cfg_read_u32, 1, UINT32_MAX),
	FIELD(route_text, mtu, cfg_read_u32, 68, 65535),
	FIELD(route_text, src, cfg_read_address, 0, 0),
	{"discard", cfg_read_bool, offsetof(struct route_text, types[CFG_ROUTE_DISCARD]), 0, 0,
		NULL},
	{"unreachable", cfg_read_bool, offsetof(struct route_text, types[CFG_ROUTE_UNREACHABLE]), 0,
		0, NULL},
	{"prohibit", cfg_read_bool, offsetof(struct route_text, types[CFG_ROUTE_PROHIBIT]), 0, 0,
		NULL},
};

static const struct cfg_key hop_keys[] = {
	FIELD(cfg_nexthop, via, cfg_read_address, 0, 0),
	FIELD(cfg_nexthop, dev, cfg_read_iface_name, 0, 0),
	FIELD(cfg_nexthop, weight, cfg_read_u16, 1, 256),
};

static void read_mark(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);

static const struct cfg_key rule_keys[] = {
	FIELD(cfg_rule, priority, cfg_read_u32, 1, UINT32_MAX),
	FIELD(cfg_rule, from, cfg_read_network, 0, 0),
	FIELD(cfg_rule, to, cfg_read_network, 0, 0),
	FIELD(cfg_rule, iif, cfg_read_iface_name, 0, 0),
	FIELD(cfg_rule, mark, read_mark, 0, 0),
	FIELD(cfg_rule, tos, cfg_read_u8, 0, 255),
	FIELD(cfg_rule, table, cfg_read_u32, 1, UINT32_MAX),
};
#undef FIELD

/* => true with *type; reports when the map says more than one. */
static bool
read_type(struct cfg_reader *r, const struct cfg_yaml *map, const struct route_text *t,
	enum cfg_route_type *type)
{
	*type = CFG_ROUTE_UNICAST;
	for (int i = CFG_ROUTE_DISCARD; i <= CFG_ROUTE_PROHIBIT; i++) {
		if (!t->types[i])
			continue;
		if (*type != CFG_ROUTE_UNICAST) {
			cfg_error(r, map->at,
				"a route is of two types, expected one of discard, unreachable, prohibit");
			return false;
		}
		*type = (enum cfg_route_type)i;
	}
	return true;
}

static bool
read_destination(struct cfg_reader *r, const struct cfg_yaml *map, const struct cfg_yaml *v,
	struct cfg_route *out, bool *any)
{
	*any = v && v->kind == CFG_YAML_SCALAR && strcmp(v->text, "default") == 0;
	if (*any)
		out->to = (struct ip_prefix){.addr = ip4(0)};
	else if (v)
		return cfg_network(r, "to", v, &out->to);
	else
		cfg_error(r, map->at, "a route has no destination, expected 'to'");
	return v != NULL;
}

static void
read_hops(struct cfg_reader *r, const struct cfg_yaml *list, struct cfg_route *out)
{
	if (!cfg_expect(r, list, CFG_YAML_LIST, "nexthops"))
		return;
	if (list->n == 0)
		cfg_error(r, list->at, "nexthops is empty, expected at least one next hop");
	out->hops = cfg_alloc(r->keep, list->n * sizeof(*out->hops));
	for (const struct cfg_yaml *v = list->first; v; v = v->next) {
		struct cfg_nexthop *h = &out->hops[out->n_hops++];

		h->at = v->at;
		h->weight = 1;
		if (!cfg_read_map(r, v, "a next hop", hop_keys, CFG_COUNT(hop_keys), h))
			continue;
		if (ip_is_set(&h->via))
			h->at = cfg_place(v, "via");
		else if (!cfg_yaml_get(v, "dev") && !cfg_yaml_get(v, "via"))
			cfg_error(r, v->at,
				"a next hop leads nowhere, expected 'via', 'dev' or both");
	}
}

static void
read_one_hop(struct cfg_reader *r, const struct cfg_yaml *map, const struct route_text *t,
	struct cfg_route *out)
{
	struct cfg_nexthop *h = cfg_alloc(r->keep, sizeof(*h));

	h->at = t->via ? t->via->at : cfg_place(map, "dev");
	h->weight = 1;
	memcpy(h->dev, t->dev, sizeof(h->dev));
	out->hops = h;
	out->n_hops = 1;
	if (t->via)
		cfg_address(r, "via", t->via, &h->via);
	else if (!cfg_yaml_get(map, "dev"))
		cfg_error(r, map->at,
			"a route leads nowhere, expected 'via', 'dev', 'nexthops' or a type like 'discard: true'");
}

static void
read_way(struct cfg_reader *r, const struct cfg_yaml *map, const struct route_text *t,
	struct cfg_route *out)
{
	if (out->type != CFG_ROUTE_UNICAST) {
		if (t->via || t->dev[0] || t->nexthops || t->mtu || ip_is_set(&t->src))
			cfg_error(r, map->at,
				"a route that throws packets away has a next hop, mtu or src, expected none");
	} else if (t->nexthops && (t->via || t->dev[0])) {
		cfg_error(r, t->nexthops->at,
			"a route has 'nexthops' and 'via' or 'dev', expected one of them");
	} else if (t->nexthops) {
		read_hops(r, t->nexthops, out);
	} else {
		read_one_hop(r, map, t, out);
	}
}

/* "default" is of the family that the rest of the route is of. */
static void
settle_default(struct cfg_route *out, const struct route_text *t)
{
	uint16_t family = t->src.family;

	for (size_t i = 0; i < out->n_hops; i++)
		family = ip_is_set(&out->hops[i].via) ? out->hops[i].via.family : family;
	if (family == AF_INET6)
		out->to.addr.family = AF_INET6;
}

static void
read_route(struct cfg_reader *r, const struct cfg_yaml *map, struct cfg_route *out)
{
	struct route_text t = {.table = TABLE_MAIN};
	bool any;

	out->at = map->at;
	if (!cfg_read_map(r, map, "a route", route_keys, CFG_COUNT(route_keys), &t))
		return;
	out->metric = t.metric;
	out->table = t.table;
	out->mtu = t.mtu;
	out->src = t.src;
	if (t.table == TABLE_LOCAL)
		cfg_error(r, cfg_place(map, "table"),
			"table 255 holds a node's own addresses, expected another");
	if (!read_destination(r, map, t.to, out, &any) || !read_type(r, map, &t, &out->type))
		return;
	read_way(r, map, &t, out);
	if (any)
		settle_default(out, &t);
}

void
cfg_read_routes(struct cfg_reader *r, struct cfg_node *n, struct cfg_src_node *s,
	const struct cfg_yaml *list)
{
	if (!cfg_expect(r, list, CFG_YAML_LIST, "routes"))
		return;
	n->routes = cfg_alloc(r->keep, list->n * sizeof(*n->routes));
	s->routes = cfg_alloc(&r->scratch, list->n * sizeof(*s->routes));
	for (const struct cfg_yaml *v = list->first; v; v = v->next) {
		struct cfg_src *src = &s->routes[n->n_routes];
		size_t errors = r->errs->total;

		src->map = v;
		read_route(r, v, &n->routes[n->n_routes++]);
		src->bad = r->errs->total != errors;
	}
}

/* MARK or MARK/MASK */
static void
read_mark(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	struct cfg_rule *rule = object;
	struct cfg_key part = {.name = k->name, .max = UINT32_MAX};
	struct cfg_yaml mark = *v, mask = *v;
	int64_t number, bits = UINT32_MAX;
	const char *slash;

	if (!cfg_word(r, k->name, v))
		return;
	slash = strchr(v->text, '/');
	if (slash) {
		mark.text = cfg_copy(&r->scratch, v->text, (size_t)(slash - v->text));
		mask.text = slash + 1;
		part.min = 1;
		if (!cfg_number(r, &part, &mask, &bits))
			return;
		part.min = 0;
	}
	if (!cfg_number(r, &part, &mark, &number))
		return;
	rule->mark = (uint32_t)number;
	rule->mask = (uint32_t)bits;
	if (rule->mark & ~rule->mask)
		cfg_error(r, v->at, "mark %s has bits outside its mask, expected %#x/%#x", v->text,
			rule->mark & rule->mask, rule->mask);
}

static void
read_rule(struct cfg_reader *r, const struct cfg_yaml *map, struct cfg_rule *out)
{
	out->at = map->at;
	if (!cfg_read_map(r, map, "a rule", rule_keys, CFG_COUNT(rule_keys), out))
		return;
	if (!cfg_yaml_get(map, "priority"))
		cfg_error(r, map->at, "a rule has no priority, expected 'priority'");
	if (!cfg_yaml_get(map, "table"))
		cfg_error(r, map->at, "a rule has no table, expected 'table'");
	if (ip_is_set(&out->from.addr) && ip_is_set(&out->to.addr) &&
		out->from.addr.family != out->to.addr.family)
		cfg_error(r, cfg_place(map, "to"),
			"from and to of a rule are of two families, expected one");
}

void
cfg_read_rules(struct cfg_reader *r, struct cfg_node *n, struct cfg_src_node *s,
	const struct cfg_yaml *list)
{
	if (!cfg_expect(r, list, CFG_YAML_LIST, "policy_rules"))
		return;
	n->rules = cfg_alloc(r->keep, list->n * sizeof(*n->rules));
	s->rules = cfg_alloc(&r->scratch, list->n * sizeof(*s->rules));
	for (const struct cfg_yaml *v = list->first; v; v = v->next) {
		struct cfg_src *src = &s->rules[n->n_rules];
		size_t errors = r->errs->total;

		src->map = v;
		read_rule(r, v, &n->rules[n->n_rules++]);
		src->bad = r->errs->total != errors;
	}
}
