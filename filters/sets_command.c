/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of `ipset restore`: words, commands and their options, with the words of ipset 7.17 for what is wrong. */
#include "filters/sets_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HASHSIZE_MIN = 64, HASHSIZE = 1024, MAXELEM = 65536, BUCKETSIZE = 12, BUCKETSIZE_MIN = 2 };

static const struct {
	const char *name, *dash;
	uint8_t args; /* that must be there */
	uint8_t verb;
} verbs[] = {
	{"create", "-N", 2, VERB_CREATE}, {"new", "-N", 2, VERB_CREATE}, {"add", "-A", 2, VERB_ADD},
	{"del", "-D", 2, VERB_DEL}, {"test", "-T", 2, VERB_TEST}, {"destroy", "-X", 0, VERB_DESTROY},
	{"x", "-X", 0, VERB_DESTROY}, {"flush", "-F", 0, VERB_FLUSH}, {"rename", "-E", 2, VERB_RENAME},
	{"e", "-E", 2, VERB_RENAME}, {"swap", "-W", 2, VERB_SWAP}, {"w", "-W", 2, VERB_SWAP},
	{"list", "-L", 0, VERB_NONE}, {"save", "-S", 0, VERB_NONE}, {"restore", "-R", 0, VERB_NONE},
	{"help", "-H", 0, VERB_NONE}, {"version", "-V", 0, VERB_NONE},
};

/* Quotes may stand anywhere in a word. */
static int
words_split(char *line, struct set_words *w, struct set_complaint *c)
{
	char *from = line, *to = line;
	bool quoted = false, in_word = false;

	w->n = w->next = 0;
	for (; *from; from++) {
		if (!quoted && isspace((unsigned char)*from)) {
			if (in_word)
				*to++ = '\0';
			in_word = false;
			continue;
		}
		if (!in_word) {
			if (w->n == SET_WORDS_MAX)
				return set_complain(c, "too many words");
			w->word[w->n++] = to;
			in_word = true;
		}
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*to = '\0';
	return quoted ? set_complain(c, "Syntax error: missing close quote") : 0;
}

static bool
word_is_exist(const char *word)
{
	return strcmp(word, "-exist") == 0 || strcmp(word, "--exist") == 0 || strcmp(word, "-!") == 0;
}

/* -exist may stand anywhere. */
static bool
words_take_exist(struct set_words *w)
{
	unsigned n = w->n, kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (!word_is_exist(w->word[i]))
			w->word[kept++] = w->word[i];
	w->n = kept;
	return kept != n;
}

/* => index in verbs[], -1: none. Plain words may be cut short. */
static int
verb_find(const char *word)
{
	size_t len = strlen(word);

	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (word[0] == '-' && (strcmp(word, verbs[i].dash) == 0 ||
					      (word[1] == '-' && strcmp(word + 2, verbs[i].name) == 0)))
			return (int)i;
		if (len > 0 && word[0] != '-' && strncmp(verbs[i].name, word, len) == 0)
			return (int)i;
	}
	return -1;
}

static int
name_parse(const char *word, char *name, struct set_complaint *c)
{
	if (strlen(word) >= SET_NAME)
		return set_complain(c, "Syntax error: setname '%s' is longer than %u characters", word,
			SET_NAME - 1);
	if (word[0] == '\0' || strpbrk(word, " \t\""))
		return set_complain(c, "Syntax error: setname '%s' is empty or has blanks", word);
	for (const char *p = word; *p; p++)
		if (iscntrl((unsigned char)*p))
			return set_complain(c, "Syntax error: setname with a control character");
	strcpy(name, word);
	return 0;
}

int
set_command_parse(char *line, struct set_command *cmd, struct set_complaint *c)
{
	struct set_words *w = &cmd->words;
	int verb;

	*cmd = (struct set_command){0};
	if (words_split(line, w, c) < 0)
		return -EINVAL;
	if (w->n == 0 || w->word[0][0] == '#' || strcmp(w->word[0], "COMMIT") == 0)
		return 0;
	cmd->exist = words_take_exist(w);
	verb = w->n ? verb_find(w->word[0]) : -1;
	if (verb < 0)
		return set_complain(c, "No command specified: unknown argument %s", w->word[0]);
	if (verbs[verb].verb == VERB_NONE)
		return set_complain(c, "Command `%s' is invalid in restore mode.", verbs[verb].name);
	if (w->n <= verbs[verb].args)
		return set_complain(c, "Missing %smandatory argument to command %s",
			w->n == 2 ? "second " : "", verbs[verb].name);
	cmd->verb = verbs[verb].verb;
	if (w->n > 1 && name_parse(w->word[1], cmd->name, c) < 0)
		return -EINVAL;
	w->next = w->n < 3 ? w->n : 3;
	if (cmd->verb == VERB_CREATE)
		cmd->type = w->word[2];
	else if (cmd->verb == VERB_RENAME || cmd->verb == VERB_SWAP)
		return name_parse(w->word[2], cmd->second, c);
	else if (verbs[verb].args == 2)
		cmd->elem = w->word[2];
	else if (w->n > 2)
		return set_complain(c, "Unknown argument %s", w->word[2]);
	return 0;
}

