/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam for application helpers: what reads a protocol that announces further connections, has
 * them expected, and rewrites what is said of addresses where they are translated
 * (nf_conntrack_helper.c, nf_nat_helper.c).
 *
 * A helper is a file of its own, helper_NAME.c with a function helper_NAME(), and a row of
 * KNOWN_HELPERS (known.h). A connection gets one by a rule (CT --helper), or by its port as the
 * router's configuration says (struct router_helper); that is settled before it is confirmed. What a
 * helper remembers of a connection lies in the connection's struct conn_help. All of it is under
 * the slow-way lock.
 */
#ifndef FILTERS_HELPER_H
#define FILTERS_HELPER_H

#include "filters/conntrack.h"
#include "filters/known.h"

/* A packet of a connection with a helper, behind all translation of source and destination. */
struct helper_packet {
	struct env *env;
	struct conntrack *ct;
	struct pkt *p;
	struct conn *c;
	enum ct_dir dir;
	bool translate; /* the connection is translated, and what it announces is to be, too */
	const struct helper *helper;
	void *memory; /* of this helper and connection, 64 bytes, 8-aligned, zeroed at first */
};

struct helper {
	const char *name;
	uint8_t proto;
	uint16_t port;    /* its usual one, host byte order */
	uint16_t most;    /* expectations of one connection; the oldest makes place for the next */
	uint16_t timeout; /* s that one waits */
	/*
	 * Reads a whole packet of the helper's protocol that is no ICMP error: of either direction,
	 * of any state, as often as it is sent. May lengthen or shorten its payload by
	 * helper_rewrite(). => DROP_NONE, or why it cannot pass.
	 */
	enum drop_reason (*packet)(struct helper_packet *k);
};

/* Each row's function. */
#define HELPER_FUNCTION(id, ...) enum drop_reason helper_##id(struct helper_packet *k);
KNOWN_HELPERS(HELPER_FUNCTION)
#undef HELPER_FUNCTION

/* => its number, from 1; 0: there is none. `proto` 0: any. */
uint16_t helper_find(const char *name, uint8_t proto);
const struct helper *helper_at(uint16_t number);

/*
 * At PRIORITY_HELPER of POSTROUTING and INPUT: gives an unconfirmed connection its helper by port,
 * lets the helper see the packet, and moves its sequence numbers. => DROP_NONE, or why it is to be
 * dropped.
 */
enum drop_reason helper_packet(struct env *env, const struct router *r, struct pkt *p);

/* ---- for helpers ---- */

/* Has `e` expected; the limits are the helper's. => as conntrack_expect(). */
int helper_expect(struct helper_packet *k, struct ct_expected *e);
/*
 * The same for a connection that is to be translated as this one: to port e->port of the sender of
 * this packet. Tries `first` (host byte order, 0: none), then that port, then others above it. =>
 * the port under which it is expected, host byte order; 0: none could be had.
 */
uint16_t helper_expect_translated(struct helper_packet *k, struct ct_expected *e, uint16_t first);
/*
 * Replaces `len` bytes of a TCP segment's payload, from `off` on, by `n` bytes; what is behind them
 * in the connection is moved accordingly. A segment with a wrong checksum is left as it is. =>
 * DROP_NONE, DROP_HELPER_LENGTH: an IP packet cannot be so long, DROP_NO_BUFFER.
 */
enum drop_reason helper_rewrite(
	struct helper_packet *k, uint32_t off, uint32_t len, const void *text, uint32_t n);

#endif
