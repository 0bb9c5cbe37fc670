/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live changes. All go the same way: take the configuration in use and its serial from the keeper, change
 * it in memory, send it back whole with that serial. When somebody else was faster the keeper refuses,
 * and the change is made once more on the newer configuration.
 */
#include "fabric/cli/live.h"

#include "fabric/cli/filters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { ATTEMPTS = 2 };

static void
print_actions(const struct cli *cl, const json_t *reply)
{
	const json_t *actions = json_object_get(reply, "actions");
	json_t *action;
	size_t i;

	json_array_foreach(actions, i, action)
		printf("%s\n", json_string_value(action) ? json_string_value(action) : "?");
	if (json_array_size(actions) == 0)
		printf("nothing to change\n");
	else if (cli_arg(cl, "dry-run"))
		printf("nothing was done (--dry-run)\n");
}

static json_t *
apply_request(const struct cli *cl, const char *text, const char *origin)
{
	json_t *request = json_pack("{s:s, s:s, s:s}", "op", "apply", "config", text, "origin", origin);

	if (request && cli_arg(cl, "dry-run"))
		json_object_set_new(request, "dry_run", json_true());
	return request;
}

/* A refusal for the serial is known by asking for it again: it has moved on. */
static bool
serial_moved(struct cli *cl, json_int_t base)
{
	json_t *reply = client_ask(&cl->client, PEER_KEEPER, json_pack("{s:s}", "op", "status"));
	json_int_t now = json_integer_value(json_object_get(reply, "serial"));
	bool moved = reply && now != base;

	json_decref(reply);
	return moved;
}

#define COMMAND_LINE "the command line"

/* The place of an error in the text we made of the change tells nobody anything. */
static const char *
without_place(const char *error)
{
	int line, column, length = 0;

	if (sscanf(error, COMMAND_LINE ":%d:%d: %n", &line, &column, &length) == 2 && length > 0)
		return error + length;
	return error;
}

/* => exit status, or -EAGAIN when the configuration has changed meanwhile. */
static int
send_changed(struct cli *cl, const struct config *cfg, json_int_t base)
{
	char *text = config_text(cfg);
	json_t *request = text ? apply_request(cl, text, COMMAND_LINE) : NULL, *reply;
	int status = STATUS_OK;

	free(text);
	if (!request)
		return complain("out of memory");
	json_object_set_new(request, "base", json_integer(base));
	reply = client_ask(&cl->client, PEER_KEEPER, request);
	if (!reply)
		return STATUS_FAILED;
	if (json_is_true(json_object_get(reply, "ok")))
		print_actions(cl, reply);
	else if (serial_moved(cl, base))
		status = -EAGAIN;
	else
		status = complain("%s", without_place(client_error(reply)));
	json_decref(reply);
	return status;
}

static int
change_once(struct cli *cl, change_fn change)
{
	json_int_t serial = 0;
	struct config *cfg = client_config(&cl->client, &serial);
	struct edit e;
	int status;

	if (!cfg)
		return STATUS_FAILED;
	edit_begin(&e, cfg);
	if (change(cl, &e) < 0)
		status = complain("%s", e.why);
	else
		status = send_changed(cl, cfg, serial);
	config_free(cfg);
	edit_end(&e);
	return status;
}

int
live(struct cli *cl, change_fn change)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int status = change_once(cl, change);

		if (status != -EAGAIN)
			return status;
	}
	return complain("others keep changing the fabric; try again");
}

/* Arguments are checked by the parser: this cannot fail. */
static struct ip_prefix
prefix_arg(const struct cli *cl, const char *name)
{
	const char *text = cli_arg(cl, name);
	struct ip_prefix p = {0};

	if (text && strcmp(text, "default") == 0)
		p.addr.family = AF_INET;
	else if (text)
		prefix_parse(text, &p);
	return p;
}

static struct ip_addr
address_arg(const struct cli *cl, const char *name)
{
	const char *text = cli_arg(cl, name);
	struct ip_addr a = {0};

	if (text)
		ip_parse(text, &a);
	return a;
}

