/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The front end of iptables over a store in memory: sessions of command lines, texts of rules there
 * and back, and beside the real tools. */
#include "filters/extension.h"
#include "filters/iptables/iptables.h"
#include "filters/iptables/words.h"
#include "filters/iptables/xt_private.h"
#include "filters/known.h"
#include "filters/set_options.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN "tests/golden/iptables/"

enum { STATE_MAX = 32 << 20, OUTPUT_MAX = 4 << 20 };

/* The router's side, in memory that children share: libxtables ends its process on a wrong option.
 */
struct memory {
	size_t len;             /* 0: no table was ever touched */
	unsigned again, stored; /* how many stores are to be told "again"; how many were done */
	char refuse[64];        /* "": nothing */
	uint8_t bytes[STATE_MAX];
};

/* A tool is one short-lived process: what it has at its end, the kernel takes; and libxtables frees nothing where it refuses. */
const char *__lsan_default_options(void);

const char *
__lsan_default_options(void)
{
	return "detect_leaks=0";
}

static struct memory *memory;

static int
memory_load(void *arg, struct rules **out, char *why, size_t size)
{
	const struct memory *m = arg;

	*out = m->len ? rules_decode(m->bytes, m->len, why, size) : rules_new();
	return *out ? 0 : -errno;
}

/* As an engine takes counters over, when no packet came meanwhile. */
static void
count_settle(struct rules_count *c)
{
	if (c->how == COUNT_SUBTRACT)
		c->packets = c->bytes = 0;
	c->how = COUNT_SET;
}

static int
memory_store(void *arg, const struct rules *r, char *why, size_t size)
{
	struct memory *m = arg;
	uint8_t *bytes;

	if (m->refuse[0]) {
		snprintf(why, size, "%s", m->refuse);
		return -EINVAL;
	}
	if (m->again > 0) {
		m->again--;
		return -EAGAIN;
	}
	for (unsigned t = 0; t < TABLE_COUNT; t++)
		for (uint32_t i = 0; i < r->tables[t].n_chains; i++) {
			struct rules_chain *c = r->tables[t].chains[i];

			count_settle(&c->count);
			for (uint32_t k = 0; k < c->n_rules; k++)
				count_settle(&c->rules[k].count);
		}
	bytes = rules_encode(r, &m->len);
	assert_non_null(bytes);
	assert_true(m->len <= sizeof(m->bytes));
	memcpy(m->bytes, bytes, m->len);
	free(bytes);
	m->stored++;
	return 0;
}

/* By way of its flat form, as an engine gets it. */
static int
memory_edit(void *arg, const struct rules_edit *edit, bool as_loaded, struct rules_change *change, char *why, size_t size)
{
	struct rules_editor editor = {0};
	struct rules_edit got;
	struct rules *r;
	size_t len;
	uint8_t *bytes = rules_edit_encode(edit, &len);
	int err = memory_load(arg, &r, why, size);

	(void)as_loaded;
	assert_int_equal(err, 0);
	assert_non_null(bytes);
	err = rules_edit_decode(bytes, len, r, &got, why, size);
	if (err == 0)
		err = rules_editor_open(&editor, r, got.table);
	if (err == 0)
		err = rules_edit_plan(&editor, &got, change);
	if (err == 0)
		err = rules_edit_run(&editor, &got, change);
	if (err == 0 && change->kind != CHANGE_NOTHING)
		err = memory_store(arg, r, why, size);
	rules_editor_close(&editor);
	rules_free(r);
	free(bytes);
	return err;
}

struct outcome {
	int code;
	char out[OUTPUT_MAX], err[16384];
};

static int
program_run(int argc, char **argv)
{
	const struct iptables_store store = {memory, memory_load, memory_store, memory_edit};

	if (strcmp(argv[0], "iptables-save") == 0)
		return iptables_save_command(&store, argc, argv);
	if (strcmp(argv[0], "iptables-restore") == 0)
		return iptables_restore_command(&store, argc, argv);
	return iptables_command(&store, argc, argv);
}

static void
slurp(FILE *f, char *text, size_t size)
{
	size_t len;

	rewind(f);
	len = fread(text, 1, size - 1, f);
	text[len] = '\0';
	fclose(f);
}

static FILE *
file_with(const char *text)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	if (text)
		fputs(text, f);
	fflush(f);
	rewind(f);
	return f;
}

/* Runs a command line in a child, with `in` as its standard input. */
static void
run(const char *line, const char *in, struct outcome *o)
{
	FILE *files[3] = {file_with(in), file_with(NULL), file_with(NULL)};
	char words[4096], *argv[WORDS_MAX + 1];
	int argc, status;
	pid_t child;

	snprintf(words, sizeof(words), "%s", line);
	argc = words_cut(words, argv);
	assert_true(argc > 0);
	argv[argc] = NULL;
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (int i = 0; i < 3; i++)
			dup2(fileno(files[i]), i);
		exit(program_run(argc, argv));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	o->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fclose(files[0]);
	slurp(files[1], o->out, sizeof(o->out));
	slurp(files[2], o->err, sizeof(o->err));
}

