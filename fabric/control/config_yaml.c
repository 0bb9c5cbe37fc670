/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/config_reader.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

/* The way from the root to where the next node belongs. */
struct builder {
	struct cfg_reader *r;
	struct cfg_yaml *open[CFG_YAML_DEPTH]; /* lists and maps not yet ended */
	struct cfg_yaml *last[CFG_YAML_DEPTH]; /* their last child */
	struct cfg_yaml *key[CFG_YAML_DEPTH];  /* of a map: the key that waits for its value */
	unsigned depth;
	unsigned documents;
	struct cfg_yaml *root;
};

/* Up to this many keys are compared one by one. */
enum { FEW_KEYS = 8 };

static struct cfg_mark
place(const yaml_mark_t *m)
{
	return (struct cfg_mark){(uint32_t)m->line + 1, (uint32_t)m->column + 1};
}

/* An offset in bytes as line and column: the reader of libyaml reports its errors so. */
static struct cfg_mark
place_of_offset(const char *text, size_t len, size_t offset)
{
	struct cfg_mark m = {1, 1};

	for (size_t i = 0; i < offset && i < len; i++) {
		if (text[i] == '\n')
			m = (struct cfg_mark){m.line + 1, 1};
		else if ((text[i] & 0xc0) != 0x80)
			m.column++;
	}
	return m;
}

static bool
is_null(const yaml_event_t *e)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < CFG_COUNT(words); i++) {
		if (strcmp((const char *)e->data.scalar.value, words[i]) == 0)
			return true;
	}
	return false;
}

static int
refuse(struct builder *b, const yaml_event_t *e, const char *text)
{
	cfg_error(b->r, place(&e->start_mark), "%s", text);
	return -EINVAL;
}

static const struct cfg_yaml *
find_before(const struct cfg_yaml *map, const struct cfg_yaml *key)
{
	for (const struct cfg_yaml *k = map->first; k != key; k = k->next) {
		if (strcmp(k->text, key->text) == 0)
			return k;
	}
	return NULL;
}

static void
double_key(struct cfg_reader *r, const struct cfg_yaml *key, const struct cfg_yaml *first)
{
	char name[CFG_QUOTE];

	cfg_error(r, key->at, "key '%s' is here twice, first at %u:%u", cfg_quote(key->text, name),
		first->at.line, first->at.column);
}

static void
check_double_keys(struct cfg_reader *r, const struct cfg_yaml *map)
{
	struct cfg_index seen = {.arena = &r->scratch};

	for (struct cfg_yaml *k = map->first; k; k = k->next) {
		const struct cfg_yaml *first =
			map->n <= FEW_KEYS ? find_before(map, k)
					   : cfg_index_add(&seen, k->text, strlen(k->text), k);

		if (first)
			double_key(r, k, first);
	}
}

static void
append(struct builder *b, struct cfg_yaml *node)
{
	struct cfg_yaml *parent = b->open[b->depth - 1];

	if (parent->n++)
		b->last[b->depth - 1]->next = node;
	else
		parent->first = node;
	b->last[b->depth - 1] = node;
}

/* Gives a node its place below the innermost open list or map. */
static int
attach(struct builder *b, const yaml_event_t *e, struct cfg_yaml *node)
{
	struct cfg_yaml **key;

	if (b->depth == 0) {
		b->root = node;
		return 0;
	}
	key = &b->key[b->depth - 1];
	if (b->open[b->depth - 1]->kind == CFG_YAML_MAP && *key) {
		(*key)->value = node;
		*key = NULL;
		return 0;
	}
	if (b->open[b->depth - 1]->kind == CFG_YAML_MAP) {
		if (node->kind != CFG_YAML_SCALAR)
			return refuse(b, e, "a list or map stands where a key is, expected a word");
		*key = node;
	}
	append(b, node);
	return 0;
}

static int
add_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	struct cfg_yaml *node;

	if (e->data.scalar.anchor || e->data.scalar.tag)
		return refuse(b, e, "anchors and tags are not known here, expected a plain value");
	if (strlen(text) != e->data.scalar.length)
		return refuse(b, e, "a NUL stands in this text, expected characters");
	node = cfg_alloc(&b->r->scratch, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->at = place(&e->start_mark);
	node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->null = is_null(e);
	node->text = cfg_copy(&b->r->scratch, text, e->data.scalar.length);
	return node->text ? attach(b, e, node) : -ENOMEM;
}

static int
open_node(struct builder *b, const yaml_event_t *e, enum cfg_yaml_kind kind, bool marked)
{
	struct cfg_yaml *node;
	int rc;

	if (marked)
		return refuse(b, e, "anchors and tags are not known here, expected a plain value");
	if (b->depth == CFG_YAML_DEPTH)
		return refuse(b, e, "lists and maps are nested too deep, at most 16 levels");
	node = cfg_alloc(&b->r->scratch, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->at = place(&e->start_mark);
	node->kind = kind;
	rc = attach(b, e, node);
	if (rc < 0)
		return rc;
	b->open[b->depth] = node;
	b->key[b->depth++] = NULL;
	return 0;
}

static int
close_node(struct builder *b)
{
	const struct cfg_yaml *node = b->open[--b->depth];

	if (node->kind == CFG_YAML_MAP)
		check_double_keys(b->r, node);
	return 0;
}

static int
take(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++)
			return refuse(b, e, "a second document starts here, expected one");
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, e, "aliases are not known here, expected a plain value");
	case YAML_SCALAR_EVENT:
		return add_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(b, e, CFG_YAML_LIST,
			e->data.sequence_start.anchor || e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return open_node(b, e, CFG_YAML_MAP,
			e->data.mapping_start.anchor || e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_node(b);
	default:
		return 0;
	}
}

static int
syntax_error(struct cfg_reader *r, const yaml_parser_t *p, const char *text, size_t len)
{
	struct cfg_mark at = place(&p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		at = place_of_offset(text, len, p->problem_offset);
	cfg_error(r, at, "not YAML: %s%s%s", p->problem ? p->problem : "cannot be read",
		p->context ? " " : "", p->context ? p->context : "");
	return -EINVAL;
}

static int
build(struct builder *b, yaml_parser_t *p, const char *text, size_t len)
{
	yaml_event_t e;
	bool end = false;
	int rc = 0;

	while (rc == 0 && !end) {
		if (!yaml_parser_parse(p, &e))
			return syntax_error(b->r, p, text, len);
		end = e.type == YAML_STREAM_END_EVENT;
		rc = take(b, &e);
		yaml_event_delete(&e);
	}
	return rc;
}

int
cfg_yaml_read(struct cfg_reader *r, const char *text, size_t len, struct cfg_yaml **root)
{
	struct builder b = {.r = r};
	yaml_parser_t p;
	int rc;

	*root = NULL;
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	rc = build(&b, &p, text, len);
	yaml_parser_delete(&p);
	*root = b.root;
	return rc;
}

const struct cfg_yaml *
cfg_yaml_get(const struct cfg_yaml *map, const char *key)
{
	if (!map || map->kind != CFG_YAML_MAP)
		return NULL;
	for (const struct cfg_yaml *k = map->first; k; k = k->next) {
		if (strcmp(k->text, key) == 0)
			return k->value->null ? NULL : k->value;
	}
	return NULL;
}
