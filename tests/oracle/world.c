/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/world.h"

const struct world_iface world_ifaces[WORLD_IFACES] = {
	{"t0", "10.0.0.1", "10.0.0.2", 1500},
	{"t1", "192.0.2.1", "192.0.2.2", 1400},
	{"t2", "10.1.0.1", "10.1.0.2", 1500},
};

const struct world_route world_routes[WORLD_ROUTES] = {
	{"10.0.0.0/24", "t0"},
	{"10.0.8.0/21", "t0"},
	{"192.0.2.0/24", "t1"},
	{"198.51.100.0/24", "t1"},
	{"172.16.0.0/12", "t1"},
	{"10.1.0.0/16", "t2"},
	{"203.0.113.0/24", "t2"},
	{"10.66.0.0/16", "blackhole"},
	{"10.67.0.0/16", "unreachable"},
	{"10.68.0.0/16", "prohibit"},
	{"0.0.0.0/1", "t1"},
};
