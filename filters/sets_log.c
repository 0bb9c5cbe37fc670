/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_log.h"

#include "filters/sets_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum step_kind {
	STEP_FILL,
	STEP_CLEAR,
	STEP_REPLACE,
	STEP_BUCKET,
	STEP_TABLE,
	STEP_FLUSH,
	STEP_CREATE,
	STEP_DESTROY,
	STEP_RENAME,
	STEP_SWAP,
};

struct step {
	uint8_t kind, i, pos;
	uint32_t key;
	union {
		struct set_data *d;
		struct set *s;
	};
	union {
		void *old; /* owned */
		struct set *with;
	};
	uint64_t memory;
};

struct sets_log {
	struct step *steps;
	size_t n, size;
};

struct sets_log *
sets_log_new(void)
{
	return calloc(1, sizeof(struct sets_log));
}

bool
sets_log_reserve(struct sets_log *log, size_t steps)
{
	struct step *more;
	size_t size;

	if (!log || log->n + steps <= log->size)
		return true;
	size = log->size ? log->size * 2 : 64;
	while (size < log->n + steps)
		size *= 2;
	more = realloc(log->steps, size * sizeof(*more));
	if (!more)
		return false;
	log->steps = more;
	log->size = size;
	return true;
}

static void
log_step(struct sets_log *log, struct step step)
{
	assert(log->n < log->size);
	log->steps[log->n++] = step;
}

void
sets_log_fill(struct sets_log *log, struct set_data *d, uint32_t key, uint8_t i, uint8_t pos)
{
	if (log)
		log_step(log, (struct step){.kind = STEP_FILL, .d = d, .key = key, .i = i, .pos = pos});
}

static bool
log_slot(struct sets_log *log, struct step step, const struct set_slot *old)
{
	struct set_slot *copy;

	if (!log)
		return true;
	copy = malloc(sizeof(*copy));
	if (!copy || !sets_log_reserve(log, 1)) {
		free(copy);
		return false;
	}
	*copy = *old;
	step.old = copy;
	log_step(log, step);
	return true;
}

bool
sets_log_clear(struct sets_log *log, struct set_data *d, uint32_t key, uint8_t i, uint8_t pos,
	const struct set_slot *old)
{
	return log_slot(
		log, (struct step){.kind = STEP_CLEAR, .d = d, .key = key, .i = i, .pos = pos}, old);
}

bool
sets_log_replace(struct sets_log *log, struct set_data *d, uint32_t key, uint8_t i,
	const struct set_slot *old)
{
	return log_slot(log, (struct step){.kind = STEP_REPLACE, .d = d, .key = key, .i = i}, old);
}

void
sets_log_bucket(struct sets_log *log, struct set_data *d, uint32_t key, struct set_bucket *old)
{
	if (log)
		log_step(log, (struct step){.kind = STEP_BUCKET,
				      .d = d,
				      .key = key,
				      .pos = d->params.bucketsize,
				      .old = old,
				      .memory = d->table->memory});
	else
		free(old);
}

void
sets_log_table(struct sets_log *log, struct set_data *d, struct set_table *old)
{
	log_step(log, (struct step){.kind = STEP_TABLE, .d = d, .old = old});
}

bool
sets_log_flush(struct sets_log *log, struct set_data *d)
{
	struct set_data *copy;

	if (!sets_log_reserve(log, 1))
		return false;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return false;
	*copy = *d;
	log_step(log, (struct step){.kind = STEP_FLUSH, .d = d, .old = copy});
	return true;
}

void
sets_log_create(struct sets_log *log, struct set *s)
{
	log_step(log, (struct step){.kind = STEP_CREATE, .s = s});
}

void
sets_log_destroy(struct sets_log *log, struct set *s)
{
	log_step(log, (struct step){.kind = STEP_DESTROY, .s = s});
}

bool
sets_log_rename(struct sets_log *log, struct set *s)
{
	char *old = strdup(s->name);

	if (!old || !sets_log_reserve(log, 1)) {
		free(old);
		return false;
	}
	log_step(log, (struct step){.kind = STEP_RENAME, .s = s, .old = old});
	return true;
}

void
sets_log_swap(struct sets_log *log, struct set *a, struct set *b)
{
	log_step(log, (struct step){.kind = STEP_SWAP, .s = a, .with = b});
}

