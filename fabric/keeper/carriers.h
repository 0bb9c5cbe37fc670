/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link state of the devices that adapters stand on, as the host reports it: the engine shows it to all who share the adapter. */
#ifndef FABRIC_KEEPER_CARRIERS_H
#define FABRIC_KEEPER_CARRIERS_H

#include "fabric/keeper/keeper.h"

/* Listens from now on, once; before the first device is opened, so that no change is missed. => 0, or -errno with `why`. */
int osadevs_watch(struct keeper *k, struct fault *why);
void osadevs_unwatch(struct keeper *k);
/* Tells an engine that has just been given a configuration. */
void osadevs_tell_carriers(struct keeper *k);

#endif
