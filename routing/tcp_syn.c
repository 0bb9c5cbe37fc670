/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/tcp_syn.h"

#include "routing/ip4_make.h"

#include <netinet/tcp.h>

enum { WINDOW = 1024 };

struct pkt *
tcp_syn_new(struct env *env, const struct router *r, const struct tcp_syn *s)
{
	const struct ip4_make make = {.src = s->src,
		.dst = s->dst,
		.ttl = (uint8_t)tune(&r->tunables, TUNE_IP_DEFAULT_TTL),
		.proto = IPPROTO_TCP,
		.df = true};
	const uint16_t len = sizeof(struct iphdr) + sizeof(struct tcphdr);
	struct pkt *p = env_pkt_new(env, len);
	struct tcphdr *tcp;

	if (!p)
		return NULL;
	ip4_make(r, pkt_data(p), len, &make);
	tcp = (struct tcphdr *)((struct iphdr *)pkt_data(p) + 1);
	*tcp = (struct tcphdr){
		.source = htons(s->sport),
		.dest = htons(s->dport),
		.seq = htonl(s->seq),
		.doff = sizeof(*tcp) / 4,
		.syn = 1,
		.window = htons(WINDOW),
	};
	tcp->check = (uint16_t)~csum_fold(csum_add(
		csum_pseudo4(s->src, s->dst, IPPROTO_TCP, sizeof(*tcp)), tcp, sizeof(*tcp)));
	pkt_parse(p);
	p->router = r;
	return p;
}
