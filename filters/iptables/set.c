/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/set.h"

#include "filters/set_options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <xtables.h>

/* What -m set takes. Options start at 1: 0 is getopt_long()'s. */
enum match_option {
	MATCH_SET = 1,
	MATCH_SET_OLD,
	RETURN_NOMATCH,
	UPDATE_COUNTERS,
	UPDATE_SUBCOUNTERS,
	PACKETS_EQ,
	PACKETS_LT,
	PACKETS_GT,
	BYTES_EQ,
	BYTES_LT,
	BYTES_GT,
};

static const struct option match_options[] = {
	{"match-set", required_argument, NULL, MATCH_SET},
	{"set", required_argument, NULL, MATCH_SET_OLD},
	{"return-nomatch", no_argument, NULL, RETURN_NOMATCH},
	{"update-counters", no_argument, NULL, UPDATE_COUNTERS},
	{"update-subcounters", no_argument, NULL, UPDATE_SUBCOUNTERS},
	{"packets-eq", required_argument, NULL, PACKETS_EQ},
	{"packets-lt", required_argument, NULL, PACKETS_LT},
	{"packets-gt", required_argument, NULL, PACKETS_GT},
	{"bytes-eq", required_argument, NULL, BYTES_EQ},
	{"bytes-lt", required_argument, NULL, BYTES_LT},
	{"bytes-gt", required_argument, NULL, BYTES_GT},
	{NULL, 0, NULL, 0},
};

/* What -j SET takes, and the bits in which the final check sees it. */
enum target_option {
	ADD_SET = 1,
	DEL_SET,
	MAP_SET,
	EXIST,
	TIMEOUT,
	MAP_MARK,
	MAP_PRIO,
	MAP_QUEUE,
};

static const struct option target_options[] = {
	{"add-set", required_argument, NULL, ADD_SET},
	{"del-set", required_argument, NULL, DEL_SET},
	{"map-set", required_argument, NULL, MAP_SET},
	{"exist", no_argument, NULL, EXIST},
	{"timeout", required_argument, NULL, TIMEOUT},
	{"map-mark", no_argument, NULL, MAP_MARK},
	{"map-prio", no_argument, NULL, MAP_PRIO},
	{"map-queue", no_argument, NULL, MAP_QUEUE},
	{NULL, 0, NULL, 0},
};

/* "src,dst" */
static void
sides_parse(struct set_option *s, const char *text)
{
	while (text) {
		if (s->dim == IPSET_DIM_MAX)
			xtables_error(PARAMETER_PROBLEM, "Can't be more src/dst options than %i.",
				IPSET_DIM_MAX);
		if (strncmp(text, "src", 3) == 0)
			s->sides |= (uint8_t)(1 << s->dim);
		else if (strncmp(text, "dst", 3) != 0)
			xtables_error(PARAMETER_PROBLEM, "You must spefify (the comma separated "
							 "list of) 'src' or 'dst'.");
		s->dim++;
		text = strchr(text, ',');
		if (text)
			text++;
	}
}

/* NAME from optarg, and the word after it. */
static void
set_parse(struct set_option *s, char **argv, const char *option)
{
	const char *sides = argv[optind];

	if (s->dim)
		xtables_error(PARAMETER_PROBLEM, "--%s can be specified only once", option);
	if (!sides || sides[0] == '-' || sides[0] == '!')
		xtables_error(PARAMETER_PROBLEM, "--%s requires two args.", option);
	if (strlen(optarg) >= sizeof(s->name))
		xtables_error(PARAMETER_PROBLEM, "setname `%s' too long, max %d characters.",
			optarg, (int)sizeof(s->name) - 1);
	if (!optarg[0] || strpbrk(optarg, " \t\""))
		xtables_error(PARAMETER_PROBLEM, "setname `%s' is empty or has blanks", optarg);
	snprintf(s->name, sizeof(s->name), "%s", optarg);
	sides_parse(s, sides);
	optind++;
}

static void
set_print(const struct set_option *s, const char *option)
{
	unsigned i;

	printf(" %s %.*s", option, (int)sizeof(s->name), s->name);
	for (i = 0; i < s->dim && i < IPSET_DIM_MAX; i++)
		printf("%c%s", i ? ',' : ' ', s->sides >> i & 1 ? "src" : "dst");
}

static void
counter_parse(struct set_counter_option *c, const char *what, uint8_t op, bool invert)
{
	uintmax_t value;

	if (c->op != IPSET_COUNTER_NONE)
		xtables_error(
			PARAMETER_PROBLEM, "only one of the --%s-[eq|lt|gt] is allowed", what);
	if (invert && op != IPSET_COUNTER_EQ)
		xtables_error(PARAMETER_PROBLEM, "--%s-%s option cannot be inverted", what,
			op == IPSET_COUNTER_LT ? "lt" : "gt");
	if (!xtables_strtoul(optarg, NULL, &value, 0, UINT64_MAX))
		xtables_error(PARAMETER_PROBLEM, "Cannot parse %s as a counter value", optarg);
	c->op = invert ? IPSET_COUNTER_NE : op;
	c->value = value;
}

