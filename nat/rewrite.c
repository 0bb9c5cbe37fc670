/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and ports of packets, and of packets that ICMP errors quote (nf_nat_proto.c). Checksums
 * follow by difference, so a packet that was damaged stays so. An unfinished one (PKT_CSUM_PARTIAL)
 * has the sum of the pseudo-header only: no ports.
 */
#include "fabric/base/crc32c.h"
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "nat/state.h"

#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

enum {
	L4_LEAST = 8, /* RFC 792: so much is quoted at least */
	L4_MOST = 20, /* and so much is ever changed */
	IP_MOST = 60,
	ICMP_HEADER = 8,
	SCTP_HEADER = 12,
	SCTP_SUM = 8,
	GRE_CALL_ID = 6,
	GRE_VERSION = 7,
};

/* An IP packet whose headers lie in one piece; `len` bytes of layer 4 are there, at most L4_MOST.
 */
struct headers {
	struct iphdr *ip;
	uint8_t *l4;
	uint32_t len;
	bool partial;
};

/* One end of it. */
struct end {
	uint32_t from, to;
	uint16_t port;
	enum nat_manip manip;
};

static uint16_t
load(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* The checksum at `at` covers the pseudo-header and a port that was `port`. */
static uint16_t
sum_after(const struct headers *h, const struct end *e, uint16_t check, uint16_t port)
{
	if (h->partial)
		return csum_fold((uint64_t)check + (uint32_t)~e->from + e->to);
	return csum_replace2(csum_replace4(check, e->from, e->to), port, e->port);
}

/* => the port's place. */
static uint8_t *
set_port(const struct headers *h, const struct end *e)
{
	uint8_t *at = h->l4 + (e->manip == NAT_SRC ? 0 : 2);

	memcpy(at, &e->port, sizeof(e->port));
	return at;
}

static void
rewrite_tcp(const struct headers *h, const struct end *e)
{
	uint8_t *check = h->l4 + offsetof(struct tcphdr, check);
	uint16_t port = load(h->l4 + (e->manip == NAT_SRC ? 0 : 2)), sum;

	set_port(h, e);
	if (h->len < sizeof(struct tcphdr))
		return;
	sum = sum_after(h, e, load(check), port);
	memcpy(check, &sum, sizeof(sum));
}

/* Without a checksum (0) it stays so; one that comes out as 0 is written as its other form. */
static void
rewrite_udp(const struct headers *h, const struct end *e, bool always)
{
	uint8_t *check = h->l4 + offsetof(struct udphdr, check);
	uint16_t port = load(h->l4 + (e->manip == NAT_SRC ? 0 : 2)), sum = load(check);

	set_port(h, e);
	if (sum == 0 && !h->partial && !always)
		return;
	sum = sum_after(h, e, sum, port);
	if (sum == 0)
		sum = 0xffff;
	memcpy(check, &sum, sizeof(sum));
}

static bool
has_id(uint8_t type)
{
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY ||
	       (type >= ICMP_TIMESTAMP && type <= ICMP_ADDRESSREPLY);
}

static void
rewrite_icmp(const struct headers *h, uint16_t id)
{
	uint16_t sum;

	if (!has_id(h->l4[0]))
		return;
	sum = csum_replace2(load(h->l4 + 2), load(h->l4 + 4), id);
	memcpy(h->l4 + 2, &sum, sizeof(sum));
	memcpy(h->l4 + 4, &id, sizeof(id));
}

/* Only the call id of PPTP (version 1), which belongs to the receiver. => false: no version there
 * is. */
static bool
rewrite_gre(const struct headers *h, const struct end *e)
{
	unsigned version = h->l4[1] & GRE_VERSION;

	if (e->manip == NAT_DST && version == 1)
		memcpy(h->l4 + GRE_CALL_ID, &e->port, sizeof(e->port));
	return e->manip == NAT_SRC || version <= 1;
}

static bool
rewrite_l4(const struct headers *h, const struct end *e, uint16_t id)
{
	switch (h->ip->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_ICMP:
	case IPPROTO_GRE:
		if (h->len < L4_LEAST)
			return false;
	}
	switch (h->ip->protocol) {
	case IPPROTO_TCP:
		rewrite_tcp(h, e);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		rewrite_udp(h, e, h->ip->protocol == IPPROTO_UDPLITE);
		break;
	case IPPROTO_SCTP:
		set_port(h, e);
		break;
	case IPPROTO_ICMP:
		rewrite_icmp(h, id);
		break;
	case IPPROTO_GRE:
		return rewrite_gre(h, e);
	}
	return true;
}

static void
set_address(struct iphdr *ip, uint32_t address, enum nat_manip manip)
{
	uint32_t *at = manip == NAT_SRC ? &ip->saddr : &ip->daddr;

	ip->check = csum_replace4(ip->check, *at, address);
	*at = address;
}

static bool
rewrite_headers(const struct headers *h, const struct ct_tuple *to, enum nat_manip manip)
{
	const struct end e = {
		.from = manip == NAT_SRC ? h->ip->saddr : h->ip->daddr,
		.to = manip == NAT_SRC ? to->src.v4 : to->dst.v4,
		.port = manip == NAT_SRC ? to->sport : to->dport,
		.manip = manip,
	};

	if (!rewrite_l4(h, &e, to->sport))
		return false;
	set_address(h->ip, e.to, manip);
	return true;
}

/* Copies into the packet, which may lie in several segments. */
static void
put(struct pkt *p, uint32_t off, const void *from, uint32_t len)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	uint32_t n;

	for (; m && len > 0; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = RTE_MIN((uint32_t)m->data_len - off, len);
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, off), from, n);
		from = (const uint8_t *)from + n;
		len -= n;
		off = 0;
	}
}

