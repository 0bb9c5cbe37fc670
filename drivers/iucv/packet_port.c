/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AF_PACKET ports: a host interface (packet(7)). Frames, with the same virtio-net header as TAP,
 * ten bytes of it. */
#include "drivers/iucv/fd_port.h"
#include "drivers/iucv/vnet.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* The kernel takes an 802.1Q tag out of the frame and tells of it beside: such a frame belongs to
 * another network. */
static bool
has_vlan_tag(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA || c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status & TP_STATUS_VLAN_VALID;
	}
	return false;
}

static ssize_t
packet_read(int fd, struct iovec *iov, int n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = (size_t)n,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (len >= 0 && has_vlan_tag(&msg)) {
		errno = ENOTSUP;
		return -1;
	}
	return len;
}

static ssize_t
packet_write(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};

	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The kernel checks packets against the device's MTU, super-packets against nothing. */
static bool
too_big(const struct port *port, const struct pkt *p)
{
	uint32_t l2 = p->l2_len ? p->l2_len : ETH_HLEN;

	if (!pkt_is_gso(p))
		return pkt_len(p) > l2 + port->mtu;
	return p->family && pkt_segment_len(p) > port->mtu;
}

static void
packet_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (!too_big(port, in[i])) {
			in[kept++] = in[i];
			continue;
		}
		port->count.tx_drops++;
		pkt_drop(env, &env->drops, in[i], DROP_MTU);
	}
	fd_port_tx(port, env, in, kept);
}

static const struct fd_io packet_io = {.read = packet_read, .write = packet_write, .vnet = VNET_PACKET};

static const struct port_ops packet_ops = {
	.kind = "packet",
	.rx = fd_port_rx,
	.tx = packet_tx,
	.close = fd_port_close,
};

struct port *
packet_port_new(const char *name, int fd, uint32_t mtu, const struct port_pools *pools)
{
	struct fd_port *f = fd_port_new(name, fd, true, mtu, pools, &packet_ops, &packet_io);
	struct sockaddr_ll self = {0};
	socklen_t len = sizeof(self);
	int on = 1;

	if (!f)
		return NULL;
	/* Older kernels know only some of these; without them the port still works. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on));
	if (getsockname(fd, (struct sockaddr *)&self, &len) == 0 && self.sll_halen == sizeof(f->port.mac.b))
		memcpy(f->port.mac.b, self.sll_addr, sizeof(f->port.mac.b));
	return &f->port;
}
