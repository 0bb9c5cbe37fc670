/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The init of one guest.
 *
 * It is forked by the keeper without exec, so it has the configuration at hand. It makes the
 * network, mount and UTS namespaces of the guest, builds in them what the configuration says
 * (netns.h), hands the descriptors to the keeper and keeps none of them. From then on it starts the
 * programs it is told to, reaps whatever ends, its own or adopted, and tells the keeper about the
 * programs.
 *
 * Life: it ends when the keeper closes the socket, when the keeper dies (parent death signal, and
 * the same closed socket), or when it is killed. The kernel then kills all processes of the guest,
 * and the namespaces go when the last descriptor of their devices is closed.
 *
 * Programs run by /bin/sh -c in a session of their own, with the guest's log file as output and the
 * keeper's working directory. Nothing is started again.
 */
#include "fabric/keeper/nsinit.h"

#include "fabric/base/log.h"
#include "fabric/control/wire.h"
#include "fabric/keeper/child.h"
#include "fabric/keeper/fault.h"
#include "fabric/keeper/netns.h"
#include "fabric/keeper/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
	struct job *next;
	json_int_t id;
	pid_t pid;
};

struct init {
	const struct cfg_node *node;
	struct wire wire;
	const char *hosts;
	int log, signals;
	struct rlimit files;
	struct job *jobs;
};

/* ---- namespaces ---- */

static int
own_namespaces(const struct cfg_node *node, struct fault *why)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS) < 0)
		return fault_namespace(why, -errno, "network, mount and host name");
	if (sethostname(node->name, strlen(node->name)) < 0)
		return fault_set(why, -errno, "cannot set the host name: %s", strerror(errno));
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fault_set(why, -errno, "cannot make mounts private: %s", strerror(errno));
	return 0;
}

static void
mount_or_say(const char *node, const char *from, const char *on, const char *type,
	unsigned long flags, const char *options)
{
	if (mount(from, on, type, flags, options) < 0)
		log_line(LOG_WARNING, "keeper", "guest %s goes without its own %s: %s", node, on,
			strerror(errno));
}

