/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets through a descriptor that speaks the virtio-net header: TUN, TAP, AF_PACKET.
 *
 * Buffers. A read offers the header, one small buffer and as many large ones as the largest
 * super-packet needs, so that any packet arrives whole in one call; then the chain is cut to what
 * came. Buffers that were offered and not used serve the next read of the same burst and go back to
 * the pool at its end: an idle port holds none, which is what lets ten thousand of them wait. A
 * byte of `overflow` behind the buffers tells a packet that did not fit from one that just did;
 * that one is dropped by name (no-buffer when the pools were empty).
 *
 * The first segment takes all a small buffer holds, so that the headers of any packet are
 * contiguous (PKT_CONTIGUOUS).
 *
 * Errors. EAGAIN ends a burst. A device that is going away (its namespace was removed, its
 * interface deleted) answers with EBADFD, EIO or EFAULT from then on: the port is marked `gone`,
 * counts one port-error, and reads nothing again. ENETDOWN comes once when an interface goes down,
 * and means no more than that.
 *
 * port.count counts packets and bytes as the descriptor carries them: a super-packet is one. What
 * users see counts segments; that is the engine's, which has parsed the packet.
 *
 * Threads: rx by the one worker that polls the port, tx by any, several at a time: the kernel takes
 * writes side by side, so what tx counts is counted atomically and nothing else is shared.
 */
#include "drivers/iucv/fd_port.h"

#include "drivers/iucv/vnet.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	RX_SEGMENTS = 3, /* small, large, large: 67,456 bytes; a super-packet has at most 65,535 + ETH_HLEN */
	TX_SEGMENTS = 63,
	FRAME_SHIFT = 2, /* puts the IP header of a frame on a 4-byte boundary */
};
static_assert(PORT_SMALL - FRAME_SHIFT + (RX_SEGMENTS - 1) * PORT_LARGE >= 65535 + ETH_HLEN, "a super-packet arrives whole");
static_assert((int)PORT_SMALL >= (int)PKT_CONTIGUOUS, "headers are contiguous");

struct rx_burst {
	struct virtio_net_hdr_v1 header;
	struct rte_mbuf *seg[RX_SEGMENTS]; /* up to the first NULL */
	struct iovec iov[RX_SEGMENTS + 2];
	int n_iov;
	size_t room; /* of the buffers */
	uint8_t overflow;
};

struct fd_port *
fd_port_new(const char *name, int fd, bool frames, uint32_t mtu, const struct port_pools *pools,
		const struct port_ops *ops, const struct fd_io *io)
{
	struct fd_port *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->port = (struct port){.ops = ops, .fd = fd, .frames = frames, .mtu = mtu};
	snprintf(f->port.name, sizeof(f->port.name), "%s", name);
	f->io = io;
	f->pools = *pools;
	return f;
}

void
fd_port_close(struct port *port)
{
	close(port->fd);
	free(port);
}

static void
drop_received(struct port *port, struct env *env, enum drop_reason why)
{
	port->count.rx_drops++;
	env->drops.n[why]++;
}

/* Replaces what the packet before took, and lays out the next read. */
static void
rx_prepare(const struct fd_port *f, struct rx_burst *b)
{
	b->iov[0] = (struct iovec){&b->header, f->io->vnet};
	b->n_iov = 1;
	b->room = 0;
	for (int i = 0; i < RX_SEGMENTS; i++) {
		struct rte_mbuf *m = b->seg[i];

		if (!m) {
			m = b->seg[i] = rte_pktmbuf_alloc(i == 0 ? f->pools.small : f->pools.large);
			if (!m)
				break;
			if (i == 0 && f->port.frames)
				m->data_off += FRAME_SHIFT;
		}
		b->iov[b->n_iov++] = (struct iovec){rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m)};
		b->room += rte_pktmbuf_tailroom(m);
	}
	b->iov[b->n_iov++] = (struct iovec){&b->overflow, 1};
}

static void
rx_finish(struct rx_burst *b)
{
	for (int i = 0; i < RX_SEGMENTS; i++)
		rte_pktmbuf_free(b->seg[i]);
}

/* Chains the buffers that hold `len` bytes. The others stay in the burst, each at the place where
 * it will be offered next. */
static struct pkt *
rx_chain(struct rx_burst *b, size_t len)
{
	struct rte_mbuf *head = b->seg[0], *last = head;
	size_t rest = len;
	int used = 0;

	head->pkt_len = (uint32_t)len;
	head->nb_segs = 0;
	do {
		struct rte_mbuf *m = b->seg[used];
		size_t room = rte_pktmbuf_tailroom(m), take = rest < room ? rest : room;

		m->data_len = (uint16_t)take;
		rest -= take;
		last->next = m == head ? NULL : m;
		last = m;
		head->nb_segs++;
		b->seg[used++] = NULL;
	} while (rest);
	for (int i = used; used > 1 && i < RX_SEGMENTS; i++) {
		b->seg[i - used + 1] = b->seg[i];
		b->seg[i] = NULL;
	}
	return pkt_of(head);
}

