/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of the command line.
 *
 * A line is: words that name a command, then operands, keywords with their values and options with theirs.
 * Options may stand anywhere, also before the command; "--" ends them. An operand with ARG_REST takes the
 * whole remainder as it stands, so that `rookery exec NODE ls -l` needs no "--". Operands that may be left
 * out are filled from the left with what the required ones leave over. Whatever stands after the operands
 * is a keyword. Every value is checked by its kind here, so that a command sees only well-formed text.
 *
 * Nothing is copied: values point into argv and into the tables.
 */
#include "fabric/cli/command.h"

#include "fabric/base/addr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUGGEST_MAX = NEXT_WORDS_MAX };

static int refuse(struct parsed *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int
refuse(struct parsed *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(p->error, sizeof(p->error), format, ap);
	va_end(ap);
	return -EINVAL;
}

static const struct arg *
find_option(const struct arg *list, const char *name, size_t len, char letter)
{
	for (; list && list->name; list++) {
		if (letter ? list->letter == letter
			   : strlen(list->name) == len && memcmp(list->name, name, len) == 0)
			return list;
	}
	return NULL;
}

const struct arg *
command_option(const struct command *c, const char *name, size_t len, char letter)
{
	const struct arg *a = c ? find_option(c->options, name, len, letter) : NULL;

	return a ? a : find_option(common_options, name, len, letter);
}

const struct arg *
command_operand(const struct command *c, size_t index, size_t total)
{
	size_t required = 0, spare, at = 0;

	if (!c->operands)
		return NULL;
	for (const struct arg *a = c->operands; a->name; a++)
		required += !(a->flags & ARG_OPTIONAL);
	spare = total > required ? total - required : 0;
	for (const struct arg *a = c->operands; a->name; a++) {
		if (a->flags & ARG_OPTIONAL) {
			if (spare == 0)
				continue;
			spare--;
		}
		if (at == index || (a->flags & (ARG_MANY | ARG_REST)))
			return a;
		at++;
	}
	return NULL;
}

static bool
in_choices(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
		if (strcspn(at, "|") == len && memcmp(at, text, len) == 0)
			return true;
	}
	return false;
}

static int
check_number(struct parsed *p, const struct arg *a, const char *text)
{
	char *end;
	double n;

	errno = 0;
	n = a->kind == ARG_NUMBER ? (double)strtol(text, &end, 10) : strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 || !(n >= -1e15 && n <= 1e15))
		return refuse(p, "%s: '%s' is not a number", a->name, text);
	if (a->min == 0 && a->max == 0)
		return n >= 0 ? 0 : refuse(p, "%s: '%s' is below 0", a->name, text);
	if (n < (double)a->min || n > (double)a->max)
		return refuse(p, "%s: '%s' is not within %ld to %ld", a->name, text, a->min, a->max);
	return 0;
}

static int
check_value(struct parsed *p, const struct arg *a, const char *text)
{
	struct ip_prefix prefix;
	struct ip_addr addr;

	if (*text == '\0' && a->kind != ARG_TEXT && a->kind != ARG_FLAG)
		return refuse(p, "%s: the value is empty", a->name);
	switch (a->kind) {
	case ARG_ADDRESS:
		return ip_parse(text, &addr) == 0 ? 0
			: refuse(p, "%s: '%s' is not an address, such as 10.0.0.2", a->name, text);
	case ARG_PREFIX:
		return strcmp(text, "default") == 0 || prefix_parse(text, &prefix) == 0 ? 0
			: refuse(p, "%s: '%s' is not a prefix, such as 10.0.0.0/16 or default", a->name, text);
	case ARG_NUMBER:
	case ARG_SECONDS:
		return check_number(p, a, text);
	case ARG_CHOICE:
		return in_choices(a->choices, text) ? 0
			: refuse(p, "%s: '%s' is not one of %s", a->name, text, a->choices);
	default:
		return 0;
	}
}

static int
take(struct parsed *p, const struct arg *a, const char *text)
{
	int err = check_value(p, a, text);

	if (err < 0)
		return err;
	for (size_t i = 0; i < p->n_values; i++) {
		if (p->values[i].arg == a && a->kind != ARG_FLAG && !(a->flags & ARG_MANY))
			return refuse(p, "%s is given twice", a->name);
	}
	p->values[p->n_values++] = (struct value){.arg = a, .text = text};
	return 0;
}

