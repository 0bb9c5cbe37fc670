/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rookery lab: starting, stopping and listing fabrics.
 *
 * Starting: the keeper is run as a process of its own with a pipe, on which it writes "ok" when the fabric
 * is up, or one sentence why not. Detached, that is all. Attached, this process stays and holds a
 * connection to the keeper: its end is the fabric's end, whoever wanted it; and Ctrl-C here asks the
 * keeper to stop. If this process dies without having asked, the kernel tells the keeper (SIGTERM), which
 * then clears up by itself.
 *
 * Stopping is the request "stop"; its answer comes when nothing is left.
 */
#include "fabric/cli/cli.h"
#include "fabric/cli/destination.h"
#include "fabric/cli/filters.h"
#include "fabric/cli/program.h"
#include "fabric/cli/render.h"
#include "fabric/cli/signals.h"
#include "fabric/control/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, TICK_MS = 250, SENTENCE = 4096 };

struct start {
	const char *file, *fabric, *level;
	bool detached;
	int rules; /* descriptor of the rules of its routers */
	int ready; /* reading end of the pipe */
	pid_t keeper;
};

static void
exec_keeper(const struct start *s, const char *path, int ready_fd)
{
	char number[16], rules[16];
	const char *argv[10] = {"rookery-keeper", "--ready-fd", number, "--rules-fd", rules};
	size_t n = 5;

	snprintf(number, sizeof(number), "%d", ready_fd);
	snprintf(rules, sizeof(rules), "%d", s->rules);
	fcntl(s->rules, F_SETFD, 0);
	if (s->level) {
		argv[n++] = "--log-level";
		argv[n++] = s->level;
	}
	argv[n++] = s->file;
	setsid(); /* a Ctrl-C on the terminal is ours to handle */
	signals_release();
	if (!s->detached)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(path, (char *const *)argv);
	dprintf(ready_fd, "%s cannot be run: %s\n", path, strerror(errno));
	_exit(127);
}

static int
start_keeper(struct start *s)
{
	char path[PATH_MAX];
	int pipe_fds[2], null;

	if (program_find("rookery-keeper", "ROOKERY_KEEPER", path, sizeof(path)) < 0)
		return complain("the program rookery-keeper is not installed; ROOKERY_KEEPER can name it");
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return complain("no pipe can be made: %s", strerror(errno));
	s->keeper = fork();
	if (s->keeper == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		fcntl(pipe_fds[1], F_SETFD, 0);
		exec_keeper(s, path, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	if (s->keeper < 0) {
		close(pipe_fds[0]);
		return complain("no process can be made: %s", strerror(errno));
	}
	s->ready = pipe_fds[0];
	return STATUS_OK;
}

static double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One line that is written over itself; cleared with `seconds` below 0. */
static void
progress(const struct start *s, double seconds)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (seconds < 0)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\rstarting %s ... %.0f s", s->fabric, seconds);
	fflush(stderr);
}

/* Reads what the keeper has to say until it closes the pipe. => bytes, or -EINTR after Ctrl-C. */
static ssize_t
read_sentence(const struct start *s, char *text, size_t size)
{
	int signals = signals_fd();
	struct pollfd fds[2] = {{.fd = s->ready, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	double begin = seconds_now();
	ssize_t used = 0, n = 1;
	bool shown = false;

	while (n > 0 && used < (ssize_t)size - 1) {
		int ready = poll(fds, 2, shown ? TICK_MS : PATIENCE_MS);

		if (fds[1].revents & POLLIN) {
			used = -EINTR;
			break;
		}
		if (ready == 0) {
			shown = true;
			progress(s, seconds_now() - begin);
			continue;
		}
		n = read(s->ready, text + used, size - 1 - (size_t)used);
		used += n > 0 ? n : 0;
		if (used > 0 && text[used - 1] == '\n')
			break;
	}
	if (shown)
		progress(s, -1);
	text[used > 0 ? used : 0] = '\0';
	close(signals);
	return used;
}

static int
complain_dead(const struct start *s)
{
	char dir[PATH_MAX] = "";
	int how = 0;

	run_directory(s->fabric, dir, sizeof(dir));
	if (waitpid(s->keeper, &how, 0) > 0 && WIFSIGNALED(how))
		return complain("rookery-keeper was killed by signal %d (%s) before the fabric was up",
				WTERMSIG(how), strsignal(WTERMSIG(how)));
	snprintf(dir + strlen(dir), sizeof(dir) - strlen(dir), "/log");
	if (access(dir, R_OK) == 0)
		return complain("rookery-keeper ended before the fabric was up; see %s", dir);
	return complain("rookery-keeper ended before the fabric was up, without a word");
}

static int
await_ready(const struct start *s)
{
	char text[SENTENCE];
	ssize_t n = read_sentence(s, text, sizeof(text));

	if (n == -EINTR) {
		kill(s->keeper, SIGTERM);
		waitpid(s->keeper, NULL, 0);
		return complain("stopped before the fabric was up");
	}
	if (strcmp(text, "ok\n") == 0)
		return STATUS_OK;
	if (n <= 0)
		return complain_dead(s);
	text[strcspn(text, "\n")] = '\0';
	waitpid(s->keeper, NULL, 0);
	return complain("%s", text);
}

static void
print_up(const struct config *cfg, double seconds)
{
	enum { SHOWN = 12 };
	char text[ADDR_TEXT];

	printf("fabric %s is up after %.1f s\n", cfg->fabric, seconds);
	for (size_t i = 0; i < cfg->n_nodes && i < SHOWN; i++) {
		const struct cfg_node *n = &cfg->nodes[i];
		const struct ip_addr *address = destination_of(n);

		printf("  %-8s  %-6s  %s\n", n->name, n->kind == CFG_ROUTER ? "router" : "guest",
				address ? ip_text(address, text) : "-");
	}
	if (cfg->n_nodes > SHOWN)
		printf("  and %zu more: rookery show guests\n", cfg->n_nodes - SHOWN);
	fflush(stdout);
}

/* Asks the keeper to stop and waits for the answer: by then nothing is left. */
static int
stop_fabric(struct client *c)
{
	json_t *reply = client_call(c, PEER_KEEPER, json_pack("{s:s}", "op", "stop"));

	if (!reply)
		return STATUS_FAILED;
	json_decref(reply);
	return STATUS_OK;
}

/* => when the keeper is gone or Ctrl-C was pressed. */
static int
stay(struct cli *cl, const struct start *s)
{
	struct wire *w = client_wire(&cl->client, PEER_KEEPER);
	int signals = signals_fd(), how = 0, status = STATUS_OK;
	struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = w ? w->fd : -1, .events = POLLIN}};

	if (!w)
		return STATUS_FAILED;
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents & POLLIN) {
		fprintf(stderr, "%sstopping %s\n", isatty(STDERR_FILENO) ? "\r" : "", s->fabric);
		status = stop_fabric(&cl->client);
	}
	close(signals);
	if (waitpid(s->keeper, &how, 0) == s->keeper && status == STATUS_OK &&
			!(WIFEXITED(how) && WEXITSTATUS(how) == 0))
		return complain("fabric %s has ended by itself", s->fabric);
	return status;
}

