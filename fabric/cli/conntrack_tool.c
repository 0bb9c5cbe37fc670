/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack(8) for a router. The engine gives its connections page by page as conntrack -L prints them; the filters of the command line are
 * applied to the words of a line here, so a filter means what the reader sees.
 */
#include "fabric/cli/conntrack_tool.h"

#include "fabric/cli/cli.h"
#include "fabric/base/addr.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 40, DELETES = 256 };

/* Option letters and long names: which word of a line must have the value. `nth`: 0 the original direction's, 1 the reply's. */
static const struct option long_options[] = {
		{"dump", 0, NULL, 'L'}, {"delete", 0, NULL, 'D'}, {"flush", 0, NULL, 'F'}, {"count", 0, NULL, 'C'}, {"stats", 0, NULL, 'S'},
		{"event", 0, NULL, 'E'}, {"orig-src", 1, NULL, 's'}, {"src", 1, NULL, 's'}, {"orig-dst", 1, NULL, 'd'}, {"dst", 1, NULL, 'd'},
		{"reply-src", 1, NULL, 'r'}, {"reply-dst", 1, NULL, 'q'}, {"proto", 1, NULL, 'p'}, {"sport", 1, NULL, 1},
		{"orig-port-src", 1, NULL, 1}, {"dport", 1, NULL, 2}, {"orig-port-dst", 1, NULL, 2}, {"reply-port-src", 1, NULL, 3},
		{"reply-port-dst", 1, NULL, 4}, {"state", 1, NULL, 5}, {"mark", 1, NULL, 'm'}, {"zone", 1, NULL, 'w'}, {"status", 1, NULL, 'u'},
		{"output", 1, NULL, 'o'}, {"family", 1, NULL, 'f'}, {"icmp-type", 1, NULL, 6}, {"icmp-code", 1, NULL, 7}, {"icmp-id", 1, NULL, 8},
		{"version", 0, NULL, 'V'}, {"help", 0, NULL, 'h'}, {0},
};

static const struct {
	int option;
	const char *key; /* of key=value; NULL: a word by itself */
	int nth;
} fields[] = {
		{'s', "src", 0}, {'d', "dst", 0}, {'r', "src", 1}, {'q', "dst", 1}, {1, "sport", 0}, {2, "dport", 0}, {3, "sport", 1},
		{4, "dport", 1}, {5, NULL, 0}, {'m', "mark", 0}, {'w', "zone", 0}, {6, "type", 0}, {7, "code", 0}, {8, "id", 0},
};

struct filter {
	int option;
	const char *value;
	struct filter *next;
};

struct request {
	int command;
	struct filter *filters;
	struct client *c;
	const char *router;
	unsigned shown;
	json_t *victims;
	bool expect; /* the table of expectations, not that of connections */
};

static bool
has_word(char *const *words, int n, const char *word)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

static const char *
value_of(char *const *words, int n, const char *key, int nth)
{
	size_t len = strlen(key);

	for (int i = 0; i < n; i++) {
		if (strncmp(words[i], key, len) == 0 && words[i][len] == '=' && nth-- == 0)
			return words[i] + len + 1;
	}
	return NULL;
}

/* An address may be asked for as a prefix, a number in any base. */
static bool
same_value(const char *asked, const char *found)
{
	struct ip_prefix p;
	struct ip_addr a;

	if (strcmp(asked, found) == 0)
		return true;
	if (ip_parse(found, &a) == 0 && prefix_parse(asked, &p) == 0)
		return prefix_contains(&p, &a);
	return found[0] >= '0' && found[0] <= '9' && !strchr(found, '.') && strtoul(asked, NULL, 0) == strtoul(found, NULL, 0);
}

