/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rule goes on with the counters and the state of which rule before: the k-th of several
 * equal rules of a chain with the k-th of the chain of the same name. Most changes add or remove
 * one rule of many, so what both chains begin with is paired off first, and the rest by hash.
 */
#include "filters/ruleset_build.h"

#include "filters/classifier.h"
#include "filters/rules_index.h"

#include <errno.h>
#include <stdlib.h>

/* Rules of the chain before that nobody took over yet, by hash; equal ones in their order. */
struct pool {
	const struct rules_rule *rules;
	const struct ruleset_rule *built;
	uint32_t n, mask;
	uint32_t *heads, *next; /* index + 1; 0: the end */
	uint64_t *hashes;
};

/* One chain that gets its lives. */
struct heir {
	struct build *b;
	struct ruleset_chain *chain;
	const struct rules_chain *tree;
	const struct ruleset_chain *before; /* of the same name, or NULL */
	const struct rules_chain *tree_before;
};

static uint64_t
mix(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t word;

	for (; n > 0; at += word, n -= word) {
		uint64_t v = 0;

		word = n < 8 ? n : 8;
		memcpy(&v, at, word);
		hash = (hash ^ v ^ word << 56) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash;
}

static uint64_t
mix_text(uint64_t hash, const char *text)
{
	return mix(hash, text, strlen(text) + 1);
}

static uint64_t
mix_ext(uint64_t hash, const struct rules_ext *e)
{
	hash = mix_text(hash ^ e->revision, e->name);
	return mix(hash, e->data, e->size);
}

static uint64_t
rule_hash(const struct rules_rule *r)
{
	const uint32_t head[] = {r->src.v4, r->src_mask.v4, r->dst.v4, r->dst_mask.v4, r->proto,
		r->flags, r->action, r->n_matches};
	uint64_t hash = mix(0, head, sizeof(head));
	uint16_t i;

	hash = mix_text(mix_text(hash, r->in), r->out);
	for (i = 0; i < r->n_matches; i++)
		hash = mix_ext(hash, &r->matches[i]);
	if (r->action == ACTION_JUMP || r->action == ACTION_GOTO)
		return mix_text(hash, r->chain);
	return r->action == ACTION_TARGET ? mix_ext(hash, &r->target) : hash;
}

static void
pool_fini(struct pool *p)
{
	free(p->heads);
	free(p->next);
	free(p->hashes);
}

/* The rules of the chain before from `from` on. */
static int
pool_init(struct pool *p, const struct heir *h, uint32_t from)
{
	size_t size = 8;
	uint32_t i;

	*p = (struct pool){.rules = h->tree_before->rules, .built = h->before->rules};
	p->n = h->before->n_rules;
	while (size < p->n)
		size *= 2;
	p->mask = (uint32_t)(size - 1);
	p->heads = calloc(size, sizeof(*p->heads));
	p->next = calloc(p->n + (size_t)1, sizeof(*p->next));
	p->hashes = calloc(p->n + (size_t)1, sizeof(*p->hashes));
	if (!p->heads || !p->next || !p->hashes) {
		pool_fini(p);
		return -ENOMEM;
	}
	for (i = p->n; i > from; i--) {
		uint32_t *head;

		p->hashes[i - 1] = rule_hash(&p->rules[i - 1]);
		head = &p->heads[p->hashes[i - 1] & p->mask];
		p->next[i - 1] = *head;
		*head = i;
	}
	return 0;
}

/* Takes the first equal rule out. => its live, or NULL. */
static struct rule_live *
pool_take(struct pool *p, const struct rules_rule *rule)
{
	uint64_t hash = rule_hash(rule);
	uint32_t *at, i;

	for (at = &p->heads[hash & p->mask]; *at; at = &p->next[i]) {
		i = *at - 1;
		if (p->hashes[i] != hash || !rules_rule_equal(&p->rules[i], rule))
			continue;
		*at = p->next[i];
		return p->built[i].live;
	}
	return NULL;
}

static struct rule_live *
live_new(uint32_t state_size)
{
	struct rule_live *live = calloc(1, sizeof(*live) + state_size);

	if (live) {
		live->refs = 1;
		live->state_size = state_size;
	}
	return live;
}

static uint32_t
rule_state_size(const struct ruleset_rule *rule)
{
	uint32_t size = rule->target.ops ? state_room(rule->target.ops->state_size) : 0;
	uint8_t i;

	for (i = 0; i < rule->n_matches; i++)
		size += state_room(rule->matches[i].ops->state_size);
	return size;
}

static void
place_states(struct ruleset_rule *rule)
{
	struct ruleset_match *m = (struct ruleset_match *)rule->matches;
	uint8_t *at = rule->live->state;
	uint8_t i;

	for (i = 0; i < rule->n_matches; i++) {
		m[i].state = at;
		at += state_room(m[i].ops->state_size);
	}
	rule->target.state = at;
}

int
build_live(struct ruleset_rule *rule, struct rule_live *live, uint8_t how)
{
	if (live) {
		live->refs++;
		rule->live = live;
	} else {
		rule->live = live_new(rule_state_size(rule));
		if (!rule->live)
			return -ENOMEM;
	}
	if (!rule->live->started)
		rule->begin |= RULE_BEGIN_START;
	if (how != COUNT_KEEP)
		rule->begin |= RULE_BEGIN_COUNT;
	place_states(rule);
	return 0;
}

/* Number of rules that both chains begin with. */
static uint32_t
common(const struct heir *h)
{
	uint32_t i = 0;

	if (!h->before)
		return 0;
	while (i < h->chain->n_rules && i < h->before->n_rules &&
		rules_rule_equal(&h->tree->rules[i], &h->tree_before->rules[i]))
		i++;
	return i;
}

static int
adopt_rest(const struct heir *h, uint32_t from)
{
	bool any = h->before && from < h->before->n_rules && from < h->chain->n_rules;
	struct rule_live *live;
	struct pool pool;
	uint32_t i;
	int err = 0;

	if (any && pool_init(&pool, h, from) < 0)
		return -ENOMEM;
	for (i = from; i < h->chain->n_rules && err == 0; i++) {
		live = any ? pool_take(&pool, &h->tree->rules[i]) : NULL;
		err = build_live(&h->chain->rules[i], live, h->tree->rules[i].count.how);
	}
	if (any)
		pool_fini(&pool);
	return err;
}

static int
chain_adopt(const struct heir *h)
{
	uint32_t n = common(h), i;
	int err = 0;

	if (h->chain->hook >= 0) {
		h->chain->live = h->before ? h->before->live : NULL;
		if (h->chain->live)
			h->chain->live->refs++;
		else
			h->chain->live = live_new(0);
		if (!h->chain->live)
			return -ENOMEM;
	}
	for (i = 0; i < n && err == 0; i++)
		err = build_live(
			&h->chain->rules[i], h->before->rules[i].live, h->tree->rules[i].count.how);
	return err < 0 ? err : adopt_rest(h, n);
}

static void
find_before(struct heir *h, enum rules_table t, const struct rules_index *names)
{
	uint32_t at;

	h->before = NULL;
	if (!h->b->before)
		return;
	at = rules_index_find(names, h->chain->name);
	if (at == RULES_INDEX_NONE)
		return;
	h->before = h->b->before->tables[t].chains[at];
	h->tree_before = h->b->before->rules->tables[t].chains[at];
}

static int
index_before(const struct build *b, enum rules_table t, struct rules_index *names)
{
	const struct ruleset_table *tab = b->before ? &b->before->tables[t] : NULL;
	uint32_t n = tab ? tab->n_chains : 0, i;

	if (rules_index_init(names, n) < 0)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		rules_index_add(names, tab->chains[i]->name, i);
	return 0;
}

int
build_lives(struct build *b, enum rules_table t)
{
	struct ruleset_table *tab = &b->ruleset->tables[t];
	struct heir h = {.b = b};
	struct rules_index names;
	uint32_t i;
	int err = 0;

	if (index_before(b, t, &names) < 0)
		return build_no_memory(b);
	for (i = 0; i < tab->n_chains && err == 0; i++) {
		h.chain = tab->chains[i];
		h.tree = b->ruleset->rules->tables[t].chains[i];
		find_before(&h, t, &names);
		err = chain_adopt(&h);
		if (err == 0 && h.before)
			classifier_inherit(h.chain, h.before);
	}
	rules_index_fini(&names);
	return err < 0 ? build_no_memory(b) : 0;
}

static void
stop_states(const struct ruleset_rule *rule)
{
	uint8_t i;

	for (i = 0; i < rule->n_matches; i++)
		if (rule->matches[i].ops->stop)
			rule->matches[i].ops->stop(rule->matches[i].state);
	if (rule->target.ops && rule->target.ops->stop)
		rule->target.ops->stop(rule->target.state);
}

void
rule_live_put(struct rule_live *live, const struct ruleset_rule *rule)
{
	if (--live->refs > 0)
		return;
	if (rule && live->started)
		stop_states(rule);
	free(live);
}
