/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipset(8) for a router: its arguments become a line of `ipset restore`, which the engine reads; its save and list formats are the engine's
 * too. So what stands here is only which word means what.
 */
#include "fabric/cli/ipset_tool.h"

#include "fabric/cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
	bool exist, quiet, save_format, names, terse;
	const char *file;
	char **words; /* the command and what follows */
	int n;
};

static const struct {
	const char *from, *to;
} commands_by_other_names[] = {
		{"-N", "create"}, {"--create", "create"}, {"n", "create"}, {"-A", "add"}, {"--add", "add"}, {"-D", "del"}, {"--del", "del"},
		{"-T", "test"}, {"--test", "test"}, {"-X", "destroy"}, {"--destroy", "destroy"}, {"x", "destroy"}, {"-F", "flush"},
		{"--flush", "flush"}, {"-E", "rename"}, {"--rename", "rename"}, {"e", "rename"}, {"-W", "swap"}, {"--swap", "swap"},
		{"w", "swap"}, {"-S", "save"}, {"--save", "save"}, {"-L", "list"}, {"--list", "list"}, {"-R", "restore"},
		{"--restore", "restore"},
};

static int
usage(const char *what)
{
	fprintf(stderr, "ipset v7.17: %s\nTry `ipset help' for more information.\n", what);
	return STATUS_FAILED;
}

static bool
take_flag(struct options *o, const char *word)
{
	if (strcmp(word, "-!") == 0 || strcmp(word, "-exist") == 0 || strcmp(word, "--exist") == 0)
		return o->exist = true;
	if (strcmp(word, "-q") == 0 || strcmp(word, "-quiet") == 0)
		return o->quiet = true;
	if (strcmp(word, "-n") == 0 || strcmp(word, "-name") == 0)
		return o->names = true;
	if (strcmp(word, "-t") == 0 || strcmp(word, "-terse") == 0)
		return o->terse = true;
	return false;
}

/* Sorts options from words. => false after a complaint. */
static bool
sort_words(struct options *o, int argc, char **argv)
{
	o->words = calloc((size_t)argc + 1, sizeof(*o->words));
	for (int i = 1; o->words && i < argc; i++) {
		bool value = strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "-file") == 0 ||
			     strcmp(argv[i], "-output") == 0;

		if (value && i + 1 == argc) {
			usage("Missing mandatory argument of an option");
			return false;
		}
		if (value && argv[i][1] == 'o')
			o->save_format = strcmp(argv[++i], "save") == 0;
		else if (value)
			o->file = argv[++i];
		else if (!take_flag(o, argv[i]))
			o->words[o->n++] = argv[i];
	}
	return o->words != NULL;
}

static const char *
command_of(const char *word)
{
	for (size_t i = 0; i < sizeof(commands_by_other_names) / sizeof(commands_by_other_names[0]); i++) {
		if (strcmp(commands_by_other_names[i].from, word) == 0)
			return commands_by_other_names[i].to;
	}
	return word;
}

/* ---- looking ---- */

/* Only what stands before the members of each set, or only its name. */
static void
print_part(const char *text, const struct options *o)
{
	for (const char *end; *text; text = end + (*end != '\0')) {
		end = text + strcspn(text, "\n");
		if (o->names && strncmp(text, "Name: ", 6) == 0)
			printf("%.*s\n", (int)(end - text - 6), text + 6);
		if (o->terse && !o->names && (isupper((unsigned char)*text) || *text == '\0') && strncmp(text, "Members:", 8) != 0)
			printf("%.*s\n", (int)(end - text), text);
	}
}

static int
look(struct client *c, const char *router, const struct options *o, bool list)
{
	json_t *request = json_pack("{s:s, s:s, s:b}", "op", "sets", "node", router, "list", list && !o->save_format), *reply;

	if (o->n > 1)
		json_object_set_new(request, "name", json_string(o->words[1]));
	reply = client_ask(c, PEER_ENGINE, request);
	if (!reply)
		return STATUS_FAILED;
	if (!json_is_true(json_object_get(reply, "ok"))) {
		fprintf(stderr, "ipset v7.17: %s\n", client_error(reply));
		json_decref(reply);
		return STATUS_FAILED;
	}
	if (list && (o->names || o->terse))
		print_part(json_string_value(json_object_get(reply, "text")), o);
	else
		fputs(json_string_value(json_object_get(reply, "text")), stdout);
	json_decref(reply);
	return STATUS_OK;
}

