/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address table that an adapter's sharers will ask for: addresses that two of them want, more than the card holds, and addresses that
 * nobody registers though packets for them will come. The last is a warning: with no primary router such a packet is thrown away without
 * a word (OSA-34).
 */
#include "fabric/control/config_osa.h"
#include "fabric/control/config_reader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct claim {
	const struct cfg_iface *iface;
	bool takeover, own;
};

struct table {
	struct cfg_reader *r;
	struct cfg_osa *osa;
	struct cfg_index claims; /* struct ip_addr to struct claim */
	const struct cfg_iface *iface; /* whose turn it is */
	unsigned n, n_of_iface;
	bool full; /* has been told */
};

static struct cfg_mark
place_of(const struct table *t, const char *key)
{
	return cfg_place(cfg_iface_src(t->r, t->iface)->map, key);
}

static void
check_room(struct table *t, struct cfg_mark at)
{
	const struct osa_limits *limits = osa_profile_limits(t->osa->profile);
	bool port = limits->addresses && t->n > limits->addresses;

	if (t->full || (!port && !(limits->per_stack && t->n_of_iface > limits->per_stack)))
		return;
	t->full = true;
	if (port)
		cfg_error(t->r, at, "IP address table full (0xe006): adapter %s would hold %u addresses, expected at most %u with profile %s",
			t->osa->name, t->n, limits->addresses, osa_profile_word(t->osa->profile));
	else
		cfg_error(t->r, at, "IP address table full (0xe006): %s of %s would hold %u addresses on adapter %s, expected at most %u with profile %s",
			t->iface->name, t->iface->node->name, t->n_of_iface, t->osa->name, limits->per_stack,
			osa_profile_word(t->osa->profile));
}

static void
claim(void *arg, const struct cfg_registration *what)
{
	struct table *t = arg;
	struct claim *mine = cfg_alloc(&t->r->scratch, sizeof(*mine)), *first;
	char text[ADDR_TEXT];

	*mine = (struct claim){t->iface, what->takeover, what->own};
	first = cfg_index_add(&t->claims, &what->addr, sizeof(what->addr), mine);
	if (!first) {
		t->n++;
		t->n_of_iface++;
		check_room(t, place_of(t, "osa"));
		return;
	}
	/* two addresses on one LAN, or in a static table, have been reported as such */
	if (t->osa->mode == OSA_OSE || first->iface->node == t->iface->node || first->takeover || what->takeover || (first->own && what->own))
		return;
	cfg_error(t->r, place_of(t, what->own ? "address" : "oat"),
		"%s: Address already registered (0xe005), held by %s/%s, expected it once on adapter %s", ip_text(&what->addr, text),
		first->iface->node->name, first->iface->name, t->osa->name);
}

/* ---- the static table ---- */

static const struct cfg_iface *
only_iface(struct table *t, const struct cfg_oat_static *e, const struct cfg_node *node)
{
	const struct cfg_iface *found = NULL;

	for (size_t i = 0; i < node->n_ifaces; i++) {
		const struct cfg_iface *f = &node->ifaces[i];

		if (f->kind != CFG_OSA || strcmp(f->target, t->osa->name) != 0 || (e->iface[0] && strcmp(e->iface, f->name) != 0))
			continue;
		if (found) {
			cfg_error(t->r, e->at, "%s has several interfaces on adapter %s, expected the owner as %s/%s", node->name,
				t->osa->name, node->name, found->name);
			return NULL;
		}
		found = f;
	}
	if (!found)
		cfg_error(t->r, e->at, "%s%s%s is not on adapter %s, expected an owner that is", e->node, e->iface[0] ? "/" : "",
			e->iface, t->osa->name);
	return found;
}

static const char *
node_name(const void *list, size_t i)
{
	return ((const struct cfg_node *)list)[i].name;
}

static void
check_entry(struct table *t, struct cfg_oat_static *e, struct cfg_index *seen)
{
	const struct cfg_node *node = config_node(t->r->c, e->node);
	const struct cfg_oat_static *first = cfg_index_add(seen, &e->addr, sizeof(e->addr), e);
	char text[ADDR_TEXT], hint[CFG_HINT];

	if (first)
		cfg_error(t->r, e->at, "%s: Address already registered (0xe005), held by %s, expected it once on adapter %s",
			ip_text(&e->addr, text), first->node, t->osa->name);
	if (!node) {
		cfg_hint(t->r, e->node, node_name, t->r->c->nodes, t->r->c->n_nodes, hint);
		cfg_error(t->r, e->at, "there is no router or guest '%s'%s", e->node, hint[0] ? hint : ", expected one of them");
	} else if (!t->r->src[node - t->r->c->nodes].bad_ifaces) {
		t->iface = only_iface(t, e, node);
		if (t->iface)
			memcpy(e->iface, t->iface->name, sizeof(e->iface));
	}
}

/* ---- what nobody registers ---- */

enum { NAMED_MAX = 8 };

struct missing {
	struct table *t;
	enum osa_protocol protocol;
	struct cfg_index seen;
	char text[512];
	size_t used;
	unsigned n;
};

static bool
is_registered(const struct missing *m, const struct ip_prefix *p)
{
	const struct claim *c = cfg_index_find(&m->t->claims, &p->addr, sizeof(p->addr));

	return c && p->len == ip_bits(&p->addr);
}

