/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matches on any byte of a packet, counted from its IP header, over all its segments. */
#include "filters/extensions.h"

#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_string.h>
#include <linux/netfilter/xt_u32.h>
#include <stdlib.h>

/* The word at `at` bytes past `base`. => false: it is not all in the packet. */
static bool
read_word(const struct filter_ctx *c, uint32_t base, uint32_t at, uint32_t *value)
{
	uint64_t offset = (uint64_t)base + at;
	const void *bytes;
	uint32_t buf;

	if (offset + sizeof(buf) > pkt_len(c->p))
		return false;
	bytes = filter_bytes(c, (uint32_t)offset, sizeof(buf), &buf);
	if (!bytes)
		return false;
	memcpy(&buf, bytes, sizeof(buf));
	*value = ntohl(buf);
	return true;
}

/* '@' moves the base on by the value so far, and reads there. => false: beyond the packet. */
static bool
u32_value(const struct filter_ctx *c, const struct xt_u32_test *t, uint32_t *value)
{
	uint32_t base = 0;
	unsigned i;

	if (!read_word(c, 0, t->location[0].number, value))
		return false;
	for (i = 1; i < t->nnums; i++) {
		uint32_t number = t->location[i].number;

		switch (t->location[i].nextop) {
		case XT_U32_AND:
			*value &= number;
			break;
		case XT_U32_LEFTSH:
			*value <<= number;
			break;
		case XT_U32_RIGHTSH:
			*value >>= number;
			break;
		case XT_U32_AT:
			if (__builtin_add_overflow(base, *value, &base) ||
				!read_word(c, base, number, value))
				return false;
			break;
		}
	}
	return true;
}

static bool
u32_test_holds(const struct filter_ctx *c, const struct xt_u32_test *t)
{
	uint32_t value;
	unsigned i;

	if (!u32_value(c, t, &value))
		return false;
	for (i = 0; i < t->nvalues; i++)
		if (value >= t->value[i].min && value <= t->value[i].max)
			return true;
	return false;
}

static bool
u32_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_u32 *o = options;
	unsigned i;

	(void)state;
	for (i = 0; i < o->ntests; i++)
		if (!u32_test_holds(c, &o->tests[i]))
			return o->invert;
	return !o->invert;
}

static int
u32_check_test(const struct ext_check *c, const struct xt_u32_test *t)
{
	unsigned i;

	if (t->nnums > XT_U32_MAXSIZE + 1 || t->nvalues > XT_U32_MAXSIZE + 1)
		return ext_refuse(
			c, "more than %d operations or values in a test", XT_U32_MAXSIZE + 1);
	for (i = 1; i < t->nnums; i++) {
		const struct xt_u32_location_element *l = &t->location[i];

		if (l->nextop > XT_U32_AT)
			return ext_refuse(c, "unknown operation %u", l->nextop);
		if ((l->nextop == XT_U32_LEFTSH || l->nextop == XT_U32_RIGHTSH) && l->number > 31)
			return ext_refuse(c, "shift by %u bits", l->number);
	}
	return 0;
}

static int
u32_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_u32 *o = options;
	unsigned i;

	(void)prepared;
	if (o->ntests > XT_U32_MAXSIZE + 1)
		return ext_refuse(c, "more than %d tests", XT_U32_MAXSIZE + 1);
	for (i = 0; i < o->ntests; i++)
		if (u32_check_test(c, &o->tests[i]) < 0)
			return -EINVAL;
	return 0;
}

/*
 * A string to look for, in the form of Knuth, Morris and Pratt: it reads every byte once, in order,
 * whatever the bytes and however they are cut into segments.
 */
struct search {
	uint16_t from, to;
	bool fold, invert;
	uint8_t len;
	uint8_t pattern[XT_STRING_MAX_PATTERN_SIZE];
	/* after i + 1 equal bytes: of how many the end is a beginning too */
	uint8_t border[XT_STRING_MAX_PATTERN_SIZE];
};

