/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One-shot timers in a binary heap. Nothing here ticks: with no timer armed, nothing wakes (IDL-5).
 * A timer is part of the object that it serves; the heap holds pointers only. All calls come under the
 * lock of the slow way; a callback runs under it too, and may arm and cancel any timer.
 */
#ifndef FABRIC_BASE_TIMER_H
#define FABRIC_BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;
struct timer;

typedef void (*timer_fn)(struct timer *t, struct env *env);

struct timer {
	uint64_t when;  /* ns, CLOCK_MONOTONIC */
	uint32_t index; /* place in the heap, from 1; 0: not armed */
	timer_fn fire;
};

struct timers {
	struct timer **heap; /* [0] is not used */
	uint32_t n, size;
};

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts); /* no timer may be armed */

static inline bool
timer_armed(const struct timer *t)
{
	return t->index != 0;
}

/* Arms or moves. `t->fire` is set. => 0 or -ENOMEM (only when it was not armed). */
int timer_arm(struct timers *ts, struct timer *t, uint64_t when);
void timer_cancel(struct timers *ts, struct timer *t); /* armed or not */
/* When the first one is due, or UINT64_MAX. */
uint64_t timers_next(const struct timers *ts);
/* Fires at most `budget` timers due at env->now. => number fired. */
unsigned timers_run(struct timers *ts, struct env *env, unsigned budget);

#endif
