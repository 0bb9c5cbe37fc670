/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/diff_say.h"

#include "fabric/keeper/netns.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
diff_say(struct diff *d, const char *format, ...)
{
	json_t *text;
	va_list ap;

	va_start(ap, format);
	text = json_vsprintf(format, ap);
	va_end(ap);
	json_array_append_new(d->actions, text);
}

const char *
diff_node_word(const struct cfg_node *n)
{
	return n->kind == CFG_ROUTER ? "router" : "guest";
}

/* ---- lists of names: nodes, links ---- */

struct named {
	char *text;
	const struct cfg_node *node; /* NULL for a link */
};

struct names {
	struct named *v;
	size_t n;
};

static int
by_name(const void *a, const void *b)
{
	return strcasecmp(((const struct named *)a)->text, ((const struct named *)b)->text);
}

static void
names_free(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
}

static void
names_add(struct names *l, char *text, const struct cfg_node *node)
{
	struct named *v = (l->n & (l->n - 1)) != 0
				  ? l->v
				  : reallocarray(l->v, l->n ? l->n * 2 : 1, sizeof(*v));

	if (v == NULL || text == NULL) {
		free(text);
		return;
	}
	l->v = v;
	v[l->n++] = (struct named){.text = text, .node = node};
}

static void
names_sort(struct names *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
}

static struct names
node_names(const struct config *c)
{
	struct names l = {0};

	for (size_t i = 0; i < c->n_nodes; i++)
		names_add(&l, strdup(c->nodes[i].name), &c->nodes[i]);
	names_sort(&l);
	return l;
}

/* Each link once, named from the end that the file has first. */
static char *
link_name(const struct cfg_iface *a)
{
	const struct cfg_iface *b = a->far;
	char *text;

	if ((a->kind != CFG_IUCV && a->kind != CFG_CTC) || b == NULL || b->node < a->node ||
		(b->node == a->node && b < a))
		return NULL;
	return asprintf(&text, "%s:%s=%s:%s", a->node->name, a->name, b->node->name, b->name) < 0
		       ? NULL
		       : text;
}

static struct names
link_names(const struct config *c)
{
	struct names l = {0};

	for (size_t i = 0; i < c->n_nodes; i++)
		for (size_t j = 0; j < c->nodes[i].n_ifaces; j++) {
			char *text = link_name(&c->nodes[i].ifaces[j]);

			if (text != NULL)
				names_add(&l, text, NULL);
		}
	names_sort(&l);
	return l;
}

/* Walks two sorted lists side by side; either argument of `visit` is NULL when only one has the
 * name. */
