/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One adapter for tests, with three sharers, all online and none of them a router:
 *
 *	port NETWORK_PORT ── osa0, MAC 02:00:00:00:00:99 ──┬─ p/eth0  slot 0, port 100
 *	                                                   ├─ s/eth0  slot 1, port 101
 *	                                                   └─ g/eth0  slot 2, port 102
 */
#ifndef TESTS_UNIT_SUPPORT_ADAPTERS_H
#define TESTS_UNIT_SUPPORT_ADAPTERS_H

#include "drivers/osa/adapter.h"
#include "tests/unit/support/walkers.h"

enum { P, S, G, TEST_SHARERS };
enum { NETWORK_PORT = 9, FIRST_SHARER_PORT = 100 };

struct test_adapter {
	struct test_walker tw;
	struct adapter *a;
	struct adapter *slots[1];
	struct adapter_settings set;
	struct tunables tunables;
	struct sharer *sharers[TEST_SHARERS];
};

void test_adapter_init(struct test_adapter *t, uint64_t seed);
/* => segments that nobody freed. */
unsigned test_adapter_fini(struct test_adapter *t);
/* Takes over what was changed in t->set and t->tunables. */
void test_adapter_set(struct test_adapter *t);
/* Makes sharer `i` a router, whose sources are not checked. */
void test_sharer_router(struct test_adapter *t, int i, bool router);
/* => what sharer_add() says; *code is the port's. */
int test_add(struct test_adapter *t, int i, const char *addr, enum osa_entry kind, uint16_t *code);
int test_del(struct test_adapter *t, int i, const char *addr, enum osa_entry kind);
/* => adapter_role() for IPv4; *code is the port's. */
int test_role(struct test_adapter *t, int i, enum osa_role role, uint16_t *code);
void test_online(struct test_adapter *t, int i, bool online);
/* The sharer that has the address, or -1. */
int test_owner(const struct test_adapter *t, const char *addr);

#endif
