/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam to libxtables: matches and targets by name, their options, and their text. libxtables
 * keeps lists of its own and calls back without a context, so there is one of it in a process, and
 * one rule in it at a time.
 *
 * What it refuses ends the process with iptables' message and code, unless a trap is set (xt_trap).
 */
#ifndef FILTERS_IPTABLES_XT_H
#define FILTERS_IPTABLES_XT_H

#include "filters/rules.h"

/* libc's net/if.h, which this brings, has to come before the kernel's. */
#include <xtables.h>

#include <getopt.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <setjmp.h>

#define XT_VERSION "1.8.9"

enum { XT_NO_LINE = -1 };

/* Where a refusal lands instead of ending the process; `why` has the sentence then. */
struct xt_trap {
	jmp_buf where;
	char *why;
	size_t size;
};

/* One rule while its command line is read. Zeroed is empty. */
struct xt_rule {
	struct ipt_entry entry; /* what extensions look at: protocol and what is inverted */
	struct xtables_rule_match *matches;
	struct xtables_target *target; /* NULL: none, or a verdict, or a chain */
	char protocol[64];             /* as given to -p, in small letters; "": none */
	bool proto_used; /* the match of that protocol was loaded for one of its options */
};

/* Before anything else, any number of times; `options`: the grammar's own, for getopt_long(). */
void xt_start(const char *program, const struct option *options);
const char *xt_program(void);
/* The line of a text that refusals name; XT_NO_LINE: none. */
void xt_line(int line);
void xt_trap_set(struct xt_trap *t); /* NULL: none */
/* Ends as a refusal, with a sentence that does not begin with the program's name. */
_Noreturn void xt_try_help(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As libxtables' own, which must not be asked directly: what it has and we do not is refused. */
struct xtables_match *xt_find_match(
	const char *name, enum xtables_tryload load, struct xtables_rule_match **matches);
struct xtables_target *xt_find_target(const char *name, enum xtables_tryload load);

/* A name that -N may not take, because a target has it, is refused. */
void xt_chain_name_free(const char *name);
/* From now on -j NAME means the chain. */
void xt_chain_known(const char *name);

/* The options that getopt_long() takes now. */
const struct option *xt_options(void);
void xt_rule_begin(struct xt_rule *x);
/* -m NAME */
void xt_rule_match(struct xt_rule *x, const char *name);
/* -j NAME; no target when there is no extension of that name. */
void xt_rule_target(struct xt_rule *x, const char *name);
/* An option that the grammar does not know. => true: it belongs to a match that was loaded just
 * now: run getopt_long() again. */
bool xt_rule_option(struct xt_rule *x, int c, char **argv, bool invert);
/* After the last option. */
void xt_rule_check(struct xt_rule *x);
void xt_rule_help(const struct xt_rule *x);
void xt_rule_end(struct xt_rule *x);

uint16_t xt_rule_n_matches(const struct xt_rule *x);
/* Copies match `at`, or the target, with what only a kernel writes set to zero. => 0 or -ENOMEM;
 * e->data to free(). */
int xt_rule_take_match(const struct xt_rule *x, uint16_t at, struct rules_ext *e);
int xt_rule_take_target(const struct xt_rule *x, struct rules_ext *e);

/* To stdout, as -L and as -S print it; `r`: the rule it belongs to. */
void xt_print_match(const struct rules_rule *r, const struct rules_ext *e, bool numeric);
void xt_print_target(const struct rules_rule *r, bool numeric);
void xt_save_match(const struct rules_rule *r, const struct rules_ext *e);
void xt_save_target(const struct rules_rule *r);

#endif
