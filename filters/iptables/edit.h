/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines of iptables as edits of a table (filters/rules_edit.h), and what they say about it. */
#ifndef FILTERS_IPTABLES_EDIT_H
#define FILTERS_IPTABLES_EDIT_H

#include "filters/iptables/parse.h"
#include "filters/rules_edit.h"

enum { IPT_LISTS = COMMAND_LIST | COMMAND_LIST_RULES };

/*
 * The edit that *c asks for beside listing; *c must ask for one. Its vectors are of `memory`. => 0, or -errno as in
 * filters/rules_edit.h when no table needs to be asked.
 */
int ipt_edit_make(const struct ipt_command *c, enum rules_table table, struct rules *memory, struct rules_edit *edit);
/* A listing of `tab` has been seen, and *edit is to zero what it showed. => 0 or -ENOMEM */
int ipt_edit_shown(const struct rules_tab *tab, struct rules *memory, struct rules_edit *edit);
/* What -v says needs the names of all chains. */
bool ipt_edit_tells_all(const struct ipt_command *c);
/*
 * Says what is to be said of an edit that came to *change and `err`; `tab`: as it was before, or NULL when nothing needs it.
 * A name after -j that is neither chain nor target ends as xt.h says. => err, or -ENOMEM.
 */
int ipt_edit_tell(const struct ipt_command *c, const struct rules_edit *edit, const struct rules_change *change,
	const struct rules_tab *tab, int err);
/* iptables' words for an error of a command of that kind; `kinds` 0: of none in particular. */
const char *ipt_edit_words(uint32_t kinds, int error);

/* -L and -S, to stdout. => 0 or -errno */
int ipt_list(const struct rules_tab *tab, const struct ipt_command *c);

struct rules_count ipt_edit_count(uint64_t packets, uint64_t bytes);
/* All rules and all chains of the user's go; `tell`: and it is said. => 0 or -ENOMEM */
int ipt_edit_clear(struct rules_editor *e, bool tell);

#endif
