/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/shadow.h"

#include "fabric/cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BELOW ".system" /* in a covered directory: what it covers */

static const char *const directories[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

static bool
named(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

/* A link keeps its text, so that a relative one leads where it led; all else is linked to where it lies now. */
static int
link_entry(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		n = snprintf(target, sizeof(target), BELOW "/%s", name);
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 && errno != EEXIST ? -errno : 0;
}

static int
link_entries(int from, int to, const char *const *names)
{
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;

	if (!dir)
		return -errno;
	while (rc == 0 && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && !named(names, d->d_name))
			rc = link_entry(from, to, d->d_name);
	}
	closedir(dir);
	return rc;
}

/* What lies at `path` is cloned before it is covered: a recursive copy of it made later would have the cover on top, too. */
static int
cover(const char *path, const char *program, const char *const *names)
{
	int system = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), to, rc = 0;
	char below[64];

	if (system < 0)
		return -errno;
	snprintf(below, sizeof(below), "%s/" BELOW, path);
	if (mount("rookery", path, "tmpfs", MS_NODEV | MS_NOSUID, "mode=755") < 0 || mkdir(below, 0755) < 0 ||
			move_mount(system, "", AT_FDCWD, below, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		rc = -errno;
	to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; rc == 0 && *names; names++)
		rc = symlinkat(program, to, *names) < 0 ? -errno : 0;
	close(to);
	close(system);
	return rc;
}

/* Where the system keeps such programs, and wherever else one of them lies. */
static bool
must_cover(const char *path, const char *const *names)
{
	char file[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	if (strcmp(path, "/usr/sbin") == 0 || strcmp(path, "/sbin") == 0)
		return true;
	for (; *names; names++) {
		snprintf(file, sizeof(file), "%s/%s", path, *names);
		if (lstat(file, &st) == 0)
			return true;
	}
	return false;
}

static int
cover_and_link(const char *path, const char *program, const char *const *names)
{
	char below[64];
	int from, to, rc = cover(path, program, names);

	if (rc < 0)
		return rc;
	snprintf(below, sizeof(below), "%s/" BELOW, path);
	from = open(below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = from < 0 || to < 0 ? -errno : link_entries(from, to, names);
	close(from);
	close(to);
	return rc;
}

int
shadow_programs(const char *program, const char *const *names)
{
	if (access(program, X_OK) < 0)
		return complain("%s, which is iptables here, is out of sight inside: %s", program, strerror(errno)), -ENOENT;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return complain("no mount namespace can be made inside: %s", strerror(errno)), -EPERM;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int rc = must_cover(directories[i], names) ? cover_and_link(directories[i], program, names) : 0;

		if (rc < 0)
			return complain("%s cannot be covered inside: %s", directories[i], strerror(-rc)), rc;
	}
	return 0;
}
