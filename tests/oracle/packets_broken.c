/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fragments, and what is wrong with packets. */
#include "tests/oracle/packets_draft.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>

static void
set_fragment(struct frame *f, uint16_t offset, bool more, uint16_t len, bool df)
{
	struct iphdr *ip = (struct iphdr *)f->data;

	ip->frag_off = htons((uint16_t)(offset / 8 | (more ? IP_MF : 0) | (df ? IP_DF : 0)));
	ip->tot_len = htons((uint16_t)(ip->ihl * 4 + len));
	f->len = (uint16_t)(ip->ihl * 4 + len);
	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

static void
wait_with(struct packets *g, const struct frame *f)
{
	if (g->n_waiting < WAITING)
		g->waiting[g->n_waiting++] = *f;
}

/* Cuts it, and lets the pieces wait; now and then one is there twice, overlaps, or is missing. */
void
packets_cut(struct packets *g, const struct frame *whole)
{
	const struct iphdr *ip = (const struct iphdr *)whole->data;
	uint16_t head = (uint16_t)(ip->ihl * 4), len = (uint16_t)(whole->len - head), step = (uint16_t)(8 * rnd_between(&g->r, 2, 100)), at;
	bool df = chance(&g->r, 10), uneven = chance(&g->r, 30);
	struct frame f;

	for (at = 0; at < len; at = (uint16_t)(at + step)) {
		uint16_t part;
		bool more;

		if (uneven)
			step = (uint16_t)(8 * rnd_between(&g->r, 2, 100));
		part = len - at < step ? (uint16_t)(len - at) : step;
		more = at + part < len;

		f.iface = whole->iface;
		f.from = whole->from;
		f.to = whole->to;
		memcpy(f.data, whole->data, head);
		memcpy(f.data + head, whole->data + head + at, part);
		if (chance(&g->r, 2) && more && at + part + 8 <= len) {
			memcpy(f.data + head, whole->data + head + at, part + 8u);
			part = (uint16_t)(part + 8);
			more = at + part < len;
		}
		set_fragment(&f, at, more, part, df);
		if (!chance(&g->r, 2))
			wait_with(g, &f);
		if (chance(&g->r, 3))
			wait_with(g, &f);
	}
}

bool
packets_waiting(struct packets *g, struct frame *f)
{
	unsigned i;

	if (g->n_waiting == 0)
		return false;
	i = chance(&g->r, 75) ? 0 : rnd(&g->r, g->n_waiting);
	*f = g->waiting[i];
	memmove(&g->waiting[i], &g->waiting[i + 1], (g->n_waiting - i - 1) * sizeof(*f));
	g->n_waiting--;
	return true;
}

void
packets_malform(struct packets *g, struct frame *f)
{
	struct iphdr *ip = (struct iphdr *)f->data;
	uint32_t dst = ip->daddr;
	bool fix = true;

	switch (rnd(&g->r, 9)) {
	case 0: /* cut short, and honest about it */
		f->len = (uint16_t)rnd_between(&g->r, 20, f->len < 60 ? f->len : 60);
		ip->tot_len = htons(f->len);
		break;
	case 1: /* cut short */
		f->len = (uint16_t)rnd_between(&g->r, 1, f->len);
		break;
	case 2: /* options of no meaning at best */
		ip->ihl = rnd(&g->r, 5) & 15;
		break;
	case 3:
		ip->check ^= 0x0101;
		fix = false;
		break;
	case 4: /* link-layer padding */
		memset(f->data + f->len, 0, 20);
		f->len = (uint16_t)(f->len + 20);
		break;
	case 5:
		ip->tot_len = htons((uint16_t)rnd(&g->r, 100));
		break;
	case 6: /* data offset of TCP, length of UDP */
		if (f->len > 33)
			f->data[ip->ihl * 4 + (ip->protocol == IPPROTO_TCP ? 12 : 5)] = (uint8_t)rnd64(&g->r);
		break;
	case 7:
		ip->frag_off = htons((uint16_t)rnd64(&g->r));
		break;
	default: /* one bit anywhere but in version and header length, and not in options */
		f->data[rnd_between(&g->r, 1, ip->ihl > 5 ? 19 : f->len - 1)] ^= (uint8_t)(1u << rnd(&g->r, 8));
		fix = chance(&g->r, 60);
	}
	if (ip->protocol == IPPROTO_PIM) /* taken by the kernel's multicast routing */
		ip->protocol = IPPROTO_TCP;
	/* the kernel's device is multicast, ours cannot be; and see frame_freshen() */
	if (packet_nowhere(ip->daddr) || ntohl(ip->daddr) >> 28 == 14)
		ip->daddr = dst;
	if (fix && f->len >= 20 && ip->ihl >= 5 && ip->ihl * 4 <= f->len) {
		ip->check = 0;
		ip->check = ip4_checksum(ip);
	}
}
