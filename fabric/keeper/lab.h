/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The namespaces around the whole lab of an ordinary user. */
#ifndef FABRIC_KEEPER_LAB_H
#define FABRIC_KEEPER_LAB_H

#include "fabric/keeper/fault.h"

#include <stdbool.h>

/*
 * Puts the calling process, which must have one thread, in new user, mount and network namespaces
 * where it is root. A range of user ids is mapped when the user has one (/etc/subuid,
 * newuidmap(1)), else its own id only, with *one_id set. => 0, or -errno with `why`.
 */
int lab_enter(bool *one_id, struct fault *why);

#endif
