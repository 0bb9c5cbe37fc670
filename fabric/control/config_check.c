/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_osa.h"
#include "fabric/control/config_reader.h"

#include <stdio.h>
#include <string.h>

/* What is unique where: a key is filled with zeroes first, then used as bytes. */
struct in_scope {
	const void *scope; /* a LAN, or a node */
	struct ip_addr addr;
	struct mac_addr mac;
};

struct checker {
	struct cfg_reader *r;
	struct cfg_index addresses; /* struct in_scope to the interface that has it */
	struct cfg_index macs;
};

struct cfg_lan *
cfg_lan_of(const struct config *c, const struct cfg_iface *i)
{
	const struct cfg_osa *o;

	if (i->kind == CFG_LAN)
		return config_lan(c, i->target);
	o = i->kind == CFG_OSA ? config_osa(c, i->target) : NULL;
	return o && o->side == CFG_OSA_NETWORK && o->network ? config_lan(c, o->network) : NULL;
}

uint32_t
cfg_default_mtu(const struct config *c, const struct cfg_iface *i)
{
	static const uint32_t of_kind[] = {[CFG_IUCV] = 9216,
		[CFG_CTC] = 1500,
		[CFG_OSA] = 1492,
		[CFG_LAN] = 1500,
		[CFG_DUMMY] = 1500};
	const struct cfg_lan *l = cfg_lan_of(c, i);

	if (l && (i->kind == CFG_LAN || l->mtu < of_kind[i->kind]))
		return l->mtu;
	return of_kind[i->kind];
}

static void
check_mtu(struct cfg_reader *r, const struct cfg_yaml *map, struct cfg_iface *i)
{
	static const uint32_t ranges[][2] = {[CFG_IUCV] = {576, 32766},
		[CFG_CTC] = {68, 65527},
		[CFG_OSA] = {68, 8992},
		[CFG_LAN] = {68, 9000},
		[CFG_DUMMY] = {68, 65535}};
	const struct cfg_lan *l = cfg_lan_of(r->c, i);

	if (i->mtu == 0)
		i->mtu = cfg_default_mtu(r->c, i);
	else if (i->mtu < ranges[i->kind][0] || i->mtu > ranges[i->kind][1])
		cfg_error(r, cfg_place(map, "mtu"),
			"mtu %u of %s is out of range, expected %u to %u for %s", i->mtu, i->name,
			ranges[i->kind][0], ranges[i->kind][1], cfg_kind_text(i->kind));
	else if (l && i->mtu > l->mtu)
		cfg_error(r, cfg_place(map, "mtu"),
			"mtu %u of %s is more than its LAN %s carries, expected at most %u", i->mtu,
			i->name, l->name, l->mtu);
}

static const char *
lan_name(const void *list, size_t i)
{
	return ((const struct cfg_lan *)list)[i].name;
}

static const char *
osa_name(const void *list, size_t i)
{
	return ((const struct cfg_osa *)list)[i].name;
}

void
cfg_check_lan_exists(struct cfg_reader *r, struct cfg_mark at, const char *name)
{
	char hint[CFG_HINT];

	if (config_lan(r->c, name))
		return;
	cfg_hint(r, name, lan_name, r->c->lans, r->c->n_lans, hint);
	cfg_error(
		r, at, "there is no LAN '%s'%s", name, hint[0] ? hint : ", expected one of 'lans'");
}

static void
check_adapter(struct checker *k, const struct cfg_yaml *map, struct cfg_iface *i)
{
	struct cfg_mark at = cfg_place(map, "osa");
	char hint[CFG_HINT];

	if (!config_osa(k->r->c, i->target)) {
		cfg_hint(k->r, i->target, osa_name, k->r->c->osas, k->r->c->n_osas, hint);
		cfg_error(k->r, at, "there is no adapter '%s'%s", i->target,
			hint[0] ? hint : ", expected one of 'osa'");
	}
}

static void
check_target(struct checker *k, const struct cfg_yaml *map, struct cfg_iface *i)
{
	if (i->kind == CFG_LAN)
		cfg_check_lan_exists(k->r, cfg_place(map, "lan"), i->target);
	else if (i->kind == CFG_OSA)
		check_adapter(k, map, i);
}

