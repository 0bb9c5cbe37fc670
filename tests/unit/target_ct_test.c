/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CT, NOTRACK and NFQUEUE: what their options mean, and what is refused. */
#include "filters/conntrack.h"
#include "filters/extensions.h"
#include "filters/helper.h"

#include "tests/unit/support/routers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <stdlib.h>

static struct test_env env;
static struct test_router t;

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

static struct pkt *
udp(const char *src, const char *dst)
{
	uint8_t b[64];
	struct pkt *p =
		test_pkt(&env, b, test_udp(b, &(struct test_ip){.src = src, .dst = dst}, 1, 2, 3));

	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

/* Judged, prepared, run, released. */
static enum filter_verdict
run(const char *target, uint8_t revision, const void *options, struct filter_ctx *c)
{
	const struct target_ops *ops = target_find(target, revision);
	struct rules_rule rule = {.proto = IPPROTO_UDP};
	uint32_t needs = 0;
	char why[128] = "";
	struct ext_check judged = {.rule = &rule, .needs = &needs, .why = why, .why_size = sizeof(why)};
	void *prepared = NULL;
	enum filter_verdict v;

	if (ops->check && ops->check(&judged, options, &prepared) < 0)
		fail_msg("%s", why);
	c->env = &env.env;
	c->router = &t.r;
	c->hook = RULES_PREROUTING;
	c->table = TABLE_RAW;
	v = ops->run(c, prepared ? prepared : options, NULL);
	if (ops->release)
		ops->release(prepared);
	return v;
}

enum { ORIGINAL = 1 << CT_DIR_ORIGINAL, REPLY = 1 << CT_DIR_REPLY, BOTH = ORIGINAL | REPLY };

static const struct {
	uint16_t flags, zone;
	uint32_t mark;
	uint16_t want_zone;
	uint8_t want_dir, want_info;
} cases[] = {
	{XT_CT_NOTRACK, 0, 0, 0, 0, CT_UNTRACKED},
	{XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS, 0, 0, 0, 0, CT_UNTRACKED},
	{0, 0, 0, 0, BOTH, 0},
	{0, 5, 9, 5, BOTH, 0},
	{XT_CT_ZONE_DIR_ORIG, 6, 9, 6, ORIGINAL, 0},
	{XT_CT_ZONE_DIR_REPL, 7, 9, 7, REPLY, 0},
	{XT_CT_ZONE_DIR_ORIG | XT_CT_ZONE_DIR_REPL, 8, 9, 8, BOTH, 0},
	{XT_CT_ZONE_MARK, 0, 0x12345678, 0x5678, BOTH, 0},
	{XT_CT_ZONE_MARK | XT_CT_ZONE_DIR_ORIG, 0, 4, 4, ORIGINAL, 0},
};

static void
what_tracking_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		_Alignas(8) struct xt_ct_target_info_v1 info = {
			.flags = cases[i].flags, .zone = cases[i].zone};
		struct pkt *p = udp("10.0.0.5", "172.16.0.1");
		struct filter_ctx c = {.p = p};

		p->mark = cases[i].mark;
		assert_int_equal(run("CT", 2, &info, &c), FILTER_CONTINUE);
		assert_int_equal(p->ct_zone, cases[i].want_zone);
		assert_int_equal(p->ct_zone_dir, cases[i].want_dir);
		assert_int_equal(p->ct_info, cases[i].want_info);
		test_pkt_free(&env, p);
	}
}

static void
a_helper_is_given(void **state)
{
	_Alignas(8) struct xt_ct_target_info_v1 tftp = {.helper = "tftp"}, none = {.zone = 1};
	struct pkt *p = udp("10.0.0.5", "172.16.0.1");
	struct filter_ctx c = {.p = p};

	(void)state;
	run("CT", 2, &tftp, &c);
	assert_int_equal(p->ct_helper, helper_find("tftp", IPPROTO_UDP));
	run("CT", 2, &none, &c);
	assert_int_equal(p->ct_helper, helper_find("tftp", IPPROTO_UDP)); /* the first decides */
	p->ct_zone_dir = 0;
	p->ct_helper = 0;
	run("CT", 0, &tftp, &c);
	assert_int_not_equal(p->ct_helper, 0);
	test_pkt_free(&env, p);
}

