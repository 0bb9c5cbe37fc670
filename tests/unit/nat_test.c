/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address translation on the way of packets through a router, and, where a network namespace can be
 * made, through the kernel's (gates.h). A case is rules and steps; a step answers or complains about
 * what came out of the step before, so what both routers make of each other's steps can be compared
 * byte by byte.
 */
#include "fabric/base/csum.h"
#include "filters/conntrack_table.h"
#include "filters/iptables/iptables.h"
#include "nat/nat.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/gates.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAME = GATE_FRAME };
enum { SYN = 2 };

static struct gate g;
static struct kernel_gate kernel;
static char logged[256];
static unsigned n_logged;

static void
keep_log(struct env *env, const struct pkt *p, int level, const char *line)
{
	(void)env;
	(void)p;
	(void)level;
	n_logged++;
	snprintf(logged, sizeof(logged), "%s", line);
}

static void
load(const char *text)
{
	char table[4096], why[512] = "";
	struct rules *rules;

	snprintf(table, sizeof(table),
		"*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT "
		"[0:0]\n:POSTROUTING ACCEPT [0:0]\n%sCOMMIT\n",
		text);
	rules = iptables_read(table, strlen(table), "rules", why, sizeof(why));
	if (!rules)
		fail_msg("%s", why);
	gate_load(&g, rules);
}

static void
kernel_load(const char *text)
{
	char table[4096];

	snprintf(table, sizeof(table), "*nat\n%sCOMMIT\n", text);
	kernel_gate_load(&kernel, table);
}

static int
setup(void **state)
{
	int rc = gate_init(&g);

	(void)state;
	g.ops.log = keep_log;
	n_logged = 0;
	return rc;
}

static int
teardown(void **state)
{
	(void)state;
	return gate_fini(&g);
}

/* ---- packets in words ---- */

static uint16_t
word(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* "10.1.0.2:1000>8.8.8.8:53"; ICMP with its id, errors with what they quote. */
static int
describe(const uint8_t *ip, size_t len, char *buf, size_t size)
{
	char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];
	size_t header = (ip[0] & 15) * 4u;
	const uint8_t *l4 = ip + header;
	int n;

	inet_ntop(AF_INET, ip + 12, src, sizeof(src));
	inet_ntop(AF_INET, ip + 16, dst, sizeof(dst));
	if (ip[9] == IPPROTO_ICMP && (l4[0] == ICMP_ECHO || l4[0] == ICMP_ECHOREPLY))
		return snprintf(buf, size, "%s>%s %s %u", src, dst, l4[0] ? "echo" : "answer",
			word(l4 + 4));
	if (ip[9] == IPPROTO_ICMP) {
		n = snprintf(buf, size, "%s>%s error %u/%u [", src, dst, l4[0], l4[1]);
		n += describe(l4 + 8, len - header - 8, buf + n, size - (size_t)n);
		return n + snprintf(buf + n, size - (size_t)n, "]");
	}
	if (ip[9] != IPPROTO_TCP && ip[9] != IPPROTO_UDP && ip[9] != IPPROTO_SCTP &&
		ip[9] != IPPROTO_UDPLITE)
		return snprintf(buf, size, "%s>%s", src, dst);
	return snprintf(buf, size, "%s:%u>%s:%u", src, word(l4), dst, word(l4 + 2));
}

static void
words_of(const struct gate_frames *out, char *buf, size_t size)
{
	unsigned i;
	int n = 0;

	buf[0] = 0;
	for (i = 0; i < out->n; i++) {
		n += snprintf(buf + n, size - (size_t)n, "%s%s ", i ? ", " : "",
			out->f[i].side == INSIDE ? "in" : "out");
		n += describe(out->f[i].data, out->f[i].len, buf + n, size - (size_t)n);
	}
}

