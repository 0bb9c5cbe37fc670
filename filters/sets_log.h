/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The undo log of a run of commands. Each step is written down before it is done; undoing takes the last
 * step first, so it finds everything as the step left it: no undoing allocates, and every slot, bucket and
 * table is again where it was. What a step took away is owned by the log, and freed when the run is kept.
 *
 * A NULL log (a packet's add) keeps nothing: what is taken away is freed at once.
 */
#ifndef FILTERS_SETS_LOG_H
#define FILTERS_SETS_LOG_H

#include "filters/sets_data.h"

struct set;

/* Each before the step. => false: no memory, do not do it. */
bool sets_log_reserve(struct sets_log *log, size_t steps);
/* After sets_log_reserve(). A slot (or port) `i` of bucket `key` is filled; `pos` as it was. */
void sets_log_fill(struct sets_log *log, struct set_data *d, uint32_t key, uint8_t i, uint8_t pos);
/* A slot is emptied, or its content replaced. */
bool sets_log_clear(struct sets_log *log, struct set_data *d, uint32_t key, uint8_t i, uint8_t pos,
	const struct set_slot *old);
bool sets_log_replace(struct sets_log *log, struct set_data *d, uint32_t key, uint8_t i,
	const struct set_slot *old);
/* The bucket is replaced by a bigger or smaller one, or by none; `old` may be NULL. */
void sets_log_bucket(struct sets_log *log, struct set_data *d, uint32_t key, struct set_bucket *old);
/* The table grows: `old`'s elements are all in the new one. */
void sets_log_table(struct sets_log *log, struct set_data *d, struct set_table *old);
/* All is taken out of the set; d's content is saved as it is. */
bool sets_log_flush(struct sets_log *log, struct set_data *d);
void sets_log_create(struct sets_log *log, struct set *s);
void sets_log_destroy(struct sets_log *log, struct set *s);
bool sets_log_rename(struct sets_log *log, struct set *s);
void sets_log_swap(struct sets_log *log, struct set *a, struct set *b);

struct sets_log *sets_log_new(void); /* NULL: ENOMEM */
/* Each ends the log. */
void sets_log_keep(struct sets_log *log);
void sets_log_undo(struct sets_log *log);

#endif
