/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option long_options[] = {
	{"counters", no_argument, NULL, 'c'},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"test", no_argument, NULL, 't'},
	{"help", no_argument, NULL, 'h'},
	{"noflush", no_argument, NULL, 'n'},
	{"modprobe", required_argument, NULL, 'M'},
	{"table", required_argument, NULL, 'T'},
	{"wait", optional_argument, NULL, 'w'},
	{"wait-interval", optional_argument, NULL, 'W'},
	{NULL, 0, NULL, 0},
};

static void
usage(FILE *to)
{
	fprintf(to,
		"Usage: %s [-c] [-v] [-V] [-t] [-h] [-n] [-w [SECONDS]] [-W USECS] [-T TABLE] "
		"[-M COMMAND] [FILE]\n"
		"  -c, --counters       take the counters of the text, too\n"
		"  -n, --noflush        keep chains and rules that the text does not name\n"
		"  -t, --test           understand it all, and change nothing\n"
		"  -T, --table TABLE    this table of the text only\n"
		"  -v, --verbose        tell what is done\n"
		"  -w, -W, -M           ignored\n",
		xt_program());
}

static void
option_read(struct restore *s, int c)
{
	switch (c) {
	case 'c':
		s->counters = true;
		break;
	case 'v':
		if (s->verbose < RESTORE_VERBOSE_MAX)
			s->verbose++;
		break;
	case 'V':
		printf("%s v%s\n", xt_program(), xt_params->program_version);
		exit(0);
	case 't':
		s->test = true;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	case 'n':
		s->keep_chains = true;
		break;
	case 'T':
		s->only = optarg;
		break;
	case 'b':
		fprintf(stderr, "-b/--binary option is not implemented\n");
		break;
	case 'M':
		break;
	default:
		fprintf(stderr, "Try `%s -h' for more information.\n", xt_program());
		exit(OTHER_PROBLEM);
	}
}

static void
options_read(struct restore *s, int argc, char **argv)
{
	int c;

	optind = 0;
	opterr = 1;
	while ((c = getopt_long(argc, argv, "bcvVthnwWM:T:", long_options, NULL)) != -1) {
		if (c != 'w' && c != 'W')
			option_read(s, c);
		else if (!optarg && optind < argc && argv[optind][0] >= '0' &&
			 argv[optind][0] <= '9')
			optind++; /* how long: there is nothing to wait for */
	}
}

static FILE *
input_open(int argc, char **argv)
{
	FILE *in;

	if (optind == argc)
		return stdin;
	if (optind < argc - 1) {
		fprintf(stderr, "Unknown arguments found on commandline\n");
		exit(OTHER_PROBLEM);
	}
	in = fopen(argv[optind], "re");
	if (!in) {
		fprintf(stderr, "Can't open %s: %s\n", argv[optind], strerror(errno));
		exit(OTHER_PROBLEM);
	}
	return in;
}

static int
input_run(struct restore *s, FILE *in)
{
	char line[RESTORE_LINE_MAX + 2];

	while (fgets(line, sizeof(line), in)) {
		size_t len = strlen(line);
		int err;

		xt_line((int)++s->line);
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		else if (!feof(in))
			restore_line_refuse(s);
		err = restore_line(s, line);
		fflush(stdout);
		if (err < 0) {
			fprintf(stderr, "%s: line %u failed: %s.\n", xt_program(), s->line,
				restore_why(s, err));
			return OTHER_PROBLEM;
		}
	}
	if (!s->in_table)
		return 0;
	fprintf(stderr, "%s: COMMIT expected at line %u\n", xt_program(), s->line + 1);
	return OTHER_PROBLEM;
}

int
iptables_restore_command(const struct iptables_store *store, int argc, char **argv)
{
	struct restore s = {.store = store};
	FILE *in;
	int code;

	xt_start(argv[0], ipt_long_options);
	options_read(&s, argc, argv);
	in = input_open(argc, argv);
	xt_line(0);
	code = input_run(&s, in);
	if (in != stdin)
		fclose(in);
	restore_fini(&s);
	return code;
}
