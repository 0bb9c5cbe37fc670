/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly of IPv4 fragments (RFC 791, RFC 815), with Linux' rules: overlap drops the datagram and what comes of it
 * later (net/ipv4/ip_fragment.c, RFC 5722), exact duplicates are ignored, memory of a router is bounded, the largest fragment is remembered.
 */
#ifndef ROUTING_REASM_H
#define ROUTING_REASM_H

#include "fabric/base/env.h"
#include "routing/router.h"

/* Who asks: datagrams of different users never mix. */
enum reasm_user { REASM_LOCAL, REASM_CONNTRACK_IN, REASM_CONNTRACK_OUT };

struct reasm *reasm_new(struct router_live *live);
void reasm_free(struct reasm *r, struct env *env); /* drops what waits, as interface-gone */

/*
 * Takes a parsed fragment. => the whole datagram, a chain, parsed, with PKT_REASSEMBLED and frag_max, `in` of its last-come fragment,
 * to the caller; or NULL: it waits or was dropped by name. On timeout: ICMP time exceeded, code 1, if the first fragment is there
 * and the user is REASM_LOCAL.
 */
struct pkt *reasm_input(struct reasm *r, struct env *env, enum reasm_user user, struct pkt *p);
/* Fragments waiting now and the bytes they hold. */
void reasm_usage(const struct reasm *r, size_t *datagrams, size_t *bytes);

/*
 * Cuts a parsed IPv4 packet (no super-packet) into fragments of at most `mtu` bytes, in order, onto `out`. Takes the packet. The offset
 * and flags of a packet that is a fragment itself carry on; options are copied as RFC 791 says; a partial checksum is
 * completed first. When frag_max of `p` is smaller than `mtu` it is the limit (as ip_do_fragment does for what was defragmented).
 * => DROP_NONE, or the reason it was dropped for (counted in r->live->drops).
 */
enum drop_reason frag_output(struct env *env, const struct router *r, struct pkt *p, uint32_t mtu, struct pkt_queue *out);

#endif
