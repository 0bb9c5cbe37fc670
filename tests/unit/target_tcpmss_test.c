/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/csum.h"
#include "tests/unit/support/extensions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <netinet/tcp.h>

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

enum { NO_DOFF = 99, FRAME = 14 };

/* How a packet comes. */
enum way { WHOLE, WITH_IP_OPTIONS, WITH_FRAME, PARTIAL_CHECKSUM, WITH_EMPTY_SEGMENT, WAYS };

/* A SYN with these options, then data; its header says `doff` words, or NO_DOFF: what is right. */
static struct pkt *
syn(enum way way, const char *src, const uint8_t *options, size_t len, size_t data, uint8_t doff)
{
	static const uint8_t nops[4] = {1, 1, 1, 1};
	const struct test_ip ip = {.src = src,
		.dst = "10.1.0.2",
		.options = nops,
		.options_len = way == WITH_IP_OPTIONS ? 4 : 0};
	const size_t all_l4 = 20 + len + data, sizes[] = {20 + ip.options_len + all_l4, 0, 0};
	uint8_t buf[200], l4[120] = {0, 9, 0, 80, 1, 2, 3, 4, [13] = TH_SYN, 1, 2};
	const uint64_t pseudo =
		csum_pseudo4(inet_addr(src), inet_addr(ip.dst), 6, (uint16_t)all_l4);
	bool partial = way == PARTIAL_CHECKSUM;
	uint16_t check;
	struct pkt *p;

	l4[12] = (uint8_t)((doff == NO_DOFF ? (20 + len) / 4 : doff) << 4);
	memcpy(l4 + 20, options, len);
	memset(l4 + 20 + len, 0xda, data);
	check = partial ? csum_fold(pseudo) : (uint16_t)~csum_fold(csum_add(pseudo, l4, all_l4));
	memcpy(l4 + 16, &check, 2);
	p = test_chain(&env, buf, test_ip4(buf, &ip, 6, l4, all_l4), sizes,
		way == WITH_EMPTY_SEGMENT ? 3 : 0);
	p->flags = partial ? PKT_CSUM_PARTIAL : 0;
	p->csum_start = 20;
	p->csum_offset = 16;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	p->router = &t.r;
	p->mtu = 1400;
	if (way == WITH_FRAME) {
		p->l2_len = FRAME;
		p->flags |= PKT_HAS_L2;
		memset((uint8_t *)pkt_data(p) - FRAME, 0xee, FRAME);
	}
	return p;
}

/* Descriptor and checksums are as a fresh look at the packet finds them. */
static void
expect_right(struct pkt *p)
{
	const struct pkt before = *p;

	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(p->l3_len, before.l3_len);
	assert_int_equal(p->l4_len, before.l4_len);
	assert_int_equal(p->sport, before.sport);
	assert_int_equal(p->dport, before.dport);
	assert_int_equal(pkt_len(p), ntohs(pkt_ip4(p)->tot_len));
	if (before.l2_len)
		for (size_t i = 1; i <= FRAME; i++)
			assert_int_equal(((uint8_t *)pkt_data(p))[-(int)i], 0xee);
	pkt_checksum_complete(p);
	p->flags &= (uint16_t)~PKT_CSUM_VALID;
	assert_true(pkt_l4_checksum_ok(p));
}

struct mss_row {
	const char *what;
	uint8_t in[40];
	size_t len, data;
	uint16_t mss;
	uint8_t out[44];
	size_t out_len;
};

