/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of the flat form of rules (rules_wire.c) and of changes (rules_edit_wire.c): numbers are
 * little endian. Whoever sends them may be broken or hostile: all reading goes through one cursor
 * that stays failed once it ran short.
 */
#ifndef FILTERS_RULES_FLAT_H
#define FILTERS_RULES_FLAT_H

#include "filters/rules.h"

/* Zeroed is empty. */
struct flat_writer {
	uint8_t *bytes; /* of malloc() */
	size_t len, size;
	bool failed; /* no memory */
};

void flat_put(struct flat_writer *w, const void *from, size_t n);
void flat_put_u8(struct flat_writer *w, uint8_t v);
void flat_put_u16(struct flat_writer *w, uint16_t v);
void flat_put_u32(struct flat_writer *w, uint32_t v);
void flat_put_u64(struct flat_writer *w, uint64_t v);
/* Length u8, then its bytes. */
void flat_put_name(struct flat_writer *w, const char *name);

struct flat_cursor {
	const uint8_t *start, *at, *end;
	int error; /* 0, or the first EINVAL or ENOMEM: nothing is read any more */
	char *why;
	size_t why_size;
};

void flat_fail(struct flat_cursor *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void flat_fail_memory(struct flat_cursor *c);
/* Bytes not read yet; 0 when it failed. */
size_t flat_left(const struct flat_cursor *c);
/* => n bytes, or NULL: failed. */
const uint8_t *flat_take(struct flat_cursor *c, size_t n);
/* => 0 when it failed. */
uint8_t flat_get_u8(struct flat_cursor *c);
uint16_t flat_get_u16(struct flat_cursor *c);
uint32_t flat_get_u32(struct flat_cursor *c);
uint64_t flat_get_u64(struct flat_cursor *c);
/* Names end up in lines of text: bytes below `lowest` fail. The blank is good in interface names
 * only, control characters nowhere. */
void flat_get_name(struct flat_cursor *c, char *to, size_t size, uint8_t lowest);
/* Of a table, chain or extension, in RULES_NAME bytes; an empty one fails. */
void flat_get_full_name(struct flat_cursor *c, char *to);

#endif
