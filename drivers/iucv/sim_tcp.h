/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TCP of a simulated guest: answers made from the packet alone. */
#ifndef DRIVERS_IUCV_SIM_TCP_H
#define DRIVERS_IUCV_SIM_TCP_H

#include "fabric/base/env.h"

enum { SIM_PORT_ECHO = 7, SIM_PORT_DISCARD = 9 };

/* Turns a parsed IPv4 TCP segment into its answer, in place; the addresses are swapped already, the
 * total length and both checksums follow. `mss` is what the answer to a SYN offers. => false: there
 * is no answer to this one; it is still the caller's. */
bool sim_tcp_answer(struct env *env, struct pkt *p, uint16_t mss);

/* Shortens a packet to its first `len` bytes, which lie in its first segment, and corrects the
 * length in its IPv4 header. */
void sim_shorten(struct env *env, struct pkt *p, uint32_t len);

#endif
