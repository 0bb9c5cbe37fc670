/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One change of one table as data: what a command line of iptables asks for. `rookery` makes it, the engine answers it from the
 * rules that it has, and the keeper appends it to what it keeps for the next engine (rules_decode() takes a tree and the edits
 * behind it). All or nothing: what is refused has changed nothing.
 *
 * Errors, which the front end turns into iptables' words:
 *	-ENOENT     no such chain, or no rule like that; no built-in chain for a policy
 *	-ESRCH      the name after -j is neither a chain nor a target, or that after -g no chain
 *	-E2BIG      no rule of that number
 *	-EEXIST     a chain of the new name is there
 *	-EINVAL     not a thing to do with a built-in chain; no name, no policy
 *	-EMLINK, -ENOTEMPTY  the chain to remove is jumped to, or has rules
 *	-ENOMEM
 */
#ifndef FILTERS_RULES_EDIT_H
#define FILTERS_RULES_EDIT_H

#include "filters/rules.h"
#include "filters/rules_index.h"

enum { RULES_CHAIN_NAME_MAX = 28 }; /* characters of a chain's name, as the kernel has it */

enum rules_edit_kind {
	EDIT_APPEND,
	EDIT_INSERT,    /* before rule `number` */
	EDIT_REPLACE,   /* rule `number` */
	EDIT_DELETE,    /* the first that is equal to the one given, for each */
	EDIT_DELETE_AT,
	EDIT_CHECK,     /* changes nothing: is there one that is equal? */
	EDIT_FLUSH,     /* this and the next: chain "" is all */
	EDIT_ZERO,
	EDIT_ZERO_AT,
	EDIT_NEW,
	EDIT_REMOVE,    /* chain "": all of the user's */
	EDIT_POLICY,
	EDIT_RENAME,    /* to `name` */
	EDIT_KINDS,
};

struct rules_edit {
	uint8_t kind;  /* enum rules_edit_kind */
	uint8_t table; /* enum rules_table */
	char chain[RULES_NAME], name[RULES_NAME];
	uint32_t number; /* from 1 */
	uint8_t policy;  /* enum rule_action; what is none is refused as iptables does */
	struct rules_count count; /* of the policy */
	/*
	 * What stands after -j or -g of its rules, when it is no verdict. A chain of that name goes before the target of
	 * that name, which only the tree can tell: the rules have ACTION_TARGET, or ACTION_NONE if no target is known, never a jump.
	 */
	char jump[RULES_NAME];
	bool is_goto;
	struct rules_rule *rules; /* those that come, in their order, or are to be found */
	uint32_t n_rules;
	/* EDIT_ZERO, EDIT_ZERO_AT: what was shown of the counters, to be taken from them; of each chain in turn its policy's (built-in
	 * chains), then its rules'. None: zero. */
	struct rules_count *shown;
	uint32_t n_shown;
};

/* A table that is being edited. Zeroed is none. */
struct rules_editor {
	struct rules *r;
	struct rules_tab *tab;
	struct rules_index index; /* of the first `indexed` chains */
	uint32_t indexed, room, asked;
};

/* Makes the table if it was not there; nothing to do when it is open. => 0 or -ENOMEM; `r` stays the caller's, to outlive *e. */
int rules_editor_open(struct rules_editor *e, struct rules *r, enum rules_table table);
void rules_editor_close(struct rules_editor *e);
/* => its index, or RULES_INDEX_NONE. The first lookups are by name, many make an index. */
uint32_t rules_editor_find(struct rules_editor *e, const char *name);
/* => NULL: none of that name */
struct rules_chain *rules_editor_chain(struct rules_editor *e, const char *name);

enum rules_change_kind {
	CHANGE_NOTHING,
	CHANGE_RULES,  /* of one chain: [at, at + removed) give way to n_rules of the edit if `added` */
	CHANGE_POLICY, /* of one chain */
	CHANGE_CHAIN,  /* a new one at the end */
	CHANGE_COUNTS,
	CHANGE_MORE,   /* anything else */
};

/* What an edit comes to in a table as it is. */
struct rules_change {
	uint8_t kind;       /* enum rules_change_kind */
	uint8_t jump;       /* ACTION_JUMP, ACTION_GOTO: so the edit's rules are jumps after all; else 0 */
	uint32_t chain;     /* its index */
	uint32_t at, removed, added;
};

/* Judges, and changes nothing. *change->jump is right with every error but -EINVAL of a jump. => 0 or -errno as above. */
int rules_edit_plan(struct rules_editor *e, const struct rules_edit *edit, struct rules_change *change);
/* Rule `i` of an edit as it will be. Its vectors are those of the edit. */
struct rules_rule rules_edit_rule(const struct rules_edit *edit, const struct rules_change *change, uint32_t i);
/* Carries out what was planned. The vectors of its rules are shared with the tree. => 0 or -errno: nothing has changed. */
int rules_edit_run(struct rules_editor *e, const struct rules_edit *edit, const struct rules_change *change);
/* Both. */
int rules_edit_apply(struct rules_editor *e, const struct rules_edit *edit);

/* Flat form, to free(). => NULL with ENOMEM. */
uint8_t *rules_edit_encode(const struct rules_edit *edit, size_t *len);
/* Vectors are of `r`. => 0, or -EINVAL, -ENOMEM with a sentence in `why`. Any bytes are safe. */
int rules_edit_decode(const void *bytes, size_t len, struct rules *r, struct rules_edit *edit, char *why, size_t why_size);

/* The action of ACCEPT, DROP, QUEUE, RETURN and "" (none). => ACTION_COUNT: no verdict */
enum rule_action rules_verdict(const char *name);
/* Short enough, and of characters that may be in a chain's name. */
bool rules_chain_name_fits(const char *name);

#endif