static int
setup(void **state)
{
	(void)state;
	memory = mmap(
		NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return munmap(memory, sizeof(*memory));
}

static void
forget(void)
{
	memory->len = 0;
	memory->again = memory->stored = 0;
	memory->refuse[0] = '\0';
}

#define TRY "Try `iptables -h' or 'iptables --help' for more information.\n"
#define RTRY "Try `iptables-restore -h' or 'iptables-restore --help' for more information.\n"
#define V "iptables v1.8.9 (rookery): "
#define RV "iptables-restore v1.8.9 (rookery): "

/* One command after another on the same router; NULL: from an empty one. */
struct step {
	const char *line;
	int code;
	const char *out, *err;
};

static void
steps_run(const struct step *steps, size_t n)
{
	static struct outcome o;

	for (size_t i = 0; i < n; i++) {
		if (!steps[i].line) {
			forget();
			continue;
		}
		run(steps[i].line, NULL, &o);
		if (o.code != steps[i].code || strcmp(o.out, steps[i].out) != 0 ||
			strcmp(o.err, steps[i].err) != 0)
			fail_msg("%s\n=> %d\n%s%s\nwanted %d\n%s%s", steps[i].line, o.code, o.out,
				o.err, steps[i].code, steps[i].out, steps[i].err);
	}
}

#define RUN_STEPS(steps) steps_run(steps, sizeof(steps) / sizeof(*(steps)))

static void
test_refusals(void **state)
{
	static const char no_chain[] = "iptables: No chain/target/match by that name.\n";
	static const char bad_rule[] =
		"iptables: Bad rule (does a matching rule exist in that chain?).\n";
	static const struct step steps[] = {
		{NULL, 0, NULL, NULL},
		{"iptables -A input -j DROP", 1, "",
			"iptables: No chain/target/match by that name.\n"
			"Chain names are case sensitive: did you mean INPUT?\n"},
		{"iptables -N a", 0, "", ""},
		{"iptables -N a", 1, "", "iptables: Chain already exists.\n"},
		{"iptables -A INPUT -j a", 0, "", ""},
		{"iptables -X a", 1, "", "iptables: Too many links.\n"},
		{"iptables -X INPUT", 1, "", "iptables: Invalid argument.\n"},
		{"iptables -X nope", 1, "", no_chain},
		{"iptables -N full", 0, "", ""},
		{"iptables -A full -s 1.2.3.4", 0, "", ""},
		{"iptables -X full", 1, "", "iptables: Directory not empty.\n"},
		{"iptables -X", 1, "", "iptables: Directory not empty.\n"},
		{"iptables -P a DROP", 1, "", "iptables: Bad built-in chain name.\n"},
		{"iptables -P INPUT FOO", 1, "", "iptables: Bad policy name.\n"},
		{"iptables -E a full", 1, "", "iptables: File exists.\n"},
		{"iptables -E INPUT b", 1, "", no_chain},
		{"iptables -E nope b", 1, "", no_chain},
		{"iptables -E a ACCEPT", 1, "", "iptables: File exists.\n"},
		{"iptables -D INPUT 9", 1, "", "iptables: Index of deletion too big.\n"},
		{"iptables -D INPUT -s 1.2.3.4", 1, "", bad_rule},
		{"iptables -D nope -s 1.2.3.4", 1, "", bad_rule},
		{"iptables -C INPUT -s 1.2.3.4", 1, "", bad_rule},
		{"iptables -I INPUT 9 -j ACCEPT", 1, "", "iptables: Index of insertion too big.\n"},
		{"iptables -R INPUT 9 -j ACCEPT", 1, "",
			"iptables: Index of replacement too big.\n"},
		{"iptables -Z INPUT 9", 1, "", "iptables: Index of counter too big.\n"},
		{"iptables -F nope", 1, "", no_chain},
		{"iptables -Z nope", 1, "", no_chain},
		{"iptables -L nope", 1, "", no_chain},
		{"iptables -S nope", 1, "", no_chain},
		{"iptables -A INPUT -j nope", 2, "",
			V "Couldn't load target `nope':No such file or directory\n\n" TRY},
		{"iptables -A INPUT -j FORWARD", 1, "", "iptables: Invalid argument.\n"},
		{"iptables -A INPUT -g nope", 2, "", V "goto 'nope' is not a chain\n" TRY},
		{"iptables -A INPUT -o eth0", 2, "", V "Can't use -o with INPUT\n\n" TRY},
		{"iptables -t mangle -A PREROUTING -o eth0", 2, "",
			V "Can't use -o with PREROUTING\n\n" TRY},
		{"iptables -A OUTPUT -i eth0", 2, "", V "Can't use -i with OUTPUT\n\n" TRY},
		{"iptables -t mangle -A POSTROUTING -i eth0", 2, "",
			V "Can't use -i with POSTROUTING\n\n" TRY},
		{"iptables -t foo -L", 3, "",
			V "can't initialize iptables table `foo': Table does not exist (do you "
			  "need to "
			  "insmod?)\nPerhaps iptables or your kernel needs to be upgraded.\n"},
		{"iptables -A INPUT -p udp--dport 80", 2, "",
			V "unknown protocol \"udp--dport\" specified\n" TRY},
		{"iptables -A INPUT --dport 80", 2, "", V "unknown option \"--dport\"\n" TRY},
		{"iptables -A INPUT -m nosuch", 2, "",
			V "Couldn't load match `nosuch':No such file or directory\n\n" TRY},
		{"iptables -A INPUT -m physdev --physdev-in eth0", 2, "",
			V "match physdev is not supported by rookery\n" TRY},
		{"iptables -t nat -A POSTROUTING -j AUDIT --type accept", 2, "",
			V "target AUDIT is not supported by rookery\n" TRY},
		{"iptables -A INPUT -p tcp --dport nosuchservice", 2, "",
			V "invalid port/service `nosuchservice' specified\n" TRY},
		{"iptables -A", 2, "", V "option \"-A\" requires an argument\n" TRY},
		{"iptables", 2, "", V "no command specified\n" TRY},
		{"iptables foo", 2, "", "Bad argument `foo'\n" TRY},
		{"iptables -L -A INPUT", 2, "", V "Cannot use -A with -L\n" TRY},
		{"iptables -N ACCEPT", 2, "", V "chain name may not clash with target name\n" TRY},
		{"iptables -N LOG", 2, "", V "chain name may not clash with target name\n" TRY},
		{"iptables -N AUDIT", 2, "", V "chain name may not clash with target name\n" TRY},
		{"iptables -N -foo", 2, "", V "chain name not allowed to start with `-'\n" TRY},
		{"iptables -N 01234567890123456789012345678", 2, "",
			V "chain name `01234567890123456789012345678' too long (must be under 29 "
			  "chars)\n" TRY},
		{"iptables -A INPUT -s 1.2.3.4 -s 2.3.4.5", 2, "",
			V "multiple -s flags not allowed\n" TRY},
		{"iptables -A INPUT ! -s 1.2.3.4,2.3.4.5", 2, "",
			V "! not allowed with multiple source or destination IP addresses\n" TRY},
		{"iptables -R INPUT 1 -s 1.2.3.4,2.3.4.5", 2, "",
			V "Replacement rule does not specify a unique address\n" TRY},
		{"iptables -A INPUT -n", 2, "", V "Illegal option `-n' with this command\n" TRY},
		{"iptables -D INPUT -c 1 2", 2, "",
			V "Illegal option `-c' with this command\n" TRY},
		{"iptables -A INPUT ! -j a", 2, "", V "cannot have ! before -j\n" TRY},
		{"iptables -A INPUT !", 2, "", V "nothing appropriate following !\n" TRY},
		{"iptables -A INPUT ! ! -s 1.1.1.1", 2, "",
			V "multiple consecutive ! not allowed\n" TRY},
		{"iptables -6 -L", 2, "", TRY},
		{"iptables -A INPUT -i \"\"", 2, "",
			V "Empty interface is likely to be undesired\n" TRY},
		{"iptables -A INPUT ! -p all", 2, "", V "rule would never match protocol\n" TRY},
		{"iptables -I INPUT 0 -s 1.2.3.4", 2, "", V "Invalid rule number `0'\n" TRY},
		{"iptables -A INPUT -c 5", 2, "", V "-c requires packet and byte counter\n" TRY},
		{"iptables -t nat -P OUTPUT DROP", 2, "",
			V "\nThe \"nat\" table is not intended for filtering, the use of DROP is "
			  "therefore "
			  "inhibited.\n\n\n" TRY},
		{"iptables -A INPUT -j LOG --log-prefix 012345678901234567890123456789", 2, "",
			V "Maximum prefix length 29 for --log-prefix\n" TRY},
		{"iptables -A INPUT -m set --match-set a", 2, "",
			V "--match-set requires two args.\n" TRY},
		{"iptables -A INPUT -m set --match-set a up", 2, "",
			V "You must spefify (the comma separated list of) 'src' or 'dst'.\n" TRY},
		{"iptables -A INPUT -j SET --exist", 2, "",
			V
			"You must specify either `--add-set' or `--del-set' or `--map-set'\n" TRY},
		{"iptables -S", 0,
			"-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-N a\n-N full\n"
			"-A INPUT -j a\n-A full -s 1.2.3.4/32\n",
			""},
	};

	(void)state;
	RUN_STEPS(steps);
}

static void
test_commands(void **state)
{
	static const struct step steps[] = {
		{NULL, 0, NULL, NULL},
		{"iptables -V", 0, "iptables v1.8.9 (rookery)\n", ""},
		{"iptables -S", 0, "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n", ""},
		{"iptables-save", 0, "", ""},
		/* several addresses, and the order in which -I puts them */
		{"iptables -A INPUT -s 1.1.1.1,2.2.2.0/255.255.255.0 -d 3.3.3.3,4.4.4.4/8", 0, "",
			""},
		{"iptables -S INPUT", 0,
			"-P INPUT ACCEPT\n-A INPUT -s 1.1.1.1/32 -d 3.3.3.3/32\n"
			"-A INPUT -s 1.1.1.1/32 -d 4.0.0.0/8\n-A INPUT -s 2.2.2.0/24 -d "
			"3.3.3.3/32\n"
			"-A INPUT -s 2.2.2.0/24 -d 4.0.0.0/8\n",
			""},
		{"iptables -D INPUT -s 2.2.2.2/24,1.1.1.1 -d 4.4.4.4/8", 0, "", ""},
		{"iptables -I INPUT -s 5.5.5.5,6.6.6.6", 0, "", ""},
		{"iptables -R INPUT 3 -p 6 -j DROP", 0, "", ""},
		{"iptables -S INPUT 3", 0, "-A INPUT -p tcp -j DROP\n", ""},
		{"iptables -D INPUT 1", 0, "", ""},
		{"iptables -S INPUT", 0,
			"-P INPUT ACCEPT\n-A INPUT -s 5.5.5.5/32\n-A INPUT -p tcp -j DROP\n"
			"-A INPUT -s 2.2.2.0/24 -d 3.3.3.3/32\n",
			""},
		{"iptables -C INPUT -p TCP -j DROP", 0, "", ""},
		/* the first of two equal rules */
		{"iptables -F", 0, "", ""},
		{"iptables -A INPUT -j ACCEPT -c 1 2", 0, "", ""},
		{"iptables -A INPUT -c 3,4 -j ACCEPT", 0, "", ""},
		{"iptables -D INPUT -j ACCEPT", 0, "", ""},
		{"iptables -v -S INPUT", 0, "-P INPUT ACCEPT -c 0 0\n-A INPUT -c 3 4 -j ACCEPT\n",
			""},
		{"iptables -P INPUT DROP -c 70000 80000000", 0, "", ""},
		{"iptables -L INPUT -v", 0,
			"Chain INPUT (policy DROP 70000 packets, 80M bytes)\n"
			" pkts bytes target     prot opt in     out     source               "
			"destination"
			"         \n"
			"    3     4 ACCEPT     all  --  any    any     anywhere             "
			"anywhere"
			"            \n",
			""},
		{"iptables -L INPUT -Z -vxn --line-numbers", 0,
			"Chain INPUT (policy DROP 70000 packets, 80000000 bytes)\n"
			"num      pkts      bytes target     prot opt in     out     source"
			"               destination         \n"
			"1           3        4 ACCEPT     0    --  *      *       0.0.0.0/0"
			"            0.0.0.0/0           \n"
			"Zeroing chain `INPUT'\n",
			""},
		{"iptables -vS INPUT", 0, "-P INPUT DROP -c 0 0\n-A INPUT -c 0 0 -j ACCEPT\n", ""},
		/* chains follow their names */
		{"iptables -N one", 0, "", ""},
		{"iptables -A INPUT -j one", 0, "", ""},
		{"iptables -A INPUT -g one", 0, "", ""},
		{"iptables -E one two", 0, "", ""},
		{"iptables -A two -j RETURN", 0, "", ""},
		{"iptables -L two -n", 0,
			"Chain two (2 references)\n"
			"target     prot opt source               destination         \n"
			"RETURN     0    --  0.0.0.0/0            0.0.0.0/0           \n",
			""},
		{"iptables -L INPUT 3", 0,
			"two        all  --  anywhere             anywhere            [goto] \n",
			""},
		{"iptables -vF", 0,
			"Flushing chain `INPUT'\nFlushing chain `FORWARD'\nFlushing chain "
			"`OUTPUT'\n"
			"Flushing chain `two'\n",
			""},
		{"iptables -vX", 0, "Deleting chain `two'\n", ""},
		/* options that are taken and ignored, abbreviations, and names */
		{"iptables -4 -w 5 --app FORWARD --proto UDP --destination-port 53 --out eth+", 0,
			"", ""},
		{"iptables -w -S FORWARD", 0,
			"-P FORWARD ACCEPT\n-A FORWARD -o eth+ -p udp -m udp --dport 53\n", ""},
		{"iptables -v -A FORWARD -p tcp --dport www -m state --state NEW -j LOG", 0,
			"LOG  tcp opt -- in * out *  0.0.0.0/0  -> 0.0.0.0/0   tcp dpt:80 state "
			"NEW LOG "
			"flags 0 level 4\n",
			""},
		{"iptables -t raw -A PREROUTING -j NOTRACK", 0, "", ""},
		{"iptables-save", 0, NULL, ""},
	};

	(void)state;
	steps_run(steps, sizeof(steps) / sizeof(*steps) - 1);
}

/* "!" behind its option, as of old: the same rule. */
static void
test_inversion(void **state)
{
	static const struct {
		const char *old, *rule;
	} rows[] = {
		{"-s ! 192.168.1.0/24 -j DROP", "! -s 192.168.1.0/24 -j DROP"},
		{"-d ! 192.168.1.1", "! -d 192.168.1.1/32"},
		{"-p ! tcp", "! -p tcp"},
		{"-i ! eth0", "! -i eth0"},
		{"! -f", "! -f"},
		{"-p tcp --dport ! 80", "-p tcp -m tcp ! --dport 80"},
		{"-p tcp --sport ! 1:5 --dport ! 80", "-p tcp -m tcp ! --sport 1:5 ! --dport 80"},
		{"-p tcp --tcp-flags ! SYN,ACK SYN", "-p tcp -m tcp ! --tcp-flags SYN,ACK SYN"},
		{"-p tcp ! --syn", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN"},
		{"-p tcp --tcp-option ! 2", "-p tcp -m tcp ! --tcp-option 2"},
		{"-p icmp --icmp-type ! 8", "-p icmp -m icmp ! --icmp-type 8"},
		{"-m mac --mac-source ! 00:04:ac:00:00:05",
			"-m mac ! --mac-source 00:04:ac:00:00:05"},
		{"-m comment --comment !", "-m comment --comment \"!\""},
	};
	static struct outcome o;
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		forget();
		snprintf(line, sizeof(line), "iptables -A INPUT %s", rows[i].old);
		run(line, NULL, &o);
		assert_string_equal(o.err, "");
		run("iptables -S INPUT 1", NULL, &o);
		snprintf(line, sizeof(line), "-A INPUT %s\n", rows[i].rule);
		assert_string_equal(o.out, line);
	}
}

/* Services that every ruleset of a provider names print by name, TCP and UDP. */
static void
test_services(void **state)
{
	static const struct {
		const char *name, *shown;
	} rows[] = {
		{"www", "http"},
		{"http", "http"},
		{"80", "http"},
		{"https", "https"},
		{"ftp-data", "ftp-data"},
		{"ftp", "ftp"},
		{"smtp", "smtp"},
		{"pop3", "pop3"},
		{"ssh", "ssh"},
		{"domain", "domain"},
	};
	static const char *const protocols[] = {"tcp", "udp"};
	static struct outcome o;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) * 2; i++) {
		const char *protocol = protocols[i % 2], *shown = rows[i / 2].shown;

		forget();
		snprintf(text, sizeof(text), "iptables -A INPUT -p %s --dport %s", protocol,
			rows[i / 2].name);
		run(text, NULL, &o);
		assert_int_equal(o.code, 0);
		run("iptables -L INPUT 1", NULL, &o);
		snprintf(text, sizeof(text), "%s dpt:%s\n", protocol, shown);
		assert_non_null(strstr(o.out, text));
		forget();
		snprintf(text, sizeof(text), "iptables -A INPUT -p %s -m multiport --ports %s",
			protocol, rows[i / 2].name);
		run(text, NULL, &o);
		run("iptables -L INPUT 1", NULL, &o);
		snprintf(text, sizeof(text), "multiport ports %s\n", shown);
		assert_non_null(strstr(o.out, text));
	}
}

