/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from a file to a fabric that runs, step by step. A step that fails leaves its sentence;
 * what the earlier ones made, the keeper's end takes away (keeper.c). The order matters: sockets
 * and the sweeper before namespaces, so that they are in the user's own.
 */
#include "fabric/keeper/keeper.h"

#include "fabric/keeper/lab.h"
#include "fabric/keeper/tundev.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_FILES = 64, FILES_PER_GUEST = 3 };

static int
load(struct keeper *k, struct config **out, struct fault *why)
{
	struct cfg_errors errs;
	int rc = config_load(k->options.file, out, &errs);
	size_t n = 0;

	why->text[0] = '\0';
	for (size_t i = 0; rc < 0 && i < errs.n && n < sizeof(why->text); i++)
		n += (size_t)snprintf(why->text + n, sizeof(why->text) - n, "%s%s",
			i > 0 ? "\n" : "", errs.text[i]);
	if (rc < 0 && n == 0)
		fault_set(why, rc, "cannot read %s: %s", k->options.file, strerror(-rc));
	cfg_errors_free(&errs);
	return rc;
}

/* Every guest needs a few descriptors, every interface one. */
static int
raise_file_limit(struct keeper *k, const struct config *c, struct fault *why)
{
	struct rlimit most;
	size_t need = SPARE_FILES;

	for (size_t i = 0; i < c->n_nodes; i++)
		if (nsguest_wanted(&c->nodes[i]))
			need += FILES_PER_GUEST + c->nodes[i].n_ifaces;
	getrlimit(RLIMIT_NOFILE, &k->files);
	most = (struct rlimit){.rlim_cur = k->files.rlim_max, .rlim_max = k->files.rlim_max};
	if (geteuid() == 0 && most.rlim_max < need)
		most.rlim_cur = most.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &most) < 0 || most.rlim_cur < need)
		return fault_set(why, -EMFILE,
			"this fabric needs about %zu open files and the limit is %lu "
			"(ulimit -Hn)",
			need, (unsigned long)k->files.rlim_max);
	return 0;
}

static int
needs_devices(const struct config *c, struct fault *why)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (nsguest_wanted(&c->nodes[i]) && c->nodes[i].n_ifaces > 0)
			return tundev_usable(why);
	return 0;
}

static int
write_pid(struct keeper *k, struct fault *why)
{
	char text[16];
	int fd = run_dir_create(&k->run, "keeper.pid", 0, why), rc;

	if (fd < 0)
		return fd;
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	rc = run_dir_write(fd, "keeper.pid", text, strlen(text), why);
	close(fd);
	return rc;
}

/* Standard error becomes the log. */
static int
open_log(struct keeper *k, struct fault *why)
{
	int log = run_dir_create(&k->run, "log", O_APPEND, why);

	if (log < 0)
		return log;
	if (dup2(log, STDERR_FILENO) < 0)
		return fault_set(why, -errno, "cannot open the log: %s", strerror(errno));
	close(log);
	log_line(LOG_INFO, "keeper", "starting fabric %s from %s", k->run.name, k->options.file);
	return 0;
}

static int
open_run_dir(struct keeper *k, struct fault *why)
{
	int rc = sweeper_start(&k->sweeper, &k->run, why);

	if (rc < 0)
		return rc;
	rc = open_log(k, why);
	if (rc == 0)
		rc = write_pid(k, why);
	if (rc < 0)
		return rc;
	k->hosts = run_dir_create(&k->run, "hosts", 0, why);
	if (k->hosts < 0 || fchmod(k->hosts, 0644) < 0)
		return k->hosts < 0 ? k->hosts : -errno;
	k->listener = (struct watcher){
		.fd = run_dir_listen(&k->run, "keeper.sock", why), .ready = request_accept};
	if (k->listener.fd < 0)
		return k->listener.fd;
	k->engine.listener = run_dir_listen(&k->run, "engine.sock", why);
	return k->engine.listener < 0 ? k->engine.listener : 0;
}

static int
enter_lab(struct keeper *k, const struct config *c, struct fault *why)
{
	bool one_id = false;
	int rc;

	if (geteuid() == 0)
		return 0;
	for (size_t i = 0; i < c->n_osas; i++)
		if (c->osas[i].side == CFG_OSA_DEVICE)
			return fault_set(why, -EPERM, "adapter %s: using the device %s needs root",
				c->osas[i].name, c->osas[i].network);
	k->unprivileged = true;
	rc = lab_enter(&one_id, why);
	if (rc == 0 && one_id)
		keeper_say(k, LOG_NOTICE,
			"only one user id is mapped: programs that change user will fail");
	return rc;
}

static void
engine_spoke(struct keeper *k, struct watcher *w, uint32_t events)
{
	json_t *msg;
	int rc = wire_wait(&k->engine.wire, &msg, NULL, NULL, 0);

	(void)events;
	if (rc == -ETIMEDOUT || rc == -EAGAIN)
		return;
	if (rc == 0) {
		log_line(LOG_WARNING, "keeper", "the engine says something it was not asked");
		json_decref(msg);
		return;
	}
	keeper_unwatch(k, w);
	kill(k->engine.pid, SIGKILL); /* SIGCHLD does the rest */
}

int
keeper_start_engine(struct keeper *k, struct fault *why)
{
	int rc = engine_child_start(&k->engine, &k->run, k->options.log_level, why);

	if (rc < 0)
		return rc;
	sweeper_watch(&k->sweeper, k->engine.pid);
	k->engine_watch = (struct watcher){.fd = k->engine.wire.fd, .ready = engine_spoke};
	return keeper_watch(k, &k->engine_watch, EPOLLIN);
}

/* Without rules beside it the configuration must name none: the engine says so. */
static int
change_first(struct keeper *k, struct config *to, struct fault *why)
{
	struct bundle bundle = {0};
	int rc = 0;

	if (k->options.bundle_fd >= 0) {
		rc = bundle_read(k->options.bundle_fd, &bundle);
		close(k->options.bundle_fd);
	}
	if (rc < 0)
		return fault_set(why, rc, "the rules cannot be read: %s", strerror(-rc));
	rc = keeper_change(k, to, k->options.bundle_fd >= 0 ? &bundle : NULL, k->options.file, why);
	bundle_fini(&bundle);
	return rc;
}

int
keeper_start(struct keeper *k, struct config **config, struct fault *why)
{
	int rc = load(k, config, why);

	if (rc == 0)
		rc = engine_child_find(&k->engine, k->options.engine, why);
	if (rc == 0)
		rc = raise_file_limit(k, *config, why);
	if (rc == 0)
		rc = needs_devices(*config, why);
	if (rc == 0)
		rc = run_dir_take(&k->run, k->options.run_root, (*config)->fabric, why);
	if (rc == 0)
		rc = open_run_dir(k, why);
	if (rc == 0)
		rc = enter_lab(k, *config, why);
	if (rc == 0)
		rc = keeper_start_engine(k, why);
	if (rc == 0)
		rc = change_first(k, *config, why);
	if (rc < 0)
		return rc;
	*config = NULL; /* the keeper's now */
	return keeper_watch(k, &k->listener, EPOLLIN);
}
