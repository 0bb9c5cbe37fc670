/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding programs: those of ours, and those of the system. */
#ifndef FABRIC_CLI_PROGRAM_H
#define FABRIC_CLI_PROGRAM_H

#include <stddef.h>

/*
 * A program of ours: what the variable `env` names, else beside the running one, else in ../libexec/rookery,
 * else in PATH. => 0 with its path, or -ENOENT.
 */
int program_find(const char *name, const char *env, char *path, size_t size);
/* A program in PATH. => 0 or -ENOENT. */
int program_in_path(const char *name, char *path, size_t size);

#endif
