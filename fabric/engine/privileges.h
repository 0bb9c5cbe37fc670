/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_ENGINE_PRIVILEGES_H
#define FABRIC_ENGINE_PRIVILEGES_H

/*
 * Everything that needs rights has been opened: becomes nobody where that id exists (it does not in a lab that maps a single id),
 * and gives up every capability. => 0 or -errno.
 */
int privileges_drop(void);

#endif