/* Capitals as the kernel has them: ISO 8859-1, with the oddity that sharp s has one. */
static uint8_t
capital(uint8_t b)
{
	bool small = (b >= 'a' && b <= 'z') || (b >= 0xdf && b != 0xf7);

	return small ? (uint8_t)(b - ('a' - 'A')) : b;
}

static unsigned
advance(const struct search *s, unsigned equal, uint8_t b)
{
	if (s->fold)
		b = capital(b);
	while (equal > 0 && s->pattern[equal] != b)
		equal = s->border[equal - 1];
	return s->pattern[equal] == b ? equal + 1 : 0;
}

/* True when the string lies within bytes [from, to). */
static bool
search_run(const struct search *s, const struct pkt *p)
{
	const struct rte_mbuf *m;
	uint32_t start = 0; /* of the segment */
	unsigned equal = 0;

	for (m = pkt_mbuf(p); m && start < s->to; start += m->data_len, m = m->next) {
		const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
		uint32_t i = s->from > start ? s->from - start : 0;
		uint32_t end = RTE_MIN((uint32_t)m->data_len, s->to - start);

		for (; i < end; i++) {
			equal = advance(s, equal, data[i]);
			if (equal == s->len)
				return true;
		}
	}
	return false;
}

static bool
string_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct search *s = options;

	(void)state;
	return search_run(s, c->p) != s->invert;
}

static void
find_borders(struct search *s)
{
	unsigned i, equal = 0;

	s->border[0] = 0;
	for (i = 1; i < s->len; i++) {
		while (equal > 0 && s->pattern[i] != s->pattern[equal])
			equal = s->border[equal - 1];
		if (s->pattern[i] == s->pattern[equal])
			equal++;
		s->border[i] = (uint8_t)equal;
	}
}

static int
string_prepare(const struct xt_string_info *o, void **prepared)
{
	struct search *s = calloc(1, sizeof(*s));
	unsigned i;

	if (!s)
		return -ENOMEM;
	s->from = o->from_offset;
	s->to = o->to_offset;
	s->fold = o->u.v1.flags & XT_STRING_FLAG_IGNORECASE;
	s->invert = o->u.v1.flags & XT_STRING_FLAG_INVERT;
	s->len = o->patlen;
	for (i = 0; i < s->len; i++) {
		uint8_t b = (uint8_t)o->pattern[i];

		s->pattern[i] = s->fold ? capital(b) : b;
	}
	find_borders(s);
	*prepared = s;
	return 0;
}

/*
 * Which algorithm finds it makes no difference, but for Boyer-Moore in the kernel, which misses a
 * string that two segments share.
 */
static int
string_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_string_info *o = options;

	if (o->from_offset > o->to_offset)
		return ext_refuse(c, "--from %u is after --to %u", o->from_offset, o->to_offset);
	if (strncmp(o->algo, "bm", sizeof(o->algo)) != 0 &&
		strncmp(o->algo, "kmp", sizeof(o->algo)) != 0)
		return ext_refuse(c, "unknown algorithm '%.*s', there are bm and kmp",
			(int)sizeof(o->algo), o->algo);
	if (o->patlen == 0 || o->patlen > XT_STRING_MAX_PATTERN_SIZE)
		return ext_refuse(c, "a string of %u bytes, 1 to %d are possible", o->patlen,
			XT_STRING_MAX_PATTERN_SIZE);
	if (o->u.v1.flags & ~(XT_STRING_FLAG_INVERT | XT_STRING_FLAG_IGNORECASE))
		return ext_refuse(c, "unknown flags 0x%x", o->u.v1.flags);
	return string_prepare(o, prepared);
}

const struct match_ops match_payload[] = {
	{
		.name = "u32",
		.size = XT_ALIGN(sizeof(struct xt_u32)),
		.reads = READS_NEVER,
		.check = u32_check,
		.match = u32_match,
	},
	{
		.name = "string",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_string_info)),
		.reads = READS_NEVER,
		.check = string_check,
		.release = free,
		.match = string_match,
	},
	{0},
};