static int
match_parse(int c, char **argv, int invert, unsigned int *flags, const void *entry,
	struct xt_entry_match **match)
{
	static const uint8_t ops[] = {IPSET_COUNTER_EQ, IPSET_COUNTER_LT, IPSET_COUNTER_GT};
	struct set_match_options *o = (void *)(*match)->data;

	(void)entry;
	switch ((enum match_option)c) {
	case MATCH_SET_OLD:
		fprintf(stderr, "--set option deprecated, please use --match-set\n");
		/* fall through */
	case MATCH_SET:
		set_parse(&o->set, argv, "match-set");
		o->set.inverted = invert != 0;
		*flags = 1;
		break;
	case RETURN_NOMATCH:
		if (invert)
			xtables_error(
				PARAMETER_PROBLEM, "--return-nomatch flag cannot be inverted");
		o->flags |= IPSET_FLAG_RETURN_NOMATCH;
		break;
	case UPDATE_COUNTERS:
		o->flags |= invert ? IPSET_FLAG_SKIP_COUNTER_UPDATE : 0;
		break;
	case UPDATE_SUBCOUNTERS:
		o->flags |= invert ? IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE : 0;
		break;
	case PACKETS_EQ ... PACKETS_GT:
		counter_parse(&o->packets, "packets", ops[c - PACKETS_EQ], invert);
		o->flags |= IPSET_FLAG_MATCH_COUNTERS;
		break;
	case BYTES_EQ ... BYTES_GT:
		counter_parse(&o->bytes, "bytes", ops[c - BYTES_EQ], invert);
		o->flags |= IPSET_FLAG_MATCH_COUNTERS;
		break;
	}
	return 1;
}

static void
match_check(unsigned int flags)
{
	if (!flags)
		xtables_error(
			PARAMETER_PROBLEM, "You must specify `--match-set' with proper arguments");
}

static void
counter_print(const struct set_counter_option *c, const char *what, const char *dashes)
{
	static const char *const words[] = {
		[IPSET_COUNTER_EQ] = "eq",
		[IPSET_COUNTER_NE] = "eq",
		[IPSET_COUNTER_LT] = "lt",
		[IPSET_COUNTER_GT] = "gt",
	};

	if (c->op == IPSET_COUNTER_NONE || c->op > IPSET_COUNTER_GT)
		return;
	printf("%s %s%s-%s %llu", c->op == IPSET_COUNTER_NE ? " !" : "", dashes, what, words[c->op],
		(unsigned long long)c->value);
}

static void
match_text(const struct set_match_options *o, const char *option, const char *dashes)
{
	if (o->set.inverted)
		printf(" !");
	set_print(&o->set, option);
	if (o->flags & IPSET_FLAG_RETURN_NOMATCH)
		printf(" %sreturn-nomatch", dashes);
	if (o->flags & IPSET_FLAG_SKIP_COUNTER_UPDATE)
		printf(" ! %supdate-counters", dashes);
	if (o->flags & IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE)
		printf(" ! %supdate-subcounters", dashes);
	counter_print(&o->packets, "packets", dashes);
	counter_print(&o->bytes, "bytes", dashes);
}

static void
match_print(const void *ip, const struct xt_entry_match *match, int numeric)
{
	(void)ip;
	(void)numeric;
	match_text((const void *)match->data, "match-set", "");
}

static void
match_save(const void *ip, const struct xt_entry_match *match)
{
	(void)ip;
	match_text((const void *)match->data, "--match-set", "--");
}

static void
match_help(void)
{
	printf("set match options:\n"
	       " [!] --match-set NAME src|dst[,...]	is the packet in this set?\n"
	       "     --return-nomatch			an element marked nomatch says no\n"
	       "   ! --update-counters			do not count in the set\n"
	       "   ! --update-subcounters		nor in the sets of a list\n"
	       " [!] --packets-eq N | --packets-lt N | --packets-gt N\n"
	       " [!] --bytes-eq N | --bytes-lt N | --bytes-gt N\n");
}

static void
target_init(struct xt_entry_target *target)
{
	struct set_target_options *o = (void *)target->data;

	o->timeout = SET_TIMEOUT_NONE;
}

static uint32_t
timeout_parse(void)
{
	unsigned int timeout;

	if (!xtables_strtoui(optarg, NULL, &timeout, 0, UINT32_MAX - 1))
		xtables_error(PARAMETER_PROBLEM,
			"Invalid value for option --timeout or out of range 0-%u", UINT32_MAX - 1);
	return timeout;
}

static int
target_parse(int c, char **argv, int invert, unsigned int *flags, const void *entry,
	struct xt_entry_target **target)
{
	struct set_target_options *o = (void *)(*target)->data;

