/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers that one seed determines (splitmix64). */
#ifndef TESTS_ORACLE_RANDOM_H
#define TESTS_ORACLE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rnd {
	uint64_t state;
};

static inline uint64_t
rnd64(struct rnd *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 .. n-1 */
static inline uint32_t
rnd(struct rnd *r, uint32_t n)
{
	return n ? (uint32_t)(rnd64(r) >> 16) % n : 0;
}

static inline uint32_t
rnd_between(struct rnd *r, uint32_t lo, uint32_t hi)
{
	return lo + rnd(r, hi - lo + 1);
}

/* True in `percent` of 100 cases. */
static inline bool
chance(struct rnd *r, uint32_t percent)
{
	return rnd(r, 100) < percent;
}

#define PICK(r, array) ((array)[rnd((r), sizeof(array) / sizeof(*(array)))])

#endif
