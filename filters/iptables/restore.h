/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of iptables-restore only: a text that is half read. */
#ifndef FILTERS_IPTABLES_RESTORE_H
#define FILTERS_IPTABLES_RESTORE_H

#include "filters/iptables/edit.h"
#include "filters/iptables/iptables.h"

enum { RESTORE_LINE_MAX = 10238, RESTORE_VERBOSE_MAX = 8 };

/* Zeroed, with a store or without, is before the first line. */
struct restore {
	const struct iptables_store *store; /* NULL: only a tree is made */
	bool counters, keep_chains, test;
	unsigned verbose;
	const char *only; /* NULL: every table */
	unsigned line;
	struct rules *r; /* NULL: none loaded */
	enum rules_table table;
	struct rules_editor edit; /* of that table */
	bool in_table, skipping;
	struct ipt_command command;
	struct {
		char *text; /* lines of the open table, each with its NUL */
		size_t len, size;
		unsigned first; /* the line of "*TABLE" */
	} kept;
	char why[512];
};

/* One line, without its end, which is written to. => 0, or -errno for restore_why() */
int restore_line(struct restore *s, char *line);
const char *restore_why(const struct restore *s, int err);
/* A line longer than RESTORE_LINE_MAX, or with a NUL in it. */
_Noreturn void restore_line_refuse(const struct restore *s);
/* The rules as they are now, where there is a store; else those that were read so far. => 0 or
 * -errno */
int restore_load(struct restore *s);
void restore_fini(struct restore *s);

#endif
