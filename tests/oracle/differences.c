/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/differences.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
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

/* An ICMP error of the router about its own reset: the checksum that it quotes is of the pseudo-header only. */
static bool
reset_quoted_unfinished(const struct frame *in, const struct frames *kernel, const struct frames *ours)
{
	enum { INNER = 28, INNER_SUM = INNER + 20 + 16 };
	struct frame a, b;

	if (kernel->n != 1 || ours->n != 1)
		return false;
	a = kernel->f[0];
	b = ours->f[0];
	if (a.iface != b.iface || a.len != b.len || a.len != INNER + 40 || in->data[9] != IPPROTO_TCP || a.data[9] != IPPROTO_ICMP ||
		a.data[20] != ICMP_DEST_UNREACH || a.data[INNER + 9] != IPPROTO_TCP || !(a.data[INNER + 20 + 13] & 4))
		return false;
	memset(a.data + 4, 0, 2); /* id, and the checksums that follow from it */
	memset(b.data + 4, 0, 2);
	memset(a.data + 10, 0, 2);
	memset(b.data + 10, 0, 2);
	memset(a.data + 22, 0, 2);
	memset(b.data + 22, 0, 2);
	memset(a.data + INNER_SUM, 0, 2);
	memset(b.data + INNER_SUM, 0, 2);
	return memcmp(a.data, b.data, a.len) == 0;
}

const struct known_difference known_differences[] = {
	{"cuts", "ip_do_fragment(), ip_fraglist_init() in net/ipv4/ip_output.c",
		"the kernel cuts a reassembled datagram where it was cut before, and loses DF; ours into pieces of the largest size that came", cut_otherwise},
	{"reset quoted", "nf_reject_ip_tcphdr_put() in net/ipv4/netfilter/nf_reject_ipv4.c",
		"REJECT in OUTPUT of a reset that REJECT made: the error quotes it with the checksum that a device would have finished; ours is whole",
		reset_quoted_unfinished},
	{"bm", "bm_find() in lib/ts_bm.c",
		"string --algo bm does not find in a reassembled datagram what lies over the border of two fragments; ours searches all of it", NULL},
	{0},
};

bool
difference_known(const struct frame *in, const struct frames *kernel, const struct frames *ours)
{
	unsigned i;

	for (i = 0; known_differences[i].name; i++)
		if (known_differences[i].is && known_differences[i].is(in, kernel, ours)) {
			seen[i]++;
			return true;
		}
	return false;
}

void
difference_is(const char *name)
{
	unsigned i;

	for (i = 0; known_differences[i].name; i++)
		seen[i] += strcmp(known_differences[i].name, name) == 0;
}

uint64_t
difference_seen(unsigned row)
{
	return seen[row];
}
