/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boxes to a tree. At each node every dimension is tried with a few kinds of cut, and the one is
 * taken that leaves the fewest rules to look at.
 *
 * - CUT_EDGES cuts wherever a box begins or ends, so each child is either inside or outside of a
 * box. Boxes that the dimension says nothing about go to the side.
 * - CUT_NARROW does so for boxes that reach over few intervals only; those that reach over many go
 * to the side, too (a net around many hosts).
 * - CUT_HALF cuts once, where half of the edges are to the left: for boxes that overlap so much
 * that the others would multiply them.
 *
 * Memory is bounded from the start: a node may spend a number of entries, and shares it out among
 * its children as it shares out its boxes; what one leaves is there for the next, and the side
 * comes last. When all is spent, lists stay as long as they are.
 */
#include "filters/classifier_tree.h"

#include <errno.h>
#include <stdlib.h>

enum {
	LIST_SHORT = 8, /* entries that are not worth another node */
	LIST_SHORT_HEADERS = 32,
	ENTRIES_A_BOX = 16, /* what may be spent */
	ENTRIES_A_BOX_HEADERS = 3,
	BYTES_A_RULE = 1024,
	BYTES_MORE = 1 << 16,
	REACH_FEW = 4,   /* intervals that a box of CUT_NARROW reaches over */
	NODE_BYTES = 32, /* what a box may add to keys and children of a node */
	DEPTH_MAX = 48,
	VISIT_COST = 3, /* of one more list, in entries */
	NODE_COST = 4,
	SIDE = INT32_MAX, /* instead of an interval */
};

enum cut_kind { CUT_EDGES, CUT_NARROW, CUT_HALF, CUT_KINDS };

struct cut {
	enum cut_kind kind;
	unsigned dim;
	double cost; /* entries that a packet will have to look at */
};

struct region {
	uint32_t lo[DIM_COUNT], hi[DIM_COUNT];
};

/* Boxes of a node by number, in the order of the rules. */
struct set {
	uint32_t *id;
	uint32_t n;
	struct region region;
	uint64_t budget; /* entries */
	unsigned visits; /* lists that a packet may find from here on */
	unsigned depth;
};

struct vector {
	void *data;
	size_t n, size, item;
};

struct build_tree {
	const struct boxes *boxes;
	const atomic_bool *cancel;
	struct vector nodes, keys, kids, entries;
	size_t bytes_max;
	uint32_t list_short;
	/* of the cut that is tried: */
	uint32_t *edges, *edges_sorted; /* where intervals begin, but the first */
	uint32_t n_edges;
	int32_t *first, *last; /* intervals of each box of the set, or SIDE */
	uint32_t *count;       /* boxes of each interval */
	uint32_t n_side;
	uint64_t n_placed; /* in all intervals together */
};

static int build_set(struct build_tree *b, struct set *s, uint32_t *ref);

static size_t
bytes_used(const struct build_tree *b)
{
	return b->nodes.n * b->nodes.item + b->keys.n * b->keys.item + b->kids.n * b->kids.item +
	       b->entries.n * b->entries.item;
}

/* Room for `more` items at the end, zeroed. => where, or NULL. */
static void *
vector_add(struct vector *v, size_t more)
{
	size_t size = RTE_MAX(v->size * 2, RTE_MAX(v->n + more, (size_t)64));
	void *grown;

	if (v->n + more > v->size) {
		grown = aligned_alloc(64, RTE_ALIGN_CEIL(size * v->item, 64));
		if (!grown)
			return NULL;
		if (v->n)
			memcpy(grown, v->data, v->n * v->item);
		free(v->data);
		v->data = grown;
		v->size = size;
	}
	v->n += more;
	return memset((uint8_t *)v->data + (v->n - more) * v->item, 0, more * v->item);
}

/* By bytes, low ones first; those that are all alike are left out. `spare` has as much room. */
static void
sort_edges(uint32_t **edges, uint32_t **spare, uint32_t n)
{
	unsigned shift;
	uint32_t i;

	for (shift = 0; shift < 32; shift += 8) {
		uint32_t at[257] = {0}, *swap;

		for (i = 0; i < n; i++)
			at[((*edges)[i] >> shift & 0xff) + 1]++;
		if (at[((*edges)[0] >> shift & 0xff) + 1] == n)
			continue;
		for (i = 1; i < 257; i++)
			at[i] += at[i - 1];
		for (i = 0; i < n; i++)
			(*spare)[at[(*edges)[i] >> shift & 0xff]++] = (*edges)[i];
		swap = *edges;
		*edges = *spare;
		*spare = swap;
	}
}

