/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/classifier_boxes.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <stdlib.h>

enum {
	RANGES_MAX = 17, /* 15 ports, or what is left beside 16 */
	BOXES_A_RULE = 32,
	BOXES_MAX = 8 << 20,
	STATES_ALL = 0x7f,
	STATE_UNTRACKED = 6, /* number of its bit in xt_state.h */
	ICMP_ANY_TYPE = 255,
};

struct range {
	uint32_t lo, hi;
};

/* None: nothing fits. */
struct ranges {
	unsigned n;
	struct range r[RANGES_MAX];
};

/* A rule while it is read. */
struct shape {
	const struct boxes *boxes;
	struct ranges dim[DIM_COUNT];
	uint8_t states;
};

name_number
name_number_of(const char *name)
{
	char clean[16] = {0};
	uint64_t words[2];

	memcpy(clean, name, strnlen(name, sizeof(clean)));
	memcpy(words, clean, sizeof(words));
	return (name_number)be64toh(words[0]) << 64 | be64toh(words[1]);
}

uint32_t
names_find(const struct names *n, name_number v)
{
	uint32_t at = 0, len = n->n;

	while (len > 1) {
		uint32_t half = len / 2;

		at += n->begin[at + half] <= v ? half : 0;
		len -= half;
	}
	return at;
}

/* The names that a rule means: `len` bytes count, the NUL among them unless it is a prefix
 * (ruleset.h). */
static void
name_interval(const uint64_t name[2], uint8_t len, name_number *lo, name_number *hi)
{
	char text[16] = {0};

	memcpy(text, name, len);
	*lo = *hi = name_number_of(text);
	if (text[len - 1] != '\0')
		*hi |= len < 16 ? ((name_number)1 << (16 - len) * 8) - 1 : 0;
}

