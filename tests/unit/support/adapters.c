/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/adapters.h"

#include "tests/unit/support/routers.h"

#include <assert.h>
#include <stdlib.h>

static const char *const names[] = {"p/eth0", "s/eth0", "g/eth0"};

static void
set_target(struct test_adapter *t, int i, bool router)
{
	struct sharer_settings set = {
		.target = {ATTACH_PORT, (uint32_t)(FIRST_SHARER_PORT + i), 0},
		.mac = {{2, 0, 0, 0, 1, (uint8_t)i}},
		.router = router,
	};

	sharer_set(t->sharers[i], &set);
	adapter_update(t->a, &t->tw.w.env, t->sharers[i]);
}

void
test_adapter_init(struct test_adapter *t, uint64_t seed)
{
	struct attach network = {ATTACH_PORT, NETWORK_PORT, 0};

	memset(t, 0, sizeof(*t));
	test_walker_init(&t->tw, seed);
	t->a = adapter_new("osa0");
	assert(t->a && adapter_reserve(t->a, TEST_SHARERS) == 0);
	t->slots[0] = t->a;
	t->tw.fabric.adapters = t->slots;
	t->tw.fabric.n_adapters = 1;
	t->set.layer = 3;
	t->set.secondaries = 1;
	t->set.mac = (struct mac_addr){{2, 0, 0, 0, 0, 0x99}};
	t->set.mtu = 65535;
	tunables_init(&t->tunables);
	t->tunables.value[TUNE_OSA_PROBE_TIME] = 0;
	test_adapter_set(t);
	adapter_connect(t->a, &t->tw.w.env, &network);
	for (int i = 0; i < TEST_SHARERS; i++) {
		t->sharers[i] = sharer_new(names[i]);
		assert(t->sharers[i]);
		adapter_join(t->a, &t->tw.w.env, t->sharers[i], (uint16_t)i);
		set_target(t, i, false);
		test_online(t, i, true);
	}
}

unsigned
test_adapter_fini(struct test_adapter *t)
{
	for (int i = 0; i < TEST_SHARERS; i++) {
		if (t->sharers[i]->adapter)
			adapter_leave(t->a, &t->tw.w.env, t->sharers[i]);
		sharer_free(t->sharers[i]);
	}
	adapter_end(t->a, &t->tw.w.env);
	adapter_free(t->a);
	return test_walker_fini(&t->tw);
}

void
test_adapter_set(struct test_adapter *t)
{
	adapter_set(t->a, &t->tw.w.env, &t->set, &t->tunables);
}

void
test_sharer_router(struct test_adapter *t, int i, bool router)
{
	set_target(t, i, router);
}

int
test_add(struct test_adapter *t, int i, const char *addr, enum osa_entry kind, uint16_t *code)
{
	struct ip_addr a = test_addr(addr);
	struct osa_answer answer;
	int rc = sharer_add(t->sharers[i], &t->tw.w.env, &a, kind, &answer);

	if (code)
		*code = answer.code;
	return rc;
}

int
test_del(struct test_adapter *t, int i, const char *addr, enum osa_entry kind)
{
	struct ip_addr a = test_addr(addr);

	return sharer_del(t->sharers[i], &t->tw.w.env, &a, kind);
}

int
test_role(struct test_adapter *t, int i, enum osa_role role, uint16_t *code)
{
	struct osa_answer answer;
	int rc = adapter_role(t->a, &t->tw.w.env, t->sharers[i], OSA_IPV4, role, &answer);

	if (code)
		*code = answer.code;
	return rc;
}

void
test_online(struct test_adapter *t, int i, bool online)
{
	sharer_online(t->sharers[i], &t->tw.w.env, online);
}

int
test_owner(const struct test_adapter *t, const char *addr)
{
	struct ip_addr a = test_addr(addr);
	uint16_t owner = oat_lookup(t->a->oat, &a);

	return owner == SHARER_NONE ? -1 : owner;
}
