/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding a fabric and talking to it.
 *
 * A fabric is a directory below run_root() whose keeper.sock takes connections; a directory without that
 * is what a crash has left. Connections are made when first needed and kept for the command's life. Every
 * failure is told once, here, so callers only pass it on. When a request named a node that the fabric
 * does not have, the complaint is made from the configuration, where the nearest name is known.
 */
#include "fabric/cli/client.h"

#include "fabric/cli/cli.h"
#include "fabric/control/proto.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALL_TIMEOUT_MS = 60000 };

static const char *const socket_names[PEER_COUNT] = {
		[PEER_KEEPER] = "keeper.sock",
		[PEER_ENGINE] = "engine.sock",
};

static const char *const peer_names[PEER_COUNT] = {
		[PEER_KEEPER] = "keeper",
		[PEER_ENGINE] = "engine",
};

void
client_init(struct client *c, const char *fabric)
{
	*c = (struct client){0};
	snprintf(c->fabric, sizeof(c->fabric), "%s", fabric ? fabric : "");
}

void
client_fini(struct client *c)
{
	for (int i = 0; i < PEER_COUNT; i++) {
		if (c->open[i])
			wire_fini(&c->wire[i]);
		c->open[i] = false;
	}
}

/* In a shell of a router: its fabric's directory is out of sight there, but open as a descriptor. */
static bool
inside(const char *fabric)
{
	const char *own = getenv(ENV_FABRIC);

	return own && getenv(ENV_RUN_FD) && strcmp(own, fabric) == 0;
}

static int
connect_peer(const char *fabric, enum peer peer)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int err = inside(fabric) ? snprintf(dir, sizeof(dir), "/proc/self/fd/%s", getenv(ENV_RUN_FD)) : run_directory(fabric, dir, sizeof(dir));

	if (err < 0)
		return err;
	if (snprintf(path, sizeof(path), "%s/%s", dir, socket_names[peer]) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return wire_connect(path);
}

static bool
keeper_answers(const char *fabric)
{
	int fd = connect_peer(fabric, PEER_KEEPER);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct fabric_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
read_fabrics(DIR *dir, struct fabric_entry **list, size_t *n)
{
	struct dirent *d;

	while ((d = readdir(dir))) {
		struct fabric_entry *grown;

		if (d->d_name[0] == '.' || strlen(d->d_name) >= OBJECT_NAME)
			continue;
		grown = reallocarray(*list, *n + 1, sizeof(**list));
		if (!grown)
			return -ENOMEM;
		*list = grown;
		grown += (*n)++;
		snprintf(grown->name, sizeof(grown->name), "%.15s", d->d_name);
		grown->answers = keeper_answers(grown->name);
	}
	return 0;
}

int
client_fabrics(struct fabric_entry **list, size_t *n)
{
	char root[PATH_MAX];
	int err = run_root(root, sizeof(root));
	DIR *dir;

	*list = NULL;
	*n = 0;
	if (err < 0)
		return err;
	dir = opendir(root);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	err = read_fabrics(dir, list, n);
	closedir(dir);
	if (err == 0 && *n > 0)
		qsort(*list, *n, sizeof(**list), by_name);
	if (err < 0) {
		free(*list);
		*list = NULL;
	}
	return err;
}

static int
complain_several(const struct fabric_entry *list, size_t n)
{
	char names[512] = "";

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names);

		if (list[i].answers)
			snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", list[i].name);
	}
	complain("several fabrics are running (%s); pick one with -f NAME", names);
	return -EINVAL;
}

int
client_choose(struct client *c)
{
	struct fabric_entry *list;
	size_t n, running = 0;
	int err;

	if (!c->fabric[0] && getenv(ENV_FABRIC) && getenv(ENV_RUN_FD))
		snprintf(c->fabric, sizeof(c->fabric), "%s", getenv(ENV_FABRIC));
	if (c->fabric[0])
		return 0;
	err = client_fabrics(&list, &n);
	if (err < 0) {
		complain("the directory of running fabrics cannot be read: %s", strerror(-err));
		return err;
	}
	for (size_t i = 0; i < n; i++) {
		if (list[i].answers && running++ == 0)
			snprintf(c->fabric, sizeof(c->fabric), "%s", list[i].name);
	}
	if (running == 0) {
		complain("no fabric is running; start one with 'rookery lab FILE'");
		err = -ENOENT;
	} else if (running > 1) {
		c->fabric[0] = '\0';
		err = complain_several(list, n);
	}
	free(list);
	return err;
}

static void
complain_connect(const struct client *c, enum peer peer, int err)
{
	struct fabric_entry *list;
	const char *names[64], *near;
	size_t n, count = 0;

	if (peer == PEER_ENGINE && keeper_answers(c->fabric)) {
		complain("the engine of fabric '%s' does not answer: %s", c->fabric, strerror(-err));
		return;
	}
	if (client_fabrics(&list, &n) < 0)
		list = NULL, n = 0;
	for (size_t i = 0; i < n && count < 64; i++) {
		if (list[i].answers)
			names[count++] = list[i].name;
	}
	near = nearest(c->fabric, names, count);
	if (err == -EACCES)
		complain("fabric '%s' belongs to another user", c->fabric);
	else if (near)
		complain("fabric '%s' is not running; did you mean '%s'?", c->fabric, near);
	else
		complain("fabric '%s' is not running", c->fabric);
	free(list);
}

