/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address table, registration and roles of an adapter's port: each code and each word of the originals. */
#include "drivers/osa/adapter.h"
#include "tests/unit/support/adapters.h"
#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct test_adapter t;

static int
setup(void **state)
{
	(void)state;
	test_adapter_init(&t, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return (int)test_adapter_fini(&t);
}

static void
words_of_codes(void **state)
{
	static const struct {
		uint16_t code;
		int error;
		const char *word;
	} rows[] = {
		{0x0000, 0, "success"},
		{0x0011, -ENOENT, "Address not registered"},
		{0xe005, -EADDRINUSE, "Address already registered"},
		{0xe006, -ENOSPC, "IP address table full"},
		{0xe008, -ENETDOWN, "Setip no startlan received"},
		{0xe009, -EALREADY, "Setip already received"},
		{0xe00a, -EADDRINUSE, "IP address already in use on LAN"},
		{0xe00b, -ENOENT, "Multicast address not found"},
		{0xe010, -EBUSY, "Primary already defined"},
		{0xe011, -EBUSY, "Secondary already defined"},
		{0xe012, -EINVAL, "Invalid SETRTG indicator"},
		{0xe013, -EEXIST, "Multicast address already defined"},
		{0xe080, -ENETDOWN, "STRTLAN_LAN_DISABLED - LAN offline"},
		{0x1234, -EIO, "Unknown Error"},
	};
	struct osa_answer held = {0xe010, "zos/eth0"}, free_of = {0xe012, ""}, full = {0xe006, "512 addresses of the port"};
	char text[80];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(osa_code_word(rows[i].code), rows[i].word);
		assert_int_equal(osa_code_errno(rows[i].code), rows[i].error);
	}
	assert_string_equal(osa_answer_text(&held, text, sizeof(text)), "Primary already defined (0xe010), held by zos/eth0");
	assert_string_equal(osa_answer_text(&full, text, sizeof(text)), "IP address table full (0xe006), no more than 512 addresses of the port");
	assert_string_equal(osa_answer_text(&free_of, text, sizeof(text)), "Invalid SETRTG indicator (0xe012)");
}

static void
words_of_roles(void **state)
{
	static const struct {
		const char *read;
		enum osa_role role;
		const char *written, *shown, *filtered;
	} rows[] = {
		{"no_router", 0, "no_router", "no", "no"},
		{"primary_router", 1, "primary_router", "primary router", "primary router"},
		{"secondary_router", 2, "secondary_router", "secondary router", "secondary router"},
		{"multicast_router", 3, "multicast_router", "multicast router", "multicast router+"},
		{"primary_connector", 4, "primary_connector", "primary connector", "primary connector"},
		{"secondary_connector", 5, "secondary_connector", "secondary connector", "secondary connector"},
		{"primary", 1, "primary_router", "primary router", "primary router"},
		{"PRIROUTER", 1, "primary_router", "primary router", "primary router"},
		{"primary default entry", 1, "primary_router", "primary router", "primary router"},
		{"SECROUTER", 2, "secondary_router", "secondary router", "secondary router"},
		{"NONROUTER", 0, "no_router", "no", "no"},
	};
	enum osa_role role;
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(osa_role_parse(rows[i].read, &role), 0);
		assert_int_equal(role, rows[i].role);
		assert_string_equal(osa_role_word(role), rows[i].written);
		assert_string_equal(osa_role_shown(role, false, text, sizeof(text)), rows[i].shown);
		assert_string_equal(osa_role_shown(role, true, text, sizeof(text)), rows[i].filtered);
	}
	assert_int_equal(osa_role_parse("primary_routre", &role), -EINVAL);
}

