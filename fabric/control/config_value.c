/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_words[] = {
	[CFG_YAML_SCALAR] = "a word",
	[CFG_YAML_LIST] = "a list",
	[CFG_YAML_MAP] = "a map of keys and values",
};

bool
cfg_expect(
	struct cfg_reader *r, const struct cfg_yaml *v, enum cfg_yaml_kind kind, const char *what)
{
	if (v->kind == kind)
		return true;
	cfg_error(r, v->at, "%s is %s, expected %s", what, v->null ? "empty" : kind_words[v->kind],
		kind_words[kind]);
	return false;
}

bool
cfg_word(struct cfg_reader *r, const char *what, const struct cfg_yaml *v)
{
	if (!cfg_expect(r, v, CFG_YAML_SCALAR, what))
		return false;
	if (!v->null && v->text[0])
		return true;
	cfg_error(r, v->at, "%s is empty, expected a word", what);
	return false;
}

static const char *
key_name(const void *list, size_t i)
{
	return ((const struct cfg_key *)list)[i].name;
}

static void
unknown_key(struct cfg_reader *r, const struct cfg_yaml *k, const struct cfg_key *keys, size_t n)
{
	char word[CFG_QUOTE], hint[CFG_HINT], all[256] = "";
	size_t used = 0;

	if (cfg_hint(r, k->text, key_name, keys, n, hint)[0]) {
		cfg_error(r, k->at, "unknown key '%s'%s", cfg_quote(k->text, word), hint);
		return;
	}
	for (size_t i = 0; i < n && used < sizeof(all); i++) {
		if (keys[i].read != cfg_read_refused)
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
				used ? ", " : "", keys[i].name);
	}
	cfg_error(r, k->at, "unknown key '%s', expected one of %s", cfg_quote(k->text, word), all);
}

static const struct cfg_key *
find_key(const struct cfg_key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

bool
cfg_read_map(struct cfg_reader *r, const struct cfg_yaml *map, const char *what,
	const struct cfg_key *keys, size_t n, void *object)
{
	if (!cfg_expect(r, map, CFG_YAML_MAP, what))
		return false;
	for (const struct cfg_yaml *k = map->first; k; k = k->next) {
		const struct cfg_key *row = find_key(keys, n, k->text);

		if (!row)
			unknown_key(r, k, keys, n);
		else if (row->read == cfg_read_refused)
			cfg_read_refused(r, row, k, object);
		else if (!k->value->null)
			row->read(r, row, k->value, object);
	}
	return true;
}

void
cfg_read_refused(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	(void)object;
	cfg_error(r, v->at, "'%s' does not belong here, %s", k->name, k->text);
}

void
cfg_read_later(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	(void)r;
	memcpy((char *)object + k->offset, &v, sizeof(v));
}

void
cfg_read_bool(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true},
		{"off", false}};
	char text[CFG_QUOTE];

	if (!cfg_word(r, k->name, v))
		return;
	for (size_t i = 0; i < CFG_COUNT(words); i++) {
		if (v->plain && strcmp(v->text, words[i].word) == 0) {
			*((bool *)object + k->offset) = words[i].value;
			return;
		}
	}
	cfg_error(r, v->at, "'%s' is no value of %s, expected true or false",
		cfg_quote(v->text, text), k->name);
}

/* Decimal or 0x; no octal, which nobody means. */
static bool
parse_number(const char *text, int64_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text + (text[0] == '-');
	char *end;

	if (!(hex ? isxdigit((unsigned char)*digits) : isdigit((unsigned char)*digits)))
		return false;
	errno = 0;
	*out = strtoll(text, &end, hex ? 16 : 10);
	return *end == '\0' && errno == 0;
}

bool
cfg_number(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, int64_t *out)
{
	char text[CFG_QUOTE];

	if (!cfg_word(r, k->name, v))
		return false;
	if (!v->plain || !parse_number(v->text, out)) {
		cfg_error(r, v->at, "'%s' is no value of %s, expected a number",
			cfg_quote(v->text, text), k->name);
		return false;
	}
	if (*out < k->min || *out > k->max) {
		cfg_error(r, v->at, "%s %s is out of range, expected %lld to %lld", k->name,
			cfg_quote(v->text, text), (long long)k->min, (long long)k->max);
		return false;
	}
	return true;
}

void
cfg_read_u8(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	int64_t n;

	if (cfg_number(r, k, v, &n))
		*((uint8_t *)object + k->offset) = (uint8_t)n;
}

void
cfg_read_u16(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	int64_t n;

	if (cfg_number(r, k, v, &n))
		memcpy((char *)object + k->offset, &(uint16_t){(uint16_t)n}, sizeof(uint16_t));
}

