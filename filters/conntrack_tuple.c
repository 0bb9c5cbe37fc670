/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/conntrack_table.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

/* GRE of version 1 (RFC 2637): PPTP. */
enum { GRE_VERSION_MASK = 0x0007, GRE_VERSION_PPTP = 1, GRE_PROTOCOL_PPP = 0x880b };

static bool
ports_tuple(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t)
{
	uint16_t buf[2];
	const void *ports = rte_pktmbuf_read(m, at, sizeof(buf), buf);

	if (!ports)
		return false;
	memcpy(&t->sport, ports, 2);
	memcpy(&t->dport, (const uint8_t *)ports + 2, 2);
	return true;
}

bool
ct_icmp_tuple(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t)
{
	uint8_t buf[8];
	const uint8_t *icmp = rte_pktmbuf_read(m, at, sizeof(buf), buf);

	if (!icmp)
		return false;
	memcpy(&t->sport, icmp + 4, 2);
	t->dport = (uint16_t)(icmp[0] << 8 | icmp[1]);
	return true;
}

/* nf_conntrack_proto_gre.c: only PPTP's has a key, the call id; others are told apart by their
 * addresses alone. */
bool
ct_gre_tuple(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t)
{
	uint8_t buf[8];
	const uint8_t *gre = rte_pktmbuf_read(m, at, 4, buf);

	if (!gre || (gre[1] & GRE_VERSION_MASK) != GRE_VERSION_PPTP)
		return true;
	gre = rte_pktmbuf_read(m, at, 8, buf);
	if (!gre)
		return true;
	if ((gre[2] << 8 | gre[3]) != GRE_PROTOCOL_PPP)
		return false;
	memcpy(&t->dport, gre + 6, 2);
	return true;
}

static const struct ct_protocol tcp = {ct_tcp_packet, ports_tuple, ct_tcp_closing, false};
static const struct ct_protocol udp = {ct_udp_packet, ports_tuple, NULL, true};
static const struct ct_protocol udplite = {ct_udplite_packet, ports_tuple, NULL, true};
static const struct ct_protocol icmp4 = {ct_icmp_packet, ct_icmp_tuple, NULL, false};
static const struct ct_protocol sctp = {ct_sctp_packet, ports_tuple, ct_sctp_closing, false};
static const struct ct_protocol gre = {ct_gre_packet, ct_gre_tuple, NULL, true};

static enum ct_answer
generic_packet(struct ct_packet *k)
{
	ct_refresh(k, tune_seconds(ct_tunables(k), TUNE_CT_GENERIC));
	return CT_PASS;
}

static const struct ct_protocol generic = {generic_packet, NULL, NULL, false};

/* DCCP is generic since Linux 6.16. */
const struct ct_protocol *
ct_protocol_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return &tcp;
	case IPPROTO_UDP:
		return &udp;
	case IPPROTO_ICMP:
		return &icmp4;
	case IPPROTO_SCTP:
		return &sctp;
	case IPPROTO_UDPLITE:
		return &udplite;
	case IPPROTO_GRE:
		return &gre;
	}
	return &generic;
}

bool
ct_tuple_at(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t)
{
	struct iphdr buf, ip;
	const void *header = rte_pktmbuf_read(m, at, sizeof(buf), &buf);
	const struct ct_protocol *proto;
	uint32_t l4;

	if (!header)
		return false;
	memcpy(&ip, header, sizeof(ip));
	l4 = at + ip.ihl * 4u;
	if (ip.frag_off & htons(IP_OFFMASK) || l4 > m->pkt_len)
		return false;
	memset(t, 0, sizeof(*t));
	t->src = ip4(ip.saddr);
	t->dst = ip4(ip.daddr);
	t->proto = ip.protocol;
	proto = ct_protocol_of(ip.protocol);
	return !proto->tuple || proto->tuple(m, l4, t);
}

bool
conntrack_tuple(const struct pkt *p, struct ct_tuple *t)
{
	return p->family == AF_INET && ct_tuple_at(pkt_mbuf(p), 0, t);
}

/* 1 + the type of what answers it. */
static const uint8_t icmp_inverse[] = {
	[ICMP_ECHO] = ICMP_ECHOREPLY + 1,
	[ICMP_ECHOREPLY] = ICMP_ECHO + 1,
	[ICMP_TIMESTAMP] = ICMP_TIMESTAMPREPLY + 1,
	[ICMP_TIMESTAMPREPLY] = ICMP_TIMESTAMP + 1,
	[ICMP_INFO_REQUEST] = ICMP_INFO_REPLY + 1,
	[ICMP_INFO_REPLY] = ICMP_INFO_REQUEST + 1,
	[ICMP_ADDRESS] = ICMP_ADDRESSREPLY + 1,
	[ICMP_ADDRESSREPLY] = ICMP_ADDRESS + 1,
};

bool
ct_tuple_invert(const struct ct_tuple *t, struct ct_tuple *out)
{
	unsigned type = t->dport >> 8;

	memset(out, 0, sizeof(*out));
	out->src = t->dst;
	out->dst = t->src;
	out->proto = t->proto;
	if (t->proto != IPPROTO_ICMP) {
		out->sport = t->dport;
		out->dport = t->sport;
		return true;
	}
	if (type >= sizeof(icmp_inverse) || icmp_inverse[type] == 0)
		return false;
	out->sport = t->sport;
	out->dport = (uint16_t)((icmp_inverse[type] - 1) << 8 | (t->dport & 0xff));
	return true;
}