static void
roles_by_kind_of_port(void **state)
{
	static const struct {
		enum osa_profile profile;
		bool multicast;
		uint16_t codes[6]; /* by SETRTG's type */
	} rows[] = {
		{OSA_PROFILE_NONE, false, {0, 0, 0, 0xe012, 0xe012, 0xe012}},
		{OSA_PROFILE_NONE, true, {0, 0, 0, 0, 0xe012, 0xe012}},
		{OSA_PROFILE_ZSERIES, false, {0, 0, 0, 0xe012, 0xe012, 0xe012}},
		{OSA_PROFILE_HIPERSOCKETS, false, {0, 0xe012, 0xe012, 0, 0, 0}},
	};
	uint16_t code;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t.set.profile = rows[i].profile;
		t.set.multicast_router = rows[i].multicast;
		test_adapter_set(&t);
		for (int role = 0; role < 6; role++) {
			int rc = test_role(&t, P, (enum osa_role)role, &code);

			assert_int_equal(code, rows[i].codes[role]);
			assert_int_equal(rc, code ? -EINVAL : 0);
			assert_int_equal(t.sharers[P]->role[OSA_IPV4], code ? OSA_NO_ROUTER : role);
		}
		test_role(&t, P, OSA_NO_ROUTER, NULL);
	}
}

static void
an_unknown_role_ends_the_old_one(void **state)
{
	uint16_t code;

	(void)state;
	test_role(&t, P, OSA_PRIMARY_ROUTER, NULL);
	assert_int_equal(test_role(&t, P, (enum osa_role)6, &code), -EINVAL);
	assert_int_equal(code, 0xe012);
	assert_int_equal(t.sharers[P]->role[OSA_IPV4], OSA_NO_ROUTER);
	assert_int_equal(t.a->primary[OSA_IPV4], SHARER_NONE);
}

static void
one_primary_and_one_secondary(void **state)
{
	struct osa_answer answer;

	(void)state;
	assert_int_equal(test_role(&t, P, OSA_PRIMARY_ROUTER, NULL), 0);
	assert_int_equal(test_role(&t, S, OSA_SECONDARY_ROUTER, NULL), 0);
	assert_int_equal(adapter_role(t.a, &t.tw.w.env, t.sharers[G], OSA_IPV4, OSA_PRIMARY_ROUTER, &answer), -EBUSY);
	assert_int_equal(answer.code, 0xe010);
	assert_string_equal(answer.holder, "p/eth0");
	assert_int_equal(adapter_role(t.a, &t.tw.w.env, t.sharers[G], OSA_IPV4, OSA_SECONDARY_ROUTER, &answer), -EBUSY);
	assert_int_equal(answer.code, 0xe011);
	assert_string_equal(answer.holder, "s/eth0");
	/* who is refused keeps what it had; who has it is not disturbed */
	assert_int_equal(adapter_role(t.a, &t.tw.w.env, t.sharers[S], OSA_IPV4, OSA_PRIMARY_ROUTER, &answer), -EBUSY);
	assert_int_equal(t.sharers[S]->role[OSA_IPV4], OSA_SECONDARY_ROUTER);
	assert_int_equal(t.a->elected[OSA_IPV4], P);
	/* IPv6 is apart */
	assert_int_equal(adapter_role(t.a, &t.tw.w.env, t.sharers[G], OSA_IPV6, OSA_PRIMARY_ROUTER, &answer), 0);
	assert_int_equal(t.a->elected[OSA_IPV6], G);
	/* a free place is given out again */
	assert_int_equal(test_role(&t, P, OSA_NO_ROUTER, NULL), 0);
	assert_int_equal(test_role(&t, G, OSA_PRIMARY_ROUTER, NULL), 0);
	assert_int_equal(t.a->elected[OSA_IPV4], G);
}

static void
the_secondary_stands_in_at_once(void **state)
{
	uint32_t version;

	(void)state;
	test_role(&t, P, OSA_PRIMARY_ROUTER, NULL);
	test_role(&t, S, OSA_SECONDARY_ROUTER, NULL);
	version = t.a->version.n;
	test_online(&t, P, false);
	assert_int_equal(t.a->elected[OSA_IPV4], S);
	assert_int_not_equal(t.a->version.n, version);
	test_online(&t, S, false);
	assert_int_equal(t.a->elected[OSA_IPV4], SHARER_NONE);
	test_online(&t, S, true);
	test_online(&t, P, true);
	assert_int_equal(t.a->elected[OSA_IPV4], P);
	adapter_leave(t.a, &t.tw.w.env, t.sharers[P]);
	assert_int_equal(t.a->primary[OSA_IPV4], SHARER_NONE);
	assert_int_equal(t.a->elected[OSA_IPV4], S);
}

