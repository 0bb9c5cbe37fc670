/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_statistic.h>

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

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct test_ip plain = {.src = "10.0.0.2", .dst = "10.1.0.2"};

static struct pkt *
udp(void)
{
	uint8_t buf[100];

	return ext_pkt(&env, &t, buf, test_udp(buf, &plain, 1, 2, 4), NULL, 0);
}

static void
mac(void **state)
{
	static const struct {
		uint8_t l2_len, last; /* 0: a link without frames */
		bool has_l2;
		enum ext_answer is, is_not;
	} rows[] = {
		{14, 5, true, YES, NO},
		{14, 4, true, NO, YES},
		{14, 6, true, NO, YES},
		{18, 5, true, YES, NO},
		{14, 5, false, NO, NO}, /* the frame's header is gone */
		{0, 5, true, NO, NO},
		{0, 5, false, NO, NO},
	};
	struct xt_mac_info o = {.srcaddr = {2, 0, 0, 0, 0, 5}};
	struct recorder r;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pkt *p = udp();
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_PREROUTING);
		uint8_t *frame = (uint8_t *)pkt_data(p) - rows[i].l2_len;

		p->l2_len = rows[i].l2_len;
		if (p->l2_len)
			memcpy(frame, (uint8_t[]){2, 9, 9, 9, 9, 9, 2, 0, 0, 0, 0, rows[i].last},
				12);
		if (rows[i].has_l2)
			p->flags |= PKT_HAS_L2;
		o.invert = 0;
		assert_int_equal(ext_ask_recorded(&c, "mac", 0, &o, sizeof(o), &r), rows[i].is);
		assert_false(r.refused);
		o.invert = 1;
		assert_int_equal(ext_ask(&c, "mac", 0, &o, sizeof(o)), rows[i].is_not);
		test_pkt_free(&env, p);
	}
}

static void
mark(void **state)
{
	static const struct {
		uint32_t mark, o_mark, mask;
		bool holds;
	} rows[] = {
		{0, 0, ~0u, true},
		{1, 0, ~0u, false},
		{0x80000001, 0x80000001, ~0u, true},
		{0x12345678, 0x00340000, 0x00ff0000, true},
		{0x12355678, 0x00340000, 0x00ff0000, false},
		{7, 9, 7, false}, /* bits outside the mask never match */
		{7, 0, 0, true},
	};
	struct pkt *p = udp();
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xt_mark_mtinfo1 o = {rows[i].o_mark, rows[i].mask, 0};

		p->mark = rows[i].mark;
		assert_int_equal(ext_ask(&c, "mark", 1, &o, sizeof(o)), rows[i].holds ? YES : NO);
		o.invert = 1;
		assert_int_equal(ext_ask(&c, "mark", 1, &o, sizeof(o)), rows[i].holds ? NO : YES);
	}
	test_pkt_free(&env, p);
}

enum {
	UID = XT_OWNER_UID,
	GID = XT_OWNER_GID,
	SOCKET = XT_OWNER_SOCKET,
	MORE = XT_OWNER_SUPPL_GROUPS
};

/* Without a socket, and with the one of the stack, which nobody owns; as the kernel answers. */
static void
owner(void **state)
{
	static const struct {
		uint8_t match, invert;
		enum ext_answer none, stack;
	} rows[] = {
		{SOCKET, 0, NO, YES},
		{SOCKET, SOCKET, YES, NO},
		{UID, 0, NO, NO},
		{UID, UID, YES, YES},
		{GID, GID, YES, YES},
		{GID, 0, NO, NO},
		{GID | MORE, GID, NO, YES},
		{UID | SOCKET, UID | SOCKET, YES, NO},
		{UID | SOCKET, UID, NO, YES},
		{UID | GID, UID, NO, NO},
		{0, 0, YES, YES},
	};
	static const struct {
		uint8_t type;
		bool local, stack;
	} sent[] = {{0, true, true}, {3, true, true}, {11, true, true}, {14, true, true},
		{8, true, false}, {13, true, false}, {0, false, false}, {3, false, false}};

	(void)state;
	for (size_t k = 0; k < COUNT(sent); k++)
		for (size_t i = 0; i < COUNT(rows); i++) {
			const struct xt_owner_match_info o = {
				0, 100, 0, 100, rows[i].match, rows[i].invert};
			uint8_t buf[100];
			size_t len = test_icmp(buf, &plain, sent[k].type, 0, 1, 1, 20);
			struct pkt *p = ext_pkt(&env, &t, buf, len, NULL, 0);
			struct filter_ctx c = ext_ctx(&env, &t, p, RULES_OUTPUT);

			p->flags |= sent[k].local ? PKT_LOCAL : 0;
			if (ext_ask(&c, "owner", 1, &o, sizeof(o)) !=
				(sent[k].stack ? rows[i].stack : rows[i].none))
				fail_msg("packet %zu, row %zu", k, i);
			test_pkt_free(&env, p);
		}
}