/* ---- options ---- */

struct option {
	const char *name;
	uint8_t args;
	uint8_t types; /* bit per enum set_type */
};

/* => its index; -1 and a complaint: unknown, twice, or without its argument. */
static int
option_next(struct set_words *w, const struct option *options, uint8_t type, uint32_t *seen,
	struct set_complaint *c)
{
	const char *word = w->word[w->next++];

	for (int i = 0; options[i].name; i++) {
		const char *plain = strncmp(word, "--", 2) == 0 ? word + 2 : word;

		if (!(options[i].types & 1 << type) || strcmp(plain, options[i].name) != 0)
			continue;
		if (*seen & 1u << i && options[i].args)
			return set_complain(c, "Syntax error: %s already specified", options[i].name);
		*seen |= 1u << i;
		if (w->n - w->next < options[i].args)
			return set_complain(
				c, "Missing mandatory argument of option `%s'", options[i].name);
		w->next += options[i].args;
		return i;
	}
	return set_complain(c, "Unknown argument: `%s'", word);
}

enum {
	CREATE_FAMILY,
	CREATE_INET,
	CREATE_INET6,
	CREATE_HASHSIZE,
	CREATE_MAXELEM,
	CREATE_NETMASK,
	CREATE_BITMASK,
	CREATE_BUCKETSIZE,
	CREATE_INITVAL,
	CREATE_TIMEOUT,
	CREATE_COUNTERS,
	CREATE_COMMENT,
	CREATE_FORCEADD,
	CREATE_SKBINFO,
	CREATE_RANGE,
	CREATE_FROM,
	CREATE_TO,
	CREATE_PROBES,
	CREATE_RESIZE,
};

#define MASKED (1 << SET_HASH_IP | 1 << SET_HASH_IP_PORT)
#define HASHED (MASKED | 1 << SET_HASH_NET | 1 << SET_HASH_NET_IFACE)
#define MAPPED (1 << SET_BITMAP_PORT)

static const struct option create_options[] = {
	[CREATE_FAMILY] = {"family", 1, HASHED},
	[CREATE_INET] = {"-4", 0, HASHED},
	[CREATE_INET6] = {"-6", 0, HASHED},
	[CREATE_HASHSIZE] = {"hashsize", 1, HASHED},
	[CREATE_MAXELEM] = {"maxelem", 1, HASHED},
	[CREATE_NETMASK] = {"netmask", 1, MASKED},
	[CREATE_BITMASK] = {"bitmask", 1, MASKED},
	[CREATE_BUCKETSIZE] = {"bucketsize", 1, HASHED},
	[CREATE_INITVAL] = {"initval", 1, HASHED},
	[CREATE_TIMEOUT] = {"timeout", 1, HASHED | MAPPED},
	[CREATE_COUNTERS] = {"counters", 0, HASHED | MAPPED},
	[CREATE_COMMENT] = {"comment", 0, HASHED | MAPPED},
	[CREATE_FORCEADD] = {"forceadd", 0, HASHED},
	[CREATE_SKBINFO] = {"skbinfo", 0, HASHED | MAPPED},
	[CREATE_RANGE] = {"range", 1, MAPPED},
	[CREATE_FROM] = {"from", 1, MAPPED},
	[CREATE_TO] = {"to", 1, MAPPED},
	[CREATE_PROBES] = {"probes", 1, HASHED}, /* of old versions; no effect */
	[CREATE_RESIZE] = {"resize", 1, HASHED},
	{0},
};

static int
create_number(const char *word, uint32_t min, uint32_t max, uint32_t *n, struct set_complaint *c)
{
	uint64_t value;

	if (set_number_parse(word, min, max, &value, c) < 0)
		return -EINVAL;
	*n = (uint32_t)value;
	return 0;
}

static int
create_family(const char *word, struct set_complaint *c)
{
	if (strcmp(word, "inet") == 0 || strcmp(word, "ipv4") == 0)
		return 0;
	if (strcmp(word, "inet6") == 0 || strcmp(word, "ipv6") == 0)
		return set_complain(c, "family inet6 is not supported");
	return set_complain(c, "Syntax error: unknown inet family %s", word);
}

