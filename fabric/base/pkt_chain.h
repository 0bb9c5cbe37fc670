/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of packets that lie in several segments. Offsets count from the start of the packet's
 * data.
 */
#ifndef FABRIC_BASE_PKT_CHAIN_H
#define FABRIC_BASE_PKT_CHAIN_H

#include "fabric/base/pkt.h"

struct env;

/*
 * Adds the `len` bytes from `off` on, as 16-bit words that start there, to `sum` (csum.h). What
 * lies past the end counts nothing.
 */
uint64_t pkt_chain_sum(const struct pkt *p, uint32_t off, uint32_t len, uint64_t sum);
/* Copies `len` bytes from `off` on. => the number copied: fewer when the packet ends before. */
uint32_t pkt_chain_read(const struct pkt *p, uint32_t off, void *to, uint32_t len);
/*
 * Cuts the packet to its first `len` bytes, at most its length. Segments that become empty stay
 * in the chain.
 */
void pkt_chain_trim(struct pkt *p, uint32_t len);
/*
 * Takes `tail`, whose descriptor is meaningless from now on, and hangs its segments behind those
 * of `p`.
 */
void pkt_chain_append(struct pkt *p, struct pkt *tail);
/*
 * Appends `len` bytes of `from` from `off` on as new segments, each of one env_pkt_new(). They
 * are there. => 0, or -ENOBUFS: then `p` may be longer than before.
 */
int pkt_chain_append_copy(
	struct env *env, struct pkt *p, const struct pkt *from, uint32_t off, uint32_t len);
/*
 * Makes the first `len` bytes (at most 1920 and the length of the packet) contiguous; `p` is
 * taken, and the same packet, perhaps with another first segment, comes back. => NULL, and `p`
 * untouched: no buffer.
 */
struct pkt *pkt_chain_pullup(struct env *env, struct pkt *p, uint32_t len);
/*
 * Replaces `len` bytes from `off` on, which are there, by `n` others (at most 1920). What lies before
 * `off` stays where it is. => 0, or -ENOBUFS: then nothing has changed.
 */
int pkt_chain_replace(
	struct env *env, struct pkt *p, uint32_t off, uint32_t len, const void *text, uint32_t n);

#endif
