/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arrays of matches and targets, each of the file of its name; a row without name ends one. */
#ifndef FILTERS_EXTENSIONS_H
#define FILTERS_EXTENSIONS_H

#include "filters/extension.h"

extern const struct match_ops match_transport[]; /* tcp udp icmp multiport tcpmss */
extern const struct match_ops match_ip[];        /* iprange length ttl tos dscp addrtype pkttype */
extern const struct match_ops match_packet[];    /* mac mark owner comment statistic */
extern const struct match_ops match_payload[];   /* u32 string */
extern const struct match_ops match_time[];
extern const struct match_ops match_limit[];
extern const struct match_ops match_hashlimit[];
extern const struct match_ops match_recent[];
extern const struct match_ops match_conn[];      /* state conntrack connmark connbytes */
extern const struct match_ops match_connlimit[];
extern const struct match_ops match_helper[];
extern const struct match_ops match_set[];

extern const struct target_ops target_alter[];   /* MARK CONNMARK TTL TOS DSCP */
extern const struct target_ops target_tcpmss[];
extern const struct target_ops target_ct[];      /* CT NOTRACK */
extern const struct target_ops target_log[];     /* LOG NFLOG TRACE */
extern const struct target_ops target_queue[];   /* NFQUEUE */
extern const struct target_ops target_reject[];
extern const struct target_ops target_set[];
extern const struct target_ops target_nat[];     /* SNAT DNAT MASQUERADE REDIRECT NETMAP: nat/target.c */

#endif
