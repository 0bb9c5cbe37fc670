/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_line.h"

#include "fabric/control/config_reader.h"

#include <ctype.h>
#include <string.h>

/* Words that other readers of YAML take for something else. */
static bool
is_reserved(const char *text)
{
	static const char *const words[] = {"null", "Null", "NULL", "true", "false", "yes", "no",
		"on", "off", "True", "False", "Yes", "No", "On", "Off", "y", "n"};

	for (size_t i = 0; i < CFG_COUNT(words); i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/* Text that means the same without quotes, in a map on one line too. */
static bool
is_plain(const char *text)
{
	if (!isalnum((unsigned char)text[0]) && text[0] != '/' && text[0] != '_')
		return false;
	for (const char *p = text; *p; p++) {
		bool inside = *p == ':' ? isalnum((unsigned char)p[1]) != 0
					: *p == ' ' && p[1] && p[1] != ' ' && p[1] != '#';

		if (!isalnum((unsigned char)*p) && !strchr("._-/$@=+", *p) && !inside)
			return false;
	}
	return !is_reserved(text);
}

uint32_t
next_char(const char **text)
{
	const uint8_t *p = (const uint8_t *)*text;
	unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	uint32_t c = more ? *p & (0x3fu >> more) : *p;

	for (unsigned i = 1; i <= more; i++)
		c = c << 6 | (p[i] & 0x3f);
	*text += more + 1;
	return c;
}

bool
is_printable(uint32_t c)
{
	return (c >= ' ' && c < 0x7f) ||
	       (c >= 0xa0 && c != 0x2028 && c != 0x2029 && c != 0xfeff && c < 0xfffe) ||
	       c >= 0x10000;
}

static void
write_char(FILE *to, uint32_t c, const char *bytes, size_t n)
{
	if (c == '"' || c == '\\')
		fprintf(to, "\\%c", (int)c);
	else if (c == '\n')
		fputs("\\n", to);
	else if (c == '\t')
		fputs("\\t", to);
	else if (is_printable(c))
		fwrite(bytes, 1, n, to);
	else if (c < 0x100)
		fprintf(to, "\\x%02x", c);
	else
		fprintf(to, "\\u%04x", c);
}

void
write_word(FILE *to, const char *text)
{
	if (is_plain(text)) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	while (*text) {
		const char *start = text;
		uint32_t c = next_char(&text);

		write_char(to, c, start, (size_t)(text - start));
	}
	fputc('"', to);
}

void
line_open(struct line *l)
{
	fputc('{', l->to);
	l->more = false;
}

void
line_key(struct line *l, const char *key)
{
	fprintf(l->to, "%s%s: ", l->more ? ", " : "", key);
	l->more = true;
}

void
line_word(struct line *l, const char *key, const char *word)
{
	line_key(l, key);
	write_word(l->to, word);
}

void
line_number(struct line *l, const char *key, uint32_t value, uint32_t fallback)
{
	if (value == fallback)
		return;
	line_key(l, key);
	fprintf(l->to, "%u", value);
}

void
line_bool(struct line *l, const char *key, bool value, bool fallback)
{
	if (value == fallback)
		return;
	line_key(l, key);
	fputs(value ? "true" : "false", l->to);
}

void
line_address(struct line *l, const char *key, const struct ip_addr *a)
{
	char text[ADDR_TEXT];

	if (ip_is_set(a))
		line_word(l, key, ip_text(a, text));
}