static void
several_secondaries_where_the_port_has_them(void **state)
{
	uint16_t code;

	(void)state;
	t.set.secondaries = 2;
	test_adapter_set(&t);
	assert_int_equal(test_role(&t, P, OSA_SECONDARY_ROUTER, NULL), 0);
	assert_int_equal(test_role(&t, S, OSA_SECONDARY_ROUTER, NULL), 0);
	assert_int_equal(test_role(&t, G, OSA_SECONDARY_ROUTER, &code), -EBUSY);
	assert_int_equal(code, 0xe011);
	assert_int_equal(t.a->elected[OSA_IPV4], P);
	test_online(&t, P, false);
	assert_int_equal(t.a->elected[OSA_IPV4], S);
}

static void
a_duplicate_stays_wanted(void **state)
{
	const struct wanted *w;
	struct ip_addr addr = test_addr("192.0.2.4");
	struct refusal last;
	uint16_t code;

	(void)state;
	assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_NORMAL, &code), 0);
	assert_int_equal(t.a->setips, 1);
	assert_int_equal(test_add(&t, G, "192.0.2.4", OSA_NORMAL, &code), -EADDRINUSE);
	assert_int_equal(code, 0xe005);
	assert_int_equal(t.a->setips, 4); /* three tries */
	assert_int_equal(test_owner(&t, "192.0.2.4"), P);
	w = sharer_wanted(t.sharers[G], &addr, OSA_NORMAL);
	assert_non_null(w);
	assert_false(w->registered);
	assert_string_equal(w->holder, "p/eth0");
	assert_int_equal(adapter_refusals(t.a, &last, 1), 1);
	assert_string_equal(last.sharer, "g/eth0");
	assert_int_equal(last.answer.code, 0xe005);
	/* the holder lets go: asked again, it is registered */
	test_del(&t, P, "192.0.2.4", OSA_NORMAL);
	sharer_retry(t.sharers[G], &t.tw.w.env);
	assert_int_equal(test_owner(&t, "192.0.2.4"), G);
}

static void
a_lan_that_is_offline_leaves_the_entry(void **state)
{
	struct ip_addr addr = test_addr("192.0.2.4");
	uint16_t code;

	(void)state;
	adapter_network(t.a, &t.tw.w.env, false);
	assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_NORMAL, &code), 0);
	assert_int_equal(code, 0xe080);
	assert_int_equal(t.a->setips, 1);
	assert_int_equal(test_owner(&t, "192.0.2.4"), P);
	assert_true(sharer_wanted(t.sharers[P], &addr, OSA_NORMAL)->registered);
}

static void
codes_of_the_port(void **state)
{
	struct ip_addr addr = test_addr("192.0.2.4"), group = test_addr("224.0.0.9");
	struct osa_answer answer;

	(void)state;
	assert_int_equal(adapter_setip(t.a, &t.tw.w.env, t.sharers[P], &addr, 0, &answer), 0);
	assert_int_equal(adapter_setip(t.a, &t.tw.w.env, t.sharers[P], &addr, 0, &answer), 0xe009);
	assert_int_equal(adapter_delip(t.a, &t.tw.w.env, t.sharers[G], &addr), 0x0011);
	assert_int_equal(adapter_delip(t.a, &t.tw.w.env, t.sharers[P], &addr), 0);
	assert_int_equal(adapter_delip(t.a, &t.tw.w.env, t.sharers[P], &addr), 0x0011);
	test_online(&t, P, false);
	assert_int_equal(adapter_setip(t.a, &t.tw.w.env, t.sharers[P], &addr, 0, &answer), 0xe008);
	assert_int_equal(sharer_leave(t.sharers[P], &group, &answer), -ENOENT);
	assert_int_equal(answer.code, 0xe00b);
	assert_int_equal(sharer_join(t.sharers[P], &group, &answer), 0);
	assert_int_equal(sharer_join(t.sharers[P], &group, &answer), -EEXIST);
	assert_int_equal(answer.code, 0xe013);
	assert_int_equal(sharer_leave(t.sharers[P], &group, &answer), 0);
}

