/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_line.h"
#include "fabric/control/config_reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
line_addresses(struct line *l, const char *key, const struct cfg_iface *i)
{
	bool list = i->n_addresses != 1, short_host = cfg_is_link(i) || i->kind == CFG_DUMMY;
	char text[PREFIX_TEXT];

	if (i->n_addresses == 0)
		return;
	line_key(l, key);
	fputs(list ? "[" : "", l->to);
	for (size_t n = 0; n < i->n_addresses; n++) {
		const struct ip_prefix *p = &i->addresses[n];

		fputs(n ? ", " : "", l->to);
		write_word(l->to, short_host && p->len == ip_bits(&p->addr)
					  ? ip_text(&p->addr, text)
					  : prefix_text(p, text));
	}
	fputs(list ? "]" : "", l->to);
}

static void
print_target(struct line *l, const struct cfg_iface *i)
{
	char text[OBJECT_NAME + IFACE_NAME + 1];

	if (i->kind == CFG_DUMMY) {
		line_addresses(l, "vipa", i);
		return;
	}
	snprintf(text, sizeof(text), "%s%s%s", i->target, i->far_name[0] ? "/" : "", i->far_name);
	line_word(l, cfg_kind_text(i->kind), text);
	line_addresses(l, "address", i);
}

static void
print_peer(struct line *l, const struct cfg_iface *i)
{
	struct ip_addr known;

	if (!cfg_is_link(i))
		return;
	known = cfg_default_peer(i);
	if (!ip_equal(&known, &i->peer))
		line_address(l, "peer", &i->peer);
}

static void
print_iface(struct line *l, const struct cfg_iface *i)
{
	static const char *const rp_filters[] = {"off", "strict", "loose"};
	char mac[MAC_TEXT];

	fputs("      ", l->to);
	write_word(l->to, i->name);
	fputs(": ", l->to);
	line_open(l);
	print_target(l, i);
	print_peer(l, i);
	line_number(l, "mtu", i->mtu, cfg_default_mtu(l->c, i));
	if (i->mac_given)
		line_word(l, "mac", mac_text(&i->mac, mac));
	line_bool(l, "up", i->up, true);
	if (i->rp_filter) {
		line_key(l, "rp_filter");
		fputs(rp_filters[i->rp_filter], l->to);
	}
	line_bool(l, "log_martians", i->log_martians, false);
	line_bool(l, "proxy_arp", i->proxy_arp, false);
	line_bool(l, "hidden", i->hidden, false);
	if (i->sourcevipa[0])
		line_word(l, "sourcevipa", i->sourcevipa);
	if (i->kind == CFG_OSA)
		print_sharer(l, i);
	fputs("}\n", l->to);
}

static void
print_hop(struct line *l, const struct cfg_nexthop *h)
{
	line_address(l, "via", &h->via);
	if (h->dev[0])
		line_word(l, "dev", h->dev);
	line_number(l, "weight", h->weight, 1);
}

static void
print_hops(struct line *l, const struct cfg_route *route)
{
	if (route->n_hops == 1 && route->hops->weight == 1) {
		print_hop(l, route->hops);
		return;
	}
	line_key(l, "nexthops");
	for (size_t i = 0; i < route->n_hops; i++) {
		struct line hop = {.to = l->to};

		fputs(i ? ", " : "[", l->to);
		line_open(&hop);
		print_hop(&hop, &route->hops[i]);
		fputc('}', l->to);
	}
	fputc(']', l->to);
}

static void
print_route(struct line *l, const struct cfg_route *route)
{
	static const char *const types[] = {[CFG_ROUTE_DISCARD] = "discard",
		[CFG_ROUTE_UNREACHABLE] = "unreachable",
		[CFG_ROUTE_PROHIBIT] = "prohibit"};
	bool any = route->to.len == 0 && route->to.addr.family == AF_INET;
	char to[PREFIX_TEXT];

	fputs("      - ", l->to);
	line_open(l);
	line_word(l, "to", any ? "default" : prefix_text(&route->to, to));
	if (route->type == CFG_ROUTE_UNICAST)
		print_hops(l, route);
	else
		line_bool(l, types[route->type], true, false);
	line_number(l, "metric", route->metric, 0);
	line_number(l, "table", route->table, 254);
	line_number(l, "mtu", route->mtu, 0);
	line_address(l, "src", &route->src);
	fputs("}\n", l->to);
}

static void
line_prefix(struct line *l, const char *key, const struct ip_prefix *p)
{
	char text[PREFIX_TEXT];

	if (ip_is_set(&p->addr))
		line_word(l, key, prefix_text(p, text));
}

static void
print_rule(struct line *l, const struct cfg_rule *rule)
{
	fputs("      - ", l->to);
	line_open(l);
	line_number(l, "priority", rule->priority, 0);
	line_prefix(l, "from", &rule->from);
	line_prefix(l, "to", &rule->to);
	if (rule->iif[0])
		line_word(l, "iif", rule->iif);
	if (rule->mask) {
		line_key(l, "mark");
		fprintf(l->to, "%#x/%#x", rule->mark, rule->mask);
	}
	line_number(l, "tos", rule->tos, 0);
	line_number(l, "table", rule->table, 0);
	fputs("}\n", l->to);
}

/* True when the routes are what a guest gets if its file has none. */
static bool
is_default_route(const struct cfg_node *n)
{
	const struct cfg_iface *link = cfg_default_link(n);
	const struct cfg_route *route = n->routes;

	if (!link || n->n_routes != 1 || route->n_hops != 1)
		return n->n_routes == 0 && !link;
	return route->to.len == 0 && route->metric == 0 && route->table == 254 && route->mtu == 0 &&
	       !ip_is_set(&route->src) && route->hops->weight == 1 &&
	       ip_equal(&route->hops->via, &link->peer) &&
	       strcmp(route->hops->dev, link->name) == 0 &&
	       (ip_is_set(&link->peer) || route->to.addr.family == AF_INET);
}