struct wire *
client_wire(struct client *c, enum peer peer)
{
	int fd;

	if (c->open[peer])
		return &c->wire[peer];
	if (client_choose(c) < 0)
		return NULL;
	fd = connect_peer(c->fabric, peer);
	if (fd < 0) {
		complain_connect(c, peer, fd);
		return NULL;
	}
	wire_init(&c->wire[peer], fd);
	c->open[peer] = true;
	return &c->wire[peer];
}

static json_t *
transact(struct client *c, enum peer peer, json_t *request, int fd, int *fds, size_t *n_fds)
{
	struct wire *w = client_wire(c, peer);
	json_t *reply = NULL;
	int err;

	if (!w || !request)
		return NULL;
	err = wire_send(w, request, &fd, fd >= 0 ? 1 : 0);
	if (err == 0)
		err = wire_wait(w, &reply, fds, n_fds, CALL_TIMEOUT_MS);
	if (err == 0)
		return reply;
	if (err == -EPIPE || err == -ECONNRESET)
		complain("the %s of fabric '%s' closed the connection", peer_names[peer], c->fabric);
	else
		complain("the %s of fabric '%s' does not answer: %s", peer_names[peer], c->fabric,
				strerror(-err));
	return NULL;
}

json_t *
client_ask_fd(struct client *c, enum peer peer, json_t *request, int fd)
{
	json_t *reply = transact(c, peer, request, fd, NULL, NULL);

	json_decref(request);
	return reply;
}

json_t *
client_ask(struct client *c, enum peer peer, json_t *request)
{
	return client_ask_fd(c, peer, request, -1);
}

const char *
client_error(const json_t *reply)
{
	const char *text = json_string_value(json_object_get(reply, "error"));

	return text ? text : "refused without a reason";
}

/* A refusal of a request for a node: whether that node exists at all is the better thing to say. */
static void
complain_refused(struct client *c, const json_t *request, const json_t *reply)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	struct config *cfg = node ? client_config(c, NULL) : NULL;

	if (!cfg || client_node(cfg, node))
		complain("%s", client_error(reply));
	config_free(cfg);
}

json_t *
client_call_fds(struct client *c, enum peer peer, json_t *request, int *fds, size_t *n_fds)
{
	json_t *reply = transact(c, peer, request, -1, fds, n_fds);

	if (reply && !json_is_true(json_object_get(reply, "ok"))) {
		complain_refused(c, request, reply);
		for (size_t i = 0; n_fds && i < *n_fds; i++)
			close(fds[i]);
		json_decref(reply);
		reply = NULL;
	}
	json_decref(request);
	return reply;
}

json_t *
client_call(struct client *c, enum peer peer, json_t *request)
{
	return client_call_fds(c, peer, request, NULL, NULL);
}

struct config *
client_config(struct client *c, json_int_t *serial)
{
	json_t *reply = client_call(c, PEER_KEEPER, json_pack("{s:s}", "op", "config"));
	const char *text = json_string_value(json_object_get(reply, "config"));
	struct config *cfg = NULL;
	struct cfg_errors errs;

	if (!reply)
		return NULL;
	if (serial)
		*serial = json_integer_value(json_object_get(reply, "serial"));
	if (!text) {
		complain("the keeper of fabric '%s' answers without a configuration", c->fabric);
		json_decref(reply);
		return NULL;
	}
	if (config_read(text, strlen(text), c->fabric, &cfg, &errs) < 0) {
		complain("the configuration of the running fabric cannot be read: %s",
				errs.n ? errs.text[0] : "out of memory");
		cfg = NULL;
	}
	cfg_errors_free(&errs);
	json_decref(reply);
	return cfg;
}

struct cfg_node *
client_node(const struct config *cfg, const char *name)
{
	struct cfg_node *node = config_node(cfg, name);
	const char **names, *near;

	if (node)
		return node;
	names = calloc(cfg->n_nodes + 1, sizeof(*names));
	for (size_t i = 0; names && i < cfg->n_nodes; i++)
		names[i] = cfg->nodes[i].name;
	near = names ? nearest(name, names, cfg->n_nodes) : NULL;
	if (near)
		complain("there is no node '%s' in fabric '%s'; did you mean '%s'?", name, cfg->fabric, near);
	else
		complain("there is no node '%s' in fabric '%s'", name, cfg->fabric);
	free(names);
	return NULL;
}

struct cfg_iface *
client_iface(const struct cfg_node *node, const char *name)
{
	struct cfg_iface *iface = config_iface(node, name);
	const char *names[64], *near;
	size_t n = 0;

	if (iface)
		return iface;
	for (; n < node->n_ifaces && n < 64; n++)
		names[n] = node->ifaces[n].name;
	near = nearest(name, names, n);
	if (near)
		complain("%s has no interface '%s'; did you mean '%s'?", node->name, name, near);
	else
		complain("%s has no interface '%s'", node->name, name);
	return NULL;
}
