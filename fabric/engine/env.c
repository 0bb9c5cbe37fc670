/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/engine.h"

#include "fabric/base/log.h"
#include "fabric/base/tunable.h"
#include "fabric/engine/nflog.h"
#include "fabric/engine/queue.h"
#include "filters/conntrack.h"

static struct worker *
worker_of(struct env *env)
{
	return (struct worker *)walker_of(env);
}

static struct pkt *
pkt_new(struct env *env, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker_of(env)->engine->pools.small);

	if (!m)
		return NULL;
	pkt_reset(pkt_of(m));
	if (!rte_pktmbuf_append(m, (uint16_t)len)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return pkt_of(m);
}

/* Layer 3 of a copy lies as it does in the original: headers are read as words. */
static void
align_as(struct rte_mbuf *m, const struct pkt *p)
{
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned shift = ((uintptr_t)at - (uintptr_t)pkt_data(p)) % 4;

	if (shift == 0)
		return;
	memmove(at - shift, at, m->data_len);
	m->data_off = (uint16_t)(m->data_off - shift);
}

static struct pkt *
pkt_copy(struct env *env, const struct pkt *p)
{
	struct rte_mbuf *m = rte_pktmbuf_copy(pkt_mbuf(p), worker_of(env)->engine->pools.small, 0, UINT32_MAX);

	if (!m)
		return NULL;
	align_as(m, p);
	*pkt_of(m) = *p;
	pkt_of(m)->recorder = NULL;
	pkt_of(m)->flags &= (uint16_t)~PKT_HAS_L2;
	return pkt_of(m);
}

static void
pkt_free(struct env *env, struct pkt *p)
{
	(void)env;
	rte_pktmbuf_free(pkt_mbuf(p));
}

static void
emit(struct env *env, struct pkt *p, enum pkt_origin origin)
{
	struct worker *w = worker_of(env);

	if (w->queued >= (unsigned)tune(&w->engine->tunables, TUNE_SLOW_QUEUE)) {
		pkt_drop(env, &env->drops, p, DROP_SLOW_QUEUE);
		return;
	}
	p->origin = (uint8_t)origin;
	STAILQ_INSERT_TAIL(&w->queue, p, queue);
	w->queued++;
}

/* -j LOG and TRACE: the rule's level, syslog's, in the log's five. */
static void
log_packet(struct env *env, const struct pkt *p, int level, const char *line)
{
	static const enum log_level levels[] = {LOG_ERROR, LOG_ERROR, LOG_ERROR, LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

	(void)env;
	log_line(levels[level & 7], "filter", "%s: %s", p->router->name, line);
}

static void
nflog(struct env *env, const struct pkt *p, uint16_t group, const char *prefix, uint32_t len)
{
	struct engine *e = worker_of(env)->engine;

	if (e->nflog)
		nflog_packet(e->nflog, p, group, prefix, len);
}

static enum drop_reason
queue(struct env *env, struct pkt *p, uint16_t number)
{
	return queue_take(worker_of(env)->engine->queues, env, p, number);
}

const struct env_ops engine_env_ops = {
		.pkt_new = pkt_new,
		.pkt_copy = pkt_copy,
		.pkt_free = pkt_free,
		.emit = emit,
		.attach = conntrack_attach,
		.hold = conntrack_hold,
		.untrack = conntrack_untrack,
		.log = log_packet,
		.nflog = nflog,
		.queue = queue,
};
