/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parked packets of programs.
 *
 * A queue belongs to one connection of engine.sock. Its packets are in one list in the order in
 * which they came, which is also the order in which their time ends and in which the program gets
 * them: `unsent` is the first that it has not got. Verdicts find theirs by id in a hash table. One
 * timer a queue is armed for the oldest.
 *
 * A generation, or several, may pass while a packet waits. So a parked packet has no pointers into
 * one: its router is found again through the router's live part, its interfaces by slot, and they
 * must still be the same interfaces. If the router's rules are others than those that queued it, it
 * does not go on: the table behind may be gone.
 *
 * Everything here is under the slow lock. A queue outlives its router, empty and ended, until its
 * connection closes.
 */
#include "fabric/engine/queue.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/router/stages.h"
#include "filters/ruleset.h"

#include <errno.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

enum { NUMBERS = 64, IDS = 4096, SEGMENT = 1920 };

struct parked {
	TAILQ_ENTRY(parked) in_order;
	LIST_ENTRY(parked) in_bucket;
	struct pkt *p;
	uint64_t id, expires, when;
	uint64_t serial;                   /* of the rules that queued it */
	const struct iface_live *in, *out; /* only compared */
};

struct queue {
	LIST_ENTRY(queue) entry;
	struct queues *all;
	struct router_live *live; /* NULL: gone */
	uint16_t number;
	uint32_t copy;
	int notify;
	uint64_t last_id;
	int64_t n;
	TAILQ_HEAD(, parked) waiting;
	struct parked *unsent;
	struct timer timer;
	LIST_HEAD(, parked) by_id[IDS];
	uint8_t buffer[QUEUE_DATA_MAX];
};

struct queues {
	LIST_HEAD(, queue) by_number[NUMBERS];
};

struct queues *
queues_new(void)
{
	return calloc(1, sizeof(struct queues));
}

void
queues_free(struct queues *all)
{
	free(all);
}

static struct queue *
find_queue(struct queues *all, const struct router_live *live, uint16_t number)
{
	struct queue *q;

	LIST_FOREACH (q, &all->by_number[number % NUMBERS], entry) {
		if (q->live == live && q->number == number)
			return q;
	}
	return NULL;
}

/* Takes a packet out of the queue; its record is the caller's. */
static void
take_out(struct queue *q, struct parked *k)
{
	if (q->unsent == k)
		q->unsent = TAILQ_NEXT(k, in_order);
	TAILQ_REMOVE(&q->waiting, k, in_order);
	LIST_REMOVE(k, in_bucket);
	q->n--;
}

/* Frees the record, and gives its packet a place in the present generation. *why: DROP_NONE, or
 * what of it is gone. */
static struct pkt *
unpark(const struct queue *q, struct parked *k, enum drop_reason *why)
{
	const struct router *r = q->live->now;
	struct pkt *p = k->p;

	p->router = r;
	p->in = r && p->in_slot ? router_iface(r, p->in_slot) : NULL;
	p->out = r && p->out_slot ? router_iface(r, p->out_slot) : NULL;
	if (p->in && p->in->live != k->in)
		p->in = NULL;
	if (p->out && p->out->live != k->out)
		p->out = NULL;
	*why = DROP_NONE;
	if (!r || (p->in_slot && !p->in) || (p->out_slot && !p->out))
		*why = DROP_IFACE_GONE;
	else if ((r->rules ? r->rules->serial : 0) != k->serial)
		*why = DROP_RULES_CHANGED;
	free(k);
	return p;
}

static void
lose(struct queue *q, struct env *env, struct parked *k, enum drop_reason why)
{
	enum drop_reason gone;

	take_out(q, k);
	router_drop(walker_of(env), unpark(q, k, &gone), why);
}

static void
lose_all(struct queue *q, struct env *env, enum drop_reason why)
{
	while (!TAILQ_EMPTY(&q->waiting))
		lose(q, env, TAILQ_FIRST(&q->waiting), why);
	timer_cancel(env->timers, &q->timer);
}

