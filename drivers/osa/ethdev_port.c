/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DPDK devices as ports: a physical adapter, or a virtual one (pcap, ring, null, memif), by its
 * devargs.
 *
 * A device is attached (rte_dev_probe), configured with one queue pair and with what it has of the
 * offloads that we use, started, and set to promiscuous mode: its owner, an OSA adapter, has more
 * MAC addresses than the device. On close it is stopped, closed and detached, so that the same
 * devargs may come again.
 *
 * A device has no descriptor: it is polled. Received mbufs come from the pool of small buffers,
 * whose private area is the packet descriptor; a ring hands over the mbufs of another port of this
 * process, which are alike. Debian's DPDK holds RTE_MAX_ETHPORTS (32) devices.
 *
 * Threads: new and close by the control thread; rx and tx as drivers/port.h says (queue 0 has one
 * sender at a time).
 */
#include "drivers/osa/ethdev.h"

#include <errno.h>
#include <net/ethernet.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUEUE_SIZE = 512, RX_BURST = 64, DRAIN_BURSTS = 64 };

struct reason {
	char *text;
	size_t size;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct reason *why, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return error < 0 ? error : -EIO;
}

static void
present(bool ids[RTE_MAX_ETHPORTS])
{
	uint16_t id;

	memset(ids, 0, RTE_MAX_ETHPORTS * sizeof(ids[0]));
	RTE_ETH_FOREACH_DEV(id)
		ids[id] = true;
}

/* The EAL takes devargs that it knows already for a success. */
static bool
is_attached(const char *devargs)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t id;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	return rte_eth_dev_get_port_by_name(name, &id) == 0;
}

static const char *
attach_error(int r)
{
	switch (r) {
	case -1:
		return "its driver refuses, the log says why";
	case -EFAULT:
		return "there is no such device or driver";
	}
	return strerror(-r);
}

/* Attaches the device and finds the port that came with it. */
static int
attach(struct ethdev *dev, const char *devargs, struct reason *why)
{
	bool before[RTE_MAX_ETHPORTS], after[RTE_MAX_ETHPORTS];
	int r;

	if (rte_eth_dev_count_avail() >= RTE_MAX_ETHPORTS)
		return fail(why, -ENOSPC, "%s: all %d devices that this DPDK can hold are in use", devargs, RTE_MAX_ETHPORTS);
	if (is_attached(devargs))
		return fail(why, -EEXIST, "%s: a device of this name is in use already", devargs);
	present(before);
	r = rte_dev_probe(devargs);
	if (r < 0)
		return fail(why, r, "%s: cannot be attached: %s", devargs, attach_error(r));
	present(after);
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		if (after[id] && !before[id]) {
			dev->id = id;
			return 0;
		}
	}
	return fail(why, -ENODEV, "%s: the driver made no device", devargs);
}

/* A ring outlives its device: what waits in it would never be freed. Some devices never run dry. */
static void
drain(uint16_t id)
{
	struct rte_mbuf *m[RX_BURST];
	uint16_t n, bursts = 0;

	do {
		n = rte_eth_rx_burst(id, 0, m, RX_BURST);
		rte_pktmbuf_free_bulk(m, n);
	} while (n && ++bursts < DRAIN_BURSTS);
}

static void
detach(uint16_t id)
{
	struct rte_eth_dev_info info;
	int r = rte_eth_dev_info_get(id, &info);

	rte_eth_dev_stop(id);
	rte_eth_dev_close(id);
	if (r == 0 && info.device)
		rte_dev_remove(info.device);
}

static int
set_up_queues(struct ethdev *dev, const struct rte_eth_dev_info *info, uint64_t rx_offloads)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t n_rx = QUEUE_SIZE, n_tx = QUEUE_SIZE;
	int socket = rte_eth_dev_socket_id(dev->id), r;

	rx.offloads = rx_offloads;
	tx.offloads = dev->offloads;
	r = rte_eth_dev_adjust_nb_rx_tx_desc(dev->id, &n_rx, &n_tx);
	if (r == 0)
		r = rte_eth_rx_queue_setup(dev->id, 0, n_rx, (unsigned)socket, &rx, dev->pools.small);
	if (r == 0)
		r = rte_eth_tx_queue_setup(dev->id, 0, n_tx, (unsigned)socket, &tx);
	return r;
}

