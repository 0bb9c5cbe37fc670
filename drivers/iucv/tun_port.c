/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TUN (an IUCV or CTC interface of a guest) and TAP (an Ethernet interface of a guest) ports. */
#include "drivers/iucv/fd_port.h"
#include "drivers/iucv/vnet.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static int
tun_set_carrier(struct port *port, bool up)
{
	int carrier = up;

	return ioctl(port->fd, TUNSETCARRIER, &carrier) < 0 ? -errno : 0;
}

static ssize_t
tun_read(int fd, struct iovec *iov, int n)
{
	return readv(fd, iov, n);
}

static const struct fd_io tun_io = {.read = tun_read, .write = writev, .vnet = VNET_TUN};

static const struct port_ops tun_ops = {
	.kind = "tun",
	.rx = fd_port_rx,
	.tx = fd_port_tx,
	.set_carrier = tun_set_carrier,
	.close = fd_port_close,
};

static const struct port_ops tap_ops = {
	.kind = "tap",
	.rx = fd_port_rx,
	.tx = fd_port_tx,
	.set_carrier = tun_set_carrier,
	.close = fd_port_close,
};

struct port *
tun_port_new(const char *name, int fd, bool frames, uint32_t mtu, const struct port_pools *pools)
{
	struct fd_port *f = fd_port_new(name, fd, frames, mtu, pools, frames ? &tap_ops : &tun_ops, &tun_io);
	struct ifreq r = {0};

	if (!f)
		return NULL;
	if (frames && ioctl(fd, SIOCGIFHWADDR, &r) == 0)
		memcpy(f->port.mac.b, r.ifr_hwaddr.sa_data, sizeof(f->port.mac.b));
	return &f->port;
}
