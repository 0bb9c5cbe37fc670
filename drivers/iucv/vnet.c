/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drivers/iucv/vnet.h"

#include <linux/if_ether.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

static_assert(VNET_TUN == 12 && VNET_PACKET == 10, "sizes that the kernel knows");
static_assert(PKT_GSO_TCP4 == VIRTIO_NET_HDR_GSO_TCPV4 && PKT_GSO_TCP6 == VIRTIO_NET_HDR_GSO_TCPV6, "as virtio");

/* Smallest IP header before the TCP header of a segmentation type; 0: not a type that we take. */
static unsigned
gso_l3_min(unsigned type)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return sizeof(struct iphdr);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return sizeof(struct ip6_hdr);
	default:
		return 0;
	}
}

static bool
read_checksum(const struct virtio_net_hdr_v1 *h, struct pkt *p, unsigned l2)
{
	uint32_t field = (uint32_t)h->csum_start + h->csum_offset;

	if (h->csum_start < l2 || field + sizeof(uint16_t) > pkt_head_len(p))
		return false;
	p->csum_start = (uint16_t)(h->csum_start - l2);
	p->csum_offset = h->csum_offset;
	p->flags |= PKT_CSUM_PARTIAL;
	return true;
}

static bool
read_gso(const struct virtio_net_hdr_v1 *h, struct pkt *p, unsigned l2)
{
	unsigned type = h->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
	unsigned l3 = gso_l3_min(type);

	if (l3 == 0 || h->gso_size == 0 || !(p->flags & PKT_CSUM_PARTIAL))
		return false;
	if (p->csum_start < l3 || p->csum_offset != offsetof(struct tcphdr, check))
		return false;
	if (l2 + p->csum_start + sizeof(struct tcphdr) > pkt_head_len(p))
		return false;
	p->gso_type = (uint8_t)type;
	p->gso_ecn = h->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	p->gso_size = h->gso_size;
	return true;
}

enum drop_reason
vnet_read(const struct virtio_net_hdr_v1 *h, struct pkt *p, unsigned l2)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!read_checksum(h, p, l2))
			return DROP_OFFLOAD;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		p->flags |= PKT_CSUM_VALID;
	}
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE && !read_gso(h, p, l2))
		return DROP_OFFLOAD;
	return DROP_NONE;
}

/* Bytes of all headers of a super-packet, as far as they lie in the first segment. */
static uint16_t
header_length(const struct pkt *p, unsigned l2)
{
	uint32_t l4 = l2 + p->csum_start, end = l4 + sizeof(struct tcphdr);
	struct tcphdr tcp;

	if (end <= pkt_head_len(p)) {
		memcpy(&tcp, (const uint8_t *)pkt_data(p) + l4, sizeof(tcp));
		end = l4 + tcp.doff * 4u;
	}
	return (uint16_t)(end < pkt_head_len(p) ? end : pkt_head_len(p));
}

void
vnet_write(struct virtio_net_hdr_v1 *h, const struct pkt *p, unsigned l2)
{
	*h = (struct virtio_net_hdr_v1){0};
	if (p->flags & PKT_CSUM_PARTIAL) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = (uint16_t)(p->csum_start + l2);
		h->csum_offset = p->csum_offset;
	} else if (p->flags & PKT_CSUM_VALID) {
		h->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (pkt_is_gso(p)) {
		h->gso_type = p->gso_type | (p->gso_ecn ? VIRTIO_NET_HDR_GSO_ECN : 0);
		h->gso_size = p->gso_size;
		h->hdr_len = header_length(p, l2);
	}
}
