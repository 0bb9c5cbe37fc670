/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration reader and printer. The golden files carry most of it: those in
 * tests/golden/good and in configs read, print, and read again to the same; those in
 * tests/golden/bad end with exactly the errors that their first lines expect ("# expect:
 * LINE:COLUMN: message"). Run from the root of the tree.
 */
#include "fabric/control/config.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { EXPECT_MAX = CFG_ERRORS_MAX };

static void
print_errors(const struct cfg_errors *e)
{
	for (size_t i = 0; i < e->n; i++)
		print_message("  %s\n", e->text[i]);
}

static struct config *
must_read(const char *text)
{
	struct cfg_errors errs;
	struct config *c = NULL;

	if (config_read(text, strlen(text), "text", &c, &errs) < 0)
		print_errors(&errs);
	assert_int_equal(errs.n, 0);
	cfg_errors_free(&errs);
	assert_non_null(c);
	return c;
}

static void
assert_same_nodes(const struct config *a, const struct config *b)
{
	assert_int_equal(a->n_nodes, b->n_nodes);
	assert_int_equal(a->n_routers, b->n_routers);
	for (size_t i = 0; i < a->n_nodes; i++) {
		if (!config_node_equal(&a->nodes[i], &b->nodes[i]))
			fail_msg("%s: node %s is not the same after printing", a->origin,
				a->nodes[i].name);
		assert_int_equal(a->nodes[i].n_run, b->nodes[i].n_run);
		for (size_t k = 0; k < a->nodes[i].n_run; k++)
			assert_string_equal(a->nodes[i].run[k], b->nodes[i].run[k]);
	}
}

static void
assert_same_objects(const struct config *a, const struct config *b)
{
	assert_string_equal(a->fabric, b->fabric);
	assert_int_equal(a->n_lans, b->n_lans);
	for (size_t i = 0; i < a->n_lans; i++) {
		assert_string_equal(a->lans[i].name, b->lans[i].name);
		assert_int_equal(a->lans[i].mtu, b->lans[i].mtu);
	}
	assert_int_equal(a->n_osas, b->n_osas);
	for (size_t i = 0; i < a->n_osas; i++) {
		if (!config_osa_equal(&a->osas[i], &b->osas[i]))
			fail_msg("%s: adapter %s is not the same after printing", a->origin, a->osas[i].name);
	}
	assert_int_equal(a->n_tunables, b->n_tunables);
	for (size_t i = 0; i < a->n_tunables; i++) {
		assert_string_equal(a->tunables[i].name, b->tunables[i].name);
		assert_int_equal(a->tunables[i].value, b->tunables[i].value);
	}
}

static void
check_round_trip(const struct config *c)
{
	char *first = config_text(c), *second;
	struct config *again;

	assert_non_null(first);
	again = must_read(first);
	assert_same_nodes(c, again);
	assert_same_objects(c, again);
	second = config_text(again);
	assert_string_equal(first, second);
	free(first);
	free(second);
	config_free(again);
}

static void
check_good(const char *path)
{
	struct cfg_errors errs;
	struct config *c;
	int rc = config_load(path, &c, &errs);

	print_errors(&errs);
	assert_int_equal(rc, 0);
	check_round_trip(c);
	config_free(c);
	cfg_errors_free(&errs);
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static char *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(f);
	*len = (size_t)getdelim(&text, &size, EOF, f);
	fclose(f);
	return text;
}

/* => the number of messages in the lines at the top, which are cut out of `text`. */
static size_t
expectations(char *text, const char *expect[EXPECT_MAX])
{
	static const char mark[] = "# expect: ";
	size_t n = 0;

	while (strncmp(text, mark, sizeof(mark) - 1) == 0) {
		char *end = strchr(text, '\n');

		assert_non_null(end);
		assert_true(n < EXPECT_MAX);
		*end = '\0';
		expect[n++] = text + sizeof(mark) - 1;
		text = end + 1;
	}
	return n;
}

static void
check_bad(const char *path)
{
	const char *base = strrchr(path, '/') + 1, *expect[EXPECT_MAX];
	struct cfg_errors errs;
	struct config *c;
	char line[2048];
	size_t len, n;
	char *text = slurp(path, &len);

	assert_int_equal(config_read(text, len, base, &c, &errs), -EINVAL);
	assert_null(c);
	n = expectations(text, expect);
	if (errs.n != n)
		print_errors(&errs);
	assert_int_equal(errs.n, n);
	assert_int_equal(errs.total, n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "%s:%s", base, expect[i]);
		assert_string_equal(errs.text[i], line);
	}
	cfg_errors_free(&errs);
	free(text);
}

