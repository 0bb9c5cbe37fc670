/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flat form of a tree of rules: no padding, nothing implied but what every tree has.
 *
 *	blob:   magic u32, format u16, tables u16, length of all u64; then each table that is present, by number
 *	table:  number u8, chains u32; then its chains, the built-in ones first, in the order of their hooks
 *	chain:  name, hook i8, rules u32; of a built-in one also policy u8, count; then its rules
 *	rule:   family u8 (4, 6), src, src mask, dst, dst mask (4 or 16 bytes each), in, out (names, may be empty),
 *	        proto u16, flags u8, matches u8, action u8, count; then its matches; then a chain's name or a target
 *	ext:    name, revision u8, size u16, options
 *	count:  how u8; packets u64 and bytes u64 unless it is COUNT_KEEP
 *
 * Edits (rules_edit_wire.c) may follow, or stand alone: then they begin with no tables at all. Nothing is allocated for
 * a number that the bytes left could not hold: memory stays under 25 times the input.
 */
#include "filters/rules_wire.h"

#include "fabric/base/huge.h"
#include "filters/rules_index.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAGIC = 0x4c524b52, FORMAT = 1 };

/* The fewest bytes that one can take. */
enum {
	CHAIN_MIN = 1 + 1 + 1 + 4,
	RULE_MIN = FLAT_RULE_MIN,
	EXT_MIN = 1 + 1 + 1 + 2
};

enum { HEADER_LENGTH_AT = 8 };

void
flat_put_count(struct flat_writer *w, const struct rules_count *c)
{
	flat_put_u8(w, c->how);
	if (c->how == COUNT_KEEP)
		return;
	flat_put_u64(w, c->packets);
	flat_put_u64(w, c->bytes);
}

static void
put_ext(struct flat_writer *w, const struct rules_ext *e)
{
	flat_put_name(w, e->name);
	flat_put_u8(w, e->revision);
	flat_put_u16(w, e->size);
	if (e->size)
		flat_put(w, e->data, e->size);
}

void
flat_put_rule(struct flat_writer *w, const struct rules_rule *r)
{
	size_t width = r->src.family == AF_INET6 ? 16 : 4;
	uint16_t i;

	flat_put_u8(w, width == 16 ? 6 : 4);
	flat_put(w, r->src.w, width);
	flat_put(w, r->src_mask.w, width);
	flat_put(w, r->dst.w, width);
	flat_put(w, r->dst_mask.w, width);
	flat_put_name(w, r->in);
	flat_put_name(w, r->out);
	flat_put_u16(w, r->proto);
	flat_put_u8(w, r->flags);
	flat_put_u8(w, (uint8_t)r->n_matches);
	flat_put_u8(w, r->action);
	flat_put_count(w, &r->count);
	for (i = 0; i < r->n_matches; i++)
		put_ext(w, &r->matches[i]);
	if (r->action == ACTION_JUMP || r->action == ACTION_GOTO)
		flat_put_name(w, r->chain);
	else if (r->action == ACTION_TARGET)
		put_ext(w, &r->target);
}

static void
put_chain(struct flat_writer *w, const struct rules_chain *c)
{
	uint32_t i;

	flat_put_name(w, c->name);
	flat_put_u8(w, (uint8_t)c->hook);
	flat_put_u32(w, c->n_rules);
	if (c->hook >= 0) {
		flat_put_u8(w, c->policy);
		flat_put_count(w, &c->count);
	}
	for (i = 0; i < c->n_rules; i++)
		flat_put_rule(w, &c->rules[i]);
}

/* Bytes that it will take, or so. */
static size_t
estimate(const struct rules *r)
{
	enum { A_RULE = 224, A_CHAIN = 128 };
	size_t n = A_CHAIN;

	for (int t = 0; t < TABLE_COUNT; t++)
		for (uint32_t i = 0; i < r->tables[t].n_chains; i++)
			n += A_CHAIN + r->tables[t].chains[i]->n_rules * (size_t)A_RULE;
	return n;
}

