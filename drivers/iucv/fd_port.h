/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What TUN, TAP and AF_PACKET ports share: packets with a virtio-net header through a descriptor,
 * one system call each. */
#ifndef DRIVERS_IUCV_FD_PORT_H
#define DRIVERS_IUCV_FD_PORT_H

#include "drivers/port.h"

#include <sys/uio.h>

struct fd_port;

/* How a kind of descriptor moves one packet: as readv(2), writev(2); never waits. read may answer
 * -ENOTSUP as errno ENOTSUP for a packet that it took off the queue and that is not carried. */
struct fd_io {
	ssize_t (*read)(int fd, struct iovec *iov, int n);
	ssize_t (*write)(int fd, const struct iovec *iov, int n);
	uint8_t vnet; /* bytes of the virtio-net header */
};

struct fd_port {
	struct port port;
	const struct fd_io *io;
	struct port_pools pools;
};

/* Takes `fd`. => NULL with errno; then `fd` is still the caller's. */
struct fd_port *fd_port_new(const char *name, int fd, bool frames, uint32_t mtu, const struct port_pools *pools,
		const struct port_ops *ops, const struct fd_io *io);
uint16_t fd_port_rx(struct port *port, struct env *env, struct pkt **out, uint16_t n);
void fd_port_tx(struct port *port, struct env *env, struct pkt **in, uint16_t n);
void fd_port_close(struct port *port);

#endif