static int
is_yaml(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0;
}

static int
each_file(const char *dir, void (*check)(const char *path))
{
	struct dirent **list;
	int n = scandir(dir, &list, is_yaml, alphasort);
	char path[512];

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		print_message("%s\n", path);
		check(path);
		free(list[i]);
	}
	free(list);
	return n;
}

static void
test_golden_good(void **state)
{
	(void)state;
	each_file("tests/golden/good", check_good);
	assert_true(each_file("configs", check_good) >= 5);
}

static void
test_golden_bad(void **state)
{
	(void)state;
	assert_true(each_file("tests/golden/bad", check_bad) >= 45);
}

/* Warnings refuse nothing, and printing keeps them true. */
static void
check_warned(const char *path)
{
	const char *base = strrchr(path, '/') + 1, *expect[EXPECT_MAX];
	struct cfg_errors errs;
	struct config *c;
	char line[2048];
	size_t len, n;
	char *text = slurp(path, &len);

	assert_int_equal(config_read(text, len, base, &c, &errs), 0);
	n = expectations(text, expect);
	assert_int_equal(c->n_warnings, n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "%s:%s", base, expect[i]);
		assert_string_equal(c->warnings[i], line);
	}
	check_round_trip(c);
	config_free(c);
	cfg_errors_free(&errs);
	free(text);
}

static void
test_golden_warn(void **state)
{
	(void)state;
	assert_true(each_file("tests/golden/warn", check_warned) >= 3);
}

/* A table file: found beside the configuration, its lines told by their number, and never from a text alone. */
static void
test_table_file(void **state)
{
	static const char yaml[] = "fabric: t\nlans: {ext: }\nosa: {o1: {network: ext, mode: ose, table: office.oat}}\n"
		"routers: {p: {interfaces: {eth0: {osa: o1, address: 192.0.2.2/24}}}}\n";
	static const struct {
		const char *table, *expect; /* NULL: good, with two entries */
	} rows[] = {
		{"* an OAT\n192.0.2.2 p\n\n  192.0.2.3\tP  eth0 # behind it\n;end", NULL},
		{"192.0.2.2 p\n192.0.2.3", "3:44: line 2 of office.oat is no entry, expected ADDRESS NODE [INTERFACE]"},
		{"192.0.2 p", "3:44: line 1 of office.oat is no entry, expected ADDRESS NODE [INTERFACE]"},
		{"192.0.2.2 p eth0 eth1", "3:44: line 1 of office.oat is no entry, expected ADDRESS NODE [INTERFACE]"},
		{"192.0.2.2 q", "3:44: there is no router or guest 'q', expected one of them"},
	};
	char dir[] = "/tmp/rookery-table-XXXXXX", path[64], oat[64], line[256];
	struct cfg_errors errs;
	struct config *c;

	(void)state;
	assert_int_equal(config_read(yaml, strlen(yaml), "text", &c, &errs), -EINVAL);
	assert_string_equal(errs.text[0], "text:3:44: office.oat cannot be read (this text is in no file), expected the entries "
		"themselves, or a file beside the configuration");
	cfg_errors_free(&errs);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.yaml", dir);
	snprintf(oat, sizeof(oat), "%s/office.oat", dir);
	write_text(path, yaml);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_text(oat, rows[i].table);
		assert_int_equal(config_load(path, &c, &errs), rows[i].expect ? -EINVAL : 0);
		if (rows[i].expect) {
			snprintf(line, sizeof(line), "%s:%s", path, rows[i].expect);
			assert_string_equal(errs.text[0], line);
		} else {
			assert_int_equal(c->osas[0].n_table, 2);
			assert_true(c->osas[0].table_file);
			assert_string_equal(c->osas[0].table[1].iface, "eth0");
			check_round_trip(c);
			config_free(c);
		}
		cfg_errors_free(&errs);
	}
	unlink(oat);
	unlink(path);
	rmdir(dir);
}

