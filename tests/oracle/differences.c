/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/differences.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>

enum { KNOWN_MAX = 10, JOINED_MAX = 65536 };

static uint64_t seen[KNOWN_MAX];

/* The datagram that fragments make, its header that of the first. => false: they make none. */
static bool
join(const struct frames *f, struct iphdr *head, uint8_t *data, unsigned *len)
{
	unsigned i, at = 0, offset, part;
	struct iphdr ip;

	for (i = 0; i < f->n; i++) {
		memcpy(&ip, f->f[i].data, sizeof(ip));
		offset = (ntohs(ip.frag_off) & IP_OFFMASK) * 8u;
		part = f->f[i].len - ip.ihl * 4u;
		if (offset != at || at + part > JOINED_MAX || f->f[i].iface != f->f[0].iface)
			return false;
		memcpy(data + at, f->f[i].data + ip.ihl * 4, part);
		at += part;
		if (i == 0)
			*head = ip;
	}
	head->check = head->frag_off = head->tot_len = 0;
	*len = at;
	return true;
}

/* One datagram, cut in other places. */
static bool
cut_otherwise(const struct frame *in, const struct frames *kernel, const struct frames *ours)
{
	static uint8_t a[JOINED_MAX], b[JOINED_MAX];
	struct iphdr x, y;
	unsigned m, n;

	(void)in;
	if (kernel->n < 2 || ours->n < 2 || kernel->f[0].iface != ours->f[0].iface)
		return false;
	return join(kernel, &x, a, &m) && join(ours, &y, b, &n) && m == n && memcmp(&x, &y, sizeof(x)) == 0 && memcmp(a, b, m) == 0;
}

const struct known_difference known_differences[] = {
	{"cuts", "ip_do_fragment(), ip_fraglist_init() in net/ipv4/ip_output.c",
		"the kernel cuts a reassembled datagram where it was cut before, and loses DF; ours into pieces of the largest size that came", cut_otherwise},
	{0},
};

bool
difference_known(const struct frame *in, const struct frames *kernel, const struct frames *ours)
{
	unsigned i;

	for (i = 0; known_differences[i].name; i++)
		if (known_differences[i].is(in, kernel, ours)) {
			seen[i]++;
			return true;
		}
	return false;
}

uint64_t
difference_seen(unsigned row)
{
	return seen[row];
}
