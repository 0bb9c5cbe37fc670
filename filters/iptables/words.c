/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/words.h"

#include <stdbool.h>

struct cutter {
	char *from, *to; /* `to` never passes `from`: a word only gets shorter */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static void
quoted_take(struct cutter *c)
{
	while (*c->from && *c->from != '"') {
		if (*c->from == '\\' && c->from[1])
			c->from++;
		*c->to++ = *c->from++;
	}
	if (*c->from)
		c->from++;
}

/* => behind the word's end */
static void
word_take(struct cutter *c)
{
	while (*c->from && !is_blank(*c->from)) {
		if (*c->from == '"') {
			c->from++;
			quoted_take(c);
			return;
		}
		*c->to++ = *c->from++;
	}
}

int
words_cut(char *line, char **words)
{
	struct cutter c = {line, line};
	int n = 0;

	for (;;) {
		char *begin, *next;

		while (is_blank(*c.from))
			c.from++;
		if (!*c.from)
			return n;
		if (n == WORDS_MAX)
			return -1;
		begin = c.to = c.from;
		word_take(&c);
		if (c.to - begin > WORD_LEN_MAX)
			return -2;
		words[n++] = begin;
		/* The character there is read already, unless a quote ended the word just before
		 * it. */
		next = c.from;
		if (c.to == next && !*next)
			return n;
		if (c.to == next)
			c.from++;
		*c.to = '\0';
	}
}