static int
create_mask(int option, const char *word, struct set_params *p, struct set_complaint *c)
{
	struct in_addr a;
	uint32_t n;

	if (p->has_bitmask || p->netmask != 32)
		return set_complain(c,
			"Syntax error: bitmask and netmask are mutually exclusive, provide only one");
	if (option == CREATE_NETMASK) {
		if (create_number(word, 1, 32, &n, c) < 0)
			return -EINVAL;
		p->netmask = (uint8_t)n;
		p->mask = htonl(UINT32_MAX << (32 - n));
		return 0;
	}
	if (inet_pton(AF_INET, word, &a) != 1 || a.s_addr == 0)
		return set_complain(c, "The value of the netmask parameter is invalid");
	p->has_bitmask = a.s_addr != UINT32_MAX;
	p->mask = a.s_addr;
	return 0;
}

/* "A-B", or one port. */
static int
create_range(const char *word, struct set_params *p, struct set_complaint *c)
{
	struct set_span s;

	if (set_span_parse(word, SET_BITMAP_PORT, &s, c) < 0)
		return -EINVAL;
	if (!strchr(word, '-'))
		return set_complain(c, "Mandatory option `to' is missing");
	p->first = (uint16_t)s.port;
	p->last = (uint16_t)s.port_to;
	return 0;
}

static int
create_port(const char *word, uint16_t *port, struct set_complaint *c)
{
	struct set_span s;

	if (set_span_parse(word, SET_BITMAP_PORT, &s, c) < 0)
		return -EINVAL;
	*port = (uint16_t)s.port;
	return 0;
}

static int
create_bucketsize(const char *word, struct set_params *p, struct set_complaint *c)
{
	uint32_t n;

	if (create_number(word, 0, UINT8_MAX, &n, c) < 0)
		return -EINVAL;
	if (n < BUCKETSIZE_MIN)
		n = BUCKETSIZE_MIN;
	else if (n > BUCKETSIZE)
		n = BUCKETSIZE;
	p->bucketsize = (uint8_t)(n + n % 2);
	return 0;
}

static int
create_timeout(const char *word, struct set_params *p, struct set_complaint *c)
{
	uint32_t n;

	if (create_number(word, 0, SET_TIMEOUT_MAX, &n, c) < 0)
		return -EINVAL;
	p->timeout = (int32_t)n;
	return 0;
}

static int
create_option(int option, const char *word, struct set_params *p, struct set_complaint *c)
{
	switch (option) {
	case CREATE_FAMILY:
		return create_family(word, c);
	case CREATE_INET6:
		return create_family("inet6", c);
	case CREATE_HASHSIZE:
		return create_number(word, 0, UINT32_MAX, &p->hashsize, c);
	case CREATE_MAXELEM:
		return create_number(word, 0, UINT32_MAX, &p->maxelem, c);
	case CREATE_NETMASK:
	case CREATE_BITMASK:
		return create_mask(option, word, p, c);
	case CREATE_BUCKETSIZE:
		return create_bucketsize(word, p, c);
	case CREATE_INITVAL:
		return create_number(word, 0, UINT32_MAX, &p->initval, c);
	case CREATE_TIMEOUT:
		return create_timeout(word, p, c);
	case CREATE_SKBINFO:
		return set_complain(c, "skbinfo is not supported");
	case CREATE_RANGE:
		return create_range(word, p, c);
	case CREATE_FROM:
		return create_port(word, &p->first, c);
	case CREATE_TO:
		return create_port(word, &p->last, c);
	default:
		p->counters |= option == CREATE_COUNTERS;
		p->comment |= option == CREATE_COMMENT;
		p->forceadd |= option == CREATE_FORCEADD;
		return 0;
	}
}

static int
create_ports_given(uint32_t seen, struct set_params *p, struct set_complaint *c)
{
	uint16_t port = p->first;

	if (!(seen & (1u << CREATE_RANGE | 1u << CREATE_FROM)))
		return set_complain(c, "Mandatory option `range' is missing");
	if (!(seen & (1u << CREATE_RANGE | 1u << CREATE_TO)))
		return set_complain(c, "Mandatory option `to' is missing");
	if (p->first > p->last) {
		p->first = p->last;
		p->last = port;
	}
	return 0;
}

static int
type_parse(const char *word, enum set_type *type, struct set_complaint *c)
{
	for (unsigned t = 0; t < SET_TYPES; t++)
		if (strcmp(word, set_kind(t)->name) == 0 || strcmp(word, set_kind(t)->old_name) == 0) {
			*type = t;
			return 0;
		}
	return set_complain(c, "Syntax error: typename '%s' is unknown", word);
}

