/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: the one process with privileges. It makes what the engine and the guests stand on,
 * holds the descriptors, and clears up.
 *
 *    start    run directory, sockets, sweeper, namespaces of the lab, engine, and the change from
 *             nothing to the configuration (start.c, apply.c); then it is ready
 *    loop     requests (request.c), deaths, changes in guests (nsguest_change.c), one at a time
 *    end      however it comes: guests are killed all at once and reaped, the engine ends, the
 *             sweeper removes the run directory
 *
 * What ends it: SIGINT, SIGTERM, SIGHUP, a request, an engine that cannot be kept alive. If the
 * keeper itself is killed, the kernel kills its children (parent death signal) and the sweeper does
 * the rest.
 *
 * Standard error is the log file from the moment the run directory is there; until the start is
 * over, what the user has to know goes to the old standard error as well (keeper_say()), and why a
 * start failed goes to --ready-fd too.
 *
 * One thread; nothing here is called from another, nor from a signal handler: signals are
 * descriptors.
 */
#include "fabric/keeper/keeper.h"

#include "fabric/keeper/carriers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENGINE_END_MS = 3000, LOG_TAIL = 4096 };

int64_t
keeper_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
keeper_say(struct keeper *k, enum log_level level, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (k->run.fd >= 0)
		log_line(level, "keeper", "%s", text);
	if (k->console >= 0 && level <= k->options.log_level)
		dprintf(k->console, "rookery-keeper: %s\n", text);
}

/* ---- waiting ---- */

int
keeper_watch(struct keeper *k, struct watcher *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, w->fd, &e) == 0)
		return 0;
	return errno == EEXIST && epoll_ctl(k->epoll, EPOLL_CTL_MOD, w->fd, &e) == 0 ? 0 : -errno;
}

void
keeper_unwatch(struct keeper *k, struct watcher *w)
{
	if (w->fd >= 0)
		epoll_ctl(k->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

int
keeper_await(
	struct keeper *k, struct wire *w, json_t **msg, int *fds, size_t *n_fds, int timeout_ms)
{
	struct pollfd p[] = {
		{.fd = w->fd, .events = POLLIN}, {.fd = k->terminations.fd, .events = POLLIN}};
	int64_t end = keeper_now_ms() + timeout_ms;

	for (;;) {
		int rc = wire_wait(w, msg, fds, n_fds, 0);
		int64_t left = end - keeper_now_ms();

		if (rc != -ETIMEDOUT && rc != -EAGAIN)
			return rc;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents != 0)
			return -EINTR;
	}
}

static void
loop(struct keeper *k)
{
	struct epoll_event e;

	while (!k->stopping) {
		/* One at a time: what is ready may free what another event points to. */
		int n = epoll_wait(k->epoll, &e, 1, -1);
		struct watcher *w = e.data.ptr;

		if (n < 0 && errno != EINTR)
			return;
		if (n == 1)
			w->ready(k, w, e.events);
	}
}

/* ---- signals ---- */

static void
termination(struct keeper *k, struct watcher *w, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_line(LOG_NOTICE, "keeper", "ending: %s", strsignal((int)info.ssi_signo));
	k->stopping = true;
}

static void
give_up(struct keeper *k, const char *what)
{
	log_line(LOG_ERROR, "keeper", "the fabric ends: %s", what);
	k->stopping = true;
	k->exit_code = 1;
}

static void
engine_died(struct keeper *k, int status)
{
	struct fault why;

	log_line(LOG_ERROR, "keeper", "the engine %s %d",
		WIFSIGNALED(status) ? "was killed by signal" : "exited with",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	keeper_unwatch(k, &k->engine_watch);
	engine_child_gone(&k->engine);
	sweeper_watch(&k->sweeper, 0);
	if (!engine_child_may_restart(&k->engine, keeper_now_ms())) {
		give_up(k, "its engine has crashed more than 5 times within a minute");
		return;
	}
	if (keeper_start_engine(k, &why) < 0) {
		give_up(k, why.text);
	} else if (keeper_restore_engine(k, &why) < 0) {
		/* One that died once more is counted once more. */
		log_line(LOG_ERROR, "keeper", "the new engine does not take over: %s", why.text);
		kill(k->engine.pid, SIGKILL);
	} else {
		log_line(LOG_NOTICE, "keeper", "the engine runs again, process %d",
			(int)k->engine.pid);
	}
}

static void
deaths(struct keeper *k, struct watcher *w, uint32_t events)
{
	struct signalfd_siginfo ignored;
	int status;
	pid_t pid;

	(void)events;
	while (read(w->fd, &ignored, sizeof(ignored)) > 0)
		;
	while (!k->stopping && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->engine.pid)
			engine_died(k, status);
		else if (pid == k->sweeper.pid)
			k->sweeper.pid = 0, give_up(k, "the process that clears up was killed");
		else
			nsguest_died(k, pid, status);
	}
}

static int
watch_signals(struct keeper *k, struct watcher *w, const int *signals, size_t n)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return w->fd < 0 ? -errno : keeper_watch(k, w, EPOLLIN);
}