static int
add_guest(const struct cli *cl, struct edit *e)
{
	const char *kind = cli_arg(cl, "kind"), **run, *line;
	struct edit_guest g = {
			.name = cli_arg(cl, "NAME"),
			.router = cli_arg(cl, "to"),
			.lan = cli_arg(cl, "lan"),
			.kind = kind && strcmp(kind, "ctc") == 0 ? CFG_CTC : CFG_IUCV,
			.simulated = cli_arg(cl, "simulated"),
			.address = prefix_arg(cl, "address"),
			.peer = address_arg(cl, "peer"),
			.vipa = prefix_arg(cl, "vipa"),
	};
	size_t i = 0;
	int err;

	run = calloc(cl->args.n_values + 1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	while ((line = parsed_next(&cl->args, "run", &i)))
		run[g.n_run++] = line;
	g.run = run;
	err = edit_add_guest(e, &g);
	free(run);
	return err;
}

int
run_add_guest(struct cli *cl)
{
	if (!cli_arg(cl, "to") == !cli_arg(cl, "lan"))
		return complain_usage(cl, "a guest needs either --to ROUTER or --lan LAN");
	if (cli_arg(cl, "lan") && cli_arg(cl, "kind"))
		return complain_usage(cl, "--kind is for links, not for LANs");
	return live(cl, add_guest);
}

static int
remove_guest(const struct cli *cl, struct edit *e)
{
	return edit_remove_guest(e, cli_arg(cl, "NAME"));
}

int
run_remove_guest(struct cli *cl)
{
	return live(cl, remove_guest);
}

static const struct {
	const char *word;
	enum cfg_route_type type;
} route_types[] = {
		{"discard", CFG_ROUTE_DISCARD},
		{"unreachable", CFG_ROUTE_UNREACHABLE},
		{"prohibit", CFG_ROUTE_PROHIBIT},
};

static struct edit_route
route_args(const struct cli *cl)
{
	struct edit_route r = {
			.to = prefix_arg(cl, "PREFIX"),
			.type = CFG_ROUTE_UNICAST,
			.via = address_arg(cl, "via"),
			.dev = cli_arg(cl, "dev"),
			.src = address_arg(cl, "src"),
			.metric_given = cli_arg(cl, "metric"),
			.metric = (uint32_t)parsed_number(&cl->args, "metric", 0),
			.table = (uint32_t)parsed_number(&cl->args, "table", 254),
	};

	for (size_t i = 0; i < sizeof(route_types) / sizeof(route_types[0]); i++) {
		if (cli_arg(cl, route_types[i].word))
			r.type = route_types[i].type;
	}
	return r;
}

/* A route has next hops or one of the types without; never both, never two of them. */
static int
count_types(const struct cli *cl)
{
	int n = cli_arg(cl, "via") || cli_arg(cl, "dev");

	for (size_t i = 0; i < sizeof(route_types) / sizeof(route_types[0]); i++)
		n += cli_arg(cl, route_types[i].word) != NULL;
	return n;
}

static int
add_route(const struct cli *cl, struct edit *e)
{
	struct edit_route r = route_args(cl);

	return edit_add_route(e, cli_arg(cl, "NODE"), &r);
}

int
run_add_route(struct cli *cl)
{
	if (count_types(cl) != 1)
		return complain_usage(cl, "a route needs one of: via ADDRESS, dev INTERFACE, discard, "
				"unreachable, prohibit");
	return live(cl, add_route);
}

static int
remove_route(const struct cli *cl, struct edit *e)
{
	struct edit_route r = route_args(cl);

	return edit_remove_route(e, cli_arg(cl, "NODE"), &r);
}

int
run_remove_route(struct cli *cl)
{
	if (count_types(cl) > 1)
		return complain_usage(cl, "via and dev do not go with discard, unreachable or prohibit");
	return live(cl, remove_route);
}

static int
set_interface(const struct cli *cl, struct edit *e)
{
	const char *node = cli_arg(cl, "NODE"), *iface = cli_arg(cl, "INTERFACE");
	int err = 0;

	if (cli_arg(cl, "up") || cli_arg(cl, "down"))
		err = edit_set_up(e, node, iface, cli_arg(cl, "up") != NULL);
	if (err == 0 && cli_arg(cl, "mtu"))
		err = edit_set_mtu(e, node, iface, (uint32_t)parsed_number(&cl->args, "mtu", 0));
	return err;
}

int
run_set_interface(struct cli *cl)
{
	bool up = cli_arg(cl, "up"), down = cli_arg(cl, "down");

	if (up && down)
		return complain_usage(cl, "an interface is either up or down");
	if (!up && !down && !cli_arg(cl, "mtu"))
		return complain_usage(cl, "one of up, down or mtu N is missing");
	return live(cl, set_interface);
}

static int
set_tunable(const struct cli *cl, struct edit *e)
{
	return edit_set_tunable(e, cli_arg(cl, "NODE"), cli_arg(cl, "NAME"),
			parsed_number(&cl->args, "VALUE", 0));
}

int
run_set_tunable(struct cli *cl)
{
	return live(cl, set_tunable);
}

/* The whole of a file that config_load() has just found good. NULL with errno. */
static char *
read_file(const char *path)
{
	FILE *from = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	ssize_t n;

	if (!from)
		return NULL;
	errno = 0;
	n = getdelim(&text, &size, '\0', from);
	if (n < 0) {
		free(text);
		text = NULL;
	}
	fclose(from);
	return text;
}

/* A table that is a file of its own is found from here only: then the whole configuration goes as it was read. */
static bool
has_table_files(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_osas; i++) {
		if (cfg->osas[i].table_file)
			return true;
	}
	return false;
}

static int
apply_text(struct cli *cl, const struct config *cfg, const char *path, int rules)
{
	char *text = has_table_files(cfg) ? config_text(cfg) : read_file(path);
	json_t *request = text ? apply_request(cl, text, path) : NULL, *reply;
	bool good;

	free(text);
	if (!request)
		return complain("%s cannot be read again", path);
	reply = client_ask_fd(&cl->client, PEER_KEEPER, request, rules);
	if (!reply)
		return STATUS_FAILED;
	good = json_is_true(json_object_get(reply, "ok"));
	if (good)
		print_actions(cl, reply);
	else
		complain("%s", client_error(reply));
	json_decref(reply);
	return good ? STATUS_OK : STATUS_FAILED;
}

int
run_apply(struct cli *cl)
{
	const char *path = cli_arg(cl, "FILE");
	struct cfg_errors errs;
	struct config *cfg = NULL;
	int err = config_load(path, &cfg, &errs), rules, status;

	for (size_t i = 0; i < errs.n; i++)
		fprintf(stderr, "rookery: %s\n", errs.text[i]);
	if (err < 0 && errs.n == 0)
		complain("%s: %s", path, strerror(-err));
	if (err == 0 && !cl->client.fabric[0])
		snprintf(cl->client.fabric, sizeof(cl->client.fabric), "%s", cfg->fabric);
	cfg_errors_free(&errs);
	if (err < 0)
		return STATUS_FAILED;
	print_warnings(cfg);
	rules = filters_fd(cfg, path);
	if (rules < 0) {
		config_free(cfg);
		return STATUS_FAILED;
	}
	status = apply_text(cl, cfg, path, rules);
	config_free(cfg);
	close(rules);
	return status;
}
