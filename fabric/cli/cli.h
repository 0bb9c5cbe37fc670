/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every command is given, and the one way to complain. */
#ifndef FABRIC_CLI_CLI_H
#define FABRIC_CLI_CLI_H

#include "fabric/cli/client.h"
#include "fabric/cli/command.h"

struct cli {
	struct parsed args;
	struct client client;
};

static inline const char *
cli_arg(const struct cli *cl, const char *name)
{
	return parsed_value(&cl->args, name);
}

/* Prints "rookery: SENTENCE" to standard error. => STATUS_FAILED, so that a command can return it. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for a wrong command line, with a pointer to the help. => STATUS_USAGE. */
int complain_usage(const struct cli *cl, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

struct config;
/* What is good and probably not meant, each on a line of standard error (check.c). */
void print_warnings(const struct config *cfg);

/* The commands, by file. */
int run_oat_add(struct cli *cl);    /* osa.c */
int run_oat_del(struct cli *cl);
int run_oat_import(struct cli *cl);
int run_osa(struct cli *cl);
int run_qethconf(struct cli *cl);   /* qethconf.c */
int run_check(struct cli *cl);      /* check.c */
int run_lab(struct cli *cl);        /* lab.c */
int run_lab_stop(struct cli *cl);
int run_lab_list(struct cli *cl);
int run_exec(struct cli *cl);       /* enter.c */
int run_shell(struct cli *cl);
int run_apply(struct cli *cl);      /* live.c */
int run_add_guest(struct cli *cl);
int run_remove_guest(struct cli *cl);
int run_add_route(struct cli *cl);
int run_remove_route(struct cli *cl);
int run_set_interface(struct cli *cl);
int run_set_tunable(struct cli *cl);
int run_show(struct cli *cl);       /* show.c; data: a struct listing */
int run_show_config(struct cli *cl);
int run_show_status(struct cli *cl);
int run_ping(struct cli *cl);       /* probe.c */
int run_traceroute(struct cli *cl);
int run_capture(struct cli *cl);    /* capture.c */
int run_tool(struct cli *cl);       /* filter_tools.c */
int run_help(struct cli *cl);       /* help.c */
int run_version(struct cli *cl);
int run_completion(struct cli *cl); /* completion.c */
int run_complete(struct cli *cl);
int run_man(struct cli *cl);        /* man.c */

/* Runs a program inside a node, as `rookery exec` does, and ends with its status; returns one on failure. (enter.c) */
int enter_run(struct cli *cl, const char *node, char *const *argv);

#endif
