/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Complaints, and help made from the table of commands. */
#include "fabric/cli/help.h"

#include "fabric/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int
complain(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("rookery: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return STATUS_FAILED;
}

int
complain_usage(const struct cli *cl, const char *format, ...)
{
	const struct command *c = cl->args.cmd;
	va_list ap;

	fputs("rookery: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'rookery help%s%s'.\n", c ? " " : "", c ? c->path : "");
	return STATUS_USAGE;
}

static void
print_operands(const struct command *c, FILE *to)
{
	for (const struct arg *a = c->operands; a && a->name; a++) {
		const char *dots = a->flags & (ARG_MANY | ARG_REST) ? "..." : "";
		const char *dashes = a->kind == ARG_PROGRAM ? "-- " : "";

		if (a->flags & ARG_OPTIONAL)
			fprintf(to, " [%s%s%s]", dashes, a->name, dots);
		else
			fprintf(to, " %s%s%s", dashes, a->name, dots);
	}
}

void
help_synopsis(const struct command *c, FILE *to)
{
	fprintf(to, "rookery %s", c->path);
	if (c->options && c->options->name)
		fputs(" [OPTION...]", to);
	print_operands(c, to);
	if (c->synopsis)
		fprintf(to, " %s", c->synopsis);
	for (const struct arg *k = c->synopsis ? NULL : c->keywords; k && k->name; k++)
		fprintf(to, k->value ? " [%s %s]" : " [%s]", k->name, k->value);
}

void
help_option(const struct arg *a, char *buf, size_t size)
{
	char letter[8] = "    ";

	if (a->letter)
		snprintf(letter, sizeof(letter), "-%c, ", a->letter);
	snprintf(buf, size, "%s--%s%s%s", letter, a->name, a->value ? " " : "", a->value ? a->value : "");
}

static void
print_row(const char *left, const char *right)
{
	printf("  %-27s %s\n", left, right);
}

static void
print_options(const char *title, const struct arg *list)
{
	if (!list || !list->name)
		return;
	printf("\n%s\n", title);
	for (const struct arg *a = list; a->name; a++) {
		char left[80];

		help_option(a, left, sizeof(left));
		print_row(left, a->help);
	}
}

static void
print_words(const struct arg *list)
{
	for (const struct arg *a = list; a && a->name; a++) {
		char left[80];

		snprintf(left, sizeof(left), "%s%s%s", a->name, a->value ? " " : "", a->value ? a->value : "");
		print_row(left, a->help);
	}
}

void
help_paragraph(const char *text, size_t len, const char *indent, size_t width, FILE *to)
{
	size_t column = 0;

	while (len > 0) {
		size_t word = 0;

		while (word < len && text[word] != ' ' && text[word] != '\n')
			word++;
		if (word > 0) {
			if (column > 0 && column + 1 + word > width) {
				fputc('\n', to);
				column = 0;
			}
			fprintf(to, "%s%.*s", column ? " " : indent, (int)word, text);
			column += word + 1;
		}
		word += word < len;
		text += word;
		len -= word;
	}
	if (column)
		fputc('\n', to);
}

static void
print_text(const char *text)
{
	while (text) {
		const char *end = strstr(text, "\n\n");

		putchar('\n');
		help_paragraph(text, end ? (size_t)(end - text) : strlen(text), "", 96, stdout);
		text = end ? end + 2 : NULL;
	}
}

static void
help_command(const struct command *c)
{
	printf("%s: %s\n\n  ", c->path, c->help);
	help_synopsis(c, stdout);
	putchar('\n');
	print_text(c->text);
	if ((c->operands && c->operands->name) || c->keywords)
		printf("\nWords\n");
	print_words(c->operands);
	print_words(c->keywords);
	print_options("Options", c->options);
	print_options("Options of every command", common_options);
}

/* Every command whose path begins with these words; all of them for "". => the number of commands. */
static size_t
help_list(const char *prefix)
{
	size_t n = 0, len = strlen(prefix);

	for (const struct command *c = commands; c->path; c++) {
		if (c->hidden || strncmp(c->path, prefix, len) != 0 || (len && c->path[len] != ' '))
			continue;
		print_row(c->path, c->help);
		n++;
	}
	return n;
}

static void
help_all(void)
{
	printf("rookery: a userspace network fabric for colonies of Linux guests\n\n"
	       "  rookery [OPTION...] COMMAND ...\n\nCommands\n");
	help_list("");
	print_options("Options of every command", common_options);
	printf("\n'rookery help COMMAND' tells more; so do rookery(1) and rookery.yaml(5).\n");
}

static int
help_words(struct cli *cl, char **words, size_t n)
{
	const struct command *c;
	char prefix[128] = "";

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(prefix);

		snprintf(prefix + len, sizeof(prefix) - len, "%s%s", i ? " " : "", words[i]);
	}
	if (command_find(commands, words, n, &c) == (int)n) {
		help_command(c);
		return STATUS_OK;
	}
	if (help_list(prefix) > 0)
		return STATUS_OK;
	return complain_usage(cl, "there is no command '%s'", prefix);
}

int
run_help(struct cli *cl)
{
	char *words[4];
	size_t n = 0, i = 0;
	const char *word;

	if (cli_arg(cl, "help") && cl->args.cmd) {
		help_command(cl->args.cmd);
		return STATUS_OK;
	}
	while (n < 4 && (word = parsed_next(&cl->args, "COMMAND", &i)))
		words[n++] = (char *)word;
	if (n > 0)
		return help_words(cl, words, n);
	help_all();
	return cl->args.cmd || cli_arg(cl, "help") ? STATUS_OK : STATUS_USAGE;
}

int
run_version(struct cli *cl)
{
	(void)cl;
	printf("rookery %s\n", ROOKERY_VERSION);
	return STATUS_OK;
}