static int
compare_names(const void *a, const void *b)
{
	const name_number *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
names_add(struct names *n, const uint64_t name[2], uint8_t len)
{
	name_number lo, hi;

	if (len == 0)
		return;
	name_interval(name, len, &lo, &hi);
	n->begin[n->n++] = lo;
	n->begin[n->n++] = hi + 1; /* 0 behind the last name there is: it is there already */
}

static void
names_sort(struct names *n)
{
	uint32_t i, kept = 1;

	qsort(n->begin, n->n, sizeof(*n->begin), compare_names);
	for (i = 1; i < n->n; i++)
		if (n->begin[i] != n->begin[kept - 1])
			n->begin[kept++] = n->begin[i];
	n->n = kept;
}

static int
names_init(struct names *n, const struct ruleset_chain *chain, bool out)
{
	uint32_t i;

	n->begin = aligned_alloc(16, (2 * (size_t)chain->n_rules + 1) * sizeof(*n->begin));
	if (!n->begin)
		return -ENOMEM;
	n->begin[0] = 0;
	n->n = 1;
	for (i = 0; i < chain->n_rules; i++) {
		const struct ruleset_rule *r = &chain->rules[i];

		names_add(n, out ? r->out : r->in, out ? r->out_len : r->in_len);
	}
	names_sort(n);
	return 0;
}

int
boxes_init(struct boxes *b, const struct ruleset_chain *chain)
{
	static const uint32_t max[DIM_COUNT] = {
		[DIM_SRC] = BOX_ADDR_MAX,
		[DIM_DST] = BOX_ADDR_MAX,
		[DIM_SPORT] = UINT16_MAX,
		[DIM_DPORT] = UINT16_MAX,
		[DIM_PROTO] = UINT8_MAX,
		[DIM_STATE] = STATE_UNTRACKED,
		[DIM_FRAGMENT] = 1,
	};
	int err;

	*b = (struct boxes){0};
	memcpy(b->max, max, sizeof(max));
	err = names_init(&b->names[0], chain, false);
	if (err == 0)
		err = names_init(&b->names[1], chain, true);
	if (err < 0)
		return err;
	b->max[DIM_IN] = b->names[0].n - 1;
	b->max[DIM_OUT] = b->names[1].n - 1;
	return 0;
}

void
boxes_fini(struct boxes *b)
{
	free(b->box);
	free(b->names[0].begin);
	free(b->names[1].begin);
}

static void
ranges_add(struct ranges *to, uint32_t lo, uint32_t hi)
{
	if (lo <= hi && to->n < RANGES_MAX)
		to->r[to->n++] = (struct range){lo, hi};
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* What is left of 0 .. max. */
static void
ranges_invert(struct ranges *r, uint32_t max)
{
	struct ranges left = {0};
	uint32_t next = 0;
	unsigned i;

	qsort(r->r, r->n, sizeof(r->r[0]), compare_ranges);
	for (i = 0; i < r->n; i++) {
		if (r->r[i].lo > next)
			ranges_add(&left, next, r->r[i].lo - 1);
		if (r->r[i].hi >= max) {
			*r = left;
			return;
		}
		next = RTE_MAX(next, r->r[i].hi + 1);
	}
	ranges_add(&left, next, max);
	*r = left;
}

/* The rule asks for `with`, too. What would be too many ranges to keep is left as it was. */
static void
narrow(struct shape *s, enum classifier_dim d, const struct ranges *with)
{
	const struct ranges *was = &s->dim[d];
	struct ranges both = {0};
	unsigned i, j, n = 0;

	for (i = 0; i < was->n; i++)
		for (j = 0; j < with->n; j++) {
			uint32_t lo = RTE_MAX(was->r[i].lo, with->r[j].lo);
			uint32_t hi = RTE_MIN(was->r[i].hi, with->r[j].hi);

			n += lo <= hi;
			ranges_add(&both, lo, hi);
		}
	if (n <= RANGES_MAX)
		s->dim[d] = both;
}

static void
narrow_to(struct shape *s, enum classifier_dim d, uint32_t lo, uint32_t hi, bool not )
{
	struct ranges r = {0};

	ranges_add(&r, lo, RTE_MIN(hi, s->boxes->max[d]));
	if (not )
		ranges_invert(&r, s->boxes->max[d]);
	narrow(s, d, &r);
}

/* `addr`, `mask` in network byte order. Of a mask with holes, all between the smallest and the
 * largest. */
static void
narrow_addr(struct shape *s, enum classifier_dim d, uint32_t addr, uint32_t mask, bool not )
{
	uint32_t lo = ntohl(addr), rest = ~ntohl(mask), hi = lo | rest;

	if (not &&(rest & (rest + 1) || lo > BOX_ADDR_MAX || hi == BOX_ADDR_MAX))
		return; /* the two highest addresses are one here */
	narrow_to(s, d, RTE_MIN(lo, (uint32_t)BOX_ADDR_MAX), RTE_MIN(hi, (uint32_t)BOX_ADDR_MAX),
		not );
}

static void
narrow_name(struct shape *s, enum classifier_dim d, const uint64_t name[2], uint8_t len, bool not )
{
	const struct names *n = &s->boxes->names[d - DIM_IN];
	name_number lo, hi;

	if (len == 0)
		return;
	name_interval(name, len, &lo, &hi);
	narrow_to(s, d, names_find(n, lo), names_find(n, hi), not );
}

static void
shape_header(struct shape *s, const struct boxes *b, const struct ruleset_rule *r)
{
	unsigned d;

	s->boxes = b;
	s->states = STATES_ALL;
	for (d = 0; d < DIM_COUNT; d++)
		s->dim[d] = (struct ranges){1, {{0, b->max[d]}}};
	narrow_addr(s, DIM_SRC, r->src, r->src_mask, r->flags & RULE_NOT_SRC);
	narrow_addr(s, DIM_DST, r->dst, r->dst_mask, r->flags & RULE_NOT_DST);
	narrow_name(s, DIM_IN, r->in, r->in_len, r->flags & RULE_NOT_IN);
	narrow_name(s, DIM_OUT, r->out, r->out_len, r->flags & RULE_NOT_OUT);
	if (r->proto > 0 && r->proto <= UINT8_MAX)
		narrow_to(s, DIM_PROTO, r->proto, r->proto, r->flags & RULE_NOT_PROTO);
	if (r->flags & RULE_FRAGMENT)
		narrow_to(s, DIM_FRAGMENT, 1, 1, false);
	else if (r->flags & RULE_NOT_FRAGMENT)
		narrow_to(s, DIM_FRAGMENT, 0, 0, false);
}

static void
narrow_ports(struct shape *s, enum classifier_dim d, const uint16_t range[2], bool not )
{
	narrow_to(s, d, range[0], range[1], not );
}

/* Each => whether the matches behind it count: it had nothing to do but to answer. */
static bool
shape_tcp(struct shape *s, const void *options)
{
	const struct xt_tcp *o = options;

	narrow_to(s, DIM_FRAGMENT, 0, 0, false);
	narrow_ports(s, DIM_SPORT, o->spts, o->invflags & XT_TCP_INV_SRCPT);
	narrow_ports(s, DIM_DPORT, o->dpts, o->invflags & XT_TCP_INV_DSTPT);
	return !o->option; /* options may turn out to be malformed */
}

static bool
shape_udp(struct shape *s, const void *options)
{
	const struct xt_udp *o = options;

	narrow_to(s, DIM_FRAGMENT, 0, 0, false);
	narrow_ports(s, DIM_SPORT, o->spts, o->invflags & XT_UDP_INV_SRCPT);
	narrow_ports(s, DIM_DPORT, o->dpts, o->invflags & XT_UDP_INV_DSTPT);
	return true;
}

static bool
shape_icmp(struct shape *s, const void *options)
{
	const struct ipt_icmp *o = options;
	uint32_t type = (uint32_t)o->type << 8;

	narrow_to(s, DIM_FRAGMENT, 0, 0, false);
	if (o->type != ICMP_ANY_TYPE)
		narrow_to(s, DIM_SPORT, type | o->code[0], type | o->code[1],
			o->invflags & IPT_ICMP_INV);
	return true;
}

static bool
shape_multiport(struct shape *s, const void *options)
{
	const struct xt_multiport_v1 *o = options;
	struct ranges r = {0};
	unsigned i;

	narrow_to(s, DIM_FRAGMENT, 0, 0, false);
	if (o->flags == XT_MULTIPORT_EITHER)
		return true;
	for (i = 0; i < o->count; i++) {
		uint16_t first = o->ports[i], last = first;

		if (o->pflags[i])
			last = o->ports[++i];
		ranges_add(&r, first, last);
	}
	if (o->invert)
		ranges_invert(&r, UINT16_MAX);
	narrow(s, o->flags == XT_MULTIPORT_SOURCE ? DIM_SPORT : DIM_DPORT, &r);
	return true;
}

static bool
shape_iprange(struct shape *s, const void *options)
{
	const struct xt_iprange_mtinfo *o = options;

	if (o->flags & IPRANGE_SRC && !(o->flags & IPRANGE_SRC_INV))
		narrow_to(s, DIM_SRC, RTE_MIN(ntohl(o->src_min.ip), (uint32_t)BOX_ADDR_MAX),
			ntohl(o->src_max.ip), false);
	if (o->flags & IPRANGE_DST && !(o->flags & IPRANGE_DST_INV))
		narrow_to(s, DIM_DST, RTE_MIN(ntohl(o->dst_min.ip), (uint32_t)BOX_ADDR_MAX),
			ntohl(o->dst_max.ip), false);
	return true;
}

static bool
shape_states(struct shape *s, uint32_t states)
{
	s->states &= (uint8_t)states;
	return true;
}

static bool
shape_state(struct shape *s, const void *options)
{
	return shape_states(s, ((const struct xt_state_info *)options)->statemask);
}

/* `mask` has the bits of xt_conntrack.h; SNAT and DNAT come on top of a state. */
static bool
shape_ctstate(struct shape *s, uint32_t mask, bool not )
{
	uint32_t states = mask & 0xf;

	if (mask & (XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT))
		return true;
	if (mask & XT_CONNTRACK_STATE_UNTRACKED)
		states |= 1u << STATE_UNTRACKED;
	return shape_states(s, not ? ~states : states);
}

static bool
shape_conntrack_1(struct shape *s, const void *options)
{
	const struct xt_conntrack_mtinfo1 *o = options;

	return !(o->match_flags & XT_CONNTRACK_STATE) ||
	       shape_ctstate(s, o->state_mask, o->invert_flags & XT_CONNTRACK_STATE);
}

static bool
shape_conntrack(struct shape *s, const void *options)
{
	const struct xt_conntrack_mtinfo2 *o = options; /* revision 3 begins as it does */

	return !(o->match_flags & XT_CONNTRACK_STATE) ||
	       shape_ctstate(s, o->state_mask, o->invert_flags & XT_CONNTRACK_STATE);
}

static bool
shape_nothing(struct shape *s, const void *options)
{
	(void)s;
	(void)options;
	return true;
}

/* Matches that do nothing but to answer. Any other must be asked, and so must all behind it. */
static const struct {
	const char *name;
	int revision; /* -1: any */
	bool (*shape)(struct shape *s, const void *options);
} readers[] = {
	{"tcp", 0, shape_tcp},
	{"udp", 0, shape_udp},
	{"icmp", 0, shape_icmp},
	{"multiport", 1, shape_multiport},
	{"iprange", 1, shape_iprange},
	{"state", 0, shape_state},
	{"conntrack", 1, shape_conntrack_1},
	{"conntrack", 2, shape_conntrack},
	{"conntrack", 3, shape_conntrack},
	{"addrtype", -1, shape_nothing},
	{"comment", -1, shape_nothing},
	{"connmark", -1, shape_nothing},
	{"dscp", -1, shape_nothing},
	{"length", -1, shape_nothing},
	{"mac", -1, shape_nothing},
	{"mark", -1, shape_nothing},
	{"owner", -1, shape_nothing},
	{"pkttype", -1, shape_nothing},
	{"tos", -1, shape_nothing},
	{"ttl", -1, shape_nothing},
};

static bool
shape_match(struct shape *s, const struct ruleset_match *m)
{
	size_t i;

	for (i = 0; i < RTE_DIM(readers); i++) {
		if (strcmp(readers[i].name, m->ops->name) != 0)
			continue;
		if (readers[i].revision >= 0 && readers[i].revision != m->ops->revision)
			continue;
		if (readers[i].shape == shape_nothing)
			return true;
		return !m->prepared && readers[i].shape(s, m->options);
	}
	return false;
}

static void
shape_matches(struct shape *s, const struct ruleset_rule *r)
{
	uint8_t i;

	for (i = 0; i < r->n_matches; i++)
		if (!shape_match(s, &r->matches[i]))
			return;
}

/* One range instead of many. */
static void
ranges_join(struct ranges *r)
{
	unsigned i;

	for (i = 1; i < r->n; i++) {
		r->r[0].lo = RTE_MIN(r->r[0].lo, r->r[i].lo);
		r->r[0].hi = RTE_MAX(r->r[0].hi, r->r[i].hi);
	}
	r->n = 1;
}

/* => number of boxes; where there would be too many, dimensions are made coarser, that with the
 * most ranges first. */
static unsigned
shape_limit(struct shape *s)
{
	unsigned d, n, most;

	for (;;) {
		for (d = most = 0, n = 1; d < DIM_COUNT; d++) {
			n *= RTE_MIN(s->dim[d].n, 2u * BOXES_A_RULE);
			most = s->dim[d].n > s->dim[most].n ? d : most;
			if (n == 0)
				return 0;
			n = RTE_MIN(n, 2u * BOXES_A_RULE);
		}
		if (n <= BOXES_A_RULE)
			return n;
		ranges_join(&s->dim[most]);
	}
}

static int
boxes_room(struct boxes *b, unsigned more)
{
	size_t size = RTE_MAX((size_t)b->size * 2, 64u);
	struct box *grown;

	if (b->n + more > BOXES_MAX)
		return -E2BIG;
	if (b->n + more <= b->size)
		return 0;
	grown = realloc(b->box, size * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->box = grown;
	b->size = (uint32_t)size;
	return 0;
}

/* The `k`-th combination of the ranges of a shape. */
static void
box_make(struct box *box, const struct shape *s, unsigned k, uint32_t index)
{
	unsigned d;

	box->index = index;
	box->states = s->states;
	for (d = 0; d < DIM_COUNT; d++) {
		const struct range *r = &s->dim[d].r[k % s->dim[d].n];

		k /= s->dim[d].n;
		box->lo[d] = r->lo;
		box->hi[d] = r->hi;
	}
	if (s->states == STATES_ALL)
		return;
	box->lo[DIM_STATE] = (uint32_t)__builtin_ctz(s->states);
	box->hi[DIM_STATE] = 31 - (uint32_t)__builtin_clz(s->states);
}

int
boxes_fill(struct boxes *b, const struct ruleset_chain *chain, bool headers)
{
	struct shape s;
	uint32_t i, n, k;
	int err;

	b->n = 0;
	b->uses_state = false;
	for (i = 0; i < chain->n_rules; i++) {
		shape_header(&s, b, &chain->rules[i]);
		if (!headers)
			shape_matches(&s, &chain->rules[i]);
		n = s.states ? shape_limit(&s) : 0;
		err = boxes_room(b, n);
		if (err < 0)
			return err;
		for (k = 0; k < n; k++)
			box_make(&b->box[b->n++], &s, k, i);
		b->uses_state |= s.states != STATES_ALL;
	}
	return 0;
}