/* What comes out is what the kernel lets out for the same options. */
static void
set_mss(void **state)
{
	static const struct mss_row rows[] = {
		{"lowered", {2, 4, 5, 0xb4}, 4, 0, 500, {2, 4, 1, 0xf4}, 4},
		{"lowered by one", {2, 4, 5, 0xb4}, 4, 0, 1459, {2, 4, 5, 0xb3}, 4},
		{"equal", {2, 4, 5, 0xb4}, 4, 0, 1460, {2, 4, 5, 0xb4}, 4},
		{"never raised", {2, 4, 5, 0xb4}, 4, 0, 1461, {2, 4, 5, 0xb4}, 4},
		{"lowered, with data", {2, 4, 5, 0xb4}, 4, 7, 500, {2, 4, 1, 0xf4}, 4},
		{"odd place", {1, 2, 4, 5, 0xb4, 0, 0, 0}, 8, 0, 500, {1, 2, 4, 1, 0xf4, 0, 0, 0},
			8},
		{"even place", {1, 1, 2, 4, 5, 0xb4, 0, 0}, 8, 0, 500, {1, 1, 2, 4, 1, 0xf4, 0, 0},
			8},
		{"past the end of the list", {0, 0, 2, 4, 5, 0xb4, 0, 0}, 8, 0, 500,
			{0, 0, 2, 4, 1, 0xf4, 0, 0}, 8},
		{"first only", {2, 4, 5, 0xb4, 2, 4, 5, 0xb4}, 8, 0, 500,
			{2, 4, 1, 0xf4, 2, 4, 5, 0xb4}, 8},
		{"added", {0}, 0, 0, 500, {2, 4, 1, 0xf4}, 4},
		{"added: 536 at most", {0}, 0, 0, 1460, {2, 4, 2, 0x18}, 4},
		{"added before others", {3, 3, 7, 0}, 4, 0, 500, {2, 4, 1, 0xf4, 3, 3, 7, 0}, 8},
		{"added: the one there is wrong", {2, 3, 7, 0}, 4, 0, 500,
			{2, 4, 1, 0xf4, 2, 3, 7, 0}, 8},
		{"added: the one there is cut off", {1, 1, 1, 2}, 4, 0, 500,
			{2, 4, 1, 0xf4, 1, 1, 1, 2}, 8},
		{"not added before data", {0}, 0, 1, 500, {0}, 0},
		{"no room in the header", {[0 ... 39] = 1}, 40, 0, 500, {[0 ... 39] = 1}, 40},
		{"last room in the header", {[0 ... 35] = 1}, 36, 0, 500,
			{2, 4, 1, 0xf4, [4 ... 39] = 1}, 40},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * WAYS; i++) {
		const struct mss_row *r = &rows[i / WAYS];
		struct pkt *p = syn(i % WAYS, "10.0.0.2", r->in, r->len, r->data, NO_DOFF);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
		const struct xt_tcpmss_info o = {r->mss};

		if (ext_run(&c, "TCPMSS", 0, &o, sizeof(o)) != FILTER_CONTINUE)
			fail_msg("%s", r->what);
		if (p->l4_len != 20 + r->out_len ||
			memcmp((uint8_t *)pkt_l4(p) + 20, r->out, r->out_len) != 0 ||
			pkt_len(p) != p->l3_len + p->l4_len + r->data)
			fail_msg("%s, way %zu", r->what, i % WAYS);
		expect_right(p);
		test_pkt_free(&env, p);
	}
}

/* Out by eth1, mtu 1400 unless said otherwise; back by what routes to the source. */
static void
clamp(void **state)
{
	static const struct {
		const char *src;
		uint32_t mtu;
		uint16_t mss; /* what comes out of 1460; 0: dropped */
	} rows[] = {
		{"10.0.0.2", 1400, 1360},
		{"10.0.0.2", 9000, 1460},   /* eth0: 1500 */
		{"172.16.5.5", 9000, 1452}, /* iucv0: 1492 */
		{"10.1.0.9", 9000, 1360},   /* eth1: 1400 */
		{"10.1.0.1", 9000, 1460},   /* made here: no way back */
		{"10.0.0.2", 41, 1},
		{"10.0.0.2", 40, 0},
		{"10.0.0.2", 0, 0},
	};
	const uint8_t options[] = {2, 4, 5, 0xb4};
	const struct xt_tcpmss_info o = {XT_TCPMSS_CLAMP_PMTU};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pkt *p = syn(WHOLE, rows[i].src, options, 4, 0, NO_DOFF);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
		const uint8_t *mss = (uint8_t *)pkt_l4(p) + 22;

		p->mtu = rows[i].mtu;
		if (rows[i].mss == 0) {
			assert_int_equal(ext_run(&c, "TCPMSS", 0, &o, sizeof(o)), FILTER_DROP);
			assert_int_equal(c.why, DROP_MTU);
		} else {
			assert_int_equal(ext_run(&c, "TCPMSS", 0, &o, sizeof(o)), FILTER_CONTINUE);
			if ((mss[0] << 8 | mss[1]) != rows[i].mss)
				fail_msg("row %zu: %d", i, mss[0] << 8 | mss[1]);
			expect_right(p);
		}
		test_pkt_free(&env, p);
	}
}

/* A source that no route leads back to is no limit. */
static void
clamp_without_way_back(void **state)
{
	const uint8_t options[] = {2, 4, 0xff, 0xff};
	const struct xt_tcpmss_info o = {XT_TCPMSS_CLAMP_PMTU};
	struct pkt *p = syn(WHOLE, "9.9.9.9", options, 4, 0, NO_DOFF);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
	const uint8_t *mss = (uint8_t *)pkt_l4(p) + 22;

	(void)state;
	t.lives[TEST_ETH0].carrier = false;
	p->mtu = 100000;
	assert_int_equal(ext_run(&c, "TCPMSS", 0, &o, sizeof(o)), FILTER_CONTINUE);
	assert_int_equal(mss[0] << 8 | mss[1], 65535 - 40);
	expect_right(p);
	test_pkt_free(&env, p);
}

