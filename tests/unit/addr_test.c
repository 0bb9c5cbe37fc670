/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Text, and how it comes back; NULL: refused. */
struct row {
	const char *text, *back;
};

#define EACH(rows, r) \
	for (const struct row *r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++)

static void
test_ip(void **state)
{
	static const struct row rows[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"9.12.6.80", "9.12.6.80"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{"fe80::1", "fe80::1"},
		{"", NULL},
		{"1.2.3", NULL},
		{"1.2.3.4.5", NULL},
		{"1.2.3.256", NULL},
		{"1.2.3.4 ", NULL},
		{" 1.2.3.4", NULL},
		{"1.2.3.4/24", NULL},
		{"0x1.2.3.4", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL},
		{"1::2::3", NULL},
		{"fe80::1%eth0", NULL},
		{"host", NULL},
	};
	struct ip_addr a;
	char text[ADDR_TEXT];

	(void)state;
	EACH(rows, r)
	{
		assert_int_equal(ip_parse(r->text, &a), r->back ? 0 : -EINVAL);
		if (r->back)
			assert_string_equal(ip_text(&a, text), r->back);
	}
	assert_string_equal(ip_text(&(struct ip_addr){0}, text), "-");
}

static void
test_prefix(void **state)
{
	static const struct row rows[] = {
		{"9.12.6.80/24", "9.12.6.80/24"},
		{"9.12.6.80", "9.12.6.80/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.0.0.0/032", "10.0.0.0/32"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"::/0", "::/0"},
		{"default", NULL},
		{"", NULL},
		{"/24", NULL},
		{"1.2.3.4/", NULL},
		{"1.2.3.4/33", NULL},
		{"1.2.3.4/-1", NULL},
		{"1.2.3.4/+1", NULL},
		{"1.2.3.4/ 1", NULL},
		{"1.2.3.4/8x", NULL},
		{"1.2.3.4/8/8", NULL},
		{"1.2.3.4/255.0.0.0", NULL},
		{"1.2.3.4/18446744073709551624", NULL},
		{"::1/129", NULL},
		{"2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001/64", NULL},
	};
	struct ip_prefix p;
	char text[PREFIX_TEXT];

	(void)state;
	EACH(rows, r)
	{
		assert_int_equal(prefix_parse(r->text, &p), r->back ? 0 : -EINVAL);
		if (r->back)
			assert_string_equal(prefix_text(&p, text), r->back);
	}
}

/* prefix, its network, its broadcast address (IPv4) */
static void
test_network(void **state)
{
	static const struct {
		const char *prefix, *network, *broadcast;
	} rows[] = {
		{"9.12.6.80/24", "9.12.6.0/24", "9.12.6.255"},
		{"9.12.42.33/28", "9.12.42.32/28", "9.12.42.47"},
		{"10.1.2.3/30", "10.1.2.0/30", "10.1.2.3"},
		{"10.1.2.3/31", "10.1.2.2/31", "10.1.2.3"},
		{"10.1.2.3/32", "10.1.2.3/32", "10.1.2.3"},
		{"255.255.255.255/0", "0.0.0.0/0", "255.255.255.255"},
		{"172.16.255.255/9", "172.0.0.0/9", "172.127.255.255"},
		{"2001:db8:ffff:ffff::1/33", "2001:db8:8000::/33", NULL},
		{"2001:db8::ffff/112", "2001:db8::/112", NULL},
		{"2001:db8::ffff/127", "2001:db8::fffe/127", NULL},
		{"2001:db8::ffff/128", "2001:db8::ffff/128", NULL},
		{"ffff::/0", "::/0", NULL},
	};
	struct ip_prefix p, n, same;
	struct ip_addr b;
	char text[PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(prefix_parse(rows[i].prefix, &p), 0);
		assert_int_equal(prefix_parse(rows[i].network, &same), 0);
		n = prefix_network(&p);
		assert_string_equal(prefix_text(&n, text), rows[i].network);
		assert_true(prefix_equal(&n, &same));
		if (!rows[i].broadcast)
			continue;
		b = ip4(prefix4_broadcast(&p));
		assert_string_equal(ip_text(&b, text), rows[i].broadcast);
	}
}

