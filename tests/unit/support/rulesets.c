/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/rulesets.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 64 };

struct reader {
	struct rules *rules;
	const struct test_ext *exts;
	struct rules_tab *table;
	char *words[WORDS_MAX + 1]; /* of the present line, NULL behind the last */
	size_t at;
};

static void __attribute__((noreturn)) unreadable(const char *what, const char *word)
{
	fprintf(stderr, "rules of a test: %s: %s\n", what, word ? word : "the line ends");
	abort();
}

static char *
next(struct reader *r)
{
	char *word = r->words[r->at];

	if (!word)
		unreadable("a word is missing", NULL);
	r->at++;
	return word;
}

static void
copy_name(char *to, size_t size, const char *from)
{
	if (strlen(from) >= size)
		unreadable("too long", from);
	memcpy(to, from, strlen(from) + 1);
}

static void
read_addr(char *text, struct ip_addr *addr, struct ip_addr *mask)
{
	char *slash = strchr(text, '/');

	*mask = ip4(UINT32_MAX);
	if (slash) {
		*slash++ = '\0';
		*mask = strchr(slash, '.') ? test_addr(slash)
					   : ip4(ip4_mask((unsigned)atoi(slash)));
	}
	*addr = test_addr(text);
	addr->v4 &= mask->v4;
}

static uint16_t
read_proto(const char *word)
{
	struct protoent *known;

	if (isdigit((unsigned char)*word))
		return (uint16_t)atoi(word);
	known = getprotobyname(word);
	if (!known)
		unreadable("protocol", word);
	return (uint16_t)known->p_proto;
}

static void
fill_ext(struct rules *r, struct rules_ext *to, const struct test_ext *from)
{
	memset(to, 0, sizeof(*to));
	copy_name(to->name, sizeof(to->name), from->name);
	to->revision = from->revision;
	to->size = from->size;
	if (!from->size)
		return;
	to->data = rules_alloc(r, from->size);
	if (!to->data)
		abort();
	memcpy(to->data, from->options, from->size);
}

struct rules_rule
test_rule(void)
{
	const struct ip_addr any = ip4(0);

	return (struct rules_rule){.src = any, .src_mask = any, .dst = any, .dst_mask = any};
}

void
test_rule_match(struct rules *r, struct rules_rule *rule, const struct test_ext *ext)
{
	struct rules_ext *grown = rules_alloc(r, (rule->n_matches + 1u) * sizeof(*grown));

	if (!grown)
		abort();
	if (rule->n_matches)
		memcpy(grown, rule->matches, rule->n_matches * sizeof(*grown));
	fill_ext(r, &grown[rule->n_matches++], ext);
	rule->matches = grown;
}

void
test_rule_target(struct rules *r, struct rules_rule *rule, const struct test_ext *ext)
{
	rule->action = ACTION_TARGET;
	fill_ext(r, &rule->target, ext);
}

static const struct test_ext *
ext_of(const struct reader *r, const char *word)
{
	if (*word != '@' || !r->exts)
		unreadable("extension", word);
	return &r->exts[atoi(word + 1)];
}

static void
read_target(struct reader *r, struct rules_rule *rule, const char *word)
{
	static const char *const names[] = {[ACTION_ACCEPT] = "ACCEPT",
		[ACTION_DROP] = "DROP",
		[ACTION_QUEUE] = "QUEUE",
		[ACTION_RETURN] = "RETURN"};
	uint8_t i;

	if (*word == '@') {
		test_rule_target(r->rules, rule, ext_of(r, word));
		return;
	}
	for (i = ACTION_ACCEPT; i <= ACTION_RETURN; i++)
		if (strcmp(names[i], word) == 0) {
			rule->action = i;
			return;
		}
	rule->action = ACTION_JUMP;
	copy_name(rule->chain, sizeof(rule->chain), word);
}

static void
read_count(struct reader *r, struct rules_count *c, enum rules_counting how)
{
	c->how = (uint8_t)how;
	c->packets = strtoull(next(r), NULL, 10);
	c->bytes = strtoull(next(r), NULL, 10);
}

static void
read_option(struct reader *r, struct rules_rule *rule, char option, bool not )
{
	switch (option) {
	case 's':
		read_addr(next(r), &rule->src, &rule->src_mask);
		rule->flags |= not ? RULE_NOT_SRC : 0;
		break;
	case 'd':
		read_addr(next(r), &rule->dst, &rule->dst_mask);
		rule->flags |= not ? RULE_NOT_DST : 0;
		break;
	case 'i':
		copy_name(rule->in, sizeof(rule->in), next(r));
		rule->flags |= not ? RULE_NOT_IN : 0;
		break;
	case 'o':
		copy_name(rule->out, sizeof(rule->out), next(r));
		rule->flags |= not ? RULE_NOT_OUT : 0;
		break;
	case 'p':
		rule->proto = read_proto(next(r));
		rule->flags |= not ? RULE_NOT_PROTO : 0;
		break;
	case 'f':
		rule->flags |= not ? RULE_NOT_FRAGMENT : RULE_FRAGMENT;
		break;
	default:
		unreadable("option", (char[]){option, '\0'});
	}
}

