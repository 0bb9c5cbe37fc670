/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <stdio.h>
#include <string.h>

/* Of one interface: what is done for each of them may look at all of them. */
enum { ADDRESSES_MAX = 1024 };

/* An interface as its map says it; kinds[] and the rest become one struct cfg_iface. */
struct iface_text {
	const struct cfg_yaml *kinds[CFG_DUMMY + 1];
	const struct cfg_yaml *address, *peer, *mac, *rp_filter, *sourcevipa;
	struct cfg_sharer_text sharer;
	uint32_t mtu;
	bool up, log_martians, proxy_arp, hidden;
};

static const char *const kind_keys[] = {[CFG_IUCV] = "iucv",
	[CFG_CTC] = "ctc",
	[CFG_OSA] = "osa",
	[CFG_LAN] = "lan",
	[CFG_DUMMY] = "vipa"};

#define LATER(name, member) {name, cfg_read_later, offsetof(struct iface_text, member), 0, 0, NULL}
#define BOOL(name) {#name, cfg_read_bool, offsetof(struct iface_text, name), 0, 0, NULL}
static const struct cfg_key iface_keys[] = {
	LATER("iucv", kinds[CFG_IUCV]),
	LATER("ctc", kinds[CFG_CTC]),
	LATER("osa", kinds[CFG_OSA]),
	LATER("lan", kinds[CFG_LAN]),
	LATER("vipa", kinds[CFG_DUMMY]),
	LATER("address", address),
	LATER("peer", peer),
	LATER("mac", mac),
	LATER("rp_filter", rp_filter),
	LATER("sourcevipa", sourcevipa),
	{"mtu", cfg_read_u32, offsetof(struct iface_text, mtu), 68, 65535, NULL},
	BOOL(up),
	BOOL(log_martians),
	BOOL(proxy_arp),
	BOOL(hidden),
	LATER("router", sharer.router),
	LATER("oat", sharer.oat),
	LATER("isolation", sharer.isolation),
	LATER("devices", sharer.devices),
	{"echo_filter", cfg_read_bool, offsetof(struct iface_text, sharer.echo_filter), 0, 0, NULL},
	{"promiscuous", cfg_read_bool, offsetof(struct iface_text, sharer.promiscuous), 0, 0, NULL},
};
#undef LATER
#undef BOOL

const char *
cfg_kind_text(enum cfg_iface_kind kind)
{
	return kind_keys[kind];
}

/* => true when exactly one key makes it an interface of one kind. */
static bool
read_kind(struct cfg_reader *r, const struct iface_text *t, struct cfg_iface *i)
{
	int found = -1;

	for (int k = 0; k <= CFG_DUMMY; k++) {
		if (!t->kinds[k])
			continue;
		if (found >= 0) {
			cfg_error(r, t->kinds[k]->at, "%s is both %s and %s, expected one of them",
				i->name, kind_keys[found], kind_keys[k]);
			return false;
		}
		found = k;
	}
	if (found < 0) {
		cfg_error(r, i->at, "%s is of no kind, expected one of iucv, ctc, osa, lan, vipa",
			i->name);
		return false;
	}
	i->kind = (enum cfg_iface_kind)found;
	return true;
}

/* NODE or NODE/INTERFACE */
static void
read_far(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_iface *i)
{
	struct cfg_yaml node = *v, iface = *v;
	const char *slash;

	if (!cfg_word(r, kind_keys[i->kind], v))
		return;
	slash = strchr(v->text, '/');
	if (slash) {
		node.text = cfg_copy(&r->scratch, v->text, (size_t)(slash - v->text));
		iface.text = slash + 1;
		cfg_iface_name(r, &iface, i->far_name);
	}
	cfg_user_id(r, &node, i->target);
}

static bool
read_one_address(struct cfg_reader *r, const struct cfg_yaml *v, const struct cfg_iface *i,
	struct ip_prefix *out)
{
	const char *what = i->kind == CFG_DUMMY ? "vipa" : "address";
	char text[CFG_QUOTE];

	if (!cfg_word(r, what, v))
		return false;
	if (prefix_parse(v->text, out) < 0) {
		cfg_error(r, v->at, "'%s' is no value of %s, expected an address like %s",
			cfg_quote(v->text, text), what,
			cfg_is_link(i) ? "10.0.0.1" : "10.0.0.1/24");
		return false;
	}
	if (strchr(v->text, '/') || cfg_is_link(i) || i->kind == CFG_DUMMY)
		return true;
	cfg_error(r, v->at, "address %s on a LAN is without a length, expected one like %s/24",
		cfg_quote(v->text, text), v->text);
	return false;
}

static void
read_addresses(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_iface *i)
{
	bool list = v->kind == CFG_YAML_LIST;
	const struct cfg_yaml *item = list ? v->first : v;

	if (list && v->n > ADDRESSES_MAX) {
		cfg_error(r, v->at, "%s has %u addresses, expected at most %u", i->name, v->n,
			ADDRESSES_MAX);
		return;
	}
	i->addresses = cfg_alloc(r->keep, (list ? v->n : 1) * sizeof(*i->addresses));
	for (; item; item = list ? item->next : NULL) {
		if (read_one_address(r, item, i, &i->addresses[i->n_addresses]))
			i->n_addresses++;
	}
	if (list && v->n == 0 && i->kind == CFG_DUMMY)
		cfg_error(r, v->at, "vipa is empty, expected an address");
}

