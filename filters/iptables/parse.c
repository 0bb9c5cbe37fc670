/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of iptables(8) 1.8.9, and of the era before it in one point: "!" may also stand after
 * its option. getopt_long() splits the words; what it does not know is an option of a match or
 * target (xt.h).
 */
#include "filters/iptables/parser.h"

#include <stdlib.h>

#define SHORT_OPTIONS "-:A:C:D:E:F::I:L::M:N:P:VX::Z::c:d:i:j:o:p:s:t:R:S::W::46fg:h::m:nvw::x"

const struct option ipt_long_options[] = {
	{"append", required_argument, NULL, 'A'},
	{"delete", required_argument, NULL, 'D'},
	{"check", required_argument, NULL, 'C'},
	{"insert", required_argument, NULL, 'I'},
	{"replace", required_argument, NULL, 'R'},
	{"list", optional_argument, NULL, 'L'},
	{"list-rules", optional_argument, NULL, 'S'},
	{"flush", optional_argument, NULL, 'F'},
	{"zero", optional_argument, NULL, 'Z'},
	{"new-chain", required_argument, NULL, 'N'},
	{"delete-chain", optional_argument, NULL, 'X'},
	{"rename-chain", required_argument, NULL, 'E'},
	{"policy", required_argument, NULL, 'P'},
	{"source", required_argument, NULL, 's'},
	{"destination", required_argument, NULL, 'd'},
	{"src", required_argument, NULL, 's'},
	{"dst", required_argument, NULL, 'd'},
	{"protocol", required_argument, NULL, 'p'},
	{"in-interface", required_argument, NULL, 'i'},
	{"jump", required_argument, NULL, 'j'},
	{"table", required_argument, NULL, 't'},
	{"match", required_argument, NULL, 'm'},
	{"numeric", no_argument, NULL, 'n'},
	{"out-interface", required_argument, NULL, 'o'},
	{"verbose", no_argument, NULL, 'v'},
	{"wait", optional_argument, NULL, 'w'},
	{"wait-interval", optional_argument, NULL, 'W'},
	{"exact", no_argument, NULL, 'x'},
	{"fragments", no_argument, NULL, 'f'},
	{"version", no_argument, NULL, 'V'},
	{"help", optional_argument, NULL, 'h'},
	{"line-numbers", no_argument, NULL, '0'},
	{"modprobe", required_argument, NULL, 'M'},
	{"set-counters", required_argument, NULL, 'c'},
	{"goto", required_argument, NULL, 'g'},
	{"ipv4", no_argument, NULL, '4'},
	{"ipv6", no_argument, NULL, '6'},
	{NULL, 0, NULL, 0},
};

/* By bit of enum command_kind: its letter, what may stand beside it, and the options it takes. */
enum {
	WITH_RULE = OPTION_SOURCE | OPTION_DESTINATION | OPTION_PROTOCOL | OPTION_JUMP |
		    OPTION_VERBOSE | OPTION_IN | OPTION_OUT | OPTION_FRAGMENT,
};

static const struct {
	char letter;
	uint32_t options;
} kinds[COMMAND_KINDS] = {
	{'I', WITH_RULE | OPTION_COUNTERS},
	{'D', WITH_RULE},
	{'D', OPTION_VERBOSE},
	{'R', WITH_RULE | OPTION_COUNTERS},
	{'A', WITH_RULE | OPTION_COUNTERS},
	{'L', OPTION_NUMERIC | OPTION_VERBOSE | OPTION_EXACT | OPTION_NUMBERS},
	{'F', OPTION_VERBOSE},
	{'Z', OPTION_VERBOSE},
	{'N', OPTION_VERBOSE},
	{'X', OPTION_VERBOSE},
	{'P', OPTION_VERBOSE | OPTION_COUNTERS},
	{'E', OPTION_VERBOSE},
	{'S', OPTION_VERBOSE},
	{'Z', OPTION_VERBOSE},
	{'C', WITH_RULE},
};

static const struct {
	char letter;
	uint8_t inverted; /* enum rule_flags; 0: cannot be */
} options[OPTIONS] = {
	{'n', 0},
	{'s', RULE_NOT_SRC},
	{'d', RULE_NOT_DST},
	{'p', RULE_NOT_PROTO},
	{'j', 0},
	{'v', 0},
	{'x', 0},
	{'i', RULE_NOT_IN},
	{'o', RULE_NOT_OUT},
	{'0', 0},
	{'c', 0},
	{'f', RULE_NOT_FRAGMENT},
};

