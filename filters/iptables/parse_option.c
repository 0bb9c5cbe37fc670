/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar's own options, one function each; the table at the end maps letters to them. */
#include "filters/iptables/help.h"
#include "filters/iptables/parser.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* => the next word, when it is neither an option nor "!"; else NULL */
static char *
word_next(struct parser *p)
{
	if (optind >= p->argc || p->argv[optind][0] == '-' || p->argv[optind][0] == '!')
		return NULL;
	return p->argv[optind++];
}

static uint32_t
rule_number(const char *text)
{
	unsigned int number;

	if (!xtables_strtoui(text, NULL, &number, 1, INT_MAX))
		xtables_error(PARAMETER_PROBLEM, "Invalid rule number `%s'", text);
	return number;
}

static void
take_append(struct parser *p)
{
	parser_kind(p, COMMAND_APPEND, 0);
	p->c->chain = optarg;
}

static void
take_check(struct parser *p)
{
	parser_kind(p, COMMAND_CHECK, 0);
	p->c->chain = optarg;
}

static void
take_delete(struct parser *p)
{
	const char *number;

	parser_kind(p, COMMAND_DELETE, 0);
	p->c->chain = optarg;
	number = word_next(p);
	if (!number)
		return;
	p->c->number = rule_number(number);
	p->c->kinds = COMMAND_DELETE_AT;
}

static void
take_replace(struct parser *p)
{
	const char *number;

	parser_kind(p, COMMAND_REPLACE, 0);
	p->c->chain = optarg;
	number = word_next(p);
	if (!number)
		xtables_error(PARAMETER_PROBLEM, "-R requires a rule number");
	p->c->number = rule_number(number);
}

static void
take_insert(struct parser *p)
{
	const char *number;

	parser_kind(p, COMMAND_INSERT, 0);
	p->c->chain = optarg;
	number = word_next(p);
	p->c->number = number ? rule_number(number) : 1;
}

static void
optional_chain(struct parser *p)
{
	const char *word = optarg ? optarg : word_next(p);

	if (word)
		p->c->chain = word;
}

static void
optional_number(struct parser *p)
{
	const char *word = word_next(p);

	if (word)
		p->c->number = rule_number(word);
}

static void
take_list(struct parser *p)
{
	parser_kind(p, COMMAND_LIST, COMMAND_ZERO | COMMAND_ZERO_AT);
	optional_chain(p);
	optional_number(p);
}

static void
take_list_rules(struct parser *p)
{
	parser_kind(p, COMMAND_LIST_RULES, COMMAND_ZERO | COMMAND_ZERO_AT);
	optional_chain(p);
	optional_number(p);
}

static void
take_flush(struct parser *p)
{
	parser_kind(p, COMMAND_FLUSH, 0);
	optional_chain(p);
}

static void
take_zero(struct parser *p)
{
	const char *number;

	parser_kind(p, COMMAND_ZERO, COMMAND_LIST | COMMAND_LIST_RULES);
	optional_chain(p);
	number = word_next(p);
	if (!number)
		return;
	p->c->number = rule_number(number);
	p->c->kinds = COMMAND_ZERO_AT;
}

static void
chain_name_check(const char *name)
{
	if (strlen(name) >= XT_EXTENSION_MAXNAMELEN)
		xtables_error(PARAMETER_PROBLEM,
			"chain name `%s' too long (must be under %u chars)", name,
			XT_EXTENSION_MAXNAMELEN);
	if (name[0] == '-' || name[0] == '!')
		xtables_error(
			PARAMETER_PROBLEM, "chain name not allowed to start with `%c'", name[0]);
	xt_chain_name_free(name);
	for (const char *at = name; *at; at++)
		if (isspace((unsigned char)*at))
			xtables_error(PARAMETER_PROBLEM, "Invalid chain name `%s'", name);
}

static void
take_new(struct parser *p)
{
	chain_name_check(optarg);
	parser_kind(p, COMMAND_NEW, 0);
	p->c->chain = optarg;
}

static void
take_remove(struct parser *p)
{
	parser_kind(p, COMMAND_REMOVE, 0);
	optional_chain(p);
}

static void
take_rename(struct parser *p)
{
	parser_kind(p, COMMAND_RENAME, 0);
	p->c->chain = optarg;
	p->c->new_name = word_next(p);
	if (!p->c->new_name)
		xtables_error(PARAMETER_PROBLEM, "-E requires old-chain-name and new-chain-name");
}

