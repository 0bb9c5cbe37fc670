/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The choice of a worker, and what is known of workers.
 *
 * A balanced connection is nothing but one whose destination a rule would have translated; only who
 * chooses differs. It names its worker, so that the worker's connections are counted, and so that
 * they end when the worker is found dead: their next packets begin anew, with another worker.
 *
 * What is known of a worker is found again over changes of the configuration by the service's and
 * its own address. One that is no longer configured gets no new connections, and is forgotten with
 * its last one.
 *
 * By hash, each worker has a weight for the client, and the heaviest one that is up gets it
 * (rendezvous hashing: Thaler, Ravishankar): a worker that goes or comes moves its own clients only.
 */
#include "nat/balance.h"

#include "filters/live.h"
#include "nat/balance_live.h"
#include "nat/state.h"

#include <errno.h>
#include <stdlib.h>

void
balance_free(struct balance *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < b->n; i++)
		free(b->services[i].workers);
	free(b->services);
	free(b);
}

static struct balance_live *
live_at(const struct balance_lives *l, uint16_t id)
{
	return l && l->at && id ? l->at[id] : NULL;
}

void
balance_lives_fini(struct balance_lives *l, struct env *env)
{
	uint16_t i;

	timer_cancel(env->timers, &l->sweep);
	for (i = 1; i < l->used; i++) {
		if (l->at[i])
			timer_cancel(env->timers, &l->at[i]->timer);
		free(l->at[i]);
	}
	free(l->at);
}

static void
forget_worker(struct balance_lives *l, struct balance_live *w)
{
	if (w->configured || w->connections > 0)
		return;
	l->at[w->id] = NULL;
	free(w);
}

void
balance_forget(struct balance_lives *l, const struct conn *c)
{
	struct balance_live *w = live_at(l, c->worker);

	if (!w)
		return;
	w->connections--;
	forget_worker(l, w);
}

static bool
same_key(const struct balance_key *a, const struct balance_key *b)
{
	return a->service == b->service && a->worker == b->worker &&
	       a->service_port == b->service_port && a->worker_port == b->worker_port &&
	       a->protocol == b->protocol;
}

static struct balance_key
key_of(const struct balance_service *s, const struct balance_worker *w)
{
	return (struct balance_key){s->address, w->address, s->port, w->port, s->protocol};
}

/* => NULL: no room, or no memory. */
static struct balance_live *
new_worker(struct balance_lives *l, const struct balance_key *key)
{
	struct balance_live *w;
	uint16_t id = 1;

	if (!l->at)
		l->at = calloc(BALANCE_LIVE_MAX, sizeof(*l->at));
	while (l->at && id < l->used && l->at[id])
		id++;
	w = l->at && id < BALANCE_LIVE_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w)
		return NULL;
	w->key = *key;
	w->id = id;
	w->up = true;
	w->ct = l->ct;
	l->at[id] = w;
	l->used = RTE_MAX(l->used, (uint16_t)(id + 1));
	return w;
}

static struct balance_live *
find_worker(struct balance_lives *l, const struct balance_key *key)
{
	uint16_t i;

	for (i = 1; i < l->used; i++)
		if (l->at[i] && same_key(&l->at[i]->key, key))
			return l->at[i];
	return new_worker(l, key);
}

static bool
same_check(const struct balance_live *w, const struct balance_service *s, uint16_t port)
{
	return w->kind == s->check.kind && w->check_port == port &&
	       w->interval == s->check.interval && w->fail == s->check.fail &&
	       w->rise == s->check.rise;
}

static void
configure(struct env *env, struct balance_live *w, const struct balance_service *s)
{
	uint16_t port = s->check.port ? s->check.port : w->key.worker_port;

	w->configured = true;
	if (same_check(w, s, port) && (w->kind == BALANCE_CHECK_NONE || timer_armed(&w->timer)))
		return;
	w->kind = s->check.kind;
	w->check_port = port;
	w->interval = s->check.interval;
	w->fail = s->check.fail;
	w->rise = s->check.rise;
	w->asked = false;
	w->streak = 0;
	if (w->kind == BALANCE_CHECK_NONE)
		w->up = true;
	balance_check_start(env, w);
}

static int
adopt_service(struct env *env, struct balance_lives *l, const struct balance_service *s)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < s->n_workers; i++) {
		struct balance_key key = key_of(s, &s->workers[i]);
		struct balance_live *w = find_worker(l, &key);

		s->workers[i].live = w ? w->id : 0;
		if (w)
			configure(env, w, s);
		else
			rc = -ENOMEM;
	}
	return rc;
}