static void
what_cannot_be_registered(void **state)
{
	static const char *const rows[] = {"0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "::", "ff02::1"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(test_add(&t, P, rows[i], OSA_NORMAL, NULL), -EINVAL);
	assert_int_equal(oat_count(t.a->oat), 0);
}

static void
counted_and_not_counted(void **state)
{
	static const struct {
		enum osa_entry kind;
		int again;
	} rows[] = {{OSA_NORMAL, 0}, {OSA_VIPA, -EEXIST}, {OSA_RXIP, -EEXIST}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(test_add(&t, P, "192.0.2.4", rows[i].kind, NULL), 0);
		assert_int_equal(test_add(&t, P, "192.0.2.4", rows[i].kind, NULL), rows[i].again);
		assert_int_equal(test_del(&t, P, "192.0.2.4", rows[i].kind), 0);
		assert_int_equal(test_owner(&t, "192.0.2.4"), rows[i].kind == OSA_NORMAL ? P : -1);
		assert_int_equal(test_del(&t, P, "192.0.2.4", rows[i].kind), rows[i].kind == OSA_NORMAL ? 0 : -ENOENT);
		assert_int_equal(test_owner(&t, "192.0.2.4"), -1);
	}
	/* two kinds of one address share a registration */
	test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL);
	assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_VIPA, NULL), 0);
	test_del(&t, P, "192.0.2.4", OSA_NORMAL);
	assert_int_equal(test_owner(&t, "192.0.2.4"), P);
	test_del(&t, P, "192.0.2.4", OSA_VIPA);
	assert_int_equal(test_owner(&t, "192.0.2.4"), -1);
}

static void
takeover_lists(void **state)
{
	static const struct {
		bool enabled, invert4, invert6;
		const char *list, *addr;
		bool covered;
	} rows[] = {
		{false, false, false, "9.12.6.0/24", "9.12.6.80", false},
		{true, false, false, "9.12.6.0/24", "9.12.6.80", true},
		{true, false, false, "9.12.6.77/24", "9.12.6.80", true}, /* the bits of the mask count */
		{true, false, false, "9.12.6.0/24", "9.12.7.80", false},
		{true, true, false, "9.12.6.0/24", "9.12.6.80", false},
		{true, true, false, "9.12.6.0/24", "9.12.7.80", true},
		{true, true, false, "9.12.6.0/24", "fd00::1", false}, /* invert4 is IPv4's */
		{true, false, true, "9.12.6.0/24", "fd00::1", true},
		{true, false, false, "fd00::/16", "fd00::1", true},
		{true, false, true, "fd00::/16", "fd00::1", false},
		{true, false, false, "0.0.0.0/0", "9.12.7.80", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip_prefix list = test_prefix(rows[i].list);
		struct takeover takeover = {rows[i].enabled, rows[i].invert4, rows[i].invert6, &list, 1};
		struct ip_addr addr = test_addr(rows[i].addr);

		assert_int_equal(takeover_covers(&takeover, &addr), rows[i].covered);
	}
}

static uint8_t
flags_of(const char *addr)
{
	struct ip_addr a = test_addr(addr);

	return oat_find(t.a->oat, &a)->flags;
}

static void
allow_takeover(int i)
{
	struct takeover *takeover = &t.sharers[i]->set.takeover;

	takeover->enabled = true;
	if (takeover->list)
		return;
	takeover->list = calloc(1, sizeof(*takeover->list));
	takeover->list[0] = test_prefix("0.0.0.0/0");
	takeover->n = 1;
}

static void
flags_by_kind(void **state)
{
	static const struct {
		enum osa_entry kind;
		uint8_t without, with_ipato;
	} rows[] = {{OSA_NORMAL, 0x00, 0x02}, {OSA_VIPA, 0x01, 0x01}, {OSA_RXIP, 0x02, 0x02}};

	(void)state;
	allow_takeover(G);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_add(&t, P, "192.0.2.4", rows[i].kind, NULL);
		assert_int_equal(flags_of("192.0.2.4"), rows[i].without);
		test_del(&t, P, "192.0.2.4", rows[i].kind);
		test_add(&t, G, "192.0.2.4", rows[i].kind, NULL);
		assert_int_equal(flags_of("192.0.2.4"), rows[i].with_ipato);
		test_del(&t, G, "192.0.2.4", rows[i].kind);
	}
}

