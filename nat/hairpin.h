/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hairpins: an inside guest reaches an inside server by its outside address. Linux needs a rule for
 * each server and each inside interface; here `hairpin: true` of a router does it, and does it only
 * where its rules (or a balanced service) lead to the server already. Under the slow-way lock.
 */
#ifndef NAT_HAIRPIN_H
#define NAT_HAIRPIN_H

#include "nat/nat.h"

/*
 * A first packet from inside to an address of the router's own: the interface that it would have
 * come in by from outside, so that rules with -i of that one can be asked too. => NULL: it came in
 * there, the address is not the router's, or hairpins are not wanted.
 */
const struct iface *nat_hairpin_outer(const struct router *r, const struct pkt *p);

/*
 * A connection whose destination was translated leaves to where its source is as well: the answers
 * would go straight there, untranslated. Then its source has to become the router's.
 */
bool nat_hairpin_applies(const struct router *r, const struct pkt *p, const struct conn *c);

#endif
