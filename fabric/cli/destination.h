/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses by the names of nodes, and names by address, from the configuration. */
#ifndef FABRIC_CLI_DESTINATION_H
#define FABRIC_CLI_DESTINATION_H

#include "fabric/control/config.h"

/*
 * An address as it stands, or that of a node: its first VIPA, else its first address. Text of at least
 * ADDR_TEXT bytes. => 0, or -ENOENT after a complaint.
 */
int destination_resolve(const struct config *cfg, const char *text, char *address);
/* The address that stands for a node, or NULL: it has none. */
const struct ip_addr *destination_of(const struct cfg_node *n);
/* The node that has this address, or NULL. */
const struct cfg_node *destination_owner(const struct config *cfg, const char *address);

#endif
