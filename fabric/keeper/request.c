/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests on keeper.sock (fabric/control/proto.h). Each operation is one row of a table; it
 * answers at once, but "stop", which is answered when all is gone. Who speaks another protocol is
 * disconnected. A peer that reads slowly has its answers queued, within bounds, and holds up
 * nobody.
 */
#include "fabric/keeper/diff.h"
#include "fabric/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct peer {
	struct peer *next;
	struct watcher watch;
	struct wire wire;
	int fd; /* that came with the request, or -1 */
	bool waits_for_end;
};

enum { NAMESPACES_MAX = 5 };

/* An answer on its way out, with descriptors that are closed after it. */
struct answer {
	json_t *msg;
	int fds[NAMESPACES_MAX];
	size_t n_fds;
};

/* ---- status, config, wait ---- */

static json_t *
program_record(const struct program *p)
{
	char text[32];

	return json_pack("{ss si ss}", "command", p->command, "pid", p->pid, "state",
		program_state_text(p, text, sizeof(text)));
}

static json_t *
guest_record(const struct keeper *k, const struct cfg_node *node)
{
	const struct nsguest *g = nsguest_find(k, node->name);
	json_t *record = json_pack("{ss ss}", "name", node->name, "kind",
		g != NULL ? nsguest_kind_text(g) : "simulated");
	json_t *programs;

	if (g == NULL)
		return record;
	programs = json_array();
	for (const struct program *p = g->programs; p != NULL; p = p->next)
		json_array_append_new(programs, program_record(p));
	json_object_set_new(record, "pid", json_integer(g->pid));
	json_object_set_new(record, "alive", json_boolean(g->state == NSGUEST_ALIVE));
	json_object_set_new(record, "programs", programs);
	return record;
}

static void
op_status(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	json_t *guests = json_array();

	(void)peer;
	(void)request;
	for (size_t i = 0; i < k->config->n_nodes; i++)
		if (k->config->nodes[i].kind != CFG_ROUTER || k->config->nodes[i].control)
			json_array_append_new(guests, guest_record(k, &k->config->nodes[i]));
	out->msg = json_pack("{sb ss sI si si sf sb sb so}", "ok", 1, "fabric", k->run.name,
		"serial", (json_int_t)k->serial, "pid", (int)getpid(), "engine_pid",
		(int)k->engine.pid, "uptime", (double)(keeper_now_ms() - k->started_ms) / 1000.0,
		"unprivileged", k->unprivileged, "ready", k->ready, "guests", guests);
}

static void
op_config(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	char *text = config_text(k->config);

	(void)peer;
	(void)request;
	out->msg = text == NULL ? wire_error("out of memory")
				: json_pack("{sb sI ss}", "ok", 1, "serial", (json_int_t)k->serial,
					  "config", text);
	free(text);
}

static void
op_wait(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	(void)peer;
	(void)request;
	out->msg = json_pack("{sb sb}", "ok", 1, "ready", k->ready);
}

/* ---- apply ---- */

static json_t *
wrong_configuration(const struct cfg_errors *errs)
{
	json_t *answer;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	for (size_t i = 0; to != NULL && i < errs->n; i++)
		fprintf(to, "%s%s", i > 0 ? "\n" : "", errs->text[i]);
	if (to != NULL && errs->total > errs->n)
		fprintf(to, "\nand %zu more errors", errs->total - errs->n);
	if (to != NULL)
		fclose(to);
	answer = wire_error("%s", text != NULL && len > 0 ? text : "the configuration is wrong");
	free(text);
	return answer;
}

/* A guest that died is in both configurations alike, and is made anew all the same. */
static void
add_dead_guests(const struct keeper *k, const struct config *to, json_t *actions)
{
	for (size_t i = 0; i < k->n_guests; i++) {
		const struct cfg_node *node = config_node(to, k->guests[i]->name);

		if (k->guests[i]->state == NSGUEST_DEAD && node != NULL && nsguest_wanted(node))
			json_array_append_new(
				actions, json_sprintf("make guest %s anew", node->name));
	}
}

