/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables' command language over a tree of rules (filters/rules.h). libxtables parses, prints and saves the options of matches and targets; the
 * grammar around them is ours. libxtables ends the process on a wrong option and keeps lists of its own, so this lives in short-lived
 * `rookery` processes only, one ruleset after another; nothing is stored before a command line (or a restored table) was understood whole.
 */
#ifndef FILTERS_IPTABLES_IPTABLES_H
#define FILTERS_IPTABLES_IPTABLES_H

#include "filters/rules_edit.h"

#include <stdio.h>

/* Where rules are kept: a router of a running fabric, or memory. */
struct iptables_store {
	void *arg;
	/* The rules as they are, with counters (COUNT_SET), to rules_free(). => 0 or -errno with `why`. */
	int (*load)(void *arg, struct rules **out, char *why, size_t size);
	/*
	 * Makes `r` the rules, all or nothing. => 0; -EAGAIN: somebody changed them since load() (load and try again); -EINVAL: refused, `why` says what;
	 * other -errno.
	 */
	int (*store)(void *arg, const struct rules *r, char *why, size_t size);
	/*
	 * One edit of them as they are then; `as_loaded`: only if they are still those of load(). => 0; -EAGAIN: they are not; another
	 * -errno with "" in `why`: as filters/rules_edit.h says; with a sentence: refused, that is why. *change says where and how.
	 */
	int (*edit)(void *arg, const struct rules_edit *edit, bool as_loaded, struct rules_change *change, char *why, size_t size);
};

/*
 * As iptables(8), iptables-save(8), iptables-restore(8) 1.8.9 (exit codes and messages too): argv[0] is used in messages. May exit() with libxtables' code
 * on a wrong option. => exit code: 0 done, 1 refused by state, 2 bad command line.
 */
int iptables_command(const struct iptables_store *store, int argc, char **argv);
int iptables_save_command(const struct iptables_store *store, int argc, char **argv);
int iptables_restore_command(const struct iptables_store *store, int argc, char **argv);

/*
 * The text of iptables-save to a fresh tree (what iptables-restore without options does to an empty
 * router); counters are COUNT_KEEP, so that a rule that was there before goes on counting. Ends no
 * process. `origin` names the text in errors. => NULL: `why` says "ORIGIN:LINE: what".
 */
struct rules *iptables_read(const char *text, size_t len, const char *origin, char *why, size_t size);
/* The same back, as iptables-save prints it without comments; counters if asked for. => 0 or -EIO. */
int iptables_write(const struct rules *r, bool counters, FILE *to);

#endif
