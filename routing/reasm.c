/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly.
 *
 * A datagram is what is known of the fragments with one (source, destination, id, protocol,
 * user). It lives from its first fragment until it is whole, contradicts itself, waits for longer
 * than ipfrag_time, or is pushed out: the memory that all datagrams of a router hold stays below
 * ipfrag_high_thresh, and the oldest goes first. Memory is what the buffers take, not what their
 * fragments say.
 *
 * Fragments lie in a list sorted by offset and never overlap; offset and length are read from
 * their headers, which stay until the end. An overlap kills the datagram. It then stays as a
 * tombstone, without fragments, until its time is over, so that what comes of it later does not
 * start it anew (RFC 5722). A fragment within what is already there in one piece is a duplicate:
 * it goes, the rest stays.
 *
 * While a source has incomplete datagrams it has a record that counts its fragments. A datagram
 * whose last fragment lies more than ipfrag_max_dist of them back starts again: its id has
 * probably come round.
 *
 * The whole datagram is a chain of the buffers of the fragments; nothing is copied, unless the
 * first fragment is so short that the layer 4 header would be scattered.
 */
#include "routing/reasm_store.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "routing/icmp.h"

#include <netinet/ip_icmp.h>

enum { L4_HEADER_MAX = 60 };

enum { ECN_CE = 3, SAW_NOT_ECT = 1 << 0, SAW_CE = 1 << ECN_CE };

static uint32_t
offset_of(const struct pkt *p)
{
	return (ntohs(pkt_ip4(p)->frag_off) & IP_OFFMASK) * 8u;
}

static uint32_t
end_of(const struct pkt *p)
{
	return offset_of(p) + pkt_len(p) - p->l3_len;
}

/*
 * RFC 792: the one the datagram is for tells its sender, and only if it has the first fragment to
 * quote.
 */
