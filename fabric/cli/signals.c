/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <time.h>

static sigset_t
wishes(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

void
signals_catch(void)
{
	sigset_t set = wishes();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

void
signals_release(void)
{
	sigset_t set = wishes();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool
signals_sleep(double seconds)
{
	sigset_t set = wishes();
	struct timespec t = {.tv_sec = (time_t)seconds};

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	return sigtimedwait(&set, NULL, &t) > 0;
}

int
signals_fd(void)
{
	sigset_t set = wishes();
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}
