/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Application helpers of a router: helpers: {ftp: {ports: [21, 2121], nat: false}}. */
#include "fabric/control/config_reader.h"
#include "filters/known.h"

#include <netinet/in.h>
#include <string.h>

static const struct known_helper {
	const char *name;
	uint16_t port;
} known[] = {
#define ROW(id, proto, port, ...) {#id, port},
	KNOWN_HELPERS(ROW)
#undef ROW
};

#define NAME(id, ...) " " #id

struct helper_text {
	const struct cfg_yaml *ports;
	bool nat;
};

static const struct cfg_key helper_keys[] = {
	{"ports", cfg_read_later, offsetof(struct helper_text, ports), 0, 0, NULL},
	{"nat", cfg_read_bool, offsetof(struct helper_text, nat), 0, 0, NULL},
};

static const char *
known_name(const void *list, size_t i)
{
	(void)list;
	return known[i].name;
}

uint16_t
cfg_helper_port(const char *name)
{
	for (size_t i = 0; i < CFG_COUNT(known); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].port;
	}
	return 0;
}

static bool
add_port(struct cfg_reader *r, struct cfg_helper *h, const struct cfg_yaml *v)
{
	static const struct cfg_key port = {.name = "ports", .min = 1, .max = UINT16_MAX};
	int64_t n;

	if (!cfg_number(r, &port, v, &n))
		return false;
	for (size_t i = 0; i < h->n_ports; i++) {
		if (h->ports[i] == n) {
			cfg_error(r, v->at, "port %lld is there twice, expected it once",
				(long long)n);
			return false;
		}
	}
	if (h->n_ports == CFG_HELPER_PORTS) {
		cfg_error(r, v->at, "helper %s has too many ports, expected at most %d", h->name,
			CFG_HELPER_PORTS);
		return false;
	}
	h->ports[h->n_ports++] = (uint16_t)n;
	return true;
}

static void
read_ports(struct cfg_reader *r, struct cfg_helper *h, const struct cfg_yaml *v)
{
	bool list = v->kind == CFG_YAML_LIST;
	const struct cfg_yaml *item = list ? v->first : v;

	h->n_ports = 0;
	for (; item && add_port(r, h, item); item = list ? item->next : NULL)
		;
}

static void
read_helper(struct cfg_reader *r, const struct cfg_yaml *k, struct cfg_helper *h)
{
	struct helper_text t = {.nat = true};
	char word[CFG_QUOTE], hint[CFG_HINT];

	h->at = k->at;
	h->name = cfg_copy(r->keep, k->text, strlen(k->text));
	h->ports[0] = cfg_helper_port(h->name);
	h->n_ports = 1;
	if (h->ports[0] == 0) {
		cfg_hint(r, k->text, known_name, NULL, CFG_COUNT(known), hint);
		cfg_error(r, k->at, "unknown helper '%s'%s", cfg_quote(k->text, word),
			hint[0] ? hint : ", expected one of" KNOWN_HELPERS(NAME));
		return;
	}
	if (!k->value->null)
		cfg_read_map(r, k->value, "a helper", helper_keys, CFG_COUNT(helper_keys), &t);
	h->translate = t.nat;
	if (t.ports)
		read_ports(r, h, t.ports);
}

void
cfg_read_helpers(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *map)
{
	if (!cfg_expect(r, map, CFG_YAML_MAP, "helpers"))
		return;
	n->helpers = cfg_alloc(r->keep, map->n * sizeof(*n->helpers));
	for (const struct cfg_yaml *k = map->first; k; k = k->next)
		read_helper(r, k, &n->helpers[n->n_helpers++]);
}
