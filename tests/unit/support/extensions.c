/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/extensions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct pkt *
ext_pkt(struct test_env *env, struct test_router *t, const void *bytes, size_t len,
	const size_t *sizes, size_t n)
{
	struct pkt *p = test_chain(env, bytes, len, sizes, n);
	enum drop_reason why = pkt_parse(p);

	if (why != DROP_NONE) {
		fprintf(stderr, "packet of a test: %s\n", drop_text(why));
		abort();
	}
	p->router = &t->r;
	return p;
}

struct filter_ctx
ext_ctx(struct test_env *env, struct test_router *t, struct pkt *p, enum rules_hook hook)
{
	uint16_t in = hook == RULES_OUTPUT || hook == RULES_POSTROUTING ? 0 : TEST_ETH0;
	uint16_t out = hook == RULES_PREROUTING || hook == RULES_INPUT ? 0 : TEST_ETH1;

	return (struct filter_ctx){
		.env = &env->env,
		.router = &t->r,
		.p = p,
		.in = router_iface(&t->r, in),
		.out = router_iface(&t->r, out),
		.hook = (uint8_t)hook,
		.table = TABLE_MANGLE,
		.l4 = !(p->flags & PKT_LATER_FRAGMENT),
		.why = DROP_RULE,
	};
}

/* Options as a ruleset has them: padded, in a block that ends where they end. */
static void *
options_of(const void *options, size_t size, size_t padded)
{
	void *copy = calloc(1, padded);

	assert(copy && size <= padded);
	memcpy(copy, options, size);
	return copy;
}

static const char *
judge(int (*check)(const struct ext_check *, const void *, void **), const void *options,
	const struct rules_rule *rule, uint32_t hooks, void **prepared)
{
	static char why[200];
	const struct rules_rule empty = {0};
	uint32_t needs = 0;
	struct ext_check c = {.rule = rule ? rule : &empty,
		.hooks = hooks,
		.needs = &needs,
		.why = why,
		.why_size = sizeof(why)};

	*why = '\0';
	if (!check || check(&c, options, prepared) == 0)
		return "";
	assert(*why && !*prepared);
	return why;
}

enum ext_answer
ext_ask(struct filter_ctx *c, const char *name, uint8_t revision, const void *options, size_t size)
{
	const struct match_ops *m = match_find(name, revision);
	void *copy, *prepared = NULL;
	bool yes;

	assert(m && m->state_size == 0);
	copy = options_of(options, size, m->size);
	if (m->check) {
		const struct rules_rule rule = {.proto = IPPROTO_TCP};

		if (*judge(m->check, copy, &rule, 0, &prepared))
			abort();
	}
	c->malformed = false;
	yes = m->match(c, prepared ? prepared : copy, NULL);
	assert(!yes || !c->malformed);
	if (prepared)
		m->release(prepared);
	free(copy);
	return c->malformed ? CONDEMNED : yes ? YES : NO;
}

enum ext_answer
ext_ask_recorded(struct filter_ctx *c, const char *name, uint8_t revision, const void *options,
	size_t size, struct recorder *r)
{
	enum ext_answer answer;

	memset(r, 0, sizeof(*r));
	c->p->recorder = r;
	answer = ext_ask(c, name, revision, options, size);
	c->p->recorder = NULL;
	return answer;
}

enum filter_verdict
ext_run(struct filter_ctx *c, const char *name, uint8_t revision, const void *options, size_t size)
{
	const struct target_ops *t = target_find(name, revision);
	enum filter_verdict v;
	void *copy;

	assert(t && t->state_size == 0);
	copy = options_of(options, size, t->size);
	v = t->run(c, copy, NULL);
	free(copy);
	return v;
}

const char *
ext_match_refusal(const char *name, uint8_t revision, const void *options, size_t size,
	const struct rules_rule *rule, uint32_t hooks)
{
	const struct match_ops *m = match_find(name, revision);
	void *copy, *prepared = NULL;
	const char *why;

	assert(m);
	copy = options_of(options, size, m->size);
	why = judge(m->check, copy, rule, hooks, &prepared);
	if (prepared)
		m->release(prepared);
	free(copy);
	return why;
}

const char *
ext_target_refusal(const char *name, uint8_t revision, const void *options, size_t size,
	const struct rules_rule *rule, uint32_t hooks)
{
	const struct target_ops *t = target_find(name, revision);
	void *copy, *prepared = NULL;
	const char *why;

	assert(t);
	copy = options_of(options, size, t->size);
	why = judge(t->check, copy, rule, hooks, &prepared);
	if (prepared)
		t->release(prepared);
	free(copy);
	return why;
}
