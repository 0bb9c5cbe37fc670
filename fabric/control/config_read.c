/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/tunable.h"
#include "fabric/control/config_reader.h"

#include <ctype.h>
#include <string.h>

struct fabric_text {
	const struct cfg_yaml *fabric, *tunables, *lans, *osa, *routers, *guests;
};

struct node_text {
	const struct cfg_yaml *tunables, *interfaces, *routes, *policy_rules, *rules, *sets, *management, *helpers, *nat_addresses, *balance, *run;
	bool forward, control, hairpin, netns, simulated, hidden;
};

#define LATER(type, name) {#name, cfg_read_later, offsetof(struct type, name), 0, 0, NULL}
#define BOOL(type, name) {#name, cfg_read_bool, offsetof(struct type, name), 0, 0, NULL}
#define REFUSED(name, text) {#name, cfg_read_refused, 0, 0, 0, text}

static const struct cfg_key fabric_keys[] = {
	LATER(fabric_text, fabric),
	LATER(fabric_text, tunables),
	LATER(fabric_text, lans),
	LATER(fabric_text, osa),
	LATER(fabric_text, routers),
	LATER(fabric_text, guests),
};

static const struct cfg_key router_keys[] = {
	BOOL(node_text, forward),
	BOOL(node_text, control),
	BOOL(node_text, hairpin),
	BOOL(node_text, hidden),
	LATER(node_text, tunables),
	LATER(node_text, interfaces),
	LATER(node_text, routes),
	LATER(node_text, policy_rules),
	LATER(node_text, rules),
	LATER(node_text, sets),
	LATER(node_text, management),
	LATER(node_text, helpers),
	LATER(node_text, nat_addresses),
	LATER(node_text, balance),
	REFUSED(run, "expected programs only on guests: a router runs none"),
	REFUSED(netns, "expected it only on guests"),
	REFUSED(simulated, "expected it only on guests"),
};

static const struct cfg_key guest_keys[] = {
	BOOL(node_text, netns),
	BOOL(node_text, simulated),
	BOOL(node_text, forward),
	BOOL(node_text, hidden),
	LATER(node_text, interfaces),
	LATER(node_text, routes),
	LATER(node_text, run),
	REFUSED(control, "expected it only on routers"),
	REFUSED(tunables, "expected them on routers and at the top"),
	REFUSED(policy_rules, "expected them only on routers"),
	REFUSED(rules, "expected them only on routers"),
	REFUSED(sets, "expected them only on routers"),
	REFUSED(management, "expected it only on routers"),
	REFUSED(helpers, "expected them only on routers"),
	REFUSED(hairpin, "expected it only on routers"),
	REFUSED(nat_addresses, "expected them only on routers"),
	REFUSED(balance, "expected it only on routers"),
};

/* What a word may be, when this version knows only one. */
static void
read_only_choice(
	struct cfg_reader *r, const char *what, const struct cfg_yaml *v, const char *choice)
{
	char text[CFG_QUOTE];

	if (cfg_word(r, what, v) && strcmp(v->text, choice) != 0)
		cfg_error(r, v->at, "%s '%s' is not there yet, expected %s", what,
			cfg_quote(v->text, text), choice);
}

static void
read_lan_type(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	(void)object;
	read_only_choice(r, k->name, v, "ethernet");
}

static const struct cfg_key lan_keys[] = {
	{"type", read_lan_type, 0, 0, 0, NULL},
	{"mtu", cfg_read_u32, offsetof(struct cfg_lan, mtu), 68, 9000, NULL},
};

/* Each named object of a map: `lans: {NAME: {...}}`. => their number, 0 when it is no map */
static size_t
count_children(struct cfg_reader *r, const struct cfg_yaml *map, const char *what)
{
	return map && cfg_expect(r, map, CFG_YAML_MAP, what) ? map->n : 0;
}

