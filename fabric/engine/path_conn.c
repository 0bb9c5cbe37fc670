/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths and connections. Each path names the connections that its packets belong to, one a tracking router; each connection
 * heads a list of its paths: at least one for each direction, through references that name cache, path and place.
 *
 * When the slow way is about to read or change a connection, all its paths bring it up to date first. A TCP window then is the connection's
 * again: its paths are suspended until a packet has made the whole journey the slow way and left all its connections with the same window.
 */
#include "fabric/engine/path_private.h"

#include <rte_common.h>

static uint32_t
ref_of(const struct path_cache *c, uint32_t path, unsigned k)
{
	return c->id << REF_CACHE_SHIFT | path << REF_CONN_BITS | k;
}

static struct path_cache *
cache_of(const struct paths *paths, uint32_t ref)
{
	return paths->caches[ref >> REF_CACHE_SHIFT];
}

static uint32_t
path_of(uint32_t ref)
{
	return ref >> REF_CONN_BITS & (PATHS_MAX - 1);
}

static struct path_conn *
conn_of(const struct paths *paths, uint32_t ref)
{
	return &cache_of(paths, ref)->more[path_of(ref)].conns[ref & (RECORD_CONNS - 1)];
}

uint64_t
path_last(const struct path *p, uint64_t now)
{
	int64_t ago = (int32_t)((uint32_t)(now >> LAST_SHIFT) - p->last);

	return ((now >> LAST_SHIFT) - (uint64_t)ago) << LAST_SHIFT;
}

/* Another worker may be moving it. */
static void
window_read(struct paths *paths, uint32_t w, struct conn_tcp *to)
{
	rte_spinlock_lock(&paths->windows_more[w].lock);
	*to = paths->windows[w];
	rte_spinlock_unlock(&paths->windows_more[w].lock);
}

/* The caller holds the cache. */
static void
credit(struct path_cache *c, uint32_t path, uint64_t last)
{
	struct path *p = &c->paths[path];
	struct path_more *more = &c->more[path];
	bool live = p->window && !(p->flags & PATH_SUSPENDED);
	struct conn_tcp window;

	if (live)
		window_read(c->all, p->window, &window);
	for (uint32_t k = 0; k < more->n_conns && (p->packets || live); k++) {
		const struct path_conn *pc = &more->conns[k];
		struct conn_passed passed = {.last = last, .timeout = pc->timeout, .tcp = live ? &window : NULL};

		passed.packets[pc->dir] = p->packets;
		passed.bytes[pc->dir] = p->bytes;
		conntrack_credit(pc->table, c->all->seam.env, conntrack_at(pc->table, pc->index), &passed);
	}
	p->packets = 0;
	p->bytes = 0;
}

static uint64_t
youngest(const struct paths *paths, const struct conn *conn)
{
	uint64_t last = 0, now = paths->seam.env->now;

	for (uint32_t ref = conn->paths; ref; ref = conn_of(paths, ref)->next) {
		const struct path *p = &cache_of(paths, ref)->paths[path_of(ref)];

		if (p->packets)
			last = RTE_MAX(last, path_last(p, now));
	}
	return last;
}

/* The caller holds `own`. */
static void
credit_in(struct path_cache *c, const struct path_cache *own, uint32_t path, uint64_t last)
{
	if (c != own)
		path_lock(c);
	credit(c, path, last);
	if (c != own)
		path_unlock(c);
}

/* All paths of a window at once: the youngest packet says when the connections end. */
void
path_conns_credit(struct path_cache *c, uint32_t path)
{
	const struct path *p = &c->paths[path];
	const struct path_conn *first = &c->more[path].conns[0];
	const struct conn *conn;
	uint64_t last;

	if (!p->window) {
		credit(c, path, path_last(p, c->all->seam.env->now));
		return;
	}
	conn = conntrack_at(first->table, first->index);
	last = youngest(c->all, conn);
	for (uint32_t ref = conn->paths; ref; ref = conn_of(c->all, ref)->next)
		credit_in(cache_of(c->all, ref), c, path_of(ref), last);
}

static void
touched(struct conntrack_paths *seam, struct conntrack *ct, struct conn *conn)
{
	struct paths *paths = (struct paths *)seam;
	uint64_t last = youngest(paths, conn);

	(void)ct;
	for (uint32_t ref = conn->paths; ref; ref = conn_of(paths, ref)->next) {
		struct path_cache *c = cache_of(paths, ref);
		struct path *p = &c->paths[path_of(ref)];

		/* without a window each path speaks for itself: its other connections need not have seen the youngest */
		path_lock(c);
		credit(c, path_of(ref), p->window ? last : path_last(p, paths->seam.env->now));
		if (p->window)
			p->flags |= PATH_SUSPENDED;
		path_unlock(c);
	}
}

static void
changed(struct conntrack_paths *seam, struct conntrack *ct, struct conn *conn)
{
	struct paths *paths = (struct paths *)seam;

	touched(seam, ct, conn);
	while (conn->paths) {
		struct path_cache *c = cache_of(paths, conn->paths);

		path_lock(c);
		path_end(c, path_of(conn->paths));
		path_unlock(c);
	}
}

void
path_conns_init(struct paths *paths)
{
	paths->seam.touched = touched;
	paths->seam.changed = changed;
}

/* ---- windows ---- */

