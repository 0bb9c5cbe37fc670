/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and sets on the way between text and a fabric. Only this program knows iptables' text (filters/iptables). */
#ifndef FABRIC_CLI_FILTERS_H
#define FABRIC_CLI_FILTERS_H

#include "fabric/cli/client.h"
#include "fabric/control/bundle.h"

/*
 * Reads the rules and sets that the routers of `cfg` name, files from the directory of `path`, the configuration. What libxtables refuses
 * ends the process with its message. => 0 and *out, or -errno after a complaint "FILE: ...".
 */
int filters_read(const struct config *cfg, const char *path, struct bundle *out);
/* The same as a memory file. => descriptor, or -errno after a complaint. */
int filters_fd(const struct config *cfg, const char *path);
/*
 * Puts the rules and sets that run into `cfg` as text, in place of file names; `text` of the result as config_text(). Memory of the
 * text belongs to the configuration's reader no more: use it for printing only. => to free(), or NULL after a complaint.
 */
char *filters_config_text(struct client *c, struct config *cfg);

/*
 * iptables, iptables-save, iptables-restore, ipset, conntrack: whether this program was called under such a name, or as "rookery iptables ...".
 * => its arguments from there on (argv[0] is the tool's name), *n of them; NULL: none of these.
 */
char **filter_tool(int argc, char **argv, int *n);
/* => exit status */
int filter_tool_run(int argc, char **argv);
/* Names of the tools, ends with NULL. */
extern const char *const filter_tools[];

#endif