static bool
same_item(const struct bundle_item *a, const struct bundle_item *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void
add_filters(const struct keeper *k, const struct config *to, const struct bundle *b, json_t *actions)
{
	static const char *const words[] = {[BUNDLE_RULES] = "rules", [BUNDLE_SETS] = "sets"};

	for (size_t i = 0; i < to->n_routers; i++) {
		const char *name = to->nodes[i].name;

		for (int kind = 0; kind < BUNDLE_KINDS; kind++)
			if (!same_item(bundle_get(&k->bundle, name, kind), bundle_get(b, name, kind)))
				json_array_append_new(
					actions, json_sprintf("change %s of %s", words[kind], name));
	}
}

/* Takes `to`. */
static json_t *
apply(struct keeper *k, struct config *to, struct bundle *bundle, const char *origin, bool dry_run)
{
	json_t *actions = diff_actions(k->config, to);
	struct fault why;

	add_dead_guests(k, to, actions);
	if (bundle != NULL)
		add_filters(k, to, bundle, actions);
	if (!dry_run && keeper_change(k, to, bundle, origin, &why) < 0) {
		json_decref(actions);
		config_free(to);
		return wire_error("%s", why.text);
	}
	if (dry_run)
		config_free(to);
	else
		log_line(LOG_NOTICE, "keeper", "applied change %llu from %s: %zu actions",
			(unsigned long long)k->serial, k->origin, json_array_size(actions));
	return json_pack(
		"{sb sI so*}", "ok", 1, "serial", (json_int_t)k->serial, "actions", actions);
}

static void
op_apply(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	const json_t *text = json_object_get(request, "config"),
		     *base = json_object_get(request, "base");
	const char *origin = json_string_value(json_object_get(request, "origin"));
	struct bundle bundle = {0};
	struct cfg_errors errs;
	struct config *to = NULL;

	if (!json_is_string(text)) {
		out->msg = wire_error("apply: there is no configuration");
		return;
	}
	if (peer->fd >= 0 && bundle_read(peer->fd, &bundle) < 0) {
		out->msg = wire_error("apply: the rules beside the configuration cannot be read");
		return;
	}
	if (json_is_integer(base) && json_integer_value(base) != (json_int_t)k->serial) {
		out->msg = wire_error(
			"the fabric was changed meanwhile: it is at change %llu, not %lld",
			(unsigned long long)k->serial, (long long)json_integer_value(base));
		bundle_fini(&bundle);
		return;
	}
	origin = origin != NULL ? origin : "(apply)";
	if (config_read(json_string_value(text), json_string_length(text), origin, &to, &errs) <
		0) {
		out->msg = wrong_configuration(&errs);
	} else if (strcmp(to->fabric, k->config->fabric) != 0) {
		out->msg = wire_error("this is fabric %s: its name cannot become %s while it runs",
			k->config->fabric, to->fabric);
		config_free(to);
	} else {
		out->msg = apply(k, to, peer->fd >= 0 ? &bundle : NULL, origin,
			json_is_true(json_object_get(request, "dry_run")));
	}
	bundle_fini(&bundle);
	cfg_errors_free(&errs);
}

/* ---- rules and sets of one router, live ---- */

/* The engine takes it or not; what it has taken is kept for the next engine. */
static void
op_rules(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	uint8_t *bytes = NULL;
	struct fault why;
	size_t len = 0;

	if (node == NULL || peer->fd < 0 || bytes_read(peer->fd, &bytes, &len) < 0) {
		out->msg = wire_error("rules: no router, or no rules that can be read");
		return;
	}
	out->msg = engine_ask(k, request, peer->fd, &why);
	if (out->msg == NULL)
		out->msg = wire_error("%s", why.text);
	else if (json_is_true(json_object_get(out->msg, "ok")) &&
		 bundle_set(&k->bundle, node, BUNDLE_RULES, bytes, len) < 0)
		log_line(LOG_ERROR, "keeper", "no memory to keep the rules of %s", node);
	free(bytes);
}

enum { EDITS_MIN = 256 << 10 }; /* bytes of edits that may be kept, besides as many as the rules have */

/* Edits are kept behind the rules, until they are as long: then the engine gives the rules as they have become. */
static bool
wants_whole(const struct keeper *k, const char *node, size_t len)
{
	const struct bundle_item *item = bundle_get(&k->bundle, node, BUNDLE_RULES);

	return item != NULL && item->len - item->whole + len > item->whole + EDITS_MIN;
}

static void
keep_edit(struct keeper *k, const char *node, const void *bytes, size_t len, int whole_fd)
{
	uint8_t *whole = NULL;
	size_t whole_len;
	int rc;

	if (whole_fd >= 0 && bytes_read(whole_fd, &whole, &whole_len) == 0)
		rc = bundle_set(&k->bundle, node, BUNDLE_RULES, whole, whole_len);
	else
		rc = bundle_append(&k->bundle, node, BUNDLE_RULES, bytes, len);
	free(whole);
	if (rc < 0)
		log_line(LOG_ERROR, "keeper", "no memory to keep an edit of the rules of %s", node);
}

static void
op_edit(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	json_t *msg = json_copy((json_t *)(uintptr_t)request);
	int fds[WIRE_FDS_MAX];
	uint8_t *bytes = NULL;
	struct fault why;
	size_t len = 0, n = 0;

	if (node == NULL || peer->fd < 0 || bytes_read(peer->fd, &bytes, &len) < 0) {
		json_decref(msg);
		out->msg = wire_error("edit: no router, or no edit that can be read");
		return;
	}
	if (msg != NULL)
		json_object_set_new(msg, "whole", json_boolean(wants_whole(k, node, len)));
	out->msg = engine_ask_fds(k, msg, peer->fd, fds, &n, &why);
	if (out->msg == NULL)
		out->msg = wire_error("%s", why.text);
	else if (json_is_true(json_object_get(out->msg, "changed")))
		keep_edit(k, node, bytes, len, n > 0 ? fds[0] : -1);
	while (n > 0)
		close(fds[--n]);
	json_decref(msg);
	free(bytes);
}

static void
op_sets(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	const char *text = json_string_value(json_object_get(request, "text"));
	const char *now;
	struct fault why;

	(void)peer;
	if (node == NULL || text == NULL) {
		out->msg = wire_error("sets: no router, or no commands");
		return;
	}
	out->msg = engine_ask(k, request, -1, &why);
	if (out->msg == NULL) {
		out->msg = wire_error("%s", why.text);
		return;
	}
	/* Most answers say what the sets have come to. */
	now = json_string_value(json_object_get(out->msg, "text"));
	if (now != NULL && bundle_set(&k->bundle, node, BUNDLE_SETS, now, strlen(now)) < 0)
		log_line(LOG_ERROR, "keeper", "no memory to keep the sets of %s", node);
	json_object_del(out->msg, "text");
}

/* => {"ok"} with a descriptor: the rules and sets that belong to the configuration. */
static void
op_bundle(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	int fd = bundle_write(&k->bundle);

	(void)peer;
	(void)request;
	if (fd < 0) {
		out->msg = wire_error("the rules cannot be given out: %s", strerror(-fd));
		return;
	}
	out->fds[out->n_fds++] = fd;
	out->msg = json_pack("{sb sI}", "ok", 1, "serial", (json_int_t)k->serial);
}

/* ---- enter ---- */

static const char *
cannot_enter(const struct keeper *k, const char *name, const struct nsguest *g)
{
	const struct cfg_node *node = config_node(k->config, name);

	if (node == NULL)
		return "there is no such guest or router";
	if (node->kind == CFG_GUEST_SIMULATED)
		return "it is simulated and has no namespace";
	if (node->kind == CFG_ROUTER && !node->control)
		return "it is a router without a control namespace (control: true)";
	return g == NULL || g->state != NSGUEST_ALIVE ? "its init was killed" : NULL;
}

static int
open_namespace(pid_t pid, const char *which)
{
	char path[48];

	if (strcmp(which, "user") == 0)
		return open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void
op_enter(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	static const char *const names[NAMESPACES_MAX] = {"user", "mnt", "pid", "net", "uts"};
	const char *name = json_string_value(json_object_get(request, "node"));
	const struct nsguest *g = name != NULL ? nsguest_find(k, name) : NULL;
	const char *error = name != NULL ? cannot_enter(k, name, g) : "no name is given";
	size_t first = k->unprivileged ? 0 : 1;
	json_t *list;

	(void)peer;
	if (error != NULL) {
		out->msg =
			wire_error("cannot enter %s: %s", name != NULL ? name : "a guest", error);
		return;
	}
	list = json_array();
	for (size_t i = first; i < NAMESPACES_MAX; i++) {
		int fd = open_namespace(g->pid, names[i]);

		if (fd < 0)
			break;
		out->fds[out->n_fds++] = fd;
		json_array_append_new(list, json_string(names[i]));
	}
	if (json_array_size(list) == NAMESPACES_MAX - first)
		out->msg = json_pack("{sb si sO}", "ok", 1, "pid", (int)g->pid, "namespaces", list);
	else
		out->msg = wire_error("cannot enter %s: %s", name, strerror(errno));
	json_decref(list);
}

/* ---- stop ---- */

static void
op_stop(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out)
{
	(void)request;
	(void)out;
	log_line(LOG_NOTICE, "keeper", "ending: asked to");
	peer->waits_for_end = true;
	k->stopping = true;
}

static const struct {
	const char *op;
	void (*run)(struct keeper *k, struct peer *peer, const json_t *request, struct answer *out);
} operations[] = {
	{"status", op_status},
	{"config", op_config},
	{"apply", op_apply},
	{"rules", op_rules},
	{"edit", op_edit},
	{"sets", op_sets},
	{"bundle", op_bundle},
	{"enter", op_enter},
	{"stop", op_stop},
	{"wait", op_wait},
};

/* ---- connections ---- */

static void
peer_free(struct keeper *k, struct peer *peer)
{
	for (struct peer **at = &k->peers; *at != NULL; at = &(*at)->next) {
		if (*at == peer) {
			*at = peer->next;
			break;
		}
	}
	keeper_unwatch(k, &peer->watch);
	wire_fini(&peer->wire);
	free(peer);
}

static int
send_answer(struct peer *peer, struct answer *a)
{
	int rc = 0;

	if (a->msg != NULL)
		rc = a->n_fds > 0 ? wire_send(&peer->wire, a->msg, a->fds, a->n_fds)
				  : wire_queue(&peer->wire, a->msg);
	while (a->n_fds > 0)
		close(a->fds[--a->n_fds]);
	json_decref(a->msg);
	return rc;
}

static int
answer(struct keeper *k, struct peer *peer, const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	struct answer a = {0};

	for (size_t i = 0; op != NULL && i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].op, op) != 0)
			continue;
		operations[i].run(k, peer, request, &a);
		return send_answer(peer, &a);
	}
	a.msg = wire_error("the keeper knows no operation %s", op != NULL ? op : "without a name");
	return send_answer(peer, &a);
}

