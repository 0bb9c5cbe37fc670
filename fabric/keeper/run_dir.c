/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/run_dir.h"

#include "fabric/control/proto.h"
#include "fabric/control/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int
cannot(struct fault *why, const char *verb, const char *path)
{
	int rc = -errno;

	return fault_set(why, rc, "cannot %s %s: %s", verb, path, strerror(-rc));
}

/* Someone else may have made /tmp/rookery-UID before us. */
static int
check_owner(int fd, const char *path, struct fault *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cannot(why, "look at", path);
	if (st.st_uid != geteuid())
		return fault_set(why, -EPERM, "%s belongs to user %u, not to you", path,
			(unsigned)st.st_uid);
	return 0;
}

static int
open_root(const char *path, struct fault *why)
{
	int fd, rc;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return cannot(why, "make the directory", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cannot(why, "open the directory", path);
	rc = check_owner(fd, path, why);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static void
empty(int fd)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *e;

	if (dir == NULL)
		return;
	rewinddir(dir);
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			unlinkat(fd, e->d_name, 0) < 0 && (errno == EISDIR || errno == EPERM))
			run_dir_remove(fd, e->d_name);
	closedir(dir);
}

void
run_dir_remove(int root, const char *name)
{
	int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	empty(fd);
	close(fd);
	unlinkat(root, name, AT_REMOVEDIR);
}

/* The directory that is locked must still be the one that has the name. */
static bool
still_there(const struct run_dir *d)
{
	struct stat mine, named;

	return fstat(d->fd, &mine) == 0 && fstatat(d->root, d->name, &named, 0) == 0 &&
	       mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

static int
take(struct run_dir *d, struct fault *why)
{
	if (mkdirat(d->root, d->name, 0700) < 0 && errno != EEXIST)
		return cannot(why, "make the run directory", d->path);
	d->fd = openat(d->root, d->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return cannot(why, "open the run directory", d->path);
	if (flock(d->fd, LOCK_EX | LOCK_NB) < 0)
		return errno != EWOULDBLOCK
			       ? cannot(why, "lock the run directory", d->path)
			       : fault_set(why, -EEXIST, "a fabric named %s runs already (%s)",
					 d->name, d->path);
	return still_there(d) ? 0 : -EAGAIN;
}

int
run_dir_take(struct run_dir *d, const char *root, const char *fabric, struct fault *why)
{
	char path[RUN_PATH - OBJECT_NAME - 1];
	int rc = 0;

	d->root = d->fd = -1;
	if (root == NULL)
		rc = run_root(path, sizeof(path));
	else if (strlen(root) >= sizeof(path))
		rc = -ENAMETOOLONG;
	else
		strcpy(path, root);
	if (rc < 0)
		return fault_set(why, rc, "the path of the run directory is too long");
	snprintf(d->name, sizeof(d->name), "%s", fabric);
	snprintf(d->path, sizeof(d->path), "%s/%s", path, d->name);
	d->root = open_root(path, why);
	if (d->root < 0)
		return d->root;
	do {
		if (d->fd >= 0)
			close(d->fd);
		rc = take(d, why);
	} while (rc == -EAGAIN);
	if (rc < 0)
		run_dir_close(d);
	else
		empty(d->fd);
	return rc;
}

int
run_dir_create(const struct run_dir *d, const char *name, int flags, struct fault *why)
{
	int fd = openat(d->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);

	if (fd < 0)
		return fault_set(
			why, -errno, "cannot make %s/%s: %s", d->path, name, strerror(errno));
	return fd;
}

int
run_dir_write(int fd, const char *name, const char *text, size_t len, struct fault *why)
{
	/* Where blocks cannot be had in advance a full disk shows in pwrite(). */
	int rc = -posix_fallocate(fd, 0, len > 0 ? (off_t)len : 1);
	size_t done = 0;

	if (rc == -EOPNOTSUPP || rc == -EINVAL)
		rc = 0;
	while (rc == 0 && done < len) {
		ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);

		if (n < 0)
			rc = -errno;
		else
			done += (size_t)n;
	}
	if (rc == 0 && ftruncate(fd, (off_t)len) < 0)
		rc = -errno;
	return rc == 0 ? 0
		       : fault_set(why, rc, "cannot write %s in the run directory: %s", name,
				 strerror(-rc));
}

int
run_dir_listen(const struct run_dir *d, const char *name, struct fault *why)
{
	char path[RUN_PATH + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	fd = wire_listen(path);
	return fd >= 0 ? fd
		       : fault_set(why, fd, "cannot make the socket %s: %s", path, strerror(-fd));
}

void
run_dir_close(struct run_dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->root >= 0)
		close(d->root);
	d->fd = d->root = -1;
}