/* A text for iptables-restore, its arguments, and what comes of it. */
struct restored {
	const char *args, *text;
	int code;
	const char *err, *rules; /* of -S -v, without the policies of chains that nobody named */
};

#define POLICIES "-P INPUT ACCEPT -c 0 0\n-P FORWARD ACCEPT -c 0 0\n-P OUTPUT ACCEPT -c 0 0\n"

static const struct restored restored[] = {
	{"", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n", 0, "",
		POLICIES "-A INPUT -c 0 0 -j DROP\n"},
	{"", "# comment\n\n*filter\n:a - [0:0]\n-A INPUT -j a\n-A a -j RETURN\nCOMMIT\n", 0, "",
		POLICIES "-N a\n-A INPUT -c 0 0 -j a\n-A a -c 0 0 -j RETURN\n"},
	{"-c", "*filter\n:OUTPUT ACCEPT [0:0]\n[7:8] -A INPUT -j DROP\n-A INPUT\nCOMMIT\n", 0, "",
		POLICIES "-A INPUT -c 7 8 -j DROP\n-A INPUT -c 0 0\n"},
	{"", "*filter\n[7:8] -A INPUT -j DROP\nCOMMIT\n", 0, "",
		POLICIES "-A INPUT -c 0 0 -j DROP\n"},
	{"-n", "*filter\n:mine - [0:0]\n-A FORWARD -j mine\nCOMMIT\n", 0, "",
		POLICIES "-N mine\n-N other\n-A INPUT -c 5 6 -j ACCEPT\n-A FORWARD -c 0 0 -j mine\n"
			 "-A other -c 0 0 -j DROP\n"},
	{"--test", "*filter\n-A INPUT -j DROP\nCOMMIT\n", 0, "",
		POLICIES "-N mine\n-N other\n-A INPUT -c 5 6 -j ACCEPT\n-A mine -c 0 0 -j RETURN\n"
			 "-A other -c 0 0 -j DROP\n"},
	{"-T nat", "*filter\n-A INPUT -j nope\nCOMMIT\n*nat\nCOMMIT\n", 0, "",
		POLICIES "-N mine\n-N other\n-A INPUT -c 5 6 -j ACCEPT\n-A mine -c 0 0 -j RETURN\n"
			 "-A other -c 0 0 -j DROP\n"},
	/* commands of all kinds */
	{"",
		"*filter\n-N x\n-A x -4 -j DROP\n-A x -6 -j nonsense\n-I x -j ACCEPT\n-P INPUT "
		"ACCEPT\nCOMMIT\n",
		0, "", POLICIES "-N x\n-A x -c 0 0 -j ACCEPT\n-A x -c 0 0 -j DROP\n"},
	{"", "*filter\n-A INPUT -m comment --comment \"a \\\"b\\\" \\\\ c\"\nCOMMIT", 0, "",
		POLICIES "-A INPUT -m comment --comment \"a \\\"b\\\" \\\\ c\" -c 0 0\n"},
	/* nothing is changed by a text that is not understood whole */
	{"", "*filter\n-A INPUT -j nope\nCOMMIT\n", 2,
		RV "Couldn't load target `nope':No such file or directory\n\nError occurred at "
		   "line: 2\n" RTRY,
		NULL},
	{"", "*filter\n-A nope -j ACCEPT\nCOMMIT\n", 1,
		"iptables-restore: line 2 failed: No chain/target/match by that name.\n", NULL},
	{"", "*foo\nCOMMIT\n", 2,
		RV "iptables-restore: unable to initialize table 'foo'\nError occurred at line: "
		   "1\n" RTRY,
		NULL},
	{"", "*filter\n:INPUT FOO [0:0]\nCOMMIT\n", 1,
		RV "Can't set policy `FOO' on `INPUT' line 2: Bad policy name\n", NULL},
	{"", "*filter\n:INPUT\nCOMMIT\n", 2,
		RV "iptables-restore: line 2 policy invalid\nError occurred at line: 2\n" RTRY,
		NULL},
	{"", "*filter\n:a - [0:0]\n:a - [0:0]\nCOMMIT\n", 2,
		RV "error creating chain 'a':File exists\nError occurred at line: 3\n" RTRY, NULL},
	{"", "*filter\n-A INPUT -j ACCEPT\n", 1, "iptables-restore: COMMIT expected at line 3\n",
		NULL},
	{"", "junk\n", 1, "iptables-restore: line 1 failed: No table is open.\n", NULL},
	{"", "COMMIT\n", 1, "iptables-restore: line 1 failed: No table is open.\n", NULL},
	{"", "*filter\njunk\nCOMMIT\n", 2, "Bad argument `junk'\nError occurred at line: 2\n" RTRY,
		NULL},
	{"", "*filter\n*nat\nCOMMIT\n", 2, "Bad argument `*nat'\nError occurred at line: 2\n" RTRY,
		NULL},
	{"-c", "*filter\n[1:2 -A INPUT\nCOMMIT\n", 2,
		RV "Bad line 2: need ]\nError occurred at line: 2\n" RTRY, NULL},
	{"-c", "*filter\n:INPUT DROP\nCOMMIT\n", 2,
		RV "invalid policy counters for chain 'INPUT'\nError occurred at line: 2\n" RTRY,
		NULL},
	{"", "*filter\n-A INPUT -t nat\nCOMMIT\n", 2,
		RV "The -t option cannot be used in iptables-restore.\n\nError occurred at line: "
		   "2\n" RTRY,
		NULL},
	{"", "*filter\n-w\nCOMMIT\n", 2,
		RV "You cannot use `-w' from iptables-restore\nError occurred at line: 2\n" RTRY,
		NULL},
	{"a b", "", 1, "Unknown arguments found on commandline\n", NULL},
	{"/nonexistent", "", 1, "Can't open /nonexistent: No such file or directory\n", NULL},
};

