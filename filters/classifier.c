/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a chain has of its compiled form: a tree (classifier_tree.h), shared with the chains before
 * and after it, and which of its rules are in there.
 *
 * DPDK's rte_acl was measured first, on the rules of tests/bench/filter_bench.c. A lookup takes as
 * long (10,000 single destinations: 205 to 470 cycles there, 210 here; mixed rules: 310 to 330, 430
 * to 670), building three to ten times as long (0.7 s, 0.04 s), and ranges that overlap it gives up
 * after 5 to 10 s with ENOMEM, which nothing can cut short (0.5 s here, and a bound on memory). It
 * answers with the best rule only, so one that asks for limits, marks or states hides what is
 * behind it: with "-m conntrack --ctstate ESTABLISHED" in front all other rules are optimised away.
 * And it needs a running EAL.
 */
#include "filters/classifier.h"

#include "filters/classifier_tree.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum {
	CHANGED_MAX = 64, /* rules that may stay out of the tree: looking at them costs about what
			     the tree does */
	L4_HEADS = 20,    /* the most that a match on layer 4 asks for: a TCP header */
	L4_HEADS_OTHER = 8,
};

/*
 * Rules [0, head) are those of the tree; rules from `tail` on are those of the tree from `tail` -
 * `shift` on. A chain that was compiled itself has its tail at 0 and no shift.
 */
struct classifier {
	struct classifier_tree *tree;
	uint32_t n_rules, head, tail;
	int64_t shift;
	struct classifier *replaced; /* packets may have been there when this one came */
};

/* Ports and the like, as matches read them: from the packet, whatever the descriptor says. */
static void
key_l4(struct classifier_key *key, const struct filter_ctx *c)
{
	uint32_t need = key->value[DIM_PROTO] == IPPROTO_TCP ? L4_HEADS : L4_HEADS_OTHER;
	const uint8_t *l4;
	uint8_t buf[4];

	l4 = filter_bytes(c, c->p->l3_len, sizeof(buf), buf);
	key->cut_short = !l4 || pkt_len(c->p) < c->p->l3_len + need;
	if (key->cut_short)
		return;
	key->value[DIM_SPORT] = (uint32_t)l4[0] << 8 | l4[1];
	key->value[DIM_DPORT] = (uint32_t)l4[2] << 8 | l4[3];
}

void
classifier_key(struct classifier_key *key, const struct filter_ctx *ctx)
{
	const struct iphdr *ip = pkt_ip4(ctx->p);
	bool later = ctx->p->flags & PKT_LATER_FRAGMENT;

	key->ctx = ctx;
	key->tree = NULL;
	key->value[DIM_SRC] = RTE_MIN(ntohl(ip->saddr), (uint32_t)BOX_ADDR_MAX);
	key->value[DIM_DST] = RTE_MIN(ntohl(ip->daddr), (uint32_t)BOX_ADDR_MAX);
	key->value[DIM_PROTO] = ip->protocol;
	key->value[DIM_SPORT] = key->value[DIM_DPORT] = 0;
	key->value[DIM_FRAGMENT] = later;
	key->forbidden = later ? ENTRY_WHOLE : ENTRY_FRAGMENT;
	if (ctx->l4 && !later)
		key_l4(key, ctx);
	else /* a fragment at 8 would overwrite the flags of a TCP header */
		key->cut_short = ctx->l4 || (ntohs(ip->frag_off) & IP_OFFMASK) == 1;
}

uint32_t
classifier_changed(const struct classifier *c)
{
	return c->tail > c->head ? c->tail - c->head : 0;
}

bool
classifier_wanted(const struct ruleset_chain *chain)
{
	const struct classifier *c = atomic_load_explicit(&chain->classifier, memory_order_acquire);

	if (chain->n_rules < CLASSIFIER_MIN_RULES || chain->n_rules > CLASSIFIER_MAX_RULES)
		return false;
	return !c || classifier_changed(c) > CHANGED_MAX;
}

static struct classifier *
handle_new(struct classifier_tree *tree, uint32_t n_rules)
{
	struct classifier *c = calloc(1, sizeof(*c));

	if (c) {
		c->tree = tree;
		c->n_rules = c->head = n_rules;
	}
	return c;
}

