/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simulated guests: the far side of a link or a member of a LAN, inside the process, for scale and
 * for tests.
 *
 * A guest keeps nothing but its addresses: tx turns each packet into its answer, in the same
 * buffers, and puts it where rx finds it; what has no answer ends there, as in a host that does not
 * care. Such ends are no drops of the fabric and are not counted as any. Checksums are changed by
 * difference; a guest, as a host does, ignores packets whose checksum is wrong, fragments (it does
 * not reassemble) and what is not for it.
 *
 * Threads: tx under the slow-way lock by any worker, rx by the worker that polls the port, perhaps
 * at once: the queue between them has a lock of its own.
 */
#include "drivers/iucv/sim_tcp.h"
#include "drivers/port.h"
#include "fabric/base/csum.h"

#include <assert.h>
#include <errno.h>
#include <netinet/if_ether.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <rte_spinlock.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SIM_TTL = 64,
	QUOTE_MAX = 548, /* of the packet in an ICMP error: RFC 1812, 4.3.2.3 */
};

struct sim {
	struct port port;
	rte_spinlock_t lock;
	struct pkt_queue answers;
	struct sim_guest guest;
};
static_assert(sizeof(struct sim) <= 1024, "ten thousand of them must be cheap");

static bool
is_mine(const struct sim_guest *g, uint32_t addr)
{
	for (size_t i = 0; i < g->n_addrs; i++) {
		if (g->addrs[i].family == AF_INET && g->addrs[i].v4 == addr)
			return true;
	}
	return false;
}

static void
swap_addresses(struct pkt *p)
{
	struct iphdr ip;
	uint32_t src;

	memcpy(&ip, pkt_data(p), sizeof(ip));
	src = ip.saddr;
	ip.saddr = ip.daddr;
	ip.daddr = src;
	ip.check = csum_replace2(ip.check, htons((uint16_t)(ip.ttl << 8)), htons(SIM_TTL << 8));
	ip.ttl = SIM_TTL;
	memcpy(pkt_data(p), &ip, sizeof(ip));
}

static bool
answer_icmp(struct sim *s, struct env *env, struct pkt *p)
{
	struct icmphdr h;

	(void)s;
	(void)env;
	if (p->l4_len < sizeof(h))
		return false;
	memcpy(&h, pkt_l4(p), sizeof(h));
	if (h.type != ICMP_ECHO || h.code != 0)
		return false;
	h.type = ICMP_ECHOREPLY;
	h.checksum = csum_replace2(h.checksum, htons(ICMP_ECHO << 8), htons(ICMP_ECHOREPLY << 8));
	/* The two zeros of ones' complement: of a message that is all zero now, only this one
	 * holds. */
	if (h.checksum == 0)
		h.checksum = 0xffff;
	memcpy(pkt_l4(p), &h, sizeof(h));
	swap_addresses(p);
	return true;
}

/* Quotes the packet as it came behind new headers before it. */
static bool
answer_unreachable(struct env *env, struct pkt *p)
{
	uint32_t quoted = pkt_head_len(p) < QUOTE_MAX ? pkt_head_len(p) : QUOTE_MAX;
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
	} h = {.icmp = {.type = ICMP_UNREACH, .code = ICMP_UNREACH_PORT}};
	struct iphdr was;
	uint64_t sum;

	if (rte_pktmbuf_headroom(pkt_mbuf(p)) < sizeof(h) + ETH_HLEN)
		return false;
	memcpy(&was, pkt_data(p), sizeof(was));
	h.ip = (struct iphdr){.version = 4, .ihl = 5, .tos = 0xc0, .ttl = SIM_TTL, .protocol = IPPROTO_ICMP};
	h.ip.saddr = was.daddr;
	h.ip.daddr = was.saddr;
	sum = csum_add(0, &h.icmp, sizeof(h.icmp));
	h.icmp.checksum = (uint16_t)~csum_fold(csum_add(sum, pkt_data(p), quoted));
	memcpy(rte_pktmbuf_prepend(pkt_mbuf(p), sizeof(h)), &h, sizeof(h));
	sim_shorten(env, p, sizeof(h) + quoted);
	memcpy(&h.ip, pkt_data(p), sizeof(h.ip));
	h.ip.check = 0;
	h.ip.check = ip4_checksum(&h.ip);
	memcpy(pkt_data(p), &h.ip, sizeof(h.ip));
	p->flags &= (uint16_t)~(PKT_CSUM_PARTIAL | PKT_CSUM_VALID);
	return true;
}

