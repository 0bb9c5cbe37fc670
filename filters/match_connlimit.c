/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connlimit: how many connections of one masked address live at once (net/netfilter/xt_connlimit.c,
 * nf_conncount.c, as of 6.18.44). Each rule remembers, per masked address and zone, the tuples of
 * connections whose packets it met. An assured connection is not added, only those that are dead are
 * forgotten: connection tracking does not know them any more, or they are TCP and closed (TIME_WAIT,
 * CLOSE), the packet's own among them. Any other packet is looked for among the tuples, which forgets
 * the dead before it, and added. The first of an address is added whatever its state. If nothing is
 * left, as without memory, the packet is dropped.
 *
 * Memory: each call also looks after the tuples of the next address in turn, and at twice the number of
 * connections that a router may have everything is looked through. All under the slow-way lock.
 */
#include "filters/conntrack.h"
#include "filters/extensions.h"
#include "filters/live.h"

#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_connlimit.h>
#include <rte_jhash.h>
#include <stdlib.h>

enum { CONNLIMIT_BUCKETS = 1024, CONNLIMIT_COLLECT_MAX = 64 /* CONNCOUNT_GC_MAX_COLLECT */ };

struct connlimit_tuple {
	struct ct_tuple tuple;
	uint16_t zone;
	uint8_t zone_dir; /* bit per enum ct_dir: where it counts */
};

struct connlimit_addr {
	struct connlimit_addr *next;
	uint32_t addr; /* masked, network byte order */
	uint16_t zone;
	uint32_t n, size;
	struct connlimit_tuple *tuples;
};

struct connlimit_table {
	uint32_t seed;
	uint32_t n_tuples, n_addrs;
	uint32_t turn; /* bucket to look after next */
	struct connlimit_addr *buckets[CONNLIMIT_BUCKETS];
};

struct connlimit_state {
	struct connlimit_table *table; /* NULL: no packet yet */
};

/* What a packet asks. */
struct connlimit_query {
	struct conntrack *ct;
	uint64_t now;
	uint32_t addr;
	bool assured; /* its connection, confirmed */
	struct connlimit_tuple tuple;
};

static void
connlimit_forget(struct connlimit_table *t, struct connlimit_addr *a, uint32_t i)
{
	a->n--;
	memmove(&a->tuples[i], &a->tuples[i + 1], (a->n - i) * sizeof(a->tuples[0]));
	t->n_tuples--;
}

/* The zone that counts for a connection's first packet. */
static uint16_t
connlimit_original_zone(uint16_t zone, uint8_t zone_dir)
{
	return zone_dir & 1 << CT_DIR_ORIGINAL ? zone : 0;
}

static bool
connlimit_is(const struct connlimit_tuple *a, const struct conn *found, const struct connlimit_tuple *b)
{
	return connlimit_original_zone(found->zone, found->zone_dir) == connlimit_original_zone(b->zone, b->zone_dir) &&
		a->tuple.proto == b->tuple.proto && a->tuple.sport == b->tuple.sport && a->tuple.dport == b->tuple.dport &&
		ip_equal(&a->tuple.src, &b->tuple.src) && ip_equal(&a->tuple.dst, &b->tuple.dst);
}

static bool
connlimit_closed(const struct conn *conn)
{
	return conn->proto == IPPROTO_TCP &&
		(conn->tcp.state == TCP_CT_TIME_WAIT || conn->tcp.state == TCP_CT_CLOSE);
}

static struct conn *
connlimit_conn(const struct connlimit_query *q, const struct connlimit_tuple *t)
{
	enum ct_dir dir;

	return conntrack_find_zone(q->ct, q->now, &t->tuple, t->zone, t->zone_dir, &dir);
}

/* At most `max` and one of the dead. */
static void
connlimit_collect(
	struct connlimit_table *t, struct connlimit_addr *a, const struct connlimit_query *q, uint32_t max)
{
	for (uint32_t i = 0, gone = 0; i < a->n && gone <= max;) {
		const struct conn *conn = connlimit_conn(q, &a->tuples[i]);

		if (!conn || connlimit_closed(conn)) {
			connlimit_forget(t, a, i);
			gone++;
		} else {
			i++;
		}
	}
}

/*
 * True when `q`'s own tuple is there and lives, whatever its state. The dead before it are forgotten on the way, not many at a time; those behind
 * it count still, as the kernel stops there (__nf_conncount_add()).
 */
static bool
connlimit_has(struct connlimit_table *t, struct connlimit_addr *a, const struct connlimit_query *q)
{
	for (uint32_t i = 0, gone = 0; i < a->n && gone <= CONNLIMIT_COLLECT_MAX;) {
		const struct conn *conn = connlimit_conn(q, &a->tuples[i]);

		if (conn && connlimit_is(&a->tuples[i], conn, &q->tuple))
			return true;
		if (!conn || connlimit_closed(conn)) {
			connlimit_forget(t, a, i);
			gone++;
		} else {
			i++;
		}
	}
	return false;
}

static void
connlimit_addr_free(struct connlimit_table *t, struct connlimit_addr **at)
{
	struct connlimit_addr *a = *at;

	*at = a->next;
	t->n_tuples -= a->n;
	t->n_addrs--;
	free(a->tuples);
	free(a);
}

static void
connlimit_look_after(struct connlimit_table *t, uint32_t bucket, const struct connlimit_query *q)
{
	struct connlimit_addr **at = &t->buckets[bucket];

	while (*at) {
		connlimit_collect(t, *at, q, UINT32_MAX - 1);
		if ((*at)->n == 0 && ((*at)->addr != q->addr || (*at)->zone != q->tuple.zone))
			connlimit_addr_free(t, at);
		else
			at = &(*at)->next;
	}
}

