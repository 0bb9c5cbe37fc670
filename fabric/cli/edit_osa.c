/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stacks ask of an adapter: roles, registered addresses, takeover; and the static table of an OSE port. */
#include "fabric/cli/draft.h"

#include "fabric/control/config_osa.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct cfg_osa *
edit_osa(struct edit *e, const char *name)
{
	struct cfg_osa *o = config_osa(e->c, name);

	if (!o)
		edit_refuse(e, -ENOENT, "there is no adapter '%s'", name);
	return o;
}

struct cfg_iface *
edit_sharer(struct edit *e, const char *osa, const char *node, const char *iface)
{
	struct cfg_node *n = edit_osa(e, osa) ? edit_node(e, node) : NULL;
	struct cfg_iface *found = NULL;

	for (size_t i = 0; n && i < n->n_ifaces; i++) {
		struct cfg_iface *f = &n->ifaces[i];

		if (f->kind != CFG_OSA || strcmp(f->target, osa) != 0 || (iface && strcmp(iface, f->name) != 0))
			continue;
		if (found) {
			edit_refuse(e, -EINVAL, "%s has several interfaces on adapter %s; say which: --interface %s", n->name, osa,
				found->name);
			return NULL;
		}
		found = f;
	}
	if (n && !found)
		edit_refuse(e, -ENOENT, "%s%s%s is not on adapter %s", n->name, iface ? ":" : "", iface ? iface : "", osa);
	return found;
}

/* What the interface asks for, made when it asked for nothing. NULL: no memory. */
static struct cfg_sharer *
asked(struct edit *e, struct cfg_iface *f)
{
	size_t n = 0;

	if (!f->sharer)
		edit_append(e, &f->sharer, &n, sizeof(*f->sharer));
	if (!f->sharer)
		edit_no_memory(e);
	return f->sharer;
}

static enum osa_mode
mode_of(const struct edit *e, const struct cfg_iface *f)
{
	return config_osa(e->c, f->target)->mode;
}

/* ---- who is in the way ----
 *
 * Whoever reads the configuration names the first in the file as the holder, and cannot know better; who changes it does.
 */

static bool
is_one_of_a_kind(enum osa_role role)
{
	return role == OSA_PRIMARY_ROUTER || role == OSA_PRIMARY_CONNECTOR;
}

/* Another one on the adapter, up, for which `is_it` is true; NULL: none. */
static const struct cfg_iface *
find_other(const struct edit *e, const struct cfg_iface *f, bool (*is_it)(const struct edit *, const struct cfg_iface *, const struct cfg_iface *))
{
	for (size_t n = 0; n < e->c->n_nodes; n++) {
		for (size_t i = 0; i < e->c->nodes[n].n_ifaces; i++) {
			const struct cfg_iface *other = &e->c->nodes[n].ifaces[i];

			if (other != f && other->up && is_it(e, f, other))
				return other;
		}
	}
	return NULL;
}

static bool
has_role_of(const struct edit *e, const struct cfg_iface *f, const struct cfg_iface *other)
{
	(void)e;
	for (int p = 0; other->kind == CFG_OSA && other->sharer && strcmp(other->target, f->target) == 0 && p < OSA_PROTOCOLS; p++) {
		if (is_one_of_a_kind(f->sharer->role[p]) && other->sharer->role[p] == f->sharer->role[p])
			return true;
	}
	return false;
}

/* The LAN that the interface is on, or the adapter that has none; NULL: a link. */
static const void *
network_of(const struct edit *e, const struct cfg_iface *f)
{
	const struct cfg_osa *o = f->kind == CFG_OSA ? config_osa(e->c, f->target) : NULL;

	if (f->kind == CFG_LAN)
		return config_lan(e->c, f->target);
	return o && o->side == CFG_OSA_NETWORK ? (const void *)config_lan(e->c, o->network) : o;
}