int
set_params_parse(
	struct set_command *cmd, uint32_t initval, struct set_params *p, struct set_complaint *c)
{
	struct set_words *w = &cmd->words;
	uint32_t seen = 0;

	*p = (struct set_params){
		.hashsize = HASHSIZE,
		.maxelem = MAXELEM,
		.initval = initval,
		.bucketsize = BUCKETSIZE,
		.netmask = 32,
		.mask = UINT32_MAX,
		.timeout = SET_NO_TIMEOUT,
	};
	if (type_parse(cmd->type, &p->type, c) < 0)
		return -EINVAL;
	while (w->next < w->n) {
		int option = option_next(w, create_options, p->type, &seen, c);

		if (option < 0 || create_option(option, w->word[w->next - 1], p, c) < 0)
			return -EINVAL;
	}
	if (p->hashsize < HASHSIZE_MIN)
		p->hashsize = HASHSIZE_MIN;
	return p->type == SET_BITMAP_PORT ? create_ports_given(seen, p, c) : 0;
}

enum {
	ENTRY_TIMEOUT,
	ENTRY_PACKETS,
	ENTRY_BYTES,
	ENTRY_COMMENT,
	ENTRY_NOMATCH,
	ENTRY_WILDCARD,
	ENTRY_SKBMARK,
	ENTRY_SKBPRIO,
	ENTRY_SKBQUEUE,
};

#define NETTED (1 << SET_HASH_NET | 1 << SET_HASH_NET_IFACE)

static const struct option entry_options[] = {
	[ENTRY_TIMEOUT] = {"timeout", 1, HASHED | MAPPED},
	[ENTRY_PACKETS] = {"packets", 1, HASHED | MAPPED},
	[ENTRY_BYTES] = {"bytes", 1, HASHED | MAPPED},
	[ENTRY_COMMENT] = {"comment", 1, HASHED | MAPPED},
	[ENTRY_NOMATCH] = {"nomatch", 0, NETTED},
	[ENTRY_WILDCARD] = {"wildcard", 0, 1 << SET_HASH_NET_IFACE},
	[ENTRY_SKBMARK] = {"skbmark", 1, HASHED | MAPPED},
	[ENTRY_SKBPRIO] = {"skbprio", 1, HASHED | MAPPED},
	[ENTRY_SKBQUEUE] = {"skbqueue", 1, HASHED | MAPPED},
	{0},
};

static int
entry_comment(const char *word, struct set_entry *e, struct set_complaint *c)
{
	if (strlen(word) > SET_COMMENT_MAX)
		return set_complain(c,
			"Syntax error: Comment is longer than the maximum allowed %u characters",
			SET_COMMENT_MAX);
	for (const char *p = word; *p; p++)
		if (iscntrl((unsigned char)*p))
			return set_complain(c, "Syntax error: control character in a comment");
	e->has_comment = true;
	e->comment = word[0] ? word : NULL;
	return 0;
}

static int
entry_option(int option, const char *word, struct set_entry *e, struct set_complaint *c)
{
	uint64_t n = 0;

	switch (option) {
	case ENTRY_TIMEOUT:
		if (set_number_parse(word, 0, SET_TIMEOUT_MAX, &n, c) < 0)
			return -EINVAL;
		e->has_timeout = true;
		e->timeout = (uint32_t)n;
		return 0;
	case ENTRY_PACKETS:
		e->has_packets = true;
		return set_number_parse(word, 0, UINT64_MAX, &e->packets, c);
	case ENTRY_BYTES:
		e->has_bytes = true;
		return set_number_parse(word, 0, UINT64_MAX, &e->bytes, c);
	case ENTRY_COMMENT:
		return entry_comment(word, e, c);
	case ENTRY_NOMATCH:
		e->nomatch = true;
		return 0;
	case ENTRY_WILDCARD:
		e->wildcard = true;
		return 0;
	default:
		return set_complain(c,
			"Skbinfo mapping cannot be used: set was created without skbinfo support");
	}
}

int
set_entry_parse(struct set_command *cmd, enum set_type type, struct set_entry *e,
	struct set_complaint *c)
{
	struct set_words *w = &cmd->words;
	uint32_t seen = 0;

	*e = (struct set_entry){0};
	if (set_span_parse(cmd->elem, type, &e->span, c) < 0)
		return -EINVAL;
	while (w->next < w->n) {
		int option = option_next(w, entry_options, type, &seen, c);

		if (option < 0 || entry_option(option, w->word[w->next - 1], e, c) < 0)
			return -EINVAL;
	}
	return 0;
}
