/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/segment.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"

#include <netinet/ip6.h>
#include <netinet/tcp.h>

enum { CHUNK_MAX = 1920 }; /* that env_pkt_new() gives at once */

struct cut {
	struct env *env;
	const struct pkt *from;
	uint32_t l2, l3, headers; /* lengths: Ethernet, IP with options, all up to the payload */
	uint32_t payload;         /* of the super-packet */
	bool partial;
};

static const uint8_t *
header_at(const struct cut *c, uint32_t offset)
{
	return (const uint8_t *)pkt_data(c->from) + offset;
}

/* Finds the headers. => false when they are not those of a TCP super-packet. */
static bool
measure(struct cut *c)
{
	const struct pkt *p = c->from;
	unsigned version = p->gso_type == PKT_GSO_TCP4 ? 4 : p->gso_type == PKT_GSO_TCP6 ? 6 : 0;
	unsigned l3_min = version == 4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	struct tcphdr tcp;

	c->l3 = p->csum_start;
	if (version == 0 || p->gso_size == 0 || !(p->flags & PKT_CSUM_PARTIAL) || c->l3 < l3_min)
		return false;
	if (p->csum_offset != offsetof(struct tcphdr, check) || c->l2 + c->l3 + sizeof(tcp) > pkt_head_len(p))
		return false;
	memcpy(&tcp, header_at(c, c->l2 + c->l3), sizeof(tcp));
	c->headers = c->l2 + c->l3 + tcp.doff * 4u;
	if (*header_at(c, c->l2) >> 4 != (int)version || tcp.doff < 5 || c->headers > pkt_head_len(p))
		return false;
	if (version == 4 && (*header_at(c, c->l2) & 15) * 4u != c->l3)
		return false;
	c->payload = pkt_len(p) - c->headers;
	/* A chunk must hold all headers and some payload, and a segment must have a length that IP
	 * can say. */
	return c->headers < CHUNK_MAX && c->headers - c->l2 + p->gso_size <= 65535;
}

static void
fix_ip(const struct cut *c, uint8_t *ip, unsigned index, uint32_t l4_len)
{
	if (c->from->gso_type == PKT_GSO_TCP4) {
		struct iphdr h;

		memcpy(&h, ip, sizeof(h));
		h.tot_len = htons((uint16_t)(c->l3 + l4_len));
		h.id = htons((uint16_t)(ntohs(h.id) + index));
		h.check = 0;
		memcpy(ip, &h, sizeof(h));
		h.check = (uint16_t)~csum_fold(csum_add(0, ip, c->l3));
		memcpy(ip + offsetof(struct iphdr, check), &h.check, sizeof(h.check));
	} else {
		uint16_t len = htons((uint16_t)(c->l3 - sizeof(struct ip6_hdr) + l4_len));

		memcpy(ip + offsetof(struct ip6_hdr, ip6_plen), &len, sizeof(len));
	}
}

/* The checksum field holds the sum of the pseudo-header with the length of the super-packet. */
static void
fix_tcp(const struct cut *c, struct pkt *n, uint32_t offset, uint32_t l4_len)
{
	uint8_t *at = (uint8_t *)pkt_data(n) + c->l2 + c->l3;
	uint32_t whole = pkt_len(c->from) - c->l2 - c->l3;
	struct tcphdr h;

	memcpy(&h, at, sizeof(h));
	h.seq = htonl(ntohl(h.seq) + offset);
	if (offset > 0)
		h.res2 &= 1; /* ECE stays, CWR goes */
	if (offset + c->from->gso_size < c->payload)
		h.fin = h.psh = 0;
	h.check = csum_fold((uint64_t)h.check + (uint16_t)~htons((uint16_t)whole) + htons((uint16_t)l4_len));
	memcpy(at, &h, sizeof(h));
	if (c->partial)
		return;
	h.check = (uint16_t)~csum_fold(pkt_chain_sum(n, c->l2 + c->l3, l4_len, 0));
	memcpy(at + offsetof(struct tcphdr, check), &h.check, sizeof(h.check));
}