static unsigned
bit_of(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

/* The highest, as iptables has it in its complaints. */
char
ipt_command_letter(uint32_t kind)
{
	return kinds[31 - __builtin_clz(kind)].letter;
}

void
parser_kind(struct parser *p, uint32_t kind, uint32_t beside)
{
	uint32_t in_the_way = p->c->kinds & ~beside;

	if (p->invert)
		xtables_error(PARAMETER_PROBLEM, "unexpected '!' flag");
	if (in_the_way)
		xtables_error(PARAMETER_PROBLEM, "Cannot use -%c with -%c",
			ipt_command_letter(kind), ipt_command_letter(in_the_way));
	p->c->kinds |= kind;
}

void
parser_option(struct parser *p, uint32_t option)
{
	const unsigned bit = bit_of(option);

	if (p->c->options & option)
		xtables_error(
			PARAMETER_PROBLEM, "multiple -%c flags not allowed", options[bit].letter);
	p->c->options |= option;
	if (!p->invert)
		return;
	if (!options[bit].inverted)
		xtables_error(PARAMETER_PROBLEM, "cannot have ! before -%c", options[bit].letter);
	p->c->inverted |= options[bit].inverted;
}

/* "--dport ! 80" to "! --dport 80": what follows is no option, so today's grammar has no use for
 * that order. */
static void
inversions_move(int argc, char **argv)
{
	for (int i = 1; i + 2 < argc; i++) {
		char *word = argv[i];

		if (word[0] != '-' || !word[1] || strcmp(argv[i + 1], "!") != 0)
			continue;
		if (argv[i + 2][0] == '-' || strcmp(argv[i + 2], "!") == 0)
			continue;
		if (strcmp(argv[i - 1], "!") == 0)
			continue;
		argv[i] = argv[i + 1];
		argv[i + 1] = word;
	}
}

/* A word that belongs to no option. => true: "!" */
static bool
word_alone(struct parser *p)
{
	if (strcmp(optarg, "!") == 0) {
		if (p->invert)
			xtables_error(PARAMETER_PROBLEM, "multiple consecutive ! not allowed");
		p->invert = true;
		return true;
	}
	xt_try_help("Bad argument `%s'\n", optarg);
}

/* => true: "!" stays for the next option */
static bool
option_take(struct parser *p, int c)
{
	if (c == 1)
		return word_alone(p);
	if (parser_take(p, c))
		return false;
	return xt_rule_option(&p->c->xt, c, p->argv, p->invert);
}

static void
words_take(struct parser *p)
{
	int c;

	optind = 0;
	opterr = 0;
	while (!p->c->ignored) {
		c = getopt_long(p->argc, p->argv, SHORT_OPTIONS, xt_options(), NULL);
		if (c == -1)
			break;
		if (!option_take(p, c))
			p->invert = false;
	}
}

static void
no_drop_in_nat(const struct ipt_command *c)
{
	if (strcmp(c->table, "nat") != 0)
		return;
	if (strcmp(c->jump, "DROP") == 0 || (c->policy && strcmp(c->policy, "DROP") == 0))
		xtables_error(PARAMETER_PROBLEM,
			"\nThe \"nat\" table is not intended for filtering, the use of DROP is "
			"therefore inhibited.\n\n");
}

static void
addresses_parse(struct ipt_command *c)
{
	const uint32_t with_rule =
		COMMAND_REPLACE | COMMAND_INSERT | COMMAND_DELETE | COMMAND_APPEND | COMMAND_CHECK;

	if (c->kinds & with_rule) {
		c->sources = c->sources ? c->sources : "0.0.0.0/0";
		c->destinations = c->destinations ? c->destinations : "0.0.0.0/0";
	}
	if (c->sources)
		xtables_ipparse_multiple(c->sources, &c->src, &c->src_mask, &c->n_src);
	if (c->destinations)
		xtables_ipparse_multiple(c->destinations, &c->dst, &c->dst_mask, &c->n_dst);
	if ((c->n_src > 1 || c->n_dst > 1) && (c->inverted & (RULE_NOT_SRC | RULE_NOT_DST)))
		xtables_error(PARAMETER_PROBLEM,
			"! not allowed with multiple source or destination IP addresses");
	if (c->kinds == COMMAND_REPLACE && (c->n_src != 1 || c->n_dst != 1))
		xtables_error(
			PARAMETER_PROBLEM, "Replacement rule does not specify a unique address");
}

/* An option is legal when any of the commands given takes it. */
static void
options_check(const struct ipt_command *c)
{
	uint32_t legal = 0, illegal;

	for (unsigned i = 0; i < COMMAND_KINDS; i++)
		if (c->kinds & 1U << i)
			legal |= kinds[i].options;
	illegal = c->options & ~legal;
	if (illegal)
		xtables_error(PARAMETER_PROBLEM, "Illegal option `-%c' with this command",
			options[bit_of(illegal)].letter);
}

static void
interface_fits(const struct ipt_command *c, uint32_t option, const char *one, const char *other)
{
	const uint32_t of_rules = COMMAND_APPEND | COMMAND_DELETE | COMMAND_DELETE_AT |
				  COMMAND_CHECK | COMMAND_INSERT | COMMAND_REPLACE;

	if (!(c->kinds & of_rules) || !(c->options & option))
		return;
	if (strcmp(c->chain, one) == 0 || strcmp(c->chain, other) == 0)
		xtables_error(PARAMETER_PROBLEM, "Can't use -%c with %s\n",
			options[bit_of(option)].letter, c->chain);
}

static void
chain_length_check(const struct ipt_command *c)
{
	if (c->chain && strlen(c->chain) >= XT_EXTENSION_MAXNAMELEN)
		xtables_error(PARAMETER_PROBLEM,
			"chain name `%s' too long (must be under %u chars)", c->chain,
			XT_EXTENSION_MAXNAMELEN);
}

static void
whole_check(struct parser *p)
{
	struct ipt_command *c = p->c;

	no_drop_in_nat(c);
	if (p->interval_given && !p->wait_given)
		xtables_error(PARAMETER_PROBLEM, "--wait-interval only makes sense with --wait\n");
	xt_rule_check(&c->xt);
	if (optind < p->argc)
		xtables_error(PARAMETER_PROBLEM, "unknown arguments found on commandline");
	if (!c->kinds)
		xtables_error(PARAMETER_PROBLEM, "no command specified");
	if (p->invert)
		xtables_error(PARAMETER_PROBLEM, "nothing appropriate following !");
	addresses_parse(c);
	options_check(c);
	chain_length_check(c);
	interface_fits(c, OPTION_OUT, "PREROUTING", "INPUT");
	interface_fits(c, OPTION_IN, "POSTROUTING", "OUTPUT");
}

static void
extensions_take(struct ipt_command *c)
{
	const uint16_t n = xt_rule_n_matches(&c->xt);

	if (n > RULES_MATCHES_MAX)
		xtables_error(
			PARAMETER_PROBLEM, "more than %d matches in a rule", RULES_MATCHES_MAX);
	c->matches = xtables_calloc(n + 1U, sizeof(*c->matches));
	for (; c->n_matches < n; c->n_matches++)
		if (xt_rule_take_match(&c->xt, c->n_matches, &c->matches[c->n_matches]) < 0)
			xtables_error(RESOURCE_PROBLEM, "can't alloc memory!");
	if (c->xt.target && xt_rule_take_target(&c->xt, &c->target) < 0)
		xtables_error(RESOURCE_PROBLEM, "can't alloc memory!");
}

void
ipt_command_parse(struct ipt_command *c, int argc, char **argv, const char *table, bool restore)
{
	struct parser p = {.c = c, .argc = argc, .argv = argv, .restore = restore};

	memset(c, 0, sizeof(*c));
	c->table = table;
	c->jump = "";
	xt_rule_begin(&c->xt);
	inversions_move(argc, argv);
	words_take(&p);
	if (c->ignored)
		return;
	whole_check(&p);
	extensions_take(c);
}

void
ipt_command_end(struct ipt_command *c)
{
	xt_rule_end(&c->xt);
	while (c->n_matches > 0)
		free(c->matches[--c->n_matches].data);
	free(c->matches);
	free(c->target.data);
	free(c->src);
	free(c->src_mask);
	free(c->dst);
	free(c->dst_mask);
	memset(c, 0, sizeof(*c));
}