/* CRC-32C bit by bit. */
static uint32_t
crc32c(const uint8_t *data, size_t len)
{
	uint32_t crc = ~0u;
	int bit;

	while (len-- > 0)
		for (crc ^= *data++, bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	return ~crc;
}

/* An independent look at all checksums there are. */
static void
check_sums(const uint8_t *ip, size_t len)
{
	size_t header = (ip[0] & 15) * 4u, rest = len - header;
	const struct iphdr *h = (const void *)ip;
	uint64_t sum = csum_pseudo4(h->saddr, h->daddr, h->protocol, (uint16_t)rest);

	assert_int_equal(csum_fold(csum_add(0, ip, header)), 0xffff);
	if (h->frag_off & htons(IP_OFFMASK | IP_MF))
		return;
	if (h->protocol == IPPROTO_TCP || (h->protocol == IPPROTO_UDP && word(ip + header + 6)))
		assert_int_equal(csum_fold(csum_add(sum, ip + header, rest)), 0xffff);
	if (h->protocol == IPPROTO_ICMP)
		assert_int_equal(csum_fold(csum_add(0, ip + header, rest)), 0xffff);
	if (h->protocol == IPPROTO_SCTP) {
		uint8_t copy[FRAME];
		uint32_t crc;

		memcpy(copy, ip + header, rest);
		memset(copy + 8, 0, 4);
		crc = crc32c(copy, rest);
		assert_memory_equal(ip + header + 8, &crc, 4);
	}
	/* what was quoted whole */
	if (h->protocol == IPPROTO_ICMP &&
		(ip[header] == ICMP_DEST_UNREACH || ip[header] == ICMP_TIME_EXCEEDED)) {
		const uint8_t *quote = ip + header + 8;

		assert_int_equal(csum_fold(csum_add(0, quote, (quote[0] & 15) * 4u)), 0xffff);
		if (word(quote + 2) == rest - 8)
			check_sums(quote, rest - 8);
	}
}

/* ---- steps ---- */

enum how {
	END,
	UDP,
	UDP_NOSUM,
	TCP,
	ECHO,
	SCTP,
	UDPLITE,
	GRE,
	OTHER,
	BIG,
	REPLY,
	ERROR,
	SHORT_ERROR,
	REDIRECT_ERROR
};

struct act {
	enum how how;
	int side;
	const char *src, *dst;
	uint16_t sport, dport; /* ECHO: sport the id */
	const char *expected;  /* NULL: whatever the kernel does */
};

struct test {
	const char *name, *rules;
	struct act steps[12];
};

static size_t
make(const struct act *s, uint8_t *buf)
{
	const struct test_ip ip = {.src = s->src, .dst = s->dst};
	uint8_t l4[64] = {(uint8_t)(s->sport >> 8), (uint8_t)s->sport, (uint8_t)(s->dport >> 8),
		(uint8_t)s->dport, 0, 0, 0, 24};
	size_t len;

	switch (s->how) {
	case TCP:
		len = test_tcp(buf, &ip, s->sport, s->dport, 0);
		if (buf[33] != SYN) {
			uint16_t sum = 0;

			buf[33] = SYN;
			memcpy(buf + 36, &sum, 2);
			sum = (uint16_t)~csum_fold(
				csum_add(csum_pseudo4(inet_addr(s->src), inet_addr(s->dst),
						 IPPROTO_TCP, (uint16_t)(len - 20)),
					buf + 20, len - 20));
			memcpy(buf + 36, &sum, 2);
		}
		return len;
	case ECHO:
		return test_icmp(buf, &ip, ICMP_ECHO, 0, s->sport, 1, 40);
	case SCTP: /* INIT */
		l4[4] = l4[5] = l4[6] = l4[7] = 0;
		l4[12] = 1;
		l4[15] = 20;
		l4[19] = 1;
		{
			uint32_t crc = crc32c(l4, 32);

			memcpy(l4 + 8, &crc, 4);
		}
		return test_ip4(buf, &ip, IPPROTO_SCTP, l4, 32);
	case UDPLITE: {
		uint64_t sum;
		uint16_t check;

		l4[5] = 8; /* coverage: the header */
		l4[7] = 0;
		sum = csum_pseudo4(inet_addr(s->src), inet_addr(s->dst), IPPROTO_UDP,
			24); /* as the kernel has it */
		check = (uint16_t)~csum_fold(csum_add(sum, l4, 8));
		memcpy(l4 + 6, &check, 2);
		return test_ip4(buf, &ip, IPPROTO_UDPLITE, l4, 24);
	}
	case GRE:
		memcpy(l4, "\0\0\x08\0\0\0\0\0", 8);
		return test_ip4(buf, &ip, IPPROTO_GRE, l4, 24);
	case OTHER:
		return test_ip4(buf, &ip, 99, l4, 24);
	default:
		len = test_udp(buf, &ip, s->sport, s->dport, s->how == BIG ? 3000 : 31);
		if (s->how == UDP_NOSUM)
			buf[26] = buf[27] = 0;
		return len;
	}
}

/* The answer to a packet: all that is in it turned round. */
static size_t
turn(const uint8_t *was, size_t len, uint8_t *buf)
{
	size_t header = (was[0] & 15) * 4u;

	memcpy(buf, was, len);
	memcpy(buf + 12, was + 16, 4);
	memcpy(buf + 16, was + 12, 4);
	buf[8] = 64;
	if (was[9] == IPPROTO_ICMP) {
		uint16_t sum = 0;

		buf[header] = was[header] == ICMP_ECHO ? ICMP_ECHOREPLY : ICMP_ECHO;
		memcpy(buf + header + 2, &sum, 2);
		sum = (uint16_t)~csum_fold(csum_add(0, buf + header, len - header));
		memcpy(buf + header + 2, &sum, 2);
	} else if (was[9] == IPPROTO_TCP || was[9] == IPPROTO_UDP || was[9] == IPPROTO_UDPLITE) {
		memcpy(buf + header, was + header + 2, 2);
		memcpy(buf + header + 2, was + header, 2);
	}
	test_fix_ip(buf);
	return len;
}

/* The answer of a server to a SYN is SYN and ACK. */
static size_t
reply(const uint8_t *was, size_t len, uint8_t *buf)
{
	uint16_t from, to, sum;

	turn(was, len, buf);
	if (was[9] != IPPROTO_TCP || was[33] != SYN)
		return len;
	memcpy(&from, buf + 32, 2);
	buf[33] |= 16;
	memcpy(&to, buf + 32, 2);
	memcpy(&sum, buf + 36, 2);
	sum = csum_replace2(sum, from, to);
	memcpy(&from, buf + 30, 2);
	to = htons((uint16_t)(word(was + 26) + 1));
	sum = csum_replace4(csum_replace2(sum, from, to), *(const uint16_t *)(buf + 28),
		*(const uint16_t *)(was + 24));
	memcpy(buf + 28, was + 24, 2);
	memcpy(buf + 30, &to, 2);
	memcpy(buf + 36, &sum, 2);
	return len;
}

static size_t
complain(enum how how, const uint8_t *was, size_t len, uint8_t *buf)
{
	char to[INET_ADDRSTRLEN];
	struct test_ip ip = {.src = "10.0.0.77", .dst = to};
	uint8_t icmp[FRAME] = {
		how == REDIRECT_ERROR ? ICMP_REDIRECT : ICMP_DEST_UNREACH, ICMP_PORT_UNREACH};
	size_t quoted = how == SHORT_ERROR ? 28 : len;
	uint16_t sum;

	inet_ntop(AF_INET, was + 12, to, sizeof(to));
	memcpy(icmp + 8, was, quoted);
	sum = (uint16_t)~csum_fold(csum_add(0, icmp, quoted + 8));
	memcpy(icmp + 2, &sum, 2);
	return test_ip4(buf, &ip, IPPROTO_ICMP, icmp, quoted + 8);
}

/* What is sent in this step after `last` came out. => its length; *side: where. */
static size_t
step_packet(const struct act *s, const struct gate_frames *last, uint8_t *buf, int *side)
{
	*side = s->side;
	if (s->how < REPLY)
		return make(s, buf);
	assert_int_equal(last->n, 1);
	*side = last->f[0].side;
	if (s->how == REPLY)
		return reply(last->f[0].data, last->f[0].len, buf);
	return complain(s->how, last->f[0].data, last->f[0].len, buf);
}

static const char snat[] = "-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5\n";

#define FROM(h) "10.1.0." #h
static const struct test tests[] = {
	{"SNAT", snat,
		{
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.0.0.5:1000>8.8.8.8:53"},
			{.how = ERROR,
				.expected = "in 10.0.0.77>10.1.0.2 error 3/3 "
					    "[10.1.0.2:1000>8.8.8.8:53]"},
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.0.0.5:1000>8.8.8.8:53"},
			{.how = SHORT_ERROR,
				.expected = "in 10.0.0.77>10.1.0.2 error 3/3 "
					    "[10.1.0.2:1000>8.8.8.8:53]"},
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.0.0.5:1000>8.8.8.8:53"},
			{.how = REDIRECT_ERROR, .expected = ""},
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.0.0.5:1000>8.8.8.8:53"},
			{.how = REPLY, .expected = "in 8.8.8.8:53>10.1.0.2:1000"},
			{.how = ERROR,
				.expected = "out 10.0.0.5>8.8.8.8 error 3/3 "
					    "[8.8.8.8:53>10.0.0.5:1000]"},
			{UDP_NOSUM, INSIDE, FROM(2), "8.8.8.8", 1000, 53,
				"out 10.0.0.5:1000>8.8.8.8:53"},
		}},
	{"SNAT of TCP", snat,
		{
			{TCP, INSIDE, FROM(2), "8.8.8.8", 1000, 80, "out 10.0.0.5:1000>8.8.8.8:80"},
			{.how = ERROR,
				.expected = "in 10.0.0.77>10.1.0.2 error 3/3 "
					    "[10.1.0.2:1000>8.8.8.8:80]"},
			{TCP, INSIDE, FROM(2), "8.8.8.8", 1000, 80, "out 10.0.0.5:1000>8.8.8.8:80"},
			{.how = SHORT_ERROR,
				.expected = "in 10.0.0.77>10.1.0.2 error 3/3 "
					    "[10.1.0.2:1000>8.8.8.8:80]"},
			{TCP, INSIDE, FROM(2), "8.8.8.8", 1000, 80, "out 10.0.0.5:1000>8.8.8.8:80"},
			{.how = REPLY, .expected = "in 8.8.8.8:80>10.1.0.2:1000"},
		}},
	{"SNAT of ping", snat,
		{
			{ECHO, INSIDE, FROM(2), "8.8.8.8", 77, 0, "out 10.0.0.5>8.8.8.8 echo 77"},
			{.how = ERROR,
				.expected = "in 10.0.0.77>10.1.0.2 error 3/3 [10.1.0.2>8.8.8.8 "
					    "echo 77]"},
			{ECHO, INSIDE, FROM(2), "8.8.8.8", 77, 0, "out 10.0.0.5>8.8.8.8 echo 77"},
			{.how = REPLY, .expected = "in 8.8.8.8>10.1.0.2 answer 77"},
		}},
	{"other protocols", snat,
		{
			{SCTP, INSIDE, FROM(2), "8.8.8.8", 1000, 99,
				"out 10.0.0.5:1000>8.8.8.8:99"},
			{.how = ERROR},
			{UDPLITE, INSIDE, FROM(2), "8.8.8.8", 1000, 99,
				"out 10.0.0.5:1000>8.8.8.8:99"},
			{.how = REPLY, .expected = "in 8.8.8.8:99>10.1.0.2:1000"},
			{GRE, INSIDE, FROM(2), "8.8.8.8", 0, 0, "out 10.0.0.5>8.8.8.8"},
			{.how = REPLY, .expected = "in 8.8.8.8>10.1.0.2"},
			{OTHER, INSIDE, FROM(2), "8.8.8.8", 0, 0, "out 10.0.0.5>8.8.8.8"},
			{.how = REPLY, .expected = "in 8.8.8.8>10.1.0.2"},
			{OTHER, INSIDE, FROM(3), "8.8.8.8", 0, 0,
				""}, /* the same for whoever answers */
		}},
	{"MASQUERADE", "-A POSTROUTING -o eth0 -j MASQUERADE\n",
		{
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.0.0.1:1000>8.8.8.8:53"},
			{.how = REPLY, .expected = "in 8.8.8.8:53>10.1.0.2:1000"},
			{UDP, INSIDE, FROM(2), "10.0.9.7", 1000, 53,
				"out 10.0.9.1:1000>10.0.9.7:53"}, /* the address there */
			{UDP, OUTSIDE, "8.8.8.8", FROM(2), 53, 1002, "in 8.8.8.8:53>10.1.0.2:1002"},
			{.how = REPLY, .expected = "out 10.1.0.2:1002>8.8.8.8:53"},
		}},
	{"MASQUERADE, a range of ports",
		"-A POSTROUTING -p udp -o eth0 -j MASQUERADE --to-ports 1000-1001\n",
		{
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1001, 53, "out 10.0.0.1:1001>8.8.8.8:53"},
			{UDP, INSIDE, FROM(3), "8.8.8.8", 1001, 53, "out 10.0.0.1:1000>8.8.8.8:53"},
			{UDP, INSIDE, FROM(4), "8.8.8.8", 1001, 53, ""},
			{UDP, INSIDE, FROM(4), "8.8.4.4", 1001, 53, "out 10.0.0.1:1001>8.8.4.4:53"},
		}},
	{"SNAT to one port", "-A POSTROUTING -p tcp -j SNAT --to-source 10.0.0.5:500\n",
		{
			{TCP, INSIDE, FROM(2), "8.8.8.8", 1000, 80, "out 10.0.0.5:500>8.8.8.8:80"},
			{TCP, INSIDE, FROM(3), "8.8.8.8", 1000, 80, ""},
			{TCP, INSIDE, FROM(3), "8.8.8.8", 1000, 81, "out 10.0.0.5:500>8.8.8.8:81"},
		}},
	{"SNAT to a range of addresses",
		"-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5-10.0.0.200\n",
		{
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1, 53, NULL},
			{UDP, INSIDE, FROM(2), "8.8.4.4", 2, 53, NULL},
			{UDP, INSIDE, FROM(3), "8.8.8.8", 1, 53, NULL},
			{TCP, INSIDE, FROM(4), "8.8.8.8", 1, 53, NULL},
			{.how = REPLY},
			{ECHO, INSIDE, FROM(5), "9.9.9.9", 1, 53, NULL},
			{.how = REPLY},
			{UDP, INSIDE, FROM(2), "1.1.1.1", 1, 53,
				NULL}, /* as the same source before */
			{UDP, INSIDE, FROM(9), "1.1.1.1", 700, 53, NULL},
			{UDP, INSIDE, FROM(9), "1.1.1.2", 7000, 53, NULL},
			{UDP, INSIDE, FROM(9), "1.1.1.3", 7001, 53, NULL},
		}},
	{"--persistent",
		"-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5-10.0.0.200 --persistent\n",
		{
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1, 53, NULL},
			{UDP, INSIDE, FROM(2), "8.8.4.4", 2, 53, NULL},
			{UDP, INSIDE, FROM(3), "8.8.8.8", 1, 53, NULL},
			{UDP, INSIDE, FROM(4), "8.8.8.8", 1, 53, NULL},
			{UDP, INSIDE, FROM(4), "8.8.8.9", 3, 53, NULL},
		}},
	{"DNAT",
		"-A PREROUTING -d 10.0.0.1 -p tcp --dport 80 -j DNAT --to-destination "
		"10.1.0.2:8080\n-A PREROUTING -d 10.0.9.1 -j DNAT --to-destination 10.1.0.3\n",
		{
			{TCP, OUTSIDE, "8.8.8.8", "10.0.0.1", 1000, 80,
				"in 8.8.8.8:1000>10.1.0.2:8080"},
			{.how = ERROR,
				.expected = "out 10.0.0.1>8.8.8.8 error 3/3 "
					    "[8.8.8.8:1000>10.0.0.1:80]"},
			{TCP, OUTSIDE, "8.8.8.8", "10.0.0.1", 1000, 80,
				"in 8.8.8.8:1000>10.1.0.2:8080"},
			{.how = REPLY, .expected = "out 10.0.0.1:80>8.8.8.8:1000"},
			{ECHO, OUTSIDE, "8.8.8.8", "10.0.9.1", 1000, 80,
				"in 8.8.8.8>10.1.0.3 echo 1000"},
			{.how = REPLY, .expected = "out 10.0.9.1>8.8.8.8 answer 1000"},
			{OTHER, OUTSIDE, "8.8.8.8", "10.0.9.1", 0, 0, "in 8.8.8.8>10.1.0.3"},
			{.how = REPLY, .expected = "out 10.0.9.1>8.8.8.8"},
		}},
	{"DNAT to ranges",
		"-A PREROUTING -d 10.0.9.1 -p udp -j DNAT --to-destination "
		"10.1.0.10-10.1.0.50:2000-2100/1000\n"
		"-A PREROUTING -d 10.0.9.2 -j DNAT --to-destination 10.1.0.10-10.1.0.50\n-A "
		"PREROUTING -p udp -d 10.0.9.3 -j DNAT --to-destination :5000-5010\n",
		{
			{UDP, OUTSIDE, "8.8.8.8", "10.0.9.1", 5, 1000, NULL},
			{.how = REPLY, .expected = "out 10.0.9.1:1000>8.8.8.8:5"},
			{UDP, OUTSIDE, "8.8.8.9", "10.0.9.1", 5, 1099, NULL},
			{.how = REPLY, .expected = "out 10.0.9.1:1099>8.8.8.9:5"},
			{UDP, OUTSIDE, "8.8.8.9", "10.0.9.1", 5, 1105, NULL},
			{TCP, OUTSIDE, "8.8.8.7", "10.0.9.2", 5, 1105, NULL},
			{.how = REPLY},
			{UDP, OUTSIDE, "8.8.8.9", "10.0.9.3", 6, 1105, NULL},
			{UDP, OUTSIDE, "8.8.8.9", "10.0.9.3", 7, 5001, NULL},
		}},
	{"both ends",
		"-A PREROUTING -d 10.0.9.1 -j DNAT --to-destination 10.1.0.3\n-A POSTROUTING -o "
		"eth1 -j SNAT --to-source 10.1.0.1\n",
		{
			{UDP, INSIDE, FROM(2), "10.0.9.1", 1000, 53,
				"in 10.1.0.1:1000>10.1.0.3:53"},
			{.how = REPLY, .expected = "in 10.0.9.1:53>10.1.0.2:1000"},
			{UDP, OUTSIDE, "8.8.8.8", "10.0.9.1", 1000, 54,
				"in 10.1.0.1:1000>10.1.0.3:54"},
			{.how = ERROR,
				.expected = "out 10.0.9.1>8.8.8.8 error 3/3 "
					    "[8.8.8.8:1000>10.0.9.1:54]"},
			{TCP, OUTSIDE, "8.8.8.8", "10.0.9.1", 1000, 54,
				"in 10.1.0.1:1000>10.1.0.3:54"},
			{.how = REPLY, .expected = "out 10.0.9.1:54>8.8.8.8:1000"},
		}},
	{"NETMAP",
		"-A PREROUTING -d 10.0.9.0/24 -i eth0 -j NETMAP --to 10.1.0.0/24\n-A POSTROUTING "
		"-s 10.1.0.0/24 -o eth0 -j NETMAP --to 10.0.9.0/24\n",
		{
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.0.9.2:1000>8.8.8.8:53"},
			{.how = REPLY, .expected = "in 8.8.8.8:53>10.1.0.2:1000"},
			{ECHO, OUTSIDE, "8.8.8.8", "10.0.9.99", 1, 0,
				"in 8.8.8.8>10.1.0.99 echo 1"},
			{.how = REPLY, .expected = "out 10.0.9.99>8.8.8.8 answer 1"},
		}},
	{"REDIRECT", "-A PREROUTING -i eth0 -p icmp -j REDIRECT\n",
		{
			{ECHO, OUTSIDE, "8.8.8.8", "10.1.0.2", 1, 0,
				"out 10.1.0.2>8.8.8.8 answer 1"},
		}},
	{"a first packet that no rule is about has its binding, too",
		"-A POSTROUTING -o eth0 -s 10.1.0.9 -j SNAT --to-source 10.0.0.5\n",
		{
			{UDP, INSIDE, FROM(9), "8.8.8.8", 1000, 53, "out 10.0.0.5:1000>8.8.8.8:53"},
			{UDP, INSIDE, FROM(2), "8.8.8.8", 1000, 53, "out 10.1.0.2:1000>8.8.8.8:53"},
			{.how = REPLY, .expected = "in 8.8.8.8:53>10.1.0.2:1000"},
		}},
};

