/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rookery capture: packets of an interface or link as a file, a stream or lines.
 *
 * The filter is compiled here, by libpcap, to instructions that the engine checks and runs; so it must be
 * known beforehand what frames look like there: Ethernet on a LAN, plain IP elsewhere. That follows from
 * the configuration, and the engine's answer confirms it. Packets then come one message each until the
 * connection closes, the count is reached or Ctrl-C is pressed.
 *
 * A sink takes the packets: a pcap file (also through a pipe to tcpdump, which prints the lines), lines
 * of our own, or JSON.
 */
#include "fabric/cli/cli.h"
#include "fabric/cli/packet_line.h"
#include "fabric/cli/program.h"
#include "fabric/cli/signals.h"
#include "fabric/control/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101, SNAPLEN_ALL = 262144, EXPRESSION = 4096 };

struct sink {
	const struct sink_ops *ops;
	int linktype;
	FILE *to;
	pcap_t *dead;
	pcap_dumper_t *dumper;
	pid_t tcpdump;
};

/* One packet as the engine sent it. */
struct packet {
	json_int_t ts_ns;
	uint32_t len, caplen;
	const char *dir;
	const json_t *msg;
	uint8_t *data;
};

struct sink_ops {
	/* => 0, or an exit status after a complaint. */
	int (*open)(struct sink *s, const struct cli *cl);
	/* => 0, or -errno: the reader has gone. */
	int (*packet)(struct sink *s, const struct packet *p);
	void (*close)(struct sink *s);
};

static int
pcap_start(struct sink *s, const char *name)
{
	s->dead = pcap_open_dead_with_tstamp_precision(s->linktype == LINKTYPE_ETHERNET ? DLT_EN10MB : DLT_RAW,
			SNAPLEN_ALL, PCAP_TSTAMP_PRECISION_NANO);
	s->dumper = s->dead ? pcap_dump_fopen(s->dead, s->to) : NULL;
	if (!s->dumper)
		return complain("%s cannot be written: %s", name, s->dead ? pcap_geterr(s->dead) : "out of memory");
	pcap_dump_flush(s->dumper);
	return 0;
}

static int
file_open(struct sink *s, const struct cli *cl)
{
	const char *name = cli_arg(cl, "write");

	if (strcmp(name, "-") != 0) {
		s->to = fopen(name, "we");
		return s->to ? pcap_start(s, name) : complain("%s: %s", name, strerror(errno));
	}
	if (isatty(STDOUT_FILENO))
		return complain("a capture file is not for a terminal; use -w FILE, or a pipe");
	s->to = stdout;
	return pcap_start(s, "standard output");
}

static int
file_packet(struct sink *s, const struct packet *p)
{
	struct pcap_pkthdr header = {.caplen = p->caplen, .len = p->len};

	header.ts.tv_sec = (time_t)(p->ts_ns / 1000000000);
	header.ts.tv_usec = (suseconds_t)(p->ts_ns % 1000000000);
	pcap_dump((u_char *)s->dumper, &header, p->data);
	return pcap_dump_flush(s->dumper) < 0 ? -errno : 0;
}

static void
file_close(struct sink *s)
{
	if (s->dumper)
		pcap_dump_close(s->dumper);
	else if (s->to && s->to != stdout)
		fclose(s->to);
	if (s->dead)
		pcap_close(s->dead);
}

