/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/named.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/xt_recent.h>
#include <stdio.h>
#include <string.h>

static const struct match_ops *const ops = &match_recent[1];
static struct test_env t;
static struct named_list named;
static struct filters_live live = {.named = &named};
static char why[120];

static struct xt_recent_mtinfo_v1
rule(uint8_t flags, uint32_t seconds, uint32_t hits)
{
	struct xt_recent_mtinfo_v1 o = {.check_set = flags, .seconds = seconds, .hit_count = hits};

	strcpy(o.name, "DEFAULT");
	memset(&o.mask, 0xff, sizeof(o.mask));
	return o;
}

static int
prepare(struct xt_recent_mtinfo_v1 o, void **prepared)
{
	struct ext_check c = {.live = &live, .why = why, .why_size = sizeof(why)};

	return ops->check(&c, &o, prepared);
}

static void *
get(uint8_t flags, uint32_t seconds, uint32_t hits)
{
	void *prepared = NULL;

	assert_int_equal(prepare(rule(flags, seconds, hits), &prepared), 0);
	return prepared;
}

/* On its way out by `out`, or in; `flags`: who made it. */
static bool
meets_out(void *r, const char *src, uint8_t ttl, const struct iface *out, uint16_t flags)
{
	struct test_ip ip = {.src = src, .dst = "10.0.0.1", .ttl = ttl};
	uint8_t buf[100];
	struct pkt *p = test_pkt(&t, buf, test_udp(buf, &ip, 1, 2, 8));
	struct filter_ctx c = {.env = &t.env, .p = p, .out = out};
	bool result;

	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->flags |= flags;
	result = ops->match(&c, r, NULL);
	assert_false(c.malformed);
	test_pkt_free(&t, p);
	return result;
}

static bool
meets(void *r, const char *src, uint8_t ttl)
{
	return meets_out(r, src, ttl, NULL, 0);
}

static int
setup(void **state)
{
	(void)state;
	test_env_init(&t, 1);
	t.env.now = 5 * TEST_SECOND; /* younger than --seconds */
	LIST_INIT(&named);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_true(LIST_EMPTY(&named));
	return test_env_fini(&t);
}

static void
verbs(void **state)
{
	void *set = get(XT_RECENT_SET, 0, 0), *check = get(XT_RECENT_CHECK, 60, 0);
	void *update = get(XT_RECENT_UPDATE, 60, 3), *drop = get(XT_RECENT_REMOVE, 0, 0);

	(void)state;
	assert_false(meets(check, "1.1.1.1", 64));
	assert_false(meets(drop, "1.1.1.1", 64));
	assert_true(meets(set, "1.1.1.1", 64));
	assert_true(meets(check, "1.1.1.1", 64));
	assert_false(meets(check, "1.1.1.2", 64));
	assert_false(meets(update, "1.1.1.1", 64)); /* one hit */
	assert_true(meets(set, "1.1.1.1", 64));
	assert_true(meets(set, "1.1.1.1", 64));
	assert_true(meets(update, "1.1.1.1", 64));
	t.env.now += 60 * TEST_SECOND;
	assert_true(meets(check, "1.1.1.1", 64)); /* exactly 60 s is not older */
	t.env.now += 1;
	assert_false(meets(check, "1.1.1.1", 64));
	assert_true(meets(drop, "1.1.1.1", 64));
	assert_false(meets(drop, "1.1.1.1", 64));
	ops->release(set), ops->release(check), ops->release(update), ops->release(drop);
}

static void
eviction_and_ttl(void **state)
{
	void *set = get(XT_RECENT_SET, 0, 0), *check = get(XT_RECENT_CHECK, 0, 0);
	void *ttl = get(XT_RECENT_CHECK | XT_RECENT_TTL, 0, 0);
	char src[20];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(src, sizeof(src), "2.0.0.%d", i);
		meets(set, src, 64);
	}
	meets(set, "2.0.0.0", 64); /* seen again: 2.0.0.1 is the oldest now */
	meets(set, "3.0.0.0", 64);
	assert_true(meets(check, "2.0.0.0", 64));
	assert_false(meets(check, "2.0.0.1", 64));
	assert_true(meets(check, "2.0.0.2", 64));
	assert_true(meets(ttl, "3.0.0.0", 64));
	assert_false(meets(ttl, "3.0.0.0", 63));
	ops->release(set), ops->release(check), ops->release(ttl);
}

/* What is forwarded, or made by REJECT, has lost one on the way; what the router sends itself has not. */
static void
ttl_on_the_way_out(void **state)
{
	static const struct {
		uint16_t flags;
		uint8_t as;
	} cases[] = {{0, 65}, {PKT_LOCAL, 64}, {PKT_LOCAL | PKT_NO_SOCKET, 65}};
	void *set = get(XT_RECENT_SET, 0, 0), *ttl = get(XT_RECENT_CHECK | XT_RECENT_TTL, 0, 0);
	struct iface out = {0};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		meets_out(set, "5.0.0.1", 64, &out, cases[i].flags);
		assert_true(meets(ttl, "5.0.0.1", cases[i].as));
		assert_false(meets(ttl, "5.0.0.1", 129 - cases[i].as));
	}
	ops->release(set), ops->release(ttl);
}

static void
reap_and_rings(void **state)
{
	void *set = get(XT_RECENT_SET, 0, 0), *check = get(XT_RECENT_CHECK, 0, 0);
	void *reap = get(XT_RECENT_CHECK | XT_RECENT_REAP, 10, 0);
	void *many = get(XT_RECENT_CHECK, 0, 40);

	(void)state;
	meets(many, "9.9.9.9", 64); /* the rings are as long as the longest rule asks */
	meets(set, "4.0.0.1", 64);
	t.env.now += 11 * TEST_SECOND;
	meets(set, "4.0.0.2", 64);
	assert_true(meets(reap, "4.0.0.2", 64));
	assert_false(meets(check, "4.0.0.1", 64));
	for (int i = 1; i < 39; i++)
		meets(set, "4.0.0.2", 64);
	assert_false(meets(many, "4.0.0.2", 64));
	meets(set, "4.0.0.2", 64);
	assert_true(meets(many, "4.0.0.2", 64));
	ops->release(set), ops->release(check), ops->release(reap), ops->release(many);
}

static void
refusals(void **state)
{
	void *prepared = NULL;

	(void)state;
	assert_int_equal(prepare(rule(XT_RECENT_SET | XT_RECENT_CHECK, 0, 0), &prepared), -EINVAL);
	assert_int_equal(prepare(rule(XT_RECENT_SET, 5, 0), &prepared), -EINVAL);
	assert_int_equal(prepare(rule(XT_RECENT_CHECK | XT_RECENT_REAP, 0, 0), &prepared), -EINVAL);
	assert_int_equal(prepare(rule(XT_RECENT_CHECK, 0, 65536), &prepared), -EINVAL);
	assert_string_equal(why, "hitcount (65536) is larger than allowed maximum (65535)");
	assert_null(prepared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verbs, setup, teardown),
		cmocka_unit_test_setup_teardown(eviction_and_ttl, setup, teardown),
		cmocka_unit_test_setup_teardown(ttl_on_the_way_out, setup, teardown),
		cmocka_unit_test_setup_teardown(reap_and_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
