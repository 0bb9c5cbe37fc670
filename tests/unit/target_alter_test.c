/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/csum.h"
#include "filters/conntrack.h"
#include "filters/live.h"
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_DSCP.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter_ipv4/ipt_TTL.h>

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

static struct pkt *
udp(uint8_t ttl, uint8_t tos)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2", .ttl = ttl, .tos = tos};
	uint8_t buf[100];

	return ext_pkt(&env, &t, buf, test_udp(buf, &ip, 1, 2, 4), NULL, 0);
}

static void
mark(void **state)
{
	static const struct {
		uint32_t before, mark, mask, after;
	} rows[] = {
		{0, 1, ~0u, 1},                                   /* --set-mark 1 */
		{0xff00ff00, 0x12, 0xff, 0xff00ff12},             /* --set-xmark 0x12/0xff */
		{0xff00ff00, 0xffffffff, 0, 0x00ff00ff},          /* --xor-mark */
		{0x12345678, 0, 0xffff0000, 0x00005678},          /* --and-mark 0xffff */
		{0x12345678, 0x000f0000, 0x000f0000, 0x123f5678}, /* --or-mark */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct xt_mark_tginfo2 o = {rows[i].mark, rows[i].mask};
		struct pkt *p = udp(64, 0);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_PREROUTING);

		p->mark = rows[i].before;
		assert_int_equal(ext_run(&c, "MARK", 2, &o, sizeof(o)), FILTER_CONTINUE);
		assert_int_equal(p->mark, rows[i].after);
		test_pkt_free(&env, p);
	}
}

enum { SET = XT_CONNMARK_SET, SAVE = XT_CONNMARK_SAVE, RESTORE = XT_CONNMARK_RESTORE };

static const struct {
	struct xt_connmark_tginfo2 o;
	uint32_t ct, packet, ct_after, packet_after;
} connmarks[] = {
	{{0x12, ~0u, 0, 0, 0, SET}, 5, 7, 0x12, 7},
	{{0x12, 0xff, 0, 0, 0, SET}, 0xabcd, 7, 0xab12, 7},
	{{0x0f, 0, 0, 0, 0, SET}, 0xff, 7, 0xf0, 7}, /* --xor-mark */
	{{0x12, 0xff, 0, D_SHIFT_LEFT, 8, SET}, 0xab00, 7, 0xab1200, 7},
	{{0x12, 0xff, 0, D_SHIFT_RIGHT, 4, SET}, 0xab00, 7, 0xab1, 7},
	{{0, ~0u, ~0u, 0, 0, SAVE}, 5, 7, 7, 7},
	{{0, 0xff00, 0xff00, 0, 0, SAVE}, 0x111111, 0x222222, 0x112211, 0x222222},
	{{0, 0xff00, 0xff, D_SHIFT_LEFT, 8, SAVE}, 0x111111, 0x222233, 0x113311, 0x222233},
	{{0, 0xff, 0xff00, D_SHIFT_RIGHT, 8, SAVE}, 0x111111, 0x224422, 0x111144, 0x224422},
	{{0, ~0u, ~0u, 0, 0, RESTORE}, 5, 7, 5, 5},
	{{0, 0xff00, 0xff00, 0, 0, RESTORE}, 0x111111, 0x222222, 0x111111, 0x221122},
	{{0, 0xff, 0xff00, D_SHIFT_LEFT, 8, RESTORE}, 0x111155, 0x222222, 0x111155, 0x225522},
	{{0, 0xff00, 0xff, D_SHIFT_RIGHT, 8, RESTORE}, 0x116611, 0x222222, 0x116611, 0x222266},
	{{0, ~0u, ~0u, D_SHIFT_LEFT, 31, RESTORE}, 3, 0, 3, 0x80000000},
};

static void
connmark(void **state)
{
	struct filters_live live = {.conntrack = conntrack_new(&t.live, 1)};
	struct pkt *p = udp(64, 0);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_PREROUTING);
	enum drop_reason why = DROP_NONE;

	(void)state;
	t.live.filters = &live;
	p->in = c.in;
	assert_int_equal(conntrack_input(&env.env, &t.r, p, RULES_PREROUTING, &why), FILTER_ACCEPT);
	assert_int_not_equal(p->ct, 0);
	for (size_t i = 0; i < COUNT(connmarks); i++)
		for (uint8_t revision = 1; revision <= 2; revision++) {
			const struct xt_connmark_tginfo2 *o = &connmarks[i].o;
			const struct xt_connmark_tginfo1 old = {
				o->ctmark, o->ctmask, o->nfmask, o->mode};

			if (revision == 1 && o->shift_bits)
				continue;
			conntrack_of(&t.r, p)->mark = connmarks[i].ct;
			p->mark = connmarks[i].packet;
			if (revision == 1)
				ext_run(&c, "CONNMARK", 1, &old, sizeof(old));
			else
				ext_run(&c, "CONNMARK", 2, o, sizeof(*o));
			if (conntrack_of(&t.r, p)->mark != connmarks[i].ct_after ||
				p->mark != connmarks[i].packet_after)
				fail_msg("row %zu, revision %u", i, revision);
		}
	env_pkt_free(&env.env, p);
	conntrack_free(live.conntrack, &env.env);
	t.live.filters = NULL;
}

/* Invalid and untracked packets have no connection to mark. */
static void
connmark_without_connection(void **state)
{
	const struct xt_connmark_tginfo2 o = {.ctmask = ~0u, .nfmask = ~0u, .mode = RESTORE};
	struct filters_live live = {.conntrack = conntrack_new(&t.live, 1)};
	struct pkt *p = udp(64, 0);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_PREROUTING);

	(void)state;
	t.live.filters = &live;
	p->mark = 7;
	p->ct_info = CT_UNTRACKED;
	assert_int_equal(ext_run(&c, "CONNMARK", 2, &o, sizeof(o)), FILTER_CONTINUE);
	assert_int_equal(p->mark, 7);
	test_pkt_free(&env, p);
	conntrack_free(live.conntrack, &env.env);
	t.live.filters = NULL;
}

