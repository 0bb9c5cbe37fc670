/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours.
 *
 * An entry goes through the states of Linux net/core/neighbour.c:
 *
 *	NONE, FAILED -- packet --> INCOMPLETE (asks all, packets wait) -- silence --> FAILED
 *	any -- answer --> REACHABLE -- unconfirmed for arp_reachable_time --> STALE
 *	STALE -- packet --> DELAY -- arp_delay_probe_time --> PROBE (asks it alone)
 *	PROBE -- silence --> FAILED
 *
 * In STALE, DELAY and PROBE the address is used all the while. A timer is armed in INCOMPLETE,
 * DELAY and PROBE, where something has to happen; that REACHABLE has become STALE is found when
 * somebody looks. So a LAN on which nobody speaks wakes nobody. The exception: who records a path
 * will not look again, so a REACHABLE entry that was recorded gets a timer for its end.
 *
 * Packets wait in the entry, at most arp_queue of them; what overflows is the oldest. They are
 * parked: they hold the slots of their interfaces instead of pointers, since a generation may
 * pass meanwhile.
 */
#include "routing/neigh_table.h"

#include "routing/icmp.h"

#include <netinet/ip_icmp.h>

static const char *const state_names[] = {
	[NEIGH_NONE] = "none",
	[NEIGH_INCOMPLETE] = "incomplete",
	[NEIGH_REACHABLE] = "reachable",
	[NEIGH_STALE] = "stale",
	[NEIGH_DELAY] = "delay",
	[NEIGH_PROBE] = "probe",
	[NEIGH_FAILED] = "failed",
	[NEIGH_PERMANENT] = "permanent",
};

const char *
neigh_state_name(enum neigh_state s)
{
	return state_names[s];
}

