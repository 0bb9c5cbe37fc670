/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a guest's namespaces, from the outside (nsguest.h).
 *
 * The child makes its namespaces and devices; the keeper receives the descriptors and holds them,
 * because an engine that is started again needs them, and because a device has a carrier only while
 * one is open. An open one also keeps the network namespace alive, so a guest is gone only when the
 * engine has closed its copies (an apply without it), the keeper has closed these, and the init is
 * dead, which takes all other processes of the guest with it.
 *
 * The init tells what becomes of programs. That it died itself, the keeper learns by SIGCHLD: the
 * guest stays in the list as dead, its ports count as down, and the next apply makes it anew.
 */
#include "fabric/keeper/nsguest.h"

#include "fabric/keeper/child.h"
#include "fabric/keeper/keeper.h"
#include "fabric/keeper/nsinit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUILD_TIMEOUT_MS = 60000 };

bool
nsguest_wanted(const struct cfg_node *node)
{
	return node->kind == CFG_GUEST_NETNS || (node->kind == CFG_ROUTER && node->control);
}

const char *
nsguest_kind_text(const struct nsguest *g)
{
	return g->kind == CFG_ROUTER ? "control" : "namespace";
}

/* ---- the list ---- */

/* => index of the first guest that is not before `name` */
static size_t
place_of(const struct keeper *k, const char *name)
{
	size_t low = 0, high = k->n_guests;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcasecmp(k->guests[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct nsguest *
nsguest_find(const struct keeper *k, const char *name)
{
	size_t i = place_of(k, name);

	return i < k->n_guests && strcasecmp(k->guests[i]->name, name) == 0 ? k->guests[i] : NULL;
}

void
nsguest_insert(struct keeper *k, struct nsguest *g)
{
	size_t i = place_of(k, g->name);
	struct nsguest **v = k->guests;

	memmove(v + i + 1, v + i, (k->n_guests - i) * sizeof(*v));
	v[i] = g;
	k->n_guests++;
}

void
nsguest_take_out(struct keeper *k, struct nsguest *g)
{
	size_t i = place_of(k, g->name);

	if (i == k->n_guests || k->guests[i] != g)
		return;
	k->n_guests--;
	memmove(k->guests + i, k->guests + i + 1, (k->n_guests - i) * sizeof(*k->guests));
}

/* ---- start ---- */

static int
fork_init(struct keeper *k, struct nsguest *g, const struct cfg_node *node)
{
	char hosts[RUN_PATH + 8];
	int pair[2];
	pid_t pid;

	snprintf(hosts, sizeof(hosts), "%s/hosts", k->run.path);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = child_fork(CLONE_NEWPID);
	if (pid == 0)
		nsinit_run(&(struct nsinit){.node = node,
			.socket = pair[1],
			.hosts = hosts,
			.run_dir = k->run.fd,
			.files = k->files});
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return pid;
	}
	g->pid = pid;
	wire_init(&g->wire, pair[0]);
	return 0;
}

struct nsguest *
nsguest_start(struct keeper *k, const struct cfg_node *node, struct fault *why)
{
	struct nsguest *g = calloc(1, sizeof(*g));
	int rc;

	if (g == NULL) {
		fault_set(why, -ENOMEM, "out of memory");
		return NULL;
	}
	memcpy(g->name, node->name, sizeof(g->name));
	g->kind = node->kind;
	g->command.fd = g->changes.fd = -1;
	rc = fork_init(k, g, node);
	if (rc < 0) {
		fault_namespace(why, rc, "process id");
		fault_prefix(why, rc, "guest %s: ", g->name);
		free(g);
		return NULL;
	}
	return g;
}

/* ---- what its init says ---- */

static void
program_told(struct nsguest *g, const json_t *msg)
{
	json_int_t id = json_integer_value(json_object_get(msg, "id"));
	const json_t *code = json_object_get(msg, "exit"), *signal = json_object_get(msg, "signal");
	const json_t *pid = json_object_get(msg, "pid");
	struct program *p = g->programs;

	while (p != NULL && p->id != id)
		p = p->next;
	if (p == NULL)
		return;
	if (pid != NULL)
		p->pid = (int)json_integer_value(pid);
	p->state = pid != NULL ? PROGRAM_RUNNING : signal != NULL ? PROGRAM_KILLED : PROGRAM_EXITED;
	p->code = (int)json_integer_value(signal != NULL ? signal : code);
	if (pid == NULL)
		log_line(LOG_INFO, "keeper", "guest %s: \"%s\" %s %d", g->name, p->command,
			p->state == PROGRAM_KILLED ? "was killed by signal" : "exited with",
			p->code);
}

static void
init_said(struct keeper *k, struct watcher *w, uint32_t events)
{
	struct nsguest *g = watcher_owner(w, struct nsguest, command);
	json_t *msg;
	int rc = wire_wait(&g->wire, &msg, NULL, NULL, 0);

	(void)events;
	if (rc == -ETIMEDOUT || rc == -EAGAIN)
		return;
	if (rc < 0) {
		keeper_unwatch(k, w); /* its death is seen by SIGCHLD */
		return;
	}
	program_told(g, msg);
	json_decref(msg);
}

static int
take_ports(struct nsguest *g, const json_t *msg, const int *fds, size_t n_fds)
{
	const json_t *list = json_object_get(msg, "ports"), *row;
	size_t i, used = 0;

	if (g->changes.fd < 0 && n_fds > 0)
		g->changes.fd = fds[used++];
	json_array_foreach (list, i, row) {
		struct ns_port *port = ns_ports_add(&g->ports);

		if (port == NULL || used == n_fds)
			break;
		port->fd = fds[used++];
		snprintf(port->name, sizeof(port->name), "%s",
			json_string_value(json_array_get(row, 0)));
		port->ifindex = (unsigned)json_integer_value(json_array_get(row, 1));
		port->offered = json_is_true(json_array_get(row, 2));
	}
	if (i == json_array_size(list) && used == n_fds)
		return json_is_true(json_object_get(msg, "more")) ? -EAGAIN : 0;
	while (used < n_fds)
		close(fds[used++]);
	return -ENOMEM;
}

static int
take_message(struct nsguest *g, const json_t *msg, const int *fds, size_t n_fds, struct fault *why)
{
	const char *error = json_string_value(json_object_get(msg, "error"));
	int rc;

	if (error != NULL)
		return fault_set(why, -ECANCELED, "%s %s: %s",
			g->kind == CFG_ROUTER ? "router" : "guest", g->name, error);
	rc = take_ports(g, msg, fds, n_fds);
	return rc == -ENOMEM ? fault_set(why, rc, "out of memory") : rc;
}

static int
receive_ports(struct keeper *k, struct nsguest *g, struct fault *why)
{
	int fds[WIRE_FDS_MAX];
	size_t n_fds;
	json_t *msg;
	int rc;

	do {
		rc = keeper_await(k, &g->wire, &msg, fds, &n_fds, BUILD_TIMEOUT_MS);
		if (rc < 0)
			return rc == -EINTR
				       ? fault_set(why, rc, "interrupted before it was done")
				       : fault_set(why, rc, "guest %s: its init %s", g->name,
						 rc == -ETIMEDOUT ? "does not answer"
								  : "ended before it was ready");
		rc = take_message(g, msg, fds, n_fds, why);
		json_decref(msg);
	} while (rc == -EAGAIN);
	return rc;
}

void
nsguest_expect(struct ns_port *port, const struct cfg_iface *iface)
{
	char text[PREFIX_TEXT];

	port->down = !iface->up;
	port->addresses = json_array();
	for (size_t i = 0; i < iface->n_addresses; i++)
		if (iface->addresses[i].addr.family == AF_INET)
			json_array_append_new(port->addresses,
				json_string(prefix_text(&iface->addresses[i], text)));
}

int
nsguest_collect(struct keeper *k, struct nsguest *g, const struct cfg_node *node, struct fault *why)
{
	int rc = receive_ports(k, g, why);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < g->ports.n; i++)
		nsguest_expect(&g->ports.v[i], config_iface(node, g->ports.v[i].name));
	g->state = NSGUEST_ALIVE;
	g->command = (struct watcher){.fd = g->wire.fd, .ready = init_said};
	g->changes.ready = nsguest_changes_seen;
	rc = keeper_watch(k, &g->command, EPOLLIN);
	if (rc == 0)
		rc = keeper_watch(k, &g->changes, EPOLLIN);
	return rc == 0 ? 0
		       : fault_set(why, rc, "cannot watch guest %s: %s", g->name, strerror(-rc));
}

/* ---- end ---- */

void
nsguest_kill(struct nsguest *g)
{
	if (g->pid > 0)
		kill(g->pid, SIGKILL);
}

static void
stop_watching(struct keeper *k, struct nsguest *g)
{
	int changes = g->changes.fd;

	keeper_unwatch(k, &g->command);
	keeper_unwatch(k, &g->changes);
	if (changes >= 0)
		close(changes);
	wire_fini(&g->wire);
}

void
nsguest_free(struct keeper *k, struct nsguest *g)
{
	stop_watching(k, g);
	ns_ports_fini(&g->ports);
	if (g->pid > 0)
		child_kill(g->pid);
	while (g->programs != NULL) {
		struct program *p = g->programs;

		g->programs = p->next;
		free(p->command);
		free(p);
	}
	free(g);
}

static void
lose(struct keeper *k, struct nsguest *g)
{
	g->state = NSGUEST_DEAD;
	g->pid = 0;
	for (struct program *p = g->programs; p != NULL; p = p->next)
		if (p->state == PROGRAM_RUNNING || p->state == PROGRAM_STARTING)
			p->state = PROGRAM_LOST;
	for (size_t i = 0; i < g->ports.n; i++)
		g->ports.v[i].down = true;
	nsguest_tell_changes(k, g);
	stop_watching(k, g);
}

bool
nsguest_died(struct keeper *k, pid_t pid, int status)
{
	for (size_t i = 0; i < k->n_guests; i++) {
		struct nsguest *g = k->guests[i];

		if (g->pid != pid)
			continue;
		log_line(LOG_ERROR, "keeper",
			"guest %s is gone: its init %s %d; the next apply makes it anew", g->name,
			WIFSIGNALED(status) ? "was killed by signal" : "exited with",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		lose(k, g);
		return true;
	}
	return false;
}
