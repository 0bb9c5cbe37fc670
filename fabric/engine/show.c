/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine tells about itself: a table of listings, each a function that appends records. The control thread is the only one
 * that replaces generations, so it reads them without a lock; counters are read as they are, once paths have brought theirs; live tables
 * take the slow lock.
 */
#include "fabric/engine/show.h"

#include <rte_mempool.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *what;
	void (*list)(struct listing *l);
} listings[] = {
		{"interfaces", show_interfaces},
		{"routes", show_routes},
		{"neighbours", show_neighbours},
		{"links", show_links},
		{"guests", show_guests},
		{"drops", show_drops},
		{"lans", show_lans},
		{"macs", show_macs},
		{"tunables", show_tunables},
		{"memory", show_memory},
		{"nat", show_nat},
		{"balance", show_balance},
		{"osa", show_osas},
		{"oat", show_oat},
		{"oat-drops", show_oat_drops},
};

static void
credit_paths(struct engine *e)
{
	slow_lock(&e->control);
	paths_credit(&e->paths);
	slow_unlock(&e->control);
}

json_t *
show(struct engine *e, const json_t *request)
{
	const char *what = json_string_value(json_object_get(request, "what"));
	struct listing l = {
			.engine = e,
			.node = json_string_value(json_object_get(request, "node")),
			.all = json_is_true(json_object_get(request, "all")),
	};

	if (!e->config)
		return wire_error("there is no configuration yet");
	if (l.node && !config_node(e->config, l.node) && !config_lan(e->config, l.node) && !config_osa(e->config, l.node))
		return wire_error("there is no router, guest, LAN or adapter '%s'", l.node);
	for (size_t i = 0; what && i < RTE_DIM(listings); i++) {
		if (strcmp(what, listings[i].what) != 0)
			continue;
		credit_paths(e);
		l.records = json_array();
		listings[i].list(&l);
		return json_pack("{s:b, s:o}", "ok", 1, "records", l.records);
	}
	return wire_error("the engine has no listing '%s'", what ? what : "");
}

static json_t *
worker_record(const struct worker *w)
{
	double life = (double)(clock_now() - w->stats.since);

	return json_pack("{s:i, s:I, s:I, s:I, s:f}", "id", (int)w->id, "packets", (json_int_t)w->stats.packets, "bursts",
			(json_int_t)w->stats.bursts, "sleeps", (json_int_t)w->stats.sleeps, "busy_share",
			life > 0 ? (double)w->stats.busy_ns / life : 0.0);
}

static json_t *
paths_record(struct engine *e)
{
	struct path_stats s;

	slow_lock(&e->control);
	paths_stats(&e->paths, &s);
	slow_unlock(&e->control);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "on", tune(&e->tunables, TUNE_PATH_CACHE) != 0, "hits",
			(json_int_t)s.hits, "misses", (json_int_t)s.misses, "paths", (json_int_t)s.paths, "capacity", (json_int_t)s.capacity,
			"recipes", (json_int_t)s.recipes, "windows", (json_int_t)s.windows, "installed", (json_int_t)s.installed, "evicted",
			(json_int_t)s.evicted, "refused", (json_int_t)s.refused, "memory_bytes", (json_int_t)s.memory);
}

json_t *
show_status(struct engine *e)
{
	const struct config *c = e->config;
	json_t *workers = json_array();
	size_t links = 0;

	for (unsigned i = 0; i < e->n_workers; i++)
		json_array_append_new(workers, worker_record(&e->workers[i]));
	for (size_t n = 0; c && n < c->n_nodes; n++) {
		for (size_t i = 0; i < c->nodes[n].n_ifaces; i++)
			links += c->nodes[n].ifaces[i].far != NULL;
	}
	return json_pack("{s:b, s:s, s:I, s:i, s:s, s:f, s:o, s:o, s:I, s:I, s:I, s:I}", "ok", 1, "fabric", c ? c->fabric : "",
			"serial", (json_int_t)atomic_load(&e->fabric)->serial, "pid", (int)getpid(), "version", ROOKERY_VERSION,
			"uptime", (double)(clock_now() - e->started) / 1e9, "workers", workers, "paths", paths_record(e), "memory_bytes",
			(json_int_t)show_resident(), "links", (json_int_t)(links / 2), "guests",
			(json_int_t)(c ? c->n_nodes - c->n_routers : 0), "routers", (json_int_t)(c ? c->n_routers : 0));
}
