/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adapters and their sharers as a file says them. What holds between them: config_check_osa.c. */
#include "fabric/control/config_reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct osa_text {
	const struct cfg_yaml *sides[CFG_OSA_DEVARGS + 1];
	const struct cfg_yaml *mode, *profile, *carrier, *state, *mac, *card, *machine, *type, *slot, *table;
	uint8_t layer, secondaries, port;
	bool multicast_router;
};

struct oat_text {
	const struct cfg_yaml *policy, *add, *vipa, *rxip, *ipato;
	bool links;
};

struct ipato_text {
	const struct cfg_yaml *add;
	bool enable, invert4, invert6;
};

struct roles_text {
	const struct cfg_yaml *ipv4, *ipv6;
};

#define LATER(type, name, member) {name, cfg_read_later, offsetof(struct type, member), 0, 0, NULL}
#define BOOL(type, name) {#name, cfg_read_bool, offsetof(struct type, name), 0, 0, NULL}
static const struct cfg_key osa_keys[] = {
	LATER(osa_text, "network", sides[CFG_OSA_NETWORK]),
	LATER(osa_text, "device", sides[CFG_OSA_DEVICE]),
	LATER(osa_text, "devargs", sides[CFG_OSA_DEVARGS]),
	LATER(osa_text, "mode", mode),
	LATER(osa_text, "profile", profile),
	LATER(osa_text, "carrier", carrier),
	LATER(osa_text, "state", state),
	LATER(osa_text, "mac", mac),
	LATER(osa_text, "card", card),
	LATER(osa_text, "machine", machine),
	LATER(osa_text, "type", type),
	LATER(osa_text, "slot", slot),
	LATER(osa_text, "table", table),
	BOOL(osa_text, multicast_router),
	{"layer", cfg_read_u8, offsetof(struct osa_text, layer), 2, 3, NULL},
	{"secondaries", cfg_read_u8, offsetof(struct osa_text, secondaries), 1, 8, NULL},
	{"port", cfg_read_u8, offsetof(struct osa_text, port), 0, 1, NULL},
};

static const struct cfg_key oat_keys[] = {
	LATER(oat_text, "register", policy),
	BOOL(oat_text, links),
	LATER(oat_text, "add", add),
	LATER(oat_text, "vipa", vipa),
	LATER(oat_text, "rxip", rxip),
	LATER(oat_text, "ipato", ipato),
};

static const struct cfg_key ipato_keys[] = {
	BOOL(ipato_text, enable),
	BOOL(ipato_text, invert4),
	BOOL(ipato_text, invert6),
	LATER(ipato_text, "add", add),
};

static const struct cfg_key roles_keys[] = {
	LATER(roles_text, "ipv4", ipv4),
	LATER(roles_text, "ipv6", ipv6),
};
#undef LATER
#undef BOOL

/* ---- an adapter ---- */

static bool
is_text(const char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text))
			return false;
	}
	return true;
}

static void
read_side(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_osa *o)
{
	static const char *const names[] = {"network", "device", "devargs"};
	char name[OBJECT_NAME];

	if (!cfg_word(r, names[o->side], v))
		return;
	if (o->side == CFG_OSA_NETWORK && !cfg_object_name(r, "a LAN", v, name))
		return;
	if (o->side == CFG_OSA_DEVICE && !cfg_iface_name(r, v, name))
		return;
	if (!is_text(v->text))
		cfg_error(r, v->at, "%s has a control character in it, expected text", names[o->side]);
	o->network = cfg_copy(r->keep, v->text, strlen(v->text));
}

/* => true when exactly one key says where its network side is. */
static bool
read_sides(struct cfg_reader *r, const struct cfg_yaml *key, const struct osa_text *t, struct cfg_osa *o)
{
	int found = -1;

	for (int s = 0; s <= CFG_OSA_DEVARGS; s++) {
		if (t->sides[s] && found >= 0) {
			cfg_error(r, t->sides[s]->at, "adapter %s has two network sides, expected one", o->name);
			return false;
		}
		if (t->sides[s])
			found = s;
	}
	if (found < 0) {
		cfg_error(r, key->at, "adapter %s has no network side, expected one of network, device, devargs", o->name);
		return false;
	}
	o->side = (enum cfg_osa_side)found;
	read_side(r, t->sides[found], o);
	return true;
}

