/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/osadev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static int
bind_to(int fd, unsigned ifindex)
{
	struct sockaddr_ll where = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)ifindex};
	struct packet_mreq all = {.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};
	int on = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		return -errno;
	return 0;
}

int
osadev_open(const char *osa, const char *device, struct fault *why)
{
	unsigned ifindex = if_nametoindex(device);
	int fd, rc;

	if (ifindex == 0)
		return fault_set(
			why, -ENODEV, "adapter %s: there is no network device %s", osa, device);
	/* Protocol 0 receives nothing until bind() says from where. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fault_set(why, -errno,
			"adapter %s: using the device %s needs root (CAP_NET_RAW): %s", osa, device,
			strerror(errno));
	rc = bind_to(fd, ifindex);
	if (rc < 0) {
		close(fd);
		return fault_set(why, rc, "adapter %s: cannot use the device %s: %s", osa, device,
			strerror(-rc));
	}
	return fd;
}

bool
osadev_running(const char *device)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool running;

	if (fd < 0)
		return true; /* the first report will tell */
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	running = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	close(fd);
	return running;
}