static int
compare_edges(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
unique_edges(struct build_tree *b)
{
	uint32_t i, kept = 0;

	if (b->n_edges > 256)
		sort_edges(&b->edges, &b->edges_sorted, b->n_edges);
	else
		qsort(b->edges, b->n_edges, sizeof(*b->edges), compare_edges);
	for (i = 0; i < b->n_edges; i++)
		if (kept == 0 || b->edges[i] != b->edges[kept - 1])
			b->edges[kept++] = b->edges[i];
	b->n_edges = kept;
}

static inline bool
covers(const struct box *box, const struct region *r, unsigned d)
{
	return box->lo[d] <= r->lo[d] && box->hi[d] >= r->hi[d];
}

/* Edges of the boxes that are not at the side. */
static void
collect_edges(struct build_tree *b, const struct set *s, unsigned d)
{
	uint32_t i;

	b->n_edges = 0;
	for (i = 0; i < s->n; i++) {
		const struct box *box = &b->boxes->box[s->id[i]];

		if (b->first[i] == SIDE)
			continue;
		if (box->lo[d] > s->region.lo[d])
			b->edges[b->n_edges++] = box->lo[d];
		if (box->hi[d] < s->region.hi[d])
			b->edges[b->n_edges++] = box->hi[d] + 1;
	}
}

/* Number of edges that are not above `v`: the interval that it is in. */
static int32_t
interval_of(const struct build_tree *b, uint32_t v)
{
	const uint32_t *at = b->edges;
	uint32_t n = b->n_edges;

	if (n == 0)
		return 0;
	while (n > 1) {
		uint32_t half = n / 2;

		at += at[half - 1] <= v ? half : 0;
		n -= half;
	}
	return (int32_t)(at - b->edges) + (*at <= v);
}

static void
place_boxes(struct build_tree *b, const struct set *s, unsigned d)
{
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		const struct box *box = &b->boxes->box[s->id[i]];

		if (b->first[i] == SIDE)
			continue;
		b->first[i] = interval_of(b, RTE_MAX(box->lo[d], s->region.lo[d]));
		b->last[i] = interval_of(b, RTE_MIN(box->hi[d], s->region.hi[d]));
	}
}

/* What reaches over more than `reach` intervals goes to the side. */
static void
put_aside(struct build_tree *b, const struct set *s, int32_t reach)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (b->first[i] != SIDE && b->last[i] - b->first[i] >= reach)
			b->first[i] = SIDE;
}

static void
cut_edges(struct build_tree *b, const struct set *s, unsigned d)
{
	collect_edges(b, s, d);
	unique_edges(b);
	place_boxes(b, s, d);
}

static void
cut_half(struct build_tree *b, const struct set *s, unsigned d)
{
	collect_edges(b, s, d);
	if (b->n_edges == 0)
		return;
	if (b->n_edges > 256)
		sort_edges(&b->edges, &b->edges_sorted, b->n_edges);
	else
		qsort(b->edges, b->n_edges, sizeof(*b->edges), compare_edges);
	b->edges[0] = b->edges[b->n_edges / 2];
	b->n_edges = 1;
	place_boxes(b, s, d);
}

/* Fills in count, n_side, n_placed. => what an average packet finds in its interval: one that some
 * rule is about. */
static double
count_boxes(struct build_tree *b, const struct set *s)
{
	double squares = 0;
	uint32_t i, here = 0;

	memset(b->count, 0, (b->n_edges + (size_t)2) * sizeof(*b->count));
	b->n_side = 0;
	b->n_placed = 0;
	for (i = 0; i < s->n; i++) {
		if (b->first[i] == SIDE) {
			b->n_side++;
			continue;
		}
		b->count[b->first[i]]++;
		b->count[b->last[i] + 1]--;
		b->n_placed += (uint64_t)(b->last[i] - b->first[i] + 1);
	}
	for (i = 0; i <= b->n_edges; i++) {
		here += b->count[i];
		b->count[i] = here;
		squares += (double)here * here;
	}
	return b->n_placed ? squares / (double)b->n_placed : 0;
}

/* Few boxes, or few intervals: then they are put into all of them, and there is no side. => the
 * mean, as it is then. */
