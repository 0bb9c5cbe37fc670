/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion. The script of the shell is a few lines that hand the line so far to `rookery complete`, which
 * finds by the table of commands what may come next, one candidate a line. Names of nodes and interfaces
 * are asked of the running fabric. A line that begins with a colon is a wish to the shell: ":files",
 * ":programs".
 */
#include "fabric/base/tunable.h"
#include "fabric/cli/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char bash_script[] =
		"# bash completion for rookery; made by 'rookery completion bash'\n"
		"_rookery()\n"
		"{\n"
		"\tlocal -a words\n"
		"\tlocal cur kept line\n"
		"\tread -ra words <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
		"\t[[ ${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]] && words+=('')\n"
		"\tcur=${words[-1]}\n"
		"\tkept=${cur%\"${cur##*:}\"} # the shell breaks words at colons\n"
		"\tCOMPREPLY=()\n"
		"\twhile IFS= read -r line; do\n"
		"\t\tcase $line in\n"
		"\t\t:files)\n"
		"\t\t\tcompopt -o filenames 2>/dev/null\n"
		"\t\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
		"\t\t:programs)\n"
		"\t\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -c -- \"$cur\") ;;\n"
		"\t\t*)\n"
		"\t\t\tCOMPREPLY+=(\"${line#\"$kept\"}\") ;;\n"
		"\t\tesac\n"
		"\tdone < <(\"${words[0]}\" complete -- \"${words[@]:1}\" 2>/dev/null)\n"
		"}\n"
		"complete -F _rookery rookery\n";

int
run_completion(struct cli *cl)
{
	(void)cl;
	fputs(bash_script, stdout);
	return STATUS_OK;
}

/* A line in the course of being typed. */
struct line {
	struct cli *cl;
	char **words; /* those before the cursor's, without "rookery" */
	size_t n;
	const char *cur;
	const struct command *cmd;
	struct config *cfg; /* of the running fabric; asked for once */
	const char *node;   /* the last word that named a node */
};

static void
offer(const struct line *l, const char *candidate)
{
	if (strncmp(candidate, l->cur, strlen(l->cur)) == 0)
		puts(candidate);
}

static const struct config *
running_config(struct line *l)
{
	if (!l->cfg)
		l->cfg = client_config(&l->cl->client, NULL);
	return l->cfg;
}

static void
offer_nodes(struct line *l, bool routers, bool guests)
{
	const struct config *cfg = running_config(l);

	for (size_t i = 0; cfg && i < cfg->n_nodes; i++) {
		bool router = cfg->nodes[i].kind == CFG_ROUTER;

		if (router ? routers : guests)
			offer(l, cfg->nodes[i].name);
	}
}

/* Interfaces of the node named before; as NODE:INTERFACE for all nodes. */
static void
offer_ifaces(struct line *l, bool with_node)
{
	const struct config *cfg = running_config(l);

	for (size_t i = 0; cfg && i < cfg->n_nodes; i++) {
		const struct cfg_node *n = &cfg->nodes[i];

		for (size_t k = 0; k < n->n_ifaces; k++) {
			char text[NODE_NAME + IFACE_NAME + 1];

			snprintf(text, sizeof(text), "%s:%s", n->name, n->ifaces[k].name);
			if (with_node)
				offer(l, text);
			else if (l->node && config_node(cfg, l->node) == n)
				offer(l, n->ifaces[k].name);
		}
	}
}

