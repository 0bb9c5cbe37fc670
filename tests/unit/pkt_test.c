/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/base/pkt_options.h"
#include "tests/unit/support/packets.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

static struct test_env env;

static int
setup(void **state)
{
	(void)state;
	test_env_init(&env, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return (int)test_env_fini(&env);
}

static const struct test_ip plain = {.src = "10.0.0.2", .dst = "10.0.1.2", .id = 7};

static enum drop_reason
parse(const void *data, size_t len)
{
	struct pkt *p = test_pkt(&env, data, len);
	enum drop_reason why = pkt_parse(p);

	assert_true(why == DROP_NONE ? p->family != 0 : p->family == 0);
	test_pkt_free(&env, p);
	return why;
}

/* A good packet of 20 + 8 + 4 bytes, and what one change makes of it. */
static void
bad_headers(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
		size_t len;
		bool fix;
		enum drop_reason why;
	} rows[] = {
		{"as it is", 8, 64, 32, true, DROP_NONE},
		{"nothing", 0, 0x45, 0, false, DROP_TRUNCATED},
		{"one byte", 0, 0x45, 1, false, DROP_TRUNCATED},
		{"19 bytes", 0, 0x45, 19, false, DROP_TRUNCATED},
		{"version 5", 0, 0x55, 32, true, DROP_IP_VERSION},
		{"version 0", 0, 0x05, 32, true, DROP_IP_VERSION},
		{"IPv6 too short", 0, 0x60, 32, false, DROP_TRUNCATED},
		{"header of 16", 0, 0x44, 32, false, DROP_IP_HEADER},
		{"header of 60", 0, 0x4f, 32, false, DROP_TRUNCATED},
		{"total of 19", 3, 19, 32, true, DROP_IP_HEADER},
		{"total of 20", 3, 20, 32, true, DROP_NONE},
		{"total of 33", 3, 33, 32, true, DROP_TRUNCATED},
		{"total of 31", 3, 31, 32, true, DROP_NONE},
		{"checksum", 8, 63, 32, false, DROP_IP_CHECKSUM},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[64];

		test_udp(buf, &plain, 1, 2, 4);
		buf[rows[i].at] = rows[i].value;
		if (rows[i].fix)
			test_fix_ip(buf);
		if (parse(buf, rows[i].len) != rows[i].why)
			fail_msg("%s: %s", rows[i].what, drop_name(parse(buf, rows[i].len)));
	}
}

static void
padding_is_trimmed(void **state)
{
	const size_t sizes[] = {28, 4, 1};
	uint8_t buf[64] = {0};
	size_t len = test_udp(buf, &plain, 1, 2, 4);
	struct pkt *p = test_chain(&env, buf, len + 14, sizes, 3);

	(void)state;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(pkt_len(p), len);
	assert_true(pkt_l4_checksum_ok(p));
	test_pkt_free(&env, p);
}

