/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TUN and TAP devices with a virtio-net header (linux/if_tun.h,
 * Documentation/networking/tuntap.rst). */
#ifndef FABRIC_KEEPER_TUNDEV_H
#define FABRIC_KEEPER_TUNDEV_H

#include "fabric/keeper/fault.h"

enum tundev_kind {
	TUNDEV_IP, /* packets without a link header, as an IUCV or CTC interface carries them */
	TUNDEV_ETHERNET, /* Ethernet frames */
};

/* True when devices can be made here; else `why` says what is missing. */
int tundev_usable(struct fault *why);
/*
 * Makes the device `name` in the network namespace of the caller. It is there until
 * tundev_remove(), or until its namespace ends: closing the descriptor alone costs nothing then,
 * while the last close of a device that is not persistent waits for an RCU grace period, each for
 * itself, before the dying process can be reaped. The kernel removes all devices of all dying
 * namespaces at once. The descriptor is non-blocking and close-on-exec.
 * => the descriptor with *ifindex set, or -errno with `why`.
 */
int tundev_open(const char *name, enum tundev_kind kind, unsigned *ifindex, struct fault *why);
/* Closes the descriptor; the device goes with the last copy of it. */
void tundev_remove(int fd);

#endif
