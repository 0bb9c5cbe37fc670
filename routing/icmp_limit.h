/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May a router send one more ICMP error? Private to icmp. */
#ifndef ROUTING_ICMP_LIMIT_H
#define ROUTING_ICMP_LIMIT_H

#include "fabric/base/env.h"
#include "fabric/base/tunable.h"

struct icmp_limit;

/*
 * True when type and code are limited at all: Linux' icmp_ratemask 6168, fragmentation needed
 * never.
 */
bool icmp_limit_applies(uint8_t type, uint8_t code);
/* Is there credit for all destinations together? Takes none. */
bool icmp_limit_any(struct icmp_limit *l, const struct tunables *t, uint64_t now);
/* Takes a token of the bucket of `dst` (network byte order), if it has one. */
bool icmp_limit_destination(
	struct icmp_limit *l, const struct tunables *t, uint64_t now, uint32_t dst);
/* An error that icmp_limit_any() let through is sent. */
void icmp_limit_sent(struct icmp_limit *l, struct env *env);

#endif
