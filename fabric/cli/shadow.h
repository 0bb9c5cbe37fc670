/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_CLI_SHADOW_H
#define FABRIC_CLI_SHADOW_H

/*
 * In a router's namespaces: iptables and its like are ours from here on, by whatever path a script calls them. In a mount namespace of this process
 * alone, each directory of system programs is covered by one of links: to what was there, and for `names` (ends with NULL) to `program`.
 * => 0, or -errno after a complaint.
 */
int shadow_programs(const char *program, const char *const *names);

#endif