static void
test_restore(void **state)
{
	static const char before[] =
		"*filter\n:mine - [0:0]\n:other - [0:0]\n"
		"[5:6] -A INPUT -j ACCEPT\n-A mine -j RETURN\n-A other -j DROP\nCOMMIT\n";
	static const char kept[] =
		POLICIES "-N mine\n-N other\n-A INPUT -c 5 6 -j ACCEPT\n-A mine -c 0 0 -j RETURN\n"
			 "-A other -c 0 0 -j DROP\n";
	static struct outcome o;
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(restored) / sizeof(*restored); i++) {
		const struct restored *r = &restored[i];

		forget();
		run("iptables-restore -c", before, &o);
		assert_string_equal(o.err, "");
		snprintf(line, sizeof(line), "iptables-restore %s", r->args);
		run(line, r->text, &o);
		if (strcmp(o.err, r->err) != 0 || o.code != r->code)
			fail_msg("%s\n=> %d\n%s\nwanted %d\n%s", r->text, o.code, o.err, r->code,
				r->err);
		run("iptables -vS", NULL, &o);
		assert_string_equal(o.out, r->rules ? r->rules : kept);
	}
}

/* Somebody else changes the rules meanwhile: try again, but not for ever; and a refusal is the
 * router's own sentence. */
