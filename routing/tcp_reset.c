/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/tcp_reset.h"

#include "fabric/base/csum.h"

#include <netinet/tcp.h>

static uint32_t
segment_length(const struct pkt *p, const struct tcphdr *tcp)
{
	return pkt_len(p) - p->l3_len - p->l4_len + tcp->syn + tcp->fin;
}

static void
fill_tcp(struct tcphdr *out, const struct pkt *p, const struct tcphdr *in)
{
	*out = (struct tcphdr){.source = in->dest, .dest = in->source, .doff = sizeof(*out) / 4, .rst = 1};
	if (in->ack) {
		out->seq = in->ack_seq;
	} else {
		out->ack = 1;
		out->ack_seq = htonl(ntohl(in->seq) + segment_length(p, in));
	}
}

void
tcp_reset(struct env *env, const struct router *r, const struct pkt *p)
{
	const struct iphdr *in = pkt_ip4(p);
	const uint16_t len = sizeof(struct iphdr) + sizeof(struct tcphdr);
	struct pkt *reset;
	struct iphdr *ip;
	struct tcphdr *tcp;

	if (p->family != AF_INET || p->l4_len == 0 || ((const struct tcphdr *)pkt_l4(p))->rst || !pkt_l4_checksum_ok(p))
		return;
	reset = env_pkt_new(env, len);
	if (!reset)
		return;
	ip = pkt_data(reset);
	tcp = (struct tcphdr *)(ip + 1);
	*ip = (struct iphdr){
			.version = 4,
			.ihl = 5,
			.tot_len = htons(len),
			.frag_off = htons(IP_DF),
			.ttl = (uint8_t)tune(&r->tunables, TUNE_IP_DEFAULT_TTL),
			.protocol = IPPROTO_TCP,
			.saddr = in->daddr,
			.daddr = in->saddr,
	};
	ip->check = ip4_checksum(ip);
	fill_tcp(tcp, p, pkt_l4(p));
	tcp->check = (uint16_t)~csum_fold(csum_add(
			csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_TCP, sizeof(*tcp)), tcp, sizeof(*tcp)));
	pkt_parse(reset);
	reset->router = r;
	env_emit(env, reset, ORIGIN_OUTPUT);
}
