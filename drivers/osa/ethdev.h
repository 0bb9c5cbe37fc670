/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the ethdev port: the device, and how packets are fitted to what it can. */
#ifndef DRIVERS_OSA_ETHDEV_H
#define DRIVERS_OSA_ETHDEV_H

#include "drivers/port.h"

struct ethdev {
	struct port port;
	struct port_pools pools;
	uint16_t id;       /* the ethdev's */
	uint64_t offloads; /* RTE_ETH_TX_OFFLOAD_* that it was configured with */
};

/* The transmit offloads that we use where a device has them. */
uint64_t ethdev_tx_offloads(void);
/* port_ops.tx */
void ethdev_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n);

#endif
