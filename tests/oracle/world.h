/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both routers have: interfaces, addresses, routes. */
#ifndef TESTS_ORACLE_WORLD_H
#define TESTS_ORACLE_WORLD_H

#include <stdint.h>

struct world_iface {
	const char *name, *address, *peer;
	uint32_t mtu;
};

struct world_route {
	const char *to;
	const char *how; /* interface name, or "blackhole", "unreachable", "prohibit" */
};

enum { WORLD_IFACES = 3, WORLD_ROUTES = 11 };

/* Of the LAN interface. */
#define WORLD_MAC "02:00:00:00:01:00"

extern const struct world_iface world_ifaces[WORLD_IFACES];
extern const struct world_route world_routes[WORLD_ROUTES];

#endif
