/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports by slot, and which worker receives from which. */
#include "fabric/engine/engine.h"

#include "drivers/osa/adapter.h"
#include "fabric/engine/capture.h"
#include "fabric/lan/lan.h"
#include "fabric/router/way.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Called by tx of a simulated guest, on any thread. */
static void
port_ready(struct port *port, void *arg)
{
	struct engine_port *ep = arg;
	struct worker *w = ep->worker;
	bool wake = false;

	(void)port;
	rte_spinlock_lock(&w->ready_lock);
	if (!ep->ready) {
		ep->ready = true;
		wake = TAILQ_EMPTY(&w->ready) && !pthread_equal(pthread_self(), w->thread);
		TAILQ_INSERT_TAIL(&w->ready, ep, ready_link);
	}
	rte_spinlock_unlock(&w->ready_lock);
	if (wake)
		worker_wake(w);
}

struct engine_port *
engine_port_new(struct port *port)
{
	struct engine_port *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return NULL;
	ep->port = port;
	ep->guest_up = true;
	ep->carrier = true;
	rte_spinlock_init(&ep->lock);
	port->ready = port_ready;
	port->ready_arg = ep;
	return ep;
}

int
engine_port_link(struct engine *e, struct engine_port *ep)
{
	struct epoll_event event = {.data.u64 = ep->slot};

	ep->port->slot = ep->slot;
	ep->worker = &e->workers[ep->slot % e->n_workers];
	if (ep->port->fd >= 0 && epoll_ctl(ep->worker->epoll_fd, EPOLL_CTL_ADD, ep->port->fd, &event) < 0)
		return -errno;
	e->ports[ep->slot] = ep;
	if (ep->slot >= e->ports_end)
		e->ports_end = ep->slot + 1;
	return 0;
}

void
engine_port_start(struct engine_port *ep)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = ep->slot};

	ep->started = true;
	if (ep->port->fd >= 0)
		epoll_ctl(ep->worker->epoll_fd, EPOLL_CTL_MOD, ep->port->fd, &event);
	if (!ep->port->polled)
		return;
	rte_spinlock_lock(&ep->worker->ready_lock);
	TAILQ_INSERT_TAIL(&ep->worker->polled, ep, ready_link);
	rte_spinlock_unlock(&ep->worker->ready_lock);
	worker_wake(ep->worker);
}

void
engine_port_unlink(struct engine *e, struct engine_port *ep)
{
	struct worker *w = ep->worker;

	e->ports[ep->slot] = NULL;
	if (ep->port->fd >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, ep->port->fd, NULL);
	rte_spinlock_lock(&w->ready_lock);
	if (ep->port->polled && ep->started)
		TAILQ_REMOVE(&w->polled, ep, ready_link);
	if (ep->ready)
		TAILQ_REMOVE(&w->ready, ep, ready_link);
	ep->ready = true; /* never again */
	rte_spinlock_unlock(&w->ready_lock);
	version_bump(&e->epoch, &ep->version);
	capture_end_all(&ep->captures);
}

void
engine_port_free(struct engine_port *ep)
{
	ep->port->ops->close(ep->port);
	free(ep);
}

uint32_t
engine_port_segments(const struct pkt *p)
{
	uint32_t l4 = (uint32_t)p->l2_len + p->csum_start, headers;
	struct tcphdr tcp;

	if (!pkt_is_gso(p) || p->gso_size == 0 || l4 + sizeof(tcp) > pkt_head_len(p))
		return 1;
	memcpy(&tcp, (const uint8_t *)pkt_data(p) + l4, sizeof(tcp));
	headers = l4 + tcp.doff * 4u;
	return pkt_len(p) <= headers ? 1 : (pkt_len(p) - headers + p->gso_size - 1) / p->gso_size;
}

static void
input(struct walker *w, const struct attach *to, struct pkt *p)
{
	const struct router *r;
	struct attach found;

	if (to->kind == ATTACH_ADAPTER && to->b == ADAPTER_NETWORK) {
		if (!adapter_receive(w, w->fabric->adapters[to->a], p, &found))
			return;
		to = &found;
	}
	switch (to->kind) {
	case ATTACH_ROUTER:
		r = w->fabric->routers[to->a];
		p->router = r;
		p->in = r->ifaces[to->b];
		router_receive(w, p);
		break;
	case ATTACH_CONTROL:
		router_control_input(w, w->fabric->routers[to->a], p);
		break;
	case ATTACH_LAN:
		lan_input(w, w->fabric->lans[to->a], to->b, p);
		break;
	case ATTACH_ADAPTER:
		adapter_send(w, w->fabric->adapters[to->a], (uint16_t)to->b, p);
		break;
	case ATTACH_PORT:
		w->send(w, to->a, p);
		break;
	case ATTACH_NONE:
		pkt_drop(&w->env, &w->env.drops, p, DROP_IFACE_GONE);
		break;
	}
}

static void
count_rx(struct engine_port *ep, struct pkt *const *p, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		ep->count.rx_packets += engine_port_segments(p[i]);
		ep->count.rx_bytes += pkt_len(p[i]);
	}
}

/* Under the slow lock. */
static void
walk(struct worker *w, struct engine_port *ep, struct path_cache *cache, struct path_burst *b, unsigned i)
{
	static const struct attach nowhere = {ATTACH_NONE, 0, 0};
	const struct fabric *f = w->walker.fabric;
	struct pkt *p = b->p[i];

	if (ep->captures)
		capture_packet(&w->walker, ep->captures, p, ep->port->frames, true);
	else if (cache)
		p->recorder = path_begin(cache, b, i);
	input(&w->walker, ep->slot < f->n_ports ? &f->ports[ep->slot] : &nowhere, p);
	worker_run_queue(w);
}

/* Takes the packets from `from` on that have paths. => how many. */
static unsigned
follow_paths(struct worker *w, const struct engine_port *ep, struct path_cache *cache, struct path_burst *b, unsigned from)
{
	void *to[BURST];
	unsigned n = cache && !ep->captures ? path_run(cache, b, from, to) : 0;

	for (unsigned i = 0; i < n; i++)
		worker_send(w, to[i], b->p[from + i]);
	return n;
}

void
engine_port_input(struct worker *w, struct engine_port *ep, struct pkt **p, uint16_t n)
{
	struct path_ingress in = {.slot = ep->slot <= UINT16_MAX ? (uint16_t)ep->slot : 0, .version = &ep->version};
	struct path_cache *cache = w->cache; /* it may be switched off meanwhile */
	struct path_burst b;
	unsigned i = 0;

	b.p = p;
	b.n = n;
	count_rx(ep, p, n);
	if (cache) {
		w->walker.env.now = clock_now();
		path_lock(cache);
		path_prepare(cache, &b, &in, p, n, w->walker.env.now);
		i = follow_paths(w, ep, cache, &b, 0);
		path_unlock(cache);
	}
	if (i == n)
		return;
	slow_lock(w);
	for (; i < n; i += 1 + follow_paths(w, ep, cache, &b, i + 1))
		walk(w, ep, cache, &b, i);
	slow_unlock(w);
}
