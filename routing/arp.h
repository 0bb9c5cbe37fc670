/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP packets (RFC 826), for whoever answers them: a router (arp.c), and the port of an adapter, which does it for its sharers. */
#ifndef ROUTING_ARP_H
#define ROUTING_ARP_H

#include "routing/neigh.h"

/* A packet that was read and found possible. */
struct arp_message {
	struct ip_addr sender, target;
	struct mac_addr sender_mac, target_mac;
	bool request;
	bool unicast; /* its frame was sent to one station */
};

/* Reads the packet at the front of the data; its flags say how it came. => DROP_NONE or DROP_ARP_MALFORMED. */
enum drop_reason arp_read(const struct pkt *p, struct arp_message *m);
/* What no node may say, seen from a station with address `self`: then not even what is known is changed by it. */
bool arp_is_senseless(const struct arp_message *m, const struct mac_addr *self);

/* Makes a packet and emits it by `out` of `r`; NULL `to`: to everyone. `m->sender_mac` is that of `out`, whatever it says. */
void arp_emit(struct env *env, const struct router *r, const struct iface *out, const struct arp_message *m, const struct mac_addr *to);
/* Answers the request `q` for `r`, by the interface it came by. */
void arp_answer(struct env *env, const struct router *r, const struct iface *in, const struct arp_message *q);

/* Who asks for us will be answered soon, so it is worth knowing. => false: the table is full, as is counted; then Linux does not answer. */
bool arp_learn_asker(struct neigh_table *t, struct env *env, const struct router *r, const struct arp_message *m);
/*
 * The sender said where it is. `announcement`: it may replace what was heard just now. => false: nobody here knows the sender.
 */
bool arp_learn_known(struct neigh_table *t, struct env *env, const struct arp_message *m, bool announcement);

#endif
