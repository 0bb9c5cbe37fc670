/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: one process, one control thread, one or more workers.
 *
 * The control thread alone reads configurations, builds generations, publishes and retires them, and answers commands. Workers
 * take packets from ports through the fabric. What a worker may still be looking at is retired in this order: unlinked from
 * where workers find it, then a grace period (rte_rcu_qsbr: every worker has passed its quiescent state or sleeps), then freed.
 *
 * The slow way is serialised by one lock (struct slow_lock). Under it: walking packets, timers, neighbours, reassembly, MAC
 * tables, captures, probes, and the exchange of the generation. Outside it: receiving from and sending to ports. The order of
 * locks is slow lock, then a path cache's, then a port's own lock; no other lock is held together with these.
 */
#ifndef FABRIC_ENGINE_ENGINE_H
#define FABRIC_ENGINE_ENGINE_H

#include "drivers/port.h"
#include "fabric/control/config.h"
#include "fabric/engine/path.h"
#include "fabric/router/fabric.h"

#include <pthread.h>
#include <rte_rcu_qsbr.h>
#include <rte_spinlock.h>
#include <stdatomic.h>

enum {
	PORTS_MAX = 1 << 17,
	WORKERS_MAX = 16,
	OUT_MAX = 256,  /* packets on their way to ports, between two flushes */
	BURST = 32,
};

struct engine;
struct placement;
struct probe;
struct capture;
struct compiler;
struct queues;
struct nflog;

/* A mutex whose second waiter gets it next: a busy worker gives way to the control thread. */
struct slow_lock {
	pthread_mutex_t mutex;
	atomic_uint waiting;
};

/* What the engine keeps beside a port. */
struct engine_port {
	struct port *port;
	uint32_t slot;
	struct worker *worker; /* who receives from it */
	rte_spinlock_t lock;   /* of a port without descriptor: rx and tx exclude each other */
	bool guest_up;         /* the guest has set its interface up; under the slow lock */
	bool carrier;          /* last told to the far side; control thread */
	bool started;          /* its worker watches it; control thread */
	bool ready;            /* on the worker's ready list; under its ready_lock */
	TAILQ_ENTRY(engine_port) ready_link;
	struct capture *captures; /* under the slow lock */
	struct version version;   /* whom it leads to, whether the guest is up, whether somebody captures */
	struct counters count;    /* as on the wire; rx: its worker; tx: under the slow lock, and what paths have counted when they are asked */
	uint64_t wakeups;         /* deliveries after the guest was idle for a second; whoever sends */
	uint64_t last_sent;       /* ns, CLOCK_MONOTONIC; whoever sends */
};

struct worker {
	struct walker walker; /* first: a struct env * is a worker * here */
	struct engine *engine;
	unsigned id;          /* also its id for the grace periods */
	pthread_t thread;
	int epoll_fd, wake_fd;
	atomic_bool stop;
	bool running;     /* control thread */
	uint64_t poll_ns; /* idle_poll_time, as of the last time it held the slow lock */
	struct path_cache *_Atomic cache; /* NULL: of the control thread, or switched off */
	struct pkt_queue queue; /* packets that were made or waited, to be started */
	unsigned queued;
	struct {
		struct engine_port *to;
		struct pkt *p;
	} out[OUT_MAX];
	unsigned n_out;
	rte_spinlock_t ready_lock;
	TAILQ_HEAD(, engine_port) ready; /* ports without descriptor that have something to receive */
	TAILQ_HEAD(, engine_port) polled; /* ports that must be looked at; under ready_lock */
	struct {
		_Atomic uint64_t packets, bursts, sleeps, busy_ns, since; /* read by the control thread */
	} stats;
};

