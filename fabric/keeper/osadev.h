/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network devices of the host that adapters stand on: packet sockets with a virtio-net header
 * (packet(7)). */
#ifndef FABRIC_KEEPER_OSADEV_H
#define FABRIC_KEEPER_OSADEV_H

#include "fabric/keeper/fault.h"

#include <stdbool.h>

/*
 * Opens a raw packet socket bound to `device` in the namespace of the caller: all of its packets
 * (promiscuous), not those it sends itself, each with struct virtio_net_hdr in front. =>
 * descriptor, or -errno with `why`.
 */
int osadev_open(const char *osa, const char *device, struct fault *why);
/* True when the device, in the namespace of the caller, is up and has a carrier. */
bool osadev_running(const char *device);

#endif