/* Runs a target that changes the IP header; its checksum holds after that. */
static struct iphdr
after(struct pkt *p, const char *name, uint8_t revision, const void *options, size_t size,
	uint16_t guards)
{
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
	struct recorder r = {0};
	struct iphdr ip;

	p->recorder = &r;
	assert_int_equal(ext_run(&c, name, revision, options, size), FILTER_CONTINUE);
	p->recorder = NULL;
	assert_int_equal(r.guards, guards);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_true(pkt_l4_checksum_ok(p));
	ip = *pkt_ip4(p);
	test_pkt_free(&env, p);
	return ip;
}

static void
ttl(void **state)
{
	static const struct {
		uint8_t mode, value, before, after;
	} rows[] = {
		{IPT_TTL_SET, 5, 64, 5},
		{IPT_TTL_SET, 0, 64, 0},
		{IPT_TTL_SET, 64, 64, 64},
		{IPT_TTL_INC, 1, 64, 65},
		{IPT_TTL_INC, 191, 64, 255},
		{IPT_TTL_INC, 192, 64, 255},
		{IPT_TTL_INC, 255, 255, 255},
		{IPT_TTL_DEC, 1, 64, 63},
		{IPT_TTL_DEC, 64, 64, 0},
		{IPT_TTL_DEC, 65, 64, 0},
		{IPT_TTL_DEC, 255, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct ipt_TTL_info o = {rows[i].mode, rows[i].value};

		assert_int_equal(
			after(udp(rows[i].before, 0), "TTL", 0, &o, sizeof(o), GUARD_TTL).ttl,
			rows[i].after);
	}
}

/* As the kernel did it, for every value that comes in. */
static void
type_of_service(void **state)
{
	(void)state;
	for (unsigned tos = 0; tos < 256; tos++) {
		const struct xt_DSCP_info dscp = {46};
		const uint8_t old = 0x10;
		const struct xt_tos_target_info set = {0x10, 0x3f}, flip = {0xff, 0};
		const uint8_t in = (uint8_t)tos;

#define AFTER(name, revision, o) after(udp(64, in), name, revision, &(o), sizeof(o), 0).tos
		assert_int_equal(AFTER("DSCP", 0, dscp), (tos & 3) | 46 << 2);
		assert_int_equal(AFTER("TOS", 0, old), (tos & 0xe0) | 0x10);
		assert_int_equal(AFTER("TOS", 1, set), (tos & 0xc0) | 0x10);
		assert_int_equal(AFTER("TOS", 1, flip), tos ^ 0xff);
#undef AFTER
	}
}

static void
refusals(void **state)
{
	struct xt_connmark_tginfo2 ct = {.mode = 3};
	const struct xt_connmark_tginfo1 ct1 = {.mode = 3};
	struct ipt_TTL_info hops = {3, 1};
	struct xt_DSCP_info dscp = {64};
	uint8_t tos = 1;

	(void)state;
#define REFUSAL(name, revision, o) ext_target_refusal(name, revision, &(o), sizeof(o), NULL, 0)
	assert_string_equal(REFUSAL("CONNMARK", 2, ct), "unknown mode 3");
	assert_string_equal(REFUSAL("CONNMARK", 1, ct1), "unknown mode 3");
	ct.mode = SAVE;
	ct.shift_bits = 32;
	assert_string_equal(REFUSAL("CONNMARK", 2, ct), "shift by 32 bits");
	ct.shift_bits = 31;
	assert_string_equal(REFUSAL("CONNMARK", 2, ct), "");
	assert_string_equal(REFUSAL("TTL", 0, hops), "unknown mode 3");
	hops = (struct ipt_TTL_info){IPT_TTL_DEC, 0};
	assert_string_equal(REFUSAL("TTL", 0, hops), "a change by 0");
	hops.mode = IPT_TTL_SET;
	assert_string_equal(REFUSAL("TTL", 0, hops), "");
	assert_string_equal(REFUSAL("DSCP", 0, dscp), "DSCP 64 is more than 63");
	dscp.dscp = 63;
	assert_string_equal(REFUSAL("DSCP", 0, dscp), "");
	assert_string_equal(REFUSAL("TOS", 0, tos), "unknown type of service 0x01");
	tos = 8;
	assert_string_equal(REFUSAL("TOS", 0, tos), "");
#undef REFUSAL
}

static void
where_they_may_stand(void **state)
{
	(void)state;
	assert_int_equal(target_find("TTL", 0)->tables, 1 << TABLE_MANGLE);
	assert_int_equal(target_find("TOS", 1)->tables, 1 << TABLE_MANGLE);
	assert_int_equal(target_find("DSCP", 0)->tables, 1 << TABLE_MANGLE);
	assert_int_equal(target_find("MARK", 2)->tables, 0);
	assert_int_equal(target_find("CONNMARK", 2)->tables, 0);
	assert_int_equal(target_find("CONNMARK", 2)->needs, NEEDS_CONNTRACK);
	assert_int_equal(target_find("TCPMSS", 0)->tables, 0);
	assert_int_equal(target_find("TCPMSS", 0)->proto, IPPROTO_TCP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mark, setup, teardown),
		cmocka_unit_test_setup_teardown(connmark, setup, teardown),
		cmocka_unit_test_setup_teardown(connmark_without_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(ttl, setup, teardown),
		cmocka_unit_test_setup_teardown(type_of_service, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(where_they_may_stand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
