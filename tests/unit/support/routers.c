/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/routers.h"

#include "routing/icmp.h"
#include "routing/neigh.h"
#include "routing/reasm.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct ip_addr
test_addr(const char *text)
{
	struct ip_addr a;

	if (ip_parse(text, &a) < 0)
		abort();
	return a;
}

struct ip_prefix
test_prefix(const char *text)
{
	struct ip_prefix p;

	if (strcmp(text, "default") == 0)
		text = "0.0.0.0/0";
	if (prefix_parse(text, &p) < 0)
		abort();
	return p;
}

static struct iface *
set_iface(
	struct test_router *t, uint16_t slot, const char *name, enum iface_kind kind, uint32_t mtu)
{
	struct iface *i = &t->ifaces[slot];

	*i = (struct iface){
		.slot = slot,
		.kind = kind,
		.up = true,
		.point_to_point = kind == IFACE_IUCV,
		.mtu = mtu,
		.mac = {{2, 0, 0, 0, 0, (uint8_t)slot}},
		.addrs = t->addrs[slot],
		.live = &t->lives[slot],
	};
	snprintf(i->name, sizeof(i->name), "%s", name);
	t->lives[slot].carrier = true;
	t->slots[slot] = i;
	if (kind == IFACE_LAN)
		t->lives[slot].neigh = neigh_table_new(&t->live, slot);
	return i;
}

static void
add_addr(struct iface *i, const char *prefix, const char *peer)
{
	i->addrs[i->n_addrs].prefix = test_prefix(prefix);
	if (peer)
		i->addrs[i->n_addrs].peer = test_addr(peer);
	i->n_addrs++;
}

static void
add_static(struct route **routes, size_t *n, const char *to, const char *via, uint16_t oif)
{
	struct nexthop *hop = malloc(sizeof(*hop));

	*routes = realloc(*routes, (*n + 1) * sizeof(**routes));
	assert(hop && *routes);
	*hop = (struct nexthop){.via = test_addr(via), .oif = oif, .weight = 1};
	(*routes)[(*n)++] = (struct route){.to = test_prefix(to),
		.type = ROUTE_UNICAST,
		.table = TABLE_MAIN,
		.hops = hop,
		.n_hops = 1};
}

static void
make_fib(struct test_router *t)
{
	struct route *routes = NULL;
	size_t n = 0, i;

	for (i = 1; i < TEST_IFACES; i++)
		assert(routes_of_iface(&t->ifaces[i], &routes, &n) == 0);
	add_static(&routes, &n, "default", "10.0.0.254", TEST_ETH0);
	add_static(&routes, &n, "172.16.0.0/16", "192.168.1.2", TEST_IUCV0);
	assert(fib_new(routes, n, NULL, 0, t->slots, TEST_IFACES, &t->r.fib) == 0);
	routes_free(routes, n);
}

void
test_router_init(struct test_router *t)
{
	memset(t, 0, sizeof(*t));
	t->r = (struct router){.name = "test",
		.forward = true,
		.ifaces = t->slots,
		.n_ifaces = TEST_IFACES,
		.live = &t->live};
	tunables_init(&t->r.tunables);
	t->live.now = &t->r;
	t->live.reasm = reasm_new(&t->live);
	t->live.icmp = icmp_limit_new();
	add_addr(set_iface(t, TEST_LO, "lo", IFACE_LOOPBACK, 65536), "127.0.0.1/8", NULL);
	add_addr(set_iface(t, TEST_ETH0, "eth0", IFACE_LAN, 1500), "10.0.0.1/24", NULL);
	add_addr(&t->ifaces[TEST_ETH0], "10.0.9.1/24", NULL);
	add_addr(set_iface(t, TEST_ETH1, "eth1", IFACE_LAN, 1400), "10.1.0.1/24", NULL);
	add_addr(set_iface(t, TEST_IUCV0, "iucv0", IFACE_IUCV, 1492), "192.168.1.1/32",
		"192.168.1.2");
	add_addr(set_iface(t, TEST_DUMMY0, "dummy0", IFACE_DUMMY, 1500), "192.0.2.1/32", NULL);
	make_fib(t);
}

void
test_router_fini(struct test_router *t, struct test_env *env)
{
	size_t i;

	for (i = 1; i < TEST_IFACES; i++)
		neigh_table_free(t->lives[i].neigh, &env->env);
	reasm_free(t->live.reasm, &env->env);
	icmp_limit_free(t->live.icmp);
	fib_free(t->r.fib);
}

uint64_t
test_drops(const struct test_router *t)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < DROP_COUNT; i++)
		sum += t->live.drops.n[i];
	return sum;
}