/* A packet that came round by lo, and one that an earlier rule has spoken about. */
static void
the_first_decides(void **state)
{
	_Alignas(8) struct xt_ct_target_info_v1 zone = {.zone = 5}, other = {.zone = 6},
						notrack = {.flags = XT_CT_NOTRACK};
	struct pkt *p = udp("10.0.0.5", "172.16.0.1");
	struct filter_ctx c = {.p = p};

	(void)state;
	run("CT", 2, &zone, &c);
	run("CT", 2, &other, &c);
	run("CT", 2, &notrack, &c);
	run("NOTRACK", 0, NULL, &c);
	assert_int_equal(p->ct_zone, 5);
	assert_int_equal(p->ct_info, 0);
	p->ct_zone = p->ct_zone_dir = 0;
	run("NOTRACK", 0, NULL, &c);
	run("CT", 2, &zone, &c);
	assert_int_equal(p->ct_info, CT_UNTRACKED);
	assert_int_equal(p->ct_zone_dir, 0);
	p->ct_info = CT_RELATED; /* an error about an untracked packet */
	run("NOTRACK", 0, NULL, &c);
	run("CT", 2, &zone, &c);
	assert_int_equal(p->ct_info, CT_RELATED);
	assert_int_equal(p->ct_zone_dir, 0);
	p->ct_info = CT_NEW;
	p->ct = 1;
	run("NOTRACK", 0, NULL, &c);
	run("CT", 0, &zone, &c);
	assert_int_equal(p->ct_info, CT_NEW);
	assert_int_equal(p->ct_zone_dir, 0);
	p->ct = 0;
	test_pkt_free(&env, p);
}

static const struct {
	uint8_t revision;
	struct xt_ct_target_info_v1 info;
	uint16_t proto;
	uint8_t rule_flags;
	const char *why; /* NULL: fine */
} checks[] = {
	{0, {.flags = XT_CT_NOTRACK}, 0, 0, NULL},
	{0, {.zone = 1, .ct_events = 7, .exp_events = 1}, 0, 0, NULL},
	{0, {.flags = XT_CT_ZONE_MARK}, 0, 0, "unknown flags 0x10"},
	{1, {.flags = XT_CT_ZONE_DIR_ORIG}, 0, 0, "unknown flags 0x4"},
	{2, {.flags = XT_CT_MASK & ~XT_CT_NOTRACK}, 0, 0, NULL},
	{2, {.flags = 0x20}, 0, 0, "unknown flags 0x20"},
	{2, {.helper = "ftp"}, IPPROTO_TCP, 0, NULL},
	{0, {.helper = "tftp"}, IPPROTO_UDP, 0, NULL},
	{1, {.helper = "ftp"}, IPPROTO_UDP, 0, "No such helper \"ftp\""},
	{2, {.helper = "irc"}, IPPROTO_TCP, 0, "No such helper \"irc\""},
	{2, {.helper = "ftp"}, 0, 0, "You must specify a L4 protocol and not use inversions on it"},
	{2, {.helper = "ftp"}, IPPROTO_TCP, RULE_NOT_PROTO,
		"You must specify a L4 protocol and not use inversions on it"},
	{2, {.flags = XT_CT_NOTRACK, .helper = "ftp"}, 0, 0, NULL},
	{1, {.timeout = "quick"}, IPPROTO_TCP, 0, "No such timeout policy \"quick\""},
	{1, {.flags = XT_CT_NOTRACK, .timeout = "quick"}, IPPROTO_TCP, 0, NULL},
};

static int
judge(const char *target, uint8_t revision, const void *options, const struct rules_rule *rule,
	const char *want)
{
	char why[128] = "";
	uint32_t needs = NEEDS_CONNTRACK;
	struct ext_check c = {.rule = rule, .needs = &needs, .why = why, .why_size = sizeof(why)};
	void *prepared = NULL;
	const struct target_ops *ops = target_find(target, revision);
	int rc = ops->check(&c, options, &prepared);

	assert_string_equal(why, want ? want : "");
	if (want)
		assert_null(prepared);
	if (ops->release)
		ops->release(prepared);
	return rc;
}

