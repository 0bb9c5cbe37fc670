/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/pkt.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/base/pkt_options.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

enum { EXTENSIONS_MAX = 8 };

/* What parsing finds, as opposed to what a port or a stage has said. */
enum { PARSED_FLAGS = PKT_FRAGMENT | PKT_LATER_FRAGMENT | PKT_OPTIONS };

/*
 * Shortest header of the protocols whose header is read at all; each but ICMP starts with its
 * ports.
 */
static const uint8_t l4_shortest[256] = {
	[IPPROTO_ICMP] = 8,
	[IPPROTO_TCP] = 20,
	[IPPROTO_UDP] = 8,
	[IPPROTO_ICMPV6] = 8,
	[IPPROTO_SCTP] = 12,
	[IPPROTO_DCCP] = 12,
	[IPPROTO_UDPLITE] = 8,
};

void
pkt_reset(struct pkt *p)
{
	memset(p, 0, sizeof(*p));
}

static bool
icmp_has_id(uint8_t type)
{
	switch (type) {
	case ICMP_ECHO:
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REQUEST:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESS:
	case ICMP_ADDRESSREPLY:
		return true;
	}
	return false;
}

static void
parse_l4_ports(struct pkt *p, const uint8_t *l4)
{
	if (p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6) {
		memcpy(&p->sport, l4, 2);
		memcpy(&p->dport, l4 + 2, 2);
		return;
	}
	memcpy(&p->sport, l4, 2);
	if (p->proto == IPPROTO_ICMP ? icmp_has_id(l4[0])
				     : l4[0] == ICMP6_ECHO_REQUEST || l4[0] == ICMP6_ECHO_REPLY)
		memcpy(&p->dport, l4 + 4, 2);
}

static void
parse_l4(struct pkt *p)
{
	uint32_t have = pkt_head_len(p) - p->l3_len;
	uint32_t need = l4_shortest[p->proto];
	const uint8_t *l4 = (const uint8_t *)pkt_data(p) + p->l3_len;

	p->l4_len = p->sport = p->dport = 0;
	if (p->flags & PKT_LATER_FRAGMENT || need == 0 || have < need)
		return;
	if (p->proto == IPPROTO_TCP) {
		uint32_t whole = (uint32_t)(l4[12] >> 4) * 4;

		if (whole < need || have < whole)
			return;
		need = whole;
	}
	p->l4_len = (uint16_t)need;
	parse_l4_ports(p, l4);
}

static bool
gso_possible(const struct pkt *p)
{
	if (p->gso_size == 0 || p->l4_len == 0 || p->flags & PKT_FRAGMENT ||
		!(p->flags & PKT_CSUM_PARTIAL))
		return false;
	switch (p->gso_type) {
	case PKT_GSO_TCP4:
		return p->family == AF_INET && p->proto == IPPROTO_TCP;
	case PKT_GSO_TCP6:
		return p->family == AF_INET6 && p->proto == IPPROTO_TCP;
	case PKT_GSO_UDP_L4:
		return p->proto == IPPROTO_UDP;
	}
	return false;
}

static bool
csum_possible(const struct pkt *p)
{
	if (p->flags & PKT_FRAGMENT || p->csum_start < p->l3_len ||
		(uint32_t)p->csum_start + p->csum_offset + 2 > pkt_head_len(p))
		return false;
	switch (p->proto) {
	case IPPROTO_TCP:
		return p->l4_len && p->csum_start == p->l3_len &&
		       p->csum_offset == offsetof(struct tcphdr, check);
	case IPPROTO_UDP:
		return p->l4_len && p->csum_start == p->l3_len &&
		       p->csum_offset == offsetof(struct udphdr, check);
	case IPPROTO_SCTP: /* its checksum is a CRC */
		return false;
	}
	return true;
}

static enum drop_reason
check_offload(const struct pkt *p)
{
	if (pkt_is_gso(p) && !gso_possible(p))
		return DROP_OFFLOAD;
	if (p->flags & PKT_CSUM_PARTIAL && !csum_possible(p))
		return DROP_OFFLOAD;
	return DROP_NONE;
}

/* Cuts off what the link layer padded. What a super-packet has beyond its length is no padding. */
static enum drop_reason
trim_to(struct pkt *p, uint32_t len)
{
	if (len > pkt_len(p))
		return DROP_TRUNCATED;
	if (len == pkt_len(p))
		return DROP_NONE;
	if (pkt_is_gso(p))
		return DROP_OFFLOAD;
	pkt_chain_trim(p, len);
	return DROP_NONE;
}

static enum drop_reason
parse_ip4_header(struct pkt *p, const struct iphdr *ip)
{
	uint32_t header = (uint32_t)ip->ihl * 4, total = ntohs(ip->tot_len);
	enum drop_reason why;

	if (header < sizeof(*ip))
		return DROP_IP_HEADER;
	if (header > pkt_head_len(p))
		return DROP_TRUNCATED;
	if (csum_fold(csum_add(0, ip, header)) != 0xffff)
		return DROP_IP_CHECKSUM;
	if (total < header)
		return DROP_IP_HEADER;
	why = trim_to(p, total);
	if (why)
		return why;
	if (header > sizeof(*ip)) {
		if (!ip4_options_sane((const uint8_t *)(ip + 1), header - sizeof(*ip)))
			return DROP_IP_OPTION;
		p->flags |= PKT_OPTIONS;
	}
	p->l3_len = (uint16_t)header;
	p->proto = ip->protocol;
	return DROP_NONE;
}