static void
what_is_dropped(void **state)
{
	static const struct {
		const char *what;
		size_t options;
		uint8_t doff;
		enum filter_verdict verdict;
	} rows[] = {
		{"header of 16", 0, 4, FILTER_DROP},
		{"header of 24, 20 there", 0, 6, FILTER_DROP},
		{"header of 28, 24 there", 4, 7, FILTER_DROP},
		{"header of 24", 4, 6, FILTER_CONTINUE},
		{"header of 20, 4 of data", 4, 5, FILTER_CONTINUE},
	};
	const struct xt_tcpmss_info o = {500};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const uint8_t options[8] = {1, 1, 1, 1};
		struct pkt *p = syn(WHOLE, "10.0.0.2", options, rows[i].options, 0, rows[i].doff);
		struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);

		assert_int_equal(ext_run(&c, "TCPMSS", 0, &o, sizeof(o)), rows[i].verdict);
		if (rows[i].verdict == FILTER_DROP)
			assert_int_equal(c.why, DROP_RULE_MALFORMED);
		test_pkt_free(&env, p);
	}
}

static void
later_fragments_pass(void **state)
{
	const struct test_ip ip = {.src = "10.0.0.2", .dst = "10.1.0.2", .frag_off = 5};
	const uint8_t bytes[40] = {2, 4, 5, 0xb4};
	const struct xt_tcpmss_info o = {500};
	uint8_t buf[100];
	size_t len = test_ip4(buf, &ip, 6, bytes, sizeof(bytes));
	struct pkt *p = ext_pkt(&env, &t, buf, len, NULL, 0);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);

	(void)state;
	assert_int_equal(ext_run(&c, "TCPMSS", 0, &o, sizeof(o)), FILTER_CONTINUE);
	assert_memory_equal(pkt_data(p), buf, len);
	test_pkt_free(&env, p);
}

static void
no_room_to_grow(void **state)
{
	const struct xt_tcpmss_info o = {500};
	struct pkt *p = syn(WHOLE, "10.0.0.2", (const uint8_t *)"", 0, 0, NO_DOFF);
	struct filter_ctx c = ext_ctx(&env, &t, p, RULES_FORWARD);
	struct rte_mbuf *m = pkt_mbuf(p);
	const uint16_t off = m->data_off;

	(void)state;
	memmove(m->buf_addr, pkt_data(p), 40);
	m->data_off = 0;
	assert_int_equal(ext_run(&c, "TCPMSS", 0, &o, sizeof(o)), FILTER_DROP);
	assert_int_equal(c.why, DROP_NO_BUFFER);
	expect_right(p);
	m->data_off = off;
	test_pkt_free(&env, p);
}

static const char *
refusal(const struct xt_tcp *tcp, const char *name, uint16_t mss, uint32_t hooks)
{
	struct xt_tcp copy = *tcp;
	struct rules_ext matches[2] = {
		{.name = "comment"}, {.size = sizeof(copy), .data = (uint8_t *)&copy}};
	const struct rules_rule rule = {.matches = matches, .n_matches = 2, .proto = IPPROTO_TCP};
	const struct xt_tcpmss_info o = {mss};

	strcpy(matches[1].name, name);
	return ext_target_refusal("TCPMSS", 0, &o, sizeof(o), &rule, hooks);
}

static void
refusals(void **state)
{
	static const char *const no_syn =
		"works on SYN segments only: the rule needs --syn or --tcp-flags with SYN";
	static const char *const no_way =
		"--clamp-mss-to-pmtu is possible in FORWARD, OUTPUT and POSTROUTING only";
	const struct xt_tcp syn_only = {.flg_mask = 0x17, .flg_cmp = TH_SYN}, any = {0};
	const struct xt_tcp not_syn = {
		.flg_mask = 0x17, .flg_cmp = TH_SYN, .invflags = XT_TCP_INV_FLAGS};
	const struct xt_tcpmss_info o = {500};
	const uint32_t late = 1 << RULES_FORWARD | 1 << RULES_OUTPUT | 1 << RULES_POSTROUTING;

	(void)state;
	assert_string_equal(refusal(&syn_only, "tcp", 500, 0x1f), "");
	assert_string_equal(refusal(&any, "tcp", 500, 0x1f), no_syn);
	assert_string_equal(refusal(&not_syn, "tcp", 500, 0x1f), no_syn);
	assert_string_equal(refusal(&syn_only, "udp", 500, 0x1f), no_syn);
	assert_string_equal(ext_target_refusal("TCPMSS", 0, &o, sizeof(o), NULL, 0), no_syn);
	assert_string_equal(refusal(&syn_only, "tcp", XT_TCPMSS_CLAMP_PMTU, late), "");
	assert_string_equal(refusal(&syn_only, "tcp", XT_TCPMSS_CLAMP_PMTU, 0), "");
	assert_string_equal(
		refusal(&syn_only, "tcp", XT_TCPMSS_CLAMP_PMTU, late | 1 << RULES_INPUT), no_way);
	assert_string_equal(
		refusal(&syn_only, "tcp", XT_TCPMSS_CLAMP_PMTU, 1 << RULES_PREROUTING), no_way);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(set_mss, setup, teardown),
		cmocka_unit_test_setup_teardown(clamp, setup, teardown),
		cmocka_unit_test_setup_teardown(clamp_without_way_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(later_fragments_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(no_room_to_grow, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
