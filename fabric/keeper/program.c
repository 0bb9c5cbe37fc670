/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `run` lines of a guest: which are to be started, which to be ended. */
#include "fabric/keeper/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
order(struct nsguest *g, json_t *msg)
{
	if (wire_send(&g->wire, msg, NULL, 0) < 0)
		log_line(LOG_ERROR, "keeper", "guest %s: its init does not listen", g->name);
	json_decref(msg);
}

static void
start(struct nsguest *g, const char *command)
{
	struct program *p = calloc(1, sizeof(*p)), **end = &g->programs;

	if (p == NULL || (p->command = strdup(command)) == NULL) {
		free(p);
		log_line(LOG_ERROR, "keeper", "guest %s: out of memory for \"%s\"", g->name,
			command);
		return;
	}
	p->id = ++g->next_program;
	while (*end != NULL)
		end = &(*end)->next;
	*end = p;
	order(g, json_pack("{ss sI ss}", "op", "run", "id", p->id, "command", command));
}

static bool
running(const struct program *p)
{
	return p->state == PROGRAM_STARTING || p->state == PROGRAM_RUNNING;
}

static void
end(struct nsguest *g, struct program **at)
{
	struct program *p = *at;

	if (running(p))
		order(g, json_pack("{ss sI}", "op", "terminate", "id", p->id));
	*at = p->next;
	free(p->command);
	free(p);
}

/* The same line may stand there twice: each line pairs with one program. */
static bool
pair_with_line(const struct cfg_node *node, const char *command, bool *taken)
{
	for (size_t i = 0; i < node->n_run; i++) {
		if (taken[i] || strcmp(node->run[i], command) != 0)
			continue;
		taken[i] = true;
		return true;
	}
	return false;
}

void
nsguest_run_programs(struct keeper *k, struct nsguest *g, const struct cfg_node *node)
{
	bool *taken = calloc(node->n_run + 1, sizeof(*taken));
	struct program **at = &g->programs;

	(void)k;
	while (taken != NULL && *at != NULL) {
		if (pair_with_line(node, (*at)->command, taken))
			at = &(*at)->next;
		else
			end(g, at);
	}
	for (size_t i = 0; taken != NULL && i < node->n_run; i++)
		if (!taken[i])
			start(g, node->run[i]);
	free(taken);
}

char *
program_state_text(const struct program *p, char *buf, size_t size)
{
	static const char *const words[] = {
		[PROGRAM_STARTING] = "starting",
		[PROGRAM_RUNNING] = "running",
		[PROGRAM_LOST] = "gone with its guest",
	};

	switch (p->state) {
	case PROGRAM_EXITED:
		snprintf(buf, size, "exited %d", p->code);
		break;
	case PROGRAM_KILLED:
		snprintf(buf, size, "killed by %d", p->code);
		break;
	default:
		snprintf(buf, size, "%s", words[p->state]);
	}
	return buf;
}