static bool
answer_udp(struct sim *s, struct env *env, struct pkt *p)
{
	struct udphdr h;

	(void)s;
	if (p->l4_len < sizeof(h))
		return false;
	memcpy(&h, pkt_l4(p), sizeof(h));
	if (ntohs(h.dest) != SIM_PORT_ECHO)
		return answer_unreachable(env, p);
	if (ntohs(h.source) == SIM_PORT_ECHO)
		return false;
	/* The order of ports and addresses does not matter to the checksum. */
	h = (struct udphdr){.source = h.dest, .dest = h.source, .len = h.len, .check = h.check};
	memcpy(pkt_l4(p), &h, sizeof(h));
	swap_addresses(p);
	return true;
}

static bool
answer_tcp(struct sim *s, struct env *env, struct pkt *p)
{
	uint32_t headers = sizeof(struct iphdr) + sizeof(struct tcphdr);
	uint32_t mss = s->guest.mtu > headers ? s->guest.mtu - headers : 536;

	swap_addresses(p);
	return sim_tcp_answer(env, p, (uint16_t)(mss < UINT16_MAX ? mss : UINT16_MAX));
}

static bool
answer_ip(struct sim *s, struct env *env, struct pkt *p)
{
	static bool (*const by_protocol[])(struct sim *, struct env *, struct pkt *) = {
		[IPPROTO_ICMP] = answer_icmp,
		[IPPROTO_TCP] = answer_tcp,
		[IPPROTO_UDP] = answer_udp,
	};
	struct iphdr ip;

	if (pkt_parse(p) != DROP_NONE || p->family != AF_INET || (p->flags & PKT_FRAGMENT))
		return false;
	memcpy(&ip, pkt_data(p), sizeof(ip));
	if (!is_mine(&s->guest, ip.daddr) || !pkt_l4_checksum_ok(p))
		return false;
	return p->proto < RTE_DIM(by_protocol) && by_protocol[p->proto] && by_protocol[p->proto](s, env, p);
}

/* The frame's data starts at the ARP packet. */
static bool
answer_arp(struct sim *s, struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	struct ether_arp a;
	uint32_t asked;

	if (pkt_head_len(p) < sizeof(a) || m->next)
		return false;
	memcpy(&a, pkt_data(p), sizeof(a));
	memcpy(&asked, a.arp_tpa, sizeof(asked));
	if (ntohs(a.arp_hrd) != ARPHRD_ETHER || ntohs(a.arp_pro) != ETHERTYPE_IP || a.arp_hln != ETH_ALEN ||
			a.arp_pln != sizeof(asked) || ntohs(a.arp_op) != ARPOP_REQUEST || !is_mine(&s->guest, asked))
		return false;
	a.arp_op = htons(ARPOP_REPLY);
	memcpy(a.arp_tha, a.arp_sha, sizeof(a.arp_tha));
	memcpy(a.arp_tpa, a.arp_spa, sizeof(a.arp_tpa));
	memcpy(a.arp_sha, s->guest.mac.b, sizeof(a.arp_sha));
	memcpy(a.arp_spa, &asked, sizeof(asked));
	memcpy(pkt_data(p), &a, sizeof(a));
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - sizeof(a)));
	return true;
}

