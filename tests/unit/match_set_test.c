/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/set_options.h"
#include "filters/sets.h"
#include "fabric/base/csum.h"
#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static struct test_env t;
static struct filters_live live;
static char why[200];
static const struct iface eth0 = {.name = "eth0", .slot = 2};

static struct ext_check
checking(void)
{
	return (struct ext_check){.live = &live, .why = why, .why_size = sizeof(why)};
}

static void
commands(const char *text)
{
	assert_int_equal(sets_run(live.sets, text, strlen(text), t.env.now, why, sizeof(why)), 0);
}

/* `target` NULL: whether -m set matches a packet to 10.0.0.1:80; else runs SET. */
static bool
meets(const struct set_match_options *match, const struct set_target_options *target, const char *src)
{
	struct ext_check check = checking();
	struct test_ip ip = {.src = src, .dst = "10.0.0.1"};
	uint8_t buf[100];
	struct pkt *p = test_pkt(&t, buf, test_udp(buf, &ip, 1000, 80, 8));
	struct filter_ctx c = {.env = &t.env, .p = p, .in = &eth0};
	void *prepared = NULL;
	bool result = true;

	assert_int_equal(pkt_parse(p), DROP_NONE);
	if (match) {
		assert_int_equal(match_set[4].check(&check, match, &prepared), 0);
		result = match_set[4].match(&c, prepared, NULL);
		match_set[4].release(prepared);
	} else {
		assert_int_equal(target_set[2].check(&check, target, &prepared), 0);
		assert_int_equal(target_set[2].run(&c, prepared, NULL), FILTER_CONTINUE);
		target_set[2].release(prepared);
	}
	test_pkt_free(&t, p);
	return result;
}

static void
types(void **state)
{
	static const struct {
		struct set_match_options o;
		const char *src;
		bool match;
	} rows[] = {
		{{.set = {"ip", 1, 1, 0, {0}}}, "1.2.3.4", true},
		{{.set = {"ip", 1, 0, 0, {0}}}, "1.2.3.4", false},
		{{.set = {"ip", 1, 1, 1, {0}}}, "1.2.3.4", false},
		{{.set = {"net", 1, 1, 0, {0}}}, "1.2.3.4", true},
		{{.set = {"net", 1, 1, 0, {0}}}, "1.2.4.4", false}, /* nomatch is longer */
		{{.set = {"net", 1, 1, 0, {0}}, .flags = IPSET_FLAG_RETURN_NOMATCH}, "1.2.4.4", true},
		{{.set = {"net", 1, 1, 0, {0}}}, "1.3.0.0", false},
		{{.set = {"port", 2, 1, 0, {0}}}, "1.2.3.4", true}, /* src,dst */
		{{.set = {"port", 2, 3, 0, {0}}}, "1.2.3.4", false},
		{{.set = {"port", 1, 1, 0, {0}}}, "1.2.3.4", false}, /* a dimension is missing */
		{{.set = {"if", 2, 3, 0, {0}}}, "1.2.3.4", true},
		{{.set = {"if", 2, 3, 0, {0}}}, "1.2.9.4", false}, /* hidden by the /24 of another interface */
		{{.set = {"map", 1, 0, 0, {0}}}, "1.2.3.4", true},
		{{.set = {"map", 1, 1, 0, {0}}}, "1.2.3.4", false},
	};

	(void)state;
	commands("create ip hash:ip\nadd ip 1.2.3.4\ncreate net hash:net\nadd net 1.2.0.0/16\n"
		 "add net 1.2.4.0/24 nomatch\ncreate port hash:ip,port\nadd port 1.2.3.4,udp:80\n"
		 "create if hash:net,iface\nadd if 1.2.0.0/16,eth wildcard\nadd if 1.2.9.0/24,lo\n"
		 "create map bitmap:port range 1-100\nadd map 80\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (meets(&rows[i].o, NULL, rows[i].src) != rows[i].match)
			fail_msg("row %zu", i);
}

/* A later fragment has no port to ask for; of a protocol without ports it has the 0 that all its packets have. */
static void
later_fragments(void **state)
{
	static const struct {
		uint8_t proto;
		bool match;
	} rows[] = {{IPPROTO_UDP, false}, {IPPROTO_TCP, false}, {99, true}};
	const struct set_match_options o = {.set = {"port", 2, 3, 0, {0}}};
	struct ext_check check = checking();
	const struct test_ip ip = {.src = "1.2.3.4", .dst = "10.0.0.1"};
	void *prepared = NULL;
	uint8_t buf[100];

	(void)state;
	commands("create port hash:ip,port\nadd port 1.2.3.4,udp:0\nadd port 1.2.3.4,tcp:0\nadd port 1.2.3.4,99:0\n");
	assert_int_equal(match_set[4].check(&check, &o, &prepared), 0);
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		size_t len = test_ip4(buf, &ip, rows[i].proto, "12345678", 8);
		struct iphdr *head = (struct iphdr *)buf;
		struct filter_ctx c = {.env = &t.env, .in = &eth0};

		head->frag_off = htons(100);
		head->check = 0;
		head->check = ip4_checksum(head);
		c.p = test_pkt(&t, buf, len);
		assert_int_equal(pkt_parse(c.p), DROP_NONE);
		assert_int_equal(match_set[4].match(&c, prepared, NULL), rows[i].match);
		test_pkt_free(&t, c.p);
	}
	match_set[4].release(prepared);
}

static void
target_and_counters(void **state)
{
	const struct set_target_options add = {
		.add = {"c", 1, 1, 0, {0}}, .timeout = 5}, del = {.del = {"c", 1, 1, 0, {0}}};
	struct set_match_options in = {.set = {"c", 1, 1, 0, {0}}};
	struct set_match_options more = in;

	(void)state;
	more.packets = (struct set_counter_option){3, IPSET_COUNTER_GT, {0}};
	commands("create c hash:ip timeout 60 counters\n");
	assert_false(meets(&in, NULL, "1.1.1.1"));
	meets(NULL, &add, "1.1.1.1"); /* counts one */
	assert_true(meets(&in, NULL, "1.1.1.1"));
	assert_false(meets(&more, NULL, "1.1.1.1")); /* three now */
	assert_true(meets(&more, NULL, "1.1.1.1"));
	t.env.now += 5 * TEST_SECOND + 1;
	assert_false(meets(&in, NULL, "1.1.1.1"));
	meets(NULL, &add, "1.1.1.1");
	meets(NULL, &del, "1.1.1.1");
	assert_false(meets(&in, NULL, "1.1.1.1"));
}

static void
refusals(void **state)
{
	struct ext_check c = checking();
	const struct set_match_options o = {.set = {"none", 1, 1, 0, {0}}};
	const struct set_target_options map = {.map = {"none", 1, 1, 0, {0}}};
	void *prepared = NULL;

	(void)state;
	assert_int_equal(match_set[4].check(&c, &o, &prepared), -EINVAL);
	assert_string_equal(why, "Set none doesn't exist");
	assert_int_equal(target_set[2].check(&c, &map, &prepared), -EINVAL);
}

static int
setup(void **state)
{
	(void)state;
	test_env_init(&t, 1);
	t.env.now = TEST_SECOND;
	live.sets = sets_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sets_free(live.sets);
	return test_env_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(types, setup, teardown),
		cmocka_unit_test_setup_teardown(later_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(target_and_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
