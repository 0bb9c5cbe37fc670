/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/engine_child.h"

#include "fabric/control/proto.h"
#include "fabric/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESTART_WINDOW_MS = 60000, ABOVE_OURS = 10 };

static const char *const level_words[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static int
use(struct engine_child *e, const char *path, struct fault *why)
{
	if (strlen(path) >= sizeof(e->path))
		return fault_set(why, -ENAMETOOLONG, "the path of the engine is too long");
	if (access(path, X_OK) < 0)
		return fault_set(
			why, -errno, "cannot run the engine %s: %s", path, strerror(errno));
	strcpy(e->path, path);
	return 0;
}

int
engine_child_find(struct engine_child *e, const char *given, struct fault *why)
{
	static const char *const around[] = {"", "../libexec/rookery/", "../sbin/", "../bin/"};
	char own[RUN_PATH], path[RUN_PATH + 64];
	const char *env = secure_getenv("ROOKERY_ENGINE");
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (given != NULL || env != NULL)
		return use(e, given != NULL ? given : env, why);
	own[n > 0 ? n : 0] = '\0';
	slash = strrchr(own, '/');
	if (slash != NULL)
		slash[1] = '\0';
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		snprintf(path, sizeof(path), "%s%srookeryd", own, around[i]);
		if (use(e, path, NULL) == 0)
			return 0;
	}
	return fault_set(why, -ENOENT,
		"cannot find the engine, rookeryd, beside %s (--engine PATH or "
		"ROOKERY_ENGINE says where it is)",
		own);
}

/* Both descriptors may sit where the other has to go. */
static void
place_descriptors(int socket, int listener)
{
	int a = fcntl(socket, F_DUPFD, ABOVE_OURS);
	int b = fcntl(listener, F_DUPFD, ABOVE_OURS);
	int null = open("/dev/null", O_RDONLY);

	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	dup2(a, ENGINE_KEEPER_FD);
	dup2(b, ENGINE_LISTEN_FD);
	close_range(ENGINE_LISTEN_FD + 1, ~0u, 0);
}

static void __attribute__((noreturn)) become_engine(const struct engine_child *e,
	const struct run_dir *d, enum log_level level, int socket, pid_t keeper)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	place_descriptors(socket, e->listener);
	execl(e->path, "rookeryd", "--keeper", "--fabric", d->name, "--run-dir", d->path,
		"--log-level", level_words[level], (char *)NULL);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", e->path, strerror(errno));
	_exit(127);
}

int
engine_child_start(
	struct engine_child *e, const struct run_dir *d, enum log_level level, struct fault *why)
{
	pid_t keeper = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fault_set(why, -errno, "cannot make a socket: %s", strerror(errno));
	e->pid = fork();
	if (e->pid == 0)
		become_engine(e, d, level, pair[1], keeper);
	close(pair[1]);
	if (e->pid < 0) {
		int rc = -errno;

		e->pid = 0;
		close(pair[0]);
		return fault_set(why, rc, "cannot start the engine: %s", strerror(-rc));
	}
	wire_init(&e->wire, pair[0]);
	return 0;
}

void
engine_child_end(struct engine_child *e, int timeout_ms)
{
	wire_fini(&e->wire);
	if (e->pid > 0)
		child_end(e->pid, timeout_ms);
	e->pid = 0;
}

void
engine_child_gone(struct engine_child *e)
{
	wire_fini(&e->wire);
	e->pid = 0;
}

bool
engine_child_may_restart(struct engine_child *e, int64_t now_ms)
{
	size_t n = sizeof(e->starts_ms) / sizeof(e->starts_ms[0]);

	if (e->starts_ms[0] != 0 && now_ms - e->starts_ms[0] < RESTART_WINDOW_MS)
		return false;
	memmove(e->starts_ms, e->starts_ms + 1, (n - 1) * sizeof(e->starts_ms[0]));
	e->starts_ms[n - 1] = now_ms;
	return true;
}