static void
read_lans(struct cfg_reader *r, const struct cfg_yaml *map)
{
	struct config *c = r->c;
	size_t n = count_children(r, map, "lans");

	c->lans = cfg_alloc(r->keep, n * sizeof(*c->lans));
	for (const struct cfg_yaml *k = n ? map->first : NULL; k; k = k->next) {
		struct cfg_lan *l = &c->lans[c->n_lans++];

		l->at = k->at;
		l->mtu = 1500;
		if (!k->value->null)
			cfg_read_map(r, k->value, "a LAN", lan_keys, CFG_COUNT(lan_keys), l);
		if (cfg_object_name(r, "a LAN", k, l->name))
			cfg_index_add(&c->store->lans, l->name, strlen(l->name), l);
	}
}

static bool
is_printable(const char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text))
			return false;
	}
	return true;
}

static const char *
tunable_name(const void *list, size_t i)
{
	(void)list;
	return tunable_row((enum tunable_id)i)->name;
}

static void
read_tunable(struct cfg_reader *r, const struct cfg_yaml *k, struct cfg_tunable *out)
{
	const struct tunable *row = tunable_find(k->text, NULL);
	char word[CFG_QUOTE], hint[CFG_HINT];

	out->at = k->at;
	out->name = cfg_copy(r->keep, k->text, strlen(k->text));
	if (!row) {
		cfg_hint(r, k->text, tunable_name, NULL, TUNABLE_COUNT, hint);
		cfg_error(r, k->at, "unknown tunable '%s'%s", cfg_quote(k->text, word),
			hint[0] ? hint : ", expected one that 'rookery show tunables' lists");
		return;
	}
	cfg_number(r, &(struct cfg_key){.name = row->name, .min = row->min, .max = row->max},
		k->value, &out->value);
}

void
cfg_read_tunables(
	struct cfg_reader *r, const struct cfg_yaml *map, struct cfg_tunable **out, size_t *n_out)
{
	if (count_children(r, map, "tunables") == 0)
		return;
	*out = cfg_alloc(r->keep, map->n * sizeof(**out));
	for (const struct cfg_yaml *k = map->first; k; k = k->next)
		read_tunable(r, k, &(*out)[(*n_out)++]);
}

static void
read_run(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *v)
{
	bool list = v->kind == CFG_YAML_LIST;
	const struct cfg_yaml *item = list ? v->first : v;

	if (n->kind == CFG_GUEST_SIMULATED) {
		cfg_error(r, v->at,
			"guest %s is simulated and runs nothing, expected 'run' only on namespace guests",
			n->name);
		return;
	}
	n->run = cfg_alloc(r->keep, (list ? v->n : 1) * sizeof(*n->run));
	for (; item; item = list ? item->next : NULL) {
		if (cfg_word(r, "run", item))
			n->run[n->n_run++] = cfg_copy(r->keep, item->text, strlen(item->text));
	}
}

static void
read_guest_kind(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *map,
	const struct node_text *t)
{
	const struct cfg_yaml *netns = cfg_yaml_get(map, "netns");

	n->kind = t->simulated ? CFG_GUEST_SIMULATED : CFG_GUEST_NETNS;
	if (t->simulated && netns && t->netns)
		cfg_error(r, netns->at,
			"guest %s is both netns and simulated, expected one of them", n->name);
	else if (!t->simulated && netns && !t->netns && netns->kind == CFG_YAML_SCALAR)
		cfg_error(r, netns->at,
			"guest %s is neither netns nor simulated, expected one of them", n->name);
}

/* The name of a file, or the text itself. */
static void
read_filter(struct cfg_reader *r, const char *what, const struct cfg_yaml *v, char **out, struct cfg_mark *at)
{
	if (!cfg_word(r, what, v))
		return;
	*at = v->at;
	*out = cfg_copy(r->keep, v->text, strlen(v->text));
	if (!strchr(v->text, '\n') && !is_printable(v->text))
		cfg_error(r, v->at, "%s has a control character in it, expected the name of a file", what);
}

static void
read_management(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *v)
{
	bool list = v->kind == CFG_YAML_LIST;
	const struct cfg_yaml *item = list ? v->first : v;

	n->management = cfg_alloc(r->keep, (list ? v->n : 1) * sizeof(*n->management));
	for (; item; item = list ? item->next : NULL) {
		if (cfg_network(r, "management", item, &n->management[n->n_management]))
			n->n_management++;
	}
}

static void
read_node(struct cfg_reader *r, const struct cfg_yaml *key, struct cfg_node *n,
	struct cfg_src_node *s)
{
	bool router = n->kind == CFG_ROUTER;
	struct node_text t = {0};