static int
start_loop(struct keeper *k, struct fault *why)
{
	int rc;

	signal(SIGPIPE, SIG_IGN);
	k->terminations.ready = termination;
	k->deaths.ready = deaths;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	rc = k->epoll < 0 ? -errno : 0;
	if (rc == 0)
		rc = watch_signals(k, &k->terminations, (const int[]){SIGINT, SIGTERM, SIGHUP}, 3);
	if (rc == 0)
		rc = watch_signals(k, &k->deaths, (const int[]){SIGCHLD}, 1);
	return rc == 0 ? 0 : fault_set(why, rc, "cannot wait for events: %s", strerror(-rc));
}

/* ---- start and end ---- */

/* What the engine wrote last may say more than the sentence; our own lines do not. */
static void
show_log_tail(struct keeper *k)
{
	char text[LOG_TAIL + 1];
	int log = k->run.fd < 0 ? -1 : openat(k->run.fd, "log", O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (log < 0)
		return;
	n = fstat(log, &st) < 0
		    ? -1
		    : pread(log, text, LOG_TAIL, st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0);
	text[n > 0 ? n : 0] = '\0';
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0' && strstr(line, " keeper: ") == NULL)
			dprintf(k->console, "%s\n", line);
	close(log);
}

static void
report(struct keeper *k, const char *text)
{
	int fd = k->options.ready_fd;

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) >= 0 && write(fd, "\n", 1) < 0)
		log_line(LOG_DEBUG, "keeper", "nobody waits for the start");
	close(fd);
	k->options.ready_fd = -1;
}

static void
started(struct keeper *k)
{
	k->ready = true;
	log_line(LOG_NOTICE, "keeper", "fabric %s is up: %zu guests in namespaces, %lld ms",
		k->run.name, k->n_guests, (long long)(keeper_now_ms() - k->started_ms));
	report(k, "ok");
	if (k->console >= 0)
		close(k->console);
	k->console = -1;
}

static void
start_failed(struct keeper *k, const struct fault *why)
{
	k->exit_code = 1;
	if (k->run.fd >= 0)
		log_line(LOG_ERROR, "keeper", "%s", why->text);
	if (k->sweeper.pid > 0)
		show_log_tail(k);
	if (k->options.ready_fd < 0)
		dprintf(k->console, "rookery-keeper: %s\n", why->text);
	report(k, why->text);
}

static void
end_guests(struct keeper *k)
{
	for (size_t i = 0; i < k->n_guests; i++)
		nsguest_kill(k->guests[i]);
	for (size_t i = 0; i < k->n_guests; i++)
		nsguest_free(k, k->guests[i]);
	free(k->guests);
	k->guests = NULL;
	k->n_guests = 0;
	for (size_t i = 0; i < k->n_osadevs; i++) {
		close(k->osadevs[i].fd);
		free(k->osadevs[i].device);
	}
	free(k->osadevs);
}

static void
end(struct keeper *k, const char *error)
{
	keeper_unwatch(k, &k->engine_watch);
	end_guests(k);
	engine_child_end(&k->engine, ENGINE_END_MS);
	sweeper_watch(&k->sweeper, 0);
	if (k->engine.listener >= 0)
		close(k->engine.listener);
	sweeper_end(&k->sweeper);
	request_end(k, error);
	if (k->listener.fd >= 0)
		close(k->listener.fd);
	if (k->hosts >= 0)
		close(k->hosts);
	run_dir_close(&k->run);
	osadevs_unwatch(k);
	close(k->terminations.fd);
	close(k->deaths.fd);
	close(k->epoll);
	config_free(k->config);
	bundle_fini(&k->bundle);
	free(k->origin);
}

static void
init(struct keeper *k, const struct keeper_options *options)
{
	memset(k, 0, sizeof(*k));
	k->options = *options;
	k->started_ms = keeper_now_ms();
	k->console = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	k->epoll = k->hosts = k->run.fd = k->run.root = -1;
	k->terminations.fd = k->deaths.fd = k->listener.fd = k->engine_watch.fd = k->carriers.fd = -1;
	k->engine.listener = k->sweeper.pipe = -1;
	wire_init(&k->engine.wire, -1);
	if (options->ready_fd >= 0)
		fcntl(options->ready_fd, F_SETFD, FD_CLOEXEC);
	if (options->bundle_fd >= 0)
		fcntl(options->bundle_fd, F_SETFD, FD_CLOEXEC);
}

int
keeper_run(const struct keeper_options *options)
{
	struct config *config = NULL;
	struct fault why = {""};
	struct keeper k;
	int rc;

	init(&k, options);
	log_set_level(options->log_level);
	rc = start_loop(&k, &why);
	if (rc == 0)
		rc = keeper_start(&k, &config, &why);
	if (rc == 0) {
		started(&k);
		loop(&k);
	} else {
		start_failed(&k, &why);
	}
	end(&k, rc < 0 ? why.text : NULL);
	config_free(config);
	return k.exit_code;
}
