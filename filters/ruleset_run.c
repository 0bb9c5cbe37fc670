/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter: packets through the chains of one table, rule by rule, as ipt_do_table() of
 * net/ipv4/netfilter/ip_tables.c. It is the reference for what rules mean; the compiled form of a
 * chain (classifier.h) only tells it which rules it need not look at.
 *
 * What follows from the kernel's form of a table, and holds here too:
 * - A goto leaves no way back, so the end of its chain is the end of the chain that it was said in.
 * - RETURN, or the end of a chain, with no way back is the policy of the hook's built-in chain,
 * wherever that happens.
 * - A match that finds the packet malformed ends it, but only after the rest of its rule was done
 * if the rule went on to match.
 * - TRACE calls an unconditional rule with a final verdict, or RETURN, what such a rule is at the
 * end of a chain: "policy" in a built-in chain, "return" in the user's.
 */
#include "filters/classifier.h"
#include "filters/packet_line.h"
#include "filters/ruleset.h"

#include <stdio.h>

enum { LEVEL_WARNING = 4 }; /* of TRACE lines, as syslog's */

/* What a rule's header is compared with. */
struct header {
	uint32_t src, dst; /* network byte order */
	uint64_t in[2], out[2];
	uint8_t proto;
	bool later_fragment;
};

struct frame {
	const struct ruleset_chain *chain;
	uint32_t next; /* rule to go on with */
};

struct walk {
	struct filter_ctx *ctx;
	const struct ruleset_table *table;
	const struct ruleset_chain *chain; /* where it is */
	const struct ruleset_chain *entry; /* the built-in chain */
	const struct ruleset_rule *rule;   /* the one that matched */
	uint32_t next;                     /* the rule after it */
	uint32_t depth;
	bool key_ready; /* until a target ran: it may have changed what the key holds */
	struct header header;
	struct classifier_key key;
	struct frame frames[RULESET_DEPTH_MAX];
};

