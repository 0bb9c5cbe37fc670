/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 1024, WORD_MAX = 24 };

/* One line of valid UTF-8, whatever the file holds: other programs carry it as JSON. */
static void
clean(char *text)
{
	size_t n = strlen(text);

	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	if (n < MESSAGE_MAX - 1)
		return;
	while (n && (text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n ? n - 1 : 0] = '\0';
}

static bool
before(struct cfg_mark a, struct cfg_mark b)
{
	return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* Keeps the first CFG_ERRORS_MAX by place; takes ownership of the line. */
static void
insert(struct cfg_reader *r, struct cfg_mark at, char *line)
{
	struct cfg_errors *e = r->errs;
	size_t i;

	if (e->n == CFG_ERRORS_MAX) {
		if (!before(at, r->place[e->n - 1])) {
			free(line);
			return;
		}
		free(e->text[--e->n]);
	}
	for (i = e->n++; i > 0 && before(at, r->place[i - 1]); i--) {
		e->text[i] = e->text[i - 1];
		r->place[i] = r->place[i - 1];
	}
	e->text[i] = line;
	r->place[i] = at;
}

void
cfg_error(struct cfg_reader *r, struct cfg_mark at, const char *format, ...)
{
	char text[MESSAGE_MAX];
	char *line = NULL;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	clean(text);
	r->errs->total++;
	if (!r->errs->text)
		r->errs->text = calloc(CFG_ERRORS_MAX, sizeof(*r->errs->text));
	if (!r->errs->text ||
		asprintf(&line, "%s:%u:%u: %s", r->origin, at.line, at.column, text) < 0)
		r->out_of_memory = true;
	else
		insert(r, at, line);
}

void
cfg_warn(struct cfg_reader *r, struct cfg_mark at, const char *format, ...)
{
	struct config *c = r->c;
	char text[MESSAGE_MAX], line[MESSAGE_MAX + 512];
	va_list ap;

	if (c->n_warnings == CFG_ERRORS_MAX)
		return;
	if (!c->warnings)
		c->warnings = cfg_alloc(r->keep, CFG_ERRORS_MAX * sizeof(*c->warnings));
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	clean(text);
	snprintf(line, sizeof(line), "%s:%u:%u: warning: %s", r->origin, at.line, at.column, text);
	c->warnings[c->n_warnings++] = cfg_copy(r->keep, line, strlen(line));
}

void
cfg_errors_free(struct cfg_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		free(errs->text[i]);
	free(errs->text);
	*errs = (struct cfg_errors){0};
}

const char *
cfg_quote(const char *text, char buf[CFG_QUOTE])
{
	size_t n = strlen(text);

	if (n < CFG_QUOTE)
		return memcpy(buf, text, n + 1);
	n = CFG_QUOTE - 4;
	while (n && (text[n] & 0xc0) == 0x80)
		n--;
	memcpy(buf, text, n);
	memcpy(buf + n, "...", 4);
	return buf;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, change, swap of neighbours) from one word to the other; both are short. */
static unsigned
distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (unsigned i = 0; i <= na; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			d[i][j] = least(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
				least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[na][nb];
}

const char *
cfg_hint(const struct cfg_reader *r, const char *word, const char *(*name)(const void *, size_t),
	const void *list, size_t n, char buf[CFG_HINT])
{
	size_t len = strlen(word);
	unsigned best = (unsigned)least(3, 1 + (unsigned)len / 4);
	const char *nearest = NULL;

	buf[0] = '\0';
	if (len > WORD_MAX || r->errs->total > CFG_ERRORS_MAX)
		return buf;
	for (size_t i = 0; i < n; i++) {
		const char *candidate = name(list, i);
		size_t have = strlen(candidate);
		unsigned d = have > WORD_MAX ? best + 1 : distance(word, len, candidate, have);

		if (d < best || (d == best && !nearest && d < len)) {
			best = d;
			nearest = candidate;
		}
	}
	if (nearest)
		snprintf(buf, CFG_HINT, ", did you mean '%s'?", nearest);
	return buf;
}
