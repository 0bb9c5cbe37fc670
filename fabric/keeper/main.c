/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the command line: one table ---- */

struct line {
	struct keeper_options options;
	bool help, version;
};

typedef bool parse(const char *value, struct line *out);

static bool
parse_engine(const char *value, struct line *out)
{
	out->options.engine = value;
	return true;
}

static bool
parse_run_dir(const char *value, struct line *out)
{
	out->options.run_root = value;
	return value[0] == '/';
}

static bool
parse_log_level(const char *value, struct line *out)
{
	return log_level_parse(value, &out->options.log_level);
}

static bool
parse_ready_fd(const char *value, struct line *out)
{
	char *end;
	long fd = strtol(value, &end, 10);

	out->options.ready_fd = (int)fd;
	return end != value && *end == '\0' && fd > 2 && fd < 1 << 20;
}

static bool
parse_rules_fd(const char *value, struct line *out)
{
	char *end;
	long fd = strtol(value, &end, 10);

	out->options.bundle_fd = (int)fd;
	return end != value && *end == '\0' && fd > 2 && fd < 1 << 20;
}

static bool
parse_help(const char *value, struct line *out)
{
	(void)value;
	return out->help = true;
}

static bool
parse_version(const char *value, struct line *out)
{
	(void)value;
	return out->version = true;
}

static const struct option_row {
	const char *name, *value, *text;
	parse *parse;
} rows[] = {
	{"--engine", "PATH", "the engine; else $ROOKERY_ENGINE, else rookeryd beside this program",
		parse_engine},
	{"--run-dir", "DIR",
		"where the run directory is made, an absolute path; else /run/rookery or\n"
		"                      that of the user's session",
		parse_run_dir},
	{"--log-level", "LEVEL", "error, warning, notice, info (default) or debug",
		parse_log_level},
	{"--ready-fd", "N",
		"write \"ok\", or why the start failed, to this descriptor and close it",
		parse_ready_fd},
	{"--rules-fd", "N", "the rules of its routers, as rookery has read them (bundle.h)", parse_rules_fd},
	{"--version", NULL, "print the version", parse_version},
	{"--help", NULL, "print this", parse_help},
};

static void
print_help(FILE *to)
{
	fputs("usage: rookery-keeper [OPTION]... FILE\n\n"
	      "Runs the fabric that FILE describes until it is told to end (SIGINT, SIGTERM, "
	      "rookery lab stop).\n\n",
		to);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(to, "  %-12s %-6s %s\n", rows[i].name,
			rows[i].value != NULL ? rows[i].value : "", rows[i].text);
}

/* => the row with *value behind "=", or NULL when none is there */
static const struct option_row *
find_option(const char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] == '=' ? word + len + 1 : NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, word, len) == 0)
			return &rows[i];
	return NULL;
}

static int
usage_error(const char *what, const char *word)
{
	fprintf(stderr, "rookery-keeper: %s %s (see --help)\n", what, word);
	return -EINVAL;
}

static int
parse_line(char **argv, struct line *out)
{
	for (char **at = argv + 1; *at != NULL; at++) {
		const char *value;
		const struct option_row *row = find_option(*at, &value);

		if (row == NULL && (*at)[0] == '-')
			return usage_error("there is no option", *at);
		if (row == NULL && out->options.file != NULL)
			return usage_error("one FILE only, not also", *at);
		if (row == NULL) {
			out->options.file = *at;
			continue;
		}
		if (row->value != NULL && value == NULL && at[1] != NULL)
			value = *++at;
		if ((row->value != NULL) != (value != NULL) || !row->parse(value, out))
			return usage_error("wrong or missing value of", row->name);
	}
	return out->options.file != NULL || out->help || out->version
		       ? 0
		       : usage_error("a FILE is needed", "");
}

int
main(int argc, char **argv)
{
	struct line line = {.options = {.ready_fd = -1, .bundle_fd = -1, .log_level = LOG_INFO}};

	(void)argc;
	if (parse_line(argv, &line) < 0)
		return 2;
	if (line.help) {
		print_help(stdout);
		return 0;
	}
	if (line.version) {
		puts("rookery-keeper " ROOKERY_VERSION);
		return 0;
	}
	return keeper_run(&line.options);
}
