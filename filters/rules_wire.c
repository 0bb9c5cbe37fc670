/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flat form of a tree of rules: little endian, no padding, nothing implied but what every tree
 *has.
 *
 *	blob:   magic u32, format u16, tables u16, length of all u64; then each table that is
 *present, by number table:  number u8, chains u32; then its chains, the built-in ones first, in the
 *order of their hooks chain:  name, hook i8, rules u32; of a built-in one also policy u8, count;
 *then its rules rule:   family u8 (4, 6), src, src mask, dst, dst mask (4 or 16 bytes each), in,
 *out (names, may be empty), proto u16, flags u8, matches u8, action u8, count; then its matches;
 *then a chain's name or a target ext:    name, revision u8, size u16, options count:  how u8;
 *packets u64 and bytes u64 unless it is COUNT_KEEP name:   length u8, bytes without NUL
 *
 * Whoever sends it may be broken or hostile. All reading goes through one cursor that stays failed
 *once it ran short, and nothing is allocated for a number that the bytes left could not hold:
 *memory stays under 25 times the input.
 */
#include "fabric/base/huge.h"
#include "filters/rules.h"
#include "filters/rules_index.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAGIC = 0x4c524b52, FORMAT = 1 };

/* The fewest bytes that one can take. */
enum {
	CHAIN_MIN = 1 + 1 + 1 + 4,
	RULE_MIN = 1 + 4 * 4 + 1 + 1 + 2 + 1 + 1 + 1 + 1,
	EXT_MIN = 1 + 1 + 1 + 2
};

enum { HEADER_LENGTH_AT = 8 };

struct writer {
	uint8_t *bytes;
	size_t len, size;
	bool failed;
};

static void
put(struct writer *w, const void *from, size_t n)
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

static void
put_u8(struct writer *w, uint8_t v)
{
	put(w, &v, sizeof(v));
}

static void
put_u16(struct writer *w, uint16_t v)
{
	v = htole16(v);
	put(w, &v, sizeof(v));
}

static void
put_u32(struct writer *w, uint32_t v)
{
	v = htole32(v);
	put(w, &v, sizeof(v));
}

static void
put_u64(struct writer *w, uint64_t v)
{
	v = htole64(v);
	put(w, &v, sizeof(v));
}

static void
put_name(struct writer *w, const char *name)
{
	size_t len = strlen(name);

	put_u8(w, (uint8_t)len);
	put(w, name, len);
}

static void
put_count(struct writer *w, const struct rules_count *c)
{
	put_u8(w, c->how);
	if (c->how == COUNT_KEEP)
		return;
	put_u64(w, c->packets);
	put_u64(w, c->bytes);
}

static void
put_ext(struct writer *w, const struct rules_ext *e)
{
	put_name(w, e->name);
	put_u8(w, e->revision);
	put_u16(w, e->size);
	if (e->size)
		put(w, e->data, e->size);
}

static void
put_rule(struct writer *w, const struct rules_rule *r)
{
	size_t width = r->src.family == AF_INET6 ? 16 : 4;
	uint16_t i;

	put_u8(w, width == 16 ? 6 : 4);
	put(w, r->src.w, width);
	put(w, r->src_mask.w, width);
	put(w, r->dst.w, width);
	put(w, r->dst_mask.w, width);
	put_name(w, r->in);
	put_name(w, r->out);
	put_u16(w, r->proto);
	put_u8(w, r->flags);
	put_u8(w, (uint8_t)r->n_matches);
	put_u8(w, r->action);
	put_count(w, &r->count);
	for (i = 0; i < r->n_matches; i++)
		put_ext(w, &r->matches[i]);
	if (r->action == ACTION_JUMP || r->action == ACTION_GOTO)
		put_name(w, r->chain);
	else if (r->action == ACTION_TARGET)
		put_ext(w, &r->target);
}

