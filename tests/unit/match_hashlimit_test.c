/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/named.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/xt_hashlimit.h>
#include <string.h>

static struct test_env t;
static struct named_list named;
static struct filters_live live = {.named = &named};
static char why[120];

/* A rate of `avg` millionths of a second between packets; entries live 10 s, swept every second. */
static struct xt_hashlimit_mtinfo3
rule(const char *name, uint32_t mode, uint64_t avg, uint64_t burst)
{
	struct xt_hashlimit_mtinfo3 o = {.cfg = {.avg = avg,
						 .burst = burst,
						 .mode = mode,
						 .gc_interval = 1000,
						 .expire = 10000,
						 .srcmask = 32,
						 .dstmask = 32}};

	strcpy(o.name, name);
	return o;
}

static void *
get(struct xt_hashlimit_mtinfo3 o)
{
	struct ext_check c = {.live = &live, .why = why, .why_size = sizeof(why)};
	void *prepared = NULL;

	assert_int_equal(match_hashlimit[2].check(&c, &o, &prepared), 0);
	return prepared;
}

/* => 1, 0, or -1: dropped at once. */
static int
meets(void *r, const char *src, uint16_t sport, size_t len)
{
	struct test_ip ip = {.src = src, .dst = "10.0.0.1"};
	uint8_t buf[2000];
	struct pkt *p = test_pkt(&t, buf, test_udp(buf, &ip, sport, 2, len));
	struct filter_ctx c = {.env = &t.env, .p = p};
	int result;

	assert_int_equal(pkt_parse(p), DROP_NONE);
	result = match_hashlimit[2].match(&c, r, NULL);
	result = c.malformed ? -1 : result;
	test_pkt_free(&t, p);
	return result;
}

static unsigned
passes(void *r, const char *src, uint16_t sport, size_t len, unsigned n)
{
	unsigned passed = 0;

	while (n--)
		passed += meets(r, src, sport, len) == 1;
	return passed;
}

static int
setup(void **state)
{
	(void)state;
	test_env_init(&t, 1);
	t.env.now = 100 * TEST_SECOND;
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
buckets_per_key(void **state)
{
	void *src = get(rule("s", XT_HASHLIMIT_HASH_SIP, 100000, 5)); /* 10/second, burst 5 */
	void *port = get(rule("p", XT_HASHLIMIT_HASH_SIP | XT_HASHLIMIT_HASH_SPT, 100000, 5));
	void *above = get(rule("s", XT_HASHLIMIT_HASH_SIP | XT_HASHLIMIT_INVERT, 100000, 5));

	(void)state;
	assert_int_equal(passes(src, "1.1.1.1", 1, 8, 20), 5);
	assert_int_equal(passes(src, "1.1.1.2", 1, 8, 20), 5);
	assert_int_equal(passes(port, "1.1.1.1", 1, 8, 20), 5);
	assert_int_equal(passes(port, "1.1.1.1", 2, 8, 20), 5);
	assert_int_equal(meets(above, "1.1.1.1", 1, 8), 1); /* the same table */
	t.env.now += 100 * TEST_MS;
	assert_int_equal(meets(above, "1.1.1.1", 1, 8), 0);
	t.env.now += 300 * TEST_MS;
	assert_int_equal(passes(src, "1.1.1.1", 1, 8, 20), 3);
	match_hashlimit[2].release(src);
	match_hashlimit[2].release(port);
	match_hashlimit[2].release(above);
}

static void
full_table(void **state)
{
	struct xt_hashlimit_mtinfo3 o = rule("f", XT_HASHLIMIT_HASH_SIP, 100000, 5);
	void *r;

	(void)state;
	o.cfg.size = 2;
	o.cfg.max = 2;
	r = get(o);
	assert_int_equal(meets(r, "1.1.1.1", 1, 8), 1);
	assert_int_equal(meets(r, "1.1.1.2", 1, 8), 1);
	assert_int_equal(meets(r, "1.1.1.3", 1, 8), -1);
	t.env.now += 5 * TEST_SECOND;
	assert_int_equal(meets(r, "1.1.1.2", 1, 8), 1);
	t.env.now += 5 * TEST_SECOND - 1;
	assert_int_equal(meets(r, "1.1.1.3", 1, 8), -1);
	t.env.now += 1; /* a sweep is due when 1.1.1.1 expires */
	assert_int_equal(meets(r, "1.1.1.3", 1, 8), 1);
	assert_int_equal(meets(r, "1.1.1.4", 1, 8), -1);
	match_hashlimit[2].release(r);
}

static void
bytes_and_rates(void **state)
{
	/* 1,600 bytes a second: 100 chunks of 16 */
	void *bytes = get(rule("b", XT_HASHLIMIT_HASH_SIP | XT_HASHLIMIT_BYTES, UINT32_MAX / 100, 0));
	struct xt_hashlimit_mtinfo3 o =
		rule("r", XT_HASHLIMIT_HASH_SIP | XT_HASHLIMIT_RATE_MATCH, 100000, 0);
	void *rate;

	(void)state;
	o.cfg.interval = 2; /* 10 packets a second over two */
	rate = get(o);
	assert_int_equal(passes(bytes, "1.1.1.1", 1, 131, 50), 10); /* 159 bytes: 10 chunks */
	t.env.now += 500 * TEST_MS;
	assert_int_equal(passes(bytes, "1.1.1.1", 1, 131, 50), 5);
	assert_int_equal(passes(rate, "1.1.1.1", 1, 8, 30), 10);
	t.env.now += 2 * TEST_SECOND; /* 30 packets in 2 s were above */
	assert_int_equal(passes(rate, "1.1.1.1", 1, 8, 5), 0);
	t.env.now += 2 * TEST_SECOND;
	assert_int_equal(passes(rate, "1.1.1.1", 1, 8, 5), 5);
	match_hashlimit[2].release(bytes);
	match_hashlimit[2].release(rate);
}

static void
refusals(void **state)
{
	struct ext_check c = {.live = &live, .why = why, .why_size = sizeof(why)};
	struct xt_hashlimit_mtinfo3 o = rule("x", XT_HASHLIMIT_HASH_SIP, 1000, 0);
	void *prepared = NULL;

	(void)state;
	assert_int_equal(match_hashlimit[2].check(&c, &o, &prepared), -EINVAL);
	assert_string_equal(why, "overflow, try lower: 1000/0");
	o = rule("x", 1 << 7, 1000, 1);
	assert_int_equal(match_hashlimit[2].check(&c, &o, &prepared), -EINVAL);
	o = rule("", 0, 1000, 1);
	assert_int_equal(match_hashlimit[2].check(&c, &o, &prepared), -EINVAL);
	assert_null(prepared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buckets_per_key, setup, teardown),
		cmocka_unit_test_setup_teardown(full_table, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_and_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