void
cfg_read_u32(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	int64_t n;

	if (cfg_number(r, k, v, &n))
		memcpy((char *)object + k->offset, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
}

bool
cfg_address(struct cfg_reader *r, const char *what, const struct cfg_yaml *v, struct ip_addr *out)
{
	char text[CFG_QUOTE];

	if (!cfg_word(r, what, v))
		return false;
	if (ip_parse(v->text, out) == 0)
		return true;
	cfg_error(r, v->at, "'%s' is no value of %s, expected an address", cfg_quote(v->text, text),
		what);
	return false;
}

void
cfg_read_address(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	struct ip_addr a;

	if (cfg_address(r, k->name, v, &a))
		memcpy((char *)object + k->offset, &a, sizeof(a));
}

bool
cfg_network(struct cfg_reader *r, const char *what, const struct cfg_yaml *v, struct ip_prefix *out)
{
	char text[CFG_QUOTE], right[PREFIX_TEXT];
	struct ip_prefix network;

	if (!cfg_word(r, what, v))
		return false;
	if (prefix_parse(v->text, out) < 0) {
		cfg_error(r, v->at, "'%s' is no value of %s, expected a prefix like 10.1.0.0/16",
			cfg_quote(v->text, text), what);
		return false;
	}
	network = prefix_network(out);
	if (prefix_equal(out, &network))
		return true;
	cfg_error(r, v->at, "%s %s has host bits set, expected %s", what, cfg_quote(v->text, text),
		prefix_text(&network, right));
	return false;
}

void
cfg_read_network(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	struct ip_prefix p;

	if (cfg_network(r, k->name, v, &p))
		memcpy((char *)object + k->offset, &p, sizeof(p));
}

void
cfg_read_iface_name(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	char *out = (char *)object + k->offset;
	char text[CFG_QUOTE];

	if (!cfg_word(r, k->name, v))
		return;
	if (strlen(v->text) >= IFACE_NAME) {
		cfg_error(r, v->at, "'%s' is no value of %s, expected the name of an interface",
			cfg_quote(v->text, text), k->name);
		return;
	}
	memcpy(out, v->text, strlen(v->text) + 1);
}

/* Linux takes these names for its settings, or has the device already. */
static bool
is_taken_name(const char *name)
{
	static const char *const names[] = {"lo", "all", "default", ".", ".."};

	for (size_t i = 0; i < CFG_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool
all_of(const char *text, bool (*good)(unsigned char c))
{
	for (; *text; text++) {
		if (!good((unsigned char)*text))
			return false;
	}
	return true;
}

static bool
is_iface_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != '%';
}

static bool
is_object_char(unsigned char c)
{
	return isalnum(c) || c == '.' || c == '_' || c == '-';
}

static bool
is_user_id_char(unsigned char c)
{
	return isalnum(c) || (c && strchr("@#$_-", c));
}

/* One rule for the three kinds of names: length, characters, first character. */
static bool
read_name(struct cfg_reader *r, const struct cfg_yaml *word, char *out, size_t size,
	bool (*good)(unsigned char), const char *what, const char *expected)
{
	size_t len = word->kind == CFG_YAML_SCALAR ? strlen(word->text) : 0;
	char text[CFG_QUOTE];

	if (!cfg_expect(r, word, CFG_YAML_SCALAR, what))
		return false;
	if (len == 0 || len >= size || word->text[0] == '-' || !all_of(word->text, good)) {
		cfg_error(r, word->at, "'%s' is no %s, expected %s", cfg_quote(word->text, text),
			what, expected);
		return false;
	}
	memcpy(out, word->text, len + 1);
	return true;
}

bool
cfg_iface_name(struct cfg_reader *r, const struct cfg_yaml *word, char out[IFACE_NAME])
{
	if (!read_name(r, word, out, IFACE_NAME, is_iface_char, "name of an interface",
		    "1 to 15 characters without blanks, '/', ':' and '%'"))
		return false;
	if (!is_taken_name(out))
		return true;
	cfg_error(r, word->at, "'%s' is a name that Linux keeps for itself, expected another", out);
	return false;
}

bool
cfg_object_name(
	struct cfg_reader *r, const char *what, const struct cfg_yaml *word, char out[OBJECT_NAME])
{
	char name[64];

	snprintf(name, sizeof(name), "name of %s", what);
	if (!read_name(r, word, out, OBJECT_NAME, is_object_char, name,
		    "1 to 15 of A-Z a-z 0-9 . _ -, not beginning with -"))
		return false;
	if (out[0] != '.')
		return true;
	cfg_error(r, word->at, "'%s' is no %s, expected one that does not begin with a dot", out,
		name);
	return false;
}

bool
cfg_user_id(struct cfg_reader *r, const struct cfg_yaml *word, char out[NODE_NAME])
{
	return read_name(r, word, out, NODE_NAME, is_user_id_char, "user id",
		"1 to 8 of A-Z a-z 0-9 @ # $ _ -, not beginning with -");
}

size_t
cfg_fold(const char *name, char out[NODE_NAME])
{
	size_t n = 0;

	for (; name[n] && n < NODE_NAME - 1; n++)
		out[n] = (char)tolower((unsigned char)name[n]);
	out[n] = '\0';
	return n;
}

struct cfg_mark
cfg_place(const struct cfg_yaml *map, const char *key)
{
	const struct cfg_yaml *v = cfg_yaml_get(map, key);

	return v ? v->at : map->at;
}

struct cfg_mark
cfg_place_item(const struct cfg_yaml *map, const char *key, size_t i)
{
	const struct cfg_yaml *v = cfg_yaml_get(map, key);

	if (!v || v->kind != CFG_YAML_LIST)
		return v ? v->at : map->at;
	for (v = v->first; i-- && v->next;)
		v = v->next;
	return v->at;
}