static void
on_timer(struct timer *t, struct env *env)
{
	struct queue *q = (struct queue *)((uint8_t *)t - offsetof(struct queue, timer));
	struct parked *k;

	while ((k = TAILQ_FIRST(&q->waiting)) && k->expires <= env->now)
		lose(q, env, k, DROP_QUEUE_TIMEOUT);
	if (k && timer_arm(env->timers, &q->timer, k->expires) < 0)
		lose_all(q, env, DROP_QUEUE_TIMEOUT); /* nothing would end their wait */
}

struct queue *
queue_open(struct queues *all, struct router_live *live, uint16_t number, uint32_t copy, int notify)
{
	struct queue *q;

	if (find_queue(all, live, number)) {
		errno = EBUSY;
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->all = all;
	q->live = live;
	q->number = number;
	q->copy = RTE_MIN(copy, (uint32_t)QUEUE_DATA_MAX);
	q->notify = notify;
	q->timer.fire = on_timer;
	TAILQ_INIT(&q->waiting);
	LIST_INSERT_HEAD(&all->by_number[number % NUMBERS], q, entry);
	return q;
}

void
queue_close(struct queue *q, struct env *env)
{
	lose_all(q, env, DROP_QUEUE_NOBODY);
	LIST_REMOVE(q, entry);
	free(q);
}

void
queue_router_gone(struct queues *all, struct env *env, const struct router_live *live)
{
	struct queue *q;

	for (unsigned i = 0; i < NUMBERS; i++) {
		LIST_FOREACH (q, &all->by_number[i], entry) {
			if (q->live != live)
				continue;
			lose_all(q, env, DROP_IFACE_GONE);
			q->live = NULL;
			eventfd_write(q->notify, 1);
		}
	}
}

bool
queue_ended(const struct queue *q)
{
	return !q->live;
}

static uint64_t
wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct parked *
park(struct queue *q, struct pkt *p, uint64_t expires)
{
	struct parked *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	*k = (struct parked){
		.p = p,
		.id = q->last_id + 1,
		.expires = expires,
		.when = wall_clock(),
		.serial = p->router->rules ? p->router->rules->serial : 0,
		.in = p->in ? p->in->live : NULL,
		.out = p->out ? p->out->live : NULL,
	};
	return k;
}

enum drop_reason
queue_take(struct queues *all, struct env *env, struct pkt *p, uint16_t number)
{
	const struct tunables *t = &p->router->tunables;
	struct queue *q = find_queue(all, p->router->live, number);
	uint64_t expires = env->now + tune_ns(t, TUNE_QUEUE_TIME);
	struct parked *k;

	if (!q)
		return DROP_QUEUE_NOBODY;
	if (q->n >= tune(t, TUNE_QUEUE_MAX))
		return DROP_QUEUE_FULL;
	k = park(q, p, expires);
	if (!k)
		return DROP_NO_BUFFER;
	if (TAILQ_EMPTY(&q->waiting) && timer_arm(env->timers, &q->timer, expires) < 0) {
		free(k);
		return DROP_NO_BUFFER;
	}
	if (!pkt_is_gso(p))
		pkt_checksum_complete(p);
	record_refuse(p->recorder, "it waited for a program's verdict");
	p->recorder = NULL;
	p->recorder = NULL;
	p->in_slot = p->in ? p->in->slot : 0;
	p->out_slot = p->out ? p->out->slot : 0;
	p->router = NULL;
	p->in = p->out = NULL;
	q->last_id++;
	q->n++;
	TAILQ_INSERT_TAIL(&q->waiting, k, in_order);
	LIST_INSERT_HEAD(&q->by_id[k->id % IDS], k, in_bucket);
	if (!q->unsent) {
		q->unsent = k;
		eventfd_write(q->notify, 1);
	}
	return DROP_NONE;
}

static void
name_of(const struct router *r, uint16_t slot, char *name, size_t size)
{
	const struct iface *i = r && slot ? router_iface(r, slot) : NULL;

	snprintf(name, size, "%s", i ? i->name : "");
}

bool
queue_next(struct queue *q, struct queue_packet *out)
{
	struct parked *k = q->unsent;
	const struct pkt *p;

	if (!k)
		return false;
	p = k->p;
	q->unsent = TAILQ_NEXT(k, in_order);
	*out = (struct queue_packet){
		.id = k->id,
		.when = k->when,
		.len = pkt_len(p),
		.mark = p->mark,
		.gso_size = pkt_is_gso(p) ? p->gso_size : 0,
		.hook = p->hook,
		.data = q->buffer,
	};
	out->caplen = pkt_chain_read(p, 0, q->buffer, RTE_MIN(q->copy, out->len));
	name_of(q->live->now, p->in_slot, out->in, sizeof(out->in));
	name_of(q->live->now, p->out_slot, out->out, sizeof(out->out));
	return true;
}

/* A packet of these bytes with nothing parsed yet. => NULL: no buffer. */
static struct pkt *
pkt_of_bytes(struct env *env, const uint8_t *data, size_t len)
{
	uint32_t n = (uint32_t)RTE_MIN(len, (size_t)SEGMENT);
	struct pkt *p = env_pkt_new(env, n), *more;

	if (!p)
		return NULL;
	memcpy(pkt_data(p), data, n);
	for (size_t at = n; at < len; at += n) {
		n = (uint32_t)RTE_MIN(len - at, (size_t)SEGMENT);
		more = env_pkt_new(env, n);
		if (!more) {
			env_pkt_free(env, p);
			return NULL;
		}
		memcpy(pkt_data(more), data + at, n);
		pkt_chain_append(p, more);
	}
	return p;
}

/* What the packet is, as opposed to what its bytes are, goes over to `to`: its place, connection
 * and frame header. */
static void
inherit(struct pkt *to, struct pkt *from)
{
	*to = *from;
	to->flags &= (uint16_t) ~(PKT_CSUM_PARTIAL | PKT_CSUM_VALID);
	to->gso_type = PKT_GSO_NONE;
	to->gso_size = 0;
	if (to->flags & PKT_HAS_L2)
		memcpy((uint8_t *)pkt_data(to) - from->l2_len,
			(uint8_t *)pkt_data(from) - from->l2_len, from->l2_len);
	from->ct = 0;
}

static void
fix_ip_checksum(struct pkt *p)
{
	struct iphdr *ip = pkt_data(p);

	if (pkt_head_len(p) < sizeof(*ip) || ip->version != 4 || ip->ihl < 5 ||
		pkt_head_len(p) < ip->ihl * 4u)
		return;
	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

/* Where the checksum of a protocol lies in its header; -1: it has none that we make. */
static int
checksum_offset(const struct pkt *p)
{
	if (p->l4_len == 0 || p->flags & PKT_FRAGMENT)
		return -1;
	switch (p->proto) {
	case IPPROTO_TCP:
		return offsetof(struct tcphdr, check);
	case IPPROTO_UDP:
		return ((const struct udphdr *)pkt_l4(p))->check
			       ? (int)offsetof(struct udphdr, check)
			       : -1;
	case IPPROTO_ICMP:
		return offsetof(struct icmphdr, checksum);
	}
	return -1;
}

/* Leaves the checksum of layer 4 unfinished. => false: it has none that we make. */
static bool
begin_checksum(struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint16_t len = (uint16_t)(pkt_len(p) - p->l3_len), sum = 0;
	int offset = checksum_offset(p);

	if (offset < 0)
		return false;
	if (p->proto != IPPROTO_ICMP)
		sum = csum_fold(csum_pseudo4(ip->saddr, ip->daddr, p->proto, len));
	memcpy((uint8_t *)pkt_l4(p) + offset, &sum, sizeof(sum));
	p->flags |= PKT_CSUM_PARTIAL;
	p->csum_start = p->l3_len;
	p->csum_offset = (uint16_t)offset;
	return true;
}

/* A super-packet stays one as long as it is more than one segment of the same protocol. */
static bool
stays_gso(const struct pkt *p, const struct pkt *was)
{
	return pkt_is_gso(was) && p->proto == was->proto && p->l4_len &&
	       pkt_len(p) > (uint32_t)p->l3_len + p->l4_len + was->gso_size;
}

/* Takes *at and gives it new bytes. => DROP_NONE, or why it cannot go on; *at is what there is of
 * it then. */
static enum drop_reason
replace(struct env *env, struct pkt **at, const struct queue_verdict *v)
{
	struct pkt *was = *at, *p = v->len ? pkt_of_bytes(env, v->data, v->len) : NULL;
	enum drop_reason why;

	if (!p)
		return v->len ? DROP_NO_BUFFER : DROP_TRUNCATED;
	inherit(p, was);
	*at = p;
	fix_ip_checksum(p);
	why = pkt_parse(p);
	if (why == DROP_NONE && p->family != AF_INET)
		why = DROP_IPV6;
	if (why == DROP_NONE && begin_checksum(p)) {
		if (stays_gso(p, was)) {
			p->gso_type = was->gso_type;
			p->gso_size = was->gso_size;
		} else {
			pkt_checksum_complete(p);
		}
	}
	env_pkt_free(env, was);
	return why;
}

struct routed_by {
	uint32_t src, dst, mark;
	uint8_t tos;
};

static struct routed_by
routed_by(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);

	return (struct routed_by){
		.src = ip->saddr, .dst = ip->daddr, .mark = p->mark, .tos = ip->tos};
}

/* => DROP_NONE, or why the changed packet cannot go on. */
static enum drop_reason
change(struct env *env, struct pkt **at, const struct queue_verdict *v)
{
	struct routed_by was = routed_by(*at), is;
	enum drop_reason why = v->data ? replace(env, at, v) : DROP_NONE;
	struct step s = {.p = *at};

	if (why != DROP_NONE)
		return why;
	if (v->set_mark)
		(*at)->mark = v->mark;
	is = routed_by(*at);
	if ((*at)->hook != HOOK_OUTPUT || (is.src == was.src && is.dst == was.dst &&
						  is.mark == was.mark && is.tos == was.tos))
		return DROP_NONE;
	(*at)->out = NULL;
	return route_output(walker_of(env), &s) == VERDICT_DROP ? s.why : DROP_NONE;
}

static struct parked *
find_parked(struct queue *q, uint64_t id)
{
	struct parked *k;

	LIST_FOREACH (k, &q->by_id[id % IDS], in_bucket) {
		if (k->id == id)
			return k;
	}
	return NULL;
}

int
queue_decide(struct queue *q, struct env *env, const struct queue_verdict *v)
{
	struct parked *k = q->live ? find_parked(q, v->id) : NULL;
	enum drop_reason why;
	struct pkt *p;

	if (!k)
		return -ENOENT;
	take_out(q, k);
	if (TAILQ_EMPTY(&q->waiting))
		timer_cancel(env->timers, &q->timer);
	p = unpark(q, k, &why);
	if (v->kind == QUEUE_DROP)
		why = DROP_QUEUE_VERDICT;
	if (why == DROP_NONE)
		why = change(env, &p, v);
	if (why == DROP_NONE && v->kind == QUEUE_OTHER) {
		why = queue_take(q->all, env, p, v->number);
		if (why == DROP_NONE)
			return 0;
	}
	if (why != DROP_NONE) {
		router_drop(walker_of(env), p, why);
		return 0;
	}
	if (v->kind == QUEUE_REPEAT)
		p->stage--;
	env_emit(env, p, ORIGIN_RESUME);
	return 0;
}