/* SCTP's sum is no sum: all of it again. */
static void
sum_sctp(struct pkt *p, uint32_t at)
{
	uint8_t buf[256];
	uint32_t crc = ~0u, off = at, n;

	if (at + SCTP_HEADER > pkt_len(p))
		return;
	put(p, at + SCTP_SUM, &(uint32_t){0}, 4);
	while ((n = pkt_chain_read(p, off, buf, sizeof(buf))) > 0) {
		crc = crc32c(crc, buf, n);
		off += n;
	}
	crc = rte_cpu_to_le_32(~crc);
	put(p, at + SCTP_SUM, &crc, sizeof(crc));
}

static void
note_ports(struct pkt *p)
{
	const uint8_t *l4 = pkt_l4(p);

	if (p->l4_len == 0)
		return;
	if (p->proto == IPPROTO_ICMP) {
		if (has_id(l4[0]))
			p->dport = load(l4 + 4);
		return;
	}
	p->sport = load(l4);
	p->dport = load(l4 + 2);
}

bool
nat_rewrite(struct pkt *p, const struct ct_tuple *to, enum nat_manip manip)
{
	uint8_t buf[L4_MOST];
	struct headers h = {.ip = pkt_ip4(p), .l4 = buf, .partial = p->flags & PKT_CSUM_PARTIAL};
	uint32_t there = pkt_len(p) - p->l3_len;

	h.len = RTE_MIN(there, (uint32_t)L4_MOST);
	if (pkt_head_len(p) - p->l3_len >= h.len)
		h.l4 = (uint8_t *)pkt_data(p) + p->l3_len;
	else
		pkt_chain_read(p, p->l3_len, buf, h.len);
	if (!rewrite_headers(&h, to, manip))
		return false;
	if (h.l4 == buf)
		put(p, p->l3_len, buf, h.len);
	if (p->proto == IPPROTO_SCTP)
		sum_sctp(p, p->l3_len);
	note_ports(p);
	return true;
}

void
nat_rewrite_address(struct pkt *p, uint32_t address, enum nat_manip manip)
{
	set_address(pkt_ip4(p), address, manip);
}

/* The ICMP checksum after `len` bytes at an even place went from `was` to `is`. */
static void
follow(struct pkt *p, const uint8_t *was, const uint8_t *is, uint32_t len)
{
	uint8_t *icmp = pkt_l4(p);
	uint16_t before = csum_fold(csum_add(0, was, len)), after = csum_fold(csum_add(0, is, len)),
		 sum;

	sum = csum_replace2(load(icmp + 2), before, after);
	memcpy(icmp + 2, &sum, sizeof(sum));
}

bool
nat_rewrite_quote(struct pkt *p, const struct ct_tuple *to, enum nat_manip manip)
{
	_Alignas(4) uint8_t quote[IP_MOST + L4_MOST], was[IP_MOST + L4_MOST];
	struct headers h = {.ip = (struct iphdr *)quote};
	uint32_t at = p->l3_len + ICMP_HEADER, len = pkt_chain_read(p, at, quote, sizeof(quote));
	uint32_t ip_len;

	if (len < sizeof(struct iphdr))
		return false;
	ip_len = h.ip->ihl * 4u;
	if (ip_len > len) /* a quoted header that is too short to be one is followed by what its length says, as there */
		return false;
	len = RTE_MIN(len, ip_len + L4_MOST);
	h.l4 = quote + ip_len;
	h.len = len - ip_len;
	memcpy(was, quote, len);
	if (!rewrite_headers(&h, to, manip))
		return false;
	put(p, at, quote, len);
	follow(p, was, quote, len);
	if (h.ip->protocol == IPPROTO_SCTP && pkt_len(p) >= at + ip_len + SCTP_HEADER) {
		sum_sctp(p, at + ip_len);
		pkt_chain_read(p, at, was, len);
		follow(p, quote, was, len);
	}
	return true;
}
