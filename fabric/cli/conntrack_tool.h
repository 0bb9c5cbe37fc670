/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_CLI_CONNTRACK_TOOL_H
#define FABRIC_CLI_CONNTRACK_TOOL_H

#include "fabric/cli/client.h"

/* As conntrack(8): -L, -D, -F, -C, -E, -S with its filters, for the connections of `router`. => exit status */
int conntrack_tool(struct client *c, const char *router, int argc, char **argv);

#endif