static void
options(void **state)
{
	static const struct {
		const char *what;
		uint8_t o[12];
		size_t len;
		enum drop_reason why;
	} rows[] = {
		{"no-operations", {1, 1, 1, 1}, 4, DROP_NONE},
		{"end, then anything", {0, 7, 99, 0}, 4, DROP_NONE},
		{"length past the end", {7, 5, 4, 1}, 4, DROP_IP_OPTION},
		{"length 1", {7, 1, 4, 1}, 4, DROP_IP_OPTION},
		{"length cut off", {1, 1, 1, 7}, 4, DROP_IP_OPTION},
		{"record route", {7, 7, 4, 0, 0, 0, 0, 0}, 8, DROP_NONE},
		{"record route, full", {7, 7, 8, 0, 0, 0, 0, 0}, 8, DROP_NONE},
		{"record route, pointer 3", {7, 7, 3, 0, 0, 0, 0, 0}, 8, DROP_IP_OPTION},
		{"record route, half a slot", {7, 7, 5, 0, 0, 0, 0, 0}, 8, DROP_IP_OPTION},
		{"two record routes", {7, 3, 4, 7, 3, 4, 0, 0}, 8, DROP_IP_OPTION},
		{"record route of 2", {7, 2, 1, 1}, 4, DROP_IP_OPTION},
		{"loose source route", {131, 7, 4, 10, 0, 0, 1, 0}, 8, DROP_IP_OPTION},
		{"strict source route", {137, 7, 4, 10, 0, 0, 1, 0}, 8, DROP_IP_OPTION},
		{"timestamp", {68, 8, 5, 0, 0, 0, 0, 0}, 8, DROP_NONE},
		{"timestamp, pointer 4", {68, 8, 4, 0, 0, 0, 0, 0}, 8, DROP_IP_OPTION},
		{"timestamp with address, no room", {68, 8, 5, 1, 0, 0, 0, 0}, 8, DROP_IP_OPTION},
		{"timestamp with address", {68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 12, DROP_NONE},
		{"timestamp, unknown flag", {68, 8, 5, 2, 0, 0, 0, 0}, 8, DROP_IP_OPTION},
		{"timestamp full", {68, 8, 9, 0xe0, 0, 0, 0, 0}, 8, DROP_NONE},
		{"timestamp full, overflown", {68, 8, 9, 0xf0, 0, 0, 0, 0}, 8, DROP_IP_OPTION},
		{"two timestamps", {68, 4, 5, 0, 68, 4, 5, 0}, 8, DROP_IP_OPTION},
		{"router alert", {148, 4, 0, 0}, 4, DROP_NONE},
		{"router alert of 3", {148, 3, 0, 0}, 4, DROP_IP_OPTION},
		{"unknown", {222, 4, 0, 0}, 4, DROP_NONE},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_ip ip = plain;
		uint8_t buf[64];
		size_t len;

		ip.options = rows[i].o;
		ip.options_len = rows[i].len;
		len = test_udp(buf, &ip, 1, 2, 4);
		if (parse(buf, len) != rows[i].why)
			fail_msg("%s: %s", rows[i].what, drop_name(parse(buf, len)));
	}
}

static void
options_of_later_fragments(void **state)
{
	uint8_t o[12] = {7, 3, 4, 148, 4, 0, 0, 68, 4, 5, 0, 0};
	const uint8_t want[12] = {1, 1, 1, 148, 4, 0, 0, 1, 1, 1, 1, 0};

	(void)state;
	ip4_options_keep_copied(o, sizeof(o));
	assert_memory_equal(o, want, sizeof(o));
}

struct parsed {
	uint16_t l3, l4, flags, sport, dport;
};

static void
check_parsed(const char *what, struct pkt *p, const struct parsed *w)
{
	enum drop_reason why = pkt_parse(p);
	uint16_t flags = p->flags & (PKT_FRAGMENT | PKT_LATER_FRAGMENT | PKT_OPTIONS);

	if (why || p->l3_len != w->l3 || p->l4_len != w->l4 || flags != w->flags ||
		ntohs(p->sport) != w->sport || ntohs(p->dport) != w->dport)
		fail_msg("%s: %s l3 %u l4 %u flags %x ports %u %u", what, drop_name(why), p->l3_len,
			p->l4_len, flags, ntohs(p->sport), ntohs(p->dport));
	test_pkt_free(&env, p);
}

static void
layer_4(void **state)
{
	uint8_t buf[256], nothing[64] = {0};
	struct test_ip first = plain, later = plain;
	const size_t head[] = {30};
	size_t len;

	(void)state;
	first.frag_off = IP_MF;
	later.frag_off = 3;
	len = test_tcp(buf, &plain, 1000, 80, 10);
	check_parsed("tcp", test_pkt(&env, buf, len), &(struct parsed){20, 20, 0, 1000, 80});
	buf[20 + 12] = 0xf0;
	check_parsed("tcp, header does not fit", test_pkt(&env, buf, len),
		&(struct parsed){20, 0, 0, 0, 0});
	buf[20 + 12] = 0x40;
	check_parsed(
		"tcp, header of 16", test_pkt(&env, buf, len), &(struct parsed){20, 0, 0, 0, 0});
	buf[20 + 12] = 0x70;
	check_parsed("tcp with options", test_pkt(&env, buf, len),
		&(struct parsed){20, 28, 0, 1000, 80});
	check_parsed("tcp header in two segments", test_chain(&env, buf, len, head, 1),
		&(struct parsed){20, 0, 0, 0, 0});
	len = test_udp(buf, &first, 5, 6, 8);
	check_parsed("first fragment", test_pkt(&env, buf, len),
		&(struct parsed){20, 8, PKT_FRAGMENT, 5, 6});
	len = test_udp(buf, &later, 5, 6, 8);
	check_parsed("later fragment", test_pkt(&env, buf, len),
		&(struct parsed){20, 0, PKT_FRAGMENT | PKT_LATER_FRAGMENT, 0, 0});
	len = test_icmp(buf, &plain, ICMP_ECHO, 0, 77, 1, 8);
	check_parsed(
		"echo", test_pkt(&env, buf, len), &(struct parsed){20, 8, 0, ICMP_ECHO << 8, 77});
	len = test_icmp(buf, &plain, ICMP_DEST_UNREACH, 4, 77, 1, 8);
	check_parsed("unreachable", test_pkt(&env, buf, len),
		&(struct parsed){20, 8, 0, ICMP_DEST_UNREACH << 8 | 4, 0});
	len = test_ip4(buf, &plain, IPPROTO_ICMP, nothing, 7);
	check_parsed("short icmp", test_pkt(&env, buf, len), &(struct parsed){20, 0, 0, 0, 0});
	len = test_ip4(buf, &plain, IPPROTO_GRE, nothing, 40);
	check_parsed("gre", test_pkt(&env, buf, len), &(struct parsed){20, 0, 0, 0, 0});
}

static size_t
make_ip6(uint8_t *buf, uint8_t next, const void *payload, size_t len)
{
	struct ip6_hdr *ip = (struct ip6_hdr *)buf;

	memset(ip, 0, sizeof(*ip));
	ip->ip6_flow = htonl(6u << 28);
	ip->ip6_nxt = next;
	ip->ip6_hlim = 64;
	ip->ip6_plen = htons((uint16_t)len);
	ip->ip6_src.s6_addr[0] = ip->ip6_dst.s6_addr[0] = 0x20;
	ip->ip6_dst.s6_addr[15] = 1;
	memcpy(ip + 1, payload, len);
	return sizeof(*ip) + len;
}

static void
ip6(void **state)
{
	uint8_t buf[512], udp[16] = {0, 5, 0, 6, 0, 16}, ext[128] = {0};
	size_t len = make_ip6(buf, IPPROTO_UDP, udp, 16), i;
	struct pkt *p;

	(void)state;
	check_parsed("udp", test_pkt(&env, buf, len), &(struct parsed){40, 8, 0, 5, 6});
	ext[0] = IPPROTO_FRAGMENT; /* hop-by-hop, fragment, udp */
	ext[8] = IPPROTO_UDP;
	memcpy(ext + 16, udp, 16);
	len = make_ip6(buf, IPPROTO_HOPOPTS, ext, 32);
	check_parsed("whole", test_pkt(&env, buf, len), &(struct parsed){56, 8, PKT_OPTIONS, 5, 6});
	ext[11] = 9;
	len = make_ip6(buf, IPPROTO_HOPOPTS, ext, 32);
	check_parsed("later fragment", test_pkt(&env, buf, len),
		&(struct parsed){56, 0, PKT_OPTIONS | PKT_FRAGMENT | PKT_LATER_FRAGMENT, 0, 0});
	assert_int_equal(parse(buf, len - 1), DROP_TRUNCATED);
	ext[1] = 200;
	len = make_ip6(buf, IPPROTO_HOPOPTS, ext, 32);
	assert_int_equal(parse(buf, len), DROP_TRUNCATED);
	memset(ext, 0, sizeof(ext));
	for (i = 0; i < 9; i++)
		ext[i * 8] = IPPROTO_DSTOPTS;
	len = make_ip6(buf, IPPROTO_DSTOPTS, ext, 80);
	assert_int_equal(parse(buf, len), DROP_IPV6);

	len = make_ip6(buf, IPPROTO_UDP, udp, 16);
	p = test_pkt(&env, buf, len);
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 40;
	p->csum_offset = 6;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	((struct udphdr *)pkt_l4(p))->check =
		csum_fold(csum_add((uint64_t)htons(17) + htons(16), buf + 8, 32));
	pkt_checksum_complete(p);
	p->flags = 0;
	assert_true(pkt_l4_checksum_ok(p));
	((struct udphdr *)pkt_l4(p))->dest ^= 1;
	assert_false(pkt_l4_checksum_ok(p));
	test_pkt_free(&env, p);
}

static void
offloads(void **state)
{
	static const struct {
		const char *what;
		bool tcp;
		uint8_t gso;
		uint16_t size, flags, start, offset, frag_off;
		size_t pad;
		enum drop_reason why;
	} rows[] = {
		{"partial tcp", true, 0, 0, PKT_CSUM_PARTIAL, 20, 16, 0, 0, DROP_NONE},
		{"partial udp", false, 0, 0, PKT_CSUM_PARTIAL, 20, 6, 0, 0, DROP_NONE},
		{"in the wrong place", true, 0, 0, PKT_CSUM_PARTIAL, 20, 6, 0, 0, DROP_OFFLOAD},
		{"in the IP header", true, 0, 0, PKT_CSUM_PARTIAL, 4, 16, 0, 0, DROP_OFFLOAD},
		{"past the end", false, 0, 0, PKT_CSUM_PARTIAL, 20, 65530, 0, 0, DROP_OFFLOAD},
		{"of a fragment", false, 0, 0, PKT_CSUM_PARTIAL, 20, 6, IP_MF, 0, DROP_OFFLOAD},
		{"of a later fragment", false, 0, 0, PKT_CSUM_PARTIAL, 20, 6, 9, 0, DROP_OFFLOAD},
		{"gso", true, PKT_GSO_TCP4, 10, PKT_CSUM_PARTIAL, 20, 16, 0, 0, DROP_NONE},
		{"gso of nothing", true, PKT_GSO_TCP4, 0, PKT_CSUM_PARTIAL, 20, 16, 0, 0,
			DROP_OFFLOAD},
		{"gso, complete", true, PKT_GSO_TCP4, 10, 0, 0, 0, 0, 0, DROP_OFFLOAD},
		{"gso for IPv6", true, PKT_GSO_TCP6, 10, PKT_CSUM_PARTIAL, 20, 16, 0, 0,
			DROP_OFFLOAD},
		{"gso of udp as tcp", false, PKT_GSO_TCP4, 10, PKT_CSUM_PARTIAL, 20, 6, 0, 0,
			DROP_OFFLOAD},
		{"gso of udp", false, PKT_GSO_UDP_L4, 10, PKT_CSUM_PARTIAL, 20, 6, 0, 0, DROP_NONE},
		{"ufo", false, PKT_GSO_UDP, 10, PKT_CSUM_PARTIAL, 20, 6, 0, 0, DROP_OFFLOAD},
		{"unknown", true, 99, 10, PKT_CSUM_PARTIAL, 20, 16, 0, 0, DROP_OFFLOAD},
		{"padded", true, PKT_GSO_TCP4, 10, PKT_CSUM_PARTIAL, 20, 16, 0, 3, DROP_OFFLOAD},
		{"of a fragment", true, PKT_GSO_TCP4, 10, PKT_CSUM_PARTIAL, 20, 16, IP_MF, 0,
			DROP_OFFLOAD},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_ip ip = plain;
		uint8_t buf[256] = {0};
		struct pkt *p;
		size_t len;

		ip.frag_off = rows[i].frag_off;
		len = rows[i].tcp ? test_tcp(buf, &ip, 1, 2, 100) : test_udp(buf, &ip, 1, 2, 100);
		p = test_pkt(&env, buf, len + rows[i].pad);
		p->gso_type = rows[i].gso;
		p->gso_size = rows[i].size;
		p->flags = rows[i].flags;
		p->csum_start = rows[i].start;
		p->csum_offset = rows[i].offset;
		if (pkt_parse(p) != rows[i].why)
			fail_msg("%s: %s", rows[i].what, drop_name(pkt_parse(p)));
		test_pkt_free(&env, p);
	}
}

static void
checksums_of_chains(void **state)
{
	uint64_t seed = test_seed();
	struct env *e = &env.env;
	unsigned round;

	(void)state;
	e->random = seed;
	for (round = 0; round < 2000; round++) {
		size_t sizes[4] = {48 + env_random(e) % 9, env_random(e) % 40, env_random(e) % 7,
			env_random(e) % 40};
		uint8_t buf[256];
		size_t len, payload = env_random(e) % 150;
		struct rte_mbuf *last;
		struct pkt *p;

		len = round % 3 == 0   ? test_udp(buf, &plain, 1, 2, payload)
		      : round % 3 == 1 ? test_tcp(buf, &plain, 1, 2, payload)
				       : test_icmp(buf, &plain, 8, 0, 1, 2, payload);
		p = test_chain(&env, buf, len, sizes, 4);
		assert_int_equal(pkt_parse(p), DROP_NONE);
		assert_true(pkt_l4_checksum_ok(p));
		last = rte_pktmbuf_lastseg(pkt_mbuf(p));
		rte_pktmbuf_mtod(last, uint8_t *)[last->data_len - 1] ^= 0x10;
		assert_int_equal(pkt_l4_checksum_ok(p), false);
		p->flags |= PKT_CSUM_VALID;
		assert_true(pkt_l4_checksum_ok(p));
		test_pkt_free(&env, p);
	}
}

static void
udp_checksums(void **state)
{
	uint8_t buf[64];
	struct udphdr *u = (struct udphdr *)(buf + 20);
	size_t len = test_udp(buf, &plain, 1, 2, 4);
	static const uint16_t lengths[] = {7, 13};
	struct pkt *p;
	size_t i;

	(void)state;
	u->check = 0;
	p = test_pkt(&env, buf, len);
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_true(pkt_l4_checksum_ok(p));
	for (i = 0; i < 2; i++) {
		((struct udphdr *)pkt_l4(p))->len = htons(lengths[i]);
		assert_false(pkt_l4_checksum_ok(p));
	}
	test_pkt_free(&env, p);
}

static void
partial_is_completed(void **state)
{
	const size_t sizes[] = {40, 33, 1};
	uint8_t buf[256], want[256];
	size_t len = test_udp(buf, &plain, 1, 2, 101);
	struct pkt *p;

	(void)state;
	memcpy(want, buf, len);
	((struct udphdr *)(buf + 20))->check = csum_fold(csum_pseudo4(
		*(uint32_t *)(buf + 12), *(uint32_t *)(buf + 16), 17, (uint16_t)(len - 20)));
	p = test_chain(&env, buf, len, sizes, 3);
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 6;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_true(pkt_l4_checksum_ok(p));
	pkt_checksum_complete(p);
	assert_int_equal(p->flags, PKT_CSUM_VALID);
	assert_int_equal(pkt_chain_read(p, 0, buf, sizeof(buf)), len);
	assert_memory_equal(buf, want, len);
	test_pkt_free(&env, p);
}

static void
chains(void **state)
{
	const size_t sizes[] = {10, 0, 7, 30};
	uint8_t buf[100], got[100];
	struct pkt *p, *tail, *up;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	p = test_chain(&env, buf, 60, sizes, 4);
	tail = test_pkt(&env, buf + 60, 40);
	pkt_chain_append(p, tail);
	assert_int_equal(pkt_len(p), 100);
	assert_int_equal(pkt_mbuf(p)->nb_segs, 6);
	assert_int_equal(pkt_chain_read(p, 0, got, 100), 100);
	assert_memory_equal(got, buf, 100);
	assert_int_equal(pkt_chain_read(p, 95, got, 100), 5);
	assert_int_equal(pkt_chain_read(p, 100, got, 1), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(csum_fold(pkt_chain_sum(p, (uint32_t)i, 100 - (uint32_t)i, 0)),
			csum_fold(csum_add(0, buf + i, 100 - i)));
	env.allocs_left = 0;
	assert_null(pkt_chain_pullup(&env.env, p, 50));
	env.allocs_left = UINT_MAX;
	assert_ptr_equal(pkt_chain_pullup(&env.env, p, 10), p);
	p->mark = 5;
	up = pkt_chain_pullup(&env.env, p, 55);
	assert_ptr_not_equal(up, p);
	assert_int_equal(up->mark, 5);
	assert_int_equal(pkt_head_len(up), 55);
	assert_int_equal(pkt_len(up), 100);
	assert_int_equal(pkt_chain_read(up, 0, got, 100), 100);
	assert_memory_equal(got, buf, 100);
	pkt_chain_trim(up, 20);
	assert_int_equal(pkt_chain_read(up, 0, got, 100), 20);
	test_pkt_free(&env, up);
}

/* A reassembled packet still has the frame header that its first fragment came with. */
static void
pullup_keeps_frame_header(void **state)
{
	const size_t sizes[] = {34};
	uint8_t buf[74];
	struct pkt *p;

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	p = test_chain(&env, buf, sizeof(buf), sizes, 1);
	rte_pktmbuf_adj(pkt_mbuf(p), 14);
	p->l2_len = 14;
	p->flags = PKT_HAS_L2;
	p = pkt_chain_pullup(&env.env, p, 50);
	assert_int_equal(pkt_head_len(p), 50);
	assert_true(p->flags & PKT_HAS_L2);
	assert_memory_equal((uint8_t *)pkt_data(p) - 14, buf, 14 + 50);
	test_pkt_free(&env, p);
}

/* In any segments, anywhere, longer and shorter, beside the naive way. */
static void
chains_are_rewritten(void **state)
{
	static const size_t sizes[][3] = {{100, 0, 0}, {20, 30, 50}, {40, 1, 1}, {99, 1, 0}};
	const uint8_t text[70] = "text";
	uint8_t buf[100], got[200], want[200];
	size_t i, at, len, n;

	(void)state;
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	for (i = 0; i < RTE_DIM(sizes); i++)
		for (at = 20; at <= 100; at += 5)
			for (len = 0; at + len <= 100; len += 10)
				for (n = 0; n <= sizeof(text); n += 14) {
					struct pkt *p = test_chain(&env, buf, 100, sizes[i], 3);
					uint32_t all = (uint32_t)(100 - len + n);

					memcpy(want, buf, at);
					memcpy(want + at, text, n);
					memcpy(want + at + n, buf + at + len, 100 - at - len);
					assert_int_equal(pkt_chain_replace(&env.env, p, (uint32_t)at,
								 (uint32_t)len, text, (uint32_t)n),
						0);
					assert_int_equal(pkt_len(p), all);
					assert_int_equal(pkt_chain_read(p, 0, got, sizeof(got)), all);
					assert_memory_equal(got, want, all);
					test_pkt_free(&env, p);
				}
}

static void
a_rewrite_without_buffers_changes_nothing(void **state)
{
	const size_t sizes[] = {30, 30};
	uint8_t buf[100] = {1, 2, 3}, got[100];
	unsigned left;

	(void)state;
	for (left = 0; left < 2; left++) {
		struct pkt *p = test_chain(&env, buf, sizeof(buf), sizes, 2);

		env.allocs_left = left;
		assert_int_equal(pkt_chain_replace(&env.env, p, 40, 5, "longer", 6), -ENOBUFS);
		env.allocs_left = UINT_MAX;
		assert_int_equal(pkt_len(p), sizeof(buf));
		assert_int_equal(pkt_chain_read(p, 0, got, sizeof(got)), sizeof(got));
		assert_memory_equal(got, buf, sizeof(buf));
		test_pkt_free(&env, p);
	}
}

static void
segments_and_lengths(void **state)
{
	uint8_t buf[4096];
	size_t len = test_tcp(buf, &plain, 1, 2, 3000);
	struct pkt *p = test_pkt(&env, buf, len);

	(void)state;
	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = 1448;
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 16;
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(pkt_segments(p), 3);
	assert_int_equal(pkt_segment_len(p), 1488);
	pkt_drop(&env.env, &env.env.drops, p, DROP_TTL);
	assert_int_equal(env.env.drops.n[DROP_TTL], 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bad_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(padding_is_trimmed, setup, teardown),
		cmocka_unit_test_setup_teardown(options, setup, teardown),
		cmocka_unit_test_setup_teardown(options_of_later_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(layer_4, setup, teardown),
		cmocka_unit_test_setup_teardown(ip6, setup, teardown),
		cmocka_unit_test_setup_teardown(offloads, setup, teardown),
		cmocka_unit_test_setup_teardown(checksums_of_chains, setup, teardown),
		cmocka_unit_test_setup_teardown(udp_checksums, setup, teardown),
		cmocka_unit_test_setup_teardown(partial_is_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(chains, setup, teardown),
		cmocka_unit_test_setup_teardown(pullup_keeps_frame_header, setup, teardown),
		cmocka_unit_test_setup_teardown(chains_are_rewritten, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rewrite_without_buffers_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(segments_and_lengths, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