/* ---- changing ---- */

/* The engine says "line N: sentence"; for one command the number tells nothing. */
static const char *
without_line(const char *error)
{
	int length = 0;

	return sscanf(error, "line %*d: %n", &length) == 0 && length > 0 ? error + length : error;
}

static int
run_text(struct client *c, const char *router, const struct options *o, const char *text, bool one)
{
	bool test = strcmp(command_of(o->words[0]), "test") == 0;
	json_t *reply = client_ask(c, PEER_KEEPER, json_pack("{s:s, s:s, s:s}", "op", "sets", "node", router, "text", text));
	bool good = reply && json_is_true(json_object_get(reply, "ok"));

	if (good && test && !o->quiet)
		fprintf(stderr, "%s is in set %s.\n", o->n > 2 ? o->words[2] : "", o->words[1]);
	else if (reply && !good && !o->quiet && test && strstr(client_error(reply), "is NOT in set"))
		fprintf(stderr, "%s\n", without_line(client_error(reply)));
	else if (reply && !good && !o->quiet)
		fprintf(stderr, "ipset v7.17: %s%s\n", one ? "" : "Error in ", one ? without_line(client_error(reply)) : client_error(reply));
	json_decref(reply);
	return good ? STATUS_OK : STATUS_FAILED;
}

static int
run_line(struct client *c, const char *router, const struct options *o)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int status;

	if (!to)
		return complain("out of memory");
	fputs(command_of(o->words[0]), to);
	for (int i = 1; i < o->n; i++)
		fprintf(to, strpbrk(o->words[i], " \t") || !*o->words[i] ? " \"%s\"" : " %s", o->words[i]);
	fprintf(to, "%s\n", o->exist ? " -exist" : "");
	fclose(to);
	status = run_text(c, router, o, text, true);
	free(text);
	return status;
}

/* -! before restore holds for each of its lines. */
static int
restore(struct client *c, const char *router, const struct options *o)
{
	FILE *from = o->file ? fopen(o->file, "re") : stdin, *to;
	char *text = NULL, *line = NULL;
	size_t len, size = 0;
	ssize_t n;
	int status;

	if (!from)
		return complain("%s: %m", o->file);
	to = open_memstream(&text, &len);
	while (to && (n = getline(&line, &size, from)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		fprintf(to, "%s%s\n", line, o->exist && isalpha((unsigned char)line[0]) ? " -exist" : "");
	}
	free(line);
	if (from != stdin)
		fclose(from);
	if (!to || fclose(to) != 0)
		return complain("out of memory");
	status = run_text(c, router, o, text, false);
	free(text);
	return status;
}

static int
run(struct client *c, const char *router, const struct options *o)
{
	const char *command = o->n ? command_of(o->words[0]) : "";

	if (strcmp(command, "list") == 0 || strcmp(command, "save") == 0)
		return look(c, router, o, command[0] == 'l');
	if (strcmp(command, "restore") == 0)
		return restore(c, router, o);
	if (strcmp(command, "version") == 0 || strcmp(command, "-v") == 0)
		return puts("ipset v7.17 (rookery)") < 0;
	if (!*command || strcmp(command, "help") == 0) {
		puts("ipset create|add|del|test|flush|destroy|rename|swap|list|save|restore ...: as ipset(8)");
		return *command ? STATUS_OK : usage("No command specified.");
	}
	return run_line(c, router, o);
}

int
ipset_tool(struct client *c, const char *router, int argc, char **argv)
{
	struct options o = {0};
	int status = sort_words(&o, argc, argv) ? run(c, router, &o) : STATUS_FAILED;

	free(o.words);
	return status;
}