/* One that both have, and neither takes over; NULL: none. */
static const struct ip_addr *
common_address(const struct edit *e, const struct cfg_iface *f, const struct cfg_iface *other)
{
	for (size_t i = 0; network_of(e, other) == network_of(e, f) && i < f->n_addresses; i++) {
		const struct ip_addr *a = &f->addresses[i].addr;

		for (size_t k = 0; k < other->n_addresses; k++) {
			if (ip_equal(&other->addresses[k].addr, a) && !cfg_takes_over(f->sharer, a) && !cfg_takes_over(other->sharer, a))
				return a;
		}
	}
	return NULL;
}

static bool
has_address_of(const struct edit *e, const struct cfg_iface *f, const struct cfg_iface *other)
{
	return common_address(e, f, other) != NULL;
}

/* => 0, or -EBUSY with the holder's name. */
static int
check_holders(struct edit *e, const struct cfg_iface *f)
{
	const struct cfg_iface *other = f->up && f->sharer ? find_other(e, f, has_role_of) : NULL;
	char text[ADDR_TEXT];

	if (other)
		return edit_refuse(e, -EBUSY, "Primary already defined (0xe010), held by %s/%s, expected one on a port: %s of %s may use another "
			"port, register its addresses, or lie behind %s", other->node->name, other->name, f->name, f->node->name,
			other->node->name);
	other = f->up ? find_other(e, f, has_address_of) : NULL;
	if (other)
		return edit_refuse(e, -EBUSY, "%s: IP address already in use on LAN (0xe00a), held by %s/%s, expected it once, or takeover "
			"of it by 'ipato'", ip_text(common_address(e, f, other), text), other->node->name, other->name);
	return 0;
}

int
edit_set_online(struct edit *e, struct cfg_iface *f, bool online)
{
	f->up = online;
	return check_holders(e, f);
}

int
edit_set_role(struct edit *e, struct cfg_iface *f, const enum osa_protocol *only, enum osa_role role)
{
	struct cfg_sharer *s = asked(e, f);

	if (!s)
		return -ENOMEM;
	if (mode_of(e, f) == OSA_OSE)
		return edit_refuse(e, -EOPNOTSUPP,
			"roles on adapter %s are static: its mode is ose, where they change with its configuration ('rookery apply')",
			f->target);
	for (int p = 0; p < OSA_PROTOCOLS; p++) {
		if (!only || *only == (enum osa_protocol)p)
			s->role[p] = role;
	}
	return check_holders(e, f);
}

int
edit_set_isolation(struct edit *e, struct cfg_iface *f, enum osa_isolation isolation)
{
	struct cfg_sharer *s = asked(e, f);

	if (!s)
		return -ENOMEM;
	s->isolation = isolation;
	return 0;
}

int
edit_set_network(struct edit *e, const char *osa, bool up)
{
	struct cfg_osa *o = edit_osa(e, osa);

	if (!o)
		return -ENOENT;
	o->down = !up;
	return 0;
}

/* ---- the static table ---- */

static int
add_static(struct edit *e, const struct cfg_iface *f, const struct ip_addr *addr)
{
	struct cfg_osa *o = config_osa(e->c, f->target);
	struct cfg_oat_static *entry = edit_append(e, &o->table, &o->n_table, sizeof(*entry));

	if (!entry)
		return edit_no_memory(e);
	entry->addr = *addr;
	snprintf(entry->node, sizeof(entry->node), "%s", f->node->name);
	snprintf(entry->iface, sizeof(entry->iface), "%s", f->name);
	return 0;
}

static int
drop_static(struct edit *e, const struct cfg_iface *f, const struct ip_addr *addr)
{
	struct cfg_osa *o = config_osa(e->c, f->target);
	char text[ADDR_TEXT];

	for (size_t i = 0; i < o->n_table; i++) {
		const struct cfg_oat_static *entry = &o->table[i];

		if (!ip_equal(&entry->addr, addr) || strcasecmp(entry->node, f->node->name) != 0 || strcmp(entry->iface, f->name) != 0)
			continue;
		edit_drop(o->table, &o->n_table, i, sizeof(*entry));
		return 0;
	}
	return edit_refuse(e, -ENOENT, "%s is not in the table of adapter %s as an address of %s:%s", ip_text(addr, text), o->name,
		f->node->name, f->name);
}