static void
merge(struct diff *d, const struct names *from, const struct names *to,
	void (*visit)(struct diff *, const struct named *, const struct named *))
{
	size_t i = 0, j = 0;

	while (i < from->n || j < to->n) {
		int order = i == from->n ? 1 : j == to->n ? -1 : by_name(&from->v[i], &to->v[j]);

		visit(d, order <= 0 ? &from->v[i] : NULL, order >= 0 ? &to->v[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}

static void
link_action(struct diff *d, const struct named *from, const struct named *to)
{
	if (from == NULL)
		diff_say(d, "add link %s", to->text);
	else if (to == NULL)
		diff_say(d, "remove link %s", from->text);
}

/* ---- routes ---- */

static char *
print_hops(const struct cfg_route *r)
{
	char *text = NULL, via[ADDR_TEXT];
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		return NULL;
	if (r->metric != 0)
		fprintf(to, " metric %u", r->metric);
	if (r->table != 254)
		fprintf(to, " table %u", r->table);
	for (size_t i = 0; i < r->n_hops; i++) {
		if (ip_is_set(&r->hops[i].via))
			fprintf(to, " via %s", ip_text(&r->hops[i].via, via));
		fprintf(to, " dev %s", r->hops[i].dev);
		if (r->n_hops > 1)
			fprintf(to, " weight %u", r->hops[i].weight);
	}
	fclose(to);
	return text;
}

static void
say_route(struct diff *d, const char *verb, const struct cfg_route *r)
{
	static const char *const types[] = {
		[CFG_ROUTE_UNICAST] = "",
		[CFG_ROUTE_DISCARD] = "discard ",
		[CFG_ROUTE_UNREACHABLE] = "unreachable ",
		[CFG_ROUTE_PROHIBIT] = "prohibit ",
	};
	char prefix[PREFIX_TEXT];
	char *hops = print_hops(r);

	diff_say(d, "%s route %s: %s%s%s", verb, d->to->name, types[r->type],
		prefix_text(&r->to, prefix), hops != NULL ? hops : "");
	free(hops);
}

static const struct cfg_route *
find_route(const struct cfg_node *n, const struct cfg_route *r)
{
	for (size_t i = 0; i < n->n_routes; i++)
		if (n->routes[i].table == r->table && n->routes[i].metric == r->metric &&
			prefix_equal(&n->routes[i].to, &r->to))
			return &n->routes[i];
	return NULL;
}

static bool
route_equal(const struct cfg_route *a, const struct cfg_route *b)
{
	if (a->type != b->type || a->mtu != b->mtu || !ip_equal(&a->src, &b->src) ||
		a->n_hops != b->n_hops)
		return false;
	for (size_t i = 0; i < a->n_hops; i++)
		if (!ip_equal(&a->hops[i].via, &b->hops[i].via) ||
			a->hops[i].weight != b->hops[i].weight ||
			strcmp(a->hops[i].dev, b->hops[i].dev) != 0)
			return false;
	return true;
}

static void
route_actions(struct diff *d)
{
	for (size_t i = 0; i < d->from->n_routes; i++)
		if (find_route(d->to, &d->from->routes[i]) == NULL)
			say_route(d, "remove", &d->from->routes[i]);
	for (size_t i = 0; i < d->to->n_routes; i++) {
		const struct cfg_route *was = find_route(d->from, &d->to->routes[i]);

		if (was == NULL)
			say_route(d, "add", &d->to->routes[i]);
		else if (!route_equal(was, &d->to->routes[i]))
			say_route(d, "change", &d->to->routes[i]);
	}
}

/* ---- interfaces ---- */

static bool
addresses_equal(const struct cfg_iface *a, const struct cfg_iface *b)
{
	if (a->n_addresses != b->n_addresses || !ip_equal(&a->peer, &b->peer))
		return false;
	for (size_t i = 0; i < a->n_addresses; i++)
		if (a->addresses[i].len != b->addresses[i].len ||
			!ip_equal(&a->addresses[i].addr, &b->addresses[i].addr))
			return false;
	return true;
}

static void
changed_interface(struct diff *d, const struct cfg_iface *was, const struct cfg_iface *is)
{
	const char *word = diff_node_word(d->to), *node = d->to->name;

	if (was->kind != is->kind || strcasecmp(was->target, is->target) != 0)
		diff_say(d, "change %s %s: %s is attached to %s", word, node, is->name, is->target);
	if (!addresses_equal(was, is))
		diff_say(d, "change %s %s: addresses of %s", word, node, is->name);
	if (was->mtu != is->mtu)
		diff_say(d, "change %s %s: mtu of %s from %u to %u", word, node, is->name, was->mtu,
			is->mtu);
	if (was->up != is->up)
		diff_say(d, "change %s %s: %s %s", word, node, is->name, is->up ? "up" : "down");
	if (!mac_equal(&was->mac, &is->mac))
		diff_say(d, "change %s %s: MAC address of %s", word, node, is->name);
	if (was->rp_filter != is->rp_filter || was->log_martians != is->log_martians ||
		was->proxy_arp != is->proxy_arp || was->hidden != is->hidden || strcmp(was->sourcevipa, is->sourcevipa) != 0)
		diff_say(d, "change %s %s: settings of %s", word, node, is->name);
	if (is->kind == CFG_OSA && was->kind == CFG_OSA)
		diff_sharer(d, was, is);
}

/* An interface that is the end of a link is announced with the link. */
static bool
announced(const struct cfg_iface *iface)
{
	return iface->kind == CFG_IUCV || iface->kind == CFG_CTC;
}

static void
interface_actions(struct diff *d)
{
	for (size_t i = 0; i < d->from->n_ifaces; i++) {
		const struct cfg_iface *was = &d->from->ifaces[i];

		if (config_iface(d->to, was->name) == NULL && !announced(was))
			diff_say(d, "remove interface %s:%s", d->to->name, was->name);
	}
	for (size_t i = 0; i < d->to->n_ifaces; i++) {
		const struct cfg_iface *is = &d->to->ifaces[i];
		const struct cfg_iface *was = config_iface(d->from, is->name);

		if (was != NULL)
			changed_interface(d, was, is);
		else if (!announced(is))
			diff_say(d, "add interface %s:%s", d->to->name, is->name);
	}
}

/* ---- programs, rules, tunables ---- */

static size_t
count_line(const struct cfg_node *n, const char *line, size_t before)
{
	size_t count = 0;

	for (size_t i = 0; i < before; i++)
		count += strcmp(n->run[i], line) == 0;
	return count;
}

/* Says `verb` for each line that `a` has more often than `b`. */
static void
program_actions(
	struct diff *d, const char *verb, const struct cfg_node *a, const struct cfg_node *b)
{
	for (size_t i = 0; i < a->n_run; i++)
		if (count_line(a, a->run[i], i) >= count_line(b, a->run[i], b->n_run))
			diff_say(d, "%s program in %s: %s", verb, a->name, a->run[i]);
}

static bool
rules_equal(const struct cfg_node *a, const struct cfg_node *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (size_t i = 0; i < a->n_rules; i++) {
		const struct cfg_rule *x = &a->rules[i], *y = &b->rules[i];

		if (x->priority != y->priority || x->from.len != y->from.len ||
			x->to.len != y->to.len || !ip_equal(&x->from.addr, &y->from.addr) ||
			!ip_equal(&x->to.addr, &y->to.addr) || strcmp(x->iif, y->iif) != 0 ||
			x->mark != y->mark || x->mask != y->mask || x->tos != y->tos ||
			x->table != y->table)
			return false;
	}
	return true;
}

static const struct cfg_tunable *
find_tunable(const struct cfg_tunable *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

static void
tunable_actions(struct diff *d, const char *whose, const struct cfg_tunable *from, size_t n_from,
	const struct cfg_tunable *to, size_t n_to)
{
	for (size_t i = 0; i < n_from; i++)
		if (find_tunable(to, n_to, from[i].name) == NULL)
			diff_say(d, "set tunable %s of %s to its default", from[i].name, whose);
	for (size_t i = 0; i < n_to; i++) {
		const struct cfg_tunable *was = find_tunable(from, n_from, to[i].name);

		if (was == NULL || was->value != to[i].value)
			diff_say(d, "set tunable %s of %s to %lld", to[i].name, whose,
				(long long)to[i].value);
	}
}

/* ---- nodes ---- */

static bool
made_anew(const struct cfg_node *from, const struct cfg_node *to)
{
	if (from->kind != to->kind)
		return true;
	for (size_t i = 0; i < to->n_ifaces; i++) {
		const struct cfg_iface *was = config_iface(from, to->ifaces[i].name);

		if (was != NULL && !ns_same_device(from, was, to, &to->ifaces[i]))
			return to->kind != CFG_ROUTER;
	}
	return false;
}

static void
changed_node(struct diff *d)
{
	const struct cfg_node *from = d->from, *to = d->to;

	if (made_anew(from, to)) {
		diff_say(d, "replace %s %s", diff_node_word(to), to->name);
		return;
	}
	if (from->forward != to->forward)
		diff_say(d, "change %s %s: forward %s", diff_node_word(to), to->name,
			to->forward ? "on" : "off");
	if (from->hidden != to->hidden)
		diff_say(d, "change %s %s: hidden %s", diff_node_word(to), to->name, to->hidden ? "on" : "off");
	if (from->control != to->control)
		diff_say(d, "%s control namespace of %s", to->control ? "add" : "remove", to->name);
	interface_actions(d);
	route_actions(d);
	if (!rules_equal(from, to))
		diff_say(d, "change %s %s: rules", diff_node_word(to), to->name);
	if (!config_nat_equal(from, to))
		diff_say(d, "change %s %s: hairpin, nat_addresses or balance", diff_node_word(to), to->name);
	tunable_actions(
		d, to->name, from->tunables, from->n_tunables, to->tunables, to->n_tunables);
	program_actions(d, "end", from, to);
	program_actions(d, "start", to, from);
}

static void
node_action(struct diff *d, const struct named *from, const struct named *to)
{
	if (from == NULL) {
		diff_say(d, "add %s %s", diff_node_word(to->node), to->node->name);
	} else if (to == NULL) {
		diff_say(d, "remove %s %s", diff_node_word(from->node), from->node->name);
	} else {
		d->from = from->node;
		d->to = to->node;
		changed_node(d);
	}
}

/* ---- LANs ---- */

static void
lan_actions(struct diff *d, const struct config *from, const struct config *to)
{
	for (size_t i = 0; i < from->n_lans; i++)
		if (config_lan(to, from->lans[i].name) == NULL)
			diff_say(d, "remove lan %s", from->lans[i].name);
	for (size_t i = 0; i < to->n_lans; i++) {
		const struct cfg_lan *was = config_lan(from, to->lans[i].name);

		if (was == NULL)
			diff_say(d, "add lan %s", to->lans[i].name);
		else if (was->mtu != to->lans[i].mtu)
			diff_say(d, "change lan %s: mtu from %u to %u", was->name, was->mtu,
				to->lans[i].mtu);
	}
}

json_t *
diff_actions(const struct config *from, const struct config *to)
{
	struct diff d = {.actions = json_array()};
	struct names a = node_names(from), b = node_names(to);
	struct names la = link_names(from), lb = link_names(to);

	if (d.actions != NULL) {
		tunable_actions(&d, "the fabric", from->tunables, from->n_tunables, to->tunables,
			to->n_tunables);
		lan_actions(&d, from, to);
		diff_osas(&d, from, to);
		merge(&d, &a, &b, node_action);
		merge(&d, &la, &lb, link_action);
	}
	names_free(&a);
	names_free(&b);
	names_free(&la);
	names_free(&lb);
	return d.actions;
}