static void
keep_step(struct step *s)
{
	switch ((enum step_kind)s->kind) {
	case STEP_CLEAR:
	case STEP_REPLACE:
		free(((struct set_slot *)s->old)->x.comment);
		free(s->old);
		break;
	case STEP_BUCKET:
	case STEP_RENAME:
		free(s->old);
		break;
	case STEP_TABLE:
		set_table_free(s->old, false);
		break;
	case STEP_FLUSH:
		set_data_free(s->old);
		break;
	case STEP_DESTROY:
		set_free(s->s);
		break;
	case STEP_FILL:
	case STEP_CREATE:
	case STEP_SWAP:
		break;
	}
}

static void
log_free(struct sets_log *log)
{
	free(log->steps);
	free(log);
}

void
sets_log_keep(struct sets_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		keep_step(&log->steps[i]);
	log_free(log);
}

/* Counts an element in (+1) or out (-1). */
static void
undo_count(struct set_data *d, uint32_t key, const struct set_slot *slot, int by)
{
	uint64_t comment = set_comment_size(slot->x.comment);
	struct set_region *region;

	d->comments += by > 0 ? comment : -comment;
	if (d->params.type == SET_BITMAP_PORT)
		return;
	d->table->n += (uint32_t)by;
	region = set_table_region(d->table, key);
	region->n += (uint32_t)by;
	if (slot->x.expires != 0 && slot->x.expires < region->soonest)
		region->soonest = slot->x.expires;
	set_nets_count(d, slot->e.cidr, by);
}

/* Of a port: its extensions as a slot. */
static struct set_slot
undo_slot(const struct set_data *d, const struct step *s)
{
	struct set_slot slot = {0};

	if (d->params.type != SET_BITMAP_PORT)
		return d->table->buckets[s->key]->slots[s->i];
	if (d->map.ext)
		slot.x = d->map.ext[s->key];
	return slot;
}

static void
undo_put(struct set_data *d, const struct step *s, bool used, const struct set_slot *slot)
{
	struct set_bucket *b;

	if (d->params.type == SET_BITMAP_PORT) {
		uint64_t bit = 1ull << s->key % 64, *word = &d->map.used[s->key / 64];

		*word = used ? *word | bit : *word & ~bit;
		if (d->map.ext)
			d->map.ext[s->key] = slot->x;
		return;
	}
	b = d->table->buckets[s->key];
	b->used = used ? b->used | 1ull << s->i : b->used & ~(1ull << s->i);
	b->slots[s->i] = *slot;
	if (s->kind != STEP_REPLACE)
		b->pos = s->pos;
}

static void
undo_element(const struct step *s)
{
	static const struct set_slot none;
	struct set_slot now = undo_slot(s->d, s), *old = s->old;

	if (s->kind != STEP_CLEAR) {
		undo_count(s->d, s->key, &now, -1);
		free(now.x.comment);
	}
	undo_put(s->d, s, s->kind != STEP_FILL, s->kind == STEP_FILL ? &none : old);
	if (s->kind != STEP_FILL) {
		undo_count(s->d, s->key, old, 1);
		free(old);
	}
}

/* Takes back what a flush saved; the flags of the run stay. */
static void
undo_flush(const struct step *s)
{
	struct set_data *old = s->old, empty = *s->d;

	*s->d = *old;
	s->d->dirty = empty.dirty;
	*old = empty;
	set_data_free(old);
}

static void
undo_swap(struct set *a, struct set *b)
{
	struct set_data *d = a->data;

	a->data = b->data;
	b->data = d;
}

static void
undo_step(struct step *s)
{
	switch ((enum step_kind)s->kind) {
	case STEP_FILL:
	case STEP_CLEAR:
	case STEP_REPLACE:
		undo_element(s);
		break;
	case STEP_BUCKET:
		free(s->d->table->buckets[s->key]);
		s->d->table->buckets[s->key] = s->old;
		s->d->table->memory = s->memory;
		s->d->params.bucketsize = s->pos;
		break;
	case STEP_TABLE:
		set_table_free(s->d->table, false);
		s->d->table = s->old;
		break;
	case STEP_FLUSH:
		undo_flush(s);
		break;
	case STEP_CREATE:
		set_list_remove(s->s->list, s->s);
		set_free(s->s);
		break;
	case STEP_DESTROY:
		s->s->list->sets[s->s->index] = s->s;
		break;
	case STEP_RENAME:
		strcpy(s->s->name, s->old);
		free(s->old);
		break;
	case STEP_SWAP:
		undo_swap(s->s, s->with);
		break;
	}
}

void
sets_log_undo(struct sets_log *log)
{
	while (log->n > 0)
		undo_step(&log->steps[--log->n]);
	log_free(log);
}