static void
test_store(void **state)
{
	static struct outcome o;

	(void)state;
	forget();
	memory->again = 3;
	run("iptables -v -A INPUT -j DROP", NULL, &o);
	assert_string_equal(o.out, "DROP  all opt -- in * out *  0.0.0.0/0  -> 0.0.0.0/0  \n");
	assert_int_equal(o.code, 0);
	memory->again = 3;
	run("iptables-restore -n", "*filter\n:a - [0:0]\n-A INPUT -j a\nCOMMIT\n*nat\nCOMMIT\n",
		&o);
	assert_string_equal(o.err, "");
	assert_int_equal(memory->stored, 3);
	run("iptables -S INPUT", NULL, &o);
	assert_string_equal(o.out, "-P INPUT ACCEPT\n-A INPUT -j DROP\n-A INPUT -j a\n");
	memory->again = 1000;
	run("iptables -F", NULL, &o);
	assert_int_equal(o.code, 4);
	assert_string_equal(o.err, "iptables: Resource temporarily unavailable.\n");
	run("iptables-restore", "*filter\nCOMMIT\n", &o);
	assert_int_equal(o.code, 1);
	memory->again = 0;
	snprintf(memory->refuse, sizeof(memory->refuse), "chain a: rule 1: no");
	run("iptables -F", NULL, &o);
	assert_int_equal(o.code, 1);
	assert_string_equal(o.err, "iptables: chain a: rule 1: no.\n");
	run("iptables-restore", "*filter\nCOMMIT\n", &o);
	assert_string_equal(o.err, "iptables-restore: line 2 failed: chain a: rule 1: no.\n");
	run("iptables -S INPUT", NULL, &o);
	assert_string_equal(o.out, "-P INPUT ACCEPT\n-A INPUT -j DROP\n-A INPUT -j a\n");
}

