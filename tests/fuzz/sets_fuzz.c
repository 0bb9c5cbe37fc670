/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands on sets: whatever the text, a run that is refused leaves every set as it was; what is saved can be run
 * and gives the same set again.
 */
#include "filters/sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 600, LINES_MAX = 12 };

static void
check(bool good, const char *what, const char *a, const char *b)
{
	if (good)
		return;
	fprintf(stderr, "%s\n---\n%s\n---\n%s\n", what, a, b);
	abort();
}

static char *
text(const struct set_list *l, uint64_t now, bool list)
{
	char *t = list ? sets_list(l, NULL, now) : sets_save(l, NULL, now);

	check(t != NULL, "printing", "", "");
	return t;
}

/* Lines may be long to run (a range of a million addresses), so there are few. */
static size_t
cut(const char *bytes, size_t size)
{
	size_t lines = 0, i;

	for (i = 0; i < size && i < TEXT_MAX; i++)
		if (bytes[i] == '\n' && ++lines == LINES_MAX)
			break;
	return i;
}

static void
check_again(const struct set_list *l, uint64_t now)
{
	struct set_list *again = sets_new();
	char *first = text(l, now, false), *second, why[300] = "";

	if (sets_run(again, first, strlen(first), now, why, sizeof(why)) < 0) {
		/* full: the shares of regions differ; there already: wildcards, and ranges in a masked set */
		check(strstr(why, "Hash is full") || strstr(why, "already added") ||
				strstr(why, "Kernel error"), why, first, "");
	} else {
		second = text(again, now, false);
		check(strlen(first) == strlen(second), "saved, run and saved", first, second);
		free(second);
	}
	free(first);
	sets_free(again);
}

/* The first line, then the rest as one run. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data, *rest;
	struct set_list *l = sets_new();
	uint64_t now = 1000000000000;
	char why[300], *before, *after;
	size_t n = cut(bytes, size), first;

	rest = n ? memchr(bytes, '\n', n) : NULL;
	first = rest ? (size_t)(rest - bytes) : n;
	sets_run(l, bytes, first, now, why, sizeof(why));
	before = text(l, now, true);
	if (rest && sets_run(l, rest, n - first, now, why, sizeof(why)) < 0) {
		after = text(l, now, true);
		check(strncmp(why, "line ", 5) == 0, "an error without its line", why, "");
		check(strcmp(before, after) == 0, "a refused run left a trace", before, after);
		free(after);
	}
	free(before);
	check_again(l, now);
	sets_free(l);
	return 0;
}
