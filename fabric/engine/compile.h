/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long chains are compiled (filters/classifier.h) in the background, by one thread of low priority,
 * once the rules have been quiet for a moment: whoever adds a thousand rules one by one does not
 * wait for a thousand compilations. Until a chain is ready, packets go rule by rule, or by what it
 * took over from the chain before. The thread starts with the first chain that is worth it.
 */
#ifndef FABRIC_ENGINE_COMPILE_H
#define FABRIC_ENGINE_COMPILE_H

#include "filters/ruleset.h"

struct compiler;

/* All calls are the control thread's. => NULL with ENOMEM. */
struct compiler *compile_new(void);
/* Ends the thread; every ruleset was forgotten or will not be freed before. NULL: nothing. */
void compile_free(struct compiler *c);
/* `r` was published: its long chains are compiled, unless they are. The ruleset must be forgotten
 * before it is freed. => 0 or -errno: they are not. */
int compile_ruleset(struct compiler *c, const struct ruleset *r);
/* `r` is going to be freed: nobody touches it afterwards. Waits for milliseconds at most. `c` NULL:
 * nothing to do. Not under the slow lock. */
void compile_forget(struct compiler *c, const struct ruleset *r);
/* Waits until nothing is left to compile, at most `ms`. => false: there still is. For tests and
 * measurements. */
bool compile_wait(struct compiler *c, unsigned ms);

#endif
