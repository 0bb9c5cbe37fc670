/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rookeryd: the engine. Started by the keeper; or by hand, for fabrics that need no namespace. */
#include "fabric/base/log.h"
#include "fabric/control/proto.h"
#include "fabric/engine/nflog.h"
#include "fabric/engine/privileges.h"
#include "fabric/engine/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct options {
	const char *file, *socket, *run_dir, *fabric;
	unsigned workers, buffers;
	bool keeper;
};

static const struct option long_options[] = {
		{"keeper", no_argument, NULL, 'k'},
		{"fabric", required_argument, NULL, 'f'},
		{"run-dir", required_argument, NULL, 'r'},
		{"socket", required_argument, NULL, 's'},
		{"workers", required_argument, NULL, 'w'},
		{"buffers", required_argument, NULL, 'b'},
		{"log-level", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
};

static const char usage_text[] =
		"usage: rookeryd [options] FILE\n"
		"The packet engine of Rookery. 'rookery lab' starts it through the keeper; by hand it runs fabrics\n"
		"whose guests are simulated and whose adapters are DPDK devices.\n"
		"  -s, --socket PATH     answer 'rookery show' and the like there\n"
		"  -r, --run-dir DIR     for DPDK's run-time files\n"
		"  -w, --workers N       worker threads, 1 to 16 (default 1)\n"
		"  -b, --buffers N       packet buffers, 2048 to 1048576 (default 16384)\n"
		"  -l, --log-level L     error, warning, notice, info, debug (default info)\n"
		"  -k, --keeper          descriptors 3 and 4 are the keeper and the listening socket\n"
		"  -f, --fabric NAME     name of the fabric, for the process list\n"
		"  -V, --version   -h, --help\n";

static unsigned
number(const char *text, unsigned min, unsigned max, const char *what)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0' && n >= min && n <= max)
		return (unsigned)n;
	fprintf(stderr, "rookeryd: %s is a number from %u to %u, not '%s'\n", what, min, max, text);
	exit(2);
}

static void
log_level(const char *text)
{
	enum log_level level;

	if (!log_level_parse(text, &level)) {
		fprintf(stderr, "rookeryd: no log level '%s': error, warning, notice, info or debug\n", text);
		exit(2);
	}
	log_set_level(level);
}

static void
parse(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){.workers = 1, .buffers = 16384};
	while ((c = getopt_long(argc, argv, "kf:r:s:w:b:l:Vh", long_options, NULL)) != -1) {
		switch (c) {
		case 'k': o->keeper = true; break;
		case 'f': o->fabric = optarg; break;
		case 'r': o->run_dir = optarg; break;
		case 's': o->socket = optarg; break;
		case 'w': o->workers = number(optarg, 1, WORKERS_MAX, "the number of workers"); break;
		case 'b': o->buffers = number(optarg, 2048, 1 << 20, "the number of buffers"); break;
		case 'l': log_level(optarg); break;
		case 'V': printf("rookeryd " ROOKERY_VERSION "\n"); exit(0);
		case 'h': fputs(usage_text, stdout); exit(0);
		default: fputs("rookeryd: 'rookeryd --help' shows the options\n", stderr); exit(2);
		}
	}
	o->file = argv[optind];
	if (!o->keeper == !o->file || (o->file && argv[optind + 1])) {
		fputs("rookeryd: it takes one configuration file ('rookeryd --help')\n", stderr);
		exit(2);
	}
}

static int
load(struct engine *e, const char *file)
{
	struct offers none = {0};
	struct cfg_errors errors;
	struct config *config;
	char why[256];
	int rc = config_load(file, &config, &errors);

	for (size_t i = 0; i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	cfg_errors_free(&errors);
	if (rc < 0)
		return rc;
	rc = publish(e, config, NULL, 1, &none, why, sizeof(why));
	if (rc < 0) {
		config_free(config);
		log_line(LOG_ERROR, "engine", "%s", why);
	}
	return rc;
}

static int
attach(struct server *s, const struct options *o)
{
	if (o->keeper) {
		fcntl(ENGINE_KEEPER_FD, F_SETFL, fcntl(ENGINE_KEEPER_FD, F_GETFL) | O_NONBLOCK);
		wire_init(&s->keeper, ENGINE_KEEPER_FD);
		s->has_keeper = true;
		s->listen_fd = ENGINE_LISTEN_FD;
		return 0;
	}
	s->listen_fd = o->socket ? wire_listen(o->socket) : -1;
	if (o->socket && s->listen_fd < 0)
		log_line(LOG_ERROR, "engine", "%s: %s", o->socket, strerror(-s->listen_fd));
	return o->socket && s->listen_fd < 0 ? s->listen_fd : 0;
}

static void
prepare_process(void)
{
	struct rlimit files;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Without it rules log nothing to it; the engine runs all the same. */
static void
open_nflog(struct engine *e, const char *run_dir)
{
	int fd = nflog_open(run_dir);

	if (fd < 0)
		log_line(LOG_WARNING, "nflog", "cannot open %s/nflog.pcapng: %s", run_dir, strerror(-fd));
	else
		e->nflog = nflog_new(fd, e->control.wake_fd);
}

int
main(int argc, char **argv)
{
	struct options o;
	struct engine e;
	struct server s = {.engine = &e, .listen_fd = -1};
	int rc;

	parse(argc, argv, &o);
	prepare_process();
	rc = eal_start(o.run_dir, o.buffers);
	if (rc < 0)
		return 1;
	rc = engine_init(&e, o.workers, o.buffers);
	if (rc < 0) {
		log_line(LOG_ERROR, "engine", "the engine does not start: %s", strerror(-rc));
		return 1;
	}
	if (o.run_dir)
		open_nflog(&e, o.run_dir);
	rc = attach(&s, &o);
	if (rc == 0)
		rc = o.file ? load(&e, o.file) : 0;
	if (rc == 0 && o.file)
		rc = privileges_drop();
	if (rc == 0 && o.file)
		rc = engine_start(&e);
	if (rc == 0)
		rc = serve(&s);
	if (s.has_keeper)
		wire_fini(&s.keeper);
	engine_fini(&e);
	eal_stop();
	return rc == 0 ? 0 : 1;
}
