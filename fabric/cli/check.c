/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rookery check: what is wrong with a configuration, all of it. */
#include "fabric/cli/cli.h"
#include "fabric/cli/filters.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A link has two ends, and each is an interface. */
static size_t
count_links(const struct config *cfg)
{
	size_t ends = 0;

	for (size_t i = 0; i < cfg->n_nodes; i++) {
		for (size_t k = 0; k < cfg->nodes[i].n_ifaces; k++) {
			enum cfg_iface_kind kind = cfg->nodes[i].ifaces[k].kind;

			ends += kind == CFG_IUCV || kind == CFG_CTC;
		}
	}
	return ends / 2;
}

static json_t *
file_record(const char *path, const struct config *cfg, const struct cfg_errors *errs)
{
	json_t *record = json_pack("{s:s, s:b, s:[], s:[]}", "file", path, "ok", cfg != NULL, "errors", "warnings");

	for (size_t i = 0; i < errs->n; i++)
		json_array_append_new(json_object_get(record, "errors"), json_string(errs->text[i]));
	for (size_t i = 0; cfg && i < cfg->n_warnings; i++)
		json_array_append_new(json_object_get(record, "warnings"), json_string(cfg->warnings[i]));
	if (cfg) {
		json_object_set_new(record, "fabric", json_string(cfg->fabric));
		json_object_set_new(record, "routers", json_integer((json_int_t)cfg->n_routers));
		json_object_set_new(record, "guests",
				json_integer((json_int_t)(cfg->n_nodes - cfg->n_routers)));
		json_object_set_new(record, "links", json_integer((json_int_t)count_links(cfg)));
	}
	return record;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

void
print_warnings(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_warnings; i++)
		fprintf(stderr, "rookery: %s\n", cfg->warnings[i]);
}

static void
print_good(const char *path, const struct config *cfg)
{
	size_t guests = cfg->n_nodes - cfg->n_routers, links = count_links(cfg);

	print_warnings(cfg);
	printf("%s: fabric %s, %zu router%s, %zu guest%s, %zu link%s\n", path, cfg->fabric, cfg->n_routers,
			plural(cfg->n_routers), guests, plural(guests), links, plural(links));
}

static void
print_bad(const struct cfg_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		fprintf(stderr, "rookery: %s\n", errs->text[i]);
	if (errs->total > errs->n)
		fprintf(stderr, "rookery: and %zu more\n", errs->total - errs->n);
}

/* In a process of its own, since libxtables ends the one it runs in at a wrong option. => what it had to say, to free(); NULL: all is well. */
static char *
filters_wrong(const struct config *cfg, const char *path)
{
	char *text = NULL, buf[4096];
	size_t len = 0;
	int ends[2], how = 0;
	FILE *to;
	ssize_t n;
	pid_t child;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return strdup("no pipe can be made");
	child = fork();
	if (child == 0) {
		struct bundle b;

		dup2(ends[1], STDERR_FILENO);
		_exit(filters_read(cfg, path, &b) < 0);
	}
	close(ends[1]);
	to = open_memstream(&text, &len);
	while (to && (n = read(ends[0], buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, to);
	if (to)
		fclose(to);
	close(ends[0]);
	if (child > 0 && waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 0) {
		free(text);
		return NULL;
	}
	return text ? text : strdup("the rules cannot be read");
}

static int
check_file(const char *path, json_t *records)
{
	struct cfg_errors errs;
	struct config *cfg = NULL;
	int err = config_load(path, &cfg, &errs);
	char *wrong = err == 0 ? filters_wrong(cfg, path) : NULL;
	json_t *record;

	if (err < 0)
		cfg = NULL;
	if (wrong)
		err = -EINVAL;
	if (records) {
		record = file_record(path, cfg, &errs);
		if (wrong) {
			json_object_set_new(record, "ok", json_false());
			json_array_append_new(json_object_get(record, "errors"), json_stringn(wrong, strcspn(wrong, "\n")));
		}
		json_array_append_new(records, record);
	} else if (wrong)
		fputs(wrong, stderr);
	else if (cfg)
		print_good(path, cfg);
	else if (errs.n > 0)
		print_bad(&errs);
	else
		complain("%s: %s", path, strerror(-err));
	free(wrong);
	cfg_errors_free(&errs);
	if (cfg)
		config_free(cfg);
	return err < 0 ? STATUS_FAILED : STATUS_OK;
}

int
run_check(struct cli *cl)
{
	json_t *records = cli_arg(cl, "json") ? json_array() : NULL;
	int status = STATUS_OK;
	const char *path;
	size_t i = 0;

	while ((path = parsed_next(&cl->args, "FILE", &i))) {
		if (check_file(path, records) != STATUS_OK)
			status = STATUS_FAILED;
	}
	if (records) {
		json_dumpf(records, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	json_decref(records);
	return status;
}
