/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SNAT, DNAT, MASQUERADE, REDIRECT and NETMAP accept; what they do is in nat_test.c. */
#include "filters/known.h"
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>

enum {
	POST = 1 << RULES_POSTROUTING,
	PRE = 1 << RULES_PREROUTING,
	ADDRESS = NF_NAT_RANGE_MAP_IPS,
};

static const struct rules_rule any;

/* Options of revision 0, as large as iptables makes them. */
union compat {
	struct nf_nat_ipv4_multi_range_compat mr;
	uint8_t bytes[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
};

static union compat
compat(unsigned n, unsigned flags, const char *min, const char *max)
{
	union compat o = {.mr = {.rangesize = n}};

	o.mr.range[0].flags = flags;
	o.mr.range[0].min_ip = inet_addr(min);
	o.mr.range[0].max_ip = inet_addr(max);
	return o;
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *name;
		uint32_t hooks;
		unsigned n, flags;
		const char *min, *max, *refusal;
	} rows[] = {
		{"SNAT", POST, 1, ADDRESS, "1.2.3.4", "1.2.3.9", ""},
		{"SNAT", POST, 2, ADDRESS, "1.2.3.4", "1.2.3.9",
			"multiple ranges no longer supported"},
		{"SNAT", POST, 0, ADDRESS, "1.2.3.4", "1.2.3.9",
			"multiple ranges no longer supported"},
		{"SNAT", POST, 1, ADDRESS, "1.2.3.9", "1.2.3.4",
			"the first address is above the last one"},
		{"DNAT", PRE, 1, 0, "0.0.0.0", "0.0.0.0", ""},
		{"DNAT", PRE, 3, ADDRESS, "1.2.3.4", "1.2.3.4",
			"multiple ranges no longer supported"},
		{"MASQUERADE", POST, 1, 0, "0.0.0.0", "0.0.0.0", ""},
		{"MASQUERADE", POST, 1, ADDRESS, "1.2.3.4", "1.2.3.4",
			"an address does not belong here"},
		{"MASQUERADE", POST, 0, 0, "0.0.0.0", "0.0.0.0",
			"multiple ranges no longer supported"},
		{"REDIRECT", PRE, 1, 0, "0.0.0.0", "0.0.0.0", ""},
		{"REDIRECT", PRE, 1, ADDRESS, "1.2.3.4", "1.2.3.4",
			"an address does not belong here"},
		{"NETMAP", PRE | POST, 1, ADDRESS, "1.2.3.0", "1.2.3.255", ""},
		{"NETMAP", PRE, 1, 0, "0.0.0.0", "0.0.0.0", "the network is missing"},
		{"NETMAP", PRE, 2, ADDRESS, "1.2.3.0", "1.2.3.255",
			"multiple ranges no longer supported"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		union compat o = compat(rows[i].n, rows[i].flags, rows[i].min, rows[i].max);

		assert_string_equal(
			ext_target_refusal(rows[i].name, 0, &o, sizeof(o), &any, rows[i].hooks),
			rows[i].refusal);
	}
}

static void
test_later_revisions(void **state)
{
	struct nf_nat_range v1 = {.flags = ADDRESS};
	struct nf_nat_range2 v2 = {.flags = ADDRESS | NF_NAT_RANGE_PROTO_OFFSET};
	uint8_t bytes[XT_ALIGN(sizeof(v2))] = {0};

	(void)state;
	v1.min_addr.ip = v1.max_addr.ip = v2.min_addr.ip = v2.max_addr.ip = inet_addr("1.2.3.4");
	assert_string_equal(ext_target_refusal("SNAT", 1, &v1, sizeof(v1), &any, POST), "");
	memcpy(bytes, &v2, sizeof(v2));
	assert_string_equal(ext_target_refusal("DNAT", 2, bytes, sizeof(bytes), &any, PRE), "");
	v2.max_addr.ip = inet_addr("1.2.3.3");
	memcpy(bytes, &v2, sizeof(v2));
	assert_string_equal(ext_target_refusal("DNAT", 2, bytes, sizeof(bytes), &any, PRE),
		"the first address is above the last one");
}

/* Hooks and table are the kernel's. */
static void
test_places(void **state)
{
	static const struct {
		const char *name;
		uint8_t revisions;
		uint32_t hooks;
	} rows[] = {
		{"SNAT", 3, POST | 1 << RULES_INPUT},
		{"DNAT", 3, PRE | 1 << RULES_OUTPUT},
		{"MASQUERADE", 1, POST},
		{"REDIRECT", 1, PRE | 1 << RULES_OUTPUT},
		{"NETMAP", 1, PRE | POST | 1 << RULES_OUTPUT | 1 << RULES_INPUT},
	};
	size_t i;
	uint8_t r;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		for (r = 0; r < rows[i].revisions; r++) {
			const struct target_ops *ops = target_find(rows[i].name, r);

			assert_non_null(ops);
			assert_int_equal(ops->hooks, rows[i].hooks);
			assert_int_equal(ops->tables, 1 << TABLE_NAT);
			assert_true(ops->needs & NEEDS_CONNTRACK);
		}
		assert_null(target_find(rows[i].name, rows[i].revisions));
	}
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_later_revisions),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
