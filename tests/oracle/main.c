/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle --seed N --rulesets N --packets N --seconds S [--variant legacy|nft] [--only NAME,...] [--keep-going] [--no-minimise] [--replay N]
 * oracle --nat ...: all rulesets have a nat table; with --faults the planted faults are those of translation
 * oracle --known: shows the differences that stay, each by a case of its own
 * oracle --super: super-packets through both
 * oracle --faults: plants one fault after another, and says after how many rulesets each is found
 *
 * Rulesets are numbered; number and seed determine all of one. A batch of them runs in a child process with a namespace of its own, so a crash costs one
 * ruleset, and what the kernel keeps (incomplete datagrams) ends with the namespace.
 */
#include "tests/oracle/compare.h"
#include "tests/oracle/faults.h"
#include "tests/oracle/known.h"
#include "tests/oracle/statistics.h"
#include "tests/oracle/super.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 100, FAULT_RULESETS = 200 };
/* How a batch ends; a sanitizer that stops the process says 1. */
enum { ALL_RAN = 0, CANNOT = 2, STOP = 3 };

struct options {
	uint64_t seed;
	unsigned rulesets, packets, seconds, first;
	enum kernel_variant variant;
	const char *only;
	bool keep_going, minimise, verbose, plain, faults, known, super;
};

static struct statistics *shared;
static struct options options = {.rulesets = 200, .packets = 500, .seconds = 0, .minimise = true};
static struct kase kase;

static uint64_t
ruleset_seed(unsigned number)
{
	struct rnd r = {options.seed * 0x9e3779b97f4a7c15ULL + number};

	return rnd64(&r);
}

static void
report(unsigned number, struct difference *d)
{
	printf("DIFFERENCE seed %llu ruleset %u, %s\n", (unsigned long long)options.seed, number, d->sort);
	if (options.minimise)
		kase_minimise(&kase, d);
	printf("  %s\n%s", d->sort, d->text);
	kase_print(&kase, stdout);
	fflush(stdout);
}

/* => false: stop. */
static bool
one_ruleset(unsigned number)
{
	static struct difference d;
	uint64_t seed = ruleset_seed(number);
	struct packets *g;
	bool same;

	shared->current = number;
	ruleset_generate(&kase.rs, seed, number, number % 4 == 0, options.plain);
	g = packets_new(seed, &kase.rs);
	same = !kase_differs(&kase, g, options.packets, &d);
	packets_free(g);
	shared->rulesets++;
	shared->packets += kase.n_packets;
	shared->refused += same && kase.n_packets == 0;
	if (options.verbose && same && kase.n_packets == 0)
		printf("both refuse ruleset %u:\n%s", number, d.text);
	if (same) {
		statistics_rules(shared, &kase, options.verbose);
		return true;
	}
	shared->differ++;
	if (statistics_note(shared, &d, number) == 0 || !options.keep_going)
		report(number, &d);
	return options.keep_going;
}

static bool
wanted(const char *name)
{
	const char *at = options.only;
	size_t len = strlen(name);

	for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, name, len) == 0 && (at[len] == 0 || at[len] == ','))
			return true;
	return !options.only;
}

/* Who knows what, by one rule each. */
static void
probe(void)
{
	char why[600], *text;
	unsigned i;

	for (i = 0; i < ext_count(); i++) {
		ext_sample(i, &kase.rs);
		text = ruleset_print(&kase.rs, NULL);
		shared->kernel_refuses[i] = kernel_side.load(text, kase.rs.sets, why, sizeof(why)) < 0;
		if (shared->kernel_refuses[i])
			snprintf(shared->why[i], sizeof(shared->why[i]), "kernel: %.180s%s", why, strstr(text, "-A"));
		shared->we_refuse[i] = our_side.load(text, kase.rs.sets, why, sizeof(why)) < 0;
		if (shared->we_refuse[i])
			snprintf(shared->why[i], sizeof(shared->why[i]), "%.180s", why);
		free(text);
	}
}

static int
open_both(void)
{
	if (!kernel_open(options.variant) || !our_open(options.seed))
		return -1;
	return 0;
}

static int
probe_child(void)
{
	if (open_both() < 0)
		return 2;
	probe();
	our_close();
	return 0;
}

static int
known_child(void)
{
	if (open_both() < 0)
		return 2;
	return known_run() ? 0 : 1;
}

static int
super_child(void)
{
	if (!kernel_open_offload(options.variant) || !our_open(options.seed))
		return 2;
	return super_run() ? 0 : 1;
}

static int
batch_child(unsigned first, unsigned end, uint64_t deadline)
{
	unsigned i;
	bool same;

	if (open_both() < 0)
		return CANNOT;
	for (i = first; i < end; i++) {
		if (deadline && oracle_now() > deadline)
			return STOP;
		same = one_ruleset(i);
		statistics_process(shared);
		if (!same)
			return STOP;
	}
	our_close();
	return ALL_RAN;
}

/* => exit code of the child, or -signal. */
static int
in_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(fn());
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static struct {
	unsigned first, end;
	uint64_t deadline;
} batch;

static int
run_batch(void)
{
	return batch_child(batch.first, batch.end, batch.deadline);
}

static void
apply_probe(void)
{
	unsigned i;

	for (i = 0; i < ext_count(); i++) {
		bool out = shared->kernel_refuses[i] || shared->we_refuse[i];

		ext_allow(i, !out && wanted(ext_name(i)));
		if (out)
			printf("oracle: not compared: %s: %s\n", ext_name(i), shared->why[i]);
	}
}