int
balance_adopt(struct env *env, const struct router *r)
{
	struct conntrack *ct = r->live->filters->conntrack;
	struct balance_lives *l = ct && r->balance ? balance_lives_get(ct) : ct ? balance_lives(ct) : NULL;
	size_t i;
	int rc = 0;

	if (!l)
		return r->balance ? -ENOMEM : 0;
	l->ct = ct;
	for (i = 1; i < l->used; i++)
		if (l->at[i])
			l->at[i]->configured = false;
	for (i = 0; r->balance && i < r->balance->n; i++)
		if (adopt_service(env, l, &r->balance->services[i]) < 0)
			rc = -ENOMEM;
	for (i = 1; i < l->used; i++)
		if (l->at[i] && !l->at[i]->configured) {
			balance_check_stop(env, l->at[i]);
			forget_worker(l, l->at[i]);
		}
	return rc;
}

/* ---- choosing ---- */

static const struct balance_service *
find_service(const struct balance *b, const struct conn *c)
{
	const struct ct_tuple *t = &c->tuple[CT_DIR_ORIGINAL];
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->services[i].address == t->dst.v4 && htons(b->services[i].port) == t->dport &&
			b->services[i].protocol == t->proto)
			return &b->services[i];
	return NULL;
}

/* The finalizer of MurmurHash3 (Appleby, public domain). */
static uint64_t
weight(uint32_t client, const struct balance_worker *w)
{
	uint64_t h = (uint64_t)client << 32 ^ w->address ^ (uint64_t)w->port << 16;

	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

static const struct balance_worker *
by_hash(const struct balance_lives *l, const struct balance_service *s, uint32_t client)
{
	const struct balance_worker *best = NULL;
	size_t i;

	for (i = 0; i < s->n_workers; i++) {
		const struct balance_worker *w = &s->workers[i];
		const struct balance_live *live = live_at(l, w->live);

		if (live && live->up && (!best || weight(client, w) > weight(client, best)))
			best = w;
	}
	return best;
}

/* Of equals the one that had the fewest ever, so that a quiet service takes turns. */
static bool
is_less_loaded(const struct balance_live *a, const struct balance_live *b)
{
	return a->connections != b->connections ? a->connections < b->connections
						 : a->total < b->total;
}

static const struct balance_worker *
by_load(const struct balance_lives *l, const struct balance_service *s)
{
	const struct balance_live *least = NULL;
	const struct balance_worker *best = NULL;
	size_t i;

	for (i = 0; i < s->n_workers; i++) {
		const struct balance_live *live = live_at(l, s->workers[i].live);

		if (!live || !live->up || (least && !is_less_loaded(live, least)))
			continue;
		least = live;
		best = &s->workers[i];
	}
	return best;
}

enum filter_verdict
balance_bind(struct env *env, const struct router *r, const struct pkt *p, struct conn *c,
	enum drop_reason *why)
{
	struct conntrack *ct = r->live->filters->conntrack;
	const struct balance_service *s = r->balance ? find_service(r->balance, c) : NULL;
	struct balance_lives *l = balance_lives(ct);
	const struct balance_worker *w;
	struct balance_live *live;
	struct nat_range range = {.flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED};
	enum filter_verdict v;

	if (!s)
		return FILTER_CONTINUE;
	w = s->method == BALANCE_LEAST ? by_load(l, s) : by_hash(l, s, pkt_ip4(p)->saddr);
	if (!w) {
		*why = DROP_NAT_WORKERS;
		return FILTER_DROP;
	}
	range.min_addr = range.max_addr = w->address;
	range.min_port = range.max_port = w->port;
	v = nat_setup(env, ct, c, &range, NAT_DST, why);
	live = live_at(l, w->live);
	if (v == FILTER_ACCEPT && !c->worker) {
		c->worker = w->live;
		live->connections++;
		live->total++;
	}
	return v;
}

bool
balance_is_dead(const struct conntrack *ct, const struct conn *c)
{
	const struct balance_live *w = c->worker ? live_at(balance_lives(ct), c->worker) : NULL;

	return w && w->configured && !w->up;
}

void
balance_look(const struct router *r, const struct balance_service *s,
	const struct balance_worker *w, struct balance_state *out)
{
	const struct conntrack *ct = r->live->filters->conntrack;
	const struct balance_live *live = ct ? live_at(balance_lives(ct), w->live) : NULL;

	*out = (struct balance_state){
		.service = s, .worker = w, .checked = s->check.kind != BALANCE_CHECK_NONE};
	if (!live)
		return;
	out->up = live->up;
	out->connections = live->connections;
	out->total = live->total;
	out->since = live->since;
}
