/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One command line of iptables, understood: nothing is known yet of the rules that it is meant for.
 */
#ifndef FILTERS_IPTABLES_PARSE_H
#define FILTERS_IPTABLES_PARSE_H

#include "filters/iptables/xt.h"

enum command_kind {
	COMMAND_INSERT = 1 << 0,
	COMMAND_DELETE = 1 << 1,
	COMMAND_DELETE_AT = 1 << 2,
	COMMAND_REPLACE = 1 << 3,
	COMMAND_APPEND = 1 << 4,
	COMMAND_LIST = 1 << 5,
	COMMAND_FLUSH = 1 << 6,
	COMMAND_ZERO = 1 << 7,
	COMMAND_NEW = 1 << 8,
	COMMAND_REMOVE = 1 << 9,
	COMMAND_POLICY = 1 << 10,
	COMMAND_RENAME = 1 << 11,
	COMMAND_LIST_RULES = 1 << 12,
	COMMAND_ZERO_AT = 1 << 13,
	COMMAND_CHECK = 1 << 14,
	COMMAND_KINDS = 15,
};

/* In the order of iptables' own complaints. */
enum command_option {
	OPTION_NUMERIC = 1 << 0,
	OPTION_SOURCE = 1 << 1,
	OPTION_DESTINATION = 1 << 2,
	OPTION_PROTOCOL = 1 << 3,
	OPTION_JUMP = 1 << 4,
	OPTION_VERBOSE = 1 << 5,
	OPTION_EXACT = 1 << 6,
	OPTION_IN = 1 << 7,
	OPTION_OUT = 1 << 8,
	OPTION_NUMBERS = 1 << 9,
	OPTION_COUNTERS = 1 << 10,
	OPTION_FRAGMENT = 1 << 11,
	OPTIONS = 12,
};

/* Zeroed is empty. Texts point into the words it was read from. */
struct ipt_command {
	struct xt_rule xt;
	uint32_t kinds;   /* enum command_kind: -L and -S may have a zeroing one beside them */
	uint32_t options; /* enum command_option */
	uint8_t inverted; /* enum rule_flags, the RULE_NOT_ ones */
	const char *table, *chain, *new_name, *policy;
	const char *jump; /* of -j or -g; "": none */
	bool is_goto;
	bool ignored;    /* -6 in a restored text */
	uint32_t number; /* of a rule, from 1; 0: none given */
	uint64_t packets, bytes;
	char in[IFNAMSIZ], out[IFNAMSIZ];
	uint16_t protocol;
	const char *sources, *destinations;              /* as given */
	struct in_addr *src, *src_mask, *dst, *dst_mask; /* to free() */
	unsigned int n_src, n_dst;
	struct rules_ext *matches; /* to free(), with their data */
	uint16_t n_matches;
	struct rules_ext target; /* likewise; name "": no extension */
};

extern const struct option ipt_long_options[];

/*
 * argv[0] is no option; words may be put into another order. `table`: unless -t is there.
 * `restore`: a line of a text, where -w and a second -t are refused. Refusals end as xt.h says; *c
 * is to be ended in any case.
 */
void ipt_command_parse(
	struct ipt_command *c, int argc, char **argv, const char *table, bool restore);
void ipt_command_end(struct ipt_command *c);

/* The letter of a kind. */
char ipt_command_letter(uint32_t kind);

#endif
