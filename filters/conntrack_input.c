/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet finds its connection, or begins one (nf_conntrack_in() of nf_conntrack_core.c). */
#include "filters/conntrack_table.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"

#include <stdio.h>

enum { LOG_LEVEL = 4, CHANGED = 1, BOTH_DIRECTIONS = 3 };

enum ct_answer
ct_invalid(const struct ct_packet *k, const char *why)
{
	char line[128];

	if (!tune(ct_tunables(k), TUNE_CT_LOG_INVALID) || !k->env->ops->log)
		return CT_INVALID;
	snprintf(line, sizeof(line), "nf_ct_proto_%u: %s ", k->p->proto, why);
	k->env->ops->log(k->env, k->p, LOG_LEVEL, line);
	return CT_INVALID;
}

bool
ct_checksum_judged(const struct ct_packet *k)
{
	return k->hook == RULES_PREROUTING && tune(ct_tunables(k), TUNE_CT_CHECKSUM) &&
	       !(k->p->flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID));
}

bool
ct_checksum_bad(const struct ct_packet *k, uint8_t pseudo, uint32_t len)
{
	const struct pkt *p = k->p;
	uint64_t sum = 0;

	if (!ct_checksum_judged(k))
		return false;
	if (pseudo)
		sum = csum_pseudo4(pkt_ip4(p)->saddr, pkt_ip4(p)->daddr, pseudo,
			(uint16_t)(pkt_len(p) - p->l3_len));
	return csum_fold(pkt_chain_sum(p, p->l3_len, len, sum)) != 0xffff;
}

void
ct_changed(struct ct_packet *k)
{
	if (!ct_confirmed(k->c))
		return;
	conn_changed(k->ct, k->c);
	k->events |= CHANGED;
}

void
ct_status_set(struct ct_packet *k, uint32_t bits)
{
	if ((k->c->status & bits) == bits)
		return;
	k->c->status |= bits;
	ct_changed(k);
}

void
ct_account(struct ct_packet *k)
{
	enum ct_dir dir = ct_packet_dir(k);

	k->c->count[dir].packets++;
	k->c->count[dir].bytes += pkt_len(k->p);
}

/* Until it is confirmed the time does not run. */
void
ct_refresh(struct ct_packet *k, uint64_t timeout)
{
	struct conn *c = k->c;

	if (!ct_confirmed(c)) {
		c->expires = timeout;
	} else if (!(c->status & CT_FIXED_TIMEOUT)) {
		c->expires = k->env->now + timeout;
		wheel_update(k->ct, k->env, c);
	}
	ct_account(k);
}

static uint8_t
zone_dirs(const struct pkt *p)
{
	return p->ct_zone_dir ? p->ct_zone_dir : BOTH_DIRECTIONS;
}

/* => DROP_NONE, or why it cannot be translated as its master is. */
static enum drop_reason
expected(struct ct_packet *k, struct conn *c)
{
	struct ct_expected e;
	uint32_t master = ct_expect_take(k->env, k->ct, &c->tuple[CT_DIR_ORIGINAL], c->zone, &e);

	if (!master)
		return DROP_NONE;
	c->status |= CT_EXPECTED;
	c->master = master;
	c->mark = conn_at(k->ct, master)->mark;
	c->helper = 0;
	c->status &= ~(uint32_t)CT_HELPER;
	if (!e.follow || !k->ct->nat)
		return DROP_NONE;
	return k->ct->nat->follow(k->env, k->ct, c, conn_at(k->ct, master), &e);
}

static enum drop_reason
fill_in(struct ct_packet *k, struct conn *c, const struct ct_tuple *t, const struct ct_tuple *reply)
{
	const struct pkt *p = k->p;

	c->tuple[CT_DIR_ORIGINAL] = *t;
	c->tuple[CT_DIR_REPLY] = *reply;
	c->proto = t->proto;
	c->zone = p->ct_zone;
	c->zone_dir = zone_dirs(p);
	c->helper = p->ct_helper;
	c->status |= c->helper ? CT_HELPER : 0;
	c->counted = tune(ct_tunables(k), TUNE_CT_ACCT) != 0;
	return expected(k, c);
}