static bool
same_frames(const struct gate_frames *a, const struct gate_frames *b)
{
	unsigned i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->f[i].side != b->f[i].side || a->f[i].len != b->f[i].len ||
			memcmp(a->f[i].data, b->f[i].data, a->f[i].len) != 0)
			return false;
	return true;
}

static void
print_bytes(const char *who, const struct gate_frames *f)
{
	char text[512];
	unsigned i;
	size_t k;

	words_of(f, text, sizeof(text));
	printf("%s: %s\n", who, text);
	for (i = 0; i < f->n; i++) {
		for (k = 0; k < f->f[i].len; k++)
			printf("%02x%s", f->f[i].data[k], k % 4 == 3 ? " " : "");
		printf("\n");
	}
}

static unsigned
run_ours(const struct test *test, unsigned k, const struct gate_frames *last, struct gate_frames *out)
{
	uint8_t buf[FRAME];
	char text[512];
	unsigned i, failed = 0;
	int side;
	size_t len = step_packet(&test->steps[k], last, buf, &side);

	gate_inject(&g, side, buf, len, &len, 1, out);
	words_of(out, text, sizeof(text));
	if (test->steps[k].expected && strcmp(text, test->steps[k].expected) != 0) {
		printf("%s, step %u: \"%s\", expected \"%s\"\n", test->name, k, text,
			test->steps[k].expected);
		failed++;
	}
	for (i = 0; i < out->n; i++)
		check_sums(out->f[i].data, out->f[i].len);
	return failed;
}

