/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/edit.h"
#include "filters/iptables/iptables.h"
#include "filters/iptables/print.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 20 };

struct refusal {
	int error;   /* -errno, of the rules or of the store */
	bool stored; /* it is the store's */
	char why[512];
};

static void
try_once(const struct iptables_store *store, enum rules_table table, const struct ipt_command *c,
	struct refusal *f)
{
	struct print_hold hold;
	struct rules *r = NULL;
	struct ipt_edit e = {0};
	bool changed = false;

	f->why[0] = '\0';
	f->stored = true;
	f->error = store->load(store->arg, &r, f->why, sizeof(f->why));
	if (f->error < 0)
		return;
	ipt_edit_keep(r);
	f->error = print_hold(&hold);
	if (f->error < 0)
		goto free;
	f->error = ipt_edit_begin(&e, r, table);
	if (f->error >= 0)
		f->error = ipt_edit_run(&e, c, &changed);
	f->stored = f->error >= 0;
	if (f->error >= 0 && changed)
		f->error = store->store(store->arg, r, f->why, sizeof(f->why));
	print_release(&hold, f->error != -EAGAIN);
	ipt_edit_end(&e);
free:
	rules_free(r);
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
refusal_report(const struct refusal *f, enum rules_table table, const struct ipt_command *c)
{
	if (f->error >= 0)
		return 0;
	fflush(stdout);
	fprintf(stderr, "%s: %s.\n", xt_program(),
		f->stored && f->why[0] ? f->why
				       : ipt_edit_words(f->stored ? 0 : c->kinds, -f->error));
	if (!f->stored && f->error == -ENOENT)
		suggest_capitals(table, c->chain);
	return f->error == -EAGAIN ? RESOURCE_PROBLEM : OTHER_PROBLEM;
}

int
iptables_command(const struct iptables_store *store, int argc, char **argv)
{
	struct refusal f = {.error = -EAGAIN};
	struct ipt_command c;
	enum rules_table table;
	int code;

	xt_start(argv[0], ipt_long_options);
	ipt_command_parse(&c, argc, argv, "filter", false);
	table = rules_table_of(c.table);
	if (table == TABLE_COUNT)
		xtables_error(VERSION_PROBLEM,
			"can't initialize iptables table `%s': Table does not exist (do you need "
			"to "
			"insmod?)",
			c.table);
	for (int i = 0; i < TRIES && f.error == -EAGAIN; i++)
		try_once(store, table, &c, &f);
	code = refusal_report(&f, table, &c);
	ipt_command_end(&c);
	return code;
}
