/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/world.h"

#include "tests/oracle/oracle.h"

#include <string.h>

const struct world_iface world_ifaces[WORLD_IFACES] = {
	{"t0", "10.0.0.1", "10.0.0.2", 1500},
	{"t1", "192.0.2.1", "192.0.2.2", 1400},
	{"t2", "10.1.0.1", "10.1.0.2", 1500},
};

void
frame_ether(const struct frame *f, uint8_t header[ETHER_LEN])
{
	static const uint8_t to[][6] = {
		[TO_ROUTER] = {2, 0, 0, 0, 1, 0},
		[TO_BROADCAST] = {255, 255, 255, 255, 255, 255},
		[TO_MULTICAST] = {1, 0, 0x5e, 0, 0, 1},
		[TO_OTHER] = {2, 0, 0, 0, 1, 1},
	};
	const uint8_t rest[8] = {2, 0, 0, 0, 0, f->from, 0x08, 0x00};

	memcpy(header, to[f->to], 6);
	memcpy(header + 6, rest, sizeof(rest));
}

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