static void
test_table(void **state)
{
	static struct gate_frames last, out;
	unsigned i, k, failed = 0;

	for (i = 0; i < RTE_DIM(tests); i++) {
		if (i > 0)
			setup(state);
		load(tests[i].rules);
		for (k = 0; tests[i].steps[k].how != END; k++) {
			failed += run_ours(&tests[i], k, &last, &out);
			last = out;
		}
		test_conntrack_check(g.filters.conntrack, 0);
		if (i + 1 < RTE_DIM(tests))
			assert_int_equal(teardown(state), 0);
	}
	assert_int_equal(failed, 0);
}

/* Sends what `s` says through ours and the kernel's; both go on from what came out of the latter.
 */
static unsigned
compare_step(const struct test *test, unsigned k, struct gate_frames *last)
{
	static struct gate_frames ours, theirs;
	uint8_t buf[FRAME];
	int side;
	size_t len = step_packet(&test->steps[k], last, buf, &side);
	bool same;

	gate_inject(&g, side, buf, len, &len, 1, &ours);
	kernel_gate_inject(&kernel, side, buf, len, &theirs);
	same = same_frames(&ours, &theirs);
	/* an answer of the router itself has an id of its own */
	if (!same && strcmp(test->name, "REDIRECT") == 0 && ours.n == 1 && theirs.n == 1)
		same = memcmp(ours.f[0].data + 12, theirs.f[0].data + 12, ours.f[0].len - 12) == 0;
	if (!same) {
		printf("%s, step %u\n", test->name, k);
		print_bytes("ours  ", &ours);
		print_bytes("kernel", &theirs);
	}
	*last = theirs;
	return !same;
}

