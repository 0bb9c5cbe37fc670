/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live changes of adapters: what becomes of the configuration, or the sentence of the refusal. */
#include "fabric/cli/command.h"
#include "fabric/cli/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char base[] =
	"fabric: t\n"
	"lans: {ext: {}}\n"
	"osa:\n"
	"  o1: {network: ext}\n"
	"  o2: {network: ext}\n"
	"  o3: {network: ext, mode: ose, table: [{address: 192.0.2.5, owner: p/eth1}]}\n"
	"routers:\n"
	"  p:\n"
	"    interfaces:\n"
	"      eth0: {osa: o1, address: 192.0.2.2/24, router: primary, oat: {vipa: 198.51.100.1, ipato: {add: [10.1.0.0/16]}}}\n"
	"      eth1: {osa: o3, address: 192.0.2.5/24}\n"
	"      eth2: {osa: o3}\n"
	"  s:\n"
	"    interfaces:\n"
	"      eth0: {osa: o1, address: 192.0.2.3/24}\n"
	"      eth1: {osa: o2, address: 192.0.2.2/24, up: false}\n"
	"guests: {g: {interfaces: {eth0: {osa: o3}}}}\n";

struct row {
	const char *osa, *node, *iface;
	int (*change)(struct edit *e, struct cfg_iface *f);
	const char *found; /* in the text of the changed configuration */
	const char *why;   /* or: the refusal */
};

static struct ip_addr
address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static int
primary(struct edit *e, struct cfg_iface *f)
{
	return edit_set_role(e, f, NULL, OSA_PRIMARY_ROUTER);
}

static int
no_router(struct edit *e, struct cfg_iface *f)
{
	return edit_set_role(e, f, NULL, OSA_NO_ROUTER);
}

static int
secondary6(struct edit *e, struct cfg_iface *f)
{
	enum osa_protocol only = OSA_IPV6;

	return edit_set_role(e, f, &only, OSA_SECONDARY_ROUTER);
}

static int
isolate(struct edit *e, struct cfg_iface *f)
{
	return edit_set_isolation(e, f, OSA_DROP);
}

static int
online(struct edit *e, struct cfg_iface *f)
{
	return edit_set_online(e, f, true);
}

static int
offline(struct edit *e, struct cfg_iface *f)
{
	return edit_set_online(e, f, false);
}

static int
add_rxip(struct edit *e, struct cfg_iface *f)
{
	struct ip_addr a = address("10.1.1.2");

	return edit_oat_add(e, f, &a, OSA_RXIP);
}

static int
add_rxip_twice(struct edit *e, struct cfg_iface *f)
{
	int rc = add_rxip(e, f);

	return rc < 0 ? rc : add_rxip(e, f);
}

/* Normal entries are counted: two and one make one. */
static int
add_twice_del_once(struct edit *e, struct cfg_iface *f)
{
	struct ip_addr a = address("10.1.1.3");

	assert_int_equal(edit_oat_add(e, f, &a, OSA_NORMAL), 0);
	assert_int_equal(edit_oat_add(e, f, &a, OSA_NORMAL), 0);
	return edit_oat_del(e, f, &a, NULL);
}

static int
del_vipa(struct edit *e, struct cfg_iface *f)
{
	enum osa_entry kind = OSA_VIPA;
	struct ip_addr a = address("198.51.100.1");

	return edit_oat_del(e, f, &a, &kind);
}

static int
del_as_rxip(struct edit *e, struct cfg_iface *f)
{
	enum osa_entry kind = OSA_RXIP;
	struct ip_addr a = address("198.51.100.1");

	return edit_oat_del(e, f, &a, &kind);
}

static int
del_static(struct edit *e, struct cfg_iface *f)
{
	struct ip_addr a = address("192.0.2.5");

	return edit_oat_del(e, f, &a, NULL);
}

static int
ipato(struct edit *e, struct cfg_iface *f)
{
	struct ip_prefix p = prefix("10.2.0.0/16"), old = prefix("10.1.0.0/16");

	assert_int_equal(edit_ipato_add(e, f, &p), 0);
	assert_int_equal(edit_ipato_invert(e, f, OSA_IPV4), 0);
	return edit_ipato_del(e, f, &old);
}

static int
ipato_twice(struct edit *e, struct cfg_iface *f)
{
	struct ip_prefix p = prefix("10.1.0.0/16");

	return edit_ipato_add(e, f, &p);
}

static int
ipato_unknown(struct edit *e, struct cfg_iface *f)
{
	struct ip_prefix p = prefix("10.7.0.0/16");

	return edit_ipato_del(e, f, &p);
}

static int
unplug(struct edit *e, struct cfg_iface *f)
{
	return edit_set_network(e, f->target, false);
}

static int
import(struct edit *e, struct cfg_iface *f)
{
	static struct cfg_oat_static entry = {.node = "p", .iface = "eth1"};

	entry.addr = address("192.0.2.77");
	return edit_set_table(e, f->target, &entry, 1);
}

/* With its entry in the static table. */
static int
remove_guest(struct edit *e, struct cfg_iface *f)
{
	struct ip_addr a = address("192.0.2.66");
	int rc = edit_oat_add(e, f, &a, OSA_NORMAL);

	return rc < 0 ? rc : edit_remove_guest(e, "g");
}

