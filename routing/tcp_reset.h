/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROUTING_TCP_RESET_H
#define ROUTING_TCP_RESET_H

#include "fabric/base/env.h"
#include "routing/router.h"

/*
 * Answers TCP segment `p` (borrowed: parsed, data at its IP header, whole) with a reset as RFC 793
 * page 36 makes it, emitted as ORIGIN_OUTPUT from router `r`, source and destination swapped.
 * Nothing is sent for a reset, a later fragment, a segment without a whole header or with a wrong
 * checksum.
 */
void tcp_reset(struct env *env, const struct router *r, const struct pkt *p);
/*
 * The same as a firewall sends it (net/ipv4/netfilter/nf_reject_ipv4.c): also for a segment whose
 * data offset is impossible, and for a first fragment; it belongs to the connection of `p`. The
 * caller has judged the checksum. => whether one was sent.
 */
bool tcp_reject(struct env *env, const struct router *r, const struct pkt *p);

#endif
