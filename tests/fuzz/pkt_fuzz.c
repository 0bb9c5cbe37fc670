/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile packets against everything that reads a parsed packet. An input is a sequence of
 *
 *	how u8, length u16, mtu u16, [offload 9 bytes], [segment sizes 3 bytes], data
 *
 * little endian; `how` says what is done with the data before and where it goes. One router sees
 * all packets of an input, so that fragments meet, neighbours answer, and timers fire. With both
 * AS_ARP and RESOLVE the data is a struct own: what the router does of itself.
 */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/base/segment.h"
#include "routing/icmp.h"
#include "routing/neigh_table.h"
#include "routing/reasm.h"
#include "routing/tcp_reset.h"
#include "tests/unit/support/routers.h"

#include <limits.h>
#include <stdlib.h>

enum how {
	FIX_IP = 1,   /* the header checksum is made right */
	FIX_ICMP = 2, /* that of ICMP, too */
	AS_ARP = 4,
	AS_CONNTRACK = 8, /* user of the reassembly; firewall's reset; Ethernet before */
	WITH_OFFLOAD = 16,
	RESOLVE = 32, /* what is left goes to a neighbour */
	LATER = 64,   /* time passes afterwards */
	IN_SEGMENTS = 128,
	OWN = AS_ARP | RESOLVE,
};

enum own_kind { OWN_ECHO, OWN_NEIGHBOURS, OWN_FLUSH, OWN_LIMITS, OWN_GONE, OWN_KINDS };