static int
run_start(struct cli *cl, const struct config *cfg)
{
	struct start s = {
			.file = cli_arg(cl, "FILE"),
			.fabric = cfg->fabric,
			.level = cli_arg(cl, "log-level"),
			.detached = cli_arg(cl, "detach"),
	};
	double begin = seconds_now();
	int status;

	s.rules = filters_fd(cfg, s.file);
	if (s.rules < 0)
		return STATUS_FAILED;
	signals_catch();
	status = start_keeper(&s);
	close(s.rules);
	if (status != STATUS_OK)
		return status;
	status = await_ready(&s);
	close(s.ready);
	if (status != STATUS_OK)
		return status;
	print_up(cfg, seconds_now() - begin);
	if (s.detached) {
		printf("stop it with: rookery lab stop %s\n", cfg->fabric);
		return STATUS_OK;
	}
	printf("Ctrl-C stops it\n");
	fflush(stdout);
	return stay(cl, &s);
}

int
run_lab(struct cli *cl)
{
	const char *path = cli_arg(cl, "FILE");
	struct cfg_errors errs;
	struct config *cfg = NULL;
	int err = config_load(path, &cfg, &errs), status = STATUS_FAILED;

	for (size_t i = 0; i < errs.n; i++)
		fprintf(stderr, "rookery: %s\n", errs.text[i]);
	if (err < 0 && errs.n == 0)
		complain("%s: %s", path, strerror(-err));
	if (err == 0) {
		snprintf(cl->client.fabric, sizeof(cl->client.fabric), "%s", cfg->fabric);
		status = run_start(cl, cfg);
	}
	cfg_errors_free(&errs);
	if (cfg)
		config_free(cfg);
	return status;
}

int
run_lab_stop(struct cli *cl)
{
	const char *name = cli_arg(cl, "NAME");
	int status;

	if (name)
		snprintf(cl->client.fabric, sizeof(cl->client.fabric), "%s", name);
	status = stop_fabric(&cl->client);
	if (status == STATUS_OK)
		printf("fabric %s is stopped\n", cl->client.fabric);
	return status;
}

/* A keeper that takes no connection is a crash's remains; one that does not answer soon is busy. */
static json_t *
fabric_record(const struct fabric_entry *f)
{
	char dir[PATH_MAX] = "-";
	json_t *status = NULL, *record;
	struct client c;

	run_directory(f->name, dir, sizeof(dir));
	client_init(&c, f->name);
	if (f->answers)
		status = client_ask(&c, PEER_KEEPER, json_pack("{s:s}", "op", "status"));
	client_fini(&c);
	record = json_pack("{s:s, s:s}", "fabric", f->name, "directory", dir);
	json_object_set_new(record, "state", json_string(!status ? "dead" :
			json_is_false(json_object_get(status, "ready")) ? "starting" : "running"));
	for (size_t i = 0; status && i < 4; i++) {
		static const char *const keys[] = {"serial", "uptime", "pid", "engine_pid"};

		json_object_set(record, keys[i], json_object_get(status, keys[i]));
	}
	json_decref(status);
	return record;
}

int
run_lab_list(struct cli *cl)
{
	const struct renderer *r = renderer_find(cli_arg(cl, "json") ? "json" : "text");
	json_t *records = json_array();
	struct fabric_entry *list;
	size_t n;
	int err = client_fabrics(&list, &n);

	for (size_t i = 0; err == 0 && i < n; i++)
		json_array_append_new(records, fabric_record(&list[i]));
	if (err == 0)
		r->records(&listing_fabrics, records, false, stdout);
	json_decref(records);
	free(list);
	return err < 0 ? complain("the directory of running fabrics cannot be read: %s", strerror(-err))
		       : STATUS_OK;
}