static bool
passes_one(const struct filter *f, char *const *words, int n)
{
	char flag[40];

	if (f->option == 'p')
		return strcasecmp(words[0], f->value) == 0 || (n > 1 && strcmp(words[1], f->value) == 0);
	if (f->option == 'u') {
		snprintf(flag, sizeof(flag), "[%s]", strcmp(f->value, "SEEN_REPLY") == 0 ? "UNREPLIED" : f->value);
		return has_word(words, n, flag) != (strcmp(f->value, "SEEN_REPLY") == 0);
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *found;

		if (fields[i].option != f->option)
			continue;
		if (!fields[i].key)
			return has_word(words, n, f->value);
		found = value_of(words, n, fields[i].key, fields[i].nth);
		return found ? same_value(f->value, found) : f->option == 'w' && strcmp(f->value, "0") == 0;
	}
	return true;
}

static bool
passes(const struct request *r, const char *line)
{
	char copy[512], *words[WORDS_MAX], *rest, *word;
	int n = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &rest); word && n < WORDS_MAX; word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	for (const struct filter *f = r->filters; f; f = f->next) {
		if (n == 0 || !passes_one(f, words, n))
			return false;
	}
	return true;
}

static void
delete_victims(struct request *r)
{
	json_t *reply;

	if (json_array_size(r->victims) == 0)
		return;
	reply = client_call(r->c, PEER_ENGINE, json_pack("{s:s, s:s, s:s, s:O}", "op", "conntrack", "node", r->router, "what", "delete",
			"connections", r->victims));
	json_decref(reply);
	json_array_clear(r->victims);
}

static void
take_line(struct request *r, const json_t *row)
{
	const char *line = json_string_value(json_object_get(row, "line"));

	if (!line || !passes(r, line))
		return;
	puts(line);
	r->shown++;
	if (r->command == 'D')
		json_array_append_new(r->victims, json_pack("{s:O, s:O}", "index", json_object_get(row, "index"), "id", json_object_get(row, "id")));
	if (json_array_size(r->victims) >= DELETES)
		delete_victims(r);
}

static int
walk(struct request *r)
{
	json_int_t cursor = 0;
	bool more = true;
	json_t *row;
	size_t i;

	r->victims = json_array();
	while (more) {
		json_t *reply = client_call(r->c, PEER_ENGINE,
				json_pack("{s:s, s:s, s:s, s:I}", "op", "conntrack", "node", r->router, "what", "list", "cursor", cursor));

		if (!reply)
			return STATUS_FAILED;
		json_array_foreach(json_object_get(reply, "connections"), i, row)
			take_line(r, row);
		cursor = json_integer_value(json_object_get(reply, "cursor"));
		more = json_is_true(json_object_get(reply, "more"));
		json_decref(reply);
	}
	delete_victims(r);
	json_decref(r->victims);
	fflush(stdout);
	fprintf(stderr, "conntrack v1.4.7 (rookery): %u flow entries have been %s.\n", r->shown, r->command == 'D' ? "deleted" : "shown");
	return r->command == 'D' && r->shown == 0 ? STATUS_FAILED : STATUS_OK;
}

static int
flush(struct request *r)
{
	json_t *reply = client_call(r->c, PEER_ENGINE, json_pack("{s:s, s:s, s:s}", "op", "conntrack", "node", r->router, "what", "flush"));

	if (!reply)
		return STATUS_FAILED;
	json_decref(reply);
	fprintf(stderr, "conntrack v1.4.7 (rookery): connection tracking table has been emptied.\n");
	return STATUS_OK;
}

static int
count(struct request *r)
{
	json_t *reply = client_call(r->c, PEER_ENGINE, json_pack("{s:s, s:s, s:s}", "op", "conntrack", "node", r->router, "what", "count"));
	const char *key;
	json_t *value;

	if (!reply)
		return STATUS_FAILED;
	if (r->command == 'C') {
		printf("%lld\n", (long long)json_integer_value(json_object_get(reply, "count")));
	} else {
		json_object_foreach(reply, key, value)
			if (json_is_integer(value))
				printf("%s=%lld ", key, (long long)json_integer_value(value));
		putchar('\n');
	}
	json_decref(reply);
	return STATUS_OK;
}