	(void)invert;
	(void)entry;
	*flags |= 1U << c;
	switch ((enum target_option)c) {
	case ADD_SET:
		set_parse(&o->add, argv, "add-set");
		break;
	case DEL_SET:
		set_parse(&o->del, argv, "del-set");
		break;
	case MAP_SET:
		set_parse(&o->map, argv, "map-set");
		break;
	case EXIST:
		o->flags |= IPSET_FLAG_EXIST;
		break;
	case TIMEOUT:
		o->timeout = timeout_parse();
		break;
	case MAP_MARK:
		o->flags |= IPSET_FLAG_MAP_SKBMARK;
		break;
	case MAP_PRIO:
		o->flags |= IPSET_FLAG_MAP_SKBPRIO;
		break;
	case MAP_QUEUE:
		o->flags |= IPSET_FLAG_MAP_SKBQUEUE;
		break;
	}
	return 1;
}

/* Options that mean something beside one other only. */
static void
target_needs(unsigned int flags, enum target_option option, const char *text)
{
	const bool of_map = option >= MAP_MARK;

	if (!(flags & 1U << option) || (flags & 1U << (of_map ? MAP_SET : ADD_SET)))
		return;
	xtables_error(PARAMETER_PROBLEM, "%s can be used with `--%s' only", text,
		of_map ? "map-set" : "add-set");
}

static void
target_check(unsigned int flags)
{
	const unsigned int sets = 1U << ADD_SET | 1U << DEL_SET | 1U << MAP_SET;
	const unsigned int maps = 1U << MAP_MARK | 1U << MAP_PRIO | 1U << MAP_QUEUE;

	if (!(flags & sets))
		xtables_error(PARAMETER_PROBLEM,
			"You must specify either `--add-set' or `--del-set' or `--map-set'");
	target_needs(flags, EXIST, "Flag `--exist'");
	target_needs(flags, TIMEOUT, "Option `--timeout'");
	target_needs(flags, MAP_MARK, "Flag `--map-mark'");
	target_needs(flags, MAP_PRIO, "Flag `--map-prio'");
	target_needs(flags, MAP_QUEUE, "Flag `--map-queue'");
	if ((flags & 1U << MAP_SET) && !(flags & maps))
		xtables_error(PARAMETER_PROBLEM, "You must specify flags `--map-mark' or "
						 "'--map-prio` or `--map-queue'");
}

static void
target_set_text(const struct set_option *s, const char *dashes, const char *what)
{
	char option[16];

	if (!s->dim)
		return;
	snprintf(option, sizeof(option), "%s%s-set", dashes, what);
	set_print(s, option);
}

static void
target_text(const struct set_target_options *o, const char *dashes)
{
	target_set_text(&o->add, dashes, "add");
	if (o->flags & IPSET_FLAG_EXIST)
		printf(" %sexist", dashes);
	if (o->timeout != SET_TIMEOUT_NONE)
		printf(" %stimeout %u", dashes, o->timeout);
	target_set_text(&o->del, dashes, "del");
	target_set_text(&o->map, dashes, "map");
	if (o->flags & IPSET_FLAG_MAP_SKBMARK)
		printf(" %smap-mark", dashes);
	if (o->flags & IPSET_FLAG_MAP_SKBPRIO)
		printf(" %smap-prio", dashes);
	if (o->flags & IPSET_FLAG_MAP_SKBQUEUE)
		printf(" %smap-queue", dashes);
}

static void
target_print(const void *ip, const struct xt_entry_target *target, int numeric)
{
	(void)ip;
	(void)numeric;
	target_text((const void *)target->data, "");
}

static void
target_save(const void *ip, const struct xt_entry_target *target)
{
	(void)ip;
	target_text((const void *)target->data, "--");
}

static void
target_help(void)
{
	printf("SET target options:\n"
	       " --add-set NAME src|dst[,...] [--exist] [--timeout SECONDS]\n"
	       " --del-set NAME src|dst[,...]\n"
	       " --map-set NAME src|dst[,...] [--map-mark] [--map-prio] [--map-queue]\n");
}

/* libxtables links them into lists of its own. */
static struct xtables_match set_match = {
	.version = XTABLES_VERSION,
	.name = "set",
	.revision = 4,
	.family = NFPROTO_IPV4,
	.size = XT_ALIGN(sizeof(struct set_match_options)),
	.userspacesize = XT_ALIGN(sizeof(struct set_match_options)),
	.help = match_help,
	.parse = match_parse,
	.final_check = match_check,
	.print = match_print,
	.save = match_save,
	.extra_opts = match_options,
};

static struct xtables_target set_target = {
	.version = XTABLES_VERSION,
	.name = "SET",
	.revision = 3,
	.family = NFPROTO_IPV4,
	.size = XT_ALIGN(sizeof(struct set_target_options)),
	.userspacesize = XT_ALIGN(sizeof(struct set_target_options)),
	.help = target_help,
	.init = target_init,
	.parse = target_parse,
	.final_check = target_check,
	.print = target_print,
	.save = target_save,
	.extra_opts = target_options,
};

void
set_extensions_register(void)
{
	xtables_register_match(&set_match);
	xtables_register_target(&set_target);
}
