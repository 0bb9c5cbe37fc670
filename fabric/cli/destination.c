/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/destination.h"

#include "fabric/cli/cli.h"

#include <errno.h>

const struct ip_addr *
destination_of(const struct cfg_node *n)
{
	const struct cfg_iface *best = NULL;

	for (size_t i = 0; i < n->n_ifaces; i++) {
		const struct cfg_iface *f = &n->ifaces[i];

		if (f->n_addresses > 0 && (!best || (f->kind == CFG_DUMMY && best->kind != CFG_DUMMY)))
			best = f;
	}
	return best ? &best->addresses[0].addr : NULL;
}

int
destination_resolve(const struct config *cfg, const char *text, char *address)
{
	const struct ip_addr *found;
	const struct cfg_node *node;
	struct ip_addr given;

	if (ip_parse(text, &given) == 0) {
		ip_text(&given, address);
		return 0;
	}
	node = client_node(cfg, text);
	if (!node)
		return -ENOENT;
	found = destination_of(node);
	if (!found) {
		complain("%s has no address", node->name);
		return -ENOENT;
	}
	ip_text(found, address);
	return 0;
}

static bool
owns(const struct cfg_node *n, const struct ip_addr *a)
{
	for (size_t i = 0; i < n->n_ifaces; i++) {
		for (size_t k = 0; k < n->ifaces[i].n_addresses; k++) {
			if (ip_equal(&n->ifaces[i].addresses[k].addr, a))
				return true;
		}
	}
	return false;
}

const struct cfg_node *
destination_owner(const struct config *cfg, const char *address)
{
	struct ip_addr a;

	if (ip_parse(address, &a) < 0)
		return NULL;
	for (size_t i = 0; i < cfg->n_nodes; i++) {
		if (owns(&cfg->nodes[i], &a))
			return &cfg->nodes[i];
	}
	return NULL;
}