static unsigned
compare_all(void **state)
{
	static struct gate_frames last;
	unsigned i, k, failed = 0;

	for (i = 0; i < RTE_DIM(tests); i++) {
		setup(state);
		load(tests[i].rules);
		kernel_load(tests[i].rules);
		for (k = 0; tests[i].steps[k].how != END; k++)
			failed += compare_step(&tests[i], k, &last);
		assert_int_equal(teardown(state), 0);
	}
	return failed;
}

/* In a process of its own, which leaves this one where it is. */
static void
test_kernel(void **state)
{
	enum { NONE = 77 };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		unsigned failed;

		if (!kernel_gate_open(&kernel))
			_exit(NONE);
		failed = compare_all(state);
		fflush(stdout);
		_exit(failed > 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NONE)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- ports ---- */

/* => the source port outside; 0: nothing came out. */
static uint16_t
port_of(enum how how, const char *src, uint16_t sport, const char *dst)
{
	static struct gate_frames out;
	const struct act s = {how, INSIDE, src, dst, sport, 53, NULL};
	uint8_t buf[FRAME];
	size_t len = make(&s, buf);

	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	if (out.n == 0)
		return 0;
	check_sums(out.f[0].data, out.f[0].len);
	return word(out.f[0].data + (how == ECHO ? 24 : 20));
}

static void
test_port_classes(void **state)
{
	static const struct {
		uint16_t port, low, high;
	} rows[] = {{1, 1, 511}, {511, 1, 511}, {512, 600, 1023}, {1023, 600, 1023},
		{1024, 1024, 65535}, {65535, 1024, 65535}};
	uint16_t port;
	size_t i;
	int k;

	(void)state;
	load(snat);
	for (i = 0; i < RTE_DIM(rows); i++)
		for (k = 2; k < 50; k++) {
			char src[16];

			snprintf(src, sizeof(src), "10.1.0.%d", k);
			port = port_of(UDP, src, rows[i].port, i % 2 ? "8.8.4.4" : "8.8.8.8");
			if (k == 2)
				assert_int_equal(port, rows[i].port);
			else
				assert_in_range(port, rows[i].low, rows[i].high);
		}
}

static void
test_echo_ids(void **state)
{
	uint16_t id;

	(void)state;
	load(snat);
	assert_int_equal(port_of(ECHO, "10.1.0.2", 5, "8.8.8.8"), 5);
	id = port_of(ECHO, "10.1.0.3", 5, "8.8.8.8");
	assert_int_not_equal(id, 5);
	assert_int_equal(port_of(ECHO, "10.1.0.3", 5, "8.8.8.8"), id);
	assert_int_equal(
		port_of(ECHO, "10.1.0.3", 5, "8.8.4.4"), id); /* the source keeps its mapping */
	assert_int_equal(port_of(ECHO, "10.1.0.4", 5, "8.8.4.4"), 5);
}

static void
test_random(void **state)
{
	unsigned same = 0;
	uint16_t i;

	(void)state;
	load("-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5 --random\n");
	for (i = 0; i < 100; i++)
		same += port_of(UDP, "10.1.0.2", (uint16_t)(2000 + i), "8.8.8.8") == 2000 + i;
	assert_in_range(same, 0, 3);
}

static uint64_t
exhausted(void)
{
	return g.t.live.drops.n[DROP_NAT_PORTS];
}

static struct conn *
conn_of(const char *src, uint16_t sport)
{
	struct ct_tuple tuple = {.src = test_addr(src),
		.dst = test_addr("8.8.8.8"),
		.sport = htons(sport),
		.dport = htons(53),
		.proto = IPPROTO_TCP};
	enum ct_dir dir;

	return conntrack_find(g.filters.conntrack, g.tw.w.env.now, &tuple, 0, &dir);
}

/* All ports from 1024 on, from two clients with the same ones; one more is refused by name; a port
 * that is free again is found. */
static void
test_exhaustion(void **state)
{
	static uint8_t used[65536];
	struct nat_stats s;
	uint16_t port;
	uint32_t i;

	(void)state;
	load(snat);
	memset(used, 0, sizeof(used));
	for (i = 0; i < 64512; i++) {
		port = port_of(TCP, i < 32256 ? "10.1.0.2" : "10.1.0.3",
			(uint16_t)(1024 + i % 32256), "8.8.8.8");
		assert_in_range(port, 1024, 65535);
		assert_int_equal(used[port]++, 0);
	}
	assert_int_equal(port_of(TCP, "10.1.0.4", 5000, "8.8.8.8"), 0);
	assert_int_equal(exhausted(), 1);
	assert_string_equal(logged,
		"nat: 10.0.0.5 has no free port left for tcp to 8.8.8.8; connections refused: 1");
	nat_stats(g.filters.conntrack, &s);
	assert_int_equal(s.maps, 1);
	assert_int_equal(s.exhausted, 1);
	assert_int_equal(port_of(TCP, "10.1.0.4", 5000, "8.8.4.4"), 5000);
	assert_int_equal(port_of(TCP, "10.1.0.4", 500, "8.8.8.8"), 500);
	port = ntohs(conn_of("10.1.0.3", 7000)->tuple[CT_DIR_REPLY].dport);
	conntrack_delete(&g.tw.w.env, g.filters.conntrack, conn_of("10.1.0.3", 7000));
	assert_int_equal(port_of(TCP, "10.1.0.4", 5000, "8.8.8.8"), port);
	assert_int_equal(port_of(TCP, "10.1.0.4", 5001, "8.8.8.8"), 0);
	test_walker_pass(&g.tw, 200 * TEST_SECOND);
	assert_int_equal(port_of(TCP, "10.1.0.4", 5001, "8.8.8.8"), 5001);
}

/* ---- gauges ---- */

static struct nat_gauge
gauge(enum nat_side side, const char *address, uint8_t proto)
{
	struct nat_gauge all[32];
	uint32_t cursor = 0;
	size_t n = nat_gauges(g.filters.conntrack, g.tw.w.env.now, &cursor, all, RTE_DIM(all)), i;

	for (i = 0; i < n; i++)
		if (all[i].side == side && all[i].proto == proto &&
			all[i].address == test_addr(address).v4)
			return all[i];
	return (struct nat_gauge){.side = NAT_NOBODY};
}

static void
end_all_connections(void)
{
	struct nat_gauge one;
	uint32_t cursor = 0;

	conntrack_flush(&g.tw.w.env, g.filters.conntrack);
	assert_int_equal(nat_gauges(g.filters.conntrack, g.tw.w.env.now, &cursor, &one, 1), 0);
}

static void
test_gauges(void **state)
{
	uint16_t i;

	(void)state;
	load(snat);
	for (i = 0; i < 30; i++)
		port_of(TCP, i % 3 ? "10.1.0.2" : "10.1.0.3", (uint16_t)(2000 + i), "8.8.8.8");
	port_of(UDP, "10.1.0.2", 2000, "8.8.8.8");
	assert_int_equal(gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_TCP).mappings, 30);
	assert_int_equal(gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_TCP).most, 64512);
	assert_int_equal(gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_UDP).mappings, 1);
	assert_int_equal(gauge(NAT_GUEST, "10.1.0.2", 0).mappings, 21);
	assert_int_equal(gauge(NAT_GUEST, "10.1.0.3", 0).mappings, 10);
	conntrack_delete(&g.tw.w.env, g.filters.conntrack, conn_of("10.1.0.3", 2000));
	assert_int_equal(gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_TCP).mappings, 29);
	assert_int_equal(gauge(NAT_GUEST, "10.1.0.3", 0).mappings, 9);
	end_all_connections();
	gate_unload(&g);
	load("");
	port_of(TCP, "10.1.0.2", 2000, "8.8.8.8");
	assert_int_equal(gauge(NAT_GUEST, "10.1.0.2", 0).side, NAT_NOBODY);
}

