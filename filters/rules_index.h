/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains of one table by name: rules refer to chains by name, and tables of thousands of chains are
 * in use. */
#ifndef FILTERS_RULES_INDEX_H
#define FILTERS_RULES_INDEX_H

#include <stdint.h>

enum { RULES_INDEX_NONE = UINT32_MAX };

struct rules_index {
	uint32_t mask;
	struct {
		const char *name; /* not owned; NULL: free slot */
		uint32_t at;
	} * slots;
};

/* Room for n names. => 0 or -ENOMEM. */
int rules_index_init(struct rules_index *x, uint32_t n);
void rules_index_fini(struct rules_index *x);
/* => RULES_INDEX_NONE and `name` stands for `at` from now on; or what it stands for already. */
uint32_t rules_index_add(struct rules_index *x, const char *name, uint32_t at);
/* => what the name stands for, or RULES_INDEX_NONE. */
uint32_t rules_index_find(const struct rules_index *x, const char *name);

#endif
