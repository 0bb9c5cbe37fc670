/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables-restore: a text of tables, each stored as a whole at its COMMIT. The lines of the table
 * that is open are kept, so that they can be carried out again when somebody else changed the rules
 * meanwhile.
 */
#include "filters/iptables/restore.h"

#include "filters/iptables/print.h"
#include "filters/iptables/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 20 };

static _Noreturn void
line_refuse(const struct restore *s, const char *what)
{
	if (!s->store)
		xtables_error(PARAMETER_PROBLEM, "%s", what);
	xtables_error(PARAMETER_PROBLEM, "%s: line %u %s", xt_program(), s->line, what);
}

int
restore_load(struct restore *s)
{
	int err = 0;

	rules_editor_close(&s->edit);
	if (!s->store) {
		s->r = s->r ? s->r : rules_new();
		return s->r ? 0 : -ENOMEM;
	}
	rules_free(s->r);
	s->r = NULL;
	err = s->store->load(s->store->arg, &s->r, s->why, sizeof(s->why));
	if (err < 0)
		return err;
	rules_keep_loaded(s->r);
	return 0;
}

/* "*filter" */
static int
table_begin(struct restore *s, char *line)
{
	char *rest, *name = strtok_r(line + 1, " \t", &rest);
	int err;

	if (!name)
		line_refuse(s, "table name invalid");
	s->skipping = s->only && strcmp(s->only, name) != 0;
	if (s->skipping)
		return 0;
	s->table = rules_table_of(name);
	if (s->table == TABLE_COUNT && s->store)
		xtables_error(PARAMETER_PROBLEM, "%s: unable to initialize table '%s'",
			xt_program(), name);
	if (s->table == TABLE_COUNT)
		xtables_error(PARAMETER_PROBLEM, "no table '%s'", name);
	err = restore_load(s);
	if (err < 0)
		return err;
	s->in_table = true;
	err = rules_editor_open(&s->edit, s->r, s->table);
	if (err < 0 || s->keep_chains)
		return err;
	return ipt_edit_clear(&s->edit, s->verbose > 0);
}

/* An edit of a chain that a line declares. */
static int
declare(struct restore *s, enum rules_edit_kind kind, const char *chain, const char *policy, struct rules_count count)
{
	struct rules_edit edit = {.kind = (uint8_t)kind, .policy = (uint8_t)rules_verdict(policy), .count = count};

	memcpy(edit.chain, chain, strlen(chain) + 1);
	return rules_edit_apply(&s->edit, &edit);
}

static void
chain_make(struct restore *s, const char *name)
{
	const struct rules_chain *chain = rules_editor_chain(&s->edit, name);
	const bool flush = chain && s->keep_chains;
	int err;

	if (chain && chain->hook >= 0)
		return;
	err = declare(s, flush ? EDIT_FLUSH : EDIT_NEW, name, "", (struct rules_count){0});
	if (err < 0)
		xtables_error(
			PARAMETER_PROBLEM, "error creating chain '%s':%s", name, strerror(-err));
}

static void
policy_set(struct restore *s, const char *name, const char *policy, const char *counters)
{
	uint64_t packets = 0, bytes = 0;
	int err;

	if (s->counters &&
		(!counters || sscanf(counters, "[%" SCNu64 ":%" SCNu64 "]", &packets, &bytes) != 2))
		xtables_error(PARAMETER_PROBLEM, "invalid policy counters for chain '%s'", name);
	err = declare(s, EDIT_POLICY, name, policy, ipt_edit_count(packets, bytes));
	if (err < 0)
		xtables_error(OTHER_PROBLEM, "Can't set policy `%s' on `%s' line %u: %s", policy,
			name, s->line, ipt_edit_words(COMMAND_POLICY, -err));
}

/* ":INPUT DROP [1:2]" */
static int
chain_line(struct restore *s, char *line)
{
	char *rest, *name = strtok_r(line + 1, " \t", &rest);
	const char *policy;

	if (!name)
		line_refuse(s, "chain name invalid");
	if (strlen(name) >= XT_EXTENSION_MAXNAMELEN)
		xtables_error(PARAMETER_PROBLEM, "Invalid chain name `%s' (%u chars max)", name,
			XT_EXTENSION_MAXNAMELEN - 1);
	chain_make(s, name);
	policy = strtok_r(NULL, " \t", &rest);
	if (!policy)
		line_refuse(s, "policy invalid");
	if (strcmp(policy, "-") != 0)
		policy_set(s, name, policy, strtok_r(NULL, " \t", &rest));
	xt_chain_known(name);
	return 0;
}

struct rule_words {
	int n;
	char *words[WORDS_MAX + RESTORE_VERBOSE_MAX + 5];
};

/* "[1:2] -A ...": => what follows */
static char *
counters_cut(const struct restore *s, char *line, struct rule_words *w)
{
	static char option[] = "--set-counters";
	char *colon, *end;

	if (line[0] != '[')
		return line;
	end = strchr(line, ']');
	colon = end ? memchr(line, ':', (size_t)(end - line)) : NULL;
	if (!colon || colon == line + 1 || end == colon + 1)
		xtables_error(PARAMETER_PROBLEM, "Bad line %u: need ]", s->line);
	*colon = *end = '\0';
	if (s->counters) {
		w->words[w->n++] = option;
		w->words[w->n++] = line + 1;
		w->words[w->n++] = colon + 1;
	}
	return end + 1;
}