uint8_t *
rules_encode(const struct rules *r, size_t *len)
{
	struct flat_writer w = {.size = estimate(r)};
	uint16_t n_tables = 0;
	uint32_t i;
	uint8_t t;

	for (t = 0; t < TABLE_COUNT; t++)
		n_tables = (uint16_t)(n_tables + r->tables[t].present);
	w.bytes = huge_alloc(w.size);
	w.size = w.bytes ? w.size : 0;
	flat_put_u32(&w, MAGIC);
	flat_put_u16(&w, FORMAT);
	flat_put_u16(&w, n_tables);
	flat_put_u64(&w, 0);
	for (t = 0; t < TABLE_COUNT; t++) {
		if (!r->tables[t].present)
			continue;
		flat_put_u8(&w, t);
		flat_put_u32(&w, r->tables[t].n_chains);
		for (i = 0; i < r->tables[t].n_chains; i++)
			put_chain(&w, r->tables[t].chains[i]);
	}
	if (w.failed) {
		free(w.bytes);
		errno = ENOMEM;
		return NULL;
	}
	*len = w.len;
	memcpy(w.bytes + HEADER_LENGTH_AT, &(uint64_t){htole64(w.len)}, sizeof(uint64_t));
	return w.bytes;
}

void
flat_get_count(struct flat_cursor *c, struct rules_count *count)
{
	count->how = flat_get_u8(c);
	if (count->how > COUNT_SUBTRACT)
		flat_fail(c, "unknown way %u to count", count->how);
	if (count->how == COUNT_KEEP)
		return;
	count->packets = flat_get_u64(c);
	count->bytes = flat_get_u64(c);
}

void *
flat_vector(struct flat_cursor *c, struct rules *r, uint32_t n, size_t least, size_t size, const char *what)
{
	void *v;

	if (n > flat_left(c) / least)
		flat_fail(c, "%u %s in %zu bytes", n, what, flat_left(c));
	if (c->error || n == 0)
		return NULL;
	v = rules_alloc(r, n * size);
	if (!v)
		flat_fail_memory(c);
	return v;
}

static void
get_ext(struct flat_cursor *c, struct rules *r, struct rules_ext *e)
{
	const uint8_t *at;

	flat_get_full_name(c, e->name);
	e->revision = flat_get_u8(c);
	e->size = flat_get_u16(c);
	if (e->size > RULES_EXT_MAX)
		flat_fail(c, "options of %u bytes, at most %u expected", e->size, RULES_EXT_MAX);
	at = flat_take(c, e->size);
	if (!at || e->size == 0)
		return;
	e->data = rules_alloc(r, e->size);
	if (e->data)
		memcpy(e->data, at, e->size);
	else
		flat_fail_memory(c);
}

static void
get_addr(struct flat_cursor *c, struct ip_addr *a, uint8_t family)
{
	size_t width = family == 6 ? 16 : 4;
	const uint8_t *at = flat_take(c, width);

	if (!at)
		return;
	a->family = family == 6 ? AF_INET6 : AF_INET;
	memcpy(a->w, at, width);
}

static void
get_header(struct flat_cursor *c, struct rules_rule *rule)
{
	uint8_t family = flat_get_u8(c);

	if (family != 4 && family != 6)
		flat_fail(c, "family %u, 4 or 6 expected", family);
	get_addr(c, &rule->src, family);
	get_addr(c, &rule->src_mask, family);
	get_addr(c, &rule->dst, family);
	get_addr(c, &rule->dst_mask, family);
	flat_get_name(c, rule->in, sizeof(rule->in), ' ');
	flat_get_name(c, rule->out, sizeof(rule->out), ' ');
	rule->proto = flat_get_u16(c);
	rule->flags = flat_get_u8(c);
	if (rule->flags & ~(RULE_NOT_FRAGMENT * 2 - 1))
		flat_fail(c, "unknown flags 0x%x", rule->flags);
	if (rule->flags & RULE_FRAGMENT && rule->flags & RULE_NOT_FRAGMENT)
		flat_fail(c, "both -f and ! -f");
}

