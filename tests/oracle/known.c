/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/known.h"

#include "tests/oracle/differences.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>

enum { PACKETS = 3, ROUTE = 20 };

/* What shows a difference that stays, and nothing else. */
static const struct {
	const char *name, *rules;
	struct {
		uint8_t proto;
		uint16_t frag_off, payload; /* bytes behind the IP header */
		uint8_t l4[ROUTE];
	} packets[PACKETS];
} cases[] = {
	{"cuts", "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n",
		{{IPPROTO_UDP, IP_MF, 48, {0x10, 0, 0x20, 0, 0, 120}}, {IPPROTO_UDP, IP_MF | 6, 32, {0}}, {IPPROTO_UDP, 10, 40, {0}}}},
	{"reset quoted", "*filter\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n-A OUTPUT -p tcp -j REJECT\nCOMMIT\n",
		{{IPPROTO_TCP, IP_DF, 20, {0x10, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20}}}},
	{"bm", "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m string --string rookery --algo bm\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n",
		{{IPPROTO_UDP, IP_MF, 16, {0x10, 0, 0x20, 0, 0, 36, 0, 0, '.', '.', '.', '.', '.', 'r', 'o', 'o'}},
			{IPPROTO_UDP, 2, 20, {'k', 'e', 'r', 'y'}}}},
};

enum { N_CASES = sizeof(cases) / sizeof(*cases) };

static void
make_packet(unsigned which, unsigned n, struct frame *f)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .id = htons((uint16_t)(0x7000 + which)), .saddr = inet_addr("10.0.0.2"),
		.daddr = inet_addr("198.51.100.8")};
	uint16_t sum;

	ip.protocol = cases[which].packets[n].proto;
	ip.frag_off = htons(cases[which].packets[n].frag_off);
	f->iface = 0;
	f->len = (uint16_t)(sizeof(ip) + cases[which].packets[n].payload);
	ip.tot_len = htons(f->len);
	ip.check = ip4_checksum(&ip);
	memset(f->data, 0, f->len);
	memcpy(f->data, &ip, sizeof(ip));
	memcpy(f->data + sizeof(ip), cases[which].packets[n].l4, ROUTE);
	if (ip.protocol != IPPROTO_TCP)
		return;
	sum = (uint16_t)~csum_fold(csum_add(csum_pseudo4(ip.saddr, ip.daddr, IPPROTO_TCP, 20), f->data + sizeof(ip), 20));
	memcpy(f->data + sizeof(ip) + 16, &sum, 2);
}

/* Packets that the first rule of FORWARD saw. */
static uint64_t
matches(const struct side *side)
{
	static struct counts counts;
	unsigned i;

	side->counts(&counts);
	for (i = 0; i < counts.n; i++)
		if (counts.c[i].rule == 1 && strcmp(counts.c[i].chain, "FORWARD") == 0)
			return counts.c[i].packets;
	return UINT64_MAX;
}

/* => true: the last packet shows the difference of this name, and no other does. */
static bool
shows(unsigned which, char *why, size_t size)
{
	static struct frames kernel, ours;
	struct frame f = {.to = TO_ROUTER};
	unsigned i, row;

	if (kernel_side.load(cases[which].rules, "", why, size) < 0 || our_side.load(cases[which].rules, "", why, size) < 0)
		return false;
	for (i = 0; i < PACKETS && cases[which].packets[i].proto; i++) {
		make_packet(which, i, &f);
		kernel_side.inject(&f, &kernel);
		our_side.inject(&f, &ours);
	}
	for (row = 0; known_differences[row].name; row++)
		if (strcmp(known_differences[row].name, cases[which].name) == 0)
			break;
	if (known_differences[row].name && !known_differences[row].is)
		return matches(&kernel_side) == 0 && matches(&our_side) == 1;
	snprintf(why, size, "kernel sends %u packets, ours %u", kernel.n, ours.n);
	return known_differences[row].name && !outputs_equal(&f, &kernel, &ours) && known_differences[row].is(&f, &kernel, &ours);
}

static bool
has_case(const char *name)
{
	unsigned i;

	for (i = 0; i < N_CASES; i++)
		if (strcmp(cases[i].name, name) == 0)
			return true;
	return false;
}

bool
known_run(void)
{
	char why[600];
	bool all = true, good;
	unsigned i;

	for (i = 0; i < N_CASES; i++) {
		good = shows(i, why, sizeof(why));
		all = all && good;
		printf(good ? "known difference %s: as listed\n" : "known difference %s: not as listed: %s\n", cases[i].name, why);
	}
	for (i = 0; known_differences[i].name; i++)
		if (!has_case(known_differences[i].name)) {
			printf("known difference %s: nothing shows it\n", known_differences[i].name);
			all = false;
		}
	return all;
}
