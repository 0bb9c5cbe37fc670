/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of qethconf(8) for takeover (ipa), VIPA and proxy ARP (parp, rxip) entries. An interface is NODE:INTERFACE here, an address
 * also eight hexadecimal digits, as there.
 */
#include "fabric/cli/live.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
refuse(struct edit *e, int err, const char *format, const char *what)
{
	snprintf(e->why, sizeof(e->why), format, what);
	return err;
}

/* NODE:INTERFACE of an adapter, or NULL with the edit's error. */
static struct cfg_iface *
named_iface(struct edit *e, const char *where)
{
	const char *colon = strchr(where, ':');
	struct cfg_iface *f = NULL;

	for (size_t n = 0; colon && n < e->c->n_nodes && !f; n++) {
		struct cfg_node *node = &e->c->nodes[n];

		if (strlen(node->name) == (size_t)(colon - where) && strncasecmp(node->name, where, strlen(node->name)) == 0)
			f = config_iface(node, colon + 1);
	}
	if (f && f->kind == CFG_OSA)
		return f;
	refuse(e, -ENOENT, f ? "%s is on no adapter" : "there is no interface '%s', expected NODE:INTERFACE", where);
	return NULL;
}

/* "10.1.0.0/16", "2001:db8::/32", "0a010000/16", or without a length. => 0 or -EINVAL */
static int
parse_address(const char *text, struct ip_prefix *out)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	char dotted[ADDR_TEXT + 8];
	uint32_t v4;

	if (digits != 8 || (text[8] != '\0' && text[8] != '/'))
		return prefix_parse(text, out);
	v4 = (uint32_t)strtoul(text, NULL, 16);
	snprintf(dotted, sizeof(dotted), "%u.%u.%u.%u%.4s", v4 >> 24, v4 >> 16 & 255, v4 >> 8 & 255, v4 & 255, text + 8);
	return prefix_parse(dotted, out);
}

static int
change_takeover(struct edit *e, struct cfg_iface *f, const char *text, bool add)
{
	struct ip_prefix p, network;

	if (!strchr(text, '/') || parse_address(text, &p) < 0)
		return refuse(e, -EINVAL, "'%s' is no ADDRESS/MASK_BITS, such as 10.1.0.0/16", text);
	network = prefix_network(&p);
	return add ? edit_ipato_add(e, f, &network) : edit_ipato_del(e, f, &network);
}

static int
change_entry(struct edit *e, struct cfg_iface *f, const char *text, enum osa_entry kind, bool add)
{
	struct ip_prefix p;

	if (strchr(text, '/') || parse_address(text, &p) < 0)
		return refuse(e, -EINVAL, "'%s' is no address, such as 10.1.0.1", text);
	return add ? edit_oat_add(e, f, &p.addr, kind) : edit_oat_del(e, f, &p.addr, &kind);
}

static int
change(const struct cli *cl, struct edit *e)
{
	const char *type = cli_arg(cl, "TYPE"), *action = cli_arg(cl, "ACTION"), *text = cli_arg(cl, "ADDRESS");
	const char *where = cli_arg(cl, "INTERFACE") ? cli_arg(cl, "INTERFACE") : text;
	struct cfg_iface *f = named_iface(e, where);
	bool add = strcmp(action, "add") == 0;

	if (!f)
		return -ENOENT;
	if (config_osa(e->c, f->target)->mode != OSA_QDIO)
		return refuse(e, -EOPNOTSUPP, "adapter %s is not of mode qdio: its stacks register nothing", f->target);
	if (strncmp(action, "inv", 3) == 0)
		return edit_ipato_invert(e, f, action[3] == '6' ? OSA_IPV6 : OSA_IPV4);
	if (strcmp(type, "ipa") == 0)
		return change_takeover(e, f, text, add);
	return change_entry(e, f, text, strcmp(type, "vipa") == 0 ? OSA_VIPA : OSA_RXIP, add);
}

/* ---- list ---- */

static bool
lists(const struct cli *cl, const char *type)
{
	const char *asked = cli_arg(cl, "TYPE");

	return strcmp(asked, "list_all") == 0 || strcmp(asked, type) == 0 || (strcmp(type, "parp") == 0 && strcmp(asked, "rxip") == 0);
}

static void
list_iface(const struct cli *cl, const struct cfg_node *n, const struct cfg_iface *f)
{
	const struct cfg_sharer *s = f->sharer;
	char text[PREFIX_TEXT];

	for (size_t i = 0; s && lists(cl, "ipa") && i < s->n_takeover_list; i++)
		printf("ipa add %s %s:%s\n", prefix_text(&s->takeover_list[i], text), n->name, f->name);
	if (s && lists(cl, "ipa") && s->invert4)
		printf("ipa inv4 %s:%s\n", n->name, f->name);
	if (s && lists(cl, "ipa") && s->invert6)
		printf("ipa inv6 %s:%s\n", n->name, f->name);
	for (size_t i = 0; s && i < s->n_entries; i++) {
		const char *type = s->entries[i].kind == OSA_VIPA ? "vipa" : "parp";

		if (s->entries[i].kind != OSA_NORMAL && lists(cl, type))
			printf("%s add %s %s:%s\n", type, ip_text(&s->entries[i].addr, text), n->name, f->name);
	}
}

/* "list" of all, or of the interface that is named. */
static int
list(struct cli *cl)
{
	struct config *cfg = client_config(&cl->client, NULL);
	const char *where = cli_arg(cl, "ADDRESS");
	char name[NODE_NAME + IFACE_NAME + 1];

	for (size_t n = 0; cfg && n < cfg->n_nodes; n++) {
		for (size_t i = 0; i < cfg->nodes[n].n_ifaces; i++) {
			const struct cfg_iface *f = &cfg->nodes[n].ifaces[i];

			snprintf(name, sizeof(name), "%s:%s", cfg->nodes[n].name, f->name);
			if (f->kind == CFG_OSA && (!where || strcasecmp(where, name) == 0))
				list_iface(cl, &cfg->nodes[n], f);
		}
	}
	if (cfg)
		config_free(cfg);
	return cfg ? STATUS_OK : STATUS_FAILED;
}

int
run_qethconf(struct cli *cl)
{
	const char *type = cli_arg(cl, "TYPE"), *action = cli_arg(cl, "ACTION");
	bool all = strcmp(type, "list_all") == 0, invert = action && strncmp(action, "inv", 3) == 0;

	if (all ? action != NULL : !action)
		return complain_usage(cl, all ? "list_all stands alone" : "an action is missing: add, del, list, or with ipa inv4, inv6");
	if (all || strcmp(action, "list") == 0)
		return cli_arg(cl, "INTERFACE") ? complain_usage(cl, "list expects at most an interface") : list(cl);
	if (invert && strcmp(type, "ipa") != 0)
		return complain_usage(cl, "%s is for ipa only", action);
	if (!cli_arg(cl, "ADDRESS") || !cli_arg(cl, "INTERFACE") != invert)
		return complain_usage(cl, invert ? "%s expects an interface" : "%s expects an address and an interface", action);
	return live(cl, change);
}