/* Room for one more. => false: there are too many. */
static bool
connlimit_room(const struct filter_ctx *c, struct connlimit_table *t, const struct connlimit_query *q)
{
	uint32_t max = 2 * (uint32_t)tune(&c->router->tunables, TUNE_CT_MAX);

	if (t->n_addrs > CONNLIMIT_BUCKETS / 2)
		connlimit_look_after(t, t->turn++ % CONNLIMIT_BUCKETS, q);
	if (t->n_tuples < max)
		return true;
	for (uint32_t i = 0; i < CONNLIMIT_BUCKETS; i++)
		connlimit_look_after(t, i, q);
	return t->n_tuples < max;
}

/* => false: no memory. */
static bool
connlimit_add(struct connlimit_table *t, struct connlimit_addr *a, const struct connlimit_tuple *tuple)
{
	struct connlimit_tuple *more;

	if (a->n == a->size) {
		uint32_t size = a->size ? a->size * 2 : 4;

		more = realloc(a->tuples, size * sizeof(*more));
		if (!more)
			return false;
		a->tuples = more;
		a->size = size;
	}
	a->tuples[a->n++] = *tuple;
	t->n_tuples++;
	return true;
}

static struct connlimit_addr *
connlimit_addr_new(struct connlimit_table *t, uint32_t bucket, const struct connlimit_query *q)
{
	struct connlimit_addr *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->addr = q->addr;
	a->zone = q->tuple.zone;
	if (!connlimit_add(t, a, &q->tuple)) {
		free(a);
		return NULL;
	}
	a->next = t->buckets[bucket];
	t->buckets[bucket] = a;
	t->n_addrs++;
	return a;
}

/* => the number of connections, this one included unless it is assured; 0: no memory, or none is left. */
static uint32_t
connlimit_count(const struct filter_ctx *c, struct connlimit_table *t, const struct connlimit_query *q)
{
	uint32_t bucket = rte_jhash_2words(q->addr, q->tuple.zone, t->seed) % CONNLIMIT_BUCKETS;
	struct connlimit_addr *a;

	if (!connlimit_room(c, t, q))
		return 0;
	for (a = t->buckets[bucket]; a; a = a->next)
		if (a->addr == q->addr && a->zone == q->tuple.zone)
			break;
	if (!a) {
		a = connlimit_addr_new(t, bucket, q);
		return a ? a->n : 0;
	}
	if (q->assured)
		connlimit_collect(t, a, q, CONNLIMIT_COLLECT_MAX);
	else if (!connlimit_has(t, a, q) && !connlimit_add(t, a, &q->tuple))
		return 0;
	return a->n;
}

static bool
connlimit_is_assured(const struct conn *conn)
{
	return conn && conn->status & CT_CONFIRMED && conn->status & CT_ASSURED;
}

/*
 * By its connection. Without one by what its headers say, in the zone that the CT target has named; that it belongs to
 * an assured connection is seen then too. => false: the packet has no tuple.
 */
static bool
connlimit_query(const struct filter_ctx *c, const struct xt_connlimit_info *o, struct connlimit_query *q)
{
	const struct conn *conn = conntrack_of(c->router, c->p);
	const struct iphdr *ip = pkt_ip4(c->p);
	struct connlimit_tuple *t = &q->tuple;

	*q = (struct connlimit_query){
		.ct = c->router->live->filters->conntrack,
		.now = c->env->now,
		.addr = (o->flags & XT_CONNLIMIT_DADDR ? ip->daddr : ip->saddr) & o->mask.ip,
	};
	if (conn) {
		*t = (struct connlimit_tuple){conn->tuple[CT_DIR_ORIGINAL], conn->zone, conn->zone_dir};
		q->assured = connlimit_is_assured(conn);
		return true;
	}
	if (!q->ct || !conntrack_tuple(c->p, &t->tuple))
		return false;
	t->zone = c->table == TABLE_RAW ? c->p->ct_zone : 0;
	t->zone_dir = t->zone ? c->p->ct_zone_dir : 3;
	q->assured = connlimit_is_assured(connlimit_conn(q, t));
	return true;
}

static bool
connlimit_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_connlimit_info *o = options;
	struct connlimit_state *s = state;
	struct connlimit_query q;
	uint32_t n = 0;

	if (!s->table) {
		s->table = calloc(1, sizeof(*s->table));
		if (s->table)
			s->table->seed = env_random(c->env);
	}
	if (s->table && connlimit_query(c, o, &q) && q.ct)
		n = connlimit_count(c, s->table, &q);
	if (n == 0) {
		c->malformed = true;
		return false;
	}
	return (n > o->limit) != !!(o->flags & XT_CONNLIMIT_INVERT);
}

static void
connlimit_stop(void *state)
{
	struct connlimit_state *s = state;

	for (uint32_t i = 0; s->table && i < CONNLIMIT_BUCKETS; i++)
		while (s->table->buckets[i])
			connlimit_addr_free(s->table, &s->table->buckets[i]);
	free(s->table);
	s->table = NULL;
}

const struct match_ops match_connlimit[] = {
	{
		.name = "connlimit",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_connlimit_info)),
		.reads = READS_NEVER,
		.needs = NEEDS_CONNTRACK,
		.state_size = sizeof(struct connlimit_state),
		.match = connlimit_match,
		.stop = connlimit_stop,
	},
	{0},
};
