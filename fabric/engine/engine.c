/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/engine.h"

#include "fabric/base/log.h"
#include "fabric/engine/compile.h"
#include "fabric/engine/nflog.h"
#include "fabric/engine/publish.h"
#include "fabric/engine/queue.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { PATHS = 1 << 20 /* of one worker; memory comes as it is used */ };

uint64_t
clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
slow_lock(struct worker *w)
{
	struct slow_lock *l = &w->engine->lock;

	if (pthread_mutex_trylock(&l->mutex) != 0) {
		atomic_fetch_add(&l->waiting, 1);
		pthread_mutex_lock(&l->mutex);
		atomic_fetch_sub(&l->waiting, 1);
	}
	w->walker.fabric = atomic_load_explicit(&w->engine->fabric, memory_order_acquire);
	w->walker.env.now = clock_now();
	w->poll_ns = (uint64_t)tune(&w->engine->tunables, TUNE_IDLE_POLL_TIME) * 1000;
}

void
slow_unlock(struct worker *w)
{
	struct slow_lock *l = &w->engine->lock;
	uint64_t next = timers_next(&w->engine->timers);
	uint64_t before = atomic_exchange(&w->engine->next_timer, next);

	pthread_mutex_unlock(&l->mutex);
	if (next < before && w->id != 0)
		worker_wake(&w->engine->workers[0]);
	if (atomic_load_explicit(&l->waiting, memory_order_relaxed))
		sched_yield();
}

void
engine_synchronize(struct engine *e)
{
	rte_rcu_qsbr_synchronize(e->rcu, RTE_QSBR_THRID_INVALID);
}

static int
pools_init(struct port_pools *pools, unsigned buffers)
{
	pools->small = rte_pktmbuf_pool_create(
			"small", buffers - 1, 256, sizeof(struct pkt), PKT_HEADROOM + PORT_SMALL, SOCKET_ID_ANY);
	pools->large = rte_pktmbuf_pool_create(
			"large", buffers / 16 - 1, 64, sizeof(struct pkt), PORT_LARGE, SOCKET_ID_ANY);
	if (pools->small && pools->large)
		return 0;
	log_line(LOG_ERROR, "engine", "no memory for %u packet buffers: %s", buffers, rte_strerror(rte_errno));
	return -ENOMEM;
}

static int
rcu_init(struct engine *e)
{
	e->rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(WORKERS_MAX), RTE_CACHE_LINE_SIZE);
	if (!e->rcu)
		return -ENOMEM;
	return rte_rcu_qsbr_init(e->rcu, WORKERS_MAX) ? -ENOMEM : 0;
}

static int
tables_init(struct engine *e)
{
	e->ports = mmap(NULL, PORTS_MAX * sizeof(*e->ports), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (e->ports == MAP_FAILED) {
		e->ports = NULL;
		return -ENOMEM;
	}
	e->ports_end = 1;
	return publish_empty(e);
}

static int
workers_init(struct engine *e, unsigned n)
{
	int rc = worker_init(&e->control, e, WORKERS_MAX);

	e->workers = calloc(n, sizeof(*e->workers));
	if (!e->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < n && rc == 0; i++) {
		rc = worker_init(&e->workers[i], e, i);
		if (rc == 0)
			e->n_workers++;
	}
	return rc;
}

void
engine_use_paths(struct engine *e, bool on)
{
	for (unsigned i = 0; i < e->n_workers; i++)
		e->workers[i].cache = on ? e->paths.caches[i] : NULL;
	if (!on)
		paths_flush(&e->paths);
}

static int
path_caches_init(struct engine *e)
{
	int rc = paths_init(&e->paths, &e->control.walker.env, e->n_workers, PATHS);

	if (rc == 0)
		engine_use_paths(e, true);
	return rc;
}

int
engine_start(struct engine *e)
{
	int rc = 0;

	for (unsigned i = 0; i < e->n_workers && rc == 0; i++)
		rc = worker_start(&e->workers[i]);
	return rc;
}

int
engine_init(struct engine *e, unsigned workers, unsigned buffers)
{
	int rc;

	*e = (struct engine){.started = clock_now(), .next_timer = UINT64_MAX};
	pthread_mutex_init(&e->lock.mutex, NULL);
	timers_init(&e->timers);
	tunables_init(&e->tunables);
	TAILQ_INIT(&e->probes);
	e->queues = queues_new();
	e->compiler = compile_new();
	if (!e->queues || !e->compiler)
		return -ENOMEM;
	rc = pools_init(&e->pools, buffers);
	if (rc == 0)
		rc = rcu_init(e);
	if (rc == 0)
		rc = tables_init(e);
	if (rc == 0)
		rc = workers_init(e, workers);
	if (rc == 0)
		rc = path_caches_init(e);
	return rc;
}

void
engine_fini(struct engine *e)
{
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_stop(&e->workers[i]);
	compile_free(e->compiler);
	e->compiler = NULL;
	publish_nothing(e);
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_fini(&e->workers[i]);
	worker_fini(&e->control);
	paths_fini(&e->paths);
	queues_free(e->queues);
	nflog_free(e->nflog);
	free(e->workers);
	timers_fini(&e->timers);
	munmap(e->ports, PORTS_MAX * sizeof(*e->ports));
	rte_free(e->rcu);
	rte_mempool_free(e->pools.small);
	rte_mempool_free(e->pools.large);
}

const struct router *
engine_router(const struct engine *e, const char *name)
{
	const struct placed_node *n = name && e->placement ? placed_node(e->placement, name) : NULL;

	return n && n->live ? n->live->now : NULL;
}
