/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a packet. */
#include "tests/oracle/l4.h"
#include "tests/oracle/packets_draft.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

/* The kernel takes only 8 bits of its length into the sum (nf_ip_checksum_partial() in net/netfilter/utils.c), so longer ones are INVALID there. */
enum { UDPLITE_PAYLOAD_MAX = 240 };

static uint16_t
l4_sum(const struct draft *d, const uint8_t *l4, size_t len)
{
	/* connection tracking takes UDP-Lite's pseudo-header for UDP's (udplite_error() in nf_conntrack_proto_udp.c) */
	uint8_t proto = d->proto == IPPROTO_UDPLITE && d->id % 4 ? IPPROTO_UDP : d->proto;
	uint64_t sum = d->proto == IPPROTO_ICMP ? 0 : csum_pseudo4(d->src, d->dst, proto, (uint16_t)len);

	return (uint16_t)~csum_fold(csum_add(sum, l4, len));
}

static size_t
build_tcp(const struct draft *d, uint8_t *l4)
{
	struct tcphdr *h = (struct tcphdr *)l4;

	memset(h, 0, sizeof(*h));
	h->source = htons(d->sport);
	h->dest = htons(d->dport);
	h->seq = htonl(d->seq);
	h->ack_seq = htonl(d->ack);
	h->doff = (5 + d->n_tcp_options / 4) & 15;
	l4[13] = d->flags;
	h->window = htons(d->window);
	memcpy(h + 1, d->tcp_options, d->n_tcp_options);
	return sizeof(*h) + d->n_tcp_options;
}

static size_t
build_l4_header(const struct draft *d, uint8_t *l4)
{
	switch (d->proto) {
	case IPPROTO_TCP:
		return build_tcp(d, l4);
	case IPPROTO_UDP:
		*(struct udphdr *)l4 = (struct udphdr){.source = htons(d->sport), .dest = htons(d->dport), .len = htons(8 + d->payload)};
		return 8;
	case IPPROTO_ICMP:
		*(struct icmphdr *)l4 = (struct icmphdr){.type = d->type, .code = d->code, .un.gateway = d->rest};
		return 8;
	case IPPROTO_UDPLITE: /* coverage 0: all of it */
		*(struct udphdr *)l4 = (struct udphdr){.source = htons(d->sport), .dest = htons(d->dport)};
		return 8;
	case IPPROTO_SCTP:
		return build_sctp(l4, d->sport, d->dport, d->seq, d->type, d->ack, d->payload);
	case IPPROTO_GRE:
		return build_gre(l4, d->sport & 1, d->dport, d->payload);
	default:
		return 0;
	}
}

static void
fill(const struct draft *d, uint8_t *to)
{
	size_t len = d->word ? strlen(d->word) : 0, i;

	for (i = 0; i < d->payload; i++)
		to[i] = (uint8_t)(i * 7 + d->id);
	if (d->quote)
		memcpy(to, d->quote, d->payload);
	else if (d->word && len <= d->payload)
		memcpy(to + (d->payload - len) / 2, d->word, len);
}

static void
set_l4_sum(const struct draft *d, uint8_t *l4, size_t len)
{
	size_t at = d->proto == IPPROTO_TCP ? 16 : d->proto == IPPROTO_ICMP ? 2 : 6;
	uint16_t sum;

	if (d->proto == IPPROTO_SCTP)
		sum_sctp(l4, len);
	if (d->proto == IPPROTO_SCTP && d->bad_sum)
		l4[8] ^= 1;
	if (d->proto != IPPROTO_TCP && d->proto != IPPROTO_UDP && d->proto != IPPROTO_UDPLITE && d->proto != IPPROTO_ICMP)
		return;
	if (d->no_sum && d->proto == IPPROTO_UDP)
		return;
	sum = l4_sum(d, l4, len);
	if (sum == 0 && at == 6)
		sum = 0xffff;
	if (d->bad_sum)
		sum ^= 0x0100;
	memcpy(l4 + at, &sum, 2);
}

void
draft_build(struct draft *d, struct frame *f)
{
	struct iphdr *ip = (struct iphdr *)f->data;
	size_t head = sizeof(*ip) + d->n_ip_options, l4_head, len;
	uint8_t *l4 = f->data + head;

	if (d->proto == IPPROTO_UDPLITE && d->payload > UDPLITE_PAYLOAD_MAX)
		d->payload = UDPLITE_PAYLOAD_MAX;
	l4_head = build_l4_header(d, l4);
	fill(d, l4 + l4_head);
	len = head + l4_head + d->payload;
	set_l4_sum(d, l4, l4_head + d->payload);
	memset(ip, 0, sizeof(*ip));
	memcpy(ip + 1, d->ip_options, d->n_ip_options);
	ip->version = 4;
	ip->ihl = (head / 4) & 15;
	ip->tos = d->tos;
	ip->tot_len = htons((uint16_t)len);
	ip->id = htons(d->id);
	ip->frag_off = htons(d->frag_off);
	ip->ttl = d->ttl;
	ip->protocol = d->proto;
	ip->saddr = d->src;
	ip->daddr = d->dst;
	ip->check = ip4_checksum(ip);
	f->iface = d->iface;
	f->from = d->from;
	f->to = d->to;
	f->len = (uint16_t)len;
}

/* True when the router has no way for it. */
bool
packet_nowhere(uint32_t dst)
{
	static const struct {
		uint32_t net, mask;
	} ways[] = {{0x00000000, 0x80000000}, {0xc0000200, 0xffffff00}, {0xc6336400, 0xffffff00}, {0xac100000, 0xfff00000}, {0xcb007100, 0xffffff00}};
	uint32_t a = ntohl(dst);
	unsigned i;

	if (a >> 16 >= 0x0a42 && a >> 16 <= 0x0a44)
		return true;
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if ((a & ways[i].mask) == ways[i].net)
			return false;
	return true;
}

/* Asks for an impossible destination as nobody has before, in this process. */
void
frame_freshen(struct frame *f)
{
	static uint32_t stranger;
	struct iphdr *ip = (struct iphdr *)f->data;
	uint32_t was, net;
	size_t at;

	if (f->len < 20 || ip->ihl < 5 || !packet_nowhere(ip->daddr))
		return;
	net = ntohl(ip->saddr) >> 24;
	if (net == 0 || net == 127 || net >= 224)
		return;
	was = ip->saddr;
	ip->saddr = htonl(0xac180000 + (stranger++ & 0x3ffff));
	ip->check = csum_replace4(ip->check, was, ip->saddr);
	at = ip->ihl * 4u + (ip->protocol == IPPROTO_TCP ? 16 : 6);
	if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) && !(ip->frag_off & htons(0x1fff)) && at + 2 <= f->len) {
		uint16_t sum;

		memcpy(&sum, f->data + at, 2);
		if (sum || ip->protocol == IPPROTO_TCP)
			sum = csum_replace4(sum, was, ip->saddr);
		memcpy(f->data + at, &sum, 2);
	}
}