static enum drop_reason
parse_ip4(struct pkt *p)
{
	const struct iphdr *ip = pkt_data(p);
	enum drop_reason why;

	if (pkt_head_len(p) < sizeof(*ip))
		return DROP_TRUNCATED;
	why = parse_ip4_header(p, ip);
	if (why)
		return why;
	if (ip->frag_off & htons(IP_MF | IP_OFFMASK))
		p->flags |= PKT_FRAGMENT;
	if (ip->frag_off & htons(IP_OFFMASK))
		p->flags |= PKT_LATER_FRAGMENT;
	p->family = AF_INET;
	parse_l4(p);
	return check_offload(p);
}

/*
 * Length of the extension header at `h`, of which `have` (at least 8) bytes are there; 0: it is
 * none.
 */
static uint32_t
extension_len(uint8_t type, const uint8_t *h)
{
	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (h[1] + 1u) * 8;
	case IPPROTO_AH:
		return (h[1] + 2u) * 4;
	case IPPROTO_FRAGMENT:
		return 8;
	}
	return 0;
}

static bool
is_extension(uint8_t type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_DSTOPTS ||
	       type == IPPROTO_AH || type == IPPROTO_FRAGMENT;
}

static void
note_ip6_fragment(struct pkt *p, const uint8_t *h)
{
	uint16_t field = (uint16_t)(h[2] << 8 | h[3]);

	if (field & 0xfff9)
		p->flags |= PKT_FRAGMENT;
	if (field & 0xfff8)
		p->flags |= PKT_LATER_FRAGMENT;
}

/* Walks to layer 4, or to the end of what a later fragment has of headers. */
static enum drop_reason
parse_ip6_extensions(struct pkt *p, uint8_t next)
{
	const uint8_t *data = pkt_data(p);
	uint32_t at = sizeof(struct ip6_hdr), have = pkt_head_len(p), len;
	unsigned n;

	for (n = 0; is_extension(next) && !(p->flags & PKT_LATER_FRAGMENT); n++) {
		if (n == EXTENSIONS_MAX)
			return DROP_IPV6;
		if (at + 8 > have)
			return DROP_TRUNCATED;
		len = extension_len(next, data + at);
		if (at + len > have)
			return DROP_TRUNCATED;
		if (next == IPPROTO_FRAGMENT)
			note_ip6_fragment(p, data + at);
		p->flags |= PKT_OPTIONS;
		next = data[at];
		at += len;
	}
	p->l3_len = (uint16_t)at;
	p->proto = next;
	return DROP_NONE;
}

static enum drop_reason
parse_ip6(struct pkt *p)
{
	const struct ip6_hdr *ip = pkt_data(p);
	enum drop_reason why;

	if (pkt_head_len(p) < sizeof(*ip))
		return DROP_TRUNCATED;
	why = trim_to(p, (uint32_t)sizeof(*ip) + ntohs(ip->ip6_plen));
	if (why)
		return why;
	why = parse_ip6_extensions(p, ip->ip6_nxt);
	if (why)
		return why;
	p->family = AF_INET6;
	parse_l4(p);
	return check_offload(p);
}

enum drop_reason
pkt_parse(struct pkt *p)
{
	enum drop_reason why = DROP_IP_VERSION;

	p->family = 0;
	p->flags &= (uint16_t)~PARSED_FLAGS;
	p->l3_len = p->l4_len = 0;
	if (pkt_head_len(p) == 0)
		return DROP_TRUNCATED;
	switch (*(const uint8_t *)pkt_data(p) >> 4) {
	case 4:
		why = parse_ip4(p);
		break;
	case 6:
		why = parse_ip6(p);
		break;
	}
	if (why)
		p->family = 0;
	return why;
}

static uint64_t
pseudo_sum(const struct pkt *p, uint32_t len)
{
	const struct ip6_hdr *ip6 = pkt_data(p);

	if (p->family == AF_INET)
		return csum_pseudo4(pkt_ip4(p)->saddr, pkt_ip4(p)->daddr, p->proto, (uint16_t)len);
	return csum_add((uint64_t)htons(p->proto) + htons((uint16_t)len), &ip6->ip6_src, 32);
}

static bool
sum_holds(const struct pkt *p, uint32_t len, bool pseudo)
{
	return csum_fold(pkt_chain_sum(p, p->l3_len, len, pseudo ? pseudo_sum(p, len) : 0)) ==
	       0xffff;
}

static bool
udp_sum_holds(const struct pkt *p, uint32_t len)
{
	const struct udphdr *udp = pkt_l4(p);
	uint32_t said = ntohs(udp->len);

	if (said < sizeof(*udp) || said > len)
		return false;
	return udp->check == 0 ? p->family == AF_INET : sum_holds(p, said, true);
}

bool
pkt_l4_checksum_ok(const struct pkt *p)
{
	uint32_t len = pkt_len(p) - p->l3_len;

	if (p->flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID | PKT_FRAGMENT))
		return true;
	switch (p->proto) {
	case IPPROTO_UDP:
		return p->l4_len && udp_sum_holds(p, len);
	case IPPROTO_ICMP:
		return p->l4_len && sum_holds(p, len, false);
	case IPPROTO_TCP:
	case IPPROTO_ICMPV6:
		return p->l4_len && sum_holds(p, len, true);
	}
	return true;
}

void
pkt_checksum_complete(struct pkt *p)
{
	uint8_t *field = (uint8_t *)pkt_data(p) + p->csum_start + p->csum_offset;
	uint16_t sum;

	if (!(p->flags & PKT_CSUM_PARTIAL))
		return;
	sum = (uint16_t)~csum_fold(pkt_chain_sum(p, p->csum_start, pkt_len(p) - p->csum_start, 0));
	if (sum == 0 && p->proto == IPPROTO_UDP)
		sum = 0xffff;
	memcpy(field, &sum, 2);
	p->flags &= (uint16_t)~PKT_CSUM_PARTIAL;
	p->flags |= PKT_CSUM_VALID;
}
