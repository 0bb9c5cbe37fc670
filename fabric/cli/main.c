/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/cli.h"
#include "fabric/cli/filters.h"

#include <signal.h>
#include <stdio.h>

/* "rookery" alone, --help and --version are commands under another name. */
static int
run(struct cli *cl)
{
	if (cli_arg(cl, "version"))
		return run_version(cl);
	if (!cl->args.cmd || cli_arg(cl, "help"))
		return run_help(cl);
	return cl->args.cmd->run(cl);
}

/* What did not reach the reader is a failure, except when the reader has had enough. */
static int
finish(int status)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == STATUS_OK)
		return complain("writing to standard output failed");
	return status;
}

int
main(int argc, char **argv)
{
	struct cli cl = {0};
	char **tool;
	int status, n;

	tool = argc > 0 ? filter_tool(argc, argv, &n) : NULL;
	if (tool)
		return finish(filter_tool_run(n, tool));
	if (command_parse(commands, argc, argv, &cl.args) < 0) {
		status = complain_usage(&cl, "%s", cl.args.error);
	} else {
		client_init(&cl.client, cli_arg(&cl, "fabric"));
		status = finish(run(&cl));
		client_fini(&cl.client);
	}
	parsed_free(&cl.args);
	return status;
}
