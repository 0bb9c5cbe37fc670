/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What translation asks of packets: many that want the same, and answers to what came out in another's name. */
#include "tests/oracle/packets_draft.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

void
packets_crowd(struct packets *g, struct draft *d)
{
	const uint16_t *ports = g->rs->pool.ports;

	if (!g->rs->nat || !chance(&g->r, 30))
		return;
	d->iface = 0;
	d->src = htonl(0x0a000002 + rnd(&g->r, 24));
	d->dst = inet_addr(chance(&g->r, 70) ? "198.51.100.7" : "10.1.7.7");
	d->sport = ports[rnd(&g->r, 2)];
	d->dport = ports[chance(&g->r, 80) ? 2 : 3];
	d->rest = htonl((uint32_t)ports[0] << 16);
	if (d->proto == IPPROTO_ICMP)
		d->type = ICMP_ECHO;
	if (d->proto == IPPROTO_TCP) {
		d->flags = SYN;
		d->ack = 0;
	}
}

/* => the packet that was sent, as it went on; NULL: it did not, or in pieces. */
static const struct frame *
forwarded(const struct packets *g, const struct frames *out)
{
	const struct frame *f = &out->f[0];
	const struct iphdr *ip = (const struct iphdr *)f->data;

	if (!g->sent || out->n != 1 || ip->id != g->sent_id || ip->protocol != g->sent->proto || ip->frag_off & htons(0x3fff) ||
		f->len < ip->ihl * 4u + 8)
		return NULL;
	return f;
}

void
packets_learn(struct packets *g, const struct frames *out)
{
	const struct frame *f = forwarded(g, out);
	const struct iphdr *ip;
	struct end *to;
	uint16_t word[4];

	if (!f)
		return;
	ip = (const struct iphdr *)f->data;
	memcpy(word, f->data + ip->ihl * 4, sizeof(word));
	to = &g->sent->end[!g->sent_from];
	to->iface = f->iface;
	to->addr = ip->daddr;
	to->peer = ip->saddr;
	to->id = ntohs(word[2]);
	if (ip->protocol != IPPROTO_GRE) {
		to->peer_port = ntohs(word[0]);
		to->port = ntohs(word[1]);
	}
	flow_remember(g, g->sent, g->sent_from, f);
}
