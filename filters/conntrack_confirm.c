/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection enters the table when its first packet has come through (__nf_conntrack_confirm()).
 * Another packet of the same may have been faster, while this one waited in a queue; and address
 * translation may have given two connections the same reply. Protocols whose packets stand alone
 * make the best of it, as nf_ct_resolve_clash() does.
 */
#include "filters/conntrack_table.h"

static bool
same_zones(const struct conn *a, enum ct_dir a_dir, const struct conn *b, enum ct_dir b_dir)
{
	return ct_zone_of(a->zone, a->zone_dir, a_dir) == ct_zone_of(b->zone, b->zone_dir, b_dir);
}

/* The same flow; `turn` 1: begun from the other end. */
static bool
same_flow(const struct conn *a, const struct conn *b, int turn)
{
	return ct_tuple_equal(&a->tuple[0], &b->tuple[turn]) &&
	       ct_tuple_equal(&a->tuple[1], &b->tuple[!turn]) && same_zones(a, 0, b, turn) &&
	       same_zones(a, 1, b, !turn);
}

/* The packet goes over to the one that was first. */
static bool
merge(struct conntrack *ct, struct pkt *p, struct conn *loser, uint32_t link)
{
	struct conn *winner = conn_at(ct, link >> 1);
	enum ct_dir dir = ct_dir(p);

	if (!same_flow(winner, loser, 0) && !same_flow(winner, loser, 1))
		return false;
	winner->refs++;
	winner->count[dir].packets++;
	winner->count[dir].bytes += loser->count[dir].bytes;
	p->ct = conn_index(ct, winner);
	conn_put(ct, loser);
	ct->stats.clash_resolve++;
	return true;
}

static void
enter(struct env *env, struct conntrack *ct, struct conn *c, bool reply_only)
{
	c->expires += env->now;
	c->refs++;
	c->status |= CT_CONFIRMED;
	ct_insert(ct, c, reply_only);
	wheel_add(ct, env, c);
	if (c->managed)
		ct_managed_note(ct, c);
	ct->stats.insert++;
}

/* Only its replies are its own: it is known by them, for a second. */
static void
enter_by_reply(struct env *env, struct conntrack *ct, struct conn *c)
{
	c->expires = CT_SECOND;
	c->status |= CT_FIXED_TIMEOUT | CT_NAT_CLASH;
	enter(env, ct, c, true);
	ct->stats.clash_resolve++;
}

static bool
resolve_clash(struct env *env, struct conntrack *ct, struct pkt *p, struct conn *c, uint32_t link)
{
	uint32_t reply;

	if (!ct_protocol_of(c->proto)->clash)
		return false;
	if (merge(ct, p, c, link))
		return true;
	reply = ct_lookup_clash(ct, c, CT_DIR_REPLY);
	if (reply)
		return merge(ct, p, c, reply);
	enter_by_reply(env, ct, c);
	return true;
}

/* The confirmed one that has a direction of `c` already; sets its hash. What was looked up on the way
 * is not looked up again. */
static uint32_t
find_clash(struct conntrack *ct, struct conn *c, enum ct_dir dir)
{
	uint16_t zone = ct_zone_of(c->zone, c->zone_dir, dir);
	const struct ct_absent *absent = ct_absent_find(ct, &c->tuple[dir], zone);

	if (absent) {
		c->hash[dir] = absent->hash;
		return 0;
	}
	c->hash[dir] = ct_hash(ct, &c->tuple[dir], zone);
	return ct_lookup_clash(ct, c, dir);
}

enum filter_verdict
conntrack_confirm(struct env *env, const struct router *r, struct pkt *p, enum drop_reason *why)
{
	struct conntrack *ct = r->live->filters->conntrack;
	struct conn *c = conntrack_of(r, p);
	uint32_t link, reply;

	if (!c || ct_confirmed(c) || ct_dir(p) != CT_DIR_ORIGINAL)
		return FILTER_ACCEPT;
	link = find_clash(ct, c, CT_DIR_ORIGINAL);
	reply = find_clash(ct, c, CT_DIR_REPLY);
	if (!link)
		link = reply;
	if (!link) {
		enter(env, ct, c, false);
		ct_tell(ct, CT_EVENT_NEW, c);
		return FILTER_ACCEPT;
	}
	if (resolve_clash(env, ct, p, c, link))
		return FILTER_ACCEPT;
	ct->stats.drop++;
	ct->stats.insert_failed++;
	*why = DROP_CT_CLASH;
	return FILTER_DROP;
}
