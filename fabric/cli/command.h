/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands as declared data. A row says what a command takes, with the help of each part on its line;
 * parsing, help, completion and the manual page are all made from it.
 */
#ifndef FABRIC_CLI_COMMAND_H
#define FABRIC_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE }; /* exit status of the program */

/* What a value is: how it is checked and how completed. */
enum arg_kind {
	ARG_FLAG, /* no value */
	ARG_TEXT,
	ARG_FILE,
	ARG_FABRIC,
	ARG_NODE,
	ARG_ROUTER,
	ARG_GUEST,
	ARG_IFACE,
	ARG_WHERE, /* NODE:INTERFACE or the name of a link */
	ARG_LAN,
	ARG_OSA,
	ARG_TUNABLE,
	ARG_COMMAND, /* words of a command of ours */
	ARG_PROGRAM, /* a program and its arguments */
	ARG_ADDRESS, /* checked: one address */
	ARG_PREFIX,  /* checked: ADDRESS/LENGTH, an address, or "default" */
	ARG_NUMBER,  /* checked: whole, min..max */
	ARG_SECONDS, /* checked: decimal, min..max */
	ARG_CHOICE,  /* checked: one of `choices` */
};

enum {
	ARG_OPTIONAL = 1, /* operand: may be left out */
	ARG_MANY = 2,     /* operand: one or more, option: may be repeated */
	ARG_REST = 4,     /* operand: this and all that follows, taken as it stands */
};

/* An operand (`name` in capitals), an option (without its dashes) or a keyword (via, dev, ...). */
struct arg {
	const char *name;
	char letter; /* option: its short form, or 0 */
	enum arg_kind kind;
	const char *value; /* option, keyword: how its value is called in the help */
	unsigned flags;
	const char *choices; /* ARG_CHOICE: "a|b|c" */
	long min, max;       /* ARG_NUMBER, ARG_SECONDS; both 0: any from 0 up */
	const char *help;
};

struct cli;

struct command {
	const char *path; /* its words: "add guest" */
	const char *help; /* one line, no full stop */
	const char *text; /* paragraphs for help and manual, separated by an empty line, or NULL */
	const struct arg *operands, *keywords, *options; /* each ends with a NULL name; NULL: none */
	const char *synopsis; /* in place of the keywords, where they exclude each other */
	int (*run)(struct cli *cl); /* => exit status */
	const void *data;
	bool hidden; /* not in help and completion */
};

/* The commands, ending with a NULL path; options that every command takes. */
extern const struct command commands[];
extern const struct arg common_options[];

struct value {
	const struct arg *arg;
	const char *text; /* borrowed from argv; "" for a flag */
};

/* One command line, parsed. */
struct parsed {
	const struct command *cmd; /* NULL: no command was named */
	struct value *values;
	size_t n_values;
	char **rest; /* of an ARG_REST operand, in argv, ends with NULL */
	size_t n_rest;
	char error[256]; /* a sentence, when parsing failed */
};

/*
 * Parses argv[1..] against `table`. Words of commands may be cut short as long as they are unique.
 * => 0, or -EINVAL with p->error set. In both cases parsed_free(). `argv` must outlive `p`.
 */
int command_parse(const struct command *table, int argc, char **argv, struct parsed *p);
void parsed_free(struct parsed *p);

/* The first value under this name, NULL when it was not given. */
const char *parsed_value(const struct parsed *p, const char *name);
/* The next one: *i starts at 0. NULL: no more. */
const char *parsed_next(const struct parsed *p, const char *name, size_t *i);
long parsed_number(const struct parsed *p, const char *name, long fallback);
double parsed_seconds(const struct parsed *p, const char *name, double fallback);

/*
 * Row of the command that `words` begin with. => the number of words that name it, 0: none (then *near is
 * a row whose path starts with the words so far, or NULL), -EINVAL: ambiguous.
 */
int command_find(const struct command *table, char *const *words, size_t n,
		const struct command **found);
/* Row of an option by name or letter, the common ones included; NULL: not there. */
const struct arg *command_option(const struct command *c, const char *name, size_t len, char letter);

/* Row of the operand that positional word `index` is, when `total` are given; NULL: too many. */
const struct arg *command_operand(const struct command *c, size_t index, size_t total);

enum { WORD_SIZE = 24, NEXT_WORDS_MAX = 64 };
/*
 * The words that can stand behind these `known` ones in the path of a command; the same may come twice.
 * => their number, at most NEXT_WORDS_MAX.
 */
size_t command_next_words(const struct command *table, char *const *words, size_t known,
		char (*out)[WORD_SIZE]);

/* The candidate nearest to `word` by edit distance, or NULL when none is near. */
const char *nearest(const char *word, const char *const *candidates, size_t n);

#endif
