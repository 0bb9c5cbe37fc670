/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manual pages as roff, made from the tables of commands, of keys and of tunables. */
#include "fabric/base/tunable.h"
#include "fabric/cli/cli.h"
#include "fabric/cli/help.h"
#include "fabric/cli/man_pages.h"
#include "fabric/cli/yaml_keys.h"

#include <stdio.h>
#include <string.h>

/* Text as roff: nothing in it is a request or an escape, and hyphens are those of options. */
static void
roff_text(const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		start = *text == '\n';
	}
}

static void
roff_line(const char *request, const char *text)
{
	if (request)
		printf("%s ", request);
	roff_text(text);
	putchar('\n');
}

/* Paragraphs are separated by an empty line. */
static void
roff_paragraphs(const char *text, const char *request)
{
	while (text && *text) {
		const char *end = strstr(text, "\n\n");
		char one[1024];

		snprintf(one, sizeof(one), "%.*s", end ? (int)(end - text) : (int)strlen(text), text);
		puts(request);
		roff_line(NULL, one);
		text = end ? end + 2 : NULL;
	}
}

static void
roff_title(const char *name, int section, const char *what)
{
	printf(".TH %s %d \"\" \"Rookery %s\" \"Rookery\"\n.SH NAME\n", name, section, ROOKERY_VERSION);
	roff_text(name);
	fputs(" \\- ", stdout);
	roff_text(what);
	putchar('\n');
}

static void
roff_items(const struct arg *list, bool options)
{
	for (const struct arg *a = list; a && a->name; a++) {
		char left[80], *at = left;

		if (options)
			help_option(a, left, sizeof(left));
		else
			snprintf(left, sizeof(left), "%s%s%s", a->name, a->value ? " " : "", a->value ? a->value : "");
		while (*at == ' ')
			at++;
		puts(".TP");
		roff_line(".B", at);
		roff_line(NULL, a->help);
	}
}

static void
roff_command(const struct command *c)
{
	char help[256];

	roff_line(".SS", c->path);
	puts(".nf");
	fputs(".B ", stdout);
	help_synopsis(c, stdout);
	puts("\n.fi\n.PP");
	snprintf(help, sizeof(help), "%c%s.", c->help[0] & ~0x20, c->help + 1);
	roff_line(NULL, help);
	roff_paragraphs(c->text, ".PP");
	roff_items(c->operands, false);
	roff_items(c->keywords, false);
	roff_items(c->options, true);
}

static void
roff_sections(const struct man_section *s)
{
	for (; s->title; s++) {
		roff_line(".SH", s->title);
		roff_paragraphs(s->text, ".PP");
	}
}

static void
man_rookery(void)
{
	roff_title("rookery", 1, "a userspace network fabric for colonies of Linux guests");
	puts(".SH SYNOPSIS\n.B rookery\n[\\fIOPTION\\fR...] \\fICOMMAND\\fR ...");
	roff_sections(man_rookery_head);
	puts(".SH COMMANDS");
	for (const struct command *c = commands; c->path; c++) {
		if (!c->hidden)
			roff_command(c);
	}
	puts(".SH OPTIONS OF EVERY COMMAND");
	roff_items(common_options, true);
	roff_sections(man_rookery_tail);
}

static void
roff_keys(const struct yaml_key *keys)
{
	for (const struct yaml_key *k = keys; k->name; k++) {
		printf(".TP\n\\fB");
		roff_text(k->name);
		printf("\\fR: \\fI");
		roff_text(k->type);
		printf("\\fR\n");
		roff_line(NULL, k->text);
		if (k->fallback) {
			printf("Default: ");
			roff_text(k->fallback);
			puts(".");
		}
	}
}

static void
roff_tunables(void)
{
	puts(".SH TUNABLES");
	for (int i = 0; i < TUNABLE_COUNT; i++) {
		const struct tunable *t = tunable_row(i);

		printf(".TP\n.B %s\n", t->name);
		roff_text(t->text);
		printf(".\nDefault %lld, %lld to %lld %s.\n", (long long)t->fallback, (long long)t->min,
				(long long)t->max, t->unit);
	}
}

static void
man_yaml(void)
{
	roff_title("rookery.yaml", 5, "the configuration of a fabric");
	roff_sections(man_yaml_head);
	for (const struct yaml_map *m = yaml_maps; m->title; m++) {
		roff_line(".SH", m->title);
		roff_line(NULL, m->text);
		roff_keys(m->keys);
	}
	roff_tunables();
	puts(".SH EXAMPLE\n.nf");
	roff_line(NULL, yaml_example);
	puts(".fi");
	roff_sections(man_yaml_tail);
}

static void
man_rookeryd(void)
{
	roff_title("rookeryd", 8, "the packet engine of a fabric");
	roff_sections(man_rookeryd_text);
}

static void
man_keeper(void)
{
	roff_title("rookery-keeper", 8, "starts a fabric and keeps it");
	roff_sections(man_keeper_text);
}

static const struct {
	const char *name;
	void (*print)(void);
} pages[] = {
		{"rookery", man_rookery},
		{"rookery.yaml", man_yaml},
		{"rookeryd", man_rookeryd},
		{"rookery-keeper", man_keeper},
};

int
run_man(struct cli *cl)
{
	const char *name = cli_arg(cl, "PAGE");

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(pages[i].name, name) == 0)
			pages[i].print();
	}
	return STATUS_OK;
}
