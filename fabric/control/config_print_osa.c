/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adapters and what their sharers ask for, as a configuration says it; the text is read by config_read_osa.c. */
#include "fabric/control/config_line.h"
#include "fabric/control/config_reader.h"

#include <string.h>

/* primary_router is long for a word that stands in most files. */
static const char *
short_role(enum osa_role role)
{
	static const char *const words[] = {
		[OSA_NO_ROUTER] = "none", [OSA_PRIMARY_ROUTER] = "primary", [OSA_SECONDARY_ROUTER] = "secondary", [OSA_MULTICAST_ROUTER] = "multicast"};

	return role < CFG_COUNT(words) ? words[role] : osa_role_word(role);
}

static void
print_roles(struct line *l, const struct cfg_sharer *s)
{
	struct line both = {.to = l->to};

	if (s->role[OSA_IPV4] == OSA_NO_ROUTER && s->role[OSA_IPV6] == OSA_NO_ROUTER)
		return;
	if (s->role[OSA_IPV4] == s->role[OSA_IPV6]) {
		line_word(l, "router", short_role(s->role[OSA_IPV4]));
		return;
	}
	line_key(l, "router");
	line_open(&both);
	line_word(&both, "ipv4", short_role(s->role[OSA_IPV4]));
	line_word(&both, "ipv6", short_role(s->role[OSA_IPV6]));
	fputc('}', l->to);
}

static void
print_entries(struct line *l, const char *key, const struct cfg_sharer *s, enum osa_entry kind)
{
	char text[ADDR_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < s->n_entries; i++) {
		if (s->entries[i].kind != kind)
			continue;
		if (n == 0)
			line_key(l, key);
		fputs(n++ ? ", " : "[", l->to);
		write_word(l->to, ip_text(&s->entries[i].addr, text));
	}
	fputs(n ? "]" : "", l->to);
}

static bool
says_ipato(const struct cfg_sharer *s)
{
	return s->takeover || s->n_takeover_list || s->invert4 || s->invert6;
}

static void
print_ipato(struct line *l, const struct cfg_sharer *s)
{
	struct line in = {.to = l->to};
	char text[PREFIX_TEXT];

	if (!says_ipato(s))
		return;
	line_key(l, "ipato");
	line_open(&in);
	line_bool(&in, "enable", s->takeover, true);
	line_bool(&in, "invert4", s->invert4, false);
	line_bool(&in, "invert6", s->invert6, false);
	line_key(&in, "add");
	fputc('[', l->to);
	for (size_t i = 0; i < s->n_takeover_list; i++) {
		fputs(i ? ", " : "", l->to);
		write_word(l->to, prefix_text(&s->takeover_list[i], text));
	}
	fputs("]}", l->to);
}

static void
print_oat(struct line *l, const struct cfg_sharer *s)
{
	struct line in = {.to = l->to};

	if (s->policy == OSA_OWN_ADDRESS && !s->links && !s->n_entries && !says_ipato(s))
		return;
	line_key(l, "oat");
	line_open(&in);
	if (s->policy != OSA_OWN_ADDRESS)
		line_word(&in, "register", osa_policy_word(s->policy));
	line_bool(&in, "links", s->links, false);
	print_entries(&in, "add", s, OSA_NORMAL);
	print_entries(&in, "vipa", s, OSA_VIPA);
	print_entries(&in, "rxip", s, OSA_RXIP);
	print_ipato(&in, s);
	fputc('}', l->to);
}

void
print_sharer(struct line *l, const struct cfg_iface *i)
{
	const struct cfg_sharer *s = cfg_sharer_of(i);

	print_roles(l, s);
	if (s->isolation != OSA_SHARED)
		line_word(l, "isolation", osa_isolation_word(s->isolation));
	line_bool(l, "echo_filter", s->echo_filter, false);
	line_bool(l, "promiscuous", s->promiscuous, false);
	if (s->device_given) {
		line_key(l, "devices");
		fprintf(l->to, "\"%04x\"", s->device);
	}
	print_oat(l, s);
}

/* A line an entry: a table may be long. */
static void
print_table(struct line *l, const struct cfg_osa *o)
{
	char text[ADDR_TEXT], owner[NODE_NAME + IFACE_NAME + 1];

	if (o->n_table == 0)
		return;
	line_key(l, "table");
	for (size_t i = 0; i < o->n_table; i++) {
		const struct cfg_oat_static *e = &o->table[i];
		struct line in = {.to = l->to};

		fputs(i ? ",\n      " : "[\n      ", l->to);
		line_open(&in);
		line_word(&in, "address", ip_text(&e->addr, text));
		snprintf(owner, sizeof(owner), "%s%s%s", e->node, e->iface[0] ? "/" : "", e->iface);
		line_word(&in, "owner", owner);
		fputc('}', l->to);
	}
	fputc(']', l->to);
}

static void
print_card(struct line *l, const struct cfg_osa *o)
{
	if (o->card)
		line_word(l, "card", o->card);
	else if (o->profile != OSA_PROFILE_NONE)
		line_word(l, "profile", osa_profile_word(o->profile));
	if (o->machine)
		line_word(l, "machine", o->machine);
	if (o->type)
		line_word(l, "type", o->type);
	if (o->slot[0])
		line_word(l, "slot", o->slot);
	line_number(l, "port", o->slot_port, 0);
}

/* On one line, as every small map. */
static void
print_osa_line(struct line *l, const struct cfg_osa *o)
{
	static const char *const sides[] = {"network", "device", "devargs"};
	char mac[MAC_TEXT];

	line_word(l, sides[o->side], o->network);
	if (o->mode != OSA_QDIO)
		line_word(l, "mode", osa_mode_word(o->mode));
	line_number(l, "layer", o->layer == 3 ? 0 : o->layer, 0);
	print_card(l, o);
	line_bool(l, "multicast_router", o->multicast_router, false);
	line_number(l, "secondaries", o->secondaries ? o->secondaries : 1, 1);
	if (o->always_up)
		line_word(l, "carrier", "always");
	if (o->down)
		line_word(l, "state", "down");
	if (o->mac_given)
		line_word(l, "mac", mac_text(&o->mac, mac));
}

void
print_osas(const struct config *c, FILE *to)
{
	if (c->n_osas)
		fputs("osa:\n", to);
	for (size_t i = 0; i < c->n_osas; i++) {
		struct line l = {.to = to};

		fputs("  ", to);
		write_word(to, c->osas[i].name);
		fputs(": ", to);
		line_open(&l);
		print_osa_line(&l, &c->osas[i]);
		print_table(&l, &c->osas[i]);
		fputs("}\n", to);
	}
}
