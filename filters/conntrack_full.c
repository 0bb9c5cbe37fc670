/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table that fills up.
 *
 * As in Linux a new connection for which there is no room first ends the connections of its
 * neighbourhood in the hash that are not assured; if there are none it is refused, and a sweep ends
 * closing and unassured ones until the table is 5 % below its limit. Assured ones are never ended.
 *
 * Ours, and not in Linux: while addresses are marked as management the last nf_conntrack_reserve
 * places are theirs. Only they may end an unassured connection of theirs, so a flood of others
 * cannot take away a login that has just begun. And one interface may have a ceiling of its own.
 */
#include "filters/conntrack_table.h"

#include <rte_common.h>
#include <stdlib.h>

enum { NEIGHBOURS = 16 /* buckets; half as full as the kernel's 8 */, LOG_WARNING_LEVEL = 4 };

static const uint64_t WARN_EACH = 5000000000; /* ns */

bool
ct_managed(const struct conntrack *ct, const struct ct_tuple *t)
{
	size_t i;

	for (i = 0; i < ct->n_managed; i++)
		if (prefix_contains(&ct->managed[i], &t->src) ||
			prefix_contains(&ct->managed[i], &t->dst))
			return true;
	return false;
}

void
ct_managed_note(struct conntrack *ct, const struct conn *c)
{
	uint32_t at = ct->recent_next++ % RECENT_MANAGED;

	ct->recent_managed[at].index = conn_index(ct, c);
	ct->recent_managed[at].id = c->id;
}

int
ct_iface_add(struct conntrack *ct, uint16_t slot)
{
	uint32_t n = RTE_ALIGN_CEIL(slot + 1u, 64u), *more;

	if (slot < ct->n_iface) {
		ct->per_iface[slot]++;
		return 0;
	}
	more = realloc(ct->per_iface, n * sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + ct->n_iface, 0, (n - ct->n_iface) * sizeof(*more));
	ct->per_iface = more;
	ct->n_iface = n;
	more[slot]++;
	return 0;
}

/* => how many were ended of one chain. */
static unsigned
thin_out(struct conntrack *ct, struct env *env, uint32_t hash, uint32_t away)
{
	uint32_t link = ct_chain_near(ct, hash, away);
	unsigned ended = 0;

	while (link) {
		struct conn *c = conn_at(ct, link >> 1);
		bool expired = conn_expired(ct, c, env->now);

		if (!expired && (c->status & CT_ASSURED || c->managed)) {
			link = ct_chain_next(ct, link);
			continue;
		}
		ended += !expired;
		conn_kill(env, ct, c);
		link = ct_chain_near(ct, hash, away); /* its other half may have been the next one */
	}
	return ended;
}

static bool
early_drop(struct ct_packet *k, uint32_t hash)
{
	unsigned ended = 0;
	uint32_t i;

	for (i = 0; i < NEIGHBOURS && ended == 0; i++)
		ended = thin_out(k->ct, k->env, hash, i);
	k->ct->stats.early_drop += ended;
	return ended > 0;
}

/* The oldest login that has not got anywhere makes room for another one. */
static bool
drop_managed(struct ct_packet *k)
{
	struct conntrack *ct = k->ct;
	uint32_t i;

	for (i = 0; i < RECENT_MANAGED; i++) {
		uint32_t at = (ct->recent_next + i) % RECENT_MANAGED;
		uint32_t index = ct->recent_managed[at].index;
		struct conn *c = conn_at(ct, index);

		if (index == 0 || index >= ct->used || c->id != ct->recent_managed[at].id)
			continue;
		ct->recent_managed[at].index = 0;
		if (!ct_confirmed(c) || c->status & (CT_ASSURED | CT_DYING))
			continue;
		conn_kill(k->env, ct, c);
		ct->stats.early_drop++;
		return true;
	}
	return false;
}

static void
warn(struct ct_packet *k)
{
	struct conntrack *ct = k->ct;

	if (!k->env->ops->log || (ct->warned && k->env->now - ct->warned < WARN_EACH))
		return;
	ct->warned = k->env->now;
	k->env->ops->log(
		k->env, k->p, LOG_WARNING_LEVEL, "nf_conntrack: table full, dropping packet");
}

static uint32_t
limit_of(const struct ct_packet *k, bool managed)
{
	uint32_t max = (uint32_t)tune(ct_tunables(k), TUNE_CT_MAX);
	uint32_t reserve = (uint32_t)tune(ct_tunables(k), TUNE_CT_RESERVE);

	if (managed || k->ct->n_managed == 0)
		return max;
	return max - RTE_MIN(reserve, max / 2);
}

static bool
over_ceiling(const struct ct_packet *k)
{
	uint32_t ceiling = (uint32_t)tune(ct_tunables(k), TUNE_CT_MAX_GUEST);
	uint16_t slot = k->p->in ? k->p->in->slot : 0;

	return ceiling && slot && slot < k->ct->n_iface && k->ct->per_iface[slot] >= ceiling;
}

enum drop_reason
ct_admit(struct ct_packet *k, const struct ct_tuple *t, uint16_t zone, bool managed)
{
	struct conntrack *ct = k->ct;

	if (!managed && over_ceiling(k))
		return DROP_CT_GUEST;
	if (ct->count < limit_of(k, managed) || early_drop(k, ct_hash(ct, t, zone)) ||
		(managed && drop_managed(k)))
		return DROP_NONE;
	warn(k);
	if (!ct->pressed) {
		ct->pressed = true;
		wheel_wake(ct, k->env, (k->env->now + CT_SECOND) >> WHEEL_TICK_SHIFT);
	}
	return DROP_CT_FULL;
}

static bool
may_go(const struct conn *c)
{
	const struct ct_protocol *proto = ct_protocol_of(c->proto);

	if (!ct_confirmed(c) || c->status & CT_DYING)
		return false;
	if (!(c->status & CT_ASSURED))
		return !c->managed;
	return proto->closing && proto->closing(c);
}

bool
ct_press(struct conntrack *ct, struct env *env, uint32_t budget)
{
	const struct router *r = ct->live->now;
	uint32_t enough = r ? (uint32_t)tune(&r->tunables, TUNE_CT_MAX) / 100 * 95 : 0;

	for (; budget > 0; budget--) {
		if (ct->count < enough || ct->press_cursor >= ct->used) {
			ct->press_cursor = 1;
			return false;
		}
		if (may_go(conn_at(ct, ct->press_cursor)))
			conn_kill(env, ct, conn_at(ct, ct->press_cursor));
		ct->press_cursor++;
	}
	return true;
}
