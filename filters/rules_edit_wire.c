/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flat form of an edit; rules are as in rules_wire.c.
 *
 *	edit:   magic u32, kind u8, table u8, 0 u16, length of all u64; chain, name, jump (names, may be empty), goto u8,
 *	        number u32, policy u8, count; rules u32, then these; shown u32, then packets u64 and bytes u64 of each
 */
#include "filters/rules_wire.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x64456b52, LENGTH_AT = 8, SHOWN_MIN = 16 };

uint8_t *
rules_edit_encode(const struct rules_edit *edit, size_t *len)
{
	struct flat_writer w = {0};

	flat_put_u32(&w, MAGIC);
	flat_put_u8(&w, edit->kind);
	flat_put_u8(&w, edit->table);
	flat_put_u16(&w, 0);
	flat_put_u64(&w, 0);
	flat_put_name(&w, edit->chain);
	flat_put_name(&w, edit->name);
	flat_put_name(&w, edit->jump);
	flat_put_u8(&w, edit->is_goto);
	flat_put_u32(&w, edit->number);
	flat_put_u8(&w, edit->policy);
	flat_put_count(&w, &edit->count);
	flat_put_u32(&w, edit->n_rules);
	for (uint32_t i = 0; i < edit->n_rules; i++)
		flat_put_rule(&w, &edit->rules[i]);
	flat_put_u32(&w, edit->n_shown);
	for (uint32_t i = 0; i < edit->n_shown; i++) {
		flat_put_u64(&w, edit->shown[i].packets);
		flat_put_u64(&w, edit->shown[i].bytes);
	}
	if (w.failed) {
		free(w.bytes);
		errno = ENOMEM;
		return NULL;
	}
	*len = w.len;
	memcpy(w.bytes + LENGTH_AT, &(uint64_t){htole64(w.len)}, sizeof(uint64_t));
	return w.bytes;
}

bool
flat_is_edit(const struct flat_cursor *c)
{
	uint32_t magic = 0;

	if (flat_left(c) >= sizeof(magic))
		memcpy(&magic, c->at, sizeof(magic));
	return le32toh(magic) == MAGIC;
}

static void
get_rules(struct flat_cursor *c, struct rules *r, struct rules_edit *edit)
{
	const uint32_t n = flat_get_u32(c);

	edit->rules = flat_vector(c, r, n, FLAT_RULE_MIN, sizeof(*edit->rules), "rules");
	for (uint32_t i = 0; i < n && !c->error; i++) {
		flat_get_rule(c, r, &edit->rules[i]);
		if (edit->rules[i].action == ACTION_JUMP || edit->rules[i].action == ACTION_GOTO)
			flat_fail(c, "a jump that is settled already");
	}
	edit->n_rules = n;
}

static void
get_shown(struct flat_cursor *c, struct rules *r, struct rules_edit *edit)
{
	const uint32_t n = flat_get_u32(c);

	edit->shown = flat_vector(c, r, n, SHOWN_MIN, sizeof(*edit->shown), "counters");
	for (uint32_t i = 0; i < n && !c->error; i++) {
		edit->shown[i].how = COUNT_SUBTRACT;
		edit->shown[i].packets = flat_get_u64(c);
		edit->shown[i].bytes = flat_get_u64(c);
	}
	edit->n_shown = n;
}

static void
get_names(struct flat_cursor *c, struct rules_edit *edit)
{
	flat_get_name(c, edit->chain, sizeof(edit->chain), ' ' + 1);
	flat_get_name(c, edit->name, sizeof(edit->name), ' ' + 1);
	flat_get_name(c, edit->jump, sizeof(edit->jump), ' ' + 1);
	edit->is_goto = flat_get_u8(c) != 0;
}

/* What an edit of each kind has to have. */
static const struct {
	bool rules, number, all; /* all: the chain may be "" */
} forms[EDIT_KINDS] = {
	[EDIT_APPEND] = {.rules = true},
	[EDIT_INSERT] = {.rules = true, .number = true},
	[EDIT_REPLACE] = {.rules = true, .number = true},
	[EDIT_DELETE] = {.rules = true},
	[EDIT_DELETE_AT] = {.number = true},
	[EDIT_CHECK] = {.rules = true},
	[EDIT_FLUSH] = {.all = true},
	[EDIT_ZERO] = {.all = true},
	[EDIT_ZERO_AT] = {.number = true},
	[EDIT_REMOVE] = {.all = true},
};

static void
check_form(struct flat_cursor *c, const struct rules_edit *edit)
{
	if (c->error)
		return;
	if (forms[edit->kind].rules != (edit->n_rules > 0) || (edit->kind == EDIT_REPLACE && edit->n_rules != 1))
		flat_fail(c, "an edit with %u rules", edit->n_rules);
	if (forms[edit->kind].number != (edit->number > 0))
		flat_fail(c, "an edit of rule %u", edit->number);
	if (!edit->chain[0] && !forms[edit->kind].all)
		flat_fail(c, "an edit without a chain");
	if (edit->jump[0] && edit->n_rules == 0)
		flat_fail(c, "an edit with a jump and without a rule");
}

static void
get_body(struct flat_cursor *c, struct rules *r, struct rules_edit *edit)
{
	get_names(c, edit);
	edit->number = flat_get_u32(c);
	edit->policy = flat_get_u8(c);
	flat_get_count(c, &edit->count);
	get_rules(c, r, edit);
	get_shown(c, r, edit);
	check_form(c, edit);
	if (flat_left(c) > 0)
		flat_fail(c, "%zu bytes too many", flat_left(c));
}

void
flat_get_edit(struct flat_cursor *c, struct rules *r, struct rules_edit *edit)
{
	const uint8_t *start = c->at, *end = c->end;
	uint64_t len;

	*edit = (struct rules_edit){0};
	if (flat_get_u32(c) != MAGIC)
		flat_fail(c, "an edit is expected");
	edit->kind = flat_get_u8(c);
	edit->table = flat_get_u8(c);
	if (flat_get_u16(c) != 0 || edit->kind >= EDIT_KINDS || edit->table >= TABLE_COUNT)
		flat_fail(c, "no edit that is known");
	len = flat_get_u64(c);
	if (c->error)
		return;
	if (len < (size_t)(c->at - start) || len > (size_t)(end - start)) {
		flat_fail(c, "not as long as it says");
		return;
	}
	c->end = start + len;
	get_body(c, r, edit);
	c->end = end;
}

int
rules_edit_decode(const void *bytes, size_t len, struct rules *r, struct rules_edit *edit, char *why, size_t why_size)
{
	const uint8_t *at = bytes;
	struct flat_cursor c = {
		.start = at, .at = at, .end = at + len, .why = why, .why_size = why_size};

	flat_get_edit(&c, r, edit);
	if (flat_left(&c) > 0)
		flat_fail(&c, "%zu bytes too many", flat_left(&c));
	return -c.error;
}