static void
takeover_removes_the_registration(void **state)
{
	static const struct {
		enum osa_entry kind;
		bool ipato, taken;
	} rows[] = {{OSA_NORMAL, false, false}, {OSA_VIPA, true, false}, {OSA_RXIP, false, true}, {OSA_NORMAL, true, true}};
	struct ip_addr addr = test_addr("192.0.2.4");
	const struct wanted *w;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].ipato && !t.sharers[G]->set.takeover.enabled)
			allow_takeover(G);
		t.sharers[G]->set.takeover.enabled = rows[i].ipato;
		assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL), 0);
		assert_int_equal(test_add(&t, G, "192.0.2.4", rows[i].kind, NULL), rows[i].taken ? 0 : -EADDRINUSE);
		assert_int_equal(test_owner(&t, "192.0.2.4"), rows[i].taken ? G : P);
		w = sharer_wanted(t.sharers[P], &addr, OSA_NORMAL);
		assert_int_equal(w->registered, !rows[i].taken);
		assert_string_equal(w->holder, rows[i].taken ? "g/eth0" : "");
		test_del(&t, G, "192.0.2.4", rows[i].kind);
		test_del(&t, P, "192.0.2.4", OSA_NORMAL);
	}
}

static void
offline_changes_wait(void **state)
{
	struct ip_addr second = test_addr("192.0.2.5");

	(void)state;
	test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL);
	test_online(&t, P, false);
	assert_int_equal(test_owner(&t, "192.0.2.4"), -1); /* a QDIO registration ends with its device */
	assert_int_equal(test_add(&t, P, "192.0.2.5", OSA_NORMAL, NULL), 0);
	assert_int_equal(sharer_wanted(t.sharers[P], &second, OSA_NORMAL)->disposition, DISPOSITION_ADD);
	assert_int_equal(test_del(&t, P, "192.0.2.4", OSA_NORMAL), 0);
	assert_int_equal(t.sharers[P]->wanted[0].disposition, DISPOSITION_DELETE);
	assert_int_equal(test_del(&t, P, "192.0.2.4", OSA_NORMAL), -ENOENT);
	assert_int_equal(test_add(&t, P, "192.0.2.6", OSA_VIPA, NULL), 0);
	assert_int_equal(test_del(&t, P, "192.0.2.6", OSA_VIPA), 0); /* never was there */
	assert_int_equal(oat_count(t.a->oat), 0);
	test_online(&t, P, true);
	assert_int_equal(test_owner(&t, "192.0.2.4"), -1);
	assert_int_equal(test_owner(&t, "192.0.2.5"), P);
	assert_int_equal(t.sharers[P]->n_wanted, 1);
	test_online(&t, P, false);
	test_del(&t, P, "192.0.2.5", OSA_NORMAL);
	test_add(&t, P, "192.0.2.5", OSA_NORMAL, NULL); /* stays after all */
	test_online(&t, P, true);
	assert_int_equal(test_owner(&t, "192.0.2.5"), P);
}

/* Registers 10.x.y.z until the port refuses. => how many. */
static unsigned
fill(int i, struct osa_answer *answer)
{
	struct ip_addr a = ip4(htonl(0x0a000001));
	unsigned n = 0;

	while (sharer_add(t.sharers[i], &t.tw.w.env, &a, OSA_NORMAL, answer) == 0) {
		n++;
		a.v4 = htonl(ntohl(a.v4) + 1);
	}
	return n;
}

static void
table_sizes(void **state)
{
	static const struct {
		enum osa_profile profile;
		unsigned addresses;
		const char *limit;
	} rows[] = {
		{OSA_PROFILE_OSA2, 8, "8 addresses of one stack"},
		{OSA_PROFILE_G5, 512, "512 addresses of the port"},
		{OSA_PROFILE_ZSERIES, 2048, "2048 addresses of the port"},
		{OSA_PROFILE_HIPERSOCKETS, 4000, "4000 addresses of the port"},
	};
	struct osa_answer answer;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before;

		t.set.profile = rows[i].profile;
		test_adapter_set(&t);
		assert_int_equal(fill(P, &answer), rows[i].addresses);
		assert_int_equal(answer.code, 0xe006);
		assert_string_equal(answer.holder, rows[i].limit);
		assert_int_equal(t.sharers[P]->n_wanted, rows[i].addresses); /* the refused one is forgotten */
		before = t.a->setips;
		assert_int_equal(test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL), -ENOSPC);
		assert_int_equal(t.a->setips, before + 3);
		adapter_leave(t.a, &t.tw.w.env, t.sharers[P]);
		sharer_free(t.sharers[P]);
		t.sharers[P] = sharer_new("p/eth0");
		adapter_join(t.a, &t.tw.w.env, t.sharers[P], P);
		test_sharer_router(&t, P, false);
		test_online(&t, P, true);
	}
	t.set.profile = OSA_PROFILE_OSA2; /* 16 of the port: 8 and 8 and none */
	test_adapter_set(&t);
	assert_int_equal(fill(P, &answer), 8);
	for (int k = 0; k < 8; k++) {
		char text[24];

		snprintf(text, sizeof(text), "192.0.2.%d", 1 + k);
		assert_int_equal(test_add(&t, S, text, OSA_NORMAL, NULL), 0);
	}
	assert_int_equal(test_add(&t, G, "192.0.2.99", OSA_NORMAL, NULL), -ENOSPC);
}