static void
take_policy(struct parser *p)
{
	parser_kind(p, COMMAND_POLICY, 0);
	p->c->chain = optarg;
	p->c->policy = word_next(p);
	if (!p->c->policy)
		xtables_error(PARAMETER_PROBLEM, "-P requires a chain and a policy");
}

/* Whoever reads rules from a text does not want to end here. */
static void
not_in_restore(const struct parser *p, char letter)
{
	if (p->restore)
		xtables_error(PARAMETER_PROBLEM, "The -%c option cannot be used in %s.\n", letter,
			xt_program());
}

static void
take_help(struct parser *p)
{
	struct xt_rule *x = &p->c->xt;

	not_in_restore(p, 'h');
	if (!x->matches && x->protocol[0])
		xt_find_match(x->protocol, XTF_TRY_LOAD, &x->matches);
	help_print(xt_program());
	xt_rule_help(x);
	exit(0);
}

static void
take_protocol(struct parser *p)
{
	struct xt_rule *x = &p->c->xt;
	size_t i;

	parser_option(p, OPTION_PROTOCOL);
	for (i = 0; optarg[i] && i < sizeof(x->protocol) - 1; i++)
		x->protocol[i] = (char)tolower((unsigned char)optarg[i]);
	p->c->protocol = xtables_parse_protocol(x->protocol);
	if (p->c->protocol == 0 && p->invert)
		xtables_error(PARAMETER_PROBLEM, "rule would never match protocol");
	x->entry.ip.proto = p->c->protocol;
	if (p->invert)
		x->entry.ip.invflags |= XT_INV_PROTO;
}

static void
take_source(struct parser *p)
{
	parser_option(p, OPTION_SOURCE);
	p->c->sources = optarg;
}

static void
take_destination(struct parser *p)
{
	parser_option(p, OPTION_DESTINATION);
	p->c->destinations = optarg;
}

static const char *
target_name(const char *name)
{
	if (!name[0])
		xtables_error(PARAMETER_PROBLEM, "Invalid target name (too short)");
	if (strlen(name) >= XT_EXTENSION_MAXNAMELEN)
		xtables_error(PARAMETER_PROBLEM, "Invalid target name `%s' (%u chars max)", name,
			XT_EXTENSION_MAXNAMELEN - 1);
	for (const char *at = name; *at; at++)
		if (isspace((unsigned char)*at))
			xtables_error(PARAMETER_PROBLEM, "Invalid target name `%s'", name);
	return name;
}

static void
take_jump(struct parser *p)
{
	parser_option(p, OPTION_JUMP);
	p->c->jump = target_name(optarg);
	xt_rule_target(&p->c->xt, p->c->jump);
}

static void
take_goto(struct parser *p)
{
	parser_option(p, OPTION_JUMP);
	p->c->is_goto = true;
	p->c->jump = target_name(optarg);
}

static void
interface_parse(char *name)
{
	unsigned char mask[IFNAMSIZ];

	for (const char *at = optarg; *at; at++)
		if (iscntrl((unsigned char)*at) || isspace((unsigned char)*at) || *at == '"')
			xtables_error(PARAMETER_PROBLEM,
				"interface name with a blank, a quote or a control character");
	xtables_parse_interface(optarg, name, mask);
}

static void
interface_is_there(void)
{
	if (!optarg[0])
		xtables_error(PARAMETER_PROBLEM, "Empty interface is likely to be undesired");
}

static void
take_in(struct parser *p)
{
	interface_is_there();
	parser_option(p, OPTION_IN);
	interface_parse(p->c->in);
}

static void
take_out(struct parser *p)
{
	interface_is_there();
	parser_option(p, OPTION_OUT);
	interface_parse(p->c->out);
}

static void
take_fragment(struct parser *p)
{
	parser_option(p, OPTION_FRAGMENT);
	p->c->xt.entry.ip.flags |= IPT_F_FRAG;
}

static void
take_verbose(struct parser *p)
{
	if (!(p->c->options & OPTION_VERBOSE))
		parser_option(p, OPTION_VERBOSE);
}

static void
take_match(struct parser *p)
{
	if (p->invert)
		xtables_error(PARAMETER_PROBLEM, "unexpected ! flag before --match");
	xt_rule_match(&p->c->xt, optarg);
}

