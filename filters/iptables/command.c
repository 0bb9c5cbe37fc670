/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/edit.h"
#include "filters/iptables/iptables.h"
#include "filters/iptables/print.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 20 };

/* One attempt to carry a command line out. */
struct attempt {
	const struct iptables_store *store;
	const struct ipt_command *c;
	enum rules_table table;
	struct rules *loaded, *memory; /* NULL: nothing had to be loaded; of the edit */
	int error;                     /* -errno */
	char why[512];                 /* "": iptables' words for it */
};

/* For what is shown, and for -v about all chains. */
static void
load(struct attempt *a)
{
	a->error = a->store->load(a->store->arg, &a->loaded, a->why, sizeof(a->why));
	if (a->error >= 0 && !rules_table(a->loaded, a->table))
		a->error = -ENOMEM;
}

/* What was shown and is to be zeroed is taken away, and nothing that came since. */
static void
edit(struct attempt *a)
{
	const struct rules_tab *tab = a->loaded ? &a->loaded->tables[a->table] : NULL;
	struct rules_change change = {0};
	struct rules_edit e;

	a->memory = rules_new();
	a->error = a->memory ? ipt_edit_make(a->c, a->table, a->memory, &e) : -ENOMEM;
	if (a->error == 0 && (a->c->kinds & IPT_LISTS))
		a->error = ipt_edit_shown(tab, a->memory, &e);
	if (a->error == 0)
		a->error = a->store->edit(a->store->arg, &e, tab != NULL, &change, a->why, sizeof(a->why));
	if (a->memory && !a->why[0])
		a->error = ipt_edit_tell(a->c, &e, &change, tab, a->error);
}

static void
try_once(struct attempt *a)
{
	struct print_hold hold;

	a->why[0] = '\0';
	a->error = print_hold(&hold);
	if (a->error < 0)
		return;
	if ((a->c->kinds & IPT_LISTS) || ipt_edit_tells_all(a->c))
		load(a);
	if (a->error >= 0 && (a->c->kinds & IPT_LISTS))
		a->error = ipt_list(&a->loaded->tables[a->table], a->c);
	if (a->error >= 0 && (a->c->kinds & ~IPT_LISTS))
		edit(a);
	print_release(&hold, a->error != -EAGAIN);
	rules_free(a->loaded);
	rules_free(a->memory);
	a->loaded = a->memory = NULL;
}

/* "input" is no chain, and few expect it. */
static void
suggest_capitals(enum rules_table table, const char *chain)
{
	char capitals[RULES_NAME];
	size_t i;

	for (i = 0; chain && chain[i] && i < sizeof(capitals) - 1; i++)
		capitals[i] = (char)toupper((unsigned char)chain[i]);
	capitals[i] = '\0';
	if (!chain || strcmp(capitals, chain) == 0)
		return;
	for (unsigned h = 0; h < RULES_HOOKS; h++)
		if (rules_table_hooks(table, (enum rules_hook)h) &&
			strcmp(rules_hook_name((enum rules_hook)h), capitals) == 0)
			fprintf(stderr, "Chain names are case sensitive: did you mean %s?\n",
				capitals);
}

static int
report(const struct attempt *a)
{
	if (a->error >= 0)
		return 0;
	fflush(stdout);
	fprintf(stderr, "%s: %s.\n", xt_program(), a->why[0] ? a->why : ipt_edit_words(a->c->kinds, -a->error));
	if (!a->why[0] && a->error == -ENOENT)
		suggest_capitals(a->table, a->c->chain);
	return a->error == -EAGAIN ? RESOURCE_PROBLEM : OTHER_PROBLEM;
}

int
iptables_command(const struct iptables_store *store, int argc, char **argv)
{
	struct ipt_command c;
	struct attempt a = {.store = store, .c = &c, .error = -EAGAIN};
	int code;

	xt_start(argv[0], ipt_long_options);
	ipt_command_parse(&c, argc, argv, "filter", false);
	a.table = rules_table_of(c.table);
	if (a.table == TABLE_COUNT)
		xtables_error(VERSION_PROBLEM,
			"can't initialize iptables table `%s': Table does not exist (do you need "
			"to "
			"insmod?)",
			c.table);
	for (int i = 0; i < TRIES && a.error == -EAGAIN; i++)
		try_once(&a);
	code = report(&a);
	ipt_command_end(&c);
	return code;
}
