/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t
child_fork(unsigned long flags)
{
	/* Without a stack of its own the child goes on in a copy of ours, as after fork(). */
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

static int
ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void
child_close_others(const int *keep, size_t n)
{
	int sorted[8];
	int next = STDERR_FILENO + 1;

	memcpy(sorted, keep, n * sizeof(*keep));
	qsort(sorted, n, sizeof(*sorted), ascending);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] < next)
			continue;
		if (sorted[i] > next)
			close_range((unsigned)next, (unsigned)sorted[i] - 1, 0);
		next = sorted[i] + 1;
	}
	close_range((unsigned)next, ~0u, 0);
}

static int
reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int
child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	return reap(pid);
}

int
child_end(pid_t pid, int timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0 || poll(&p, 1, timeout_ms) != 1)
		kill(pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	return reap(pid);
}

static long
read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f != NULL && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f != NULL)
		fclose(f);
	return n;
}

static const struct {
	const char *path;
	long forbids;
} switches[] = {
	{"/proc/sys/user/max_user_namespaces", 0},
	{"/proc/sys/kernel/unprivileged_userns_clone", 0},
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1},
	{"/proc/sys/user/max_net_namespaces", 0},
	{"/proc/sys/user/max_mnt_namespaces", 0},
	{"/proc/sys/user/max_pid_namespaces", 0},
	{"/proc/sys/user/max_uts_namespaces", 0},
};

int
fault_namespace(struct fault *why, int rc, const char *what)
{
	size_t n = sizeof(switches) / sizeof(switches[0]);

	for (size_t i = geteuid() == 0 ? 3 : 0; i < n; i++)
		if (read_number(switches[i].path) == switches[i].forbids)
			return fault_set(why, rc, "cannot make %s namespaces: %s is %ld", what,
				switches[i].path, switches[i].forbids);
	if (rc == -ENOSPC || rc == -EUSERS)
		return fault_set(why, rc,
			"cannot make %s namespaces: the limit of their number is "
			"reached (/proc/sys/user/max_*_namespaces)",
			what);
	return fault_set(why, rc,
		"cannot make %s namespaces: %s (/proc/sys/user/max_user_namespaces, "
		"kernel.unprivileged_userns_clone)",
		what, strerror(-rc));
}
