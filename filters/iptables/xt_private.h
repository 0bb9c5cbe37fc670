/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files xt*.c only. */
#ifndef FILTERS_IPTABLES_XT_PRIVATE_H
#define FILTERS_IPTABLES_XT_PRIVATE_H

#include "filters/iptables/xt.h"

/* What libxtables was given: the table of options grows with each extension of a rule. */
extern struct xtables_globals xt_globals;

/* ACCEPT, DROP, QUEUE, RETURN: no extension has to be looked for. */
bool xt_is_verdict(const char *name);
/* Refuses what libxtables should: `arg` of the option that has `id` among those of an extension. */
void xt_guard(
	const char *extension, const struct xt_option_entry *options, unsigned id, const char *arg);
/* Clears what means nothing in options, and refuses what could not be written and read again. */
void xt_guard_options(struct rules_ext *e);
/* A chain of the text was said to be of that name. */
bool xt_is_chain(const char *name);

#endif
