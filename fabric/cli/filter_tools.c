/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables, iptables-save, iptables-restore, ipset and conntrack for a router of a running fabric. This program is them when it is called
 * by such a name (in `rookery shell ROUTER`), or as "rookery iptables [-r ROUTER] ...".
 *
 * What stands before the tool's own arguments: -r ROUTER (or --router), and -f FABRIC as everywhere. Without -r it is the router whose shell
 * this is (ROOKERY_NODE), or the only one that there is.
 */
#include "fabric/cli/cli.h"
#include "fabric/cli/conntrack_tool.h"
#include "fabric/cli/filters.h"
#include "fabric/cli/ipset_tool.h"
#include "filters/iptables/iptables.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const filter_tools[] = {"iptables", "iptables-save", "iptables-restore", "ipset", "conntrack", NULL};

/* A router's rules, as a store for the front end. */
struct remote {
	struct client client;
	char router[NODE_NAME];
	json_int_t serial;
};

static int
load(void *arg, struct rules **out, char *why, size_t size)
{
	struct remote *r = arg;
	int fds[WIRE_FDS_MAX], rc = -EBADMSG;
	uint8_t *bytes = NULL;
	size_t n = 0, len = 0;
	json_t *reply = client_call_fds(&r->client, PEER_ENGINE, json_pack("{s:s, s:s}", "op", "rules", "node", r->router), fds, &n);

	if (!reply) {
		snprintf(why, size, "the rules of %s cannot be had", r->router);
		return -EIO;
	}
	r->serial = json_integer_value(json_object_get(reply, "serial"));
	json_decref(reply);
	if (n > 0)
		rc = bytes_read(fds[0], &bytes, &len);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	*out = rc == 0 ? rules_decode(bytes, len, why, size) : NULL;
	if (rc < 0)
		snprintf(why, size, "the rules of %s cannot be read: %s", r->router, strerror(-rc));
	free(bytes);
	return *out ? 0 : rc < 0 ? rc : -EBADMSG;
}

static int
store_answer(const json_t *reply, char *why, size_t size)
{
	if (!reply) {
		snprintf(why, size, "the fabric does not answer");
		return -EIO;
	}
	if (json_is_true(json_object_get(reply, "ok")))
		return 0;
	snprintf(why, size, "%s", client_error(reply));
	return json_is_true(json_object_get(reply, "again")) ? -EAGAIN : -EINVAL;
}

static int
store(void *arg, const struct rules *rules, char *why, size_t size)
{
	struct remote *r = arg;
	size_t len;
	uint8_t *bytes = rules_encode(rules, &len);
	int fd = bytes ? bytes_write(bytes, len) : -ENOMEM, rc;
	json_t *reply;

	free(bytes);
	if (fd < 0) {
		snprintf(why, size, "%s", strerror(-fd));
		return fd;
	}
	reply = client_ask_fd(&r->client, PEER_KEEPER,
			json_pack("{s:s, s:s, s:I}", "op", "rules", "node", r->router, "base", r->serial), fd);
	close(fd);
	rc = store_answer(reply, why, size);
	json_decref(reply);
	return rc;
}

/* What the rules say about it has a number and iptables' words; what the router says is a sentence. */
static int
edit_answer(const json_t *reply, struct rules_change *change, char *why, size_t size)
{
	const int error = (int)json_integer_value(json_object_get(reply, "errno"));

	change->jump = (uint8_t)json_integer_value(json_object_get(reply, "jump"));
	return error > 0 ? -error : store_answer(reply, why, size);
}

static int
edit(void *arg, const struct rules_edit *e, bool as_loaded, struct rules_change *change, char *why, size_t size)
{
	struct remote *r = arg;
	size_t len;
	uint8_t *bytes = rules_edit_encode(e, &len);
	int fd = bytes ? bytes_write(bytes, len) : -ENOMEM, rc;
	json_t *request = json_pack("{s:s, s:s}", "op", "edit", "node", r->router), *reply;

	free(bytes);
	if (as_loaded)
		json_object_set_new(request, "base", json_integer(r->serial));
	if (fd < 0 || !request) {
		json_decref(request);
		return fd < 0 ? fd : -ENOMEM;
	}
	reply = client_ask_fd(&r->client, PEER_KEEPER, request, fd);
	close(fd);
	rc = edit_answer(reply, change, why, size);
	json_decref(reply);
	return rc;
}

