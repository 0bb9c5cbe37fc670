/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: it polls its ports while there was work within idle_poll_time, then sleeps on their descriptors. One turn is: see which ports
 * have something, receive a burst from each, walk it under the slow lock, start what the walk has queued, and send. Timers
 * are worker 0's.
 */
#include "fabric/engine/engine.h"

#include "fabric/base/log.h"
#include "fabric/engine/capture.h"
#include "fabric/engine/probe.h"
#include "fabric/router/way.h"

#include <errno.h>
#include <limits.h>
#include <rte_lcore.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	EVENTS = 64,
	POLLED_INTERVAL_NS = 100000, /* ports without descriptor are looked at this often when nothing comes */
	QUEUE_BUDGET = 512,          /* queued packets started in one turn */
	WAKEUP_NS = 1000000000,      /* a guest that got nothing for so long is woken */
};

void
worker_send(struct worker *w, struct engine_port *ep, struct pkt *p)
{
	w->out[w->n_out].to = ep;
	w->out[w->n_out].p = p;
	if (++w->n_out == OUT_MAX)
		worker_flush(w);
}

static void
record_path(struct worker *w, struct engine_port *ep, struct pkt *p)
{
	const struct path_egress to = {
			.port = ep, .version = &ep->version, .packets = &ep->count.tx_packets, .bytes = &ep->count.tx_bytes};

	if (ep->captures)
		record_refuse(p->recorder, "it is captured");
	path_record(p, &w->walker.env, &to);
}

static void
send_to_port(struct walker *walker, uint32_t port, struct pkt *p)
{
	struct worker *w = (struct worker *)walker;
	struct engine_port *ep = w->engine->ports[port];

	if (!ep) {
		pkt_drop(&walker->env, &walker->env.drops, p, DROP_IFACE_GONE);
		return;
	}
	if (!ep->guest_up) {
		pkt_drop(&walker->env, &walker->env.drops, p, DROP_IFACE_DOWN);
		return;
	}
	if (ep->captures)
		capture_packet(walker, ep->captures, p, ep->port->frames, false);
	ep->count.tx_packets += engine_port_segments(p);
	ep->count.tx_bytes += pkt_len(p);
	if (p->recorder)
		record_path(w, ep, p);
	worker_send(w, ep, p);
}

void
worker_flush(struct worker *w)
{
	struct pkt *batch[OUT_MAX];

	for (unsigned i = 0; i < w->n_out;) {
		struct engine_port *ep = w->out[i].to;
		uint16_t n = 0;

		while (i < w->n_out && w->out[i].to == ep)
			batch[n++] = w->out[i++].p;
		if (w->walker.env.now - ep->last_sent > WAKEUP_NS)
			ep->wakeups++;
		ep->last_sent = w->walker.env.now;
		if (ep->port->fd < 0)
			rte_spinlock_lock(&ep->lock);
		ep->port->ops->tx(ep->port, &w->walker.env, batch, n);
		if (ep->port->fd < 0)
			rte_spinlock_unlock(&ep->lock);
	}
	w->n_out = 0;
}

void
worker_run_queue(struct worker *w)
{
	/* the control thread has no next turn */
	unsigned budget = w->id == WORKERS_MAX ? UINT_MAX : QUEUE_BUDGET;

	struct pkt *p;

	for (unsigned i = 0; i < budget && w->queued; i++) {
		p = STAILQ_FIRST(&w->queue);
		STAILQ_REMOVE_HEAD(&w->queue, queue);
		w->queued--;
		if (p->router)
			router_start(&w->walker, p);
		else
			pkt_drop(&w->walker.env, &w->walker.env.drops, p, DROP_IFACE_GONE);
	}
	STAILQ_FOREACH(p, &w->queue, queue)
		p->recorder = NULL; /* the next packet takes it */
}

/* => false: the place of the packet in the next generation is gone. */
static bool
follow_iface(const struct router *now, const struct iface **at)
{
	const struct iface *i = *at ? router_iface(now, (*at)->slot) : NULL;

	if (*at && (!i || i->live != (*at)->live))
		return false;
	*at = i;
	return true;
}

