/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where incomplete datagrams are kept: by key in a hash table with a seed of its own, and by age
 * in a list. Memory is what the buffers take, not what their fragments say; it is counted here,
 * and the oldest datagrams go when there is too much of it.
 */
#include "routing/reasm_store.h"

#include <errno.h>
#include <stdlib.h>

struct reasm *
reasm_new(struct router_live *live)
{
	struct reasm *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->live = live;
	TAILQ_INIT(&r->ages);
	return r;
}

static uint32_t
mix(uint32_t h, uint32_t v)
{
	h = (h ^ v) * 0x9e3779b1u;
	return h ^ h >> 15;
}

static struct datagram **
bucket_of(struct reasm *r, const struct reasm_key *k)
{
	uint32_t h = mix(mix(mix(r->seed, k->src), k->dst),
		(uint32_t)k->id << 16 | (uint32_t)k->proto << 8 | k->user);

	return &r->buckets[h % REASM_BUCKETS];
}

static struct source **
find_source(struct reasm *r, uint32_t src)
{
	struct source **at = &r->sources[mix(r->seed, src) % REASM_BUCKETS];

	while (*at && (*at)->src != src)
		at = &(*at)->next;
	return at;
}

static struct source *
source_get(struct reasm *r, uint32_t src)
{
	struct source **at = find_source(r, src);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return NULL;
		(*at)->src = src;
	}
	(*at)->users++;
	return *at;
}

static void
source_put(struct reasm *r, struct source *s)
{
	struct source **at = find_source(r, s->src);

	if (--s->users > 0)
		return;
	*at = s->next;
	free(s);
}

static uint32_t
memory_of(const struct pkt *p)
{
	const struct rte_mbuf *m;
	uint32_t sum = 0;

	for (m = pkt_mbuf(p); m; m = m->next)
		sum += (uint32_t)(sizeof(*m) + sizeof(*p)) + m->buf_len;
	return sum;
}

static void
charge(struct datagram *d, uint32_t memory)
{
	d->memory += memory;
	d->reasm->memory += memory;
}

static void
release(struct datagram *d, uint32_t memory)
{
	d->memory -= memory;
	d->reasm->memory -= memory;
}

void
datagram_charge(struct datagram *d, const struct pkt *p)
{
	charge(d, memory_of(p));
}

struct pkt *
datagram_pop(struct datagram *d)
{
	struct pkt *p = STAILQ_FIRST(&d->fragments);

	if (!p)
		return NULL;
	STAILQ_REMOVE_HEAD(&d->fragments, queue);
	if (p == d->last)
		d->last = NULL;
	release(d, memory_of(p));
	return p;
}

void
datagram_empty(struct datagram *d, struct env *env, enum drop_reason why)
{
	struct pkt *p;

	while ((p = datagram_pop(d)))
		pkt_drop(env, &d->reasm->live->drops, p, why);
	d->len = d->have = 0;
	d->largest = d->largest_df = 0;
	d->ecn = 0;
	d->end_known = false;
}

void
datagram_end(struct datagram *d, struct env *env, enum drop_reason why)
{
	struct reasm *r = d->reasm;
	struct datagram **at = bucket_of(r, &d->key);

	datagram_empty(d, env, why);
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	TAILQ_REMOVE(&r->ages, d, age);
	timer_cancel(env->timers, &d->timer);
	release(d, sizeof(*d));
	r->n--;
	source_put(r, d->source);
	free(d);
}

void
reasm_free(struct reasm *r, struct env *env)
{
	struct datagram *d;

	if (!r)
		return;
	while ((d = TAILQ_FIRST(&r->ages)))
		datagram_end(d, env, DROP_IFACE_GONE);
	free(r);
}

static struct datagram *
find_datagram(struct reasm *r, const struct reasm_key *k)
{
	struct datagram *d = *bucket_of(r, k);

	while (d && memcmp(&d->key, k, sizeof(*k)) != 0)
		d = d->next;
	return d;
}

static struct datagram *
new_datagram(struct reasm *r, struct env *env, const struct tunables *t, const struct reasm_key *k)
{
	struct datagram *d = calloc(1, sizeof(*d)), **at;

	if (!d)
		return NULL;
	d->source = source_get(r, k->src);
	d->timer.fire = datagram_on_timeout;
	if (!d->source ||
		timer_arm(env->timers, &d->timer, env->now + tune_ns(t, TUNE_IPFRAG_TIME)) < 0) {
		if (d->source)
			source_put(r, d->source);
		free(d);
		return NULL;
	}
	d->reasm = r;
	d->key = *k;
	STAILQ_INIT(&d->fragments);
	at = bucket_of(r, k);
	d->next = *at;
	*at = d;
	TAILQ_INSERT_TAIL(&r->ages, d, age);
	charge(d, sizeof(*d));
	r->n++;
	return d;
}

/* => false: there is no room for `more` bytes, even alone. */
static bool
make_room(struct reasm *r, struct env *env, const struct tunables *t, size_t more)
{
	size_t limit = (size_t)tune(t, TUNE_IPFRAG_HIGH_THRESH);

	while (r->memory + more > limit && !TAILQ_EMPTY(&r->ages))
		datagram_end(TAILQ_FIRST(&r->ages), env, DROP_REASM_MEMORY);
	return r->memory + more <= limit;
}

struct datagram *
datagram_get(struct reasm *r, struct env *env, const struct tunables *t, enum reasm_user user,
	const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	struct reasm_key k = {.src = ip->saddr,
		.dst = ip->daddr,
		.id = ip->id,
		.proto = ip->protocol,
		.user = (uint8_t)user};
	struct datagram *d;

	if (!r->seed)
		r->seed = env_random(env) | 1;
	if (!make_room(r, env, t, sizeof(*d) + memory_of(p)))
		return NULL;
	d = find_datagram(r, &k);
	return d ? d : new_datagram(r, env, t, &k);
}

void
reasm_usage(const struct reasm *r, size_t *datagrams, size_t *bytes)
{
	*datagrams = r->n;
	*bytes = r->memory;
}
