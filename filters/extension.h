/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam for matches and targets. One ops struct each; a file holds an array of them that ends with an empty row, and extensions.c lists the
 * arrays. Adding one touches its file, extensions.c, and known.h (which tells the front end that we evaluate it).
 *
 * Life: check() judges the options of a rule when a ruleset is built (control thread; packets flow meanwhile) and may prepare a form of its own.
 * run()/match() are called under the slow-way lock. `state` is memory of the rule itself (token bucket, position): it is taken over by the
 * same rule of the next ruleset. release() frees what check() prepared, after the grace period of the ruleset.
 */
#ifndef FILTERS_EXTENSION_H
#define FILTERS_EXTENSION_H

#include "fabric/base/env.h"
#include "fabric/base/version.h"
#include "filters/rules.h"
#include "routing/router.h"

struct ruleset;
struct filters_live;

enum filter_verdict {
	FILTER_CONTINUE, /* go on with the next rule; the default of a target that only does something */
	FILTER_ACCEPT,
	FILTER_DROP,     /* ctx->why says what to count; DROP_RULE unless set */
	FILTER_QUEUE,    /* ctx->queue and ctx->queue_flags say where */
	FILTER_STOLEN,   /* the packet is gone */
	FILTER_RETURN,   /* as -j RETURN */
};

enum { FILTER_QUEUE_BYPASS = 1 }; /* nobody listens: accept */

/* One packet in one table at one hook. */
struct filter_ctx {
	struct env *env;
	const struct router *router;
	struct pkt *p;             /* parsed, data at its IP header */
	const struct iface *in, *out; /* NULL where the hook has none */
	const struct ruleset *rules;
	uint8_t hook;              /* enum rules_hook */
	uint8_t table;             /* enum rules_table */
	bool malformed;            /* set by a match: the packet is dropped at once, as the kernel's hotdrop (DROP_RULE_MALFORMED) */
	bool l4;                   /* this is no later fragment: layer 4 begins at p->l3_len (it may still be cut short: p->l4_len 0) */
	enum drop_reason why;
	uint32_t queue, queue_flags;
};

/* What a rule is, for check(). */
struct ext_check {
	const struct rules_rule *rule;
	const struct router *router;   /* name and tunables only */
	struct filters_live *live;     /* of the router: sets, named tables */
	uint8_t table;                 /* enum rules_table */
	uint32_t hooks;                /* bit per enum rules_hook from which the rule's chain is reached; 0: from none */
	const char *chain;
	uint32_t *needs;               /* of the ops; check() may take back what these options do not need */
	char *why;                     /* a refusal's sentence, without the names of rule, chain and extension */
	size_t why_size;
};

/* What a ruleset needs of its router. */
enum ext_needs { NEEDS_CONNTRACK = 1 << 0 /* tracking and with it defragmentation are on */ };

struct match_ops {
	const char *name;
	uint8_t revision;
	uint16_t size;      /* exact bytes of options, unpadded */
	enum reads reads;   /* the most it may read (version.h); it notes guards and versions at run time */
	uint32_t needs;     /* enum ext_needs */
	uint32_t tables;    /* bit per enum rules_table; 0: all */
	uint32_t hooks;     /* bit per enum rules_hook where it is allowed; 0: all. Only checked for chains that are reached */
	uint16_t proto;     /* the rule must say -p this (not inverted); 0: any */
	uint16_t state_size;/* bytes of `state` of each rule, zeroed; 0: none */
	/* => 0, -EINVAL with c->why, -ENOMEM. *prepared: NULL, or handed to match() instead of the options. NULL: every option is fine. */
	int (*check)(const struct ext_check *c, const void *options, void **prepared);
	void (*release)(void *prepared);
	/* Fills in the state of a rule that is new; `now` in ns CLOCK_MONOTONIC. May be NULL: zero. */
	void (*start)(void *state, const void *options, uint64_t now);
	/* `options`: what check() prepared, else the options as in the rule. */
	bool (*match)(struct filter_ctx *c, const void *options, void *state);
	/* Drops what `state` points to when its last rule is gone. May be NULL. */
	void (*stop)(void *state);
};

struct target_ops {
	const char *name;
	uint8_t revision;
	uint16_t size;
	enum reads reads;
	uint32_t needs, tables, hooks;
	uint16_t proto;
	uint16_t state_size;
	int (*check)(const struct ext_check *c, const void *options, void **prepared);
	void (*release)(void *prepared);
	void (*start)(void *state, const void *options, uint64_t now);
	enum filter_verdict (*run)(struct filter_ctx *c, const void *options, void *state);
	void (*stop)(void *state);
};

/* => NULL: not evaluated here. */
const struct match_ops *match_find(const char *name, uint8_t revision);
const struct target_ops *target_find(const char *name, uint8_t revision);

/* => -EINVAL with the sentence in c->why. */
int ext_refuse(const struct ext_check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies bytes [offset, offset + len) counted from the IP header, over segments if need be. => where they are (in place or in buf), NULL: too short. */
static inline const void *
filter_bytes(const struct filter_ctx *c, uint32_t offset, uint32_t len, void *buf)
{
	return rte_pktmbuf_read(pkt_mbuf(c->p), offset, len, buf);
}

/*
 * Before a target writes to the packet's headers: they are contiguous and this packet's own already (pkt.h). It keeps checksums right: a partial
 * one (PKT_CSUM_PARTIAL) holds the pseudo-header sum only, all others are updated with csum_replace*().
 */

#endif
