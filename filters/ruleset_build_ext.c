/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ruleset_build.h"

#include <errno.h>
#include <stdio.h>

/* Where an extension of a rule is, and what its ops allow: the same for matches and targets. */
struct place {
	struct build *b;
	enum rules_table table;
	const struct ruleset_chain *chain;
	uint32_t number; /* of the rule, from 1 */
	const struct rules_rule *rule;
	const char *kind; /* "match", "target" */
	const struct rules_ext *ext;
	uint32_t tables, hooks;
	uint32_t needs; /* of the extension; check() may take some back */
	uint8_t *rule_needs;
	uint16_t size, proto;
};

#define REFUSE(p, format, ...)                                                                     \
	build_refuse((p)->b, (p)->table, (p)->chain->name, (p)->number, "%s %s" format, (p)->kind, \
		(p)->ext->name, ##__VA_ARGS__)

static int
refuse_proto(const struct place *p)
{
	switch (p->proto) {
	case IPPROTO_TCP:
		return REFUSE(p, " needs -p tcp");
	case IPPROTO_UDP:
		return REFUSE(p, " needs -p udp");
	case IPPROTO_ICMP:
		return REFUSE(p, " needs -p icmp");
	}
	return REFUSE(p, " needs -p %u", p->proto);
}

/* What the kernel asks of every extension before its own check (xt_check_match(),
 * xt_check_target()). */
static int
check_place(const struct place *p)
{
	uint32_t wrong = p->hooks ? p->chain->hooks & ~p->hooks : 0;

	if (p->ext->size != p->size)
		return REFUSE(p, ": options of %u bytes, %u expected", p->ext->size, p->size);
	if (p->tables && !(p->tables >> p->table & 1))
		return REFUSE(p, " is not allowed in table %s", rules_table_name(p->table));
	if (wrong)
		return REFUSE(p, " is not allowed from %s",
			rules_hook_name((enum rules_hook)__builtin_ctz(wrong)));
	if (p->proto && (p->rule->proto != p->proto || p->rule->flags & RULE_NOT_PROTO))
		return refuse_proto(p);
	return 0;
}

static int
check_options(struct place *p, int (*check)(const struct ext_check *, const void *, void **),
	void **prepared)
{
	char why[384] = "";
	const struct ext_check c = {
		.rule = p->rule,
		.router = p->b->router,
		.live = p->b->live,
		.table = (uint8_t)p->table,
		.hooks = p->chain->hooks,
		.chain = p->chain->name,
		.needs = &p->needs,
		.why = why,
		.why_size = sizeof(why),
	};
	int err = check ? check(&c, p->ext->data, prepared) : 0;

	if (err == -ENOMEM)
		return build_no_memory(p->b);
	if (err < 0)
		return REFUSE(p, ": %s", why);
	return 0;
}

static bool
any_revision(const char *kind, const char *name)
{
	unsigned revision;

	for (revision = 0; revision <= UINT8_MAX; revision++)
		if (kind[0] == 'm' ? match_find(name, (uint8_t)revision) != NULL
				   : target_find(name, (uint8_t)revision) != NULL)
			return true;
	return false;
}

static int
refuse_unknown(const struct place *p)
{
	if (any_revision(p->kind, p->ext->name))
		return REFUSE(p, " is not supported in revision %u", p->ext->revision);
	return REFUSE(p, " is not supported");
}

static int
build_match(struct place *p, struct ruleset_match *m)
{
	const struct match_ops *ops = match_find(p->ext->name, p->ext->revision);
	int err;

	if (!ops)
		return refuse_unknown(p);
	p->tables = ops->tables;
	p->hooks = ops->hooks;
	p->size = ops->size;
	p->proto = ops->proto;
	p->needs = ops->needs;
	err = check_place(p);
	if (err < 0)
		return err;
	m->ops = ops;
	err = check_options(p, ops->check, &m->prepared);
	if (err < 0)
		return err;
	m->options = m->prepared ? m->prepared : p->ext->data;
	*p->rule_needs |= (uint8_t)p->needs;
	return 0;
}

static int
build_target(struct place *p, struct ruleset_rule *rule)
{
	const struct target_ops *ops = target_find(p->ext->name, p->ext->revision);
	int err;

	if (!ops)
		return refuse_unknown(p);
	p->tables = ops->tables;
	p->hooks = ops->hooks;
	p->size = ops->size;
	p->proto = ops->proto;
	p->needs = ops->needs;
	err = check_place(p);
	if (err < 0)
		return err;
	rule->target.ops = ops;
	err = check_options(p, ops->check, &rule->target.prepared);
	if (err < 0)
		return err;
	rule->target.options = rule->target.prepared ? rule->target.prepared : p->ext->data;
	*p->rule_needs |= (uint8_t)p->needs;
	return 0;
}

static int
build_place(struct place *p, struct ruleset_rule *rule)
{
	struct ruleset_match *m = (struct ruleset_match *)rule->matches;
	uint16_t i;
	int err;

	p->kind = "match";
	for (i = 0; i < p->rule->n_matches; i++) {
		p->ext = &p->rule->matches[i];
		err = build_match(p, &m[i]);
		if (err < 0)
			return err;
	}
	if (p->rule->action != ACTION_TARGET)
		return 0;
	p->kind = "target";
	p->ext = &p->rule->target;
	return build_target(p, rule);
}

int
build_rule(struct build *b, enum rules_table t, const struct ruleset_chain *chain, uint32_t number, const struct rules_rule *rule,
	struct ruleset_rule *to)
{
	struct place p = {
		.b = b, .table = t, .chain = chain, .number = number, .rule = rule, .rule_needs = &to->needs};

	return build_place(&p, to);
}

int
build_extensions(struct build *b, enum rules_table t)
{
	struct ruleset_table *tab = &b->ruleset->tables[t];
	uint32_t i, j;
	int err;

	for (i = 0; i < tab->n_chains; i++) {
		const struct rules_chain *tree = b->ruleset->rules->tables[t].chains[i];
		struct ruleset_chain *c = tab->chains[i];

		for (j = 0; j < c->n_rules; j++) {
			err = build_rule(b, t, c, j + 1, &tree->rules[j], &c->rules[j]);
			if (err < 0)
				return err;
			c->n_needing += (c->rules[j].needs & NEEDS_CONNTRACK) != 0;
		}
	}
	return 0;
}

void
build_needs(struct ruleset *r)
{
	uint32_t i;
	uint8_t t;

	r->needs = 0;
	for (t = 0; t < TABLE_COUNT; t++)
		for (i = 0; i < r->tables[t].n_chains; i++)
			if (r->tables[t].chains[i]->n_needing || (t == TABLE_NAT && r->tables[t].chains[i]->n_rules))
				r->needs |= NEEDS_CONNTRACK;
}