/* A packet of `len` bytes, chained when a chunk does not hold it. Data is unset. */
static struct pkt *
new_chain(struct env *env, uint32_t len)
{
	uint32_t first = len < CHUNK_MAX ? len : CHUNK_MAX, rest = len - first;
	struct pkt *p = env_pkt_new(env, first);
	struct rte_mbuf *last = p ? pkt_mbuf(p) : NULL;

	while (p && rest) {
		uint32_t take = rest < CHUNK_MAX ? rest : CHUNK_MAX;
		struct pkt *next = env_pkt_new(env, take);

		if (!next) {
			env_pkt_free(env, p);
			return NULL;
		}
		last = last->next = pkt_mbuf(next);
		pkt_mbuf(p)->nb_segs++;
		pkt_mbuf(p)->pkt_len += take;
		rest -= take;
	}
	return p;
}

static void
fill(const struct cut *c, struct pkt *n, uint32_t offset)
{
	struct rte_mbuf *m = pkt_mbuf(n);
	uint32_t from = c->headers + offset, in_head = m->data_len - c->headers;

	memcpy(pkt_data(n), pkt_data(c->from), c->headers);
	pkt_chain_read(c->from, from, (uint8_t *)pkt_data(n) + c->headers, in_head);
	from += in_head;
	for (m = m->next; m; m = m->next) {
		pkt_chain_read(c->from, from, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
		from += m->data_len;
	}
}

static void
inherit(const struct cut *c, struct pkt *n)
{
	const struct pkt *p = c->from;

	*n = *p;
	n->recorder = NULL;
	n->gso_type = PKT_GSO_NONE;
	n->gso_size = 0;
	n->gso_ecn = false;
	if (!c->partial) {
		n->flags = (uint16_t)((n->flags & ~PKT_CSUM_PARTIAL) | PKT_CSUM_VALID);
		n->csum_start = n->csum_offset = 0;
	}
	if (c->l2 == 0 && (p->flags & PKT_HAS_L2) && p->l2_len <= PKT_HEADROOM)
		memcpy((uint8_t *)pkt_data(n) - p->l2_len, (const uint8_t *)pkt_data(p) - p->l2_len, p->l2_len);
}

static struct pkt *
make_segment(const struct cut *c, unsigned index)
{
	uint32_t offset = index * c->from->gso_size, rest = c->payload - offset;
	uint32_t take = rest < c->from->gso_size ? rest : c->from->gso_size;
	uint32_t l4_len = c->headers - c->l2 - c->l3 + take;
	struct pkt *n = new_chain(c->env, c->headers + take);

	if (!n)
		return NULL;
	fill(c, n, offset);
	inherit(c, n);
	fix_ip(c, (uint8_t *)pkt_data(n) + c->l2, index, l4_len);
	fix_tcp(c, n, offset, l4_len);
	return n;
}

unsigned
pkt_segment(struct env *env, struct pkt *p, unsigned l2, bool partial, struct pkt_queue *out)
{
	struct cut c = {.env = env, .from = p, .l2 = l2, .partial = partial};
	struct pkt_queue made = STAILQ_HEAD_INITIALIZER(made);
	unsigned n = 0;
	struct pkt *s;

	if (!measure(&c)) {
		pkt_drop(env, &env->drops, p, DROP_OFFLOAD);
		return 0;
	}
	do {
		s = make_segment(&c, n);
		if (!s)
			break;
		STAILQ_INSERT_TAIL(&made, s, queue);
		n++;
	} while (n * p->gso_size < c.payload);
	if (s) {
		STAILQ_CONCAT(out, &made);
		env_pkt_free(env, p);
		return n;
	}
	while ((s = STAILQ_FIRST(&made))) {
		STAILQ_REMOVE_HEAD(&made, queue);
		env_pkt_free(env, s);
	}
	pkt_drop(env, &env->drops, p, DROP_NO_BUFFER);
	return 0;
}