/* => DROP_NONE with k->c set, or without: nothing can begin with it. */
static enum drop_reason
begin(struct ct_packet *k, const struct ct_tuple *t)
{
	uint16_t slot = k->p->in ? k->p->in->slot : 0;
	uint32_t max = (uint32_t)tune(ct_tunables(k), TUNE_CT_MAX);
	bool managed = ct_managed(k->ct, t);
	struct ct_tuple reply;
	enum drop_reason why;
	struct conn *c;

	k->c = NULL;
	if (!ct_tuple_invert(t, &reply))
		return DROP_NONE;
	why = ct_admit(
		k, t, ct_zone_of(k->p->ct_zone, zone_dirs(k->p), CT_DIR_ORIGINAL), managed);
	if (why)
		return why;
	c = conn_new(k->ct, max);
	if (!c)
		return DROP_CT_FULL;
	if (slot && ct_iface_add(k->ct, slot) == 0)
		c->in_slot = slot;
	c->managed = managed;
	why = fill_in(k, c, t, &reply);
	if (why)
		conn_put(k->ct, c);
	else
		k->c = c;
	return why;
}

static void
found(struct ct_packet *k, uint32_t link)
{
	struct conn *c = conn_at(k->ct, link >> 1);

	conn_touch(k->ct, c);
	c->refs++;
	k->c = c;
	if (link & 1)
		k->info = CT_ESTABLISHED + CT_REPLY;
	else if (c->status & CT_SEEN_REPLY)
		k->info = CT_ESTABLISHED;
	else
		k->info = c->status & CT_EXPECTED ? CT_RELATED : CT_NEW;
}

/* The connection of the packet, old or new, held once more for it. */
static enum drop_reason
resolve(struct ct_packet *k)
{
	const struct pkt *p = k->p;
	struct ct_tuple t;
	enum drop_reason why;
	uint32_t link;

	k->c = NULL;
	if (!ct_tuple_at(pkt_mbuf(p), 0, &t))
		return DROP_NONE;
	link = ct_lookup(k->ct, k->env, k->env->now, &t, p->ct_zone, zone_dirs(p));
	if (link) {
		found(k, link);
		return DROP_NONE;
	}
	why = begin(k, &t);
	if (k->c)
		k->info = k->c->status & CT_EXPECTED ? CT_RELATED : CT_NEW;
	return why;
}

static void
hand_over(struct ct_packet *k)
{
	k->p->ct = conn_index(k->ct, k->c);
	k->p->ct_info = k->info;
}

/* => DROP_NONE; the packet has its connection, or none. */
static enum drop_reason
track(struct ct_packet *k)
{
	enum ct_answer answer;
	enum drop_reason why;

	do {
		why = resolve(k);
		if (why || !k->c)
			return why;
		answer = ct_protocol_of(k->c->proto)->packet(k);
		if (answer == CT_PASS)
			break;
		conn_put(k->ct, k->c);
		k->c = NULL;
	} while (answer == CT_AGAIN);
	if (!k->c)
		return DROP_NONE;
	if (k->info == CT_ESTABLISHED + CT_REPLY)
		ct_status_set(k, CT_SEEN_REPLY);
	if (k->events && !(k->c->status & CT_DYING))
		ct_tell(k->ct, CT_EVENT_UPDATE, k->c);
	hand_over(k);
	return DROP_NONE;
}

/* => true: it was one, and is done. */
static bool
track_icmp_error(struct ct_packet *k)
{
	if (ct_icmp_error(k) == CT_INVALID) {
		k->ct->stats.error++;
		return true;
	}
	if (!k->c)
		return false;
	k->c->refs++;
	hand_over(k);
	return true;
}

static bool
trackable(const struct pkt *p, uint8_t hook)
{
	/* Made here in fragments: as sent with IP_NODEFRAG. */
	if (hook == RULES_OUTPUT && p->flags & PKT_FRAGMENT)
		return false;
	return p->family == AF_INET && !(p->flags & PKT_LATER_FRAGMENT);
}

/* => DROP_NONE; the packet has its connection, or none. */
static enum drop_reason
track_any(struct ct_packet *k)
{
	struct pkt *p = k->p;
	enum drop_reason why;

	if (!trackable(p, k->hook)) {
		k->ct->stats.invalid++;
		return DROP_NONE;
	}
	if (p->proto == IPPROTO_ICMP && track_icmp_error(k))
		return DROP_NONE;
	why = track(k);
	if (why)
		k->ct->stats.drop++;
	else if (!p->ct)
		k->ct->stats.invalid++;
	return why;
}

enum filter_verdict
conntrack_input(
	struct env *env, const struct router *r, struct pkt *p, uint8_t hook, enum drop_reason *why)
{
	struct ct_packet k = {
		.env = env, .r = r, .ct = r->live->filters->conntrack, .p = p, .hook = hook};

	if (p->ct || p->ct_info == CT_UNTRACKED)
		return FILTER_ACCEPT;
	p->ct_info = 0;
	*why = track_any(&k);
	p->ct_zone = p->ct_helper = 0; /* what CT has said is done: an invalid packet may come by again, by lo */
	p->ct_zone_dir = 0;
	return *why ? FILTER_DROP : FILTER_ACCEPT;
}