/* A packet of `len` bytes lies in the buffers. => it, or NULL when it was dropped; then the buffers
 * stay. */
static struct pkt *
rx_accept(struct fd_port *f, struct env *env, struct rx_burst *b, size_t len)
{
	unsigned l2 = f->port.frames ? ETH_HLEN : 0;
	enum drop_reason why;
	struct pkt *p;

	if (len > b->room) {
		drop_received(&f->port, env, b->seg[RX_SEGMENTS - 1] ? DROP_TRUNCATED : DROP_NO_BUFFER);
		return NULL;
	}
	if (len <= l2) {
		drop_received(&f->port, env, DROP_TRUNCATED);
		return NULL;
	}
	p = rx_chain(b, len);
	pkt_reset(p);
	p->l2_len = (uint8_t)l2;
	why = vnet_read(&b->header, p, l2);
	if (why != DROP_NONE) {
		drop_received(&f->port, env, why);
		rte_pktmbuf_free(pkt_mbuf(p));
		return NULL;
	}
	f->port.count.rx_packets++;
	f->port.count.rx_bytes += len;
	return p;
}

/* A read failed. => true when the burst goes on. */
static bool
rx_error(struct port *port, struct env *env, int error)
{
	switch (error) {
	case EAGAIN:
	case ENETDOWN:
		return false;
	case EINTR:
		return true;
	case ENOTSUP:
		drop_received(port, env, DROP_ETHER_TYPE);
		return true;
	default:
		port->gone = true;
		drop_received(port, env, DROP_PORT_ERROR);
		return false;
	}
}

uint16_t
fd_port_rx(struct port *port, struct env *env, struct pkt **out, uint16_t n)
{
	struct fd_port *f = (struct fd_port *)port;
	struct rx_burst b = {.seg = {NULL}};
	uint16_t got = 0;

	if (port->gone)
		return 0;
	/* Bounded by reads, not by packets: a flood of malformed ones must not hold the worker. */
	for (uint16_t reads = 0; reads < n; reads++) {
		ssize_t len;

		rx_prepare(f, &b);
		len = f->io->read(port->fd, b.iov, b.n_iov);
		if (len < 0) {
			if (!rx_error(port, env, errno))
				break;
			continue;
		}
		if (len < f->io->vnet) {
			drop_received(port, env, DROP_TRUNCATED);
			continue;
		}
		out[got] = rx_accept(f, env, &b, (size_t)len - f->io->vnet);
		got += out[got] != NULL;
	}
	rx_finish(&b);
	return got;
}

static enum drop_reason
tx_refusal(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_PORT_TX;
	case EMSGSIZE:
		return DROP_MTU;
	case EINVAL:
		return DROP_OFFLOAD;
	default:
		return DROP_PORT_ERROR;
	}
}

/* A chain of more pieces than one call takes (many small fragments put together) goes as one copy.
 * => 0 or -errno. */
static int
write_copied(const struct fd_port *f, struct iovec *header, const struct pkt *p)
{
	uint32_t len = pkt_len(p);
	uint8_t *copy = malloc(len);
	const uint8_t *data;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	data = rte_pktmbuf_read(pkt_mbuf(p), 0, len, copy);
	if (f->io->write(f->port.fd, (struct iovec[2]){*header, {(void *)(uintptr_t)data, len}}, 2) < 0)
		r = -errno;
	free(copy);
	return r;
}

static int
write_packet(const struct fd_port *f, const struct pkt *p)
{
	struct virtio_net_hdr_v1 header;
	struct iovec iov[1 + TX_SEGMENTS];
	int n = 1;

	vnet_write(&header, p, f->port.frames ? p->l2_len ? p->l2_len : ETH_HLEN : 0);
	iov[0] = (struct iovec){&header, f->io->vnet};
	if (pkt_mbuf(p)->nb_segs > TX_SEGMENTS)
		return write_copied(f, &iov[0], p);
	for (struct rte_mbuf *m = pkt_mbuf(p); m; m = m->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
	return f->io->write(f->port.fd, iov, n) < 0 ? -errno : 0;
}

static void
count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void
fd_port_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n)
{
	struct fd_port *f = (struct fd_port *)port;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t len = pkt_len(in[i]);
		int r = write_packet(f, in[i]);

		if (r < 0) {
			count(&port->count.tx_drops, 1);
			pkt_drop(env, &env->drops, in[i], tx_refusal(-r));
			continue;
		}
		count(&port->count.tx_packets, 1);
		count(&port->count.tx_bytes, len);
		env_pkt_free(env, in[i]);
	}
}
