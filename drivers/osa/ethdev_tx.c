/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transmission to a DPDK device: each packet is fitted to what the device can, then they go in
 * bursts.
 *
 * Segmentation, checksum and chains each go to the device where it has the offload; else a
 * super-packet is cut (fabric/base/segment), a partial checksum is completed, a chain is copied
 * into one buffer. Frames only; the IP header lies ETH_HLEN behind the start of the data.
 */
#include "drivers/osa/ethdev.h"
#include "fabric/base/csum.h"
#include "fabric/base/segment.h"

#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <rte_ethdev.h>

enum { TX_BURST = 64 };

struct tx_burst {
	struct ethdev *dev;
	struct env *env;
	struct rte_mbuf *mbufs[TX_BURST];
	uint16_t n;
};

uint64_t
ethdev_tx_offloads(void)
{
	return RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
			RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
}

static void
refuse(struct tx_burst *b, struct pkt *p, enum drop_reason why)
{
	b->dev->port.count.tx_drops++;
	pkt_drop(b->env, &b->env->drops, p, why);
}

static void
flush(struct tx_burst *b)
{
	struct port *port = &b->dev->port;
	uint64_t bytes[TX_BURST];
	uint16_t ready, sent;

	/* What was sent is no longer ours to measure. */
	for (uint16_t i = 0; i < b->n; i++)
		bytes[i] = b->mbufs[i]->pkt_len;
	ready = rte_eth_tx_prepare(b->dev->id, 0, b->mbufs, b->n);
	sent = rte_eth_tx_burst(b->dev->id, 0, b->mbufs, ready);
	for (uint16_t i = 0; i < sent; i++)
		port->count.tx_bytes += bytes[i];
	port->count.tx_packets += sent;
	for (uint16_t i = sent; i < b->n; i++)
		refuse(b, pkt_of(b->mbufs[i]), i == ready ? DROP_PORT_ERROR : DROP_PORT_TX);
	b->n = 0;
}

static bool
is_ipv6(const struct pkt *p)
{
	return *((const uint8_t *)pkt_data(p) + ETH_HLEN) >> 4 == 6;
}

/* The device's flags for a partial checksum; 0 when it does not compute this one. */
static uint64_t
checksum_flags(const struct ethdev *dev, const struct pkt *p)
{
	uint64_t family = is_ipv6(p) ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;

	if (p->csum_offset == offsetof(struct tcphdr, check) && (dev->offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM))
		return family | RTE_MBUF_F_TX_TCP_CKSUM;
	if (p->csum_offset == offsetof(struct udphdr, check) && (dev->offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM))
		return family | RTE_MBUF_F_TX_UDP_CKSUM;
	return 0;
}

static void
set_lengths(struct rte_mbuf *m, const struct pkt *p, uint64_t flags)
{
	m->ol_flags = flags;
	m->l2_len = ETH_HLEN;
	m->l3_len = p->csum_start & 511;
}

static bool
complete(struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p);

	/* A frame that was only switched is not parsed; what matters here is that a UDP checksum of
	 * 0 means none. */
	if (p->family == 0) {
		uint32_t field = ETH_HLEN + p->csum_start + (uint32_t)p->csum_offset;

		if (field + sizeof(uint16_t) > pkt_head_len(p))
			return false;
		p->proto = p->csum_offset == offsetof(struct udphdr, check) ? IPPROTO_UDP : IPPROTO_TCP;
	}
	rte_pktmbuf_adj(m, ETH_HLEN);
	pkt_checksum_complete(p);
	rte_pktmbuf_prepend(m, ETH_HLEN);
	return true;
}

/* One buffer instead of a chain. => the packet, or NULL when it was dropped. */
static struct pkt *
linearise(struct tx_burst *b, struct pkt *p)
{
	struct rte_mbuf *copy;

	if (rte_pktmbuf_linearize(pkt_mbuf(p)) == 0)
		return p;
	copy = rte_pktmbuf_copy(pkt_mbuf(p), b->dev->pools.large, 0, UINT32_MAX);
	if (!copy || copy->nb_segs > 1) {
		rte_pktmbuf_free(copy);
		refuse(b, p, copy ? DROP_MTU : DROP_NO_BUFFER);
		return NULL;
	}
	*pkt_of(copy) = *p;
	env_pkt_free(b->env, p);
	return pkt_of(copy);
}

