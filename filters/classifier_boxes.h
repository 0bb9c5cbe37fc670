/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules ask of a packet, as boxes: an interval in each dimension. A rule is one box, or
 * several where it lists ports or excludes something. Boxes may be larger than the rule, never
 * smaller.
 */
#ifndef FILTERS_CLASSIFIER_BOXES_H
#define FILTERS_CLASSIFIER_BOXES_H

#include "filters/classifier.h"

/* The largest address is taken for the one before it: its number ends tables. */
enum { BOX_ADDR_MAX = 0xfffffffeu };

/* An interface name as a number that sorts as the name does: a prefix is an interval. */
typedef unsigned __int128 name_number;

struct box {
	uint32_t lo[DIM_COUNT], hi[DIM_COUNT];
	uint32_t index; /* of its rule */
	uint8_t states; /* bit per value of DIM_STATE, more exact than the interval */
};

/* Where sets of interface names begin; [0] is 0. A name's value in its dimension is the last that
 * is not above it. */
struct names {
	name_number *begin;
	uint32_t n;
};

struct boxes {
	struct box *box; /* in the order of the rules */
	uint32_t n, size;
	struct names names[2]; /* DIM_IN, DIM_OUT */
	uint32_t max[DIM_COUNT];
	bool uses_state;
};

/* Collects the interface names of a chain into b->names. => 0 or -ENOMEM. */
int boxes_init(struct boxes *b, const struct ruleset_chain *chain);
void boxes_fini(struct boxes *b);
/*
 * The boxes of all rules, instead of those before. `headers`: by what no extension tells; that is
 * how a packet must be treated that layer 4 matches may find malformed. => 0, -ENOMEM, or -E2BIG.
 */
int boxes_fill(struct boxes *b, const struct ruleset_chain *chain, bool headers);

/* `name`: 16 bytes. */
name_number name_number_of(const char *name);
uint32_t names_find(const struct names *n, name_number v);

#endif