static void
test_contains(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool in;
	} rows[] = {
		{"9.12.6.80/24", "9.12.6.1", true},
		{"9.12.6.80/24", "9.12.7.1", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.0", false},
		{"128.0.0.0/1", "127.255.255.255", false},
		{"2001:db8::/32", "2001:db8:1::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "10.0.0.1", false},
		{"0.0.0.0/0", "::", false},
	};
	struct ip_prefix p;
	struct ip_addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(prefix_parse(rows[i].prefix, &p), 0);
		assert_int_equal(ip_parse(rows[i].addr, &a), 0);
		assert_int_equal(prefix_contains(&p, &a), rows[i].in);
	}
}

static unsigned
random_byte(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16 & 0xff;
}

/* prefix_contains() beside the bits, one by one. */
static void
test_contains_naive(void **state)
{
	unsigned seed = 20011122;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 20000; round++) {
		struct ip_prefix p = {.addr.family = round & 1 ? AF_INET6 : AF_INET};
		unsigned bits = ip_bits(&p.addr), same = 0;
		struct ip_addr a;

		for (unsigned i = 0; i < bits / 8; i++)
			p.addr.v6[i] = (uint8_t)random_byte(&seed);
		p.len = (uint8_t)(random_byte(&seed) % (bits + 1));
		a = p.addr;
		a.v6[random_byte(&seed) % (bits / 8)] ^= (uint8_t)(1 << random_byte(&seed) % 8);
		while (same < bits &&
			((p.addr.v6[same / 8] ^ a.v6[same / 8]) >> (7 - same % 8) & 1) == 0)
			same++;
		assert_int_equal(prefix_contains(&p, &a), same >= p.len);
	}
}

static void
test_mac(void **state)
{
	static const struct row rows[] = {
		{"02:00:00:12:34:56", "02:00:00:12:34:56"},
		{"FE:dc:BA:98:76:54", "fe:dc:ba:98:76:54"},
		{"", NULL},
		{"02:00:00:12:34", NULL},
		{"02:00:00:12:34:56:78", NULL},
		{"02:00:00:12:34:5g", NULL},
		{"02-00-00-12-34-56", NULL},
		{" 02:00:00:12:34:56", NULL},
		{"02:00:00:12:34:56 ", NULL},
		{"02: 0:00:12:34:56", NULL},
		{"+2:00:00:12:34:56", NULL},
		{"-2:00:00:12:34:56", NULL},
		{"0x:00:00:12:34:56", NULL},
		{"020:00:00:12:34:56", NULL},
		{"2:00:00:12:34:56", NULL},
	};
	struct mac_addr m;
	char text[MAC_TEXT];

	(void)state;
	EACH(rows, r)
	{
		if (mac_parse(r->text, &m) != (r->back ? 0 : -EINVAL))
			fail_msg("'%s'", r->text);
		if (r->back)
			assert_string_equal(mac_text(&m, text), r->back);
	}
}

static void
test_classes(void **state)
{
	static const struct {
		const char *addr;
		bool multicast, loopback, zeronet;
	} rows[] = {
		{"10.0.0.1", false, false, false},
		{"223.255.255.255", false, false, false},
		{"224.0.0.0", true, false, false},
		{"239.255.255.255", true, false, false},
		{"240.0.0.0", false, false, false},
		{"127.0.0.1", false, true, false},
		{"127.255.255.255", false, true, false},
		{"0.0.0.0", false, false, true},
		{"0.255.0.1", false, false, false},
		{"1.0.0.0", false, false, false},
	};
	struct ip_addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ip_parse(rows[i].addr, &a), 0);
		assert_int_equal(ip4_is_multicast(a.v4), rows[i].multicast);
		assert_int_equal(ip4_is_loopback(a.v4), rows[i].loopback);
		assert_int_equal(ip4_is_zeronet(a.v4), rows[i].zeronet);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_contains),
		cmocka_unit_test(test_contains_naive),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
