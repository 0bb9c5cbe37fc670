/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/hosts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void
lower_case(const char *name, char *out)
{
	while ((*out++ = (char)tolower((unsigned char)*name++)) != '\0')
		;
}

static const struct cfg_iface *
named_interface(const struct cfg_node *node)
{
	const struct cfg_iface *first = NULL;

	for (size_t i = 0; i < node->n_ifaces; i++) {
		const struct cfg_iface *iface = &node->ifaces[i];

		if (iface->n_addresses > 0 && iface->kind == CFG_DUMMY)
			return iface;
		if (iface->n_addresses > 0 && first == NULL)
			first = iface;
	}
	return first;
}

static void
print_node(const struct cfg_node *node, FILE *to)
{
	const struct cfg_iface *named = named_interface(node);
	char name[NODE_NAME], text[ADDR_TEXT];

	lower_case(node->name, name);
	if (named != NULL)
		fprintf(to, "%s %s\n", ip_text(&named->addresses[0].addr, text), name);
	for (size_t i = 0; i < node->n_ifaces; i++)
		for (size_t j = 0; j < node->ifaces[i].n_addresses; j++)
			fprintf(to, "%s %s-%s\n", ip_text(&node->ifaces[i].addresses[j].addr, text),
				name, node->ifaces[i].name);
}

char *
hosts_text(const struct config *c, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (to == NULL)
		return NULL;
	fputs("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n", to);
	for (size_t i = 0; i < c->n_nodes; i++)
		print_node(&c->nodes[i], to);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