/* One of two words. */
static void
read_either(struct cfg_reader *r, const char *key, const struct cfg_yaml *v, const char *no, const char *yes, bool *out)
{
	char text[CFG_QUOTE];

	if (!v || !cfg_word(r, key, v))
		return;
	if (strcmp(v->text, yes) == 0 || strcmp(v->text, no) == 0)
		*out = strcmp(v->text, yes) == 0;
	else
		cfg_error(r, v->at, "'%s' is no value of %s, expected %s or %s", cfg_quote(v->text, text), key, no, yes);
}

static void
read_mode(struct cfg_reader *r, const struct osa_text *t, const struct cfg_yaml *map, struct cfg_osa *o)
{
	char text[CFG_QUOTE];

	if (t->mode && cfg_word(r, "mode", t->mode) && osa_mode_parse(t->mode->text, &o->mode) < 0)
		cfg_error(r, t->mode->at, "'%s' is no value of mode, expected qdio, ose or dedicated", cfg_quote(t->mode->text, text));
	if (t->profile && cfg_word(r, "profile", t->profile) && osa_profile_parse(t->profile->text, &o->profile) < 0)
		cfg_error(r, t->profile->at, "'%s' is no value of profile, expected unlimited, osa2, g5, zseries or hipersockets",
			cfg_quote(t->profile->text, text));
	if (o->layer && o->mode != OSA_QDIO)
		cfg_error(r, cfg_place(map, "layer"), "adapter %s has a layer and mode %s, expected 'layer' with mode qdio",
			o->name, osa_mode_word(o->mode));
	read_either(r, "carrier", t->carrier, "network", "always", &o->always_up);
	read_either(r, "state", t->state, "up", "down", &o->down);
}

void
cfg_read_mac(struct cfg_reader *r, const struct cfg_yaml *v, struct mac_addr *out)
{
	static const struct mac_addr none;
	char text[CFG_QUOTE];

	if (!cfg_word(r, "mac", v))
		return;
	if (mac_parse(v->text, out) < 0)
		cfg_error(r, v->at, "'%s' is no value of mac, expected one like 02:00:00:12:34:56", cfg_quote(v->text, text));
	else if (mac_is_multicast(out) || mac_equal(out, &none))
		cfg_error(r, v->at, "mac %s is no address of a station, expected a unicast address", v->text);
}

/* NODE, or NODE/INTERFACE when it has several there. */
static void
read_owner(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	struct cfg_oat_static *e = object;
	struct cfg_yaml node = *v, iface = *v;
	const char *slash;

	if (!cfg_word(r, k->name, v))
		return;
	slash = strchr(v->text, '/');
	if (slash) {
		node.text = cfg_copy(&r->scratch, v->text, (size_t)(slash - v->text));
		iface.text = slash + 1;
		cfg_iface_name(r, &iface, e->iface);
	}
	cfg_user_id(r, &node, e->node);
}

static const struct cfg_key entry_keys[] = {
	{"address", cfg_read_address, offsetof(struct cfg_oat_static, addr), 0, 0, NULL},
	{"owner", read_owner, 0, 0, 0, NULL},
};

/* => true when it is a whole entry. */
static bool
read_entry(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_oat_static *e)
{
	size_t errors = r->errs->total;

	e->at = v->at;
	cfg_read_map(r, v, "an entry of table", entry_keys, CFG_COUNT(entry_keys), e);
	if (r->errs->total == errors && (!ip_is_set(&e->addr) || !e->node[0]))
		cfg_error(r, v->at, "an entry of table is incomplete, expected 'address' and 'owner'");
	return r->errs->total == errors;
}