static int
unknown_option(struct parsed *p, const char *word)
{
	const char *names[SUGGEST_MAX], *near;
	size_t n = 0;

	for (const struct arg *a = p->cmd ? p->cmd->options : NULL; a && a->name && n < SUGGEST_MAX; a++)
		names[n++] = a->name;
	near = strncmp(word, "--", 2) == 0 ? nearest(word + 2, names, n) : NULL;
	if (near)
		return refuse(p, "unknown option '%s'; did you mean '--%s'?", word, near);
	return refuse(p, "unknown option '%s'", word);
}

/* "--name", "--name=value" or "--name value". */
static int
long_option(struct parsed *p, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct arg *a = command_option(p->cmd, name, len, 0);

	if (!a)
		return unknown_option(p, argv[*i]);
	if (a->kind == ARG_FLAG)
		return equals ? refuse(p, "option '--%s' takes no value", a->name) : take(p, a, "");
	if (equals)
		return take(p, a, equals + 1);
	if (*i + 1 >= argc)
		return refuse(p, "option '--%s' needs a value: %s", a->name, a->value);
	return take(p, a, argv[++*i]);
}

/* "-d", "-nq 3", "-c5", "-c 5". */
static int
short_options(struct parsed *p, int argc, char **argv, int *i)
{
	for (const char *at = argv[*i] + 1; *at; at++) {
		const struct arg *a = command_option(p->cmd, "", 0, *at);
		int err;

		if (!a)
			return refuse(p, "unknown option '-%c'", *at);
		if (a->kind != ARG_FLAG) {
			if (at[1])
				return take(p, a, at + 1);
			if (*i + 1 >= argc)
				return refuse(p, "option '-%c' needs a value: %s", *at, a->value);
			return take(p, a, argv[++*i]);
		}
		err = take(p, a, "");
		if (err < 0)
			return err;
	}
	return 0;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

static int
parse_option(struct parsed *p, int argc, char **argv, int *i)
{
	return argv[*i][1] == '-' ? long_option(p, argc, argv, i) : short_options(p, argc, argv, i);
}

/* The first word that no command has at its place is what the complaint is about. */
static int
unknown_command(struct parsed *p, const struct command *table, char **words, size_t n)
{
	char next[SUGGEST_MAX][WORD_SIZE], said[128] = "";
	const char *names[SUGGEST_MAX], *near;
	size_t known = 0, candidates;

	while ((candidates = command_next_words(table, words, known, next)) > 0 && known < n) {
		char more[SUGGEST_MAX][WORD_SIZE];
		size_t len = strlen(said);

		if (command_next_words(table, words, known + 1, more) == 0)
			break;
		snprintf(said + len, sizeof(said) - len, "%s ", words[known++]);
	}
	if (known == n)
		return refuse(p, "'%.*s' needs a further word", (int)strlen(said) - 1, said);
	for (size_t i = 0; i < candidates; i++)
		names[i] = next[i];
	near = nearest(words[known], names, candidates);
	return near ? refuse(p, "unknown command '%s%s'; did you mean '%s%s'?", said, words[known], said, near)
		    : refuse(p, "unknown command '%s%s'", said, words[known]);
}

/* Options before the command, and the command. => index of the first word after it, or -EINVAL. */
static int
parse_command(struct parsed *p, const struct command *table, int argc, char **argv)
{
	int i = 1, used;
	size_t n = 0;

	for (; i < argc && is_option(argv[i]) && strcmp(argv[i], "--") != 0; i++) {
		int err = parse_option(p, argc, argv, &i);

		if (err < 0)
			return err;
	}
	if (i >= argc)
		return i;
	while (i + (int)n < argc && n < 3 && !is_option(argv[i + (int)n]))
		n++;
	used = command_find(table, argv + i, n, &p->cmd);
	if (used < 0)
		return refuse(p, "'%s' is short for more than one command", argv[i]);
	if (used == 0)
		return n ? unknown_command(p, table, argv + i, n) : refuse(p, "a command is missing");
	return i + used;
}

static int
parse_keywords(struct parsed *p, char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct arg *k = find_option(p->cmd->keywords, words[i], strlen(words[i]), 0);
		int err;

		if (!k)
			return refuse(p, "'%s' is not expected here", words[i]);
		if (k->kind != ARG_FLAG && i + 1 == n)
			return refuse(p, "'%s' needs a value: %s", k->name, k->value);
		err = take(p, k, k->kind == ARG_FLAG ? "" : words[++i]);
		if (err < 0)
			return err;
	}
	return 0;
}