/* Errors of a text say where, and end nothing. */
static void
test_read_errors(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"*filter\n-A INPUT -j nope\nCOMMIT\n",
			"rules:2: Couldn't load target `nope':No such file or directory"},
		{"*filter\n\n-A INPUT -m physdev\nCOMMIT\n",
			"rules:3: match physdev is not supported by rookery"},
		{"*filter\n-A nope\nCOMMIT\n", "rules:2: No chain/target/match by that name"},
		{"*filter\n-A INPUT -p tcp -m conntrack --ctstate FOO\nCOMMIT\n",
			"rules:2: Bad ctstate \"FOO\""},
		{"*foo\nCOMMIT\n", "rules:1: no table 'foo'"},
		{"*filter\n:INPUT\nCOMMIT\n", "rules:2: policy invalid"},
		{"*filter\n", "rules:2: COMMIT expected"},
		{"*filter\n-L\nCOMMIT\n", "rules:2: -L is no rule"},
		{"*filter\n-h\nCOMMIT\n",
			"rules:2: The -h option cannot be used in iptables-restore."},
		{"*filter\nfoo\nCOMMIT\n", "rules:2: Bad argument `foo'"},
		/* libxtables 1.8.9 divides by zero */
		{"*filter\n-A INPUT -m hashlimit --hashlimit-name a --hashlimit-upto 5b/s "
		 "--hashlimit-burst 5\nCOMMIT\n",
			"rules:2: Rate too low \"5b/s\" (16b/s at least)"},
		{"*filter\n-A INPUT -m hashlimit --hashlimit-name a --hashlimit-above "
		 "68719476720b/s\n"
		 "COMMIT\n",
			"rules:2: Rate too high \"68719476720b/s\""},
		{"*nat\n-A OUTPUT -j DROP\nCOMMIT\n", "rules:2: The \"nat\" table is not intended "
						      "for filtering, the use of DROP is "
						      "therefore inhibited."},
		{"*filter\n-A INPUT -m time --monthdays 0\nCOMMIT\n",
			"rules:2: time: no day is left"},
	};
	static const char good[] = "*filter\n-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW "
				   "-m limit -j LOG\nCOMMIT\n";
	struct rules *r;
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		why[0] = '\0';
		r = iptables_read(rows[i].text, strlen(rows[i].text), "rules", why, sizeof(why));
		assert_null(r);
		assert_string_equal(why, rows[i].why);
		/* what was open in libxtables is closed again */
		r = iptables_read(good, sizeof(good) - 1, "rules", why, sizeof(why));
		if (!r)
			fail_msg("%s", why);
		rules_free(r);
		assert_null(iptables_read(
			rows[i].text, strlen(rows[i].text), "rules", why, sizeof(why)));
		assert_string_equal(why, rows[i].why);
	}
	r = iptables_read("", 0, "rules", why, sizeof(why));
	assert_non_null(r);
	rules_free(r);
}

/* The wire's form of a text with one rule in INPUT. */
static uint8_t *
encoded(const char *options, size_t *len)
{
	char text[512], why[256];
	struct rules *r;
	uint8_t *bytes;

	snprintf(text, sizeof(text), "*filter\n-A INPUT %s\nCOMMIT\n", options);
	r = iptables_read(text, strlen(text), "rules", why, sizeof(why));
	if (!r)
		fail_msg("%s", why);
	bytes = rules_encode(r, len);
	assert_non_null(bytes);
	rules_free(r);
	return bytes;
}

/* A chain of one text may have the name of a target that the next one uses. */
static void
test_read_forgets(void **state)
{
	static const char chain[] = "*filter\n:LOG - [0:0]\n-A INPUT -j LOG\nCOMMIT\n";
	char why[256];
	struct rules *r = iptables_read(chain, sizeof(chain) - 1, "rules", why, sizeof(why));
	size_t len;

	(void)state;
	assert_non_null(r);
	assert_int_equal(
		rules_chain(&r->tables[TABLE_FILTER], "INPUT")->rules[0].action, ACTION_JUMP);
	rules_free(r);
	free(encoded("-j LOG --log-prefix a", &len));
}

