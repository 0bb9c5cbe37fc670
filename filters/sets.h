/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP sets of one router, as ipset(8) has them: hash:ip, hash:net, hash:ip,port, hash:net,iface, bitmap:port, with timeout, counters, comment,
 * nomatch, hashsize, maxelem, family (inet only: inet6 is refused by name), netmask, forceadd.
 * Changed by the control thread under the slow-way lock, or by a target; looked up by packets.
 */
#ifndef FILTERS_SETS_H
#define FILTERS_SETS_H

#include "filters/extension.h"

struct set;
struct set_list;

/* => NULL with ENOMEM. */
struct set_list *sets_new(void);
void sets_free(struct set_list *l); /* nothing refers to a set any more */

/*
 * Runs the lines of a text in the format of `ipset save`/`restore` (create, add, del, test, flush, destroy, rename, swap, each with every option that we know,
 * -exist). All or nothing: a refused line leaves every set as it was. => 0; -EINVAL with "line N: what, what was expected"
 * in `why`, using ipset's own words where it has some ("Set cannot be created: set with the same name already exists").
 */
int sets_run(struct set_list *l, const char *text, size_t len, uint64_t now, char *why, size_t why_size);
/* The whole list, or one set (`name` not NULL), as `ipset save` prints it, to free(). => NULL with ENOMEM, ENOENT. */
char *sets_save(const struct set_list *l, const char *name, uint64_t now);
/* Elements of all hashes. */
size_t sets_elements(const struct set_list *l);
/* As `ipset list` prints it ("Name: ... Type: ... Revision: ... Header: ... Members:"). */
char *sets_list(const struct set_list *l, const char *name, uint64_t now);

/* A rule refers to it: it cannot be destroyed. => NULL: no such set. Control thread. */
struct set *set_get(struct set_list *l, const char *name);
void set_put(struct set *s);

enum { SET_DIM_SRC = 1, SET_DIM_MAX = 6 }; /* per dimension: bit set means source side */
/* True when the packet is in the set. `sides`: bit i set when dimension i is src. `flags`: of linux/netfilter/ipset/ip_set.h for counters and nomatch. */
bool set_test(struct filter_ctx *c, struct set *s, uint8_t n_dims, uint8_t sides);
struct version *set_version(struct set *s);

#endif
