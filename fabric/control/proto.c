/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/proto.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A session's directory may be inherited across su(1): it counts only when it is ours. */
static bool
usable_runtime_directory(const char *path)
{
	struct stat st;

	return path != NULL && path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

static int
fits(int printed, size_t size)
{
	return printed < 0 || (size_t)printed >= size ? -ENAMETOOLONG : 0;
}

int
run_root(char *buf, size_t size)
{
	const char *session = secure_getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return fits(snprintf(buf, size, "/run/rookery"), size);
	if (usable_runtime_directory(session))
		return fits(snprintf(buf, size, "%s/rookery", session), size);
	return fits(snprintf(buf, size, "/tmp/rookery-%u", (unsigned)geteuid()), size);
}

int
run_directory(const char *fabric, char *buf, size_t size)
{
	char root[256];
	int rc = run_root(root, sizeof(root));

	return rc < 0 ? rc : fits(snprintf(buf, size, "%s/%s", root, fabric), size);
}
