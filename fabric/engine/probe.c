/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/probe.h"

#include "routing/icmp.h"

#include <errno.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>

static void
finish(struct probe *p, struct env *env, enum probe_end end)
{
	if (p->end != PROBE_WAITS)
		return;
	p->end = end;
	p->rtt = clock_now() - p->sent; /* not of the burst: an answer may come within it */
	timer_cancel(env->timers, &p->timer);
	worker_wake(&p->engine->control);
}

static void
expired(struct timer *t, struct env *env)
{
	struct probe *p = (struct probe *)((uint8_t *)t - offsetof(struct probe, timer));

	finish(p, env, p->why != DROP_NONE ? PROBE_DROP : PROBE_TIMEOUT);
}

static struct probe *
find(struct engine *e, const struct router_live *live, uint16_t id, uint16_t seq)
{
	struct probe *p;

	TAILQ_FOREACH(p, &e->probes, entry) {
		if (p->end == PROBE_WAITS && p->id == id && p->seq == seq && (!live || p->live == live))
			return p;
	}
	return NULL;
}

struct probe *
probe_start(struct engine *e, const struct probe_request *r)
{
	struct env *env = &e->control.walker.env;
	struct probe *p = calloc(1, sizeof(*p));
	struct ip_addr from = r->from;
	struct pkt *echo;
	int rc = p ? router_source_for(r->router, &r->to, &from) : -ENOMEM;

	if (rc < 0) {
		free(p);
		errno = -rc;
		return NULL;
	}
	*p = (struct probe){.engine = e, .live = r->router->live, .owner = r->owner, .seq = r->seq, .sent = clock_now()};
	p->id = ++e->probe_id;
	p->timer.fire = expired;
	echo = icmp_echo_new(env, r->router, from, r->to, r->ttl, p->id, p->seq, r->size, r->df);
	if (!echo || timer_arm(env->timers, &p->timer, env->now + r->timeout) < 0) {
		if (echo)
			env_pkt_free(env, echo);
		free(p);
		errno = ENOMEM;
		return NULL;
	}
	TAILQ_INSERT_TAIL(&e->probes, p, entry);
	env_emit(env, echo, ORIGIN_OUTPUT);
	worker_run_queue(&e->control);
	return p;
}

void
probe_free(struct probe *p)
{
	free(p);
}

struct probe *
probe_done(struct engine *e)
{
	struct probe *p;

	TAILQ_FOREACH(p, &e->probes, entry) {
		if (p->end == PROBE_WAITS)
			continue;
		TAILQ_REMOVE(&e->probes, p, entry);
		return p;
	}
	return NULL;
}

void
probe_cancel(struct engine *e, const void *owner)
{
	struct probe *p = TAILQ_FIRST(&e->probes), *next;

	for (; p; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (p->owner != owner)
			continue;
		timer_cancel(&e->timers, &p->timer);
		TAILQ_REMOVE(&e->probes, p, entry);
		free(p);
	}
}

static const enum probe_end ends[] = {
		[ICMP_DEST_UNREACH] = PROBE_UNREACHABLE,
		[ICMP_TIME_EXCEEDED] = PROBE_TIME_EXCEEDED,
		[ICMP_PARAMETERPROB] = PROBE_UNREACHABLE,
};

/* The probe whose request is quoted by an ICMP error: its id and sequence are in the first eight bytes of its ICMP. */
static struct probe *
quoted(struct engine *e, const struct pkt *p)
{
	const uint8_t *data = pkt_data(p);
	uint32_t at = p->l3_len + sizeof(struct icmphdr), have = pkt_head_len(p);
	const struct iphdr *ip = (const struct iphdr *)(data + at);
	const struct icmphdr *icmp;

	if (at + sizeof(*ip) > have || ip->ihl < 5 || ip->protocol != IPPROTO_ICMP)
		return NULL;
	icmp = (const struct icmphdr *)(data + at + ip->ihl * 4u);
	if (at + ip->ihl * 4u + sizeof(*icmp) > have || icmp->type != ICMP_ECHO)
		return NULL;
	return find(e, p->router->live, ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence));
}

bool
probe_answer(struct walker *w, const struct pkt *p)
{
	struct engine *e = ((struct worker *)w)->engine;
	const struct icmphdr *icmp = pkt_l4(p);
	struct probe *probe;
	enum probe_end end;

	if (TAILQ_EMPTY(&e->probes) || pkt_head_len(p) < p->l3_len + sizeof(*icmp))
		return false;
	if (icmp->type == ICMP_ECHOREPLY) {
		probe = find(e, p->router->live, ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence));
		end = PROBE_ECHO;
	} else {
		end = icmp->type < RTE_DIM(ends) ? ends[icmp->type] : PROBE_WAITS;
		probe = end == PROBE_WAITS ? NULL : quoted(e, p);
	}
	if (!probe)
		return false;
	probe->from = ip4(pkt_ip4(p)->saddr);
	probe->ttl = pkt_ip4(p)->ttl;
	probe->code = icmp->code;
	probe->mtu = end == PROBE_UNREACHABLE && icmp->code == ICMP_FRAG_NEEDED ? ntohs(icmp->un.frag.mtu) : 0;
	probe->size = pkt_len(p) - p->l3_len - (uint32_t)sizeof(*icmp);
	finish(probe, &w->env, end);
	return true;
}

void
probe_lost(struct walker *w, const struct pkt *p, enum drop_reason why)
{
	struct engine *e = ((struct worker *)w)->engine;
	const struct icmphdr *icmp;
	struct probe *probe;

	if (TAILQ_EMPTY(&e->probes) || p->family != AF_INET || p->proto != IPPROTO_ICMP || p->l4_len == 0)
		return;
	icmp = pkt_l4(p);
	if (icmp->type != ICMP_ECHO)
		return;
	probe = find(e, NULL, ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence));
	if (!probe)
		return;
	probe->why = why;
	if (p->flags & PKT_LOCAL && p->router->live == probe->live)
		finish(probe, &w->env, PROBE_DROP);
}
