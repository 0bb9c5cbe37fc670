/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROUTING_SOURCE_H
#define ROUTING_SOURCE_H

#include "routing/router.h"

/*
 * As router_source(), but never a source VIPA: for what only concerns the link itself, such as
 * ARP.
 */
struct ip_addr router_link_source(
	const struct router *r, const struct iface *out, const struct ip_addr *nexthop);

#endif
