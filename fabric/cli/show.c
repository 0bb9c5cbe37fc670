/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rookery show: ask, render, and again when watching. */
#include "fabric/cli/cli.h"
#include "fabric/cli/filters.h"
#include "fabric/cli/render.h"
#include "fabric/cli/signals.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct renderer *
chosen_renderer(const struct cli *cl)
{
	return renderer_find(cli_arg(cl, "json") ? "json" : "text");
}

static json_t *
show_request(const struct cli *cl, const char *what)
{
	json_t *request = json_pack("{s:s, s:s}", "op", "show", "what", what);
	const char *node = cli_arg(cl, "NODE") ? cli_arg(cl, "NODE") : cli_arg(cl, "ADAPTER");

	if (node)
		json_object_set_new(request, "node", json_string(node));
	if (cli_arg(cl, "all"))
		json_object_set_new(request, "all", json_true());
	return request;
}

/* A node that the listing has no record of may not exist; say so instead of showing nothing. */
static int
check_node(struct cli *cl)
{
	const char *name = cli_arg(cl, "NODE");
	struct config *cfg;
	int status = STATUS_OK;

	if (!name)
		return STATUS_OK;
	cfg = client_config(&cl->client, NULL);
	if (!cfg)
		return STATUS_FAILED;
	if (!config_osa(cfg, name) && !config_lan(cfg, name) && !client_node(cfg, name))
		status = STATUS_FAILED;
	config_free(cfg);
	return status;
}

static int
show_once(struct cli *cl)
{
	const struct listing *l = cli_arg(cl, "drops") ? listing_find("oat-drops") : cl->args.cmd->data;
	json_t *reply = client_call(&cl->client, PEER_ENGINE, show_request(cl, l->what));
	const json_t *records = json_object_get(reply, "records");
	int status = STATUS_OK;

	if (!reply)
		return STATUS_FAILED;
	if (json_array_size(records) == 0)
		status = check_node(cl);
	if (status == STATUS_OK)
		chosen_renderer(cl)->records(l, records, cli_arg(cl, "human") != NULL, stdout);
	json_decref(reply);
	return status;
}

/* Shows again and again; on a terminal each time on a clean screen. Ctrl-C ends it well. */
static int
watch(struct cli *cl, double seconds, int (*once)(struct cli *cl))
{
	int status;

	signals_catch();
	do {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		status = once(cl);
		fflush(stdout);
	} while (status == STATUS_OK && !ferror(stdout) && !signals_sleep(seconds));
	return status;
}

static int
show_or_watch(struct cli *cl, int (*once)(struct cli *cl))
{
	return cli_arg(cl, "watch") ? watch(cl, parsed_seconds(&cl->args, "watch", 1), once) : once(cl);
}

int
run_show(struct cli *cl)
{
	return show_or_watch(cl, show_once);
}

int
run_show_config(struct cli *cl)
{
	json_int_t serial = 0;
	struct config *cfg = client_config(&cl->client, &serial);
	char *text = cfg ? filters_config_text(&cl->client, cfg) : NULL;
	json_t *record;

	config_free(cfg);
	if (!text)
		return STATUS_FAILED;
	if (cli_arg(cl, "json")) {
		record = json_pack("{s:I, s:s}", "serial", serial, "config", text);
		json_dumpf(record, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(record);
	} else {
		fputs(text, stdout);
	}
	free(text);
	return STATUS_OK;
}

/* The programs of all guests as records of one listing. */
static json_t *
program_records(const json_t *keeper)
{
	json_t *records = json_array(), *guest, *program;
	size_t i, k;

	json_array_foreach(json_object_get(keeper, "guests"), i, guest) {
		json_array_foreach(json_object_get(guest, "programs"), k, program) {
			json_t *record = json_copy(program);

			json_object_set(record, "guest", json_object_get(guest, "name"));
			json_array_append_new(records, record);
		}
	}
	return records;
}

static void
print_field(const char *title, const json_t *value)
{
	char text[CELL_SIZE];

	render_value(value, text);
	printf("%-9s %s\n", title, text);
}

/* "1234 of 1048576, 98.7 % of the packets" */
static void
print_paths(const json_t *paths)
{
	double hits = json_number_value(json_object_get(paths, "hits")), misses = json_number_value(json_object_get(paths, "misses"));

	if (!json_is_true(json_object_get(paths, "on"))) {
		printf("%-9s off\n", "paths");
		return;
	}
	printf("%-9s %lld of %lld, %.1f %% of the packets\n", "paths", json_integer_value(json_object_get(paths, "paths")),
			json_integer_value(json_object_get(paths, "capacity")), hits + misses > 0 ? 100 * hits / (hits + misses) : 0.0);
}

static void
print_status(const json_t *keeper, const json_t *engine, bool human)
{
	static const char *const counts[] = {"routers", "guests", "links"};
	const struct renderer *r = renderer_find("text");
	json_t *programs = program_records(keeper);

	print_field("fabric", json_object_get(keeper, "fabric"));
	print_field("serial", json_object_get(keeper, "serial"));
	print_field("ready", json_object_get(keeper, "ready"));
	print_field("uptime", json_object_get(keeper, "uptime"));
	print_field("keeper", json_object_get(keeper, "pid"));
	print_field("engine", json_object_get(keeper, "engine_pid"));
	print_field("version", json_object_get(engine, "version"));
	for (size_t i = 0; i < 3; i++)
		print_field(counts[i], json_object_get(engine, counts[i]));
	print_field("memory", json_object_get(engine, "memory_bytes"));
	print_paths(json_object_get(engine, "paths"));
	putchar('\n');
	r->records(&listing_workers, json_object_get(engine, "workers"), human, stdout);
	if (json_array_size(programs) > 0) {
		putchar('\n');
		r->records(&listing_programs, programs, human, stdout);
	}
	json_decref(programs);
}

static int
status_once(struct cli *cl)
{
	json_t *keeper = client_call(&cl->client, PEER_KEEPER, json_pack("{s:s}", "op", "status"));
	json_t *engine = keeper ? client_call(&cl->client, PEER_ENGINE, json_pack("{s:s}", "op", "status"))
				: NULL;
	int status = engine ? STATUS_OK : STATUS_FAILED;

	if (engine && cli_arg(cl, "json")) {
		json_object_del(keeper, "ok");
		json_object_del(engine, "ok");
		json_object_set(keeper, "engine", engine);
		json_dumpf(keeper, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else if (engine) {
		print_status(keeper, engine, cli_arg(cl, "human") != NULL);
	}
	json_decref(engine);
	json_decref(keeper);
	return status;
}

int
run_show_status(struct cli *cl)
{
	return show_or_watch(cl, status_once);
}
