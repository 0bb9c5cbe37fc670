/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapters against each other, and what their sharers ask for against what a port of that mode gives. Who asks for a role or an address is
 * taken in the order of the file; interfaces that are down ask for nothing, so that a standby may be written with the same words.
 */
#include "fabric/control/config_reader.h"

#include <string.h>
#include <strings.h>

static const struct cfg_sharer defaults;

const struct cfg_sharer *
cfg_sharer_of(const struct cfg_iface *i)
{
	return i->sharer ? i->sharer : &defaults;
}

/* ---- adapters ---- */

/* What is unique where among adapters: filled with zeroes first, then used as bytes. */
struct osa_key {
	const void *scope;
	struct mac_addr mac;
	char slot[OBJECT_NAME];
	uint8_t port;
};

struct osas {
	struct cfg_reader *r;
	struct cfg_index devices, macs, slots;
};

static void
check_mac(struct osas *k, struct cfg_osa *o)
{
	struct cfg_lan *lan = o->side == CFG_OSA_NETWORK ? config_lan(k->r->c, o->network) : NULL;
	const struct cfg_osa *first;
	struct osa_key key;
	char text[MAC_TEXT];

	o->mac = config_osa_mac(k->r->c, o);
	if (!lan)
		return;
	memset(&key, 0, sizeof(key));
	key.scope = lan;
	key.mac = o->mac;
	first = cfg_index_add(&k->macs, &key, sizeof(key), o);
	if (first)
		cfg_error(k->r, o->at, "mac %s of adapter %s is that of adapter %s already, expected it once on a LAN",
			mac_text(&o->mac, text), o->name, first->name);
}

/* Ports of one card share nothing but the card (OSA-2). */
static void
check_slot(struct osas *k, struct cfg_osa *o)
{
	const struct osa_limits *limits = osa_profile_limits(o->profile);
	const struct cfg_osa *first;
	struct osa_key key;

	if (!o->slot[0])
		return;
	if (limits->ports && o->slot_port >= limits->ports)
		cfg_error(k->r, o->at, "adapter %s is port %u of card %s, expected at most %u: a card of profile %s has %u", o->name,
			o->slot_port, o->slot, limits->ports - 1, osa_profile_word(o->profile), limits->ports);
	memset(&key, 0, sizeof(key));
	memcpy(key.slot, o->slot, sizeof(key.slot));
	key.port = o->slot_port;
	first = cfg_index_add(&k->slots, &key, sizeof(key), o);
	if (first)
		cfg_error(k->r, o->at, "adapter %s is port %u of card %s, which %s is already, expected another port", o->name,
			o->slot_port, o->slot, first->name);
}

void
cfg_check_osas(struct cfg_reader *r)
{
	struct osas k = {.r = r, .devices.arena = &r->scratch, .macs.arena = &r->scratch, .slots.arena = &r->scratch};

	for (size_t n = 0; n < r->c->n_osas; n++) {
		struct cfg_osa *o = &r->c->osas[n], *first = NULL;

		if (!o->network)
			continue;
		if (o->side == CFG_OSA_NETWORK)
			cfg_check_lan_exists(r, o->at, o->network);
		else
			first = cfg_index_add(&k.devices, o->network, strlen(o->network), o);
		if (first)
			cfg_error(r, o->at, "device '%s' is that of adapter %s already, expected it once", o->network, first->name);
		check_mac(&k, o);
		check_slot(&k, o);
	}
}

/* ---- one sharer ---- */

struct sharing {
	struct cfg_reader *r;
	const struct cfg_osa *osa;
	const struct cfg_src *src;
	const struct cfg_iface *iface;
	/* of the adapter, so far */
	const struct cfg_iface *holder, *primary[OSA_PROTOCOLS], *secondary[OSA_PROTOCOLS];
	unsigned n_secondaries[OSA_PROTOCOLS], n_sharers, n_devices;
};

