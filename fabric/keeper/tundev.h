/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TUN and TAP devices with a virtio-net header (linux/if_tun.h, Documentation/networking/tuntap.rst). */
#ifndef FABRIC_KEEPER_TUNDEV_H
#define FABRIC_KEEPER_TUNDEV_H

#include "fabric/keeper/fault.h"

enum tundev_kind {
	TUNDEV_IP,       /* packets without a link header, as an IUCV or CTC interface carries them */
	TUNDEV_ETHERNET, /* Ethernet frames */
};

/* True when devices can be made here; else `why` says what is missing. */
int tundev_usable(struct fault *why);
/*
 * Makes the device `name` in the network namespace of the caller. It is there as long as the descriptor is
 * open in any process; the descriptor is non-blocking and close-on-exec.
 * => the descriptor with *ifindex set, or -errno with `why`.
 */
int tundev_open(const char *name, enum tundev_kind kind, unsigned *ifindex, struct fault *why);
/*
 * From now on closing the descriptor costs nothing: the device goes with its namespace, all devices of all
 * dying namespaces at once. Without it the last close of each waits for an RCU grace period.
 */
void tundev_leave_to_namespace(int fd);

#endif