/* The largest range of several counts; protocols without ports have none. */
static void
test_gauges_of_ranges(void **state)
{
	(void)state;
	load("-A POSTROUTING -p tcp --dport 53 -j SNAT --to-source 10.0.0.5:600-1023\n"
	     "-A POSTROUTING -j SNAT --to-source 10.0.0.5\n");
	port_of(TCP, "10.1.0.2", 2000, "8.8.8.8");
	assert_int_equal(gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_TCP).most, 424);
	port_of(ECHO, "10.1.0.2", 2000, "8.8.8.8");
	assert_int_equal(gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_ICMP).most, 65536);
}

static void
test_growth(void **state)
{
	uint16_t i;
	double growth;

	(void)state;
	load(snat);
	for (i = 0; i < 1000; i++) {
		port_of(TCP, "10.1.0.2", (uint16_t)(2000 + i), "8.8.8.8");
		test_walker_pass(&g.tw, TEST_SECOND / 20);
	}
	growth = gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_TCP).growth;
	assert_true(growth > 18 && growth < 21);
	test_walker_pass(&g.tw, 100 * TEST_SECOND);
	growth = gauge(NAT_OUTSIDE, "10.0.0.5", IPPROTO_TCP).growth;
	assert_true(growth < 2);
}

/* Who has its share gets no more; nobody else notices, and what runs goes on. */
static void
test_quota(void **state)
{
	uint16_t i;

	(void)state;
	load("-A POSTROUTING -s 10.1.0.0/25 -j SNAT --to-source 10.0.0.5\n");
	g.t.r.tunables.value[TUNE_NAT_QUOTA] = 5;
	for (i = 0; i < 8; i++)
		assert_int_equal(port_of(TCP, "10.1.0.2", (uint16_t)(2000 + i), "8.8.8.8"),
			i < 5 ? 2000 + i : 0);
	assert_int_equal(g.t.live.drops.n[DROP_NAT_QUOTA], 3);
	assert_int_equal(gauge(NAT_GUEST, "10.1.0.2", 0).refused, 3);
	assert_int_equal(n_logged, 1);
	assert_string_equal(logged, "nat: 10.1.0.2 has all the translated connections that "
				    "nat_quota allows; connections refused: 1");
	assert_int_equal(port_of(TCP, "10.1.0.3", 2000, "8.8.4.4"), 2000);
	assert_int_equal(port_of(TCP, "10.1.0.2", 2000, "8.8.8.8"), 2000);
	for (i = 0; i < 8; i++)
		assert_int_equal(port_of(TCP, "10.1.0.200", (uint16_t)(3000 + i), "8.8.8.8"), 3000 + i);
	conntrack_delete(&g.tw.w.env, g.filters.conntrack, conn_of("10.1.0.2", 2004));
	test_walker_pass(&g.tw, 6 * TEST_SECOND);
	assert_int_equal(port_of(TCP, "10.1.0.2", 2006, "8.8.8.8"), 2006);
	assert_int_equal(port_of(TCP, "10.1.0.2", 2007, "8.8.8.8"), 0);
	assert_int_equal(n_logged, 2);
}

/* ---- what packets look like ---- */

/* Headers that lie in several segments: whatever of layer 4 pkt_parse() asks for is in the first.
 */
static void
test_segments(void **state)
{
	static const size_t cuts[][2] = {{28, 3}, {40, 1}, {48, 7}, {29, 20}, {56, 2}};
	static struct gate_frames one, many, out;
	const struct act s = {UDP, INSIDE, "10.1.0.2", "8.8.8.8", 1000, 53, NULL};
	uint8_t buf[FRAME], error[FRAME];
	size_t len = make(&s, buf), i;

	(void)state;
	load(snat);
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	len = complain(ERROR, out.f[0].data, out.f[0].len, error);
	gate_inject(&g, OUTSIDE, error, len, &len, 1, &one);
	assert_int_equal(one.n, 1);
	for (i = 0; i < RTE_DIM(cuts); i++) {
		gate_inject(&g, OUTSIDE, error, len, cuts[i], 2, &many);
		assert_true(same_frames(&one, &many));
	}
}

static uint32_t
draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Bytes changed and cut off at random behind the outer header, its checksums made right again. */
static size_t
spoil(uint64_t *seed, uint8_t *packet, size_t len)
{
	uint32_t n = draw(seed, 4);
	uint16_t sum = 0;

	while (n-- > 0)
		packet[28 + draw(seed, (uint32_t)len - 28)] = (uint8_t)draw(seed, 256);
	if (draw(seed, 2))
		len = 28 + draw(seed, (uint32_t)len - 28);
	packet[2] = (uint8_t)(len >> 8);
	packet[3] = (uint8_t)len;
	test_fix_ip(packet);
	memcpy(packet + 22, &sum, 2);
	sum = (uint16_t)~csum_fold(csum_add(0, packet + 20, len - 20));
	memcpy(packet + 22, &sum, 2);
	return len;
}

