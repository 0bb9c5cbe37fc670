/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expiry.
 *
 * Lookups pass over what has expired, so nothing depends on its being ended in time but the room it
 * takes. Connections lie in a hierarchical wheel: level 0 has a slot for each of the next 64 ticks,
 * each level above slots 64 times as long. One timer is armed for the first slot that holds any;
 * with an empty table none is. When a slot of a higher level comes up its connections move down.
 *
 * A packet puts the end of its connection off and leaves the wheel alone: when the slot comes up, a
 * connection that still lives is put where it belongs then. Only when the end comes nearer is it
 * moved at once. So a connection of five days wakes nobody before that, however busy it is, and an
 * idle table of any size sleeps.
 *
 * A run looks at a bounded number of connections and goes on a little later if there are more.
 */
#include "filters/conntrack_table.h"

#include <rte_common.h>

enum { SLOT_BITS = 6, SLICE = 256 };

static const uint64_t PAUSE = 50000; /* ns between two slices */

static void wheel_fire(struct timer *timer, struct env *env);

void
wheel_init(struct wheel *w)
{
	w->next = UINT64_MAX;
	w->timer.fire = wheel_fire;
}

static uint64_t
tick_of(uint64_t ns)
{
	return ns >> WHEEL_TICK_SHIFT;
}

/* In the tick after the one that it ends in it has ended for sure. */
static uint32_t
due_of(const struct conn *c)
{
	return (uint32_t)RTE_MIN(tick_of(c->expires) + 1, (uint64_t)UINT32_MAX);
}

static void
arm(struct conntrack *ct, struct env *env, uint64_t tick, uint64_t not_before)
{
	uint64_t when = RTE_MAX(tick << WHEEL_TICK_SHIFT, not_before);

	/* Without memory for it the next connection tries again. */
	timer_arm(env->timers, &ct->wheel.timer, when);
	ct->wheel.next = tick;
}

void
wheel_wake(struct conntrack *ct, struct env *env, uint64_t tick)
{
	if (tick < ct->wheel.next || !timer_armed(&ct->wheel.timer))
		arm(ct, env, RTE_MIN(tick, ct->wheel.next), env->now);
}

void
wheel_idle(struct conntrack *ct, struct env *env)
{
	timer_cancel(env->timers, &ct->wheel.timer);
	ct->wheel.next = UINT64_MAX;
	ct->pressed = false;
}

/* => tick at which its slot comes up. */
static uint64_t
place(struct conntrack *ct, struct conn *c)
{
	struct wheel *w = &ct->wheel;
	uint64_t due = RTE_MAX(due_of(c), w->base);
	unsigned level = 0, slot;
	uint32_t *head;

	while (level < WHEEL_LEVELS - 1 &&
		(due >> SLOT_BITS * level) - (w->base >> SLOT_BITS * level) >= WHEEL_SLOTS)
		level++;
	slot = due >> SLOT_BITS * level & (WHEEL_SLOTS - 1);
	head = &w->head[level][slot];
	c->due = (uint32_t)due;
	c->due_slot = (uint16_t)(level * WHEEL_SLOTS + slot + 1);
	c->due_prev = 0;
	c->due_next = *head;
	if (*head)
		conn_at(ct, *head)->due_prev = conn_index(ct, c);
	*head = conn_index(ct, c);
	w->used[level] |= 1ull << slot;
	return due >> SLOT_BITS * level << SLOT_BITS * level;
}

void
wheel_add(struct conntrack *ct, struct env *env, struct conn *c)
{
	struct wheel *w = &ct->wheel;
	uint64_t now = RTE_MIN(tick_of(env->now), w->next);

	w->base = RTE_MAX(w->base, now);
	wheel_wake(ct, env, place(ct, c));
}

void
wheel_remove(struct conntrack *ct, struct conn *c)
{
	unsigned at = c->due_slot - 1u, level = at / WHEEL_SLOTS, slot = at % WHEEL_SLOTS;

	if (c->due_slot == 0)
		return;
	c->due_slot = 0;
	if (c->due_next)
		conn_at(ct, c->due_next)->due_prev = c->due_prev;
	if (c->due_prev)
		conn_at(ct, c->due_prev)->due_next = c->due_next;
	else
		ct->wheel.head[level][slot] = c->due_next;
	if (ct->wheel.head[level][slot] == 0)
		ct->wheel.used[level] &= ~(1ull << slot);
}

void
wheel_update(struct conntrack *ct, struct env *env, struct conn *c)
{
	if (c->due_slot == 0 || due_of(c) >= c->due)
		return;
	wheel_remove(ct, c);
	wheel_add(ct, env, c);
}

/* The first slot that comes up on one level: its tick; UINT64_MAX: it is empty. */
static uint64_t
first_of_level(const struct wheel *w, unsigned level, unsigned *slot)
{
	uint64_t here = w->base >> SLOT_BITS * level, used = w->used[level];
	unsigned turn = here & (WHEEL_SLOTS - 1), ahead;

	if (!used)
		return UINT64_MAX;
	if (turn)
		used = used >> turn | used << (WHEEL_SLOTS - turn);
	ahead = (unsigned)__builtin_ctzll(used);
	*slot = (turn + ahead) % WHEEL_SLOTS;
	return RTE_MAX((here + ahead) << SLOT_BITS * level, w->base);
}

/* The first of all. Of slots that come up together a higher level's goes first. */
static uint64_t
first_slot(const struct wheel *w, unsigned *level, unsigned *slot)
{
	uint64_t first = UINT64_MAX;
	unsigned l, s = 0;

	for (l = WHEEL_LEVELS; l-- > 0;) {
		uint64_t tick = first_of_level(w, l, &s);

		if (tick < first) {
			first = tick;
			*level = l;
			*slot = s;
		}
	}
	return first;
}

static unsigned
empty_slot(struct conntrack *ct, struct env *env, uint32_t *head, unsigned budget)
{
	while (*head && budget > 0) {
		struct conn *c = conn_at(ct, *head);

		budget--;
		if (conn_expired(ct, c, env->now)) {
			conn_kill(env, ct, c);
		} else {
			wheel_remove(ct, c);
			place(ct, c);
		}
	}
	return budget;
}

static void
wheel_fire(struct timer *timer, struct env *env)
{
	struct wheel *w = (struct wheel *)((char *)timer - offsetof(struct wheel, timer));
	struct conntrack *ct = (struct conntrack *)((char *)w - offsetof(struct conntrack, wheel));
	unsigned level = 0, slot = 0, budget = SLICE;
	uint64_t tick, now = tick_of(env->now);

	w->next = UINT64_MAX;
	if (ct->pressed)
		ct->pressed = ct_press(ct, env, SLICE);
	while (budget > 0) {
		tick = first_slot(w, &level, &slot);
		if (tick > now)
			break;
		w->base = tick;
		budget = empty_slot(ct, env, &w->head[level][slot], budget);
	}
	tick = first_slot(w, &level, &slot);
	if (ct->pressed)
		tick = RTE_MIN(tick, now);
	if (tick != UINT64_MAX)
		arm(ct, env, tick, env->now + PAUSE);
}