static bool
answer_frame(struct sim *s, struct env *env, struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	struct ether_header h;
	bool answered;

	if (pkt_head_len(p) < sizeof(h))
		return false;
	memcpy(&h, rte_pktmbuf_mtod(m, void *), sizeof(h));
	rte_pktmbuf_adj(m, sizeof(h));
	if (ntohs(h.ether_type) == ETHERTYPE_ARP)
		answered = answer_arp(s, p);
	else
		answered = ntohs(h.ether_type) == ETHERTYPE_IP && memcmp(h.ether_dhost, s->guest.mac.b, ETH_ALEN) == 0 &&
				answer_ip(s, env, p);
	if (!answered)
		return false;
	memcpy(h.ether_dhost, h.ether_shost, ETH_ALEN);
	memcpy(h.ether_shost, s->guest.mac.b, ETH_ALEN);
	memcpy(rte_pktmbuf_prepend(m, sizeof(h)), &h, sizeof(h));
	return true;
}

/* What rx gives is as from any port: not parsed, its offload fields and no more. */
static void
as_received(const struct port *port, struct pkt *p)
{
	struct pkt was = *p;

	pkt_reset(p);
	p->flags = was.flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID);
	p->l2_len = port->frames ? ETH_HLEN : 0;
	p->gso_type = was.gso_type;
	p->gso_size = was.gso_size;
	p->gso_ecn = was.gso_ecn;
	p->csum_start = was.csum_start;
	p->csum_offset = was.csum_offset;
}

static void
sim_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n)
{
	struct sim *s = (struct sim *)port;
	struct pkt_queue answers = STAILQ_HEAD_INITIALIZER(answers);

	for (uint16_t i = 0; i < n; i++) {
		struct pkt *p = in[i];

		port->count.tx_packets++;
		port->count.tx_bytes += pkt_len(p);
		if (port->frames ? answer_frame(s, env, p) : answer_ip(s, env, p)) {
			as_received(port, p);
			STAILQ_INSERT_TAIL(&answers, p, queue);
		} else {
			env_pkt_free(env, p);
		}
	}
	if (STAILQ_EMPTY(&answers))
		return;
	rte_spinlock_lock(&s->lock);
	STAILQ_CONCAT(&s->answers, &answers);
	rte_spinlock_unlock(&s->lock);
	if (port->ready)
		port->ready(port, port->ready_arg);
}

static uint16_t
sim_rx(struct port *port, struct env *env, struct pkt **out, uint16_t n)
{
	struct sim *s = (struct sim *)port;
	uint16_t got = 0;

	(void)env;
	rte_spinlock_lock(&s->lock);
	while (got < n && !STAILQ_EMPTY(&s->answers)) {
		out[got] = STAILQ_FIRST(&s->answers);
		STAILQ_REMOVE_HEAD(&s->answers, queue);
		port->count.rx_packets++;
		port->count.rx_bytes += pkt_len(out[got]);
		got++;
	}
	rte_spinlock_unlock(&s->lock);
	return got;
}

/* It sees no carrier: without one nothing reaches it, and it never speaks first. */
static int
sim_set_carrier(struct port *port, bool up)
{
	(void)port;
	(void)up;
	return 0;
}

static void
sim_close(struct port *port)
{
	struct sim *s = (struct sim *)port;

	while (!STAILQ_EMPTY(&s->answers)) {
		struct pkt *p = STAILQ_FIRST(&s->answers);

		STAILQ_REMOVE_HEAD(&s->answers, queue);
		rte_pktmbuf_free(pkt_mbuf(p));
	}
	free(s);
}

static const struct port_ops sim_ops = {
	.kind = "simulated",
	.rx = sim_rx,
	.tx = sim_tx,
	.set_carrier = sim_set_carrier,
	.close = sim_close,
};

struct port *
sim_port_new(const struct sim_guest *g)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->port = (struct port){.ops = &sim_ops, .fd = -1, .frames = g->frames, .mtu = g->mtu, .mac = g->mac};
	snprintf(s->port.name, sizeof(s->port.name), "%s", g->name);
	s->guest = *g;
	STAILQ_INIT(&s->answers);
	rte_spinlock_init(&s->lock);
	return &s->port;
}