static const char *
bad_address4(const struct ip_prefix *p)
{
	uint32_t a = p->addr.v4;

	if ((a & htonl(0xff000000)) == 0)
		return "in 0.0.0.0/8";
	if (ip4_is_loopback(a))
		return "a loopback address";
	if (ip4_is_multicast(a))
		return "a multicast address";
	if (a == 0xffffffffu || (p->len < 31 && a == prefix4_broadcast(p)))
		return "a broadcast address";
	if (p->len < 31 && a == prefix_network(p).addr.v4)
		return "the address of a network";
	return NULL;
}

static const char *
bad_address6(const struct ip_prefix *p)
{
	const struct in6_addr *a = (const struct in6_addr *)p->addr.v6;

	if (IN6_IS_ADDR_UNSPECIFIED(a))
		return "no address at all";
	if (IN6_IS_ADDR_LOOPBACK(a))
		return "a loopback address";
	if (IN6_IS_ADDR_MULTICAST(a))
		return "a multicast address";
	if (IN6_IS_ADDR_V4MAPPED(a))
		return "an IPv4 address in disguise";
	return NULL;
}

static void
check_station(struct cfg_reader *r, struct cfg_mark at, const struct ip_prefix *p)
{
	const char *why = p->addr.family == AF_INET ? bad_address4(p) : bad_address6(p);
	char text[PREFIX_TEXT];

	if (p->len == 0)
		why = "without a network";
	if (why)
		cfg_error(r, at, "%s is %s, expected the address of a station",
			prefix_text(p, text), why);
}

/* True when the interface has this address before its `n`th. */
static bool
has_before(const struct cfg_iface *i, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if (ip_equal(&i->addresses[k].addr, &i->addresses[n].addr))
			return true;
	}
	return false;
}

/* On a LAN or, without one, on an adapter; NULL: its addresses are free of others. A standby, which is down, may have the same ones. */
static const void *
network_of(const struct checker *k, const struct cfg_iface *i)
{
	const void *lan = cfg_lan_of(k->r->c, i);

	if (i->kind != CFG_OSA)
		return lan;
	return !i->up ? NULL : lan ? lan : config_osa(k->r->c, i->target);
}

/* Who may take an address over asks for it on purpose. */
static bool
is_takeover(const struct cfg_iface *a, const struct cfg_iface *b, const struct ip_addr *addr)
{
	return cfg_takes_over(a->sharer, addr) || cfg_takes_over(b->sharer, addr);
}

static void
address_in_use(struct checker *k, struct cfg_mark at, const struct cfg_iface *i, const struct cfg_iface *first, const struct ip_addr *a)
{
	const struct cfg_lan *lan = cfg_lan_of(k->r->c, i);
	bool one_port = first->kind == CFG_OSA && strcmp(first->target, i->target) == 0;
	char text[ADDR_TEXT];

	if (i->kind != CFG_OSA)
		cfg_error(k->r, at, "%s is the address of %s of %s already, expected it once on LAN %s", ip_text(a, text),
			first->name, first->node->name, lan->name);
	else
		cfg_error(k->r, at, "%s: %s, held by %s/%s, expected it once on %s %s", ip_text(a, text),
			one_port ? "Address already registered (0xe005)" : "IP address already in use on LAN (0xe00a)", first->node->name,
			first->name, one_port ? "adapter" : "LAN", one_port ? i->target : lan->name);
}

/*
 * An address is once on a node and once on a LAN. Links are free of that: a router may have one
 * address on all its links, and that of its LAN on a link too.
 */
static void
check_unique(struct checker *k, struct cfg_mark at, struct cfg_iface *i, const struct ip_addr *a)
{
	const void *scope[] = {i->node, network_of(k, i)};
	char text[ADDR_TEXT];

	/* a link-local address means something on its link only */
	for (size_t s = cfg_is_link_local(a) ? 1 : 0; s < CFG_COUNT(scope) && scope[s]; s++) {
		struct in_scope key;
		const struct cfg_iface *first;

		memset(&key, 0, sizeof(key));
		key.scope = scope[s];
		key.addr = *a;
		first = cfg_index_add(&k->addresses, &key, sizeof(key), i);
		if (!first || (s == 1 && is_takeover(first, i, a)))
			continue;
		if (s == 0)
			cfg_error(k->r, at, "%s is on %s already, expected an address once on a node", ip_text(a, text), first->name);
		else
			address_in_use(k, at, i, first, a);
		return;
	}
}