static void
what_tracking_is_not_told(void **state)
{
	(void)state;
	assert_int_equal(target_find("CT", 0)->size, 40);
	assert_int_equal(target_find("CT", 1)->size, 72);
	assert_int_equal(target_find("CT", 2)->size, 72);
	assert_int_equal(target_find("NOTRACK", 0)->size, 0);
	assert_int_equal(target_find("NOTRACK", 0)->needs, 0);
	for (size_t i = 0; i < RTE_DIM(checks); i++) {
		struct rules_rule rule = {.proto = checks[i].proto, .flags = checks[i].rule_flags};
		int rc = judge("CT", checks[i].revision, &checks[i].info, &rule, checks[i].why);

		assert_int_equal(target_find("CT", checks[i].revision)->tables, 1 << TABLE_RAW);
		assert_int_equal(rc, checks[i].why ? -EINVAL : 0);
	}
}

static const struct {
	uint8_t revision;
	struct xt_NFQ_info_v3 info;
	const char *why;
} queues[] = {
	{1, {.queuenum = 65535, .queues_total = 1}, NULL},
	{1, {.queuenum = 5, .queues_total = 0}, "number of total queues is 0"},
	{2, {.queuenum = 65535, .queues_total = 2},
		"number of queues (2) out of range (got 65536)"},
	{2, {.queues_total = 65535, .flags = 1}, NULL},
	{2, {.queues_total = 1, .flags = 2}, "bypass is 0 or 1"},
	{3, {.queues_total = 1, .flags = NFQ_FLAG_MASK}, NULL},
	{3, {.queues_total = 1, .flags = 4}, "unknown flags 0x4"},
};

static void
queue_numbers(void **state)
{
	static const struct rules_rule rule;

	(void)state;
	for (uint8_t r = 0; r <= 3; r++)
		assert_int_equal(target_find("NFQUEUE", r)->size, 8);
	assert_null(target_find("NFQUEUE", 0)->check);
	for (size_t i = 0; i < RTE_DIM(queues); i++)
		assert_int_equal(
			judge("NFQUEUE", queues[i].revision, &queues[i].info, &rule, queues[i].why),
			queues[i].why ? -EINVAL : 0);
}

static const struct {
	uint8_t revision;
	uint16_t flags;
	uint32_t want;
} bypasses[] = {{0, 1, 0}, {1, 1, 0}, {2, 0, 0}, {2, 1, FILTER_QUEUE_BYPASS}, {3, 0, 0},
	{3, NFQ_FLAG_BYPASS, FILTER_QUEUE_BYPASS}, {3, NFQ_FLAG_CPU_FANOUT, 0},
	{3, NFQ_FLAG_MASK, FILTER_QUEUE_BYPASS}};

static void
queue_bypass(void **state)
{
	struct pkt *p = udp("10.0.0.5", "172.16.0.1");

	(void)state;
	for (size_t i = 0; i < RTE_DIM(bypasses); i++) {
		_Alignas(8) struct xt_NFQ_info_v3 info = {
			.queuenum = 9, .queues_total = 1, .flags = bypasses[i].flags};
		struct filter_ctx c = {.p = p, .queue_flags = 0xff};

		assert_int_equal(run("NFQUEUE", bypasses[i].revision, &info, &c), FILTER_QUEUE);
		assert_int_equal(c.queue, 9);
		assert_int_equal(c.queue_flags, bypasses[i].want);
	}
	test_pkt_free(&env, p);
}

static uint32_t
queue_of(const char *src, const char *dst, const struct xt_NFQ_info_v3 *info)
{
	struct pkt *p = udp(src, dst);
	struct filter_ctx c = {.p = p};

	assert_int_equal(run("NFQUEUE", 3, info, &c), FILTER_QUEUE);
	test_pkt_free(&env, p);
	return c.queue;
}

/* Every queue gets its share, and both directions of what two hosts say the same one. */
static void
queue_balance(void **state)
{
	_Alignas(8) struct xt_NFQ_info_v3 info = {.queuenum = 100, .queues_total = 8};
	unsigned share[8] = {0};
	char src[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t q;

		snprintf(src, sizeof(src), "10.0.%d.%d", i / 250, i % 250 + 1);
		q = queue_of(src, "172.16.0.1", &info);
		assert_in_range(q, 100, 107);
		assert_int_equal(queue_of("172.16.0.1", src, &info), q);
		share[q - 100]++;
	}
	for (int i = 0; i < 8; i++)
		assert_in_range(share[i], 75, 175);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_tracking_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_helper_is_given, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_decides, setup, teardown),
		cmocka_unit_test(what_tracking_is_not_told),
		cmocka_unit_test(queue_numbers),
		cmocka_unit_test_setup_teardown(queue_bypass, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_balance, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
