/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROUTING_TCP_SYN_H
#define ROUTING_TCP_SYN_H

#include "fabric/base/env.h"
#include "routing/router.h"

struct tcp_syn {
	uint32_t src, dst;     /* network byte order */
	uint16_t sport, dport; /* host byte order */
	uint32_t seq;
};

/* A SYN of router `r` without options, for ORIGIN_OUTPUT: whoever answers is there. => NULL: no
 * buffer. */
struct pkt *tcp_syn_new(struct env *env, const struct router *r, const struct tcp_syn *s);

#endif