struct engine {
	struct config *config; /* of the published generation; control thread only */
	struct placement *placement;
	struct fabric *_Atomic fabric;
	struct slow_lock lock;
	struct timers timers;
	_Atomic uint64_t next_timer; /* when the first is due, for the worker that runs them */
	struct epoch epoch;
	struct tunables tunables; /* of the fabric */
	struct engine_port *_Atomic *ports; /* by slot, PORTS_MAX; [0] is NULL; workers read it while they are online */
	uint32_t ports_end;         /* one above the highest slot ever used */
	struct port_pools pools;
	struct rte_rcu_qsbr *rcu;
	struct worker *workers;
	unsigned n_workers;
	struct paths paths;
	struct worker control; /* walks packets for the control thread; receives nothing */
	TAILQ_HEAD(, probe) probes; /* under the slow lock */
	uint16_t probe_id;
	struct queues *queues; /* packets that wait for programs; under the slow lock */
	struct nflog *nflog;   /* NULL: there is no file for what rules log */
	uint64_t started; /* ns, CLOCK_MONOTONIC */
	struct compiler *compiler; /* of long chains; control thread */
	unsigned sets_commands; /* control thread */
	uint64_t rules_serial; /* last one given to a ruleset; control thread */
};

/* ns, CLOCK_MONOTONIC. */
uint64_t clock_now(void);

/* Starts DPDK without hugepages unless there are free ones. => 0 or -errno; a sentence is logged. */
int eal_start(const char *run_dir, unsigned buffers);
void eal_stop(void);

/* => 0 or -errno. `buffers`: number of small packet buffers. */
int engine_init(struct engine *e, unsigned workers, unsigned buffers);
/* Starts the workers. They inherit the rights of the caller, so it has given up its own before. => 0 or -errno. */
int engine_start(struct engine *e);
/* Stops the workers, closes every port, frees everything. */
void engine_fini(struct engine *e);

/* The slow lock; `w` sees the published fabric and the time afterwards. */
void slow_lock(struct worker *w);
void slow_unlock(struct worker *w);
/* Switches the path cache on or off. Under the slow lock, or before the workers start. */
void engine_use_paths(struct engine *e, bool on);
/* The router of this name, in any case, of the published generation; NULL: none. Control thread. */
const struct router *engine_router(const struct engine *e, const char *name);
/* Waits until no worker can hold anything that was unlinked before. Not under the slow lock. */
void engine_synchronize(struct engine *e);

/* worker.c */
int worker_init(struct worker *w, struct engine *e, unsigned id);
int worker_start(struct worker *w);
void worker_stop(struct worker *w);
void worker_fini(struct worker *w);
void worker_wake(struct worker *w);
/* Under the slow lock: runs what is queued. Then, without it, worker_flush() sends. */
void worker_run_queue(struct worker *w);
/* Under the slow lock, by the control thread: packets that wait in the queue find their places in the generation to come. */
void worker_follow(struct worker *w, const struct fabric *next);
void worker_flush(struct worker *w);
/* Takes a packet as the port sends it; it leaves with the next worker_flush(). */
void worker_send(struct worker *w, struct engine_port *ep, struct pkt *p);

/* env.c: buffers and queue for the floors below. */
extern const struct env_ops engine_env_ops;

/* port_table.c; control thread. Ports are linked under the slow lock. */
struct engine_port *engine_port_new(struct port *port);
/* At ep->slot: packets may leave by it. => 0 or -errno. */
int engine_port_link(struct engine *e, struct engine_port *ep);
/* The generation knows where its packets go: its worker may receive them. */
void engine_port_start(struct engine_port *ep);
void engine_port_unlink(struct engine *e, struct engine_port *ep);
void engine_port_free(struct engine_port *ep); /* closes the port; after a grace period */
/* Number of packets on the wire that a packet at a port stands for, parsed or not. */
uint32_t engine_port_segments(const struct pkt *p);
/* Takes what a port has received, past the slow way where there are paths, and starts what that has queued: flows stay in order. */
void engine_port_input(struct worker *w, struct engine_port *ep, struct pkt **p, uint16_t n);

#endif