static void
rule_cut(const struct restore *s, char *line, struct rule_words *w)
{
	static char program[] = "iptables-restore", verbose[] = "-v";
	int n;

	w->n = 0;
	w->words[w->n++] = program;
	for (unsigned i = 0; i < s->verbose && !s->keep_chains; i++)
		w->words[w->n++] = verbose;
	line = counters_cut(s, line, w);
	n = words_cut(line, &w->words[w->n]);
	if (n == -1)
		xtables_error(PARAMETER_PROBLEM, "Parser cannot handle more arguments");
	if (n < 0)
		xtables_error(PARAMETER_PROBLEM, "Parameter too long!");
	w->n += n;
	w->words[w->n] = NULL;
}

/* Carries the command line out on the tree. */
static int
command_run(struct restore *s)
{
	const struct ipt_command *c = &s->command;
	struct rules_change change = {0};
	struct rules_edit edit;
	int err = ipt_list(s->edit.tab, c);

	if (err < 0 || !(c->kinds & ~IPT_LISTS))
		return err;
	err = ipt_edit_make(c, s->table, s->r, &edit);
	if (err == 0)
		err = rules_edit_plan(&s->edit, &edit, &change);
	err = ipt_edit_tell(c, &edit, &change, s->edit.tab, err);
	return err < 0 ? err : rules_edit_run(&s->edit, &edit, &change);
}

static int
rule_line(struct restore *s, char *line)
{
	struct rule_words w;
	int err = 0;

	rule_cut(s, line, &w);
	ipt_command_parse(&s->command, w.n, w.words, rules_table_name(s->table), true);
	if (!s->store && (s->command.kinds & (IPT_LISTS | COMMAND_CHECK)))
		xtables_error(
			PARAMETER_PROBLEM, "-%c is no rule", ipt_command_letter(s->command.kinds));
	if (!s->command.ignored)
		err = command_run(s);
	if (err < 0)
		snprintf(s->why, sizeof(s->why), "%s", ipt_edit_words(s->command.kinds, -err));
	ipt_command_end(&s->command);
	return err;
}

static int
open_line(struct restore *s, char *line)
{
	return line[0] == ':' ? chain_line(s, line) : rule_line(s, line);
}

static int
line_keep(struct restore *s, const char *line)
{
	const size_t len = strlen(line) + 1;

	if (!s->store)
		return 0;
	if (s->kept.len + len > s->kept.size) {
		const size_t size = (s->kept.len + len) * 2;
		char *grown = realloc(s->kept.text, size);

		if (!grown)
			return -ENOMEM;
		s->kept.text = grown;
		s->kept.size = size;
	}
	memcpy(s->kept.text + s->kept.len, line, len);
	s->kept.len += len;
	return 0;
}

/* Carries the lines of the open table out once more, on the rules as they are now. */
static int
table_replay(struct restore *s)
{
	char line[RESTORE_LINE_MAX + 1];
	int err = 0;

	for (size_t at = 0; at < s->kept.len && err == 0; at += strlen(s->kept.text + at) + 1) {
		snprintf(line, sizeof(line), "%s", s->kept.text + at);
		err = line[0] == '*' && at == 0 ? table_begin(s, line) : open_line(s, line);
	}
	return err;
}

static int
table_replay_silent(struct restore *s)
{
	struct print_hold hold;
	int err = print_hold(&hold);

	if (err < 0)
		return err;
	err = table_replay(s);
	print_release(&hold, false);
	return err;
}

static int
table_commit(struct restore *s)
{
	int err = 0;

	s->in_table = false;
	if (!s->store)
		return 0;
	if (!s->test)
		err = s->store->store(s->store->arg, s->r, s->why, sizeof(s->why));
	for (int i = 1; i < TRIES && err == -EAGAIN; i++) {
		err = table_replay_silent(s);
		if (err == 0)
			err = s->store->store(s->store->arg, s->r, s->why, sizeof(s->why));
	}
	s->in_table = false;
	s->kept.len = 0;
	return err;
}

static int
table_open(struct restore *s, char *line)
{
	s->kept.len = 0;
	return line_keep(s, line) < 0 ? -ENOMEM : table_begin(s, line);
}

int
restore_line(struct restore *s, char *line)
{
	s->why[0] = '\0';
	if (!line[0])
		return 0;
	if (line[0] == '#') {
		if (s->verbose)
			puts(line);
		return 0;
	}
	if (s->in_table && strcmp(line, "COMMIT") == 0)
		return table_commit(s);
	if (s->in_table)
		return line_keep(s, line) < 0 ? -ENOMEM : open_line(s, line);
	if (line[0] == '*')
		return table_open(s, line);
	if (s->skipping)
		return 0;
	snprintf(s->why, sizeof(s->why), "No table is open");
	return -EINVAL;
}

void
restore_fini(struct restore *s)
{
	ipt_command_end(&s->command);
	rules_editor_close(&s->edit);
	rules_free(s->r);
	free(s->kept.text);
}

const char *
restore_why(const struct restore *s, int err)
{
	return s->why[0] ? s->why : ipt_edit_words(0, -err);
}

_Noreturn void
restore_line_refuse(const struct restore *s)
{
	xtables_error(PARAMETER_PROBLEM, "Bad line %u: longer than %d bytes, or a NUL in it",
		s->line, RESTORE_LINE_MAX);
}
