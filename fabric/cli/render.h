/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records to text: a command builds JSON records, a renderer prints them. */
#ifndef FABRIC_CLI_RENDER_H
#define FABRIC_CLI_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { CELL_SIZE = 256 };

enum {
	COLUMN_RIGHT = 1, /* a number: right aligned */
	COLUMN_OMIT = 2,  /* left out when no record has it */
	COLUMN_BYTES = 4, /* scaled by 1024 when units are asked for, else by 1000 */
	COLUMN_EXACT = 8, /* never scaled */
};

struct column {
	const char *key;     /* field of the record */
	const char *heading; /* in capitals */
	unsigned flags;
	/* Writes the cell to `buf` (CELL_SIZE bytes); NULL: the field as it is, "-" when it is not there. */
	void (*cell)(const json_t *record, char *buf);
};

struct listing {
	const char *what;             /* as the engine calls it */
	const struct column *columns; /* ends with a NULL key */
	const char *none;             /* the sentence when there is no record */
};

struct renderer {
	const char *name;
	/* Prints an array of records. => 0 or -errno. */
	int (*records)(const struct listing *l, const json_t *records, bool human, FILE *to);
};

/* "text" or "json". */
const struct renderer *renderer_find(const char *name);

/* The listings of `rookery show`, ending with a NULL name; and one of them, which must exist. */
extern const struct listing listings[];
const struct listing *listing_find(const char *what);
extern const struct listing listing_fabrics, listing_programs, listing_workers;

/* A field as text, "-" when it is not there. */
void render_value(const json_t *value, char *buf);

#endif