static bool
is_tool(const char *name)
{
	for (size_t i = 0; filter_tools[i]; i++) {
		if (strcmp(name, filter_tools[i]) == 0)
			return true;
	}
	return false;
}

/* "rookery -f NAME iptables ..." is taken as "iptables -f NAME ...". */
char **
filter_tool(int argc, char **argv, int *n)
{
	const char *slash = strrchr(argv[0], '/'), *called = slash ? slash + 1 : argv[0];
	bool fabric = argc > 3 && (strcmp(argv[1], "-f") == 0 || strcmp(argv[1], "--fabric") == 0);
	char *tool;

	if (is_tool(called)) {
		argv[0] = (char *)called;
		*n = argc;
		return argv;
	}
	if (fabric && is_tool(argv[3])) {
		tool = argv[3];
		argv[3] = argv[2];
		argv[2] = argv[1];
		argv[1] = tool;
	}
	if (argc < 2 || !is_tool(argv[1]))
		return NULL;
	*n = argc - 1;
	return argv + 1;
}

/* Takes -r and -f with their values from the front of the arguments. => how many words, or -1 after a complaint. */
static int
take_options(int argc, char **argv, const char **router, const char **fabric)
{
	int at = 1;

	while (at < argc) {
		const char **to = strcmp(argv[at], "-r") == 0 || strcmp(argv[at], "--router") == 0 ? router
				: strcmp(argv[at], "--fabric") == 0 || (strcmp(argv[at], "-f") == 0 && at == 1) ? fabric : NULL;

		if (!to)
			break;
		if (at + 1 == argc) {
			complain("%s needs a name", argv[at]);
			return -1;
		}
		*to = argv[at + 1];
		at += 2;
	}
	return at - 1;
}

/* The router that is meant. => 0, or -errno after a complaint. */
static int
choose_router(struct remote *r, const char *named)
{
	struct config *cfg;
	const struct cfg_node *n;
	int rc = 0;

	if (!named)
		named = getenv("ROOKERY_NODE");
	if (named && strlen(named) < NODE_NAME) {
		snprintf(r->router, sizeof(r->router), "%s", named);
		return client_choose(&r->client);
	}
	cfg = client_config(&r->client, NULL);
	if (!cfg)
		return -EIO;
	n = named ? client_node(cfg, named) : NULL;
	if (!named && cfg->n_routers == 1)
		n = &cfg->nodes[0];
	if (!named && cfg->n_routers != 1)
		complain("fabric '%s' has %zu routers; pick one with -r ROUTER", r->client.fabric, cfg->n_routers);
	if (n)
		snprintf(r->router, sizeof(r->router), "%s", n->name);
	else
		rc = -EINVAL;
	config_free(cfg);
	return rc;
}

static int
run(struct remote *r, int argc, char **argv)
{
	const struct iptables_store where = {r, load, store, edit};

	if (strcmp(argv[0], "iptables") == 0)
		return iptables_command(&where, argc, argv);
	if (strcmp(argv[0], "iptables-save") == 0)
		return iptables_save_command(&where, argc, argv);
	if (strcmp(argv[0], "iptables-restore") == 0)
		return iptables_restore_command(&where, argc, argv);
	if (strcmp(argv[0], "ipset") == 0)
		return ipset_tool(&r->client, r->router, argc, argv);
	return conntrack_tool(&r->client, r->router, argc, argv);
}

int
filter_tool_run(int argc, char **argv)
{
	const char *router = NULL, *fabric = NULL;
	struct remote r = {0};
	char *tool = argv[0];
	int taken = take_options(argc, argv, &router, &fabric), status = STATUS_USAGE;

	if (taken < 0)
		return STATUS_USAGE;
	argv += taken;
	argc -= taken;
	argv[0] = tool;
	client_init(&r.client, fabric);
	if (choose_router(&r, router) == 0)
		status = run(&r, argc, argv);
	client_fini(&r.client);
	return status;
}

/* Only reached with options of ours before the tool's name. */
int
run_tool(struct cli *cl)
{
	return complain_usage(cl, "the name of the tool comes first, then its own arguments");
}