struct own {
	uint8_t kind, n; /* of neighbours, or the TTL */
	uint16_t id, seq, size;
	uint32_t src, dst;
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
check(bool good)
{
	if (!good)
		abort();
}

/* What is read of a chain is what is read of its bytes in one piece. */
static void
check_chain(struct test_env *env, const struct pkt *p, const struct input *in)
{
	const uint32_t len = pkt_len(p), from = in->mtu % (len + 1), n = len - from;
	struct pkt *copy = env_pkt_copy(&env->env, p), *pulled;
	uint8_t *flat = malloc(2u * len + 1);

	check(copy && flat && pkt_chain_read(p, 0, flat, len + 1) == len);
	check(csum_fold(pkt_chain_sum(p, from, n, 0)) == csum_fold(csum_add(0, flat + from, n)));
	env->allocs_left = in->mtu % 5 ? UINT_MAX : in->len % 3;
	if (pkt_chain_append_copy(&env->env, copy, p, from, n) == 0) {
		check(pkt_len(copy) == len + n);
		pulled = pkt_chain_pullup(&env->env, copy, RTE_MIN(len + n, 1920u - in->mtu % 7));
		copy = pulled ? pulled : copy;
		check(pkt_chain_read(copy, len, flat + len, n) == n);
		check(memcmp(flat + from, flat + len, n) == 0);
	}
	env->allocs_left = UINT_MAX;
	pkt_chain_trim(copy, from);
	check(pkt_len(copy) == from && pkt_chain_read(copy, 0, flat, len) == from);
	test_pkt_free(env, copy);
	free(flat);
}

/* Cuts a copy as its offload says, or as it may not. */
static void
cut_super(struct test_env *env, const struct pkt *p, const struct input *in)
{
	struct pkt_queue out = STAILQ_HEAD_INITIALIZER(out);
	const unsigned l2 = in->how & AS_CONNTRACK ? 14 : 0;
	struct pkt *s;
	unsigned n;

	env->allocs_left = in->mtu % 5 ? UINT_MAX : in->len % 8;
	s = env_pkt_copy(&env->env, p);
	n = s ? pkt_segment(&env->env, s, l2, in->mtu & 1, &out) : 0;
	env->allocs_left = UINT_MAX;
	for (; (s = STAILQ_FIRST(&out)); n--) {
		STAILQ_REMOVE_HEAD(&out, queue);
		check(!pkt_is_gso(s) && pkt_len(s) <= pkt_len(p));
		test_pkt_free(env, s);
	}
	check(n == 0);
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
	if (in->how & AS_CONNTRACK)
		tcp_reject(&env->env, &t->r, p);
	else
		tcp_reset(&env->env, &t->r, p);
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

/* Asks for our own world: what comes back is an echo request as if it came in, or NULL. */
static struct pkt *
echo(struct test_env *env, struct test_router *t, const struct own *o)
{
	struct pkt *p = icmp_echo_new(&env->env, &t->r, ip4(o->src), ip4(o->dst), o->n, o->id,
		o->seq, o->size, o->kind & 128);

	if (!p)
		return NULL;
	check(pkt_len(p) == 28u + o->size && p->proto == IPPROTO_ICMP && pkt_l4_checksum_ok(p));
	p->in = &t->ifaces[TEST_ETH0];
	return p;
}

static void
list_neighbours(struct neigh_table *n, const struct tunables *tunables, size_t max)
{
	struct neigh_info *list = calloc(max + 1, sizeof(*list));
	size_t there;

	check(list != NULL);
	there = neigh_list(n, list, max);
	check(there == n->n && there <= (size_t)tune(tunables, TUNE_ARP_TABLE));
	for (size_t i = 0; i < RTE_MIN(there, max); i++)
		check(neigh_version(n, &list[i].addr) && neigh_state_name(list[i].state));
	free(list);
}

/* A packet each for many neighbours. */
static void
neighbours(struct test_env *env, struct test_router *t, const struct own *o)
{
	struct iface *out = &t->ifaces[TEST_ETH0];
	struct recorder recorder = {0};
	struct mac_addr mac;
	struct pkt *p;

	for (unsigned i = 0; i < o->n; i++) {
		p = icmp_echo_new(&env->env, &t->r, ip4(o->src), ip4(o->dst), 64, o->id, o->seq,
			o->size % 64, false);
		if (!p)
			break;
		p->recorder = &recorder;
		p->in = o->kind & 128 ? &t->ifaces[TEST_ETH1] : NULL;
		p->out = out;
		p->nexthop = ip4(o->dst + htonl(i));
		if (neigh_resolve(out->live->neigh, &env->env, out, p, &mac) == NEIGH_READY)
			test_pkt_free(env, p);
	}
	list_neighbours(out->live->neigh, &t->r.tunables, o->id % 128);
}

static void
take_own(struct test_env *env, struct test_router *t, struct cursor *c, const struct input *in)
{
	struct pkt *p;
	struct own o;

	if (!take(c, &o, sizeof(o)))
		return;
	switch ((enum own_kind)((o.kind & 127) % OWN_KINDS)) {
	case OWN_ECHO:
		p = echo(env, t, &o);
		if (p)
			take_ip(env, t, p, in);
		break;
	case OWN_NEIGHBOURS:
		neighbours(env, t, &o);
		break;
	case OWN_FLUSH:
		neigh_flush(t->lives[TEST_ETH0].neigh, &env->env);
		break;
	case OWN_LIMITS:
		t->r.tunables.value[TUNE_ARP_QUEUE] = 1 + o.id % 4;
		t->r.tunables.value[TUNE_ARP_TABLE] =
			RTE_MAX(1 + o.size % 128u, t->lives[TEST_ETH0].neigh->n);
		break;
	case OWN_GONE:
	case OWN_KINDS:
		t->live.now = t->live.now ? NULL : &t->r;
		break;
	}
}

static void
take_packet(struct test_env *env, struct test_router *t, struct cursor *c, const struct input *in)
{
	struct pkt *p = make_packet(env, t, c, in);

	check_chain(env, p, in);
	if (in->how & WITH_OFFLOAD)
		cut_super(env, p, in);
	env->allocs_left = in->mtu == 0xffff ? in->len % 4 : UINT_MAX;
	if (in->how & AS_ARP)
		arp_input(&env->env, &t->r, &t->ifaces[TEST_ETH0], p);
	else
		take_ip(env, t, p, in);
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
		env.allocs_left = in.mtu == 0xffff ? in.len % 4 : UINT_MAX;
		if ((in.how & OWN) == OWN)
			take_own(&env, &t, &c, &in);
		else
			take_packet(&env, &t, &c, &in);
		if (in.how & LATER)
			test_pass(&env, in.mtu * TEST_MS);
	}
	test_router_fini(&t, &env);
	if (test_env_fini(&env) != 0)
		abort();
	return 0;
}
