/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/packets.h"

#include "fabric/base/csum.h"
#include "filters/conntrack.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BUFFER_MAX = 65535 };

static struct test_env *
of(struct env *env)
{
	return (struct test_env *)env;
}

static struct rte_mbuf *
segment_new(struct test_env *t, size_t len)
{
	size_t size = RTE_ALIGN_CEIL(sizeof(struct rte_mbuf) + sizeof(struct pkt), 64);
	struct rte_mbuf *m = aligned_alloc(64, size);

	assert(m && len <= BUFFER_MAX - PKT_HEADROOM);
	memset(m, 0, size);
	m->buf_addr = malloc(PKT_HEADROOM + len);
	assert(m->buf_addr);
	memset(m->buf_addr, 0xa5, PKT_HEADROOM + len);
	m->buf_len = (uint16_t)(PKT_HEADROOM + len);
	m->data_off = PKT_HEADROOM;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->priv_size = sizeof(struct pkt);
	m->nb_segs = 1;
	m->refcnt = 1;
	t->segments++;
	return m;
}

static struct pkt *
env_new(struct env *env, uint32_t len)
{
	struct test_env *t = of(env);

	assert(len <= 1920);
	if (t->allocs_left == 0)
		return NULL;
	if (t->allocs_left != UINT_MAX)
		t->allocs_left--;
	return pkt_of(segment_new(t, len));
}

static struct pkt *
env_copy(struct env *env, const struct pkt *p)
{
	const struct rte_mbuf *m = pkt_mbuf(p);
	struct rte_mbuf *head = NULL, **at = &head;

	for (; m; m = m->next) {
		/* headers are read as words, so they lie as before */
		size_t shift = (uintptr_t)rte_pktmbuf_mtod(m, void *) % 4;

		*at = segment_new(of(env), m->data_len + shift);
		(*at)->data_off = (uint16_t)((*at)->data_off + shift);
		(*at)->data_len = m->data_len;
		memcpy(rte_pktmbuf_mtod(*at, void *), rte_pktmbuf_mtod(m, void *), m->data_len);
		at = &(*at)->next;
	}
	head->pkt_len = pkt_len(p);
	head->nb_segs = pkt_mbuf(p)->nb_segs;
	*pkt_of(head) = *p;
	pkt_of(head)->recorder = NULL;
	return pkt_of(head);
}

static void
env_free(struct env *env, struct pkt *p)
{
	test_pkt_free(of(env), p);
}

static void
env_emit_later(struct env *env, struct pkt *p, enum pkt_origin origin)
{
	p->origin = (uint8_t)origin;
	STAILQ_INSERT_TAIL(&of(env)->emitted, p, queue);
}

static const struct env_ops ops = {
	.pkt_new = env_new,
	.pkt_copy = env_copy,
	.pkt_free = env_free,
	.emit = env_emit_later,
	.attach = conntrack_attach,
	.hold = conntrack_hold,
	.untrack = conntrack_untrack,
};

void
test_env_init(struct test_env *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->env = (struct env){
		.now = 1000 * TEST_SECOND,
		.ops = &ops,
		.timers = &t->timers,
		.epoch = &t->epoch,
		.random = seed | 1,
	};
	t->allocs_left = UINT_MAX;
	timers_init(&t->timers);
	STAILQ_INIT(&t->emitted);
}

unsigned
test_env_fini(struct test_env *t)
{
	struct pkt *p;

	while ((p = test_next(t, NULL)))
		test_pkt_free(t, p);
	timers_fini(&t->timers);
	return t->segments;
}

uint64_t
test_seed(void)
{
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;

	printf("TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed | 1;
}

void
test_pkt_free(struct test_env *t, struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p), *next;

	for (; m; m = next) {
		next = m->next;
		free(m->buf_addr);
		free(m);
		t->segments--;
	}
}

struct pkt *
test_chain(struct test_env *t, const void *data, size_t len, const size_t *sizes, size_t n)
{
	struct rte_mbuf *head = NULL, **at = &head;
	size_t i, done = 0;

	for (i = 0; i <= n && (done < len || i == 0); i++) {
		size_t part = i < n ? RTE_MIN(sizes[i], len - done) : len - done;

		*at = segment_new(t, part);
		if (part)
			memcpy(rte_pktmbuf_mtod(*at, void *), (const uint8_t *)data + done, part);
		done += part;
		at = &(*at)->next;
	}
	head->pkt_len = (uint32_t)len;
	head->nb_segs = (uint16_t)i;
	return pkt_of(head);
}