void
flat_get_rule(struct flat_cursor *c, struct rules *r, struct rules_rule *rule)
{
	get_header(c, rule);
	rule->n_matches = flat_get_u8(c);
	rule->action = flat_get_u8(c);
	flat_get_count(c, &rule->count);
	if (rule->n_matches > RULES_MATCHES_MAX)
		flat_fail(c, "%u matches, at most %u expected", rule->n_matches, RULES_MATCHES_MAX);
	if (rule->action >= ACTION_COUNT)
		flat_fail(c, "unknown action %u", rule->action);
	rule->matches = flat_vector(c, r, rule->n_matches, EXT_MIN, sizeof(*rule->matches), "matches");
	for (uint16_t i = 0; i < rule->n_matches && !c->error; i++)
		get_ext(c, r, &rule->matches[i]);
	if (rule->action == ACTION_JUMP || rule->action == ACTION_GOTO)
		flat_get_full_name(c, rule->chain);
	else if (rule->action == ACTION_TARGET)
		get_ext(c, r, &rule->target);
}

static void
get_policy(struct flat_cursor *c, struct rules_chain *chain)
{
	chain->policy = flat_get_u8(c);
	if (chain->policy != ACTION_ACCEPT && chain->policy != ACTION_DROP)
		flat_fail(c, "chain %s: policy %u", chain->name, chain->policy);
	flat_get_count(c, &chain->count);
}

/* `hook`: of the built-in chain whose turn it is; RULES_HOOKS when only the user's are left. */
static void
get_chain(struct flat_cursor *c, struct rules *r, struct rules_chain *chain, uint8_t hook)
{
	int8_t expected = hook < RULES_HOOKS ? (int8_t)hook : -1;
	uint32_t n;

	flat_get_full_name(c, chain->name);
	chain->hook = (int8_t)flat_get_u8(c);
	n = flat_get_u32(c);
	if (c->error)
		return;
	if (chain->hook != expected)
		flat_fail(c, "chain %s: hook %d, %d expected", chain->name, chain->hook, expected);
	else if (expected >= 0 && strcmp(chain->name, rules_hook_name(hook)) != 0)
		flat_fail(c, "chain %s: %s expected", chain->name, rules_hook_name(hook));
	if (expected >= 0)
		get_policy(c, chain);
	chain->rules = flat_vector(c, r, n, RULE_MIN, sizeof(*chain->rules), "rules");
	chain->n_rules = chain->size_rules = c->error ? 0 : n;
	for (n = 0; n < chain->n_rules && !c->error; n++)
		flat_get_rule(c, r, &chain->rules[n]);
}

static uint8_t
next_hook(enum rules_table t, uint8_t from)
{
	while (from < RULES_HOOKS && !rules_table_hooks(t, from))
		from++;
	return from;
}

static void
get_chains(struct flat_cursor *c, struct rules *r, enum rules_table t)
{
	struct rules_tab *tab = &r->tables[t];
	uint32_t n = flat_get_u32(c), i;
	struct rules_chain *chains = flat_vector(c, r, n, CHAIN_MIN, sizeof(*chains), "chains");
	uint8_t hook = next_hook(t, 0);

	if (!c->error && n)
		tab->chains = rules_alloc(r, n * sizeof(*tab->chains));
	if (!c->error && n && !tab->chains)
		flat_fail_memory(c);
	tab->size_chains = c->error ? 0 : n;
	for (i = 0; i < n && !c->error; i++) {
		get_chain(c, r, &chains[i], hook);
		if (hook < RULES_HOOKS)
			hook = next_hook(t, hook + 1);
		tab->chains[tab->n_chains++] = &chains[i];
	}
	if (hook < RULES_HOOKS)
		flat_fail(c, "table %s without chain %s", rules_table_name(t), rules_hook_name(hook));
	tab->present = true;
}