/* libxtables counts options up by 256 with each extension that a rule loads: a process that reads millions of rules goes on. */
static void
test_read_for_ever(void **state)
{
	static const char *const texts[] = {
		"*filter\n-A INPUT -p tcp --dport 80 -m limit -j LOG --log-level 3\nCOMMIT\n",
		"*filter\n-A INPUT -p tcp --dport 80 -m limit --limit nonsense\nCOMMIT\n",
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		xt_globals.option_offset = INT_MAX - 512; /* as after 8 million of them */
		rules_free(iptables_read(texts[i], strlen(texts[i]), "rules", why, sizeof(why)));
		assert_int_equal(xt_globals.option_offset, 0);
		free(encoded("-p udp --sport 7 -m limit -j LOG --log-level 3", &(size_t){0}));
	}
}

/* However it is said. */
static void
test_read_same(void **state)
{
	static const char *const pairs[][2] = {
		{"-m recent --set",
			"-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource"},
		{"-m time --monthdays 0,15", "-m time --monthdays 15"},
		{"-c 1 2 -j DROP", "-j DROP"},
		{"-j CONNMARK --restore-mark --right-shift-mark 0", "-j CONNMARK --restore-mark"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		size_t len[2];
		uint8_t *a = encoded(pairs[i][0], &len[0]), *b = encoded(pairs[i][1], &len[1]);

		assert_int_equal(len[0], len[1]);
		assert_memory_equal(a, b, len[0]);
		free(a);
		free(b);
	}
}

static char *
file_read(const char *name)
{
	FILE *f = fopen(name, "r");
	char *text = calloc(1, OUTPUT_MAX);

	assert_non_null(f);
	assert_non_null(text);
	fread(text, 1, OUTPUT_MAX - 1, f);
	fclose(f);
	return text;
}

/* Without comments and, unless `counters`, without counters. */
static char *
canonical(const char *text, bool counters)
{
	char *copy = calloc(1, strlen(text) + 2), *to = copy;

	assert_non_null(copy);
	while (*text) {
		const char *end = strchrnul(text, '\n'), *from = text, *bracket;

		if (!counters && text[0] == '[')
			from = strchr(text, ']') + 2;
		bracket = text[0] == ':' && !counters ? memchr(text, '[', (size_t)(end - text))
						      : NULL;
		if (text[0] != '#') {
			const size_t len = (size_t)((bracket ? bracket : end) - from);

			memcpy(to, from, len);
			to += len;
			if (bracket)
				to = stpcpy(to, "[0:0]");
			*to++ = '\n';
		}
		text = *end ? end + 1 : end;
	}
	return copy;
}

/* Each golden file in turn. */
static void
golden_each(void (*check)(const char *name, const char *text))
{
	struct dirent **files;
	int n = scandir(GOLDEN, &files, NULL, alphasort), seen = 0;
	char path[512];

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		const char *dot = strrchr(files[i]->d_name, '.');

		if (dot && strcmp(dot, ".rules") == 0) {
			char *text;

			snprintf(path, sizeof(path), GOLDEN "%s", files[i]->d_name);
			text = file_read(path);
			check(files[i]->d_name, text);
			free(text);
			seen++;
		}
		free(files[i]);
	}
	free(files);
	assert_true(seen >= 9);
}

/* => the tree again, after a way over the wire */
static struct rules *
over_the_wire(struct rules *r)
{
	char why[256];
	size_t len;
	uint8_t *bytes = rules_encode(r, &len);
	struct rules *again;

	assert_non_null(bytes);
	again = rules_decode(bytes, len, why, sizeof(why));
	if (!again)
		fail_msg("%s", why);
	free(bytes);
	rules_free(r);
	return again;
}

static void
round_trip(const char *name, const char *text)
{
	char why[512], *have = NULL, *want = canonical(text, false);
	size_t len;
	FILE *to = open_memstream(&have, &len);
	struct rules *r = iptables_read(text, strlen(text), name, why, sizeof(why));

	if (!r)
		fail_msg("%s", why);
	r = over_the_wire(r);
	assert_int_equal(iptables_write(r, false, to), 0);
	fclose(to);
	if (strcmp(have, want) != 0)
		fail_msg("%s:\n%s\nwanted\n%s", name, have, want);
	rules_free(r);
	free(have);
	free(want);
}

static void
test_golden(void **state)
{
	(void)state;
	golden_each(round_trip);
}

static void
restore_and_save(const char *name, const char *text)
{
	static struct outcome o;
	const bool counters = strstr(text, "\n[") != NULL;
	char *have, *want = canonical(text, counters);

	forget();
	run("iptables-restore -c", text, &o);
	assert_string_equal(o.err, "");
	run(counters ? "iptables-save -c" : "iptables-save", NULL, &o);
	have = canonical(o.out, counters);
	if (strcmp(have, want) != 0)
		fail_msg("%s:\n%s\nwanted\n%s", name, have, want);
	free(have);
	free(want);
}

static void
test_golden_commands(void **state)
{
	(void)state;
	golden_each(restore_and_save);
}

/* Every rule of the golden files is found again by -C and by -D, given as iptables-save prints it.
 */
static void
rules_found(const char *name, const char *text)
{
	static struct outcome o;
	char *rules = canonical(text, false), *rest, line[2048], table[32] = "";

	(void)name;
	for (char *l = strtok_r(rules, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
		if (l[0] == '*')
			snprintf(table, sizeof(table), "%s", l + 1);
		if (l[0] != '-')
			continue;
		for (const char *kind = "CD"; *kind; kind++) {
			snprintf(line, sizeof(line), "iptables -t %s -%c %s", table, *kind, l + 3);
			run(line, NULL, &o);
			if (o.code != 0)
				fail_msg("%s\n%s", line, o.err);
		}
	}
	free(rules);
}

static void
test_delete_by_content(void **state)
{
	static const char *const few[] = {"conn.rules", "limits.rules", "set.rules"};
	static struct outcome o;
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++) {
		char *text;

		snprintf(path, sizeof(path), GOLDEN "%s", few[i]);
		text = file_read(path);
		forget();
		run("iptables-restore", text, &o);
		rules_found(few[i], text);
		run("iptables -S INPUT 1", NULL, &o);
		assert_string_equal(o.out, "");
		free(text);
	}
}

static const struct option no_options[] = {{NULL, 0, NULL, 0}};

