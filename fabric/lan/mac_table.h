/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_LAN_MAC_TABLE_H
#define FABRIC_LAN_MAC_TABLE_H

#include "fabric/lan/lan.h"

/* `mac` was seen at `member`. When the table is full and nothing has aged, it is not learned: its frames are flooded. `now` > 0.
 * => true: it was at another member before. */
bool mac_table_learn(struct lan_live *l, const struct mac_addr *mac, uint32_t member, uint64_t now);
/* => false: unknown, or not seen for too long. */
bool mac_table_find(const struct lan_live *l, const struct mac_addr *mac, uint64_t now, uint32_t *member);

#endif