static const char completed[] =
	"fabric: t\n"
	"lans: {office: {mtu: 1400}, wide: {mtu: 9000}}\n"
	"osa: {osa0: {network: wide}, osa1: {network: office}}\n"
	"routers:\n"
	"  R1:\n"
	"    interfaces:\n"
	"      eth0: {osa: osa0, address: 10.0.0.1/24}\n"
	"      eth1: {osa: osa1, address: 10.1.0.1/24}\n"
	"      eth2: {lan: wide, address: 10.2.0.1/24}\n"
	"      i0: {iucv: G1, address: 10.3.0.1}\n"
	"      c0: {ctc: g1, address: 10.4.0.1}\n"
	"      i1: {iucv: g2, address: [10.5.0.1, 10.5.0.3]}\n"
	"    routes:\n"
	"      - {to: 10.9.0.0/16, via: 10.3.0.2}\n"
	"      - {to: 10.8.0.0/16, via: 10.1.0.9}\n"
	"guests:\n"
	"  g1:\n"
	"    interfaces: {i0: {iucv: r1, address: 10.3.0.2}, c0: {ctc: r1, address: 10.4.0.2}}\n"
	"  g2: {simulated: true, interfaces: {i0: {iucv: r1, address: 10.5.0.2, peer: 10.5.0.3}}}\n";

/* What the file leaves out: MTU by kind, peers, far ends, next hop interfaces. */
static void
test_completion(void **state)
{
	static const struct {
		const char *node, *iface, *far_node, *far_iface, *peer;
		uint32_t mtu;
	} rows[] = {
		{"r1", "eth0", NULL, NULL, "-", 1492},
		{"r1", "eth1", NULL, NULL, "-", 1400},
		{"r1", "eth2", NULL, NULL, "-", 9000},
		{"r1", "i0", "g1", "i0", "10.3.0.2", 9216},
		{"r1", "c0", "g1", "c0", "10.4.0.2", 1500},
		{"r1", "i1", "g2", "i0", "10.5.0.2", 9216},
		{"G1", "i0", "R1", "i0", "10.3.0.1", 9216},
		{"g2", "i0", "R1", "i1", "10.5.0.3", 9216},
	};
	struct config *c = must_read(completed);
	char text[ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cfg_iface *f =
			config_iface(config_node(c, rows[i].node), rows[i].iface);

		assert_non_null(f);
		assert_int_equal(f->mtu, rows[i].mtu);
		assert_string_equal(ip_text(&f->peer, text), rows[i].peer);
		assert_int_equal(f->far != NULL, rows[i].far_node != NULL);
		if (!f->far)
			continue;
		assert_string_equal(f->far->node->name, rows[i].far_node);
		assert_string_equal(f->target, rows[i].far_node);
		assert_string_equal(f->far->name, rows[i].far_iface);
		assert_ptr_equal(f->far->far, f);
	}
	assert_string_equal(config_node(c, "r1")->routes[0].hops[0].dev, "i0");
	assert_string_equal(config_node(c, "r1")->routes[1].hops[0].dev, "eth1");
	config_free(c);
}

