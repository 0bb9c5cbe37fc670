/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hosts file of all guests: every node's names and addresses. */
#ifndef FABRIC_KEEPER_HOSTS_H
#define FABRIC_KEEPER_HOSTS_H

#include "fabric/control/config.h"

/*
 * The user id in lower case stands for the node's VIPA if it has one, else for its first address;
 * USERID-INTERFACE for each address of an interface. => text to free() with its length, or NULL
 * with errno.
 */
char *hosts_text(const struct config *c, size_t *len);

#endif