/* -L expect, -C expect. */
static int
expectations(struct request *r)
{
	json_t *reply = client_call(r->c, PEER_ENGINE, json_pack("{s:s, s:s, s:s}", "op", "conntrack", "node", r->router, "what", "expectations"));
	json_t *line;
	size_t i;

	if (!reply)
		return STATUS_FAILED;
	if (r->command == 'C') {
		printf("%lld\n", (long long)json_integer_value(json_object_get(reply, "count")));
	} else {
		json_array_foreach(json_object_get(reply, "expectations"), i, line) {
			puts(json_string_value(line));
			r->shown++;
		}
		fflush(stdout);
		fprintf(stderr, "conntrack v1.4.7 (rookery): %u expectations have been shown.\n", r->shown);
	}
	json_decref(reply);
	return STATUS_OK;
}

static int
events(struct request *r)
{
	struct wire *w = client_wire(r->c, PEER_ENGINE);
	json_t *reply = client_call(r->c, PEER_ENGINE, json_pack("{s:s, s:s, s:s, s:b}", "op", "conntrack", "node", r->router, "what", "events",
			"expect", r->expect));
	json_t *msg;

	if (!w || !reply)
		return STATUS_FAILED;
	json_decref(reply);
	while (wire_wait(w, &msg, NULL, NULL, -1) == 0) {
		const char *kind = json_string_value(json_object_get(msg, "event")), *line = json_string_value(json_object_get(msg, "line"));
		json_int_t lost = json_integer_value(json_object_get(msg, "dropped"));

		if (lost)
			fprintf(stderr, "conntrack: %lld events were lost: this end was too slow\n", (long long)lost);
		if (kind && line && passes(r, line)) {
			printf("%9s %s\n", kind, line);
			fflush(stdout);
		}
		json_decref(msg);
	}
	return STATUS_OK;
}

static int
usage(int status)
{
	fputs("usage: conntrack -L|-D|-F|-C|-S|-E [-p PROTO] [-s ADDRESS] [-d ADDRESS] [-r ADDRESS] [-q ADDRESS]\n"
	      "                 [--sport N] [--dport N] [--state STATE] [-m MARK] [-w ZONE] [-u STATUS]\n"
	      "       conntrack -L|-C|-E expect\n"
	      "list, delete, flush, count connections, their statistics, or their events as they come: as conntrack(8)\n",
			status == STATUS_OK ? stdout : stderr);
	return status;
}

/* => false: the command line is wrong. */
static bool
parse(struct request *r, int argc, char **argv)
{
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "LDFCSEs:d:r:q:p:m:w:u:o:f:Vh", long_options, NULL)) != -1) {
		struct filter *f;

		if (o == '?')
			return false;
		if (o < 'a' && o > 8) {
			if (r->command)
				return false;
			r->command = o;
			continue;
		}
		if (o == 'h')
			r->command = 'h';
		if (o == 'h' || o == 'o' || o == 'f')
			continue;
		f = malloc(sizeof(*f));
		if (!f)
			return false;
		*f = (struct filter){o, optarg, r->filters};
		r->filters = f;
	}
	if (optind < argc && (strcmp(argv[optind], "conntrack") == 0 || strcmp(argv[optind], "expect") == 0))
		r->expect = argv[optind++][0] == 'e';
	return optind == argc && r->command && (!r->expect || (strchr("LCE", r->command) && !r->filters));
}

static int
run(struct request *r)
{
	if (r->expect && r->command != 'E')
		return expectations(r);
	switch (r->command) {
	case 'L':
	case 'D':
		return walk(r);
	case 'F':
		return flush(r);
	case 'C':
	case 'S':
		return count(r);
	case 'E':
		return events(r);
	case 'V':
		return puts("conntrack v1.4.7 (rookery)") < 0;
	default:
		return usage(STATUS_OK);
	}
}

int
conntrack_tool(struct client *c, const char *router, int argc, char **argv)
{
	struct request r = {.c = c, .router = router};
	int status = parse(&r, argc, argv) ? run(&r) : usage(STATUS_USAGE);

	while (r.filters) {
		struct filter *next = r.filters->next;

		free(r.filters);
		r.filters = next;
	}
	return status;
}