static void
static_entries(void **state)
{
	struct ip_addr addr = test_addr("192.0.2.4");
	struct osa_answer answer;

	(void)state;
	t.set.mode = OSA_OSE;
	test_adapter_set(&t);
	assert_int_equal(adapter_static(t.a, &t.tw.w.env, t.sharers[G], &addr, &answer), 0);
	assert_int_equal(adapter_static(t.a, &t.tw.w.env, t.sharers[P], &addr, &answer), 0xe005);
	assert_string_equal(answer.holder, "g/eth0");
	assert_int_equal(adapter_static(t.a, &t.tw.w.env, t.sharers[G], &addr, &answer), 0xe009);
	test_online(&t, G, false);
	assert_int_equal(test_owner(&t, "192.0.2.4"), G); /* OPEN-1: it stays */
	assert_int_equal(adapter_delip(t.a, &t.tw.w.env, t.sharers[G], &addr), 0x0011);
	adapter_clear_static(t.a, &t.tw.w.env);
	assert_int_equal(test_owner(&t, "192.0.2.4"), -1);
}

static void
isolation_codes(void **state)
{
	static const struct {
		enum osa_mode mode;
		enum attach_kind network;
		enum osa_isolation before, after;
		uint16_t code;
	} rows[] = {
		{OSA_QDIO, ATTACH_PORT, OSA_SHARED, OSA_DROP, 0x00},
		{OSA_QDIO, ATTACH_PORT, OSA_DROP, OSA_DROP, 0x10},
		{OSA_QDIO, ATTACH_PORT, OSA_DROP, OSA_SHARED, 0x00},
		{OSA_QDIO, ATTACH_PORT, OSA_SHARED, OSA_SHARED, 0x08},
		{OSA_QDIO, ATTACH_PORT, OSA_SHARED, OSA_FORWARD, 0x00},
		{OSA_QDIO, ATTACH_LAN, OSA_SHARED, OSA_FORWARD, 0x22},
		{OSA_OSE, ATTACH_PORT, OSA_SHARED, OSA_DROP, 0x04},
		{OSA_DEDICATED, ATTACH_PORT, OSA_SHARED, OSA_DROP, 0x14},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t.a->set.mode = rows[i].mode;
		t.a->port.attach.kind = rows[i].network;
		t.sharers[P]->set.isolation = rows[i].before;
		assert_int_equal(adapter_isolate(t.a, &t.tw.w.env, t.sharers[P], rows[i].after), rows[i].code);
		assert_int_equal(t.sharers[P]->set.isolation,
			rows[i].code == 0 || rows[i].code == 0x10 ? rows[i].after : rows[i].before);
	}
	t.a->port.attach.kind = ATTACH_PORT;
	assert_string_equal(osa_access_word(0x14), "Adapter is dedicated. QDIO data connection isolation not supported");
	assert_string_equal(osa_access_word(0x18), "TSO does not permit QDIO data connection isolation");
	for (uint16_t code = 0x22; code <= 0x28; code = (uint16_t)(code + (code == 0x24 ? 4 : 2)))
		assert_string_not_equal(osa_access_word(code), "Unknown Error");
}

static struct asked *
asked(size_t n, const char *const *list)
{
	struct asked *a = calloc(n + 1, sizeof(*a));

	for (size_t i = 0; i < n; i++)
		a[i] = (struct asked){test_addr(list[i]), OSA_NORMAL};
	return a;
}