struct classifier *
classifier_new(const struct ruleset_chain *chain, const atomic_bool *cancel)
{
	struct classifier_tree *tree;
	struct classifier *c;

	if (chain->n_rules < CLASSIFIER_MIN_RULES || chain->n_rules > CLASSIFIER_MAX_RULES) {
		errno = E2BIG;
		return NULL;
	}
	tree = tree_new(chain, cancel);
	c = tree ? handle_new(tree, chain->n_rules) : NULL;
	if (tree && !c)
		tree_put(tree);
	return c;
}

void
classifier_publish(struct ruleset_chain *chain, struct classifier *c)
{
	c->replaced = atomic_load_explicit(&chain->classifier, memory_order_relaxed);
	atomic_store_explicit(&chain->classifier, c, memory_order_release);
}

static uint32_t
same_head(const struct ruleset_chain *a, const struct ruleset_chain *b, uint32_t most)
{
	uint32_t n = 0;

	most = RTE_MIN(most, RTE_MIN(a->n_rules, b->n_rules));
	while (n < most && a->rules[n].live == b->rules[n].live)
		n++;
	return n;
}

static uint32_t
same_tail(const struct ruleset_chain *a, const struct ruleset_chain *b, uint32_t most)
{
	uint32_t n = 0;

	while (n < most && a->rules[a->n_rules - 1 - n].live == b->rules[b->n_rules - 1 - n].live)
		n++;
	return n;
}

/* How many rules at the end of `from` are in the tree of `was` and behind `head`, in both chains. */
static uint32_t
tail_room(const struct classifier *was, const struct ruleset_chain *to, const struct ruleset_chain *from, uint32_t head)
{
	return RTE_MIN(to->n_rules - head, from->n_rules - RTE_MAX(was->tail, head));
}

static void
derive(struct ruleset_chain *to, const struct ruleset_chain *from, const struct classifier *was, uint32_t head, uint32_t tail)
{
	struct classifier *c;

	if (head + tail < CLASSIFIER_MIN_RULES)
		return;
	c = handle_new(was->tree, to->n_rules);
	if (!c)
		return;
	tree_get(c->tree);
	c->head = head;
	c->tail = to->n_rules - tail;
	c->shift = was->shift + (int64_t)to->n_rules - (int64_t)from->n_rules;
	atomic_store_explicit(&to->classifier, c, memory_order_release);
}

void
classifier_follow(struct ruleset_chain *to, const struct ruleset_chain *from, uint32_t head, uint32_t tail)
{
	const struct classifier *was =
		atomic_load_explicit(&from->classifier, memory_order_acquire);

	if (!was)
		return;
	head = RTE_MIN(head, was->head);
	derive(to, from, was, head, RTE_MIN(tail, tail_room(was, to, from, head)));
}

void
classifier_inherit(struct ruleset_chain *to, const struct ruleset_chain *from)
{
	const struct classifier *was =
		atomic_load_explicit(&from->classifier, memory_order_acquire);
	uint32_t head;

	if (!was)
		return;
	head = same_head(to, from, was->head);
	derive(to, from, was, head, same_tail(to, from, tail_room(was, to, from, head)));
}

void
classifier_free(struct classifier *c)
{
	while (c) {
		struct classifier *replaced = c->replaced;

		tree_put(c->tree);
		free(c);
		c = replaced;
	}
}

/* Rules from `tail` on. The tree counts in its own numbers. */
static uint32_t
tail_next(const struct classifier *c, struct classifier_key *key, uint32_t from)
{
	uint32_t i = tree_next(c->tree, key, (uint32_t)(from - c->shift));

	return i == c->tree->n_rules ? c->n_rules
				     : (uint32_t)RTE_MIN(i + c->shift, (int64_t)c->n_rules);
}

uint32_t
classifier_next(const struct classifier *c, struct classifier_key *key, uint32_t from)
{
	uint32_t i;

	if (from < c->head) {
		i = tree_next(c->tree, key, from);
		if (i < c->head)
			return i;
		from = c->head;
	}
	if (from < c->tail || from >= c->n_rules)
		return from;
	return tail_next(c, key, from);
}

size_t
classifier_memory(const struct classifier *c)
{
	return sizeof(*c) + c->tree->memory;
}
