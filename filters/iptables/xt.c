/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/set.h"
#include "filters/iptables/xt_private.h"
#include "filters/known.h"

#include <errno.h>
#include <search.h>
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

/*
 * An extension that libxtables has and we do not. The refusal comes while libxtables moves it from
 * one list to another, so it is never found again: later refusals of the name come from here.
 */
struct refused {
	struct refused *next;
	bool match;
	char asked[RULES_NAME], name[RULES_NAME]; /* what it was called, and what it is */
};

/* libxtables calls back without a context: what its callbacks need can only be here. */
static struct {
	bool started;
	const char *asked; /* the name of the extension that is being looked for */
	struct refused *refused;
	void *chains; /* tsearch() tree of the names that mean chains */
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
	tdestroy(xt.chains, free);
	xt.chains = NULL;
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

/* Some sentences begin and end with empty lines, or have several. */
static void
lines_join(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from != '\n')
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

static _Noreturn void
trap_spring(const char *format, va_list args)
{
	struct xt_trap *t = xt.trap;

	vsnprintf(t->why, t->size, format, args);
	lines_join(t->why);
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

static _Noreturn void
unsupported_refuse(const char *name, bool match)
{
	if (xt.naming)
		xtables_error(PARAMETER_PROBLEM, "chain name may not clash with target name");
	xtables_error(PARAMETER_PROBLEM, "%s %s is not supported by rookery",
		match ? "match" : "target", name);
}

static void
refused_keep(const char *name, bool match)
{
	struct refused *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	snprintf(r->asked, sizeof(r->asked), "%s", xt.asked);
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->match = match;
	r->next = xt.refused;
	xt.refused = r;
}

static void
refused_again(const char *asked, bool match)
{
	for (const struct refused *r = xt.refused; r; r = r->next)
		if (r->match == match && strcmp(r->asked, asked) == 0)
			unsupported_refuse(r->name, match);
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
	refused_keep(name, match);
	unsupported_refuse(name, match);
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

/*
 * Looking for a match "SET" or a target "set" would load the system's file of that name, and its extension would take the place of ours
 * (set.c). There are none.
 */
static bool
is_of_the_other_kind(const char *name, const char *kind, const char *other, enum xtables_tryload load)
{
	if (strcmp(name, other) != 0)
		return false;
	if (load == XTF_LOAD_MUST_SUCCEED)
		xtables_error(PARAMETER_PROBLEM, "Couldn't load %s `%s':%s\n", kind, name, strerror(ENOENT));
	return true;
}

struct xtables_match *
xt_find_match(const char *name, enum xtables_tryload load, struct xtables_rule_match **matches)
{
	if (is_of_the_other_kind(name, "match", "SET", load))
		return NULL;
	refused_again(name, true);
	xt.asked = name;
	return xtables_find_match(name, load, matches);
}

struct xtables_target *
xt_find_target(const char *name, enum xtables_tryload load)
{
	if (is_of_the_other_kind(name, "target", "set", load))
		return NULL;
	refused_again(name, false);
	xt.asked = name;
	return xtables_find_target(name, load);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool
xt_is_chain(const char *name)
{
	return tfind(name, &xt.chains, compare_names) != NULL;
}

void
xt_chain_name_free(const char *name)
{
	bool taken;

	xt.naming = true;
	taken = xt_is_verdict(name) || (!xt_is_chain(name) && xt_find_target(name, XTF_TRY_LOAD));
	xt.naming = false;
	if (taken)
		xtables_error(PARAMETER_PROBLEM, "chain name may not clash with target name");
}

/* libxtables would remember it beyond the text. */
void
xt_chain_known(const char *name)
{
	char *copy = strdup(name), **kept = copy ? tsearch(copy, &xt.chains, compare_names) : NULL;

	if (!kept || *kept != copy)
		free(copy);
}
