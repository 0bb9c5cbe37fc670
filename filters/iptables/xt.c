/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/set.h"
#include "filters/iptables/xt_private.h"
#include "filters/known.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The release whose grammar and words these are, whatever release of libxtables is there. */
#define VERSION_TEXT XT_VERSION " (rookery)"

struct known {
	const char *name;
	uint8_t revision;
};

#define ROW(n, r) {n, r},
static const struct known known_matches[] = {KNOWN_MATCHES(ROW){NULL, 0}};
static const struct known known_targets[] = {KNOWN_TARGETS(ROW){NULL, 0}};

static void refuse(enum xtables_exittype status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
static int revision_known(const char *name, uint8_t revision, int what);

/* libxtables calls back without a context: what its callbacks need can only be here. */
static struct {
	bool started;
	bool naming; /* a chain gets a name: every target that exists is in the way, known or not */
	int line;
	struct xt_trap *trap;
} xt = {.line = XT_NO_LINE};

struct xtables_globals xt_globals = {
	.program_version = VERSION_TEXT,
	.exit_err = refuse,
	.compat_rev = revision_known,
};

void
xt_start(const char *program, const struct option *options)
{
	const char *slash = strrchr(program, '/');

	xt_globals.program_name = slash ? slash + 1 : program;
	/* Neither is ever written to: merged tables are copies. */
	xt_globals.orig_opts = (struct option *)options;
	xt_globals.opts = (struct option *)options;
	xt.line = XT_NO_LINE;
	xt.trap = NULL;
	xt.naming = false;
	if (xt.started)
		return;
	if (xtables_init_all(&xt_globals, NFPROTO_IPV4) < 0) {
		fprintf(stderr, "%s: libxtables does not start\n", xt_globals.program_name);
		exit(OTHER_PROBLEM);
	}
	set_extensions_register();
	xt.started = true;
}

const char *
xt_program(void)
{
	return xt_globals.program_name;
}

void
xt_line(int line)
{
	xt.line = line;
}

void
xt_trap_set(struct xt_trap *t)
{
	xt.trap = t;
}

static void
print_try_help(void)
{
	if (xt.line != XT_NO_LINE)
		fprintf(stderr, "Error occurred at line: %d\n", xt.line);
	fprintf(stderr, "Try `%s -h' or '%s --help' for more information.\n", xt_program(),
		xt_program());
}

static _Noreturn void
trap_spring(const char *format, va_list args)
{
	struct xt_trap *t = xt.trap;
	size_t len;

	vsnprintf(t->why, t->size, format, args);
	len = strlen(t->why);
	while (len > 0 && t->why[len - 1] == '\n')
		t->why[--len] = '\0';
	longjmp(t->where, 1);
}

_Noreturn void
xt_try_help(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (xt.trap)
		trap_spring(format, args);
	fflush(stdout);
	vfprintf(stderr, format, args);
	va_end(args);
	print_try_help();
	exit(PARAMETER_PROBLEM);
}

static void
refuse(enum xtables_exittype status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (xt.trap)
		trap_spring(format, args);
	fflush(stdout);
	fprintf(stderr, "%s v%s: ", xt_program(), xt_globals.program_version);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (status == PARAMETER_PROBLEM)
		print_try_help();
	if (status == VERSION_PROBLEM)
		fprintf(stderr, "Perhaps %s or your kernel needs to be upgraded.\n", xt_program());
	exit(status);
}

/* Called for every revision of an extension that libxtables has found under the name asked for. */
static int
revision_known(const char *name, uint8_t revision, int what)
{
	const bool match = what == IPT_SO_GET_REVISION_MATCH;
	const struct known *k = match ? known_matches : known_targets;
	bool other = false;

	for (; k->name; k++) {
		if (strcmp(k->name, name) != 0)
			continue;
		if (k->revision == revision)
			return 1;
		other = true;
	}
	if (other)
		return 0;
	if (xt.naming)
		xtables_error(PARAMETER_PROBLEM, "chain name may not clash with target name");
	xtables_error(PARAMETER_PROBLEM, "%s %s is not supported by rookery",
		match ? "match" : "target", name);
}

bool
xt_is_verdict(const char *name)
{
	static const char *const verdicts[] = {"ACCEPT", "DROP", "QUEUE", "RETURN"};

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++)
		if (strcmp(verdicts[i], name) == 0)
			return true;
	return false;
}

void
xt_chain_name_free(const char *name)
{
	bool taken;

	xt.naming = true;
	taken = xt_is_verdict(name) || xtables_find_target(name, XTF_TRY_LOAD);
	xt.naming = false;
	if (taken)
		xtables_error(PARAMETER_PROBLEM, "chain name may not clash with target name");
}

void
xt_chain_known(const char *name)
{
	xtables_announce_chain(name);
}