static void
print_tunables(FILE *to, const char *indent, const struct cfg_tunable *t, size_t n)
{
	if (n)
		fprintf(to, "%stunables:\n", indent);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%s  %s: %lld\n", indent, t[i].name, (long long)t[i].value);
}

static void
print_run(FILE *to, const struct cfg_node *n)
{
	if (n->n_run)
		fputs("    run:\n", to);
	for (size_t i = 0; i < n->n_run; i++) {
		fputs("      - ", to);
		write_word(to, n->run[i]);
		fputc('\n', to);
	}
}

/* Text that YAML gives back as it stands when each of its lines is moved to the right. */
static bool
is_block(const char *text)
{
	size_t len = strlen(text);

	if (len < 2 || text[len - 1] != '\n' || text[len - 2] == '\n' || isspace((unsigned char)text[0]))
		return false;
	for (const char *p = text; *p;) {
		if (*p == '\n')
			p++;
		else if (!is_printable(next_char(&p)))
			return false;
	}
	return true;
}

static void
print_filter(FILE *to, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(to, "    %s: ", key);
	if (!is_block(text)) {
		write_word(to, text);
		fputc('\n', to);
		return;
	}
	fputs("|\n", to);
	for (const char *end; *text; text = end + 1) {
		end = strchr(text, '\n');
		fprintf(to, "%s%.*s\n", end > text ? "      " : "", (int)(end - text), text);
	}
}

static void
print_management(struct line *l, const struct cfg_node *n)
{
	char text[PREFIX_TEXT];

	if (n->n_management == 0)
		return;
	fputs("    management: [", l->to);
	for (size_t i = 0; i < n->n_management; i++)
		fprintf(l->to, "%s%s", i ? ", " : "", prefix_text(&n->management[i], text));
	fputs("]\n", l->to);
}

static void
print_ports(struct line *l, const struct cfg_helper *h)
{
	if (h->n_ports == 1 && h->ports[0] == cfg_helper_port(h->name))
		return;
	line_key(l, "ports");
	fputc('[', l->to);
	for (size_t i = 0; i < h->n_ports; i++)
		fprintf(l->to, "%s%u", i ? ", " : "", h->ports[i]);
	fputc(']', l->to);
}

static void
print_helpers(struct line *l, const struct cfg_node *n)
{
	fputs(n->n_helpers ? "    helpers:\n" : "", l->to);
	for (size_t i = 0; i < n->n_helpers; i++) {
		fprintf(l->to, "      %s: ", n->helpers[i].name);
		line_open(l);
		print_ports(l, &n->helpers[i]);
		line_bool(l, "nat", n->helpers[i].translate, true);
		fputs("}\n", l->to);
	}
}

static void
print_node(const struct config *c, FILE *to, const struct cfg_node *n)
{
	struct line l = {.c = c, .to = to};
	bool simulated = n->kind == CFG_GUEST_SIMULATED;

	fputs("  ", to);
	write_word(to, n->name);
	fputs(":\n", to);
	fprintf(to, "%s%s%s%s", simulated ? "    simulated: true\n" : "",
		n->forward ? "    forward: true\n" : "", n->control ? "    control: true\n" : "",
		n->hidden ? "    hidden: true\n" : "");
	print_tunables(to, "    ", n->tunables, n->n_tunables);
	fputs(n->n_ifaces ? "    interfaces:\n" : "", to);
	for (size_t i = 0; i < n->n_ifaces; i++)
		print_iface(&l, &n->ifaces[i]);
	if (!is_default_route(n))
		fputs(n->n_routes ? "    routes:\n" : "    routes: []\n", to);
	for (size_t i = 0; i < n->n_routes && !is_default_route(n); i++)
		print_route(&l, &n->routes[i]);
	fputs(n->n_rules ? "    policy_rules:\n" : "", to);
	for (size_t i = 0; i < n->n_rules; i++)
		print_rule(&l, &n->rules[i]);
	print_management(&l, n);
	print_helpers(&l, n);
	cfg_print_nat(to, n);
	print_filter(to, "sets", n->filter_sets);
	print_filter(to, "rules", n->filter_rules);
	print_run(to, n);
}

static void
print_lans(const struct config *c, FILE *to)
{
	if (c->n_lans)
		fputs("lans:\n", to);
	for (size_t i = 0; i < c->n_lans; i++) {
		struct line l = {.to = to};

		fputs("  ", to);
		write_word(to, c->lans[i].name);
		fputs(": ", to);
		line_open(&l);
		line_number(&l, "mtu", c->lans[i].mtu, 1500);
		fputs("}\n", to);
	}
}

static void
print_nodes(const struct config *c, FILE *to, const char *key, size_t from, size_t end)
{
	if (from < end)
		fprintf(to, "%s:\n", key);
	for (size_t i = from; i < end; i++)
		print_node(c, to, &c->nodes[i]);
}

int
config_print(const struct config *c, FILE *to)
{
	fputs("fabric: ", to);
	write_word(to, c->fabric);
	fputc('\n', to);
	print_tunables(to, "", c->tunables, c->n_tunables);
	print_lans(c, to);
	print_osas(c, to);
	print_nodes(c, to, "routers", 0, c->n_routers);
	print_nodes(c, to, "guests", c->n_routers, c->n_nodes);
	return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}

char *
config_text(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int rc;

	if (!to)
		return NULL;
	rc = config_print(c, to);
	if (fclose(to) == 0 && rc == 0)
		return text;
	free(text);
	errno = ENOMEM;
	return NULL;
}
