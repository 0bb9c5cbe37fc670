/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapters across changes of the configuration: who registers what, who moves, what an operator does live. Each configuration is reached from
 * each other one, and must come out the same.
 *
 *	w ── iucv0 ┌───┐ eth0 ──┐
 *	    dummy0 │ p │        ├─ o1 ── LAN ext ── o2
 *	           └───┘     ┌──┤
 *	    s ─── eth0 ──────┘  └── eth0 ─── g
 */
#include "fabric/control/wire.h"
#include "fabric/engine/osa.h"
#include "tests/unit/support/ports.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFERS = 4096 };

static struct engine e;

static const char text_of[] =
	"fabric: test\n"
	"lans: {ext: {}}\n"
	"osa: {%s}\n"
	"routers:\n"
	"  p: {forward: true, interfaces: {%s, dummy0: {vipa: 198.51.100.1}, iucv0: {iucv: w, address: 10.1.1.1%s}}}\n"
	"  s: {forward: true, interfaces: {%s}}\n"
	"guests:\n"
	"  w: {simulated: true, interfaces: {iucv0: {iucv: p, address: 10.1.1.2}}}\n"
	"%s";

static const char both[] = "o1: {network: ext}, o2: {network: ext}";
static const char guest[] = "  g: {simulated: true, interfaces: {eth0: {osa: o1, address: 192.0.2.4/24}}}\n";
static const char p_own[] = "eth0: {osa: o1, address: 192.0.2.2/24}", s_own[] = "eth0: {osa: o1, address: 192.0.2.3/24}";

static const struct variant {
	const char *osas, *p, *link, *s, *guests;
	const char *o1, *o2, *router; /* entries as "ADDRESS=OWNER ...", sorted by address; who is elected for IPv4 on o1 */
} variants[] = {
	{both, p_own, "", s_own, guest, "192.0.2.2=p/eth0 192.0.2.3=s/eth0 192.0.2.4=g/eth0", "", ""},
	{both, "eth0: {osa: o1, address: 192.0.2.2/24, oat: {register: stack}}", "", s_own, guest,
		"10.1.1.1=p/eth0 192.0.2.2=p/eth0 192.0.2.3=s/eth0 192.0.2.4=g/eth0 198.51.100.1=p/eth0", "", ""},
	{both, "eth0: {osa: o1, address: 192.0.2.2/24, oat: {register: none, links: true, rxip: [192.168.7.7]}}", "", s_own, "",
		"10.1.1.2=p/eth0 192.0.2.3=s/eth0 192.168.7.7=p/eth0", "", ""},
	{both, "eth0: {osa: o1, address: 192.0.2.2/24, oat: {links: true}}", ", up: false", s_own, "",
		"192.0.2.2=p/eth0 192.0.2.3=s/eth0", "", ""},
	{both, p_own, "", "eth0: {osa: o2, address: 192.0.2.3/24}", guest, "192.0.2.2=p/eth0 192.0.2.4=g/eth0", "192.0.2.3=s/eth0", ""},
	{both, p_own, "", "eth0: {osa: o1, address: 192.0.2.2/24, up: false}", guest, "192.0.2.2=p/eth0 192.0.2.4=g/eth0", "", ""},
	/* the address has gone from p to s */
	{both, "eth0: {osa: o1, address: 192.0.2.9/24}", "", "eth0: {osa: o1, address: 192.0.2.2/24}", "",
		"192.0.2.2=s/eth0 192.0.2.9=p/eth0", "", ""},
	{both, "eth0: {osa: o1, address: 192.0.2.2/24, router: primary}", "",
		"eth0: {osa: o1, address: 192.0.2.3/24, router: secondary}", "", "192.0.2.2=p/eth0 192.0.2.3=s/eth0", "", "p/eth0"},
	{both, "eth0: {osa: o1, address: 192.0.2.2/24, router: primary, up: false}", "",
		"eth0: {osa: o1, address: 192.0.2.3/24, router: secondary}", "", "192.0.2.3=s/eth0", "", "s/eth0"},
	{both, "eth0: {osa: o1, address: 192.0.2.2/24}", "", "eth0: {osa: o1, address: 192.0.2.3/24, router: primary}", "",
		"192.0.2.2=p/eth0 192.0.2.3=s/eth0", "", "s/eth0"},
	{"o1: {network: ext, mode: ose, table: [{address: 192.0.2.77, owner: s}]}", p_own, "", s_own, guest, "192.0.2.77=s/eth0", "", ""},
	{"o1: {network: ext}", p_own, "", s_own, guest, "192.0.2.2=p/eth0 192.0.2.3=s/eth0 192.0.2.4=g/eth0", "", ""},
	{"o1: {network: ext, layer: 2}", p_own, "", s_own, guest, "192.0.2.2=p/eth0 192.0.2.3=s/eth0 192.0.2.4=g/eth0", "", ""},
	{"o1: {devargs: net_null_osa}", p_own, "", s_own, guest, "192.0.2.2=p/eth0 192.0.2.3=s/eth0 192.0.2.4=g/eth0", "", ""},
};