void
worker_follow(struct worker *w, const struct fabric *next)
{
	struct pkt *p;

	STAILQ_FOREACH(p, &w->queue, queue) {
		const struct router *r = p->router;
		const struct router *now = r && r->slot < next->n_routers ? next->routers[r->slot] : NULL;

		if (r && r->slot == ROUTER_NO_SLOT) /* an adapter's port: it outlives generations */
			now = r->live->now;
		if (now == r)
			continue;
		if (!now || now->live != r->live || !follow_iface(now, &p->in) || !follow_iface(now, &p->out))
			now = NULL;
		if (!now)
			env_forget(&w->walker.env, p);
		p->router = now;
	}
}

static unsigned
receive(struct worker *w, struct engine_port *ep)
{
	struct pkt *burst[BURST];
	bool locked = ep->port->fd < 0;
	uint16_t n;

	if (locked)
		rte_spinlock_lock(&ep->lock);
	n = ep->port->ops->rx(ep->port, &w->walker.env, burst, BURST);
	if (locked)
		rte_spinlock_unlock(&ep->lock);
	if (ep->port->gone && ep->port->fd >= 0) /* its device has vanished: it would be ready for ever */
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, ep->port->fd, NULL);
	if (n == 0)
		return 0;
	engine_port_input(w, ep, burst, n);
	worker_flush(w);
	w->stats.packets += n;
	w->stats.bursts++;
	return n;
}

/* Takes a bounded number of ports: what they answer each other waits for the next turn. Who has more than a burst queues again. */
static unsigned
receive_ready(struct worker *w)
{
	unsigned n = 0, got, turns = 0;
	struct engine_port *ep;

	while (turns++ < EVENTS) {
		rte_spinlock_lock(&w->ready_lock);
		ep = TAILQ_FIRST(&w->ready);
		if (ep) {
			TAILQ_REMOVE(&w->ready, ep, ready_link);
			ep->ready = false;
		}
		rte_spinlock_unlock(&w->ready_lock);
		if (!ep)
			break;
		got = receive(w, ep);
		if (got == BURST)
			ep->port->ready(ep->port, ep->port->ready_arg);
		n += got;
	}
	return n;
}

static unsigned
receive_polled(struct worker *w)
{
	struct engine_port *ports[EVENTS], *ep;
	unsigned n = 0, n_ports = 0;

	rte_spinlock_lock(&w->ready_lock);
	TAILQ_FOREACH(ep, &w->polled, ready_link)
		if (n_ports < EVENTS)
			ports[n_ports++] = ep;
	rte_spinlock_unlock(&w->ready_lock);
	for (unsigned i = 0; i < n_ports; i++)
		n += receive(w, ports[i]);
	return n;
}

static void
run_timers(struct worker *w)
{
	slow_lock(w);
	timers_run(&w->engine->timers, &w->walker.env, 256);
	worker_run_queue(w);
	slow_unlock(w);
	worker_flush(w);
}

/* ns until something must be done without any descriptor telling; UINT64_MAX: never. */
static uint64_t
patience(struct worker *w, uint64_t now)
{
	uint64_t next = w->id == 0 ? atomic_load(&w->engine->next_timer) : UINT64_MAX;
	bool ready, polled;

	rte_spinlock_lock(&w->ready_lock);
	ready = !TAILQ_EMPTY(&w->ready);
	polled = !TAILQ_EMPTY(&w->polled);
	rte_spinlock_unlock(&w->ready_lock);
	if (w->queued || ready)
		return 0;
	if (polled)
		next = RTE_MIN(next, now + POLLED_INTERVAL_NS);
	return next == UINT64_MAX ? UINT64_MAX : next > now ? next - now : 0;
}

