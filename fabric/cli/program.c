/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
runs(const char *path, int printed, size_t size)
{
	return printed > 0 && (size_t)printed < size && access(path, X_OK) == 0;
}

int
program_in_path(const char *name, char *path, size_t size)
{
	const char *at = getenv("PATH");

	if (!at)
		at = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	while (*at) {
		size_t len = strcspn(at, ":");

		if (len > 0 && runs(path, snprintf(path, size, "%.*s/%s", (int)len, at, name), size))
			return 0;
		at += len + (at[len] == ':');
	}
	return -ENOENT;
}

int
program_find(const char *name, const char *env, char *path, size_t size)
{
	const char *named = getenv(env);
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (named && *named)
		return runs(path, snprintf(path, size, "%s", named), size) ? 0 : -ENOENT;
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		if (runs(path, snprintf(path, size, "%s/%s", self, name), size) ||
				runs(path, snprintf(path, size, "%s/../libexec/rookery/%s", self, name), size))
			return 0;
	}
	return program_in_path(name, path, size);
}
