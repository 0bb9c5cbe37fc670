/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/timer.h"

#include "fabric/base/env.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void
timers_init(struct timers *ts)
{
	*ts = (struct timers){0};
}

void
timers_fini(struct timers *ts)
{
	assert(ts->n == 0);
	free(ts->heap);
}

static void
place(struct timers *ts, uint32_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->index = i;
}

static void
sift_up(struct timers *ts, uint32_t i, struct timer *t)
{
	while (i > 1 && ts->heap[i / 2]->when > t->when) {
		place(ts, i, ts->heap[i / 2]);
		i /= 2;
	}
	place(ts, i, t);
}

static void
sift_down(struct timers *ts, uint32_t i, struct timer *t)
{
	for (;;) {
		uint32_t c = i * 2;

		if (c > ts->n)
			break;
		if (c < ts->n && ts->heap[c + 1]->when < ts->heap[c]->when)
			c++;
		if (ts->heap[c]->when >= t->when)
			break;
		place(ts, i, ts->heap[c]);
		i = c;
	}
	place(ts, i, t);
}

static int
grow(struct timers *ts)
{
	uint32_t size = ts->size ? ts->size * 2 : 64;
	struct timer **heap = realloc(ts->heap, size * sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	ts->heap = heap;
	ts->size = size;
	return 0;
}

int
timer_arm(struct timers *ts, struct timer *t, uint64_t when)
{
	uint64_t before = t->when;

	t->when = when;
	if (timer_armed(t)) {
		if (when < before)
			sift_up(ts, t->index, t);
		else
			sift_down(ts, t->index, t);
		return 0;
	}
	if (ts->n + 1 >= ts->size && grow(ts) < 0)
		return -ENOMEM;
	ts->n++;
	sift_up(ts, ts->n, t);
	return 0;
}

void
timer_cancel(struct timers *ts, struct timer *t)
{
	uint32_t i = t->index;
	struct timer *last;

	if (!timer_armed(t))
		return;
	t->index = 0;
	last = ts->heap[ts->n--];
	if (last == t)
		return;
	if (i > 1 && ts->heap[i / 2]->when > last->when)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

uint64_t
timers_next(const struct timers *ts)
{
	return ts->n ? ts->heap[1]->when : UINT64_MAX;
}

unsigned
timers_run(struct timers *ts, struct env *env, unsigned budget)
{
	unsigned fired = 0;

	while (fired < budget && ts->n && ts->heap[1]->when <= env->now) {
		struct timer *t = ts->heap[1];

		timer_cancel(ts, t);
		t->fire(t, env);
		fired++;
	}
	return fired;
}