static void
read_table(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_osa *o)
{
	if (o->mode != OSA_OSE) {
		cfg_error(r, v->at, "adapter %s has a static table and mode %s, expected 'table' with mode ose", o->name,
			osa_mode_word(o->mode));
		return;
	}
	if (v->kind == CFG_YAML_SCALAR) {
		cfg_read_table_file(r, v, o);
		return;
	}
	if (!cfg_expect(r, v, CFG_YAML_LIST, "table"))
		return;
	o->table = cfg_alloc(r->keep, v->n * sizeof(*o->table));
	for (const struct cfg_yaml *item = v->first; item; item = item->next)
		o->n_table += read_entry(r, item, &o->table[o->n_table]);
}

static void
read_slot(struct cfg_reader *r, const struct cfg_yaml *slot, const struct cfg_yaml *map, struct cfg_osa *o)
{
	if (slot)
		cfg_object_name(r, "a card", slot, o->slot);
	else if (cfg_yaml_get(map, "port"))
		cfg_error(r, cfg_place(map, "port"), "adapter %s has a port and no slot, expected 'slot' too", o->name);
}

static void
read_osa(struct cfg_reader *r, const struct cfg_yaml *key, struct cfg_osa *o)
{
	struct osa_text t = {0};

	if (!cfg_read_map(r, key->value, "an adapter", osa_keys, CFG_COUNT(osa_keys), &t) || !read_sides(r, key, &t, o))
		return;
	o->layer = t.layer;
	o->secondaries = t.secondaries;
	o->slot_port = t.port;
	o->multicast_router = t.multicast_router;
	read_mode(r, &t, key->value, o);
	if (t.mac) {
		o->mac_given = true;
		cfg_read_mac(r, t.mac, &o->mac);
	}
	read_slot(r, t.slot, key->value, o);
	cfg_read_card(r, t.card, t.machine, t.type, t.profile, o);
	if (t.table)
		read_table(r, t.table, o);
}

void
cfg_read_osas(struct cfg_reader *r, const struct cfg_yaml *map)
{
	struct config *c = r->c;

	if (!map || !cfg_expect(r, map, CFG_YAML_MAP, "osa"))
		return;
	c->osas = cfg_alloc(r->keep, map->n * sizeof(*c->osas));
	for (const struct cfg_yaml *k = map->first; k; k = k->next) {
		struct cfg_osa *o = &c->osas[c->n_osas++];

		o->at = k->at;
		if (cfg_object_name(r, "an adapter", k, o->name))
			cfg_index_add(&c->store->osas, o->name, strlen(o->name), o);
		read_osa(r, k, o);
	}
}

/* ---- a sharer ---- */

#define ROLES "none, primary, secondary or multicast"

static void
read_role(struct cfg_reader *r, const char *key, const struct cfg_yaml *v, enum osa_role *out)
{
	char text[CFG_QUOTE];

	if (v && cfg_word(r, key, v) && osa_role_parse(v->text, out) < 0)
		cfg_error(r, v->at, "'%s' is no value of %s: Invalid SETRTG indicator (0xe012), expected " ROLES,
			cfg_quote(v->text, text), key);
}

/* One word is for both protocols of IP. */
static void
read_roles(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_sharer *s)
{
	struct roles_text t = {.ipv4 = v, .ipv6 = v};

	if (v->kind == CFG_YAML_MAP) {
		t = (struct roles_text){0};
		cfg_read_map(r, v, "router", roles_keys, CFG_COUNT(roles_keys), &t);
	}
	read_role(r, "router", t.ipv4, &s->role[OSA_IPV4]);
	if (t.ipv6 != t.ipv4)
		read_role(r, "router", t.ipv6, &s->role[OSA_IPV6]);
	else
		s->role[OSA_IPV6] = s->role[OSA_IPV4];
}

static size_t
count_items(const struct cfg_yaml *v)
{
	return !v ? 0 : v->kind == CFG_YAML_LIST ? v->n : 1;
}

/* Before the last one. */
static bool
is_there(const struct cfg_sharer *s, const struct cfg_oat_entry *last)
{
	for (const struct cfg_oat_entry *e = s->entries; e < last; e++) {
		if (e->kind == last->kind && ip_equal(&e->addr, &last->addr))
			return true;
	}
	return false;
}