static double
take_from_side(struct build_tree *b, const struct set *s, double mean)
{
	uint64_t copies = (uint64_t)b->n_side * (b->n_edges + 1);
	uint32_t i;

	if (b->n_side == 0 || (s->visits > 1 && copies > b->n_placed / 2) ||
		b->n_placed + copies > s->budget)
		return mean;
	for (i = 0; i < s->n; i++)
		if (b->first[i] == SIDE) {
			b->first[i] = 0;
			b->last[i] = (int32_t)b->n_edges;
		}
	return count_boxes(b, s);
}

/* Lays the boxes of the set out as `c` says. => false: that is no cut, or it is not allowed. */
static bool
cut_try(struct build_tree *b, const struct set *s, struct cut *c)
{
	double mean;
	uint32_t i;

	for (i = 0; i < s->n; i++)
		b->first[i] =
			c->kind != CUT_HALF && covers(&b->boxes->box[s->id[i]], &s->region, c->dim)
				? SIDE
				: 0;
	if (c->kind == CUT_HALF)
		cut_half(b, s, c->dim);
	else
		cut_edges(b, s, c->dim);
	if (c->kind == CUT_NARROW) {
		put_aside(b, s, REACH_FEW);
		cut_edges(b, s, c->dim);
	}
	if (b->n_edges == 0)
		return false;
	mean = count_boxes(b, s);
	mean = take_from_side(b, s, mean);
	if (b->n_side == s->n || b->n_placed + b->n_side > s->budget ||
		(b->n_side && s->visits < 2))
		return false;
	c->cost = mean + b->n_side + (b->n_side ? VISIT_COST : 0) + (double)b->n_placed / s->n;
	return true;
}

/* => false: it is to stay a list. */
static bool
cut_choose(struct build_tree *b, const struct set *s, struct cut *best)
{
	struct cut c;

	best->cost = s->n;
	if (s->n <= b->list_short || s->depth >= DEPTH_MAX ||
		bytes_used(b) + (size_t)s->n * NODE_BYTES > b->bytes_max)
		return false;
	for (c.dim = 0; c.dim < DIM_COUNT; c.dim++)
		for (c.kind = 0; c.kind < CUT_KINDS; c.kind++) {
			if (b->cancel && atomic_load_explicit(b->cancel, memory_order_relaxed))
				return false;
			if (cut_try(b, s, &c) && c.cost < best->cost)
				*best = c;
			else if (c.kind == CUT_EDGES && b->n_edges == 0)
				break;
		}
	return best->cost + NODE_COST < s->n;
}

static bool
cancelled(const struct build_tree *b)
{
	return b->cancel && atomic_load_explicit(b->cancel, memory_order_relaxed);
}

/* ---- laying down what was chosen ---- */

static uint16_t
port_span(const struct box *box, unsigned d)
{
	return (uint16_t)(box->hi[d] - box->lo[d]);
}

static void
entry_fill(struct classifier_entry *e, const struct box *box)
{
	*e = (struct classifier_entry){
		.src = box->lo[DIM_SRC],
		.src_span = box->hi[DIM_SRC] - box->lo[DIM_SRC],
		.dst = box->lo[DIM_DST],
		.dst_span = box->hi[DIM_DST] - box->lo[DIM_DST],
		.sport = (uint16_t)box->lo[DIM_SPORT],
		.sport_span = port_span(box, DIM_SPORT),
		.dport = (uint16_t)box->lo[DIM_DPORT],
		.dport_span = port_span(box, DIM_DPORT),
		.proto = (uint8_t)box->lo[DIM_PROTO],
		.proto_span = (uint8_t)(box->hi[DIM_PROTO] - box->lo[DIM_PROTO]),
		.states = box->states,
		.index = box->index,
	};
	if (box->hi[DIM_FRAGMENT] == 0)
		e->flags |= ENTRY_WHOLE;
	if (box->lo[DIM_FRAGMENT] == 1)
		e->flags |= ENTRY_FRAGMENT;
}

static int
build_list(struct build_tree *b, const struct set *s, uint32_t *ref)
{
	struct classifier_entry *e;
	uint32_t i;

	*ref = TREE_EMPTY;
	if (s->n == 0)
		return 0;
	if (b->entries.n + s->n >= TREE_LEAF - 1)
		return -E2BIG;
	e = vector_add(&b->entries, s->n);
	if (!e)
		return -ENOMEM;
	for (i = 0; i < s->n; i++)
		entry_fill(&e[i], &b->boxes->box[s->id[i]]);
	e[s->n - 1].flags |= ENTRY_LAST;
	*ref = TREE_LEAF | (uint32_t)(b->entries.n - s->n);
	return 0;
}

