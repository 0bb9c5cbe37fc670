/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One router for tests:
 *
 *	lo     1  127.0.0.1/8
 *	eth0   2  10.0.0.1/24, 10.0.9.1/24, on a LAN        default route by 10.0.0.254
 *	eth1   3  10.1.0.1/24, on a LAN, mtu 1400
 *	iucv0  4  192.168.1.1, peer 192.168.1.2             172.16.0.0/16 by it
 *	dummy0 5  192.0.2.1/32
 */
#ifndef TESTS_UNIT_SUPPORT_ROUTERS_H
#define TESTS_UNIT_SUPPORT_ROUTERS_H

#include "routing/router.h"
#include "tests/unit/support/packets.h"

enum { TEST_LO = 1, TEST_ETH0, TEST_ETH1, TEST_IUCV0, TEST_DUMMY0, TEST_IFACES };

struct test_router {
	struct router r;
	struct router_live live;
	struct iface ifaces[TEST_IFACES];
	struct iface_live lives[TEST_IFACES];
	struct iface_addr addrs[TEST_IFACES][2];
	struct iface *slots[TEST_IFACES];
};

/* With neighbour tables, reassembly and limits. */
void test_router_init(struct test_router *t);
void test_router_fini(struct test_router *t, struct test_env *env);
struct ip_addr test_addr(const char *text);
struct ip_prefix test_prefix(const char *text);
/* Number of drops of all reasons. */
uint64_t test_drops(const struct test_router *t);

#endif