static void
add_missing(struct missing *m, const struct ip_prefix *p)
{
	bool v6 = p->addr.family == AF_INET6, host = p->len == ip_bits(&p->addr);
	struct ip_prefix key;
	char text[PREFIX_TEXT];

	if (v6 != (m->protocol == OSA_IPV6) || cfg_is_link_local(&p->addr) || is_registered(m, p))
		return;
	memset(&key, 0, sizeof(key));
	key.addr = p->addr;
	key.len = p->len;
	if (cfg_index_add(&m->seen, &key, sizeof(key), m) || m->n++ >= NAMED_MAX)
		return;
	m->used += (size_t)snprintf(m->text + m->used, sizeof(m->text) - m->used, "%s%s", m->used ? ", " : "",
		host ? ip_text(&p->addr, text) : prefix_text(p, text));
}

static void
add_host(struct missing *m, const struct ip_addr *a)
{
	add_missing(m, &(struct ip_prefix){.addr = *a, .len = (uint8_t)ip_bits(a)});
}

/* What another interface of the node leads to. */
static void
add_behind(struct missing *m, const struct cfg_iface *i)
{
	bool hooked = cfg_sharer_of(m->t->iface)->links;

	for (size_t n = 0; n < i->n_addresses; n++) {
		struct ip_prefix network = prefix_network(&i->addresses[n]);

		add_host(m, &i->addresses[n].addr);
		if (i->kind != CFG_DUMMY && network.len < ip_bits(&network.addr))
			add_missing(m, &network);
	}
	for (size_t n = 0; i->far && !hooked && n < i->far->n_addresses; n++)
		add_host(m, &i->far->addresses[n].addr);
}

/* A link, or a place on another network. */
static bool
is_elsewhere(const struct missing *m, const struct cfg_iface *i)
{
	const struct config *c = m->t->r->c;

	return cfg_is_link(i) || (i->kind != CFG_DUMMY && i != m->t->iface && cfg_lan_of(c, i) != cfg_lan_of(c, m->t->iface));
}

/* True for a route that leads away from the adapter's network, and not everywhere. */
static bool
leads_away(const struct missing *m, const struct cfg_route *route)
{
	for (size_t h = 0; h < route->n_hops; h++) {
		const struct cfg_iface *i = config_iface(m->t->iface->node, route->hops[h].dev);

		if (i && is_elsewhere(m, i))
			return route->to.len > 0;
	}
	return false;
}

static void
warn_of(struct table *t, enum osa_protocol p)
{
	const struct cfg_node *node = t->iface->node;
	struct missing m = {.t = t, .protocol = p, .seen.arena = &t->r->scratch};

	for (size_t n = 0; n < t->iface->n_addresses; n++)
		add_host(&m, &t->iface->addresses[n].addr);
	for (size_t n = 0; n < node->n_ifaces; n++) {
		const struct cfg_iface *i = &node->ifaces[n];

		if (i->kind == CFG_DUMMY || (node->forward && is_elsewhere(&m, i)))
			add_behind(&m, i);
	}
	for (size_t n = 0; node->forward && n < node->n_routes; n++) {
		if (leads_away(&m, &node->routes[n]))
			add_missing(&m, &node->routes[n].to);
	}
	if (m.n)
		cfg_warn(t->r, place_of(t, "osa"),
			"packets to %s%s would be thrown away by adapter %s: %s of %s does not register them, and no primary router takes them",
			m.text, m.n > NAMED_MAX ? " and more" : "", t->osa->name, t->iface->name, node->name);
}

static bool
takes_all(const struct cfg_iface *i, enum osa_protocol p)
{
	enum osa_role role = cfg_sharer_of(i)->role[p];

	return role != OSA_NO_ROUTER && role != OSA_MULTICAST_ROUTER;
}

static void
each_sharer(struct table *t, void (*visit)(struct table *, void *), void *arg)
{
	for (size_t n = 0; n < t->r->c->n_nodes; n++) {
		for (size_t i = 0; i < t->r->c->nodes[n].n_ifaces; i++) {
			const struct cfg_src *s = &t->r->src[n].ifaces[i];

			t->iface = s->iface;
			if (!s->bad && s->iface->kind == CFG_OSA && s->iface->up && strcmp(s->iface->target, t->osa->name) == 0)
				visit(t, arg);
		}
	}
}

static void
claim_all(struct table *t, void *arg)
{
	(void)arg;
	t->n_of_iface = 0;
	cfg_registrations(t->r->c, t->iface, claim, t);
}

static void
note_roles(struct table *t, void *arg)
{
	bool *covered = arg;

	for (int p = 0; p < OSA_PROTOCOLS; p++)
		covered[p] |= takes_all(t->iface, (enum osa_protocol)p);
}

static void
warn_all(struct table *t, void *arg)
{
	const bool *covered = arg;

	for (int p = 0; p < OSA_PROTOCOLS; p++) {
		if (!covered[p])
			warn_of(t, (enum osa_protocol)p);
	}
}

void
cfg_check_oat(struct cfg_reader *r, struct cfg_osa *o)
{
	struct table t = {.r = r, .osa = o, .claims.arena = &r->scratch};
	struct cfg_index seen = {.arena = &r->scratch};
	bool covered[OSA_PROTOCOLS] = {false};

	if (o->mode == OSA_DEDICATED)
		return;
	for (size_t n = 0; n < o->n_table; n++)
		check_entry(&t, &o->table[n], &seen);
	each_sharer(&t, claim_all, NULL);
	each_sharer(&t, note_roles, covered);
	if (r->errs->total == 0)
		each_sharer(&t, warn_all, covered);
}