/* One level: every `step`-th of the edges of the present cut. */
static void
fill_keys(const struct build_tree *b, uint32_t *keys, uint32_t items, uint32_t step)
{
	uint32_t i;

	memset(keys, 0xff, RTE_ALIGN_CEIL(items, (uint32_t)TREE_FAN) * sizeof(*keys));
	keys[0] = 0;
	for (i = 1; i < items; i++)
		keys[i] = b->edges[(size_t)i * step - 1];
}

static int
build_keys(struct build_tree *b, uint32_t node)
{
	struct classifier_node *n = (struct classifier_node *)b->nodes.data + node;
	uint32_t intervals = b->n_edges + 1, step, items, *keys;
	unsigned level;

	for (step = 1, n->levels = 1; (uint64_t)step * TREE_FAN < intervals; step *= TREE_FAN)
		n->levels++;
	fill_keys(b, n->top, (intervals + step - 1) / step, step);
	for (level = 1; level < n->levels; level++) {
		step /= TREE_FAN;
		items = (intervals + step - 1) / step;
		n->level[level] = (uint32_t)(b->keys.n / TREE_FAN);
		keys = vector_add(&b->keys, RTE_ALIGN_CEIL(items, (uint32_t)TREE_FAN));
		if (!keys)
			return -ENOMEM;
		fill_keys(b, keys, items, step);
	}
	return 0;
}

/* The children of a node: where the set of each begins in `ids`. */
struct litter {
	uint32_t n;
	uint32_t *begin; /* n + 1 */
	uint32_t *ids;
	uint32_t *edges; /* n - 1 */
	struct set side;
	uint64_t budget;           /* what is left of it, */
	uint64_t boxes;            /* for so many, over all children to come */
	uint32_t *seen, seen_mask; /* children by hash of their set, number + 1 */
};

static void
litter_fini(struct litter *l)
{
	free(l->begin);
	free(l->ids);
	free(l->edges);
	free(l->side.id);
	free(l->seen);
}

static int
litter_room(const struct build_tree *b, struct litter *l)
{
	uint32_t size = 16;

	l->n = b->n_edges + 1;
	while (size < 2 * l->n)
		size *= 2;
	l->seen_mask = size - 1;
	l->begin = calloc(l->n + (size_t)1, sizeof(*l->begin));
	l->ids = malloc((b->n_placed + 1) * sizeof(*l->ids));
	l->edges = malloc(l->n * sizeof(*l->edges));
	l->side.id = malloc((b->n_side + (size_t)1) * sizeof(*l->side.id));
	l->seen = calloc(size, sizeof(*l->seen));
	return l->begin && l->ids && l->edges && l->side.id && l->seen ? 0 : -ENOMEM;
}

/* From the present cut. */
static int
litter_init(const struct build_tree *b, const struct set *s, struct litter *l)
{
	uint32_t i;
	int32_t k;

	*l = (struct litter){0};
	if (litter_room(b, l) < 0)
		return -ENOMEM;
	memcpy(l->edges, b->edges, b->n_edges * sizeof(*l->edges));
	for (i = 0; i < b->n_edges; i++)
		l->begin[i + 1] = l->begin[i] + b->count[i];
	l->begin[l->n] = l->begin[l->n - 1];
	for (i = 0; i < s->n; i++) {
		if (b->first[i] == SIDE)
			l->side.id[l->side.n++] = s->id[i];
		else
			for (k = b->first[i]; k <= b->last[i]; k++)
				l->ids[l->begin[k]++] = s->id[i];
	}
	memmove(l->begin + 1, l->begin, l->n * sizeof(*l->begin));
	l->begin[0] = 0;
	return 0;
}

/* => the child before with the same boxes, or `child` itself. */
static uint32_t
litter_same(struct litter *l, uint32_t child)
{
	const uint32_t *ids = l->ids + l->begin[child];
	uint32_t n = l->begin[child + 1] - l->begin[child], hash = n * 0x9e3779b1u, i, other;

	for (i = 0; i < n; i++)
		hash = (hash ^ ids[i]) * 0x85ebca6bu, hash ^= hash >> 15;
	for (i = hash & l->seen_mask; l->seen[i]; i = (i + 1) & l->seen_mask) {
		other = l->seen[i] - 1;
		if (l->begin[other + 1] - l->begin[other] == n &&
			memcmp(l->ids + l->begin[other], ids, n * sizeof(*ids)) == 0)
			return other;
	}
	l->seen[i] = child + 1;
	return child;
}