struct pkt *
test_pkt(struct test_env *t, const void *data, size_t len)
{
	return test_chain(t, data, len, NULL, 0);
}

struct pkt *
test_next(struct test_env *t, enum pkt_origin *origin)
{
	struct pkt *p = STAILQ_FIRST(&t->emitted);

	if (!p)
		return NULL;
	STAILQ_REMOVE_HEAD(&t->emitted, queue);
	if (origin)
		*origin = (enum pkt_origin)p->origin;
	return p;
}

void
test_pass(struct test_env *t, uint64_t ns)
{
	uint64_t end = t->env.now + ns, next;

	while ((next = timers_next(&t->timers)) <= end) {
		if (next > t->env.now)
			t->env.now = next;
		timers_run(&t->timers, &t->env, 1);
	}
	t->env.now = end;
}

void
test_fix_ip(uint8_t *packet)
{
	struct iphdr *ip = (struct iphdr *)packet;

	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

size_t
test_ip4(uint8_t *buf, const struct test_ip *t, uint8_t proto, const void *payload, size_t len)
{
	struct iphdr *ip = (struct iphdr *)buf;
	size_t header = sizeof(*ip) + t->options_len;

	memmove(buf + header, payload, len);
	memset(ip, 0, sizeof(*ip));
	if (t->options_len)
		memcpy(ip + 1, t->options, t->options_len);
	ip->version = 4;
	ip->ihl = (unsigned)(header / 4) & 15;
	ip->tos = t->tos;
	ip->tot_len = htons((uint16_t)(header + len));
	ip->id = htons(t->id);
	ip->frag_off = htons(t->frag_off);
	ip->ttl = t->ttl ? t->ttl : 64;
	ip->protocol = proto;
	ip->saddr = inet_addr(t->src);
	ip->daddr = inet_addr(t->dst);
	test_fix_ip(buf);
	return header + len;
}

static void
count_up(uint8_t *to, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		to[i] = (uint8_t)i;
}

static uint16_t
l4_checksum(const struct test_ip *t, uint8_t proto, const void *l4, size_t len)
{
	uint64_t pseudo = csum_pseudo4(inet_addr(t->src), inet_addr(t->dst), proto, (uint16_t)len);

	return (uint16_t)~csum_fold(csum_add(proto == IPPROTO_ICMP ? 0 : pseudo, l4, len));
}

size_t
test_udp(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport, size_t len)
{
	uint8_t *l4 = buf + sizeof(struct iphdr) + ip->options_len;
	struct udphdr *u = (struct udphdr *)l4;
	size_t all = sizeof(*u) + len;

	*u = (struct udphdr){
		.source = htons(sport), .dest = htons(dport), .len = htons((uint16_t)all)};
	count_up(l4 + sizeof(*u), len);
	u->check = l4_checksum(ip, IPPROTO_UDP, l4, all);
	return test_ip4(buf, ip, IPPROTO_UDP, l4, all);
}

size_t
test_tcp(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport, size_t len)
{
	uint8_t *l4 = buf + sizeof(struct iphdr) + ip->options_len;
	struct tcphdr *h = (struct tcphdr *)l4;
	size_t all = sizeof(*h) + len;

	*h = (struct tcphdr){
		.source = htons(sport), .dest = htons(dport), .doff = 5, .ack = 1, .seq = htonl(1)};
	count_up(l4 + sizeof(*h), len);
	h->check = l4_checksum(ip, IPPROTO_TCP, l4, all);
	return test_ip4(buf, ip, IPPROTO_TCP, l4, all);
}

size_t
test_icmp(uint8_t *buf, const struct test_ip *ip, uint8_t type, uint8_t code, uint16_t id,
	uint16_t seq, size_t len)
{
	uint8_t *l4 = buf + sizeof(struct iphdr) + ip->options_len;
	struct icmphdr *h = (struct icmphdr *)l4;
	size_t all = sizeof(*h) + len;

	*h = (struct icmphdr){.type = type, .code = code, .un.echo = {htons(id), htons(seq)}};
	count_up(l4 + sizeof(*h), len);
	h->checksum = l4_checksum(ip, IPPROTO_ICMP, l4, all);
	return test_ip4(buf, ip, IPPROTO_ICMP, l4, all);
}
