/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_CLI_IPSET_TOOL_H
#define FABRIC_CLI_IPSET_TOOL_H

#include "fabric/cli/client.h"

/* As ipset(8), for the sets of `router`. => exit status */
int ipset_tool(struct client *c, const char *router, int argc, char **argv);

#endif
