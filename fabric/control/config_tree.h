/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What reading a configuration stands on: memory that is freed in one go, lookup by key, and the
 * YAML text as a tree in which every word knows its place. Private to fabric/control/config*.c.
 */
#ifndef FABRIC_CONTROL_CONFIG_TREE_H
#define FABRIC_CONTROL_CONFIG_TREE_H

#include "fabric/control/config.h"

#include <setjmp.h>

struct cfg_arena {
	struct cfg_block *blocks;
	char *next;
	size_t left;
	jmp_buf *escape; /* where to go when memory runs out; NULL: allocations return NULL instead
			  */
};

/* => zeroed memory, aligned for anything, that lives until cfg_arena_fini(). */
void *cfg_alloc(struct cfg_arena *a, size_t size);
/* => a copy with a NUL behind it. */
char *cfg_copy(struct cfg_arena *a, const char *text, size_t len);
void cfg_arena_fini(struct cfg_arena *a);

/* A hash index: bytes to pointer. Starts zeroed but for `arena`; ends with its arena. */
struct cfg_index {
	struct cfg_arena *arena;
	struct cfg_slot *slots;
	size_t n, size;
};

void *cfg_index_find(const struct cfg_index *x, const void *key, size_t len);
/* => NULL when `value` was added, else the value that the key has already; nothing is changed then.
 */
void *cfg_index_add(struct cfg_index *x, const void *key, size_t len, void *value);

enum cfg_yaml_kind { CFG_YAML_SCALAR, CFG_YAML_LIST, CFG_YAML_MAP };

struct cfg_yaml {
	struct cfg_mark at;
	uint8_t kind;           /* enum cfg_yaml_kind */
	bool plain;             /* scalar without quotes */
	bool null;              /* nothing, ~ or null */
	uint32_t n;             /* children */
	const char *text;       /* scalar, UTF-8, never with a NUL inside */
	struct cfg_yaml *first; /* list: items; map: keys */
	struct cfg_yaml *next;  /* the next child of the same parent */
	struct cfg_yaml *value; /* of a key */
};

enum { CFG_YAML_DEPTH = 16, CFG_TEXT_MAX = 64 << 20 };

struct cfg_reader;

/*
 * Makes the tree in r->scratch. Syntax errors, double keys, anchors, tags and a second document are
 * reported. => 0 with *root, NULL when the text is empty; -EINVAL, -ENOMEM.
 */
int cfg_yaml_read(struct cfg_reader *r, const char *text, size_t len, struct cfg_yaml **root);
/* => the value of a key; NULL when the key is not there or its value is empty. */
const struct cfg_yaml *cfg_yaml_get(const struct cfg_yaml *map, const char *key);

#endif