/* Whatever an error quotes, its own checksums are right when it comes out. */
static void
test_spoilt_errors(void **state)
{
	static const enum how kinds[] = {UDP, TCP, ECHO, SCTP, UDPLITE, GRE, OTHER};
	static struct gate_frames first, out;
	uint64_t seed = test_seed();
	uint8_t buf[FRAME];
	unsigned i, passed = 0;

	(void)state;
	load("-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5\n"
	     "-A PREROUTING -i eth1 -d 9.9.9.9 -j DNAT --to-destination 8.8.8.8\n");
	for (i = 0; i < 20000; i++) {
		const struct act s = {kinds[draw(&seed, RTE_DIM(kinds))], INSIDE, "10.1.0.2",
			draw(&seed, 2) ? "9.9.9.9" : "8.8.4.4", 1000, 53, NULL};
		size_t len = make(&s, buf), cut;

		gate_inject(&g, INSIDE, buf, len, &len, 1, &first);
		assert_int_equal(first.n, 1);
		len = complain(ERROR, first.f[0].data, first.f[0].len, buf);
		len = spoil(&seed, buf, len);
		cut = 28 + draw(&seed, (uint32_t)len - 27);
		gate_inject(&g, OUTSIDE, buf, len, &cut, 1, &out);
		if (out.n != 1 || out.f[0].side != INSIDE)
			continue;
		passed++;
		assert_int_equal(csum_fold(csum_add(0, out.f[0].data, 20)), 0xffff);
		assert_int_equal(
			csum_fold(csum_add(0, out.f[0].data + 20, out.f[0].len - 20)), 0xffff);
	}
	assert_in_range(passed, 2000, 20000);
}

/* An unfinished checksum is one of the pseudo-header. */
static void
test_offload(void **state)
{
	const struct act s = {TCP, INSIDE, "10.1.0.2", "8.8.8.8", 1000, 80, NULL};
	uint8_t buf[FRAME];
	size_t len = make(&s, buf);
	struct pkt *p;
	uint16_t sum;
	uint32_t port;

	(void)state;
	load("-A POSTROUTING -p tcp -o eth0 -j SNAT --to-source 10.0.0.5:77\n");
	sum = csum_fold(csum_pseudo4(
		inet_addr("10.1.0.2"), inet_addr("8.8.8.8"), IPPROTO_TCP, (uint16_t)(len - 20)));
	memcpy(buf + 36, &sum, 2);
	p = test_pkt(&g.tw.t, buf, len);
	p->router = &g.t.r;
	p->in = &g.t.ifaces[TEST_ETH1];
	p->flags = PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 16;
	router_receive(&g.tw.w, p);
	test_walker_run(&g.tw);
	p = test_sent(&g.tw, &port);
	assert_non_null(p);
	assert_true(p->flags & PKT_CSUM_PARTIAL);
	pkt_checksum_complete(p);
	assert_int_equal(word((uint8_t *)pkt_data(p) + 20), 77);
	check_sums(pkt_data(p), pkt_len(p));
	env_pkt_free(&g.tw.w.env, p);
}

/* ---- fragments ---- */

static void
test_fragments(void **state)
{
	static struct gate_frames out;
	const struct act s = {BIG, INSIDE, "10.1.0.2", "8.8.8.8", 1000, 53, NULL};
	uint8_t whole[FRAME], piece[FRAME];
	size_t len = make(&s, whole), at, n, total = 0;
	unsigned i;

	(void)state;
	load("-A POSTROUTING -p udp -o eth0 -j SNAT --to-source 10.0.0.5:77\n");
	for (at = 20; at < len; at += n) {
		n = RTE_MIN(len - at, (size_t)1376);
		memcpy(piece, whole, 20);
		memcpy(piece + 20, whole + at, n);
		piece[2] = (uint8_t)((n + 20) >> 8);
		piece[3] = (uint8_t)(n + 20);
		piece[6] = (uint8_t)((at - 20) / 8 >> 8 | (at + n < len ? 0x20 : 0));
		piece[7] = (uint8_t)((at - 20) / 8);
		test_fix_ip(piece);
		n += 20;
		gate_inject(&g, INSIDE, piece, n, &n, 1, &out);
		n -= 20;
	}
	assert_int_equal(out.n, 3);
	for (i = 0; i < out.n; i++) {
		check_sums(out.f[i].data, out.f[i].len);
		at = 20 + (word(out.f[i].data + 6) & 0x1fff) * 8u;
		memcpy(whole + at, out.f[i].data + 20, out.f[i].len - 20);
		total += out.f[i].len - 20;
		assert_memory_equal(out.f[i].data + 12, "\x0a\0\0\x05\x08\x08\x08\x08", 8);
	}
	assert_int_equal(total, len - 20);
	memcpy(whole + 12, "\x0a\0\0\x05", 4);
	test_fix_ip(whole);
	assert_int_equal(word(whole + 20), 77);
	check_sums(whole, len);
}

/* ---- masquerading ---- */

static void
configure_again(void)
{
	version_bump(&g.tw.t.epoch, &g.t.live.version);
}

static uint32_t
count(void)
{
	struct conntrack_stats s;

	conntrack_stats(g.filters.conntrack, &s);
	return s.count;
}

static void
test_masquerade_forgets(void **state)
{
	static struct gate_frames out;
	const struct act s = {UDP, INSIDE, "10.1.0.2", "8.8.8.8", 1000, 53, NULL};
	char text[200];
	uint8_t buf[FRAME];
	size_t len = make(&s, buf);
	uint16_t i;

	(void)state;
	load("-A POSTROUTING -o eth0 -j MASQUERADE\n");
	for (i = 0; i < 300; i++)
		port_of(UDP, "10.1.0.2", (uint16_t)(1000 + i), "8.8.8.8");
	assert_int_equal(count(), 300);
	g.t.addrs[TEST_ETH0][0].prefix = test_prefix("10.0.0.9/24");
	configure_again();
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	words_of(&out, text, sizeof(text));
	assert_string_equal(text, "out 10.0.0.9:1000>8.8.8.8:53");
	for (i = 0; i < 10; i++)
		gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	assert_int_equal(count(), 1);
	g.t.ifaces[TEST_ETH0].up = false;
	configure_again();
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out); /* no way, and an error about it */
	assert_int_equal(count(), 0);
	g.t.ifaces[TEST_ETH0].up = true;
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	assert_int_equal(count(), 1);
}

/* The way to the same place changes: what was masqueraded for the old one is dropped once, and
 * begins anew. */
static void
test_masquerade_moves(void **state)
{
	static struct gate_frames out;
	const struct act s = {UDP, INSIDE, "10.1.0.2", "172.16.0.9", 1000, 53, NULL};
	char text[200];
	uint8_t buf[FRAME];
	size_t len = make(&s, buf);

	(void)state;
	g.t.ifaces[TEST_IUCV0].attach = (struct attach){ATTACH_PORT, OUTSIDE, 0};
	load("-A POSTROUTING -j MASQUERADE\n");
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	words_of(&out, text, sizeof(text));
	assert_string_equal(text, "out 192.168.1.1:1000>172.16.0.9:53");
	g.t.ifaces[TEST_IUCV0].live->carrier = false; /* the default route leads to eth0 */
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	assert_int_equal(g.t.live.drops.n[DROP_NAT_MOVED], 1);
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	words_of(&out, text, sizeof(text));
	assert_string_equal(text, "out 10.0.0.1:1000>172.16.0.9:53");
}