static void
offer_fabrics(const struct line *l)
{
	struct fabric_entry *list;
	size_t n;

	if (client_fabrics(&list, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		offer(l, list[i].name);
	free(list);
}

static void
offer_lans(struct line *l)
{
	const struct config *cfg = running_config(l);

	for (size_t i = 0; cfg && i < cfg->n_lans; i++)
		offer(l, cfg->lans[i].name);
}

static void
offer_osas(struct line *l)
{
	const struct config *cfg = running_config(l);

	for (size_t i = 0; cfg && i < cfg->n_osas; i++)
		offer(l, cfg->osas[i].name);
}

static void
offer_choices(const struct line *l, const char *choices)
{
	while (*choices) {
		char one[64];
		size_t len = strcspn(choices, "|");

		snprintf(one, sizeof(one), "%.*s", (int)len, choices);
		offer(l, one);
		choices += len + (choices[len] == '|');
	}
}

static void
offer_value(struct line *l, const struct arg *a)
{
	switch (a->kind) {
	case ARG_FILE:
		puts(":files");
		break;
	case ARG_PROGRAM:
		puts(":programs");
		break;
	case ARG_FABRIC:
		offer_fabrics(l);
		break;
	case ARG_NODE:
	case ARG_ROUTER:
	case ARG_GUEST:
		offer_nodes(l, a->kind != ARG_GUEST, a->kind != ARG_ROUTER);
		break;
	case ARG_IFACE:
	case ARG_WHERE:
		offer_ifaces(l, a->kind == ARG_WHERE);
		break;
	case ARG_LAN:
		offer_lans(l);
		break;
	case ARG_OSA:
		offer_osas(l);
		break;
	case ARG_TUNABLE:
		for (int i = 0; i < TUNABLE_COUNT; i++)
			offer(l, tunable_row(i)->name);
		break;
	case ARG_CHOICE:
		offer_choices(l, a->choices);
		break;
	default:
		break;
	}
}

static void
offer_options(const struct line *l, const struct arg *list)
{
	char text[64];

	for (; list && list->name; list++) {
		snprintf(text, sizeof(text), "--%s", list->name);
		offer(l, text);
	}
}

static void
offer_command_words(const struct line *l, char *const *words, size_t known)
{
	char next[NEXT_WORDS_MAX][WORD_SIZE];
	size_t n = command_next_words(commands, words, known, next);

	for (size_t i = 0; i < n; i++) {
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice = twice || strcmp(next[k], next[i]) == 0;
		if (!twice)
			offer(l, next[i]);
	}
}

/* A fabric named in the line is the one to ask. */
static void
take_fabric(struct line *l, const struct arg *option, const char *value)
{
	if (option->kind == ARG_FABRIC)
		snprintf(l->cl->client.fabric, sizeof(l->cl->client.fabric), "%s", value);
}

/* The option that waits for its value at the end of these words, or NULL. Counts the operands on the way. */
static const struct arg *
walk(struct line *l, size_t from, size_t *operands)
{
	const struct arg *waits = NULL;

	for (size_t i = from; i < l->n; i++) {
		const char *w = l->words[i];
		bool is_long = strncmp(w, "--", 2) == 0;

		if (waits) {
			take_fabric(l, waits, w);
			waits = NULL;
		} else if (w[0] == '-' && w[1] != '\0' && !strchr(w, '=')) {
			waits = is_long ? command_option(l->cmd, w + 2, strlen(w + 2), 0)
					: command_option(l->cmd, "", 0, w[1]);
			if (waits && (waits->kind == ARG_FLAG || (!is_long && w[2] != '\0')))
				waits = NULL;
		} else {
			const struct arg *a = l->cmd ? command_operand(l->cmd, *operands, *operands + 1) : NULL;

			if (a && (a->kind == ARG_NODE || a->kind == ARG_ROUTER))
				l->node = w;
			(*operands)++;
		}
	}
	return waits;
}

static const struct arg *
keyword_before(const struct line *l)
{
	const char *last = l->n ? l->words[l->n - 1] : "";

	for (const struct arg *k = l->cmd->keywords; k && k->name; k++) {
		if (strcmp(k->name, last) == 0 && k->kind != ARG_FLAG)
			return k;
	}
	return NULL;
}

/* What may stand behind the command's own words. */
static void
offer_arguments(struct line *l, size_t operands)
{
	const struct arg *a = command_operand(l->cmd, operands, operands + 1), *k = keyword_before(l);
	const struct arg *full = command_operand(l->cmd, operands, SIZE_MAX); /* with all that may be left out */

	if (l->cur[0] == '-') {
		offer_options(l, l->cmd->options);
		offer_options(l, common_options);
	} else if (a && a->kind == ARG_COMMAND) {
		offer_command_words(l, l->words + l->n - operands, operands);
	} else if (a || full) {
		if (a)
			offer_value(l, a);
		if (full && full != a)
			offer_value(l, full);
	} else if (k) {
		offer_value(l, k);
	} else {
		for (k = l->cmd->keywords; k && k->name; k++)
			offer(l, k->name);
	}
}

static void
complete(struct line *l)
{
	size_t first = 0, operands = 0;
	const struct arg *waits;
	int used;

	while (first < l->n && l->words[first][0] == '-') {
		const char *w = l->words[first];
		const struct arg *a = command_option(NULL, w + 2, strlen(w) > 2 ? strlen(w + 2) : 0,
				w[1] == '-' ? 0 : w[1]);

		first++;
		if (a && a->kind != ARG_FLAG && first < l->n)
			take_fabric(l, a, l->words[first++]);
	}
	used = command_find(commands, l->words + first, l->n - first, &l->cmd);
	waits = walk(l, used > 0 ? first + (size_t)used : 0, &operands);
	if (waits) {
		offer_value(l, waits);
		return;
	}
	if (used <= 0 || (size_t)used == l->n - first)
		offer_command_words(l, l->words + first, l->n - first);
	if (used > 0)
		offer_arguments(l, operands);
	else if (l->cur[0] == '-')
		offer_options(l, common_options);
}

int
run_complete(struct cli *cl)
{
	struct line l = {.cl = cl, .words = cl->args.rest, .cur = ""};

	if (cl->args.n_rest > 0) {
		l.n = cl->args.n_rest - 1;
		l.cur = cl->args.rest[l.n];
	}
	complete(&l);
	config_free(l.cfg);
	return STATUS_OK;
}
