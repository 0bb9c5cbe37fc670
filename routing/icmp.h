/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP of a router (RFC 792, RFC 1812 sections 4.3 and 5.2.7, rate limits as Linux net/ipv4/icmp.c). */
#ifndef ROUTING_ICMP_H
#define ROUTING_ICMP_H

#include "fabric/base/env.h"
#include "routing/router.h"

/* Rate limits of one router: a bucket for all, and one for each destination. => NULL with errno ENOMEM. */
struct icmp_limit *icmp_limit_new(void);
void icmp_limit_free(struct icmp_limit *l);

/*
 * Makes an ICMP error about `p` (borrowed: parsed, data at its IP header) and emits it (ORIGIN_OUTPUT) from router `r`, unless RFC 1812
 * 4.3.2.7 forbids it (about ICMP errors, later fragments, broadcasts and multicasts of either layer, sources that are no single
 * host) or a limit is reached (counted as icmp-rate). Quotes as much as Linux does: IP packet of at most 576 bytes in all.
 * Source: the destination of `p` when it is local here, else chosen by the route back (as Linux with icmp_errors_use_inbound_ifaddr 0).
 * `mtu`: host byte order, for fragmentation needed; else 0. `p` may be AF_INET6: nothing is sent yet.
 */
void icmp_error(struct env *env, const struct router *r, const struct pkt *p, uint8_t type, uint8_t code, uint32_t mtu);

enum icmp_answer {
	ICMP_TAKEN, /* answered or dropped: the packet is gone */
	ICMP_LISTEN,/* an echo reply or an error, checked: someone local may wait for it; still the caller's */
};

/*
 * An ICMP packet for this router, whole and parsed. Wrong checksum, too short: dropped by name. Echo: answered from the
 * address it was sent to (not for broadcasts), in place where possible, TTL icmp_echo_ttl, emitted as ORIGIN_OUTPUT. Timestamp likewise.
 */
enum icmp_answer icmp_input(struct env *env, const struct router *r, struct pkt *p);

/*
 * An echo request from `src` to `dst` with `size` bytes after the ICMP header (at most 65507), as a chain if need be, for ORIGIN_OUTPUT.
 * => NULL: no buffer. `id`, `seq` host byte order. `df`: do not fragment.
 */
struct pkt *icmp_echo_new(struct env *env, const struct router *r, struct ip_addr src, struct ip_addr dst, uint8_t ttl, uint16_t id,
		uint16_t seq, uint16_t size, bool df);

#endif
