/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet has made its journey: what became of it, and what was noted on the way, becomes a path. */
#include "fabric/engine/path_private.h"

#include "fabric/base/csum.h"

#include <rte_common.h>

static bool
is_as_recorded(const struct recorder *rec)
{
	for (unsigned k = 0; k < rec->n_conns; k++) {
		const struct conn *c = conntrack_at(rec->conns[k].table, rec->conns[k].index);

		if (c->version != rec->conns[k].version || c->status & CT_DYING)
			return false;
	}
	return true;
}

/* Anything but addresses, ports, TOS and TTL is as it was. */
static bool
is_expressible(const struct path_cache *c, const struct pkt *p, const struct iphdr *ip)
{
	return p->family == AF_INET && !(p->flags & (PKT_FRAGMENT | PKT_OPTIONS | PKT_REASSEMBLED)) && p->l4_len &&
	       ip->ihl == sizeof(*ip) / 4 && ip->id == c->ip_id && ip->ttl <= c->ttl && c->len <= UINT16_MAX &&
	       pkt_len(p) - p->l2_len == c->len && (uint8_t)(c->lookup.rest >> KEY_PROTO_SHIFT) == ip->protocol;
}

static uint16_t
delta(uint64_t sum)
{
	return csum_fold(sum);
}

/* A path holds for as long as PATH_LIFE after its last packet, by clocks that do not count less than LAST_SHIFT. */
static bool
outlives_pauses(const struct recorder *rec)
{
	return rec->pause > PATH_LIFE + (2ull << LAST_SHIFT);
}

/* A super-packet of just this length fits where a packet of it would not, or is cut where one is not. */
static bool
length_says_all(const struct recorder *rec, const struct pkt *p)
{
	return !(rec->guards & GUARD_LENGTH) || !pkt_is_gso(p);
}

/* How the headers change. */
static void
describe(const struct path_cache *c, struct path *path, const struct iphdr *ip)
{
	const uint8_t *l4 = (const uint8_t *)ip + sizeof(*ip);
	uint32_t src = (uint32_t)c->lookup.addresses, dst = (uint32_t)(c->lookup.addresses >> 32);
	uint16_t sport = (uint16_t)c->lookup.rest, dport = (uint16_t)(c->lookup.rest >> 16);
	uint8_t tos = (uint8_t)(c->lookup.rest >> KEY_TOS_SHIFT);
	uint64_t addresses;

	path->addresses = c->lookup.addresses;
	path->rest = c->lookup.rest;
	path->src = ip->saddr;
	path->dst = ip->daddr;
	memcpy(&path->sport, l4, 2);
	memcpy(&path->dport, l4 + 2, 2);
	path->tos = ip->tos;
	path->ttl_less = (uint8_t)(c->ttl - ip->ttl);
	addresses = (uint64_t)(uint32_t)~src + path->src + (uint32_t)~dst + path->dst;
	path->l4_delta = delta(addresses + (uint16_t)~sport + path->sport + (uint16_t)~dport + path->dport);
	path->ip_delta = delta(addresses + (uint16_t)~htons(tos) + htons(path->tos) +
			       (uint16_t)~htons((uint16_t)(path->ttl_less << 8)));
	if (src != path->src || dst != path->dst || sport != path->sport || dport != path->dport)
		path->flags |= PATH_TRANSLATES;
}

static void
guard(const struct path_cache *c, struct path *path)
{
	const struct recorder *rec = &c->recorder;

	path->ttl_least = (uint8_t)(path->ttl_less + 1);
	path->length = (uint16_t)RTE_MIN(rec->most, (uint32_t)UINT16_MAX);
	if (rec->guards & GUARD_TTL) {
		path->flags |= PATH_EXACT_TTL;
		path->ttl_least = c->ttl;
	}
	if (rec->guards & GUARD_LENGTH) {
		path->flags |= PATH_EXACT_LENGTH;
		path->length = (uint16_t)c->len;
	}
}

/* What is written is all before the bookkeeping, and the same. */
static bool
is_same_journey(const struct path *a, const struct path *b)
{
	static const uint8_t kept = PATH_EXACT_TTL | PATH_EXACT_LENGTH | PATH_TRANSLATES;

	return a->recipe == b->recipe && a->src == b->src && a->dst == b->dst && a->sport == b->sport && a->dport == b->dport &&
	       a->length == b->length && a->ttl_least == b->ttl_least && a->ttl_less == b->ttl_less && a->tos == b->tos &&
	       (a->flags & kept) == (b->flags & kept);
}

static bool
install(struct path_cache *c, const struct path *wanted)
{
	uint32_t i = path_take(c, c->lookup.hash);

	if (!i) {
		recipe_put(c, wanted->recipe);
		return false;
	}
	c->paths[i] = *wanted;
	if (!path_conns_link(c, i)) {
		path_end(c, i);
		return false;
	}
	return true;
}

/* The same flow has a path that did not do for this packet: its time was up, its window not its own, a guard too narrow. */
static bool
renew(struct path_cache *c, uint32_t i, const struct path *wanted)
{
	struct path *path = &c->paths[i];

	if (!is_same_journey(path, wanted) || !path_conns_renew(c, i)) {
		path_end(c, i);
		return false;
	}
	path->until = wanted->until;
	path->last = wanted->last;
	recipe_put(c, wanted->recipe);
	return true;
}

static void
keep(struct path_cache *c, const struct env *env, const struct pkt *p, const struct path_egress *to)
{
	const uint8_t *frame = pkt_data(p);
	const struct iphdr *ip = (const struct iphdr *)(frame + p->l2_len);
	struct path wanted = {.until = path_until(c->recorder.until), .last = (uint32_t)(env->now >> LAST_SHIFT)};
	uint32_t old;

	wanted.recipe = recipe_get(c, to, frame, p->l2_len);
	if (!wanted.recipe) {
		c->stats.refused++;
		return;
	}
	describe(c, &wanted, ip);
	guard(c, &wanted);
	old = path_find(c, &c->lookup);
	if (old && renew(c, old, &wanted))
		return;
	if (install(c, &wanted))
		c->stats.installed++;
	else
		c->stats.refused++;
}

void
path_record(struct pkt *p, const struct env *env, const struct path_egress *to)
{
	struct recorder *rec = p->recorder;
	struct path_cache *c = RTE_PTR_SUB(rec, offsetof(struct path_cache, recorder));
	const struct iphdr *ip = (const struct iphdr *)((const uint8_t *)pkt_data(p) + p->l2_len);

	p->recorder = NULL;
	if (c->recorded != p || rec->refused || rec->guards & GUARD_TCP_FLAGS)
		return;
	c->recorded = NULL;
	record_read(rec, c->ingress->version);
	record_read(rec, to->version);
	record_credit(rec, to->packets, to->bytes, p->l2_len, true);
	if (rec->refused || pkt_head_len(p) < p->l2_len + sizeof(*ip) + 4u || !is_expressible(c, p, ip) || !is_as_recorded(rec))
		return;
	if (!outlives_pauses(rec) || !length_says_all(rec, p))
		return;
	path_tend(c, env->now);
	keep(c, env, p, to);
}