static void
check_mtu(struct sharing *s)
{
	if (s->osa->card && !cfg_mtu_of_osa(s->iface->mtu))
		cfg_error(s->r, cfg_place(s->src->map, "mtu"),
			"mtu %u of %s is none of an OSA network, expected 576, 1492, 1500, 2000, 4096, 4352 or 8992", s->iface->mtu,
			s->iface->name);
}

/* Keys that mean nothing in the mode of the adapter. */
static void
check_mode(struct sharing *s)
{
	static const struct {
		const char *key;
		unsigned modes;
		const char *expected;
	} rows[] = {
		{"router", 1u << OSA_QDIO | 1u << OSA_OSE, "mode qdio or ose: a dedicated port gives everything to its one stack"},
		{"oat", 1u << OSA_QDIO, "mode qdio: only there the stacks keep the table"},
		{"isolation", 1u << OSA_QDIO | 1u << OSA_OSE, "mode qdio or ose: Adapter is dedicated (0x14)"},
		{"echo_filter", 1u << OSA_QDIO | 1u << OSA_OSE, "mode qdio or ose"},
	};

	for (size_t n = 0; n < CFG_COUNT(rows); n++) {
		if (cfg_yaml_get(s->src->map, rows[n].key) && !(rows[n].modes & 1u << s->osa->mode))
			cfg_error(s->r, cfg_place(s->src->map, rows[n].key), "%s has '%s' and adapter %s is %s, expected %s", s->iface->name,
				rows[n].key, s->osa->name, osa_mode_word(s->osa->mode), rows[n].expected);
	}
	if (cfg_sharer_of(s->iface)->promiscuous && cfg_osa_assists(s->osa))
		cfg_error(s->r, cfg_place(s->src->map, "promiscuous"), "%s sees no frames on adapter %s, expected 'promiscuous' with layer 2, ose or dedicated",
			s->iface->name, s->osa->name);
	if (s->iface->mac_given && (s->osa->mode != OSA_QDIO || cfg_osa_assists(s->osa)))
		cfg_error(s->r, cfg_place(s->src->map, "mac"), "%s has the MAC address of its port, expected 'mac' at adapter %s", s->iface->name,
			s->osa->name);
}

/* => what is wrong with a role on this kind of port (SETRTG), or NULL. */
static const char *
role_not_here(const struct cfg_osa *o, enum osa_role role)
{
	bool hipersockets = o->profile == OSA_PROFILE_HIPERSOCKETS;

	switch (role) {
	case OSA_NO_ROUTER:
		return NULL;
	case OSA_PRIMARY_ROUTER:
	case OSA_SECONDARY_ROUTER:
		return hipersockets ? "no_router, primary_connector, secondary_connector or multicast_router on HiperSockets" : NULL;
	case OSA_MULTICAST_ROUTER:
		return hipersockets || o->multicast_router ? NULL : "'multicast_router: true' at the adapter for that";
	default:
		return hipersockets ? NULL : "no_router, primary_router or secondary_router on an OSA";
	}
}

static void
refuse_second(struct sharing *s, const char *word, const struct cfg_iface *holder)
{
	cfg_error(s->r, cfg_place(s->src->map, "router"),
		"%s, held by %s/%s, expected one on a port: %s of %s may use another port, register its addresses, or lie behind %s", word,
		holder->node->name, holder->name, s->iface->name, s->iface->node->name, holder->node->name);
}

static void
check_role(struct sharing *s, enum osa_protocol p)
{
	enum osa_role role = cfg_sharer_of(s->iface)->role[p];
	const char *not_here = role_not_here(s->osa, role);

	if (not_here) {
		cfg_error(s->r, cfg_place(s->src->map, "router"), "Invalid SETRTG indicator (0xe012): %s is not for adapter %s, expected %s",
			osa_role_word(role), s->osa->name, not_here);
		return;
	}
	if (role == OSA_PRIMARY_ROUTER || role == OSA_PRIMARY_CONNECTOR) {
		if (s->primary[p])
			refuse_second(s, "Primary already defined (0xe010)", s->primary[p]);
		else
			s->primary[p] = s->iface;
	}
	if (role == OSA_SECONDARY_ROUTER || role == OSA_SECONDARY_CONNECTOR) {
		if (s->n_secondaries[p]++ >= (s->osa->secondaries ? s->osa->secondaries : 1u))
			refuse_second(s, "Secondary already defined (0xe011)", s->secondary[p]);
		else
			s->secondary[p] = s->iface;
	}
}

