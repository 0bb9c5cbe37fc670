/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of one router as data: what the front end (filters/iptables) makes of iptables' text, what the engine judges and builds its
 * ruleset from (ruleset.h), and what it gives back with its counters. A mutable tree in one arena, and its flat form for the wire.
 *
 * Options of matches and targets are the structures of linux/netfilter/xt_*.h as libxtables fills them, with what only the kernel writes set
 * to zero, so equal rules are equal bytes. Decoding checks form (lengths, counts, names, references), never meaning.
 */
#ifndef FILTERS_RULES_H
#define FILTERS_RULES_H

#include "fabric/base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RULES_NAME = 32,      /* of a table, chain or extension, with its NUL; front ends allow iptables' 28 and 29 characters */
	RULES_EXT_MAX = 8192, /* bytes of options of one match or target */
	RULES_MATCHES_MAX = 64,
};

/* In the order in which iptables-save names them last to first is left to the front end. */
enum rules_table { TABLE_RAW, TABLE_MANGLE, TABLE_NAT, TABLE_FILTER, TABLE_SECURITY, TABLE_COUNT };

/* The kernel's numbers (NF_INET_*), and those of the hook table of fabric/router. */
enum rules_hook { RULES_PREROUTING, RULES_INPUT, RULES_FORWARD, RULES_OUTPUT, RULES_POSTROUTING, RULES_HOOKS };

enum rule_flags {
	RULE_FRAGMENT = 1 << 0, /* -f: second and later fragments */
	RULE_NOT_SRC = 1 << 1,
	RULE_NOT_DST = 1 << 2,
	RULE_NOT_IN = 1 << 3,
	RULE_NOT_OUT = 1 << 4,
	RULE_NOT_PROTO = 1 << 5,
	RULE_NOT_FRAGMENT = 1 << 6, /* ! -f */
};

struct rules_ext {
	char name[RULES_NAME];
	uint8_t revision;
	uint16_t size; /* bytes of `data`, without padding */
	uint8_t *data; /* of the arena; aligned to 8 */
};

enum rule_action {
	ACTION_NONE,   /* no -j: the rule only counts */
	ACTION_ACCEPT,
	ACTION_DROP,
	ACTION_QUEUE,  /* -j QUEUE: number 0 */
	ACTION_RETURN,
	ACTION_JUMP,   /* to `chain` */
	ACTION_GOTO,
	ACTION_TARGET, /* `target` */
	ACTION_COUNT,
};

/* What becomes of the counters when the engine takes the rule (or policy) over. */
enum rules_counting {
	COUNT_KEEP,     /* those of the same rule before; for a new one as given here (0 in the flat form) */
	COUNT_SET,      /* packets, bytes as given here */
	COUNT_SUBTRACT, /* those of the same rule before, less what is given here: zeroing loses no packet */
};

struct rules_count {
	uint8_t how; /* enum rules_counting */
	uint64_t packets, bytes;
};

struct rules_rule {
	struct ip_addr src, src_mask, dst, dst_mask; /* all AF_INET or all AF_INET6; masks may have holes */
	char in[16], out[16]; /* interface names; "" any; a trailing '+' is kept and means prefix */
	uint16_t proto;       /* host byte order; 0 any */
	uint8_t flags;        /* enum rule_flags */
	struct rules_ext *matches; /* in the order of the command line: they are evaluated so */
	uint16_t n_matches;
	uint8_t action;       /* enum rule_action */
	char chain[RULES_NAME];    /* ACTION_JUMP, ACTION_GOTO */
	struct rules_ext target;   /* ACTION_TARGET */
	struct rules_count count;
};

struct rules_chain {
	char name[RULES_NAME];
	int8_t hook;    /* enum rules_hook of a built-in chain, -1: of the user */
	uint8_t policy; /* ACTION_ACCEPT, ACTION_DROP; built-in chains only */
	struct rules_count count; /* of the policy */
	struct rules_rule *rules; /* vector: rules_rule_insert() and _delete() */
	uint32_t n_rules, size_rules;
};

struct rules_tab {
	bool present; /* false: the table was never touched (iptables-save does not print it) */
	struct rules_chain **chains; /* built-in ones first, in the order of their hooks, then the user's in the order of creation */
	uint32_t n_chains, size_chains;
};

struct rules {
	struct rules_tab tables[TABLE_COUNT];
	struct rules_memory *memory; /* private: the arena */
};

/* No tables at all. => NULL with ENOMEM. */
struct rules *rules_new(void);
void rules_free(struct rules *r);
/* Memory that lives as long as `r`, zeroed, aligned to 16. => NULL with ENOMEM. */
void *rules_alloc(struct rules *r, size_t size);

/* "filter" and so on; => TABLE_COUNT: no such table. */
enum rules_table rules_table_of(const char *name);
const char *rules_table_name(enum rules_table t);
/* The chain name of a hook: "PREROUTING" ... */
const char *rules_hook_name(enum rules_hook h);
/* True when `t` has a built-in chain at `h` (raw: PREROUTING OUTPUT; nat: all but FORWARD; filter, security: INPUT FORWARD OUTPUT; mangle: all). */
bool rules_table_hooks(enum rules_table t, enum rules_hook h);

/* The table, made with its built-in chains, policy ACCEPT, if it was not present. => NULL with ENOMEM. */
struct rules_tab *rules_table(struct rules *r, enum rules_table t);
struct rules_chain *rules_chain(const struct rules_tab *t, const char *name); /* NULL: none */
/* A new user chain, at the end. => NULL with ENOMEM. Name not checked. */
struct rules_chain *rules_chain_add(struct rules *r, struct rules_tab *t, const char *name);
void rules_chain_remove(struct rules_tab *t, struct rules_chain *c);
/* A copy of *rule (its vectors are shared, not copied) at index `at` (0..n_rules). => 0 or -ENOMEM. */
int rules_rule_insert(struct rules *r, struct rules_chain *c, uint32_t at, const struct rules_rule *rule);
void rules_rule_delete(struct rules_chain *c, uint32_t at);
/* Room for n rules more. => 0 or -ENOMEM. */
int rules_reserve(struct rules *r, struct rules_chain *c, uint32_t n);
/* Rules [at, at + removed) go and `added` come there, for which there is room, and which the caller fills in. */
void rules_shift(struct rules_chain *c, uint32_t at, uint32_t removed, uint32_t added);
/* How many rules of the table jump or go to each chain; by index. To free(). => NULL: ENOMEM. */
uint32_t *rules_references(const struct rules_tab *t);
/* All counters become COUNT_KEEP: rules that were there before go on counting, new ones begin with 0. */
void rules_keep_counts(struct rules *r);
/* The same of rules as they were loaded: those that are no longer the same by their change begin with what they had. */
void rules_keep_loaded(struct rules *r);
/* Equal in all but counters. */
bool rules_rule_equal(const struct rules_rule *a, const struct rules_rule *b);

/* Flat form, to free(). => NULL with ENOMEM. */
uint8_t *rules_encode(const struct rules *r, size_t *len);
/* => a new tree, or NULL with a sentence in `why` (EINVAL or ENOMEM in errno). Any bytes are safe. */
struct rules *rules_decode(const void *bytes, size_t len, char *why, size_t why_size);

#endif