static int
read_requests(struct keeper *k, struct peer *peer)
{
	int fds[WIRE_FDS_MAX], rc = 0;
	json_t *request;
	size_t n = 0;

	while (!k->stopping && rc == 0) {
		rc = wire_recv(&peer->wire, &request, fds, &n);
		if (rc < 0)
			break;
		peer->fd = n > 0 ? fds[0] : -1;
		rc = answer(k, peer, request);
		json_decref(request);
		while (n > 0)
			close(fds[--n]);
	}
	return rc == -EAGAIN ? 0 : rc;
}

static void
peer_ready(struct keeper *k, struct watcher *w, uint32_t events)
{
	struct peer *peer = watcher_owner(w, struct peer, watch);
	int rc = wire_flush(&peer->wire);

	/* New requests only when the answers of the old ones are gone. */
	if (rc == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		rc = read_requests(k, peer);
	if (rc >= 0)
		rc = wire_flush(&peer->wire);
	if (rc >= 0)
		rc = keeper_watch(k, w, rc == 1 ? EPOLLOUT : EPOLLIN);
	if (rc < 0)
		peer_free(k, peer);
}

void
request_accept(struct keeper *k, struct watcher *w, uint32_t events)
{
	int fd = wire_accept(w->fd);
	struct peer *peer = fd < 0 ? NULL : calloc(1, sizeof(*peer));

	(void)events;
	if (peer == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	wire_init(&peer->wire, fd);
	peer->watch = (struct watcher){.fd = fd, .ready = peer_ready};
	peer->next = k->peers;
	k->peers = peer;
	if (keeper_watch(k, &peer->watch, EPOLLIN) < 0)
		peer_free(k, peer);
}

void
request_end(struct keeper *k, const char *error)
{
	json_t *msg = error != NULL ? wire_error("%s", error) : wire_ok();

	/* Those who connected while a start that failed was under way. */
	for (int fd;
		error != NULL && k->listener.fd >= 0 && (fd = wire_accept(k->listener.fd)) >= 0;) {
		struct wire w;

		wire_init(&w, fd);
		wire_send(&w, msg, NULL, 0);
		wire_fini(&w);
	}
	while (k->peers != NULL) {
		if (k->peers->waits_for_end)
			wire_send(&k->peers->wire, msg, NULL, 0);
		peer_free(k, k->peers);
	}
	json_decref(msg);
}
