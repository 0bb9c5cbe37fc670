/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What travels beside a configuration because only `rookery` can make it from text: for each router its rules (filters/rules.h, flat; edits may
 * follow) and its sets (text of `ipset save`). One piece of bytes in a memory file whose descriptor goes with the message. Whoever receives it reads it
 * into memory of its own, so what the sender does to the file later is of no consequence.
 */
#ifndef FABRIC_CONTROL_BUNDLE_H
#define FABRIC_CONTROL_BUNDLE_H

#include "fabric/control/config.h"

enum bundle_kind { BUNDLE_RULES, BUNDLE_SETS, BUNDLE_KINDS };

enum { BUNDLE_MAX = 256 << 20 }; /* bytes */

struct bundle_item {
	char node[NODE_NAME]; /* compared without regard to case */
	uint8_t kind;         /* enum bundle_kind */
	uint8_t *bytes;       /* owned */
	size_t len, size;     /* of the bytes; room for them */
	size_t whole;         /* what bundle_set() put in; the rest was appended */
};

struct bundle {
	struct bundle_item *items;
	size_t n;
};

void bundle_fini(struct bundle *b);
/* Puts a copy in, in place of what was there; NULL bytes take it out. => 0 or -ENOMEM. */
int bundle_set(struct bundle *b, const char *node, enum bundle_kind kind, const void *bytes, size_t len);
/* Puts a copy behind what is there (or in, if there is nothing). It costs as much as what is put in. => 0 or -ENOMEM. */
int bundle_append(struct bundle *b, const char *node, enum bundle_kind kind, const void *bytes, size_t len);
/* NULL: none. */
const struct bundle_item *bundle_get(const struct bundle *b, const char *node, enum bundle_kind kind);

/* A memory file with the whole of it, positioned at its start. => descriptor or -errno. */
int bundle_write(const struct bundle *b);
/* Reads such a file, whoever made it; does not close it. => 0 and *b; -EBADMSG: it is none; -EFBIG, -ENOMEM, -errno. */
int bundle_read(int fd, struct bundle *b);

/* One piece of bytes alone, likewise. */
int bytes_write(const void *bytes, size_t len);
int bytes_read(int fd, uint8_t **bytes, size_t *len);

#endif
