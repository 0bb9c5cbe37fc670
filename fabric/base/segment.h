/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cutting TCP super-packets, IPv4 and IPv6, where the way out cannot (as Linux
 * net/ipv4/tcp_offload.c does; RFC 9293, RFC 3168). */
#ifndef FABRIC_BASE_SEGMENT_H
#define FABRIC_BASE_SEGMENT_H

#include "fabric/base/env.h"

/*
 * Takes `p`, a TCP super-packet with a partial checksum whose IP header lies `l2` bytes behind the
 * start of its data, and appends its segments to `out`, in order: gso_size bytes of payload each,
 * the last with the rest. Sequence numbers and IPv4 ids count up; FIN and PSH are on the last only,
 * CWR on the first only. Checksums are complete, or, with `partial`, left partial. The descriptors
 * are copies of that of `p` without its offload, and what lay before the data under PKT_HAS_L2 lies
 * before each. The packet need not be parsed.
 *
 * => number of segments; 0 when `p` was dropped in env->drops: DROP_OFFLOAD (not such a packet),
 * DROP_NO_BUFFER (nothing was sent).
 */
unsigned pkt_segment(struct env *env, struct pkt *p, unsigned l2, bool partial, struct pkt_queue *out);

#endif
