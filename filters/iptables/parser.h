/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between parse.c and parse_option.c only: a command line that is half read. */
#ifndef FILTERS_IPTABLES_PARSER_H
#define FILTERS_IPTABLES_PARSER_H

#include "filters/iptables/parse.h"

struct parser {
	struct ipt_command *c;
	int argc;
	char **argv;
	bool restore, invert;
	bool wait_given, interval_given;
};

/* Notes a command that may stand beside `beside` only, or an option; refused when it cannot be. */
void parser_kind(struct parser *p, uint32_t kind, uint32_t beside);
void parser_option(struct parser *p, uint32_t option);

/* Takes one of the grammar's own options, its argument in optarg. => false: `letter` is none of
 * them */
bool parser_take(struct parser *p, int letter);

#endif