/* Its connections' window, if they all have the same record; *shared: there is one, perhaps not for all. */
static uint32_t
common_window(const struct path_cache *c, bool *shared)
{
	const struct recorder *rec = &c->recorder;
	uint32_t window = 0;

	*shared = false;
	for (unsigned k = 0; k < rec->n_conns; k++) {
		uint32_t ref = conntrack_at(rec->conns[k].table, rec->conns[k].index)->paths;
		uint32_t own = ref ? cache_of(c->all, ref)->paths[path_of(ref)].window : 0;

		*shared = *shared || own;
		if (k > 0 && own != window)
			return 0;
		window = own;
	}
	return window;
}

static bool
windows_agree(const struct recorder *rec)
{
	const struct conn *first = conntrack_at(rec->conns[0].table, rec->conns[0].index);

	for (unsigned k = 1; k < rec->n_conns; k++) {
		const struct conn *conn = conntrack_at(rec->conns[k].table, rec->conns[k].index);

		if (memcmp(&conn->tcp, &first->tcp, sizeof(first->tcp)) != 0 || rec->conns[k].dir != rec->conns[0].dir)
			return false;
	}
	return true;
}

static uint32_t
window_new(struct paths *paths, unsigned n_conns)
{
	uint32_t w = pool_take(&paths->window_pool, &paths->windows_more[paths->window_pool.vacant].paths);

	if (w)
		paths->windows_more[w] = (struct window_more){.n_conns = n_conns};
	return w;
}

/* => false: the connections have no window in common. */
static bool
window_get(struct path_cache *c, struct path *p)
{
	const struct recorder *rec = &c->recorder;
	bool shared;
	uint32_t w = common_window(c, &shared);

	if (!windows_agree(rec) || (shared && (!w || c->all->windows_more[w].n_conns != rec->n_conns)))
		return false;
	if (!w)
		w = window_new(c->all, rec->n_conns);
	if (!w)
		return false;
	c->all->windows_more[w].paths++;
	p->window = w;
	return true;
}

static void
window_put(struct paths *paths, uint32_t w)
{
	struct window_more *more = &paths->windows_more[w];

	if (--more->paths == 0)
		pool_give(&paths->window_pool, w, &more->paths);
}

static void
resume(struct path_cache *c, const struct path_cache *own, uint32_t path)
{
	if (c != own)
		path_lock(c);
	c->paths[path].flags &= (uint8_t)~PATH_SUSPENDED;
	if (c != own)
		path_unlock(c);
}

/* The slow way and the window are one again: every path that follows it goes on. Nobody follows it until then. */
static void
window_load(struct path_cache *c, const struct path *p, const struct conn *conn)
{
	c->all->windows[p->window] = conn->tcp;
	for (uint32_t ref = conn->paths; ref; ref = conn_of(c->all, ref)->next)
		resume(cache_of(c->all, ref), c, path_of(ref));
}

/* ---- links ---- */

static void
link_conn(struct path_cache *c, uint32_t path, unsigned k)
{
	const struct recorded_conn *from = &c->recorder.conns[k];
	struct path_conn *pc = &c->more[path].conns[k];
	struct conn *conn = conntrack_at(from->table, from->index);

	*pc = (struct path_conn){
			.table = from->table, .index = from->index, .dir = from->dir, .timeout = from->timeout, .next = conn->paths};
	if (conn->paths)
		conn_of(c->all, conn->paths)->prev = ref_of(c, path, k);
	conn->paths = ref_of(c, path, k);
}

bool
path_conns_link(struct path_cache *c, uint32_t path)
{
	const struct recorder *rec = &c->recorder;
	struct path *p = &c->paths[path];
	bool tcp = (uint8_t)(p->rest >> KEY_PROTO_SHIFT) == IPPROTO_TCP;

	if (rec->n_conns == 0)
		return true;
	if (tcp && !window_get(c, p))
		return false;
	if (rec->conns[0].dir == CT_DIR_REPLY)
		p->flags |= PATH_REPLY;
	for (unsigned k = 0; k < rec->n_conns; k++) {
		if (rec->conns[k].judges_sum)
			p->flags |= PATH_JUDGES_SUM;
		link_conn(c, path, k);
	}
	c->more[path].n_conns = rec->n_conns;
	if (tcp)
		window_load(c, p, conntrack_at(rec->conns[0].table, rec->conns[0].index));
	return true;
}

bool
path_conns_renew(struct path_cache *c, uint32_t path)
{
	const struct recorder *rec = &c->recorder;
	struct path_more *more = &c->more[path];
	struct path *p = &c->paths[path];

	if (more->n_conns != rec->n_conns)
		return false;
	for (unsigned k = 0; k < rec->n_conns; k++) {
		if (more->conns[k].table != rec->conns[k].table || more->conns[k].index != rec->conns[k].index ||
				more->conns[k].dir != rec->conns[k].dir)
			return false;
	}
	if (p->window && !windows_agree(rec))
		return false;
	for (unsigned k = 0; k < rec->n_conns; k++)
		more->conns[k].timeout = rec->conns[k].timeout;
	if (p->window)
		window_load(c, p, conntrack_at(rec->conns[0].table, rec->conns[0].index));
	return true;
}

void
path_conns_unlink(struct path_cache *c, uint32_t path)
{
	struct path_more *more = &c->more[path];

	for (unsigned k = 0; k < more->n_conns; k++) {
		struct path_conn *pc = &more->conns[k];

		if (pc->next)
			conn_of(c->all, pc->next)->prev = pc->prev;
		if (pc->prev)
			conn_of(c->all, pc->prev)->next = pc->next;
		else
			conntrack_at(pc->table, pc->index)->paths = pc->next;
	}
	more->n_conns = 0;
	if (c->paths[path].window)
		window_put(c->all, c->paths[path].window);
	c->paths[path].window = 0;
}