static void
read_rp_filter(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_iface *i)
{
	static const char *const words[][2] = {{"off", "0"}, {"strict", "1"}, {"loose", "2"}};
	char text[CFG_QUOTE];

	if (!cfg_word(r, "rp_filter", v))
		return;
	for (uint8_t w = 0; w < CFG_COUNT(words); w++) {
		if (strcmp(v->text, words[w][0]) == 0 || strcmp(v->text, words[w][1]) == 0) {
			i->rp_filter = w;
			return;
		}
	}
	cfg_error(r, v->at, "'%s' is no value of rp_filter, expected off, strict or loose",
		cfg_quote(v->text, text));
}

/* Keys that only a sharer of an adapter has. */
static void
refuse_sharing(struct cfg_reader *r, const struct cfg_yaml *map, const struct cfg_iface *i)
{
	static const char *const keys[] = {"router", "oat", "isolation", "devices", "echo_filter", "promiscuous"};

	for (size_t n = 0; i->kind != CFG_OSA && n < CFG_COUNT(keys); n++) {
		const struct cfg_yaml *v = cfg_yaml_get(map, keys[n]);

		if (v)
			cfg_error(r, v->at, "%s is on no adapter, expected '%s' only with osa", i->name, keys[n]);
	}
}

/* Keys that only some kinds have. */
static void
refuse_foreign(struct cfg_reader *r, const struct iface_text *t, const struct cfg_iface *i)
{
	if (t->address && i->kind == CFG_DUMMY)
		cfg_error(r, t->address->at,
			"%s has 'vipa' and 'address', expected all addresses under 'vipa'",
			i->name);
	if (t->peer && !cfg_is_link(i))
		cfg_error(r, t->peer->at, "%s is no link, expected 'peer' only with iucv and ctc",
			i->name);
	if (t->mac && (cfg_is_link(i) || i->kind == CFG_DUMMY))
		cfg_error(r, t->mac->at, "%s is on no LAN, expected 'mac' only with osa and lan",
			i->name);
	if (t->sourcevipa && i->kind == CFG_DUMMY)
		cfg_error(r, t->sourcevipa->at,
			"%s is a dummy interface, expected 'sourcevipa' on the others", i->name);
}

static void
read_details(struct cfg_reader *r, const struct iface_text *t, struct cfg_iface *i)
{
	const struct cfg_yaml *addresses = i->kind == CFG_DUMMY ? t->kinds[CFG_DUMMY] : t->address;

	refuse_foreign(r, t, i);
	if (cfg_is_link(i))
		read_far(r, t->kinds[i->kind], i);
	else if (i->kind != CFG_DUMMY)
		cfg_object_name(r, i->kind == CFG_OSA ? "an adapter" : "a LAN", t->kinds[i->kind],
			i->target);
	if (addresses)
		read_addresses(r, addresses, i);
	if (t->peer)
		cfg_address(r, "peer", t->peer, &i->peer);
	if (t->mac) {
		i->mac_given = true;
		cfg_read_mac(r, t->mac, &i->mac);
	}
	if (i->kind == CFG_OSA)
		cfg_read_sharer(r, &t->sharer, i);
	if (t->rp_filter)
		read_rp_filter(r, t->rp_filter, i);
	if (t->sourcevipa)
		cfg_read_iface_name(
			r, &(struct cfg_key){.name = "sourcevipa"}, t->sourcevipa, i->sourcevipa);
}

static void
read_iface(struct cfg_reader *r, const struct cfg_yaml *key, struct cfg_iface *i)
{
	struct iface_text t = {.up = true};

	i->at = key->at;
	if (!cfg_iface_name(r, key, i->name))
		return;
	if (!cfg_read_map(r, key->value, i->name, iface_keys, CFG_COUNT(iface_keys), &t))
		return;
	i->mtu = t.mtu;
	i->up = t.up;
	i->log_martians = t.log_martians;
	i->proxy_arp = t.proxy_arp;
	i->hidden = t.hidden;
	if (!read_kind(r, &t, i))
		return;
	refuse_sharing(r, key->value, i);
	read_details(r, &t, i);
}

/* Nodes with more interfaces than this get an index of their names. */
enum { FEW_IFACES = 16 };

void
cfg_read_ifaces(struct cfg_reader *r, struct cfg_node *n, struct cfg_src_node *s,
	const struct cfg_yaml *map)
{
	if (!cfg_expect(r, map, CFG_YAML_MAP, "interfaces"))
		return;
	n->ifaces = cfg_alloc(r->keep, map->n * sizeof(*n->ifaces));
	s->ifaces = cfg_alloc(&r->scratch, map->n * sizeof(*s->ifaces));
	if (map->n > FEW_IFACES) {
		n->by_name = cfg_alloc(r->keep, sizeof(*n->by_name));
		n->by_name->arena = r->keep;
	}
	for (const struct cfg_yaml *k = map->first; k; k = k->next) {
		struct cfg_iface *i = &n->ifaces[n->n_ifaces];
		struct cfg_src *src = &s->ifaces[n->n_ifaces++];
		size_t errors = r->errs->total;

		i->node = n;
		*src = (struct cfg_src){.map = k->value, .iface = i};
		read_iface(r, k, i);
		src->bad = r->errs->total != errors;
		s->bad_ifaces |= src->bad;
		if (n->by_name)
			cfg_index_add(n->by_name, i->name, strlen(i->name), i);
	}
}

struct cfg_src *
cfg_iface_src(const struct cfg_reader *r, const struct cfg_iface *i)
{
	return &r->src[i->node - r->c->nodes].ifaces[i - i->node->ifaces];
}
