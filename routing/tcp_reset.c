/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/tcp_reset.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"

#include <netinet/tcp.h>

/* Goes by the length that the header says, be it possible or not. */
static uint32_t
segment_length(const struct pkt *p, const struct tcphdr *tcp)
{
	return pkt_len(p) - p->l3_len - tcp->doff * 4u + tcp->syn + tcp->fin;
}

static void
fill_tcp(struct tcphdr *out, const struct pkt *p, const struct tcphdr *in)
{
	*out = (struct tcphdr){
		.source = in->dest, .dest = in->source, .doff = sizeof(*out) / 4, .rst = 1};
	if (in->ack) {
		out->seq = in->ack_seq;
	} else {
		out->ack = 1;
		out->ack_seq = htonl(ntohl(in->seq) + segment_length(p, in));
	}
}

static void
fill_ip(const struct router *r, struct iphdr *out, const struct iphdr *in, uint8_t tos)
{
	*out = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = tos,
		.tot_len = htons(sizeof(*out) + sizeof(struct tcphdr)),
		.frag_off = htons(IP_DF),
		.ttl = (uint8_t)tune(&r->tunables, TUNE_IP_DEFAULT_TTL),
		.protocol = IPPROTO_TCP,
		.saddr = in->daddr,
		.daddr = in->saddr,
	};
	out->check = ip4_checksum(out);
}

/* => the reset to emit, or NULL: none is due, or no buffer. */
static struct pkt *
reset_new(struct env *env, const struct router *r, const struct pkt *p, uint8_t tos)
{
	struct tcphdr in, *tcp;
	struct pkt *reset;
	struct iphdr *ip;

	if (p->family != AF_INET || p->proto != IPPROTO_TCP || p->flags & PKT_LATER_FRAGMENT ||
		pkt_chain_read(p, p->l3_len, &in, sizeof(in)) < sizeof(in) || in.rst)
		return NULL;
	reset = env_pkt_new(env, sizeof(*ip) + sizeof(*tcp));
	if (!reset)
		return NULL;
	ip = pkt_data(reset);
	tcp = (struct tcphdr *)(ip + 1);
	fill_ip(r, ip, pkt_ip4(p), tos);
	fill_tcp(tcp, p, &in);
	tcp->check = (uint16_t)~csum_fold(csum_add(
		csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_TCP, sizeof(*tcp)), tcp, sizeof(*tcp)));
	pkt_parse(reset);
	reset->router = r;
	return reset;
}

/* A checksum that a device was to finish is never 0 (skb_checksum_help()), not of TCP either; the stack's own may be. */
static void
finish_sum(struct pkt *reset)
{
	struct tcphdr *tcp = (struct tcphdr *)(pkt_ip4(reset) + 1);

	if (tcp->check == 0)
		tcp->check = 0xffff;
}

bool
tcp_reject(struct env *env, const struct router *r, const struct pkt *p)
{
	struct pkt *reset = reset_new(env, r, p, 0);

	if (!reset)
		return false;
	finish_sum(reset);
	reset->flags |= PKT_NO_SOCKET;
	env_attach(env, reset, p);
	env_emit(env, reset, ORIGIN_OUTPUT);
	return true;
}

void
tcp_reset(struct env *env, const struct router *r, const struct pkt *p)
{
	struct pkt *reset = NULL;

	if (p->l4_len && pkt_l4_checksum_ok(p))
		reset = reset_new(env, r, p, pkt_ip4(p)->tos & (uint8_t)~IPTOS_ECN_MASK);
	if (reset)
		env_emit(env, reset, ORIGIN_OUTPUT);
}
