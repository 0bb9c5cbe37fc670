/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/tundev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char clone_device[] = "/dev/net/tun";

enum {
	VNET_HEADER = 12, /* struct virtio_net_hdr_mrg_rxbuf */
	OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
};

static int
open_clone_device(struct fault *why)
{
	int fd = open(clone_device, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return fault_set(why, -errno,
			"%s is missing: this kernel has no TUN devices (is the "
			"module tun loaded?)",
			clone_device);
	return fault_set(why, -errno, "cannot open %s: %s", clone_device, strerror(errno));
}

int
tundev_usable(struct fault *why)
{
	int fd = open_clone_device(why);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int
refused(const char *name, struct fault *why)
{
	switch (errno) {
	case EBUSY:
	case EEXIST:
		return fault_set(why, -errno, "the device name %s is taken already", name);
	case EPERM:
		return fault_set(why, -errno, "not permitted to make the device %s", name);
	default:
		return fault_set(
			why, -errno, "cannot make the device %s: %s", name, strerror(errno));
	}
}

int
tundev_open(const char *name, enum tundev_kind kind, unsigned *ifindex, struct fault *why)
{
	struct ifreq ifr = {
		.ifr_flags = (kind == TUNDEV_IP ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR};
	int header = VNET_HEADER;
	int fd = open_clone_device(why);
	int rc;

	if (fd < 0)
		return fd;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
		ioctl(fd, TUNSETOFFLOAD, OFFLOADS) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0) {
		rc = refused(name, why);
		close(fd);
		return rc;
	}
	*ifindex = if_nametoindex(name);
	return fd;
}

void
tundev_remove(int fd)
{
	ioctl(fd, TUNSETPERSIST, 0);
	close(fd);
}
