/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/sweeper.h"

#include "fabric/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENGINE_GRACE_MS = 1000 };

/* The engine ends by itself when its socket closes: it is given a moment. */
static void
end_engine(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return;
	if (poll(&p, 1, ENGINE_GRACE_MS) != 1) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		poll(&p, 1, ENGINE_GRACE_MS);
	}
	close(pidfd);
}

/* Whoever waits for the end of our starter's output must not wait for us. */
static void
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

static void __attribute__((noreturn)) sweep_later(int pipe, const struct run_dir *d)
{
	int engine = -1;
	pid_t pid;

	child_close_others((const int[]){pipe, d->root}, 2);
	leave_terminal();
	setsid();
	prctl(PR_SET_NAME, "rookery-sweep");
	for (int s = 1; s < NSIG; s++)
		if (s != SIGCHLD)
			signal(s, SIG_IGN);
	/* Whole numbers only: each is written in one piece. */
	while (read(pipe, &pid, sizeof(pid)) == sizeof(pid)) {
		if (engine >= 0)
			close(engine);
		engine = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	}
	end_engine(engine);
	run_dir_remove(d->root, d->name);
	_exit(0);
}

int
sweeper_start(struct sweeper *s, const struct run_dir *d, struct fault *why)
{
	int ends[2];

	s->pid = 0;
	s->pipe = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_set(why, -errno, "cannot make a pipe: %s", strerror(errno));
	s->pid = fork();
	if (s->pid == 0)
		sweep_later(ends[0], d);
	close(ends[0]);
	s->pipe = ends[1];
	if (s->pid < 0)
		return fault_set(why, -errno, "cannot start a process: %s", strerror(errno));
	return 0;
}

void
sweeper_watch(const struct sweeper *s, pid_t engine)
{
	if (write(s->pipe, &engine, sizeof(engine)) < 0)
		return; /* it is gone: nothing is left to tell */
}

void
sweeper_end(struct sweeper *s)
{
	if (s->pipe >= 0)
		close(s->pipe);
	s->pipe = -1;
	if (s->pid > 0)
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	s->pid = 0;
}