/* None of these is worth refusing the guest for: a hardened host may forbid any of them. */
static void
own_mounts(const struct init *init)
{
	const char *name = init->node->name;

	mount_or_say(name, init->hosts, "/etc/hosts", NULL, MS_BIND, NULL);
	mount_or_say(name, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		log_line(LOG_DEBUG, "keeper", "guest %s sees the /sys of the host: %s", name,
			strerror(errno));
	mount_or_say(name, "tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
}

/* ---- handing over ---- */

static int
send_some_ports(
	struct init *init, const struct ns_ports *ports, size_t from, int *fds, size_t n_fds)
{
	json_t *list = json_array(), *msg;
	size_t i = from;
	int rc;

	for (; i < ports->n && n_fds < WIRE_FDS_MAX; i++) {
		const struct ns_port *p = &ports->v[i];

		fds[n_fds++] = p->fd;
		json_array_append_new(
			list, json_pack("[sib]", p->name, (int)p->ifindex, p->offered));
	}
	msg = json_pack("{ss so sb}", "op", "ports", "ports", list, "more", i < ports->n);
	rc = wire_send(&init->wire, msg, fds, n_fds);
	json_decref(msg);
	return rc < 0 ? rc : (int)i;
}

static int
send_ports(struct init *init, const struct ns_ports *ports, int watch)
{
	int fds[WIRE_FDS_MAX] = {watch};
	int next = send_some_ports(init, ports, 0, fds, 1);

	while (next >= 0 && (size_t)next < ports->n)
		next = send_some_ports(init, ports, (size_t)next, fds, 0);
	return next < 0 ? next : 0;
}

static int
build(struct init *init, struct fault *why)
{
	struct ns_ports ports = {0};
	int watch = -1;
	int rc = own_namespaces(init->node, why);

	if (rc == 0) {
		own_mounts(init);
		rc = ns_build(init->node, "/proc/sys", &ports, why);
	}
	if (rc == 0) {
		watch = watch_open();
		rc = watch < 0 ? fault_set(why, watch, "cannot watch it: %s", strerror(-watch))
			       : send_ports(init, &ports, watch);
	}
	if (watch >= 0)
		close(watch);
	ns_ports_fini(&ports);
	return rc;
}

static void
tell(struct init *init, json_t *msg)
{
	wire_send(&init->wire, msg, NULL, 0);
	json_decref(msg);
}

/* ---- programs ---- */

static void
become_program(const struct init *init, const char *command)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	setsid();
	setrlimit(RLIMIT_NOFILE, &init->files);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(init->log, STDOUT_FILENO);
	dup2(init->log, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	dprintf(STDERR_FILENO, "cannot run /bin/sh: %s\n", strerror(errno));
	_exit(127);
}

static void
run_program(struct init *init, const json_t *msg)
{
	struct job *job = calloc(1, sizeof(*job));
	const char *command = json_string_value(json_object_get(msg, "command"));

	if (job == NULL || command == NULL) {
		free(job);
		return;
	}
	job->id = json_integer_value(json_object_get(msg, "id"));
	job->pid = fork();
	if (job->pid == 0)
		become_program(init, command);
	if (job->pid < 0) {
		tell(init, json_pack("{ss sI si}", "op", "ended", "id", job->id, "exit", 126));
		free(job);
		return;
	}
	job->next = init->jobs;
	init->jobs = job;
	tell(init, json_pack("{ss sI si}", "op", "started", "id", job->id, "pid", (int)job->pid));
}

static void
terminate_program(struct init *init, const json_t *msg)
{
	json_int_t id = json_integer_value(json_object_get(msg, "id"));

	for (struct job *j = init->jobs; j != NULL; j = j->next)
		if (j->id == id)
			kill(-j->pid, SIGTERM);
}

static void
job_ended(struct init *init, pid_t pid, int status)
{
	for (struct job **at = &init->jobs; *at != NULL; at = &(*at)->next) {
		struct job *j = *at;

		if (j->pid != pid)
			continue;
		if (WIFSIGNALED(status))
			tell(init, json_pack("{ss sI si}", "op", "ended", "id", j->id, "signal",
					   WTERMSIG(status)));
		else
			tell(init, json_pack("{ss sI si}", "op", "ended", "id", j->id, "exit",
					   WEXITSTATUS(status)));
		*at = j->next;
		free(j);
		return;
	}
}

static void
reap(struct init *init)
{
	struct signalfd_siginfo ignored;
	int status;
	pid_t pid;

	while (read(init->signals, &ignored, sizeof(ignored)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		job_ended(init, pid, status);
}

static const struct {
	const char *op;
	void (*run)(struct init *init, const json_t *msg);
} orders[] = {
	{"run", run_program},
	{"terminate", terminate_program},
};

/* => false when the keeper is gone. */
static bool
obey(struct init *init)
{
	json_t *msg;
	int rc = wire_wait(&init->wire, &msg, NULL, NULL, 0);
	const char *op = json_string_value(json_object_get(msg, "op"));

	if (rc < 0)
		return rc == -EAGAIN || rc == -ETIMEDOUT;
	for (size_t i = 0; op != NULL && i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].op, op) == 0)
			orders[i].run(init, msg);
	json_decref(msg);
	return true;
}

static void
serve(struct init *init)
{
	struct pollfd p[] = {
		{.fd = init->wire.fd, .events = POLLIN}, {.fd = init->signals, .events = POLLIN}};

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents != 0)
			reap(init);
		if (p[0].revents != 0 && !obey(init))
			return;
	}
}

static int
open_log(const struct nsinit *args)
{
	char name[NODE_NAME + 4];

	snprintf(name, sizeof(name), "%s.log", args->node->name);
	return openat(args->run_dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void
nsinit_run(const struct nsinit *args)
{
	struct init init = {.node = args->node, .hosts = args->hosts, .files = args->files};
	struct fault why = {""};
	sigset_t child;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "rookery-init");
	setsid();
	wire_init(&init.wire, args->socket);
	init.log = open_log(args);
	child_close_others((const int[]){args->socket, init.log}, 2);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	init.signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	if (init.log < 0 || init.signals < 0)
		fault_set(&why, -errno, "cannot open its log: %s", strerror(errno));
	else if (build(&init, &why) == 0)
		serve(&init);
	if (why.text[0] != '\0')
		tell(&init, json_pack("{ss ss}", "op", "failed", "error", why.text));
	_exit(why.text[0] != '\0');
}
