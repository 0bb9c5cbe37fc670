/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-net header in front of each packet of a TUN, TAP or AF_PACKET descriptor (virtio 1.2,
 * section 5.1.6; include/uapi/linux/virtio_net.h) to and from the offload fields of the packet
 * descriptor. Fields are in host byte order, as the kernel's legacy mode has it.
 *
 * The header counts csum_start from the first byte of the data; the descriptor counts it from the
 * IP header. `l2` is the difference: the length of the Ethernet header of a frame, or 0.
 */
#ifndef DRIVERS_IUCV_VNET_H
#define DRIVERS_IUCV_VNET_H

#include "fabric/base/pkt.h"

#include <linux/virtio_net.h>

enum {
	VNET_TUN = sizeof(struct virtio_net_hdr_v1), /* 12: TUNSETVNETHDRSZ */
	VNET_PACKET = sizeof(struct virtio_net_hdr), /* 10: PACKET_VNET_HDR, without num_buffers */
};

/* Sets flags, csum_* and gso_* of a descriptor that was reset and whose data is in place. Only TCP
 * is cut to segments, and only with a partial checksum. => DROP_NONE, or DROP_OFFLOAD when the
 * request does not fit the packet. */
enum drop_reason vnet_read(const struct virtio_net_hdr_v1 *h, struct pkt *p, unsigned l2);
/* The header for a packet that leaves; all zero when nothing is left to the far side. */
void vnet_write(struct virtio_net_hdr_v1 *h, const struct pkt *p, unsigned l2);

#endif