/* No two chains of one name, no jump into nowhere. */
static void
check_names(struct flat_cursor *c, const struct rules_tab *t, struct rules_index *x)
{
	const struct rules_rule *rule;
	uint32_t i, j;

	for (i = 0; i < t->n_chains; i++)
		if (rules_index_add(x, t->chains[i]->name, i) != RULES_INDEX_NONE) {
			flat_fail(c, "two chains of the name %s", t->chains[i]->name);
			return;
		}
	for (i = 0; i < t->n_chains; i++)
		for (j = 0; j < t->chains[i]->n_rules; j++) {
			rule = &t->chains[i]->rules[j];
			if (rule->action != ACTION_JUMP && rule->action != ACTION_GOTO)
				continue;
			if (rules_index_find(x, rule->chain) != RULES_INDEX_NONE)
				continue;
			flat_fail(c, "chain %s, rule %u: no chain %s", t->chains[i]->name, j + 1,
				rule->chain);
			return;
		}
}

static void
get_table(struct flat_cursor *c, struct rules *r)
{
	uint8_t t = flat_get_u8(c);
	struct rules_index names;

	if (t >= TABLE_COUNT)
		flat_fail(c, "unknown table %u", t);
	else if (r->tables[t].present)
		flat_fail(c, "table %s twice", rules_table_name(t));
	if (c->error)
		return;
	get_chains(c, r, t);
	if (c->error)
		return;
	if (rules_index_init(&names, r->tables[t].n_chains) < 0) {
		flat_fail_memory(c);
		return;
	}
	check_names(c, &r->tables[t], &names);
	rules_index_fini(&names);
}

static void
get_tree(struct flat_cursor *c, struct rules *r)
{
	const uint8_t *start = c->at, *end = c->end;
	uint16_t n_tables;
	uint64_t len;

	if (flat_get_u32(c) != MAGIC)
		flat_fail(c, "these are no rules");
	if (flat_get_u16(c) != FORMAT)
		flat_fail(c, "format %u expected", FORMAT);
	n_tables = flat_get_u16(c);
	len = flat_get_u64(c);
	if (len < (size_t)(c->at - start) || len > (size_t)(end - start))
		flat_fail(c, "not as long as it says");
	if (n_tables > TABLE_COUNT)
		flat_fail(c, "%u tables", n_tables);
	if (c->error)
		return;
	c->end = start + len;
	for (; n_tables > 0 && !c->error; n_tables--)
		get_table(c, r);
	if (flat_left(c) > 0)
		flat_fail(c, "%zu bytes too many", flat_left(c));
	c->end = end;
}

/* Carries out the edits that follow, one upon the other. */
static void
get_edits(struct flat_cursor *c, struct rules *r)
{
	struct rules_editor editor = {0};
	struct rules_edit edit;
	int err;

	while (flat_left(c) > 0) {
		flat_get_edit(c, r, &edit);
		if (c->error)
			break;
		err = rules_editor_open(&editor, r, edit.table);
		err = err < 0 ? err : rules_edit_apply(&editor, &edit);
		if (err == -ENOMEM)
			flat_fail_memory(c);
		else if (err < 0)
			flat_fail(c, "an edit of chain %s: %s", edit.chain, strerror(-err));
	}
	rules_editor_close(&editor);
}

struct rules *
rules_decode(const void *bytes, size_t len, char *why, size_t why_size)
{
	const uint8_t *at = bytes;
	struct flat_cursor c = {
		.start = at, .at = at, .end = at + len, .why = why, .why_size = why_size};
	struct rules *r = rules_new();

	if (!r)
		flat_fail_memory(&c);
	else if (!flat_is_edit(&c))
		get_tree(&c, r);
	if (!c.error)
		get_edits(&c, r);
	if (!c.error)
		return r;
	rules_free(r);
	errno = c.error;
	return NULL;
}