static int
run_all(void)
{
	uint64_t start = oracle_now(), shown = start;
	unsigned end = options.first + options.rulesets;
	int code;

	batch.deadline = options.seconds ? start + options.seconds * 1000000000ull : 0;
	for (batch.first = options.first; batch.first < end;) {
		batch.end = batch.first + BATCH < end ? batch.first + BATCH : end;
		code = in_child(run_batch);
		if (code == CANNOT)
			return 2;
		if (code == STOP)
			break;
		if (code != ALL_RAN) {
			printf("CRASH seed %llu ruleset %u: status %d\n", (unsigned long long)options.seed, shared->current, code);
			shared->crashed++;
			if (!options.keep_going)
				break;
		}
		batch.first = code == ALL_RAN ? batch.end : shared->current + 1;
		if (oracle_now() - shown > 5000000000ull) {
			statistics_progress(shared, start);
			shown = oracle_now();
		}
	}
	statistics_progress(shared, start);
	statistics_print(shared, options.verbose);
	return shared->differ || shared->crashed ? 1 : 0;
}

/* A ruleset that differs without the fault too says nothing. => exit code of the child: 0 found, 1 not found. */
static int
find_fault(void)
{
	static struct difference d;
	unsigned i;

	if (open_both() < 0)
		return 2;
	for (i = 0; i < FAULT_RULESETS; i++) {
		uint64_t seed = ruleset_seed(i);
		struct packets *g;
		bool same;

		shared->current = i;
		ruleset_generate(&kase.rs, seed, i, false, false);
		g = packets_new(seed, &kase.rs);
		fault_plant(batch.first);
		same = kase_run(&kase, g, options.packets, &d);
		packets_free(g);
		fault_plant(fault_count());
		if (!same && d.kind != DIFFER_LOAD && kase_run(&kase, NULL, 0, &d))
			return 0;
	}
	return 1;
}

static int
run_faults(void)
{
	unsigned i, missed = 0, planted = 0;
	int code;

	for (i = 0; i < fault_count(); i++) {
		if (!fault_visible(i))
			continue;
		planted++;
		batch.first = i;
		code = in_child(find_fault);
		missed += code != 0;
		printf("fault %-20s %s", fault_name(i), code == 0 ? "found" : "NOT FOUND");
		printf(code == 0 ? " by ruleset %u\n" : " in %u rulesets\n", shared->current + (code != 0));
		fflush(stdout);
	}
	printf("oracle: %u of %u faults found\n", planted - missed, planted);
	return missed ? 1 : 0;
}

static const struct option long_options[] = {{"seed", 1, NULL, 's'}, {"rulesets", 1, NULL, 'r'}, {"packets", 1, NULL, 'p'}, {"seconds", 1, NULL, 't'},
	{"variant", 1, NULL, 'v'}, {"only", 1, NULL, 'o'}, {"keep-going", 0, NULL, 'k'}, {"no-minimise", 0, NULL, 'n'}, {"replay", 1, NULL, 'y'},
	{"faults", 0, NULL, 'F'}, {"verbose", 0, NULL, 'V'}, {"plain", 0, NULL, 'P'}, {"slow", 1, NULL, 'S'}, {"known", 0, NULL, 'K'}, {"super", 0, NULL, 'U'},
	{"nat", 0, NULL, 'N'}, {0}};

static bool
parse(int argc, char **argv)
{
	int o;

	options.seed = (uint64_t)time(NULL);
	while ((o = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (o) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			options.rulesets = (unsigned)atoi(optarg);
			break;
		case 'p':
			options.packets = (unsigned)atoi(optarg);
			break;
		case 't':
			options.seconds = (unsigned)atoi(optarg);
			options.rulesets = options.rulesets == 200 ? 1u << 30 : options.rulesets;
			break;
		case 'v':
			options.variant = strcmp(optarg, "nft") == 0 ? KERNEL_NFT : KERNEL_LEGACY;
			break;
		case 'o':
			options.only = optarg;
			break;
		case 'k':
			options.keep_going = true;
			break;
		case 'n':
			options.minimise = false;
			break;
		case 'y':
			options.first = (unsigned)atoi(optarg);
			options.rulesets = 1;
			break;
		case 'F':
			options.faults = true;
			break;
		case 'P':
			options.plain = true;
			break;
		case 'S':
			rulesets_slow((unsigned)atoi(optarg));
			break;
		case 'U':
			options.super = true;
			break;
		case 'K':
			options.known = true;
			break;
		case 'N':
			rulesets_nat();
			break;
		case 'V':
			options.verbose = true;
			break;
		default:
			return false;
		}
	return options.packets <= PACKETS_MAX;
}

int
main(int argc, char **argv)
{
	int code;

	if (!parse(argc, argv)) {
		fprintf(stderr, "oracle: unknown option, or more than %d packets\n", PACKETS_MAX);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	printf("oracle: seed %llu, %s\n", (unsigned long long)options.seed, options.variant == KERNEL_NFT ? "nft" : "legacy");
	code = in_child(probe_child);
	if (code != 0) {
		fprintf(stderr, "oracle: cannot run here (%d)\n", code);
		return 2;
	}
	if (options.super)
		return in_child(super_child);
	if (options.known)
		return in_child(known_child);
	apply_probe();
	return options.faults ? run_faults() : run_all();
}