static void
owner_of_what_is_no_icmp(void **state)
{
	const struct xt_owner_match_info socket = {.match = SOCKET},
					 no_user = {.match = UID, .invert = UID};
	struct pkt *p = udp();
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_OUTPUT);

	(void)state;
	p->flags |= PKT_LOCAL;
	assert_int_equal(ext_ask(&c, "owner", 1, &socket, sizeof(socket)), NO);
	assert_int_equal(ext_ask(&c, "owner", 1, &no_user, sizeof(no_user)), YES);
	test_pkt_free(&env, p);
}

static void
comment(void **state)
{
	const struct xt_comment_info o = {"whatever it says"};
	struct pkt *p = udp();
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);

	(void)state;
	assert_int_equal(ext_ask(&c, "comment", 0, &o, sizeof(o)), YES);
	test_pkt_free(&env, p);
}

/* Of `n` packets, which match: one letter each. */
static void
run_statistic(const struct xt_statistic_info *o, char *out, size_t n)
{
	const struct match_ops *m = match_find("statistic", 0);
	uint64_t rule_state[2] = {0};
	struct pkt *p = udp();
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);

	assert_true(m->state_size > 0 && m->state_size <= sizeof(rule_state));
	assert_int_equal(m->reads, READS_NEVER);
	m->start(rule_state, o, env.env.now);
	for (size_t i = 0; i < n; i++)
		out[i] = m->match(&c, o, rule_state) ? 'x' : '.';
	out[n] = '\0';
	test_pkt_free(&env, p);
}

static void
every_nth(void **state)
{
	static const struct {
		uint32_t every, packet;
		const char *first, *inverted;
	} rows[] = {
		{1, 0, "xxxxxxxxx", "........."},
		{2, 0, "x.x.x.x.x", ".x.x.x.x."},
		{2, 1, ".x.x.x.x.", "x.x.x.x.x"},
		{3, 0, "x..x..x..", ".xx.xx.xx"},
		{3, 1, ".x..x..x.", "x.xx.xx.x"},
		{3, 2, "..x..x..x", "xx.xx.xx."},
	};
	char out[10];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xt_statistic_info o = {.mode = XT_STATISTIC_MODE_NTH,
			.u.nth = {.every = rows[i].every - 1, .packet = rows[i].packet}};

		run_statistic(&o, out, 9);
		assert_string_equal(out, rows[i].first);
		o.flags = XT_STATISTIC_INVERT;
		run_statistic(&o, out, 9);
		assert_string_equal(out, rows[i].inverted);
	}
}

static void
at_random(void **state)
{
	static const struct {
		uint32_t probability;
		size_t min, max;
	} rows[] = {{0, 0, 0}, {0x80000000, 10000, 10000}, {0x40000000, 4700, 5300},
		{0x08000000, 500, 750}};
	char out[10001];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct xt_statistic_info o = {.mode = XT_STATISTIC_MODE_RANDOM,
			.u.random.probability = rows[i].probability};
		size_t hits = 0;

		run_statistic(&o, out, 10000);
		for (size_t k = 0; k < 10000; k++)
			hits += out[k] == 'x';
		assert_in_range(hits, rows[i].min, rows[i].max);
	}
}

static void
refusals(void **state)
{
	struct xt_statistic_info s = {.mode = 2};
	struct xt_owner_match_info o = {.match = 0x10};

	(void)state;
#define STATISTIC() ext_match_refusal("statistic", 0, &s, sizeof(s), NULL, 0)
#define OWNER() ext_match_refusal("owner", 1, &o, sizeof(o), NULL, 0)
	assert_string_equal(STATISTIC(), "unknown mode 2");
	s.mode = XT_STATISTIC_MODE_NTH;
	s.flags = 2;
	assert_string_equal(STATISTIC(), "unknown flags 0x2");
	s.flags = 1;
	s.u.nth.every = 2;
	s.u.nth.packet = 3;
	assert_string_equal(STATISTIC(), "packet 3 of every 3");
	s.u.nth.packet = 2;
	assert_string_equal(STATISTIC(), "");
	assert_string_equal(OWNER(), "unknown options 0x10");
	o = (struct xt_owner_match_info){.uid_min = 2, .uid_max = 1, .gid_min = 4, .gid_max = 3};
	assert_string_equal(OWNER(), "");
	o.match = UID;
	assert_string_equal(OWNER(), "users 2 to 1 are no range");
	o.match = GID | MORE;
	assert_string_equal(OWNER(), "groups 4 to 3 are no range");
#undef STATISTIC
#undef OWNER
}

static void
where_they_may_stand(void **state)
{
	(void)state;
	assert_int_equal(match_find("mac", 0)->hooks, 0x07);
	assert_int_equal(match_find("owner", 1)->hooks, 0x18);
	assert_int_equal(match_find("mark", 1)->hooks, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mac, setup, teardown),
		cmocka_unit_test_setup_teardown(mark, setup, teardown),
		cmocka_unit_test_setup_teardown(owner, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_of_what_is_no_icmp, setup, teardown),
		cmocka_unit_test_setup_teardown(comment, setup, teardown),
		cmocka_unit_test_setup_teardown(every_nth, setup, teardown),
		cmocka_unit_test_setup_teardown(at_random, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(where_they_may_stand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