	if (key->value->null)
		return;
	if (!cfg_read_map(r, key->value, n->name, router ? router_keys : guest_keys,
		    router ? CFG_COUNT(router_keys) : CFG_COUNT(guest_keys), &t)) {
		s->bad_ifaces = true;
		return;
	}
	n->forward = t.forward;
	n->control = t.control;
	n->hairpin = t.hairpin;
	n->hidden = t.hidden;
	if (!router)
		read_guest_kind(r, n, key->value, &t);
	cfg_read_tunables(r, t.tunables, &n->tunables, &n->n_tunables);
	if (t.interfaces)
		cfg_read_ifaces(r, n, s, t.interfaces);
	s->routes_given = t.routes != NULL;
	if (t.routes)
		cfg_read_routes(r, n, s, t.routes);
	if (t.policy_rules)
		cfg_read_rules(r, n, s, t.policy_rules);
	if (t.rules)
		read_filter(r, "rules", t.rules, &n->filter_rules, &n->filter_rules_at);
	if (t.sets)
		read_filter(r, "sets", t.sets, &n->filter_sets, &n->filter_sets_at);
	if (t.management)
		read_management(r, n, t.management);
	if (t.helpers)
		cfg_read_helpers(r, n, t.helpers);
	if (t.nat_addresses)
		cfg_read_nat_addresses(r, n, t.nat_addresses);
	if (t.balance)
		cfg_read_balance(r, n, t.balance);
	if (t.run)
		read_run(r, n, t.run);
}

static void
name_node(struct cfg_reader *r, const struct cfg_yaml *key, struct cfg_node *n)
{
	const struct cfg_node *first;
	char lower[NODE_NAME];
	size_t len;

	n->at = key->at;
	if (!cfg_user_id(r, key, n->name))
		return;
	len = cfg_fold(n->name, lower);
	first = cfg_index_add(&r->c->store->nodes, lower, len, n);
	/* the very same key twice in one map has been reported as a double key */
	if (first && ((first->kind == CFG_ROUTER) != (n->kind == CFG_ROUTER) ||
			     strcmp(first->name, n->name) != 0))
		cfg_error(r, key->at,
			"user id '%s' is taken by %s at %u:%u, expected another (case does not count)",
			n->name, first->name, first->at.line, first->at.column);
}

static void
read_nodes(struct cfg_reader *r, const struct cfg_yaml *map, enum cfg_node_kind kind)
{
	struct config *c = r->c;

	for (const struct cfg_yaml *k = map->first; k; k = k->next) {
		struct cfg_src_node *s = &r->src[c->n_nodes];
		struct cfg_node *n = &c->nodes[c->n_nodes++];

		n->kind = kind;
		name_node(r, k, n);
		read_node(r, k, n, s);
	}
}

static void
read_name(struct cfg_reader *r, const struct cfg_yaml *root, const struct cfg_yaml *v)
{
	if (v)
		cfg_object_name(r, "the fabric", v, r->c->fabric);
	else
		cfg_error(r, root->at, "the fabric has no name, expected 'fabric: NAME'");
}

void
cfg_read_fabric(struct cfg_reader *r, const struct cfg_yaml *root)
{
	struct config *c = r->c;
	struct fabric_text t = {0};
	size_t routers, guests;

	if (!cfg_read_map(r, root, "the configuration", fabric_keys, CFG_COUNT(fabric_keys), &t))
		return;
	read_name(r, root, t.fabric);
	if (t.tunables)
		cfg_read_tunables(r, t.tunables, &c->tunables, &c->n_tunables);
	read_lans(r, t.lans);
	cfg_read_osas(r, t.osa);
	routers = count_children(r, t.routers, "routers");
	guests = count_children(r, t.guests, "guests");
	c->nodes = cfg_alloc(r->keep, (routers + guests) * sizeof(*c->nodes));
	r->src = cfg_alloc(&r->scratch, (routers + guests) * sizeof(*r->src));
	if (routers)
		read_nodes(r, t.routers, CFG_ROUTER);
	c->n_routers = c->n_nodes;
	if (guests)
		read_nodes(r, t.guests, CFG_GUEST_NETNS);
}