/* With keywords, the operands are as many as are required, or those in front of the first keyword. */
static size_t
operand_count(const struct command *c, char **words, size_t n)
{
	size_t required = 0;

	if (!c->keywords)
		return n;
	for (const struct arg *a = c->operands; a && a->name; a++)
		required += !(a->flags & ARG_OPTIONAL);
	while (required < n && !find_option(c->keywords, words[required], strlen(words[required]), 0) &&
			command_operand(c, required, required + 1))
		required++;
	return required < n ? required : n;
}

static int
parse_operands(struct parsed *p, char **words, size_t n)
{
	const struct command *c = p->cmd;
	size_t count = operand_count(c, words, n);

	for (size_t i = 0; i < count; i++) {
		const struct arg *a = command_operand(c, i, count);
		int err;

		if (!a)
			return refuse(p, "'%s' is not expected here", words[i]);
		err = a->flags & ARG_REST ? 0 : take(p, a, words[i]);
		if (err < 0)
			return err;
	}
	for (const struct arg *a = c->operands; a && a->name; a++) {
		bool have = (a->flags & ARG_OPTIONAL) || (a->flags & ARG_REST && p->n_rest > 0);

		if (!have && !parsed_value(p, a->name))
			return refuse(p, "%s is missing", a->name);
	}
	return parse_keywords(p, words + count, n - count);
}

/* True once the next positional word belongs to an operand that takes the rest of the line. */
static bool
rest_begins(const struct command *c, size_t positional)
{
	const struct arg *a = command_operand(c, positional, positional + 1);

	return a && (a->flags & ARG_REST);
}

static int
parse_arguments(struct parsed *p, int first, int argc, char **argv, char **words)
{
	bool options = true;
	size_t n = 0;

	for (int i = first; i < argc; i++) {
		bool end = options && strcmp(argv[i], "--") == 0;

		if (rest_begins(p->cmd, n) && (end || !options || !is_option(argv[i]) || n > 0)) {
			p->rest = argv + i + end;
			p->n_rest = (size_t)(argc - i - end);
			break;
		}
		if (end) {
			options = false;
		} else if (options && is_option(argv[i])) {
			int err = parse_option(p, argc, argv, &i);

			if (err < 0)
				return err;
		} else {
			words[n++] = argv[i];
		}
	}
	if (parsed_value(p, "help"))
		return 0;
	return parse_operands(p, words, n);
}

int
command_parse(const struct command *table, int argc, char **argv, struct parsed *p)
{
	char **words;
	size_t most = 1;
	int first, err = 0;

	for (int i = 1; i < argc; i++)
		most += strlen(argv[i]) + 1; /* each letter may be an option of its own */
	*p = (struct parsed){.values = calloc(most, sizeof(struct value))};
	words = calloc((size_t)argc + 1, sizeof(*words));
	if (!p->values || !words) {
		free(words);
		return refuse(p, "out of memory");
	}
	first = parse_command(p, table, argc, argv);
	if (first < 0)
		err = first;
	else if (p->cmd)
		err = parse_arguments(p, first, argc, argv, words);
	free(words);
	return err;
}

void
parsed_free(struct parsed *p)
{
	free(p->values);
	p->values = NULL;
	p->n_values = 0;
}

const char *
parsed_next(const struct parsed *p, const char *name, size_t *i)
{
	while (*i < p->n_values) {
		const struct value *v = &p->values[(*i)++];

		if (strcmp(v->arg->name, name) == 0)
			return v->text;
	}
	return NULL;
}

const char *
parsed_value(const struct parsed *p, const char *name)
{
	size_t i = 0;

	return parsed_next(p, name, &i);
}

long
parsed_number(const struct parsed *p, const char *name, long fallback)
{
	const char *text = parsed_value(p, name);

	return text ? strtol(text, NULL, 10) : fallback;
}

double
parsed_seconds(const struct parsed *p, const char *name, double fallback)
{
	const char *text = parsed_value(p, name);

	return text ? strtod(text, NULL) : fallback;
}