/* Beside a side, which gets the rest. */
static unsigned
visits_of_child(const struct set *s)
{
	return RTE_MAX(s->visits / 3, RTE_MIN(s->visits - 1, 2u));
}

/* The cut is exact, so children with the same boxes are the same. After CUT_HALF they are not: it
 * leaves parts of a box open. */
static int
build_child(struct build_tree *b, const struct set *s, const struct cut *c, struct litter *l,
	uint32_t kids, uint32_t child)
{
	struct set sub = {
		.id = l->ids + l->begin[child], .n = l->begin[child + 1] - l->begin[child]};
	uint32_t same = c->kind == CUT_HALF ? child : litter_same(l, child), ref;
	size_t before = b->entries.n;
	int err;

	if (same != child) {
		((uint32_t *)b->kids.data)[kids + child] = ((uint32_t *)b->kids.data)[kids + same];
		l->boxes -= sub.n;
		return 0;
	}
	sub.region = s->region;
	if (child > 0)
		sub.region.lo[c->dim] = l->edges[child - 1];
	if (child + 1 < l->n)
		sub.region.hi[c->dim] = l->edges[child] - 1;
	sub.budget = l->boxes ? l->budget * sub.n / l->boxes : 0;
	sub.visits = l->side.n ? visits_of_child(s) : s->visits;
	sub.depth = s->depth + 1;
	err = build_set(b, &sub, &ref);
	((uint32_t *)b->kids.data)[kids + child] = ref;
	l->boxes -= sub.n;
	l->budget -= RTE_MIN(l->budget, b->entries.n - before);
	return err;
}

static int
build_side(struct build_tree *b, const struct set *s, struct litter *l, uint32_t *ref)
{
	*ref = TREE_EMPTY;
	if (l->side.n == 0)
		return 0;
	l->side.region = s->region;
	l->side.budget = l->budget;
	l->side.visits = s->visits - visits_of_child(s);
	l->side.depth = s->depth + 1;
	return build_set(b, &l->side, ref);
}

static int
build_litter(struct build_tree *b, const struct set *s, const struct cut *c, struct litter *l,
	uint32_t node)
{
	uint32_t kids = (uint32_t)b->kids.n, gap, i, side;
	int err = 0;

	gap = l->n > TREE_FAN ? RTE_ALIGN_CEIL(kids, (uint32_t)TREE_FAN) - kids : 0;
	if (!vector_add(&b->kids, gap + (size_t)l->n))
		return -ENOMEM;
	kids += gap;
	((struct classifier_node *)b->nodes.data)[node].kids = kids;
	l->budget = s->budget;
	l->boxes = l->begin[l->n] + (uint64_t)l->side.n;
	for (i = 0; i < l->n && err == 0; i++)
		err = build_child(b, s, c, l, kids, i);
	if (err == 0) {
		err = build_side(b, s, l, &side);
		((struct classifier_node *)b->nodes.data)[node].side = side;
	}
	return err;
}

static int
build_node(struct build_tree *b, const struct set *s, struct cut *c, uint32_t *ref)
{
	struct classifier_node *n = vector_add(&b->nodes, 1);
	struct litter l = {0};
	int err;

	if (!n)
		return -ENOMEM;
	*ref = (uint32_t)(b->nodes.n - 1);
	n->dim = (uint8_t)c->dim;
	cut_try(b, s, c);
	err = build_keys(b, *ref);
	if (err == 0)
		err = litter_init(b, s, &l);
	if (err == 0)
		err = build_litter(b, s, c, &l, *ref);
	litter_fini(&l);
	return err;
}

static int
build_set(struct build_tree *b, struct set *s, uint32_t *ref)
{
	struct cut c;
	bool cut = cut_choose(b, s, &c);

	*ref = TREE_EMPTY;
	if (cancelled(b))
		return -ECANCELED;
	return cut ? build_node(b, s, &c, ref) : build_list(b, s, ref);
}

/* ---- */