static int
configure(struct ethdev *dev, const char *devargs, struct reason *why)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = dev->port.mtu}};
	struct rte_eth_dev_info info;
	uint64_t wanted = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	int r = rte_eth_dev_info_get(dev->id, &info);

	if (r < 0)
		return fail(why, r, "%s: tells nothing of itself: %s", devargs, strerror(-r));
	if (dev->port.mtu < info.min_mtu || dev->port.mtu > info.max_mtu)
		return fail(why, -ERANGE, "%s: mtu %u, the device takes %u to %u", devargs, dev->port.mtu, info.min_mtu,
				info.max_mtu);
	if (dev->port.mtu + ETHER_HDR_LEN > PORT_SMALL)
		wanted |= RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.rxmode.offloads = wanted & info.rx_offload_capa;
	conf.txmode.offloads = dev->offloads = ethdev_tx_offloads() & info.tx_offload_capa;
	r = rte_eth_dev_configure(dev->id, 1, 1, &conf);
	if (r == 0)
		r = set_up_queues(dev, &info, conf.rxmode.offloads);
	if (r < 0)
		return fail(why, r, "%s: cannot be configured: %s", devargs, strerror(-r));
	r = rte_eth_dev_start(dev->id);
	if (r < 0)
		return fail(why, r, "%s: does not start: %s", devargs, strerror(-r));
	rte_eth_promiscuous_enable(dev->id); /* virtual devices cannot, and need not */
	return 0;
}

/* Drivers put the frame where the headroom ends, so that its IP header misses a 4-byte boundary,
 * which C asks of it, by two. */
static void
align_ip_header(struct rte_mbuf *m)
{
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned off = (unsigned)((uintptr_t)(data + ETHER_HDR_LEN) % sizeof(uint32_t));

	if (off == 0 || m->data_off < off)
		return;
	memmove(data - off, data, m->data_len);
	m->data_off = (uint16_t)(m->data_off - off);
}

static enum drop_reason
received(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	pkt_reset(p);
	p->l2_len = ETHER_HDR_LEN;
	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		p->flags |= PKT_CSUM_VALID;
	m->ol_flags = 0;
	align_ip_header(m);
	return m->data_len > ETHER_HDR_LEN ? DROP_NONE : DROP_TRUNCATED;
}

static uint16_t
ethdev_rx(struct port *port, struct env *env, struct pkt **out, uint16_t n)
{
	struct ethdev *dev = (struct ethdev *)port;
	struct rte_mbuf *m[RX_BURST];
	uint16_t got = 0, came = rte_eth_rx_burst(dev->id, 0, m, n < RX_BURST ? n : RX_BURST);

	for (uint16_t i = 0; i < came; i++) {
		enum drop_reason why = received(m[i]);

		if (why != DROP_NONE) {
			port->count.rx_drops++;
			pkt_drop(env, &env->drops, pkt_of(m[i]), why);
			continue;
		}
		port->count.rx_packets++;
		port->count.rx_bytes += m[i]->pkt_len;
		out[got++] = pkt_of(m[i]);
	}
	return got;
}

static int
ethdev_set_carrier(struct port *port, bool up)
{
	struct ethdev *dev = (struct ethdev *)port;

	return up ? rte_eth_dev_set_link_up(dev->id) : rte_eth_dev_set_link_down(dev->id);
}

static void
ethdev_close(struct port *port)
{
	struct ethdev *dev = (struct ethdev *)port;

	drain(dev->id);
	detach(dev->id);
	free(dev);
}

static const struct port_ops ethdev_ops = {
	.kind = "ethdev",
	.rx = ethdev_rx,
	.tx = ethdev_tx,
	.set_carrier = ethdev_set_carrier,
	.close = ethdev_close,
};

struct port *
ethdev_port_new(const char *name, const char *devargs, uint32_t mtu, const struct port_pools *pools, char *why, size_t size)
{
	struct reason reason = {why, size};
	struct ethdev *dev = calloc(1, sizeof(*dev));
	struct rte_ether_addr mac;
	int r;

	if (!dev) {
		errno = -fail(&reason, -ENOMEM, "%s: out of memory", devargs);
		return NULL;
	}
	dev->port = (struct port){.ops = &ethdev_ops, .fd = -1, .frames = true, .polled = true, .mtu = mtu};
	snprintf(dev->port.name, sizeof(dev->port.name), "%s", name);
	dev->pools = *pools;
	r = attach(dev, devargs, &reason);
	if (r == 0) {
		r = configure(dev, devargs, &reason);
		if (r < 0)
			detach(dev->id);
	}
	if (r < 0) {
		free(dev);
		errno = -r;
		return NULL;
	}
	if (rte_eth_macaddr_get(dev->id, &mac) == 0)
		memcpy(dev->port.mac.b, mac.addr_bytes, sizeof(dev->port.mac.b));
	return &dev->port;
}