static const struct row rows[] = {
	{"o3", "g", NULL, remove_guest, "o3: {network: ext, mode: ose, table: [\n      {address: 192.0.2.5, owner: p/eth1}]}", NULL},

	{"o1", "p", NULL, no_router, "eth0: {osa: o1, address: 192.0.2.2/24, oat:", NULL},
	{"o1", "s", NULL, primary, NULL, "Primary already defined (0xe010), held by p/eth0, expected one on a port: eth0 of s may use another port, "
		"register its addresses, or lie behind p"},
	{"o2", "s", "eth1", primary, "eth1: {osa: o2, address: 192.0.2.2/24, up: false, router: primary}", NULL},
	{"o1", "s", NULL, secondary6, "router: {ipv4: none, ipv6: secondary}", NULL},
	{"o3", "p", "eth1", primary, NULL, "roles on adapter o3 are static: its mode is ose, where they change with its configuration "
		"('rookery apply')"},
	{"o1", "s", NULL, isolate, "eth0: {osa: o1, address: 192.0.2.3/24, isolation: drop}", NULL},
	{"o2", "s", NULL, online, NULL, "192.0.2.2: IP address already in use on LAN (0xe00a), held by p/eth0, expected it once, or takeover of it by "
		"'ipato'"},
	{"o1", "p", NULL, offline, "address: 192.0.2.2/24, up: false, router: primary", NULL},
	{"o1", "s", NULL, add_rxip, "oat: {rxip: [10.1.1.2]}", NULL},
	{"o1", "S", NULL, add_rxip_twice, NULL, "10.1.1.2 is there already as rxip of s:eth0"},
	{"o1", "s", NULL, add_twice_del_once, "oat: {add: [10.1.1.3]}", NULL},
	{"o1", "p", NULL, del_vipa, "router: primary, oat: {ipato: {add: [10.1.0.0/16]}}", NULL},
	{"o1", "p", NULL, del_as_rxip, NULL, "198.51.100.1 is no entry that was added to p:eth0 as rxip"},
	{"o3", "p", "eth2", add_rxip, "{address: 10.1.1.2, owner: p/eth2}", NULL},
	{"o3", "p", "eth1", del_static, "o3: {network: ext, mode: ose}", NULL},
	{"o3", "p", "eth2", del_static, NULL, "192.0.2.5 is not in the table of adapter o3 as an address of p:eth2"},
	{"o3", "p", "eth1", import, "{address: 192.0.2.77, owner: p/eth1}]", NULL},
	{"o1", "p", NULL, import, NULL, "adapter o1 has no static table: its mode is qdio, expected ose"},
	{"o1", "p", NULL, ipato, "ipato: {invert4: true, add: [10.2.0.0/16]}", NULL},
	{"o1", "p", NULL, ipato_twice, NULL, "10.1.0.0/16 is there already for takeover by p:eth0"},
	{"o1", "p", NULL, ipato_unknown, NULL, "10.7.0.0/16 is not there for takeover by p:eth0"},
	{"o1", "p", NULL, unplug, "o1: {network: ext, state: down}", NULL},
	{"o3", "p", NULL, isolate, NULL, "p has several interfaces on adapter o3; say which: --interface eth1"},
	{"o2", "p", NULL, isolate, NULL, "p is not on adapter o2"},
	{"o2", "s", "eth7", isolate, NULL, "s:eth7 is not on adapter o2"},
	{"o9", "s", NULL, isolate, NULL, "there is no adapter 'o9'"},
};

static struct config *
read_text(const char *text)
{
	struct cfg_errors errs;
	struct config *c = NULL;
	int rc = config_read(text, strlen(text), "text", &c, &errs);

	for (size_t i = 0; i < errs.n; i++)
		print_error("%s\n", errs.text[i]);
	assert_int_equal(rc, 0);
	cfg_errors_free(&errs);
	return c;
}

/* What was changed is read again, as the keeper does, and is what it says. */
static void
check_row(const struct row *r)
{
	struct config *c = read_text(base), *again;
	struct cfg_iface *f;
	struct edit e;
	char *text;
	int rc;

	edit_begin(&e, c);
	f = edit_sharer(&e, r->osa, r->node, r->iface);
	rc = f ? r->change(&e, f) : -1;
	if (r->why) {
		assert_true(rc < 0);
		assert_string_equal(e.why, r->why);
	} else {
		assert_int_equal(rc, 0);
		text = config_text(c);
		if (!strstr(text, r->found))
			print_error("not found: %s\nin %s\n", r->found, text);
		assert_non_null(strstr(text, r->found));
		again = read_text(text);
		config_free(again);
		free(text);
	}
	config_free(c);
	edit_end(&e);
}

static void
test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* The commands of adapters, as the parser takes them. */
static void
test_lines(void **state)
{
	static const struct {
		const char *line;
		const char *error; /* NULL: good */
	} lines[] = {
		{"show osa", NULL},
		{"show oat o1 --drops --json", NULL},
		{"oat add o1 p 10.1.1.2 --kind rxip", NULL},
		{"oat add o1 p 10.1.1", "ADDRESS: '10.1.1' is not an address, such as 10.0.0.2"},
		{"oat add o1 p 10.1.1.2 --kind proxy", "kind: 'proxy' is not one of address|vipa|rxip"},
		{"oat import o1", "FILE is missing"},
		{"osa o1 role p primary_router -p ipv4", NULL},
		{"osa o1 unplug", NULL},
		{"osa o1 rule p primary", "WHAT: 'rule' is not one of role|isolation|online|offline|plug|unplug"},
		{"qethconf vipa add 10.1.1.1 p:eth0", NULL},
		{"qethconf ipa inv4 p:eth0", NULL},
		{"qethconf list_all", NULL},
		{"qethconf arp list", "TYPE: 'arp' is not one of ipa|vipa|parp|rxip|list_all"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[128], *argv[16] = {"rookery"};
		struct parsed p;
		int argc = 1;

		snprintf(text, sizeof(text), "%s", lines[i].line);
		for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
			argv[argc++] = word;
		if (command_parse(commands, argc, argv, &p) < 0)
			assert_string_equal(p.error, lines[i].error ? lines[i].error : "(good)");
		else
			assert_null(lines[i].error);
		parsed_free(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
