/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the path cache asks of connection tracking, and what it brings back. */
#include "filters/conntrack_path.h"

#include <rte_common.h>

void
conntrack_paths_set(struct conntrack *ct, struct conntrack_paths *paths)
{
	ct->paths = paths;
}

/* Both ends have spoken, and what is left to come is data and ACKs. */
static bool
is_settled(const struct conn *c)
{
	if (c->proto == IPPROTO_TCP)
		return c->status & CT_ASSURED && c->tcp.state == TCP_CT_ESTABLISHED && c->tcp.seen[0].maxwin &&
		       c->tcp.seen[1].maxwin;
	return c->proto == IPPROTO_UDP && c->status & CT_SEEN_REPLY;
}

/* The shortest that a packet may give it: nothing asks whether it has ended before that. */
static uint64_t
least_timeout(const struct env *env, const struct router *r, const struct conn *c)
{
	uint64_t left = c->expires - RTE_MIN(c->expires, env->now);

	if (c->proto != IPPROTO_TCP)
		return left;
	left = RTE_MIN(left, tune_seconds(&r->tunables, TUNE_CT_TCP_ESTABLISHED));
	left = RTE_MIN(left, tune_seconds(&r->tunables, TUNE_CT_TCP_RETRANS));
	return RTE_MIN(left, tune_seconds(&r->tunables, TUNE_CT_TCP_UNACK));
}

static const uint32_t NEVER_SETTLED = CT_DYING | CT_NAT_CLASH;

void
conntrack_record(const struct env *env, const struct router *r, const struct pkt *p, struct recorder *recorder)
{
	struct conntrack *ct = r->live->filters->conntrack;
	const struct conn *c = conntrack_of(r, p);
	uint8_t state = p->ct_info % CT_REPLY;

	if (!c) {
		if (p->ct_info != CT_UNTRACKED)
			record_refuse(recorder, "it is INVALID");
		return;
	}
	if (!ct->paths || !ct_confirmed(c) || c->status & NEVER_SETTLED || !is_settled(c) || state != CT_ESTABLISHED) {
		record_refuse(recorder, "its connection is not established");
		return;
	}
	if (conntrack_needs_slow_way(c) || c->expecting) {
		record_refuse(recorder, "a helper reads it");
		return;
	}
	if (c->proto == IPPROTO_UDP && !(c->status & CT_ASSURED))
		record_until(recorder, c->udp.stream_since);
	if (c->status & CT_FIXED_TIMEOUT)
		record_until(recorder, c->expires);
	else
		record_pause(recorder, least_timeout(env, r, c));
	record_conn(recorder, (struct recorded_conn){.table = ct,
					  .index = conn_index(ct, c),
					  .dir = (uint8_t)ct_dir(p),
					  .judges_sum = tune(&r->tunables, TUNE_CT_CHECKSUM) != 0,
					  .version = c->version,
					  .timeout = c->expires - RTE_MIN(c->expires, env->now)});
}

void
conntrack_credit(struct conntrack *ct, struct env *env, struct conn *c, const struct conn_passed *passed)
{
	const struct router *r = ct->live->now;

	for (unsigned dir = 0; dir < 2; dir++) {
		c->count[dir].packets += passed->packets[dir];
		c->count[dir].bytes += passed->bytes[dir];
	}
	if (passed->tcp)
		c->tcp = *passed->tcp;
	if (c->status & CT_FIXED_TIMEOUT || !(passed->packets[0] | passed->packets[1]))
		return;
	if (!passed->tcp) {
		c->expires = RTE_MAX(c->expires, passed->last + passed->timeout);
		return;
	}
	if (!r)
		return;
	c->expires = passed->last + tcp_timeout(&r->tunables, passed->tcp, TCP_IS_ACK, TCP_CT_ESTABLISHED);
	wheel_update(ct, env, c);
}
