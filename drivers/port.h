/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port: where packets enter or leave the engine. One ops struct a kind of port; the engine knows nothing else of it.
 *
 * Life: made by the control thread (tun_port_new, packet_port_new, ethdev_port_new, sim_port_new, null_port_new), given to the
 * engine, polled by one worker, sent to under the slow-way lock, taken away from the workers (grace period), then closed.
 */
#ifndef DRIVERS_PORT_H
#define DRIVERS_PORT_H

#include "fabric/base/env.h"
#include "routing/iface.h"

#include <rte_mempool.h>

struct port;

struct port_ops {
	const char *kind; /* "tun", "tap", "packet", "ethdev", "simulated", "null" */
	/*
	 * Up to `n` packets that are there now; never waits. Each has its data at the Ethernet header (frames == true, l2_len set) or at
	 * the IP header, and its offload fields; it is not parsed. Malformed ones are dropped by name into env->drops. A packet whose
	 * buffers do not suffice is dropped by name too, never kept.
	 */
	uint16_t (*rx)(struct port *p, struct env *env, struct pkt **out, uint16_t n);
	/* Takes all `n`; what the device refuses is dropped by name (port-full, port-error) and counted in p->count.tx_drops. Segments and
	 * completes checksums where the device cannot. */
	void (*tx)(struct port *p, struct env *env, struct pkt **in, uint16_t n);
	/* Tells the far side whether the link is up. NULL: cannot. => 0 or -errno. */
	int (*set_carrier)(struct port *p, bool up);
	/* Closes descriptors and frees. No worker uses it any more. */
	void (*close)(struct port *p);
};

struct port {
	const struct port_ops *ops;
	char name[40];    /* "tux0mstr/iucv0", "osa0" */
	int fd;           /* becomes readable when there is something to receive; -1: none */
	bool frames;      /* Ethernet frames; false: IP packets */
	bool polled;      /* no fd: rx must be called again and again (ethdev) */
	bool gone;        /* the device behind it went away: rx gives nothing any more; stop waiting for its fd */
	uint32_t slot;    /* the engine's */
	uint32_t mtu;     /* largest IP packet */
	struct mac_addr mac; /* of the device, where it has one */
	struct counters count;
	/* The engine's: called by tx of a port without fd when rx has something now (simulated guests). */
	void (*ready)(struct port *p, void *arg);
	void *ready_arg;
};

/* Buffers for ports that receive from descriptors: `small` has PORT_SMALL bytes of data room after PKT_HEADROOM, `large` PORT_LARGE. Every mbuf has
 * a private area of sizeof(struct pkt). */
enum { PORT_SMALL = 1920, PORT_LARGE = 32768 };

struct port_pools {
	struct rte_mempool *small, *large;
};

/*
 * A TUN (frames false) or TAP (true) descriptor, made with IFF_NO_PI | IFF_VNET_HDR and a 12-byte virtio-net header, non-blocking.
 * Takes the descriptor. => NULL with errno.
 */
struct port *tun_port_new(const char *name, int fd, bool frames, uint32_t mtu, const struct port_pools *pools);
/* An AF_PACKET socket with PACKET_VNET_HDR, bound. Takes the descriptor. */
struct port *packet_port_new(const char *name, int fd, uint32_t mtu, const struct port_pools *pools);
/* A DPDK device by its devargs ("net_pcap0,rx_pcap=a,tx_pcap=b"): attached, configured with one queue pair, started. => NULL with errno, and a
 * sentence in `why`. */
struct port *ethdev_port_new(const char *name, const char *devargs, uint32_t mtu, const struct port_pools *pools, char *why, size_t size);
/* Swallows everything, gives nothing; counts. For tests and benchmarks. */
struct port *null_port_new(const char *name, bool frames, uint32_t mtu);

struct sim_guest {
	char name[40];
	struct ip_addr addrs[4]; /* answers for these; [0] is the address of its link */
	size_t n_addrs;
	bool frames; /* on a LAN: has a MAC address and answers ARP */
	struct mac_addr mac;
	uint32_t mtu;
};

/*
 * A guest inside the process: answers ARP for its addresses, ICMP echo, UDP echo on port 7, and a TCP-like exchange on ports 7 (echo) and 9 (discard): SYN ->
 * SYN-ACK, data acknowledged (and echoed), FIN -> FIN-ACK; without memory of connections, from the packet alone. To other UDP ports it
 * answers port unreachable, to other TCP ports RST. Everything is answered within the burst: tx puts the answer where rx finds it.
 */
struct port *sim_port_new(const struct sim_guest *g);

#endif
