/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/rules_flat.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
flat_put(struct flat_writer *w, const void *from, size_t n)
{
	if (w->size - w->len < n) {
		size_t size = w->size + w->size / 2 + n + 4096;
		uint8_t *grown = realloc(w->bytes, size);

		if (!grown) {
			w->failed = true;
			return;
		}
		w->bytes = grown;
		w->size = size;
	}
	if (n > 0)
		memcpy(w->bytes + w->len, from, n);
	w->len += n;
}

void
flat_put_u8(struct flat_writer *w, uint8_t v)
{
	flat_put(w, &v, sizeof(v));
}

void
flat_put_u16(struct flat_writer *w, uint16_t v)
{
	v = htole16(v);
	flat_put(w, &v, sizeof(v));
}

void
flat_put_u32(struct flat_writer *w, uint32_t v)
{
	v = htole32(v);
	flat_put(w, &v, sizeof(v));
}

void
flat_put_u64(struct flat_writer *w, uint64_t v)
{
	v = htole64(v);
	flat_put(w, &v, sizeof(v));
}

void
flat_put_name(struct flat_writer *w, const char *name)
{
	size_t len = strlen(name);

	flat_put_u8(w, (uint8_t)len);
	flat_put(w, name, len);
}

void
flat_fail(struct flat_cursor *c, const char *format, ...)
{
	va_list args;
	int n;

	if (c->error)
		return;
	c->error = EINVAL;
	n = snprintf(c->why, c->why_size, "rules, byte %zu: ", (size_t)(c->at - c->start));
	if (n < 0 || (size_t)n >= c->why_size)
		return;
	va_start(args, format);
	vsnprintf(c->why + n, c->why_size - (size_t)n, format, args);
	va_end(args);
}

void
flat_fail_memory(struct flat_cursor *c)
{
	if (c->error)
		return;
	c->error = ENOMEM;
	snprintf(c->why, c->why_size, "out of memory");
}

size_t
flat_left(const struct flat_cursor *c)
{
	return c->error ? 0 : (size_t)(c->end - c->at);
}

const uint8_t *
flat_take(struct flat_cursor *c, size_t n)
{
	const uint8_t *at = c->at;

	if (flat_left(c) < n) {
		flat_fail(c, "cut short: %zu bytes more expected", n);
		return NULL;
	}
	if (c->error)
		return NULL;
	c->at += n;
	return at;
}

uint8_t
flat_get_u8(struct flat_cursor *c)
{
	const uint8_t *at = flat_take(c, 1);

	return at ? *at : 0;
}

uint16_t
flat_get_u16(struct flat_cursor *c)
{
	const uint8_t *at = flat_take(c, 2);
	uint16_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return le16toh(v);
}

uint32_t
flat_get_u32(struct flat_cursor *c)
{
	const uint8_t *at = flat_take(c, 4);
	uint32_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

uint64_t
flat_get_u64(struct flat_cursor *c)
{
	const uint8_t *at = flat_take(c, 8);
	uint64_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

void
flat_get_name(struct flat_cursor *c, char *to, size_t size, uint8_t lowest)
{
	uint8_t len = flat_get_u8(c);
	const uint8_t *at;

	if (len >= size)
		flat_fail(c, "name of %u bytes, at most %zu expected", len, size - 1);
	at = flat_take(c, len);
	if (!at)
		return;
	for (uint8_t i = 0; i < len; i++)
		if (at[i] < lowest || at[i] == 0x7f)
			flat_fail(c, "byte 0x%02x in a name", at[i]);
	memcpy(to, at, len);
	to[len] = '\0';
}

void
flat_get_full_name(struct flat_cursor *c, char *to)
{
	flat_get_name(c, to, RULES_NAME, ' ' + 1);
	if (!c->error && to[0] == '\0')
		flat_fail(c, "a name is empty");
}
