/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for megabytes that are used once. A short-lived command spends more time on faults of small pages than on what it
 * does with them, so large blocks ask for huge pages where the kernel has them.
 */
#ifndef FABRIC_BASE_HUGE_H
#define FABRIC_BASE_HUGE_H

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

/* `size` bytes of unset memory, to free(). => NULL with ENOMEM. */
static inline void *
huge_alloc(size_t size)
{
	size_t whole = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *at;

	if (size < HUGE_PAGE / 4)
		return malloc(size);
	at = aligned_alloc(HUGE_PAGE, whole);
	if (at)
		madvise(at, whole, MADV_HUGEPAGE);
	return at;
}

#endif