/* One word for both protocols is one mistake. */
static void
check_roles(struct sharing *s)
{
	size_t errors = s->r->errs->total;

	if (!s->iface->up)
		return;
	check_role(s, OSA_IPV4);
	if (s->r->errs->total == errors)
		check_role(s, OSA_IPV6);
}

static unsigned
devices_of(const struct cfg_osa *o)
{
	return o->mode == OSA_OSE ? 2 : 3;
}

static void
check_number(struct sharing *s)
{
	const struct osa_limits *limits = osa_profile_limits(s->osa->profile);

	if (s->osa->mode == OSA_DEDICATED) {
		if (s->holder)
			cfg_error(s->r, cfg_place(s->src->map, "osa"), "adapter %s is dedicated to %s/%s, expected an adapter of its own, or mode qdio or ose",
				s->osa->name, s->holder->node->name, s->holder->name);
		s->holder = s->iface;
		return;
	}
	s->n_devices += devices_of(s->osa);
	if (limits->lpars && ++s->n_sharers == limits->lpars + 1)
		cfg_error(s->r, cfg_place(s->src->map, "osa"), "adapter %s has more than %u stacks, expected at most that with profile %s",
			s->osa->name, limits->lpars, osa_profile_word(s->osa->profile));
	else if (limits->devices && s->n_devices > limits->devices && s->n_devices <= limits->devices + devices_of(s->osa))
		cfg_error(s->r, cfg_place(s->src->map, "osa"), "adapter %s has more than %u device entries, expected at most that with profile %s",
			s->osa->name, limits->devices, osa_profile_word(s->osa->profile));
}

/* Groups of device numbers of one node must not overlap. */
static void
check_devices(struct sharing *s)
{
	unsigned first = cfg_sharer_of(s->iface)->device;

	if (!cfg_sharer_of(s->iface)->device_given)
		return;
	for (const struct cfg_iface *i = s->iface->node->ifaces; i < s->iface; i++) {
		const struct cfg_osa *o = i->kind == CFG_OSA ? config_osa(s->r->c, i->target) : NULL;
		unsigned from = cfg_sharer_of(i)->device;

		if (o && cfg_sharer_of(i)->device_given && first < from + devices_of(o) && from < first + devices_of(s->osa))
			cfg_error(s->r, cfg_place(s->src->map, "devices"), "devices %04X of %s are taken by %s, which has %04X to %04X, expected others",
				first, s->iface->name, i->name, from, from + devices_of(o) - 1);
	}
}

static void
check_sharers_of(struct cfg_reader *r, const struct cfg_osa *o)
{
	struct sharing s = {.r = r, .osa = o};

	for (size_t n = 0; n < r->c->n_nodes; n++) {
		for (size_t i = 0; i < r->c->nodes[n].n_ifaces; i++) {
			s.src = &r->src[n].ifaces[i];
			s.iface = s.src->iface;
			if (s.src->bad || s.iface->kind != CFG_OSA || strcmp(s.iface->target, o->name) != 0)
				continue;
			check_mode(&s);
			check_mtu(&s);
			check_number(&s);
			check_roles(&s);
			check_devices(&s);
		}
	}
}

void
cfg_check_sharers(struct cfg_reader *r)
{
	for (size_t n = 0; n < r->c->n_osas; n++) {
		check_sharers_of(r, &r->c->osas[n]);
		cfg_check_oat(r, &r->c->osas[n]);
	}
}
