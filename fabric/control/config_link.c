/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <string.h>

/*
 * Links have two ends, each in the map of its own node. An end that names NODE/INTERFACE takes that
 * one; the others between the same two nodes are joined in the order of the file.
 */

/* Ends of one kind, of one node, towards another. */
struct bundle {
	const struct cfg_node *from, *to;
	enum cfg_iface_kind kind;
	uint32_t pad;
};

struct ends {
	struct cfg_src *first, *last;
};

static const char *
node_name(const void *list, size_t i)
{
	return ((const struct cfg_node *)list)[i].name;
}

/* => the node of the far end, or NULL after saying why. */
static struct cfg_node *
far_node(struct cfg_reader *r, const struct cfg_src *s)
{
	struct cfg_iface *i = s->iface;
	struct cfg_node *n = config_node(r->c, i->target);
	struct cfg_mark at = cfg_place(s->map, cfg_kind_text(i->kind));
	char hint[CFG_HINT];

	if (!n) {
		cfg_hint(r, i->target, node_name, r->c->nodes, r->c->n_nodes, hint);
		cfg_error(r, at, "there is no router or guest '%s'%s", i->target,
			hint[0] ? hint : ", expected one for the link to lead to");
	} else if (n == i->node) {
		cfg_error(r, at, "%s of %s leads to %s itself, expected another node", i->name,
			n->name, n->name);
		n = NULL;
	} else {
		memcpy(i->target, n->name, sizeof(n->name));
	}
	return n;
}

static bool
leads_to(const struct cfg_iface *i, const struct cfg_node *n)
{
	char a[NODE_NAME], b[NODE_NAME];
	size_t len = cfg_fold(i->target, a);

	return cfg_fold(n->name, b) == len && memcmp(a, b, len) == 0;
}

static void
join(struct cfg_iface *a, struct cfg_iface *b)
{
	a->far = b;
	b->far = a;
}

/* An end that names the interface of the far end. */
static void
join_named(struct cfg_reader *r, const struct cfg_src *s, const struct cfg_node *n)
{
	struct cfg_iface *i = s->iface, *far = config_iface(n, i->far_name);
	const char *kind = cfg_kind_text(i->kind), *me = i->node->name;
	struct cfg_mark at = cfg_place(s->map, kind);

	if (i->far && i->far == far)
		return;
	if (!far)
		cfg_error(r, at, "%s has no interface '%s', expected one with '%s: %s'", n->name,
			i->far_name, kind, me);
	else if (cfg_iface_src(r, far)->bad)
		return;
	else if (far->kind != i->kind)
		cfg_error(r, at, "%s of %s is of kind %s, expected '%s: %s' there", far->name,
			n->name, cfg_kind_text(far->kind), kind, me);
	else if (!leads_to(far, i->node) ||
		 (far->far_name[0] && strcmp(far->far_name, i->name) != 0))
		cfg_error(r, at, "%s of %s leads to %s%s%s, expected '%s: %s' there", far->name,
			n->name, far->target, far->far_name[0] ? "/" : "", far->far_name, kind, me);
	else if (far->far)
		cfg_error(r, at, "%s of %s is joined with %s already, expected a free interface",
			far->name, n->name, far->far->name);
	else
		join(i, far);
}

/* Joins the end with one that waits for it, or lets it wait. `waiting` holds struct ends by struct
 * bundle. */
static void
join_in_order(struct cfg_reader *r, struct cfg_index *waiting, struct cfg_src *s,
	const struct cfg_node *n)
{
	struct bundle mine, theirs;
	struct ends *e;

	memset(&theirs, 0, sizeof(theirs));
	theirs.from = n;
	theirs.to = s->iface->node;
	theirs.kind = s->iface->kind;
	e = cfg_index_find(waiting, &theirs, sizeof(theirs));
	if (e && e->first) {
		join(s->iface, e->first->iface);
		e->first = e->first->next;
		return;
	}
	mine = theirs;
	mine.from = s->iface->node;
	mine.to = n;
	e = cfg_index_find(waiting, &mine, sizeof(mine));
	if (!e) {
		e = cfg_alloc(&r->scratch, sizeof(*e));
		cfg_index_add(waiting, &mine, sizeof(mine), e);
	}
	if (e->first)
		e->last->next = s;
	else
		e->first = s;
	e->last = s;
}

/* An interface of `n` that leads back, but as a link of the other kind. */
static const struct cfg_iface *
other_kind(const struct cfg_node *n, const struct cfg_iface *i)
{
	for (size_t k = 0; k < n->n_ifaces; k++) {
		const struct cfg_iface *f = &n->ifaces[k];

		if (cfg_is_link(f) && f->kind != i->kind && !f->far && leads_to(f, i->node))
			return f;
	}
	return NULL;
}