static void
test_default_route(void **state)
{
	struct config *c = must_read(completed);
	const struct cfg_node *one = config_node(c, "g2"), *two = config_node(c, "g1");
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(two->n_routes, 0);
	assert_int_equal(one->n_routes, 1);
	assert_int_equal(one->routes[0].to.len, 0);
	assert_int_equal(one->routes[0].table, 254);
	assert_string_equal(ip_text(&one->routes[0].hops[0].via, text), "10.5.0.3");
	assert_string_equal(one->routes[0].hops[0].dev, "i0");
	config_free(c);
}

static void
test_derived_mac(void **state)
{
	struct config *a = must_read(completed), *b = must_read(completed);
	const struct cfg_node *r = config_node(a, "r1"), *same = config_node(b, "R1");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(r->ifaces[i].mac.b[0], 0x02);
		assert_false(r->ifaces[i].mac_given);
		assert_true(mac_equal(&r->ifaces[i].mac, &same->ifaces[i].mac));
		assert_false(mac_equal(&r->ifaces[i].mac, &r->ifaces[(i + 1) % 3].mac));
	}
	config_free(a);
	config_free(b);
}

static void
test_lookup(void **state)
{
	struct config *c = must_read(completed);

	(void)state;
	assert_ptr_equal(config_node(c, "R1"), &c->nodes[0]);
	assert_ptr_equal(config_node(c, "r1"), &c->nodes[0]);
	assert_null(config_node(c, "r2"));
	assert_null(config_node(c, ""));
	assert_null(config_node(c, "r1xxxxxxxxxxxx"));
	assert_null(config_iface(&c->nodes[0], "eth9"));
	assert_string_equal(config_lan(c, "wide")->name, "wide");
	assert_null(config_lan(c, "WIDE"));
	assert_string_equal(config_osa(c, "osa1")->name, "osa1");
	assert_null(config_osa(c, "wide"));
	config_free(c);
	config_free(NULL);
}

/* Each pair: router r1 with these keys, and with those. */
#define IFACE(keys) "interfaces: {eth0: {lan: office, address: 10.0.0.1/24" keys "}}"
#define ROUTE(keys) IFACE("") ", routes: [{to: 10.9.0.0/16" keys "}]"
#define LINKS "interfaces: {i0: {iucv: g1, address: 10.0.0.1}, i1: {iucv: g1, address: 10.0.0.2}}"
static const struct {
	const char *a, *b;
	bool equal;
} pairs[] = {
	{IFACE(""), IFACE(""), true},
	{IFACE(""), IFACE(", mtu: 1500, up: true, rp_filter: off"), true},
	{IFACE(""), "forward: true, " IFACE(""), false},
	{IFACE(""), "control: true, " IFACE(""), false},
	{IFACE(""), "tunables: {arp_queue: 5}, " IFACE(""), false},
	{"tunables: {arp_queue: 6}, " IFACE(""), "tunables: {arp_queue: 5}, " IFACE(""), false},
	{IFACE(""), IFACE(", mtu: 1400"), false},
	{IFACE(""), IFACE(", up: false"), false},
	{IFACE(""), IFACE(", rp_filter: 1"), false},
	{IFACE(""), IFACE(", log_martians: true"), false},
	{IFACE(""), IFACE(", proxy_arp: true"), false},
	{IFACE(""), IFACE(", mac: \"02:00:00:00:00:07\""), false},
	{IFACE(""), "interfaces: {eth1: {lan: office, address: 10.0.0.1/24}}", false},
	{IFACE(""), "interfaces: {eth0: {lan: office, address: 10.0.0.2/24}}", false},
	{IFACE(""), "interfaces: {eth0: {lan: office, address: [10.0.0.1/24, 10.0.0.2/24]}}",
		false},
	{IFACE(""), "interfaces: {eth0: {lan: back, address: 10.0.0.1/24}}", false},
	{IFACE(""), "interfaces: {}", false},
	{IFACE(""), "interfaces: {eth0: {vipa: 10.0.0.1/24}}", false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", via: 10.0.0.2, dev: eth0, metric: 0, table: 254"),
		true},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", nexthops: [{via: 10.0.0.2}]"), true},
	{ROUTE(", via: 10.0.0.2"), IFACE(""), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", via: 10.0.0.3"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", dev: eth0"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", discard: true"), false},
	{ROUTE(", prohibit: true"), ROUTE(", discard: true"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", via: 10.0.0.2, metric: 1"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", via: 10.0.0.2, table: 1"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", via: 10.0.0.2, mtu: 1000"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", via: 10.0.0.2, src: 10.0.0.1"), false},
	{ROUTE(", via: 10.0.0.2"), ROUTE(", nexthops: [{via: 10.0.0.2, weight: 2}]"), false},
	{"policy_rules: [{priority: 1, table: 5}]", "policy_rules: [{priority: 1, table: 5}]", true},
	{"policy_rules: [{priority: 1, table: 5}]", "policy_rules: [{priority: 2, table: 5}]", false},
	{"policy_rules: [{priority: 1, table: 5}]", "policy_rules: [{priority: 1, table: 5, mark: 0/1}]", false},
	{"policy_rules: [{priority: 1, table: 5}]", "policy_rules: [{priority: 1, table: 5, from: 10.0.0.0/8}]",
		false},
	{LINKS, LINKS, true},
	{LINKS, "interfaces: {i0: {iucv: g1/i1, address: 10.0.0.1}, i1: {iucv: g1, address: 10.0.0.2}}",
		false},
};

