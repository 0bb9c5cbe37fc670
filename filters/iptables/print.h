/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as text, to stdout: that is where libxtables' extensions print, too. */
#ifndef FILTERS_IPTABLES_PRINT_H
#define FILTERS_IPTABLES_PRINT_H

#include "filters/rules.h"

#include <stdio.h>

/* As -L has it. */
struct list_style {
	bool verbose, numeric, exact, numbers;
};

/* `chain` NULL: all; `number` 0: all rules. => -ENOENT: no such chain, -ENOMEM. */
int print_list(const struct rules_tab *t, const char *chain, uint32_t number,
	const struct list_style *style);
/* As -S; with counters as -S -v. */
int print_rules(const struct rules_tab *t, const char *chain, uint32_t number, bool counters);
/* One rule on one line, as -v shows what a command is about. */
void print_rule(const struct rules_rule *r);
/* A table as iptables-save has it, from "*NAME" to "COMMIT". => -ENOMEM. */
int print_save(const struct rules_tab *t, const char *name, bool counters);

/* The built-in chains, then the others by name. To free(). => NULL: no memory */
struct rules_chain **chains_in_order(const struct rules_tab *t);

/* What is printed meanwhile is kept back. */
struct print_hold {
	FILE *stdout_before, *stream;
	char *text;
	size_t len;
};

/* => 0 or -errno */
int print_hold(struct print_hold *h);
/* Lets it out, or forgets it. */
void print_release(struct print_hold *h, bool out);

#endif