static void
read_entries(struct cfg_reader *r, enum osa_entry kind, const struct cfg_yaml *v, struct cfg_sharer *s)
{
	const char *key = kind == OSA_NORMAL ? "add" : osa_entry_word(kind);
	bool list = v && v->kind == CFG_YAML_LIST;

	for (const struct cfg_yaml *item = list ? v->first : v; item; item = list ? item->next : NULL) {
		struct cfg_oat_entry *e = &s->entries[s->n_entries];

		*e = (struct cfg_oat_entry){.at = item->at, .kind = kind};
		if (!cfg_address(r, key, item, &e->addr))
			continue;
		s->n_entries++;
		if (kind != OSA_NORMAL && is_there(s, e))
			cfg_error(r, item->at, "%s is in %s twice, expected it once: only 'add' counts", item->text, key);
	}
}

static void
read_ipato(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_sharer *s)
{
	struct ipato_text t = {.enable = true};
	bool list;

	if (!cfg_read_map(r, v, "ipato", ipato_keys, CFG_COUNT(ipato_keys), &t))
		return;
	s->takeover = t.enable;
	s->invert4 = t.invert4;
	s->invert6 = t.invert6;
	s->takeover_list = cfg_alloc(r->keep, count_items(t.add) * sizeof(*s->takeover_list));
	list = t.add && t.add->kind == CFG_YAML_LIST;
	for (const struct cfg_yaml *item = list ? t.add->first : t.add; item; item = list ? item->next : NULL) {
		if (cfg_network(r, "ipato", item, &s->takeover_list[s->n_takeover_list]))
			s->n_takeover_list++;
	}
}

static void
read_oat(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_sharer *s)
{
	struct oat_text t = {0};
	char text[CFG_QUOTE];

	if (!cfg_read_map(r, v, "oat", oat_keys, CFG_COUNT(oat_keys), &t))
		return;
	if (t.policy && cfg_word(r, "register", t.policy) && osa_policy_parse(t.policy->text, &s->policy) < 0)
		cfg_error(r, t.policy->at, "'%s' is no value of register, expected own, stack or none", cfg_quote(t.policy->text, text));
	s->links = t.links;
	s->entries = cfg_alloc(r->keep, (count_items(t.add) + count_items(t.vipa) + count_items(t.rxip)) * sizeof(*s->entries));
	read_entries(r, OSA_NORMAL, t.add, s);
	read_entries(r, OSA_VIPA, t.vipa, s);
	read_entries(r, OSA_RXIP, t.rxip, s);
	if (t.ipato)
		read_ipato(r, t.ipato, s);
}

static void
read_isolation(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_sharer *s)
{
	char text[CFG_QUOTE];

	if (cfg_word(r, "isolation", v) && osa_isolation_parse(v->text, &s->isolation) < 0)
		cfg_error(r, v->at, "'%s' is no value of isolation, expected none, forward or drop", cfg_quote(v->text, text));
}

/* The first of a group of device numbers: hexadecimal and even, as all commands call the group. */
static void
read_devices(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_sharer *s)
{
	char text[CFG_QUOTE], *end;
	unsigned long n;

	if (!cfg_word(r, "devices", v))
		return;
	n = strtoul(v->text, &end, 16);
	if (!isxdigit((unsigned char)v->text[0]) || *end || n > 0xfffc || n % 2) {
		cfg_error(r, v->at, "'%s' is no value of devices, expected the first, even number of the group in hexadecimal, like 0500",
			cfg_quote(v->text, text));
		return;
	}
	s->device = (uint16_t)n;
	s->device_given = true;
}

void
cfg_read_sharer(struct cfg_reader *r, const struct cfg_sharer_text *t, struct cfg_iface *i)
{
	struct cfg_sharer *s = cfg_alloc(r->keep, sizeof(*s));

	i->sharer = s;
	s->echo_filter = t->echo_filter;
	s->promiscuous = t->promiscuous;
	if (t->router)
		read_roles(r, t->router, s);
	if (t->oat)
		read_oat(r, t->oat, s);
	if (t->isolation)
		read_isolation(r, t->isolation, s);
	if (t->devices)
		read_devices(r, t->devices, s);
}
