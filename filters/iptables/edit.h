/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What commands do to a tree of rules. */
#ifndef FILTERS_IPTABLES_EDIT_H
#define FILTERS_IPTABLES_EDIT_H

#include "filters/iptables/parse.h"
#include "filters/rules_index.h"

/* A table that is being edited. Zeroed is none. */
struct ipt_edit {
	struct rules *r;
	struct rules_tab *tab;
	const struct ipt_command *c; /* the one that is carried out */
	struct rules_index index;    /* of the first `indexed` chains */
	uint32_t indexed, room;
};

/* The table is made if it was not there. => 0 or -ENOMEM; `r` stays the caller's, to outlive *e. */
int ipt_edit_begin(struct ipt_edit *e, struct rules *r, enum rules_table table);
void ipt_edit_end(struct ipt_edit *e);

/*
 * Carries *c out; what it prints goes to stdout. A name after -j that is neither chain nor target
 * ends as xt.h says. *changed is set when the tree is to be stored. => 0, or -errno for
 * ipt_edit_words(); the tree is not to be used then.
 */
int ipt_edit_run(struct ipt_edit *e, const struct ipt_command *c, bool *changed);
/* iptables' words for an error of a command of that kind; `kinds` 0: of none in particular. */
const char *ipt_edit_words(uint32_t kinds, int error);

/* From loaded to kept: counters are what they are unless something changes them. */
void ipt_edit_keep(struct rules *r);
/* The action of ACCEPT, DROP, QUEUE, RETURN and "" (none). => ACTION_COUNT: no verdict */
enum rule_action ipt_edit_verdict(const char *name);
struct rules_count ipt_edit_count(uint64_t packets, uint64_t bytes);
/* Chains went or changed their names. */
void ipt_edit_reindex(struct ipt_edit *e);
/* => NULL: none of that name */
struct rules_chain *ipt_edit_chain(struct ipt_edit *e, const char *name);
/* Short enough, and of characters that may be in a chain's name. */
bool ipt_edit_name_fits(const char *name);
/* => -EEXIST, -EINVAL (does not fit), -ENOMEM */
int ipt_edit_new(struct ipt_edit *e, const char *name);
void ipt_edit_flush(struct rules_chain *c);
/* All rules and all chains of the user's go; `tell`: and it is said. => 0 or -ENOMEM */
int ipt_edit_clear(struct ipt_edit *e, bool tell);
/* Gives it a policy and its counters. => -ENOENT: no built-in chain, -EINVAL: no policy. */
int ipt_edit_policy(struct rules_chain *c, const char *policy, uint64_t packets, uint64_t bytes);

#endif
