/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile packets against everything that reads a parsed packet. An input is a sequence of
 *
 *	how u8, length u16, mtu u16, [offload 9 bytes], [segment sizes 3 bytes], data
 *
 * little endian; `how` says what is done with the data before and where it goes. One router sees
 * all packets of an input, so that fragments meet, neighbours answer, and timers fire.
 */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "routing/icmp.h"
#include "routing/neigh_table.h"
#include "routing/reasm.h"
#include "tests/unit/support/routers.h"

#include <limits.h>
#include <stdlib.h>

enum how {
	FIX_IP = 1,   /* the header checksum is made right */
	FIX_ICMP = 2, /* that of ICMP, too */
	AS_ARP = 4,
	AS_CONNTRACK = 8, /* user of the reassembly */
	WITH_OFFLOAD = 16,
	RESOLVE = 32, /* what is left goes to a neighbour */
	LATER = 64,   /* time passes afterwards */
	IN_SEGMENTS = 128,
};

struct cursor {
	const uint8_t *at;
	size_t left;
};

struct input {
	uint8_t how;
	uint16_t len, mtu;
	uint8_t offload[9], sizes[3];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
take(struct cursor *c, void *to, size_t n)
{
	if (c->left < n)
		return false;
	memcpy(to, c->at, n);
	c->at += n;
	c->left -= n;
	return true;
}

static bool
read_input(struct cursor *c, struct input *in)
{
	memset(in, 0, sizeof(*in));
	if (!take(c, &in->how, 1) || !take(c, &in->len, 2) || !take(c, &in->mtu, 2))
		return false;
	if (in->how & WITH_OFFLOAD && !take(c, in->offload, sizeof(in->offload)))
		return false;
	if (in->how & IN_SEGMENTS && !take(c, in->sizes, sizeof(in->sizes)))
		return false;
	in->len = (uint16_t)RTE_MIN((size_t)in->len, c->left);
	return true;
}

static void
fix_icmp(uint8_t *data, size_t len)
{
	size_t header = (data[0] & 15u) * 4;
	uint16_t sum = 0;

	if (data[9] != IPPROTO_ICMP || header + 8 > len)
		return;
	memcpy(data + header + 2, &sum, 2);
	sum = (uint16_t)~csum_fold(csum_add(0, data + header, len - header));
	memcpy(data + header + 2, &sum, 2);
}

static void
fix_ip(uint8_t *data, size_t len)
{
	size_t header = (data[0] & 15u) * 4;
	uint16_t sum = 0;

	if (header > len)
		return;
	memcpy(data + 10, &sum, 2);
	sum = (uint16_t)~csum_fold(csum_add(0, data, header));
	memcpy(data + 10, &sum, 2);
}

static struct pkt *
make_packet(struct test_env *env, struct test_router *t, struct cursor *c, const struct input *in)
{
	const size_t sizes[] = {in->sizes[0], in->sizes[1], in->sizes[2]};
	uint8_t *data = malloc(in->len + 1u);
	struct pkt *p;

	if (!data || !take(c, data, in->len))
		abort();
	if (in->how & FIX_ICMP && in->len >= 20)
		fix_icmp(data, in->len);
	if (in->how & FIX_IP && in->len >= 20)
		fix_ip(data, in->len);
	p = test_chain(env, data, in->len, sizes, in->how & IN_SEGMENTS ? 3 : 0);
	free(data);
	p->router = &t->r;
	p->in = &t->ifaces[TEST_ETH0];
	if (in->how & WITH_OFFLOAD) {
		p->gso_type = in->offload[0];
		memcpy(&p->gso_size, in->offload + 1, 2);
		memcpy(&p->csum_start, in->offload + 3, 2);
		memcpy(&p->csum_offset, in->offload + 5, 2);
		memcpy(&p->flags, in->offload + 7, 2);
		p->flags &= PKT_BROADCAST | PKT_MULTICAST | PKT_CSUM_PARTIAL | PKT_CSUM_VALID;
	}
	return p;
}

/* Cuts a copy, and feeds the parts to reassembly. */
static void
cut_and_join(struct test_env *env, struct test_router *t, const struct pkt *p, uint32_t mtu)
{
	struct pkt_queue parts = STAILQ_HEAD_INITIALIZER(parts);
	struct pkt *copy = env_pkt_copy(&env->env, p), *whole;

	if (frag_output(&env->env, &t->r, copy, mtu, &parts) != DROP_NONE)
		return;
	while ((copy = STAILQ_FIRST(&parts))) {
		STAILQ_REMOVE_HEAD(&parts, queue);
		if (pkt_parse(copy) != DROP_NONE || pkt_len(copy) > RTE_MAX(mtu, pkt_len(p)))
			abort();
		if (!(copy->flags & PKT_FRAGMENT)) {
			test_pkt_free(env, copy);
			continue;
		}
		whole = reasm_input(t->live.reasm, &env->env, REASM_CONNTRACK_OUT, copy);
		if (whole)
			test_pkt_free(env, whole);
	}
}

static void
resolve(struct test_env *env, struct test_router *t, struct pkt *p)
{
	struct recorder recorder = {0};
	struct mac_addr mac;

	p->recorder = &recorder;
	p->out = &t->ifaces[TEST_ETH0];
	p->nexthop = ip4(pkt_ip4(p)->daddr);
	if (neigh_resolve(t->lives[TEST_ETH0].neigh, &env->env, p->out, p, &mac) == NEIGH_READY)
		test_pkt_free(env, p);
}

static void
take_ip4(struct test_env *env, struct test_router *t, struct pkt *p, const struct input *in)
{
	icmp_error(&env->env, &t->r, p, in->mtu % 13, (uint8_t)(in->mtu >> 8), in->mtu);
	if (p->flags & PKT_FRAGMENT)
		p = reasm_input(t->live.reasm, &env->env,
			in->how & AS_CONNTRACK ? REASM_CONNTRACK_IN : REASM_LOCAL, p);
	if (!p)
		return;
	if (pkt_parse(p) != DROP_NONE)
		abort();
	if (!pkt_is_gso(p))
		cut_and_join(env, t, p, in->mtu);
	if (in->how & RESOLVE)
		resolve(env, t, p);
	else if (p->proto != IPPROTO_ICMP || pkt_is_gso(p) ||
		 icmp_input(&env->env, &t->r, p) == ICMP_LISTEN)
		test_pkt_free(env, p);
}

static void
take_ip(struct test_env *env, struct test_router *t, struct pkt *p, const struct input *in)
{
	struct pkt *copy;

	if (pkt_parse(p) != DROP_NONE) {
		test_pkt_free(env, p);
		return;
	}
	if (p->l3_len + p->l4_len > pkt_head_len(p) || pkt_segments(p) == 0 ||
		pkt_segment_len(p) == 0)
		abort();
	pkt_l4_checksum_ok(p);
	copy = env_pkt_copy(&env->env, p);
	pkt_checksum_complete(copy);
	test_pkt_free(env, copy);
	if (p->family == AF_INET)
		take_ip4(env, t, p, in);
	else
		test_pkt_free(env, p);
}

/* So little of everything that short inputs reach its end. */
static void
make_scarce(struct test_router *t)
{
	t->r.tunables.value[TUNE_ARP_QUEUE] = 2;
	t->r.tunables.value[TUNE_ARP_TABLE] = 3;
	t->r.tunables.value[TUNE_IPFRAG_HIGH_THRESH] = 8000;
	t->r.tunables.value[TUNE_IPFRAG_MAX_DIST] = 4;
	t->ifaces[TEST_ETH0].proxy_arp = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, size};
	struct test_router t;
	struct test_env env;
	struct input in;

	test_env_init(&env, 1);
	test_router_init(&t);
	make_scarce(&t);
	t.lives[TEST_ETH0].neigh->conflict_logged = true;
	while (read_input(&c, &in)) {
		struct pkt *p = make_packet(&env, &t, &c, &in);

		env.allocs_left = in.mtu == 0xffff ? in.len % 4 : UINT_MAX;
		if (in.how & AS_ARP)
			arp_input(&env.env, &t.r, &t.ifaces[TEST_ETH0], p);
		else
			take_ip(&env, &t, p, &in);
		if (in.how & LATER)
			test_pass(&env, in.mtu * TEST_MS);
	}
	test_router_fini(&t, &env);
	if (test_env_fini(&env) != 0)
		abort();
	return 0;
}