static void
test_node_equal(void **state)
{
	static const char frame[] =
		"{fabric: t, lans: {office: {}, back: {}}, routers: {r1: {%s}}, guests: {g1: {interfaces: "
		"{i0: {iucv: r1}, i1: {iucv: r1}}}}}";
	static const char bare[] = "{fabric: t, lans: {office: {}, back: {}}, routers: {r1: {%s}}}";

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		bool links = strstr(pairs[i].a, "iucv") != NULL;
		char a[1024], b[1024];
		struct config *ca, *cb;

		snprintf(a, sizeof(a), links ? frame : bare, pairs[i].a);
		snprintf(b, sizeof(b), links ? frame : bare, pairs[i].b);
		ca = must_read(a);
		cb = must_read(b);
		if (config_node_equal(&ca->nodes[0], &cb->nodes[0]) != pairs[i].equal)
			fail_msg("row %zu: %s | %s", i, pairs[i].a, pairs[i].b);
		config_free(ca);
		config_free(cb);
	}
}

/* More errors than are kept: the first ones of the file, in its order, and the number of all. */
static void
test_many_errors(void **state)
{
	char text[4096] = "fabric: t\nguests:\n", line[64];
	struct cfg_errors errs;
	struct config *c;

	(void)state;
	for (int i = 0; i < 70; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"  g%d: {interfaces: {i: {iucv: x}}}\n", i);
	assert_int_equal(config_read(text, strlen(text), "many.yaml", &c, &errs), -EINVAL);
	assert_int_equal(errs.n, CFG_ERRORS_MAX);
	assert_int_equal(errs.total, 70);
	for (size_t i = 0; i < errs.n; i++) {
		snprintf(line, sizeof(line), "many.yaml:%zu:", i + 3);
		assert_memory_equal(errs.text[i], line, strlen(line));
	}
	cfg_errors_free(&errs);
}

/* 1024 addresses on an interface are taken, 1025 are not. */
static void
test_many_addresses(void **state)
{
	static const char expect[] = "f:2:38: d has 1025 addresses, expected at most 1024";
	struct cfg_errors errs;
	struct config *c;
	char *text;
	size_t len;

	(void)state;
	for (int n = 1024; n <= 1025; n++) {
		FILE *f = open_memstream(&text, &len);

		fprintf(f, "fabric: t\nguests: {g1: {interfaces: {d: {vipa: [10.1.0.1");
		for (int i = 1; i < n; i++)
			fprintf(f, ", 10.0.%d.%d", i / 256, i % 256);
		fprintf(f, "]}}}}\n");
		fclose(f);
		assert_int_equal(config_read(text, len, "f", &c, &errs), n > 1024 ? -EINVAL : 0);
		assert_int_equal(errs.n, n > 1024);
		if (errs.n)
			assert_string_equal(errs.text[0], expect);
		cfg_errors_free(&errs);
		config_free(c);
		free(text);
	}
}