static int
wait_for_events(struct worker *w, struct epoll_event *events, uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	int n;

	if (ns == 0)
		return epoll_wait(w->epoll_fd, events, EVENTS, 0);
	rte_rcu_qsbr_thread_offline(w->engine->rcu, w->id);
	n = epoll_pwait2(w->epoll_fd, events, EVENTS, ns == UINT64_MAX ? NULL : &t, NULL);
	rte_rcu_qsbr_thread_online(w->engine->rcu, w->id);
	w->stats.sleeps++;
	return n;
}

/* Events name slots, not ports: while this worker slept, a port that they are about may have been freed. */
static unsigned
receive_events(struct worker *w, const struct epoll_event *events, int n)
{
	unsigned packets = 0;

	for (int i = 0; i < n; i++) {
		struct engine_port *ep = w->engine->ports[events[i].data.u64];
		eventfd_t count;

		if (ep)
			packets += receive(w, ep);
		else if (events[i].data.u64 == 0)
			eventfd_read(w->wake_fd, &count);
	}
	return packets;
}

static void
work(struct worker *w)
{
	struct epoll_event events[EVENTS];
	uint64_t now = clock_now(), last = 0, woke = now;

	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		uint64_t ns = now - last < w->poll_ns ? 0 : patience(w, now);
		unsigned packets;
		int n;

		if (ns)
			w->stats.busy_ns += now - woke;
		n = wait_for_events(w, events, ns);
		now = clock_now();
		if (ns)
			woke = now;
		packets = receive_events(w, events, n);
		packets += receive_ready(w);
		packets += receive_polled(w);
		if (w->queued || (w->id == 0 && atomic_load(&w->engine->next_timer) <= now))
			run_timers(w);
		rte_rcu_qsbr_quiescent(w->engine->rcu, w->id);
		if (packets) {
			now = clock_now();
			last = now;
		} else if (ns == 0 && !w->queued) {
			sched_yield(); /* what it polls for may come from a program that waits for this processor */
		}
	}
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", w->id);
	pthread_setname_np(pthread_self(), name);
	rte_thread_register(); /* for the buffer caches; without them it is only slower */
	rte_rcu_qsbr_thread_register(w->engine->rcu, w->id);
	rte_rcu_qsbr_thread_online(w->engine->rcu, w->id);
	w->stats.since = clock_now();
	work(w);
	rte_rcu_qsbr_thread_offline(w->engine->rcu, w->id);
	rte_rcu_qsbr_thread_unregister(w->engine->rcu, w->id);
	return NULL;
}

int
worker_init(struct worker *w, struct engine *e, unsigned id)
{
	struct epoll_event event = {.events = EPOLLIN};

	*w = (struct worker){
			.engine = e,
			.id = id,
			.walker = {
					.env = {.ops = &engine_env_ops,
							.timers = &e->timers,
							.epoch = &e->epoch,
							.random = clock_now() | 1},
					.send = send_to_port,
					.listen = probe_answer,
					.lost = probe_lost,
					.capture = capture_packet,
			},
	};
	STAILQ_INIT(&w->queue);
	TAILQ_INIT(&w->ready);
	TAILQ_INIT(&w->polled);
	rte_spinlock_init(&w->ready_lock);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll_fd < 0 || w->wake_fd < 0)
		return -errno;
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &event) < 0 ? -errno : 0;
}

int
worker_start(struct worker *w)
{
	int rc = -pthread_create(&w->thread, NULL, worker_main, w);

	w->running = rc == 0;
	return rc;
}

void
worker_wake(struct worker *w)
{
	eventfd_write(w->wake_fd, 1);
}

void
worker_stop(struct worker *w)
{
	if (!w->running)
		return;
	atomic_store(&w->stop, true);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	w->running = false;
}

void
worker_fini(struct worker *w)
{
	struct pkt *p;

	while ((p = STAILQ_FIRST(&w->queue))) {
		STAILQ_REMOVE_HEAD(&w->queue, queue);
		env_pkt_free(&w->walker.env, p);
	}
	close(w->epoll_fd);
	close(w->wake_fd);
}