/* The sixteen bytes that begin n before its middle are the mask of a name's first n bytes. */
static const _Alignas(32) uint8_t ones[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static inline bool
name_differs(const uint64_t *name, const uint64_t *rule, uint8_t len)
{
	uint64_t mask[2];

	memcpy(mask, ones + 16 - len, sizeof(mask));
	return (((name[0] ^ rule[0]) & mask[0]) | ((name[1] ^ rule[1]) & mask[1])) != 0;
}

static void
header_load(struct header *h, const struct filter_ctx *c)
{
	const struct iphdr *ip = pkt_ip4(c->p);

	h->src = ip->saddr;
	h->dst = ip->daddr;
	h->proto = ip->protocol;
	h->later_fragment = (c->p->flags & PKT_LATER_FRAGMENT) != 0;
}

static void
header_init(struct header *h, const struct filter_ctx *c)
{
	memset(h->in, 0, sizeof(h->in));
	memset(h->out, 0, sizeof(h->out));
	if (c->in)
		memcpy(h->in, c->in->name, sizeof(h->in));
	if (c->out)
		memcpy(h->out, c->out->name, sizeof(h->out));
	header_load(h, c);
}

static inline bool
rest_matches(const struct ruleset_rule *r, const struct header *h)
{
	if (name_differs(h->in, r->in, r->in_len) != ((r->flags & RULE_NOT_IN) != 0))
		return false;
	if (name_differs(h->out, r->out, r->out_len) != ((r->flags & RULE_NOT_OUT) != 0))
		return false;
	if (r->flags & RULE_FRAGMENT)
		return h->later_fragment;
	return !(r->flags & RULE_NOT_FRAGMENT) || !h->later_fragment;
}

/* Which of the three differs is anybody's guess, so there is one branch for all of them. */
static inline __attribute__((always_inline)) bool
header_matches(const struct ruleset_rule *r, const struct header *h)
{
	enum { REST = RULE_FRAGMENT | RULE_NOT_FRAGMENT | RULE_NOT_IN | RULE_NOT_OUT };
	unsigned src = ((h->src & r->src_mask) != r->src) ^ ((r->flags & RULE_NOT_SRC) != 0);
	unsigned dst = ((h->dst & r->dst_mask) != r->dst) ^ ((r->flags & RULE_NOT_DST) != 0);
	unsigned proto =
		(r->proto != 0) & ((h->proto != r->proto) ^ ((r->flags & RULE_NOT_PROTO) != 0));

	if (src | dst | proto)
		return false;
	return !(r->in_len | r->out_len | (r->flags & REST)) || rest_matches(r, h);
}

bool
rule_header_matches(const struct ruleset_rule *rule, const struct filter_ctx *c)
{
	struct header h;

	header_init(&h, c);
	return header_matches(rule, &h);
}

/* As scan(), with the compiled form. The key is made when it is first wanted: many packets never
 * come to such a chain. */
static uint32_t
scan_compiled(struct walk *w, const struct classifier *classifier)
{
	const struct ruleset_chain *c = w->chain;
	uint32_t i;

	if (!w->key_ready)
		classifier_key(&w->key, w->ctx);
	w->key_ready = true;
	for (i = classifier_next(classifier, &w->key, w->next); i < c->n_rules;
		i = classifier_next(classifier, &w->key, i + 1))
		if (header_matches(&c->rules[i], &w->header))
			return i;
	return c->n_rules;
}

/* => the next rule whose header matches, n_rules: none. */
static uint32_t
scan(struct walk *w)
{
	const struct ruleset_chain *c = w->chain;
	const struct classifier *classifier =
		atomic_load_explicit(&c->classifier, memory_order_acquire);
	const struct header h = w->header;
	uint32_t i;

	if (classifier)
		return scan_compiled(w, classifier);
	for (i = w->next; i < c->n_rules; i++)
		if (header_matches(&c->rules[i], &h))
			break;
	return i;
}

static bool
matches_hold(const struct ruleset_rule *rule, struct filter_ctx *ctx)
{
	const struct ruleset_match *m, *end = rule->matches + rule->n_matches;

	for (m = rule->matches; m != end; m++) {
		if (m->ops->reads == READS_NEVER)
			record_refuse(ctx->p->recorder, m->ops->name);
		if (!m->ops->match(ctx, m->options, m->state))
			return false;
	}
	return true;
}

static void
live_hit(struct rule_live *live, const struct filter_ctx *ctx)
{
	live->packets++;
	live->bytes += pkt_len(ctx->p);
	record_credit(ctx->p->recorder, &live->packets, &live->bytes, 0, false);
}

/* Line of rule `number` of the present chain. `kind`: rule, return, policy. */
static void
trace(const struct walk *w, const struct ruleset_chain *chain, const char *kind, uint32_t number)
{
	struct env *env = w->ctx->env;
	char line[PACKET_LINE_SIZE + 128];
	int n;

	if (!env->ops->log)
		return;
	n = snprintf(line, sizeof(line), "TRACE: %s:%s:%s:%u ",
		rules_table_name((enum rules_table)w->ctx->table), chain->name, kind, number);
	packet_line(w->ctx, line + n, sizeof(line) - (size_t)n);
	env->ops->log(env, w->ctx->p, LEVEL_WARNING, line);
}

static bool
looks_like_an_end(const struct ruleset_rule *r)
{
	if (r->action == ACTION_NONE || r->action >= ACTION_JUMP || r->n_matches)
		return false;
	return !(r->src | r->src_mask | r->dst | r->dst_mask | r->proto) && !r->flags &&
	       !r->in_len && !r->out_len;
}

static void
trace_rule(const struct walk *w)
{
	const char *end = w->chain->hook >= 0 ? "policy" : "return";

	trace(w, w->chain, looks_like_an_end(w->rule) ? end : "rule", w->next);
}

static bool
traced(const struct walk *w)
{
	return unlikely(w->ctx->p->flags & PKT_TRACE);
}

static enum filter_verdict
take_policy(struct walk *w)
{
	live_hit(w->entry->live, w->ctx);
	if (traced(w))
		trace(w, w->entry, "policy", w->entry->n_rules + 1);
	w->ctx->why = DROP_POLICY;
	return w->entry->policy == ACTION_ACCEPT ? FILTER_ACCEPT : FILTER_DROP;
}

/* To where the last jump came from. */
static enum filter_verdict
go_back(struct walk *w)
{
	if (w->depth == 0)
		return take_policy(w);
	w->depth--;
	w->chain = w->frames[w->depth].chain;
	w->next = w->frames[w->depth].next;
	return FILTER_CONTINUE;
}

static enum filter_verdict
reach_end(struct walk *w)
{
	if (w->chain->hook < 0 && traced(w))
		trace(w, w->chain, "return", w->chain->n_rules + 1);
	return go_back(w);
}

static void
enter(struct walk *w, const struct ruleset_chain *chain)
{
	w->chain = chain;
	w->next = 0;
}

static enum filter_verdict
run_target(struct walk *w)
{
	const struct ruleset_rule *rule = w->rule;
	enum filter_verdict v;

	if (rule->target.ops->reads == READS_NEVER)
		record_refuse(w->ctx->p->recorder, rule->target.ops->name);
	v = rule->target.ops->run(w->ctx, rule->target.options, rule->target.state);
	if (v == FILTER_RETURN)
		return go_back(w);
	if (v == FILTER_CONTINUE) {
		header_load(&w->header, w->ctx);
		w->key_ready = false;
	}
	return v;
}

static enum filter_verdict
act(struct walk *w)
{
	w->ctx->why = DROP_RULE;
	switch (w->rule->action) {
	case ACTION_ACCEPT:
		return FILTER_ACCEPT;
	case ACTION_DROP:
		return FILTER_DROP;
	case ACTION_QUEUE:
		w->ctx->queue = 0;
		w->ctx->queue_flags = 0;
		return FILTER_QUEUE;
	case ACTION_RETURN:
		return go_back(w);
	case ACTION_JUMP:
		w->frames[w->depth++] = (struct frame){w->chain, w->next};
		/* fall through */
	case ACTION_GOTO:
		enter(w, w->table->chains[w->rule->to]);
		return FILTER_CONTINUE;
	case ACTION_TARGET:
		return run_target(w);
	}
	return FILTER_CONTINUE;
}

/* To the next rule that matches, or the end of the chain, and what follows from it. */
static enum filter_verdict
step(struct walk *w)
{
	uint32_t i = scan(w);

	w->next = i + 1;
	if (i == w->chain->n_rules)
		return reach_end(w);
	w->rule = &w->chain->rules[i];
	if (!matches_hold(w->rule, w->ctx))
		return FILTER_CONTINUE;
	live_hit(w->rule->live, w->ctx);
	if (traced(w))
		trace_rule(w);
	return act(w);
}

static enum filter_verdict
walk(struct walk *w)
{
	enum filter_verdict v;

	do
		v = step(w);
	while (v == FILTER_CONTINUE && !w->ctx->malformed);
	if (!w->ctx->malformed || v == FILTER_STOLEN)
		return v;
	w->ctx->why = DROP_RULE_MALFORMED;
	return FILTER_DROP;
}

enum filter_verdict
ruleset_run(const struct ruleset *r, struct filter_ctx *ctx)
{
	const struct ruleset_chain *entry = r->tables[ctx->table].entry[ctx->hook];
	struct walk w;

	if (!entry || ctx->p->family != AF_INET)
		return FILTER_ACCEPT;
	ctx->malformed = false;
	w.ctx = ctx;
	w.table = &r->tables[ctx->table];
	w.chain = w.entry = entry;
	w.next = w.depth = 0;
	w.key_ready = false;
	header_init(&w.header, ctx);
	return walk(&w);
}