/* An error that is found late and stands early pushes out the last one. */
static void
test_late_error_first(void **state)
{
	char text[8192] = "fabric: t\nguests:\n  a: {interfaces: {i: {iucv: b}}}\n  b: {}\n";
	struct cfg_errors errs;
	struct config *c;

	(void)state;
	for (int i = 0; i < 60; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"  c%d: {forward: perhaps}\n", i);
	assert_int_equal(config_read(text, strlen(text), "f", &c, &errs), -EINVAL);
	assert_int_equal(errs.total, 61);
	assert_string_equal(errs.text[0],
		"f:3:30: i of a has no other end, expected an interface of b with 'iucv: a'");
	assert_string_equal(
		errs.text[1], "f:5:17: 'perhaps' is no value of forward, expected true or false");
	cfg_errors_free(&errs);
}

static void
test_load_errors(void **state)
{
	static const struct {
		const char *path, *text;
		int rc;
	} rows[] = {
		{"tests/golden/none.yaml",
			"tests/golden/none.yaml:1:1: No such file or directory, expected a readable file",
			-ENOENT},
		{"tests/golden", "tests/golden:1:1: Is a directory, expected a readable file",
			-EISDIR},
		{"/dev/zero",
			"/dev/zero:1:1: the text is more than 64 MB long, expected at most that",
			-EINVAL},
		{"/dev/null",
			"/dev/null:1:1: the configuration is empty, expected 'fabric: NAME' and more",
			-EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cfg_errors errs;
		struct config *c;

		assert_int_equal(config_load(rows[i].path, &c, &errs), rows[i].rc);
		assert_null(c);
		assert_int_equal(errs.n, 1);
		assert_string_equal(errs.text[0], rows[i].text);
		cfg_errors_free(&errs);
	}
}

static void
test_print_errors(void **state)
{
	struct config *c = must_read(completed);
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_int_equal(config_print(c, full), -EIO);
	fclose(full);
	config_free(c);
}

/* Two hundred routers in a ring with a guest each: order, lookup and print at some size. */
static void
test_ring(void **state)
{
	enum { N = 200 };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct config *c;

	(void)state;
	fprintf(f, "fabric: ring\nrouters:\n");
	for (int i = 0; i < N; i++)
		fprintf(f,
			"  r%d: {interfaces: {up: {iucv: r%d/down, address: 10.0.%d.1}, down: {iucv: r%d/up, "
			"address: 10.1.%d.1}, g: {ctc: g%d, address: 10.2.%d.1}}}\n",
			i, (i + 1) % N, i, (i + N - 1) % N, i, i, i);
	fprintf(f, "guests:\n");
	for (int i = 0; i < N; i++)
		fprintf(f,
			"  g%d: {simulated: true, interfaces: {c: {ctc: R%d, address: 10.3.%d.1}}}\n",
			i, i, i);
	fclose(f);
	c = must_read(text);
	assert_int_equal(c->n_routers, N);
	for (int i = 0; i < N; i++) {
		assert_ptr_equal(c->nodes[i].ifaces[0].far, &c->nodes[(i + 1) % N].ifaces[1]);
		assert_ptr_equal(c->nodes[i].ifaces[2].far, &c->nodes[N + i].ifaces[0]);
	}
	check_round_trip(c);
	config_free(c);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_good),
		cmocka_unit_test(test_golden_bad),
		cmocka_unit_test(test_golden_warn),
		cmocka_unit_test(test_table_file),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_default_route),
		cmocka_unit_test(test_derived_mac),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_node_equal),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_late_error_first),
		cmocka_unit_test(test_load_errors),
		cmocka_unit_test(test_print_errors),
		cmocka_unit_test(test_ring),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
