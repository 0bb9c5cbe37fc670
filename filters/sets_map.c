/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_data.h"
#include "filters/sets_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
map_has_ext(const struct set_params *p)
{
	return p->counters || p->comment || p->timeout != SET_NO_TIMEOUT;
}

static uint32_t
map_size(const struct set_params *p)
{
	return p->last - p->first + 1u;
}

int
set_map_new(struct set_map *m, const struct set_params *p)
{
	uint32_t n = map_size(p);

	*m = (struct set_map){0};
	m->used = calloc((n + 63) / 64, sizeof(*m->used));
	if (map_has_ext(p))
		m->ext = calloc(n, sizeof(*m->ext));
	if (m->used && (m->ext || !map_has_ext(p)))
		return 0;
	free(m->used);
	free(m->ext);
	*m = (struct set_map){0};
	return -ENOMEM;
}

void
set_map_free(struct set_map *m, const struct set_params *p)
{
	for (uint32_t id = 0; m->ext && id < map_size(p); id++)
		if (set_map_has(m, id))
			free(m->ext[id].comment);
	free(m->used);
	free(m->ext);
}

static struct set_slot
map_slot(const struct set_map *m, uint32_t id)
{
	struct set_slot slot = {0};

	if (m->ext)
		slot.x = m->ext[id];
	return slot;
}

/* Puts the extensions in place of what is there. */
static void
map_set_ext(struct set_data *d, uint32_t id, const struct set_ext *x)
{
	if (!d->map.ext)
		return;
	d->comments -= set_comment_size(d->map.ext[id].comment);
	d->map.ext[id] = *x;
	d->comments += set_comment_size(x->comment);
}

/* => false: no memory. */
static bool
map_log(struct set_data *d, uint32_t id, bool used, struct sets_log *log)
{
	struct set_slot old = map_slot(&d->map, id);

	if (!used) {
		if (!sets_log_reserve(log, 1))
			return false;
		sets_log_fill(log, d, id, 0, 0);
		return true;
	}
	return sets_log_replace(log, d, id, 0, &old);
}

int
set_map_add(struct set_data *d, uint16_t port, const struct set_ext *x, bool exist, uint64_t now,
	struct sets_log *log)
{
	uint32_t id = (uint32_t)port - d->params.first;
	bool used = set_map_has(&d->map, id);
	struct set_ext copy = *x;

	if (used && !exist && !(d->map.ext && set_expired(d, &d->map.ext[id], now)))
		return SET_ERR_EXIST;
	if (x->comment && !(copy.comment = strdup(x->comment)))
		return -ENOMEM;
	if (!map_log(d, id, used, log)) {
		free(copy.comment);
		return -ENOMEM;
	}
	if (used && !log && d->map.ext) {
		d->comments -= set_comment_size(d->map.ext[id].comment);
		free(d->map.ext[id].comment);
		d->map.ext[id].comment = NULL;
	}
	map_set_ext(d, id, &copy);
	d->map.used[id / 64] |= 1ull << id % 64;
	return 0;
}

int
set_map_del(struct set_data *d, uint16_t port, uint64_t now, struct sets_log *log)
{
	static const struct set_ext none;
	uint32_t id = (uint32_t)port - d->params.first;
	struct set_slot old = map_slot(&d->map, id);

	if (!set_map_has(&d->map, id) || set_expired(d, &old.x, now))
		return SET_ERR_EXIST;
	if (!sets_log_clear(log, d, id, 0, 0, &old))
		return -ENOMEM;
	map_set_ext(d, id, &none);
	if (!log)
		free(old.x.comment);
	d->map.used[id / 64] &= ~(1ull << id % 64);
	return 0;
}

int
set_map_test(struct set_data *d, uint16_t port, const struct set_query *q)
{
	uint32_t id = (uint32_t)port - d->params.first;

	return set_map_has(&d->map, id) && (!d->map.ext || set_ext_matches(d, &d->map.ext[id], q));
}

void
set_map_walk(const struct set_data *d, uint64_t now, set_visit visit, void *arg)
{
	for (uint32_t id = 0; id < map_size(&d->params); id++) {
		struct set_elem e = {.port = (uint16_t)(d->params.first + id)};
		struct set_slot slot = map_slot(&d->map, id);

		if (set_map_has(&d->map, id) && !set_expired(d, &slot.x, now))
			visit(arg, &e, &slot.x);
	}
}
