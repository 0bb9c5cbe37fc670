/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 24 };

/* What comes from elsewhere does not steer the terminal. */
static void
make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
	}
}

static void
render_list(const json_t *list, char *buf)
{
	size_t i, used = 0;
	json_t *item;

	json_array_foreach(list, i, item) {
		char one[CELL_SIZE];

		if (json_is_array(item))
			continue;
		render_value(item, one);
		if (used + strlen(one) + 2 > CELL_SIZE)
			break;
		used += (size_t)snprintf(buf + used, CELL_SIZE - used, "%s%s", used ? "," : "", one);
	}
}

void
render_value(const json_t *value, char *buf)
{
	snprintf(buf, CELL_SIZE, "-");
	if (json_is_string(value) && json_string_length(value) > 0)
		snprintf(buf, CELL_SIZE, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, CELL_SIZE, "%.1f", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, CELL_SIZE, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value) && json_array_size(value) > 0)
		render_list(value, buf);
	make_printable(buf);
}

static void
render_human(const json_t *value, unsigned step, char *buf)
{
	static const char units[] = " kMGTPE";
	double n = (double)json_integer_value(value);
	size_t unit = 0;

	while (n >= step && unit + 2 < sizeof(units)) {
		n /= step;
		unit++;
	}
	if (unit == 0)
		render_value(value, buf);
	else
		snprintf(buf, CELL_SIZE, n < 10 ? "%.1f%c" : "%.0f%c", n, units[unit]);
}

static void
render_cell(const struct column *col, const json_t *record, bool human, char *buf)
{
	const json_t *value = json_object_get(record, col->key);

	if (col->cell)
		col->cell(record, buf), make_printable(buf);
	else if (human && (col->flags & (COLUMN_RIGHT | COLUMN_EXACT)) == COLUMN_RIGHT && json_is_integer(value))
		render_human(value, col->flags & COLUMN_BYTES ? 1024 : 1000, buf);
	else
		render_value(value, buf);
}

/* Width of each column over all records; 0: the column is left out. */
static void
measure(const struct listing *l, const json_t *records, bool human, size_t *width)
{
	char cell[CELL_SIZE];
	json_t *record;
	size_t i;

	for (size_t c = 0; l->columns[c].key; c++) {
		const struct column *col = &l->columns[c];
		bool used = !(col->flags & COLUMN_OMIT);

		width[c] = strlen(col->heading);
		json_array_foreach(records, i, record) {
			render_cell(col, record, human, cell);
			if (strlen(cell) > width[c])
				width[c] = strlen(cell);
			used = used || strcmp(cell, "-") != 0;
		}
		if (!used)
			width[c] = 0;
	}
}

static void
print_line(const struct listing *l, const json_t *record, bool human, const size_t *width, FILE *to)
{
	char cell[CELL_SIZE];
	size_t owed = 0; /* blanks that come only if something follows */

	for (size_t c = 0; l->columns[c].key; c++) {
		const struct column *col = &l->columns[c];
		size_t pad;

		if (width[c] == 0)
			continue;
		if (record)
			render_cell(col, record, human, cell);
		else
			snprintf(cell, sizeof(cell), "%s", col->heading);
		pad = width[c] - strlen(cell);
		if (col->flags & COLUMN_RIGHT)
			fprintf(to, "%*s%s", (int)(owed + pad), "", cell);
		else
			fprintf(to, "%*s%s", (int)owed, "", cell);
		owed = 2 + (col->flags & COLUMN_RIGHT ? 0 : pad);
	}
	fputc('\n', to);
}

static int
text_records(const struct listing *l, const json_t *records, bool human, FILE *to)
{
	size_t width[COLUMNS_MAX] = {0}, i;
	json_t *record;

	if (json_array_size(records) == 0) {
		fprintf(to, "%s\n", l->none);
		return 0;
	}
	measure(l, records, human, width);
	print_line(l, NULL, human, width, to);
	json_array_foreach(records, i, record)
		print_line(l, record, human, width, to);
	return ferror(to) ? -EIO : 0;
}

static int
json_records(const struct listing *l, const json_t *records, bool human, FILE *to)
{
	(void)l;
	(void)human;
	if (json_dumpf(records, to, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
		return -EIO;
	fputc('\n', to);
	return 0;
}

static const struct renderer renderers[] = {
		{"text", text_records},
		{"json", json_records},
};

const struct renderer *
renderer_find(const char *name)
{
	for (size_t i = 0; i < sizeof(renderers) / sizeof(renderers[0]); i++) {
		if (strcmp(renderers[i].name, name) == 0)
			return &renderers[i];
	}
	return NULL;
}
