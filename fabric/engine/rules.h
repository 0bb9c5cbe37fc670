/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules and sets of routers on their way into a generation: with a whole configuration (a bundle beside it), or alone, live. Control thread.
 *
 * The bytes come from `rookery`, by way of the keeper, and are trusted no more than packets are: filters/rules.h checks their form,
 * filters/ruleset.h their meaning.
 */
#ifndef FABRIC_ENGINE_RULES_H
#define FABRIC_ENGINE_RULES_H

#include "fabric/engine/publish.h"
#include "filters/rules_edit.h"

#include <jansson.h>

/*
 * Sets r->rules and the staged sets of `pn`: what c->bundle has for this router; without a bundle what `was` (NULL: a new router) has.
 * => 0 or -errno with c->why.
 */
int change_rules(struct change *c, const struct cfg_node *n, struct placed_node *pn, struct router *r, const struct router *was);
/* Under the slow lock, at the publication: rules count, staged sets are in force, tables of connections know their managers. */
void adopt_rules(struct engine *e, const struct fabric *was, const struct fabric *next, struct placement *place);
/* Long chains get their compiled form in the background; once each, however often this is called. */
void compile_rules(struct engine *e, const struct fabric *f);
/* Before rulesets of `was` that `now` (NULL: nothing) has no more are freed: nobody compiles them. */
void forget_rules(struct engine *e, const struct fabric *was, const struct fabric *now);
/* Frees the rules of `r` unless `kept` (NULL: nobody) has the same. */
void release_rules(const struct router *r, const struct router *kept);
/* The sets that adopt_rules() has put out of force (or, in a change that failed, the staged ones). After a grace period and after the rulesets. */
void placement_drop_sets(struct placement *p);

/* The tree of flat bytes. => NULL with *rc -errno and `why`. */
struct rules *decode_rules(const struct router *r, const uint8_t *bytes, size_t len, char *why, size_t size, int *rc);
/* Its ruleset, not in force yet; `rules` is taken in any case. => NULL with *rc -errno and `why`. */
struct ruleset *build_rules(struct engine *e, const struct router *r, struct filters_live *live, const struct ruleset *before,
		struct rules *rules, char *why, size_t size, int *rc);
/* A table of connections, if r->rules need one. => 0 or -errno */
int need_conntrack(struct engine *e, const struct router *r);
/* Under the slow lock: the rules of `r` are in force from now on, those of `was` (or NULL) no more. */
void begin_rules(struct engine *e, const struct router *was, const struct router *r);

/*
 * One router's rules alone, flat, all or nothing. `base`: serial of the rules that they were made from; 0: there were none. => 0; -EAGAIN: others were
 * faster; -ENOENT, -EINVAL, -ENOMEM with `why`.
 */
int publish_rules(struct engine *e, const char *node, uint64_t base, const uint8_t *bytes, size_t len, char *why, size_t size);

/*
 * One edit of a router's rules, flat (filters/rules_edit.h), all or nothing. `base`: serial that they must have, or NULL: any. => 0; -EAGAIN: it is
 * another; else -errno, with a sentence in `why`, or with "" when iptables has words for it.
 */
int publish_edit(struct engine *e, const char *node, const uint64_t *base, const uint8_t *bytes, size_t len, struct rules_change *change, char *why,
		size_t size);

/* {"op":"rules","node":R} => {"ok","serial":N} and a descriptor of its rules, flat, with present counters. */
json_t *show_rules(struct engine *e, const json_t *request, int *fd);
/* {"op":"sets","node":R,"name":NAME?,"list":bool?} => {"ok","text"}: as ipset save or list prints them. */
json_t *show_sets(struct engine *e, const json_t *request);
/* {"op":"sets","node":R,"text":T}, of the keeper: commands in the format of ipset restore, all or nothing. Some answers have all sets in "text", as ipset save prints them. */
json_t *run_sets(struct engine *e, const json_t *request);

#endif