/* tcpdump in a process group of its own: a Ctrl-C is for us, and ends it through its input. */
static int
tcpdump_open(struct sink *s, const struct cli *cl)
{
	char path[PATH_MAX];
	int fds[2];

	(void)cl;
	if (program_in_path("tcpdump", path, sizeof(path)) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return complain("tcpdump cannot be run");
	s->tcpdump = fork();
	if (s->tcpdump == 0) {
		setpgid(0, 0);
		signals_release();
		dup2(fds[0], STDIN_FILENO);
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		execl(path, "tcpdump", "-n", "-l", "-r", "-", NULL);
		_exit(127);
	}
	close(fds[0]);
	s->to = s->tcpdump > 0 ? fdopen(fds[1], "w") : NULL;
	if (!s->to)
		return complain("tcpdump cannot be run: %s", strerror(errno));
	return pcap_start(s, "the pipe to tcpdump");
}

static void
tcpdump_close(struct sink *s)
{
	file_close(s);
	if (s->tcpdump > 0)
		waitpid(s->tcpdump, NULL, 0);
}

static int
plain_open(struct sink *s, const struct cli *cl)
{
	(void)cl;
	s->to = stdout;
	return 0;
}

static int
line_packet(struct sink *s, const struct packet *p)
{
	char line[PACKET_LINE];

	packet_line(p->data, p->caplen, p->len, s->linktype == LINKTYPE_ETHERNET, p->ts_ns, line);
	fprintf(s->to, "%s\n", line);
	return fflush(s->to) != 0 ? -errno : 0;
}

static int
json_packet(struct sink *s, const struct packet *p)
{
	json_dumpf(p->msg, s->to, JSON_COMPACT | JSON_PRESERVE_ORDER);
	fputc('\n', s->to);
	return fflush(s->to) != 0 ? -errno : 0;
}

static void
plain_close(struct sink *s)
{
	(void)s;
}

static const struct sink_ops sink_file = {file_open, file_packet, file_close};
static const struct sink_ops sink_tcpdump = {tcpdump_open, file_packet, tcpdump_close};
static const struct sink_ops sink_lines = {plain_open, line_packet, plain_close};
static const struct sink_ops sink_json = {plain_open, json_packet, plain_close};

static const struct sink_ops *
choose_sink(const struct cli *cl)
{
	char path[PATH_MAX];

	if (cli_arg(cl, "write"))
		return &sink_file;
	if (cli_arg(cl, "json"))
		return &sink_json;
	return program_in_path("tcpdump", path, sizeof(path)) == 0 ? &sink_tcpdump : &sink_lines;
}

/* The words of the filter, with blanks between. => false: too long. */
static bool
join_filter(const struct cli *cl, char *expression)
{
	const char *word;
	size_t i = 0, used = 0;

	expression[0] = '\0';
	while ((word = parsed_next(&cl->args, "FILTER", &i))) {
		used += (size_t)snprintf(expression + used, EXPRESSION - used, "%s%s", used ? " " : "", word);
		if (used >= EXPRESSION)
			return false;
	}
	return true;
}

/* => instructions as JSON, or NULL after a complaint. */
static json_t *
compile_filter(const char *expression, int linktype)
{
	pcap_t *dead = pcap_open_dead(linktype == LINKTYPE_ETHERNET ? DLT_EN10MB : DLT_RAW, SNAPLEN_ALL);
	struct bpf_program program;
	json_t *list = NULL;

	if (!dead) {
		complain("out of memory");
	} else if (pcap_compile(dead, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		complain("the filter '%s' is wrong: %s", expression, pcap_geterr(dead));
	} else {
		list = json_array();
		for (u_int i = 0; i < program.bf_len; i++) {
			const struct bpf_insn *in = &program.bf_insns[i];

			json_array_append_new(list, json_pack("[i,i,i,I]", in->code, in->jt, in->jf, (json_int_t)in->k));
		}
		pcap_freecode(&program);
	}
	if (dead)
		pcap_close(dead);
	return list;
}

/* What frames look like at "NODE:INTERFACE..."; => a link type, or -EINVAL after a complaint. */
static int
guess_linktype(struct cli *cl, const char *where)
{
	struct config *cfg = client_config(&cl->client, NULL);
	char node[64], iface[64];
	struct cfg_node *n;
	struct cfg_iface *f;
	int type = -EINVAL;

	if (!cfg)
		return -EINVAL;
	if (sscanf(where, "%63[^:]:%63[^=]", node, iface) != 2) {
		complain("'%s' is no place to capture at; NODE:INTERFACE is, such as %s:%s", where,
				cfg->n_nodes ? cfg->nodes[0].name : "vmlinux4",
				cfg->n_nodes && cfg->nodes[0].n_ifaces ? cfg->nodes[0].ifaces[0].name : "eth0");
	} else {
		n = client_node(cfg, node);
		f = n ? client_iface(n, iface) : NULL;
		if (f)
			type = f->kind == CFG_OSA || f->kind == CFG_LAN ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
	}
	config_free(cfg);
	return type;
}

/* Starts the capture with a filter for this link type. => the link type it has, or -EINVAL. */
static int
start_capture(struct cli *cl, const char *expression, int linktype)
{
	json_t *request = json_pack("{s:s, s:s}", "op", "capture", "at", cli_arg(cl, "WHERE")), *reply;
	int type;

	if (*expression) {
		json_t *filter = compile_filter(expression, linktype);

		if (!filter) {
			json_decref(request);
			return -EINVAL;
		}
		json_object_set_new(request, "filter", filter);
	}
	if (cli_arg(cl, "snaplen"))
		json_object_set_new(request, "snaplen", json_integer(parsed_number(&cl->args, "snaplen", 0)));
	reply = client_call(&cl->client, PEER_ENGINE, request);
	if (!reply)
		return -EINVAL;
	type = (int)json_integer_value(json_object_get(reply, "linktype"));
	json_decref(reply);
	if (type == LINKTYPE_ETHERNET || type == LINKTYPE_RAW)
		return type;
	complain("the engine captures frames of a kind that is not known here (%d)", type);
	return -EINVAL;
}

static int
start(struct cli *cl)
{
	char expression[EXPRESSION];
	int guess, type;

	if (!join_filter(cl, expression)) {
		complain("the filter is longer than %d characters", EXPRESSION);
		return -EINVAL;
	}
	guess = guess_linktype(cl, cli_arg(cl, "WHERE"));
	if (guess < 0)
		return -EINVAL;
	type = start_capture(cl, expression, guess);
	if (type < 0 || type == guess || !*expression)
		return type;
	client_fini(&cl->client); /* ends that capture: its filter was for other frames */
	return start_capture(cl, expression, type);
}

struct progress {
	long count, want;
	json_int_t dropped;
};

static int
take_packet(struct sink *s, const json_t *msg)
{
	const json_t *text = json_object_get(msg, "data");
	size_t len = json_string_length(text);
	struct packet p = {
			.ts_ns = json_integer_value(json_object_get(msg, "ts_ns")),
			.len = (uint32_t)json_integer_value(json_object_get(msg, "len")),
			.dir = json_string_value(json_object_get(msg, "dir")),
			.msg = msg,
			.data = malloc(BASE64_DECODED(len) + 1),
	};
	ssize_t n = p.data && text ? base64_decode(json_string_value(text), len, p.data) : -EBADMSG;
	int err = -EBADMSG;

	if (n >= 0) {
		p.caplen = (uint32_t)n;
		if (p.len < p.caplen)
			p.len = p.caplen;
		err = s->ops->packet(s, &p);
	}
	free(p.data);
	return err;
}

/* Takes what has arrived. => 0 go on, 1 enough, -errno. */
static int
take_messages(struct wire *w, struct sink *s, struct progress *g)
{
	json_t *msg;
	int err = wire_wait(w, &msg, NULL, NULL, -1);

	if (err < 0)
		return err;
	if (json_object_get(msg, "dropped")) {
		g->dropped += json_integer_value(json_object_get(msg, "dropped"));
	} else if (json_object_get(msg, "data")) {
		err = take_packet(s, msg);
		g->count += err == 0;
	}
	json_decref(msg);
	return err < 0 ? err : g->want > 0 && g->count >= g->want;
}

static int
run_capture_loop(struct wire *w, struct sink *s, struct progress *g)
{
	int signals = signals_fd(), err = 0;
	struct pollfd fds[2] = {{.fd = w->fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};

	while (err == 0) {
		if (poll(fds, 2, -1) < 0)
			err = errno == EINTR ? 0 : -errno;
		else if (fds[1].revents & POLLIN)
			break;
		else if (fds[0].revents)
			err = take_messages(w, s, g);
	}
	close(signals);
	return err > 0 ? 0 : err;
}

static int
finish(struct sink *s, const struct progress *g, int err)
{
	s->ops->close(s);
	fprintf(stderr, "%s%ld packet%s captured, %" JSON_INTEGER_FORMAT " dropped\n",
			isatty(STDERR_FILENO) ? "\r" : "", g->count, g->count == 1 ? "" : "s", g->dropped);
	if (err == 0 || err == -EPIPE)
		return STATUS_OK;
	return complain("the capture ended: %s", strerror(-err));
}

int
run_capture(struct cli *cl)
{
	struct sink s = {.ops = choose_sink(cl)};
	struct progress g = {.want = parsed_number(&cl->args, "count", 0)};
	int status;

	signal(SIGPIPE, SIG_IGN);
	signals_catch();
	s.linktype = start(cl);
	if (s.linktype < 0)
		return STATUS_FAILED;
	status = s.ops->open(&s, cl);
	if (status != STATUS_OK) {
		s.ops->close(&s);
		return status;
	}
	return finish(&s, &g, run_capture_loop(&cl->client.wire[PEER_ENGINE], &s, &g));
}