int
edit_set_table(struct edit *e, const char *osa, const struct cfg_oat_static *entries, size_t n)
{
	struct cfg_osa *o = edit_osa(e, osa);

	if (!o)
		return -ENOENT;
	if (o->mode != OSA_OSE)
		return edit_refuse(e, -EOPNOTSUPP, "adapter %s has no static table: its mode is %s, expected ose", osa, osa_mode_word(o->mode));
	o->n_table = n;
	o->table = (struct cfg_oat_static *)entries;
	return 0;
}

/* ---- registered by hand ---- */

int
edit_oat_add(struct edit *e, struct cfg_iface *f, const struct ip_addr *addr, enum osa_entry kind)
{
	struct cfg_sharer *s = asked(e, f);
	struct cfg_oat_entry *entry;
	char text[ADDR_TEXT];

	if (!s)
		return -ENOMEM;
	if (mode_of(e, f) == OSA_OSE)
		return add_static(e, f, addr);
	for (size_t i = 0; kind != OSA_NORMAL && i < s->n_entries; i++) {
		if (s->entries[i].kind == kind && ip_equal(&s->entries[i].addr, addr))
			return edit_refuse(e, -EEXIST, "%s is there already as %s of %s:%s", ip_text(addr, text), osa_entry_word(kind),
				f->node->name, f->name);
	}
	entry = edit_append(e, &s->entries, &s->n_entries, sizeof(*entry));
	if (!entry)
		return edit_no_memory(e);
	entry->addr = *addr;
	entry->kind = kind;
	return 0;
}

int
edit_oat_del(struct edit *e, struct cfg_iface *f, const struct ip_addr *addr, const enum osa_entry *kind)
{
	struct cfg_sharer *s = asked(e, f);
	char text[ADDR_TEXT];

	if (!s)
		return -ENOMEM;
	if (mode_of(e, f) == OSA_OSE)
		return drop_static(e, f, addr);
	for (size_t i = 0; i < s->n_entries; i++) {
		if (!ip_equal(&s->entries[i].addr, addr) || (kind && s->entries[i].kind != *kind))
			continue;
		edit_drop(s->entries, &s->n_entries, i, sizeof(*s->entries));
		return 0;
	}
	return edit_refuse(e, -ENOENT, "%s is no entry that was added to %s:%s%s%s", ip_text(addr, text), f->node->name, f->name,
		kind ? " as " : "", kind ? osa_entry_word(*kind) : "");
}

/* ---- takeover ---- */

int
edit_ipato_add(struct edit *e, struct cfg_iface *f, const struct ip_prefix *prefix)
{
	struct cfg_sharer *s = asked(e, f);
	struct ip_prefix *place;
	char text[PREFIX_TEXT];

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_takeover_list; i++) {
		if (prefix_equal(&s->takeover_list[i], prefix))
			return edit_refuse(e, -EEXIST, "%s is there already for takeover by %s:%s", prefix_text(prefix, text), f->node->name,
				f->name);
	}
	place = edit_append(e, &s->takeover_list, &s->n_takeover_list, sizeof(*place));
	if (!place)
		return edit_no_memory(e);
	*place = *prefix;
	s->takeover = true;
	return 0;
}

int
edit_ipato_del(struct edit *e, struct cfg_iface *f, const struct ip_prefix *prefix)
{
	struct cfg_sharer *s = asked(e, f);
	char text[PREFIX_TEXT];

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_takeover_list; i++) {
		if (!prefix_equal(&s->takeover_list[i], prefix))
			continue;
		edit_drop(s->takeover_list, &s->n_takeover_list, i, sizeof(*prefix));
		return 0;
	}
	return edit_refuse(e, -ENOENT, "%s is not there for takeover by %s:%s", prefix_text(prefix, text), f->node->name, f->name);
}

int
edit_ipato_invert(struct edit *e, struct cfg_iface *f, enum osa_protocol protocol)
{
	struct cfg_sharer *s = asked(e, f);

	if (!s)
		return -ENOMEM;
	if (protocol == OSA_IPV4)
		s->invert4 = !s->invert4;
	else
		s->invert6 = !s->invert6;
	return 0;
}