static void
read_rule(struct reader *r)
{
	struct rules_chain *chain = rules_chain(r->table, next(r));
	struct rules_rule rule = test_rule();
	bool not = false;

	if (!chain)
		unreadable("no such chain", r->words[r->at - 1]);
	for (; r->words[r->at]; not = false) {
		const char *word = next(r);

		if (strcmp(word, "!") == 0) {
			not = true;
			word = next(r);
		}
		if (strcmp(word, "-m") == 0)
			test_rule_match(r->rules, &rule, ext_of(r, next(r)));
		else if (strcmp(word, "-j") == 0)
			read_target(r, &rule, next(r));
		else if (strcmp(word, "-c") == 0)
			read_count(r, &rule.count, COUNT_SET);
		else if (strcmp(word, "-z") == 0)
			read_count(r, &rule.count, COUNT_SUBTRACT);
		else if (strcmp(word, "-g") == 0) {
			rule.action = ACTION_GOTO;
			copy_name(rule.chain, sizeof(rule.chain), next(r));
		} else
			read_option(r, &rule, word[1], not );
	}
	if (rules_rule_insert(r->rules, chain, chain->n_rules, &rule) < 0)
		abort();
}

static void
read_chain(struct reader *r, const char *name)
{
	const char *policy = next(r);
	struct rules_chain *c = rules_chain(r->table, name);

	if (!c)
		c = rules_chain_add(r->rules, r->table, name);
	if (!c)
		abort();
	if (strcmp(policy, "DROP") == 0)
		c->policy = ACTION_DROP;
	if (r->words[r->at]) {
		c->count.how = COUNT_SET;
		if (sscanf(next(r), "[%" SCNu64 ":%" SCNu64 "]", &c->count.packets,
			    &c->count.bytes) != 2)
			unreadable("counters", r->words[r->at - 1]);
	}
}

static void
read_line(struct reader *r, char *line)
{
	char *save, *word;
	size_t n = 0;

	for (word = strtok_r(line, " \t", &save); word && n < WORDS_MAX;
		word = strtok_r(NULL, " \t", &save))
		r->words[n++] = word;
	r->words[n] = NULL;
	r->at = 0;
	if (n == 0)
		return;
	word = next(r);
	if (*word == '*') {
		enum rules_table t = rules_table_of(word + 1);

		r->table = t < TABLE_COUNT ? rules_table(r->rules, t) : NULL;
	}
	if (!r->table)
		unreadable("table", word);
	if (*word == ':')
		read_chain(r, word + 1);
	else if (strcmp(word, "-A") == 0)
		read_rule(r);
}

struct rules *
test_rules(const char *text, const struct test_ext *exts)
{
	struct reader r = {.rules = rules_new(), .exts = exts};
	char *copy = strdup(text), *save, *line;

	if (!r.rules || !copy)
		abort();
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_line(&r, line);
	free(copy);
	return r.rules;
}

struct ruleset *
test_ruleset(struct test_env *env, struct test_router *t, struct filters_live *live,
	const struct ruleset *before, const char *text, const struct test_ext *exts)
{
	struct ruleset *rs;
	char why[512];

	rs = ruleset_new(test_rules(text, exts), &t->r, live, before, why, sizeof(why));
	if (!rs)
		unreadable("refused", why);
	ruleset_begin(rs, env->env.now);
	return rs;
}

const char *
test_refusal(struct test_router *t, struct filters_live *live, const char *text,
	const struct test_ext *exts)
{
	struct rules *rules = test_rules(text, exts);
	static char why[512];
	struct ruleset *rs = ruleset_new(rules, &t->r, live, NULL, why, sizeof(why));

	if (!rs) {
		rules_free(rules);
		return why;
	}
	ruleset_free(rs);
	return "";
}

struct filter_ctx
test_filter_ctx(struct test_env *env, struct test_router *t, struct pkt *p,
	const struct ruleset *rules, enum rules_table table, enum rules_hook hook, uint16_t in,
	uint16_t out)
{
	return (struct filter_ctx){
		.env = &env->env,
		.router = &t->r,
		.p = p,
		.in = in ? &t->ifaces[in] : NULL,
		.out = out ? &t->ifaces[out] : NULL,
		.rules = rules,
		.hook = (uint8_t)hook,
		.table = (uint8_t)table,
		.l4 = !(p->flags & PKT_LATER_FRAGMENT),
	};
}

uint64_t
test_packets(const struct ruleset *r, enum rules_table table, const char *chain, uint32_t rule)
{
	const struct ruleset_table *t = &r->tables[table];
	uint32_t i;

	for (i = 0; i < t->n_chains; i++)
		if (strcmp(t->chains[i]->name, chain) == 0)
			break;
	if (i == t->n_chains || rule > t->chains[i]->n_rules)
		unreadable("no such rule", chain);
	return rule ? t->chains[i]->rules[rule - 1].live->packets : t->chains[i]->live->packets;
}
