/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/icmp.h"

#include "fabric/base/pkt_chain.h"
#include "routing/ip4_make.h"

#include <netinet/ip_icmp.h>

enum { SEGMENT_MAX = 1920, HEADERS = sizeof(struct iphdr) + sizeof(struct icmphdr) };

/* Appends segments until the packet has `len` bytes. */
static bool
grow(struct env *env, struct pkt *p, uint32_t len)
{
	while (pkt_len(p) < len) {
		struct pkt *more =
			env_pkt_new(env, RTE_MIN(len - pkt_len(p), (uint32_t)SEGMENT_MAX));

		if (!more)
			return false;
		pkt_chain_append(p, more);
	}
	return true;
}

static void
fill_payload(struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	uint32_t i, from = HEADERS;
	uint8_t value = 0;

	for (; m; m = m->next, from = 0)
		for (i = from; i < m->data_len; i++)
			rte_pktmbuf_mtod(m, uint8_t *)[i] = value++;
}

static void
fill_icmp(struct pkt *p, uint16_t id, uint16_t seq)
{
	struct icmphdr *icmp = (struct icmphdr *)((uint8_t *)pkt_data(p) + sizeof(struct iphdr));

	*icmp = (struct icmphdr){
		.type = ICMP_ECHO, .un.echo = {.id = htons(id), .sequence = htons(seq)}};
	icmp->checksum =
		(uint16_t)~csum_fold(pkt_chain_sum(p, sizeof(struct iphdr), pkt_len(p), 0));
}

struct pkt *
icmp_echo_new(struct env *env, const struct router *r, struct ip_addr src, struct ip_addr dst,
	uint8_t ttl, uint16_t id, uint16_t seq, uint16_t size, bool df)
{
	uint32_t total = (uint32_t)HEADERS + size;
	struct pkt *p;

	if (total > UINT16_MAX)
		return NULL;
	p = env_pkt_new(env, RTE_MIN(total, (uint32_t)SEGMENT_MAX));
	if (!p)
		return NULL;
	if (!grow(env, p, total)) {
		env_pkt_free(env, p);
		return NULL;
	}
	fill_payload(p);
	fill_icmp(p, id, seq);
	ip4_make(r, pkt_data(p), (uint16_t)total,
		&(struct ip4_make){
			.src = src.v4, .dst = dst.v4, .ttl = ttl, .proto = IPPROTO_ICMP, .df = df});
	p->flags = PKT_CSUM_VALID | PKT_LOCAL;
	p->router = r;
	pkt_parse(p);
	return p;
}