static void
take_numeric(struct parser *p)
{
	parser_option(p, OPTION_NUMERIC);
}

static void
take_table(struct parser *p)
{
	if (p->invert)
		xtables_error(PARAMETER_PROBLEM, "unexpected ! flag before --table");
	not_in_restore(p, 't');
	p->c->table = optarg;
}

static void
take_exact(struct parser *p)
{
	parser_option(p, OPTION_EXACT);
}

static void
take_numbers(struct parser *p)
{
	parser_option(p, OPTION_NUMBERS);
}

static void
take_version(struct parser *p)
{
	not_in_restore(p, 'V');
	if (p->invert)
		printf("Not %s ;-)\n", xt_params->program_version);
	else
		printf("%s v%s\n", xt_program(), xt_params->program_version);
	exit(0);
}

/* Nobody has to be waited for: a set of rules is replaced as a whole. */
static void
take_wait(struct parser *p)
{
	const char *word;
	int seconds;

	if (p->restore)
		xtables_error(PARAMETER_PROBLEM, "You cannot use `-w' from iptables-restore");
	p->wait_given = true;
	word = optarg ? optarg : word_next(p);
	if (word && sscanf(word, "%i", &seconds) != 1)
		xtables_error(PARAMETER_PROBLEM, "wait seconds not numeric");
}

static void
take_interval(struct parser *p)
{
	const char *word;
	unsigned int usec;

	if (p->restore)
		xtables_error(PARAMETER_PROBLEM, "You cannot use `-W' from iptables-restore");
	word = optarg ? optarg : word_next(p);
	if (!word)
		xtables_error(PARAMETER_PROBLEM, "wait interval value required");
	if (sscanf(word, "%u", &usec) != 1)
		xtables_error(PARAMETER_PROBLEM, "wait interval not numeric");
	if (usec > 999999)
		xtables_error(PARAMETER_PROBLEM, "too long usec wait %u > 999999 usec", usec);
	fprintf(stderr, "Ignoring deprecated --wait-interval option.\n");
	p->interval_given = true;
}

static void
take_modprobe(struct parser *p)
{
	(void)p;
}

static void
take_counters(struct parser *p)
{
	const char *bytes;
	unsigned long long n;

	parser_option(p, OPTION_COUNTERS);
	bytes = optarg[0] ? strchr(optarg + 1, ',') : NULL;
	bytes = bytes ? bytes + 1 : word_next(p);
	if (!bytes)
		xtables_error(PARAMETER_PROBLEM, "-c requires packet and byte counter");
	if (sscanf(optarg, "%llu", &n) != 1)
		xtables_error(PARAMETER_PROBLEM, "-c packet counter not numeric");
	p->c->packets = n;
	if (sscanf(bytes, "%llu", &n) != 1)
		xtables_error(PARAMETER_PROBLEM, "-c byte counter not numeric");
	p->c->bytes = n;
}

static void
take_ipv4(struct parser *p)
{
	(void)p;
}

static void
take_ipv6(struct parser *p)
{
	if (!p->restore)
		xt_try_help("%s", "");
	p->c->ignored = true;
}

static const struct {
	char letter;
	void (*take)(struct parser *p);
} letters[] = {
	{'A', take_append},
	{'C', take_check},
	{'D', take_delete},
	{'R', take_replace},
	{'I', take_insert},
	{'L', take_list},
	{'S', take_list_rules},
	{'F', take_flush},
	{'Z', take_zero},
	{'N', take_new},
	{'X', take_remove},
	{'E', take_rename},
	{'P', take_policy},
	{'h', take_help},
	{'p', take_protocol},
	{'s', take_source},
	{'d', take_destination},
	{'j', take_jump},
	{'g', take_goto},
	{'i', take_in},
	{'o', take_out},
	{'f', take_fragment},
	{'v', take_verbose},
	{'m', take_match},
	{'n', take_numeric},
	{'t', take_table},
	{'x', take_exact},
	{'V', take_version},
	{'w', take_wait},
	{'W', take_interval},
	{'0', take_numbers},
	{'M', take_modprobe},
	{'c', take_counters},
	{'4', take_ipv4},
	{'6', take_ipv6},
};

bool
parser_take(struct parser *p, int letter)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++)
		if (letters[i].letter == letter) {
			letters[i].take(p);
			return true;
		}
	return false;
}