/* libxtables keeps of an extension the highest revision that known.h lists: the engine has it, and
 * means as many bytes by it. */
static void
known_match(const char *name)
{
	const struct xtables_match *m = xtables_find_match(name, XTF_TRY_LOAD, NULL);
	const struct match_ops *ops;

	if (!m)
		fail_msg("match %s: libxtables has none", name);
	ops = match_find(m->real_name ? m->real_name : name, m->revision);
	if (!ops || ops->size != m->size)
		fail_msg("match %s revision %u: %d bytes, not %zu", name, m->revision,
			ops ? ops->size : -1, m->size);
}

static void
known_target(const char *name)
{
	const struct xtables_target *t = xtables_find_target(name, XTF_TRY_LOAD);
	const struct target_ops *ops;

	if (!t)
		fail_msg("target %s: libxtables has none", name);
	ops = target_find(t->real_name ? t->real_name : name, t->revision);
	if (!ops || ops->size != t->size)
		fail_msg("target %s revision %u: %d bytes, not %zu", name, t->revision,
			ops ? ops->size : -1, t->size);
}

static void
test_known(void **state)
{
	(void)state;
	xt_start("iptables", no_options);
#define MATCH(name, revision) known_match(name);
	KNOWN_MATCHES(MATCH)
#define TARGET(name, revision) known_target(name);
	KNOWN_TARGETS(TARGET)
}

static void
test_speed(void **state)
{
	static struct outcome o;
	static char text[2 << 20];
	struct timespec from, to;
	size_t at = 0;

	(void)state;
	forget();
	at += (size_t)sprintf(text, "*filter\n");
	for (unsigned i = 0; i < 10000; i++)
		at += (size_t)sprintf(text + at,
			"-A FORWARD -s 10.%u.%u.0/24 -p tcp -m tcp --dport %u -m "
			"conntrack --ctstate NEW -j ACCEPT\n",
			i >> 8, i & 255, i + 1);
	sprintf(text + at, "COMMIT\n");
	clock_gettime(CLOCK_MONOTONIC, &from);
	run("iptables-restore", text, &o);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_int_equal(o.code, 0);
	/* Ten times what it takes without the sanitizers, on a busy machine. */
	assert_true(to.tv_sec - from.tv_sec < 10);
}

/* ---- beside the real tools, in a network namespace of its own ---- */

static int
shell(const char *command)
{
	const int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool
namespace_enter(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

/* -L of every table that the text names, with the rules of both loaded. */
static void
listings_compare(const char *name, const char *text, const char *dir)
{
	static struct outcome ours;
	char *tables = strdup(text), *rest, command[512], path[128], line[64];

	forget();
	run("iptables-restore", text, &ours);
	snprintf(path, sizeof(path), "%s/list", dir);
	for (char *l = strtok_r(tables, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
		char *have;

		if (l[0] != '*')
			continue;
		snprintf(
			command, sizeof(command), "iptables-legacy -t %s -L -nv > %s", l + 1, path);
		assert_int_equal(shell(command), 0);
		snprintf(line, sizeof(line), "iptables -t %s -L -nv", l + 1);
		run(line, NULL, &ours);
		have = file_read(path);
		if (strcmp(have, ours.out) != 0)
			fail_msg("%s, iptables-legacy -L:\n%s\nours\n%s", name, have, ours.out);
		free(have);
	}
	free(tables);
}

/* Loads `text` into the real tool and compares the tables that are in it. => false: this tool does
 * not work here. */
static bool
real_compare(const char *variant, const char *name, const char *text, const char *dir)
{
	char command[512], path[128], *have, *want = canonical(text, false), *rest;

	snprintf(path, sizeof(path), "%s/in", dir);
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	snprintf(
		command, sizeof(command), "iptables-%s-restore < %s 2> %s/err", variant, path, dir);
	if (shell(command) != 0) {
		snprintf(path, sizeof(path), "%s/err", dir);
		print_message("%s, iptables-%s-restore: %s\n", name, variant, file_read(path));
		free(want);
		return false;
	}
	snprintf(path, sizeof(path), "%s/out", dir);
	unlink(path);
	have = strdup(want);
	for (char *l = strtok_r(have, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest))
		if (l[0] == '*') {
			snprintf(command, sizeof(command),
				"iptables-%s-save -t %s 2> /dev/null >> %s", variant, l + 1, path);
			assert_int_equal(shell(command), 0);
		}
	free(have);
	char *saved = file_read(path);

	have = canonical(saved, false);
	if (strcmp(have, want) != 0)
		fail_msg("%s, iptables-%s-save:\n%s\nours\n%s", name, variant, have, want);
	/* and what it prints means the same to us */
	round_trip(name, saved);
	if (strcmp(variant, "legacy") == 0)
		listings_compare(name, want, dir);
	free(saved);
	free(have);
	free(want);
	return true;
}

static char scratch[] = "/tmp/iptables_test.XXXXXX";

static void
real_both(const char *name, const char *text)
{
	static const char *const variants[] = {"legacy", "nft"};

	for (size_t i = 0; i < 2; i++)
		if (!real_compare(variants[i], name, text, scratch))
			print_message("%s: not compared with iptables-%s\n", name, variants[i]);
}

static void
test_real_tools(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (shell("iptables-legacy -V > /dev/null 2>&1 && iptables-nft -V > /dev/null 2>&1") != 0) {
		print_message("no iptables here: not compared\n");
		skip();
	}
	assert_non_null(mkdtemp(scratch));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (!namespace_enter())
			_exit(77);
		shell("ipset create addresses hash:ip timeout 0 counters 2> /dev/null && "
		      "ipset create pairs hash:ip counters 2> /dev/null");
		golden_each(real_both);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", scratch);
	shell(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_inversion),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_read_forgets),
		cmocka_unit_test(test_read_for_ever),
		cmocka_unit_test(test_read_same),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_golden_commands),
		cmocka_unit_test(test_delete_by_content),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_real_tools),
	};

	return cmocka_run_group_tests_name("iptables", tests, setup, teardown);
}