static void
check_addresses(struct checker *k, const struct cfg_yaml *map, struct cfg_iface *i)
{
	const char *key = i->kind == CFG_DUMMY ? "vipa" : "address";
	char text[ADDR_TEXT];

	for (size_t n = 0; n < i->n_addresses; n++) {
		const struct ip_addr *a = &i->addresses[n].addr;
		struct cfg_mark at = cfg_place_item(map, key, n);

		check_station(k->r, at, &i->addresses[n]);
		if (!cfg_is_link(i))
			check_unique(k, at, i, a);
		else if (has_before(i, n))
			cfg_error(k->r, at,
				"%s is on %s already, expected an address once on an interface",
				ip_text(a, text), i->name);
	}
}

/* A locally administered address that stays the same from start to start. */
static struct mac_addr
derived_mac(const struct cfg_iface *i)
{
	char text[NODE_NAME + IFACE_NAME + 1];
	uint64_t h = 0xcbf29ce484222325u;
	struct mac_addr m = {{0x02}};

	for (size_t n = cfg_fold(i->node->name, text); n < sizeof(text); n = sizeof(text))
		snprintf(text + n, sizeof(text) - n, "/%s", i->name);
	for (const char *p = text; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	h ^= h >> 40;
	for (int b = 1; b < 6; b++, h >>= 8)
		m.b[b] = (uint8_t)h;
	return m;
}

/* Only in layer 2 a sharer has an address of its own. */
static bool
has_mac_of_port(const struct config *c, const struct cfg_iface *i)
{
	const struct cfg_osa *o = i->kind == CFG_OSA ? config_osa(c, i->target) : NULL;

	return o && (o->mode != OSA_QDIO || cfg_osa_assists(o));
}

static void
check_mac(struct checker *k, const struct cfg_yaml *map, struct cfg_iface *i)
{
	const struct cfg_iface *first;
	struct in_scope key;
	char text[MAC_TEXT];

	if (i->kind != CFG_LAN && i->kind != CFG_OSA)
		return;
	if (has_mac_of_port(k->r->c, i)) {
		i->mac = config_osa(k->r->c, i->target)->mac;
		return;
	}
	if (!i->mac_given)
		i->mac = derived_mac(i);
	memset(&key, 0, sizeof(key));
	key.scope = cfg_lan_of(k->r->c, i);
	key.mac = i->mac;
	first = key.scope ? cfg_index_add(&k->macs, &key, sizeof(key), i) : NULL;
	if (first)
		cfg_error(k->r, cfg_place(map, "mac"),
			"mac %s is that of %s of %s already, expected it once on a LAN",
			mac_text(&i->mac, text), first->name, first->node->name);
}

static void
check_sourcevipa(struct cfg_reader *r, const struct cfg_yaml *map, const struct cfg_iface *i)
{
	const struct cfg_iface *d;

	if (!i->sourcevipa[0])
		return;
	d = config_iface(i->node, i->sourcevipa);
	if (!d || d->kind != CFG_DUMMY)
		cfg_error(r, cfg_place(map, "sourcevipa"),
			"sourcevipa '%s' is no dummy interface of %s, expected one with a vipa",
			i->sourcevipa, i->node->name);
}

void
cfg_check_ifaces(struct cfg_reader *r)
{
	struct checker k = {.r = r,
		.addresses.arena = &r->scratch,
		.macs.arena = &r->scratch};

	for (size_t n = 0; n < r->c->n_nodes; n++) {
		for (size_t i = 0; i < r->c->nodes[n].n_ifaces; i++) {
			struct cfg_src *s = &r->src[n].ifaces[i];

			if (s->bad)
				continue;
			check_target(&k, s->map, s->iface);
			s->iface->frames = config_iface_frames(r->c, s->iface);
			check_mtu(r, s->map, s->iface);
			check_addresses(&k, s->map, s->iface);
			check_mac(&k, s->map, s->iface);
			check_sourcevipa(r, s->map, s->iface);
		}
	}
}

void
cfg_check(struct cfg_reader *r)
{
	cfg_check_osas(r);
	cfg_check_ifaces(r);
	cfg_check_links(r);
	cfg_check_routes(r);
	cfg_check_sharers(r);
}