static void
tell_sender(struct env *env, const struct pkt *p)
{
	icmp_error(env, p->router, p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
}

const struct neigh_ops neigh_ops_of_router = {arp_ask, tell_sender};

static bool
has_mac(enum neigh_state s)
{
	return s != NEIGH_NONE && s != NEIGH_INCOMPLETE && s != NEIGH_FAILED;
}

void
neigh_set_state(struct neigh *n, struct env *env, enum neigh_state state)
{
	if (n->state == state)
		return;
	n->state = state;
	n->updated = env->now;
	n->probes = 0;
	if (state != NEIGH_INCOMPLETE && state != NEIGH_DELAY && state != NEIGH_PROBE)
		timer_cancel(env->timers, &n->timer);
	version_bump(env->epoch, &n->version);
}

enum neigh_state
neigh_state_now(const struct neigh *n, const struct tunables *t, uint64_t now)
{
	if (n->state == NEIGH_REACHABLE && now > n->confirmed + tune_ns(t, TUNE_ARP_REACHABLE_TIME))
		return NEIGH_STALE;
	return n->state;
}

/* Router and interfaces as they are now. => false: some of it is gone. */
static bool
unpark(const struct neigh_table *t, struct pkt *p)
{
	const struct router *r = t->live->now;

	if (!r)
		return false;
	p->router = r;
	p->in = p->in_slot ? router_iface(r, p->in_slot) : NULL;
	p->out = router_iface(r, p->out_slot);
	return p->out && (p->in || !p->in_slot);
}

static void
send_waiting(struct neigh *n, struct env *env)
{
	struct pkt *p;

	while ((p = STAILQ_FIRST(&n->waiting))) {
		STAILQ_REMOVE_HEAD(&n->waiting, queue);
		n->queued--;
		if (!unpark(n->table, p)) {
			pkt_drop(env, &n->table->live->drops, p, DROP_IFACE_GONE);
			continue;
		}
		p->dst_mac = n->mac;
		p->ether_type = p->family == AF_INET6 ? htons(0x86dd) : htons(0x0800);
		env_emit(env, p, ORIGIN_EGRESS);
	}
}

/* Nobody answered: the senders of what waited hear of it, as arp_error_report() has it. */
static void
fail(struct neigh *n, struct env *env)
{
	struct pkt_queue lost = STAILQ_HEAD_INITIALIZER(lost);
	struct pkt *p;

	neigh_set_state(n, env, NEIGH_FAILED);
	STAILQ_CONCAT(&lost, &n->waiting);
	n->queued = 0;
	while ((p = STAILQ_FIRST(&lost))) {
		bool there = unpark(n->table, p);

		STAILQ_REMOVE_HEAD(&lost, queue);
		if (there)
			n->table->ops->unreachable(env, p);
		pkt_drop(env, &n->table->live->drops, p,
			there ? DROP_NEIGH_FAILED : DROP_IFACE_GONE);
	}
}

static void
park(struct neigh *n, struct env *env, const struct tunables *t, struct pkt *p)
{
	struct pkt *oldest;

	record_refuse(p->recorder, "it waited for its neighbour");
	p->recorder = NULL;
	p->in_slot = p->in ? p->in->slot : 0;
	p->out_slot = p->out->slot;
	STAILQ_INSERT_TAIL(&n->waiting, p, queue);
	n->queued++;
	while (n->queued > (unsigned)tune(t, TUNE_ARP_QUEUE)) {
		oldest = STAILQ_FIRST(&n->waiting);
		STAILQ_REMOVE_HEAD(&n->waiting, queue);
		n->queued--;
		pkt_drop(env, &n->table->live->drops, oldest, DROP_NEIGH_QUEUE);
	}
}

/* Asks, and comes back in arp_retrans_time. Without a timer nothing would end the wait. */
static void
probe(struct neigh *n, struct env *env, const struct router *r, const struct iface *out,
	const struct pkt *about)
{
	if (timer_arm(env->timers, &n->timer,
		    env->now + tune_ns(&r->tunables, TUNE_ARP_RETRANS_TIME)) < 0) {
		fail(n, env);
		return;
	}
	n->table->ops->ask(env, r, out, &n->addr, n->state == NEIGH_INCOMPLETE ? NULL : &n->mac, about);
	n->probes++;
}

/*
 * Has a REACHABLE entry looked at when its confirmation ends. Without memory for a timer it is
 * not to be recorded.
 */
static void
watch(struct neigh *n, struct env *env, const struct tunables *t, struct recorder *recorder)
{
	uint64_t end = n->confirmed + tune_ns(t, TUNE_ARP_REACHABLE_TIME);

	if (timer_arm(env->timers, &n->timer, end) < 0)
		record_refuse(recorder, "no memory to watch its neighbour");
}

static void
end_reachable(struct neigh *n, struct env *env, const struct tunables *t)
{
	uint64_t updated = n->updated;

	if (neigh_state_now(n, t, env->now + 1) == NEIGH_STALE)
		neigh_set_state(n, env, NEIGH_STALE);
	else
		watch(n, env, t, NULL);
	n->updated = updated; /* that somebody watches it is no news of it */
}

static void
ask_again(struct neigh *n, struct env *env, const struct router *r, const struct iface *out)
{
	int64_t limit;

	if (n->state == NEIGH_DELAY)
		neigh_set_state(n, env, NEIGH_PROBE);
	limit = tune(&r->tunables,
		n->state == NEIGH_PROBE ? TUNE_ARP_UCAST_SOLICIT : TUNE_ARP_MCAST_SOLICIT);
	if (n->probes >= limit)
		fail(n, env);
	else
		probe(n, env, r, out, STAILQ_FIRST(&n->waiting));
}

void
neigh_on_timer(struct timer *timer, struct env *env)
{
	struct neigh *n = (struct neigh *)((char *)timer - offsetof(struct neigh, timer));
	const struct router *r = n->table->live->now;
	const struct iface *out = r ? router_iface(r, n->table->slot) : NULL;

	if (!out)
		fail(n, env);
	else if (n->state == NEIGH_REACHABLE)
		end_reachable(n, env, &r->tunables);
	else
		ask_again(n, env, r, out);
}

/* Stale and in use: give the answer of higher layers' traffic a chance, then ask. */
static void
delay(struct neigh *n, struct env *env, const struct tunables *t)
{
	if (timer_arm(env->timers, &n->timer, env->now + tune_ns(t, TUNE_ARP_DELAY_PROBE_TIME)) ==
		0)
		neigh_set_state(n, env, NEIGH_DELAY);
}

enum neigh_answer
neigh_resolve(struct neigh_table *t, struct env *env, const struct iface *out, struct pkt *p,
	struct mac_addr *mac)
{
	const struct router *r = p->router;
	struct neigh *n = neigh_get(t, env, &r->tunables, &p->nexthop);

	if (!n) {
		pkt_drop(env, &t->live->drops, p, DROP_NEIGH_TABLE);
		return NEIGH_DROPPED;
	}
	n->used = env->now;
	if (neigh_state_now(n, &r->tunables, env->now) == NEIGH_STALE)
		delay(n, env, &r->tunables);
	if (has_mac(n->state)) {
		if (p->recorder && n->state == NEIGH_REACHABLE && !timer_armed(&n->timer))
			watch(n, env, &r->tunables, p->recorder);
		record_read(p->recorder, &n->version);
		*mac = n->mac;
		return NEIGH_READY;
	}
	p->out = out;
	park(n, env, &r->tunables, p);
	if (n->state != NEIGH_INCOMPLETE) {
		neigh_set_state(n, env, NEIGH_INCOMPLETE);
		probe(n, env, r, out, p);
	}
	return NEIGH_PARKED;
}

/* What state an answer or a mere sighting leaves the entry in. */
static enum neigh_state
state_after(const struct neigh *n, bool same, bool confirmed)
{
	if (confirmed)
		return NEIGH_REACHABLE;
	return has_mac(n->state) && same ? n->state : NEIGH_STALE;
}

void
neigh_learn(
	struct neigh *n, struct env *env, const struct mac_addr *mac, bool confirmed, bool replace)
{
	const struct router *r = n->table->live->now;
	bool same = mac_equal(&n->mac, mac), known = has_mac(n->state);

	if (n->state == NEIGH_PERMANENT || (known && !same && !replace))
		return;
	/* as a watched one would be */
	if (r && n->state == NEIGH_REACHABLE && neigh_state_now(n, &r->tunables, env->now) == NEIGH_STALE)
		n->state = NEIGH_STALE;
	if (confirmed)
		n->confirmed = env->now;
	neigh_set_state(n, env, state_after(n, same, confirmed));
	if (!known || !same) {
		n->mac = *mac;
		n->updated = env->now;
		version_bump(env->epoch, &n->version);
	}
	send_waiting(n, env);
}