static int
scratch_room(struct build_tree *b)
{
	size_t n = b->boxes->n + (size_t)1;

	b->edges = malloc(2 * n * sizeof(*b->edges));
	b->edges_sorted = malloc(2 * n * sizeof(*b->edges));
	b->first = malloc(n * sizeof(*b->first));
	b->last = malloc(n * sizeof(*b->last));
	b->count = malloc(2 * (n + 1) * sizeof(*b->count));
	return b->edges && b->edges_sorted && b->first && b->last && b->count ? 0 : -ENOMEM;
}

static void
scratch_free(struct build_tree *b)
{
	free(b->edges);
	free(b->edges_sorted);
	free(b->first);
	free(b->last);
	free(b->count);
	b->edges = b->edges_sorted = b->count = NULL;
	b->first = b->last = NULL;
}

/* One tree of all the boxes there are now. */
static int
build_root(struct build_tree *b, bool headers, uint32_t *ref)
{
	const struct boxes *boxes = b->boxes;
	struct set s = {.n = boxes->n, .visits = CLASSIFIER_VISITS};
	uint32_t i;
	int err;

	s.budget = (uint64_t)boxes->n * (headers ? ENTRIES_A_BOX_HEADERS : ENTRIES_A_BOX);
	s.id = malloc((s.n + (size_t)1) * sizeof(*s.id));
	memcpy(s.region.hi, boxes->max, sizeof(boxes->max));
	err = s.id ? scratch_room(b) : -ENOMEM;
	for (i = 0; i < s.n && err == 0; i++)
		s.id[i] = i;
	b->list_short = headers ? LIST_SHORT_HEADERS : LIST_SHORT;
	if (err == 0)
		err = build_set(b, &s, ref);
	scratch_free(b);
	free(s.id);
	return err;
}

static int
build_both(struct build_tree *b, struct boxes *boxes, struct classifier_tree *t,
	const struct ruleset_chain *chain)
{
	int err = boxes_init(boxes, chain);

	if (err == 0)
		err = boxes_fill(boxes, chain, false);
	t->uses_state = boxes->uses_state;
	b->bytes_max = (size_t)chain->n_rules * BYTES_A_RULE * 3 / 4 + BYTES_MORE;
	if (err == 0)
		err = build_root(b, false, &t->root);
	if (err == 0)
		err = boxes_fill(boxes, chain, true);
	b->bytes_max = (size_t)chain->n_rules * BYTES_A_RULE + BYTES_MORE;
	if (err == 0)
		err = build_root(b, true, &t->headers);
	return err;
}

/* Without what it has not used. */
static void *
vector_take(struct vector *v)
{
	void *exact = v->n ? aligned_alloc(64, RTE_ALIGN_CEIL(v->n * v->item, 64)) : NULL,
	     *data = v->data;

	if (exact) {
		memcpy(exact, data, v->n * v->item);
		free(data);
		data = exact;
	}
	*v = (struct vector){0};
	return data;
}

static void
tree_take(struct classifier_tree *t, struct build_tree *b, struct boxes *boxes)
{
	t->names[0] = boxes->names[0];
	t->names[1] = boxes->names[1];
	boxes->names[0].begin = boxes->names[1].begin = NULL;
	t->memory = sizeof(*t) + bytes_used(b) +
		    (t->names[0].n + (size_t)t->names[1].n) * sizeof(name_number);
	t->n_nodes = (uint32_t)b->nodes.n;
	t->n_entries = (uint32_t)b->entries.n;
	t->nodes = vector_take(&b->nodes);
	t->keys = vector_take(&b->keys);
	t->kids = vector_take(&b->kids);
	t->entries = vector_take(&b->entries);
}

struct classifier_tree *
tree_new(const struct ruleset_chain *chain, const atomic_bool *cancel)
{
	struct classifier_tree *t = calloc(1, sizeof(*t));
	struct build_tree b = {
		.cancel = cancel,
		.nodes.item = sizeof(struct classifier_node),
		.keys.item = sizeof(uint32_t),
		.kids.item = sizeof(uint32_t),
		.entries.item = sizeof(struct classifier_entry),
	};
	struct boxes boxes = {0};
	int err;

	b.boxes = &boxes;
	err = t ? build_both(&b, &boxes, t, chain) : -ENOMEM;
	if (t) {
		t->refs = 1;
		t->n_rules = chain->n_rules;
		tree_take(t, &b, &boxes);
	}
	boxes_fini(&boxes);
	if (err == 0)
		return t;
	tree_put(t);
	errno = -err;
	return NULL;
}