static void
queue_mbuf(struct tx_burst *b, struct rte_mbuf *m)
{
	b->mbufs[b->n++] = m;
	if (b->n == TX_BURST)
		flush(b);
}

/* A packet that is none to cut. */
static void
send_plain(struct tx_burst *b, struct pkt *p)
{
	uint64_t flags = 0;

	if (pkt_len(p) > b->dev->port.mtu + ETH_HLEN) {
		refuse(b, p, DROP_MTU);
		return;
	}
	if (p->flags & PKT_CSUM_PARTIAL) {
		flags = checksum_flags(b->dev, p);
		if (!flags && !complete(p)) {
			refuse(b, p, DROP_OFFLOAD);
			return;
		}
	}
	if (pkt_mbuf(p)->nb_segs > 1 && !(b->dev->offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)) {
		p = linearise(b, p);
		if (!p)
			return;
	}
	set_lengths(pkt_mbuf(p), p, flags);
	queue_mbuf(b, pkt_mbuf(p));
}

/* Devices want the pseudo-header without its length, since each segment has its own
 * (rte_mbuf_core.h, RTE_MBUF_F_TX_TCP_SEG). */
static bool
send_to_segment(struct tx_burst *b, struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	uint32_t l4 = ETH_HLEN + p->csum_start;
	uint64_t flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
	struct tcphdr tcp;

	if (p->csum_offset != offsetof(struct tcphdr, check) || l4 + sizeof(tcp) > pkt_head_len(p))
		return false;
	memcpy(&tcp, (uint8_t *)pkt_data(p) + l4, sizeof(tcp));
	if (pkt_len(p) > l4 + 65535u || p->csum_start + tcp.doff * 4u + p->gso_size > b->dev->port.mtu)
		return false;
	tcp.check = csum_fold((uint64_t)tcp.check + (uint16_t)~htons((uint16_t)(pkt_len(p) - l4)));
	memcpy((uint8_t *)pkt_data(p) + l4, &tcp, sizeof(tcp));
	if (is_ipv6(p)) {
		flags |= RTE_MBUF_F_TX_IPV6;
	} else {
		flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
		memset((uint8_t *)pkt_data(p) + ETH_HLEN + offsetof(struct iphdr, check), 0, sizeof(uint16_t));
	}
	set_lengths(m, p, flags);
	m->l4_len = tcp.doff * 4u & 255;
	m->tso_segsz = p->gso_size;
	queue_mbuf(b, m);
	return true;
}

static void
send_super(struct tx_burst *b, struct pkt *p)
{
	const uint64_t needs = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	struct pkt_queue segments = STAILQ_HEAD_INITIALIZER(segments);
	bool partial = b->dev->offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

	if ((b->dev->offloads & needs) == needs) {
		if (!send_to_segment(b, p))
			refuse(b, p, DROP_OFFLOAD);
		return;
	}
	if (pkt_segment(b->env, p, ETH_HLEN, partial, &segments) == 0)
		b->dev->port.count.tx_drops++;
	while (!STAILQ_EMPTY(&segments)) {
		struct pkt *s = STAILQ_FIRST(&segments);

		STAILQ_REMOVE_HEAD(&segments, queue);
		send_plain(b, s);
	}
}

void
ethdev_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n)
{
	struct tx_burst b = {.dev = (struct ethdev *)port, .env = env};

	for (uint16_t i = 0; i < n; i++) {
		if (pkt_head_len(in[i]) <= ETH_HLEN)
			refuse(&b, in[i], DROP_TRUNCATED);
		else if (pkt_is_gso(in[i]))
			send_super(&b, in[i]);
		else
			send_plain(&b, in[i]);
	}
	if (b.n)
		flush(&b);
}
