/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing YAML: words, and maps on one line {key: value, key: value}. Private to fabric/control/config_print*.c. */
#ifndef FABRIC_CONTROL_CONFIG_LINE_H
#define FABRIC_CONTROL_CONFIG_LINE_H

#include "fabric/control/config.h"

struct line {
	const struct config *c;
	FILE *to;
	bool more; /* a pair is there already */
};

/* A word, in quotes where it needs them. */
void write_word(FILE *to, const char *text);
void line_open(struct line *l);
void line_key(struct line *l, const char *key);
void line_word(struct line *l, const char *key, const char *word);
/* The value is left out when it is the default. */
void line_number(struct line *l, const char *key, uint32_t value, uint32_t fallback);
void line_bool(struct line *l, const char *key, bool value, bool fallback);
/* Left out when it is not set. */
void line_address(struct line *l, const char *key, const struct ip_addr *a);

/* => the character at *text, which is valid UTF-8, and moves on behind it. */
uint32_t next_char(const char **text);
bool is_printable(uint32_t c);

/* What a sharer asks of its adapter, as keys of its interface. */
void print_sharer(struct line *l, const struct cfg_iface *i);
/* The adapters, as the map `osa`. */
void print_osas(const struct config *c, FILE *to);

#endif