static void
asks_by_itself(void **state)
{
	static const char *const first[] = {"192.0.2.4", "192.0.2.5", "192.0.2.4"}, *const second[] = {"192.0.2.6", "192.0.2.5"};
	struct asked *list = asked(3, first);

	(void)state;
	sharer_release(t.sharers[P], &t.tw.w.env, list, 3);
	sharer_ask(t.sharers[P], &t.tw.w.env, list, 3);
	assert_int_equal(oat_count(t.a->oat), 2);
	test_add(&t, P, "192.0.2.4", OSA_NORMAL, NULL); /* by hand too */
	list = asked(2, second);
	sharer_release(t.sharers[P], &t.tw.w.env, list, 2);
	assert_int_equal(oat_count(t.a->oat), 2);
	sharer_ask(t.sharers[P], &t.tw.w.env, list, 2);
	assert_int_equal(test_owner(&t, "192.0.2.4"), P);
	assert_int_equal(test_owner(&t, "192.0.2.5"), P);
	assert_int_equal(test_owner(&t, "192.0.2.6"), P);
	test_del(&t, P, "192.0.2.4", OSA_NORMAL);
	assert_int_equal(test_owner(&t, "192.0.2.4"), -1);
}

/* The table against a list. Addresses come from a small range, so that they meet. */
static void
table_against_a_naive_twin(void **state)
{
	enum { ADDRESSES = 700, STEPS = 200000 };
	uint16_t twin[ADDRESSES];
	struct oat *oat = oat_new();
	uint64_t seed = test_seed();
	size_t there = 0, n;

	(void)state;
	srand48((long)seed);
	memset(twin, 0xff, sizeof(twin));
	for (int step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)(lrand48() % ADDRESSES);
		uint16_t sharer = (uint16_t)(lrand48() % 500);
		struct ip_addr a = ip4(htonl(0x0a000000u + i * 0x10001u));
		struct oat_entry *e;

		if (i % 3 == 0) {
			a = (struct ip_addr){.family = AF_INET6};
			a.w[1] = i;
		}
		switch (lrand48() % 4) {
		case 0:
			assert_int_equal(oat_add(oat, &(struct oat_entry){.addr = a, .sharer = sharer}),
				twin[i] == SHARER_NONE ? 0 : -EEXIST);
			there += twin[i] == SHARER_NONE;
			twin[i] = twin[i] == SHARER_NONE ? sharer : twin[i];
			break;
		case 1:
			assert_int_equal(oat_del(oat, &a), twin[i] == SHARER_NONE ? -ENOENT : 0);
			there -= twin[i] != SHARER_NONE;
			twin[i] = SHARER_NONE;
			break;
		case 2:
			e = oat_find(oat, &a);
			assert_int_equal(e != NULL, twin[i] != SHARER_NONE);
			if (e) {
				oat_move(oat, e, sharer, 0);
				twin[i] = sharer;
			}
			break;
		default:
			assert_int_equal(oat_lookup(oat, &a), twin[i]);
			if (a.family == AF_INET)
				assert_int_equal(oat_lookup4(oat, a.v4), twin[i]);
		}
		assert_int_equal(oat_count(oat), there);
	}
	oat_entries(oat, &n);
	assert_int_equal(n, there);
	oat_free(oat);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(words_of_codes),
		TEST(words_of_roles),
		TEST(roles_by_kind_of_port),
		TEST(an_unknown_role_ends_the_old_one),
		TEST(one_primary_and_one_secondary),
		TEST(the_secondary_stands_in_at_once),
		TEST(several_secondaries_where_the_port_has_them),
		TEST(a_duplicate_stays_wanted),
		TEST(a_lan_that_is_offline_leaves_the_entry),
		TEST(codes_of_the_port),
		TEST(what_cannot_be_registered),
		TEST(counted_and_not_counted),
		TEST(takeover_lists),
		TEST(flags_by_kind),
		TEST(takeover_removes_the_registration),
		TEST(offline_changes_wait),
		TEST(table_sizes),
		TEST(static_entries),
		TEST(isolation_codes),
		TEST(asks_by_itself),
		TEST(table_against_a_naive_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
