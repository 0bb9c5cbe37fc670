/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration reader: whatever the text, it ends with a configuration or with errors that
 * each are one line; and a configuration prints to text that reads to the same and prints the same. Lines of a table file too.
 */
#include "fabric/control/config_osa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void
check_errors(const struct cfg_errors *errs)
{
	check(errs->n > 0 && errs->n <= CFG_ERRORS_MAX && errs->total >= errs->n,
		"number of errors");
	for (size_t i = 0; i < errs->n; i++) {
		check(!strchr(errs->text[i], '\n'), "an error of two lines");
		check(strncmp(errs->text[i], "fuzz:", 5) == 0, "an error without a place");
	}
}

static void
check_links(const struct cfg_node *n)
{
	for (size_t i = 0; i < n->n_ifaces; i++) {
		const struct cfg_iface *f = &n->ifaces[i];

		check(f->node == n && f->mtu != 0, "an interface not completed");
		check((f->kind == CFG_IUCV || f->kind == CFG_CTC) == (f->far != NULL),
			"a link without an end");
		check(!f->far || (f->far->far == f && f->far->kind == f->kind && f->far->node != n),
			"ends of a link");
		check(config_iface(n, f->name) == f, "lookup of an interface");
	}
}

static void
check_routes(const struct cfg_node *n)
{
	for (size_t i = 0; i < n->n_routes; i++) {
		const struct cfg_route *r = &n->routes[i];

		check((r->type == CFG_ROUTE_UNICAST) == (r->n_hops > 0), "next hops of a route");
		for (size_t h = 0; h < r->n_hops; h++)
			check(config_iface(n, r->hops[h].dev) != NULL, "interface of a next hop");
	}
}

static void
check_same(const struct config *a, const struct config *b)
{
	check(a->n_nodes == b->n_nodes && a->n_routers == b->n_routers, "number of nodes");
	check(a->n_osas == b->n_osas && a->n_warnings == b->n_warnings, "number of adapters, or of warnings");
	for (size_t i = 0; i < a->n_osas; i++)
		check(config_osa_equal(&a->osas[i], &b->osas[i]), "an adapter changed by printing");
	for (size_t i = 0; i < a->n_nodes; i++) {
		check_links(&a->nodes[i]);
		check_routes(&a->nodes[i]);
		check(config_node(a, a->nodes[i].name) == &a->nodes[i], "lookup of a node");
		check(config_node_equal(&a->nodes[i], &b->nodes[i]), "a node changed by printing");
		check(a->nodes[i].n_run == b->nodes[i].n_run, "number of programs");
		for (size_t r = 0; r < a->nodes[i].n_run; r++)
			check(strcmp(a->nodes[i].run[r], b->nodes[i].run[r]) == 0,
				"a program changed by printing");
	}
}

static void
check_config(const struct config *c)
{
	char *first = config_text(c), *second;
	struct cfg_errors errs;
	struct config *again;

	check(first != NULL, "printing");
	if (config_read(first, strlen(first), "fuzz", &again, &errs) < 0) {
		fprintf(stderr, "%s\n%s\n", errs.text[0], first);
		abort();
	}
	check_same(c, again);
	second = config_text(again);
	check(second && strcmp(first, second) == 0, "printing twice");
	free(first);
	free(second);
	config_free(again);
	cfg_errors_free(&errs);
}

/* The same bytes as a file with a static table. */
static void
check_table(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *line;
	struct cfg_oat_static e;

	while ((line = strsep(&rest, "\n"))) {
		int rc = cfg_table_line(line, &e);

		check(rc <= 1, "what a line of a table is");
		check(rc != 1 || (ip_is_set(&e.addr) && e.node[0]), "half an entry");
		check(memchr(e.node, 0, sizeof(e.node)) && memchr(e.iface, 0, sizeof(e.iface)), "a name without an end");
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_errors errs;
	struct config *c;

	check_table(data, size);
	if (config_read((const char *)data, size, "fuzz", &c, &errs) == 0) {
		check(errs.n == 0 && errs.total == 0, "errors of a good text");
		check_config(c);
	} else {
		check(c == NULL, "a configuration beside errors");
		check_errors(&errs);
	}
	config_free(c);
	cfg_errors_free(&errs);
	return 0;
}
