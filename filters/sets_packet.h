/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets do with sets, for the match "set" and the target "SET". Under the slow-way lock. */
#ifndef FILTERS_SETS_PACKET_H
#define FILTERS_SETS_PACKET_H

#include "filters/set_options.h"
#include "filters/sets.h"

/*
 * True when the packet is in the set, with the counters as asked for; they count it unless
 * IPSET_FLAG_SKIP_COUNTER_UPDATE says not to. IPSET_FLAG_RETURN_NOMATCH: true only for a nomatch element.
 */
bool set_packet_test(struct filter_ctx *c, struct set *s, const struct set_match_options *o);
/* `timeout`: s, or SET_TIMEOUT_NONE. A set that has no room stays as it is. */
void set_packet_add(
	struct filter_ctx *c, struct set *s, const struct set_option *o, bool exist, uint32_t timeout);
void set_packet_del(struct filter_ctx *c, struct set *s, const struct set_option *o);

#endif