enum { VARIANTS = sizeof(variants) / sizeof(variants[0]) };

static void
apply(const struct variant *v)
{
	char text[4096], why[256] = "";
	struct offers none = {0};
	struct cfg_errors errors;
	struct config *c;

	snprintf(text, sizeof(text), text_of, v->osas, v->p, v->link, v->s, v->guests);
	if (config_read(text, strlen(text), "test", &c, &errors) < 0)
		fail_msg("%s", errors.n ? errors.text[0] : "?");
	cfg_errors_free(&errors);
	if (publish(&e, c, NULL, 1, &none, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static int
setup(void **state)
{
	(void)state;
	if (!ports_eal() || engine_init(&e, 1, BUFFERS) < 0 || engine_start(&e) < 0)
		return -1;
	apply(&variants[0]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	engine_fini(&e);
	return 0;
}

static const struct adapter *
adapter_named(const char *name)
{
	const struct placed_osa *o = placed_osa(e.placement, name);

	return o ? o->adapter : NULL;
}

static int
by_address(const void *x, const void *y)
{
	const struct oat_entry *a = x, *b = y;

	return memcmp(&a->addr.v4, &b->addr.v4, 4);
}

/* "192.0.2.2=p/eth0 ..." */
static const char *
table_of(const char *name, char *buf, size_t size)
{
	const struct adapter *a = adapter_named(name);
	const struct oat_entry *entries;
	struct oat_entry *sorted;
	size_t n = 0, used = 0;

	buf[0] = '\0';
	if (!a)
		return buf;
	slow_lock(&e.control);
	entries = oat_entries(a->oat, &n);
	sorted = calloc(n + 1, sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i] = entries[i];
	qsort(sorted, n, sizeof(*sorted), by_address);
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT];

		used += (size_t)snprintf(buf + used, size - used, "%s%s=%s", used ? " " : "", ip_text(&sorted[i].addr, text),
			a->sharers[sorted[i].sharer]->name);
	}
	slow_unlock(&e.control);
	free(sorted);
	return buf;
}

static const char *
elected(const char *name)
{
	const struct adapter *a = adapter_named(name);

	return a->elected[OSA_IPV4] == SHARER_NONE ? "" : a->sharers[a->elected[OSA_IPV4]]->name;
}

static void
check(const struct variant *v, const struct variant *from)
{
	char table[1024];

	if (strcmp(table_of("o1", table, sizeof(table)), v->o1) != 0)
		fail_msg("variant %td after %td: o1 has %s", v - variants, from - variants, table);
	if (strcmp(table_of("o2", table, sizeof(table)), v->o2) != 0)
		fail_msg("variant %td after %td: o2 has %s", v - variants, from - variants, table);
	if (strcmp(elected("o1"), v->router) != 0)
		fail_msg("variant %td after %td: the router is %s", v - variants, from - variants, elected("o1"));
}

static void
every_change(void **state)
{
	(void)state;
	for (int from = 0; from < VARIANTS; from++) {
		for (int to = 0; to < VARIANTS; to++) {
			apply(&variants[from]);
			check(&variants[from], &variants[from]);
			apply(&variants[to]);
			check(&variants[to], &variants[from]);
		}
	}
}

static void
the_same_again_changes_nothing(void **state)
{
	const struct variant *v = &variants[7];
	uint32_t version;

	(void)state;
	apply(v);
	version = adapter_named("o1")->version.n;
	apply(v);
	assert_int_equal(adapter_named("o1")->version.n, version);
}

static void
links_and_guests_go_up_and_down(void **state)
{
	char table[1024];

	(void)state;
	apply(&variants[2]);
	publish_guest_state(&e, "w/iucv0", false);
	assert_string_equal(table_of("o1", table, sizeof(table)), "192.0.2.3=s/eth0 192.168.7.7=p/eth0");
	publish_guest_state(&e, "w/iucv0", true);
	assert_string_equal(table_of("o1", table, sizeof(table)), variants[2].o1);
	apply(&variants[0]);
	publish_guest_state(&e, "g/eth0", false);
	assert_string_equal(table_of("o1", table, sizeof(table)), "192.0.2.2=p/eth0 192.0.2.3=s/eth0");
	publish_guest_state(&e, "g/eth0", true);
	assert_string_equal(table_of("o1", table, sizeof(table)), variants[0].o1);
}

static void
a_guest_changes_its_addresses(void **state)
{
	struct ip_addr *list = calloc(2, sizeof(*list));
	char table[1024];

	(void)state;
	assert_int_equal(ip_parse("192.0.2.4", &list[0]), 0);
	assert_int_equal(ip_parse("192.0.2.40", &list[1]), 0);
	publish_guest_addresses(&e, "g/eth0", list, 2);
	assert_string_equal(table_of("o1", table, sizeof(table)),
		"192.0.2.2=p/eth0 192.0.2.3=s/eth0 192.0.2.4=g/eth0 192.0.2.40=g/eth0");
	publish_guest_addresses(&e, "g/eth0", calloc(1, sizeof(*list)), 0);
	assert_string_equal(table_of("o1", table, sizeof(table)), "192.0.2.2=p/eth0 192.0.2.3=s/eth0");
}

/* => the error, or "" for ok. */
static char *
ask(const char *request)
{
	static char said[400];
	json_t *q = json_loads(request, 0, NULL), *a;
	const char *error;

	assert_non_null(q);
	a = osa_request(&e, q);
	error = json_string_value(json_object_get(a, "error"));
	snprintf(said, sizeof(said), "%s", json_is_true(json_object_get(a, "ok")) ? "" : error);
	json_decref(a);
	json_decref(q);
	return said;
}

static void
requests(void **state)
{
	static const struct {
		const char *request, *error;
	} rows[] = {
		{"{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"p\",\"role\":\"primary_router\"}", ""},
		{"{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"s\",\"role\":\"primary_router\"}",
			"s/eth0 is not primary_router on o1: Primary already defined (0xe010), held by p/eth0"},
		{"{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"s\",\"role\":\"secondary\",\"protocol\":\"ipv4\"}", ""},
		{"{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"g\",\"role\":\"secondary\"}",
			"g/eth0 is not secondary_router on o1: Secondary already defined (0xe011), held by s/eth0"},
		{"{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"g\",\"role\":\"primary_connector\"}",
			"g/eth0 is not primary_connector on o1: Invalid SETRTG indicator (0xe012)"},
		{"{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"g\",\"role\":\"king\"}",
			"'king' is no role, expected no_router, primary_router, secondary_router, multicast_router, "
			"primary_connector or secondary_connector"},
		{"{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"p\",\"address\":\"10.1.1.2\"}", ""},
		{"{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"s\",\"address\":\"10.1.1.2\"}",
			"10.1.1.2 is not registered on o1 for s/eth0: Address already registered (0xe005), held by p/eth0"},
		{"{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"s\",\"address\":\"10.1.1.2\",\"kind\":\"rxip\"}", ""},
		{"{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"s\",\"address\":\"10.1.1.2\",\"kind\":\"rxip\"}",
			"10.1.1.2 is not registered on o1: the entry is there already"},
		{"{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"s\",\"address\":\"224.0.0.9\"}",
			"224.0.0.9 is not registered on o1: not an address that a port dispatches by"},
		{"{\"osa\":\"o1\",\"do\":\"del\",\"node\":\"s\",\"address\":\"10.1.1.2\",\"kind\":\"rxip\"}", ""},
		{"{\"osa\":\"o1\",\"do\":\"del\",\"node\":\"s\",\"address\":\"10.1.1.9\"}", "s/eth0 has no address entry of 10.1.1.9 on o1"},
		{"{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"w\",\"address\":\"10.1.1.2\"}", "w has no interface on o1"},
		{"{\"osa\":\"o9\",\"do\":\"network\",\"up\":false}", "there is no adapter 'o9'"},
		{"{\"osa\":\"o1\",\"do\":\"isolation\",\"node\":\"s\",\"isolation\":\"forward\"}",
			"s/eth0 is not isolated on o1: The adjacent switch port does not support reflective relay mode (0x22)"},
		{"{\"osa\":\"o1\",\"do\":\"isolation\",\"node\":\"s\",\"isolation\":\"drop\"}", ""},
		{"{\"osa\":\"o1\",\"do\":\"dance\"}",
			"'dance' cannot be done to an adapter, expected role, add, del, network or isolation"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ask(rows[i].request), rows[i].error);
	assert_string_equal(elected("o1"), "p/eth0");
	apply(&variants[10]);
	assert_string_equal(ask("{\"osa\":\"o1\",\"do\":\"role\",\"node\":\"p\",\"role\":\"primary_router\"}"),
		"o1 is ose: roles are set by its configuration only");
	assert_string_equal(ask("{\"osa\":\"o1\",\"do\":\"add\",\"node\":\"p\",\"address\":\"10.1.1.2\"}"),
		"o1 is ose: its table is static, from the configuration");
}

static void
the_network_side(void **state)
{
	const struct router *r;

	(void)state;
	r = engine_router(&e, "p");
	assert_true(iface_usable(router_iface_named(r, "eth0")));
	assert_string_equal(ask("{\"osa\":\"o1\",\"do\":\"network\",\"up\":false}"), "");
	assert_false(iface_usable(router_iface_named(r, "eth0")));
	publish_osa_carrier(&e, "o1", false);
	assert_string_equal(ask("{\"osa\":\"o1\",\"do\":\"network\",\"up\":true}"), "");
	assert_false(iface_usable(router_iface_named(r, "eth0")));
	publish_osa_carrier(&e, "o1", true);
	assert_true(iface_usable(router_iface_named(r, "eth0")));
	assert_string_equal(ask("{\"osa\":\"o1\",\"do\":\"network\",\"up\":false}"), "");
	apply(&variants[1]);
	assert_false(adapter_named("o1")->network_up);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_change),
		TEST(the_same_again_changes_nothing),
		TEST(links_and_guests_go_up_and_down),
		TEST(a_guest_changes_its_addresses),
		TEST(requests),
		TEST(the_network_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