static void
report_timeout(struct datagram *d, struct env *env)
{
	const struct router *r = d->reasm->live->now;
	struct pkt *first = STAILQ_FIRST(&d->fragments);

	if (!r || !first || d->key.user != REASM_LOCAL || offset_of(first) != 0)
		return;
	first->router = r;
	first->in = router_iface(r, first->in_slot);
	first->out = NULL;
	icmp_error(env, r, first, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
}

void
datagram_on_timeout(struct timer *timer, struct env *env)
{
	struct datagram *d = (struct datagram *)((char *)timer - offsetof(struct datagram, timer));

	report_timeout(d, env);
	datagram_end(d, env, DROP_REASM_TIMEOUT);
}

static void
restart_if_too_far(struct datagram *d, struct env *env, const struct tunables *t)
{
	uint32_t max = (uint32_t)tune(t, TUNE_IPFRAG_MAX_DIST), last = d->counter;

	d->counter = ++d->source->counter;
	if (max == 0 || STAILQ_EMPTY(&d->fragments) || d->counter - last <= max)
		return;
	datagram_empty(d, env, DROP_REASM_TIMEOUT);
	timer_arm(env->timers, &d->timer, env->now + tune_ns(t, TUNE_IPFRAG_TIME));
}

static enum drop_reason
check_fragment(const struct pkt *p)
{
	uint32_t len = pkt_len(p) - p->l3_len;
	bool more = pkt_ip4(p)->frag_off & htons(IP_MF);

	if (p->family != AF_INET)
		return DROP_IPV6;
	if (!(p->flags & PKT_FRAGMENT) || len == 0 || (more && len % 8))
		return DROP_FRAGMENT;
	return end_of(p) + p->l3_len > 65535 ? DROP_REASM_SIZE : DROP_NONE;
}

/* Where the datagram ends must be the same in every fragment. */
static bool
note_end(struct datagram *d, const struct pkt *p)
{
	uint32_t end = end_of(p);
	bool last = !(pkt_ip4(p)->frag_off & htons(IP_MF));

	if (last ? end < d->len || (d->end_known && end != d->len) : d->end_known && end > d->len)
		return false;
	d->end_known |= last;
	d->len = RTE_MAX(d->len, end);
	return true;
}

/*
 * How `p` meets `at`, the first fragment it overlaps; `start` is where the gapless run that `at`
 * is part of begins.
 */
static enum drop_reason
judge_overlap(const struct pkt *p, const struct pkt *at, uint32_t start)
{
	const struct pkt *next = at;
	uint32_t end = end_of(at);

	while ((next = STAILQ_NEXT(next, queue)) && offset_of(next) == end)
		end = end_of(next);
	return offset_of(p) >= start && end_of(p) <= end ? DROP_REASM_DUPLICATE
							 : DROP_REASM_OVERLAP;
}

/* Puts `p` in its place. => DROP_NONE, or why it has none. */
static enum drop_reason
insert(struct datagram *d, struct pkt *p)
{
	struct pkt *at, *before = NULL, *last = d->last;
	uint32_t start = 0, run_end = UINT32_MAX;

	if (!last || offset_of(p) >= end_of(last)) {
		STAILQ_INSERT_TAIL(&d->fragments, p, queue);
		d->last = p;
		return DROP_NONE;
	}
	STAILQ_FOREACH (at, &d->fragments, queue) {
		if (offset_of(at) >= end_of(p))
			break;
		if (offset_of(at) != run_end)
			start = offset_of(at);
		run_end = end_of(at);
		if (run_end > offset_of(p))
			return judge_overlap(p, at, start);
		before = at;
	}
	if (before)
		STAILQ_INSERT_AFTER(&d->fragments, before, p, queue);
	else
		STAILQ_INSERT_HEAD(&d->fragments, p, queue);
	return DROP_NONE;
}

static void
note_fragment(struct datagram *d, struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint16_t size = (uint16_t)pkt_len(p);

	d->have += size - p->l3_len;
	d->ecn |= (uint8_t)(1 << (ip->tos & 3));
	d->largest = RTE_MAX(d->largest, size);
	if (ip->frag_off & htons(IP_DF))
		d->largest_df = RTE_MAX(d->largest_df, size);
	datagram_charge(d, p);
	record_refuse(p->recorder, "it is a fragment");
	p->recorder = NULL;
	p->recorder = NULL;
	p->in_slot = p->in ? p->in->slot : 0;
}

/* Takes `p` into `d`. => DROP_NONE, or why it did not fit; then `p` is still the caller's. */
static enum drop_reason
add_fragment(struct datagram *d, struct env *env, struct pkt *p)
{
	enum drop_reason why;

	if (d->dead)
		return DROP_REASM_OVERLAP;
	if (!note_end(d, p)) {
		datagram_end(d, env, DROP_FRAGMENT);
		return DROP_FRAGMENT;
	}
	why = insert(d, p);
	if (why == DROP_REASM_OVERLAP) {
		datagram_empty(d, env, why);
		d->dead = true;
	}
	if (!why)
		note_fragment(d, p);
	return why;
}

/* Hangs the payloads of the other fragments behind the first one. */
static struct pkt *
join(struct datagram *d)
{
	struct pkt *head = datagram_pop(d), *p;
	struct rte_mbuf *m = pkt_mbuf(head), *last = rte_pktmbuf_lastseg(m);

	while ((p = datagram_pop(d))) {
		struct rte_mbuf *more = pkt_mbuf(p);

		rte_pktmbuf_adj(more, p->l3_len);
		last->next = more;
		last = rte_pktmbuf_lastseg(more);
		m->nb_segs = (uint16_t)(m->nb_segs + more->nb_segs);
		m->pkt_len += more->pkt_len;
	}
	return head;
}

/*
 * RFC 3168 5.3: congestion met by a part was met by the whole; parts that disagree on ECN make no
 * whole.
 */
static bool
ecn_agrees(uint8_t saw)
{
	return !(saw & SAW_NOT_ECT) || saw == SAW_NOT_ECT;
}

/*
 * DF only when the largest fragment had it: then the path is known to carry that size (as Linux
 * ip_frag_reasm).
 */
static void
fix_header(struct pkt *p, const struct datagram *d)
{
	struct iphdr *ip = pkt_ip4(p);

	ip->tot_len = htons((uint16_t)pkt_len(p));
	ip->frag_off = d->largest_df == d->largest ? htons(IP_DF) : 0;
	if (d->ecn & SAW_CE)
		ip->tos |= ECN_CE;
	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

static enum drop_reason
make_whole(struct datagram *d, struct env *env, struct pkt **p)
{
	struct pkt *up;
	enum drop_reason why;

	*p = join(d);
	(*p)->flags &= (uint16_t)~PKT_CSUM_VALID;
	(*p)->flags |= PKT_REASSEMBLED;
	(*p)->frag_max = d->largest;
	fix_header(*p, d);
	up = pkt_chain_pullup(
		env, *p, RTE_MIN(pkt_len(*p), (*p)->l3_len + (uint32_t)L4_HEADER_MAX));
	if (!up)
		return DROP_NO_BUFFER;
	*p = up;
	why = pkt_parse(*p);
	return why;
}

static struct pkt *
assemble(struct datagram *d, struct env *env, const struct iface *in)
{
	struct drops *drops = &d->reasm->live->drops;
	struct pkt *first = STAILQ_FIRST(&d->fragments);
	enum drop_reason why = DROP_NONE;

	if (!ecn_agrees(d->ecn))
		why = DROP_FRAGMENT;
	else if (first->l3_len + d->len > 65535)
		why = DROP_REASM_SIZE;
	if (why) {
		datagram_end(d, env, why);
		return NULL;
	}
	why = make_whole(d, env, &first);
	first->router = d->reasm->live->now;
	first->in = in;
	datagram_end(d, env, DROP_NONE);
	if (why) {
		pkt_drop(env, drops, first, why);
		return NULL;
	}
	return first;
}

struct pkt *
reasm_input(struct reasm *r, struct env *env, enum reasm_user user, struct pkt *p)
{
	const struct router *now = r->live->now;
	const struct iface *in = p->in;
	enum drop_reason why = now ? check_fragment(p) : DROP_IFACE_GONE;
	struct datagram *d = NULL;

	if (!why) {
		d = datagram_get(r, env, &now->tunables, user, p);
		why = d ? DROP_NONE : DROP_REASM_MEMORY;
	}
	if (!why) {
		restart_if_too_far(d, env, &now->tunables);
		why = add_fragment(d, env, p);
	}
	if (why) {
		pkt_drop(env, &r->live->drops, p, why);
		return NULL;
	}
	return d->end_known && d->have == d->len ? assemble(d, env, in) : NULL;
}