static void
put_chain(struct writer *w, const struct rules_chain *c)
{
	uint32_t i;

	put_name(w, c->name);
	put_u8(w, (uint8_t)c->hook);
	put_u32(w, c->n_rules);
	if (c->hook >= 0) {
		put_u8(w, c->policy);
		put_count(w, &c->count);
	}
	for (i = 0; i < c->n_rules; i++)
		put_rule(w, &c->rules[i]);
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
	struct writer w = {.size = estimate(r)};
	uint16_t n_tables = 0;
	uint32_t i;
	uint8_t t;

	for (t = 0; t < TABLE_COUNT; t++)
		n_tables = (uint16_t)(n_tables + r->tables[t].present);
	w.bytes = huge_alloc(w.size);
	w.size = w.bytes ? w.size : 0;
	put_u32(&w, MAGIC);
	put_u16(&w, FORMAT);
	put_u16(&w, n_tables);
	put_u64(&w, 0);
	for (t = 0; t < TABLE_COUNT; t++) {
		if (!r->tables[t].present)
			continue;
		put_u8(&w, t);
		put_u32(&w, r->tables[t].n_chains);
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

struct cursor {
	const uint8_t *start, *at, *end;
	int error; /* 0, or the first EINVAL or ENOMEM: nothing is read any more */
	char *why;
	size_t why_size;
};

static void fail(struct cursor *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
fail(struct cursor *c, const char *format, ...)
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

static void
fail_memory(struct cursor *c)
{
	if (c->error)
		return;
	c->error = ENOMEM;
	snprintf(c->why, c->why_size, "out of memory");
}

static size_t
left(const struct cursor *c)
{
	return c->error ? 0 : (size_t)(c->end - c->at);
}

/* => n bytes, or NULL: failed. */
static const uint8_t *
take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->at;

	if (left(c) < n) {
		fail(c, "cut short: %zu bytes more expected", n);
		return NULL;
	}
	if (c->error)
		return NULL;
	c->at += n;
	return at;
}

static uint8_t
get_u8(struct cursor *c)
{
	const uint8_t *at = take(c, 1);

	return at ? *at : 0;
}

static uint16_t
get_u16(struct cursor *c)
{
	const uint8_t *at = take(c, 2);
	uint16_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return le16toh(v);
}

static uint32_t
get_u32(struct cursor *c)
{
	const uint8_t *at = take(c, 4);
	uint32_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t
get_u64(struct cursor *c)
{
	const uint8_t *at = take(c, 8);
	uint64_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

/* Names end up in lines of text: the blank is good in interface names only, control characters
 * nowhere. */
static void
get_name(struct cursor *c, char *to, size_t size, uint8_t lowest)
{
	uint8_t len = get_u8(c);
	const uint8_t *at;

	if (len >= size)
		fail(c, "name of %u bytes, at most %zu expected", len, size - 1);
	at = take(c, len);
	if (!at)
		return;
	for (uint8_t i = 0; i < len; i++)
		if (at[i] < lowest || at[i] == 0x7f)
			fail(c, "byte 0x%02x in a name", at[i]);
	memcpy(to, at, len);
	to[len] = '\0';
}

static void
get_full_name(struct cursor *c, char *to)
{
	get_name(c, to, RULES_NAME, ' ' + 1);
	if (!c->error && to[0] == '\0')
		fail(c, "a name is empty");
}

static void
get_count(struct cursor *c, struct rules_count *count)
{
	count->how = get_u8(c);
	if (count->how > COUNT_SUBTRACT)
		fail(c, "unknown way %u to count", count->how);
	if (count->how == COUNT_KEEP)
		return;
	count->packets = get_u64(c);
	count->bytes = get_u64(c);
}

/* A vector for n things of at least `least` bytes each. => NULL when n is 0, or failed. */
static void *
vector(struct cursor *c, struct rules *r, uint32_t n, size_t least, size_t size, const char *what)
{
	void *v;

	if (n > left(c) / least)
		fail(c, "%u %s in %zu bytes", n, what, left(c));
	if (c->error || n == 0)
		return NULL;
	v = rules_alloc(r, n * size);
	if (!v)
		fail_memory(c);
	return v;
}

static void
get_ext(struct cursor *c, struct rules *r, struct rules_ext *e)
{
	const uint8_t *at;

	get_full_name(c, e->name);
	e->revision = get_u8(c);
	e->size = get_u16(c);
	if (e->size > RULES_EXT_MAX)
		fail(c, "options of %u bytes, at most %u expected", e->size, RULES_EXT_MAX);
	at = take(c, e->size);
	if (!at || e->size == 0)
		return;
	e->data = rules_alloc(r, e->size);
	if (e->data)
		memcpy(e->data, at, e->size);
	else
		fail_memory(c);
}

static void
get_addr(struct cursor *c, struct ip_addr *a, uint8_t family)
{
	size_t width = family == 6 ? 16 : 4;
	const uint8_t *at = take(c, width);

	if (!at)
		return;
	a->family = family == 6 ? AF_INET6 : AF_INET;
	memcpy(a->w, at, width);
}

static void
get_header(struct cursor *c, struct rules_rule *rule)
{
	uint8_t family = get_u8(c);

	if (family != 4 && family != 6)
		fail(c, "family %u, 4 or 6 expected", family);
	get_addr(c, &rule->src, family);
	get_addr(c, &rule->src_mask, family);
	get_addr(c, &rule->dst, family);
	get_addr(c, &rule->dst_mask, family);
	get_name(c, rule->in, sizeof(rule->in), ' ');
	get_name(c, rule->out, sizeof(rule->out), ' ');
	rule->proto = get_u16(c);
	rule->flags = get_u8(c);
	if (rule->flags & ~(RULE_NOT_FRAGMENT * 2 - 1))
		fail(c, "unknown flags 0x%x", rule->flags);
	if (rule->flags & RULE_FRAGMENT && rule->flags & RULE_NOT_FRAGMENT)
		fail(c, "both -f and ! -f");
}

static void
get_rule(struct cursor *c, struct rules *r, struct rules_rule *rule)
{
	get_header(c, rule);
	rule->n_matches = get_u8(c);
	rule->action = get_u8(c);
	get_count(c, &rule->count);
	if (rule->n_matches > RULES_MATCHES_MAX)
		fail(c, "%u matches, at most %u expected", rule->n_matches, RULES_MATCHES_MAX);
	if (rule->action >= ACTION_COUNT)
		fail(c, "unknown action %u", rule->action);
	rule->matches = vector(c, r, rule->n_matches, EXT_MIN, sizeof(*rule->matches), "matches");
	for (uint16_t i = 0; i < rule->n_matches && !c->error; i++)
		get_ext(c, r, &rule->matches[i]);
	if (rule->action == ACTION_JUMP || rule->action == ACTION_GOTO)
		get_full_name(c, rule->chain);
	else if (rule->action == ACTION_TARGET)
		get_ext(c, r, &rule->target);
}

static void
get_policy(struct cursor *c, struct rules_chain *chain)
{
	chain->policy = get_u8(c);
	if (chain->policy != ACTION_ACCEPT && chain->policy != ACTION_DROP)
		fail(c, "chain %s: policy %u", chain->name, chain->policy);
	get_count(c, &chain->count);
}

/* `hook`: of the built-in chain whose turn it is; RULES_HOOKS when only the user's are left. */
static void
get_chain(struct cursor *c, struct rules *r, struct rules_chain *chain, uint8_t hook)
{
	int8_t expected = hook < RULES_HOOKS ? (int8_t)hook : -1;
	uint32_t n;

	get_full_name(c, chain->name);
	chain->hook = (int8_t)get_u8(c);
	n = get_u32(c);
	if (c->error)
		return;
	if (chain->hook != expected)
		fail(c, "chain %s: hook %d, %d expected", chain->name, chain->hook, expected);
	else if (expected >= 0 && strcmp(chain->name, rules_hook_name(hook)) != 0)
		fail(c, "chain %s: %s expected", chain->name, rules_hook_name(hook));
	if (expected >= 0)
		get_policy(c, chain);
	chain->rules = vector(c, r, n, RULE_MIN, sizeof(*chain->rules), "rules");
	chain->n_rules = chain->size_rules = c->error ? 0 : n;
	for (n = 0; n < chain->n_rules && !c->error; n++)
		get_rule(c, r, &chain->rules[n]);
}

static uint8_t
next_hook(enum rules_table t, uint8_t from)
{
	while (from < RULES_HOOKS && !rules_table_hooks(t, from))
		from++;
	return from;
}

static void
get_chains(struct cursor *c, struct rules *r, enum rules_table t)
{
	struct rules_tab *tab = &r->tables[t];
	uint32_t n = get_u32(c), i;
	struct rules_chain *chains = vector(c, r, n, CHAIN_MIN, sizeof(*chains), "chains");
	uint8_t hook = next_hook(t, 0);

	if (!c->error && n)
		tab->chains = rules_alloc(r, n * sizeof(*tab->chains));
	if (!c->error && n && !tab->chains)
		fail_memory(c);
	tab->size_chains = c->error ? 0 : n;
	for (i = 0; i < n && !c->error; i++) {
		get_chain(c, r, &chains[i], hook);
		if (hook < RULES_HOOKS)
			hook = next_hook(t, hook + 1);
		tab->chains[tab->n_chains++] = &chains[i];
	}
	if (hook < RULES_HOOKS)
		fail(c, "table %s without chain %s", rules_table_name(t), rules_hook_name(hook));
	tab->present = true;
}

/* No two chains of one name, no jump into nowhere. */
static void
check_names(struct cursor *c, const struct rules_tab *t, struct rules_index *x)
{
	const struct rules_rule *rule;
	uint32_t i, j;

	for (i = 0; i < t->n_chains; i++)
		if (rules_index_add(x, t->chains[i]->name, i) != RULES_INDEX_NONE) {
			fail(c, "two chains of the name %s", t->chains[i]->name);
			return;
		}
	for (i = 0; i < t->n_chains; i++)
		for (j = 0; j < t->chains[i]->n_rules; j++) {
			rule = &t->chains[i]->rules[j];
			if (rule->action != ACTION_JUMP && rule->action != ACTION_GOTO)
				continue;
			if (rules_index_find(x, rule->chain) != RULES_INDEX_NONE)
				continue;
			fail(c, "chain %s, rule %u: no chain %s", t->chains[i]->name, j + 1,
				rule->chain);
			return;
		}
}

static void
get_table(struct cursor *c, struct rules *r)
{
	uint8_t t = get_u8(c);
	struct rules_index names;

	if (t >= TABLE_COUNT)
		fail(c, "unknown table %u", t);
	else if (r->tables[t].present)
		fail(c, "table %s twice", rules_table_name(t));
	if (c->error)
		return;
	get_chains(c, r, t);
	if (c->error)
		return;
	if (rules_index_init(&names, r->tables[t].n_chains) < 0) {
		fail_memory(c);
		return;
	}
	check_names(c, &r->tables[t], &names);
	rules_index_fini(&names);
}

static void
get_all(struct cursor *c, struct rules *r)
{
	size_t len = left(c);
	uint16_t n_tables;

	if (get_u32(c) != MAGIC)
		fail(c, "these are no rules");
	if (get_u16(c) != FORMAT)
		fail(c, "format %u expected", FORMAT);
	n_tables = get_u16(c);
	if (get_u64(c) != len)
		fail(c, "not as long as it says");
	if (n_tables > TABLE_COUNT)
		fail(c, "%u tables", n_tables);
	for (; n_tables > 0 && !c->error; n_tables--)
		get_table(c, r);
	if (left(c) > 0)
		fail(c, "%zu bytes too many", left(c));
}

struct rules *
rules_decode(const void *bytes, size_t len, char *why, size_t why_size)
{
	const uint8_t *at = bytes;
	struct cursor c = {
		.start = at, .at = at, .end = at + len, .why = why, .why_size = why_size};
	struct rules *r = rules_new();

	if (r)
		get_all(&c, r);
	else
		fail_memory(&c);
	if (!c.error)
		return r;
	rules_free(r);
	errno = c.error;
	return NULL;
}
