/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between rules_wire.c and rules_edit_wire.c only. */
#ifndef FILTERS_RULES_WIRE_H
#define FILTERS_RULES_WIRE_H

#include "filters/rules_edit.h"
#include "filters/rules_flat.h"

enum { FLAT_RULE_MIN = 1 + 4 * 4 + 1 + 1 + 2 + 1 + 1 + 1 + 1 }; /* the fewest bytes that one can take */

void flat_put_count(struct flat_writer *w, const struct rules_count *c);
void flat_put_rule(struct flat_writer *w, const struct rules_rule *r);

void flat_get_count(struct flat_cursor *c, struct rules_count *count);
/* Its vectors are of `r`. */
void flat_get_rule(struct flat_cursor *c, struct rules *r, struct rules_rule *rule);
/* A vector of `r` for n things of at least `least` bytes each. => NULL when n is 0, or failed. */
void *flat_vector(struct flat_cursor *c, struct rules *r, uint32_t n, size_t least, size_t size,
	const char *what);

/* What follows is an edit. */
bool flat_is_edit(const struct flat_cursor *c);
/* Its vectors are of `r`. */
void flat_get_edit(struct flat_cursor *c, struct rules *r, struct rules_edit *edit);

#endif
