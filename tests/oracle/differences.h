/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences that stay: what the kernel does there, why ours does otherwise, and how to know it. At most ten. */
#ifndef TESTS_ORACLE_DIFFERENCES_H
#define TESTS_ORACLE_DIFFERENCES_H

#include "tests/oracle/oracle.h"

struct known_difference {
	const char *name, *kernel_function, *why;
	/* What came in, and what the kernel and ours made of it, which is not the same. NULL: known otherwise (difference_is()). */
	bool (*is)(const struct frame *in, const struct frames *kernel, const struct frames *ours);
};

/* Ends with a row without name. */
extern const struct known_difference known_differences[];

/* Counts it in the row's place of differences_seen[]. */
bool difference_known(const struct frame *in, const struct frames *kernel, const struct frames *ours);
/* Counts one that is not seen by a single packet. */
void difference_is(const char *name);
uint64_t difference_seen(unsigned row);

#endif