static void
test_no_address(void **state)
{
	static struct gate_frames out;
	const struct act s = {UDP, INSIDE, "10.1.0.2", "8.8.8.8", 1000, 53, NULL};
	uint8_t buf[FRAME];
	size_t len = make(&s, buf);

	(void)state;
	load("-A PREROUTING -j REDIRECT\n");
	g.t.ifaces[TEST_ETH1].n_addrs = 0;
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	g.t.ifaces[TEST_ETH1].n_addrs = 1;
	assert_int_equal(out.n, 0);
	assert_int_equal(g.t.live.drops.n[DROP_NAT_ADDRESS], 1);
}

/* A rule that goes leaves what it has mapped alone. */
static void
test_rule_goes(void **state)
{
	static struct gate_frames out;
	const struct act s = {UDP, INSIDE, "10.1.0.2", "8.8.8.8", 1000, 53, NULL};
	char text[200];
	uint8_t buf[FRAME];
	size_t len = make(&s, buf);

	(void)state;
	load(snat);
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	gate_unload(&g);
	gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
	words_of(&out, text, sizeof(text));
	assert_string_equal(text, "out 10.0.0.5:1000>8.8.8.8:53");
	len = turn(out.f[0].data, out.f[0].len, buf);
	gate_inject(&g, OUTSIDE, buf, len, &len, 1, &out);
	words_of(&out, text, sizeof(text));
	assert_string_equal(text, "in 8.8.8.8:53>10.1.0.2:1000");
}

/* ---- at random ---- */

static const char *const random_rules[] = {
	"-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5\n",
	"-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5-10.0.0.6\n",
	"-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.0.5-10.0.0.9 --persistent --random\n",
	"-A POSTROUTING -o eth0 -j MASQUERADE --random-fully\n",
	"-A POSTROUTING -p udp -o eth0 -j MASQUERADE --to-ports 100-160\n-A POSTROUTING -p tcp -o "
	"eth0 -j SNAT --to-source 10.0.0.5-10.0.0.6:1-40\n",
	"-A POSTROUTING -o eth0 -j MASQUERADE\n-A PREROUTING -i eth1 -p udp -j DNAT "
	"--to-destination 9.9.9.1-9.9.9.3\n",
	"-A PREROUTING -i eth1 -p tcp -j DNAT --to-destination 9.9.9.1-9.9.9.3:60-70\n",
	"-A PREROUTING -i eth1 -j DNAT --to-destination 9.9.9.9\n-A POSTROUTING -o eth0 -j SNAT "
	"--to-source 10.0.0.5\n",
	"-A POSTROUTING -s 10.1.0.0/24 -o eth0 -j NETMAP --to 10.0.9.0/24\n-A PREROUTING -i eth1 "
	"-p udp --dport 53 -j DNAT --to-destination 8.8.8.8\n",
};

enum { FLOWS = 3 * 16 * 8 * 4 };

struct flow {
	bool seen;
	uint8_t out[4 + 4 + 4]; /* addresses and ports that it leaves with */
};

static void
ends_of(const uint8_t *ip, uint8_t *to)
{
	memcpy(to, ip + 12, 8);
	memcpy(to + 8, ip + (ip[9] == IPPROTO_ICMP ? 24 : 20), ip[9] == IPPROTO_ICMP ? 2 : 4);
	if (ip[9] == IPPROTO_ICMP)
		to[10] = to[11] = 0;
}

/* A flow keeps what it got, no two have the same, and the answer comes back to where the flow
 * began. */
static void
check_flow(struct flow *flows, unsigned which, const uint8_t *sent, size_t len,
	const struct gate_frames *out)
{
	static struct gate_frames back;
	uint8_t ends[12], answer[FRAME], turned[FRAME], first[12], last[12];
	unsigned i, proto = which % 3;

	assert_int_equal(out->f[0].side, OUTSIDE);
	ends_of(out->f[0].data, ends);
	if (flows[which].seen)
		assert_memory_equal(flows[which].out, ends, sizeof(ends));
	for (i = proto; i < FLOWS; i += 3)
		assert_true(i == which || !flows[i].seen ||
			    memcmp(flows[i].out, ends, sizeof(ends)) != 0);
	memcpy(flows[which].out, ends, sizeof(ends));
	flows[which].seen = true;
	len = reply(out->f[0].data, out->f[0].len, answer);
	gate_inject(&g, OUTSIDE, answer, len, &len, 1, &back);
	assert_int_equal(back.n, 1);
	assert_int_equal(back.f[0].side, INSIDE);
	check_sums(back.f[0].data, back.f[0].len);
	turn(sent, len, turned);
	ends_of(turned, first);
	ends_of(back.f[0].data, last);
	assert_memory_equal(first, last, sizeof(first));
}

static void
random_packets(uint64_t *seed, unsigned n)
{
	static const enum how protos[] = {UDP, TCP, ECHO};
	static const char *const servers[] = {"8.8.8.8", "8.8.4.4", "9.9.9.9", "1.1.1.1"};
	static struct flow flows[FLOWS];
	static struct gate_frames out;
	uint8_t buf[FRAME];
	char src[16];

	memset(flows, 0, sizeof(flows));
	while (n-- > 0) {
		unsigned which =
			(unsigned)((*seed = *seed * 6364136223846793005u + 1442695040888963407u) >>
				   33) %
			FLOWS;
		const struct act s = {protos[which % 3], INSIDE, src, servers[which / 3 / 128],
			(uint16_t)(100 + which / 3 / 16 % 8), 53, NULL};
		size_t len;

		snprintf(src, sizeof(src), "10.1.0.%u", 2 + which / 3 % 16);
		len = make(&s, buf);
		gate_inject(&g, INSIDE, buf, len, &len, 1, &out);
		if (out.n == 0) {
			assert_false(flows[which].seen);
			continue;
		}
		check_sums(out.f[0].data, out.f[0].len);
		check_flow(flows, which, buf, len, &out);
	}
}

static void
test_at_random(void **state)
{
	uint64_t seed = test_seed();
	unsigned i;

	for (i = 0; i < 3 * RTE_DIM(random_rules); i++) {
		load(random_rules[i % RTE_DIM(random_rules)]);
		random_packets(&seed, 3000);
		test_conntrack_check(g.filters.conntrack, 0);
		assert_int_equal(teardown(state), 0);
		setup(state);
	}
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test_setup_teardown(test_table, setup, teardown),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test_setup_teardown(test_port_classes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_echo_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exhaustion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gauges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gauges_of_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_growth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spoilt_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masquerade_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masquerade_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rule_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at_random, setup, teardown),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
