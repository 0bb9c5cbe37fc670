/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets as text: a line of `ipset restore` becomes a command; a set becomes what `ipset save` and `list` print. */
#ifndef FILTERS_SETS_TEXT_H
#define FILTERS_SETS_TEXT_H

#include "filters/sets_data.h"

enum set_verb {
	VERB_NONE, /* an empty line, a comment, COMMIT */
	VERB_CREATE,
	VERB_ADD,
	VERB_DEL,
	VERB_TEST,
	VERB_DESTROY,
	VERB_FLUSH,
	VERB_RENAME,
	VERB_SWAP,
};

/* A sentence for who wrote the line. */
struct set_complaint {
	char *text;
	size_t size;
};

int set_complain(struct set_complaint *c, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* => -EINVAL */

enum { SET_WORDS_MAX = 64 };

/* The words of a line, quotes taken off; points into it. */
struct set_words {
	char *word[SET_WORDS_MAX];
	unsigned n, next;
};

struct set_command {
	enum set_verb verb;
	bool exist;
	char name[SET_NAME], second[SET_NAME]; /* "": not given */
	const char *type, *elem;   /* create; add, del, test */
	struct set_words words;    /* options: from words.next on */
};

/* Cuts up `line` (it is written to). => 0 or -EINVAL. */
int set_command_parse(char *line, struct set_command *cmd, struct set_complaint *c);
/* The options of `create`. `initval`: if none is given. */
int set_params_parse(
	struct set_command *cmd, uint32_t initval, struct set_params *p, struct set_complaint *c);

/* From and to, host byte order. Without an end `to` is `from`. */
struct set_span {
	uint32_t ip, ip_to;
	bool has_ip_to, has_cidr;
	uint8_t cidr; /* 32 unless has_cidr */
	uint32_t port, port_to;
	uint8_t proto;
	char iface[IFNAMSIZ];
};

/* What `add`, `del`, `test` say of elements. */
struct set_entry {
	struct set_span span;
	bool nomatch, wildcard;
	bool has_timeout, has_packets, has_bytes, has_comment;
	uint32_t timeout; /* s */
	uint64_t packets, bytes;
	const char *comment;
};

int set_entry_parse(struct set_command *cmd, enum set_type type, struct set_entry *e,
	struct set_complaint *c);

/* The element part: "1.2.3.0/24,eth0". `text` is not kept. */
int set_span_parse(const char *text, enum set_type type, struct set_span *s, struct set_complaint *c);
/* ipset's strtoull: decimal, 0x, 0 octal. */
int set_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *n, struct set_complaint *c);

/* What a walk over a set's members prints to. */
struct set_print {
	char *text;
	size_t len, size;
	bool failed; /* no memory */
};

void set_print(struct set_print *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void set_print_save(struct set_print *out, const char *name, const struct set_data *d, uint64_t now);
void set_print_list(
	struct set_print *out, const char *name, const struct set_data *d, uint32_t refs, uint64_t now);

#endif
