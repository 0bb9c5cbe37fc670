/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expected connections (nf_conntrack_expect.c): a new connection that fits one is RELATED to its
 * master, whose mark it takes. Each is taken once, has a time of its own, and goes with its master,
 * whose record it holds.
 */
#include "filters/conntrack_table.h"

#include <stdlib.h>

/* What it must not leave open. */
static struct expectations *
chain_of(const struct conntrack *ct, const struct ct_tuple *t)
{
	uint32_t h = t->dst.w[0] ^ t->dst.w[3] ^ (uint32_t)t->dport << 8 ^ t->proto;

	return &ct->expect[(h * 2654435761u) >> 22];
}

static void
tell(const struct env *env, enum ct_event event, const struct expectation *e)
{
	const struct conntrack *ct = e->table;
	char line[CT_EXPECT_LINE];

	if (!ct->expect_listener)
		return;
	ct_print_expectation(e, env->now, line, sizeof(line));
	ct->expect_listener(ct->expect_listener_arg, event, line);
}

static void
drop(struct env *env, struct expectation *e)
{
	struct conn *master = conn_at(e->table, e->master);

	tell(env, CT_EVENT_DESTROY, e);
	timer_cancel(env->timers, &e->timer);
	LIST_REMOVE(e, link);
	LIST_REMOVE(e, sibling);
	e->table->n_expect--;
	e->table->stats.expect_delete++;
	master->expecting--;
	conn_put(e->table, master);
	free(e);
}

static void
on_timeout(struct timer *timer, struct env *env)
{
	drop(env, (struct expectation *)((char *)timer - offsetof(struct expectation, timer)));
}

static bool
same_end(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return a->proto == b->proto && a->dport == b->dport && ip_equal(&a->dst, &b->dst);
}

static bool
fits(const struct expectation *e, const struct ct_tuple *t, uint16_t zone)
{
	const struct ct_tuple *want = &e->what.tuple;

	return e->zone == zone && same_end(want, t) &&
	       (want->sport == 0 || want->sport == t->sport) &&
	       (!ip_is_set(&want->src) || ip_equal(&want->src, &t->src));
}

/* One connection could be what both expect. */
static bool
clashes(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return same_end(a, b) && (a->sport == 0 || b->sport == 0 || a->sport == b->sport) &&
	       (!ip_is_set(&a->src) || !ip_is_set(&b->src) || ip_equal(&a->src, &b->src));
}

static bool
equal(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return same_end(a, b) && a->sport == b->sport && ip_equal(&a->src, &b->src);
}

/* => 0, or -EBUSY. An equal one of this master makes place. */
static int
clear_way(
	struct env *env, struct conntrack *ct, const struct conn *master, const struct ct_tuple *t)
{
	struct expectation *e;

	LIST_FOREACH (e, chain_of(ct, t), link) {
		if (e->zone != master->zone || !clashes(&e->what.tuple, t))
			continue;
		if (!equal(&e->what.tuple, t) || e->master != conn_index(ct, master))
			return -EBUSY;
		drop(env, e);
		return 0;
	}
	return 0;
}

/* As evict_oldest_expect(). */
static void
make_place(struct env *env, const struct conn *master, uint16_t most)
{
	struct expectation *e, *oldest = NULL;

	if (most == 0 || master->expecting < most)
		return;
	LIST_FOREACH (e, &master->help->expecting, sibling)
		oldest = e;
	if (oldest)
		drop(env, oldest);
}

static int
add(struct env *env, struct conntrack *ct, struct conn *master, const struct ct_expected *what)
{
	struct expectation *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->table = ct;
	e->what = *what;
	e->master = conn_index(ct, master);
	e->zone = master->zone;
	e->timer.fire = on_timeout;
	if (timer_arm(env->timers, &e->timer, env->now + what->timeout) < 0) {
		free(e);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(chain_of(ct, &what->tuple), e, link);
	LIST_INSERT_HEAD(&master->help->expecting, e, sibling);
	ct->n_expect++;
	ct->stats.expect_create++;
	master->expecting++;
	master->refs++;
	tell(env, CT_EVENT_NEW, e);
	return 0;
}

int
conntrack_expect(
	struct env *env, struct conntrack *ct, struct conn *master, const struct ct_expected *what)
{
	const struct router *r = ct->live->now;
	int rc;

	if (!ct->expect)
		ct->expect = calloc(EXPECT_BUCKETS, sizeof(*ct->expect));
	if (!ct->expect || !conn_help_get(ct, master))
		return -ENOMEM;
	rc = clear_way(env, ct, master, &what->tuple);
	if (rc < 0)
		return rc;
	make_place(env, master, what->most);
	if (!r || ct->n_expect >= (uint32_t)tune(&r->tunables, TUNE_CT_EXPECT_MAX) ||
		master->expecting == UINT16_MAX)
		return -ENOSPC;
	return add(env, ct, master, what);
}

void
conntrack_unexpect(
	struct env *env, struct conntrack *ct, const struct conn *master, const struct ct_tuple *t)
{
	struct expectation *e;

	if (!master->help)
		return;
	LIST_FOREACH (e, &master->help->expecting, sibling)
		if (equal(&e->what.tuple, t))
			break;
	if (e && e->table == ct)
		drop(env, e);
}

uint32_t
ct_expect_take(struct env *env, struct conntrack *ct, const struct ct_tuple *t, uint16_t zone,
	struct ct_expected *what)
{
	struct expectation *e;
	uint32_t master;

	if (ct->n_expect == 0)
		return 0;
	LIST_FOREACH (e, chain_of(ct, t), link)
		if (fits(e, t, zone))
			break;
	/* Nobody can know yet what one expects that is not confirmed. */
	if (!e || !ct_confirmed(conn_at(ct, e->master)))
		return 0;
	master = e->master;
	*what = e->what;
	conn_at(ct, master)->refs++;
	ct->stats.expect_new++;
	drop(env, e);
	return master;
}

void
ct_expect_forget(struct env *env, struct conn *master)
{
	while (!LIST_EMPTY(&master->help->expecting))
		drop(env, LIST_FIRST(&master->help->expecting));
}

void
ct_expect_free(struct env *env, struct conntrack *ct)
{
	int i;

	for (i = 0; ct->expect && i < EXPECT_BUCKETS; i++)
		while (!LIST_EMPTY(&ct->expect[i]))
			drop(env, LIST_FIRST(&ct->expect[i]));
	free(ct->expect);
	ct->expect = NULL;
}

void
conntrack_listen_expect(struct conntrack *ct, conntrack_expect_listener fn, void *arg)
{
	ct->expect_listener = fn;
	ct->expect_listener_arg = arg;
}

struct conn_help *
conn_help_get(struct conntrack *ct, struct conn *c)
{
	if (c->help)
		return c->help;
	c->help = calloc(1, sizeof(*c->help));
	ct->n_help += c->help != NULL;
	return c->help;
}

uint32_t
conntrack_expectations(
	const struct conntrack *ct, uint64_t now, char (*lines)[CT_EXPECT_LINE], uint32_t size)
{
	const struct expectation *e;
	uint32_t n = 0;
	int i;

	for (i = 0; ct->expect && i < EXPECT_BUCKETS && n < size; i++)
		LIST_FOREACH (e, &ct->expect[i], link)
			if (n < size)
				ct_print_expectation(e, now, lines[n++], CT_EXPECT_LINE);
	return ct->n_expect;
}
