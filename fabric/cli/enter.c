/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rookery exec and shell: a program inside a node.
 *
 * The keeper hands out descriptors of the node's namespaces. They are entered in its order (the user
 * namespace first: it gives the right to enter the others), then a child is made, because a PID namespace
 * takes only children. The child runs in the foreground of our terminal, in our process group, so that
 * the keyboard reaches it; we wait, pass on what is sent to us alone, stop when it stops, and end as it
 * ends.
 */
#include "fabric/cli/cli.h"
#include "fabric/cli/filters.h"
#include "fabric/cli/shadow.h"
#include "fabric/control/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static const struct {
	const char *name;
	int type;
} namespace_types[] = {
		{"user", CLONE_NEWUSER},
		{"mnt", CLONE_NEWNS},
		{"pid", CLONE_NEWPID},
		{"net", CLONE_NEWNET},
		{"uts", CLONE_NEWUTS},
		{"ipc", CLONE_NEWIPC},
};

static int
namespace_type(const char *name)
{
	for (size_t i = 0; i < sizeof(namespace_types) / sizeof(namespace_types[0]); i++) {
		if (name && strcmp(namespace_types[i].name, name) == 0)
			return namespace_types[i].type;
	}
	return -EINVAL;
}

static int
enter_all(const char *node, const json_t *names, const int *fds, size_t n)
{
	char cwd[PATH_MAX];
	bool have_cwd = getcwd(cwd, sizeof(cwd)) != NULL;

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		int type = namespace_type(name);

		if (type < 0 || setns(fds[i], type) < 0)
			return complain("the %s namespace of %s cannot be entered: %s", name ? name : "?", node,
					type < 0 ? "unknown kind" : strerror(errno));
	}
	if (!have_cwd || chdir(cwd) < 0) {
		if (chdir("/") < 0)
			return complain("%s has no root directory: %s", node, strerror(errno));
	}
	return STATUS_OK;
}

/* So that tools inside find the fabric, whose sockets are out of sight there. The descriptor is theirs to inherit. */
static void
leave_trail(const struct client *c)
{
	char dir[PATH_MAX], number[16];
	int fd;

	if (run_directory(c->fabric, dir, sizeof(dir)) < 0)
		return;
	fd = open(dir, O_PATH | O_DIRECTORY);
	snprintf(number, sizeof(number), "%d", fd);
	if (fd >= 0)
		setenv(ENV_RUN_FD, number, 1);
	setenv(ENV_FABRIC, c->fabric, 1);
}

/* Asks the keeper and enters. => STATUS_OK, or an exit status after a complaint. */
static int
enter(struct cli *cl, const char *node)
{
	int fds[WIRE_FDS_MAX], status;
	size_t n = 0;
	json_t *reply = client_call_fds(&cl->client, PEER_KEEPER,
			json_pack("{s:s, s:s}", "op", "enter", "node", node), fds, &n);
	const json_t *names = json_object_get(reply, "namespaces");

	if (!reply)
		return STATUS_FAILED;
	leave_trail(&cl->client);
	if (n == 0 || n != json_array_size(names))
		status = complain("the keeper has sent %zu descriptors for %zu namespaces", n,
				json_array_size(names));
	else
		status = enter_all(node, names, fds, n);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	json_decref(reply);
	return status;
}

/* `tools`: this program, to be iptables and its like there; NULL: the node is a guest, whose own kernel filters. */
static void
exec_child(char *const *argv, const char *tools)
{
	int err;

	if (tools && shadow_programs(tools, filter_tools) < 0)
		_exit(CANNOT_RUN);
	execvp(argv[0], argv);
	err = errno;
	complain("%s: %s", argv[0], strerror(err));
	_exit(err == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

/* A child that was stopped stops us, so that the shell outside has its terminal; it goes on with us. */
static int
await_child(pid_t child, const sigset_t *wait_for)
{
	int how, sig;

	for (;;) {
		pid_t pid = waitpid(child, &how, WUNTRACED | WNOHANG);

		if (pid < 0 && errno != EINTR)
			return complain("waiting for the program failed: %s", strerror(errno));
		if (pid == child && WIFEXITED(how))
			return WEXITSTATUS(how);
		if (pid == child && WIFSIGNALED(how))
			return 128 + WTERMSIG(how);
		if (pid == child && WIFSTOPPED(how)) {
			raise(SIGSTOP);
			kill(child, SIGCONT);
			continue;
		}
		sig = sigwaitinfo(wait_for, NULL);
		if (sig == SIGTERM || sig == SIGHUP)
			kill(child, sig);
	}
}

static int
run_inside(char *const *argv, const char *tools)
{
	sigset_t handled, before;
	pid_t child;

	fflush(stdout);
	sigemptyset(&handled);
	sigaddset(&handled, SIGCHLD);
	sigaddset(&handled, SIGINT); /* of the terminal: the child gets its own */
	sigaddset(&handled, SIGQUIT);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGHUP);
	sigprocmask(SIG_BLOCK, &handled, &before);
	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		exec_child(argv, tools);
	}
	if (child < 0)
		return complain("no process can be made inside: %s", strerror(errno));
	return await_child(child, &handled);
}

/* => whether `node` is a router; its name as the configuration writes it in `name`. */
static bool
is_router(struct client *c, const char *node, char name[NODE_NAME])
{
	struct config *cfg = client_config(c, NULL);
	const struct cfg_node *n = cfg ? config_node(cfg, node) : NULL;
	bool router = n && n->kind == CFG_ROUTER;

	snprintf(name, NODE_NAME, "%s", n ? n->name : node);
	config_free(cfg);
	return router;
}

/* Router's tools look for /usr/sbin whoever's shell it is. */
static void
extend_path(void)
{
	const char *path = getenv("PATH");
	char *longer;

	if (path && strstr(path, "/usr/sbin"))
		return;
	if (asprintf(&longer, "%s%s/usr/sbin:/sbin", path ? path : "", path ? ":" : "/usr/bin:/bin:") < 0)
		return;
	setenv("PATH", longer, 1);
	free(longer);
}

int
enter_run(struct cli *cl, const char *node, char *const *argv)
{
	char self[PATH_MAX], name[NODE_NAME];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	bool router = n > 0 && is_router(&cl->client, node, name);
	int status = enter(cl, node);

	if (status != STATUS_OK)
		return status;
	self[n > 0 ? n : 0] = '\0';
	client_fini(&cl->client);
	setenv("ROOKERY_NODE", node, 1);
	if (router)
		extend_path();
	status = run_inside(argv, router ? self : NULL);
	fflush(stdout);
	_exit(status); /* what a sanitizer starts at exit() would be born into the node, where it cannot see us */
}

int
run_exec(struct cli *cl)
{
	return enter_run(cl, cli_arg(cl, "NODE"), cl->args.rest);
}

/* Debian's bashrc shows debian_chroot in its own prompt; other shells take PS1 as it is. */
int
run_shell(struct cli *cl)
{
	const char *node = cli_arg(cl, "NODE"), *shell = getenv("SHELL");
	char *argv[2] = {0};
	char prompt[64];

	if (!shell || access(shell, X_OK) < 0)
		shell = "/bin/sh";
	snprintf(prompt, sizeof(prompt), "%.20s# ", node);
	setenv("PS1", prompt, 1);
	setenv("debian_chroot", node, 1);
	argv[0] = (char *)shell;
	return enter_run(cl, node, argv);
}