static void
no_other_end(struct cfg_reader *r, const struct cfg_src *s)
{
	const struct cfg_iface *i = s->iface;
	const struct cfg_node *n = config_node(r->c, i->target);
	const char *kind = cfg_kind_text(i->kind);
	struct cfg_mark at = cfg_place(s->map, kind);
	/* beyond that no message is kept, and the search is long on a router with many links */
	const struct cfg_iface *other = r->errs->total < CFG_ERRORS_MAX ? other_kind(n, i) : NULL;

	if (other)
		cfg_error(r, at,
			"%s of %s is %s and its other end, %s of %s, is %s, expected both of one kind",
			i->name, i->node->name, kind, other->name, n->name,
			cfg_kind_text(other->kind));
	else
		cfg_error(r, at,
			"%s of %s has no other end, expected an interface of %s with '%s: %s'",
			i->name, i->node->name, n->name, kind, i->node->name);
}

struct ip_addr
cfg_default_peer(const struct cfg_iface *i)
{
	struct ip_addr found = {0};
	size_t v4 = 0;

	for (size_t n = 0; n < i->far->n_addresses; n++) {
		if (i->far->addresses[n].addr.family == AF_INET && v4++ == 0)
			found = i->far->addresses[n].addr;
	}
	if (i->far->n_addresses == 1)
		return i->far->addresses[0].addr;
	return v4 == 1 ? found : (struct ip_addr){0};
}

static bool
has_address(const struct cfg_iface *i, const struct ip_addr *a)
{
	for (size_t n = 0; n < i->n_addresses; n++) {
		if (ip_equal(&i->addresses[n].addr, a))
			return true;
	}
	return false;
}

static void
check_peer(struct cfg_reader *r, const struct cfg_src *s)
{
	struct cfg_iface *i = s->iface;
	const struct cfg_iface *far = i->far;
	char peer[ADDR_TEXT], has[ADDR_TEXT];

	if (!ip_is_set(&i->peer)) {
		i->peer = cfg_default_peer(i);
	} else if (!has_address(far, &i->peer)) {
		cfg_error(r, cfg_place(s->map, "peer"),
			"peer %s is no address of %s of %s, expected %s", ip_text(&i->peer, peer),
			far->name, far->node->name,
			far->n_addresses ? ip_text(&far->addresses[0].addr, has)
					 : "an address there");
	}
}

/* Reported once, at the later end. */
static void
check_both_addresses(struct cfg_reader *r, const struct cfg_src *s)
{
	const struct cfg_iface *i = s->iface;
	char text[ADDR_TEXT];

	for (size_t n = 0; n < i->n_addresses; n++) {
		if (i > i->far && has_address(i->far, &i->addresses[n].addr))
			cfg_error(r, cfg_place_item(s->map, "address", n),
				"%s is the address of %s of %s, the other end, already, expected two addresses",
				ip_text(&i->addresses[n].addr, text), i->far->name,
				i->far->node->name);
	}
}

static void
each_link(struct cfg_reader *r, struct cfg_index *waiting,
	void (*visit)(struct cfg_reader *, struct cfg_index *, struct cfg_src *))
{
	for (size_t n = 0; n < r->c->n_nodes; n++) {
		for (size_t i = 0; i < r->c->nodes[n].n_ifaces; i++) {
			struct cfg_src *s = &r->src[n].ifaces[i];

			if (!s->bad && cfg_is_link(s->iface))
				visit(r, waiting, s);
		}
	}
}

static void
visit_named(struct cfg_reader *r, struct cfg_index *waiting, struct cfg_src *s)
{
	const struct cfg_node *n = far_node(r, s);
	size_t errors = r->errs->total;

	(void)waiting;
	if (n && s->iface->far_name[0])
		join_named(r, s, n);
	s->bad = !n || r->errs->total != errors;
	if (s->bad)
		r->src[s->iface->node - r->c->nodes].bad_ifaces = true;
}

static void
visit_others(struct cfg_reader *r, struct cfg_index *waiting, struct cfg_src *s)
{
	if (!s->iface->far && !s->iface->far_name[0])
		join_in_order(r, waiting, s, config_node(r->c, s->iface->target));
}

static void
visit_joined(struct cfg_reader *r, struct cfg_index *waiting, struct cfg_src *s)
{
	const struct cfg_node *n = config_node(r->c, s->iface->target);

	(void)waiting;
	if (s->iface->far) {
		check_peer(r, s);
		check_both_addresses(r, s);
	} else if (!r->src[n - r->c->nodes].bad_ifaces) {
		/* the other end may be the interface with an error in it */
		no_other_end(r, s);
	}
}

void
cfg_check_links(struct cfg_reader *r)
{
	struct cfg_index waiting = {.arena = &r->scratch};

	each_link(r, NULL, visit_named);
	each_link(r, &waiting, visit_others);
	each_link(r, NULL, visit_joined);
}
