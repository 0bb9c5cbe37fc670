/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of workers, by the router's own stack: an echo request, or a SYN. A question is asked each
 * interval, and an answer that has not come by the next one never came. A refused connection is an
 * answer that says no at once. As any packet of the router's, questions go through its OUTPUT chain,
 * and answers through INPUT.
 *
 * `fail` results in a row take a worker out, `rise` bring it back. The connections of one that is
 * out end, some at a time, so that clients do not go on talking to nobody: those that retransmit
 * reach another worker, which resets what it does not know.
 */
#include "nat/balance_live.h"

#include "fabric/base/log.h"
#include "filters/live.h"
#include "routing/icmp.h"
#include "routing/tcp_reset.h"
#include "routing/tcp_syn.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>

enum {
	ECHO_ID = 0xba1a,
	ECHO_BYTES = 8,
	PORT_FIRST = 61000, /* above the kernel's local ports (ip_local_port_range) */
	PORTS = 4500,
	SWEEP_EACH = 256,   /* connections */
};

static const uint64_t SWEEP_PAUSE = 1000000; /* ns */

/* ---- connections of the dead ---- */

struct sweep {
	struct env *env;
	struct conntrack *ct;
};

static void
end_if_dead(void *arg, uint32_t index, struct conn *c)
{
	const struct sweep *s = arg;

	(void)index;
	if (balance_is_dead(s->ct, c))
		conntrack_delete(s->env, s->ct, c);
}

static void
sweep(struct timer *t, struct env *env)
{
	struct balance_lives *l =
		(struct balance_lives *)((char *)t - offsetof(struct balance_lives, sweep));
	struct sweep s = {env, l->ct};

	if (conntrack_walk(l->ct, env->now, &l->cursor, SWEEP_EACH, end_if_dead, &s))
		timer_arm(env->timers, t, env->now + SWEEP_PAUSE);
}

void
balance_sweep_start(struct env *env, struct balance_lives *l)
{
	l->cursor = 1;
	l->sweep.fire = sweep;
	timer_arm(env->timers, &l->sweep, env->now);
}

/* ---- results ---- */

static void
tell(const struct balance_live *w)
{
	const struct router *r = conntrack_router(w->ct);
	char service[INET_ADDRSTRLEN], worker[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &w->key.service, service, sizeof(service));
	inet_ntop(AF_INET, &w->key.worker, worker, sizeof(worker));
	log_line(LOG_WARNING, "balance", "%s: worker %s:%u of %s:%u (%s) %s", r ? r->name : "", worker,
		w->key.worker_port, service, w->key.service_port,
		w->key.protocol == IPPROTO_TCP ? "tcp" : "udp",
		w->up ? "answers again" : "does not answer: it gets no connections");
}

static void
result(struct env *env, struct balance_live *w, bool good)
{
	w->asked = false;
	if (good == w->up) {
		w->streak = 0;
		return;
	}
	if (++w->streak < (good ? w->rise : w->fail))
		return;
	w->streak = 0;
	w->up = good;
	w->since = env->now;
	tell(w);
	if (!good)
		balance_sweep_start(env, balance_lives(w->ct));
}

/* ---- questions ---- */

static struct pkt *
question(struct env *env, const struct router *r, struct balance_live *w)
{
	struct ip_addr to = ip4(w->key.worker), from = {.family = AF_UNSPEC};

	if (router_source_for(r, &to, &from) < 0)
		return NULL;
	w->seq++;
	if (w->kind == BALANCE_CHECK_PING)
		return icmp_echo_new(env, r, from, to,
			(uint8_t)tune(&r->tunables, TUNE_IP_DEFAULT_TTL), ECHO_ID,
			(uint16_t)(w->id << 4 | (w->seq & 15)), ECHO_BYTES, false);
	w->port = (uint16_t)(PORT_FIRST + env_random(env) % PORTS);
	return tcp_syn_new(env, r, &(struct tcp_syn){.src = from.v4,
					   .dst = to.v4,
					   .sport = w->port,
					   .dport = w->check_port,
					   .seq = env_random(env)});
}

static void
ask(struct timer *t, struct env *env)
{
	struct balance_live *w =
		(struct balance_live *)((char *)t - offsetof(struct balance_live, timer));
	const struct router *r = conntrack_router(w->ct);
	struct pkt *p;

	if (w->asked)
		result(env, w, false);
	timer_arm(env->timers, t, env->now + w->interval);
	if (!r)
		return;
	p = question(env, r, w);
	w->asked = true;
	if (p)
		env_emit(env, p, ORIGIN_OUTPUT);
}

void
balance_check_start(struct env *env, struct balance_live *w)
{
	w->timer.fire = ask;
	if (w->kind == BALANCE_CHECK_NONE)
		timer_cancel(env->timers, &w->timer);
	else
		timer_arm(env->timers, &w->timer, env->now);
}

void
balance_check_stop(struct env *env, struct balance_live *w)
{
	timer_cancel(env->timers, &w->timer);
	w->kind = BALANCE_CHECK_NONE;
}

/* ---- answers ---- */

static bool
heard_echo(struct env *env, struct balance_lives *l, const struct pkt *p)
{
	const struct icmphdr *icmp = pkt_l4(p);
	uint16_t seq = ntohs(icmp->un.echo.sequence), id = seq >> 4;
	struct balance_live *w;

	if (icmp->type != ICMP_ECHOREPLY || icmp->un.echo.id != htons(ECHO_ID) || id >= l->used)
		return false;
	w = l->at[id];
	if (!w || w->kind != BALANCE_CHECK_PING || pkt_ip4(p)->saddr != w->key.worker)
		return false;
	if (w->asked && (seq & 15) == (w->seq & 15))
		result(env, w, true);
	return true;
}

static bool
heard_segment(struct env *env, struct balance_lives *l, const struct router *r, const struct pkt *p)
{
	const struct tcphdr *tcp = pkt_l4(p);
	uint16_t i;

	if (ntohs(tcp->dest) < PORT_FIRST)
		return false;
	for (i = 1; i < l->used; i++) {
		struct balance_live *w = l->at[i];

		if (!w || w->kind != BALANCE_CHECK_TCP || pkt_ip4(p)->saddr != w->key.worker ||
			ntohs(tcp->dest) != w->port || ntohs(tcp->source) != w->check_port)
			continue;
		if (w->asked && (tcp->rst || (tcp->syn && tcp->ack)))
			result(env, w, !tcp->rst);
		if (!tcp->rst)
			tcp_reset(env, r, p);
		return true;
	}
	return false;
}

bool
balance_heard(struct env *env, const struct router *r, const struct pkt *p)
{
	struct filters_live *f = r->live->filters;
	struct balance_lives *l = r->balance && f && f->conntrack ? balance_lives(f->conntrack) : NULL;

	if (!l || !l->at || p->family != AF_INET || p->l4_len == 0)
		return false;
	if (p->proto == IPPROTO_ICMP)
		return heard_echo(env, l, p);
	return p->proto == IPPROTO_TCP && pkt_l4_checksum_ok(p) && heard_segment(env, l, r, p);
}
