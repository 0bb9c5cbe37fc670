/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What address translation needs of the table. */
#include "filters/conntrack_table.h"

struct conntrack_nat *
conntrack_nat(const struct conntrack *ct)
{
	return ct->nat;
}

void
conntrack_nat_set(struct conntrack *ct, struct conntrack_nat *nat)
{
	ct->nat = nat;
}

void
conntrack_alter_reply(struct conn *c, const struct ct_tuple *reply)
{
	c->tuple[CT_DIR_REPLY] = *reply;
}

/* As nf_conntrack_tuple_taken(). */
struct conn *
conntrack_holder(struct env *env, struct conntrack *ct, const struct conn *c,
	const struct ct_tuple *t, enum ct_dir *dir)
{
	uint32_t link = ct_lookup_answer(ct, env, t, c->zone, c->zone_dir);
	struct conn *other = conn_at(ct, link >> 1);

	if (!link || other == c)
		return NULL;
	if (ct_tuple_equal(&other->tuple[CT_DIR_ORIGINAL], &c->tuple[CT_DIR_ORIGINAL]) &&
		ct_zone_of(other->zone, other->zone_dir, CT_DIR_ORIGINAL) ==
			ct_zone_of(c->zone, c->zone_dir, CT_DIR_ORIGINAL))
		return NULL;
	*dir = link & 1;
	return other;
}

struct conn *
conntrack_met(struct env *env, struct conntrack *ct, const struct conn *c, const struct ct_tuple *t, enum ct_dir *dir)
{
	uint32_t link = ct_lookup(ct, env, env->now, t, c->zone, c->zone_dir);

	*dir = link & 1;
	return link && conn_at(ct, link >> 1) != c ? conn_at(ct, link >> 1) : NULL;
}

bool
conntrack_invert(const struct ct_tuple *t, struct ct_tuple *out)
{
	return ct_tuple_invert(t, out);
}

bool
conntrack_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return ct_tuple_equal(a, b);
}

uint32_t
conntrack_hash(const struct conntrack *ct, const struct ct_tuple *t, uint16_t zone)
{
	return ct_hash(ct, t, zone);
}

uint32_t
conntrack_index(const struct conntrack *ct, const struct conn *c)
{
	return conn_index(ct, c);
}

const struct router *
conntrack_router(const struct conntrack *ct)
{
	return ct->live->now;
}

struct conn *
conntrack_at(const struct conntrack *ct, uint32_t index)
{
	return conn_at(ct, index);
}

bool
conntrack_may_clash(uint8_t proto)
{
	return ct_protocol_of(proto)->clash;
}
