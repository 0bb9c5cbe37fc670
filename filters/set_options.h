/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the match "set" and the target "SET". The kernel's (linux/netfilter/xt_set.h) name a
 * set by an index that only the kernel knows; ours name it by its name, so a rule means the same in
 * any router. Every revision that known.h lists has this one layout; the front end makes the
 * highest. Host byte order; what is not used is zero, so equal rules are equal bytes. All strings
 * end with a NUL.
 */
#ifndef FILTERS_SET_OPTIONS_H
#define FILTERS_SET_OPTIONS_H

#include <assert.h>
#include <linux/netfilter/xt_set.h>
#include <stdint.h>

struct set_option {
	char name[IPSET_MAXNAMELEN]; /* "": no set (target only) */
	uint8_t dim;      /* how many of src, dst were given: 1..IPSET_DIM_MAX; 0: no set */
	uint8_t sides;    /* bit i (from 0): dimension i is taken from the source; else from the
			     destination */
	uint8_t inverted; /* ! --match-set: 1; match only */
	uint8_t pad[5];
};

/* ! --packets-eq N and so on: an `op` of IPSET_COUNTER_NONE, _EQ, _NE, _LT, _GT. */
struct set_counter_option {
	uint64_t value;
	uint8_t op;
	uint8_t pad[7];
};

/* "set": revision 4 in the kernel's count. */
struct set_match_options {
	struct set_option set;
	struct set_counter_option packets, bytes;
	/*
	 * IPSET_FLAG_RETURN_NOMATCH; IPSET_FLAG_SKIP_COUNTER_UPDATE (! --update-counters);
	 * IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE (! --update-subcounters); IPSET_FLAG_MATCH_COUNTERS
	 * with any counter option.
	 */
	uint32_t flags;
	uint32_t pad;
};

/* "SET": revision 3 in the kernel's count. */
struct set_target_options {
	struct set_option add, del, map;
	/* IPSET_FLAG_EXIST (--exist), IPSET_FLAG_MAP_SKBMARK, _MAP_SKBPRIO, _MAP_SKBQUEUE
	 * (--map-mark, --map-prio, --map-queue). */
	uint32_t flags;
	uint32_t timeout; /* seconds; SET_TIMEOUT_NONE: that of the set */
};

#define SET_TIMEOUT_NONE UINT32_MAX

static_assert(sizeof(struct set_option) == 40, "no hidden bytes");
static_assert(sizeof(struct set_match_options) == 80, "no hidden bytes, and a multiple of 8");
static_assert(sizeof(struct set_target_options) == 128, "no hidden bytes, and a multiple of 8");

#endif
