/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection tracking: what others call. The parts:
 *
 *	conntrack_table.c	records and their chains	conntrack_input.c	nf_conntrack_in()
 *	conntrack_hash.c	the hash			conntrack_confirm.c	entering the table, clashes
 *	conntrack_wheel.c	expiry				conntrack_full.c	early drop, reserve, ceiling
 *	conntrack_expect.c	expected connections		conntrack_tuple.c	tuples of all protocols
 *	conntrack_seqadj.c	sequence numbers behind rewritten payload
 *	conntrack_path.c	what the path cache asks	conntrack_nat.c		what translation asks
 *	conntrack_{tcp,tcp_window,udp,icmp,sctp}.c
 *
 * A connection is born with its first packet, which alone holds it. When that packet has come
 * through all chains it is confirmed: it enters hash and wheel, which hold it too. Killed (expired,
 * deleted, dropped early, reset) it leaves both, and its record is free once no packet, no
 * connection that it expected, and no expectation holds it any more. All of it is under the slow-way
 * lock.
 */
#include "filters/conntrack_table.h"

#include <stdlib.h>

/* splitmix64 (Steele, Lea, Flood): one seed makes both halves of the key. */
static uint64_t
mix(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

struct conntrack *
conntrack_new(struct router_live *live, uint64_t seed)
{
	struct conntrack *ct = calloc(1, sizeof(*ct));

	if (!ct || ct_table_init(ct) < 0) {
		free(ct);
		errno = ENOMEM;
		return NULL;
	}
	ct->live = live;
	ct->key[0] = mix(&seed);
	ct->key[1] = mix(&seed);
	ct->next_id = (uint32_t)mix(&seed);
	ct->press_cursor = 1;
	wheel_init(&ct->wheel);
	return ct;
}

void
conntrack_free(struct conntrack *ct, struct env *env)
{
	conntrack_flush(env, ct);
	ct_expect_free(env, ct);
	wheel_idle(ct, env);
	if (ct->nat)
		ct->nat->free(ct->nat, env);
	ct_table_fini(ct);
	free(ct->per_iface);
	free(ct->managed);
	free(ct);
}

static struct conntrack *
table_of(const struct pkt *p)
{
	struct filters_live *filters =
		p->router && p->router->live ? p->router->live->filters : NULL;

	return filters ? filters->conntrack : NULL;
}

struct conn *
conntrack_of(const struct router *r, const struct pkt *p)
{
	return p->ct ? conn_at(r->live->filters->conntrack, p->ct) : NULL;
}

uint32_t
conntrack_state_bit(const struct pkt *p)
{
	if (p->ct)
		return 1u << (p->ct_info % CT_REPLY + 1);
	return p->ct_info == CT_UNTRACKED ? 1u << 6 : 1;
}

void
conntrack_attach(struct env *env, struct pkt *made, const struct pkt *cause)
{
	struct conntrack *ct = table_of(cause);

	(void)env;
	/* nf_conntrack_attach() takes "untracked" for a direction: CT leaves the packet alone, tracking does not */
	if (!cause->ct)
		made->ct_info = CT_RELATED;
	if (!ct || !cause->ct)
		return;
	conn_at(ct, cause->ct)->refs++;
	made->ct = cause->ct;
	made->ct_info = CT_RELATED + (ct_dir(cause) == CT_DIR_ORIGINAL ? CT_REPLY : 0);
}

void
conntrack_hold(struct env *env, struct pkt *copy)
{
	struct conntrack *ct = table_of(copy);

	(void)env;
	if (ct && copy->ct)
		conn_at(ct, copy->ct)->refs++;
}

void
conntrack_untrack(struct env *env, struct pkt *p)
{
	struct conntrack *ct = table_of(p);

	(void)env;
	if (ct && p->ct)
		conn_put(ct, conn_at(ct, p->ct));
	p->ct = 0;
	p->ct_info = 0;
}

void
conntrack_set_mark(struct conntrack *ct, struct conn *c, uint32_t mark)
{
	if (c->mark == mark)
		return;
	c->mark = mark;
	conn_changed(ct, c);
}

struct conn *
conntrack_find(struct conntrack *ct, uint64_t now, const struct ct_tuple *t, uint16_t zone,
	enum ct_dir *dir)
{
	return conntrack_find_zone(ct, now, t, zone, 3, dir);
}

struct conn *
conntrack_find_zone(struct conntrack *ct, uint64_t now, const struct ct_tuple *t, uint16_t zone,
	uint8_t zone_dir, enum ct_dir *dir)
{
	uint32_t link = ct_lookup(ct, NULL, now, t, zone, zone_dir);

	if (!link)
		return NULL;
	*dir = link & 1;
	return conn_at(ct, link >> 1);
}

int
conntrack_set_management(struct conntrack *ct, const struct ip_prefix *prefixes, size_t n)
{
	struct ip_prefix *copy = NULL;

	if (n > 0) {
		copy = malloc(n * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, prefixes, n * sizeof(*copy));
	}
	free(ct->managed);
	ct->managed = copy;
	ct->n_managed = n;
	return 0;
}

static bool
listed(struct conntrack *ct, struct conn *c, uint64_t now)
{
	return ct_confirmed(c) && !(c->status & (CT_DYING | CT_NAT_CLASH)) && !conn_expired(ct, c, now);
}

enum { LOOK_AT = 4 /* records for each that may be visited: most of a large table may be free */ };

bool
conntrack_walk(struct conntrack *ct, uint64_t now, uint32_t *cursor, uint32_t budget,
	conntrack_visit visit, void *arg)
{
	uint64_t looks = (uint64_t)budget * LOOK_AT;

	if (*cursor == 0)
		*cursor = 1;
	for (; *cursor < ct->used && budget > 0 && looks > 0; looks--) {
		uint32_t index = (*cursor)++;
		struct conn *c = conn_at(ct, index);

		if (!listed(ct, c, now))
			continue;
		budget--;
		conn_touch(ct, c);
		visit(arg, index, c);
	}
	return *cursor < ct->used;
}

void
conntrack_delete(struct env *env, struct conntrack *ct, struct conn *c)
{
	conn_kill(env, ct, c);
}

void
conntrack_flush(struct env *env, struct conntrack *ct)
{
	uint32_t i;

	for (i = 1; i < ct->used && ct->linked > 0; i++)
		conn_kill(env, ct, conn_at(ct, i));
}

void
conntrack_listen(struct conntrack *ct, conntrack_listener fn, void *arg)
{
	ct->listener = fn;
	ct->listener_arg = arg;
}

void
conntrack_stats(const struct conntrack *ct, struct conntrack_stats *s)
{
	const struct router *r = ct->live->now;

	*s = ct->stats;
	s->count = ct->count;
	s->max = r ? (uint32_t)tune(&r->tunables, TUNE_CT_MAX) : 0;
	s->buckets = ct->n_buckets;
	s->memory = sizeof(*ct) + ct->used * sizeof(*ct->conns) +
		    ct->n_buckets * sizeof(*ct->buckets) + ct->n_iface * sizeof(*ct->per_iface) +
		    ct->n_managed * sizeof(*ct->managed) +
		    ct->n_expect * sizeof(struct expectation) +
		    ct->n_help * sizeof(struct conn_help) +
		    (ct->expect ? EXPECT_BUCKETS * sizeof(*ct->expect) : 0);
}
